//! What the parts of one running query share: the order to stop, the counters, the warnings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::ExecError;
use crate::source::Part;

/// Shared by a running query, its operators and whoever watches it.
#[derive(Debug, Default)]
pub struct Control {
    canceled: Arc<AtomicBool>,
    allow_partial: AtomicBool,
    rows_scanned: AtomicU64,
    rows_matched: AtomicU64,
    matched_unknown: AtomicBool,
    segments_pruned: AtomicU64,
    segments_scanned: AtomicU64,
    bytes_read: AtomicU64,
    missing: Mutex<Vec<String>>,
    corrupt: Mutex<Vec<(String, String)>>,
}

impl Control {
    /// A fresh one. `allow_partial`: skip a damaged segment with a warning instead of failing.
    pub fn new(allow_partial: bool) -> Self {
        Self { allow_partial: allow_partial.into(), ..Self::default() }
    }

    /// Tells every operator to stop at its next check, which comes at each batch and every few thousand rows.
    pub fn cancel(&self) {
        self.canceled.store(true, Relaxed);
    }

    /// Whether the query was told to stop.
    pub fn is_canceled(&self) -> bool {
        self.canceled.load(Relaxed)
    }

    /// The order to stop as a flag, for evaluators that look at one.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        self.canceled.clone()
    }

    /// Fails once the query was told to stop.
    pub(crate) fn check(&self) -> Result<(), ExecError> {
        if self.is_canceled() { Err(ExecError::Canceled) } else { Ok(()) }
    }

    /// Rows looked at one by one so far.
    pub fn rows_scanned(&self) -> u64 {
        self.rows_scanned.load(Relaxed)
    }

    /// Rows that matched; `None` when not all rows were looked at.
    pub fn rows_matched(&self) -> Option<u64> {
        (!self.matched_unknown.load(Relaxed)).then(|| self.rows_matched.load(Relaxed))
    }

    /// Segments left out unread.
    pub fn segments_pruned(&self) -> u64 {
        self.segments_pruned.load(Relaxed)
    }

    /// Segments whose columns were read.
    pub fn segments_scanned(&self) -> u64 {
        self.segments_scanned.load(Relaxed)
    }

    /// Bytes of decoded columns.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Relaxed)
    }

    /// Why the answer misses data, one line a segment; empty for a complete answer.
    pub fn missing(&self) -> Vec<String> {
        self.missing.lock().clone()
    }

    /// Segments that were found corrupt, with the reason: for the store to take out of use.
    pub fn corrupt(&self) -> Vec<(String, String)> {
        self.corrupt.lock().clone()
    }

    pub(crate) fn add_scanned(&self, rows: u64, bytes: u64) {
        self.rows_scanned.fetch_add(rows, Relaxed);
        self.bytes_read.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_matched(&self, rows: u64) {
        self.rows_matched.fetch_add(rows, Relaxed);
    }

    /// Says that some rows were never looked at, because the answer did not need them.
    pub(crate) fn stopped_early(&self) {
        self.matched_unknown.store(true, Relaxed);
    }

    /// Counts a part; chunks of the memtable do not count as segments.
    pub(crate) fn part_done(&self, part: &Part, read: bool) {
        if let Part::Segment(_) = part {
            let counter = if read { &self.segments_scanned } else { &self.segments_pruned };
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Counts segments that were left out before anything was asked of them.
    pub(crate) fn add_pruned(&self, segments: u64) {
        self.segments_pruned.fetch_add(segments, Relaxed);
    }

    /// Takes note of damage: an error, or a warning when partial answers are allowed.
    pub(crate) fn damaged(&self, error: ExecError) -> Result<(), ExecError> {
        if let ExecError::Segment { segment, message, corrupt: true } = &error {
            self.corrupt.lock().push((segment.clone(), message.clone()));
        }
        match error {
            ExecError::Segment { .. } if self.allow_partial.load(Relaxed) => {
                self.missing.lock().push(error.to_string());
                Ok(())
            }
            error => Err(error),
        }
    }
}
