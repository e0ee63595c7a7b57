//! The service catalogue: who owns a service, what it needs, what it promises, and what a watch compares after a change to it.
//!
//! Here is what a catalogue is; `catalogue_file` reads it from files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::ChangeKind;

/// Label of metrics that says which version a sample is of, unless a check names another. OpenTelemetry's `service.version`, as
/// Prometheus writes it.
pub const VERSION_LABEL_DEFAULT: &str = "service_version";

/// What stands for the window in the queries of checks and promises.
pub const WINDOW: &str = "$window";

/// The least critical tier.
pub const TIER_MAX: u8 = 5;

const MINUTE_NS: i64 = 60_000_000_000;
const HOUR_NS: i64 = 60 * MINUTE_NS;

/// Shortest bake time: shorter than a few scrapes of a metric shows nothing.
pub const BAKE_NS_MIN: i64 = MINUTE_NS;
/// Longest bake time.
pub const BAKE_NS_MAX: i64 = 30 * 24 * HOUR_NS;

/// What a check compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// Failed requests among all.
    Errors,
    /// How long requests take: a distribution, or how many of them are slow.
    Latency,
    /// How full something is, 0 to 1: processors, memory, pools, queues.
    Saturation,
    /// How often something happens, such as error lines.
    Count,
}

impl CheckKind {
    /// Every kind.
    pub const ALL: [CheckKind; 4] = [Self::Errors, Self::Latency, Self::Saturation, Self::Count];

    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Saturation => "saturation",
            Self::Count => "count",
        }
    }
}

/// The queries of a check: templates with [`WINDOW`], checked when the file is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Measure {
    /// PromQL: how many were bad, and how many there were.
    Counts {
        /// The bad ones.
        bad: String,
        /// All of them.
        total: String,
    },
    /// A log query whose rows have the columns `n` and `bad`.
    CountsInLogs {
        /// The query; it runs over the window.
        logs: String,
    },
    /// PromQL: how many fell into each bucket of a histogram, by the label `le`.
    Buckets {
        /// The buckets, cumulative as Prometheus's are.
        buckets: String,
    },
    /// PromQL: one value, or one for each version.
    Value {
        /// The value.
        expr: String,
    },
    /// A log query whose rows have the column `n`.
    ValueInLogs {
        /// The query; it runs over the window.
        logs: String,
    },
}

impl Measure {
    /// The queries for a window, in place of the templates.
    pub fn fill(&self, window_ns: i64) -> Measure {
        let fill = |text: &str| fill_window(text, window_ns);
        match self {
            Self::Counts { bad, total } => Self::Counts { bad: fill(bad), total: fill(total) },
            Self::CountsInLogs { logs } => Self::CountsInLogs { logs: fill(logs) },
            Self::Buckets { buckets } => Self::Buckets { buckets: fill(buckets) },
            Self::Value { expr } => Self::Value { expr: fill(expr) },
            Self::ValueInLogs { logs } => Self::ValueInLogs { logs: fill(logs) },
        }
    }
}

/// A template for a window, at least one millisecond: what PromQL can say.
pub fn fill_window(template: &str, window_ns: i64) -> String {
    template.replace(WINDOW, &format!("{}ms", (window_ns / 1_000_000).max(1)))
}

/// What a watch compares after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, unique in its service.
    pub name: String,
    /// What it compares.
    pub kind: CheckKind,
    /// The label or column that tells versions apart; `None` when the numbers do not say the version, as those of a database:
    /// then only before and after can be compared.
    pub version_label: Option<String>,
    /// The queries.
    #[serde(flatten)]
    pub measure: Measure,
}

/// How the share that a promise is about is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SloMeasure {
    /// PromQL with [`WINDOW`]: how many were good, and how many there were.
    Counts {
        /// The good ones.
        good: String,
        /// All of them.
        total: String,
    },
    /// PromQL with [`WINDOW`]: the share that was bad, 0 to 1.
    Ratio {
        /// The share.
        error_ratio: String,
    },
}

/// A promise: a service level objective.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slo {
    /// Its name, unique in its service.
    pub name: String,
    /// The share that must be good, in percent, between 0 and 100.
    pub objective: f64,
    /// Over how long.
    pub window_ns: i64,
    /// The queries.
    #[serde(flatten)]
    pub measure: SloMeasure,
}

/// How long a change is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BakeTimes {
    /// What the file says, by the word of the kind, in nanoseconds.
    said: BTreeMap<&'static str, i64>,
}

impl BakeTimes {
    /// Says one.
    pub(crate) fn set(&mut self, kind: ChangeKind, bake_ns: i64) {
        self.said.insert(kind.as_str(), bake_ns);
    }

    /// How long a watch on a change of this kind goes on, in nanoseconds: what the file says, or [`bake_ns_default`].
    pub fn for_kind(&self, kind: ChangeKind) -> i64 {
        self.said.get(kind.as_str()).copied().unwrap_or_else(|| bake_ns_default(kind))
    }
}

/// How long a change is watched unless its service says otherwise, in nanoseconds. A kind is watched for as long as its harm may
/// hide: a flag reaches every request within minutes, a deploy needs its caches warm and its leaks to show, and the sessions of an
/// old credential end within the hour, while a schema, data and machines meet the nightly jobs of the first day.
pub fn bake_ns_default(kind: ChangeKind) -> i64 {
    match kind {
        ChangeKind::Flag => 15 * MINUTE_NS,
        ChangeKind::Config | ChangeKind::Route | ChangeKind::Scale => 30 * MINUTE_NS,
        ChangeKind::Deploy | ChangeKind::Secret => HOUR_NS,
        ChangeKind::Schema | ChangeKind::Data | ChangeKind::Infra => 24 * HOUR_NS,
    }
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServiceEntry {
    /// Its name: what `service.name` and the target of a change say.
    pub service: String,
    /// The file that says it.
    pub file: String,
    /// Who answers for it.
    pub owners: Vec<String>,
    /// What it is, for people.
    pub description: String,
    /// How critical it is by itself, 1 the most; `None` when nobody said.
    pub tier: Option<u8>,
    /// The services that it calls or reads from.
    pub depends_on: Vec<String>,
    /// Where it runs; empty for anywhere.
    pub environments: Vec<String>,
    /// The page that says what to do.
    pub runbook: Option<String>,
    /// Other pages, by name.
    pub links: BTreeMap<String, String>,
    /// Whom to tell.
    pub receivers: Vec<String>,
    /// What it promises.
    pub slos: Vec<Slo>,
    /// What a watch compares; empty for the defaults of the watch.
    pub checks: Vec<Check>,
    /// How long changes are watched.
    pub bake: BakeTimes,
}

/// The services that the files name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    entries: BTreeMap<String, ServiceEntry>,
    dependents: BTreeMap<String, BTreeSet<String>>,
}

impl Catalogue {
    /// From entries; of two with one name the first stays.
    pub fn new(entries: impl IntoIterator<Item = ServiceEntry>) -> Self {
        let mut catalogue = Self::default();
        for entry in entries {
            if catalogue.entries.contains_key(&entry.service) {
                continue;
            }
            for dependency in &entry.depends_on {
                catalogue.dependents.entry(dependency.clone()).or_default().insert(entry.service.clone());
            }
            catalogue.entries.insert(entry.service.clone(), entry);
        }
        catalogue
    }

    /// A service by its name.
    pub fn get(&self, service: &str) -> Option<&ServiceEntry> {
        self.entries.get(service)
    }

    /// Every service, by name.
    pub fn iter(&self) -> impl Iterator<Item = &ServiceEntry> {
        self.entries.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The services that a service says it depends on, as the files say.
    pub fn dependencies(&self, service: &str) -> &[String] {
        self.get(service).map_or(&[], |entry| &entry.depends_on)
    }

    /// The services that say they depend on a service, by name.
    pub fn dependents(&self, service: &str) -> impl Iterator<Item = &str> {
        self.dependents.get(service).into_iter().flatten().map(String::as_str)
    }

    /// Who answers for a service; empty when nobody said.
    pub fn owners(&self, service: &str) -> &[String] {
        self.get(service).map_or(&[], |entry| &entry.owners)
    }

    /// How long a change to a service is watched, in nanoseconds, also for a service that no file names.
    pub fn bake_ns(&self, service: &str, kind: ChangeKind) -> i64 {
        self.get(service).map_or_else(|| bake_ns_default(kind), |entry| entry.bake.for_kind(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(service: &str, depends_on: &[&str]) -> ServiceEntry {
        let depends_on = depends_on.iter().map(|name| (*name).to_owned()).collect();
        ServiceEntry { service: service.to_owned(), depends_on, ..ServiceEntry::default() }
    }

    #[test]
    fn dependencies_are_found_from_both_ends() {
        let catalogue = Catalogue::new([entry("shop", &["cart", "payment"]), entry("cart", &["payment"])]);
        assert_eq!(catalogue.dependencies("shop"), ["cart", "payment"]);
        assert_eq!(catalogue.dependents("payment").collect::<Vec<_>>(), ["cart", "shop"]);
        assert_eq!((catalogue.dependencies("x").len(), catalogue.dependents("x").count()), (0, 0));
        assert_eq!(catalogue.owners("x").len(), 0);
    }

    #[test]
    fn every_kind_has_a_bake_time_within_the_limits() {
        for kind in ChangeKind::ALL {
            assert!((BAKE_NS_MIN..=BAKE_NS_MAX).contains(&bake_ns_default(kind)), "{}", kind.as_str());
        }
        let mut entry = entry("a", &[]);
        entry.bake.set(ChangeKind::Flag, 5 * MINUTE_NS);
        let catalogue = Catalogue::new([entry]);
        assert_eq!(catalogue.bake_ns("a", ChangeKind::Flag), 5 * MINUTE_NS);
        assert_eq!(catalogue.bake_ns("a", ChangeKind::Deploy), HOUR_NS);
        assert_eq!(catalogue.bake_ns("nobody", ChangeKind::Schema), 24 * HOUR_NS);
    }

    #[test]
    fn a_window_fills_every_template() {
        assert_eq!(
            fill_window("rate(x[$window]) / rate(y[$window])", 90_000_000_000),
            "rate(x[90000ms]) / rate(y[90000ms])"
        );
        assert_eq!(fill_window("x[$window]", 0), "x[1ms]");
        let counts = Measure::Counts { bad: "b[$window]".to_owned(), total: "t[$window]".to_owned() };
        let filled = Measure::Counts { bad: "b[60000ms]".to_owned(), total: "t[60000ms]".to_owned() };
        assert_eq!(counts.fill(MINUTE_NS), filled);
    }
}
