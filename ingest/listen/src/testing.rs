//! A pipeline into a store in a temporary directory, for the tests of this crate.

use std::sync::Arc;

use model::{Row, Table, TenantId, TimeRange};
use pipeline::{Pipeline, PipelineOptions};
use store::{Store, StoreOptions};

use crate::Intake;

pub(crate) struct Rig {
    _dir: tempfile::TempDir,
    store: Arc<Store>,
    pub(crate) pipeline: Arc<Pipeline>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|_| {}, PipelineOptions::default())
    }

    /// A store that is busy as soon as it holds a row, which it does.
    pub(crate) async fn busy() -> Self {
        let rig = Self::with(|options| options.memory_bytes_max = 1, PipelineOptions::default());
        let source = pipeline::Source { protocol: pipeline::Protocol::Internal, peer: String::new() };
        let mut decoded = decode::Decoded::default();
        decoded.logs.push(Row::new(telemetry::clock::now()).finish());
        let now = telemetry::clock::now();
        rig.pipeline.push(&tenant("filler"), &source, now, decoded).await.unwrap();
        rig
    }

    pub(crate) fn with(change: impl FnOnce(&mut StoreOptions), options: PipelineOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut store_options = StoreOptions::new(dir.path());
        change(&mut store_options);
        let store = Arc::new(Store::open(store_options).unwrap());
        let pipeline = Arc::new(Pipeline::new(Arc::clone(&store), &options));
        Self { _dir: dir, store, pipeline }
    }

    /// Where sockets store, for the default tenant.
    pub(crate) fn intake(&self) -> Intake {
        Intake { pipeline: Arc::clone(&self.pipeline), tenant: TenantId::default() }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn rows(&self, table: Table) -> Vec<Row> {
        self.rows_of(&TenantId::default(), table)
    }

    pub(crate) fn rows_of(&self, tenant: &TenantId, table: Table) -> Vec<Row> {
        let snapshot = self.store.snapshot(tenant, table, TimeRange::ALL);
        assert!(snapshot.segments.is_empty());
        snapshot.chunks.iter().flat_map(|chunk| column::rows_from_batch(chunk.batch())).collect()
    }

    /// The bodies of log records, sorted.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let mut bodies: Vec<String> = self.rows(Table::Logs).iter().map(|row| row.body().to_owned()).collect();
        bodies.sort();
        bodies
    }
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

/// The text of a field of a row.
pub(crate) fn text(row: &Row, name: &str) -> String {
    row.get(name).map(|value| value.text().into_owned()).unwrap_or_default()
}

pub(crate) const ANY_PORT: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Every series with its times and numbers.
pub(crate) fn series(rig: &Rig) -> Vec<String> {
    let found = rig.store().series().select(&TenantId::default(), &[], i64::MIN, i64::MAX).unwrap();
    found.iter().map(|data| format!("{} {:?} {:?}", data.labels, data.times, data.values)).collect()
}

/// Every series with its last number.
pub(crate) fn series_now(rig: &Rig) -> Vec<String> {
    let found = rig.store().series().select(&TenantId::default(), &[], i64::MIN, i64::MAX).unwrap();
    found
        .iter()
        .map(|data| match data.values.last() {
            Some(value) if data.histograms.is_empty() => format!("{} {value}", data.labels),
            _ => format!("{} histogram", data.labels),
        })
        .collect()
}

/// Sends and closes; resolves when the receiver has closed its side too, after it has stored everything.
pub(crate) async fn send(address: std::net::SocketAddr, pieces: &[&[u8]]) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        // A receiver that can not read on closes while there is more to come.
        if stream.write_all(piece).await.is_err() {
            return;
        }
    }
    drop(stream.shutdown().await);
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest).await);
}
