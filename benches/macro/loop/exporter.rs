//! What a simulated service exports, as series: what a collector would have stored of it up to a moment.
//!
//! The service's collector counts requests from its records, once a second, by version, endpoint and status, with a histogram of
//! latencies; a second whose records are lost has no sample. Memory and the neighbours' counters are scraped. Series begin when
//! there is something to count, end with the process, and get no staleness markers: a hole and an end look alike.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Labels, LabelsBuilder, METRIC_NAME, Timestamp};
use promql::{Matcher, SelectRequest, SeriesSource, SourceError, SourceSeries};
use sim::{BOUNDS_S, Counts, Neighbour, TelemetryView, Version, second, timestamp};

/// The service that is released.
pub(crate) const SERVICE: &str = "shop";
/// Its versions, the one before first.
pub(crate) const VERSIONS: [&str; 2] = ["1.8.0", "1.9.0"];
/// The services beside it: what it needs, and another one that needs the same.
pub(crate) const NEIGHBOURS: [&str; 2] = ["payment", "billing"];

/// Places of the targets: the versions, the neighbours, the versions' memory, the probe.
const BESIDE_AT: usize = 2;
const MEMORY_AT: usize = 4;
const PROBE_AT: usize = 6;
const SIDES: [Version; 2] = [Version::Old, Version::New];
const BESIDE: [Neighbour; 2] = [Neighbour::Dependency, Neighbour::Peer];
const REQUESTS: &str = "http_requests_total";
const BUCKETS: &str = "http_request_duration_seconds_bucket";
/// The status of what went well and of what failed.
const CODES: [&str; 2] = ["200", "500"];

/// A process that is read at certain times; all of its series have samples at those times.
#[derive(Default)]
struct Target {
    times: Vec<i64>,
    series: Vec<usize>,
}

struct Series {
    labels: Labels,
    target: usize,
    /// Its first sample's place among the target's.
    first: usize,
    values: Vec<f64>,
}

/// Every series, as far as it has arrived.
pub(crate) struct Exporter {
    targets: Vec<Target>,
    series: Vec<Series>,
    /// Places of the series that a selector finds, by its text.
    found: Mutex<HashMap<String, Arc<[usize]>>>,
    until_s: u32,
}

impl Exporter {
    /// Nothing has arrived yet.
    pub(crate) fn new(endpoints: usize) -> Self {
        let mut exporter = Self { targets: Vec::new(), series: Vec::new(), found: Mutex::default(), until_s: 0 };
        for version in VERSIONS {
            let own = [("service_name", SERVICE), ("service_version", version)];
            exporter.target(|add| {
                for endpoint in 0..endpoints {
                    let route = format!("/{endpoint}");
                    counters(&[own[0], own[1], ("http_route", &route)], add);
                }
            });
        }
        for name in NEIGHBOURS {
            exporter.target(|add| counters(&[("service_name", name)], add));
        }
        for version in VERSIONS {
            let own = [("service_name", SERVICE), ("service_version", version)];
            exporter.target(|add| add("process_memory_utilization", &own));
        }
        exporter
            .target(|add| add("probe_success", &[("service_name", SERVICE), ("instance", "https://shop.example/")]));
        exporter
    }

    fn target(&mut self, declare: impl Fn(&mut dyn FnMut(&str, &[(&str, &str)]))) {
        let (target, before) = (self.targets.len(), self.series.len());
        declare(&mut |name, pairs| {
            let mut labels = LabelsBuilder::default();
            labels.set(METRIC_NAME, name);
            pairs.iter().for_each(|(name, value)| labels.set(*name, *value));
            self.series.push(Series { labels: labels.build(), target, first: usize::MAX, values: Vec::new() });
        });
        self.targets.push(Target { times: Vec::new(), series: (before..self.series.len()).collect() });
    }

    /// Takes in what has arrived since the last call.
    pub(crate) fn extend(&mut self, view: &TelemetryView<'_>) {
        let (from, to) = (timestamp(self.until_s), view.arrived());
        if to <= from {
            return;
        }
        let after = timestamp(self.until_s + 1);
        for at_s in self.until_s + 1..=second(to) {
            let at = timestamp(at_s);
            for (side, version) in SIDES.into_iter().enumerate() {
                if view.recorded(version, at) {
                    let counts = |endpoint| view.records(version, Some(endpoint), timestamp(0), at);
                    self.push(side, at, (0..view.endpoints()).flat_map(|endpoint| values(&counts(endpoint))));
                }
            }
            let (sent, failed) = view.probes(timestamp(at_s - 1), at);
            if sent > 0 {
                self.push(PROBE_AT, at, [Some(if failed == 0 { 1.0 } else { 0.0 })]);
            }
        }
        for (place, which) in BESIDE.into_iter().enumerate() {
            for (at, counts) in view.neighbour_samples(which, after, to) {
                self.push(BESIDE_AT + place, at, values(&counts));
            }
        }
        for (side, version) in SIDES.into_iter().enumerate() {
            for (at, share) in view.memory(version, after, to) {
                self.push(MEMORY_AT + side, at, [Some(share)]);
            }
        }
        self.until_s = second(to);
    }

    /// Adds a sample to each series of a target; a series without a value has not begun.
    fn push(&mut self, target: usize, at: Timestamp, values: impl IntoIterator<Item = Option<f64>>) {
        let Target { times, series } = &mut self.targets[target];
        for (place, value) in series.iter().zip(values) {
            let series = &mut self.series[*place];
            if let Some(value) = value {
                series.first = series.first.min(times.len());
                series.values.push(value);
            }
        }
        times.push(at.millis());
    }

    fn find(&self, matchers: &[Matcher]) -> Arc<[usize]> {
        let key: String = matchers.iter().map(|matcher| format!("{matcher},")).collect();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |series: &Series| {
            matchers.iter().all(|matcher| matcher.matches(series.labels.get(&matcher.name).unwrap_or_default()))
        };
        let search = || (0..self.series.len()).filter(|place| fits(&self.series[*place])).collect();
        found.entry(key).or_insert_with(search).clone()
    }

    /// The newest samples of each series in a range of time.
    fn samples(&self, request: &SelectRequest<'_>, most: usize) -> Vec<SourceSeries> {
        let mut found = Vec::new();
        for place in self.find(request.matchers).iter() {
            let Series { labels, target, first, values } = &self.series[*place];
            let times = &self.targets[*target].times;
            let to = times.partition_point(|time| *time <= request.end_ms);
            let from = times.partition_point(|time| *time < request.start_ms).max(*first).max(to.saturating_sub(most));
            if from < to {
                let (times, values) = (times[from..to].to_vec(), values[from - first..to - first].to_vec());
                found.push(SourceSeries { labels: labels.clone(), times, values });
            }
        }
        found
    }
}

impl SeriesSource for Exporter {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        Ok(self.samples(request, usize::MAX))
    }

    fn newest(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        Ok(self.samples(request, 1))
    }
}

/// The counters of something that serves requests.
fn counters(own: &[(&str, &str)], add: &mut dyn FnMut(&str, &[(&str, &str)])) {
    for code in CODES {
        add(REQUESTS, &[own, &[("http_response_status_code", code)]].concat());
    }
    for bound in BOUNDS_S {
        add(BUCKETS, &[own, &[("le", &bound.to_string())]].concat());
    }
    add(BUCKETS, &[own, &[("le", "+Inf")]].concat());
}

/// What those counters say, in the same order.
fn values(counts: &Counts) -> impl Iterator<Item = Option<f64>> + use<> {
    let begun = |n: u32, of: u32| (of > 0).then_some(f64::from(n));
    let Counts { requests, errors, buckets, .. } = *counts;
    let well = requests - errors;
    let outcomes = [begun(well, well), begun(errors, errors)];
    let mut below = 0;
    outcomes.into_iter().chain(buckets.into_iter().map(move |count| {
        below += count;
        begun(below, requests)
    }))
}
