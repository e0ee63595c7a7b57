//! Asking a running server, for commands that need one or go around it.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::Value;

use crate::exit::Failure;
use crate::runtime::RunningServer;

/// Variable that holds the token of whoever runs a command.
pub(crate) const TOKEN_VARIABLE: &str = "BACKSTOP_TOKEN";

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where the server of a command is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Where {
    /// The server.
    #[arg(long, value_name = "U", conflicts_with = "data")]
    pub(crate) url: Option<String>,
    /// A data directory: asks the server that runs on it, or reads it when none does.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<std::path::PathBuf>,
}

/// What a command talks to.
pub(crate) enum Place<'a> {
    /// A server.
    Server(Remote),
    /// A directory on which none runs.
    Directory(&'a Path),
}

impl Where {
    /// The server that is named, or that runs on the directory, or the usual one.
    pub(crate) fn place(&self) -> Result<Place<'_>, Failure> {
        let url = match (&self.url, &self.data) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(dir)) => match RunningServer::find(dir) {
                Some(server) => server.url,
                None => return Ok(Place::Directory(dir)),
            },
            (None, None) => "http://127.0.0.1:7070".to_owned(),
        };
        Remote::new(url).map(Place::Server)
    }
}

/// A server's native API.
pub(crate) struct Remote {
    url: String,
    client: Client,
    token: Option<String>,
}

impl Remote {
    fn new(url: String) -> Result<Self, Failure> {
        let client = Client::builder().timeout(TIMEOUT).build();
        let client = client.map_err(|error| Failure::internal(error.to_string(), ""))?;
        Ok(Self { url, client, token: std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()) })
    }

    /// Asks for a path below the server's address; what the server refuses is a failure with its words.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().map_err(|error| {
            let hint = "start a server with `backstop serve`, name one with --url, or a directory with --data";
            Failure::internal(format!("cannot reach {}: {error}", self.url), hint)
        })?;
        let status = answer.status();
        let said: Value = answer.json().unwrap_or_default();
        if status.is_success() {
            return Ok(said);
        }
        let text = |key: &str| said["error"][key].as_str().unwrap_or("").to_owned();
        let message =
            if text("message").is_empty() { format!("the server answered {status}") } else { text("message") };
        let hint = match status.as_u16() {
            401 => format!("put your token into the variable {TOKEN_VARIABLE}"),
            _ => text("hint"),
        };
        Err(Failure::refused(message, hint))
    }
}
