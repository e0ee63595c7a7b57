//! Every pipe over a small shop: what it answers, row by row, in memory and in segments.

use expect_test::{Expect, expect};
use model::{Row, Value};

use super::{Bench, Place, row};

fn text(value: &str) -> Value {
    Value::Str(value.to_owned())
}

/// Two hosts, a bad deploy at 300 s.
fn shop() -> Vec<Row> {
    let line = |seconds: i64, host: &str, severity: &str, body: &str, more: &[(&str, Value)]| {
        let mut fields = vec![
            ("service.name", text("checkout")),
            ("host.name", text(host)),
            ("severity", text(severity)),
            ("body", text(body)),
        ];
        fields.extend(more.iter().cloned());
        row(seconds, &fields)
    };
    let request = |seconds: i64, host: &str, status: i64, ms: i64, user: &str| {
        let severity = if status >= 500 { "ERROR" } else { "INFO" };
        let body = format!("GET /cart/{} took {ms} ms, status {status}", seconds * 7);
        line(seconds, host, severity, &body, &[("status", Value::Int(status)), ("duration_ms", Value::Int(ms)), ("user.id", text(user))])
    };
    let mut rows = vec![
        request(0, "a", 200, 12, "ann"),
        request(60, "b", 200, 20, "bob"),
        request(120, "a", 200, 14, "ann"),
        line(180, "a", "INFO", r#"{"event":"login","user":{"name":"ann","tags":["x","y"]},"n":7}"#, &[]),
        line(240, "b", "INFO", r#"level=warn msg="slow disk" took=1.5s"#, &[]),
        request(300, "a", 500, 900, "ann"),
        request(310, "a", 502, 1200, "cat"),
        request(370, "b", 500, 30, "bob"),
        request(420, "b", 200, 25, "dan"),
    ];
    rows.push(line(430, "b", "WARN", "user 登录失败 from 10.1.2.3", &[("client.address", text("10.1.2.3"))]));
    rows
}

/// Runs a query over rows in memory and over rows in segments: the same answer.
#[track_caller]
fn check(query: &str, want: Expect) {
    let rows = shop();
    let answers: Vec<String> = [Place::Memtable, Place::Segments]
        .into_iter()
        .map(|place| {
            let bench = Bench::with(&rows, place);
            match bench.run(Bench::request(query)) {
                Ok(result) => result.json_lines().join("\n"),
                Err(error) => format!("error: {error}\nhint: {}", error.hint()),
            }
        })
        .collect();
    assert_eq!(answers[0], answers[1], "memory and segments differ: {query}");
    want.assert_eq(&answers[0]);
}

#[test]
fn texts_become_fields() {
    check("login | parse json | fields event, user.name, user.tags, n", expect![[]]);
    check("slow | parse logfmt prefix p. | fields p.level, p.msg, p.took", expect![[]]);
    check(
        r#"took | extract "GET <path> took <ms> ms" | stats by (path) max(ms) as slowest | sort by (slowest desc) | limit 2"#,
        expect![[]],
    );
    check(r#"took | parse regex "status (?P<code>\d)" | stats by (code) count() as n"#, expect![[]]);
    check(r#"status:>=500 | replace ("GET", "get") at body | fields body | limit 1"#, expect![[]]);
    check(r#"status:>=500 | replace_regexp ("\d+ ms", "<ms>") at body | fields body | limit 1"#, expect![[]]);
    check(r#"status:502 | format "<uc:host.name>: <status> for <user.id>" as line | fields line"#, expect![[]]);
    check("login | parse json | unroll by (user.tags) | fields user.tags, n", expect![[]]);
    check("login | parse json | limit 1", expect![[]]);
}

#[test]
fn expressions_compute_and_test() {
    check(
        r#"status:* | eval slow = duration_ms > 100, who = upper(user.id), half = duration_ms / 2 | fields slow, who, half | limit 3"#,
        expect![[]],
    );
    check("* | where len(body) > 60 | stats count() as n", expect![[]]);
    check("expr(duration_ms / 1000 > 1) | fields duration_ms", expect![[]]);
    check(r#"* | where ip_in(client.address, "10.0.0.0/8") | stats count() as n"#, expect![[]]);
    check("status:* | eval kind = if(status >= 500, \"bad\", \"good\") | stats by (kind) count() as n", expect![[]]);
}

#[test]
fn buckets_and_charts() {
    check("status:* | stats by (duration_ms:100) count() as n", expect![[]]);
    check("status:* | timechart 2m by (host.name) count() as n", expect![[]]);
    check("status:* | timechart 5m by (user.id) limit 1 max(duration_ms) as ms", expect![[]]);
    check("status:>=500 | stats by (_time:1m) count() as n | fill n with 0", expect![[]]);
    check("status:* | bin _time 5m as slot | stats by (slot) count() as n", expect![[]]);
    check("status:* | stats by (_time:auto) count() as n | stats count() as buckets", expect![[]]);
}

#[test]
fn functions_of_groups() {
    check(
        "* | stats count_empty(user.id) as none, count_distinct(user.id, host.name) as pairs, count_distinct_estimate(user.id) as about, sum_len(severity) as letters",
        expect![[]],
    );
    check("status:* | stats histogram(duration_ms, 4) as h", expect![[]]);
    check("status:* | stats by (host.name) row_max(duration_ms, body, status) as worst, median(duration_ms) as mid", expect![[]]);
    check("status:* | top 2 by (user.id) percent as share", expect![[]]);
    check("* | dedup 1 by (host.name) | fields host.name, body", expect![[]]);
    check("* | sample 3 | stats count() as n", expect![[]]);
}

#[test]
fn rows_of_other_queries() {
    check(
        "status:>=500 | join by (user.id) (status:200 | stats by (user.id) count() as good) | fields user.id, status, good",
        expect![[]],
    );
    check(
        "status:>=500 | join inner by (host.name) within 5m before (status:200 | fields _time, host.name, duration_ms) prefix before. | fields host.name, status, before.duration_ms",
        expect![[]],
    );
    check("status:502 | union (slow) | stats count() as n", expect![[]]);
    check("user.id:in(status:>=500 | fields user.id) | stats by (user.id) count() as n", expect![[]]);
    check("status:502 | context before 1 after 1 | fields _context, body", expect![[]]);
    check("* | lookup owners on service.name", expect![[]]);
}

#[test]
fn what_is_in_the_rows() {
    check("* | patterns | fields template, count", expect![[]]);
    check("* | facets 2 host.name, status", expect![[]]);
    check("_time:[2026-11-23T00:05:00Z, 2026-11-23T00:10:00Z) | diff previous by (severity) | fields field, value, count, baseline_count", expect![[]]);
    check("status:500 | explain", expect![[]]);
}

#[test]
fn words_as_people_expect_them() {
    for (query, rows) in [
        ("登录", 1),
        ("录失", 1),
        ("*tatus", 7),
        ("*tatu*", 7),
        ("st*us", 7),
        ("stauts~1", 7),
        ("client.address:ipv6_range(::ffff:10.0.0.0/104)", 1),
        ("body:len_range(0, 36)", 2),
        ("user.id:contains_any(ann, cat)", 4),
        ("duration_ms:gt_field(status)", 2),
        ("_time:day_range[00:05, 00:06)", 2),
    ] {
        let bench = Bench::with(&shop(), Place::Segments);
        let found = bench.run(Bench::request(&format!("{query} | stats count() as n"))).unwrap();
        assert_eq!(found.json_lines(), [format!("{{\"n\":{rows}}}")], "{query}");
    }
}

#[test]
fn a_pattern_is_a_filter() {
    let bench = Bench::with(&shop(), Place::Segments);
    let patterns = bench.run(Bench::request("* | patterns")).unwrap().json_rows();
    let first = &patterns[0];
    let (id, count) = (first["_pattern"].as_str().unwrap(), first["count"].as_u64().unwrap());
    let found = bench.run(Bench::request(&format!("_pattern:=\"{id}\" | stats count() as n"))).unwrap();
    assert_eq!(found.json_rows()[0]["n"].as_u64(), Some(count));
    let shown = bench.run(Bench::request("status:* | fields _time, body, _pattern")).unwrap().json_rows();
    assert!(shown.iter().all(|row| row["_pattern"].as_str().is_some_and(|id| id.len() == 16)), "{shown:?}");
}

#[test]
fn promql_is_a_table() {
    let bench = Bench::new(crate::QueryLimits::default());
    let series = |host: &str, add: f64| model::SeriesSamples {
        labels: [("__name__", "up"), ("host", host)].into_iter().collect(),
        samples: (0..5).map(|k| model::Sample { time_ms: 1_795_392_000_000 + k * 60_000, value: add + k as f64 }).collect(),
        ..model::SeriesSamples::default()
    };
    let batch = model::SeriesBatch { series: vec![series("a", 0.0), series("b", 10.0)], ..model::SeriesBatch::default() };
    let batch = model::Batch { tenant: model::TenantId::default(), data: model::BatchData::Series(batch) };
    bench.store.append(vec![batch]).unwrap().wait().unwrap();
    let ask = |query: &str| {
        let mut request = Bench::request(query);
        request.range = model::TimeRange::new(model::Timestamp(1_795_392_000_000_000_000), model::Timestamp(1_795_392_300_000_000_000));
        bench.run(request).map(|result| result.json_lines().join("\n")).unwrap_or_else(|error| error.to_string())
    };
    expect![[]].assert_eq(&ask("from promql(`up * 2`, step 1m) | stats by (host) max(value) as most, count() as n"));
    expect![[]].assert_eq(&ask("from promql(`rate(`)"));
}

#[test]
fn lucene_asks_the_same() {
    let bench = Bench::with(&shop(), Place::Segments);
    let count = |text: &str| {
        let mut request = Bench::request(text);
        request.language = crate::Language::Lucene;
        bench.run(request).unwrap().json_rows().len()
    };
    assert_eq!(count("status:[500 TO 599]"), 3);
    assert_eq!(count("status:200 AND user.id:ann"), 2);
    assert_eq!(count("severity:ERROR OR severity:WARN"), 4);
    assert_eq!(count("stat?s"), 7);
}
