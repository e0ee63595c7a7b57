//! What can be wrong with a release, and what it does to a request that the new version serves.

use std::fmt;

use rand::Rng;
use serde::Serialize;

use crate::rollout::Rollout;
use crate::service::{ENDPOINTS, Service, log_uniform};
use crate::time::START_S;

/// Memory above which a leaking instance hurts: collection of garbage takes over, allocations fail.
pub const MEMORY_HURTS: f64 = 0.92;
/// Seconds in which a new instance fills its caches.
const WARM_UP_S: f64 = 300.0;

/// The truth about a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nothing is wrong.
    Good,
    /// The service's error rate rises by so many tenths of a percentage point.
    Errors(u32),
    /// Latency is multiplied by so many hundredths.
    Latency(u32),
    /// So many of 1,000 requests log an error that was never logged before; some of them fail.
    Pattern(u32),
    /// Memory leaks until the instances suffer.
    Leak,
}

/// Every kind of bad release.
pub const BAD_KINDS: [Kind; 15] = [
    Kind::Errors(5),
    Kind::Errors(10),
    Kind::Errors(20),
    Kind::Errors(50),
    Kind::Errors(100),
    Kind::Errors(200),
    Kind::Latency(110),
    Kind::Latency(130),
    Kind::Latency(150),
    Kind::Latency(200),
    Kind::Latency(300),
    Kind::Pattern(2),
    Kind::Pattern(5),
    Kind::Pattern(20),
    Kind::Leak,
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Errors(tenths) => write!(f, "errors +{}", f64::from(*tenths) / 10.0),
            Self::Latency(hundredths) => write!(f, "latency x{}", f64::from(*hundredths) / 100.0),
            Self::Pattern(per_mille) => write!(f, "new pattern {} %", f64::from(*per_mille) / 10.0),
            Self::Leak => f.write_str("slow leak"),
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How the new version differs from the old one.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// The truth.
    pub kind: Kind,
    /// The only endpoint that is hit; all of them without one.
    pub endpoint: Option<usize>,
    /// The second from which the new version's requests are hit.
    pub onset_s: u32,
    /// Whether requests that the fault makes fail log a pattern of their own.
    pub logs_new_pattern: bool,
    /// Of the requests that log a new pattern ([`Kind::Pattern`]), the part that fails.
    pub pattern_fails: f64,
    /// A leak: the second at which memory reaches the limit.
    pub full_s: u32,
    /// A leak that hurts: part of the requests that fail.
    pub leak_error: f64,
    /// A leak that hurts: how many times slower requests are.
    pub leak_latency: f64,
    /// What every version changes a little, harmlessly: latency is multiplied by this.
    pub drift_latency: f64,
    /// The same for the error rate.
    pub drift_errors: f64,
    /// How much more memory the new version keeps when warm, as a part of the limit.
    pub memory_growth: f64,
    /// Part of the requests that log a harmless line that the old version does not have.
    pub harmless_pattern: f64,
}

/// What a fault does to the requests of one second that the new version serves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hurt {
    /// Probability that a request fails because of it.
    pub fail: [f64; ENDPOINTS],
    /// Probability that a request logs the new error pattern though it succeeds.
    pub log_only: [f64; ENDPOINTS],
    /// Latency is multiplied by this; 1 when nothing is wrong.
    pub latency: [f64; ENDPOINTS],
}

impl Fault {
    pub(crate) fn draw(rng: &mut impl Rng, kind: Kind, service: &Service, rollout: &Rollout) -> Self {
        let candidate = rng.random_range(0..ENDPOINTS);
        let one = rng.random_bool(0.25);
        // The size of an error fault is the service's: one endpoint must be able to carry it all.
        let carries = match kind {
            Kind::Errors(tenths) => service.endpoints[candidate].weight * 0.9 > f64::from(tenths) / 1_000.0,
            _ => true,
        };
        let delayed = rng.random_bool(0.2);
        let delay_s = rng.random_range(60..=300);
        let growth = if rng.random_bool(0.3) { rng.random_range(0.05..0.2) } else { 0.0 };
        let harmless = if rng.random_bool(0.4) { log_uniform(rng, 0.000_5, 0.5) } else { 0.0 };
        Self {
            kind,
            endpoint: (one && carries && kind != Kind::Leak).then_some(candidate),
            onset_s: if delayed && kind != Kind::Leak { rollout.finished_s() + delay_s } else { START_S },
            logs_new_pattern: rng.random_bool(0.6),
            pattern_fails: rng.random_range(0.3..0.7),
            full_s: rollout.finished_s() + rng.random_range(600..=1_500),
            leak_error: rng.random_range(0.02..0.10),
            leak_latency: rng.random_range(1.5..3.0),
            drift_latency: rng.random_range(0.95..1.04),
            drift_errors: rng.random_range(0.85..1.15),
            memory_growth: growth,
            harmless_pattern: harmless,
        }
    }

    /// Memory of the fullest instance of the new version, as a part of the limit, without its noise.
    pub fn memory(&self, service: &Service, second: u32) -> f64 {
        let age = f64::from(second.saturating_sub(START_S));
        let warm = (age / WARM_UP_S).min(1.0);
        let level = service.memory * (0.6 + 0.4 * warm) + self.memory_growth * warm;
        if self.kind != Kind::Leak {
            return level;
        }
        let room = 1.0 - service.memory - self.memory_growth;
        (level + room * age / f64::from(self.full_s - START_S)).min(1.0)
    }

    /// What it does in a second.
    pub(crate) fn hurt(&self, service: &Service, second: u32) -> Hurt {
        let mut hurt = Hurt { latency: [1.0; ENDPOINTS], ..Hurt::default() };
        if second < self.onset_s {
            return hurt;
        }
        let hit = |index: usize| self.endpoint.is_none_or(|only| only == index);
        for index in (0..ENDPOINTS).filter(|index| hit(*index)) {
            match self.kind {
                Kind::Good | Kind::Leak => {}
                Kind::Errors(tenths) => {
                    let carried = self.endpoint.map_or(1.0, |only| service.endpoints[only].weight);
                    hurt.fail[index] = f64::from(tenths) / 1_000.0 / carried;
                }
                Kind::Latency(hundredths) => hurt.latency[index] = f64::from(hundredths) / 100.0,
                Kind::Pattern(per_mille) => {
                    hurt.fail[index] = f64::from(per_mille) / 1_000.0 * self.pattern_fails;
                    hurt.log_only[index] = f64::from(per_mille) / 1_000.0 * (1.0 - self.pattern_fails);
                }
            }
        }
        if self.kind == Kind::Leak && self.memory(service, second) >= MEMORY_HURTS {
            hurt.fail = [self.leak_error; ENDPOINTS];
            hurt.latency = [self.leak_latency; ENDPOINTS];
        }
        hurt
    }
}
