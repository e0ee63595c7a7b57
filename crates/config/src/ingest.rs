//! Settings of what comes in: the receivers' addresses, and how each protocol is read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::TenantId;
use model::prometheus::PROMOTED_RESOURCE_ATTRIBUTES;
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::raw::Check;

/// Prometheus's names of the ways to translate names of OTLP.
pub const TRANSLATION_STRATEGIES: [&str; 4] = [
    "UnderscoreEscapingWithSuffixes",
    "UnderscoreEscapingWithoutSuffixes",
    "NoUTF8EscapingWithSuffixes",
    "NoTranslation",
];

/// The tenant of receivers that have no header to name one.
const DEFAULT_TENANT: &str = "default";

/// Addresses of the receivers; `None` is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// OTLP over gRPC.
    pub otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP on its own port, besides the HTTP port.
    pub otlp_http: Option<SocketAddr>,
    /// Syslog over UDP.
    pub syslog_udp: Option<SocketAddr>,
    /// Syslog over TCP.
    pub syslog_tcp: Option<SocketAddr>,
    /// Graphite's plaintext protocol over UDP.
    pub graphite_udp: Option<SocketAddr>,
    /// Graphite's plaintext protocol over TCP.
    pub graphite_tcp: Option<SocketAddr>,
    /// Graphite's pickle protocol.
    pub graphite_pickle: Option<SocketAddr>,
    /// StatsD over UDP.
    pub statsd_udp: Option<SocketAddr>,
    /// StatsD over TCP.
    pub statsd_tcp: Option<SocketAddr>,
}

impl Listeners {
    /// None of them.
    pub const OFF: Listeners = Listeners {
        otlp_grpc: None,
        otlp_http: None,
        syslog_udp: None,
        syslog_tcp: None,
        graphite_udp: None,
        graphite_tcp: None,
        graphite_pickle: None,
        statsd_udp: None,
        statsd_tcp: None,
    };

    /// The addresses of those that are on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        // By destructuring, so that one that is added is not forgotten here.
        let Self {
            otlp_grpc,
            otlp_http,
            syslog_udp,
            syslog_tcp,
            graphite_udp,
            graphite_tcp,
            graphite_pickle,
            statsd_udp,
            statsd_tcp,
        } = *self;
        let otlp_and_syslog = [otlp_grpc, otlp_http, syslog_udp, syslog_tcp];
        let metrics = [graphite_udp, graphite_tcp, graphite_pickle, statsd_udp, statsd_tcp];
        otlp_and_syslog.into_iter().chain(metrics).flatten()
    }
}

/// Limits of receiving, and how protocols are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestConfig {
    /// Bytes of requests in flight, decompressed, before senders are told to wait.
    pub in_flight_bytes_max: u64,
    /// Whether series of OTLP and of remote write 2.0 get the labels `__type__` and `__unit__`.
    pub type_and_unit_labels: bool,
    /// OTLP metrics.
    pub otlp: OtlpConfig,
    /// InfluxDB's line protocol.
    pub influx: InfluxConfig,
    /// Graphite.
    pub graphite: GraphiteConfig,
    /// StatsD.
    pub statsd: StatsdConfig,
    /// collectd.
    pub collectd: CollectdConfig,
    /// Syslog.
    pub syslog: SyslogConfig,
}

/// How OTLP metrics become series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpConfig {
    /// One of [`TRANSLATION_STRATEGIES`].
    pub translation_strategy: String,
    /// Resource attributes that become labels.
    pub promote_resource_attributes: Vec<String>,
    /// Whether all become labels instead.
    pub promote_all_resource_attributes: bool,
    /// All but these.
    pub ignore_resource_attributes: Vec<String>,
    /// Whether `target_info` has the attributes that `job` and `instance` are made of.
    pub keep_identifying_resource_attributes: bool,
    /// Whether the scope becomes labels.
    pub promote_scope_metadata: bool,
    /// Whether histograms with explicit bounds become native ones.
    pub convert_histograms_to_nhcb: bool,
    /// Whether deltas are added up to counters, or stored as they are.
    pub deltas_cumulative: bool,
    /// Series of deltas that are added up at a time, of each tenant.
    pub delta_series_max: usize,
}

/// How InfluxDB's line protocol is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfluxConfig {
    /// Whether the only field of a line leaves its name out.
    pub skip_single_field: bool,
}

/// How Graphite's paths are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphiteConfig {
    /// Whose the samples are.
    pub tenant: TenantId,
    /// What the parts of paths are.
    pub templates: Vec<String>,
}

/// How StatsD is added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsdConfig {
    /// Whose the samples are.
    pub tenant: TenantId,
    /// How often what was added up is stored.
    pub flush_interval: Duration,
    /// After how long without a packet a series ends.
    pub idle: Duration,
    /// Series in memory.
    pub series_max: usize,
}

/// How syslog is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogConfig {
    /// Whose the records are.
    pub tenant: TenantId,
}

/// How collectd's value lists are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectdConfig {
    /// Files that say what types are, in the form of collectd's `types.db`.
    pub types_db: Vec<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawListeners {
    pub otlp_grpc: String,
    pub otlp_http: String,
    pub syslog_udp: String,
    pub syslog_tcp: String,
    pub graphite_udp: String,
    pub graphite_tcp: String,
    pub graphite_pickle: String,
    pub statsd_udp: String,
    pub statsd_tcp: String,
}

impl Default for RawListeners {
    fn default() -> Self {
        Self {
            otlp_grpc: "127.0.0.1:4317".into(),
            otlp_http: "127.0.0.1:4318".into(),
            syslog_udp: "127.0.0.1:5514".into(),
            syslog_tcp: "127.0.0.1:5514".into(),
            graphite_udp: "127.0.0.1:2003".into(),
            graphite_tcp: "127.0.0.1:2003".into(),
            graphite_pickle: "off".into(),
            statsd_udp: "127.0.0.1:8125".into(),
            statsd_tcp: "127.0.0.1:8125".into(),
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawIngest {
    pub in_flight_bytes_max: String,
    pub type_and_unit_labels: bool,
    pub otlp: RawOtlp,
    pub influx: RawInflux,
    pub graphite: RawGraphite,
    pub statsd: RawStatsd,
    pub collectd: RawCollectd,
    pub syslog: RawSyslog,
}

impl Default for RawIngest {
    fn default() -> Self {
        Self {
            in_flight_bytes_max: "256MiB".into(),
            type_and_unit_labels: false,
            otlp: RawOtlp::default(),
            influx: RawInflux::default(),
            graphite: RawGraphite::default(),
            statsd: RawStatsd::default(),
            collectd: RawCollectd::default(),
            syslog: RawSyslog::default(),
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawOtlp {
    pub translation_strategy: String,
    pub promote_resource_attributes: Vec<String>,
    pub promote_all_resource_attributes: bool,
    pub ignore_resource_attributes: Vec<String>,
    pub keep_identifying_resource_attributes: bool,
    pub promote_scope_metadata: bool,
    pub convert_histograms_to_nhcb: bool,
    pub delta: String,
    pub delta_series_max: usize,
}

impl Default for RawOtlp {
    fn default() -> Self {
        Self {
            translation_strategy: TRANSLATION_STRATEGIES[0].to_owned(),
            promote_resource_attributes: PROMOTED_RESOURCE_ATTRIBUTES.map(str::to_owned).to_vec(),
            promote_all_resource_attributes: false,
            ignore_resource_attributes: Vec::new(),
            keep_identifying_resource_attributes: false,
            promote_scope_metadata: false,
            convert_histograms_to_nhcb: false,
            delta: "cumulative".into(),
            delta_series_max: 100_000,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawInflux {
    pub skip_single_field: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawGraphite {
    pub tenant: String,
    pub templates: Vec<String>,
}

impl Default for RawGraphite {
    fn default() -> Self {
        Self { tenant: DEFAULT_TENANT.into(), templates: Vec::new() }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawStatsd {
    pub tenant: String,
    pub flush_interval: String,
    pub idle: String,
    pub series_max: usize,
}

impl Default for RawStatsd {
    fn default() -> Self {
        Self { tenant: DEFAULT_TENANT.into(), flush_interval: "10s".into(), idle: "1h".into(), series_max: 100_000 }
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawCollectd {
    pub types_db: Vec<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawSyslog {
    pub tenant: String,
}

impl Default for RawSyslog {
    fn default() -> Self {
        Self { tenant: DEFAULT_TENANT.into() }
    }
}

impl Check<'_> {
    pub(crate) fn listeners(&self, raw: &RawListeners) -> Result<Listeners, ConfigError> {
        Ok(Listeners {
            otlp_grpc: self.address_or_off("listeners.otlp_grpc", &raw.otlp_grpc)?,
            otlp_http: self.address_or_off("listeners.otlp_http", &raw.otlp_http)?,
            syslog_udp: self.address_or_off("listeners.syslog_udp", &raw.syslog_udp)?,
            syslog_tcp: self.address_or_off("listeners.syslog_tcp", &raw.syslog_tcp)?,
            graphite_udp: self.address_or_off("listeners.graphite_udp", &raw.graphite_udp)?,
            graphite_tcp: self.address_or_off("listeners.graphite_tcp", &raw.graphite_tcp)?,
            graphite_pickle: self.address_or_off("listeners.graphite_pickle", &raw.graphite_pickle)?,
            statsd_udp: self.address_or_off("listeners.statsd_udp", &raw.statsd_udp)?,
            statsd_tcp: self.address_or_off("listeners.statsd_tcp", &raw.statsd_tcp)?,
        })
    }

    pub(crate) fn ingest(&self, raw: RawIngest) -> Result<IngestConfig, ConfigError> {
        Ok(IngestConfig {
            in_flight_bytes_max: self.bytes("ingest.in_flight_bytes_max", &raw.in_flight_bytes_max)?,
            type_and_unit_labels: raw.type_and_unit_labels,
            otlp: self.otlp(raw.otlp)?,
            influx: InfluxConfig { skip_single_field: raw.influx.skip_single_field },
            graphite: GraphiteConfig {
                tenant: self.tenant("ingest.graphite.tenant", &raw.graphite.tenant)?,
                templates: raw.graphite.templates,
            },
            statsd: self.statsd(&raw.statsd)?,
            collectd: CollectdConfig { types_db: raw.collectd.types_db },
            syslog: SyslogConfig { tenant: self.tenant("ingest.syslog.tenant", &raw.syslog.tenant)? },
        })
    }

    fn otlp(&self, raw: RawOtlp) -> Result<OtlpConfig, ConfigError> {
        if !TRANSLATION_STRATEGIES.contains(&raw.translation_strategy.as_str()) {
            let hint = format!("write one of {}", TRANSLATION_STRATEGIES.join(", "));
            let key = "ingest.otlp.translation_strategy";
            return Err(self.error(key, &raw.translation_strategy, "a translation strategy", &hint));
        }
        if !raw.ignore_resource_attributes.is_empty() && !raw.promote_all_resource_attributes {
            let value = raw.ignore_resource_attributes.join(", ");
            let hint = "set ingest.otlp.promote_all_resource_attributes, or name those to promote";
            return Err(self.error("ingest.otlp.ignore_resource_attributes", &value, "of use", hint));
        }
        let deltas_cumulative = match raw.delta.as_str() {
            "cumulative" => true,
            "raw" => false,
            other => {
                let hint = "write cumulative, so that rate() works, or raw, for sum_over_time()";
                return Err(self.error("ingest.otlp.delta", other, "cumulative or raw", hint));
            }
        };
        Ok(OtlpConfig {
            translation_strategy: raw.translation_strategy,
            promote_resource_attributes: raw.promote_resource_attributes,
            promote_all_resource_attributes: raw.promote_all_resource_attributes,
            ignore_resource_attributes: raw.ignore_resource_attributes,
            keep_identifying_resource_attributes: raw.keep_identifying_resource_attributes,
            promote_scope_metadata: raw.promote_scope_metadata,
            convert_histograms_to_nhcb: raw.convert_histograms_to_nhcb,
            deltas_cumulative,
            delta_series_max: self.above_zero("ingest.otlp.delta_series_max", raw.delta_series_max)?,
        })
    }

    fn statsd(&self, raw: &RawStatsd) -> Result<StatsdConfig, ConfigError> {
        let flush_interval = self.duration("ingest.statsd.flush_interval", &raw.flush_interval)?;
        if flush_interval < Duration::from_millis(100) {
            let hint = "a flush is a sample of every series: write it as 10s";
            return Err(self.error("ingest.statsd.flush_interval", &raw.flush_interval, "at least 100ms", hint));
        }
        let idle = self.duration("ingest.statsd.idle", &raw.idle)?;
        if idle < flush_interval {
            let hint = format!("ingest.statsd.flush_interval is {}", raw.flush_interval);
            return Err(self.error("ingest.statsd.idle", &raw.idle, "at least the flush interval", &hint));
        }
        Ok(StatsdConfig {
            tenant: self.tenant("ingest.statsd.tenant", &raw.tenant)?,
            flush_interval,
            idle,
            series_max: self.above_zero("ingest.statsd.series_max", raw.series_max)?,
        })
    }

    fn tenant(&self, key: &str, name: &str) -> Result<TenantId, ConfigError> {
        TenantId::new(name).ok_or_else(|| self.error(key, name, "a tenant name", TenantId::RULE))
    }

    pub(crate) fn above_zero(&self, key: &str, value: usize) -> Result<usize, ConfigError> {
        if value == 0 {
            return Err(self.error(key, "0", "a number above zero", "leave the key out for the default"));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::Config;

    #[test]
    fn protocols_are_set_one_by_one() {
        let text = "listeners: {graphite_tcp: off, graphite_pickle: '127.0.0.1:2004'}\ningest:\n  type_and_unit_labels: true\n  otlp: {delta: raw, promote_all_resource_attributes: true, ignore_resource_attributes: [os.type]}\n  statsd: {flush_interval: 1s}\n  graphite: {tenant: shop, templates: ['.host.measurement*']}\n";
        let config = Config::parse("f", text).expect("valid");
        assert_eq!((config.listeners.graphite_tcp, config.listeners.addresses().count()), (None, 8));
        assert_eq!(Listeners::OFF.addresses().count(), 0);
        let ingest = config.ingest;
        assert!(ingest.type_and_unit_labels && !ingest.otlp.deltas_cumulative);
        assert_eq!(ingest.statsd.flush_interval, Duration::from_secs(1));
        assert_eq!(ingest.statsd.idle, Duration::from_secs(3600));
        assert_eq!(ingest.graphite.templates, [".host.measurement*"]);
        assert_eq!((ingest.graphite.tenant.as_str(), ingest.statsd.tenant), ("shop", TenantId::default()));
    }

    #[test]
    fn mistakes_name_the_key() {
        let files = [
            "ingest: {otlp: {translation_strategy: none}}",
            "ingest: {otlp: {ignore_resource_attributes: [a]}}",
            "ingest: {otlp: {delta: drop}}",
            "ingest: {otlp: {delta_series_max: 0}}",
            "ingest: {statsd: {flush_interval: 10ms}}",
            "ingest: {statsd: {idle: 1s}}",
            "listeners: {statsd_udp: '8125'}",
            "ingest: {syslog: {tenant: 'a/b'}}",
        ];
        let errors = files.map(|text| Config::parse("f", text).expect_err("must not parse").to_string());
        expect![[r#"
            f: ingest.otlp.translation_strategy is "none", which is not a translation strategy
            hint: write one of UnderscoreEscapingWithSuffixes, UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes, NoTranslation
            f: ingest.otlp.ignore_resource_attributes is "a", which is not of use
            hint: set ingest.otlp.promote_all_resource_attributes, or name those to promote
            f: ingest.otlp.delta is "drop", which is not cumulative or raw
            hint: write cumulative, so that rate() works, or raw, for sum_over_time()
            f: ingest.otlp.delta_series_max is "0", which is not a number above zero
            hint: leave the key out for the default
            f: ingest.statsd.flush_interval is "10ms", which is not at least 100ms
            hint: a flush is a sample of every series: write it as 10s
            f: ingest.statsd.idle is "1s", which is not at least the flush interval
            hint: ingest.statsd.flush_interval is 10s
            f: listeners.statsd_udp is "8125", which is not an address with a port
            hint: write it as 127.0.0.1:7070 or [::1]:7070
            f: ingest.syslog.tenant is "a/b", which is not a tenant name
            hint: give 1 to 150 letters, digits or any of !-_.*'()"#]].assert_eq(&errors.join("\n"));
    }
}
