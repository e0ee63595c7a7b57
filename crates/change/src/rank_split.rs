//! The version split: instances of the new and of the old version that ran side by side, at the same time and under the same
//! load, and how many requests of each failed. Nothing else tells a bad change from a bad day as surely.
//!
//! The comparison is the conditional test of two Poisson rates (Przyborowski and Wilenski, Biometrika 31, 1940): of all failures,
//! the number that the new version has is binomial, with a share that follows from the requests of each and the ratio of the
//! rates. It is exact for rare failures and cautious for frequent ones, and small samples need no correction: they decide nothing.

use serde::{Deserialize, Serialize};
use verdict::Message;

/// Level of both tests: how often chance alone makes a like change look worse, or one that is worse by [`ALIKE_RATIO`] look
/// alike. Failures come in bursts, which makes the true chance somewhat larger; hence 0.01 and not the customary 0.05.
pub const SPLIT_ALPHA: f64 = 0.01;
/// A new version that fails less than this many times as often as the old one beside it fails alike: whatever hurts users hurts
/// them with the old version too, and going back to it would not help.
pub const ALIKE_RATIO: f64 = 1.5;
/// Least requests of each version.
pub const SPLIT_REQUESTS_MIN: u64 = 20;

/// Requests and failures of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCounts {
    /// Requests.
    pub n: u64,
    /// Those of them that were bad; not above `n`.
    pub bad: u64,
}

/// What ran side by side because of a change, at the time of the alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSplit {
    /// The change, by `source/id`.
    pub change: String,
    /// Instances that have it.
    pub new: SplitCounts,
    /// Instances that do not have it yet.
    pub old: SplitCounts,
}

/// What a split says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitOutcome {
    /// There is no split.
    None,
    /// The new version fails more often than the old one beside it.
    Worse,
    /// The old version fails alike: not this change.
    Alike,
    /// There are too few requests or failures to tell.
    Undecided,
}

impl VersionSplit {
    /// Compares the versions.
    ///
    /// Worse: were both alike, the new version would have so large a share of the failures with a chance of at most
    /// [`SPLIT_ALPHA`]. Alike: did the new one fail [`ALIKE_RATIO`] times as often, its share would be so small with a chance of at
    /// most [`SPLIT_ALPHA`]; that needs failures of the old version, so a quiet old version never clears a change. Both at once, a
    /// difference that is sure and small, decides nothing.
    pub fn outcome(&self) -> SplitOutcome {
        if self.new.n.min(self.old.n) < SPLIT_REQUESTS_MIN {
            return SplitOutcome::Undecided;
        }
        match (self.ratio_is_above(1.0), self.ratio_is_below(ALIKE_RATIO)) {
            (true, false) => SplitOutcome::Worse,
            (false, true) => SplitOutcome::Alike,
            (true, true) | (false, false) => SplitOutcome::Undecided,
        }
    }

    /// The largest number of times that the new version surely fails as often as the old one, at [`SPLIT_ALPHA`]; at least 1 for
    /// one that is worse.
    pub(crate) fn ratio_at_least(&self) -> f64 {
        const HALVINGS: u32 = 60;
        let (mut low, mut high) = (0.0, 1e6);
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            if self.ratio_is_above(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// Whether chance would hardly give the new version so many of the failures if it failed `ratio` times as often.
    fn ratio_is_above(&self, ratio: f64) -> bool {
        let (new_bad, bad) = self.bad();
        binomial_at_least(new_bad, bad, self.share(ratio)) <= SPLIT_ALPHA
    }

    /// Whether chance would hardly give the new version so few of the failures if it failed `ratio` times as often.
    pub(crate) fn ratio_is_below(&self, ratio: f64) -> bool {
        let (new_bad, bad) = self.bad();
        1.0 - binomial_at_least(new_bad + 1, bad, self.share(ratio)) <= SPLIT_ALPHA
    }

    /// Failures of the new version, and of both.
    fn bad(&self) -> (u64, u64) {
        let new_bad = self.new.bad.min(self.new.n);
        (new_bad, new_bad + self.old.bad.min(self.old.n))
    }

    /// The new version's share of the failures, if it fails `ratio` times as often as the old one.
    fn share(&self, ratio: f64) -> f64 {
        let weight = self.new.n as f64 * ratio;
        weight / (weight + self.old.n as f64)
    }

    /// The numbers, for people.
    pub(crate) fn message(&self) -> Message {
        Message::SplitCounts { bad: self.new.bad, n: self.new.n, old_bad: self.old.bad, old_n: self.old.n }
    }
}

/// The chance of at least `k` successes in `n` trials of chance `p`: the regularised incomplete beta function I_p(k, n - k + 1).
fn binomial_at_least(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    incomplete_beta(k as f64, (n - k) as f64 + 1.0, p)
}

/// I_x(a, b) by its continued fraction (DLMF 8.17.22), evaluated on the side where it converges fast. About 1e-10 of relative error.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        (front * beta_fraction(a, b, x) / a).clamp(0.0, 1.0)
    } else {
        (1.0 - front * beta_fraction(b, a, 1.0 - x) / b).clamp(0.0, 1.0)
    }
}

/// The continued fraction, by Lentz's method. It needs about the square root of the larger argument in steps.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const STEPS_MAX: u32 = 100_000;
    const TINY: f64 = 1e-300;
    let nonzero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..=STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = fraction;
        for term in [even, odd] {
            d = 1.0 / nonzero(1.0 + term * d);
            c = nonzero(1.0 + term / c);
            fraction *= d * c;
        }
        if (fraction / before - 1.0).abs() < 1e-12 {
            break;
        }
    }
    fraction
}

/// The logarithm of the gamma function for x >= 1, by Stirling's series (DLMF 5.11.1) from 10 on and by recurrence below. Error below
/// 1e-12 of the value.
fn ln_gamma(x: f64) -> f64 {
    if x < 10.0 {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By adding up, in logarithms: what the fast way is held against.
    fn slow(k: u64, n: u64, p: f64) -> f64 {
        let ln_factorial = |n: u64| (1..=n).map(|i| (i as f64).ln()).sum::<f64>();
        let term = |i: u64| {
            let choose = ln_factorial(n) - ln_factorial(i) - ln_factorial(n - i);
            (choose + i as f64 * p.ln() + (n - i) as f64 * (1.0 - p).ln()).exp()
        };
        (k..=n).map(term).sum()
    }

    fn outcome(new: (u64, u64), old: (u64, u64)) -> SplitOutcome {
        let counts = |(bad, n)| SplitCounts { n, bad };
        VersionSplit { change: "ci/1".to_owned(), new: counts(new), old: counts(old) }.outcome()
    }

    #[test]
    fn binomial_tails_are_right() {
        // 0.5^10, 11 * 0.5^10, and from tables: P(X >= 15 | 20, 0.5) = 0.0207.
        assert!((binomial_at_least(10, 10, 0.5) - 0.000_976_562_5).abs() < 1e-12);
        assert!((binomial_at_least(9, 10, 0.5) - 0.010_742_187_5).abs() < 1e-12);
        assert!((binomial_at_least(15, 20, 0.5) - 0.020_694_732_7).abs() < 1e-9);
        // A million failures: half of them or more, with a half.
        let half = binomial_at_least(500_000, 1_000_000, 0.5);
        assert!((half - 0.500_398_9).abs() < 1e-6, "{half}");
    }

    #[test]
    fn worse_alike_and_too_few() {
        use SplitOutcome::{Alike, Undecided, Worse};
        let cases = [
            ((30, 600), (0, 600), Worse),
            ((6, 100), (0, 900), Worse),
            ((7, 7000), (0, 7000), Worse),
            ((100, 100), (1, 100), Worse),
            // A dependency is down: both fail.
            ((300, 600), (290, 600), Alike),
            ((20, 100), (200, 900), Undecided),
            ((40, 200), (400, 1800), Alike),
            ((0, 100), (60, 900), Alike),
            // Too few failures or requests.
            ((3, 600), (0, 600), Undecided),
            ((5, 100), (4, 100), Undecided),
            ((19, 19), (0, 1000), Undecided),
            ((0, 1000), (0, 1000), Undecided),
            // Sure and small: 2.4 % against 2.0 %.
            ((24_000, 1_000_000), (20_000, 1_000_000), Undecided),
            // An old version with few requests clears nobody.
            ((50, 1000), (1, 20), Undecided),
        ];
        for (new, old, expected) in cases {
            assert_eq!(outcome(new, old), expected, "new {new:?} old {old:?}");
        }
    }

    /// The levels hold: over all splits of failures that chance can make, the chance of a wrong word is at most
    /// [`SPLIT_ALPHA`].
    #[test]
    fn the_chance_of_a_wrong_word_is_below_the_level() {
        for (n_new, n_old, bad) in [(100u64, 900u64, 40u64), (500, 500, 12), (900, 100, 80), (50, 5000, 200)] {
            let chance = |ratio: f64, wrong: SplitOutcome| -> f64 {
                let share = n_new as f64 * ratio / (n_new as f64 * ratio + n_old as f64);
                let possible = (0..=bad).filter(|new| *new <= n_new && bad - new <= n_old);
                let said = possible.filter(|new| outcome((*new, n_new), (bad - new, n_old)) == wrong);
                said.map(|new| slow(new, bad, share) - slow(new + 1, bad, share)).sum()
            };
            assert!(chance(1.0, SplitOutcome::Worse) <= SPLIT_ALPHA + 1e-9, "{n_new} {n_old} {bad}");
            assert!(chance(ALIKE_RATIO, SplitOutcome::Alike) <= SPLIT_ALPHA + 1e-9, "{n_new} {n_old} {bad}");
            assert!(chance(5.0, SplitOutcome::Alike) <= 1e-6, "{n_new} {n_old} {bad}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_way_adds_up(n in 1u64..200, k in 0u64..200, p in 0.01f64..0.99) {
            let k = k.min(n);
            let (fast, slow) = (binomial_at_least(k, n, p), slow(k, n, p));
            prop_assert!((fast - slow).abs() < 1e-9, "{} {}", fast, slow);
        }

        /// More failures of the new version never make it look better.
        #[test]
        fn failures_of_the_new_version_never_help_it(n in 20u64..500, m in 20u64..500, a in 0u64..500, b in 0u64..500) {
            let (a, b) = (a.min(n - 1), b.min(m));
            let (before, after) = (outcome((a, n), (b, m)), outcome((a + 1, n), (b, m)));
            prop_assert!(before != SplitOutcome::Worse || after == SplitOutcome::Worse);
            prop_assert!(after != SplitOutcome::Alike || before == SplitOutcome::Alike);
        }
    }
}
