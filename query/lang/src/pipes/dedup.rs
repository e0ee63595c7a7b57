//! `dedup n by (a, b)`: the first rows of each combination of values.

use super::{PipeSpec, by_names, optional_rows};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{Dedup, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["dedup"],
    alias_of: None,
    syntax: "dedup [n] by (a, b)",
    summary: "keeps the first rows of each value",
    doc: "Of the rows that have the same values in these fields the first n in the order of rows, one without a number. Rows \
          stay whole and in order, so after `sort` or a search for records, which comes newest first, it keeps the newest. A \
          missing field counts as empty.",
    examples: &["error | dedup by (service.name)", "error | sort by (_time) | dedup 3 by (service.name, host.name)"],
    parse,
    complete: |at| if at.inside() { Offer::fields() } else { Offer::fields().and_keywords(&["by"]) },
};

const HINT: &str = "for example dedup by (service.name)";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let keep = optional_rows(p, 1, "dedup 3 by (service.name)")?;
    let by = by_names(p, HINT)?;
    Some(vec![PipeKind::Dedup(Dedup { by, keep })])
}

/// The canonical text.
pub(super) fn print(dedup: &Dedup) -> String {
    format!("dedup {} by ({})", dedup.keep, text::list(&dedup.by))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn rows() {
        check(
            r#"
            * | dedup by (a, b)
            * | dedup 3 by (a)
            * | dedup a, b
            "#,
            expect![[r#"
                * | dedup by (a, b)
                    * | dedup 1 by (a, b)
                * | dedup 3 by (a)
                    * | dedup 3 by (a)
                * | dedup a, b
                    * | dedup 1 by (a, b)
            "#]],
        );
    }
}
