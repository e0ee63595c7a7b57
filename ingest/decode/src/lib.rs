//! Bytes on the wire to rows and samples: one file per format.
//!
//! **Entry points.** [`syslog::decode`] reads one message, and [`Frames`] cuts a TCP stream into messages; [`otlp`] reads the
//! three OpenTelemetry requests in both encodings; [`remote_write`] and [`remote_read`] read those of Prometheus, and the latter
//! writes the answers too, with [`ProtoWriter`]; [`exposition`] reads what targets of a scrape answer; [`influx`], [`graphite`], [`collectd`]
//! and [`statsd`] read metrics of other systems; [`decode_lines`] reads text files (JSON lines, logfmt, syslog, raw) and
//! [`detect`] tells which of them a text is; [`decompress`] undoes a content encoding within limits.
//!
//! **Read path.** Every decoder makes a [`Decoded`]: rows for a table, columns of rows (OTLP logs as protobuf, which come in
//! masses) or samples, and beside them the [`Reject`]s, each with its reason and its bytes, for the quarantine table.
//!
//! **Guarantees.** Pure: no clock (the time of receipt is an argument), no network, no global state. No input panics. A
//! bad item never takes its neighbours with it, and nothing is lost: what is not understood is either a record whose body is
//! the whole input, or a reject. Every size is capped by a named constant.
//!
//! **Not here.** Sockets and status codes (`listen`), batching and durability (`pipeline`, `store`).

mod collect;
pub mod collectd;
mod decoded;
mod decompress;
pub mod exposition;
mod frame;
pub mod graphite;
pub mod influx;
mod json;
mod known;
mod lines;
pub mod otlp;
mod prom_name;
mod put;
pub mod remote_read;
pub mod remote_write;
mod snappy;
pub mod statsd;
pub mod syslog;
mod wire;

pub use decoded::{Decoded, OverLimit, QUARANTINE_BODY_BYTES_MAX, REASON_BYTES_MAX, Reject, readable};
pub use decompress::{
    DECOMPRESSED_BYTES_MAX, DECOMPRESSION_RATIO_FLOOR_BYTES, DECOMPRESSION_RATIO_MAX, DecompressError, Encoding,
    decompress,
};
pub use frame::{Frame, Frames, MESSAGE_BYTES_MAX};
pub use known::{KnownSeries, NoSeries};
pub use lines::{DETECT_LINES_MAX, Format, LineOptions, decode_line, decode_lines, detect};
pub use put::ProtoWriter;
pub use snappy::{SNAPPY_DECODED_BYTES_MAX, SNAPPY_RATIO_MAX, recycle};
