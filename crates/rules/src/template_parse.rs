//! Parses templates: the part of Go's `text/template` that alert rules use.

use crate::template::{Arg, Call, Function, Node, Pipeline, TemplateError};

/// Deepest nesting of `if` and parentheses.
const DEPTH_MAX: usize = 16;

/// Longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// Parses a whole template.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    if text.len() > TEMPLATE_BYTES_MAX {
        let message = format!("the template has {} bytes, {TEMPLATE_BYTES_MAX} are allowed", text.len());
        return Err(TemplateError { offset: 0, message, hint: "shorten it".to_owned() });
    }
    let parts = split(text)?;
    let mut parser = Blocks { parts, at: 0 };
    let nodes = parser.nodes(0)?;
    match parser.parts.get(parser.at) {
        None => Ok(nodes),
        Some(part) => Err(error(part.offset, format!("{:?} without an `if`", part.text.trim()), "remove it")),
    }
}

struct Part<'a> {
    offset: usize,
    text: &'a str,
    action: bool,
}

/// Splits into text and actions, and applies the trim markers `{{-` and `-}}`.
fn split(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let mut parts = Vec::new();
    let mut at = 0;
    let mut trim_left = false;
    while at < text.len() {
        let open = text[at..].find("{{").map_or(text.len(), |found| at + found);
        let mut plain = &text[at..open];
        let action = &text[open..];
        let trim_right = action.starts_with("{{- ");
        if trim_left {
            plain = plain.trim_start();
        }
        if trim_right {
            plain = plain.trim_end();
        }
        if !plain.is_empty() {
            parts.push(Part { offset: at, text: plain, action: false });
        }
        if open == text.len() {
            break;
        }
        let close = find_close(action).ok_or_else(|| error(open, "`{{` is not closed", "close it with `}}`"))?;
        let start = if trim_right { 3 } else { 2 };
        trim_left = close >= start + 2 && action[..close].ends_with(" -");
        let end = if trim_left { close - 1 } else { close };
        let inner = &action[start..end];
        if !inner.trim_start().starts_with("/*") {
            parts.push(Part { offset: open + start, text: inner, action: true });
        }
        at = open + close + 2;
    }
    Ok(parts)
}

/// The offset of the `}}` that closes an action, quotes respected.
fn find_close(action: &str) -> Option<usize> {
    let bytes = action.as_bytes();
    let mut quote = None;
    let mut at = 2;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(b'"'), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (None, byte @ (b'"' | b'`')) => quote = Some(byte),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

struct Blocks<'a> {
    parts: Vec<Part<'a>>,
    at: usize,
}

impl Blocks<'_> {
    /// Reads nodes up to an `else` or `end`, which stays unread.
    fn nodes(&mut self, depth: usize) -> Result<Vec<Node>, TemplateError> {
        let mut nodes = Vec::new();
        while let Some(part) = self.parts.get(self.at) {
            let (offset, text) = (part.offset, part.text);
            if !part.action {
                nodes.push(Node::Text(text.to_owned()));
                self.at += 1;
                continue;
            }
            let word = text.split_whitespace().next().unwrap_or("");
            match word {
                "else" | "end" => return Ok(nodes),
                "if" => {
                    self.at += 1;
                    let condition_at = offset + text.find("if").unwrap_or(0) + 2;
                    nodes.push(self.branch(&text[condition_at - offset..], condition_at, depth + 1)?);
                }
                "range" | "with" | "define" | "template" | "block" | "break" | "continue" => {
                    let hint = "labels, $value, if/else and the functions of the manual are";
                    return Err(error(offset, format!("`{word}` is not supported in templates"), hint));
                }
                _ => {
                    nodes.push(Node::Action(pipeline(text, offset)?));
                    self.at += 1;
                }
            }
        }
        Ok(nodes)
    }

    /// Reads what follows `if <condition>`.
    fn branch(&mut self, condition: &str, offset: usize, depth: usize) -> Result<Node, TemplateError> {
        if depth > DEPTH_MAX {
            return Err(error(offset, format!("`if` is nested deeper than {DEPTH_MAX}"), "simplify the template"));
        }
        let condition = pipeline(condition, offset)?;
        let then = self.nodes(depth)?;
        let Some(part) = self.parts.get(self.at) else {
            return Err(error(offset, "`if` has no `end`", "add {{ end }}"));
        };
        let (at, text) = (part.offset, part.text.trim().to_owned());
        self.at += 1;
        let otherwise = match text.strip_prefix("else").map(str::trim) {
            None => Vec::new(),
            Some("") => {
                let nodes = self.nodes(depth)?;
                let ended = self.parts.get(self.at).is_some_and(|part| part.text.trim() == "end");
                if !ended {
                    return Err(error(offset, "`if` has no `end` after its `else`", "add {{ end }}"));
                }
                self.at += 1;
                nodes
            }
            Some(rest) => match rest.strip_prefix("if ") {
                Some(condition) => vec![self.branch(condition, at, depth + 1)?],
                None => {
                    return Err(error(at, format!("{rest:?} after `else`"), "write {{ else }} or {{ else if ... }}"));
                }
            },
        };
        Ok(Node::If { condition, then, otherwise })
    }
}

fn error(offset: usize, message: impl Into<String>, hint: &str) -> TemplateError {
    TemplateError { offset, message: message.into(), hint: hint.to_owned() }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Pipe,
    Open,
    Close,
}

/// Parses `operand | function argument ...`.
fn pipeline(text: &str, offset: usize) -> Result<Pipeline, TemplateError> {
    let tokens = tokens(text, offset)?;
    let mut parser = Expr { tokens, at: 0, end: offset + text.len() };
    let pipeline = parser.pipeline(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(pipeline),
        Some((at, _)) => Err(error(*at, "there is more than one expression here", "join functions with `|`")),
    }
}

fn tokens(text: &str, offset: usize) -> Result<Vec<(usize, Token)>, TemplateError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, len) = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '|' => (Token::Pipe, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' | '`' => quoted(rest, c).ok_or_else(|| error(offset + at, "a quote is not closed", "close it"))?,
            c if c.is_ascii_digit() || c == '-' => {
                let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
                let number = rest[..len].parse().map_err(|_| {
                    error(offset + at, format!("{:?} is not a number", &rest[..len]), "write a plain number")
                })?;
                (Token::Number(number), len)
            }
            c if c.is_alphanumeric() || "$._".contains(c) => {
                let len = rest.find(|c: char| !(c.is_alphanumeric() || "$._".contains(c))).unwrap_or(rest.len());
                (Token::Word(rest[..len].to_owned()), len)
            }
            c => {
                return Err(error(
                    offset + at,
                    format!("{c:?} does not belong here"),
                    "write {{ $labels.name }} or {{ $value }}",
                ));
            }
        };
        tokens.push((offset + at, token));
        at += len;
    }
    Ok(tokens)
}

fn quoted(rest: &str, quote: char) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((Token::Text(text), at + 1)),
            '\\' if quote == '"' => match chars.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
    None
}

struct Expr {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
}

impl Expr {
    fn pipeline(&mut self, depth: usize) -> Result<Pipeline, TemplateError> {
        if depth > DEPTH_MAX {
            return Err(error(self.offset(), format!("nested deeper than {DEPTH_MAX}"), "simplify the template"));
        }
        let mut calls = vec![self.call(depth, false)?];
        while self.take(&Token::Pipe) {
            calls.push(self.call(depth, true)?);
        }
        Ok(Pipeline(calls))
    }

    fn call(&mut self, depth: usize, piped: bool) -> Result<Call, TemplateError> {
        let start = self.offset();
        let word = match self.tokens.get(self.at) {
            Some((_, Token::Word(word))) if !word.starts_with(['$', '.']) && word != "true" && word != "false" => {
                word.clone()
            }
            _ if piped => return Err(error(start, "a function is missing after `|`", "write {{ $value | humanize }}")),
            _ => return Ok(Call::Value(self.arg(depth)?)),
        };
        let Some(function) = Function::by_name(&word) else {
            let hint = format!("the functions are {}", Function::names());
            return Err(TemplateError { offset: start, message: format!("there is no function {word:?}"), hint });
        };
        self.at += 1;
        let mut args = Vec::new();
        while !matches!(self.tokens.get(self.at), None | Some((_, Token::Pipe | Token::Close))) {
            args.push(self.arg(depth)?);
        }
        let count = args.len() + usize::from(piped);
        let (min, max) = function.arguments();
        if count < min || count > max {
            return Err(error(start, format!("{word} has {count} arguments"), &format!("it takes {min} to {max}")));
        }
        Ok(Call::Function(function, args))
    }

    fn arg(&mut self, depth: usize) -> Result<Arg, TemplateError> {
        let offset = self.offset();
        let Some((_, token)) = self.tokens.get(self.at).cloned() else {
            return Err(error(offset, "an expression is missing", "write {{ $labels.name }} or {{ $value }}"));
        };
        self.at += 1;
        match token {
            Token::Text(text) => Ok(Arg::Text(text)),
            Token::Number(number) => Ok(Arg::Number(number)),
            Token::Word(word) => variable(&word, offset),
            Token::Open => {
                let inner = self.pipeline(depth + 1)?;
                if self.take(&Token::Close) {
                    Ok(Arg::Pipeline(inner))
                } else {
                    Err(error(self.offset(), "a parenthesis is not closed", "close it"))
                }
            }
            Token::Pipe | Token::Close => {
                Err(error(offset, "an expression is missing", "write {{ $value | humanize }}"))
            }
        }
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.get(self.at).is_some_and(|(_, token)| token == wanted);
        self.at += usize::from(found);
        found
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(offset, _)| *offset)
    }
}

fn variable(word: &str, offset: usize) -> Result<Arg, TemplateError> {
    for prefix in ["$labels", ".Labels"] {
        match word.strip_prefix(prefix) {
            Some("") => return Ok(Arg::Labels),
            Some(rest) if rest.starts_with('.') && rest.len() > 1 => return Ok(Arg::Label(rest[1..].to_owned())),
            _ => {}
        }
    }
    match word {
        "$value" | ".Value" => Ok(Arg::Value),
        "true" => Ok(Arg::Bool(true)),
        "false" => Ok(Arg::Bool(false)),
        _ => {
            let hint = "there are $labels.name, $value, .Labels.name and .Value";
            Err(error(offset, format!("there is no variable {word:?}"), hint))
        }
    }
}
