//! One piece of a source: a segment or a chunk of the memtable, behind one face.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use column::{PagesRead, Projection};
use index::IndexReader;
use model::{TimeRange, Timestamp, field};
use roaring::RoaringBitmap;
use segment::{SegmentBatches, SegmentError};

use crate::ExecError;
use crate::control::Control;
use crate::source::{Chunk, SourceSegment};

/// Rows of a chunk that are looked at in one step.
const CHUNK_STEP_ROWS: usize = 8192;

/// One piece of a source.
#[derive(Clone)]
pub(crate) enum Part {
    Segment(SourceSegment),
    Chunk(Arc<Chunk>),
}

/// Rows that follow each other, and the times that they may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) rows: Range<u32>,
    pub(crate) min: Timestamp,
    pub(crate) max: Timestamp,
}

/// The columns that are read; `None` for all of them.
pub(crate) type Columns = Option<BTreeSet<String>>;

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Segment(part) => write!(f, "segment {}", part.segment.meta().id),
            Part::Chunk(chunk) => write!(f, "chunk of {} rows", chunk.rows()),
        }
    }
}

impl Part {
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Part::Segment(part) => part.segment.meta().rows,
            Part::Chunk(chunk) => chunk.rows(),
        }
    }

    /// The first and the last time in it; `None` when it has no rows.
    pub(crate) fn times(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Part::Segment(part) => Some((part.segment.meta().min_time, part.segment.meta().max_time)),
            Part::Chunk(chunk) => chunk.times(),
        }
    }

    /// Whether all of its rows are in the range.
    pub(crate) fn is_inside(&self, range: TimeRange) -> bool {
        self.times().is_some_and(|(min, max)| range.contains(min) && range.contains(max))
    }

    /// Its name in errors.
    pub(crate) fn name(&self) -> &str {
        match self {
            Part::Segment(part) => &part.segment.meta().id,
            Part::Chunk(_) => "memtable",
        }
    }

    pub(crate) fn is_segment(&self) -> bool {
        matches!(self, Part::Segment(_))
    }

    /// Rows that were deleted and are still in the files.
    pub(crate) fn deleted(&self) -> Option<&RoaringBitmap> {
        let deleted = match self {
            Part::Segment(part) => part.deleted.as_deref(),
            Part::Chunk(_) => None,
        };
        deleted.filter(|rows| !rows.is_empty())
    }

    /// The fields that some row has, and whether those are all.
    pub(crate) fn field_names(&self) -> (&BTreeSet<String>, bool) {
        match self {
            Part::Segment(part) => (part.segment.field_names(), part.segment.meta().fields_complete),
            Part::Chunk(chunk) => (chunk.field_names(), true),
        }
    }

    /// Its index; `None` when it has none, or when the index is damaged, which is reported: then rows are scanned.
    pub(crate) fn index(&self, control: &Control) -> Option<&IndexReader> {
        match self {
            Part::Segment(part) => match part.segment.index() {
                Ok(index) => Some(index),
                Err(SegmentError::NoIndex { .. }) => None,
                Err(error) => {
                    control.index_failed(self.name(), &error.to_string(), error.is_corrupt());
                    None
                }
            },
            Part::Chunk(chunk) => chunk.index(),
        }
    }

    /// Rows by the start of their hour; `None` when that is not known.
    pub(crate) fn hours(&self) -> Option<BTreeMap<i64, u64>> {
        const HOUR_NS: i64 = 3_600_000_000_000;
        let Part::Segment(part) = self else { return None };
        let meta = part.segment.meta();
        let hours = meta.hours.as_ref()?;
        let start = |hour: usize| (meta.day * 24 + hour as i64) * HOUR_NS;
        Some(hours.iter().enumerate().filter(|(_, rows)| **rows > 0).map(|(hour, rows)| (start(hour), *rows)).collect())
    }

    /// All rows, cut where the file knows their times: at pages and at streams, in the order of the rows.
    pub(crate) fn blocks(&self) -> Result<Vec<Block>, ExecError> {
        let whole = || {
            let (min, max) = self.times().unwrap_or_default();
            vec![Block { rows: 0..u32::try_from(self.rows()).unwrap_or(u32::MAX), min, max }]
        };
        let Part::Segment(part) = self else { return Ok(whole()) };
        let pages = part.segment.page_times().map_err(|error| self.error(&error))?;
        let pages: Vec<Block> = pages
            .into_iter()
            .map(|page| Block { rows: page.rows, min: Timestamp(page.min), max: Timestamp(page.max) })
            .collect();
        let pages = if pages.is_empty() { whole() } else { pages };
        let Some(streams) = &part.segment.meta().streams else { return Ok(pages) };
        let streams = streams.iter().map(|stream| Block {
            rows: stream.first_row..stream.first_row + stream.rows,
            min: stream.min_time,
            max: stream.max_time,
        });
        Ok(cut(&pages, streams))
    }

    /// Reads columns of the rows in `rows`, or of all rows, of those in `range`. Of a chunk more rows than those may
    /// come; each comes with its number.
    pub(crate) fn read(
        &self,
        columns: &Columns,
        rows: Option<&RoaringBitmap>,
        range: Range<u32>,
    ) -> Result<PartBatches, ExecError> {
        let wanted = match rows {
            None if range == (0..u32::try_from(self.rows()).unwrap_or(u32::MAX)) => None,
            None => {
                let mut all = RoaringBitmap::new();
                all.insert_range(range.clone());
                Some(all)
            }
            Some(rows) => Some(inside(rows, &range)),
        };
        let rows = match self {
            Part::Chunk(chunk) => Rows::Chunk { batch: chunk.batch().clone(), at: range.start, end: range.end, wanted },
            Part::Segment(part) => {
                let projection = match columns {
                    Some(names) => Projection::Fields(names.iter().cloned().collect()),
                    None => Projection::All,
                };
                let batches = part.segment.read(&projection, wanted.as_ref()).map_err(|error| self.error(&error))?;
                let numbers = match wanted {
                    Some(wanted) => Numbers::Of(wanted.into_iter()),
                    None => Numbers::Next(0),
                };
                Rows::Segment(Box::new(batches), numbers)
            }
        };
        Ok(PartBatches { rows, name: self.name().to_owned() })
    }

    /// The pages of all columns; `None` for what is in memory.
    pub(crate) fn pages(&self) -> Result<Option<PagesRead>, ExecError> {
        match self {
            Part::Segment(part) => part.segment.pages().map(Some).map_err(|error| self.error(&error)),
            Part::Chunk(_) => Ok(None),
        }
    }

    /// Reads only the shapes of a text column of exactly these rows. `None` when the part does not keep the field in two parts.
    pub(crate) fn read_shapes(&self, name: &str, rows: &RoaringBitmap) -> Result<Option<SegmentBatches>, ExecError> {
        let Part::Segment(part) = self else { return Ok(None) };
        let splits = part.segment.splits(name).map_err(|error| self.error(&error))?;
        if !splits {
            return Ok(None);
        }
        let batches = part.segment.read(&Projection::Shapes(name.to_owned()), Some(rows));
        batches.map(Some).map_err(|error| self.error(&error))
    }

    /// Columns of exactly these rows, in one batch.
    pub(crate) fn read_rows(
        &self,
        columns: &Columns,
        rows: &RoaringBitmap,
        control: &Control,
    ) -> Result<Vec<RecordBatch>, ExecError> {
        match self {
            Part::Chunk(chunk) => {
                let rows: arrow_array::UInt32Array = rows.iter().collect::<Vec<_>>().into();
                Ok(vec![arrow_select::take::take_record_batch(chunk.batch(), &rows)?])
            }
            Part::Segment(part) => {
                let projection = match columns {
                    Some(names) => Projection::Fields(names.iter().cloned().collect()),
                    None => Projection::All,
                };
                let mut batches = part.segment.read(&projection, Some(rows)).map_err(|error| self.error(&error))?;
                let read = batches.by_ref().map(|batch| batch.map_err(|error| self.error(&error))).collect();
                control.add_pages(batches.pages_read());
                read
            }
        }
    }

    pub(crate) fn error(&self, error: &SegmentError) -> ExecError {
        segment_error(self.name(), error)
    }
}

/// Blocks that lie in one of each, with the times that both allow.
fn cut(pages: &[Block], streams: impl Iterator<Item = Block>) -> Vec<Block> {
    let mut out = Vec::with_capacity(pages.len() * 2);
    let mut pages = pages.iter().peekable();
    for stream in streams {
        while let Some(page) = pages.peek() {
            let rows = page.rows.start.max(stream.rows.start)..page.rows.end.min(stream.rows.end);
            if !rows.is_empty() {
                out.push(Block { rows, min: page.min.max(stream.min), max: page.max.min(stream.max) });
            }
            if page.rows.end > stream.rows.end {
                break;
            }
            pages.next();
        }
    }
    out
}

/// The wanted rows of a range.
fn inside(rows: &RoaringBitmap, range: &Range<u32>) -> RoaringBitmap {
    let mut inside = RoaringBitmap::new();
    inside.insert_range(range.clone());
    inside & rows
}

/// Batches of stored rows with the rows' numbers, in order.
pub(crate) struct PartBatches {
    rows: Rows,
    name: String,
}

enum Rows {
    Segment(Box<SegmentBatches>, Numbers),
    Chunk { batch: Arc<RecordBatch>, at: u32, end: u32, wanted: Option<RoaringBitmap> },
}

/// The numbers of the rows that come.
enum Numbers {
    Next(u32),
    Of(roaring::bitmap::IntoIter),
}

/// A stored batch and the number of each of its rows.
pub(crate) struct Stored {
    pub(crate) batch: RecordBatch,
    pub(crate) numbers: Vec<u32>,
}

impl PartBatches {
    /// The next batch; `None` at the end.
    pub(crate) fn next(&mut self, control: &Control) -> Result<Option<Stored>, ExecError> {
        control.check()?;
        let stored = match &mut self.rows {
            Rows::Segment(batches, numbers) => {
                let before = batches.pages_read();
                let batch = batches.next();
                control.add_pages(batches.pages_read() - before);
                let Some(batch) = batch else { return Ok(None) };
                let batch = batch.map_err(|error| segment_error(&self.name, &error))?;
                let count = batch.num_rows();
                let numbers = match numbers {
                    Numbers::Of(numbers) => numbers.take(count).collect(),
                    Numbers::Next(next) => {
                        let first = *next;
                        *next += count as u32;
                        (first..*next).collect()
                    }
                };
                Stored { batch, numbers }
            }
            Rows::Chunk { batch, at, end, wanted } => loop {
                if at >= end {
                    return Ok(None);
                }
                let step = CHUNK_STEP_ROWS.min((*end - *at) as usize);
                let first = *at;
                *at += step as u32;
                if wanted.as_ref().is_some_and(|wanted| wanted.range_cardinality(first..*at) == 0) {
                    continue;
                }
                break Stored { batch: batch.slice(first as usize, step), numbers: (first..*at).collect() };
            },
        };
        control.add_read(column::batch_bytes(&stored.batch) as u64);
        Ok(Some(stored))
    }
}

fn segment_error(segment: &str, error: &SegmentError) -> ExecError {
    ExecError::Segment { segment: segment.to_owned(), message: error.to_string(), corrupt: error.is_corrupt() }
}

/// The times of a stored batch.
pub(crate) fn times_of(batch: &RecordBatch) -> Result<&[i64], ExecError> {
    let times = batch.column_by_name(field::TIME).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let missing = || ExecError::Internal { message: "a batch came without _time".to_owned() };
    times.map(|times| &times.values()[..]).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(rows: Range<u32>, min: i64, max: i64) -> Block {
        Block { rows, min: Timestamp(min), max: Timestamp(max) }
    }

    #[test]
    fn blocks_end_at_pages_and_streams() {
        let pages = [block(0..10, 0, 50), block(10..20, 5, 90), block(20..25, 80, 99)];
        let streams = [block(0..4, 0, 50), block(4..20, 5, 90), block(20..25, 80, 99)];
        let want = [block(0..4, 0, 50), block(4..10, 5, 50), block(10..20, 5, 90), block(20..25, 80, 99)];
        assert_eq!(cut(&pages, streams.into_iter()), want);
    }
}
