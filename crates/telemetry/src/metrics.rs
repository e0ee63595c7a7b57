//! Every metric that Backstop keeps about itself, each a typed static, printed in Prometheus's text format 0.0.4.
//!
//! A new metric is a static here and a line in [`ALL`]; the names follow Prometheus's rules (unit last, `_total` for
//! counters). Labels are a fixed set of values per metric, given in its declaration, so cardinality is bounded by the code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// A number that only goes up.
pub struct Counter {
    desc: Desc,
    value: AtomicU64,
}

/// A number that goes up and down.
pub struct Gauge {
    desc: Desc,
    value: AtomicU64,
}

/// One counter for each value of one label.
pub struct CounterVec<const N: usize> {
    desc: Desc,
    label: &'static str,
    label_values: [&'static str; N],
    values: [AtomicU64; N],
}

/// One counter for each value of one label and each tenant that ever counted, of the first [`TENANTS_COUNTED_MAX`]; further tenants
/// count together, under no tenant. Locked at each addition: it is for what is out of the ordinary.
pub struct TenantCounterVec<const N: usize> {
    desc: Desc,
    label: &'static str,
    label_values: [&'static str; N],
    tenants: Mutex<BTreeMap<String, [u64; N]>>,
}

/// Tenants that a [`TenantCounterVec`] tells apart.
pub const TENANTS_COUNTED_MAX: usize = 500;

/// How long something took, in seconds, in fixed buckets.
pub struct Timing {
    desc: Desc,
    buckets: [AtomicU64; BOUNDS_S.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

/// Upper bounds of [`Timing`] buckets, in seconds.
const BOUNDS_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

struct Desc {
    name: &'static str,
    help: &'static str,
}

impl Counter {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self { desc: Desc { name, help }, value: AtomicU64::new(0) }
    }

    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.value.fetch_add(n, Relaxed);
    }

    /// Its value now.
    pub fn get(&self) -> u64 {
        self.value.load(Relaxed)
    }
}

impl Gauge {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self { desc: Desc { name, help }, value: AtomicU64::new(0) }
    }

    /// Sets it.
    pub fn set(&self, value: f64) {
        self.value.store(value.to_bits(), Relaxed);
    }

    /// Its value now.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.value.load(Relaxed))
    }
}

impl<const N: usize> CounterVec<N> {
    const fn new(name: &'static str, help: &'static str, label: &'static str, label_values: [&'static str; N]) -> Self {
        Self { desc: Desc { name, help }, label, label_values, values: [const { AtomicU64::new(0) }; N] }
    }

    /// Adds to the counter of a label value; a value that is not declared counts under the last one.
    pub fn add(&self, label_value: &str, n: u64) {
        let at = self.label_values.iter().position(|known| *known == label_value).unwrap_or(N - 1);
        self.values[at].fetch_add(n, Relaxed);
    }

    /// The counter of a label value now.
    pub fn get(&self, label_value: &str) -> u64 {
        let at = self.label_values.iter().position(|known| *known == label_value).unwrap_or(N - 1);
        self.values[at].load(Relaxed)
    }
}

impl<const N: usize> TenantCounterVec<N> {
    const fn new(name: &'static str, help: &'static str, label: &'static str, label_values: [&'static str; N]) -> Self {
        Self { desc: Desc { name, help }, label, label_values, tenants: Mutex::new(BTreeMap::new()) }
    }

    /// Adds to the counter of a tenant and a label value; a value that is not declared counts under the last one.
    pub fn add(&self, tenant: &str, label_value: &str, n: u64) {
        let at = self.at(label_value);
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tenants.len() < TENANTS_COUNTED_MAX || tenants.contains_key(tenant);
        tenants.entry(if known { tenant } else { "" }.to_owned()).or_insert([0; N])[at] += n;
    }

    /// The counter of a tenant and a label value now.
    pub fn get(&self, tenant: &str, label_value: &str) -> u64 {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.get(tenant).map_or(0, |values| values[self.at(label_value)])
    }

    fn at(&self, label_value: &str) -> usize {
        self.label_values.iter().position(|known| *known == label_value).unwrap_or(N - 1)
    }
}

impl Timing {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            desc: Desc { name, help },
            buckets: [const { AtomicU64::new(0) }; BOUNDS_S.len()],
            count: AtomicU64::new(0),
            sum_us: AtomicU64::new(0),
        }
    }

    /// Records one duration.
    pub fn record(&self, took: std::time::Duration) {
        let secs = took.as_secs_f64();
        if let Some(at) = BOUNDS_S.iter().position(|bound| secs <= *bound) {
            self.buckets[at].fetch_add(1, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
        self.sum_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }
}

trait Metric: Sync {
    fn write(&self, out: &mut String);
}

impl Desc {
    fn write_head(&self, kind: &str, out: &mut String) {
        let _ = write!(out, "# HELP {} {}\n# TYPE {} {kind}\n", self.name, self.help, self.name);
    }
}

impl Metric for Counter {
    fn write(&self, out: &mut String) {
        self.desc.write_head("counter", out);
        let _ = writeln!(out, "{} {}", self.desc.name, self.get());
    }
}

impl Metric for Gauge {
    fn write(&self, out: &mut String) {
        self.desc.write_head("gauge", out);
        let _ = writeln!(out, "{} {}", self.desc.name, self.get());
    }
}

impl<const N: usize> Metric for CounterVec<N> {
    fn write(&self, out: &mut String) {
        self.desc.write_head("counter", out);
        for (label_value, value) in self.label_values.iter().zip(&self.values) {
            let _ = writeln!(out, "{}{{{}=\"{label_value}\"}} {}", self.desc.name, self.label, value.load(Relaxed));
        }
    }
}

/// Pairs that never counted are left out: tenants have most of them at zero for ever.
impl<const N: usize> Metric for TenantCounterVec<N> {
    fn write(&self, out: &mut String) {
        self.desc.write_head("counter", out);
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        for (tenant, values) in &*tenants {
            // A name of a tenant has nothing that a label's value must escape.
            for (label_value, value) in self.label_values.iter().zip(values).filter(|(_, value)| **value > 0) {
                let (name, label) = (self.desc.name, self.label);
                let _ = writeln!(out, "{name}{{tenant=\"{tenant}\",{label}=\"{label_value}\"}} {value}");
            }
        }
    }
}

impl Metric for Timing {
    fn write(&self, out: &mut String) {
        self.desc.write_head("histogram", out);
        let name = self.desc.name;
        let mut below = 0;
        for (bound, bucket) in BOUNDS_S.iter().zip(&self.buckets) {
            below += bucket.load(Relaxed);
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let count = self.count.load(Relaxed).max(below);
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(out, "{name}_sum {}", self.sum_us.load(Relaxed) as f64 / 1e6);
        let _ = writeln!(out, "{name}_count {count}");
    }
}

/// Every metric, in the format that Prometheus scrapes (`text/plain; version=0.0.4`).
pub fn render() -> String {
    let mut out = String::new();
    for metric in ALL {
        metric.write(&mut out);
    }
    out
}

/// How items come in. What is not named counts under the last.
const PROTOCOLS: [&str; 15] = [
    "syslog_udp",
    "syslog_tcp",
    "otlp_http",
    "otlp_grpc",
    "remote_write",
    "influx",
    "graphite",
    "statsd",
    "collectd",
    "scrape",
    "import",
    "native",
    "internal",
    "probe",
    "other",
];

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $new:expr;)*) => {
        $($(#[$doc])* pub static $name: $kind = $new;)*
        static ALL: &[&dyn Metric] = &[$(&$name),*];
    };
}

metrics! {
    /// Rows acknowledged, by protocol.
    INGESTED_ROWS: CounterVec<{ PROTOCOLS.len() }> = CounterVec::new("backstop_ingested_rows_total", "Rows acknowledged, by protocol.", "protocol",
        PROTOCOLS);
    /// Metric samples acknowledged, by protocol.
    INGESTED_SAMPLES: CounterVec<{ PROTOCOLS.len() }> = CounterVec::new("backstop_ingested_samples_total", "Metric samples acknowledged, by protocol.", "protocol",
        PROTOCOLS);
    /// Items that could not be decoded, by protocol; each is in the quarantine table.
    QUARANTINED_ITEMS: CounterVec<{ PROTOCOLS.len() }> = CounterVec::new("backstop_quarantined_items_total", "Items kept in quarantine, by protocol.", "protocol",
        PROTOCOLS);
    /// Samples over a limit of the metric store, by tenant and limit. Which metrics they are of is in the log and in quarantine.
    REFUSED_SAMPLES: TenantCounterVec<8> = TenantCounterVec::new("backstop_refused_samples_total", "Metric samples refused for a limit of the store, by tenant and limit.", "reason",
        ["tenants_max", "series_per_tenant_max", "series_per_metric_max", "labels_per_series_max", "label_name_bytes_max", "label_value_bytes_max", "metadata_per_tenant_max", "no_labels"]);
    /// What parse rules did to log records; by rule and detector at `/backstop/api/v1/parse-rules`.
    PARSE_RULES: CounterVec<4> = CounterVec::new("backstop_parse_rules_total", "Log records that parse rules parsed, could not parse, or put into quarantine, and values that they redacted.", "outcome",
        ["parsed", "failed", "quarantined", "redacted"]);
    /// Requests refused with a retry hint.
    INGEST_BUSY: CounterVec<{ PROTOCOLS.len() }> = CounterVec::new("backstop_ingest_busy_total", "Requests refused with a retry hint, by protocol.", "protocol",
        PROTOCOLS);
    /// Datagrams lost because the store was busy: UDP has no way to push back, so the loss is counted.
    UDP_DROPPED: Counter = Counter::new("backstop_udp_dropped_total", "Datagrams lost because the store was busy.");
    /// Messages cut at a limit.
    TRUNCATED_ITEMS: Counter = Counter::new("backstop_truncated_items_total", "Messages cut at the size limit.");
    /// Fields of InfluxDB's line protocol that were left out because they are strings.
    INFLUX_STRINGS: Counter = Counter::new("backstop_influx_strings_dropped_total", "Fields of InfluxDB's line protocol left out because they are strings.");
    /// Values of StatsD that were added up.
    STATSD_VALUES: Counter = Counter::new("backstop_statsd_values_total", "Values of StatsD that were added up.");
    /// Series of StatsD in memory.
    STATSD_SERIES: Gauge = Gauge::new("backstop_statsd_series", "Series of StatsD in memory.");
    /// Open connections of receivers.
    RECEIVER_CONNECTIONS: Gauge = Gauge::new("backstop_receiver_connections", "Open connections of receivers.");

    /// Groups written and synced to the WAL.
    WAL_SYNCS: Counter = Counter::new("backstop_wal_syncs_total", "Group commits of the write-ahead log.");
    /// Batches appended to the WAL.
    WAL_APPENDS: Counter = Counter::new("backstop_wal_appends_total", "Batches appended to the write-ahead log.");
    /// Bytes appended to the WAL.
    WAL_BYTES: Counter = Counter::new("backstop_wal_bytes_total", "Bytes appended to the write-ahead log.");
    /// Torn tails cut at replay.
    WAL_TORN_TAILS: Counter = Counter::new("backstop_wal_torn_tails_total", "Unacknowledged tails cut from the write-ahead log at replay.");
    /// Damaged WAL records found at replay.
    WAL_DAMAGED: Counter = Counter::new("backstop_wal_damaged_total", "Damaged write-ahead log regions found at replay.");
    /// How long a group commit took.
    WAL_SYNC_SECONDS: Timing = Timing::new("backstop_wal_sync_seconds", "Duration of a group commit.");
    /// Memory held by memtables.
    MEMTABLE_BYTES: Gauge = Gauge::new("backstop_memtable_bytes", "Memory held by memtables.");
    /// Live segments.
    SEGMENTS: Gauge = Gauge::new("backstop_segments", "Live segments.");
    /// Bytes of live segments.
    SEGMENT_BYTES: Gauge = Gauge::new("backstop_segment_bytes", "Bytes of live segments.");
    /// Flushes done.
    FLUSHES: Counter = Counter::new("backstop_flushes_total", "Flushes of memtables to segments.");
    /// Merges done.
    MERGES: Counter = Counter::new("backstop_merges_total", "Merges of segments.");
    /// Segments dropped by retention.
    RETAINED: Counter = Counter::new("backstop_retention_dropped_segments_total", "Segments dropped by retention.");
    /// Segments found damaged.
    SEGMENTS_DAMAGED: Counter = Counter::new("backstop_segments_damaged_total", "Segments found damaged.");
    /// Active series in memory.
    SERIES_ACTIVE: Gauge = Gauge::new("backstop_series_active", "Metric series in memory.");

    /// Queries run, by outcome.
    QUERIES: CounterVec<6> = CounterVec::new("backstop_queries_total", "Queries, by outcome.", "outcome",
        ["ok", "bad_query", "canceled", "timeout", "memory", "failed"]);
    /// How long queries took.
    QUERY_SECONDS: Timing = Timing::new("backstop_query_seconds", "Duration of queries.");
    /// Queries running now.
    QUERIES_ACTIVE: Gauge = Gauge::new("backstop_queries_active", "Queries running now.");

    /// Rule evaluations, by outcome.
    RULE_EVALUATIONS: CounterVec<3> = CounterVec::new("backstop_rule_evaluations_total", "Rule evaluations, by outcome.", "outcome",
        ["ok", "no_data", "failed"]);
    /// How long a rule evaluation took.
    RULE_EVALUATION_SECONDS: Timing = Timing::new("backstop_rule_evaluation_seconds", "Duration of rule evaluations.");
    /// Alerts firing now.
    ALERTS_FIRING: Gauge = Gauge::new("backstop_alerts_firing", "Alerts firing now.");
    /// Watches over changes that go on.
    WATCHES: Gauge = Gauge::new("backstop_watches", "Watches over changes that go on.");
    /// 1 while what is measured here can not be trusted.
    SELF_SUSPECT: Gauge = Gauge::new("backstop_self_suspect", "1 while what is measured here can not be trusted.");
    /// Incidents open now.
    INCIDENTS_OPEN: Gauge = Gauge::new("backstop_incidents_open", "Incidents open now.");
    /// Actions, by outcome.
    ACTIONS: CounterVec<5> = CounterVec::new("backstop_actions_total", "Actions, by outcome.", "outcome",
        ["succeeded", "failed", "unknown", "refused", "observed"]);
    /// Notifications, by outcome.
    NOTIFICATIONS: CounterVec<2> = CounterVec::new("backstop_notifications_total", "Notifications, by outcome.", "outcome",
        ["delivered", "failed"]);
    /// Changes taken in.
    CHANGES: Counter = Counter::new("backstop_changes_total", "Changes recorded.");
    /// What watches of Kubernetes clusters received, by kind; `error` is a watch that broke off and is taken up again.
    KUBERNETES_EVENTS: CounterVec<4> = CounterVec::new("backstop_kubernetes_watch_events_total",
        "What watches of Kubernetes clusters received, by kind.", "kind", ["listed", "changed", "deleted", "error"]);
    /// Deliveries of changes that were refused.
    CHANGES_REFUSED: Counter = Counter::new("backstop_changes_refused_total", "Deliveries of changes that were refused.");

    /// Scrapes, by outcome; `not_stored` counts beside it those that the store did not take.
    SCRAPES: CounterVec<8> = CounterVec::new("backstop_scrapes_total", "Scrapes of targets, by outcome.", "outcome",
        ["ok", "timeout", "too_large", "status", "limit", "bad_body", "not_stored", "failed"]);
    /// How long scrapes took.
    SCRAPE_SECONDS: Timing = Timing::new("backstop_scrape_seconds", "Duration of scrapes, without storing.");
    /// Samples that targets answered.
    SCRAPE_SAMPLES: Counter = Counter::new("backstop_scrape_samples_total", "Samples that targets answered, before relabelling.");
    /// Samples of a series that an answer had already.
    SCRAPE_DUPLICATES: Counter = Counter::new("backstop_scrape_duplicate_samples_total", "Samples left out since their series was in the answer already.");
    /// Samples of the far future.
    SCRAPE_OUT_OF_BOUNDS: Counter = Counter::new("backstop_scrape_out_of_bounds_samples_total", "Samples left out since their time lies too far ahead.");
    /// Samples that the store refused.
    SCRAPE_REFUSED_SAMPLES: Counter = Counter::new("backstop_scrape_refused_samples_total", "Samples of scrapes that the store refused.");
    /// Targets that are scraped now.
    SCRAPE_TARGETS: Gauge = Gauge::new("backstop_scrape_targets", "Targets that are scraped now.");
    /// Failed questions for targets, by kind of discovery.
    DISCOVERY_FAILURES: CounterVec<6> = CounterVec::new("backstop_discovery_failures_total", "Failed questions for targets, by kind of discovery.", "kind",
        ["file", "http", "dns", "consul", "docker", "kubernetes"]);

    /// What the learning of the dependency graph met.
    GRAPH_SPANS: CounterVec<5> = CounterVec::new("backstop_graph_spans_total", "Spans that the dependency graph learned from, by what became of them.", "outcome",
        ["new", "duplicate", "call", "refused", "crowded_out"]);
    /// Edges of the dependency graph.
    GRAPH_EDGES: Gauge = Gauge::new("backstop_graph_edges", "Edges of the dependency graph.");

    /// HTTP requests, by class of status.
    HTTP_REQUESTS: CounterVec<5> = CounterVec::new("backstop_http_requests_total", "HTTP requests, by class of status.", "class",
        ["1xx", "2xx", "3xx", "4xx", "5xx"]);
    /// Tasks that panicked.
    TASK_PANICS: Counter = Counter::new("backstop_task_panics_total", "Tasks that panicked.");
    /// When this process started, Unix seconds.
    START_TIME: Gauge = Gauge::new("backstop_start_time_seconds", "When this process started, Unix seconds.");
    /// 1 once replay is done.
    READY: Gauge = Gauge::new("backstop_ready", "1 once replay is done.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn render_is_prometheus_text() {
        WAL_SYNC_SECONDS.record(std::time::Duration::from_millis(3));
        QUERIES.add("ok", 2);
        let text = render();
        for want in [
            "# TYPE backstop_queries_total counter\n",
            "backstop_queries_total{outcome=\"ok\"} 2\n",
            "backstop_wal_sync_seconds_bucket{le=\"+Inf\"} 1\n",
            "backstop_wal_sync_seconds_bucket{le=\"0.0025\"} 0\n",
            "backstop_wal_sync_seconds_bucket{le=\"0.005\"} 1\n",
        ] {
            assert!(text.contains(want), "{want:?} is missing in\n{text}");
        }
    }

    #[test]
    fn tenants_are_told_apart_up_to_a_number() {
        let counter = TenantCounterVec::new("t_total", "T.", "reason", ["a", "b"]);
        counter.add("shop", "a", 2);
        counter.add("shop", "b", 1);
        for at in 0..TENANTS_COUNTED_MAX + 5 {
            counter.add(&format!("t{at:04}"), "b", 1);
        }
        counter.add("shop", "b", 1);
        assert_eq!((counter.get("shop", "a"), counter.get("shop", "b"), counter.get("t0000", "a")), (2, 2, 0));
        assert_eq!(counter.get("", "b"), 6, "those of whom there is no room");
        let mut text = String::new();
        counter.write(&mut text);
        assert!(text.contains("t_total{tenant=\"shop\",reason=\"a\"} 2\n"), "{text}");
        assert_eq!(text.lines().count(), 2 + 2 + TENANTS_COUNTED_MAX, "no zeros");
    }

    #[test]
    fn names_are_unique() {
        let text = render();
        let mut names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
