//! Samples of the last thirty days in any order, by three protocols: they come out in order and complete, from memory, from blocks and
//! after a restart.

use std::collections::BTreeMap;
use std::process::Command;

use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use reqwest::blocking::Client;

use super::wire::{self, Sent};
use super::{Samples, Series, asked, bits, client, flush, numbers, ranged, single, stored};
use crate::server::Server;
use crate::shared::binary;

const DAYS: i64 = 30;
const STEP_MS: i64 = 15 * 60_000;
/// Samples of a series in all.
const SAMPLES: i64 = DAYS * 86_400_000 / STEP_MS;
/// Samples of a series in one request, and neighbouring requests overlap by a third: what is sent again has another value first.
const CHUNK: i64 = 90;
/// Series of each protocol.
const SERIES: u64 = 3;

/// Samples of a series in a file, a minute apart.
pub(crate) const FILE_SAMPLES: i64 = 2_000;

/// The value of a series at a place; the first is a counter.
fn value(series: u64, at: i64) -> f64 {
    match series {
        0 => at as f64 * 3.0,
        1 => (at % 97) as f64 / 100.0,
        _ => (at as f64).sqrt() * 1e3,
    }
}

/// One request: a part of the time of every series of a protocol.
#[derive(Clone, Copy, Debug)]
struct Part {
    influx: bool,
    from: i64,
    /// Whether these are the values that stay: what comes later wins.
    last: bool,
}

impl Part {
    fn series(self, begin_ms: i64) -> Vec<Sent> {
        let sender = if self.influx { "influx" } else { "remote" };
        let places = self.from..(self.from + CHUNK).min(SAMPLES);
        let one = |series: u64| Sent {
            name: "late_value",
            labels: vec![("sender", sender.to_owned()), ("series", series.to_string())],
            samples: places
                .clone()
                .map(|at| (begin_ms + at * STEP_MS, value(series, at) + if self.last { 0.0 } else { 1e6 }))
                .collect(),
        };
        (0..SERIES).map(one).collect()
    }

    fn send(self, client: &Client, url: &str, begin_ms: i64, rng: &mut impl rand::Rng) {
        let mut all = self.series(begin_ms);
        // Within a request samples are in any order too.
        all.iter_mut().for_each(|sent| sent.samples.shuffle(rng));
        all.shuffle(rng);
        let sent =
            if self.influx { wire::post_influx(client, url, &all) } else { wire::post_remote_write(client, url, &all) };
        let answer = sent.expect("an answer");
        let status = answer.status();
        assert_eq!(status, 204, "{self:?}: {}", answer.text().unwrap_or_default());
    }
}

/// Every sample that must be there.
fn wanted(begin_ms: i64) -> Series {
    let whole = [false, true].into_iter().flat_map(|influx| {
        let parts = (0..SAMPLES).step_by(CHUNK as usize).map(move |from| Part { influx, from, last: true });
        parts.flat_map(|part| part.series(begin_ms))
    });
    let mut all: Series = BTreeMap::new();
    for sent in whole {
        let samples: Samples = sent.samples.iter().map(|(time_ms, value)| (*time_ms, bits(*value))).collect();
        all.entry(sent.key()).or_default().extend(samples);
    }
    all
}

fn check(server: &Server, begin_ms: i64, when: &str) {
    let want = wanted(begin_ms);
    let end_ms = begin_ms + SAMPLES * STEP_MS;
    assert!(numbers(&stored(server, "late_value", "31d", end_ms)) == want, "{when}: the samples");
    let step = format!("{}s", STEP_MS / 1000);
    let got = ranged(server, "late_value", begin_ms, end_ms - STEP_MS, &step);
    assert!(got == want, "{when}: a range query");
    for sender in ["influx", "remote"] {
        let counter = format!("late_value{{sender=\"{sender}\",series=\"0\"}}");
        let query = format!("resets({counter}[30d])");
        assert_eq!(single(server, &query, end_ms), 0.0, "{when}: {query}");
        let query = format!("count_over_time({counter}[31d])");
        assert_eq!(single(server, &query, end_ms), SAMPLES as f64, "{when}: {query}");
    }
}

#[test]
fn a_month_in_any_order_comes_out_right() {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut server = Server::start();
    let client = client();
    let now_ms = telemetry::clock::now().millis();
    let begin_ms = (now_ms - DAYS * 86_400_000).div_euclid(STEP_MS) * STEP_MS;
    let parts = |last: bool, step: i64| {
        let senders = [false, true].into_iter();
        senders.flat_map(move |influx| (0..SAMPLES).step_by(step as usize).map(move |from| Part { influx, from, last }))
    };
    // First what will be replaced, then what stays, each in an order of its own, with flushes between them.
    for (last, step) in [(false, CHUNK * 2), (true, CHUNK * 2 / 3)] {
        let mut order: Vec<Part> = parts(last, step).collect();
        order.shuffle(&mut rng);
        for (number, part) in order.into_iter().enumerate() {
            part.send(&client, &server.url, begin_ms, &mut rng);
            if number % 25 == 24 {
                flush(&server, false);
            }
        }
    }
    check(&server, begin_ms, "partly in memory");
    flush(&server, false);
    check(&server, begin_ms, "flushed");
    flush(&server, true);
    check(&server, begin_ms, "merged");
    server.kill();
    server.restart();
    check(&server, begin_ms, "after a crash");
    assert_eq!(server.count("from quarantine *"), 0);
}

/// A file of OpenMetrics as `promtool tsdb create-blocks-from openmetrics` takes it: families of days, the samples of each in the order of
/// time, with a histogram, start times and an exemplar.
pub(crate) fn open_metrics(begin_s: i64, instances: u64) -> String {
    let mut text = String::from("# HELP filled_requests Requests.\n# TYPE filled_requests counter\n");
    for instance in 0..instances {
        for at in 0..FILE_SAMPLES {
            let time = begin_s + at * 60;
            text += &format!("filled_requests_total{{instance=\"{instance}\"}} {} {time}\n", at * 5);
        }
        text += &format!("filled_requests_created{{instance=\"{instance}\"}} {begin_s} {begin_s}\n");
    }
    text += "# TYPE filled_seconds histogram\n# UNIT filled_seconds seconds\n";
    for at in 0..FILE_SAMPLES {
        let time = begin_s + at * 60;
        for (bound, share) in [("0.1", 1), ("1.0", 2), ("+Inf", 4)] {
            text += &format!(
                "filled_seconds_bucket{{le=\"{bound}\"}} {} {time}.500 # {{trace_id=\"t{at}\"}} 0.05\n",
                at * share
            );
        }
        text +=
            &format!("filled_seconds_count {} {time}.500\nfilled_seconds_sum {} {time}.500\n", at * 4, at as f64 * 0.7);
    }
    text + "# EOF\n"
}

#[test]
fn files_of_openmetrics_are_imported() {
    let server = Server::start();
    let now_s = telemetry::clock::now().millis() / 1000;
    let begin_s = now_s - 20 * 86_400;
    let end_ms = (begin_s + FILE_SAMPLES * 60) * 1000;
    let instances = 60;
    // Large enough to be sent in several parts.
    let text = open_metrics(begin_s, instances);
    assert!(text.len() > 6 << 20, "{} bytes", text.len());
    let file = server.path("filled.om");
    std::fs::write(&file, &text).expect("written");
    let file = file.display().to_string();
    let said = server.cli(&["import", &file, "--url", &server.url, "--label", "from=file"]);
    let samples = instances as i64 * FILE_SAMPLES + 5 * FILE_SAMPLES;
    assert_eq!(said.trim(), format!("{samples} samples stored"));
    let count = |selector: &str| single(&server, &format!("sum(count_over_time({selector}[3d]))"), end_ms);
    assert_eq!(count("filled_requests_total{from=\"file\"}"), (instances as i64 * FILE_SAMPLES) as f64);
    assert_eq!(count("filled_seconds_bucket"), 3.0 * FILE_SAMPLES as f64);
    let step = "60s";
    let got = ranged(&server, "filled_requests_total{instance=\"59\"}", begin_s * 1000, end_ms - 60_000, step);
    let want: Samples = (0..FILE_SAMPLES).map(|at| ((begin_s + at * 60) * 1000, bits((at * 5) as f64))).collect();
    assert_eq!(got.into_values().next(), Some(want));
    assert_eq!(single(&server, "histogram_quantile(0.5, filled_seconds_bucket)", end_ms - 59_000), 1.0);
    let kinds = server.get_json("/api/v1/metadata?metric=filled_requests");
    assert_eq!(kinds["data"]["filled_requests"][0]["type"], "counter", "{kinds}");
    // The same again changes nothing.
    server.cli(&["import", &file, "--url", &server.url, "--label", "from=file"]);
    assert_eq!(count("filled_requests_total"), (instances as i64 * FILE_SAMPLES) as f64);
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line() {
    let server = Server::start();
    for (text, format, want) in [
        ("# TYPE a counter\na_total 1 1.5\na_total{x=} 2 2.5\n# EOF\n", "openmetrics", ": line 3: "),
        ("a_total 1 1.5\n", "openmetrics", ": it does not end with # EOF: it was cut, or is Prometheus's text"),
        ("a_total 1 1.5\n# EOF\na_total 1 1.5\n", "openmetrics", ": line 3 stands behind # EOF\n"),
        ("a_total 1 1500\nb_total 1 soon\n", "prometheus", ": line 2: "),
    ] {
        let file = server.path("bad.txt");
        std::fs::write(&file, text).expect("written");
        let mut command = Command::new(binary());
        let output = command.arg("import").arg(&file).args(["--format", format, "--url", &server.url]).output();
        let output = output.expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}: {said}");
        let hint = "hint: 0 samples before it are stored";
        assert!(said.contains(&format!("{}{want}", file.display())) && said.contains(hint), "{text}: {said}");
    }
    assert_eq!(
        asked(&server, "/api/v1/query", &[("query", "{__name__=~\".+\"}"), ("time", "2")]),
        serde_json::json!([])
    );
}
