//! Parse rules over what was decoded: lines that belong together become one record, fields are read out, secrets are taken out, and
//! what could not be parsed and is not wanted so goes to quarantine.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::RecordBatch;
use column::{FieldView, field_names, rows_from_batch};
use decode::{Decoded, Reject};
use model::{Row, Timestamp, field};
use parking_lot::Mutex;
use parse::rules::{Counter, Counts, Outcome, Rules, View};
use telemetry::metrics;

/// The rules of a pipeline, and how often each did something.
#[derive(Debug)]
pub struct ParseRules {
    rules: Rules,
    counts: Mutex<Counts>,
}

impl ParseRules {
    /// With nothing counted.
    pub fn new(rules: Rules) -> Self {
        let counts = Mutex::new(rules.counts());
        Self { rules, counts }
    }

    /// How often each rule did what.
    pub fn counters(&self) -> Vec<Counter<'_>> {
        self.rules.counters(&self.counts.lock())
    }

    /// Applies the rules to the log records of a request. Lines are joined within the request: none is held back, for it is
    /// acknowledged as a whole.
    pub(crate) fn apply(self: &Arc<Self>, decoded: &mut Decoded, received: Timestamp) {
        if self.rules.is_empty() {
            return;
        }
        self.take_batches(decoded);
        if self.rules.joins() {
            decoded.logs = self.joined(std::mem::take(&mut decoded.logs), received);
        }
        let mut counts = self.rules.counts();
        let mut kept = Vec::with_capacity(decoded.logs.len());
        for mut row in std::mem::take(&mut decoded.logs) {
            if !self.rules.wants(&row) {
                kept.push(row);
                continue;
            }
            match self.rules.apply(&mut row, received, &mut counts) {
                // What names the stream may have changed.
                Outcome::Kept => kept.push(row.finish()),
                Outcome::Quarantine(reason) => decoded.rejects.push(Reject::new(reason, row.body().as_bytes())),
            }
        }
        decoded.logs = kept;
        for counter in self.rules.counters(&counts).into_iter().filter(|counter| counter.count > 0) {
            let outcome = if counter.kind == "redact" { "redacted" } else { counter.what };
            metrics::PARSE_RULES.add(outcome, counter.count);
        }
        self.counts.lock().add(&counts);
    }

    /// Columns of which no row is meant stay columns; the others become rows.
    fn take_batches(&self, decoded: &mut Decoded) {
        let batches = std::mem::take(&mut decoded.log_batches);
        for batch in batches {
            let meant = (0..batch.num_rows()).any(|row| {
                let line = Line { batch: &batch, row };
                (self.rules.joins() && self.rules.join_rule(&line).is_some()) || self.rules.wants(&line)
            });
            if meant {
                decoded.logs.extend(rows_from_batch(&batch));
            } else {
                decoded.log_batches.push(batch);
            }
        }
    }

    /// Rows with those that belong together as one, in the order in which each began.
    fn joined(&self, rows: Vec<Row>, received: Timestamp) -> Vec<Row> {
        let mut joiner = self.rules.joiner::<(usize, Row)>();
        let (mut ended, mut out) = (Vec::new(), Vec::with_capacity(rows.len()));
        for (nth, row) in rows.into_iter().enumerate() {
            let stream = row.stream.to_string();
            match self.rules.join_rule(&row) {
                Some(rule) => {
                    let body = row.body().to_owned();
                    joiner.push(&stream, rule, &body, received, (nth, row), &mut ended);
                }
                None => {
                    joiner.flush_stream(&stream, &mut ended);
                    out.push((nth, row));
                }
            }
        }
        joiner.flush(&mut ended);
        for record in ended {
            let (nth, mut row) = record.first;
            if record.lines > 1 {
                row.set(field::BODY, record.text);
            }
            out.push((nth, row));
        }
        out.sort_by_key(|(nth, _)| *nth);
        out.into_iter().map(|(_, row)| row).collect()
    }
}

/// A row of a batch of columns.
struct Line<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl View for Line<'_> {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        FieldView::new(self.batch, name).text(self.row)
    }

    fn each(&self, show: &mut dyn FnMut(&str, &str)) {
        for name in field_names(self.batch) {
            if let Some(text) = FieldView::new(self.batch, &name).text(self.row) {
                show(&name, &text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(yaml: &str) -> Arc<ParseRules> {
        let rules = Rules::load(&[("rules.yaml".to_owned(), yaml.to_owned())], b"key");
        Arc::new(ParseRules::new(rules.expect("rules")))
    }

    fn row(service: &str, body: &str) -> Row {
        let mut row = Row::new(Timestamp(0));
        row.set("service.name", service);
        row.set("body", body);
        row.finish()
    }

    const RULES: &str = r"
join:
- name: java
  match: {service.name: java}
  kind: java
parse:
- name: api
  match: {service.name: api}
  format: json
  on_error: quarantine
redact:
- name: secrets
  fields: ['*']
  detect: [email]
";

    #[test]
    fn records_are_joined_parsed_redacted_and_quarantined() {
        let rules = rules(RULES);
        let mut decoded = Decoded {
            logs: vec![
                row("java", "java.lang.IllegalStateException: no"),
                row("api", r#"{"status": 500, "user": "ann@example.com"}"#),
                row("java", "\tat a.B.c(B.java:1)"),
                row("api", "no json"),
                row("other", "plain"),
            ],
            ..Decoded::default()
        };
        rules.apply(&mut decoded, Timestamp(0));
        let bodies: Vec<&str> = decoded.logs.iter().map(Row::body).collect();
        assert_eq!(bodies.len(), 3, "{bodies:?}");
        assert_eq!(bodies[0], "java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)");
        assert_eq!(decoded.logs[1].get("status"), Some(&model::Value::Int(500)));
        assert!(!format!("{:?}", decoded.logs[1]).contains("ann@example.com"), "{:?}", decoded.logs[1]);
        assert_eq!(bodies[2], "plain");
        assert!(decoded.rejects[0].reason.starts_with("api: "), "{}", decoded.rejects[0].reason);
        let redacted = metrics::PARSE_RULES.get("redacted");
        assert!(redacted >= 1, "{redacted}");
        let counted: u64 = rules.counters().iter().map(|counter| counter.count).sum();
        assert!(counted >= 3, "{:?}", rules.counters());
    }

    #[test]
    fn columns_stay_columns_unless_a_rule_means_them() {
        let rules = rules(RULES);
        let plain = [row("other", "plain"), row("other", "more")];
        let meant = [row("api", r#"{"status": 200}"#), row("other", "x")];
        let batch = |rows: &[Row]| column::rows_to_batch(&rows.iter().collect::<Vec<_>>());
        let mut decoded = Decoded { log_batches: vec![batch(&plain), batch(&meant)], ..Decoded::default() };
        rules.apply(&mut decoded, Timestamp(0));
        assert_eq!((decoded.log_batches.len(), decoded.logs.len()), (1, 2));
        assert_eq!(decoded.logs[0].get("status"), Some(&model::Value::Int(200)));
    }
}
