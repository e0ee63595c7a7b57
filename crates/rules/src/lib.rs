//! Alert rules and recording rules: their files, their evaluation, the state machine of alerts.
//!
//! **Entry points.** [`check`] reads rule files and reports every mistake as `file:line:column: message`; [`load`] does the same
//! and keeps the groups. A [`GroupEvaluator`] evaluates one group; its [`GroupEvaluator::alerts`] are what the loop decides about.
//! [`test_rules`] runs promtool's unit-test files with that evaluator.
//!
//! **Write path.** Files of Prometheus's format, extended with `logs`, `window`, `when`, `recover`, `no_data` and `playbook` ->
//! [`Group`] -> [`GroupEvaluator::evaluate`] at each slot of the group's interval: queries through [`RuleQuery`], one
//! [`Alert`] per label set; samples of recording rules, `ALERTS` and `ALERTS_FOR_STATE` to a [`SampleSink`]. State that changed is committed to the ledger's `rule_state` table
//! before the evaluation returns.
//!
//! **Guarantees.** Prometheus's meaning of `for`, `keep_firing_for`, `limit`, labels and duplicates. An evaluation that failed keeps every
//! alert as it was and shows in the rule's health: "could not measure" is neither good nor bad. An alert that was firing before
//! a restart is firing after it.
//!
//! **Not here.** The queries themselves (`promql`, `engine`; the server wires them), what an alert leads to (`respond`), clocks and
//! threads: the time is an argument.

mod alert;
mod check;
mod evaluate;
mod file;
mod output;
mod state;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod unit;
mod when;

pub use alert::{Alert, AlertState, DataState, service_of};
pub use check::{Loaded, Report, check, load};
pub use config::{Mapper, Problem, Problems, QueryProblem, yaml_problem};
pub use evaluate::{Evaluation, GroupEvaluator, Health, RuleQuery, RuleQueryError, RuleSample, RuleStatus};
pub use file::{FILE_BYTES_MAX, Group, INTERVAL_NS_DEFAULT, INTERVAL_NS_MIN, NoData, Rule, RuleExpr, RuleKind};
pub use output::{ALERTS, ALERTS_FOR_STATE, RuleSamples, SampleSink};
pub use promql::ParserOptions;
pub use state::{OUTAGE_TOLERANCE_NS, RESOLVED_RETENTION_NS};
pub use syntax::{Bound, LogsInfo, PromqlInfo, check_logs, check_promql};
pub use template::{Surroundings, Template, TemplateError};
pub use unit::{CaseReport, TEST_SAMPLES_MAX, TEST_STEPS_MAX, TestFiles, TestOptions, TestReport, junit, test_rules};
pub use when::{When, WhenError};
