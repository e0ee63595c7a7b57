//! Results as JSON for machines and as Markdown for people.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use sim::{Outcome, Score, Spread, by};

use crate::goals;
use crate::plan::{Content, Group};
use crate::simulate::Outcomes;

/// A whole run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) groups: Vec<GroupResult>,
}

/// The results of one group of releases.
#[derive(Debug, Serialize)]
pub(crate) struct GroupResult {
    pub(crate) group: Group,
    pub(crate) policies: Vec<PolicyResult>,
}

/// The results of one policy.
#[derive(Debug, Serialize)]
pub(crate) struct PolicyResult {
    pub(crate) policy: String,
    pub(crate) overall: Figures,
    pub(crate) by_kind: Vec<(String, Figures)>,
    pub(crate) by_confounder: Vec<(String, Figures)>,
    #[serde(skip)]
    outcomes: Vec<Outcome>,
}

/// A score and what follows from it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    precision: Option<f64>,
    recall: Option<f64>,
    false_rollback_rate: Option<f64>,
    #[serde(flatten)]
    pub(crate) score: Score,
}

impl From<Score> for Figures {
    fn from(score: Score) -> Self {
        Self {
            precision: score.precision(),
            recall: score.recall(),
            false_rollback_rate: score.false_rollback_rate(),
            score,
        }
    }
}

impl Report {
    pub(crate) fn add(&mut self, group: &Group, outcomes: Vec<Outcomes>) {
        let policies = outcomes.into_iter().map(|Outcomes { policy, outcomes }| PolicyResult {
            policy,
            overall: Score::of(&outcomes).into(),
            by_kind: named(by(&outcomes, |outcome| outcome.kind)),
            by_confounder: named(by(&outcomes, |outcome| outcome.confounder)),
            outcomes,
        });
        self.groups.push(GroupResult { group: group.clone(), policies: policies.collect() });
    }

    /// Writes `NAME.json`, `NAME.md`, and every outcome as a line of `NAME.outcomes.ndjson`.
    pub(crate) fn write(&self, dir: &Path, name: &str, markdown: &str) -> Result<()> {
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        std::fs::write(dir.join(format!("{name}.json")), serde_json::to_vec_pretty(self)?)?;
        std::fs::write(dir.join(format!("{name}.md")), markdown)?;
        let mut lines = Vec::new();
        for result in &self.groups {
            for policy in &result.policies {
                for outcome in &policy.outcomes {
                    let line = Line { set: result.group.set, policy: &policy.policy, outcome };
                    serde_json::to_writer(&mut lines, &line)?;
                    lines.push(b'\n');
                }
            }
        }
        std::fs::write(dir.join(format!("{name}.outcomes.ndjson")), lines)?;
        Ok(())
    }

    /// Tables of every group; with a policy that is held to the goals, how it stands to each.
    pub(crate) fn markdown(&self, held: Option<&str>) -> String {
        let mut text = String::new();
        for result in &self.groups {
            let _ = writeln!(text, "### {} ({} releases)\n", capital(&result.group.title()), result.group.count);
            overall(&mut text, result);
            if result.group.content == Content::Mixed {
                let caught = |figures: &Figures| {
                    format!("{} / {}", percent(figures.score.recall()), seconds(figures.score.rollback_s.median))
                };
                let bad = |figures: &Figures| figures.score.bad > 0;
                let title = "Recall / median seconds from the first bad request to the rollback, by kind";
                breakdown(&mut text, result, title, |policy| &policy.by_kind, bad, caught);
                let title = "Recall / good releases rolled back, by what happened beside the release";
                let beside = |figures: &Figures| {
                    let Score { false_rollbacks, good, .. } = figures.score;
                    format!("{} / {false_rollbacks} of {good}", percent(figures.score.recall()))
                };
                breakdown(&mut text, result, title, |policy| &policy.by_confounder, |_| true, beside);
            }
        }
        if let Some(held) = held {
            let _ = writeln!(text, "### Goals, held by {held}\n\n| goal | measured | |\n|---|---|---|");
            for goal in goals::all(self, held) {
                let _ = writeln!(
                    text,
                    "| {} | {} | {} |",
                    goal.wanted,
                    goal.measured,
                    if goal.met { "met" } else { "missed" }
                );
            }
        }
        text
    }
}

#[derive(Serialize)]
struct Line<'a> {
    set: u64,
    policy: &'a str,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

fn named<K: ToString>(scores: Vec<(K, Score)>) -> Vec<(String, Figures)> {
    scores.into_iter().map(|(key, score)| (key.to_string(), score.into())).collect()
}

fn overall(text: &mut String, result: &GroupResult) {
    let _ = writeln!(
        text,
        "| policy | precision | recall | false rollbacks | unfounded | blind | verdict after, s | rollback after, s | failed requests |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
    let unchecked =
        result.policies.iter().find(|policy| policy.policy == "nobody").map(|policy| policy.overall.score.failed);
    for policy in &result.policies {
        let score = &policy.overall.score;
        let part = unchecked
            .filter(|all| *all > 0)
            .map_or(String::new(), |all| format!(" ({})", percent(Some(score.failed as f64 / all as f64))));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} of {} | {} | {} | {} | {} | {}{part} |",
            policy.policy,
            percent(score.precision()),
            percent(score.recall()),
            score.false_rollbacks,
            score.good,
            score.unfounded,
            score.blind,
            spread(score.verdict_s),
            spread(score.rollback_s),
            score.failed,
        );
    }
    text.push('\n');
}

/// A table with a row for each policy and a column for each property of the releases.
fn breakdown(
    text: &mut String,
    result: &GroupResult,
    title: &str,
    rows: impl Fn(&PolicyResult) -> &Vec<(String, Figures)>,
    shown: impl Fn(&Figures) -> bool,
    cell: impl Fn(&Figures) -> String,
) {
    let Some(first) = result.policies.first() else { return };
    let columns: Vec<&str> =
        rows(first).iter().filter(|(_, figures)| shown(figures)).map(|(name, _)| name.as_str()).collect();
    let _ = writeln!(text, "{title}:\n\n| policy | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
    for policy in &result.policies {
        let cells: Vec<String> =
            rows(policy).iter().filter(|(_, figures)| shown(figures)).map(|(_, figures)| cell(figures)).collect();
        let _ = writeln!(text, "| {} | {} |", policy.policy, cells.join(" | "));
    }
    text.push('\n');
}

fn percent(part: Option<f64>) -> String {
    part.map_or("-".to_owned(), |part| format!("{:.1} %", part * 100.0))
}

fn seconds(time: Option<u32>) -> String {
    time.map_or("never".to_owned(), |time| time.to_string())
}

fn spread(spread: Spread) -> String {
    format!("{} / {}", seconds(spread.median), seconds(spread.p95))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
