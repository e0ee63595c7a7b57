//! Which part of a query is what, for colouring: by-product of the parser, so that the editor and the parser never disagree.

use std::ops::Range;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::query;

/// What a part of a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// `and`, `or`, `not`, `by`, `as`, `from`, `desc`, ...
    Keyword,
    /// A field's name.
    Field,
    /// `:`, `=`, `!`, `(`, `|`, ...
    Operator,
    /// A word or a phrase that is searched for.
    String,
    /// A number, a time or a duration.
    Number,
    /// A regular expression.
    Regex,
    /// The name of a pipe.
    Pipe,
    /// The name of a function.
    Function,
    /// A remark of the author: `# text` to the end of the line.
    Comment,
    /// What could not be read.
    Error,
}

/// The parts of a query in order, without overlap; what lies between is space. A part about which the parser reports an
/// error is [`TokenKind::Error`] when nothing else is known of it.
pub fn highlight(text: &str) -> Vec<(Range<usize>, TokenKind)> {
    let parser = query::run(text, Timestamp(0)).1;
    let mut tokens = parser.tokens;
    tokens.sort_by_key(|(span, _)| (span.start, span.end));
    let mut out: Vec<(Range<usize>, TokenKind)> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    for (span, kind) in tokens {
        if span.start < at {
            continue;
        }
        push_unread(text, at..span.start, &mut out);
        at = span.end;
        out.push((span, kind));
    }
    push_unread(text, at..text.len(), &mut out);
    out
}

/// Text that no part of the grammar took, space aside.
fn push_unread(text: &str, gap: Range<usize>, out: &mut Vec<(Range<usize>, TokenKind)>) {
    let unread = &text[gap.clone()];
    let start = gap.start + (unread.len() - unread.trim_start().len());
    let trimmed = unread.trim();
    if !trimmed.is_empty() {
        out.push((start..start + trimmed.len(), TokenKind::Error));
    }
}
