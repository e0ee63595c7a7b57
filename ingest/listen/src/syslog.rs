//! What syslog over UDP and over TCP share.

use decode::syslog::{SyslogOptions, decode, oversize};
use decode::{Decoded, Frame};
use model::Timestamp;
use telemetry::metrics::TRUNCATED_ITEMS;

/// Decodes a message of a stream into `decoded`.
pub(crate) fn decode_frame(frame: &Frame, received: Timestamp, decoded: &mut Decoded) {
    match frame {
        Frame::Message(message) => decode_message(message, "", received, decoded),
        Frame::Oversize { start, bytes } => {
            TRUNCATED_ITEMS.add(1);
            decoded.rejects.push(oversize(start, *bytes));
        }
    }
}

/// Decodes a message into `decoded`; `peer` goes to its reject.
pub(crate) fn decode_message(message: &[u8], peer: &str, received: Timestamp, decoded: &mut Decoded) {
    match decode(message, received, &SyslogOptions::default()) {
        Ok(row) => decoded.logs.push(row),
        Err(mut reject) => {
            peer.clone_into(&mut reject.peer);
            decoded.rejects.push(reject);
        }
    }
}
