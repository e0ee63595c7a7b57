//! Settings of the change intake: who may report changes, and how what they send is read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use crate::ConfigError;
use crate::raw::Check;

/// Longest name of a source, in bytes.
const SOURCE_NAME_BYTES_MAX: usize = 64;

/// Settings of the change intake.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangesConfig {
    /// Who reports changes, by name.
    pub sources: BTreeMap<String, ChangeSourceConfig>,
}

/// A source of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeSourceConfig {
    /// The name of its adapter: `github`, `generic`, ...
    pub adapter: String,
    /// What its senders must know one of.
    pub secrets: Vec<SecretConfig>,
    /// The service of deliveries that name none.
    pub service: Option<String>,
    /// The environment of deliveries that name none.
    pub environment: Option<String>,
    /// The cluster of deliveries that name none.
    pub cluster: Option<String>,
    /// The namespace of deliveries that name none.
    pub namespace: Option<String>,
    /// The kind of changes that name none.
    pub kind: Option<String>,
    /// How the adapter `generic` reads.
    pub mapping: Option<serde_json::Value>,
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretConfig {
    /// In an environment variable.
    Env(String),
    /// In a file; white space around it does not count.
    File(PathBuf),
    /// Here.
    Literal(String),
}

/// A secret that stands in the file is not shown.
impl fmt::Debug for SecretConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "Env({name:?})"),
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Literal(_) => f.write_str("Literal(***)"),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawChanges {
    pub sources: BTreeMap<String, RawChangeSource>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawChangeSource {
    pub adapter: String,
    #[serde(default)]
    pub secrets: Vec<RawSecret>,
    #[serde(default)]
    pub service: Option<String>,
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub cluster: Option<String>,
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub mapping: Option<serde_json::Value>,
}

#[derive(Clone, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "see RawConfig")]
pub enum RawSecret {
    Place(RawSecretPlace),
    Literal(#[serde(serialize_with = "hidden")] String),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[allow(missing_docs, reason = "see RawConfig")]
pub enum RawSecretPlace {
    Env(String),
    File(String),
}

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(place) => place.fmt(f),
            Self::Literal(_) => f.write_str("***"),
        }
    }
}

fn hidden<S: Serializer>(_: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("***")
}

impl Check<'_> {
    pub(crate) fn changes(&self, raw: RawChanges) -> Result<ChangesConfig, ConfigError> {
        let mut sources = BTreeMap::new();
        for (name, source) in raw.sources {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.len() > SOURCE_NAME_BYTES_MAX || !name.chars().all(plain) {
                let hint = format!("use 1 to {SOURCE_NAME_BYTES_MAX} letters, digits or -_.; it is part of a path");
                return Err(self.error("changes.sources", &name, "a name of a source", &hint));
            }
            let secrets = source.secrets.into_iter().map(|secret| self.secret(&name, secret));
            let secrets = secrets.collect::<Result<_, _>>()?;
            let RawChangeSource { adapter, service, environment, cluster, namespace, kind, mapping, .. } = source;
            let source =
                ChangeSourceConfig { adapter, secrets, service, environment, cluster, namespace, kind, mapping };
            sources.insert(name, source);
        }
        Ok(ChangesConfig { sources })
    }

    fn secret(&self, source: &str, raw: RawSecret) -> Result<SecretConfig, ConfigError> {
        let secret = match raw {
            RawSecret::Place(RawSecretPlace::Env(name)) => SecretConfig::Env(name),
            RawSecret::Place(RawSecretPlace::File(path)) => SecretConfig::File(PathBuf::from(path)),
            RawSecret::Literal(text) => SecretConfig::Literal(text),
        };
        let is_empty = match &secret {
            SecretConfig::Env(text) | SecretConfig::Literal(text) => text.trim().is_empty(),
            SecretConfig::File(path) => path.as_os_str().is_empty(),
        };
        if is_empty {
            let key = format!("changes.sources.{source}.secrets");
            let hint = "write {env: NAME}, {file: PATH} or the secret itself; leave secrets out to ask for no proof";
            return Err(self.error(&key, "", "a secret", hint));
        }
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::{Config, RawConfig};

    const TEXT: &str = "changes:\n  sources:\n    hub: {adapter: github, secrets: [{env: HUB}, {file: /run/hub}, s3cret]}\n    ci:\n      adapter: generic\n      environment: production\n      mapping: {id: build.id, labels: {branch: scm.branch}}\n";

    #[test]
    fn sources_are_read_and_secrets_not_shown() {
        let config = Config::parse("f", TEXT).expect("valid");
        let hub = &config.changes.sources["hub"];
        assert_eq!(hub.secrets[2], SecretConfig::Literal("s3cret".into()));
        expect![[r#"[Env("HUB"), File("/run/hub"), Literal(***)]"#]].assert_eq(&format!("{:?}", hub.secrets));
        assert_eq!(config.changes.sources["ci"].mapping.as_ref().expect("mapping")["labels"]["branch"], "scm.branch");
        let raw = RawConfig::parse("f", TEXT).expect("valid");
        assert!(!serde_json::to_string(&raw).expect("JSON").contains("s3cret"));
        assert!(!format!("{raw:?}").contains("s3cret"));
    }

    #[test]
    fn mistakes_name_the_source() {
        let error = |text: &str| Config::parse("f", text).expect_err("must not parse").to_string();
        expect![[r#"
            f: changes.sources is "a/b", which is not a name of a source
            hint: use 1 to 64 letters, digits or -_.; it is part of a path"#]]
        .assert_eq(&error("changes: {sources: {a/b: {adapter: github}}}"));
        expect![[r#"
            f: changes.sources.a.secrets is "", which is not a secret
            hint: write {env: NAME}, {file: PATH} or the secret itself; leave secrets out to ask for no proof"#]]
        .assert_eq(&error("changes: {sources: {a: {adapter: github, secrets: ['']}}}"));
        assert!(error("changes: {sources: {a: {adapter: github, secret: x}}}").contains("secret"));
    }
}
