//! What a monitoring system has at a moment: late, with holes, and never the future.

use model::Timestamp;
use serde::Serialize;

use crate::counts::Counts;
use crate::pattern::PATTERNS;
use crate::release::Release;
use crate::service::ENDPOINTS;
use crate::telemetry::{LAG_S, SCRAPE_S, Source, Version};
use crate::time::{START_S, second, timestamp};
use crate::trace::Trace;

/// A change, as far as it is known at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeSeen {
    /// Which.
    pub what: Changed,
    /// When it started.
    pub started_at: Timestamp,
    /// The steps so far: when, and which part of the traffic the new version got.
    pub stages: Vec<(Timestamp, f64)>,
    /// When all traffic was on the new version, once it is.
    pub finished_at: Option<Timestamp>,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// The release that is watched: a new version of the service.
    Release,
    /// The same service's configuration; all instances of both versions take it.
    OwnConfig,
    /// The dependency.
    Dependency,
}

/// A service beside the one that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Neighbour {
    /// The dependency that some endpoints call. A third party's shows nothing.
    Dependency = 0,
    /// Another service that calls the same dependency.
    Peer = 1,
}

/// The monitoring system at a moment.
#[derive(Clone, Copy)]
pub struct TelemetryView<'a> {
    release: &'a Release,
    trace: &'a Trace,
    arrived: &'a [u32],
    now_s: u32,
}

impl<'a> TelemetryView<'a> {
    pub(crate) fn new(release: &'a Release, trace: &'a Trace, arrived: &'a [u32], now_s: u32) -> Self {
        Self { release, trace, arrived, now_s }
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        timestamp(self.now_s)
    }

    /// Changes that were reported so far, the watched release first.
    pub fn changes(&self) -> Vec<ChangeSeen> {
        let stages = self.stages();
        let finished = stages.last().filter(|(_, share)| *share >= 1.0).map(|(at, _)| timestamp(*at));
        let mut changes = vec![ChangeSeen {
            what: Changed::Release,
            started_at: timestamp(START_S),
            stages: stages.into_iter().map(|(at, share)| (timestamp(at), share)).collect(),
            finished_at: finished,
        }];
        changes.extend(self.release.confounding.other.filter(|other| other.at_s + LAG_S <= self.now_s).map(|other| {
            ChangeSeen {
                what: if other.of_dependency { Changed::Dependency } else { Changed::OwnConfig },
                started_at: timestamp(other.at_s),
                stages: Vec::new(),
                finished_at: Some(timestamp(other.at_s)),
            }
        }));
        changes
    }

    /// What the traffic did, whoever routed it: a step whenever the new version's part changed.
    fn stages(&self) -> Vec<(u32, f64)> {
        let mut stages = Vec::new();
        let mut before = 0.0;
        for (index, share) in self.trace.share.iter().enumerate().skip(START_S as usize) {
            if index as u32 + LAG_S > self.now_s {
                break;
            }
            if *share != before {
                stages.push((index as u32, *share));
                before = *share;
            }
        }
        stages
    }

    /// Everything that happened before has arrived, apart from what never will.
    pub fn arrived(&self) -> Timestamp {
        timestamp(self.arrived_s())
    }

    /// Whether a version ran in the second before a time, and its records of that second have arrived.
    pub fn recorded(&self, version: Version, at: Timestamp) -> bool {
        let Some(second) = second(at).checked_sub(1) else { return false };
        let silent = self.release.confounding.delivery.silent(Source::Records, version, second);
        second < self.arrived_s() && self.runs(version, second) && !silent
    }

    /// Seconds from the beginning of the trace that have arrived.
    fn arrived_s(&self) -> u32 {
        self.arrived[self.now_s as usize].min(self.trace.share.len() as u32)
    }

    /// Whether a version has an instance that can be scraped.
    fn runs(&self, version: Version, at_s: u32) -> bool {
        let share = self.trace.share.get(at_s as usize).copied().unwrap_or(0.0);
        match version {
            Version::Old => share < 1.0,
            Version::New => share > 0.0,
        }
    }

    /// Whether there is a sample of a version's metrics from a scrape at a second, and it has arrived.
    fn scraped(&self, version: Version, at_s: u32) -> bool {
        at_s <= self.arrived_s()
            && self.runs(version, at_s)
            && !self.release.confounding.delivery.silent(Source::Metrics, version, at_s)
    }

    /// The scrapes that a version has in a range, both ends included, newest first.
    fn scrapes(&self, version: Version, from_s: u32, to_s: u32) -> impl Iterator<Item = u32> + '_ {
        let last = to_s.min(self.arrived_s()) / SCRAPE_S;
        let first = from_s.div_ceil(SCRAPE_S);
        (first..=last).rev().map(|number| number * SCRAPE_S).filter(move |at| self.scraped(version, *at))
    }

    fn sum(&self, version: Version, endpoint: Option<usize>, at_s: u32) -> Counts {
        let cells = &self.trace.sums[at_s as usize].counts[version as usize];
        match endpoint {
            Some(endpoint) => cells.get(endpoint).copied().unwrap_or_default(),
            None => cells.iter().fold(Counts::default(), |mut sum, counts| {
                sum += *counts;
                sum
            }),
        }
    }

    /// Endpoints of the service.
    pub fn endpoints(&self) -> usize {
        ENDPOINTS
    }

    /// How much a version's counters rose between the first and the last of its samples in a range, both ends included: PromQL's
    /// `increase` without extrapolation. Nothing when there are fewer than two samples.
    pub fn increase(
        &self,
        version: Version,
        endpoint: Option<usize>,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<Counts> {
        let mut scrapes = self.scrapes(version, second(from), second(to));
        let newest = scrapes.next()?;
        let oldest = scrapes.last()?;
        Some(self.sum(version, endpoint, newest) - self.sum(version, endpoint, oldest))
    }

    /// The same between the two newest samples of the range: PromQL's `irate`.
    pub fn instant_increase(&self, version: Version, from: Timestamp, to: Timestamp) -> Option<Counts> {
        let mut scrapes = self.scrapes(version, second(from), second(to));
        let (newest, before) = (scrapes.next()?, scrapes.next()?);
        Some(self.sum(version, None, newest) - self.sum(version, None, before))
    }

    /// The time of a version's newest sample of metrics.
    pub fn newest_scrape(&self, version: Version) -> Option<Timestamp> {
        self.scrapes(version, 0, self.now_s).next().map(timestamp)
    }

    /// The parts of a range of whole seconds in which records were not lost, cut to what has arrived.
    fn heard(&self, version: Version, from_s: u32, to_s: u32) -> [(u32, u32); 2] {
        let to_s = to_s.min(self.arrived_s());
        let from_s = from_s.min(to_s);
        let gap = self.release.confounding.delivery.gap.filter(|gap| gap.concerns(Source::Records, version));
        match gap {
            None => [(from_s, to_s), (to_s, to_s)],
            Some(gap) => [(from_s, to_s.min(gap.from_s).max(from_s)), (from_s.max(gap.until_s).min(to_s), to_s)],
        }
    }

    /// Requests of a version by its records, from one time until before another, as far as they have arrived.
    pub fn records(&self, version: Version, endpoint: Option<usize>, from: Timestamp, to: Timestamp) -> Counts {
        let mut counts = Counts::default();
        for (from_s, to_s) in self.heard(version, second(from), second(to)) {
            counts += self.sum(version, endpoint, to_s) - self.sum(version, endpoint, from_s);
        }
        counts
    }

    /// The time after the newest second in which a version's records show a request.
    pub fn newest_record(&self, version: Version) -> Option<Timestamp> {
        let requests = |at_s: u32| self.sum(version, None, at_s).requests;
        for (from_s, to_s) in self.heard(version, 0, self.now_s).into_iter().rev() {
            let total = requests(to_s);
            if total > requests(from_s) {
                let (mut low, mut high) = (from_s, to_s);
                while high - low > 1 {
                    let middle = low.midpoint(high);
                    if requests(middle) == total { high = middle } else { low = middle }
                }
                return Some(timestamp(high));
            }
        }
        None
    }

    /// Log lines of a version by template, from one time until before another.
    pub fn patterns(&self, version: Version, from: Timestamp, to: Timestamp) -> [u32; PATTERNS.len()] {
        let mut lines = [0; PATTERNS.len()];
        for (from_s, to_s) in self.heard(version, second(from), second(to)) {
            let [after, before] = [to_s, from_s].map(|at| &self.trace.sums[at as usize].patterns[version as usize]);
            lines.iter_mut().enumerate().for_each(|(index, sum)| *sum += after[index] - before[index]);
        }
        lines
    }

    /// Memory of a version's fullest instance as a part of the limit, at each scrape of a range, oldest first.
    pub fn memory(&self, version: Version, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, f64)> {
        let scrapes = self.scrapes(version, second(from), second(to)).filter(|at| *at > 0);
        let mut series: Vec<(Timestamp, f64)> = scrapes
            .map(|at| (timestamp(at), f64::from(self.trace.memory[at as usize - 1][version as usize])))
            .collect();
        series.reverse();
        series
    }

    /// The scrapes that a neighbour has in a range, oldest first. Neighbours are scraped as the old version is, but never end; a third
    /// party is not.
    fn neighbour_scrapes(
        &self,
        which: Neighbour,
        from_s: u32,
        to_s: u32,
    ) -> impl DoubleEndedIterator<Item = u32> + use<'a> {
        let delivery = self.release.confounding.delivery;
        let seen = which == Neighbour::Peer || self.release.confounding.dependency_seen;
        let last = to_s.min(self.arrived_s()) / SCRAPE_S;
        let scrapes = (from_s.div_ceil(SCRAPE_S)..=last).map(|number| number * SCRAPE_S);
        scrapes.filter(move |at| seen && !delivery.silent(Source::Metrics, Version::Old, *at))
    }

    /// What a neighbour served between its first and last sample in a range.
    pub fn neighbour(&self, which: Neighbour, from: Timestamp, to: Timestamp) -> Option<Counts> {
        let mut scrapes = self.neighbour_scrapes(which, second(from), second(to));
        let oldest = self.trace.sums[scrapes.next()? as usize].neighbours[which as usize];
        let newest = self.trace.sums[scrapes.next_back()? as usize].neighbours[which as usize];
        Some(newest - oldest)
    }

    /// A neighbour's counters by each sample of a range, oldest first.
    pub fn neighbour_samples(&self, which: Neighbour, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Counts)> {
        let sample = |at: u32| (timestamp(at), self.trace.sums[at as usize].neighbours[which as usize]);
        self.neighbour_scrapes(which, second(from), second(to)).map(sample).collect()
    }

    /// Probes from outside in a range: sent, failed. They do not know which version answered, and are lost with everything else.
    pub fn probes(&self, from: Timestamp, to: Timestamp) -> (u32, u32) {
        let mut probes = (0, 0);
        for (from_s, to_s) in self.heard(Version::Old, second(from), second(to)) {
            let [after, before] = [to_s, from_s].map(|at| self.trace.sums[at as usize].probes);
            probes = (probes.0 + after.0 - before.0, probes.1 + after.1 - before.1);
        }
        probes
    }
}
