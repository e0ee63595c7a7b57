//! Aggregations. Most take rows as they come and keep one accumulator per group and step.

use std::collections::HashMap;

use model::Labels;

use crate::ast::{Aggregate, AggregateOp, Expr};
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::groups::{Grouping, Groups};
use crate::labels::{self, ByLabels};
use crate::parallel::Out;
use crate::ranges::RangeFunction;
use crate::selector::Show;
use crate::text::{plain_number, short_number};
use crate::tile::{ABSENT, Cell, Grid, Meta, Tile, TileBuilder, is_absent, is_float};
use crate::windows::quantile;

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
        let bytes_max = self.limits.memory_max_bytes;
        let bytes = (bytes_max.saturating_sub(self.held_bytes()), bytes_max);
        let grouping = Grouping::new(aggregate, grid.steps, bytes, self.limits.delayed_name_removal);
        let mut groups = grouping.groups();
        self.grouped_rows(&aggregate.expr, grid, &mut groups)?;
        let mut tile = Tile::new(grid.steps);
        self.annotations.extend(groups.finish(|meta, row| tile.push(meta, row)));
        Ok(tile)
    }

    /// Puts rows into groups: where they come straight from series, by the threads that compute them.
    fn grouped_rows(&mut self, expr: &Expr, grid: Grid, groups: &mut Groups<'_>) -> Result<(), EvalError> {
        match expr.unparen() {
            Expr::Vector(selector) => self.instant_rows(selector, grid, Show::Value, Out::Groups(groups)),
            Expr::Call(call) if RangeFunction::of(call).is_some() => self.range_call(call, grid, Out::Groups(groups)),
            _ => self.rows(expr, grid, &mut |meta, row| groups.add(meta, row)),
        }
    }

    /// The groups of a tile's rows.
    fn groups(aggregate: &Aggregate, tile: &Tile) -> Vec<(Meta, Vec<usize>)> {
        let mut groups: Vec<(Meta, Vec<usize>)> = Vec::new();
        let mut known: ByLabels<usize> = ByLabels::default();
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
        let input = self.tile(&aggregate.expr, grid)?;
        let bad = [f64::NAN, max, min];
        let is_bad = [params.iter().any(|q| q.is_nan()), max > 1.0, min < 0.0];
        bad.iter().zip(is_bad).filter(|(_, is_bad)| *is_bad).for_each(|(q, _)| self.annotations.bad_quantile(span, *q));
        if input.has_histograms() {
            self.annotations.histogram_ignored(aggregate.expr.span(), "quantile");
        }
        let mut tile = Tile::new(grid.steps);
        let mut present = Vec::new();
        for (meta, rows) in Self::groups(aggregate, &input) {
            let result = |step: usize, present: &mut Vec<f64>| {
                present.clear();
                present.extend(rows.iter().map(|row| input.at(*row, step)).filter(|value| is_float(*value)));
                if present.is_empty() { ABSENT } else { quantile(params[step], present) }
            };
            let values: Vec<f64> = (0..grid.steps).map(|step| result(step, &mut present)).collect();
            tile.push_floats(meta, &values);
        }
        Ok(tile)
    }

    fn count_values(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Tile, EvalError> {
        let Some(Expr::String(label, _)) = aggregate.param.as_ref().map(Expr::unparen) else {
            return Err(EvalError::Execution("count_values needs a label name".into()));
        };
        if !crate::calls::is_label_name(label) {
            return Err(EvalError::Execution(format!("invalid label name {}", crate::text::quote(label))));
        }
        let input = self.tile(&aggregate.expr, grid)?;
        let mut builder = TileBuilder::new(grid.steps);
        let mut counts: HashMap<(usize, usize), f64> = HashMap::new();
        let left_out = aggregate.without && aggregate.grouping.contains(label);
        for (meta, rows) in Self::groups(aggregate, &input) {
            for (row, step) in rows.iter().flat_map(|row| (0..grid.steps).map(move |step| (*row, step))) {
                let text = match input.cell(row, step) {
                    None => continue,
                    Some(Cell::Float(value)) => plain_number(value),
                    Some(Cell::Histogram(histogram)) => histogram.to_string(),
                };
                // The label may be one that groups are told apart by, and then replaces it, or one to leave out.
                let labels = if left_out { meta.labels.clone() } else { labels::with(&meta.labels, label, &text) };
                let out = builder.row(&Meta { labels, drop_name: false });
                *counts.entry((out, step)).or_default() += 1.0;
            }
            self.hold(0)?;
        }
        for ((row, step), count) in counts {
            builder.set(row, step, Cell::Float(count))?;
        }
        self.hold_values(builder.cells())?;
        Ok(builder.finish())
    }

    /// Aggregations that let some of their input through.
    fn pick(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Tile, EvalError> {
        let params = self.param(aggregate, grid)?;
        if !self.check_pick(aggregate, &params)? {
            self.rows(&aggregate.expr, grid, &mut |_, _| Ok(()))?;
            return Ok(Tile::new(grid.steps));
        }
        let input = self.tile(&aggregate.expr, grid)?;
        let by_value = matches!(aggregate.op, AggregateOp::Topk | AggregateOp::Bottomk);
        if by_value && input.has_histograms() {
            self.annotations.histogram_ignored(aggregate.span, aggregate.op.as_str());
        }
        let groups = Self::groups(aggregate, &input);
        let mut kept = Tile::new(grid.steps);
        let mut order: Vec<usize> = Vec::new();
        let mut chosen = vec![false; input.values.len()];
        for (step, param) in params.iter().enumerate() {
            let candidate = |row: usize| {
                let value = input.at(row, step);
                if by_value { is_float(value) } else { !is_absent(value) }
            };
            for (_, rows) in &groups {
                let present = rows.iter().copied().filter(|row| candidate(*row)).collect();
                for row in choose(aggregate.op, *param, present, &input, step) {
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
            let chosen = &chosen[row * grid.steps..(row + 1) * grid.steps];
            if chosen.contains(&true) {
                kept.push_from(&input, row, |step| chosen[step]);
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
            if max == 0.0 && min == 0.0 {
                return Ok(false);
            }
            let span = aggregate.param.as_ref().map_or(aggregate.span, Expr::span);
            if max > 1.0 {
                self.annotations.bad_ratio(span, max, 1.0);
            }
            if min < -1.0 {
                self.annotations.bad_ratio(span, min, -1.0);
            }
            return Ok(true);
        }
        if any_nan {
            return fault("Parameter value is NaN".into());
        }
        if max < 1.0 {
            return Ok(false);
        }
        if min <= i64::MIN as f64 {
            return fault(format!("Scalar value {} underflows int64", short_number(min)));
        }
        if max >= i64::MAX as f64 {
            return fault(format!("Scalar value {} overflows int64", short_number(max)));
        }
        Ok(true)
    }
}

/// Smallest and largest parameter; NaN if any is.
fn bounds(params: &[f64]) -> (f64, f64) {
    if params.iter().any(|param| param.is_nan()) {
        return (f64::NAN, f64::NAN);
    }
    let fold = |start: f64, pick: fn(f64, f64) -> f64| params.iter().copied().fold(start, pick);
    (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max))
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
        let order = |a: &(f64, usize), b: &(f64, usize)| {
            let by_value = if op == AggregateOp::Topk { b.0.partial_cmp(&a.0) } else { a.0.partial_cmp(&b.0) };
            // NaN goes last in both; of equal values the first.
            by_value.unwrap_or_else(|| a.0.is_nan().cmp(&b.0.is_nan())).then(a.1.cmp(&b.1))
        };
        let mut valued: Vec<(f64, usize)> = rows.into_iter().map(|row| (input.at(row, step), row)).collect();
        if keep < valued.len() {
            // Only what is kept is sorted.
            valued.select_nth_unstable_by(keep, order);
            valued.truncate(keep);
        }
        valued.sort_unstable_by(order);
        return valued.into_iter().map(|(_, row)| row).collect();
    }
    rows.truncate(keep);
    rows
}

/// Whether a series is in a sample of this ratio; a negative ratio is the complement of the positive one. The hash is Prometheus's, so
/// that both pick the same series: XXH64 of names and values in turn, each behind its length in one byte, or in four from 255 on.
fn in_ratio(ratio: f64, labels: &Labels) -> bool {
    let mut text = Vec::new();
    for part in labels.iter().flat_map(|(name, value)| [name, value]) {
        match u8::try_from(part.len()) {
            Ok(length) if length < u8::MAX => text.push(length),
            _ => {
                text.push(u8::MAX);
                text.extend_from_slice(&(part.len() as u32).to_le_bytes()[..3]);
            }
        }
        text.extend_from_slice(part.as_bytes());
    }
    let offset = xxhash_rust::xxh64::xxh64(&text, 0) as f64 / u64::MAX as f64;
    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
}
