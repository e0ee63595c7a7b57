//! The same questions to two servers, and how their answers differ.

use serde_json::Value;

use super::daemon::{Api, seconds};

/// How far numbers may be apart, relative to the larger: sums of many floats are added in another order, and releases of Prometheus
/// add with other corrections.
const TOLERANCE: f64 = 1e-9;

/// What of the words to people is compared: errors, warnings and infos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Texts {
    /// Nothing: they change from release to release. The status and the type of an error are compared.
    Ignored,
    /// Every character.
    #[default]
    Same,
}

/// When questions are for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
}

/// How a comparison went.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answers: usize,
    /// Answers that are the same to the last character.
    pub(super) exact: usize,
    texts: Texts,
    /// Answers that have something in them.
    pub(super) filled: usize,
    pub(super) differences: Vec<String>,
}

/// The queries of a text: one a line, without comments.
pub(super) fn queries(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Asks each query for the end and for the range.
pub(super) fn compare(prometheus: &Api, backstop: &Api, queries: &[&str], times: Times, texts: Texts) -> Tally {
    let (start, end) = (seconds(times.start_ms), seconds(times.end_ms));
    let step = format!("{}ms", times.step_ms);
    let mut tally = Tally::comparing(texts);
    for query in queries {
        let range = [("query", *query), ("start", start.as_str()), ("end", end.as_str()), ("step", step.as_str())];
        tally.add(prometheus, backstop, "/api/v1/query", &[("query", *query), ("time", end.as_str())]);
        tally.add(prometheus, backstop, "/api/v1/query_range", &range);
    }
    tally
}

impl Tally {
    pub(super) fn comparing(texts: Texts) -> Self {
        Self { texts, ..Self::default() }
    }

    /// Asks both.
    pub(super) fn add(&mut self, prometheus: &Api, backstop: &Api, path: &str, form: &[(&str, &str)]) {
        let ordered = form.iter().any(|(name, value)| *name == "query" && value.starts_with("sort"));
        let (want, got) = (prometheus.ask(path, form), backstop.ask(path, form));
        self.hold(&format!("{path} {form:?}"), ordered, want, got);
    }

    /// Holds the answers to a question against each other; only where `ordered` is set does the order of series mean something.
    pub(super) fn hold(&mut self, question: &str, ordered: bool, mut want: (u16, Value), mut got: (u16, Value)) {
        self.answers += 1;
        self.filled += usize::from(match &want.1["data"] {
            Value::Array(data) => !data.is_empty(),
            data => data["result"].as_array().is_some_and(|result| !result.is_empty()),
        });
        if !ordered {
            by_labels(&mut want.1);
            by_labels(&mut got.1);
        }
        if self.texts == Texts::Ignored {
            for answer in [&mut want.1, &mut got.1].into_iter().filter_map(Value::as_object_mut) {
                answer.retain(|name, _| !["error", "warnings", "infos"].contains(&name.as_str()));
            }
        }
        self.exact += usize::from(want == got);
        if want.0 != got.0 || !same(&want.1, &got.1) {
            self.differences.push(format!("{question}\n  wanted {} {}\n  got    {} {}", want.0, want.1, got.0, got.1));
        }
    }

    /// Fails with the first differences.
    pub(super) fn assert_same(&self, what: &str) {
        println!(
            "{what}: {} answers, {} filled, {} equal to the last character",
            self.answers, self.filled, self.exact
        );
        let shown = self.differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.differences.is_empty(), "{what}: {} differ:\n{shown}", self.differences.len());
    }
}

/// Sorts a result, or a list of series, by its labels: the order means nothing unless the query sorts.
fn by_labels(answer: &mut Value) {
    let Some(data) = answer.get_mut("data") else { return };
    let list = if data.is_array() { data.as_array_mut() } else { data.get_mut("result").and_then(Value::as_array_mut) };
    if let Some(list) = list.filter(|list| list.iter().all(Value::is_object)) {
        list.sort_by_cached_key(|series| series.get("metric").unwrap_or(series).to_string());
    }
}

/// Whether values are the same; texts that are numbers may be apart by [`TOLERANCE`].
fn same(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::Array(want), Value::Array(got)) => {
            want.len() == got.len() && want.iter().zip(got).all(|(want, got)| same(want, got))
        }
        (Value::Object(want), Value::Object(got)) => {
            want.len() == got.len() && want.iter().all(|(name, want)| got.get(name).is_some_and(|got| same(want, got)))
        }
        (Value::String(want), Value::String(got)) => {
            want == got
                || match (want.parse::<f64>(), got.parse::<f64>()) {
                    (Ok(want), Ok(got)) => (want - got).abs() <= TOLERANCE * want.abs().max(got.abs()),
                    _ => false,
                }
        }
        _ => want == got,
    }
}

#[test]
fn a_difference_is_seen() {
    let value = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    assert!(same(&value(r#"[1, "0.3", {"a": "x"}]"#), &value(r#"[1, "0.30000000000000004", {"a": "x"}]"#)));
    for (want, got) in
        [(r#""1""#, r#""1.0001""#), (r#""a""#, r#""b""#), ("[1]", "[1, 2]"), (r#"{"a": 1}"#, r#"{"b": 1}"#)]
    {
        assert!(!same(&value(want), &value(got)), "{want} {got}");
    }
}
