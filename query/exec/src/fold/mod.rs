//! Grouping that we do ourselves: batches of stored rows in, one row for each group out.
//!
//! `keys` numbers the groups of a batch's rows, working on the numbers of dictionaries and not on texts where it can;
//! `cells` keeps the values, a vector for each function with a cell for each group. Workers fold apart and
//! [`Fold::absorb`] brings their groups together. Functions that are not here (quantiles, `first`, `values`, ...) are
//! DataFusion's.

mod cells;
mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use lang::{Aggregate, Bucket, Function, Group};
use model::Timestamp;

use crate::ExecError;
use crate::control::Control;
use crate::fold::cells::Cells;
use crate::fold::keys::Groups;
use crate::predicate::{Predicate, compile_at};

pub(crate) use keys::{Key, KeyValue, bucket_of};

/// What to group by and what to compute.
#[derive(Debug)]
pub(crate) struct FoldSpec {
    pub(crate) keys: Vec<Key>,
    pub(crate) values: Vec<Computed>,
}

/// One value of each group.
#[derive(Debug)]
pub(crate) struct Computed {
    pub(crate) what: What,
    /// Only of rows that match.
    filter: Option<Predicate>,
    name: String,
}

/// What is computed of the rows of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// Their number.
    Rows,
    /// Their number a second, over so many seconds.
    Rate(f64),
    /// The number of those that have one of the fields.
    Filled(Vec<String>),
    /// The number of different texts of a field.
    Distinct(String),
    /// The sum of the numbers of a field.
    Sum(String),
    /// Their mean.
    Avg(String),
    /// The largest or smallest value of a field that has numbers of one type only.
    Extreme(String, DataType, End),
    /// The largest or smallest number of a field, or of its texts when it has no number.
    ExtremeText(String, End),
    /// The smallest text of a field.
    LeastText(String),
}

/// Which end of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Smallest,
    Largest,
}

impl FoldSpec {
    /// The grouping of a plan; `None` when it has a function that is not ours. `data_type` is of a field over all parts,
    /// `seconds` what rates are over.
    pub(crate) fn of(
        by: &[Group],
        aggregates: &[Aggregate],
        data_type: impl Fn(&str) -> DataType,
        seconds: f64,
        (regex_bytes_max, now): (usize, Timestamp),
    ) -> Result<Option<Self>, ExecError> {
        let keys = by.iter().map(|group| match group {
            Group::Field(name) => Some(Key::Text(name.clone())),
            Group::Bucket { field, bucket: Bucket::Time { step_ns, offset_ns: 0 } } if field == model::field::TIME => {
                Some(Key::Bucket(*step_ns))
            }
            Group::Bucket { .. } => None,
        });
        let Some(keys) = keys.collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut values = Vec::with_capacity(aggregates.len());
        for aggregate in aggregates {
            let Some(what) = what(aggregate, &data_type, seconds) else { return Ok(None) };
            let filter =
                aggregate.filter.as_ref().map(|filter| compile_at(filter, regex_bytes_max, now)).transpose()?;
            if filter.as_ref().is_some_and(|filter| filter.fields().is_none()) {
                return Ok(None);
            }
            values.push(Computed { what, filter, name: aggregate.name.clone() });
        }
        Ok(Some(Self { keys, values }))
    }

    /// Whether only the number of each group's rows is wanted.
    pub(crate) fn counts_only(&self) -> bool {
        self.values.iter().all(|value| matches!(value.what, What::Rows | What::Rate(_)) && value.filter.is_none())
    }

    /// The fields that folding reads.
    pub(crate) fn fields(&self) -> std::collections::BTreeSet<String> {
        let keys = self.keys.iter().map(|key| match key {
            Key::Text(name) => name.clone(),
            Key::Bucket(_) => model::field::TIME.to_owned(),
        });
        let filters = self.values.iter().filter_map(|value| value.filter.as_ref()?.fields()).flatten();
        let arguments = self.values.iter().flat_map(|value| value.what.fields().iter().cloned());
        keys.chain(filters).chain(arguments).collect()
    }
}

impl What {
    fn fields(&self) -> &[String] {
        match self {
            What::Rows | What::Rate(_) => &[],
            What::Filled(names) => names,
            What::Distinct(name)
            | What::Sum(name)
            | What::Avg(name)
            | What::Extreme(name, ..)
            | What::ExtremeText(name, _)
            | What::LeastText(name) => std::slice::from_ref(name),
        }
    }
}

fn what(aggregate: &Aggregate, data_type: impl Fn(&str) -> DataType, seconds: f64) -> Option<What> {
    let one = || match &aggregate.fields[..] {
        [name] => Some(name.clone()),
        _ => None,
    };
    let extreme = |end| {
        let name = one()?;
        Some(match data_type(&name) {
            ty @ (DataType::Int64 | DataType::Float64 | DataType::Timestamp(..)) => What::Extreme(name, ty, end),
            _ => What::ExtremeText(name, end),
        })
    };
    Some(match aggregate.function {
        Function::Count if aggregate.fields.is_empty() => What::Rows,
        Function::Rate if aggregate.fields.is_empty() => What::Rate(seconds),
        Function::Count => What::Filled(aggregate.fields.clone()),
        Function::CountDistinct => What::Distinct(one()?),
        Function::Sum => What::Sum(one()?),
        Function::Avg => What::Avg(one()?),
        Function::Min => extreme(End::Smallest)?,
        Function::Max => extreme(End::Largest)?,
        Function::Any => What::LeastText(one()?),
        _ => return None,
    })
}

/// Groups and their values so far.
pub(crate) struct Fold {
    spec: Arc<FoldSpec>,
    groups: Groups,
    cells: Vec<Cells>,
}

impl Fold {
    pub(crate) fn new(spec: Arc<FoldSpec>) -> Self {
        let cells = spec.values.iter().map(|value| Cells::new(&value.what)).collect();
        Self { groups: Groups::new(&spec.keys), cells, spec }
    }

    /// Takes in some rows of a stored batch, in ascending order.
    pub(crate) fn add(&mut self, stored: &RecordBatch, rows: &[u32], control: &Control) -> Result<(), ExecError> {
        let groups = self.groups.number(stored, rows);
        for (value, cells) in self.spec.values.iter().zip(&mut self.cells) {
            cells.grow(self.groups.len());
            match &value.filter {
                None => cells.add(&value.what, stored, rows, &groups),
                Some(filter) => {
                    let kept = filter.select(stored, rows.to_vec(), control)?;
                    let mut at = 0;
                    let of_kept: Vec<u32> = kept
                        .iter()
                        .map(|row| {
                            at += rows[at..].partition_point(|known| known < row);
                            groups[at]
                        })
                        .collect();
                    cells.add(&value.what, stored, &kept, &of_kept);
                }
            }
        }
        Ok(())
    }

    /// Takes in a number of rows of one group, of which nothing but the number matters.
    pub(crate) fn add_counted(&mut self, keys: &[KeyValue<'_>], rows: u64) {
        if rows == 0 {
            return;
        }
        let group = self.groups.group_of(keys);
        for cells in &mut self.cells {
            cells.grow(self.groups.len());
            cells.add_counted(group, rows);
        }
    }

    /// Takes in the groups of another.
    pub(crate) fn absorb(&mut self, other: Fold) {
        let groups = self.groups.absorb(&other.groups);
        for (mine, theirs) in self.cells.iter_mut().zip(other.cells) {
            mine.grow(self.groups.len());
            mine.absorb(theirs, &groups);
        }
    }

    /// The memory that it holds, roughly, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.groups.bytes() + self.cells.iter().map(Cells::bytes).sum::<usize>()
    }

    /// One row for each group, in no order: the keys, then the values. Without keys, exactly one row.
    pub(crate) fn finish(mut self) -> Result<RecordBatch, ExecError> {
        if self.spec.keys.is_empty() {
            self.groups.group_of(&[]);
        }
        let rows = self.groups.len();
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = self.groups.arrays();
        for (key, array) in self.spec.keys.iter().zip(&arrays) {
            fields.push(Field::new(key.name(), array.data_type().clone(), true));
        }
        for (value, mut cells) in self.spec.values.iter().zip(self.cells) {
            cells.grow(rows);
            let array = cells.finish(&value.what);
            fields.push(Field::new(&value.name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }
}
