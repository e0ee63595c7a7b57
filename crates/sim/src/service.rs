//! The service that is released, as it is on a quiet day: endpoints, latencies, errors, instances, memory.

use rand::Rng;
use serde::Serialize;

/// Endpoints of every simulated service.
pub const ENDPOINTS: usize = 4;

/// One endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    /// Its part of all requests; the parts of a service sum to 1.
    pub weight: f64,
    /// Natural logarithm of the median latency in seconds.
    pub latency_mu: f64,
    /// Standard deviation of the logarithm of the latency.
    pub latency_sigma: f64,
    /// Part of the requests that are in the slow tail.
    pub tail_share: f64,
    /// How many times slower the tail is.
    pub tail_factor: f64,
    /// Probability that a request fails on a quiet day.
    pub error: f64,
    /// Whether it calls the dependency.
    pub depends: bool,
}

/// What is the same in every second of a trace, whatever is released.
#[derive(Clone, Debug, Serialize)]
pub struct Service {
    /// Requests a second when the release starts, before any shift.
    pub rate: f64,
    /// Its endpoints.
    pub endpoints: [Endpoint; ENDPOINTS],
    /// Running instances.
    pub instances: u32,
    /// Shape of the gamma distribution that multiplies the error rate of each minute: errors come in bursts, not evenly.
    pub burst_shape: f64,
    /// Standard deviation of the logarithm of each minute's latency.
    pub latency_noise: f64,
    /// Standard deviation of the logarithm of each minute's arrivals.
    pub arrival_noise: f64,
    /// Amplitude of the daily wave, as a part of the mean.
    pub day_amplitude: f64,
    /// Where in the day the trace begins, in radians.
    pub day_phase: f64,
    /// How latency follows load: latency is multiplied by load to this power.
    pub load_exponent: f64,
    /// Memory in use of a warm instance, as a part of the limit.
    pub memory: f64,
    /// How often each of the rare error patterns is logged, per hour, by the whole service.
    pub rare_patterns_per_hour: [f64; 3],
}

impl Service {
    /// A service of a number of requests per second, everything else by chance.
    pub(crate) fn draw(rng: &mut impl Rng, rate: f64) -> Self {
        let raw: [f64; ENDPOINTS] = std::array::from_fn(|_| rng.random_range(0.1..1.0));
        let sum: f64 = raw.iter().sum();
        // 0.05 % to 1 %, each order of magnitude alike.
        let error = log_uniform(rng, 0.000_5, 0.01);
        let mut endpoints: [Endpoint; ENDPOINTS] = std::array::from_fn(|index| Endpoint {
            weight: raw[index] / sum,
            latency_mu: log_uniform(rng, 0.008, 0.25).ln(),
            latency_sigma: rng.random_range(0.35..0.8),
            tail_share: rng.random_range(0.005..0.03),
            tail_factor: log_uniform(rng, 3.0, 12.0),
            error: error * log_uniform(rng, 0.3, 3.0),
            depends: rng.random_bool(0.6),
        });
        // The draws around the mean must not move the service's own rate out of its range.
        let mean: f64 = endpoints.iter().map(|endpoint| endpoint.weight * endpoint.error).sum();
        for endpoint in &mut endpoints {
            endpoint.error *= error / mean;
        }
        endpoints[0].depends = true;
        Self {
            rate,
            endpoints,
            instances: rng.random_range(3..=10),
            burst_shape: rng.random_range(6.0..30.0),
            latency_noise: rng.random_range(0.01..0.05),
            arrival_noise: rng.random_range(0.02..0.08),
            day_amplitude: rng.random_range(0.2..0.6),
            day_phase: rng.random_range(0.0..std::f64::consts::TAU),
            load_exponent: rng.random_range(0.0..0.15),
            memory: rng.random_range(0.35..0.6),
            rare_patterns_per_hour: std::array::from_fn(|_| log_uniform(rng, 0.2, 4.0)),
        }
    }

    /// The error rate of the whole service on a quiet day.
    pub fn error(&self) -> f64 {
        self.endpoints.iter().map(|endpoint| endpoint.weight * endpoint.error).sum()
    }
}

/// A number between two, each ratio alike.
pub(crate) fn log_uniform(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    (rng.random_range(low.ln()..high.ln())).exp()
}
