//! `fill a, b with 0`: rows for the buckets of time that have none.

use crate::format as text;
use crate::{Fill, FillWith};

/// The canonical text.
pub(super) fn print(fill: &Fill) -> String {
    let fields = if fill.fields.is_empty() { String::new() } else { format!(" {}", text::list(&fill.fields)) };
    let with = match fill.with {
        FillWith::Number(n) => n.to_string(),
        FillWith::Previous => "previous".to_owned(),
        FillWith::Linear => "linear".to_owned(),
    };
    format!("fill{fields} with {with}")
}
