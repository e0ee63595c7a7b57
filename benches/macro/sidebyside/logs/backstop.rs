//! Backstop, over its native API.

use anyhow::{Result, bail};
use benches::Manifest;
use serde_json::json;

use super::answer::{ndjson, normalise};
use super::questions::{NEWEST, Question, REGEX, REGEX_WITHOUT_WORDS, TOP};
use crate::engine::{Backstop, Engine};
use crate::http::{Connection, Request};
use crate::workload::Table;

const QUERY: &str = "/backstop/api/v1/query";

impl Engine<Manifest> for Backstop {
    fn ingest(&self) -> Request {
        Request::post("/v1/logs").header("content-type", "application/x-protobuf")
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

    fn read(&self, question: Question, body: &[u8]) -> Result<Table> {
        let rows = ndjson(body)?;
        match rows.last().and_then(|row| row.get("error")) {
            Some(error) => bail!("{error}"),
            None => normalise(&rows, question.shape()),
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
