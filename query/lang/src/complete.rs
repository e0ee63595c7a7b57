//! What may stand at the cursor: the language's own words. Fields and values are added by who knows the data.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::highlight::{TokenKind, highlight};
use crate::pipes::{PIPES, stats};
use crate::terminals::is_word_char;
use crate::{FUNCTIONS, Source, filter};

/// What may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completions {
    /// The part of the text, up to the cursor, that a completion replaces.
    pub replace: Range<usize>,
    /// What the data should add.
    pub wanted: Wanted,
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
    let typed = before[start..].to_lowercase();
    let context = Context::new(&before[..start]);
    let (wanted, offered) = context.offer();
    let items = offered.into_iter().filter(|item| item.text.to_lowercase().starts_with(&typed)).collect();
    Completions { replace: start..cursor, wanted, items }
}

/// What stands before the word at the cursor.
struct Context<'t> {
    /// The pieces of the current section, which a `|` starts.
    section: Vec<(&'t str, TokenKind)>,
    /// Whether a `|` stands before the section.
    in_pipe: bool,
    /// Whether the text ends right behind a token, so that the word at the cursor belongs to it.
    adjacent: bool,
    /// Whether a quote is open.
    in_quotes: bool,
}

impl<'t> Context<'t> {
    fn new(before: &'t str) -> Self {
        let tokens: Vec<(&str, TokenKind)> =
            highlight(before).into_iter().map(|(span, kind)| (&before[span], kind)).collect();
        let bar = tokens.iter().rposition(|(text, _)| *text == "|");
        let section = tokens[bar.map_or(0, |at| at + 1)..].to_vec();
        let in_quotes = section.last().is_some_and(|(text, _)| {
            let quote = text.chars().next().filter(|c| "\"'`".contains(*c));
            quote.is_some_and(|quote| text.len() == 1 || !text.ends_with(quote))
        });
        let adjacent = !before.is_empty() && !before.ends_with(char::is_whitespace);
        Self { section, in_pipe: bar.is_some(), adjacent, in_quotes }
    }

    fn last(&self) -> &'t str {
        self.section.last().map_or("", |(text, _)| text)
    }

    fn offer(&self) -> (Wanted, Vec<Completion>) {
        if self.in_quotes {
            return (Wanted::Nothing, Vec::new());
        }
        match self.section.first() {
            None if self.in_pipe => (Wanted::Nothing, pipes()),
            None => (Wanted::Fields, keywords(&["from", "not"])),
            Some((first, _)) if !self.in_pipe && first.eq_ignore_ascii_case("from") && self.section.len() == 1 => {
                (Wanted::Nothing, Source::ALL.map(|s| item(s.as_str(), CompletionKind::Source, "a table")).to_vec())
            }
            Some((first, TokenKind::Pipe)) if self.in_pipe => self.in_pipe_offer(&first.to_ascii_lowercase()),
            Some(_) => self.in_filter_offer(),
        }
    }

    fn in_filter_offer(&self) -> (Wanted, Vec<Completion>) {
        let value_of = match &self.section[..] {
            [.., (name, TokenKind::Field), (":" | "=" | ":=", _)] if self.adjacent => Some(*name),
            [.., (name, TokenKind::Field), (":", _), ("=", _)] if self.adjacent => Some(*name),
            _ => None,
        };
        if let Some(name) = value_of {
            let functions = filter::FUNCTIONS.map(|name| item(&format!("{name}("), CompletionKind::Function, "a test"));
            return (Wanted::Values(name.trim_matches('"').to_owned()), functions.to_vec());
        }
        match self.last() {
            "(" | "!" | "-" => (Wanted::Fields, keywords(&["not"])),
            last if filter::is_keyword(last) => (Wanted::Fields, keywords(&["not"])),
            _ => (Wanted::Fields, keywords(&["and", "or", "not"])),
        }
    }

    fn in_pipe_offer(&self, pipe: &str) -> (Wanted, Vec<Completion>) {
        let inside = self.is_inside_parentheses();
        match pipe {
            "where" | "filter" => self.in_filter_offer(),
            "stats" if inside => (Wanted::Fields, Vec::new()),
            "stats" if self.last() == ")" && self.section.get(1).is_some_and(|(text, _)| *text != "by") => {
                (Wanted::Nothing, keywords(&["as", "if", "by"]))
            }
            "stats" => {
                let by = if self.section.len() == 1 { keywords(&["by"]) } else { Vec::new() };
                (Wanted::Nothing, by.into_iter().chain(aggregates()).collect())
            }
            "sort" | "order" if inside && self.last() != "(" && self.last() != "," => {
                (Wanted::Nothing, keywords(&["desc", "asc"]))
            }
            "sort" | "order" | "top" | "rare" | "uniq" if !inside => (Wanted::Fields, keywords(&["by"])),
            "limit" | "head" | "offset" | "skip" => (Wanted::Nothing, Vec::new()),
            "rename" | "mv" if self.section.len() % 4 == 2 => (Wanted::Nothing, keywords(&["as"])),
            "eval" | "math" => (Wanted::Fields, scalar_functions()),
            _ => (Wanted::Fields, Vec::new()),
        }
    }

    fn is_inside_parentheses(&self) -> bool {
        let count = |wanted: &str| self.section.iter().filter(|(text, _)| *text == wanted).count();
        count("(") > count(")")
    }
}

fn item(text: &str, kind: CompletionKind, detail: &str) -> Completion {
    Completion { text: text.to_owned(), kind, detail: detail.to_owned() }
}

fn keywords(words: &[&str]) -> Vec<Completion> {
    words.iter().map(|word| item(word, CompletionKind::Keyword, "")).collect()
}

fn pipes() -> Vec<Completion> {
    PIPES.iter().map(|spec| item(spec.names[0], CompletionKind::Pipe, spec.syntax)).collect()
}

fn aggregates() -> impl Iterator<Item = Completion> {
    stats::FUNCTIONS.into_iter().map(|name| item(&format!("{name}("), CompletionKind::Function, "of a group"))
}

/// The functions of expressions.
fn scalar_functions() -> Vec<Completion> {
    FUNCTIONS.iter().map(|spec| item(&format!("{}(", spec.name), CompletionKind::Function, &spec.signature())).collect()
}
