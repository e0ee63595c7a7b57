//! `union (query)`: the rows, then those of another query.

use crate::Query;
use crate::format as text;

/// The canonical text.
pub(super) fn print(query: &Query) -> String {
    format!("union ({})", text::format_subquery(query))
}
