//! One engine's run: sent to, settled, restarted, asked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use benches::BodyReader;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Program};
use crate::http::{Connection, Request};
use crate::process::{Process, disk_bytes, free_port};
use crate::workload::{Question, Table, Workload};

/// Longest wait for a server to take data, or to answer after a restart.
const START_TIMEOUT: Duration = Duration::from_secs(120);
const START_POLL: Duration = Duration::from_millis(2);
/// How long a sender waits when it is told to.
const WAIT_WHEN_TOLD: Duration = Duration::from_millis(100);
/// Times that one request is sent before the runner gives up: five minutes.
const TRIES_MAX: u32 = 3_000;

/// A question that takes long is repeated less often: until this time is over, but at least so many times.
const REPEATS_TIME: Duration = Duration::from_secs(20);
const REPEATS_MIN: usize = 3;

/// How to run.
#[derive(Debug)]
pub(crate) struct Plan<W: Workload> {
    pub(crate) input: PathBuf,
    pub(crate) connections: usize,
    pub(crate) repeats: usize,
    pub(crate) skip_ingest: bool,
    pub(crate) explain: bool,
    pub(crate) questions: Vec<W::Question>,
}

/// What one engine did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EngineResult {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Absent when existing data was asked.
    pub(crate) ingest: Option<Ingest>,
    pub(crate) disk_bytes: u64,
    /// From the start of the process to a right answer, milliseconds.
    pub(crate) restart_ms: f64,
    /// Resident memory after the questions, at its highest, since the restart.
    pub(crate) query_peak_bytes: u64,
    pub(crate) questions: Vec<QuestionResult>,
}

/// What it cost to take the data in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ingest {
    /// From the first byte sent to the last acknowledgement.
    pub(crate) send_seconds: f64,
    /// From there until stored, merged and idle.
    pub(crate) settle_seconds: f64,
    /// Of the process, user and system, merging included.
    pub(crate) cpu_seconds: f64,
    pub(crate) units_per_cpu_second: f64,
    /// Highest resident memory when the last request was acknowledged.
    pub(crate) peak_sending_bytes: u64,
    /// The same when all was merged.
    pub(crate) peak_bytes: u64,
    /// Bytes written towards the disk.
    pub(crate) written_bytes: u64,
    /// Requests that were refused at first because the server was busy.
    pub(crate) told_to_wait: u64,
}

/// What one question took.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct QuestionResult {
    pub(crate) id: String,
    /// Why there is no answer; the rest is empty then.
    pub(crate) problem: Option<String>,
    pub(crate) first_ms: f64,
    pub(crate) median_ms: f64,
    pub(crate) fastest_ms: f64,
    /// CPU of the server for one repeat, on average: what is left of the noise of a busy machine.
    pub(crate) cpu_ms: f64,
    /// The answer in the form that all engines share.
    pub(crate) answer: Table,
    pub(crate) explained: Option<String>,
}

/// Runs one engine with its data in `data`.
pub(crate) fn run<W: Workload>(engine: &dyn Engine<W>, work: &W, plan: &Plan<W>, data: &Path) -> Result<EngineResult> {
    std::fs::create_dir_all(data)?;
    let ingest = if plan.skip_ingest { None } else { Some(ingest(engine, work, plan, data)?) };
    let began = Instant::now();
    let mut server = Server::start(engine, data)?;
    server.wait_until_whole(engine, work)?;
    let restart_ms = milliseconds(began.elapsed());
    server.process.wait_idle()?;
    let questions = plan.questions.iter().map(|question| ask(engine, &server, *question, work, plan)).collect();
    let query_peak_bytes = server.process.peak_bytes()?;
    server.process.stop()?;
    let version = engine.version()?;
    let disk_bytes = disk_bytes(data)?;
    let name = engine.name().to_owned();
    Ok(EngineResult { name, version, ingest, disk_bytes, restart_ms, query_peak_bytes, questions })
}

struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    fn start(engine: &(impl Program + ?Sized), data: &Path) -> Result<Self> {
        let port = free_port()?;
        let log = data.with_extension("log");
        let process = Process::start(engine.command(data, port)?, &log)?;
        Ok(Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) })
    }

    fn try_once(&self, request: &Request) -> Result<Vec<u8>> {
        Connection::open(self.address)?.send(request)?.ok()
    }

    fn wait_until(&mut self, what: &str, mut is: impl FnMut(&Self) -> bool) -> Result<()> {
        let began = Instant::now();
        while !is(self) {
            self.process.ensure_alive()?;
            ensure!(began.elapsed() < START_TIMEOUT, "not {what} after {} s", START_TIMEOUT.as_secs());
            std::thread::sleep(START_POLL);
        }
        Ok(())
    }

    /// Waits until the answer shows that all is there: a server that answers before it has read everything has not started.
    fn wait_until_whole<W: Workload>(&mut self, engine: &dyn Engine<W>, work: &W) -> Result<()> {
        let request = engine.ask(W::WHOLE, work);
        let problem = |server: &Self| -> Result<Option<String>> {
            Ok(work.unlike_known(W::WHOLE, &engine.read(W::WHOLE, &server.try_once(&request)?)?))
        };
        let mut last = String::new();
        let waited = self.wait_until("whole", |server| match problem(server) {
            Ok(None) => true,
            Ok(Some(problem)) => {
                last = problem;
                false
            }
            Err(error) => {
                last = format!("{error:#}");
                false
            }
        });
        waited.context(last)
    }
}

fn ingest<W: Workload>(engine: &dyn Engine<W>, work: &W, plan: &Plan<W>, data: &Path) -> Result<Ingest> {
    let empty = std::fs::read_dir(data)?.next().is_none();
    ensure!(empty, "{} is not empty: remove it, or ask what is there with --skip-ingest", data.display());
    let bodies = BodyReader::open(&plan.input)?;
    let mut server = Server::start(engine, data)?;
    let ready = engine.ready();
    server.wait_until("ready", |server| server.try_once(&ready).is_ok())?;
    server.process.wait_idle()?;
    let cpu_before = server.process.cpu_seconds()?;
    let began = Instant::now();
    let told_to_wait = send_all(&engine.ingest(), server.address, &bodies, plan.connections)?;
    let send_seconds = began.elapsed().as_secs_f64();
    let peak_sending_bytes = server.process.peak_bytes()?;
    let sent = Instant::now();
    engine.settle(&mut Connection::open(server.address)?)?;
    let settle_seconds = sent.elapsed().as_secs_f64();
    server.process.wait_idle()?;
    let cpu_seconds = server.process.cpu_seconds()? - cpu_before;
    let result = Ingest {
        send_seconds,
        settle_seconds,
        cpu_seconds,
        units_per_cpu_second: work.units() as f64 / cpu_seconds,
        peak_sending_bytes,
        peak_bytes: server.process.peak_bytes()?,
        written_bytes: server.process.written_bytes()?,
        told_to_wait,
    };
    server.process.stop()?;
    Ok(result)
}

/// Sends every body once, each connection taking the next; returns how often it was told to wait.
fn send_all(request: &Request, address: SocketAddr, bodies: &BodyReader, connections: usize) -> Result<u64> {
    let next = AtomicUsize::new(0);
    let told_to_wait = AtomicU64::new(0);
    let sender = || -> Result<()> {
        let mut connection = Connection::open(address)?;
        let mut body = Vec::new();
        while bodies.read(next.fetch_add(1, Ordering::Relaxed), &mut body)? {
            told_to_wait.fetch_add(send_one(&mut connection, request, &body)?, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..connections).map(|_| scope.spawn(sender)).collect();
        senders.into_iter().try_for_each(|sender| match sender.join() {
            Ok(result) => result,
            Err(_) => bail!("a sender panicked"),
        })
    })?;
    Ok(told_to_wait.into_inner())
}

fn send_one(connection: &mut Connection, request: &Request, body: &[u8]) -> Result<u64> {
    for tries in 0..u64::from(TRIES_MAX) {
        let answer = connection.send_body(request, body)?;
        if answer.status != 429 && answer.status != 503 {
            return answer.ok().map(|_| tries);
        }
        std::thread::sleep(WAIT_WHEN_TOLD);
    }
    bail!("told to wait {TRIES_MAX} times for one request")
}

fn ask<W: Workload>(
    engine: &dyn Engine<W>,
    server: &Server,
    question: W::Question,
    work: &W,
    plan: &Plan<W>,
) -> QuestionResult {
    let id = question.id().to_owned();
    match time(engine, server, question, &engine.ask(question, work), plan) {
        Ok(timed) => QuestionResult { id, ..timed },
        Err(error) => QuestionResult { id, problem: Some(format!("{error:#}")), ..QuestionResult::default() },
    }
}

fn time<W: Workload>(
    engine: &dyn Engine<W>,
    server: &Server,
    question: W::Question,
    request: &Request,
    plan: &Plan<W>,
) -> Result<QuestionResult> {
    let mut connection = Connection::open(server.address)?;
    let mut timed = || -> Result<(f64, Vec<u8>)> {
        let began = Instant::now();
        let answer = connection.send(request)?;
        let took = milliseconds(began.elapsed());
        Ok((took, answer.ok()?))
    };
    let (first_ms, body) = timed()?;
    let answer = engine.read(question, &body)?;
    let mut repeats = Vec::new();
    let began = Instant::now();
    let cpu_before = server.process.cpu_seconds()?;
    while repeats.len() < plan.repeats.max(1) && (repeats.len() < REPEATS_MIN || began.elapsed() < REPEATS_TIME) {
        repeats.push(timed()?.0);
    }
    let cpu_ms = (server.process.cpu_seconds()? - cpu_before) * 1000.0 / repeats.len() as f64;
    repeats.sort_by(f64::total_cmp);
    Ok(QuestionResult {
        first_ms,
        median_ms: repeats[repeats.len() / 2],
        fastest_ms: repeats[0],
        cpu_ms,
        answer,
        explained: if plan.explain { engine.explain(request, &mut connection)? } else { None },
        ..QuestionResult::default()
    })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
