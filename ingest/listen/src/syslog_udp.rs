//! Syslog over UDP.

use std::net::SocketAddr;
use std::sync::Arc;

use decode::Decoded;
use pipeline::{Protocol, PushError, Source};
use tokio_util::sync::CancellationToken;

use crate::storing::push_until_stored;
use crate::syslog::decode_message;
use crate::tcp::Names;
use crate::udp::{Datagram, Datagrams, serve_udp};
use crate::{Intake, ListenError, Listener};

const NAMES: Names = Names { receiver: "syslog over UDP", tasks: ["syslog_udp_read", "syslog_udp_store"] };

/// Serves until `shutdown`; what the socket holds then is stored.
pub async fn serve_syslog_udp(
    address: SocketAddr,
    intake: Intake,
    shutdown: CancellationToken,
) -> Result<Listener, ListenError> {
    let pipeline = Arc::clone(&intake.pipeline);
    let syslog = SyslogUdp { intake, shutdown: shutdown.clone() };
    serve_udp(NAMES, address, pipeline, shutdown, syslog).await
}

struct SyslogUdp {
    intake: Intake,
    shutdown: CancellationToken,
}

impl Datagrams for SyslogUdp {
    const PROTOCOL: Protocol = Protocol::SyslogUdp;

    async fn store(&self, batch: &[Datagram]) -> Result<(), PushError> {
        let received = telemetry::clock::now();
        let source = Source { protocol: Self::PROTOCOL, peer: String::new() };
        let decode = || {
            let mut decoded = Decoded::default();
            for datagram in batch {
                decode_message(&datagram.bytes, &datagram.peer.to_string(), received, &mut decoded);
            }
            decoded
        };
        push_until_stored(&self.intake, &source, received, &self.shutdown, decode).await
    }
}

#[cfg(test)]
mod tests;
