//! One watch while it goes on: what is in memory, and can be asked for again.

use std::collections::BTreeMap;

use change::Change;
use model::{TimeRange, Timestamp};
use rules::{RuleQuery, RuleQueryError};
use verdict::{AFTER, BEFORE, Baseline, Block, Card, Counter, Counters, Facts, Part, Role, Watch, WatchSpec, Window};

use crate::ask::Topology;
use crate::beside::{Beside, SideBySide};
use crate::measures::{self, Measures};
use crate::patterns::ErrorLines;
use crate::spans::{self, SpanCounters};
use crate::telemetry::{Seen, Telemetry, Versions};

/// How many looks are taken at most to catch up with a change that was reported late, or after a restart.
const CATCH_UP_LOOKS: i64 = 360;
/// How far apart they are at most, in nanoseconds. Counters that are read less often count as having a gap, and nothing would be compared.
const CATCH_UP_STEP_MAX_NS: i64 = 10_000_000_000;
const _: () = assert!(2 * CATCH_UP_STEP_MAX_NS <= verdict::GAP_MAX_NS);
/// How far apart two looks are while the change is young, in nanoseconds.
const LOOK_NS: i64 = 1_000_000_000;
/// How long before the change the old version is looked at first, in nanoseconds: how far apart its samples are must be known when it
/// is gone at once, or everything would wait for it.
const LEAD_NS: i64 = 11_000_000_000;
/// Fewest lines of a pattern in that time that count: each pattern that is watched makes the others harder to convict by.
const LEAD_LINES_MIN: f64 = 2.0;
/// How far back error lines are read to say which are usual, in nanoseconds.
const PATTERN_HISTORY_NS: i64 = 3_600_000_000_000;
/// How long the slots are in which they are counted, in nanoseconds.
const PATTERN_HISTORY_SLOT_NS: i64 = 300_000_000_000;
/// How long the slots are in which those since the change are counted, in nanoseconds.
const PATTERN_SLOT_NS: i64 = 10_000_000_000;
/// How long what was measured of fill counts as the fill now, in nanoseconds: until the next scrape, but not for two bins of the test.
const FILL_HELD_NS: i64 = 15_000_000_000;
const _: () = assert!(FILL_HELD_NS < verdict::LEAK_BIN_NS);
/// How often telemetry is looked for again when there was none, in nanoseconds.
const FIND_AGAIN_NS: i64 = 15_000_000_000;

/// A watch in memory.
pub(crate) struct Session {
    versions: Versions,
    telemetry: Telemetry,
    seen: Seen,
    counters: Counters,
    watch: Watch,
    last: Timestamp,
    error_lines: ErrorLines,
    measures: Measures,
    beside: SideBySide,
    probes: BTreeMap<u64, Timestamp>,
    lines: BTreeMap<(Role, String), f64>,
    /// How full each side was when that was measured last.
    fill: BTreeMap<Role, (Timestamp, f64)>,
    probe_counts: verdict::Counts,
    spans: SpanCounters,
    service: String,
    found_at: Timestamp,
    enough: bool,
}

impl Session {
    /// Begins over a change; asks what there is and what was usual.
    pub(crate) fn begin(
        change: &Change,
        horizon_ns: i64,
        topology: &dyn Topology,
        query: &dyn RuleQuery,
        now: Timestamp,
    ) -> Result<Session, RuleQueryError> {
        let service = &change.target.service;
        let measures = topology.measures(service);
        let telemetry = Telemetry::find(query, service, &topology.dependencies(service), measures, now)?;
        let versions = Versions {
            new: change.to_version.clone(),
            label: telemetry.measures.iter().find_map(|measure| measure.version_label.clone()),
        };
        let start = change.started_at;
        let windows = telemetry.history(query, start, service)?;
        let baseline = Baseline::learn(&windows, &telemetry.bounds);
        let mut dependencies = BTreeMap::new();
        let spanned = telemetry.spans.iter().filter(|name| *name != service);
        for name in telemetry.dependencies.keys().chain(spanned) {
            let windows = telemetry.dependency_history(query, start, name)?;
            dependencies.insert(name.clone(), Baseline::learn(&windows, &telemetry.bounds));
        }
        let label = |version: &Option<String>, word: &str| version.clone().unwrap_or_else(|| word.to_owned());
        let (old, new) = (label(&change.from_version, BEFORE), label(&change.to_version, AFTER));
        let mut spec = WatchSpec::new(&old, &new, start, horizon_ns);
        spec.rolled_out_at = change.finished_at;
        let before = TimeRange::new(start.saturating_add_ns(-PATTERN_HISTORY_NS), start);
        let mut usual = usual_lines(query, service, before)?;
        usual.extend(measures::usual_events(&telemetry, query, before)?);
        // What is usual is told per request of the whole baseline, which has the days before as well.
        let requests = requests_within(&windows, PATTERN_HISTORY_NS);
        if requests > 0.0 {
            usual.values_mut().for_each(|lines| *lines *= baseline.total().n / requests);
        }
        let enough = baseline.is_enough();
        let mut session = Session {
            versions,
            seen: Seen::default(),
            counters: Counters::new(telemetry.bounds.len() + 1),
            watch: Watch::new(spec, baseline, usual, dependencies),
            last: start,
            error_lines: ErrorLines::new(service, start, PATTERN_SLOT_NS),
            measures: Measures::from(start),
            beside: SideBySide::default(),
            probes: BTreeMap::new(),
            lines: BTreeMap::new(),
            fill: BTreeMap::new(),
            probe_counts: verdict::Counts::default(),
            spans: SpanCounters { until: start, ..SpanCounters::default() },
            service: service.clone(),
            found_at: now,
            enough,
            telemetry,
        };
        session.lead(query, start)?;
        Ok(session)
    }

    /// Looks at what the old version did just before the change: how often its samples come, and whether it failed then already.
    fn lead(&mut self, query: &dyn RuleQuery, start: Timestamp) -> Result<(), RuleQueryError> {
        let from = start.saturating_add_ns(-LEAD_NS);
        let mut at = from;
        while at <= start {
            let counters = self.telemetry.counters(query, &self.versions, at, &mut self.seen)?;
            if let Some(mut block) = self.counters.advance(at, &counters, &BTreeMap::new()) {
                block.cells.retain(|(role, _), _| *role == Role::Old);
                self.watch.push(&block);
            }
            at = at.saturating_add_ns(LOOK_NS);
        }
        let mut lines = BTreeMap::new();
        for ((version, pattern), count) in
            ErrorLines::new(&self.service, from, PATTERN_SLOT_NS).advance(query, start)?
        {
            let role = self.versions.role_of(Some(version.as_str()).filter(|version| !version.is_empty()));
            if role == Role::Old && count >= LEAD_LINES_MIN {
                lines.insert((role, pattern), count);
            }
        }
        self.watch.push(&Block { until: start, patterns: lines, ..Block::default() });
        Ok(())
    }

    /// Whether it should begin again, because nothing was found when it began.
    pub(crate) fn stale(&self, now: Timestamp) -> bool {
        !self.telemetry.counts(&self.service) && now.0 - self.found_at.0 >= FIND_AGAIN_NS
    }

    /// Whether there is anything to compare with.
    pub(crate) fn comparable(&self) -> bool {
        self.telemetry.counts(&self.service) && (self.enough || self.watch.sees_both())
    }

    /// What it reads, for people.
    pub(crate) fn sources(&self) -> Vec<String> {
        self.telemetry.sources()
    }

    /// Takes in what has happened up to `now`.
    pub(crate) fn look(
        &mut self,
        change: &Change,
        query: &dyn RuleQuery,
        now: Timestamp,
    ) -> Result<(), RuleQueryError> {
        if let Some(at) = change.finished_at {
            self.watch.rolled_out(at);
        }
        if let Some(at) = change.stages.iter().map(|stage| stage.at).max() {
            self.watch.staged(at);
        }
        let until = now.saturating_add_ns(-self.telemetry.settle_ns());
        // What is further back than one can catch up with is left out.
        self.last = self.last.max(until.saturating_add_ns(-CATCH_UP_LOOKS * CATCH_UP_STEP_MAX_NS));
        let step_ns = ((until.0 - self.last.0) / CATCH_UP_LOOKS).max(LOOK_NS);
        while self.last.saturating_add_ns(step_ns) <= until {
            let at = self.last.saturating_add_ns(step_ns);
            self.look_at(query, at)?;
            self.last = at;
        }
        Ok(())
    }

    fn look_at(&mut self, query: &dyn RuleQuery, at: Timestamp) -> Result<(), RuleQueryError> {
        let mut counters = self.telemetry.counters(query, &self.versions, at, &mut self.seen)?;
        self.measures.look(&self.telemetry, &self.versions, query, at)?;
        counters.extend(self.measures.counters());
        self.count_spans(query, at)?;
        counters.extend(self.spans.totals.iter().map(|(part, value)| Counter {
            series: series_of_part(part),
            part: part.clone(),
            value: *value,
            at: self.spans.until,
        }));
        self.fill.extend(self.telemetry.fill(query, &self.versions, at, &mut self.seen)?);
        let held = self.fill.iter().filter(|(_, (sampled_at, _))| at.0 - sampled_at.0 <= FILL_HELD_NS);
        let mut fill: BTreeMap<Role, f64> = held.map(|(role, (_, share))| (*role, *share)).collect();
        for (role, share) in self.measures.take_fill() {
            let known = fill.entry(role).or_insert(share);
            *known = known.max(share);
        }
        for ((version, pattern), count) in self.error_lines.advance(query, at)? {
            let role = self.versions.role_of(Some(version.as_str()).filter(|version| !version.is_empty()));
            *self.lines.entry((role, pattern)).or_default() += count;
        }
        self.probe(query, at)?;
        if let Some(mut block) = self.counters.advance(at, &counters, &fill) {
            self.complete(&mut block);
            self.beside.push(&block);
            self.watch.push(&block);
        }
        Ok(())
    }

    fn count_spans(&mut self, query: &dyn RuleQuery, at: Timestamp) -> Result<(), RuleQueryError> {
        let range = TimeRange::new(self.spans.until, at);
        for name in &self.telemetry.spans {
            let dependency = Some(name.as_str()).filter(|name| *name != self.service);
            self.spans.add(spans::count(query, name, range)?, &self.versions, dependency);
        }
        self.spans.until = at;
        Ok(())
    }

    /// Puts what was not counted by counters into a block.
    fn complete(&mut self, block: &mut Block) {
        block.patterns.extend(std::mem::take(&mut self.lines));
        block.patterns.extend(self.measures.take_happened(block.until));
        block.probes = std::mem::take(&mut self.probe_counts);
    }

    fn probe(&mut self, query: &dyn RuleQuery, at: Timestamp) -> Result<(), RuleQueryError> {
        for (series, sampled_at, failed) in self.telemetry.probes(query, at, &mut self.seen)? {
            let known = self.probes.insert(series, sampled_at);
            if known.is_some_and(|known| sampled_at > known) {
                self.probe_counts.n += 1.0;
                self.probe_counts.bad += f64::from(u8::from(failed));
            }
        }
        Ok(())
    }

    /// The verdict.
    pub(crate) fn judge(&self, facts: &Facts, now: Timestamp) -> Card {
        let mut card = self.watch.judge(now.saturating_add_ns(-self.telemetry.settle_ns()), facts);
        card.left_out = self.counters.left_out();
        for signal in &mut card.signals {
            let of_check = measures::query_of_event(&self.telemetry, signal);
            signal.query = of_check.unwrap_or_else(|| self.telemetry.query_of(signal.kind));
        }
        card
    }

    /// What both versions did beside each other, if both were seen.
    pub(crate) fn beside(&self) -> Option<Beside> {
        self.beside.look()
    }

    /// When something of the new version was last counted.
    pub(crate) fn new_last(&self) -> Option<Timestamp> {
        self.watch.new_last()
    }
}

fn series_of_part(part: &Part) -> u64 {
    use std::hash::{Hash as _, Hasher as _};
    let mut hasher = std::hash::DefaultHasher::new();
    format!("{part:?}").hash(&mut hasher);
    hasher.finish()
}

/// Which error lines are usual: of a range before the change.
fn usual_lines(
    query: &dyn RuleQuery,
    service: &str,
    range: TimeRange,
) -> Result<BTreeMap<String, f64>, RuleQueryError> {
    let mut usual = BTreeMap::new();
    let lines = ErrorLines::new(service, range.start, PATTERN_HISTORY_SLOT_NS).advance(query, range.end)?;
    for ((_, pattern), count) in lines {
        *usual.entry(pattern).or_default() += count;
    }
    Ok(usual)
}

/// The requests of the newest windows, as far as they make up so much time.
fn requests_within(windows: &[Window], span_ns: i64) -> f64 {
    let mut passed_s = 0.0;
    let newest = windows.iter().take_while(|window| {
        passed_s += window.seconds;
        passed_s <= span_ns as f64 / 1e9
    });
    newest.flat_map(|window| window.cells.values()).map(|cell| cell.requests.n).sum()
}
