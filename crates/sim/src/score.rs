//! Figures about many outcomes.
//!
//! A rollback of a bad release counts as right only when the fault had touched a request, or when it is a leak, which can be
//! seen before it hurts. Every other rollback is false: of a good release, or of a bad one before anything was wrong.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fault::Kind;
use crate::policy::Outcome;

/// Figures about a group of outcomes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Releases.
    pub releases: usize,
    /// Good ones.
    pub good: usize,
    /// Bad ones that what can be seen can convict.
    pub bad: usize,
    /// Bad ones that nothing can convict: holding is right.
    pub undecidable: usize,
    /// Bad ones rolled back for cause, undecidable ones not counted.
    pub caught: usize,
    /// Good ones rolled back.
    pub false_rollbacks: usize,
    /// Bad ones rolled back before anything was wrong.
    pub unfounded: usize,
    /// Rollbacks made without telemetry of the new version.
    pub blind: usize,
    /// Good ones rolled back when telemetry was missing or late.
    pub false_when_blinded: usize,
    /// Good ones rolled back when what both versions depend on was at fault.
    pub false_when_shared: usize,
    /// Undecidable ones rolled back.
    pub undecidable_rollbacks: usize,
    /// Seconds from the start of the release to the first verdict, of all releases; no verdict counts as never.
    pub verdict_s: Spread,
    /// Seconds from the first bad request to the rollback, of the bad; no rollback counts as never.
    pub rollback_s: Spread,
    /// Requests of the bad releases that failed by the fault.
    pub failed: u64,
    /// Requests of the bad releases that the fault touched.
    pub touched: u64,
}

/// Median and 95th percentile; nothing where it never came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Half are not above it.
    pub median: Option<u32>,
    /// 95 of 100 are not above it.
    pub p95: Option<u32>,
}

impl Spread {
    /// The spread of times of which some never came.
    pub fn of(times: impl IntoIterator<Item = Option<u32>>) -> Self {
        let mut times: Vec<u32> = times.into_iter().map(|time| time.unwrap_or(u32::MAX)).collect();
        times.sort_unstable();
        let at = |part: f64| {
            let rank = (part * times.len() as f64).ceil() as usize;
            times.get(rank.max(1) - 1).copied().filter(|time| *time != u32::MAX)
        };
        Self { median: at(0.5), p95: at(0.95) }
    }
}

impl Outcome {
    /// Whether the truth is good.
    pub fn is_good(&self) -> bool {
        self.kind == Kind::Good
    }

    /// Whether it was rolled back when there was cause.
    pub fn is_caught(&self) -> bool {
        let Some(rollback) = self.rollback_s else { return false };
        !self.is_good() && (self.kind == Kind::Leak || self.first_bad_s.is_some_and(|first| first < rollback))
    }

    /// Seconds from the first bad request to a rollback for cause; 0 when a leak was stopped before it hurt.
    fn to_rollback_s(&self) -> Option<u32> {
        let rollback = self.rollback_s.filter(|_| self.is_caught())?;
        Some(rollback.saturating_sub(self.first_bad_s.unwrap_or(rollback)))
    }
}

impl Score {
    /// The figures of some outcomes.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let outcomes: Vec<&Outcome> = outcomes.into_iter().collect();
        let count = |what: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| what(outcome)).count();
        let convictable = |outcome: &Outcome| !outcome.is_good() && outcome.decidable;
        let rolled_back_good = |outcome: &Outcome| outcome.is_good() && outcome.rollback_s.is_some();
        let bad = || outcomes.iter().filter(|outcome| !outcome.is_good());
        Self {
            releases: outcomes.len(),
            good: count(&Outcome::is_good),
            bad: count(&convictable),
            undecidable: count(&|outcome| !outcome.is_good() && !outcome.decidable),
            caught: count(&|outcome| convictable(outcome) && outcome.is_caught()),
            false_rollbacks: count(&rolled_back_good),
            unfounded: count(&|outcome| !outcome.is_good() && outcome.rollback_s.is_some() && !outcome.is_caught()),
            blind: count(&|outcome| outcome.blind),
            false_when_blinded: count(&|outcome| rolled_back_good(outcome) && outcome.confounder.blinds()),
            false_when_shared: count(&|outcome| rolled_back_good(outcome) && outcome.dependency_fault),
            undecidable_rollbacks: count(&|outcome| {
                !outcome.is_good() && !outcome.decidable && outcome.rollback_s.is_some()
            }),
            verdict_s: Spread::of(outcomes.iter().map(|outcome| outcome.verdict_s)),
            rollback_s: Spread::of(bad().filter(|outcome| outcome.decidable).map(|outcome| outcome.to_rollback_s())),
            failed: bad().map(|outcome| u64::from(outcome.harm.failed)).sum(),
            touched: bad().map(|outcome| u64::from(outcome.harm.touched)).sum(),
        }
    }

    /// Of the rollbacks, the part that was right; undecidable releases left out. None without a rollback.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.caught, self.caught + self.false_rollbacks + self.unfounded)
    }

    /// Of the bad releases that can be convicted, the part that was rolled back for cause.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.caught, self.bad)
    }

    /// Of the good releases, the part that was rolled back.
    pub fn false_rollback_rate(&self) -> Option<f64> {
        ratio(self.false_rollbacks, self.good)
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Figures by a property of the outcomes, in the order of the property.
pub fn by<'a, K: Ord>(outcomes: &'a [Outcome], key: impl Fn(&'a Outcome) -> K) -> Vec<(K, Score)> {
    let mut groups: BTreeMap<K, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        groups.entry(key(outcome)).or_default().push(outcome);
    }
    groups.into_iter().map(|(key, group)| (key, Score::of(group))).collect()
}
