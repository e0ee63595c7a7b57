//! One action's link to an API server: requests within its time limit, and what their errors mean for the action.

use std::future::Future;
use std::time::Duration;

use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, Status};
use kube::{Client, Error};
use respond::{ActionState, Precheck, WorkloadKind};
use serde_json::Value as Json;
use tokio::time::Instant;

/// The name under which the server notes what Backstop wrote.
pub const FIELD_MANAGER: &str = "backstop";

/// Most objects that a list answers; more are an error, since what was not seen could be the one that matters.
pub const LIST_OBJECTS_MAX: u32 = 2_000;

/// Why an action or its precheck goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It must not be done.
    Refused(String),
    /// It was certainly not done.
    NotDone(String),
    /// The target could not be looked at; nothing was done.
    Unreachable(String),
    /// It was written and the target says that it went wrong.
    Wrong(String),
    /// It may have been done.
    Unsure(String),
}

impl Stop {
    /// What a precheck answers.
    pub(crate) fn precheck(self) -> Precheck {
        match self {
            Self::Refused(detail) | Self::NotDone(detail) | Self::Wrong(detail) => Precheck::Refused { detail },
            Self::Unreachable(detail) | Self::Unsure(detail) => Precheck::Unknown { detail },
        }
    }

    /// How an action ended.
    pub(crate) fn ended(self) -> (ActionState, String) {
        match self {
            Self::Refused(detail) => (ActionState::Refused, detail),
            Self::NotDone(detail) | Self::Wrong(detail) => (ActionState::Failed, detail),
            Self::Unreachable(detail) => (ActionState::Failed, format!("{detail}; nothing was done")),
            Self::Unsure(detail) => (ActionState::Unknown, detail),
        }
    }
}

/// A kind of object and how the server names it.
pub(crate) fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

/// A kind of workload.
pub(crate) fn workload_resource(kind: WorkloadKind) -> ApiResource {
    let plural = format!("{}s", kind.as_str().to_ascii_lowercase());
    resource("apps", "v1", kind.as_str(), &plural)
}

/// What a refusal of the server says, with a hint for the usual ones.
fn status_text(what: &str, status: &Status) -> String {
    let hint = match status.code {
        401 => "; check the credentials of the cluster's kubeconfig",
        403 => "; deploy/kubernetes/rbac.yaml has what Backstop needs",
        _ => "",
    };
    format!("{what}: the API server says {} {}: {}{hint}", status.code, status.reason, status.message)
}

/// A write's answer, where it matters what kind of refusal it was.
pub(crate) enum Written {
    /// It was done, and this is the object now.
    Done(Box<DynamicObject>),
    /// The object is not the one that was read.
    Conflict,
    /// No answer, or one that does not say whether it was done.
    Unsure(String),
}

/// A link for one action.
#[derive(Clone)]
pub(crate) struct Link {
    client: Client,
    deadline: Instant,
}

impl Link {
    pub(crate) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, deadline: Instant::now() + timeout }
    }

    /// Whether no time is left.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// A link to the same server with the time that a last look may take.
    pub(crate) fn extended(&self, by: Duration) -> Self {
        Self { client: self.client.clone(), deadline: self.deadline.max(Instant::now()) + by }
    }

    pub(crate) fn api(&self, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, resource)
    }

    /// Waits for a read.
    async fn read<T>(&self, what: &str, read: impl Future<Output = Result<T, Error>>) -> Result<T, Stop> {
        match tokio::time::timeout_at(self.deadline, read).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Error::Api(status))) if status.code == 404 => {
                Err(Stop::NotDone(format!("{what} is not there: the API server says {}", status.message)))
            }
            Ok(Err(Error::Api(status))) => Err(Stop::Unreachable(status_text(what, &status))),
            Ok(Err(error)) => Err(Stop::Unreachable(format!("{what} can not be read: {error}"))),
            Err(_) => Err(Stop::Unreachable(format!("{what} can not be read: no answer within the time limit"))),
        }
    }

    /// An object that must be there.
    pub(crate) async fn get(&self, namespace: &str, resource: &ApiResource, name: &str) -> Result<DynamicObject, Stop> {
        let what = format!("{} {namespace}/{name}", resource.kind);
        let api = self.api(namespace, resource);
        self.read(&what, api.get(name)).await
    }

    /// An object that may be absent, or be of a kind that this cluster does not know.
    pub(crate) async fn find(
        &self,
        namespace: &str,
        resource: &ApiResource,
        name: &str,
    ) -> Result<Option<DynamicObject>, Stop> {
        let what = format!("{} {namespace}/{name}", resource.kind);
        let api = self.api(namespace, resource);
        self.read(&what, api.get_opt(name)).await
    }

    /// Every object of a kind in a namespace that a label selector matches; none of a kind that the cluster does not know.
    pub(crate) async fn list(
        &self,
        namespace: &str,
        resource: &ApiResource,
        selector: &str,
    ) -> Result<Vec<DynamicObject>, Stop> {
        let what = format!("the list of {} in {namespace}", resource.plural);
        let api = self.api(namespace, resource);
        let params = ListParams::default().labels(selector).limit(LIST_OBJECTS_MAX);
        let answer = match self.read(&what, api.list(&params)).await {
            Err(Stop::NotDone(_)) => return Ok(Vec::new()),
            answer => answer?,
        };
        if answer.metadata.continue_.is_some_and(|token| !token.is_empty()) {
            return Err(Stop::Unreachable(format!("{what} has more than {LIST_OBJECTS_MAX} objects")));
        }
        Ok(answer.items)
    }

    /// Sends a write once.
    pub(crate) async fn patch(
        &self,
        namespace: &str,
        resource: &ApiResource,
        name: &str,
        patch: &Patch<Json>,
        how: How,
    ) -> Result<Written, Stop> {
        let what = format!("{} {namespace}/{name}", resource.kind);
        let params = PatchParams {
            dry_run: how.dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.api(namespace, resource);
        let sent = async {
            match how.subresource {
                None => api.patch(name, &params, patch).await,
                Some(subresource) => api.patch_subresource(subresource, name, &params, patch).await,
            }
        };
        match tokio::time::timeout_at(self.deadline, sent).await {
            Ok(Ok(object)) => Ok(Written::Done(Box::new(object))),
            Ok(Err(Error::Api(status))) => match status.code {
                409 => Ok(Written::Conflict),
                404 => Err(Stop::NotDone(format!("{what} is not there: the API server says {}", status.message))),
                400..=499 => Err(Stop::NotDone(status_text(&what, &status))),
                _ => Ok(Written::Unsure(status_text(&what, &status))),
            },
            Ok(Err(error)) => Ok(Written::Unsure(format!("{what}: {error}"))),
            Err(_) => Ok(Written::Unsure(format!("{what}: no answer within the time limit"))),
        }
    }
}

/// How a write is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct How {
    /// The server does all but keep it.
    pub(crate) dry_run: bool,
    /// The part of the object that it is for.
    pub(crate) subresource: Option<&'static str>,
}

impl How {
    /// The server does all but keep it.
    pub(crate) const DRY: How = How { dry_run: true, subresource: None };
    /// For real.
    pub(crate) const REAL: How = How { dry_run: false, subresource: None };
}
