//! `parse json from f prefix p`: fields out of a text.

use std::fmt::Write as _;

use model::field;

use crate::format as text;
use crate::terminals::quote;
use crate::{ParseFormat, ParsePipe};

/// The canonical text.
pub(super) fn print(parse: &ParsePipe) -> String {
    let mut out = match &parse.format {
        ParseFormat::Regex(regex) => format!("parse regex {}", quote(regex)),
        ParseFormat::Pattern(pattern) => format!("parse pattern {}", quote(pattern)),
        ParseFormat::Csv(names) => format!("parse csv({})", text::list(names)),
        ParseFormat::Kv { separator: Some(separator) } => format!("parse kv {}", quote(separator)),
        plain => format!("parse {}", plain.as_str()),
    };
    if parse.from != field::BODY {
        let _ = write!(out, " from {}", text::list_name(&parse.from));
    }
    if !parse.prefix.is_empty() {
        let _ = write!(out, " prefix {}", text::list_name(&parse.prefix));
    }
    if parse.keep {
        out.push_str(" keep");
    }
    out + &text::condition(parse.filter.as_ref())
}
