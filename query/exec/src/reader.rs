//! Reading the matching rows of one part.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::Array as _;
use arrow_array::RecordBatch;
use column::Projection;
use index::IndexError;
use model::{TimeRange, field};
use roaring::RoaringBitmap;
use segment::{Segment, SegmentBatches, SegmentError};

use crate::ExecError;
use crate::control::Control;
use crate::lookup::{Candidates, Lookup};
use crate::output::Output;
use crate::predicate::{Predicate, in_range};
use crate::source::Part;

/// Rows of a chunk that are looked at in one step.
const CHUNK_STEP_ROWS: usize = 8192;

/// What a scan looks for and yields.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) predicate: Predicate,
    pub(crate) range: TimeRange,
    pub(crate) output: Output,
    pub(crate) control: Arc<Control>,
}

/// The stored rows of a part that may match, batch by batch, with their row numbers.
pub(crate) struct PartReader {
    rows: Rows,
    numbers: Numbers,
    /// Whether every row that comes is a match.
    exact: bool,
    /// Whether the time of every row is known to be in range.
    inside: bool,
    name: String,
}

enum Rows {
    Segment(Box<SegmentBatches>),
    Chunk(Arc<RecordBatch>, usize),
}

/// The numbers of the rows that come.
enum Numbers {
    Next(u32),
    Of(roaring::bitmap::IntoIter),
}

/// A stored batch, and the rows of it that match.
pub(crate) struct Matches {
    pub(crate) stored: RecordBatch,
    pub(crate) rows: Vec<u32>,
    /// The number in the part of each row of `stored`.
    pub(crate) numbers: Vec<u32>,
}

/// What is known about a part's matches before a column is read.
pub(crate) enum Found {
    /// Nothing in it can match.
    Nothing,
    /// So many rows match, and nothing has to be read to know it.
    Count(u64),
    /// These may match.
    Rows(Candidates),
}

impl Spec {
    /// Asks the index of a part.
    pub(crate) fn find(&self, part: &Part) -> Result<Found, ExecError> {
        let inside = part.is_inside(self.range);
        let Part::Segment(segment) = part else {
            return Ok(Found::Rows(Candidates { rows: None, exact: matches!(self.predicate, Predicate::All) }));
        };
        let mut found = self.lookup(segment)?;
        if found.rows.as_ref().is_some_and(RoaringBitmap::is_empty) {
            return Ok(Found::Nothing);
        }
        found.exact &= inside;
        if found.exact && self.output.columns.is_empty() {
            return Ok(Found::Count(found.len(segment.meta().rows)));
        }
        Ok(Found::Rows(found))
    }

    fn lookup(&self, segment: &Arc<Segment>) -> Result<Candidates, ExecError> {
        if matches!(self.predicate, Predicate::All) {
            return Ok(Candidates { rows: None, exact: true });
        }
        let id = &segment.meta().id;
        let index = match segment.index() {
            Ok(index) => index,
            // A segment may live without its index: everything is scanned.
            Err(SegmentError::NoIndex { .. }) => return Ok(Candidates { rows: None, exact: false }),
            Err(error) => return Err(segment_error(id, &error)),
        };
        let lookup = Lookup {
            index,
            field_names: segment.field_names(),
            names_complete: segment.meta().fields_complete,
            rows: segment.meta().rows,
            control: &self.control,
        };
        lookup.candidates(&self.predicate).map_err(|error| ExecError::Segment {
            segment: id.clone(),
            message: error.to_string(),
            corrupt: matches!(error, IndexError::Corrupt(_)),
        })
    }

    /// The fields that matching needs; `None` for all.
    pub(crate) fn match_fields(&self, exact: bool, inside: bool) -> Option<BTreeSet<String>> {
        let mut names = if exact { BTreeSet::new() } else { self.predicate.fields()? };
        if !inside {
            names.insert(field::TIME.to_owned());
        }
        Some(names)
    }

    /// Opens the candidates of a part for reading, with the fields of `extra` beside those that matching needs; `None`: all
    /// fields.
    pub(crate) fn open(
        &self,
        part: &Part,
        found: Candidates,
        extra: Option<&BTreeSet<String>>,
    ) -> Result<PartReader, ExecError> {
        let inside = part.is_inside(self.range);
        let numbers = match &found.rows {
            Some(rows) => Numbers::Of(rows.clone().into_iter()),
            None => Numbers::Next(0),
        };
        let (rows, name) = match part {
            Part::Chunk(chunk) => (Rows::Chunk(chunk.clone(), 0), String::new()),
            Part::Segment(segment) => {
                let projection = match (self.match_fields(found.exact, inside), extra) {
                    (Some(names), Some(extra)) => Projection::Fields(names.union(extra).cloned().collect()),
                    _ => Projection::All,
                };
                let id = segment.meta().id.to_string();
                let batches =
                    segment.read(&projection, found.rows.as_ref()).map_err(|error| segment_error(&id, &error))?;
                (Rows::Segment(Box::new(batches)), id)
            }
        };
        Ok(PartReader { rows, numbers, exact: found.exact, inside, name })
    }

    /// The numbers of the rows of a part that match, for reading them again with more columns.
    pub(crate) fn resolve(&self, part: &Part, found: Candidates) -> Result<RoaringBitmap, ExecError> {
        let mut reader = self.open(part, found, Some(&BTreeSet::new()))?;
        let mut matching = RoaringBitmap::new();
        while let Some(matches) = reader.next(self)? {
            matching.extend(matches.rows.iter().map(|row| matches.numbers[*row as usize]));
        }
        Ok(matching)
    }
}

impl PartReader {
    /// The next stored batch and its matches, possibly none; `None` at the end.
    pub(crate) fn next(&mut self, spec: &Spec) -> Result<Option<Matches>, ExecError> {
        let Some((stored, numbers)) = self.next_stored(&spec.control)? else { return Ok(None) };
        let rows = self.matching(spec, &stored, (0..stored.num_rows() as u32).collect())?;
        Ok(Some(Matches { stored, rows, numbers }))
    }

    /// The rows, of those given, that match.
    pub(crate) fn matching(
        &self,
        spec: &Spec,
        stored: &RecordBatch,
        mut rows: Vec<u32>,
    ) -> Result<Vec<u32>, ExecError> {
        if !self.inside {
            rows = in_range(stored, spec.range, rows);
        }
        if self.exact { Ok(rows) } else { spec.predicate.select(stored, rows, &spec.control) }
    }

    /// The next stored batch and the numbers of its rows.
    pub(crate) fn next_stored(&mut self, control: &Control) -> Result<Option<(RecordBatch, Vec<u32>)>, ExecError> {
        control.check()?;
        let stored = match &mut self.rows {
            Rows::Segment(batches) => match batches.next() {
                Some(batch) => batch.map_err(|error| segment_error(&self.name, &error))?,
                None => return Ok(None),
            },
            Rows::Chunk(chunk, at) if *at < chunk.num_rows() => {
                let step = chunk.slice(*at, CHUNK_STEP_ROWS.min(chunk.num_rows() - *at));
                *at += step.num_rows();
                step
            }
            Rows::Chunk(..) => return Ok(None),
        };
        let count = stored.num_rows();
        control.add_scanned(count as u64, batch_bytes(&stored) as u64);
        let numbers = match &mut self.numbers {
            Numbers::Of(numbers) => numbers.take(count).collect(),
            Numbers::Next(next) => {
                let first = *next;
                *next += count as u32;
                (first..*next).collect()
            }
        };
        Ok(Some((stored, numbers)))
    }

    /// Takes it as known that every row's time is in range.
    pub(crate) fn trust_times(&mut self) {
        self.inside = true;
    }
}

fn segment_error(segment: &str, error: &SegmentError) -> ExecError {
    ExecError::Segment { segment: segment.to_owned(), message: error.to_string(), corrupt: error.is_corrupt() }
}

/// The memory that the rows of a batch take, without the rest of the buffers that they are slices of.
pub(crate) fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|array| array.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}
