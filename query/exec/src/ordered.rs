//! The first rows by time: the newest or the oldest so many.
//!
//! Two phases. First only times, ids and the filter's fields are read, and the best rows are kept in a heap; parts come in
//! the order of their times, and once the heap is full and a part cannot hold better rows, neither can those after it.
//! Then whole rows are read, of the winners only.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampNanosecondType, UInt64Type};
use model::field;
use plan::ScanOrder;
use roaring::RoaringBitmap;

use crate::ExecError;
use crate::lookup::Candidates;
use crate::reader::{Found, PartReader, Spec};
use crate::scan::{Step, Work};
use crate::source::Part;

/// Rows of one batch of winners.
const WINNERS_PER_BATCH: usize = 8_192;

/// Most rows that the heap is used for; above, DataFusion sorts, and spills when it must. A row in the heap takes 32 bytes.
pub(crate) const ORDERED_ROWS_MAX: u64 = 131_072;

/// A row's rank: larger is better. Times and ids are complemented when the oldest come first.
type Rank = (i64, u64);

/// A row that may be among the first: its rank, its part, its number in the part.
type Entry = (Rank, u32, u32);

/// Yields the first rows in order.
pub(crate) struct Ordered {
    spec: Arc<Spec>,
    parts: Vec<Part>,
    order: ScanOrder,
    fetch: usize,
    /// The part that is looked at next.
    at: usize,
    reader: Option<PartReader>,
    best: BinaryHeap<Reverse<Entry>>,
    /// The winners in order, once known, the ones to come first at the end.
    winners: Option<Vec<Entry>>,
}

impl Ordered {
    /// `parts` come in the order of their times.
    pub(crate) fn new(spec: Arc<Spec>, parts: Vec<Part>, order: ScanOrder, fetch: u64) -> Self {
        let fetch = usize::try_from(fetch).unwrap_or(usize::MAX);
        Self { spec, parts, order, fetch, at: 0, reader: None, best: BinaryHeap::new(), winners: None }
    }

    fn rank(&self, time: i64, id: u64) -> Rank {
        match self.order {
            ScanOrder::NewestFirst => (time, id),
            ScanOrder::OldestFirst => (!time, !id),
        }
    }

    /// The rank that a row must beat; `None` while every row is welcome.
    fn threshold(&self) -> Option<Rank> {
        let full = self.best.len() >= self.fetch;
        self.best.peek().filter(|_| full).map(|Reverse((rank, ..))| *rank)
    }

    /// Whether no row of the part can be among the first.
    fn is_hopeless(&self, part: &Part) -> bool {
        if self.fetch == 0 {
            return true;
        }
        let (Some((min, max)), Some(threshold)) = (part.times(), self.threshold()) else { return false };
        match self.order {
            ScanOrder::NewestFirst => max.0 < threshold.0,
            ScanOrder::OldestFirst => !min.0 < threshold.0,
        }
    }

    /// Opens the next part; false when there is none that matters.
    fn open_next(&mut self) -> Result<bool, ExecError> {
        let Some(part) = self.parts.get(self.at) else { return Ok(false) };
        if self.is_hopeless(part) {
            self.spec.control.stopped_early();
            for part in &self.parts[self.at..] {
                self.spec.control.part_done(part, false);
            }
            self.at = self.parts.len();
            return Ok(false);
        }
        self.at += 1;
        match self.spec.find(part)? {
            Found::Rows(found) => {
                self.spec.control.part_done(part, true);
                let wanted = BTreeSet::from([field::TIME.to_owned(), field::ID.to_owned()]);
                self.reader = Some(self.spec.open(part, found, Some(&wanted))?);
            }
            Found::Nothing | Found::Count(_) => self.spec.control.part_done(part, false),
        }
        Ok(true)
    }

    /// Looks at the next stored batch of the open part; false at its end.
    fn look(&mut self) -> Result<bool, ExecError> {
        let Some(mut reader) = self.reader.take() else { return Ok(false) };
        let Some((stored, numbers)) = reader.next_stored(&self.spec.control)? else { return Ok(false) };
        let ranks = self.ranks(&stored)?;
        let mut rows: Vec<u32> = (0..stored.num_rows() as u32).collect();
        if let Some(threshold) = self.threshold() {
            rows.retain(|row| ranks[*row as usize] > threshold);
            if rows.len() < stored.num_rows() {
                self.spec.control.stopped_early();
            }
        }
        let rows = reader.matching(&self.spec, &stored, rows)?;
        self.spec.control.add_matched(rows.len() as u64);
        let part = (self.at - 1) as u32;
        for row in rows {
            self.best.push(Reverse((ranks[row as usize], part, numbers[row as usize])));
            if self.best.len() > self.fetch {
                self.best.pop();
            }
        }
        self.reader = Some(reader);
        Ok(true)
    }

    fn ranks(&self, stored: &RecordBatch) -> Result<Vec<Rank>, ExecError> {
        let missing = || ExecError::Internal { message: "a batch came without _time or _id".to_owned() };
        let times = stored.column_by_name(field::TIME).ok_or_else(missing)?;
        let times = times.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(missing)?;
        let ids = stored.column_by_name(field::ID).ok_or_else(missing)?;
        let ids = ids.as_primitive_opt::<UInt64Type>().ok_or_else(missing)?;
        Ok(times.values().iter().zip(ids.values()).map(|(time, id)| self.rank(*time, *id)).collect())
    }

    /// One batch of winners, read whole.
    fn materialize(&self, winners: &[Entry]) -> Result<RecordBatch, ExecError> {
        let mut numbers: BTreeMap<u32, RoaringBitmap> = BTreeMap::new();
        for (_, part, number) in winners {
            numbers.entry(*part).or_default().insert(*number);
        }
        let mut batches = Vec::with_capacity(numbers.len());
        for (part, rows) in &numbers {
            batches.push(self.read(&self.parts[*part as usize], rows)?);
        }
        let slots: Vec<(&u32, &RoaringBitmap)> = numbers.iter().collect();
        let places: Vec<(usize, usize)> = winners
            .iter()
            .filter_map(|(_, part, number)| {
                let slot = slots.binary_search_by_key(part, |(part, _)| **part).ok()?;
                Some((slot, slots[slot].1.rank(*number) as usize - 1))
            })
            .collect();
        if self.spec.output.columns.is_empty() {
            return self.spec.output.count_only(winners.len());
        }
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        Ok(arrow_select::interleave::interleave_record_batch(&batches, &places)?)
    }

    /// The wanted columns of some rows of a part.
    fn read(&self, part: &Part, rows: &RoaringBitmap) -> Result<RecordBatch, ExecError> {
        let spec = &self.spec;
        if let Part::Chunk(chunk) = part {
            return spec.output.build(chunk, &rows.iter().collect::<Vec<_>>());
        }
        let fields: BTreeSet<String> = spec.output.field_names().map(str::to_owned).collect();
        let extra = if spec.output.wants_record() { None } else { Some(&fields) };
        let mut reader = spec.open(part, Candidates { rows: Some(rows.clone()), exact: true }, extra)?;
        let mut batches = Vec::new();
        while let Some((stored, _)) = reader.next_stored(&spec.control)? {
            let all: Vec<u32> = (0..stored.num_rows() as u32).collect();
            batches.push(spec.output.build(&stored, &all)?);
        }
        Ok(arrow_select::concat::concat_batches(&spec.output.schema, &batches)?)
    }

    fn step_or_damage(&mut self) -> Result<Step, ExecError> {
        if self.winners.is_none() {
            if self.look()? || self.open_next()? {
                return Ok(Step::Working);
            }
            // The best come last and are taken from there.
            let mut winners: Vec<Entry> =
                std::mem::take(&mut self.best).into_iter().map(|Reverse(entry)| entry).collect();
            winners.sort_unstable();
            self.winners = Some(winners);
        }
        let Some(left) = self.winners.as_mut().filter(|left| !left.is_empty()) else { return Ok(Step::Done) };
        let mut batch = left.split_off(left.len() - WINNERS_PER_BATCH.min(left.len()));
        batch.reverse();
        self.materialize(&batch).map(Step::Batch)
    }
}

impl Work for Ordered {
    fn step(&mut self) -> Result<Step, ExecError> {
        self.spec.control.check()?;
        match self.step_or_damage() {
            Err(error) if self.winners.is_none() => {
                // The rest of a damaged part is passed over when partial answers are allowed. A winner that cannot be read
                // again is an error in any case: it was counted.
                self.reader = None;
                self.spec.control.damaged(error)?;
                Ok(Step::Working)
            }
            other => other,
        }
    }
}
