//! What may stand at the cursor: the language's own words. Fields and values are added by who knows the data.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::highlight::{TokenKind, highlight};
use crate::pipes::{self, PIPES};
use crate::terminals::is_word_char;
use crate::{FUNCTIONS, FunctionSpec, Source, filter};

/// What may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completions {
    /// The part of the text, up to the cursor, that a completion replaces.
    pub replace: Range<usize>,
    /// What the data should add.
    pub wanted: Wanted,
    /// The table whose fields and values those are: that of the query around the cursor, which may be one in parentheses.
    pub source: Source,
    /// Words of the language that start as the text does.
    pub items: Vec<Completion>,
}

/// What the data should add to completions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// Names of fields.
    Fields,
    /// Values of this field.
    Values(String),
}

/// One word that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// What is put in.
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// How it is used.
    pub detail: String,
}

/// What a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompletionKind {
    /// A keyword.
    Keyword,
    /// A pipe.
    Pipe,
    /// A function.
    Function,
    /// A table.
    Source,
}

/// What may stand at the cursor, given the text before it. The cursor is in bytes; one past the end or inside a character
/// is moved back.
pub fn complete(text: &str, cursor: usize) -> Completions {
    let cursor = (0..=cursor.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..cursor];
    let start = before.char_indices().rev().take_while(|(_, c)| is_word_char(*c)).last().map_or(cursor, |(at, _)| at);
    let at = At::new(&before[..start]);
    let source = at.source;
    // A value between quotes is replaced whole, whatever spaces are in it.
    let start = at.open_quote.map_or(start, |quote| quote + 1);
    let typed = before[start..].to_lowercase();
    let Offer { wanted, items } = at.offer();
    let items = items.into_iter().filter(|item| item.text.to_lowercase().starts_with(&typed)).collect();
    Completions { replace: start..cursor, wanted, source, items }
}

/// What may stand somewhere: words of the language, and what the data should add.
pub(crate) struct Offer {
    wanted: Wanted,
    items: Vec<Completion>,
}

impl Offer {
    /// Nothing that can be known: a number, a new name.
    pub(crate) fn nothing() -> Self {
        Self { wanted: Wanted::Nothing, items: Vec::new() }
    }

    /// A field.
    pub(crate) fn fields() -> Self {
        Self { wanted: Wanted::Fields, items: Vec::new() }
    }

    /// One of these words.
    pub(crate) fn keywords(words: &[&str]) -> Self {
        let items = words.iter().map(|word| item(word, CompletionKind::Keyword, "")).collect();
        Self { wanted: Wanted::Nothing, items }
    }

    /// A call of one of these functions, by name and syntax.
    pub(crate) fn functions<'s>(functions: impl Iterator<Item = (&'s str, &'s str)>) -> Self {
        let call = |(name, syntax): (&str, &str)| item(&format!("{name}("), CompletionKind::Function, syntax);
        Self { wanted: Wanted::Nothing, items: functions.map(call).collect() }
    }

    /// An expression.
    pub(crate) fn expression() -> Self {
        let call = |spec: &FunctionSpec| item(&format!("{}(", spec.name), CompletionKind::Function, &spec.signature());
        Self { wanted: Wanted::Fields, items: FUNCTIONS.iter().map(call).collect() }
    }

    /// This, or one of these words.
    pub(crate) fn and_keywords(self, words: &[&str]) -> Self {
        self.and(Self::keywords(words))
    }

    /// This, or what the other offers.
    pub(crate) fn and(mut self, other: Offer) -> Self {
        if self.wanted == Wanted::Nothing {
            self.wanted = other.wanted;
        }
        self.items.extend(other.items);
        self
    }
}

/// What stands before the word at the cursor.
pub(crate) struct At<'t> {
    /// The pieces of the current section, which a `|` starts; in a pipe the first one is its name.
    section: Vec<(&'t str, TokenKind)>,
    /// Whether a `|` stands before the section.
    in_pipe: bool,
    /// Whether the text ends right behind a token, so that the word at the cursor belongs to it.
    adjacent: bool,
    /// Where the quote is that is open.
    open_quote: Option<usize>,
    /// The table that is read here.
    source: Source,
}

impl<'t> At<'t> {
    fn new(before: &'t str) -> Self {
        let spans = highlight(before);
        let tokens: Vec<(&str, TokenKind)> = spans.iter().map(|(span, kind)| (&before[span.clone()], *kind)).collect();
        let bar = tokens.iter().rposition(|(text, _)| *text == "|");
        let section = tokens[bar.map_or(0, |at| at + 1)..].to_vec();
        let open_quote = spans.last().map(|(span, _)| span.start).filter(|start| {
            let text = &before[*start..];
            let quote = text.chars().next().filter(|c| "\"'`".contains(*c));
            quote.is_some_and(|quote| text.len() == 1 || !text.ends_with(quote))
        });
        let adjacent = !before.is_empty() && !before.ends_with(char::is_whitespace);
        Self { section, in_pipe: bar.is_some(), adjacent, open_quote, source: source(&tokens) }
    }

    /// The pieces after the pipe's name.
    pub(crate) fn words(&self) -> Vec<&'t str> {
        self.section.iter().skip(usize::from(self.in_pipe)).map(|(text, _)| *text).collect()
    }

    /// The last piece; empty right behind the pipe's name.
    pub(crate) fn last(&self) -> &'t str {
        self.words().last().copied().unwrap_or_default()
    }

    /// Whether a parenthesis is open.
    pub(crate) fn inside(&self) -> bool {
        self.innermost().is_some()
    }

    /// Whether the innermost open parenthesis stands behind this word.
    pub(crate) fn inside_call(&self, name: &str) -> bool {
        let before = self.innermost().and_then(|open| self.section.get(open.checked_sub(1)?));
        before.is_some_and(|(text, _)| text.eq_ignore_ascii_case(name))
    }

    /// Whether the last `)` closes a call of a function, or its `if (...)`.
    pub(crate) fn has_call(&self) -> bool {
        let mut open = 0usize;
        for (at, (text, _)) in self.section.iter().enumerate().rev() {
            match *text {
                ")" => open += 1,
                "(" => open = open.saturating_sub(1),
                _ => {}
            }
            if open == 0 {
                let before = at.checked_sub(1).map(|before| self.section[before]);
                return before.is_some_and(|(text, kind)| kind == TokenKind::Function || text == "if");
            }
        }
        false
    }

    /// Where the innermost open parenthesis is.
    fn innermost(&self) -> Option<usize> {
        let mut closed = 0usize;
        for (at, (text, _)) in self.section.iter().enumerate().rev() {
            match *text {
                ")" => closed += 1,
                "(" if closed == 0 => return Some(at),
                "(" => closed -= 1,
                _ => {}
            }
        }
        None
    }

    fn offer(&self) -> Offer {
        if self.open_quote.is_some() {
            return self.quoted_value();
        }
        if self.after_from() {
            return sources();
        }
        match self.section.first() {
            None if self.in_pipe => pipes(),
            None => Offer::fields().and_keywords(&["from", "not"]),
            Some((name, TokenKind::Pipe)) if self.in_pipe => match pipes::find(name) {
                Some(spec) => (spec.complete)(self),
                None => Offer::nothing(),
            },
            Some(_) => self.filter(),
        }
    }

    /// What may stand between quotes: the value of the field before them.
    fn quoted_value(&self) -> Offer {
        let before = &self.section[..self.section.len().saturating_sub(1)];
        let name = match before {
            [.., (name, TokenKind::Field), (":" | "=" | "!=" | ":=", _)] => Some(*name),
            [.., (name, TokenKind::Field), (":", _), ("=", _)] => Some(*name),
            [.., (name, TokenKind::Field), (":", _), ("in", TokenKind::Function), ("(", _)] => Some(*name),
            _ => None,
        };
        match name {
            Some(name) => Offer { wanted: Wanted::Values(name.trim_matches('"').to_owned()), items: Vec::new() },
            None => Offer::nothing(),
        }
    }

    /// Whether the name of a table comes: after a `from` that starts a query.
    fn after_from(&self) -> bool {
        let starts = |before: Option<&(&str, TokenKind)>| match before {
            None => !self.in_pipe,
            Some((text, _)) => *text == "(",
        };
        match &self.section[..] {
            [before @ .., (from, TokenKind::Keyword)] if from.eq_ignore_ascii_case("from") => starts(before.last()),
            _ => false,
        }
    }

    /// What may stand in a filter.
    pub(crate) fn filter(&self) -> Offer {
        if let Some(name) = self.value_of() {
            let wanted = Wanted::Values(name.trim_matches('"').to_owned());
            let functions = filter::FILTERS.iter().filter(|spec| spec.is_function);
            let items = Offer::functions(functions.map(|spec| (spec.names[0], spec.syntax))).items;
            return Offer { wanted, items: if self.adjacent && self.last() == ":" { items } else { Vec::new() } };
        }
        match self.last() {
            "(" | "!" | "-" | "" => Offer::fields().and_keywords(&["not"]),
            last if filter::is_keyword(last) => Offer::fields().and_keywords(&["not"]),
            _ => Offer::fields().and_keywords(&["and", "or", "not"]),
        }
    }

    /// The field whose value comes: behind `field:`, `field:=`, and in the list of `field:in(`.
    fn value_of(&self) -> Option<&'t str> {
        match &self.section[..] {
            [.., (name, TokenKind::Field), (":" | "=" | ":=" | ">" | ">=" | "<" | "<=", _)] if self.adjacent => {
                Some(name)
            }
            [.., (name, TokenKind::Field), (":", _), ("=" | ">" | ">=" | "<" | "<=", _)] if self.adjacent => Some(name),
            section if self.inside_call("in") && matches!(self.last(), "(" | ",") => {
                let call = self.innermost()?.checked_sub(3)?;
                section.get(call).filter(|(_, kind)| *kind == TokenKind::Field).map(|(name, _)| *name)
            }
            _ => None,
        }
    }
}

/// The table of the query around the end: what the last `from` that is not closed says.
fn source(tokens: &[(&str, TokenKind)]) -> Source {
    let mut closed = 0usize;
    for (at, (text, kind)) in tokens.iter().enumerate().rev() {
        let before = at.checked_sub(1).map(|before| tokens[before]);
        match *text {
            ")" => closed += 1,
            "(" if closed > 0 => closed -= 1,
            // A query in parentheses that does not say its table reads logs.
            "(" if starts_query(tokens, at) => return Source::Logs,
            name if closed == 0 && *kind == TokenKind::Keyword => match (before, Source::parse(&name.to_lowercase())) {
                (Some((from, TokenKind::Keyword)), Some(source)) if from.eq_ignore_ascii_case("from") => return source,
                _ => {}
            },
            _ => {}
        }
    }
    Source::Logs
}

/// Whether a parenthesis opens the query of `union` or `join`.
fn starts_query(tokens: &[(&str, TokenKind)], open: usize) -> bool {
    let section = tokens[..open].iter().rposition(|(text, _)| *text == "|").map_or(0, |bar| bar + 1);
    let pipe = tokens.get(section).map_or("", |(text, _)| *text);
    let keys = open.checked_sub(1).is_some_and(|at| ["by", "on", "if", "in"].contains(&tokens[at].0));
    ["union", "join"].contains(&pipe) && section < open && !keys
}

fn item(text: &str, kind: CompletionKind, detail: &str) -> Completion {
    Completion { text: text.to_owned(), kind, detail: detail.to_owned() }
}

fn sources() -> Offer {
    let mut offer = Offer::nothing();
    offer.items = Source::ALL.map(|s| item(s.as_str(), CompletionKind::Source, s.summary())).to_vec();
    offer.items.push(item("promql(", CompletionKind::Source, "the answer of a PromQL query"));
    offer
}

fn pipes() -> Offer {
    let mut offer = Offer::nothing();
    let canonical = PIPES.iter().filter(|spec| spec.alias_of.is_none());
    offer.items = canonical.map(|spec| item(spec.names[0], CompletionKind::Pipe, spec.syntax)).collect();
    offer
}
