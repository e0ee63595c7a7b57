//! Stages that bring fields of other rows in: `join` and `lookup`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array as _, RecordBatch};
use compute::Value;
use lang::{Join, JoinKind, Lookup, Within, WithinSide};
use model::field;

use super::cells::{self, ColumnBuilder, Table, batch_of, columns_of, take, with_columns};
use super::rows::{ENTRY_BYTES, tuple};
use super::{Operator, unsupported};
use crate::ExecError;
use crate::control::Control;

/// The rows of the other side, by their keys.
struct Partners {
    batch: RecordBatch,
    /// For each combination of keys the rows, in the order of their times where these matter.
    places: HashMap<String, Vec<u32>>,
    times: Vec<Option<i64>>,
}

impl Partners {
    fn of(batch: RecordBatch, keys: &[String], timed: bool) -> Self {
        let table = Table::new(&batch);
        let time = |row: usize| match table.value(field::TIME, row) {
            Value::Time(ns) => Some(ns),
            _ => None,
        };
        let times: Vec<Option<i64>> = if timed { (0..batch.num_rows()).map(time).collect() } else { Vec::new() };
        let mut places: HashMap<String, Vec<u32>> = HashMap::new();
        for row in 0..batch.num_rows() {
            let filled = keys.iter().all(|key| !table.text(key, row).is_empty());
            if filled && (!timed || times.get(row).is_some_and(Option::is_some)) {
                places.entry(tuple(&table, keys, row)).or_default().push(row as u32);
            }
        }
        if timed {
            places.values_mut().for_each(|rows| rows.sort_by_key(|row| times[*row as usize]));
        }
        drop(table);
        Self { batch, places, times }
    }

    fn bytes(&self) -> usize {
        cells::bytes(&self.batch) + self.batch.num_rows() * ENTRY_BYTES
    }

    fn of_keys(&self, table: &Table<'_>, keys: &[String], row: usize) -> &[u32] {
        if keys.iter().any(|key| table.text(key, row).is_empty()) {
            return &[];
        }
        self.places.get(&tuple(table, keys, row)).map_or(&[], Vec::as_slice)
    }

    /// The row nearest in time, of those of the same keys.
    fn nearest(&self, rows: &[u32], time: i64, within: Within) -> Option<u32> {
        let of = |row: &u32| self.times[*row as usize].unwrap_or(i64::MIN);
        let near = |row: &u32| of(row).abs_diff(time) <= within.ns.unsigned_abs();
        let found = match within.side {
            WithinSide::Before => rows[..rows.partition_point(|row| of(row) <= time)].last(),
            WithinSide::After => rows[rows.partition_point(|row| of(row) < time)..].first(),
        };
        found.copied().filter(near)
    }
}

/// The stage `join`.
pub(super) struct JoinRows {
    join: Join,
    own_keys: Vec<String>,
    partners: Partners,
    /// The columns of the partners, and what they are called here.
    taken: Vec<(usize, String)>,
    control: Arc<Control>,
}

/// Pairs that the rows of one batch may come to.
const JOINED_ROWS_MAX: usize = 1_000_000;
/// Rows between two looks at the order to stop.
const ROWS_PER_CHECK: usize = 1_024;

impl JoinRows {
    pub(super) fn new(join: Join, other: RecordBatch, control: &Arc<Control>) -> Self {
        let (own_keys, other_keys): (Vec<String>, Vec<String>) = join.on.iter().cloned().unzip();
        let partners = Partners::of(other, &other_keys, join.within.is_some());
        let names = partners.batch.schema_ref().fields().iter().map(|field| field.name().clone()).enumerate();
        let taken = names
            .filter(|(_, name)| !join.on.iter().any(|(own, other)| own == other && other == name))
            .map(|(at, name)| (at, format!("{}{name}", join.prefix)))
            .collect();
        Self { own_keys, partners, taken, join, control: Arc::clone(control) }
    }
}

impl Operator for JoinRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let table = Table::new(&batch);
        let mut pairs: Vec<(u32, Option<u32>)> = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let found = self.partners.of_keys(&table, &self.own_keys, row);
            let chosen: Vec<u32> = match (self.join.within, table.value(field::TIME, row)) {
                (None, _) => found.to_vec(),
                (Some(within), Value::Time(time)) => self.partners.nearest(found, time, within).into_iter().collect(),
                (Some(_), _) => Vec::new(),
            };
            match (chosen.is_empty(), self.join.kind) {
                (true, JoinKind::Left) => pairs.push((row as u32, None)),
                (true, JoinKind::Inner) => {}
                (false, _) => pairs.extend(chosen.into_iter().map(|partner| (row as u32, Some(partner)))),
            }
            if pairs.len() > JOINED_ROWS_MAX {
                return Err(unsupported(
                    format!("one batch of rows has more than {JOINED_ROWS_MAX} partners (JOINED_ROWS_MAX)"),
                    "join by keys that tell rows apart, group the other side, or add `within`",
                ));
            }
            if row % ROWS_PER_CHECK == 0 {
                self.control.check()?;
            }
        }
        let own = take(&batch, pairs.iter().map(|(row, _)| *row).collect())?;
        let mut columns = columns_of(&own);
        for (at, name) in &self.taken {
            // A field that every row has already stays as it is.
            if table.column(name).is_some_and(|own| own.null_count() == 0) {
                continue;
            }
            let array = self.partners.batch.column(*at);
            let mut made = ColumnBuilder::default();
            for (row, partner) in &pairs {
                // A field that the row has already stays.
                let own = table.value(name, *row as usize);
                let of_partner = || partner.map_or(Value::Missing, |row| cells::cell(array, row as usize));
                made.push(if own.is_blank() { of_partner() } else { own });
            }
            columns.push(made.finish(name)?);
        }
        batch_of(columns, pairs.len()).map(Some)
    }

    fn held_bytes(&self) -> usize {
        self.partners.bytes()
    }
}

/// The stage `lookup`.
pub(super) struct LookupRows {
    own_keys: Vec<String>,
    partners: Partners,
    taken: Vec<(usize, String)>,
}

impl LookupRows {
    /// `table` has the lines of the table of names. Fails when it lacks a column that the query names.
    pub(super) fn new(lookup: &Lookup, table: RecordBatch) -> Result<Self, ExecError> {
        let (own_keys, other_keys): (Vec<String>, Vec<String>) = lookup.on.iter().cloned().unzip();
        let names: Vec<String> = table.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
        let place = |name: &String| {
            names.iter().position(|known| known == name).ok_or_else(|| {
                let message = format!("the table `{}` has no column `{name}`", lookup.table);
                unsupported(message, format!("its columns are {}", names.join(", ")))
            })
        };
        other_keys.iter().try_for_each(|key| place(key).map(drop))?;
        let taken = match lookup.output.is_empty() {
            true => {
                let rest = names.iter().enumerate().filter(|(_, name)| !other_keys.contains(name));
                rest.map(|(at, name)| (at, name.clone())).collect()
            }
            false => {
                let named = |(column, name): &(String, String)| Ok((place(column)?, name.clone()));
                lookup.output.iter().map(named).collect::<Result<_, ExecError>>()?
            }
        };
        Ok(Self { own_keys, partners: Partners::of(table, &other_keys, false), taken })
    }
}

impl Operator for LookupRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let table = Table::new(&batch);
        let found: Vec<Option<u32>> = (0..batch.num_rows())
            .map(|row| self.partners.of_keys(&table, &self.own_keys, row).first().copied())
            .collect();
        let made = self.taken.iter().map(|(at, name)| {
            let array = self.partners.batch.column(*at);
            let mut column = ColumnBuilder::default();
            for (row, partner) in found.iter().enumerate() {
                column.push(match partner {
                    Some(line) => cells::cell(array, *line as usize),
                    // A row without a line stays as it is.
                    None => table.value(name, row),
                });
            }
            column.finish(name)
        });
        with_columns(&batch, made.collect::<Vec<_>>()).map(Some)
    }

    fn held_bytes(&self) -> usize {
        self.partners.bytes()
    }
}
