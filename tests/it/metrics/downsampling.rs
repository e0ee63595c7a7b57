//! Downsampling on the real server: old samples become few, and windows of whole buckets say what they said.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::wire::{self, Sent};
use super::{Series, client, flush, numbers, ranged, seconds, single, stored};
use crate::server::Server;

const HOUR_MS: i64 = 3_600_000;
const STEP_MS: i64 = 15_000;
/// Samples of a series in all: six hours.
const SAMPLES: i64 = 6 * HOUR_MS / STEP_MS;
/// A server looks at its blocks when it has started, but not before it answers.
const PATIENCE: Duration = Duration::from_secs(180);

const RULES: &str = "store: {downsampling: [{after: 10d, resolution: 1h}]}";

/// Windows of whole buckets.
const QUERIES: [&str; 8] = [
    "sum_over_time(old_value[1h])",
    "avg_over_time(old_value[2h])",
    "min_over_time(old_value[1h])",
    "max_over_time(old_value[3h])",
    "count_over_time(old_value[1h])",
    "increase(old_value{kind=\"counter\"}[1h])",
    "rate(old_value{kind=\"counter\"}[2h])",
    "resets(old_value{kind=\"counter\"}[2h])",
];

/// A counter that was reset and a gauge, twenty days ago, and the gauge of now, which no rule is about.
fn sent(begin_ms: i64, now_ms: i64) -> Vec<Sent> {
    let series = |kind: &str, begin_ms: i64, value: &dyn Fn(i64) -> f64| Sent {
        name: "old_value",
        labels: vec![("kind", kind.to_owned())],
        // A bucket has its end and not its start.
        samples: (1..=SAMPLES).map(|at| (begin_ms + at * STEP_MS, value(at))).collect(),
    };
    vec![
        series("counter", begin_ms, &|at| ((at % 1000) * 7) as f64),
        series("gauge", begin_ms, &|at| ((at * 37) % 1009) as f64 / 4.0),
        series("young", now_ms - SAMPLES * STEP_MS, &|at| at as f64),
    ]
}

fn answers(server: &Server, begin_ms: i64) -> BTreeMap<&'static str, Series> {
    let end_ms = begin_ms + SAMPLES * STEP_MS;
    let ask = |query| (query, ranged(server, query, begin_ms + 3 * HOUR_MS, end_ms, "1h"));
    QUERIES.into_iter().map(ask).collect()
}

/// The same series and times, and values as close as sums in another order are.
fn compare(query: &str, before: &Series, after: &Series) {
    assert!(!before.is_empty() && before.keys().eq(after.keys()), "{query}: {before:?} {after:?}");
    for (samples, now) in before.values().zip(after.values()) {
        assert!(samples.keys().eq(now.keys()), "{query}");
        for (want, got) in samples.values().zip(now.values()).map(|(a, b)| (f64::from_bits(*a), f64::from_bits(*b))) {
            assert!((want - got).abs() <= 1e-9 * want.abs(), "{query}: {want} became {got}");
        }
    }
}

#[test]
fn old_samples_become_few_and_say_the_same() {
    let mut server = Server::start_with(RULES);
    let now_ms = telemetry::clock::now().millis();
    let begin_ms = (now_ms - 20 * 24 * HOUR_MS).div_euclid(HOUR_MS) * HOUR_MS;
    let end_ms = begin_ms + SAMPLES * STEP_MS;
    let (old, young): (Vec<Sent>, Vec<Sent>) =
        sent(begin_ms, now_ms).into_iter().partition(|sent| sent.labels[0].1 != "young");
    // Blocks of their own: one is only downsampled when all of it is old.
    for part in [old, young] {
        assert_eq!(wire::post_remote_write(&client(), &server.url, &part).expect("an answer").status(), 204);
        flush(&server, false);
    }
    let left = |server: &Server| numbers(&stored(server, "old_value", "7h", end_ms));
    let before = answers(&server, begin_ms);
    assert!(left(&server).values().all(|samples| samples.len() as i64 == SAMPLES), "raw at first");
    assert_eq!(single(&server, "count_over_time(old_value{kind=\"young\"}[7h])", now_ms), SAMPLES as f64);

    server.kill();
    server.restart();
    let began = Instant::now();
    while left(&server).values().any(|samples| samples.len() as i64 == SAMPLES) {
        assert!(began.elapsed() < PATIENCE, "nothing was downsampled");
        std::thread::sleep(Duration::from_millis(500));
    }
    // Two of each of the six hours; the counter's resets are in the folds.
    let few: Vec<usize> = left(&server).values().map(BTreeMap::len).collect();
    assert_eq!(few, [12, 12], "samples that are left");
    for (query, after) in answers(&server, begin_ms) {
        compare(query, &before[query], &after);
    }
    assert_eq!(single(&server, "count_over_time(old_value{kind=\"young\"}[7h])", now_ms), SAMPLES as f64);

    let query = "sum(sum_over_time(old_value[1h]))";
    let told: Value = server.get_json(&format!("/api/v1/query?query={query}&time={}", seconds(end_ms)));
    let infos = told["infos"].to_string();
    assert!(infos.contains("downsampled to 1h") && infos.contains("old_value"), "{told}");
    // And once more: what is done is not done again, and a restart reads it.
    server.kill();
    server.restart();
    for (query, after) in answers(&server, begin_ms) {
        compare(query, &before[query], &after);
    }
}
