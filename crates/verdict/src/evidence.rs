//! Evidence that grows with the data and may be looked at after every request: e-processes.
//!
//! An e-process is a number that is 1 at the start and whose expectation never exceeds 1 while nothing is wrong, at any time
//! at which somebody may choose to stop. By Ville's inequality it ever reaches `1 / alpha` with probability at most `alpha`:
//! the rate of false alarms holds although it is looked at all the time (Shafer 2021; Ramdas, Grünwald, Vovk and Shafer 2023,
//! "Game-theoretic statistics and safe anytime-valid inference").
//!
//! [`Detector`] is a mixture of likelihood ratios, as in the mixture SPRT (Robbins 1970; Johari and others 2017): over how large the
//! harm is, and over when it began, because a fault may come minutes after the rollout.

use model::Timestamp;

/// Most evidence that one tick may add, as a natural logarithm: failures come in bursts, and no single moment may convict. A
/// likelihood ratio that is capped is still an e-value, since it only gets smaller.
pub const TICK_LOG_MAX: f64 = 4.0;

/// Share of the prior on harm that is there from the first request on.
const PRIOR_AT_ONCE: f64 = 0.6;
/// Share of the prior on harm that begins in the first minute; what is left is spread over the horizon.
const PRIOR_FIRST_MINUTE: f64 = 0.2;
const MINUTE_S: f64 = 60.0;

/// An e-process over alternatives and beginnings.
#[derive(Clone, Debug)]
pub struct Detector {
    /// For each alternative, the logarithm of its prior.
    priors: Vec<f64>,
    /// For each alternative, the logarithm of the mixture over beginnings.
    mixtures: Vec<f64>,
    /// When the first tick began.
    start: Option<Timestamp>,
    /// How much of the prior on beginnings is spent.
    spent: f64,
    horizon_s: f64,
    /// The most that one tick may add.
    tick_max: f64,
    value: f64,
    peak: f64,
}

impl Detector {
    /// For alternatives with these weights, and harm that begins at any time within `horizon_ns`.
    pub fn new(weights: &[f64], horizon_ns: i64) -> Self {
        let sum: f64 = weights.iter().sum();
        Self {
            priors: weights.iter().map(|weight| (weight / sum).ln()).collect(),
            mixtures: vec![f64::NEG_INFINITY; weights.len()],
            start: None,
            spent: 0.0,
            horizon_s: (horizon_ns as f64 / 1e9).max(2.0 * MINUTE_S),
            tick_max: TICK_LOG_MAX,
            value: 0.0,
            peak: 0.0,
        }
    }

    /// For evidence that only holds and never convicts: one moment may be enough.
    pub(crate) fn quick(weights: &[f64], horizon_ns: i64) -> Self {
        Self { tick_max: f64::INFINITY, ..Self::new(weights, horizon_ns) }
    }

    /// Takes a tick that ends at `at`: for each alternative, the logarithm of the likelihood ratio of what was counted in it.
    pub fn push(&mut self, at: Timestamp, log_ratios: &[f64]) {
        let weight = self.weight_until(at).max(0.0);
        let entering = if weight > 0.0 { weight.ln() } else { f64::NEG_INFINITY };
        for (mixture, ratio) in self.mixtures.iter_mut().zip(log_ratios) {
            *mixture = log_add(*mixture, entering) + ratio.min(self.tick_max);
        }
        self.spent += weight;
        let rest = (1.0 - self.spent).max(0.0);
        let begun = self.priors.iter().zip(&self.mixtures).map(|(prior, mixture)| prior + mixture);
        self.value = begun.fold(if rest > 0.0 { rest.ln() } else { f64::NEG_INFINITY }, log_add);
        self.peak = self.peak.max(self.value);
    }

    /// How much of the prior on beginnings falls into the tick that ends at `at`.
    fn weight_until(&mut self, at: Timestamp) -> f64 {
        let Some(start) = self.start else {
            self.start = Some(at);
            return PRIOR_AT_ONCE;
        };
        let elapsed_s = (at.0 - start.0) as f64 / 1e9;
        let first = PRIOR_FIRST_MINUTE * (elapsed_s / MINUTE_S).clamp(0.0, 1.0);
        let later = ((elapsed_s - MINUTE_S) / (self.horizon_s - MINUTE_S)).clamp(0.0, 1.0);
        let whole = PRIOR_AT_ONCE + first + (1.0 - PRIOR_AT_ONCE - PRIOR_FIRST_MINUTE) * later;
        whole - self.spent
    }

    /// How many alternatives there are.
    pub(crate) fn alternatives(&self) -> usize {
        self.priors.len()
    }

    /// The logarithm of the e-value now.
    pub fn log_e(&self) -> f64 {
        self.value
    }

    /// The largest logarithm that it ever had.
    pub fn peak(&self) -> f64 {
        self.peak
    }

    /// Which alternative has gained the most.
    pub fn likeliest(&self) -> Option<usize> {
        let best = self.mixtures.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.filter(|(_, mixture)| mixture.is_finite()).map(|(at, _)| at)
    }

    /// Forgets what it has gathered: what it accused of was shown to have another cause. What is left of the prior stays left, so
    /// forgetting never adds evidence.
    pub fn forget(&mut self) {
        self.mixtures.fill(f64::NEG_INFINITY);
        self.value = (1.0 - self.spent).max(f64::MIN_POSITIVE).ln();
        self.peak = self.value;
    }
}

/// `ln(exp(a) + exp(b))`.
pub(crate) fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
