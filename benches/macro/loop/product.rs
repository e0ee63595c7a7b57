//! Backstop's own code as a policy: the crate `verdict`, fed as the crate `watch` feeds it.
//!
//! Nothing is decided here. Cumulative counters go through [`verdict::Counters`] into a [`Watch`], and its verdict is the answer:
//! Bad rolls back, Good and Unknown hold, and the watch goes on to the end. As in `watch`: a look each second at what had happened
//! a second before, the minutes of the hour before as what is usual, every other change of the service or of what it needs told
//! as concurrent. Requests, failures, latencies and error lines are counted from records; memory and the neighbours from scraped
//! metrics. The dependency is asked itself where it shows telemetry, and through the calls of its other caller.
//!
//! Not run here: how `watch` finds its series and asks for them (its tests do that), guards and actions (`respond`).

use std::collections::BTreeMap;
use std::time::Duration;

use model::Timestamp;
use sim::{
    AFTER_S, BOUNDS_S, Changed, Neighbour, PATTERNS, Policy, PolicyAction, START_S, Severity, Source, TelemetryView,
    Version, timestamp,
};
use verdict::{
    Baseline, Cell, Concurrent, Counter, Counters, Counts, DEPENDENCY_STRATUM, Facts, Part, Role, Verdict, Watch,
    WatchSpec, Window,
};

/// The name in reports.
pub(crate) const NAME: &str = "Backstop";
/// Seconds between two looks.
const TICK_S: u64 = 1;
/// Seconds that what is looked at lies back, so that it has arrived.
const SETTLE_S: u32 = 1;
/// How far back what is usual is learned from.
const USUAL_S: u32 = 3_600;
/// More than the series of one block.
const SERIES_BLOCK: u64 = 1_000;
const SECOND_NS: i64 = 1_000_000_000;
const VERSIONS: [(Version, Role); 2] = [(Version::Old, Role::Old), (Version::New, Role::New)];
const NEIGHBOURS: [(Neighbour, &str); 2] =
    [(Neighbour::Dependency, "dependency"), (Neighbour::Peer, "dependency, as another service calls it")];

/// The product's watch over one release.
#[derive(Default)]
pub(crate) struct Product {
    watching: Option<(Watch, Counters)>,
    why: String,
}

impl Policy for Product {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn tick(&mut self, now: Timestamp, view: &TelemetryView<'_>) -> PolicyAction {
        let (watch, counters) = self.watching.get_or_insert_with(|| begin(view));
        if let Some(at) = view.changes().first().and_then(|release| release.finished_at) {
            watch.rolled_out(at);
        }
        if let Some((at, _)) = view.changes().first().and_then(|release| release.stages.last().copied()) {
            watch.staged(at);
        }
        let until = before(now, SETTLE_S);
        if let Some(block) = counters.advance(until, &series(view, until), &fill(view, until)) {
            watch.push(&block);
        }
        let card = watch.judge(until, &facts(view));
        self.why = card.detail;
        match card.verdict {
            Verdict::Bad => PolicyAction::Rollback,
            Verdict::Good => PolicyAction::Good,
            Verdict::Unknown(reason) => PolicyAction::Unknown(reason.as_str().to_owned()),
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(TICK_S)
    }

    fn why(&self) -> String {
        self.why.clone()
    }

    /// Evidence about requests rests on records alone.
    fn sources(&self) -> &'static [Source] {
        &[Source::Records]
    }
}

/// The windows of the past that `watch` learns from, as seconds before the start and length: 15 of a minute, then 9 of 5 minutes. It
/// also takes the same hour a day and a week ago, which a trace does not have.
fn usual_windows() -> impl Iterator<Item = (u32, u32)> {
    (0..15).map(|nth| (nth * 60, 60)).chain((0..9).map(|nth| ((15 + 5 * nth) * 60, 300)))
}

fn before(at: Timestamp, seconds: u32) -> Timestamp {
    at.saturating_add_ns(-i64::from(seconds) * SECOND_NS)
}

fn begin(view: &TelemetryView<'_>) -> (Watch, Counters) {
    let spec = WatchSpec::new("old", "new", timestamp(START_S), i64::from(AFTER_S) * SECOND_NS);
    let minutes: Vec<(Timestamp, Timestamp)> = usual_windows()
        .map(|(ago_s, length_s)| (timestamp(START_S - ago_s - length_s), timestamp(START_S - ago_s)))
        .collect();
    let window = |(from, to): &(Timestamp, Timestamp)| -> Window {
        let cell = |endpoint| cell(&view.records(Version::Old, Some(endpoint), *from, *to));
        let cells = (0..view.endpoints()).map(|endpoint| (stratum(endpoint), cell(endpoint))).collect();
        Window { seconds: seconds(*from, *to), cells }
    };
    let windows: Vec<Window> = minutes.iter().map(window).collect();
    let lines = view.patterns(Version::Old, timestamp(START_S - USUAL_S), timestamp(START_S));
    let usual = error_patterns().map(|(index, text)| (text.to_owned(), f64::from(lines[index])));
    let neighbour = |which| {
        let windows: Vec<Window> = minutes
            .iter()
            .filter_map(|(from, to)| Some((seconds(*from, *to), view.neighbour(which, *from, *to)?)))
            .map(|(seconds, counts)| Window::of(seconds, DEPENDENCY_STRATUM, cell(&counts)))
            .collect();
        (!windows.is_empty()).then(|| Baseline::learn(&windows, &BOUNDS_S))
    };
    let dependencies = NEIGHBOURS.iter().filter_map(|(which, name)| Some(((*name).to_owned(), neighbour(*which)?)));
    let watch = Watch::new(spec, Baseline::learn(&windows, &BOUNDS_S), usual.collect(), dependencies.collect());
    let mut counters = Counters::new(BOUNDS_S.len() + 1);
    for ago in (1..=10).rev() {
        let until = timestamp(START_S - ago);
        counters.before(&series(view, until));
    }
    (watch, counters)
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.0 - from.0) as f64 / 1e9
}

fn stratum(endpoint: usize) -> String {
    format!("/{endpoint}")
}

fn requests(n: u32, bad: u32) -> Cell {
    Cell { requests: Counts { n: f64::from(n), bad: f64::from(bad) }, buckets: Vec::new() }
}

fn cell(counts: &sim::Counts) -> Cell {
    Cell { buckets: counts.buckets.map(f64::from).to_vec(), ..requests(counts.requests, counts.errors) }
}

/// Lines that say that something failed. All of them, seen before or not.
fn error_patterns() -> impl Iterator<Item = (usize, &'static str)> {
    let all = PATTERNS.iter().enumerate();
    all.filter(|(_, pattern)| pattern.severity == Severity::Error).map(|(index, pattern)| (index, pattern.text))
}

/// Every counter as it stands, with the time of its newest sample.
fn series(view: &TelemetryView<'_>, until: Timestamp) -> Vec<Counter> {
    let mut counters = Vec::new();
    // Series are numbered in their order inside a block of a side, a neighbour or the probes, which is always the same.
    let mut push = |block: u64, at: Timestamp, parts: Vec<(Part, u32)>| {
        let numbered = (block * SERIES_BLOCK..).zip(parts);
        counters.extend(numbered.map(|(series, (part, value))| Counter { series, part, value: f64::from(value), at }));
    };
    for (block, (version, role)) in (0..).zip(VERSIONS) {
        if let Some(at) = view.newest_record(version) {
            push(block, at.min(until), side(view, until, version, role));
        }
    }
    for (block, (which, name)) in (2..).zip(NEIGHBOURS) {
        if let Some((at, counts)) = view.neighbour_counters(which) {
            let mut parts = vec![
                (Part::DependencyRequests(name.to_owned()), counts.requests),
                (Part::DependencyErrors(name.to_owned()), counts.errors),
            ];
            let buckets = counts.buckets.into_iter().enumerate();
            parts.extend(buckets.map(|(place, count)| (Part::DependencyBucket(name.to_owned(), place), count)));
            push(block, at, parts);
        }
    }
    if let Some((at, sent, failed)) = view.probe_counters() {
        push(4, at, vec![(Part::Probes, sent), (Part::ProbesFailed, failed)]);
    }
    counters
}

/// What is counted of one side.
fn side(view: &TelemetryView<'_>, until: Timestamp, version: Version, role: Role) -> Vec<(Part, u32)> {
    let mut parts = Vec::new();
    for endpoint in 0..view.endpoints() {
        let counts = view.records(version, Some(endpoint), timestamp(0), until);
        parts.push((Part::Requests(role, stratum(endpoint)), counts.requests));
        parts.push((Part::Errors(role, stratum(endpoint)), counts.errors));
        let buckets = counts.buckets.into_iter().enumerate();
        parts.extend(buckets.map(|(place, count)| (Part::Bucket(role, stratum(endpoint), place), count)));
    }
    let lines = view.patterns(version, timestamp(0), until);
    parts.extend(error_patterns().map(|(index, text)| (Part::Pattern(role, text.to_owned()), lines[index])));
    parts
}

/// How full each side is by its newest scrape, while it is fresh.
fn fill(view: &TelemetryView<'_>, until: Timestamp) -> BTreeMap<Role, f64> {
    let newest =
        |version| view.memory(version, before(until, 2 * sim::SCRAPE_S), until).last().map(|(_, share)| *share);
    VERSIONS.iter().filter_map(|(version, role)| Some((*role, newest(*version)?))).collect()
}

fn facts(view: &TelemetryView<'_>) -> Facts {
    let told = view.changes().into_iter().filter_map(|change| {
        let (what, reason, needed) = match change.what {
            Changed::Release => return None,
            Changed::OwnConfig => ("a change of the configuration", "the same service", None),
            Changed::Dependency => {
                ("a change of the dependency", "a service that this one needs", Some(NEIGHBOURS[0].1))
            }
        };
        let needed = needed.map(str::to_owned);
        Some(Concurrent { what: what.to_owned(), reason: reason.to_owned(), at: change.started_at, needed })
    });
    Facts { concurrent: told.collect(), ..Facts::default() }
}
