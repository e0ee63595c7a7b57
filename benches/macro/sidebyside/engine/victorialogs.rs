//! VictoriaLogs, with the settings of an operator who knows it: streams by service and host, merged before it is asked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use benches::Manifest;

use super::{Engine, installed_version, printed, rename};
use crate::answer::{Row, ndjson};
use crate::http::{Connection, Request};
use crate::questions::{NEWEST, Question, REGEX, REGEX_WITHOUT_WORDS, TOP};

/// Gauges of work that is still to be done, by the start of their names.
const BUSY_GAUGES: [&str; 3] = ["vl_active_merges", "vl_active_force_merges", "vl_pending_rows"];
const BUSY_POLL: Duration = Duration::from_millis(200);
/// Polls without work before it counts as merged: between two merges there is none either.
const IDLE_POLLS: u32 = 10;
/// Polls before the runner gives up: half an hour.
const POLLS_MAX: u32 = 9_000;

/// The field of a record's severity in 1.52; 1.43 called it `severity`.
const SEVERITY: &str = "severity_text";

/// A rival.
#[derive(Debug)]
pub(crate) struct VictoriaLogs {
    pub(crate) program: PathBuf,
}

impl Engine for VictoriaLogs {
    fn name(&self) -> &'static str {
        "victorialogs"
    }

    fn version(&self) -> Result<String> {
        installed_version(&self.program).map_or_else(|| printed(&self.program, "-version"), Ok)
    }

    fn command(&self, data: &Path, port: u16) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command.arg(format!("-storageDataPath={}", data.display()));
        command.arg(format!("-httpListenAddr=127.0.0.1:{port}"));
        // Generated data may be older than the week that is kept otherwise.
        command.arg("-retentionPeriod=10y");
        Ok(command)
    }

    fn ready(&self) -> Request {
        Request::get("/health")
    }

    fn ingest(&self) -> Request {
        Request::post("/insert/opentelemetry/v1/logs")
            .header("content-type", "application/x-protobuf")
            .header("VL-Stream-Fields", "service.name,host.name")
    }

    fn settle(&self, connection: &mut Connection) -> Result<()> {
        connection.send(&Request::get("/internal/force_flush"))?.ok()?;
        connection.send(&Request::get("/internal/force_merge"))?.ok()?;
        let mut idle = 0;
        for _ in 0..POLLS_MAX {
            std::thread::sleep(BUSY_POLL);
            let metrics = connection.send(&Request::get("/metrics"))?.ok()?;
            idle = if busy(&String::from_utf8_lossy(&metrics)) { 0 } else { idle + 1 };
            if idle == IDLE_POLLS {
                return Ok(());
            }
        }
        bail!("still merging")
    }

    fn ask(&self, question: Question, data: &Manifest) -> Request {
        let query = text(question, data);
        let (start, end) = (data.start_ns.to_string(), data.end_ns.to_string());
        let limit = NEWEST.to_string();
        let mut pairs = vec![("query", query.as_str()), ("start", &start), ("end", &end)];
        if question == Question::NewestOfCommon {
            pairs.push(("limit", &limit));
        }
        Request::post("/select/logsql/query").form(&pairs)
    }

    fn rows(&self, body: &[u8]) -> Result<Vec<Row>> {
        let mut rows = ndjson(body)?;
        for row in &mut rows {
            rename(row, "_msg", "body");
            rename(row, SEVERITY, "severity");
        }
        Ok(rows)
    }
}

fn busy(metrics: &str) -> bool {
    let gauges = metrics.lines().filter(|line| BUSY_GAUGES.iter().any(|gauge| line.starts_with(gauge)));
    gauges
        .filter_map(|line| line.rsplit_once(' '))
        .any(|(_, value)| value.parse::<f64>().is_ok_and(|value| value > 0.0))
}

fn text(question: Question, data: &Manifest) -> String {
    let (rare, phrase, common) = (&data.rare.text, &data.phrase.text, &data.common.text);
    match question {
        Question::CountAll => "* | stats count() as n".to_owned(),
        Question::CountBySeverity => format!("* | stats by ({SEVERITY}) count() as n"),
        Question::RareLines => rare.clone(),
        Question::RareCount => format!("{rare} | stats count() as n"),
        Question::TraceLines => format!("trace_id:=\"{}\"", data.trace.text),
        Question::PhraseCount => format!("\"{phrase}\" | stats count() as n"),
        Question::CommonCount => format!("{common} | stats count() as n"),
        Question::NewestOfCommon => common.clone(),
        Question::Regex => format!("~`{REGEX}` | stats count() as n"),
        Question::RegexWithoutWords => format!("~`{REGEX_WITHOUT_WORDS}` | stats count() as n"),
        Question::ServiceByHour => {
            let service = data.services.keys().next_back().map_or("", String::as_str);
            format!("{{service.name=\"{service}\"}} | stats by (_time:1h) count() as n")
        }
        Question::TopHosts => {
            format!("{SEVERITY}:=ERROR | stats by (host.name) count() as n | sort by (n desc, host.name) | limit {TOP}")
        }
        Question::FilteredAverage => {
            "http.response.status_code:>=500 | stats by (service.name) avg(duration_ms) as mean".to_owned()
        }
    }
}
