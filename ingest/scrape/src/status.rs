//! What is known of jobs and targets, for people and for the API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{MetricMetadata, Timestamp};
use parking_lot::Mutex;
use serde::Serialize;

use crate::labels::LabelSet;
use crate::target::Target;
use crate::units::show_duration;

/// How a target does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Not scraped yet.
    #[default]
    Unknown,
    /// The last scrape succeeded.
    Up,
    /// It failed.
    Down,
}

/// The last scrape of a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LastScrape {
    pub(crate) health: Health,
    pub(crate) error: String,
    pub(crate) time: Option<Timestamp>,
    pub(crate) took: Duration,
}

/// A target that is scraped, shared between its loop and those who look.
#[derive(Debug)]
pub(crate) struct ActiveTarget {
    pub(crate) target: Target,
    pub(crate) last: Mutex<LastScrape>,
    pub(crate) metadata: Mutex<BTreeMap<String, MetricMetadata>>,
    /// Why it is not scraped although it is a target: too many of them.
    pub(crate) forced_error: Mutex<Option<String>>,
}

impl ActiveTarget {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, last: Mutex::default(), metadata: Mutex::default(), forced_error: Mutex::default() }
    }
}

/// What is known of one job.
#[derive(Clone, Debug, Default)]
pub(crate) struct PoolState {
    /// Whose the samples are, where that is not the default tenant.
    pub(crate) tenant: Option<String>,
    pub(crate) active: Vec<Arc<ActiveTarget>>,
    pub(crate) dropped: Vec<LabelSet>,
    pub(crate) dropped_count: usize,
    /// What was found and can not be scraped, and why.
    pub(crate) failed: Vec<(LabelSet, String)>,
}

/// How everything stands, in the shape of Prometheus's `/api/v1/targets`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScrapeSnapshot {
    /// Targets that are scraped.
    pub active_targets: Vec<TargetShown>,
    /// Targets that a rule dropped, as far as they are kept.
    pub dropped_targets: Vec<DroppedShown>,
    /// How many a rule dropped, by job.
    pub dropped_target_counts: BTreeMap<String, usize>,
    /// What was found and can not be scraped. Not in Prometheus's answer, which only logs it.
    #[serde(skip)]
    pub failed_targets: Vec<FailedShown>,
}

/// A target that is scraped.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetShown {
    /// What was found, before relabelling.
    pub discovered_labels: LabelSet,
    /// Labels of its series.
    pub labels: LabelSet,
    /// Its job.
    pub scrape_pool: String,
    /// What is asked.
    pub scrape_url: String,
    /// The same, as others reach it.
    pub global_url: String,
    /// Why the last scrape failed, or what the store refused of one that did not; empty otherwise.
    pub last_error: String,
    /// When it was, RFC 3339.
    pub last_scrape: String,
    /// How long it took, in seconds.
    pub last_scrape_duration: f64,
    /// How the target does.
    pub health: Health,
    /// How often it is scraped.
    pub scrape_interval: String,
    /// How long an answer may take.
    pub scrape_timeout: String,
    /// Whose its samples are, where that is not the default tenant. Not in Prometheus's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// A target that a rule dropped.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DroppedShown {
    /// What was found.
    pub discovered_labels: LabelSet,
    /// Its job.
    pub scrape_pool: String,
}

/// What was found and can not be scraped.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedShown {
    /// What was found.
    pub discovered_labels: LabelSet,
    /// Its job.
    pub scrape_pool: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What a target says of one of its metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetMetadata {
    /// Labels of the target.
    pub target: LabelSet,
    /// The metric.
    pub metadata: MetricMetadata,
}

/// Prometheus's word for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl PoolState {
    pub(crate) fn show(&self, pool: &str, snapshot: &mut ScrapeSnapshot) {
        for active in &self.active {
            let (target, last) = (&active.target, active.last.lock().clone());
            snapshot.active_targets.push(TargetShown {
                discovered_labels: target.discovered.clone(),
                labels: target.labels.clone(),
                scrape_pool: pool.to_owned(),
                scrape_url: target.url.to_string(),
                global_url: global_url(&target.url),
                last_error: last.error,
                last_scrape: last.time.map_or_else(|| NEVER.to_owned(), |time| time.to_string()),
                last_scrape_duration: last.took.as_secs_f64(),
                health: last.health,
                scrape_interval: show_duration(target.interval),
                scrape_timeout: show_duration(target.timeout),
                tenant: self.tenant.clone(),
            });
        }
        let dropped = self.dropped.iter();
        snapshot.dropped_targets.extend(
            dropped.map(|labels| DroppedShown { discovered_labels: labels.clone(), scrape_pool: pool.to_owned() }),
        );
        snapshot.dropped_target_counts.insert(pool.to_owned(), self.dropped_count);
        snapshot.failed_targets.extend(self.failed.iter().map(|(labels, reason)| FailedShown {
            discovered_labels: labels.clone(),
            scrape_pool: pool.to_owned(),
            reason: reason.clone(),
        }));
    }
}

/// A loopback address means nothing elsewhere: the name of this machine stands for it.
fn global_url(url: &reqwest::Url) -> String {
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut global = url.clone();
    if local && global.set_host(Some(hostname.trim())).is_err() {
        return url.to_string();
    }
    global.to_string()
}
