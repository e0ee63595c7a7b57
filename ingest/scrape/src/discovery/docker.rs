//! A Docker daemon: ports of containers are scraped, in each of their networks.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use super::{DiscoveryError, get_json, host_port};
use crate::client::Client;
use crate::config::{DockerConfig, TargetGroup};
use crate::labels::{LabelSet, sanitize};
use crate::target::ADDRESS;

/// Containers whose network another one shares, one behind the other.
const SHARED_NETWORKS_MAX: usize = 16;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Container {
    id: String,
    names: Vec<String>,
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    ports: Vec<Port>,
    labels: Option<BTreeMap<String, String>>,
    host_config: HostConfig,
    network_settings: Option<NetworkSettings>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Port {
    #[serde(rename = "IP")]
    ip: String,
    private_port: u16,
    public_port: u16,
    #[serde(rename = "Type")]
    protocol: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    network_mode: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Option<Endpoint>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    #[serde(rename = "NetworkID")]
    network_id: String,
    #[serde(rename = "IPAddress")]
    address: String,
    #[serde(rename = "GlobalIPv6Address")]
    address6: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    id: String,
    name: String,
    scope: String,
    internal: bool,
    ingress: bool,
    labels: Option<BTreeMap<String, String>>,
}

/// The daemon.
pub(super) struct Daemon {
    config: DockerConfig,
    client: Client,
    base: String,
}

impl Daemon {
    pub(super) fn new(config: DockerConfig) -> Self {
        let http = config.http.clone();
        let (client, base) = match config.host.split_once("://") {
            Some(("unix", path)) => (Client::over_unix_socket(http, PathBuf::from(path)), "http://docker".to_owned()),
            Some(("tcp", address)) => {
                let encrypted = http.tls != crate::config::TlsConfig::default();
                (Client::new(http), format!("{}://{address}", if encrypted { "https" } else { "http" }))
            }
            _ => (Client::new(http), config.host.trim_end_matches('/').to_owned()),
        };
        Self { config, client, base }
    }

    pub(super) fn refresh(&self) -> Duration {
        self.config.refresh
    }

    fn url(&self, path: &str) -> Result<Url, DiscoveryError> {
        let text = format!("{}{path}", self.base);
        Url::parse(&text).map_err(|error| DiscoveryError::Answer(format!("{text}: {error}")))
    }

    pub(super) async fn groups(&self) -> Result<Vec<TargetGroup>, DiscoveryError> {
        let mut url = self.url("/containers/json")?;
        let mut filters: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for (name, values) in &self.config.filters {
            filters.entry(name).or_default().extend(values);
        }
        if !filters.is_empty() {
            let filters = serde_json::to_string(&filters).unwrap_or_default();
            url.query_pairs_mut().append_pair("filters", &filters);
        }
        let containers: Vec<Container> = get_json(&self.client, &url).await?;
        let networks: Vec<Network> = get_json(&self.client, &self.url("/networks")?).await?;
        let networks: HashMap<&str, LabelSet> =
            networks.iter().map(|network| (network.id.as_str(), network.meta())).collect();
        let by_id: HashMap<&str, &Container> =
            containers.iter().map(|container| (container.id.as_str(), container)).collect();
        let mut targets = Vec::new();
        for container in containers.iter().filter(|container| !container.names.is_empty()) {
            let mut endpoints = container.endpoints(&by_id);
            if self.config.match_first_network {
                endpoints.truncate(1);
            }
            for endpoint in endpoints {
                let mut common = container.meta();
                for (name, value) in networks.get(endpoint.network_id.as_str()).iter().flat_map(|labels| labels.iter())
                {
                    common.set(name, value);
                }
                self.targets(container, endpoint, &common, &mut targets);
            }
        }
        Ok(vec![TargetGroup { source: "Docker".to_owned(), labels: LabelSet::default(), targets }])
    }

    /// One target for each TCP port, or one for a container without ports.
    fn targets(&self, container: &Container, endpoint: &Endpoint, common: &LabelSet, targets: &mut Vec<LabelSet>) {
        let address = if endpoint.address.is_empty() { &endpoint.address6 } else { &endpoint.address };
        let mut common = common.clone();
        common.set("__meta_docker_network_ip", address);
        let before = targets.len();
        for port in container.ports.iter().filter(|port| port.protocol == "tcp") {
            let mut labels = common.clone();
            labels.set("__meta_docker_port_private", port.private_port.to_string());
            if port.public_port > 0 {
                labels.set("__meta_docker_port_public", port.public_port.to_string());
                labels.set("__meta_docker_port_public_ip", &port.ip);
            }
            labels.set(ADDRESS, host_port(address, port.private_port));
            targets.push(labels);
        }
        if targets.len() == before {
            let mut labels = common;
            let host = container.host_config.network_mode == "host";
            let fallback = || host_port(address, self.config.port);
            labels.set(ADDRESS, if host { self.config.host_networking_host.clone() } else { fallback() });
            targets.push(labels);
        }
    }
}

impl Container {
    fn meta(&self) -> LabelSet {
        let mut labels = LabelSet::default();
        labels.set("__meta_docker_container_id", &self.id);
        labels.set("__meta_docker_container_name", self.names.first().map_or("", String::as_str));
        labels.set("__meta_docker_container_network_mode", &self.host_config.network_mode);
        labels.set("__meta_docker_container_image", &self.image);
        labels.set("__meta_docker_container_image_id", &self.image_id);
        for (name, value) in self.labels.iter().flatten() {
            labels.set(&format!("__meta_docker_container_label_{}", sanitize(name)), value);
        }
        labels
    }

    /// Its places in networks, by the network's name; those of another container whose network it shares.
    fn endpoints<'a>(&'a self, by_id: &HashMap<&str, &'a Container>) -> Vec<&'a Endpoint> {
        let mut container = self;
        for _ in 0..SHARED_NETWORKS_MAX {
            let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
            let endpoints: Vec<&Endpoint> = networks.into_iter().flat_map(|all| all.values().flatten()).collect();
            if !endpoints.is_empty() {
                return endpoints;
            }
            let Some(other) = container.host_config.network_mode.strip_prefix("container:") else { break };
            let Some(shared) = by_id.get(other) else { break };
            container = shared;
        }
        Vec::new()
    }
}

impl Network {
    fn meta(&self) -> LabelSet {
        let mut labels = LabelSet::default();
        labels.set("__meta_docker_network_id", &self.id);
        labels.set("__meta_docker_network_name", &self.name);
        labels.set("__meta_docker_network_scope", &self.scope);
        labels.set("__meta_docker_network_internal", self.internal.to_string());
        labels.set("__meta_docker_network_ingress", self.ingress.to_string());
        for (name, value) in self.labels.iter().flatten() {
            labels.set(&format!("__meta_docker_network_label_{}", sanitize(name)), value);
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::testing::{Answer, Server};
    use super::*;
    use crate::config::HttpConfig;

    const CONTAINERS: &str = include_str!("testdata/docker_containers.json");
    const NETWORKS: &str = include_str!("testdata/docker_networks.json");

    fn answers(asked: &str) -> Answer {
        match asked.split('?').next() {
            Some("GET /containers/json") => Answer::json(CONTAINERS),
            Some("GET /networks") => Answer::json(NETWORKS),
            _ => Answer::not_found(),
        }
    }

    fn config(host: String) -> DockerConfig {
        DockerConfig {
            host,
            port: 80,
            filters: vec![("label".to_owned(), vec!["scrape=yes".to_owned()])],
            host_networking_host: "localhost".to_owned(),
            match_first_network: true,
            refresh: Duration::from_secs(60),
            http: HttpConfig::default(),
        }
    }

    #[tokio::test]
    async fn containers_become_targets() {
        let server = Server::start(answers).await;
        let daemon = Daemon::new(config(format!("tcp://{}", server.address())));
        let groups = daemon.groups().await.expect("groups");
        let shown: Vec<String> = groups[0].targets.iter().map(ToString::to_string).collect();
        expect![[r#"
            {__address__="172.19.0.2:9100", __meta_docker_container_id="c301b928faceb1a18fe379f6bc178727ef920bb30b0f9b8592b32b36255a0eca", __meta_docker_container_image="prom/node-exporter:v1.1.2", __meta_docker_container_image_id="sha256:c19ae228f0699185488b6a1c0debb9c6b79672181356ad455c9a7924a41a01bb", __meta_docker_container_label_com_docker_compose_project="dockersd", __meta_docker_container_label_com_docker_compose_service="mixed", __meta_docker_container_label_scrape="yes", __meta_docker_container_name="/dockersd_mixed_1", __meta_docker_container_network_mode="dockersd_default", __meta_docker_network_id="7189986ab3", __meta_docker_network_ingress="false", __meta_docker_network_internal="false", __meta_docker_network_ip="172.19.0.2", __meta_docker_network_label_com_docker_compose_network="default", __meta_docker_network_name="dockersd_default", __meta_docker_network_scope="local", __meta_docker_port_private="9100"}
            {__address__="172.19.0.2:8080", __meta_docker_container_id="c301b928faceb1a18fe379f6bc178727ef920bb30b0f9b8592b32b36255a0eca", __meta_docker_container_image="prom/node-exporter:v1.1.2", __meta_docker_container_image_id="sha256:c19ae228f0699185488b6a1c0debb9c6b79672181356ad455c9a7924a41a01bb", __meta_docker_container_label_com_docker_compose_project="dockersd", __meta_docker_container_label_com_docker_compose_service="mixed", __meta_docker_container_label_scrape="yes", __meta_docker_container_name="/dockersd_mixed_1", __meta_docker_container_network_mode="dockersd_default", __meta_docker_network_id="7189986ab3", __meta_docker_network_ingress="false", __meta_docker_network_internal="false", __meta_docker_network_ip="172.19.0.2", __meta_docker_network_label_com_docker_compose_network="default", __meta_docker_network_name="dockersd_default", __meta_docker_network_scope="local", __meta_docker_port_private="8080", __meta_docker_port_public="18080", __meta_docker_port_public_ip="0.0.0.0"}
            {__address__="localhost", __meta_docker_container_id="host1", __meta_docker_container_image="prom/node-exporter", __meta_docker_container_image_id="sha256:c19a", __meta_docker_container_name="/host_networking", __meta_docker_container_network_mode="host", __meta_docker_network_id="hostnet", __meta_docker_network_ingress="false", __meta_docker_network_internal="false", __meta_docker_network_name="host", __meta_docker_network_scope="local"}
            {__address__="172.19.0.2:80", __meta_docker_container_id="sidecar", __meta_docker_container_image="exporter", __meta_docker_container_image_id="sha256:d1", __meta_docker_container_name="/sidecar", __meta_docker_container_network_mode="container:c301b928faceb1a18fe379f6bc178727ef920bb30b0f9b8592b32b36255a0eca", __meta_docker_network_id="7189986ab3", __meta_docker_network_ingress="false", __meta_docker_network_internal="false", __meta_docker_network_ip="172.19.0.2", __meta_docker_network_label_com_docker_compose_network="default", __meta_docker_network_name="dockersd_default", __meta_docker_network_scope="local"}"#]].assert_eq(&shown.join("\n"));
        assert!(server.requests()[0].contains("filters=%7B%22label%22%3A%5B%22scrape%3Dyes%22%5D%7D"));
    }

    #[tokio::test]
    async fn a_socket_of_this_machine_is_asked() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("docker.sock");
        let server = Server::start_unix(&path, answers);
        let all = DockerConfig { match_first_network: false, ..config(format!("unix://{}", path.display())) };
        let groups = Daemon::new(all).groups().await.expect("groups");
        assert_eq!(groups[0].targets.len(), 7);
        assert!(server.requests()[0].starts_with("GET /containers/json?"), "{:?}", server.requests());
    }
}
