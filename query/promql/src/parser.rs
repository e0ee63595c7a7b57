//! Tokens -> syntax tree, by precedence climbing.

mod durations;
mod postfix;
mod primary;

pub(crate) use durations::parse_number;

use crate::ast::{Binary, BinaryOp, Cardinality, Expr, Span, Type, VectorMatching, VectorSelector};
use crate::check;
use crate::error::ParseError;
use crate::lexer::{Tok, Token, lex};
use crate::text::quote;

/// How deeply an expression may nest, so that no query exhausts the stack. A chain of operators may be of any length where it groups
/// to the left, as all do but those of `^`.
pub const DEPTH_MAX: usize = 250;

/// What of the language is switched on; the default is what Prometheus understands if no feature is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParserOptions {
    /// `promql-experimental-functions`: functions and aggregations that may still change.
    pub experimental_functions: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    pub fill_modifiers: bool,
}

impl ParserOptions {
    /// Everything there is.
    pub const ALL: Self = Self { experimental_functions: true, fill_modifiers: true };
}

type Parsed<T> = Result<T, ParseError>;

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    /// What compiled regular expressions may still take.
    regexps_room_bytes: usize,
    options: ParserOptions,
}

/// Parses and type-checks a query, with everything switched on.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    parse_with(text, &ParserOptions::ALL)
}

/// Parses and type-checks a query.
pub fn parse_with(text: &str, options: &ParserOptions) -> Result<Expr, ParseError> {
    let mut parser = Parser {
        text,
        tokens: lex(text),
        at: 0,
        depth: 0,
        regexps_room_bytes: crate::regexp::REGEXPS_BYTES_MAX,
        options: *options,
    };
    if *parser.peek() == Tok::Eof {
        return Err(ParseError::new(text, Span::default(), "no expression found in input"));
    }
    let mut expr = parser.expr(0)?;
    if *parser.peek() != Tok::Eof {
        return Err(parser.unexpected("", ""));
    }
    check::check(&mut expr).map_err(|(span, message)| ParseError::new(text, span, message))?;
    Ok(expr)
}

/// Parses a selector of series alone, such as the `match[]` arguments of the API. Whether it selects anything is the caller's to
/// check, as in Prometheus.
pub fn parse_selector(text: &str) -> Result<VectorSelector, ParseError> {
    let options = ParserOptions::ALL;
    let regexps_room_bytes = crate::regexp::REGEXPS_BYTES_MAX;
    let mut parser = Parser { text, tokens: lex(text), at: 0, depth: 0, regexps_room_bytes, options };
    let selector = parser.series_selector()?;
    if *parser.peek() == Tok::Eof { Ok(selector) } else { Err(parser.unexpected("", "")) }
}

/// Reads a Prometheus duration such as `1h30m`, in milliseconds.
pub fn parse_duration_ms(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let (mut total, mut last_rank) = (0i64, usize::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];
        let mut units = units.into_iter().chain([("y", 31_536_000_000i64)]).enumerate();
        let (rank, (name, ms)) = units.find(|(_, (name, _))| rest.starts_with(name))?;
        // Units go from large to small, each once.
        if rank >= last_rank {
            return None;
        }
        last_rank = rank;
        rest = &rest[name.len()..];
        total = total.checked_add(number.checked_mul(ms)?)?;
    }
    (!text.is_empty()).then_some(total)
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Tok<'a> {
        &self.tokens[self.at].tok
    }

    fn peek_after(&self) -> &Tok<'a> {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].tok
    }

    fn span(&self) -> Span {
        self.tokens[self.at].span
    }

    /// Where the token before this one ends.
    fn end(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    fn advance(&mut self) -> Token<'a> {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn is_punct(&self, punct: &str) -> bool {
        matches!(self.peek(), Tok::Punct(found) if *found == punct)
    }

    fn eat(&mut self, punct: &str) -> bool {
        let found = self.is_punct(punct);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, punct: &str, context: &str, expected: &str) -> Parsed<Token<'a>> {
        if self.is_punct(punct) { Ok(self.advance()) } else { Err(self.unexpected(context, expected)) }
    }

    /// The keyword at hand in lower case.
    fn keyword(&self) -> Option<String> {
        match self.peek() {
            Tok::Ident(word) => Some(word.to_ascii_lowercase()),
            _ => None,
        }
    }

    fn eat_keyword(&mut self, word: &str) -> bool {
        let found = self.keyword().is_some_and(|found| found == word);
        if found {
            self.advance();
        }
        found
    }

    fn fault<T>(&self, span: Span, message: impl Into<String>) -> Parsed<T> {
        Err(ParseError::new(self.text, span, message))
    }

    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let span = self.span();
        if let Tok::Error(message) = self.peek() {
            return ParseError::new(self.text, span, message.clone());
        }
        let mut message = format!("unexpected {}", self.describe());
        if !context.is_empty() {
            message.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        ParseError::new(self.text, span, message)
    }

    /// The token at hand as errors name it.
    fn describe(&self) -> String {
        match self.peek() {
            Tok::Eof => "end of input".into(),
            Tok::Punct(punct) if !BRACKETS.contains(punct) => format!("<op:{punct}>"),
            Tok::Punct(punct) => format!("{punct:?}"),
            Tok::Number(word) => format!("number {}", abridged(word)),
            Tok::Duration(word) => format!("duration {}", abridged(word)),
            Tok::Str(_, raw) => format!("string {}", abridged(raw)),
            Tok::MetricIdent(word) => format!("metric identifier {}", quote(word)),
            Tok::Ident(word) => primary::describe_word(word, matches!(self.peek_after(), Tok::Punct("("))),
            Tok::Error(message) => message.clone(),
        }
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.enter(1)
    }

    fn enter(&mut self, levels: usize) -> Parsed<()> {
        self.depth += levels;
        if self.depth > DEPTH_MAX {
            return self.fault(self.span(), format!("the query nests deeper than {DEPTH_MAX} levels"));
        }
        Ok(())
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn expr(&mut self, least: u8) -> Parsed<Expr> {
        self.deeper()?;
        let depth = self.depth;
        let mut left = self.unary()?;
        while let Some(op) = self.binary_op().filter(|op| op.precedence() >= least) {
            let op_span = self.advance().span;
            let (bool_modifier, matching) = self.modifiers()?;
            let right = self.expr(op.precedence() + u8::from(op != BinaryOp::Pow))?;
            let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
            if fills && !self.options.fill_modifiers {
                return self.fault(left.span(), "binop fill modifiers are experimental and not enabled");
            }
            let scalars = left.result_type() == Type::Scalar && right.result_type() == Type::Scalar;
            let returns = if scalars { Type::Scalar } else { Type::Vector };
            let span = left.span().to(right.span());
            let matching = Some(matching);
            left = Expr::Binary(Box::new(Binary { op, left, right, bool_modifier, op_span, matching, returns, span }));
        }
        self.depth = depth - 1;
        Ok(left)
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        let word = match self.peek() {
            Tok::Punct(punct) => (*punct).to_owned(),
            _ => self.keyword()?,
        };
        BinaryOp::ALL.iter().find(|(_, text, _)| *text == word).map(|(op, ..)| *op)
    }

    /// A sign binds like `*`: weaker than `^`.
    fn unary(&mut self) -> Parsed<Expr> {
        let negative = self.is_punct("-");
        if !negative && !self.is_punct("+") {
            return self.postfix();
        }
        let sign = self.advance().span;
        let expr = self.expr(BinaryOp::Pow.precedence())?;
        let span = sign.to(expr.span());
        Ok(match expr {
            Expr::Number(value, notation, _) => Expr::Number(if negative { -value } else { value }, notation, span),
            other => Expr::Unary { negative, expr: Box::new(other), span },
        })
    }

    /// `bool`, `on (...)`, `group_left (...)`, `fill(...)`.
    fn modifiers(&mut self) -> Parsed<(bool, VectorMatching)> {
        let mut matching = VectorMatching {
            cardinality: Cardinality::OneToOne,
            labels: Vec::new(),
            on: false,
            include: Vec::new(),
            fill_left: None,
            fill_right: None,
        };
        let bool_modifier = self.eat_keyword("bool");
        let on = self.eat_keyword("on");
        if on || self.eat_keyword("ignoring") {
            matching.on = on;
            matching.labels = self.grouping()?;
            let left = self.eat_keyword("group_left");
            if left || self.eat_keyword("group_right") {
                matching.cardinality = if left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                if self.is_punct("(") {
                    matching.include = self.grouping()?;
                }
            }
        }
        self.fills(&mut matching)?;
        Ok((bool_modifier, matching))
    }

    fn fills(&mut self, matching: &mut VectorMatching) -> Parsed<()> {
        while matches!(self.peek_after(), Tok::Punct("(")) {
            let Some(word) = self.keyword() else { return Ok(()) };
            let (left, right) = match word.as_str() {
                "fill" => (true, true),
                "fill_left" => (true, false),
                "fill_right" => (false, true),
                _ => return Ok(()),
            };
            if (left && matching.fill_left.is_some()) || (right && matching.fill_right.is_some()) {
                return Err(self.unexpected("", ""));
            }
            self.advance();
            self.advance();
            let value = self.signed_number("", "")?;
            self.expect(")", "", "")?;
            if left {
                matching.fill_left = Some(value);
            }
            if right {
                matching.fill_right = Some(value);
            }
        }
        Ok(())
    }
}

/// Brackets and the like, which errors show as they are; all other signs are operators.
const BRACKETS: [&str; 9] = ["(", ")", "[", "]", "{", "}", ",", "=", ":"];

/// A word in quotes, cut off after ten characters.
fn abridged(word: &str) -> String {
    if word.len() <= 10 {
        return quote(word);
    }
    let head: String = word.chars().take(10).collect();
    format!("{}...", quote(&head))
}

/// A number as a label carries it: Go's `ParseFloat`.
pub(crate) fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok()
}
