//! Prometheus as a client of Backstop: it reads its samples, scrapes its `/federate`, and what is said of exemplars and deletions is the same
//! on both sides.

use serde_json::Value;

use super::compare::{Tally, Texts, Times, compare, queries};
use super::daemon::{Api, Prometheus, debian, newest, seconds};
use super::{BEFORE_MS, SPAN_MS, awaited, now_ms, read, samples, settled};
use crate::server::Server;

/// A Prometheus without samples of its own that reads those of Backstop: its answers are Backstop's.
fn reader(program: &std::path::Path, server: &Server, flags: &[&str]) -> Prometheus {
    let config = format!("remote_read:\n- url: {}/api/v1/read\n  read_recent: true\n", server.url);
    Prometheus::configured(program, &config, flags)
}

/// Queries whose answers depend on how samples are read and not on the releases' meaning of PromQL: each is asked with the evaluator of
/// the reader.
fn assert_reads_the_same(program: &std::path::Path, server: &Server, times: Times, texts: Texts, kind: &str) {
    let reader = reader(program, server, &["--enable-feature=promql-experimental-functions"]);
    let (theirs, ours) = (Api::new(&reader.url), Api::new(&server.url));
    let file = read("queries.txt");
    // Debian's reads no native histograms as samples, and Prometheus has some of its own.
    let skipped = |query: &str| texts == Texts::Ignored && query.contains("{job=\"prometheus\"}");
    let asked: Vec<&str> = queries(&file).into_iter().filter(|query| !skipped(query)).collect();
    let tally = compare(&theirs, &ours, &asked, times, texts);
    tally.assert_same(&format!("remote read as {kind}"));
    assert!(tally.filled > 100, "{} filled", tally.filled);
    if texts == Texts::Same {
        // Prometheus's own `info` fails over any remote read: "Select invoked after first Next".
        let file = read("histograms.txt");
        let asked: Vec<&str> = queries(&file).into_iter().filter(|query| !query.starts_with("info(")).collect();
        compare(&theirs, &ours, &asked, times, texts).assert_same(&format!("remote read of histograms as {kind}"));
    }
    let metrics = reader.metrics();
    let asked: Vec<&str> =
        metrics.lines().filter(|line| line.contains("read") && line.contains("queries_total{")).collect();
    println!("remote read as {kind}: {asked:?}");
    if texts == Texts::Same {
        let counted = format!("response_type=\"{kind}\"");
        assert!(asked.iter().any(|line| line.contains(&counted)), "no answer was {kind}: {asked:?}");
    }
}

/// A Prometheus that scrapes `/federate` has samples that Backstop has, of every series that was asked for.
fn assert_federates(program: &std::path::Path, server: &Server) {
    let address = server.url.trim_start_matches("http://");
    let config = format!(
        "scrape_configs:\n- job_name: federate\n  honor_labels: true\n  metrics_path: /federate\n  scrape_native_histograms: true\n  \
         params: {{'match[]': ['{{job=\"shop\"}}', '{{__name__=\"prometheus_http_request_duration_seconds\"}}']}}\n  \
         static_configs: [{{targets: ['{address}']}}]\n"
    );
    let scraper = Prometheus::configured(program, &config, &[]);
    let (theirs, ours) = (Api::new(&scraper.url), Api::new(&server.url));
    let window = |ms: i64| format!("{{job=~\"shop|prometheus\"}}[{ms}ms]");
    let copied = awaited("too few samples were federated", || {
        let found = theirs.instant("count_over_time(shop_untyped[1m])", now_ms(&theirs));
        if found.first().is_none_or(|(_, count)| *count < 20.0) {
            return Err(format!("{found:?}\n{}", scraper.log()));
        }
        Ok(samples(&theirs, &window(60_000), now_ms(&theirs)))
    });
    let end_ms = now_ms(&theirs);
    let whole = samples(&ours, &window(120_000), end_ms);
    let mut compared = 0;
    for (series, copy) in &copied {
        let original = whole.get(series).unwrap_or_else(|| panic!("{series} is federated and not there"));
        for (at, what) in ["values", "histograms"].iter().enumerate() {
            let known = original[at].as_array().cloned().unwrap_or_default();
            for sample in copy[at].as_array().into_iter().flatten() {
                assert!(known.contains(sample), "{series}: {what} {sample} is not one of {known:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared} samples");
    let names = |found: &std::collections::BTreeMap<String, Value>| {
        found.keys().filter(|key| key.contains("\"job\":\"shop\"")).count()
    };
    assert!(names(&copied) >= names(&whole), "{} series of {}", names(&copied), names(&whole));
    assert!(copied.values().any(|sample| sample[1].is_array()), "no native histogram came along");
    println!("federation: {compared} samples of {} series are Backstop's", copied.len());
}

/// Exemplars in one order.
fn sorted(mut answer: Value) -> Value {
    if let Some(list) = answer.as_array_mut() {
        list.sort_by_cached_key(|series| series["seriesLabels"].to_string());
    }
    answer
}

/// Both have the same exemplars, of every kind of query.
fn assert_same_exemplars(theirs: &Api, ours: &Api, times: Times) {
    let (start, end) = (seconds(times.start_ms - BEFORE_MS), seconds(times.end_ms));
    for query in [
        "shop_orders_total",
        "shop_order_seconds_bucket{le!=\"0.1\"}",
        "rate(shop_orders_total{service=\"cart\"}[1m]) + on () shop_order_seconds_bucket",
        "shop_nothing",
    ] {
        let form = [("query", query), ("start", start.as_str()), ("end", end.as_str())];
        awaited("exemplars differ", || {
            let path = "/api/v1/query_exemplars";
            let (want, got) = (sorted(theirs.data(path, &form)), sorted(ours.data(path, &form)));
            let filled = query == "shop_nothing" || want.as_array().is_some_and(|list| !list.is_empty());
            if filled && want == got { Ok(()) } else { Err(format!("{query}\n  wanted {want}\n  got    {got}")) }
        });
    }
}

/// What is deleted is gone from both, and nothing else.
fn assert_delete_alike(theirs: &Api, ours: &Api, times: Times) {
    let window = format!("{{job=\"shop\"}}[{}ms]", SPAN_MS + BEFORE_MS);
    let before = samples(theirs, &window, times.end_ms);
    for (selector, from_ms, to_ms) in [
        ("shop_requests_total{code=\"404\"}", times.end_ms - 5_000, times.end_ms - 2_000),
        // Neither the last moments of `shop_odd` nor native histograms: with those deleted, Prometheus's own reads of what is left
        // ended in "index out of range".
        ("{__name__=~\"shop_latency_seconds_.+\",service=\"cart\"}", times.start_ms - BEFORE_MS, times.start_ms),
        ("shop_queue_depth", times.start_ms - 3_600_000, times.end_ms),
        ("shop_nothing", times.start_ms, times.end_ms),
    ] {
        let form = [("match[]", selector), ("start", &seconds(from_ms)), ("end", &seconds(to_ms))];
        for api in [theirs, ours] {
            assert_eq!(api.post("/api/v1/admin/tsdb/delete_series", &form), 204, "{selector}");
        }
    }
    let (want, got) = (samples(theirs, &window, times.end_ms), samples(ours, &window, times.end_ms));
    assert_ne!(want, before, "something is deleted");
    for (series, samples) in &want {
        assert_eq!(got.get(series), Some(samples), "{series}");
    }
    assert_eq!(got.len(), want.len());
    let tally: Tally = compare(theirs, ours, &queries(&read("queries.txt")), times, Texts::Same);
    tally.assert_same("newest Prometheus, after deletions");
}

#[test]
fn prometheus_reads_scrapes_and_deletes_as_with_its_own() {
    let Some(program) = newest() else { return };
    let server = Server::start_with("query: {promql_features: [promql-experimental-functions]}");
    let flags = ["--enable-feature=promql-experimental-functions,exemplar-storage", "--web.enable-admin-api"];
    let write =
        "  protobuf_message: io.prometheus.write.v2.Request\n  send_native_histograms: true\n  send_exemplars: true\n";
    let scrape = "  scrape_native_histograms: true\n  always_scrape_classic_histograms: true\n";
    let exemplars = "- job_name: orders\n  metrics_path: /exemplars\n  static_configs: [{targets: ['EXPORTER']}]\n";
    let url = format!("{}/api/v1/write", server.url);
    let prometheus = Prometheus::start_also(&program, &url, &flags, scrape, exemplars, write);
    let (theirs, ours) = (Api::new(&prometheus.url), Api::new(&server.url));
    let times = settled(&theirs, &ours);
    assert_same_exemplars(&theirs, &ours, times);
    assert_reads_the_same(&program, &server, times, Texts::Same, "chunked");
    if let Some(old) = debian("prometheus") {
        assert_reads_the_same(&old, &server, times, Texts::Ignored, "sampled");
    }
    assert_federates(&program, &server);
    assert_delete_alike(&theirs, &ours, times);
}
