//! Start times of OpenMetrics: `_created` lines stand behind the samples that they are about, so they are found first.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher as _, RandomState};

use memchr::memmem;
use model::{METRIC_NAME, MetricKind};

use super::Series;

/// Start times by metric family and labels. Empty where a body has no `_created` lines, which costs one search.
pub(super) struct StartTimes {
    by_series: HashMap<u64, i64>,
    hasher: RandomState,
}

/// Whether metrics of a kind have start times.
pub(super) fn has_start(kind: MetricKind) -> bool {
    matches!(kind, MetricKind::Counter | MetricKind::Histogram | MetricKind::Summary)
}

impl StartTimes {
    pub(super) fn none() -> Self {
        Self { by_series: HashMap::new(), hasher: RandomState::new() }
    }

    /// Whether a body may have some.
    pub(super) fn are_in(body: &str) -> bool {
        memmem::find(body.as_bytes(), b"_created").is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_series.is_empty()
    }

    /// Keeps the start that a `_created` series says, in seconds. What is no time is kept as not known.
    pub(super) fn keep(&mut self, series: Series<'_>, secs: f64) {
        let start_ms = if secs.is_finite() { (secs * 1000.0) as i64 } else { 0 };
        let key = self.key(series);
        self.by_series.insert(key, start_ms);
    }

    /// When the counting of a series began, in milliseconds; zero where that is not said.
    pub(super) fn of(&self, series: Series<'_>) -> i64 {
        if self.by_series.is_empty() || !has_start(series.kind()) {
            return 0;
        }
        self.by_series.get(&self.key(series)).copied().unwrap_or(0)
    }

    /// The same for every series of one metric: the family's name and the labels without `le` and `quantile`, in any order.
    fn key(&self, series: Series<'_>) -> u64 {
        let mut sum = 0u64;
        series.each_label(|name, value| {
            if name == "le" || name == "quantile" {
                return;
            }
            let value = if name == METRIC_NAME { family(&value) } else { &value };
            let mut hasher = self.hasher.build_hasher();
            hasher.write(name.as_bytes());
            hasher.write_u8(0xff);
            hasher.write(value.as_bytes());
            sum = sum.wrapping_add(hasher.finish());
        });
        sum
    }
}

/// The name of the family that a series of a counter, a histogram or a summary belongs to.
pub(super) fn family(name: &str) -> &str {
    ["_created", "_total", "_bucket", "_count", "_sum"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name)
}
