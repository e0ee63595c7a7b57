//! What happens in one second: how many requests each version serves, how many fail, how long they take, what they log.
//!
//! Requests are drawn and counted, never kept. A request that fails because of the release's fault is counted apart from one
//! that would have failed anyway, which is how harm is known exactly.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, Gamma, Poisson, StandardNormal};

use crate::confound::Surroundings;
use crate::counts::{BOUNDS_S, Counts, Harm};
use crate::fault::Hurt;
use crate::pattern::{
    ACCESS, FAULT, HARMLESS, KNOWN_ERRORS, KNOWN_WARNING, PATTERNS, RARE, REJECTED, STARTUP, UPSTREAM,
};
use crate::release::{Release, generator};
use crate::service::ENDPOINTS;
use crate::telemetry::Version;
use crate::time::START_S;

/// Streams of the seconds and minutes of a trace; those of a release's parts are below.
const STREAM_SECONDS: u64 = 1 << 32;
const STREAM_MINUTES: u64 = 2 << 32;

/// Requests a second of a neighbour: the dependency, and another service that calls it.
const NEIGHBOUR_RATE: f64 = 50.0;
/// Natural logarithm of a neighbour's median latency in seconds, and its standard deviation.
const NEIGHBOUR_LATENCY: [(f64, f64); 2] = [(-3.9, 0.5), (-3.0, 0.6)];
/// Seconds between probes from outside.
pub(crate) const PROBE_S: u32 = 15;
/// Errors of a known warning: one of so many requests.
const WARNING_SHARE: f64 = 0.01;
/// Largest probability that a request fails, whatever comes together.
const FAIL_MAX: f64 = 0.98;
/// Probability that an instance of the old version takes a request with it when it stops.
const CUT_OFF: f64 = 0.3;

/// What one second adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Second {
    pub counts: [[Counts; ENDPOINTS]; 2],
    pub patterns: [[u32; PATTERNS.len()]; 2],
    pub neighbours: [Counts; 2],
    pub probes: (u32, u32),
    pub memory: [f32; 2],
    pub harm: Harm,
}

/// Noise that lasts a minute and that both versions share.
struct Minute {
    number: u32,
    arrivals: f64,
    errors: f64,
    latency: f64,
}

/// Draws the seconds of a release, in any order.
pub(crate) struct Generator<'a> {
    release: &'a Release,
    minute: Minute,
    bounds_ln: [f64; BOUNDS_S.len()],
}

/// One version's requests of one endpoint in one second.
#[derive(Clone, Copy)]
struct Batch {
    version: Version,
    endpoint: usize,
    requests: u32,
    base_error: f64,
    latency: f64,
    cold: f64,
}

impl<'a> Generator<'a> {
    pub(crate) fn new(release: &'a Release) -> Self {
        let minute = Minute { number: u32::MAX, arrivals: 1.0, errors: 1.0, latency: 1.0 };
        Self { release, minute, bounds_ln: BOUNDS_S.map(f64::ln) }
    }

    /// What happens in a second when the new version has a part of the traffic.
    pub(crate) fn second(&mut self, second: u32, share_new: f64) -> Second {
        self.enter_minute(second / 60);
        let release = self.release;
        let mut rng = generator(release.seed, STREAM_SECONDS + u64::from(second));
        let around = release.confounding.surroundings(&release.service, second);
        let hurt = release.fault.hurt(&release.service, second);
        let load = self.load(&around, second);
        let mut out = Second::default();
        // Arrivals come first: they are the same whatever a policy did.
        let arrivals: [u32; ENDPOINTS] =
            std::array::from_fn(|index| poisson(&mut rng, release.service.rate * load * around.mix[index]));
        let slower = self.minute.latency * load.powf(self.load_exponent());
        for (endpoint, requests) in arrivals.into_iter().enumerate() {
            let new = binomial(&mut rng, requests, share_new);
            let base_error = release.service.endpoints[endpoint].error * self.minute.errors;
            let latency = slower * around.latency[endpoint];
            let batch =
                Batch { version: Version::Old, endpoint, requests: requests - new, base_error, latency, cold: 0.0 };
            self.serve(&mut rng, &mut out, &around, &Hurt::none(), batch);
            let batch = Batch {
                version: Version::New,
                requests: new,
                base_error: base_error * release.fault.drift_errors,
                latency: latency * release.fault.drift_latency,
                cold: release.rollout.cold_share(second, release.confounding.cold_s),
                ..batch
            };
            self.serve(&mut rng, &mut out, &around, &hurt, batch);
        }
        self.beside_requests(&mut rng, &mut out, &around, second, share_new);
        out
    }

    fn enter_minute(&mut self, number: u32) {
        if self.minute.number == number {
            return;
        }
        let service = &self.release.service;
        let mut rng = generator(self.release.seed, STREAM_MINUTES + u64::from(number));
        let mut noise = |deviation: f64| (rng.sample::<f64, _>(StandardNormal) * deviation).exp();
        let (arrivals, latency) = (noise(service.arrival_noise), noise(service.latency_noise));
        let errors =
            Gamma::new(service.burst_shape, 1.0 / service.burst_shape).map_or(1.0, |gamma| gamma.sample(&mut rng));
        self.minute = Minute { number, arrivals, errors, latency };
    }

    /// Arrivals as a multiple of the service's rate.
    fn load(&self, around: &Surroundings, second: u32) -> f64 {
        let service = &self.release.service;
        let wave = |second: u32| {
            let angle = service.day_phase + f64::from(second) / 86_400.0 * std::f64::consts::TAU;
            1.0 + service.day_amplitude * angle.sin()
        };
        around.arrivals * self.minute.arrivals * wave(second) / wave(START_S)
    }

    /// In a steep hour latency follows load more.
    fn load_exponent(&self) -> f64 {
        let steep = if self.release.confounding.ramp == 1.0 { 0.0 } else { 0.2 };
        self.release.service.load_exponent + steep
    }

    fn serve(&self, rng: &mut ChaCha8Rng, out: &mut Second, around: &Surroundings, hurt: &Hurt, batch: Batch) {
        if batch.requests == 0 {
            return;
        }
        let Batch { version, endpoint, requests, .. } = batch;
        let fault = &self.release.fault;
        let own = binomial(rng, requests, batch.base_error.min(FAIL_MAX));
        let shared = binomial(rng, requests - own, around.errors[endpoint].min(FAIL_MAX));
        let bad = binomial(rng, requests - own - shared, hurt.fail[endpoint].min(FAIL_MAX));
        let logged = binomial(rng, requests - own - shared - bad, hurt.log_only[endpoint]);
        let counts = &mut out.counts[version as usize][endpoint];
        counts.requests += requests;
        counts.errors += own + shared + bad;
        self.latencies(rng, counts, batch, hurt.latency[endpoint]);
        let lines = &mut out.patterns[version as usize];
        lines[ACCESS] += requests;
        lines[KNOWN_WARNING] += binomial(rng, requests, WARNING_SHARE);
        lines[if around.dependency_down { UPSTREAM } else { REJECTED }] += shared;
        let bad_is_new = fault.logs_new_pattern || matches!(fault.kind, crate::fault::Kind::Pattern(_));
        let known = own + if bad_is_new { 0 } else { bad };
        lines[FAULT] += logged + if bad_is_new { bad } else { 0 };
        let first = binomial(rng, known, 0.7);
        lines[KNOWN_ERRORS] += first;
        lines[KNOWN_ERRORS + 1] += known - first;
        if version == Version::New {
            lines[HARMLESS] += binomial(rng, requests, fault.harmless_pattern);
            let slowed = hurt.latency[endpoint] > 1.0;
            out.harm.failed += bad;
            out.harm.touched += if slowed { requests } else { bad + logged };
        }
    }

    /// Draws the latency of each request of a batch; which request failed has no meaning for how long it took.
    fn latencies(&self, rng: &mut ChaCha8Rng, counts: &mut Counts, batch: Batch, hurt: f64) {
        let endpoint = &self.release.service.endpoints[batch.endpoint];
        let cold = binomial(rng, batch.requests, batch.cold);
        let mu = endpoint.latency_mu + (batch.latency * hurt).ln();
        let (tail_ln, cold_ln) = (endpoint.tail_factor.ln(), self.release.confounding.cold_factor.ln());
        let mut sum = 0.0;
        for request in 0..batch.requests {
            let tail = rng.random::<f32>() < endpoint.tail_share as f32;
            let normal: f64 = rng.sample(StandardNormal);
            let extra = if tail { tail_ln } else { 0.0 } + if request < cold { cold_ln } else { 0.0 };
            let ln = mu + endpoint.latency_sigma * normal + extra;
            counts.buckets[self.bounds_ln.partition_point(|bound| *bound < ln)] += 1;
            sum += ln.exp();
        }
        counts.latency_us += (sum * 1e6) as u64;
    }

    /// Lines of instances, memory, neighbours, probes: what no request brings.
    fn beside_requests(
        &self,
        rng: &mut ChaCha8Rng,
        out: &mut Second,
        around: &Surroundings,
        second: u32,
        share_new: f64,
    ) {
        let release = self.release;
        let started = release.rollout.starts(second, release.service.instances);
        out.patterns[Version::New as usize][STARTUP] += if share_new > 0.0 { started } else { 0 };
        for (index, per_hour) in release.service.rare_patterns_per_hour.iter().enumerate() {
            let version = usize::from(rng.random::<f64>() < share_new);
            out.patterns[version][RARE + index] += poisson(rng, per_hour / 3_600.0);
        }
        // An instance that stops takes a request with it: the old version's error, in a good release too.
        let cut = binomial(rng, if second > START_S { started } else { 0 }, CUT_OFF);
        let last = &mut out.counts[Version::Old as usize][0];
        let cut = cut.min(last.requests - last.errors);
        last.errors += cut;
        out.patterns[Version::Old as usize][KNOWN_ERRORS] += cut;
        for neighbour in &mut out.neighbours {
            let requests = poisson(rng, NEIGHBOUR_RATE);
            let errors = binomial(rng, requests, around.neighbour_errors.min(FAIL_MAX));
            *neighbour = Counts { requests, errors, ..Counts::default() };
        }
        if second.is_multiple_of(PROBE_S) {
            out.probes = (1, self.probe(rng, out));
        }
        let wobble = |rng: &mut ChaCha8Rng| rng.random_range(-0.02_f64..0.02);
        let memory = [release.service.memory, release.fault.memory(&release.service, second)];
        out.memory = memory.map(|level| (level + wobble(rng)).clamp(0.0, 1.0) as f32);
        for (neighbour, (mu, sigma)) in out.neighbours.iter_mut().zip(NEIGHBOUR_LATENCY) {
            for _ in 0..neighbour.requests {
                let normal: f64 = rng.sample(StandardNormal);
                let ln = mu + around.neighbour_latency.ln() + sigma * normal;
                neighbour.buckets[self.bounds_ln.partition_point(|bound| *bound < ln)] += 1;
                neighbour.latency_us += (ln.exp() * 1e6) as u64;
            }
        }
    }

    /// A probe asks one endpoint through the balancer, and fails as often as requests of this second do.
    fn probe(&self, rng: &mut ChaCha8Rng, out: &Second) -> u32 {
        let all = out.counts.iter().flatten();
        let (requests, errors) = all.fold((0, 0), |sum, counts| (sum.0 + counts.requests, sum.1 + counts.errors));
        if requests == 0 { 0 } else { binomial(rng, 1, f64::from(errors) / f64::from(requests)) }
    }
}

impl Hurt {
    fn none() -> Self {
        Self { latency: [1.0; ENDPOINTS], ..Self::default() }
    }
}

fn poisson(rng: &mut impl Rng, mean: f64) -> u32 {
    Poisson::new(mean).map_or(0, |poisson| poisson.sample(rng) as u32)
}

fn binomial(rng: &mut impl Rng, trials: u32, probability: f64) -> u32 {
    if trials == 0 || probability <= 0.0 {
        return 0;
    }
    if probability >= 1.0 {
        return trials;
    }
    if trials == 1 {
        return u32::from(rng.random::<f64>() < probability);
    }
    Binomial::new(u64::from(trials), probability).map_or(0, |binomial| binomial.sample(rng) as u32)
}
