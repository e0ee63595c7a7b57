//! Mistakes in SQL, at their place in the text.

use std::ops::Range;

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::tokenizer::{Location, Span};
use lang::Diagnostic;

use crate::ExecError;

/// Why a query in SQL has no answer.
#[derive(Debug)]
pub enum SqlError {
    /// The text is no query, or not one over these tables.
    Bad(Vec<Diagnostic>),
    /// It could not be run.
    Failed(ExecError),
}

impl From<ExecError> for SqlError {
    fn from(error: ExecError) -> Self {
        Self::Failed(error)
    }
}

/// The bytes of a text that a place stands for; all of it for no place.
pub(super) fn span_of(text: &str, span: Span) -> Range<usize> {
    match (offset(text, span.start), offset(text, span.end)) {
        (Some(start), Some(end)) if start < end => start..end,
        (Some(start), _) if start < text.len() => start..start + text[start..].chars().next().map_or(0, char::len_utf8),
        _ => 0..text.len(),
    }
}

/// The byte of a line and a column, both counted from one.
fn offset(text: &str, at: Location) -> Option<usize> {
    let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..)?;
    Some(start + rest.chars().take(column).map(char::len_utf8).sum::<usize>())
}

/// A parser's message without the place at its end, and the place.
pub(super) fn place_of(text: &str, message: &str) -> (String, Range<usize>) {
    let message = message.trim_start_matches("sql parser error: ");
    let Some((what, place)) = message.rsplit_once(" at Line: ") else { return (message.to_owned(), 0..text.len()) };
    let location = place.split_once(", Column: ").and_then(|(line, column)| {
        Some(Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
    });
    let span = location.map_or(0..text.len(), |start| word_at(text, span_of(text, Span { start, end: start })));
    (what.to_owned(), span)
}

/// The word that starts at a place.
fn word_at(text: &str, at: Range<usize>) -> Range<usize> {
    let rest = text.get(at.start..).unwrap_or_default();
    let word: usize = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
    at.start..at.end.max(at.start + word)
}

/// An error of planning, as a mistake in the text when it is one.
pub(super) fn planning(text: &str, error: &DataFusionError) -> SqlError {
    let root = error.find_root();
    let message = match root {
        DataFusionError::Plan(message) | DataFusionError::NotImplemented(message) => message.clone(),
        DataFusionError::SchemaError(error, _) => error.to_string(),
        DataFusionError::Execution(message) => message.clone(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        _ => return SqlError::Failed(ExecError::from_datafusion(error)),
    };
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let span = place.map_or(0..text.len(), |place| {
        let at = |place: datafusion::common::Location| Location { line: place.line, column: place.column };
        span_of(text, Span { start: at(place.start), end: at(place.end) })
    });
    let mut lines = message.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or("the query cannot be planned").trim_end_matches('.').to_owned();
    let rest: Vec<&str> = lines.map(str::trim).collect();
    let hint = match rest.split_first() {
        Some((head, candidates)) if head.starts_with("Candidate functions") => {
            format!("it takes {}", candidates.join(" or "))
        }
        Some((hint, _)) => (*hint).to_owned(),
        None => "correct the query at the marked place".to_owned(),
    };
    let (first, hint) = match first.split_once(". Valid fields are ") {
        Some((first, fields)) => (first.to_owned(), format!("the columns are {}", shortened(fields))),
        None => (first, hint),
    };
    SqlError::Bad(vec![Diagnostic::error(span, first).hint(hint)])
}

/// The start of a long text.
fn shortened(text: &str) -> String {
    const HINT_CHARS_MAX: usize = 200;
    let text = text.trim_end_matches('.');
    match text.char_indices().nth(HINT_CHARS_MAX) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}
