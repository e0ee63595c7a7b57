//! Error lines by their shape.

use std::collections::BTreeMap;

use model::{TimeRange, Timestamp, Value, field};
use rules::{RuleQuery, RuleQueryError};

/// Most error lines of one slot that are read; when there are more, those read stand for all.
const LINES_MAX: usize = 2_000;
/// Longest pattern that is kept, in characters.
const PATTERN_CHARS_MAX: usize = 160;
/// The least severity that counts as an error.
const SEVERITIES: &str = "severity:in(ERROR, FATAL)";
/// How late lines may arrive and still count, in nanoseconds. Agents send each few seconds, and later when a collector was away.
pub(crate) const LATE_MAX_NS: i64 = 180_000_000_000;

/// Lines by version and pattern.
pub(crate) type Lines = BTreeMap<(String, String), f64>;

/// The error lines of a service from a time on, whenever they arrive.
///
/// Time is cut into slots. Each look counts the lines of the late slots, and reads those slots again that have more than when they
/// were read: what came late is found without reading everything again.
pub(crate) struct ErrorLines {
    service: String,
    from: Timestamp,
    until: Timestamp,
    slot_ns: i64,
    slots: BTreeMap<Timestamp, Slot>,
    cutter: shape::Cutter,
}

#[derive(Default)]
struct Slot {
    count: f64,
    lines: Lines,
}

impl ErrorLines {
    /// Of the time from `from` on, in slots of whole seconds.
    pub(crate) fn new(service: &str, from: Timestamp, slot_ns: i64) -> Self {
        let (slots, cutter) = (BTreeMap::new(), shape::Cutter::default());
        Self { service: service.to_owned(), from, until: from, slot_ns, slots, cutter }
    }

    /// The lines before `until` that were not there at the last call.
    pub(crate) fn advance(&mut self, query: &dyn RuleQuery, until: Timestamp) -> Result<Lines, RuleQueryError> {
        let mut new = Lines::new();
        let late = until.saturating_add_ns(-LATE_MAX_NS).min(self.until);
        let start = self.slot_of(late).max(self.from);
        if start >= until {
            return Ok(new);
        }
        for (at, count) in self.counts(query, TimeRange::new(start, until))? {
            if self.slots.get(&at).is_some_and(|known| known.count >= count) {
                continue;
            }
            let range = TimeRange::new(at.max(self.from), at.saturating_add_ns(self.slot_ns).min(until));
            let slot = self.read(query, range, count)?;
            let known = self.slots.insert(at, slot).unwrap_or_default();
            for (key, count) in self.slots.get(&at).iter().flat_map(|slot| &slot.lines) {
                let more = count - known.lines.get(key).copied().unwrap_or(0.0);
                if more > 0.0 {
                    *new.entry(key.clone()).or_default() += more;
                }
            }
        }
        self.slots = self.slots.split_off(&self.slot_of(late));
        self.until = until;
        Ok(new)
    }

    fn slot_of(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.div_euclid(self.slot_ns) * self.slot_ns)
    }

    fn filter(&self) -> String {
        format!("service.name:={} {SEVERITIES}", serde_json::Value::String(self.service.clone()))
    }

    /// How many lines each slot has.
    fn counts(&self, query: &dyn RuleQuery, range: TimeRange) -> Result<Vec<(Timestamp, f64)>, RuleQueryError> {
        let slot_s = self.slot_ns / 1_000_000_000;
        let text = format!("{} | stats by (_time:{slot_s}s) count() as n", self.filter());
        let mut counts = Vec::new();
        for row in query.logs(&text, range)? {
            let time = row.get(field::TIME).map(Value::text).unwrap_or_default();
            let at = Timestamp::parse(&time, range.end)
                .map_err(|error| RuleQueryError(format!("the start of a slot is no time: {error}")))?;
            counts.push((at, row.get("n").and_then(Value::number).unwrap_or(0.0)));
        }
        Ok(counts)
    }

    fn read(&mut self, query: &dyn RuleQuery, range: TimeRange, count: f64) -> Result<Slot, RuleQueryError> {
        let text = format!("{} | fields body, service.version | limit {LINES_MAX}", self.filter());
        let rows = query.logs(&text, range)?;
        let mut slot = Slot { count: rows.len() as f64, lines: Lines::new() };
        let mut weight = 1.0;
        if rows.len() >= LINES_MAX {
            weight = (count / rows.len() as f64).max(1.0);
            slot.count = slot.count.max(count);
        }
        for row in rows {
            let text = |name: &str| row.get(name).map(Value::text).unwrap_or_default();
            let pattern = pattern(&mut self.cutter, &text(field::BODY));
            *slot.lines.entry((text(field::SERVICE_VERSION).into_owned(), pattern)).or_default() += weight;
        }
        Ok(slot)
    }
}

/// A line with `*` for what varies.
fn pattern(cutter: &mut shape::Cutter, line: &str) -> String {
    let (mut shape, mut variables) = (String::new(), String::new());
    let first = line.lines().next().unwrap_or("");
    shape::marked(cutter, first, &mut shape, &mut variables);
    let holes_as_stars = shape.chars().map(|c| if c.is_control() { '*' } else { c });
    holes_as_stars.take(PATTERN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use expect_test::{Expect, expect};
    use model::Labels;

    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(1_795_424_400 + second)
    }

    /// Lines: when they happened, when they arrived, how many, the text.
    struct Log {
        lines: Vec<(i64, i64, usize, &'static str)>,
        now: i64,
        asked: Cell<usize>,
    }

    impl RuleQuery for Log {
        fn instant(&self, _expr: &str, _at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
            Ok(Vec::new())
        }

        fn logs(&self, query: &str, range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
            self.asked.set(self.asked.get() + 1);
            let found = self.lines.iter().filter(|(time, came, ..)| *came <= self.now && range.contains(at(*time)));
            let found = found.flat_map(|(time, _, n, text)| std::iter::repeat_n((*time, *text), *n));
            if query.contains("| stats by (_time:10s)") {
                let mut slots: BTreeMap<i64, i64> = BTreeMap::new();
                found.for_each(|(time, _)| *slots.entry(time / 10 * 10).or_default() += 1);
                let row = |(time, n): (i64, i64)| {
                    [("_time".to_owned(), Value::Str(at(time).to_string())), ("n".to_owned(), Value::Int(n))].into()
                };
                return Ok(slots.into_iter().map(row).collect());
            }
            assert!(query.ends_with("| fields body, service.version | limit 2000"), "{query}");
            let row = |(_, text): (i64, &str)| {
                [("body".to_owned(), Value::Str(text.to_owned())), ("service.version".to_owned(), "2".into())].into()
            };
            Ok(found.take(LINES_MAX).map(row).collect())
        }
    }

    /// What is new at each of some seconds, and how many questions it took.
    fn check(lines: &[(i64, i64, usize, &'static str)], looks: &[i64], want: Expect) {
        let mut log = Log { lines: lines.to_vec(), now: 0, asked: Cell::new(0) };
        let mut watched = ErrorLines::new("checkout", at(3), 10 * SECOND_NS);
        let mut told = String::new();
        for second in looks {
            log.now = *second;
            log.asked.set(0);
            let new = watched.advance(&log, at(*second)).expect("an answer");
            let new: Vec<String> = new.iter().map(|((_, pattern), n)| format!("{n} {pattern}")).collect();
            told.push_str(&format!("{second}s {:?}, {} questions\n", new, log.asked.get()));
        }
        want.assert_eq(&told);
    }

    #[test]
    fn lines_count_once_whenever_they_come() {
        check(
            &[
                (1, 1, 9, "before the change"),
                (4, 4, 1, "timeout after 17 ms"),
                (8, 8, 2, "timeout after 4 ms"),
                (8, 95, 3, "timeout after 5 ms"),
                (9, 150, 1, "no route to 10.0.0.1"),
                (12, 400, 5, "far too late"),
            ],
            &[4, 5, 10, 11, 30, 100, 160, 161, 420],
            expect![[r#"
                4s [], 1 questions
                5s ["1 timeout after * ms"], 2 questions
                10s ["2 timeout after * ms"], 2 questions
                11s [], 1 questions
                30s [], 1 questions
                100s ["3 timeout after * ms"], 2 questions
                160s ["1 no route to *.*.*.*"], 2 questions
                161s [], 1 questions
                420s [], 1 questions
            "#]],
        );
    }

    #[test]
    fn too_many_lines_are_weighed() {
        check(
            &[(5, 5, 5_000, "boom"), (15, 15, 1, "boom")],
            &[6, 7, 16],
            expect![[r#"
            6s ["5000 boom"], 2 questions
            7s [], 1 questions
            16s ["1 boom"], 2 questions
        "#]],
        );
    }
}
