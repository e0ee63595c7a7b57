//! Every limit of the metric store.

use crate::{SeriesDownsampling, SeriesRetention};

/// Limits and budgets. The defaults suit one machine; the server sets them from its configuration.
#[derive(Clone, Debug)]
pub struct SeriesOptions {
    /// Tenants that may have metrics. Each costs a file per flush.
    pub tenants_max: usize,
    /// Series that one tenant may have in head and blocks together.
    pub series_per_tenant_max: usize,
    /// Series that one metric of a tenant may have, so that a metric with a label of many values takes no room from the others.
    pub series_per_metric_max: usize,
    /// Metrics of which a tenant may have type, unit and help.
    pub metadata_per_tenant_max: usize,
    /// Labels of one series, the metric's name included.
    pub labels_per_series_max: usize,
    /// Bytes of one label's name.
    pub label_name_bytes_max: usize,
    /// Bytes of one label's value.
    pub label_value_bytes_max: usize,
    /// Exemplars that are kept per tenant; the oldest go first.
    pub exemplars_per_tenant_max: usize,
    /// Bytes of flushed samples that stay in memory, of all tenants together, so that dashboards of the last hours read no file.
    pub recent_bytes_max: usize,
    /// Bytes of decoded columns of blocks that are kept for reads to come.
    pub decoded_bytes_max: usize,
    /// Blocks of at most this many bytes are joined by `merge`.
    pub merge_bytes_max: u64,
    /// Neighbouring small blocks that it takes to start a merge.
    pub merge_blocks_min: usize,
    /// Series that are kept for another time than the rest.
    pub retention: Vec<SeriesRetention>,
    /// Which series are downsampled, when, and how far.
    pub downsampling: Vec<SeriesDownsampling>,
    /// A merged block spans at most this much time, so that retention stays fine-grained.
    pub merge_span_ms_max: i64,
}

impl Default for SeriesOptions {
    fn default() -> Self {
        Self {
            tenants_max: 10_000,
            series_per_tenant_max: 2_000_000,
            series_per_metric_max: 500_000,
            metadata_per_tenant_max: 100_000,
            labels_per_series_max: 128,
            label_name_bytes_max: 1024,
            label_value_bytes_max: 16 * 1024,
            exemplars_per_tenant_max: 20_000,
            recent_bytes_max: 256 << 20,
            decoded_bytes_max: 64 << 20,
            merge_bytes_max: 64 << 20,
            merge_blocks_min: 4,
            retention: Vec::new(),
            downsampling: Vec::new(),
            merge_span_ms_max: 24 * 3_600_000,
        }
    }
}
