//! What a step found out, for later steps.

use std::collections::BTreeMap;

use model::Value;
use serde::{Deserialize, Serialize};

/// Most labels or columns of a result that are kept.
pub const RESULT_COLUMNS_MAX: usize = 50;

/// How a step ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultState {
    /// It went well, or was measured.
    Ok,
    /// It went wrong.
    Failed,
    /// It could not be told.
    Unknown,
}

impl ResultState {
    /// The word in conditions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// What a step found out: `steps.ID.result`, `.value`, `.n`, `.choice` and `.row.NAME` in conditions and templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// The step's kind.
    pub kind: String,
    /// How it ended.
    pub result: ResultState,
    /// The number measured: the first sample's, the first numeric column's, a probe's latency in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// How many samples or rows there were; a probe's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// What people chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// The labels of the first sample, or the columns of the first row.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub row: BTreeMap<String, String>,
    /// For people.
    pub detail: String,
}

impl StepResult {
    /// A result that only has words.
    pub(crate) fn new(kind: &str, result: ResultState, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            result,
            value: None,
            n: None,
            choice: None,
            row: BTreeMap::new(),
            detail: detail.into(),
        }
    }

    /// Adds what templates and conditions may use, each under its name. What is not known has no entry.
    pub(crate) fn add_to(&self, id: &str, values: &mut BTreeMap<String, Value>) {
        let mut add = |name: &str, value: Value| drop(values.insert(format!("steps.{id}.{name}"), value));
        add("result", Value::Str(self.result.as_str().to_owned()));
        if let Some(value) = self.value.filter(|value| value.is_finite()) {
            add("value", Value::Double(value));
        }
        if let Some(n) = self.n {
            add("n", Value::Int(i64::try_from(n).unwrap_or(i64::MAX)));
        }
        if let Some(choice) = &self.choice {
            add("choice", Value::Str(choice.clone()));
        }
        for (name, text) in &self.row {
            add(&format!("row.{name}"), Value::Str(text.clone()));
        }
    }
}
