//! Actions of kind `kubernetes`: rollback, restart and scale of a Deployment, StatefulSet or DaemonSet.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{DynamicObject, Patch};
use model::Timestamp;
use respond::{ActionRequest, Verb, WorkloadKind, WorkloadName};
use serde_json::{Value as Json, json};

use crate::gitops::{self, Manager};
use crate::history::{CHANGE_CAUSE, Revision, choose, history};
use crate::link::{How, Link, Stop, Written, workload_resource};
use crate::mark::{Marked, check_fence};
use crate::progress::{Progress, progress};
use crate::template::{RESTARTED_AT, hash, is_version, number, shown_version};
use crate::write::{NewTemplate, Replaced, Spot, changed, mark, was_done};

/// Pause between two looks at a rollout.
const ROLLOUT_POLL: Duration = Duration::from_millis(500);

/// A workload that is acted on.
pub(crate) struct Workload {
    pub(crate) spot: Spot,
    pub(crate) kind: WorkloadKind,
    pub(crate) container: Option<String>,
    pub(crate) wait: bool,
    pub(crate) allow_zero: bool,
    /// A reconciler that is suspended before the action, and so would not undo it.
    pub(crate) silenced: Option<Manager>,
}

/// What a look before the action found.
pub(crate) struct Looked {
    /// For people.
    pub(crate) detail: String,
    /// What the action replaces.
    pub(crate) revision: String,
}

impl Workload {
    pub(crate) fn new(link: Link, namespace: &str, name: &WorkloadName, container: Option<String>) -> Self {
        let resource = workload_resource(name.kind);
        let spot = Spot { link, namespace: namespace.to_owned(), resource, name: name.name.clone() };
        Self { spot, kind: name.kind, container, wait: true, allow_zero: false, silenced: None }
    }

    fn container(&self) -> Option<&str> {
        self.container.as_deref()
    }

    /// Runs everything but the write, and the write without keeping it.
    pub(crate) async fn precheck(&self, request: &ActionRequest) -> Result<Looked, Stop> {
        let object = self.spot.look().await?;
        let revision = identity(request.verb, &object);
        if self.was_done(&object, request)? {
            return Ok(Looked { detail: "it was done before".to_owned(), revision });
        }
        let mut notes = self.check(&object, request).await?;
        match request.verb {
            Verb::Scale => {
                let (from, to) = (replicas(&object), self.wanted_replicas(request)?);
                if from != i64::from(to) {
                    self.scale_to(&object, to, true).await?;
                }
                notes.insert(0, format!("{} goes from {from} to {to} instances", self.spot.name));
            }
            _ => {
                let new = self.new_template(&object, request, Timestamp(0)).await?;
                self.spot.dry_run(&object, request, &new).await?;
                let runs = shown_version(template(&object), self.container());
                notes.insert(0, format!("{} runs {runs} and would be given {}", self.spot.name, new.what));
            }
        }
        Ok(Looked { detail: notes.join("; "), revision })
    }

    /// Does it once.
    pub(crate) async fn execute(&self, request: &ActionRequest, now: Timestamp) -> Result<String, Stop> {
        let object = self.spot.look().await?;
        if self.was_done(&object, request)? {
            let waited = self.await_rollout(request.verb, &object).await?;
            return Ok(format!("already done; {waited}"));
        }
        if let Some(expected) = &request.revision {
            let found = identity(request.verb, &object);
            if *expected != found {
                return Err(Stop::NotDone(changed(&self.spot.name, expected, &found)));
            }
        }
        self.check(&object, request).await?;
        let done = match request.verb {
            Verb::Scale => self.scale(object, request).await?,
            verb => {
                let new = self.new_template(&object, request, now).await?;
                self.spot.replace_template(object, request, &new, |object| identity(verb, object)).await?
            }
        };
        let waited = self.await_rollout(request.verb, &done.object).await.map_err(|stop| match stop {
            // Looking at how it goes failed, the write did not.
            Stop::Unreachable(why) | Stop::NotDone(why) => Stop::Unsure(format!("{}; then {why}", done.detail)),
            Stop::Unsure(why) => Stop::Unsure(format!("{}; {why}", done.detail)),
            Stop::Wrong(why) => Stop::Wrong(format!("{}; {why}", done.detail)),
            refused @ Stop::Refused(_) => refused,
        })?;
        Ok(format!("{}; {waited}", done.detail))
    }

    fn was_done(&self, object: &DynamicObject, request: &ActionRequest) -> Result<bool, Stop> {
        if request.verb != Verb::Scale {
            return was_done(object, request);
        }
        if check_fence(object, request)? == Marked::No {
            return Ok(false);
        }
        let (there, wanted) = (replicas(object), i64::from(self.wanted_replicas(request)?));
        if there == wanted {
            return Ok(true);
        }
        let detail = format!("this action was begun before, and {there} instances are asked for, not {wanted}");
        Err(Stop::Unsure(format!("{detail}: its end was lost, or someone changed them since")))
    }

    /// What must hold for any verb.
    async fn check(&self, object: &DynamicObject, request: &ActionRequest) -> Result<Vec<String>, Stop> {
        let name = &self.spot.name;
        let current = template(object);
        let from = &request.from_version;
        if !from.is_empty() && !is_version(current, self.container(), from) {
            let runs = shown_version(current, self.container());
            return Err(Stop::Refused(format!("{name} runs {runs}, not {from}: someone changed it")));
        }
        if request.verb != Verb::Scale && object.data.pointer("/spec/paused") == Some(&Json::Bool(true)) {
            let hint = "resume it, then nothing of it is rolled out by surprise";
            return Err(Stop::Refused(format!("{name} is paused, so a new template would reach nothing; {hint}")));
        }
        if request.verb != Verb::Scale && strategy(object) == Some("OnDelete") {
            let hint = "a new template reaches a pod only when someone deletes the old one";
            return Err(Stop::Refused(format!("{name} is updated OnDelete: {hint}")));
        }
        if request.verb == Verb::Scale {
            let kind = self.spot.resource.kind.as_str();
            gitops::check_autoscaler(&self.spot.link, &self.spot.namespace, kind, name).await?;
        }
        gitops::check(&self.spot.link, &self.spot.namespace, object, request.verb, self.silenced.as_ref()).await
    }

    async fn new_template(
        &self,
        object: &DynamicObject,
        request: &ActionRequest,
        now: Timestamp,
    ) -> Result<NewTemplate, Stop> {
        let current = template(object);
        match request.verb {
            Verb::Rollback => {
                let kept = history(&self.spot.link, &self.spot.namespace, self.kind, object).await?;
                let chosen = choose(&kept, current, &request.to_version, self.container())?;
                Ok(self.of_revision(chosen))
            }
            Verb::Restart => Ok(restarted(current, now)),
            verb => Err(Stop::Refused(format!("kind kubernetes can not {verb}"))),
        }
    }

    fn of_revision(&self, revision: &Revision) -> NewTemplate {
        // Why the bad revision was made says nothing of this one.
        let cause = (CHANGE_CAUSE, revision.cause.clone());
        NewTemplate {
            template: revision.template.clone(),
            annotations: if self.kind == WorkloadKind::Deployment { vec![cause] } else { Vec::new() },
            what: revision.shown(self.container()),
        }
    }

    fn wanted_replicas(&self, request: &ActionRequest) -> Result<u32, Stop> {
        match request.replicas {
            None => Err(Stop::Refused("the number of instances is missing".to_owned())),
            Some(_) if self.kind == WorkloadKind::DaemonSet => {
                Err(Stop::Refused("a DaemonSet can not be scaled".to_owned()))
            }
            Some(0) if !self.allow_zero => {
                Err(Stop::Refused("scaling to 0 instances is not allowed: say allow_zero: true".to_owned()))
            }
            Some(wanted) => Ok(wanted),
        }
    }

    /// The scale subresource has no annotations, so the workload is marked first: whoever comes late is refused from then on.
    async fn scale(&self, seen: DynamicObject, request: &ActionRequest) -> Result<Replaced, Stop> {
        let wanted = self.wanted_replicas(request)?;
        let expected = request.revision.clone().unwrap_or_else(|| identity(Verb::Scale, &seen));
        let from = replicas(&seen);
        let detail = format!("{} was scaled from {from} to {wanted} instances", self.spot.name);
        let mut object = mark(&self.spot, seen, request).await?;
        for _ in 0..=crate::write::CONFLICT_RETRIES_MAX {
            let found = identity(Verb::Scale, &object);
            if found != expected {
                return Err(Stop::NotDone(changed(&self.spot.name, &expected, &found)));
            }
            match self.scale_to(&object, wanted, false).await? {
                Written::Done(_) => return Ok(Replaced { object: self.spot.look().await?, detail }),
                Written::Conflict => object = self.spot.look().await?,
                Written::Unsure(why) => return Err(Stop::Unsure(why)),
            }
        }
        Err(Stop::NotDone(format!("{} is written all the time", self.spot.name)))
    }

    async fn scale_to(&self, object: &DynamicObject, replicas: u32, dry_run: bool) -> Result<Written, Stop> {
        let version = object.metadata.resource_version.clone().unwrap_or_default();
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}));
        let how = How { dry_run, subresource: Some("scale") };
        self.spot.link.patch(&self.spot.namespace, &self.spot.resource, &self.spot.name, &patch, how).await
    }

    /// Waits until the controller has rolled out the object's template.
    async fn await_rollout(&self, verb: Verb, written: &DynamicObject) -> Result<String, Stop> {
        if !self.wait {
            return Ok("not waiting for the rollout".to_owned());
        }
        let wrote = identity(verb, written);
        loop {
            let object = self.spot.look().await?;
            let found = identity(verb, &object);
            if found != wrote {
                return Err(Stop::Unsure(format!(
                    "while it was rolled out, {}",
                    changed(&self.spot.name, &wrote, &found)
                )));
            }
            let awaited = match progress(self.kind, &object) {
                Progress::Done(how) => return Ok(how),
                Progress::Stuck(why) => return Err(Stop::Wrong(why)),
                Progress::Going(_, awaited) => awaited,
            };
            tokio::time::sleep(ROLLOUT_POLL).await;
            if self.spot.link.is_over() {
                return Err(Stop::Unsure(format!("the rollout goes on after the time limit: {awaited}")));
            }
        }
    }
}

/// The workload's pod template.
pub(crate) fn template(object: &DynamicObject) -> &Json {
    object.data.pointer("/spec/template").unwrap_or(&Json::Null)
}

fn replicas(object: &DynamicObject) -> i64 {
    number(&object.data, &["spec", "replicas"]).unwrap_or(1)
}

fn strategy(object: &DynamicObject) -> Option<&str> {
    object.data.pointer("/spec/updateStrategy/type").and_then(Json::as_str)
}

/// What an action replaces: this object, not another of the same name, with this template; for a scale, with so many instances.
pub(crate) fn identity(verb: Verb, object: &DynamicObject) -> String {
    let (uid, hash) = (object.uid().unwrap_or_default(), hash(template(object)));
    match verb {
        Verb::Scale => format!("{uid}/{hash}/{}", replicas(object)),
        _ => format!("{uid}/{hash}"),
    }
}

/// What `kubectl rollout restart` does.
fn restarted(current: &Json, now: Timestamp) -> NewTemplate {
    let mut template = current.clone();
    if template["metadata"].is_null() {
        template["metadata"] = json!({});
    }
    if template["metadata"]["annotations"].is_null() {
        template["metadata"]["annotations"] = json!({});
    }
    template["metadata"]["annotations"][RESTARTED_AT] = Json::String(now.to_string());
    NewTemplate { template, annotations: Vec::new(), what: "a restart".to_owned() }
}
