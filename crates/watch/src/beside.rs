//! Both versions beside each other: what ran at the same time, for whoever asks which change is to blame.

use std::collections::VecDeque;

use catalog::ledger::time_text;
use change::SplitCounts;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use verdict::{Block, Counts, Role};

/// How far back the counts go, in nanoseconds: about as far as alert rules look.
pub const BESIDE_NS: i64 = 60_000_000_000;
/// Steps in which the new version's share of traffic is looked at, in nanoseconds.
const STEP_NS: i64 = 10_000_000_000;
/// A share that moved by more than this is another share. Counts of before are then left out: a fault of everybody that begins while the
/// new version has more traffic than before would look like the new version's.
const SHARE_STEP: f64 = 0.04;

/// Requests and failures of both versions over the latest minute in which both served, from stretches of time in which both did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// When the first stretch ended.
    #[serde(with = "time_text")]
    pub since: Timestamp,
    /// When the last one did.
    #[serde(with = "time_text")]
    pub until: Timestamp,
    /// Of the new version.
    pub new: SplitCounts,
    /// Of the old one.
    pub old: SplitCounts,
}

/// Counts of one stretch: when it ended, old, new.
type Stretch = (Timestamp, Counts, Counts);

/// Adds up what ran side by side.
#[derive(Debug, Default)]
pub(crate) struct SideBySide {
    stretches: VecDeque<Stretch>,
}

impl SideBySide {
    /// Takes a block, if both versions served in it.
    pub(crate) fn push(&mut self, block: &Block) {
        let (old, new) = (block.requests(Role::Old), block.requests(Role::New));
        if old.n <= 0.0 || new.n <= 0.0 {
            return;
        }
        self.stretches.push_back((block.until, old, new));
        while self.stretches.front().is_some_and(|(first, ..)| block.until.0 - first.0 > BESIDE_NS) {
            self.stretches.pop_front();
        }
    }

    /// The counts as far back as the share of traffic was what it was at the end.
    pub(crate) fn look(&self) -> Option<Beside> {
        let (until, ..) = *self.stretches.back()?;
        let (mut since, mut sum) = (until, (Counts::default(), Counts::default()));
        for place in 0..=BESIDE_NS / STEP_NS {
            let of_step = self.stretches.iter().filter(|(at, ..)| (until.0 - at.0) / STEP_NS == place);
            let mut step = (Counts::default(), Counts::default());
            let mut first = since;
            for (at, old, new) in of_step {
                step.0.add(*old);
                step.1.add(*new);
                first = first.min(*at);
            }
            if moved(sum, step) {
                break;
            }
            sum.0.add(step.0);
            sum.1.add(step.1);
            since = first;
        }
        Some(Beside { since, until, old: whole(sum.0), new: whole(sum.1) })
    }
}

/// Whether the new version's share of traffic differs by more than chance explains. Counts are old and new.
fn moved(a: (Counts, Counts), b: (Counts, Counts)) -> bool {
    let (n_a, n_b) = (a.0.n + a.1.n, b.0.n + b.1.n);
    if n_a <= 0.0 || n_b <= 0.0 {
        return false;
    }
    let mean = (a.1.n + b.1.n) / (n_a + n_b);
    let noise = (mean * (1.0 - mean) * (1.0 / n_a + 1.0 / n_b)).sqrt();
    (a.1.n / n_a - b.1.n / n_b).abs() > SHARE_STEP.max(3.0 * noise)
}

fn whole(counts: Counts) -> SplitCounts {
    SplitCounts { n: counts.n.round() as u64, bad: counts.bad.min(counts.n).round() as u64 }
}

#[cfg(test)]
mod tests {
    use verdict::Cell;

    use super::*;

    fn block(second: i64, old: (f64, f64), new: (f64, f64)) -> Block {
        let mut block = Block { until: Timestamp::from_secs(second), ..Block::default() };
        for (role, (bad, n)) in [(Role::Old, old), (Role::New, new)] {
            if n > 0.0 {
                let cell = Cell { requests: Counts { n, bad }, ..Cell::default() };
                block.cells.insert((role, String::new()), cell);
            }
        }
        block
    }

    fn look(blocks: impl IntoIterator<Item = Block>) -> Option<Beside> {
        let mut side_by_side = SideBySide::default();
        blocks.into_iter().for_each(|block| side_by_side.push(&block));
        side_by_side.look()
    }

    #[test]
    fn only_what_ran_at_the_same_time_counts_and_only_of_late() {
        assert_eq!(look([block(1, (1.0, 50.0), (0.0, 0.0))]), None);
        let blocks = (1..=100).map(|second| block(second, (1.0, 90.0), (2.0, 10.0)));
        // From 101 on the old version is gone; what it did beside the new one is still known, and when that was.
        let gone = (101..=200).map(|second| block(second, (0.0, 0.0), (50.0, 100.0)));
        let found = look(blocks.chain(gone)).expect("both ran");
        assert_eq!((found.since, found.until), (Timestamp::from_secs(40), Timestamp::from_secs(100)));
        assert_eq!(found.old, SplitCounts { n: 61 * 90, bad: 61 });
        assert_eq!(found.new, SplitCounts { n: 61 * 10, bad: 61 * 2 });
    }

    #[test]
    fn a_share_of_traffic_that_moved_begins_anew() {
        // Everything fails from second 31 on, when the new version has gone from a tenth to a half of the traffic.
        let before = (1..=30).map(|second| block(second, (0.0, 90.0), (0.0, 10.0)));
        let after = (31..=60).map(|second| block(second, (15.0, 50.0), (15.0, 50.0)));
        let found = look(before.chain(after)).expect("both ran");
        assert_eq!(found.since, Timestamp::from_secs(31));
        assert_eq!(found.new, found.old);
        assert_eq!(found.new, SplitCounts { n: 1500, bad: 450 });
    }
}
