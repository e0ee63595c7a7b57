//! What an index says of random filters over rows of few shapes: never wrong, and exact where it claims to be.

use index::{IndexFile, IndexWriter};
use lang::{Bound, Case, Comparison, Filter, Test};
use model::{Row, Timestamp, Value};
use proptest::prelude::*;

use super::*;
use crate::predicate::compile_at;

/// Rows of templates that repeat often enough to be groups, and of loose texts.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let id = || prop_oneof![Just("7".to_owned()), "[0-9]{1,3}", "[0-9a-f]{8}", "x[0-9][a-z][0-9]"];
    let body = prop_oneof![
        4 => id().prop_map(|id| format!("GET /users/{id} took {id} ms")),
        4 => (id(), id()).prop_map(|(a, b)| format!("Payment {a} failed: timeout node{b}, id={a}")),
        2 => Just("connection reset by peer".to_owned()),
        1 => Just("用户登录失败 error".to_owned()),
        1 => "[a-c ]{0,8}",
    ];
    let value = prop_oneof![
        (0i64..3).prop_map(Value::Int),
        prop::sample::select(&["GET", "get", "7", ""][..]).prop_map(|text| Value::Str(text.to_owned())),
    ];
    let row = (prop::option::weighted(0.9, body), prop::option::weighted(0.7, value));
    prop::collection::vec(row, 1..400).prop_map(|rows| {
        let make = |(body, few): (Option<String>, Option<Value>)| {
            let mut row = Row::new(Timestamp(1));
            body.into_iter().for_each(|body| row.set("body", body));
            few.into_iter().for_each(|few| row.set("few", few));
            row.finish()
        };
        rows.into_iter().map(make).collect()
    })
}

const TEXTS: [&str; 16] = [
    "took",
    "payment",
    "Payment",
    "node7",
    "node",
    "7",
    "users/7",
    "timeout node",
    "failed: timeout",
    "ms",
    "id=",
    "reset by",
    "登录",
    "登",
    "GET",
    "get /users",
];

const PATTERNS: [&str; 8] =
    ["took [0-9]+ ms", "^GET", "(?i)payment", "peer$", "node[0-9]+,", "timeout|reset", "[a-c] [a-c]", "users/7\\b"];

fn test() -> impl Strategy<Value = Test> {
    let text = || prop::sample::select(&TEXTS[..]).prop_map(str::to_owned);
    let case = || prop_oneof![2 => Just(Case::Insensitive), 1 => Just(Case::Sensitive)];
    prop_oneof![
        6 => (text(), any::<bool>(), case()).prop_map(|(text, prefix, case)| Test::Phrase { text, prefix, case }),
        2 => (text(), any::<bool>(), case()).prop_map(|(text, prefix, case)| Test::Exact { text, prefix, case }),
        4 => prop::sample::select(&PATTERNS[..]).prop_map(|pattern| Test::Regex(pattern.to_owned())),
        1 => Just(Test::Compare(Comparison::Greater, Bound { text: "1".to_owned(), number: Some(1.0) })),
        1 => prop::collection::vec(text(), 1..3).prop_map(Test::In),
        1 => Just(Test::Exists),
        1 => Just(Test::Empty),
        1 => prop::collection::vec(text(), 1..3).prop_map(Test::Sequence),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let name = prop_oneof![
        4 => Just(FieldName::Named("body".to_owned())),
        2 => Just(FieldName::Named("few".to_owned())),
        1 => Just(FieldName::Named("absent".to_owned())),
        1 => Just(FieldName::Any),
    ];
    let leaf = (name, test()).prop_map(|(name, test)| Filter::Field(name, test));
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_index_is_never_wrong(rows in rows(), filters in prop::collection::vec(filter(), 12)) {
        let batch = column::rows_to_batch(&rows.iter().collect::<Vec<_>>());
        let mut writer = IndexWriter::new().unwrap();
        writer.add_batch(&batch).unwrap();
        let mut bytes = Vec::new();
        writer.finish(&mut bytes).unwrap();
        let index = IndexReader::open(IndexFile::from(bytes)).unwrap();
        let control = Control::new(false);
        let field_names = column::field_names(&batch);
        let total = rows.len() as u64;
        let lookup = Lookup { index: &index, field_names: &field_names, names_complete: true, rows: total, control: &control };
        for filter in filters {
            let predicate = compile_at(&filter, 1 << 20, Timestamp(0)).unwrap();
            let truth: RoaringBitmap =
                predicate.select(&batch, (0..rows.len() as u32).collect(), &control).unwrap().into_iter().collect();
            let set = lookup.set(&predicate).unwrap();
            let possible = set.possible().unwrap_or_else(|| crate::set::every(total));
            let open = set.clone().unsettled().possible_len(total);
            prop_assert_eq!(possible.len(), set.sure_len(total) + open, "{:?}", &filter);
            prop_assert!(truth.is_subset(&possible), "{:?} misses {:?}", &filter, &truth - &possible);
            let sure = match &set {
                Set::All => crate::set::every(total),
                Set::Unknown => RoaringBitmap::new(),
                Set::Rows(hits) => hits.sure.clone(),
            };
            prop_assert!(sure.is_subset(&truth), "{:?} is wrong about {:?}", &filter, &sure - &truth);
            if let Some(count) = lookup.count(&predicate).unwrap() {
                prop_assert_eq!(count, truth.len(), "{:?}", &filter);
            }
        }
    }
}

#[test]
fn inner_words_are_whole_wherever_the_text_is() {
    let words = |text: &str| inner_words(text).join(" ");
    assert_eq!(words("timeout after "), "after");
    assert_eq!(words(" a b "), "a b");
    assert_eq!(words("abc"), "");
    assert_eq!(words("x.y.z"), "y");
    assert_eq!(open_word("authentication failure"), Some("failure".to_owned()));
    assert_eq!((open_word("failure"), open_word("a failure "), open_word("a b")), (None, None, None));
}
