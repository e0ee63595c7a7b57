//! Rules tried on lines, without storing anything.

use std::fmt;

use model::{LogRecord, Row, Timestamp, Value, field};
use serde::Serialize;

use super::{Counter, Outcome, Rules};

/// What rules did with a sample.
#[derive(Clone, Debug, Serialize)]
pub struct DryRun<'r> {
    /// Record by record.
    pub records: Vec<DryRunRecord<'r>>,
    /// All rules, those that did nothing included.
    pub counters: Vec<Counter<'r>>,
}

/// One record of a sample.
#[derive(Clone, Debug, Serialize)]
pub struct DryRunRecord<'r> {
    /// The lines that it was made of.
    pub before: String,
    /// Its time, when a rule set it.
    pub time: Option<String>,
    /// Its fields afterwards, as JSON.
    pub after: serde_json::Map<String, serde_json::Value>,
    /// What was done.
    pub steps: Vec<Counter<'r>>,
    /// Why it would go to quarantine.
    pub quarantine: Option<String>,
}

impl Rules {
    /// Takes lines as one stream whose records have these fields, and shows what becomes of them. `received` is the time of receipt.
    pub fn dry_run(&self, lines: &[&str], fields: &[(String, String)], received: Timestamp) -> DryRun<'_> {
        let mut counts = self.counts();
        let mut records = Vec::new();
        for text in self.join_sample(lines, fields, received) {
            let mut row = sample_row(&text, fields, received);
            let mut own = self.counts();
            let outcome = self.apply(&mut row, received, &mut own);
            counts.add(&own);
            let mut steps = self.counters(&own);
            steps.retain(|step| step.count > 0);
            records.push(DryRunRecord {
                before: text,
                time: (row.time != received).then(|| row.time.to_string()),
                after: row.fields.iter().map(|(name, value)| (name.to_string(), json(value))).collect(),
                steps,
                quarantine: match outcome {
                    Outcome::Kept => None,
                    Outcome::Quarantine(reason) => Some(reason),
                },
            });
        }
        DryRun { records, counters: self.counters(&counts) }
    }

    fn join_sample(&self, lines: &[&str], fields: &[(String, String)], received: Timestamp) -> Vec<String> {
        let mut joiner = self.joiner();
        let mut joined = Vec::new();
        for line in lines {
            match self.join_rule(&sample_row(line, fields, received)) {
                Some(rule) => joiner.push("", rule, line, received, (), &mut joined),
                None => {
                    joiner.flush(&mut joined);
                    joined.push(crate::join::Joined { first: (), text: (*line).to_owned(), lines: 1 });
                }
            }
        }
        joiner.flush(&mut joined);
        joined.into_iter().map(|joined| joined.text).collect()
    }
}

fn sample_row(text: &str, fields: &[(String, String)], received: Timestamp) -> Row {
    let mut row = LogRecord { body: Value::from(text), ..LogRecord::default() }.into_row(received);
    for (name, value) in fields.iter().filter(|(name, _)| name != field::BODY) {
        row.set(name, value.as_str());
    }
    row.finish()
}

fn json(value: &Value) -> serde_json::Value {
    serde_json::from_str(&value.to_json()).unwrap_or_default()
}

/// A record a paragraph: its lines, its fields, what was done; then the counters.
impl fmt::Display for DryRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for record in &self.records {
            for line in record.before.lines() {
                writeln!(f, "< {line}")?;
            }
            if let Some(time) = &record.time {
                writeln!(f, "  _time: {time}")?;
            }
            for (name, value) in &record.after {
                writeln!(f, "  {name}: {value}")?;
            }
            for step in &record.steps {
                writeln!(f, "  # {} {}: {} {}", step.kind, step.rule, step.count, step.what)?;
            }
            if let Some(reason) = &record.quarantine {
                writeln!(f, "  # to quarantine: {reason}")?;
            }
            writeln!(f)?;
        }
        for counter in &self.counters {
            writeln!(f, "{} {}: {} {}", counter.kind, counter.rule, counter.count, counter.what)?;
        }
        write!(f, "{} records", self.records.len())
    }
}
