//! Who asks: principals by their bearer tokens.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use catalog::ledger::sha256_hex;
use respond::Principal;

use crate::ApiError;

/// Who something was done by when nobody has to say who they are.
const ANYONE: &str = "api";

/// Those who may approve, by the hashes of their tokens: the tokens themselves are not kept, and comparing hashes tells nothing
/// about them by how long it takes.
#[derive(Clone, Debug, Default)]
pub struct Approvers(Vec<(Principal, String)>);

impl Approvers {
    /// Adds a person; false when somebody has the same token.
    pub fn add(&mut self, principal: Principal, token: &str) -> bool {
        let hash = sha256_hex(token.as_bytes());
        if self.0.iter().any(|(_, known)| *known == hash) {
            return false;
        }
        self.0.push((principal, hash));
        true
    }

    /// The people.
    pub fn principals(&self) -> Vec<Principal> {
        self.0.iter().map(|(principal, _)| principal.clone()).collect()
    }

    /// Who sends a request; it must be somebody.
    pub(crate) fn require(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        if self.0.is_empty() {
            let hint = "name people and their tokens under `approvers` in the configuration";
            return Err(ApiError::forbidden("nobody is configured who may do this", hint));
        }
        let hint = "send `Authorization: Bearer TOKEN` with your token";
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Err(ApiError::unauthorized("it must be known who you are", hint));
        };
        let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        let hash = token.map(|token| sha256_hex(token.trim().as_bytes()));
        let found = self.0.iter().find(|(_, known)| Some(known) == hash.as_ref());
        found
            .map(|(principal, _)| principal.clone())
            .ok_or_else(|| ApiError::unauthorized("the token is nobody's", hint))
    }

    /// Who sends a request that anyone may send: somebody when a token is there, which must be right then.
    pub(crate) fn anyone(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        if headers.contains_key(AUTHORIZATION) && !self.0.is_empty() {
            return self.require(headers);
        }
        Ok(Principal { name: ANYONE.to_owned(), roles: Vec::new() })
    }

    /// Like [`Self::require`] where people are configured, like [`Self::anyone`] where nobody is.
    pub(crate) fn known(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        if self.0.is_empty() { self.anyone(headers) } else { self.require(headers) }
    }
}
