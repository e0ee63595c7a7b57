//! JSON over HTTP to a server that the settings name: its URL, its token, its certificates.
//!
//! What matters of an answer is what it says about the side effect, so a request ends in one of three ways: it was answered, it
//! certainly never left, or it broke off and nobody knows.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::blocking::{Client, ClientBuilder};
use reqwest::{Certificate, Method, Url};
use serde_json::Value as Json;

use crate::deadline::Deadline;
use crate::{ActError, OUTPUT_BYTES_MAX};

/// Longest wait for a connection: nothing has happened yet, so it can be short.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are read: an application of Argo CD lists every resource it has.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A client that follows no redirect: an allowed address must not lead to one that is not.
pub(crate) fn client_builder() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy()
        .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")))
}

/// A server that actions speak to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// Its URL; requests go to paths below it.
    pub url: String,
    /// The token, if it wants one.
    pub token: Option<Token>,
    /// The header that carries the token, where it is not `Authorization`.
    pub header: Option<String>,
    /// A file of certificates (PEM) to trust besides the usual ones.
    pub ca_file: Option<PathBuf>,
}

/// Where a token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// The text itself.
    Text(String),
    /// A file that holds it, read at every action.
    File(PathBuf),
}

impl Token {
    /// The token itself.
    pub(crate) fn read(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| text.trim().to_owned())
                .map_err(|error| format!("the token in {} can not be read: {error}", path.display())),
        }
    }
}

/// A server with its client.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: Url,
    pub(crate) options: ServerOptions,
    client: Client,
}

/// Servers by name.
pub(crate) fn servers(options: &BTreeMap<String, ServerOptions>) -> Result<BTreeMap<String, Server>, ActError> {
    options.iter().map(|(name, options)| Ok((name.clone(), Server::new(options)?))).collect()
}

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It was answered.
    Answered(Answer),
    /// It never left: nothing happened.
    Never(String),
    /// It may have arrived, and nobody said what became of it.
    Broken(String),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    /// Whether it says that all is well.
    pub(crate) fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the other side broke, or gave up waiting for a third: the work may be done all the same.
    pub(crate) fn unsure(&self) -> bool {
        matches!(self.status, 408 | 500 | 502 | 503 | 504)
    }

    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or(Json::Null)
    }

    /// Status and message, for people.
    pub(crate) fn said(&self) -> String {
        let json = self.json();
        let message = ["message", "error"].into_iter().find_map(|name| json[name].as_str());
        let message = message.unwrap_or(&self.text).trim();
        let shown: String = message.chars().take(SHOWN_CHARS_MAX).collect();
        format!("{} {shown}", self.status).trim_end().to_owned()
    }
}

/// Most characters of an answer that a sentence repeats.
const SHOWN_CHARS_MAX: usize = 300;

/// A request to a server.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// The path below the server's URL, encoded.
    pub(crate) path: String,
    /// Headers besides the token.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<&'a Json>,
}

impl<'a> Ask<'a> {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn with(method: Method, path: impl Into<String>, body: Option<&'a Json>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Server {
    fn new(options: &ServerOptions) -> Result<Self, ActError> {
        let url = Url::parse(&options.url).map_err(|_| ActError::Url(options.url.clone()))?;
        let mut builder = client_builder();
        if let Some(path) = &options.ca_file {
            let mistake = |why: String| ActError::Certificate { path: path.clone(), why };
            let pem = std::fs::read(path).map_err(|error| mistake(error.to_string()))?;
            for found in Certificate::from_pem_bundle(&pem).map_err(|error| mistake(error.to_string()))? {
                builder = builder.add_root_certificate(found);
            }
        }
        Ok(Self { url, options: options.clone(), client: builder.build()? })
    }

    /// Sends a request. `scheme` stands before the token, as in `Bearer `.
    pub(crate) fn send(&self, scheme: &str, ask: Ask<'_>, deadline: Deadline) -> Sent {
        if deadline.passed() {
            return Sent::Never("no time is left".to_owned());
        }
        let text = format!("{}{}", self.options.url.trim_end_matches('/'), ask.path);
        let Ok(url) = Url::parse(&text) else { return Sent::Never(format!("{text:?} is not a URL")) };
        if !is_below(&url, &self.url) {
            return Sent::Never(format!("{url} is not below {}", self.url));
        }
        let mut builder = self.client.request(ask.method, url).timeout(deadline.left());
        if let Some(token) = &self.options.token {
            match token.read() {
                Ok(token) => {
                    let name = self.options.header.as_deref().unwrap_or("Authorization");
                    builder = builder.header(name, format!("{scheme}{token}"));
                }
                Err(why) => return Sent::Never(why),
            }
        }
        if let Some(body) = ask.body {
            builder = builder.json(body);
        }
        for (name, value) in ask.headers {
            builder = builder.header(name, value);
        }
        match builder.send() {
            Ok(response) => {
                let status = response.status().as_u16();
                let mut bytes = Vec::new();
                match response.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes) {
                    Ok(_) => Sent::Answered(Answer { status, text: String::from_utf8_lossy(&bytes).into_owned() }),
                    Err(error) => Sent::Broken(format!("the answer broke off after its status {status}: {error}")),
                }
            }
            Err(error) => not_answered(&error, deadline),
        }
    }

    /// The token, for redaction; nothing when it can not be read.
    pub(crate) fn secret(&self) -> Option<String> {
        self.options.token.as_ref()?.read().ok()
    }
}

/// What a request that got no answer says of the side effect.
pub(crate) fn not_answered(error: &reqwest::Error, deadline: Deadline) -> Sent {
    let late = if deadline.passed() { " in time" } else { "" };
    if error.is_connect() || error.is_builder() {
        return Sent::Never(format!("the server could not be reached: {}", root(error)));
    }
    Sent::Broken(format!("no answer{late}, or it broke off: {}", root(error)))
}

/// The innermost reason, which is the one that says something.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Whether a URL lies below an allowed start: same scheme, host and port, no credentials, and a path that goes on from the
/// start's at a boundary. Dot segments are already resolved in a parsed URL.
pub(crate) fn is_below(url: &Url, start: &Url) -> bool {
    let same_origin = url.scheme() == start.scheme()
        && url.host_str() == start.host_str()
        && url.port_or_known_default() == start.port_or_known_default();
    let clean = url.username().is_empty() && url.password().is_none();
    let encoded_dots = url.path().to_ascii_lowercase().contains("%2e");
    let rest = url.path().strip_prefix(start.path());
    let boundary = rest.is_some_and(|rest| start.path().ends_with('/') || rest.is_empty() || rest.starts_with('/'));
    same_origin && clean && boundary && !encoded_dots
}

/// A text as one segment of a path, or one value of a query. A segment of dots would be a step up, and is refused by the server's
/// own check of what lies below it.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// JSON for the record, capped.
pub(crate) fn record(json: &Json) -> Vec<u8> {
    let mut bytes = json.to_string().into_bytes();
    bytes.truncate(OUTPUT_BYTES_MAX);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_an_allowed_start() {
        let start = Url::parse("http://deploy.example:8080/api").expect("URL");
        let below = |url: &str| is_below(&Url::parse(url).expect("URL"), &start);
        assert!(below("http://deploy.example:8080/api"));
        assert!(below("http://deploy.example:8080/api/checkout?x=1"));
        for url in [
            "http://deploy.example:8080/apis",
            "http://deploy.example:8080/api/../admin",
            "http://deploy.example:8080/api/%2e%2e/admin",
            "http://deploy.example:8081/api",
            "https://deploy.example:8080/api",
            "http://deploy.example.evil:8080/api",
            "http://deploy.example:8080@evil/api",
            "http://user@deploy.example:8080/api",
        ] {
            assert!(!below(url), "{url}");
        }
    }

    #[test]
    fn a_segment_is_one_segment() {
        assert_eq!(segment("a/b?c=d e"), "a%2Fb%3Fc%3Dd%20e");
    }
}
