//! The evaluator over series in memory: one thread against two, fused against collected, and what it takes of memory.
//!
//! Run with `cargo bench -p promql`. What counts are the ratios, which are of one run: absolute times are those of one machine. Each
//! query runs several times, variants in turn so that a slow moment hits all of them, and the fastest run of each counts.
#![allow(clippy::print_stdout, reason = "a command line tool")]

use std::time::{Duration, Instant};

use model::Labels;
use promql::{EvalLimits, EvalRange, SelectRequest, Selection, SeriesSource, SourceError, SourceSeries, eval, parse};

const SERIES: usize = 10_000;
const SAMPLES: usize = 1_000;
/// As often as counters are scraped.
const SAMPLE_MS: i64 = 15_000;
const STEP_MS: i64 = 60_000;
const ROUNDS: usize = 5;
/// Of each target all series have the same times, and those of targets differ.
const SERIES_PER_TARGET: usize = 100;

/// Counters of a fleet.
struct Fleet(Vec<SourceSeries>);

impl Fleet {
    fn new() -> Self {
        Self((0..SERIES).map(counter).collect())
    }
}

fn counter(index: usize) -> SourceSeries {
    let target = index / SERIES_PER_TARGET;
    let labels: Labels = [
        ("__name__", "http_requests_total".to_owned()),
        ("instance", format!("10.0.{}.{}:9100", target / 250, target % 250)),
        ("job", format!("job-{}", target % 10)),
        ("path", format!("/api/v1/resource-{}", index % SERIES_PER_TARGET)),
    ]
    .into_iter()
    .collect();
    let offset = (target as i64 * 137) % SAMPLE_MS;
    let times = (0..SAMPLES as i64).map(|at| at * SAMPLE_MS + offset).collect();
    // Counters that grow unevenly and start anew now and then.
    let mut value = 0.0;
    let mut state = index as u64 * 2_654_435_761 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let values = (0..SAMPLES).map(|_| {
        value = if next() % 500 == 0 { 0.0 } else { value + (next() % 100) as f64 };
        value
    });
    SourceSeries::floats(labels, times, values.collect())
}

/// Copies what a request needs of a series, as a store does that unpacks it.
fn clip(series: &SourceSeries, start_ms: i64, end_ms: i64) -> SourceSeries {
    let from = series.times.partition_point(|time| *time < start_ms);
    let to = series.times.partition_point(|time| *time <= end_ms).max(from);
    SourceSeries::floats(series.labels.clone(), series.times[from..to].to_vec(), series.values[from..to].to_vec())
}

impl SeriesSource for Fleet {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        Ok(self.0.iter().map(|series| clip(series, request.start_ms, request.end_ms)).collect())
    }

    fn open(&self, request: &SelectRequest<'_>) -> Result<Box<dyn Selection + '_>, SourceError> {
        Ok(Box::new(Opened { fleet: self, start_ms: request.start_ms, end_ms: request.end_ms }))
    }
}

/// The fleet between two times, series by series.
struct Opened<'f> {
    fleet: &'f Fleet,
    start_ms: i64,
    end_ms: i64,
}

impl Selection for Opened<'_> {
    fn len(&self) -> usize {
        self.fleet.0.len()
    }

    fn labels(&self, at: usize) -> &Labels {
        &self.fleet.0[at].labels
    }

    fn samples_at_most(&self) -> usize {
        self.fleet.0.len() * SAMPLES
    }

    fn held_bytes(&self) -> usize {
        0
    }

    fn read(&self, at: usize) -> Result<SourceSeries, SourceError> {
        Ok(clip(&self.fleet.0[at], self.start_ms, self.end_ms))
    }
}

/// The same as a source that has everything in memory before the first series is computed.
struct AtOnce<'f>(&'f Fleet);

impl SeriesSource for AtOnce<'_> {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        self.0.select(request)
    }
}

/// The most memory that this process has had.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}

fn run(fleet: &dyn SeriesSource, query: &str, limits: &EvalLimits) {
    let expr = parse(query).expect("a query");
    let range = EvalRange::Range { start_ms: 0, end_ms: SAMPLES as i64 * SAMPLE_MS, step_ms: STEP_MS };
    let outcome = eval(&expr, fleet, range, limits).expect("a result");
    assert!(outcome.samples > 0, "{query} looked at nothing");
}

/// The fastest run of each variant.
fn fastest<const N: usize>(mut variants: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let mut best = [Duration::MAX; N];
    for _ in 0..ROUNDS {
        for (best, variant) in best.iter_mut().zip(&mut variants) {
            let start = Instant::now();
            variant();
            *best = (*best).min(start.elapsed());
        }
    }
    best
}

/// What the machine has to give: arithmetic that needs no memory, in one thread and the same amount shared by two.
fn control(threads: u64) {
    let work = move || {
        let turns = 400_000_000 / threads;
        let last =
            (0..turns).fold(1u64, |state, turn| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(turn));
        assert!(std::hint::black_box(last) != 1);
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
}

/// Runs this program anew for one query, so that memory of other runs does not count, and returns by how much it grew.
fn memory_mb(query: &str, variant: &str) -> String {
    let program = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(program).args(["--memory", variant, query]).output().expect("a run");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn limits_of(variant: &str) -> EvalLimits {
    let one = EvalLimits::default();
    match variant {
        "two" => EvalLimits { threads: 2, ..one },
        // Where names go at once the rows of an operator around a rate are collected, to see which become the same.
        "collected" => EvalLimits { delayed_name_removal: false, ..one },
        _ => one,
    }
}

fn main() {
    let fleet = Fleet::new();
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, variant, query] = &args[..]
        && flag == "--memory"
    {
        let before = peak_bytes();
        match &variant[..] {
            "at once" => run(&AtOnce(&fleet), query, &limits_of(variant)),
            _ => run(&fleet, query, &limits_of(variant)),
        }
        println!("{}", peak_bytes().saturating_sub(before) >> 20);
        return;
    }
    println!("{SERIES} series of {SAMPLES} samples, every {} s a step", STEP_MS / 1000);
    let row = |name: &str, [a, b]: [Duration; 2], ratio: f64| {
        println!("{name:<64} {:>6} ms {:>6} ms {ratio:>6.2}", a.as_millis(), b.as_millis());
    };
    println!("{:<64} {:>9} {:>9} {:>6}", "threads", "one", "two", "ratio");
    let times = fastest([&mut || control(1), &mut || control(2)]);
    row("(control: arithmetic)", times, times[0].as_secs_f64() / times[1].as_secs_f64());
    let (one, two, collected) = (limits_of("one"), limits_of("two"), limits_of("collected"));
    for query in [
        "count(http_requests_total)",
        "sum by (job) (rate(http_requests_total[5m]))",
        "sum by (job) (avg_over_time(http_requests_total[10m]))",
        "max by (job) (quantile_over_time(0.9, http_requests_total[10m]))",
        "rate(http_requests_total[5m])",
    ] {
        let times = fastest([&mut || run(&fleet, query, &one), &mut || run(&fleet, query, &two)]);
        row(query, times, times[0].as_secs_f64() / times[1].as_secs_f64());
    }
    println!("{:<64} {:>9} {:>9} {:>6}", "samples", "by series", "at once", "ratio");
    for query in ["sum by (job) (rate(http_requests_total[5m]))", "rate(http_requests_total[5m])"] {
        let times = fastest([&mut || run(&fleet, query, &one), &mut || run(&AtOnce(&fleet), query, &one)]);
        row(query, times, times[1].as_secs_f64() / times[0].as_secs_f64());
        println!("{:<64} {:>6} MB {:>6} MB", "  memory", memory_mb(query, "one"), memory_mb(query, "at once"));
    }
    println!("{:<64} {:>9} {:>9} {:>6}", "fused", "fused", "collected", "ratio");
    let query = "sum by (job) (rate(http_requests_total[5m]) * 2 + 1)";
    let times = fastest([&mut || run(&fleet, query, &one), &mut || run(&fleet, query, &collected)]);
    row(query, times, times[1].as_secs_f64() / times[0].as_secs_f64());
    println!("{:<64} {:>6} MB {:>6} MB", "  memory", memory_mb(query, "one"), memory_mb(query, "collected"));
    smallest_budget(&fleet);
}

/// The smallest budget that a query passes with, beside what it really takes.
fn smallest_budget(fleet: &Fleet) {
    let range = EvalRange::Range { start_ms: 0, end_ms: SAMPLES as i64 * SAMPLE_MS, step_ms: STEP_MS };
    println!("{:<64} {:>9} {:>9}", "memory", "budget", "taken");
    for query in ["sum by (job) (rate(http_requests_total[5m]))", "rate(http_requests_total[5m])"] {
        let expr = parse(query).expect("a query");
        for variant in ["one", "two"] {
            let passes = |mb: &usize| {
                eval(&expr, fleet, range, &EvalLimits { memory_max_bytes: *mb << 20, ..limits_of(variant) }).is_ok()
            };
            let budget = (1..2048).step_by(8).find(passes).expect("a budget that is enough");
            let name = format!("{query}, threads: {variant}");
            println!("{name:<64} {budget:>6} MB {:>6} MB", memory_mb(query, variant));
        }
    }
}
