//! Flush, merge, retention, limits, damaged segments.

use super::*;
use crate::{AppendError, ROWS_PER_APPEND_MAX};

#[test]
fn merging_keeps_every_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..7 {
        append(&store, rows(round * 9..round * 9 + 4));
        append(&store, columns(round * 9 + 4..round * 9 + 9));
        store.flush(false).unwrap();
    }
    let before = read(&snapshot(&store));
    assert_eq!(store.segments().len(), 14, "seven flushes, two days");
    let report = store.flush(true).unwrap();
    assert_eq!(report.merges, 2);
    let segments = store.segments();
    assert_eq!(segments.iter().map(|meta| meta.rows).sum::<u64>(), 63);
    assert_eq!(segments.len(), 2, "one a day");
    assert_eq!(read(&snapshot(&store)), before);
    assert_eq!(files(dir.path(), "segments").len(), 4, "the merged files are deleted");
    assert_eq!(store.flush(true).unwrap().merges, 0);
    drop(store);
    assert_eq!(read(&snapshot(&open(dir.path()))), before);
}

#[test]
fn maintenance_merges_one_group_at_a_time_until_none_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..4 {
        append(&store, rows(round * 4..round * 4 + 4));
        store.flush(false).unwrap();
    }
    let counts: Vec<usize> = (0..4)
        .map(|i| {
            store.maintain(Timestamp(20_000 * DAY_NS + i)).unwrap();
            store.segments().len()
        })
        .collect();
    assert_eq!(counts, [5, 2, 2, 2]);
    assert_eq!(numbers(&store), (0..16).collect::<Vec<_>>());
}

#[test]
fn a_merge_respects_the_row_limit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions { merge_rows_max: 10, ..options(dir.path()) }).unwrap();
    for round in 0..6 {
        append(&store, rows(round * 8..round * 8 + 8));
        store.flush(true).unwrap();
    }
    let segments = store.segments();
    assert!(segments.iter().all(|meta| meta.rows <= 10), "{segments:?}");
    assert_eq!(numbers(&store), (0..48).collect::<Vec<_>>());
}

#[test]
fn maintenance_flushes_by_age_and_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions { flush_age_ns: 100, flush_bytes: 20_000, ..options(dir.path()) }).unwrap();
    let segments_at = |now| {
        store.maintain(Timestamp(now)).unwrap();
        store.segments().len()
    };
    assert_eq!(segments_at(1_000), 0);
    append(&store, rows(0..2));
    assert_eq!(segments_at(1_010), 0, "young");
    assert_eq!(segments_at(500), 0, "r21: the clock jumped back");
    assert_eq!(segments_at(599), 0, "the age counts from the jump");
    assert_eq!(segments_at(600), 2, "old");
    append(&store, rows(2..202));
    assert_eq!(segments_at(601), 4, "large");
    assert_eq!(store.stats().memtable_bytes, 0);
    assert_eq!(numbers(&store).len(), 202);
}

#[test]
fn appends_over_a_limit_are_refused_and_counted_memory_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions { memory_bytes_max: 30_000, ..options(dir.path()) }).unwrap();
    append(&store, rows(0..100));
    let busy = store.append(vec![rows(100..200)]).unwrap_err();
    assert!(matches!(busy, AppendError::Busy { retry_after_ms: 1_000, reason: "the memtable is full" }), "{busy:?}");
    store.flush(false).unwrap();
    append(&store, rows(100..200));
    let row = Row::new(Timestamp(0));
    let many = Batch { tenant: tenant(), data: BatchData::Rows(Table::Spans, vec![row; ROWS_PER_APPEND_MAX + 1]) };
    assert!(matches!(store.append(vec![many]), Err(AppendError::TooLarge { unit: "rows", .. })));
    let days: Vec<Row> = (0..1001).map(|day| Row::new(Timestamp(day * DAY_NS))).collect();
    let columns = column::rows_to_batch(&Vec::from_iter(&days));
    let days = [BatchData::Rows(Table::Spans, days), BatchData::Columns(Table::Spans, columns)];
    for data in days {
        let days = Batch { tenant: tenant(), data };
        assert!(matches!(store.append(vec![days]), Err(AppendError::TooLarge { unit: "days", size: 1001, .. })));
    }
    store.append(Vec::new()).unwrap().wait().unwrap();
    assert_eq!(numbers(&store), (0..200).collect::<Vec<_>>());
}

#[test]
fn r16_a_damaged_segment_is_set_aside_and_shown() {
    for cut in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        for round in 0..2 {
            append(&store, rows(round * 10..round * 10 + 10));
            store.flush(false).unwrap();
        }
        let victim = store.segments()[0].clone();
        drop(store);
        let path = dir.path().join("segments").join(victim.parquet_key());
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        if cut {
            bytes.truncate(middle)
        } else {
            bytes[middle] ^= 1
        }
        std::fs::write(&path, bytes).unwrap();
        let store = open(dir.path());
        // A wrong length shows at the start, a flipped bit at the first read: here, of a merge.
        store.flush(true).unwrap();
        assert_eq!(numbers(&store).len() as u64, 20 - victim.rows);
        let damaged = snapshot(&store).damaged;
        assert_eq!(damaged.iter().map(|segment| &segment.id).collect::<Vec<_>>(), [&victim.id]);
        assert_eq!(store.stats().damaged_segments, damaged);
        assert!(path.exists(), "the file is kept for repair");
        drop(store);
        let store = open(dir.path());
        assert_eq!(snapshot(&store).damaged, damaged, "it is remembered");
        assert_eq!(store.catalog().losses().unwrap().len(), 1);
    }
}

#[test]
fn a_reader_reports_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..4));
    store.flush(false).unwrap();
    let id = store.segments()[0].id.clone();
    store.report_damage(&id, "checksum").unwrap();
    store.report_damage(&id, "checksum").unwrap();
    store.report_damage("unknown", "x").unwrap();
    assert_eq!(store.segments().len(), 1);
    assert_eq!(snapshot(&store).damaged[0].reason, "checksum");
    let elsewhere = TimeRange::new(Timestamp(0), Timestamp(5));
    assert!(store.snapshot(&tenant(), Table::Logs, elsewhere).damaged.is_empty(), "not of this range");
}

#[test]
fn many_days_are_flushed_in_groups() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let row = |n: i64| {
        let mut row = row(n);
        row.time = Timestamp((n % 100 - 50) * 7 * DAY_NS + n);
        row
    };
    let all: Vec<Row> = (0..1000).map(row).collect();
    let columns = column::rows_to_batch(&Vec::from_iter(&all));
    append(&store, Batch { tenant: tenant(), data: BatchData::Columns(Table::Logs, columns) });
    let before = read(&snapshot(&store));
    store.flush(false).unwrap();
    assert_eq!(store.segments().len(), 100);
    assert!(store.segments().iter().all(|meta| meta.rows == 10));
    assert_eq!(read(&snapshot(&store)), before);
}
