//! Prometheus beside Backstop: it writes its samples to Backstop, both are asked the same, and promtool works against Backstop.

mod backfill;
mod compare;
mod daemon;
mod exporter;
mod grafana;
mod otlp;
mod peers;
mod promtool;

use std::collections::BTreeMap;
use std::time::Instant;

use compare::{Tally, Texts, Times, compare, queries};
use daemon::{Api, INTERVAL_MS, PATIENCE, POLL, Prometheus, debian, newest, seconds};
use serde_json::{Value, json};

use crate::server::Server;
use crate::shared::repository;

/// Over how long queries ask. Windows reach further back.
const SPAN_MS: i64 = 6_000;
/// How far the windows of the queries reach back behind that.
const BEFORE_MS: i64 = 10_000;
/// What Prometheus scrapes before anything is asked: what is asked about, and the moments in which remote write begins.
const SCRAPED_MS: i64 = SPAN_MS + BEFORE_MS + 4_000;

fn read(file: &str) -> String {
    let path = repository().join("tests/cases/prometheus").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What time it is where the samples come from.
fn now_ms(prometheus: &Api) -> i64 {
    let data = prometheus.data("/api/v1/query", &[("query", "time()")]);
    let time = data["result"][0].as_f64().unwrap_or_else(|| panic!("{data}"));
    (time * 1000.0) as i64
}

/// Waits until something is there, and gives it.
fn awaited<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(state) => assert!(Instant::now() < deadline, "{what} after {PATIENCE:?}: {state}"),
        }
        std::thread::sleep(POLL);
    }
}

/// Waits until Prometheus has scraped long enough and Backstop has all of it; gives the time that queries are for.
///
/// No sample may be at the end, nor at any number of intervals before it: releases before 3.0 count a sample at the beginning of a
/// window in, later ones do not.
fn settled(prometheus: &Api, backstop: &Api) -> Times {
    awaited("too few samples", || {
        let found = prometheus.instant("count_over_time(shop_untyped[1m])", now_ms(prometheus));
        let wanted = (SCRAPED_MS / INTERVAL_MS) as f64;
        if found.first().is_some_and(|(_, count)| *count >= wanted) { Ok(()) } else { Err(format!("{found:?}")) }
    });
    let scraped =
        prometheus.data("/api/v1/query", &[("query", "up[1m]"), ("time", seconds(now_ms(prometheus)).as_str())]);
    let times: Vec<i64> = scraped["result"].as_array().into_iter().flatten().flat_map(sample_times).collect();
    let free = (1..INTERVAL_MS).max_by_key(|rest| {
        let distance = |time: &i64| (time - rest).rem_euclid(INTERVAL_MS).min((rest - time).rem_euclid(INTERVAL_MS));
        times.iter().map(distance).min().unwrap_or_default()
    });
    let end_ms = now_ms(prometheus).div_euclid(INTERVAL_MS) * INTERVAL_MS - INTERVAL_MS
        + free.expect("an interval has milliseconds");
    let times = Times { start_ms: end_ms - SPAN_MS, end_ms, step_ms: 3 * INTERVAL_MS };
    let window = format!("{{job=~\".+\"}}[{}ms]", SPAN_MS + BEFORE_MS);
    awaited("samples differ", || {
        let (want, got) = (samples(prometheus, &window, end_ms), samples(backstop, &window, end_ms));
        let differing: Vec<_> = want.iter().filter(|(series, samples)| got.get(*series) != Some(*samples)).collect();
        if differing.is_empty() && want.len() == got.len() {
            return Ok(());
        }
        let first =
            differing.first().map(|(series, samples)| format!("{series}: {samples} and {:?}", got.get(*series)));
        Err(format!("{} series and {} series, {} differ: {first:?}", want.len(), got.len(), differing.len()))
    });
    times
}

/// The samples of each series in a window, numbers and histograms.
fn samples(api: &Api, window: &str, at_ms: i64) -> BTreeMap<String, Value> {
    let data = api.data("/api/v1/query", &[("query", window), ("time", seconds(at_ms).as_str())]);
    let series = data["result"].as_array().unwrap_or_else(|| panic!("{window}: {data}"));
    series
        .iter()
        .map(|series| (series["metric"].to_string(), json!([series["values"], series["histograms"]])))
        .collect()
}

fn sample_times(series: &Value) -> Vec<i64> {
    let values = series["values"].as_array().into_iter().flatten();
    values.filter_map(|sample| sample[0].as_f64()).map(|time| (time * 1000.0).round() as i64).collect()
}

/// What is asked without PromQL.
fn compare_metadata(prometheus: &Api, backstop: &Api, times: Times, texts: Texts) -> Tally {
    let (start, end) = (seconds(times.start_ms), seconds(times.end_ms));
    let mut tally = Tally::comparing(texts);
    for (path, selectors) in [
        ("/api/v1/labels", &["{job=~\".+\"}", "shop_requests_total", "shop_nothing"][..]),
        ("/api/v1/label/service/values", &["{job=~\".+\"}", "shop_latency_seconds_count"]),
        ("/api/v1/label/__name__/values", &["{job=~\".+\"}", "{job=\"shop\"}"]),
        ("/api/v1/series", &["shop_requests_total", "{job=\"shop\", __name__=~\"shop_.*\"}", "shop_nothing", "{"]),
    ] {
        for selector in selectors {
            tally.add(
                prometheus,
                backstop,
                path,
                &[("match[]", *selector), ("start", start.as_str()), ("end", end.as_str())],
            );
        }
    }
    tally
}

/// Waits for what Prometheus says of its metrics; it sends that apart from samples.
fn await_metadata(backstop: &Api) {
    awaited("no metadata", || {
        let metric = "shop_requests_total";
        let found = backstop.data("/api/v1/metadata", &[("metric", metric)])[metric][0].take();
        let wanted = found["type"] == "counter" && found["help"] == "Requests taken.";
        if wanted { Ok(()) } else { Err(found.to_string()) }
    });
}

/// Nothing was dropped, refused or repeated for good.
fn assert_written(prometheus: &Prometheus, server: &Server) {
    for name in ["samples_failed_total", "samples_dropped_total", "histograms_failed_total", "metadata_failed_total"] {
        assert!(prometheus.own(&format!("prometheus_remote_storage_{name}")) == 0.0, "{name}\n{}", prometheus.log());
    }
    assert_eq!(server.count("from quarantine *"), 0);
    let log = prometheus.log();
    let bad: Vec<&str> = log.lines().filter(|line| line.to_lowercase().contains("level=err")).collect();
    assert!(bad.is_empty(), "Prometheus complains:\n{}", bad.join("\n"));
}

#[test]
fn remote_write_1_of_debians_prometheus_and_the_same_answers() {
    let Some(program) = debian("prometheus") else { return };
    let mut server = Server::start();
    let write = "  metadata_config: {send_interval: 1s}\n";
    let prometheus = Prometheus::start(&program, &format!("{}/api/v1/write", server.url), &[], "", write);
    let (theirs, ours) = (Api::new(&prometheus.url), Api::new(&server.url));
    let times = settled(&theirs, &ours);
    compare(&theirs, &ours, &queries(&read("queries.txt")), times, Texts::Ignored)
        .assert_same("Prometheus of Debian, PromQL");
    compare_metadata(&theirs, &ours, times, Texts::Ignored).assert_same("Prometheus of Debian, metadata");
    await_metadata(&ours);
    assert_written(&prometheus, &server);
    // A crash loses nothing of what was acknowledged.
    let before = ours.instant("sum by (service) (shop_requests_total)", times.end_ms);
    server.kill();
    server.restart();
    let again = Api::new(&server.url);
    assert_eq!(again.instant("sum by (service) (shop_requests_total)", times.end_ms), before);
}

#[test]
fn remote_write_2_of_the_newest_prometheus_with_native_histograms() {
    let Some(program) = newest() else { return };
    let mut server = Server::start_with("query: {promql_features: [promql-experimental-functions]}");
    let flags = ["--enable-feature=metadata-wal-records,promql-experimental-functions"];
    let write = "  protobuf_message: io.prometheus.write.v2.Request\n  send_native_histograms: true\n";
    let scrape = "  scrape_native_histograms: true\n  convert_classic_histograms_to_nhcb: true\n  always_scrape_classic_histograms: true\n";
    let url = format!("{}/api/v1/write", server.url);
    let prometheus = Prometheus::start(&program, &url, &flags, scrape, write);
    let (theirs, ours) = (Api::new(&prometheus.url), Api::new(&server.url));
    let times = settled(&theirs, &ours);
    compare(&theirs, &ours, &queries(&read("queries.txt")), times, Texts::Same)
        .assert_same("newest Prometheus, PromQL");
    compare(&theirs, &ours, &queries(&read("histograms.txt")), times, Texts::Same)
        .assert_same("newest Prometheus, histograms");
    compare_metadata(&theirs, &ours, times, Texts::Same).assert_same("newest Prometheus, metadata");
    // Both refuse in the same words what is not switched on.
    let refused = [
        "shop_requests_total + on (service) group_left () fill (1) shop_untyped",
        "fill_left(1)",
        "a + fill_right(1) b",
    ];
    compare(&theirs, &ours, &refused, times, Texts::Same).assert_same("newest Prometheus, features that are off");
    await_metadata(&ours);
    assert!(prometheus.own("prometheus_remote_storage_histograms_total") > 100.0);
    assert_written(&prometheus, &server);
    server.kill();
    server.restart();
    let again = Api::new(&server.url);
    compare(&theirs, &again, &queries(&read("histograms.txt")), times, Texts::Same)
        .assert_same("newest Prometheus, after a crash");
}
