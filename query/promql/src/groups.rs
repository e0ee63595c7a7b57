//! The groups of an aggregation: what was added up for each group and step. Threads add up parts of the rows, and the parts are joined in
//! the order of the rows.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use model::{FloatHistogram, Labels};

use crate::annotation::Annotations;
use crate::ast::{Aggregate, AggregateOp, Span};
use crate::error::EvalError;
use crate::labels;
use crate::mixed::{Total, histogram_cell};
use crate::notes::Combining;
use crate::tally::Tallies;
use crate::tile::{Cell, Meta, Row};

/// By what rows are told apart, and what is computed of those that are not.
pub(crate) struct Grouping<'a> {
    aggregate: &'a Aggregate,
    op: AggregateOp,
    /// Where annotations point at.
    span: Span,
    steps: usize,
    /// Whether names that are to go are still seen.
    delayed_names: bool,
    hashes: RandomState,
    /// Bytes of groups, and of rows with histograms that are to be joined.
    held: AtomicUsize,
    bytes_left: usize,
    bytes_max: usize,
}

/// Groups in the order in which rows of theirs came.
pub(crate) struct Groups<'a> {
    grouping: &'a Grouping<'a>,
    list: Vec<Group>,
    /// Places in the list, by the hash of the labels.
    known: HashTable<(u64, u32)>,
    pub(crate) notes: Annotations,
    /// In a part: rows with histograms, which are added when the part is joined.
    mixed: Vec<(Meta, Row)>,
    is_part: bool,
}

struct Group {
    meta: Meta,
    tallies: Tallies,
    /// Sums of histograms by step; empty until one comes.
    histograms: Vec<Option<HistogramTally>>,
}

/// What is known of the histograms of one group at one step.
struct HistogramTally {
    /// `None` once they turned out not to go together, or where numbers came first.
    total: Option<Total>,
    /// They do not go together.
    incompatible: bool,
}

impl<'a> Grouping<'a> {
    /// `bytes` are those that groups may take, and the limit that they are part of.
    pub(crate) fn new(
        aggregate: &'a Aggregate,
        steps: usize,
        (bytes_left, bytes_max): (usize, usize),
        delayed_names: bool,
    ) -> Self {
        let span = aggregate.expr.span();
        let (hashes, held) = (RandomState::default(), AtomicUsize::new(0));
        Self { aggregate, op: aggregate.op, span, steps, delayed_names, hashes, held, bytes_left, bytes_max }
    }

    pub(crate) fn groups(&'a self) -> Groups<'a> {
        let (list, known, mixed) = (Vec::new(), HashTable::new(), Vec::new());
        Groups { grouping: self, list, known, notes: Annotations::default(), mixed, is_part: false }
    }

    /// Groups of some of the rows, to be joined with those of the rows before.
    pub(crate) fn part(&'a self) -> Groups<'a> {
        Groups { is_part: true, ..self.groups() }
    }

    /// Whether rows that differ in nothing but their metadata may be of different groups.
    fn sees_names(&self) -> bool {
        let Aggregate { grouping, without, .. } = self.aggregate;
        *without || grouping.iter().any(|name| labels::is_metadata(name))
    }

    /// The labels that rows of a group have in common.
    fn key<'l>(&self, labels: &'l Labels) -> impl Iterator<Item = (&'l str, &'l str)> {
        let Aggregate { grouping, without, .. } = self.aggregate;
        labels.iter().filter(|(name, value)| !value.is_empty() && labels::groups_by(name, grouping, *without))
    }

    fn hash(&self, labels: &Labels) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        for (name, value) in self.key(labels) {
            hasher.write(name.as_bytes());
            hasher.write_u8(0);
            hasher.write(value.as_bytes());
            hasher.write_u8(1);
        }
        hasher.finish()
    }

    fn hold(&self, bytes: usize) -> Result<(), EvalError> {
        if self.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > self.bytes_left {
            return Err(EvalError::OutOfMemory { max: self.bytes_max });
        }
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What the numbers of one group take.
    fn group_bytes(&self) -> usize {
        Tallies::bytes(self.op, self.steps)
    }
}

impl<'a> Groups<'a> {
    pub(crate) fn grouping(&self) -> &'a Grouping<'a> {
        self.grouping
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, mut meta: Meta, row: &mut Row) -> Result<(), EvalError> {
        if meta.drop_name && !self.grouping.delayed_names {
            // Grouped by labels of which names are none, they are seen by nobody but in what is said about histograms.
            if row.has_histograms() || self.grouping.sees_names() {
                meta.labels = labels::without_name(&meta.labels);
            }
            meta.drop_name = false;
        }
        if self.is_part && row.has_histograms() {
            let kept = std::mem::replace(row, Row::new(self.grouping.steps));
            self.grouping.hold(kept.size_bytes())?;
            self.mixed.push((meta, kept));
            return Ok(());
        }
        let at = self.place(&meta)?;
        let group = &mut self.list[at];
        group.meta.drop_name |= meta.drop_name;
        if row.has_histograms() {
            group.add_mixed(self.grouping, row, &meta.labels, &mut self.notes);
        } else {
            group.tallies.add_row(&row.values);
        }
        Ok(())
    }

    /// Joins a part of the rows behind those that are here.
    pub(crate) fn join(&mut self, part: Self) -> Result<(), EvalError> {
        self.notes.extend(part.notes);
        for group in part.list {
            let grouping = self.grouping;
            let hash = grouping.hash(&group.meta.labels);
            match self.find(hash, &group.meta.labels) {
                Some(at) => {
                    self.list[at].meta.drop_name |= group.meta.drop_name;
                    self.list[at].tallies.join(&group.tallies);
                    grouping.give_back(grouping.group_bytes());
                }
                None => self.push(hash, group),
            }
        }
        for (meta, mut row) in part.mixed {
            let bytes = row.size_bytes();
            self.add(meta, &mut row)?;
            self.grouping.give_back(bytes);
        }
        Ok(())
    }

    /// The result of each group.
    pub(crate) fn finish(self, mut take: impl FnMut(Meta, &Row)) -> Annotations {
        let mut notes = self.notes;
        for group in self.list {
            let (meta, row) = group.finish(self.grouping, &mut notes);
            take(meta, &row);
        }
        notes
    }

    /// The place of the group of a row.
    fn place(&mut self, meta: &Meta) -> Result<usize, EvalError> {
        let grouping = self.grouping;
        let hash = grouping.hash(&meta.labels);
        if let Some(at) = self.find(hash, &meta.labels) {
            return Ok(at);
        }
        grouping.hold(grouping.group_bytes())?;
        let labels = labels::group(&meta.labels, &grouping.aggregate.grouping, grouping.aggregate.without);
        let meta = Meta { labels, drop_name: false };
        let tallies = Tallies::new(grouping.op, grouping.steps);
        self.push(hash, Group { meta, tallies, histograms: Vec::new() });
        Ok(self.list.len() - 1)
    }

    fn find(&self, hash: u64, labels: &Labels) -> Option<usize> {
        let same = |(known, at): &(u64, u32)| {
            *known == hash && self.list[*at as usize].meta.labels.iter().eq(self.grouping.key(labels))
        };
        self.known.find(hash, same).map(|(_, at)| *at as usize)
    }

    fn push(&mut self, hash: u64, group: Group) {
        self.known.insert_unique(hash, (hash, self.list.len() as u32), |(hash, _)| *hash);
        self.list.push(group);
    }
}

impl Group {
    /// Adds a row that has histograms.
    fn add_mixed(&mut self, grouping: &Grouping<'_>, row: &Row, labels: &Labels, notes: &mut Annotations) {
        let (op, span) = (grouping.op, grouping.span);
        for step in 0..row.values.len() {
            match row.cell(step) {
                None => {}
                Some(Cell::Float(value)) => self.tallies.add(step, value),
                Some(Cell::Histogram(histogram)) => match op {
                    AggregateOp::Sum | AggregateOp::Avg => {
                        self.add_histogram(grouping, step, &histogram, labels, notes)
                    }
                    AggregateOp::Count | AggregateOp::Group => self.tallies.add(step, 1.0),
                    _ => notes.histogram_ignored(span, op.as_str()),
                },
            }
        }
    }

    fn add_histogram(
        &mut self,
        grouping: &Grouping<'_>,
        step: usize,
        histogram: &FloatHistogram,
        labels: &Labels,
        notes: &mut Annotations,
    ) {
        self.histograms.resize_with(grouping.steps, || None);
        let Some(tally) = &mut self.histograms[step] else {
            // After a number it can come to nothing, so nothing is added up.
            let is_first = self.tallies.count(step) == 0.0;
            let total = is_first.then(|| Total::new(histogram, grouping.op == AggregateOp::Avg));
            self.histograms[step] = Some(HistogramTally { total, incompatible: false });
            return;
        };
        let Some(total) = tally.total.as_mut().filter(|_| !tally.incompatible) else { return };
        if total.add(histogram).is_err() {
            notes.mixed_schemas(grouping.span, labels);
            tally.incompatible = true;
        }
    }

    fn finish(self, grouping: &Grouping<'_>, notes: &mut Annotations) -> (Meta, Row) {
        let span = grouping.span;
        let mut row = Row::of(self.tallies.results());
        for (step, tally) in self.histograms.into_iter().enumerate() {
            let Some(HistogramTally { total, incompatible }) = tally else { continue };
            if total.as_ref().is_some_and(Total::bounds_reconciled) {
                notes.bounds_reconciled(span, Combining::Aggregation);
            }
            if self.tallies.count(step) > 0.0 {
                notes.mixed_aggregation(span);
                row.set(step, None);
                continue;
            }
            let Some(total) = total.filter(|_| !incompatible) else { continue };
            if total.hints_collided() {
                notes.hints_collide(span, Combining::Aggregation);
            }
            let mut result = total.finish();
            result.compact();
            row.set(step, Some(histogram_cell(result)));
        }
        (self.meta, row)
    }
}
