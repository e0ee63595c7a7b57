//! Settings and limits of a store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use model::{StreamSelector, Table, Timestamp};
use series::SeriesOptions;
use wal::{Disk, LocalDisk};

/// Memory of the memtable at which [`crate::Store::maintain_memory`] flushes.
const FLUSH_BYTES: usize = 32 << 20;
/// Memory of the memtable, frozen parts and rows on their way included, at which appends are refused.
const MEMORY_BYTES_MAX: usize = 96 << 20;
/// Age of the oldest row of the memtable at which [`crate::Store::maintain_memory`] flushes: bounds the time of a replay.
const FLUSH_AGE_NS: i64 = 30_000_000_000;
/// Segments of one size class that are merged together. A flush has some 100,000 rows, so this many make about the largest
/// segment at once: a row is written twice, by its flush and by one merge.
const MERGE_FAN_IN: usize = 16;
/// Rows of a merged segment: bounds the time of one merge, and what one damaged file can take with it.
const MERGE_ROWS_MAX: u64 = 4_000_000;

/// Settings of a store. [`StoreOptions::new`] gives the defaults.
#[derive(Clone)]
pub struct StoreOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// Size of a log file.
    pub wal_file_bytes: u64,
    /// Bytes that may wait for the log.
    pub wal_queue_bytes_max: usize,
    /// Memtable size that is flushed.
    pub flush_bytes: usize,
    /// Memtable age that is flushed.
    pub flush_age_ns: i64,
    /// Memory at which appends are refused.
    pub memory_bytes_max: usize,
    /// Segments of one size class that are merged together.
    pub merge_fan_in: usize,
    /// Rows of a merged segment.
    pub merge_rows_max: u64,
    /// How long data is kept.
    pub retention: Retention,
    /// The time at which the store is opened: samples that are past their retention then are hidden from the first read on. `None`
    /// hides nothing before the first [`crate::Store::maintain`].
    pub opened_at: Option<Timestamp>,
    /// Bytes of segments above which the oldest days go, whatever their age; the newest day stays. `None` is no limit.
    pub retention_bytes: Option<u64>,
    /// Streams that are kept for a shorter time.
    pub retention_streams: Vec<StreamRetention>,
    /// Settings of the series database.
    pub series: SeriesOptions,
    /// Where log files are made; tests put a failing disk here.
    pub disk: Arc<dyn Disk>,
    /// Called between the steps of everything that changes what is on disk; only tests set it.
    pub step_hook: Option<StepHook>,
}

/// How long the rows of some streams are kept, in every table. Rows of a stream go together by segment, which is at most a
/// day: once the newest of them is this old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRetention {
    /// Which streams.
    pub selector: StreamSelector,
    /// How long, in nanoseconds.
    pub keep_ns: i64,
}

/// How long data is kept, by table; `None` keeps it for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Logs, in nanoseconds.
    pub logs_ns: Option<i64>,
    /// Spans, in nanoseconds.
    pub spans_ns: Option<i64>,
    /// Quarantine, in nanoseconds.
    pub quarantine_ns: Option<i64>,
    /// Metric samples, in milliseconds.
    pub metrics_ms: Option<i64>,
}

impl Retention {
    /// The retention of a table in nanoseconds.
    pub fn of(&self, table: Table) -> Option<i64> {
        match table {
            Table::Logs => self.logs_ns,
            Table::Spans => self.spans_ns,
            Table::Quarantine => self.quarantine_ns,
        }
    }
}

/// A point between two durable steps, where a crash must do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A flush wrote its segments; the catalog does not know them.
    FlushWritten,
    /// A flush committed; the log still holds the records.
    FlushCommitted,
    /// A merge wrote its segment; the catalog does not know it.
    MergeWritten,
    /// A merge committed; the files of the old segments are still there.
    MergeCommitted,
    /// Retention committed; the files are still there.
    RetainCommitted,
    /// It is known which rows are to be deleted; the catalog does not know it.
    DeleteReady,
    /// A delete committed; files of segments without rows are still there.
    DeleteCommitted,
    /// A repair wrote an index; the catalog does not know it.
    RepairWritten,
    /// A repair committed; the old index is still there.
    RepairCommitted,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 9] = [
        Self::FlushWritten,
        Self::FlushCommitted,
        Self::MergeWritten,
        Self::MergeCommitted,
        Self::RetainCommitted,
        Self::DeleteReady,
        Self::DeleteCommitted,
        Self::RepairWritten,
        Self::RepairCommitted,
    ];
}

/// Called at each [`Step`]; an error stops the work right there, as a crash would.
pub type StepHook = Arc<dyn Fn(Step) -> Result<(), String> + Send + Sync>;

impl StoreOptions {
    /// The defaults for a data directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let wal = wal::WalOptions::default();
        Self {
            dir: dir.into(),
            wal_file_bytes: wal.file_bytes,
            wal_queue_bytes_max: wal.queue_bytes_max,
            flush_bytes: FLUSH_BYTES,
            flush_age_ns: FLUSH_AGE_NS,
            memory_bytes_max: MEMORY_BYTES_MAX,
            merge_fan_in: MERGE_FAN_IN,
            merge_rows_max: MERGE_ROWS_MAX,
            retention: Retention::default(),
            opened_at: None,
            retention_bytes: None,
            retention_streams: Vec::new(),
            series: SeriesOptions::default(),
            disk: Arc::new(LocalDisk),
            step_hook: None,
        }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("dir", &self.dir)
            .field("flush_bytes", &self.flush_bytes)
            .field("memory_bytes_max", &self.memory_bytes_max)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
