//! Queries and the rows that they give, wherever the data is.

use expect_test::{Expect, expect};
use model::{Row, Value};

use super::{Bench, PLACES, block_on, row};

fn rows() -> Vec<Row> {
    let line = |seconds, service: &str, severity: &str, status: Value, ms: Value, body: &str| {
        row(
            seconds,
            &[
                ("service.name", service.into()),
                ("severity", severity.into()),
                ("status", status),
                ("ms", ms),
                ("body", body.into()),
            ],
        )
    };
    vec![
        line(0, "checkout", "INFO", Value::Int(200), Value::Int(10), "GET /cart ok"),
        line(10, "checkout", "ERROR", Value::Int(500), Value::Double(30.5), "payment failed: timeout"),
        line(20, "cart", "INFO", Value::Int(200), Value::Int(20), "GET /cart ok"),
        line(70, "cart", "ERROR", "teapot".into(), Value::Int(40), "connection refused"),
        line(80, "checkout", "INFO", Value::Int(200), Value::Int(50), "POST /pay ok"),
        line(90, "pay", "WARN", Value::Int(404), Value::Null, ""),
    ]
}

#[track_caller]
fn check(query: &str, want: Expect) {
    let mut answers: Vec<String> = PLACES
        .iter()
        .map(|place| {
            let lines = Bench::with(&rows(), *place).lines(query);
            lines.join("\n")
        })
        .collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "places differ: {answers:#?}");
    want.assert_eq(&answers[0]);
}

#[test]
fn counts_by_field_and_time() {
    check("* | stats count() as n", expect![[r#"{"n":6}"#]]);
    check("absent:x | stats count() as n", expect![[r#"{"n":0}"#]]);
    check(
        "* | stats by (service.name) count() as n, sum(ms) as total, avg(ms) as mean",
        expect![[r#"
        {"service.name":"cart","n":2,"total":60,"mean":30}
        {"service.name":"checkout","n":3,"total":90.5,"mean":30.166666666666668}
        {"service.name":"pay","n":1}"#]],
    );
    check(
        "* | stats by (_time:1m) count() as n",
        expect![[r#"
        {"_time":"2026-11-23T00:00:00Z","n":3}
        {"_time":"2026-11-23T00:01:00Z","n":3}"#]],
    );
    check(
        "* | stats by (_time:1m, severity) count() if (status:200) as ok, count() as n",
        expect![[r#"
        {"_time":"2026-11-23T00:00:00Z","severity":"ERROR","ok":0,"n":1}
        {"_time":"2026-11-23T00:00:00Z","severity":"INFO","ok":2,"n":2}
        {"_time":"2026-11-23T00:01:00Z","severity":"ERROR","ok":0,"n":1}
        {"_time":"2026-11-23T00:01:00Z","severity":"INFO","ok":1,"n":1}
        {"_time":"2026-11-23T00:01:00Z","severity":"WARN","ok":0,"n":1}"#]],
    );
}

#[test]
fn every_function() {
    check(
        "* | stats min(ms) as min, max(ms) as max, median(ms) as median, quantile(0.9, ms) as p90, stddev(ms) as sd | eval sd = round(sd * 1000)",
        expect![[r#"{"min":10,"max":50,"median":30.5,"p90":46,"sd":14144}"#]],
    );
    check(
        "* | stats min(status) as min, max(status) as max, min(body) as first_text, sum(body) as none",
        expect![[r#"{"min":"200","max":"500","first_text":"GET /cart ok"}"#]],
    );
    check(
        "* | stats count(body) as filled, count_distinct(status) as kinds, values(service.name) as services, any(severity) as some",
        expect![[r#"{"filled":5,"kinds":4,"services":["cart","checkout","pay"],"some":"ERROR"}"#]],
    );
    check(
        "* | stats by (service.name) first(status) as first, last(status) as last, last(ms) as ms",
        expect![[r#"
        {"service.name":"cart","first":"200","last":"teapot","ms":40}
        {"service.name":"checkout","first":"200","last":"200","ms":50}
        {"service.name":"pay","first":"404","last":"404"}"#]],
    );
    check(
        "* | stats by (_time:1m) rate() as per_second",
        expect![[r#"
        {"_time":"2026-11-23T00:00:00Z","per_second":0.05}
        {"_time":"2026-11-23T00:01:00Z","per_second":0.05}"#]],
    );
    check("error or ok | stats count()", expect![[r#"{"count(*)":3}"#]]);
}

#[test]
fn pipes_after_stats() {
    check(
        "* | stats by (service.name) count() as n | sort by (n desc) | limit 2",
        expect![[r#"
        {"service.name":"checkout","n":3}
        {"service.name":"cart","n":2}"#]],
    );
    check(
        "* | stats by (service.name) count() as n | where n:>1 | eval half = n / 2 | rename n as rows",
        expect![[r#"
        {"service.name":"cart","rows":2,"half":1}
        {"service.name":"checkout","rows":3,"half":1.5}"#]],
    );
    check("* | top 1 by (severity)", expect![[r#"{"severity":"INFO","hits":3}"#]]);
    check(
        "* | uniq by (severity)",
        expect![[r#"
        {"severity":"ERROR"}
        {"severity":"INFO"}
        {"severity":"WARN"}"#]],
    );
    check("* | stats by (severity) count() as n | stats max(n) as most", expect![[r#"{"most":3}"#]]);
}

#[test]
fn pipes_of_rows() {
    check(
        "* | sort by (status desc) | fields status, ms",
        expect![[r#"
        {"status":"500","ms":30.5}
        {"status":"404"}
        {"status":"200","ms":50}
        {"status":"200","ms":20}
        {"status":"200","ms":10}
        {"status":"teapot","ms":40}"#]],
    );
    check(
        "* | sort by (ms) | limit 2 | fields ms",
        expect![[r#"
        {"ms":10}
        {"ms":20}"#]],
    );
    check(
        "ok | fields service.name, body | limit 1",
        expect![[r#"{"service.name":"checkout","body":"POST /pay ok"}"#]],
    );
    check("ok | offset 1 | limit 1 | fields body", expect![[r#"{"body":"GET /cart ok"}"#]]);
    check(
        "* | eval s = ms / 1000 | where s:>0.03 | fields s",
        expect![[r#"
        {"s":0.05}
        {"s":0.04}
        {"s":0.0305}"#]],
    );
    check(
        "* | fields s*, _time | limit 1",
        expect![[r#"{"service.name":"pay","severity":"WARN","status":"404","_time":"2026-11-23T00:01:30Z"}"#]],
    );
    check("* | sort by (ms desc) | limit 1 | where ms:>1 | fields body", expect![[r#"{"body":"POST /pay ok"}"#]]);
}

#[test]
fn whole_records_are_as_they_were_sent() {
    let bench = Bench::with(&rows()[1..2], super::Place::Segments);
    let lines = bench.lines("timeout").join("\n");
    let without_id = lines.replace(&lines[lines.find("\"_id\"").unwrap()..lines.find("\"_stream\"").unwrap()], "");
    expect![[r#"{"_time":"2026-11-23T00:00:10Z","_stream":"{service.name=\"checkout\"}","severity":"ERROR","body":"payment failed: timeout","ms":30.5,"service.name":"checkout","status":500}"#]].assert_eq(&without_id);
}

#[test]
fn the_index_answers_counts_alone() {
    let bench = Bench::with(&rows(), super::Place::Segments);
    let stats = |query: &str| {
        let stats = bench.run(Bench::request(query)).unwrap().stats;
        format!(
            "{query}: scanned {} rows, {} pruned, {} read, matched {:?}",
            stats.rows_scanned, stats.segments_pruned, stats.segments_scanned, stats.rows_matched
        )
    };
    let queries = [
        "* | stats count() as n",
        "ok | stats count() as n",
        "nosuchword",
        "\"payment failed\"",
        "_time:[2026-01-01,2026-01-02) *",
    ];
    expect![[r#"
        * | stats count() as n: scanned 0 rows, 1 pruned, 0 read, matched Some(6)
        ok | stats count() as n: scanned 0 rows, 1 pruned, 0 read, matched Some(3)
        nosuchword: scanned 0 rows, 1 pruned, 0 read, matched Some(0)
        "payment failed": scanned 0 rows, 0 pruned, 1 read, matched Some(1)
        _time:[2026-01-01,2026-01-02) *: scanned 0 rows, 0 pruned, 0 read, matched Some(0)"#]]
    .assert_eq(&queries.map(stats).join("\n"));
}

#[test]
fn the_search_page() {
    let bench = Bench::with(&rows(), super::Place::Both);
    let histogram = block_on(bench.engine.histogram(Bench::request("*"), 4)).unwrap();
    let buckets: Vec<String> = histogram
        .buckets
        .iter()
        .map(|b| format!("{} {:?}", b.start_ns / 1_000_000_000 - 1_795_392_000, b.by_severity))
        .collect();
    expect![[r#"30 s: 0 {"ERROR": 1, "INFO": 2}, 30 {}, 60 {"ERROR": 1, "INFO": 1}, 90 {"WARN": 1}"#]]
        .assert_eq(&format!("{} s: {}", histogram.step_ns / 1_000_000_000, buckets.join(", ")));
    let fields = block_on(bench.engine.fields(Bench::request("*"))).unwrap();
    let names: Vec<String> = fields.fields.iter().map(|f| format!("{} {} {}", f.name, f.kind, f.rows)).collect();
    expect!["_id string 6, _stream string 6, _time string 6, body string 6, service.name string 6, severity string 6, status mixed 6, ms double 5"].assert_eq(&names.join(", "));
    let mut request = Bench::request("*");
    request.limit = Some(2);
    let values = block_on(bench.engine.values(request, "service.name")).unwrap();
    let shown: Vec<String> = values.values.iter().map(|v| format!("{} {}", v.value, v.rows)).collect();
    expect!["checkout 3, cart 2 more=true"].assert_eq(&format!("{} more={}", shown.join(", "), values.limit_reached));
    let text = block_on(bench.engine.explain(Bench::request("timeout | stats count() as n"))).unwrap();
    assert!(text.contains("by the index alone") && text.contains("SnapshotFold"), "{text}");
}
