//! One row for each group: every function and every kind of bucket, over rows whose columns nobody knows before.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use compute::Value;
use lang::{Aggregate, Bucket, Group};
use model::Timestamp;

use super::Operator;
use super::accumulate::{Cell, RowPlace};
use super::cells::{self, ColumnBuilder, Table, batch_of_made};
use super::rows::ENTRY_BYTES;
use super::text::bucket_of;
use crate::ExecError;
use crate::control::Control;
use crate::predicate::{Predicate, compile_at};

/// Groups and their values so far.
pub(super) struct Groups {
    by: Vec<Group>,
    aggregates: Vec<Aggregate>,
    filters: Vec<Option<Predicate>>,
    places: HashMap<String, usize>,
    pub(super) keys: Vec<Vec<Value<'static>>>,
    pub(super) cells: Vec<Vec<Cell>>,
    pub(super) rows: Vec<u64>,
    bytes: usize,
    control: Arc<Control>,
}

impl Groups {
    pub(super) fn new(
        by: Vec<Group>,
        aggregates: Vec<Aggregate>,
        (regex_bytes_max, now): (usize, Timestamp),
        control: &Arc<Control>,
    ) -> Result<Self, ExecError> {
        let filter = |aggregate: &Aggregate| {
            aggregate.filter.as_ref().map(|filter| compile_at(filter, regex_bytes_max, now)).transpose()
        };
        let filters = aggregates.iter().map(filter).collect::<Result<_, _>>()?;
        Ok(Self {
            by,
            aggregates,
            filters,
            places: HashMap::new(),
            keys: Vec::new(),
            cells: Vec::new(),
            rows: Vec::new(),
            bytes: 0,
            control: Arc::clone(control),
        })
    }

    pub(super) fn aggregates(&self) -> &[Aggregate] {
        &self.aggregates
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in the rows of a batch.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ExecError> {
        self.control.check()?;
        let rows = batch.num_rows();
        let mut passes: Vec<Option<Vec<bool>>> = Vec::with_capacity(self.filters.len());
        for filter in &self.filters {
            let Some(filter) = filter else {
                passes.push(None);
                continue;
            };
            let mut pass = vec![false; rows];
            for row in filter.select(batch, (0..rows as u32).collect(), &self.control)? {
                pass[row as usize] = true;
            }
            passes.push(Some(pass));
        }
        let table = Table::new(batch);
        for row in 0..rows {
            let group = self.group_of(&table, row);
            self.rows[group] += 1;
            let mut at = RowPlace { table: &table, row, known: None };
            for (nth, aggregate) in self.aggregates.iter().enumerate() {
                if passes[nth].as_ref().is_none_or(|pass| pass[row]) {
                    self.bytes += self.cells[group][nth].add(aggregate, &table, row, &mut at);
                }
            }
        }
        Ok(())
    }

    fn group_of(&mut self, table: &Table<'_>, row: usize) -> usize {
        let keys: Vec<Value<'_>> = self
            .by
            .iter()
            .map(|group| match group {
                Group::Field(name) => Value::Text(table.text(name, row)),
                Group::Bucket { field, bucket } => bucket_of(&table.value(field, row), bucket),
            })
            .collect();
        self.group(keys)
    }

    /// The group of these keys, made when there is none.
    pub(super) fn group(&mut self, keys: Vec<Value<'_>>) -> usize {
        use std::fmt::Write as _;
        let mut place = String::new();
        for key in &keys {
            let _ = match key {
                Value::Text(text) => write!(place, "{}:{text}", text.len()),
                Value::Time(ns) => write!(place, "t{ns};"),
                Value::Int(n) => write!(place, "n{n};"),
                Value::Number(n) => write!(place, "n{n};"),
                _ => write!(place, "-"),
            };
        }
        if let Some(at) = self.places.get(&place) {
            return *at;
        }
        let at = self.keys.len();
        self.bytes += place.len() * 2 + ENTRY_BYTES * (1 + self.aggregates.len());
        self.places.insert(place, at);
        self.keys.push(keys.into_iter().map(Value::into_owned).collect());
        self.cells.push(self.aggregates.iter().map(|aggregate| Cell::new(aggregate.function)).collect());
        self.rows.push(0);
        at
    }

    /// How long a rate is over: a bucket of time, or what is given.
    pub(super) fn seconds(&self, range_seconds: f64) -> f64 {
        let bucket = self.by.iter().find_map(|group| match group {
            Group::Bucket { bucket: Bucket::Time { step_ns, .. }, .. } => Some(*step_ns as f64 / 1e9),
            _ => None,
        });
        bucket.unwrap_or(range_seconds).max(1e-9)
    }

    /// One row for each group, in the order of the keys.
    pub(super) fn finish(mut self, range_seconds: f64) -> Result<RecordBatch, ExecError> {
        if self.by.is_empty() {
            self.group(Vec::new());
        }
        let seconds = self.seconds(range_seconds);
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_by(|a, b| compare_keys(&self.keys[*a], &self.keys[*b]));
        let mut keys: Vec<ColumnBuilder> = self.by.iter().map(|_| ColumnBuilder::default()).collect();
        let mut values: Vec<ColumnBuilder> = self.aggregates.iter().map(|_| ColumnBuilder::default()).collect();
        let mut cells: Vec<Option<Vec<Cell>>> = self.cells.into_iter().map(Some).collect();
        for at in &order {
            for (column, key) in keys.iter_mut().zip(&self.keys[*at]) {
                column.push(key.clone());
            }
            let of_group = cells[*at].take().unwrap_or_default();
            for ((column, cell), aggregate) in values.iter_mut().zip(of_group).zip(&self.aggregates) {
                column.push(cell.finish(aggregate.function, seconds));
            }
        }
        let names = self.by.iter().map(Group::field).chain(self.aggregates.iter().map(|one| one.name.as_str()));
        batch_of_made(names.zip(keys.into_iter().chain(values)), order.len())
    }
}

/// The order of keys: times and numbers by their size, before texts by their bytes; missing ones last.
pub(super) fn compare_keys(a: &[Value<'_>], b: &[Value<'_>]) -> std::cmp::Ordering {
    let rank = |value: &Value<'_>| match value {
        Value::Time(_) | Value::Int(_) | Value::Number(_) => 0,
        Value::Missing => 2,
        _ => 1,
    };
    let one = |(a, b): (&Value<'_>, &Value<'_>)| {
        let by_size = || match (a, b) {
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            _ => a.as_f64().zip(b.as_f64()).map_or(std::cmp::Ordering::Equal, |(a, b)| a.total_cmp(&b)),
        };
        let texts = || cells::text(a.clone()).cmp(&cells::text(b.clone()));
        rank(a).cmp(&rank(b)).then_with(|| if rank(a) == 0 { by_size() } else { texts() })
    };
    a.iter().zip(b).map(one).fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}

/// The stage that groups.
pub(super) struct GroupRows {
    pub(super) groups: Option<Groups>,
    pub(super) range_seconds: f64,
}

impl Operator for GroupRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        if let Some(groups) = &mut self.groups {
            groups.add(&batch)?;
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        self.groups.take().map(|groups| groups.finish(self.range_seconds)).transpose()
    }

    fn held_bytes(&self) -> usize {
        self.groups.as_ref().map_or(0, Groups::bytes)
    }
}
