//! Another cause than the change: while there is one, what the new version does against the time before is not held against it.

use model::Timestamp;

use crate::baseline::{Baseline, RATE_SLACK};
use crate::card::SignalKind;
use crate::comparison::{ALIKE_LOG, RECENT_NS, Tally};
use crate::judge::OLD_REQUESTS_MIN;
use crate::message::{Message, TIME_BEFORE, rounded};
use crate::watch::{FAILURES_MIN, REQUESTS_MIN, Watch};

/// A cause that nobody sees is over when failures fell below this part of the most that they were under it.
const DROPPED_SHARE: f64 = 0.5;

/// Which signals another cause explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covers {
    /// All of them: what fails is slow, what is slow times out, and lines say so.
    All,
    /// Slowness alone: the old version was slow too, and did not fail.
    Latency,
}

/// Why what the new version does is not its own doing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Excuse {
    pub(crate) what: String,
    pub(crate) reason: Message,
    covers: Covers,
    /// The most that failed under it, as a share.
    worst: f64,
    /// Since when its cause is gone.
    over_since: Option<Timestamp>,
}

impl Excuse {
    /// Things were bad before the change already.
    pub(crate) fn of_the_time_before(baseline: &Baseline) -> Option<Excuse> {
        let counts = baseline.failing_already()?;
        let reason = Message::FailingAlready {
            percent: rounded(100.0 * counts.rate(), 1),
            usual_percent: rounded(100.0 * baseline.total().rate(), 1),
        };
        let what = TIME_BEFORE.to_owned();
        Some(Excuse { what, reason, covers: Covers::All, worst: counts.rate(), over_since: None })
    }

    /// Whether it explains a signal.
    pub(crate) fn covers(&self, kind: SignalKind) -> bool {
        self.covers == Covers::All || kind == SignalKind::Latency
    }
}

impl Watch {
    /// Looks for another cause: while there is one, what speaks against the time before is let go of.
    pub(crate) fn excuses(&mut self, at: Timestamp) {
        let lately = self.old.lately(at, RECENT_NS);
        if lately.n >= REQUESTS_MIN && lately.rate() <= self.baseline.total().rate() + RATE_SLACK {
            // It failed once and does not any more: what it had then excuses nobody now.
            self.errors.old.forget();
        }
        let failing = self.new.lately(at, RECENT_NS).rate().max(lately.rate());
        match (self.cause(at), &mut self.excuse) {
            (Some((what, reason, covers)), known) => {
                let (covers, worst) = known.as_ref().map_or((covers, failing), |known| {
                    let wider = known.covers == Covers::All;
                    (if wider { Covers::All } else { covers }, known.worst.max(failing))
                });
                *known = Some(Excuse { what, reason, covers, worst, over_since: None });
            }
            (None, Some(known)) => {
                known.worst = known.worst.max(failing);
                let known = known.clone();
                let over_since = if self.is_over(&known, failing, at) { known.over_since.or(Some(at)) } else { None };
                let past = over_since.is_some_and(|since| at.0 - since.0 >= RECENT_NS);
                self.excuse = (!past).then_some(Excuse { over_since, ..known });
            }
            (None, None) => {}
        }
        if let Some(excuse) = &self.excuse {
            self.latency.before.forget();
            if excuse.covers == Covers::All {
                self.errors.before.forget();
                self.patterns.forget();
                self.probes.forget();
            }
        }
    }

    /// What else goes wrong now: a dependency, or the old version with the new one.
    fn cause(&self, at: Timestamp) -> Option<(String, Message, Covers)> {
        if let Some((name, health)) = self.dependencies.iter().find(|(_, health)| health.failing()) {
            return Some((name.clone(), health.describe(name, at), Covers::All));
        }
        if !self.old_runs(at) {
            return None;
        }
        let usual = self.baseline.total().rate();
        let old = self.old.lately(at, RECENT_NS);
        let label = &self.spec.old_label;
        if self.errors.old.log_e() >= ALIKE_LOG && old.bad >= FAILURES_MIN && self.failures_beside().looks_alike() {
            let reason = Message::OldWorse {
                old: label.clone(),
                percent: rounded(100.0 * old.rate(), 1),
                usual_percent: rounded(100.0 * usual, 1),
            };
            return Some((label.clone(), reason, Covers::All));
        }
        if self.latency.old.log_e() >= ALIKE_LOG {
            // What is slow may fail in the new version alone, if enough of the old one's requests show that they do not.
            let succeeds = old.n >= OLD_REQUESTS_MIN && old.rate() <= usual + RATE_SLACK;
            let known = self
                .excuse
                .as_ref()
                .is_some_and(|known| known.covers == Covers::Latency && old.rate() <= usual + RATE_SLACK);
            let covers = if succeeds || known { Covers::Latency } else { Covers::All };
            let reason = Message::OldSlower { old: label.clone() };
            return Some((label.clone(), reason, covers));
        }
        None
    }

    fn old_runs(&self, at: Timestamp) -> bool {
        self.old_last.is_some_and(|last| at.0 - last.0 <= RECENT_NS)
    }

    /// Whether the cause of an excuse is gone, as far as can be seen now.
    fn is_over(&self, excuse: &Excuse, failing: f64, at: Timestamp) -> bool {
        let usual = self.baseline.total().rate() + self.spec.harm_min;
        let calm = |tally: &Tally| tally.lately(at, RECENT_NS).rate() <= usual;
        let usual_load = self.baseline.is_common_load(self.load());
        if let Some(health) = self.dependencies.get(&excuse.what) {
            // A dependency that is well again may have left a storm of retries behind.
            return health.well(at) && (usual_load || calm(&self.new));
        }
        if self.old_runs(at) && self.old.lately(at, RECENT_NS).n >= REQUESTS_MIN {
            return calm(&self.old);
        }
        // Nobody sees how the cause goes on but the new version. It is over when it was before the old version left, when the new
        // one does well, or when nothing else is wrong and most of the failures have gone.
        let nothing_else = !self.dependencies.is_empty() && self.dependencies.values().all(|health| health.well(at));
        let dropped = failing <= DROPPED_SHARE * excuse.worst;
        excuse.over_since.is_some() || calm(&self.new) || (nothing_else && usual_load && dropped)
    }
}
