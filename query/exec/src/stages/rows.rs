//! Stages that look at one row, or a few, at a time: what tables do as well, for rows whose columns nobody knows before.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt64Type;
use arrow_array::{Array as _, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field};
use compute::{Program, Value};
use lang::{Dedup, Expr, Sample};
use model::{Timestamp, field};
use plan::pattern_matches;

use super::cells::{self, ColumnBuilder, Table, batch_of, columns_of, take, with_columns};
use super::{Operator, unsupported};
use crate::ExecError;
use crate::control::Control;
use crate::predicate::Predicate;

/// Rows for which a predicate holds.
pub(super) struct FilterRows {
    pub(super) predicate: Predicate,
    pub(super) control: Arc<Control>,
}

impl Operator for FilterRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let rows = self.predicate.select(&batch, (0..batch.num_rows() as u32).collect(), &self.control)?;
        take(&batch, rows).map(Some)
    }
}

/// Only these columns, in this order; a name that ends in `*` stands for all that start so.
pub(super) struct Project(pub(super) Vec<String>);

impl Operator for Project {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let rows = batch.num_rows();
        let known = columns_of(&batch);
        let mut kept: Vec<(Field, ArrayRef)> = Vec::new();
        for name in &self.0 {
            let found: Vec<_> =
                known.iter().filter(|(field, _)| pattern_matches(name, field.name())).cloned().collect();
            if found.is_empty() && !name.ends_with('*') {
                kept.push((Field::new(name, DataType::Utf8, true), arrow_array::new_null_array(&DataType::Utf8, rows)));
            }
            kept.extend(found);
        }
        batch_of(kept, rows).map(Some)
    }
}

/// All columns but these.
pub(super) struct DropColumns(pub(super) Vec<String>);

impl Operator for DropColumns {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let rows = batch.num_rows();
        let mut columns = columns_of(&batch);
        columns.retain(|(field, _)| !self.0.iter().any(|name| pattern_matches(name, field.name())));
        batch_of(columns, rows).map(Some)
    }
}

/// Columns under new names, one after the other.
pub(super) struct Rename(pub(super) Vec<(String, String)>);

impl Operator for Rename {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let rows = batch.num_rows();
        let mut columns = columns_of(&batch);
        for (from, to) in &self.0 {
            if from != to && columns.iter().any(|(field, _)| field.name() == from) {
                columns.retain(|(field, _)| field.name() != to);
                for (field, _) in columns.iter_mut().filter(|(field, _)| field.name() == from) {
                    *field = field.clone().with_name(to);
                }
            }
        }
        batch_of(columns, rows).map(Some)
    }
}

/// New columns, one after the other.
pub(super) struct Eval {
    columns: Vec<(String, Program, Vec<String>)>,
}

impl Eval {
    pub(super) fn new(columns: &[(String, Expr)], now: Timestamp) -> Result<Self, ExecError> {
        let compile = |(name, expr): &(String, Expr)| {
            let names: Vec<String> = expr.fields().into_iter().collect();
            let program = Program::new(expr, &names, now).map_err(|error| unsupported(error.message, error.hint))?;
            Ok((name.clone(), program, names))
        };
        Ok(Self { columns: columns.iter().map(compile).collect::<Result<_, ExecError>>()? })
    }
}

impl Operator for Eval {
    fn push(&mut self, mut batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        for (name, program, names) in &self.columns {
            let table = Table::new(&batch);
            let arrays: Vec<Option<&ArrayRef>> = names.iter().map(|name| table.column(name)).collect();
            let mut made = ColumnBuilder::default();
            for row in 0..batch.num_rows() {
                made.push(program.eval(&|at| arrays[at].map_or(Value::Missing, |array| cells::cell(array, row))));
            }
            batch = with_columns(&batch, [made.finish(name)])?;
        }
        Ok(Some(batch))
    }
}

/// Rows after the first ones, and at most so many.
pub(super) struct Limit {
    pub(super) skip: usize,
    pub(super) left: usize,
}

impl Operator for Limit {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let skipped = self.skip.min(batch.num_rows());
        self.skip -= skipped;
        let kept = (batch.num_rows() - skipped).min(self.left);
        self.left -= kept;
        Ok(Some(batch.slice(skipped, kept)))
    }

    fn is_done(&self) -> bool {
        self.left == 0
    }
}

/// The share of each row of the sum of a column, in percent.
pub(super) struct Percent {
    pub(super) of: String,
    pub(super) to: String,
    pub(super) rows: Vec<RecordBatch>,
    pub(super) bytes: usize,
}

impl Operator for Percent {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        self.bytes += cells::bytes(&batch);
        self.rows.push(batch);
        Ok(None)
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        let batch = cells::unite(&std::mem::take(&mut self.rows))?;
        let numbers: Vec<Option<f64>> = match batch.column_by_name(&self.of) {
            Some(array) => (0..batch.num_rows()).map(|row| cells::cell(array, row).as_f64()).collect(),
            None => vec![None; batch.num_rows()],
        };
        let sum: f64 = numbers.iter().flatten().sum();
        let share = |number: Option<f64>| number.filter(|_| sum > 0.0).map(|number| number / sum * 100.0);
        let shares: Float64Array = numbers.into_iter().map(share).collect();
        let field = Field::new(&self.to, DataType::Float64, true);
        with_columns(&batch, [Ok((field, Arc::new(shares) as ArrayRef))]).map(Some)
    }
}

/// The first rows of each combination of values.
pub(super) struct DedupRows {
    by: Vec<String>,
    keep: u64,
    seen: HashMap<String, u64>,
    bytes: usize,
}

/// Memory of one entry of a table of texts besides the text, roughly.
pub(super) const ENTRY_BYTES: usize = 64;

impl DedupRows {
    pub(super) fn new(dedup: Dedup) -> Self {
        Self { by: dedup.by, keep: dedup.keep, seen: HashMap::new(), bytes: 0 }
    }
}

impl Operator for DedupRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let table = Table::new(&batch);
        let mut kept = Vec::new();
        for row in 0..batch.num_rows() {
            let key = tuple(&table, &self.by, row);
            let length = key.len();
            let seen = self.seen.entry(key).or_insert_with(|| {
                self.bytes += length + ENTRY_BYTES;
                0
            });
            if *seen < self.keep {
                *seen += 1;
                kept.push(row as u32);
            }
        }
        take(&batch, kept).map(Some)
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }
}

/// The texts of some fields with their lengths, so that different combinations differ.
pub(super) fn tuple(table: &Table<'_>, fields: &[String], row: usize) -> String {
    use std::fmt::Write as _;
    let mut key = String::new();
    for field in fields {
        let text = table.text(field, row);
        let _ = write!(key, "{}:{text}", text.len());
    }
    key
}

/// Rows chosen by chance, which is a hash of what tells the row from others.
pub(super) struct SampleRows {
    sample: Sample,
    seen: u64,
    /// For a number of rows: the ones with the smallest hashes so far, with their place among all rows.
    chosen: Vec<(u64, u64, RecordBatch)>,
    /// No row with a larger hash can be among them.
    worst: u64,
    bytes: usize,
}

impl SampleRows {
    pub(super) fn new(sample: Sample) -> Self {
        Self { sample, seen: 0, chosen: Vec::new(), worst: u64::MAX, bytes: 0 }
    }

    /// Rows that wait, at most, for each that is wanted, before the ones that can not win are let go.
    const WAITING: usize = 2;

    fn keep_smallest(&mut self, wanted: usize) {
        self.chosen.sort_by_key(|(hash, place, _)| (*hash, *place));
        self.chosen.truncate(wanted);
        if let Some((worst, ..)) = self.chosen.last().filter(|_| self.chosen.len() == wanted) {
            self.worst = *worst;
        }
        self.bytes = self.chosen.iter().map(|(_, _, row)| cells::bytes(row)).sum();
    }
}

impl Operator for SampleRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let ids = batch.column_by_name(field::ID).and_then(|array| array.as_primitive_opt::<UInt64Type>());
        let first = self.seen;
        self.seen += batch.num_rows() as u64;
        let chance = |row: usize| {
            let id = ids.filter(|ids| ids.is_valid(row)).map_or(first + row as u64, |ids| ids.value(row));
            mix(id)
        };
        let below = match self.sample {
            Sample::OneIn(n) => u64::MAX / n.max(1),
            Sample::Percent(percent) => (u64::MAX as f64 * (percent / 100.0).clamp(0.0, 1.0)) as u64,
            Sample::Rows(wanted) => {
                let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
                for row in (0..batch.num_rows()).filter(|row| chance(*row) <= self.worst) {
                    // A slice would keep the whole batch in memory.
                    let one = take(&batch, vec![row as u32])?;
                    self.bytes += cells::bytes(&one);
                    self.chosen.push((chance(row), first + row as u64, one));
                }
                if self.chosen.len() > wanted.saturating_mul(Self::WAITING) {
                    self.keep_smallest(wanted);
                }
                return Ok(None);
            }
        };
        take(&batch, (0..batch.num_rows()).filter(|row| chance(*row) <= below).map(|row| row as u32).collect())
            .map(Some)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        let Sample::Rows(wanted) = self.sample else { return Ok(None) };
        self.keep_smallest(usize::try_from(wanted).unwrap_or(usize::MAX));
        self.chosen.sort_by_key(|(_, place, _)| *place);
        let rows: Vec<RecordBatch> = self.chosen.drain(..).map(|(_, _, row)| row).collect();
        if rows.is_empty() { Ok(None) } else { cells::unite(&rows).map(Some) }
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }
}

/// A number that looks like chance (the finalizer of SplitMix64).
fn mix(id: u64) -> u64 {
    let mut z = id.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Rows that the lists of one batch of rows may come to.
const UNROLLED_ROWS_MAX: usize = 1_000_000;

/// A row for each value of JSON arrays.
pub(super) struct Unroll(pub(super) Vec<String>);

impl Operator for Unroll {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let table = Table::new(&batch);
        let mut rows: Vec<u32> = Vec::new();
        let mut columns: Vec<ColumnBuilder> = self.0.iter().map(|_| ColumnBuilder::default()).collect();
        for row in 0..batch.num_rows() {
            let lists: Vec<Option<Vec<serde_json::Value>>> =
                self.0.iter().map(|name| list(table.value(name, row))).collect();
            let length = lists.iter().flatten().map(Vec::len).max().unwrap_or(1).max(1);
            if rows.len() + length > UNROLLED_ROWS_MAX {
                return Err(unsupported(
                    format!("the lists of one batch come to more than {UNROLLED_ROWS_MAX} rows (UNROLLED_ROWS_MAX)"),
                    "narrow the filter to rows with shorter lists",
                ));
            }
            for at in 0..length {
                rows.push(row as u32);
                for ((name, list), column) in self.0.iter().zip(&lists).zip(&mut columns) {
                    column.push(match list {
                        Some(items) => items.get(at).map_or(Value::Missing, |item| cells::of_json(item.clone())),
                        None => table.value(name, row),
                    });
                }
            }
        }
        let made: Vec<_> = self.0.iter().zip(columns).map(|(name, column)| column.finish(name)).collect();
        // The lists themselves are not repeated.
        let mut rest = columns_of(&batch);
        rest.retain(|(field, _)| !self.0.contains(field.name()));
        with_columns(&take(&batch_of(rest, batch.num_rows())?, rows)?, made).map(Some)
    }
}

/// The items of a JSON array; `None` for anything else.
fn list(value: Value<'_>) -> Option<Vec<serde_json::Value>> {
    let text = match value {
        Value::Json(text) | Value::Text(text) if text.trim_start().starts_with('[') => text,
        _ => return None,
    };
    serde_json::from_str(&text).ok()
}
