//! Groups of rows and what is computed of them.

use super::Filter;

/// The pipe `stats`. One row for each combination of the keys' values; without keys exactly one row, even of no input.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// What rows are grouped by; empty for one group.
    pub by: Vec<Group>,
    /// What is computed for each group; not empty.
    pub aggregates: Vec<Aggregate>,
}

/// A key that rows are grouped by. The result has it as a column named as the field.
#[derive(Clone, Debug, PartialEq)]
pub enum Group {
    /// The text of a field; missing counts as empty.
    Field(String),
    /// `_time:1h`, `_time:auto`, `bytes:100`: the start of the bucket that the value falls in.
    Bucket {
        /// The field.
        field: String,
        /// The buckets.
        bucket: Bucket,
    },
}

impl Group {
    /// The field that it reads, and the column that it makes.
    pub fn field(&self) -> &str {
        match self {
            Self::Field(field) | Self::Bucket { field, .. } => field,
        }
    }
}

/// Buckets of equal width. A value becomes the start of the bucket that holds it; the start is in the bucket, the end is
/// not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bucket {
    /// `5m`, `1d offset 2h`: buckets of time, of a field that is a time. They start at multiples of the step since the
    /// Unix epoch, shifted by the offset: with `1d offset 2h` at 02:00 UTC.
    Time {
        /// Width in nanoseconds, above zero.
        step_ns: i64,
        /// Shift in nanoseconds, from zero to below the step.
        offset_ns: i64,
    },
    /// `auto`: as [`Bucket::Time`] without an offset, where the planner chooses the step: the smallest of
    /// [`Bucket::LADDER_NS`] that cuts the query's time range, as far as there is data, into at most
    /// [`Bucket::AUTO_BUCKETS_MAX`] buckets.
    AutoTime,
    /// `100`: buckets of numbers, which start at multiples of the width: `-0.5` is in the bucket `-100`. A value that is
    /// not a number is in no bucket: as a key of a group it counts as empty, `bin` makes it missing.
    Number {
        /// Width, finite and above zero.
        width: f64,
    },
}

impl Bucket {
    /// Most buckets that `auto` makes.
    pub const AUTO_BUCKETS_MAX: i64 = 120;

    /// The steps that `auto` chooses from: 1, 2, 5 of a unit and what divides hours and days evenly.
    pub const LADDER_NS: [i64; 27] = {
        const MS: i64 = 1_000_000;
        const S: i64 = 1_000 * MS;
        const M: i64 = 60 * S;
        const H: i64 = 60 * M;
        const D: i64 = 24 * H;
        [
            MS,
            5 * MS,
            10 * MS,
            50 * MS,
            100 * MS,
            500 * MS,
            S,
            2 * S,
            5 * S,
            10 * S,
            15 * S,
            30 * S,
            M,
            2 * M,
            5 * M,
            10 * M,
            15 * M,
            30 * M,
            H,
            2 * H,
            3 * H,
            6 * H,
            12 * H,
            D,
            7 * D,
            30 * D,
            365 * D,
        ]
    };

    /// The step that `auto` stands for in a time range of this length. A range longer than the ladder reaches has more
    /// buckets.
    pub fn auto_step_ns(range_ns: i64) -> i64 {
        let fits = |step: &&i64| range_ns / **step < Self::AUTO_BUCKETS_MAX;
        *Self::LADDER_NS.iter().find(fits).unwrap_or(&Self::LADDER_NS[Self::LADDER_NS.len() - 1])
    }
}

/// One value computed for each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// Of which fields; how many, the function says.
    pub fields: Vec<String>,
    /// `if (filter)`: only of rows that match.
    pub filter: Option<Filter>,
    /// The column that holds it. Without `as`, the call as written in canonical form: `count(*)`, `quantile(0.5, x)`,
    /// `count(*) if (error)`, as VictoriaLogs names it.
    pub name: String,
}

/// What an aggregate computes. Of one field where nothing else is said. A value counts as a number when its text is one;
/// functions of numbers pass over other values, and are missing when there is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// Rows; with fields, any number of them, rows in which one of them is not empty.
    Count,
    /// With fields, one or more: rows in which all of them are empty.
    CountEmpty,
    /// Different values of the fields together, one or more, the combination of empty ones not counted. Exact.
    CountDistinct,
    /// The same, estimated by a sketch of fixed size (HyperLogLog).
    CountDistinctEstimate,
    /// Sum of the numbers.
    Sum,
    /// Sum of the lengths of the fields' texts in bytes, one field or more. Zero without rows.
    SumLen,
    /// Mean of the numbers.
    Avg,
    /// Smallest value: of numbers as numbers, else of texts.
    Min,
    /// Largest value, likewise.
    Max,
    /// The value below which this share of the numbers lies, from 0 to 1.
    Quantile(f64),
    /// Half of the numbers lie below.
    Median,
    /// Standard deviation of the population of numbers.
    Stddev,
    /// Rows a second, of no field: of the bucket when grouped by time, else of the query's time range.
    Rate,
    /// Sum of the numbers a second, likewise.
    RateSum,
    /// Value of the oldest row that has the field.
    First,
    /// Value of the newest row that has the field.
    Last,
    /// Different values that are not empty, in order, as a JSON array of texts.
    Values,
    /// Some value that is not empty.
    Any,
    /// How the numbers are distributed, as a JSON array of `{"from": a, "to": b, "count": n}` in ascending order, for the
    /// numbers in (a, b]. Bounds are those of OpenTelemetry's exponential histograms, 2^(i / 2^s), mirrored below zero, and
    /// `{"from": 0, "to": 0}` for zeros; `s` is the largest whole number up to 20, perhaps below zero, with which they are
    /// at most this many, from 1 to [`crate::limits::HISTOGRAM_BUCKETS_MAX`]; empty ones in between count and are listed.
    /// Without numbers `[]`.
    Histogram(u32),
    /// Some row as a JSON object: of these fields, any number; of all without fields. Empty fields are left out.
    RowAny,
    /// The row, as a JSON object, that has the smallest value of the first field, as `min` orders them; of several the
    /// oldest. The fields after the first, any number, say what the object holds; without them the whole row.
    RowMin,
    /// The row with the largest value, likewise.
    RowMax,
}

/// How many buckets `histogram(f)` makes without a number.
pub const HISTOGRAM_BUCKETS_DEFAULT: u32 = 20;

impl Function {
    /// The name in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::CountEmpty => "count_empty",
            Self::CountDistinct => "count_distinct",
            Self::CountDistinctEstimate => "count_distinct_estimate",
            Self::Sum => "sum",
            Self::SumLen => "sum_len",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Quantile(_) => "quantile",
            Self::Median => "median",
            Self::Stddev => "stddev",
            Self::Rate => "rate",
            Self::RateSum => "rate_sum",
            Self::First => "first",
            Self::Last => "last",
            Self::Values => "values",
            Self::Any => "any",
            Self::Histogram(_) => "histogram",
            Self::RowAny => "row_any",
            Self::RowMin => "row_min",
            Self::RowMax => "row_max",
        }
    }

    /// What the column holds in a bucket of time without rows: 0 for functions that count or add, nothing for others.
    pub fn of_nothing(self) -> Option<f64> {
        match self {
            Self::Count
            | Self::CountEmpty
            | Self::CountDistinct
            | Self::CountDistinctEstimate
            | Self::Sum
            | Self::SumLen
            | Self::Rate
            | Self::RateSum => Some(0.0),
            _ => None,
        }
    }
}

/// The pipe `timechart step by (f) limit n fn(...) as m, ...`: what `stats by (_time:step, f)` answers, for charts. The
/// columns are `_time`, the keys, the aggregates (long form); rows come in order of `_time`, then of the keys.
///
/// Every group has a row for every bucket of the query's time range, as far as there is data: in a bucket without rows,
/// functions that count or add are 0 ([`Function::of_nothing`]), others are missing.
///
/// With keys only the `limit` groups are kept whose sum of the first aggregate over all buckets is largest (where it is no
/// number, those with the most rows); equal ones by the text of their keys. The rows of all other groups are one group
/// more, in which each key is [`Timechart::OTHER`]; its aggregates are computed from those rows. A field that has that text
/// itself falls into the same group.
#[derive(Clone, Debug, PartialEq)]
pub struct Timechart {
    /// Buckets of `_time`: [`Bucket::Time`] or [`Bucket::AutoTime`], which is the default.
    pub bucket: Bucket,
    /// The fields whose values are groups; empty for one group.
    pub by: Vec<String>,
    /// How many groups are kept apart, above zero. Without `by` it means nothing and is the default.
    pub limit: u64,
    /// What is computed; not empty.
    pub aggregates: Vec<Aggregate>,
}

impl Timechart {
    /// How many groups are kept apart when the query does not say.
    pub const LIMIT_DEFAULT: u64 = 10;
    /// The value of each key in the group of all others.
    pub const OTHER: &'static str = "other";
}

/// The pipe `bin f 100 as b`: a column with the start of the bucket that the value falls in. A time stays a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// The field.
    pub field: String,
    /// The buckets.
    pub bucket: Bucket,
    /// The column that holds the start; the field itself unless `as` says another. One of that name is replaced.
    pub to: String,
}

/// The pipe `fill f, g with 0`: rows for the buckets of time that have none.
///
/// It stands after the pipe that made the buckets: `stats` with a bucket of `_time` among its keys, `timechart`, or
/// `from promql(...)`; between them may stand pipes that keep rows as they are (`where`, `sort`, `eval`, `fields`, `drop`,
/// `rename`). For each combination of the other keys that occurs there is then a row for every bucket of the query's time
/// range, as far as there is data, in order of the keys, then of time. In these rows, and where a row of its own lacks
/// the field, each of the fields is filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// The columns that are filled; empty for every column that is no key and holds numbers.
    pub fields: Vec<String>,
    /// What with.
    pub with: FillWith,
}

/// What empty buckets are filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FillWith {
    /// This number.
    Number(f64),
    /// The value of the bucket before, of the same combination of keys; before the first value it stays missing.
    Previous,
    /// A number on the straight line between the values before and after; outside of them it stays missing.
    Linear,
}
