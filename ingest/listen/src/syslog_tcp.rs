//! Syslog over TCP.

use std::net::SocketAddr;

use decode::{Decoded, Frame, Frames};
use pipeline::{Protocol, PushError, Source};
use tokio_util::sync::CancellationToken;

use crate::storing::{push_until_stored, reserve};
use crate::syslog::decode_frame;
use crate::tcp::{Ending, Names, Session, frames_bytes, serve_tcp};
use crate::{Intake, ListenError, Listener};

const NAMES: Names = Names { receiver: "syslog over TCP", tasks: ["syslog_tcp", "syslog_tcp_connection"] };

/// Serves until `shutdown`; each connection then stores what it has read and closes.
pub async fn serve_syslog_tcp(
    address: SocketAddr,
    intake: Intake,
    shutdown: CancellationToken,
) -> Result<Listener, ListenError> {
    let stop = shutdown.clone();
    let open = move |peer: SocketAddr| Connection {
        intake: intake.clone(),
        source: Source { protocol: Protocol::SyslogTcp, peer: peer.ip().to_string() },
        shutdown: stop.clone(),
        frames: Frames::default(),
        out: Vec::new(),
    };
    serve_tcp(NAMES, address, shutdown, open, async {}).await
}

struct Connection {
    intake: Intake,
    source: Source,
    shutdown: CancellationToken,
    frames: Frames,
    out: Vec<Frame>,
}

impl Session for Connection {
    fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.frames.push(bytes, &mut self.out);
        Ok(())
    }

    // A log line that was cut says more than none.
    fn finish(&mut self, _: Ending) {
        self.frames.finish(&mut self.out);
    }

    fn is_partial(&self) -> bool {
        self.frames.pending_bytes() > 0
    }

    async fn store(&mut self) -> Result<(), PushError> {
        let frames = std::mem::take(&mut self.out);
        if frames.is_empty() {
            return Ok(());
        }
        let received = telemetry::clock::now();
        let _room = reserve(&self.intake.pipeline, &self.source, frames_bytes(&frames), &self.shutdown).await?;
        let decode = || {
            let mut decoded = Decoded::default();
            for frame in &frames {
                decode_frame(frame, received, &mut decoded);
            }
            decoded
        };
        push_until_stored(&self.intake, &self.source, received, &self.shutdown, decode).await
    }
}

#[cfg(test)]
mod tests;
