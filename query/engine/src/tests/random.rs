//! Random rows and random filters: the engine agrees with the oracle wherever the rows are.

use lang::{Bound, Case, Comparison, FieldName, Filter, MatchOp, StreamMatcher, Test};
use model::{Row, TimeRange, Timestamp, Value};
use proptest::prelude::*;

use super::{Bench, PLACES, oracle, row};

const WORDS: [&str; 14] = [
    "error",
    "Error",
    "errors",
    "user",
    "user_7",
    "7",
    "timeout",
    "time",
    "登录失败",
    "登录",
    "Ошибка",
    "a-b",
    "code=7",
    "GET /api/v1",
];

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(&WORDS[..]).prop_map(str::to_owned)
}

fn sentence() -> impl Strategy<Value = String> {
    let gap = prop::sample::select(&[" ", "", "-", ", ", "_", "="][..]);
    prop::collection::vec((word(), gap), 0..5)
        .prop_map(|parts| parts.into_iter().flat_map(|(w, g)| [w, g.to_owned()]).collect())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3i64..8).prop_map(Value::Int),
        (-3i64..8).prop_map(|n| Value::Double(n as f64 / 2.0)),
        word().prop_map(Value::Str),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Str("7".to_owned())),
        Just(Value::Str("10.0.0.7".to_owned())),
        Just(Value::Array(vec![Value::Int(7), "error".into()])),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let fields = (
        prop::option::weighted(0.9, sentence()),
        prop::option::weighted(0.6, value()),
        prop::option::weighted(0.5, 0i64..8),
        prop::option::weighted(0.7, prop::sample::select(&["checkout", "cart", "pay"][..])),
    );
    prop::collection::vec((0i64..40, fields), 1..60).prop_map(|rows| {
        let numbered = rows.into_iter().enumerate();
        type Parts = (i64, (Option<String>, Option<Value>, Option<i64>, Option<&'static str>));
        let make = |(n, (seconds, (body, mixed, code, service))): (usize, Parts)| {
            let mut fields: Vec<(&str, Value)> = vec![("n", Value::Int(n as i64))];
            fields.extend(body.map(|body| ("body", body.into())));
            fields.extend(mixed.map(|mixed| ("mixed", mixed)));
            fields.extend(code.map(|code| ("code", Value::Int(code))));
            fields.extend(service.map(|service| ("service.name", service.into())));
            row(seconds, &fields)
        };
        numbered.map(make).collect()
    })
}

fn name() -> impl Strategy<Value = FieldName> {
    let named = |name: &str| FieldName::Named(name.to_owned());
    prop_oneof![
        4 => Just(named("body")),
        3 => Just(named("mixed")),
        2 => Just(named("code")),
        1 => Just(named("service.name")),
        1 => Just(named("absent")),
        1 => Just(FieldName::Any),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let case = || prop_oneof![3 => Just(Case::Insensitive), 1 => Just(Case::Sensitive)];
    let text = || prop_oneof![3 => word(), 1 => (word(), word()).prop_map(|(a, b)| format!("{a} {b}")), 1 => Just("登".to_owned())];
    let comparison = prop::sample::select(
        &[Comparison::Greater, Comparison::GreaterOrEqual, Comparison::Less, Comparison::LessOrEqual][..],
    );
    let bound = (-3i64..8).prop_map(|n| Bound { text: n.to_string(), number: Some(n as f64) });
    prop_oneof![
        6 => (text(), any::<bool>(), case()).prop_map(|(text, prefix, case)| Test::Phrase { text, prefix, case }),
        2 => (text(), any::<bool>(), case()).prop_map(|(text, prefix, case)| Test::Exact { text, prefix, case }),
        1 => prop::sample::select(&["err.r", "^user", "[0-9]$", "(?i)ERROR", "登录"][..]).prop_map(|p| Test::Regex(p.to_owned())),
        2 => (comparison, bound).prop_map(|(comparison, bound)| Test::Compare(comparison, bound)),
        1 => prop::collection::vec(word(), 1..3).prop_map(Test::In),
        1 => Just(Test::Exists),
        1 => prop::collection::vec(word(), 1..3).prop_map(Test::Sequence),
        1 => Just(Test::Ipv4Range(0x0a00_0000, 0x0a00_00ff)),
        1 => (text(), case()).prop_map(|(text, case)| Test::Suffix { text, case }),
        1 => (text(), case()).prop_map(|(text, case)| Test::Substring { text, case }),
        1 => prop::collection::vec(word(), 1..3).prop_map(Test::ContainsAny),
        1 => prop::collection::vec(word(), 1..3).prop_map(Test::ContainsAll),
        1 => (0u64..6, 3u64..20).prop_map(|(first, last)| Test::LenRange(first, last)),
        1 => (word(), word()).prop_map(|(from, to)| Test::StringRange(from, to)),
    ]
}

fn leaf() -> impl Strategy<Value = Filter> {
    let stream =
        (prop::sample::select(&[MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex][..]), 0usize..3);
    let second = |n: i64| Timestamp((1_795_392_000 + n) * 1_000_000_000);
    prop_oneof![
        10 => (name(), test()).prop_map(|(name, test)| Filter::Field(name, test)),
        1 => Just(Filter::Field(FieldName::Named("code".to_owned()), Test::Empty)),
        1 => Just(Filter::All),
        1 => (0i64..40, 1i64..20).prop_map(move |(start, len)| Filter::Time(TimeRange::new(second(start), second(start + len)))),
        1 => stream.prop_map(|(op, at)| Filter::Stream(vec![StreamMatcher {
            name: "service.name".to_owned(), op, value: ["checkout", "cart", "c.*"][at].to_owned() }])),
    ]
}

pub(super) fn filter() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

/// The numbers of the matching rows, newest first; of equal times the one that came last first.
fn expected(filter: &Filter, rows: &[Row]) -> Vec<String> {
    let mut hits: Vec<(Timestamp, usize)> =
        rows.iter().enumerate().filter(|(_, row)| oracle::holds(filter, row)).map(|(n, row)| (row.time, n)).collect();
    hits.sort_by(|a, b| b.cmp(a));
    hits.into_iter().map(|(_, n)| n.to_string()).collect()
}

fn numbers(result: &crate::QueryResult) -> Vec<String> {
    result.json_rows().iter().map(|row| row["n"].to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_oracle(rows in rows(), filters in prop::collection::vec(filter(), 12)) {
        for place in PLACES {
            let bench = Bench::with(&rows, place);
            for filter in &filters {
                let text = lang::format_filter(filter);
                let want = expected(filter, &rows);
                let all = bench.run(Bench::request(&text)).unwrap();
                prop_assert_eq!(&numbers(&all), &want, "{} in {:?}", &text, place);
                let mut limited = Bench::request(&text);
                limited.limit = Some(5);
                let first = bench.run(limited).unwrap();
                prop_assert_eq!(&numbers(&first)[..], &want[..want.len().min(5)], "{} in {:?}, limited", &text, place);
                prop_assert_eq!(first.stats.limit_reached, want.len() > 5);
                let count = bench.lines(&format!("{text} | stats count() as n"));
                prop_assert_eq!(count, vec![format!("{{\"n\":{}}}", want.len())], "{} in {:?}, counted", &text, place);
                let fields = bench.run(Bench::request(&format!("{text} | fields n, body"))).unwrap();
                prop_assert_eq!(&numbers(&fields), &want, "{} in {:?}, fields", &text, place);
            }
        }
    }
}
