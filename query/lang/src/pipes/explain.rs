//! `explain`: the plan of everything before it.

use super::PipeSpec;
use crate::PipeKind;
use crate::complete::Offer;

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["explain"],
    alias_of: None,
    syntax: "explain",
    summary: "shows the plan in place of the rows",
    doc: "The plan of everything before it, a row for each line, in the column `plan`. Nothing is read. It is the last pipe.",
    examples: &["error | stats by (service.name) count() as n | explain"],
    parse: |_| Some(vec![PipeKind::Explain]),
    complete: |_| Offer::nothing(),
};

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::{check, check_diagnostics};

    #[test]
    fn it_comes_last() {
        check(
            "error | explain",
            expect![[r#"
            error | explain
                error | explain
        "#]],
        );
        check_diagnostics(
            "error | explain | limit 5",
            expect![[r#"
            error: nothing can stand after `explain`
             1 | error | explain | limit 5
               |                   ^^^^^^^
               = put `explain` at the end of the query
             => error | explain

        "#]],
        );
    }
}
