//! Words of severity: `severity` has six values, so a slip in one of them is known to find nothing.

use std::ops::Range;

use model::{Severity, field};

use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::{Diagnostic, FieldName};

/// The word to search for: in `severity`, the name of the severity that the word means (`warning` is WARN). A word that
/// means none is reported; in a field called `level`, which is the sender's own, as a warning.
pub(crate) fn checked(p: &mut Parser<'_>, field: &FieldName, word: String, span: &Range<usize>) -> String {
    let FieldName::Named(name) = field else { return word };
    let builtin = name == field::SEVERITY;
    if !builtin && name != "level" {
        return word;
    }
    match Severity::from_text(&word) {
        Some(severity) if builtin => severity.as_str().to_owned(),
        Some(_) => word,
        None => {
            if builtin || suggestion(&word).is_some() {
                report(p, &word, span, builtin);
            }
            word
        }
    }
}

/// Reports a text that `severity` never is.
pub(super) fn check_exact(p: &mut Parser<'_>, field: &FieldName, text: &str, span: &Range<usize>) {
    let builtin = matches!(field, FieldName::Named(name) if name == field::SEVERITY);
    if !builtin || Severity::ALL.iter().any(|severity| severity.as_str() == text) {
        return;
    }
    match Severity::from_text(text) {
        Some(severity) => p.report(
            Diagnostic::error(span.clone(), format!("`severity` is never exactly `{}`", shorten(text)))
                .hint(format!("write {severity}")),
        ),
        None => report(p, text, span, true),
    }
}

fn suggestion(word: &str) -> Option<&'static str> {
    nearest(word, Severity::ALL.map(Severity::as_str))
}

fn report(p: &mut Parser<'_>, word: &str, span: &Range<usize>, builtin: bool) {
    let message = format!("unknown severity `{}`", shorten(word));
    let hint = match suggestion(word) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("severities are {}", Severity::ALL.map(Severity::as_str).join(", ")),
    };
    let diagnostic =
        if builtin { Diagnostic::error(span.clone(), message) } else { Diagnostic::warning(span.clone(), message) };
    p.report(diagnostic.hint(hint));
}
