//! Quantiles and fractions of histograms at each step: native ones, and classic ones, whose buckets are series with a label `le`.

use model::{FloatHistogram, Labels};

use crate::annotation::{Annotations, Repairs};
use crate::ast::{Call, Expr, Span};
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::labels::{self, ByLabels};
use crate::native;
use crate::tile::{ABSENT, Cell, Grid, Meta, Tile, TileBuilder, is_float};
use crate::value::format_number;

const BUCKET: &str = "le";
/// Counts closer than this, relatively, count as equal: rates of equal counters differ by rounding.
const TOLERANCE: f64 = 1e-12;

/// Upper bound and cumulative count.
type Bucket = (f64, f64);

/// The rows of one classic histogram.
struct Classic {
    meta: Meta,
    /// Upper bound and row.
    buckets: Vec<(f64, usize)>,
}

/// The histograms of a vector. A classic one and a native one with the same labels at the same step cancel each other out.
struct Histograms<'a> {
    input: &'a Tile,
    classic: Vec<Classic>,
    /// Rows with native histograms, and the classic one with the same labels.
    native: Vec<(usize, Option<usize>)>,
    grid: Grid,
    span: Span,
}

/// What is computed of each histogram at one step.
#[derive(Clone, Copy)]
enum Measure {
    Quantile(f64),
    Fraction(f64, f64),
}

impl Evaluator<'_> {
    /// `histogram_quantile`, `histogram_quantiles`, `histogram_fraction`.
    pub(crate) fn histogram_call(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let name = call.function.name;
        let vector_at = match name {
            "histogram_quantile" => 1,
            "histogram_fraction" => 2,
            _ => 0,
        };
        let vector = &call.args[vector_at];
        let mut scalars = Vec::new();
        for arg in call.args.iter().filter(|arg| arg.result_type() == crate::ast::Type::Scalar) {
            scalars.push((self.scalar(arg, grid)?, arg.span()));
        }
        let input = self.tile(vector, grid)?;
        let histograms = Histograms::find(&input, grid, vector.span(), &mut self.annotations);
        let mut builder = TileBuilder::new(grid.steps);
        let notes = &mut self.annotations;
        if name == "histogram_fraction" {
            let measure = |step: usize| Measure::Fraction(scalars[0].0[step], scalars[1].0[step]);
            histograms.measure(&measure, None, &mut builder, notes)?;
            return Ok(builder.finish());
        }
        let label = match call.args.get(1).map(Expr::unparen) {
            Some(Expr::String(label, _)) if name == "histogram_quantiles" => Some(label.as_str()),
            _ => None,
        };
        for (qs, q_span) in &scalars {
            qs.iter().filter(|q| !(0.0..=1.0).contains(*q)).for_each(|q| notes.bad_quantile(*q_span, *q));
            histograms.measure(&|step| Measure::Quantile(qs[step]), label, &mut builder, notes)?;
        }
        Ok(builder.finish())
    }

    /// `histogram_count` and its kin: a number of each native histogram.
    pub(crate) fn native_call(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let measure: fn(&FloatHistogram) -> f64 = match call.function.name {
            "histogram_count" => |histogram| histogram.count,
            "histogram_sum" => |histogram| histogram.sum,
            "histogram_avg" => |histogram| histogram.sum / histogram.count,
            "histogram_stddev" => |histogram| native::variance(histogram).sqrt(),
            _ => native::variance,
        };
        let mut tile = Tile::new(grid.steps);
        self.rows(&call.args[0], grid, &mut |meta, row| {
            let of = |step: usize| match row.cell(step) {
                Some(Cell::Histogram(histogram)) => measure(&histogram),
                _ => ABSENT,
            };
            if row.has_histograms() {
                let values: Vec<f64> = (0..grid.steps).map(of).collect();
                tile.push_floats(Meta { drop_name: true, ..meta }, &values);
            }
            Ok(())
        })?;
        Ok(tile)
    }
}

impl<'a> Histograms<'a> {
    fn find(input: &'a Tile, grid: Grid, span: Span, notes: &mut Annotations) -> Self {
        let mut classic: Vec<Classic> = Vec::new();
        let mut known: ByLabels<usize> = ByLabels::default();
        let mut rows = Vec::new();
        for (row, meta) in input.rows.iter().enumerate() {
            if (0..grid.steps).any(|step| input.histogram(row, step).is_some()) {
                rows.push(row);
            }
            if !input.row(row).iter().any(|value| is_float(*value)) {
                continue;
            }
            let text = meta.labels.get(BUCKET).unwrap_or("");
            let Some(bound) = crate::parser::parse_bound(text) else {
                notes.bad_bucket(span, &meta.labels, text);
                continue;
            };
            let key = meta.labels.keep(|name| name != BUCKET);
            let at = *known.entry(key).or_insert_with_key(|key| {
                let meta = Meta { labels: key.clone(), drop_name: true };
                classic.push(Classic { meta, buckets: Vec::new() });
                classic.len() - 1
            });
            classic[at].buckets.push((bound, row));
        }
        for histogram in &mut classic {
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let native = rows.into_iter().map(|row| (row, known.get(&input.rows[row].labels).copied())).collect();
        Self { input, classic, native, grid, span }
    }

    /// The steps at which a classic histogram is cancelled out.
    fn conflicts(&self, classic: usize, step: usize) -> bool {
        self.native.iter().any(|(row, other)| *other == Some(classic) && self.input.histogram(*row, step).is_some())
    }

    fn measure(
        &self,
        measure: &dyn Fn(usize) -> Measure,
        label: Option<&str>,
        builder: &mut TileBuilder,
        notes: &mut Annotations,
    ) -> Result<(), EvalError> {
        let mut put = |labels: &Labels, measure: Measure, step: usize, value: f64| {
            let labels = match (label, measure) {
                (Some(label), Measure::Quantile(q)) => labels::with(labels, label, &open_metrics_number(q)),
                _ => labels.clone(),
            };
            let row = builder.row(&Meta { labels, drop_name: true });
            builder.set(row, step, Cell::Float(value))
        };
        for (row, classic) in &self.native {
            let labels = &self.input.rows[*row].labels;
            for step in 0..self.grid.steps {
                let Some(histogram) = self.input.histogram(*row, step) else { continue };
                if classic.is_some_and(|at| !self.classic[at].at(self.input, step).is_empty()) {
                    notes.classic_and_native(self.span, labels);
                    continue;
                }
                let measure = measure(step);
                let value = match measure {
                    Measure::Quantile(q) => native::quantile(q, histogram, labels, self.span, notes),
                    Measure::Fraction(lower, upper) => {
                        native::fraction((lower, upper), histogram, labels, self.span, notes)
                    }
                };
                put(labels, measure, step, value)?;
            }
        }
        for (at, classic) in self.classic.iter().enumerate() {
            for step in (0..self.grid.steps).filter(|step| !self.conflicts(at, *step)) {
                let mut buckets = classic.at(self.input, step);
                if buckets.is_empty() {
                    continue;
                }
                let measure = measure(step);
                let value = match measure {
                    Measure::Fraction(lower, upper) => bucket_fraction(lower, upper, buckets),
                    Measure::Quantile(q) => {
                        let mut repairs = None;
                        let value = bucket_quantile(q, &mut buckets, self.grid.time(step), &mut repairs);
                        if let Some(repairs) = repairs {
                            notes.repaired(self.span, &classic.meta.labels, repairs);
                        }
                        value
                    }
                };
                put(&classic.meta.labels, measure, step, value)?;
            }
        }
        Ok(())
    }
}

/// A number as a label of OpenMetrics: whole ones end in `.0`.
fn open_metrics_number(value: f64) -> String {
    let text = format_number(value);
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') { format!("{text}.0") } else { text }
}

impl Classic {
    /// The buckets that have a value at a step.
    fn at(&self, input: &Tile, step: usize) -> Vec<Bucket> {
        let buckets = self.buckets.iter().map(|(bound, row)| (*bound, input.at(*row, step)));
        buckets.filter(|(_, count)| is_float(*count)).collect()
    }
}

/// Adds up buckets with the same bound.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
}

fn almost_equal(a: f64, b: f64) -> bool {
    if a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    let diff = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        diff < TOLERANCE * f64::MIN_POSITIVE
    } else {
        diff / sum.min(f64::MAX) < TOLERANCE
    }
}

/// Makes counts rise: small falls are rounding, large ones are noted.
fn make_monotonic(buckets: &mut [Bucket], time_ms: i64, repairs: &mut Option<Repairs>) {
    let mut before = buckets[0].1;
    let mut repaired = false;
    for (bound, count) in buckets.iter_mut().skip(1) {
        if *count == before {
            continue;
        }
        if almost_equal(before, *count) {
            *count = before;
            continue;
        }
        if *count < before {
            let repairs = repairs.get_or_insert(Repairs {
                from_ms: time_ms,
                to_ms: time_ms,
                count: 0,
                min_bucket: f64::INFINITY,
                max_bucket: f64::NEG_INFINITY,
                max_diff: 0.0,
            });
            repairs.min_bucket = repairs.min_bucket.min(*bound);
            repairs.max_bucket = repairs.max_bucket.max(*bound);
            repairs.max_diff = repairs.max_diff.max(before - *count);
            repairs.to_ms = time_ms;
            repaired = true;
            *count = before;
            continue;
        }
        before = *count;
    }
    if let (true, Some(repairs)) = (repaired, repairs) {
        repairs.count += 1;
    }
}

fn bucket_quantile(q: f64, buckets: &mut Vec<Bucket>, time_ms: i64, repairs: &mut Option<Repairs>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
        return f64::NAN;
    }
    coalesce(buckets);
    make_monotonic(buckets, time_ms, repairs);
    let last = buckets.len() - 1;
    let observations = buckets[last].1;
    if last == 0 || observations == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * observations;
    // NaN counts make every comparison false, and the search end at the last bucket.
    let at = buckets[..last].iter().position(|(_, count)| *count >= rank).unwrap_or(last);
    if at == last {
        return buckets[last - 1].0;
    }
    if at == 0 && buckets[0].0 <= 0.0 {
        return buckets[0].0;
    }
    let (end, mut count) = buckets[at];
    let mut start = 0.0;
    if at > 0 {
        start = buckets[at - 1].0;
        count -= buckets[at - 1].1;
        rank -= buckets[at - 1].1;
    }
    start + (end - start) * (rank / count)
}

fn bucket_fraction(lower: f64, upper: f64, mut buckets: Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
        return f64::NAN;
    }
    coalesce(&mut buckets);
    let count = buckets[buckets.len() - 1].1;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, &buckets).min(count) - rank_of(lower, &buckets).min(count)) / count
}

/// How many observations lie below a value, interpolated inside of its bucket.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let mut rank = 0.0;
    // A first bucket with a positive bound is taken to start at zero.
    let mut start = if buckets[0].0 <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    for (end, count) in buckets {
        if start >= value {
            return rank;
        }
        if start < value && *end > value {
            if start == f64::NEG_INFINITY {
                return *count;
            }
            return rank + (count - rank) * (value - start) / (end - start);
        }
        rank = *count;
        start = *end;
    }
    f64::INFINITY
}
