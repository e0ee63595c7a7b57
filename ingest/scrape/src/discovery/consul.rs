//! A Consul: instances of its services are scraped.
//!
//! One task watches the catalog and one each service that is wanted, with blocking queries: Consul answers when something changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{DiscoveryError, host_port, json_of};
use crate::client::Client;
use crate::config::{ConsulConfig, TargetGroup};
use crate::labels::{LabelSet, sanitize};
use crate::limits::{CONSUL_SERVICES_MAX, DISCOVERY_RETRY, DISCOVERY_TIMEOUT};
use crate::manager::Updates;
use crate::target::ADDRESS;

/// How long Consul holds a question whose answer has not changed.
const WAIT: Duration = Duration::from_secs(120);
/// Header with the state that an answer is about.
const INDEX_HEADER: &str = "x-consul-index";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Agent {
    config: AgentConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentConfig {
    datacenter: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    node: Node,
    service: Service,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    node: String,
    address: String,
    tagged_addresses: Option<BTreeMap<String, String>>,
    meta: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    tags: Option<Vec<String>>,
    address: String,
    port: u32,
    meta: Option<BTreeMap<String, String>>,
    namespace: String,
    partition: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Check {
    #[serde(rename = "CheckID")]
    id: String,
    status: String,
}

/// The groups of all services, and a bell for when they change.
#[derive(Default)]
struct Known {
    groups: Mutex<BTreeMap<String, TargetGroup>>,
    changed: Notify,
}

/// Asks one Consul.
struct Consul {
    config: ConsulConfig,
    client: Client,
    datacenter: String,
    known: Known,
}

pub(super) async fn run(config: ConsulConfig, updates: Updates) {
    let client = Client::new(config.http.clone());
    let datacenter = loop {
        match datacenter(&config, &client).await {
            Ok(datacenter) => break datacenter,
            Err(error) => super::failed("consul", &error),
        }
        tokio::time::sleep(DISCOVERY_RETRY).await;
    };
    let consul = Arc::new(Consul { config, client, datacenter, known: Known::default() });
    let catalog = !consul.config.tags.is_empty() || consul.config.filter.is_some() || consul.config.services.is_empty();
    let mut watches = Watches::default();
    if !catalog {
        for name in consul.config.services.clone() {
            watches.start(&consul, &name);
        }
    }
    tokio::select! {
        () = watch_catalog(&consul, &mut watches), if catalog => {}
        () = send(&consul, &updates) => {}
    }
}

/// Sends all groups whenever one of them changed.
async fn send(consul: &Consul, updates: &Updates) {
    loop {
        consul.known.changed.notified().await;
        let groups = consul.known.groups.lock().values().cloned().collect();
        updates.send(groups).await;
    }
}

/// Tasks of services, which end with it.
#[derive(Default)]
struct Watches(HashMap<String, JoinHandle<()>>);

impl Drop for Watches {
    fn drop(&mut self) {
        self.0.values().for_each(JoinHandle::abort);
    }
}

impl Watches {
    fn start(&mut self, consul: &Arc<Consul>, name: &str) {
        if self.0.contains_key(name) {
            return;
        }
        if self.0.len() >= CONSUL_SERVICES_MAX {
            tracing::warn!(service = name, CONSUL_SERVICES_MAX, "too many services of Consul: one is not watched");
            return;
        }
        let (consul, owned) = (Arc::clone(consul), name.to_owned());
        let task = telemetry::spawn("scrape-consul", async move { watch_service(&consul, &owned).await });
        self.0.insert(name.to_owned(), task);
    }
}

async fn datacenter(config: &ConsulConfig, client: &Client) -> Result<String, DiscoveryError> {
    if let Some(datacenter) = &config.datacenter {
        return Ok(datacenter.clone());
    }
    let url = parse(&format!("{}/v1/agent/self", config.base))?;
    let response = client.get(&url, headers(config), DISCOVERY_TIMEOUT).await?;
    let agent: Agent = json_of(response, &url, DISCOVERY_TIMEOUT).await?;
    Ok(agent.config.datacenter)
}

fn parse(text: &str) -> Result<Url, DiscoveryError> {
    Url::parse(text).map_err(|error| DiscoveryError::Answer(format!("{text}: {error}")))
}

fn headers(config: &ConsulConfig) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let token = config.token.as_ref().and_then(|token| HeaderValue::from_str(token).ok());
    if let Some(mut token) = token {
        token.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-consul-token"), token);
    }
    headers
}

/// Follows which services there are.
async fn watch_catalog(consul: &Arc<Consul>, watches: &mut Watches) {
    let mut index = 0;
    loop {
        let asked: Result<(HashMap<String, Vec<String>>, u64), _> =
            consul.ask("/v1/catalog/services", index, &[], consul.config.filter.as_deref()).await;
        match asked {
            Ok((services, newest)) if newest != index || index == 0 => {
                index = newest;
                let wanted = services.into_iter().filter(|(name, tags)| consul.wants(name, tags));
                let wanted: HashMap<String, Vec<String>> = wanted.collect();
                for name in wanted.keys() {
                    watches.start(consul, name);
                }
                watches.0.retain(|name, task| {
                    let there = wanted.contains_key(name);
                    if !there {
                        task.abort();
                        consul.known.groups.lock().remove(name);
                    }
                    there
                });
                consul.known.changed.notify_one();
            }
            Ok(_) => {}
            Err(error) => {
                super::failed("consul", &error);
                tokio::time::sleep(DISCOVERY_RETRY).await;
                continue;
            }
        }
        tokio::time::sleep(consul.config.refresh).await;
    }
}

/// Follows the instances of one service.
async fn watch_service(consul: &Consul, name: &str) {
    let mut index = 0;
    let escaped: String = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
    let path = format!("/v1/health/service/{escaped}");
    let tags: Vec<(&str, &str)> = consul.config.tags.iter().map(|tag| ("tag", tag.as_str())).collect();
    loop {
        let asked: Result<(Vec<Instance>, u64), _> =
            consul.ask(&path, index, &tags, consul.config.health_filter.as_deref()).await;
        match asked {
            Ok((instances, newest)) if newest != index || index == 0 => {
                index = newest;
                let group = consul.group(name, &instances);
                consul.known.groups.lock().insert(name.to_owned(), group);
                consul.known.changed.notify_one();
            }
            Ok(_) => {}
            Err(error) => {
                super::failed("consul", &error);
                tokio::time::sleep(DISCOVERY_RETRY).await;
                continue;
            }
        }
        tokio::time::sleep(consul.config.refresh).await;
    }
}

impl Consul {
    fn wants(&self, name: &str, tags: &[String]) -> bool {
        let config = &self.config;
        (config.services.is_empty() || config.services.iter().any(|wanted| wanted == name))
            && config.tags.iter().all(|wanted| tags.contains(wanted))
    }

    /// An answer, and the state that it is about. With a state before, Consul answers when there is a newer one.
    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        index: u64,
        more: &[(&str, &str)],
        filter: Option<&str>,
    ) -> Result<(T, u64), DiscoveryError> {
        let config = &self.config;
        let mut url = parse(&format!("{}{path}", config.base))?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("dc", &self.datacenter);
            if config.allow_stale {
                query.append_pair("stale", "");
            }
            if index > 0 {
                query.append_pair("index", &index.to_string());
                query.append_pair("wait", &format!("{}ms", WAIT.as_millis()));
            }
            let named = [("ns", &config.namespace), ("partition", &config.partition)];
            for (name, value) in named {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
            for (name, value) in &config.node_meta {
                query.append_pair("node-meta", &format!("{name}:{value}"));
            }
            if let Some(filter) = filter {
                query.append_pair("filter", filter);
            }
            query.extend_pairs(more);
        }
        // Consul adds up to a sixteenth of the wait.
        let timeout = DISCOVERY_TIMEOUT + WAIT + WAIT / 16;
        let response = self.client.get(&url, headers(config), timeout).await?;
        let newest = response.headers().get(INDEX_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        let answer = json_of(response, &url, timeout).await?;
        // A state that goes back is a restart: it is asked anew.
        let newest: u64 = newest.unwrap_or(0);
        Ok((answer, if newest < index { 0 } else { newest }))
    }

    fn group(&self, name: &str, instances: &[Instance]) -> TargetGroup {
        let labels = [("__meta_consul_service", name), ("__meta_consul_dc", &self.datacenter)];
        TargetGroup {
            source: name.to_owned(),
            labels: labels.into_iter().collect(),
            targets: instances.iter().map(|instance| self.target(instance)).collect(),
        }
    }

    fn target(&self, instance: &Instance) -> LabelSet {
        let (node, service) = (&instance.node, &instance.service);
        let separator = &self.config.tag_separator;
        // Around them too, so that a rule needs no special case for the first and the last.
        let tags = format!("{separator}{}{separator}", service.tags.clone().unwrap_or_default().join(separator));
        let host = if service.address.is_empty() { &node.address } else { &service.address };
        let mut labels = LabelSet::default();
        for (name, value) in [
            (ADDRESS, host_port(host, service.port)),
            ("__meta_consul_address", node.address.clone()),
            ("__meta_consul_node", node.node.clone()),
            ("__meta_consul_namespace", service.namespace.clone()),
            ("__meta_consul_partition", service.partition.clone()),
            ("__meta_consul_tags", tags),
            ("__meta_consul_service_address", service.address.clone()),
            ("__meta_consul_service_port", service.port.to_string()),
            ("__meta_consul_service_id", service.id.clone()),
            ("__meta_consul_health", health(&instance.checks).to_owned()),
        ] {
            labels.set(name, value);
        }
        let maps = [
            ("__meta_consul_metadata_", &node.meta),
            ("__meta_consul_service_metadata_", &service.meta),
            ("__meta_consul_tagged_address_", &node.tagged_addresses),
        ];
        for (prefix, map) in maps {
            for (name, value) in map.iter().flatten() {
                labels.set(&format!("{prefix}{}", sanitize(name)), value);
            }
        }
        labels
    }
}

/// The worst of the checks, as Consul's own client says it.
fn health(checks: &[Check]) -> &'static str {
    let any = |status: &str| checks.iter().any(|check| check.status == status);
    let maintenance = |check: &Check| check.id == "_node_maintenance" || check.id.starts_with("_service_maintenance:");
    if checks.iter().any(maintenance) {
        return "maintenance";
    }
    ["critical", "warning"].into_iter().find(|status| any(status)).unwrap_or("passing")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use expect_test::expect;

    use super::super::testing::{Answer, Server};
    use super::*;
    use crate::config::HttpConfig;

    const SERVICES: &str = r#"{"consul": [], "web": ["v1", "rails"], "db": ["master"]}"#;
    const WEB: &str = include_str!("testdata/consul_web.json");

    fn config(base: String) -> ConsulConfig {
        ConsulConfig {
            base,
            token: Some("secret".to_owned()),
            datacenter: None,
            namespace: None,
            partition: None,
            tag_separator: ",".to_owned(),
            allow_stale: true,
            refresh: Duration::from_millis(20),
            services: Vec::new(),
            tags: vec!["rails".to_owned()],
            node_meta: BTreeMap::from([("rack".to_owned(), "2304".to_owned())]),
            filter: None,
            health_filter: None,
            http: HttpConfig::default(),
        }
    }

    /// Answers at once when something is new, and never when nothing is.
    fn answers(asked: &str, gone: &AtomicUsize) -> Answer {
        let path = asked.split('?').next().unwrap_or_default();
        let index =
            |answer: Answer, index: u32| Answer { headers: vec![("X-Consul-Index", index.to_string())], ..answer };
        match path {
            "GET /v1/agent/self" => Answer::json(r#"{"Config": {"Datacenter": "dc1", "NodeName": "n"}, "Member": {}}"#),
            "GET /v1/catalog/services" if !asked.contains("index=") => index(Answer::json(SERVICES), 10),
            "GET /v1/catalog/services" if asked.contains("index=10&") && gone.load(Ordering::SeqCst) > 0 => {
                index(Answer::json(r#"{"consul": []}"#), 11)
            }
            "GET /v1/catalog/services" => index(Answer::json(SERVICES), 10),
            "GET /v1/health/service/web" if !asked.contains("index=") => index(Answer::json(WEB), 20),
            "GET /v1/health/service/web" => Answer { open: true, ..index(Answer::json(""), 20) },
            _ => Answer::not_found(),
        }
    }

    #[tokio::test]
    async fn services_are_watched() {
        let gone = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&gone);
        let server = Server::start(move |asked| answers(asked, &seen)).await;
        let (updates, mut found) = Updates::for_test();
        let task = telemetry::spawn("test", run(config(server.url()), updates));
        let groups = loop {
            let groups = found.next().await;
            if !groups.is_empty() {
                break groups;
            }
        };
        let shown: Vec<String> = groups
            .iter()
            .flat_map(|group| group.targets.iter().map(move |target| format!("{}\n  {target}", group.labels)))
            .collect();
        expect![[r#"
            {__meta_consul_dc="dc1", __meta_consul_service="web"}
              {__address__="10.1.10.12:8000", __meta_consul_address="10.1.10.12", __meta_consul_health="warning", __meta_consul_metadata_rack_name="2304", __meta_consul_namespace="default", __meta_consul_node="node-1", __meta_consul_service_id="web-1", __meta_consul_service_metadata_version_major="4", __meta_consul_service_port="8000", __meta_consul_tagged_address_lan="10.1.10.12", __meta_consul_tagged_address_wan="1.2.3.4", __meta_consul_tags=",v1,rails,"}
            {__meta_consul_dc="dc1", __meta_consul_service="web"}
              {__address__="[fd00::8]:8001", __meta_consul_address="10.1.10.13", __meta_consul_health="passing", __meta_consul_node="node-2", __meta_consul_service_address="fd00::8", __meta_consul_service_id="web-2", __meta_consul_service_port="8001", __meta_consul_tags=",,"}"#]].assert_eq(&shown.join("\n"));
        gone.store(1, Ordering::SeqCst);
        while !found.next().await.is_empty() {}
        task.abort();
        let requests = server.requests();
        assert!(requests.iter().all(|head| head.contains("x-consul-token: secret")), "{requests:?}");
        let health = requests.iter().find(|head| head.contains("/v1/health/service/web?")).expect("asked");
        expect!["GET /v1/health/service/web?dc=dc1&stale=&node-meta=rack%3A2304&tag=rails HTTP/1.1"]
            .assert_eq(health.lines().next().unwrap_or_default());
        assert!(!requests.iter().any(|head| head.contains("/health/service/db")), "no tag, no watch");
    }
}
