//! From memtable to segments. The order of the steps is in the crate's documentation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use catalog::{Checkpoint, Edit};
use model::{Row, Timestamp};
use segment::{Segment, SegmentMeta, SegmentSpec, write_segment};
use telemetry::metrics::FLUSHES;

use crate::memtable::Memtable;
use crate::store::{Inner, first_row_id};
use crate::{Step, Store, StoreError, shelf};

/// What a flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Rows that went from memory to segments.
    pub rows: u64,
    /// Segments written for them.
    pub segments: usize,
    /// Merges done.
    pub merges: usize,
    /// Log files deleted.
    pub log_files: usize,
}

impl Store {
    /// Writes everything acknowledged so far to segments. With `merge`, also joins the segments of each partition as far as
    /// their size limit allows.
    pub fn flush(&self, merge: bool) -> Result<FlushReport, StoreError> {
        let mut report = self.inner.flush_memtables()?;
        if merge {
            report.merges = self.inner.merge_all()?;
            self.inner.series.merge()?;
        }
        self.inner.sweep();
        Ok(report)
    }

    /// Keeps house: flushes when the memtable is old or large enough, drops what is past its retention, merges at most one
    /// group of segments. Call it about once a second from a thread of its own; `now` is the wall clock. An error is worth a
    /// log line and the next call tries again, except for [`StoreError::Faulted`]: then the process must end.
    pub fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        if let Some(reason) = self.fault() {
            return Err(StoreError::Faulted { reason });
        }
        if self.inner.flush_is_due(now) {
            self.inner.flush_memtables()?;
            self.inner.series.merge()?;
        }
        self.inner.retain(now)?;
        self.inner.merge_one()?;
        self.inner.sweep();
        Ok(())
    }
}

impl Inner {
    fn flush_is_due(&self, now: Timestamp) -> bool {
        let large = self.memory.load(Relaxed) >= self.options.flush_bytes;
        let mut state = self.state.lock();
        if state.active.is_empty() && state.frozen.is_empty() {
            state.unflushed_since = None;
            return false;
        }
        let since = *state.unflushed_since.get_or_insert(now);
        // The clock may jump back; then the age starts anew.
        state.unflushed_since = Some(since.min(now));
        large || now.0.saturating_sub(since.0) >= self.options.flush_age_ns
    }

    pub(crate) fn flush_memtables(&self) -> Result<FlushReport, StoreError> {
        let _one_at_a_time = self.flushing.lock();
        if let Some(reason) = self.fault() {
            return Err(StoreError::Faulted { reason });
        }
        let Some((frozen, lsn)) = self.freeze() else { return Ok(FlushReport::default()) };
        let written = self.write_segments(&frozen)?;
        let opened = self.open_written(&written).inspect_err(|_| self.discard(&written))?;
        self.step(Step::FlushWritten)?;
        self.commit_flush(&written, lsn)?;
        let rows = frozen.iter().map(|memtable| memtable.rows).sum();
        {
            let mut state = self.state.lock();
            state.live.extend(opened.into_iter().map(|segment| (segment.meta().id.clone(), segment)));
            state.frozen.clear();
            state.flushed_lsn = lsn;
        }
        FLUSHES.add(1);
        self.step(Step::FlushCommitted)?;
        let log_files = self.wal.truncate_before(lsn + 1)?;
        Ok(FlushReport { rows, segments: written.len(), merges: 0, log_files })
    }

    /// Opens new segments, and makes the samples durable that the log has up to the same place.
    fn open_written(&self, written: &[SegmentMeta]) -> Result<Vec<Arc<Segment>>, StoreError> {
        self.series.flush()?;
        let open = |meta: &SegmentMeta| Ok(Arc::new(Segment::open(&self.home.segments, meta.clone())?));
        written.iter().map(open).collect()
    }

    /// Moves the memtable out of the way of appends. Gives all that is frozen, also by a flush that failed before, and the
    /// log number that it reaches.
    fn freeze(&self) -> Option<(Vec<Arc<Memtable>>, u64)> {
        let mut state = self.state.lock();
        if !state.active.is_empty() {
            let mut memtable = std::mem::take(&mut state.active);
            memtable.freeze();
            state.frozen.push(Arc::new(memtable));
        }
        state.unflushed_since = None;
        let anything = !state.frozen.is_empty();
        anything.then(|| (state.frozen.clone(), state.applied_lsn))
    }

    /// Writes one segment for each tenant, table and day. After an error nothing of it stays.
    fn write_segments(&self, frozen: &[Arc<Memtable>]) -> Result<Vec<SegmentMeta>, StoreError> {
        let mut by_day: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
        for memtable in frozen {
            for (tenant, table, rows) in memtable.frozen_parts() {
                for row in rows {
                    by_day.entry((tenant, table, row.time.day())).or_default().push(row);
                }
            }
        }
        let mut written = Vec::new();
        for ((tenant, table, day), rows) in by_day {
            let spec = SegmentSpec { tenant: tenant.clone(), table, day, level: 0 };
            let rows: Vec<Row> = rows.into_iter().cloned().collect();
            match write_segment(&self.home.segments, &spec, &rows) {
                Ok(meta) => written.push(meta),
                Err(error) => {
                    self.discard(&written);
                    return Err(error.into());
                }
            }
        }
        Ok(written)
    }

    /// The catalog transaction. When it fails, it is looked up whether it happened: an error may come after the commit.
    fn commit_flush(&self, written: &[SegmentMeta], lsn: u64) -> Result<(), StoreError> {
        let checkpoint = Checkpoint { flushed_lsn: lsn, next_row_id: first_row_id(lsn + 1) };
        let add = written.iter().map(shelf::row_of).collect();
        let edit = Edit { add, remove: Vec::new(), checkpoint: Some(checkpoint) };
        let Err(error) = self.catalog.commit(&edit) else { return Ok(()) };
        match self.catalog.checkpoint() {
            Ok(found) if found == checkpoint => Ok(()),
            Ok(_) => {
                self.discard(written);
                Err(error.into())
            }
            Err(_) => {
                self.set_fault(format!("the outcome of a catalog transaction is unknown: {error}"));
                Err(error.into())
            }
        }
    }

    /// Removes segments that the catalog does not know. What cannot be removed now is an orphan for the next start.
    pub(crate) fn discard(&self, written: &[SegmentMeta]) {
        for meta in written {
            if let Err(error) = shelf::remove(&self.home.segments, meta) {
                tracing::warn!(%error, segment = meta.id, "cannot remove an unused segment");
            }
        }
    }
}
