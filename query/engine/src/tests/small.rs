//! Small questions of PromQL: who answers them, and that it makes no difference.

use std::time::Duration;

use promql::{EvalLimits, EvalRange};

use super::*;
use crate::prom::{PromRequest, eval_small};

/// Longer than a busy machine takes for a small query.
const LONG: Duration = Duration::from_secs(60);

/// `few` has 3 series, `many` so many that they are not small; 600 samples each.
fn bench() -> Bench {
    let bench = Bench::new(QueryLimits::default());
    let series = |name: &str, at: i64| model::SeriesSamples {
        labels: [("__name__", name.to_owned()), ("i", at.to_string())].into_iter().collect(),
        samples: (0..600).map(|k| model::Sample { time_ms: k * 1000, value: (k * (at + 1) % 97) as f64 }).collect(),
        ..model::SeriesSamples::default()
    };
    let few = (0..3).map(|at| series("few_total", at));
    let series = few.chain((0..40).map(|at| series("many_total", at))).collect();
    let batch = model::SeriesBatch { series, ..model::SeriesBatch::default() };
    let batch = Batch { tenant: TenantId::default(), data: BatchData::Series(batch) };
    bench.store.append(vec![batch]).unwrap().wait().unwrap();
    bench
}

fn request(text: &str) -> PromRequest {
    PromRequest {
        tenant: TenantId::default(),
        text: text.to_owned(),
        range: EvalRange::Range { start_ms: 0, end_ms: 590_000, step_ms: 5_000 },
        timeout_ms: None,
        lookback_ms: None,
        step_stats: false,
    }
}

fn is_small(bench: &Bench, text: &str, time_max: Duration) -> bool {
    let expr = promql::parse(text).unwrap();
    let source = bench.engine.prom(&TenantId::default());
    eval_small(&expr, &source, &request(text), &EvalLimits::default(), time_max).is_some()
}

#[test]
fn small_is_what_is_little_and_in_memory() {
    let bench = bench();
    for text in ["few_total", "sum(rate(few_total[1m]))", "few_total{i!=\"1\"} / few_total", "1 + 1", "none"] {
        assert!(is_small(&bench, text, LONG), "{text}");
        assert!(!is_small(&bench, text, Duration::ZERO), "{text}, but it takes too long");
    }
    for text in [
        "sum(many_total)",
        "few_total{i=~\"1|2.*\"}",
        "{i!=\"\"}",
        "few_total / on () group_left () sum(many_total)",
        "label_replace(few_total, \"i\", \"\", \"\", \"\")",
    ] {
        assert!(!is_small(&bench, text, LONG), "{text}");
    }
    let long = format!("few_total{}", " ".repeat(1000));
    assert!(!is_small(&bench, &long, LONG), "a long text");
    bench.store.flush(false).unwrap();
    assert!(is_small(&bench, "few_total", LONG), "what was flushed is in memory too");
}

#[test]
fn who_answers_makes_no_difference() {
    let bench = bench();
    let run = |text: &str| {
        let result = tokio::runtime::Runtime::new().unwrap().block_on(bench.engine.prom_run(request(text)));
        result.map(|result| result.outcome).map_err(|error| error.to_string())
    };
    for text in [
        "few_total",
        "sum by (i) (rate(few_total[1m]))",
        "max_over_time(rate(few_total[1m])[5m:10s])",
        "avg(few_total) + on () count(few_total)",
        "rate(few[1m])",
        "few_total + on () few_total",
        "label_replace(few_total, \"i\", \"\", \"\", \"\")",
    ] {
        // So long a text is not small.
        let padded = format!("{text}{}", " ".repeat(1000));
        assert_eq!(run(text), run(&padded), "{text}");
    }
    assert_eq!(bench.engine.inner.budget.held_bytes(), 0, "what was taken is given back");
}
