//! One job: its keys, what it takes from `global`, and what makes no sense.

use decode::exposition::ExpositionFormat;
use serde_saphyr::Spanned;

use super::raw::RawJob;
use super::reader::{Global, Reader};
use super::{Escaping, JobConfig, JobLimits, ScrapeProtocol};

impl Reader<'_> {
    pub(super) fn job(&mut self, at: &Spanned<RawJob>, global: &Global) -> Option<JobConfig> {
        let raw = &at.value;
        let before = self.problems.found.len();
        let name = raw.job_name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
        if name.is_empty() {
            self.problems.say(at, "job_name is empty", "give the job a name; it becomes the label `job`");
        }
        let interval = self.duration(&raw.scrape_interval).unwrap_or(global.interval);
        let timeout = self.duration(&raw.scrape_timeout);
        if let Some(at) = raw.scrape_timeout.as_ref().filter(|_| timeout.is_some_and(|timeout| timeout > interval)) {
            let message =
                format!("scrape timeout greater than scrape interval for scrape config with job name {name:?}");
            self.problems.say(at, message, "make it shorter, or the interval longer");
        }
        let own_validation = self.validation(&raw.metric_name_validation_scheme);
        let legacy_names = own_validation.unwrap_or(global.legacy_names);
        let escaping = self.escaping(&raw.metric_name_escaping_scheme, legacy_names);
        let inherited = if own_validation.is_some() { Escaping::of(legacy_names) } else { global.escaping };
        let native = raw.scrape_native_histograms.or(global.raw.scrape_native_histograms).unwrap_or(false);
        let protocols = self.protocols(&raw.scrape_protocols).or_else(|| global.protocols.clone());
        let scheme = self.scheme(raw);
        let fallback = self.fallback(raw);
        let failure_log = self.file(&raw.scrape_failure_log_file);
        let relabel = self.relabel_rules(raw.relabel_configs.as_deref(), legacy_names);
        let metric_relabel = self.relabel_rules(raw.metric_relabel_configs.as_deref(), legacy_names);
        let config = JobConfig {
            name,
            tenant: self.tenant(&raw.backstop_tenant).unwrap_or_else(|| global.tenant.clone()),
            interval,
            timeout: timeout.unwrap_or(global.timeout.min(interval)),
            metrics_path: raw.metrics_path.clone().unwrap_or_else(|| "/metrics".to_owned()),
            scheme,
            params: raw.params.clone().unwrap_or_default(),
            honor_labels: raw.honor_labels.unwrap_or(false),
            honor_timestamps: raw.honor_timestamps.unwrap_or(true),
            track_timestamps_staleness: raw.track_timestamps_staleness.unwrap_or(false),
            compression: raw.enable_compression.unwrap_or(true),
            http: self.http(&raw.http()),
            limits: self.limits(raw, global),
            protocols: protocols.unwrap_or_else(|| ScrapeProtocol::defaults(native)),
            fallback,
            native_histograms: native,
            classic_histograms: either(
                raw.always_scrape_classic_histograms,
                global.raw.always_scrape_classic_histograms,
            ),
            convert_histograms: either(
                raw.convert_classic_histograms_to_nhcb,
                global.raw.convert_classic_histograms_to_nhcb,
            ),
            legacy_names,
            escaping: escaping.unwrap_or(inherited),
            extra_metrics: either(raw.extra_scrape_metrics, global.raw.extra_scrape_metrics),
            failure_log: failure_log.or_else(|| global.failure_log.clone()),
            relabel,
            metric_relabel,
            discovery: self.discovery(raw),
        };
        (self.problems.found.len() == before).then_some(config)
    }

    fn scheme(&mut self, raw: &RawJob) -> String {
        let Some(at) = &raw.scheme else { return "http".to_owned() };
        if !matches!(at.value.as_str(), "http" | "https") {
            self.problems.say(at, format!("unknown scheme {:?}", at.value), "write http or https");
        }
        at.value.clone()
    }

    fn fallback(&mut self, raw: &RawJob) -> Option<ExpositionFormat> {
        let at = raw.fallback_scrape_protocol.as_ref().filter(|at| !at.value.is_empty())?;
        let protocol = ScrapeProtocol::parse(&at.value);
        if protocol.is_none() {
            let message = format!("invalid fallback_scrape_protocol: unknown scrape protocol {}", at.value);
            self.problems.say(at, message, ScrapeProtocol::NAMES_HINT);
        }
        Some(protocol?.format())
    }

    fn limits(&mut self, raw: &RawJob, global: &Global) -> JobLimits {
        // Zero says nothing, as in Prometheus.
        let own = |own: Option<u64>, global: Option<u64>| own.filter(|own| *own > 0).or(global).unwrap_or(0);
        let body = self.size(&raw.body_size_limit).filter(|bytes| *bytes > 0);
        let all = &global.raw;
        JobLimits {
            body_bytes: body.unwrap_or(global.body_bytes),
            samples: own(raw.sample_limit, all.sample_limit),
            targets: own(raw.target_limit, all.target_limit),
            labels: own(raw.label_limit, all.label_limit),
            label_name_bytes: own(raw.label_name_length_limit, all.label_name_length_limit),
            label_value_bytes: own(raw.label_value_length_limit, all.label_value_length_limit),
            histogram_buckets: raw.native_histogram_bucket_limit.unwrap_or(0),
            histogram_factor: raw.native_histogram_min_bucket_factor.unwrap_or(0.0),
            dropped_targets: own(raw.keep_dropped_targets, all.keep_dropped_targets),
        }
    }
}

fn either(own: Option<bool>, global: Option<bool>) -> bool {
    own.or(global).unwrap_or(false)
}

impl ScrapeProtocol {
    pub(super) const NAMES_HINT: &'static str =
        "write PrometheusProto, PrometheusText0.0.4, PrometheusText1.0.0, OpenMetricsText0.0.1 or OpenMetricsText1.0.0";

    const ALL: [Self; 5] = [
        Self::PrometheusProto,
        Self::PrometheusText004,
        Self::PrometheusText100,
        Self::OpenMetricsText001,
        Self::OpenMetricsText100,
    ];

    /// The word of the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrometheusProto => "PrometheusProto",
            Self::PrometheusText004 => "PrometheusText0.0.4",
            Self::PrometheusText100 => "PrometheusText1.0.0",
            Self::OpenMetricsText001 => "OpenMetricsText0.0.1",
            Self::OpenMetricsText100 => "OpenMetricsText1.0.0",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == name)
    }

    /// What is asked for where nothing is said: protobuf first where native histograms are wanted, which only it has.
    pub(crate) fn defaults(native_histograms: bool) -> Vec<Self> {
        let texts =
            [Self::OpenMetricsText100, Self::OpenMetricsText001, Self::PrometheusText100, Self::PrometheusText004];
        native_histograms.then_some(Self::PrometheusProto).into_iter().chain(texts).collect()
    }

    fn format(self) -> ExpositionFormat {
        match self {
            Self::PrometheusProto => ExpositionFormat::Protobuf,
            Self::PrometheusText004 | Self::PrometheusText100 => ExpositionFormat::Text,
            Self::OpenMetricsText001 | Self::OpenMetricsText100 => ExpositionFormat::OpenMetrics,
        }
    }

    /// The part of `Accept` that asks for it.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::PrometheusProto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            Self::PrometheusText004 => "text/plain;version=0.0.4",
            Self::PrometheusText100 => "text/plain;version=1.0.0",
            Self::OpenMetricsText001 => "application/openmetrics-text;version=0.0.1",
            Self::OpenMetricsText100 => "application/openmetrics-text;version=1.0.0",
        }
    }

    /// Whether the format knows how to say which escaping it uses.
    pub(crate) fn has_escaping(self) -> bool {
        matches!(self, Self::PrometheusText100 | Self::OpenMetricsText100)
    }
}
