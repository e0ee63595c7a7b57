//! Many segments to one, row by row in order, so that memory holds a batch of each and not their rows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use blob::LocalDir;
use column::{FieldCounts, Projection, rows_from_batch};
use model::{Row, RowId, Timestamp};
use xxhash_rust::xxh3::Xxh3;

use crate::write::{SegmentWriter, chunks, segment_id};
use crate::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, Segment, SegmentBatches, SegmentError, SegmentMeta, SegmentSpec};

/// Writes the rows of segments of one partition as one segment. `spec.level` should be above the inputs'.
pub fn merge_segments(
    dir: &LocalDir,
    spec: &SegmentSpec,
    inputs: &[Arc<Segment>],
) -> Result<SegmentMeta, SegmentError> {
    let mut counts = FieldCounts::new();
    let mut hash = Xxh3::new();
    let mut min_id = RowId(u64::MAX);
    for input in inputs {
        let meta = input.meta();
        hash.update(meta.id.as_bytes());
        min_id = min_id.min(meta.min_id);
        meta.fields.iter().for_each(|field| counts.add_count(&field.name, field.count));
        if !meta.fields_complete {
            counts.set_truncated();
        }
    }
    let mut writer = SegmentWriter::new(dir, spec, segment_id(spec, min_id, hash), counts)?;
    let mut pending: Vec<Row> = Vec::new();
    let mut bytes = 0;
    for row in Merged::new(inputs)? {
        let row = row?;
        bytes += row.size_bytes();
        pending.push(row);
        if pending.len() >= BATCH_ROWS_MAX || bytes >= BATCH_BYTES_MAX {
            push(&mut writer, &pending)?;
            pending.clear();
            bytes = 0;
        }
    }
    push(&mut writer, &pending)?;
    let meta = writer.finish()?;
    let expected: u64 = inputs.iter().map(|input| input.meta().rows).sum();
    if meta.rows != expected {
        drop(meta.keys().map(|key| dir.delete(&key)));
        let what = format!("{expected} rows were to be merged and {} were", meta.rows);
        return Err(SegmentError::corrupt(&meta.id, what));
    }
    Ok(meta)
}

fn push(writer: &mut SegmentWriter<'_>, rows: &[Row]) -> Result<(), SegmentError> {
    for chunk in chunks(rows, Row::size_bytes) {
        writer.push(chunk.iter())?;
    }
    Ok(())
}

/// What a row sorts by, and the input whose head it is.
type Head = (Arc<str>, Timestamp, RowId, usize);

/// The rows of sorted inputs in one order.
struct Merged {
    inputs: Vec<Input>,
    heads: BinaryHeap<Reverse<Head>>,
    failure: Option<SegmentError>,
}

struct Input {
    batches: SegmentBatches,
    rows: std::vec::IntoIter<Row>,
    head: Option<Row>,
}

impl Input {
    /// Moves to the next row, which becomes the head.
    fn advance(&mut self) -> Result<(), SegmentError> {
        self.head = self.rows.next();
        while self.head.is_none() {
            let Some(batch) = self.batches.next() else { return Ok(()) };
            self.rows = rows_from_batch(&batch?).into_iter();
            self.head = self.rows.next();
        }
        Ok(())
    }
}

impl Merged {
    fn new(segments: &[Arc<Segment>]) -> Result<Self, SegmentError> {
        let mut merged = Self { inputs: Vec::new(), heads: BinaryHeap::new(), failure: None };
        for segment in segments {
            let batches = segment.read(&Projection::All, None)?;
            merged.inputs.push(Input { batches, rows: Vec::new().into_iter(), head: None });
            merged.refill(merged.inputs.len() - 1)?;
        }
        Ok(merged)
    }

    /// Puts the next row of an input among the heads.
    fn refill(&mut self, at: usize) -> Result<(), SegmentError> {
        let input = &mut self.inputs[at];
        input.advance()?;
        if let Some(row) = &input.head {
            self.heads.push(Reverse((row.stream.clone(), row.time, row.id, at)));
        }
        Ok(())
    }
}

impl Iterator for Merged {
    type Item = Result<Row, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failure.take() {
            self.heads.clear();
            return Some(Err(error));
        }
        let Reverse((_, _, _, at)) = self.heads.pop()?;
        let row = self.inputs[at].head.take();
        self.failure = self.refill(at).err();
        row.map(Ok)
    }
}
