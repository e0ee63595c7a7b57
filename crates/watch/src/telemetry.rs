//! How a service's telemetry is found and read: counters of requests, latency buckets, dependencies, how full it is.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash as _, Hasher as _};

use model::{Labels, TimeRange, Timestamp};
use rules::{RuleQuery, RuleQueryError};
use verdict::{Cell, Counter, DEPENDENCY_STRATUM, Part, Role, Window};

use crate::ask::{Measured, MeasuredKind};
use crate::family::{Family, LE_LABEL, Series, bounds, parse_bound, quoted};
use crate::labels;
use crate::measures;
use crate::spans::{self, SPAN_BOUNDS, SPANS_SETTLE_NS};

/// Most dependencies that a watch looks at.
pub const DEPENDENCIES_MAX: usize = 8;
/// How long counters may take to arrive, in nanoseconds, so that questions of one look see the same samples. What arrives later is
/// not lost: samples have their own times.
const SETTLE_NS: i64 = 1_000_000_000;
/// How old a sample of an instance's fill may be, in nanoseconds: an instance that is gone is not full, and one that is read once a
/// minute still counts.
const FILL_AGE_MAX_NS: i64 = 75_000_000_000;
/// How far a look for a service's spans goes back, in nanoseconds.
const SPANS_WITHIN_NS: i64 = 600_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;
const DAY_NS: i64 = 86_400_000_000_000;

/// How full a process is, 0 to 1.
const FILL: [&str; 2] = ["process_memory_utilization", "system_memory_utilization"];

/// Whether series say which version they are of, and which version is the new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    /// The version that the change brought; `None` when it has none: then all is new.
    pub(crate) new: Option<String>,
    /// The label of the version, when the catalogue names one.
    pub(crate) label: Option<String>,
}

impl Versions {
    pub(crate) fn role(&self, labels: &Labels) -> Role {
        self.role_of(labels::version(labels, self.label.as_deref()))
    }

    /// A series without a version can not be told apart: it counts as new, and is compared with the time before only.
    pub(crate) fn role_of(&self, version: Option<&str>) -> Role {
        match (&self.new, version) {
            (Some(new), Some(version)) if new != version => Role::Old,
            _ => Role::New,
        }
    }
}

/// What a service's watch reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    pub(crate) service: Option<Family>,
    pub(crate) dependencies: BTreeMap<String, Family>,
    pub(crate) fill: Option<String>,
    pub(crate) measures: Vec<Measured>,
    pub(crate) probes: Option<String>,
    /// Services (this one or dependencies) whose requests are counted from spans, because they have no counters.
    pub(crate) spans: Vec<String>,
    /// Upper bounds of latency buckets, in seconds.
    pub(crate) bounds: Vec<f64>,
}

impl Telemetry {
    /// Looks for what there is of a service and its dependencies up to `at`.
    pub(crate) fn find(
        query: &dyn RuleQuery,
        service: &str,
        dependencies: &[String],
        measures: Vec<Measured>,
        at: Timestamp,
    ) -> Result<Telemetry, RuleQueryError> {
        let mut found = Telemetry { measures, ..Telemetry::default() };
        found.service = Family::find(query, service, at)?;
        for dependency in dependencies.iter().filter(|name| *name != service).take(DEPENDENCIES_MAX) {
            match Family::find(query, dependency, at)? {
                Some(family) => drop(found.dependencies.insert(dependency.clone(), family)),
                None => found.find_spans(query, dependency, at)?,
            }
        }
        if found.service.is_none() {
            found.find_spans(query, service, at)?;
        }
        if let Some(family) = found.service.as_ref().filter(|family| family.buckets.is_some()) {
            found.bounds = family.bounds(query, at)?;
        } else if let Some(buckets) = found.latency_measure("1m") {
            found.bounds = bounds(&query.instant(&buckets, at)?);
        } else if found.spans.iter().any(|name| name == service) {
            found.bounds = SPAN_BOUNDS.to_vec();
        }
        found.fill = first_found(query, service, &FILL, at)?;
        found.probes = first_found(query, service, &["probe_success"], at)?;
        Ok(found)
    }

    /// The query of an additional measure of latency for a window, where the service has one and no histogram of its own.
    fn latency_measure(&self, window: &str) -> Option<String> {
        let own = self.service.as_ref().is_some_and(|family| family.buckets.is_some());
        let measure = self.measures.iter().find(|measure| measure.kind == MeasuredKind::Latency).filter(|_| !own)?;
        Some(measure.total.replace("$window", window))
    }

    /// What an additional measure of latency counted in the window before `at`, by part.
    pub(crate) fn measured_latency(
        &self,
        query: &dyn RuleQuery,
        versions: &Versions,
        window: &str,
        at: Timestamp,
    ) -> Result<Vec<(Part, f64)>, RuleQueryError> {
        let Some(text) = self.latency_measure(window) else { return Ok(Vec::new()) };
        let answer = query.instant(&text, at)?.into_iter();
        let samples: Vec<Sampled> = answer.map(|(labels, value)| Sampled { labels, value, at }).collect();
        let mut counters = Vec::new();
        let part =
            |labels: &Labels, place| Part::Bucket(versions.role(labels), labels::route(labels).to_owned(), place);
        self.buckets(&samples, part, &mut counters);
        Ok(counters.into_iter().map(|counter| (counter.part, counter.value)).collect())
    }

    /// Adds what it counted in a window of the past.
    pub(crate) fn add_measured_latency(
        &self,
        query: &dyn RuleQuery,
        (end, minutes): (Timestamp, i64),
        window: &mut Window,
    ) -> Result<(), RuleQueryError> {
        let Some(text) = self.latency_measure(&format!("{minutes}m")) else { return Ok(()) };
        self.add_buckets(query.instant(&text, end)?, |labels| labels::route(labels).to_owned(), window);
        Ok(())
    }

    fn find_spans(&mut self, query: &dyn RuleQuery, service: &str, at: Timestamp) -> Result<(), RuleQueryError> {
        let range = TimeRange::new(at.saturating_add_ns(-SPANS_WITHIN_NS), at);
        if !spans::count(query, service, range)?.is_empty() {
            self.spans.push(service.to_owned());
        }
        Ok(())
    }

    /// Whether there is anything to count of a service.
    pub(crate) fn counts(&self, service: &str) -> bool {
        let errors = |measure: &Measured| measure.kind == MeasuredKind::Errors;
        self.service.is_some() || self.measures.iter().any(errors) || self.spans.iter().any(|name| name == service)
    }

    /// How long data may take to arrive, in nanoseconds.
    pub(crate) fn settle_ns(&self) -> i64 {
        if self.spans.is_empty() { SETTLE_NS } else { SPANS_SETTLE_NS }
    }

    /// What it reads, for people.
    pub(crate) fn sources(&self) -> Vec<String> {
        let mut sources = Vec::new();
        for family in self.service.iter().chain(self.dependencies.values()) {
            let buckets = family.buckets.iter().filter(|buckets| **buckets != family.requests);
            sources.extend([&family.requests].into_iter().chain(buckets).map(|series| series.text().to_owned()));
        }
        sources.extend(self.spans.iter().map(|service| format!("from spans service.name:={service}")));
        sources.extend(self.fill.clone());
        sources.extend(self.probes.clone());
        sources.extend(self.measures.iter().map(|measure| measure.total.clone()));
        sources
    }

    /// What is asked for a kind of signal.
    pub(crate) fn query_of(&self, kind: verdict::SignalKind) -> String {
        let own = |wanted: MeasuredKind| {
            self.measures.iter().find(|measure| measure.kind == wanted).map(|measure| measure.total.clone())
        };
        let family = self.service.as_ref();
        match kind {
            verdict::SignalKind::Errors => {
                family.map(|family| family.requests.requests()).or_else(|| own(MeasuredKind::Errors))
            }
            verdict::SignalKind::Latency => family.and_then(|family| Some(family.buckets.as_ref()?.text().to_owned())),
            verdict::SignalKind::Saturation => own(MeasuredKind::Saturation).or_else(|| self.fill.clone()),
            verdict::SignalKind::Pattern => Some("severity:in(ERROR, FATAL)".to_owned()),
            verdict::SignalKind::Probe => self.probes.clone(),
        }
        .unwrap_or_default()
    }

    /// All counters at a time, but those that have no newer sample than when they were asked for last.
    pub(crate) fn counters(
        &self,
        query: &dyn RuleQuery,
        versions: &Versions,
        at: Timestamp,
        seen: &mut Seen,
    ) -> Result<Vec<Counter>, RuleQueryError> {
        let mut counters = Vec::new();
        if let Some(family) = &self.service {
            let parts = |labels: &Labels| {
                let (role, route) = (versions.role(labels), labels::route(labels).to_owned());
                (Part::Requests(role, route.clone()), Part::Errors(role, route))
            };
            requests(&seen.requests(query, &family.requests, at)?, parts, &mut counters);
            if let Some(buckets) = &family.buckets {
                let part =
                    |labels: &Labels, at| Part::Bucket(versions.role(labels), labels::route(labels).to_owned(), at);
                self.buckets(&seen.buckets(query, buckets, &self.bounds, at)?, part, &mut counters);
            }
        }
        for (name, family) in &self.dependencies {
            let parts = |_: &Labels| (Part::DependencyRequests(name.clone()), Part::DependencyErrors(name.clone()));
            requests(&seen.requests(query, &family.requests, at)?, parts, &mut counters);
            if let (Some(buckets), false) = (&family.buckets, self.bounds.is_empty()) {
                let part = |_: &Labels, at| Part::DependencyBucket(name.clone(), at);
                self.buckets(&seen.buckets(query, buckets, &self.bounds, at)?, part, &mut counters);
            }
        }
        Ok(counters)
    }

    /// Counters of each bucket from Prometheus's cumulative ones, of the series that have exactly the bounds of this watch.
    fn buckets(&self, samples: &[Sampled], part: impl Fn(&Labels, usize) -> Part, out: &mut Vec<Counter>) {
        let mut groups: BTreeMap<u64, Vec<(f64, &Sampled)>> = BTreeMap::new();
        for sample in samples {
            if let Some(bound) = sample.labels.get(LE_LABEL).and_then(parse_bound) {
                groups.entry(series_of(&sample.labels, &[LE_LABEL])).or_default().push((bound, sample));
            }
        }
        for (series, mut group) in groups {
            group.sort_by(|a, b| a.0.total_cmp(&b.0));
            let finite = group.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite());
            if !finite.eq(self.bounds.iter().copied()) || group.len() != self.bounds.len() + 1 {
                continue;
            }
            let mut below = 0.0;
            for (at, (_, sample)) in group.iter().enumerate() {
                let value = (sample.value - below).max(0.0);
                below = sample.value;
                let series = mixed(series, at as u64 + 1);
                out.push(Counter { series, part: part(&sample.labels, at), value, at: sample.at });
            }
        }
    }

    /// How full the fullest instance of each side is, and when that was measured, when it was since the last look.
    pub(crate) fn fill(
        &self,
        query: &dyn RuleQuery,
        versions: &Versions,
        at: Timestamp,
        seen: &mut Seen,
    ) -> Result<BTreeMap<Role, (Timestamp, f64)>, RuleQueryError> {
        let own = self.measures.iter().filter(|measure| measure.kind == MeasuredKind::Saturation);
        let mut texts: Vec<String> =
            own.clone().filter(|measure| !measure.logs).map(|measure| measure.total.replace("$window", "1m")).collect();
        if own.count() == 0 {
            texts.extend(self.fill.clone());
        }
        let mut fill: BTreeMap<Role, (Timestamp, f64)> = BTreeMap::new();
        for text in texts {
            let samples = seen.series(query, &text, at)?;
            for sample in samples.into_iter().filter(|sample| at.0 - sample.at.0 <= FILL_AGE_MAX_NS) {
                let known = fill.entry(versions.role(&sample.labels)).or_insert((sample.at, sample.value));
                *known = (known.0.max(sample.at), known.1.max(sample.value));
            }
        }
        Ok(fill)
    }

    /// The newest result of each probe, when there is any since the last look: which, when, whether it failed.
    pub(crate) fn probes(
        &self,
        query: &dyn RuleQuery,
        at: Timestamp,
        seen: &mut Seen,
    ) -> Result<Vec<(u64, Timestamp, bool)>, RuleQueryError> {
        let Some(probes) = &self.probes else { return Ok(Vec::new()) };
        let samples = seen.series(query, probes, at)?;
        Ok(samples.iter().map(|sample| (series_of(&sample.labels, &[]), sample.at, sample.value < 0.5)).collect())
    }

    /// Windows of the past before `start`: the last hour, and the time around it yesterday and a week ago.
    pub(crate) fn history(
        &self,
        query: &dyn RuleQuery,
        start: Timestamp,
        service: &str,
    ) -> Result<Vec<Window>, RuleQueryError> {
        past(start, |end, minutes| {
            let mut window = match &self.service {
                Some(family) => {
                    self.window(query, family, (end, minutes), |labels| labels::route(labels).to_owned())?
                }
                None => self.span_window(query, (end, minutes), service, false)?,
            };
            measures::add_history(self, query, (end, minutes), &mut window)?;
            Ok(window)
        })
    }

    /// The same of a dependency.
    pub(crate) fn dependency_history(
        &self,
        query: &dyn RuleQuery,
        start: Timestamp,
        name: &str,
    ) -> Result<Vec<Window>, RuleQueryError> {
        past(start, |end, minutes| match self.dependencies.get(name) {
            Some(family) => self.window(query, family, (end, minutes), |_| DEPENDENCY_STRATUM.to_owned()),
            None => self.span_window(query, (end, minutes), name, true),
        })
    }

    fn span_window(
        &self,
        query: &dyn RuleQuery,
        (end, minutes): (Timestamp, i64),
        service: &str,
        dependency: bool,
    ) -> Result<Window, RuleQueryError> {
        let mut window = Window::default();
        if !self.spans.iter().any(|name| name == service) {
            return Ok(window);
        }
        let range = TimeRange::new(end.saturating_add_ns(-minutes * MINUTE_NS), end);
        for found in spans::count(query, service, range)? {
            let stratum = if dependency { DEPENDENCY_STRATUM.to_owned() } else { found.route };
            let cell: &mut Cell = window.cells.entry(stratum).or_default();
            cell.requests.n += found.cell.requests.n;
            cell.requests.bad += found.cell.requests.bad;
            cell.buckets.resize(SPAN_BOUNDS.len() + 1, 0.0);
            cell.buckets.iter_mut().zip(&found.cell.buckets).for_each(|(sum, count)| *sum += count);
        }
        Ok(window)
    }

    fn window(
        &self,
        query: &dyn RuleQuery,
        family: &Family,
        (end, minutes): (Timestamp, i64),
        stratum: impl Fn(&Labels) -> String,
    ) -> Result<Window, RuleQueryError> {
        let mut window = Window::default();
        for (labels, count) in query.instant(&family.increase(minutes), end)? {
            let cell: &mut Cell = window.cells.entry(stratum(&labels)).or_default();
            cell.requests.n += count;
            cell.requests.bad += if labels::failed(&labels) { count } else { 0.0 };
        }
        let buckets = family.increase_of_buckets(&self.bounds, minutes).filter(|_| !self.bounds.is_empty());
        if let (Some(text), false) = (buckets, window.cells.is_empty()) {
            self.add_buckets(query.instant(&text, end)?, &stratum, &mut window);
        }
        Ok(window)
    }

    fn add_buckets(&self, answer: Vec<(Labels, f64)>, stratum: impl Fn(&Labels) -> String, window: &mut Window) {
        let at = Timestamp::default();
        let samples: Vec<Sampled> = answer.into_iter().map(|(labels, value)| Sampled { labels, value, at }).collect();
        let mut counters = Vec::new();
        let part = |labels: &Labels, at| Part::Bucket(Role::Old, stratum(labels), at);
        self.buckets(&samples, part, &mut counters);
        for counter in counters {
            if let Part::Bucket(_, stratum, at) = counter.part {
                let cell: &mut Cell = window.cells.entry(stratum).or_default();
                cell.buckets.resize(self.bounds.len() + 1, 0.0);
                cell.buckets[at] += counter.value;
            }
        }
    }
}

/// The windows of the past that have anything in them, the newest first.
fn past(
    start: Timestamp,
    ask: impl Fn(Timestamp, i64) -> Result<Window, RuleQueryError>,
) -> Result<Vec<Window>, RuleQueryError> {
    let mut windows = Vec::new();
    for (end, minutes) in window_ends(start) {
        let window = Window { seconds: minutes as f64 * 60.0, ..ask(end, minutes)? };
        if !window.cells.is_empty() {
            windows.push(window);
        }
    }
    Ok(windows)
}

/// Ends of the windows of the past and their lengths in minutes. The quarter of an hour before is cut finely, because a service may
/// not have been there for longer.
fn window_ends(start: Timestamp) -> Vec<(Timestamp, i64)> {
    let before = |ns: i64| start.saturating_add_ns(-ns);
    let fine = (0..15).map(|nth| (before(nth * MINUTE_NS), 1));
    let hour = (0..9).map(|nth| (before((15 + 5 * nth) * MINUTE_NS), 5));
    let seasons = [DAY_NS, 7 * DAY_NS];
    let around = seasons.into_iter().flat_map(|ago| (-2..4).map(move |nth| (ago + nth * 5 * MINUTE_NS, 5)));
    fine.chain(hour).chain(around.map(|(ago, minutes)| (before(ago), minutes))).collect()
}

fn first_found(
    query: &dyn RuleQuery,
    service: &str,
    metrics: &[&str],
    at: Timestamp,
) -> Result<Option<String>, RuleQueryError> {
    for metric in metrics {
        for label in labels::SERVICE {
            let text = format!("{metric}{{{label}={}}}", quoted(service));
            if !query.instant(&text, at)?.is_empty() {
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}

struct Sampled {
    labels: Labels,
    value: f64,
    at: Timestamp,
}

/// When the newest sample was taken of each series that was asked for, as one number for each question.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<String, u64>);

impl Seen {
    fn requests(
        &mut self,
        query: &dyn RuleQuery,
        series: &Series,
        at: Timestamp,
    ) -> Result<Vec<Sampled>, RuleQueryError> {
        self.newer(query, &series.times(), &series.requests(), &[], at)
    }

    fn buckets(
        &mut self,
        query: &dyn RuleQuery,
        series: &Series,
        bounds: &[f64],
        at: Timestamp,
    ) -> Result<Vec<Sampled>, RuleQueryError> {
        self.newer(query, &series.times(), &series.buckets(bounds), series.read_labels(), at)
    }

    fn series(&mut self, query: &dyn RuleQuery, text: &str, at: Timestamp) -> Result<Vec<Sampled>, RuleQueryError> {
        self.newer(query, &format!("timestamp({text})"), text, &[], at)
    }

    /// Values with the time of the samples that they are from: without it, data that stopped would look like data that says zero.
    /// Nothing when no series has a newer sample than at the last call: then the values are not even asked for. Values may have
    /// labels that their series do not have, such as the `le` of what is read of a native histogram.
    fn newer(
        &mut self,
        query: &dyn RuleQuery,
        times: &str,
        values: &str,
        read_labels: &[&str],
        at: Timestamp,
    ) -> Result<Vec<Sampled>, RuleQueryError> {
        let asked = query.instant(times, at)?;
        let mut hasher = std::hash::DefaultHasher::new();
        let mut times: HashMap<u64, f64> = HashMap::new();
        for (labels, time_s) in asked {
            (series_of(&labels, &[]), time_s.to_bits()).hash(&mut hasher);
            times.insert(series_of(&labels, read_labels), time_s);
        }
        let state = hasher.finish();
        if times.is_empty() || self.0.get(values) == Some(&state) {
            return Ok(Vec::new());
        }
        let sampled = query.instant(values, at)?.into_iter().filter_map(|(labels, value)| {
            let time_s = times.get(&series_of(&labels, read_labels))?;
            Some(Sampled { labels, value, at: Timestamp((time_s * 1e3).round() as i64 * 1_000_000) })
        });
        let sampled = sampled.collect();
        self.0.insert(values.to_owned(), state);
        Ok(sampled)
    }
}

fn requests(samples: &[Sampled], parts: impl Fn(&Labels) -> (Part, Part), out: &mut Vec<Counter>) {
    for sample in samples {
        let series = series_of(&sample.labels, &[]);
        let (requests, errors) = parts(&sample.labels);
        if labels::failed(&sample.labels) {
            out.push(Counter { series: mixed(series, u64::MAX), part: errors, value: sample.value, at: sample.at });
        }
        out.push(Counter { series, part: requests, value: sample.value, at: sample.at });
    }
}

/// A number for a series: a hash of its labels but the metric's name and those left out.
fn series_of(labels: &Labels, without: &[&str]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    for (name, value) in labels.iter() {
        if name != model::METRIC_NAME && !without.contains(&name) {
            (name, value).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn mixed(series: u64, place: u64) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    (series, place).hash(&mut hasher);
    hasher.finish()
}
