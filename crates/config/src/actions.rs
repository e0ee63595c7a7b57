//! What actions may do: the settings under `actions`, checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::ConfigError;
use crate::raw::{Check, RawActions, RawServer};

/// Every kind of action. The crate `respond` knows what each is; a test of `act` holds the two together.
pub const ACTION_KINDS: [&str; 11] = [
    "http",
    "exec",
    "argocd",
    "systemd",
    "compose",
    "git_revert",
    "flag",
    "kubernetes",
    "helm",
    "argo_rollouts",
    "flux",
];

/// What actions may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionConfig {
    /// Kinds that may happen; when empty, those for which something is allowed.
    pub kinds: Vec<String>,
    /// Programs that `exec` actions may run, as absolute paths.
    pub exec_allow: Vec<PathBuf>,
    /// Starts of URLs that `http` actions may call; empty allows none.
    pub http_allow: Vec<String>,
    /// Starts of URLs (`http://`) and addresses (`tcp://`) that probes may try; empty allows none.
    pub probe_allow: Vec<String>,
    /// Environment variables given to `exec` actions.
    pub exec_env: BTreeMap<String, String>,
    /// Texts that are replaced by `***` in recorded output.
    pub redact: Vec<String>,
    /// Servers of Argo CD by name.
    pub argocd: BTreeMap<String, ServerConfig>,
    /// Services of feature flags by name.
    pub flags: BTreeMap<String, ServerConfig>,
    /// The program that speaks to systemd, and its first arguments.
    pub systemctl: Vec<String>,
    /// Patterns of units that `systemd` actions may touch.
    pub systemd_allow: Vec<String>,
    /// Symbolic links that `systemd` actions may re-point.
    pub systemd_links: Vec<PathBuf>,
    /// The program that speaks Compose, and its first arguments.
    pub compose: Vec<String>,
    /// Folders of Compose projects that `compose` actions may touch.
    pub compose_allow: Vec<PathBuf>,
    /// Environment variables given to the Compose program.
    pub compose_env: BTreeMap<String, String>,
    /// The Git program and its first arguments.
    pub git: Vec<String>,
    /// Repositories that `git_revert` actions may push to.
    pub git_allow: Vec<String>,
    /// Environment variables given to Git.
    pub git_env: BTreeMap<String, String>,
}

/// A server that actions speak to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Its URL; requests go to paths below it.
    pub url: String,
    /// The token, if it wants one.
    pub token: Option<TokenConfig>,
    /// The header that carries the token, where it is not `Authorization`.
    pub header: Option<String>,
    /// A file of certificates (PEM) to trust besides the usual ones.
    pub ca_file: Option<PathBuf>,
}

/// Where a token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenConfig {
    /// The settings hold it.
    Text(String),
    /// A file holds it, which is read at every action: it may be renewed meanwhile.
    File(PathBuf),
}

impl Check<'_> {
    pub(crate) fn actions(&self, raw: RawActions) -> Result<ActionConfig, ConfigError> {
        if let Some(kind) = raw.kinds.iter().find(|kind| !ACTION_KINDS.contains(&kind.as_str())) {
            let hint = format!("the kinds are {}", ACTION_KINDS.join(", "));
            return Err(self.error("actions.kinds", kind, "a kind of action", &hint));
        }
        for url in &raw.http_allow {
            self.url("actions.http_allow", url)?;
        }
        for start in raw.probe_allow.iter().filter(|start| !start.starts_with("tcp://")) {
            self.url("actions.probe_allow", start)?;
        }
        if let Some(pattern) = raw.systemd_allow.iter().find(|pattern| pattern.trim_matches('*').is_empty()) {
            let hint = "name the units that playbooks may touch, as in shop@*.service";
            return Err(self.error("actions.systemd_allow", pattern, "a unit or a pattern of units", hint));
        }
        for repository in &raw.git_allow {
            self.repository(repository)?;
        }
        Ok(ActionConfig {
            exec_allow: self.paths("actions.exec_allow", raw.exec_allow)?,
            systemd_links: self.paths("actions.systemd_links", raw.systemd_links)?,
            compose_allow: self.paths("actions.compose_allow", raw.compose_allow)?,
            systemctl: self.program("actions.systemctl", raw.systemctl)?,
            compose: self.program("actions.compose", raw.compose)?,
            git: self.program("actions.git", raw.git)?,
            argocd: self.servers("actions.argocd", raw.argocd)?,
            flags: self.servers("actions.flags", raw.flags)?,
            kinds: raw.kinds,
            http_allow: raw.http_allow,
            probe_allow: raw.probe_allow,
            exec_env: raw.exec_env,
            redact: raw.redact,
            systemd_allow: raw.systemd_allow,
            compose_env: raw.compose_env,
            git_allow: raw.git_allow,
            git_env: raw.git_env,
        })
    }

    fn paths(&self, key: &str, paths: Vec<String>) -> Result<Vec<PathBuf>, ConfigError> {
        let read = |path: String| match path.starts_with('/') {
            true => Ok(PathBuf::from(path)),
            false => {
                Err(self.error(key, &path, "an absolute path", "nothing is looked up in PATH or a working directory"))
            }
        };
        paths.into_iter().map(read).collect()
    }

    fn program(&self, key: &str, argv: Vec<String>) -> Result<Vec<String>, ConfigError> {
        match argv.first() {
            Some(program) if program.starts_with('/') => Ok(argv),
            program => {
                let program = program.map_or("", String::as_str);
                let hint = "begin with the program's absolute path; it is never looked up in PATH";
                Err(self.error(key, program, "a program", hint))
            }
        }
    }

    fn url(&self, key: &str, url: &str) -> Result<(), ConfigError> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(self.error(key, url, "the start of a URL", "begin with https:// and name the host"));
        }
        Ok(())
    }

    fn repository(&self, repository: &str) -> Result<(), ConfigError> {
        let authority = repository.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
        if authority.split_once('@').is_some_and(|(user, _)| user.contains(':')) {
            let hint = "take the password out; give a credential helper in actions.git_env";
            return Err(self.error("actions.git_allow", "...", "an address without a password", hint));
        }
        let usual = ["https://", "http://", "ssh://", "git://", "file:///", "/"];
        let known = usual.iter().any(|start| repository.starts_with(start));
        let scp = !repository.contains("::") && repository.split_once(':').is_some_and(|(host, _)| host.contains('@'));
        if known || scp {
            return Ok(());
        }
        let hint = "write https://host/path.git, ssh://git@host/path.git, git@host:path.git or an absolute path";
        Err(self.error("actions.git_allow", repository, "the address of a repository", hint))
    }

    fn servers(
        &self,
        key: &str,
        raw: BTreeMap<String, RawServer>,
    ) -> Result<BTreeMap<String, ServerConfig>, ConfigError> {
        let mut servers = BTreeMap::new();
        for (name, raw) in raw {
            let key = format!("{key}.{name}");
            self.url(&format!("{key}.url"), &raw.url)?;
            let token = match (raw.token, raw.token_file) {
                (Some(_), Some(file)) => {
                    let hint = "give token or token_file, not both";
                    return Err(self.error(&format!("{key}.token_file"), &file, "the only source of the token", hint));
                }
                (Some(token), None) => Some(TokenConfig::Text(token)),
                (None, Some(file)) => Some(TokenConfig::File(PathBuf::from(file))),
                (None, None) => None,
            };
            let ca_file = raw.ca_file.map(PathBuf::from);
            servers.insert(name, ServerConfig { url: raw.url, token, header: raw.header, ca_file });
        }
        Ok(servers)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::Config;

    fn mistake(actions: &str, want: Expect) {
        let text = format!("actions: {actions}");
        want.assert_eq(&Config::parse("f", &text).expect_err("must not parse").to_string());
    }

    #[test]
    fn mistakes_name_the_key() {
        mistake(
            "{kinds: [https]}",
            expect![[r#"
            f: actions.kinds is "https", which is not a kind of action
            hint: the kinds are http, exec, argocd, systemd, compose, git_revert, flag, kubernetes, helm, argo_rollouts, flux"#]],
        );
        mistake(
            "{http_allow: ['https:///x']}",
            expect![[r#"
            f: actions.http_allow is "https:///x", which is not the start of a URL
            hint: begin with https:// and name the host"#]],
        );
        mistake(
            "{exec_allow: [rollback]}",
            expect![[r#"
            f: actions.exec_allow is "rollback", which is not an absolute path
            hint: nothing is looked up in PATH or a working directory"#]],
        );
        mistake(
            "{systemctl: []}",
            expect![[r#"
            f: actions.systemctl is "", which is not a program
            hint: begin with the program's absolute path; it is never looked up in PATH"#]],
        );
        mistake(
            "{compose: [docker, compose]}",
            expect![[r#"
            f: actions.compose is "docker", which is not a program
            hint: begin with the program's absolute path; it is never looked up in PATH"#]],
        );
        mistake(
            "{systemd_allow: ['*']}",
            expect![[r#"
            f: actions.systemd_allow is "*", which is not a unit or a pattern of units
            hint: name the units that playbooks may touch, as in shop@*.service"#]],
        );
        mistake(
            "{git_allow: ['https://me:hunter2@git.example/x.git']}",
            expect![[r#"
            f: actions.git_allow is "...", which is not an address without a password
            hint: take the password out; give a credential helper in actions.git_env"#]],
        );
        mistake(
            "{git_allow: ['ext::sh -c id']}",
            expect![[r#"
            f: actions.git_allow is "ext::sh -c id", which is not the address of a repository
            hint: write https://host/path.git, ssh://git@host/path.git, git@host:path.git or an absolute path"#]],
        );
        mistake(
            "{argocd: {main: {url: argocd.example}}}",
            expect![[r#"
            f: actions.argocd.main.url is "argocd.example", which is not the start of a URL
            hint: begin with https:// and name the host"#]],
        );
        mistake(
            "{flags: {ld: {url: 'https://h', token: a, token_file: /b}}}",
            expect![[r#"
            f: actions.flags.ld.token_file is "/b", which is not the only source of the token
            hint: give token or token_file, not both"#]],
        );
    }

    #[test]
    fn servers_know_where_their_token_is() {
        let text =
            "actions: {argocd: {main: {url: 'https://argocd.example', token_file: /etc/t, ca_file: /etc/ca.pem}}}";
        let actions = Config::parse("f", text).expect("valid").actions;
        assert_eq!(actions.argocd["main"].token, Some(TokenConfig::File("/etc/t".into())));
        assert_eq!(actions.compose, ["/usr/bin/docker", "compose"]);
    }
}
