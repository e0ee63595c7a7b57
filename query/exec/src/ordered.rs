//! Rows in the order of their times: the newest or the oldest so many, or all of them.
//!
//! Parts and the blocks in them (pages, cut at streams) are visited in the order of the best time that they may hold. Of a
//! block only times and ids of the rows that may match are read. A row is settled once it is better than anything that is
//! not visited yet: sure rows at once, others when their columns say so. Then whole rows are read, of the settled ones only.
//! So the first rows come after a few pages, and an export needs no sort of everything.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Range;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt64Type;
use model::field;
use plan::ScanOrder;
use roaring::RoaringBitmap;

use crate::ExecError;
use crate::control::Stage;
use crate::matching::{Spec, all_rows};
use crate::memory::Held;
use crate::output::Output;
use crate::part::{Block, Columns, Part, Stored, times_of};
use crate::scan::{Step, Work};
use crate::set::Set;
use crate::workers::Cost;

/// Most rows that are read whole in one step when there is no limit: a page is read again by the next step when times of
/// many streams interleave, so larger steps read less.
const SLICE_ROWS: usize = 65_536;

/// Rows of one batch of output.
const BATCH_ROWS: usize = 8_192;

/// Blocks of the first wave. Where one stream has the newest rows, more would be read for nothing.
const WAVE_MIN: usize = 8;

/// Each wave has so many times as many as the one before: a wave costs starting threads.
const WAVE_GROWTH: usize = 4;

/// Blocks of the largest wave.
const WAVE_MAX: usize = 256;

/// Rows that a worker reads at a time, at least: one that is on pages of its own takes the better part of a millisecond.
const READ_ROWS_MIN: usize = 4;

/// Rows that are verified together at first, and at most.
const AHEAD_MIN: usize = 32;
const AHEAD_MAX: usize = 65_536;

/// Once so many rows were verified one by one and hardly any matched, blocks are verified as they are looked at.
const TRIED_MIN: u64 = 512;

/// What a row costs while it waits to be settled, in bytes.
pub(crate) const CANDIDATE_BYTES: u64 = size_of::<Candidate>() as u64;

/// A row's rank: larger is better. Times and ids are complemented when the oldest come first.
type Rank = (i64, u64);

/// A row that may be among the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: Rank,
    part: u32,
    row: u32,
    sure: bool,
}

/// What is still to be visited.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Part(u32),
    Block(u32, Range<u32>),
}

/// A place, and the best time in it.
#[derive(Debug, PartialEq, Eq)]
struct Visit {
    bound: i64,
    place: Place,
}

impl Ord for Visit {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |visit: &Visit| match &visit.place {
            Place::Part(part) => (visit.bound, Reverse(*part), Reverse(0)),
            Place::Block(part, rows) => (visit.bound, Reverse(*part), Reverse(rows.start)),
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Visit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Yields rows in order.
pub(crate) struct Ordered {
    spec: Spec,
    output: Output,
    parts: Vec<Part>,
    order: ScanOrder,
    /// How many rows are wanted still.
    wanted: usize,
    limited: bool,
    threads: usize,
    held: Held,
    visits: BinaryHeap<Visit>,
    /// The rows of the opened parts that may match.
    sets: BTreeMap<u32, Set>,
    wave: usize,
    candidates: BinaryHeap<Candidate>,
    /// Rows in order that are to be read.
    settled: Vec<Candidate>,
    /// Batches in reverse order that are to be yielded.
    ready: Vec<RecordBatch>,
    /// Rows that were verified one by one, and how many of them matched.
    tried: u64,
    confirmed: u64,
    /// How many rows are verified together at most: more and more, while few match.
    ahead: usize,
}

impl Ordered {
    pub(crate) fn new(
        spec: Spec,
        output: Output,
        parts: Vec<Part>,
        order: ScanOrder,
        fetch: Option<u64>,
        threads: usize,
        held: Held,
    ) -> Self {
        let wanted = fetch.map_or(usize::MAX, |fetch| usize::try_from(fetch).unwrap_or(usize::MAX));
        let bound = |part: &Part| part.times().map(|(min, max)| best(order, min.0, max.0));
        let visits = parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| Some(Visit { bound: bound(part)?, place: Place::Part(at as u32) }));
        Self {
            visits: visits.collect(),
            spec,
            output,
            order,
            wanted,
            limited: fetch.is_some(),
            threads,
            held,
            sets: BTreeMap::new(),
            wave: WAVE_MIN,
            candidates: BinaryHeap::new(),
            settled: Vec::new(),
            ready: Vec::new(),
            tried: 0,
            confirmed: 0,
            ahead: wanted.clamp(AHEAD_MIN, AHEAD_MAX),
            parts,
        }
    }

    fn rank(&self, time: i64, id: u64) -> Rank {
        match self.order {
            ScanOrder::NewestFirst => (time, id),
            ScanOrder::OldestFirst => (!time, !id),
        }
    }

    /// Settles the best rows, as far as nothing unvisited can be better. True when some were settled or thrown out.
    fn settle(&mut self) -> Result<bool, ExecError> {
        let bound = self.visits.peek().map(|visit| visit.bound);
        let room = SLICE_ROWS - self.settled.len().min(SLICE_ROWS);
        let mut front = Vec::new();
        let mut sure = 0;
        while front.len() < room.min(self.ahead)
            && sure < self.wanted
            && let Some(best) = self.candidates.peek().filter(|best| bound.is_none_or(|bound| best.rank.0 > bound))
        {
            sure += usize::from(best.sure);
            front.push(*best);
            self.candidates.pop();
        }
        if front.is_empty() {
            return Ok(false);
        }
        let open = front.iter().filter(|row| !row.sure).count() as u64;
        let mut kept = self.verified(front)?;
        self.tried += open;
        self.confirmed += kept.iter().filter(|row| !row.sure).count() as u64;
        if kept.len() < self.wanted {
            self.ahead = (self.ahead * 2).min(AHEAD_MAX);
        }
        if kept.len() > self.wanted {
            self.spec.control.stopped_early();
            kept.truncate(self.wanted);
        }
        self.wanted -= kept.len();
        self.spec.control.add_matched(kept.len() as u64);
        self.settled.extend(kept);
        Ok(true)
    }

    /// Those of some rows that match, in the same order.
    fn verified(&self, rows: Vec<Candidate>) -> Result<Vec<Candidate>, ExecError> {
        let mut open: BTreeMap<u32, RoaringBitmap> = BTreeMap::new();
        for row in rows.iter().filter(|row| !row.sure) {
            open.entry(row.part).or_default().insert(row.row);
        }
        if open.is_empty() {
            return Ok(rows);
        }
        let tasks: Vec<(u32, RoaringBitmap)> =
            open.into_iter().flat_map(|(part, rows)| split(rows, self.threads).map(move |rows| (part, rows))).collect();
        let start = Instant::now();
        let found = crate::workers::each(self.threads, Cost::Heavy, tasks, BTreeMap::new, |found, (part, rows)| {
            let at = &self.parts[part as usize];
            let set = Set::maybe(rows);
            self.spec.verify(at, &set, all_rows(at), found.entry(part).or_default())
        })?;
        let holds = |row: &Candidate| {
            row.sure || found.iter().any(|found| found.get(&row.part).is_some_and(|rows| rows.contains(row.row)))
        };
        let tried = rows.len() as u64;
        let kept: Vec<Candidate> = rows.into_iter().filter(holds).collect();
        self.spec.control.stage(Stage::Verify, tried, kept.len() as u64, Some(start));
        Ok(kept)
    }

    /// Visits the most promising places; false when there are none.
    fn visit(&mut self) -> Result<bool, ExecError> {
        let threshold = self.prune();
        let mut blocks: BTreeMap<u32, RoaringBitmap> = BTreeMap::new();
        let mut count = 0;
        while count < self.wave {
            let Some(visit) = self.visits.pop() else { break };
            if threshold.is_some_and(|threshold| visit.bound < threshold) {
                self.give_up(visit);
                break;
            }
            match visit.place {
                Place::Part(part) if count == 0 => return self.open(part).map(|()| true),
                // A part is opened only when nothing better is left to look at first.
                Place::Part(part) => {
                    self.visits.push(Visit { bound: visit.bound, place: Place::Part(part) });
                    break;
                }
                Place::Block(part, rows) => {
                    blocks.entry(part).or_default().insert_range(rows);
                    count += 1;
                }
            }
        }
        if blocks.is_empty() {
            return Ok(false);
        }
        self.wave = (self.wave * WAVE_GROWTH).min(WAVE_MAX);
        self.look(blocks)?;
        Ok(true)
    }

    /// Nothing that is left can be among the first.
    fn give_up(&mut self, visit: Visit) {
        self.spec.control.stopped_early();
        for visit in self.visits.drain().chain([visit]) {
            if let Place::Part(part) = visit.place {
                self.spec.control.part_done(&self.parts[part as usize], false);
            }
        }
    }

    /// Asks a part's index and puts its blocks on the list.
    fn open(&mut self, at: u32) -> Result<(), ExecError> {
        let part = &self.parts[at as usize];
        match self.blocks_of(part) {
            Ok(Some((set, blocks))) => {
                self.spec.control.part_done(part, true);
                let order = self.order;
                let visits = blocks.into_iter().map(|block| Visit {
                    bound: best(order, block.min.0, block.max.0),
                    place: Place::Block(at, block.rows),
                });
                self.visits.extend(visits);
                self.sets.insert(at, set);
                Ok(())
            }
            Ok(None) => {
                self.spec.control.part_done(part, false);
                Ok(())
            }
            Err(error) => self.spec.control.damaged(error),
        }
    }

    /// The rows of a part that may match, and the blocks that hold some.
    fn blocks_of(&self, part: &Part) -> Result<Option<(Set, Vec<Block>)>, ExecError> {
        let mut set = self.spec.set(part)?;
        if !self.limited || set.is_on_few_pages() {
            // All of them are wanted or next to none are there, so all are verified, and that goes faster in one sweep.
            set = self.spec.resolve(part, set, self.threads)?;
        }
        if set.is_none() {
            return Ok(None);
        }
        let mut blocks = part.blocks()?;
        if let Set::Rows(hits) = &set {
            let any = |rows: &Range<u32>| {
                hits.sure.range_cardinality(rows.clone()) + hits.maybe.range_cardinality(rows.clone()) > 0
            };
            blocks.retain(|block| any(&block.rows));
        }
        Ok(Some((set, blocks)))
    }

    /// Reads times and ids of the rows of some blocks that may match.
    fn look(&mut self, blocks: BTreeMap<u32, RoaringBitmap>) -> Result<(), ExecError> {
        let start = Instant::now();
        let mut tasks = Vec::new();
        for (part, mut rows) in blocks {
            if let Some(possible) = self.sets.get(&part).and_then(Set::possible) {
                rows &= possible;
            }
            tasks.extend(split(rows, self.threads).map(|rows| (part, rows)));
        }
        let columns = Some(BTreeSet::from([field::TIME.to_owned(), field::ID.to_owned()]));
        let found = crate::workers::each(self.threads, Cost::Heavy, tasks, Vec::new, |found, (part, rows)| {
            let read = self.look_at(part, &rows, &columns, found);
            read.or_else(|error| self.spec.control.damaged(error))
        })?;
        let count: usize = found.iter().map(Vec::len).sum();
        found.into_iter().for_each(|found| self.candidates.extend(found));
        self.held.set(self.candidates.len() * size_of::<Candidate>())?;
        self.spec.control.stage(Stage::Order, count as u64, count as u64, Some(start));
        Ok(())
    }

    fn look_at(
        &self,
        part: u32,
        rows: &RoaringBitmap,
        columns: &Columns,
        found: &mut Vec<Candidate>,
    ) -> Result<(), ExecError> {
        let at = &self.parts[part as usize];
        let open = match self.sets.get(&part) {
            Some(Set::Rows(hits)) => Some(&hits.maybe),
            Some(Set::All) => None,
            _ => Some(rows),
        };
        if let Some(open) = open.filter(|_| self.tried >= TRIED_MIN && self.confirmed * 8 < self.tried) {
            return self.look_hard(part, rows, open, columns, found);
        }
        let mut batches = at.read(columns, Some(rows), all_rows(at))?;
        while let Some(Stored { batch, numbers }) = batches.next(&self.spec.control)? {
            for ((row, time), id) in numbers.iter().zip(times_of(&batch)?).zip(ids_of(&batch)?) {
                if rows.contains(*row) {
                    let sure = open.is_none_or(|open| !open.contains(*row));
                    found.push(Candidate { rank: self.rank(*time, *id), part, row: *row, sure });
                }
            }
        }
        Ok(())
    }

    /// As [`Self::look_at`], and verifies the rows on the way.
    fn look_hard(
        &self,
        part: u32,
        rows: &RoaringBitmap,
        open: &RoaringBitmap,
        columns: &Columns,
        found: &mut Vec<Candidate>,
    ) -> Result<(), ExecError> {
        let at = &self.parts[part as usize];
        let maybe = rows & open;
        let set = Set::Rows(index::Hits { sure: rows - &maybe, maybe });
        let mut opened = self.spec.open(at, &set, columns, all_rows(at))?;
        while let Some(matches) = opened.next()? {
            let Stored { batch, numbers } = &matches.stored;
            let (times, ids) = (times_of(batch)?, ids_of(batch)?);
            found.extend(matches.rows.iter().map(|row| {
                let row = *row as usize;
                Candidate { rank: self.rank(times[row], ids[row]), part, row: numbers[row], sure: true }
            }));
        }
        Ok(())
    }

    /// Throws out what cannot be among the first; returns the time that a row must reach, once that is known.
    fn prune(&mut self) -> Option<i64> {
        if !self.limited {
            return None;
        }
        if self.wanted == 0 {
            return Some(i64::MAX);
        }
        let mut sure: Vec<Rank> =
            self.candidates.iter().filter(|candidate| candidate.sure).map(|candidate| candidate.rank).collect();
        if sure.len() < self.wanted {
            return None;
        }
        let (_, last, _) = sure.select_nth_unstable_by(self.wanted - 1, |a, b| b.cmp(a));
        let last = *last;
        let before = self.candidates.len();
        self.candidates.retain(|candidate| candidate.rank >= last);
        if self.candidates.len() < before {
            self.spec.control.stopped_early();
        }
        Some(last.0)
    }

    /// Reads the settled rows whole.
    fn materialize(&mut self) -> Result<(), ExecError> {
        let start = Instant::now();
        let rows = std::mem::take(&mut self.settled);
        for rows in rows.chunks(BATCH_ROWS) {
            self.ready.push(self.batch(rows)?);
        }
        self.ready.reverse();
        self.spec.control.stage(Stage::Output, rows.len() as u64, rows.len() as u64, Some(start));
        Ok(())
    }

    fn batch(&self, rows: &[Candidate]) -> Result<RecordBatch, ExecError> {
        if self.output.columns.is_empty() {
            return self.output.count_only(rows.len());
        }
        let mut numbers: BTreeMap<u32, RoaringBitmap> = BTreeMap::new();
        for row in rows {
            numbers.entry(row.part).or_default().insert(row.row);
        }
        let tasks: Vec<(u32, RoaringBitmap)> = numbers
            .into_iter()
            .flat_map(|(part, rows)| split(rows, self.threads).map(move |rows| (part, rows)))
            .collect();
        let columns = self.output.read_columns();
        let found = crate::workers::each(self.threads, Cost::Heavy, tasks, Vec::new, |found, (part, numbers)| {
            let mut numbers_left = numbers.iter();
            for stored in self.parts[part as usize].read_rows(&columns, &numbers, &self.spec.control)? {
                self.spec.control.check()?;
                let all: Vec<u32> = (0..stored.num_rows() as u32).collect();
                let of_batch: Vec<u32> = numbers_left.by_ref().take(all.len()).collect();
                self.spec.control.add_read(column::batch_bytes(&stored) as u64);
                found.push((part, of_batch, self.output.build(&stored, &all)?));
            }
            Ok(())
        })?;
        let batches: Vec<(u32, Vec<u32>, RecordBatch)> = found.into_iter().flatten().collect();
        let mut places: BTreeMap<(u32, u32), (usize, usize)> = BTreeMap::new();
        for (slot, (part, numbers, _)) in batches.iter().enumerate() {
            places.extend(numbers.iter().enumerate().map(|(at, row)| ((*part, *row), (slot, at))));
        }
        let order: Vec<(usize, usize)> =
            rows.iter().filter_map(|row| places.get(&(row.part, row.row)).copied()).collect();
        if order.len() != rows.len() {
            let message = format!("{} rows were wanted and {} read", rows.len(), order.len());
            return Err(ExecError::Internal { message });
        }
        let batches: Vec<&RecordBatch> = batches.iter().map(|(_, _, batch)| batch).collect();
        Ok(arrow_select::interleave::interleave_record_batch(&batches, &order)?)
    }

    /// Whether enough is settled to read it.
    fn is_full(&self) -> bool {
        self.wanted == 0 || self.settled.len() >= SLICE_ROWS
    }
}

impl Work for Ordered {
    fn step(&mut self) -> Result<Step, ExecError> {
        self.spec.control.check()?;
        if let Some(batch) = self.ready.pop() {
            return Ok(Step::Batch(batch));
        }
        if !self.is_full() {
            // Without a limit what is settled goes out before more is looked at, once it makes a batch.
            let early = !self.limited && self.settled.len() >= BATCH_ROWS && self.candidates.is_empty();
            // When nothing that is left to visit can be better, more is settled than before.
            if !early && (self.settle()? || self.visit()? || self.settle()?) {
                return Ok(Step::Working);
            }
        }
        if self.settled.is_empty() {
            if self.wanted == 0 && !(self.visits.is_empty() && self.candidates.is_empty()) {
                self.spec.control.stopped_early();
                while let Some(visit) = self.visits.pop() {
                    self.give_up(visit);
                }
            }
            return Ok(Step::Done);
        }
        self.materialize()?;
        Ok(Step::Working)
    }
}

/// The ids of a stored batch.
fn ids_of(batch: &RecordBatch) -> Result<&[u64], ExecError> {
    let ids = batch.column_by_name(field::ID).and_then(|ids| ids.as_primitive_opt::<UInt64Type>());
    let missing = || ExecError::Internal { message: "a batch came without _id".to_owned() };
    ids.map(|ids| &ids.values()[..]).ok_or_else(missing)
}

/// The best time of a span, as ranks have it.
fn best(order: ScanOrder, min: i64, max: i64) -> i64 {
    match order {
        ScanOrder::NewestFirst => max,
        ScanOrder::OldestFirst => !min,
    }
}

/// Rows in so many parts of about the same number, neighbours together.
fn split(rows: RoaringBitmap, parts: usize) -> impl Iterator<Item = RoaringBitmap> {
    let rows: Vec<u32> = rows.into_iter().collect();
    let each = rows.len().div_ceil(parts.max(1)).max(READ_ROWS_MIN);
    let chunks: Vec<RoaringBitmap> = rows.chunks(each).map(|rows| rows.iter().copied().collect()).collect();
    chunks.into_iter()
}
