//! What the store says about itself.

use model::{Table, TenantId, Timestamp};

/// The store at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreStats {
    /// Rows in memory, not yet in segments.
    pub memtable_rows: u64,
    /// Memory of rows and samples that are on their way or not yet in segments or blocks.
    pub memtable_bytes: usize,
    /// Live segments.
    pub segments: usize,
    /// Rows in them.
    pub segment_rows: u64,
    /// Those of them that are deleted and go at the next merge.
    pub deleted_rows: u64,
    /// Bytes of their files.
    pub segment_bytes: u64,
    /// Log records up to this one are in segments.
    pub flushed_lsn: u64,
    /// Log records up to this one are visible.
    pub applied_lsn: u64,
    /// Bytes of the log's files.
    pub wal_bytes: u64,
    /// Log records that this start replayed.
    pub replayed_records: u64,
    /// Unacknowledged tails that this start cut from the log.
    pub torn_tails: u64,
    /// Files of segments that this start found, that no catalog names, and that may hold rows that are nowhere else: they were
    /// moved to the folder `orphans`.
    pub orphans: u64,
    /// Damaged regions of the log that this start found, in words.
    pub wal_damage: Vec<String>,
    /// Segments that are out of use because they are damaged.
    pub damaged_segments: Vec<DamagedSegment>,
    /// Metric series that were refused because of a limit, since the start.
    pub series_rejected: u64,
    /// Why the store is out of use, if it is; see [`crate::Store::fault`].
    pub fault: Option<String>,
}

/// A segment that queries do not read because it is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedSegment {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which table.
    pub table: Table,
    /// Of which day: days since the Unix epoch, UTC.
    pub day: i64,
    /// Time of its oldest row.
    pub min_time: Timestamp,
    /// Time of its newest row.
    pub max_time: Timestamp,
    /// Rows that are missing from queries.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// What was found.
    pub reason: String,
}
