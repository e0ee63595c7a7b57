//! Every setting of Backstop, in two stages: what the user wrote ([`RawConfig`]) becomes what the program uses ([`Config`]).
//!
//! **Entry points.** [`Config::parse`] reads a YAML file; [`Config::default`] is a server without one. [`reference`] prints
//! the manual, from the same table ([`SETTINGS`]) that a test compares with the code.
//!
//! Files of rules, playbooks, services and parse rules have readers of their own; what these say about a mistake is a [`Problem`],
//! which a [`Mapper`] places in the file.
//!
//! **Guarantees.** An unknown key, a value of the wrong kind or a value that makes no sense is an error that names the key;
//! the program never starts on a guess. Nothing here is global: whoever needs settings is given its part of [`Config`].
//!
//! **Not here.** Limits of a format (how deep a query nests, how long a token is): those are constants beside the code that
//! holds them.

mod actions;
mod changes;
mod downsampling;
mod ingest;
mod kubernetes;
mod problem;
mod raw;
mod reference;
mod units;
mod yaml;

pub use actions::{ACTION_KINDS, ActionConfig, ServerConfig, TokenConfig};
pub use changes::{ChangeSourceConfig, ChangesConfig, SecretConfig};
pub use downsampling::DownsamplingConfig;
pub use ingest::{
    CollectdConfig, GraphiteConfig, InfluxConfig, IngestConfig, Listeners, OtlpConfig, StatsdConfig, SyslogConfig,
    TRANSLATION_STRATEGIES,
};
pub use kubernetes::{ClusterConfig, ClusterWatchConfig, KubernetesConfig};
pub use problem::{Problem, QueryProblem};
pub use raw::RawConfig;
pub use reference::{SETTINGS, Setting, reference};
pub use units::{parse_bytes, show_bytes, show_duration_ns};
pub use yaml::{Mapper, Problems, yaml_problem};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::StreamSelector;

/// The program's settings, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Address of the HTTP port.
    pub listen: SocketAddr,
    /// Whether listening beyond loopback without authentication is allowed.
    pub insecure: bool,
    /// The address under which users reach the UI, for links in notifications; no slash at the end.
    pub external_url: Option<String>,
    /// Labels that tell this server from others.
    pub external_labels: BTreeMap<String, String>,
    /// Origins of web pages that may read answers; `*` for all.
    pub cors_origins: Vec<String>,
    /// Filter of our own log lines.
    pub log: String,
    /// Receivers besides the HTTP port.
    pub listeners: Listeners,
    /// The store.
    pub store: StoreConfig,
    /// What a request may take in.
    pub ingest: IngestConfig,
    /// What a query may take.
    pub query: QueryConfig,
    /// CSV files that queries look into, as glob patterns.
    pub lookups: Vec<String>,
    /// Files of parse rules, as glob patterns.
    pub parse_rules: Vec<String>,
    /// Files of scrape configurations, as glob patterns.
    pub scrape: Vec<String>,
    /// Rule files, as glob patterns.
    pub rules: Vec<String>,
    /// Playbook files, as glob patterns.
    pub playbooks: Vec<String>,
    /// Service files, as glob patterns.
    pub services: Vec<String>,
    /// What actions may do.
    pub actions: ActionConfig,
    /// Who may approve actions and answer questions.
    pub approvers: Vec<ApproverConfig>,
    /// When nothing acts, in the shape of a playbook's freeze windows.
    pub freeze: Vec<serde_json::Value>,
    /// Whom notifications reach, by name.
    pub receivers: BTreeMap<String, ReceiverConfig>,
    /// Who is told when a playbook could not repair, or nobody answered: names of receivers, or `log`.
    pub escalation_receivers: Vec<String>,
    /// Who reports changes.
    pub changes: ChangesConfig,
    /// Clusters of Kubernetes.
    pub kubernetes: KubernetesConfig,
}

/// Settings of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Memory at which a memtable is flushed.
    pub flush_bytes: u64,
    /// Age at which a memtable is flushed.
    pub flush_interval: Duration,
    /// Memory of all memtables at which senders are told to wait.
    pub memtable_bytes_max: u64,
    /// How long log records are kept.
    pub retention_logs: Duration,
    /// How long spans are kept.
    pub retention_spans: Duration,
    /// How long quarantined items are kept.
    pub retention_quarantine: Duration,
    /// How long metric samples are kept.
    pub retention_metrics: Duration,
    /// Bytes of segments above which the oldest days go, whatever their age.
    pub retention_bytes: Option<u64>,
    /// Streams that are kept for a shorter time.
    pub retention_streams: Vec<StreamRetentionConfig>,
    /// Series that are kept for another time.
    pub retention_series: Vec<SeriesRetentionConfig>,
    /// Series that are downsampled when they are old.
    pub downsampling: Vec<DownsamplingConfig>,
    /// Memory of metric samples that are on disk too.
    pub recent_bytes_max: u64,
    /// Memory of decoded columns of metric blocks.
    pub decoded_bytes_max: u64,
    /// Tenants that may have metrics.
    pub tenants_max: usize,
    /// Series that a tenant may have.
    pub series_per_tenant_max: usize,
    /// Series that one metric of a tenant may have.
    pub series_per_metric_max: usize,
}

/// How long some series are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRetentionConfig {
    /// Which series: a selector of PromQL, read by whoever opens the store.
    pub selector: String,
    /// How long.
    pub keep: Duration,
}

/// How long some streams are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRetentionConfig {
    /// Which streams, of every table.
    pub selector: StreamSelector,
    /// How long.
    pub keep: Duration,
}

/// Limits of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryConfig {
    /// Longest run.
    pub timeout: Duration,
    /// Memory for one query.
    pub memory_bytes_max: u64,
    /// Memory for all queries.
    pub memory_total_bytes_max: u64,
    /// Queries at a time; more wait.
    pub concurrency_max: usize,
    /// Rows that a query returns at most.
    pub rows_max: usize,
    /// Samples that a PromQL query reads and holds at most.
    pub promql_samples_max: usize,
    /// What of PromQL is switched on, by Prometheus's names; the evaluator knows which there are.
    pub promql_features: Vec<String>,
}

/// Somebody who may approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApproverConfig {
    /// Their name.
    pub name: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// Where their token is.
    pub token: TokenSource,
}

/// Where a token is.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(PathBuf),
    /// In the configuration.
    Text(String),
}

/// Shows where a token is, never the token.
impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "Env({name:?})"),
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Text(_) => f.write_str("Text(***)"),
        }
    }
}

/// A receiver of notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverConfig {
    /// POSTs Alertmanager's webhook payload, version 4, to a URL.
    Webhook {
        /// The URL.
        url: String,
        /// Headers added to the request.
        headers: BTreeMap<String, String>,
    },
    /// Writes a line to our own log.
    Log,
}

/// Settings that can not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not YAML of the expected shape.
    #[error("{file}: {source}\nhint: `backstop config reference` lists every setting")]
    Shape {
        /// The file.
        file: String,
        /// What is wrong, with line and column.
        source: Box<serde_saphyr::Error>,
    },
    /// A setting's value makes no sense.
    #[error("{file}: {key} is {value:?}, which is not {wanted}\nhint: {hint}")]
    Value {
        /// The file.
        file: String,
        /// The setting.
        key: String,
        /// Its value.
        value: String,
        /// What it must be.
        wanted: &'static str,
        /// How to mend it.
        hint: String,
    },
}

impl Config {
    /// Reads a configuration file. `file` is its name for messages.
    pub fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
        let raw = RawConfig::parse(file, text)?;
        raw.check(file)
    }
}

impl Default for Config {
    #[allow(clippy::expect_used, reason = "a test checks the defaults")]
    fn default() -> Self {
        RawConfig::default().check("defaults").expect("the defaults are valid")
    }
}
