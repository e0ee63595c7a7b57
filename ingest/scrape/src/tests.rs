//! The manager with real sockets: a target that answers what a test says, and a sink that writes down what it gets.

mod beside_prometheus;
mod node_exporter;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{SeriesBatch, TenantId, is_stale_nan};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::discovery::testing::{Answer, Server};
use crate::{Health, LabelSet, Origin, Refused, ScrapeConfig, ScrapeManager, Sink, SinkError};

/// Keeps batches; says when one comes.
#[derive(Default)]
struct Book {
    batches: Mutex<Vec<SeriesBatch>>,
    arrived: Notify,
    fails: Mutex<Option<SinkError>>,
    /// What is said of each batch.
    refuses: Mutex<Refused>,
    /// Tenant and target of each batch.
    origins: Mutex<Vec<(TenantId, String)>>,
}

#[async_trait]
impl Sink for Book {
    async fn append(&self, origin: Origin<'_>, batch: SeriesBatch, _: Duration) -> Result<Refused, SinkError> {
        let fails = self.fails.lock().clone();
        if let Some(error) = fails {
            self.arrived.notify_waiters();
            return Err(error);
        }
        {
            let mut batches = self.batches.lock();
            self.origins.lock().push((origin.tenant.clone(), origin.target.to_owned()));
            batches.push(batch);
        }
        self.arrived.notify_waiters();
        Ok(self.refuses.lock().clone())
    }
}

impl Book {
    /// Waits until something holds of all batches, ten seconds at most.
    async fn until<T>(&self, mut holds: impl FnMut(&[SeriesBatch]) -> Option<T>) -> T {
        let wait = async {
            loop {
                let arrived = self.arrived.notified();
                let found = holds(&self.batches.lock());
                if let Some(found) = found {
                    return found;
                }
                arrived.await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(10), wait).await {
            Ok(found) => found,
            Err(_) => panic!("it never held of {:#?}", self.batches.lock()),
        }
    }

    /// The next batch after those that were there.
    async fn after(&self, count: usize) -> SeriesBatch {
        self.until(|batches| batches.get(count).cloned()).await
    }

    fn count(&self) -> usize {
        self.batches.lock().len()
    }
}

/// Values by series; `stale` for a marker.
fn values(batch: &SeriesBatch) -> BTreeMap<String, String> {
    let timings = ["scrape_duration_seconds"];
    batch
        .series
        .iter()
        .filter(|series| !timings.contains(&series.labels.metric_name()))
        .flat_map(|series| series.samples.iter().map(|sample| (series.labels.clone(), sample.value)))
        .map(|(labels, value)| {
            let shown: Vec<String> = labels
                .iter()
                .filter(|(name, _)| !["__name__", "instance", "job"].contains(name))
                .map(|(n, v)| format!("{n}={v}"))
                .collect();
            let name = format!("{}{{{}}}", labels.metric_name(), shown.join(","));
            (name, if is_stale_nan(value) { "stale".to_owned() } else { value.to_string() })
        })
        .collect()
}

fn line(batch: &SeriesBatch) -> String {
    values(batch).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn config(jobs: &str) -> ScrapeConfig {
    let text = format!("global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs:\n{jobs}");
    match ScrapeConfig::parse(&[("test.yml".to_owned(), text)]) {
        Ok(config) => config,
        Err(problems) => panic!("{problems:#?}"),
    }
}

fn job(server: &Server, keys: &str) -> ScrapeConfig {
    config(&format!("- job_name: j\n  static_configs: [{{targets: ['{}']}}]\n{keys}", server.address()))
}

struct Scraping {
    book: Arc<Book>,
    manager: Arc<ScrapeManager>,
    shutdown: CancellationToken,
}

impl Scraping {
    fn start(config: ScrapeConfig) -> Self {
        let (book, shutdown) = (Arc::new(Book::default()), CancellationToken::new());
        let sink: Arc<dyn Sink> = Arc::<Book>::clone(&book);
        let manager = ScrapeManager::start(sink, config, shutdown.clone());
        Self { book, manager, shutdown }
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.manager.stopped().await;
    }
}

const TEXT: &str = "text/plain; version=0.0.4";

/// A server whose answer a test changes.
async fn changing(first: &str) -> (Server, Arc<Mutex<Answer>>) {
    let answer = Arc::new(Mutex::new(Answer::of(TEXT, first.as_bytes())));
    let told = Arc::clone(&answer);
    (Server::start(move |_| told.lock().clone()).await, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_scraped_fails_and_comes_back() {
    let (server, answer) = changing("a 1\nb{x=\"y\"} 2\n").await;
    let scraping = Scraping::start(job(&server, ""));
    let book = Arc::clone(&scraping.book);
    let first = book.after(0).await;
    assert_eq!(
        line(&first),
        "a{}=1 b{x=y}=2 scrape_samples_post_metric_relabeling{}=2 scrape_samples_scraped{}=2 scrape_series_added{}=2 up{}=1"
    );
    let times: Vec<i64> =
        first.series.iter().flat_map(|series| series.samples.iter().map(|sample| sample.time_ms)).collect();
    assert!(times.windows(2).all(|pair| pair[0] == pair[1]), "one scrape has one time: {times:?}");
    // What is stored is shown a moment later.
    book.after(1).await;
    assert_eq!(scraping.manager.snapshot(None).active_targets[0].health, Health::Up);

    answer.lock().status = 500;
    let stale = book.until(|all| all.iter().find(|batch| values(batch)["up{}"] == "0").cloned()).await;
    assert_eq!(
        line(&stale),
        "a{}=stale b{x=y}=stale scrape_samples_post_metric_relabeling{}=0 scrape_samples_scraped{}=0 scrape_series_added{}=0 up{}=0"
    );
    let next = book.until(|all| all.iter().filter(|batch| values(batch)["up{}"] == "0").nth(1).cloned()).await;
    assert!(!line(&next).contains("stale"), "a marker is written once: {}", line(&next));
    let target = &scraping.manager.snapshot(Some("j")).active_targets[0];
    assert_eq!(
        (target.health, target.last_error.as_str()),
        (Health::Down, "server returned HTTP status 500 Internal Server Error")
    );

    answer.lock().status = 200;
    let count = book.count();
    book.until(|all| {
        all[count..].iter().find(|batch| values(batch).get("a{}").map(String::as_str) == Some("1")).cloned()
    })
    .await;
    scraping.end().await;
    let all = book.batches.lock();
    assert!(!line(all.last().expect("batches")).contains("up{}=stale"), "an end of the server marks nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_taken_away_is_marked_and_one_that_comes_back_is_not() {
    let (server, _) = changing("a 1\n").await;
    let scraping = Scraping::start(job(&server, ""));
    let book = Arc::clone(&scraping.book);
    book.after(0).await;
    // Other settings of the same target: its series go on.
    let other = job(&server, "  metric_relabel_configs: [{target_label: new, replacement: x}]\n");
    scraping.manager.apply(other).await;
    let changed = book.until(|all| all.iter().find(|batch| line(batch).contains("new=x")).cloned()).await;
    assert_eq!(values(&changed)["a{}"], "stale", "{}", line(&changed));
    assert_eq!(values(&changed)["a{new=x}"], "1", "{}", line(&changed));
    assert_eq!(values(&changed)["up{}"], "1");
    let none = config("- job_name: j\n  static_configs: []\n");
    scraping.manager.apply(none).await;
    let gone = book.until(|all| all.iter().find(|batch| values(batch)["up{}"] == "stale").cloned()).await;
    assert!(line(&gone).starts_with("a{new=x}=stale "), "{}", line(&gone));
    assert!(scraping.manager.snapshot(None).active_targets.is_empty());
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_targets_is_followed() {
    let (server, _) = changing("a 1\n").await;
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("targets.json");
    write_targets(&path, &[]);
    let text =
        format!("- job_name: j\n  file_sd_configs: [{{files: ['{}'], refresh_interval: 100ms}}]\n", path.display());
    let scraping = Scraping::start(config(&text));
    write_targets(&path, &[server.address().to_string()]);
    scraping.book.after(0).await;
    write_targets(&path, &[]);
    scraping.book.until(|all| all.iter().find(|batch| values(batch)["up{}"] == "stale").cloned()).await;
    scraping.end().await;
}

fn write_targets(path: &Path, targets: &[String]) {
    let next = path.with_extension("next");
    std::fs::write(&next, serde_json::json!([{"targets": targets}]).to_string()).expect("written");
    std::fs::rename(next, path).expect("renamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_mistakes_fail_a_scrape_with_a_reason() {
    let (server, answer) = changing("a 1\nb 2\n").await;
    let address = server.address();
    let text = format!(
        "- {{job_name: samples, sample_limit: 1, static_configs: [{{targets: ['{address}']}}], extra_scrape_metrics: true}}\n\
         - {{job_name: body, body_size_limit: 5B, static_configs: [{{targets: ['{address}']}}], extra_scrape_metrics: true}}\n\
         - {{job_name: targets, target_limit: 1, static_configs: [{{targets: ['{address}', 'localhost:1']}}]}}\n\
         - {{job_name: closed, static_configs: [{{targets: ['127.0.0.1:1']}}]}}\n"
    );
    let scraping = Scraping::start(config(&text));
    let error = |job: &str| scraping.manager.snapshot(Some(job)).active_targets[0].last_error.clone();
    let book = Arc::clone(&scraping.book);
    for (job, wanted) in [
        ("samples", "sample limit exceeded"),
        ("body", "body size limit exceeded"),
        ("targets", "target_limit exceeded (number of targets: 2, limit: 1)"),
        ("closed", "onnection refused"),
    ] {
        book.until(|_| {
            scraping
                .manager
                .snapshot(Some(job))
                .active_targets
                .first()
                .filter(|target| target.health == Health::Down)
                .map(drop)
        })
        .await;
        assert!(error(job).contains(wanted), "{job}: {}", error(job));
    }
    let of = |job: &'static str| {
        move |all: &[SeriesBatch]| {
            all.iter().find(|batch| batch.series.iter().any(|series| series.labels.get("job") == Some(job))).cloned()
        }
    };
    let report = line(&book.until(of("samples")).await);
    assert!(report.contains("scrape_sample_limit{}=1 ") && report.contains("scrape_samples_scraped{}=2"), "{report}");
    assert!(line(&book.until(of("body")).await).contains("scrape_body_size_bytes{}=-1 "));
    *answer.lock() = Answer::of("text/html", b"<html>");
    book.until(|_| error("samples").contains("text/html").then_some(())).await;
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_is_asked_for() {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"# TYPE a counter\n# HELP a Help.\na_total 1 # {trace=\"t\"} 1\n# EOF\n").expect("gzip");
    let body = gzip.finish().expect("gzip");
    let answer = Answer {
        headers: vec![("Content-Encoding", "gzip".to_owned())],
        ..Answer::of("application/openmetrics-text; version=1.0.0; charset=utf-8", &body)
    };
    let server = Server::start(move |_| answer.clone()).await;
    let keys = "  metrics_path: /probe\n  params: {module: [http], target: [a, b]}\n  basic_auth: {username: u, password: p}\n\
                \x20 http_headers: {X-Test: {values: [yes]}}\n  relabel_configs: [{target_label: __param_target, replacement: 'c d'}]\n";
    let scraping = Scraping::start(job(&server, keys));
    let batch = scraping.book.after(0).await;
    assert_eq!(values(&batch)["a_total{}"], "1");
    let exemplars: usize = batch.series.iter().map(|series| series.exemplars.len()).sum();
    assert_eq!((exemplars, batch.metadata.len()), (1, 1));
    let head = server.requests()[0].to_lowercase();
    for wanted in [
        "get /probe?module=http&target=c+d&target=b http/1.1",
        "accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,",
        "accept-encoding: gzip",
        "x-prometheus-scrape-timeout-seconds: 0.2",
        "authorization: basic dtpw",
        "x-test: yes",
        "user-agent: backstop/",
    ] {
        assert!(head.contains(wanted), "{wanted} is missing in {head}");
    }
    let second = scraping.book.after(1).await;
    assert!(second.metadata.is_empty(), "what was said is not said again");
    let known = scraping.manager.metadata(Some("a"), 10, |labels| labels.get("job") == "j");
    assert_eq!(known[0].metadata.help, "Help.");
    assert!(scraping.manager.metadata(None, 10, |_| false).is_empty());
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_seen() {
    let (server, _) = changing("a 1\n").await;
    let scraping = Scraping::start(job(&server, ""));
    *scraping.book.fails.lock() = Some(SinkError::Failed("disk full".to_owned()));
    let error = || scraping.manager.snapshot(None).active_targets.first().map(|target| target.last_error.clone());
    scraping.book.until(|_| error().filter(|error| error.contains("disk full"))).await;
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_says_what_was_refused_of_it_and_is_up() {
    let (server, _) = changing("a 1\n").await;
    let scraping = Scraping::start(job(&server, ""));
    let book = Arc::clone(&scraping.book);
    *book.refuses.lock() = Refused { samples: 3, reason: "series over a limit: too many".to_owned() };
    book.after(book.count() + 1).await;
    let shown = || scraping.manager.snapshot(None).active_targets[0].clone();
    while shown().last_error.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let said = "the store refused 3 samples: series over a limit: too many";
    assert_eq!((shown().health, shown().last_error.as_str(), shown().tenant), (Health::Up, said, None));
    assert_eq!(book.origins.lock()[0], (TenantId::default(), server.address().to_string()));
    *book.refuses.lock() = Refused::default();
    while !shown().last_error.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_belongs_to_its_tenant_and_its_series_end_where_they_were() {
    let (server, _) = changing("a 1\n").await;
    let scraping = Scraping::start(job(&server, "  backstop_tenant: shop\n"));
    let book = Arc::clone(&scraping.book);
    book.after(0).await;
    scraping.manager.apply(job(&server, "  backstop_tenant: other\n")).await;
    let of = |tenant: &str| TenantId::new(tenant).expect(tenant);
    let stale = |batch: &SeriesBatch| values(batch).get("a{}").is_some_and(|value| value == "stale");
    let ended = book.until(|all| all.iter().position(stale)).await;
    book.until(|all| (ended..all.len()).find(|at| book.origins.lock()[*at].0 == of("other"))).await;
    assert_eq!(scraping.manager.snapshot(None).active_targets[0].tenant.as_deref(), Some("other"));
    scraping.end().await;
    let (all, origins) = (book.batches.lock(), book.origins.lock());
    assert_eq!((&origins[0].0, &origins[ended].0), (&of("shop"), &of("shop")));
    let wrong = all.iter().zip(&*origins).filter(|(batch, origin)| stale(batch) && origin.0 != of("shop"));
    assert_eq!(wrong.count(), 0, "nothing of the new tenant has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn markers_that_were_not_stored_are_stored_later() {
    let (server, answer) = changing("# HELP a Help.\na 1\n").await;
    let scraping = Scraping::start(job(&server, ""));
    let book = Arc::clone(&scraping.book);
    book.after(0).await;
    *book.fails.lock() = Some(SinkError::Busy);
    *answer.lock() = Answer::of(TEXT, b"# HELP b Help.\nb 1\n");
    // One that began before the answer changed may end first; the next one has the marker.
    let shown = || scraping.manager.metadata(Some("b"), 10, |_| true).len();
    book.until(|_| (shown() > 0).then_some(())).await;
    let count = book.count();
    *book.fails.lock() = None;
    let next = book.after(count).await;
    let values = values(&next);
    assert_eq!((values["a{}"].as_str(), values["b{}"].as_str()), ("stale", "1"), "{}", line(&next));
    assert_eq!(next.metadata.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["b"]);
    let after = book.after(count + 1).await;
    assert!(!line(&after).contains("stale") && after.metadata.is_empty(), "{}", line(&after));
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_nowhere_else() {
    let other = Server::start(|_| Answer::of(TEXT, b"a 1\n")).await;
    let to = |url: String| Answer { status: 307, headers: vec![("Location", url)], ..Answer::of(TEXT, b"") };
    let elsewhere = other.url();
    let server = Server::start(move |asked| match asked {
        "GET /near" => to("/metrics".to_owned()),
        "GET /far" | "POST /token" => to(format!("{elsewhere}/x")),
        "POST /long" => Answer::json(&format!(r#"{{"access_token": "{}"}}"#, "x".repeat(2 << 20))),
        "POST /odd" => Answer::json(r#"{"access_token": ["geheim"]}"#),
        _ => Answer::of(TEXT, b"a 1\n"),
    })
    .await;
    let (address, url) = (server.address(), server.url());
    let targets = format!("static_configs: [{{targets: ['{address}']}}]");
    let header = "http_headers: {X-Key: {secrets: [geheim]}}";
    let token = |path: &str| format!("oauth2: {{client_id: i, client_secret: s, token_url: '{url}{path}'}}");
    let text = format!(
        "- {{job_name: near, metrics_path: /near, {header}, {targets}}}\n- {{job_name: far, metrics_path: /far, {header}, {targets}}}\n\
         - {{job_name: token, {}, {targets}}}\n- {{job_name: long, {}, {targets}}}\n- {{job_name: odd, {}, {targets}}}\n",
        token("/token"),
        token("/long"),
        token("/odd"),
    );
    let scraping = Scraping::start(config(&text));
    for (job, wanted) in [
        ("far", "server returned HTTP status 307"),
        ("token", "oauth2: the token server answers 307"),
        ("long", "oauth2: the token server's answer: body size limit exceeded"),
        ("odd", "oauth2: the token server's answer is no token (line 1"),
    ] {
        let target = || scraping.manager.snapshot(Some(job)).active_targets.into_iter().next();
        let failed = |_: &[SeriesBatch]| target().filter(|target| target.last_error.starts_with(wanted));
        let error = scraping.book.until(failed).await.last_error;
        assert!(!error.contains("http://") && !error.contains("geheim"), "{job}: {error}");
    }
    let near = |batch: &SeriesBatch| {
        batch.series.iter().any(|series| series.labels.get("job") == Some("near")) && values(batch)["up{}"] == "1"
    };
    scraping.book.until(|all| all.iter().any(near).then_some(())).await;
    assert!(other.requests().is_empty(), "{:?}", other.requests());
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_and_how_is_shown() {
    let text = "- job_name: j\n  keep_dropped_targets: 1\n  static_configs: [{targets: ['a:1', 'b:1', 'c:1', 'd e:1']}]\n  relabel_configs:\n\
                \x20 - {source_labels: [__address__], regex: '[ab]:1', action: drop}\n  - {target_label: x, replacement: y}\n";
    let scraping = Scraping::start(config(text));
    let snapshot = loop {
        let snapshot = scraping.manager.snapshot(None);
        if !snapshot.active_targets.is_empty() {
            break snapshot;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(snapshot.active_targets[0].scrape_url, "http://c:1/metrics");
    assert_eq!(snapshot.active_targets[0].labels.to_string(), r#"{instance="c:1", job="j", x="y"}"#);
    assert_eq!((snapshot.dropped_targets.len(), snapshot.dropped_target_counts["j"]), (1, 2));
    assert_eq!(snapshot.failed_targets.len(), 1, "{:?}", snapshot.failed_targets);
    let json = serde_json::to_value(&snapshot).expect("JSON");
    assert_eq!(json["activeTargets"][0]["scrapePool"], "j");
    assert_eq!(json["activeTargets"][0]["discoveredLabels"]["__scrape_interval__"], "200ms");
    let labels = LabelSet::from_iter([("__address__", "a:1")]);
    let steps = scraping.manager.relabel_steps("j", &labels).expect("a pool");
    assert_eq!(serde_json::to_value(&steps).expect("JSON")[0]["keep"], false);
    assert_eq!(steps.len(), 2);
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_fetched_once_and_sent() {
    let server = Server::start(|asked| match asked {
        "POST /token" => Answer::json(r#"{"access_token": "abc", "token_type": "Bearer", "expires_in": 3600}"#),
        _ => Answer::of(TEXT, b"a 1\n"),
    })
    .await;
    let keys = format!(
        "  oauth2: {{client_id: me, client_secret: s, scopes: [read], token_url: '{}/token', endpoint_params: {{audience: x}}}}\n",
        server.url()
    );
    let scraping = Scraping::start(job(&server, &keys));
    scraping.book.until(|all| all.iter().filter(|batch| values(batch)["up{}"] == "1").nth(2).map(drop)).await;
    let requests = server.requests();
    let tokens = requests.iter().filter(|head| head.starts_with("POST /token")).count();
    assert_eq!(tokens, 1, "{requests:?}");
    assert!(requests[0].to_lowercase().contains("authorization: basic bwu6cw=="), "{}", requests[0]);
    assert!(requests[1].to_lowercase().contains("authorization: bearer abc"), "{}", requests[1]);
    scraping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_never_end_hold_up_nobody() {
    let server = Server::start(|asked| match asked {
        "GET /metrics" => Answer::of(TEXT, b"a 1\n"),
        _ => Answer { open: true, ..Answer::of(TEXT, b"a 1\n") },
    })
    .await;
    let address = server.address();
    let mut text = format!(
        "- job_name: good\n  static_configs: [{{targets: ['{address}']}}]\n- job_name: slow\n  static_configs:\n"
    );
    for number in 0..150 {
        text.push_str(&format!("  - {{targets: ['{address}'], labels: {{__metrics_path__: /{number}}}}}\n"));
    }
    let scraping = Scraping::start(config(&text));
    let good = |batch: &&SeriesBatch| {
        batch.series.iter().any(|series| series.labels.get("job") == Some("good")) && values(batch)["up{}"] == "1"
    };
    scraping.book.until(|all| all.iter().filter(good).nth(4).map(drop)).await;
    let down = scraping.manager.snapshot(Some("slow")).active_targets;
    assert_eq!(down.len(), 150);
    assert!(scraping.manager.snapshot(Some("good")).active_targets[0].last_error.is_empty());
    scraping.end().await;
}

#[test]
fn the_example_is_right_and_shows_its_targets() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scrape/fleet.yaml");
    let report = crate::check(&[example]);
    assert!(report.is_ok(), "{report}");
    let shown = report.to_string();
    let from = shown.find("job node").expect("the first job");
    expect_test::expect![[r#"
        job node: 1 targets, 0 dropped
          http://localhost:9100/metrics {environment="demo", instance="localhost:9100", job="node"}
        job fleet: 0 targets, 0 dropped
        job pods: 0 targets, 0 dropped
          and what kubernetes tells, which was not asked
        job gateway: 0 targets, 0 dropped
          and what dns tells, which was not asked
    "#]]
    .assert_eq(&shown[from..]);
    let missing = crate::check(&[Path::new("no-such-file.yaml").to_owned()]);
    assert!(!missing.is_ok() && missing.to_string().contains("cannot read the file"), "{missing}");
}
