//! Crashes at every step, and opening what is left.

use std::io;
use std::sync::Arc;

use wal::fault::{FaultPlan, FaultyDisk};

use super::*;
use crate::{AppendError, Retention, StoreError};

/// A workload with two flushes, a merge and retention; what was acknowledged, whatever fails.
fn work(store: &Store) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let numbers = round * 10..round * 10 + 10;
        let taken = store.append(vec![rows(numbers.clone()), sample(1_000 + round, round as f64)]);
        if taken.is_ok_and(|ack| ack.wait().is_ok()) {
            acknowledged.extend(numbers);
        }
        drop(store.flush(round == 2)); // its failure is what is tested
    }
    drop(store.maintain(Timestamp(20_001 * DAY_NS)));
    acknowledged
}

#[test]
fn r02_r14_a_crash_at_every_step_loses_and_doubles_nothing() {
    for at in Step::ALL {
        for retention in [Retention::default(), Retention { logs_ns: Some(DAY_NS / 2), ..Retention::default() }] {
            let dir = tempfile::tempdir().unwrap();
            let (hook, seen) = stop_at(at);
            let failing = StoreOptions { step_hook: Some(hook), retention, ..options(dir.path()) };
            let store = Store::open(failing).unwrap();
            let acknowledged = work(&store);
            assert_eq!(acknowledged, (0..40).collect::<Vec<_>>(), "appends do not depend on flushes");
            drop(store); // without a flush: as a crash leaves it
            let met = match at {
                Step::FlushWritten | Step::FlushCommitted | Step::MergeWritten | Step::MergeCommitted => true,
                Step::RetainCommitted => retention.logs_ns.is_some(),
                // These have tests of their own.
                Step::DeleteReady | Step::DeleteCommitted | Step::RepairWritten | Step::RepairCommitted => false,
            };
            if met {
                assert!(seen.lock().contains(&at), "{at:?} was not reached");
            }
            // The first day is past its retention, so its rows may be gone; of the second, none may.
            let store = open(dir.path());
            let kept: Vec<i64> = numbers(&store);
            let must: Vec<i64> =
                acknowledged.iter().copied().filter(|n| retention.logs_ns.is_none() || n % 2 == 1).collect();
            assert!(must.iter().all(|n| kept.contains(n)), "{at:?}: {kept:?}");
            assert!(kept.windows(2).all(|pair| pair[0] < pair[1]), "{at:?}: a row twice in {kept:?}");
            assert_eq!(samples(&store).len(), 4, "{at:?}");
            let ids: Vec<String> = store.segments().into_iter().map(|meta| meta.id).collect();
            let orphans: Vec<String> = files(dir.path(), "segments")
                .into_iter()
                .filter(|file| !ids.iter().any(|id| file.starts_with(id.as_str())))
                .collect();
            assert_eq!(orphans, Vec::<String>::new(), "{at:?}: files of no segment");
        }
    }
}

#[test]
fn r01_ids_are_the_same_after_replay_and_after_flush() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..5));
    store.append(vec![rows(5..7), sample(1, 1.0), rows(7..9)]).unwrap().wait().unwrap();
    let before = read(&snapshot(&store));
    assert_eq!(
        before.values().copied().collect::<Vec<_>>(),
        (0..9).collect::<Vec<_>>(),
        "ids rise in order of arrival"
    );
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.stats().replayed_records, 2);
    assert_eq!(read(&snapshot(&store)), before);
    store.flush(true).unwrap();
    assert_eq!(read(&snapshot(&store)), before);
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.stats().replayed_records, 0);
    assert_eq!(read(&snapshot(&store)), before);
    append(&store, rows(9..10));
    assert_eq!(numbers(&store), (0..10).collect::<Vec<_>>());
}

#[test]
fn r02_r05_fail_the_nth_log_operation() {
    let sound = FaultyDisk::default();
    {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions { disk: Arc::new(sound.clone()), ..options(dir.path()) }).unwrap();
        work(&store);
    }
    for fail_at in 1..=sound.operations() {
        for (sticky, error) in
            [(true, io::ErrorKind::Other), (false, io::ErrorKind::Other), (false, io::ErrorKind::StorageFull)]
        {
            let dir = tempfile::tempdir().unwrap();
            let disk = FaultyDisk::new(FaultPlan { fail_at, sticky, error, torn_seed: Some(fail_at) });
            let store = Store::open(StoreOptions { disk: Arc::new(disk), ..options(dir.path()) }).unwrap();
            let acknowledged = work(&store);
            drop(store);
            let store = open(dir.path());
            let kept = numbers(&store);
            assert!(acknowledged.iter().all(|n| kept.contains(n)), "operation {fail_at}: {acknowledged:?} in {kept:?}");
            assert!(kept.windows(2).all(|pair| pair[0] < pair[1]), "operation {fail_at}: a row twice in {kept:?}");
            assert_eq!(store.stats().wal_damage, Vec::<String>::new(), "operation {fail_at}");
        }
    }
}

#[test]
fn r05_a_failed_sync_is_a_fault_that_a_restart_heals() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let store = Store::open(StoreOptions { disk: Arc::new(disk.clone()), ..options(dir.path()) }).unwrap();
    append(&store, rows(0..3));
    disk.set_plan(FaultPlan { fail_at: 2, ..FaultPlan::default() });
    let failed = store.append(vec![rows(3..6)]).unwrap().wait();
    assert!(matches!(failed, Err(AppendError::Failed { .. })), "{failed:?}");
    assert!(store.fault().is_some());
    assert!(matches!(store.append(vec![rows(6..9)]), Err(AppendError::Failed { .. })));
    assert!(matches!(store.flush(false), Err(StoreError::Faulted { .. })));
    assert!(matches!(store.maintain(Timestamp(0)), Err(StoreError::Faulted { .. })));
    assert_eq!(numbers(&store), [0, 1, 2], "reading goes on");
    drop(store);
    let store = open(dir.path());
    assert_eq!((numbers(&store), store.fault()), (vec![0, 1, 2], None));
}

#[test]
fn r08_a_full_disk_is_busy_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(FaultPlan { fail_at: 1, error: io::ErrorKind::StorageFull, ..FaultPlan::default() });
    let store = Store::open(StoreOptions { disk: Arc::new(disk), ..options(dir.path()) }).unwrap();
    let refused = store.append(vec![rows(0..3)]).unwrap().wait();
    assert!(matches!(refused, Err(AppendError::Busy { reason: "the disk is full", .. })), "{refused:?}");
    append(&store, rows(3..6));
    assert_eq!((numbers(&store), store.fault()), (vec![3, 4, 5], None));
    assert_eq!(store.stats().memtable_rows, 3, "memory of the refused rows is free again");
}

#[test]
fn r07_a_log_file_that_is_already_gone_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let (hook, _) = stop_at(Step::FlushCommitted);
    let store = Store::open(StoreOptions { step_hook: Some(hook), ..options(dir.path()) }).unwrap();
    append(&store, rows(0..10));
    assert!(matches!(store.flush(false), Err(StoreError::Stopped { .. })));
    drop(store);
    // The crash came between deleting and syncing the directory: some files are gone.
    for file in files(dir.path(), "wal") {
        std::fs::remove_file(dir.path().join("wal").join(file)).unwrap();
    }
    let store = open(dir.path());
    assert_eq!((numbers(&store), store.stats().wal_damage), ((0..10).collect(), vec![]));
    append(&store, rows(10..11));
    assert_eq!(read(&snapshot(&store)).len(), 11, "new ids do not meet old ones");
}

#[test]
fn r14_damage_in_the_log_is_reported_and_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (0..6).for_each(|i| append(&store, rows(i * 10..i * 10 + 10)));
    drop(store);
    let path = dir.path().join("wal").join(&files(dir.path(), "wal")[0]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[64 + 100] ^= 1; // inside the first record
    std::fs::write(&path, bytes).unwrap();
    let store = open(dir.path());
    assert_eq!(numbers(&store), (10..60).collect::<Vec<_>>(), "the records behind are salvaged");
    assert_eq!(store.stats().wal_damage.len(), 1);
    assert_eq!(store.catalog().losses().unwrap().len(), 1);
    assert!(dir.path().join("wal/quarantine").is_dir());
    drop(store);
    assert_eq!(open(dir.path()).catalog().losses().unwrap().len(), 1, "one loss is one line");
}

#[test]
fn r15_a_garbage_log_file_does_not_stop_the_start() {
    let dir = tempfile::tempdir().unwrap();
    append(&open(dir.path()), rows(0..4));
    std::fs::write(dir.path().join("wal/wal-00000000000000aa.log"), vec![0x42; 777]).unwrap();
    std::fs::write(dir.path().join("wal/wal-00000000000000ab.log"), b"").unwrap();
    let store = open(dir.path());
    assert_eq!(numbers(&store), [0, 1, 2, 3]);
    assert_eq!(store.stats().wal_damage.len(), 1);
}

#[test]
fn r18_a_large_log_is_flushed_while_it_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (0..20).for_each(|i| append(&store, rows(i * 50..i * 50 + 50)));
    let all = store.stats().memtable_bytes;
    drop(store);
    let small = StoreOptions { flush_bytes: all / 9, memory_bytes_max: all / 5, ..options(dir.path()) };
    let store = Store::open(small).unwrap();
    let stats = store.stats();
    assert!(stats.memtable_bytes <= all / 4 && stats.segments > 2, "{stats:?}");
    assert_eq!(numbers(&store), (0..1000).collect::<Vec<_>>());
}

#[test]
fn r19_a_second_opener_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = Store::open(options(dir.path())).err().unwrap();
    let StoreError::Locked { pid, .. } = error else { panic!("{error}") };
    assert_eq!(pid, std::process::id());
    assert!(error.to_string().contains("is in use by process"), "{error}");
    drop(store);
    open(dir.path());
}

#[test]
fn r20_a_newer_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let path = dir.path().join("FORMAT");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("backstop-store 1", "backstop-store 2")).unwrap();
    let error = Store::open(options(dir.path())).err().unwrap();
    assert!(error.to_string().contains("format version 2, this Backstop knows version 1"), "{error}");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Store::open(options(dir.path())), Err(StoreError::Format { .. })), "a store without its id");
}

#[test]
fn r17_segments_without_their_catalog_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, rows(0..4));
    store.flush(false).unwrap();
    drop(store);
    let before = files(dir.path(), "segments");
    std::fs::rename(dir.path().join("catalog.sqlite"), dir.path().join("backup")).unwrap();
    let error = Store::open(options(dir.path())).err().unwrap();
    assert!(error.to_string().contains("catalog.sqlite is missing"), "{error}");
    assert_eq!((before.len(), files(dir.path(), "segments")), (4, before));
    std::fs::rename(dir.path().join("backup"), dir.path().join("catalog.sqlite")).unwrap();
    assert_eq!(numbers(&open(dir.path())), [0, 1, 2, 3]);
}
