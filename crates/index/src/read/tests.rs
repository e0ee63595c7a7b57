use std::collections::BTreeSet;
use std::sync::Arc;

use expect_test::expect;
use model::{Row, Timestamp, Value};
use proptest::prelude::*;

use super::*;
use crate::{IndexWriter, TOKEN_BYTES_MAX, tokenize};

fn row(fields: &[(&str, Value)]) -> Row {
    let mut row = Row::new(Timestamp(0));
    row.fields = fields.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
    row
}

fn packed(rows: &[Row]) -> Vec<u8> {
    let mut writer = IndexWriter::new().unwrap();
    rows.iter().for_each(|row| writer.add(row).unwrap());
    let mut bytes = Vec::new();
    let written = writer.finish(&mut bytes).unwrap();
    assert_eq!((written.rows, written.bytes), (rows.len() as u64, bytes.len() as u64));
    bytes
}

fn index(rows: &[Row]) -> IndexReader {
    IndexReader::open(packed(rows).into()).unwrap()
}

fn found(rows: RoaringBitmap) -> Vec<u32> {
    rows.iter().collect()
}

#[test]
fn words_lead_to_rows() {
    let index = index(&[
        row(&[("body", "Connection refused".into()), ("code", Value::Int(-5))]),
        row(&[("body", "connection reset, connection lost".into()), ("ok", Value::Bool(true))]),
        row(&[("other", "connection".into()), ("ratio", Value::Double(2.5))]),
        row(&[("list", Value::Array(vec!["red".into(), Value::Int(7)])), ("_stream", "red".into())]),
    ]);
    assert_eq!(found(index.term("body", "connection").unwrap()), [0, 1]);
    assert_eq!(found(index.term("other", "connection").unwrap()), [2]);
    assert_eq!(found(index.term("code", "5").unwrap()), [0]);
    assert_eq!(found(index.term("ok", "true").unwrap()), [1]);
    assert_eq!(found(index.term("ratio", "2").unwrap()), [2]);
    assert_eq!(found(index.term("list", "red").unwrap()), [3]);
    assert_eq!(found(index.term("body", "conn").unwrap()), [0u32; 0]);
    assert_eq!(index.doc_freq("body", "connection").unwrap(), 2);
    assert_eq!(index.doc_freq("body", "absent").unwrap(), 0);
    assert_eq!(found(index.prefix("body", "re", 10).unwrap().unwrap()), [0, 1]);
    assert_eq!(found(index.prefix("body", "", 10).unwrap().unwrap()), [0, 1]);
    assert_eq!(index.prefix("body", "re", 1).unwrap(), None);
    assert!(index.is_complete("body") && index.is_complete("absent"));
    assert!(!index.is_complete("_stream") && !index.is_complete("_time"));
    assert_eq!(index.rows(), 4);
    index.verify().unwrap();
}

#[test]
fn a_token_that_is_too_long_makes_its_field_incomplete() {
    let long = "x".repeat(TOKEN_BYTES_MAX + 1);
    let fits = "y".repeat(TOKEN_BYTES_MAX);
    let name = "n".repeat(crate::FIELD_NAME_BYTES_MAX + 1);
    let index = index(&[row(&[
        ("a", format!("{long} word").into()),
        ("b", fits.clone().into()),
        (&name, "word".into()),
        ("c\u{1f}d", "word".into()),
    ])]);
    assert!(!index.is_complete("a") && index.is_complete("b"));
    assert!(!index.is_complete(&name) && !index.is_complete("c\u{1f}d"));
    assert_eq!(found(index.term("a", "word").unwrap()), [0]);
    assert_eq!(found(index.term("b", &fits).unwrap()), [0]);
}

#[test]
fn rows_without_a_word_keep_their_number() {
    let rows = [row(&[]), row(&[("a", "".into())]), row(&[("a", "x".into())]), row(&[])];
    assert_eq!(found(index(&rows).term("a", "x").unwrap()), [2]);
    assert_eq!(index(&rows).rows(), 4);
}

#[test]
fn the_document_store_is_left_out() {
    let rows: Vec<Row> = (0..50_000).map(|_| row(&[("a", "x".into())])).collect();
    let bytes = packed(&rows).len();
    // 4 bytes a row of an empty store would be 200,000.
    assert!(bytes < 50_000, "{bytes} bytes");
}

#[test]
fn damage_never_panics() {
    let rows: Vec<Row> = (0..3000).map(|n| row(&[("body", format!("common w{n} {}", n % 7).into())])).collect();
    let bytes = packed(&rows);
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(53).chain(bytes.len() - 900..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        let read = IndexReader::open(damaged.into()).and_then(|index| {
            index.verify()?;
            index.term("body", "common")?;
            index.prefix("body", "w1", 5000)
        });
        refused += usize::from(read.is_err());
    }
    assert!(refused > 50, "{refused} damaged files were refused");
    for len in [0, 7, 8, 20, bytes.len() / 2, bytes.len() - 1] {
        assert!(IndexReader::open(bytes[..len].to_vec().into()).is_err());
    }
    let error = IndexReader::open(b"BSINDEX1 nothing of the kind".to_vec().into()).unwrap_err();
    expect!["damaged index file: no index magic in a file of 28 bytes; `backstop segments repair` rebuilds it from the columns"]
        .assert_eq(&error.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_index_agrees_with_a_scan(texts in proptest::collection::vec(("[ab]", "([abAB错误é_1]{1,3}[ ,.]?){0,6}"), 1..200)) {
        let rows: Vec<Row> = texts.iter().map(|(name, text)| row(&[(name, text.as_str().into())])).collect();
        let index = index(&rows);
        let scan = |field: &str, matches: &dyn Fn(&str) -> bool| -> Vec<u32> {
            let hit = |(name, text): &(String, String)| name == field && tokenize(text).any(|token| matches(&token));
            (0u32..).zip(&texts).filter(|(_, pair)| hit(pair)).map(|(at, _)| at).collect()
        };
        let tokens: BTreeSet<String> =
            texts.iter().flat_map(|(_, text)| tokenize(text)).map(|token| token.into_owned()).collect();
        for token in &tokens {
            for field in ["a", "b"] {
                let want = scan(field, &|other| other == token);
                prop_assert_eq!(index.doc_freq(field, token).unwrap(), want.len() as u64);
                prop_assert_eq!(found(index.term(field, token).unwrap()), want);
                let start: String = token.chars().take(1).collect();
                let want = scan(field, &|other| other.starts_with(&start));
                prop_assert_eq!(found(index.prefix(field, &start, 10_000).unwrap().unwrap()), want);
            }
        }
    }
}
