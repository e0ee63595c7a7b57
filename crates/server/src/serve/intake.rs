//! The sources of changes: what the configuration says of them, with their secrets read.

use change::{Adapter, ChangeKind, Defaults, Mapping, Secret, Source};
use config::{ChangeSourceConfig, ChangesConfig, SecretConfig};

/// Why a source can not be used.
#[derive(Debug)]
pub(crate) struct SourceError {
    key: String,
    reason: String,
}

impl std::error::Error for SourceError {}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "changes.sources.{}: {}", self.key, self.reason)
    }
}

fn error(key: impl Into<String>, reason: impl Into<String>) -> SourceError {
    SourceError { key: key.into(), reason: reason.into() }
}

/// The sources, secrets and all.
pub(crate) fn sources(config: &ChangesConfig) -> Result<Vec<Source>, SourceError> {
    let with_secrets = |(name, source): (&String, &ChangeSourceConfig)| {
        let mut read = shape(name, source)?;
        read.secrets = source.secrets.iter().map(|place| secret(name, place)).collect::<Result<_, _>>()?;
        Ok(read)
    };
    config.sources.iter().map(with_secrets).collect()
}

/// Whether the configuration makes sense, without reading secrets.
pub(crate) fn check(config: &ChangesConfig) -> Result<(), SourceError> {
    config.sources.iter().try_for_each(|(name, source)| shape(name, source).map(drop))
}

fn shape(name: &str, config: &ChangeSourceConfig) -> Result<Source, SourceError> {
    let adapter = Adapter::parse(&config.adapter).ok_or_else(|| {
        let names = Adapter::ALL.map(Adapter::as_str).join(", ");
        error(format!("{name}.adapter"), format!("{:?} is no adapter; there are {names}", config.adapter))
    })?;
    let mapping = match (&config.mapping, adapter) {
        (Some(json), Adapter::Generic) => {
            let read = Mapping::from_json(json);
            let read = read.map_err(|fault| {
                error(format!("{name}.{}", fault.field), format!("{}; {}", fault.message, fault.hint))
            })?;
            for (field, default) in [("service", &config.service), ("kind", &config.kind)] {
                if !read.has(field) && default.is_none() {
                    let reason = format!("nothing says the {field}; map `{field}`, or set `{field}` of the source");
                    return Err(error(format!("{name}.mapping"), reason));
                }
            }
            Some(read)
        }
        (None, Adapter::Generic) => {
            return Err(error(format!("{name}.mapping"), "it is missing; the adapter generic needs one"));
        }
        (Some(_), other) => {
            let reason = format!("the adapter {} reads its own shape; use the adapter generic", other.as_str());
            return Err(error(format!("{name}.mapping"), reason));
        }
        (None, _) => None,
    };
    if let Some(kind) = &config.kind
        && !ChangeKind::ALL.iter().any(|known| known.as_str() == kind)
    {
        let kinds = ChangeKind::ALL.map(ChangeKind::as_str).join(", ");
        return Err(error(format!("{name}.kind"), format!("{kind:?} is no kind of change; there are {kinds}")));
    }
    let defaults = Defaults {
        service: config.service.clone(),
        environment: config.environment.clone(),
        cluster: config.cluster.clone(),
        namespace: config.namespace.clone(),
        kind: config.kind.clone(),
    };
    Ok(Source { name: name.to_owned(), adapter, secrets: Vec::new(), defaults, mapping })
}

fn secret(name: &str, place: &SecretConfig) -> Result<Secret, SourceError> {
    let key = || format!("{name}.secrets");
    let (text, whence) = match place {
        SecretConfig::Literal(text) => (text.clone(), "the configuration".to_owned()),
        SecretConfig::Env(variable) => {
            let text = std::env::var(variable)
                .map_err(|_| error(key(), format!("the environment variable {variable} is not set")))?;
            (text, format!("the environment variable {variable}"))
        }
        SecretConfig::File(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|fault| error(key(), format!("cannot read {}: {fault}", path.display())))?;
            (text, path.display().to_string())
        }
    };
    Secret::new(&text).ok_or_else(|| error(key(), format!("{whence} holds an empty secret")))
}

/// Says at the start which adapters take deliveries from anybody.
pub(crate) fn warn_of_open_sources(sources: &[Source]) {
    let is_guarded = |adapter: &Adapter| {
        let mut of_adapter = sources.iter().filter(|source| source.adapter == *adapter).peekable();
        of_adapter.peek().is_some() && of_adapter.all(|source| !source.secrets.is_empty())
    };
    let open: Vec<&str> = Adapter::ALL
        .iter()
        .filter(|adapter| !is_guarded(adapter))
        .filter(|adapter| {
            **adapter != Adapter::Generic || sources.iter().any(|source| source.adapter == Adapter::Generic)
        })
        .map(|adapter| adapter.as_str())
        .collect();
    if !open.is_empty() {
        tracing::warn!(
            adapters = open.join(","),
            "changes are taken from anybody who reaches the port: no secret is set in changes.sources"
        );
    }
}

#[cfg(test)]
mod tests {
    use config::Config;

    use super::*;

    fn outcome(text: &str) -> String {
        let config = Config::parse("f", text).expect("configuration");
        match sources(&config.changes) {
            Ok(sources) => format!("{} sources", sources.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn mistakes_name_their_place() {
        for (text, want) in [
            ("a: {adapter: github, secrets: [x]}", "1 sources"),
            (
                "a: {adapter: githup}",
                "changes.sources.a.adapter: \"githup\" is no adapter; there are cdevents, github,",
            ),
            ("a: {adapter: generic}", "changes.sources.a.mapping: it is missing"),
            ("a: {adapter: generic, mapping: {id: x}}", "changes.sources.a.mapping: nothing says the service"),
            (
                "a: {adapter: generic, mapping: {sirvice: x}}",
                "changes.sources.a.mapping.sirvice: there is no such field",
            ),
            ("a: {adapter: generic, service: s, mapping: {id: x}}", "changes.sources.a.mapping: nothing says the kind"),
            ("a: {adapter: generic, service: s, kind: config, mapping: {id: x}}", "1 sources"),
            ("a: {adapter: github, mapping: {id: x}}", "changes.sources.a.mapping: the adapter github reads its own"),
            ("a: {adapter: grafana, kind: deploi}", "changes.sources.a.kind: \"deploi\" is no kind"),
            (
                "a: {adapter: github, secrets: [{env: BACKSTOP_NO_SUCH_VARIABLE}]}",
                "changes.sources.a.secrets: the environment variable BACKSTOP_NO_SUCH_VARIABLE is not set",
            ),
            ("a: {adapter: github, secrets: [{file: /nonexistent/secret}]}", "changes.sources.a.secrets: cannot read"),
        ] {
            let got = outcome(&format!("changes: {{sources: {{{text}}}}}"));
            assert!(got.starts_with(want), "{text}: {got}");
        }
    }
}
