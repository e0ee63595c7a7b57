//! Tokens by OAuth 2.0's client credentials (RFC 6749, section 4.4), kept until they run out.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Client, ClientError, Room, describe, failed, read_body};
use crate::config::{HttpConfig, OAuth2Config};
use crate::limits::TOKEN_BODY_BYTES_MAX;

/// A token is fetched anew this long before it runs out.
const EARLY: Duration = Duration::from_secs(10);
/// Life of a token whose server does not say it.
const LIFE_DEFAULT: Duration = Duration::from_secs(300);

/// The newest token.
#[derive(Debug, Default)]
pub(super) struct Tokens(tokio::sync::Mutex<Option<Token>>);

struct Token {
    text: String,
    until: Instant,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("until", &self.until).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<f64>,
}

impl Tokens {
    pub(super) async fn get(&self, config: &OAuth2Config, timeout: Duration) -> Result<String, ClientError> {
        let mut slot = self.0.lock().await;
        if let Some(token) = slot.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.text.clone());
        }
        let answer = fetch(config, timeout).await?;
        let life = answer.expires_in.filter(|secs| secs.is_finite() && *secs > 0.0);
        let life = life.map_or(LIFE_DEFAULT, |secs| Duration::from_secs_f64(secs.min(1e9)));
        let until = Instant::now() + life.saturating_sub(EARLY);
        *slot = Some(Token { text: answer.access_token.clone(), until });
        Ok(answer.access_token)
    }
}

async fn fetch(config: &OAuth2Config, timeout: Duration) -> Result<Answer, ClientError> {
    // The request has secrets, which are for this server alone.
    let client = Client::new(HttpConfig { stay: true, ..config.http.clone() }).current()?;
    let secret = config.client_secret.as_ref().map(|secret| secret.read().map_err(failed)).transpose()?;
    let mut form = vec![("grant_type", "client_credentials".to_owned())];
    if !config.scopes.is_empty() {
        form.push(("scope", config.scopes.join(" ")));
    }
    form.extend(config.endpoint_params.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let request = client
        .post(&config.token_url)
        .basic_auth(encode(&config.client_id), secret.as_deref().map(encode))
        .timeout(timeout)
        .form(&form);
    let response = request.send().await.map_err(|error| describe(&error, timeout))?;
    let status = response.status();
    if !status.is_success() {
        return Err(failed(format!("oauth2: the token server answers {status}")));
    }
    let body = read_body(response, TOKEN_BODY_BYTES_MAX, timeout, &mut Room::uncounted()).await;
    let body = body.map_err(|error| failed(format!("oauth2: the token server's answer: {error}")))?;
    // The mistake's own text could quote a token.
    serde_json::from_slice(&body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        failed(format!("oauth2: the token server's answer is no token (line {line}, column {column})"))
    })
}
