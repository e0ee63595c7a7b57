//! Actions of kind `flux`: suspend and resume a Kustomization or HelmRelease, and a rollback that does both in the right order.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use model::Timestamp;
use respond::{ActionRequest, FluxCall, FluxKind, FluxOperation, WorkloadName};
use serde_json::{Value as Json, json};

use crate::gitops::{Manager, flux_helm_release, flux_kustomization, is_suspended, managers};
use crate::link::{How, Link, Stop, Written};
use crate::mark::{KEY_ANNOTATION, guarded, pointer};
use crate::template::text;
use crate::workload::{Looked, Workload};
use crate::write::{CONFLICT_RETRIES_MAX, Spot};

/// The key of the action that suspended a resource; a resume takes it away, and leaves alone what a person suspended.
pub const SUSPENDED_BY_ANNOTATION: &str = "backstop.dev/suspended-by";

/// Pause between two looks at a reconciliation under way.
const QUIET_POLL: Duration = Duration::from_millis(250);

/// A Kustomization or HelmRelease that is acted on.
pub(crate) struct Flux {
    spot: Spot,
    manager: Manager,
    operation: Option<FluxOperation>,
    workload: Option<Workload>,
}

/// Whether a resource had to be suspended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suspended {
    Now,
    Before,
}

impl Flux {
    pub(crate) fn new(link: Link, call: &FluxCall) -> Result<Self, Stop> {
        let (kind, name) = FluxCall::parse_resource(&call.resource).map_err(Stop::Refused)?;
        let (at, name) = (call.namespace.clone(), name.to_owned());
        let (resource, manager) = match kind {
            FluxKind::Kustomization => (flux_kustomization(), Manager::Kustomization(at.clone(), name.clone())),
            FluxKind::HelmRelease => (flux_helm_release(), Manager::HelmRelease(at.clone(), name.clone())),
        };
        let workload = match &call.workload {
            None => None,
            Some(workload) => {
                let workload = WorkloadName::parse(workload).map_err(Stop::Refused)?;
                let namespace = call.workload_namespace.as_ref().unwrap_or(&at);
                let mut workload = Workload::new(link.clone(), namespace, &workload, call.container.clone());
                workload.wait = call.wait;
                workload.silenced = Some(manager.clone());
                Some(workload)
            }
        };
        Ok(Self { spot: Spot { link, namespace: at, resource, name }, manager, operation: call.operation, workload })
    }

    fn shown(&self) -> String {
        format!("{} {}/{}", self.spot.resource.kind, self.spot.namespace, self.spot.name)
    }

    /// Runs everything but the writes, and those without keeping them.
    pub(crate) async fn precheck(&self, request: &ActionRequest) -> Result<Looked, Stop> {
        let object = self.spot.look().await?;
        let suspended = is_suspended(&object);
        let shown = self.shown();
        if let Some(workload) = &self.workload {
            self.check_owner(workload).await?;
            let looked = workload.precheck(request).await?;
            if !suspended {
                self.dry_run(self.suspend_steps(&object, request)).await?;
            }
            let first = if suspended { "is suspended already" } else { "would be suspended first" };
            return Ok(Looked { detail: format!("{shown} {first}; {}", looked.detail), revision: looked.revision });
        }
        let revision = object.uid().unwrap_or_default();
        let detail = match self.operation {
            Some(FluxOperation::Suspend) if suspended => format!("{shown} is suspended already"),
            Some(FluxOperation::Suspend) => {
                self.dry_run(self.suspend_steps(&object, request)).await?;
                format!("{shown} would be suspended")
            }
            Some(FluxOperation::Resume) if !suspended => format!("{shown} is not suspended"),
            Some(FluxOperation::Resume) => {
                self.check_resume(&object)?;
                self.dry_run(resume_steps(&object, request)).await?;
                format!("{shown} would be resumed, and then be as its source says")
            }
            None => return Err(Stop::Refused("there is neither an operation nor a workload".to_owned())),
        };
        Ok(Looked { detail, revision })
    }

    /// Does it once.
    pub(crate) async fn execute(&self, request: &ActionRequest, now: Timestamp) -> Result<String, Stop> {
        if let Some(workload) = &self.workload {
            return self.rollback(workload, request, now).await;
        }
        let shown = self.shown();
        match self.operation {
            Some(FluxOperation::Suspend) => Ok(match self.suspend(request).await? {
                Suspended::Now => format!("{shown} was suspended"),
                Suspended::Before => format!("{shown} was suspended already"),
            }),
            Some(FluxOperation::Resume) => self.resume(request).await,
            None => Err(Stop::Refused("there is neither an operation nor a workload".to_owned())),
        }
    }

    /// Suspends first: a reconciliation after the undo would bring the bad version back. An undo that certainly did not happen
    /// leaves everything as it was.
    async fn rollback(&self, workload: &Workload, request: &ActionRequest, now: Timestamp) -> Result<String, Stop> {
        self.check_owner(workload).await?;
        let suspended = self.suspend(request).await?;
        let shown = self.shown();
        let undone = match self.await_quiet().await {
            Ok(()) => workload.execute(request, now).await,
            Err(stop) => Err(stop),
        };
        match undone {
            Ok(detail) => Ok(format!("{shown} is suspended; {detail}; resume it when its source is mended")),
            Err(stop @ (Stop::Refused(_) | Stop::NotDone(_) | Stop::Unreachable(_))) if suspended == Suspended::Now => {
                let (state, why) = stop.clone().ended();
                let put_back = match self.resume(request).await {
                    Ok(_) => format!("{shown} was resumed"),
                    Err(stop) => format!("{shown} stays suspended: {}", stop.ended().1),
                };
                let detail = format!("{why}; {put_back}");
                Err(if state == respond::ActionState::Refused { Stop::Refused(detail) } else { Stop::NotDone(detail) })
            }
            Err(Stop::Wrong(why)) => Err(Stop::Wrong(format!("{shown} is suspended; {why}"))),
            Err(Stop::Unsure(why)) => Err(Stop::Unsure(format!("{shown} is suspended; {why}"))),
            Err(stop) => Err(stop),
        }
    }

    /// A workload of somebody else would not be held by suspending this resource.
    async fn check_owner(&self, workload: &Workload) -> Result<(), Stop> {
        let object = workload.spot.look().await?;
        if managers(&workload.spot.namespace, &object).contains(&self.manager) {
            return Ok(());
        }
        let (name, shown) = (&workload.spot.name, self.shown());
        Err(Stop::Refused(format!("{name} is not labelled as one of {shown}: suspending that would not hold it")))
    }

    async fn suspend(&self, request: &ActionRequest) -> Result<Suspended, Stop> {
        for _ in 0..=CONFLICT_RETRIES_MAX {
            let object = self.spot.look().await?;
            if is_suspended(&object) {
                return Ok(Suspended::Before);
            }
            match self.spot.patch(self.suspend_steps(&object, request), How::REAL).await? {
                Written::Done(_) => return Ok(Suspended::Now),
                Written::Conflict => {}
                Written::Unsure(why) => return Err(Stop::Unsure(format!("suspending {}: {why}", self.shown()))),
            }
        }
        Err(Stop::NotDone(format!("{} is written all the time", self.shown())))
    }

    fn suspend_steps(&self, object: &DynamicObject, request: &ActionRequest) -> Vec<Json> {
        let mut steps = guarded(object, &marks(request, &[SUSPENDED_BY_ANNOTATION]));
        steps.push(json!({"op": "add", "path": "/spec/suspend", "value": true}));
        steps
    }

    fn check_resume(&self, object: &DynamicObject) -> Result<(), Stop> {
        if object.annotations().contains_key(SUSPENDED_BY_ANNOTATION) {
            return Ok(());
        }
        Err(Stop::Refused(format!("{} was not suspended by Backstop: whoever did resumes it", self.shown())))
    }

    async fn resume(&self, request: &ActionRequest) -> Result<String, Stop> {
        let shown = self.shown();
        for _ in 0..=CONFLICT_RETRIES_MAX {
            let object = self.spot.look().await?;
            if !is_suspended(&object) {
                return Ok(format!("{shown} is not suspended"));
            }
            self.check_resume(&object)?;
            match self.spot.patch(resume_steps(&object, request), How::REAL).await? {
                Written::Done(_) => return Ok(format!("{shown} was resumed")),
                Written::Conflict => {}
                Written::Unsure(why) => return Err(Stop::Unsure(format!("resuming {shown}: {why}"))),
            }
        }
        Err(Stop::NotDone(format!("{shown} is written all the time")))
    }

    async fn dry_run(&self, steps: Vec<Json>) -> Result<(), Stop> {
        match self.spot.patch(steps, How::DRY).await? {
            Written::Done(_) => Ok(()),
            Written::Conflict => Err(Stop::Unreachable("the object changes at this moment; look again".to_owned())),
            Written::Unsure(why) => Err(Stop::Unreachable(format!("the dry run was not answered: {why}"))),
        }
    }

    /// A reconciliation that began before the suspension still applies what it has read.
    async fn await_quiet(&self) -> Result<(), Stop> {
        loop {
            let object = self.spot.look().await?;
            let conditions = object.data.pointer("/status/conditions").and_then(Json::as_array);
            let busy = conditions.into_iter().flatten().any(|condition| {
                text(condition, &["type"]) == Some("Reconciling") && text(condition, &["status"]) == Some("True")
            });
            if !busy {
                return Ok(());
            }
            tokio::time::sleep(QUIET_POLL).await;
            if self.spot.link.is_over() {
                return Err(Stop::NotDone(format!("{} is still being reconciled after the time limit", self.shown())));
            }
        }
    }
}

/// No fence: many services live under one resource, and each lease counts for itself.
fn marks(request: &ActionRequest, more: &[&'static str]) -> Vec<(&'static str, String)> {
    [KEY_ANNOTATION].iter().chain(more).map(|name| (*name, request.key.clone())).collect()
}

fn resume_steps(object: &DynamicObject, request: &ActionRequest) -> Vec<Json> {
    let mut steps = guarded(object, &marks(request, &[]));
    steps.push(json!({"op": "remove", "path": format!("/metadata/annotations/{}", pointer(SUSPENDED_BY_ANNOTATION))}));
    steps.push(json!({"op": "add", "path": "/spec/suspend", "value": false}));
    steps
}
