//! Where targets come from: the keys of each kind of discovery and their defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_saphyr::Spanned;

use super::HttpConfig;
use super::raw::{At, RawConsulSd, RawDnsSd, RawDockerSd, RawFileSd, RawGroup, RawHttpSd, RawJob, RawKubernetesSd};
use super::reader::Reader;
use crate::labels::LabelSet;

/// Where targets come from.
#[derive(Clone, Debug, PartialEq)]
pub enum DiscoveryConfig {
    /// They are written down.
    Static(Vec<TargetGroup>),
    /// Files.
    File(FileConfig),
    /// A service that answers targets.
    Http(Box<HttpDiscoveryConfig>),
    /// Names in DNS.
    Dns(DnsConfig),
    /// A Consul.
    Consul(Box<ConsulConfig>),
    /// A Docker daemon.
    Docker(Box<DockerConfig>),
    /// A Kubernetes cluster.
    Kubernetes(Box<KubernetesConfig>),
}

/// Targets that have labels in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetGroup {
    /// What tells it from other groups of the same discovery.
    pub source: String,
    /// Labels of all.
    pub labels: LabelSet,
    /// Labels of each.
    pub targets: Vec<LabelSet>,
}

/// Files of targets.
#[derive(Clone, Debug, PartialEq)]
pub struct FileConfig {
    /// Patterns of files.
    pub files: Vec<PathBuf>,
    /// How often files are read again, whether they changed or not.
    pub refresh: Duration,
}

/// A service that answers targets.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpDiscoveryConfig {
    /// Where.
    pub url: String,
    /// How often.
    pub refresh: Duration,
    /// How.
    pub http: HttpConfig,
}

/// Names in DNS.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsConfig {
    /// The names.
    pub names: Vec<String>,
    /// Which records.
    pub record: DnsRecord,
    /// Port of the targets, where the record has none.
    pub port: u16,
    /// How often.
    pub refresh: Duration,
}

/// Kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsRecord {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
    /// Services.
    Srv,
}

/// A Consul.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsulConfig {
    /// `http://host:port/prefix`.
    pub base: String,
    /// Sent as `X-Consul-Token`.
    pub token: Option<String>,
    /// The datacenter; the agent's own where none is given.
    pub datacenter: Option<String>,
    /// Namespace (Enterprise).
    pub namespace: Option<String>,
    /// Admin partition (Enterprise).
    pub partition: Option<String>,
    /// Stands between and around the tags.
    pub tag_separator: String,
    /// Whether a follower may answer.
    pub allow_stale: bool,
    /// Shortest time between two questions.
    pub refresh: Duration,
    /// Services; all where none are named.
    pub services: Vec<String>,
    /// Tags that an instance must have.
    pub tags: Vec<String>,
    /// Metadata that a node must have.
    pub node_meta: BTreeMap<String, String>,
    /// Filter of the catalog.
    pub filter: Option<String>,
    /// Filter of the instances.
    pub health_filter: Option<String>,
    /// How.
    pub http: HttpConfig,
}

/// A Docker daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct DockerConfig {
    /// `unix:///var/run/docker.sock`, `tcp://host:port`, `http://...` or `https://...`.
    pub host: String,
    /// Port of containers that expose none.
    pub port: u16,
    /// What is asked for.
    pub filters: Vec<(String, Vec<String>)>,
    /// Address of containers in the host's network.
    pub host_networking_host: String,
    /// Whether only the first network of a container counts.
    pub match_first_network: bool,
    /// How often.
    pub refresh: Duration,
    /// How.
    pub http: HttpConfig,
}

/// A Kubernetes cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct KubernetesConfig {
    /// The API; the cluster that this runs in where neither it nor a kubeconfig is given.
    pub api_server: Option<String>,
    /// A kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// What becomes targets.
    pub role: KubernetesRole,
    /// In which namespaces.
    pub namespaces: Namespaces,
    /// Which objects.
    pub selectors: Vec<KubernetesSelector>,
    /// Whether targets have the labels of their node.
    pub attach_node: bool,
    /// Whether targets have the labels of their namespace.
    pub attach_namespace: bool,
    /// Whether targets of pods have the name of their deployment.
    pub attach_deployment: bool,
    /// Whether targets of pods have the name of their job.
    pub attach_job: bool,
    /// Whether targets of pods have the name of their cron job.
    pub attach_cronjob: bool,
    /// How.
    pub http: HttpConfig,
}

/// Which namespaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Namespaces {
    /// The one that this runs in.
    pub own: bool,
    /// By name; all where none are named and `own` is not set.
    pub names: Vec<String>,
}

/// Which objects of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct KubernetesSelector {
    /// Of which kind.
    pub role: KubernetesRole,
    /// By labels.
    pub label: String,
    /// By fields.
    pub field: String,
}

/// What of a cluster becomes targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KubernetesRole {
    /// Ports of containers.
    Pod,
    /// Ports of services.
    Service,
    /// Addresses behind services, from `Endpoints`.
    Endpoints,
    /// Addresses behind services, from `EndpointSlice`.
    EndpointSlice,
    /// Kubelets.
    Node,
    /// Paths of ingresses.
    Ingress,
}

impl KubernetesRole {
    /// The word of the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::EndpointSlice => "endpointslice",
            Self::Node => "node",
            Self::Ingress => "ingress",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        use KubernetesRole::{EndpointSlice, Endpoints, Ingress, Node, Pod, Service};
        [Pod, Service, Endpoints, EndpointSlice, Node, Ingress].into_iter().find(|role| role.as_str() == word)
    }

    /// Kinds of objects that may be narrowed.
    fn selectable(self) -> &'static [KubernetesRole] {
        use KubernetesRole::{EndpointSlice, Endpoints, Ingress, Node, Pod, Service};
        match self {
            Pod => &[Pod, Node],
            Service => &[Service],
            EndpointSlice => &[Pod, Service, EndpointSlice],
            Endpoints => &[Pod, Service, Endpoints],
            Node => &[Node],
            Ingress => &[Ingress],
        }
    }
}

const ROLES_HINT: &str = "pod, service, endpoints, endpointslice, node or ingress";

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl Reader<'_> {
    pub(super) fn discovery(&mut self, raw: &RawJob) -> Vec<DiscoveryConfig> {
        let mut found = Vec::new();
        let groups: Vec<TargetGroup> = raw
            .static_configs
            .iter()
            .flatten()
            .enumerate()
            .map(|(number, group)| self.static_group(number, group))
            .collect();
        if raw.static_configs.is_some() {
            found.push(DiscoveryConfig::Static(groups));
        }
        found.extend(raw.file_sd_configs.iter().flatten().filter_map(|sd| self.file_sd(sd)));
        found.extend(raw.http_sd_configs.iter().flatten().map(|sd| self.http_sd(sd)));
        found.extend(raw.dns_sd_configs.iter().flatten().filter_map(|sd| self.dns(sd)));
        found.extend(raw.consul_sd_configs.iter().flatten().map(|sd| self.consul(sd)));
        found.extend(raw.docker_sd_configs.iter().flatten().map(|sd| self.docker(sd)));
        found.extend(raw.kubernetes_sd_configs.iter().flatten().filter_map(|sd| self.kubernetes(sd)));
        found
    }

    fn refresh(&mut self, at: &At<String>, default: Duration) -> Duration {
        self.duration(at).unwrap_or(default)
    }

    fn static_group(&mut self, number: usize, at: &Spanned<RawGroup>) -> TargetGroup {
        for target in &at.value.targets {
            if target.contains('/') {
                let message = format!("{target:?} is not a valid hostname");
                self.problems.say(at, message, "targets are host:port; the path is metrics_path, the scheme is scheme");
            }
        }
        TargetGroup {
            source: number.to_string(),
            labels: at.value.labels.clone().unwrap_or_default().into_iter().collect(),
            targets: at.value.targets.iter().map(|target| LabelSet::from_iter([("__address__", target)])).collect(),
        }
    }

    fn file_sd(&mut self, at: &Spanned<RawFileSd>) -> Option<DiscoveryConfig> {
        let raw = &at.value;
        if raw.files.is_empty() {
            self.problems.say(at, "file service discovery config must contain at least one path name", "give `files`");
            return None;
        }
        for file in &raw.files {
            let name = file.value.rsplit('/').next().unwrap_or_default();
            let ending = [".json", ".yml", ".yaml"].iter().any(|ending| name.ends_with(ending));
            let stars = name.matches('*').count();
            if !ending || stars > 1 || file.value[..file.value.len() - name.len()].contains('*') {
                let message = format!("path name {:?} is not valid for file discovery", file.value);
                self.problems.say(file, message, "the last part ends in .json, .yml or .yaml and has at most one *");
            }
        }
        let files = raw.files.iter().map(|file| self.path(&file.value)).collect();
        Some(DiscoveryConfig::File(FileConfig { files, refresh: self.refresh(&raw.refresh_interval, secs(300)) }))
    }

    fn http_sd(&mut self, at: &Spanned<RawHttpSd>) -> DiscoveryConfig {
        let raw = &at.value;
        let url = raw.url.as_ref().map(|url| url.value.clone()).unwrap_or_default();
        let parsed = reqwest::Url::parse(&url).ok();
        if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            let message = format!("URL is missing or is not http or https: {url:?}");
            self.problems.say(at, message, "write it as https://inventory.example.com/targets");
        }
        DiscoveryConfig::Http(Box::new(HttpDiscoveryConfig {
            url,
            refresh: self.refresh(&raw.refresh_interval, secs(60)),
            http: self.http(&raw.http()),
        }))
    }

    fn dns(&mut self, at: &Spanned<RawDnsSd>) -> Option<DiscoveryConfig> {
        let raw = &at.value;
        if raw.names.is_empty() {
            self.problems.say(at, "DNS-SD config must contain at least one SRV record name", "give `names`");
        }
        let kind = raw.kind.as_ref().map_or("SRV".to_owned(), |kind| kind.value.to_ascii_uppercase());
        let record = match kind.as_str() {
            "A" => DnsRecord::A,
            "AAAA" => DnsRecord::Aaaa,
            "MX" => DnsRecord::Mx,
            "NS" => DnsRecord::Ns,
            "SRV" => DnsRecord::Srv,
            other => {
                self.problems.say(at, format!("invalid DNS-SD records type {other}"), "write A, AAAA, MX, NS or SRV");
                return None;
            }
        };
        if record != DnsRecord::Srv && raw.port.is_none() {
            self.problems.say(
                at,
                "a port is required in DNS-SD configs for all record types except SRV",
                "give `port`",
            );
        }
        let port = raw.port.unwrap_or(0);
        let refresh = self.refresh(&raw.refresh_interval, secs(30));
        Some(DiscoveryConfig::Dns(DnsConfig { names: raw.names.clone(), record, port, refresh }))
    }

    fn consul(&mut self, at: &Spanned<RawConsulSd>) -> DiscoveryConfig {
        let raw = &at.value;
        let server = raw.server.as_ref().map_or("localhost:8500", |server| server.value.trim());
        if server.is_empty() {
            self.problems.say(at, "consul SD configuration requires a server address", "write it as localhost:8500");
        }
        let scheme = raw.scheme.as_ref().map_or("http", |scheme| &scheme.value);
        let prefix = raw.path_prefix.as_deref().unwrap_or_default().trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        let mut http = self.http(&raw.http());
        if let Some(username) = &raw.username {
            let secret = |text: &str| super::Secret::Text(text.to_owned());
            http.auth = super::Auth::Basic(secret(username), secret(raw.password.as_deref().unwrap_or_default()));
        }
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        DiscoveryConfig::Consul(Box::new(ConsulConfig {
            base: format!("{scheme}://{server}{prefix}"),
            token: given(&raw.token),
            datacenter: given(&raw.datacenter),
            namespace: given(&raw.namespace),
            partition: given(&raw.partition),
            tag_separator: raw.tag_separator.clone().unwrap_or_else(|| ",".to_owned()),
            allow_stale: raw.allow_stale.unwrap_or(true),
            refresh: self.refresh(&raw.refresh_interval, secs(30)),
            services: raw.services.clone().unwrap_or_default(),
            tags: raw.tags.clone().unwrap_or_default(),
            node_meta: raw.node_meta.clone().unwrap_or_default(),
            filter: given(&raw.filter),
            health_filter: given(&raw.health_filter),
            http,
        }))
    }

    fn docker(&mut self, at: &Spanned<RawDockerSd>) -> DiscoveryConfig {
        let raw = &at.value;
        let host = raw.host.as_ref().map(|host| host.value.clone()).unwrap_or_default();
        if !["unix://", "tcp://", "http://", "https://"].iter().any(|scheme| host.starts_with(scheme)) {
            let message = format!("docker SD configuration has no usable host: {host:?}");
            self.problems.say(at, message, "write it as unix:///var/run/docker.sock or tcp://docker:2375");
        }
        let filters = raw.filters.iter().flatten();
        DiscoveryConfig::Docker(Box::new(DockerConfig {
            host,
            port: raw.port.unwrap_or(80),
            filters: filters.map(|filter| (filter.name.clone(), filter.values.clone())).collect(),
            host_networking_host: raw.host_networking_host.clone().unwrap_or_else(|| "localhost".to_owned()),
            match_first_network: raw.match_first_network.unwrap_or(true),
            refresh: self.refresh(&raw.refresh_interval, secs(60)),
            http: self.http(&raw.http()),
        }))
    }

    fn kubernetes(&mut self, at: &Spanned<RawKubernetesSd>) -> Option<DiscoveryConfig> {
        let raw = &at.value;
        let Some(word) = raw.role.as_ref().filter(|role| !role.value.is_empty()) else {
            self.problems.say(at, "role missing", format!("one of {ROLES_HINT}"));
            return None;
        };
        let Some(role) = KubernetesRole::parse(&word.value) else {
            self.problems.say(word, format!("unknown Kubernetes SD role {:?}", word.value), ROLES_HINT);
            return None;
        };
        let given = |at: &At<String>| at.as_ref().map(|at| at.value.clone()).filter(|text| !text.is_empty());
        let (api_server, kubeconfig) = (given(&raw.api_server), given(&raw.kubeconfig_file));
        let http = self.http(&raw.http());
        let namespaces = raw.namespaces.clone().unwrap_or_default();
        let own = namespaces.own_namespace;
        let conflict = match () {
            () if api_server.is_some() && kubeconfig.is_some() => {
                Some("cannot use 'kubeconfig_file' and 'api_server' simultaneously")
            }
            () if kubeconfig.is_some() && http != HttpConfig::default() => {
                Some("cannot use a custom HTTP client configuration together with 'kubeconfig_file'")
            }
            () if api_server.is_none() && http != HttpConfig::default() => {
                Some("to use custom HTTP client configuration please provide the 'api_server' URL explicitly")
            }
            () if own && (api_server.is_some() || kubeconfig.is_some()) => {
                Some("'namespaces.own_namespace' is for the cluster that this runs in")
            }
            () => None,
        };
        if let Some(message) = conflict {
            self.problems.say(at, message, "remove one of them");
        }
        let selectors = self.selectors(raw, role);
        let attach = raw.attach_metadata.clone().unwrap_or_default();
        Some(DiscoveryConfig::Kubernetes(Box::new(KubernetesConfig {
            api_server,
            kubeconfig: kubeconfig.map(|path| self.path(&path)),
            role,
            namespaces: Namespaces { own, names: namespaces.names },
            selectors,
            attach_node: attach.node,
            attach_namespace: attach.namespace,
            attach_deployment: attach.deployment,
            attach_job: attach.job,
            attach_cronjob: attach.cronjob,
            http,
        })))
    }

    fn selectors(&mut self, raw: &RawKubernetesSd, role: KubernetesRole) -> Vec<KubernetesSelector> {
        let mut found: Vec<KubernetesSelector> = Vec::new();
        for at in raw.selectors.iter().flatten() {
            let selector = &at.value;
            let Some(kind) = KubernetesRole::parse(&selector.role) else {
                self.problems.say(at, format!("unknown Kubernetes SD role {:?}", selector.role), ROLES_HINT);
                continue;
            };
            if found.iter().any(|known| known.role == kind) {
                self.problems.say(at, format!("duplicated selector role: {}", kind.as_str()), "one selector each");
            }
            if !role.selectable().contains(&kind) {
                let words: Vec<&str> = role.selectable().iter().map(|role| role.as_str()).collect();
                let message = format!("{} role supports only {} selectors", role.as_str(), words.join(", "));
                self.problems.say(at, message, "remove it");
            }
            found.push(KubernetesSelector { role: kind, label: selector.label.clone(), field: selector.field.clone() });
        }
        found
    }
}
