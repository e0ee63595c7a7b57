//! Rows of values on the steps of a query.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use model::{FloatHistogram, Labels, STALE_NAN_BITS};

use crate::error::EvalError;
use crate::labels::{self, ByLabels};

/// The value of a step where a row has none. The bits are those of the staleness marker: selectors never let one through and
/// arithmetic never makes one, because it turns signalling NaNs into quiet ones.
pub(crate) const ABSENT: f64 = f64::from_bits(STALE_NAN_BITS);

/// The value of a step where a row has a histogram, which is in the row's side column. Selectors let no such bits through either.
pub(crate) const HISTOGRAM: f64 = f64::from_bits(STALE_NAN_BITS + 2);

pub(crate) fn is_absent(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

pub(crate) fn is_histogram(value: f64) -> bool {
    value.to_bits() == HISTOGRAM.to_bits()
}

/// Whether a value is a number and not one of the two markers.
pub(crate) fn is_float(value: f64) -> bool {
    !is_absent(value) && !is_histogram(value)
}

/// The steps of an evaluation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) start_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) steps: usize,
}

impl Grid {
    pub(crate) fn time(&self, step: usize) -> i64 {
        self.start_ms.saturating_add(self.step_ms.saturating_mul(step as i64))
    }
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Meta {
    pub(crate) labels: Labels,
    /// The value is no longer the metric's, so the name goes at the end of the query; until then matching still sees it.
    pub(crate) drop_name: bool,
}

/// A histogram that rows share.
pub(crate) type Histogram = Arc<FloatHistogram>;

/// What a row has at one step.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Float(f64),
    Histogram(Histogram),
}

/// The values of one row. Floats are a plain column; histograms are in a side column that is empty for rows without any.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) values: Vec<f64>,
    pub(crate) histograms: Vec<Option<Histogram>>,
}

impl Row {
    pub(crate) fn new(steps: usize) -> Self {
        Self { values: vec![ABSENT; steps], histograms: Vec::new() }
    }

    /// A row of numbers.
    pub(crate) fn of(values: Vec<f64>) -> Self {
        Self { values, histograms: Vec::new() }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.values.fill(ABSENT);
        self.histograms.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.iter().all(|value| is_absent(*value))
    }

    pub(crate) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// Bytes that it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        let histograms: usize = self.histograms.iter().flatten().map(|histogram| histogram.size_bytes()).sum();
        self.values.len() * size_of::<f64>() + self.histograms.len() * size_of::<Option<Histogram>>() + histograms
    }

    pub(crate) fn cell(&self, step: usize) -> Option<Cell> {
        cell(self.values[step], &self.histograms, step)
    }

    pub(crate) fn set(&mut self, step: usize, cell: Option<Cell>) {
        match cell {
            None => self.values[step] = ABSENT,
            Some(Cell::Float(value)) => self.values[step] = value,
            Some(Cell::Histogram(histogram)) => {
                self.histograms.resize(self.values.len(), None);
                self.values[step] = HISTOGRAM;
                self.histograms[step] = Some(histogram);
            }
        }
    }

    /// Leaves only numbers.
    pub(crate) fn drop_histograms(&mut self) {
        if self.has_histograms() {
            self.histograms.clear();
            self.values.iter_mut().filter(|value| is_histogram(**value)).for_each(|value| *value = ABSENT);
        }
    }

    /// Applies functions to the numbers and to the histograms that are there.
    pub(crate) fn map(&mut self, float: impl Fn(f64) -> f64, mut histogram: impl FnMut(&mut FloatHistogram)) {
        for value in self.values.iter_mut().filter(|value| is_float(**value)) {
            *value = float(*value);
        }
        for slot in self.histograms.iter_mut().flatten() {
            histogram(Arc::make_mut(slot));
        }
    }
}

fn cell(value: f64, histograms: &[Option<Histogram>], step: usize) -> Option<Cell> {
    if is_absent(value) {
        return None;
    }
    if is_histogram(value) {
        return histograms.get(step).cloned().flatten().map(Cell::Histogram);
    }
    Some(Cell::Float(value))
}

/// Receives rows one at a time; may change the values in place.
pub(crate) type Sink<'s> = dyn FnMut(Meta, &mut Row) -> Result<(), EvalError> + 's;

/// Rows by steps, row after row.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    pub(crate) steps: usize,
    pub(crate) rows: Vec<Meta>,
    pub(crate) values: Vec<f64>,
    /// The side column of each row.
    histograms: Vec<Vec<Option<Histogram>>>,
}

impl Tile {
    pub(crate) fn new(steps: usize) -> Self {
        Self { steps, rows: Vec::new(), values: Vec::new(), histograms: Vec::new() }
    }

    pub(crate) fn push(&mut self, meta: Meta, row: &Row) {
        self.push_parts(meta, &row.values, row.histograms.clone());
    }

    /// Adds a row of numbers.
    pub(crate) fn push_floats(&mut self, meta: Meta, values: &[f64]) {
        self.push_parts(meta, values, Vec::new());
    }

    fn push_parts(&mut self, meta: Meta, values: &[f64], histograms: Vec<Option<Histogram>>) {
        self.rows.push(meta);
        self.values.extend_from_slice(values);
        self.histograms.push(histograms);
    }

    /// The column of numbers of a row, with markers where it has none.
    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.steps..(row + 1) * self.steps]
    }

    /// Takes a row out, histograms included.
    pub(crate) fn take_row(&mut self, row: usize) -> Row {
        Row { values: self.row(row).to_vec(), histograms: std::mem::take(&mut self.histograms[row]) }
    }

    pub(crate) fn at(&self, row: usize, step: usize) -> f64 {
        self.values[row * self.steps + step]
    }

    pub(crate) fn cell(&self, row: usize, step: usize) -> Option<Cell> {
        cell(self.at(row, step), &self.histograms[row], step)
    }

    pub(crate) fn histogram(&self, row: usize, step: usize) -> Option<&Histogram> {
        self.histograms[row].get(step)?.as_ref().filter(|_| is_histogram(self.at(row, step)))
    }

    /// Whether any cell holds a histogram.
    pub(crate) fn has_histograms(&self) -> bool {
        let rows = self.histograms.iter().enumerate().filter(|(_, column)| !column.is_empty());
        rows.into_iter().any(|(row, _)| self.row(row).iter().any(|value| is_histogram(*value)))
    }

    /// Empties a cell.
    pub(crate) fn remove(&mut self, row: usize, step: usize) {
        self.values[row * self.steps + step] = ABSENT;
    }

    /// A copy of some rows, in this order.
    pub(crate) fn select(&self, rows: impl IntoIterator<Item = usize>) -> Self {
        let mut picked = Self::new(self.steps);
        for row in rows {
            picked.push_parts(self.rows[row].clone(), self.row(row), self.histograms[row].clone());
        }
        picked
    }

    /// Adds a row of another tile, as far as `keep` says.
    pub(crate) fn push_from(&mut self, other: &Self, row: usize, keep: impl Fn(usize) -> bool) {
        let values = other.row(row).iter().enumerate();
        let values: Vec<f64> = values.map(|(step, value)| if keep(step) { *value } else { ABSENT }).collect();
        self.push_parts(other.rows[row].clone(), &values, other.histograms[row].clone());
    }

    /// Drops the names that are due and joins rows that then carry the same labels.
    pub(crate) fn finish(mut self) -> Result<Self, EvalError> {
        for meta in self.rows.iter_mut().filter(|meta| meta.drop_name) {
            meta.labels = labels::without_name(&meta.labels);
            meta.drop_name = false;
        }
        self.join_equal()
    }

    /// Joins rows with the same labels; two values at one step are an error.
    pub(crate) fn join_equal(self) -> Result<Self, EvalError> {
        let mut seen = HashSet::with_capacity_and_hasher(self.rows.len(), RandomState::default());
        if self.rows.iter().all(|meta| seen.insert(&meta.labels)) {
            return Ok(self);
        }
        let mut builder = TileBuilder::new(self.steps);
        for (at, meta) in self.rows.iter().enumerate() {
            let row = builder.row(meta);
            for step in 0..self.steps {
                if let Some(cell) = self.cell(at, step) {
                    builder.set(row, step, cell)?;
                }
            }
        }
        Ok(builder.finish())
    }
}

/// Builds a tile value by value; rows are found by their labels.
pub(crate) struct TileBuilder {
    tile: Tile,
    known: ByLabels<usize>,
}

/// The error of two values for the same labels at the same time.
pub(crate) fn same_labelset() -> EvalError {
    EvalError::Execution("vector cannot contain metrics with the same labelset".into())
}

impl TileBuilder {
    pub(crate) fn new(steps: usize) -> Self {
        Self { tile: Tile::new(steps), known: ByLabels::default() }
    }

    pub(crate) fn row(&mut self, meta: &Meta) -> usize {
        if let Some(row) = self.known.get(&meta.labels) {
            self.tile.rows[*row].drop_name |= meta.drop_name;
            return *row;
        }
        let row = self.tile.rows.len();
        self.tile.rows.push(meta.clone());
        self.tile.values.resize((row + 1) * self.tile.steps, ABSENT);
        self.tile.histograms.push(Vec::new());
        self.known.insert(meta.labels.clone(), row);
        row
    }

    pub(crate) fn get(&self, row: usize, step: usize) -> f64 {
        self.tile.at(row, step)
    }

    /// Sets a value that must not be there yet.
    pub(crate) fn set(&mut self, row: usize, step: usize, cell: Cell) -> Result<(), EvalError> {
        let steps = self.tile.steps;
        let slot = &mut self.tile.values[row * steps + step];
        if !is_absent(*slot) {
            return Err(same_labelset());
        }
        match cell {
            Cell::Float(value) => *slot = value,
            Cell::Histogram(histogram) => {
                *slot = HISTOGRAM;
                let column = &mut self.tile.histograms[row];
                column.resize(steps, None);
                column[step] = Some(histogram);
            }
        }
        Ok(())
    }

    pub(crate) fn cells(&self) -> usize {
        self.tile.values.len()
    }

    /// The tile without rows that are empty.
    pub(crate) fn finish(self) -> Tile {
        let filled = |row: &usize| self.tile.row(*row).iter().any(|value| !is_absent(*value));
        let rows: Vec<usize> = (0..self.tile.rows.len()).filter(filled).collect();
        if rows.len() == self.tile.rows.len() { self.tile } else { self.tile.select(rows) }
    }
}
