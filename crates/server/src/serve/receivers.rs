//! The receivers: each with its share of the settings, on a port of its own or as routes of the HTTP port.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use config::{IngestConfig, Listeners, OtlpConfig, StatsdConfig, SyslogConfig};
use decode::collectd::Types;
use decode::graphite::{GraphiteOptions, Templates};
use decode::otlp::{DeltaMode, MetricsDecoder, MetricsOptions, Promote, Translation};
use decode::remote_write::RemoteWriteOptions;
use decode::statsd::StatsdOptions;
use listen::{CancellationToken, Intake, Listener, Otlp, Statsd};
use model::TenantId;
use pipeline::Pipeline;

/// What the receivers are made of.
pub(super) struct Receivers {
    pipeline: Arc<Pipeline>,
    otlp: Otlp,
    remote_write: RemoteWriteOptions,
    influx_skips_single_field: bool,
    syslog: SyslogConfig,
    graphite: Arc<GraphiteOptions>,
    graphite_tenant: TenantId,
    statsd: StatsdConfig,
    collectd: Arc<Types>,
}

type Started = Vec<(&'static str, Listener)>;

impl Receivers {
    pub(super) fn new(config: &IngestConfig, pipeline: &Arc<Pipeline>) -> anyhow::Result<Self> {
        let metrics = MetricsDecoder::new(metrics_options(&config.otlp, config.type_and_unit_labels)?);
        let templates = Templates::parse(&config.graphite.templates).context("ingest.graphite.templates")?;
        Ok(Self {
            pipeline: Arc::clone(pipeline),
            otlp: Otlp { pipeline: Arc::clone(pipeline), metrics: Arc::new(metrics) },
            remote_write: RemoteWriteOptions { type_and_unit_labels: config.type_and_unit_labels },
            influx_skips_single_field: config.influx.skip_single_field,
            syslog: config.syslog.clone(),
            graphite: Arc::new(GraphiteOptions { templates }),
            graphite_tenant: config.graphite.tenant.clone(),
            statsd: config.statsd.clone(),
            collectd: Arc::new(collectd_types(&config.collectd.types_db)?),
        })
    }

    /// Where what a socket receives goes.
    fn intake(&self, tenant: &TenantId) -> Intake {
        Intake { pipeline: Arc::clone(&self.pipeline), tenant: tenant.clone() }
    }

    /// The routes of the HTTP port.
    pub(super) fn router(&self) -> Router {
        let pipeline = || Arc::clone(&self.pipeline);
        listen::otlp_http_router(self.otlp.clone())
            .merge(listen::remote_write_router(pipeline(), self.remote_write))
            .merge(listen::influx_router(pipeline(), self.influx_skips_single_field))
            .merge(listen::import_router(pipeline()))
            .merge(listen::collectd_router(pipeline(), Arc::clone(&self.collectd)))
            .merge(listen::native_router(pipeline()))
    }

    /// Starts those that have an address.
    pub(super) async fn start(&self, config: &Listeners, shutdown: &CancellationToken) -> anyhow::Result<Started> {
        let mut started = self.start_otlp_and_syslog(config, shutdown).await?;
        started.extend(self.start_graphite(config, shutdown).await?);
        started.extend(self.start_statsd(config, shutdown).await?);
        Ok(started)
    }

    async fn start_otlp_and_syslog(&self, config: &Listeners, shutdown: &CancellationToken) -> anyhow::Result<Started> {
        let (otlp, parts) = (|| self.otlp.clone(), || (self.intake(&self.syslog.tenant), shutdown.clone()));
        let mut started = Vec::new();
        if let Some(address) = config.otlp_grpc {
            started.push(("otlp_grpc", listen::serve_otlp_grpc(address, otlp(), shutdown.clone()).await?));
        }
        if let Some(address) = config.otlp_http {
            started.push(("otlp_http", listen::serve_otlp_http(address, otlp(), shutdown.clone()).await?));
        }
        if let Some(address) = config.syslog_udp {
            let (intake, shutdown) = parts();
            started.push(("syslog_udp", listen::serve_syslog_udp(address, intake, shutdown).await?));
        }
        if let Some(address) = config.syslog_tcp {
            let (intake, shutdown) = parts();
            started.push(("syslog_tcp", listen::serve_syslog_tcp(address, intake, shutdown).await?));
        }
        Ok(started)
    }

    async fn start_graphite(&self, config: &Listeners, shutdown: &CancellationToken) -> anyhow::Result<Started> {
        let parts = || (self.intake(&self.graphite_tenant), Arc::clone(&self.graphite), shutdown.clone());
        let mut started = Vec::new();
        if let Some(address) = config.graphite_udp {
            let (intake, options, shutdown) = parts();
            started.push(("graphite_udp", listen::serve_graphite_udp(address, intake, options, shutdown).await?));
        }
        if let Some(address) = config.graphite_tcp {
            let (intake, options, shutdown) = parts();
            started.push(("graphite_tcp", listen::serve_graphite_tcp(address, intake, options, shutdown).await?));
        }
        if let Some(address) = config.graphite_pickle {
            let (intake, options, shutdown) = parts();
            started.push(("graphite_pickle", listen::serve_graphite_pickle(address, intake, options, shutdown).await?));
        }
        Ok(started)
    }

    /// Both sockets add to the same series.
    async fn start_statsd(&self, config: &Listeners, shutdown: &CancellationToken) -> anyhow::Result<Started> {
        let mut started = Vec::new();
        if config.statsd_udp.or(config.statsd_tcp).is_none() {
            return Ok(started);
        }
        let options = StatsdOptions {
            series_max: self.statsd.series_max,
            idle_ms: i64::try_from(self.statsd.idle.as_millis()).unwrap_or(i64::MAX),
        };
        let (intake, shutdown) = (self.intake(&self.statsd.tenant), shutdown.clone());
        let statsd = Statsd::start(options, self.statsd.flush_interval, intake, shutdown);
        if let Some(address) = config.statsd_udp {
            started.push(("statsd_udp", listen::serve_statsd_udp(address, &statsd).await?));
        }
        if let Some(address) = config.statsd_tcp {
            started.push(("statsd_tcp", listen::serve_statsd_tcp(address, &statsd).await?));
        }
        Ok(started)
    }
}

/// collectd's own types, and those of files.
fn collectd_types(files: &[PathBuf]) -> anyhow::Result<Types> {
    let mut types = Types::default();
    for file in files {
        let said = || format!("ingest.collectd.types_db: {}", file.display());
        let text = std::fs::read_to_string(file).with_context(said)?;
        types.extend(&text).with_context(said)?;
    }
    Ok(types)
}

fn metrics_options(config: &OtlpConfig, type_and_unit_labels: bool) -> anyhow::Result<MetricsOptions> {
    let promote = if config.promote_all_resource_attributes {
        Promote::AllBut(config.ignore_resource_attributes.clone())
    } else {
        Promote::Listed(config.promote_resource_attributes.clone())
    };
    Ok(MetricsOptions {
        translation: Translation::parse(&config.translation_strategy).context("ingest.otlp.translation_strategy")?,
        promote,
        keep_identifying_resource_attributes: config.keep_identifying_resource_attributes,
        promote_scope_metadata: config.promote_scope_metadata,
        convert_histograms_to_nhcb: config.convert_histograms_to_nhcb,
        delta: if config.deltas_cumulative { DeltaMode::Cumulative } else { DeltaMode::Raw },
        delta_series_max: config.delta_series_max,
        type_and_unit_labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_defaults_are_the_decoders() {
        let config = config::Config::default().ingest;
        assert_eq!(metrics_options(&config.otlp, false).unwrap(), MetricsOptions::default());
        let statsd = StatsdOptions::default();
        assert_eq!(statsd.series_max, config.statsd.series_max);
        assert_eq!(u128::try_from(statsd.idle_ms), Ok(config.statsd.idle.as_millis()));
        for name in config::TRANSLATION_STRATEGIES {
            assert!(Translation::parse(name).is_some(), "{name}");
        }
    }
}
