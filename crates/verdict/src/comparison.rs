//! One measure of a change, compared in both ways: with the old version at the same time, and with the time before.

use std::collections::{BTreeMap, VecDeque};

use model::Timestamp;

use crate::baseline::{Baseline, RATE_SLACK, add_buckets};
use crate::block::{Block, Cell, Role};
use crate::evidence::Detector;
use crate::latency::{self, Buckets, SLOWDOWN_WEIGHTS, SLOWDOWNS, Shape};
use crate::rates::{self, Counts, HARM_WEIGHTS, HARMS};

/// How far back the newest counts go, in nanoseconds: harm must still be going on when something is called bad.
pub const RECENT_NS: i64 = 30_000_000_000;
/// How long the past counts when the old version's rate now is guessed, in nanoseconds: after this it counts half.
const GUESS_HALF_LIFE_NS: i64 = 20_000_000_000;
/// How much slower than before a version may be besides what was usual: the time of day, load and neighbours make as much.
pub(crate) const BEFORE_SLACK: f64 = 1.08;
/// How many requests the time before is worth in that guess.
const GUESS_PRIOR: f64 = 200.0;

/// What a side was seen to do, lately and in all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Since the watch began to count.
    pub total: Counts,
    recent: VecDeque<(Timestamp, Counts)>,
}

impl Tally {
    /// Adds counts of a block that ended at `at`.
    pub(crate) fn push(&mut self, at: Timestamp, counts: Counts) {
        self.total.add(counts);
        self.recent.push_back((at, counts));
        while self.recent.front().is_some_and(|(first, _)| at.0 - first.0 > RECENT_NS) {
            self.recent.pop_front();
        }
    }

    /// The counts of the last `span_ns` before `at`.
    pub(crate) fn lately(&self, at: Timestamp, span_ns: i64) -> Counts {
        let mut sum = Counts::default();
        for (_, counts) in self.recent.iter().filter(|(found, _)| at.0 - found.0 <= span_ns) {
            sum.add(*counts);
        }
        sum
    }
}

/// A guess, made before each block, of how the old version does now.
#[derive(Clone, Debug, Default)]
struct Guess {
    counts: Counts,
    buckets: Buckets,
    at: Timestamp,
}

/// Rates of failure compared.
#[derive(Clone, Debug)]
pub(crate) struct RateComparison {
    /// New beside old.
    pub split: Detector,
    /// New against the time before.
    pub before: Detector,
    /// Old against the time before: when it fails as well, the change is not to blame.
    pub old: Detector,
    guesses: BTreeMap<String, Guess>,
}

impl RateComparison {
    /// Over harm that begins within `horizon_ns`.
    pub(crate) fn new(horizon_ns: i64) -> Self {
        let detector = Detector::new(&HARM_WEIGHTS, horizon_ns);
        let old = Detector::quick(&HARM_WEIGHTS, horizon_ns);
        Self { split: detector.clone(), before: detector, old, guesses: BTreeMap::new() }
    }

    /// Takes a block.
    pub(crate) fn push(&mut self, block: &Block, baseline: &Baseline) {
        let (mut split, mut before, mut old_before) = ([0.0; HARMS.len()], [0.0; HARMS.len()], [0.0; HARMS.len()]);
        let (mut compared, mut new_seen, mut old_seen) = (false, false, false);
        for stratum in block.strata() {
            let (old, new) = (block.cell(Role::Old, stratum).requests, block.cell(Role::New, stratum).requests);
            let guess = self.guess(stratum, block.until, baseline);
            compared |= old.n > 0.0 && new.n > 0.0;
            (new_seen, old_seen) = (new_seen || new.n > 0.0, old_seen || old.n > 0.0);
            let ceiling = baseline.ceiling(stratum);
            for (at, harm) in HARMS.into_iter().enumerate() {
                split[at] += rates::split_log(old, new, guess, harm);
                before[at] += rates::above_log(new, ceiling, harm);
                old_before[at] += rates::above_log(old, ceiling, harm);
            }
            self.learn(stratum, block.until, old);
        }
        if compared {
            self.split.push(block.until, &split);
        }
        if baseline.is_enough() && new_seen {
            self.before.push(block.until, &before);
        }
        if baseline.is_enough() && old_seen {
            self.old.push(block.until, &old_before);
        }
    }

    fn guess(&self, stratum: &str, at: Timestamp, baseline: &Baseline) -> f64 {
        let prior = if baseline.is_enough() { baseline.rate(stratum) } else { 0.005 };
        let Some(guess) = self.guesses.get(stratum) else { return prior };
        let fade = fade(at.0 - guess.at.0);
        (guess.counts.bad * fade + GUESS_PRIOR * prior) / (guess.counts.n * fade + GUESS_PRIOR)
    }

    fn learn(&mut self, stratum: &str, at: Timestamp, old: Counts) {
        let guess = self.guesses.entry(stratum.to_owned()).or_default();
        guess.counts.fade(fade(at.0 - guess.at.0));
        guess.counts.add(old);
        guess.at = at;
    }
}

fn fade(age_ns: i64) -> f64 {
    0.5f64.powf(age_ns.max(0) as f64 / GUESS_HALF_LIFE_NS as f64)
}

/// How long latencies count when it is measured how much slower a version is, in nanoseconds: after this they count half.
const EFFECT_HALF_LIFE_NS: i64 = 120_000_000_000;

/// Latencies of both sides of late, of the same moments, by stratum.
#[derive(Clone, Debug, Default)]
struct Effect {
    old: Buckets,
    new: Buckets,
    at: Timestamp,
}

impl Effect {
    fn push(&mut self, at: Timestamp, old: &[f64], new: &[f64]) {
        let fade = 0.5f64.powf((at.0 - self.at.0).max(0) as f64 / EFFECT_HALF_LIFE_NS as f64);
        for (sum, counts) in [(&mut self.old, old), (&mut self.new, new)] {
            sum.iter_mut().for_each(|count| *count *= fade);
            add_buckets(sum, counts);
        }
        self.at = at;
    }
}

/// Latencies compared.
#[derive(Clone, Debug)]
pub(crate) struct LatencyComparison {
    /// New beside old.
    pub split: Detector,
    /// New against the time before.
    pub before: Detector,
    /// Old against the time before.
    pub old: Detector,
    guesses: BTreeMap<String, Guess>,
    effects: BTreeMap<String, Effect>,
}

impl LatencyComparison {
    /// Over harm that begins within `horizon_ns`.
    pub(crate) fn new(horizon_ns: i64) -> Self {
        let detector = Detector::new(&SLOWDOWN_WEIGHTS, horizon_ns);
        let old = Detector::quick(&SLOWDOWN_WEIGHTS, horizon_ns);
        let (guesses, effects) = (BTreeMap::new(), BTreeMap::new());
        Self { split: detector.clone(), before: detector, old, guesses, effects }
    }

    /// Takes a block. While new instances are still cold (`warming`), only the old version is learned from. While there is more load
    /// than ever before, nothing is compared with the time before.
    pub(crate) fn push(&mut self, block: &Block, baseline: &Baseline, warming: bool, usual_load: bool) {
        let mut sums = [[0.0; SLOWDOWNS.len()]; 3];
        let mut seen = [false; 3];
        for stratum in block.strata() {
            let (old, new) = (block.cell(Role::Old, stratum), block.cell(Role::New, stratum));
            if let Some(shape) = self.guess(stratum, block.until, baseline) {
                self.compare(&shape, &old, &new, &mut sums[0], &mut seen[0]);
            }
            if let Some(usual) = baseline.shape(stratum) {
                let usual = usual.slowed(baseline.slow());
                above(&usual.slowed(BEFORE_SLACK), &new, &mut sums[1], &mut seen[1]);
                above(&usual, &old, &mut sums[2], &mut seen[2]);
            }
            self.learn(stratum, block.until, &old.buckets);
            if !warming {
                self.effects.entry(stratum.to_owned()).or_default().push(block.until, &old.buckets, &new.buckets);
            }
        }
        if !warming {
            for (detector, at, comparable) in [(&mut self.split, 0, true), (&mut self.before, 1, usual_load)] {
                if seen[at] && comparable {
                    detector.push(block.until, &sums[at]);
                }
            }
        }
        if seen[2] {
            self.old.push(block.until, &sums[2]);
        }
    }

    /// How much slower the new side is: the mean difference of the logarithms, each stratum against itself so that another mix of
    /// endpoints is no difference, and its standard error. Beside the old side, or against what was usual.
    pub(crate) fn effect(&self, baseline: &Baseline, beside: bool) -> Option<(f64, f64)> {
        let (mut sum, mut variance, mut weight) = (0.0, 0.0f64, 0.0);
        for (stratum, effect) in &self.effects {
            let new = Shape::of(baseline.bounds(), &effect.new);
            let new_n: f64 = effect.new.iter().sum();
            let (old, old_n) = match beside {
                true => (Shape::of(baseline.bounds(), &effect.old), effect.old.iter().sum()),
                false => (baseline.shape(stratum).cloned(), f64::INFINITY),
            };
            if let (Some(new_shape), Some(old_shape)) = (new, old) {
                let mean = |counts: &[f64]| new_shape.log_mean_of(counts);
                let old_mean = if beside { mean(&effect.old) } else { old_shape.log_mean() };
                sum += new_n * (mean(&effect.new) - old_mean);
                variance += new_n * new_n * (new_shape.log_variance() / new_n + old_shape.log_variance() / old_n);
                weight += new_n;
            }
        }
        (weight > 0.0).then(|| (sum / weight, variance.sqrt() / weight))
    }

    fn compare(&self, shape: &Shape, old: &Cell, new: &Cell, sums: &mut [f64], seen: &mut bool) {
        if old.buckets.is_empty() || new.buckets.is_empty() {
            return;
        }
        *seen = true;
        for (sum, factor) in sums.iter_mut().zip(SLOWDOWNS) {
            *sum += latency::split_log(&old.buckets, &new.buckets, shape, &shape.slowed(factor));
        }
    }

    /// The shape of the old version now: what it did lately, and the time before for the rest.
    fn guess(&self, stratum: &str, at: Timestamp, baseline: &Baseline) -> Option<Shape> {
        let usual = baseline.shape(stratum);
        let Some(guess) = self.guesses.get(stratum).filter(|guess| !guess.buckets.is_empty()) else {
            return usual.cloned();
        };
        let fade = fade(at.0 - guess.at.0);
        let prior = |at: usize| usual.map_or(0.0, |usual| GUESS_PRIOR * usual.share(at));
        let counts: Buckets = guess.buckets.iter().enumerate().map(|(at, count)| count * fade + prior(at)).collect();
        Shape::of(baseline.bounds(), &counts)
    }

    fn learn(&mut self, stratum: &str, at: Timestamp, buckets: &[f64]) {
        let guess = self.guesses.entry(stratum.to_owned()).or_default();
        let fade = fade(at.0 - guess.at.0);
        guess.buckets.iter_mut().for_each(|count| *count *= fade);
        add_buckets(&mut guess.buckets, buckets);
        guess.at = at;
    }
}

fn above(usual: &Shape, cell: &Cell, sums: &mut [f64], seen: &mut bool) {
    if cell.buckets.is_empty() {
        return;
    }
    *seen = true;
    for (sum, factor) in sums.iter_mut().zip(SLOWDOWNS) {
        *sum += latency::above_log(&cell.buckets, usual, &usual.slowed(factor));
    }
}

/// How a dependency does, against the time before.
#[derive(Clone, Debug)]
pub(crate) struct DependencyHealth {
    rates: Detector,
    latency: Detector,
    baseline: Baseline,
    tally: Tally,
    last: Timestamp,
    failing: bool,
}

/// Evidence from which on a dependency or the old version counts as failing too: 20 to 1. Much less than what convicts, since it
/// only holds.
pub const ALIKE_LOG: f64 = 2.995_732_273_553_991;
/// The stratum of a dependency's counts.
pub const DEPENDENCY_STRATUM: &str = "";

impl DependencyHealth {
    /// Over `horizon_ns`, with what was usual before.
    pub(crate) fn new(baseline: Baseline, horizon_ns: i64) -> Self {
        Self {
            rates: Detector::quick(&HARM_WEIGHTS, horizon_ns),
            latency: Detector::quick(&SLOWDOWN_WEIGHTS, horizon_ns),
            baseline,
            tally: Tally::default(),
            last: Timestamp::default(),
            failing: false,
        }
    }

    /// Takes what a block says of it.
    pub(crate) fn push(&mut self, at: Timestamp, cell: &Cell) {
        if cell.requests.n > 0.0 {
            self.last = at;
        }
        self.tally.push(at, cell.requests);
        let ceiling = self.baseline.ceiling(DEPENDENCY_STRATUM);
        self.rates.push(at, &HARMS.map(|harm| rates::above_log(cell.requests, ceiling, harm)));
        if let (Some(usual), false) = (self.baseline.shape(DEPENDENCY_STRATUM), cell.buckets.is_empty()) {
            let usual = usual.slowed(self.baseline.slow());
            let ratio = |factor| latency::above_log(&cell.buckets, &usual, &usual.slowed(factor));
            self.latency.push(at, &SLOWDOWNS.map(ratio));
        }
        let evidence = self.rates.log_e().max(self.latency.log_e());
        if evidence >= ALIKE_LOG {
            self.failing = true;
        } else if self.failing && self.lately_usual(at) {
            self.failing = false;
        }
        if self.failing && self.lately_usual(at) {
            self.rates.forget();
            self.latency.forget();
        }
    }

    fn lately_usual(&self, at: Timestamp) -> bool {
        let lately = self.tally.lately(at, RECENT_NS);
        lately.n > 0.0 && lately.rate() <= self.baseline.ceiling(DEPENDENCY_STRATUM)
    }

    /// Whether it fails, as far as is known.
    pub(crate) fn failing(&self) -> bool {
        self.failing
    }

    /// Whether it was heard of at a time or later.
    pub(crate) fn heard_since(&self, at: Timestamp) -> bool {
        self.last >= at
    }

    /// Whether it was measured lately and looks well, also at the faster look that a burst of failures would show in.
    pub(crate) fn well(&self, at: Timestamp) -> bool {
        let lately = self.tally.lately(at, RECENT_NS / 2);
        let ceiling = self.baseline.ceiling(DEPENDENCY_STRATUM);
        let expected = lately.n * ceiling;
        let surprising = lately.bad > expected + 2.0 * expected.max(1.0).sqrt() + 1.0;
        let fresh = at.0 - self.last.0 <= crate::block::SILENCE_MAX_NS;
        fresh && !self.failing && !surprising && self.baseline.is_enough()
    }

    /// Whether its latency is measured: without, nobody can say that it is not slow.
    pub(crate) fn timed(&self) -> bool {
        self.baseline.shape(DEPENDENCY_STRATUM).is_some()
    }

    /// Failures lately, what is usual, and the evidence.
    pub(crate) fn figures(&self, at: Timestamp) -> (Counts, f64, f64) {
        let usual = (self.baseline.ceiling(DEPENDENCY_STRATUM) - RATE_SLACK).max(0.0);
        (self.tally.lately(at, RECENT_NS), usual, self.rates.log_e().max(self.latency.log_e()))
    }
}
