//! `diff previous`: what is different in this window of time.

use crate::format as text;
use crate::terminals::quote;
use crate::{Diff, DiffAgainst};

/// The canonical text.
pub(super) fn print(diff: &Diff) -> String {
    let by = if diff.by.is_empty() { String::new() } else { format!(" by ({})", text::list(&diff.by)) };
    match &diff.against {
        DiffAgainst::Previous => format!("diff previous{by}"),
        DiffAgainst::Ago(ns) => format!("diff {} ago{by}", text::duration(*ns)),
        DiffAgainst::Range(range) => {
            let time = |time: model::Timestamp| quote(&time.to_string());
            format!("diff {}..{}{by}", time(range.start), time(range.end))
        }
    }
}
