//! Sockets and routes that receive: one file per protocol.
//!
//! **Entry points.** [`serve_syslog_udp`], [`serve_syslog_tcp`], [`serve_otlp_grpc`], [`serve_otlp_http`], [`serve_graphite_udp`],
//! [`serve_graphite_tcp`], [`serve_graphite_pickle`], [`serve_statsd_udp`] and [`serve_statsd_tcp`] bind an address and give a
//! [`Listener`]; [`otlp_http_router`], [`remote_write_router`], [`influx_router`], [`import_router`], [`collectd_router`] and
//! [`native_router`] are mounted on the HTTP port.
//!
//! **Write path.** Bytes are reserved in the pipeline's budget, read, decompressed, decoded, pushed, and answered or read on
//! only when the push is acknowledged. A body is copied once, from the connection into one buffer, and log records become
//! columns from there: over HTTP and over gRPC, whose own decoding of messages is left out.
//!
//! **Guarantees.** A sender that can be told to wait is told: 429 or RESOURCE_EXHAUSTED with the time to wait, or a TCP
//! connection that is not read. UDP has no way to push back, so its losses are counted. One sender's bad item, slow body or
//! dropped connection touches no other's. After a shutdown began, what was read is stored before the socket closes.
//!
//! StatsD alone is acknowledged by nothing and durable only after its flush: [`Statsd`] says what that means.
//!
//! **Not here.** Formats (`decode`), durability (`pipeline`, `store`), queries and the UI (`api`).

mod collectd;
mod error;
mod graphite;
mod http;
mod import;
mod influx;
mod intake;
mod lines;
mod listener;
mod native;
mod otlp_grpc;
mod otlp_grpc_logs;
mod otlp_http;
mod remote_write;
mod rpc;
mod statsd;
mod storing;
mod syslog;
mod syslog_tcp;
mod syslog_udp;
mod tcp;
mod tenant;
#[cfg(test)]
mod testing;
mod udp;

pub use collectd::collectd_router;
pub use error::ListenError;
pub use graphite::{serve_graphite_pickle, serve_graphite_tcp, serve_graphite_udp};
pub use import::import_router;
pub use influx::influx_router;
pub use intake::Intake;
pub use listener::Listener;
pub use native::native_router;
pub use otlp_grpc::{GRPC_MESSAGE_BYTES_MAX, serve_otlp_grpc};
pub use otlp_http::{HTTP_BODY_BYTES_MAX, Otlp, otlp_http_router, serve_otlp_http};
pub use remote_write::remote_write_router;
pub use statsd::{Statsd, serve_statsd_tcp, serve_statsd_udp};
pub use syslog_tcp::serve_syslog_tcp;
pub use syslog_udp::serve_syslog_udp;
pub use tcp::TCP_CONNECTIONS_MAX;
pub use tokio_util::sync::CancellationToken;
pub use udp::{UDP_QUEUE_DATAGRAMS_MAX, UDP_RECEIVE_BUFFER_BYTES};
