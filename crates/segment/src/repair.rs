//! Looking for damage, and mending what can be mended: the index can be built again from the columns.

use blob::LocalDir;
use column::{Projection, rows_from_batch};
use index::IndexWriter;
use model::{Row, Timestamp};

use crate::write::write_index;
use crate::{Segment, SegmentError, SegmentMeta};

impl Segment {
    /// Reads both files whole, whatever was checked before: checksums, that every value can be decoded, the order of the
    /// rows, the times, ids and numbers of the manifest, and every posting.
    pub fn verify(&self) -> Result<(), SegmentError> {
        let meta = self.meta();
        let corrupt = |what: String| SegmentError::corrupt(&meta.id, what);
        let columns = self.checked_columns()?;
        let mut last: Option<Row> = None;
        let mut times: Option<(Timestamp, Timestamp)> = None;
        let mut rows = 0;
        for batch in columns.read(&Projection::All, None).map_err(SegmentError::columns(&meta.id))? {
            for row in rows_from_batch(&batch.map_err(SegmentError::columns(&meta.id))?) {
                let key = |row: &Row| (row.stream.clone(), row.time, row.id);
                if last.as_ref().is_some_and(|last| key(last) > key(&row)) {
                    return Err(corrupt(format!("row {rows} is out of order")));
                }
                if row.id < meta.min_id || row.id > meta.max_id {
                    return Err(corrupt(format!("row {rows} has the id {} outside the manifest's", row.id)));
                }
                let (min, max) = times.unwrap_or((row.time, row.time));
                times = Some((min.min(row.time), max.max(row.time)));
                rows += 1;
                last = Some(row);
            }
        }
        if rows != meta.rows || times != Some((meta.min_time, meta.max_time)) {
            return Err(corrupt(format!("{rows} rows with the times {times:?} are not what the manifest says")));
        }
        match meta.bytes_index {
            0 => Ok(()),
            _ => self.checked_index()?.verify().map_err(SegmentError::index(&meta.id)),
        }
    }
}

/// Builds the index of a segment again from its columns, which are checked first, and replaces the file. Returns the entry
/// that the catalog has to keep from now on. The old index may be missing or damaged.
pub fn rebuild_index(dir: &LocalDir, meta: &SegmentMeta) -> Result<SegmentMeta, SegmentError> {
    let mut without = meta.clone();
    without.bytes_index = 0;
    without.index_failure = Some("it is being rebuilt".to_owned());
    let segment = Segment::open(dir, without.clone())?;
    let mut index = IndexWriter::new();
    for batch in segment.read(&Projection::All, None)? {
        for row in rows_from_batch(&batch?) {
            if let Ok(writer) = &mut index
                && let Err(error) = writer.add(&row)
            {
                index = Err(error);
            }
        }
    }
    write_index(dir, &meta.id, index)?.note(&mut without);
    without.check()?;
    Ok(without)
}
