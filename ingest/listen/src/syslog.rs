//! What syslog over UDP and over TCP share.

use decode::syslog::{SyslogOptions, decode, oversize};
use decode::{Decoded, Frame};
use model::Timestamp;
use telemetry::metrics::TRUNCATED_ITEMS;

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
