//! The manifest entry of a segment.

use std::collections::{BTreeMap, BTreeSet};

use blob::BlockSums;
use column::{FieldCount, FieldType};
use model::{RowId, Table, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fields::{id_hex, table_name, tenant_name, time_ns};
use crate::{SegmentError, StreamRows, sums};

/// Where the rows of a segment belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSpec {
    /// Whose rows.
    pub tenant: TenantId,
    /// Of which table.
    pub table: Table,
    /// Of which day: [`Timestamp::day`] of every row.
    pub day: i64,
    /// 0 for a flush, one more than the highest input for a merge.
    pub level: u32,
}

/// A field of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentField {
    /// Its name.
    pub name: String,
    /// The type of its column; `None` when all its values are in the overflow.
    pub column: Option<FieldType>,
    /// How many values of which type it has.
    pub count: FieldCount,
}

/// What the catalog keeps of a segment: enough to plan a query without opening a file, and to check the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// Unique in a store: level, first row id and a hash of what went in, so a flush repeated after a crash writes the same
    /// names.
    pub id: String,
    /// Whose rows.
    #[serde(with = "tenant_name")]
    pub tenant: TenantId,
    /// Of which table.
    #[serde(with = "table_name")]
    pub table: Table,
    /// Of which day, days since the Unix epoch.
    pub day: i64,
    /// How often its rows were merged.
    pub level: u32,
    /// Number of rows; never 0.
    pub rows: u64,
    /// Earliest `_time`, nanoseconds in JSON.
    #[serde(with = "time_ns")]
    pub min_time: Timestamp,
    /// Latest `_time`.
    #[serde(with = "time_ns")]
    pub max_time: Timestamp,
    /// Smallest `_id`, 16 hexadecimal digits in JSON.
    #[serde(with = "id_hex")]
    pub min_id: RowId,
    /// Largest `_id`.
    #[serde(with = "id_hex")]
    pub max_id: RowId,
    /// Length of `<id>.parquet`.
    pub bytes_parquet: u64,
    /// XXH3-64 of `<id>.parquet`.
    pub checksum_parquet: u64,
    /// Checksums of the blocks of `<id>.parquet`. `None` in entries of older versions: then the file is checked as a whole.
    #[serde(default, with = "sums", skip_serializing_if = "Option::is_none")]
    pub blocks_parquet: Option<BlockSums>,
    /// Length of the index file; 0 when there is none, because building it failed.
    pub bytes_index: u64,
    /// XXH3-64 of the index file.
    pub checksum_index: u64,
    /// Checksums of the blocks of the index file, like those of the column file.
    #[serde(default, with = "sums", skip_serializing_if = "Option::is_none")]
    pub blocks_index: Option<BlockSums>,
    /// How often the index was rebuilt: part of its file's name, so that a rebuilt one never takes the place of a file that
    /// somebody reads.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub index_generation: u64,
    /// Bytes of the index file that are groups: values and shapes that many rows share.
    #[serde(default)]
    pub index_groups_bytes: u64,
    /// Bytes of the index file that are repeated words.
    #[serde(default)]
    pub index_terms_bytes: u64,
    /// Bytes of the index file that are filters of words that hardly repeat.
    #[serde(default)]
    pub index_filters_bytes: u64,
    /// Why there is no index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_failure: Option<String>,
    /// The fields in the order of first appearance, at most [`column::FIELD_NAMES_MAX`].
    pub fields: Vec<SegmentField>,
    /// False when there are more fields than that.
    pub fields_complete: bool,
    /// Fields of which the index lacks tokens.
    pub index_incomplete_fields: BTreeSet<String>,
    /// Rows by `severity`, for the severities that `model::Severity` names.
    pub severities: BTreeMap<String, u64>,
    /// Rows by hour of the day, UTC. `None` in entries of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<[u64; 24]>,
    /// The streams in order, with their rows. `None` when they are more than [`crate::STREAMS_LISTED_MAX`] or longer than
    /// [`crate::STREAMS_LISTED_BYTES_MAX`], and in entries of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<Vec<StreamRows>>,
}

impl SegmentMeta {
    /// Key of the column file.
    pub fn parquet_key(&self) -> String {
        parquet_key(&self.id)
    }

    /// Key of the index file: `<id>.idx`, or `<id>.idx2` when it was rebuilt twice.
    pub fn index_key(&self) -> String {
        index_key(&self.id, self.index_generation)
    }

    /// Keys of all files of the segment, those that are missing included.
    pub fn keys(&self) -> [String; 2] {
        [self.parquet_key(), self.index_key()]
    }

    /// Length of all files.
    pub fn bytes(&self) -> u64 {
        self.bytes_parquet + self.bytes_index
    }

    /// What has to hold of every entry: checked when a segment is written and when it is opened.
    pub(crate) fn check(&self) -> Result<(), SegmentError> {
        let claims = [
            (self.rows > 0, "it claims no rows"),
            (self.rows <= u64::from(u32::MAX), "it claims more rows than the index can number"),
            (self.min_time <= self.max_time, "its first time is after its last"),
            (self.min_id <= self.max_id, "its first id is after its last"),
            (self.min_time.day() == self.day && self.max_time.day() == self.day, "its times are not of its day"),
            (self.bytes_parquet > 0, "its column file is empty"),
            ((self.bytes_index == 0) == self.index_failure.is_some(), "it has no index and no reason for it"),
            (self.severities.values().sum::<u64>() <= self.rows, "it counts more severities than rows"),
            (self.hours.is_none_or(|hours| hours.iter().sum::<u64>() == self.rows), "its hours are not all its rows"),
            (self.streams_are_whole(), "its streams are not all its rows"),
        ];
        match claims.iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(SegmentError::corrupt(&self.id, format!("its manifest entry is wrong: {what}"))),
            None => Ok(()),
        }
    }

    /// Whether the listed streams follow each other without a gap and end at the last row.
    fn streams_are_whole(&self) -> bool {
        let Some(streams) = &self.streams else { return true };
        let mut next = 0u64;
        let follows = |stream: &StreamRows| {
            let follows = u64::from(stream.first_row) == next;
            next += u64::from(stream.rows);
            follows
        };
        streams.iter().all(follows) && next == self.rows
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

pub(crate) fn parquet_key(id: &str) -> String {
    format!("{id}.parquet")
}

pub(crate) fn index_key(id: &str, generation: u64) -> String {
    match generation {
        0 => format!("{id}.idx"),
        _ => format!("{id}.idx{generation}"),
    }
}
