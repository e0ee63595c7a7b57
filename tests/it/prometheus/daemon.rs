//! Prometheus itself: the one that Debian ships, and the newest that was built.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use serde_json::Value;

use super::exporter::Exporter;

/// How long Prometheus may take to become ready, and samples to arrive, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks at something that is awaited.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// The distance of samples, in milliseconds.
pub(super) const INTERVAL_MS: i64 = 200;

fn rivals() -> PathBuf {
    let cache = std::env::var_os("CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/backstop");
    cache.unwrap_or_else(home).join("rivals")
}

/// A program of Debian's package, or a printed reason to skip.
pub(super) fn debian(name: &str) -> Option<PathBuf> {
    let path = rivals().join("prometheus-debian/usr/bin").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there (.ci/tools test unpacks it)", path.display());
    None
}

/// The newest Prometheus that was built, or a printed reason to skip.
pub(super) fn newest() -> Option<PathBuf> {
    let found = std::fs::read_dir(rivals()).into_iter().flatten().flatten();
    let built = found.filter(|entry| entry.file_name().to_string_lossy().starts_with("prometheus-v"));
    let found = built.map(|entry| entry.path().join("prometheus")).filter(|path| path.exists()).max();
    if found.is_none() {
        println!("skipped: no Prometheus in {} (benches/rivals.sh prometheus builds it)", rivals().display());
    }
    found
}

/// A Prometheus. It ends with its test.
pub(super) struct Prometheus {
    child: Child,
    dir: tempfile::TempDir,
    client: Client,
    pub(super) url: String,
    /// What it scrapes; it lives as long.
    exporter: Option<Exporter>,
}

impl Prometheus {
    /// One that scrapes an exporter and itself, and writes all of it elsewhere; `scrape` is added to every job, `write` to the settings of
    /// remote write.
    pub(super) fn start(program: &Path, write_url: &str, flags: &[&str], scrape: &str, write: &str) -> Self {
        Self::start_also(program, write_url, flags, scrape, "", write)
    }

    /// The same with further jobs, in which `EXPORTER` is the exporter's address.
    pub(super) fn start_also(
        program: &Path,
        write_url: &str,
        flags: &[&str],
        scrape: &str,
        jobs: &str,
        write: &str,
    ) -> Self {
        let exporter = Exporter::start();
        let address = free_address();
        let config = format!(
            "scrape_configs:\n\
             - job_name: shop\n  static_configs: [{{targets: ['{}']}}]\n{scrape}\
             - job_name: prometheus\n  static_configs: [{{targets: ['{address}']}}]\n{scrape}{}\
             remote_write:\n- url: {write_url}\n  queue_config: {{batch_send_deadline: 200ms}}\n{write}",
            exporter.address,
            jobs.replace("EXPORTER", &exporter.address.to_string()),
        );
        let mut started = Self::at(program, address, &config, flags, None);
        started.exporter = Some(exporter);
        started
    }

    /// One that does what its configuration says, apart from `global`.
    pub(super) fn configured(program: &Path, config: &str, flags: &[&str]) -> Self {
        Self::at(program, free_address(), config, flags, None)
    }

    /// One that scrapes nothing, over blocks that are there.
    pub(super) fn over(program: &Path, blocks: &Path) -> Self {
        Self::at(program, free_address(), "", &[], Some(blocks))
    }

    fn at(program: &Path, address: String, config: &str, flags: &[&str], data: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let config = format!("global: {{scrape_interval: {INTERVAL_MS}ms, scrape_timeout: {INTERVAL_MS}ms}}\n{config}");
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("configuration");
        let log = std::fs::File::create(dir.path().join("log")).expect("log");
        let child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data.unwrap_or(&dir.path().join("data")).display()))
            .arg(format!("--web.listen-address={address}"))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("Prometheus starts");
        let client = Client::builder().timeout(PATIENCE).build().expect("client");
        let mut started = Self { child, dir, client, url: format!("http://{address}"), exporter: None };
        started.await_ready();
        started
    }

    fn await_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let ready = format!("{}/-/ready", self.url);
        while !self.client.get(&ready).send().is_ok_and(|answer| answer.status() == 200) {
            let ended = self.child.try_wait().expect("child");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "Prometheus is not ready, {ended:?}:\n{}",
                self.log()
            );
            std::thread::sleep(POLL);
        }
    }

    /// Its own metrics, as it shows them at this moment.
    pub(super) fn metrics(&self) -> String {
        let text = self.client.get(format!("{}/metrics", self.url)).send().and_then(|answer| answer.text());
        text.expect("its metrics")
    }

    /// What it printed.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The sum of its own counters of a name, as it shows them at this moment.
    pub(super) fn own(&self, name: &str) -> f64 {
        let text = self.metrics();
        let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// An address that nobody listens on.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.local_addr().expect("address").to_string()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The Prometheus API at an address.
pub(super) struct Api {
    client: Client,
    url: String,
}

impl Api {
    pub(super) fn new(url: &str) -> Self {
        Self { client: Client::builder().timeout(PATIENCE).build().expect("client"), url: url.to_owned() }
    }

    /// The status and the answer to a form.
    pub(super) fn ask(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.client.get(format!("{}{path}", self.url)).query(form).send();
        let answer = answer.unwrap_or_else(|error| panic!("{path} {form:?}: {error}"));
        let status = answer.status().as_u16();
        let text = answer.text().expect("text");
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} {form:?}: {error}: {text}"));
        (status, value)
    }

    /// The status of a POST without a body.
    pub(super) fn post(&self, path: &str, form: &[(&str, &str)]) -> u16 {
        let answer = self.client.post(format!("{}{path}", self.url)).query(form).send();
        answer.unwrap_or_else(|error| panic!("{path} {form:?}: {error}")).status().as_u16()
    }

    /// The status of a POST of JSON.
    pub(super) fn post_json(&self, path: &str, body: &Value) -> u16 {
        let answer = self.client.post(format!("{}{path}", self.url)).json(body).send();
        answer.unwrap_or_else(|error| panic!("{path}: {error}")).status().as_u16()
    }

    /// The status and the answer to a request whose target, and form if it has one, are sent as they stand.
    pub(super) fn send(&self, method: &str, target: &str, form: Option<&str>) -> (u16, Value) {
        let method: reqwest::Method = method.parse().expect("a method");
        let mut request = self.client.request(method, format!("{}{target}", self.url));
        if let Some(form) = form {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        }
        let answer = request.send().unwrap_or_else(|error| panic!("{target}: {error}"));
        let status = answer.status().as_u16();
        let text = answer.text().expect("text");
        // A query without selectors has exemplars of nothing: 204.
        let text = if text.is_empty() { "null" } else { &text };
        let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{target}: {error}: {text}"));
        (status, value)
    }

    /// The data of an answer that is no error.
    pub(super) fn data(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let (status, mut answer) = self.ask(path, form);
        assert_eq!(status, 200, "{path} {form:?}: {answer}");
        answer["data"].take()
    }

    /// The samples of an expression at a time in milliseconds, by their labels.
    pub(super) fn instant(&self, expr: &str, at_ms: i64) -> Vec<(String, f64)> {
        let data = self.data("/api/v1/query", &[("query", expr), ("time", seconds(at_ms).as_str())]);
        let samples = data["result"].as_array().unwrap_or_else(|| panic!("{expr}: {data}"));
        let number = |sample: &Value| sample["value"][1].as_str().and_then(|text| text.parse().ok());
        let pairs = samples.iter().map(|sample| (sample["metric"].to_string(), number(sample).unwrap_or(f64::NAN)));
        let mut pairs: Vec<(String, f64)> = pairs.collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs
    }
}

/// A time as the API takes it.
pub(super) fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}
