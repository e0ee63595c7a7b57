//! Parses templates: Go's `text/template`.

use std::collections::BTreeMap;

use super::TemplateError;
use super::data::Datum;
use super::functions::Function;

/// Deepest nesting of blocks and parentheses.
const DEPTH_MAX: usize = 16;

/// Longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// A parsed text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program {
    pub(super) nodes: Vec<Node>,
    /// What `define` names.
    pub(super) defines: BTreeMap<String, Vec<Node>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    Action(Pipeline),
    If { condition: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    With { value: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    Range { over: Pipeline, body: Vec<Node>, otherwise: Vec<Node> },
    Call { name: String, with: Option<Pipeline> },
    Break,
    Continue,
}

/// `$variable := operand | function argument ...`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipeline {
    /// The variables that it sets.
    pub(super) set: Vec<String>,
    /// Whether they are new (`:=`).
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Value(Arg),
    Function(&'static Function, Vec<Arg>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Arg {
    Literal(Datum),
    Dot,
    Variable(String),
    Path(Box<Arg>, Vec<String>),
    Pipeline(Pipeline),
}

/// Parses a whole template.
pub(super) fn parse(text: &str) -> Result<Program, TemplateError> {
    if text.len() > TEMPLATE_BYTES_MAX {
        let message = format!("the template has {} bytes, {TEMPLATE_BYTES_MAX} are allowed", text.len());
        return Err(TemplateError { offset: 0, message, hint: "shorten it".to_owned() });
    }
    let parts = split(text)?;
    let variables = ["$", "$labels", "$value", "$externalLabels", "$externalURL"].map(str::to_owned).to_vec();
    let mut parser = Blocks { parts, at: 0, variables, defines: BTreeMap::new(), loops: 0 };
    let nodes = parser.nodes(0)?;
    match parser.parts.get(parser.at) {
        None => Ok(Program { nodes, defines: parser.defines }),
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
        let trim_right = action.strip_prefix("{{-").is_some_and(|rest| rest.starts_with(char::is_whitespace));
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
        trim_left = close >= start + 2
            && action[..close].strip_suffix('-').is_some_and(|rest| rest.ends_with(char::is_whitespace));
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
    /// The variables that can be named here.
    variables: Vec<String>,
    defines: BTreeMap<String, Vec<Node>>,
    /// How many loops we are in.
    loops: usize,
}

impl Blocks<'_> {
    /// Reads nodes up to an `else` or `end`, which stays unread.
    fn nodes(&mut self, depth: usize) -> Result<Vec<Node>, TemplateError> {
        let scope = self.variables.len();
        let mut nodes = Vec::new();
        while let Some(part) = self.parts.get(self.at) {
            let (offset, text) = (part.offset, part.text);
            if !part.action {
                nodes.push(Node::Text(text.to_owned()));
                self.at += 1;
                continue;
            }
            let trimmed = text.trim_start();
            let word_end = trimmed.find(|c: char| !c.is_alphanumeric()).unwrap_or(trimmed.len());
            let (word, rest) = trimmed.split_at(word_end);
            let rest_at = offset + (text.len() - rest.len());
            if matches!(word, "else" | "end") {
                break;
            }
            self.at += 1;
            let keyword = ["if", "with", "range", "define", "block", "template", "break", "continue"].contains(&word);
            match keyword.then_some(word) {
                Some("define") => self.define(rest, rest_at, depth + 1)?,
                Some(word) => nodes.push(self.keyword(word, rest, rest_at, depth + 1)?),
                None => nodes.push(Node::Action(self.pipeline(text, offset)?)),
            }
        }
        self.variables.truncate(scope);
        Ok(nodes)
    }

    fn keyword(&mut self, word: &str, rest: &str, offset: usize, depth: usize) -> Result<Node, TemplateError> {
        if depth > DEPTH_MAX {
            return Err(error(offset, format!("`{word}` is nested deeper than {DEPTH_MAX}"), "simplify the template"));
        }
        match word {
            "template" => {
                let (name, rest, at) = name(rest, offset)?;
                let with = (!rest.trim().is_empty()).then(|| self.pipeline(rest, at)).transpose()?;
                Ok(Node::Call { name, with })
            }
            "block" => {
                let (name, rest, at) = name(rest, offset)?;
                let with = Some(self.pipeline(rest, at)?);
                let body = self.body(offset, depth)?;
                self.defines.entry(name.clone()).or_insert(body);
                Ok(Node::Call { name, with })
            }
            "break" | "continue" if self.loops == 0 => {
                Err(error(offset, format!("`{word}` outside of a `range`"), "remove it"))
            }
            "break" => Ok(Node::Break),
            "continue" => Ok(Node::Continue),
            _ => self.branch(word, rest, offset, depth),
        }
    }

    /// Reads what follows `if`, `with` or `range`.
    fn branch(&mut self, word: &str, condition: &str, offset: usize, depth: usize) -> Result<Node, TemplateError> {
        if depth > DEPTH_MAX {
            return Err(error(offset, format!("`{word}` is nested deeper than {DEPTH_MAX}"), "simplify the template"));
        }
        let scope = self.variables.len();
        let condition = self.pipeline(condition, offset)?;
        if condition.set.len() > 1 && word != "range" {
            return Err(error(offset, "too many variables", "only `range` gives two"));
        }
        self.loops += usize::from(word == "range");
        let then = self.nodes(depth)?;
        self.loops -= usize::from(word == "range");
        let Some(part) = self.parts.get(self.at) else {
            return Err(error(offset, format!("`{word}` has no `end`"), "add {{ end }}"));
        };
        let (at, text) = (part.offset, part.text.trim().to_owned());
        self.at += 1;
        let otherwise = match text.strip_prefix("else").map(str::trim) {
            None => Vec::new(),
            Some("") => {
                let nodes = self.nodes(depth)?;
                let ended = self.parts.get(self.at).is_some_and(|part| part.text.trim() == "end");
                if !ended {
                    return Err(error(offset, format!("`{word}` has no `end` after its `else`"), "add {{ end }}"));
                }
                self.at += 1;
                nodes
            }
            Some(rest) => match ["if", "with"].iter().find_map(|word| Some((word, rest.strip_prefix(word)?))) {
                Some((next, condition)) if condition.starts_with(|c: char| !c.is_alphanumeric()) => {
                    vec![self.branch(next, condition, at, depth + 1)?]
                }
                _ => {
                    return Err(error(at, format!("{rest:?} after `else`"), "write {{ else }} or {{ else if ... }}"));
                }
            },
        };
        self.variables.truncate(scope);
        Ok(match word {
            "if" => Node::If { condition, then, otherwise },
            "with" => Node::With { value: condition, then, otherwise },
            _ => Node::Range { over: condition, body: then, otherwise },
        })
    }

    /// Reads `define "name"` up to its `end`.
    fn define(&mut self, rest: &str, offset: usize, depth: usize) -> Result<(), TemplateError> {
        if depth > 1 {
            return Err(error(offset, "`define` inside of another block", "move it to the start of the template"));
        }
        let (name, rest, at) = name(rest, offset)?;
        if !rest.trim().is_empty() {
            return Err(error(at, format!("{:?} after the name of a `define`", rest.trim()), "remove it"));
        }
        let body = self.body(offset, depth)?;
        self.defines.insert(name, body);
        Ok(())
    }

    /// The nodes of a template of its own, which sees no variables from outside.
    fn body(&mut self, offset: usize, depth: usize) -> Result<Vec<Node>, TemplateError> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let body = self.nodes(depth)?;
        (self.variables, self.loops) = (variables, loops);
        let ended = self.parts.get(self.at).is_some_and(|part| part.text.trim() == "end");
        self.at += 1;
        if ended { Ok(body) } else { Err(error(offset, "a template has no `end`", "add {{ end }}")) }
    }

    /// Parses `$variable := operand | function argument ...`.
    fn pipeline(&mut self, text: &str, offset: usize) -> Result<Pipeline, TemplateError> {
        let tokens = tokens(text, offset)?;
        let mut parser = Expr { tokens, at: 0, end: offset + text.len(), variables: &self.variables };
        let (set, declares) = parser.assignment()?;
        let mut pipeline = parser.pipeline(0)?;
        if let Some((at, _)) = parser.tokens.get(parser.at) {
            return Err(error(*at, "there is more than one expression here", "join functions with `|`"));
        }
        if declares {
            self.variables.extend(set.iter().cloned());
        }
        (pipeline.set, pipeline.declares) = (set, declares);
        Ok(pipeline)
    }
}

/// Reads a quoted name; also what follows, and where.
fn name(text: &str, offset: usize) -> Result<(String, &str, usize), TemplateError> {
    let trimmed = text.trim_start();
    let at = offset + text.len() - trimmed.len();
    let quote = trimmed.chars().next().filter(|c| ['"', '`'].contains(c));
    match quote.and_then(|quote| quoted(trimmed, quote)) {
        Some((Token::Text(name), len)) => Ok((name, &trimmed[len..], at + len)),
        _ => Err(error(at, "the name of a template is missing", "write it in quotes: {{ template \"name\" . }}")),
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
    Int(i64),
    Pipe,
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    Open,
    Close,
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
            ',' => (Token::Comma, 1),
            ':' if rest.starts_with(":=") => (Token::Declare, 2),
            '=' => (Token::Assign, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' | '`' => quoted(rest, c).ok_or_else(|| error(offset + at, "a quote is not closed", "close it"))?,
            c if c.is_ascii_digit() || "+-".contains(c) || starts_with_fraction(rest) => {
                let len = number_end(rest);
                let token = number(&rest[..len]).ok_or_else(|| {
                    error(offset + at, format!("{:?} is not a number", &rest[..len]), "write a plain number")
                })?;
                (token, len)
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
                'r' => text.push('\r'),
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
    None
}

fn starts_with_fraction(text: &str) -> bool {
    text.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Where a number ends; a sign belongs to it at its start and behind an exponent.
fn number_end(text: &str) -> usize {
    let hex = text.trim_start_matches(['+', '-']).starts_with(['0']) && text.contains(['x', 'X']);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let sign = "+-".contains(c) && (at == 0 || ("eE".contains(before) && !hex));
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign) {
            return at;
        }
        before = c;
    }
    text.len()
}

fn number(text: &str) -> Option<Token> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0o", 8)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix).ok().map(|n| Token::Int(sign * n));
        }
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let int = plain.parse().ok().map(Token::Int);
    int.or_else(|| plain.parse().ok().map(Token::Number))
}

struct Expr<'a> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    variables: &'a [String],
}

impl Expr<'_> {
    /// Reads `$x :=`, `$x =` or `$i, $x :=`, if that is how it begins.
    fn assignment(&mut self) -> Result<(Vec<String>, bool), TemplateError> {
        let variable = |at: usize| match self.tokens.get(at) {
            Some((_, Token::Word(word))) if word.starts_with('$') && !word.contains('.') => Some(word.clone()),
            _ => None,
        };
        let is = |at: usize, wanted: &Token| self.tokens.get(at).is_some_and(|(_, token)| token == wanted);
        let Some(first) = variable(0) else { return Ok((Vec::new(), false)) };
        let mut set = vec![first];
        let mut at = 1;
        if is(1, &Token::Comma) {
            let Some(second) = variable(2) else {
                return Err(error(
                    self.tokens[1].0,
                    "a variable is missing after the comma",
                    "write $i, $sample := ...",
                ));
            };
            set.push(second);
            at = 3;
        }
        let declares = is(at, &Token::Declare);
        if !declares && !is(at, &Token::Assign) {
            return Ok((Vec::new(), false));
        }
        if let Some(unknown) = set.iter().find(|name| !declares && !self.variables.contains(name)) {
            return Err(error(self.tokens[0].0, format!("there is no variable {unknown:?}"), "declare it with :="));
        }
        self.at = at + 1;
        Ok((set, declares))
    }

    fn pipeline(&mut self, depth: usize) -> Result<Pipeline, TemplateError> {
        if depth > DEPTH_MAX {
            return Err(error(self.offset(), format!("nested deeper than {DEPTH_MAX}"), "simplify the template"));
        }
        let mut commands = vec![self.command(depth, false)?];
        while self.take(&Token::Pipe) {
            commands.push(self.command(depth, true)?);
        }
        Ok(Pipeline { set: Vec::new(), declares: false, commands })
    }

    fn command(&mut self, depth: usize, piped: bool) -> Result<Command, TemplateError> {
        let start = self.offset();
        let word = match self.tokens.get(self.at) {
            Some((_, Token::Word(word))) if !word.starts_with(['$', '.']) => word.clone(),
            _ if piped => return Err(error(start, "a function is missing after `|`", "write {{ $value | humanize }}")),
            _ => {
                let value = self.arg(depth)?;
                let ends = matches!(self.tokens.get(self.at), None | Some((_, Token::Pipe | Token::Close)));
                return match ends {
                    true => Ok(Command::Value(value)),
                    false => {
                        Err(error(self.offset(), "there is more than one expression here", "join functions with `|`"))
                    }
                };
            }
        };
        let function = function(&word, start)?;
        self.at += 1;
        let mut args = Vec::new();
        while !matches!(self.tokens.get(self.at), None | Some((_, Token::Pipe | Token::Close))) {
            args.push(self.arg(depth)?);
        }
        let count = args.len() + usize::from(piped);
        let (min, max) = function.arguments;
        if count < min || count > max {
            return Err(error(start, format!("{word} has {count} arguments"), &format!("it takes {min} to {max}")));
        }
        Ok(Command::Function(function, args))
    }

    fn arg(&mut self, depth: usize) -> Result<Arg, TemplateError> {
        let offset = self.offset();
        let Some((_, token)) = self.tokens.get(self.at).cloned() else {
            return Err(error(offset, "an expression is missing", "write {{ $labels.name }} or {{ $value }}"));
        };
        self.at += 1;
        match token {
            Token::Text(text) => Ok(Arg::Literal(Datum::Text(text))),
            Token::Number(number) => Ok(Arg::Literal(Datum::Number(number))),
            Token::Int(number) => Ok(Arg::Literal(Datum::Int(number))),
            Token::Word(word) => self.operand(&word, offset),
            Token::Open => {
                let inner = self.pipeline(depth + 1)?;
                let closed = self.offset() + 1;
                if !self.take(&Token::Close) {
                    return Err(error(self.offset(), "a parenthesis is not closed", "close it"));
                }
                let inner = Arg::Pipeline(inner);
                match self.tokens.get(self.at).cloned() {
                    Some((at, Token::Word(word))) if at == closed && word.starts_with('.') => {
                        self.at += 1;
                        path(inner, &word[1..], at)
                    }
                    _ => Ok(inner),
                }
            }
            _ => Err(error(offset, "an expression is missing", "write {{ $value | humanize }}")),
        }
    }

    fn operand(&self, word: &str, offset: usize) -> Result<Arg, TemplateError> {
        if word == "." {
            return Ok(Arg::Dot);
        }
        if let Some(names) = word.strip_prefix('.') {
            return path(Arg::Dot, names, offset);
        }
        if word.starts_with('$') {
            let (name, names) = word.split_once('.').unwrap_or((word, ""));
            if !self.variables.iter().any(|known| known == name) {
                let hint =
                    "there are $labels.name, $value, $externalLabels.name, $externalURL and what the text declares";
                return Err(error(offset, format!("there is no variable {name:?}"), hint));
            }
            let variable = Arg::Variable(name.to_owned());
            return if word.contains('.') { path(variable, names, offset) } else { Ok(variable) };
        }
        let function = function(word, offset)?;
        if function.arguments.0 > 0 {
            let hint = "put it and its arguments into parentheses";
            return Err(error(offset, format!("{word} has no arguments here"), hint));
        }
        let commands = vec![Command::Function(function, Vec::new())];
        Ok(Arg::Pipeline(Pipeline { set: Vec::new(), declares: false, commands }))
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

fn function(name: &str, offset: usize) -> Result<&'static Function, TemplateError> {
    Function::by_name(name).ok_or_else(|| {
        let hint = format!("the functions are {}", Function::names());
        TemplateError { offset, message: format!("there is no function {name:?}"), hint }
    })
}

fn path(inner: Arg, names: &str, offset: usize) -> Result<Arg, TemplateError> {
    let names: Vec<String> = names.split('.').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        return Err(error(offset, "a name is missing after a dot", "write {{ $labels.name }}"));
    }
    Ok(Arg::Path(Box::new(inner), names))
}
