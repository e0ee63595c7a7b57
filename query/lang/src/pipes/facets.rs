//! `facets n f, g`: the most frequent values of each field.

use crate::Facets;
use crate::format as text;

/// The canonical text.
pub(super) fn print(facets: &Facets) -> String {
    let fields = if facets.fields.is_empty() { String::new() } else { format!(" {}", text::list(&facets.fields)) };
    format!("facets {}{fields}", facets.limit)
}
