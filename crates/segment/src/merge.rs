//! Many segments to one, in order, so that memory holds a batch of each and not their rows.
//!
//! Inputs are sorted, so each batch is a list of runs of one stream. The smallest stream of all inputs is merged by time and
//! id, which are numbers, and then the next one. How far an input goes before another one's next row is searched by doubling
//! steps: segments that were flushed one after the other hardly overlap, and then whole runs go over as one range.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::ScalarBuffer;
use blob::LocalDir;
use column::{Effort, FieldCounts, Layout, Projection, READ_BATCH_ROWS_MAX};
use model::RowId;
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::Xxh3;

use crate::gather::{Gather, Pick};
use crate::head::Head;
use crate::write::{SegmentWriter, push_picks, segment_id};
use crate::{Segment, SegmentBatches, SegmentError, SegmentMeta, SegmentSpec};

/// Rows from which a merged segment is compressed as well as can be. A smaller one will be merged again, and then the work
/// would have been for nothing.
pub const BEST_EFFORT_ROWS_MIN: u64 = 512 * 1024;

/// Rows that are merged before they are written. They lie in order in their batches, so larger batches gain nothing.
const MERGE_ROWS: usize = 16 * 1024;

/// Bytes that the batches of all inputs take together, roughly.
const INPUT_BYTES: u64 = 16 << 20;

/// How much larger a row is in memory than in a file, roughly: 33 bytes of a log line's row become 250.
const EXPANSION: u64 = 8;

/// Fewest rows that are read at a time. Each batch costs a decoder's start for every column.
const INPUT_ROWS_MIN: usize = 256;

/// Writes the rows of segments of one partition as one segment, without those that `deleted` gives for an input.
/// `spec.level` should be above the inputs'. When every row is deleted, that is [`SegmentError::Rows`]: ask before.
///
/// An input that has fewer rows than it says or is out of order is an error that names it; should rows get lost otherwise,
/// [`SegmentError::RowsLost`] names all. Nothing is left behind by an error.
pub fn merge_segments(
    dir: &LocalDir,
    spec: &SegmentSpec,
    inputs: &[Arc<Segment>],
    deleted: &dyn Fn(&Segment) -> Option<RoaringBitmap>,
) -> Result<SegmentMeta, SegmentError> {
    let mut counts = FieldCounts::new();
    let mut hash = Xxh3::new();
    let mut min_id = RowId(u64::MAX);
    let mut total = 0;
    let mut kept: Vec<Option<RoaringBitmap>> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let meta = input.meta();
        hash.update(meta.id.as_bytes());
        min_id = min_id.min(meta.min_id);
        meta.fields.iter().for_each(|field| counts.add_count(&field.name, field.count));
        if !meta.fields_complete {
            counts.set_truncated();
        }
        let keep = deleted(input).filter(|rows| !rows.is_empty()).map(|rows| all_but(&rows, meta.rows));
        let rows = keep.as_ref().map_or(meta.rows, RoaringBitmap::len);
        hash.update(&rows.to_le_bytes());
        total += rows;
        kept.push(keep);
    }
    let layout = Layout::new(&counts).split();
    let id = segment_id(spec, min_id, hash);
    let mut writer = SegmentWriter::new(dir, spec, id, layout.clone(), effort(&kept, inputs), total)?;
    if kept.iter().any(Option::is_some) {
        writer.recount();
    }
    let mut merge = Merge {
        gather: Gather::new(layout),
        writer,
        inputs: Vec::new(),
        picks: Vec::new(),
        pending: 0,
        retired: Vec::new(),
    };
    let mut expected = 0;
    for (segment, keep) in inputs.iter().zip(&kept) {
        let rows = input_rows(segment.meta().bytes_parquet, segment.meta().rows, inputs.len());
        let batches = segment.read_sized(&Projection::All, keep.as_ref(), rows)?;
        expected += batches.rows_expected();
        merge.inputs.push(Input::new(segment.clone(), batches));
    }
    merge.run()?;
    let meta = merge.writer.finish(&counts)?;
    if meta.rows != expected {
        drop(meta.keys().map(|key| dir.delete(&key)));
        let inputs = inputs.iter().map(|input| input.meta().id.clone()).collect();
        return Err(SegmentError::RowsLost { inputs, expected, found: meta.rows });
    }
    Ok(meta)
}

/// Tries harder where the result is likely to stay.
fn effort(kept: &[Option<RoaringBitmap>], inputs: &[Arc<Segment>]) -> Effort {
    let rows = |(keep, input): (&Option<RoaringBitmap>, &Arc<Segment>)| {
        keep.as_ref().map_or(input.meta().rows, RoaringBitmap::len)
    };
    let rows: u64 = kept.iter().zip(inputs).map(rows).sum();
    if rows >= BEST_EFFORT_ROWS_MIN { Effort::Best } else { Effort::Fast }
}

/// How many rows of an input with a file of so many bytes and rows are read at a time.
fn input_rows(file_bytes: u64, rows: u64, inputs: usize) -> usize {
    let row_bytes = (file_bytes / rows.max(1) * EXPANSION).max(1);
    let rows = INPUT_BYTES / inputs.max(1) as u64 / row_bytes;
    usize::try_from(rows).unwrap_or(usize::MAX).clamp(INPUT_ROWS_MIN, READ_BATCH_ROWS_MAX)
}

/// The rows of a segment of `rows` rows that are not among these.
fn all_but(deleted: &RoaringBitmap, rows: u64) -> RoaringBitmap {
    let mut keep = RoaringBitmap::new();
    keep.insert_range(0..u32::try_from(rows).unwrap_or(u32::MAX));
    keep - deleted
}

struct Merge<'d> {
    gather: Gather,
    writer: SegmentWriter<'d>,
    inputs: Vec<Input>,
    /// Rows that are merged and not written yet, of sources that are in use or retired.
    picks: Vec<Pick>,
    /// How many rows those are.
    pending: usize,
    /// Sources that are read to their end and that picks still name.
    retired: Vec<u32>,
}

impl Merge<'_> {
    fn run(&mut self) -> Result<(), SegmentError> {
        for at in 0..self.inputs.len() {
            self.load(at)?;
        }
        while let Some(stream) = self.inputs.iter().filter_map(Input::stream).min().map(str::to_owned) {
            self.merge_stream(&stream)?;
        }
        self.flush()
    }

    /// Merges the rows of one stream, which no input has a smaller one than.
    fn merge_stream(&mut self, stream: &str) -> Result<(), SegmentError> {
        let mut heads: BinaryHeap<Reverse<((i64, u64), usize)>> = BinaryHeap::new();
        for (at, input) in self.inputs.iter().enumerate() {
            heads.extend(input.head().filter(|(of, _)| *of == stream).map(|(_, key)| Reverse((key, at))));
        }
        while let Some(Reverse((_, at))) = heads.pop() {
            let bound = heads.peek().map(|Reverse((key, _))| *key);
            let input = &mut self.inputs[at];
            if let Some(pick) = input.take_until(bound) {
                self.pending += pick.len as usize;
                self.picks.push(pick);
            }
            if input.is_exhausted() {
                self.load(at)?;
            }
            heads.extend(self.inputs[at].head().filter(|(of, _)| *of == stream).map(|(_, key)| Reverse((key, at))));
            // Picks keep retired batches alive, which are therefore counted too.
            if self.pending >= MERGE_ROWS || self.retired.len() > self.inputs.len() {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Moves an input to its next batch.
    fn load(&mut self, at: usize) -> Result<(), SegmentError> {
        let before = self.inputs[at].load(&mut self.gather)?;
        self.retired.extend(before);
        // What bounds the memory of a merge: a batch in use of each input, and no more than as many retired ones.
        debug_assert!(self.gather.sources() <= 2 * self.inputs.len() + 1, "{} sources", self.gather.sources());
        Ok(())
    }

    /// Writes what is merged so far.
    fn flush(&mut self) -> Result<(), SegmentError> {
        push_picks(&mut self.writer, &mut self.gather, &self.picks)?;
        self.picks.clear();
        self.pending = 0;
        self.retired.drain(..).for_each(|source| self.gather.remove(source));
        Ok(())
    }
}

/// A segment that is being read.
struct Input {
    segment: Arc<Segment>,
    batches: SegmentBatches,
    /// Rows of earlier batches.
    rows_before: u64,
    /// The batch that is being merged; empty before the first and after the last.
    batch: Option<Loaded>,
    /// Next row of the batch.
    at: usize,
    /// Next run of the batch: where the row is.
    run: usize,
}

struct Loaded {
    source: u32,
    times: ScalarBuffer<i64>,
    ids: ScalarBuffer<u64>,
    /// Where each run of one stream ends, and the stream.
    runs: Vec<(u32, String)>,
}

impl Input {
    fn new(segment: Arc<Segment>, batches: SegmentBatches) -> Self {
        Self { segment, batches, rows_before: 0, batch: None, at: 0, run: 0 }
    }

    /// Stream, time and id of the next row; `None` when there are no more.
    fn head(&self) -> Option<(&str, (i64, u64))> {
        let batch = self.batch.as_ref()?;
        let (_, stream) = batch.runs.get(self.run)?;
        Some((stream, batch.key(self.at)))
    }

    fn stream(&self) -> Option<&str> {
        self.head().map(|(stream, _)| stream)
    }

    /// Takes the rows of the current run up to the first one behind `bound`: at least one.
    fn take_until(&mut self, bound: Option<(i64, u64)>) -> Option<Pick> {
        let batch = self.batch.as_ref()?;
        let end = batch.runs.get(self.run)?.0 as usize;
        let start = self.at;
        self.at = match bound {
            Some(bound) => batch.gallop(start + 1, end, bound),
            None => end,
        };
        if self.at == end {
            self.run += 1;
        }
        Some(Pick { source: batch.source, start: start as u32, len: (self.at - start) as u32 })
    }

    /// Whether the batch is used up.
    fn is_exhausted(&self) -> bool {
        self.batch.as_ref().is_none_or(|batch| self.run == batch.runs.len())
    }

    /// Reads the next batch, checks that its rows follow the last ones, and adds it to the sources. Gives the number of the
    /// source before.
    fn load(&mut self, gather: &mut Gather) -> Result<Option<u32>, SegmentError> {
        let before = self.batch.take();
        (self.at, self.run) = (0, 0);
        if let Some(batch) = self.batches.next().transpose()? {
            let meta = self.segment.meta();
            // Mapped pages count as memory of the process: of 16 inputs with 2 million rows, 60 MiB.
            self.segment.columns_map().forget();
            let source = gather.add(&batch).map_err(SegmentError::from);
            let loaded = source.and_then(|source| Loaded::new(&batch, source));
            // Whatever is wrong with what was read, it is this input that is damaged.
            let loaded = loaded.map_err(|error| SegmentError::corrupt(&meta.id, error.to_string()))?;
            let is_sorted = loaded.is_sorted() && before.as_ref().is_none_or(|before| before.is_before(&loaded));
            if !is_sorted || !loaded.is_within(meta) {
                let what = format!("its rows after number {} are out of order or beyond its times", self.rows_before);
                return Err(SegmentError::corrupt(&meta.id, what));
            }
            self.rows_before += batch.num_rows() as u64;
            self.batch = Some(loaded);
        }
        Ok(before.map(|before| before.source))
    }
}

impl Loaded {
    fn new(batch: &RecordBatch, source: u32) -> Result<Self, SegmentError> {
        let head = Head::of(batch)?;
        let runs = head.runs().into_iter().map(|(end, stream)| (end, stream.to_owned())).collect();
        Ok(Self { source, times: head.times.clone(), ids: head.ids.clone(), runs })
    }

    fn key(&self, row: usize) -> (i64, u64) {
        (self.times[row], self.ids[row])
    }

    /// The first row from `from` to `end` that sorts behind `bound`, searched by doubling steps and then by halves.
    fn gallop(&self, from: usize, end: usize, bound: (i64, u64)) -> usize {
        let (mut low, mut step) = (from, 1);
        while low + step < end && self.key(low + step) <= bound {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(end);
        let mut size = high - low;
        while size > 0 {
            let half = size / 2;
            if self.key(low + half) <= bound {
                low += half + 1;
                size -= half + 1;
            } else {
                size = half;
            }
        }
        low
    }

    fn is_sorted(&self) -> bool {
        let streams_ascend = self.runs.is_sorted_by(|a, b| a.1 < b.1);
        let mut from = 0;
        streams_ascend
            && self.runs.iter().all(|(end, _)| {
                let run = std::mem::replace(&mut from, *end as usize)..*end as usize;
                run.clone().skip(1).all(|row| self.key(row - 1) <= self.key(row))
            })
    }

    /// Whether the times are those that the manifest entry claims.
    fn is_within(&self, meta: &SegmentMeta) -> bool {
        self.times.iter().all(|time| (meta.min_time.0..=meta.max_time.0).contains(time))
    }

    /// Whether the last row sorts before the first one of the next batch.
    fn is_before(&self, next: &Self) -> bool {
        let (Some((_, last)), Some((_, first))) = (self.runs.last(), next.runs.first()) else { return true };
        match last.cmp(first) {
            Ordering::Equal => self.key(self.times.len() - 1) <= next.key(0),
            order => order.is_lt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_rows_and_many_inputs_are_read_in_smaller_batches() {
        for (file_bytes, inputs, rows) in [
            (33, 2, READ_BATCH_ROWS_MAX),
            (33, 64, (16 << 20) / 64 / (33 * 8)),
            (1000, 8, 262),
            (1 << 20, 8, INPUT_ROWS_MIN),
            (0, 1, READ_BATCH_ROWS_MAX),
        ] {
            assert_eq!(input_rows(file_bytes * 1000, 1000, inputs), rows, "{file_bytes} bytes a row, {inputs} inputs");
        }
    }
}
