//! `where filter`, also `filter filter`: rows for which the filter holds. After `stats` its fields are the computed columns.
//! The name may be left out where the filter cannot be mistaken for a pipe: `... | status:>=500`.

use crate::parser::Parser;
use crate::{Diagnostic, PipeKind};

pub(super) fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let name_end = p.at;
    if p.at_end() || p.peek() == Some('|') {
        p.report(
            Diagnostic::error(name_end..name_end, "a filter is missing after `where`").hint("for example where n > 20"),
        );
        return None;
    }
    let outer = std::mem::replace(&mut p.over_columns, true);
    let filter = crate::filter::filter(p);
    p.over_columns = outer;
    Some(vec![PipeKind::Where(filter)])
}
