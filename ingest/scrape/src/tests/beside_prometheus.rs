//! The same bodies and the same rules, scraped by us and by a real Prometheus: what each of them keeps, and what each refuses.
//!
//! `BACKSTOP_PROMETHEUS` names the program; without it there is nothing to compare with, so the test is asked for by name.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::*;

/// Kills the program at the end, whatever the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bodies of targets; the number is the target's path.
const BODIES: &[(&str, &str)] = &[
    (TEXT, "a 1\n"),
    (TEXT, "a 1"),
    (TEXT, ""),
    (TEXT, "\n\n  \n"),
    (TEXT, "a{x=\"1\",} 1\n"),
    (TEXT, "a { x = \"1\" , y=\"2\" } \t 2\n"),
    (TEXT, "a{x=\"1\" y=\"2\"} 2\n"),
    (TEXT, "a{} 1\n"),
    (TEXT, "a{,} 1\n"),
    (TEXT, "a{x=\"1\",,y=\"2\"} 2\n"),
    (TEXT, "a{x='1'} 2\n"),
    (TEXT, "a{x=\"1\" 2\n"),
    (TEXT, "a{x=\"l1\\nl2 \\\\ \\\" \\q\"} 2\n"),
    (TEXT, "a{x=\"l1\nl2\"} 2\n"),
    (TEXT, "a{x=\"1\",x=\"2\"} 2\n"),
    (TEXT, "a{x=\"\"} 2\n"),
    (TEXT, "{\"a.b\",\"c.d\"=\"e\"} 2\n"),
    (TEXT, "{\"a.b\"} 2\n"),
    (TEXT, "{a=\"b\"} 2\n"),
    (TEXT, "a{\"b\"} 2\n"),
    (TEXT, "{} 2\n"),
    (TEXT, "a +Inf\nb -Inf\nc NaN\nd inf\ne nan\nf infinity\ng 1e3\nh .5\ni 5.\nj -0\n"),
    (TEXT, "a 1_0\n"),
    (TEXT, "a 0x10\n"),
    (TEXT, "a 1e999\n"),
    (TEXT, "a +nan\n"),
    (TEXT, "a --1\n"),
    (TEXT, "a one\n"),
    (TEXT, "a\n"),
    (TEXT, "a 1 x\n"),
    (TEXT, "a 1 1.5\n"),
    (TEXT, "a 1 -5\n"),
    (TEXT, "a 1 99999999999999999999\n"),
    (TEXT, "1a 1\n"),
    (TEXT, "a-b 1\n"),
    (TEXT, "é 1\n"),
    (TEXT, "a 1\r\n"),
    (TEXT, "a 1\na 2\n"),
    (TEXT, "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n"),
    (TEXT, "# TYPE a counter\na 1\n# TYPE a gauge\n"),
    (TEXT, "# TYPE a  counter\na 1\n"),
    (TEXT, "# TYPE a counterr\na 1\n"),
    (TEXT, "# TYPE a\na 1\n"),
    (TEXT, "# HELP a\na 1\n"),
    (TEXT, "#HELP a b\n#TYPE\n#\n# \n# HELPa\n# x\na 1\n"),
    (TEXT, "# HELP 1a x\na 1\n"),
    (TEXT, "# TYPE \"a.b\" gauge\n{\"a.b\"} 1\n"),
    (
        TEXT,
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1000000\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n",
    ),
    (TEXT, "# TYPE s summary\ns{quantile=\"0.50\"} 1\ns{quantile=\"1\"} 1\ns_sum 1\ns_count 2\n"),
    (TEXT, "a{job=\"x\",instance=\"y\",exported_job=\"z\",case=\"w\"} 1\n"),
    (TEXT, "drop_me 1\nold_name 2\nkeep{id=\"7\",le=\"0.1\"} 3\n"),
    (TEXT, "a{__name__=\"b\"} 1\n"),
    (TEXT, "a{__x=\"b\"} 1\n"),
    (OPEN_METRICS, "a 1\n# EOF\n"),
    (OPEN_METRICS, "a 1\n# EOF"),
    (OPEN_METRICS, "a 1\n"),
    (OPEN_METRICS, ""),
    (OPEN_METRICS, "# EOF\n\n"),
    (OPEN_METRICS, "a 1\n\n# EOF\n"),
    (OPEN_METRICS, "a  1\n# EOF\n"),
    (OPEN_METRICS, "a 1 # {x=\"y\"} 1\n# EOF\n"),
    (OPEN_METRICS, "# TYPE a counter\na_total 1 # {x=\"y\"} 1 5\n# EOF\n"),
    (OPEN_METRICS, "a 1 # {x=\"y\"}\n# EOF\n"),
    (OPEN_METRICS, "a 1 #{x=\"y\"} 1\n# EOF\n"),
    (OPEN_METRICS, "a 1 # {} 1\n# EOF\n"),
    (OPEN_METRICS, "a{x=\"1\",} 1\n# EOF\n"),
    (OPEN_METRICS, "a{x=\"1\"y=\"2\"} 1\n# EOF\n"),
    (OPEN_METRICS, "a{x=\"1\", y=\"2\"} 1\n# EOF\n"),
    (OPEN_METRICS, "a{x=\"l1\nl2\"} 1\n# EOF\n"),
    (OPEN_METRICS, "# UNIT a_s s\na_s 1\n# EOF\n"),
    (OPEN_METRICS, "# UNIT a s\na 1\n# EOF\n"),
    (OPEN_METRICS, "# UNIT a \na 1\n# EOF\n"),
    (OPEN_METRICS, "# TYPE a info\na_info{v=\"1\"} 1\n# EOF\n"),
    (OPEN_METRICS, "# TYPE a stateset\na{a=\"x\"} 1\n# EOF\n"),
    (OPEN_METRICS, "# TYPE a gaugehistogram\na_bucket{le=\"1\"} 1\na_gcount 1\na_gsum 1\n# EOF\n"),
    (OPEN_METRICS, "# TYPE a untyped\na 1\n# EOF\n"),
    (OPEN_METRICS, "# comment\na 1\n# EOF\n"),
    (OPEN_METRICS, "#\na 1\n# EOF\n"),
    (OPEN_METRICS, "{\"a.b\",\"c\"=\"d\"} 1\n# EOF\n"),
    ("text/html", "a 1\n"),
    ("application/json", "{}"),
];

fn settings(address: &str) -> String {
    let mut text = String::from(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: compared\n  metric_relabel_configs:\n\
         \x20 - {source_labels: [__name__], regex: 'drop_.*', action: drop}\n\
         \x20 - {source_labels: [__name__], regex: 'old_(.+)', target_label: __name__, replacement: 'new_${1}'}\n\
         \x20 - {regex: id, action: labeldrop}\n  relabel_configs:\n\
         \x20 - {source_labels: [case], regex: '(\\d)(\\d*)', target_label: first, replacement: '$1-$2-$$-${2}x'}\n\
         \x20 - {source_labels: [case, __address__], separator: '@', target_label: shard, modulus: 7, action: hashmod}\n\
         \x20 - {regex: '__meta_(.+)', replacement: 'm_$1', action: labelmap}\n\
         \x20 - {source_labels: [case], regex: '9[0-9]', action: drop}\n\
         \x20 - {source_labels: [m_mixed], target_label: lower, action: lowercase}\n\
         \x20 - {source_labels: [case], target_label: case, action: keepequal}\n  static_configs:\n",
    );
    for case in 0..BODIES.len() {
        text.push_str(&format!(
            "  - {{targets: ['{address}'], labels: {{case: '{case}', __metrics_path__: /{case}, __meta_mixed: MiXed}}}}\n"
        ));
    }
    text
}

/// Health and series with their values, by case.
type Kept = BTreeMap<String, (String, BTreeSet<String>)>;

async fn get(url: &str) -> Value {
    let response = reqwest::get(url).await.expect("an answer");
    response.json().await.expect("JSON")
}

/// What Prometheus has after some scrapes.
async fn of_prometheus(base: &str) -> Kept {
    let mut kept = Kept::new();
    let targets = get(&format!("{base}/api/v1/targets")).await;
    for target in targets["data"]["activeTargets"].as_array().expect("targets") {
        let labels: BTreeMap<String, String> = serde_json::from_value(target["labels"].clone()).expect("labels");
        let shown = format!("{} {labels:?}", target["health"].as_str().expect("health"));
        kept.insert(labels["case"].clone(), (shown, BTreeSet::new()));
    }
    let answer = get(&format!("{base}/api/v1/query?query=%7Bjob%3D%22compared%22%7D")).await;
    for series in answer["data"]["result"].as_array().expect("series") {
        let labels: BTreeMap<String, String> = serde_json::from_value(series["metric"].clone()).expect("labels");
        let value = series["value"][1].as_str().expect("a value");
        if labels["__name__"] != "scrape_duration_seconds" {
            kept.get_mut(&labels["case"]).expect("a target").1.insert(format!("{labels:?} {value}"));
        }
    }
    kept
}

fn value_text(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        value => value.to_string(),
    }
}

/// The same of what we handed to the sink.
fn of_ours(scraping: &Scraping) -> Kept {
    let mut kept = Kept::new();
    for target in scraping.manager.snapshot(None).active_targets {
        let labels: BTreeMap<String, String> =
            target.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let health = serde_json::to_value(target.health).expect("JSON");
        let shown = format!("{} {labels:?}", health.as_str().expect("health"));
        kept.insert(labels["case"].clone(), (shown, BTreeSet::new()));
    }
    let mut newest: BTreeMap<BTreeMap<String, String>, f64> = BTreeMap::new();
    for series in scraping.book.batches.lock().iter().flat_map(|batch| &batch.series) {
        let labels = series.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        newest.extend(series.samples.last().map(|sample| (labels, sample.value)));
    }
    for (labels, value) in newest {
        if labels["__name__"] != "scrape_duration_seconds" && !is_stale_nan(value) {
            kept.get_mut(&labels["case"]).expect("a target").1.insert(format!("{labels:?} {}", value_text(value)));
        }
    }
    kept
}

/// A Prometheus with these settings: its process, its address and its directory.
fn prometheus(program: &str, settings: &str) -> (Running, String, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("directory");
    std::fs::write(dir.path().join("prometheus.yml"), settings).expect("written");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
    let child = Command::new(program)
        .current_dir(dir.path())
        .arg("--config.file=prometheus.yml")
        .arg("--storage.tsdb.path=data")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Prometheus");
    (Running(child), format!("http://127.0.0.1:{port}"), dir)
}

/// Its own metrics say the same in every format, and more in protobuf.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Prometheus: BACKSTOP_PROMETHEUS"]
async fn a_prometheus_is_scraped_in_every_format() {
    let program = std::env::var("BACKSTOP_PROMETHEUS").expect("BACKSTOP_PROMETHEUS names the program");
    let (_running, base, _dir) = prometheus(&program, "global: {scrape_interval: 1s}\n");
    // Before it is ready some of its metrics are not there.
    while !reqwest::get(format!("{base}/-/ready")).await.is_ok_and(|answer| answer.status().is_success()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let address = base.trim_start_matches("http://");
    let jobs: String = [
        ("text", "scrape_protocols: [PrometheusText0.0.4]"),
        ("open", "scrape_protocols: [OpenMetricsText1.0.0]"),
        ("proto", "scrape_protocols: [PrometheusProto]"),
        ("native", "scrape_native_histograms: true"),
    ]
    .iter()
    .map(|(name, keys)| format!("- {{job_name: {name}, {keys}, static_configs: [{{targets: ['{address}']}}]}}\n"))
    .collect();
    let scraping = Scraping::start(config(&jobs));
    // Names of series with their labels but those of the target, and how many are histograms.
    let of = |job: &'static str| {
        move |all: &[SeriesBatch]| {
            let mine = |batch: &&SeriesBatch| batch.series.iter().any(|series| series.labels.get("job") == Some(job));
            let batch = all.iter().filter(mine).find(|batch| values(batch)["up{}"] == "1")?.clone();
            let histograms = batch.series.iter().filter(|series| !series.histograms.is_empty()).count();
            let names: BTreeSet<String> = values(&batch).into_keys().collect();
            Some((names, histograms, batch.metadata.len()))
        }
    };
    let text = scraping.book.until(of("text")).await;
    for job in ["open", "proto"] {
        let other = scraping.book.until(of(job)).await;
        let missing: Vec<&String> = text.0.symmetric_difference(&other.0).collect();
        // The exporter's own counters of scrapes have a label for each format that was asked for.
        assert!(missing.iter().all(|name| name.contains("promhttp") || name.contains("http_")), "{job}: {missing:#?}");
        println!("{job}: {} series, {} metadata", other.0.len(), other.2);
    }
    let native = scraping.book.until(of("native")).await;
    println!("native: {} series, {} histograms", native.0.len(), native.1);
    assert!(native.1 > 0, "there are native histograms");
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Prometheus: BACKSTOP_PROMETHEUS"]
async fn bodies_and_rules_come_out_the_same() {
    let program = std::env::var("BACKSTOP_PROMETHEUS").expect("BACKSTOP_PROMETHEUS names the program");
    let server = Server::start(|asked| {
        let case: usize = asked.trim_start_matches("GET /").parse().expect("a case");
        Answer::of(BODIES[case].0, BODIES[case].1.as_bytes())
    })
    .await;
    let text = settings(&server.address().to_string());
    let (_running, base, _dir) = prometheus(&program, &text);
    let scraping = Scraping::start(ScrapeConfig::parse(&[("p.yml".to_owned(), text)]).expect("settings"));
    // Its discovery takes some seconds to begin.
    let begun = async || {
        let answer = reqwest::get(format!("{base}/api/v1/query?query=count%28up%29")).await.ok()?;
        let answer: Value = answer.json().await.ok()?;
        let up: usize = answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()?;
        (up == BODIES.len()).then_some(())
    };
    while begun().await.is_none() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (theirs, ours) = (of_prometheus(&base).await, of_ours(&scraping));
    let mut differences = Vec::new();
    for (case, theirs) in &theirs {
        // `scrape_series_added` depends on how many scrapes there were.
        let plain = |kept: &BTreeSet<String>| -> BTreeSet<String> {
            kept.iter().filter(|series| !series.contains("scrape_series_added")).cloned().collect()
        };
        let none = (String::new(), BTreeSet::new());
        let ours = ours.get(case).unwrap_or(&none);
        if theirs.0 != ours.0 || plain(&theirs.1) != plain(&ours.1) {
            differences.push(format!(
                "{case} {:?}\n  theirs {theirs:#?}\n  ours {ours:#?}",
                BODIES[case.parse::<usize>().expect("number")]
            ));
        }
    }
    assert_eq!(theirs.len(), BODIES.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    scraping.end().await;
}
