use arrow_array::RecordBatch;
use model::{Row, RowId, Timestamp, Value};
use proptest::prelude::*;

use super::*;
use crate::tests::{any_rows, batch_of, canonical};
use crate::{FieldCounts, Layout, rows_from_batch};

fn encoded(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = b"before".to_vec();
    encode_batch(batch, &mut bytes);
    bytes.split_off(6)
}

fn without_ids(rows: &[Row]) -> Vec<String> {
    let mut rows = rows.to_vec();
    rows.iter_mut().for_each(|row| row.id = RowId(0));
    canonical(&rows)
}

/// Rows with every width of integers and dictionaries.
fn wide_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for n in 0..1000i64 {
        let mut row = Row::new(Timestamp(1_795_424_400_000_000_000 - n * n * 1_000_003));
        row.stream = format!("{{host.name=\"{}\"}}", n / 3).into();
        row.set("constant", 7);
        row.set("byte", n % 200 - 100);
        row.set("short", n * 3);
        row.set("word", n * 1_000_000);
        row.set("long", if n % 2 == 0 { i64::MIN } else { i64::MAX });
        row.set("one", "text");
        row.set("two", format!("text {}", n % 2));
        row.set("d", n as f64 / 3.0);
        row.set("b", n % 3 == 0);
        row.set("body", format!("line {n} é"));
        if n % 5 == 0 {
            row.set("rare", format!("{}", n % 10));
            row.set("list", Value::Array(vec![Value::Int(n)]));
        }
        rows.push(row);
    }
    rows
}

#[test]
fn every_width_survives() {
    let rows = wide_rows();
    let batch = batch_of(&rows);
    let bytes = encoded(&batch);
    let back = decode_batch(&bytes).unwrap();
    assert_eq!(canonical(&rows_from_batch(&back)), canonical(&rows));
    assert_eq!(back.schema(), batch.schema());
    assert!(bytes.len() < crate::batch_bytes(&batch) * 7 / 10, "{} bytes", bytes.len());
}

#[test]
fn truncated_bytes_are_refused() {
    let bytes = encoded(&batch_of(&wide_rows()[..40]));
    for len in 0..bytes.len() {
        assert!(decode_batch(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = decode_batch(&longer).unwrap_err().to_string();
    assert_eq!(error, "damaged batch: 1 bytes after its end; the log around it is damaged too");
    let error = decode_batch(&[9, 0]).unwrap_err().to_string();
    assert_eq!(error, "damaged batch: its version is 9, this program reads 1; the log around it is damaged too");
}

proptest! {
    #[test]
    fn rows_survive_the_log(rows in any_rows(), from in 0..40usize, len in 0..40usize) {
        let batch = batch_of(&rows);
        let back = decode_batch(&encoded(&batch)).unwrap();
        prop_assert_eq!(without_ids(&rows_from_batch(&back)), without_ids(&rows));
        let from = from.min(rows.len());
        let len = len.min(rows.len() - from);
        let mut counts = FieldCounts::new();
        counts.add_batch(&batch);
        for batch in [batch.slice(from, len), Layout::new(&counts).conform(&batch).slice(from, len)] {
            let back = decode_batch(&encoded(&batch)).unwrap();
            prop_assert_eq!(without_ids(&rows_from_batch(&back)), without_ids(&rows[from..from + len]));
        }
    }

    #[test]
    fn damage_is_an_error_or_other_rows(
        rows in any_rows(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8u8), 1..4),
        junk in any::<Vec<u8>>(),
    ) {
        let mut bytes = encoded(&batch_of(&rows));
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        for bytes in [&bytes, &junk] {
            if let Ok(batch) = decode_batch(bytes) {
                prop_assert_eq!(rows_from_batch(&batch).len(), batch.num_rows());
            }
        }
    }
}
