//! VictoriaLogs, with the settings of an operator who knows it: streams by service and host, merged before it is asked.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use benches::Manifest;

use super::answer::{ndjson, normalise, rename};
use super::questions::{NEWEST, Question, REGEX, REGEX_WITHOUT_WORDS, TOP};
use crate::engine::{Engine, Program, installed_version, printed, settle_victoria};
use crate::http::{Connection, Request};
use crate::workload::Table;

/// Gauges of work that is still to be done, by the start of their names.
const BUSY_GAUGES: [&str; 3] = ["vl_active_merges", "vl_active_force_merges", "vl_pending_rows"];

/// The field of a record's severity in 1.52; 1.43 called it `severity`.
const SEVERITY: &str = "severity_text";

/// A rival.
#[derive(Debug)]
pub(crate) struct VictoriaLogs {
    pub(crate) program: PathBuf,
}

impl Program for VictoriaLogs {
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

    fn settle(&self, connection: &mut Connection) -> Result<()> {
        settle_victoria(connection, &BUSY_GAUGES)
    }
}

impl Engine<Manifest> for VictoriaLogs {
    fn ingest(&self) -> Request {
        Request::post("/insert/opentelemetry/v1/logs")
            .header("content-type", "application/x-protobuf")
            .header("VL-Stream-Fields", "service.name,host.name")
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

    fn read(&self, question: Question, body: &[u8]) -> Result<Table> {
        let mut rows = ndjson(body)?;
        for row in &mut rows {
            rename(row, "_msg", "body");
            rename(row, SEVERITY, "severity");
        }
        normalise(&rows, question.shape())
    }
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
