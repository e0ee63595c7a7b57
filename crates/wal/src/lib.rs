//! A durable, append-only log of opaque payloads: what is acknowledged here survives a power cut.
//!
//! **Entry points.** [`Wal::open`] scans a directory and gives the log and a [`Replay`] of what is in it; [`Wal::append`]
//! queues a payload and gives a [`Ticket`]; [`Wal::truncate_before`] deletes whole files that are no longer needed.
//!
//! **Write path.** `append` numbers the payload (its LSN) and queues it. One thread, `wal-writer`, takes what is queued,
//! writes it in one piece, calls `fdatasync` once, and then resolves all tickets: group commit. Files are preallocated, so
//! that a write can not meet a full disk; a full disk shows when the next file is made, before anything is written.
//!
//! **Read path.** Every start reads every file and checks every record (module `scan`).
//!
//! **Guarantees.**
//! - A ticket resolves to `Ok` only after an `fdatasync` that covered its record.
//! - A failed write or sync resolves the whole group with an error and poisons the log for good: the kernel may have thrown
//!   the dirty pages away, so a later sync that succeeds proves nothing. The process must end and replay.
//! - A full queue refuses ([`WalError::Busy`]) and a full disk refuses ([`WalError::DiskFull`]); neither blocks nor poisons.
//! - A tail that was never acknowledged is cut and counted. Damage to anything that may have been acknowledged is reported in
//!   [`ReplayReport`], its bytes copied to the folder `quarantine`, and every sound record behind it is replayed.
//! - Dropping the log first writes what is queued.
//!
//! A record carries, next to its own LSN, the highest LSN known to be durable when it was written. That tells a hole in a
//! group that was never acknowledged (a power cut persists blocks in any order) from a hole in acknowledged data.
//!
//! **Not here.** What a payload means, ids of rows, deduplication (`store`); replication.

mod disk;
mod error;
pub mod fault;
mod record;
mod replay;
mod scan;
#[cfg(test)]
mod tests;
mod ticket;
mod wal;
mod writer;

pub use disk::{Disk, LocalDisk, LogFile};
pub use error::WalError;
pub use record::{PAYLOAD_BYTES_MAX, Payload};
pub use replay::{Damage, Record, Replay, ReplayReport};
pub use ticket::{Resolver, Ticket};
pub use wal::{Wal, WalOptions};
