//! Repair of indexes, and files that no catalog names.

use std::fs;

use super::*;
use crate::{Repair, RepairOutcome, StoreError};

fn flip(dir: &Path, key: &str) {
    let path = dir.join("segments").join(key);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(path, bytes).unwrap();
}

/// A store with four segments of ten rows, and its options.
fn four(dir: &Path) -> Store {
    let store = Store::open(StoreOptions { merge_fan_in: 100, ..options(dir) }).unwrap();
    for round in 0..2 {
        append(&store, rows(round * 20..round * 20 + 20));
        store.flush(false).unwrap();
    }
    store
}

#[test]
fn r16_indexes_are_built_again_and_damaged_columns_stay_out_of_use() {
    let dir = tempfile::tempdir().unwrap();
    let store = four(dir.path());
    delete(&store, |n| n == 0).unwrap();
    let metas = store.segments();
    let with_deleted = metas.iter().position(|meta| snapshot(&store).deleted.contains_key(&meta.id)).unwrap();
    drop(store);
    let whole: Vec<usize> = (0..4).filter(|at| *at != with_deleted).collect();
    let (damaged, missing) = (whole[0], whole[1]);
    flip(dir.path(), &metas[with_deleted].index_key());
    fs::remove_file(dir.path().join("segments").join(metas[missing].index_key())).unwrap();
    flip(dir.path(), &metas[damaged].parquet_key());
    let store = open(dir.path());
    let held = snapshot(&store);
    assert_eq!(held.segments.len(), 4, "a segment without an index is in use");
    let mut repairs = store.repair().unwrap();
    repairs.sort_by_key(|repair| metas.iter().position(|meta| meta.id == repair.segment));
    for repair in &repairs {
        let at = metas.iter().position(|meta| meta.id == repair.segment).unwrap();
        match &repair.outcome {
            RepairOutcome::Rebuilt { bytes } => assert!(at != damaged && *bytes > 0, "{repair:?}"),
            RepairOutcome::Damaged { .. } => assert_eq!(at, damaged),
            RepairOutcome::Restored => panic!("{repair:?}"),
        }
    }
    assert_eq!(repairs.len(), 3);
    let kept = numbers(&store);
    assert_eq!(kept.len(), 29, "ten rows are damaged and one is deleted");
    assert_eq!(snapshot(&store).damaged.len(), 1);
    assert!(snapshot(&store).segments.iter().all(|segment| segment.index().is_ok()));
    drop(held);
    assert_eq!(store.repair().unwrap().len(), 1, "the damaged one is named again");
    drop(store);
    let store = open(dir.path());
    assert_eq!(numbers(&store), kept);
    assert_eq!(files(dir.path(), "segments").len(), 8, "old indexes are deleted");
    assert!(snapshot(&store).segments.iter().all(|segment| segment.verify().is_ok()));
    flip(dir.path(), &metas[damaged].parquet_key());
    let restored = Repair { segment: metas[damaged].id.clone(), outcome: RepairOutcome::Restored };
    assert_eq!(store.repair().unwrap(), [restored]);
    assert_eq!(numbers(&store).len(), 39);
    drop(store);
    assert_eq!(numbers(&open(dir.path())).len(), 39);
}

#[test]
fn r02_a_crash_in_a_repair_does_no_harm() {
    for at in [Step::RepairWritten, Step::RepairCommitted] {
        let dir = tempfile::tempdir().unwrap();
        let metas = four(dir.path()).segments();
        flip(dir.path(), &metas[0].index_key());
        let (hook, seen) = stop_at(at);
        let store = Store::open(StoreOptions { step_hook: Some(hook), ..options(dir.path()) }).unwrap();
        assert!(matches!(store.repair(), Err(StoreError::Stopped { .. })));
        assert!(seen.lock().contains(&at));
        drop(store);
        let store = open(dir.path());
        assert_eq!(numbers(&store).len(), 40);
        assert_eq!(store.repair().unwrap().len(), usize::from(at == Step::RepairWritten));
        assert_eq!(files(dir.path(), "segments").len(), 8);
        drop(store);
        assert_eq!(numbers(&open(dir.path())).len(), 40);
    }
}

/// Puts the catalog of an earlier time back.
fn with_old_catalog(dir: &Path, work: impl FnOnce()) {
    let (catalog, backup) = (dir.join("catalog.sqlite"), dir.join("backup"));
    // Opening and closing the file brings what SQLite keeps beside it into it.
    drop(catalog::Catalog::open(&catalog).unwrap());
    fs::copy(&catalog, &backup).unwrap();
    work();
    fs::rename(backup, catalog).unwrap();
    for beside in ["catalog.sqlite-wal", "catalog.sqlite-shm"] {
        drop(fs::remove_file(dir.join(beside)));
    }
}

/// Restarts so often that the log holds nothing of what is in segments.
fn forget_log(dir: &Path) {
    for file in files(dir, "wal") {
        fs::remove_file(dir.join("wal").join(file)).unwrap();
    }
}

#[test]
fn r17_segments_newer_than_a_restored_catalog_are_kept() {
    for merged in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        drop(four(dir.path()));
        with_old_catalog(dir.path(), || {
            let store = open(dir.path());
            append(&store, rows(40..60));
            store.flush(merged).unwrap();
            drop(store);
            forget_log(dir.path());
        });
        let store = open(dir.path());
        assert_eq!(store.stats().orphans, 2);
        assert_eq!(files(dir.path(), "orphans").len(), 4);
        assert_eq!(store.catalog().losses().unwrap().iter().filter(|loss| loss.source == "orphan").count(), 2);
        if merged {
            // The inputs are gone: what the catalog names is out of use, and nothing else was deleted.
            assert_eq!((numbers(&store), store.stats().damaged_segments.len()), (vec![], 4));
        } else {
            assert_eq!(numbers(&store), (0..40).collect::<Vec<_>>());
        }
        append(&store, rows(60..70));
        store.flush(true).unwrap();
        drop(store);
        assert_eq!(open(dir.path()).stats().orphans, 0, "they are out of the way");
        assert_eq!(files(dir.path(), "orphans").len(), 4);
    }
}

#[test]
fn r17_segments_that_the_log_still_has_are_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let large = || StoreOptions { wal_file_bytes: 1 << 20, ..options(dir.path()) };
    let store = Store::open(large()).unwrap();
    append(&store, rows(0..20));
    drop(store);
    with_old_catalog(dir.path(), || {
        let store = Store::open(large()).unwrap();
        append(&store, rows(20..40));
        // The log's file is in use and stays.
        store.flush(true).unwrap();
    });
    let store = Store::open(large()).unwrap();
    let log_is_whole = store.stats().wal_damage.is_empty();
    let kept = numbers(&store);
    assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
    // Either the log has all of it, or the segments are kept.
    assert!((log_is_whole && kept.len() == 40) || store.stats().orphans > 0);
}

#[test]
fn r15_files_that_nobody_knows_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    drop(four(dir.path()));
    let segments = dir.path().join("segments");
    for name in ["notes.txt", "00-zz.parquet", "00-zz.idx", "01-0000000000000000-00.idx"] {
        fs::write(segments.join(name), b"what is this").unwrap();
    }
    let store = open(dir.path());
    assert_eq!(numbers(&store).len(), 40);
    assert_eq!(files(dir.path(), "segments").len(), 8);
    assert_eq!(files(dir.path(), "orphans"), ["00-zz.idx", "00-zz.parquet", "notes.txt"]);
}
