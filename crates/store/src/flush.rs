//! From memtable to segments. The order of the steps is in the crate's documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use catalog::{Checkpoint, Edit};
use model::{Table, TenantId, Timestamp, field};
use segment::{Segment, SegmentError, SegmentMeta, SegmentSpec, write_segment};
use telemetry::metrics::FLUSHES;

use crate::memtable::Memtable;
use crate::store::{Inner, first_row_id};
use crate::{Step, Store, StoreError, shelf};

/// Days of which a flush holds the rows apart at a time. Rows of one day are used as they lie in memory; where a batch has
/// rows of several, those of this many days are copied before their segments are written, and freed again: late and
/// far-future rows cost time, not memory.
const FLUSH_DAYS_OPEN_MAX: usize = 32;

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
            self.inner.series.compact()?;
        }
        self.inner.sweep();
        Ok(report)
    }

    /// Keeps house: everything that is due at `now`, the wall clock. For who has one thread for it, about once a second; a
    /// server has one for [`Self::maintain_memory`] and one for [`Self::maintain_segments`], so that a long merge does not
    /// hold up a flush. An error is worth a log line and the next call tries again, except for [`StoreError::Faulted`]:
    /// then the process must end.
    pub fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        self.maintain_memory(now)?;
        self.maintain_segments(now)?;
        Ok(())
    }

    /// Flushes when the memtable is old or large enough. Call it whenever [`Self::wait_until_full`] returns.
    pub fn maintain_memory(&self, now: Timestamp) -> Result<(), StoreError> {
        self.inner.check_fault()?;
        if self.inner.flush_is_due(now) {
            self.inner.flush_memtables()?;
            self.inner.series.merge()?;
        }
        Ok(())
    }

    /// Drops what is past its retention, merges at most one group of segments, and deletes files that nobody reads any more.
    /// True when it merged: then more may be due, and the caller should not wait.
    pub fn maintain_segments(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.check_fault()?;
        self.inner.retain(now)?;
        let merged = self.inner.merge_one()?;
        self.inner.sweep();
        Ok(merged)
    }

    /// Blocks the thread until the memtable is as large as a flush wants it, or for this long.
    pub fn wait_until_full(&self, timeout: Duration) {
        self.inner.memtable_full.wait(timeout);
    }
}

impl Inner {
    fn flush_is_due(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        let large = self.is_large(&state) || !state.frozen.is_empty();
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
        self.check_fault()?;
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
        let mut parts: BTreeMap<(&TenantId, Table), Vec<RecordBatch>> = BTreeMap::new();
        for memtable in frozen {
            for (tenant, table, chunks) in memtable.frozen_parts() {
                let batches = parts.entry((tenant, table)).or_default();
                chunks.iter().for_each(|chunk| chunk.collect(batches));
            }
        }
        let mut written = Vec::new();
        for ((tenant, table), batches) in parts {
            let days: BTreeSet<i64> = batches.iter().flat_map(column::days).collect();
            let days: Vec<i64> = days.into_iter().collect();
            for group in days.chunks(FLUSH_DAYS_OPEN_MAX) {
                for (day, batches) in by_day(&batches, group).map_err(|error| self.give_up(&written, error))? {
                    let spec = SegmentSpec { tenant: tenant.clone(), table, day, level: 0 };
                    let meta = write_segment(&self.home.segments, &spec, &batches);
                    written.push(meta.map_err(|error| self.give_up(&written, error))?);
                }
            }
        }
        Ok(written)
    }

    fn give_up(&self, written: &[SegmentMeta], error: SegmentError) -> StoreError {
        self.discard(written);
        error.into()
    }

    /// The catalog transaction. When it fails, it is looked up whether it happened: an error may come after the commit.
    fn commit_flush(&self, written: &[SegmentMeta], lsn: u64) -> Result<(), StoreError> {
        let checkpoint = Checkpoint { flushed_lsn: lsn, next_row_id: first_row_id(lsn + 1) };
        let add = written.iter().map(shelf::row_of).collect();
        let edit = Edit { add, checkpoint: Some(checkpoint), ..Edit::default() };
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
            if let Err(error) = shelf::remove(&self.home.segments, &meta.keys()) {
                tracing::warn!(%error, segment = meta.id, "cannot remove an unused segment");
            }
        }
    }
}

/// The rows of some days. A batch of one day goes as it is.
fn by_day(batches: &[RecordBatch], days: &[i64]) -> Result<BTreeMap<i64, Vec<RecordBatch>>, SegmentError> {
    let mut found: BTreeMap<i64, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches {
        let Some((min, max)) = column::times(batch) else { continue };
        if min.day() == max.day() {
            if days.contains(&min.day()) {
                found.entry(min.day()).or_default().push(batch.clone());
            }
            continue;
        }
        for (day, rows) in rows_by_day(batch, days) {
            let rows = take_record_batch(batch, &UInt32Array::from(rows));
            let rows = rows.map_err(|error| SegmentError::Rows { what: error.to_string() })?;
            found.entry(day).or_default().push(rows);
        }
    }
    Ok(found)
}

/// Numbers of the rows of each of some days.
fn rows_by_day(batch: &RecordBatch, days: &[i64]) -> BTreeMap<i64, Vec<u32>> {
    let mut found: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    let times = batch.column_by_name(field::TIME).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let times = times.map_or(&[][..], |times| times.values());
    for (row, time) in (0u32..).zip(times) {
        let day = Timestamp(*time).day();
        if days.binary_search(&day).is_ok() {
            found.entry(day).or_default().push(row);
        }
    }
    found
}
