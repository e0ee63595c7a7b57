//! A real server for a test: the real binary, on loopback, on free ports, in a temporary directory, ended by process id.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use crate::shared::binary;

/// How long a server may take to become ready, and a record to become searchable, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks at something that is awaited.
const POLL: Duration = Duration::from_millis(20);

/// A running server.
pub(crate) struct Server {
    child: Child,
    dir: tempfile::TempDir,
    config: String,
    pub(crate) url: String,
    client: Client,
}

/// Receivers that have a port; each gets a free one.
const LISTENERS: [&str; 9] = [
    "otlp_grpc",
    "otlp_http",
    "syslog_udp",
    "syslog_tcp",
    "graphite_udp",
    "graphite_tcp",
    "graphite_pickle",
    "statsd_udp",
    "statsd_tcp",
];

impl Server {
    /// Starts a server in a directory of its own.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server with further lines of configuration.
    pub(crate) fn start_with(more_config: &str) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let config = format!(
            "listen: 127.0.0.1:0\nlisteners: {{{}}}\n{more_config}\n",
            LISTENERS.map(|name| format!("{name}: '127.0.0.1:0'")).join(", ")
        );
        let client = Client::builder().timeout(PATIENCE).build().expect("client");
        let child = spawn(dir.path(), &config);
        let mut server = Self { child, dir, config, url: String::new(), client };
        server.await_ready();
        server
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A path in the server's temporary directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn runtime(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.data().join("runtime.json")).ok()?;
        let runtime: Value = serde_json::from_str(&text).ok()?;
        (runtime["pid"] == self.child.id()).then_some(runtime)
    }

    fn await_ready(&mut self) {
        let log = self.path("log");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(runtime) = self.runtime() {
                runtime["url"].as_str().expect("url").clone_into(&mut self.url);
                if self.client.get(format!("{}/ready", self.url)).send().is_ok_and(|answer| answer.status() == 200) {
                    return;
                }
            }
            let ended = self.child.try_wait().expect("child");
            let text = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", text());
            assert!(Instant::now() < deadline, "the server is not ready after {PATIENCE:?}:\n{}", text());
            std::thread::sleep(POLL);
        }
    }

    /// The address of a listener: `syslog_tcp`, `otlp_grpc`, ...
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        let runtime = self.runtime().expect("runtime.json");
        let listeners = runtime["listeners"].as_array().expect("listeners").clone();
        let listener = listeners.iter().find(|listener| listener["name"] == name);
        let address = listener.unwrap_or_else(|| panic!("no listener {name} in {listeners:?}"))["address"].as_str();
        address.expect("address").parse().expect("socket address")
    }

    /// Ends the process at once, as a power cut or the OOM killer would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Starts the server again on the same directory.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.dir.path(), &self.config);
        self.await_ready();
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signal");
        self.child.wait().expect("wait")
    }

    /// Tells the server to read again what it can read again.
    pub(crate) fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("signal");
    }

    /// Ends the server and asserts that no file of its data has these bytes.
    pub(crate) fn stop_and_search_files_for(mut self, text: &str) {
        self.stop();
        let mut dirs = vec![self.data()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).expect("directory") {
                let path = entry.expect("entry").path();
                if path.is_dir() {
                    dirs.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).expect("file");
                let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!found, "{} has {text:?}", path.display());
            }
        }
    }

    /// GET of a path.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// GET of a path that answers JSON.
    pub(crate) fn get_json(&self, path: &str) -> Value {
        let answer = self.get(path);
        let status = answer.status();
        let text = answer.text().expect("text");
        assert!(status.is_success(), "GET {path} answered {status}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("GET {path}: {error}: {text}"))
    }

    /// POST of a JSON body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.client
            .post(format!("{}{path}", self.url))
            .json(body)
            .send()
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// The whole answer to a query over all time.
    pub(crate) fn query_whole(&self, query: &str, limit: Option<u64>) -> Value {
        let body = json!({"query": query, "limit": limit});
        let answer = self
            .client
            .post(format!("{}/backstop/api/v1/query", self.url))
            .header("accept", "application/json")
            .json(&body)
            .send();
        let answer = answer.expect("answer");
        let status = answer.status();
        let text = answer.text().expect("text");
        assert!(status.is_success(), "{query} answered {status}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Rows of a query over all time.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        self.query_whole(query, Some(100_000))["rows"].as_array().expect("rows").clone()
    }

    /// The one number that a query such as `* | stats count() as n` gives.
    pub(crate) fn count(&self, filter: &str) -> u64 {
        let rows = self.query(&format!("{filter} | stats count() as n"));
        rows.first().and_then(|row| row["n"].as_u64()).unwrap_or_else(|| panic!("{filter}: {rows:?}"))
    }

    /// Waits until a filter matches at least `n` rows, and gives them.
    pub(crate) fn await_rows(&self, filter: &str, n: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = self.query(filter);
            if rows.len() >= n {
                return rows;
            }
            assert!(
                Instant::now() < deadline,
                "{filter} matches {} rows after {PATIENCE:?}, {n} are awaited: {rows:?}",
                rows.len()
            );
            std::thread::sleep(POLL);
        }
    }

    /// Runs a command of the binary against this server and gives its standard output.
    pub(crate) fn cli(&self, args: &[&str]) -> String {
        crate::shared::run(Command::new(binary()).args(args).env("XDG_STATE_HOME", self.path("state")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(dir: &Path, config: &str) -> Child {
    let file = dir.join("backstop.yaml");
    std::fs::write(&file, config).expect("configuration");
    let log = std::fs::File::options().create(true).append(true).open(dir.join("log")).expect("log");
    Command::new(binary())
        .arg("serve")
        .arg("--config")
        .arg(&file)
        .arg("--data")
        .arg(dir.join("data"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("log"))
        .stderr(log)
        .spawn()
        .expect("the server starts")
}

#[test]
fn a_second_process_on_one_directory_is_refused_with_a_clear_message() {
    let server = Server::start();
    let second = Command::new(binary())
        .args(["serve", "--no-receivers", "--listen", "127.0.0.1:0", "--data"])
        .arg(server.data())
        .output()
        .expect("output");
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(70), "{text}");
    assert!(text.contains("in use by process") && text.contains(&server.data().display().to_string()), "{text}");
    assert_eq!(server.get("/ready").status(), 200, "the first server is not disturbed");
}

#[test]
fn the_server_shows_its_own_state() {
    let server = Server::start();
    assert_eq!(server.get("/health").status(), 200);
    let metrics = server.get("/metrics").text().expect("text");
    assert!(metrics.contains("\nbackstop_ready 1\n"), "{metrics}");
    let status = server.get_json("/backstop/api/v1/status");
    assert_eq!(status["ready"], true);
    assert_eq!(server.get("/backstop/api/v1/nothing").status(), 404, "an unknown API path is never the UI");
    assert_eq!(server.get("/nothing/at/all").status(), 404);
}

#[test]
fn what_the_search_page_asks_can_be_asked_by_get_too() {
    let server = Server::start();
    server.post("/backstop/api/v1/ingest?format=raw&service=asked", &json!("one two"));
    for (path, parameters) in [
        ("histogram", vec![("query", "two"), ("buckets", "10"), ("start", "-1h"), ("end", "now")]),
        ("fields", vec![("query", "two")]),
        ("values", vec![("field", "service.name"), ("limit", "5")]),
        ("explain", vec![("query", "two | stats count() as n")]),
        ("diagnose", vec![("query", "two | nonsense"), ("cursor", "3")]),
    ] {
        let body: serde_json::Map<String, Value> = parameters
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.parse::<u64>().map_or_else(|_| json!(text), |n| json!(n))))
            .collect();
        let by_post = server.post(&format!("/backstop/api/v1/{path}"), &Value::Object(body));
        assert_eq!(by_post.status(), 200, "POST {path}");
        let query = parameters
            .iter()
            .map(|(name, text)| format!("{name}={}", text.replace(' ', "+").replace('|', "%7C")))
            .collect::<Vec<_>>();
        let by_get = server.get_json(&format!("/backstop/api/v1/{path}?{}", query.join("&")));
        let by_post: Value = by_post.json().expect("JSON");
        let keys = |answer: &Value| answer.as_object().expect("object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&by_get), keys(&by_post), "{path}");
        assert_eq!(by_get["total"], by_post["total"], "{path}");
        assert_eq!(by_get["values"], by_post["values"], "{path}");
    }
}

#[test]
fn a_server_that_is_asked_to_end_loses_nothing_and_exits_with_0() {
    let mut server = Server::start();
    server.post("/backstop/api/v1/ingest?format=raw", &json!("last words"));
    let status = server.stop();
    assert!(status.success(), "{status}");
    assert!(!server.data().join("runtime.json").exists());
    server.restart();
    assert_eq!(server.count("last words"), 1);
}

#[test]
fn a_delete_is_seen_at_once_and_stays_after_merges_and_restarts() {
    let mut server = Server::start();
    let lines = "{\"message\":\"keep one\"}\n{\"message\":\"forget me\"}\n{\"message\":\"keep two\"}\n";
    let sent = Client::new()
        .post(format!("{}/backstop/api/v1/ingest?format=json&service=d", server.url))
        .body(lines)
        .send()
        .expect("answer");
    assert_eq!(sent.status(), 200);
    let path = "/backstop/api/v1/admin/delete";
    for (query, why) in [("", "everything"), ("forget | limit 1", "pipes"), ("from alerts *", "cannot be deleted")] {
        let refused = server.post(path, &json!({"query": query}));
        assert_eq!(refused.status(), 400, "{query:?}");
        assert!(refused.text().expect("text").contains(why), "{query:?}");
    }
    let report: Value = server.post(path, &json!({"query": "forget"})).json().expect("JSON");
    assert_eq!(report, json!({"rows": 1, "segments": 1, "segments_removed": 0}));
    assert_eq!((server.count("*"), server.count("forget"), server.count("keep")), (2, 0, 2));
    let again: Value = server.post(path, &json!({"query": "forget"})).json().expect("JSON");
    assert_eq!(again["rows"], 0);
    server.kill();
    server.restart();
    assert_eq!(server.count("*"), 2);
    assert!(server.post("/backstop/api/v1/admin/flush?compact=true", &Value::Null).status().is_success());
    assert_eq!(server.query("*").len(), 2);
    server.stop();
    let data = server.data().display().to_string();
    let listed = crate::shared::run(Command::new(binary()).args(["segments", "ls", "--data", &data]));
    let head = listed.lines().next().unwrap_or_default();
    assert!(["groups", "terms", "filters"].iter().all(|tier| head.contains(tier)), "{listed}");
}

#[test]
fn explain_with_analyze_says_what_was_read() {
    let server = Server::start();
    let lines: String = (0..200).map(|n| format!("{{\"message\":\"line {n} of a test\"}}\n")).collect();
    let url = format!("{}/backstop/api/v1/ingest?format=json&service=e", server.url);
    assert_eq!(Client::new().post(url).body(lines).send().expect("answer").status(), 200);
    server.post("/backstop/api/v1/admin/flush?compact=true", &Value::Null);
    let body = json!({"query": "body:~\"line 1[0-9] of\" | stats count() as n", "analyze": true});
    let answer: Value = server.post("/backstop/api/v1/explain", &body).json().expect("JSON");
    let plan = answer["plan"].as_str().expect("text");
    for part in ["10 matched", "segments: 1 in all", "index: body", "pages of", "rows looked at", "verified"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
}
