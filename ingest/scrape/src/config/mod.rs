//! What is scraped and how: Prometheus's `scrape_configs`, read and checked.
//!
//! A file holds `scrape_configs`, or is a whole `prometheus.yml`, of which the parts about scraping are read and the others are
//! named in [`ScrapeConfig::notes`]. Paths in a file count from its directory.

mod discovery;
mod http;
mod job;
mod raw;
mod reader;
mod relabel;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::Problem;
use decode::exposition::ExpositionFormat;
use model::TenantId;

use crate::relabel::Relabel;

pub use discovery::{
    ConsulConfig, DiscoveryConfig, DnsConfig, DnsRecord, DockerConfig, FileConfig, HttpDiscoveryConfig,
    KubernetesConfig, KubernetesRole, KubernetesSelector, Namespaces, TargetGroup,
};
pub use http::{Auth, HttpConfig, OAuth2Config, ProxyConfig, Secret, TlsConfig, TlsVersion};
pub(crate) use shown::without_userinfo;

/// Everything that is scraped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScrapeConfig {
    /// The jobs, in the order of the files.
    pub jobs: Vec<Arc<JobConfig>>,
    /// Labels that tell this server from others, as the files have them. They are not added to samples; as in Prometheus they are for
    /// those who read from this server.
    pub external_labels: BTreeMap<String, String>,
    /// What was found in the files and is not read.
    pub notes: Vec<String>,
}

/// One job: targets that are scraped in the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct JobConfig {
    /// Its name, the label `job` of its targets.
    pub name: String,
    /// Whose its samples are.
    pub tenant: TenantId,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Path of the request.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Parameters of the request.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether labels of series win over those of the target.
    pub honor_labels: bool,
    /// Whether times that the target gives are kept.
    pub honor_timestamps: bool,
    /// Whether series with times of the target's own are marked as stale too.
    pub track_timestamps_staleness: bool,
    /// Whether gzip is asked for.
    pub compression: bool,
    /// How the request is made.
    pub http: HttpConfig,
    /// What is too much.
    pub limits: JobLimits,
    /// Formats that are asked for, the best first.
    pub protocols: Vec<ScrapeProtocol>,
    /// The format of an answer that does not say it.
    pub fallback: Option<ExpositionFormat>,
    /// Whether native histograms are taken.
    pub native_histograms: bool,
    /// Whether classic series are taken beside native histograms.
    pub classic_histograms: bool,
    /// Whether classic histograms become native ones with custom bounds.
    pub convert_histograms: bool,
    /// Whether names are letters, digits and underscores only.
    pub legacy_names: bool,
    /// How a target is asked to write names of other characters.
    pub escaping: Escaping,
    /// Whether `scrape_timeout_seconds`, `scrape_sample_limit` and `scrape_body_size_bytes` are written too.
    pub extra_metrics: bool,
    /// Where failed scrapes are written down.
    pub failure_log: Option<PathBuf>,
    /// Rules for targets.
    pub relabel: Vec<Relabel>,
    /// Rules for series.
    pub metric_relabel: Vec<Relabel>,
    /// Where targets come from.
    pub discovery: Vec<DiscoveryConfig>,
}

/// What is too much; zero is no limit, beside those of [`crate::limits`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JobLimits {
    /// Bytes of an answer, after decompression.
    pub body_bytes: u64,
    /// Samples of a scrape.
    pub samples: u64,
    /// Targets.
    pub targets: u64,
    /// Labels of a series.
    pub labels: u64,
    /// Bytes of a label's name.
    pub label_name_bytes: u64,
    /// Bytes of a label's value.
    pub label_value_bytes: u64,
    /// Buckets of a native histogram; a finer one is made coarser.
    pub histogram_buckets: u64,
    /// How much one bucket of a native histogram must be wider than the one before; a finer one is made coarser.
    pub histogram_factor: f64,
    /// Dropped targets that are shown.
    pub dropped_targets: u64,
}

/// A format that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrapeProtocol {
    /// Protobuf.
    PrometheusProto,
    /// Text, version 0.0.4.
    PrometheusText004,
    /// Text, version 1.0.0: names of any characters.
    PrometheusText100,
    /// OpenMetrics, version 0.0.1.
    OpenMetricsText001,
    /// OpenMetrics, version 1.0.0.
    OpenMetricsText100,
}

/// How names of other characters than letters, digits and underscores are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// As they are.
    AllowUtf8,
    /// With underscores.
    Underscores,
    /// Dots as `_dot_`.
    Dots,
    /// So that they can be read back.
    Values,
}

impl Escaping {
    /// The word of the settings and of `Accept`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

impl ScrapeConfig {
    /// Reads files. Every mistake is reported, with its line and column.
    pub fn load(files: &[PathBuf]) -> Result<Self, Vec<Problem>> {
        let texts = files.iter().map(|path| {
            let shown = path.display().to_string();
            reader::read_file(path).map(|text| (shown, text))
        });
        let (mut good, mut problems) = (Vec::new(), Vec::new());
        for text in texts {
            match text {
                Ok(text) => good.push(text),
                Err(problem) => problems.push(problem),
            }
        }
        match Self::parse(&good) {
            Ok(config) if problems.is_empty() => Ok(config),
            Ok(_) => Err(problems),
            Err(more) => Err(problems.into_iter().chain(more).collect()),
        }
    }

    /// Reads the texts of files; the names are for messages and for the directory that paths count from.
    pub fn parse(files: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        let mut config = Self::default();
        let mut problems = Vec::new();
        for (file, text) in files {
            let directory = Path::new(file).parent().unwrap_or(Path::new("")).to_owned();
            problems.extend(reader::read(file, text, &directory, &mut config));
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}
