//! How a release reaches the instances, and how a rollback takes it back.

use rand::Rng;
use serde::Serialize;

use crate::time::START_S;

/// How the new version replaces the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Instance by instance, in 30 to 120 seconds.
    Rolling,
    /// 10, 25, 50 and 100 % of the traffic, some minutes each.
    Canary,
    /// All at once.
    Instant,
}

/// The plan of a rollout: from which second which part of the traffic goes to the new version.
#[derive(Clone, Debug, Serialize)]
pub struct Rollout {
    /// The style.
    pub style: Style,
    /// Steps of (second, part of the traffic from then on), in order; the last part is 1.
    pub steps: Vec<(u32, f64)>,
    /// Seconds between a decision to roll back and the first request that no longer goes to the new version.
    pub rollback_delay_s: u32,
    /// Seconds that the traffic then takes to be all on the old version.
    pub rollback_drain_s: u32,
}

impl Rollout {
    pub(crate) fn draw(rng: &mut impl Rng, instances: u32) -> Self {
        let style = match rng.random_range(0..20) {
            0..12 => Style::Rolling,
            12..17 => Style::Canary,
            _ => Style::Instant,
        };
        let steps = match style {
            Style::Instant => vec![(START_S, 1.0)],
            Style::Rolling => {
                let length = rng.random_range(30..=120);
                let step =
                    |index: u32| (START_S + length * index / instances, f64::from(index + 1) / f64::from(instances));
                (0..instances).map(step).collect()
            }
            Style::Canary => {
                let mut second = START_S;
                let mut step = |part| {
                    let at = second;
                    second += rng.random_range(90..=240);
                    (at, part)
                };
                vec![step(0.10), step(0.25), step(0.50), step(1.0)]
            }
        };
        let (rollback_delay_s, rollback_drain_s) = match style {
            // A route is switched back; the other styles start instances of the old version again, or still have them.
            Style::Canary => (1, rng.random_range(1..=3)),
            Style::Rolling | Style::Instant => (rng.random_range(1..=3), rng.random_range(3..=12)),
        };
        Self { style, steps, rollback_delay_s, rollback_drain_s }
    }

    /// Part of the traffic that the plan gives to the new version in a second.
    pub fn share(&self, second: u32) -> f64 {
        let passed = self.steps.partition_point(|(from, _)| *from <= second);
        if passed == 0 { 0.0 } else { self.steps[passed - 1].1 }
    }

    /// The second from which all traffic goes to the new version.
    pub fn finished_s(&self) -> u32 {
        self.steps.last().map_or(START_S, |(second, _)| *second)
    }

    /// Part of the new version's traffic that meets an instance in its first `cold_s` seconds.
    pub(crate) fn cold_share(&self, second: u32, cold_s: u32) -> f64 {
        let now = self.share(second);
        if now == 0.0 {
            return 0.0;
        }
        let before = if second >= cold_s { self.share(second - cold_s) } else { 0.0 };
        (now - before) / now
    }

    /// How many instances of the new version start in a second.
    pub(crate) fn starts(&self, second: u32, instances: u32) -> u32 {
        let running = |share: f64| (share * f64::from(instances)).ceil() as u32;
        let before = if second == 0 { 0.0 } else { self.share(second - 1) };
        running(self.share(second)) - running(before)
    }
}
