//! Which metrics are asked for.

use std::collections::HashMap;
use std::sync::Arc;

use model::{METRIC_NAME, TenantId};

use crate::head::Tenant;
use crate::{Matcher, SeriesDb};

/// When a metric was asked for last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricUsage {
    /// Its name.
    pub metric: String,
    /// How many series it has.
    pub series: usize,
    /// Milliseconds since the Unix epoch; `None` when nobody asked since the start of the program.
    pub asked_ms: Option<i64>,
}

/// When metrics were asked for last, by name.
#[derive(Debug, Default)]
pub(crate) struct Asked(HashMap<Arc<str>, i64>);

impl Asked {
    /// Notes that somebody asked for metrics.
    pub(crate) fn note(&mut self, metrics: Vec<Arc<str>>, now_ms: i64) {
        self.0.extend(metrics.into_iter().map(|name| (name, now_ms)));
    }
}

impl SeriesDb {
    /// Notes that somebody asked for the metrics that matchers name, at a time in milliseconds. A query that names no metric asks
    /// for none: it looks for labels.
    pub fn note_asked(&self, tenant: &TenantId, matchers: &[Matcher], now_ms: i64) {
        let Some(tenant) = self.tenant(tenant) else { return };
        let tenant = tenant.read();
        // Found before others are kept waiting: an expression goes through all names.
        let names = tenant.named(matchers);
        tenant.asked.lock().note(names, now_ms);
    }

    /// The metrics of a tenant, those that nobody asks for first: never asked before long ago, many series before few. At most
    /// `limit`.
    pub fn metric_usage(&self, tenant: &TenantId, limit: usize) -> Vec<MetricUsage> {
        let Some(tenant) = self.tenant(tenant) else { return Vec::new() };
        let tenant = tenant.read();
        let asked = tenant.asked.lock();
        let usage = |(metric, series): (&Arc<str>, usize)| MetricUsage {
            metric: metric.to_string(),
            series,
            asked_ms: asked.0.get(metric).copied(),
        };
        let mut all: Vec<MetricUsage> = tenant.index.values(METRIC_NAME).map(usage).collect();
        all.sort_by(|a, b| {
            a.asked_ms.cmp(&b.asked_ms).then(b.series.cmp(&a.series)).then_with(|| a.metric.cmp(&b.metric))
        });
        all.truncate(limit);
        all
    }
}

impl Tenant {
    /// The metrics that matchers name.
    pub(crate) fn named(&self, matchers: &[Matcher]) -> Vec<Arc<str>> {
        let names =
            |matcher: &&Matcher| matcher.name() == METRIC_NAME && !matcher.is_negative() && !matcher.matches("");
        matchers.iter().filter(names).flat_map(|matcher| self.index.accepted(matcher)).collect()
    }

    /// Forgets metrics that are gone, so that names do not pile up.
    pub(crate) fn forget_gone_metrics(&self) {
        let index = &self.index;
        self.asked.lock().0.retain(|metric, _| index.count(METRIC_NAME, metric) > 0);
    }
}
