//! `dedup n by (a, b)`: the first rows of each combination of values.

use crate::Dedup;
use crate::format as text;

/// The canonical text.
pub(super) fn print(dedup: &Dedup) -> String {
    format!("dedup {} by ({})", dedup.keep, text::list(&dedup.by))
}
