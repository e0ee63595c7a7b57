//! Receivers of TCP streams: one task a connection; what was read is stored before more is read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use decode::{Frame, Frames, Reject};
use pipeline::PushError;
use socket2::{SockRef, TcpKeepalive};
use telemetry::metrics::RECEIVER_CONNECTIONS;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{ListenError, Listener};

/// Connections of one receiver at a time. Further ones wait in the kernel's queue until one closes.
pub const TCP_CONNECTIONS_MAX: usize = 4096;

/// Bytes of one read; all messages in them are one append.
const READ_BYTES: usize = 128 * 1024;

/// How long the beginning of a message waits for its end before it counts as a message, or is given up. Bounds what an idle connection
/// holds; a connection without a message begun may be idle for ever, as daemons are.
const PARTIAL_WAIT: Duration = Duration::from_secs(60);

/// After how long without a byte the kernel asks whether the peer is alive.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// Pause after the kernel refused to accept, for lack of file descriptors for example.
const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(200);

/// What a protocol does with the bytes of a connection.
pub(crate) trait Session: Send + 'static {
    /// Takes the bytes of a read. The error is why nothing more can be read of this stream.
    fn push(&mut self, bytes: &[u8]) -> Result<(), String>;

    /// Ends the message that has begun.
    fn finish(&mut self, ending: Ending);

    /// Whether a message has begun and not ended.
    fn is_partial(&self) -> bool;

    /// Stores the messages that are whole.
    fn store(&mut self) -> impl Future<Output = Result<(), PushError>> + Send;
}

/// Why no more of a message is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The sender closed its side: what it sent is whole.
    Closed,
    /// The connection was reset, or can not be read on.
    Reset,
    /// Nothing came for [`PARTIAL_WAIT`].
    Waited,
    /// The server stops.
    Shutdown,
}

impl Ending {
    fn reason(self) -> &'static str {
        match self {
            Self::Closed => "the connection was closed before the end of the line",
            Self::Reset => "the connection was cut before the end of the line: a number in it may be cut too",
            Self::Waited => {
                "the end of the line did not come in time: a number in it may be cut; end lines with a newline"
            }
            Self::Shutdown => "the server stopped before the end of the line: a number in it may be cut",
        }
    }
}

/// Ends the last line of a protocol whose lines look whole when they are cut. Only a sender that closes its side may leave the line end
/// away; any other rest is refused.
pub(crate) fn finish_lines(frames: &mut Frames, out: &mut Vec<Frame>, ending: Ending) -> Option<Reject> {
    if ending == Ending::Closed {
        frames.finish(out);
        return None;
    }
    match frames.give_up()? {
        Frame::Message(line) => Some(Reject::new(ending.reason(), &line)),
        oversize @ Frame::Oversize { .. } => {
            out.push(oversize);
            None
        }
    }
}

/// Names of a receiver.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    /// In errors and log lines.
    pub(crate) receiver: &'static str,
    /// Of the task that accepts, and of those of connections.
    pub(crate) tasks: [&'static str; 2],
}

/// Serves until `shutdown`; each connection then stores what it has read and closes, and after the last `ended` is waited for.
pub(crate) async fn serve_tcp<S: Session>(
    names: Names,
    address: SocketAddr,
    shutdown: CancellationToken,
    open: impl Fn(SocketAddr) -> S + Send + Sync + 'static,
    ended: impl Future<Output = ()> + Send + 'static,
) -> Result<Listener, ListenError> {
    let bind_error = ListenError::bind(names.receiver, address);
    let listener = TcpListener::bind(address).await.map_err(&bind_error)?;
    let bound = listener.local_addr().map_err(&bind_error)?;
    let task = telemetry::spawn(names.tasks[0], async move {
        accept(names, listener, shutdown, open).await;
        ended.await;
    });
    Ok(Listener::new(bound, task))
}

async fn accept<S: Session>(
    names: Names,
    listener: TcpListener,
    shutdown: CancellationToken,
    open: impl Fn(SocketAddr) -> S + Send + Sync + 'static,
) {
    let connections = Arc::new(Semaphore::new(TCP_CONNECTIONS_MAX));
    let tracker = TaskTracker::new();
    loop {
        let (accept, permit) = tokio::select! {
            () = shutdown.cancelled() => break,
            next = next_connection(&listener, &connections) => next,
        };
        match accept {
            Ok((stream, peer)) => {
                let serve = serve(names.receiver, stream, peer, permit, open(peer), shutdown.clone());
                telemetry::spawn(names.tasks[1], tracker.track_future(serve));
            }
            Err(error) => {
                tracing::warn!(receiver = names.receiver, %error, "a connection was not accepted");
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

async fn serve<S: Session>(
    receiver: &'static str,
    mut stream: TcpStream,
    peer: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
    mut session: S,
    shutdown: CancellationToken,
) {
    let open = ConnectionCount::new();
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(receiver, %peer, %error, "no keepalive on a connection");
    }
    if let Err(error) = run(&mut stream, &mut session, &shutdown).await {
        tracing::error!(receiver, %peer, %error, "messages of a connection were not stored; closing it");
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
    /// The last message ends.
    End(Ending),
}

/// Reads, stores, reads on. The end of the stream, a reset and the shutdown all end the last message, each in its way.
async fn run<S: Session>(
    stream: &mut TcpStream,
    session: &mut S,
    shutdown: &CancellationToken,
) -> Result<(), PushError> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let mut read = read(stream, &mut buffer, session.is_partial(), shutdown).await;
        match read {
            Read::Bytes(bytes) => {
                if let Err(error) = session.push(&buffer[..bytes]) {
                    tracing::warn!(error, "a stream can not be read on; closing its connection");
                    session.finish(Ending::Reset);
                    read = Read::End(Ending::Reset);
                }
            }
            Read::End(ending) => session.finish(ending),
        }
        session.store().await?;
        if matches!(read, Read::End(ending) if ending != Ending::Waited) {
            return Ok(());
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut [u8], partial: bool, shutdown: &CancellationToken) -> Read {
    tokio::select! {
        read = stream.read(buffer) => match read {
            Ok(0) => Read::End(Ending::Closed),
            Ok(bytes) => Read::Bytes(bytes),
            Err(error) => {
                tracing::debug!(%error, "a connection was cut");
                Read::End(Ending::Reset)
            }
        },
        () = tokio::time::sleep(PARTIAL_WAIT), if partial => Read::End(Ending::Waited),
        () = shutdown.cancelled() => Read::End(Ending::Shutdown),
    }
}

/// Bytes that messages hold in memory.
pub(crate) fn frames_bytes(frames: &[Frame]) -> usize {
    let bytes = |frame: &Frame| match frame {
        Frame::Message(message) => message.len(),
        Frame::Oversize { start, .. } => start.len(),
    };
    frames.iter().map(bytes).sum()
}
