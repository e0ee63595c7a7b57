//! What syslog over UDP and over TCP share.

use std::time::Duration;

use decode::syslog::{SyslogOptions, decode, oversize};
use decode::{Decoded, Frame};
use model::{TenantId, Timestamp};
use pipeline::{Pipeline, PushError, Source};
use telemetry::metrics::TRUNCATED_ITEMS;
use tokio_util::sync::CancellationToken;

/// How long a stopping receiver tries to store what it has read while the store is busy.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Decodes a message into `decoded`; `peer` goes to its reject.
pub(crate) fn decode_frame(frame: &Frame, peer: &str, received: Timestamp, decoded: &mut Decoded) {
    let result = match frame {
        Frame::Message(message) => decode(message, received, &SyslogOptions::default()),
        Frame::Oversize { start, bytes } => {
            TRUNCATED_ITEMS.add(1);
            Err(oversize(start, *bytes))
        }
    };
    match result {
        Ok(row) => decoded.logs.push(row),
        Err(mut reject) => {
            peer.clone_into(&mut reject.peer);
            decoded.rejects.push(reject);
        }
    }
}

/// Pushes what `decode` makes, again and again while the store is busy: the caller does not read on meanwhile, which is
/// syslog's only way to push back. Gives up only when the receiver stops or the store has failed.
pub(crate) async fn push_until_stored(
    pipeline: &Pipeline,
    source: &Source,
    received: Timestamp,
    shutdown: &CancellationToken,
    decode: impl Fn() -> Decoded,
) -> Result<(), PushError> {
    let tenant = TenantId::default();
    let mut stopping_for = Duration::ZERO;
    loop {
        let pushed = pipeline.push(&tenant, source, received, decode()).await;
        let Err(error) = pushed else { return Ok(()) };
        let PushError::Busy { retry_after_ms, .. } = error else { return Err(error) };
        if shutdown.is_cancelled() && stopping_for >= SHUTDOWN_PATIENCE {
            return Err(error);
        }
        let pause = Duration::from_millis(retry_after_ms.max(1));
        tokio::time::sleep(pause).await;
        if shutdown.is_cancelled() {
            stopping_for += pause;
        }
    }
}
