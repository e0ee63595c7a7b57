//! How numbers are distributed, in the buckets of OpenTelemetry's exponential histograms: as fine as a number of buckets allows.

use std::collections::BTreeMap;

/// The finest buckets: the largest scale that OpenTelemetry's data model allows.
const SCALE_MAX: i32 = 20;
/// Coarser ones hold all numbers in four buckets.
const SCALE_MIN: i32 = -10;

/// Counts of numbers by bucket.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    buckets_max: i64,
    scale: i32,
    zeros: u64,
    positive: BTreeMap<i32, u64>,
    negative: BTreeMap<i32, u64>,
}

impl Histogram {
    pub(super) fn new(buckets_max: u32) -> Self {
        let (positive, negative) = (BTreeMap::new(), BTreeMap::new());
        Self { buckets_max: i64::from(buckets_max.max(1)), scale: SCALE_MAX, zeros: 0, positive, negative }
    }

    /// Takes in a number; infinities are in no bucket.
    pub(super) fn add(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        if number == 0.0 {
            self.zeros += 1;
        } else {
            let at = index(number.abs(), self.scale);
            *if number > 0.0 { &mut self.positive } else { &mut self.negative }.entry(at).or_default() += 1;
        }
        self.coarsen();
    }

    /// Takes in the numbers of another.
    pub(super) fn absorb(&mut self, mut other: Histogram) {
        while self.scale > other.scale {
            self.halve();
        }
        while other.scale > self.scale {
            other.halve();
        }
        self.zeros += other.zeros;
        for (mine, theirs) in [(&mut self.positive, other.positive), (&mut self.negative, other.negative)] {
            theirs.into_iter().for_each(|(at, count)| *mine.entry(at).or_default() += count);
        }
        self.coarsen();
    }

    fn coarsen(&mut self) {
        while self.buckets() > self.buckets_max && self.scale > SCALE_MIN {
            self.halve();
        }
    }

    /// How many buckets there are, empty ones in between included.
    fn buckets(&self) -> i64 {
        let span = |side: &BTreeMap<i32, u64>| match (side.keys().next(), side.keys().next_back()) {
            (Some(first), Some(last)) => i64::from(*last) - i64::from(*first) + 1,
            _ => 0,
        };
        span(&self.positive) + span(&self.negative) + i64::from(self.zeros > 0)
    }

    /// Makes one bucket of two neighbours.
    fn halve(&mut self) {
        for side in [&mut self.positive, &mut self.negative] {
            let mut coarser = BTreeMap::new();
            std::mem::take(side).into_iter().for_each(|(at, count)| *coarser.entry(at >> 1).or_default() += count);
            *side = coarser;
        }
        self.scale -= 1;
    }

    /// The buckets in ascending order, as JSON.
    pub(super) fn json(&self) -> String {
        let mut buckets: Vec<(f64, f64, u64)> = Vec::new();
        let all = |side: &BTreeMap<i32, u64>| match (side.keys().next(), side.keys().next_back()) {
            (Some(first), Some(last)) => (*first..=*last).collect::<Vec<i32>>(),
            _ => Vec::new(),
        };
        for at in all(&self.negative).into_iter().rev() {
            let count = self.negative.get(&at).copied().unwrap_or(0);
            buckets.push((-bound(at + 1, self.scale), -bound(at, self.scale), count));
        }
        if self.zeros > 0 {
            buckets.push((0.0, 0.0, self.zeros));
        }
        for at in all(&self.positive) {
            let count = self.positive.get(&at).copied().unwrap_or(0);
            buckets.push((bound(at, self.scale), bound(at + 1, self.scale), count));
        }
        let one = |(from, to, count): &(f64, f64, u64)| format!("{{\"from\":{from},\"to\":{to},\"count\":{count}}}");
        format!("[{}]", buckets.iter().map(one).collect::<Vec<_>>().join(","))
    }
}

/// The lower bound of a bucket: 2^(at / 2^scale).
fn bound(at: i32, scale: i32) -> f64 {
    (f64::from(at) * f64::from(-scale).exp2()).exp2().min(f64::MAX)
}

/// The bucket of a number above zero: above its lower bound, at or below its upper one.
fn index(number: f64, scale: i32) -> i32 {
    let mut at = (number.log2() * f64::from(scale).exp2()).ceil() as i32 - 1;
    // Logarithms are rounded; the bounds decide.
    while number <= bound(at, scale) {
        at -= 1;
    }
    while number > bound(at + 1, scale) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(buckets: u32, numbers: &[f64]) -> Histogram {
        let mut histogram = Histogram::new(buckets);
        numbers.iter().for_each(|number| histogram.add(*number));
        histogram
    }

    #[test]
    fn buckets_are_as_fine_as_their_number_allows() {
        assert_eq!(
            of(4, &[1.0, 2.0, 4.0, 8.0]).json(),
            r#"[{"from":0.5,"to":1,"count":1},{"from":1,"to":2,"count":1},{"from":2,"to":4,"count":1},{"from":4,"to":8,"count":1}]"#
        );
        assert_eq!(of(4, &[]).json(), "[]");
        assert_eq!(of(3, &[-3.0, 0.0, 3.0]).buckets(), 3);
        assert_eq!(of(1, &[1e-300, 1e300]).buckets(), 2, "coarser there is not");
    }

    #[test]
    fn two_halves_are_the_whole() {
        let numbers: Vec<f64> = (1..500).map(|n| f64::from(n * n % 977) - 200.0).collect();
        let mut halves = of(20, &numbers[..250]);
        halves.absorb(of(20, &numbers[250..]));
        assert_eq!(halves.json(), of(20, &numbers).json());
    }
}
