//! The metric store alone on a fleet of hosts: processor time, bytes on disk, memory, and what a selective read costs.
//!
//! `cargo bench -p series --bench fleet` runs every part in a process of its own, so that each has its own peak of memory.
//! Processor time is the main thread's, from `/proc`; all work happens on it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends by a panic and prints what it found")]

use std::path::Path;
use std::time::{Duration, Instant};

use model::{Labels, Sample, SeriesBatch, SeriesSamples, TenantId};
use series::{MatchOp, Matcher, SeriesDb, SeriesDownsampling, SeriesOptions, Wanted};

// The same hosts that the whole server is measured with.
#[path = "../../../../benches/src/fleet.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a module of another crate, which uses more of it")]
mod fleet;

use fleet::{Fleet, STEP_MS};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The first scrape.
const START_MS: i64 = 1_700_000_000_000;
/// Hosts of the small fleet: 15,200 series.
const HOSTS: usize = 20;
/// Scrapes of two hours.
const STEPS: i64 = 480;
/// Hosts of the large one: a million series.
const HOSTS_LARGE: usize = 1316;
/// Scrapes of the large fleet, of five minutes.
const STEPS_LARGE: i64 = 20;
/// Scrapes before series are selected.
const STEPS_SELECT: i64 = 6;
/// Hosts and scrapes of what is downsampled: a day.
const HOSTS_OLD: usize = 2;
const STEPS_OLD: i64 = DAY_MS / STEP_MS;
const DAY_MS: i64 = 86_400_000;
/// Memory of samples at which they are flushed, as the store above does it without settings.
const FLUSH_BYTES: usize = 32 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let part = arguments.iter().skip(1).find(|argument| !argument.starts_with('-'));
    match part.map(String::as_str) {
        Some("ingest") => ingest(),
        Some("memory") => memory(),
        Some("select") => select(),
        Some("downsample") => downsample(),
        _ => {
            for part in ["ingest", "memory", "select", "downsample"] {
                let status = std::process::Command::new(&arguments[0]).arg(part).status().unwrap();
                assert!(status.success(), "{part}: {status}");
            }
        }
    }
}

/// Processor time of this thread so far.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// A line of `/proc/self/status` in bytes.
fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn open(dir: &Path) -> SeriesDb {
    SeriesDb::open(dir, SeriesOptions::default()).unwrap()
}

/// What every host shows at a step, one batch a host.
fn scrape(fleet: &mut Fleet, known: &mut Vec<Vec<Labels>>, step: i64) -> Vec<SeriesBatch> {
    let mut batches = Vec::new();
    for (number, host) in fleet.hosts().iter_mut().enumerate() {
        // The first time every text is one of its own, as a decoder makes them: who keeps them pays for them.
        if number == known.len() {
            let own = |labels: &[(String, String)]| {
                labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
            };
            known.push(host.labels().map(own).collect());
        }
        let (time_ms, values) = host.scrape(START_MS, step);
        let series = known[number].iter().zip(values).map(|(labels, value)| SeriesSamples {
            labels: labels.clone(),
            samples: vec![Sample { time_ms, value }],
            ..SeriesSamples::default()
        });
        batches.push(SeriesBatch { series: series.collect(), metadata: Vec::new() });
    }
    batches
}

/// Inserts batches and keeps house as the store above does, and says how much processor time that took.
fn load(db: &SeriesDb, steps: i64, fleet: &mut Fleet) -> (usize, Duration) {
    let tenant = TenantId::default();
    let (mut samples, mut spent) = (0, Duration::ZERO);
    let mut known = Vec::new();
    for step in 0..steps {
        let batches = scrape(fleet, &mut known, step);
        let begin = busy();
        for batch in &batches {
            let report = db.insert(&tenant, batch);
            samples += report.samples;
            if db.unflushed_bytes() >= FLUSH_BYTES {
                db.flush().unwrap();
                db.merge().unwrap();
            }
        }
        if step + 1 == steps {
            db.flush().unwrap();
            db.merge().unwrap();
        }
        spent += busy() - begin;
    }
    (samples, spent)
}

fn ingest() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let mut fleet = Fleet::new(HOSTS);
    let base = status("RssAnon");
    let (samples, spent) = load(&db, STEPS, &mut fleet);
    let (rate, flushed) = (samples as f64 / spent.as_secs_f64(), db.disk_bytes());
    println!("ingest: {samples} samples of {} series", fleet.series());
    println!("  samples per processor second, insert + flush + merge   {rate:>12.0}");
    println!("  bytes per sample as left by the load                   {:>12.3}", flushed as f64 / samples as f64);
    let peak = status("VmHWM");
    println!(
        "  peak memory over the generator's {:>4.0} MB, in MB        {:>12.1}",
        base as f64 / 1e6,
        (peak - base) as f64 / 1e6
    );
    println!("  memory by its own account, in MB                       {:>12.1}", db.memory_bytes() as f64 / 1e6);
    read_all(&db, samples, "memory");
    drop(db);
    let begin = busy();
    let db = open(dir.path());
    println!("  opening, in ms                                         {:>12.1}", (busy() - begin).as_secs_f64() * 1e3);
    let begin = busy();
    db.compact().unwrap();
    let merge = busy() - begin;
    println!(
        "  bytes per sample merged to one block                   {:>12.3}",
        db.disk_bytes() as f64 / samples as f64
    );
    println!("  merging all of it, in ms                               {:>12.1}", merge.as_secs_f64() * 1e3);
    read_all(&db, samples, "a block");
    if let Ok(keep) = std::env::var("FLEET_KEEP") {
        db.snapshot(Path::new(&keep)).unwrap();
    }
}

/// What days of samples take before and after they are downsampled, to five minutes and then to an hour, and what a read of all of
/// them costs.
fn downsample() {
    let dir = tempfile::tempdir().unwrap();
    let rule = |days: i64, minutes: i64| {
        let (after_ms, resolution_ms) = (days * DAY_MS, minutes * 60_000);
        SeriesDownsampling { matchers: Vec::new(), after_ms, resolution_ms }
    };
    let downsampling = vec![rule(1, 5), rule(10, 60)];
    let options = SeriesOptions { downsampling, recent_bytes_max: 0, ..SeriesOptions::default() };
    let db = SeriesDb::open(dir.path(), options).unwrap();
    let mut fleet = Fleet::new(HOSTS_OLD);
    let (samples, _) = load(&db, STEPS_OLD, &mut fleet);
    db.compact().unwrap();
    println!("downsample: {samples} samples of {} series", fleet.series());
    println!("  {:<12} {:>12} {:>22} {:>12} {:>20}", "", "left", "bytes a raw sample", "blocks", "read of all, in ms");
    let end_ms = START_MS + STEPS_OLD * STEP_MS;
    for (name, days) in [("raw", 0), ("to 5m", 5), ("to 1h", 20)] {
        let begin = busy();
        if days > 0 {
            db.retain_at(end_ms + days * DAY_MS, None).unwrap();
        }
        let rewrite = busy() - begin;
        db.compact().unwrap();
        let blocks = std::fs::read_dir(dir.path()).unwrap().count();
        let begin = busy();
        let selection = db.open_selection(&TenantId::default(), &[], START_MS, i64::MAX).wanting(Wanted::Counter);
        let left: usize = (0..selection.len()).map(|at| selection.read(at).unwrap().times.len()).sum();
        let read = (busy() - begin).as_secs_f64() * 1e3;
        let bytes = db.disk_bytes() as f64 / samples as f64;
        println!("  {name:<12} {left:>12} {bytes:>22.4} {blocks:>12} {read:>20.1}");
        if days > 0 {
            println!("  written anew in {:.2} s of processor time", rewrite.as_secs_f64());
        }
    }
}

/// Reads everything series by series, as a query does.
fn read_all(db: &SeriesDb, samples: usize, from: &str) {
    let begin = busy();
    let selection = db.open_selection(&TenantId::default(), &[], START_MS, i64::MAX);
    let opened = busy() - begin;
    let read: usize = (0..selection.len()).map(|at| selection.read(at).unwrap().times.len()).sum();
    let rate = read as f64 / (busy() - begin).as_secs_f64();
    println!("  samples read from {from:<7} per processor second        {rate:>15.0}");
    println!("  of that to find and copy, in ms                        {:>12.1}", opened.as_secs_f64() * 1e3);
    assert_eq!(read, samples);
}

fn memory() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let mut fleet = Fleet::new(HOSTS_LARGE);
    let base = status("RssAnon");
    let (samples, spent) = load(&db, STEPS_LARGE, &mut fleet);
    let series = db.series_count();
    println!("memory: {series} active series, {samples} samples, {:.1} s", spent.as_secs_f64());
    println!(
        "  bytes per active series                                {:>12.0}",
        (status("RssAnon") - base) as f64 / series as f64
    );
    println!(
        "  the same at the peak                                   {:>12.0}",
        (status("VmHWM") - base) as f64 / series as f64
    );
    println!(
        "  the same by its own account                            {:>12.0}",
        db.memory_bytes() as f64 / series as f64
    );
    println!(
        "  bytes on disk per sample                               {:>12.3}",
        db.disk_bytes() as f64 / samples as f64
    );
}

fn select() {
    let matcher = |name: &str, op, value: &str| Matcher::new(name, op, value).unwrap();
    let questions = [
        (
            "one series",
            vec![
                matcher("__name__", MatchOp::Equal, "node_load1"),
                matcher("instance", MatchOp::Equal, "host-00007:9100"),
            ],
        ),
        (
            "a host's processors",
            vec![
                matcher("__name__", MatchOp::Equal, "node_cpu_seconds_total"),
                matcher("instance", MatchOp::Equal, "host-00007:9100"),
            ],
        ),
        (
            "by a regular expression",
            vec![
                matcher("__name__", MatchOp::Regex, "node_disk_read.*"),
                matcher("instance", MatchOp::Regex, "host-0000[0-4]:.+"),
            ],
        ),
    ];
    let mut costs: Vec<Vec<f64>> = Vec::new();
    for hosts in [HOSTS, HOSTS_LARGE] {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        load(&db, STEPS_SELECT, &mut Fleet::new(hosts));
        let end = START_MS + STEPS_SELECT * STEP_MS;
        costs.push(questions.iter().map(|(_, matchers)| cost(&db, matchers, end)).collect());
    }
    println!("select: microseconds, of 15,200 and of 1 million series, and their ratio");
    for (at, (name, _)) in questions.iter().enumerate() {
        let (small, large) = (costs[0][at], costs[1][at]);
        println!("  {name:<40} {small:>10.1} {large:>10.1} {:>8.2}", large / small);
    }
}

/// The least time of many tries, in microseconds. Wall time: a try is shorter than the kernel's steps of processor time.
fn cost(db: &SeriesDb, matchers: &[Matcher], end_ms: i64) -> f64 {
    let tenant = TenantId::default();
    let once = || {
        let begin = Instant::now();
        for _ in 0..20 {
            assert!(!db.select(&tenant, matchers, START_MS, end_ms).unwrap().is_empty());
        }
        begin.elapsed().as_secs_f64() * 1e6 / 20.0
    };
    (0..50).map(|_| once()).fold(f64::MAX, f64::min)
}
