//! Actions of kind `argo_rollouts`: abort a rollout, or undo one that has become the stable version. Never a promotion.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{DynamicObject, Patch};
use respond::{ActionRequest, RolloutOperation, Verb};
use serde_json::{Value as Json, json};

use crate::gitops;
use crate::history::{ROLLOUT_REVISION, Revision, choose, replica_sets};
use crate::link::{How, Link, Stop, Written, resource};
use crate::template::{hash, is_version, shown_version, text};
use crate::workload::{Looked, template};
use crate::write::{CONFLICT_RETRIES_MAX, NewTemplate, Spot, changed, mark, was_done};

/// Pause between two looks at what the controller does.
const ROLLOUT_POLL: Duration = Duration::from_millis(500);

/// A Rollout that is acted on.
pub(crate) struct Rollout {
    spot: Spot,
    operation: RolloutOperation,
    wait: bool,
}

impl Rollout {
    pub(crate) fn new(link: Link, namespace: &str, name: &str, operation: RolloutOperation, wait: bool) -> Self {
        let resource = resource("argoproj.io", "v1alpha1", "Rollout", "rollouts");
        let spot = Spot { link, namespace: namespace.to_owned(), resource, name: name.to_owned() };
        Self { spot, operation, wait }
    }

    /// Runs everything but the write, and an undo's write without keeping it.
    pub(crate) async fn precheck(&self, request: &ActionRequest) -> Result<Looked, Stop> {
        let object = self.spot.look().await?;
        let revision = identity(&object);
        let abort = self.aborts(&object);
        let done = if abort { is_aborted(&object) } else { was_done(&object, request)? };
        if done {
            return Ok(Looked { detail: "it was done before".to_owned(), revision });
        }
        self.check_version(&object, request).await?;
        if abort {
            let to = self.check_abort(&object, request).await?;
            return Ok(Looked { detail: format!("{} would be aborted and go back to {to}", self.spot.name), revision });
        }
        let (new, mut notes) = self.plan_undo(&object, request).await?;
        self.spot.dry_run(&object, request, &new).await?;
        let runs = shown_version(template(&object), None);
        notes.insert(0, format!("{} runs {runs} and would be given {}", self.spot.name, new.what));
        Ok(Looked { detail: notes.join("; "), revision })
    }

    /// Does it once.
    pub(crate) async fn execute(&self, request: &ActionRequest) -> Result<String, Stop> {
        let object = self.spot.look().await?;
        if self.aborts(&object) {
            return self.abort(object, request).await;
        }
        if was_done(&object, request)? {
            return Ok(format!("already done; {}", self.await_health().await?));
        }
        if let Some(expected) = &request.revision
            && *expected != identity(&object)
        {
            return Err(Stop::NotDone(changed(&self.spot.name, expected, &identity(&object))));
        }
        self.check_version(&object, request).await?;
        let (new, _) = self.plan_undo(&object, request).await?;
        let done = self.spot.replace_template(object, request, &new, identity).await?;
        match self.await_health().await {
            Ok(waited) => Ok(format!("{}; {waited}", done.detail)),
            Err(Stop::Wrong(why)) => Err(Stop::Wrong(format!("{}; {why}", done.detail))),
            Err(stop) => Err(Stop::Unsure(format!("{}; {}", done.detail, stop.ended().1))),
        }
    }

    fn aborts(&self, object: &DynamicObject) -> bool {
        match self.operation {
            RolloutOperation::Abort => true,
            RolloutOperation::Undo => false,
            RolloutOperation::Auto => is_aborted(object) || is_underway(object),
        }
    }

    async fn check_version(&self, object: &DynamicObject, request: &ActionRequest) -> Result<(), Stop> {
        if request.verb != Verb::Rollback {
            return Err(Stop::Refused(format!("kind argo_rollouts can not {}", request.verb)));
        }
        let from = &request.from_version;
        if from.is_empty() || template(object).is_null() || is_version(template(object), None, from) {
            return Ok(());
        }
        let runs = shown_version(template(object), None);
        Err(Stop::Refused(format!("{} runs {runs}, not {from}: someone changed it", self.spot.name)))
    }

    /// The version that an abort goes back to.
    async fn check_abort(&self, object: &DynamicObject, request: &ActionRequest) -> Result<String, Stop> {
        if !is_underway(object) {
            let hint = "its version is the stable one already: use operation undo";
            return Err(Stop::Refused(format!("{} is not being rolled out; {hint}", self.spot.name)));
        }
        let Some(stable) = self.stable(object).await? else {
            return Err(Stop::Refused(format!("{} has no stable version to go back to", self.spot.name)));
        };
        let to = &request.to_version;
        if !to.is_empty() && stable.annotated.as_ref() != Some(to) && !is_version(&stable.template, None, to) {
            let goes = stable.shown(None);
            return Err(Stop::Refused(format!(
                "an abort goes back to the stable {goes}, not to {to}: use operation undo"
            )));
        }
        Ok(stable.shown(None))
    }

    async fn stable(&self, object: &DynamicObject) -> Result<Option<Revision>, Stop> {
        let Some(hash) = text(&object.data, &["status", "stableRS"]) else { return Ok(None) };
        let name = format!("{}-{hash}", self.spot.name);
        let kept = replica_sets(&self.spot.link, &self.spot.namespace, object, ROLLOUT_REVISION).await?;
        Ok(kept.into_iter().find(|revision| revision.name == name))
    }

    /// What the kubectl plugin does: `status.abort`, through the status subresource, or without it where there is none.
    async fn abort(&self, seen: DynamicObject, request: &ActionRequest) -> Result<String, Stop> {
        if is_aborted(&seen) {
            return Ok(format!("already aborted; {}", self.await_abort().await?));
        }
        let expected = request.revision.clone().unwrap_or_else(|| identity(&seen));
        self.check_version(&seen, request).await?;
        let to = self.check_abort(&seen, request).await?;
        let mut object = mark(&self.spot, seen, request).await?;
        for _ in 0..=CONFLICT_RETRIES_MAX {
            if identity(&object) != expected {
                return Err(Stop::NotDone(changed(&self.spot.name, &expected, &identity(&object))));
            }
            match self.send_abort(&object).await? {
                Written::Done(_) => {
                    let done = format!("{} was aborted and goes back to {to}", self.spot.name);
                    return match self.await_abort().await {
                        Ok(waited) => Ok(format!("{done}; {waited}")),
                        Err(stop) => Err(Stop::Unsure(format!("{done}; {}", stop.ended().1))),
                    };
                }
                Written::Conflict => object = self.spot.look().await?,
                Written::Unsure(why) => return Err(Stop::Unsure(why)),
            }
        }
        Err(Stop::NotDone(format!("{} is written all the time", self.spot.name)))
    }

    async fn send_abort(&self, object: &DynamicObject) -> Result<Written, Stop> {
        let version = object.metadata.resource_version.clone().unwrap_or_default();
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "status": {"abort": true}}));
        let Spot { link, namespace, resource, name } = &self.spot;
        let status = How { dry_run: false, subresource: Some("status") };
        match link.patch(namespace, resource, name, &patch, status).await {
            // The Rollout is there, so it is the subresource that is not.
            Err(Stop::NotDone(_)) => link.patch(namespace, resource, name, &patch, How::REAL).await,
            sent => sent,
        }
    }

    async fn plan_undo(
        &self,
        object: &DynamicObject,
        request: &ActionRequest,
    ) -> Result<(NewTemplate, Vec<String>), Stop> {
        let name = &self.spot.name;
        if let Some(reference) = text(&object.data, &["spec", "workloadRef", "name"]) {
            let hint = "use kind kubernetes for it";
            return Err(Stop::Refused(format!("{name} has no template of its own but that of {reference}; {hint}")));
        }
        if object.data.pointer("/spec/paused") == Some(&Json::Bool(true)) {
            return Err(Stop::Refused(format!("{name} is paused, so a new template would reach nothing; resume it")));
        }
        let notes = gitops::check(&self.spot.link, &self.spot.namespace, object, Verb::Rollback, None).await?;
        let kept = replica_sets(&self.spot.link, &self.spot.namespace, object, ROLLOUT_REVISION).await?;
        let chosen = choose(&kept, template(object), &request.to_version, None)?;
        let new = NewTemplate { template: chosen.template.clone(), annotations: Vec::new(), what: chosen.shown(None) };
        Ok((new, notes))
    }

    async fn await_abort(&self) -> Result<String, Stop> {
        self.wait_for("the abort", |object| {
            let weight = object.data.pointer("/status/canary/weights/canary/weight").and_then(Json::as_i64);
            let seen = text(&object.data, &["status", "abortedAt"]).is_some();
            Ok((seen && weight.unwrap_or(0) == 0).then(|| "the controller has taken all traffic back".to_owned()))
        })
        .await
    }

    async fn await_health(&self) -> Result<String, Stop> {
        self.wait_for("the rollout", |object| {
            let message = text(&object.data, &["status", "message"]).unwrap_or_default();
            match text(&object.data, &["status", "phase"]) {
                Some("Healthy") if is_observed(object) => Ok(Some("it is healthy".to_owned())),
                Some("Degraded") if is_observed(object) => Err(Stop::Wrong(format!("it is degraded: {message}"))),
                _ => Ok(None),
            }
        })
        .await
    }

    async fn wait_for(
        &self,
        what: &str,
        done: impl Fn(&DynamicObject) -> Result<Option<String>, Stop>,
    ) -> Result<String, Stop> {
        if !self.wait {
            return Ok(format!("not waiting for {what}"));
        }
        loop {
            if let Some(how) = done(&self.spot.look().await?)? {
                return Ok(how);
            }
            tokio::time::sleep(ROLLOUT_POLL).await;
            if self.spot.link.is_over() {
                return Err(Stop::Unsure(format!("{what} goes on after the time limit")));
            }
        }
    }
}

/// Whether a version is being rolled out beside the stable one.
fn is_underway(object: &DynamicObject) -> bool {
    let status = |name| text(&object.data, &["status", name]);
    status("currentPodHash").is_some() && status("currentPodHash") != status("stableRS")
}

fn is_aborted(object: &DynamicObject) -> bool {
    object.data.pointer("/status/abort") == Some(&Json::Bool(true)) && is_underway(object)
}

/// The controller writes the generation as a text.
fn is_observed(object: &DynamicObject) -> bool {
    let generation = object.metadata.generation.unwrap_or(0);
    match object.data.pointer("/status/observedGeneration") {
        Some(Json::String(seen)) => *seen == generation.to_string(),
        Some(seen) => seen.as_i64() == Some(generation),
        None => false,
    }
}

fn identity(object: &DynamicObject) -> String {
    let underway = text(&object.data, &["status", "currentPodHash"]).unwrap_or_default();
    format!("{}/{}/{underway}", object.uid().unwrap_or_default(), hash(template(object)))
}
