//! A job's settings for people, defaults written out and secrets left out.

use model::TenantId;
use reqwest::Url;
use serde_json::{Value, json};

use super::{Auth, DiscoveryConfig, HttpConfig, JobConfig};
use crate::units::show_duration;

/// What stands for a secret.
const HIDDEN: &str = "<secret>";

impl JobConfig {
    /// As YAML, with Prometheus's keys. Of discovery it says what is asked, and of authorization which kind it is.
    pub fn to_yaml(&self) -> String {
        let mut shown = json!({
            "job_name": self.name,
            "honor_labels": self.honor_labels,
            "honor_timestamps": self.honor_timestamps,
            "track_timestamps_staleness": self.track_timestamps_staleness,
            "params": self.params,
            "scrape_interval": show_duration(self.interval),
            "scrape_timeout": show_duration(self.timeout),
            "scrape_protocols": self.protocols.iter().map(|protocol| protocol.as_str()).collect::<Vec<_>>(),
            "scrape_native_histograms": self.native_histograms,
            "always_scrape_classic_histograms": self.classic_histograms,
            "convert_classic_histograms_to_nhcb": self.convert_histograms,
            "metrics_path": self.metrics_path,
            "scheme": self.scheme,
            "enable_compression": self.compression,
            "body_size_limit": format!("{}B", self.limits.body_bytes),
            "sample_limit": self.limits.samples,
            "target_limit": self.limits.targets,
            "label_limit": self.limits.labels,
            "label_name_length_limit": self.limits.label_name_bytes,
            "label_value_length_limit": self.limits.label_value_bytes,
            "keep_dropped_targets": self.limits.dropped_targets,
            "metric_name_validation_scheme": if self.legacy_names { "legacy" } else { "utf8" },
            "metric_name_escaping_scheme": self.escaping.as_str(),
            "extra_scrape_metrics": self.extra_metrics,
            "relabel_configs": self.relabel.iter().map(|rule| rule.shown()).collect::<Vec<_>>(),
            "metric_relabel_configs": self.metric_relabel.iter().map(|rule| rule.shown()).collect::<Vec<_>>(),
        });
        if self.tenant != TenantId::default() {
            shown["backstop_tenant"] = self.tenant.as_str().into();
        }
        http(&self.http, &mut shown);
        for discovery in &self.discovery {
            let (key, value) = found_by(discovery);
            let values = if let Value::Array(values) = value { values } else { vec![value] };
            match shown.get_mut(key).and_then(Value::as_array_mut) {
                Some(known) => known.extend(values),
                None => shown[key] = values.into(),
            }
        }
        serde_saphyr::to_string(&shown).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
    }
}

/// A URL without the name and the password that it may have.
pub(crate) fn without_userinfo(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            // Neither fails: what has them may have others.
            let _ = url.set_password(None);
            let _ = url.set_username("");
            url.as_str().replacen("://", &format!("://{HIDDEN}@"), 1)
        }
        // What is no URL may be one that was written wrong.
        Err(_) if text.contains('@') => HIDDEN.to_owned(),
        _ => text.to_owned(),
    }
}

fn http(config: &HttpConfig, shown: &mut Value) {
    shown["follow_redirects"] = (!config.stay).into();
    match &config.auth {
        Auth::None => {}
        Auth::Basic(..) => shown["basic_auth"] = json!({"username": HIDDEN, "password": HIDDEN}),
        Auth::Header(kind, _) => shown["authorization"] = json!({"type": kind, "credentials": HIDDEN}),
        Auth::OAuth2(oauth2) => {
            shown["oauth2"] = json!({
                "client_id": oauth2.client_id, "client_secret": HIDDEN, "token_url": without_userinfo(&oauth2.token_url),
                "scopes": oauth2.scopes,
            });
        }
    }
    if config.tls.insecure || config.tls.server_name.is_some() {
        shown["tls_config"] =
            json!({"insecure_skip_verify": config.tls.insecure, "server_name": config.tls.server_name});
    }
}

/// The key of a discovery and what is asked.
fn found_by(discovery: &DiscoveryConfig) -> (&'static str, Value) {
    match discovery {
        DiscoveryConfig::Static(groups) => {
            let groups = groups.iter().map(|group| {
                let targets: Vec<&str> = group.targets.iter().map(|target| target.get("__address__")).collect();
                json!({"targets": targets, "labels": group.labels})
            });
            // One discovery is all groups that are written down.
            ("static_configs", groups.collect())
        }
        DiscoveryConfig::File(config) => {
            let files: Vec<String> = config.files.iter().map(|file| file.display().to_string()).collect();
            ("file_sd_configs", json!({"files": files, "refresh_interval": show_duration(config.refresh)}))
        }
        DiscoveryConfig::Http(config) => {
            let url = without_userinfo(&config.url);
            ("http_sd_configs", json!({"url": url, "refresh_interval": show_duration(config.refresh)}))
        }
        DiscoveryConfig::Dns(config) => {
            ("dns_sd_configs", json!({"names": config.names, "type": format!("{:?}", config.record).to_uppercase()}))
        }
        DiscoveryConfig::Consul(config) => {
            let server = without_userinfo(&config.base);
            ("consul_sd_configs", json!({"server": server, "services": config.services, "tags": config.tags}))
        }
        DiscoveryConfig::Docker(config) => ("docker_sd_configs", json!({"host": without_userinfo(&config.host)})),
        DiscoveryConfig::Kubernetes(config) => (
            "kubernetes_sd_configs",
            json!({"role": config.role.as_str(), "api_server": config.api_server.as_deref().map(without_userinfo), "namespaces": config.namespaces.names}),
        ),
    }
}
