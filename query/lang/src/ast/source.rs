//! What a query reads.

use serde::{Deserialize, Serialize};

use super::Span;

/// What a query reads: a table, or the answer of a PromQL query.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `from changes`. Without `from`, log records.
    Table(Source),
    /// ``from promql(`rate(x[5m])`, step 1m)``.
    Promql(Promql),
}

impl Default for Input {
    fn default() -> Self {
        Self::Table(Source::Logs)
    }
}

impl Input {
    /// The table; `None` when it is not one.
    pub fn table(&self) -> Option<Source> {
        match self {
            Self::Table(source) => Some(*source),
            Self::Promql(_) => None,
        }
    }
}

/// A PromQL query as a table: it is evaluated at each step of the query's time range, and each sample is a row with
/// `_time`, `value` (a number) and a column for each label. A label that is called `_time` or `value` is `label.<name>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Promql {
    /// The PromQL text, not empty. It is checked by who runs it.
    pub text: String,
    /// Where the text stands, its quotes included: `text` starts one byte later when it is quoted raw.
    pub span: Span,
    /// Nanoseconds between evaluations, above zero; `None` lets the planner choose, as for [`super::Bucket::AutoTime`].
    pub step_ns: Option<i64>,
}

/// A table that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Log records: the default.
    Logs,
    /// Trace spans.
    Spans,
    /// What could not be decoded.
    Quarantine,
    /// Deploys and other changes.
    Changes,
    /// Alerts and their states.
    Alerts,
    /// Incidents.
    Incidents,
    /// Actions of playbooks.
    Actions,
    /// Results of probes.
    Probes,
    /// Findings about the system and its changes.
    Findings,
    /// The audit trail.
    Audit,
}

impl Source {
    /// Every table that can be read.
    pub const ALL: [Source; 10] = [
        Self::Logs,
        Self::Spans,
        Self::Quarantine,
        Self::Changes,
        Self::Alerts,
        Self::Incidents,
        Self::Actions,
        Self::Probes,
        Self::Findings,
        Self::Audit,
    ];

    /// The name after `from`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Quarantine => "quarantine",
            Self::Changes => "changes",
            Self::Alerts => "alerts",
            Self::Incidents => "incidents",
            Self::Actions => "actions",
            Self::Probes => "probes",
            Self::Findings => "findings",
            Self::Audit => "audit",
        }
    }

    /// What its rows are, in a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Logs => "log records; the table without `from`",
            Self::Spans => "trace spans",
            Self::Quarantine => "records that could not be decoded",
            Self::Changes => "deploys, flags, configuration and other changes",
            Self::Alerts => "alerts and their states",
            Self::Incidents => "incidents",
            Self::Actions => "actions of playbooks",
            Self::Probes => "results of probes; not kept in a table yet, so asking is an error",
            Self::Findings => "findings about the system and its changes; not kept yet either",
            Self::Audit => "who did what: the audit trail",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}
