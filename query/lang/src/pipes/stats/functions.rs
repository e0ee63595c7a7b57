//! The functions of `stats` and `timechart`: the one table that the grammar, completion, help and the documentation read.

use std::ops::RangeInclusive;

use crate::{Function, HISTOGRAM_BUCKETS_DEFAULT};

/// A function of `stats`.
pub(crate) struct AggregateSpec {
    /// Its names; the first one is canonical.
    pub(crate) names: &'static [&'static str],
    /// How it is written.
    pub(crate) syntax: &'static str,
    /// What it computes.
    pub(crate) doc: &'static str,
    /// A query that can be run.
    pub(crate) example: &'static str,
    /// The function, with its number where it has one: what is read replaces it.
    pub(crate) function: Function,
    /// How many fields it takes, a number aside.
    pub(crate) fields: RangeInclusive<usize>,
}

const ANY_NUMBER: usize = usize::MAX;

/// Every function, in the order of help.
pub(crate) const AGGREGATES: [AggregateSpec; 22] = [
    AggregateSpec {
        names: &["count"],
        syntax: "count() | count(a, b)",
        doc: "Rows; with fields, rows in which one of them is not empty.",
        example: "* | stats count() as n, count() if (severity:ERROR) as errors",
        function: Function::Count,
        fields: 0..=ANY_NUMBER,
    },
    AggregateSpec {
        names: &["count_empty"],
        syntax: "count_empty(a, b)",
        doc: "Rows in which all of the fields are empty or missing.",
        example: "* | stats by (service.name) count_empty(trace_id) as untraced",
        function: Function::CountEmpty,
        fields: 1..=ANY_NUMBER,
    },
    AggregateSpec {
        names: &["count_distinct", "count_uniq", "distinct", "dc"],
        syntax: "count_distinct(a, b)",
        doc: "Different combinations of values, exactly; the one of empty values alone does not count.",
        example: "* | stats count_distinct(user.id) as users",
        function: Function::CountDistinct,
        fields: 1..=ANY_NUMBER,
    },
    AggregateSpec {
        names: &["count_distinct_estimate", "count_uniq_hash", "approx_count_distinct"],
        syntax: "count_distinct_estimate(a, b)",
        doc: "The same, estimated by a sketch of fixed size (HyperLogLog): for millions of values.",
        example: "* | stats by (service.name) count_distinct_estimate(trace_id) as traces",
        function: Function::CountDistinctEstimate,
        fields: 1..=ANY_NUMBER,
    },
    AggregateSpec {
        names: &["sum"],
        syntax: "sum(a)",
        doc: "Sum of the numbers.",
        example: "duration_ms:* | stats by (service.name) sum(duration_ms) as total",
        function: Function::Sum,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["sum_len"],
        syntax: "sum_len(a, b)",
        doc: "Sum of the lengths of the texts, in bytes: who writes how much.",
        example: "* | stats by (service.name) sum_len(body) as bytes | sort by (bytes desc)",
        function: Function::SumLen,
        fields: 1..=ANY_NUMBER,
    },
    AggregateSpec {
        names: &["avg", "mean"],
        syntax: "avg(a)",
        doc: "Mean of the numbers.",
        example: "duration_ms:* | stats avg(duration_ms) as mean",
        function: Function::Avg,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["min"],
        syntax: "min(a)",
        doc: "The smallest value: of numbers as numbers, else of texts.",
        example: "* | stats by (service.name) min(_time) as first_seen",
        function: Function::Min,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["max"],
        syntax: "max(a)",
        doc: "The largest value, likewise.",
        example: "duration_ms:* | stats by (service.name) max(duration_ms) as slowest",
        function: Function::Max,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["quantile"],
        syntax: "quantile(0.99, a)",
        doc: "The value below which this share of the numbers lies, from 0 to 1.",
        example: "duration_ms:* | stats by (service.name) quantile(0.99, duration_ms) as p99",
        function: Function::Quantile(f64::NAN),
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["median"],
        syntax: "median(a)",
        doc: "Half of the numbers lie below: `quantile(0.5, a)`.",
        example: "duration_ms:* | stats median(duration_ms) as p50",
        function: Function::Median,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["stddev"],
        syntax: "stddev(a)",
        doc: "Standard deviation of the numbers, as of a whole population.",
        example: "duration_ms:* | stats stddev(duration_ms) as spread",
        function: Function::Stddev,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["histogram"],
        syntax: "histogram(a[, buckets])",
        doc: "How the numbers are distributed: a JSON array of `{\"from\", \"to\", \"count\"}`, with exponential bounds as in \
              OpenTelemetry, as fine as fits into so many buckets, 20 unless said.",
        example: "duration_ms:* | stats by (service.name) histogram(duration_ms, 10) as spread",
        function: Function::Histogram(HISTOGRAM_BUCKETS_DEFAULT),
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["rate"],
        syntax: "rate()",
        doc: "Rows a second: of the bucket when grouped by time, else of the query's time range.",
        example: "* | stats by (_time:1m) rate() as lines_per_second",
        function: Function::Rate,
        fields: 0..=0,
    },
    AggregateSpec {
        names: &["rate_sum"],
        syntax: "rate_sum(a)",
        doc: "Sum of the numbers a second, likewise.",
        example: "duration_ms:* | stats by (_time:1m) rate_sum(duration_ms) as load",
        function: Function::RateSum,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["first"],
        syntax: "first(a)",
        doc: "The value of the oldest row that has the field.",
        example: "* | stats by (service.name) first(service.version) as was",
        function: Function::First,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["last"],
        syntax: "last(a)",
        doc: "The value of the newest row that has the field.",
        example: "* | stats by (service.name) last(service.version) as is",
        function: Function::Last,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["values", "uniq_values"],
        syntax: "values(a)",
        doc: "The different values that are not empty, in order, as a JSON array.",
        example: "error | stats by (service.name) values(host.name) as hosts",
        function: Function::Values,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["any"],
        syntax: "any(a)",
        doc: "Some value that is not empty.",
        example: "error | stats by (service.name) count() as n, any(body) as example",
        function: Function::Any,
        fields: 1..=1,
    },
    AggregateSpec {
        names: &["row_any"],
        syntax: "row_any(a, b)",
        doc: "Some row as a JSON object of these fields, of all without fields.",
        example: "error | stats by (service.name) count() as n, row_any(_time, body) as example",
        function: Function::RowAny,
        fields: 0..=ANY_NUMBER,
    },
    AggregateSpec {
        names: &["row_min"],
        syntax: "row_min(a, b, c)",
        doc: "The row with the smallest value of the first field, as a JSON object of the other ones, of all without.",
        example: "* | stats by (service.name) row_min(_time, body, host.name) as oldest",
        function: Function::RowMin,
        fields: 1..=ANY_NUMBER,
    },
    AggregateSpec {
        names: &["row_max"],
        syntax: "row_max(a, b, c)",
        doc: "The row with the largest value of the first field, likewise.",
        example: "duration_ms:* | stats by (service.name) row_max(duration_ms, trace_id, body) as slowest",
        function: Function::RowMax,
        fields: 1..=ANY_NUMBER,
    },
];

/// The function of a name, in any case.
pub(crate) fn find(name: &str) -> Option<&'static AggregateSpec> {
    const { &AGGREGATES }.iter().find(|spec| spec.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// The canonical names.
pub(crate) fn names() -> Vec<&'static str> {
    AGGREGATES.iter().map(|spec| spec.names[0]).collect()
}
