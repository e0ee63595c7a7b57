//! Segments as the catalog knows them, as files, and as open readers.

use std::collections::BTreeSet;

use blob::LocalDir;
use catalog::{SegmentRow, SegmentState};
use segment::{Segment, SegmentError, SegmentMeta};

use crate::{DamagedSegment, StoreError};

/// The catalog's row of a new segment.
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
        min_time: row.min_time,
        max_time: row.max_time,
        rows: row.rows,
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

/// Deletes the files of a segment.
pub(crate) fn remove(dir: &LocalDir, meta: &SegmentMeta) -> Result<(), StoreError> {
    for key in meta.keys() {
        dir.delete(&key)?;
    }
    Ok(())
}

/// Deletes the files that belong to no segment of the catalog: what a crash left of a flush or a merge.
pub(crate) fn remove_orphans(dir: &LocalDir, known: &[SegmentRow]) -> Result<u64, StoreError> {
    let ids: BTreeSet<&str> = known.iter().map(|row| row.id.as_str()).collect();
    let mut removed = 0;
    for key in dir.list("")? {
        let id = key.rsplit_once('.').map_or(key.as_str(), |(id, _)| id);
        if !ids.contains(id) && dir.delete(&key)? {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Which segment an error is about.
pub(crate) fn segment_of(error: &SegmentError) -> Option<&str> {
    match error {
        SegmentError::Blob { id, .. }
        | SegmentError::Columns { id, .. }
        | SegmentError::Index { id, .. }
        | SegmentError::Corrupt { id, .. }
        | SegmentError::NoIndex { id } => Some(id),
        SegmentError::Rows { .. } => None,
    }
}
