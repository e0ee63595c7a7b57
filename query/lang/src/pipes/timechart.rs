//! `timechart 5m by (f) limit 5 count() as n`: rows for a chart over time.

use model::field;

use super::{PipeSpec, bin, limit, names_in_parentheses, stats};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{Bucket, Diagnostic, Group, PipeKind, Timechart};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["timechart"],
    alias_of: None,
    syntax: "timechart [5m|auto] [by (a) [limit n]] fn(...) as name, ...",
    summary: "values for each bucket of time, for charts",
    doc: "As `stats by (_time:5m, a)`, with a row for every bucket of the time range also where there is nothing: counts and \
          sums are 0 there, other values missing. Without a width, as with `auto`, one is chosen that makes at most 120 \
          buckets. With `by`, the `limit` groups (10 unless said) with the largest sum of the first value are kept apart; \
          the rows of all others are the group `other`. Columns: `_time`, the fields of `by`, the values; in order of time.",
    examples: &[
        "error | timechart 5m count() as errors",
        "* | timechart by (service.name) limit 5 count() as n",
        "duration_ms:* | timechart 1m quantile(0.99, duration_ms) as p99, avg(duration_ms) as mean",
    ],
    parse,
    complete: |at| match at.last() {
        "" => Offer::keywords(&["auto", "by"]).and(stats::offer()),
        "limit" => Offer::nothing(),
        ")" if at.words().iter().rev().nth(1).is_some_and(|word| *word != "(") && !at.has_call() => {
            Offer::keywords(&["limit"]).and(stats::offer())
        }
        _ => stats::complete(at),
    },
};

const HINT: &str = "for example timechart 5m by (service.name) count() as n";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let bucket = width(p)?;
    let mut by = Vec::new();
    let mut groups = Timechart::LIMIT_DEFAULT;
    if p.eat_keyword("by").is_some() {
        by = names_in_parentheses(p, HINT)?;
        if p.eat_keyword("limit").is_some() {
            groups = limit::rows_above_zero(p, "limit 5")?;
        }
    }
    let aggregates = stats::aggregates(p, HINT)?;
    if let Some(late) = p.eat_keyword("by") {
        p.report(Diagnostic::error(late, "`by` stands before the functions here").hint(HINT));
        return None;
    }
    let keys: Vec<Group> =
        std::iter::once(field::TIME.to_owned()).chain(by.iter().cloned()).map(Group::Field).collect();
    stats::check_names(p, &keys, &aggregates);
    let aggregates = aggregates.into_iter().map(|(aggregate, _)| aggregate).collect();
    Some(vec![PipeKind::Timechart(Timechart { bucket, by, limit: groups, aggregates })])
}

/// Takes the width of the buckets when it is there.
fn width(p: &mut Parser<'_>) -> Option<Bucket> {
    let word = p.peek_word().unwrap_or_default();
    let is_option = p.rest()[word.len()..].trim_start().starts_with('=');
    let is_width = is_option || word.starts_with(|c: char| c.is_ascii_digit()) || word.eq_ignore_ascii_case("auto");
    if is_width { bin::bucket(p, field::TIME, HINT) } else { Some(Bucket::AutoTime) }
}

/// The canonical text.
pub(super) fn print(chart: &Timechart) -> String {
    let by = match chart.by[..] {
        [] => String::new(),
        _ => format!(" by ({}) limit {}", text::list(&chart.by), chart.limit),
    };
    format!("timechart {}{by} {}", text::bucket_text(&chart.bucket), stats::print_aggregates(&chart.aggregates))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn charts() {
        check(
            r#"
            * | timechart count() as n
            * | timechart 5m count() as n
            * | timechart auto by (service.name) count() as n
            * | timechart 1d offset 2h by (a, b) limit 3 count() if (severity:ERROR) as n, avg(x)
            "#,
            expect![[r#"
                * | timechart count() as n
                    * | timechart auto count(*) as n
                * | timechart 5m count() as n
                    * | timechart 5m count(*) as n
                * | timechart auto by (service.name) count() as n
                    * | timechart auto by (service.name) limit 10 count(*) as n
                * | timechart 1d offset 2h by (a, b) limit 3 count() if (severity:ERROR) as n, avg(x)
                    * | timechart 1d offset 2h by (a, b) limit 3 count(*) if (severity:ERROR) as n, avg(x) as "avg(x)"
            "#]],
        );
    }
}
