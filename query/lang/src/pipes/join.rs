//! `join by (a) (query) prefix p`: fields of the rows of another query.

use std::fmt::Write as _;

use crate::format as text;
use crate::{Join, JoinKind, WithinSide};

/// The canonical text.
pub(super) fn print(join: &Join) -> String {
    let mut out = String::from("join");
    if join.kind == JoinKind::Inner {
        out.push_str(" inner");
    }
    out.push_str(&print_keys(&join.on));
    if let Some(within) = &join.within {
        let side = if within.side == WithinSide::After { " after" } else { "" };
        let _ = write!(out, " within {}{side}", text::duration(within.ns));
    }
    let _ = write!(out, " ({})", text::format_subquery(&join.query));
    if !join.prefix.is_empty() {
        let _ = write!(out, " prefix {}", text::list_name(&join.prefix));
    }
    out
}

/// ` by (a, b)` where the names are the same on both sides, else ` on (a = x, b)`.
pub(super) fn print_keys(on: &[(String, String)]) -> String {
    let one = |(left, right): &(String, String)| match left == right {
        true => text::list_name(left),
        false => format!("{} = {}", text::list_name(left), text::list_name(right)),
    };
    let keys = on.iter().map(one).collect::<Vec<_>>().join(", ");
    match on {
        [] => String::new(),
        on if on.iter().all(|(left, right)| left == right) => format!(" by ({keys})"),
        _ => format!(" on ({keys})"),
    }
}
