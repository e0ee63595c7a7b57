//! Playbook files, from YAML to checked playbooks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rules::{Mapper, Problem, QueryProblem, When, check_logs, check_promql, yaml_problem};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_saphyr::Spanned;

use crate::fill::Fill;
use crate::playbook::{ACTION_TIMEOUT_NS_DEFAULT, Guards, Mode, NotifyStep, Playbook, Requires, Rollback};
use crate::playbook::{Step, StepKind, Verify, VerifyQuery};
use crate::{Call, Verb};

/// Most steps of a playbook.
pub const STEPS_MAX: usize = 100;

/// Largest playbook file, in bytes.
pub const PLAYBOOK_BYTES_MAX: usize = 1024 * 1024;

/// How long a verification waits by default, in nanoseconds.
const VERIFY_WITHIN_NS_DEFAULT: i64 = 300_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlaybook {
    playbook: Spanned<String>,
    mode: Option<Spanned<String>>,
    #[serde(default, rename = "match")]
    matches: BTreeMap<String, String>,
    #[serde(default)]
    requires: RawRequires,
    #[serde(default)]
    guards: RawGuards,
    steps: Spanned<Vec<Spanned<RawStep>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequires {
    verdict: Option<Spanned<String>>,
    change_within: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGuards {
    cooldown: Option<Spanned<String>>,
    max_per: Option<Spanned<BTreeMap<String, u32>>>,
    max_targets: Option<Spanned<usize>>,
    approvals: Option<Spanned<u32>>,
    freeze: Option<Spanned<Vec<Json>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    id: Option<Spanned<String>>,
    rollback: Option<Spanned<RawRollback>>,
    verify: Option<Spanned<RawVerify>>,
    notify: Option<RawNotify>,
    timeout: Option<Spanned<String>>,
    on_fail: Option<RawOnFail>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOnFail {
    goto: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRollback {
    kind: Spanned<String>,
    /// What is rolled back (`service`), and the keys of the kind.
    #[serde(default)]
    target: BTreeMap<String, Spanned<Json>>,
    to: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVerify {
    expr: Option<Spanned<String>>,
    logs: Option<Spanned<String>>,
    window: Option<Spanned<String>>,
    when: Option<Spanned<String>>,
    #[serde(rename = "for")]
    hold: Option<Spanned<String>>,
    within: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNotify {
    receiver: Spanned<String>,
    template: Option<Spanned<String>>,
}

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
        if matches!(found.mode, Mode::Suggest | Mode::Approve) {
            let (name, mode) = (&found.name, found.mode.as_str());
            report
                .notes
                .push(format!("{name}: mode {mode} records what it would do, like observe, until approvals exist"));
        }
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

fn parse(file: &str, text: &str) -> (Option<Playbook>, Vec<Problem>) {
    if text.len() > PLAYBOOK_BYTES_MAX {
        let message = format!("the file has {} bytes, {PLAYBOOK_BYTES_MAX} are allowed", text.len());
        return (None, vec![Problem { file: file.to_owned(), line: 1, column: 1, message, hint: None }]);
    }
    match serde_saphyr::from_str::<RawPlaybook>(text) {
        Ok(raw) => {
            let mut reader = Reader { mapper: Mapper { file, text }, problems: Vec::new() };
            let playbook = reader.playbook(raw);
            (playbook.filter(|_| reader.problems.is_empty()), reader.problems)
        }
        Err(error) => (None, vec![yaml_problem(file, &error)]),
    }
}

struct Reader<'a> {
    mapper: Mapper<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn playbook(&mut self, raw: RawPlaybook) -> Option<Playbook> {
        if raw.playbook.value.is_empty() {
            self.problem(&raw.playbook, "the playbook has no name", "give it one");
        }
        let mode = self.mode(raw.mode.as_ref());
        let requires = self.requires(&raw.requires);
        let guards = self.guards(&raw.guards);
        let count = raw.steps.value.len();
        if count == 0 || count > STEPS_MAX {
            self.problem(&raw.steps, format!("the playbook has {count} steps"), "it has 1 to 100");
        }
        let gotos: Vec<Spanned<String>> = raw
            .steps
            .value
            .iter()
            .filter_map(|step| step.value.on_fail.as_ref())
            .map(|fail| fail.goto.clone())
            .collect();
        let steps: Vec<Step> = raw.steps.value.into_iter().filter_map(|step| self.step(step)).collect();
        self.check_ids(&steps, &gotos);
        Some(Playbook {
            name: raw.playbook.value,
            file: self.mapper.file.to_owned(),
            mode: mode?,
            matches: raw.matches,
            requires,
            guards,
            steps,
        })
    }

    /// A `goto` only goes forward, so that a run always ends.
    fn check_ids(&mut self, steps: &[Step], gotos: &[Spanned<String>]) {
        let mut ids = BTreeSet::new();
        for id in steps.iter().filter_map(|step| step.id.as_deref()) {
            if !ids.insert(id) {
                let message = format!("the step id {id:?} is there twice");
                let file = self.mapper.file.to_owned();
                self.problems.push(Problem { file, line: 1, column: 1, message, hint: Some("rename one".to_owned()) });
            }
        }
        let mut from = 0;
        for goto in gotos {
            let jumps = |step: &Step| step.on_fail.as_deref() == Some(goto.value.as_str());
            from += steps.iter().skip(from).position(jumps).unwrap_or(0);
            match steps.iter().position(|step| step.id.as_deref() == Some(&goto.value)) {
                None => {
                    self.problem(goto, format!("there is no step with the id {:?}", goto.value), "give a step that id")
                }
                Some(to) if to <= from => {
                    self.problem(goto, "a `goto` goes back", "a run only goes forward, so that it ends")
                }
                Some(_) => {}
            }
            from += 1;
        }
    }

    fn mode(&mut self, word: Option<&Spanned<String>>) -> Option<Mode> {
        let Some(word) = word else { return Some(Mode::Observe) };
        let modes = [Mode::Observe, Mode::Suggest, Mode::Approve, Mode::Auto];
        let found = modes.into_iter().find(|mode| mode.as_str() == word.value);
        if found.is_none() {
            self.problem(word, format!("there is no mode {:?}", word.value), "it is observe, suggest, approve or auto");
        }
        found
    }

    fn requires(&mut self, raw: &RawRequires) -> Requires {
        if let Some(verdict) = raw.verdict.as_ref().filter(|verdict| verdict.value != "bad") {
            self.problem(verdict, format!("verdict can not be {:?}", verdict.value), "only `bad` may act");
        }
        let mut requires = Requires::default();
        if let Some(within_ns) = self.duration(raw.change_within.as_ref()) {
            requires.change_within_ns = within_ns;
        }
        requires
    }

    fn guards(&mut self, raw: &RawGuards) -> Guards {
        let mut guards = Guards::default();
        if let Some(cooldown_ns) = self.duration(raw.cooldown.as_ref()) {
            guards.cooldown_ns = cooldown_ns;
        }
        if let Some(max_per) = &raw.max_per {
            guards.max_per.clear();
            for (window, count) in &max_per.value {
                match model::parse_duration_ns(window) {
                    Some(window_ns) => guards.max_per.push((window_ns, *count)),
                    None => self.problem(max_per, format!("{window:?} is not a duration"), "write {1h: 3}"),
                }
            }
        }
        match &raw.max_targets {
            Some(max) if max.value == 0 => {
                self.problem(max, "max_targets is 0", "the least is 1; use mode observe to act on nothing")
            }
            Some(max) => guards.max_targets = max.value,
            None => {}
        }
        if let Some(approvals) = raw.approvals.as_ref().filter(|approvals| approvals.value > 0) {
            self.problem(approvals, "approvals are not available yet", "leave it at 0, or use mode observe");
        }
        if let Some(freeze) = raw.freeze.as_ref().filter(|freeze| !freeze.value.is_empty()) {
            self.problem(freeze, "freeze windows are not available yet", "use the kill switch meanwhile");
        }
        guards
    }

    fn step(&mut self, spanned: Spanned<RawStep>) -> Option<Step> {
        let raw = &spanned.value;
        let timeout_ns = self.duration(raw.timeout.as_ref());
        let kind = match (&raw.rollback, &raw.verify, &raw.notify) {
            (Some(rollback), None, None) => StepKind::Rollback(self.rollback(rollback, timeout_ns)?),
            (None, Some(verify), None) => StepKind::Verify(self.verify(verify, timeout_ns)?),
            (None, None, Some(notify)) => StepKind::Notify(NotifyStep {
                receiver: notify.receiver.value.clone(),
                template: notify.template.as_ref().map(|template| template.value.clone()),
            }),
            _ => {
                self.problem(
                    &spanned,
                    "a step does not do exactly one thing",
                    "give it one of rollback, verify, notify",
                );
                return None;
            }
        };
        let on_fail = raw.on_fail.as_ref().map(|on_fail| on_fail.goto.value.clone());
        Some(Step { id: raw.id.as_ref().map(|id| id.value.clone()), kind, on_fail })
    }

    fn rollback(&mut self, spanned: &Spanned<RawRollback>, timeout_ns: Option<i64>) -> Option<Rollback> {
        let raw = &spanned.value;
        let service = raw.target.get("service").map(|service| self.target_service(service));
        let call = self.call(Verb::Rollback, &raw.kind, &raw.target);
        let to = raw.to.as_ref().filter(|to| to.value != "previous");
        if let Some(to) = to {
            self.fill(to);
        }
        Some(Rollback {
            service: service.flatten(),
            to: to.map(|to| to.value.clone()),
            timeout_ns: timeout_ns.unwrap_or(ACTION_TIMEOUT_NS_DEFAULT),
            call: call?,
        })
    }

    /// The service that is acted on, where the target names another one than the incident does.
    fn target_service(&mut self, service: &Spanned<Json>) -> Option<String> {
        let Json::String(text) = &service.value else {
            self.problem(service, "the service is not a text", "name one service");
            return None;
        };
        if let Err(error) = Fill::parse(text) {
            self.problem(service, format!("template: {}", error.message), &error.hint);
        }
        Some(text.clone())
    }

    /// The call of a step: the keys of its kind in `target`.
    fn call(&mut self, verb: Verb, kind: &Spanned<String>, target: &BTreeMap<String, Spanned<Json>>) -> Option<Call> {
        let keys = target.iter().filter(|(name, _)| *name != "service");
        let keys = keys.map(|(name, value)| (name.clone(), value.value.clone())).collect();
        let problems = match Call::read(&kind.value, verb, &keys) {
            Ok(call) => return Some(call),
            Err(problems) => problems,
        };
        for found in problems {
            let Some(key) = target.get(&found.field) else {
                self.problem(kind, found.message, &found.hint);
                continue;
            };
            match (found.offset, &key.value) {
                (Some(offset), Json::String(text)) => {
                    let text = Spanned::new(text.clone(), key.referenced, key.defined);
                    let problem = self.mapper.problem_inside(&text, offset, found.message, Some(found.hint));
                    self.problems.push(problem);
                }
                _ => self.problem(key, found.message, &found.hint),
            }
        }
        None
    }

    fn verify(&mut self, spanned: &Spanned<RawVerify>, timeout_ns: Option<i64>) -> Option<Verify> {
        let raw = &spanned.value;
        let query = match (&raw.expr, &raw.logs) {
            (Some(expr), None) => {
                if let Err(found) = check_promql(&expr.value) {
                    self.query_problem(expr, found);
                }
                Some(VerifyQuery::Expr(expr.value.clone()))
            }
            (None, Some(logs)) => self.verify_logs(spanned, logs),
            _ => {
                self.problem(spanned, "a verification does not have exactly one of expr and logs", "give it one");
                None
            }
        };
        let for_ns = self.duration(raw.hold.as_ref()).unwrap_or(0);
        let within_ns = self.duration(raw.within.as_ref()).or(timeout_ns).unwrap_or(VERIFY_WITHIN_NS_DEFAULT);
        if within_ns < for_ns {
            self.problem(spanned, "`within` is shorter than `for`", "it could never pass");
        }
        Some(Verify { query: query?, for_ns, within_ns })
    }

    fn verify_logs(&mut self, spanned: &Spanned<RawVerify>, logs: &Spanned<String>) -> Option<VerifyQuery> {
        let raw = &spanned.value;
        if let Err(found) = check_logs(&logs.value) {
            self.query_problem(logs, found);
        }
        let window_ns = self.duration(raw.window.as_ref());
        let (Some(window_ns), Some(when)) = (window_ns, &raw.when) else {
            self.problem(
                spanned,
                "a verification over logs lacks `window` or `when`",
                "give both: window: 1m, when: n < 5",
            );
            return None;
        };
        if let Err(error) = When::parse(&when.value) {
            let found = QueryProblem { offset: error.offset, message: error.message, hint: Some(error.hint) };
            self.query_problem(when, found);
        }
        Some(VerifyQuery::Logs { query: logs.value.clone(), window_ns, when: when.value.clone() })
    }

    fn fill(&mut self, text: &Spanned<String>) -> Option<Fill> {
        match Fill::parse(&text.value) {
            Ok(fill) => Some(fill),
            Err(error) => {
                let message = format!("template: {}", error.message);
                self.problems.push(self.mapper.problem_inside(text, error.offset, message, Some(error.hint)));
                None
            }
        }
    }

    fn duration(&mut self, text: Option<&Spanned<String>>) -> Option<i64> {
        let text = text?;
        let parsed = if text.value == "0" { Some(0) } else { model::parse_duration_ns(&text.value) };
        if parsed.is_none() {
            self.problem(text, format!("{:?} is not a duration", text.value), "write 30s, 5m, 1h30m or 1d");
        }
        parsed
    }

    fn problem<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, hint: &str) {
        self.problems.push(self.mapper.problem(at, message, Some(hint.to_owned())));
    }

    fn query_problem(&mut self, at: &Spanned<String>, found: QueryProblem) {
        self.problems.push(self.mapper.problem_inside(at, found.offset, found.message, found.hint));
    }
}
