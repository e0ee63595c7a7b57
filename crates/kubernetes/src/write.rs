//! A write that replaces exactly what was looked at, once.

use std::time::Duration;

use kube::api::{DynamicObject, Patch};
use kube::core::ApiResource;
use respond::ActionRequest;
use serde_json::{Value as Json, json};

use crate::link::{How, Link, Stop, Written};
use crate::mark::{KEY_ANNOTATION, Marked, TEMPLATE_ANNOTATION, check_fence, guarded, has_written_template, marks};
use crate::template::hash;

/// How often a write is tried anew because something else of the object, such as its status, was written in between. What the
/// action replaces is compared each time, so this is no limit of safety.
pub const CONFLICT_RETRIES_MAX: u32 = 3;

/// How long the look takes at most that asks whether an unanswered write happened.
const LAST_LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// An object of the API server that an action changes.
#[derive(Clone)]
pub(crate) struct Spot {
    pub(crate) link: Link,
    pub(crate) namespace: String,
    pub(crate) resource: ApiResource,
    pub(crate) name: String,
}

/// A pod template to put in the place of the one that is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewTemplate {
    pub(crate) template: Json,
    /// Annotations of the object that go with it; `None` takes one away.
    pub(crate) annotations: Vec<(&'static str, Option<String>)>,
    /// What it is, for people: `revision 3 (1.4.0)`.
    pub(crate) what: String,
}

/// What became of a write.
pub(crate) struct Replaced {
    /// The object now.
    pub(crate) object: DynamicObject,
    /// What was done, for people.
    pub(crate) detail: String,
}

impl Spot {
    /// The object as it is now.
    pub(crate) async fn look(&self) -> Result<DynamicObject, Stop> {
        let object = self.link.get(&self.namespace, &self.resource, &self.name).await?;
        if object.metadata.deletion_timestamp.is_some() {
            return Err(Stop::Refused(format!("{} {} is being deleted", self.resource.kind, self.name)));
        }
        Ok(object)
    }

    /// Sends a JSON patch.
    pub(crate) async fn patch(&self, steps: Vec<Json>, how: How) -> Result<Written, Stop> {
        let patch = serde_json::from_value(Json::Array(steps))
            .map_err(|error| Stop::NotDone(format!("the patch can not be made: {error}")))?;
        self.link.patch(&self.namespace, &self.resource, &self.name, &Patch::Json(patch), how).await
    }

    /// Tries the write without keeping it.
    pub(crate) async fn dry_run(
        &self,
        object: &DynamicObject,
        request: &ActionRequest,
        new: &NewTemplate,
    ) -> Result<(), Stop> {
        let mut object = object.clone();
        for _ in 0..=CONFLICT_RETRIES_MAX {
            match self.patch(steps(&object, request, new), How::DRY).await? {
                Written::Done(_) => return Ok(()),
                Written::Conflict => object = self.look().await?,
                Written::Unsure(why) => return Err(Stop::Unreachable(format!("the dry run was not answered: {why}"))),
            }
        }
        Err(Stop::Unreachable(format!("{} is written all the time; look again", self.name)))
    }

    /// Replaces the pod template of the object that `seen` is a look at. Another write in between is harmless as long as
    /// `identity` gives the same.
    pub(crate) async fn replace_template(
        &self,
        seen: DynamicObject,
        request: &ActionRequest,
        new: &NewTemplate,
        identity: impl Fn(&DynamicObject) -> String,
    ) -> Result<Replaced, Stop> {
        let expected = request.revision.clone().unwrap_or_else(|| identity(&seen));
        let mut object = seen;
        for _ in 0..=CONFLICT_RETRIES_MAX {
            check_fence(&object, request)?;
            if identity(&object) != expected {
                return Err(Stop::NotDone(changed(&self.name, &expected, &identity(&object))));
            }
            match self.patch(steps(&object, request, new), How::REAL).await? {
                Written::Done(object) => {
                    let detail = format!("{} was given {}", self.name, new.what);
                    return Ok(Replaced { object: *object, detail });
                }
                Written::Conflict => object = self.look().await?,
                Written::Unsure(why) => return self.ask(request, new, &why).await,
            }
        }
        let tries = CONFLICT_RETRIES_MAX + 1;
        Err(Stop::NotDone(format!("{} is written all the time: {tries} tries met another write each", self.name)))
    }

    /// After a write without an answer: whether it happened.
    async fn ask(&self, request: &ActionRequest, new: &NewTemplate, why: &str) -> Result<Replaced, Stop> {
        let later = Spot { link: self.link.extended(LAST_LOOK_TIMEOUT), ..self.clone() };
        match later.look().await {
            Ok(object) if was_done(&object, request)? => {
                let detail = format!("{} was given {}, though the answer was lost ({why})", self.name, new.what);
                Ok(Replaced { object, detail })
            }
            // It may still be on its way.
            Ok(_) => Err(Stop::Unsure(format!("{why}; it has not happened so far"))),
            Err(stop) => Err(Stop::Unsure(format!("{why}; then {}", stop.ended().1))),
        }
    }
}

/// Whether this very action was the last and its template is still there. When it was and is not, somebody changed it since.
pub(crate) fn was_done(object: &DynamicObject, request: &ActionRequest) -> Result<bool, Stop> {
    if check_fence(object, request)? == Marked::No {
        return Ok(false);
    }
    let template = object.data.pointer("/spec/template").unwrap_or(&Json::Null);
    if has_written_template(object, template) {
        return Ok(true);
    }
    let name = object.metadata.name.as_deref().unwrap_or_default();
    Err(Stop::NotDone(format!("this action was done before, and someone changed {name} since: it is not repeated")))
}

pub(crate) fn changed(name: &str, expected: &str, found: &str) -> String {
    format!("someone changed {name}: revision {expected} was to be replaced, {found} is there")
}

fn steps(object: &DynamicObject, request: &ActionRequest, new: &NewTemplate) -> Vec<Json> {
    let mut annotations = marks(request);
    annotations.push((TEMPLATE_ANNOTATION, hash(&new.template)));
    let set = new.annotations.iter().filter_map(|(name, value)| Some((*name, value.clone()?)));
    let mut steps = guarded(object, &annotations.into_iter().chain(set).collect::<Vec<_>>());
    for (name, value) in &new.annotations {
        let there = object.metadata.annotations.as_ref().is_some_and(|known| known.contains_key(*name));
        if value.is_none() && there {
            let path = format!("/metadata/annotations/{}", crate::mark::pointer(name));
            steps.push(json!({"op": "remove", "path": path}));
        }
    }
    steps.push(json!({"op": "replace", "path": "/spec/template", "value": new.template}));
    steps
}

/// Sets the marks of an action alone, before a write that can not carry them. Done when it was done before.
pub(crate) async fn mark(spot: &Spot, seen: DynamicObject, request: &ActionRequest) -> Result<DynamicObject, Stop> {
    let uid = seen.metadata.uid.clone();
    let mut object = seen;
    for _ in 0..=CONFLICT_RETRIES_MAX {
        if check_fence(&object, request)? == Marked::Yes {
            return Ok(object);
        }
        match spot.patch(guarded(&object, &marks(request)), How::REAL).await? {
            Written::Done(object) => return Ok(*object),
            Written::Conflict => object = spot.look().await?,
            Written::Unsure(why) => return Err(Stop::NotDone(format!("{KEY_ANNOTATION} could not be set: {why}"))),
        }
        if object.metadata.uid != uid {
            return Err(Stop::NotDone(format!("someone deleted {} and made it anew", spot.name)));
        }
    }
    Err(Stop::NotDone(format!("{} is written all the time", spot.name)))
}
