//! `patterns by (f) limit n`: the templates of the bodies.

use crate::Patterns;
use crate::format as text;

/// The canonical text.
pub(super) fn print(patterns: &Patterns) -> String {
    let by = if patterns.by.is_empty() { String::new() } else { format!(" by ({})", text::list(&patterns.by)) };
    format!("patterns{by} limit {}", patterns.limit)
}
