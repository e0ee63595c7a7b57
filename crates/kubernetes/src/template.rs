//! What a pod template says: its versions, and whether two are the same.
//!
//! Templates are JSON and stay so: types of one release of Kubernetes would lose the fields of a newer one on the way back.

use catalog::ledger::{canonical_json, sha256_hex};
use serde_json::{Map, Value as Json};

/// Labels that controllers add to the templates of their own objects.
const HASH_LABELS: [&str; 2] = ["pod-template-hash", "rollouts-pod-template-hash"];
/// The label that names a version.
pub(crate) const VERSION_LABEL: &str = "app.kubernetes.io/version";
/// The annotation that names a version, where the image does not.
pub(crate) const VERSION_ANNOTATION: &str = "backstop.dev/version";
/// What `kubectl rollout restart` sets on a template.
pub(crate) const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// A text of an object at a path such as `["metadata", "labels", "a/b"]`.
pub(crate) fn text<'a>(json: &'a Json, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(json, |json, key| json.get(key)).and_then(Json::as_str)
}

/// A number of an object at a path.
pub(crate) fn number(json: &Json, path: &[&str]) -> Option<i64> {
    path.iter().try_fold(json, |json, key| json.get(key)).and_then(Json::as_i64)
}

/// The template without what only says the same in another way: labels of controllers, nulls and empty parts.
pub(crate) fn normal(template: &Json) -> Json {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Json::as_object_mut) {
        HASH_LABELS.iter().for_each(|label| drop(labels.remove(*label)));
    }
    prune(&template).unwrap_or_default()
}

/// `None` for null and for an object without anything in it. An empty list or text stays: it can mean something.
fn prune(json: &Json) -> Option<Json> {
    match json {
        Json::Null => None,
        Json::Object(fields) => {
            let kept: Map<String, Json> =
                fields.iter().filter_map(|(name, field)| Some((name.clone(), prune(field)?))).collect();
            // `emptyDir: {}` and its like say which kind of thing it is, so an object that was empty from the start stays.
            (!kept.is_empty() || fields.is_empty()).then_some(Json::Object(kept))
        }
        Json::Array(items) => Some(Json::Array(items.iter().map(|item| prune(item).unwrap_or_default()).collect())),
        other => Some(other.clone()),
    }
}

/// A short hash of a template: equal for equal templates.
pub(crate) fn hash(template: &Json) -> String {
    let mut hash = sha256_hex(canonical_json(&normal(template)).as_bytes());
    hash.truncate(16);
    hash
}

/// An image's reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image<'a> {
    /// The whole of it.
    pub(crate) reference: &'a str,
    /// Registry and repository.
    pub(crate) name: &'a str,
    /// Its tag.
    pub(crate) tag: Option<&'a str>,
    /// Its digest, such as `sha256:...`.
    pub(crate) digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Reads `registry:5000/shop/checkout:1.5.0@sha256:...`.
    pub(crate) fn parse(reference: &'a str) -> Self {
        let (rest, digest) = reference.split_once('@').map_or((reference, None), |(rest, digest)| (rest, Some(digest)));
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        Self { reference, name, tag, digest }
    }
}

/// The images of the template's containers, init containers last; only that of one container when it is named.
pub(crate) fn images<'a>(template: &'a Json, container: Option<&str>) -> Vec<Image<'a>> {
    let named = |item: &&Json| container.is_none_or(|container| text(item, &["name"]) == Some(container));
    ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| template.get("spec")?.get(list)?.as_array())
        .flatten()
        .filter(named)
        .filter_map(|item| text(item, &["image"]))
        .map(Image::parse)
        .collect()
}

/// Every text that names the template's version, the best first.
pub(crate) fn versions(template: &Json, container: Option<&str>) -> Vec<String> {
    let annotated = text(template, &["metadata", "annotations", VERSION_ANNOTATION]);
    let labelled = text(template, &["metadata", "labels", VERSION_LABEL]);
    let images = images(template, container);
    let tags = images.iter().filter_map(|image| image.tag);
    let digests = images.iter().filter_map(|image| image.digest);
    let references = images.iter().map(|image| image.reference);
    let mut found: Vec<String> = Vec::new();
    for version in annotated.into_iter().chain(tags).chain(labelled).chain(digests).chain(references) {
        if !found.iter().any(|known| known == version) {
            found.push(version.to_owned());
        }
    }
    found
}

/// Whether a template is of a version.
pub(crate) fn is_version(template: &Json, container: Option<&str>, version: &str) -> bool {
    versions(template, container).iter().any(|known| known == version)
}

/// The version for people.
pub(crate) fn shown_version(template: &Json, container: Option<&str>) -> String {
    versions(template, container).into_iter().next().unwrap_or_else(|| "no version".to_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check_versions(template: &Json, container: Option<&str>, expect: Expect) {
        expect.assert_eq(&versions(template, container).join(" "));
    }

    #[test]
    fn a_template_names_its_version_by_image_label_and_annotation() {
        let template = json!({
            "metadata": {"labels": {"app.kubernetes.io/version": "v1.5"}},
            "spec": {"containers": [
                {"name": "app", "image": "registry:5000/shop/checkout:1.5.0@sha256:ab"},
                {"name": "proxy", "image": "envoy:3"},
                {"name": "bare", "image": "localhost:5000/bare"},
            ]},
        });
        check_versions(
            &template,
            None,
            expect!["1.5.0 3 v1.5 sha256:ab registry:5000/shop/checkout:1.5.0@sha256:ab envoy:3 localhost:5000/bare"],
        );
        check_versions(&template, Some("proxy"), expect!["3 v1.5 envoy:3"]);
        check_versions(&json!({}), None, expect![""]);
    }

    #[test]
    fn templates_that_say_the_same_are_the_same() {
        let base = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"volumes": [{"emptyDir": {}}]}});
        let same = json!({"metadata": {"creationTimestamp": null, "labels": {"app": "a", "pod-template-hash": "x"}},
            "spec": {"volumes": [{"emptyDir": {}}]}});
        let other = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"volumes": [{"hostPath": {}}]}});
        assert_eq!(hash(&base), hash(&same));
        assert_ne!(hash(&base), hash(&other));
    }
}
