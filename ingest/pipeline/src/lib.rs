//! From decoded items to durable rows: the one door between the receivers and the store.
//!
//! **Entry point.** [`Pipeline`]: [`Pipeline::reserve`] asks for memory before a request is read, [`Pipeline::push`] stores what
//! was decoded and resolves when it is durable and visible.
//!
//! **Write path.** Good items become batches of their tables, rows as rows and columns as columns; the rejects among them become
//! rows of the quarantine table *in the same append*; the store acknowledges all of it or nothing. Module `cut` keeps appends
//! within limits.
//!
//! Samples over a limit of the store become rejects before ([`Pipeline::admit`]): their senders are told each time, the log and the
//! quarantine once in a while.
//!
//! Log records go through the parse rules first, if there are any ([`ParseRules`]).
//!
//! **Guarantees.** `Ok` means durable. [`PushError::Busy`] means that nothing was taken and when to try again; no caller ever
//! has to drop silently. Bytes in flight are bounded by [`IN_FLIGHT_BYTES_MAX`], whatever the number of connections.
//!
//! **Not here.** Sockets and status codes (`listen`); formats (`decode`); the log and the tables (`store`).

mod admit;
mod budget;
mod cut;
mod error;
mod push;
mod rules;

pub use admit::{REFUSAL_AGAIN, REFUSED_METRICS_TOLD_MAX, REFUSED_SERIES_TOLD_MAX};
pub use budget::Reservation;
pub use error::PushError;
pub use push::{Accepted, Begun, Pipeline, Protocol, Source};
pub use rules::ParseRules;

/// Bytes of requests that may be in flight at once, decompressed: read from a socket and not yet acknowledged. The default of
/// [`PipelineOptions`].
pub const IN_FLIGHT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Rows of one append, by their size in memory; a larger request becomes several appends, in slices of its batches. Well below the store's limit of an
/// append, so that a request that passed the limit of its edge is never too large for the store.
pub const APPEND_BYTES_MAX: usize = 16 * 1024 * 1024;

/// UTC days that the rows of one append fall on. Senders with a wrong clock or a long memory send many; a request of more days
/// is stored day by day, in several appends. Below the store's own limit, so that no request is refused for its times.
pub const APPEND_DAYS_MAX: usize = 500;

/// How long the later appends of one large request wait for room, in milliseconds. The first ones are already taken, so a
/// refusal would make the sender repeat them.
pub const LATER_APPEND_WAIT_MS_MAX: u64 = 30_000;

/// When to try again after the bytes in flight were used up, in milliseconds: about a group commit or two.
pub const RETRY_IN_FLIGHT_MS: u64 = 200;

const _: () = assert!(APPEND_BYTES_MAX < IN_FLIGHT_BYTES_MAX);

/// Settings of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineOptions {
    /// Bytes of requests in flight before senders are told to wait.
    pub in_flight_bytes_max: usize,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self { in_flight_bytes_max: IN_FLIGHT_BYTES_MAX }
    }
}
