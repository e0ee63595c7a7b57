//! Opening a store: lock, catalog, segments, series, replay.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use catalog::{Checkpoint, SegmentRow, SegmentState};
use parking_lot::Mutex;
use series::SeriesDb;
use wal::{Replay, Wal, WalError, WalOptions};

use crate::home::Home;
use crate::memtable::Charge;
use crate::store::{Found, Inner, State, memory_bytes};
use crate::{Store, StoreError, StoreOptions, decode_batches, shelf};

impl Store {
    /// Opens the store in `options.dir`, creating it when it is missing, and replays the log. When this returns, everything that
    /// was ever acknowledged is visible.
    pub fn open(options: StoreOptions) -> Result<Store, StoreError> {
        let home = Home::open(&options.dir)?;
        let catalog = Arc::new(home.open_catalog()?);
        let checkpoint = catalog.checkpoint()?;
        let rows = catalog.segments()?;
        let orphans = shelf::remove_orphans(&home.segments, &rows)?;
        if orphans > 0 {
            tracing::info!(files = orphans, "removed files that a crash left");
        }
        let series = SeriesDb::open(&home.dir.join("series"), options.series.clone())?;
        let (wal, mut replay) = Wal::open(&home.dir.join("wal"), wal_options(&options, &home, checkpoint))?;
        let state =
            State { applied_lsn: checkpoint.flushed_lsn, flushed_lsn: checkpoint.flushed_lsn, ..State::default() };
        let mut inner = Inner {
            options,
            wal,
            catalog,
            series,
            state: Mutex::new(state),
            memory: Arc::new(AtomicUsize::new(0)),
            series_rejected: AtomicU64::new(0),
            flushing: Mutex::new(()),
            merging: Mutex::new(()),
            graveyard: Mutex::new(Vec::new()),
            fault: Mutex::new(None),
            home,
            found: Found::default(),
        };
        inner.open_segments(&rows)?;
        inner.note_wal_report(&replay)?;
        inner.replay(&mut replay, checkpoint)?;
        Store::start(inner)
    }
}

fn wal_options(options: &StoreOptions, home: &Home, checkpoint: Checkpoint) -> WalOptions {
    WalOptions {
        file_bytes: options.wal_file_bytes,
        queue_bytes_max: options.wal_queue_bytes_max,
        log_id: home.id,
        consumed_lsn: checkpoint.flushed_lsn,
        disk: Arc::clone(&options.disk),
    }
}

impl Inner {
    fn open_segments(&self, rows: &[SegmentRow]) -> Result<(), StoreError> {
        let (mut live, mut damaged, mut found) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for row in rows {
            if let SegmentState::Damaged { reason } = &row.state {
                damaged.insert(row.id.clone(), shelf::damaged_of(row, reason.clone()));
                continue;
            }
            match shelf::open(&self.home.segments, row)? {
                Ok(segment) => drop(live.insert(row.id.clone(), Arc::new(segment))),
                Err(reason) => {
                    damaged.insert(row.id.clone(), shelf::damaged_of(row, reason.clone()));
                    found.push((row.id.clone(), reason));
                }
            }
        }
        for (id, reason) in found {
            self.quarantine(&id, &reason)?;
        }
        let mut state = self.state.lock();
        (state.live, state.damaged) = (live, damaged);
        Ok(())
    }

    fn note_wal_report(&mut self, replay: &Replay) -> Result<(), StoreError> {
        let report = replay.report();
        self.found.torn_tails = report.torn_tails;
        for damage in &report.damage {
            let detail = damage.to_string();
            tracing::error!(damage = detail, "the log is damaged; what is readable is replayed");
            self.catalog.record_loss("wal", &detail)?;
            self.found.wal_damage.push(detail);
        }
        Ok(())
    }

    /// Applies what the checkpoint does not cover, flushing on the way when it is more than the memtable should hold.
    fn replay(&mut self, replay: &mut Replay, checkpoint: Checkpoint) -> Result<(), StoreError> {
        for record in replay {
            let record = match record {
                Ok(record) => record,
                Err(WalError::Unpack { lsn, reason }) => return Err(StoreError::Record { lsn, reason }),
                Err(error) => return Err(error.into()),
            };
            if record.lsn <= checkpoint.flushed_lsn {
                continue;
            }
            let batches = decode_batches(&record.payload)
                .map_err(|e| StoreError::Record { lsn: record.lsn, reason: e.to_string() })?;
            let charged = batches.into_iter().map(|batch| {
                let charge = Charge::new(memory_bytes(&batch), &self.memory);
                (batch, charge)
            });
            self.apply(record.lsn, charged.collect());
            self.found.replayed_records += 1;
            if self.memory.load(Relaxed) > self.options.flush_bytes {
                self.flush_memtables()?;
            }
        }
        Ok(())
    }
}
