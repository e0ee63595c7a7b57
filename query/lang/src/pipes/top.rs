//! `top n by (a, b) as hits`: the combinations of values with the most rows, and how many. `rare`: with the fewest. Without
//! a number, ten.

use super::limit::LIMIT_DEFAULT;
use super::{PipeSpec, optional_rows, required_name};
use crate::complete::{At, Offer};
use crate::format as text;
use crate::parser::Parser;
use crate::{Diagnostic, PipeKind, Top};

pub(super) const TOP: PipeSpec = PipeSpec {
    names: &["top"],
    alias_of: None,
    syntax: "top [n] by (a, b) [as name] [percent [as name]]",
    summary: "the values that most rows have",
    doc: "The n combinations of values, ten without a number, that most rows have, and how many in the column `hits`; equal ones \
          in order of their values. `percent` adds their share of all rows, in percent. A missing field counts as empty.",
    examples: &["error | top 5 by (service.name) percent", "* | top by (service.name, host.name) as n"],
    parse: parse_top,
    complete,
};

pub(super) const RARE: PipeSpec = PipeSpec {
    names: &["rare"],
    alias_of: None,
    syntax: "rare [n] by (a, b) [as name] [percent [as name]]",
    summary: "the values that fewest rows have",
    doc: "As `top`, the other way round: new and odd values come first.",
    examples: &["* | rare 10 by (http.response.status_code)"],
    parse: parse_rare,
    complete,
};

fn complete(at: &At<'_>) -> Offer {
    match at.last() {
        ")" => Offer::keywords(&["as", "percent"]),
        "percent" => Offer::keywords(&["as"]),
        "as" => Offer::nothing(),
        _ if at.inside() => Offer::fields(),
        _ => Offer::fields().and_keywords(&["by"]),
    }
}

/// The column of counts without another name, as in LogsQL.
pub(crate) const HITS: &str = "hits";

/// The column of shares without another name.
const PERCENT: &str = "percent";

fn parse_top(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    top(p, false, "top 10 by (service.name)")
}

fn parse_rare(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    top(p, true, "rare 10 by (service.name)")
}

fn top(p: &mut Parser<'_>, rare: bool, example: &str) -> Option<Vec<PipeKind>> {
    let hint = format!("for example {example}");
    p.skip_space();
    let start = p.at;
    let limit = optional_rows(p, LIMIT_DEFAULT, example)?;
    let by = super::by_names(p, &hint)?;
    p.eat_keyword("hits");
    let hits = match p.eat_keyword("as") {
        Some(_) => required_name(p, "a name", &hint)?,
        None => HITS.to_owned(),
    };
    let percent = match p.eat_keyword("percent") {
        Some(_) if p.eat_keyword("as").is_some() => Some(required_name(p, "a name", &hint)?),
        Some(_) => Some(PERCENT.to_owned()),
        None => None,
    };
    let columns = || by.iter().chain([&hits]);
    if columns().enumerate().any(|(at, name)| columns().take(at).any(|other| other == name))
        || percent.as_ref().is_some_and(|name| columns().any(|other| other == name))
    {
        let message = "two columns of this pipe have the same name";
        p.report(Diagnostic::error(start..p.at, message).hint("give one another name with `as`"));
    }
    Some(vec![PipeKind::Top(Top { limit, by, rare, hits, percent })])
}

/// The canonical text.
pub(super) fn print(top: &Top) -> String {
    let Top { limit, by, rare, hits, percent } = top;
    let name = if *rare { "rare" } else { "top" };
    let percent = percent.as_ref().map_or(String::new(), |name| format!(" percent as {}", text::name_text(name)));
    format!("{name} {limit} by ({}) as {}{percent}", text::list(by), text::name_text(hits))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn values() {
        check(
            r#"
            * | top 5 by (a, b) as n percent
            * | rare a percent as share
            * | top by (a) hits as n percent as p
            "#,
            expect![[r#"
                * | top 5 by (a, b) as n percent
                    * | top 5 by (a, b) as n percent as percent
                * | rare a percent as share
                    * | rare 10 by (a) as hits percent as share
                * | top by (a) hits as n percent as p
                    * | top 10 by (a) as n percent as p
            "#]],
        );
    }
}
