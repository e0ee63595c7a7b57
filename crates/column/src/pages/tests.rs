use std::sync::Arc;

use arrow_array::builder::{MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray, StructArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Fields};
use bytes::Bytes;
use model::Row;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use proptest::prelude::*;

use super::*;
use crate::conform::represent;
use crate::schema::{dictionary_type, entries_field, schema_of};
use crate::tests::any_rows;
use crate::{Effort, FieldCounts, Layout, Projection, Reader, Source, Writer, WriterOptions};

/// Numbers that look random (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize].clone()
    }

    /// Values of which some are missing: none, all, runs, or here and there.
    fn column<T>(&mut self, rows: usize, mut value: impl FnMut(&mut Self, usize) -> T) -> Vec<Option<T>> {
        let way = self.below(6);
        (0..rows)
            .map(|row| {
                let there = match way {
                    0 | 1 => true,
                    2 => false,
                    3 => row / 97 % 2 == 0,
                    4 => row > rows / 2,
                    _ => self.below(3) > 0,
                };
                there.then(|| value(self, row))
            })
            .collect()
    }

    fn texts(&mut self, rows: usize) -> Vec<Option<String>> {
        let (way, kinds) = (self.below(4), self.one_of(&[1, 3, 40, 100_000]));
        self.column(rows, |dice, row| match way {
            0 => format!("number {}", dice.below(kinds)),
            1 => "ä€𝄞".repeat(dice.below(4) as usize),
            2 => format!("{row:08} shares a beginning {}", dice.below(kinds)),
            _ if dice.below(50) == 0 => "long ".repeat(dice.below(2000) as usize),
            _ => format!("{:x}", dice.below(kinds)),
        })
    }

    fn integers(&mut self, rows: usize) -> Vec<Option<i64>> {
        let way = self.below(4);
        self.column(rows, |dice, row| match way {
            0 => dice.next() as i64,
            1 => dice.one_of(&[i64::MIN, i64::MAX, 0, -1]),
            2 => dice.below(7) as i64,
            _ => row as i64 * 1000 + dice.below(100) as i64,
        })
    }

    fn doubles(&mut self, rows: usize) -> Vec<Option<f64>> {
        let way = self.below(2);
        self.column(rows, |dice, _| match way {
            0 => f64::from_bits(dice.next()),
            _ => dice.one_of(&[f64::NAN, f64::INFINITY, -0.0, 0.0, 1.5]),
        })
    }

    fn overflow(&mut self, rows: usize) -> ArrayRef {
        let names = MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
        let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        let way = self.below(4);
        for _ in 0..rows {
            let entries = match way {
                0 => 0,
                1 => self.below(2),
                2 => self.below(40).saturating_sub(36),
                _ => self.below(5),
            };
            for _ in 0..entries {
                map.keys().append_value(format!("name {}", self.below(300)));
                let text = (self.below(4) > 0).then(|| format!("{:x}", self.next()));
                map.values().append_option(text);
            }
            map.append(way == 3 || entries > 0 || self.below(2) == 0).unwrap();
        }
        let map = map.finish();
        let DataType::Struct(fields) = entries_field().data_type().clone() else { unreachable!() };
        let (_, offsets, entries, nulls, sorted) = map.into_parts();
        let entries = StructArray::new(fields, entries.columns().to_vec(), None);
        Arc::new(arrow_array::MapArray::new(entries_field(), offsets, entries, nulls, sorted))
    }
}

fn dictionary(texts: Vec<Option<String>>) -> ArrayRef {
    Arc::new(texts.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>())
}

/// A column of every kind.
fn batch_of(dice: &mut Dice, rows: usize) -> RecordBatch {
    let body =
        Fields::from(vec![Field::new("shape", dictionary_type(), true), Field::new("variables", DataType::Utf8, true)]);
    let schema = schema_of([
        Field::new("text", DataType::Utf8, true),
        Field::new("dict", dictionary_type(), true),
        Field::new("int", DataType::Int64, true),
        Field::new("double", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("body", DataType::Struct(body.clone()), false),
    ]);
    let step = dice.one_of(&[0u64, 1, 1000, u64::MAX / 3]);
    let times = (0..rows).map(|row| (row as u64).wrapping_mul(step).wrapping_add(dice.below(50)) as i64);
    let times = TimestampNanosecondArray::from(times.collect::<Vec<_>>()).with_timezone("UTC");
    let ids: UInt64Array = (0..rows).map(|_| Some(dice.next())).collect();
    let streams = (0..rows).map(|row| Some(format!("{{s=\"{}\"}}", row / 50))).collect();
    let texts = StringArray::from(dice.texts(rows));
    let words = dictionary(dice.texts(rows));
    let ints = Int64Array::from(dice.integers(rows));
    let doubles = Float64Array::from(dice.doubles(rows));
    let flags = dice.below(20) + 2;
    let flags = BooleanArray::from(dice.column(rows, |dice, _| dice.below(flags) == 0));
    let shapes = dictionary(dice.texts(rows));
    let variables: ArrayRef = Arc::new(StringArray::from(dice.texts(rows)));
    let bodies = StructArray::new(body, vec![shapes, variables], None);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(times),
        Arc::new(ids),
        dictionary(streams),
        Arc::new(texts),
        words,
        Arc::new(ints),
        Arc::new(doubles),
        Arc::new(flags),
        Arc::new(bodies),
        dice.overflow(rows),
    ];
    RecordBatch::try_new(schema, arrays).unwrap()
}

/// Small pages, small row groups, dictionaries that overflow, encodings at random.
fn properties(dice: &mut Dice, compressed: bool) -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    let version = dice.one_of(&[WriterVersion::PARQUET_2_0, WriterVersion::PARQUET_2_0, WriterVersion::PARQUET_1_0]);
    let mut builder = WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(if compressed { zstd } else { Compression::UNCOMPRESSED })
        .set_data_page_row_count_limit(dice.one_of(&[20, 300, 2048]))
        .set_data_page_size_limit(dice.one_of(&[1000, 100_000]))
        .set_write_batch_size(dice.one_of(&[16, 256]))
        .set_dictionary_page_size_limit(dice.one_of(&[100, 3000, 1 << 20]))
        .set_max_row_group_row_count(Some(dice.one_of(&[130, 1000, 1 << 20])));
    let texts = [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
    let ints = [Encoding::PLAIN, Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT];
    let doubles = [Encoding::PLAIN, Encoding::BYTE_STREAM_SPLIT];
    let columns: [(&[&str], &[Encoding]); 12] = [
        (&["_time"], &ints),
        (&["_id"], &ints),
        (&["_stream"], &texts),
        (&["text"], &texts),
        (&["dict"], &texts),
        (&["int"], &ints),
        (&["double"], &doubles),
        (&["flag"], &[Encoding::PLAIN, Encoding::RLE]),
        (&["body", "shape"], &texts),
        (&["body", "variables"], &texts),
        (&["_overflow", "key_value", "key"], &texts),
        (&["_overflow", "key_value", "value"], &texts),
    ];
    for (path, encodings) in columns {
        let path = ColumnPath::new(path.iter().map(|part| (*part).to_owned()).collect());
        builder = builder
            .set_column_dictionary_enabled(path.clone(), dice.below(2) == 0)
            .set_column_encoding(path, dice.one_of(encodings));
    }
    builder.build()
}

fn file_of(batch: &RecordBatch, properties: WriterProperties) -> Bytes {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required)
}

/// What the reader of the `parquet` crate makes of a file.
pub(crate) fn oracle(file: &Bytes, roots: &[usize], rows: Option<&RoaringBitmap>) -> Vec<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options()).unwrap();
    let total = builder.metadata().file_metadata().num_rows() as usize;
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
    let mut builder = builder.with_batch_size(1000).with_projection(mask);
    if let Some(rows) = rows {
        let ranges = rows.iter().map(|row| row as usize..row as usize + 1);
        builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, total));
    }
    builder.build().unwrap().collect::<Result<_, _>>().unwrap()
}

/// The columns of all batches, texts as themselves.
fn columns(batches: &[RecordBatch], roots: usize) -> Vec<ArrayRef> {
    let plain = |array: &ArrayRef| match array.as_struct_opt() {
        None => represent(array.clone(), &plain_type(array.data_type())),
        Some(array) => {
            let columns: Vec<_> =
                array.columns().iter().map(|array| represent(array.clone(), &plain_type(array.data_type()))).collect();
            let fields: Fields =
                columns.iter().map(|column| Field::new("part", column.data_type().clone(), true)).collect();
            Arc::new(StructArray::new(fields, columns, array.nulls().cloned()))
        }
    };
    let column = |at: usize| {
        let arrays: Vec<_> = batches.iter().map(|batch| plain(batch.column(at))).collect();
        arrow_select::concat::concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
    };
    if batches.is_empty() { Vec::new() } else { (0..roots).map(column).collect() }
}

fn plain_type(ty: &DataType) -> DataType {
    if *ty == dictionary_type() { DataType::Utf8 } else { ty.clone() }
}

fn scan(file: &Bytes, roots: &[usize], rows: Option<&RoaringBitmap>, batch_rows: usize) -> Vec<RecordBatch> {
    let scan = open(file.clone(), file);
    let schema = ArrowReaderMetadata::load(file, options()).unwrap().schema().clone();
    let mut scan = PageScan::new(scan, &schema, roots, rows, batch_rows).unwrap();
    std::iter::from_fn(|| scan.next().unwrap()).collect()
}

/// A file with the footer of a sound one.
fn open(bytes: Bytes, sound: &Bytes) -> OpenFile {
    let metadata = ArrowReaderMetadata::load(sound, options()).unwrap().metadata().clone();
    OpenFile { source: Source::Bytes(bytes), metadata, dictionaries: Arc::default() }
}

/// Rows of a file: none, few, runs, many, or all.
fn wanted(dice: &mut Dice, rows: usize) -> Option<RoaringBitmap> {
    let rows = rows as u64;
    let way = dice.below(6);
    Some(match way {
        0 => return None,
        1 => (0..dice.below(5)).map(|_| dice.below(rows) as u32).collect(),
        2 => (0..rows as u32).filter(|row| row / 61 % 3 == 1).collect(),
        3 => (0..rows as u32).filter(|_| dice.below(2) == 0).collect(),
        4 => (0..rows / 20 + 1).map(|_| dice.below(rows) as u32).collect(),
        _ => (0..rows as u32).collect(),
    })
}

fn check(file: &Bytes, roots: &[usize], rows: Option<&RoaringBitmap>, batch_rows: usize) {
    let (found, want) = (scan(file, roots, rows, batch_rows), oracle(file, roots, rows));
    assert!(found.iter().all(|batch| (1..=batch_rows).contains(&batch.num_rows())));
    let (found_rows, want_rows) =
        [&found, &want].map(|all| all.iter().map(RecordBatch::num_rows).sum::<usize>()).into();
    assert_eq!(found_rows, want_rows);
    if let (Some(found), Some(want)) = (found.first(), want.first()) {
        assert_eq!(found.schema(), want.schema());
    }
    let want = columns(&want, roots.len());
    for (at, (found, want)) in columns(&found, roots.len()).iter().zip(&want).enumerate() {
        assert_eq!(found, want, "column {}", roots[at]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_file_reads_like_the_parquet_crate_reads_it(
        seed in any::<u64>(),
        rows in prop_oneof![1..200usize, 1000..4000usize],
        batch_rows in prop_oneof![1..50usize, 500..8192usize],
        compressed in any::<bool>(),
    ) {
        let dice = &mut Dice(seed);
        let file = file_of(&batch_of(dice, rows), properties(dice, compressed));
        check(&file, &(0..10).collect::<Vec<_>>(), wanted(dice, rows).as_ref(), batch_rows);
        let roots: Vec<usize> = (0..10).filter(|_| dice.below(2) == 0).collect();
        check(&file, &roots, wanted(dice, rows).as_ref(), batch_rows);
    }

    #[test]
    fn files_of_the_writer_read_like_the_parquet_crate_reads_them(
        seed in any::<u64>(),
        rows in any_rows(),
        times in 1..80usize,
        best in any::<bool>(),
        batch_rows in 1..8192usize,
    ) {
        let dice = &mut Dice(seed);
        let rows: Vec<Row> = rows.iter().cycle().take(rows.len() * times).cloned().collect();
        let mut counts = FieldCounts::new();
        rows.iter().for_each(|row| counts.add(row));
        let layout = Layout::new(&counts);
        let effort = if best { Effort::Best } else { Effort::Fast };
        let mut writer = Writer::with_options(Vec::new(), &layout, &[], WriterOptions { effort }).unwrap();
        rows.chunks(700).for_each(|rows| writer.write(&layout.batch(rows.iter())).unwrap());
        let file = Bytes::from(writer.finish().unwrap().sink);
        let roots: Vec<usize> = (0..layout.schema().fields().len()).collect();
        let wanted = if rows.is_empty() { None } else { wanted(dice, rows.len()) };
        check(&file, &roots, wanted.as_ref(), batch_rows);
    }

    /// Bytes that are not compressed say most of the decoders.
    #[test]
    fn damage_is_an_error_or_other_values(seed in any::<u64>(), compressed in any::<bool>()) {
        let dice = &mut Dice(seed);
        let rows = 500;
        let sound = file_of(&batch_of(dice, rows), properties(dice, compressed));
        let schema = ArrowReaderMetadata::load(&sound, options()).unwrap().schema().clone();
        let metadata = open(sound.clone(), &sound).metadata;
        let places: Vec<i64> = metadata.offset_index().unwrap().iter().flatten()
            .flat_map(|pages| pages.page_locations().iter().map(|place| place.offset)).collect();
        for round in 0..60 {
            let mut bytes = sound.to_vec();
            // The first bytes of a page are its header and its levels.
            let near = dice.one_of(&places) as usize + dice.below(60) as usize;
            let at = if round % 2 == 0 { near } else { dice.below(sound.len() as u64) as usize };
            let at = at.min(bytes.len() - 1);
            match dice.below(3) {
                0 => bytes[at] = dice.next() as u8,
                1 => bytes[at] ^= 1 << dice.below(8),
                _ => bytes.truncate(at),
            }
            let file = OpenFile { metadata: metadata.clone(), ..open(bytes.into(), &sound) };
            let rows = wanted(dice, rows);
            let mut scan = PageScan::new(file, &schema, &(0..10).collect::<Vec<_>>(), rows.as_ref(), 100).unwrap();
            while let Ok(Some(batch)) = scan.next() {
                prop_assert!(batch.num_rows() <= 100);
            }
        }
    }
}

/// A text column of 3000 rows: a dictionary until it is full, and texts after that.
fn overflowing() -> (Bytes, Reader) {
    let batch = batch_of(&mut Dice(7), 3000);
    let texts = (0..3000).map(|row| Some(if row < 600 { format!("few {}", row % 9) } else { format!("many {row}") }));
    let mut arrays = batch.columns().to_vec();
    arrays[4] = dictionary(texts.collect());
    let batch = RecordBatch::try_new(batch.schema(), arrays).unwrap();
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .set_dictionary_page_size_limit(4000)
        .build();
    let file = file_of(&batch, properties);
    (file.clone(), Reader::open(Source::Bytes(file)).unwrap())
}

#[test]
fn a_dictionary_that_overflows_goes_on_in_the_batch() {
    let (file, reader) = overflowing();
    let mut batches = reader.read_sized(&Projection::Fields(vec!["dict".into()]), None, 200).unwrap();
    let lens: Vec<usize> =
        batches.by_ref().map(|batch| batch.unwrap().column(0).as_dictionary::<Int32Type>().values().len()).collect();
    assert_eq!(lens[..3], [lens[0]; 3], "the chunk's dictionary");
    assert_eq!(lens.last(), Some(&200), "a text a row");
    check(&file, &[4], None, 200);
    check(&file, &[4], Some(&[3, 599, 601, 2000, 2999].into_iter().collect()), 200);
}

#[test]
fn batches_and_reads_share_the_dictionary() {
    let (_, reader) = overflowing();
    assert_eq!(reader.cached_bytes(), 0);
    let rows: RoaringBitmap = (0..300).collect();
    let values = || {
        let batches = reader.read_sized(&Projection::Fields(vec!["dict".into()]), Some(&rows), 100).unwrap();
        let values = batches.map(|batch| batch.unwrap().column(0).as_dictionary::<Int32Type>().values().clone());
        values.collect::<Vec<_>>()
    };
    let (first, second) = (values(), values());
    assert_eq!((first.len(), second.len()), (3, 3));
    assert!(first.iter().chain(&second).all(|texts| Arc::ptr_eq(texts, &first[0])));
    assert!((1000..20_000).contains(&reader.cached_bytes()), "{}", reader.cached_bytes());
}

#[test]
fn a_read_may_move_to_another_thread() {
    fn check<T: Send>() {}
    check::<crate::Batches>();
}

#[test]
fn what_is_not_written_here_is_an_error_that_names_the_column() {
    let batch = batch_of(&mut Dice(3), 100);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let reader = Reader::open(Source::Bytes(file_of(&batch, properties))).unwrap();
    let error = reader.read(&Projection::All, None).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("column _time is compressed with SNAPPY"), "{error}");
    let numbers: ArrayRef = Arc::new(arrow_array::Int32Array::from(vec![1; 100]));
    let mut fields = batch.schema().fields().to_vec();
    fields[3] = Arc::new(Field::new("text", DataType::Int32, true));
    let mut arrays = batch.columns().to_vec();
    arrays[3] = numbers;
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let reader = Reader::open(Source::Bytes(file_of(&batch, WriterProperties::default()))).unwrap();
    let error = reader.read(&Projection::All, None).err().unwrap().to_string();
    assert!(error.contains("column text is Int32"), "{error}");
    assert_eq!(reader.read(&Projection::Fields(vec!["int".into()]), None).unwrap().count(), 1);
}
