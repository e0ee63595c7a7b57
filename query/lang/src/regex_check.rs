//! Regular expressions are checked while the query is parsed, so that the error is under the expression and not in a log.

use std::ops::Range;

use regex_syntax::hir::{Hir, HirKind};

use crate::Diagnostic;
use crate::limits::{NESTING_MAX, REGEX_BYTES_MAX, REGEX_EXPANDED_MAX};
use crate::parser::Parser;

/// Reports what is wrong with an expression, and says what its groups are called; `None` when something is wrong.
pub(crate) fn check_and_name(p: &mut Parser<'_>, pattern: &str, span: &Range<usize>) -> Option<Vec<Option<String>>> {
    let before = p.diagnostics.len();
    check(p, pattern, span);
    if p.diagnostics.len() > before {
        return None;
    }
    let mut names = Vec::new();
    collect_names(&regex_syntax::parse(pattern).ok()?, &mut names);
    Some(names)
}

fn collect_names(hir: &Hir, names: &mut Vec<Option<String>>) {
    match hir.kind() {
        HirKind::Capture(capture) => {
            names.push(capture.name.as_deref().map(str::to_owned));
            collect_names(&capture.sub, names);
        }
        HirKind::Repetition(repetition) => collect_names(&repetition.sub, names),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| collect_names(part, names))
        }
        _ => {}
    }
}

/// Reports what is wrong with an expression; the span is that of its quoted or bare text in the query.
pub(crate) fn check(p: &mut Parser<'_>, pattern: &str, span: &Range<usize>) {
    if pattern.len() > REGEX_BYTES_MAX {
        let message = format!(
            "the regular expression has {} bytes, the limit is {REGEX_BYTES_MAX} (REGEX_BYTES_MAX)",
            pattern.len()
        );
        p.report(Diagnostic::error(span.clone(), message).hint("split it into several tests joined with `or`"));
        return;
    }
    let parsed = regex_syntax::ParserBuilder::new().nest_limit(NESTING_MAX as u32).build().parse(pattern);
    let (inside, message) = match parsed {
        Ok(hir) => {
            let size = expanded(&hir);
            if size > REGEX_EXPANDED_MAX {
                let message = format!(
                    "the regular expression grows to {size} pieces when its repetitions are written out, the limit is \
                     {REGEX_EXPANDED_MAX} (REGEX_EXPANDED_MAX)"
                );
                p.report(Diagnostic::error(span.clone(), message).hint("use smaller counts in {...}"));
            }
            return;
        }
        Err(regex_syntax::Error::Parse(error)) => (offsets(error.span()), error.kind().to_string()),
        Err(regex_syntax::Error::Translate(error)) => (offsets(error.span()), error.kind().to_string()),
        Err(other) => (0..pattern.len(), other.to_string()),
    };
    let place = p.inside_quoted(span, &inside);
    p.report(Diagnostic::error(place, format!("bad regular expression: {message}")).hint(
        match p.text[..span.start].trim_end().ends_with('~') {
            true => "escape a special character with a backslash, or search for the \"text\" without ~",
            false => "escape a special character with a backslash",
        },
    ));
}

fn offsets(span: &regex_syntax::ast::Span) -> Range<usize> {
    span.start.offset..span.end.offset
}

/// Characters and classes after repetitions are written out. The depth is bounded by the parser's nest limit.
fn expanded(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(_) => 1,
        HirKind::Capture(capture) => expanded(&capture.sub),
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min).max(1));
            expanded(&repetition.sub).saturating_mul(times)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(expanded).fold(0, u64::saturating_add),
    }
}
