use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, StringBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use expect_test::expect;
use model::{Row, Timestamp};
use proptest::prelude::*;

use super::*;
use shape::{Literal, tokenize};

use crate::IndexWriter;

const GO: Stop<'static> = &|| false;

fn row(fields: &[(&str, Value)]) -> Row {
    let mut row = Row::new(Timestamp(0));
    row.fields = fields.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
    row
}

fn finish(writer: IndexWriter, rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = writer.finish(&mut bytes).unwrap();
    assert_eq!((written.rows, written.bytes), (rows as u64, bytes.len() as u64));
    let TierBytes { groups, terms, filters } = written.tiers;
    assert!(groups + terms + filters < written.bytes);
    bytes
}

fn packed(rows: &[Row]) -> Vec<u8> {
    let mut writer = IndexWriter::new().unwrap();
    writer.add_batch(&column::rows_to_batch(&rows.iter().collect::<Vec<_>>())).unwrap();
    finish(writer, rows.len())
}

fn open(bytes: Vec<u8>) -> IndexReader {
    let index = IndexReader::open(bytes.into()).unwrap();
    index.verify().unwrap();
    index
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn batches(batches: &[RecordBatch]) -> IndexReader {
    batches_for(u64::MAX, batches)
}

/// An index that was told to expect so many rows.
fn batches_for(rows: u64, batches: &[RecordBatch]) -> IndexReader {
    let mut writer = IndexWriter::for_rows(rows).unwrap();
    batches.iter().for_each(|batch| writer.add_batch(batch).unwrap());
    let values = |batch: &RecordBatch| batch.columns().iter().any(|column| column.null_count() < column.len());
    assert!(writer.memory_bytes() > 0 || !batches.iter().any(values));
    open(finish(writer, batches.iter().map(RecordBatch::num_rows).sum()))
}

fn dictionary<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    values.into_iter().for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn overflow(rows: &[&[(&str, &str)]]) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in *row {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true).unwrap();
    }
    Arc::new(builder.finish())
}

fn sure(hits: Hits) -> Vec<u32> {
    assert!(hits.maybe.is_empty(), "{hits:?}");
    hits.sure.iter().collect()
}

#[test]
fn words_lead_to_rows() {
    let index = open(packed(&[
        row(&[("body", "Connection refused".into()), ("code", Value::Int(-5))]),
        row(&[("body", "connection reset, connection lost".into()), ("ok", Value::Bool(true))]),
        row(&[("other", "connection".into()), ("ratio", Value::Double(2.5))]),
        row(&[("list", Value::Array(vec!["red".into(), Value::Int(7)])), ("_stream", "red".into())]),
    ]));
    let word = |field, token| sure(index.word(field, token, GO).unwrap());
    assert_eq!(word("body", "connection"), [0, 1]);
    assert_eq!(word("other", "connection"), [2]);
    assert_eq!(word("code", "5"), [0]);
    assert_eq!(word("ok", "true"), [1]);
    assert_eq!(word("ratio", "2"), [2]);
    assert_eq!(word("list", "red"), [3]);
    assert_eq!((word("body", "conn"), word("absent", "x")), (vec![], vec![]));
    assert_eq!(index.count("body", "connection").unwrap(), Some(2));
    assert_eq!(index.count("body", "absent").unwrap(), Some(0));
    assert_eq!(sure(index.prefix("body", "re", 10, GO).unwrap()), [0, 1]);
    assert_eq!(sure(index.prefix("body", "", 10, GO).unwrap()), [0, 1]);
    let phrase = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        sure(index.phrase("body", &words, GO).unwrap())
    };
    assert_eq!((phrase(&["reset", "connection"]), phrase(&["connection", "connection"])), (vec![1], vec![]));
    assert!(index.is_complete("body") && index.is_complete("absent"));
    assert!(!index.is_complete("_stream") && !index.is_complete("_time"));
    assert_eq!(index.rows(), 4);
}

#[test]
fn values_are_counted_and_located() {
    let columns = batch(vec![
        ("severity", dictionary([Some("INFO"), Some("ERROR"), None, Some("INFO")])),
        ("status", Arc::new(Int64Array::from(vec![Some(200), Some(-500), Some(200), None]))),
        ("ratio", Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(-0.0), Some(f64::INFINITY), None]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]))),
        (
            "_overflow",
            overflow(&[
                &[("status", "404"), ("tag", "\"a b\""), ("tag", "\"ignored\"")],
                &[("list", "[\"x\",1]")],
                &[("tag", "\"a\\u0020b\"")],
                &[("status", "\"2 00\"")],
            ]),
        ),
    ]);
    let index = batches(&[columns.clone(), columns]);
    let values = |field: &str| -> BTreeMap<String, (u64, Vec<u32>)> {
        let values = index.values(field).unwrap().unwrap();
        let rows = |nth| index.rows_of(field, nth, GO).unwrap().iter().collect();
        let found = values.iter().enumerate();
        found.map(|(nth, found)| (format!("{:?}", found.value), (found.rows, rows(nth)))).collect()
    };
    let want = |list: &[(&str, &[u32])]| -> BTreeMap<String, (u64, Vec<u32>)> {
        list.iter().map(|(value, rows)| ((*value).to_owned(), (rows.len() as u64, rows.to_vec()))).collect()
    };
    assert_eq!(values("severity"), want(&[("Str(\"ERROR\")", &[1, 5]), ("Str(\"INFO\")", &[0, 3, 4, 7])]));
    assert_eq!(
        values("status"),
        want(&[("Int(200)", &[0, 2, 4, 6]), ("Int(-500)", &[1, 5]), ("Str(\"2 00\")", &[3, 7])])
    );
    assert_eq!(values("ratio"), want(&[("Double(NaN)", &[0, 4]), ("Double(-0.0)", &[1, 5]), ("Double(inf)", &[2, 6])]));
    assert_eq!(values("ok"), want(&[("Bool(false)", &[2, 6]), ("Bool(true)", &[0, 3, 4, 7])]));
    assert_eq!(values("tag"), want(&[("Str(\"a b\")", &[0, 2, 4, 6])]));
    assert_eq!(values("absent"), want(&[]));
    assert_eq!(sure(index.word("list", "x", GO).unwrap()), [1, 5]);
    assert_eq!(index.count("status", "500").unwrap(), Some(2));
    assert!(sure(index.word("status", "404", GO).unwrap()).is_empty());
}

#[test]
fn many_numbers_are_a_range_and_a_list() {
    let ints: Vec<Option<i64>> = (0..4000).map(|n| (n % 2 == 0).then_some(5_000 + n * 7)).collect();
    let doubles: Vec<f64> = (0..4000).map(|n| f64::from(n) * 0.37).collect();
    let index = batches(&[batch(vec![
        ("size", Arc::new(Int64Array::from(ints))),
        ("ms", Arc::new(Float64Array::from(doubles))),
    ])]);
    let maybe = |field, token| {
        let hits = index.word(field, token, GO).unwrap();
        assert!(hits.sure.is_empty());
        hits.maybe.len()
    };
    assert_eq!((maybe("size", "6000"), maybe("size", "4"), maybe("size", "x")), (2000, 0, 0));
    assert_eq!((maybe("ms", "37"), maybe("ms", "inf"), maybe("ms", "x")), (4000, 4000, 0));
    assert_eq!((index.count("size", "4").unwrap(), index.count("size", "6000").unwrap()), (Some(0), None));
    assert_eq!(index.values("size").unwrap(), None);
    assert!(index.probe("size", &mut |_| Probe::No, GO).unwrap().is_none());
}

#[test]
fn shapes_cost_little_and_ids_are_in_filters() {
    let body = |n: u64| format!("Took block blk_-{} from 10.0.{}.7 in {} ms", n * 0x9e37_79b9_7f4a, n % 200, n % 13);
    let texts: Vec<String> = (0..50_000).map(body).collect();
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(&texts));
    let index = batches(&[batch(vec![("body", column)])]);
    let tiers = index.tiers();
    assert!(tiers.groups < 1_000, "{tiers:?}");
    assert!(tiers.filters < 50_000 * 23 / 10, "{tiers:?}");
    assert!(tiers.terms < 140_000, "{tiers:?}");
    assert_eq!(index.word("body", "took", GO).unwrap().sure.len(), 50_000);
    assert_eq!(index.count("body", "block").unwrap(), Some(50_000));
    assert_eq!(index.count("body", "199").unwrap(), Some(250));
    let id = (4_321 * 0x9e37_79b9_7f4a_u64).to_string();
    let hits = index.word("body", &id, GO).unwrap();
    assert!(hits.maybe.contains(4_321) && hits.len() <= 3 * 2_048, "{}", hits.len());
    assert!(index.estimate("body", &id).unwrap() >= hits.len());
    assert!(index.word("body", "12345678901234567890", GO).unwrap().len() <= 2_048);
    let hits = index.prefix("body", "blk", 100, GO).unwrap();
    assert_eq!((hits.sure.len(), hits.maybe.len()), (50_000, 0));
    let mut found = Probe::No;
    index
        .probe(
            "body",
            &mut |text| {
                found = text.could_contain(&Literal::new("ms"));
                found
            },
            GO,
        )
        .unwrap()
        .unwrap();
    assert_eq!(found, Probe::Sure);
    let stopped = index.word("body", "took", &|| true);
    assert!(matches!(stopped, Err(IndexError::Stopped)), "{stopped:?}");
}

#[test]
fn rare_words_are_counted_and_located() {
    // The words differ in letters only, each text is a shape of its own, and some words come twice.
    let letters = |mut n: usize| -> String {
        let mut word = String::new();
        for _ in 0..4 {
            word.push(char::from(b'a' + (n % 26) as u8));
            n /= 26;
        }
        word
    };
    let text = |n: usize| format!("Lost {} of {}", letters(n * 7919), letters(n / 2 * 104_729 + 13));
    let texts: Vec<Option<String>> = (0..20_000).map(|n| Some(text(n))).collect();
    let column: ArrayRef = Arc::new(StringArray::from_iter(&texts));
    let index = batches(&[batch(vec![("f", column), ("g", dictionary(vec![Some("elsewhere"); 20_000]))])]);
    let scan = Scan { index: &index, texts: &texts };
    for n in (0..20_000).step_by(997) {
        for word in tokenize(&text(n)) {
            let want = scan.rows(|text| tokenize(text).any(|own| own == word));
            assert_eq!(index.word("f", &word, GO).unwrap(), Hits { sure: want.clone(), maybe: RoaringBitmap::new() });
            assert_eq!(index.count("f", &word).unwrap(), Some(want.len()), "{word}");
            assert_eq!(index.estimate("f", &word).unwrap(), want.len(), "{word}");
            scan.prefix(&word, 10);
            scan.prefix(&word[..2], 1000);
            scan.prefix(&word[..1], 3);
        }
    }
    for absent in ["a", "zzzzzzzz", "los", "losta", "elsewhere"] {
        assert_eq!(index.word("f", absent, GO).unwrap(), Hits::none());
        assert_eq!(index.count("f", absent).unwrap(), Some(0));
    }
    assert!(index.tiers().filters < 10, "{:?}", index.tiers());
}

#[test]
fn free_text_keeps_its_words_with_digits() {
    let word = |n: u32| char::from_u32(0x430 + n % 32).unwrap().to_string().repeat(1 + n as usize % 5);
    let text = |n: u32| format!("{} {} v{n} x{} {}", word(n), word(n / 32), n % 9_000, word(n / 997 + n % 7));
    let texts: Vec<Option<String>> =
        (0..14_000).map(|n| Some([&*text(n), &"-".repeat(n as usize % 211)].concat())).collect();
    let column: ArrayRef = Arc::new(StringArray::from_iter(&texts));
    let index = batches(&[batch(vec![("f", column)])]);
    let scan = Scan { index: &index, texts: &texts };
    for token in ["v13999", "v77", "x8999", "x3", "v0", "absent", "v99999", "б"] {
        scan.token(token);
        scan.prefix(token, 10);
        scan.prefix(&token.chars().take(3).collect::<String>(), 10_000);
    }
}

#[test]
fn lists_that_will_be_blocks_are_so_from_the_start() {
    let text = |n: u32| format!("to 10.{}.7.{} in {} ms", n % 3, n * 7 % 250, n % 1013);
    let column: ArrayRef = Arc::new(StringArray::from_iter_values((0..40_000).map(text)));
    let columns = [batch(vec![("f", column)])];
    let (expected, unexpected) = (batches_for(40_000, &columns), batches(&columns));
    assert!(expected.tiers().terms <= unexpected.tiers().terms);
    for token in ["0", "2", "10", "7", "249", "999", "1012"] {
        assert_eq!(expected.word("f", token, GO).unwrap(), unexpected.word("f", token, GO).unwrap(), "{token}");
        assert_eq!(expected.count("f", token).unwrap(), unexpected.count("f", token).unwrap(), "{token}");
    }
}

#[test]
fn very_long_words_are_in_filters() {
    let long = |n: usize| "y".repeat(crate::TOKEN_BYTES_MAX + 1 + n % 3);
    let texts: Vec<Option<String>> = (0..100).map(|n| Some(format!("{} {}", long(n), "z".repeat(n)))).collect();
    let column: ArrayRef = Arc::new(StringArray::from_iter(&texts));
    let index = batches(&[batch(vec![("f", column)])]);
    let scan = Scan { index: &index, texts: &texts };
    (0..4).for_each(|n| scan.token(&long(n)));
    scan.token("zzz");
    scan.prefix("yy", 10);
}

#[test]
fn names_and_types_that_cannot_be_indexed_make_fields_incomplete() {
    let name = "n".repeat(crate::FIELD_NAME_BYTES_MAX + 1);
    let index = batches(&[batch(vec![
        (name.as_str(), dictionary([Some("word")])),
        ("odd", Arc::new(arrow_array::UInt8Array::from(vec![1]))),
        ("fine", dictionary([Some("word")])),
        ("_overflow", overflow(&[&[("deep", &"[".repeat(1000))]])),
    ])]);
    assert!(!index.is_complete(&name) && !index.is_complete("odd") && !index.is_complete("deep"));
    assert!(index.is_complete("fine"));
    assert_eq!((index.count("odd", "1").unwrap(), index.values("odd").unwrap()), (None, None));
}

#[test]
fn rows_without_a_word_keep_their_number() {
    let rows = [row(&[]), row(&[("a", "".into())]), row(&[("a", "x".into())]), row(&[])];
    let index = open(packed(&rows));
    assert_eq!(sure(index.word("a", "x", GO).unwrap()), [2]);
    assert_eq!(index.rows(), 4);
    assert_eq!(open(packed(&[])).rows(), 0);
}

#[test]
fn damage_never_panics() {
    let text = |n: usize| format!("common w{n} {} took {}{}", n % 7, ["a", "b", "c"][n % 3], n * 7_919_777);
    let free = |n: usize| format!("{} {}", "x".repeat(n % 37), char::from(b'a' + (n % 26) as u8)).repeat(9);
    let rare = |n: usize| -> String { n.to_string().bytes().map(|b| char::from(b + 49)).collect::<String>() + " rare" };
    let rows: Vec<Row> = (0..3000)
        .map(|n| {
            let free = if n % 5 == 0 { rare(n) } else { free(n) };
            row(&[("body", text(n).into()), ("free", free.into()), ("n", Value::Int(n as i64 % 9))])
        })
        .collect();
    let bytes = packed(&rows);
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(37).chain(bytes.len() - 1500..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        let read = IndexReader::open(damaged.into()).and_then(|index| {
            for field in ["body", "free", "n"] {
                index.word(field, "common", GO)?;
                index.word(field, "7919777", GO)?;
                index.word(field, &"x".repeat(23), GO)?;
                index.word(field, rare(77).split(' ').next().unwrap(), GO)?;
                index.prefix(field, "w1", 5000, GO)?;
                index.prefix(field, "a", 5000, GO)?;
                index.phrase(field, &["common".into(), "w1".into()], GO)?;
                index.values(field)?;
                index.rows_of(field, 1, GO)?;
                index.count(field, "3")?;
                index.estimate(field, "took")?;
            }
            index.verify()
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

/// What a scan of all texts finds.
struct Scan<'a> {
    index: &'a IndexReader,
    texts: &'a [Option<String>],
}

impl Scan<'_> {
    fn rows(&self, is: impl Fn(&str) -> bool) -> RoaringBitmap {
        let hit = |(_, text): &(u32, &Option<String>)| text.as_deref().is_some_and(&is);
        (0u32..).zip(self.texts).filter(hit).map(|(at, _)| at).collect()
    }

    #[track_caller]
    fn check(&self, what: &str, hits: &Hits, want: &RoaringBitmap) {
        assert!(hits.sure.is_disjoint(&hits.maybe), "{what}: {hits:?}");
        assert!(hits.sure.is_subset(want), "{what}: {hits:?} but {want:?}");
        assert!(want.is_subset(&hits.rows()), "{what}: {hits:?} but {want:?}");
    }

    fn token(&self, token: &str) {
        let want = self.rows(|text| tokenize(text).any(|own| own == token));
        self.check(token, &self.index.word("f", token, GO).unwrap(), &want);
        if let Some(count) = self.index.count("f", token).unwrap() {
            assert_eq!(count, want.len(), "count of {token}");
        }
        assert!(self.index.estimate("f", token).unwrap() >= want.len(), "estimate of {token}");
    }

    fn prefix(&self, prefix: &str, max: usize) {
        let want = self.rows(|text| tokenize(text).any(|own| own.starts_with(prefix)));
        self.check(&format!("{prefix}*"), &self.index.prefix("f", prefix, max, GO).unwrap(), &want);
    }

    fn phrase(&self, words: &[String]) {
        let has = |text: &str| {
            let own: Vec<_> = tokenize(text).collect();
            own.windows(words.len()).any(|window| window == words)
        };
        self.check(&format!("{words:?}"), &self.index.phrase("f", words, GO).unwrap(), &self.rows(has));
    }

    fn literal(&self, literal: &str) {
        let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
        let literal = lower(literal);
        let prepared = Literal::new(&literal);
        let want = self.rows(|text| lower(text).contains(&literal));
        if let Some(hits) = self.index.probe("f", &mut |text| text.could_contain(&prepared), GO).unwrap() {
            self.check(&format!("{literal:?} inside"), &hits, &want);
        }
        // A test that only knows whole texts.
        let whole = |text: &GroupText<'_>| match text.whole() {
            Some(text) if lower(text).contains(&literal) => Probe::Sure,
            Some(_) => Probe::No,
            None => Probe::Maybe,
        };
        if let Some(hits) = self.index.probe("f", &mut |text| whole(text), GO).unwrap() {
            self.check(&format!("{literal:?} in wholes"), &hits, &want);
        }
    }

    fn values(&self) {
        let Some(values) = self.index.values("f").unwrap() else { return };
        let mut want: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (at, text) in (0u32..).zip(self.texts) {
            if let Some(text) = text {
                want.entry(text).or_default().push(at);
            }
        }
        assert_eq!(values.len(), want.len());
        for (nth, found) in values.iter().enumerate() {
            let rows: Vec<u32> = self.index.rows_of("f", nth, GO).unwrap().iter().collect();
            assert_eq!((found.rows, Some(&rows)), (rows.len() as u64, want.get(&*found.value.text())));
        }
    }
}

/// Texts whose shapes repeat: a few words in a few orders, some numbers, ids, other alphabets.
fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
    let word = prop_oneof![
        4 => "[abAB]{1,2}",
        2 => "[0-9]{1,5}",
        1 => "[0-9a-f]{4,6}",
        1 => "[0-9]{7}",
        1 => "[a-c0-2_]{2,6}",
        1 => "[é错误数İſK1٣_]{1,3}",
        1 => "[0-9]{3}[a-f]{14}",
    ];
    let text = proptest::collection::vec((word, "[ ]|[ .,=:-]|"), 0..6);
    let text = text.prop_map(|parts| parts.into_iter().map(|(word, gap)| word + &gap).collect::<String>());
    let long = text.clone().prop_map(|text| text + &" long".repeat(60));
    let pool = proptest::collection::vec(prop_oneof![12 => text, 1 => long], 1..60);
    let rows = (pool, proptest::collection::vec((any::<prop::sample::Index>(), 0..20u8, any::<u16>()), 1..400));
    rows.prop_map(|(pool, rows)| {
        let text = |(at, kind, n): (prop::sample::Index, u8, u16)| {
            let text = at.get(&pool);
            match kind {
                0 => None,
                1..4 => Some(text.clone()),
                4..10 => Some(format!("{text} {n}")),
                10..14 => Some(format!("id {}{n} {}", n % 3, n % 40)),
                14..18 => Some(format!("u{}x {text}", n % 1000)),
                _ => Some(format!("{n}{text}")),
            }
        };
        rows.into_iter().map(text).collect()
    })
}

/// Texts in two parts, as segments keep bodies.
fn split(texts: StringArray) -> ArrayRef {
    let whole = batch(vec![("body", Arc::new(texts))]);
    column::split_bodies(&whole).column_by_name("body").unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn texts_in_two_parts_make_the_same_index(texts in texts()) {
        let bytes = |column: ArrayRef| {
            let mut writer = IndexWriter::new().unwrap();
            writer.add_batch(&batch(vec![("f", column)])).unwrap();
            let mut bytes = Vec::new();
            writer.finish(&mut bytes).unwrap();
            bytes
        };
        let texts: StringArray = texts.into_iter().collect();
        prop_assert!(bytes(split(texts.clone())) == bytes(Arc::new(texts)));
    }

    #[test]
    fn the_index_agrees_with_a_scan(texts in texts(), kind in 0..4, cut in 0usize..400, expected in 0u64..10_000) {
        let column = |texts: &[Option<String>]| -> RecordBatch {
            let texts = texts.iter().map(Option::as_deref);
            match kind {
                0 => batch(vec![("f", Arc::new(texts.collect::<StringArray>()))]),
                1 => batch(vec![("f", dictionary(texts))]),
                2 => batch(vec![("f", split(texts.collect()))]),
                _ => {
                    let json: Vec<Option<String>> = texts.map(|text| text.map(|text| Value::from(text).to_json())).collect();
                    let rows: Vec<Vec<(&str, &str)>> = json.iter().map(|json| json.iter().map(|json| ("f", json.as_str())).collect()).collect();
                    batch(vec![("_overflow", overflow(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>()))])
                }
            }
        };
        let (first, second) = texts.split_at(cut.min(texts.len()));
        let index = batches_for(expected, &[column(first), column(second)]);
        let scan = Scan { index: &index, texts: &texts };
        let words: Vec<Vec<String>> = texts.iter().flatten().map(|text| tokenize(text).map(|word| word.into_owned()).collect()).collect();
        let tokens: BTreeSet<&String> = words.iter().flatten().collect();
        for token in tokens.iter().copied().chain([&"absent".to_owned(), &"77".to_owned()]).step_by(1 + tokens.len() / 60) {
            scan.token(token);
            for len in 1..3 {
                let prefix: String = token.chars().take(len).collect();
                scan.prefix(&prefix, 10_000);
                scan.prefix(&prefix, 1);
            }
            scan.prefix(token, 10);
        }
        for words in words.iter().step_by(1 + words.len() / 30) {
            words.windows(2).chain(words.windows(3)).for_each(|window| scan.phrase(window));
        }
        for text in texts.iter().flatten().step_by(1 + texts.len() / 30) {
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            ends.iter().zip(ends.iter().skip(4)).for_each(|(from, to)| scan.literal(&text[*from..*to]));
        }
        scan.literal("a 1");
        scan.values();
    }
}
