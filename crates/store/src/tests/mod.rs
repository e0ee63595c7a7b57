//! The store against crashes, damage and concurrency. Test names carry the fault ids of the catalogue.

mod crash;
mod deleting;
mod house;
mod memory;
mod mending;
mod model_test;
mod reading;
mod retaining;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use model::{Batch, BatchData, Labels, Row, Sample, SeriesBatch, SeriesSamples, Table, TenantId, TimeRange, Timestamp};
use parking_lot::Mutex;
use roaring::RoaringBitmap;
use segment::{Projection, Segment};
use series::{MatchOp, Matcher};

use crate::{DeleteReport, Snapshot, Step, StepHook, Store, StoreError, StoreOptions};

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

/// Row `n`: of one of two days and three streams.
fn row(n: i64) -> Row {
    let mut row = Row::new(Timestamp(20_000 * DAY_NS + (n % 2) * DAY_NS + n));
    row.set("n", n);
    row.set("body", format!("line number {n}"));
    row.set("service.name", format!("s{}", n % 3));
    row.finish()
}

/// Rows with the numbers given.
fn rows(numbers: std::ops::Range<i64>) -> Batch {
    Batch { tenant: tenant(), data: BatchData::Rows(Table::Logs, numbers.map(row).collect()) }
}

/// The same as columns.
fn columns(numbers: std::ops::Range<i64>) -> Batch {
    let rows: Vec<Row> = numbers.map(row).collect();
    let columns = column::rows_to_batch(&rows.iter().collect::<Vec<_>>());
    Batch { tenant: tenant(), data: BatchData::Columns(Table::Logs, columns) }
}

fn sample(time_ms: i64, value: f64) -> Batch {
    let labels: Labels = [("__name__", "up")].into_iter().collect();
    let samples = vec![Sample { time_ms, value }];
    let series = vec![SeriesSamples { labels, samples, ..SeriesSamples::default() }];
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
    let mut found = BTreeMap::new();
    let mut add = |batch: &RecordBatch| {
        for row in column::rows_from_batch(batch) {
            let n = number(&row);
            assert_eq!(row.body(), format!("line number {n}"));
            assert!(found.insert(row.id.0, n).is_none(), "id {} twice", row.id);
        }
    };
    snapshot.chunks.iter().for_each(|chunk| add(chunk.batch()));
    for segment in &snapshot.segments {
        let kept = kept_rows(snapshot, segment);
        segment.read(&Projection::All, Some(&kept)).unwrap().for_each(|batch| add(&batch.unwrap()));
    }
    found
}

fn number(row: &Row) -> i64 {
    row.get("n").and_then(model::Value::number).unwrap() as i64
}

fn kept_rows(snapshot: &Snapshot, segment: &Segment) -> RoaringBitmap {
    let mut rows = RoaringBitmap::new();
    rows.insert_range(0..segment.meta().rows as u32);
    match snapshot.deleted.get(&segment.meta().id) {
        Some(deleted) => rows - &**deleted,
        None => rows,
    }
}

/// Deletes the rows whose number is asked for, as an engine does it.
fn delete(store: &Store, wanted: impl Fn(i64) -> bool) -> Result<DeleteReport, StoreError> {
    let frozen = store.freeze_for_delete()?;
    let snapshot = frozen.snapshot(&tenant(), Table::Logs, TimeRange::ALL);
    assert!(snapshot.chunks.is_empty());
    let mut deletes = Vec::new();
    for segment in &snapshot.segments {
        let mut rows = RoaringBitmap::new();
        let mut at = 0;
        for batch in segment.read(&Projection::All, None).unwrap() {
            for row in column::rows_from_batch(&batch.unwrap()) {
                if wanted(number(&row)) {
                    rows.insert(at);
                }
                at += 1;
            }
        }
        deletes.push((segment.meta().id.clone(), rows));
    }
    frozen.delete(&tenant(), Table::Logs, deletes)
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
