//! How a cluster is reached: by its address, by a kubeconfig, or from inside of it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::client::Client;
use crate::config::{Auth, HttpConfig, KubernetesConfig, Secret, TlsConfig};

/// Where a pod finds who it is.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A cluster that can be asked.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) client: Client,
    /// The address of the API, without a slash at its end.
    pub(super) base: String,
    /// Namespaces that are followed; `None` is all of them.
    pub(super) namespaces: Vec<Option<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[derive(Default)]
struct Kubeconfig {
    current_context: String,
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
    contexts: Vec<NamedContext>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: KubeCluster,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct KubeCluster {
    server: String,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: KubeUser,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct KubeUser {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
    username: Option<String>,
    password: Option<String>,
    exec: Option<serde::de::IgnoredAny>,
    #[serde(rename = "auth-provider")]
    auth_provider: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: KubeContext,
}

#[derive(Deserialize)]
struct KubeContext {
    cluster: String,
    user: String,
}

impl Cluster {
    /// As the settings say.
    pub(super) fn of(config: &KubernetesConfig) -> Result<Self, String> {
        let (base, http) = match (&config.api_server, &config.kubeconfig) {
            (Some(server), _) => (server.clone(), config.http.clone()),
            (None, Some(path)) => kubeconfig(path)?,
            (None, None) => inside()?,
        };
        let mut namespaces: Vec<Option<String>> = config.namespaces.names.iter().cloned().map(Some).collect();
        if config.namespaces.own {
            let path = Path::new(SERVICE_ACCOUNT).join("namespace");
            let own = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            namespaces.push(Some(own.trim().to_owned()));
        }
        if namespaces.is_empty() {
            namespaces.push(None);
        }
        Ok(Self { client: Client::new(http), base: base.trim_end_matches('/').to_owned(), namespaces })
    }
}

/// From within a pod: its environment, its token, its authority.
fn inside() -> Result<(String, HttpConfig), String> {
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| {
            format!("{name} is not set: this does not run in a cluster; give api_server or kubeconfig_file")
        })
    };
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    let file = |name: &str| Secret::File(Path::new(SERVICE_ACCOUNT).join(name));
    let tls = TlsConfig { ca: Some(file("ca.crt")), ..TlsConfig::default() };
    let auth = Auth::Header("Bearer".to_owned(), file("token"));
    Ok((format!("https://{}", super::super::host_port(&host, port)), HttpConfig { auth, tls, ..HttpConfig::default() }))
}

fn kubeconfig(path: &Path) -> Result<(String, HttpConfig), String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let config: Kubeconfig =
        serde_saphyr::from_str(&text).map_err(|error| format!("{shown}: {}", error.without_snippet()))?;
    let name = &config.current_context;
    let context = config.contexts.iter().find(|context| context.name == *name);
    let context = &context.ok_or_else(|| format!("{shown}: there is no context {name:?}"))?.context;
    let cluster = config.clusters.iter().find(|cluster| cluster.name == context.cluster);
    let cluster = &cluster.ok_or_else(|| format!("{shown}: there is no cluster {:?}", context.cluster))?.cluster;
    let user = config.users.iter().find(|user| user.name == context.user);
    let user = user.map(|user| user.user.clone()).unwrap_or_default();
    if user.exec.is_some() || user.auth_provider.is_some() {
        return Err(format!("{shown}: a user that needs a program to run is not supported: give it a token"));
    }
    let directory = path.parent().unwrap_or(Path::new(""));
    let pem = |file: &Option<String>, data: &Option<String>| -> Result<Option<Secret>, String> {
        if let Some(data) = data {
            let bytes = STANDARD.decode(data.trim()).map_err(|error| format!("{shown}: {error}"))?;
            return Ok(Some(Secret::Text(String::from_utf8_lossy(&bytes).into_owned())));
        }
        Ok(file.as_ref().map(|file| Secret::File(directory.join(file))))
    };
    let identity = match (
        pem(&user.client_certificate, &user.client_certificate_data)?,
        pem(&user.client_key, &user.client_key_data)?,
    ) {
        (Some(cert), Some(key)) => Some((cert, key)),
        _ => None,
    };
    let tls = TlsConfig {
        ca: pem(&cluster.certificate_authority, &cluster.certificate_authority_data)?,
        identity,
        server_name: cluster.tls_server_name.clone(),
        insecure: cluster.insecure_skip_tls_verify,
        ..TlsConfig::default()
    };
    let token = user.token.clone().map(Secret::Text);
    let token =
        token.or_else(|| user.token_file.as_ref().map(|file| Secret::File(directory.join(PathBuf::from(file)))));
    let auth = match (token, &user.username) {
        (Some(token), _) => Auth::Header("Bearer".to_owned(), token),
        (None, Some(username)) => {
            Auth::Basic(Secret::Text(username.clone()), Secret::Text(user.password.clone().unwrap_or_default()))
        }
        (None, None) => Auth::None,
    };
    let mut http = HttpConfig { auth, tls, ..HttpConfig::default() };
    http.proxy.url = cluster.proxy_url.clone().map(Secret::Text);
    Ok((cluster.server.clone(), http))
}
