//! Folding in pieces and bringing the pieces together gives what folding at once gives, and both what a map gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use lang::{Aggregate, Bucket, Function, Group};
use model::{Row, Timestamp, Value};
use proptest::prelude::*;

use super::*;
use crate::cells::array_value;

fn value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        (0i64..3).prop_map(|n| Some(Value::Int(n))),
        (0i64..3).prop_map(|n| Some(Value::Double(n as f64 + 0.5))),
        prop::sample::select(&["a", "b", "", "1"][..]).prop_map(|text| Some(Value::Str(text.to_owned()))),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0i64..50, value(), value()), 0..40).prop_map(|rows| {
        let make = |(time, a, b): (i64, Option<Value>, Option<Value>)| {
            let mut row = Row::new(Timestamp(time));
            a.into_iter().for_each(|a| row.set("a", a));
            b.into_iter().for_each(|b| row.set("b", b));
            row.finish()
        };
        rows.into_iter().map(make).collect()
    })
}

fn spec() -> Arc<FoldSpec> {
    let by = [
        Group::Field("a".to_owned()),
        Group::Bucket { field: "_time".to_owned(), bucket: Bucket::Time { step_ns: 10, offset_ns: 0 } },
    ];
    let one = |function, fields: &[&str]| Aggregate {
        function,
        fields: fields.iter().map(|name| (*name).to_owned()).collect(),
        filter: None,
        name: format!("{function:?} {fields:?}"),
    };
    let aggregates = [
        one(Function::Count, &[]),
        one(Function::Count, &["b"]),
        one(Function::CountDistinct, &["b"]),
        one(Function::Sum, &["b"]),
        one(Function::Min, &["b"]),
        one(Function::Max, &["b"]),
        one(Function::Max, &["_time"]),
    ];
    let data_type = |name: &str| match name {
        "_time" => DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, Some("UTC".into())),
        _ => DataType::Utf8,
    };
    Arc::new(FoldSpec::of(&by, &aggregates, data_type, 1.0, (1 << 20, Timestamp(0))).unwrap().unwrap())
}

fn batch_of(rows: &[Row]) -> RecordBatch {
    column::rows_to_batch(&rows.iter().collect::<Vec<_>>())
}

/// Rows of the result as texts, sorted.
fn shown(fold: Fold) -> Vec<String> {
    let batch = fold.finish().unwrap();
    let cell = |array, row| array_value(array, row).map_or("-".to_owned(), |value| value.text().into_owned());
    let row = |row| batch.columns().iter().map(|array| cell(array, row)).collect::<Vec<_>>().join("|");
    let mut rows: Vec<String> = (0..batch.num_rows()).map(row).collect();
    rows.sort();
    rows
}

fn naive(rows: &[Row]) -> Vec<String> {
    let mut groups: BTreeMap<(String, i64), Vec<&Row>> = BTreeMap::new();
    let text = |row: &Row, name: &str| row.get(name).map(|value| value.text().into_owned()).unwrap_or_default();
    for row in rows {
        groups.entry((text(row, "a"), row.time.0 / 10 * 10)).or_default().push(row);
    }
    let mut out: Vec<String> = Vec::new();
    for ((a, time), rows) in groups {
        let texts: BTreeSet<String> = rows.iter().map(|row| text(row, "b")).filter(|text| !text.is_empty()).collect();
        let filled = rows.iter().filter(|row| !text(row, "b").is_empty()).count();
        let numbers: Vec<f64> = rows.iter().filter_map(|row| row.get("b")?.number()).collect();
        let number = |n: f64| Value::Double(n).text().into_owned();
        let sum = if numbers.is_empty() { "-".to_owned() } else { number(numbers.iter().sum()) };
        let least = numbers.iter().copied().reduce(f64::min).map(number).or(texts.first().cloned());
        let most = numbers.iter().copied().reduce(f64::max).map(number).or(texts.last().cloned());
        let dash = |text: Option<String>| text.unwrap_or("-".to_owned());
        let last = rows.iter().map(|row| row.time).max().unwrap();
        let distinct = texts.len();
        out.push(format!(
            "{a}|{}|{}|{filled}|{distinct}|{sum}|{}|{}|{last}",
            Timestamp(time),
            rows.len(),
            dash(least),
            dash(most)
        ));
    }
    out.sort();
    out
}

proptest! {
    #[test]
    fn folds_agree_with_a_map(rows in rows(), cut in 0usize..40) {
        let control = Control::new(false);
        let batch = batch_of(&rows);
        let all: Vec<u32> = (0..rows.len() as u32).collect();
        let mut once = Fold::new(spec());
        once.add(&batch, &all, &control).unwrap();
        let want = naive(&rows);
        prop_assert_eq!(shown(once), want.clone());
        let cut = cut.min(rows.len());
        let mut left = Fold::new(spec());
        left.add(&batch_of(&rows[..cut]), &all[..cut], &control).unwrap();
        let mut right = Fold::new(spec());
        right.add(&batch, &all[cut..], &control).unwrap();
        left.absorb(right);
        prop_assert!(left.bytes() > 0 || rows.is_empty());
        prop_assert_eq!(shown(left), want);
    }
}

#[test]
fn without_keys_there_is_one_row_even_of_nothing() {
    let count = |filter| Aggregate { function: Function::Count, fields: Vec::new(), filter, name: "n".to_owned() };
    let spec = |filter| {
        FoldSpec::of(&[], &[count(filter)], |_| DataType::Utf8, 1.0, (1 << 20, Timestamp(0))).unwrap().unwrap()
    };
    assert_eq!(shown(Fold::new(Arc::new(spec(None)))), ["0"]);
    let mut fold = Fold::new(Arc::new(spec(None)));
    fold.add_counted(&[], 5);
    assert_eq!(shown(fold), ["5"]);
    assert!(spec(None).counts_only());
    let filtered = spec(Some(lang::Filter::Field(lang::FieldName::Named("a".to_owned()), lang::Test::Exists)));
    assert!(!filtered.counts_only());
    let rows: Vec<Row> = [Some("x"), None, Some(""), Some("y")]
        .into_iter()
        .map(|a| {
            let mut row = Row::new(Timestamp(1));
            a.into_iter().for_each(|a| row.set("a", a));
            row.finish()
        })
        .collect();
    let mut fold = Fold::new(Arc::new(filtered));
    fold.add(&batch_of(&rows), &[0, 1, 2, 3], &Control::new(false)).unwrap();
    assert_eq!(shown(fold), ["2"]);
}
