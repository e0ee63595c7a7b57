//! Actions of kind `argocd`: an application goes back to an entry of its history, and Git does not undo it.
//!
//! Argo CD refuses a rollback while automated sync is on, and automated sync would undo one. So it is suspended first, in the same
//! request that leaves the fencing token, the action's key and the old policy in annotations of the application; `resume_sync`
//! reads them there. Argo CD's API has no precondition: the entry that the precheck saw and the token are compared in a read right
//! before the first write, which leaves a gap of one request.

mod app;

use std::time::Duration;

use reqwest::Method;
use respond::{ActionRequest, ActionState, ArgocdCall, ArgocdOperation, Precheck, Verb};
use serde_json::{Value as Json, json};

use self::app::{App, Entry, FENCE, KEY, Operation, REPLACED, SUSPENDED, find};
use crate::Ended;
use crate::deadline::Deadline;
use crate::web::{Ask, Sent, Server, record, segment};

/// Pause between two looks at an operation.
const POLL: Duration = Duration::from_millis(500);
/// How long the way back (sync as it was) may take after a rollback that did not begin.
const UNDO_TIMEOUT: Duration = Duration::from_secs(15);
/// What stands before the token.
const SCHEME: &str = "Bearer ";

/// Why it does not go on.
enum Stop {
    /// Nothing was changed, or Argo CD said that it went wrong.
    Failed(String),
    /// Nobody knows.
    Unknown(String),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(detail) => Ended::failed(detail),
            Stop::Unknown(detail) => Ended::without_output(ActionState::Unknown, detail),
        }
    }
}

/// What a rollback would do.
enum Plan {
    /// It runs already.
    Already(Entry),
    /// From one entry to another.
    Go { current: Entry, entry: Entry },
}

/// One action on one application.
struct Run<'a> {
    server: &'a Server,
    call: &'a ArgocdCall,
    request: &'a ActionRequest,
    deadline: Deadline,
}

/// Carries out an action.
pub(crate) fn execute(server: &Server, call: &ArgocdCall, request: &ActionRequest) -> Ended {
    let run = Run { server, call, request, deadline: Deadline::of_ns(request.timeout_ns) };
    let ended = match (request.verb, call.operation) {
        (Verb::Rollback, _) => run.rollback(),
        (_, Some(ArgocdOperation::SuspendSync)) => run.suspend_sync(),
        (_, Some(ArgocdOperation::ResumeSync)) => run.resume_sync(),
        (verb, None) => Err(Stop::Failed(format!("kind argocd can not {verb}"))),
    };
    ended.unwrap_or_else(Ended::from)
}

/// Looks, and runs the rollback dry where Argo CD lets one.
pub(crate) fn precheck(server: &Server, call: &ArgocdCall, request: &ActionRequest) -> Precheck {
    let run = Run { server, call, request, deadline: Deadline::of_ns(request.timeout_ns) };
    match (request.verb, call.operation) {
        (Verb::Rollback, _) => run.look(),
        (_, operation) => run.look_at_sync(operation),
    }
}

impl Run<'_> {
    fn rollback(&self) -> Result<Ended, Stop> {
        let app = self.read("")?.map_err(Stop::Failed)?;
        let (current, entry) = match self.plan(&app).map_err(Stop::Failed)? {
            Plan::Already(entry) => {
                let detail = format!("{} runs {} already; nothing was done", self.call.application, entry.name());
                return Ok(Ended::without_output(ActionState::Succeeded, detail));
            }
            Plan::Go { current, entry } => (current, entry),
        };
        let suspended = app.automated().cloned();
        let before = app.operation();
        self.mark(suspended.as_ref(), Some(&current))?;
        let sent = self.post_rollback(&entry, false);
        let sure = match &sent {
            Sent::Answered(answer) if answer.ok() => true,
            Sent::Answered(answer) if answer.unsure() => false,
            Sent::Broken(_) => false,
            Sent::Answered(answer) => return Err(self.take_back(suspended.as_ref(), &answer.said())),
            Sent::Never(why) => return Err(self.take_back(suspended.as_ref(), why)),
        };
        let output = record(&json!({
            "application": self.call.application, "replaced": current.name(), "to": entry.name(),
            "suspended_sync": suspended,
        }));
        let (state, detail) = self.watch(&entry, before.as_ref(), sure, &current, suspended.is_some());
        Ok(Ended { state, detail, output })
    }

    /// What a rollback would do, or why it must not.
    fn plan(&self, app: &App) -> Result<Plan, String> {
        let (name, from, to) = (&self.call.application, &self.request.from_version, &self.request.to_version);
        self.check_free(app)?;
        let history = app.history();
        let Some(current) = history.last() else { return Err(format!("{name} has no history, so no way back")) };
        if current.is(to) {
            return Ok(Plan::Already(current.clone()));
        }
        if let Some(seen) = self.request.revision.as_ref().filter(|seen| **seen != current.name()) {
            return Err(format!("{name} is at entry {} now, the precheck saw {seen}", current.name()));
        }
        if !from.is_empty() && !app.runs(current, from) {
            let (entry, images) = (current.name(), app.images());
            return Err(format!("{name} does not run {from}: it is at entry {entry} with the images [{images}]"));
        }
        let Some(entry) = find(&history, self.call.entry, to) else {
            let known: Vec<String> = history.iter().map(Entry::name).collect();
            let known = known.join(", ");
            return Err(format!("no entry of the history of {name} is {to}; it has {known}"));
        };
        if let (Some(_), Some(parent), false) = (app.automated(), app.parent(), self.call.parent_ignores_sync_policy) {
            return Err(format!(
                "{parent} generates {name} and would turn automated sync on again, which would undo the rollback: roll back in Git, \
                 or let it ignore the sync policy and set parent_ignores_sync_policy"
            ));
        }
        Ok(Plan::Go { current: current.clone(), entry: entry.clone() })
    }

    /// Nobody else works on the application.
    fn check_free(&self, app: &App) -> Result<(), String> {
        let name = &self.call.application;
        if app.deleting() {
            return Err(format!("{name} is being deleted"));
        }
        if let Some(phase) = app.operating() {
            return Err(format!("an operation on {name} is {phase}; try again when it has ended"));
        }
        let seen = app.annotation(FENCE).and_then(|fence| fence.parse::<u64>().ok()).unwrap_or(0);
        if self.request.fence != 0 && self.request.fence < seen {
            let fence = self.request.fence;
            return Err(format!("the fencing token {fence} is old: {seen} was here already, another holder took over"));
        }
        Ok(())
    }

    /// Leaves token, key and old policy on the application, and turns automated sync off if it is on.
    fn mark(&self, suspended: Option<&Json>, replaced: Option<&Entry>) -> Result<(), Stop> {
        let mut annotations = json!({FENCE: self.request.fence.to_string(), KEY: self.request.key});
        if let Some(policy) = suspended {
            annotations[SUSPENDED] = Json::String(policy.to_string());
        }
        if let Some(replaced) = replaced {
            annotations[REPLACED] = Json::String(replaced.revision());
        }
        let mut patch = json!({"metadata": {"annotations": annotations}});
        if suspended.is_some() {
            patch["spec"] = json!({"syncPolicy": {"automated": null}});
        }
        let why = match self.patch(&patch, self.deadline) {
            Sent::Answered(answer) if answer.ok() => return Ok(()),
            Sent::Answered(answer) if !answer.unsure() => {
                return Err(Stop::Failed(format!("refused: {}", answer.said())));
            }
            Sent::Never(why) => return Err(Stop::Failed(why)),
            Sent::Answered(answer) => answer.said(),
            Sent::Broken(why) => why,
        };
        match self.read("") {
            Ok(Ok(app)) if app.annotation(KEY) == Some(self.request.key.as_str()) => Ok(()),
            _ => Err(Stop::Unknown(format!(
                "whether automated sync was suspended is not known ({why}); the rollback was not begun"
            ))),
        }
    }

    /// The rollback certainly did not begin: automated sync becomes what it was.
    fn take_back(&self, suspended: Option<&Json>, why: &str) -> Stop {
        let name = &self.call.application;
        let Some(policy) = suspended else { return Stop::Failed(format!("the rollback of {name} was refused: {why}")) };
        let patch = json!({
            "metadata": {"annotations": {SUSPENDED: null, REPLACED: null}}, "spec": {"syncPolicy": {"automated": policy}},
        });
        let back = match self.patch(&patch, Deadline::after(UNDO_TIMEOUT)) {
            Sent::Answered(answer) if answer.ok() => "automated sync is on again".to_owned(),
            Sent::Answered(answer) => format!("automated sync is still suspended: {}", answer.said()),
            Sent::Never(why) | Sent::Broken(why) => format!("automated sync may still be suspended: {why}"),
        };
        Stop::Failed(format!("the rollback of {name} was refused: {why}; {back}"))
    }

    /// Follows the operation to its end.
    fn watch(
        &self,
        entry: &Entry,
        before: Option<&Operation>,
        sure: bool,
        bad: &Entry,
        suspended: bool,
    ) -> (ActionState, String) {
        let name = &self.call.application;
        let Some(app) = self.ended(entry, before, false) else {
            let detail = match sure {
                true => format!("the rollback of {name} began and had not ended in time"),
                false => format!("whether the rollback of {name} began is not known"),
            };
            let sync = if suspended { "; automated sync is suspended" } else { "" };
            return (ActionState::Unknown, format!("{detail}{sync}"));
        };
        let (phase, message) = app.operation().map(|found| (found.phase, found.message)).unwrap_or_default();
        let git = if suspended {
            format!(
                "automated sync stays suspended, because Git still holds {}: revert it there, then run an act step with do: resume_sync",
                bad.revision()
            )
        } else {
            format!("Git still holds {}: whoever syncs the application deploys it again", bad.revision())
        };
        match phase.as_str() {
            "Succeeded" if app.automated().is_some() => {
                let detail = "rolled back, but automated sync is on again and will undo it: somebody turns it on";
                (ActionState::Failed, format!("{name}: {detail}"))
            }
            "Succeeded" => (ActionState::Succeeded, format!("{name} went back to entry {}; {git}", entry.name())),
            phase => (ActionState::Failed, format!("the rollback of {name} ended as {phase}: {message}; {git}")),
        }
    }

    /// Waits for an operation that began after another to end; `None` when it does not in time.
    fn ended(&self, entry: &Entry, before: Option<&Operation>, dry_run: bool) -> Option<App> {
        while !self.deadline.passed() {
            if let Ok(Ok(app)) = self.read("") {
                let ours = app.operation().filter(|found| {
                    let new = before.is_none_or(|before| !before.is_same(found));
                    new && found.revision == entry.revision() && found.dry_run == dry_run
                });
                if ours.is_some_and(|found| found.ended()) && app.operating().is_none() {
                    return Some(app);
                }
            }
            self.deadline.pause(POLL);
        }
        None
    }

    fn suspend_sync(&self) -> Result<Ended, Stop> {
        let app = self.read("")?.map_err(Stop::Failed)?;
        self.check_free(&app).map_err(Stop::Failed)?;
        let name = &self.call.application;
        let Some(policy) = app.automated() else {
            let detail = format!("automated sync of {name} is off already");
            return Ok(Ended::without_output(ActionState::Succeeded, detail));
        };
        self.mark(Some(policy), app.history().last())?;
        let detail = format!("automated sync of {name} is suspended; do: resume_sync turns it on again");
        let output = record(&json!({"application": name, "suspended_sync": policy}));
        Ok(Ended { state: ActionState::Succeeded, detail, output })
    }

    fn resume_sync(&self) -> Result<Ended, Stop> {
        let app = self.read("normal")?.map_err(Stop::Failed)?;
        let name = &self.call.application;
        if app.automated().is_some() {
            let detail = format!("automated sync of {name} is on already");
            return Ok(Ended::without_output(ActionState::Succeeded, detail));
        }
        let policy = self.remembered(&app).map_err(Stop::Failed)?;
        let patch = json!({
            "metadata": {"annotations": {
                SUSPENDED: null, REPLACED: null, FENCE: self.request.fence.to_string(), KEY: self.request.key,
            }},
            "spec": {"syncPolicy": {"automated": policy}},
        });
        let why = match self.patch(&patch, self.deadline) {
            Sent::Answered(answer) if answer.ok() => String::new(),
            Sent::Answered(answer) if !answer.unsure() => return Err(Stop::Failed(answer.said())),
            Sent::Never(why) => return Err(Stop::Failed(why)),
            Sent::Answered(answer) => answer.said(),
            Sent::Broken(why) => why,
        };
        let on = why.is_empty() || matches!(self.read(""), Ok(Ok(app)) if app.automated().is_some());
        if !on {
            return Err(Stop::Unknown(format!("whether automated sync of {name} is on again is not known: {why}")));
        }
        let output = record(&json!({"application": name, "resumed_sync": policy}));
        Ok(Ended { state: ActionState::Succeeded, detail: format!("automated sync of {name} is on again"), output })
    }

    /// The policy to restore, if Git no longer holds what was rolled back from.
    fn remembered(&self, app: &App) -> Result<Json, String> {
        let name = &self.call.application;
        self.check_free(app)?;
        let policy = app.annotation(SUSPENDED).and_then(|text| serde_json::from_str::<Json>(text).ok());
        let Some(policy) = policy else {
            return Err(format!(
                "the annotation {SUSPENDED} of {name} holds no policy: Backstop did not suspend its sync"
            ));
        };
        match (app.annotation(REPLACED), app.git_revision()) {
            (Some(bad), Some(git)) if bad == git => Err(format!(
                "Git still holds {bad}, which was rolled back from: sync would deploy it again; revert it in Git first"
            )),
            _ => Ok(policy),
        }
    }

    fn look(&self) -> Precheck {
        let app = match self.read("") {
            Ok(Ok(app)) => app,
            Ok(Err(detail)) => return Precheck::Refused { detail },
            Err(Stop::Failed(detail) | Stop::Unknown(detail)) => return Precheck::Unknown { detail },
        };
        let (current, entry) = match self.plan(&app) {
            Ok(Plan::Go { current, entry }) => (current, entry),
            Ok(Plan::Already(entry)) => {
                let detail = format!("{} runs {} already", self.call.application, entry.name());
                return Precheck::Ready { detail, revision: None };
            }
            Err(detail) => return Precheck::Refused { detail },
        };
        let revision = Some(current.name());
        let way = format!("entry {} -> {}", current.name(), entry.name());
        if app.automated().is_some() {
            let detail = format!("{way}; no dry run: automated sync is on, and is suspended before the rollback");
            return Precheck::Ready { detail, revision };
        }
        match self.dry_run(&entry, app.operation().as_ref()) {
            Ok(said) => Precheck::Ready { detail: format!("{way}; dry run: {said}"), revision },
            Err(refused) => refused,
        }
    }

    fn dry_run(&self, entry: &Entry, before: Option<&Operation>) -> Result<String, Precheck> {
        let unknown = |detail: String| Precheck::Unknown { detail: format!("the dry run: {detail}") };
        match self.post_rollback(entry, true) {
            Sent::Answered(answer) if answer.ok() => {}
            Sent::Answered(answer) if answer.unsure() => return Err(unknown(answer.said())),
            Sent::Answered(answer) => {
                return Err(Precheck::Refused { detail: format!("the dry run was refused: {}", answer.said()) });
            }
            Sent::Never(why) | Sent::Broken(why) => return Err(unknown(why)),
        }
        let ended = self.ended(entry, before, true).and_then(|app| app.operation());
        match ended {
            Some(found) if found.phase == "Succeeded" => Ok(found.message),
            Some(found) => {
                Err(Precheck::Refused { detail: format!("the dry run ended as {}: {}", found.phase, found.message) })
            }
            None => Err(unknown("it did not end in time".to_owned())),
        }
    }

    fn look_at_sync(&self, operation: Option<ArgocdOperation>) -> Precheck {
        let app = match self.read("normal") {
            Ok(Ok(app)) => app,
            Ok(Err(detail)) => return Precheck::Refused { detail },
            Err(Stop::Failed(detail) | Stop::Unknown(detail)) => return Precheck::Unknown { detail },
        };
        let on = app.automated().is_some();
        let looked = match operation {
            Some(ArgocdOperation::ResumeSync) if !on => self.remembered(&app).map(|policy| format!("to {policy}")),
            _ => self.check_free(&app).map(|()| format!("automated sync is {}", if on { "on" } else { "off" })),
        };
        match looked {
            Ok(detail) => Precheck::Ready { detail, revision: None },
            Err(detail) => Precheck::Refused { detail },
        }
    }

    /// The application; the inner error says that it is gone or hidden.
    fn read(&self, refresh: &str) -> Result<Result<App, String>, Stop> {
        let mut path = format!("/api/v1/applications/{}", segment(&self.call.application));
        let pairs = [("appNamespace", &self.call.namespace), ("project", &self.call.project)];
        let given = pairs.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let refresh = Some(("refresh", refresh)).filter(|(_, value)| !value.is_empty());
        for (at, (name, value)) in given.chain(refresh).enumerate() {
            path.push_str(&format!("{}{name}={}", if at == 0 { '?' } else { '&' }, segment(value)));
        }
        match self.server.send(SCHEME, Ask::get(path), self.deadline) {
            Sent::Answered(answer) if answer.ok() && answer.json().is_object() => Ok(Ok(App(answer.json()))),
            Sent::Answered(answer) if answer.status == 404 => {
                Ok(Err(format!("the application {} is gone: {}", self.call.application, answer.said())))
            }
            // Without a project Argo CD does not tell one that is gone from one that is forbidden.
            Sent::Answered(answer) if answer.status == 403 => {
                Ok(Err(format!("the application {} is gone or forbidden: {}", self.call.application, answer.said())))
            }
            Sent::Answered(answer) => Err(Stop::Failed(format!("Argo CD answered {}", answer.said()))),
            Sent::Never(why) | Sent::Broken(why) => Err(Stop::Failed(format!("Argo CD could not be asked: {why}"))),
        }
    }

    fn patch(&self, patch: &Json, deadline: Deadline) -> Sent {
        let path = format!("/api/v1/applications/{}", segment(&self.call.application));
        let body = json!({
            "name": self.call.application, "patch": patch.to_string(), "patchType": "merge",
            "appNamespace": self.call.namespace, "project": self.call.project,
        });
        self.server.send(SCHEME, Ask::with(Method::PATCH, path, Some(&body)), deadline)
    }

    fn post_rollback(&self, entry: &Entry, dry_run: bool) -> Sent {
        let path = format!("/api/v1/applications/{}/rollback", segment(&self.call.application));
        let body = json!({
            "name": self.call.application, "id": entry.id(), "dryRun": dry_run, "prune": self.call.prune,
            "appNamespace": self.call.namespace, "project": self.call.project,
        });
        self.server.send(SCHEME, Ask::with(Method::POST, path, Some(&body)), self.deadline)
    }
}

#[cfg(test)]
mod tests;
