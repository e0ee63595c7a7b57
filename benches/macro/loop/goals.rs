//! What the product promises of its loop, held against a run.

use sim::{Kind, Score};

use crate::plan::{Content, GOAL_RATE};
use crate::report::Report;

/// Good releases rolled back, at most: fewer than this part.
const FALSE_ROLLBACKS_BELOW: f64 = 0.001;
/// Recall at 2 points of errors must be above this.
const RECALL_ABOVE: f64 = 0.98;
/// Median seconds to the rollback: below 45 at 2 points of errors, below 10 at 10 points.
const MEDIANS_BELOW_S: [(Kind, u32); 2] = [(Kind::Errors(20), 45), (Kind::Errors(100), 10)];

/// A goal and how a run stands to it.
pub(crate) struct Goal {
    pub(crate) wanted: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
}

/// Every goal, for each group of releases that can tell.
pub(crate) fn all(report: &Report, held: &str) -> Vec<Goal> {
    let mut goals = Vec::new();
    for result in &report.groups {
        let Some(ours) = result.policies.iter().find(|policy| policy.policy == held) else { continue };
        let score = &ours.overall.score;
        let mut goal = |wanted: &str, measured: String, met: bool| {
            goals.push(Goal { wanted: format!("{}: {wanted}", result.group.title()), measured, met });
        };
        never_without_sight(score, &mut goal);
        match result.group.content {
            Content::Only(Kind::Good) => {
                let rate = score.false_rollback_rate().unwrap_or(0.0);
                let measured = format!("{} of {}", score.false_rollbacks, score.good);
                goal("fewer than 1 in 1,000 good releases rolled back", measured, rate < FALSE_ROLLBACKS_BELOW);
            }
            Content::Only(kind) if result.group.rate == GOAL_RATE => focus(kind, score, &mut goal),
            Content::Only(_) => {}
            Content::Mixed => {
                let others = result.policies.iter().filter(|policy| policy.policy != held && policy.policy != "nobody");
                for other in others {
                    let (met, measured) = better(score, &other.overall.score);
                    goal(&format!("better than {} on precision, recall and time", other.policy), measured, met);
                }
            }
        }
    }
    goals
}

/// Those that are missed, in words.
pub(crate) fn missed(report: &Report, held: &str) -> Vec<String> {
    let missed = all(report, held).into_iter().filter(|goal| !goal.met);
    missed.map(|goal| format!("{} (measured: {})", goal.wanted, goal.measured)).collect()
}

fn never_without_sight(score: &Score, goal: &mut impl FnMut(&str, String, bool)) {
    let Score { blind, false_when_blinded, false_when_shared, .. } = *score;
    let measured = format!("{blind} blind, {false_when_blinded} good ones");
    goal("no rollback for missing or late telemetry", measured, blind + false_when_blinded == 0);
    goal("no rollback for a dependency's fault", false_when_shared.to_string(), false_when_shared == 0);
}

fn focus(kind: Kind, score: &Score, goal: &mut impl FnMut(&str, String, bool)) {
    for (of, below) in MEDIANS_BELOW_S.into_iter().filter(|(of, _)| *of == kind) {
        let median = score.rollback_s.median;
        let measured = median.map_or("never".to_owned(), |median| format!("{median} s"));
        goal(
            &format!("{of}: median to the rollback below {below} s"),
            measured,
            median.is_some_and(|median| median < below),
        );
    }
    if kind == Kind::Errors(20) {
        let recall = score.recall().unwrap_or(0.0);
        let measured = format!("{} of {}", score.caught, score.bad);
        goal(&format!("{kind}: recall above {RECALL_ABOVE}"), measured, recall > RECALL_ABOVE);
    }
}

/// Whether a score is better on precision, on recall and on the median time to the rollback, all three.
fn better(ours: &Score, theirs: &Score) -> (bool, String) {
    let part = |score: &Score| (score.precision().unwrap_or(0.0), score.recall().unwrap_or(0.0));
    let time = |score: &Score| score.rollback_s.median.unwrap_or(u32::MAX);
    let (our, their) = (part(ours), part(theirs));
    let met = our.0 > their.0 && our.1 > their.1 && time(ours) < time(theirs);
    let shown = |part: (f64, f64), score: &Score| {
        let time = score.rollback_s.median.map_or("never".to_owned(), |median| format!("{median} s"));
        format!("{:.1} %, {:.1} %, {time}", part.0 * 100.0, part.1 * 100.0)
    };
    (met, format!("{}; theirs {}", shown(our, ours), shown(their, theirs)))
}

#[cfg(test)]
mod tests {
    use sim::Spread;

    use super::*;

    fn score(caught: usize, false_rollbacks: usize, median: Option<u32>) -> Score {
        let rollback_s = Spread { median, p95: median };
        Score { good: 100, bad: 100, caught, false_rollbacks, rollback_s, ..Score::default() }
    }

    #[test]
    fn better_means_all_three() {
        let theirs = score(80, 5, Some(60));
        assert!(better(&score(90, 1, Some(10)), &theirs).0);
        assert!(!better(&score(80, 1, Some(10)), &theirs).0, "recall alike");
        assert!(!better(&score(90, 9, Some(10)), &theirs).0, "less precise");
        assert!(!better(&score(90, 1, Some(60)), &theirs).0, "as slow");
        assert!(better(&score(90, 1, Some(60)), &score(40, 5, None)).0, "never is slower than any time");
    }

    #[test]
    fn goals_of_a_kind_are_its_own() {
        let met = |kind, score: &Score| {
            let mut found = Vec::new();
            focus(kind, score, &mut |_, _, met| found.push(met));
            found
        };
        assert_eq!(met(Kind::Errors(20), &score(99, 0, Some(44))), [true, true]);
        assert_eq!(met(Kind::Errors(20), &score(98, 0, Some(45))), [false, false]);
        assert_eq!(met(Kind::Errors(100), &score(10, 0, Some(9))), [true]);
        assert_eq!(met(Kind::Leak, &score(99, 0, Some(9))), [false; 0]);
    }

    #[test]
    fn a_blind_rollback_misses_a_goal() {
        let met = |score: &Score| {
            let mut found = Vec::new();
            never_without_sight(score, &mut |_, _, met| found.push(met));
            found
        };
        assert_eq!(met(&Score::default()), [true, true]);
        assert_eq!(met(&Score { blind: 1, ..Score::default() }), [false, true]);
        assert_eq!(met(&Score { false_when_shared: 1, ..Score::default() }), [true, false]);
    }
}
