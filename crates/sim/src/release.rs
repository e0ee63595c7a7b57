//! A seeded release: the service, the truth, and what happens beside it.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::confound::{Confounder, Confounding};
use crate::fault::{BAD_KINDS, Fault, Kind};
use crate::rollout::Rollout;
use crate::service::Service;
use crate::telemetry::{Gap, Source, Version};
use crate::time::{END_S, START_S};

/// Seconds that both versions must run side by side, with the fault at work, to tell two changes of one service apart.
pub const OVERLAP_MIN_S: u32 = 30;

/// Streams of random numbers below this are for the parts of a release; the others belong to seconds and minutes.
const PART_SERVICE: u64 = 1;
const PART_ROLLOUT: u64 = 2;
const PART_FAULT: u64 = 3;
const PART_CONFOUNDER: u64 = 4;
const PART_CONFOUNDING: u64 = 5;

/// A release. The same set, index and rate give the same release, and the same trace, bit by bit.
#[derive(Clone, Debug, Serialize)]
pub struct Release {
    /// The key of its random numbers.
    pub seed: u64,
    /// Its place in its set.
    pub index: u32,
    /// The service.
    pub service: Service,
    /// How it is rolled out.
    pub rollout: Rollout,
    /// The truth.
    pub fault: Fault,
    /// What happens beside it.
    pub confounding: Confounding,
}

impl Release {
    /// The release of an index in a set of seeds. The rate only scales traffic: everything else is the same at each rate.
    pub fn new(set: u64, index: u32, rate: f64, kind: Kind) -> Self {
        Self::with_confounder(set, index, rate, kind, None)
    }

    /// The same with a given confounder instead of one by chance.
    pub fn with_confounder(set: u64, index: u32, rate: f64, kind: Kind, confounder: Option<Confounder>) -> Self {
        let seed = set.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(index);
        let part = |stream| generator(seed, stream);
        let service = Service::draw(&mut part(PART_SERVICE), rate);
        let rollout = Rollout::draw(&mut part(PART_ROLLOUT), service.instances);
        let fault = Fault::draw(&mut part(PART_FAULT), kind, &service, &rollout);
        let drawn = Confounder::draw(&mut part(PART_CONFOUNDER));
        let confounder = confounder.unwrap_or(drawn);
        let confounding = Confounding::draw(&mut part(PART_CONFOUNDING), confounder, kind == Kind::Good, &rollout);
        Self { seed, index, service, rollout, fault, confounding }
    }

    /// The release of an index in a mixed set: every second one is good, the others are of each bad kind in turn; confounders by
    /// chance.
    pub fn of_set(set: u64, index: u32, rate: f64) -> Self {
        Self::new(set, index, rate, Self::kind_of(index))
    }

    /// The kind of an index in a mixed set.
    pub fn kind_of(index: u32) -> Kind {
        if index.is_multiple_of(2) { Kind::Good } else { BAD_KINDS[index as usize / 2 % BAD_KINDS.len()] }
    }

    /// Whether it is good. What happens beside a good release does not make it bad.
    pub fn is_good(&self) -> bool {
        self.fault.kind == Kind::Good
    }

    /// Whether what can be seen of a bad release can ever convict it. It can not when the new version never shows telemetry, and
    /// when the same service was changed twice and the fault never shows while both versions run: then holding is right.
    pub fn is_decidable(&self) -> bool {
        let never_seen = self.confounding.delivery.gap.is_some_and(|gap| gap.new_only && gap.until_s >= END_S);
        let twice = self.confounding.other.is_some_and(|other| !other.of_dependency);
        let first_hurt = (START_S..END_S).find(|second| {
            let hurt = self.fault.hurt(&self.service, *second);
            hurt.fail.iter().chain(&hurt.log_only).any(|part| *part > 0.0)
                || hurt.latency.iter().any(|part| *part > 1.0)
        });
        let overlap = self.rollout.finished_s().saturating_sub(first_hurt.unwrap_or(END_S));
        !never_seen && (!twice || overlap >= OVERLAP_MIN_S)
    }

    /// Whether for the last `seconds` before `second` every one of some sources was silent about the new version.
    pub fn was_blind(&self, sources: &[Source], second: u32, seconds: u32) -> bool {
        let silent = |gap: Gap, source| gap.concerns(source, Version::New);
        self.confounding.delivery.gap.is_some_and(|gap| {
            sources.iter().all(|source| silent(gap, *source)) && gap.from_s + seconds <= second && second <= gap.until_s
        })
    }
}

/// Random numbers of one part of a release. ChaCha8 with a stream for each part, second and minute: what is drawn in a second
/// does not depend on what was drawn before, so that a trace can be continued another way from any second.
pub(crate) fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}
