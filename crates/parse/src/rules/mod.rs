//! Parse rules: files that say which lines are joined, which fields are read out of them, and what must not be kept.
//!
//! [`Rules::load`] reads the files, [`Rules::joiner`] joins the lines of streams, [`Rules::apply`] changes one record, and
//! [`Rules::wants`] tells cheaply, for a record in any form, whether `apply` would look at it. Records are joined first, then
//! parsed by every rule that matches, in the order of the files, then redacted, so that what was read out is redacted too.

mod assign;
mod counts;
mod dry_run;
mod file;
mod matches;
mod raw;

use std::sync::Arc;

use model::{Row, Timestamp, Value, field};

pub use counts::{Counter, Counts};
pub use dry_run::{DryRun, DryRunRecord};
pub use file::{FILE_BYTES_MAX, RULES_MAX};
pub use matches::View;

use crate::Extractor;
use crate::join::{JoinRule, Joiner};
use crate::redact::{Found, Replacement, Scanner};
use assign::{Set, is_listed};
use matches::Match;

/// The field that says why a record was not parsed: the rule and the reason.
pub const PARSE_ERROR: &str = "parse.error";

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, changed or not.
    Kept,
    /// It goes to quarantine, for this reason.
    Quarantine(String),
}

/// The rules of some files.
#[derive(Debug, Default)]
pub struct Rules {
    joins: Arc<[JoinRule]>,
    /// Of each join rule.
    join_matches: Vec<Match>,
    parse: Vec<ParseRule>,
    redact: Vec<RedactRule>,
}

/// One entry of `parse`.
#[derive(Debug)]
struct ParseRule {
    name: String,
    matches: Match,
    from: String,
    extractor: Extractor,
    /// Whether the names of the fields are the rule's or the format's, and not the text's.
    names_are_ours: bool,
    prefix: String,
    keep: bool,
    quarantine: bool,
    sets: Vec<Set>,
    drop: Vec<String>,
    rename: Vec<(String, String)>,
}

/// One entry of `redact`.
#[derive(Debug)]
struct RedactRule {
    name: String,
    matches: Match,
    /// Names; `*` for all, and at the end of a name for all that begin so.
    fields: Vec<String>,
    scanner: Scanner,
    detectors: Vec<&'static str>,
    replacement: Replacement,
}

/// Fields that hold no text of anybody: their values are from a short list, or hexadecimal ids.
const NEVER_REDACTED: [&str; 5] =
    [field::SEVERITY, field::SEVERITY_NUMBER, field::TRACE_ID, field::SPAN_ID, field::OBSERVED_TIME];

impl Rules {
    /// Whether there is nothing to do for any record.
    pub fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.parse.is_empty() && self.redact.is_empty()
    }

    /// How many rules join, parse and redact.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.joins.len(), self.parse.len(), self.redact.len())
    }

    /// Whether lines are joined at all.
    pub fn joins(&self) -> bool {
        !self.joins.is_empty()
    }

    /// The number of the join rule that a record's stream follows, for [`Joiner::push`].
    pub fn join_rule(&self, record: &dyn View) -> Option<usize> {
        self.join_matches.iter().position(|matches| matches.holds(record))
    }

    /// Joins lines by these rules; `T` is what travels with a line.
    pub fn joiner<T>(&self) -> Joiner<T> {
        Joiner::new(self.joins.clone())
    }

    /// Whether [`Rules::apply`] would try to parse the record, or would redact something in it. Records of which this is false may
    /// stay in whatever form they are.
    pub fn wants(&self, record: &dyn View) -> bool {
        let parses = |rule: &ParseRule| rule.matches.holds(record) && record.text(&rule.from).is_some();
        self.parse.iter().any(parses) || self.redact.iter().any(|rule| rule.wants(record))
    }

    /// Parses and redacts a record. `received` is when it came, for times that do not say their year.
    pub fn apply(&self, row: &mut Row, received: Timestamp, counts: &mut Counts) -> Outcome {
        let mut outcome = Outcome::Kept;
        for (at, rule) in self.parse.iter().enumerate() {
            if !rule.matches.holds(row) {
                continue;
            }
            let count = &mut counts.parse[at];
            match rule.apply(row, received) {
                None => {}
                Some(Ok(())) => count.parsed += 1,
                Some(Err(not)) => {
                    let reason = format!("{}: {not}", rule.name);
                    count.failed += 1;
                    if rule.quarantine {
                        count.quarantined += 1;
                        outcome = Outcome::Quarantine(reason);
                        break;
                    }
                    row.set(PARSE_ERROR, reason);
                }
            }
        }
        for (at, rule) in self.redact.iter().enumerate() {
            if rule.matches.holds(row) {
                rule.apply(row, &mut counts.redact[at]);
            }
        }
        outcome
    }
}

impl RedactRule {
    fn looks_at(&self, name: &str) -> bool {
        !NEVER_REDACTED.contains(&name) && is_listed(name, &self.fields)
    }

    fn wants(&self, record: &dyn View) -> bool {
        if !self.matches.holds(record) {
            return false;
        }
        let mut found = Vec::new();
        let mut any = false;
        record.each(&mut |name, text| {
            if !any && self.looks_at(name) {
                self.scanner.scan(text, &mut found);
                any = !found.is_empty();
            }
        });
        any
    }

    fn apply(&self, row: &mut Row, counts: &mut [u64]) {
        let mut found = Vec::new();
        let mut any = false;
        for (name, value) in &mut row.fields {
            if self.looks_at(name) {
                any |= self.value(value, &mut found, counts);
            }
        }
        if any {
            row.stream = model::stream_text(&row.fields).into();
        }
    }

    /// Replaces in a value, a list's items included; whether it did.
    fn value(&self, value: &mut Value, found: &mut Vec<Found>, counts: &mut [u64]) -> bool {
        match value {
            Value::Array(items) => {
                let mut any = false;
                items.iter_mut().for_each(|item| any |= self.value(item, found, counts));
                any
            }
            Value::Map(entries) => {
                let mut any = false;
                entries.iter_mut().for_each(|(_, item)| any |= self.value(item, found, counts));
                any
            }
            // A number may be a card's or a telephone's.
            Value::Str(_) | Value::Int(_) => {
                let text = value.text();
                self.scanner.scan(&text, found);
                if found.is_empty() {
                    return false;
                }
                for place in found.iter() {
                    counts[place.by] += 1;
                }
                *value = Value::Str(self.replacement.replace(&text, found, &self.detectors));
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
