//! Limits have names, cancellation stops, and nothing partial looks complete.

use std::io::Write as _;
use std::sync::Arc;

use model::{Row, TenantId, TimeRange, Value};

use super::{Bench, NOW, Place, block_on, row};
use crate::{Engine, QueryError, QueryLimits, QueryRequest, StateTables};

fn many(count: i64) -> Vec<Row> {
    (0..count).map(|n| row(n, &[("body", format!("line {n} of many").into()), ("n", Value::Int(n))])).collect()
}

fn failure(limits: QueryLimits, rows: i64, request: QueryRequest) -> String {
    let bench = Bench::new(limits);
    bench.fill(&many(rows), Place::Segments);
    let error = bench.run(request).unwrap_err();
    assert!(!error.hint().is_empty());
    assert!(bench.engine.running().is_empty(), "a failed query is still listed");
    format!("{}: {error}", error.code())
}

#[test]
fn limits_name_themselves() {
    let limits = || QueryLimits::default();
    let cases = [
        (QueryLimits { rows_max: 5, ..limits() }, "*", "query.rows_max"),
        (QueryLimits { text_bytes_max: 3, ..limits() }, "error", "query.text_bytes_max"),
        (QueryLimits { range_ns_max: Some(5), ..limits() }, "*", "query.range"),
        (QueryLimits { timeout_ms: 0, ..limits() }, "*", "query.timeout_ms"),
        (QueryLimits { regex_size_bytes_max: 100, ..limits() }, "~\"[a-z]+\"", "query.regex_size_bytes_max"),
        (
            QueryLimits { memory_bytes_max: 1_000, ..limits() },
            "* | stats by (n) count() as c",
            "query.memory_bytes_max",
        ),
        (
            QueryLimits { memory_total_bytes_max: 1_000, ..limits() },
            "* | stats by (n) count() as c",
            "query.memory_total_bytes_max",
        ),
    ];
    for (limits, text, name) in cases {
        let message = failure(limits, 5_000, Bench::request(text));
        assert!(message.contains(name), "{name} is not in {message:?}");
    }
}

#[test]
fn promql_takes_part_in_the_memory_of_all_queries() {
    let bench = Bench::new(QueryLimits { memory_total_bytes_max: 40_000, ..QueryLimits::default() });
    let series = |at: i64| model::SeriesSamples {
        labels: [("__name__", "x".to_owned()), ("i", at.to_string())].into_iter().collect(),
        samples: (0..600).map(|k| model::Sample { time_ms: k * 1000, value: k as f64 }).collect(),
        ..model::SeriesSamples::default()
    };
    let batch = model::SeriesBatch { series: (0..10).map(series).collect(), ..model::SeriesBatch::default() };
    let batch = model::Batch { tenant: TenantId::default(), data: model::BatchData::Series(batch) };
    bench.store.append(vec![batch]).unwrap().wait().unwrap();
    let run = |text: &str| block_on(bench.engine.prom_range(&TenantId::default(), text, 0, 599_000, 1000));
    // Ten series of 600 samples take 96 kB in memory, one takes 9.6.
    let error = run("x").unwrap_err();
    assert!(error.to_string().contains("query.memory_total_bytes_max"), "{error}");
    let sum = run("sum(x{i=\"3\"})").unwrap();
    assert_eq!(sum.outcome.samples, 600);
    assert_eq!(bench.engine.inner.budget.held_bytes(), 0, "what was taken is given back");
}

#[test]
fn sorts_spill_instead_of_failing() {
    let bench = Bench::new(QueryLimits { memory_bytes_max: 24 << 20, partitions: 1, ..QueryLimits::default() });
    let wide: Vec<Row> = (0..40_000).map(|n| row(n, &[("body", format!("{n:0>400}").into())])).collect();
    bench.fill(&wide, Place::Segments);
    let result = bench.run(Bench::request("* | sort by (body)")).unwrap();
    assert_eq!(result.stats.rows_returned, 40_000);
    let bodies: Vec<String> = result.json_rows().iter().map(|row| row["body"].as_str().unwrap().to_owned()).collect();
    assert!(bodies.is_sorted());
}

#[test]
fn a_canceled_query_says_so_and_leaves() {
    let bench = Bench::new(QueryLimits::default());
    bench.fill(&many(40_000), Place::Segments);
    block_on(async {
        let mut stream = bench.engine.run(Bench::request("line")).await.unwrap();
        stream.next_batch().await.unwrap().unwrap();
        // Five batches in all, of which at most four have left: one is read, two wait, one is being sent.
        assert!(bench.engine.cancel(stream.id()));
        let mut last = None;
        while let Some(event) = stream.next_batch().await {
            last = Some(event);
        }
        assert!(matches!(last, Some(Err(QueryError::Canceled))), "it ended otherwise");
        assert!(stream.stats().is_none());
        assert!(bench.engine.running().is_empty());
        assert!(!bench.engine.cancel(stream.id()));
    });
}

#[test]
fn dropping_the_stream_frees_its_place() {
    let limits = QueryLimits { concurrency_max: 1, ..QueryLimits::default() };
    let bench = Bench::new(limits);
    bench.fill(&many(40_000), Place::Segments);
    block_on(async {
        let first = bench.engine.run(Bench::request("line")).await.unwrap();
        drop(first);
        // Would wait for ever if the dropped query kept its permit.
        let second = bench.engine.run(Bench::request("* | stats count() as n")).await.unwrap();
        assert_eq!(second.collect_all().await.unwrap().json_lines(), ["{\"n\":40000}"]);
    });
}

#[test]
fn a_full_queue_refuses() {
    let limits = QueryLimits { concurrency_max: 1, queue_max: 0, ..QueryLimits::default() };
    let bench = Bench::new(limits);
    bench.fill(&many(40_000), Place::Segments);
    block_on(async {
        let held = bench.engine.run(Bench::request("line")).await.unwrap();
        let refused = bench.engine.run(Bench::request("*")).await.unwrap_err();
        assert!(matches!(refused, QueryError::Busy { name: "query.queue_max", running: 1, .. }), "{refused:?}");
        drop(held);
    });
}

#[test]
fn a_damaged_segment_is_named() {
    let bench = Bench::new(QueryLimits::default());
    bench.fill(&many(100), Place::Segments);
    let [segment] = &bench.store.segments()[..] else { panic!("one segment") };
    let id = segment.id.clone();
    bench.store.report_damage(&id, "a test says so").unwrap();
    let error = bench.run(Bench::request("*")).unwrap_err();
    assert!(matches!(&error, QueryError::Storage { segment, .. } if *segment == id), "{error:?}");
    let mut request = Bench::request("* | stats count() as n");
    request.allow_partial = true;
    let partial = bench.run(request).unwrap();
    assert!(!partial.stats.complete);
    assert!(partial.stats.warnings[0].contains(&id), "{:?}", partial.stats.warnings);
}

#[test]
fn a_flipped_byte_is_found_named_and_reported() {
    let bench = Bench::new(QueryLimits::default());
    bench.fill(&many(1_000), Place::Segments);
    let file = find_file(bench._dir.path(), "parquet").unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    // In place: the segment has the file mapped.
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().write_all(&bytes).unwrap();
    let error = bench.run(Bench::request("~\"line\"")).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    let damaged = bench.store.stats().damaged_segments;
    assert!(
        matches!(&error, QueryError::Storage { segment, .. } if damaged[0].id == *segment),
        "{error:?}, {damaged:?}"
    );
    assert!(bench.run(Bench::request("*")).is_err(), "what is known to be missing is still an error");
}

pub(super) fn find_file(dir: &std::path::Path, extension: &str) -> Option<std::path::PathBuf> {
    std::fs::read_dir(dir).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { find_file(&path, extension) } else { (path.extension()? == extension).then_some(path) }
    })
}

#[test]
fn a_bad_query_is_explained() {
    let bench = Bench::new(QueryLimits::default());
    let error = bench.run(Bench::request("error | nosuchpipe")).unwrap_err();
    let QueryError::Parse(diagnostics) = &error else { panic!("{error:?}") };
    assert!(diagnostics[0].message.contains("nosuchpipe"), "{diagnostics:?}");
}

struct OneChange;

impl StateTables for OneChange {
    fn rows(&self, _: &TenantId, table: &str, _: TimeRange) -> Result<Vec<Row>, String> {
        match table {
            "changes" => Ok(vec![row(1, &[("kind", "deploy".into()), ("id", "c1".into())])]),
            other => Err(format!("{other} is out of order")),
        }
    }
}

#[test]
fn state_tables_are_searched_like_any_other() {
    let bench = Bench::new(QueryLimits::default());
    let engine = Engine::new(bench.store.clone(), Arc::new(OneChange), QueryLimits::default()).unwrap();
    let run = |text: &str| {
        let request = QueryRequest::new(TenantId::default(), text, NOW);
        block_on(async { engine.run(request).await?.collect_all().await })
    };
    assert_eq!(run("from changes | kind:deploy | fields id").unwrap().json_lines(), ["{\"id\":\"c1\"}"]);
    let error = run("from alerts").unwrap_err();
    assert!(error.to_string().contains("alerts is out of order"), "{error}");
}
