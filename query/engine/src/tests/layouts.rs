//! Random rows in random places (memtable chunks, segments, merged segments, with deletes in between), and every form of
//! query: the answers are those of the plainest evaluation.

use std::collections::{BTreeMap, BTreeSet};

use lang::Filter;
use model::{Row, Value};
use proptest::prelude::*;

use super::{Bench, oracle, random, row};

/// Bodies of few shapes, so that indexes have groups, and of words that repeat or do not.
fn body() -> impl Strategy<Value = String> {
    let id = prop::sample::select(&["3f2504e0", "x1f3a9", "42", "7", "20260101", "user_7"][..]);
    prop_oneof![
        4 => id.clone().prop_map(|id| format!("GET /api/v1/users/{id} took {id} ms")),
        3 => (id.clone(), 0u32..500).prop_map(|(id, n)| format!("payment {n} failed: timeout after {n} ms, id={id}")),
        2 => Just("connection reset by peer".to_owned()),
        2 => Just("用户登录失败 error".to_owned()),
        1 => "[a-z]{1,6} [A-Z]{1,3}-[0-9]{1,4}",
        1 => Just(String::new()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (0i64..5).prop_map(Value::Int),
        1 => (0i64..5).prop_map(|n| Value::Double(n as f64 / 2.0)),
        1 => Just(Value::Str("teapot".to_owned())),
        1 => any::<bool>().prop_map(Value::Bool),
    ]
}

type Parts = (i64, Option<String>, Option<Value>, Option<i64>, Option<&'static str>);

fn parts() -> impl Strategy<Value = Parts> {
    (
        // Rows of two days and many hours.
        prop_oneof![3 => 0i64..200, 1 => 0i64..100_000],
        prop::option::weighted(0.9, body()),
        prop::option::weighted(0.5, value()),
        prop::option::weighted(0.7, 0i64..4),
        prop::option::weighted(0.8, prop::sample::select(&["checkout", "cart", "pay"][..])),
    )
}

fn make(n: usize, (seconds, body, mixed, code, service): Parts) -> Row {
    let mut fields: Vec<(&str, Value)> = vec![("n", Value::Int(n as i64))];
    fields.extend(body.map(|body| ("body", body.into())));
    fields.extend(mixed.map(|mixed| ("mixed", mixed)));
    fields.extend(code.map(|code| ("code", Value::Int(code))));
    fields.extend(service.map(|service| ("service.name", service.into())));
    row(seconds, &fields)
}

/// What happens to a store.
#[derive(Clone, Debug)]
enum Event {
    Append(Vec<Parts>),
    Flush,
    Merge,
    Delete(Filter),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        5 => prop::collection::vec(parts(), 1..120).prop_map(Event::Append),
        2 => Just(Event::Flush),
        1 => Just(Event::Merge),
        1 => random::filter().prop_map(Event::Delete),
    ];
    prop::collection::vec(event, 2..7)
}

/// The rows that are there, in order of arrival.
struct Rows(Vec<Row>);

impl Rows {
    fn matching(&self, filter: &Filter) -> Vec<&Row> {
        self.0.iter().filter(|row| oracle::holds(filter, row)).collect()
    }
}

fn number(row: &Row) -> i64 {
    match row.get("n") {
        Some(Value::Int(n)) => *n,
        other => panic!("{other:?}"),
    }
}

/// A result line as JSON, without what is missing.
fn line(fields: &[(&str, Option<Value>)]) -> String {
    let fields = fields.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?)));
    let fields: Vec<String> = fields.map(|(name, value)| format!("\"{name}\":{}", value.to_json())).collect();
    format!("{{{}}}", fields.join(","))
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Str(text.to_owned()))
}

fn count(rows: usize) -> Option<Value> {
    Some(Value::Int(rows as i64))
}

/// Rows by some key.
fn grouped<'a, K: Ord>(rows: &[&'a Row], key: impl Fn(&Row) -> K) -> BTreeMap<K, Vec<&'a Row>> {
    let mut groups: BTreeMap<K, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| groups.entry(key(row)).or_default().push(row));
    groups
}

fn bucket(row: &Row, seconds: i64) -> String {
    let step = seconds * 1_000_000_000;
    model::Timestamp(row.time.0 - row.time.0.rem_euclid(step)).to_string()
}

/// The pipes after a filter, and the lines that they must give.
fn forms(rows: &[&Row]) -> Vec<(&'static str, Vec<String>)> {
    let by_service = grouped(rows, |row| oracle::text(row, "service.name"));
    let codes =
        |rows: &[&Row]| -> Vec<i64> { rows.iter().filter_map(|row| oracle::text(row, "code").parse().ok()).collect() };
    let double = |n: f64| Some(Value::Double(n));
    let stats = by_service.iter().map(|(service, rows)| {
        let codes = codes(rows);
        let sum: i64 = codes.iter().sum();
        let bodies: BTreeSet<String> =
            rows.iter().map(|row| oracle::text(row, "body")).filter(|text| !text.is_empty()).collect();
        let some = |value: Option<Value>| value.filter(|_| !codes.is_empty());
        line(&[
            ("service.name", text(service)),
            ("n", count(rows.len())),
            ("c", count(codes.len())),
            ("s", some(double(sum as f64))),
            ("a", some(double(sum as f64 / codes.len() as f64))),
            ("lo", codes.iter().min().map(|n| Value::Int(*n))),
            ("hi", codes.iter().max().map(|n| Value::Int(*n))),
            ("d", count(bodies.len())),
            ("t", count(rows.iter().filter(|row| oracle::text(row, "body").contains("timeout")).count())),
        ])
    });
    let times = |seconds: i64| {
        let groups = grouped(rows, |row| bucket(row, seconds));
        groups.into_iter().map(|(time, rows)| line(&[("_time", text(&time)), ("n", count(rows.len()))])).collect()
    };
    let hours = grouped(rows, |row| (bucket(row, 3_600), oracle::text(row, "service.name")));
    let hours = hours.into_iter().map(|((time, service), rows)| {
        line(&[("_time", text(&time)), ("service.name", text(&service)), ("n", count(rows.len()))])
    });
    let mut top: Vec<(usize, String)> =
        grouped(rows, |row| oracle::text(row, "mixed")).into_iter().map(|(key, rows)| (rows.len(), key)).collect();
    // Of equal counts, numbers come before texts, and what is missing last.
    top.sort_by(|a, b| {
        let key = |text: &str| (text.is_empty(), text.parse::<f64>().is_err());
        let value = |text: &str| text.parse::<f64>().unwrap_or(0.0);
        b.0.cmp(&a.0).then(key(&a.1).cmp(&key(&b.1))).then(value(&a.1).total_cmp(&value(&b.1))).then(a.1.cmp(&b.1))
    });
    let top = top.into_iter().take(2).map(|(rows, key)| line(&[("mixed", text(&key)), ("hits", count(rows))]));
    let uniq = grouped(rows, |row| oracle::text(row, "code")).into_keys().map(|code| line(&[("code", text(&code))]));
    let time = |row: Option<&&Row>| row.map(|row| Value::Str(row.time.to_string()));
    let (first, last) = (rows.iter().min_by_key(|row| row.time), rows.iter().max_by_key(|row| row.time));
    vec![
        ("stats count() as n", vec![line(&[("n", count(rows.len()))])]),
        (
            "stats by (service.name) count() as n, count(code) as c, sum(code) as s, avg(code) as a, min(code) as lo, \
             max(code) as hi, count_distinct(body) as d, count() if (body:timeout) as t",
            stats.collect(),
        ),
        ("stats by (_time:10s) count() as n", times(10)),
        ("stats by (_time:1h) count() as n", times(3_600)),
        ("stats by (_time:1d) count() as n", times(86_400)),
        ("stats by (_time:1h, service.name) count() as n", hours.collect()),
        ("top 2 by (mixed)", top.collect()),
        ("uniq by (code)", uniq.collect()),
        ("stats min(_time) as first, max(_time) as last", vec![line(&[("first", time(first)), ("last", time(last))])]),
    ]
}

fn check(bench: &Bench, rows: &Rows, filter: &Filter) -> Result<(), TestCaseError> {
    let query = lang::format_filter(filter);
    let hits = rows.matching(filter);
    for (pipes, want) in forms(&hits) {
        let got = bench.lines(&format!("{query} | {pipes}"));
        prop_assert_eq!(got, want, "{} | {}", &query, pipes);
    }
    let mut order: Vec<i64> = {
        let mut sorted = hits;
        sorted.sort_by_key(|row| (row.time, number(row)));
        sorted.into_iter().map(number).collect()
    };
    for (pipe, newest) in [("sort by (_time)", false), ("sort by (_time desc)", true)] {
        if newest {
            order.reverse();
        }
        for limit in [3, 1_000_000] {
            let lines = bench.lines(&format!("{query} | {pipe} | limit {limit} | fields n"));
            let want: Vec<String> = order.iter().take(limit).map(|n| format!("{{\"n\":{n}}}")).collect();
            prop_assert_eq!(lines, want, "{} | {} | limit {}", &query, pipe, limit);
        }
        let lines = bench.lines(&format!("{query} | {pipe} | fields n"));
        let want: Vec<String> = order.iter().map(|n| format!("{{\"n\":{n}}}")).collect();
        prop_assert_eq!(lines, want, "{} | {}", &query, pipe);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_form_of_query_agrees_in_every_layout(events in events(), filters in prop::collection::vec(random::filter(), 5)) {
        let bench = Bench::new(crate::QueryLimits::default());
        let mut rows = Rows(Vec::new());
        let mut made = 0;
        for event in events {
            match event {
                Event::Append(parts) => {
                    let new: Vec<Row> = parts.into_iter().enumerate().map(|(at, parts)| make(made + at, parts)).collect();
                    made += new.len();
                    bench.append(&new);
                    rows.0.extend(new);
                }
                Event::Flush => drop(bench.store.flush(false).unwrap()),
                Event::Merge => drop(bench.store.flush(true).unwrap()),
                Event::Delete(filter) => {
                    let gone = rows.matching(&filter).len() as u64;
                    let report = bench.delete(&lang::format_filter(&filter)).unwrap();
                    prop_assert_eq!(report.rows, gone, "deleted by {}", lang::format_filter(&filter));
                    rows.0.retain(|row| !oracle::holds(&filter, row));
                }
            }
            check(&bench, &rows, &Filter::All)?;
        }
        for filter in &filters {
            check(&bench, &rows, filter)?;
        }
    }
}
