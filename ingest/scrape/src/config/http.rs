//! How requests are made: who asks, over what, through what.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_saphyr::Spanned;

use super::raw::{At, RawAuthorization, RawBasicAuth, RawHttp, RawOAuth2, RawTls};
use super::reader::Reader;

/// A secret, or the file that it is read from each time.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Secret {
    /// In the settings.
    Text(String),
    /// In a file.
    File(PathBuf),
}

impl Secret {
    /// The secret. A file's line ends are no part of it.
    pub(crate) fn read(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(error) => Err(format!("cannot read {}: {error}", path.display())),
            },
        }
    }
}

/// Shows where a secret is, never the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(***)"),
            Self::File(path) => write!(f, "File({path:?})"),
        }
    }
}

/// How requests are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpConfig {
    /// Who asks.
    pub auth: Auth,
    /// Encryption.
    pub tls: TlsConfig,
    /// Whether redirects are not followed.
    pub stay: bool,
    /// What requests go through.
    pub proxy: ProxyConfig,
    /// Headers of every request.
    pub headers: Vec<(String, Secret)>,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Auth {
    /// Nobody says.
    #[default]
    None,
    /// Name and password.
    Basic(Secret, Secret),
    /// `Authorization` with a type and credentials.
    Header(String, Secret),
    /// A token from an OAuth 2.0 server.
    OAuth2(Box<OAuth2Config>),
}

/// An OAuth 2.0 server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OAuth2Config {
    /// Who asks.
    pub client_id: String,
    /// With what.
    pub client_secret: Option<Secret>,
    /// For what.
    pub scopes: Vec<String>,
    /// Where.
    pub token_url: String,
    /// What else is sent.
    pub endpoint_params: BTreeMap<String, String>,
    /// How the request for the token is made.
    pub http: HttpConfig,
}

/// Encryption.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsConfig {
    /// Certificates of authorities; without one those of the web.
    pub ca: Option<Secret>,
    /// The client's certificate and its key.
    pub identity: Option<(Secret, Secret)>,
    /// The name that the server's certificate must have, where it is another than the address.
    pub server_name: Option<String>,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Oldest version: 1.2 or 1.3.
    pub min_version: Option<TlsVersion>,
    /// Newest version.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2.
    V12,
    /// 1.3.
    V13,
}

/// What requests go through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProxyConfig {
    /// The proxy; its URL may have a password.
    pub url: Option<Secret>,
    /// Hosts that it is not for.
    pub no_proxy: Option<String>,
    /// Whether the environment names it.
    pub from_environment: bool,
    /// Headers for the proxy.
    pub connect_headers: Vec<(String, String)>,
}

impl Reader<'_> {
    /// A secret that may stand in the settings or in a file; both are a mistake at `at`.
    fn secret<T>(
        &mut self,
        at: &Spanned<T>,
        name: &str,
        text: Option<&String>,
        file: Option<&String>,
    ) -> Option<Secret> {
        match (text, file.filter(|file| !file.is_empty())) {
            (Some(_), Some(_)) => {
                self.problems.say(at, format!("there are both `{name}` and `{name}_file`"), "give one of them");
                None
            }
            (Some(text), None) => Some(Secret::Text(text.clone())),
            (None, Some(file)) => Some(Secret::File(self.path(file))),
            (None, None) => None,
        }
    }

    /// A path, from the directory of the settings.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.directory.join(Path::new(path))
    }

    /// The same of a key; an empty one is none.
    pub(super) fn file(&self, at: &At<String>) -> Option<PathBuf> {
        at.as_ref().filter(|at| !at.value.is_empty()).map(|at| self.path(&at.value))
    }

    pub(super) fn http(&mut self, raw: &RawHttp) -> HttpConfig {
        let ways = [
            raw.basic_auth.as_ref().map(|at| at.defined),
            raw.authorization.as_ref().map(|at| at.defined),
            raw.oauth2.as_ref().map(|at| at.defined),
            raw.bearer_token.as_ref().map(|at| at.defined),
            raw.bearer_token_file.as_ref().map(|at| at.defined),
        ];
        if ways.iter().flatten().count() > 1 {
            let message =
                "at most one of basic_auth, authorization, oauth2, bearer_token and bearer_token_file can be given";
            let at = raw.basic_auth.as_ref().map(|at| at.defined).or_else(|| ways.iter().flatten().next().copied());
            self.say_at(at, message, "remove the others");
        }
        let mut auth = Auth::None;
        if let Some(basic) = &raw.basic_auth {
            auth = self.basic(basic);
        }
        if let Some(authorization) = &raw.authorization {
            auth = self.authorization(authorization);
        }
        if let Some(oauth2) = &raw.oauth2 {
            auth = self.oauth2(oauth2);
        }
        let bearer = |secret| Auth::Header("Bearer".to_owned(), secret);
        if let Some(token) = &raw.bearer_token {
            auth = bearer(Secret::Text(token.value.clone()));
        }
        if let Some(file) = self.file(&raw.bearer_token_file) {
            auth = bearer(Secret::File(file));
        }
        let tls = raw.tls_config.as_ref().map(|tls| self.tls(tls)).unwrap_or_default();
        let proxy = self.proxy(raw);
        let mut headers = Vec::new();
        for (name, header) in raw.http_headers.iter().flatten() {
            let texts = header.values.iter().chain(&header.secrets).map(|text| Secret::Text(text.clone()));
            let files = header.files.iter().map(|file| Secret::File(self.path(file)));
            headers.extend(texts.chain(files).map(|secret| (name.clone(), secret)));
        }
        HttpConfig { auth, tls, stay: raw.follow_redirects == Some(false), proxy, headers }
    }

    fn basic(&mut self, at: &Spanned<RawBasicAuth>) -> Auth {
        let raw = &at.value;
        let username = self.secret(at, "username", raw.username.as_ref(), raw.username_file.as_ref());
        let password = self.secret(at, "password", raw.password.as_ref(), raw.password_file.as_ref());
        let nothing = || Secret::Text(String::new());
        Auth::Basic(username.unwrap_or_else(nothing), password.unwrap_or_else(nothing))
    }

    fn authorization(&mut self, at: &Spanned<RawAuthorization>) -> Auth {
        let raw = &at.value;
        let kind = raw.kind.clone().filter(|kind| !kind.is_empty()).unwrap_or_else(|| "Bearer".to_owned());
        if kind.eq_ignore_ascii_case("basic") {
            self.problems.say(at, "authorization type cannot be set to \"basic\"", "use `basic_auth` instead");
        }
        match self.secret(at, "credentials", raw.credentials.as_ref(), raw.credentials_file.as_ref()) {
            Some(secret) => Auth::Header(kind, secret),
            None => Auth::None,
        }
    }

    fn oauth2(&mut self, at: &Spanned<RawOAuth2>) -> Auth {
        let raw = &at.value;
        let client_secret =
            self.secret(at, "client_secret", raw.client_secret.as_ref(), raw.client_secret_file.as_ref());
        for (name, value) in [("client_id", &raw.client_id), ("token_url", &raw.token_url)] {
            if value.as_ref().is_none_or(String::is_empty) {
                self.problems.say(at, format!("oauth2 has no {name}"), "give it");
            }
        }
        let http = RawHttp {
            tls_config: raw.tls_config.clone(),
            proxy_url: raw.proxy_url.clone(),
            no_proxy: raw.no_proxy.clone(),
            proxy_from_environment: raw.proxy_from_environment,
            proxy_connect_header: raw.proxy_connect_header.clone(),
            ..RawHttp::default()
        };
        Auth::OAuth2(Box::new(OAuth2Config {
            client_id: raw.client_id.clone().unwrap_or_default(),
            client_secret,
            scopes: raw.scopes.clone().unwrap_or_default(),
            token_url: raw.token_url.clone().unwrap_or_default(),
            endpoint_params: raw.endpoint_params.clone().unwrap_or_default(),
            http: self.http(&http),
        }))
    }

    fn tls(&mut self, at: &Spanned<RawTls>) -> TlsConfig {
        let raw = &at.value;
        let cert = self.secret(at, "cert", raw.cert.as_ref(), raw.cert_file.as_ref());
        let key = self.secret(at, "key", raw.key.as_ref(), raw.key_file.as_ref());
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => {
                self.problems.say(at, "a certificate needs a key and a key a certificate", "give both");
                None
            }
        };
        TlsConfig {
            ca: self.secret(at, "ca", raw.ca.as_ref(), raw.ca_file.as_ref()),
            identity,
            server_name: raw.server_name.clone().filter(|name| !name.is_empty()),
            insecure: raw.insecure_skip_verify,
            min_version: raw.min_version.as_ref().and_then(|version| self.tls_version(version)),
            max_version: raw.max_version.as_ref().and_then(|version| self.tls_version(version)),
        }
    }

    fn tls_version(&mut self, at: &Spanned<String>) -> Option<TlsVersion> {
        match at.value.as_str() {
            "TLS12" => return Some(TlsVersion::V12),
            "TLS13" => return Some(TlsVersion::V13),
            "TLS10" | "TLS11" => {
                self.problems.say(at, format!("{} is too old", at.value), "TLS12 and TLS13 are spoken");
            }
            other => self.problems.say(at, format!("unknown TLS version: {other}"), "write TLS12 or TLS13"),
        }
        None
    }

    fn proxy(&mut self, raw: &RawHttp) -> ProxyConfig {
        let from_environment = raw.proxy_from_environment == Some(true);
        if let Some(url) = raw.proxy_url.as_ref().filter(|_| from_environment) {
            self.problems.say(url, "proxy_from_environment and proxy_url are both given", "give one of them");
        }
        if let Some(url) = &raw.proxy_url
            && reqwest::Url::parse(&url.value).is_err()
        {
            self.problems.say(url, format!("{:?} is not a URL", url.value), "write it as http://proxy:3128");
        }
        let connect = raw.proxy_connect_header.iter().flatten();
        ProxyConfig {
            url: raw.proxy_url.as_ref().map(|url| url.value.clone()).filter(|url| !url.is_empty()).map(Secret::Text),
            no_proxy: raw.no_proxy.clone().filter(|hosts| !hosts.is_empty()),
            from_environment,
            connect_headers: connect
                .flat_map(|(name, values)| values.iter().map(move |value| (name.clone(), value.clone())))
                .collect(),
        }
    }
}
