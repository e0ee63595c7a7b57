//! Blocks of metric series: one Parquet file, one row for each series, its samples in lists.
//!
//! | column | type | what it holds |
//! |---|---|---|
//! | `labels` | MAP(VARCHAR, VARCHAR) | the series, `__name__` included; rows ascend by it |
//! | `first_ms`, `last_ms` | BIGINT | times of the first and the last sample |
//! | `samples` | INTEGER | how many samples there are |
//! | `axis` | INTEGER | number of the row (from 0) that has the times: series of one target share them |
//! | `parts` | INTEGER | which of the lists below a reader needs, [`PART_DECIMAL`] and so on |
//! | `times` | BIGINT\[\] | the times, where the row is its own axis; milliseconds since the Unix epoch |
//! | `decimal` | BIGINT\[\] | exponent of ten, base, step; empty where the values are no decimals |
//! | `deltas` | BIGINT\[\] | of the first sample 0, of the others: its mantissa less the one before, less the step |
//! | `exceptions` | BIGINT\[\] | places (from 0) of values that are no decimals in a series that is |
//! | `doubles` | DOUBLE\[\] | the values at those places, or all values of a series that is not decimal |
//! | `starts` | BIGINT\[\] | of each sample: when its counter began; 0 is not known |
//! | `histograms` | BLOB | native histograms, in a form that their owner knows |
//!
//! A file of which some series are downsampled has two columns more, and more rows: behind the row of such a series, one for each
//! aggregate that it has.
//!
//! | column | type | what it holds |
//! |---|---|---|
//! | `resolution_ms` | BIGINT | to which resolution the series is downsampled; 0 is not at all |
//! | `aggregate` | VARCHAR | what the values of the row are, see [`Aggregate`]; `sample` in the first row of a series |
//!
//! A value is `(base + sum(deltas up to it) + step * place) / 10 ^ exponent`, where places count from 0: a whole number below 2^53 as a double, divided by a
//! power of ten that is a double too. So the result is the double that was written, bit for bit. The SQL for it is in
//! `docs/storage-metrics.md`.
//!
//! **Entry points.** [`SeriesWriter`] and [`SeriesFile`]. **Guarantees.** Every page has a checksum, and so have the footer and the
//! index of pages; no page is decoded whose checksum does not hold. Damaged input is an error. **Not here.** How values become
//! decimals and which series share times (`series`).

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef};

mod read;
mod seal;
#[cfg(test)]
mod tests;
mod write;

pub use read::{PartPage, SeriesFile, SeriesHead};
pub use write::SeriesWriter;

/// Bit of `parts`: the values are decimals.
pub const PART_DECIMAL: u32 = 1;
/// Bit of `parts`: there are `doubles`.
pub const PART_DOUBLES: u32 = 2;
/// Bit of `parts`: there are `starts`.
pub const PART_STARTS: u32 = 4;
/// Bit of `parts`: there are `histograms`.
pub const PART_HISTOGRAMS: u32 = 8;

/// What the values of a row are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aggregate {
    /// Samples as they came.
    #[default]
    Sample,
    /// How many samples were left out before each of the row of samples.
    Count,
    /// Their sum.
    Sum,
    /// The smallest of them and of the samples around them.
    Min,
    /// The largest of them and of the samples around them.
    Max,
    /// How often the counter was reset among them.
    Resets,
    /// What the counter lost at these resets.
    Lost,
}

impl Aggregate {
    /// In the order of rows.
    const ALL: [Self; 7] = [Self::Sample, Self::Count, Self::Sum, Self::Min, Self::Max, Self::Resets, Self::Lost];

    fn name(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Resets => "resets",
            Self::Lost => "lost",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// One series as it is written. See the module for what each part means.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeriesRow<'a> {
    /// Names and values, sorted by name.
    pub labels: &'a [(Arc<str>, Arc<str>)],
    /// Time of the first sample.
    pub first_ms: i64,
    /// Time of the last sample.
    pub last_ms: i64,
    /// How many samples there are.
    pub samples: u32,
    /// Row that has the times.
    pub axis: u32,
    /// The times, in the row that is the axis.
    pub times: &'a [i64],
    /// Exponent, base and step, or nothing.
    pub decimal: &'a [i64],
    /// Differences of the mantissas.
    pub deltas: &'a [i64],
    /// Places of what is not decimal.
    pub exceptions: &'a [i64],
    /// What is not decimal.
    pub doubles: &'a [f64],
    /// Starts of counters.
    pub starts: &'a [i64],
    /// Native histograms.
    pub histograms: &'a [u8],
    /// To which resolution the series is downsampled.
    pub resolution_ms: i64,
    /// What the values are.
    pub aggregate: Aggregate,
}

impl SeriesRow<'_> {
    /// The bits of `parts`.
    pub fn parts(&self) -> u32 {
        let bit = |is_there: bool, bit: u32| if is_there { bit } else { 0 };
        bit(!self.decimal.is_empty(), PART_DECIMAL)
            | bit(!self.doubles.is_empty(), PART_DOUBLES)
            | bit(!self.starts.is_empty(), PART_STARTS)
            | bit(!self.histograms.is_empty(), PART_HISTOGRAMS)
    }
}

/// A column of which a reader wants pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// `times`
    Times,
    /// `decimal`
    Decimal,
    /// `deltas`
    Deltas,
    /// `exceptions`
    Exceptions,
    /// `doubles`, by their bits
    Doubles,
    /// `starts`
    Starts,
    /// `histograms`
    Histograms,
}

impl Part {
    /// In the order of the file.
    const ALL: [Self; 7] =
        [Self::Times, Self::Decimal, Self::Deltas, Self::Exceptions, Self::Doubles, Self::Starts, Self::Histograms];

    fn name(self) -> &'static str {
        match self {
            Self::Times => "times",
            Self::Decimal => "decimal",
            Self::Deltas => "deltas",
            Self::Exceptions => "exceptions",
            Self::Doubles => "doubles",
            Self::Starts => "starts",
            Self::Histograms => "histograms",
        }
    }
}

/// Columns before the first [`Part`].
const HEAD_COLUMNS: [&str; 6] = ["labels", "first_ms", "last_ms", "samples", "axis", "parts"];
/// Their leaves: `labels` has two.
const HEAD_LEAVES: usize = HEAD_COLUMNS.len() + 1;

/// Columns behind the last [`Part`], in files with downsampled series.
const TAIL_COLUMNS: [&str; 2] = ["resolution_ms", "aggregate"];

/// The schema of a block with downsampled series.
static DOWNSAMPLED: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields: Vec<Arc<Field>> = SCHEMA.fields().iter().cloned().collect();
    let kinds = [DataType::Int64, DataType::Utf8];
    fields.extend(TAIL_COLUMNS.iter().zip(kinds).map(|(name, kind)| Arc::new(Field::new(*name, kind, false))));
    Arc::new(Schema::new(fields))
});

/// The schema of every other block.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let entry = vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, false)];
    let entries = Field::new("key_value", DataType::Struct(entry.into()), false);
    let mut fields = vec![Field::new(HEAD_COLUMNS[0], DataType::Map(Arc::new(entries), false), false)];
    let kinds = [DataType::Int64, DataType::Int64, DataType::Int32, DataType::Int32, DataType::Int32];
    fields.extend(HEAD_COLUMNS[1..].iter().zip(kinds).map(|(name, kind)| Field::new(*name, kind, false)));
    for part in Part::ALL {
        let item = if part == Part::Doubles { DataType::Float64 } else { DataType::Int64 };
        let list = DataType::List(Arc::new(Field::new("element", item, false)));
        let kind = if part == Part::Histograms { DataType::Binary } else { list };
        fields.push(Field::new(part.name(), kind, false));
    }
    Arc::new(Schema::new(fields))
});
