//! Syslog over TCP: one task a connection; what was read is stored before more is read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use decode::{Decoded, Frame, Frames};
use pipeline::{Pipeline, Protocol, PushError, Source};
use socket2::{SockRef, TcpKeepalive};
use telemetry::metrics::RECEIVER_CONNECTIONS;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::syslog::{decode_frame, push_until_stored};
use crate::{ListenError, Listener};

/// Connections at a time. Further ones wait in the kernel's queue until one closes.
pub const SYSLOG_TCP_CONNECTIONS_MAX: usize = 4096;

/// Bytes of one read; all messages in them are one append.
const READ_BYTES: usize = 128 * 1024;

/// How long the beginning of a message waits for its end before it counts as a message. Bounds what an idle connection holds;
/// a connection without a message begun may be idle for ever, as syslog daemons are.
const PARTIAL_WAIT: Duration = Duration::from_secs(60);

/// After how long without a byte the kernel asks whether the peer is alive.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// Pause after the kernel refused to accept, for lack of file descriptors for example.
const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `shutdown`; each connection then stores what it has read and closes.
pub async fn serve_syslog_tcp(
    address: SocketAddr,
    pipeline: Arc<Pipeline>,
    shutdown: CancellationToken,
) -> Result<Listener, ListenError> {
    let bind_error = ListenError::bind("syslog over TCP", address);
    let listener = TcpListener::bind(address).await.map_err(&bind_error)?;
    let bound = listener.local_addr().map_err(&bind_error)?;
    let task = telemetry::spawn("syslog_tcp", accept(listener, pipeline, shutdown));
    Ok(Listener::new(bound, task))
}

async fn accept(listener: TcpListener, pipeline: Arc<Pipeline>, shutdown: CancellationToken) {
    let connections = Arc::new(Semaphore::new(SYSLOG_TCP_CONNECTIONS_MAX));
    let tracker = TaskTracker::new();
    loop {
        let (accept, permit) = tokio::select! {
            () = shutdown.cancelled() => break,
            next = next_connection(&listener, &connections) => next,
        };
        match accept {
            Ok((stream, peer)) => {
                let serve = serve(stream, peer, permit, Arc::clone(&pipeline), shutdown.clone());
                telemetry::spawn("syslog_tcp_connection", tracker.track_future(serve));
            }
            Err(error) => {
                tracing::warn!(%error, "a syslog connection was not accepted");
                tokio::time::sleep(ACCEPT_ERROR_PAUSE).await;
            }
        }
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

type Accepted = (std::io::Result<(TcpStream, SocketAddr)>, Option<OwnedSemaphorePermit>);

async fn next_connection(listener: &TcpListener, connections: &Arc<Semaphore>) -> Accepted {
    let permit = Arc::clone(connections).acquire_owned().await.ok();
    (listener.accept().await, permit)
}

async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
    pipeline: Arc<Pipeline>,
    shutdown: CancellationToken,
) {
    let open = ConnectionCount::new();
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%peer, %error, "no keepalive on a syslog connection");
    }
    let source = Source { protocol: Protocol::SyslogTcp, peer: peer.ip().to_string() };
    let mut connection = Connection { pipeline, source, shutdown, frames: Frames::default(), out: Vec::new() };
    if let Err(error) = connection.run(&mut stream).await {
        tracing::error!(%peer, %error, "messages of a syslog connection were not stored; closing it");
    }
    drop((open, permit));
}

/// Counts a connection while it lives.
struct ConnectionCount;

/// Connections open now; the gauge itself can only be set.
static OPEN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

impl ConnectionCount {
    fn new() -> Self {
        let open = OPEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        RECEIVER_CONNECTIONS.set(open as f64);
        Self
    }
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        let open = OPEN.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) - 1;
        RECEIVER_CONNECTIONS.set(open as f64);
    }
}

/// Why reading stopped.
enum Read {
    Bytes(usize),
    PartialWaited,
    End,
}

struct Connection {
    pipeline: Arc<Pipeline>,
    source: Source,
    shutdown: CancellationToken,
    frames: Frames,
    out: Vec<Frame>,
}

impl Connection {
    /// Reads, stores, reads on. The end of the stream, a reset and the shutdown all end the last message.
    async fn run(&mut self, stream: &mut TcpStream) -> Result<(), PushError> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = self.read(stream, &mut buffer).await;
            match read {
                Read::Bytes(bytes) => self.frames.push(&buffer[..bytes], &mut self.out),
                Read::PartialWaited | Read::End => self.frames.finish(&mut self.out),
            }
            self.store().await?;
            if matches!(read, Read::End) {
                return Ok(());
            }
        }
    }

    async fn read(&self, stream: &mut TcpStream, buffer: &mut [u8]) -> Read {
        let partial = self.frames.pending_bytes() > 0;
        tokio::select! {
            read = stream.read(buffer) => match read {
                Ok(0) => Read::End,
                Ok(bytes) => Read::Bytes(bytes),
                Err(error) => {
                    tracing::debug!(peer = self.source.peer, %error, "a syslog connection was cut");
                    Read::End
                }
            },
            () = tokio::time::sleep(PARTIAL_WAIT), if partial => Read::PartialWaited,
            () = self.shutdown.cancelled() => Read::End,
        }
    }

    async fn store(&mut self) -> Result<(), PushError> {
        let frames = std::mem::take(&mut self.out);
        if frames.is_empty() {
            return Ok(());
        }
        let received = telemetry::clock::now();
        let bytes = frames.iter().map(frame_bytes).sum();
        let _reservation = self.reserve(bytes).await?;
        let decode = || {
            let mut decoded = Decoded::default();
            for frame in &frames {
                decode_frame(frame, "", received, &mut decoded);
            }
            decoded
        };
        push_until_stored(&self.pipeline, &self.source, received, &self.shutdown, decode).await
    }

    /// Waits for room in the budget; the connection is not read meanwhile.
    async fn reserve(&self, bytes: usize) -> Result<pipeline::Reservation, PushError> {
        loop {
            match self.pipeline.reserve(&self.source, bytes) {
                Err(PushError::Busy { retry_after_ms, .. }) if !self.shutdown.is_cancelled() => {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms)).await;
                }
                result => return result,
            }
        }
    }
}

fn frame_bytes(frame: &Frame) -> usize {
    match frame {
        Frame::Message(message) => message.len(),
        Frame::Oversize { start, .. } => start.len(),
    }
}

#[cfg(test)]
mod tests;
