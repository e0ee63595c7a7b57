//! `unroll by (a, b)`: a row for each value of a JSON array.

use crate::format as text;

/// The canonical text.
pub(super) fn print(by: &[String]) -> String {
    format!("unroll by ({})", text::list(by))
}
