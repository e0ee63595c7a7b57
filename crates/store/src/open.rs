//! Opening a store: lock, catalog, segments, series, replay.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use catalog::{Checkpoint, DeletedRows, SegmentRow, SegmentState};
use parking_lot::Mutex;
use series::SeriesDb;
use wal::{Replay, Wal, WalError, WalOptions};

use crate::chunk::Charge;
use crate::follow::Followers;
use crate::gate::Signal;
use crate::home::Home;
use crate::orphans::Evidence;
use crate::store::{Found, Inner, State, memory_bytes};
use crate::{Store, StoreError, StoreOptions, decode_batches, orphans, shelf};

impl Store {
    /// Opens the store in `options.dir`, creating it when it is missing, and replays the log. When this returns, everything that
    /// was ever acknowledged is visible.
    pub fn open(options: StoreOptions) -> Result<Store, StoreError> {
        let home = Home::open(&options.dir)?;
        let catalog = Arc::new(home.open_catalog()?);
        let checkpoint = catalog.checkpoint()?;
        let rows = catalog.segments()?;
        let series = SeriesDb::open(&home.dir.join("series"), options.series.clone())?;
        if let Some(now) = options.opened_at {
            series.hide_at(now.millis(), options.retention.metrics_ms);
        }
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
            merging: Arc::default(),
            graveyard: Mutex::default(),
            followers: Followers::default(),
            unmergeable: Mutex::default(),
            streams_read: Mutex::default(),
            memtable_full: Signal::default(),
            fault: Mutex::new(None),
            home,
            found: Found::default(),
        };
        inner.note_wal_report(&replay)?;
        inner.clear_orphans(&rows, &replay, checkpoint)?;
        inner.open_segments(&rows)?;
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
    fn clear_orphans(
        &mut self,
        rows: &[SegmentRow],
        replay: &Replay,
        checkpoint: Checkpoint,
    ) -> Result<(), StoreError> {
        let log = replay.lsns().filter(|_| replay.report().damage.is_empty());
        let evidence = Evidence { flushed_lsn: checkpoint.flushed_lsn, log };
        let cleared = orphans::clear(&self.home, rows, evidence)?;
        if cleared.deleted > 0 {
            tracing::info!(files = cleared.deleted, "deleted files that a crash left");
        }
        for id in &cleared.moved {
            tracing::error!(
                segment = id,
                "no catalog names this segment and it may have the only copy of its rows; it is in the folder `orphans`"
            );
            self.catalog.record_loss("orphan", id)?;
        }
        self.found.orphans = cleared.moved.len() as u64;
        Ok(())
    }

    fn open_segments(&self, rows: &[SegmentRow]) -> Result<(), StoreError> {
        let (mut live, mut damaged, mut found) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut bitmaps: HashMap<String, DeletedRows> =
            self.catalog.deleted_rows()?.into_iter().map(|row| (row.segment.clone(), row)).collect();
        let mut deleted = BTreeMap::new();
        for row in rows {
            if let SegmentState::Damaged { reason } = &row.state {
                damaged.insert(row.id.clone(), shelf::damaged_of(row, reason.clone()));
                continue;
            }
            let bitmap = bitmaps.remove(&row.id).map(|row| shelf::deleted_bitmap(&row)).transpose();
            let opened = match bitmap {
                Ok(bitmap) => shelf::open(&self.home.segments, row)?.map(|segment| (segment, bitmap)),
                Err(reason) => Err(reason), // without it, deleted rows would be back
            };
            match opened {
                Ok((segment, bitmap)) => {
                    deleted.extend(bitmap.map(|rows| (row.id.clone(), Arc::new(rows))));
                    live.insert(row.id.clone(), Arc::new(segment));
                }
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
        (state.live, state.deleted, state.damaged) = (live, deleted, damaged);
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

    /// Applies what the checkpoint does not cover. That is seldom more than memory may hold, and writing segments would keep
    /// the start waiting: a flush comes only when it must.
    fn replay(&mut self, replay: &mut Replay, checkpoint: Checkpoint) -> Result<(), StoreError> {
        let memory_max = self.options.flush_bytes.max(self.options.memory_bytes_max);
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
            if self.held_bytes() > memory_max {
                self.flush_memtables()?;
            }
        }
        Ok(())
    }
}
