//! Deletes by query, damaged indexes, and what `explain analyze` says.

use expect_test::expect;
use model::{Row, Value};

use super::{Bench, Place, block_on, row};
use crate::{QueryError, QueryLimits};

fn rows() -> Vec<Row> {
    let line = |n: i64| {
        let level = if n % 4 == 0 { "ERROR" } else { "INFO" };
        let body = format!("request {n} done in {} ms", n * 7 % 100);
        row(n, &[("body", body.into()), ("severity", level.into()), ("n", Value::Int(n))])
    };
    (0..400).map(line).collect()
}

#[test]
fn what_is_deleted_is_gone_at_once_and_stays_gone() {
    for place in super::PLACES {
        let bench = Bench::with(&rows(), place);
        let report = bench.delete("severity:ERROR").unwrap();
        assert_eq!(report.rows, 100, "{place:?}");
        let count = |query: &str| bench.lines(&format!("{query} | stats count() as n")).join("");
        let check = || {
            assert_eq!(count("*"), "{\"n\":300}");
            assert_eq!(count("severity:ERROR"), "{\"n\":0}");
            assert_eq!(count("request"), "{\"n\":300}");
            assert_eq!(count("n:<10"), "{\"n\":7}");
            assert_eq!(bench.lines("* | stats by (severity) count() as n"), ["{\"severity\":\"INFO\",\"n\":300}"]);
            assert_eq!(bench.lines("* | limit 2 | fields n"), ["{\"n\":399}", "{\"n\":398}"]);
            assert_eq!(bench.lines("* | sort by (_time) | limit 1 | fields n"), ["{\"n\":1}"]);
        };
        check();
        bench.store.flush(true).unwrap();
        check();
        assert_eq!(bench.delete("severity:ERROR").unwrap().rows, 0);
    }
}

#[test]
fn a_delete_is_a_filter_over_a_table_of_the_store() {
    let bench = Bench::with(&rows(), Place::Segments);
    for text in ["* | limit 1", "* | stats count()", "from changes | kind:deploy"] {
        let error = bench.delete(text).unwrap_err();
        assert!(matches!(error, QueryError::Unsupported { .. }), "{text}: {error:?}");
    }
    assert!(matches!(bench.delete("error |"), Err(QueryError::Parse(_))));
    assert_eq!(bench.lines("* | stats count() as n"), ["{\"n\":400}"]);
    let mut request = Bench::request("*");
    request.range = model::TimeRange::new(rows()[0].time, rows()[10].time);
    assert_eq!(block_on(bench.engine.delete(request)).unwrap().rows, 10);
    assert_eq!(bench.lines("* | stats count() as n"), ["{\"n\":390}"]);
}

#[test]
fn a_damaged_index_is_not_used_and_the_answer_is_right() {
    let bench = Bench::with(&rows(), Place::Segments);
    let file = super::limits::find_file(bench._dir.path(), "idx").unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
    // In place: the segment has the file mapped.
    std::fs::write(&file, bytes).unwrap();
    let result = bench.run(Bench::request("severity:ERROR | stats count() as n")).unwrap();
    assert_eq!(result.json_lines(), ["{\"n\":100}"]);
    assert!(result.stats.complete);
    assert!(result.stats.warnings.iter().any(|line| line.contains("its columns were scanned")), "{:?}", result.stats);
    assert_eq!(bench.lines("done | stats by (severity) count() as n").len(), 2);
}

#[test]
fn analyze_shows_what_each_stage_did() {
    let bench = Bench::with(&rows(), Place::Segments);
    let show = |query: &str| {
        let text = block_on(bench.engine.explain(Bench::request(query))).unwrap();
        // Times and sizes differ from run to run.
        let masked = regex::Regex::new("[0-9.]+ ms|[0-9]+ bytes").unwrap();
        masked.replace_all(&text, "#").into_owned()
    };
    expect![[r#"
        Aggregate by=[] [count(*) as n]
          Scan logs filter=severity:ERROR fields=[]
        SnapshotFold: from statistics and index first, columns for the rest
        segments: 1 in all, 0 outside the time range
        segment 00-0000000000100000-465aa6efe1cbf044: 100 of 400 rows match, by the index alone
          index: severity "error": 100 rows by groups, 0 by terms, 0 where filters say maybe
          columns: 9 pages of #
        ran #, 1 rows returned, 100 matched
        segments: 1 in all, 1 left out, 0 read
        columns: 0 pages of # read, 0 rows looked at, # decoded
        index      1 calls, 400 rows in, 100 rows out, #
        rows: 100 sure, 0 open, 0 verified, 0 of them match
    "#]]
    .assert_eq(&show("explain analyze severity:ERROR | stats count() as n"));
    expect![[r#"
        Aggregate by=[severity] [count(*) as n]
          Scan logs filter=n:>390 request fields=[severity]
        SnapshotFold: from statistics and index first, columns for the rest
        segments: 1 in all, 0 outside the time range
        segment 00-0000000000100000-465aa6efe1cbf044: 400 of 400 rows to verify
          index: n: 0 groups to try, 0 rows in none
          index: body "request": 400 rows by groups, 0 by terms, 0 where filters say maybe
          columns: 9 pages of #
        ran #, 2 rows returned, 9 matched
        segments: 1 in all, 0 left out, 1 read
        columns: 5 pages of # read, 400 rows looked at, # decoded
        index      1 calls, 400 rows in, 400 rows out, #
        shapes     1 calls, 400 rows in, 400 rows out, #
        count      1 calls, 400 rows in, 400 rows out, #
        fold       1 calls, 400 rows in, 9 rows out, #
        rows: 0 sure, 400 open, 400 verified, 9 of them match
    "#]]
    .assert_eq(&show("explain analyze n:>390 request | stats by (severity) count() as n"));
    expect![[r#"
        Limit offset=0 fetch=3
          Scan logs filter=request fields=all order=newest fetch=3
        SnapshotScan: NewestFirst, fetch=3
        segments: 1 in all, 0 outside the time range
        segment 00-0000000000100000-465aa6efe1cbf044: 400 of 400 rows match, by the index alone
          index: body "request": 400 rows by groups, 0 by terms, 0 where filters say maybe
          columns: 9 pages of #
        ran #, 3 rows returned, at least as many as returned matched
        segments: 1 in all, 0 left out, 1 read
        columns: 13 pages of # read, 0 rows looked at, # decoded
        index      1 calls, 400 rows in, 400 rows out, #
        order      1 calls, 400 rows in, 400 rows out, #
        output     1 calls, 3 rows in, 3 rows out, #
        rows: 400 sure, 0 open, 0 verified, 0 of them match
    "#]]
    .assert_eq(&show("explain analyze request | limit 3"));
}

#[test]
fn the_fields_of_everything_are_counted_and_not_sampled() {
    let bench = Bench::new(QueryLimits::default());
    let many: Vec<Row> =
        (0..3_000).map(|n| row(n, &[("n", Value::Int(n)), ("half", Value::Bool(n % 2 == 0))])).collect();
    bench.fill(&many, Place::Both);
    let fields = block_on(bench.engine.fields(Bench::request("*"))).unwrap();
    let shown: Vec<String> = fields.fields.iter().map(|f| format!("{} {} {}", f.name, f.kind, f.rows)).collect();
    assert_eq!(shown, ["_id string 3000", "_stream string 3000", "_time string 3000", "half bool 3000", "n int 3000"]);
    assert!(!fields.sampled);
    let filtered = block_on(bench.engine.fields(Bench::request("n:>=0"))).unwrap();
    assert!(filtered.sampled && filtered.rows == crate::FIELDS_SAMPLE_ROWS);
}
