//! How each column is encoded, compressed and cut into pages.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use model::field;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::{WriterOptions, encoding};
use crate::schema::is_distinct;
use crate::split::{SHAPE, SplitColumn, VARIABLES};
use crate::{ColumnError, Layout};

/// Most rows of a page. Reading one row decodes one page of each column that it wants, and small pages compress worse where texts
/// repeat, as dictionary keys do. Columns of what is random have smaller pages, by their bytes: [`VARIABLES_PAGE_BYTES_MAX`],
/// [`RANDOM_PAGE_BYTES_MAX`].
pub const PAGE_ROWS_MAX: usize = 2048;

/// Size at which a page of long texts ends before it is full, before compression.
pub const PAGE_BYTES_MAX: usize = 512 * 1024;

/// Rows after which the writer looks whether a page is full.
const PAGE_STEP_ROWS: usize = 256;

/// Most rows of a row group. A row group is what the writer holds in memory, encoded, before it goes to the file: 80 MiB
/// with a million rows, buffers included. Each costs its metadata and its dictionaries.
pub const ROW_GROUP_ROWS_MAX: usize = 1 << 19;

/// Longest prefix of a text kept as minimum or maximum of a column.
const STATISTICS_BYTES_MAX: usize = 48;

/// A page that compression makes smaller by less than 3 % is kept as it is: reading it then costs nothing.
const COMPRESSION_RATIO_MAX: f64 = 0.97;

/// Fewest rows of a first batch whose columns are encoded in several ways to see which is smallest.
const TRIAL_ROWS_MIN: usize = 256;

/// The level for hexadecimal ids and for variables of texts, whatever the effort: higher ones find repetitions that cost more
/// than they save. The variables of a million lines take 17.5 MB at levels 1 and 9, and 18.1 at 3.
const RANDOM_ZSTD_LEVEL: i32 = 1;

/// Size at which a page of variables ends, before compression: some 250 rows. They compress as well in small pages, 17.5 MB of
/// them in pages of 2048 rows and 18.0 in pages of 512, and one row costs less the smaller they are. From 500 to 250 rows all
/// files of 2 million lines grew from 77.0 to 77.7 MiB.
const VARIABLES_PAGE_BYTES_MAX: usize = 10 * 1024;

/// Most bytes of a dictionary of numbers. Reading one row reads the dictionary, so a large one must not grow out of a
/// misleading first batch.
const NUMBER_DICTIONARY_BYTES_MAX: usize = 64 * 1024;

/// The same for ids, doubles and times. They compress by what they are made of, not by what repeats, so the size of a page is
/// nothing to them; in pages of 2048 rows, zstd took 1.6 ms for the trace ids of 100 single rows and 2.0 ms for a column of doubles.
const RANDOM_PAGE_BYTES_MAX: usize = 4 * 1024;

/// Most bytes of a dictionary of shapes. Reading one row reads the dictionary the first time, and a reader keeps few that are
/// larger; of half a million of those lines it is below 3 MB.
const SHAPE_DICTIONARY_BYTES_MAX: usize = 4 << 20;

/// How hard a writer tries to make the file small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// For a file that is soon merged.
    #[default]
    Fast,
    /// For a file that stays.
    Best,
}

impl Effort {
    /// For numbers and dictionary keys; what is random has a level of its own. Bodies as plain text took 0.6 s at level 1, 2.1 s at
    /// 6 and 3.2 s at 9, which made them 13 % smaller; as shapes and variables a high level gains nothing.
    fn zstd_level(self) -> i32 {
        match self {
            Self::Fast => 1,
            Self::Best => 6,
        }
    }
}

/// The properties of a file, of which `sample` is the first batch.
pub(super) fn properties(
    layout: &Layout,
    options: WriterOptions,
    pairs: Vec<KeyValue>,
    sample: Option<&RecordBatch>,
) -> Result<WriterProperties, ColumnError> {
    // `_stream`, `_time`, `_id` are the columns 2, 0 and 1 of every layout.
    let sorting = [2, 0, 1].map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
    let mut builder = base(options)?
        .set_sorting_columns(Some(sorting.to_vec()))
        .set_created_by(concat!("backstop ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(pairs));
    for column in layout.schema().fields() {
        let name = column.name().as_str();
        let values = sample.and_then(|sample| sample.column_by_name(name));
        match column.data_type() {
            DataType::Map(..) => {}
            DataType::Struct(_) => builder = of_split(builder, name, values, options)?,
            ty => {
                builder = of_column(column, values, options)?.apply(builder, path_of(name));
                let is_text = is_distinct(name) && name != field::BODY;
                if is_text || matches!(ty, DataType::Float64 | DataType::Timestamp(..) | DataType::UInt64) {
                    builder = builder.set_column_data_page_size_limit(path_of(name), RANDOM_PAGE_BYTES_MAX);
                }
            }
        }
    }
    Ok(builder.set_column_statistics_enabled(path_of(field::TIME), EnabledStatistics::Page).build())
}

/// How a column is written.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Choice {
    dictionary: bool,
    /// Without a dictionary, or when it grows too large.
    encoding: Encoding,
    compression: Compression,
    statistics: EnabledStatistics,
}

impl Choice {
    fn apply(self, builder: WriterPropertiesBuilder, path: ColumnPath) -> WriterPropertiesBuilder {
        let builder = if self.encoding == Encoding::DELTA_LENGTH_BYTE_ARRAY {
            builder
        } else {
            builder.set_column_dictionary_page_size_limit(path.clone(), NUMBER_DICTIONARY_BYTES_MAX)
        };
        builder
            .set_column_dictionary_enabled(path.clone(), self.dictionary)
            .set_column_encoding(path.clone(), self.encoding)
            .set_column_compression(path.clone(), self.compression)
            .set_column_statistics_enabled(path, self.statistics)
    }
}

fn of_column(column: &Field, values: Option<&ArrayRef>, options: WriterOptions) -> Result<Choice, ColumnError> {
    let compression = zstd(options.effort.zstd_level())?;
    let choice =
        |dictionary, encoding| Choice { dictionary, encoding, compression, statistics: EnabledStatistics::Chunk };
    let candidates = match column.data_type() {
        DataType::Utf8 if is_distinct(column.name()) => {
            // Which of them are smallest and largest says nothing.
            let level = if column.name() == field::BODY { options.effort.zstd_level() } else { RANDOM_ZSTD_LEVEL };
            let texts = choice(false, Encoding::DELTA_LENGTH_BYTE_ARRAY);
            return Ok(Choice { statistics: EnabledStatistics::None, compression: zstd(level)?, ..texts });
        }
        // Lengths apart from the texts are 12 % smaller for hexadecimal ids, as small for log lines, and quicker to read.
        DataType::Utf8 => vec![choice(false, Encoding::DELTA_LENGTH_BYTE_ARRAY)],
        DataType::Dictionary(..) => vec![choice(true, Encoding::DELTA_LENGTH_BYTE_ARRAY)],
        DataType::Timestamp(..) => vec![choice(false, Encoding::DELTA_BINARY_PACKED)],
        // Ids of neighbours come from a few requests, so that their upper bytes repeat.
        DataType::UInt64 => {
            vec![choice(false, Encoding::DELTA_BINARY_PACKED), choice(false, Encoding::BYTE_STREAM_SPLIT)]
        }
        DataType::Int64 => {
            vec![choice(values.is_none_or(ints_repeat), Encoding::DELTA_BINARY_PACKED)]
        }
        DataType::Float64 => vec![
            choice(true, Encoding::PLAIN),
            choice(false, Encoding::BYTE_STREAM_SPLIT),
            choice(false, Encoding::PLAIN),
        ],
        _ => vec![choice(false, Encoding::PLAIN)],
    };
    match values.filter(|values| values.len() >= TRIAL_ROWS_MIN) {
        Some(values) => best_of(&candidates, values, options),
        None => Ok(candidates[0]),
    }
}

/// A column of text in two parts. Which texts are smallest and largest says nothing.
fn of_split(
    builder: WriterPropertiesBuilder,
    name: &str,
    values: Option<&ArrayRef>,
    options: WriterOptions,
) -> Result<WriterPropertiesBuilder, ColumnError> {
    let path = |part: &str| ColumnPath::new(vec![name.to_owned(), part.to_owned()]);
    let (encoding, statistics) = (Encoding::DELTA_LENGTH_BYTE_ARRAY, EnabledStatistics::None);
    let choice = |dictionary, level| {
        Ok::<_, ColumnError>(Choice { dictionary, encoding, compression: zstd(level)?, statistics })
    };
    let repeat = values.and_then(SplitColumn::of).is_none_or(|column| shapes_repeat(&column));
    let shapes = choice(repeat, options.effort.zstd_level())?.apply(builder, path(SHAPE));
    let shapes = shapes.set_column_dictionary_page_size_limit(path(SHAPE), SHAPE_DICTIONARY_BYTES_MAX);
    let variables = choice(false, RANDOM_ZSTD_LEVEL)?.apply(shapes, path(VARIABLES));
    Ok(variables.set_column_data_page_size_limit(path(VARIABLES), VARIABLES_PAGE_BYTES_MAX))
}

/// Whether shapes repeat, twice each on average, so that a dictionary of them is worth having.
fn shapes_repeat(column: &SplitColumn<'_>) -> bool {
    let keys = column.shapes().keys();
    let distinct: HashSet<i32> = keys.iter().flatten().collect();
    distinct.len() * 2 <= keys.len() - keys.null_count()
}

/// The candidate that makes the values smallest, without compression if that hardly helps. On a tie the first wins.
fn best_of(candidates: &[Choice], values: &ArrayRef, options: WriterOptions) -> Result<Choice, ColumnError> {
    let mut best: Option<(u64, Choice)> = None;
    for candidate in candidates {
        let plain = trial(values, Choice { compression: Compression::UNCOMPRESSED, ..*candidate }, options)?;
        let compressed = trial(values, *candidate, options)?;
        let helps = (compressed as f64) < plain as f64 * COMPRESSION_RATIO_MAX;
        let compression = if helps { candidate.compression } else { Compression::UNCOMPRESSED };
        let bytes = if helps { compressed } else { plain };
        if best.is_none_or(|(least, _)| bytes < least) {
            best = Some((bytes, Choice { compression, ..*candidate }));
        }
    }
    Ok(best.map_or(candidates[0], |(_, choice)| choice))
}

fn zstd(level: i32) -> Result<Compression, ColumnError> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(level).map_err(encoding)?))
}

/// What holds for all columns.
fn base(options: WriterOptions) -> Result<WriterPropertiesBuilder, ColumnError> {
    Ok(WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(zstd(options.effort.zstd_level())?)
        .set_data_page_v2_compression_ratio_threshold(COMPRESSION_RATIO_MAX)
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_write_batch_size(PAGE_STEP_ROWS)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES_MAX)))
}

/// The bytes that some values take in a file of their own.
fn trial(values: &ArrayRef, choice: Choice, options: WriterOptions) -> Result<u64, ColumnError> {
    const NAME: &str = "values";
    let schema = Arc::new(Schema::new(vec![Field::new(NAME, values.data_type().clone(), true)]));
    let properties = choice.apply(base(options)?, path_of(NAME)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).map_err(encoding)?;
    let batch = RecordBatch::try_new(schema, vec![values.clone()]).map_err(|e| ColumnError::Encode(e.to_string()))?;
    writer.write(&batch).map_err(encoding)?;
    let groups = writer.close().map_err(encoding)?;
    Ok(groups.row_groups().iter().map(|group| group.compressed_size().unsigned_abs()).sum())
}

/// Whether numbers repeat, four times each on average. Too few of them to tell count as repeating: the dictionary is given
/// up when it grows.
fn ints_repeat(values: &ArrayRef) -> bool {
    let Some(values) = values.as_primitive_opt::<Int64Type>() else { return true };
    let total = values.len() - values.null_count();
    let mut distinct = HashSet::new();
    for value in values.iter().flatten() {
        distinct.insert(value);
        if distinct.len() > total / 4 + 16 {
            return false;
        }
    }
    true
}

/// A field's name may have dots; in Parquet it is one part of the path all the same.
fn path_of(name: &str) -> ColumnPath {
    ColumnPath::new(vec![name.to_owned()])
}
