//! Watching the server from outside: its process, and what its API says.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::DemoError;
use crate::report::Targets;

/// Pause between two looks.
const POLL: Duration = Duration::from_millis(100);
/// How long the server may take to start.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// Lines of the server's log that a failure shows.
const LOG_LINES: usize = 20;

/// The server under the demo's eyes. Ends with it.
pub(crate) struct Server {
    child: Child,
    log: std::path::PathBuf,
    http: reqwest::Client,
    pub(crate) targets: Targets,
}

impl Server {
    /// Starts `backstop serve` and waits until it is ready.
    pub(crate) async fn start(binary: &Path, dir: &Path, config: &Path) -> Result<Self, DemoError> {
        let log = dir.join("server.log");
        let file = std::fs::File::create(&log)?;
        let child = Command::new(binary)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()?;
        let local = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let targets = Targets { url: String::new(), syslog_tcp: local, syslog_udp: local };
        let mut server = Self { child, log, http: reqwest::Client::new(), targets };
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            server.check_alive()?;
            if let Some(targets) = published(&dir.join("data/runtime.json")) {
                server.targets = targets;
                let ready = server.http.get(format!("{}/ready", server.targets.url)).send().await;
                if ready.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(server);
                }
            }
            if Instant::now() > deadline {
                return Err(DemoError::ServerEnded { status: "not ready".to_owned(), log: server.log_tail() });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fails when the server has ended.
    pub(crate) fn check_alive(&mut self) -> Result<(), DemoError> {
        match self.child.try_wait()? {
            Some(status) => Err(DemoError::ServerEnded { status: status.to_string(), log: self.log_tail() }),
            None => Ok(()),
        }
    }

    fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// GET of a path of the native API.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, DemoError> {
        let answer = self.http.get(format!("{}/backstop/api/v1/{path}", self.targets.url)).send().await?;
        Ok(answer.json().await?)
    }

    /// Records a change, as a deploy tool would.
    pub(crate) async fn record_change(&self, change: &Value) -> Result<(), DemoError> {
        let answer =
            self.http.post(format!("{}/backstop/api/v1/changes", self.targets.url)).json(change).send().await?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(DemoError::Refused { what: "the change record".to_owned(), status: answer.status().as_u16() })
    }

    /// Rows of a query.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Value>, DemoError> {
        let request = self.http.post(format!("{}/backstop/api/v1/query", self.targets.url));
        let answer = request.header("accept", "application/json").json(&json!({"query": query})).send().await?;
        let mut answer: Value = answer.json().await?;
        Ok(match answer["rows"].take() {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        })
    }
}

/// Where the server listens, once it says so.
fn published(path: &Path) -> Option<Targets> {
    let runtime: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let address = |name: &str| {
        let listeners = runtime["listeners"].as_array()?;
        listeners.iter().find(|listener| listener["name"] == name)?["address"].as_str()?.parse().ok()
    };
    Some(Targets {
        url: runtime["url"].as_str()?.to_owned(),
        syslog_tcp: address("syslog_tcp")?,
        syslog_udp: address("syslog_udp")?,
    })
}

/// Looks again and again until `look` gives something, or fails with what was awaited.
pub(crate) async fn until<T, F>(
    server: &mut Server,
    what: &str,
    patience: Duration,
    mut look: F,
) -> Result<T, DemoError>
where
    F: AsyncFnMut(&Server) -> Result<Option<T>, DemoError>,
{
    let start = Instant::now();
    loop {
        server.check_alive()?;
        if let Some(found) = look(server).await? {
            return Ok(found);
        }
        let waited = start.elapsed();
        if waited > patience {
            return Err(DemoError::NotClosed { what: what.to_owned(), waited_s: waited.as_secs_f64() });
        }
        tokio::time::sleep(POLL).await;
    }
}
