//! Playbook files, from YAML to checked playbooks.
//!
//! `raw` is the shape of the file, `guards` and `steps` read its parts, `flow` checks where a run can go.

mod flow;
mod guards;
mod raw;
mod steps;

use std::fmt;

use rules::{Problem, Problems, QueryProblem, yaml_problem};
use serde::Serialize;
use serde_json::Value as Json;
use serde_saphyr::Spanned;

use crate::fill::Fill;
use crate::playbook::{Mode, Playbook, RequiredVerdict, Requires, Step};
use crate::{Risk, Verb};
use raw::{RawPlaybook, RawRequires};

/// Most steps of a playbook.
pub const STEPS_MAX: usize = 100;

/// Largest playbook file, in bytes.
pub const PLAYBOOK_BYTES_MAX: usize = 1024 * 1024;

/// Most kinds of witnesses that there are to ask for.
const WITNESSES_MAX: usize = 4;

/// What a check of playbook files found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlaybookReport {
    /// The mistakes, by file and place.
    pub problems: Vec<Problem>,
    /// What is right and worth saying.
    pub notes: Vec<String>,
    /// How many playbooks are right.
    pub playbooks: usize,
}

impl PlaybookReport {
    /// Whether there is no mistake.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for PlaybookReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        write!(f, "{} playbooks, {} problems", self.playbooks, self.problems.len())
    }
}

/// Reads playbook files, given as name and text, one playbook each.
pub fn load_playbooks(files: &[(String, String)]) -> (Vec<Playbook>, PlaybookReport) {
    let mut playbooks: Vec<Playbook> = Vec::new();
    let mut report = PlaybookReport::default();
    for (file, text) in files {
        let (found, problems) = parse(file, text);
        report.problems.extend(problems);
        let Some(found) = found else { continue };
        if let Some(known) = playbooks.iter().find(|known| known.name == found.name) {
            let message = format!("the playbook {:?} is in {} too", found.name, known.file);
            let hint = Some("give every playbook a name of its own".to_owned());
            report.problems.push(Problem { file: file.clone(), line: 1, column: 1, message, hint });
            continue;
        }
        report.notes.extend(notes(&found));
        playbooks.push(found);
    }
    report.problems.sort();
    report.playbooks = playbooks.len();
    (playbooks, report)
}

/// Checks playbook files, given as name and text.
pub fn check_playbooks(files: &[(String, String)]) -> PlaybookReport {
    load_playbooks(files).1
}

/// What is right and worth saying of a playbook.
fn notes(playbook: &Playbook) -> Vec<String> {
    let mut notes = Vec::new();
    for place in flow::unreachable(playbook) {
        notes.push(format!("{}: no run ever comes to the step {}", playbook.name, playbook.step_name(place)));
    }
    let acts = playbook.steps.iter().any(|step| step.kind.acting().is_some());
    let verifies = playbook.steps.iter().any(|step| matches!(step.kind, crate::StepKind::Verify(_)));
    if acts && !verifies {
        notes.push(format!("{}: it acts and never verifies that it helped; its record stays empty", playbook.name));
    }
    notes
}

fn parse(file: &str, text: &str) -> (Option<Playbook>, Vec<Problem>) {
    if text.len() > PLAYBOOK_BYTES_MAX {
        let message = format!("the file has {} bytes, {PLAYBOOK_BYTES_MAX} are allowed", text.len());
        return (None, vec![Problem { file: file.to_owned(), line: 1, column: 1, message, hint: None }]);
    }
    match serde_saphyr::from_str::<RawPlaybook>(text) {
        Ok(raw) => {
            let mut reader = Reader { problems: Problems::new(file, text) };
            let playbook = reader.playbook(raw);
            (playbook.filter(|_| reader.problems.found.is_empty()), reader.problems.found)
        }
        Err(error) => (None, vec![yaml_problem(file, &error)]),
    }
}

struct Reader<'a> {
    problems: Problems<'a>,
}

impl Reader<'_> {
    fn playbook(&mut self, raw: RawPlaybook) -> Option<Playbook> {
        if raw.playbook.value.is_empty() {
            self.problems.say(&raw.playbook, "the playbook has no name", "give it one");
        }
        let mode = self.mode(raw.mode.as_ref(), Mode::Observe);
        let mode_max = self.mode(raw.mode_max.as_ref(), Mode::Auto);
        if let (Some(mode), Some(max), Some(at)) = (mode, mode_max, raw.mode_max.as_ref())
            && max < mode
        {
            self.problems.say(at, "mode_max is below mode", "raise it, or lower mode");
        }
        let requires = self.requires(&raw.requires);
        let guards = self.guards(&raw.guards);
        let count = raw.steps.value.len();
        if count == 0 || count > STEPS_MAX {
            self.problems.say(&raw.steps, format!("the playbook has {count} steps"), "it has 1 to 100");
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut complete = true;
        for spanned in &raw.steps.value {
            match self.step(spanned) {
                Some(step) => steps.push(step),
                None => complete = false,
            }
        }
        let playbook = Playbook {
            name: raw.playbook.value.clone(),
            file: self.problems.mapper.file.to_owned(),
            mode: mode?,
            mode_max: mode_max?,
            matches: raw.matches.clone(),
            requires,
            guards,
            steps,
        };
        // With a step missing, every other complaint would be about its absence.
        if complete {
            self.check_flow(&playbook, &raw.steps.value);
            self.check_verdict(&playbook, &raw);
        }
        Some(playbook)
    }

    fn mode(&mut self, word: Option<&Spanned<String>>, default: Mode) -> Option<Mode> {
        let Some(word) = word else { return Some(default) };
        let found = Mode::parse(&word.value);
        if found.is_none() {
            self.problems.say(
                word,
                format!("there is no mode {:?}", word.value),
                "it is observe, suggest, approve or auto",
            );
        }
        found
    }

    fn requires(&mut self, raw: &RawRequires) -> Requires {
        let mut requires = Requires::default();
        match raw.verdict.as_ref().map(|verdict| (verdict, verdict.value.as_str())) {
            None | Some((_, "bad")) => {}
            Some((_, "none")) => requires.verdict = RequiredVerdict::None,
            Some((verdict, word)) => {
                let hint = "only `bad` may act; `none` is for playbooks that roll nothing back";
                self.problems.say(verdict, format!("verdict can not be {word:?}"), hint);
            }
        }
        if let Some(within_ns) = self.problems.duration(raw.change_within.as_ref()) {
            requires.change_within_ns = within_ns;
        }
        match &raw.witnesses {
            Some(count) if !(1..=WITNESSES_MAX).contains(&count.value) => {
                let hint = "it is 1 to 4: metric alert, log alert, watch and probe are the kinds";
                self.problems.say(count, format!("witnesses is {}", count.value), hint);
            }
            Some(count) => requires.witnesses = count.value,
            None => {}
        }
        requires
    }

    /// A rollback needs the verdict bad, whatever the rest of the playbook needs.
    fn check_verdict(&mut self, playbook: &Playbook, raw: &RawPlaybook) {
        let undoes = |step: &Step| step.kind.acting().is_some_and(|act| act.verb == Verb::Rollback);
        let none = playbook.requires.verdict == RequiredVerdict::None;
        if let (true, Some(at)) = (none && playbook.steps.iter().any(undoes), &raw.requires.verdict) {
            self.problems.say(at, "the playbook rolls back and requires no verdict", "only `bad` may roll back");
        }
    }

    fn risk(&mut self, word: Option<&Spanned<String>>, default: Risk) -> Risk {
        let Some(word) = word else { return default };
        Risk::parse(&word.value).unwrap_or_else(|| {
            self.problems.say(word, format!("there is no risk {:?}", word.value), "it is none, low, medium or high");
            default
        })
    }

    fn fill(&mut self, text: &Spanned<String>) -> Option<Fill> {
        match Fill::parse(&text.value) {
            Ok(fill) => Some(fill),
            Err(error) => {
                let message = format!("template: {}", error.message);
                let found = QueryProblem { offset: error.offset, message, hint: Some(error.hint) };
                self.problems.say_inside(text, found);
                None
            }
        }
    }
}

/// A JSON text with its place, as a text with its place.
fn spanned_text(json: &Spanned<Json>) -> Option<Spanned<String>> {
    let Json::String(text) = &json.value else { return None };
    Some(Spanned::new(text.clone(), json.referenced, json.defined))
}
