//! Templates in labels and annotations: `{{ $labels.service }} fails {{ $value | humanizePercentage }}`.
//!
//! Go's `text/template` with Prometheus's functions: variables, `if`, `range`, `with`, `define` and `template`, queries. What does
//! not parse is an error when the file is loaded. What fails when an alert is filled in, such as `first` of nothing, leaves
//! `<error expanding template: ...>` in its place, as in Prometheus, and the alert fires all the same.

mod data;
mod functions;
mod go_format;
mod parse;
mod printf;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::{FloatHistogram, Timestamp};

use crate::RuleQuery;

pub(crate) use go_format::go_duration;

/// What templates may say of the server that they are filled in by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `$externalLabels`.
    pub external_labels: BTreeMap<String, String>,
    /// `$externalURL`.
    pub external_url: String,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    text: String,
    program: parse::Program,
}

/// A template that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct TemplateError {
    /// Where, as a byte offset in the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What a template is filled in from.
pub(crate) struct Moment<'a> {
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) value: f64,
    /// The value if it is a native histogram.
    pub(crate) histogram: Option<&'a FloatHistogram>,
    /// The time of `now` and of queries.
    pub(crate) at: Timestamp,
    /// Who answers `query`; nobody where there is none.
    pub(crate) query: Option<&'a dyn RuleQuery>,
    pub(crate) surroundings: &'a Surroundings,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        Ok(Template { text: text.to_owned(), program: parse::parse(text)? })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Fills it in. A label that is not there is the empty text.
    pub(crate) fn render_at(&self, moment: &Moment<'_>) -> String {
        match run::run(&self.program, moment) {
            Ok(text) => text,
            Err(error) => format!("<error expanding template: {error}>"),
        }
    }
}
