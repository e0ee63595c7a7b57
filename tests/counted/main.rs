//! The program whose instructions `tests/it/instructions.rs` counts: it ingests, or asks one question again and again, and
//! nothing else. Counts of two runs that differ in the number of repetitions give the cost of one.
//!
//! Everything is made here from a seed, so that two machines do the same work.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's answer")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use decode::otlp::{Wire, decode_logs};
use engine::{Engine, NoStateTables, QueryLimits, QueryRequest};
use model::{TenantId, Timestamp};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use pipeline::{Pipeline, PipelineOptions, Protocol, Source};
use prost::Message as _;
use store::{Store, StoreOptions};

/// Records of one body.
const RECORDS_PER_BODY: u64 = 2_500;
/// Bodies that every run makes, however many it ingests: making them is not what is counted.
const BODIES_MAX: u64 = 9;
/// 2026-11-23T00:00:00Z.
const START_NS: u64 = 1_795_392_000_000_000_000;

/// The questions, by name.
const QUESTIONS: [(&str, &str); 4] = [
    ("rare_word", "zanzibar | stats count() as n"),
    ("newest", "payment | limit 100"),
    ("regex", "body:~\"acquirer [0-9]+ in 9[0-9] ms\" | stats count() as n"),
    ("by_severity", "* | stats by (severity) count() as n"),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["ingest", dir, bodies] => ingest(Path::new(dir), bodies),
        ["query", dir, name, times] => query(Path::new(dir), name, times),
        _ => Err("usage: counted ingest DIR BODIES | counted query DIR NAME TIMES".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), Box<dyn std::error::Error>>;

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Takes bodies as the OTLP listener does, then flushes and merges.
fn ingest(dir: &Path, bodies: &str) -> Done {
    let all: Vec<Vec<u8>> = (0..BODIES_MAX).map(body).collect();
    let store = Arc::new(Store::open(StoreOptions::new(dir))?);
    let pipeline = Pipeline::new(Arc::clone(&store), &PipelineOptions::default());
    let source = Source { protocol: Protocol::OtlpHttp, peer: String::new() };
    let received = Timestamp(START_NS as i64);
    let runtime = runtime()?;
    for body in all.iter().take(bodies.parse()?) {
        let decoded = decode_logs(Wire::Protobuf, body, received)?;
        runtime.block_on(pipeline.push(&TenantId::default(), &source, received, decoded))?;
    }
    store.flush(true)?;
    Ok(())
}

/// Asks one question so many times.
fn query(dir: &Path, name: &str, times: &str) -> Done {
    let text = QUESTIONS.iter().find(|(known, _)| *known == name).ok_or("no such question")?.1;
    let store = Arc::new(Store::open(StoreOptions::new(dir))?);
    let engine = Engine::new(store, Arc::new(NoStateTables), QueryLimits::default())?;
    let runtime = runtime()?;
    let mut rows = 0;
    for _ in 0..times.parse()? {
        let request = QueryRequest::new(TenantId::default(), text, Timestamp(START_NS as i64));
        let result = runtime.block_on(async { engine.run(request).await?.collect_all().await })?;
        rows = result.json_rows().len();
    }
    println!("{rows}");
    Ok(())
}

/// One body: records of four services on eight hosts.
fn body(number: u64) -> Vec<u8> {
    let mut random = Random(number + 1);
    let resource_logs = (0..4)
        .map(|service| {
            let records = (0..RECORDS_PER_BODY / 4).map(|at| record(number, service, at, &mut random)).collect();
            ResourceLogs {
                resource: Some(Resource {
                    attributes: vec![
                        text("service.name", ["checkout", "search", "cart", "mail"][service as usize]),
                        text("host.name", &format!("host-{}", random.below(2) + 2 * service)),
                    ],
                    ..Resource::default()
                }),
                scope_logs: vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }],
                ..ResourceLogs::default()
            }
        })
        .collect();
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn record(body: u64, service: u64, at: u64, random: &mut Random) -> LogRecord {
    let order = random.below(1 << 40);
    let line = match at % 5 {
        0 => format!("order {order}: payment authorised at acquirer {} in {} ms", random.below(9), random.below(100)),
        1 => format!("GET /api/v1/items/{order}?page={} HTTP/1.1 200 {}", random.below(30), random.below(90_000)),
        2 => {
            format!("connection from 10.{}.{}.7:{} closed", random.below(256), random.below(256), random.below(65_536))
        }
        3 => format!("cache miss for key {:016x}, loading from the database", random.next()),
        _ => format!("worker {} finished job {order} after {} retries", random.below(16), random.below(3)),
    };
    let rare = body.is_multiple_of(3) && service == 1 && at == 77;
    let severity = if random.below(16) == 0 { (17, "ERROR") } else { (9, "INFO") };
    let mut attributes = Vec::new();
    if at.is_multiple_of(3) {
        attributes.push(text("http.route", "/api/v1/items"));
        attributes.push(number("http.response.status_code", if random.below(20) == 0 { 503 } else { 200 }));
    }
    LogRecord {
        time_unix_nano: START_NS + body * 60_000_000_000 + at * 24_000_000 + random.below(24_000_000),
        severity_number: severity.0,
        severity_text: severity.1.to_owned(),
        body: Some(AnyValue { value: Some(Any::StringValue(if rare { format!("{line} zanzibar") } else { line })) }),
        attributes,
        trace_id: if at.is_multiple_of(5) { random.bytes(16) } else { Vec::new() },
        ..LogRecord::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    }
}

fn number(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Any::IntValue(value)) }), ..KeyValue::default() }
}

/// splitmix64 (Steele, Lea, Flood 2014): the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
