//! What counts as memory: a request while it is on its way, and then what stays of it.

use std::io;

use parking_lot::Condvar;
use wal::{Disk, LocalDisk, LogFile};

use super::*;
use crate::AppendError;

/// A disk whose syncs wait while a test says so.
#[derive(Clone, Default)]
struct SlowDisk(Arc<(Mutex<bool>, Condvar)>);

impl SlowDisk {
    fn hold(&self, held: bool) {
        *self.0.0.lock() = held;
        self.0.1.notify_all();
    }
}

impl Disk for SlowDisk {
    fn create(&self, path: &Path, bytes: u64) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(SlowFile { file: LocalDisk.create(path, bytes)?, disk: self.clone() }))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(dir)
    }

    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        LocalDisk.truncate(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }
}

struct SlowFile {
    file: Box<dyn LogFile>,
    disk: SlowDisk,
}

impl LogFile for SlowFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let (held, changed) = &*self.disk.0;
        changed.wait_while(&mut held.lock(), |held| *held);
        self.file.sync()
    }
}

/// What a scrape sends: a sample of each of some series.
fn scrape(series: usize, time_ms: i64) -> Batch {
    let one = |number: usize| SeriesSamples {
        labels: [("__name__", "requests_total"), ("instance", &number.to_string())].into_iter().collect(),
        samples: vec![Sample { time_ms, value: (time_ms / 15_000 * 7) as f64 }],
        ..SeriesSamples::default()
    };
    let batch = SeriesBatch { series: (0..series).map(one).collect(), metadata: Vec::new() };
    Batch { tenant: tenant(), data: BatchData::Series(batch) }
}

fn held(store: &Store) -> usize {
    store.stats().memtable_bytes
}

#[test]
fn samples_count_as_what_the_series_database_keeps_until_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let requested = crate::store::memory_bytes(&scrape(10, 0));
    for at in 0..160 {
        append(&store, scrape(10, at * 15_000));
        assert_eq!(held(&store), store.series().unflushed_bytes(), "nothing is on its way");
    }
    let kept = held(&store);
    assert!((10 * 16 * 16..requested * 160 / 10).contains(&kept), "{kept} bytes of {requested} a request");
    append(&store, rows(0..10));
    assert!(held(&store) > kept, "rows count as well");
    // What is replayed counts the same.
    let before = held(&store);
    drop(store);
    let store = open(dir.path());
    assert_eq!(held(&store), before);
    store.flush(false).unwrap();
    assert_eq!((held(&store), store.series().unflushed_bytes()), (0, 0));
    assert!(store.series().recent_bytes() >= kept / 2, "they are still in memory, within a budget of their own");
    drop(store);
    assert_eq!(held(&open(dir.path())), 0);
}

#[test]
fn a_flush_comes_when_samples_take_memory_and_not_when_requests_did() {
    let dir = tempfile::tempdir().unwrap();
    let max = 20_000;
    let store = Store::open(StoreOptions { flush_bytes: max, ..options(dir.path()) }).unwrap();
    let requested = crate::store::memory_bytes(&scrape(10, 0));
    let mut sent = 0;
    let mut now = 0;
    while store.series().disk_bytes() == 0 {
        assert!(held(&store) < max, "{} bytes after {sent}", held(&store));
        append(&store, scrape(10, now));
        (sent, now) = (sent + requested, now + 15_000);
        store.maintain_memory(Timestamp(0)).unwrap();
    }
    assert!(sent > 10 * max, "flushed after requests of {sent} bytes");
    assert_eq!(held(&store), 0);
}

#[test]
fn new_series_with_one_sample_each_make_a_flush_come() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions { flush_bytes: 20_000, ..options(dir.path()) }).unwrap();
    append(&store, scrape(1200, 0));
    store.maintain_memory(Timestamp(0)).unwrap();
    assert_eq!((held(&store), store.series().disk_bytes()), (1200 * 16, 0), "a sample takes 16 bytes");
    append(&store, scrape(1300, 0));
    store.maintain_memory(Timestamp(0)).unwrap();
    assert!(held(&store) == 0 && store.series().disk_bytes() > 0);
}

#[test]
fn requests_on_their_way_count_whole_and_are_refused_over_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SlowDisk::default();
    let requested = crate::store::memory_bytes(&scrape(100, 0));
    let limited = StoreOptions {
        memory_bytes_max: 3 * requested + requested / 2,
        disk: Arc::new(disk.clone()),
        ..options(dir.path())
    };
    let store = Store::open(limited).unwrap();
    disk.hold(true);
    let acks: Vec<_> = (0..3).map(|at| store.append(vec![scrape(100, at * 15_000)]).unwrap()).collect();
    let (on_their_way, busy) = (held(&store), store.append(vec![scrape(100, 45_000)]));
    disk.hold(false);
    assert_eq!(on_their_way, 3 * requested);
    assert!(matches!(busy, Err(AppendError::Busy { reason: "the memtable is full", .. })), "the disk is slow");
    acks.into_iter().for_each(|ack| ack.wait().unwrap());
    append(&store, scrape(100, 45_000));
    assert_eq!(held(&store), 100 * 4 * 16, "four samples of each series");
    let found = store.series().select(&tenant(), &[], 0, i64::MAX).unwrap();
    assert!(found.len() == 100 && found.iter().all(|series| series.times == [0, 15_000, 30_000, 45_000]));
}

#[test]
fn a_long_log_of_samples_is_flushed_while_it_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (0..50).for_each(|at| append(&store, scrape(200, at * 15_000)));
    let all = held(&store);
    let seen = store.series().select(&tenant(), &[], 0, i64::MAX).unwrap();
    drop(store);
    let small = StoreOptions { flush_bytes: all / 9, memory_bytes_max: all / 5, ..options(dir.path()) };
    let store = Store::open(small).unwrap();
    assert!(held(&store) <= all / 4 && store.series().disk_bytes() > 0, "{} of {all} bytes", held(&store));
    assert_eq!(store.series().select(&tenant(), &[], 0, i64::MAX).unwrap(), seen);
}
