//! `context before n after n`: the rows around each row.

use crate::Context;

/// The canonical text.
pub(super) fn print(context: &Context) -> String {
    format!("context before {} after {}", context.before, context.after)
}
