//! StatsD over UDP and TCP (8125): packets go to one [`Statsd`], which stores what it added up at each interval.
//!
//! Nothing of a metric is durable before its flush. Events, service checks and what can not be read are stored at once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use decode::statsd::{Aggregator, STATSD_LINE_BYTES_MAX, StatsdOptions};
use decode::{Decoded, Reject};
use pipeline::{Protocol, PushError, Source};
use telemetry::metrics::{STATSD_SERIES, STATSD_VALUES};
use tokio_util::sync::CancellationToken;

use crate::lines::{LineSession, Lines};
use crate::storing::push_until_stored;
use crate::tcp::{Names, serve_tcp};
use crate::udp::{Datagram, Datagrams, serve_udp};
use crate::{Intake, ListenError, Listener};

const UDP: Names = Names { receiver: "StatsD over UDP", tasks: ["statsd_udp_read", "statsd_udp_store"] };
const TCP: Names = Names { receiver: "StatsD over TCP", tasks: ["statsd_tcp", "statsd_tcp_connection"] };

/// What all receivers of StatsD add to.
#[derive(Clone)]
pub struct Statsd(Arc<Shared>);

struct Shared {
    intake: Intake,
    shutdown: CancellationToken,
    aggregator: Mutex<Aggregator>,
    /// Flushes are stored one after the other, so that a counter never goes back.
    flushing: tokio::sync::Mutex<()>,
    /// Receivers that have not ended; the last one flushes.
    receivers: AtomicUsize,
}

impl std::fmt::Debug for Statsd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statsd").finish_non_exhaustive()
    }
}

impl Statsd {
    /// Starts the flushes, which go on until `shutdown`; the last receiver to stop flushes once more.
    pub fn start(options: StatsdOptions, interval: Duration, intake: Intake, shutdown: CancellationToken) -> Self {
        let aggregator = Mutex::new(Aggregator::new(options, telemetry::clock::now()));
        let flushing = tokio::sync::Mutex::new(());
        let receivers = AtomicUsize::new(0);
        let statsd = Self(Arc::new(Shared { intake, shutdown, aggregator, flushing, receivers }));
        telemetry::spawn("statsd_flush", statsd.clone().flush_on_time(interval));
        statsd
    }

    async fn flush_on_time(self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first one is now.
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = ticks.tick() => self.flush().await,
                () = self.0.shutdown.cancelled() => return,
            }
        }
    }

    /// Stores what was added up. What is not stored now is in the next totals.
    pub(crate) async fn flush(&self) {
        let _turn = self.0.flushing.lock().await;
        let now = telemetry::clock::now();
        // A hundred thousand series take some time, which other connections must not wait for.
        let shared = Arc::clone(&self.0);
        let flushed = tokio::task::spawn_blocking(move || {
            let mut aggregator = shared.aggregator.lock().unwrap_or_else(PoisonError::into_inner);
            (aggregator.flush(now), aggregator.series_count())
        });
        let (decoded, series) = match flushed.await {
            Ok(flushed) => flushed,
            Err(error) => return tracing::error!(%error, "a flush of StatsD ended badly"),
        };
        STATSD_SERIES.set(series as f64);
        if decoded.is_empty() {
            return;
        }
        let source = Source { protocol: Protocol::Statsd, peer: String::new() };
        let stored = push_until_stored(&self.0.intake, &source, now, &self.0.shutdown, || decoded.clone()).await;
        if let Err(error) = stored {
            tracing::error!(series, %error, "a flush of StatsD was not stored");
        }
    }

    async fn receiver_ended(&self) {
        if self.0.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.flush().await;
        }
    }

    /// Adds packets; stores at once what is no metric.
    async fn take(&self, source: &Source, packets: impl Iterator<Item = (&[u8], String)>) -> Result<(), PushError> {
        let received = telemetry::clock::now();
        let mut decoded = Decoded::default();
        {
            let mut aggregator = self.0.aggregator.lock().unwrap_or_else(PoisonError::into_inner);
            let values = packets.map(|(packet, peer)| aggregator.take(packet, &peer, received, &mut decoded)).sum();
            STATSD_VALUES.add(values);
        }
        self.store_now(source, decoded).await
    }

    async fn store_now(&self, source: &Source, decoded: Decoded) -> Result<(), PushError> {
        if decoded.is_empty() {
            return Ok(());
        }
        let received = telemetry::clock::now();
        push_until_stored(&self.0.intake, source, received, &self.0.shutdown, || decoded.clone()).await
    }
}

/// Serves StatsD over UDP until the shutdown of [`Statsd::start`].
pub async fn serve_statsd_udp(address: SocketAddr, statsd: &Statsd) -> Result<Listener, ListenError> {
    let (pipeline, shutdown) = (Arc::clone(&statsd.0.intake.pipeline), statsd.0.shutdown.clone());
    statsd.0.receivers.fetch_add(1, Ordering::AcqRel);
    let started = serve_udp(UDP, address, pipeline, shutdown, statsd.clone()).await;
    started.inspect_err(|_| {
        statsd.0.receivers.fetch_sub(1, Ordering::AcqRel);
    })
}

/// Serves StatsD over TCP until the shutdown of [`Statsd::start`].
pub async fn serve_statsd_tcp(address: SocketAddr, statsd: &Statsd) -> Result<Listener, ListenError> {
    let (shutdown, for_connections, last) = (statsd.0.shutdown.clone(), statsd.clone(), statsd.clone());
    let open = move |peer: SocketAddr| LineSession::new(for_connections.clone(), peer);
    statsd.0.receivers.fetch_add(1, Ordering::AcqRel);
    let started = serve_tcp(TCP, address, shutdown, open, async move { last.receiver_ended().await }).await;
    started.inspect_err(|_| {
        statsd.0.receivers.fetch_sub(1, Ordering::AcqRel);
    })
}

impl Datagrams for Statsd {
    const PROTOCOL: Protocol = Protocol::Statsd;

    async fn store(&self, batch: &[Datagram]) -> Result<(), PushError> {
        let source = Source { protocol: <Self as Datagrams>::PROTOCOL, peer: String::new() };
        let packets = batch.iter().map(|datagram| (&datagram.bytes[..], datagram.peer.to_string()));
        self.take(&source, packets).await
    }

    async fn finish(&self) {
        self.receiver_ended().await;
    }
}

impl Lines for Statsd {
    const PROTOCOL: Protocol = Protocol::Statsd;
    const LINE_BYTES_MAX: usize = STATSD_LINE_BYTES_MAX;

    fn intake(&self) -> &Intake {
        &self.0.intake
    }

    fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    async fn store_lines(&self, source: &Source, lines: &[&[u8]], refused: Vec<Reject>) -> Result<(), PushError> {
        self.take(source, lines.iter().map(|line| (*line, String::new()))).await?;
        self.store_now(source, Decoded { rejects: refused, ..Decoded::default() }).await
    }
}

#[cfg(test)]
mod tests;
