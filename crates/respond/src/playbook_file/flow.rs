//! Where a run can go: every `goto` leads forward to a step that is there, and what a step uses was found out before.

use std::collections::BTreeSet;

use rules::When;
use serde_saphyr::Spanned;

use super::Reader;
use super::raw::RawStep;
use crate::fill::{Fill, step_of};
use crate::playbook::{Playbook, Step, StepKind};

impl Reader<'_> {
    pub(super) fn check_flow(&mut self, playbook: &Playbook, raw: &[Spanned<RawStep>]) {
        self.check_ids(raw);
        for (place, spanned) in raw.iter().enumerate() {
            for goto in gotos(&spanned.value) {
                match playbook.step_by_id(&goto.value) {
                    None => {
                        let message = format!("there is no step with the id {:?}", goto.value);
                        self.problems.say(goto, message, "give a step that id");
                    }
                    Some(to) if to <= place => self.backwards(playbook, goto, place, to),
                    Some(_) => {}
                }
            }
            self.check_uses(playbook, place, spanned);
        }
    }

    fn check_ids(&mut self, raw: &[Spanned<RawStep>]) {
        let mut ids = BTreeSet::new();
        for id in raw.iter().filter_map(|step| step.value.id.as_ref()) {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if id.value.is_empty() || !id.value.chars().all(fits) {
                let message = format!("the step id {:?} has other characters than letters, digits, _ and -", id.value);
                self.problems.say(id, message, "templates and conditions name steps by their ids");
            }
            if !ids.insert(id.value.replace('-', "_")) {
                self.problems.say(id, format!("the step id {:?} is there twice", id.value), "rename one");
            }
        }
    }

    /// A `goto` only goes forward, so that a run ends. Where it would run in circles, the circle is shown.
    fn backwards(&mut self, playbook: &Playbook, goto: &Spanned<String>, from: usize, to: usize) {
        let hint = "a run only goes forward, so that it ends; page people instead of trying again";
        match path(playbook, to, from) {
            Some(steps) => {
                let names = steps.into_iter().chain([to]).map(|step| playbook.step_name(step));
                let circle: Vec<String> = names.collect();
                self.problems.say(goto, format!("the playbook has a loop: {}", circle.join(" -> ")), hint);
            }
            None => self.problems.say(goto, "a `goto` goes back", hint),
        }
    }

    /// Templates and conditions only use what steps above have found out.
    fn check_uses(&mut self, playbook: &Playbook, place: usize, spanned: &Spanned<RawStep>) {
        let above: BTreeSet<String> = (0..place).map(|step| playbook.step_name(step)).collect();
        let Some(step) = playbook.steps.get(place) else { return };
        for used in used_steps(step) {
            if !above.contains(&used) {
                let message = format!("a template uses steps.{used}, and no step above has that id");
                self.problems.say(spanned, message, "a step can only use what steps above it found out");
            }
        }
        let (StepKind::Decide(decide), Some(raw)) = (&step.kind, &spanned.value.decide) else { return };
        let above: BTreeSet<String> = above.into_iter().map(|name| name.replace('-', "_")).collect();
        for (case, raw) in decide.cases.iter().zip(&raw.value.cases) {
            let Ok(condition) = When::parse(&case.when) else { continue };
            for column in condition.columns() {
                let known = column == "verdict" || step_of(column).is_some_and(|step| above.contains(step));
                if !known {
                    let hint = "there are verdict, and steps.ID.result, .value, .n, .choice and .row.NAME of steps above; \
                                write `-` in an id as `_`";
                    self.problems.say(&raw.when, format!("nothing above finds out {column:?}"), hint);
                }
            }
        }
    }
}

/// Every `goto` of a step, with its place in the file.
fn gotos(raw: &RawStep) -> Vec<&Spanned<String>> {
    let mut found = Vec::new();
    if let Some(decide) = &raw.decide {
        found.extend(decide.value.cases.iter().map(|case| &case.goto));
        found.extend(decide.value.otherwise.as_ref().map(|goto| &goto.goto));
    }
    if let Some(ask) = &raw.ask {
        found.extend(ask.value.choices.values().filter_map(|choice| choice.goto.as_ref()));
        found.extend(ask.value.on_timeout.as_ref().map(|goto| &goto.goto));
    }
    found.extend(raw.on_fail.as_ref().map(|goto| &goto.goto));
    found.extend(raw.next.as_ref().map(|goto| &goto.goto));
    found
}

/// The steps that can follow a step.
pub(super) fn follow(playbook: &Playbook, step: usize) -> Vec<usize> {
    let mut next: Vec<usize> = playbook.after(step).into_iter().collect();
    let gotos = playbook.steps.get(step).map(Step::gotos).unwrap_or_default();
    next.extend(gotos.iter().filter_map(|goto| playbook.step_by_id(goto.to)));
    next.sort_unstable();
    next.dedup();
    next
}

/// A way from one step to another, both included.
fn path(playbook: &Playbook, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut ways = vec![vec![from]];
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = ways.pop() {
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for next in follow(playbook, last) {
            if seen.insert(next) {
                ways.push(way.iter().copied().chain([next]).collect());
            }
        }
    }
    None
}

/// Steps that no run comes to.
pub(super) fn unreachable(playbook: &Playbook) -> Vec<usize> {
    let mut seen = BTreeSet::from([0]);
    let mut ways = vec![0];
    while let Some(step) = ways.pop() {
        ways.extend(follow(playbook, step).into_iter().filter(|next| seen.insert(*next)));
    }
    (0..playbook.steps.len()).filter(|step| !seen.contains(step)).collect()
}

/// The steps whose results the templates of a step use. Calls are of many kinds; all their texts are found in their JSON.
fn used_steps(step: &Step) -> Vec<String> {
    let mut used = Vec::new();
    // A `when` is no template, and shares no text with one.
    if let Ok(json) = serde_json::to_value(step) {
        collect(&json, &mut used);
    }
    used
}

fn collect(json: &serde_json::Value, used: &mut Vec<String>) {
    match json {
        serde_json::Value::String(text) if text.contains("{{") => {
            if let Ok(fill) = Fill::parse(text) {
                used.extend(fill.variables().filter_map(step_of).map(str::to_owned));
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, used)),
        serde_json::Value::Object(fields) => fields.values().for_each(|field| collect(field, used)),
        _ => {}
    }
}
