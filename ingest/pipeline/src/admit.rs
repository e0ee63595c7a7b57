//! What the store would refuse, found before anything is acknowledged: the sender hears of it, quarantine keeps it, it is counted, and a
//! log line names the metric.
//!
//! A series over a limit comes again with each request or scrape. The sender is told each time; a row of quarantine and a log line are
//! written once in [`REFUSAL_AGAIN`] for each tenant, metric and limit, or a flood of series would become one of rows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use decode::{Decoded, OverLimit, Reject};
use model::{SeriesBatch, TenantId};
use parking_lot::Mutex;
use series::{Limit, Rejected, SeriesDb};
use telemetry::metrics::REFUSED_SAMPLES;

/// Series over a limit that a request tells of one by one; the others are one reject for each metric and limit.
pub const REFUSED_SERIES_TOLD_MAX: usize = 20;

/// Metrics of a request that have such a reject of their own; those of further ones are one reject for each limit.
pub const REFUSED_METRICS_TOLD_MAX: usize = 50;

/// How long quarantine and the log say nothing more of the same tenant, metric and limit.
pub const REFUSAL_AGAIN: Duration = Duration::from_secs(600);

/// Tenants, metrics and limits that are remembered for this; what comes when there are more counts as told.
const REFUSALS_KNOWN_MAX: usize = 10_000;

/// Turns what is over a limit of the store into rejects.
pub(crate) fn admit(series: &SeriesDb, tenant: &TenantId, decoded: &mut Decoded) {
    let series_sent = decoded.series.series.len();
    // What is known is in the store already, and so is its tenant.
    let is_known = decoded.series_known == series_sent;
    let refused = if is_known { Vec::new() } else { series.refused(tenant, &decoded.series) };
    if !refused.is_empty() {
        let (mut at, mut next) = (0, refused.iter().map(|rejected| rejected.at).peekable());
        decoded.series.series.retain(|_| {
            at += 1;
            next.next_if_eq(&(at - 1)).is_none()
        });
        decoded.rejects.extend(rejects_of(refused));
    }
    if let Some((reason, places)) = series.refused_metadata(tenant, &decoded.series.metadata) {
        decoded.rejects.extend(metadata_reject(&mut decoded.series, reason, &places));
    }
}

/// Metadata that there is no room for. It is no item of any protocol, so it counts as none.
fn metadata_reject(batch: &mut SeriesBatch, reason: Limit, places: &[usize]) -> Option<Reject> {
    let refused: Vec<&str> = places.iter().map(|at| batch.metadata[*at].name.as_str()).collect();
    let over = OverLimit { limit: reason.name(), metric: (*refused.first()?).into() };
    let said = format!("metadata of {} metrics over a limit: {reason}", refused.len());
    let reject = Reject { items: 0, over: Some(over), ..Reject::new(said, refused.join("\n").as_bytes()) };
    let (mut at, mut next) = (0, places.iter().peekable());
    batch.metadata.retain(|_| {
        at += 1;
        next.next_if(|place| **place == at - 1).is_none()
    });
    Some(reject)
}

/// The first series one by one, the others together.
fn rejects_of(refused: Vec<Rejected>) -> Vec<Reject> {
    let mut rejects = Vec::with_capacity(refused.len().min(REFUSED_SERIES_TOLD_MAX));
    let mut groups: Vec<(OverLimit, Group)> = Vec::new();
    let mut places: HashMap<OverLimit, usize> = HashMap::new();
    for rejected in refused {
        let mut over = OverLimit { limit: rejected.reason.name(), metric: rejected.labels.metric_name().into() };
        if rejects.len() < REFUSED_SERIES_TOLD_MAX {
            let reason = format!("series over a limit: {}", rejected.reason);
            let raw = rejected.labels.to_string();
            let reject = Reject::new(reason, raw.as_bytes()).of_items(rejected.samples);
            rejects.push(Reject { over: Some(over), ..reject });
            continue;
        }
        if groups.len() >= REFUSED_METRICS_TOLD_MAX && !places.contains_key(&over) {
            over.metric = "".into();
        }
        let next = groups.len();
        let at = *places.entry(over.clone()).or_insert(next);
        if at == next {
            groups.push((over, Group { first: rejected.clone(), series: 0, samples: 0 }));
        }
        groups[at].1.series += 1;
        groups[at].1.samples += rejected.samples;
    }
    rejects.extend(groups.into_iter().map(|(over, group)| group.reject(over)));
    rejects
}

/// Series of one metric, or of many, over one limit.
struct Group {
    first: Rejected,
    series: usize,
    samples: usize,
}

impl Group {
    fn reject(self, over: OverLimit) -> Reject {
        let reason = format!("{} more series are over a limit, like: {}", self.series, self.first.reason);
        let raw = self.first.labels.to_string();
        Reject { over: Some(over), ..Reject::new(reason, raw.as_bytes()).of_items(self.samples) }
    }
}

/// What was refused of a request, by metric and limit: counted and logged once the request is stored.
#[derive(Debug, Default)]
pub(crate) struct Tally(Vec<(OverLimit, Refusal)>);

#[derive(Debug)]
struct Refusal {
    reason: String,
    items: u64,
}

/// What was told lately.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<(TenantId, OverLimit), Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    /// Samples refused since.
    since: u64,
}

impl Refusals {
    /// Adds up what is over limits, and leaves out of the rejects what quarantine was told lately.
    pub(crate) fn tally(&self, tenant: &TenantId, rejects: &mut Vec<Reject>, now: Instant) -> Tally {
        let mut tally = Tally::default();
        if rejects.iter().all(|reject| reject.over.is_none()) {
            return tally;
        }
        for reject in &*rejects {
            let Some(over) = &reject.over else { continue };
            match tally.0.iter_mut().find(|(known, _)| known == over) {
                Some((_, refusal)) => refusal.items += reject.items,
                None => tally.0.push((over.clone(), Refusal { reason: reject.reason.clone(), items: reject.items })),
            }
        }
        let known = self.0.lock();
        let room = known.len() < REFUSALS_KNOWN_MAX || known.values().any(|told| told.is_long_ago(now));
        let told = |over: &OverLimit| known.get(&(tenant.clone(), over.clone()));
        rejects.retain(|reject| {
            reject.over.as_ref().is_none_or(|over| told(over).map_or(room, |told| told.is_long_ago(now)))
        });
        tally
    }

    /// Counts and logs what was refused of a request that is stored.
    pub(crate) fn stored(&self, tenant: &TenantId, tally: Tally, now: Instant) {
        for (over, refusal) in tally.0 {
            REFUSED_SAMPLES.add(tenant.as_str(), over.limit, refusal.items);
            let metric = Arc::clone(&over.metric);
            let Some(samples) = self.note((tenant.clone(), over), refusal.items, now) else { continue };
            tracing::warn!(%tenant, metric = &*metric, samples, reason = refusal.reason, "samples over a limit were refused");
        }
    }

    /// The number of samples since the last time that something is to be said, when it is to be said again.
    fn note(&self, key: (TenantId, OverLimit), items: u64, now: Instant) -> Option<u64> {
        let mut known = self.0.lock();
        if known.len() >= REFUSALS_KNOWN_MAX && !known.contains_key(&key) {
            known.retain(|_, told| !told.is_long_ago(now));
            if known.len() >= REFUSALS_KNOWN_MAX {
                return None;
            }
        }
        match known.entry(key) {
            Entry::Vacant(place) => {
                place.insert(Told { at: now, since: 0 });
                Some(items)
            }
            Entry::Occupied(mut place) => {
                let told = place.get_mut();
                told.since += items;
                if !told.is_long_ago(now) {
                    return None;
                }
                let since = told.since;
                *told = Told { at: now, since: 0 };
                Some(since)
            }
        }
    }
}

impl Told {
    fn is_long_ago(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= REFUSAL_AGAIN
    }
}

#[cfg(test)]
mod tests;
