//! Likelihood ratios of counts: how many of `n` went wrong.

/// How many happened, and how many of them went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// How many happened.
    pub n: f64,
    /// How many of them went wrong.
    pub bad: f64,
}

impl Counts {
    /// The share that went wrong; 0 of none.
    pub fn rate(&self) -> f64 {
        if self.n > 0.0 { self.bad / self.n } else { 0.0 }
    }

    /// Adds others.
    pub fn add(&mut self, other: Counts) {
        self.n += other.n;
        self.bad += other.bad;
    }

    /// Lets the past count less.
    pub(crate) fn fade(&mut self, factor: f64) {
        self.n *= factor;
        self.bad *= factor;
    }

    fn log_likelihood(&self, rate: f64) -> f64 {
        self.bad * rate.ln() + (self.n - self.bad) * (1.0 - rate).ln()
    }
}

/// How much larger the share of failures may be in a changed version: the alternatives that are tried, in shares.
pub const HARMS: [f64; 9] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8];

/// How likely each of [`HARMS`] is taken to be.
pub(crate) const HARM_WEIGHTS: [f64; 9] = [0.03, 0.07, 0.12, 0.2, 0.2, 0.16, 0.12, 0.06, 0.04];

/// A rate, away from 0 and 1, so that logarithms exist.
pub(crate) fn inside(rate: f64) -> f64 {
    rate.clamp(1e-6, 1.0 - 1e-6)
}

/// The logarithm of an e-value that two versions differ, the new one failing by `harm` more often: counts of the same moment
/// under a guess `rate` of the old version's rate that was made before.
///
/// The denominator is the mean of both rates weighted by the counts. Its expectation is at most 1 whatever the common rate is,
/// by the inequality of arithmetic and geometric means (Turner, Ly and Grünwald 2024, "Generic E-variables for exact sequential
/// k-sample tests"): so an outage that hits both versions alike proves nothing against either.
pub(crate) fn split_log(old: Counts, new: Counts, rate: f64, harm: f64) -> f64 {
    let n = old.n + new.n;
    if old.n <= 0.0 || new.n <= 0.0 {
        return 0.0;
    }
    let (old_rate, new_rate) = (inside(rate), inside(rate + harm));
    let mean = (old.n * old_rate + new.n * new_rate) / n;
    old.log_likelihood(old_rate) - old.log_likelihood(mean) + new.log_likelihood(new_rate) - new.log_likelihood(mean)
}

/// The logarithm of an e-value that the rate is above `ceiling`, at `ceiling + harm`. Its expectation is at most 1 for every rate up
/// to the ceiling, because the ratio grows with each failure.
pub(crate) fn above_log(counts: Counts, ceiling: f64, harm: f64) -> f64 {
    if counts.n <= 0.0 {
        return 0.0;
    }
    let (null, alternative) = (inside(ceiling), inside(ceiling + harm));
    counts.log_likelihood(alternative) - counts.log_likelihood(null)
}

/// An interval around the difference of two rates that holds at any stopping time: the mixture SPRT's confidence sequence for a normal
/// difference (Johari, Koomen, Pekelis and Walsh 2017, section 3), `spread` being how large differences usually are. Gives the
/// difference, and its lower and upper end.
pub fn difference(old: Counts, new: Counts, alpha: f64, spread: f64) -> (f64, f64, f64) {
    let smoothed = |counts: Counts| (counts.bad + 0.5) / (counts.n + 1.0);
    let variance = |counts: Counts| smoothed(counts) * (1.0 - smoothed(counts)) / counts.n.max(1.0);
    let found = new.rate() - old.rate();
    let (v, t) = (variance(old) + variance(new), spread * spread);
    let radius = (v * (v + t) / t * (2.0 * (1.0 / alpha).ln() + ((v + t) / v).ln())).sqrt();
    (found, found - radius, found + radius)
}
