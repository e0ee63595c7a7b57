use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array as _, RecordBatch};
use arrow_schema::Field;
use expect_test::{Expect, expect};
use model::{Row, RowId, Timestamp, Value};
use proptest::prelude::*;

use crate::{
    BatchBuilder, FIELD_COLUMNS_MAX, FIELD_NAMES_MAX, FieldCount, FieldCounts, FieldType, FieldView, Layout, OVERFLOW,
    Projection, Reader, Writer, batch_bytes, days, field_names, rows_from_batch, rows_to_batch, times, with_first_id,
    write_row_json,
};

pub(crate) fn row(id: u64, fields: &[(&str, Value)]) -> Row {
    let mut row = Row::new(Timestamp(1_795_424_400_000_000_000 + id as i64));
    row.id = RowId(id);
    row.stream = "{}".into();
    row.fields = fields.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
    row
}

pub(crate) fn batch_of(rows: &[Row]) -> RecordBatch {
    rows_to_batch(&rows.iter().collect::<Vec<_>>())
}

/// Equal by content: fields in any order, NaN equal to itself.
pub(crate) fn canonical(rows: &[Row]) -> Vec<String> {
    let canonical = |row: &Row| {
        let mut row = row.clone();
        row.fields.sort_by(|a, b| a.0.cmp(&b.0));
        format!("{row:?}")
    };
    rows.iter().map(canonical).collect()
}

fn file_of(rows: &[Row]) -> Reader {
    let mut counts = FieldCounts::new();
    rows.iter().for_each(|row| counts.add(row));
    let layout = Layout::new(&counts);
    let mut writer = Writer::new(Vec::new(), &layout, &[("key".to_owned(), "value".to_owned())]).unwrap();
    for chunk in rows.chunks(1000) {
        writer.write(&layout.batch(chunk.iter())).unwrap();
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.rows, rows.len() as u64);
    Reader::open(written.sink.into()).unwrap()
}

fn read(reader: &Reader, projection: &Projection, rows: Option<&roaring::RoaringBitmap>) -> Vec<RecordBatch> {
    reader.read(projection, rows).unwrap().collect::<Result<_, _>>().unwrap()
}

fn check_schema(rows: &[Row], want: Expect) {
    let batch = batch_of(rows);
    let line = |field: &Arc<Field>| format!("{}: {:?}\n", field.name(), field.data_type());
    let fields = &batch.schema_ref().fields()[3..];
    want.assert_eq(&fields[..fields.len() - 1].iter().map(line).collect::<String>());
    assert_eq!(canonical(&rows_from_batch(&batch)), canonical(rows));
}

fn check_json(row: Row, want: Expect) {
    let mut out = String::new();
    write_row_json(&batch_of(&[row]), 0, &mut out);
    serde_json::from_str::<serde_json::Value>(&out).unwrap();
    want.assert_eq(&out);
}

#[test]
fn a_column_has_the_type_of_the_first_value() {
    let rows = [
        row(1, &[("n", Value::Int(1)), ("s", "x".into()), ("a", Value::Array(vec![Value::Int(1)]))]),
        row(2, &[("n", "one".into()), ("b", Value::Bytes(vec![1, 2])), ("t", Value::Bool(true))]),
        row(3, &[("n", Value::Int(3)), ("d", Value::Double(f64::NAN))]),
        row(4, &[("n", Value::Double(4.0)), ("d", Value::Double(f64::NEG_INFINITY)), ("a", Value::Int(5))]),
    ];
    check_schema(
        &rows,
        expect![[r#"
            n: Int64
            s: Utf8
            a: Int64
            t: Boolean
            d: Float64
        "#]],
    );
}

#[test]
fn a_type_conflict_keeps_both_values() {
    let batch = batch_of(&[row(1, &[("n", Value::Int(1))]), row(2, &[("n", "one".into())]), row(3, &[])]);
    let view = FieldView::new(&batch, "n");
    assert_eq!([0, 1, 2].map(|row| view.value(row)), [Some(Value::Int(1)), Some("one".into()), None]);
    assert_eq!(
        [0, 1, 2].map(|row| view.text(row).map(|text| text.into_owned())),
        [Some("1".to_owned()), Some("one".to_owned()), None]
    );
    assert_eq!([0, 1, 2].map(|row| view.number(row)), [Some(1.0), None, None]);
    assert_eq!([0, 1, 2].map(|row| view.is_null(row)), [false, false, true]);
    assert!(FieldView::new(&batch, "other").is_absent());
}

#[test]
fn built_in_fields_have_views() {
    let batch = batch_of(&[row(255, &[("x", Value::Int(1))])]);
    let text = |name| FieldView::new(&batch, name).text(0).map(|text| text.into_owned());
    assert_eq!(text("_id").as_deref(), Some("00000000000000ff"));
    assert_eq!(text("_time").as_deref(), Some("2026-11-23T09:00:00.000000255Z"));
    assert_eq!(text("_stream").as_deref(), Some("{}"));
    assert_eq!(FieldView::new(&batch, "_time").value(0), Some(Value::Int(1_795_424_400_000_000_255)));
    assert_eq!(field_names(&batch).into_iter().collect::<Vec<_>>(), ["x"]);
}

#[test]
fn json_has_the_built_in_fields_first() {
    let rare = Value::Array(vec![Value::Double(2.0), Value::Null]);
    check_json(
        row(1, &[("z", Value::Double(2.0)), ("b", rare), ("body", "a\"\n".into()), ("severity", "INFO".into())]),
        expect![[
            r#"{"_time":"2026-11-23T09:00:00.000000001Z","_id":"0000000000000001","_stream":"{}","severity":"INFO","body":"a\"\n","b":[2,null],"z":2}"#
        ]],
    );
    check_json(
        row(2, &[("a", Value::Bytes(vec![255])), ("b", Value::Double(f64::NAN)), ("c", Value::Bytes(vec![]))]),
        expect![[
            r#"{"_time":"2026-11-23T09:00:00.000000002Z","_id":"0000000000000002","_stream":"{}","a":"/w==","b":"NaN","c":""}"#
        ]],
    );
}

#[test]
fn two_thousand_field_names_share_a_file() {
    let mut rows: Vec<Row> = (0..2000u64).map(|n| row(n, &[(&format!("field_{n}"), Value::Int(n as i64))])).collect();
    rows.push(row(2000, &[("field_1999", Value::Int(1))]));
    let reader = file_of(&rows);
    assert_eq!(reader.columns().count(), FIELD_COLUMNS_MAX);
    assert!(reader.columns().any(|(name, _)| name == "field_1999"), "the most frequent field has a column");
    let batches = read(&reader, &Projection::All, None);
    let back: Vec<Row> = batches.iter().flat_map(rows_from_batch).collect();
    assert_eq!(canonical(&back), canonical(&rows));
    let names: BTreeSet<String> = batches.iter().flat_map(field_names).collect();
    assert_eq!(names.len(), 2000);
    assert_eq!(reader.overflow_fields().unwrap().len(), 2000 - FIELD_COLUMNS_MAX);
}

#[test]
fn more_names_than_are_tracked_lose_no_value() {
    let fields: Vec<(String, Value)> = (0..FIELD_NAMES_MAX + 10).map(|n| (format!("f{n}"), Value::Int(1))).collect();
    let fields: Vec<(&str, Value)> = fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let rows = [row(1, &fields), row(2, &fields)];
    let batch = batch_of(&rows);
    assert_eq!(canonical(&rows_from_batch(&batch)), canonical(&rows));
    let reader = file_of(&rows);
    let last = fields[fields.len() - 1].0;
    let batch = &read(&reader, &Projection::Fields(vec![last.to_owned()]), None)[0];
    assert_eq!(FieldView::new(batch, last).value(1), Some(Value::Int(1)));
}

#[test]
fn a_field_with_a_reserved_name_is_kept() {
    let rows = [row(1, &[("_overflow", "x".into()), ("_time", Value::Int(5)), ("y", Value::Int(1))])];
    let batch = batch_of(&rows);
    assert_eq!(canonical(&rows_from_batch(&batch)), canonical(&rows));
    assert_eq!(FieldView::new(&batch, "_overflow").text(0).as_deref(), Some("x"));
}

#[test]
fn only_the_wanted_rows_and_columns_are_read() {
    let rows: Vec<Row> = (0..30_000u64)
        .map(|n| row(n, &[("n", Value::Int(n as i64)), ("s", "x".into()), ("odd", Value::Array(vec![]))]))
        .collect();
    let reader = file_of(&rows);
    assert_eq!(reader.footer_value("key"), Some("value"));
    let wanted: roaring::RoaringBitmap = [0, 1, 2, 8191, 8192, 20_000, 29_999].into_iter().collect();
    let batches = read(&reader, &Projection::Fields(vec!["n".into(), "missing".into()]), Some(&wanted));
    let found: Vec<i64> = batches
        .iter()
        .flat_map(|batch| {
            assert_eq!(batch.num_columns(), 1);
            let view = FieldView::new(batch, "n");
            (0..batch.num_rows()).map(|row| view.number(row).unwrap() as i64).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, wanted.iter().map(i64::from).collect::<Vec<_>>());
    let odd = read(&reader, &Projection::Fields(vec!["odd".into()]), Some(&wanted));
    assert_eq!(odd[0].num_columns(), 1);
    assert_eq!(FieldView::new(&odd[0], "odd").value(0), Some(Value::Array(vec![])));
    let counted = read(&reader, &Projection::Fields(vec![]), None);
    assert_eq!(counted.iter().map(RecordBatch::num_rows).sum::<usize>(), rows.len());
    assert!(counted.iter().all(|batch| batch.num_rows() <= crate::READ_BATCH_ROWS_MAX));
    assert!(read(&reader, &Projection::All, Some(&roaring::RoaringBitmap::new())).is_empty());
    let beyond: roaring::RoaringBitmap = [30_000].into_iter().collect();
    let error = reader.read(&Projection::All, Some(&beyond)).err().unwrap();
    expect!["row 30000 was asked for and the file has 30000 rows; the index and the columns are not of one segment"]
        .assert_eq(&error.to_string());
}

#[test]
fn damage_never_panics() {
    let fields = |n: u64| {
        let severity = ["INFO", "WARN", "ERROR"][n as usize % 3];
        [("body", Value::Str(format!("line {n}"))), ("severity", severity.into()), ("d", Value::Double(n as f64 / 3.0))]
    };
    let rows: Vec<Row> = (0..2000u64).map(|n| row(n, &fields(n))).collect();
    let mut counts = FieldCounts::new();
    rows.iter().for_each(|row| counts.add(row));
    let layout = Layout::new(&counts);
    let mut writer = Writer::new(Vec::new(), &layout, &[]).unwrap();
    writer.write(&layout.batch(rows.iter())).unwrap();
    let bytes = writer.finish().unwrap().sink;
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(97).chain(bytes.len() - 600..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        let read: Result<usize, crate::ColumnError> = Reader::open(damaged.into()).and_then(|reader| {
            reader.read(&Projection::All, None)?.map(|batch| batch.map(|batch| rows_from_batch(&batch).len())).sum()
        });
        refused += usize::from(read.is_err());
    }
    assert!(refused > 50, "{refused} of the damaged files were refused");
    for len in [0, 4, 11, bytes.len() / 2, bytes.len() - 1] {
        assert!(Reader::open(bytes[..len].to_vec().into()).is_err());
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Double),
        Just(Value::Double(f64::NAN)),
        Just(Value::Double(f64::INFINITY)),
        Just(Value::Double(3.0)),
        ".{0,12}".prop_map(Value::Str),
        "[0-9]{1,3}".prop_map(Value::Str),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof!["[a-c]", Just("$bytes".to_owned()), Just("$double".to_owned()), Just("$map".to_owned())];
        let inner = prop_oneof![inner, Just(Value::Null)];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((key, inner), 0..3).prop_map(|map| Value::Array(vec![Value::Map(map)])),
        ]
    })
}

pub(crate) fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let name = prop_oneof!["[a-e]", ".{1,6}", Just("_overflow".to_owned()), Just("body".to_owned())];
    let fields = proptest::collection::btree_map(name, any_value(), 0..6);
    let row = (0..1000i64, any::<u64>(), "\\{[ab]?\\}", fields).prop_map(|(time, id, stream, fields)| {
        let mut row = Row::new(Timestamp(time));
        row.id = RowId(id);
        row.stream = stream.into();
        row.fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        row
    });
    proptest::collection::vec(row, 0..40)
}

proptest! {
    #[test]
    fn rows_survive_arrow_and_parquet(rows in any_rows()) {
        let batch = batch_of(&rows);
        prop_assert_eq!(canonical(&rows_from_batch(&batch)), canonical(&rows));
        let reader = file_of(&rows);
        let back: Vec<Row> = read(&reader, &Projection::All, None).iter().flat_map(rows_from_batch).collect();
        prop_assert_eq!(canonical(&back), canonical(&rows));
    }

    #[test]
    fn views_agree_with_rows(rows in any_rows()) {
        let batch = batch_of(&rows);
        for name in field_names(&batch) {
            let view = FieldView::new(&batch, &name);
            for (at, row) in rows.iter().enumerate() {
                let value = row.get(&name);
                prop_assert_eq!(view.text(at), value.map(Value::text));
                prop_assert_eq!(format!("{:?}", view.number(at)), format!("{:?}", value.and_then(Value::number)));
                prop_assert_eq!(view.is_null(at), value.is_none());
            }
        }
    }
}

/// What the parts of a builder are for, on rows that a property test made up.
fn built(rows: &[Row], scribble: bool) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    for row in rows {
        builder.begin(row.time);
        for (name, value) in &row.fields {
            let slot = builder.slot(name);
            assert!(!builder.has(slot));
            if scribble {
                builder.put_int(slot, 1);
                builder.put_str(slot, "scribble");
                builder.put_other(slot, &Value::Array(vec![]));
                builder.stream("scribble");
            }
            builder.put_other(slot, value);
            assert!(builder.has(slot));
        }
        builder.stream(&row.stream);
        builder.end();
    }
    assert_eq!(builder.rows(), rows.len());
    assert!(builder.size_bytes() > 0);
    builder.finish()
}

fn check_shape(batch: &RecordBatch) {
    let fields = batch.schema_ref().fields();
    assert_eq!(fields[2].data_type(), &crate::schema::dictionary_type());
    assert_eq!(fields[fields.len() - 1].as_ref(), &crate::schema::overflow_field());
    assert!(fields[3..fields.len() - 1].iter().all(|field| FieldType::of_column(field.data_type()).is_some()));
}

#[test]
fn repeated_texts_become_a_dictionary() {
    let rows: Vec<Row> = (0..2000u64)
        .map(|n| {
            let fields = [
                ("severity", Value::from(["INFO", "WARN"][n as usize % 2])),
                ("body", "same".into()),
                ("many", format!("{n}").as_str().into()),
                ("rare", if n % 100 == 7 { "x".into() } else { Value::Null }),
            ];
            row(n, &fields)
        })
        .collect();
    let batch = batch_of(&rows);
    let view = |name| FieldView::new(&batch, name);
    let severity = view("severity").dict_column().unwrap();
    assert_eq!((severity.values().len(), severity.value(1), severity.keys().null_count()), (2, "WARN", 0));
    let rare = view("rare").dict_column().unwrap();
    assert_eq!((rare.keys().null_count(), rare.is_null(8), rare.value(107)), (1980, true, "x"));
    assert_eq!(view("body").str_column().unwrap().value(1999), "same");
    assert_eq!(view("many").str_column().unwrap().value(1999), "1999");
    assert!(view("many").dict_column().is_none() && view("severity").str_column().is_none());
    assert_eq!(view("_stream").dict_column().unwrap().values().len(), 1);
    let mut counts = FieldCounts::new();
    counts.add_batch(&batch);
    let distinct: Vec<_> = counts.iter().map(|(name, count)| (name, count.distinct)).collect();
    let many = FieldCount::DISTINCT_MANY;
    assert_eq!(distinct, [("severity", 2), ("body", many), ("many", many), ("rare", 1)]);
}

#[test]
fn a_batch_says_its_times_and_takes_ids() {
    let day = 86_400_000_000_000i64;
    for (given, want) in [(vec![], vec![]), (vec![5, 7], vec![0]), (vec![-1, 3 * day, 3 * day + 1, 0], vec![-1, 0, 3])]
    {
        let rows: Vec<Row> = given.iter().map(|time| Row::new(Timestamp(*time))).collect();
        let batch = batch_of(&rows);
        assert_eq!(days(&batch).into_iter().collect::<Vec<_>>(), want);
        let range = given.iter().min().zip(given.iter().max()).map(|(min, max)| (Timestamp(*min), Timestamp(*max)));
        assert_eq!(times(&batch), range);
        let ids: Vec<u64> = rows_from_batch(&with_first_id(&batch, RowId(40))).iter().map(|row| row.id.0).collect();
        assert_eq!(ids, (40..40 + given.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn a_slice_weighs_what_it_shows() {
    let rows: Vec<Row> = (0..1000u64)
        .map(|n| row(n, &[("body", "0123456789".into()), ("n", Value::Int(1)), ("a", Value::Array(vec![]))]))
        .collect();
    let batch = batch_of(&rows);
    // A row: time 8, id 8, stream 4, body 4 + 10, number 8, overflow 4 + (4 + 1) + (4 + 2).
    let (all, tenth) = (batch_bytes(&batch), batch_bytes(&batch.slice(100, 100)));
    assert!((57_000..57_100).contains(&all), "{all}");
    assert!((5_700..5_800).contains(&tenth), "{tenth}");
}

fn same_counts(counts: &FieldCounts) -> std::collections::BTreeMap<String, FieldCount> {
    counts.iter().map(|(name, count)| (name.to_owned(), *count)).collect()
}

proptest! {
    #[test]
    fn a_builder_makes_what_rows_make(rows in any_rows(), scribble in any::<bool>()) {
        let batch = built(&rows, scribble);
        check_shape(&batch);
        let mut unnumbered = rows.clone();
        unnumbered.iter_mut().for_each(|row| row.id = RowId(0));
        prop_assert_eq!(canonical(&rows_from_batch(&batch)), canonical(&unnumbered));
    }

    #[test]
    fn a_batch_is_counted_like_its_rows(rows in any_rows(), from in 0..40usize, len in 0..40usize) {
        let (mut by_row, mut by_batch) = (FieldCounts::new(), FieldCounts::new());
        rows.iter().for_each(|row| by_row.add(row));
        by_batch.add_batch(&batch_of(&rows));
        prop_assert_eq!(same_counts(&by_row), same_counts(&by_batch));
        let from = from.min(rows.len());
        let len = len.min(rows.len() - from);
        let (mut by_row, mut by_slice) = (FieldCounts::new(), FieldCounts::new());
        rows[from..from + len].iter().for_each(|row| by_row.add(row));
        by_slice.add_batch(&batch_of(&rows).slice(from, len));
        let totals = |counts: &FieldCounts| {
            let mut counts = same_counts(counts);
            counts.values_mut().for_each(|count| count.distinct = 0);
            counts
        };
        prop_assert_eq!(totals(&by_row), totals(&by_slice));
    }

    #[test]
    fn conforming_keeps_every_value(rows in any_rows(), others in any_rows(), from in 0..40usize) {
        let (mut counts, mut own) = (FieldCounts::new(), FieldCounts::new());
        others.iter().for_each(|row| counts.add(row));
        let batch = batch_of(&rows);
        own.add_batch(&batch);
        own.iter().for_each(|(name, count)| counts.add_count(name, *count));
        for layout in [Layout::new(&counts), Layout::new(&own), Layout::new(&FieldCounts::new())] {
            let conformed = layout.conform(&batch);
            prop_assert_eq!(conformed.schema(), layout.schema().clone());
            prop_assert_eq!(canonical(&rows_from_batch(&conformed)), canonical(&rows));
            let slice = batch.slice(from.min(rows.len()), rows.len() - from.min(rows.len()));
            let conformed = layout.conform(&slice);
            prop_assert_eq!(canonical(&rows_from_batch(&conformed)), canonical(&rows[from.min(rows.len())..]));
        }
    }

    #[test]
    fn what_has_a_column_is_in_it(rows in any_rows()) {
        let mut counts = FieldCounts::new();
        rows.iter().for_each(|row| counts.add(row));
        let layout = Layout::new(&counts);
        let batch = layout.conform(&batch_of(&rows));
        for (name, ty) in layout.columns() {
            let column = batch.column_by_name(name).unwrap();
            for (at, row) in rows.iter().enumerate() {
                prop_assert_eq!(column.is_valid(at), row.get(name).and_then(FieldType::of) == Some(ty));
            }
        }
        prop_assert!(batch.column_by_name(OVERFLOW).is_some());
    }
}
