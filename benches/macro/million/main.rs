//! `million`: holds a million active series on a real server for ten minutes, and says what that takes.
//!
//! A fleet of hosts is scraped every 30 seconds, each host at a moment of its own, and what a scrape shows is sent by remote write 1.0
//! over a few connections that stay open. Once a second the server's memory is read from `/proc`, and once a second a question is asked
//! that selects few series. At the end every sample that was acknowledged must be there, and the peak of memory for each active series
//! is held against the goal.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's answer")]

#[allow(dead_code, reason = "the other benches use all of it")]
#[path = "../sidebyside/http.rs"]
mod http;
mod load;
#[allow(dead_code, reason = "the other benches use all of it")]
#[path = "../sidebyside/process.rs"]
mod process;
mod watch;
#[allow(dead_code, reason = "the other benches use all of it")]
#[path = "../loadgen/wire.rs"]
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::fleet::{Fleet, SERIES_PER_HOST};
use clap::Parser;
use http::{Connection, Request};
use load::{Load, Sent};
use process::{Process, disk_bytes, free_port};
use serde_json::{Value, json};
use watch::{Asked, Memory};

/// What a server may hold at its peak for each active series.
const BYTES_PER_SERIES_GOAL: f64 = 2048.0;
/// How long the server may take to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Holds many active series on a server, and says what that takes.
#[derive(Debug, Parser)]
struct Options {
    /// The server's binary.
    #[arg(long)]
    backstop: PathBuf,
    /// Active series, rounded up to whole hosts.
    #[arg(long, default_value_t = 1_000_000)]
    series: usize,
    /// Seconds between two samples of a series.
    #[arg(long, default_value_t = 30)]
    interval: u64,
    /// How long it is sent to.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Connections that send.
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// A file for the figures, as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the server's data goes; a temporary directory without it.
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The server under test.
struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    fn start(program: &Path, data: &Path) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = Command::new(program);
        command.args(["serve", "--no-receivers", "--listen", &address.to_string(), "--data"]).arg(data.join("data"));
        let mut process = Process::start(command, &data.join("log"))?;
        let began = Instant::now();
        while !ask(address, "/ready").is_ok_and(|answer| answer.status == 200) {
            process.ensure_alive()?;
            ensure!(began.elapsed() < READY_TIMEOUT, "the server is not ready after {READY_TIMEOUT:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { process, address })
    }
}

fn ask(address: SocketAddr, path: &str) -> Result<http::Answer> {
    Connection::open(address)?.send(&Request::get(path))
}

fn run(options: &Options) -> Result<bool> {
    let temporary = tempfile::tempdir()?;
    let data = options.data.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(data)?;
    let fleet = Fleet::new(options.series.div_ceil(SERIES_PER_HOST));
    let rounds = (options.minutes * 60).div_ceil(options.interval);
    let load = Load::new(fleet, options, rounds);
    let hosts = load.hosts;
    println!(
        "{} series of {} hosts, a sample each every {} s for {} min, {} connections",
        load.series, load.hosts, options.interval, options.minutes, options.connections
    );
    let server = Server::start(&options.backstop, data)?;
    let (process, address) = (&server.process, server.address);
    let (idle_rss, idle_cpu_s) = (process.resident_bytes()?, server.process.cpu_seconds()?);
    let stop = AtomicBool::new(false);
    let (sent, memory, asked) = std::thread::scope(|scope| {
        let memory = scope.spawn(|| watch::memory(process, &stop));
        let asked = scope.spawn(|| watch::ask(address, hosts, &stop));
        let sent = load.send(address);
        stop.store(true, Relaxed);
        let joined = (memory.join(), asked.join());
        (sent, joined.0, joined.1)
    });
    let (sent, memory, asked) = (
        sent?,
        memory.map_err(|_| anyhow::anyhow!("nobody watched the memory"))??,
        asked.map_err(|_| anyhow::anyhow!("nobody asked"))??,
    );
    let cpu_s = server.process.cpu_seconds()? - idle_cpu_s;
    check(address, &sent, hosts)?;
    let flushed = Connection::open(address)?.send(&Request::post("/backstop/api/v1/admin/flush?compact=true"))?;
    flushed.ok().context("flushing")?;
    let peak_after = process.peak_bytes()?;
    let disk = disk_bytes(&data.join("data/series"))?;
    let figures = figures(&sent, &memory, &asked, [idle_rss, peak_after, disk], cpu_s);
    server.process.stop()?;
    println!("{}", serde_json::to_string_pretty(&figures)?);
    if let Some(out) = &options.out {
        std::fs::write(out, serde_json::to_string_pretty(&figures)?).with_context(|| out.display().to_string())?;
    }
    Ok(figures["peak_bytes_per_series"].as_f64().is_some_and(|bytes| bytes <= BYTES_PER_SERIES_GOAL)
        && sent.refused == 0)
}

fn figures(sent: &Sent, memory: &Memory, asked: &Asked, bytes: [u64; 3], cpu_s: f64) -> Value {
    let [idle_rss, peak_after, disk] = bytes;
    let per_series = |bytes: u64| (bytes as f64 / sent.series as f64).round();
    json!({
        "series": sent.series,
        "samples_acknowledged": sent.samples,
        "requests": sent.requests,
        "answers_refused": sent.refused,
        "answers_to_wait": sent.waited,
        "latest_ms": sent.latest.as_millis() as u64,
        "idle_rss_bytes": idle_rss,
        "rss_mean_bytes": memory.mean(),
        "rss_last_bytes": memory.last,
        "peak_bytes": memory.peak,
        "peak_bytes_per_series": per_series(memory.peak),
        "peak_bytes_with_checks_and_merge": peak_after,
        "rss_by_minute_mb": memory.by_minute.iter().map(|bytes| bytes / 1_000_000).collect::<Vec<_>>(),
        "processor_seconds": cpu_s.round(),
        "samples_per_processor_second": (sent.samples as f64 / cpu_s).round(),
        "queries": asked.count(),
        "query_p50_ms": asked.quantile_ms(0.5),
        "query_p99_ms": asked.quantile_ms(0.99),
        "query_max_ms": asked.quantile_ms(1.0),
        "query_p50_ms_by_kind": asked.by_kind(0.5),
        "query_p99_ms_by_kind": asked.by_kind(0.99),
        "queries_slowest": asked.slowest(),
        "blocks_bytes": disk,
        "blocks_bytes_per_sample": disk as f64 / sent.samples as f64,
    })
}

/// Everything that was acknowledged is there.
fn check(address: SocketAddr, sent: &Sent, hosts: usize) -> Result<()> {
    let per_series = sent.samples / sent.series as u64;
    for (metric, of_host) in [("node_load1", 1), ("node_cpu_seconds_total{cpu=\"0\"}", 8), ("node_sockstat_part757", 1)]
    {
        let query = format!("sum(count_over_time({metric}[6h]))");
        let path = format!("/api/v1/query?{}", http::encode_form(&[("query", &query)]));
        let answer: Value = serde_json::from_slice(&ask(address, &path)?.ok()?)?;
        let found = answer["data"]["result"][0]["value"][1].as_str().unwrap_or_default().to_owned();
        let want = hosts as u64 * of_host * per_series;
        ensure!(found == want.to_string(), "{metric}: {found} samples are there, {want} were acknowledged");
    }
    let answer: Value = serde_json::from_slice(&ask(address, "/api/v1/status/tsdb")?.ok()?)?;
    let known = &answer["data"]["headStats"]["numSeries"];
    ensure!(known.as_u64() == Some(sent.series as u64), "{known} series are known, {} were sent", sent.series);
    Ok(())
}
