//! `when`: a condition over the columns of a row, such as `n > 20 and p95 >= 1.5`.

use std::collections::BTreeMap;

use model::Value;

/// Deepest nesting of parentheses and `not`.
const DEPTH_MAX: usize = 32;

/// A parsed condition.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    text: String,
    node: Node,
}

/// A condition that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct WhenError {
    /// Where, as a byte offset in the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Compare { column: String, op: Op, right: Right },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

#[derive(Clone, Debug, PartialEq)]
enum Right {
    Number(f64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Number(f64),
    Text(String),
    Op(Op),
    Open,
    Close,
}

impl When {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<When, WhenError> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0, end: text.len() };
        let node = parser.or(0)?;
        match tokens.get(parser.at) {
            None => Ok(When { text: text.to_owned(), node }),
            Some((offset, _)) => {
                Err(error(*offset, "there is more after the condition", "join conditions with `and` or `or`"))
            }
        }
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a row meets it. A comparison with a column that the row does not have, or with text that is no number where a
    /// number is compared, is false, and so is its negation's reverse: `not n > 5` is true without `n`.
    pub fn holds(&self, row: &BTreeMap<String, Value>) -> bool {
        holds(&self.node, row)
    }

    /// The columns that it compares, in order, without repeats.
    pub fn columns(&self) -> Vec<&str> {
        let mut found = Vec::new();
        columns(&self.node, &mut found);
        found
    }

    /// The first number among the compared columns of a row: the value of an alert.
    pub fn value(&self, row: &BTreeMap<String, Value>) -> Option<f64> {
        self.columns().into_iter().find_map(|column| row.get(column)?.number())
    }
}

fn holds(node: &Node, row: &BTreeMap<String, Value>) -> bool {
    match node {
        Node::And(a, b) => holds(a, row) && holds(b, row),
        Node::Or(a, b) => holds(a, row) || holds(b, row),
        Node::Not(inner) => !holds(inner, row),
        Node::Compare { column, op, right } => {
            let Some(left) = row.get(column) else { return false };
            match right {
                Right::Number(right) => left.number().is_some_and(|left| compare(left.partial_cmp(right), *op)),
                Right::Text(right) => compare(Some(left.text().as_ref().cmp(right.as_str())), *op),
            }
        }
    }
}

fn compare(ordering: Option<std::cmp::Ordering>, op: Op) -> bool {
    match op {
        Op::Lt => ordering.is_some_and(std::cmp::Ordering::is_lt),
        Op::Le => ordering.is_some_and(std::cmp::Ordering::is_le),
        Op::Gt => ordering.is_some_and(std::cmp::Ordering::is_gt),
        Op::Ge => ordering.is_some_and(std::cmp::Ordering::is_ge),
        Op::Eq => ordering.is_some_and(std::cmp::Ordering::is_eq),
        Op::Ne => ordering.is_some_and(std::cmp::Ordering::is_ne),
    }
}

fn columns<'a>(node: &'a Node, found: &mut Vec<&'a str>) {
    match node {
        Node::And(a, b) | Node::Or(a, b) => {
            columns(a, found);
            columns(b, found);
        }
        Node::Not(inner) => columns(inner, found),
        Node::Compare { column, .. } if !found.contains(&column.as_str()) => found.push(column),
        Node::Compare { .. } => {}
    }
}

fn error(offset: usize, message: impl Into<String>, hint: &str) -> WhenError {
    WhenError { offset, message: message.into(), hint: hint.to_owned() }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, WhenError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, len) = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' | '\'' => {
                let close = rest[1..].find(c).ok_or_else(|| error(at, "a quote is not closed", "close it"))?;
                (Token::Text(rest[1..=close].to_owned()), close + 2)
            }
            '<' | '>' | '=' | '!' => operator(rest)
                .ok_or_else(|| error(at, "this is not a comparison", "the comparisons are < <= > >= = == !="))?,
            c if c.is_ascii_digit() || "+-.".contains(c) => {
                let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
                let number = rest[..len].parse().map_err(|_| {
                    error(at, format!("{:?} is not a number", &rest[..len]), "write a plain number, such as 20 or 0.5")
                })?;
                (Token::Number(number), len)
            }
            c if is_word(c) => {
                let len = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                (Token::Word(rest[..len].to_owned()), len)
            }
            c => return Err(error(at, format!("{c:?} does not belong here"), "write a condition such as n > 20")),
        };
        tokens.push((at, token));
        at += len;
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_.".contains(c)
}

fn operator(rest: &str) -> Option<(Token, usize)> {
    const OPERATORS: [(&str, Op); 7] =
        [("<=", Op::Le), (">=", Op::Ge), ("==", Op::Eq), ("!=", Op::Ne), ("<", Op::Lt), (">", Op::Gt), ("=", Op::Eq)];
    let found = OPERATORS.into_iter().find(|(text, _)| rest.starts_with(text));
    found.map(|(text, op)| (Token::Op(op), text.len()))
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    end: usize,
}

impl Parser<'_> {
    fn or(&mut self, depth: usize) -> Result<Node, WhenError> {
        let mut node = self.and(depth)?;
        while self.word("or") {
            node = Node::Or(Box::new(node), Box::new(self.and(depth)?));
        }
        Ok(node)
    }

    fn and(&mut self, depth: usize) -> Result<Node, WhenError> {
        let mut node = self.unary(depth)?;
        while self.word("and") {
            node = Node::And(Box::new(node), Box::new(self.unary(depth)?));
        }
        Ok(node)
    }

    fn unary(&mut self, depth: usize) -> Result<Node, WhenError> {
        if depth > DEPTH_MAX {
            return Err(error(self.offset(), format!("nested deeper than {DEPTH_MAX}"), "simplify the condition"));
        }
        if self.word("not") {
            return Ok(Node::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take(|token| *token == Token::Open).is_some() {
            let node = self.or(depth + 1)?;
            return match self.take(|token| *token == Token::Close) {
                Some(_) => Ok(node),
                None => Err(error(self.offset(), "a parenthesis is not closed", "close it")),
            };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Node, WhenError> {
        let hint = "write a column, a comparison and a number or a quoted text: n > 20";
        let Some(Token::Word(column)) = self.take(|token| matches!(token, Token::Word(_))) else {
            return Err(error(self.offset(), "a column's name is missing", hint));
        };
        let Some(Token::Op(op)) = self.take(|token| matches!(token, Token::Op(_))) else {
            return Err(error(self.offset(), format!("a comparison is missing after {column:?}"), hint));
        };
        let right = match self.take(|token| matches!(token, Token::Number(_) | Token::Text(_))) {
            Some(Token::Number(number)) => Right::Number(number),
            Some(Token::Text(text)) => Right::Text(text),
            _ => return Err(error(self.offset(), "the value to compare with is missing", hint)),
        };
        Ok(Node::Compare { column, op, right })
    }

    fn word(&mut self, wanted: &str) -> bool {
        self.take(|token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted))).is_some()
    }

    fn take(&mut self, wanted: impl Fn(&Token) -> bool) -> Option<Token> {
        let (_, token) = self.tokens.get(self.at)?;
        wanted(token).then(|| {
            self.at += 1;
            token.clone()
        })
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(offset, _)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn conditions_hold_for_rows() {
        let row: BTreeMap<String, Value> = [
            ("n".to_owned(), Value::Int(21)),
            ("p95".to_owned(), Value::Double(1.5)),
            ("service.version".to_owned(), Value::from("2")),
        ]
        .into();
        let cases = [
            ("n > 20", true),
            ("n>21", false),
            ("n >= 21 and p95 = 1.5", true),
            ("n < 5 or (p95 != 1 and not n == 3)", true),
            ("service.version = '2'", true),
            ("service.version > 1", true),
            ("missing > 0", false),
            ("missing < 1e9", false),
            ("not missing > 0", true),
        ];
        for (text, want) in cases {
            assert_eq!(When::parse(text).unwrap().holds(&row), want, "{text}");
        }
        let when = When::parse("service.name = 'x' or n > 1 or n < 0").unwrap();
        assert_eq!(when.columns(), ["service.name", "n"]);
        assert_eq!(when.value(&row), Some(21.0));
    }

    fn check(text: &str, expect: Expect) {
        let error = When::parse(text).unwrap_err();
        expect.assert_eq(&format!("{}: {error}", error.offset));
    }

    #[test]
    fn mistakes_have_a_place_and_a_hint() {
        check(
            "",
            expect![
                "0: a column's name is missing; write a column, a comparison and a number or a quoted text: n > 20"
            ],
        );
        check(
            "n",
            expect![[
                r#"1: a comparison is missing after "n"; write a column, a comparison and a number or a quoted text: n > 20"#
            ]],
        );
        check(
            "n > ",
            expect![
                "4: the value to compare with is missing; write a column, a comparison and a number or a quoted text: n > 20"
            ],
        );
        check("n > 20 m", expect!["7: there is more after the condition; join conditions with `and` or `or`"]);
        check("n > 2x", expect![[r#"4: "2x" is not a number; write a plain number, such as 20 or 0.5"#]]);
        check("(n > 2", expect!["6: a parenthesis is not closed; close it"]);
        check("n ~ 2", expect!["2: '~' does not belong here; write a condition such as n > 20"]);
    }
}
