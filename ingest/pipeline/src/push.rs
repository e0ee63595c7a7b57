//! Pushing decoded items into the store.

use std::sync::Arc;
use std::time::Duration;

use decode::{Decoded, Reject};
use model::{Batch, BatchData, Row, SeriesBatch, Table, TenantId, Timestamp};
use store::{Ack, AppendError, Store};
use telemetry::metrics::{INGEST_BUSY, INGESTED_ROWS, INGESTED_SAMPLES, QUARANTINED_ITEMS};

use crate::budget::Budget;
use crate::{APPEND_BYTES_MAX, LATER_APPEND_WAIT_MS_MAX, PipelineOptions, PushError, Reservation};

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
    /// Rejected items, which are in the quarantine table.
    pub quarantined: u64,
}

/// The way into the store. Cheap to share in an [`Arc`].
pub struct Pipeline {
    store: Arc<Store>,
    budget: Arc<Budget>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// A pipeline into a store.
    pub fn new(store: Arc<Store>, options: &PipelineOptions) -> Self {
        Self { store, budget: Budget::new(options.in_flight_bytes_max) }
    }

    /// Reserves memory for a request before it is read. Hold it until the request is answered.
    pub fn reserve(&self, source: &Source, bytes: usize) -> Result<Reservation, PushError> {
        Reservation::new(&self.budget, bytes).inspect_err(|_| INGEST_BUSY.add(source.protocol.as_str(), 1))
    }

    /// Bytes in flight now.
    pub fn in_flight_bytes(&self) -> usize {
        self.budget.used()
    }

    /// Turns series that are over a limit of the store into rejects, so that the sender hears of them and quarantine keeps them.
    /// Call it before [`Self::push`], and count the rejects after it.
    pub fn admit(&self, tenant: &TenantId, decoded: &mut Decoded) {
        if decoded.series.series.is_empty() {
            return;
        }
        for refused in self.store.series().refused(tenant, &decoded.series).into_iter().rev() {
            let reason = format!("series over a limit: {}", refused.reason);
            let raw = refused.labels.to_string();
            decoded.rejects.push(Reject::new(reason, raw.as_bytes()).of_items(refused.samples));
            decoded.series.series.remove(refused.at);
        }
    }

    /// Stores everything, the rejects in quarantine, and resolves once all of it is durable and visible. `received` is the time
    /// of quarantine rows. Nothing to store is acknowledged at once.
    ///
    /// A request above [`APPEND_BYTES_MAX`] goes in several appends; it is acknowledged only when all are. When a later one
    /// fails the error stands for all, and the sender's repetition stores the earlier ones a second time.
    pub async fn push(
        &self,
        tenant: &TenantId,
        source: &Source,
        received: Timestamp,
        decoded: Decoded,
    ) -> Result<Accepted, PushError> {
        let accepted = Accepted {
            rows: (decoded.logs.len() + decoded.spans.len()) as u64,
            samples: decoded.series.sample_count() as u64,
            quarantined: decoded.rejected(),
        };
        let stored = self.store_all(appends(tenant, source, received, decoded)).await;
        let protocol = source.protocol.as_str();
        match &stored {
            Ok(()) => {
                INGESTED_ROWS.add(protocol, accepted.rows);
                INGESTED_SAMPLES.add(accepted.samples);
                QUARANTINED_ITEMS.add(protocol, accepted.quarantined);
            }
            Err(PushError::Busy { .. }) => INGEST_BUSY.add(protocol, 1),
            Err(error) => tracing::error!(protocol, peer = source.peer, %error, "items were not stored"),
        }
        stored.map(|()| accepted)
    }

    async fn store_all(&self, appends: Vec<Vec<Batch>>) -> Result<(), PushError> {
        let mut acks = Vec::with_capacity(appends.len());
        for batches in appends {
            let ack = if acks.is_empty() { self.store.append(batches)? } else { self.append_later(batches).await? };
            acks.push(ack);
        }
        for ack in acks {
            ack.await?;
        }
        Ok(())
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

/// Cuts a request into appends of at most [`APPEND_BYTES_MAX`]; nearly always one. None for an empty request.
fn appends(tenant: &TenantId, source: &Source, received: Timestamp, decoded: Decoded) -> Vec<Vec<Batch>> {
    let quarantine: Vec<Row> = decoded
        .rejects
        .into_iter()
        .map(|reject| reject.into_row(source.protocol.as_str(), &source.peer, received))
        .collect();
    let mut cutter = Cutter { tenant, done: Vec::new(), open: Vec::new(), open_bytes: 0 };
    for (table, rows) in [(Table::Logs, decoded.logs), (Table::Spans, decoded.spans), (Table::Quarantine, quarantine)] {
        cutter.add_rows(table, rows);
    }
    cutter.add_series(decoded.series);
    cutter.finish()
}

struct Cutter<'a> {
    tenant: &'a TenantId,
    done: Vec<Vec<Batch>>,
    open: Vec<Batch>,
    open_bytes: usize,
}

impl Cutter<'_> {
    fn add_rows(&mut self, table: Table, rows: Vec<Row>) {
        let mut part = Vec::new();
        for row in rows {
            let bytes = row.size_bytes();
            if self.open_bytes + bytes > APPEND_BYTES_MAX && self.open_bytes > 0 {
                self.add(BatchData::Rows(table, std::mem::take(&mut part)));
                self.cut();
            }
            self.open_bytes += bytes;
            part.push(row);
        }
        self.add(BatchData::Rows(table, part));
    }

    fn add_series(&mut self, batch: SeriesBatch) {
        let mut part = SeriesBatch { series: Vec::new(), metadata: batch.metadata };
        for series in batch.series {
            let labels: usize = series.labels.iter().map(|(name, value)| name.len() + value.len() + 16).sum();
            let bytes = labels + series.samples.len() * 16 + series.exemplars.len() * 256;
            if self.open_bytes + bytes > APPEND_BYTES_MAX && self.open_bytes > 0 {
                self.add(BatchData::Series(std::mem::take(&mut part)));
                self.cut();
            }
            self.open_bytes += bytes;
            part.series.push(series);
        }
        self.add(BatchData::Series(part));
    }

    fn add(&mut self, data: BatchData) {
        let batch = Batch { tenant: self.tenant.clone(), data };
        if !batch.is_empty() {
            self.open.push(batch);
        }
    }

    fn cut(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.open_bytes = 0;
        if !open.is_empty() {
            self.done.push(open);
        }
    }

    fn finish(mut self) -> Vec<Vec<Batch>> {
        self.cut();
        self.done
    }
}

#[cfg(test)]
mod tests;
