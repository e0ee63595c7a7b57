//! Checks of the catalogue that are log queries, or that count events.

use super::*;
use crate::MeasuredKind;
use crate::measures::Measures;
use crate::telemetry::{Telemetry, Versions};

/// A shop whose `checkout` logs a line for each of its 50 requests a second, half of them of the new version from second 0 on. Its
/// metrics are those of `counters`, if it has any.
struct Logs {
    counters: Option<World>,
    /// Share of lines that tell of a failure, an event, or how full it is: old version, new version.
    shares: (f64, f64),
    /// What rows are told apart by.
    by: Option<&'static str>,
    /// Whether the column `bad` is there.
    has_bad: bool,
}

const LOGS: Logs = Logs { counters: None, shares: (0.01, 0.01), by: Some("service.version"), has_bad: true };

impl RuleQuery for Logs {
    fn instant(&self, expr: &str, now: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        self.counters.map_or_else(|| Ok(Vec::new()), |world| world.instant(expr, now))
    }

    fn logs(&self, query: &str, range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        if !query.starts_with("check:") {
            return Ok(Vec::new());
        }
        let second = |time: Timestamp| (time.0 - START.0) as f64 / 1e9;
        let (from, to) = (second(range.start), second(range.end));
        let before = (to.min(0.0) - from.min(0.0)) * RATE;
        let half = (to.max(0.0) - from.max(0.0)) * RATE / 2.0;
        let mut rows: Vec<BTreeMap<String, Value>> = Vec::new();
        for (version, n, share) in [("1", before + half, self.shares.0), ("2", half, self.shares.1)] {
            let (events, n) = ((n * share).round(), n.round());
            if n == 0.0 {
                continue;
            }
            let mut row = BTreeMap::from([("n".to_owned(), if self.has_bad { n } else { events })]);
            if self.has_bad {
                row.insert("bad".to_owned(), events);
            }
            if query.contains("level") {
                row = BTreeMap::from([("n".to_owned(), share)]);
            }
            let mut row: BTreeMap<String, Value> = row.into_iter().map(|(name, n)| (name, Value::Double(n))).collect();
            if let Some(by) = self.by {
                row.insert(by.to_owned(), Value::Str(version.to_owned()));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// One check, and no dependencies.
struct Checked(Measured);

impl Topology for Checked {
    fn dependencies(&self, _service: &str) -> Vec<String> {
        Vec::new()
    }

    fn bake_ns(&self, service: &str, kind: ChangeKind) -> i64 {
        NoTopology.bake_ns(service, kind).min(300 * SECOND_NS)
    }

    fn measures(&self, _service: &str) -> Vec<Measured> {
        vec![self.0.clone()]
    }
}

fn measure(kind: MeasuredKind) -> Measured {
    Measured {
        name: "orders".to_owned(),
        kind,
        total: "check: $window".to_owned(),
        bad: None,
        logs: true,
        version_label: Some("service_version".to_owned()),
    }
}

fn check(world: &Logs, measure: Measured, seconds: i64, want: Expect) {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, "7", "deploy", Some("2"), 0);
    let well = Arc::new(|_: Timestamp| None);
    let mut told = told(&ledger, world, &(Arc::new(Checked(measure)), well), seconds);
    let found = record_of(&*ledger, "ci/7").expect("ledger").expect("a watch");
    let telling = |signal: &&verdict::Signal| signal.verdict == verdict::Verdict::Bad;
    for signal in found.card.signals.iter().filter(telling) {
        told.push_str(&format!("{} by {:?}\n", signal.name, signal.query));
    }
    want.assert_eq(&told);
}

#[test]
fn failures_in_logs_are_compared_by_version_and_with_before() {
    check(
        &Logs { shares: (0.01, 0.15), ..LOGS },
        measure(MeasuredKind::Errors),
        90,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            10s unknown (too few requests to tell): 100 requests of 2 so far
            14s bad: 15.00 % of 200 requests of 2 fail, 1.00 % of 200 of 1
            14s fires: deploy of checkout 1 -> 2 is bad: 15.00 % of 200 requests of 2 fail, 1.00 % of 200 of 1
            errors by "check: $window"
            errors against before by "check: $window"
        "#]],
    );
    check(
        &LOGS,
        measure(MeasuredKind::Errors),
        200,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            10s unknown (too few requests to tell): 100 requests of 2 so far
            125s good: 2900 requests of 2 show no harm
        "#]],
    );
}

#[test]
fn failures_in_logs_that_know_no_version_are_compared_with_before() {
    let off = Measured { version_label: None, ..measure(MeasuredKind::Errors) };
    // Both sides of the change are one row then, so the share is that of all.
    check(
        &Logs { shares: (0.01, 0.3), by: None, ..LOGS },
        off.clone(),
        90,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            10s unknown (too few requests to tell): 200 requests of 2 so far
            18s bad: 15.50 % of 600 requests of 2 fail, 1.00 % of 360000 before
            18s fires: deploy of checkout 1 -> 2 is bad: 15.50 % of 600 requests of 2 fail, 1.00 % of 360000 before
            errors against before by "check: $window"
        "#]],
    );
    check(
        &Logs { by: None, ..LOGS },
        off,
        200,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            10s unknown (too few requests to tell): 200 requests of 2 so far
            125s good: 5800 requests of 2 show no harm
        "#]],
    );
}

#[test]
fn rows_without_their_numbers_are_an_error_and_no_good_news() {
    check(
        &Logs { has_bad: false, ..LOGS },
        measure(MeasuredKind::Errors),
        60,
        expect![[r#"
        1s unknown (could not be measured at the last evaluation): a row of the check "orders" has no number bad
    "#]],
    );
}

#[test]
fn events_are_counted_by_request() {
    let world = Logs { counters: Some(WELL), shares: (0.002, 0.2), has_bad: false, ..LOGS };
    check(
        &world,
        measure(MeasuredKind::Count),
        60,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            2s unknown (too few requests to tell): 24 requests of 2 so far
            12s bad: 15 of 274 requests of 2 log it, at most 0.60 % is usual
            12s fires: deploy of checkout 1 -> 2 is bad: 15 of 274 requests of 2 log it, at most 0.60 % is usual
            error lines: check orders by "check: $window"
        "#]],
    );
    // As often as ever: usual, however often.
    let world = Logs { shares: (0.2, 0.2), ..world };
    check(
        &world,
        measure(MeasuredKind::Count),
        60,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            2s unknown (too few requests to tell): 24 requests of 2 so far
        "#]],
    );
}

#[test]
fn how_full_something_is_comes_from_logs_too() {
    let level = Measured { total: "check: level".to_owned(), ..measure(MeasuredKind::Saturation) };
    let telemetry = Telemetry { measures: vec![level], ..Telemetry::default() };
    let versions = Versions { new: Some("2".to_owned()), label: None };
    let mut measures = Measures::from(START);
    let mut look = |second: i64| {
        measures.look(&telemetry, &versions, &Logs { shares: (0.4, 0.7), ..LOGS }, at(second)).expect("rows");
        measures.take_fill().into_iter().map(|(role, share)| format!("{role:?} {share}")).collect::<Vec<_>>().join(", ")
    };
    // Each window says it once: what was measured long ago is not taken for what is measured now.
    assert_eq!([8, 9, 10, 12, 13].map(&mut look), ["", "Old 0.4, New 0.7", "", "", "Old 0.4, New 0.7"]);
}
