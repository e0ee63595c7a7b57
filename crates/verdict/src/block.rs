//! What was counted in a stretch of time, told apart by version and endpoint.

use std::collections::BTreeMap;

use model::Timestamp;

use crate::latency::Buckets;
use crate::rates::Counts;

/// Most strata (endpoints) that are told apart; what comes later counts together as [`REST`].
pub const STRATA_MAX: usize = 64;
/// The stratum of all that are not told apart.
pub const REST: &str = "(rest)";
/// A gap in a series, in nanoseconds, after which what had piled up is not compared: nobody knows when in the gap it happened, and
/// the other version may have had other times.
pub const GAP_MAX_NS: i64 = 20_000_000_000;
/// A side that has been silent for so many times its usual pace is no longer waited for.
const PACES: f64 = 2.5;
/// The quickest pace that is reckoned with, in nanoseconds.
const PACE_MIN_NS: f64 = 1_000_000_000.0;
/// How long a version that sent data before may be silent until a block no longer waits for it, in nanoseconds.
pub const SILENCE_MAX_NS: i64 = 20_000_000_000;

/// Which side of the change something was served by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What ran before the change.
    Old,
    /// What the change brought.
    New,
}

/// Counts of one side and one stratum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Requests, and how many of them failed.
    pub requests: Counts,
    /// Latencies by bucket, not cumulative; empty when they are not measured.
    pub buckets: Buckets,
}

/// What a stretch of time brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// When it ended.
    pub until: Timestamp,
    /// By side and stratum.
    pub cells: BTreeMap<(Role, String), Cell>,
    /// Requests to each dependency, and how many of them failed, whoever asked.
    pub dependencies: BTreeMap<String, Cell>,
    /// Error lines by pattern and side.
    pub patterns: BTreeMap<(Role, String), f64>,
    /// Probes, and how many of them failed.
    pub probes: Counts,
    /// How full each side is: the fullest instance's share of its limit, 0 to 1.
    pub fill: BTreeMap<Role, f64>,
}

impl Block {
    /// Requests of one side over all strata.
    pub fn requests(&self, role: Role) -> Counts {
        let mut sum = Counts::default();
        for ((found, _), cell) in &self.cells {
            if *found == role {
                sum.add(cell.requests);
            }
        }
        sum
    }

    /// The strata that one side or both have counts of.
    pub fn strata(&self) -> Vec<&str> {
        let mut strata: Vec<&str> = self.cells.keys().map(|(_, stratum)| stratum.as_str()).collect();
        strata.sort_unstable();
        strata.dedup();
        strata
    }

    /// The cell of a side and stratum.
    pub fn cell(&self, role: Role, stratum: &str) -> Cell {
        self.cells.get(&(role, stratum.to_owned())).cloned().unwrap_or_default()
    }
}

/// What a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Requests, by side and stratum.
    Requests(Role, String),
    /// Failed requests, by side and stratum.
    Errors(Role, String),
    /// Requests in a latency bucket (its place, not cumulative), by side and stratum.
    Bucket(Role, String, usize),
    /// Requests to a dependency.
    DependencyRequests(String),
    /// Failed requests to a dependency.
    DependencyErrors(String),
    /// Requests to a dependency in a latency bucket.
    DependencyBucket(String, usize),
    /// Error lines of a pattern, by side.
    Pattern(Role, String),
    /// Probes.
    Probes,
    /// Failed probes.
    ProbesFailed,
}

impl Part {
    fn role(&self) -> Option<Role> {
        match self {
            Self::Requests(role, _) | Self::Errors(role, _) | Self::Bucket(role, ..) => Some(*role),
            _ => None,
        }
    }
}

/// A cumulative counter as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Counter {
    /// Which series: the same every time.
    pub series: u64,
    /// What it counts.
    pub part: Part,
    /// Its value.
    pub value: f64,
    /// When it was sampled.
    pub at: Timestamp,
}

#[derive(Clone, Debug)]
struct Known {
    value: f64,
    at: Timestamp,
}

/// Turns cumulative counters into blocks.
///
/// A counter that is new since the watch began counts from 0, one that fell began anew. A block ends when every side that is alive
/// has sent something, so that both sides of a block are of the same time, however far apart their scrapes are.
#[derive(Clone, Debug)]
pub struct Counters {
    known: BTreeMap<u64, Known>,
    open: Block,
    fresh: BTreeMap<Role, bool>,
    seen: BTreeMap<Role, Timestamp>,
    /// How far apart the samples of a side are, in nanoseconds, lately.
    pace: BTreeMap<Role, f64>,
    strata: Vec<String>,
    bucket_count: usize,
    first: bool,
    left_out: f64,
}

impl Counters {
    /// `bucket_count` is how many latency buckets there are, the last included.
    pub fn new(bucket_count: usize) -> Self {
        Self {
            known: BTreeMap::new(),
            open: Block::default(),
            fresh: BTreeMap::new(),
            seen: BTreeMap::new(),
            pace: BTreeMap::new(),
            strata: Vec::new(),
            bucket_count,
            first: true,
            left_out: 0.0,
        }
    }

    /// How many requests were not compared because they arrived after a gap.
    pub fn left_out(&self) -> f64 {
        self.left_out
    }

    /// Takes the counters as they stand at `now`. The first call only sets where counting begins. Gives a block when one ends.
    pub fn advance(&mut self, now: Timestamp, counters: &[Counter], fill: &BTreeMap<Role, f64>) -> Option<Block> {
        for counter in counters {
            self.take(counter);
        }
        for (role, share) in fill {
            let kept = self.open.fill.entry(*role).or_insert(*share);
            *kept = kept.max(*share);
        }
        if std::mem::take(&mut self.first) {
            self.open = Block::default();
            self.fresh.clear();
            return None;
        }
        if !self.ends(now) {
            return None;
        }
        self.fresh.clear();
        let until = self.seen.values().max().copied().unwrap_or(now).max(self.open.until);
        Some(std::mem::replace(&mut self.open, Block { until, ..Block::default() }))
            .map(|block| Block { until, ..block })
    }

    fn ends(&self, now: Timestamp) -> bool {
        let alive = |role: &Role| {
            let pace = self.pace.get(role).copied().unwrap_or(SILENCE_MAX_NS as f64).max(PACE_MIN_NS);
            let patience = (PACES * pace).min(SILENCE_MAX_NS as f64) as i64;
            self.seen.get(role).is_some_and(|at| now.0 - at.0 <= patience)
        };
        let waited_for: Vec<Role> = [Role::Old, Role::New].into_iter().filter(alive).collect();
        !waited_for.is_empty() && waited_for.iter().all(|role| self.fresh.get(role).copied().unwrap_or(false))
    }

    fn take(&mut self, counter: &Counter) {
        let known = self.known.get(&counter.series).cloned();
        if known.as_ref().is_some_and(|known| counter.at <= known.at) {
            return;
        }
        self.known.insert(counter.series, Known { value: counter.value, at: counter.at });
        if let Some(role) = counter.part.role() {
            self.fresh.insert(role, true);
            let seen = self.seen.entry(role).or_insert(counter.at);
            let gap = counter.at.0 - seen.0;
            if gap > 0 {
                let pace = self.pace.entry(role).or_insert(gap as f64);
                *pace = 0.8 * *pace + 0.2 * gap as f64;
                *seen = counter.at;
            }
        }
        let delta = match &known {
            _ if self.first => 0.0,
            Some(known) if counter.value >= known.value => counter.value - known.value,
            _ => counter.value,
        };
        let gap = known.as_ref().is_some_and(|known| counter.at.0 - known.at.0 > GAP_MAX_NS);
        if gap && !self.first {
            self.left_out += if matches!(counter.part, Part::Requests(..)) { delta } else { 0.0 };
            return;
        }
        if delta > 0.0 {
            self.add(&counter.part, delta);
        }
    }

    fn add(&mut self, part: &Part, delta: f64) {
        match part {
            Part::Requests(role, stratum) => self.cell(*role, stratum).requests.n += delta,
            Part::Errors(role, stratum) => self.cell(*role, stratum).requests.bad += delta,
            Part::Bucket(role, stratum, at) => {
                let count = self.bucket_count;
                add_bucket(&mut self.cell(*role, stratum).buckets, count, *at, delta);
            }
            Part::DependencyRequests(name) => self.dependency(name).requests.n += delta,
            Part::DependencyErrors(name) => self.dependency(name).requests.bad += delta,
            Part::DependencyBucket(name, at) => {
                let count = self.bucket_count;
                add_bucket(&mut self.dependency(name).buckets, count, *at, delta);
            }
            Part::Pattern(role, pattern) => *self.open.patterns.entry((*role, pattern.clone())).or_default() += delta,
            Part::Probes => self.open.probes.n += delta,
            Part::ProbesFailed => self.open.probes.bad += delta,
        }
    }

    fn cell(&mut self, role: Role, stratum: &str) -> &mut Cell {
        let known = self.strata.iter().any(|known| known == stratum);
        if !known && self.strata.len() < STRATA_MAX {
            self.strata.push(stratum.to_owned());
        }
        let told_apart = known || self.strata.last().is_some_and(|last| last == stratum);
        let stratum = if told_apart { stratum } else { REST };
        self.open.cells.entry((role, stratum.to_owned())).or_default()
    }

    fn dependency(&mut self, name: &str) -> &mut Cell {
        self.open.dependencies.entry(name.to_owned()).or_default()
    }
}

fn add_bucket(buckets: &mut Buckets, count: usize, at: usize, delta: f64) {
    if buckets.len() < count {
        buckets.resize(count, 0.0);
    }
    if let Some(bucket) = buckets.get_mut(at) {
        *bucket += delta;
    }
}
