//! Looking for damage, and mending what can be mended: the index can be built again from the columns.

use blob::LocalDir;
use column::Projection;
use index::IndexWriter;

use crate::open::damaged;
use crate::totals::Totals;
use crate::write::{add_to_index, write_index};
use crate::{Segment, SegmentError, SegmentMeta};

impl Segment {
    /// Reads both files whole, whatever was checked before: every block's checksum, that every value can be decoded, the
    /// order of the rows, the times, ids, streams and numbers of the manifest, and every posting.
    /// [`SegmentError::IndexDamaged`] says that only the index is affected.
    pub fn verify(&self) -> Result<(), SegmentError> {
        let meta = self.meta();
        self.columns_map().verify_all().map_err(|error| damaged(&meta.id, error))?;
        let mut totals = Totals::new(meta.day);
        for batch in self.read(&Projection::All, None)? {
            totals.add(&batch?).map_err(|error| SegmentError::corrupt(&meta.id, error.to_string()))?;
        }
        if let Some(what) = difference(meta, &totals) {
            return Err(SegmentError::corrupt(&meta.id, format!("the manifest has other {what} than the rows")));
        }
        match self.index_map() {
            Err(SegmentError::NoIndex { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(file) => {
                file.verify_all().map_err(|error| self.index_damaged(error))?;
                self.index()?.verify().map_err(|error| self.index_damaged(error))
            }
        }
    }
}

/// What a manifest entry says otherwise than the rows do. What older versions did not write is not compared.
fn difference(meta: &SegmentMeta, totals: &Totals) -> Option<&'static str> {
    let claims = [
        (meta.rows == totals.rows, "numbers of rows"),
        ((meta.min_time, meta.max_time) == (totals.min_time, totals.max_time), "times"),
        ((meta.min_id, meta.max_id) == (totals.min_id, totals.max_id), "ids"),
        (meta.severities == totals.severities, "severities"),
        (meta.hours.is_none_or(|hours| hours == totals.hours), "rows by hour"),
        (meta.streams.as_ref().is_none_or(|streams| Some(streams) == totals.streams()), "streams"),
    ];
    claims.iter().find(|(holds, _)| !holds).map(|(_, what)| *what)
}

/// Builds the index of a segment again from its columns, under a new name: whoever reads the old file goes on reading it,
/// and a crash leaves the old entry with the old file. Returns the entry that the catalog has to keep from now on; after
/// that, the file of the old entry's [`SegmentMeta::index_key`] can be deleted. The old index may be missing or damaged.
pub fn rebuild_index(dir: &LocalDir, meta: &SegmentMeta) -> Result<SegmentMeta, SegmentError> {
    let mut rebuilt = meta.clone();
    rebuilt.bytes_index = 0;
    rebuilt.index_failure = Some("it is being rebuilt".to_owned());
    rebuilt.index_generation += 1;
    let segment = Segment::open(dir, rebuilt.clone())?;
    let mut index = IndexWriter::for_rows(meta.rows);
    for batch in segment.read(&Projection::All, None)? {
        add_to_index(&mut index, &batch?);
    }
    write_index(dir, &meta.id, rebuilt.index_generation, index)?.note(&mut rebuilt);
    rebuilt.check()?;
    Ok(rebuilt)
}
