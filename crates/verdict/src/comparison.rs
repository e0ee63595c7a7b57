//! One measure of a change, compared in both ways: with the old version at the same time, and with the time before.

use std::collections::{BTreeMap, VecDeque};

use model::Timestamp;

use crate::baseline::{Baseline, RATE_SLACK, add_buckets};
use crate::block::{Block, Cell, Role};
use crate::everywhere::Everywhere;
use crate::evidence::Detector;
use crate::latency::{self, Buckets, Ladder, SLOWDOWN_WEIGHTS, SLOWDOWNS, Shape};
use crate::message::{Message, rounded};
use crate::rates::{self, Counts, HARM_WEIGHTS, HARMS, inside};

/// How far back the newest counts go, in nanoseconds: harm must still be going on when something is called bad.
pub const RECENT_NS: i64 = 30_000_000_000;
/// How long the past counts when the old version's rate now is guessed, in nanoseconds: after this it counts half.
const GUESS_HALF_LIFE_NS: i64 = 20_000_000_000;
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

    /// The counts of each block of late, the oldest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = Counts> {
        self.recent.iter().map(|(_, counts)| *counts)
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

/// Both versions over the same blocks, each block weighted by how much it can tell (Mantel and Haenszel 1959): shares of traffic that
/// change meanwhile make no difference then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    old: Counts,
    new: Counts,
    old_weighted: f64,
    new_weighted: f64,
    /// How many of the failures the new version would have, were both alike.
    new_expected: f64,
}

impl Beside {
    /// How many failures the old version would have to have, were it as bad, before it is said that it is not better.
    const SURE: f64 = 5.0;
    /// How unlikely it must be that both are alike before it is said that the old version does not have it: 1 in 500, as a natural
    /// logarithm.
    const UNLIKE_LOG: f64 = 6.214_608_098_422_191;

    /// Adds a block; nothing counts before the new version's first failure.
    pub(crate) fn add(&mut self, old: Counts, new: Counts) {
        let n = old.n + new.n;
        if n <= 0.0 || (self.new.bad <= 0.0 && new.bad <= 0.0) {
            return;
        }
        self.old.add(old);
        self.new.add(new);
        self.old_weighted += old.bad * new.n / n;
        self.new_weighted += new.bad * old.n / n;
        self.new_expected += (old.bad + new.bad) * new.n / n;
    }

    /// How often the new version fails since its first failure.
    pub(crate) fn new_rate(&self) -> f64 {
        self.new.rate()
    }

    /// Whether at least a third of what the old version would have, were it as bad, is there.
    pub(crate) fn looks_alike(&self) -> bool {
        self.old_weighted > self.new_weighted / 3.0
    }

    /// Whether the old version has it as well. Nothing where there are too few requests, or failures, to tell.
    pub(crate) fn is_alike(&self) -> Option<bool> {
        match self.looks_alike() {
            true => (self.old.n * self.new.rate() >= Self::SURE).then_some(true),
            false => self.is_unlike().then_some(false),
        }
    }

    /// Whether so few of the failures are the old version's that chance is no explanation. Each failure falls to one of the versions by
    /// its share of the block's requests; the bound on so many of the new one's is Hoeffding's, exact when all are.
    fn is_unlike(&self) -> bool {
        let all = self.old.bad + self.new.bad;
        if all <= 0.0 || self.new.bad <= self.new_expected {
            return false;
        }
        let (seen, expected) = (self.new.bad / all, inside(self.new_expected / all));
        let rest = if seen < 1.0 { (1.0 - seen) * ((1.0 - seen) / (1.0 - expected)).ln() } else { 0.0 };
        all * (seen * (seen / expected).ln() + rest) >= Self::UNLIKE_LOG
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
    pub split: Everywhere,
    /// New against the time before.
    pub before: Everywhere,
    /// Old against the time before: when it fails as well, the change is not to blame.
    pub old: Detector,
    guesses: BTreeMap<String, Guess>,
}

impl RateComparison {
    /// Over harm that begins within `horizon_ns`, in so many strata.
    pub(crate) fn new(horizon_ns: i64, strata: usize) -> Self {
        let everywhere = Everywhere::new(&HARM_WEIGHTS, horizon_ns, strata);
        let old = Detector::quick(&HARM_WEIGHTS, horizon_ns);
        Self { split: everywhere.clone(), before: everywhere, old, guesses: BTreeMap::new() }
    }

    /// Takes a block.
    pub(crate) fn push(&mut self, block: &Block, baseline: &Baseline) {
        let (mut split, mut before, mut old_before) = (BTreeMap::new(), BTreeMap::new(), [0.0; HARMS.len()]);
        let mut old_seen = false;
        for stratum in block.strata() {
            let (old, new) = (block.cell(Role::Old, stratum).requests, block.cell(Role::New, stratum).requests);
            let guess = self.guess(stratum, block.until, baseline);
            let ceiling = baseline.ceiling(stratum);
            if old.n > 0.0 && new.n > 0.0 {
                let ratios = HARMS.map(|harm| rates::split_log(old, new, guess, harm));
                split.insert(stratum.to_owned(), ratios.to_vec());
            }
            if new.n > 0.0 {
                before.insert(stratum.to_owned(), HARMS.map(|harm| rates::above_log(new, ceiling, harm)).to_vec());
            }
            if old.n > 0.0 {
                old_seen = true;
                for (sum, harm) in old_before.iter_mut().zip(HARMS) {
                    *sum += rates::above_log(old, ceiling, harm);
                }
            }
            self.learn(stratum, block.until, old);
        }
        if !split.is_empty() {
            self.split.push(block.until, &split);
        }
        if baseline.is_enough() && !before.is_empty() {
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
    pub split: Everywhere,
    /// New against the time before.
    pub before: Everywhere,
    /// Old against the time before.
    pub old: Detector,
    guesses: BTreeMap<String, Guess>,
    effects: BTreeMap<String, Effect>,
    /// What is beyond the usual, for the new and for the old side, by stratum.
    usual: BTreeMap<String, (Ladder, Ladder)>,
    /// The same of strata that were too small before.
    usual_of_all: Option<(Ladder, Ladder)>,
}

impl LatencyComparison {
    /// Over harm that begins within `horizon_ns`, with what was usual before.
    pub(crate) fn new(horizon_ns: i64, baseline: &Baseline) -> Self {
        let everywhere = Everywhere::new(&SLOWDOWN_WEIGHTS, horizon_ns, baseline.strata());
        let old = Detector::quick(&SLOWDOWN_WEIGHTS, horizon_ns);
        let ladders = |shape: &Shape| {
            let edge = shape.slowed(baseline.slow());
            (Ladder::above(&edge.slowed(baseline.slow_beside())), Ladder::above(&edge))
        };
        Self {
            split: everywhere.clone(),
            before: everywhere,
            old,
            guesses: BTreeMap::new(),
            effects: BTreeMap::new(),
            usual: baseline.shaped().map(|(stratum, shape)| (stratum.clone(), ladders(shape))).collect(),
            usual_of_all: baseline.all_shape().map(ladders),
        }
    }

    /// Takes a block. While new instances are still cold (`warming`), only the old version is learned from. While there is more load
    /// than ever before, nothing is compared with the time before.
    pub(crate) fn push(&mut self, block: &Block, baseline: &Baseline, warming: bool, usual_load: bool) {
        let (mut split, mut before, mut old_before) = (BTreeMap::new(), BTreeMap::new(), None);
        for stratum in block.strata() {
            let (old, new) = (block.cell(Role::Old, stratum), block.cell(Role::New, stratum));
            if let (Some(shape), false) =
                (self.guess(stratum, block.until, baseline), old.buckets.is_empty() || new.buckets.is_empty())
            {
                let ratios = SLOWDOWNS
                    .map(|factor| latency::split_log(&old.buckets, &new.buckets, &shape, &shape.slowed(factor)));
                split.insert(stratum.to_owned(), ratios.to_vec());
            }
            if let Some((for_new, for_old)) = self.usual.get(stratum).or(self.usual_of_all.as_ref()) {
                if !new.buckets.is_empty() {
                    before.insert(stratum.to_owned(), for_new.log_ratios(&new.buckets).to_vec());
                }
                if !old.buckets.is_empty() {
                    let sums = old_before.get_or_insert([0.0; SLOWDOWNS.len()]);
                    sums.iter_mut().zip(for_old.log_ratios(&old.buckets)).for_each(|(sum, ratio)| *sum += ratio);
                }
            }
            self.learn(stratum, block.until, &old.buckets);
            if !warming {
                self.effects.entry(stratum.to_owned()).or_default().push(block.until, &old.buckets, &new.buckets);
            }
        }
        if !warming && !split.is_empty() {
            self.split.push(block.until, &split);
        }
        if !warming && usual_load && !before.is_empty() {
            self.before.push(block.until, &before);
        }
        if let Some(sums) = old_before {
            self.old.push(block.until, &sums);
        }
    }

    /// How much slower the new side is: the mean difference of the logarithms, each stratum against itself so that another mix of
    /// endpoints is no difference, and its standard error. Beside the old side, or against what was usual; of all strata or of one.
    pub(crate) fn effect(&self, baseline: &Baseline, beside: bool, only: Option<&str>) -> Option<(f64, f64)> {
        let (mut sum, mut variance, mut weight) = (0.0, 0.0f64, 0.0);
        for (stratum, effect) in self.effects.iter().filter(|(stratum, _)| only.is_none_or(|only| only == *stratum)) {
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

    /// What part of the new side's requests a stratum has.
    pub(crate) fn share(&self, stratum: &str) -> f64 {
        let n = |effect: &Effect| effect.new.iter().sum::<f64>();
        let all: f64 = self.effects.values().map(n).sum();
        self.effects.get(stratum).map_or(0.0, n) / all.max(1.0)
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

/// How a dependency does, against the time before.
#[derive(Clone, Debug)]
pub(crate) struct DependencyHealth {
    rates: Detector,
    latency: Detector,
    usual: Option<Ladder>,
    baseline: Baseline,
    tally: Tally,
    /// Latency buckets of late.
    recent: VecDeque<(Timestamp, Buckets)>,
    last: Timestamp,
    fails: bool,
    slow: bool,
}

/// Evidence from which on a dependency or the old version counts as failing too: 20 to 1. Much less than what convicts, since it
/// only holds.
pub const ALIKE_LOG: f64 = 2.995_732_273_553_991;
/// Over how long a burst of failures of a dependency is looked for, in nanoseconds.
const BURST_NS: i64 = RECENT_NS / 2;
/// How much likelier the usual must be to clear a dependency: 7 to 1, as a natural logarithm. It is beside what says that it is well.
const CLEARED_LOG: f64 = 2.0;
/// The stratum of a dependency's counts.
pub const DEPENDENCY_STRATUM: &str = "";

impl DependencyHealth {
    /// Over `horizon_ns`, with what was usual before.
    pub(crate) fn new(baseline: Baseline, horizon_ns: i64) -> Self {
        Self {
            rates: Detector::quick(&HARM_WEIGHTS, horizon_ns),
            latency: Detector::quick(&SLOWDOWN_WEIGHTS, horizon_ns),
            usual: baseline.shape(DEPENDENCY_STRATUM).map(|usual| Ladder::above(&usual.slowed(baseline.slow()))),
            baseline,
            tally: Tally::default(),
            recent: VecDeque::new(),
            last: Timestamp::default(),
            fails: false,
            slow: false,
        }
    }

    /// Takes what a block says of it. Failures and slowness are told apart: that it does not fail any more does not say that it is quick.
    pub(crate) fn push(&mut self, at: Timestamp, cell: &Cell) {
        if cell.requests.n > 0.0 {
            self.last = at;
        }
        self.tally.push(at, cell.requests);
        let ceiling = self.baseline.ceiling(DEPENDENCY_STRATUM);
        self.rates.push(at, &HARMS.map(|harm| rates::above_log(cell.requests, ceiling, harm)));
        if let (Some(usual), false) = (&self.usual, cell.buckets.is_empty()) {
            self.latency.push(at, &usual.log_ratios(&cell.buckets));
            self.recent.push_back((at, cell.buckets.clone()));
        }
        while self.recent.front().is_some_and(|(first, _)| at.0 - first.0 > RECENT_NS) {
            self.recent.pop_front();
        }
        self.fails |= self.rates.log_e() >= ALIKE_LOG;
        self.slow |= self.latency.log_e() >= ALIKE_LOG;
        if self.fails && self.lately_succeeds(at) {
            self.fails = false;
            self.rates.forget();
        }
        if self.slow && self.lately_quick() {
            self.slow = false;
            self.latency.forget();
        }
    }

    fn lately_succeeds(&self, at: Timestamp) -> bool {
        let lately = self.tally.lately(at, RECENT_NS);
        lately.n > 0.0 && lately.rate() <= self.baseline.ceiling(DEPENDENCY_STRATUM)
    }

    fn lately_quick(&self) -> bool {
        let Some(usual) = self.baseline.shape(DEPENDENCY_STRATUM) else { return true };
        let mut lately = Buckets::new();
        self.recent.iter().for_each(|(_, buckets)| add_buckets(&mut lately, buckets));
        !lately.is_empty() && usual.log_mean_of(&lately) <= usual.slowed(self.baseline.slow()).log_mean()
    }

    /// Whether it fails or is slow, as far as is known.
    pub(crate) fn failing(&self) -> bool {
        self.fails || self.slow
    }

    /// Whether it was heard of after a time.
    pub(crate) fn heard_after(&self, at: Timestamp) -> bool {
        self.last > at
    }

    /// Whether what was heard of it since a time clears it of having failed since, by a share `excess` more than usual: its failures
    /// must be far likelier to be the usual ones. Heard of for [`RECENT_NS`] they are, however few its requests are; where nothing is
    /// said to have failed, hearing of it is enough.
    pub(crate) fn is_cleared(&self, since: Timestamp, excess: Option<f64>) -> bool {
        let heard_ns = self.last.0 - since.0;
        let (true, Some(excess)) = ((1..RECENT_NS).contains(&heard_ns), excess) else { return heard_ns > 0 };
        let counts = self.tally.lately(self.last, heard_ns - 1);
        let usual = (counts.n * self.baseline.total().rate()).max(1.0);
        let more = self.tally.lately(self.last, RECENT_NS).n * excess * heard_ns as f64 / RECENT_NS as f64;
        more - counts.bad * (more / usual).ln_1p() >= CLEARED_LOG
    }

    /// Whether it was measured lately and looks well, also at the faster look that a burst of failures would show in.
    pub(crate) fn well(&self, at: Timestamp) -> bool {
        let lately = self.tally.lately(at, BURST_NS);
        let fresh = at.0 - self.last.0 <= crate::block::SILENCE_MAX_NS;
        let expected = lately.n * self.baseline.ceiling(DEPENDENCY_STRATUM);
        let surprising = lately.bad > expected + 2.0 * expected.max(1.0).sqrt() + 1.0;
        fresh && !self.failing() && !surprising && self.baseline.is_enough()
    }

    /// Whether its latency is measured: without, nobody can say that it is not slow.
    pub(crate) fn timed(&self) -> bool {
        self.baseline.shape(DEPENDENCY_STRATUM).is_some()
    }

    /// Failures lately and what is usual, for people.
    pub(crate) fn describe(&self, name: &str, at: Timestamp) -> Message {
        let lately = self.tally.lately(at, RECENT_NS);
        let usual = (self.baseline.ceiling(DEPENDENCY_STRATUM) - RATE_SLACK).max(0.0);
        let (percent, usual_percent) = (rounded(100.0 * lately.rate(), 1), rounded(100.0 * usual, 1));
        let failing = Message::DependencyFails { dependency: name.to_owned(), percent, usual_percent };
        if self.slow { Message::DependencySlower { that: Box::new(failing) } } else { failing }
    }
}
