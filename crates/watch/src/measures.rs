//! Additional measures of a service, from the checks of its entry in the catalogue: asked window by window and added up, so that they
//! count like counters.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use model::{TimeRange, Timestamp, Value};
use rules::{RuleQuery, RuleQueryError};
use verdict::{Counter, Counts, Part, Role, Signal, SignalKind, Window};

use crate::ask::{Measured, MeasuredKind};
use crate::labels;
use crate::telemetry::{Telemetry, Versions};

/// How long the window of a measure in PromQL is, in nanoseconds: a counter needs two samples in it.
const MEASURE_WINDOW_NS: i64 = 15_000_000_000;
/// How long the window of a log query is, in nanoseconds. With the wait for the lines it must be shorter than the silence after which a
/// version counts as gone.
const LOGS_WINDOW_NS: i64 = 4_000_000_000;
/// How much longer log lines are waited for than counters, in nanoseconds: agents send them every few seconds. What comes later is missed,
/// for both versions.
const LOGS_LATE_NS: i64 = 5_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;
/// The column of a log query with the number of requests, of events, or how full something is.
const N: &str = "n";
/// The column with the number of failed requests.
const BAD: &str = "bad";

/// What was counted up to a time.
#[derive(Debug, Default)]
struct Tally {
    totals: BTreeMap<Part, f64>,
    until: Timestamp,
}

/// The measures of a watch.
#[derive(Debug)]
pub(crate) struct Measures {
    /// Of the metrics.
    asked: Tally,
    /// Of the logs, which come later.
    logged: Tally,
    /// What happened and was not taken yet.
    happened: Happened,
    /// How full each side is, by the logs.
    fill: BTreeMap<Role, f64>,
}

impl Measures {
    /// Counts from a time on.
    pub(crate) fn from(start: Timestamp) -> Self {
        let tally = || Tally { until: start, ..Tally::default() };
        let happened = Happened { taken_until: start, ..Happened::default() };
        Self { asked: tally(), logged: tally(), happened, fill: BTreeMap::new() }
    }

    /// Asks what has happened up to `at`, when there is a whole window to ask for. What fails is asked for again.
    pub(crate) fn look(
        &mut self,
        telemetry: &Telemetry,
        versions: &Versions,
        query: &dyn RuleQuery,
        at: Timestamp,
    ) -> Result<(), RuleQueryError> {
        let late = at.saturating_add_ns(-LOGS_LATE_NS);
        for (logs, until, window_ns) in [(false, at, MEASURE_WINDOW_NS), (true, late, LOGS_WINDOW_NS)] {
            let tally = if logs { &mut self.logged } else { &mut self.asked };
            if until.0 - tally.until.0 < window_ns {
                continue;
            }
            let asked = Asked { query, versions, range: TimeRange::new(tally.until, until) };
            let mut found = Found::default();
            for measure in telemetry.measures.iter().filter(|measure| measure.logs == logs) {
                asked.of(measure, &mut found)?;
            }
            if !logs {
                let window = asked.window();
                found.parts.extend(telemetry.measured_latency(query, versions, &window, until)?);
            }
            for (part, count) in found.parts {
                *tally.totals.entry(part).or_default() += if count.is_finite() { count.max(0.0) } else { 0.0 };
            }
            self.happened.add(found.happened, until.0 - tally.until.0);
            self.fill.extend(found.fill);
            tally.until = until;
        }
        Ok(())
    }

    /// The counters as they stand.
    pub(crate) fn counters(&self) -> impl Iterator<Item = Counter> {
        [&self.asked, &self.logged].into_iter().flat_map(|tally| {
            let counter = |(part, value): (&Part, &f64)| Counter {
                series: series_of(part),
                part: part.clone(),
                value: *value,
                at: tally.until,
            };
            tally.totals.iter().map(counter)
        })
    }

    /// What happened in the block that ends at a time, like error lines of a pattern.
    pub(crate) fn take_happened(&mut self, until: Timestamp) -> BTreeMap<(Role, String), f64> {
        self.happened.take(until)
    }

    /// How full each side was when it was last asked, once.
    pub(crate) fn take_fill(&mut self) -> BTreeMap<Role, f64> {
        std::mem::take(&mut self.fill)
    }
}

/// Events of windows, spread over the blocks that come after: a block is compared with its own requests, and the events of a window in
/// one of its blocks would be a burst in one and silence in all the others.
#[derive(Debug, Default)]
struct Happened {
    /// By side and check.
    events: BTreeMap<(Role, String), f64>,
    /// How much time they are still to be spread over, in nanoseconds.
    span_ns: i64,
    taken_until: Timestamp,
}

impl Happened {
    fn add(&mut self, events: Vec<((Role, String), f64)>, window_ns: i64) {
        if events.is_empty() {
            return;
        }
        for (key, count) in events {
            *self.events.entry(key).or_default() += count;
        }
        self.span_ns += window_ns;
    }

    fn take(&mut self, until: Timestamp) -> BTreeMap<(Role, String), f64> {
        let block_ns = until.0.saturating_sub(self.taken_until.0).max(0);
        self.taken_until = self.taken_until.max(until);
        if block_ns >= self.span_ns {
            self.span_ns = 0;
            return std::mem::take(&mut self.events);
        }
        let share = block_ns as f64 / self.span_ns as f64;
        self.span_ns -= block_ns;
        let part = |(key, count): (&(Role, String), &mut f64)| {
            let taken = *count * share;
            *count -= taken;
            (key.clone(), taken)
        };
        self.events.iter_mut().map(part).collect()
    }
}

/// A number for the counter of a part. What was found without a check may count the same part, as another series.
fn series_of(part: &Part) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("check {part:?}").hash(&mut hasher);
    hasher.finish()
}

/// How events of a check are called among the patterns of error lines.
fn happening(measure: &Measured) -> String {
    format!("check {}", measure.name)
}

/// What the windows of measures brought.
#[derive(Default)]
struct Found {
    parts: Vec<(Part, f64)>,
    happened: Vec<((Role, String), f64)>,
    fill: BTreeMap<Role, f64>,
}

/// A question about a range of time.
struct Asked<'a> {
    query: &'a dyn RuleQuery,
    versions: &'a Versions,
    range: TimeRange,
}

impl Asked<'_> {
    /// The range as PromQL writes it.
    fn window(&self) -> String {
        format!("{}ms", ((self.range.end.0 - self.range.start.0) / 1_000_000).max(1))
    }

    /// What a measure counted, by side.
    fn of(&self, measure: &Measured, found: &mut Found) -> Result<(), RuleQueryError> {
        match measure.kind {
            MeasuredKind::Errors => {
                for (role, counts) in self.counts(measure)? {
                    found.parts.push((Part::Requests(role, measure.name.clone()), counts.n));
                    found.parts.push((Part::Errors(role, measure.name.clone()), counts.bad));
                }
            }
            MeasuredKind::Count => {
                let events = self.counts(measure)?.into_iter();
                found.happened.extend(events.map(|(role, counts)| ((role, happening(measure)), counts.n)));
            }
            MeasuredKind::Saturation if measure.logs => {
                for (role, counts) in self.counts(measure)? {
                    let share = found.fill.entry(role).or_insert(counts.n);
                    *share = share.max(counts.n);
                }
            }
            // How full something is by its metrics, and distributions of latency, are asked for by `telemetry`.
            MeasuredKind::Saturation | MeasuredKind::Latency => {}
        }
        Ok(())
    }

    /// The numbers of a measure by side; more than one of a side where rows or series say more than the version.
    fn counts(&self, measure: &Measured) -> Result<Vec<(Role, Counts)>, RuleQueryError> {
        if measure.logs {
            let text = measure.total.replace("$window", &self.window());
            let rows = self.query.logs(&text, self.range)?;
            return rows.iter().map(|row| self.row(measure, row)).collect();
        }
        let mut counts = Vec::new();
        for (text, bad) in std::iter::once((&measure.total, false)).chain(measure.bad.iter().map(|text| (text, true))) {
            for (labels, value) in self.query.instant(&text.replace("$window", &self.window()), self.range.end)? {
                let named = measure.version_label.as_deref();
                let role = self.versions.role_of(named.and_then(|name| labels::version(&labels, Some(name))));
                let value = if value.is_finite() { value.max(0.0) } else { 0.0 };
                counts.push((role, if bad { Counts { n: 0.0, bad: value } } else { Counts { n: value, bad: 0.0 } }));
            }
        }
        Ok(counts)
    }

    /// A row of a log query. One without its numbers is an error: taken for zero it would look like good news.
    fn row(&self, measure: &Measured, row: &BTreeMap<String, Value>) -> Result<(Role, Counts), RuleQueryError> {
        let version = measure.version_label.as_deref().and_then(|label| {
            let found = row.iter().find(|(name, _)| name.replace('.', "_") == label)?;
            Some(found.1.text().into_owned())
        });
        let role = self.versions.role_of(version.as_deref().filter(|version| !version.is_empty()));
        let number = |column: &str| {
            let value = row.get(column).and_then(Value::number).filter(|value| value.is_finite());
            let lacks = || RuleQueryError(format!("a row of the check {:?} has no number {column}", measure.name));
            value.map(|value| value.max(0.0)).ok_or_else(lacks)
        };
        let n = number(N)?;
        let bad = if measure.kind == MeasuredKind::Errors { number(BAD)?.min(n) } else { 0.0 };
        Ok((role, Counts { n, bad }))
    }
}

/// Adds what checks counted in a window of the past: without it their shares would be held against those of other requests.
pub(crate) fn add_history(
    telemetry: &Telemetry,
    query: &dyn RuleQuery,
    (end, minutes): (Timestamp, i64),
    window: &mut Window,
) -> Result<(), RuleQueryError> {
    let versions = Versions::default();
    let range = TimeRange::new(end.saturating_add_ns(-minutes * MINUTE_NS), end);
    let asked = Asked { query, versions: &versions, range };
    for measure in telemetry.measures.iter().filter(|measure| measure.kind == MeasuredKind::Errors) {
        for (_, counts) in asked.counts(measure)? {
            if counts.n > 0.0 || counts.bad > 0.0 {
                window.cells.entry(measure.name.clone()).or_default().requests.add(counts);
            }
        }
    }
    telemetry.add_measured_latency(query, (end, minutes), window)
}

/// How often the events of checks are usual: of a range before the change.
pub(crate) fn usual_events(
    telemetry: &Telemetry,
    query: &dyn RuleQuery,
    range: TimeRange,
) -> Result<BTreeMap<String, f64>, RuleQueryError> {
    let versions = Versions::default();
    let asked = Asked { query, versions: &versions, range };
    let mut usual = BTreeMap::new();
    for measure in telemetry.measures.iter().filter(|measure| measure.kind == MeasuredKind::Count) {
        for (_, counts) in asked.counts(measure)? {
            *usual.entry(happening(measure)).or_default() += counts.n;
        }
    }
    Ok(usual)
}

/// What was asked for a signal about the events of a check.
pub(crate) fn query_of_event(telemetry: &Telemetry, signal: &Signal) -> Option<String> {
    let counts = telemetry.measures.iter().filter(|measure| measure.kind == MeasuredKind::Count);
    let mut named = counts.filter(|measure| signal.name.ends_with(&happening(measure)));
    if signal.kind == SignalKind::Pattern { named.next().map(|measure| measure.total.clone()) } else { None }
}
