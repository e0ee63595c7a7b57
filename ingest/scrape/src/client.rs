//! The HTTP client of scrapes and of discovery: authorization, certificates, proxies, bounded bodies.
//!
//! A client is made when it is first used and again when one of its certificate files changed; credentials in files are read with each
//! request. So what rotates on disk is followed, and a file that is not there is an error of the request and not of the start.

mod named;
mod oauth2;
mod room;
mod tls;

use std::collections::HashMap;
use std::error::Error as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{NoProxy, Proxy, Response, Url};

use crate::config::{Auth, HttpConfig};
use crate::limits::REDIRECTS_MAX;

use named::Renamed;
use oauth2::Tokens;
use tls::Certificates;

pub(crate) use room::{Room, Rooms};

/// How often certificate files are looked at.
const CERTIFICATES_CHECK: Duration = Duration::from_secs(30);
/// Clients that are kept for hosts whose certificates have another name.
const NAMED_CLIENTS_MAX: usize = 4096;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// The request could not be made, or broke off.
    #[error("{0}")]
    Failed(String),
    /// The time was over.
    #[error("no complete answer within {}: the target is slow or not reachable, or scrape_timeout is too short", crate::units::show_duration(*.0))]
    Timeout(Duration),
    /// The answer is too large.
    #[error("body size limit exceeded: the answer has {0} bytes or more")]
    BodySize(u64),
}

/// Makes requests as one part of the settings says.
pub(crate) struct Client {
    config: HttpConfig,
    unix_socket: Option<PathBuf>,
    built: Mutex<Option<Built>>,
    tokens: Tokens,
}

struct Built {
    client: reqwest::Client,
    certificates: Certificates,
    checked: Instant,
    /// By host, where the certificate has another name than the host.
    named: HashMap<String, reqwest::Client>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(config: HttpConfig) -> Self {
        Self { config, unix_socket: None, built: Mutex::new(None), tokens: Tokens::default() }
    }

    /// Requests go to a socket of this machine, whatever host the URL has.
    pub(crate) fn over_unix_socket(config: HttpConfig, path: PathBuf) -> Self {
        Self { unix_socket: Some(path), ..Self::new(config) }
    }

    /// Asks and returns the head of the answer. `timeout` is for the whole exchange, the body included.
    pub(crate) async fn get(&self, url: &Url, headers: HeaderMap, timeout: Duration) -> Result<Response, ClientError> {
        let started = Instant::now();
        let (client, url, host) = self.client_for(url)?;
        let mut headers = headers;
        if let Some(host) = host {
            headers.insert(HOST, header_value(&host)?);
        }
        for (name, secret) in &self.config.headers {
            let name = HeaderName::try_from(name).map_err(|_| failed(format!("{name:?} is no name of a header")))?;
            headers.append(name, secret_value(&secret.read().map_err(failed)?)?);
        }
        if let Some(value) = self.authorization(timeout).await? {
            headers.insert(AUTHORIZATION, secret_value(&value)?);
        }
        let left = timeout.saturating_sub(started.elapsed());
        let request = client.get(url).headers(headers).timeout(left);
        request.send().await.map_err(|error| describe(&error, timeout))
    }

    async fn authorization(&self, timeout: Duration) -> Result<Option<String>, ClientError> {
        Ok(match &self.config.auth {
            Auth::None => None,
            Auth::Basic(username, password) => {
                let pair = format!("{}:{}", username.read().map_err(failed)?, password.read().map_err(failed)?);
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            Auth::Header(kind, secret) => Some(format!("{kind} {}", secret.read().map_err(failed)?)),
            Auth::OAuth2(config) => Some(format!("Bearer {}", self.tokens.get(config, timeout).await?)),
        })
    }

    /// The client, the URL to ask, and the `Host` that the target expects where the URL was changed.
    fn client_for(&self, url: &Url) -> Result<(reqwest::Client, Url, Option<String>), ClientError> {
        let client = self.current()?;
        let Some(name) = self.config.tls.server_name.as_ref().filter(|_| url.scheme() == "https") else {
            return Ok((client, url.clone(), None));
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let mut named = url.clone();
        named.set_host(Some(name)).map_err(|error| failed(format!("server_name {name:?}: {error}")))?;
        let shown = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let known = self.built.lock().as_ref().and_then(|built| built.named.get(&host).cloned());
        if let Some(client) = known {
            return Ok((client, named, Some(shown)));
        }
        let certificates = Certificates::read(&self.config.tls).map_err(failed)?;
        let builder = self.builder(&certificates)?.dns_resolver(Arc::new(Renamed::new(name, &host)));
        let client = builder.build().map_err(|error| failed(text_of(&error)))?;
        if let Some(built) = self.built.lock().as_mut().filter(|built| built.named.len() < NAMED_CLIENTS_MAX) {
            built.named.insert(host, client.clone());
        }
        Ok((client, named, Some(shown)))
    }

    /// The client with the certificates as they are on disk.
    fn current(&self) -> Result<reqwest::Client, ClientError> {
        let mut slot = self.built.lock();
        if let Some(built) = slot.as_mut() {
            if built.checked.elapsed() < CERTIFICATES_CHECK {
                return Ok(built.client.clone());
            }
            built.checked = Instant::now();
        }
        let certificates = Certificates::read(&self.config.tls).map_err(failed)?;
        if let Some(built) = slot.as_ref().filter(|built| built.certificates == certificates) {
            return Ok(built.client.clone());
        }
        let client = self.builder(&certificates)?.build().map_err(|error| failed(text_of(&error)))?;
        let (copy, checked, named) = (client.clone(), Instant::now(), HashMap::new());
        *slot = Some(Built { client, certificates, checked, named });
        Ok(copy)
    }

    fn builder(&self, certificates: &Certificates) -> Result<reqwest::ClientBuilder, ClientError> {
        let policy = match (self.config.stay, self.config.headers.is_empty()) {
            (true, _) => Policy::none(),
            (false, true) => Policy::limited(REDIRECTS_MAX),
            (false, false) => Policy::custom(within_origin),
        };
        let agent = concat!("Backstop/", env!("CARGO_PKG_VERSION"));
        let mut builder = reqwest::Client::builder().redirect(policy).user_agent(agent).no_proxy();
        builder = certificates.apply(&self.config.tls, builder).map_err(failed)?;
        if let Some(proxy) = self.proxy()? {
            builder = builder.proxy(proxy);
        }
        if let Some(path) = &self.unix_socket {
            builder = builder.unix_socket(path.clone());
        }
        Ok(builder)
    }

    fn proxy(&self) -> Result<Option<Proxy>, ClientError> {
        let config = &self.config.proxy;
        let variable = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
        let url = match &config.url {
            Some(url) => Some(url.read().map_err(failed)?),
            None if config.from_environment => {
                ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].into_iter().find_map(variable)
            }
            None => None,
        };
        let Some(url) = url else { return Ok(None) };
        let mut proxy = Proxy::all(&url).map_err(|error| failed(format!("the proxy: {}", text_of(&error))))?;
        let no_proxy = match &config.no_proxy {
            Some(hosts) => NoProxy::from_string(hosts),
            None if config.from_environment => NoProxy::from_env(),
            None => None,
        };
        proxy = proxy.no_proxy(no_proxy);
        let mut headers = HeaderMap::new();
        for (name, value) in &config.connect_headers {
            let name = HeaderName::try_from(name).map_err(|_| failed(format!("{name:?} is no name of a header")))?;
            headers.append(name, secret_value(value)?);
        }
        Ok(Some(if headers.is_empty() { proxy } else { proxy.headers(headers) }))
    }
}

/// Follows redirects to the same scheme, host and port only. The library takes `Authorization` from a request that goes elsewhere, but knows
/// nothing of other headers with secrets; the redirect itself is then the answer.
fn within_origin(attempt: Attempt<'_>) -> Action {
    let first = attempt.previous().first().map(Url::origin);
    if first != Some(attempt.url().origin()) {
        return attempt.stop();
    }
    if attempt.previous().len() > REDIRECTS_MAX { attempt.error("too many redirects") } else { attempt.follow() }
}

fn failed(text: impl Into<String>) -> ClientError {
    ClientError::Failed(text.into())
}

fn header_value(text: &str) -> Result<HeaderValue, ClientError> {
    HeaderValue::from_str(text).map_err(|_| failed("a header has characters that headers may not have"))
}

fn secret_value(text: &str) -> Result<HeaderValue, ClientError> {
    let mut value = header_value(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What went wrong, from the outer error to its cause. The URL is left out: whoever shows it knows it, and it may hold secrets.
fn text_of(error: &reqwest::Error) -> String {
    let mut texts = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause in their own text.
        if !texts.iter().any(|known: &String| known.ends_with(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() {
        let whole = error.to_string();
        return whole.split(" for url ").next().unwrap_or_default().to_owned();
    }
    texts.join(": ")
}

pub(crate) fn describe(error: &reqwest::Error, timeout: Duration) -> ClientError {
    if error.is_timeout() { ClientError::Timeout(timeout) } else { failed(text_of(error)) }
}

/// The body of an answer, decompressed, within a limit and as room allows.
pub(crate) async fn read_body(
    mut response: Response,
    bytes_max: u64,
    timeout: Duration,
    room: &mut Room,
) -> Result<Vec<u8>, ClientError> {
    let gzip = match response.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity" | b"") => false,
        Some(b"gzip") => true,
        Some(other) => {
            let text =
                format!("the answer has Content-Encoding {:?}; gzip was asked for", String::from_utf8_lossy(other));
            return Err(failed(text));
        }
    };
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| describe(&error, timeout))? {
        if body.len() as u64 + part.len() as u64 >= bytes_max {
            return Err(ClientError::BodySize(bytes_max));
        }
        room.grow_to(body.len() + part.len()).await;
        body.extend_from_slice(&part);
    }
    if gzip { unzip(&body, bytes_max, room).await } else { Ok(body) }
}

/// Undoes gzip, piece by piece.
async fn unzip(body: &[u8], bytes_max: u64, room: &mut Room) -> Result<Vec<u8>, ClientError> {
    /// Bytes between two looks at the limits.
    const STEP_BYTES: u64 = 256 * 1024;
    let mut plain = Vec::with_capacity(body.len().saturating_mul(4).min(STEP_BYTES as usize));
    let mut reader = flate2::read::MultiGzDecoder::new(body);
    loop {
        let step = STEP_BYTES.min(bytes_max - plain.len() as u64);
        room.grow_to(body.len() + plain.len() + step as usize).await;
        let read = (&mut reader).take(step).read_to_end(&mut plain);
        let read = read.map_err(|error| failed(format!("the gzip stream is broken: {error}")))?;
        if plain.len() as u64 >= bytes_max {
            return Err(ClientError::BodySize(bytes_max));
        }
        if (read as u64) < step {
            return Ok(plain);
        }
    }
}
