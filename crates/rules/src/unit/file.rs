//! The format of test files.

use std::collections::BTreeMap;

use model::{Timestamp, prometheus};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::yaml_problem;

/// A test file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestFile {
    #[serde(default)]
    pub(super) rule_files: Vec<String>,
    #[serde(default)]
    pub(super) evaluation_interval: Duration,
    #[serde(default)]
    pub(super) group_eval_order: Vec<String>,
    #[serde(default)]
    pub(super) fuzzy_compare: bool,
    #[serde(default)]
    pub(super) tests: Vec<TestGroup>,
}

/// Series, and what must come of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestGroup {
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) interval: Duration,
    #[serde(default)]
    pub(super) input_series: Vec<InputSeries>,
    #[serde(default)]
    pub(super) alert_rule_test: Vec<AlertTest>,
    #[serde(default)]
    pub(super) promql_expr_test: Vec<ExprTest>,
    #[serde(default)]
    pub(super) external_labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) external_url: String,
    #[serde(default)]
    pub(super) start_timestamp: Start,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputSeries {
    pub(super) series: String,
    #[serde(default)]
    pub(super) values: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertTest {
    #[serde(default)]
    pub(super) eval_time: Duration,
    #[serde(default)]
    pub(super) alertname: String,
    #[serde(default)]
    pub(super) exp_alerts: Option<Vec<ExpectedAlert>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedAlert {
    #[serde(default)]
    pub(super) exp_labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) exp_annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExprTest {
    pub(super) expr: String,
    #[serde(default)]
    pub(super) eval_time: Duration,
    #[serde(default)]
    pub(super) exp_samples: Option<Vec<ExpectedSample>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedSample {
    #[serde(default)]
    pub(super) labels: String,
    #[serde(default)]
    pub(super) value: f64,
    #[serde(default)]
    pub(super) histogram: String,
}

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duration(pub(super) i64);

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let ms = promql::parse_duration_ms(&text);
        ms.map(Duration).ok_or_else(|| D::Error::custom(format!("not a valid duration string: {text:?}")))
    }
}

/// As Prometheus prints a duration.
impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&prometheus::duration_text(self.0.max(0).unsigned_abs()))
    }
}

/// When a group of tests starts, in milliseconds since the Unix epoch: RFC 3339, or seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start(pub(super) i64);

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        if let Some(seconds) = seconds {
            return Ok(Start((seconds * 1e3).round() as i64));
        }
        let time = Timestamp::parse(&text, Timestamp::default()).ok().filter(|_| text.contains('T'));
        let bad = || D::Error::custom(format!("start_timestamp {text:?} is neither RFC 3339 nor seconds"));
        time.map(|time| Start(time.millis())).ok_or_else(bad)
    }
}

/// Reads a test file; the error says where it is wrong.
pub(super) fn parse(path: &str, text: &str) -> Result<TestFile, String> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Err(format!("{path}: the file is empty"));
    }
    let mut file: TestFile = serde_saphyr::from_str(text).map_err(|error| yaml_problem(path, &error).to_string())?;
    if file.evaluation_interval.0 == 0 {
        file.evaluation_interval = Duration(60_000);
    }
    let interval = file.evaluation_interval;
    file.tests.iter_mut().filter(|test| test.interval.0 == 0).for_each(|test| test.interval = interval);
    Ok(file)
}
