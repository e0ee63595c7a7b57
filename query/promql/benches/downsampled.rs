//! Queries over months, of all samples and of downsampled ones: `cargo bench -p promql --bench downsampled`. Times are the least of a
//! few tries, on one thread.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends by a panic and prints what it found")]

use std::time::Instant;

use model::{Sample, SeriesBatch, SeriesSamples, TenantId};
use promql::{EvalLimits, EvalRange, eval, parse};
use series::{SeriesDb, SeriesDownsampling, SeriesOptions};

#[path = "../tests/downsampled/source.rs"]
mod source;

const DAY_MS: i64 = 86_400_000;
const DAYS: i64 = 60;
const STEP_MS: i64 = 15_000;
const SERIES: u32 = 20;
const TRIES: usize = 3;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let rule = |days: i64, minutes: i64| {
        let (after_ms, resolution_ms) = (days * DAY_MS, minutes * 60_000);
        SeriesDownsampling { matchers: Vec::new(), after_ms, resolution_ms }
    };
    let downsampling = vec![rule(1, 5), rule(1000, 60)];
    let options = SeriesOptions { downsampling, recent_bytes_max: 0, ..SeriesOptions::default() };
    let db = SeriesDb::open(dir.path(), options).unwrap();
    for day in 0..DAYS {
        db.insert(
            &TenantId::default(),
            &SeriesBatch { series: (0..SERIES).map(|at| scraped(at, day)).collect(), metadata: Vec::new() },
        );
        db.flush().unwrap();
    }
    println!(
        "{} samples of {SERIES} counters in {DAYS} days; milliseconds",
        i64::from(SERIES) * DAYS * DAY_MS / STEP_MS
    );
    let mut costs = Vec::new();
    for days in [None, Some(2), Some(2000)] {
        if let Some(days) = days {
            db.retain_at((DAYS + days) * DAY_MS, None).unwrap();
        }
        db.compact().unwrap();
        costs.push(QUERIES.map(|text| cost(&db, text)));
        println!(
            "{:.3} bytes a raw sample",
            db.disk_bytes() as f64 / (i64::from(SERIES) * DAYS * DAY_MS / STEP_MS) as f64
        );
    }
    println!("{:<44} {:>10} {:>10} {:>10}", "", "raw", "5m", "1h");
    for (at, text) in QUERIES.iter().enumerate() {
        println!("{text:<44} {:>10.1} {:>10.1} {:>10.1}", costs[0][at], costs[1][at], costs[2][at]);
    }
}

const QUERIES: [&str; 4] =
    ["sum(rate(m_total[6h]))", "avg(avg_over_time(m_total[1d]))", "max(max_over_time(m_total[1d]))", "sum(m_total)"];

/// A day of one counter, which is reset now and then.
fn scraped(at: u32, day: i64) -> SeriesSamples {
    let sample = |scrape: i64| {
        let since = (scrape + i64::from(at) * 977) % 30_000;
        Sample { time_ms: scrape * STEP_MS, value: (since * 7 + since % 11 * 3) as f64 }
    };
    let per_day = DAY_MS / STEP_MS;
    let labels = [("__name__", "m_total"), ("at", &*at.to_string())].into_iter().collect();
    let samples = (day * per_day..(day + 1) * per_day).map(sample).collect();
    SeriesSamples { labels, samples, ..SeriesSamples::default() }
}

/// The least time of a few tries, over all days at 200 steps.
fn cost(db: &SeriesDb, text: &str) -> f64 {
    let (expr, source) = (parse(text).unwrap(), source::Source(db));
    let range = EvalRange::Range { start_ms: DAY_MS, end_ms: DAYS * DAY_MS, step_ms: DAYS * DAY_MS / 200 };
    let once = || {
        let begin = Instant::now();
        eval(&expr, &source, range, &EvalLimits::default()).unwrap();
        begin.elapsed().as_secs_f64() * 1e3
    };
    (0..TRIES).map(|_| once()).fold(f64::MAX, f64::min)
}
