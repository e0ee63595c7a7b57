//! A watch over one change: blocks go in, a verdict with its card comes out.

use std::collections::{BTreeMap, VecDeque};

use model::Timestamp;

use crate::baseline::Baseline;
use crate::block::{Block, Role};
use crate::comparison::{ALIKE_LOG, DependencyHealth, LatencyComparison, RECENT_NS, RateComparison, Tally};
use crate::evidence::Detector;
use crate::leak::Leak;
use crate::pattern::Patterns;
use crate::rates::{Counts, HARMS, above_log};

/// How long new instances count as cold after the last of them came, in nanoseconds: their latency says nothing yet.
pub const WARMUP_NS: i64 = 30_000_000_000;
/// When no end of a rollout is reported, it counts as over after this long, in nanoseconds.
pub const ROLLOUT_MAX_NS: i64 = 300_000_000_000;
/// Fewest requests of the new version before anything is concluded from rates.
pub const REQUESTS_MIN: f64 = 20.0;
/// Fewest failures of the new version before it is called bad.
pub const FAILURES_MIN: f64 = 3.0;
/// The usual share of failed probes that is tolerated.
const PROBE_CEILING: f64 = 0.05;
/// Traffic that grew by more than this factor within five minutes makes things fill up without any leak.
const GROWTH_MAX: f64 = 1.2;
const GROWTH_WINDOW_NS: i64 = 300_000_000_000;

/// The false alarm rate of each signal over the whole watch; 9 in 10,000 together, and less in fact, since a
/// verdict needs more than evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alphas {
    /// Failures beside the old version.
    pub errors_split: f64,
    /// Failures against the time before.
    pub errors_before: f64,
    /// Latency beside the old version.
    pub latency_split: f64,
    /// Latency against the time before.
    pub latency_before: f64,
    /// All patterns of error lines.
    pub patterns: f64,
    /// Filling up.
    pub saturation: f64,
    /// Probes.
    pub probes: f64,
}

impl Default for Alphas {
    fn default() -> Self {
        Self {
            errors_split: 2e-4,
            errors_before: 3e-4,
            latency_split: 1e-4,
            latency_before: 1e-4,
            patterns: 1e-4,
            saturation: 0.5e-4,
            probes: 0.5e-4,
        }
    }
}

/// What a watch is told about its change.
#[derive(Clone, Debug)]
pub struct WatchSpec {
    /// The version before; a label for people when there is none.
    pub old_label: String,
    /// The version that the change brought.
    pub new_label: String,
    /// When the change began.
    pub started_at: Timestamp,
    /// When its rollout ended, if that is known.
    pub rolled_out_at: Option<Timestamp>,
    /// How long the watch goes on after the change began, in nanoseconds.
    pub horizon_ns: i64,
    /// The rates of false alarms.
    pub alphas: Alphas,
    /// The least difference in failures that is called harm, as a share.
    pub harm_min: f64,
    /// The least slowdown that is called harm, as a factor.
    pub slow_min: f64,
    /// The difference in failures below which a change may be called good, as a share.
    pub good_margin: f64,
}

impl WatchSpec {
    /// With the defaults: harm from 0.3 points and 5 % on, good below 1 point.
    pub fn new(old_label: &str, new_label: &str, started_at: Timestamp, horizon_ns: i64) -> Self {
        Self {
            old_label: old_label.to_owned(),
            new_label: new_label.to_owned(),
            started_at,
            rolled_out_at: None,
            horizon_ns,
            alphas: Alphas::default(),
            harm_min: 0.003,
            slow_min: 1.05,
            good_margin: 0.01,
        }
    }
}

/// A watch.
#[derive(Clone, Debug)]
pub struct Watch {
    pub(crate) spec: WatchSpec,
    pub(crate) baseline: Baseline,
    pub(crate) errors: RateComparison,
    pub(crate) latency: LatencyComparison,
    pub(crate) patterns: Patterns,
    pub(crate) leak: Leak,
    pub(crate) old_fill: f64,
    pub(crate) probes: Detector,
    pub(crate) probe_tally: Tally,
    pub(crate) dependencies: BTreeMap<String, DependencyHealth>,
    pub(crate) old: Tally,
    pub(crate) new: Tally,
    /// Buckets of both sides of late, for the card.
    pub(crate) shapes: Shapes,
    pub(crate) until: Timestamp,
    pub(crate) new_seen: Option<Timestamp>,
    pub(crate) old_last: Option<Timestamp>,
    pub(crate) new_last: Option<Timestamp>,
    /// While the old version or a dependency fails too, what the new one does against the time before is excused.
    pub(crate) excuse: Option<Excuse>,
    load: VecDeque<(Timestamp, f64)>,
}

/// Why the new version's failures are not its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Excuse {
    pub(crate) what: String,
    pub(crate) reason: String,
    pub(crate) since: Timestamp,
    /// Since when its cause is gone.
    pub(crate) over_since: Option<Timestamp>,
}

/// Latency buckets of both sides over the last blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shapes {
    recent: VecDeque<(Timestamp, Role, Vec<f64>)>,
}

impl Shapes {
    fn push(&mut self, at: Timestamp, block: &Block) {
        for role in [Role::Old, Role::New] {
            let mut sum = Vec::new();
            for ((found, _), cell) in &block.cells {
                if *found == role {
                    crate::baseline::add_buckets(&mut sum, &cell.buckets);
                }
            }
            if !sum.is_empty() {
                self.recent.push_back((at, role, sum));
            }
        }
        while self.recent.front().is_some_and(|(first, ..)| at.0 - first.0 > RECENT_NS) {
            self.recent.pop_front();
        }
    }

    pub(crate) fn lately(&self, role: Role) -> Vec<f64> {
        let mut sum = Vec::new();
        for (_, found, buckets) in &self.recent {
            if *found == role {
                crate::baseline::add_buckets(&mut sum, buckets);
            }
        }
        sum
    }
}

impl Watch {
    /// Begins, with what was usual before: requests by stratum, patterns of error lines with their counts, and dependencies.
    pub fn new(
        spec: WatchSpec,
        baseline: Baseline,
        patterns: BTreeMap<String, f64>,
        dependencies: BTreeMap<String, Baseline>,
    ) -> Watch {
        let horizon_ns = spec.horizon_ns;
        let requests = baseline.total().n;
        let health = |(name, baseline): (String, Baseline)| (name, DependencyHealth::new(baseline, horizon_ns));
        Watch {
            errors: RateComparison::new(horizon_ns),
            latency: LatencyComparison::new(horizon_ns),
            patterns: Patterns::new(patterns, requests, horizon_ns),
            leak: Leak::default(),
            old_fill: 0.0,
            probes: Detector::new(HARMS.len(), horizon_ns),
            probe_tally: Tally::default(),
            dependencies: dependencies.into_iter().map(health).collect(),
            old: Tally::default(),
            new: Tally::default(),
            shapes: Shapes::default(),
            until: spec.started_at,
            new_seen: None,
            old_last: None,
            new_last: None,
            excuse: None,
            load: VecDeque::new(),
            spec,
            baseline,
        }
    }

    /// What it was told of its change.
    pub fn spec(&self) -> &WatchSpec {
        &self.spec
    }

    /// The rollout has ended, as was learned later.
    pub fn rolled_out(&mut self, at: Timestamp) {
        self.spec.rolled_out_at = Some(at);
    }

    /// Whether both sides have been seen since the change began.
    pub fn sees_both(&self) -> bool {
        self.old_last.is_some() && self.new_last.is_some()
    }

    /// When something of the new side was last counted.
    pub fn new_last(&self) -> Option<Timestamp> {
        self.new_last
    }

    /// Takes what was counted. Blocks come in order of time.
    pub fn push(&mut self, block: &Block) {
        let at = block.until;
        self.until = self.until.max(at);
        let (old, new) = (block.requests(Role::Old), block.requests(Role::New));
        self.old.push(at, old);
        self.new.push(at, new);
        if old.n > 0.0 {
            self.old_last = Some(at);
        }
        if new.n > 0.0 {
            self.new_last = Some(at);
            self.new_seen.get_or_insert(at);
        }
        self.shapes.push(at, block);
        self.errors.push(block, &self.baseline);
        self.latency.push(block, &self.baseline, self.warming(at));
        self.patterns.push(block);
        self.push_probes(at, block.probes);
        self.push_fill(block, old.n + new.n);
        for (name, health) in &mut self.dependencies {
            health.push(at, &block.dependencies.get(name).cloned().unwrap_or_default());
        }
        self.excuses(at);
    }

    /// Whether instances of the new version are still cold.
    fn warming(&self, at: Timestamp) -> bool {
        let Some(seen) = self.new_seen else { return true };
        let rolled_out = self.spec.rolled_out_at.unwrap_or(seen.saturating_add_ns(ROLLOUT_MAX_NS));
        at.0 - seen.0.max(rolled_out.0) < WARMUP_NS
    }

    fn push_probes(&mut self, at: Timestamp, probes: Counts) {
        self.probe_tally.push(at, probes);
        if probes.n > 0.0 {
            let ratio = |harm| above_log(probes, PROBE_CEILING, harm);
            self.probes.push(at, &HARMS.map(ratio));
        }
    }

    fn push_fill(&mut self, block: &Block, requests: f64) {
        let at = block.until;
        self.load.push_back((at, requests));
        while self.load.front().is_some_and(|(first, _)| at.0 - first.0 > GROWTH_WINDOW_NS) {
            self.load.pop_front();
        }
        if let Some(fill) = block.fill.get(&Role::Old) {
            self.old_fill = self.old_fill.max(*fill);
        }
        if let Some(fill) = block.fill.get(&Role::New) {
            let growing = self.load_grows() || self.old_last.is_some_and(|last| at.0 - last.0 < RECENT_NS);
            self.leak.push(at, *fill, growing);
        }
    }

    /// Whether the later half of the last minutes had clearly more requests than the earlier.
    fn load_grows(&self) -> bool {
        let half = self.load.len() / 2;
        let sum = |from: usize, until: usize| self.load.range(from..until).map(|(_, n)| n).sum::<f64>();
        half > 0
            && sum(half, self.load.len())
                > GROWTH_MAX * sum(0, half).max(1.0) * (self.load.len() - half) as f64 / half as f64
    }

    /// Looks for another cause: while there is one, what speaks against the time before is let go of.
    fn excuses(&mut self, at: Timestamp) {
        let old_alive = self.old_last.is_some_and(|last| at.0 - last.0 <= RECENT_NS);
        let old_fails = self.errors.old.log_e().max(self.latency.old.log_e());
        let failing = self.dependencies.iter().find(|(_, health)| health.failing());
        let found = if let Some((name, health)) = failing {
            let (lately, usual, _) = health.figures(at);
            let reason = format!(
                "{name} does not do well either: {:.1} % of its requests fail lately, {:.1} % is usual",
                100.0 * lately.rate(),
                100.0 * usual
            );
            Some((name.clone(), reason))
        } else if old_alive && old_fails >= ALIKE_LOG {
            let reason = format!(
                "{} changed for the worse at the same time: {:.1} % of its requests fail lately, {:.1} % is usual",
                self.spec.old_label,
                100.0 * self.old.lately(at, RECENT_NS).rate(),
                100.0 * self.baseline.total().rate()
            );
            Some((self.spec.old_label.clone(), reason))
        } else {
            None
        };
        match (found, &mut self.excuse) {
            (Some((what, reason)), known) => {
                let since = known.as_ref().map_or(at, |known| known.since);
                *known = Some(Excuse { what, reason, since, over_since: None });
            }
            (None, Some(known)) => {
                let over = match self.dependencies.get(&known.what) {
                    Some(health) => health.well(at),
                    None => {
                        let usual = self.baseline.total().rate() + self.spec.harm_min;
                        let calm = |tally: &Tally| tally.lately(at, RECENT_NS).rate() <= usual;
                        // The old version may be gone, and then nobody sees how its cause goes on but the new one.
                        if old_alive { calm(&self.old) } else { calm(&self.new) }
                    }
                };
                known.over_since = if over { known.over_since.or(Some(at)) } else { None };
                if known.over_since.is_some_and(|since| at.0 - since.0 >= RECENT_NS) {
                    self.excuse = None;
                }
            }
            (None, None) => {}
        }
        if self.excuse.is_some() {
            self.errors.before.forget();
            self.latency.before.forget();
            self.patterns.forget(at);
        }
    }
}
