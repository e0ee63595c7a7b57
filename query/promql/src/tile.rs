//! Rows of values on the steps of a query.

use std::collections::HashMap;

use model::{Labels, STALE_NAN_BITS};

use crate::error::EvalError;
use crate::labels;

/// The value of a step where a row has none. The bits are those of the staleness marker: selectors never let one through and
/// arithmetic never makes one, because it turns signalling NaNs into quiet ones.
pub(crate) const ABSENT: f64 = f64::from_bits(STALE_NAN_BITS);

pub(crate) fn is_absent(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
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
        self.start_ms + self.step_ms * step as i64
    }

    pub(crate) fn end_ms(&self) -> i64 {
        self.time(self.steps.saturating_sub(1))
    }
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Meta {
    pub(crate) labels: Labels,
    /// The value is no longer the metric's, so the name goes at the end of the query; until then matching still sees it.
    pub(crate) drop_name: bool,
}

/// Receives rows one at a time; may change the values in place.
pub(crate) type Sink<'s> = dyn FnMut(Meta, &mut [f64]) -> Result<(), EvalError> + 's;

/// Rows by steps, row after row.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    pub(crate) steps: usize,
    pub(crate) rows: Vec<Meta>,
    pub(crate) values: Vec<f64>,
}

impl Tile {
    pub(crate) fn new(steps: usize) -> Self {
        Self { steps, rows: Vec::new(), values: Vec::new() }
    }

    pub(crate) fn push(&mut self, meta: Meta, values: &[f64]) {
        self.rows.push(meta);
        self.values.extend_from_slice(values);
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.steps..(row + 1) * self.steps]
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.values[row * self.steps..(row + 1) * self.steps]
    }

    pub(crate) fn at(&self, row: usize, step: usize) -> f64 {
        self.values[row * self.steps + step]
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
        let mut seen = std::collections::HashSet::with_capacity(self.rows.len());
        if self.rows.iter().all(|meta| seen.insert(&meta.labels)) {
            return Ok(self);
        }
        let mut builder = TileBuilder::new(self.steps);
        for (at, meta) in self.rows.iter().enumerate() {
            let row = builder.row(meta);
            for (step, value) in self.row(at).iter().enumerate().filter(|(_, value)| !is_absent(**value)) {
                builder.set(row, step, *value)?;
            }
        }
        Ok(builder.finish())
    }
}

/// Builds a tile value by value; rows are found by their labels.
pub(crate) struct TileBuilder {
    tile: Tile,
    known: HashMap<Labels, usize>,
}

/// The error of two values for the same labels at the same time.
pub(crate) fn same_labelset() -> EvalError {
    EvalError::Execution("vector cannot contain metrics with the same labelset".into())
}

impl TileBuilder {
    pub(crate) fn new(steps: usize) -> Self {
        Self { tile: Tile::new(steps), known: HashMap::new() }
    }

    pub(crate) fn row(&mut self, meta: &Meta) -> usize {
        if let Some(row) = self.known.get(&meta.labels) {
            self.tile.rows[*row].drop_name |= meta.drop_name;
            return *row;
        }
        let row = self.tile.rows.len();
        self.tile.rows.push(meta.clone());
        self.tile.values.resize((row + 1) * self.tile.steps, ABSENT);
        self.known.insert(meta.labels.clone(), row);
        row
    }

    pub(crate) fn get(&self, row: usize, step: usize) -> f64 {
        self.tile.at(row, step)
    }

    /// Sets a value that must not be there yet.
    pub(crate) fn set(&mut self, row: usize, step: usize, value: f64) -> Result<(), EvalError> {
        let slot = &mut self.tile.row_mut(row)[step];
        if !is_absent(*slot) {
            return Err(same_labelset());
        }
        *slot = value;
        Ok(())
    }

    pub(crate) fn cells(&self) -> usize {
        self.tile.values.len()
    }

    /// The tile without rows that are empty.
    pub(crate) fn finish(self) -> Tile {
        let mut tile = Tile::new(self.tile.steps);
        for (at, meta) in self.tile.rows.iter().enumerate() {
            let values = self.tile.row(at);
            if values.iter().any(|value| !is_absent(*value)) {
                tile.push(meta.clone(), values);
            }
        }
        tile
    }
}
