//! kill -9 at random moments while metrics come in by three protocols: every sample that was acknowledged is there, once, with its value.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _};
use reqwest::blocking::{Client, Response};
use serde_json::Value;

use super::wire::{self, Sent};
use super::{Series, StopAtEnd, bits, client, flush, numbers, stored};
use crate::server::Server;

/// How often `make test` kills the server; `BACKSTOP_METRIC_KILLS` is another number.
const KILLS: usize = 6;
/// Series of a writer, each of another kind of values.
const SERIES: u64 = 8;
/// Samples of a series in a request.
const SAMPLES: u64 = 3;
/// The distance of samples.
const STEP_MS: i64 = 50;
/// How far from now a writer begins: the range that is looked at has room for so much in both directions.
const BEGIN_MS: i64 = 12 * 3_600_000;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    /// Remote write 1.0, in the order of time.
    Remote,
    /// The same, from the newest to the oldest, so that blocks overlap.
    RemoteBackwards,
    Otlp,
    Influx,
}

const WRITERS: [Protocol; 5] =
    [Protocol::Remote, Protocol::Remote, Protocol::RemoteBackwards, Protocol::Otlp, Protocol::Influx];

/// One connection's account: which requests it made, and which were answered with success.
struct Writer {
    protocol: Protocol,
    name: String,
    base_ms: i64,
    next: AtomicU64,
    acknowledged: Mutex<Vec<u64>>,
}

/// The value of a sample: counters, decimals, doubles that fill their bits, the edge of whole numbers, and what is no number.
fn value(series: u64, at: u64, finite: bool) -> f64 {
    let n = at as f64;
    match series {
        0 => n * 7.0,
        1 => n / 100.0,
        2 => (n + 2.0).sqrt() * 1e-9,
        3 => 9_007_199_254_740_992.0 - n,
        4 => -273.15,
        5 => f64::from_bits(at + 1),
        6 if !finite && at.is_multiple_of(5) => {
            [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX][at as usize / 5 % 4]
        }
        _ => (n % 11.0) * 0.25,
    }
}

impl Writer {
    fn time_ms(&self, at: u64) -> i64 {
        let offset = i64::try_from(at).expect("a number of this size") * STEP_MS;
        self.base_ms + if self.protocol == Protocol::RemoteBackwards { -offset } else { offset }
    }

    /// The samples of a request.
    fn request(&self, number: u64) -> Vec<Sent> {
        let finite = self.protocol == Protocol::Influx;
        let places = number * SAMPLES..(number + 1) * SAMPLES;
        let one = |series: u64| Sent {
            name: "kill_value",
            labels: vec![("writer", self.name.clone()), ("series", series.to_string())],
            samples: places.clone().map(|at| (self.time_ms(at), value(series, at, finite))).collect(),
        };
        (0..SERIES).map(one).collect()
    }

    fn send(&self, client: &Client, url: &str, number: u64) -> reqwest::Result<Response> {
        let all = self.request(number);
        match self.protocol {
            Protocol::Remote | Protocol::RemoteBackwards => wire::post_remote_write(client, url, &all),
            Protocol::Influx => wire::post_influx(client, url, &all),
            Protocol::Otlp => {
                let mut metrics = wire::gauges(&all);
                let labels = [("writer", self.name.clone())];
                metrics.push(wire::histogram("kill_sizes", &labels, self.time_ms(number), 1 + number % 9));
                wire::post_otlp(client, url, metrics)
            }
        }
    }

    /// Sends until told to stop or until the server is gone. What was not answered before is sent again first, as senders do.
    fn write(&self, client: &Client, url: &str, again: bool, stop: &AtomicBool) {
        let mut number = self.next.load(Relaxed).saturating_sub(u64::from(again));
        while !stop.load(Relaxed) {
            self.next.fetch_max(number + 1, Relaxed);
            match self.send(client, url, number) {
                Ok(answer) if answer.status().is_success() => {
                    self.acknowledged.lock().expect("lock").push(number);
                    number += 1;
                }
                Ok(answer) => {
                    let status = answer.status();
                    let text = answer.text().unwrap_or_default();
                    assert!(matches!(status.as_u16(), 429 | 503), "{}: {status}: {text}", self.name);
                }
                Err(_) => return,
            }
        }
    }

    /// Holds what is stored against what was sent; gives how many samples were acknowledged.
    fn check(&self, found: &Series, histograms: &BTreeMap<i64, f64>, round: usize) -> usize {
        let acknowledged = self.acknowledged.lock().expect("lock").clone();
        let sent: Vec<Vec<Sent>> = (0..self.next.load(Relaxed)).map(|number| self.request(number)).collect();
        let mut samples = 0;
        for series in 0..SERIES as usize {
            let key = sent.first().map(|all| all[series].key()).unwrap_or_default();
            let Some(got) = found.get(&key) else {
                assert!(acknowledged.is_empty(), "round {round}: {key} is gone");
                continue;
            };
            let all = sent.iter().flat_map(|all| &all[series].samples);
            let all: BTreeMap<i64, u64> = all.map(|(time_ms, value)| (*time_ms, bits(*value))).collect();
            for (time_ms, value) in got {
                assert_eq!(all.get(time_ms), Some(value), "round {round}: {key} at {time_ms} is not what was sent");
            }
            for number in &acknowledged {
                for (time_ms, _) in &sent[*number as usize][series].samples {
                    assert!(
                        got.contains_key(time_ms),
                        "round {round}: {key} at {time_ms} was acknowledged and is lost"
                    );
                    samples += 1;
                }
            }
        }
        if self.protocol == Protocol::Otlp {
            for number in &acknowledged {
                let count = histograms.get(&self.time_ms(*number));
                assert_eq!(count, Some(&((1 + number % 9) as f64)), "round {round}: histogram {number}");
                samples += 1;
            }
        }
        samples
    }
}

/// Counts of the histograms in an answer, by time.
fn counts(result: &Value) -> BTreeMap<i64, f64> {
    let samples =
        result.as_array().expect("series").iter().flat_map(|series| series["histograms"].as_array()).flatten();
    let mut counts = BTreeMap::new();
    for sample in samples {
        let time_ms = (sample[0].as_f64().expect("a time") * 1000.0).round() as i64;
        let count = sample[1]["count"].as_str().and_then(|text| text.parse().ok()).expect("a count");
        assert_eq!(counts.insert(time_ms, count), None, "two histograms at {time_ms}");
    }
    counts
}

fn check(server: &Server, writers: &[Writer], now_ms: i64, round: usize) -> usize {
    let histograms = counts(&stored(server, "kill_sizes", "2d", now_ms));
    let each = writers.iter().map(|writer| {
        let selector = format!("kill_value{{writer=\"{}\"}}", writer.name);
        writer.check(&numbers(&stored(server, &selector, "2d", now_ms)), &histograms, round)
    });
    each.sum()
}

fn kills() -> usize {
    std::env::var("BACKSTOP_METRIC_KILLS")
        .map_or(KILLS, |text| text.parse().expect("BACKSTOP_METRIC_KILLS is a number"))
}

#[test]
fn kill_9_under_load_loses_no_acknowledged_sample_and_changes_none() {
    let seed: u64 = rand::rng().random();
    let kills = kills();
    println!("seed {seed}, {kills} kills");
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    // Flushes and merges come often, so that kills hit them too.
    let mut server =
        Server::start_with("store: {flush_interval: 300ms, flush_bytes: 256KiB, memtable_bytes_max: 16MiB}");
    let now_ms = telemetry::clock::now().millis();
    let writer = |(number, protocol): (usize, Protocol)| Writer {
        protocol,
        name: format!("{number}-{protocol:?}"),
        base_ms: now_ms - BEGIN_MS,
        next: AtomicU64::default(),
        acknowledged: Mutex::default(),
    };
    let writers: Vec<Writer> = WRITERS.into_iter().enumerate().map(writer).collect();
    let client = client();
    let requests = || writers.iter().map(|writer| writer.acknowledged.lock().expect("lock").len()).collect::<Vec<_>>();
    for round in 0..kills {
        let (stop, url, before) = (AtomicBool::new(false), server.url.clone(), requests());
        std::thread::scope(|scope| {
            let _stop = StopAtEnd(&stop);
            for writer in &writers {
                let again = rng.random_bool(0.7);
                let (client, url, stop) = (&client, &url, &stop);
                scope.spawn(move || writer.write(client, url, again, stop));
            }
            // A kill before everybody was acknowledged something would prove less.
            let deadline = Instant::now() + Duration::from_secs(60);
            while requests().iter().zip(&before).any(|(now, before)| now < &(before + 2)) {
                assert!(
                    Instant::now() < deadline,
                    "round {round}: {:?} were acknowledged, {before:?} before",
                    requests()
                );
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(rng.random_range(0..700)));
            server.kill();
        });
        server.restart();
        check(&server, &writers, now_ms, round);
    }
    flush(&server, true);
    check(&server, &writers, now_ms, kills);
    server.stop();
    server.restart();
    let samples = check(&server, &writers, now_ms, kills + 1);
    println!(
        "{samples} acknowledged samples of {} requests in {kills} kills, each there once",
        requests().iter().sum::<usize>()
    );
    assert_eq!(server.count("from quarantine *"), 0);
}
