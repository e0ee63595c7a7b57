//! `replace ("a", "b") at f`, `replace_regexp ("(a)", "$1") at f`: a part of a text becomes another.

use std::fmt::Write as _;

use model::field;

use crate::Replace;
use crate::format as text;
use crate::terminals::quote;

/// The canonical text.
pub(super) fn print(replace: &Replace) -> String {
    let name = if replace.regex { "replace_regexp" } else { "replace" };
    let mut out = format!("{name} ({}, {})", quote(&replace.from), quote(&replace.to));
    if replace.field != field::BODY {
        let _ = write!(out, " at {}", text::list_name(&replace.field));
    }
    if let Some(limit) = replace.limit {
        let _ = write!(out, " limit {limit}");
    }
    out + &text::condition(replace.filter.as_ref())
}
