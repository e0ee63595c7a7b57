//! Deletes.

use super::*;
use crate::StoreError;

fn one_to(max: u32) -> RoaringBitmap {
    (0..max).collect()
}

#[test]
fn deleted_rows_are_gone_at_once_and_from_the_files_at_the_next_merge() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..40));
    append(&store, columns(40..100));
    let before = snapshot(&store);
    let report = delete(&store, |n| n % 10 == 3).unwrap();
    assert_eq!(report, DeleteReport { rows: 10, segments: 1, segments_removed: 0 });
    let kept: Vec<i64> = (0..100).filter(|n| n % 10 != 3).collect();
    assert_eq!(numbers(&store), kept);
    assert_eq!(read(&before).len(), 100, "an older snapshot does not change");
    assert_eq!(delete(&store, |n| n % 20 == 3).unwrap(), DeleteReport::default(), "once is enough");
    assert_eq!(store.stats().deleted_rows, 10);
    drop(store);
    let store = open(dir.path());
    assert_eq!(numbers(&store), kept, "it is durable");
    append(&store, rows(100..103));
    assert_eq!(delete(&store, |n| n % 10 == 1).unwrap().rows, 11, "rows in memory are flushed before");
    assert_eq!(store.stats().deleted_rows, 20, "the segment of row 101 had no other");
    store.flush(true).unwrap();
    assert_eq!(store.stats().deleted_rows, 0);
    let kept: Vec<i64> = (0..103).filter(|n| n % 10 != 3 && n % 10 != 1).collect();
    assert_eq!(numbers(&store), kept);
    assert_eq!(store.segments().iter().map(|meta| meta.rows).sum::<u64>(), kept.len() as u64);
    drop(store);
    assert_eq!(numbers(&open(dir.path())), kept);
}

#[test]
fn a_segment_without_rows_leaves_at_once_and_a_worn_one_is_rewritten_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..100));
    let report = delete(&store, |n| n % 2 == 0).unwrap();
    assert_eq!(report, DeleteReport { rows: 50, segments: 1, segments_removed: 1 });
    assert_eq!(store.segments().len(), 1);
    let merges = |store: &Store| store.maintain_segments(Timestamp(0)).unwrap();
    delete(&store, |n| n < 20).unwrap();
    assert_eq!(store.stats().deleted_rows, 10);
    assert!(!merges(&store), "a fifth is not enough");
    delete(&store, |n| n < 22).unwrap();
    assert!(merges(&store));
    assert_eq!((store.stats().deleted_rows, store.segments()[0].rows), (0, 39));
    assert_eq!(numbers(&store), (22..100).filter(|n| n % 2 == 1).collect::<Vec<_>>());
    assert_eq!(files(dir.path(), "segments").len(), 2);
    delete(&store, |_| true).unwrap();
    assert_eq!((store.segments().len(), numbers(&store)), (0, vec![]));
}

#[test]
fn what_does_not_fit_deletes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..10));
    let frozen = store.freeze_for_delete().unwrap();
    let ids: Vec<String> = store.segments().into_iter().map(|meta| meta.id).collect();
    let other = TenantId::new("other").unwrap();
    for (of, table, deletes) in [
        (&tenant(), Table::Logs, vec![(ids[0].clone(), one_to(1)), ("unknown".to_owned(), one_to(1))]),
        (&tenant(), Table::Logs, vec![(ids[0].clone(), one_to(1)), (ids[1].clone(), one_to(6))]),
        (&tenant(), Table::Spans, vec![(ids[0].clone(), one_to(1))]),
        (&other, Table::Logs, vec![(ids[0].clone(), one_to(1))]),
    ] {
        assert!(matches!(frozen.delete(of, table, deletes), Err(StoreError::Delete { .. })));
    }
    assert_eq!(numbers(&store).len(), 10);
    let twice = vec![(ids[0].clone(), one_to(1)), (ids[0].clone(), one_to(2)), (ids[1].clone(), one_to(0))];
    assert_eq!(frozen.delete(&tenant(), Table::Logs, twice).unwrap().rows, 2);
    assert_eq!(numbers(&store).len(), 8);
}

#[test]
fn segments_stay_while_a_delete_is_computed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..4 {
        append(&store, rows(round * 10..round * 10 + 10));
        store.flush(false).unwrap();
    }
    let frozen = store.freeze_for_delete().unwrap();
    let ids = |store: &Store| store.segments().into_iter().map(|meta| meta.id).collect::<Vec<_>>();
    let before = ids(&store);
    std::thread::scope(|scope| {
        let merging = scope.spawn(|| store.flush(true).unwrap());
        append(&store, rows(40..50));
        assert_eq!(numbers(&store).len(), 50, "appends go on");
        assert!(before.iter().all(|id| ids(&store).contains(id)));
        let deletes = before.iter().map(|id| (id.clone(), one_to(1))).collect();
        assert_eq!(frozen.delete(&tenant(), Table::Logs, deletes).unwrap().rows, 8);
        drop(frozen);
        merging.join().unwrap();
    });
    store.flush(true).unwrap();
    assert_eq!((store.segments().len(), numbers(&store).len()), (2, 42));
}

#[test]
fn an_unreadable_list_of_deleted_rows_brings_none_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..10));
    delete(&store, |n| n == 4).unwrap();
    let victim = snapshot(&store).deleted.into_keys().next().unwrap();
    let garbage = catalog::DeletedRows { segment: victim.clone(), rows: 1, bitmap: vec![1, 2, 3] };
    store.catalog().commit(&catalog::Edit { delete: vec![garbage], ..Default::default() }).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(numbers(&store), [1, 3, 5, 7, 9]);
    assert_eq!(snapshot(&store).damaged[0].id, victim);
}

#[test]
fn r02_a_crash_in_a_delete_deletes_all_or_nothing() {
    for (at, gone) in [(Step::FlushWritten, false), (Step::DeleteReady, false), (Step::DeleteCommitted, true)] {
        let dir = tempfile::tempdir().unwrap();
        let (hook, seen) = stop_at(at);
        let store = Store::open(StoreOptions { step_hook: Some(hook), ..options(dir.path()) }).unwrap();
        append(&store, rows(0..30));
        // Of one day some, of the other all: a list of rows, and a segment that leaves.
        let wanted = |n: i64| n % 2 == 0 || n % 5 == 0;
        assert!(matches!(delete(&store, wanted), Err(StoreError::Stopped { .. })));
        assert!(seen.lock().contains(&at));
        drop(store);
        let store = open(dir.path());
        assert_eq!(numbers(&store), (0..30).filter(|n| !gone || !wanted(*n)).collect::<Vec<_>>(), "{at:?}");
        assert_eq!(delete(&store, wanted).unwrap().rows, if gone { 0 } else { 18 });
        store.flush(true).unwrap();
        assert_eq!(numbers(&store).len(), 12);
        assert_eq!(files(dir.path(), "segments").len(), 2);
    }
}
