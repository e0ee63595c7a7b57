//! How what happened reaches the monitoring system: with what delay, and with what holes.
//!
//! Two sources carry the same requests. **Metrics** are cumulative counters that are scraped: after a hole the counter has gone on,
//! so that only the shape of the hole is lost. **Records** (access log lines) stream: what happened in a hole is lost.

use serde::Serialize;

use crate::time::END_S;

/// Seconds between scrapes of metrics. Prometheus's first configuration file says 15; 10 is common, and no policy here loses by it.
pub const SCRAPE_S: u32 = 10;
/// Seconds that a batch takes from the service to the store on a quiet day: agents send about once a second (OpenTelemetry's
/// log processor waits 1,000 ms).
pub const LAG_S: u32 = 1;

/// Which version of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// What ran before.
    Old = 0,
    /// What is released.
    New = 1,
}

/// Where telemetry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Scraped counters and gauges.
    Metrics,
    /// Streamed records.
    Records,
}

/// A hole in the telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// First second without telemetry.
    pub from_s: u32,
    /// Second after the last without.
    pub until_s: u32,
    /// Whether the old version's telemetry goes on.
    pub new_only: bool,
    /// Whether records go on.
    pub metrics_only: bool,
}

impl Gap {
    /// Whether a source of a version is silent in a second.
    pub(crate) fn silences(&self, source: Source, version: Version, second: u32) -> bool {
        self.concerns(source, version) && (self.from_s..self.until_s).contains(&second)
    }

    pub(crate) fn concerns(&self, source: Source, version: Version) -> bool {
        (version == Version::New || !self.new_only) && (source == Source::Metrics || !self.metrics_only)
    }
}

/// A time in which telemetry comes late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Late {
    /// First second that is late.
    pub from_s: u32,
    /// Second after the last.
    pub until_s: u32,
    /// By how many seconds.
    pub by_s: u32,
}

/// How telemetry is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// A hole.
    pub gap: Option<Gap>,
    /// A delay.
    pub late: Option<Late>,
}

impl Delivery {
    /// For each second of the trace, how many seconds from its beginning have arrived by then. Never falls; the order of
    /// arrival is the order of happening.
    pub(crate) fn arrived(&self) -> Vec<u32> {
        let mut arrived = vec![0; END_S as usize + 1];
        let mut last = 0;
        for second in 0..END_S {
            let late = self.late.filter(|late| (late.from_s..late.until_s).contains(&second));
            let at = second + 1 + LAG_S + late.map_or(0, |late| late.by_s);
            last = last.max(at);
            if let Some(entry) = arrived.get_mut(last as usize) {
                *entry = second + 1;
            }
        }
        let mut newest = 0;
        for entry in &mut arrived {
            newest = newest.max(*entry);
            *entry = newest;
        }
        arrived
    }

    pub(crate) fn silent(&self, source: Source, version: Version, second: u32) -> bool {
        self.gap.is_some_and(|gap| gap.silences(source, version, second))
    }
}
