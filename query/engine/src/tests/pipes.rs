//! Every pipe over a small shop: what it answers, row by row, in memory and in segments.

use expect_test::{Expect, expect};
use model::{Row, Value};

use super::{Bench, Place, row};

fn text(value: &str) -> Value {
    Value::Str(value.to_owned())
}

/// Two hosts, a bad deploy at 300 s.
pub(super) fn shop() -> Vec<Row> {
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
        line(
            seconds,
            host,
            severity,
            &body,
            &[("status", Value::Int(status)), ("duration_ms", Value::Int(ms)), ("user.id", text(user))],
        )
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
    check(
        "login | parse json | fields event, user.name, user.tags, n",
        expect![[r#"{"event":"login","user.name":"ann","user.tags":["x","y"],"n":7}"#]],
    );
    check(
        "slow | parse logfmt prefix p. | fields p.level, p.msg, p.took",
        expect![[r#"{"p.level":"warn","p.msg":"slow disk","p.took":"1.5s"}"#]],
    );
    check(
        r#"took | extract "GET <path> took <ms> ms" | stats by (path) max(ms) as slowest | sort by (slowest desc) | limit 2"#,
        expect![[r#"
            {"path":"/cart/2170","slowest":1200}
            {"path":"/cart/2100","slowest":900}"#]],
    );
    check(
        r#"took | parse regex "status (?P<code>\d)" | stats by (code) count() as n"#,
        expect![[r#"
        {"code":"","n":1}
        {"code":"2","n":4}
        {"code":"5","n":3}"#]],
    );
    check(
        r#"status:>=500 | replace ("GET", "get") at body | fields body | limit 1"#,
        expect![[r#"{"body":"get /cart/2590 took 30 ms, status 500"}"#]],
    );
    check(
        r#"status:>=500 | replace_regexp ("\d+ ms", "<ms>") at body | fields body | limit 1"#,
        expect![[r#"{"body":"GET /cart/2590 took <ms>, status 500"}"#]],
    );
    check(
        r#"status:502 | format "<uc:host.name>: <status> for <user.id>" as line | fields line"#,
        expect![[r#"{"line":"A: 502 for cat"}"#]],
    );
    check(
        "login | parse json | unroll by (user.tags) | fields user.tags, n",
        expect![[r#"
        {"user.tags":"x","n":7}
        {"user.tags":"y","n":7}"#]],
    );
    check(
        "login | parse json | limit 1",
        expect![[
            r#"{"_time":"2026-11-23T00:03:00Z","_id":"0000000000100003","_stream":"{host.name=\"a\",service.name=\"checkout\"}","severity":"INFO","body":"{\"event\":\"login\",\"user\":{\"name\":\"ann\",\"tags\":[\"x\",\"y\"]},\"n\":7}","host.name":"a","service.name":"checkout","event":"login","user.name":"ann","user.tags":["x","y"],"n":7}"#
        ]],
    );
}

#[test]
fn expressions_compute_and_test() {
    check(
        r#"status:* | eval slow = duration_ms > 100, who = upper(user.id), half = duration_ms / 2 | fields slow, who, half | limit 3"#,
        expect![[r#"
            {"slow":false,"who":"DAN","half":12.5}
            {"slow":false,"who":"BOB","half":15}
            {"slow":true,"who":"CAT","half":600}"#]],
    );
    check("* | where len(body) > 60 | stats count() as n", expect![[r#"{"n":1}"#]]);
    check("expr(duration_ms / 1000 > 1) | fields duration_ms", expect![[r#"{"duration_ms":1200}"#]]);
    check(r#"* | where ip_in(client.address, "10.0.0.0/8") | stats count() as n"#, expect![[r#"{"n":1}"#]]);
    check(
        "status:* | eval kind = if(status >= 500, \"bad\", \"good\") | stats by (kind) count() as n",
        expect![[r#"
        {"kind":"bad","n":3}
        {"kind":"good","n":4}"#]],
    );
}

#[test]
fn buckets_and_charts() {
    check(
        "status:* | stats by (duration_ms:100) count() as n",
        expect![[r#"
        {"duration_ms":0,"n":5}
        {"duration_ms":900,"n":1}
        {"duration_ms":1200,"n":1}"#]],
    );
    check(
        "status:* | timechart 2m by (host.name) count() as n",
        expect![[r#"
        {"_time":"2026-11-23T00:00:00Z","host.name":"a","n":1}
        {"_time":"2026-11-23T00:00:00Z","host.name":"b","n":1}
        {"_time":"2026-11-23T00:02:00Z","host.name":"a","n":1}
        {"_time":"2026-11-23T00:02:00Z","host.name":"b","n":0}
        {"_time":"2026-11-23T00:04:00Z","host.name":"a","n":2}
        {"_time":"2026-11-23T00:04:00Z","host.name":"b","n":0}
        {"_time":"2026-11-23T00:06:00Z","host.name":"a","n":0}
        {"_time":"2026-11-23T00:06:00Z","host.name":"b","n":2}"#]],
    );
    check(
        "status:* | timechart 5m by (user.id) limit 1 max(duration_ms) as ms",
        expect![[r#"
        {"_time":"2026-11-23T00:00:00Z","user.id":"cat"}
        {"_time":"2026-11-23T00:00:00Z","user.id":"other","ms":20}
        {"_time":"2026-11-23T00:05:00Z","user.id":"cat","ms":1200}
        {"_time":"2026-11-23T00:05:00Z","user.id":"other","ms":900}"#]],
    );
    check(
        "status:>=500 | stats by (_time:1m) count() as n | fill n with 0",
        expect![[r#"
        {"_time":"2026-11-23T00:05:00Z","n":2}
        {"_time":"2026-11-23T00:06:00Z","n":1}"#]],
    );
    check(
        "status:* | bin _time 5m as slot | stats by (slot) count() as n",
        expect![[r#"
        {"slot":"2026-11-23T00:00:00Z","n":3}
        {"slot":"2026-11-23T00:05:00Z","n":4}"#]],
    );
    check("status:* | stats by (_time:auto) count() as n | stats count() as buckets", expect![[r#"{"buckets":7}"#]]);
}

#[test]
fn functions_of_groups() {
    check(
        "* | stats count_empty(user.id) as none, count_distinct(user.id, host.name) as pairs, count_distinct_estimate(user.id) as about, sum_len(severity) as letters",
        expect![[r#"{"none":3,"pairs":6,"about":4,"letters":43}"#]],
    );
    check(
        "status:* | stats histogram(duration_ms, 4) as h",
        expect![[
            r#"{"h":[{"from":1,"to":16,"count":2},{"from":16,"to":256,"count":3},{"from":256,"to":4096,"count":2}]}"#
        ]],
    );
    check(
        "status:* | stats by (host.name) row_max(duration_ms, body, status) as worst, median(duration_ms) as mid",
        expect![[r#"
        {"host.name":"a","worst":{"body":"GET /cart/2170 took 1200 ms, status 502","status":502},"mid":457}
        {"host.name":"b","worst":{"body":"GET /cart/2590 took 30 ms, status 500","status":500},"mid":25}"#]],
    );
    check(
        "status:* | top 2 by (user.id) percent as share",
        expect![[r#"
        {"user.id":"ann","hits":3,"share":42.857142857142854}
        {"user.id":"bob","hits":2,"share":28.57142857142857}"#]],
    );
    check(
        "* | dedup 1 by (host.name) | fields host.name, body",
        expect![[r#"
        {"host.name":"b","body":"user 登录失败 from 10.1.2.3"}
        {"host.name":"a","body":"GET /cart/2170 took 1200 ms, status 502"}"#]],
    );
    check("* | sample 3 | stats count() as n", expect![[r#"{"n":3}"#]]);
}

#[test]
fn rows_of_other_queries() {
    check(
        "status:>=500 | join by (user.id) (status:200 | stats by (user.id) count() as good) | fields user.id, status, good",
        expect![[r#"
            {"user.id":"bob","status":500,"good":1}
            {"user.id":"cat","status":502}
            {"user.id":"ann","status":500,"good":2}"#]],
    );
    check(
        "status:>=500 | join inner by (host.name) within 5m before (status:200 | fields _time, host.name, duration_ms) prefix before. | fields host.name, status, before.duration_ms",
        expect![[r#"
            {"host.name":"a","status":502,"before.duration_ms":14}
            {"host.name":"a","status":500,"before.duration_ms":14}"#]],
    );
    check("status:502 | union (slow) | stats count() as n", expect![[r#"{"n":2}"#]]);
    check(
        "user.id:in(status:>=500 | fields user.id) | stats by (user.id) count() as n",
        expect![[r#"
        {"user.id":"ann","n":3}
        {"user.id":"bob","n":2}
        {"user.id":"cat","n":1}"#]],
    );
    check(
        "status:502 | context before 1 after 1 | fields _context, body",
        expect![[r#"
        {"_context":"before","body":"GET /cart/2100 took 900 ms, status 500"}
        {"_context":"match","body":"GET /cart/2170 took 1200 ms, status 502"}"#]],
    );
    check(
        "* | lookup owners on service.name",
        expect![[r#"
        error: there is no table `owners` to look into
        hint: name CSV files in the setting `lookups`"#]],
    );
}

#[test]
fn what_is_in_the_rows() {
    check(
        "* | patterns | fields template, count",
        expect![[r#"
        {"template":"GET <path> took <num> ms, status <num>","count":7}
        {"template":"{\"event\":\"login\",\"user\":{\"name\":\"ann\",\"tags\":[\"x\",\"y\"]},\"n\":<num>}","count":1}
        {"template":"level=warn msg=\"slow disk\" took=<num>s","count":1}
        {"template":"user 登录失败 from <ip>","count":1}"#]],
    );
    check(
        "* | facets 2 host.name, status",
        expect![[r#"
        {"field":"host.name","value":"a","hits":5}
        {"field":"host.name","value":"b","hits":5}
        {"field":"status","value":"200","hits":4}
        {"field":"status","value":"500","hits":2}"#]],
    );
    check(
        "_time:[2026-11-23T00:05:00Z, 2026-11-23T00:10:00Z) | diff previous by (severity) | fields field, value, count, baseline_count",
        expect![[r#"
        {"field":"severity","value":"INFO","count":1,"baseline_count":5}
        {"field":"severity","value":"ERROR","count":3,"baseline_count":0}
        {"field":"severity","value":"WARN","count":1,"baseline_count":0}"#]],
    );
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
        ("body:len_range(0, 36)", 5),
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
        samples: (0..5)
            .map(|k| model::Sample { time_ms: 1_795_392_000_000 + k * 60_000, value: add + k as f64 })
            .collect(),
        ..model::SeriesSamples::default()
    };
    let batch =
        model::SeriesBatch { series: vec![series("a", 0.0), series("b", 10.0)], ..model::SeriesBatch::default() };
    let batch = model::Batch { tenant: model::TenantId::default(), data: model::BatchData::Series(batch) };
    bench.store.append(vec![batch]).unwrap().wait().unwrap();
    let ask = |query: &str| {
        let mut request = Bench::request(query);
        request.range = model::TimeRange::new(
            model::Timestamp(1_795_392_000_000_000_000),
            model::Timestamp(1_795_392_300_000_000_000),
        );
        bench.run(request).map(|result| result.json_lines().join("\n")).unwrap_or_else(|error| error.to_string())
    };
    expect![[r#"
        {"host":"a","most":8,"n":5}
        {"host":"b","most":28,"n":5}"#]]
    .assert_eq(&ask("from promql(`up * 2`, step 1m) | stats by (host) max(value) as most, count() as n"));
    expect!["the query cannot be read: 1:6: parse error: unclosed left parenthesis"]
        .assert_eq(&ask("from promql(`rate(`)"));
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

#[test]
fn explain_shows_the_plan_and_reads_nothing() {
    let bench = Bench::with(&shop(), Place::Memtable);
    let plan =
        bench.lines("status:500 | parse json | join by (user.id) (slow) | stats count() as n | explain").join("\n");
    expect![[r#"
        {"plan":"Aggregate by=[] [count(*) as n]"}
        {"plan":"  Join on=[user.id = user.id]"}
        {"plan":"    Scan logs filter=slow fields=all order=newest"}
        {"plan":"    Parse [parse json]"}
        {"plan":"      Scan logs filter=status:500 fields=[_time, body, user.id]"}
        {"plan":"Stages: rows pass through the operators above one after the other"}
        {"plan":"segments: 0 in all, 0 outside the time range"}
        {"plan":"memtable: 10 of 10 rows to verify"}"#]]
    .assert_eq(&plan);
}

#[test]
fn tables_of_names_are_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("owners.csv");
    std::fs::write(&path, "user,team,level\nann,payments,3\nbob,shop,1\n").unwrap();
    let lookups = crate::LookupTables::of_files([path]).unwrap();
    let bench = Bench::new(crate::QueryLimits { lookups, ..crate::QueryLimits::default() });
    bench.fill(&shop(), Place::Segments);
    let ask = |query: &str| match bench.run(Bench::request(query)) {
        Ok(result) => result.json_lines().join("\n"),
        Err(error) => format!("error: {error}\nhint: {}", error.hint()),
    };
    expect![[r#"
        {"team":"","n":2}
        {"team":"payments","n":3}
        {"team":"shop","n":2}"#]]
    .assert_eq(&ask("status:* | lookup owners on user.id = user output team | stats by (team) count() as n"));
    expect![[r#"
        error: the table `owners` has no column `name`
        hint: its columns are user, team, level"#]]
    .assert_eq(&ask("status:* | lookup owners on user.id = name"));
    expect![[r#"
        error: there is no table `teams` to look into
        hint: the tables are owners"#]]
    .assert_eq(&ask("status:* | lookup teams on user.id"));
}

#[test]
fn pipes_are_held_by_the_memory_of_their_query() {
    let bench = Bench::new(crate::QueryLimits { memory_bytes_max: 1 << 20, ..crate::QueryLimits::default() });
    let many: Vec<Row> =
        (0..20_000).map(|n| row(n, &[("body", text(&format!("key=value-{n} more={n:0>80}")))])).collect();
    bench.fill(&many, Place::Segments);
    for query in [
        "* | parse logfmt | stats by (key) values(more) as v",
        "* | parse logfmt | sort by (key)",
        "* | parse logfmt | dedup by (more)",
        "key | union (key) | sort by (body)",
        "* | join by (body) (*)",
        "* | parse logfmt | facets key, more",
    ] {
        let error = bench.run(Bench::request(query)).unwrap_err();
        assert_eq!(error.code(), "limit", "{query}: {error}");
        assert!(error.to_string().contains("query.memory_bytes_max"), "{query}: {error}");
    }
    // What folds as it comes needs little.
    let found = bench.run(Bench::request("* | parse logfmt | stats count(key) as n")).unwrap();
    assert_eq!(found.json_lines(), [r#"{"n":20000}"#]);
}

/// Rows with the fields that the examples of the manual speak of.
fn shop_of_the_manual() -> Vec<Row> {
    let mut rows = shop();
    for (at, row) in rows.iter_mut().enumerate() {
        row.set("http.response.status_code", Value::Int(if at % 3 == 0 { 500 } else { 200 }));
        row.set("trace_id", text("4bf92f3577b34da6a3ce929d0e0e4736"));
        row.set("service.version", text("1.2.0"));
        row.set("tags", text("[\"a\",\"b\"]"));
        row.set("timeout_ms", Value::Int(500));
        row.set("bytes", Value::Int(1_000 * at as i64));
    }
    rows.into_iter().map(Row::finish).collect()
}

#[test]
fn every_example_of_the_manual_runs() {
    let dir = tempfile::tempdir().unwrap();
    let table = |name: &str, lines: &str| {
        let path = dir.path().join(format!("{name}.csv"));
        std::fs::write(&path, lines).unwrap();
        path
    };
    let owners =
        table("owners", "service,service.name,team,owner,email\ncheckout,checkout,payments,ann,ann@example.com\n");
    let hosts = table("hosts", "host,host.name,name,rack,zone,region\na,a,a,r1,eu-1,eu\n");
    let lookups = crate::LookupTables::of_files([owners, hosts]).unwrap();
    let bench = Bench::new(crate::QueryLimits { lookups, ..crate::QueryLimits::default() });
    bench.fill(&shop_of_the_manual(), Place::Both);
    let reference = lang::reference();
    let entries = [reference.sources, reference.filters, reference.pipes, reference.functions].concat();
    let (mut run, mut failed) = (0, Vec::new());
    for example in entries.iter().flat_map(|entry| entry.examples.iter()) {
        run += 1;
        if let Err(error) = bench.run(Bench::request(example)) {
            failed.push(format!("{example}: {error} ({})", error.hint()));
        }
    }
    assert!(run > 150, "only {run} examples");
    assert!(failed.is_empty(), "{} of {run} fail:\n{}", failed.len(), failed.join("\n"));
}
