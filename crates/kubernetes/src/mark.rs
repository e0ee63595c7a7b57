//! The annotations that an action leaves on what it changed, so that a repetition and a latecomer can be told.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use respond::ActionRequest;
use serde_json::{Value as Json, json};

use crate::link::Stop;
use crate::template::hash;

/// The key of the last action.
pub const KEY_ANNOTATION: &str = "backstop.dev/action-key";
/// The fencing token of the last action.
pub const FENCE_ANNOTATION: &str = "backstop.dev/fence";
/// The hash of the pod template that the last action wrote.
pub const TEMPLATE_ANNOTATION: &str = "backstop.dev/action-template";

/// What an object says about an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    /// Another action was the last, or none.
    No,
    /// This action was the last.
    Yes,
}

/// A later holder of the lease acted: whoever comes now is late. A request without a lease has no token and is not compared.
pub(crate) fn check_fence(object: &DynamicObject, request: &ActionRequest) -> Result<Marked, Stop> {
    let annotation = |name| object.annotations().get(name);
    let seen = annotation(FENCE_ANNOTATION).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if request.fence > 0 && seen > request.fence {
        let (name, fence) = (object.name_any(), request.fence);
        let detail = format!("{name} was acted on with fence {seen}, this action has {fence}: a later holder acted");
        return Err(Stop::Refused(detail));
    }
    Ok(if annotation(KEY_ANNOTATION) == Some(&request.key) { Marked::Yes } else { Marked::No })
}

/// Whether the template is still the one that the last action wrote.
pub(crate) fn has_written_template(object: &DynamicObject, template: &Json) -> bool {
    object.annotations().get(TEMPLATE_ANNOTATION).is_some_and(|written| *written == hash(template))
}

/// The annotations of an action.
pub(crate) fn marks(request: &ActionRequest) -> Vec<(&'static str, String)> {
    let mut marks = vec![(KEY_ANNOTATION, request.key.clone())];
    if request.fence > 0 {
        marks.push((FENCE_ANNOTATION, request.fence.to_string()));
    }
    marks
}

/// The beginning of a JSON patch that holds only for the object as it was read, and sets annotations of it.
pub(crate) fn guarded(object: &DynamicObject, annotations: &[(&str, String)]) -> Vec<Json> {
    let version = object.metadata.resource_version.clone().unwrap_or_default();
    let mut steps = vec![json!({"op": "add", "path": "/metadata/resourceVersion", "value": version})];
    if object.metadata.annotations.is_none() {
        steps.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    for (name, value) in annotations {
        steps.push(json!({"op": "add", "path": format!("/metadata/annotations/{}", pointer(name)), "value": value}));
    }
    steps
}

/// A key as a part of a JSON pointer.
pub(crate) fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
