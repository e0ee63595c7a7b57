//! Kubernetes: acts on workloads as a careful operator would, and tells what changed in a cluster.
//!
//! **Entry points.** [`Clusters`] carries out actions of the kinds `kubernetes`, `argo_rollouts` and `flux`
//! ([`Clusters::precheck`], [`Clusters::execute`]); [`watch`] turns the changes of workloads, ConfigMaps and Secrets into deliveries
//! in the native shape of `POST /backstop/api/v1/changes`.
//!
//! **An action's path.** Look at the object -> refuse (a later fence, another version, a reconciler that would undo it) -> find
//! the revision -> patch with `metadata.resourceVersion` as the precondition -> wait until the controller has rolled it out.
//!
//! **Guarantees.** A write replaces exactly what was looked at: another write in between is a conflict, and only one that left the
//! pod template alone is followed by another try. A write is sent once; without an answer the object is asked, and when that does
//! not tell either the outcome is Unknown. The same key twice changes nothing the second time. Objects stay JSON, so fields that
//! this crate has never heard of survive. The contents of Secrets never leave this crate, not even as a hash.
//!
//! **Not guaranteed.** A rollback by `kubectl` copies the annotations of an old ReplicaSet over those of an action, so the fence
//! on the object can go back; the lease's own cannot.
//!
//! **Not here.** Whether to act (`respond`), the helm program (`act`), where deliveries are kept (`change`).

mod argo_rollouts;
mod cluster;
mod flux;
mod gitops;
mod history;
mod link;
mod mark;
mod progress;
mod template;
mod watch;
mod workload;
mod write;

use std::time::Duration;

use respond::{ActionRequest, ActionState, Call, Precheck, WorkloadName, check_object_name};
use telemetry::clock;

pub use cluster::{ClusterOptions, Clusters, ClustersError};
pub use flux::SUSPENDED_BY_ANNOTATION;
pub use link::{FIELD_MANAGER, LIST_OBJECTS_MAX};
pub use mark::{FENCE_ANNOTATION, KEY_ANNOTATION, TEMPLATE_ANNOTATION};
pub use watch::{WatchOptions, Watching, watch};
pub use write::CONFLICT_RETRIES_MAX;

use crate::argo_rollouts::Rollout;
use crate::flux::Flux;
use crate::link::{Link, Stop};
use crate::workload::{Looked, Workload};

/// Longest that a precheck takes.
pub const PRECHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// What a call is about.
enum Acting {
    Workload(Box<Workload>),
    Rollout(Box<Rollout>),
    Flux(Box<Flux>),
}

impl Clusters {
    /// Looks at the target and tries the action on the server without keeping it. Blocks.
    pub fn precheck(&self, request: &ActionRequest) -> Precheck {
        let looked = self.block_on(async {
            match self.acting(request, timeout(request).min(PRECHECK_TIMEOUT)).await? {
                Acting::Workload(workload) => workload.precheck(request).await,
                Acting::Rollout(rollout) => rollout.precheck(request).await,
                Acting::Flux(flux) => flux.precheck(request).await,
            }
        });
        match looked {
            Some(Ok(Looked { detail, revision })) => Precheck::Ready { detail, revision: Some(revision) },
            Some(Err(stop)) => stop.precheck(),
            None => Precheck::Unknown { detail: "the program is ending".to_owned() },
        }
    }

    /// Carries out an action once, and says how it ended. Blocks.
    pub fn execute(&self, request: &ActionRequest) -> (ActionState, String) {
        let ended = self.block_on(async {
            match self.acting(request, timeout(request)).await? {
                Acting::Workload(workload) => workload.execute(request, clock::now()).await,
                Acting::Rollout(rollout) => rollout.execute(request).await,
                Acting::Flux(flux) => flux.execute(request, clock::now()).await,
            }
        });
        match ended {
            Some(Ok(detail)) => (ActionState::Succeeded, detail),
            Some(Err(stop)) => stop.ended(),
            None => (ActionState::Failed, "the program is ending; nothing was done".to_owned()),
        }
    }

    /// Whether a reconciler would undo the rollback of a release of Helm; otherwise what is worth knowing. Blocks.
    pub fn check_release(&self, cluster: Option<&str>, namespace: &str, release: &str) -> Precheck {
        let looked = self.block_on(async {
            let link = self.link(cluster, namespace, PRECHECK_TIMEOUT).await?;
            gitops::check_release(&link, namespace, release).await
        });
        match looked {
            Some(Ok(notes)) => Precheck::Ready { detail: notes.join("; "), revision: None },
            Some(Err(stop)) => stop.precheck(),
            None => Precheck::Unknown { detail: "the program is ending".to_owned() },
        }
    }

    async fn acting(&self, request: &ActionRequest, timeout: Duration) -> Result<Acting, Stop> {
        match &request.call {
            Call::Kubernetes(call) => {
                let name = WorkloadName::parse(&call.workload).map_err(Stop::Refused)?;
                let link = self.link(call.cluster.as_deref(), &call.namespace, timeout).await?;
                let mut workload = Workload::new(link, &call.namespace, &name, call.container.clone());
                (workload.wait, workload.allow_zero) = (call.wait, call.allow_zero);
                Ok(Acting::Workload(Box::new(workload)))
            }
            Call::ArgoRollouts(call) => {
                check_object_name(&call.rollout).map_err(Stop::Refused)?;
                let link = self.link(call.cluster.as_deref(), &call.namespace, timeout).await?;
                Ok(Acting::Rollout(Box::new(Rollout::new(
                    link,
                    &call.namespace,
                    &call.rollout,
                    call.operation,
                    call.wait,
                ))))
            }
            Call::Flux(call) => {
                if let Some(namespace) = &call.workload_namespace {
                    self.check_place(call.cluster.as_deref(), namespace)?;
                }
                let link = self.link(call.cluster.as_deref(), &call.namespace, timeout).await?;
                Flux::new(link, call).map(|flux| Acting::Flux(Box::new(flux)))
            }
            other => Err(Stop::Refused(format!("kind {} is none of Kubernetes", other.kind()))),
        }
    }

    fn check_place(&self, cluster: Option<&str>, namespace: &str) -> Result<&str, Stop> {
        check_object_name(namespace).map_err(Stop::Refused)?;
        self.may_act(cluster, namespace).map(|(name, _)| name).map_err(Stop::Refused)
    }

    async fn link(&self, cluster: Option<&str>, namespace: &str, timeout: Duration) -> Result<Link, Stop> {
        let name = self.check_place(cluster, namespace)?;
        let client = self.client(name).await.map_err(Stop::Unreachable)?;
        Ok(Link::new(client, timeout))
    }
}

fn timeout(request: &ActionRequest) -> Duration {
    Duration::from_nanos(request.timeout_ns.max(0).unsigned_abs())
}
