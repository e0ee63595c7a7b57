//! The questions that the product asks about a simulated service, answered from what has arrived.
//!
//! PromQL goes through the crate `promql`, as in the server. Of the native language only what a watch asks is answered: any other
//! text is an error, so that a watch that asks something new does not go unanswered in silence.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use model::{Labels, TimeRange, Timestamp, Value};
use promql::{EvalLimits, EvalRange, Expr, QueryValue};
use rules::{RuleQuery, RuleQueryError};
use sim::{PATTERNS, Severity, TelemetryView, Version};

use crate::exporter::{Exporter, SERVICE, VERSIONS};

/// Expressions by their text: a watch asks the same ones again and again.
pub(crate) type Parsed = RefCell<HashMap<String, Rc<Expr>>>;

/// Answers at one moment.
pub(crate) struct Question<'a> {
    pub(crate) view: &'a TelemetryView<'a>,
    pub(crate) exporter: &'a Exporter,
    pub(crate) parsed: &'a Parsed,
}

fn failed(error: impl std::fmt::Display) -> RuleQueryError {
    RuleQueryError(error.to_string())
}

impl Question<'_> {
    fn parse(&self, expr: &str) -> Result<Rc<Expr>, RuleQueryError> {
        if let Some(known) = self.parsed.borrow().get(expr) {
            return Ok(known.clone());
        }
        let parsed = Rc::new(promql::parse(expr).map_err(failed)?);
        self.parsed.borrow_mut().insert(expr.to_owned(), parsed.clone());
        Ok(parsed)
    }

    /// Lines that say that something failed, of a range of whole seconds: version, template, number.
    fn errors(&self, range: TimeRange) -> impl Iterator<Item = (&'static str, &'static str, u32)> {
        let sides = [Version::Old, Version::New].map(|version| self.view.patterns(version, range.start, range.end));
        let all = VERSIONS.into_iter().zip(sides);
        all.flat_map(|(version, lines)| {
            let lines = PATTERNS.iter().zip(lines);
            let lines = lines.filter(|(pattern, n)| pattern.severity == Severity::Error && *n > 0);
            lines.map(move |(pattern, n)| (version, pattern.text, n))
        })
    }
}

impl Question<'_> {
    /// How many of those lines each slot has that has any.
    fn slots(&self, range: TimeRange, slot_s: i64) -> Vec<BTreeMap<String, Value>> {
        let slot_ns = slot_s * 1_000_000_000;
        let mut rows = Vec::new();
        let mut at = Timestamp(range.start.0.div_euclid(slot_ns) * slot_ns);
        while at < range.end {
            let end = at.saturating_add_ns(slot_ns);
            let n: u32 = self.errors(TimeRange::new(at, end).intersect(&range)).map(|(.., n)| n).sum();
            if n > 0 {
                let row = [("_time", Value::Str(at.to_string())), ("n", Value::Int(i64::from(n)))];
                rows.push(row.map(|(name, value)| (name.to_owned(), value)).into());
            }
            at = end;
        }
        rows
    }
}

impl RuleQuery for Question<'_> {
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        let expr = self.parse(expr)?;
        let range = EvalRange::Instant { time_ms: at.millis() };
        let outcome = promql::eval(&expr, self.exporter, range, &EvalLimits::default()).map_err(failed)?;
        match outcome.value {
            QueryValue::Scalar(sample) => Ok(vec![(Labels::default(), sample.value)]),
            QueryValue::Vector(samples) => {
                Ok(samples.into_iter().map(|sample| (sample.labels, sample.value)).collect())
            }
            other => Err(failed(format!("the expression is a {}, not a vector", other.result_type()))),
        }
    }

    fn logs(&self, query: &str, range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        if query.starts_with("from spans ") {
            return Ok(Vec::new());
        }
        let lines = format!("service.name:={SERVICE:?} severity:in(ERROR, FATAL) | ");
        let Some(asked) = query.strip_prefix(&lines) else {
            let other =
                query.starts_with("service.name:=") && !query.starts_with(&format!("service.name:={SERVICE:?}"));
            return if other { Ok(Vec::new()) } else { Err(failed(format!("not answered here: {query}"))) };
        };
        let (asked, limit) = asked.split_once(" | limit ").unwrap_or((asked, ""));
        match asked {
            "stats by (_time:10s) count() as n" => Ok(self.slots(range, 10)),
            "stats by (_time:300s) count() as n" => Ok(self.slots(range, 300)),
            "fields body, service.version" => Ok(rows(self.errors(range), limit.parse().unwrap_or(usize::MAX))),
            _ => Err(failed(format!("not answered here: {query}"))),
        }
    }
}

fn rows(lines: impl Iterator<Item = (&'static str, &'static str, u32)>, limit: usize) -> Vec<BTreeMap<String, Value>> {
    let row = |version: &str, template: &str, nth: u32| {
        let body = template.replace("<*>", &(100 + nth * 7919 % 900).to_string());
        [("body", body), ("service.version", version.to_owned())]
            .map(|(name, text)| (name.to_owned(), Value::Str(text)))
            .into()
    };
    lines.flat_map(|(version, template, n)| (0..n).map(move |nth| row(version, template, nth))).take(limit).collect()
}
