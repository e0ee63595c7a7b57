//! Downsampled series against the same series with all their samples: what looks at whole buckets must not tell them apart.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, helpers included")]

mod source;

use std::collections::BTreeMap;

use model::{Labels, Sample, SeriesBatch, SeriesSamples, TenantId, stale_nan};
use promql::{EvalLimits, EvalRange, Outcome, QueryValue, eval, parse};
use proptest::prelude::*;
use series::{SeriesDb, SeriesDownsampling, SeriesOptions};

use source::Source;

/// A full hour.
const BASE_MS: i64 = 1_700_000_400_000 - 1_700_000_400_000 % 3_600_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Samples of a series, and when the counter behind each started; no starts where none is known.
#[derive(Clone, Debug, Default)]
struct Raw {
    samples: Vec<Sample>,
    starts: Vec<i64>,
}

/// What comes next in a series.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// A sample so many milliseconds later, of which the value moves by so much.
    Sample(i64, f64),
    /// The counter begins anew.
    Reset,
    /// The series ends.
    Stale,
    /// Nothing for a while.
    Gap(i64),
    /// A value that is no number as others are.
    Odd(f64),
}

fn next() -> impl Strategy<Value = Next> {
    let step = prop_oneof![8 => Just(15_000i64), 1 => 1i64..40_000, 1 => 100_000i64..290_000];
    let moved = prop_oneof![4 => (0u32..50).prop_map(f64::from), 2 => 0.0..3.0f64, 1 => (-500i32..500).prop_map(|n| f64::from(n) / 100.0)];
    prop_oneof![
        60 => (step, moved).prop_map(|(step, moved)| Next::Sample(step, moved)),
        1 => Just(Next::Reset),
        1 => Just(Next::Stale),
        1 => (200_000i64..2 * HOUR_MS).prop_map(Next::Gap),
        1 => Just(Next::Odd(f64::NAN)),
    ]
}

fn raw(steps: &[Next], has_starts: bool) -> Raw {
    let (mut time_ms, mut value, mut start_ms) = (BASE_MS + 7_000, 3.0, BASE_MS - 5_000);
    let mut raw = Raw::default();
    for step in steps {
        let now = match step {
            Next::Sample(step_ms, moved) => {
                (time_ms, value) = (time_ms + step_ms, value + moved);
                value
            }
            Next::Reset => {
                (time_ms, value, start_ms) = (time_ms + 15_000, value / 4.0, time_ms + 5_000);
                value
            }
            Next::Stale => {
                time_ms += 15_000;
                stale_nan()
            }
            Next::Gap(gap_ms) => {
                time_ms += gap_ms;
                continue;
            }
            Next::Odd(odd) => {
                time_ms += 15_000;
                *odd
            }
        };
        raw.samples.push(Sample { time_ms, value: now });
        if has_starts {
            raw.starts.push(start_ms);
        }
    }
    raw
}

fn labels(at: usize) -> Labels {
    [("__name__", "m_total"), ("at", &*at.to_string())].into_iter().collect()
}

/// What is left by rules, and a database that follows them.
struct Db {
    db: SeriesDb,
    options: SeriesOptions,
    dir: tempfile::TempDir,
}

impl Db {
    fn new(steps: &[(i64, i64)]) -> Self {
        let rule = |(after_ms, resolution_ms): &(i64, i64)| SeriesDownsampling {
            matchers: Vec::new(),
            after_ms: *after_ms,
            resolution_ms: *resolution_ms,
        };
        let options = SeriesOptions {
            downsampling: steps.iter().map(rule).collect(),
            recent_bytes_max: 0,
            merge_blocks_min: 2,
            ..SeriesOptions::default()
        };
        let dir = tempfile::tempdir().unwrap();
        Self { db: SeriesDb::open(dir.path(), options.clone()).unwrap(), options, dir }
    }

    /// Inserts all series, a block for the samples of so many milliseconds.
    fn load(&self, all: &[Raw], block_ms: i64) {
        let end_ms = end_ms(all);
        let mut from_ms = BASE_MS;
        while from_ms <= end_ms {
            let part = |(at, raw): (usize, &Raw)| {
                let inside = |sample: &Sample| (from_ms..from_ms + block_ms).contains(&sample.time_ms);
                let places: Vec<usize> = (0..raw.samples.len()).filter(|at| inside(&raw.samples[*at])).collect();
                let starts =
                    if raw.starts.is_empty() { Vec::new() } else { places.iter().map(|at| raw.starts[*at]).collect() };
                let samples = places.iter().map(|at| raw.samples[*at]).collect();
                SeriesSamples { labels: labels(at), samples, starts, ..SeriesSamples::default() }
            };
            let series = all.iter().enumerate().map(part).collect();
            self.db.insert(&TenantId::default(), &SeriesBatch { series, metadata: Vec::new() });
            self.db.flush().unwrap();
            from_ms += block_ms;
        }
    }

    fn reopened(self) -> Self {
        let Self { db, options, dir } = self;
        drop(db);
        Self { db: SeriesDb::open(dir.path(), options.clone()).unwrap(), options, dir }
    }

    fn run(&self, text: &str, range: EvalRange) -> Outcome {
        let source = Source(&self.db);
        eval(&parse(text).unwrap(), &source, range, &EvalLimits::default()).unwrap()
    }

    /// Values by series and time.
    fn values(&self, text: &str, range: EvalRange) -> BTreeMap<(String, i64), f64> {
        let QueryValue::Matrix(matrix) = self.run(text, range).value else { panic!("{text} is no matrix") };
        let of = |series: promql::MatrixSeries| {
            let labels = series.labels.to_string();
            series.samples.into_iter().map(move |sample| ((labels.clone(), sample.time_ms), sample.value))
        };
        matrix.into_iter().flat_map(of).collect()
    }

    fn files(&self) -> Vec<(String, u64)> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap().map(Result::unwrap);
        let mut files: Vec<_> =
            entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())).collect();
        files.sort();
        files
    }

    fn samples(&self) -> usize {
        let found = self.db.select(&TenantId::default(), &[], i64::MIN, i64::MAX).unwrap();
        found.iter().map(|data| data.times.len()).sum()
    }
}

fn end_ms(all: &[Raw]) -> i64 {
    all.iter().flat_map(|raw| raw.samples.last()).map(|sample| sample.time_ms).max().unwrap_or(BASE_MS)
}

/// What gives of whole buckets what it gives of all samples.
const EXACT: [&str; 13] = [
    "min_over_time(m_total[W])",
    "max_over_time(m_total[W])",
    "sum_over_time(m_total[W])",
    "count_over_time(m_total[W])",
    "avg_over_time(m_total[W])",
    "last_over_time(m_total[W])",
    "first_over_time(m_total[W])",
    "present_over_time(m_total[W])",
    "rate(m_total[W])",
    "increase(m_total[W])",
    "delta(m_total[W])",
    "resets(m_total[W])",
    "m_total",
];

fn is_same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
        || a == b
        || a.is_nan() && b.is_nan()
        || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// Compares two databases at the ends of buckets, over windows of whole buckets.
fn check_same(raw: &Db, downsampled: &Db, all: &[Raw], bucket_ms: i64) {
    let start_ms = BASE_MS - HOUR_MS;
    let end_ms = (end_ms(all) / bucket_ms + 3) * bucket_ms;
    for text in EXACT {
        for buckets in [1, 2, 7] {
            for step in [1, 3] {
                let window = format!("{}ms", buckets * bucket_ms);
                let text = text.replace('W', &window);
                let range = EvalRange::Range { start_ms, end_ms, step_ms: step * bucket_ms };
                let (want, found) = (raw.values(&text, range), downsampled.values(&text, range));
                let differ = |key: &&(String, i64)| match (want.get(*key), found.get(*key)) {
                    (Some(a), Some(b)) => !is_same(*a, *b),
                    _ => true,
                };
                let first = want.keys().chain(found.keys()).find(differ);
                if let Some(key) = first {
                    panic!("{text} at {key:?}: {:?} of all samples, {:?} downsampled", want.get(key), found.get(key));
                }
            }
        }
    }
}

fn series() -> impl Strategy<Value = Raw> {
    (prop::collection::vec(next(), 1..500), any::<bool>()).prop_map(|(steps, starts)| raw(&steps, starts))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whole_buckets_give_what_all_samples_give(
        all in prop::collection::vec(series(), 1..3), block_ms in 20 * MINUTE_MS..5 * HOUR_MS, minutes in prop::sample::select(vec![1i64, 5, 60]),
    ) {
        let resolution_ms = minutes * MINUTE_MS;
        let (plain, downsampled) = (Db::new(&[]), Db::new(&[(DAY_MS, resolution_ms)]));
        plain.load(&all, block_ms);
        downsampled.load(&all, block_ms);
        let end_ms = end_ms(&all);
        // Some blocks are old enough, others are not.
        downsampled.db.retain_at(BASE_MS + (end_ms - BASE_MS) / 2 + DAY_MS, None).unwrap();
        check_same(&plain, &downsampled, &all, resolution_ms);
        let now_ms = end_ms + 2 * DAY_MS;
        downsampled.db.retain_at(now_ms, None).unwrap();
        check_same(&plain, &downsampled, &all, resolution_ms);
        downsampled.db.compact().unwrap();
        check_same(&plain, &downsampled, &all, resolution_ms);
        let files = downsampled.files();
        let downsampled = downsampled.reopened();
        downsampled.db.retain_at(now_ms + 2 * HOUR_MS, None).unwrap();
        prop_assert_eq!(files, downsampled.files(), "nothing is left to do");
        check_same(&plain, &downsampled, &all, resolution_ms);
    }

    #[test]
    fn two_steps_come_to_the_same_as_one(all in prop::collection::vec(series(), 1..3), block_ms in 20 * MINUTE_MS..5 * HOUR_MS) {
        let (five, hour) = (5 * MINUTE_MS, HOUR_MS);
        let (twice, once) = (Db::new(&[(DAY_MS, five), (10 * DAY_MS, hour)]), Db::new(&[(10 * DAY_MS, hour)]));
        for db in [&twice, &once] {
            db.load(&all, block_ms);
            for days in [2, 20] {
                db.db.retain_at(end_ms(&all) + days * DAY_MS, None).unwrap();
            }
        }
        let (twice, once) = (everything(&twice), everything(&once));
        prop_assert_eq!(twice.len(), once.len());
        for (a, b) in twice.iter().zip(&once) {
            prop_assert_eq!((&a.labels, &a.times, &a.starts), (&b.labels, &b.times, &b.starts));
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&a.values), bits(&b.values));
            for (at, (a, b)) in a.folds.iter().zip(&b.folds).enumerate() {
                prop_assert_eq!((a.count, a.resets), (b.count, b.resets));
                let pairs = [(a.sum, b.sum), (a.min, b.min), (a.max, b.max), (a.lost, b.lost)];
                prop_assert!(pairs.iter().all(|(a, b)| is_same(*a, *b)), "{at}: {a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn a_series_is_there_exactly_when_it_was(all in prop::collection::vec(series(), 1..2), offset_ms in 0..HOUR_MS) {
        let (plain, downsampled) = (Db::new(&[]), Db::new(&[(DAY_MS, HOUR_MS)]));
        for db in [&plain, &downsampled] {
            db.load(&all, 3 * HOUR_MS);
            db.db.retain_at(end_ms(&all) + 2 * DAY_MS, None).unwrap();
        }
        let range = EvalRange::Range { start_ms: BASE_MS - HOUR_MS + offset_ms, end_ms: end_ms(&all) + HOUR_MS, step_ms: 97_000 };
        let times = |db: &Db, text: &str| db.values(text, range).into_keys().collect::<Vec<_>>();
        prop_assert_eq!(times(&downsampled, "m_total"), times(&plain, "m_total"));
        for (_, time_ms) in times(&plain, "m_total") {
            let at = |db: &Db| db.run("count(m_total)", EvalRange::Instant { time_ms }).value;
            prop_assert_eq!(at(&downsampled), at(&plain), "at once");
        }
        for text in ["absent(m_total)", "present_over_time(m_total[5m])", "absent_over_time(m_total[5m])"] {
            prop_assert_eq!(times(&downsampled, text), times(&plain, text), "{}", text);
        }
    }
}

fn everything(db: &Db) -> Vec<series::SeriesData> {
    let selection =
        db.db.open_selection(&TenantId::default(), &[], i64::MIN, i64::MAX).wanting(series::Wanted::Everything);
    (0..selection.len()).map(|at| selection.read(at).unwrap()).collect()
}

/// A counter that grows by one in a second, and a gauge that goes up and down, for a day.
fn plain_day() -> Vec<Raw> {
    let counter = (0..5760).map(|at| Sample { time_ms: BASE_MS + at * 15_000, value: (at * 15) as f64 });
    let gauge = (0..5760).map(|at| Sample { time_ms: BASE_MS + at * 15_000, value: [1.0, 5.0, 3.0][at as usize % 3] });
    [counter.collect(), gauge.collect()].map(|samples| Raw { samples, starts: Vec::new() }).to_vec()
}

fn day(resolution_ms: i64) -> Db {
    let db = Db::new(&[(DAY_MS, resolution_ms)]);
    db.load(&plain_day(), 6 * HOUR_MS);
    db.db.retain_at(BASE_MS + 3 * DAY_MS, None).unwrap();
    db
}

#[test]
fn windows_that_cut_buckets_are_estimates_and_say_so() {
    let db = day(HOUR_MS);
    // Two of 240 samples are left, and one of the last bucket of the block before.
    assert_eq!(db.samples(), 2 * 4 * (2 * 6 + 1));
    let range = EvalRange::Range { start_ms: BASE_MS + 2 * HOUR_MS, end_ms: BASE_MS + 20 * HOUR_MS, step_ms: 411_000 };
    let check = |text: &str, wanted: f64, off: f64| {
        let found = db.values(text, range);
        assert_eq!(found.len(), 158, "{text}");
        let wrong = found.iter().find(|(_, value)| (*value - wanted).abs() > off);
        assert!(wrong.is_none(), "{text}: {wrong:?}");
    };
    for window in ["1m", "5m", "17m", "1h", "95m"] {
        check(&format!("rate(m_total{{at=\"0\"}}[{window}])"), 1.0, 1e-9);
        check(&format!("irate(m_total{{at=\"0\"}}[{window}])"), 1.0, 1e-9);
        check(&format!("resets(m_total{{at=\"0\"}}[{window}])"), 0.0, 0.0);
        check(&format!("max_over_time(m_total{{at=\"1\"}}[{window}])"), 5.0, 0.0);
        check(&format!("avg_over_time(m_total{{at=\"1\"}}[{window}])"), 3.0, 0.5);
    }
    check("increase(m_total{at=\"0\"}[17m])", 1020.0, 1e-6);
    check("count_over_time(m_total{at=\"1\"}[1h])", 240.0, 1.0);
    check("count_over_time(m_total{at=\"1\"}[5m])", 20.0, 1.0);
    check("sum_over_time(m_total{at=\"1\"}[5m])", 60.0, 8.0);
}

#[test]
fn a_query_says_what_it_read() {
    let db = day(5 * MINUTE_MS);
    let time_ms = BASE_MS + 10 * HOUR_MS;
    for text in ["m_total", "rate(m_total[1h])", "quantile_over_time(0.5, m_total[1h])"] {
        let infos = db.run(text, EvalRange::Instant { time_ms }).annotations.infos(text);
        assert_eq!(infos.len(), 1, "{infos:?}");
        let want =
            "PromQL info: samples were downsampled to 5m, what cuts these is an estimate for metric name \"m_total\"";
        assert!(infos[0].starts_with(want), "{infos:?}");
    }
    // What is too young is not downsampled, and nothing is said.
    let young = Db::new(&[(DAY_MS, 5 * MINUTE_MS)]);
    young.load(&plain_day(), 6 * HOUR_MS);
    young.db.retain_at(BASE_MS + DAY_MS, None).unwrap();
    assert!(young.run("rate(m_total[1h])", EvalRange::Instant { time_ms }).annotations.is_empty());
}

#[test]
fn a_range_at_the_root_has_the_samples_that_are_there() {
    let db = day(HOUR_MS);
    let value = db.run("m_total{at=\"0\"}[90m]", EvalRange::Instant { time_ms: BASE_MS + 4 * HOUR_MS + 60_000 }).value;
    let QueryValue::Matrix(matrix) = value else { panic!("{value:?}") };
    let times: Vec<i64> = matrix[0].samples.iter().map(|sample| (sample.time_ms - BASE_MS) / 1000).collect();
    assert_eq!(times, [3 * 3600, 3 * 3600 + 15, 4 * 3600, 4 * 3600 + 15]);
}
