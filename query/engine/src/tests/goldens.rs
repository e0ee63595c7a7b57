//! Queries and the rows that they give, wherever the data is.

use expect_test::{Expect, expect};
use model::{Row, Value};

use super::{Bench, PLACES, block_on, row};

fn rows() -> Vec<Row> {
    let line = |seconds, service: &str, severity: &str, status: Value, ms: Value, body: &str| {
        row(seconds, &[
            ("service.name", service.into()),
            ("severity", severity.into()),
            ("status", status),
            ("ms", ms),
            ("body", body.into()),
        ])
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
    check("* | stats count() as n", expect![[""]]);
    check("absent:x | stats count() as n", expect![[""]]);
    check("* | stats by (service.name) count() as n, sum(ms) as total, avg(ms) as mean", expect![[""]]);
    check("* | stats by (_time:1m) count() as n", expect![[""]]);
    check("* | stats by (_time:1m, severity) count() if (status:200) as ok, count() as n", expect![[""]]);
}

#[test]
fn every_function() {
    check(
        "* | stats min(ms) as min, max(ms) as max, median(ms) as median, quantile(0.9, ms) as p90, stddev(ms) as sd",
        expect![[""]],
    );
    check("* | stats min(status) as min, max(status) as max, min(body) as first_text, sum(body) as none", expect![[""]]);
    check(
        "* | stats count(body) as filled, count_distinct(status) as kinds, values(service.name) as services, any(severity) as some",
        expect![[""]],
    );
    check("* | stats by (service.name) first(status) as first, last(status) as last, last(ms) as ms", expect![[""]]);
    check("* | stats by (_time:1m) rate() as per_second", expect![[""]]);
    check("error or ok | stats count()", expect![[""]]);
}

#[test]
fn pipes_after_stats() {
    check("* | stats by (service.name) count() as n | sort by (n desc) | limit 2", expect![[""]]);
    check("* | stats by (service.name) count() as n | where n:>1 | eval half = n / 2 | rename n as rows", expect![[""]]);
    check("* | top 1 by (severity)", expect![[""]]);
    check("* | uniq by (severity)", expect![[""]]);
    check("* | stats by (severity) count() as n | stats max(n) as most", expect![[""]]);
}

#[test]
fn pipes_of_rows() {
    check("* | sort by (status desc) | fields status, ms", expect![[""]]);
    check("* | sort by (ms) | limit 2 | fields ms", expect![[""]]);
    check("ok | fields service.name, body | limit 1", expect![[""]]);
    check("ok | offset 1 | limit 1 | fields body", expect![[""]]);
    check("* | eval s = ms / 1000 | where s:>0.03 | fields s", expect![[""]]);
    check("* | fields s*, _time | limit 1", expect![[""]]);
    check("* | sort by (ms desc) | limit 1 | where ms:>1 | fields body", expect![[""]]);
}

#[test]
fn whole_records_are_as_they_were_sent() {
    let bench = Bench::with(&rows()[1..2], super::Place::Segments);
    let lines = bench.lines("timeout").join("\n");
    let without_id = lines.replace(&lines[lines.find("\"_id\"").unwrap()..lines.find("\"_stream\"").unwrap()], "");
    expect![[""]].assert_eq(&without_id);
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
    let queries = ["* | stats count() as n", "ok | stats count() as n", "nosuchword", "\"payment failed\"", "_time:[2026-01-01,2026-01-02) *"];
    expect![[""]].assert_eq(&queries.map(stats).join("\n"));
}

#[test]
fn the_search_page() {
    let bench = Bench::with(&rows(), super::Place::Both);
    let histogram = block_on(bench.engine.histogram(Bench::request("*"), 4)).unwrap();
    let buckets: Vec<String> =
        histogram.buckets.iter().map(|b| format!("{} {:?}", b.start_ns / 1_000_000_000 - 1_795_392_000, b.by_severity)).collect();
    expect![[""]].assert_eq(&format!("{} s: {}", histogram.step_ns / 1_000_000_000, buckets.join(", ")));
    let fields = block_on(bench.engine.fields(Bench::request("*"))).unwrap();
    let names: Vec<String> = fields.fields.iter().map(|f| format!("{} {} {}", f.name, f.kind, f.rows)).collect();
    expect![[""]].assert_eq(&names.join(", "));
    let mut request = Bench::request("*");
    request.limit = Some(2);
    let values = block_on(bench.engine.values(request, "service.name")).unwrap();
    let shown: Vec<String> = values.values.iter().map(|v| format!("{} {}", v.value, v.rows)).collect();
    expect![[""]].assert_eq(&format!("{} more={}", shown.join(", "), values.limit_reached));
    let text = block_on(bench.engine.explain(Bench::request("timeout | stats count() as n"))).unwrap();
    assert!(text.contains("by the index alone") && text.contains("SnapshotScan"), "{text}");
}
