//! The messages of `io.prometheus.client`, as far as they are read.

/// `Metric`: one label set of a family.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::exposition) struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::exposition) label: Vec<Label>,
    #[prost(message, optional, tag = "2")]
    pub(in crate::exposition) gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    pub(in crate::exposition) counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    pub(in crate::exposition) summary: Option<Summary>,
    #[prost(message, optional, tag = "5")]
    pub(in crate::exposition) untyped: Option<Number>,
    #[prost(message, optional, boxed, tag = "7")]
    pub(in crate::exposition) histogram: Option<Box<Histogram>>,
    #[prost(int64, tag = "6")]
    pub(in crate::exposition) timestamp_ms: i64,
}

/// `LabelPair`.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::exposition) struct Label {
    #[prost(string, tag = "1")]
    pub(in crate::exposition) name: String,
    #[prost(string, tag = "2")]
    pub(in crate::exposition) value: String,
}

/// `Gauge` and `Untyped`.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::exposition) struct Number {
    #[prost(double, tag = "1")]
    pub(in crate::exposition) value: f64,
}

/// `Counter`.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::exposition) struct Counter {
    #[prost(double, tag = "1")]
    pub(in crate::exposition) value: f64,
    #[prost(message, optional, tag = "2")]
    pub(in crate::exposition) exemplar: Option<Exemplar>,
    #[prost(message, optional, tag = "3")]
    pub(in crate::exposition) created_timestamp: Option<Stamp>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(in crate::exposition) struct Stamp {
    #[prost(int64, tag = "1")]
    pub(in crate::exposition) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(in crate::exposition) nanos: i32,
}

/// `Summary`.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::exposition) struct Summary {
    #[prost(uint64, tag = "1")]
    pub(in crate::exposition) sample_count: u64,
    #[prost(double, tag = "2")]
    pub(in crate::exposition) sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    pub(in crate::exposition) quantile: Vec<Quantile>,
    #[prost(message, optional, tag = "4")]
    pub(in crate::exposition) created_timestamp: Option<Stamp>,
}

/// `Quantile`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(in crate::exposition) struct Quantile {
    #[prost(double, tag = "1")]
    pub(in crate::exposition) quantile: f64,
    #[prost(double, tag = "2")]
    pub(in crate::exposition) value: f64,
}

/// `Histogram`, classic and native.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::exposition) struct Histogram {
    #[prost(uint64, tag = "1")]
    pub(in crate::exposition) sample_count: u64,
    #[prost(double, tag = "4")]
    pub(in crate::exposition) sample_count_float: f64,
    #[prost(double, tag = "2")]
    pub(in crate::exposition) sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    pub(in crate::exposition) bucket: Vec<Bucket>,
    #[prost(message, optional, tag = "15")]
    pub(in crate::exposition) created_timestamp: Option<Stamp>,
    #[prost(sint32, tag = "5")]
    pub(in crate::exposition) schema: i32,
    #[prost(double, tag = "6")]
    pub(in crate::exposition) zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    pub(in crate::exposition) zero_count: u64,
    #[prost(double, tag = "8")]
    pub(in crate::exposition) zero_count_float: f64,
    #[prost(message, repeated, tag = "9")]
    pub(in crate::exposition) negative_span: Vec<Span>,
    #[prost(sint64, repeated, tag = "10")]
    pub(in crate::exposition) negative_delta: Vec<i64>,
    #[prost(double, repeated, tag = "11")]
    pub(in crate::exposition) negative_count: Vec<f64>,
    #[prost(message, repeated, tag = "12")]
    pub(in crate::exposition) positive_span: Vec<Span>,
    #[prost(sint64, repeated, tag = "13")]
    pub(in crate::exposition) positive_delta: Vec<i64>,
    #[prost(double, repeated, tag = "14")]
    pub(in crate::exposition) positive_count: Vec<f64>,
    #[prost(message, repeated, tag = "16")]
    pub(in crate::exposition) exemplars: Vec<Exemplar>,
}

/// `Bucket` of a classic histogram.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::exposition) struct Bucket {
    #[prost(uint64, tag = "1")]
    pub(in crate::exposition) cumulative_count: u64,
    #[prost(double, tag = "4")]
    pub(in crate::exposition) cumulative_count_float: f64,
    #[prost(double, tag = "2")]
    pub(in crate::exposition) upper_bound: f64,
    #[prost(message, optional, tag = "3")]
    pub(in crate::exposition) exemplar: Option<Exemplar>,
}

/// `BucketSpan`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(in crate::exposition) struct Span {
    #[prost(sint32, tag = "1")]
    pub(in crate::exposition) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(in crate::exposition) length: u32,
}

/// `Exemplar`.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::exposition) struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::exposition) label: Vec<Label>,
    #[prost(double, tag = "2")]
    pub(in crate::exposition) value: f64,
    #[prost(message, optional, tag = "3")]
    pub(in crate::exposition) timestamp: Option<Stamp>,
}
