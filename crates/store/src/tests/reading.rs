//! Snapshots.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::*;
use crate::Chunk;
use crate::memtable::{CHUNK_ROWS, TAIL_ROWS};

#[test]
fn an_acknowledged_row_is_visible() {
    fn shared<T: Send + Sync>(_: &T) {}
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    shared(&store);
    futures::executor::block_on(store.append(vec![rows(0..3), sample(5, 1.5)]).unwrap()).unwrap();
    assert_eq!(numbers(&store), [0, 1, 2]);
    assert_eq!(samples(&store), [(5, 1.5)]);
}

#[test]
fn snapshots_are_of_one_tenant_table_and_range() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..4));
    let other = TenantId::new("other").unwrap();
    append(&store, Batch { tenant: other.clone(), ..rows(4..6) });
    let count = |tenant: &TenantId, table, range| {
        let snapshot = store.snapshot(tenant, table, range);
        (snapshot.segments.len(), snapshot.chunks.iter().map(|chunk| chunk.rows()).sum::<usize>())
    };
    let first_day = TimeRange::new(Timestamp(20_000 * DAY_NS), Timestamp(20_001 * DAY_NS));
    let long_ago = TimeRange::new(Timestamp(0), Timestamp(1));
    assert_eq!(count(&tenant(), Table::Logs, TimeRange::ALL), (0, 4));
    assert_eq!(count(&other, Table::Logs, TimeRange::ALL), (0, 2));
    assert_eq!(count(&tenant(), Table::Spans, TimeRange::ALL), (0, 0));
    assert_eq!(count(&tenant(), Table::Logs, long_ago), (0, 0));
    store.flush(false).unwrap();
    assert_eq!(count(&tenant(), Table::Logs, TimeRange::ALL), (2, 0));
    assert_eq!(count(&tenant(), Table::Logs, first_day), (1, 0));
    assert_eq!(count(&other, Table::Logs, first_day), (1, 0));
    assert_eq!(count(&tenant(), Table::Logs, long_ago), (0, 0));
}

#[test]
fn chunks_are_made_once_and_the_tail_again_when_it_grew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let large = CHUNK_ROWS as i64 + 600;
    append(&store, rows(0..large));
    append(&store, rows(large..large + 10));
    let sizes = |snapshot: &Snapshot| snapshot.chunks.iter().map(|chunk| chunk.rows()).collect::<Vec<_>>();
    let (first, second) = (snapshot(&store), snapshot(&store));
    assert_eq!(sizes(&first), [CHUNK_ROWS, 600, 10]);
    assert!(first.chunks.iter().zip(&second.chunks).all(|(a, b)| Arc::ptr_eq(a, b)));
    append(&store, columns(large + 10..large + 11));
    let third = snapshot(&store);
    assert!(Arc::ptr_eq(&third.chunks[1], &first.chunks[1]));
    assert_eq!(sizes(&third), [CHUNK_ROWS, 600, 11]);
    assert_eq!(sizes(&first), [CHUNK_ROWS, 600, 10], "a snapshot does not change");
    assert_eq!(read(&third).len(), large as usize + 11);
}

#[test]
fn small_appends_become_few_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut next = 0;
    let mut more = |rows_each: i64, batches: i64| {
        for _ in 0..batches {
            let numbers = next..next + rows_each;
            next += rows_each;
            append(&store, if next % 2 == 0 { rows(numbers) } else { columns(numbers) });
        }
    };
    more(45, 3 * CHUNK_ROWS as i64 / 90);
    more(TAIL_ROWS as i64 + 1, CHUNK_ROWS as i64 / TAIL_ROWS as i64);
    let first = snapshot(&store);
    assert!(first.chunks.len() < 3 + CHUNK_ROWS / TAIL_ROWS, "{:?}", first.chunks);
    let held = store.stats().memtable_bytes;
    assert_eq!(read(&first).into_values().collect::<Vec<_>>(), (0..next).collect::<Vec<_>>());
    drop(first);
    assert!(store.stats().memtable_bytes < held + held / 2, "what chunks were made of is freed");
    store.flush(false).unwrap();
    assert_eq!(store.stats().memtable_bytes, 0);
    assert_eq!(numbers(&store), (0..next).collect::<Vec<_>>());
}

#[test]
fn a_chunk_that_is_asked_often_gets_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, columns(0..5000));
    append(&store, columns(5000..5010));
    let chunks = snapshot(&store).chunks;
    let indexed = |chunk: &Chunk| (0..100).filter_map(|_| chunk.index()).last().map(|index| index.rows());
    assert!(chunks[0].index().is_none(), "not at the first question");
    assert_eq!(indexed(&chunks[0]), Some(5000));
    assert_eq!(indexed(&chunks[1]), None, "too small");
    assert_eq!(chunks[0].times(), (Timestamp(20_000 * DAY_NS), Timestamp(20_001 * DAY_NS + 4999)));
}

#[test]
fn a_waiting_flush_is_woken_by_a_full_memtable() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions { flush_bytes: 1000, ..options(dir.path()) }).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| append(&store, columns(0..100)));
        store.wait_until_full(std::time::Duration::from_secs(600));
        store.maintain_memory(Timestamp(0)).unwrap();
    });
    assert_eq!(store.segments().len(), 2);
}

#[test]
fn a_snapshot_outlives_flush_and_merge() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..10));
    let in_memory = snapshot(&store);
    store.flush(false).unwrap();
    append(&store, rows(10..20));
    store.flush(false).unwrap();
    let in_segments = snapshot(&store);
    store.flush(true).unwrap();
    assert_eq!(files(dir.path(), "segments").len(), 2 * (2 + 4), "inputs stay while they are read");
    assert_eq!(read(&in_memory).len(), 10);
    assert_eq!(read(&in_segments).len(), 20);
    drop(in_segments);
    store.maintain(Timestamp(0)).unwrap();
    assert_eq!(files(dir.path(), "segments").len(), 4);
    assert_eq!(numbers(&store), (0..20).collect::<Vec<_>>());
}

#[test]
fn every_row_is_seen_once_while_it_moves() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..30 {
                append(&store, rows(round * 5..round * 5 + 5));
                if round % 3 == 0 {
                    store.flush(round % 6 == 0).unwrap();
                }
            }
            done.store(true, SeqCst);
        });
        let mut seen = 0;
        while !done.load(SeqCst) {
            let numbers = numbers(&store); // fails on an id that is there twice
            assert_eq!(numbers, (0..numbers.len() as i64).collect::<Vec<_>>(), "a prefix of what was appended");
            assert!(numbers.len() >= seen && numbers.len().is_multiple_of(5), "appends are seen whole and stay");
            seen = numbers.len();
        }
    });
    assert_eq!(numbers(&store).len(), 150);
}

#[test]
fn many_writers_get_their_acks_and_ids_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let store = &store;
            scope.spawn(move || (0..25).for_each(|i| append(store, rows(writer * 100 + i..writer * 100 + i + 1))));
        }
    });
    assert_eq!(numbers(&store).len(), 200);
    drop(store);
    assert_eq!(numbers(&open(dir.path())).len(), 200);
}
