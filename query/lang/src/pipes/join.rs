//! `join by (a) (query) prefix p`: fields of the rows of another query.

use std::fmt::Write as _;

use super::{PipeSpec, names_in_parentheses, required_duration, required_name};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{Diagnostic, Join, JoinKind, PipeKind, Within, WithinSide};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["join"],
    alias_of: None,
    syntax: "join [left|inner] by (a, b)|on (a = x) [within 30m [before|after]] (query) [prefix p]",
    summary: "adds fields of the rows of another query",
    doc: "A row gets the fields of the rows of the other query that have the same keys. Without `within` it comes once for each \
          of them; with it once, with the one nearest in time that is at most so much `before` it (or `after` it): errors \
          beside the deploys that preceded them. `left`, the default, keeps rows without a partner, `inner` leaves them out. \
          `on` names keys that differ. `prefix` is put before the names of the added fields; without it a field that the row \
          has already is not added. The other query is run over the same time range, widened by `within`, unless it says a \
          `_time` itself. Keys that are missing or empty match nothing.",
    examples: &[
        "severity:ERROR | join inner on (service.name = target.service) within 30m (from changes) prefix deploy.",
        "* | stats by (service.name) count() as n | join by (service.name) (error | stats by (service.name) count() as errors)",
        "from alerts | join within 10m after (from actions) prefix action.",
    ],
    parse,
    complete: |at| match at.last() {
        "join" | "" => Offer::keywords(&["by", "on", "within", "inner", "left"]),
        "inner" | "left" => Offer::keywords(&["by", "on", "within"]),
        ")" => Offer::keywords(&["within", "prefix", "inner"]),
        "before" | "after" | "within" => Offer::nothing(),
        "(" | "," | "=" => Offer::fields().and_keywords(&["from"]),
        _ if at.inside() => at.filter(),
        _ => Offer::keywords(&["before", "after"]),
    },
};

const HINT: &str = "for example join by (service.name) (from changes) prefix deploy.";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let mut kind = kind(p);
    let on = keys(p)?;
    let within = match p.eat_keyword("within") {
        Some(_) => Some(within(p)?),
        None => None,
    };
    if on.is_empty() && within.is_none() {
        p.expected("`by` and the fields that are the same", HINT);
        return None;
    }
    let query = crate::query::subquery(p, HINT)?;
    kind = kind.or_else(|| self::kind(p));
    let prefix = match p.eat_keyword("prefix") {
        Some(_) => required_name(p, "a prefix", HINT)?,
        None => String::new(),
    };
    let kind = kind.or_else(|| self::kind(p)).unwrap_or(JoinKind::Left);
    Some(vec![PipeKind::Join(Join { kind, on, within, query, prefix })])
}

/// Takes `left` or `inner`, which LogsQL writes at the end. Other kinds are reported.
fn kind(p: &mut Parser<'_>) -> Option<JoinKind> {
    if p.eat_keyword("inner").is_some() {
        return Some(JoinKind::Inner);
    }
    if p.eat_keyword("left").is_some() {
        return Some(JoinKind::Left);
    }
    let other = ["right", "outer", "full", "cross"].into_iter().find_map(|kind| Some((kind, p.eat_keyword(kind)?)));
    if let Some((kind, span)) = other {
        let message = format!("there is no {kind} join");
        let hint = "joins are left and inner; for the rows of the other side, write the queries the other way round";
        p.report(Diagnostic::error(span, message).hint(hint));
    }
    None
}

/// Takes `by (a, b)` or `on (a = x, b)`.
fn keys(p: &mut Parser<'_>) -> Option<Vec<(String, String)>> {
    if p.eat_keyword("by").is_some() {
        let names = names_in_parentheses(p, HINT)?;
        return Some(names.into_iter().map(|name| (name.clone(), name)).collect());
    }
    match p.eat_keyword("on") {
        Some(_) if p.peek() == Some('(') => p.parenthesised("a field", HINT, key),
        Some(_) => p.list("a field", HINT, key),
        None => Some(Vec::new()),
    }
}

/// Takes `a = x`, or `a` when both sides have the name.
pub(super) fn key(p: &mut Parser<'_>) -> Option<(String, String)> {
    let (left, _) = p.name()?;
    if p.eat("==").or_else(|| p.eat("=")).is_none() {
        return Some((left.clone(), left));
    }
    let right = required_name(p, "the name on the other side", "for example service.name = service")?;
    Some((left, right))
}

/// Takes `30m before`, the `within` already taken.
fn within(p: &mut Parser<'_>) -> Option<Within> {
    let ns = required_duration(p, "for example within 30m before")?;
    let side = match (p.eat_keyword("before"), p.eat_keyword("after")) {
        (_, Some(_)) => WithinSide::After,
        _ => WithinSide::Before,
    };
    Some(Within { ns, side })
}

/// The canonical text.
pub(super) fn print(join: &Join) -> String {
    let mut out = String::from("join");
    if join.kind == JoinKind::Inner {
        out.push_str(" inner");
    }
    out.push_str(&print_keys(&join.on));
    if let Some(within) = &join.within {
        let side = if within.side == WithinSide::After { " after" } else { "" };
        let _ = write!(out, " within {}{side}", text::duration(within.ns));
    }
    let _ = write!(out, " ({})", text::format_subquery(&join.query));
    if !join.prefix.is_empty() {
        let _ = write!(out, " prefix {}", text::list_name(&join.prefix));
    }
    out
}

/// ` by (a, b)` where the names are the same on both sides, else ` on (a = x, b)`.
pub(super) fn print_keys(on: &[(String, String)]) -> String {
    let one = |(left, right): &(String, String)| match left == right {
        true => text::list_name(left),
        false => format!("{} = {}", text::list_name(left), text::list_name(right)),
    };
    let keys = on.iter().map(one).collect::<Vec<_>>().join(", ");
    match on {
        [] => String::new(),
        on if on.iter().all(|(left, right)| left == right) => format!(" by ({keys})"),
        _ => format!(" on ({keys})"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn queries() {
        check(
            r#"
            * | join by (a, b) (error | stats by (a, b) count() as n)
            * | join inner on (a = x, b) (from changes) prefix deploy.
            * | join by (a) (x) inner
            * | join by (a) (x) prefix p inner
            * | join left within 30m (from changes)
            * | join on service.name = service within 1h after (from changes severity:ERROR | limit 5) prefix "p "
            * | join on (a = a) within 90s before (*)
            "#,
            expect![[r#"
                * | join by (a, b) (error | stats by (a, b) count() as n)
                    * | join by (a, b) (from logs error | stats by (a, b) count(*) as n)
                * | join inner on (a = x, b) (from changes) prefix deploy.
                    * | join inner on (a = x, b) (from changes *) prefix deploy.
                * | join by (a) (x) inner
                    * | join inner by (a) (from logs x)
                * | join by (a) (x) prefix p inner
                    * | join inner by (a) (from logs x) prefix p
                * | join left within 30m (from changes)
                    * | join within 30m (from changes *)
                * | join on service.name = service within 1h after (from changes severity:ERROR | limit 5) prefix "p "
                    * | join on (service.name = service) within 1h after (from changes severity:ERROR | limit 5) prefix "p "
                * | join on (a = a) within 90s before (*)
                    * | join by (a) within 90s (from logs *)
            "#]],
        );
    }
}
