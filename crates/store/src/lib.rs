//! The store: everything that is acknowledged, durable and searchable, on one machine, in one directory.
//!
//! **Entry points.** [`Store::open`], [`Store::append`] for writers, [`Store::snapshot`] and [`Store::series`] for readers,
//! [`Store::freeze_for_delete`] for who deletes, [`Store::maintain_memory`] and [`Store::maintain_segments`] for the threads
//! that keep house. Everything above this crate goes through [`Store`].
//!
//! **Write path.** `append` packs the batches, rows or columns, into one log record (module `codec`) and queues it. Once the
//! log has synced the record, the thread `store-apply` puts the rows into the memtable and the samples into the series
//! database, and then resolves the [`Ack`]: what is acknowledged is durable *and* visible. A row's id is its record's log
//! number and its place in the record, so a replay gives it the same id again.
//!
//! **Memtable.** Chunks of columns as they came ([`Chunk`]); rows and small batches wait in a tail that becomes columns when it
//! is long enough, or when somebody reads it. Small chunks are joined when they are read, never on the way to a segment.
//!
//! **Flush** (module `flush`), in this order, each step durable before the next begins:
//! 1. freeze the memtable at log number X; it stays readable;
//! 2. write its chunks as segments by tenant, table and UTC day; flush the series database;
//! 3. one catalog transaction: the new segments, and "the log is consumed up to X";
//! 4. swap the frozen memtable for the segments, in one step under the lock that snapshots take;
//! 5. delete log files that hold only records up to X.
//!
//! A crash between 1 and 3 leaves files that no catalog names: the next start removes them and replays. A crash after 3
//! replays only what is behind X. **Merge** rewrites small segments of one partition into one and swaps them in one catalog
//! transaction (module `due` says which). **Retention** drops whole segments by age and whole days by size, and deletes rows of
//! streams. **Deletes** are row numbers in the catalog, committed in one transaction: gone from every later snapshot, and from
//! the files at the next merge. Files are deleted when the last snapshot that uses them is gone. A flush needs none of the
//! locks of the others, so a long merge does not hold it up.
//!
//! **Read path.** [`Snapshot`] is the segments, their deleted rows and the memtable at one instant: every acknowledged row is
//! in it exactly once, also while a flush or a merge runs.
//!
//! **Guarantees.** An acknowledged row is there once, after any crash, until it is deleted or past its retention. A write error
//! acknowledges nothing more ([`Store::fault`]); the process must end. Damage is never silent: it is in [`StoreStats`], in the
//! catalog's list of losses and in each [`Snapshot`] that it touches; a damaged index costs time and no rows, and
//! [`Store::repair`] builds it again. A segment that no catalog names is deleted only when its rows are surely elsewhere
//! (module `orphans`). A second process is refused ([`StoreError::Locked`]). Memory is bounded: over the limit, `append`
//! answers [`AppendError::Busy`].
//!
//! **Not here.** The meaning of fields and queries (`engine`), decoding (`decode`), deduplication of client retries, the clock:
//! time comes in as an argument.

mod ack;
mod chunk;
mod codec;
mod delete;
mod due;
mod error;
mod flush;
mod follow;
mod gate;
mod home;
mod memtable;
mod merge;
mod open;
mod options;
mod orphans;
mod repair;
mod retain;
mod shelf;
mod snapshot;
mod stats;
mod store;
#[cfg(test)]
mod tests;
mod verify;

pub use ack::Ack;
pub use chunk::Chunk;
pub use codec::{CodecError, decode_batches, encode_batches};
pub use delete::{DeleteReport, Frozen};
pub use error::{AppendError, StoreError};
pub use flush::FlushReport;
pub use follow::{FOLLOWER_BYTES_MAX, FOLLOWER_ROWS_MAX, Follower};
pub use options::{Retention, Step, StepHook, StoreOptions, StreamRetention};
pub use repair::{Repair, RepairOutcome};
pub use snapshot::Snapshot;
pub use stats::{DamagedSegment, StoreStats};
pub use store::{ROWS_PER_APPEND_MAX, Store};
pub use verify::VerifyReport;
