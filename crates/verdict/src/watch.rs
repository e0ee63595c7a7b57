//! A watch over one change: blocks go in, a verdict with its card comes out.

use std::collections::{BTreeMap, VecDeque};

use model::Timestamp;

use crate::baseline::Baseline;
use crate::block::{Block, Role};
use crate::comparison::{ALIKE_LOG, DependencyHealth, LatencyComparison, RECENT_NS, RateComparison, Tally};
use crate::evidence::Detector;
use crate::excuse::Excuse;
use crate::leak::Leak;
use crate::pattern::Patterns;
use crate::rates::{Counts, HARM_WEIGHTS, HARMS, above_log};

/// How long new instances count as cold after the last of them came, in nanoseconds: their latency says nothing yet.
pub const WARMUP_NS: i64 = 90_000_000_000;
/// How long latencies wait until they are compared, in nanoseconds.
pub const LATENCY_WAIT_NS: i64 = 30_000_000_000;
/// When no end of a rollout is reported, it counts as over after this long, in nanoseconds.
pub const ROLLOUT_MAX_NS: i64 = 300_000_000_000;
/// Fewest requests of the new version before anything is concluded from rates.
pub const REQUESTS_MIN: f64 = 20.0;
/// Fewest failures of the new version before it is called bad.
pub const FAILURES_MIN: f64 = 3.0;
/// The usual share of failed probes that is tolerated.
const PROBE_CEILING: f64 = 0.05;
/// Traffic that has grown by more than this factor since filling up began makes things fill up without any leak.
const GROWTH_MAX: f64 = 1.1;
/// Over how long load is measured, in nanoseconds.
const LOAD_WINDOW_NS: i64 = 60_000_000_000;
/// A share of traffic that grew by more than this within the warm-up means that new instances came, so that they are cold.
const SHARE_STEP: f64 = 0.04;

/// The false alarm rate of each signal over the whole watch; 19 in 10,000 together, and far less in fact, since a
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
            errors_split: 1e-3,
            errors_before: 5e-4,
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
    /// The least slowdown that is called harm, as a factor: the measured one must surely be larger.
    pub slow_min: f64,
    /// The difference in failures below which a change may be called good, as a share.
    pub good_margin: f64,
}

impl WatchSpec {
    /// With the defaults: harm from 0.3 points and 6 % on, good below 1 point.
    pub fn new(old_label: &str, new_label: &str, started_at: Timestamp, horizon_ns: i64) -> Self {
        Self {
            old_label: old_label.to_owned(),
            new_label: new_label.to_owned(),
            started_at,
            rolled_out_at: None,
            horizon_ns,
            alphas: Alphas::default(),
            harm_min: 0.003,
            slow_min: 1.06,
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
    /// When the newest step of the rollout began.
    pub(crate) staged_at: Option<Timestamp>,
    pub(crate) new_seen: Option<Timestamp>,
    pub(crate) old_last: Option<Timestamp>,
    pub(crate) new_last: Option<Timestamp>,
    /// While the old version or a dependency fails too, what the new one does against the time before is excused.
    pub(crate) excuse: Option<Excuse>,
    /// Since when anything at all speaks against the time before: about when it began.
    pub(crate) worse_since: Option<Timestamp>,
    /// Since when there is some evidence against the time before. What clears a dependency must be newer.
    pub(crate) suspected_at: Option<Timestamp>,
    /// The old version since load is so high that it could be the cause.
    pub(crate) overloaded_old: Tally,
    /// Blocks whose latencies wait, and whether load was usual then.
    unjudged: VecDeque<(Block, bool)>,
    load: VecDeque<(Timestamp, f64)>,
    /// Requests a second when filling up began to count.
    leak_load: f64,
    /// The new version's share of traffic over the warm-up, in steps of ten seconds.
    shares: VecDeque<(Timestamp, Counts)>,
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
        let excuse = Excuse::of_the_time_before(&baseline);
        let requests = baseline.total().n;
        let health = |(name, baseline): (String, Baseline)| (name, DependencyHealth::new(baseline, horizon_ns));
        Watch {
            errors: RateComparison::new(horizon_ns, baseline.strata()),
            latency: LatencyComparison::new(horizon_ns, &baseline),
            patterns: Patterns::new(patterns, requests, horizon_ns),
            leak: Leak::default(),
            old_fill: 0.0,
            probes: Detector::new(&HARM_WEIGHTS, horizon_ns),
            probe_tally: Tally::default(),
            dependencies: dependencies.into_iter().map(health).collect(),
            old: Tally::default(),
            new: Tally::default(),
            shapes: Shapes::default(),
            until: spec.started_at,
            staged_at: None,
            new_seen: None,
            old_last: None,
            new_last: None,
            excuse,
            worse_since: None,
            suspected_at: None,
            overloaded_old: Tally::default(),
            unjudged: VecDeque::new(),
            load: VecDeque::new(),
            leak_load: 0.0,
            shares: VecDeque::new(),
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

    /// A step of the rollout began, as was reported.
    pub fn staged(&mut self, at: Timestamp) {
        self.staged_at = self.staged_at.max(Some(at));
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
        self.push_load(at, old.n, new.n);
        self.errors.push(block, &self.baseline);
        let usual_load = self.baseline.is_usual_load(self.load());
        self.push_latency(block, usual_load);
        self.patterns.push(block);
        self.push_probes(at, block.probes);
        self.push_fill(block);
        for (name, health) in &mut self.dependencies {
            health.push(at, &block.dependencies.get(name).cloned().unwrap_or_default());
        }
        self.excuses(at);
        self.push_overload(at, old);
        let strongest =
            self.patterns.strongest().map_or(0.0, |(_, watched)| watched.detector.log_e() - watched.penalty);
        let against = [
            self.errors.before.log_e(),
            self.latency.before.log_e(),
            self.probes.log_e(),
            self.leak.log_e(),
            strongest,
        ];
        let against = against.into_iter().fold(0.0, f64::max);
        self.worse_since = if against > 0.0 { self.worse_since.or(Some(at)) } else { None };
        self.suspected_at = if against >= ALIKE_LOG { self.suspected_at.or(Some(at)) } else { None };
    }

    /// What the old version does under so much load that load itself could be the cause.
    fn push_overload(&mut self, at: Timestamp, old: Counts) {
        if self.baseline.is_overload(self.load()) {
            self.overloaded_old.push(at, old);
        } else {
            self.overloaded_old = Tally::default();
        }
    }

    /// Latencies wait a while: that new instances came is seen in the share of traffic only after they have served cold.
    fn push_latency(&mut self, block: &Block, usual_load: bool) {
        self.unjudged.push_back((block.clone(), usual_load));
        while self.unjudged.front().is_some_and(|(first, _)| block.until.0 - first.until.0 >= LATENCY_WAIT_NS) {
            let Some((waited, usual_load)) = self.unjudged.pop_front() else { return };
            let warming = self.warming(waited.until) || self.warming(block.until);
            self.latency.push(&waited, &self.baseline, warming, usual_load);
        }
    }

    /// Whether instances of the new version are still cold: for a while after the first, and after each step of the rollout.
    fn warming(&self, at: Timestamp) -> bool {
        let Some(seen) = self.new_seen else { return true };
        let steps = [Some(seen), self.staged_at, self.spec.rolled_out_at];
        let young = |step: Timestamp| (0..WARMUP_NS).contains(&(at.0 - step.0));
        steps.into_iter().flatten().any(young) || self.share_grew()
    }

    fn push_load(&mut self, at: Timestamp, old: f64, new: f64) {
        const STEP_NS: i64 = 10_000_000_000;
        self.load.push_back((at, old + new));
        while self.load.front().is_some_and(|(first, _)| at.0 - first.0 > LOAD_WINDOW_NS) {
            self.load.pop_front();
        }
        let counts = Counts { n: old + new, bad: new };
        match self.shares.back_mut() {
            Some((start, sum)) if at.0 - start.0 < STEP_NS => sum.add(counts),
            _ => self.shares.push_back((at, counts)),
        }
        while self.shares.front().is_some_and(|(first, _)| at.0 - first.0 > WARMUP_NS) {
            self.shares.pop_front();
        }
    }

    /// Whether the new version's share of traffic is clearly larger than it was within the warm-up.
    fn share_grew(&self) -> bool {
        let Some((_, now)) = self.shares.iter().rev().nth(1) else { return true };
        let before = |(_, then): &(Timestamp, Counts)| {
            let mean = (now.bad + then.bad) / (now.n + then.n).max(1.0);
            let noise = (mean * (1.0 - mean) * (1.0 / now.n.max(1.0) + 1.0 / then.n.max(1.0))).sqrt();
            then.n > 0.0 && now.rate() - then.rate() > SHARE_STEP.max(3.0 * noise)
        };
        self.shares.iter().any(before)
    }

    /// Requests a second of both sides, lately.
    pub(crate) fn load(&self) -> f64 {
        let (Some((first, _)), Some((last, _))) = (self.load.front(), self.load.back()) else { return 0.0 };
        let requests: f64 = self.load.iter().skip(1).map(|(_, n)| n).sum();
        requests / ((last.0 - first.0) as f64 / 1e9).max(1.0)
    }

    fn push_probes(&mut self, at: Timestamp, probes: Counts) {
        self.probe_tally.push(at, probes);
        if probes.n > 0.0 {
            let ratio = |harm| above_log(probes, PROBE_CEILING, harm);
            self.probes.push(at, &HARMS.map(ratio));
        }
    }

    fn push_fill(&mut self, block: &Block) {
        let at = block.until;
        if let Some(fill) = block.fill.get(&Role::Old) {
            self.old_fill = self.old_fill.max(*fill);
        }
        if let Some(fill) = block.fill.get(&Role::New) {
            let load = self.load();
            let rolling = self.old_last.is_some_and(|last| at.0 - last.0 < RECENT_NS);
            let growing = self.leak_load == 0.0 || load > self.leak_load * GROWTH_MAX;
            if growing || rolling {
                self.leak_load = load;
            }
            if rolling {
                self.leak = Leak::default();
            }
            self.leak.push(at, *fill, growing);
        }
    }
}
