//! Receivers of datagrams: one task empties the socket into a queue, another stores what is in the queue, many datagrams an append.
//!
//! UDP can not push back. A store that is busy is waited for while the queue fills; what comes when the queue is full is lost,
//! and counted in `backstop_udp_dropped_total`. What the kernel drops before, it counts itself (`netstat -su`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pipeline::{Pipeline, Protocol, PushError, Reservation, Source};
use socket2::SockRef;
use telemetry::metrics::UDP_DROPPED;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::tcp::Names;
use crate::{ListenError, Listener};

/// The receive buffer asked of the kernel; it gives at most `net.core.rmem_max`.
pub const UDP_RECEIVE_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// Datagrams that wait for the store. Their bytes count in the pipeline's budget too.
pub const UDP_QUEUE_DATAGRAMS_MAX: usize = 65_536;

/// Datagrams of one append.
const BATCH_DATAGRAMS: usize = 1024;

/// Largest datagram of UDP.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// A datagram on its way to the store.
pub(crate) struct Datagram {
    pub(crate) peer: IpAddr,
    pub(crate) bytes: Vec<u8>,
    /// Held until it is stored.
    _room: Reservation,
}

/// What a protocol does with datagrams.
pub(crate) trait Datagrams: Send + Sync + 'static {
    const PROTOCOL: Protocol;

    /// Stores a batch; waits while the store is busy.
    fn store(&self, batch: &[Datagram]) -> impl Future<Output = Result<(), PushError>> + Send;

    /// Stores what is still in memory after the last batch.
    fn finish(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Serves until `shutdown`; what the socket holds then is stored.
pub(crate) async fn serve_udp<D: Datagrams>(
    names: Names,
    address: SocketAddr,
    pipeline: Arc<Pipeline>,
    shutdown: CancellationToken,
    datagrams: D,
) -> Result<Listener, ListenError> {
    let bind_error = ListenError::bind(names.receiver, address);
    let socket = UdpSocket::bind(address).await.map_err(&bind_error)?;
    if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(UDP_RECEIVE_BUFFER_BYTES) {
        tracing::warn!(receiver = names.receiver, %error, "the receive buffer keeps its default size");
    }
    let bound = socket.local_addr().map_err(&bind_error)?;
    let (queue, waiting) = mpsc::channel(UDP_QUEUE_DATAGRAMS_MAX);
    let source = Source { protocol: D::PROTOCOL, peer: String::new() };
    let receiver = Receiver { socket, pipeline, source, queue };
    let reading = telemetry::spawn(names.tasks[0], receiver.run(shutdown));
    let task = telemetry::spawn(names.tasks[1], async move {
        store(waiting, &datagrams).await;
        // The queue has ended, so the reader has.
        drop(reading.await);
        datagrams.finish().await;
    });
    Ok(Listener::new(bound, task))
}

struct Receiver {
    socket: UdpSocket,
    pipeline: Arc<Pipeline>,
    source: Source,
    queue: mpsc::Sender<Datagram>,
}

impl Receiver {
    async fn run(self, shutdown: CancellationToken) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let received = tokio::select! {
                received = self.socket.recv_from(&mut buffer) => received,
                () = shutdown.cancelled() => break,
            };
            match received {
                Ok((bytes, peer)) => enqueue(&self.pipeline, &self.source, &self.queue, &buffer[..bytes], peer.ip()),
                Err(error) => tracing::warn!(%error, "a datagram was not received"),
            }
        }
        self.drain(&mut buffer);
    }

    /// Takes what had arrived before the shutdown. The socket itself is asked: tokio's would answer from what it last heard of
    /// the socket's readiness, which may be older than the datagrams.
    fn drain(self, buffer: &mut [u8]) {
        let Self { socket, pipeline, source, queue } = self;
        let socket = match socket.into_std() {
            Ok(socket) => socket,
            Err(error) => return tracing::warn!(%error, "datagrams that had arrived were not read at the shutdown"),
        };
        // A sender that does not stop must not keep the receiver from stopping.
        for _ in 0..UDP_QUEUE_DATAGRAMS_MAX {
            let Ok((bytes, peer)) = socket.recv_from(buffer) else { return };
            enqueue(&pipeline, &source, &queue, &buffer[..bytes], peer.ip());
        }
    }
}

/// Never waits: while the reader waits, the kernel drops.
fn enqueue(pipeline: &Pipeline, source: &Source, queue: &mpsc::Sender<Datagram>, message: &[u8], peer: IpAddr) {
    let queued = pipeline.reserve(source, message.len()).ok().and_then(|room| {
        let datagram = Datagram { peer, bytes: message.to_vec(), _room: room };
        queue.try_send(datagram).ok()
    });
    if queued.is_none() {
        UDP_DROPPED.add(1);
    }
}

/// Stores what is in the queue until the reader has ended and the queue is empty.
async fn store<D: Datagrams>(mut waiting: mpsc::Receiver<Datagram>, datagrams: &D) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH_DATAGRAMS).await > 0 {
        if let Err(error) = datagrams.store(&batch).await {
            UDP_DROPPED.add(batch.len() as u64);
            let hint = if matches!(error, PushError::Busy { .. }) { "stopping while busy" } else { "the store failed" };
            tracing::error!(datagrams = batch.len(), %error, hint, "datagrams were lost");
        }
        batch.clear();
    }
}
