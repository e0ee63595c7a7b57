//! Pods and their containers: their own targets, and what they add to the addresses of a service.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::host_port;
use super::objects::{Kind, items, text};
use super::targets::{View, meta, port, set};
use crate::labels::LabelSet;
use crate::target::ADDRESS;

/// A container of a pod.
pub(super) struct Container<'a> {
    pod: &'a Value,
    container: &'a Value,
    init: bool,
}

/// A port of a container.
pub(super) struct Port<'a> {
    pub(super) number: u64,
    name: &'a str,
    protocol: &'a str,
}

/// The containers of a pod, those of its start last.
pub(super) fn containers(pod: &Value) -> impl Iterator<Item = Container<'_>> {
    [("/spec/containers", false), ("/spec/initContainers", true)]
        .into_iter()
        .flat_map(move |(list, init)| items(pod, list).map(move |container| Container { pod, container, init }))
}

impl<'a> Container<'a> {
    /// Name and image.
    pub(super) fn labels(&self, labels: &mut LabelSet) {
        set(labels, "pod_container_name", text(self.container, "/name"));
        set(labels, "pod_container_image", text(self.container, "/image"));
        set(labels, "pod_container_init", self.init.to_string());
    }

    /// The id that the runtime gave it.
    pub(super) fn id(&self) -> &'a str {
        let list = if self.init { "/status/initContainerStatuses" } else { "/status/containerStatuses" };
        let name = text(self.container, "/name");
        items(self.pod, list)
            .find(|status| text(status, "/name") == name)
            .map_or("", |status| text(status, "/containerID"))
    }

    pub(super) fn ports(&self) -> impl Iterator<Item = Port<'a>> + use<'a> {
        items(self.container, "/ports").map(|item| Port {
            number: port(item, "/containerPort").unwrap_or(0),
            name: text(item, "/name"),
            protocol: text(item, "/protocol"),
        })
    }
}

impl Port<'_> {
    pub(super) fn labels(&self, labels: &mut LabelSet) {
        set(labels, "pod_container_port_number", self.number.to_string());
        set(labels, "pod_container_port_name", self.name);
        set(labels, "pod_container_port_protocol", self.protocol);
    }
}

/// The owner that controls an object: kind and name.
fn controller(object: &Value) -> Option<(&str, &str)> {
    items(object, "/metadata/ownerReferences")
        .find(|owner| owner.pointer("/controller").and_then(Value::as_bool) == Some(true))
        .map(|owner| (text(owner, "/kind"), text(owner, "/name")))
}

/// The labels of a pod.
pub(super) fn labels(view: &View<'_>, labels: &mut LabelSet, pod: &Value) {
    let ready = items(pod, "/status/conditions").find(|condition| text(condition, "/type") == "Ready");
    let ready = ready.map_or("unknown".to_owned(), |condition| text(condition, "/status").to_lowercase());
    for (name, value) in [
        ("pod_ip", text(pod, "/status/podIP")),
        ("pod_ready", &ready),
        ("pod_phase", text(pod, "/status/phase")),
        ("pod_node_name", text(pod, "/spec/nodeName")),
        ("pod_host_ip", text(pod, "/status/hostIP")),
        ("pod_uid", text(pod, "/metadata/uid")),
    ] {
        set(labels, name, value);
    }
    meta(labels, pod, "pod");
    let Some((kind, name)) = controller(pod) else { return };
    set(labels, "pod_controller_kind", kind);
    set(labels, "pod_controller_name", name);
    let namespace = text(pod, "/metadata/namespace");
    let above = |wanted: Kind, owner: &str| {
        let (kind, name) = controller(view.known.get(wanted, namespace, name)?)?;
        (kind == owner).then(|| name.to_owned())
    };
    match kind {
        "ReplicaSet" if view.config.attach_deployment => {
            set(labels, "pod_deployment_name", above(Kind::ReplicaSet, "Deployment").unwrap_or_default());
        }
        "Job" => {
            if view.config.attach_job {
                set(labels, "pod_job_name", name);
            }
            if view.config.attach_cronjob {
                set(labels, "pod_cronjob_name", above(Kind::Job, "CronJob").unwrap_or_default());
            }
        }
        _ => {}
    }
}

/// The pods behind the addresses of a service, and which of their ports the service has.
#[derive(Default)]
pub(super) struct Behind<'a>(BTreeMap<(&'a str, &'a str), (&'a Value, Vec<u64>)>);

impl<'a> Behind<'a> {
    /// Adds what is known of the pod that an address is of.
    pub(super) fn attach(
        &mut self,
        view: &View<'a>,
        target: &mut LabelSet,
        address: &'a Value,
        number: Option<u64>,
        namespace: &'a str,
    ) {
        if text(address, "/targetRef/kind") != "Pod" {
            return;
        }
        let place = Some(text(address, "/targetRef/namespace")).filter(|place| !place.is_empty()).unwrap_or(namespace);
        let name = text(address, "/targetRef/name");
        let Some(pod) = view.known.get(Kind::Pod, place, name) else { return };
        let seen = self.0.entry((place, name)).or_insert((pod, Vec::new()));
        seen.1.extend(number);
        labels(view, target, pod);
        for container in containers(pod) {
            let Some(port) = container.ports().find(|port| Some(port.number) == number) else { continue };
            container.labels(target);
            port.labels(target);
        }
    }

    /// Targets for the ports of these pods that the service does not have.
    pub(super) fn other_ports(self, view: &View<'a>, targets: &mut Vec<LabelSet>) {
        for (pod, numbers) in self.0.into_values() {
            let address = text(pod, "/status/podIP");
            if address.is_empty() {
                continue;
            }
            for container in containers(pod) {
                for port in container.ports().filter(|port| !numbers.contains(&port.number)) {
                    let mut target = LabelSet::from_iter([(ADDRESS, host_port(address, port.number))]);
                    container.labels(&mut target);
                    port.labels(&mut target);
                    labels(view, &mut target, pod);
                    targets.push(target);
                }
            }
        }
    }
}
