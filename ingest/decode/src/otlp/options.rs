//! What a receiver of OTLP metrics may choose; the names are those of Prometheus's `otlp` settings.

use model::prometheus::PROMOTED_RESOURCE_ATTRIBUTES;

use super::Translation;

/// Series of delta temporality whose running totals are kept at a time, by default. A number's takes about 400 bytes.
pub const DELTA_SERIES_MAX: usize = 100_000;

/// Which resource attributes become labels of every series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promote {
    /// These.
    Listed(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
}

/// What becomes of points that say what came since the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeltaMode {
    /// They are added up, so that `rate` and `increase` work as for any counter.
    #[default]
    Cumulative,
    /// They are stored as they are, of unknown type: `sum_over_time` adds them up.
    Raw,
}

/// Settings of [`super::MetricsDecoder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsOptions {
    /// How names are made.
    pub translation: Translation,
    /// Which resource attributes become labels.
    pub promote: Promote,
    /// Whether `target_info` also has the attributes that `job` and `instance` are made of.
    pub keep_identifying_resource_attributes: bool,
    /// Whether name, version, schema and attributes of the scope become labels `otel_scope_*`.
    pub promote_scope_metadata: bool,
    /// Whether histograms with explicit bounds become native ones with custom buckets, one series instead of one a bucket.
    pub convert_histograms_to_nhcb: bool,
    /// What becomes of deltas.
    pub delta: DeltaMode,
    /// Running totals of deltas that are kept of a tenant at a time.
    pub delta_series_max: usize,
    /// Whether series have the labels `__type__` and `__unit__`.
    pub type_and_unit_labels: bool,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self {
            translation: Translation::default(),
            promote: Promote::Listed(PROMOTED_RESOURCE_ATTRIBUTES.map(str::to_owned).to_vec()),
            keep_identifying_resource_attributes: false,
            promote_scope_metadata: false,
            convert_histograms_to_nhcb: false,
            delta: DeltaMode::default(),
            delta_series_max: DELTA_SERIES_MAX,
            type_and_unit_labels: false,
        }
    }
}
