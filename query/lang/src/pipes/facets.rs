//! `facets n f, g`: the most frequent values of each field.

use super::{PipeSpec, by_names, optional_rows};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{Facets, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["facets"],
    alias_of: None,
    syntax: "facets [n] [a, b]",
    summary: "the most frequent values of each field",
    doc: "The n values, 10 without a number, that most rows have, for each of the fields; without fields for every field but \
          those whose values hardly repeat, such as ids and bodies. Columns: `field`, `value`, `hits`.",
    examples: &["severity:ERROR | facets", "* | facets 5 service.name, host.name"],
    parse,
    complete: |_| Offer::fields(),
};

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let limit = optional_rows(p, Facets::LIMIT_DEFAULT, "facets 5")?;
    let fields = match p.at_pipe_end() {
        true => Vec::new(),
        false => by_names(p, "for example facets 5 service.name, host.name")?,
    };
    Some(vec![PipeKind::Facets(Facets { limit, fields })])
}

/// The canonical text.
pub(super) fn print(facets: &Facets) -> String {
    let fields = if facets.fields.is_empty() { String::new() } else { format!(" {}", text::list(&facets.fields)) };
    format!("facets {}{fields}", facets.limit)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn values() {
        check(
            r#"
            * | facets
            * | facets 5
            * | facets a, b
            * | facets 5 by (a, b)
            "#,
            expect![[r#"
                * | facets
                    * | facets 10
                * | facets 5
                    * | facets 5
                * | facets a, b
                    * | facets 10 a, b
                * | facets 5 by (a, b)
                    * | facets 5 a, b
            "#]],
        );
    }
}
