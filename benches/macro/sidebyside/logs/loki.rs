//! Loki as one process, with its limits out of the way. Labels are those that it takes from OTLP by itself; the rest is
//! structured metadata.
//!
//! It refuses lines that are more than an hour behind others of their stream. Raising that (`max_chunk_age`) makes chunks
//! span the whole day and its split queries read each of them many times, so it stays; data of well under a million lines
//! wants requests of fewer records instead (`loadgen --batch 200`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use benches::Manifest;
use serde_json::{Value, json};

use super::answer::{Row, normalise, rename};
use super::questions::{NEWEST, Question, REGEX, REGEX_WITHOUT_WORDS, TOP};
use crate::engine::{Engine, Program, installed_version, printed};
use crate::http::{Connection, Request, encode_form};
use crate::process::free_port;
use crate::workload::Table;

const ALL: &str = "{service_name=~\".+\"}";
const HOUR_NS: i64 = 3_600_000_000_000;
/// Lines that a question for lines returns at most.
const LINES_MAX: u64 = 5_000;

/// A rival.
#[derive(Debug)]
pub(crate) struct Loki {
    pub(crate) program: PathBuf,
}

impl Program for Loki {
    fn name(&self) -> &'static str {
        "loki"
    }

    fn version(&self) -> Result<String> {
        installed_version(&self.program).map_or_else(|| printed(&self.program, "-version"), Ok)
    }

    fn command(&self, data: &Path, port: u16) -> Result<Command> {
        let file = data.join("loki.yaml");
        std::fs::write(&file, configuration(data, port, free_port()?))?;
        let mut command = Command::new(&self.program);
        command.arg(format!("-config.file={}", file.display()));
        Ok(command)
    }

    fn ready(&self) -> Request {
        Request::get("/ready")
    }

    fn settle(&self, connection: &mut Connection) -> Result<()> {
        connection.send(&Request::post("/flush"))?.ok().map(drop)
    }
}

impl Engine<Manifest> for Loki {
    fn ingest(&self) -> Request {
        Request::post("/otlp/v1/logs").header("content-type", "application/x-protobuf")
    }

    fn ask(&self, question: Question, data: &Manifest) -> Request {
        let (start, end) = (data.start_ns.to_string(), data.end_ns.to_string());
        let query = text(question, data);
        let lines = question == Question::NewestOfCommon;
        let limit = if lines { NEWEST } else { LINES_MAX }.to_string();
        let first_hour = ((data.start_ns / HOUR_NS + 1) * HOUR_NS).to_string();
        let last_hour = ((data.end_ns / HOUR_NS + 1) * HOUR_NS).to_string();
        let (path, pairs) = match question {
            Question::RareLines | Question::TraceLines | Question::NewestOfCommon => {
                ("query_range", vec![("start", start.as_str()), ("end", &end), ("limit", &limit)])
            }
            Question::ServiceByHour => {
                ("query_range", vec![("start", first_hour.as_str()), ("end", &last_hour), ("step", "1h")])
            }
            _ => ("query", vec![("time", end.as_str())]),
        };
        let pairs = [vec![("query", query.as_str())], pairs].concat();
        Request::get(format!("/loki/api/v1/{path}?{}", encode_form(&pairs)))
    }

    fn read(&self, question: Question, body: &[u8]) -> Result<Table> {
        let answer: Value = serde_json::from_slice(body)?;
        let results = answer["data"]["result"].as_array().context("an answer without a result")?;
        let mut rows = Vec::new();
        for result in results {
            match answer["data"]["resultType"].as_str() {
                Some("vector") => rows.push(sample(result, &result["value"], false)),
                Some("matrix") => rows.extend(pairs(result).map(|pair| sample(result, pair, true))),
                _ => rows.extend(pairs(result).map(line)),
            }
        }
        normalise(&rows, question.shape())
    }
}

fn pairs(result: &Value) -> impl Iterator<Item = &Value> {
    result["values"].as_array().into_iter().flatten()
}

fn line(pair: &Value) -> Row {
    Row::from_iter([("_time".to_owned(), pair[0].clone()), ("body".to_owned(), pair[1].clone())])
}

/// A sample as a row. A bucket has the time of its end here and of its start elsewhere.
fn sample(result: &Value, pair: &Value, bucket: bool) -> Row {
    let mut row = result["metric"].as_object().cloned().unwrap_or_default();
    for (from, to) in [("severity_text", "severity"), ("host_name", "host.name"), ("service_name", "service.name")] {
        rename(&mut row, from, to);
    }
    if bucket {
        let seconds = pair[0].as_f64().unwrap_or_default() as i64;
        row.insert("_time".to_owned(), json!((seconds * 1_000_000_000 - HOUR_NS).to_string()));
    }
    row.insert("n".to_owned(), pair[1].clone());
    row.insert("mean".to_owned(), pair[1].clone());
    row
}

fn text(question: Question, data: &Manifest) -> String {
    let seconds = (data.end_ns - data.start_ns) / 1_000_000_000;
    let count = |filter: &str| format!("sum(count_over_time({ALL} {filter}[{seconds}s]))");
    let (rare, phrase, common) = (&data.rare.text, &data.phrase.text, &data.common.text);
    match question {
        Question::CountAll => count(""),
        Question::CountBySeverity => format!("sum by (severity_text) (count_over_time({ALL}[{seconds}s]))"),
        Question::RareLines => format!("{ALL} |= `{rare}`"),
        Question::RareCount => count(&format!("|= `{rare}`")),
        Question::TraceLines => format!("{ALL} | trace_id=`{}`", data.trace.text),
        Question::PhraseCount => count(&format!("|= `{phrase}`")),
        Question::CommonCount => count(&format!("|= `{common}`")),
        Question::NewestOfCommon => format!("{ALL} |= `{common}`"),
        Question::Regex => count(&format!("|~ `{REGEX}`")),
        Question::RegexWithoutWords => count(&format!("|~ `{REGEX_WITHOUT_WORDS}`")),
        Question::ServiceByHour => {
            let service = data.services.keys().next_back().map_or("", String::as_str);
            format!("sum(count_over_time({{service_name=`{service}`}}[1h]))")
        }
        Question::TopHosts => {
            let errors = format!("{ALL} | severity_text=`ERROR`");
            format!("topk({TOP}, sum by (host_name) (count_over_time({errors} [{seconds}s])))")
        }
        Question::FilteredAverage => {
            let slow = format!("{ALL} | http_response_status_code>=500 | unwrap duration_ms");
            format!("avg_over_time({slow} [{seconds}s]) by (service_name)")
        }
    }
}

fn configuration(data: &Path, http: u16, grpc: u16) -> String {
    format!(
        "auth_enabled: false
analytics: {{reporting_enabled: false}}
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}, log_level: warn, http_server_read_timeout: 30m, http_server_write_timeout: 30m, grpc_server_max_recv_msg_size: 104857600, grpc_server_max_send_msg_size: 104857600}}
common:
  instance_addr: 127.0.0.1
  path_prefix: {data}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
  storage: {{filesystem: {{chunks_directory: {data}/chunks, rules_directory: {data}/rules}}}}
schema_config:
  configs:
    - {{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}
query_range: {{cache_results: false}}
limits_config:
  allow_structured_metadata: true
  volume_enabled: false
  reject_old_samples: false
  ingestion_rate_mb: 10000
  ingestion_burst_size_mb: 10000
  per_stream_rate_limit: 10GB
  per_stream_rate_limit_burst: 10GB
  max_global_streams_per_user: 0
  max_entries_limit_per_query: 0
  max_query_series: 100000
  max_query_length: 0
  query_timeout: 30m
  discover_log_levels: false
",
        data = data.display()
    )
}
