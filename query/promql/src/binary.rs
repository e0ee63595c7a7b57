//! Operators between vectors.

use std::collections::HashMap;

use model::Labels;

use crate::ast::{Binary, BinaryOp, Cardinality, VectorMatching};
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::labels;
use crate::tile::{ABSENT, Grid, Meta, Tile, TileBuilder, is_absent, same_labelset};

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

/// The value of a place where a comparison said no: nothing comes out, but the labels are taken.
const CLAIMED: f64 = f64::from_bits(0x7ff0_0000_0000_0003);

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
    pub(crate) fn vector_binary(&mut self, binary: &Binary, grid: Grid) -> Result<Tile, EvalError> {
        let Some(matching) = &binary.matching else { return Ok(Tile::new(grid.steps)) };
        let left = self.tile(&binary.left, grid)?;
        let right = self.tile(&binary.right, grid)?;
        match binary.op {
            BinaryOp::And | BinaryOp::Unless => Ok(and_unless(binary.op, matching, left, &right)),
            BinaryOp::Or => Ok(or(matching, left, &right)),
            _ => {
                let swapped = matching.cardinality == Cardinality::OneToMany;
                let (many, one) = if swapped { (&right, &left) } else { (&left, &right) };
                Join { binary, matching, many, one, swapped, builder: TileBuilder::new(grid.steps) }.run()
            }
        }
    }
}

fn signature(matching: &VectorMatching, labels: &Labels) -> Labels {
    labels::group(labels, &matching.labels, !matching.on)
}

/// For each signature of the rows, at which steps some row has a value.
fn presence(matching: &VectorMatching, tile: &Tile) -> HashMap<Labels, Vec<bool>> {
    let mut present: HashMap<Labels, Vec<bool>> = HashMap::new();
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
        for (step, value) in left.row_mut(row).iter_mut().enumerate() {
            let matched = steps.is_some_and(|steps| steps[step]);
            if matched != (op == BinaryOp::And) {
                *value = ABSENT;
            }
        }
    }
    left
}

fn or(matching: &VectorMatching, mut left: Tile, right: &Tile) -> Tile {
    let present = presence(matching, &left);
    for (row, meta) in right.rows.iter().enumerate() {
        let steps = present.get(&signature(matching, &meta.labels));
        let hidden = |step: usize| steps.is_some_and(|steps| steps[step]);
        let values = right.row(row).iter().enumerate();
        let values: Vec<f64> = values.map(|(step, value)| if hidden(step) { ABSENT } else { *value }).collect();
        left.push(meta.clone(), &values);
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
    builder: TileBuilder,
}

impl Join<'_> {
    fn run(mut self) -> Result<Tile, EvalError> {
        let mut pairings: Vec<(Labels, Pairing)> = Vec::new();
        let mut known: HashMap<Labels, usize> = HashMap::new();
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
        for (key, pairing) in &pairings {
            self.pair(key, pairing)?;
        }
        let mut tile = self.builder.finish();
        for value in tile.values.iter_mut().filter(|value| is_claimed(**value)) {
            *value = ABSENT;
        }
        Ok(tile)
    }

    fn pair(&mut self, key: &Labels, pairing: &Pairing) -> Result<(), EvalError> {
        let fill = self.matching.fill_left.is_some() || self.matching.fill_right.is_some();
        if !fill && pairing.many.is_empty() && pairing.one.len() < 2 {
            return Ok(());
        }
        // Rows of the result, found once per pair of rows and not once per step.
        let mut rows: HashMap<(Option<usize>, Option<usize>), usize> = HashMap::new();
        for step in 0..self.many.steps {
            let one = self.the_one(key, pairing, step)?;
            let mut matched = false;
            for many in &pairing.many {
                let value = self.many.at(*many, step);
                if is_absent(value) {
                    continue;
                }
                let other = one.map(|row| self.one.at(row, step)).or(self.matching.fill_right);
                let Some(other) = other else { continue };
                let labels = Some(&self.many.rows[*many]);
                let row = match rows.get(&(Some(*many), one)) {
                    Some(row) => *row,
                    None => {
                        let row = self.result_row(key, labels, one.map(|row| &self.one.rows[row]));
                        rows.insert((Some(*many), one), row);
                        row
                    }
                };
                self.put(row, step, value, other, matched)?;
                matched = true;
            }
            if let (Some(one), Some(fill), false) = (one, self.matching.fill_left, matched) {
                let row = self.result_row(key, None, Some(&self.one.rows[one]));
                self.put(row, step, fill, self.one.at(one, step), false)?;
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
        let keeps_name = self.binary.op.is_comparison();
        let mut labels = if keeps_name { meta.clone() } else { labels::without_name(meta) };
        if self.matching.cardinality == Cardinality::OneToOne {
            let (names, on) = (&self.matching.labels, self.matching.on);
            labels = labels::keep(&labels, |name| names.iter().any(|n| n == name) == on);
        }
        for name in &self.matching.include {
            let value = one.map_or_else(|| key.get(name), |meta| meta.labels.get(name));
            labels = labels::with(&labels, name, value.unwrap_or(""));
        }
        self.builder.row(&Meta { labels, drop_name: self.binary.bool_modifier })
    }

    fn put(&mut self, row: usize, step: usize, many: f64, one: f64, matched: bool) -> Result<(), EvalError> {
        let fault = |message: &str| Err(EvalError::Execution(message.into()));
        if matched && self.matching.cardinality == Cardinality::OneToOne {
            return fault(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
            );
        }
        let (a, b) = if self.swapped { (one, many) } else { (many, one) };
        let (value, keep) = operate(self.binary.op, a, b);
        let value = match (self.binary.bool_modifier, keep) {
            (true, _) => f64::from(u8::from(keep)),
            (false, true) => value,
            (false, false) => CLAIMED,
        };
        if is_absent(self.builder.get(row, step)) {
            return self.builder.set(row, step, value);
        }
        if self.matching.cardinality == Cardinality::OneToOne {
            return Err(same_labelset());
        }
        fault("multiple matches for labels: grouping labels must ensure unique matches")
    }
}

/// A label set as Prometheus's errors print it: all labels in braces, the name among them.
fn braced(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{}={value:?}", labels::quoted_name(name))).collect();
    format!("{{{}}}", pairs.join(", "))
}
