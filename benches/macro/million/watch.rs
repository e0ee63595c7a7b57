//! Who watches: the server's memory each second, and how long a question takes that selects few series.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::http::{Connection, Request, encode_form};
use crate::process::Process;

const SECOND: Duration = Duration::from_secs(1);
/// Seconds after the beginning from which questions find something.
const FIRST_QUESTION_S: u64 = 40;
/// How far questions look back.
const RANGE_S: u64 = 300;

/// Slow answers that are shown.
const SLOWEST_SHOWN: usize = 10;

/// What the server's memory was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Most resident bytes at any moment, as the kernel keeps it.
    pub(crate) peak: u64,
    pub(crate) last: u64,
    /// The most of each minute.
    pub(crate) by_minute: Vec<u64>,
    sum: u64,
    looks: u64,
}

impl Memory {
    pub(crate) fn mean(&self) -> u64 {
        self.sum / self.looks.max(1)
    }
}

/// Looks at the memory each second until told to stop.
pub(crate) fn memory(process: &Process, stop: &AtomicBool) -> Result<Memory> {
    let (mut seen, began) = (Memory::default(), Instant::now());
    while !stop.load(Relaxed) {
        let now = process.resident_bytes()?;
        (seen.last, seen.peak) = (now, process.peak_bytes()?);
        seen.sum += now;
        seen.looks += 1;
        let minute = usize::try_from(began.elapsed().as_secs() / 60)?;
        if seen.by_minute.len() <= minute {
            if let Some(before) = seen.by_minute.last() {
                println!("minute {}: at most {} MB resident", seen.by_minute.len(), before / 1_000_000);
            }
            seen.by_minute.resize(minute + 1, 0);
        }
        seen.by_minute[minute] = seen.by_minute[minute].max(now);
        std::thread::sleep(SECOND);
    }
    Ok(seen)
}

/// How long answers took, by kind of question, and the slowest ones with the second of the run.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    took_ms: BTreeMap<&'static str, Vec<f64>>,
    slow: Vec<(u64, &'static str, f64)>,
}

impl Asked {
    pub(crate) fn count(&self) -> usize {
        self.took_ms.values().map(Vec::len).sum()
    }

    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        quantile(self.took_ms.values().flatten().copied().collect(), share)
    }

    /// The slowest answers: second of the run, kind, milliseconds.
    pub(crate) fn slowest(&self) -> Vec<(u64, &'static str, f64)> {
        let mut slow = self.slow.clone();
        slow.sort_by(|a, b| b.2.total_cmp(&a.2));
        slow.truncate(SLOWEST_SHOWN);
        slow
    }

    pub(crate) fn by_kind(&self, share: f64) -> BTreeMap<&'static str, f64> {
        self.took_ms.iter().map(|(kind, took)| (*kind, quantile(took.clone(), share))).collect()
    }
}

fn quantile(mut took: Vec<f64>, share: f64) -> f64 {
    took.sort_by(f64::total_cmp);
    let at = ((took.len() as f64 * share).ceil() as usize).clamp(1, took.len().max(1)) - 1;
    took.get(at).map_or(f64::NAN, |ms| (ms * 100.0).round() / 100.0)
}

/// The questions, by name; `HOST` is a host's number.
const QUESTIONS: [(&str, &str); 4] = [
    ("one_series", "rate(node_cpu_seconds_total{instance=\"host-HOST:9100\",cpu=\"3\",mode=\"user\"}[2m])"),
    ("one_host", "sum by (mode) (rate(node_cpu_seconds_total{instance=\"host-HOST:9100\"}[2m]))"),
    (
        "quantile_of_a_host",
        "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{instance=\"host-HOST:9100\"}[2m])))",
    ),
    ("ten_hosts", "max(node_load1{instance=~\"host-(HOST|0000.):9100\"})"),
];

/// Asks a question a second, each of another host, until told to stop.
pub(crate) fn ask(address: SocketAddr, hosts: usize, stop: &AtomicBool) -> Result<Asked> {
    let (mut asked, mut connection) = (Asked::default(), Connection::open(address)?);
    let began = Instant::now();
    for turn in 0u64.. {
        while began.elapsed() < SECOND * u32::try_from(turn + FIRST_QUESTION_S)? {
            if stop.load(Relaxed) {
                return Ok(asked);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let (kind, query) = QUESTIONS[usize::try_from(turn)? % QUESTIONS.len()];
        // A prime steps over all hosts before it comes to one again.
        let host = usize::try_from(turn * 7919)? % hosts;
        let query = query.replace("HOST", &format!("{host:05}"));
        let end = benches::unix_time().as_secs();
        let (start, end) = ((end - RANGE_S).to_string(), end.to_string());
        let pairs = [("query", &*query), ("start", &*start), ("end", &*end), ("step", "15")];
        let request = Request::get(format!("/api/v1/query_range?{}", encode_form(&pairs)));
        let before = Instant::now();
        let body = connection.send(&request)?.ok()?;
        let took = before.elapsed();
        let answer: Value = serde_json::from_slice(&body)?;
        // A rate needs two samples.
        let found = answer["data"]["result"].as_array().is_some_and(|result| !result.is_empty());
        ensure!(found || turn < 60, "{query} found nothing: {answer}");
        let took_ms = took.as_secs_f64() * 1e3;
        asked.took_ms.entry(kind).or_default().push(took_ms);
        asked.slow.push((began.elapsed().as_secs(), kind, took_ms.round()));
    }
    Ok(asked)
}
