//! `uniq by (a, b) with hits`: the different combinations of values, and, when asked, how many rows have each.

use super::{PipeSpec, limit, top::HITS};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{PipeKind, Uniq};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["uniq"],
    alias_of: None,
    syntax: "uniq by (a, b) [with hits] [limit n]",
    summary: "the different values of fields",
    doc: "A row for each combination of values, in no order; a missing field counts as empty. `with hits` adds the column \
          `hits`: how many rows have it. To keep whole rows, use `dedup`.",
    examples: &["* | uniq by (service.name, host.name) with hits", "user.id:* | uniq by (user.id) | limit 100"],
    parse,
    complete: |at| match at.last() {
        ")" => Offer::keywords(&["with", "limit"]),
        "with" => Offer::keywords(&["hits"]),
        _ if at.inside() => Offer::fields(),
        _ => Offer::fields().and_keywords(&["by"]),
    },
};

const HINT: &str = "for example uniq by (service.name) with hits";

pub(super) fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let by = super::by_names(p, HINT)?;
    let hits = match p.eat_keyword("with") {
        Some(_) => match p.eat_keyword(HITS) {
            Some(_) => Some(HITS.to_owned()),
            None => {
                p.expected("`hits`", HINT);
                return None;
            }
        },
        None => None,
    };
    let fetch = match p.eat_keyword("limit") {
        Some(_) => Some(PipeKind::Limit(limit::rows(p, "limit 10")?)),
        None => None,
    };
    Some([PipeKind::Uniq(Uniq { by, hits })].into_iter().chain(fetch).collect())
}

/// The canonical text.
pub(super) fn print(uniq: &Uniq) -> String {
    format!("uniq by ({}){}", text::list(&uniq.by), if uniq.hits.is_some() { " with hits" } else { "" })
}
