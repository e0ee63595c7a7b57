//! Quantiles and fractions of classic histograms: buckets are series with a label `le`.

use std::collections::HashMap;

use model::{Labels, Timestamp};

use crate::ast::{Call, Expr, Span};
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::labels;
use crate::tile::{ABSENT, Grid, Meta, Tile, TileBuilder, is_absent};
use crate::value::format_number;

const BUCKET: &str = "le";
/// Counts closer than this, relatively, count as equal: rates of equal counters differ by rounding.
const TOLERANCE: f64 = 1e-12;

/// Upper bound and cumulative count.
type Bucket = (f64, f64);

/// The rows of one histogram.
struct Histogram {
    meta: Meta,
    /// Upper bound and row.
    buckets: Vec<(f64, usize)>,
}

/// Repairs that were needed because counts fell from one bucket to the next.
struct Repairs {
    from_ms: i64,
    to_ms: i64,
    count: usize,
    min_bucket: f64,
    max_bucket: f64,
    max_diff: f64,
}

impl Evaluator<'_> {
    /// `histogram_quantile`, `histogram_quantiles`, `histogram_fraction`.
    pub(crate) fn classic_histogram(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
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
        let histograms = self.group_buckets(&input, vector.span());
        if name == "histogram_fraction" {
            return Ok(fractions(&histograms, &input, &scalars[0].0, &scalars[1].0));
        }
        let label = match call.args.get(1).map(Expr::unparen) {
            Some(Expr::String(label, _)) if name == "histogram_quantiles" => Some(label.as_str()),
            _ => None,
        };
        self.quantiles(&histograms, (&input, grid), &scalars, label, vector.span())
    }

    fn group_buckets(&mut self, input: &Tile, span: Span) -> Vec<Histogram> {
        let mut histograms: Vec<Histogram> = Vec::new();
        let mut known: HashMap<Labels, usize> = HashMap::new();
        for (row, meta) in input.rows.iter().enumerate() {
            let text = meta.labels.get(BUCKET).unwrap_or("");
            let Some(bound) = parse_bound(text) else {
                self.warn_bad_bucket(&meta.labels, text, span);
                continue;
            };
            let key = labels::keep(&meta.labels, |name| name != BUCKET);
            let at = *known.entry(key).or_insert_with_key(|key| {
                let meta = Meta { labels: key.clone(), drop_name: true };
                histograms.push(Histogram { meta, buckets: Vec::new() });
                histograms.len() - 1
            });
            histograms[at].buckets.push((bound, row));
        }
        for histogram in &mut histograms {
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        histograms
    }

    fn warn_bad_bucket(&mut self, labels: &Labels, text: &str, span: Span) {
        let mut message = format!("bucket label \"le\" is missing or has a malformed value of {text:?}");
        if !labels.metric_name().is_empty() {
            message.push_str(&format!(" for metric name {:?}", labels.metric_name()));
        }
        self.annotations.warn(span, message);
    }

    fn quantiles(
        &mut self,
        histograms: &[Histogram],
        (input, grid): (&Tile, Grid),
        scalars: &[(Vec<f64>, Span)],
        label: Option<&str>,
        span: Span,
    ) -> Result<Tile, EvalError> {
        let mut builder = TileBuilder::new(input.steps);
        for (qs, q_span) in scalars {
            for q in qs.iter().filter(|q| q.is_nan() || **q < 0.0 || **q > 1.0) {
                self.warn_quantile(*q, *q_span);
            }
            for histogram in histograms {
                let mut repairs = None;
                for (step, q) in qs.iter().enumerate() {
                    let mut buckets = histogram.at(input, step);
                    if buckets.is_empty() {
                        continue;
                    }
                    let value = bucket_quantile(*q, &mut buckets, grid.time(step), &mut repairs);
                    let mut meta = histogram.meta.clone();
                    if let Some(label) = label {
                        meta.labels = labels::with(&meta.labels, label, &open_metrics_number(*q));
                    }
                    let row = builder.row(&meta);
                    builder.set(row, step, value)?;
                }
                if let Some(repairs) = repairs {
                    self.note_repairs(&histogram.meta.labels, &repairs, span);
                }
            }
        }
        Ok(builder.finish())
    }

    fn note_repairs(&mut self, labels: &Labels, repairs: &Repairs, span: Span) {
        const URL: &str = "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile";
        let mut message = format!("input to histogram_quantile needed to be fixed for monotonicity (see {URL})");
        if !labels.metric_name().is_empty() {
            message.push_str(&format!(" for metric name {:?}", labels.metric_name()));
        }
        let time = |ms: i64| Timestamp::from_secs(ms.div_euclid(1000)).to_string();
        let (min, max, diff) = (repairs.min_bucket, repairs.max_bucket, repairs.max_diff);
        message.push_str(&format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            format_number(min),
            format_number(max),
            two_digits(diff),
            repairs.count,
            time(repairs.from_ms),
            time(repairs.to_ms)
        ));
        self.annotations.info(span, message);
    }
}

/// Go's `%.2g`.
fn two_digits(value: f64) -> String {
    let rounded: f64 = format!("{value:.1e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if size != 0.0 && !(1e-4..100.0).contains(&size) {
        let text = format!("{rounded:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{rounded}")
}

/// A number as a label of OpenMetrics: whole ones end in `.0`.
fn open_metrics_number(value: f64) -> String {
    let text = format_number(value);
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') { format!("{text}.0") } else { text }
}

fn parse_bound(text: &str) -> Option<f64> {
    if text.is_empty() { None } else { crate::parser::parse_bound(text) }
}

impl Histogram {
    /// The buckets that have a value at a step.
    fn at(&self, input: &Tile, step: usize) -> Vec<Bucket> {
        let buckets = self.buckets.iter().map(|(bound, row)| (*bound, input.at(*row, step)));
        buckets.filter(|(_, count)| !is_absent(*count)).collect()
    }
}

fn fractions(histograms: &[Histogram], input: &Tile, lower: &[f64], upper: &[f64]) -> Tile {
    let mut tile = Tile::new(input.steps);
    for histogram in histograms {
        let at = |step: usize| {
            let buckets = histogram.at(input, step);
            if buckets.is_empty() { ABSENT } else { bucket_fraction(lower[step], upper[step], buckets) }
        };
        let values: Vec<f64> = (0..input.steps).map(at).collect();
        tile.push(histogram.meta.clone(), &values);
    }
    tile
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
