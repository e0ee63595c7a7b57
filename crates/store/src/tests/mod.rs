//! The store against crashes, damage and concurrency. Test names carry the fault ids of the catalogue.

mod crash;
mod house;
mod reading;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use model::{Batch, BatchData, Labels, Row, Sample, SeriesBatch, SeriesSamples, Table, TenantId, TimeRange, Timestamp};
use parking_lot::Mutex;
use segment::Projection;
use series::{MatchOp, Matcher};

use crate::{Snapshot, Step, StepHook, Store, StoreOptions};

/// Small limits, so that little data meets them.
fn options(dir: &Path) -> StoreOptions {
    StoreOptions { wal_file_bytes: 8 << 10, merge_fan_in: 3, ..StoreOptions::new(dir) }
}

fn open(dir: &Path) -> Store {
    Store::open(options(dir)).unwrap()
}

fn tenant() -> TenantId {
    TenantId::default()
}

const DAY_NS: i64 = 86_400_000_000_000;

/// Rows with the numbers given, on two days and in three streams.
fn rows(numbers: std::ops::Range<i64>) -> Batch {
    let row = |n: i64| {
        let mut row = Row::new(Timestamp(20_000 * DAY_NS + (n % 2) * DAY_NS + n));
        row.set("n", n);
        row.set("body", format!("line number {n}"));
        row.set("service.name", format!("s{}", n % 3));
        row.finish()
    };
    Batch { tenant: tenant(), data: BatchData::Rows(Table::Logs, numbers.map(row).collect()) }
}

fn sample(time_ms: i64, value: f64) -> Batch {
    let labels: Labels = [("__name__", "up")].into_iter().collect();
    let samples = vec![Sample { time_ms, value }];
    let series = vec![SeriesSamples { labels, samples, exemplars: Vec::new() }];
    Batch { tenant: tenant(), data: BatchData::Series(SeriesBatch { series, metadata: Vec::new() }) }
}

fn append(store: &Store, batch: Batch) {
    store.append(vec![batch]).unwrap().wait().unwrap();
}

fn snapshot(store: &Store) -> Snapshot {
    store.snapshot(&tenant(), Table::Logs, TimeRange::ALL)
}

/// The rows of a snapshot: number by id. Fails on an id that is there twice.
fn read(snapshot: &Snapshot) -> BTreeMap<u64, i64> {
    let chunks = snapshot.chunks.iter().map(|chunk| (**chunk).clone());
    let segments = snapshot.segments.iter().flat_map(|s| s.read(&Projection::All, None).unwrap().map(Result::unwrap));
    let mut found = BTreeMap::new();
    for batch in chunks.chain(segments) {
        for row in column::rows_from_batch(&batch) {
            let n = row.get("n").and_then(model::Value::number).unwrap() as i64;
            assert_eq!(row.body(), format!("line number {n}"));
            assert!(found.insert(row.id.0, n).is_none(), "id {} twice", row.id);
        }
    }
    found
}

/// The numbers in the store, sorted; a number twice shows twice.
fn numbers(store: &Store) -> Vec<i64> {
    let mut numbers: Vec<i64> = read(&snapshot(store)).into_values().collect();
    numbers.sort_unstable();
    numbers
}

fn samples(store: &Store) -> Vec<(i64, f64)> {
    let up = Matcher::new("__name__", MatchOp::Equal, "up").unwrap();
    let found = store.series().select(&tenant(), &[up], 0, i64::MAX).unwrap();
    found.iter().flat_map(|series| series.times.iter().copied().zip(series.values.iter().copied())).collect()
}

fn files(dir: &Path, under: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.join(under))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A hook that stops at one step, and notes the steps it saw.
fn stop_at(at: Step) -> (StepHook, Arc<Mutex<Vec<Step>>>) {
    let seen: Arc<Mutex<Vec<Step>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let hook: StepHook = Arc::new(move |step| {
        noted.lock().push(step);
        if step == at { Err("crash".to_owned()) } else { Ok(()) }
    });
    (hook, seen)
}
