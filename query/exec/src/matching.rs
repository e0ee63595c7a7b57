//! Which rows of a part match: what its statistics and index say, made exact where the columns are asked.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use column::FieldView;
use index::{Hits, IndexError};
use model::{TimeRange, Timestamp, field};
use roaring::RoaringBitmap;
use shape::Probe;

use crate::ExecError;
use crate::control::{Control, Stage};
use crate::hits::Lookup;
use crate::part::{Block, Columns, Part, PartBatches, Stored, times_of};
use crate::predicate::Predicate;
use crate::set::Set;
use crate::shapes::{ShapeTest, tests_on};
use crate::workers::Cost;

/// Rows of a large part that one worker reads at a time: a multiple of a page.
pub(crate) const UNIT_ROWS: u32 = 65_536;

/// What a scan looks for.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) predicate: Arc<Predicate>,
    pub(crate) range: TimeRange,
    pub(crate) control: Arc<Control>,
}

impl Spec {
    /// How many rows of a part match, when that is known without a bitmap.
    pub(crate) fn count(&self, part: &Part) -> Result<Option<u64>, ExecError> {
        if !part.is_inside(self.range) || part.deleted().is_some() {
            return Ok(None);
        }
        if matches!(*self.predicate, Predicate::All) {
            self.control.stage(Stage::Statistics, part.rows(), part.rows(), None);
            self.control.add_found(part.rows(), 0);
            return Ok(Some(part.rows()));
        }
        let Some(index) = part.index(&self.control) else { return Ok(None) };
        let start = Instant::now();
        let count = self.lookup(part, index).count(&self.predicate);
        let count = count.or_else(|error| self.index_error(part, &error).map(|()| None))?;
        if let Some(count) = count {
            self.control.stage(Stage::Index, part.rows(), count, Some(start));
            self.control.add_found(count, 0);
        }
        Ok(count)
    }

    /// The rows of a part that match, without reading a column but `_time`.
    pub(crate) fn set(&self, part: &Part) -> Result<Set, ExecError> {
        let total = part.rows();
        let mut set = self.by_index(part)?;
        if let Some(deleted) = part.deleted() {
            let before = set.possible_len(total);
            set = set.without(deleted, total);
            self.control.stage(Stage::Deletes, before, set.possible_len(total), None);
        }
        if !part.is_inside(self.range) && !set.is_none() {
            let (start, before) = (Instant::now(), set.possible_len(total));
            set = self.in_time(part, set)?;
            self.control.stage(Stage::Time, before, set.possible_len(total), Some(start));
        }
        self.control.add_found(set.sure_len(total), set.possible_len(total) - set.sure_len(total));
        Ok(set)
    }

    fn by_index(&self, part: &Part) -> Result<Set, ExecError> {
        if matches!(*self.predicate, Predicate::All) {
            return Ok(Set::All);
        }
        if matches!(*self.predicate, Predicate::Nothing) {
            return Ok(Set::none());
        }
        let Some(index) = part.index(&self.control) else { return Ok(Set::Unknown) };
        let start = Instant::now();
        let set = self.lookup(part, index).set(&self.predicate);
        self.control.check()?;
        let set = set.or_else(|error| self.index_error(part, &error).map(|()| Set::Unknown))?;
        self.control.stage(Stage::Index, part.rows(), set.possible_len(part.rows()), Some(start));
        Ok(set)
    }

    /// A damaged index is reported and not used: the columns answer the same questions.
    fn index_error(&self, part: &Part, error: &IndexError) -> Result<(), ExecError> {
        self.control.check()?;
        self.control.index_failed(part.name(), &error.to_string(), true);
        Ok(())
    }

    /// What each tier of a part's index names for the tests of the filter, a line each.
    pub(crate) fn tiers(&self, part: &Part) -> Result<Vec<String>, ExecError> {
        let mut out = Vec::new();
        if let Some(index) = part.index(&self.control) {
            let told = self.lookup(part, index).tiers(&self.predicate, &mut out);
            told.or_else(|error| self.index_error(part, &error))?;
        }
        Ok(out)
    }

    fn lookup<'a>(&'a self, part: &'a Part, index: &'a index::IndexReader) -> Lookup<'a> {
        let (field_names, names_complete) = part.field_names();
        Lookup { index, field_names, names_complete, rows: part.rows(), control: &self.control }
    }

    /// The rows of the set whose time is in range. Only blocks that the range cuts are read, and only their times.
    fn in_time(&self, part: &Part, set: Set) -> Result<Set, ExecError> {
        let mut inside = RoaringBitmap::new();
        let mut cut = RoaringBitmap::new();
        for Block { rows, min, max } in part.blocks()? {
            if self.range.contains(min) && self.range.contains(max) {
                inside.insert_range(rows);
            } else if self.range.overlaps(min, max) {
                cut.insert_range(rows);
            }
        }
        if let Some(possible) = set.possible() {
            cut &= possible;
        }
        if !cut.is_empty() {
            let columns = Some(BTreeSet::from([field::TIME.to_owned()]));
            let mut batches = part.read(&columns, Some(&cut), all_rows(part))?;
            while let Some(Stored { batch, numbers }) = batches.next(&self.control)? {
                let times = times_of(&batch)?;
                let in_range = numbers.iter().zip(times).filter(|(_, time)| self.range.contains(Timestamp(**time)));
                inside.extend(in_range.map(|(number, _)| *number).filter(|number| cut.contains(*number)));
            }
        }
        Ok(match set {
            Set::All => Set::sure(inside),
            Set::Unknown => Set::maybe(inside),
            Set::Rows(hits) => Set::Rows(Hits { sure: hits.sure & &inside, maybe: hits.maybe & &inside }),
        })
    }

    /// The fields that verifying needs, none when nothing has to be verified; `None` for all.
    pub(crate) fn match_fields(&self, set: &Set) -> Columns {
        if set.is_exact() { Some(BTreeSet::new()) } else { self.predicate.fields() }
    }

    /// Opens the rows of a set for reading, with the fields that verifying needs and those of `extra`.
    pub(crate) fn open(&self, part: &Part, set: &Set, extra: &Columns, rows: Range<u32>) -> Result<Opened, ExecError> {
        let set = self.narrowed(part, set, &rows)?;
        self.open_narrowed(part, set, extra, rows)
    }

    /// [`Self::open`] for a set that [`Self::narrowed`] gave.
    pub(crate) fn open_narrowed(
        &self,
        part: &Part,
        set: Set,
        extra: &Columns,
        rows: Range<u32>,
    ) -> Result<Opened, ExecError> {
        let columns = match (self.match_fields(&set), extra) {
            (Some(names), Some(extra)) => Some(names.union(extra).cloned().collect()),
            _ => None,
        };
        let batches = part.read(&columns, set.possible().as_ref(), rows)?;
        Ok(Opened { batches, set, spec: self.clone() })
    }

    /// The rows that match, exactly: what is not sure is read and verified, by as many workers as allowed.
    pub(crate) fn resolve(&self, part: &Part, set: Set, threads: usize) -> Result<Set, ExecError> {
        if set.is_exact() {
            return Ok(set);
        }
        let start = Instant::now();
        let (known, open) = match set {
            Set::Rows(Hits { sure, maybe }) => (sure, Set::maybe(maybe)),
            other => (RoaringBitmap::new(), other),
        };
        let units = units(part, &open, UNIT_ROWS);
        let found = crate::workers::each(
            threads,
            Cost::Heavy,
            units,
            RoaringBitmap::new,
            |found: &mut RoaringBitmap, unit: Range<u32>| self.verify(part, &open, unit, found),
        )?;
        let before = open.possible_len(part.rows());
        let rows = found.into_iter().fold(known, |all, found| all | found);
        self.control.stage(Stage::Verify, before, rows.len(), Some(start));
        Ok(Set::sure(rows))
    }
}

impl Spec {
    /// Adds those rows of a set that match, of those in `range`.
    pub(crate) fn verify(
        &self,
        part: &Part,
        set: &Set,
        range: Range<u32>,
        found: &mut RoaringBitmap,
    ) -> Result<(), ExecError> {
        let open = match self.narrowed(part, set, &range)? {
            Set::Rows(Hits { sure, maybe }) => {
                *found |= sure;
                maybe
            }
            other => other.possible().unwrap_or_else(|| range.clone().collect()),
        };
        if open.is_empty() {
            return Ok(());
        }
        let batches = part.read(&self.predicate.fields(), Some(&open), range)?;
        let mut opened = Opened { batches, set: Set::maybe(open), spec: self.clone() };
        while let Some(matches) = opened.next()? {
            found.extend(matches.rows.iter().map(|row| matches.stored.numbers[*row as usize]));
        }
        Ok(())
    }

    /// The rows of a set that are in a range. What it leaves open is narrowed by the shapes of bodies, which are quickly read
    /// and mostly tell.
    pub(crate) fn narrowed(&self, part: &Part, set: &Set, range: &Range<u32>) -> Result<Set, ExecError> {
        let (sure, maybe) = match cut_out(set, range) {
            Set::Rows(Hits { sure, maybe }) if !maybe.is_empty() => (sure, maybe),
            Set::Unknown => (RoaringBitmap::new(), range.clone().collect()),
            other => return Ok(other),
        };
        let (start, before) = (Instant::now(), maybe.len());
        let Some(hits) = self.by_shapes(part, &maybe)? else { return Ok(cut_out(set, range)) };
        self.control.stage(Stage::Shapes, before, hits.sure.len() + hits.maybe.len(), Some(start));
        Ok(Set::Rows(Hits { sure: sure | hits.sure, maybe: hits.maybe }))
    }

    /// What the shapes of bodies say of rows; `None` when they say nothing.
    fn by_shapes(&self, part: &Part, rows: &RoaringBitmap) -> Result<Option<Hits>, ExecError> {
        let (tests, all) = tests_on(&self.predicate, field::BODY);
        if tests.is_empty() {
            return Ok(None);
        }
        let Some(mut batches) = part.read_shapes(field::BODY, rows)? else { return Ok(None) };
        let mut numbers = rows.iter();
        let mut hits = Hits::none();
        for batch in batches.by_ref() {
            self.control.check()?;
            let batch = batch.map_err(|error| part.error(&error))?;
            self.control.add_read(column::batch_bytes(&batch) as u64);
            let Some(column) = FieldView::new(&batch, field::BODY).split_column() else { return Ok(None) };
            let tried: Option<Vec<_>> = tests.iter().map(|test| ShapeTest::new(test, column)).collect();
            let Some(mut tried) = tried else { return Ok(None) };
            for (row, number) in (0..batch.num_rows()).zip(numbers.by_ref()) {
                let mut verdict = if all { Probe::Sure } else { Probe::Maybe };
                for test in &mut tried {
                    match test.probe(row) {
                        Probe::Sure => {}
                        Probe::Maybe => verdict = Probe::Maybe,
                        Probe::No => {
                            verdict = Probe::No;
                            break;
                        }
                    }
                }
                match verdict {
                    Probe::Sure => drop(hits.sure.insert(number)),
                    Probe::Maybe => drop(hits.maybe.insert(number)),
                    Probe::No => {}
                }
            }
        }
        self.control.add_pages(batches.pages_read());
        Ok(Some(hits))
    }
}

/// The rows of a part.
pub(crate) fn all_rows(part: &Part) -> Range<u32> {
    0..u32::try_from(part.rows()).unwrap_or(u32::MAX)
}

/// Ranges of at most so many rows that hold rows of a set.
pub(crate) fn units(part: &Part, set: &Set, rows_max: u32) -> Vec<Range<u32>> {
    let all = all_rows(part);
    let starts = (0..all.end.div_ceil(rows_max)).map(|n| n * rows_max);
    let ranges = starts.map(|start| start..start.saturating_add(rows_max).min(all.end));
    match set {
        Set::All | Set::Unknown => ranges.collect(),
        Set::Rows(hits) => {
            let any = |range: &Range<u32>| {
                hits.sure.range_cardinality(range.clone()) + hits.maybe.range_cardinality(range.clone()) > 0
            };
            ranges.filter(any).collect()
        }
    }
}

/// The rows of a set that are in a range.
fn cut_out(set: &Set, range: &Range<u32>) -> Set {
    let Set::Rows(Hits { sure, maybe }) = set else { return set.clone() };
    let cut = |rows: &RoaringBitmap| {
        let mut inside = RoaringBitmap::new();
        inside.insert_range(range.clone());
        inside & rows
    };
    Set::Rows(Hits { sure: cut(sure), maybe: cut(maybe) })
}

/// Rows of a part that are being read.
pub(crate) struct Opened {
    batches: PartBatches,
    set: Set,
    spec: Spec,
}

/// A stored batch, and the places in it of the rows that match.
pub(crate) struct Matches {
    pub(crate) stored: Stored,
    pub(crate) rows: Vec<u32>,
}

impl Opened {
    /// The next stored batch and its matches, possibly none; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Matches>, ExecError> {
        let Some(stored) = self.batches.next(&self.spec.control)? else { return Ok(None) };
        self.spec.control.add_scanned(stored.batch.num_rows() as u64);
        let rows = self.matching(&stored)?;
        Ok(Some(Matches { stored, rows }))
    }

    fn matching(&self, stored: &Stored) -> Result<Vec<u32>, ExecError> {
        let verify = |rows: Vec<u32>| self.verified(&stored.batch, rows);
        let all = || (0..stored.batch.num_rows() as u32).collect();
        match &self.set {
            Set::All => Ok(all()),
            Set::Unknown => verify(all()),
            Set::Rows(Hits { sure, maybe }) => {
                let sure = places(&stored.numbers, sure);
                if maybe.is_empty() {
                    return Ok(sure);
                }
                let found = verify(places(&stored.numbers, maybe))?;
                Ok(if sure.is_empty() { found } else { merged(sure, found) })
            }
        }
    }

    fn verified(&self, batch: &RecordBatch, rows: Vec<u32>) -> Result<Vec<u32>, ExecError> {
        if rows.is_empty() {
            return Ok(rows);
        }
        let tried = rows.len() as u64;
        let found = self.spec.predicate.select(batch, rows, &self.spec.control)?;
        self.spec.control.add_verified(tried, found.len() as u64);
        Ok(found)
    }
}

/// The places of those numbers that are in the bitmap; both ascend.
fn places(numbers: &[u32], rows: &RoaringBitmap) -> Vec<u32> {
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Vec::new() };
    let inside = rows.range_cardinality(*first..=*last);
    if inside == 0 {
        return Vec::new();
    }
    if inside == numbers.len() as u64 && (last - first) as usize + 1 == numbers.len() {
        return (0..numbers.len() as u32).collect();
    }
    let mut out = Vec::with_capacity(inside as usize);
    let mut at = 0;
    for row in rows.range(*first..=*last) {
        while numbers.get(at).is_some_and(|number| *number < row) {
            at += 1;
        }
        if numbers.get(at) == Some(&row) {
            out.push(at as u32);
        }
    }
    out
}

fn merged(a: Vec<u32>, b: Vec<u32>) -> Vec<u32> {
    let mut all = a;
    all.extend(b);
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_rows() {
        let rows: RoaringBitmap = [3, 5, 9].into();
        assert_eq!(places(&[1, 3, 4, 5, 6], &rows), [1, 3]);
        assert_eq!(places(&[3, 5, 9], &rows), [0, 1, 2]);
        assert_eq!(places(&[6, 7], &rows), [0u32; 0]);
        assert_eq!(places(&[0, 1, 2, 3], &RoaringBitmap::from([0, 1, 2, 3])), [0, 1, 2, 3]);
    }
}
