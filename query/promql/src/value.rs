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
        let result = match self {
            Self::Scalar(sample) => point(sample.time_ms, sample.value),
            Self::String { time_ms, value } => json!([seconds_json(*time_ms), value]),
            Self::Vector(samples) => samples.iter().map(vector_json).collect(),
            Self::Matrix(series) => series.iter().map(matrix_json).collect(),
        };
        json!({"resultType": self.result_type(), "result": result})
    }
}

fn point(time_ms: i64, value: f64) -> Json {
    json!([seconds_json(time_ms), format_number(value)])
}

fn histogram_point(time_ms: i64, histogram: &FloatHistogram) -> Json {
    json!([seconds_json(time_ms), histogram_json(histogram)])
}

fn vector_json(sample: &VectorSample) -> Json {
    let metric = metric(&sample.labels);
    match &sample.histogram {
        Some(histogram) => json!({"metric": metric, "histogram": histogram_point(sample.time_ms, histogram)}),
        None => json!({"metric": metric, "value": point(sample.time_ms, sample.value)}),
    }
}

/// `values` and `histograms` only if there are some.
fn matrix_json(series: &MatrixSeries) -> Json {
    let mut out = json!({"metric": metric(&series.labels)});
    if !series.samples.is_empty() || series.histograms.is_empty() {
        out["values"] = series.samples.iter().map(|sample| point(sample.time_ms, sample.value)).collect();
    }
    if !series.histograms.is_empty() {
        let points = series.histograms.iter().map(|sample| histogram_point(sample.time_ms, &sample.histogram));
        out["histograms"] = points.collect();
    }
    out
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

fn metric(labels: &Labels) -> Json {
    Json::Object(labels.iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
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
}
