//! `uniq by (a, b) with hits`: the different combinations of values, and, when asked, how many rows have each.

use super::{limit, top::HITS};
use crate::format as text;
use crate::parser::Parser;
use crate::{PipeKind, Uniq};

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
