//! What happens beside a release and is not its doing.

use std::fmt;

use rand::Rng;
use serde::Serialize;

use crate::rollout::Rollout;
use crate::service::{ENDPOINTS, Service, log_uniform};
use crate::telemetry::{Delivery, Gap, Late};
use crate::time::{END_S, START_S};

/// The confounder of a release. Diurnal noise and cold instances are in every trace; the confounders of these names are strong ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confounder {
    /// Nothing.
    None,
    /// Traffic is multiplied by 0.3 to 3 and its mix of endpoints changes, at about the time of the release.
    Traffic,
    /// A dependency fails: errors and latency of both versions rise for 2 to 10 minutes.
    Dependency,
    /// No telemetry of anything for some minutes.
    MissingAll,
    /// No telemetry of the new version for some minutes, or ever.
    MissingNew,
    /// No metrics for some minutes; records go on.
    MissingMetrics,
    /// Telemetry comes 30 to 120 seconds late for some minutes.
    Late,
    /// Another change in the same window: of the dependency, or of this service's configuration.
    TwoChanges,
    /// Traffic climbs or falls steeply, and latency with it.
    Diurnal,
    /// New instances are slow for longer.
    ColdStart,
    /// Clients repeat what failed: a blip becomes minutes of overload for both versions.
    RetryStorm,
}

/// Every confounder, and of how many of 100 releases it is the one.
pub const CONFOUNDERS: [(Confounder, u32); 11] = [
    (Confounder::None, 22),
    (Confounder::Traffic, 9),
    (Confounder::Dependency, 11),
    (Confounder::MissingAll, 8),
    (Confounder::MissingNew, 6),
    (Confounder::MissingMetrics, 6),
    (Confounder::Late, 8),
    (Confounder::TwoChanges, 11),
    (Confounder::Diurnal, 6),
    (Confounder::ColdStart, 7),
    (Confounder::RetryStorm, 6),
];

impl fmt::Display for Confounder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Traffic => "traffic shift",
            Self::Dependency => "dependency outage",
            Self::MissingAll => "no telemetry",
            Self::MissingNew => "no telemetry of the new version",
            Self::MissingMetrics => "no metrics",
            Self::Late => "late telemetry",
            Self::TwoChanges => "two changes",
            Self::Diurnal => "steep hour",
            Self::ColdStart => "slow cold starts",
            Self::RetryStorm => "retry storm",
        })
    }
}

impl Confounder {
    /// Whether telemetry is missing or late.
    pub fn blinds(self) -> bool {
        matches!(self, Self::MissingAll | Self::MissingNew | Self::MissingMetrics | Self::Late)
    }

    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        let total = CONFOUNDERS.iter().map(|(_, weight)| weight).sum();
        let mut left = rng.random_range(0..total);
        for (confounder, weight) in CONFOUNDERS {
            if left < weight {
                return confounder;
            }
            left -= weight;
        }
        Self::None
    }
}

/// The other one of two changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OtherChange {
    /// Whether it is of the dependency, else of the released service itself (its configuration).
    pub of_dependency: bool,
    /// When it was made.
    pub at_s: u32,
    /// Whether it is bad.
    pub bad: bool,
}

/// A shared trouble: from, until, what it adds to the errors, what it multiplies latency and arrivals by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trouble {
    /// First second.
    pub from_s: u32,
    /// Second after the last.
    pub until_s: u32,
    /// Added to the probability that a request fails.
    pub errors: f64,
    /// Latency is multiplied by this.
    pub latency: f64,
    /// Arrivals are multiplied by this.
    pub arrivals: f64,
    /// Whether only the endpoints that call the dependency have it, and the neighbours too.
    pub of_dependency: bool,
}

/// The seeded course of the confounder of one release.
#[derive(Clone, Debug, Serialize)]
pub struct Confounding {
    /// Which one it is.
    pub confounder: Confounder,
    /// Arrivals are multiplied by this after the shift, and by a part of it while it comes.
    pub shift: f64,
    /// First second of the shift, and how long it takes to come.
    pub shift_s: (u32, u32),
    /// The mix of endpoints after the shift: each weight is multiplied, then all are normalised.
    pub mix: [f64; ENDPOINTS],
    /// Troubles that both versions have.
    pub troubles: Vec<Trouble>,
    /// The other change.
    pub other: Option<OtherChange>,
    /// Arrivals are multiplied by this within 30 minutes around the start of the release; the exponent of load then is higher.
    pub ramp: f64,
    /// Seconds for which a new instance is slow.
    pub cold_s: u32,
    /// How much slower it is.
    pub cold_factor: f64,
    /// Whether the dependency shows telemetry of its own (a third party's does not).
    pub dependency_seen: bool,
    /// How telemetry is delivered.
    pub delivery: Delivery,
}

/// What the surroundings do to both versions in a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub arrivals: f64,
    pub mix: [f64; ENDPOINTS],
    pub errors: [f64; ENDPOINTS],
    pub latency: [f64; ENDPOINTS],
    /// Probability that a request of a neighbour fails.
    pub neighbour_errors: f64,
    /// How many times longer a neighbour takes.
    pub neighbour_latency: f64,
    /// Whether errors are now from the dependency (they have a pattern of their own), else from the other change or overload.
    pub dependency_down: bool,
}

/// The error rate of the dependency and of its other callers on a quiet day.
const NEIGHBOUR_ERROR: f64 = 0.001;
/// Seconds that a configuration change takes to reach every instance.
const CONFIG_SPREAD_S: u32 = 20;

impl Confounding {
    pub(crate) fn draw(rng: &mut impl Rng, confounder: Confounder, release_is_good: bool, rollout: &Rollout) -> Self {
        let mut course = Self {
            confounder,
            shift: 1.0,
            shift_s: (END_S, 1),
            mix: [1.0; ENDPOINTS],
            troubles: Vec::new(),
            other: None,
            ramp: 1.0,
            cold_s: rng.random_range(3..=15),
            cold_factor: rng.random_range(1.2..2.5),
            dependency_seen: rng.random_bool(0.75),
            delivery: Delivery::default(),
        };
        match confounder {
            Confounder::None => {}
            Confounder::Traffic => {
                course.shift = log_uniform(rng, 0.3, 3.0);
                course.shift_s = (around(rng, 120, 120), rng.random_range(5..=60));
                course.mix = std::array::from_fn(|_| log_uniform(rng, 0.4, 2.5));
            }
            Confounder::Dependency => course.troubles.push(dependency_outage(rng)),
            Confounder::TwoChanges => course.other_change(rng, release_is_good),
            Confounder::Diurnal => {
                let ramp = rng.random_range(1.5..2.5);
                course.ramp = if rng.random_bool(0.7) { ramp } else { 1.0 / ramp };
            }
            Confounder::ColdStart => {
                course.cold_s = rng.random_range(20..=60);
                course.cold_factor = rng.random_range(3.0..5.0);
            }
            Confounder::RetryStorm => course.troubles = retry_storm(rng).to_vec(),
            Confounder::MissingAll | Confounder::MissingNew | Confounder::MissingMetrics | Confounder::Late => {
                course.delivery = delivery(rng, confounder, rollout);
            }
        }
        course
    }

    /// Of a bad release the other change is harmless, so that there is one truth; of a good one it is bad every second time.
    fn other_change(&mut self, rng: &mut impl Rng, release_is_good: bool) {
        let at_s = around(rng, 120, 300);
        let of_dependency = rng.random_bool(0.5);
        let bad = release_is_good && rng.random_bool(0.5);
        self.other = Some(OtherChange { of_dependency, at_s, bad });
        if bad {
            self.troubles.push(Trouble {
                from_s: at_s + CONFIG_SPREAD_S,
                until_s: END_S,
                errors: if rng.random_bool(0.6) { log_uniform(rng, 0.01, 0.2) } else { 0.0 },
                latency: log_uniform(rng, 1.3, 3.0),
                arrivals: 1.0,
                of_dependency,
            });
        }
    }

    /// What both versions meet in a second.
    pub(crate) fn surroundings(&self, service: &Service, second: u32) -> Surroundings {
        let mut around = Surroundings {
            arrivals: self.arrivals(second),
            mix: self.mix_at(service, second),
            errors: [0.0; ENDPOINTS],
            latency: [1.0; ENDPOINTS],
            neighbour_errors: NEIGHBOUR_ERROR,
            neighbour_latency: 1.0,
            dependency_down: false,
        };
        let now = self.troubles.iter().filter(|trouble| (trouble.from_s..trouble.until_s).contains(&second));
        for trouble in now {
            around.arrivals *= trouble.arrivals;
            for (index, endpoint) in service.endpoints.iter().enumerate() {
                if endpoint.depends || !trouble.of_dependency {
                    around.errors[index] += trouble.errors;
                    around.latency[index] *= trouble.latency;
                }
            }
            if trouble.of_dependency {
                around.neighbour_errors += trouble.errors;
                around.neighbour_latency *= trouble.latency;
                around.dependency_down = true;
            }
        }
        around
    }

    fn shifted(&self, second: u32) -> f64 {
        let (from, length) = self.shift_s;
        (f64::from(second.saturating_sub(from)) / f64::from(length)).min(1.0)
    }

    fn arrivals(&self, second: u32) -> f64 {
        let hours = ((f64::from(second) - f64::from(START_S)) / 1_800.0).clamp(-0.5, 0.5);
        self.shift.powf(self.shifted(second)) * self.ramp.powf(hours)
    }

    fn mix_at(&self, service: &Service, second: u32) -> [f64; ENDPOINTS] {
        let shifted = self.shifted(second);
        let mut mix: [f64; ENDPOINTS] =
            std::array::from_fn(|index| service.endpoints[index].weight * self.mix[index].powf(shifted));
        let sum: f64 = mix.iter().sum();
        mix.iter_mut().for_each(|part| *part /= sum);
        mix
    }
}

/// A second from `before` seconds before the start of the release to `after` seconds after it.
fn around(rng: &mut impl Rng, before: u32, after: u32) -> u32 {
    rng.random_range(START_S - before..=START_S + after)
}

fn dependency_outage(rng: &mut impl Rng) -> Trouble {
    let from_s = around(rng, 180, 300);
    Trouble {
        from_s,
        until_s: from_s + rng.random_range(120..=600),
        errors: log_uniform(rng, 0.05, 0.5),
        latency: log_uniform(rng, 1.5, 5.0),
        arrivals: 1.0,
        of_dependency: true,
    }
}

/// A short blip of the dependency, then overload by clients that repeat: errors are no longer the dependency's.
fn retry_storm(rng: &mut impl Rng) -> [Trouble; 2] {
    let from_s = around(rng, 180, 300);
    let blip_s = from_s + rng.random_range(20..=60);
    let blip = Trouble {
        from_s,
        until_s: blip_s,
        errors: rng.random_range(0.1..0.3),
        latency: rng.random_range(1.0..2.0),
        arrivals: 1.0,
        of_dependency: true,
    };
    let storm = Trouble {
        from_s: from_s + 5,
        until_s: blip_s + rng.random_range(120..=360),
        errors: rng.random_range(0.03..0.15),
        latency: rng.random_range(1.5..3.0),
        arrivals: rng.random_range(1.5..3.0),
        of_dependency: false,
    };
    [blip, storm]
}

fn delivery(rng: &mut impl Rng, confounder: Confounder, rollout: &Rollout) -> Delivery {
    let from_s = around(rng, 120, 180);
    let until_s = from_s + rng.random_range(180..=1_200);
    match confounder {
        Confounder::Late => {
            let until_s = from_s.max(START_S) + rng.random_range(300..=900);
            Delivery { gap: None, late: Some(Late { from_s, until_s, by_s: rng.random_range(30..=120) }) }
        }
        Confounder::MissingNew => {
            let forever = rng.random_bool(0.3);
            let until_s = if forever { END_S } else { rollout.finished_s().max(START_S) + rng.random_range(180..=900) };
            Delivery { gap: Some(Gap { from_s: START_S, until_s, new_only: true, metrics_only: false }), late: None }
        }
        _ => {
            let metrics_only = confounder == Confounder::MissingMetrics;
            Delivery { gap: Some(Gap { from_s, until_s, new_only: false, metrics_only }), late: None }
        }
    }
}
