//! Scraping: files of settings to a manager, its samples to the pipeline, its state to the API.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{ScrapeView, TargetLists};
use async_trait::async_trait;
use decode::Decoded;
use listen::CancellationToken;
use model::{MetricMetadata, SeriesBatch};
use pipeline::{Pipeline, Protocol, PushError, Source};
use scrape::{LabelSet, Origin, Refused, ScrapeConfig, ScrapeManager, Sink, SinkError};
use serde_json::Value;
use telemetry::clock;
use tokio::signal::unix::{SignalKind, signal};

use crate::loops::files;

/// Times that the samples of one scrape are offered to a store that is busy.
const STORE_TRIES_MAX: u32 = 5;

/// Puts samples into the store.
struct StoreSink {
    pipeline: Arc<Pipeline>,
}

#[async_trait]
impl Sink for StoreSink {
    async fn append(&self, origin: Origin<'_>, batch: SeriesBatch, patience: Duration) -> Result<Refused, SinkError> {
        let until = Instant::now() + patience;
        let source = Source { protocol: Protocol::Scrape, peer: origin.target.to_owned() };
        let mut decoded = Decoded { series: batch, ..Decoded::default() };
        self.pipeline.admit(origin.tenant, &mut decoded);
        let reason = decoded.rejects.first().map(|reject| reject.reason.clone()).unwrap_or_default();
        let refused = Refused { samples: decoded.rejected(), reason };
        for tries in 1.. {
            let pushed = self.pipeline.push(origin.tenant, &source, clock::now(), decoded.clone()).await;
            match pushed {
                Ok(_) => break,
                Err(PushError::Busy { retry_after_ms, .. }) => {
                    let wait = Duration::from_millis(retry_after_ms);
                    if tries >= STORE_TRIES_MAX || Instant::now() + wait >= until {
                        return Err(SinkError::Busy);
                    }
                    tokio::time::sleep(wait).await;
                }
                Err(error) => return Err(SinkError::Failed(error.to_string())),
            }
        }
        Ok(refused)
    }
}

/// What is scraped; nothing where the settings name no files.
pub(super) struct Scraping(Option<Arc<ScrapeManager>>);

impl Scraping {
    /// For the API.
    pub(super) fn view(&self) -> Option<Arc<dyn ScrapeView>> {
        let manager = self.0.as_ref()?;
        Some(Arc::new(View(Arc::clone(manager))))
    }

    /// Resolves when all loops have ended.
    pub(super) async fn stopped(&self) {
        if let Some(manager) = &self.0 {
            manager.stopped().await;
        }
    }
}

/// What the API asks about.
struct View(Arc<ScrapeManager>);

/// A value of our own types as JSON, which does not fail.
fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

impl ScrapeView for View {
    fn pools(&self) -> Vec<String> {
        self.0.pools()
    }

    fn targets(&self, pool: Option<&str>) -> TargetLists {
        let snapshot = self.0.snapshot(pool);
        TargetLists {
            active: snapshot.active_targets.iter().map(json).collect(),
            dropped: snapshot.dropped_targets.iter().map(json).collect(),
            dropped_counts: snapshot.dropped_target_counts,
        }
    }

    fn metadata(
        &self,
        metric: Option<&str>,
        limit: usize,
        wanted: &api::WantedTarget<'_>,
    ) -> Vec<(Value, MetricMetadata)> {
        let wanted = |labels: &LabelSet| wanted(&|name: &str| labels.get(name).to_owned());
        let found = self.0.metadata(metric, limit, wanted);
        found.into_iter().map(|known| (json(&known.target), known.metadata)).collect()
    }

    fn pool_config(&self, pool: &str) -> Option<String> {
        self.0.job(pool).map(|job| job.to_yaml())
    }

    fn relabel_steps(&self, pool: &str, labels: BTreeMap<String, String>) -> Option<Value> {
        self.0.relabel_steps(pool, &labels.into_iter().collect()).map(|steps| json(&steps))
    }
}

/// Reads the files of settings.
fn load(patterns: &[String]) -> anyhow::Result<ScrapeConfig> {
    let paths: Vec<PathBuf> = files::found(patterns)?;
    let config = ScrapeConfig::load(&paths).map_err(|problems| {
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("problems with what is scraped:\n{}", shown.join("\n"))
    })?;
    for note in &config.notes {
        tracing::info!("{note}");
    }
    Ok(config)
}

/// Starts scraping, where the settings name files; on SIGHUP they are read again, and a mistake in them changes nothing.
pub(super) fn start(
    patterns: &[String],
    pipeline: &Arc<Pipeline>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Scraping> {
    if patterns.is_empty() {
        return Ok(Scraping(None));
    }
    let config = load(patterns)?;
    let sink = StoreSink { pipeline: Arc::clone(pipeline) };
    let manager = ScrapeManager::start(Arc::new(sink), config, shutdown.clone());
    let mut hangups = signal(SignalKind::hangup())?;
    let (reloaded, patterns, shutdown) = (Arc::clone(&manager), patterns.to_vec(), shutdown.clone());
    telemetry::spawn("scrape-reload", async move {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = hangups.recv() => match load(&patterns) {
                    Ok(config) => {
                        reloaded.apply(config).await;
                        tracing::info!("what is scraped was read again");
                    }
                    Err(error) => tracing::error!("what is scraped stays as it was: {error:#}"),
                },
            }
        }
    });
    Ok(Scraping(Some(manager)))
}
