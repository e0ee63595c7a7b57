//! `patterns by (f) limit n`: the templates of the bodies.

use super::{PipeSpec, limit, optional_by};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{Patterns, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["patterns"],
    alias_of: None,
    syntax: "patterns [by (a)] [limit n]",
    summary: "the templates of the bodies, with counts",
    doc: "Bodies that differ only in numbers, ids and other values have one template. A row for each, the most frequent first, \
          50 without a limit. Columns: the fields of `by`, `_pattern` (its stable id, which can be filtered for), `template`, \
          `count`, `share` (of all rows, 0 to 1), `first_seen`, `last_seen`, `example`.",
    examples: &["severity:ERROR | patterns", "* | patterns by (service.name) limit 20"],
    parse,
    complete: |at| match at.last() {
        "" => Offer::keywords(&["by", "limit"]),
        ")" => Offer::keywords(&["limit"]),
        "limit" => Offer::nothing(),
        _ => Offer::fields(),
    },
};

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let by = optional_by(p, "for example patterns by (service.name)")?;
    let limit = match p.eat_keyword("limit") {
        Some(_) => limit::rows_above_zero(p, "patterns limit 20")?,
        None => Patterns::LIMIT_DEFAULT,
    };
    Some(vec![PipeKind::Patterns(Patterns { by, limit })])
}

/// The canonical text.
pub(super) fn print(patterns: &Patterns) -> String {
    let by = if patterns.by.is_empty() { String::new() } else { format!(" by ({})", text::list(&patterns.by)) };
    format!("patterns{by} limit {}", patterns.limit)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn templates() {
        check(
            r#"
            error | patterns
            error | patterns by (a, b) limit 5
            error | patterns limit 5
            "#,
            expect![[r#"
                error | patterns
                    error | patterns limit 50
                error | patterns by (a, b) limit 5
                    error | patterns by (a, b) limit 5
                error | patterns limit 5
                    error | patterns limit 5
            "#]],
        );
    }
}
