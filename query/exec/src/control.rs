//! What the parts of one running query share: the order to stop, the counters, the warnings.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;

use crate::ExecError;
use crate::part::Part;
use crate::profile::Profile;
use column::PagesRead;

pub(crate) use crate::profile::Stage;

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
    pages_read: AtomicU64,
    page_bytes_read: AtomicU64,
    /// Bytes that scans hold now, for whoever looks for the query that holds most.
    memory: AtomicU64,
    /// Why it was told to stop, when the reason was not its reader.
    stopped_for: Mutex<Option<String>>,
    missing: Mutex<Vec<String>>,
    corrupt: Mutex<Vec<(String, String)>>,
    slowed: Mutex<BTreeSet<String>>,
    profile: Profile,
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

    /// Tells it to stop because memory is short; the reason becomes [`ExecError::Pressure`].
    pub fn cancel_for_memory(&self, reason: &str) {
        self.stopped_for.lock().get_or_insert_with(|| reason.to_owned());
        self.cancel();
    }

    /// Why memory made it stop.
    pub fn stopped_for(&self) -> Option<String> {
        self.stopped_for.lock().clone()
    }

    /// Bytes that its operators hold now.
    pub fn memory_bytes(&self) -> u64 {
        self.memory.load(Relaxed)
    }

    /// Counts memory that is held for the query.
    pub fn hold(&self, bytes: u64) {
        self.memory.fetch_add(bytes, Relaxed);
    }

    /// Counts memory that is not held any more.
    pub fn sub_memory(&self, bytes: u64) {
        self.memory.fetch_sub(bytes, Relaxed);
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
        if !self.is_canceled() {
            return Ok(());
        }
        Err(match self.stopped_for() {
            Some(detail) => ExecError::Pressure { detail },
            None => ExecError::Canceled,
        })
    }

    /// What each stage did so far, and how long it took.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Notes that a stage left so many rows of those that it was given.
    pub(crate) fn stage(&self, stage: Stage, before: u64, after: u64, start: Option<Instant>) {
        self.profile.add(stage, before, after, start);
    }

    /// Notes what a part's statistics and index came to.
    pub(crate) fn add_found(&self, sure: u64, maybe: u64) {
        self.profile.add_found(sure, maybe);
    }

    /// Notes rows that were verified on the columns.
    pub(crate) fn add_verified(&self, tried: u64, found: u64) {
        self.profile.add_verified(tried, found);
    }

    /// Segments whose index could not be used, so that their columns were scanned.
    pub fn slowed(&self) -> Vec<String> {
        self.slowed.lock().iter().cloned().collect()
    }

    /// Takes note of an index that cannot be used: the answer stays right, the store hears of it.
    pub(crate) fn index_failed(&self, segment: &str, message: &str, corrupt: bool) {
        let line = format!("the index of segment {segment} cannot be used, its columns were scanned: {message}");
        if self.slowed.lock().insert(line) && corrupt {
            self.profile.index_failures.fetch_add(1, Relaxed);
        }
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

    pub(crate) fn add_scanned(&self, rows: u64) {
        self.rows_scanned.fetch_add(rows, Relaxed);
    }

    /// Pages of columns that were read so far, and their bytes in the files.
    pub fn pages_read(&self) -> PagesRead {
        PagesRead { pages: self.pages_read.load(Relaxed), bytes: self.page_bytes_read.load(Relaxed) }
    }

    pub(crate) fn add_pages(&self, read: PagesRead) {
        self.pages_read.fetch_add(read.pages, Relaxed);
        self.page_bytes_read.fetch_add(read.bytes, Relaxed);
    }

    pub(crate) fn add_read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_matched(&self, rows: u64) {
        self.rows_matched.fetch_add(rows, Relaxed);
    }

    /// Says that some rows were never looked at, because the answer did not need them.
    pub(crate) fn stopped_early(&self) {
        self.matched_unknown.store(true, Relaxed);
    }

    /// Forgets what was counted: the work starts over in another way.
    pub(crate) fn start_over(&self) {
        let counters = [&self.rows_matched, &self.segments_pruned, &self.segments_scanned];
        counters.iter().for_each(|counter| counter.store(0, Relaxed));
        self.matched_unknown.store(false, Relaxed);
    }

    /// Counts a part; chunks of the memtable do not count as segments.
    pub(crate) fn part_done(&self, part: &Part, read: bool) {
        if part.is_segment() {
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
