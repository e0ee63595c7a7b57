//! Checks the query templates of service files: they parse, they have a window, and their results tell versions apart.

use model::Timestamp;
use promql::{AggregateOp, Binary, Cardinality, Expr};
use rules::{QueryProblem, check_logs, check_promql};

use crate::catalogue::WINDOW;

/// A duration of the length of [`WINDOW`], so that a mistake found in the filled text stands at the same place in the template.
const WINDOW_EXAMPLE: &str = "300000s";
const _: () = assert!(WINDOW_EXAMPLE.len() == WINDOW.len());

/// A mistake in a template: its place is a byte offset in the template.
pub(crate) type QueryMistake = QueryProblem;

fn mistake(offset: usize, message: impl Into<String>, hint: impl Into<String>) -> QueryMistake {
    QueryProblem { offset, message: message.into(), hint: Some(hint.into()) }
}

/// What the rows of a log query must have.
pub(crate) struct LogsNeed<'a> {
    /// The column of the version, with `_` for dots; `None` for none.
    pub(crate) version: Option<&'a str>,
    /// The columns of numbers.
    pub(crate) columns: &'a [&'a str],
}

/// Checks a PromQL template: it must yield a number or a vector, whose samples keep `labels`, and name the window if `windowed`.
pub(crate) fn check_promql_template(template: &str, labels: &[&str], windowed: bool) -> Result<(), QueryMistake> {
    let text = fill_example(template);
    // What is switched off is the engine's to say: it is asked with the same template.
    check_promql(&text, promql::ParserOptions::ALL)?;
    if windowed && !template.contains(WINDOW) {
        let hint = "write the range as [$window]: the watch decides how long it looks back";
        return Err(mistake(0, "the query has no $window", hint));
    }
    let expr = promql::parse(&text).map_err(|error| mistake(error.span.start, error.message, "check the query"))?;
    match labels.iter().find(|label| !keeps(&expr, label)) {
        Some(label) => {
            let hint = match *label {
                "le" => "the buckets of a histogram are told apart by it: aggregate `by (le, ...)`".to_owned(),
                label => format!("aggregate `by ({label}, ...)`, or say `version_label: off` if they know no version"),
            };
            Err(mistake(0, format!("the result has no label {label}"), hint))
        }
        None => Ok(()),
    }
}

/// Checks a log query: it must end in numbers, with the columns that are needed. A window is not needed: the query runs over it.
pub(crate) fn check_logs_template(template: &str, need: LogsNeed<'_>) -> Result<(), QueryMistake> {
    let text = fill_example(template);
    let info = check_logs(&text)?;
    let version = need.version.filter(|label| !info.by.iter().any(|field| field.replace('.', "_") == **label));
    if let Some(label) = version {
        let hint = "add `by (service.version)` to stats, or say `version_label: off` if they know no version";
        return Err(mistake(text.len(), format!("the rows have no column for the version label {label}"), hint));
    }
    let (query, _) = lang::parse(&text, Timestamp::default());
    // After other pipes the columns may have any name; running the query will tell.
    let Some(lang::PipeKind::Stats(stats)) = query.pipes.last().map(|pipe| &pipe.kind) else { return Ok(()) };
    let has = |column: &&&str| stats.aggregates.iter().any(|aggregate| aggregate.name == **column);
    match need.columns.iter().find(|column| !has(column)) {
        Some(column) => {
            let hint = format!("name one of the numbers so: `stats by (service.version) count() as {column}`");
            Err(mistake(text.len(), format!("the rows have no column {column}"), hint))
        }
        None => Ok(()),
    }
}

/// The template with an example of a window.
fn fill_example(template: &str) -> String {
    template.replace(WINDOW, WINDOW_EXAMPLE)
}

/// Whether the samples of an expression can carry a label, as far as the expression says.
fn keeps(expr: &Expr, label: &str) -> bool {
    match expr.unparen() {
        Expr::Number(..) | Expr::String(..) => false,
        Expr::Vector(_) | Expr::Matrix(_) => true,
        Expr::Subquery(subquery) => keeps(&subquery.expr, label),
        Expr::Unary { expr, .. } => keeps(expr, label),
        Expr::Paren(expr, _) => keeps(expr, label),
        Expr::Call(call) => {
            let writes = |arg: &Expr| matches!(arg.unparen(), Expr::String(text, _) if text == label);
            let makes_label = call.function.name.starts_with("label_") && call.args.iter().any(writes);
            makes_label || call.args.iter().any(|arg| keeps(arg, label))
        }
        Expr::Aggregate(aggregate) => {
            let chooses = matches!(
                aggregate.op,
                AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio
            );
            let named = aggregate.grouping.iter().any(|name| name == label);
            (chooses || named != aggregate.without) && keeps(&aggregate.expr, label)
        }
        chain @ Expr::Binary(_) => {
            let (operators, first) = chain.chain();
            let reached = operators.iter().position(|binary| drops(binary, label));
            let over = &operators[..reached.unwrap_or(operators.len())];
            over.iter().any(|binary| keeps(&binary.right, label)) || (reached.is_none() && keeps(first, label))
        }
    }
}

/// Whether an operator takes a label away. One to one over other labels: an arithmetic result has only the labels of `on`.
fn drops(binary: &Binary, label: &str) -> bool {
    binary.matching.as_ref().is_some_and(|matching| {
        let listed = matching.labels.iter().any(|name| name == label);
        matching.cardinality == Cardinality::OneToOne && !binary.op.is_set() && matching.on != listed
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn show(result: Result<(), QueryMistake>) -> String {
        match result {
            Ok(()) => "ok".to_owned(),
            Err(found) => format!("{}: {}; {}", found.offset, found.message, found.hint.unwrap_or_default()),
        }
    }

    fn check(queries: &[&str], expect: Expect) {
        let lines: Vec<String> = queries
            .iter()
            .map(|query| format!("{query}\n  {}", show(check_promql_template(query, &["v"], true))))
            .collect();
        expect.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_label_survives_or_not() {
        check(
            &[
                "sum by (v) (increase(x[$window]))",
                "increase(x[$window])",
                "sum without (pod) (rate(x[$window]))",
                "sum without (v) (rate(x[$window]))",
                "sum(rate(x[$window]))",
                "topk(5, rate(x[$window]))",
                "max(topk(5, rate(x[$window])))",
                "sum by (v) (rate(a[$window])) / sum by (v) (rate(b[$window]))",
                "rate(a[$window]) / on (pod) rate(b[$window])",
                "rate(a[$window]) * on (pod) group_left (v) info",
                r#"label_replace(sum by (tag) (rate(x[$window])), "v", "$1", "tag", "(.*)")"#,
                "histogram_quantile(0.9, sum by (le, v) (rate(x[$window])))",
                "sum by (v) (rate(x[5m]))",
                "sum by (v) (rate(x[$windw]))",
                "sum by (v) (rate(x[$window])",
                "x[$window]",
            ],
            expect![[r#"
                sum by (v) (increase(x[$window]))
                  ok
                increase(x[$window])
                  ok
                sum without (pod) (rate(x[$window]))
                  ok
                sum without (v) (rate(x[$window]))
                  0: the result has no label v; aggregate `by (v, ...)`, or say `version_label: off` if they know no version
                sum(rate(x[$window]))
                  0: the result has no label v; aggregate `by (v, ...)`, or say `version_label: off` if they know no version
                topk(5, rate(x[$window]))
                  ok
                max(topk(5, rate(x[$window])))
                  0: the result has no label v; aggregate `by (v, ...)`, or say `version_label: off` if they know no version
                sum by (v) (rate(a[$window])) / sum by (v) (rate(b[$window]))
                  ok
                rate(a[$window]) / on (pod) rate(b[$window])
                  0: the result has no label v; aggregate `by (v, ...)`, or say `version_label: off` if they know no version
                rate(a[$window]) * on (pod) group_left (v) info
                  ok
                label_replace(sum by (tag) (rate(x[$window])), "v", "$1", "tag", "(.*)")
                  ok
                histogram_quantile(0.9, sum by (le, v) (rate(x[$window])))
                  ok
                sum by (v) (rate(x[5m]))
                  0: the query has no $window; write the range as [$window]: the watch decides how long it looks back
                sum by (v) (rate(x[$windw]))
                  19: promql: unexpected character in duration expression: '$'; 
                sum by (v) (rate(x[$window])
                  28: promql: unclosed left parenthesis; 
                x[$window]
                  0: promql: the expression yields a range vector; a rule needs a number or an instant vector; wrap a range in a function such as rate()"#]],
        );
    }

    #[test]
    fn log_queries_need_their_columns() {
        let counts = LogsNeed { version: Some("service_version"), columns: &["n", "bad"] };
        let ok = "service.name:=a | stats by (service.version) count() as n, count() if (severity:ERROR) as bad";
        assert_eq!(show(check_logs_template(ok, counts)), "ok");
        let need = || LogsNeed { version: Some("service_version"), columns: &["n"] };
        let shown: Vec<String> =
            ["error | stats by (service.version) count() as m", "error | stats count() as n", "error", "a:"]
                .iter()
                .map(|query| format!("{query}\n  {}", show(check_logs_template(query, need()))))
                .collect();
        expect![[r#"
            error | stats by (service.version) count() as m
              47: the rows have no column n; name one of the numbers so: `stats by (service.version) count() as n`
            error | stats count() as n
              26: the rows have no column for the version label service_version; add `by (service.version)` to stats, or say `version_label: off` if they know no version
            error
              5: the query of a log rule yields no numbers; add a pipe such as | stats by (service.name) count() as n
            a:
              0: a value is missing after `a:`; write a word, "a phrase", ~"regex" or * (any value)"#]].assert_eq(&shown.join("\n"));
    }
}
