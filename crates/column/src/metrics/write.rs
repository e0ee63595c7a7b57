//! Series to a block.

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::builder::{
    BinaryBuilder, Float64Builder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder,
};
use arrow_schema::{DataType, Field, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::seal::{PAGES_KEY, SEAL_KEY, Sink};
use super::{DOWNSAMPLED, Part, SCHEMA, SeriesRow, TAIL_COLUMNS};
use crate::ColumnError;
use crate::write::encoding;

/// Size at which a page ends, before compression: 8192 differences. A read of one series decodes one such page; in pages four times
/// as large, differences take 2 % less.
const PAGE_BYTES: usize = 64 * 1024;
/// Rows at which a page ends, whatever its size.
const PAGE_ROWS: usize = 4096;
/// Values after which the writer looks whether a page is full.
const PAGE_STEP_VALUES: usize = 512;
/// Numbers that are collected before they are encoded.
const BATCH_NUMBERS: usize = 128 * 1024;
/// Numbers of a row group, which is what a writer holds in memory, encoded; and rows, whose labels share dictionaries.
const GROUP_NUMBERS: usize = 4 << 20;
const GROUP_ROWS: usize = 1 << 18;
/// Room for the distinct labels of a row group.
const DICTIONARY_BYTES: usize = 16 << 20;
/// zstd's level. Of mantissas as split bytes 1 makes 0.540 bytes a sample, 3 makes 0.537 and 6 makes 0.531 in twice the time.
const ZSTD_LEVEL: i32 = 3;

/// Writes series, in ascending order of labels, to a Parquet file.
pub struct SeriesWriter<W: Write + Send> {
    writer: ArrowWriter<Sink<W>>,
    rows: Rows,
    group_numbers: usize,
    group_rows: usize,
}

impl<W: Write + Send> std::fmt::Debug for SeriesWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeriesWriter").field("rows", &self.rows.count).finish_non_exhaustive()
    }
}

impl<W: Write + Send> SeriesWriter<W> {
    /// Starts a file, which has room for downsampled series or not.
    pub fn new(sink: W, downsampled: bool) -> Result<Self, ColumnError> {
        let schema = SchemaRef::clone(if downsampled { &DOWNSAMPLED } else { &SCHEMA });
        let properties = properties(downsampled)?;
        let writer = ArrowWriter::try_new(Sink::new(sink), schema, Some(properties)).map_err(encoding)?;
        let tail = downsampled.then(Default::default);
        Ok(Self { writer, rows: Rows { tail, ..Rows::default() }, group_numbers: 0, group_rows: 0 })
    }

    /// Appends a series; its row number is how many came before.
    pub fn push(&mut self, row: &SeriesRow<'_>) -> Result<(), ColumnError> {
        self.rows.push(row)?;
        if self.rows.numbers >= BATCH_NUMBERS || self.rows.count >= GROUP_ROWS {
            self.write_batch()?;
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), ColumnError> {
        self.group_numbers += std::mem::take(&mut self.rows.numbers);
        self.group_rows += std::mem::take(&mut self.rows.count);
        let batch = self.rows.finish()?;
        self.writer.write(&batch).map_err(encoding)?;
        if self.group_numbers >= GROUP_NUMBERS || self.group_rows >= GROUP_ROWS {
            self.end_group()?;
        }
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), ColumnError> {
        (self.group_numbers, self.group_rows) = (0, 0);
        self.writer.flush().map_err(encoding)?;
        self.writer.sync()?;
        let group = self.writer.flushed_row_groups().last().cloned();
        match group {
            Some(group) => self.writer.inner_mut().pass_group(&group),
            None => Ok(()),
        }
    }

    /// Writes the footer, with pairs of the caller's in it. The sink is not flushed to the disk: that is its owner's.
    pub fn finish(mut self, pairs: &[(&str, String)]) -> Result<W, ColumnError> {
        if self.rows.count > 0 {
            self.write_batch()?;
        }
        if self.group_rows > 0 {
            self.end_group()?;
        }
        self.writer.sync()?;
        let sink = self.writer.inner();
        let own = [(PAGES_KEY, STANDARD.encode(&sink.checksums)), (SEAL_KEY, sink.unsealed())];
        for (key, value) in pairs.iter().chain(&own) {
            self.writer.append_key_value_metadata(KeyValue::new((*key).to_owned(), value.clone()));
        }
        self.writer.into_inner().map_err(encoding)?.seal()
    }
}

fn properties(downsampled: bool) -> Result<WriterProperties, ColumnError> {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).map_err(encoding)?);
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(concat!("backstop ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(zstd)
        .set_dictionary_enabled(false)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_STEP_VALUES)
        .set_max_row_group_row_count(None)
        .set_encoding(Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::None);
    let aggregate = downsampled.then(|| path(&[TAIL_COLUMNS[1]]));
    let texts = ["key", "value"].map(|name| path(&["labels", "key_value", name]));
    for path in texts.into_iter().chain(aggregate) {
        builder = builder
            .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_dictionary_enabled(path, true);
    }
    for name in ["first_ms", "last_ms"] {
        builder = builder.set_column_statistics_enabled(path(&[name]), EnabledStatistics::Chunk);
    }
    for part in [Part::Decimal, Part::Deltas, Part::Doubles] {
        builder = builder.set_column_encoding(path(&[part.name(), "list", "element"]), Encoding::BYTE_STREAM_SPLIT);
    }
    Ok(builder.set_column_encoding(path(&[Part::Histograms.name()]), Encoding::PLAIN).build())
}

fn path(names: &[&str]) -> ColumnPath {
    ColumnPath::new(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Series that are not encoded yet, as columns.
struct Rows {
    labels: MapBuilder<StringBuilder, StringBuilder>,
    times: [Int64Builder; 2],
    counts: [Int32Builder; 3],
    numbers_of: [ListBuilder<Int64Builder>; 5],
    doubles: ListBuilder<Float64Builder>,
    histograms: BinaryBuilder,
    /// In a file with downsampled series.
    tail: Option<(Int64Builder, StringBuilder)>,
    count: usize,
    numbers: usize,
}

impl Default for Rows {
    fn default() -> Self {
        let names = MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
        let labels = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
            .with_values_field(Field::new("value", DataType::Utf8, false));
        let list = |_| ListBuilder::new(Int64Builder::new()).with_field(Field::new("element", DataType::Int64, false));
        Self {
            labels,
            times: Default::default(),
            counts: Default::default(),
            numbers_of: std::array::from_fn(list),
            doubles: ListBuilder::new(Float64Builder::new()).with_field(Field::new(
                "element",
                DataType::Float64,
                false,
            )),
            histograms: BinaryBuilder::new(),
            tail: None,
            count: 0,
            numbers: 0,
        }
    }
}

impl Rows {
    fn push(&mut self, row: &SeriesRow<'_>) -> Result<(), ColumnError> {
        let mut label_bytes = 0;
        for (name, value) in row.labels {
            label_bytes += name.len() + value.len();
            self.labels.keys().append_value(name);
            self.labels.values().append_value(value);
        }
        self.labels.append(true).map_err(|error| ColumnError::Encode(error.to_string()))?;
        for (builder, time) in self.times.iter_mut().zip([row.first_ms, row.last_ms]) {
            builder.append_value(time);
        }
        for (builder, count) in self.counts.iter_mut().zip([row.samples, row.axis, row.parts()]) {
            let count = i32::try_from(count).map_err(|_| ColumnError::Encode(format!("{count} is too large")))?;
            builder.append_value(count);
        }
        let lists = [row.times, row.decimal, row.deltas, row.exceptions, row.starts];
        for (builder, list) in self.numbers_of.iter_mut().zip(lists) {
            builder.values().append_slice(list);
            builder.append(true);
        }
        self.doubles.values().append_slice(row.doubles);
        self.doubles.append(true);
        self.histograms.append_value(row.histograms);
        if let Some((resolutions, aggregates)) = &mut self.tail {
            resolutions.append_value(row.resolution_ms);
            aggregates.append_value(row.aggregate.name());
        } else if row.resolution_ms != 0 {
            return Err(ColumnError::Encode("the file has no room for downsampled series".to_owned()));
        }
        self.count += 1;
        // Labels count as well: many long ones of series with few samples would be more than one column of text can hold.
        let bytes = row.histograms.len() + label_bytes;
        self.numbers +=
            lists.iter().map(|list| list.len()).sum::<usize>() + row.doubles.len() + bytes / size_of::<i64>();
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch, ColumnError> {
        let [first, last] = &mut self.times;
        let [samples, axis, parts] = &mut self.counts;
        let [times, decimal, deltas, exceptions, starts] = &mut self.numbers_of;
        let mut columns: Vec<arrow_array::ArrayRef> = vec![
            Arc::new(self.labels.finish()),
            Arc::new(first.finish()),
            Arc::new(last.finish()),
            Arc::new(samples.finish()),
            Arc::new(axis.finish()),
            Arc::new(parts.finish()),
            Arc::new(times.finish()),
            Arc::new(decimal.finish()),
            Arc::new(deltas.finish()),
            Arc::new(exceptions.finish()),
            Arc::new(self.doubles.finish()),
            Arc::new(starts.finish()),
            Arc::new(self.histograms.finish()),
        ];
        let mut schema = &SCHEMA;
        if let Some((resolutions, aggregates)) = &mut self.tail {
            columns.push(Arc::new(resolutions.finish()));
            columns.push(Arc::new(aggregates.finish()));
            schema = &DOWNSAMPLED;
        }
        RecordBatch::try_new(SchemaRef::clone(schema), columns).map_err(|error| ColumnError::Encode(error.to_string()))
    }
}
