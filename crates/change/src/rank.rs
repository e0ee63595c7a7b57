//! Which change an alert is likely about.
//!
//! Simple on purpose: the same service, and nearness in time. What can not be told apart is called a conflict and left to
//! people; a version split will tell more once verdicts have it.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Change;

/// A change and how likely an alert is about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The change.
    pub change: Change,
    /// 0 (cleared) to 1.
    pub score: f64,
    /// Why, for people.
    pub reason: String,
}

/// The outcome of [`rank`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspects {
    /// The most likely change, if there is one.
    pub first: Option<Suspect>,
    /// Changes that ran at the same time as the first, so that time alone can not tell them apart.
    pub concurrent: Vec<Suspect>,
    /// Changes that were looked at and cleared.
    pub exonerated: Vec<Suspect>,
}

/// Ranks the changes of one service as suspects for an alert that became active at `active_at`, looking `within_ns` back.
///
/// A change that began after the alert did can not have caused it. Of the others the latest is the first suspect, its score
/// falling from 1 to 0 over the window. A change whose run overlaps the first one's is concurrent with it; older ones are cleared,
/// because the service was healthy after them until the first suspect came.
pub fn rank(changes: &[Change], active_at: Timestamp, within_ns: i64) -> Suspects {
    let mut suspects = Suspects::default();
    let mut ordered: Vec<&Change> = changes.iter().collect();
    ordered.sort_by_key(|change| (std::cmp::Reverse(change.started_at), change.key()));
    for change in ordered {
        let age_ns = active_at.0.saturating_sub(change.started_at.0);
        let suspect = |score: f64, reason: String| Suspect { change: change.clone(), score, reason };
        if age_ns < 0 {
            let reason = format!("it began {} after the alert did", human(-age_ns));
            suspects.exonerated.push(suspect(0.0, reason));
        } else if age_ns > within_ns {
            let reason = format!("it began {} before the alert, more than {}", human(age_ns), human(within_ns));
            suspects.exonerated.push(suspect(0.0, reason));
        } else if let Some(first) = &suspects.first {
            if overlap(change, &first.change) {
                let reason = format!("it ran at the same time as {}", first.change.summary());
                suspects.concurrent.push(suspect(score(age_ns, within_ns), reason));
            } else {
                let reason = format!("{} came after it, and the alert after that", first.change.summary());
                suspects.exonerated.push(suspect(0.0, reason));
            }
        } else {
            let reason = format!("same service, began {} before the alert", human(age_ns));
            suspects.first = Some(suspect(score(age_ns, within_ns), reason));
        }
    }
    suspects
}

fn score(age_ns: i64, within_ns: i64) -> f64 {
    1.0 - age_ns as f64 / within_ns.max(1) as f64
}

/// Whether two runs overlap. A change without an end counts as the moment it began: a source that never reports ends must not
/// make every later change of the day a conflict.
fn overlap(a: &Change, b: &Change) -> bool {
    a.started_at <= b.settled_at() && b.started_at <= a.settled_at()
}

/// A duration for people: `90s`, `5m`, `2h`.
fn human(ns: i64) -> String {
    match ns / 1_000_000_000 {
        secs @ 0..=119 => format!("{secs}s"),
        secs @ 120..=7199 => format!("{}m", secs / 60),
        secs => format!("{}h", secs / 3600),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::ChangeReport;

    /// Each change is (version, start, end); the alert is active at 1000, the window is 600 s.
    fn check(changes: &[(&str, i64, Option<i64>)], expect: Expect) {
        let changes: Vec<Change> = changes
            .iter()
            .map(|(version, start, end)| {
                let json = json!({"id": version, "kind": "deploy", "target": {"service": "a"}, "to_version": version,
                    "started_at": start, "finished_at": end});
                ChangeReport::from_json(&json).unwrap().merge_over(None, Timestamp(0)).unwrap()
            })
            .collect();
        let suspects = rank(&changes, Timestamp::from_secs(1000), 600_000_000_000);
        let mut out = String::new();
        let groups = [
            ("first", suspects.first.into_iter().collect()),
            ("concurrent", suspects.concurrent),
            ("exonerated", suspects.exonerated),
        ];
        for (group, members) in groups {
            for Suspect { change, score, reason } in members {
                out.push_str(&format!("{group} {} {score:.2}: {reason}\n", change.id));
            }
        }
        expect.assert_eq(&out);
    }

    #[test]
    fn the_latest_change_before_the_alert_is_the_first_suspect() {
        check(&[], expect![""]);
        check(
            &[("1", 100, None), ("2", 700, Some(710)), ("3", 940, Some(950)), ("4", 1010, None)],
            expect![[r#"
                first 3 0.90: same service, began 60s before the alert
                exonerated 4 0.00: it began 10s after the alert did
                exonerated 2 0.00: deploy of a to 3 came after it, and the alert after that
                exonerated 1 0.00: it began 15m before the alert, more than 10m
            "#]],
        );
        check(
            &[("1", 900, Some(960)), ("2", 940, None)],
            expect![[r#"
                first 2 0.90: same service, began 60s before the alert
                concurrent 1 0.83: it ran at the same time as deploy of a to 2
            "#]],
        );
    }
}
