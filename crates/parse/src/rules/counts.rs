//! What rules did, in numbers.

use serde::Serialize;

use super::Rules;

/// Counts of all rules. Every thread may have its own and add it to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub(super) parse: Vec<ParseCount>,
    /// By rule and detector.
    pub(super) redact: Vec<Vec<u64>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ParseCount {
    pub(super) parsed: u64,
    pub(super) failed: u64,
    pub(super) quarantined: u64,
}

/// One number, as a metric wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counter<'r> {
    /// `parse` or `redact`.
    pub kind: &'static str,
    /// The rule's name.
    pub rule: &'r str,
    /// `parsed`, `failed`, `quarantined`, or the name of a detector.
    pub what: &'static str,
    /// How often.
    pub count: u64,
}

impl Counts {
    /// Adds the counts of the same rules.
    pub fn add(&mut self, other: &Counts) {
        for (sum, more) in self.parse.iter_mut().zip(&other.parse) {
            sum.parsed += more.parsed;
            sum.failed += more.failed;
            sum.quarantined += more.quarantined;
        }
        for (sums, more) in self.redact.iter_mut().zip(&other.redact) {
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
    }
}

impl Rules {
    /// Counts for [`Rules::apply`], all zero.
    pub fn counts(&self) -> Counts {
        Counts {
            parse: vec![ParseCount::default(); self.parse.len()],
            redact: self.redact.iter().map(|rule| vec![0; rule.detectors.len()]).collect(),
        }
    }

    /// The counts with their names, zeros included.
    pub fn counters<'r>(&'r self, counts: &Counts) -> Vec<Counter<'r>> {
        let mut counters = Vec::new();
        for (rule, count) in self.parse.iter().zip(&counts.parse) {
            let of = [("parsed", count.parsed), ("failed", count.failed), ("quarantined", count.quarantined)];
            counters.extend(of.map(|(what, count)| Counter { kind: "parse", rule: &rule.name, what, count }));
        }
        for (rule, counts) in self.redact.iter().zip(&counts.redact) {
            let of = rule.detectors.iter().zip(counts);
            counters.extend(of.map(|(what, count)| Counter { kind: "redact", rule: &rule.name, what, count: *count }));
        }
        counters
    }
}
