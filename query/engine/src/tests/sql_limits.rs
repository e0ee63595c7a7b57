//! SQL that is too much: each limit stops it by its name, and nothing else is hurt.

use model::Value;

use super::pipes::shop;
use super::sql::{request, shown};
use super::{Bench, Place, row};
use crate::{QueryError, QueryLimits, QueryRequest};

#[test]
fn limits_have_names() {
    let bench = Bench::with(&shop(), Place::Both);
    let failure =
        |sql: &str| shown("", &bench.run(request(sql)).unwrap_err()).lines().next().unwrap_or_default().to_owned();
    let many = vec!["status = 1"; 2_000].join(" or ");
    let got = failure(&format!("select 1 from logs where {many}"));
    assert!(got.contains("SQL_OPERATORS_MAX = 500"), "{got}");
    let deep = format!("select {}1{}", "(".repeat(500), ")".repeat(500));
    let got = failure(&deep);
    assert!(got.contains("SQL_DEPTH_MAX = 50"), "{got}");
    let wide = vec!["logs"; 17].join(", ");
    let got = failure(&format!("select 1 from {wide}"));
    assert!(got.contains("SQL_TABLES_MAX = 16"), "{got}");
    let text = format!("select '{}'", "x".repeat(lang::limits::QUERY_BYTES_MAX));
    assert!(failure(&text).contains("query.text_bytes_max"));
    for level in ["b || b", "concat(b, b)"] {
        let levels = (0..40)
            .fold("select body as b from logs".to_owned(), |inner, _| format!("select {level} as b from ({inner})"));
        let got = failure(&levels);
        assert!(got.contains("SQL_DEPTH_MAX = 50"), "forty queries in FROM: {got}");
        let levels = (0..15)
            .fold("select body as b from logs".to_owned(), |inner, _| format!("select {level} as b from ({inner})"));
        let got = failure(&levels);
        assert!(got.contains("SQL_EXPRESSION_PARTS_MAX = 20000"), "fifteen doublings: {got}");
    }
    let rows: Vec<_> = (0..600)
        .map(|n| row(n, &[("body", Value::Str("forty bytes of a line that is repeated ..".to_owned()))]))
        .collect();
    let long =
        Bench::with(&rows, Place::Memtable).run(request("select repeat(body, 5000) as t from logs")).unwrap_err();
    assert!(long.to_string().contains("67108864 bytes of text of 600 rows"), "{long}");
    let list: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    let sql = format!("select count(*) as n from logs where status in ({})", list.join(","));
    assert_eq!(bench.run(request(&sql)).unwrap().json_lines(), [r#"{"n":7}"#]);
    let limited = QueryRequest { limit: Some(3), ..request("select body from logs") };
    let limited = bench.run(limited).unwrap();
    assert_eq!((limited.stats.rows_returned, limited.stats.limit_reached), (3, true));
}

#[test]
fn texts_that_grow_when_they_are_read_are_stopped() {
    let bench = Bench::with(&shop(), Place::Memtable);
    let failure = |sql: &str| bench.run(request(sql)).map(|result| result.json_lines()).unwrap_err().to_string();
    for (text, name) in [
        (format!("select {}", "floor(".repeat(40)), "SQL_NESTED_MAX"),
        (format!("select {}1", "not(".repeat(40)), "SQL_NESTED_MAX"),
        (format!("select {}1", "case when ".repeat(40)), "SQL_NESTED_MAX"),
        (format!("select 1{}", " in (1)".repeat(600)), "SQL_OPERATORS_MAX"),
        (format!("select 1{}", " minus select 1".repeat(600)), "SQL_OPERATORS_MAX"),
        (format!("select {}", "left(body, 9), ".repeat(600) + "1"), "SQL_OPERATORS_MAX"),
        (format!("select 1 from {}", vec!["(select 1) a"; 17].join(", ")), "SQL_TABLES_MAX"),
    ] {
        let got = failure(&text);
        assert!(got.contains(name), "{got}");
    }
    let doubled = (0..12).fold("with c0 as (select status as x from logs)".to_owned(), |text, n| {
        format!("{text}, c{} as (select p.x from c{n} p, c{n} q)", n + 1)
    });
    let got = failure(&format!("{doubled} select * from c12"));
    assert!(got.contains("SQL_TABLES_MAX"), "{got}");
    let sums = (0..14)
        .fold("select status as s from logs".to_owned(), |inner, _| format!("select s + s as s from ({inner}) q"));
    let got = failure(&format!("select s from ({sums}) q where s > 0"));
    assert!(got.contains("SQL_EXPRESSION_PARTS_MAX"), "{got}");
    let got = failure("select approx_percentile_cont(status, 0.5, 1000000000000) from logs");
    assert!(got.contains("approx_percentile_cont takes a value and a share"), "{got}");
    let columns: Vec<String> = (0..40).map(|n| format!("a{n}")).collect();
    let got = failure(&format!("select count(*) from logs group by host.name, cube({})", columns.join(", ")));
    assert!(got.contains("CUBE"), "{got}");
    let unknown: Vec<String> = (0..200).map(|n| format!("u{n}")).collect();
    let got = failure(&format!("select {} from logs", unknown.join(", ")));
    assert!(got.contains("SQL_UNKNOWN_FIELDS_MAX"), "{got}");
}

/// Trees as deep as may be: read, planned, run and dropped on the threads that they come to.
#[test]
fn trees_may_be_as_deep_as_their_limit() {
    let bench = Bench::with(&shop(), Place::Memtable);
    let levels = 245;
    for (head, level) in [
        ("select 1", " + 1"),
        ("select 'a'", " || 'a'"),
        ("select count(*) from logs where status = 1", " or status = 1"),
        ("select count(*) from logs where status > 1", " and duration_ms > 1"),
        ("select 1", " union all select 1"),
        ("select 1", " in (1)"),
        ("select _time", " at time zone 'UTC'"),
    ] {
        let text = format!("{head}{}", level.repeat(levels));
        match bench.run(request(&text)) {
            Ok(_) => {}
            Err(error) => assert!(!matches!(error, QueryError::Internal { .. }), "{level}: {error}"),
        }
    }
}

#[test]
fn a_cross_join_stops_at_its_limits() {
    let limits = QueryLimits { timeout_ms: 1_500, memory_bytes_max: 64 << 20, ..QueryLimits::default() };
    let bench = Bench::new(limits);
    bench.fill(&shop(), Place::Memtable);
    let wide = ["logs"; 10].iter().enumerate().map(|(n, table)| format!("{table} t{n}")).collect::<Vec<_>>();
    let sql = format!("select count(*) from {} where t0.duration_ms < t9.duration_ms", wide.join(", "));
    let error = bench.run(request(&sql)).unwrap_err();
    assert!(matches!(error.code(), "timeout" | "limit"), "{error}");
    assert_eq!(bench.run(request("select 1 as one")).unwrap().json_lines(), [r#"{"one":1}"#]);
}
