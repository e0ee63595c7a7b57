//! Functions that see a whole vector at once, and those that yield scalars.

use model::{Labels, METRIC_NAME};

use crate::ast::{Call, Expr, VectorSelector};
use crate::elementwise::{go_max, go_min};
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::labels;
use crate::matcher::MatchOp;
use crate::regexp::Regexp;
use crate::source::Wanted;
use crate::tile::{ABSENT, Grid, Meta, Tile, is_absent, is_float};

fn fault<T>(message: String) -> Result<T, EvalError> {
    Err(EvalError::Execution(message))
}

/// Whether a text can name a label: any UTF-8 but nothing.
pub(crate) fn is_label_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::REPLACEMENT_CHARACTER)
}

/// The text of an argument.
fn text(arg: Option<&Expr>) -> &str {
    match arg.map(Expr::unparen) {
        Some(Expr::String(value, _)) => value,
        _ => "",
    }
}

impl Evaluator<'_> {
    /// A call that yields one number per step.
    pub(crate) fn scalar_call(&mut self, call: &Call, grid: Grid) -> Result<Vec<f64>, EvalError> {
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let constant = match call.function.name {
            "time" => return Ok((0..grid.steps).map(|step| seconds(grid.time(step))).collect()),
            "scalar" => return self.scalar_of_vector(&call.args[0], grid),
            "max_of" | "min_of" => {
                let function = if call.function.name == "max_of" { go_max } else { go_min };
                let left = self.scalar(&call.args[0], grid)?;
                let right = self.scalar(&call.args[1], grid)?;
                return Ok(left.into_iter().zip(right).map(|(a, b)| function(a, b)).collect());
            }
            "pi" => std::f64::consts::PI,
            "start" => seconds(self.query.start_ms),
            "end" => seconds(self.query.start_ms + self.range_ms),
            "range" => seconds(self.range_ms),
            "step" if self.instant => 0.0,
            "step" => seconds(self.query.step_ms),
            name => return fault(format!("{name} does not yield a scalar")),
        };
        Ok(vec![constant; grid.steps])
    }

    /// The only element's value; NaN where there are none or several.
    fn scalar_of_vector(&mut self, vector: &Expr, grid: Grid) -> Result<Vec<f64>, EvalError> {
        let mut found = vec![(0u32, f64::NAN); grid.steps];
        self.rows(vector, grid, &mut |_, row| {
            for (found, value) in found.iter_mut().zip(&row.values).filter(|(_, value)| is_float(**value)) {
                *found = (found.0 + 1, *value);
            }
            Ok(())
        })?;
        Ok(found.into_iter().map(|(count, value)| if count == 1 { value } else { f64::NAN }).collect())
    }

    /// A call that must see the whole vector.
    pub(crate) fn tile_call(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        match call.function.name {
            "vector" => {
                let values = self.scalar(&call.args[0], grid)?;
                let mut tile = Tile::new(grid.steps);
                tile.push_floats(Meta { labels: Labels::default(), drop_name: false }, &values);
                Ok(tile)
            }
            "absent" | "absent_over_time" => self.absent(call, grid),
            "sort" | "sort_desc" => self.sort(call, grid),
            "sort_by_label" | "sort_by_label_desc" => self.sort_by_label(call, grid),
            "label_replace" => self.label_replace(call, grid),
            "label_join" => self.label_join(call, grid),
            "histogram_quantile" | "histogram_fraction" | "histogram_quantiles" => self.histogram_call(call, grid),
            "histogram_avg" | "histogram_count" | "histogram_sum" | "histogram_stddev" | "histogram_stdvar" => {
                self.native_call(call, grid)
            }
            "info" => self.info(call, grid),
            name => fault(format!("function {name:?} is not supported on this data")),
        }
    }

    fn absent(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let mut present = vec![false; grid.steps];
        let arg = &call.args[0];
        if call.function.name == "absent" {
            self.rows(arg, grid, &mut |_, row| {
                present.iter_mut().zip(&row.values).for_each(|(present, value)| *present |= !is_absent(*value));
                Ok(())
            })?;
        } else {
            let mut windows = self.windows(arg, grid, Wanted::Count)?;
            for series in self.read_all(std::mem::take(&mut windows.series))? {
                for (step, present) in present.iter_mut().enumerate() {
                    let (start_ms, end_ms) = windows.bounds(grid, step);
                    let next = series.times.partition_point(|time| *time <= start_ms);
                    *present |=
                        series.times.get(next).is_some_and(|time| *time <= end_ms) || series.fold(next).is_some();
                }
            }
        }
        let values: Vec<f64> = present.into_iter().map(|present| if present { ABSENT } else { 1.0 }).collect();
        let mut tile = Tile::new(grid.steps);
        if values.iter().any(|value| !is_absent(*value)) {
            tile.push_floats(Meta { labels: absent_labels(arg), drop_name: false }, &values);
        }
        Ok(tile)
    }

    fn sort(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let tile = self.tile(&call.args[0], grid)?;
        if !self.instant {
            self.annotations.sort_is_ineffective(call.span);
            return Ok(tile);
        }
        let descending = call.function.name == "sort_desc";
        let tile = tile.select((0..tile.rows.len()).filter(|row| is_float(tile.at(*row, 0))));
        Ok(reorder(&tile, |tile, a, b| {
            let (a, b) = (tile.at(a, 0), tile.at(b, 0));
            let by_value = if descending { b.partial_cmp(&a) } else { a.partial_cmp(&b) };
            by_value.unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }))
    }

    fn sort_by_label(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let tile = self.tile(&call.args[0], grid)?;
        if !self.instant {
            self.annotations.sort_is_ineffective(call.span);
            return Ok(tile);
        }
        let names: Vec<&str> = call.args[1..].iter().map(|arg| text(Some(arg))).collect();
        let descending = call.function.name == "sort_by_label_desc";
        Ok(reorder(&tile, |tile, a, b| {
            let (a, b) = (&tile.rows[a].labels, &tile.rows[b].labels);
            let value = |labels: &Labels, name: &str| labels.get(name).unwrap_or("").to_owned();
            let by_names = names.iter().map(|name| natural(&value(a, name), &value(b, name)));
            let order = by_names.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then_with(|| a.cmp(b));
            if descending { order.reverse() } else { order }
        }))
    }

    fn label_replace(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let [dst, replacement, src, pattern] = [1, 2, 3, 4].map(|at| text(call.args.get(at)));
        let Ok(regex) = Regexp::label_replace(pattern) else {
            return fault(format!("invalid regular expression in label_replace(): {pattern}"));
        };
        if !is_label_name(dst) {
            return fault(format!("invalid destination label name in label_replace(): {dst}"));
        }
        let mut tile = self.tile(&call.args[0], grid)?;
        for meta in &mut tile.rows {
            let Some(value) = regex.expand(replacement, meta.labels.get(src).unwrap_or("")) else { continue };
            meta.labels = labels::with(&meta.labels, dst, &value);
            meta.drop_name &= dst != METRIC_NAME;
        }
        tile.join_equal()
    }

    fn label_join(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let [dst, separator] = [1, 2].map(|at| text(call.args.get(at)));
        let sources: Vec<&str> = call.args[3..].iter().map(|arg| text(Some(arg))).collect();
        if let Some(bad) = sources.iter().find(|source| !is_label_name(source)) {
            return fault(format!("invalid source label name in label_join(): {bad}"));
        }
        if !is_label_name(dst) {
            return fault(format!("invalid destination label name in label_join(): {dst}"));
        }
        let mut tile = self.tile(&call.args[0], grid)?;
        for meta in &mut tile.rows {
            let values: Vec<&str> = sources.iter().map(|source| meta.labels.get(source).unwrap_or("")).collect();
            meta.labels = labels::with(&meta.labels, dst, &values.join(separator));
            meta.drop_name &= dst != METRIC_NAME;
        }
        tile.join_equal()
    }
}

fn reorder(tile: &Tile, compare: impl Fn(&Tile, usize, usize) -> std::cmp::Ordering) -> Tile {
    let mut order: Vec<usize> = (0..tile.rows.len()).collect();
    order.sort_by(|a, b| compare(tile, *a, *b));
    tile.select(order)
}

/// Natural order: runs of digits compare as numbers, so that `host9` comes before `host10`.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else { return a.len().cmp(&b.len()) };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let ((m, rest_a), (n, rest_b)) = (a.split_at(digits(a)), b.split_at(digits(b)));
            let (m, n) = (m.trim_start_matches('0'), n.trim_start_matches('0'));
            let order = m.len().cmp(&n.len()).then_with(|| m.cmp(n));
            if order.is_ne() {
                return order;
            }
            (a, b) = (rest_a, rest_b);
        } else {
            if x != y {
                return x.cmp(&y);
            }
            (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
        }
    }
}

/// The labels that a missing series would surely have: those that the selector names with `=`, once.
fn absent_labels(arg: &Expr) -> Labels {
    let selector: &VectorSelector = match arg {
        Expr::Vector(selector) => selector,
        Expr::Matrix(matrix) => &matrix.selector,
        _ => return Labels::default(),
    };
    let count = |name: &str| selector.matchers.iter().filter(|matcher| matcher.name == name).count();
    let sure = selector
        .matchers
        .iter()
        .filter(|matcher| matcher.op == MatchOp::Equal && matcher.name != METRIC_NAME && count(&matcher.name) == 1);
    sure.map(|matcher| (matcher.name.as_str(), matcher.value.as_str())).collect()
}
