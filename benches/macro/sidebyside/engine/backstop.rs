//! Backstop, over its native API.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use benches::Manifest;
use serde_json::json;

use super::{Engine, printed};
use crate::answer::{Row, ndjson};
use crate::http::{Connection, Request};
use crate::questions::{NEWEST, Question, REGEX, REGEX_WITHOUT_WORDS, TOP};

const QUERY: &str = "/backstop/api/v1/query";
const SETTLE: &str = "/backstop/api/v1/admin/flush?compact=true";

/// The program under test.
#[derive(Debug)]
pub(crate) struct Backstop {
    pub(crate) program: PathBuf,
}

impl Engine for Backstop {
    fn name(&self) -> &'static str {
        "backstop"
    }

    fn version(&self) -> Result<String> {
        Ok(printed(&self.program, "version")?.trim_start_matches("backstop ").to_owned())
    }

    fn command(&self, data: &Path, port: u16) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--no-receivers").arg("--data").arg(data);
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        Ok(command)
    }

    fn ready(&self) -> Request {
        Request::get("/ready")
    }

    fn ingest(&self) -> Request {
        Request::post("/v1/logs").header("content-type", "application/x-protobuf")
    }

    fn settle(&self, connection: &mut Connection) -> Result<()> {
        connection.send(&Request::post(SETTLE))?.ok().map(drop)
    }

    fn ask(&self, question: Question, data: &Manifest) -> Request {
        let mut body = json!({
            "query": text(question, data),
            "start": data.start_ns.to_string(),
            "end": data.end_ns.to_string(),
        });
        if question == Question::NewestOfCommon {
            body["limit"] = json!(NEWEST);
        }
        Request::post(QUERY).header("accept", "application/x-ndjson").json(&body)
    }

    fn rows(&self, body: &[u8]) -> Result<Vec<Row>> {
        let rows = ndjson(body)?;
        match rows.last().and_then(|row| row.get("error")) {
            Some(error) => bail!("{error}"),
            None => Ok(rows),
        }
    }

    fn explain(&self, request: &Request, connection: &mut Connection) -> Result<Option<String>> {
        let body = connection.send(&request.clone().header("x-backstop-end-line", "1"))?.ok()?;
        let end = ndjson(&body)?.pop().unwrap_or_default();
        Ok(end.get("_end").and_then(|end| end.get("stats")).map(ToString::to_string))
    }
}

fn text(question: Question, data: &Manifest) -> String {
    let (rare, phrase, common) = (&data.rare.text, &data.phrase.text, &data.common.text);
    match question {
        Question::CountAll => "* | stats count() as n".to_owned(),
        Question::CountBySeverity => "* | stats by (severity) count() as n".to_owned(),
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
            format!("service.name:=\"{service}\" | stats by (_time:1h) count() as n")
        }
        Question::TopHosts => {
            format!("severity:=ERROR | stats by (host.name) count() as n | sort by (n desc, host.name) | limit {TOP}")
        }
        Question::FilteredAverage => {
            "http.response.status_code:>=500 | stats by (service.name) avg(duration_ms) as mean".to_owned()
        }
    }
}
