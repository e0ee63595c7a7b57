//! Metrics of a fleet of hosts, beside VictoriaMetrics and Prometheus: remote write in, `query_range` out, the same for all.

mod prometheus;
mod questions;
mod victoriametrics;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use benches::FleetManifest;
use benches::fleet::{CPU_SERIES_PER_HOST, SERIES_PER_HOST};
use serde_json::Value;

use crate::RunOptions;
use crate::engine::{Backstop, Engine};
use crate::http::{Request, encode_form};
use crate::workload::{self, Table, Workload};
use prometheus::Prometheus;
use questions::Question;
use victoriametrics::VictoriaMetrics;

/// How far apart two numbers that are the same may be, relative to the larger one: sums of floats depend on their order.
const TOLERANCE: f64 = 1e-9;
/// Steps of a question: a dashboard asks for as many as there are scrapes, down to one a pixel.
const STEP_MS: i64 = 15_000;
/// What a question over a range spans.
const RANGE_MS: i64 = 90 * 60_000;

impl Workload for FleetManifest {
    type Question = Question;

    const UNIT: &'static str = "samples";
    const WHOLE: Question = Question::SeriesNow;

    fn units(&self) -> u64 {
        self.samples
    }

    fn told(&self) -> String {
        format!(
            "{} samples of {} series of {} hosts, every {} s for {:.1} h, {:.0} MB of remote write",
            self.samples,
            self.series,
            self.hosts,
            self.interval_ms / 1000,
            (self.end_ms - self.start_ms) as f64 / 3.6e6,
            self.sent_bytes as f64 / 1e6,
        )
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }

    fn raw(&self) -> (&'static str, u64) {
        ("samples", self.samples)
    }

    fn size(question: Question, answer: &Table) -> String {
        let series: std::collections::BTreeSet<&str> = answer.iter().map(|row| row[0].as_str()).collect();
        if question.is_at_end() { String::new() } else { format!(" ({} series)", series.len()) }
    }

    fn unlike_known(&self, question: Question, answer: &Table) -> Option<String> {
        let expected = match question {
            Question::SeriesNow => self.series,
            Question::Samples => self.samples / SERIES_PER_HOST as u64 * CPU_SERIES_PER_HOST as u64,
            _ => return None,
        };
        let found = answer.last().and_then(|row| row.last()).map_or("nothing", String::as_str);
        (found.parse::<f64>() != Ok(expected as f64))
            .then(|| format!("{found} instead of the {expected} that were generated"))
    }

    fn unlike(question: Question, first: (&str, &Table), second: (&str, &Table)) -> Option<String> {
        let names = [first.0, second.0];
        if names.contains(&VictoriaMetrics::NAME) && !question.agrees_with_metricsql() {
            return None;
        }
        differs(first.0, first.1, second.1)
    }

    fn engine(name: &str, options: &RunOptions) -> Result<Box<dyn Engine<Self>>> {
        match name {
            "backstop" => Ok(Box::new(Backstop { program: options.backstop.clone() })),
            VictoriaMetrics::NAME => {
                Ok(Box::new(VictoriaMetrics { program: options.rival(name, "victoria-metrics")? }))
            }
            "prometheus" => Ok(Box::new(Prometheus { program: options.rival(name, "prometheus")? })),
            _ => bail!("no engine {name:?}: there are backstop, victoriametrics and prometheus"),
        }
    }
}

impl Engine<FleetManifest> for Backstop {
    fn ingest(&self) -> Request {
        remote_write()
    }

    fn ask(&self, question: Question, data: &FleetManifest) -> Request {
        ask(question, data, &[])
    }

    fn read(&self, _: Question, body: &[u8]) -> Result<Table> {
        read(body, &[])
    }
}

/// A request of remote write 1.0, without its body.
fn remote_write() -> Request {
    Request::post("/api/v1/write")
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
}

/// A question over the last ninety minutes, or at the end of the data.
fn ask(question: Question, data: &FleetManifest, more: &[(&str, &str)]) -> Request {
    let seconds = |ms: i64| format!("{:.3}", ms as f64 / 1e3);
    let end_ms = data.end_ms / STEP_MS * STEP_MS;
    let query = question.query(data);
    let mut pairs = vec![("query", query.as_str())];
    let [start, end, step, last] = [end_ms - RANGE_MS, end_ms, STEP_MS, data.end_ms].map(seconds);
    let path = if question.is_at_end() {
        pairs.push(("time", &last));
        "query"
    } else {
        pairs.extend([("start", start.as_str()), ("end", &end), ("step", &step)]);
        "query_range"
    };
    pairs.extend(more);
    Request::get(format!("/api/v1/{path}?{}", encode_form(&pairs)))
}

/// An answer as rows of labels, time in milliseconds, and value; without some labels.
fn read(body: &[u8], without: &[&str]) -> Result<Table> {
    let answer: Value = serde_json::from_slice(body)?;
    let results = answer["data"]["result"].as_array().context("an answer without a result")?;
    let mut table = Table::new();
    for result in results {
        let labels = result["metric"].as_object().context("a series without labels")?;
        let labels = labels.iter().filter(|(name, _)| !without.contains(&name.as_str()));
        let labels: BTreeMap<&str, &str> =
            labels.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())).collect();
        let one = result.get("value").into_iter();
        for pair in result["values"].as_array().into_iter().flatten().chain(one) {
            let seconds = pair[0].as_f64().context("a sample without a time")?;
            let value = pair[1].as_str().context("a sample without a value")?;
            table.push(vec![format!("{labels:?}"), format!("{:013.0}", seconds * 1e3), value.to_owned()]);
        }
    }
    table.sort_unstable();
    Ok(table)
}

/// Where two answers differ by more than sums of floats do.
fn differs(other: &str, theirs: &Table, ours: &Table) -> Option<String> {
    let is_same = |(a, b): (&Vec<String>, &Vec<String>)| match (&a[..], &b[..]) {
        ([labels_a, time_a, a], [labels_b, time_b, b]) => (labels_a, time_a) == (labels_b, time_b) && is_close(a, b),
        _ => false,
    };
    if theirs.len() == ours.len() {
        let (theirs, ours) = theirs.iter().zip(ours).find(|pair| !is_same(*pair))?;
        return Some(format!("{} where {other} has {}", ours.join(" "), theirs.join(" ")));
    }
    workload::difference(other, theirs, ours)
}

fn is_close(a: &str, b: &str) -> bool {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.to_bits() == b.to_bits() || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str, &str)]) -> Table {
        rows.iter().map(|(labels, time, value)| [labels, time, value].map(|cell| (*cell).to_owned()).to_vec()).collect()
    }

    #[test]
    fn numbers_may_differ_by_the_order_of_sums_only() {
        let theirs = table(&[("a", "1", "0.3"), ("a", "2", "NaN")]);
        assert_eq!(differs("x", &theirs, &table(&[("a", "1", "0.30000000000000004"), ("a", "2", "NaN")])), None);
        assert!(differs("x", &theirs, &table(&[("a", "1", "0.3000001"), ("a", "2", "NaN")])).is_some());
        assert!(differs("x", &theirs, &table(&[("a", "1", "0.3"), ("b", "2", "NaN")])).is_some());
        assert!(differs("x", &theirs, &table(&[("a", "1", "0.3")])).is_some());
    }

    #[test]
    fn an_answer_is_rows_of_labels_time_and_value() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"b":"2","a":"1"},"values":[[1.5,"7"]]}]}}"#;
        assert_eq!(read(body, &[]).expect("rows"), table(&[(r#"{"a": "1", "b": "2"}"#, "0000000001500", "7")]));
    }
}
