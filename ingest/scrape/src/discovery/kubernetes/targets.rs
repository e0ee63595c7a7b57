//! Objects to targets, role by role, with the labels that Prometheus gives them.

use serde_json::Value;

use super::super::host_port;
use super::objects::{Kind, Known, items, text};
use super::pods::{self, Behind};
use crate::config::{KubernetesConfig, KubernetesRole, TargetGroup};
use crate::labels::{LabelSet, sanitize};
use crate::target::ADDRESS;

/// What stands before every label.
pub(super) const META: &str = "__meta_kubernetes_";

/// The groups of a role: one for each object of its kind.
pub(super) fn groups(config: &KubernetesConfig, known: &Known) -> Vec<TargetGroup> {
    let view = View { config, known };
    let all = known.all(Kind::of_role(config.role));
    let groups = all.map(|object| match config.role {
        KubernetesRole::Pod => view.pod(object),
        KubernetesRole::Service => view.service(object),
        KubernetesRole::Endpoints => view.endpoints(object),
        KubernetesRole::EndpointSlice => view.slice(object),
        KubernetesRole::Node => node(object),
        KubernetesRole::Ingress => view.ingress(object),
    });
    groups.filter(|group| !group.targets.is_empty()).collect()
}

/// Everything that is known, as the settings want it seen.
pub(super) struct View<'a> {
    pub(super) config: &'a KubernetesConfig,
    pub(super) known: &'a Known,
}

/// Sets a label of this discovery.
pub(super) fn set(labels: &mut LabelSet, name: &str, value: impl Into<String>) {
    labels.set(&format!("{META}{name}"), value);
}

/// A group for an object, with its namespace.
fn group(role: KubernetesRole, object: &Value) -> TargetGroup {
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    let mut labels = LabelSet::default();
    set(&mut labels, "namespace", namespace);
    TargetGroup { source: format!("{}/{namespace}/{name}", role.as_str()), labels, targets: Vec::new() }
}

/// Labels and annotations of an object.
fn marks(labels: &mut LabelSet, object: &Value, resource: &str) {
    for (list, word) in [("/metadata/labels", "label"), ("/metadata/annotations", "annotation")] {
        for (name, value) in object.pointer(list).and_then(Value::as_object).into_iter().flatten() {
            let name = sanitize(name);
            set(labels, &format!("{resource}_{word}_{name}"), value.as_str().unwrap_or_default());
            set(labels, &format!("{resource}_{word}present_{name}"), "true");
        }
    }
}

/// Name, labels and annotations of an object.
pub(super) fn meta(labels: &mut LabelSet, object: &Value, resource: &str) {
    set(labels, &format!("{resource}_name"), text(object, "/metadata/name"));
    marks(labels, object, resource);
}

/// A number or a name of a port.
pub(super) fn port(value: &Value, path: &str) -> Option<u64> {
    value.pointer(path).and_then(Value::as_u64)
}

fn node(object: &Value) -> TargetGroup {
    let mut group =
        TargetGroup { source: format!("node/{}", text(object, "/metadata/name")), ..TargetGroup::default() };
    set(&mut group.labels, "node_provider_id", text(object, "/spec/providerID"));
    for condition in items(object, "/status/conditions") {
        let name = sanitize(&text(condition, "/type").to_lowercase());
        set(&mut group.labels, &format!("node_condition_{name}"), text(condition, "/status").to_lowercase());
    }
    meta(&mut group.labels, object, "node");
    let address = |kind: &str| {
        items(object, "/status/addresses")
            .find(|address| text(address, "/type") == kind)
            .map(|address| text(address, "/address"))
    };
    let order = ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"];
    let Some(host) = order.into_iter().find_map(address) else { return group };
    let kubelet = port(object, "/status/daemonEndpoints/kubeletEndpoint/Port").unwrap_or(0);
    let mut target = LabelSet::from_iter([(ADDRESS, host_port(host, kubelet))]);
    target.set("instance", text(object, "/metadata/name"));
    for address in items(object, "/status/addresses") {
        let name = format!("{META}node_address_{}", sanitize(text(address, "/type")));
        // The first of a kind counts.
        target.set_default(&name, text(address, "/address"));
    }
    group.targets.push(target);
    group
}

impl View<'_> {
    fn attach_namespace(&self, labels: &mut LabelSet, object: &Value) {
        if self.config.attach_namespace
            && let Some(namespace) = self.known.get(Kind::Namespace, "", text(object, "/metadata/namespace"))
        {
            marks(labels, namespace, "namespace");
        }
    }

    pub(super) fn attach_node(&self, labels: &mut LabelSet, name: &str) {
        if let Some(node) = self.known.get(Kind::Node, "", name).filter(|_| self.config.attach_node) {
            meta(labels, node, "node");
        }
    }

    fn pod(&self, pod: &Value) -> TargetGroup {
        let mut group = group(KubernetesRole::Pod, pod);
        let (address, node) = (text(pod, "/status/podIP"), text(pod, "/spec/nodeName"));
        let filtered = self.config.attach_node && self.known.get(Kind::Node, "", node).is_none();
        // A pod that starts or was evicted has no address.
        if address.is_empty() || filtered {
            return group;
        }
        pods::labels(self, &mut group.labels, pod);
        self.attach_node(&mut group.labels, node);
        self.attach_namespace(&mut group.labels, pod);
        for container in pods::containers(pod) {
            let mut common = LabelSet::default();
            container.labels(&mut common);
            set(&mut common, "pod_container_id", container.id());
            let mut ports = container.ports().peekable();
            if ports.peek().is_none() {
                let mut target = common.clone();
                target.set(ADDRESS, address);
                group.targets.push(target);
            }
            for port in ports {
                let mut target = common.clone();
                port.labels(&mut target);
                target.set(ADDRESS, host_port(address, port.number));
                group.targets.push(target);
            }
        }
        group
    }

    fn service(&self, service: &Value) -> TargetGroup {
        let mut group = group(KubernetesRole::Service, service);
        meta(&mut group.labels, service, "service");
        self.attach_namespace(&mut group.labels, service);
        let (namespace, name) = (text(service, "/metadata/namespace"), text(service, "/metadata/name"));
        let kind = text(service, "/spec/type");
        for item in items(service, "/spec/ports") {
            let number = port(item, "/port").unwrap_or(0).to_string();
            let mut target = LabelSet::from_iter([(ADDRESS, format!("{name}.{namespace}.svc:{number}"))]);
            set(&mut target, "service_port_name", text(item, "/name"));
            set(&mut target, "service_port_number", number);
            set(&mut target, "service_port_protocol", text(item, "/protocol"));
            set(&mut target, "service_type", kind);
            match kind {
                "ExternalName" => set(&mut target, "service_external_name", text(service, "/spec/externalName")),
                _ => set(&mut target, "service_cluster_ip", text(service, "/spec/clusterIP")),
            }
            if kind == "LoadBalancer" {
                set(&mut target, "service_loadbalancer_ip", load_balancers(service));
            }
            group.targets.push(target);
        }
        group
    }

    /// The labels of the service that addresses are behind.
    fn attach_service(&self, labels: &mut LabelSet, namespace: &str, name: &str) -> Option<&Value> {
        let service = self.known.get(Kind::Service, namespace, name)?;
        meta(labels, service, "service");
        Some(service)
    }

    fn endpoints(&self, endpoints: &Value) -> TargetGroup {
        let mut group = group(KubernetesRole::Endpoints, endpoints);
        let (namespace, name) = (text(endpoints, "/metadata/namespace"), text(endpoints, "/metadata/name"));
        self.attach_service(&mut group.labels, namespace, name);
        meta(&mut group.labels, endpoints, "endpoints");
        self.attach_namespace(&mut group.labels, endpoints);
        let mut behind = Behind::default();
        for subset in items(endpoints, "/subsets") {
            for item in items(subset, "/ports") {
                for (list, ready) in [("/addresses", "true"), ("/notReadyAddresses", "false")] {
                    for address in items(subset, list) {
                        let number = port(item, "/port").unwrap_or(0);
                        let mut target = LabelSet::from_iter([(ADDRESS, host_port(text(address, "/ip"), number))]);
                        set(&mut target, "endpoint_port_name", text(item, "/name"));
                        set(&mut target, "endpoint_port_protocol", text(item, "/protocol"));
                        set(&mut target, "endpoint_ready", ready);
                        set(&mut target, "endpoint_address_target_kind", text(address, "/targetRef/kind"));
                        set(&mut target, "endpoint_address_target_name", text(address, "/targetRef/name"));
                        set(&mut target, "endpoint_node_name", text(address, "/nodeName"));
                        set(&mut target, "endpoint_hostname", text(address, "/hostname"));
                        self.attach_node_of(&mut target, address);
                        behind.attach(self, &mut target, address, Some(number), namespace);
                        group.targets.push(target);
                    }
                }
            }
        }
        behind.other_ports(self, &mut group.targets);
        group
    }

    /// The node that an address is on, or is.
    fn attach_node_of(&self, target: &mut LabelSet, address: &Value) {
        let node = match text(address, "/targetRef/kind") {
            "Node" => text(address, "/targetRef/name"),
            _ => text(address, "/nodeName"),
        };
        self.attach_node(target, node);
    }

    fn slice(&self, slice: &Value) -> TargetGroup {
        let mut group = group(KubernetesRole::EndpointSlice, slice);
        let namespace = text(slice, "/metadata/namespace");
        let kind = text(slice, "/addressType");
        set(&mut group.labels, "endpointslice_address_type", kind);
        meta(&mut group.labels, slice, "endpointslice");
        let service = text(slice, "/metadata/labels/kubernetes.io~1service-name");
        let service = self.attach_service(&mut group.labels, namespace, service);
        self.attach_namespace(&mut group.labels, slice);
        // Of a service of two families the second would have every target twice.
        let policy = service.map_or("", |service| text(service, "/spec/ipFamilyPolicy"));
        let first = service.map_or("", |service| text(service, "/spec/ipFamilies/0"));
        if matches!(policy, "PreferDualStack" | "RequireDualStack") && !first.is_empty() && first != kind {
            return group;
        }
        let mut behind = Behind::default();
        for endpoint in items(slice, "/endpoints") {
            let ports: Vec<&Value> = items(slice, "/ports").collect();
            for item in ports {
                for address in items(endpoint, "/addresses").filter_map(Value::as_str) {
                    let number = port(item, "/port");
                    let mut target = slice_target(address, endpoint, item, number);
                    self.attach_node_of(&mut target, endpoint);
                    behind.attach(self, &mut target, endpoint, number, namespace);
                    group.targets.push(target);
                }
            }
        }
        behind.other_ports(self, &mut group.targets);
        group
    }

    fn ingress(&self, ingress: &Value) -> TargetGroup {
        let mut group = group(KubernetesRole::Ingress, ingress);
        set(&mut group.labels, "ingress_class_name", text(ingress, "/spec/ingressClassName"));
        meta(&mut group.labels, ingress, "ingress");
        self.attach_namespace(&mut group.labels, ingress);
        let encrypted: Vec<&str> =
            items(ingress, "/spec/tls").flat_map(|tls| items(tls, "/hosts").filter_map(Value::as_str)).collect();
        for rule in items(ingress, "/spec/rules") {
            let host = text(rule, "/host");
            let scheme = if encrypted.iter().any(|pattern| covers(pattern, host)) { "https" } else { "http" };
            let mut paths: Vec<&str> = items(rule, "/http/paths").map(|path| text(path, "/path")).collect();
            if paths.is_empty() {
                paths.push("/");
            }
            for path in paths {
                let mut target = LabelSet::from_iter([(ADDRESS, host)]);
                set(&mut target, "ingress_scheme", scheme);
                set(&mut target, "ingress_host", host);
                set(&mut target, "ingress_path", if path.is_empty() { "/" } else { path });
                group.targets.push(target);
            }
        }
        group
    }
}

fn slice_target(address: &str, endpoint: &Value, item: &Value, number: Option<u64>) -> LabelSet {
    let whole = number.map_or_else(|| address.to_owned(), |number| host_port(address, number));
    let mut target = LabelSet::from_iter([(ADDRESS, whole)]);
    set(&mut target, "endpointslice_port_name", text(item, "/name"));
    set(&mut target, "endpointslice_port_protocol", text(item, "/protocol"));
    set(&mut target, "endpointslice_port", number.map(|number| number.to_string()).unwrap_or_default());
    set(&mut target, "endpointslice_port_app_protocol", text(item, "/appProtocol"));
    for condition in ["ready", "serving", "terminating"] {
        let value = endpoint.pointer(&format!("/conditions/{condition}")).and_then(Value::as_bool);
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        set(&mut target, &format!("endpointslice_endpoint_conditions_{condition}"), value);
    }
    set(&mut target, "endpointslice_endpoint_hostname", text(endpoint, "/hostname"));
    set(&mut target, "endpointslice_address_target_kind", text(endpoint, "/targetRef/kind"));
    set(&mut target, "endpointslice_address_target_name", text(endpoint, "/targetRef/name"));
    set(&mut target, "endpointslice_endpoint_node_name", text(endpoint, "/nodeName"));
    set(&mut target, "endpointslice_endpoint_zone", text(endpoint, "/zone"));
    for (name, value) in endpoint.get("deprecatedTopology").and_then(Value::as_object).into_iter().flatten() {
        let name = sanitize(name);
        let value = value.as_str().unwrap_or_default();
        set(&mut target, &format!("endpointslice_endpoint_topology_{name}"), value);
        set(&mut target, &format!("endpointslice_endpoint_topology_present_{name}"), "true");
    }
    target
}

fn load_balancers(service: &Value) -> String {
    let wanted = text(service, "/spec/loadBalancerIP");
    let given: Vec<&str> = items(service, "/status/loadBalancer/ingress")
        .map(|ingress| text(ingress, "/ip"))
        .filter(|address| !address.is_empty())
        .collect();
    if given.is_empty() { wanted.to_owned() } else { given.join(",") }
}

/// Whether a certificate's name, perhaps with a star for its first part, is that of a host.
fn covers(pattern: &str, host: &str) -> bool {
    if pattern == host {
        return true;
    }
    let (Some(pattern), Some((_, host))) = (pattern.strip_prefix("*."), host.split_once('.')) else { return false };
    pattern == host
}
