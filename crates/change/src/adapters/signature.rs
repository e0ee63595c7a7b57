//! Whether a delivery knows a secret of its source.
//!
//! Each system proves it in its own way; what is compared is compared in constant time. GitHub signs the body
//! (`X-Hub-Signature-256`); GitLab sends its token (`X-Gitlab-Token`), or signs by Standard Webhooks
//! (<https://www.standardwebhooks.com>); PagerDuty's clients put a routing key into the body. All others may send the secret
//! as a bearer token, or sign the body as GitHub or Flux (`X-Signature`) do.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::{Adapter, Delivery, Source};

/// How old, or how far in the future, the time in a Standard Webhooks signature may be, in seconds.
pub const SIGNATURE_AGE_MAX_S: i64 = 300;

/// A secret that senders know. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret; an empty one would let everybody in, so there is none.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    fn is(&self, text: &str) -> bool {
        // Hashes have one length, so that not even the length of the secret shows.
        Sha256::digest(self.0.as_bytes()).ct_eq(&Sha256::digest(text.as_bytes())).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Source {
    /// Whether a delivery proves that its sender knows one of the source's secrets; the error says what is missing, for people. A
    /// source without secrets asks for nothing.
    pub fn check_proof(&self, delivery: &Delivery<'_>) -> Result<(), String> {
        if self.secrets.is_empty() {
            return Ok(());
        }
        let proof = Proof::find(self.adapter, delivery)?;
        if self.secrets.iter().any(|secret| proof.holds(secret, delivery)) {
            return Ok(());
        }
        Err(format!("the {} does not match any secret of source {:?}", proof.name(), self.name))
    }
}

/// What a delivery offers as proof.
enum Proof {
    /// The secret itself.
    Token { text: String, place: &'static str },
    /// HMAC-SHA256 of the body, in hexadecimal.
    Sha256 { hex: String, place: &'static str },
    /// HMAC-SHA512 of the body, in hexadecimal.
    Sha512 { hex: String },
    /// Standard Webhooks: base64 of HMAC-SHA256 of id, time and body; any of several.
    Standard { id: String, time: String, signatures: Vec<String> },
}

impl Proof {
    fn find(adapter: Adapter, delivery: &Delivery<'_>) -> Result<Proof, String> {
        let header = |name: &str| delivery.headers.get(name).map(|text| text.trim().to_owned());
        let found = match adapter {
            Adapter::GitHub => Self::hub(header("x-hub-signature-256")),
            Adapter::GitLab => match header("x-gitlab-token") {
                Some(text) => Some(Self::Token { text, place: "X-Gitlab-Token" }),
                None => Self::standard(delivery)?,
            },
            Adapter::PagerDuty => match routing_key(delivery.body) {
                Some(text) => Some(Self::Token { text, place: "routing_key" }),
                None => Self::bearer(delivery),
            },
            _ => match Self::bearer(delivery) {
                Some(token) => Some(token),
                None => Self::signed(header("x-signature"), header("x-hub-signature-256"), delivery)?,
            },
        };
        found.ok_or_else(|| {
            let wanted = match adapter {
                Adapter::GitHub => "X-Hub-Signature-256",
                Adapter::GitLab => "X-Gitlab-Token or webhook-signature",
                Adapter::PagerDuty => "routing_key",
                Adapter::Honeycomb => "X-Honeycomb-Team",
                _ => "Authorization: Bearer, X-Signature, X-Hub-Signature-256 or webhook-signature",
            };
            format!("the delivery has no {wanted}")
        })
    }

    fn hub(header: Option<String>) -> Option<Proof> {
        let hex = header?;
        let hex = hex.strip_prefix("sha256=").unwrap_or(&hex).to_owned();
        Some(Self::Sha256 { hex, place: "X-Hub-Signature-256" })
    }

    fn bearer(delivery: &Delivery<'_>) -> Option<Proof> {
        let header = |name: &str| delivery.headers.get(name).map(|text| text.trim());
        if let Some(key) = header("x-honeycomb-team") {
            return Some(Self::Token { text: key.to_owned(), place: "X-Honeycomb-Team" });
        }
        let (scheme, rest) = header("authorization")?.split_once(' ')?;
        let text = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => rest.trim().to_owned(),
            // The password of Basic credentials: how some clients send Grafana's keys.
            "basic" => {
                let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
                decoded.split_once(':')?.1.to_owned()
            }
            _ => return None,
        };
        Some(Self::Token { text, place: "Authorization" })
    }

    fn signed(flux: Option<String>, hub: Option<String>, delivery: &Delivery<'_>) -> Result<Option<Proof>, String> {
        match flux.as_deref().map(|text| text.split_once('=').unwrap_or(("sha256", text))) {
            Some(("sha256", hex)) => {
                return Ok(Some(Self::Sha256 { hex: hex.to_owned(), place: "X-Signature" }));
            }
            Some(("sha512", hex)) => return Ok(Some(Self::Sha512 { hex: hex.to_owned() })),
            Some((other, _)) => return Err(format!("X-Signature is made with {other:?}; use sha256 or sha512")),
            None => {}
        }
        match Self::hub(hub) {
            Some(proof) => Ok(Some(proof)),
            None => Self::standard(delivery),
        }
    }

    fn standard(delivery: &Delivery<'_>) -> Result<Option<Proof>, String> {
        let header = |name: &str| delivery.headers.get(name).cloned();
        let Some(signatures) = header("webhook-signature") else { return Ok(None) };
        let (Some(id), Some(time)) = (header("webhook-id"), header("webhook-timestamp")) else {
            return Err("webhook-signature needs webhook-id and webhook-timestamp".to_owned());
        };
        let seconds: i64 = time.parse().map_err(|_| format!("webhook-timestamp is {time:?}, not Unix seconds"))?;
        let age_s = (delivery.arrived_at.0 / 1_000_000_000).saturating_sub(seconds);
        if age_s.saturating_abs() > SIGNATURE_AGE_MAX_S {
            return Err(format!("webhook-timestamp is {age_s} s old, {SIGNATURE_AGE_MAX_S} s are allowed"));
        }
        let signatures = signatures.split(' ').filter_map(|text| text.strip_prefix("v1,")).map(str::to_owned).collect();
        Ok(Some(Self::Standard { id, time, signatures }))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Token { place, .. } | Self::Sha256 { place, .. } => place,
            Self::Sha512 { .. } => "X-Signature",
            Self::Standard { .. } => "webhook-signature",
        }
    }

    fn holds(&self, secret: &Secret, delivery: &Delivery<'_>) -> bool {
        match self {
            Self::Token { text, .. } => secret.is(text),
            Self::Sha256 { hex, .. } => {
                let mut mac = sha256(secret.0.as_bytes());
                mac.update(delivery.body);
                hex::decode(hex).is_ok_and(|tag| mac.verify_slice(&tag).is_ok())
            }
            Self::Sha512 { hex } => {
                let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(secret.0.as_bytes()) else { return false };
                mac.update(delivery.body);
                hex::decode(hex).is_ok_and(|tag| mac.verify_slice(&tag).is_ok())
            }
            Self::Standard { id, time, signatures } => signatures.iter().any(|signature| {
                let key = secret.0.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
                let mut mac = sha256(key.as_deref().unwrap_or(secret.0.as_bytes()));
                mac.update(format!("{id}.{time}.").as_bytes());
                mac.update(delivery.body);
                STANDARD.decode(signature).is_ok_and(|tag| mac.verify_slice(&tag).is_ok())
            }),
        }
    }
}

#[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn sha256(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key of any length")
}

fn routing_key(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body.get("routing_key")?.as_str().map(str::to_owned)
}
