//! Actions of kind `systemd`: a unit is restarted, another instance of a template unit takes over, or the link to a release is
//! re-pointed and the unit restarted.
//!
//! `systemctl` waits for the job that it starts. When it runs over its time and is ended, the job goes on in systemd: the outcome
//! is Unknown and nothing is undone. systemd knows no fence, so the one of the link is a file beside it; instances have none.

mod link;

use std::path::Path;
use std::time::Duration;

use respond::{ActionRequest, ActionState, Precheck, SystemdCall, Verb};

use self::link::Link;
use crate::deadline::Deadline;
use crate::exec::{identity, state_of};
use crate::program::{End, Program, Ran, run};
use crate::{ActOptions, Ended, fence, permit};

/// How long a unit must stay up after its start: a program that can not run is often found out only then.
const SETTLE: Duration = Duration::from_secs(1);
/// Pause between two looks at it.
const POLL: Duration = Duration::from_millis(100);
/// How long the way back may take after a start that failed.
const UNDO_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest name of a unit that systemd takes (`UNIT_NAME_MAX`).
const UNIT_CHARS_MAX: usize = 255;

/// One action on one unit.
struct Systemd<'a> {
    options: &'a ActOptions,
    call: &'a SystemdCall,
    request: &'a ActionRequest,
    deadline: Deadline,
}

/// What systemd says of a unit.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    load: String,
    active: String,
    /// Whether it is a program that ends by itself.
    oneshot: bool,
}

impl Status {
    fn is_loaded(&self) -> bool {
        self.load == "loaded"
    }

    /// Whether it is up, or did what it has to do.
    fn is_well(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading") || (self.oneshot && self.active == "inactive")
    }

    /// Whether it is the one that is meant to run: a unit that fails over and over is.
    fn is_in_use(&self) -> bool {
        self.active != "inactive"
    }
}

/// Carries out an action.
pub(crate) fn execute(options: &ActOptions, call: &SystemdCall, request: &ActionRequest) -> Ended {
    let run = Systemd { options, call, request, deadline: Deadline::of_ns(request.timeout_ns) };
    let ended = match request.verb {
        Verb::Restart => run.restart(),
        Verb::Rollback if call.is_template() => run.switch(),
        Verb::Rollback => run.repoint(),
        verb => Err(format!("kind systemd can not {verb}")),
    };
    ended.unwrap_or_else(Ended::failed)
}

/// Looks at the unit, the instances or the link.
pub(crate) fn precheck(options: &ActOptions, call: &SystemdCall, request: &ActionRequest) -> Precheck {
    let run = Systemd { options, call, request, deadline: Deadline::of_ns(request.timeout_ns) };
    let looked = match request.verb {
        Verb::Restart => run.look_at_unit(&call.unit),
        Verb::Rollback if call.is_template() => run.look_at_instances(),
        Verb::Rollback => run.look_at_link(),
        verb => Err(Look::Refused(format!("kind systemd can not {verb}"))),
    };
    match looked {
        Ok((detail, revision)) => Precheck::Ready { detail, revision },
        Err(Look::Refused(detail)) => Precheck::Refused { detail },
        Err(Look::Unknown(detail)) => Precheck::Unknown { detail },
    }
}

/// Why a look does not say "ready".
enum Look {
    Refused(String),
    Unknown(String),
}

type Looked = Result<(String, Option<String>), Look>;

impl Systemd<'_> {
    fn restart(&self) -> Result<Ended, String> {
        check_unit(&self.call.unit)?;
        let verb = if self.call.reload { "reload" } else { "restart" };
        let ran = self.systemctl(&[verb, &self.call.unit], self.deadline);
        if !ran.ok() {
            return Ok(Ended { state: state_of(&ran.end), detail: self.said(&ran, verb), output: ran.output() });
        }
        match self.stays_up(&self.call.unit, self.deadline) {
            Ok(()) => Ok(done(format!("{} went through {verb} and is well", self.call.unit))),
            Err(why) => Ok(Ended::failed(format!("{} went through {verb}, but {why}", self.call.unit))),
        }
    }

    /// The instance of the new version takes over from the one that runs.
    fn switch(&self) -> Result<Ended, String> {
        let (from, to) = self.instances()?;
        if self.request.revision.as_ref().is_some_and(|seen| *seen != from) {
            return Err(format!("{from} is not what the precheck saw"));
        }
        let (old, new) = (self.status(&from)?, self.status(&to)?);
        if !old.is_in_use() && new.active == "active" {
            return Ok(done(format!("{to} runs already and {from} does not; nothing was done")));
        }
        if let Some(why) = refuse_switch(&from, &old, &to, &new) {
            return Err(why);
        }
        let enabled = self.systemctl(&["is-enabled", &from], self.deadline).text() == "enabled";
        let stopped = self.systemctl(&["stop", &from], self.deadline);
        if !stopped.ok() {
            return Ok(self.broken_off(stopped, "stop", &from, &to));
        }
        let started = self.systemctl(&["start", &to], self.deadline);
        if !started.ok() {
            return Ok(self.broken_off(started, "start", &from, &to));
        }
        if let Err(why) = self.stays_up(&to, self.deadline) {
            let back = self.switch_back(&from, &to);
            return Ok(Ended::failed(format!("{to} was started, but {why}; {back}")));
        }
        let boot = if enabled { self.move_enablement(&from, &to) } else { String::new() };
        Ok(done(format!("{from} was stopped, {to} runs{boot}")))
    }

    /// Stopping the one or starting the other did not go well. What certainly failed is undone; what may still go on is not touched.
    fn broken_off(&self, ran: Ran, verb: &str, from: &str, to: &str) -> Ended {
        let state = state_of(&ran.end);
        let said = self.said(&ran, verb);
        let detail = match state {
            ActionState::Unknown => format!("{said}; the job may go on in systemd, nothing was undone"),
            _ => format!("{said}; {}", self.switch_back(from, to)),
        };
        Ended { state, detail, output: ran.output() }
    }

    fn switch_back(&self, from: &str, to: &str) -> String {
        let deadline = Deadline::after(UNDO_TIMEOUT);
        let stopped = self.systemctl(&["stop", to], deadline);
        let started = self.systemctl(&["start", from], deadline);
        match stopped.ok() && started.ok() {
            true => format!("undone: {from} was started again"),
            false => format!("and it could not be undone: {}", self.said(&started, "start")),
        }
    }

    /// What starts at boot follows what runs.
    fn move_enablement(&self, from: &str, to: &str) -> String {
        let enabled = self.systemctl(&["enable", to], self.deadline);
        let disabled = self.systemctl(&["disable", from], self.deadline);
        match (enabled.ok(), disabled.ok()) {
            (true, true) => "; it starts at boot".to_owned(),
            (false, _) => format!("; but at boot {from} starts: {}", self.said(&enabled, "enable")),
            (true, false) => format!("; but at boot {from} starts too: {}", self.said(&disabled, "disable")),
        }
    }

    /// The link to the release is re-pointed, then the unit restarted; the link goes back when that fails.
    fn repoint(&self) -> Result<Ended, String> {
        let link = self.link()?;
        let unit = &self.call.unit;
        check_unit(unit)?;
        let _held = fence::hold(link.folder(), self.request.fence)?;
        let old = link.check(&self.request.from_version, &self.request.to_version)?;
        if let Some(seen) = self.request.revision.as_ref().filter(|seen| **seen != old) {
            return Err(format!("{} points at {old} now, the precheck saw {seen}", link.path.display()));
        }
        let new = link.swap(&old, &self.request.to_version)?;
        let verb = if self.call.reload { "reload" } else { "restart" };
        let ran = self.systemctl(&[verb, unit], self.deadline);
        let why = match (&ran.end, state_of(&ran.end)) {
            (End::Code(0), _) => match self.stays_up(unit, self.deadline) {
                Ok(()) => {
                    let detail =
                        format!("{} points at {new}; {unit} went through {verb} and is well", link.path.display());
                    return Ok(done(detail));
                }
                Err(why) => format!("{unit} went through {verb}, but {why}"),
            },
            (_, ActionState::Unknown) => {
                let said = self.said(&ran, verb);
                let detail = format!("{said}; {} points at {new}, and stays so", link.path.display());
                return Ok(Ended { state: ActionState::Unknown, detail, output: ran.output() });
            }
            _ => self.said(&ran, verb),
        };
        let back = match link.swap_to(&new, &old) {
            Ok(()) => {
                let again = self.systemctl(&[verb, unit], Deadline::after(UNDO_TIMEOUT));
                let again = if again.ok() { "went well".to_owned() } else { self.said(&again, verb) };
                format!("undone: {} points at {old} again; {verb} of {unit}: {again}", link.path.display())
            }
            Err(why) => format!("and it could not be undone: {why}"),
        };
        Ok(Ended { state: ActionState::Failed, detail: format!("{why}; {back}"), output: ran.output() })
    }

    fn look_at_unit(&self, unit: &str) -> Looked {
        check_unit(unit).map_err(Look::Refused)?;
        let status = self.status(unit).map_err(Look::Unknown)?;
        if !status.is_loaded() {
            return Err(Look::Refused(format!("the unit {unit} is {}", status.load)));
        }
        Ok((format!("{unit} is {}", status.active), None))
    }

    fn look_at_instances(&self) -> Looked {
        let (from, to) = self.instances().map_err(Look::Refused)?;
        let old = self.status(&from).map_err(Look::Unknown)?;
        let new = self.status(&to).map_err(Look::Unknown)?;
        match refuse_switch(&from, &old, &to, &new) {
            Some(why) => Err(Look::Refused(why)),
            None => Ok((format!("{from} is {}, {to} would be started", old.active), Some(from))),
        }
    }

    fn look_at_link(&self) -> Looked {
        let link = self.link().map_err(Look::Refused)?;
        let old = link.check(&self.request.from_version, &self.request.to_version).map_err(Look::Refused)?;
        let (unit, _) = self.look_at_unit(&self.call.unit)?;
        let new = link.destination(&old, &self.request.to_version);
        Ok((format!("{}: {old} -> {new}; {unit}", link.path.display()), Some(old)))
    }

    fn link(&self) -> Result<Link, String> {
        match (&self.call.link, &self.call.releases) {
            (Some(link), Some(releases)) => Ok(Link { path: link.into(), releases: releases.into() }),
            _ => Err("the step has no link and releases".to_owned()),
        }
    }

    /// The instances of the version that runs and of the one to go to.
    fn instances(&self) -> Result<(String, String), String> {
        let instance = |version: &str| {
            let (name, suffix) = self.call.unit.rsplit_once('.').unwrap_or((&self.call.unit, "service"));
            let unit = format!("{name}{version}.{suffix}");
            check_version(version)?;
            check_unit(&unit)?;
            match self.options.systemd_allow.iter().any(|pattern| permit::is_match(pattern, &unit)) {
                true => Ok(unit),
                false => Err(format!("the unit {unit} is not allowed: add it to actions.systemd_allow")),
            }
        };
        Ok((instance(&self.request.from_version)?, instance(&self.request.to_version)?))
    }

    fn status(&self, unit: &str) -> Result<Status, String> {
        let ran = self.systemctl(&["show", "--property=LoadState,ActiveState,Type", unit], self.deadline);
        if !ran.ok() {
            return Err(self.said(&ran, "show"));
        }
        let text = ran.text();
        let value = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.map(str::to_owned).ok_or_else(|| format!("systemctl show {unit} does not say {name}"))
        };
        // Only services have a type.
        let oneshot = value("Type").is_ok_and(|kind| kind == "oneshot");
        Ok(Status { load: value("LoadState")?, active: value("ActiveState")?, oneshot })
    }

    /// Whether a unit is up and still is after a while.
    fn stays_up(&self, unit: &str, deadline: Deadline) -> Result<(), String> {
        let settled = Deadline::after(SETTLE);
        loop {
            match self.status(unit) {
                Ok(status) if status.is_well() => {}
                Ok(status) => return Err(format!("it is {} right after", status.active)),
                Err(why) => return Err(format!("its state is not known: {why}")),
            }
            if settled.passed() || deadline.passed() {
                return Ok(());
            }
            settled.pause(POLL);
        }
    }

    fn systemctl(&self, args: &[&str], deadline: Deadline) -> Ran {
        let mut argv = self.options.systemctl.clone();
        argv.push("--no-ask-password".to_owned());
        argv.push("--no-pager".to_owned());
        argv.extend(args.iter().map(|arg| (*arg).to_owned()));
        let mut env = identity(self.request);
        env.insert("LC_ALL".to_owned(), "C".to_owned());
        run(&Program { argv: &argv, env, dir: Path::new("/") }, deadline)
    }

    fn said(&self, ran: &Ran, verb: &str) -> String {
        ran.said(&format!("systemctl {verb}"))
    }
}

fn done(detail: String) -> Ended {
    Ended::without_output(ActionState::Succeeded, detail)
}

fn refuse_switch(from: &str, old: &Status, to: &str, new: &Status) -> Option<String> {
    if !new.is_loaded() {
        return Some(format!("the unit {to} is {}", new.load));
    }
    if !old.is_in_use() {
        return Some(format!("{from} is {}: it is not what runs", old.active));
    }
    None
}

/// A version as a part of a unit's name or as a folder's name: nothing that leads elsewhere.
fn check_version(version: &str) -> Result<(), String> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.:+-".contains(c);
    if version.is_empty() || version.starts_with('.') || !version.chars().all(known) {
        return Err(format!("the version {version:?} is not made of letters, digits and _ . : + -"));
    }
    Ok(())
}

fn check_unit(unit: &str) -> Result<(), String> {
    let known = |c: char| c.is_ascii_alphanumeric() || ":_.@+-\\".contains(c);
    if unit.is_empty() || unit.starts_with('-') || unit.len() > UNIT_CHARS_MAX || !unit.chars().all(known) {
        return Err(format!("{unit:?} is not the name of a unit"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
