//! `unroll by (a, b)`: a row for each value of a JSON array.

use super::{PipeSpec, by_names};
use crate::PipeKind;
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["unroll"],
    alias_of: None,
    syntax: "unroll by (a, b)",
    summary: "makes a row for each value of a JSON array",
    doc: "Each row becomes as many as its longest array has values; the other fields are the same in all. With several fields \
          the first values come together, then the second ones; where an array is shorter the field is missing. A value that \
          is no array counts as an array of itself, an empty array or a missing field leaves one row without it.",
    examples: &["tags:* | unroll by (tags) | stats by (tags) count() as n"],
    parse,
    complete: |at| if at.inside() { Offer::fields() } else { Offer::fields().and_keywords(&["by"]) },
};

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    Some(vec![PipeKind::Unroll(by_names(p, "for example unroll by (tags)")?)])
}

/// The canonical text.
pub(super) fn print(by: &[String]) -> String {
    format!("unroll by ({})", text::list(by))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn arrays() {
        check(
            r#"
            * | unroll by (a, b)
            * | unroll tags
            "#,
            expect![[r#"
                * | unroll by (a, b)
                    * | unroll by (a, b)
                * | unroll tags
                    * | unroll by (tags)
            "#]],
        );
    }
}
