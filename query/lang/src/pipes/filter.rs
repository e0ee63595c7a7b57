//! `where filter`, also `filter filter`: rows for which the filter holds. After `stats` its fields are the computed columns.
//! The name may be left out where the filter cannot be mistaken for a pipe: `... | status:>=500`.

use super::PipeSpec;
use crate::parser::Parser;
use crate::{Diagnostic, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["where", "filter"],
    alias_of: None,
    syntax: "where filter",
    summary: "keeps rows for which a filter holds",
    doc: "Any filter, over the fields of the rows as the pipes before have made them: after `stats` over its columns. Here a \
          name may be compared with spaces around the sign, `n > 20`, `n = 20`, `n != 20`, and a condition may \
          compute: `len(body) > 100`, `took > limit * 2`. The word `where` may be left out \
          where a filter cannot be mistaken for a pipe: `| severity:ERROR`.",
    examples: &[
        "* | stats by (service.name) count() as n | where n > 20",
        "* | where severity:ERROR or http.response.status_code >= 500",
        "* | stats count() as total, count() if (severity:ERROR) as errors | where errors / total > 0.1",
    ],
    parse,
    complete: |at| at.filter(),
};

pub(super) fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let name_end = p.at;
    if p.at_pipe_end() {
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
