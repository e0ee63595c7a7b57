//! Every limit of a query, with its name in errors and its default.

use std::path::PathBuf;
use std::sync::LazyLock;

/// The limits that hold for every query. Each has a name (`query.timeout_ms`, ...) that the error shows when the limit stops
/// a query, and that is the setting to change.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryLimits {
    /// `query.timeout_ms`: longest run of one query, waiting in the queue not counted.
    pub timeout_ms: u64,
    /// `query.memory_bytes_max`: memory that one query may hold, whatever its language; operators that can spill do so before it
    /// is reached.
    pub memory_bytes_max: u64,
    /// `query.memory_total_bytes_max`: memory that all running queries together may hold.
    pub memory_total_bytes_max: u64,
    /// `query.memory_soft_percent`: memory of the process, as a share of what its control group or the machine has, above
    /// which queries that may hold much wait before they start.
    pub memory_soft_percent: u64,
    /// `query.memory_hard_percent`: memory of the process, likewise, above which the query that holds most is stopped.
    pub memory_hard_percent: u64,
    /// `query.promql_samples_max`: samples that one PromQL query may read and hold; Prometheus has as many.
    pub promql_samples_max: usize,
    /// `query.spill_bytes_max`: disk that one query may use for spilling.
    pub spill_bytes_max: u64,
    /// `query.concurrency_max`: queries that run at once; more wait.
    pub concurrency_max: usize,
    /// `query.queue_max`: queries that may wait; more are refused.
    pub queue_max: usize,
    /// `query.queue_timeout_ms`: longest wait in the queue.
    pub queue_timeout_ms: u64,
    /// `query.rows_max`: rows that one query may return when it names no limit of its own, and the largest limit it may name.
    pub rows_max: u64,
    /// `query.regex_size_bytes_max`: size of one compiled regular expression.
    pub regex_size_bytes_max: usize,
    /// `query.range`: longest range of time, in nanoseconds, that one query may cover; `None` is no limit.
    pub range_ns_max: Option<i64>,
    /// `query.text_bytes_max`: longest query text.
    pub text_bytes_max: usize,
    /// `query.promql_points_max`: steps of one PromQL range query; Prometheus has 11,000 too.
    pub promql_points_max: usize,
    /// `query.promql_features`: what of PromQL is switched on.
    pub promql_features: promql::Features,
    /// Directory for spilling; `None` is the system's directory for temporary files.
    pub spill_dir: Option<PathBuf>,
    /// `lookups`: tables of names for the pipe `lookup`.
    pub lookups: crate::LookupTables,
    /// Parallel parts of one query, and threads of a PromQL query; the number of cores when zero.
    pub partitions: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            timeout_ms: 60_000,
            memory_bytes_max: 512 << 20,
            memory_total_bytes_max: 2 << 30,
            promql_samples_max: 50_000_000,
            memory_soft_percent: 85,
            memory_hard_percent: 93,
            spill_bytes_max: 8 << 30,
            concurrency_max: 16,
            queue_max: 128,
            queue_timeout_ms: 30_000,
            rows_max: 10_000_000,
            regex_size_bytes_max: 10 << 20,
            range_ns_max: None,
            text_bytes_max: lang::limits::QUERY_BYTES_MAX,
            promql_points_max: 11_000,
            promql_features: promql::Features::default(),
            spill_dir: None,
            lookups: crate::LookupTables::default(),
            partitions: 0,
        }
    }
}

impl QueryLimits {
    /// The number of parallel parts, never zero.
    pub(crate) fn partitions(&self) -> usize {
        // The answer is in files of the kernel, and looking it up costs as much as a small query.
        static CORES: LazyLock<usize> =
            LazyLock::new(|| std::thread::available_parallelism().map_or(1, |cores| cores.get()));
        match self.partitions {
            0 => *CORES,
            n => n,
        }
    }
}
