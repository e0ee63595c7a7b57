//! `top n by (a, b) as hits`: the combinations of values with the most rows, and how many. `rare`: with the fewest. Without
//! a number, ten.

use super::limit::{LIMIT_DEFAULT, rows};
use crate::format as text;
use crate::parser::Parser;
use crate::{PipeKind, Top};

/// The column of counts without another name, as in LogsQL.
pub(crate) const HITS: &str = "hits";

pub(super) fn parse_top(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    top(p, false, "top 10 by (service.name)")
}

pub(super) fn parse_rare(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    top(p, true, "rare 10 by (service.name)")
}

fn top(p: &mut Parser<'_>, rare: bool, example: &str) -> Option<Vec<PipeKind>> {
    let hint = format!("for example {example}");
    let has_number = p.peek().is_some_and(|c| c.is_ascii_digit());
    let limit = if has_number { rows(p, example)? } else { LIMIT_DEFAULT };
    let by = super::by_names(p, &hint)?;
    p.eat_keyword("hits");
    let hits = match p.eat_keyword("as") {
        Some(_) => match p.name() {
            Some((name, _)) => name,
            None => {
                p.expected("a name", &hint);
                return None;
            }
        },
        None => HITS.to_owned(),
    };
    Some(vec![PipeKind::Top(Top { limit, by, rare, hits, percent: None })])
}

/// The canonical text.
pub(super) fn print(top: &Top) -> String {
    let Top { limit, by, rare, hits, percent } = top;
    let name = if *rare { "rare" } else { "top" };
    let percent = percent.as_ref().map_or(String::new(), |name| format!(" percent as {}", text::name_text(name)));
    format!("{name} {limit} by ({}) as {}{percent}", text::list(by), text::name_text(hits))
}
