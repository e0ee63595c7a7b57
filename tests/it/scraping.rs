//! Targets that are scraped for real: Debian's node_exporter, from its first answer to its end.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::Server;
use crate::shared::program;

/// How long something may take that the next scrapes bring.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// Ends the program with the test.
pub(crate) struct Exporter {
    child: Child,
    pub(crate) address: String,
}

impl Exporter {
    pub(crate) fn start(program: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address").port();
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(program)
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node_exporter");
        Self { child, address }
    }

    /// What it says when it is asked directly: values by series, as it writes them.
    fn direct(&self) -> BTreeMap<String, f64> {
        let text =
            reqwest::blocking::get(format!("http://{}/metrics", self.address)).expect("answer").text().expect("text");
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
            .collect()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until something is there, and gives it.
pub(crate) fn awaited<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} after {PATIENCE:?}");
        std::thread::sleep(POLL);
    }
}

/// The value of the only series that a query finds now.
fn instant(server: &Server, query: &str) -> Option<f64> {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let answer = server.get_json(&format!("/api/v1/query?query={encoded}"));
    let result = answer["data"]["result"].as_array().expect("result").clone();
    assert!(result.len() <= 1, "{query}: {result:?}");
    Some(result.first()?["value"][1].as_str().expect("a value").parse().expect("a number"))
}

fn first_target(server: &Server) -> Option<Value> {
    server.get_json("/api/v1/targets")["data"]["activeTargets"].as_array().expect("targets").first().cloned()
}

fn settings(path: &Path, targets: &str) {
    let text = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs:\n- job_name: node\n  static_configs: [{{targets: [{targets}]}}]\n\
         \x20 metric_relabel_configs: [{{source_labels: [__name__], regex: 'go_.*', action: drop}}]\n"
    );
    std::fs::write(path, text).expect("written");
}

#[test]
fn node_exporter_is_scraped_from_its_beginning_to_its_end() {
    let Some(program) = program("prometheus-node-exporter") else { return };
    let mut exporter = Exporter::start(&program);
    let dir = tempfile::tempdir().expect("directory");
    let file = dir.path().join("scrape.yml");
    settings(&file, &format!("'{}'", exporter.address));
    let server = Server::start_with(&format!("scrape: ['{}']", file.display()));

    let up = |server: &Server| first_target(server).filter(|target| target["health"] == "up");
    let target = awaited("the target is not up", || up(&server));
    assert_eq!(target["scrapePool"], "node");
    assert_eq!(target["scrapeUrl"], format!("http://{}/metrics", exporter.address));
    assert_eq!(target["labels"]["instance"], exporter.address);
    assert_eq!(server.get_json("/api/v1/scrape_pools")["data"]["scrapePools"][0], "node");

    // What does not change from scrape to scrape is what it says directly, bit for bit.
    let direct = exporter.direct();
    for name in ["node_memory_MemTotal_bytes", "node_boot_time_seconds"] {
        let value = awaited(name, || instant(&server, &format!("{name}{{job=\"node\"}}")));
        assert_eq!(value.to_bits(), direct[name].to_bits(), "{name}");
    }
    let kept = direct.keys().filter(|series| !series.starts_with("go_")).count() as f64;
    let scraped = instant(&server, "scrape_samples_post_metric_relabeling{job=\"node\"}").expect("a report");
    assert!((scraped - kept).abs() <= 0.02 * kept, "{scraped} series were kept, {kept} are there");
    assert_eq!(instant(&server, "go_goroutines{job=\"node\"}"), None, "a rule drops it");
    let metadata = server.get_json("/api/v1/targets/metadata?metric=node_memory_MemTotal_bytes");
    assert_eq!(metadata["data"][0]["type"], "gauge", "{metadata}");

    // It dies: its series are stale at once, and its target is down.
    exporter.child.kill().expect("kill");
    exporter.child.wait().expect("wait");
    awaited("up is not 0", || instant(&server, "up{job=\"node\"}").filter(|up| *up == 0.0));
    assert_eq!(instant(&server, "node_boot_time_seconds{job=\"node\"}"), None, "the series is stale");
    let target = first_target(&server).expect("still a target");
    assert_eq!(target["health"], "down", "{target}");
    assert!(target["lastError"].as_str().expect("a text").contains("refused"), "{target}");

    // It is taken away: its report is stale too, two intervals later.
    settings(&file, "");
    server.hang_up();
    awaited("the target is still there", || first_target(&server).is_none().then_some(()));
    awaited("up is still there", || instant(&server, "up{job=\"node\"}").is_none().then_some(()));

    // A mistake in the file changes nothing.
    std::fs::write(&file, "scrape_configs: [{job_nam: x}]\n").expect("written");
    server.hang_up();
    assert_eq!(server.get_json("/api/v1/scrape_pools")["data"]["scrapePools"][0], "node");
}
