//! Blocks of a server that was written to by remote write and OTLP and that scraped, read by DuckDB: the same samples as the API says.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::wire::{self, Sent};
use super::{Series, client, flush, numbers, stored};
use crate::scraping::{Exporter, awaited};
use crate::server::Server;
use crate::shared::{program, python, repository, run};

/// Samples of each series that is sent.
const SAMPLES: i64 = 200;

/// A name, and the value at a place.
type Kind = (&'static str, fn(i64) -> f64);

/// A series of each kind of values: counters, decimals, doubles that fill their bits, and odd ones among whole numbers.
fn sent(begin_ms: i64) -> Vec<Sent> {
    let kinds: [Kind; 5] = [
        ("counter", |at| (at * 17) as f64),
        ("cents", |at| at as f64 / 100.0),
        ("doubles", |at| (at as f64).sqrt() * 1e-9),
        ("edge", |at| 9_007_199_254_740_992.0 - at as f64),
        ("odd", |at| if at % 9 == 0 { [f64::INFINITY, f64::NEG_INFINITY, -0.0][at as usize % 3] } else { at as f64 }),
    ];
    let one = |(kind, value): &Kind| Sent {
        name: "kinds_value",
        labels: vec![("kind", (*kind).to_owned()), ("größe", "a=\"b\", c".to_owned())],
        samples: (0..SAMPLES).map(|at| (begin_ms + at * 15_000, value(at))).collect(),
    };
    kinds.iter().map(one).collect()
}

/// Holds what DuckDB reads of the blocks against what the API said.
fn compare(server: &Server, python: &Path, said: &Series, when: &str) {
    let mut lines = String::new();
    for (labels, samples) in said {
        for (time_ms, bits) in samples {
            writeln!(lines, "{labels}\t{time_ms}\t{bits}").expect("a text");
        }
    }
    let file = server.path("said");
    std::fs::write(&file, lines).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/metrics/blocks.py");
    let sql = repository().join("crates/series/tests/blocks.sql");
    let mut command = Command::new(python);
    let text = run(command.arg(script).arg(server.data().join("series")).arg(&file).arg(sql));
    assert!(text.contains(" 0 differ"), "{when}: {text}");
    println!("{when}: {text}");
}

#[test]
fn duckdb_reads_what_the_api_says() {
    let (Some(python), Some(program)) = (python(), program("prometheus-node-exporter")) else { return };
    let exporter = Exporter::start(&program);
    let dir = tempfile::tempdir().expect("directory");
    let scrape = dir.path().join("scrape.yml");
    let settings = |targets: &str| {
        format!(
            "scrape_configs:\n- job_name: node\n  scrape_interval: 1s\n  static_configs: [{{targets: [{targets}]}}]\n"
        )
    };
    std::fs::write(&scrape, settings(&format!("'{}'", exporter.address))).expect("written");
    let mut server = Server::start_with(&format!("scrape: ['{}']", scrape.display()));
    let client = client();
    let now_ms = telemetry::clock::now().millis();
    let all = sent(now_ms - SAMPLES * 15_000);
    let halves = |first: bool| -> Vec<Sent> {
        let part = |sent: &Sent| Sent {
            samples: sent.samples.iter().copied().filter(|(time_ms, _)| (time_ms / 15_000 % 3 == 0) == first).collect(),
            ..sent.clone()
        };
        all.iter().map(part).collect()
    };
    // Two blocks that overlap, by two protocols.
    assert_eq!(wire::post_remote_write(&client, &server.url, &halves(true)).expect("an answer").status(), 204);
    flush(&server, false);
    let answer = wire::post_otlp(&client, &server.url, wire::gauges(&halves(false))).expect("an answer");
    assert_eq!(answer.status(), 200);
    awaited("no scrapes", || {
        let found = numbers(&stored(&server, "up{job=\"node\"}", "5m", telemetry::clock::now().millis()));
        found.into_values().next().filter(|samples| samples.len() >= 4)
    });
    // Nothing is written any more once the target is away and its markers are there.
    std::fs::write(&scrape, settings("")).expect("written");
    server.hang_up();
    awaited("still a target", || {
        let targets = server.get_json("/api/v1/targets");
        targets["data"]["activeTargets"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    let now = || telemetry::clock::now().millis();
    awaited("up is not stale", || {
        let found = server.get_json("/api/v1/query?query=up");
        found["data"]["result"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    let said = numbers(&stored(&server, "{__name__=~\".+\"}", "2h", now() + 1000));
    assert!(said.len() > 100 && said.contains_key(&all[0].key()), "{} series", said.len());
    flush(&server, false);
    compare(&server, &python, &said, "flushed");
    flush(&server, true);
    compare(&server, &python, &said, "merged");
    server.stop();
    compare(&server, &python, &said, "stopped");
}
