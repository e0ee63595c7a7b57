//! What operators compute, and how those between vectors find their pairs.

use std::collections::HashMap;
use std::sync::Arc;

use model::{FloatHistogram, Labels, ResetHint};

use crate::annotation::Annotations;
use crate::ast::{Binary, BinaryOp, Cardinality, Span, VectorMatching};
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::labels::{self, ByLabels};
use crate::notes::Combining;
use crate::text::quote;
use crate::tile::{ABSENT, Cell, Grid, Histogram, Meta, Tile, TileBuilder, is_absent, same_labelset};

/// The value of an operator, and whether a comparison holds.
pub(crate) fn operate(op: BinaryOp, a: f64, b: f64) -> (f64, bool) {
    match op {
        BinaryOp::Add => (a + b, true),
        BinaryOp::Sub => (a - b, true),
        BinaryOp::Mul => (a * b, true),
        BinaryOp::Div => (a / b, true),
        BinaryOp::Mod => (a % b, true),
        BinaryOp::Pow => (a.powf(b), true),
        BinaryOp::Atan2 => (a.atan2(b), true),
        BinaryOp::Eq => (a, a == b),
        BinaryOp::Ne => (a, a != b),
        BinaryOp::Lt => (a, a < b),
        BinaryOp::Le => (a, a <= b),
        BinaryOp::Gt => (a, a > b),
        BinaryOp::Ge => (a, a >= b),
        // Trimming is for native histograms; set operators never come here.
        BinaryOp::TrimUpper | BinaryOp::TrimLower | BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => (ABSENT, false),
    }
}

pub(crate) fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}

/// Whether the result is no longer the left operand's metric.
pub(crate) fn renames(op: BinaryOp) -> bool {
    !op.is_comparison() && !is_trim(op)
}

/// Why an operator yields nothing, or what is to be said though it does.
#[derive(Clone, Debug)]
pub(crate) enum Remark {
    IncompatibleTypes(&'static str, &'static str),
    IncompatibleLayout,
    HintsCollide(Combining),
    BoundsReconciled(Combining),
}

impl Remark {
    pub(crate) fn note(&self, op: BinaryOp, span: Span, notes: &mut Annotations) {
        match self {
            Self::IncompatibleTypes(left, right) => notes.incompatible_types(span, op, left, right),
            Self::IncompatibleLayout => notes.incompatible_layout(span, op),
            Self::HintsCollide(combining) => notes.hints_collide(span, *combining),
            Self::BoundsReconciled(combining) => notes.bounds_reconciled(span, *combining),
        }
    }

    /// Whether it takes the result away.
    fn is_failure(&self) -> bool {
        !matches!(self, Self::BoundsReconciled(_))
    }
}

/// The last remark of each step, with the row that it came from.
type Remarks = Vec<Option<(usize, Remark)>>;

/// The result of an operator on two samples.
pub(crate) struct Outcome {
    pub(crate) cell: Cell,
    /// A comparison holds.
    pub(crate) keep: bool,
    pub(crate) remark: Option<Remark>,
}

impl Outcome {
    fn of(histogram: FloatHistogram) -> Self {
        Self { cell: Cell::Histogram(Arc::new(histogram)), keep: true, remark: None }
    }
}

/// An operator on two samples of any kind.
pub(crate) fn operate_cells(op: BinaryOp, a: &Cell, b: &Cell) -> Outcome {
    match (a, b) {
        (Cell::Float(_), Cell::Float(_)) if is_trim(op) => incompatible("float", "float"),
        (Cell::Float(a), Cell::Float(b)) => {
            let (value, keep) = operate(op, *a, *b);
            Outcome { cell: Cell::Float(value), keep, remark: None }
        }
        (Cell::Histogram(a), Cell::Histogram(b)) => operate_histograms(op, a, b),
        (Cell::Float(factor), Cell::Histogram(histogram)) => match op {
            BinaryOp::Mul => change(histogram, |h| h.scale(*factor)),
            _ => incompatible("float", "histogram"),
        },
        (Cell::Histogram(histogram), Cell::Float(value)) => match op {
            BinaryOp::Mul => change(histogram, |h| h.scale(*value)),
            BinaryOp::Div => change(histogram, |h| h.divide(*value)),
            BinaryOp::TrimUpper => trimmed(histogram, *value, true),
            BinaryOp::TrimLower => trimmed(histogram, *value, false),
            _ => incompatible("histogram", "float"),
        },
    }
}

fn incompatible(left: &'static str, right: &'static str) -> Outcome {
    let remark = Some(Remark::IncompatibleTypes(left, right));
    Outcome { cell: Cell::Float(ABSENT), keep: false, remark }
}

fn change(histogram: &Histogram, change: impl FnOnce(&mut FloatHistogram)) -> Outcome {
    let mut result = FloatHistogram::clone(histogram);
    change(&mut result);
    result.compact();
    Outcome::of(result)
}

fn trimmed(histogram: &Histogram, at: f64, keep_below: bool) -> Outcome {
    let mut result = FloatHistogram::clone(histogram);
    result.trim(at, keep_below);
    Outcome::of(result)
}

fn operate_histograms(op: BinaryOp, a: &Histogram, b: &Histogram) -> Outcome {
    let combining = match op {
        BinaryOp::Add => Combining::Addition,
        BinaryOp::Sub => Combining::Subtraction,
        BinaryOp::Eq | BinaryOp::Ne => {
            let keep = a.same_data(b) == (op == BinaryOp::Eq);
            return Outcome { cell: Cell::Histogram(Arc::clone(a)), keep, remark: None };
        }
        _ => return incompatible("histogram", "histogram"),
    };
    let mut result = FloatHistogram::clone(a);
    let added = if op == BinaryOp::Add { result.add(b) } else { result.subtract(b) };
    let Ok(added) = added else {
        return Outcome { cell: Cell::Float(ABSENT), keep: false, remark: Some(Remark::IncompatibleLayout) };
    };
    if op == BinaryOp::Sub {
        result.reset_hint = ResetHint::Gauge;
    }
    result.compact();
    let mut outcome = Outcome::of(result);
    if added.hints_collide {
        outcome.remark = Some(Remark::HintsCollide(combining));
    } else if added.bounds_reconciled {
        outcome.remark = Some(Remark::BoundsReconciled(combining));
    }
    outcome
}

/// The value of a place where a comparison said no: nothing comes out, but the labels are taken.
const CLAIMED: f64 = f64::from_bits(model::STALE_NAN_BITS + 1);

fn is_claimed(value: f64) -> bool {
    value.to_bits() == CLAIMED.to_bits()
}

/// The rows of both sides with one signature.
#[derive(Default)]
struct Pairing {
    many: Vec<usize>,
    one: Vec<usize>,
}

impl Evaluator<'_> {
    /// An operator between vectors, the left one of which is known.
    pub(crate) fn join(&mut self, binary: &Binary, left: Tile, grid: Grid) -> Result<Tile, EvalError> {
        let Some(matching) = &binary.matching else { return Ok(Tile::new(grid.steps)) };
        let right = self.tile(&binary.right, grid)?;
        match binary.op {
            BinaryOp::And | BinaryOp::Unless => Ok(and_unless(binary.op, matching, left, &right)),
            BinaryOp::Or => Ok(or(matching, left, &right)),
            _ => {
                let swapped = matching.cardinality == Cardinality::OneToMany;
                let (many, one) = if swapped { (&right, &left) } else { (&left, &right) };
                let floats = !left.has_histograms() && !right.has_histograms() && !is_trim(binary.op);
                let builder = TileBuilder::new(grid.steps);
                let remarks = vec![None; grid.steps];
                let join = Join { binary, matching, many, one, swapped, floats, builder, remarks };
                let (tile, remarks) = join.run()?;
                // Of each step the last remark counts.
                for (_, remark) in remarks.into_iter().flatten() {
                    remark.note(binary.op, binary.span, &mut self.annotations);
                }
                Ok(tile)
            }
        }
    }
}

fn signature(matching: &VectorMatching, labels: &Labels) -> Labels {
    labels::group(labels, &matching.labels, !matching.on)
}

/// For each signature of the rows, at which steps some row has a value.
fn presence(matching: &VectorMatching, tile: &Tile) -> ByLabels<Vec<bool>> {
    let mut present: ByLabels<Vec<bool>> = ByLabels::default();
    for (row, meta) in tile.rows.iter().enumerate() {
        let steps = present.entry(signature(matching, &meta.labels)).or_insert_with(|| vec![false; tile.steps]);
        for (here, value) in steps.iter_mut().zip(tile.row(row)) {
            *here |= !is_absent(*value);
        }
    }
    present
}

fn and_unless(op: BinaryOp, matching: &VectorMatching, mut left: Tile, right: &Tile) -> Tile {
    let present = presence(matching, right);
    for row in 0..left.rows.len() {
        let steps = present.get(&signature(matching, &left.rows[row].labels));
        for step in 0..left.steps {
            let matched = steps.is_some_and(|steps| steps[step]);
            if matched != (op == BinaryOp::And) {
                left.remove(row, step);
            }
        }
    }
    left
}

fn or(matching: &VectorMatching, mut left: Tile, right: &Tile) -> Tile {
    let present = presence(matching, &left);
    for (row, meta) in right.rows.iter().enumerate() {
        let steps = present.get(&signature(matching, &meta.labels));
        let keep = |step: usize| !steps.is_some_and(|steps| steps[step]);
        // A row of which nothing is left would make a long chain slower with each operand.
        if right.row(row).iter().enumerate().any(|(step, value)| keep(step) && !is_absent(*value)) {
            left.push_from(right, row, keep);
        }
    }
    left
}

/// An arithmetic operator or comparison between vectors; `one` is the side that may have one element per signature.
struct Join<'a> {
    binary: &'a Binary,
    matching: &'a VectorMatching,
    many: &'a Tile,
    one: &'a Tile,
    /// Whether `one` is the left side.
    swapped: bool,
    /// Neither side has histograms, and none can come of it.
    floats: bool,
    builder: TileBuilder,
    remarks: Remarks,
}

/// Where a result goes, and whether one was there for the same elements.
struct Place {
    row: usize,
    step: usize,
    matched: bool,
    /// The row of the many side; those of the one side come after.
    order: usize,
}

impl Join<'_> {
    fn run(mut self) -> Result<(Tile, Remarks), EvalError> {
        let mut pairings: Vec<(Labels, Pairing)> = Vec::new();
        let mut known: ByLabels<usize> = ByLabels::default();
        for (is_one, tile) in [(false, self.many), (true, self.one)] {
            for (row, meta) in tile.rows.iter().enumerate() {
                let key = signature(self.matching, &meta.labels);
                let at = *known.entry(key).or_insert_with_key(|key| {
                    pairings.push((key.clone(), Pairing::default()));
                    pairings.len() - 1
                });
                let pairing = &mut pairings[at].1;
                if is_one { pairing.one.push(row) } else { pairing.many.push(row) }
            }
        }
        // Where one side has nothing at all, nothing is compared, and nothing can be wrong.
        let (empty_many, empty_one) = (absent_steps(self.many), absent_steps(self.one));
        let fill = self.matching.fill_left.is_some() || self.matching.fill_right.is_some();
        let skip: Vec<bool> = empty_many
            .iter()
            .zip(&empty_one)
            .map(|(many, one)| (*many && *one) || (!fill && (*many || *one)))
            .collect();
        for (key, pairing) in &pairings {
            self.pair(key, pairing, &skip)?;
        }
        let mut tile = self.builder.finish();
        for value in tile.values.iter_mut().filter(|value| is_claimed(**value)) {
            *value = ABSENT;
        }
        Ok((tile, self.remarks))
    }

    fn pair(&mut self, key: &Labels, pairing: &Pairing, skip: &[bool]) -> Result<(), EvalError> {
        // As in Prometheus, the sides are those of the matching: with `group_right`, `fill_left` stands for the many side.
        let (fill_many, fill_one) = (self.matching.fill_left, self.matching.fill_right);
        let fill = fill_many.is_some() || fill_one.is_some();
        if !fill && pairing.many.is_empty() && pairing.one.len() < 2 {
            return Ok(());
        }
        // Rows of the result, found once per pair of rows and not once per step.
        let mut rows: HashMap<(Option<usize>, Option<usize>), usize> = HashMap::new();
        for step in (0..self.many.steps).filter(|step| !skip[*step]) {
            let one = self.the_one(key, pairing, step)?;
            let mut matched = false;
            for many in &pairing.many {
                if is_absent(self.many.at(*many, step)) || (one.is_none() && fill_one.is_none()) {
                    continue;
                }
                let row = match rows.get(&(Some(*many), one)) {
                    Some(row) => *row,
                    None => {
                        let labels = Some(&self.many.rows[*many]);
                        let row = self.result_row(key, labels, one.map(|row| &self.one.rows[row]));
                        rows.insert((Some(*many), one), row);
                        row
                    }
                };
                let place = Place { row, step, matched, order: *many };
                matched |= self.put(&place, (Some(*many), fill_many), (one, fill_one))?;
            }
            if let (Some(one), Some(_), false) = (one, fill_many, matched) {
                let row = self.result_row(key, None, Some(&self.one.rows[one]));
                let place = Place { row, step, matched: false, order: self.many.rows.len() + one };
                self.put(&place, (None, fill_many), (Some(one), fill_one))?;
            }
        }
        Ok(())
    }

    /// The element of the one side at a step; two are an error.
    fn the_one(&self, key: &Labels, pairing: &Pairing, step: usize) -> Result<Option<usize>, EvalError> {
        let mut present = pairing.one.iter().filter(|row| !is_absent(self.one.at(**row, step)));
        let Some(first) = present.next() else { return Ok(None) };
        let Some(second) = present.next() else { return Ok(Some(*first)) };
        let side = if self.swapped { "left" } else { "right" };
        let mut pair = [*first, *second].map(|row| braced(&self.one.rows[row].labels));
        pair.sort();
        Err(EvalError::Execution(format!(
            "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}]\
             ;many-to-many matching not allowed: matching labels must be unique on one side",
            braced(key),
            pair[0],
            pair[1]
        )))
    }

    fn result_row(&mut self, key: &Labels, many: Option<&Meta>, one: Option<&Meta>) -> usize {
        let meta = many.map_or(key, |meta| &meta.labels);
        let mut labels = if renames(self.binary.op) { labels::without_name(meta) } else { meta.clone() };
        if self.matching.cardinality == Cardinality::OneToOne {
            let (names, on) = (&self.matching.labels, self.matching.on);
            labels = labels.keep(|name| names.iter().any(|n| n == name) == on);
        }
        for name in &self.matching.include {
            let value = one.map_or_else(|| key.get(name), |meta| meta.labels.get(name));
            labels = labels::with(&labels, name, value.unwrap_or(""));
        }
        self.builder.row(&Meta { labels, drop_name: self.binary.bool_modifier })
    }

    /// Computes a result and puts it in its place; whether the elements count as matched.
    fn put(
        &mut self,
        place: &Place,
        many: (Option<usize>, Option<f64>),
        one: (Option<usize>, Option<f64>),
    ) -> Result<bool, EvalError> {
        let (row, step) = (place.row, place.step);
        let cell = if self.floats {
            let value = |tile: &Tile, (at, fill): (Option<usize>, Option<f64>)| {
                at.map(|row| tile.at(row, step)).or(fill).unwrap_or(ABSENT)
            };
            let (many, one) = (value(self.many, many), value(self.one, one));
            let (a, b) = if self.swapped { (one, many) } else { (many, one) };
            let (value, keep) = operate(self.binary.op, a, b);
            Cell::Float(match (self.binary.bool_modifier, keep) {
                (true, _) => f64::from(u8::from(keep)),
                (false, true) => value,
                (false, false) => CLAIMED,
            })
        } else {
            match self.compute(place, many, one) {
                Some(cell) => cell,
                None => return Ok(false),
            }
        };
        let fault = |message: &str| Err(EvalError::Execution(message.into()));
        if place.matched && self.matching.cardinality == Cardinality::OneToOne {
            return fault(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
            );
        }
        if is_absent(self.builder.get(row, step)) {
            self.builder.set(row, step, cell)?;
            return Ok(true);
        }
        if self.matching.cardinality == Cardinality::OneToOne {
            return Err(same_labelset());
        }
        fault("multiple matches for labels: grouping labels must ensure unique matches")
    }

    /// The result on samples of any kind; `None` if there is none, for which a remark is kept.
    fn compute(
        &mut self,
        place: &Place,
        many: (Option<usize>, Option<f64>),
        one: (Option<usize>, Option<f64>),
    ) -> Option<Cell> {
        let cell = |tile: &Tile, (at, fill): (Option<usize>, Option<f64>)| match at {
            Some(row) => tile.cell(row, place.step),
            None => fill.map(Cell::Float),
        };
        let (many, one) = (cell(self.many, many)?, cell(self.one, one)?);
        let (a, b) = if self.swapped { (&one, &many) } else { (&many, &one) };
        let outcome = operate_cells(self.binary.op, a, b);
        if let Some(remark) = outcome.remark {
            let fails = remark.is_failure();
            let slot = &mut self.remarks[place.step];
            if slot.as_ref().is_none_or(|(order, _)| *order <= place.order) {
                *slot = Some((place.order, remark));
            }
            if fails {
                return None;
            }
        }
        Some(match (self.binary.bool_modifier, outcome.keep) {
            (true, keep) => Cell::Float(f64::from(u8::from(keep))),
            (false, true) => outcome.cell,
            (false, false) => Cell::Float(CLAIMED),
        })
    }
}

/// At which steps no row has anything.
fn absent_steps(tile: &Tile) -> Vec<bool> {
    let mut absent = vec![true; tile.steps];
    for row in 0..tile.rows.len() {
        absent.iter_mut().zip(tile.row(row)).for_each(|(absent, value)| *absent &= is_absent(*value));
    }
    absent
}

/// A label set as Prometheus's errors print it: all labels in braces, the name among them.
pub(crate) fn braced(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{}={}", labels::quoted_name(name), quote(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}
