//! Sockets and routes that receive: one file per protocol.
//!
//! **Entry points.** [`serve_syslog_udp`], [`serve_syslog_tcp`], [`serve_otlp_grpc`] and [`serve_otlp_http`] bind an address and
//! give a [`Listener`]; [`otlp_http_router`], [`remote_write_router`] and [`native_router`] are mounted on the HTTP port by `api`.
//!
//! **Write path.** Bytes are reserved in the pipeline's budget, read, decompressed, decoded, pushed, and answered or read on
//! only when the push is acknowledged. A body is copied once, from the connection into one buffer, and log records become
//! columns from there: over HTTP and over gRPC, whose own decoding of messages is left out.
//!
//! **Guarantees.** A sender that can be told to wait is told: 429 or RESOURCE_EXHAUSTED with the time to wait, or a TCP
//! connection that is not read. UDP has no way to push back, so its losses are counted. One sender's bad item, slow body or
//! dropped connection touches no other's. After a shutdown began, what was read is stored before the socket closes.
//!
//! **Not here.** Formats (`decode`), durability (`pipeline`, `store`), queries and the UI (`api`).

mod error;
mod http;
mod listener;
mod native;
mod otlp_grpc;
mod otlp_grpc_logs;
mod otlp_http;
mod remote_write;
mod rpc;
mod syslog;
mod syslog_tcp;
mod syslog_udp;
mod tenant;
#[cfg(test)]
mod testing;

pub use error::ListenError;
pub use listener::Listener;
pub use native::native_router;
pub use otlp_grpc::{GRPC_MESSAGE_BYTES_MAX, serve_otlp_grpc};
pub use otlp_http::{HTTP_BODY_BYTES_MAX, otlp_http_router, serve_otlp_http};
pub use remote_write::remote_write_router;
pub use syslog_tcp::{SYSLOG_TCP_CONNECTIONS_MAX, serve_syslog_tcp};
pub use syslog_udp::{UDP_QUEUE_DATAGRAMS_MAX, UDP_RECEIVE_BUFFER_BYTES, serve_syslog_udp};
pub use tokio_util::sync::CancellationToken;
