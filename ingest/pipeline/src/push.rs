//! Pushing decoded items into the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use decode::{Decoded, KnownSeries};
use model::{Batch, Labels, TenantId, Timestamp};
use store::{Ack, AppendError, Store};
use telemetry::metrics::{INGEST_BUSY, INGESTED_ROWS, INGESTED_SAMPLES, QUARANTINED_ITEMS};

use crate::admit::{Refusals, Tally, admit};
use crate::budget::Budget;
use crate::cut::appends;
use crate::rules::ParseRules;
use crate::{LATER_APPEND_WAIT_MS_MAX, PipelineOptions, PushError, Reservation};

/// How items came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Syslog datagrams.
    SyslogUdp,
    /// Syslog streams.
    SyslogTcp,
    /// OTLP over HTTP.
    OtlpHttp,
    /// OTLP over gRPC.
    OtlpGrpc,
    /// Prometheus's remote write.
    RemoteWrite,
    /// InfluxDB's line protocol.
    Influx,
    /// Graphite, by lines or pickles.
    Graphite,
    /// StatsD.
    Statsd,
    /// collectd's `write_http`.
    Collectd,
    /// Targets that were scraped.
    Scrape,
    /// Text of Prometheus or OpenMetrics that was imported.
    Import,
    /// The native API.
    Native,
    /// Backstop's own records.
    Internal,
}

impl Protocol {
    /// The name in metrics and in the quarantine.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SyslogUdp => "syslog_udp",
            Self::SyslogTcp => "syslog_tcp",
            Self::OtlpHttp => "otlp_http",
            Self::OtlpGrpc => "otlp_grpc",
            Self::RemoteWrite => "remote_write",
            Self::Influx => "influx",
            Self::Graphite => "graphite",
            Self::Statsd => "statsd",
            Self::Collectd => "collectd",
            Self::Scrape => "scrape",
            Self::Import => "import",
            Self::Native => "native",
            Self::Internal => "internal",
        }
    }
}

/// Where items came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// How.
    pub protocol: Protocol,
    /// The sender's address; empty when not known.
    pub peer: String,
}

/// What was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Log records and spans.
    pub rows: u64,
    /// Metric samples.
    pub samples: u64,
    /// Rejected items that the quarantine table has rows of.
    pub quarantined: u64,
}

/// The way into the store. Cheap to share in an [`Arc`].
pub struct Pipeline {
    store: Arc<Store>,
    budget: Arc<Budget>,
    rules: Option<Arc<ParseRules>>,
    refusals: Refusals,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// A pipeline into a store.
    pub fn new(store: Arc<Store>, options: &PipelineOptions) -> Self {
        Self { store, budget: Budget::new(options.in_flight_bytes_max), rules: None, refusals: Refusals::default() }
    }

    /// With parse rules, which every log record goes through.
    #[must_use]
    pub fn with_rules(self, rules: Arc<ParseRules>) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// Reserves memory for a request before it is read. Hold it until the request is answered.
    pub fn reserve(&self, source: &Source, bytes: usize) -> Result<Reservation, PushError> {
        Reservation::new(&self.budget, bytes).inspect_err(|_| INGEST_BUSY.add(source.protocol.as_str(), 1))
    }

    /// Bytes in flight now.
    pub fn in_flight_bytes(&self) -> usize {
        self.budget.used()
    }

    /// Decodes with what the store knows of a tenant's series. Nothing else of the pipeline may be called within.
    pub fn with_known<T>(&self, tenant: &TenantId, decode: impl FnOnce(&mut dyn KnownSeries) -> T) -> T {
        self.store.series().with_known_labels(tenant, |known| decode(&mut Known(known)))
    }

    /// Turns series that are over a limit of the store, and metadata of a tenant that is one too many, into rejects, so that the
    /// sender hears of them. Call it before [`Self::push`], and count the rejects after it: quarantine keeps a row of the same
    /// metric and limit once in [`crate::REFUSAL_AGAIN`].
    pub fn admit(&self, tenant: &TenantId, decoded: &mut Decoded) {
        admit(self.store.series(), tenant, decoded);
    }

    /// Stores everything, the rejects in quarantine, and resolves once all of it is durable and visible. `received` is the time
    /// of quarantine rows. Nothing to store is acknowledged at once.
    ///
    /// A request above [`crate::APPEND_BYTES_MAX`], or of more than [`crate::APPEND_DAYS_MAX`] days, goes in several appends; it is
    /// acknowledged only when all are. When a later one fails the error stands for all, and the sender's repetition stores the
    /// earlier ones a second time.
    pub async fn push(
        &self,
        tenant: &TenantId,
        source: &Source,
        received: Timestamp,
        decoded: Decoded,
    ) -> Result<Accepted, PushError> {
        self.begin(tenant, source, received, decoded).stored(self).await
    }

    /// The part of [`Self::push`] that computes and waits for nothing, for callers on a thread that may take its time:
    /// [`Begun::stored`] is the rest. What was begun and is not waited for may be stored or not.
    pub fn begin(&self, tenant: &TenantId, source: &Source, received: Timestamp, mut decoded: Decoded) -> Begun {
        if let Some(rules) = self.rules.as_ref().filter(|_| source.protocol != Protocol::Internal) {
            rules.apply(&mut decoded, received);
        }
        let tally = self.refusals.tally(tenant, &mut decoded.rejects, Instant::now());
        let accepted = Accepted {
            rows: decoded.rows() as u64,
            samples: decoded.series.sample_count() as u64,
            quarantined: decoded.rejected(),
        };
        let mut rest = appends(tenant, source, received, decoded).into_iter();
        let first = rest.next().map(|batches| self.store.append(batches));
        let (tenant, source) = (tenant.clone(), source.clone());
        Begun { tenant, source, accepted, tally, first, rest }
    }

    /// An append behind others of the same request: waits for room, within [`LATER_APPEND_WAIT_MS_MAX`].
    async fn append_later(&self, batches: Vec<Batch>) -> Result<Ack, AppendError> {
        let mut waited_ms = 0;
        loop {
            match self.store.append(batches.clone()) {
                Err(AppendError::Busy { retry_after_ms, .. }) if waited_ms < LATER_APPEND_WAIT_MS_MAX => {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms)).await;
                    waited_ms += retry_after_ms.max(1);
                }
                result => return result,
            }
        }
    }
}

/// Series of the store, as decoders ask for them.
struct Known<'k, 'a>(&'k mut series::KnownLabels<'a>);

impl KnownSeries for Known<'_, '_> {
    fn labels(&mut self, pairs: &[(&[u8], &[u8])]) -> Option<Labels> {
        self.0.find(pairs)
    }

    fn labels_of_form(&mut self, bytes: &[u8]) -> Option<Labels> {
        self.0.find_form(bytes)
    }

    fn learn_form(&mut self, bytes: &[u8], labels: &Labels) {
        self.0.learn_form(bytes, labels);
    }
}

/// A push whose first append is on its way.
#[must_use = "wait for `stored`: nothing is acknowledged before"]
pub struct Begun {
    tenant: TenantId,
    source: Source,
    accepted: Accepted,
    tally: Tally,
    first: Option<Result<Ack, AppendError>>,
    rest: std::vec::IntoIter<Vec<Batch>>,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun")
            .field("accepted", &self.accepted)
            .field("rest", &self.rest.len())
            .finish_non_exhaustive()
    }
}

impl Begun {
    /// Resolves once everything is durable and visible.
    pub async fn stored(self, pipeline: &Pipeline) -> Result<Accepted, PushError> {
        let stored = store_all(pipeline, self.first, self.rest).await;
        let protocol = self.source.protocol.as_str();
        match &stored {
            Ok(()) => {
                INGESTED_ROWS.add(protocol, self.accepted.rows);
                INGESTED_SAMPLES.add(protocol, self.accepted.samples);
                QUARANTINED_ITEMS.add(protocol, self.accepted.quarantined);
                pipeline.refusals.stored(&self.tenant, self.tally, Instant::now());
            }
            Err(PushError::Busy { .. }) => INGEST_BUSY.add(protocol, 1),
            Err(error) => tracing::error!(protocol, peer = self.source.peer, %error, "items were not stored"),
        }
        stored.map(|()| self.accepted)
    }
}

async fn store_all(
    pipeline: &Pipeline,
    first: Option<Result<Ack, AppendError>>,
    rest: std::vec::IntoIter<Vec<Batch>>,
) -> Result<(), PushError> {
    let Some(first) = first else { return Ok(()) };
    let mut acks = vec![first?];
    for batches in rest {
        acks.push(pipeline.append_later(batches).await?);
    }
    for ack in acks {
        ack.await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
