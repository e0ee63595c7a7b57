//! What an object says of itself that a delivery repeats: its service, who wrote it last, and when.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use model::Timestamp;
use serde_json::Value as Json;

/// The annotation that names the service of an object; it beats everything else.
pub(crate) const SERVICE_ANNOTATION: &str = "backstop.dev/service";
/// The annotation that names the environment of an object.
const ENVIRONMENT_ANNOTATION: &str = "backstop.dev/environment";
/// The label that names an application.
const NAME_LABEL: &str = "app.kubernetes.io/name";

/// The service that an object names, if any.
pub(crate) fn named_service(object: &DynamicObject) -> Option<String> {
    let annotated = object.annotations().get(SERVICE_ANNOTATION);
    let on_pods = || object.data.pointer("/spec/template/metadata/labels")?.get(NAME_LABEL)?.as_str();
    let found = annotated.or_else(|| object.labels().get(NAME_LABEL)).map(String::as_str).or_else(on_pods);
    found.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The environment that an object names, if any.
pub(crate) fn environment(object: &DynamicObject) -> Option<String> {
    object.annotations().get(ENVIRONMENT_ANNOTATION).cloned()
}

/// Who wrote a part of an object last, and when, by the server's own book of writers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) name: Option<String>,
    pub(crate) at: Option<Timestamp>,
}

/// The last writer of one of the parts, each a path such as `["f:spec", "f:template"]`; of the subresource if one is named.
pub(crate) fn last_writer(object: &DynamicObject, parts: &[&[&str]], subresource: Option<&str>) -> Writer {
    let writes = object.managed_fields().iter().filter(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        let holds = |path: &[&str]| fields.is_some_and(|fields| has(fields, path));
        entry.subresource.as_deref() == subresource && parts.iter().any(|path| holds(path))
    });
    let last = writes.max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    let at = last.and_then(|entry| entry.time.as_ref()).and_then(|time| i64::try_from(time.0.as_nanosecond()).ok());
    Writer { name: last.and_then(|entry| entry.manager.clone()), at: at.map(Timestamp) }
}

fn has(fields: &Json, path: &[&str]) -> bool {
    path.iter().try_fold(fields, |fields, key| fields.get(key)).is_some()
}

/// The names of the ConfigMaps (or Secrets) that a pod template reads, each once.
pub(crate) fn references(template: &Json, secrets: bool) -> Vec<String> {
    let mut found = Vec::new();
    collect(template, secrets, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

/// References have a shape of their own wherever they stand: in variables, in volumes, in projections of volumes.
fn collect(json: &Json, secrets: bool, found: &mut Vec<String>) {
    let holders = if secrets {
        ["secretKeyRef", "secretRef", "secret"]
    } else {
        ["configMapKeyRef", "configMapRef", "configMap"]
    };
    match json {
        Json::Object(fields) => {
            for (name, field) in fields {
                if holders.contains(&name.as_str()) {
                    let named = field.get("name").or_else(|| field.get("secretName")).and_then(Json::as_str);
                    found.extend(named.map(str::to_owned));
                }
                collect(field, secrets, found);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, secrets, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_found_wherever_they_stand() {
        let template = json!({"spec": {
            "containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}],
                "envFrom": [{"configMapRef": {"name": "b"}}, {"secretRef": {"name": "s"}}]}],
            "volumes": [{"configMap": {"name": "c"}}, {"secret": {"secretName": "t"}},
                {"projected": {"sources": [{"configMap": {"name": "d"}}, {"secret": {"name": "u"}}]}}],
        }});
        assert_eq!(references(&template, false), ["a", "b", "c", "d"]);
        assert_eq!(references(&template, true), ["s", "t", "u"]);
    }

    #[test]
    fn the_last_writer_of_a_part_is_found() {
        let entry = |manager: &str, time: &str, fields: Json| json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields});
        let object = json!({"metadata": {"name": "a", "managedFields": [
            entry("kubectl-set", "2026-11-23T09:00:00Z", json!({"f:spec": {"f:template": {}}})),
            entry("helm", "2026-11-23T08:00:00Z", json!({"f:spec": {"f:template": {}}})),
            entry("kubectl-scale", "2026-11-23T10:00:00Z", json!({"f:spec": {"f:replicas": {}}})),
        ]}});
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let writer = last_writer(&object, &[&["f:spec", "f:template"]], None);
        assert_eq!(writer.name.as_deref(), Some("kubectl-set"));
        assert_eq!(writer.at, Some(Timestamp::from_secs(1_795_424_400)));
        assert_eq!(last_writer(&object, &[&["f:data"]], None), Writer::default());
    }
}
