//! Aggregations. Most take rows as they come and keep one accumulator per group and step.

use std::collections::HashMap;

use model::Labels;

use crate::ast::{Aggregate, AggregateOp, Expr};
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::labels;
use crate::tile::{ABSENT, Grid, Meta, Tile, TileBuilder, is_absent};
use crate::value::format_number;
use crate::windows::{Mean, kahan, quantile};

/// What is known of one group at one step.
#[derive(Clone, Copy, Default)]
struct Cell {
    count: f64,
    /// Sum, extreme, or mean of deviations.
    value: f64,
    /// Compensation of the sum, or sum of squared deviations.
    extra: f64,
    mean: Mean,
}

struct Group {
    meta: Meta,
    cells: Vec<Cell>,
}

impl Evaluator<'_> {
    pub(crate) fn aggregate(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Tile, EvalError> {
        match aggregate.op {
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => {
                self.pick(aggregate, grid)
            }
            AggregateOp::Quantile => self.quantile(aggregate, grid),
            AggregateOp::CountValues => self.count_values(aggregate, grid),
            _ => self.accumulate(aggregate, grid),
        }
    }

    fn accumulate(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Tile, EvalError> {
        let op = aggregate.op;
        let mut groups: Vec<Group> = Vec::new();
        let mut known: HashMap<Labels, usize> = HashMap::new();
        self.rows(&aggregate.expr, grid, &mut |meta, values| {
            let key = labels::group(&meta.labels, &aggregate.grouping, aggregate.without);
            let at = *known.entry(key).or_insert_with_key(|key| {
                let meta = Meta { labels: key.clone(), drop_name: false };
                groups.push(Group { meta, cells: vec![Cell::default(); grid.steps] });
                groups.len() - 1
            });
            let group = &mut groups[at];
            group.meta.drop_name |= meta.drop_name;
            for (cell, value) in group.cells.iter_mut().zip(values).filter(|(_, value)| !is_absent(**value)) {
                cell.add(op, *value);
            }
            Ok(())
        })?;
        let mut tile = Tile::new(grid.steps);
        for group in groups {
            let values: Vec<f64> = group.cells.iter().map(|cell| cell.result(op)).collect();
            tile.push(group.meta, &values);
        }
        Ok(tile)
    }

    /// The groups of a tile's rows.
    fn groups(aggregate: &Aggregate, tile: &Tile) -> Vec<(Meta, Vec<usize>)> {
        let mut groups: Vec<(Meta, Vec<usize>)> = Vec::new();
        let mut known: HashMap<Labels, usize> = HashMap::new();
        for (row, meta) in tile.rows.iter().enumerate() {
            let key = labels::group(&meta.labels, &aggregate.grouping, aggregate.without);
            let at = *known.entry(key).or_insert_with_key(|key| {
                groups.push((Meta { labels: key.clone(), drop_name: false }, Vec::new()));
                groups.len() - 1
            });
            groups[at].0.drop_name |= meta.drop_name;
            groups[at].1.push(row);
        }
        groups
    }

    fn param(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<f64>, EvalError> {
        aggregate.param.as_ref().map_or(Ok(vec![0.0; grid.steps]), |param| self.scalar(param, grid))
    }

    fn quantile(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Tile, EvalError> {
        let params = self.param(aggregate, grid)?;
        let span = aggregate.param.as_ref().map_or(aggregate.span, Expr::span);
        let (min, max) = bounds(&params);
        if params.iter().any(|q| q.is_nan()) {
            self.warn_quantile(f64::NAN, span);
        }
        if max > 1.0 {
            self.warn_quantile(max, span);
        }
        if min < 0.0 {
            self.warn_quantile(min, span);
        }
        let input = self.tile(&aggregate.expr, grid)?;
        let mut tile = Tile::new(grid.steps);
        let mut present = Vec::new();
        for (meta, rows) in Self::groups(aggregate, &input) {
            let result = |step: usize, present: &mut Vec<f64>| {
                present.clear();
                present.extend(rows.iter().map(|row| input.at(*row, step)).filter(|value| !is_absent(*value)));
                if present.is_empty() { ABSENT } else { quantile(params[step], present) }
            };
            let values: Vec<f64> = (0..grid.steps).map(|step| result(step, &mut present)).collect();
            tile.push(meta, &values);
        }
        Ok(tile)
    }

    fn count_values(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Tile, EvalError> {
        let Some(Expr::String(label, _)) = aggregate.param.as_ref().map(Expr::unparen) else {
            return Err(EvalError::Execution("count_values needs a label name".into()));
        };
        if label.is_empty() {
            return Err(EvalError::Execution(format!("invalid label name {label:?}")));
        }
        let input = self.tile(&aggregate.expr, grid)?;
        let mut builder = TileBuilder::new(grid.steps);
        let mut counts: HashMap<(usize, usize), f64> = HashMap::new();
        for (meta, rows) in Self::groups(aggregate, &input) {
            for (row, step) in rows.iter().flat_map(|row| (0..grid.steps).map(move |step| (*row, step))) {
                let value = input.at(row, step);
                if is_absent(value) {
                    continue;
                }
                let labels = labels::with(&meta.labels, label, &format_plain(value));
                let out = builder.row(&Meta { labels, drop_name: meta.drop_name });
                *counts.entry((out, step)).or_default() += 1.0;
            }
            self.hold(0)?;
        }
        for ((row, step), count) in counts {
            builder.set(row, step, count)?;
        }
        self.hold(builder.cells())?;
        Ok(builder.finish())
    }

    /// Aggregations that let some of their input through.
    fn pick(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Tile, EvalError> {
        let params = self.param(aggregate, grid)?;
        if !self.check_pick(aggregate, &params)? {
            return Ok(Tile::new(grid.steps));
        }
        let input = self.tile(&aggregate.expr, grid)?;
        let groups = Self::groups(aggregate, &input);
        let mut kept = Tile::new(grid.steps);
        let mut order: Vec<usize> = Vec::new();
        let mut chosen = vec![false; input.values.len()];
        for step in 0..grid.steps {
            for (_, rows) in &groups {
                let present = rows.iter().filter(|row| !is_absent(input.at(**row, step))).copied().collect();
                for row in choose(aggregate.op, params[step], present, &input, step) {
                    chosen[row * grid.steps + step] = true;
                    if grid.steps == 1 {
                        order.push(row);
                    }
                }
            }
        }
        // An instant vector keeps the order of its values; a range is sorted by labels anyway.
        let rows = if grid.steps == 1 { order } else { (0..input.rows.len()).collect() };
        for row in rows {
            let cells = row * grid.steps..(row + 1) * grid.steps;
            if chosen[cells.clone()].contains(&true) {
                let pairs = input.row(row).iter().zip(&chosen[cells]);
                let values: Vec<f64> = pairs.map(|(value, chosen)| if *chosen { *value } else { ABSENT }).collect();
                kept.push(input.rows[row].clone(), &values);
            }
        }
        Ok(kept)
    }

    /// Checks the parameter; false if nothing can come out.
    fn check_pick(&mut self, aggregate: &Aggregate, params: &[f64]) -> Result<bool, EvalError> {
        let (min, max) = bounds(params);
        let fault = |message: String| Err(EvalError::Execution(message));
        let any_nan = params.iter().any(|param| param.is_nan());
        if aggregate.op == AggregateOp::LimitRatio {
            if any_nan {
                return fault("Ratio value is NaN".into());
            }
            let span = aggregate.param.as_ref().map_or(aggregate.span, Expr::span);
            for (bad, limit) in [(max, 1.0), (min, -1.0)] {
                if bad.abs() > 1.0 && bad.signum() == limit {
                    let (bad, limit) = (format_number(bad), format_number(limit));
                    let message = format!("ratio value should be between -1 and 1, got {bad}, capping to {limit}");
                    self.annotations.warn(span, message);
                }
            }
            return Ok(max != 0.0 || min != 0.0);
        }
        if any_nan {
            return fault("Parameter value is NaN".into());
        }
        if max < 1.0 {
            return Ok(false);
        }
        if min <= i64::MIN as f64 {
            return fault(format!("Scalar value {} underflows int64", go_general(min)));
        }
        if max >= i64::MAX as f64 {
            return fault(format!("Scalar value {} overflows int64", go_general(max)));
        }
        Ok(true)
    }
}

/// Go's `%v` of the numbers that overflow.
fn go_general(value: f64) -> String {
    if value.is_finite() {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return if exponent.parse::<i32>().is_ok_and(|exponent| exponent < 21) {
            format!("{digits}e+{exponent:0>2}")
        } else {
            format_number(value)
        };
    }
    format_number(value)
}

/// A label's value for a number: never with an exponent.
fn format_plain(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { format_number(value) }
}

fn bounds(params: &[f64]) -> (f64, f64) {
    let finite = || params.iter().filter(|param| !param.is_nan());
    (finite().copied().fold(f64::INFINITY, f64::min), finite().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// The rows that `topk` and its kin keep at one step, in the order of the result.
fn choose(op: AggregateOp, param: f64, mut rows: Vec<usize>, input: &Tile, step: usize) -> Vec<usize> {
    if op == AggregateOp::LimitRatio {
        let ratio = param.clamp(-1.0, 1.0);
        rows.retain(|row| ratio != 0.0 && in_ratio(ratio, &input.rows[*row].labels));
        return rows;
    }
    let keep = if param < 1.0 { 0 } else { param as usize };
    if op != AggregateOp::Limitk {
        let value = |row: &usize| input.at(*row, step);
        rows.sort_by(|a, b| {
            let (a, b) = (value(a), value(b));
            let by_value = if op == AggregateOp::Topk { b.partial_cmp(&a) } else { a.partial_cmp(&b) };
            // NaN goes last in both.
            by_value.unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        });
    }
    rows.truncate(keep);
    rows
}

/// Whether a series is in a sample of this ratio; a negative ratio is the complement of the positive one.
fn in_ratio(ratio: f64, labels: &Labels) -> bool {
    let mut text = Vec::new();
    for (name, value) in labels.iter() {
        text.extend_from_slice(name.as_bytes());
        text.push(0xff);
        text.extend_from_slice(value.as_bytes());
        text.push(0xff);
    }
    let offset = xxhash_rust::xxh3::xxh3_64(&text) as f64 / u64::MAX as f64;
    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
}

impl Cell {
    fn add(&mut self, op: AggregateOp, value: f64) {
        let first = self.count == 0.0;
        self.count += 1.0;
        match op {
            AggregateOp::Sum => (self.value, self.extra) = kahan(value, self.value, self.extra),
            AggregateOp::Avg => self.mean.add(value),
            AggregateOp::Min if first || value < self.value || self.value.is_nan() => self.value = value,
            AggregateOp::Max if first || value > self.value || self.value.is_nan() => self.value = value,
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                // Welford's way; an infinity or NaN makes the deviation NaN.
                let delta = value - self.value;
                self.value += delta / self.count;
                self.extra += delta * (value - self.value);
                if !value.is_finite() {
                    self.extra = f64::NAN;
                }
            }
            _ => {}
        }
    }

    fn result(&self, op: AggregateOp) -> f64 {
        if self.count == 0.0 {
            return ABSENT;
        }
        match op {
            AggregateOp::Sum => self.value + self.extra,
            AggregateOp::Avg => self.mean.value(),
            AggregateOp::Min | AggregateOp::Max => self.value,
            AggregateOp::Count => self.count,
            AggregateOp::Stdvar => self.extra / self.count,
            AggregateOp::Stddev => (self.extra / self.count).sqrt(),
            _ => 1.0,
        }
    }
}
