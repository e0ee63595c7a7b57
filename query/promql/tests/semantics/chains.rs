//! Chains of operators of any length: they are walked in loops, so that no query exhausts the stack.

use expect_test::{Expect, expect};
use promql::{EvalLimits, EvalRange, Expr, JSON_HEIGHT_MAX, PLAN_LINES_MAX, QueryValue, eval, parse};

use crate::{Source, series};

/// Operands of a query that no person writes.
const MANY: usize = 100_000;

fn instant(expr: &Expr, limits: &EvalLimits) -> Result<String, String> {
    let source = Source(vec![series(0, &[(1000, 2.0)])]);
    let outcome =
        eval(expr, &source, EvalRange::Instant { time_ms: 1000 }, limits).map_err(|error| error.to_string())?;
    Ok(match outcome.value {
        QueryValue::Scalar(sample) => format!("scalar {}", sample.value),
        QueryValue::Vector(vector) => {
            vector.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect::<Vec<_>>().join("; ")
        }
        other => format!("{other:?}"),
    })
}

/// Everything that walks a tree, over a chain of this many operands.
fn walk_all(text: &str) -> Expr {
    let expr = parse(text).unwrap();
    assert_eq!(expr.to_string(), text);
    let copy = expr.clone();
    assert!(copy == expr);
    assert!(!format!("{expr:?}").is_empty());
    assert_eq!(expr.depth(), 2);
    let mut seen = 0;
    expr.walk(&mut |_| seen += 1);
    assert_eq!(seen, 2 * MANY - 1);
    assert_eq!(expr.span().end, text.len());
    assert_eq!(expr.chain().0.len(), MANY - 1);
    let json = expr.to_json();
    assert_eq!(json["type"], "text");
    assert_eq!(expr.pretty(), text);
    assert!(promql::explain(&expr).lines().count() <= PLAN_LINES_MAX + 1);
    drop(copy);
    expr
}

fn check(text: &str, want: Expect) {
    let limits = EvalLimits { samples_max: 1_000_000, ..EvalLimits::default() };
    want.assert_eq(&instant(&walk_all(text), &limits).unwrap_or_else(|error| error));
}

#[test]
fn long_chains_mean_what_they_say() {
    let chain = |first: &str, next: &str| format!("{first}{}", next.repeat(MANY - 1));
    check(&chain("1", " + 1"), expect!["scalar 100000"]);
    check(&chain("x_total", " + 1"), expect![[r#"{i="0"} 100001"#]]);
    check(&chain("x_total", " + x_total"), expect![[r#"{i="0"} 200000"#]]);
    check(&chain("x_total", " or x_total"), expect![[r#"x_total{i="0"} 2"#]]);
    check(&chain("x_total", " == bool 2"), expect![[r#"{i="0"} 0"#]]);
    check(&chain("1", " + x_total"), expect![[r#"{i="0"} 199999"#]]);
}

#[test]
fn chains_of_several_kinds_alternate() {
    let all = |text: &str| instant(&parse(text).unwrap(), &EvalLimits::default()).unwrap();
    let mixed = format!("x_total{}", " * 1 + 1 - x_total / 1 and x_total".repeat(MANY / 5));
    expect![[r#"{i="0"} 1"#]].assert_eq(&all(&mixed));
    // Precedence and scalars on the left: 3 * (2 - 1) + 10 - 2 * 4, then 1 - x.
    expect![[r#"{i="0"} 5"#]].assert_eq(&all("3 * (x_total - 1) + 10 - 2 * 4"));
    expect![[r#"{i="0"} 6"#]].assert_eq(&all("1 - x_total * 3 + 2 > 0 or 10 - x_total * 2 ^ 2 ^ 0"));
    // Names that go at once.
    let limits = EvalLimits { delayed_name_removal: false, ..EvalLimits::default() };
    let names = |text: &str| instant(&parse(text).unwrap(), &limits).unwrap();
    expect![[r#"{i="0"} 2002"#]].assert_eq(&names(&format!("x_total{}", " + 1".repeat(2_000))));
    expect![[r#"x_total{i="0"} 2"#]].assert_eq(&names("x_total > 1 > 0"));
}

#[test]
fn a_chain_stays_within_its_budget() {
    let limits = EvalLimits { memory_max_bytes: 100_000, ..EvalLimits::default() };
    let wide = format!("x_total{}", " + scalar(x_total)".repeat(20_000));
    expect!["query processing would hold too many bytes in memory (limit memory_max_bytes = 100000); narrow the selector or the time range, or take a longer step"].assert_eq(&instant(&parse(&wide).unwrap(), &limits).unwrap_err());
    let cancel = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let canceled = EvalLimits { cancel: Some(cancel), ..EvalLimits::default() };
    expect!["query was canceled in expression evaluation"]
        .assert_eq(&instant(&parse(&wide).unwrap(), &canceled).unwrap_err());
}

#[test]
fn chains_are_shown_as_trees_up_to_a_limit() {
    let sums = |operands: usize| parse(&format!("x_total{}", " + x_total".repeat(operands - 1))).unwrap();
    let json = sums(JSON_HEIGHT_MAX).to_json();
    assert_eq!(json["type"], "binaryExpr");
    assert!(json.to_string().len() > 10_000);
    assert_eq!(sums(JSON_HEIGHT_MAX + 1).to_json()["type"], "text");
    let pretty = |operands: usize| sums(operands).pretty().lines().count();
    // What fits on a line stays on it: ten of these do.
    assert_eq!(pretty(20), 1 + 2 * 10);
    assert_eq!(pretty(1_001), 1 + 2 * 991);
    assert_eq!(pretty(1_002), 1);
    expect![[r#"
        collect: join by labels, operator +
          stream: operator with a scalar +
            scalar 1
            stream: operator with a scalar *
              select x_total: newest samples at each step
              scalar 2
          select y: newest samples at each step"#]]
    .assert_eq(&promql::explain(&parse("1 + x_total * 2 + y").unwrap()));
}
