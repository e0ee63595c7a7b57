//! kill -9 at random moments under load: everything acknowledged is there, once.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use reqwest::blocking::Client;

use crate::server::Server;

/// How often the server is killed.
const ROUNDS: usize = 20;
/// Clients that send at the same time.
const WRITERS: u64 = 4;
/// Records in one request.
const RECORDS_PER_REQUEST: u64 = 25;

/// Numbers of the records whose request was acknowledged, and the next number to use.
#[derive(Default)]
struct Sent {
    acknowledged: Mutex<Vec<u64>>,
    next: AtomicU64,
    requests: AtomicU64,
}

/// Sends batches of numbered records until told to stop or until the server is gone.
fn write(client: &Client, url: &str, sent: &Sent, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        let first = sent.next.fetch_add(RECORDS_PER_REQUEST, Relaxed);
        let numbers: Vec<u64> = (first..first + RECORDS_PER_REQUEST).collect();
        let lines: String = numbers.iter().map(|n| format!("{{\"msg\":\"record {n}\",\"n\":{n}}}\n")).collect();
        let answer = client.post(format!("{url}/backstop/api/v1/ingest?format=json&service=crash")).body(lines).send();
        match answer {
            Ok(answer) if answer.status() == 200 => {
                sent.acknowledged.lock().expect("lock").extend(numbers);
                sent.requests.fetch_add(1, Relaxed);
            }
            Ok(answer) => assert_eq!(answer.status(), 429, "{}", answer.text().unwrap_or_default()),
            Err(_) => return,
        }
    }
}

fn check(server: &Server, sent: &Sent, round: usize) {
    let mut seen: HashMap<u64, u32> = HashMap::new();
    for row in server.query_whole("service.name:=crash | fields n", Some(1_000_000))["rows"].as_array().expect("rows") {
        *seen.entry(row["n"].as_u64().expect("n")).or_default() += 1;
    }
    for n in sent.acknowledged.lock().expect("lock").iter() {
        assert_eq!(seen.get(n).copied().unwrap_or(0), 1, "round {round}: acknowledged record {n}");
    }
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "round {round}: records stored twice: {twice:?}");
}

#[test]
fn r01_kill_9_under_load_loses_nothing_acknowledged_and_duplicates_nothing() {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    // Small memtables, so that kills hit flushes and merges too.
    let mut server =
        Server::start_with("store: {flush_interval: 300ms, flush_bytes: 256KiB, memtable_bytes_max: 16MiB}");
    let client = Client::builder().timeout(Duration::from_secs(30)).build().expect("client");
    let sent = Sent::default();
    for round in 0..ROUNDS {
        let stop = AtomicBool::new(false);
        let url = server.url.clone();
        let before = sent.requests.load(Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| write(&client, &url, &sent, &stop));
            }
            // A kill before the first acknowledgement of the round would prove nothing.
            while sent.requests.load(Relaxed) < before + 3 {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(rng.random_range(0..700)));
            server.kill();
            stop.store(true, Relaxed);
        });
        server.restart();
        check(&server, &sent, round);
    }
    let records = sent.acknowledged.lock().expect("lock").len();
    println!("{records} acknowledged records in {ROUNDS} rounds, each there once");
    let flushed = server.post("/backstop/api/v1/admin/flush?compact=true", &serde_json::Value::Null);
    assert!(flushed.status().is_success());
    check(&server, &sent, ROUNDS);
}
