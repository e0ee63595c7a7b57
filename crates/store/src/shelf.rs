//! Segments as the catalog knows them, as files, and as open readers.

use std::sync::Arc;

use blob::LocalDir;
use catalog::{DeletedRows, SegmentRow, SegmentState};
use roaring::RoaringBitmap;
use segment::{Segment, SegmentMeta};

use crate::{DamagedSegment, StoreError};

/// Files that left the catalog, and the reader that still has them open.
#[derive(Debug)]
pub(crate) struct Grave {
    pub(crate) segment: Arc<Segment>,
    pub(crate) keys: Vec<String>,
}

/// The catalog's row of a segment in use.
pub(crate) fn row_of(meta: &SegmentMeta) -> SegmentRow {
    SegmentRow {
        id: meta.id.clone(),
        tenant: meta.tenant.clone(),
        table: meta.table,
        day: meta.day,
        level: meta.level,
        rows: meta.rows,
        min_time: meta.min_time,
        max_time: meta.max_time,
        bytes: meta.bytes(),
        state: SegmentState::Live,
        meta: serde_json::to_string(meta).unwrap_or_default(), // a struct of numbers and texts always has a JSON form
    }
}

/// A segment of the catalog that is out of use.
pub(crate) fn damaged_of(row: &SegmentRow, reason: String) -> DamagedSegment {
    DamagedSegment {
        id: row.id.clone(),
        tenant: row.tenant.clone(),
        table: row.table,
        day: row.day,
        min_time: row.min_time,
        max_time: row.max_time,
        rows: row.rows,
        bytes: row.bytes,
        reason,
    }
}

/// Opens a segment of the catalog. The inner error is damage, which concerns this segment only.
pub(crate) fn open(dir: &LocalDir, row: &SegmentRow) -> Result<Result<Segment, String>, StoreError> {
    let meta: SegmentMeta = match serde_json::from_str(&row.meta) {
        Ok(meta) => meta,
        Err(e) => return Ok(Err(format!("its description in the catalog is unreadable: {e}"))),
    };
    match Segment::open(dir, meta) {
        Ok(segment) => Ok(Ok(segment)),
        Err(e) if e.is_corrupt() => Ok(Err(e.to_string())),
        Err(e) => Err(e.into()),
    }
}

/// Deletes files; one that is gone already is fine.
pub(crate) fn remove(dir: &LocalDir, keys: &[String]) -> Result<(), StoreError> {
    for key in keys {
        dir.delete(key)?;
    }
    Ok(())
}

/// The files of a segment of which nothing but the id is known.
pub(crate) fn keys_of(dir: &LocalDir, id: &str) -> Result<Vec<String>, StoreError> {
    let of_segment = |key: &String| key.strip_prefix(id).is_some_and(|rest| rest.starts_with('.'));
    Ok(dir.list("")?.into_iter().filter(of_segment).collect())
}

/// Deleted rows for the catalog.
pub(crate) fn deleted_row(segment: &str, rows: &RoaringBitmap) -> DeletedRows {
    let mut bitmap = Vec::with_capacity(rows.serialized_size());
    drop(rows.serialize_into(&mut bitmap)); // writing to memory does not fail
    DeletedRows { segment: segment.to_owned(), rows: rows.len(), bitmap }
}

/// Deleted rows from the catalog.
pub(crate) fn deleted_bitmap(row: &DeletedRows) -> Result<RoaringBitmap, String> {
    match RoaringBitmap::deserialize_from(&row.bitmap[..]) {
        Ok(rows) if rows.len() == row.rows => Ok(rows),
        Ok(rows) => Err(format!("its list of deleted rows has {} and should have {}", rows.len(), row.rows)),
        Err(error) => Err(format!("its list of deleted rows in the catalog is unreadable: {error}")),
    }
}
