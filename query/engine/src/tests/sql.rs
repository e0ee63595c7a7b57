//! SQL over a small shop: what it answers, what it refuses, and that conditions answered by the index are those answered by SQL.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use model::Value;

use super::pipes::shop;
use super::{Bench, Place, block_on, row};
use crate::{Language, QueryError, QueryLimits, QueryRequest};

pub(super) fn request(sql: &str) -> QueryRequest {
    QueryRequest { language: Language::Sql, ..Bench::request(sql) }
}

pub(super) fn shown(sql: &str, error: &QueryError) -> String {
    match error {
        QueryError::Parse(diagnostics) => {
            diagnostics.iter().map(|diagnostic| lang::render_diagnostic(sql, diagnostic)).collect()
        }
        error => format!("{}: {error}\nhint: {}", error.code(), error.hint()),
    }
}

fn answer(bench: &Bench, sql: &str) -> String {
    match bench.run(request(sql)) {
        Ok(result) => {
            let warnings = result.stats.warnings.iter().map(|line| format!("warning: {line}"));
            result.json_lines().into_iter().chain(warnings).collect::<Vec<_>>().join("\n")
        }
        Err(error) => shown(sql, &error),
    }
}

/// Runs a query over rows in memory and over rows in segments: the same answer.
#[track_caller]
fn check(sql: &str, want: Expect) {
    let rows = shop();
    let answers: Vec<String> =
        [Place::Memtable, Place::Segments].into_iter().map(|place| answer(&Bench::with(&rows, place), sql)).collect();
    assert_eq!(answers[0], answers[1], "memory and segments differ: {sql}");
    want.assert_eq(&answers[0]);
}

#[test]
fn rows_and_conditions() {
    check(
        "select _time, host.name, status from logs where status >= 500 order by _time",
        expect![[r#"
        {"_time":"2026-11-23T00:05:00Z","host.name":"a","status":500}
        {"_time":"2026-11-23T00:05:10Z","host.name":"a","status":502}
        {"_time":"2026-11-23T00:06:10Z","host.name":"b","status":500}"#]],
    );
    check(
        "SELECT service.name, body FROM logs WHERE body LIKE '%slow%'",
        expect![[r#"{"service.name":"checkout","body":"level=warn msg=\"slow disk\" took=1.5s"}"#]],
    );
    check(
        "select user.id from logs where severity = 'ERROR' and host.name in ('a', 'c') order by user.id desc",
        expect![[r#"
            {"user.id":"cat"}
            {"user.id":"ann"}"#]],
    );
    check("select count(*) as n from logs where body ilike 'get%' and not (status = 200)", expect![[r#"{"n":3}"#]]);
    check(
        "select count(*) from logs where _time >= timestamp '2026-11-23 00:05:00Z' and _time < '2026-11-23T00:06:30Z'",
        expect![[r#"{"count(*)":3}"#]],
    );
    check(
        "select body from logs where search('login or 登录失败') order by _time",
        expect![[r#"
        {"body":"{\"event\":\"login\",\"user\":{\"name\":\"ann\",\"tags\":[\"x\",\"y\"]},\"n\":7}"}
        {"body":"user 登录失败 from 10.1.2.3"}"#]],
    );
    check(
        "select l.body from logs l join logs m on l.user.id = m.user.id where search(l, 'status:502') and m.status = 502",
        expect![[r#"{"body":"GET /cart/2170 took 1200 ms, status 502"}"#]],
    );
    check(
        "select status from logs where status is not null order by _time desc limit 2",
        expect![[r#"
        {"status":200}
        {"status":500}"#]],
    );
    check(
        "select user.id from logs limit 2",
        expect![[r#"
            {}
            {"user.id":"dan"}"#]],
    );
    check(
        "select * from logs where status = 502",
        expect![[
            r#"{"_time":"2026-11-23T00:05:10Z","_id":"0000000000100006","_stream":"{host.name=\"a\",service.name=\"checkout\"}","body":"GET /cart/2170 took 1200 ms, status 502","duration_ms":1200,"host.name":"a","service.name":"checkout","severity":"ERROR","status":502,"user.id":"cat"}"#
        ]],
    );
}

#[test]
fn groups_joins_and_windows() {
    check(
        "select host.name as host, count(*) as n, avg(duration_ms) as ms, max(status) as worst from logs group by host.name order by host",
        expect![[r#"
            {"host":"a","n":5,"ms":531.5,"worst":502}
            {"host":"b","n":5,"ms":25,"worst":500}"#]],
    );
    check(
        "select date_bin(interval '5 minutes', _time) as t, count(*) filter (where status >= 500) as errors from logs group by t order by t",
        expect![[r#"
            {"t":"2026-11-23T00:00:00Z","errors":0}
            {"t":"2026-11-23T00:05:00Z","errors":3}"#]],
    );
    check(
        "with bad as (select user.id as u, status from logs where status >= 500) \
         select b.u, count(*) as n from bad b join logs l on l.user.id = b.u group by b.u order by n desc, b.u",
        expect![[r#"
            {"u":"ann","n":3}
            {"u":"bob","n":2}
            {"u":"cat","n":1}"#]],
    );
    check(
        "select user.id, duration_ms - lag(duration_ms) over (partition by user.id order by _time) as more from logs \
         where user.id = 'ann' order by _time",
        expect![[r#"
            {"user.id":"ann"}
            {"user.id":"ann","more":2}
            {"user.id":"ann","more":886}"#]],
    );
    check(
        "select status from logs where status > 500 union all select 1 order by status",
        expect![[r#"
        {"status":1}
        {"status":502}"#]],
    );
    check(
        "select approx_distinct(user.id) as u, count(distinct host.name) as h from logs",
        expect![[r#"{"u":4,"h":2}"#]],
    );
    check("select host.name from logs group by host.name having count(*) > 5", expect![[""]]);
    check(
        "select distinct severity from logs order by 1",
        expect![[r#"
        {"severity":"ERROR"}
        {"severity":"INFO"}
        {"severity":"WARN"}"#]],
    );
    check(
        "values (1, 'a'), (2, 'b')",
        expect![[r#"
        {"column1":1,"column2":"a"}
        {"column1":2,"column2":"b"}"#]],
    );
}

#[test]
fn functions() {
    check(
        "select upper('ab') || '-' || lower('CD') as t, substring('hello' from 2 for 3) as s, position('l' in 'hello') as p",
        expect![[r#"{"t":"AB-cd","s":"ell","p":3}"#]],
    );
    check(
        "select ip_in('10.1.2.3', '10.0.0.0/8') as i, url_host('https://a.b/c') as h, sha1('x') as d, json_get('{\"a\":{\"b\":7}}', 'a.b') as j",
        expect![[r#"{"i":true,"h":"a.b","d":"11f6ad8ec52a2984abaafd7c3b516503785c2072","j":"7"}"#]],
    );
    check(
        "select replace(body, 'GET', 'get') as b, extract(minute from _time) as m, concat(user.id, '@', host.name) as w from logs where status = 502",
        expect![[r#"{"b":"get /cart/2170 took 1200 ms, status 502","m":5,"w":"cat@a"}"#]],
    );
    check(
        "select now() as t, date_trunc('hour', now()) as h, cast('7' as int) + 1 as n, round(2.567, 1) as r, 7 / 2 as q, 1.5::decimal(4,2) as d",
        expect![[r#"{"t":"2027-01-15T08:00:00Z","h":"2027-01-15T08:00:00Z","n":8,"r":2.6,"q":3,"d":1.5}"#]],
    );
    check(
        "select current_date as d, null as nothing, true as yes, interval '1 hour' as i",
        expect![[r#"{"d":"2027-01-15","yes":true,"i":"1 hours"}"#]],
    );
    check(
        "select a.status, b.status, coalesce(null, 5) as c from logs a join logs b on a._id = b._id where a.status = 502",
        expect![[r#"{"status":502,"b.status":502,"c":5}"#]],
    );
}

#[test]
fn fields_that_no_row_has_are_null() {
    check(
        "select count(*) as n, count(trace.id) as t from logs where usr.id is null or status = 1",
        expect![[r#"
        {"n":10,"t":0}
        warning: no row of logs has the field usr.id in this time; did you mean user.id?
        warning: no row of logs has the field trace.id in this time"#]],
    );
    check(
        "select Status from logs limit 1",
        expect![[r#"
        {}
        warning: no row of logs has the field Status in this time; did you mean status?"#]],
    );
    check(
        "select l.nothing from logs l join logs m on l._id = m._id limit 1",
        expect![[r#"
        {}
        warning: no row of l has the field nothing in this time"#]],
    );
}

#[test]
fn what_is_refused() {
    for (sql, want) in [
        (
            "selct 1",
            expect![[r#"
            error: Expected: an SQL statement, found: selct
             1 | selct 1
               | ^^^^^
               = the syntax is that of SELECT in PostgreSQL; names with a dash or a space stand in "double quotes"
        "#]],
        ),
        (
            "select from logs where",
            expect![[r#"
            error: Expected: an expression, found: EOF
             1 | select from logs where
               | ^^^^^^^^^^^^^^^^^^^^^^
               = the syntax is that of SELECT in PostgreSQL; names with a dash or a space stand in "double quotes"
        "#]],
        ),
        (
            "select 1; select 2",
            expect![[r#"
            error: a query is one statement
             1 | select 1; select 2
               | ^^^^^^^^^^^^^^^^^^
               = write one SELECT, without others before or after
        "#]],
        ),
        (
            "",
            expect![[r#"
            error: a query is one statement
             1 | 
               | ^
               = write one SELECT, without others before or after
        "#]],
        ),
        (
            "delete from logs",
            expect![[r#"
            error: DELETE is not a query
             1 | delete from logs
               | ^^^^^^^^^^^^^^^^
               = SQL here reads and changes nothing: SELECT, WITH ... SELECT, VALUES, EXPLAIN [ANALYZE] SELECT
        "#]],
        ),
        (
            "create table x as select 1",
            expect![[r#"
            error: CREATE is not a query
             1 | create table x as select 1
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^
               = SQL here reads and changes nothing: SELECT, WITH ... SELECT, VALUES, EXPLAIN [ANALYZE] SELECT
        "#]],
        ),
        (
            "copy (select 1) to '/tmp/x'",
            expect![[r#"
            error: COPY is not a query
             1 | copy (select 1) to '/tmp/x'
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = SQL here reads and changes nothing: SELECT, WITH ... SELECT, VALUES, EXPLAIN [ANALYZE] SELECT
        "#]],
        ),
        (
            "create external table x stored as csv location '/etc/passwd'",
            expect![[r#"
            error: Expected: fileformat, found: csv
             1 | create external table x stored as csv location '/etc/passwd'
               |                                   ^^^
               = the syntax is that of SELECT in PostgreSQL; names with a dash or a space stand in "double quotes"
        "#]],
        ),
        (
            "select * into x from logs",
            expect![[r#"
            error: SELECT INTO is not allowed
             1 | select * into x from logs
               | ^^^^^^^^^^^^^^^^^^^^^^^^^
               = SQL here changes nothing
        "#]],
        ),
        (
            "with x as (delete from logs returning *) select * from x",
            expect![[r#"
            error: SQL here changes and locks nothing
             1 | with x as (delete from logs returning *) select * from x
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = write a SELECT
        "#]],
        ),
        (
            "with recursive n as (select 1 as i union all select i + 1 from n) select * from n",
            expect![[r#"
            error: WITH RECURSIVE is not allowed
             1 | with recursive n as (select 1 as i union all select i + 1 from n) select * from n
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = write the steps out, or use a pipe of the native language
        "#]],
        ),
        (
            "select * from '/etc/passwd'",
            expect![[r#"
            error: there is no table /etc/passwd
             1 | select * from '/etc/passwd'
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = the tables are logs, spans, quarantine, changes, alerts, incidents, actions, probes, findings, audit
        "#]],
        ),
        (
            "select * from logz",
            expect![[r#"
            error: there is no table logz
             1 | select * from logz
               |               ^^^^
               = did you mean logs?
        "#]],
        ),
        (
            "select * from information_schema.tables",
            expect![[r#"
                error: there is no table information_schema.tables
                 1 | select * from information_schema.tables
                   |               ^^^^^^^^^^^^^^^^^^^^^^^^^
                   = the tables are logs, spans, quarantine, changes, alerts, incidents, actions, probes, findings, audit
            "#]],
        ),
        (
            "select * from read_csv('/etc/passwd')",
            expect![[r#"
            error: read_csv(...) is not a table
             1 | select * from read_csv('/etc/passwd')
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = promql('rate(x[5m])') or promql('rate(x[5m])', '1m') is the one function that is a table
        "#]],
        ),
        (
            "select * from generate_series(1, 1000000000)",
            expect![[r#"
            error: generate_series(...) is not a table
             1 | select * from generate_series(1, 1000000000)
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = promql('rate(x[5m])') or promql('rate(x[5m])', '1m') is the one function that is a table
        "#]],
        ),
        (
            "select repeet('a', 3)",
            expect![[r#"
            error: Invalid function 'repeet'
             1 | select repeet('a', 3)
               |        ^^^^^^
               = Did you mean 'repeat'?
        "#]],
        ),
        (
            "select array_agg(body) from logs",
            expect![[r#"
            error: Invalid function 'array_agg'
             1 | select array_agg(body) from logs
               |        ^^^^^^^^^
               = Did you mean 'array_join'?
        "#]],
        ),
        (
            "select uuid()",
            expect![[r#"
                error: Invalid function 'uuid'
                 1 | select uuid()
                   |        ^^^^
                   = Did you mean 'mid'?
            "#]],
        ),
        (
            "select sha1()",
            expect![[r#"
                error: the function is called as sha1(text), not with 0 arguments
                 1 | select sha1()
                   | ^^^^^^^^^^^^^
                   = correct the query at the marked place
            "#]],
        ),
        (
            "select ip_in('10.0.0.1', 'net')",
            expect![[r#"
            unsupported: "net" is no network
            hint: write a network such as "10.0.0.0/8" or "2001:db8::/32""#]],
        ),
        (
            "select body + 1 from logs",
            expect![[r#"
            error: Cannot coerce arithmetic expression Utf8 + Int64 to valid types
             1 | select body + 1 from logs
               |        ^^^^
               = correct the query at the marked place
        "#]],
        ),
        (
            "select host.name, count(*) from logs",
            expect![[r#"
            error: Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column "logs.host.name" must appear in the GROUP BY clause or must be part of an aggregate function, currently only "count(Int64(1))" appears in the SELECT clause satisfies this requirement
             1 | select host.name, count(*) from logs
               |        ^^^^^^^^^
               = correct the query at the marked place
        "#]],
        ),
        (
            "select body from logs where search('status:>=') ",
            expect![[r#"
            unsupported: in search("status:>="): a value is missing after `status:>=`
            hint: write a word, "a phrase", ~"regex" or * (any value)"#]],
        ),
        (
            "select body from logs where search('a | limit 1')",
            expect![[r#"
            unsupported: search("a | limit 1") has a pipe or a table
            hint: search takes a filter alone; the rest is what SQL is for"#]],
        ),
        (
            "select search('a') from logs",
            expect![[r#"
            unsupported: search('...') can only stand in WHERE, as a condition on one table that is not on the outer side of a join
            hint: join it to the other conditions by AND"#]],
        ),
        (
            "select body from logs where search('login') or length(body) < 3",
            expect![[r#"
            unsupported: search('...') can only stand in WHERE, as a condition on one table that is not on the outer side of a join
            hint: join it to the other conditions by AND"#]],
        ),
        (
            "select _time from logs a, logs b",
            expect![[r#"
            error: Ambiguous reference to unqualified field _time
             1 | select _time from logs a, logs b
               |        ^^^^^
               = correct the query at the marked place
        "#]],
        ),
        (
            "show tables",
            expect![[r#"
            error: SHOW is not a query
             1 | show tables
               | ^^^^^^^^^^^
               = SQL here reads and changes nothing: SELECT, WITH ... SELECT, VALUES, EXPLAIN [ANALYZE] SELECT
        "#]],
        ),
        (
            "set x = 1",
            expect![[r#"
            error: SET is not a query
             1 | set x = 1
               | ^^^^^^^^^
               = SQL here reads and changes nothing: SELECT, WITH ... SELECT, VALUES, EXPLAIN [ANALYZE] SELECT
        "#]],
        ),
        (
            "select * from promql('rate(x[')",
            expect![[r#"
            error: 1:8: parse error: unexpected end of input in duration expression
             1 | select * from promql('rate(x[')
               |                              ^
        "#]],
        ),
        (
            "select * from promql('x', 'never')",
            expect![[r#"
            error: "never" is no step
             1 | select * from promql('x', 'never')
               |                           ^^^^^^^
               = write one as in '30s' or '5m'
        "#]],
        ),
        (
            "select * from logs for update",
            expect![[r#"
            error: SQL here changes and locks nothing
             1 | select * from logs for update
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = write a SELECT
        "#]],
        ),
        ("select * from findings", expect![[""]]),
    ] {
        check(sql, want);
    }
}

#[test]
fn ids_are_ids_and_counts_are_numbers() {
    check(
        "select _id as i, row_number() over (order by _time) as r from logs where status = 502",
        expect![[r#"{"i":"0000000000100006","r":1}"#]],
    );
    check("select max(a._id) as i from logs a", expect![[r#"{"i":1048585}"#]]);
}

#[test]
fn the_manual_lists_every_function() {
    let manual = include_str!("../../../../docs/sql.md");
    let (head, _) = manual.split_once("## Functions").unwrap();
    let all = crate::sql_functions();
    let mut text = format!("{head}## Functions\n");
    for (family, what) in [
        (
            "aggregates",
            "Of groups, each with `distinct`, `filter (where ...)` and, where it matters, `order by`; `count(*)` too",
        ),
        ("windows", "Of windows, `over (partition by ... order by ...)`, beside those of groups"),
        (
            "scalars",
            "Of rows, as PostgreSQL and DataFusion have them, and the operators `||`, `like`, `ilike`, `~`, `::`",
        ),
        ("native", "Of rows, as the [native language](query-language.md) has them"),
    ] {
        let names: Vec<String> = all[family].iter().map(|name| format!("`{name}`")).collect();
        let mut line = format!("{what}:");
        text.push('\n');
        for name in names
            .iter()
            .enumerate()
            .map(|(at, name)| if at + 1 < names.len() { format!(" {name},") } else { format!(" {name}.") })
        {
            if line.len() + name.len() > 140 {
                text.push_str(line.trim_start());
                text.push('\n');
                line.clear();
            }
            line.push_str(&name);
        }
        text.push_str(line.trim_start());
        text.push('\n');
    }
    expect_test::expect_file!["../../../../docs/sql.md"].assert_eq(&text);
}

#[test]
fn what_can_not_be_computed_is_a_mistake_of_the_query() {
    let bench = Bench::with(&shop(), Place::Segments);
    for sql in [
        "select cast(body as int) from logs",
        "select 1 / (status - 500) from logs",
        "select to_timestamp(body) from logs",
        "select (select status from logs)",
    ] {
        let error = bench.run(request(sql)).unwrap_err();
        assert!(!matches!(error, QueryError::Internal { .. }), "{sql}: {error}");
    }
    check("select count(try_cast(user.id as int)) as n from logs", expect![[r#"{"n":0}"#]]);
}

#[test]
fn empty_texts_zeros_and_what_is_no_number() {
    let value = |text: &str, number: f64| {
        let fields =
            [("body", Value::Str("x".to_owned())), ("t", Value::Str(text.to_owned())), ("f", Value::Double(number))];
        row(number.max(0.0) as i64, &fields)
    };
    let rows = [value("", 1.0), value("7", -0.0), value("a", 2.5), value("7", f64::NAN)];
    for place in [Place::Memtable, Place::Segments] {
        let bench = Bench::with(&rows, place);
        for condition in
            ["t ~ '^[0-9]*$'", "t ~* 'A'", "f > 1", "f >= 2.5", "f < 1", "f <= 0", "f = 0", "t = ''", "t <> 'a'"]
        {
            let selected = bench.run(request(&format!("select _id from logs where {condition} order by _id"))).unwrap();
            let valued =
                bench.run(request(&format!("select _id, {condition} as holds from logs order by _id"))).unwrap();
            let holds = valued.json_rows().into_iter().filter(|row| row["holds"] == true).map(|row| row["_id"].clone());
            let ids: Vec<_> = selected.json_rows().into_iter().map(|row| row["_id"].clone()).collect();
            assert_eq!(ids, holds.collect::<Vec<_>>(), "{condition} in {place:?}");
        }
    }
}

#[test]
fn names_mean_what_they_mean_where_they_stand() {
    check(
        "with logs as (select * from logs where status > 500) select count(*) as n from logs",
        expect![[r#"{"n":1}"#]],
    );
    check(
        "select count(*) as n from logs a join logs b on a._time = b._time where search(a, 'status:502')",
        expect![[r#"{"n":1}"#]],
    );
    check(
        "select count(*) as n from logs a join logs b on a.host.name = b.host.name where search(a, 'status:502') and search(b, 'login')",
        expect![[r#"{"n":1}"#]],
    );
    check("select 1 as \"\", `host.name` from logs limit 1", expect![[r#"{"":1,"host.name":"b"}"#]]);
}

#[test]
fn plans_use_index_and_order() {
    let bench = Bench::with(&shop(), Place::Segments);
    let plan = |sql: &str| block_on(bench.engine.explain(request(sql))).unwrap();
    let newest = plan("select body from logs where host.name = 'a' order by _time desc limit 2");
    assert!(newest.contains("NewestFirst, fetch=2"), "{newest}");
    assert!(!newest.contains("FilterExec"), "{newest}");
    let oldest = plan("select body from logs order by _time, _id limit 2");
    assert!(oldest.contains("OldestFirst, fetch=2"), "{oldest}");
    let sorted = plan("select body from logs order by body limit 2");
    assert!(!sorted.contains("NewestFirst"), "{sorted}");
    let analyzed =
        block_on(bench.engine.explain_analyze(request("select count(*) from logs where search('took')"))).unwrap();
    assert!(analyzed.contains("rows\n"), "{analyzed}");
    let rows = bench.run(request("explain select body from logs")).unwrap().json_lines();
    assert!(rows.iter().any(|row| row.contains("SnapshotScan")), "{rows:?}");
    let rows = bench.run(request("explain analyze select body from logs")).unwrap().json_lines();
    assert!(rows.iter().any(|row| row.contains("10 rows")), "{rows:?}");
}

/// Conditions over the fields of the shop.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (
            prop::sample::select(vec!["status", "duration_ms"]),
            prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]),
            -1i64..1300
        )
            .prop_map(|(name, op, number)| format!("{name} {op} {number}")),
        (prop::sample::select(vec!["status", "duration_ms"]), prop::sample::select(vec!["=", ">", "<="]), 0f64..1300.0)
            .prop_map(|(name, op, number)| format!("{name} {op} {number:?}")),
        (
            prop::sample::select(vec!["host.name", "severity", "user.id", "body", "client.address"]),
            prop::sample::select(vec!["=", "<>", "<", ">="]),
            prop::sample::select(vec!["a", "b", "ERROR", "INFO", "ann", "zed", "", "500"]),
        )
            .prop_map(|(name, op, text)| format!("{name} {op} '{text}'")),
        (
            prop::sample::select(vec!["body", "severity", "user.id", "host.name"]),
            prop::sample::select(vec!["like", "ilike", "not like", "~", "!~", "~*"]),
            prop::sample::select(vec![
                "%took%", "get%", "%", "_", "a__", "%50_", "took", "^a", "err", "%登录%", "%\\%%"
            ]),
        )
            .prop_map(|(name, op, text)| format!("{name} {op} '{text}'")),
        (prop::sample::select(vec!["status", "user.id", "body", "_time", "nothing"]), prop::bool::ANY)
            .prop_map(|(name, not)| format!("{name} is {}null", if not { "not " } else { "" })),
        (prop::sample::select(vec!["user.id", "host.name"]), prop::bool::ANY)
            .prop_map(|(name, not)| format!("{name} {}in ('ann', 'b', 'dan')", if not { "not " } else { "" })),
        (prop::sample::select(vec!["=", "<", "<=", ">", ">="]), 0i64..480).prop_map(|(op, s)| format!(
            "_time {op} timestamp '2026-11-23 00:{:02}:{:02}Z'",
            s / 60,
            s % 60
        )),
        Just("status between 200 and 500".to_owned()),
        Just("search('took -user.id:bob')".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

/// A condition in WHERE, which the index may answer, selects the rows for which SQL says that it is true.
#[test]
fn conditions_mean_the_same_in_the_index() {
    let benches = [Place::Segments, Place::Both].map(|place| Bench::with(&shop(), place));
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&condition(), |condition| {
        let searches = condition.contains("search");
        for bench in &benches {
            let selected = bench.run(request(&format!("select _id from logs where {condition} order by _id")));
            // A search below something that is not taken down has no value; nothing else may fail.
            let selected = match selected {
                Err(QueryError::Unsupported { .. }) if searches => continue,
                selected => selected.map_err(|error| TestCaseError::fail(format!("{condition}: {error}")))?,
            };
            let in_sql = condition
                .replace("search('took -user.id:bob')", r"(body ~ '\btook\b' and user.id is distinct from 'bob')");
            let valued = bench.run(request(&format!("select _id, {in_sql} as holds from logs order by _id")));
            let valued = valued.map_err(|error| TestCaseError::fail(format!("{in_sql}: {error}")))?;
            let holds = valued.json_rows().into_iter().filter(|row| row["holds"] == true).map(|row| row["_id"].clone());
            let ids: Vec<_> = selected.json_rows().into_iter().map(|row| row["_id"].clone()).collect();
            prop_assert_eq!(ids, holds.collect::<Vec<_>>(), "{}", condition);
        }
        Ok(())
    });
    outcome.unwrap();
}

/// Whatever words stand one after the other: rows or an error that says what is wrong, never a defect.
#[test]
fn no_text_is_a_defect() {
    let bench = Bench::new(QueryLimits { timeout_ms: 2_000, ..QueryLimits::default() });
    bench.fill(&shop(), Place::Memtable);
    let texts = (prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..14), prop::bool::ANY);
    let config = ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&texts, |(words, lead)| {
        let text = words.join(" ");
        let text = if lead { format!("select {text}") } else { text };
        if let Err(error) = bench.run(request(&text)) {
            prop_assert!(!matches!(error, QueryError::Internal { .. }), "{text}: {error}");
        }
        let _ = crate::diagnose_sql(&text);
        Ok(())
    });
    outcome.unwrap();
}

const WORDS: &[&str] = &[
    "select",
    "from",
    "logs",
    "where",
    "status",
    "=",
    "500",
    "'a'",
    "and",
    "or",
    "not",
    "(",
    ")",
    ",",
    "*",
    "count(*)",
    "group by",
    "order by",
    "limit 3",
    "as n",
    "host.name",
    "body",
    "like",
    "is null",
    "in",
    "case when",
    "then",
    "else",
    "end",
    "join",
    "on",
    "union",
    "with x as",
    "having",
    "distinct",
    "max(",
    "sum(status)",
    "over",
    "partition by",
    "_time",
    "interval '1 hour'",
    "now()",
    "::int",
    "cast(",
    "||",
    "-",
    "exists",
    "between",
    "search('took')",
    "promql('up')",
    "\"",
    "'",
    ";",
    "--",
    "l",
    "changes",
    "x",
];
