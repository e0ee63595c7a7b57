//! Results.

use std::sync::Arc;

use model::{FloatHistogram, Labels, Sample};
use serde_json::{Value as Json, json};

use crate::annotation::Annotations;
use crate::stats::EvalStats;

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSample {
    /// Its labels.
    pub labels: Labels,
    /// The time of evaluation, milliseconds.
    pub time_ms: i64,
    /// Its value; not a number if it is a histogram.
    pub value: f64,
    /// Its value if it is a histogram.
    pub histogram: Option<Arc<FloatHistogram>>,
}

/// A histogram at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSample {
    /// Milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// The histogram.
    pub histogram: Arc<FloatHistogram>,
}

/// One series of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSeries {
    /// Its labels.
    pub labels: Labels,
    /// Its numbers in time order.
    pub samples: Vec<Sample>,
    /// Its histograms in time order.
    pub histograms: Vec<HistogramSample>,
}

/// What a query yields.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// A number.
    Scalar(Sample),
    /// A text.
    String {
        /// The time of evaluation, milliseconds.
        time_ms: i64,
        /// The text.
        value: String,
    },
    /// An instant vector; in the order that `sort` made, else by labels.
    Vector(Vec<VectorSample>),
    /// A matrix, sorted by labels: the result of range queries, and of instant queries for a range vector.
    Matrix(Vec<MatrixSeries>),
}

/// A finished evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The result.
    pub value: QueryValue,
    /// Warnings and infos.
    pub annotations: Annotations,
    /// Samples that were read.
    pub samples: usize,
    /// What else was counted.
    pub stats: EvalStats,
}

impl QueryValue {
    /// The word of the Prometheus API: scalar, string, vector, matrix.
    pub fn result_type(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            Self::String { .. } => "string",
            Self::Vector(_) => "vector",
            Self::Matrix(_) => "matrix",
        }
    }

    /// The `data` of the Prometheus API: `{"resultType": ..., "result": ...}`.
    pub fn to_json(&self) -> Json {
        let mut text = String::new();
        self.write_json(&mut text);
        serde_json::from_str(&text).unwrap_or(Json::Null)
    }

    /// About as many bytes as the text will have: long answers are not to be moved while they are written.
    fn json_bytes(&self) -> usize {
        match self {
            Self::Scalar(_) | Self::String { .. } => SERIES_BYTES,
            Self::Vector(samples) => samples.len() * (SERIES_BYTES + POINT_BYTES),
            Self::Matrix(series) => series.iter().map(|series| SERIES_BYTES + series.samples.len() * POINT_BYTES).sum(),
        }
    }

    /// The same as a text behind another. A dashboard's answer is mostly numbers: each is written once, where it stays.
    pub fn write_json(&self, out: &mut String) {
        out.reserve(self.json_bytes());
        out.push_str("{\"resultType\":\"");
        out.push_str(self.result_type());
        out.push_str("\",\"result\":");
        match self {
            Self::Scalar(sample) => put_point(out, sample.time_ms, sample.value),
            Self::String { time_ms, value } => {
                out.push('[');
                put_seconds(out, *time_ms);
                out.push(',');
                put_text(out, value);
                out.push(']');
            }
            Self::Vector(samples) => put_list(out, samples, put_vector_sample),
            Self::Matrix(series) => put_list(out, series, put_matrix_series),
        }
        out.push('}');
    }
}

/// Bytes that a number and its time mostly take as JSON, and a series with its labels.
const POINT_BYTES: usize = 34;
const SERIES_BYTES: usize = 256;

fn put_list<T>(out: &mut String, items: &[T], put: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put(out, item);
    }
    out.push(']');
}

fn put_text(out: &mut String, text: &str) {
    // A text is always written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

fn put_point(out: &mut String, time_ms: i64, value: f64) {
    out.push('[');
    put_seconds(out, time_ms);
    out.push_str(",\"");
    put_number(out, value);
    out.push_str("\"]");
}

fn put_histogram_point(out: &mut String, time_ms: i64, histogram: &FloatHistogram) {
    out.push('[');
    put_seconds(out, time_ms);
    out.push(',');
    out.push_str(&histogram_json(histogram).to_string());
    out.push(']');
}

fn put_vector_sample(out: &mut String, sample: &VectorSample) {
    put_metric(out, &sample.labels);
    match &sample.histogram {
        Some(histogram) => {
            out.push_str(",\"histogram\":");
            put_histogram_point(out, sample.time_ms, histogram);
        }
        None => {
            out.push_str(",\"value\":");
            put_point(out, sample.time_ms, sample.value);
        }
    }
    out.push('}');
}

/// `values` and `histograms` only if there are some.
fn put_matrix_series(out: &mut String, series: &MatrixSeries) {
    put_metric(out, &series.labels);
    if !series.samples.is_empty() || series.histograms.is_empty() {
        out.push_str(",\"values\":");
        put_list(out, &series.samples, |out, sample| put_point(out, sample.time_ms, sample.value));
    }
    if !series.histograms.is_empty() {
        out.push_str(",\"histograms\":");
        put_list(out, &series.histograms, |out, sample| put_histogram_point(out, sample.time_ms, &sample.histogram));
    }
    out.push('}');
}

/// An object that begins with `metric` and is still open.
fn put_metric(out: &mut String, labels: &Labels) {
    out.push_str("{\"metric\":{");
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put_text(out, name);
        out.push(':');
        put_text(out, value);
    }
    out.push('}');
}

/// A time as [`seconds_json`] shows it.
fn put_seconds(out: &mut String, time_ms: i64) {
    let mut digits = itoa::Buffer::new();
    if time_ms % 1000 == 0 {
        out.push_str(digits.format(time_ms / 1000));
    } else {
        out.push_str(&json!(time_ms as f64 / 1000.0).to_string());
    }
}

/// A number as [`format_number`] prints it.
fn put_number(out: &mut String, value: f64) {
    /// Below it every whole number is a double, and doubles print as whole numbers do.
    const WHOLE_MAX: f64 = (1u64 << 53) as f64;
    /// `e-308`
    const EXPONENT_BYTES_MAX: usize = 5;
    if value.fract() == 0.0 && value.abs() < WHOLE_MAX && (value != 0.0 || value.is_sign_positive()) {
        return out.push_str(itoa::Buffer::new().format(value as i64));
    }
    let mut digits = zmij::Buffer::new();
    let size = value.abs();
    if (1e-4..1e15).contains(&size) {
        let text = digits.format_finite(value);
        // In this range it writes no exponent; if it does, which the end would show, the careful way is right too.
        if !text.bytes().rev().take(EXPONENT_BYTES_MAX).any(|byte| byte == b'e') {
            return out.push_str(text.strip_suffix(".0").unwrap_or(text));
        }
    }
    out.push_str(&format_number(value));
}

/// A histogram as the Prometheus API shows it. A bucket is its boundary rule (0: only the upper bound belongs to it, 1: only the
/// lower, 2: neither, 3: both), its bounds and its count, all but the rule as texts; empty buckets are left out.
pub fn histogram_json(histogram: &FloatHistogram) -> Json {
    let mut out = json!({"count": format_number(histogram.count), "sum": format_number(histogram.sum)});
    let buckets: Vec<Json> = histogram
        .all_buckets()
        .iter()
        .filter(|bucket| bucket.count != 0.0)
        .map(|bucket| {
            let rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            };
            json!([rule, format_number(bucket.lower), format_number(bucket.upper), format_number(bucket.count)])
        })
        .collect();
    if !buckets.is_empty() {
        out["buckets"] = buckets.into();
    }
    out
}

/// A time as the Prometheus API shows it: seconds, whole where the milliseconds are.
pub fn seconds_json(time_ms: i64) -> Json {
    if time_ms % 1000 == 0 { json!(time_ms / 1000) } else { json!(time_ms as f64 / 1000.0) }
}

/// A number as Prometheus prints it: shortest form that reads back, `+Inf`, `-Inf`, `NaN`, exponents only for tiny and huge.
pub fn format_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_prometheus_does() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (-0.5, "-0.5"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
            (123456789.25, "123456789.25"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, want) in cases {
            assert_eq!(format_number(value), want);
        }
    }

    proptest::proptest! {
        #[test]
        fn numbers_are_written_as_they_are_printed(bits: u64, small in -3000i64..3000, scale in 0i32..9, time in -1_000_000i64..2_000_000_000_000) {
            for value in [f64::from_bits(bits), small as f64, small as f64 / 10f64.powi(scale), small as f64 * 1e18, -0.0] {
                let mut out = String::new();
                put_number(&mut out, value);
                proptest::prop_assert_eq!(out, format_number(value));
            }
            let mut out = String::new();
            put_seconds(&mut out, time);
            proptest::prop_assert_eq!(out, seconds_json(time).to_string());
        }
    }
}
