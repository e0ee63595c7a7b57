use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array as _, RecordBatch};
use bytes::Bytes;
use model::{Row, Value};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::*;
use crate::tests::{any_rows, batch_of, canonical, row};
use crate::{
    Effort, FieldCounts, FieldView, Layout, PAGE_ROWS_MAX, RangeRead, Writer, WriterOptions, days, rows_from_batch,
};

fn file_of(rows: &[Row], effort: Effort, batch_rows: usize) -> Vec<u8> {
    let mut counts = FieldCounts::new();
    counts.add_batch(&batch_of(rows));
    let layout = Layout::new(&counts);
    let mut writer = Writer::with_options(Vec::new(), &layout, &[], WriterOptions { effort }).unwrap();
    for chunk in rows.chunks(batch_rows) {
        writer.write(&layout.batch(chunk.iter())).unwrap();
    }
    writer.finish().unwrap().sink
}

/// Rows whose times and ids are sorted within 20 streams, as a segment's are.
fn segment_rows(count: u64) -> Vec<Row> {
    let rows = (0..count).map(|n| {
        let fields = [
            ("severity", Value::from(["INFO", "WARN", "ERROR"][n as usize % 3])),
            (
                "body",
                format!("request {} took {} ms, client {:x}", n, n * 7 % 1000, n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
                    .into(),
            ),
            ("status", Value::Int([200, 404, 500][n as usize % 3])),
            ("took", Value::Int((n * 7919 % 100_003) as i64)),
            ("ratio", Value::Double(n as f64 / 7.0)),
            (
                "span_id",
                if n % 5 == 0 { format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into() } else { Value::Null },
            ),
        ];
        let mut row = row(n, &fields);
        row.fields.retain(|(_, value)| *value != Value::Null);
        row.stream = format!("{{host.name=\"{:02}\"}}", n * 20 / count).into();
        row
    });
    rows.collect()
}

fn bitmap(rows: impl IntoIterator<Item = u32>) -> RoaringBitmap {
    rows.into_iter().collect()
}

fn all(batches: Batches) -> Vec<RecordBatch> {
    batches.collect::<Result<_, _>>().unwrap()
}

/// Counts what is read of some bytes, and refuses what touches a damaged byte.
#[derive(Debug)]
struct Counted {
    bytes: Bytes,
    read: AtomicU64,
    damaged: Option<u64>,
}

impl RangeRead for Counted {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, range: Range<u64>) -> std::io::Result<Bytes> {
        if self.damaged.is_some_and(|at| range.contains(&at)) {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "block 7 is damaged"));
        }
        self.read.fetch_add(range.end - range.start, Ordering::Relaxed);
        Ok(self.bytes.slice(range.start as usize..range.end as usize))
    }
}

fn counted(bytes: Vec<u8>, damaged: Option<u64>) -> Arc<Counted> {
    Arc::new(Counted { bytes: bytes.into(), read: AtomicU64::new(0), damaged })
}

#[test]
fn only_touched_pages_are_read() {
    let rows = segment_rows(60_000);
    let bytes = file_of(&rows, Effort::Fast, 8192);
    let total = bytes.len() as u64;
    let source = counted(bytes, None);
    let reader = Reader::open(Source::Ranges(source.clone())).unwrap();
    let footer = source.read.swap(0, Ordering::Relaxed);
    assert!(footer < total / 50, "the footer took {footer} of {total} bytes");
    let fields = |names: &[&str]| Projection::Fields(names.iter().map(|name| (*name).to_owned()).collect());
    let cost = |projection: &Projection, wanted: Option<&RoaringBitmap>| {
        let rows: usize = all(reader.read(projection, wanted).unwrap()).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows as u64, wanted.map_or(60_000, RoaringBitmap::len));
        source.read.swap(0, Ordering::Relaxed)
    };
    let whole = cost(&Projection::All, None);
    assert!((total * 9 / 10..=total).contains(&whole), "{whole} of {total}");
    let body = cost(&fields(&["body"]), None);
    let pages = 60_000u64.div_ceil(PAGE_ROWS_MAX as u64);
    let one = cost(&fields(&["body"]), Some(&bitmap([31_000])));
    assert!(one < body * 2 / pages, "one row took {one} of {body} bytes in {pages} pages");
    let three = cost(&fields(&["body"]), Some(&bitmap([10, 31_000, 59_999])));
    assert!((one..body * 5 / pages).contains(&three), "three rows took {three} of {body} bytes");
    let none = cost(&Projection::All, Some(&bitmap([])));
    assert_eq!(none, 0);
}

#[test]
fn a_damaged_range_is_an_error_where_it_is_read() {
    let rows = segment_rows(10_000);
    let bytes = file_of(&rows, Effort::Best, 8192);
    let footer = bytes.len() as u64 - 1;
    let error = Reader::open(Source::Ranges(counted(bytes.clone(), Some(footer)))).err().unwrap();
    assert!(matches!(&error, ColumnError::Corrupt(what) if what.contains("block 7")), "{error}");
    // The first column is `_time`, and its first page follows the four bytes of magic.
    let reader = Reader::open(Source::Ranges(counted(bytes, Some(40)))).unwrap();
    let severity = Projection::Fields(vec!["severity".into()]);
    assert_eq!(all(reader.read(&severity, None).unwrap()).iter().map(RecordBatch::num_rows).sum::<usize>(), 10_000);
    let error = reader.read(&Projection::All, None).and_then(Iterator::collect::<Result<Vec<_>, _>>).err().unwrap();
    assert!(matches!(&error, ColumnError::Corrupt(what) if what.contains("block 7")), "{error}");
}

#[test]
fn repeated_texts_come_back_as_a_dictionary() {
    let rows = segment_rows(20_000);
    let reader = Reader::open(file_of(&rows, Effort::Fast, 8192).into()).unwrap();
    let types: Vec<_> = reader.columns().collect();
    assert!(types.contains(&("severity", FieldType::Str)) && types.contains(&("body", FieldType::Str)), "{types:?}");
    for batch in all(reader.read_sized(&Projection::All, None, 3000).unwrap()) {
        assert!(batch.num_rows() <= 3000);
        let severity = FieldView::new(&batch, "severity");
        assert_eq!(severity.dict_column().unwrap().values().len(), 3);
        assert_eq!(FieldView::new(&batch, field::STREAM).dict_column().unwrap().values().len(), 20);
        assert!(FieldView::new(&batch, "body").str_column().is_some());
        assert_eq!(days(&batch).len(), 1);
    }
}

fn check_page_times(reader: &Reader, rows: &[Row]) {
    let pages = reader.page_times();
    let mut next = 0;
    for page in &pages {
        assert_eq!(page.rows.start, next);
        next = page.rows.end;
        let times = rows[page.rows.start as usize..page.rows.end as usize].iter().map(|row| row.time.0);
        assert_eq!((Some(page.min), Some(page.max)), (times.clone().min(), times.max()));
    }
    assert_eq!(next as usize, rows.len());
}

#[test]
fn pages_say_their_times() {
    let mut rows = segment_rows(10_000);
    rows.iter_mut().for_each(|row| row.time.0 = row.time.0 % 1_000_003 * 7919 % 10_007);
    let reader = Reader::open(file_of(&rows, Effort::Fast, 1000).into()).unwrap();
    assert_eq!(reader.page_times().len(), 10_000usize.div_ceil(PAGE_ROWS_MAX));
    check_page_times(&reader, &rows);
    assert!(Reader::open(file_of(&[], Effort::Fast, 1).into()).unwrap().page_times().is_empty());
}

/// A file as an earlier version wrote it: `_stream` as plain text. And one with many row groups.
#[test]
fn other_files_are_read_too() {
    let rows = segment_rows(5000);
    let mut counts = FieldCounts::new();
    counts.add_batch(&batch_of(&rows));
    let batch = Layout::new(&counts).batch(rows.iter());
    let plain = |array: &arrow_array::ArrayRef| crate::conform::represent(array.clone(), &DataType::Utf8);
    let columns: Vec<_> = batch.columns().iter().map(plain).collect();
    let typed = |(field, column): (&Arc<Field>, &arrow_array::ArrayRef)| {
        Field::new(field.name(), column.data_type().clone(), field.is_nullable())
    };
    let fields: Vec<_> = batch.schema_ref().fields().iter().zip(&columns).map(typed).collect();
    let old = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    for batch in [old, batch] {
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(700)).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        let reader = Reader::open(writer.into_inner().unwrap().into()).unwrap();
        let wanted = bitmap((0..5000).step_by(3));
        let back: Vec<Row> =
            all(reader.read(&Projection::All, Some(&wanted)).unwrap()).iter().flat_map(rows_from_batch).collect();
        let want: Vec<Row> = rows.iter().step_by(3).cloned().collect();
        assert_eq!(canonical(&back), canonical(&want));
        check_page_times(&reader, &rows);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn selected_rows_come_back(
        rows in any_rows(),
        times in 1..60usize,
        wanted in proptest::collection::btree_set(0..3000u32, 0..60),
        best in any::<bool>(),
        batch_rows in 1..3000usize,
    ) {
        let rows: Vec<Row> = rows.iter().cycle().take(rows.len() * times).cloned().collect();
        let effort = if best { Effort::Best } else { Effort::Fast };
        let reader = Reader::open(file_of(&rows, effort, batch_rows).into()).unwrap();
        check_page_times(&reader, &rows);
        let wanted = bitmap(wanted.into_iter().filter(|row| (*row as usize) < rows.len()));
        let batches = all(reader.read_sized(&Projection::All, Some(&wanted), batch_rows).unwrap());
        let back: Vec<Row> = batches.iter().flat_map(rows_from_batch).collect();
        let want: Vec<Row> = wanted.iter().map(|row| rows[row as usize].clone()).collect();
        prop_assert_eq!(canonical(&back), canonical(&want));
    }
}
