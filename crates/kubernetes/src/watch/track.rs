//! One workload as the watch sees it: which of its writes are changes, and how far their rollouts have got. No clock, no network.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use model::Timestamp;
use respond::{WorkloadKind, WorkloadName};
use serde_json::{Map, Value as Json, json};

use crate::history::{DEPLOYMENT_REVISION, Revision};
use crate::progress::{Progress, progress};
use crate::template::{RESTARTED_AT, hash, images, normal, number, shown_version, text};
use crate::watch::facts::{Writer, environment, last_writer, named_service};
use crate::watch::redact;
use crate::workload::template;

/// A change that is older than this when a workload is first seen is not told: it is history, not news.
pub(crate) const CATCH_UP_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// Most stages that a delivery tells; later ones are left out, but for the last.
pub(crate) const STAGES_MAX: usize = 50;

/// Where a workload lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) cluster: String,
    pub(crate) namespace: String,
}

/// A workload under watch.
pub(crate) struct Tracked {
    place: Place,
    name: WorkloadName,
    pub(crate) service: String,
    pub(crate) template: Json,
    hash: String,
    replicas: i64,
    /// The number of the last revision that was told, so that a stale annotation is not taken for a new one.
    revision: i64,
    pending: Option<Pending>,
    open: Vec<Open>,
}

/// A template that the controller has not taken up yet.
struct Pending {
    /// What it replaces; `None` when that was not seen.
    before: Option<Json>,
    at: Timestamp,
    actor: Option<String>,
    /// Seen for the first time: it may have been told before, and stages of then must stay.
    resumed: bool,
}

/// A change that is being rolled out.
struct Open {
    delivery: Json,
    stages: Vec<Json>,
    percent: f64,
    resumed: bool,
}

impl Tracked {
    /// A workload that was not seen before.
    pub(crate) fn new(place: Place, kind: WorkloadKind, object: &DynamicObject, now: Timestamp) -> Self {
        let writer = template_writer(object);
        let at = writer.at.or_else(|| created(object)).unwrap_or(now);
        let recent = at.0 >= now.0 - CATCH_UP_NS;
        let pending = Pending { before: None, at, actor: writer.name, resumed: true };
        let name = WorkloadName { kind, name: object.name_any() };
        Self {
            service: named_service(object).unwrap_or_else(|| name.name.clone()),
            place,
            name,
            template: template(object).clone(),
            hash: hash(template(object)),
            replicas: replicas(object),
            revision: if recent { 0 } else { revision(object).unwrap_or(0) },
            pending: recent.then_some(pending),
            open: Vec::new(),
        }
    }

    /// Whether [`Self::observe`] needs the revisions that the controller keeps.
    pub(crate) fn needs_history(&self, object: &DynamicObject) -> bool {
        let numbered = self.name.kind == WorkloadKind::Deployment;
        self.pending.as_ref().is_some_and(|pending| {
            is_observed(object) && (!numbered || pending.before.is_none() && revision(object).is_some())
        })
    }

    /// What to tell after a look at the workload.
    pub(crate) fn observe(
        &mut self,
        object: &DynamicObject,
        history: Option<&[Revision]>,
        now: Timestamp,
    ) -> Vec<Json> {
        let mut told = Vec::new();
        self.service = named_service(object).unwrap_or_else(|| self.name.name.clone());
        self.notice_template(object, now);
        self.notice_replicas(object, now, &mut told);
        self.begin(object, history, now, &mut told);
        let progress = progress(self.name.kind, object);
        for open in &mut self.open {
            if open.advance(&progress, now) {
                told.push(open.delivery.clone());
            }
        }
        self.open.retain(|open| open.delivery.get("finished_at").is_none());
        told
    }

    /// What to tell when the workload is gone.
    pub(crate) fn deleted(&self, object: &DynamicObject, now: Timestamp) -> Json {
        let id = format!("{}/deleted", object.uid().unwrap_or_default());
        let mut delivery = self.delivery(object, &id, "infra", now, None);
        delivery["finished_at"] = Json::String(now.to_string());
        delivery["labels"]["operation"] = Json::from("delete");
        let (before, _) = redact::templates(&normal(&self.template), &Json::Null);
        delivery["raw"] = json!({"before": {"template": before, "replicas": self.replicas}, "after": null});
        delivery["from_version"] = Json::String(shown_version(&self.template, None));
        delivery
    }

    fn notice_template(&mut self, object: &DynamicObject, now: Timestamp) {
        let found = hash(template(object));
        if found == self.hash {
            return;
        }
        let writer = template_writer(object);
        let before = std::mem::replace(&mut self.template, template(object).clone());
        self.hash = found;
        let at = writer.at.filter(|at| *at <= now && at.0 >= now.0 - CATCH_UP_NS).unwrap_or(now);
        // A template that was replaced before its controller saw it never ran: what ran is what came before it.
        let before = match self.pending.take() {
            Some(Pending { before: Some(ran), .. }) => ran,
            _ => before,
        };
        if hash(&before) != self.hash {
            self.pending = Some(Pending { before: Some(before), at, actor: writer.name, resumed: false });
        }
    }

    fn notice_replicas(&mut self, object: &DynamicObject, now: Timestamp, told: &mut Vec<Json>) {
        let (from, to) = (self.replicas, replicas(object));
        if from == to || self.name.kind == WorkloadKind::DaemonSet {
            return;
        }
        self.replicas = to;
        let generation = object.metadata.generation.unwrap_or_default();
        let id = format!("{}/scale/{generation}", object.uid().unwrap_or_default());
        let part: &[&[&str]] = &[&["f:spec", "f:replicas"]];
        let by_scale = last_writer(object, part, Some("scale"));
        let by_spec = last_writer(object, part, None);
        let writer = if by_scale.at >= by_spec.at { by_scale } else { by_spec };
        let mut delivery = self.delivery(object, &id, "scale", now, writer.name);
        delivery["labels"]["replicas.before"] = Json::String(from.to_string());
        delivery["labels"]["replicas.after"] = Json::String(to.to_string());
        delivery["raw"] = json!({"before": {"replicas": from}, "after": {"replicas": to}});
        told.push(delivery.clone());
        self.open.push(Open { delivery, stages: Vec::new(), percent: 0.0, resumed: false });
    }

    /// Begins a change once the controller has given the template a number: a paused workload has not changed.
    fn begin(&mut self, object: &DynamicObject, history: Option<&[Revision]>, now: Timestamp, told: &mut Vec<Json>) {
        if self.pending.is_none() || !is_observed(object) {
            return;
        }
        let latest = history.and_then(|history| history.first());
        let found = match self.name.kind {
            // Of a paused Deployment the number is still that of the template before.
            WorkloadKind::Deployment => revision(object).filter(|number| {
                let kept = history.and_then(|history| history.iter().find(|kept| kept.number == *number));
                kept.is_none_or(|kept| hash(&kept.template) == self.hash)
            }),
            WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
                latest.filter(|latest| hash(&latest.template) == self.hash).map(|latest| latest.number)
            }
        };
        let Some(found) = found.filter(|found| *found > self.revision) else { return };
        let Some(pending) = self.pending.take() else { return };
        self.revision = found;
        let of_history = || history?.iter().find(|revision| revision.number < found);
        let before = pending.before.clone().or_else(|| of_history().map(|revision| revision.template.clone()));
        for mut superseded in self.open.drain(..) {
            superseded.delivery["labels"]["superseded"] = Json::from("true");
            superseded.finish(now);
            told.push(superseded.delivery);
        }
        let delivery = self.change(object, found, before.as_ref(), &pending);
        let mut open = Open { delivery, stages: Vec::new(), percent: 0.0, resumed: pending.resumed };
        if pending.resumed
            && let Progress::Done(_) = progress(self.name.kind, object)
        {
            // It ended while nobody looked: the controller's own time, so that telling it twice says the same.
            open.finish(settled_at(object).unwrap_or(pending.at).max(pending.at));
        }
        told.push(open.delivery.clone());
        self.open.push(open);
    }

    fn change(&self, object: &DynamicObject, number: i64, before: Option<&Json>, pending: &Pending) -> Json {
        let id = format!("{}/{number}", object.uid().unwrap_or_default());
        let (kind, restart) = classify(before, &self.template);
        let mut delivery = self.delivery(object, &id, kind, pending.at, pending.actor.clone());
        delivery["labels"]["revision"] = Json::String(number.to_string());
        if restart {
            delivery["labels"]["operation"] = Json::from("restart");
        }
        let container = before.and_then(|before| changed_container(before, &self.template));
        if let Some(before) = before {
            delivery["from_version"] = Json::String(shown_version(before, container.as_deref()));
        }
        delivery["to_version"] = Json::String(shown_version(&self.template, container.as_deref()));
        if let Some(image) = images(&self.template, container.as_deref()).first() {
            delivery["artifact"] = Json::from(image.reference);
        }
        let nothing = Json::Null;
        let (before, after) = redact::templates(&normal(before.unwrap_or(&nothing)), &normal(&self.template));
        delivery["raw"] = json!({"before": before, "after": after});
        // The revision that the controller keeps is the way back; what the change did to data is not known here.
        delivery["reversible"] = Json::from(if before.is_null() { "unknown" } else { "yes" });
        delivery
    }

    fn delivery(&self, object: &DynamicObject, id: &str, kind: &str, at: Timestamp, actor: Option<String>) -> Json {
        let Place { cluster, namespace } = &self.place;
        let mut target = json!({
            "service": self.service, "cluster": cluster, "namespace": namespace, "workload": self.name.to_string(),
        });
        if let Some(environment) = environment(object) {
            target["environment"] = Json::String(environment);
        }
        let mut delivery = json!({
            "id": id, "source": format!("kubernetes/{cluster}"), "kind": kind, "target": target,
            "started_at": at.to_string(),
            "labels": {"namespace": namespace, "workload": self.name.to_string()},
        });
        if let Some(actor) = actor {
            delivery["actor"] = Json::String(actor);
        }
        delivery
    }
}

impl Open {
    /// Whether there is something new to tell.
    fn advance(&mut self, progress: &Progress, now: Timestamp) -> bool {
        if self.delivery.get("finished_at").is_some() {
            return false;
        }
        match progress {
            Progress::Done(_) => {
                self.finish(now);
                true
            }
            Progress::Stuck(why) => {
                let known = text(&self.delivery, &["labels", "stuck"]) == Some(why);
                self.delivery["labels"]["stuck"] = Json::from(why.as_str());
                !known
            }
            Progress::Going(percent, _) => *percent > self.percent && self.stage(*percent, now),
        }
    }

    fn stage(&mut self, percent: f64, now: Timestamp) -> bool {
        self.percent = percent;
        if self.resumed || self.stages.len() >= STAGES_MAX && percent < 100.0 {
            return false;
        }
        let rounded = (percent * 10.0).round() / 10.0;
        self.stages.push(json!({"percent": rounded, "at": now.to_string()}));
        self.delivery["stages"] = Json::Array(self.stages.clone());
        true
    }

    fn finish(&mut self, at: Timestamp) {
        let superseded = self.delivery["labels"].get("superseded").is_some();
        if self.percent < 100.0 && !superseded && self.delivery["kind"] != "scale" {
            self.stage(100.0, at);
        }
        self.delivery["finished_at"] = Json::String(at.to_string());
    }
}

/// The kind of change that two templates differ by, and whether it is only a restart.
fn classify(before: Option<&Json>, after: &Json) -> (&'static str, bool) {
    let Some(before) = before else { return ("deploy", false) };
    let references =
        |template| images(template, None).iter().map(|image| image.reference.to_owned()).collect::<Vec<_>>();
    let version = |template| text(template, &["metadata", "labels", crate::template::VERSION_LABEL]).map(str::to_owned);
    if references(before) != references(after) || version(before) != version(after) {
        return ("deploy", false);
    }
    if without_restart(before) == without_restart(after) { ("infra", true) } else { ("config", false) }
}

fn without_restart(template: &Json) -> Json {
    let mut template = template.clone();
    if let Some(annotations) = template.pointer_mut("/metadata/annotations").and_then(Json::as_object_mut) {
        annotations.remove(RESTARTED_AT);
        if annotations.is_empty() {
            template["metadata"]["annotations"] = Json::Null;
        }
    }
    normal(&template)
}

/// The first container whose image is another than before.
fn changed_container(before: &Json, after: &Json) -> Option<String> {
    let list = |template: &Json| -> Map<String, Json> {
        let containers = template.pointer("/spec/containers").and_then(Json::as_array);
        let pairs = containers
            .into_iter()
            .flatten()
            .filter_map(|container| Some((text(container, &["name"])?.to_owned(), container.get("image")?.clone())));
        pairs.collect()
    };
    let known = list(before);
    list(after).into_iter().find(|(name, image)| known.get(name) != Some(image)).map(|(name, _)| name)
}

fn template_writer(object: &DynamicObject) -> Writer {
    last_writer(object, &[&["f:spec", "f:template"]], None)
}

fn created(object: &DynamicObject) -> Option<Timestamp> {
    let nanos = object.metadata.creation_timestamp.as_ref()?.0.as_nanosecond();
    i64::try_from(nanos).ok().map(Timestamp)
}

fn is_observed(object: &DynamicObject) -> bool {
    let seen = number(&object.data, &["status", "observedGeneration"]).unwrap_or(0);
    seen > 0 && seen >= object.metadata.generation.unwrap_or(0)
}

fn revision(object: &DynamicObject) -> Option<i64> {
    object.annotations().get(DEPLOYMENT_REVISION)?.parse().ok()
}

fn replicas(object: &DynamicObject) -> i64 {
    number(&object.data, &["spec", "replicas"]).unwrap_or(1)
}

/// When the controller last wrote how its rollout goes.
fn settled_at(object: &DynamicObject) -> Option<Timestamp> {
    let conditions = object.data.pointer("/status/conditions").and_then(Json::as_array);
    let progressing = conditions.into_iter().flatten().find(|one| text(one, &["type"]) == Some("Progressing"));
    let said = progressing.and_then(|one| text(one, &["lastUpdateTime"]));
    let said = said.and_then(|said| Timestamp::parse(said, Timestamp(0)).ok());
    said.or_else(|| last_writer(object, &[&["f:status"]], Some("status")).at)
}
