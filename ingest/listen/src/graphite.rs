//! Graphite: plaintext over TCP and UDP (2003), pickles over TCP (2004).

use std::net::SocketAddr;
use std::sync::Arc;

use decode::Reject;
use decode::graphite::{GRAPHITE_LINE_BYTES_MAX, GraphiteDecoder, GraphiteOptions, PickleFrames};
use pipeline::{Protocol, PushError, Source};
use tokio_util::sync::CancellationToken;

use crate::lines::{LineSession, Lines};
use crate::storing::{push_until_stored, reserve};
use crate::tcp::{Ending, Names, Session, serve_tcp};
use crate::udp::{Datagram, Datagrams, serve_udp};
use crate::{Intake, ListenError, Listener};

const UDP: Names = Names { receiver: "Graphite over UDP", tasks: ["graphite_udp_read", "graphite_udp_store"] };
const TCP: Names = Names { receiver: "Graphite over TCP", tasks: ["graphite_tcp", "graphite_tcp_connection"] };
const PICKLE: Names =
    Names { receiver: "Graphite's pickle protocol", tasks: ["graphite_pickle", "graphite_pickle_connection"] };

/// What every receiver of Graphite's needs.
#[derive(Clone)]
struct Graphite {
    intake: Intake,
    options: Arc<GraphiteOptions>,
    shutdown: CancellationToken,
}

/// Serves the plaintext protocol over UDP until `shutdown`; what the socket holds then is stored.
pub async fn serve_graphite_udp(
    address: SocketAddr,
    intake: Intake,
    options: Arc<GraphiteOptions>,
    shutdown: CancellationToken,
) -> Result<Listener, ListenError> {
    let pipeline = Arc::clone(&intake.pipeline);
    let graphite = Graphite { intake, options, shutdown: shutdown.clone() };
    serve_udp(UDP, address, pipeline, shutdown, graphite).await
}

/// Serves the plaintext protocol over TCP until `shutdown`; each connection then stores what it has read and closes.
pub async fn serve_graphite_tcp(
    address: SocketAddr,
    intake: Intake,
    options: Arc<GraphiteOptions>,
    shutdown: CancellationToken,
) -> Result<Listener, ListenError> {
    let graphite = Graphite { intake, options, shutdown: shutdown.clone() };
    let open = move |peer: SocketAddr| LineSession::new(graphite.clone(), peer);
    serve_tcp(TCP, address, shutdown, open, async {}).await
}

/// Serves the pickle protocol until `shutdown`; each connection then stores the messages that are whole and closes.
pub async fn serve_graphite_pickle(
    address: SocketAddr,
    intake: Intake,
    options: Arc<GraphiteOptions>,
    shutdown: CancellationToken,
) -> Result<Listener, ListenError> {
    let graphite = Graphite { intake, options, shutdown: shutdown.clone() };
    let open = move |peer: SocketAddr| PickleConnection {
        graphite: graphite.clone(),
        source: source(peer),
        frames: PickleFrames::default(),
        out: Vec::new(),
    };
    serve_tcp(PICKLE, address, shutdown, open, async {}).await
}

fn source(peer: SocketAddr) -> Source {
    Source { protocol: Protocol::Graphite, peer: peer.ip().to_string() }
}

impl Graphite {
    async fn store(&self, source: &Source, decode: impl Fn(&mut GraphiteDecoder<'_>)) -> Result<(), PushError> {
        let received = telemetry::clock::now();
        let decode = || {
            let mut decoder = GraphiteDecoder::new(&self.options, received);
            decode(&mut decoder);
            decoder.finish()
        };
        push_until_stored(&self.intake, source, received, &self.shutdown, decode).await
    }
}

impl Datagrams for Graphite {
    const PROTOCOL: Protocol = Protocol::Graphite;

    async fn store(&self, batch: &[Datagram]) -> Result<(), PushError> {
        let source = Source { protocol: <Self as Datagrams>::PROTOCOL, peer: String::new() };
        let decode = |decoder: &mut GraphiteDecoder<'_>| {
            batch.iter().for_each(|datagram| decoder.lines(&datagram.bytes, &datagram.peer.to_string()));
        };
        Graphite::store(self, &source, decode).await
    }
}

impl Lines for Graphite {
    const PROTOCOL: Protocol = Protocol::Graphite;
    const LINE_BYTES_MAX: usize = GRAPHITE_LINE_BYTES_MAX;

    fn intake(&self) -> &Intake {
        &self.intake
    }

    fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    async fn store_lines(&self, source: &Source, lines: &[&[u8]], refused: Vec<Reject>) -> Result<(), PushError> {
        let decode = |decoder: &mut GraphiteDecoder<'_>| {
            lines.iter().for_each(|line| decoder.line(line, ""));
            decoder.rejects(refused.iter().cloned());
        };
        Graphite::store(self, source, decode).await
    }
}

/// A connection of pickles.
struct PickleConnection {
    graphite: Graphite,
    source: Source,
    frames: PickleFrames,
    out: Vec<Vec<u8>>,
}

impl Session for PickleConnection {
    fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.out.extend(self.frames.push(bytes).map_err(|error| error.to_string())?);
        Ok(())
    }

    fn finish(&mut self, _: Ending) {
        // Half a pickle is refused like any other that can not be read.
        let rest = self.frames.finish();
        if !rest.is_empty() {
            self.out.push(rest);
        }
    }

    fn is_partial(&self) -> bool {
        self.frames.pending_bytes() > 0
    }

    async fn store(&mut self) -> Result<(), PushError> {
        let messages = std::mem::take(&mut self.out);
        if messages.is_empty() {
            return Ok(());
        }
        let Graphite { intake, shutdown, .. } = &self.graphite;
        let bytes = messages.iter().map(Vec::len).sum();
        let _room = reserve(&intake.pipeline, &self.source, bytes, shutdown).await?;
        let decode =
            |decoder: &mut GraphiteDecoder<'_>| messages.iter().for_each(|message| decoder.pickle(message, ""));
        self.graphite.store(&self.source, decode).await
    }
}

#[cfg(test)]
mod tests;
