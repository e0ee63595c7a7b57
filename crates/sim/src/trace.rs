//! What happened, second by second, as sums since the beginning, so that any window is one subtraction.

use crate::counts::{Counts, Harm};
use crate::generate::{Generator, Second};
use crate::pattern::PATTERNS;
use crate::release::Release;
use crate::service::ENDPOINTS;
use crate::time::{END_S, START_S};

/// Sums of everything before a second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub counts: [[Counts; ENDPOINTS]; 2],
    pub patterns: [[u32; PATTERNS.len()]; 2],
    pub neighbours: [Counts; 2],
    pub probes: (u32, u32),
    pub harm: Harm,
}

impl Sums {
    fn add(&mut self, second: &Second) {
        for version in 0..2 {
            for endpoint in 0..ENDPOINTS {
                self.counts[version][endpoint] += second.counts[version][endpoint];
            }
            let lines = self.patterns[version].iter_mut().zip(second.patterns[version]);
            lines.for_each(|(sum, more)| *sum += more);
        }
        for (sum, more) in self.neighbours.iter_mut().zip(second.neighbours) {
            *sum += more;
        }
        self.probes = (self.probes.0 + second.probes.0, self.probes.1 + second.probes.1);
        self.harm += second.harm;
    }
}

/// The course of a release as it is when nobody intervenes, or, continued by [`Trace::advance`], as somebody routes it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// `sums[t]` has the seconds before `t`; the trace ends before second `sums.len() - 1`.
    pub(crate) sums: Vec<Sums>,
    pub(crate) memory: Vec<[f32; 2]>,
    /// Part of the traffic that the new version had in each second.
    pub(crate) share: Vec<f64>,
}

impl Trace {
    /// The whole trace by the release's own plan, never rolled back.
    pub fn planned(release: &Release) -> Self {
        let mut trace = Self::empty();
        let mut generator = Generator::new(release);
        for second in 0..END_S {
            trace.push(&mut generator, second, release.rollout.share(second));
        }
        trace
    }

    fn empty() -> Self {
        let seconds = END_S as usize;
        let mut sums = Vec::with_capacity(seconds + 1);
        sums.push(Sums::default());
        Self { sums, memory: Vec::with_capacity(seconds), share: Vec::with_capacity(seconds) }
    }

    /// The history of this trace, to be continued another way.
    pub fn history(&self) -> Self {
        let seconds = START_S as usize;
        let mut history = Self::empty();
        history.sums.clear();
        history.sums.extend_from_slice(&self.sums[..=seconds]);
        history.memory.extend_from_slice(&self.memory[..seconds]);
        history.share.extend_from_slice(&self.share[..seconds]);
        history
    }

    /// Continues the trace to a second, the new version having a part of the traffic.
    pub fn advance(&mut self, release: &Release, until_s: u32, share_new: f64) {
        let mut generator = Generator::new(release);
        for second in self.share.len() as u32..until_s {
            self.push(&mut generator, second, share_new);
        }
    }

    fn push(&mut self, generator: &mut Generator<'_>, second: u32, share_new: f64) {
        let drawn = generator.second(second, share_new);
        let mut sums = self.sums.last().cloned().unwrap_or_default();
        sums.add(&drawn);
        self.sums.push(sums);
        self.memory.push(drawn.memory);
        self.share.push(share_new);
    }

    /// Harm done before a second.
    pub fn harm_before(&self, second: u32) -> Harm {
        self.sums[(second as usize).min(self.sums.len() - 1)].harm
    }

    /// The first second in which the fault touched a request.
    pub fn first_touched_s(&self) -> Option<u32> {
        let untouched = self.sums.partition_point(|sums| sums.harm.touched == 0);
        (untouched < self.sums.len()).then(|| untouched as u32 - 1)
    }

    /// Harm done when a rollback is decided in a second: before it, and while the traffic goes back.
    pub fn harm_with_rollback(&self, release: &Release, decided_s: u32) -> Harm {
        let mut harm = self.harm_before(decided_s);
        let mut generator = Generator::new(release);
        let (delay, drain) = (release.rollout.rollback_delay_s, release.rollout.rollback_drain_s);
        let share_at = |second: u32| self.share.get(second as usize).copied();
        let last = self.share.last().copied().unwrap_or(0.0);
        for second in decided_s..END_S.min(decided_s + delay + drain) {
            let gone = f64::from((second - decided_s).saturating_sub(delay)) / f64::from(drain);
            // The rollout goes no further once the decision is made.
            let share = share_at(decided_s).unwrap_or(last);
            harm += generator.second(second, share * (1.0 - gone)).harm;
        }
        harm
    }
}
