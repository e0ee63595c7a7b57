//! A flood of one metric while another is watched: the flood is refused with a reason, and the alert comes when its next evaluation is due.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use serde_json::Value;

use super::wire::{self, Sent};
use super::{StopAtEnd, client, numbers, single, stored};
use crate::server::Server;

/// Series that one metric may have.
const SERIES_MAX: usize = 500;
/// New series in one request of the flood.
const FLOOD: u64 = 500;
/// Connections that flood.
const FLOODERS: u64 = 2;
/// Evaluations before the alert's condition holds, and after it was seen to fire.
const EVALUATIONS: usize = 5;
const INTERVAL_MS: i64 = 1000;
/// The longest that this process may not have run for the measurement to say something of the server.
const STALL_MAX: Duration = Duration::from_millis(400);
/// Measurements that are begun anew when the machine stood still.
const TRIES: usize = 5;

const RULES: &str = "groups:\n- name: watched\n  interval: 1s\n  rules:\n\
                     \x20 - {record: 'evaluated:second', expr: time()}\n\
                     \x20 - {alert: TooMany, expr: max(steady_value) > 5}\n";

fn now_ms() -> i64 {
    telemetry::clock::now().millis()
}

fn sample(name: &'static str, label: &'static str, value: String, number: f64) -> Sent {
    Sent { name, labels: vec![(label, value)], samples: vec![(now_ms(), number)] }
}

/// What the flood was told.
#[derive(Default)]
struct Refused {
    requests: AtomicU64,
    without_reason: AtomicU64,
}

/// Sends new label values as fast as they are refused.
fn flood(client: &Client, url: &str, flooder: u64, refused: &Refused, stop: &AtomicBool) {
    let mut next = 0;
    while !stop.load(Relaxed) {
        let all: Vec<Sent> =
            (next..next + FLOOD).map(|n| sample("noisy_value", "user", format!("{flooder}-{n}"), n as f64)).collect();
        next += FLOOD;
        // One protocol each.
        let sent = match flooder % 2 {
            0 => wire::post_remote_write(client, url, &all),
            _ => wire::post_influx(client, url, &all),
        };
        let answer = sent.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().unwrap_or_default();
        match status {
            204 | 429 | 503 => {}
            400 if text.contains("series_per_metric_max") => {
                refused.requests.fetch_add(1, Relaxed);
            }
            _ => {
                refused.without_reason.fetch_add(1, Relaxed);
                println!("the flood was answered {status}: {text}");
            }
        }
    }
}

/// Longest pause of this process beyond what it asked for: whatever it stood still for, the server stood still for too.
fn heartbeat(stop: &AtomicBool) -> Duration {
    let pause = Duration::from_millis(20);
    let mut longest = Duration::ZERO;
    while !stop.load(Relaxed) {
        let before = Instant::now();
        std::thread::sleep(pause);
        longest = longest.max(before.elapsed().saturating_sub(pause));
    }
    longest
}

/// The alert as the rules API has it, once it fires.
fn firing(server: &Server) -> Option<Value> {
    let groups = server.get_json("/api/v1/rules");
    let rule =
        groups["data"]["groups"][0]["rules"].as_array()?.iter().find(|rule| rule["name"] == "TooMany").cloned()?;
    assert!(rule["lastError"].as_str().unwrap_or_default().is_empty(), "{rule}");
    rule["alerts"].as_array()?.iter().find(|alert| alert["state"] == "firing").cloned()
}

/// Times of the evaluations so far: each records its own.
fn evaluations(server: &Server) -> Vec<i64> {
    let found = numbers(&stored(server, "{__name__=\"evaluated:second\"}", "10m", now_ms() + 1000));
    found.into_values().flat_map(std::collections::BTreeMap::into_keys).collect()
}

fn await_evaluations(server: &Server, more: usize) {
    let wanted = evaluations(server).len() + more;
    let deadline = Instant::now() + Duration::from_secs(60);
    while evaluations(server).len() < wanted {
        assert!(Instant::now() < deadline, "{:?}", evaluations(server));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Sends the healthy metric until told to stop; each round has new series of other metrics too.
fn send_steady(client: &Client, url: &str, high: &AtomicBool, rounds: &AtomicU64, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        let round = rounds.load(Relaxed);
        let value = if high.load(Relaxed) { 10.0 } else { 1.0 };
        let all = [
            sample("steady_value", "host", "a".to_owned(), value),
            sample("fresh_value", "round", round.to_string(), round as f64),
        ];
        let answer = wire::post_remote_write(client, url, &all).expect("an answer");
        let status = answer.status();
        assert_eq!(status, 204, "what is healthy is taken: {}", answer.text().unwrap_or_default());
        rounds.store(round + 1, Relaxed);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What one measurement saw.
struct Seen {
    stalled: Duration,
    /// When the sample that makes the alert fire was durable.
    durable_ms: i64,
    active_ms: i64,
    evaluations: Vec<i64>,
    fresh: u64,
    refused: u64,
}

fn measure(server: &Server) -> Seen {
    let client = client();
    let (stop, high, rounds, refused) =
        (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0), Refused::default());
    std::thread::scope(|scope| {
        let (url, stop) = (server.url.as_str(), &stop);
        let _stop = StopAtEnd(stop);
        for flooder in 0..FLOODERS {
            let (client, refused) = (&client, &refused);
            scope.spawn(move || flood(client, url, flooder, refused, stop));
        }
        let beat = scope.spawn(move || heartbeat(stop));
        let (client, high, rounds) = (&client, &high, &rounds);
        let steady = scope.spawn(move || send_steady(client, url, high, rounds, stop));
        await_evaluations(server, EVALUATIONS);
        high.store(true, Relaxed);
        let sent = rounds.load(Relaxed);
        while rounds.load(Relaxed) < sent + 2 && !steady.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let durable_ms = now_ms();
        let deadline = Instant::now() + Duration::from_secs(60);
        let alert = loop {
            if let Some(alert) = firing(server) {
                break alert;
            }
            assert!(Instant::now() < deadline, "the alert does not fire");
            std::thread::sleep(Duration::from_millis(50));
        };
        await_evaluations(server, EVALUATIONS);
        stop.store(true, Relaxed);
        let active_ms =
            alert["activeAt"].as_str().and_then(|text| model::Timestamp::parse(text, model::Timestamp(0)).ok());
        assert_eq!(refused.without_reason.load(Relaxed), 0);
        Seen {
            stalled: beat.join().expect("a duration"),
            durable_ms,
            active_ms: active_ms.expect("a time").millis(),
            evaluations: evaluations(server),
            fresh: rounds.load(Relaxed),
            refused: refused.requests.load(Relaxed),
        }
    })
}

#[test]
fn a_flood_of_one_metric_delays_no_alert_on_another() {
    for attempt in 1..=TRIES {
        let dir = tempfile::tempdir().expect("temporary directory");
        let rules = dir.path().join("rules.yaml");
        std::fs::write(&rules, RULES).expect("rules");
        let config = format!("rules: ['{}']\nstore: {{series_per_metric_max: {SERIES_MAX}}}", rules.display());
        let server = Server::start_with(&config);
        let seen = measure(&server);
        if seen.stalled > STALL_MAX && attempt < TRIES {
            println!("the machine stood still for {:?}: measured again", seen.stalled);
            continue;
        }
        assert_shed(&server, &seen);
        let gaps: Vec<i64> = seen.evaluations.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(gaps.iter().all(|gap| *gap == INTERVAL_MS), "evaluations were missed: {:?}", seen.evaluations);
        // The first evaluation that could see the sample saw it.
        let due = seen.evaluations.iter().copied().find(|time| *time >= seen.durable_ms).expect("a later evaluation");
        assert!(seen.active_ms <= due, "due at {due} and active at {}", seen.active_ms);
        println!(
            "{} requests of the flood refused, {} evaluations and none missed, active {} ms after the sample was durable",
            seen.refused,
            seen.evaluations.len(),
            seen.active_ms - seen.durable_ms
        );
        return;
    }
}

/// Rows of quarantine that a flood may leave: both protocols may be told of at once, the first series one by one.
const QUARANTINED_MAX: u64 = 100;

/// The flood was stopped at its limit, everything else was taken, and whoever looks is told.
fn assert_shed(server: &Server, seen: &Seen) {
    let metrics = server.get("/metrics").text().expect("text");
    let counted = "backstop_refused_samples_total{tenant=\"default\",reason=\"series_per_metric_max\"} ";
    let refused: u64 = metrics.lines().find_map(|line| line.strip_prefix(counted)?.parse().ok()).unwrap_or(0);
    assert!(
        refused >= seen.refused * FLOOD / 2,
        "{refused} samples are counted, {} requests were refused",
        seen.refused
    );
    let told = server.count("from quarantine reason:~\"series_per_metric_max\"");
    assert!((1..=QUARANTINED_MAX).contains(&told), "{told} rows of quarantine");
    assert!(seen.refused > 0, "nothing was refused");
    assert_eq!(single(server, "count(noisy_value)", now_ms()), SERIES_MAX as f64);
    let fresh = single(server, "count(last_over_time(fresh_value[10m]))", now_ms());
    assert!(fresh >= seen.fresh as f64, "{fresh} series, {} were taken", seen.fresh);
    let tsdb = server.get_json("/api/v1/status/tsdb");
    let first = &tsdb["data"]["seriesCountByMetricName"][0];
    assert_eq!((&first["name"], &first["value"]), (&"noisy_value".into(), &SERIES_MAX.into()), "{tsdb}");
}
