//! An application as Argo CD's API gives it: what runs, what ran, who would undo a change. Only reading, nothing is asked here.

use respond::ArgocdEntry;
use serde_json::Value as Json;

/// The annotation that holds the highest fencing token that acted on the application.
pub(super) const FENCE: &str = "backstop/fence";
/// The annotation that holds the key of the last action.
pub(super) const KEY: &str = "backstop/action-key";
/// The annotation that holds the automated sync policy while it is suspended.
pub(super) const SUSPENDED: &str = "backstop/suspended-sync";
/// The annotation that holds the revision that was rolled back from.
pub(super) const REPLACED: &str = "backstop/replaced-revision";

/// Fewest digits of an abbreviated commit id that are taken for one.
const COMMIT_DIGITS_MIN: usize = 7;

/// An application.
pub(super) struct App(pub(super) Json);

/// An entry of its history: what was deployed once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry(Json);

/// The last operation, or the one that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) phase: String,
    pub(super) message: String,
    pub(super) started_at: String,
    pub(super) revision: String,
    pub(super) dry_run: bool,
}

impl Operation {
    pub(super) fn ended(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed" | "Error")
    }

    /// Whether it is the same operation, perhaps further on. Times have seconds only, so the rest counts too.
    pub(super) fn is_same(&self, other: &Operation) -> bool {
        self.started_at == other.started_at && self.revision == other.revision && self.dry_run == other.dry_run
    }
}

impl App {
    /// The automated sync policy, while it is on.
    pub(super) fn automated(&self) -> Option<&Json> {
        let automated = self.0.pointer("/spec/syncPolicy/automated").filter(|policy| policy.is_object())?;
        (automated["enabled"] != Json::Bool(false)).then_some(automated)
    }

    /// The operation that runs or is asked for, by its phase.
    pub(super) fn operating(&self) -> Option<String> {
        let operation = self.operation();
        let running = operation.filter(|operation| !operation.ended() && !operation.phase.is_empty());
        let asked = self.0["operation"].is_object().then(|| "asked for".to_owned());
        running.map(|operation| operation.phase).or(asked)
    }

    /// The last operation.
    pub(super) fn operation(&self) -> Option<Operation> {
        let state = self.0.pointer("/status/operationState").filter(|state| state.is_object())?;
        let sync = &state["operation"]["sync"];
        let revision = match sync["revisions"].as_array().filter(|revisions| !revisions.is_empty()) {
            Some(revisions) => texts(revisions).join(","),
            None => text(&sync["revision"]),
        };
        Some(Operation {
            phase: text(&state["phase"]),
            message: text(&state["message"]),
            started_at: text(&state["startedAt"]),
            revision,
            dry_run: sync["dryRun"] == Json::Bool(true),
        })
    }

    /// What was deployed, oldest first.
    pub(super) fn history(&self) -> Vec<Entry> {
        let entries = self.0.pointer("/status/history").and_then(Json::as_array);
        let mut entries: Vec<Entry> = entries.into_iter().flatten().cloned().map(Entry).collect();
        entries.sort_by_key(Entry::id);
        entries
    }

    /// What an annotation holds.
    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.0.get("metadata")?.get("annotations")?.get(name)?.as_str()
    }

    /// Who generates the application and so would undo a change of its sync policy: an ApplicationSet, or a parent application.
    pub(super) fn parent(&self) -> Option<String> {
        let owners = self.0.pointer("/metadata/ownerReferences").and_then(Json::as_array);
        if let Some(owner) = owners.into_iter().flatten().find(|owner| owner["kind"] == "ApplicationSet") {
            return Some(format!("ApplicationSet {}", text(&owner["name"])));
        }
        let name = self.0.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
        let tracked = self.annotation("argocd.argoproj.io/tracking-id").and_then(|id| id.split(':').next());
        let labels = self.0.pointer("/metadata/labels");
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Json::as_str);
        let labelled = label("argocd.argoproj.io/instance").or_else(|| label("app.kubernetes.io/instance"));
        let parent = tracked.or(labelled).filter(|parent| !parent.is_empty() && *parent != name)?;
        Some(format!("application {parent}"))
    }

    /// Whether it is being deleted.
    pub(super) fn deleting(&self) -> bool {
        self.0.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
    }

    /// The revision of Git that it was last compared with.
    pub(super) fn git_revision(&self) -> Option<&str> {
        self.0.pointer("/status/sync/revision").and_then(Json::as_str)
    }

    /// Whether what runs is a version, as far as the entry or the images say.
    pub(super) fn runs(&self, current: &Entry, version: &str) -> bool {
        let images = self.0.pointer("/status/summary/images").and_then(Json::as_array);
        current.is(version) || images.into_iter().flatten().any(|image| image_is(&text(image), version))
    }

    /// The images that run, for people.
    pub(super) fn images(&self) -> String {
        let images = self.0.pointer("/status/summary/images").and_then(Json::as_array);
        texts(images.map_or(&[], Vec::as_slice)).join(", ")
    }
}

impl Entry {
    pub(super) fn id(&self) -> i64 {
        let id = &self.0["id"];
        id.as_i64().or_else(|| id.as_str().and_then(|id| id.parse().ok())).unwrap_or(0)
    }

    /// The revision, or those of several sources.
    pub(super) fn revision(&self) -> String {
        match self.0["revisions"].as_array().filter(|revisions| !revisions.is_empty()) {
            Some(revisions) => texts(revisions).join(","),
            None => text(&self.0["revision"]),
        }
    }

    /// The name of the entry: what the precheck saw, to be compared before anything is done.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.id(), self.revision())
    }

    /// Whether the entry deployed a version.
    pub(super) fn is(&self, version: &str) -> bool {
        if version.is_empty() {
            return false;
        }
        let short = version.len() >= COMMIT_DIGITS_MIN && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        let revision = self.revision();
        let by_revision = revision.split(',').any(|found| found == version || (short && found.starts_with(version)));
        let sources = self.0["sources"].as_array().map_or(&[][..], Vec::as_slice);
        by_revision || sources.iter().chain([&self.0["source"]]).any(|source| source_is(source, version))
    }
}

/// The entry to go back to; the last is the current.
pub(super) fn find<'a>(history: &'a [Entry], how: ArgocdEntry, to_version: &str) -> Option<&'a Entry> {
    let (_, before) = history.split_last()?;
    match how {
        ArgocdEntry::Previous => before.last(),
        ArgocdEntry::Match => before.iter().rev().find(|entry| entry.is(to_version)),
    }
}

fn source_is(source: &Json, version: &str) -> bool {
    let list = |pointer: &str| source.pointer(pointer).and_then(Json::as_array).into_iter().flatten();
    source["targetRevision"] == version
        || list("/kustomize/images").any(|image| image_is(&text(image), version))
        || list("/helm/parameters").any(|parameter| parameter["value"] == version)
        || source.pointer("/helm/valuesObject/image/tag").is_some_and(|tag| *tag == version)
}

/// Whether an image has a version as its tag or digest.
fn image_is(image: &str, version: &str) -> bool {
    let rest = image.strip_suffix(version);
    rest.is_some_and(|rest| rest.ends_with(':') || rest.ends_with('@')) && !version.is_empty()
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn texts(json: &[Json]) -> Vec<String> {
    json.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(history: Json, how: ArgocdEntry, version: &str) -> Option<i64> {
        let app = App(json!({"status": {"history": history}}));
        find(&app.history(), how, version).map(Entry::id)
    }

    #[test]
    fn an_entry_is_found_by_what_it_deployed() {
        let history = json!([
            {"id": 4, "revision": "ffff000000000000", "source": {"kustomize": {"images": ["registry/shop:1.9"]}}},
            {"id": 1, "revision": "abcdef0123456789", "source": {"targetRevision": "v1.0"}},
            {"id": 2, "revision": "1111111111111111", "source": {"helm": {"parameters": [{"name": "image.tag", "value": "1.1"}]}}},
            {"id": 3, "revisions": ["aaaa", "bbbb"], "sources": [{"targetRevision": "HEAD"}, {"helm": {"valuesObject": {"image": {"tag": "1.2"}}}}]},
        ]);
        let matched = |version| found(history.clone(), ArgocdEntry::Match, version);
        assert_eq!(matched("abcdef0"), Some(1));
        assert_eq!(matched("abcdef"), None, "too short to be a commit");
        assert_eq!(matched("v1.0"), Some(1));
        assert_eq!(matched("1.1"), Some(2));
        assert_eq!(matched("1.2"), Some(3));
        assert_eq!(matched("bbbb"), Some(3));
        assert_eq!(matched("1.9"), None, "the current entry is not gone back to");
        assert_eq!(matched(""), None);
        assert_eq!(found(history.clone(), ArgocdEntry::Previous, ""), Some(3));
        assert_eq!(found(json!([{"id": 1}]), ArgocdEntry::Previous, ""), None);
    }

    #[test]
    fn parents_are_seen() {
        let parent = |metadata: Json| App(json!({"metadata": metadata})).parent();
        assert_eq!(parent(json!({"name": "shop"})), None);
        let owned = json!({"name": "shop", "ownerReferences": [{"kind": "ApplicationSet", "name": "all"}]});
        assert_eq!(parent(owned).as_deref(), Some("ApplicationSet all"));
        let id = "root:argoproj.io/Application:argocd/shop";
        let tracked = json!({"name": "shop", "annotations": {"argocd.argoproj.io/tracking-id": id}});
        assert_eq!(parent(tracked).as_deref(), Some("application root"));
        let own = json!({"name": "shop", "labels": {"app.kubernetes.io/instance": "shop"}});
        assert_eq!(parent(own), None);
    }
}
