//! The configuration file as written, and its way to [`Config`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::{STREAM_FIELDS, StreamSelector};
use serde::{Deserialize, Serialize};

use crate::changes::RawChanges;
use crate::downsampling::RawDownsampling;
use crate::ingest::{RawIngest, RawListeners};
use crate::kubernetes::RawKubernetes;
use crate::units::parse_bytes;
use crate::{
    ApproverConfig, Config, ConfigError, QueryConfig, ReceiverConfig, SeriesRetentionConfig, StoreConfig,
    StreamRetentionConfig, TokenSource,
};

/// The receiver that is always there: Backstop's own log.
const LOG: &str = "log";

/// The file, key by key. Every key has a default; an unknown one is an error. What each means stands in
/// [`crate::SETTINGS`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the table SETTINGS documents every key, and a test holds them together")]
pub struct RawConfig {
    pub data_dir: String,
    pub listen: String,
    pub insecure: bool,
    pub external_url: String,
    pub external_labels: BTreeMap<String, String>,
    pub cors_origins: Vec<String>,
    pub log: String,
    pub listeners: RawListeners,
    pub store: RawStore,
    pub ingest: RawIngest,
    pub query: RawQuery,
    pub lookups: Vec<String>,
    pub parse_rules: Vec<String>,
    pub scrape: Vec<String>,
    pub rules: Vec<String>,
    pub playbooks: Vec<String>,
    pub services: Vec<String>,
    pub actions: RawActions,
    pub approvers: Vec<RawApprover>,
    pub freeze: Vec<serde_json::Value>,
    pub receivers: BTreeMap<String, RawReceiver>,
    pub escalation_receivers: Vec<String>,
    pub changes: RawChanges,
    pub kubernetes: RawKubernetes,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawStore {
    pub flush_bytes: String,
    pub flush_interval: String,
    pub memtable_bytes_max: String,
    pub retention_logs: String,
    pub retention_spans: String,
    pub retention_quarantine: String,
    pub retention_metrics: String,
    pub retention_bytes: String,
    pub retention_streams: Vec<RawStreamRetention>,
    pub retention_series: Vec<RawStreamRetention>,
    pub downsampling: Vec<RawDownsampling>,
    pub recent_bytes_max: String,
    pub decoded_bytes_max: String,
    pub tenants_max: usize,
    pub series_per_tenant_max: usize,
    pub series_per_metric_max: usize,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawStreamRetention {
    pub selector: String,
    pub keep: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawQuery {
    pub timeout: String,
    pub memory_bytes_max: String,
    pub memory_total_bytes_max: String,
    pub concurrency_max: usize,
    pub rows_max: usize,
    pub promql_samples_max: usize,
    pub promql_features: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawActions {
    pub kinds: Vec<String>,
    pub exec_allow: Vec<String>,
    pub http_allow: Vec<String>,
    pub probe_allow: Vec<String>,
    pub exec_env: BTreeMap<String, String>,
    pub redact: Vec<String>,
    pub argocd: BTreeMap<String, RawServer>,
    pub flags: BTreeMap<String, RawServer>,
    pub systemctl: Vec<String>,
    pub systemd_allow: Vec<String>,
    pub systemd_links: Vec<String>,
    pub compose: Vec<String>,
    pub compose_allow: Vec<String>,
    pub compose_env: BTreeMap<String, String>,
    pub git: Vec<String>,
    pub git_allow: Vec<String>,
    pub git_env: BTreeMap<String, String>,
}

/// A server that actions speak to: its URL, and the token that no playbook holds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawServer {
    pub url: String,
    #[serde(default)]
    pub token: Option<String>,
    #[serde(default)]
    pub token_file: Option<String>,
    #[serde(default)]
    pub header: Option<String>,
    #[serde(default)]
    pub ca_file: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawApprover {
    pub name: String,
    #[serde(default)]
    pub roles: Vec<String>,
    /// Never printed.
    #[serde(default, serialize_with = "masked")]
    pub token: Option<String>,
    #[serde(default)]
    pub token_env: Option<String>,
    #[serde(default)]
    pub token_file: Option<String>,
}

fn masked<S: serde::Serializer>(token: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(|_| MASK).serialize(serializer)
}

/// What stands for a secret.
const MASK: &str = "***";

/// One receiver: exactly one of the kinds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[allow(missing_docs, reason = "see RawConfig")]
pub enum RawReceiver {
    Webhook {
        url: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    Log {},
}

impl RawConfig {
    /// The file as YAML, to show: tokens and the values of headers, which often are secrets, are masked.
    pub fn shown(&self) -> String {
        let mut shown = self.clone();
        for receiver in shown.receivers.values_mut() {
            if let RawReceiver::Webhook { headers, .. } = receiver {
                headers.values_mut().for_each(|value| MASK.clone_into(value));
            }
        }
        serde_saphyr::to_string(&shown).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
    }
}

impl Default for RawActions {
    fn default() -> Self {
        Self {
            kinds: Vec::new(),
            exec_allow: Vec::new(),
            http_allow: Vec::new(),
            probe_allow: Vec::new(),
            exec_env: BTreeMap::new(),
            redact: Vec::new(),
            argocd: BTreeMap::new(),
            flags: BTreeMap::new(),
            systemctl: vec!["/usr/bin/systemctl".to_owned()],
            systemd_allow: Vec::new(),
            systemd_links: Vec::new(),
            compose: vec!["/usr/bin/docker".to_owned(), "compose".to_owned()],
            compose_allow: Vec::new(),
            compose_env: BTreeMap::new(),
            git: vec!["/usr/bin/git".to_owned()],
            git_allow: Vec::new(),
            git_env: BTreeMap::new(),
        }
    }
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            data_dir: "./backstop-data".into(),
            listen: "127.0.0.1:7070".into(),
            insecure: false,
            external_url: String::new(),
            external_labels: BTreeMap::new(),
            cors_origins: Vec::new(),
            log: "info".into(),
            listeners: RawListeners::default(),
            store: RawStore::default(),
            ingest: RawIngest::default(),
            query: RawQuery::default(),
            lookups: Vec::new(),
            parse_rules: Vec::new(),
            scrape: Vec::new(),
            rules: Vec::new(),
            playbooks: Vec::new(),
            services: Vec::new(),
            actions: RawActions::default(),
            approvers: Vec::new(),
            freeze: Vec::new(),
            receivers: BTreeMap::new(),
            escalation_receivers: vec![LOG.to_owned()],
            changes: RawChanges::default(),
            kubernetes: RawKubernetes::default(),
        }
    }
}

impl Default for RawStore {
    fn default() -> Self {
        Self {
            flush_bytes: "32MiB".into(),
            flush_interval: "60s".into(),
            memtable_bytes_max: "96MiB".into(),
            retention_logs: "30d".into(),
            retention_spans: "30d".into(),
            retention_quarantine: "30d".into(),
            retention_metrics: "90d".into(),
            retention_bytes: "off".into(),
            retention_streams: Vec::new(),
            retention_series: Vec::new(),
            downsampling: Vec::new(),
            recent_bytes_max: "256MiB".into(),
            decoded_bytes_max: "64MiB".into(),
            tenants_max: 10_000,
            series_per_tenant_max: 2_000_000,
            series_per_metric_max: 500_000,
        }
    }
}

impl Default for RawQuery {
    fn default() -> Self {
        Self {
            timeout: "60s".into(),
            memory_bytes_max: "512MiB".into(),
            memory_total_bytes_max: "2GiB".into(),
            concurrency_max: 16,
            rows_max: 1_000_000,
            promql_samples_max: 50_000_000,
            promql_features: Vec::new(),
        }
    }
}

impl RawConfig {
    /// Reads YAML. An empty file is the defaults.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text)
            .map_err(|source| ConfigError::Shape { file: file.to_owned(), source: Box::new(source) })
    }

    /// Checks every value.
    pub fn check(self, file: &str) -> Result<Config, ConfigError> {
        let check = Check { file };
        Ok(Config {
            data_dir: PathBuf::from(&self.data_dir),
            listen: check.address("listen", &self.listen)?,
            insecure: self.insecure,
            external_url: (!self.external_url.is_empty()).then(|| self.external_url.trim_end_matches('/').to_owned()),
            external_labels: check.labels("external_labels", self.external_labels)?,
            cors_origins: check.origins(self.cors_origins)?,
            log: self.log,
            listeners: check.listeners(&self.listeners)?,
            store: check.store(&self.store)?,
            ingest: check.ingest(self.ingest)?,
            query: check.query(&self.query)?,
            lookups: self.lookups,
            parse_rules: self.parse_rules,
            scrape: self.scrape,
            rules: self.rules,
            playbooks: self.playbooks,
            services: self.services,
            actions: check.actions(self.actions)?,
            approvers: check.approvers(self.approvers)?,
            freeze: self.freeze,
            escalation_receivers: check.escalation(self.escalation_receivers, &self.receivers)?,
            receivers: check.receivers(self.receivers)?,
            changes: check.changes(self.changes)?,
            kubernetes: check.kubernetes(self.kubernetes)?,
        })
    }
}

/// Checks values, and knows the file for its messages.
pub(crate) struct Check<'a> {
    pub(crate) file: &'a str,
}

impl Check<'_> {
    pub(crate) fn error(&self, key: &str, value: &str, wanted: &'static str, hint: &str) -> ConfigError {
        ConfigError::Value {
            file: self.file.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
            wanted,
            hint: hint.to_owned(),
        }
    }

    fn address(&self, key: &str, value: &str) -> Result<SocketAddr, ConfigError> {
        value
            .parse()
            .map_err(|_| self.error(key, value, "an address with a port", "write it as 127.0.0.1:7070 or [::1]:7070"))
    }

    pub(crate) fn address_or_off(&self, key: &str, value: &str) -> Result<Option<SocketAddr>, ConfigError> {
        if value == "off" { Ok(None) } else { self.address(key, value).map(Some) }
    }

    /// Names of labels as Prometheus takes them in its settings; an empty value would be no label.
    fn labels(&self, key: &str, labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, ConfigError> {
        let word = |name: &str| {
            !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match labels.iter().find(|(name, value)| name.is_empty() || !word(name) || value.is_empty()) {
            Some((name, value)) => {
                let hint = "names are letters, digits and _, and begin with no digit";
                Err(self.error(key, &format!("{name}: {value}"), "a label with a value", hint))
            }
            None => Ok(labels),
        }
    }

    /// Origins as browsers write them, or `*`.
    fn origins(&self, origins: Vec<String>) -> Result<Vec<String>, ConfigError> {
        let good = |origin: &String| {
            origin == "*"
                || origin.split_once("://").is_some_and(|(scheme, host)| {
                    matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains('/')
                })
        };
        match origins.iter().find(|origin| !good(origin)) {
            Some(origin) => {
                let hint =
                    "write it as https://grafana.example.com or http://localhost:3000, without a path, or * for all";
                Err(self.error("cors_origins", origin, "an origin", hint))
            }
            None => Ok(origins),
        }
    }

    pub(crate) fn duration(&self, key: &str, value: &str) -> Result<Duration, ConfigError> {
        match model::parse_duration_ns(value) {
            Some(ns) if ns > 0 => Ok(Duration::from_nanos(ns.unsigned_abs())),
            _ => Err(self.error(key, value, "a duration above zero", "write it as 500ms, 30s, 1h30m or 30d")),
        }
    }

    pub(crate) fn bytes(&self, key: &str, value: &str) -> Result<u64, ConfigError> {
        match parse_bytes(value) {
            Some(bytes) if bytes > 0 => Ok(bytes),
            _ => Err(self.error(key, value, "a size above zero", "write it as 64MiB or 2GiB")),
        }
    }

    fn bytes_or_off(&self, key: &str, value: &str) -> Result<Option<u64>, ConfigError> {
        if value == "off" { Ok(None) } else { self.bytes(key, value).map(Some) }
    }

    fn store(&self, raw: &RawStore) -> Result<StoreConfig, ConfigError> {
        let flush_bytes = self.bytes("store.flush_bytes", &raw.flush_bytes)?;
        let memtable_bytes_max = self.bytes("store.memtable_bytes_max", &raw.memtable_bytes_max)?;
        if memtable_bytes_max < 2 * flush_bytes {
            let hint =
                format!("store.flush_bytes is {}; one memtable is flushed while the next fills", raw.flush_bytes);
            return Err(self.error(
                "store.memtable_bytes_max",
                &raw.memtable_bytes_max,
                "at least twice store.flush_bytes",
                &hint,
            ));
        }
        Ok(StoreConfig {
            flush_bytes,
            flush_interval: self.duration("store.flush_interval", &raw.flush_interval)?,
            memtable_bytes_max,
            retention_logs: self.duration("store.retention_logs", &raw.retention_logs)?,
            retention_spans: self.duration("store.retention_spans", &raw.retention_spans)?,
            retention_quarantine: self.duration("store.retention_quarantine", &raw.retention_quarantine)?,
            retention_metrics: self.duration("store.retention_metrics", &raw.retention_metrics)?,
            retention_bytes: self.bytes_or_off("store.retention_bytes", &raw.retention_bytes)?,
            retention_streams: raw.retention_streams.iter().map(|raw| self.stream(raw)).collect::<Result<_, _>>()?,
            retention_series: raw.retention_series.iter().map(|raw| self.series(raw)).collect::<Result<_, _>>()?,
            downsampling: self.downsampling(&raw.downsampling)?,
            recent_bytes_max: self.bytes("store.recent_bytes_max", &raw.recent_bytes_max)?,
            decoded_bytes_max: self.bytes_or_off("store.decoded_bytes_max", &raw.decoded_bytes_max)?.unwrap_or(0),
            tenants_max: self.above_zero("store.tenants_max", raw.tenants_max)?,
            series_per_tenant_max: self.above_zero("store.series_per_tenant_max", raw.series_per_tenant_max)?,
            series_per_metric_max: self.above_zero("store.series_per_metric_max", raw.series_per_metric_max)?,
        })
    }

    fn series(&self, raw: &RawStreamRetention) -> Result<SeriesRetentionConfig, ConfigError> {
        let keep = self.duration("store.retention_series.keep", &raw.keep)?;
        Ok(SeriesRetentionConfig { selector: raw.selector.clone(), keep })
    }

    fn stream(&self, raw: &RawStreamRetention) -> Result<StreamRetentionConfig, ConfigError> {
        let selector = StreamSelector::parse(&raw.selector).ok_or_else(|| {
            let hint =
                format!("write it as {{service.name=\"debug\"}}, with fields out of {}", STREAM_FIELDS.join(", "));
            self.error(
                "store.retention_streams.selector",
                &raw.selector,
                "a stream selector that asks for a value",
                &hint,
            )
        })?;
        Ok(StreamRetentionConfig { selector, keep: self.duration("store.retention_streams.keep", &raw.keep)? })
    }

    fn query(&self, raw: &RawQuery) -> Result<QueryConfig, ConfigError> {
        let above_zero = [
            ("query.concurrency_max", raw.concurrency_max),
            ("query.rows_max", raw.rows_max),
            ("query.promql_samples_max", raw.promql_samples_max),
        ];
        for (key, value) in above_zero {
            self.above_zero(key, value)?;
        }
        Ok(QueryConfig {
            timeout: self.duration("query.timeout", &raw.timeout)?,
            memory_bytes_max: self.bytes("query.memory_bytes_max", &raw.memory_bytes_max)?,
            memory_total_bytes_max: self.bytes("query.memory_total_bytes_max", &raw.memory_total_bytes_max)?,
            concurrency_max: raw.concurrency_max,
            rows_max: raw.rows_max,
            promql_samples_max: raw.promql_samples_max,
            promql_features: raw.promql_features.clone(),
        })
    }

    /// Everyone has a name of their own, and one place where their token is.
    fn approvers(&self, raw: Vec<RawApprover>) -> Result<Vec<ApproverConfig>, ConfigError> {
        let mut approvers: Vec<ApproverConfig> = Vec::new();
        for RawApprover { name, roles, token, token_env, token_file } in raw {
            if name.is_empty() || name.contains('/') || approvers.iter().any(|known| known.name == name) {
                let hint = "every approver is a different person: their answers are counted";
                return Err(self.error("approvers.name", &name, "a name of its own, without a slash", hint));
            }
            let token = match (token, token_env, token_file) {
                (Some(token), None, None) => TokenSource::Text(token),
                (None, Some(env), None) => TokenSource::Env(env),
                (None, None, Some(file)) => TokenSource::File(PathBuf::from(file)),
                _ => {
                    let hint = "give exactly one of token_env, token_file and token";
                    return Err(self.error("approvers.token", &name, "an approver with one token", hint));
                }
            };
            approvers.push(ApproverConfig { name, roles, token });
        }
        Ok(approvers)
    }

    fn escalation(
        &self,
        names: Vec<String>,
        receivers: &BTreeMap<String, RawReceiver>,
    ) -> Result<Vec<String>, ConfigError> {
        let unknown = names.iter().find(|name| *name != LOG && !receivers.contains_key(*name));
        match unknown {
            Some(name) => {
                let hint = "declare it under `receivers`, or write `log`";
                Err(self.error("escalation_receivers", name, "a receiver's name", hint))
            }
            None if names.is_empty() => {
                let hint = "name at least one, so that somebody hears of what could not be repaired";
                Err(self.error("escalation_receivers", "[]", "names of receivers", hint))
            }
            None => Ok(names),
        }
    }

    fn receivers(&self, raw: BTreeMap<String, RawReceiver>) -> Result<BTreeMap<String, ReceiverConfig>, ConfigError> {
        let mut receivers = BTreeMap::new();
        for (name, receiver) in raw {
            let receiver = match receiver {
                RawReceiver::Webhook { url, headers } => {
                    if !url.starts_with("http://") && !url.starts_with("https://") {
                        let key = format!("receivers.{name}.webhook.url");
                        return Err(self.error(&key, &url, "a URL", "begin with https://"));
                    }
                    ReceiverConfig::Webhook { url, headers }
                }
                RawReceiver::Log {} => ReceiverConfig::Log,
            };
            receivers.insert(name, receiver);
        }
        Ok(receivers)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check_error(text: &str, want: Expect) {
        want.assert_eq(&Config::parse("backstop.yaml", text).expect_err("must not parse").to_string());
    }

    #[test]
    fn what_is_shown_reads_back_and_has_no_secrets() {
        let text = "approvers: [{name: ana, token: s3cret}]\nreceivers: {team: {webhook: {url: 'http://a', headers: {x: s3cret}}}}\n";
        let shown = RawConfig::parse("f", text).expect("valid").shown();
        assert!(!shown.contains("s3cret") && shown.contains(MASK), "{shown}");
        assert!(RawConfig::parse("f", &shown).is_ok(), "{shown}");
    }

    #[test]
    fn defaults_are_valid_and_an_empty_file_is_the_defaults() {
        assert_eq!(Config::parse("f", "# nothing\n").expect("valid"), Config::default());
    }

    #[test]
    fn a_file_sets_what_it_names() {
        let text = "listen: 127.0.0.1:8080\nlisteners: {syslog_udp: off}\nstore: {retention_logs: 7d}\nreceivers:\n  team: {webhook: {url: 'http://127.0.0.1:9/hook'}}\n  here: {log: {}}\n";
        let config = Config::parse("f", text).expect("valid");
        assert_eq!(config.listen.port(), 8080);
        assert_eq!(config.listeners.syslog_udp, None);
        assert_eq!(config.store.retention_logs, Duration::from_secs(7 * 86_400));
        assert_eq!(config.receivers["here"], ReceiverConfig::Log);
        assert_eq!(config.escalation_receivers, ["log"]);
    }

    #[test]
    fn approvers_have_one_token_each_and_it_is_never_printed() {
        let text =
            "approvers:\n- {name: ada, roles: [sre], token: 'a-long-secret-token'}\n- {name: bob, token_env: BOB}\n";
        let config = Config::parse("f", text).expect("valid");
        assert_eq!(config.approvers[0].token, TokenSource::Text("a-long-secret-token".into()));
        assert_eq!(config.approvers[1].token, TokenSource::Env("BOB".into()));
        let shown = serde_json::to_string(&RawConfig::parse("f", text).expect("valid")).expect("JSON");
        assert!(shown.contains("***") && !shown.contains("secret"), "{shown}");
        check_error(
            "approvers: [{name: ada, token: x, token_env: Y}]",
            expect![[r#"
                backstop.yaml: approvers.token is "ada", which is not an approver with one token
                hint: give exactly one of token_env, token_file and token"#]],
        );
        check_error(
            "approvers: [{name: ada, token: x}, {name: ada, token: y}]",
            expect![[r#"
                backstop.yaml: approvers.name is "ada", which is not a name of its own, without a slash
                hint: every approver is a different person: their answers are counted"#]],
        );
        check_error(
            "actions: {probe_allow: ['db:5432']}",
            expect![[r#"
                backstop.yaml: actions.probe_allow is "db:5432", which is not the start of a URL
                hint: begin with https:// and name the host"#]],
        );
    }

    #[test]
    fn streams_and_bytes_are_kept_as_said() {
        let text =
            "store:\n  retention_bytes: 10GiB\n  retention_streams:\n    - {selector: service.name=debug, keep: 3d}\n";
        let store = Config::parse("f", text).expect("valid").store;
        assert_eq!(store.retention_bytes, Some(10 << 30));
        assert_eq!(store.retention_streams[0].selector.to_string(), r#"{service.name="debug"}"#);
        assert_eq!(store.retention_streams[0].keep, Duration::from_secs(3 * 86_400));
        assert_eq!(Config::default().store.retention_bytes, None);
    }

    #[test]
    fn mistakes_name_the_key() {
        check_error(
            "escalation_receivers: [pager]",
            expect![[r#"
                backstop.yaml: escalation_receivers is "pager", which is not a receiver's name
                hint: declare it under `receivers`, or write `log`"#]],
        );
        check_error(
            "escalation_receivers: []",
            expect![[r#"
                backstop.yaml: escalation_receivers is "[]", which is not names of receivers
                hint: name at least one, so that somebody hears of what could not be repaired"#]],
        );
        check_error(
            "cors_origins: ['https://a.example/path']",
            expect![[r#"
                backstop.yaml: cors_origins is "https://a.example/path", which is not an origin
                hint: write it as https://grafana.example.com or http://localhost:3000, without a path, or * for all"#]],
        );
        check_error(
            "store: {flush_bytes: lots}",
            expect![[r#"
                backstop.yaml: store.flush_bytes is "lots", which is not a size above zero
                hint: write it as 64MiB or 2GiB"#]],
        );
        check_error(
            "store: {flush_bytes: 1GiB}",
            expect![[r#"
                backstop.yaml: store.memtable_bytes_max is "96MiB", which is not at least twice store.flush_bytes
                hint: store.flush_bytes is 1GiB; one memtable is flushed while the next fills"#]],
        );
        check_error(
            "store: {retention_streams: [{selector: 'debug', keep: 3d}]}",
            expect![[r#"
                backstop.yaml: store.retention_streams.selector is "debug", which is not a stream selector that asks for a value
                hint: write it as {service.name="debug"}, with fields out of container.name, deployment.environment.name, host.name, k8s.cluster.name, k8s.container.name, k8s.namespace.name, k8s.pod.name, log.file.path, service.instance.id, service.name, service.namespace, service.version"#]],
        );
        let unknown =
            Config::parse("backstop.yaml", "listen: 127.0.0.1:1\nlissten: 1\n").expect_err("unknown key").to_string();
        assert!(unknown.contains("lissten") && unknown.contains("line 2"), "{unknown}");
    }
}
