//! How many series there are, and by what.

use model::TenantId;

use crate::SeriesDb;

/// How many series a tenant has, and by what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Series of the tenant.
    pub series: usize,
    /// Distinct label pairs.
    pub label_pairs: usize,
    /// Pieces in which samples lie: one of each series in each block, and one for what is in no block yet.
    pub chunks: usize,
    /// Times of the first and the last sample, in milliseconds; `None` without samples.
    pub span_ms: Option<(i64, i64)>,
    /// Metric names with the most series.
    pub series_by_metric: Vec<(String, usize)>,
    /// Label names with the most values.
    pub values_by_label: Vec<(String, usize)>,
    /// Label names whose values take the most bytes, counted once for each series.
    pub value_bytes_by_label: Vec<(String, usize)>,
    /// Label pairs (`name=value`) with the most series.
    pub series_by_pair: Vec<(String, usize)>,
}

impl SeriesDb {
    /// Who has many series, and by which labels; `limit` lines per list. Series of which everything is deleted count until
    /// tombstones are cleaned.
    pub fn cardinality(&self, tenant: &TenantId, limit: usize) -> Cardinality {
        let Some(tenant) = self.tenant(tenant) else { return Cardinality::default() };
        let tenant = tenant.read();
        let (mut by_metric, mut by_label, mut by_bytes, mut by_pair) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut pairs = 0;
        for name in tenant.index.names() {
            let values: Vec<_> = tenant.index.values(name).collect();
            pairs += values.len();
            by_label.push((name.to_string(), values.len()));
            by_bytes.push((name.to_string(), values.iter().map(|(value, count)| value.len() * count).sum()));
            by_pair.extend(values.iter().map(|(value, count)| (format!("{name}={value}"), *count)));
            if &**name == model::METRIC_NAME {
                by_metric.extend(values.iter().map(|(value, count)| (value.to_string(), *count)));
            }
        }
        let shown = tenant.heads.values().filter(|head| head.min_ms <= head.max_ms);
        let span_ms = shown.map(|head| (head.min_ms, head.max_ms)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let unflushed = tenant.heads.values().filter(|head| !head.fresh.is_empty() || head.flushing.is_some()).count();
        Cardinality {
            series: tenant.index.len(),
            label_pairs: pairs,
            chunks: tenant.heads.values().map(|head| head.blocks as usize).sum::<usize>() + unflushed,
            span_ms,
            series_by_metric: top(by_metric, limit),
            values_by_label: top(by_label, limit),
            value_bytes_by_label: top(by_bytes, limit),
            series_by_pair: top(by_pair, limit),
        }
    }
}

fn top(mut counts: Vec<(String, usize)>, limit: usize) -> Vec<(String, usize)> {
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(limit);
    counts
}
