//! Groups and counts of a whole source: from manifest entries and indexes where those are exact, from columns for the rest.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use index::{GroupValue, Hits, IndexReader};
use roaring::RoaringBitmap;

use crate::ExecError;
use crate::control::Stage;
use crate::fold::{Fold, FoldSpec, Key, KeyValue};
use crate::matching::{Spec, UNIT_ROWS, units};
use crate::memory::Held;
use crate::part::{Block, Part};
use crate::predicate::Predicate;
use crate::set::{Set, every};
use crate::workers::Cost;

const HOUR_NS: i64 = 3_600_000_000_000;

/// Fewer sure rows than this are read: a posting list of every value of a field costs more than some pages.
const LISTS_ROWS_MIN: u64 = 256;

/// Most values of a field that are counted by their lists once a filter or a bucket makes each of them cost a bitmap.
const LISTS_MAX: usize = 4_096;

/// Most pairs of a value and a block that are counted one by one.
const CELLS_MAX: usize = 100_000;

/// Folds all matching rows of some parts.
pub(crate) fn fold(
    spec: &Spec,
    what: &Arc<FoldSpec>,
    parts: &[Part],
    threads: usize,
    held: &Held,
) -> Result<Fold, ExecError> {
    let answered = crate::workers::each(
        threads,
        Cost::Unknown,
        parts.iter().collect(),
        || (Fold::new(Arc::clone(what)), Vec::new()),
        |(fold, open): &mut (Fold, Vec<Open<'_>>), part| {
            let answer = Answer { spec, what, part };
            match answer.part(fold) {
                Ok(Some(set)) => open.push(Open { part, set: Arc::new(set) }),
                Ok(None) => spec.control.part_done(part, false),
                Err(error) => spec.control.damaged(error)?,
            }
            Ok(())
        },
    )?;
    let mut all = Fold::new(Arc::clone(what));
    let mut tasks: Vec<(Open<'_>, Range<u32>)> = Vec::new();
    for (fold, open) in answered {
        all.absorb(fold);
        for open in open {
            spec.control.part_done(open.part, true);
            tasks.extend(units(open.part, &open.set, UNIT_ROWS).into_iter().map(|unit| (open.clone(), unit)));
        }
    }
    let mut answered = held.share();
    answered.set(all.bytes())?;
    let folds = crate::workers::each(
        threads,
        Cost::Heavy,
        tasks,
        || (Fold::new(Arc::clone(what)), held.share()),
        |(fold, held), (open, unit)| match read(spec, what, &open, unit, fold, held) {
            Ok(()) => Ok(()),
            Err(error) => spec.control.damaged(error),
        },
    )?;
    for (fold, _held) in folds {
        all.absorb(fold);
    }
    Ok(all)
}

/// Rows of a part that have to be read.
#[derive(Clone)]
struct Open<'a> {
    part: &'a Part,
    set: Arc<Set>,
}

/// Reads and folds the rows of one range of a part.
fn read(
    spec: &Spec,
    what: &FoldSpec,
    open: &Open<'_>,
    unit: Range<u32>,
    fold: &mut Fold,
    held: &mut Held,
) -> Result<(), ExecError> {
    let start = Instant::now();
    let mut rows = (0, 0);
    let narrowed = spec.narrowed(open.part, &open.set, &unit)?;
    if let (Set::Rows(hits), true, []) = (&narrowed, what.counts_only(), &what.keys[..])
        && hits.maybe.is_empty()
    {
        spec.control.add_matched(hits.sure.len());
        fold.add_counted(&[], hits.sure.len());
        return Ok(());
    }
    let mut opened = spec.open_narrowed(open.part, narrowed, &Some(what.fields()), unit)?;
    while let Some(matches) = opened.next()? {
        fold.add(&matches.stored.batch, &matches.rows, &spec.control)?;
        held.set(fold.bytes())?;
        rows = (rows.0 + matches.stored.batch.num_rows() as u64, rows.1 + matches.rows.len() as u64);
    }
    spec.control.add_matched(rows.1);
    spec.control.stage(Stage::Fold, rows.0, rows.1, Some(start));
    Ok(())
}

/// One part that is answered as far as its statistics and index go.
struct Answer<'a> {
    spec: &'a Spec,
    what: &'a FoldSpec,
    part: &'a Part,
}

impl Answer<'_> {
    /// Folds what needs no column; returns the rows that have to be read, or `None` when none has.
    fn part(&self, fold: &mut Fold) -> Result<Option<Set>, ExecError> {
        if !self.what.counts_only() {
            let set = self.spec.set(self.part)?;
            return Ok((!set.is_none()).then_some(set));
        }
        if self.by_statistics(fold)? {
            return Ok(None);
        }
        let set = self.spec.set(self.part)?;
        if set.is_none() {
            return Ok(None);
        }
        let start = Instant::now();
        let before = set.possible_len(self.part.rows());
        let left = match &self.what.keys[..] {
            // Nothing is sure, so nothing is counted.
            _ if matches!(set, Set::Unknown) => set,
            [] => self.count_all(&set, fold),
            [Key::Bucket(step_ns)] => self.count_blocks(&set, *step_ns, None, fold)?,
            [Key::Text(name)] => self.count_values(&set, name, fold)?,
            [Key::Bucket(step_ns), Key::Text(name)] | [Key::Text(name), Key::Bucket(step_ns)] => {
                self.count_blocks(&set, *step_ns, Some(name), fold)?
            }
            _ => set,
        };
        let after = left.possible_len(self.part.rows());
        self.spec.control.add_matched(before - after);
        self.spec.control.stage(Stage::Count, before, after, Some(start));
        Ok((!left.is_none()).then_some(left))
    }

    /// Whether manifest entry or index statistics gave the whole answer.
    fn by_statistics(&self, fold: &mut Fold) -> Result<bool, ExecError> {
        match &self.what.keys[..] {
            [] => {
                let Some(rows) = self.spec.count(self.part)? else { return Ok(false) };
                self.spec.control.add_matched(rows);
                fold.add_counted(&[], rows);
                Ok(true)
            }
            [Key::Bucket(step_ns)] if step_ns % HOUR_NS == 0 && self.is_whole() => {
                let Some(hours) = self.part.hours() else { return Ok(false) };
                for (hour, rows) in hours {
                    fold.add_counted(&[KeyValue::Bucket(crate::fold::bucket_of(hour, *step_ns))], rows);
                }
                self.spec.control.add_matched(self.part.rows());
                self.spec.control.stage(Stage::Statistics, self.part.rows(), self.part.rows(), None);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether every row of the part matches, by its manifest entry.
    fn is_whole(&self) -> bool {
        matches!(*self.spec.predicate, Predicate::All)
            && self.part.deleted().is_none()
            && self.part.is_inside(self.spec.range)
    }

    fn count_all(&self, set: &Set, fold: &mut Fold) -> Set {
        fold.add_counted(&[], set.sure_len(self.part.rows()));
        set.clone().unsettled()
    }

    /// Counts sure rows by a field of few values.
    fn count_values(&self, set: &Set, name: &str, fold: &mut Fold) -> Result<Set, ExecError> {
        let total = self.part.rows();
        let sure = set.sure_len(total);
        if sure < LISTS_ROWS_MIN && !matches!(set, Set::All) {
            return Ok(set.clone());
        }
        let Some(Values { index, values }) = self.values(name)? else { return Ok(set.clone()) };
        if values.len() > LISTS_MAX && !matches!(set, Set::All) {
            return Ok(set.clone());
        }
        let mut left = sure;
        let mut counts = Vec::with_capacity(values.len());
        for (nth, value) in values.iter().enumerate() {
            let rows = match set {
                Set::Rows(hits) => match self.checked(index.rows_of(name, nth, &|| self.spec.control.is_canceled()))? {
                    Some(rows) => rows.intersection_len(&hits.sure),
                    None => return Ok(set.clone()),
                },
                _ => value.rows,
            };
            left = left.saturating_sub(rows);
            counts.push((value.value.text().into_owned(), rows));
        }
        counts.push((String::new(), left));
        for (text, rows) in counts {
            fold.add_counted(&[KeyValue::Text(Cow::Owned(text))], rows);
        }
        Ok(set.clone().unsettled())
    }

    /// Counts the sure rows of blocks that lie in one step of time, by a field too when there is one.
    fn count_blocks(&self, set: &Set, step_ns: i64, name: Option<&str>, fold: &mut Fold) -> Result<Set, ExecError> {
        let total = self.part.rows();
        let Some(lists) = self.lists(set, name)? else { return Ok(set.clone()) };
        let blocks = self.part.blocks()?;
        if blocks.len().saturating_mul(lists.len()) > CELLS_MAX {
            return Ok(set.clone());
        }
        let mut cut = RoaringBitmap::new();
        let mut counts: BTreeMap<(i64, usize), u64> = BTreeMap::new();
        for Block { rows, min, max } in blocks {
            let bucket = crate::fold::bucket_of(min.0, step_ns);
            if bucket != crate::fold::bucket_of(max.0, step_ns) {
                cut.insert_range(rows);
                continue;
            }
            for (at, (_, list)) in lists.iter().enumerate() {
                let count = match list {
                    Some(list) => list.range_cardinality(rows.clone()),
                    None => u64::from(rows.end - rows.start),
                };
                *counts.entry((bucket, at)).or_default() += count;
            }
        }
        let bucket_first = matches!(self.what.keys.first(), Some(Key::Bucket(_)));
        for ((bucket, at), rows) in counts {
            let (bucket, text) = (KeyValue::Bucket(bucket), KeyValue::Text(Cow::Borrowed(&*lists[at].0)));
            match (name, bucket_first) {
                (None, _) => fold.add_counted(&[bucket], rows),
                (Some(_), true) => fold.add_counted(&[bucket, text], rows),
                (Some(_), false) => fold.add_counted(&[text, bucket], rows),
            }
        }
        Ok(match set {
            Set::Rows(Hits { sure, maybe }) => Set::Rows(Hits { sure: sure & cut, maybe: maybe.clone() }),
            _ if cut.len() == total => Set::All,
            _ => Set::sure(cut),
        })
    }

    /// The sure rows, by the texts of a field; `None` when the index does not tell. Without a field one list under the empty
    /// text; a list that is `None` is of all rows.
    #[allow(clippy::type_complexity, reason = "used here only")]
    fn lists(&self, set: &Set, name: Option<&str>) -> Result<Option<Vec<(String, Option<RoaringBitmap>)>>, ExecError> {
        let sure = match set {
            Set::Rows(hits) => Some(&hits.sure),
            _ => None,
        };
        let Some(name) = name else { return Ok(Some(vec![(String::new(), sure.cloned())])) };
        if set.sure_len(self.part.rows()) < LISTS_ROWS_MIN {
            return Ok(None);
        }
        let Some(Values { index, values }) = self.values(name)? else { return Ok(None) };
        if values.len() > LISTS_MAX {
            return Ok(None);
        }
        let mut left = sure.cloned().unwrap_or_else(|| every(self.part.rows()));
        let mut lists = Vec::with_capacity(values.len() + 1);
        for (nth, value) in values.iter().enumerate() {
            let rows = index.rows_of(name, nth, &|| self.spec.control.is_canceled());
            let Some(mut rows) = self.checked(rows)? else { return Ok(None) };
            if let Some(sure) = sure {
                rows &= sure;
            }
            left -= &rows;
            lists.push((value.value.text().into_owned(), Some(rows)));
        }
        lists.push((String::new(), Some(left)));
        Ok(Some(lists))
    }

    /// The values of a field, when its index lists every one of them.
    fn values(&self, name: &str) -> Result<Option<Values<'_>>, ExecError> {
        if crate::is_built_in(name) {
            return Ok(None);
        }
        let Some(index) = self.part.index(&self.spec.control) else { return Ok(None) };
        let values = self.checked(index.values(name))?.flatten();
        Ok(values.map(|values| Values { index, values }))
    }

    fn checked<T>(&self, found: Result<T, index::IndexError>) -> Result<Option<T>, ExecError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) => {
                self.spec.control.check()?;
                self.spec.control.index_failed(self.part.name(), &error.to_string(), true);
                Ok(None)
            }
        }
    }
}

/// The values of a field by the index of a part.
struct Values<'a> {
    index: &'a IndexReader,
    values: Vec<GroupValue>,
}
