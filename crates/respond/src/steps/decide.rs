//! `decide`: goes where the first case leads whose condition holds.

use std::collections::BTreeMap;

use model::{Timestamp, Value};
use rules::When;
use serde_json::json;

use super::Cx;
use crate::attribute::Scene;
use crate::plan::found;
use crate::playbook::Decide;
use crate::writes::Batch;
use crate::{EntryKind, Outcome, RespondError, Responder, Run, Verdict};

impl Responder {
    pub(super) fn choose(&self, run: Run, decide: &Decide, cx: &mut Cx<'_>) -> Result<Option<Timestamp>, RespondError> {
        let seen = self.deciding.lock();
        let alert = self.alert_of(&run, seen.live.get(&run.alert))?;
        let evidence = self.gather(&run, Scene { alert: &alert, live: &seen.live }, cx.now)?;
        let verdict = match evidence.verdict {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Unknown(_) => "unknown",
        };
        let row = row(found(&run), verdict);
        let mut unknown = Vec::new();
        let mut taken = None;
        for case in &decide.cases {
            // It was checked when the file was loaded.
            let Ok(condition) = When::parse(&case.when) else { continue };
            let missing: Vec<&str> = condition.columns().into_iter().filter(|name| !row.contains_key(*name)).collect();
            if missing.is_empty() && condition.holds(&row) {
                taken = Some((case.when.clone(), case.goto.as_str()));
                break;
            }
            unknown.extend(missing.into_iter().map(str::to_owned));
        }
        let mut batch = Batch::new(cx.now);
        let why = if unknown.is_empty() { String::new() } else { format!(" ({} not known)", unknown.join(", ")) };
        let (text, to) = match (&taken, decide.otherwise.as_deref()) {
            (Some((when, goto)), _) => (format!("{when}: on to {goto}"), Some(*goto)),
            (None, Some(goto)) => (format!("no case holds{why}: on to {goto}"), Some(goto)),
            (None, None) => (format!("no case holds{why}: on to the step below"), None),
        };
        let known: Vec<(String, String)> =
            row.iter().map(|(name, value)| (name.clone(), value.text().into_owned())).collect();
        batch.timeline(&run.incident, EntryKind::Decision, &text, json!({"run": run.id, "known": known}));
        match to.map(|id| run.playbook.step_by_id(id)) {
            None => self.next_step(run, batch, cx.now)?,
            Some(Some(step)) => self.jump(run, step, batch, cx.now)?,
            Some(None) => self.fail_step(run, Outcome::Held, &text, None, batch, cx.now)?,
        }
        Ok(None)
    }
}

/// What is known, as conditions name it: they can not say `-`, so the ids of steps are written with `_` there.
fn row(values: BTreeMap<String, Value>, verdict: &str) -> BTreeMap<String, Value> {
    let mut row: BTreeMap<String, Value> =
        values.into_iter().map(|(name, value)| (name.replace('-', "_"), value)).collect();
    row.insert("verdict".to_owned(), Value::Str(verdict.to_owned()));
    row
}
