//! Following one collection: a list, then a watch from where the list ended, and again when the watch breaks off.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::super::{DiscoveryError, failed, json_of};
use super::access::Cluster;
use super::objects::{Kind, Objects, text};
use crate::client::describe;
use crate::config::KubernetesSelector;
use crate::limits::{DISCOVERY_BODY_BYTES_MAX, DISCOVERY_RETRY, DISCOVERY_TIMEOUT};

/// Objects of one page of a list.
const PAGE: &str = "500";
/// How long one watch is asked for. The server may end it earlier.
const WATCH: Duration = Duration::from_secs(300);

pub(super) async fn follow(
    cluster: &Cluster,
    kind: Kind,
    namespace: Option<&str>,
    selector: Option<&KubernetesSelector>,
    objects: &Objects,
) {
    let mut first = true;
    loop {
        match list(cluster, kind, namespace, selector).await {
            Ok((list, mut version)) => {
                objects.replace(kind, namespace, list, first);
                first = false;
                // As long as the server knows the state that is known here, a watch goes on from it.
                while watch(cluster, kind, namespace, selector, &mut version, objects).await {}
            }
            Err(error) => failed("kubernetes", &error),
        }
        tokio::time::sleep(DISCOVERY_RETRY).await;
    }
}

fn url(
    cluster: &Cluster,
    kind: Kind,
    namespace: Option<&str>,
    selector: Option<&KubernetesSelector>,
) -> Result<Url, DiscoveryError> {
    let (api, plural) = kind.collection();
    let place = namespace.map_or(String::new(), |namespace| format!("namespaces/{namespace}/"));
    let path = format!("{}/{api}/{place}{plural}", cluster.base);
    let mut url = Url::parse(&path).map_err(|error| DiscoveryError::Answer(format!("{path}: {error}")))?;
    if let Some(selector) = selector {
        let mut query = url.query_pairs_mut();
        for (name, value) in [("labelSelector", &selector.label), ("fieldSelector", &selector.field)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
    }
    Ok(url)
}

/// All objects, page by page, and the state that they are of.
async fn list(
    cluster: &Cluster,
    kind: Kind,
    namespace: Option<&str>,
    selector: Option<&KubernetesSelector>,
) -> Result<(Vec<Value>, String), DiscoveryError> {
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let mut url = url(cluster, kind, namespace, selector)?;
        url.query_pairs_mut().append_pair("limit", PAGE);
        if !next.is_empty() {
            url.query_pairs_mut().append_pair("continue", &next);
        }
        let response = cluster.client.get(&url, HeaderMap::new(), DISCOVERY_TIMEOUT).await?;
        let mut page: Value = json_of(response, &url, DISCOVERY_TIMEOUT).await?;
        let version = text(&page, "/metadata/resourceVersion").to_owned();
        text(&page, "/metadata/continue").clone_into(&mut next);
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            found.extend(items);
        }
        if next.is_empty() {
            return Ok((found, version));
        }
    }
}

/// Follows changes. True when the watch ended as watches do, and can go on from `version`.
async fn watch(
    cluster: &Cluster,
    kind: Kind,
    namespace: Option<&str>,
    selector: Option<&KubernetesSelector>,
    version: &mut String,
    objects: &Objects,
) -> bool {
    match watch_once(cluster, kind, namespace, selector, version, objects).await {
        Ok(goes_on) => goes_on,
        Err(error) => {
            failed("kubernetes", &error);
            false
        }
    }
}

async fn watch_once(
    cluster: &Cluster,
    kind: Kind,
    namespace: Option<&str>,
    selector: Option<&KubernetesSelector>,
    version: &mut String,
    objects: &Objects,
) -> Result<bool, DiscoveryError> {
    let mut url = url(cluster, kind, namespace, selector)?;
    url.query_pairs_mut()
        .append_pair("watch", "true")
        .append_pair("allowWatchBookmarks", "true")
        .append_pair("timeoutSeconds", &WATCH.as_secs().to_string())
        .append_pair("resourceVersion", version);
    let timeout = WATCH + DISCOVERY_TIMEOUT;
    let mut response = cluster.client.get(&url, HeaderMap::new(), timeout).await?;
    if !response.status().is_success() {
        let status = response.status();
        return Err(DiscoveryError::Answer(format!("a watch of {} answers HTTP status {status}", kind.collection().1)));
    }
    let mut waiting = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| describe(&error, timeout))? {
        waiting.extend_from_slice(&part);
        let mut from = 0;
        while let Some(length) = waiting[from..].iter().position(|byte| *byte == b'\n') {
            let line = &waiting[from..from + length];
            from += length + 1;
            if !line.trim_ascii().is_empty() && !event(line, kind, version, objects)? {
                return Ok(false);
            }
        }
        waiting.drain(..from);
        if waiting.len() as u64 > DISCOVERY_BODY_BYTES_MAX {
            return Err(DiscoveryError::Answer("an event of a watch is too large".to_owned()));
        }
    }
    Ok(true)
}

/// One event. False when the server does not know the state any more: everything is to be listed again.
fn event(line: &[u8], kind: Kind, version: &mut String, objects: &Objects) -> Result<bool, DiscoveryError> {
    let mut event: Value = serde_json::from_slice(line)
        .map_err(|error| DiscoveryError::Answer(format!("an event of a watch can not be read: {error}")))?;
    let object = event.get_mut("object").map(Value::take).unwrap_or_default();
    let newest = text(&object, "/metadata/resourceVersion").to_owned();
    match text(&event, "/type") {
        "ADDED" | "MODIFIED" => objects.apply(kind, object, false),
        "DELETED" => objects.apply(kind, object, true),
        "BOOKMARK" => {}
        other => {
            tracing::debug!(kind = kind.collection().1, event = other, "a watch of Kubernetes ended");
            return Ok(false);
        }
    }
    if !newest.is_empty() {
        *version = newest;
    }
    Ok(true)
}
