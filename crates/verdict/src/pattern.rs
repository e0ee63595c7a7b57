//! Error lines of a kind that was not there before.

use std::collections::BTreeMap;

use crate::block::{Block, Role};
use crate::comparison::Beside;
use crate::evidence::Detector;
use crate::rates::{Counts, above_log};

/// Most patterns that are watched; a version that brings more is judged by these.
pub const PATTERNS_MAX: usize = 200;
/// A pattern that fewer than this share of requests bring is not harm that is worth a rollback.
pub const PATTERN_RATE_MIN: f64 = 0.000_5;
/// How much more often a pattern may come than the time before had it.
const USUAL_FACTOR: f64 = 3.0;
/// How often a changed version may bring a pattern: the alternatives that are tried, per request above the usual.
const RISES: [f64; 7] = [0.001, 0.002, 0.005, 0.01, 0.03, 0.1, 0.3];

/// A pattern that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// The evidence.
    pub detector: Detector,
    /// Lines of the new version.
    pub new: f64,
    /// Lines of the old version meanwhile.
    pub old: f64,
    /// Requests and lines of both versions since the new one's first line.
    pub beside: Beside,
    /// What is added to the threshold because so many patterns are looked at.
    pub penalty: f64,
    /// How often it came before, per request.
    pub usual: f64,
}

/// The patterns of a watch.
#[derive(Clone, Debug)]
pub(crate) struct Patterns {
    usual: BTreeMap<String, f64>,
    requests: f64,
    watched: BTreeMap<String, Watched>,
    old_requests: f64,
    new_requests: f64,
    horizon_ns: i64,
}

impl Patterns {
    /// With how often each pattern came in `requests` requests of the time before.
    pub(crate) fn new(usual: BTreeMap<String, f64>, requests: f64, horizon_ns: i64) -> Self {
        let watched = BTreeMap::new();
        Self { usual, requests, watched, old_requests: 0.0, new_requests: 0.0, horizon_ns }
    }

    /// Takes a block.
    pub(crate) fn push(&mut self, block: &Block) {
        let (old, new) = (block.requests(Role::Old).n, block.requests(Role::New).n);
        self.old_requests += old;
        self.new_requests += new;
        for ((role, pattern), count) in &block.patterns {
            if let Some(watched) = self.watched(pattern) {
                *(if *role == Role::New { &mut watched.new } else { &mut watched.old }) += count;
            }
        }
        let patterns: Vec<String> = self.watched.keys().cloned().collect();
        for pattern in patterns {
            let lines = |role| block.patterns.get(&(role, pattern.clone())).copied().unwrap_or(0.0);
            let (count, old_count) = (lines(Role::New), lines(Role::Old));
            let requests = new.max(count);
            let Some(watched) = self.watched.get_mut(&pattern) else { continue };
            watched.beside.add(Counts { n: old, bad: old_count }, Counts { n: requests, bad: count });
            if requests > 0.0 {
                let counts = Counts { n: requests, bad: count };
                let ratios = RISES.map(|rise| above_log(counts, watched.usual, rise));
                watched.detector.push(block.until, &ratios);
            }
        }
    }

    fn watched(&mut self, pattern: &str) -> Option<&mut Watched> {
        if !self.watched.contains_key(pattern) {
            if self.watched.len() >= PATTERNS_MAX {
                return None;
            }
            // The k-th pattern gets 1 / (k (k + 1)) of the error budget: in all, however many there are, no more than the whole.
            let place = self.watched.len() as f64 + 1.0;
            let seen = self.usual.get(pattern).copied().unwrap_or(0.0);
            let usual = (USUAL_FACTOR * seen.max(1.0) / self.requests.max(1.0)).max(PATTERN_RATE_MIN);
            let detector = Detector::new(&[1.0; RISES.len()], self.horizon_ns);
            let watched = Watched {
                detector,
                new: 0.0,
                old: 0.0,
                beside: Beside::default(),
                penalty: (place * (place + 1.0)).ln(),
                usual,
            };
            self.watched.insert(pattern.to_owned(), watched);
        }
        self.watched.get_mut(pattern)
    }

    /// The pattern with the strongest evidence beyond its own threshold's addition.
    pub(crate) fn strongest(&self) -> Option<(&str, &Watched)> {
        let strength = |watched: &Watched| watched.detector.log_e() - watched.penalty;
        let found = self.watched.iter().max_by(|a, b| strength(a.1).total_cmp(&strength(b.1)));
        found.map(|(pattern, watched)| (pattern.as_str(), watched))
    }

    /// Whether the old version brings it as often.
    pub(crate) fn alike(&self, watched: &Watched) -> bool {
        let old_rate = watched.old / self.old_requests.max(1.0);
        let new_rate = watched.new / self.new_requests.max(1.0);
        watched.old >= 2.0 && old_rate * 3.0 >= new_rate
    }

    /// How often it comes in the new version, per request.
    pub(crate) fn rate(&self, watched: &Watched) -> f64 {
        watched.new / self.new_requests.max(1.0)
    }

    /// Requests of the new version.
    pub(crate) fn new_requests(&self) -> f64 {
        self.new_requests
    }

    /// Lets go of all evidence: there was another cause.
    pub(crate) fn forget(&mut self) {
        self.watched.values_mut().for_each(|watched| watched.detector.forget());
    }
}
