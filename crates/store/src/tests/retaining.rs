//! Retention by age, by size and by stream.

use model::StreamSelector;

use super::*;
use crate::{Retention, StreamRetention};

#[test]
fn r44_retention_drops_whole_segments_and_waits_for_readers() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { logs_ns: Some(DAY_NS), ..Retention::default() };
    let store = Store::open(StoreOptions { retention, ..options(dir.path()) }).unwrap();
    append(&store, rows(0..10));
    store.flush(false).unwrap();
    let held = snapshot(&store);
    // Even numbers are of day 20 000, odd ones of the day after.
    store.maintain(Timestamp(20_002 * DAY_NS)).unwrap();
    assert_eq!(numbers(&store), [1, 3, 5, 7, 9]);
    assert_eq!(files(dir.path(), "segments").len(), 4, "the reader's files are there");
    assert_eq!(read(&held).len(), 10);
    drop(held);
    store.maintain(Timestamp(20_002 * DAY_NS)).unwrap();
    assert_eq!(files(dir.path(), "segments").len(), 2);
    drop(store);
    assert_eq!(numbers(&open(dir.path())), [1, 3, 5, 7, 9]);
}

fn keep(selector: &str, days: i64) -> StreamRetention {
    StreamRetention { selector: StreamSelector::parse(selector).unwrap(), keep_ns: days * DAY_NS }
}

#[test]
fn streams_go_before_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![keep("service.name=s1", 2), keep("{service.name=\"s2\"}", 3)];
    let with_rules = || StoreOptions { retention_streams: rules.clone(), ..options(dir.path()) };
    let store = Store::open(with_rules()).unwrap();
    append(&store, rows(0..30));
    store.flush(false).unwrap();
    let kept_at = |store: &Store, days: i64| {
        store.maintain(Timestamp((20_000 + days) * DAY_NS + DAY_NS / 2)).unwrap();
        numbers(store)
    };
    let kept = |gone: &dyn Fn(i64) -> bool| (0..30).filter(|n| !gone(*n)).collect::<Vec<_>>();
    assert_eq!(kept_at(&store, 1), kept(&|_| false));
    // Even numbers are of day 20 000, odd ones of the day after.
    assert_eq!(kept_at(&store, 2), kept(&|n| n % 3 == 1 && n % 2 == 0));
    drop(store);
    let store = Store::open(with_rules()).unwrap();
    assert_eq!(numbers(&store), kept(&|n| n % 3 == 1 && n % 2 == 0), "it is remembered");
    assert_eq!(kept_at(&store, 3), kept(&|n| n % 3 == 1 || (n % 3 == 2 && n % 2 == 0)));
    assert_eq!(kept_at(&store, 9), kept(&|n| n % 3 != 0));
    store.flush(true).unwrap();
    assert_eq!(store.stats().deleted_rows, 0, "they are physically gone");
    assert_eq!(store.segments().iter().map(|meta| meta.rows).sum::<u64>(), 10);
    assert_eq!(kept_at(&store, 9), kept(&|n| n % 3 != 0));
}

#[test]
fn a_segment_of_one_stream_leaves_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![keep("service.name=s1", 1), keep("service.name=s0", 1), keep("service.name=s2", 1)];
    let store = Store::open(StoreOptions { retention_streams: rules, ..options(dir.path()) }).unwrap();
    append(&store, rows(0..10));
    store.flush(false).unwrap();
    store.maintain(Timestamp(20_002 * DAY_NS)).unwrap();
    assert_eq!(store.segments().len(), 1, "the second day is younger");
    assert_eq!(files(dir.path(), "segments").len(), 2);
}

#[test]
fn many_streams_are_read_from_the_columns() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![keep("service.name=s7", 1)];
    let store = Store::open(StoreOptions { retention_streams: rules, ..options(dir.path()) }).unwrap();
    let streams = segment::STREAMS_LISTED_MAX as i64 + 10;
    let row = |n: i64| {
        let mut row = Row::new(Timestamp(20_000 * DAY_NS + n));
        row.set("n", n);
        row.set("body", format!("line number {n}"));
        row.set("service.name", format!("s{}", n % streams));
        row.finish()
    };
    append(&store, Batch { tenant: tenant(), data: BatchData::Rows(Table::Logs, (0..streams * 2).map(row).collect()) });
    store.flush(false).unwrap();
    assert!(store.segments()[0].streams.is_none());
    store.maintain(Timestamp(20_001 * DAY_NS)).unwrap();
    assert_eq!(numbers(&store).len() as i64, streams * 2, "not old enough");
    store.maintain(Timestamp(20_002 * DAY_NS)).unwrap();
    let gone = |n: i64| n % streams == 7;
    assert_eq!(numbers(&store), (0..streams * 2).filter(|n| !gone(*n)).collect::<Vec<_>>());
    store.maintain(Timestamp(20_002 * DAY_NS)).unwrap();
    assert_eq!(store.stats().deleted_rows, 2);
}

#[test]
fn the_oldest_days_go_when_there_is_too_much() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let day = |n: i64, day: i64| {
        let mut row = row(n);
        row.time = Timestamp((20_000 + day) * DAY_NS);
        row
    };
    for round in 0..2 {
        let rows = (0..5).map(|n| day(round * 5 + n, n)).collect();
        append(&store, Batch { tenant: tenant(), data: BatchData::Rows(Table::Logs, rows) });
        store.flush(false).unwrap();
    }
    let total = store.stats().segment_bytes;
    drop(store);
    let kept = |bytes_max| {
        let store = Store::open(StoreOptions { retention_bytes: Some(bytes_max), ..options(dir.path()) }).unwrap();
        store.maintain(Timestamp(20_000 * DAY_NS)).unwrap();
        numbers(&store)
    };
    assert_eq!(kept(total).len(), 10);
    assert_eq!(kept(total - 1), [1, 2, 3, 4, 6, 7, 8, 9], "the first day");
    assert_eq!(kept(total / 2), [3, 4, 8, 9]);
    assert_eq!(kept(1), [4, 9], "the newest day stays");
    assert_eq!(files(dir.path(), "segments").len(), 4);
}

#[test]
fn damaged_segments_go_with_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { logs_ns: Some(DAY_NS), ..Retention::default() };
    let store = Store::open(StoreOptions { retention, ..options(dir.path()) }).unwrap();
    append(&store, rows(0..10));
    store.flush(false).unwrap();
    let first = store.segments()[0].id.clone();
    store.report_damage(&first, "a test says so").unwrap();
    store.maintain(Timestamp(20_002 * DAY_NS)).unwrap();
    assert_eq!(store.stats().damaged_segments, []);
    assert_eq!(files(dir.path(), "segments").len(), 2);
}
