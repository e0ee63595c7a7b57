//! Actions of kind `compose`: the tag of an image is pinned and the services are brought up; or they are restarted, or scaled.
//!
//! What would run is asked of Compose itself: its `config` with the changed file, before anything is written. The file is the
//! compare-and-swap (it is written only while it holds what was read), a file beside it is the fence.

mod pin;

use std::path::Path;
use std::time::Duration;

use respond::{ActionRequest, ActionState, ComposeCall, ComposePin, Precheck, Verb};
use serde_json::Value as Json;

use self::pin::{Change, Writer, plan};
use crate::deadline::Deadline;
use crate::exec::{identity, state_of};
use crate::program::{Program, Ran, run};
use crate::{ActOptions, Ended, fence};

/// How long bringing back what ran may take.
const UNDO_TIMEOUT: Duration = Duration::from_secs(60);
/// Most instances of a service.
const REPLICAS_MAX: u32 = 1_000;

/// One action on one project.
struct Compose<'a> {
    options: &'a ActOptions,
    call: &'a ComposeCall,
    request: &'a ActionRequest,
    deadline: Deadline,
}

/// Why a look does not say "ready".
enum Look {
    Refused(String),
    Unknown(String),
}

/// Carries out an action.
pub(crate) fn execute(options: &ActOptions, call: &ComposeCall, request: &ActionRequest) -> Ended {
    let run = Compose { options, call, request, deadline: Deadline::of_ns(request.timeout_ns) };
    let ended = match request.verb {
        Verb::Rollback => run.rollback(),
        Verb::Restart => run.plain(&["restart"]),
        Verb::Scale => run.scale(),
        verb => Err(format!("kind compose can not {verb}")),
    };
    ended.unwrap_or_else(Ended::failed)
}

/// Asks Compose what it would run.
pub(crate) fn precheck(options: &ActOptions, call: &ComposeCall, request: &ActionRequest) -> Precheck {
    let run = Compose { options, call, request, deadline: Deadline::of_ns(request.timeout_ns) };
    let looked = match request.verb {
        Verb::Rollback => run.look_at_pin(),
        _ => run.look_at_services(),
    };
    match looked {
        Ok((detail, revision)) => Precheck::Ready { detail, revision },
        Err(Look::Refused(detail)) => Precheck::Refused { detail },
        Err(Look::Unknown(detail)) => Precheck::Unknown { detail },
    }
}

impl Compose<'_> {
    fn rollback(&self) -> Result<Ended, String> {
        let _held = fence::hold(self.folder(), self.request.fence)?;
        let images = match self.images(&self.files(None)?) {
            Ok(images) => images,
            Err(Look::Refused(why) | Look::Unknown(why)) => return Err(why),
        };
        if images.iter().all(|image| is_tagged(image, &self.request.to_version)) {
            // The file may have come from an action whose end nobody saw, so the services are brought up all the same.
            return self.up(None);
        }
        self.check_revision(&images)?;
        let change = self.change()?;
        if let Some(change) = &change {
            change.write()?;
        }
        self.up(change.as_ref())
    }

    /// Brings the services up with what the file holds now; the file goes back when that certainly failed.
    fn up(&self, change: Option<&Change>) -> Result<Ended, String> {
        let files = self.files(None)?;
        let args = self.with_services(&["up", "-d", "--no-deps"]);
        let ran = self.compose(&files, &args, self.deadline);
        let state = state_of(&ran.end);
        let said = ran.said("compose up");
        let detail = match (state, change) {
            (ActionState::Succeeded, _) => {
                format!("{} is up at {}", self.call.services.join(", "), self.request.to_version)
            }
            (ActionState::Unknown, Some(change)) => format!("{said}; {} stays changed", change.path.display()),
            (_, None) => said,
            (_, Some(change)) => format!("{said}; {}", self.take_back(change, &files, &args)),
        };
        Ok(Ended { state, detail, output: ran.output() })
    }

    fn take_back(&self, change: &Change, files: &[String], args: &[String]) -> String {
        if let Err(why) = change.restore() {
            return format!("and it could not be undone: {why}");
        }
        // Where the override file was not there before, it is not named now.
        let gone = change.before.is_none().then(|| change.path.display().to_string());
        let files: Vec<String> = match gone {
            Some(gone) => files.chunks(2).filter(|pair| pair.last() != Some(&gone)).flatten().cloned().collect(),
            None => files.to_vec(),
        };
        let again = self.compose(&files, args, Deadline::after(UNDO_TIMEOUT));
        let again = if again.ok() { "was brought up again".to_owned() } else { again.said("compose up") };
        format!("undone: {} is as it was, what ran before: {again}", change.path.display())
    }

    fn scale(&self) -> Result<Ended, String> {
        let (Some(service), Some(replicas)) = (self.call.services.first(), self.request.replicas) else {
            return Err("nothing says how many instances of which service".to_owned());
        };
        if replicas > REPLICAS_MAX {
            return Err(format!("{replicas} instances are asked for, {REPLICAS_MAX} are allowed"));
        }
        self.plain(&["up", "-d", "--no-deps", "--scale", &format!("{service}={replicas}")])
    }

    fn plain(&self, args: &[&str]) -> Result<Ended, String> {
        let _held = fence::hold(self.folder(), self.request.fence)?;
        let ran = self.compose(&self.files(None)?, &self.with_services(args), self.deadline);
        let state = state_of(&ran.end);
        Ok(Ended { state, detail: ran.said(&format!("compose {}", args[0])), output: ran.output() })
    }

    fn look_at_pin(&self) -> Result<(String, Option<String>), Look> {
        let images = self.images(&self.files(None).map_err(Look::Refused)?)?;
        let revision = images.join(" ");
        if images.iter().all(|image| is_tagged(image, &self.request.to_version)) {
            return Ok((format!("{revision} is what the files say already"), Some(revision)));
        }
        self.check_revision(&images).map_err(Look::Refused)?;
        let Some(change) = self.change().map_err(Look::Refused)? else {
            let detail = format!("the file pins {} already, and Compose says {revision}", self.request.to_version);
            return Err(Look::Refused(detail));
        };
        let name = change.path.file_name().unwrap_or_default();
        let unknown = |error: std::io::Error| Look::Unknown(format!("no room for a dry run: {error}"));
        let folder = tempfile::tempdir().map_err(unknown)?;
        let tried = folder.path().join(name);
        std::fs::write(&tried, &change.after).map_err(unknown)?;
        let after = self.images(&self.files(Some(&tried)).map_err(Look::Refused)?)?;
        if !after.iter().all(|image| is_tagged(image, &self.request.to_version)) {
            let (shown, after) = (change.path.display(), after.join(" "));
            return Err(Look::Refused(format!("{shown} does not decide the image: with it Compose would run {after}")));
        }
        Ok((format!("{revision} -> {}", after.join(" ")), Some(revision)))
    }

    fn look_at_services(&self) -> Result<(String, Option<String>), Look> {
        let images = self.images(&self.files(None).map_err(Look::Refused)?)?;
        Ok((format!("{}: {}", self.call.services.join(", "), images.join(" ")), None))
    }

    fn check_revision(&self, images: &[String]) -> Result<(), String> {
        let now = images.join(" ");
        if let Some(seen) = self.request.revision.as_ref().filter(|seen| **seen != now) {
            return Err(format!("the files say {now} now, the precheck saw {seen}"));
        }
        let from = &self.request.from_version;
        match images.iter().find(|image| !is_tagged(image, from)) {
            Some(image) => Err(format!("the files say {image}, not {from}")),
            None => Ok(()),
        }
    }

    fn change(&self) -> Result<Option<Change>, String> {
        let pin = self.call.pin().ok_or("the step does not say where the tag is pinned")?;
        let writer = Writer { key: &self.request.key, fence: self.request.fence, services: &self.call.services };
        plan(self.folder(), pin, &self.request.from_version, &self.request.to_version, &writer)
    }

    /// The images of the services, as Compose reads its files.
    fn images(&self, files: &[String]) -> Result<Vec<String>, Look> {
        let ran = self.compose(files, &["config".to_owned()], self.deadline);
        if !ran.ok() {
            return Err(Look::Unknown(ran.said("compose config")));
        }
        let config: Json = serde_saphyr::from_str(&String::from_utf8_lossy(&ran.stdout))
            .map_err(|error| Look::Unknown(format!("compose config can not be read: {error}")))?;
        let image = |service: &String| match config["services"].get(service) {
            None => Err(Look::Refused(format!("the project has no service {service}"))),
            Some(found) => match found["image"].as_str() {
                Some(image) => Ok(image.to_owned()),
                None => Err(Look::Refused(format!("the service {service} has no image, it is built"))),
            },
        };
        self.call.services.iter().map(image).collect()
    }

    /// The arguments that name the files. `tried` stands in for the file that pins the tag.
    fn files(&self, tried: Option<&Path>) -> Result<Vec<String>, String> {
        let text = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| "a path is not text".to_owned());
        let mut args = Vec::new();
        for file in &self.call.files {
            args.extend(["-f".to_owned(), text(&self.folder().join(file))?]);
        }
        match (self.call.pin(), tried) {
            (Some(ComposePin::Override { .. }), Some(tried)) => args.extend(["-f".to_owned(), text(tried)?]),
            (Some(ComposePin::Override { file, .. }), None) => {
                let path = self.folder().join(file);
                if path.exists() {
                    args.extend(["-f".to_owned(), text(&path)?]);
                }
            }
            (Some(ComposePin::Variable { .. }), Some(tried)) => args.extend(["--env-file".to_owned(), text(tried)?]),
            (Some(ComposePin::Variable { file, .. }), None) => {
                args.extend(["--env-file".to_owned(), text(&self.folder().join(file))?]);
            }
            (None, _) => {}
        }
        if let Some(project) = &self.call.project {
            args.extend(["-p".to_owned(), project.clone()]);
        }
        Ok(args)
    }

    fn with_services(&self, args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| (*arg).to_owned()).chain(self.call.services.iter().cloned()).collect()
    }

    fn compose(&self, files: &[String], args: &[String], deadline: Deadline) -> Ran {
        let argv: Vec<String> = [&self.options.compose[..], files, args].concat();
        let mut env = self.options.compose_env.clone();
        env.extend(identity(self.request));
        run(&Program { argv: &argv, env, dir: self.folder() }, deadline)
    }

    fn folder(&self) -> &Path {
        Path::new(&self.call.directory)
    }
}

/// Whether an image has a version as its tag.
fn is_tagged(image: &str, version: &str) -> bool {
    !version.is_empty() && image.strip_suffix(version).is_some_and(|rest| rest.ends_with(':'))
}

#[cfg(test)]
mod tests;
