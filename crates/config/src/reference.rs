//! The manual of the configuration file.

use std::fmt::Write as _;

/// What the manual says of one setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its dotted key.
    pub key: &'static str,
    /// Its default, as JSON.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

const fn setting(key: &'static str, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, default, doc }
}

/// Every setting, in the order of the manual. A test holds this table against the code.
pub const SETTINGS: &[Setting] = &[
    setting("data_dir", r#""./backstop-data""#, "Directory that holds everything. One process at a time."),
    setting("listen", r#""127.0.0.1:7070""#, "Address of the HTTP port: UI, every HTTP API, OTLP/HTTP."),
    setting("insecure", "false", "Allow listening beyond loopback without authentication and TLS."),
    setting(
        "external_url",
        r#""""#,
        "Address under which users reach the UI, for links in notifications and in templates of rules.",
    ),
    setting(
        "external_labels",
        "{}",
        "Labels that tell this server from others, as in `{cluster: eu}`: templates of rules have them as `$externalLabels`.",
    ),
    setting(
        "cors_origins",
        "[]",
        "Origins of web pages whose scripts may read answers of the APIs, such as `https://grafana.example.com`; `*` for all.",
    ),
    setting(
        "log",
        r#""info""#,
        "Filter of Backstop's own log lines, such as `info,store=debug`. `BACKSTOP_LOG` overrides it.",
    ),
    setting("listeners.otlp_grpc", r#""127.0.0.1:4317""#, "OTLP over gRPC. `off` turns it off, as for each listener."),
    setting(
        "listeners.otlp_http",
        r#""127.0.0.1:4318""#,
        "OTLP over HTTP on its customary port, besides the HTTP port.",
    ),
    setting("listeners.syslog_udp", r#""127.0.0.1:5514""#, "Syslog over UDP, RFC 5424 and RFC 3164."),
    setting("listeners.syslog_tcp", r#""127.0.0.1:5514""#, "Syslog over TCP, octet-counted or newline-framed."),
    setting(
        "listeners.graphite_udp",
        r#""127.0.0.1:2003""#,
        "Graphite's plaintext protocol over UDP, with tags. See docs/ingest-metrics.md.",
    ),
    setting("listeners.graphite_tcp", r#""127.0.0.1:2003""#, "Graphite's plaintext protocol over TCP."),
    setting(
        "listeners.graphite_pickle",
        r#""off""#,
        "Graphite's pickle protocol over TCP; its customary port is 2004.",
    ),
    setting(
        "listeners.statsd_udp",
        r#""127.0.0.1:8125""#,
        "StatsD over UDP, with what DogStatsD, Telegraf and Graphite add.",
    ),
    setting("listeners.statsd_tcp", r#""127.0.0.1:8125""#, "StatsD over TCP, a metric a line."),
    setting("store.flush_bytes", r#""32MiB""#, "Memory at which the memtable is flushed to segments."),
    setting("store.flush_interval", r#""60s""#, "Age at which the memtable is flushed to segments."),
    setting(
        "store.memtable_bytes_max",
        r#""96MiB""#,
        "Memory of memtables at which senders are told to wait (429, RESOURCE_EXHAUSTED).",
    ),
    setting("store.retention_logs", r#""30d""#, "How long log records are kept."),
    setting("store.retention_spans", r#""30d""#, "How long spans are kept."),
    setting("store.retention_quarantine", r#""30d""#, "How long items that could not be decoded are kept."),
    setting("store.retention_metrics", r#""90d""#, "How long metric samples are kept."),
    setting(
        "store.retention_bytes",
        r#""off""#,
        "Bytes of segments above which the oldest days go, whatever their age; the newest day stays.",
    ),
    setting(
        "store.retention_streams",
        "[]",
        "Streams that are kept for a shorter time: `- {selector: '{service.name=\"debug\"}', keep: 3d}`. A day's rows go together.",
    ),
    setting(
        "store.retention_series",
        "[]",
        "Series that are kept for a shorter or longer time than `store.retention_metrics`, by a selector of PromQL: `- {selector: \
         'http_request_duration_seconds_bucket{env=\"dev\"}', keep: 7d}`. The first that fits counts.",
    ),
    setting(
        "store.downsampling",
        "[]",
        "Series of which few samples are left when they are old: `- {match: '{job=\"node\"}', after: 30d, resolution: 5m}`. Without \
         `match` it is all series. Several steps of the same series are several rules, each resolution a multiple of the one before: \
         `- {after: 30d, resolution: 5m}`, `- {after: 180d, resolution: 1h}`. The rules of the first `match` that fits count. \
         docs/storage-metrics.md says what is left, and what queries make of it.",
    ),
    setting(
        "store.recent_bytes_max",
        r#""256MiB""#,
        "Memory of metric samples that are on disk too, so that dashboards of the last hours read no file: of all tenants together, the largest gives way first.",
    ),
    setting(
        "store.decoded_bytes_max",
        r#""64MiB""#,
        "Memory of decoded columns of metric blocks, so that what is asked again is not read again. `off` keeps none.",
    ),
    setting(
        "store.tenants_max",
        "10000",
        "Tenants that may have metrics; series and metadata of a further one are refused with the reason.",
    ),
    setting(
        "store.series_per_tenant_max",
        "2000000",
        "Series that a tenant may have; samples of further ones are refused with the reason.",
    ),
    setting(
        "store.series_per_metric_max",
        "500000",
        "Series that one metric of a tenant may have: a label with ever new values stops its own metric and no other.",
    ),
    setting(
        "ingest.in_flight_bytes_max",
        r#""256MiB""#,
        "Bytes of requests in flight, decompressed, before senders are told to wait.",
    ),
    setting(
        "ingest.type_and_unit_labels",
        "false",
        "Whether series of OTLP and of remote write 2.0 get the labels `__type__` and `__unit__`, as under Prometheus's feature flag \
         `type-and-unit-labels`.",
    ),
    setting(
        "ingest.otlp.translation_strategy",
        r#""UnderscoreEscapingWithSuffixes""#,
        "How names of OTLP become names of metrics and labels: `UnderscoreEscapingWithSuffixes`, `UnderscoreEscapingWithoutSuffixes`, \
         `NoUTF8EscapingWithSuffixes` or `NoTranslation`, as in Prometheus.",
    ),
    setting(
        "ingest.otlp.promote_resource_attributes",
        r#"["service.instance.id","service.name","service.namespace","service.version","cloud.availability_zone","cloud.region","container.name","deployment.environment","deployment.environment.name","host.name","k8s.cluster.name","k8s.container.name","k8s.cronjob.name","k8s.daemonset.name","k8s.deployment.name","k8s.job.name","k8s.namespace.name","k8s.pod.name","k8s.replicaset.name","k8s.statefulset.name"]"#,
        "Resource attributes that become labels of every series. All others are labels of `target_info`.",
    ),
    setting(
        "ingest.otlp.promote_all_resource_attributes",
        "false",
        "Whether all resource attributes become labels instead, but those of `ignore_resource_attributes`.",
    ),
    setting(
        "ingest.otlp.ignore_resource_attributes",
        "[]",
        "Resource attributes that do not become labels where all others do.",
    ),
    setting(
        "ingest.otlp.keep_identifying_resource_attributes",
        "false",
        "Whether `target_info` also has `service.name`, `service.namespace` and `service.instance.id`, which `job` and `instance` are made of.",
    ),
    setting(
        "ingest.otlp.promote_scope_metadata",
        "false",
        "Whether name, version, schema and attributes of the instrumentation scope become labels `otel_scope_*`.",
    ),
    setting(
        "ingest.otlp.convert_histograms_to_nhcb",
        "false",
        "Whether histograms with explicit bounds become native histograms with custom buckets: one series instead of one a bucket.",
    ),
    setting(
        "ingest.otlp.delta",
        r#""cumulative""#,
        "What becomes of sums and histograms of delta temporality: `cumulative` adds them up to counters, so that `rate` works; `raw` stores \
         them as they are, for `sum_over_time`.",
    ),
    setting(
        "ingest.otlp.delta_series_max",
        "100000",
        "Series of deltas that are added up at a time, of each tenant. What would be one more is refused, unless one had no point for an hour.",
    ),
    setting(
        "ingest.influx.skip_single_field",
        "false",
        "Whether the only field of a line of InfluxDB's protocol leaves its name out: `measurement` instead of `measurement_value`.",
    ),
    setting(
        "ingest.graphite.tenant",
        r#""default""#,
        "The tenant that samples of Graphite belong to: sockets have no header that names one.",
    ),
    setting(
        "ingest.graphite.templates",
        "[]",
        "What the parts of Graphite's paths are, first match first: `- 'servers.* .host.measurement* region=eu'`. Without one the path is the \
         name, with underscores for dots.",
    ),
    setting(
        "ingest.statsd.tenant",
        r#""default""#,
        "The tenant that samples, events and service checks of StatsD belong to.",
    ),
    setting(
        "ingest.statsd.flush_interval",
        r#""10s""#,
        "How often what came by StatsD is stored: the resolution of its series.",
    ),
    setting(
        "ingest.statsd.idle",
        r#""1h""#,
        "After how long without a packet a series of StatsD ends. Until then counters and gauges are stored at each flush.",
    ),
    setting(
        "ingest.statsd.series_max",
        "100000",
        "Series of StatsD in memory. Values of what would be one more are refused.",
    ),
    setting(
        "ingest.collectd.types_db",
        "[]",
        "Files that say what types of collectd are, as its `types.db`, for `PUTVAL` lines of types that collectd itself does not have.",
    ),
    setting("ingest.syslog.tenant", r#""default""#, "The tenant that records of syslog belong to."),
    setting("query.timeout", r#""60s""#, "Longest run of a query."),
    setting(
        "query.memory_bytes_max",
        r#""512MiB""#,
        "Memory of one query; sorts and aggregations spill to disk before they fail.",
    ),
    setting("query.memory_total_bytes_max", r#""2GiB""#, "Memory of all queries together."),
    setting("query.concurrency_max", "16", "Queries at a time; more wait their turn."),
    setting("query.rows_max", "1000000", "Rows that a query returns at most; the answer says when it was cut."),
    setting(
        "query.promql_samples_max",
        "50000000",
        "Samples that a PromQL query reads and holds at most. Its memory is bounded by `query.memory_bytes_max` as well.",
    ),
    setting(
        "query.promql_features",
        "[]",
        "What of PromQL is switched on beyond Prometheus's default, by the names of its `--enable-feature`: `promql-experimental-functions`, \
         `promql-binop-fill-modifiers`, `promql-delayed-name-removal`, `type-and-unit-labels`.",
    ),
    setting(
        "lookups",
        "[]",
        "CSV files that `lookup` looks into, as glob patterns; each is called as its file, without `.csv`.",
    ),
    setting(
        "parse_rules",
        "[]",
        "Files of parse rules, as glob patterns: what is joined, read out and redacted of log records as they come (docs/parse-rules.md).",
    ),
    setting(
        "scrape",
        "[]",
        "Files with Prometheus's `scrape_configs`, as glob patterns: what is asked for metrics (docs/scraping.md). They are read again on SIGHUP.",
    ),
    setting("rules", "[]", "Rule files, as glob patterns."),
    setting("playbooks", "[]", "Playbook files, as glob patterns."),
    setting("services", "[]", "Files of the service catalogue, as glob patterns."),
    setting(
        "actions.kinds",
        "[]",
        "Kinds of actions that may happen, out of `http`, `exec`, `argocd`, `systemd`, `compose`, `git_revert`, `flag`, `kubernetes`, \
         `helm`, `argo_rollouts`, `flux`. Empty: those for which something is allowed below.",
    ),
    setting("actions.exec_allow", "[]", "Programs that `exec` actions may run, as absolute paths. Empty: none."),
    setting("actions.http_allow", "[]", "Starts of URLs that `http` actions may call. Empty: none."),
    setting(
        "actions.probe_allow",
        "[]",
        "Starts of URLs (`http://...`) and addresses (`tcp://host:port`) that probes may try. Empty: none.",
    ),
    setting("actions.exec_env", "{}", "Environment variables given to `exec` actions; they get no others."),
    setting(
        "actions.redact",
        "[]",
        "Texts replaced by `***` in recorded output of actions; tokens, and variables named like secrets, are replaced anyway.",
    ),
    setting(
        "actions.argocd",
        "{}",
        "Servers of Argo CD by name: `main: {url: 'https://argocd.example.com', token_file: /etc/backstop/argocd.token}`; `token`, \
         `header` and `ca_file` too. The files are read at every action.",
    ),
    setting(
        "actions.flags",
        "{}",
        "Services of feature flags by name, written as `actions.argocd` is. For a flag trigger the `url` is the secret.",
    ),
    setting(
        "actions.systemctl",
        r#"["/usr/bin/systemctl"]"#,
        "The program that speaks to systemd, and its first arguments.",
    ),
    setting(
        "actions.systemd_allow",
        "[]",
        "Units that `systemd` actions may touch; `*` stands for any part of a name, as in `shop@*.service`. Empty: none.",
    ),
    setting(
        "actions.systemd_links",
        "[]",
        "Symbolic links that `systemd` actions may re-point, as absolute paths. Empty: none.",
    ),
    setting(
        "actions.compose",
        r#"["/usr/bin/docker","compose"]"#,
        "The program that speaks Compose, and its first arguments; `[/usr/bin/podman-compose]` for one.",
    ),
    setting(
        "actions.compose_allow",
        "[]",
        "Folders of Compose projects that `compose` actions may touch. Empty: none.",
    ),
    setting("actions.compose_env", "{}", "Environment variables given to the Compose program; it gets no others."),
    setting("actions.git", r#"["/usr/bin/git"]"#, "The Git program and its first arguments."),
    setting(
        "actions.git_allow",
        "[]",
        "Repositories that `git_revert` actions may push to, written as the playbooks write them. Empty: none.",
    ),
    setting(
        "actions.git_env",
        "{}",
        "Environment variables given to Git, which is where its credentials come from: `GIT_SSH_COMMAND`, `GIT_ASKPASS`, `GIT_CONFIG_GLOBAL`.",
    ),
    setting(
        "approvers",
        "[]",
        "Who may approve: `- {name: ada, roles: [sre], token_env: ADA_TOKEN}`, or `token_file`, or `token`. See docs/playbooks.md.",
    ),
    setting("freeze", "[]", "Windows in which nothing acts, written as in a playbook's `guards.freeze`."),
    setting(
        "receivers",
        "{}",
        "Whom notifications reach, by name: `team: {webhook: {url: ..., headers: {...}}}` or `here: {log: {}}`.",
    ),
    setting(
        "escalation_receivers",
        "[\"log\"]",
        "Who is told when a playbook could not repair, when nobody answered a question, and when a repaired incident fires again: names of `receivers`, or `log`.",
    ),
    setting(
        "changes.sources",
        "{}",
        "Who reports changes, by name: `shop: {adapter: github, secrets: [{env: SHOP_SECRET}]}`. `docs/changes.md` lists the adapters, how each proves a secret, and the mapping of `generic`.",
    ),
    setting(
        "kubernetes.clusters",
        "{}",
        "Clusters of Kubernetes by name: `prod: {kubeconfig: /etc/backstop/prod.kubeconfig, context: prod, act_in: [shop]}`. Without \
         a kubeconfig it is the cluster that Backstop runs in. `act_in` lists the namespaces that actions may act in; empty: none.",
    ),
    setting(
        "kubernetes.watch",
        "[]",
        "What is watched for changes: `[{cluster: prod, namespaces: [shop], secrets: false}]`. Without namespaces: all of them.",
    ),
];

/// The manual as Markdown: what `backstop config reference` prints and `docs/configuration.md` holds.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration\n\n`backstop serve --config FILE` reads a YAML file. Every key has a default; an unknown key is an error with its line.\n\
         Durations are written `500ms`, `30s`, `1h30m`, `30d`; sizes `64MiB`, `2GiB`. Dots stand for nesting: `store.flush_bytes` is\n\n\
         ```yaml\nstore:\n  flush_bytes: 32MiB\n```\n\n| setting | default | meaning |\n|---|---|---|\n",
    );
    for setting in SETTINGS {
        let _ = writeln!(out, "| `{}` | `{}` | {} |", setting.key, setting.default, setting.doc);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::RawConfig;

    fn flatten(prefix: &str, value: &serde_json::Value, out: &mut BTreeMap<String, String>) {
        match value {
            serde_json::Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    flatten(&key, value, out);
                }
            }
            value => {
                out.insert(prefix.to_owned(), value.to_string());
            }
        }
    }

    #[test]
    fn the_manual_names_every_setting_and_its_default() {
        let mut code = BTreeMap::new();
        flatten("", &serde_json::to_value(RawConfig::default()).expect("serialises"), &mut code);
        let manual: BTreeMap<String, String> =
            SETTINGS.iter().map(|s| (s.key.to_owned(), s.default.to_owned())).collect();
        assert_eq!(manual, code);
    }
}
