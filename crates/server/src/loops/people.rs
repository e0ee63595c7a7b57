//! Who may approve: principals of the settings, with their tokens.

use anyhow::{Context as _, bail};
use api::Approvers;
use config::{ApproverConfig, TokenSource};
use respond::Principal;

/// Shortest token, in bytes: shorter ones can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Reads the tokens from where they are.
pub(crate) fn approvers(config: &[ApproverConfig]) -> anyhow::Result<Approvers> {
    let mut approvers = Approvers::default();
    for person in config {
        let token = match &person.token {
            TokenSource::Text(token) => token.clone(),
            TokenSource::Env(name) => std::env::var(name)
                .with_context(|| format!("cannot read the token of approver {:?}: variable {name}", person.name))?,
            TokenSource::File(path) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the token of approver {:?}: {}", person.name, path.display()))?,
        };
        let token = token.trim();
        if token.len() < TOKEN_BYTES_MIN {
            let (name, bytes) = (&person.name, token.len());
            bail!("cannot read the token of approver {name:?}: it has {bytes} bytes, {TOKEN_BYTES_MIN} are needed");
        }
        let principal = Principal { name: person.name.clone(), roles: person.roles.clone() };
        if !approvers.add(principal, token) {
            bail!("cannot read the token of approver {:?}: somebody else has the same", person.name);
        }
    }
    Ok(approvers)
}
