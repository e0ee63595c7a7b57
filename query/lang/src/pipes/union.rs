//! `union (query)`: the rows, then those of another query.

use super::PipeSpec;
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{PipeKind, Query};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["union"],
    alias_of: None,
    syntax: "union (query)",
    summary: "adds the rows of another query",
    doc: "First the rows of this query, then those of the other one, which has its own table, filter and pipes and is run over \
          the same time range unless it says a `_time` itself. Columns of one name are one column. Sort behind it for one \
          order.",
    examples: &[
        "severity:ERROR | union (from changes) | sort by (_time) | fields _time, service.name, body, kind",
        "error | stats count() as n | eval day = 1 | union (error _time:1d offset 1d | stats count() as n | eval day = 2)",
    ],
    parse,
    complete: |at| if at.last() == "(" { Offer::fields().and_keywords(&["from"]) } else { at.filter() },
};

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let query = crate::query::subquery(p, "for example union (from changes | limit 5)")?;
    Some(vec![PipeKind::Union(query)])
}

/// The canonical text.
pub(super) fn print(query: &Query) -> String {
    format!("union ({})", text::format_subquery(query))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn queries() {
        check(
            r#"
            * | union (from changes)
            error | union (warn | union (info | limit 1) | limit 2) | sort by (_time)
            * | union (a or (b c) | where (x:1 or y:2))
            * | union (from promql(`up{job="a"}`, step 30s) | limit 3)
            "#,
            expect![[r#"
                * | union (from changes)
                    * | union (from changes *)
                error | union (warn | union (info | limit 1) | limit 2) | sort by (_time)
                    error | union (from logs warn | union (from logs info | limit 1) | limit 2) | sort by (_time)
                * | union (a or (b c) | where (x:1 or y:2))
                    * | union (from logs a or (b c) | where x:1 or y:2)
                * | union (from promql(`up{job="a"}`, step 30s) | limit 3)
                    * | union (from promql("up{job=\"a\"}", step 30s) * | limit 3)
            "#]],
        );
    }
}
