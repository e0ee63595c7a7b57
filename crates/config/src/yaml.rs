//! From a place in a YAML value to a place in its file, and the mistakes that a reader of a file collects. The readers of rules,
//! playbooks and services use it.

use serde_saphyr::Spanned;

use crate::{Problem, QueryProblem};

/// Makes [`Problem`]s for one file.
#[derive(Clone, Copy, Debug)]
pub struct Mapper<'a> {
    /// The file's name.
    pub file: &'a str,
    /// The file's text.
    pub text: &'a str,
}

impl Mapper<'_> {
    /// A problem with a whole value.
    pub fn problem<T>(&self, at: &Spanned<T>, message: impl Into<String>, hint: Option<String>) -> Problem {
        let (line, column) = (at.defined.line(), at.defined.column());
        Problem { file: self.file.to_owned(), line, column, message: message.into(), hint }
    }

    /// A problem at a byte offset inside a text value, also in quoted and block scalars.
    pub fn problem_inside(
        &self,
        at: &Spanned<String>,
        offset: usize,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Problem {
        let (line, column) = self.locate(at, offset);
        Problem { file: self.file.to_owned(), line, column, message: message.into(), hint }
    }

    /// Where the character at `offset` of the value stands in the file. YAML folds, unescapes and strips indentation, but it does not
    /// change other characters than white space: so the place is found by walking both and skipping white space.
    fn locate(&self, at: &Spanned<String>, offset: usize) -> (u64, u64) {
        let (line, column) = (at.defined.line(), at.defined.column());
        let mut walk = Walk::new(self.text, line, column);
        let Some(style) = walk.enter_scalar() else { return (line, column) };
        let before = at.value.get(..offset).unwrap_or(&at.value);
        let wanted = before.chars().filter(|c| !c.is_whitespace()).count();
        for _ in 0..wanted {
            walk.skip_blank(style);
            walk.step();
        }
        // At the end of the value the place is right behind its last character, not at whatever follows.
        if offset < at.value.len() {
            walk.skip_blank(style);
        }
        (walk.line, walk.column)
    }
}

/// The mistakes of one file, as its reader finds them.
#[derive(Clone, Debug)]
pub struct Problems<'a> {
    /// Where values stand.
    pub mapper: Mapper<'a>,
    /// What was found so far.
    pub found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    /// None yet.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        Self { mapper: Mapper { file, text }, found: Vec::new() }
    }

    /// A mistake with a whole value.
    pub fn say<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, hint: impl Into<String>) {
        self.found.push(self.mapper.problem(at, message, Some(hint.into())));
    }

    /// A mistake inside a text, such as a query.
    pub fn say_inside(&mut self, at: &Spanned<String>, found: QueryProblem) {
        self.found.push(self.mapper.problem_inside(at, found.offset, found.message, found.hint));
    }

    /// A duration in nanoseconds, where the file has one; `0` needs no unit. One that is none is a mistake.
    pub fn duration(&mut self, text: Option<&Spanned<String>>) -> Option<i64> {
        let text = text?;
        let parsed = if text.value == "0" { Some(0) } else { model::parse_duration_ns(&text.value) };
        if parsed.is_none() {
            self.say(text, format!("{:?} is not a duration", text.value), "write 30s, 5m, 1h30m or 1d");
        }
        parsed
    }
}

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Block,
    Single,
    Double,
}

struct Walk<'a> {
    rest: &'a str,
    line: u64,
    column: u64,
}

impl<'a> Walk<'a> {
    /// Goes to a line and column; the end of the text when there is no such place.
    fn new(text: &'a str, line: u64, column: u64) -> Self {
        let mut walk = Walk { rest: text, line: 1, column: 1 };
        while !walk.rest.is_empty() && (walk.line < line || (walk.line == line && walk.column < column)) {
            walk.step();
        }
        walk
    }

    fn step(&mut self) {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some('\n') => (self.line, self.column) = (self.line + 1, 1),
            Some(_) => self.column += 1,
            None => {}
        }
        self.rest = chars.as_str();
    }

    /// Goes to the first character of the contents; `None` at the end of the text.
    fn enter_scalar(&mut self) -> Option<Style> {
        match self.rest.chars().next()? {
            '|' | '>' => {
                let header = self.line;
                while self.line == header && !self.rest.is_empty() {
                    self.step();
                }
                Some(Style::Block)
            }
            '\'' => {
                self.step();
                Some(Style::Single)
            }
            '"' => {
                self.step();
                Some(Style::Double)
            }
            _ => Some(Style::Plain),
        }
    }

    /// Skips what does not stand for a visible character of the value.
    fn skip_blank(&mut self, style: Style) {
        loop {
            let mut chars = self.rest.chars();
            match (chars.next(), chars.next()) {
                (Some(c), _) if c.is_whitespace() => self.step(),
                (Some('\\'), Some('n' | 't' | 'r' | ' ' | '\n')) if style == Style::Double => {
                    self.step();
                    self.step();
                }
                (Some('\\'), Some(_)) if style == Style::Double => return self.step(),
                (Some('\''), Some('\'')) if style == Style::Single => return self.step(),
                _ => return,
            }
        }
    }
}

/// The problem that the YAML parser or serde reports for a whole file.
pub fn yaml_problem(file: &str, error: &serde_saphyr::Error) -> Problem {
    let location = error.location();
    let message = error.without_snippet().to_string();
    // The location has its own place in a problem.
    let message = match message.rfind(" at line ") {
        Some(at) if location.is_some() => message[..at].to_owned(),
        _ => message,
    };
    let message = message.trim_start_matches(|c: char| c == ':' || c.is_whitespace()).to_owned();
    let hint =
        message.contains("unknown field").then(|| "check the spelling and the indentation of the key".to_owned());
    let (line, column) = location.map_or((1, 1), |location| (location.line(), location.column()));
    Problem { file: file.to_owned(), line, column, message, hint }
}
