//! The file as it is written: Prometheus's keys, each under its name. An unknown key is an error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::Spanned;

/// A value at its place in the file.
pub(super) type At<T> = Option<Spanned<T>>;

/// Structs that have the keys of an HTTP client among their own, as Prometheus's have.
macro_rules! with_http_keys {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$field_meta])* pub(super) $field: $kind,)*
            basic_auth: At<RawBasicAuth>,
            authorization: At<RawAuthorization>,
            oauth2: At<RawOAuth2>,
            bearer_token: At<String>,
            bearer_token_file: At<String>,
            tls_config: At<RawTls>,
            follow_redirects: Option<bool>,
            enable_http2: Option<bool>,
            proxy_url: At<String>,
            no_proxy: Option<String>,
            proxy_from_environment: Option<bool>,
            proxy_connect_header: Option<BTreeMap<String, Vec<String>>>,
            http_headers: Option<BTreeMap<String, RawHeader>>,
        }

        impl $name {
            /// The keys of the HTTP client.
            pub(super) fn http(&self) -> RawHttp {
                RawHttp {
                    basic_auth: self.basic_auth.clone(),
                    authorization: self.authorization.clone(),
                    oauth2: self.oauth2.clone(),
                    bearer_token: self.bearer_token.clone(),
                    bearer_token_file: self.bearer_token_file.clone(),
                    tls_config: self.tls_config.clone(),
                    follow_redirects: self.follow_redirects,
                    proxy_url: self.proxy_url.clone(),
                    no_proxy: self.no_proxy.clone(),
                    proxy_from_environment: self.proxy_from_environment,
                    proxy_connect_header: self.proxy_connect_header.clone(),
                    http_headers: self.http_headers.clone(),
                }
            }
        }
    };
}

/// The keys of an HTTP client.
#[derive(Clone, Debug, Default)]
pub(super) struct RawHttp {
    pub(super) basic_auth: At<RawBasicAuth>,
    pub(super) authorization: At<RawAuthorization>,
    pub(super) oauth2: At<RawOAuth2>,
    pub(super) bearer_token: At<String>,
    pub(super) bearer_token_file: At<String>,
    pub(super) tls_config: At<RawTls>,
    pub(super) follow_redirects: Option<bool>,
    pub(super) proxy_url: At<String>,
    pub(super) no_proxy: Option<String>,
    pub(super) proxy_from_environment: Option<bool>,
    pub(super) proxy_connect_header: Option<BTreeMap<String, Vec<String>>>,
    pub(super) http_headers: Option<BTreeMap<String, RawHeader>>,
}

/// A whole file: of scrape configurations alone, or Prometheus's own, of which only the parts about scraping are read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) global: Option<RawGlobal>,
    pub(super) scrape_config_files: Option<Vec<Spanned<String>>>,
    pub(super) scrape_configs: Option<Vec<Spanned<RawJob>>>,
    pub(super) runtime: Option<IgnoredAny>,
    pub(super) alerting: Option<IgnoredAny>,
    pub(super) rule_files: Option<IgnoredAny>,
    pub(super) storage: Option<IgnoredAny>,
    pub(super) tracing: Option<IgnoredAny>,
    pub(super) remote_write: Option<IgnoredAny>,
    pub(super) remote_read: Option<IgnoredAny>,
    pub(super) otlp: Option<IgnoredAny>,
}

/// Keys that hold for every job, and some that are about other things.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawGlobal {
    /// Not a key of Prometheus's.
    pub(super) backstop_tenant: At<String>,
    pub(super) scrape_interval: At<String>,
    pub(super) scrape_timeout: At<String>,
    pub(super) scrape_protocols: At<Vec<String>>,
    pub(super) external_labels: Option<BTreeMap<String, String>>,
    pub(super) body_size_limit: At<String>,
    pub(super) sample_limit: Option<u64>,
    pub(super) target_limit: Option<u64>,
    pub(super) label_limit: Option<u64>,
    pub(super) label_name_length_limit: Option<u64>,
    pub(super) label_value_length_limit: Option<u64>,
    pub(super) keep_dropped_targets: Option<u64>,
    pub(super) metric_name_validation_scheme: At<String>,
    pub(super) metric_name_escaping_scheme: At<String>,
    pub(super) scrape_native_histograms: Option<bool>,
    pub(super) convert_classic_histograms_to_nhcb: Option<bool>,
    pub(super) always_scrape_classic_histograms: Option<bool>,
    pub(super) extra_scrape_metrics: Option<bool>,
    pub(super) scrape_failure_log_file: At<String>,
    pub(super) evaluation_interval: Option<IgnoredAny>,
    pub(super) rule_query_offset: Option<IgnoredAny>,
    pub(super) query_log_file: Option<IgnoredAny>,
    pub(super) query_max_series: Option<IgnoredAny>,
    pub(super) query_max_samples_read: Option<IgnoredAny>,
    pub(super) query_max_duration: Option<IgnoredAny>,
}

with_http_keys! {
    /// One job.
    struct RawJob {
        job_name: At<String>,
        /// Not a key of Prometheus's.
        backstop_tenant: At<String>,
        honor_labels: Option<bool>,
        honor_timestamps: Option<bool>,
        track_timestamps_staleness: Option<bool>,
        params: Option<BTreeMap<String, Vec<String>>>,
        scrape_interval: At<String>,
        scrape_timeout: At<String>,
        scrape_protocols: At<Vec<String>>,
        fallback_scrape_protocol: At<String>,
        scrape_native_histograms: Option<bool>,
        always_scrape_classic_histograms: Option<bool>,
        convert_classic_histograms_to_nhcb: Option<bool>,
        scrape_failure_log_file: At<String>,
        metrics_path: Option<String>,
        scheme: At<String>,
        enable_compression: Option<bool>,
        body_size_limit: At<String>,
        sample_limit: Option<u64>,
        target_limit: Option<u64>,
        label_limit: Option<u64>,
        label_name_length_limit: Option<u64>,
        label_value_length_limit: Option<u64>,
        native_histogram_bucket_limit: Option<u64>,
        native_histogram_min_bucket_factor: Option<f64>,
        keep_dropped_targets: Option<u64>,
        metric_name_validation_scheme: At<String>,
        metric_name_escaping_scheme: At<String>,
        extra_scrape_metrics: Option<bool>,
        relabel_configs: Option<Vec<Spanned<RawRelabel>>>,
        metric_relabel_configs: Option<Vec<Spanned<RawRelabel>>>,
        static_configs: Option<Vec<Spanned<RawGroup>>>,
        file_sd_configs: Option<Vec<Spanned<RawFileSd>>>,
        http_sd_configs: Option<Vec<Spanned<RawHttpSd>>>,
        dns_sd_configs: Option<Vec<Spanned<RawDnsSd>>>,
        consul_sd_configs: Option<Vec<Spanned<RawConsulSd>>>,
        docker_sd_configs: Option<Vec<Spanned<RawDockerSd>>>,
        kubernetes_sd_configs: Option<Vec<Spanned<RawKubernetesSd>>>,
    }
}

/// A rule of relabelling.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawRelabel {
    pub(super) source_labels: Option<Vec<String>>,
    pub(super) separator: Option<String>,
    pub(super) regex: At<String>,
    pub(super) modulus: Option<u64>,
    pub(super) target_label: Option<String>,
    pub(super) replacement: Option<String>,
    pub(super) action: At<String>,
}

/// Targets that are written down.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawGroup {
    pub(super) targets: Vec<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
}

/// Files of targets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawFileSd {
    pub(super) files: Vec<Spanned<String>>,
    pub(super) refresh_interval: At<String>,
}

with_http_keys! {
    /// A service that answers targets.
    struct RawHttpSd {
        url: At<String>,
        refresh_interval: At<String>,
    }
}

/// Names that DNS resolves.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDnsSd {
    pub(super) names: Vec<String>,
    #[serde(rename = "type")]
    pub(super) kind: At<String>,
    pub(super) port: Option<u16>,
    pub(super) refresh_interval: At<String>,
}

with_http_keys! {
    /// A Consul.
    struct RawConsulSd {
        server: At<String>,
        path_prefix: Option<String>,
        token: Option<String>,
        datacenter: Option<String>,
        namespace: Option<String>,
        partition: Option<String>,
        tag_separator: Option<String>,
        scheme: At<String>,
        username: Option<String>,
        password: Option<String>,
        allow_stale: Option<bool>,
        refresh_interval: At<String>,
        services: Option<Vec<String>>,
        tags: Option<Vec<String>>,
        node_meta: Option<BTreeMap<String, String>>,
        filter: Option<String>,
        health_filter: Option<String>,
    }
}

with_http_keys! {
    /// A Docker daemon.
    struct RawDockerSd {
        host: At<String>,
        port: Option<u16>,
        filters: Option<Vec<RawFilter>>,
        host_networking_host: Option<String>,
        match_first_network: Option<bool>,
        refresh_interval: At<String>,
    }
}

/// What a Docker daemon is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFilter {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

with_http_keys! {
    /// A Kubernetes cluster.
    struct RawKubernetesSd {
        api_server: At<String>,
        role: At<String>,
        kubeconfig_file: At<String>,
        namespaces: Option<RawNamespaces>,
        selectors: Option<Vec<Spanned<RawSelector>>>,
        attach_metadata: Option<RawAttach>,
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawNamespaces {
    pub(super) own_namespace: bool,
    pub(super) names: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSelector {
    pub(super) role: String,
    pub(super) label: String,
    pub(super) field: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawAttach {
    pub(super) node: bool,
    pub(super) namespace: bool,
    pub(super) deployment: bool,
    pub(super) job: bool,
    pub(super) cronjob: bool,
}

/// A name and a password.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawBasicAuth {
    pub(super) username: Option<String>,
    pub(super) username_file: Option<String>,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<String>,
}

/// The header `Authorization`.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawAuthorization {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) credentials: Option<String>,
    pub(super) credentials_file: Option<String>,
}

/// Tokens from an OAuth 2.0 server, by client credentials.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawOAuth2 {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<String>,
    pub(super) client_secret_file: Option<String>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) token_url: Option<String>,
    pub(super) endpoint_params: Option<BTreeMap<String, String>>,
    pub(super) tls_config: At<RawTls>,
    pub(super) proxy_url: At<String>,
    pub(super) no_proxy: Option<String>,
    pub(super) proxy_from_environment: Option<bool>,
    pub(super) proxy_connect_header: Option<BTreeMap<String, Vec<String>>>,
}

/// Encryption.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) ca: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) cert_file: Option<String>,
    pub(super) key: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) server_name: Option<String>,
    pub(super) insecure_skip_verify: bool,
    pub(super) min_version: At<String>,
    pub(super) max_version: At<String>,
}

/// Values of a header.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawHeader {
    pub(super) values: Vec<String>,
    pub(super) secrets: Vec<String>,
    pub(super) files: Vec<String>,
}

/// Structs that hold secrets say only that they are there.
macro_rules! hidden {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        })*
    };
}
hidden!(RawBasicAuth, RawAuthorization, RawOAuth2, RawTls, RawHeader);
