//! Whether a call may be made: the kind first, then what it touches. Asked when a playbook is loaded, when it is changed, and when
//! the action fires.

use std::path::Path;

use respond::{Call, ComposeCall, GitRevertCall, SystemdCall};

use crate::{ActOptions, Actor, exec, http, no_server};

/// What stands where a value is put in later.
const TEMPLATE: &str = "{{";

pub(crate) fn permits(actor: &Actor, call: &Call) -> Result<(), String> {
    let options = &actor.options;
    kind(options, call)?;
    match call {
        Call::Http(call) => http::permits(&actor.http_allow, call),
        Call::Exec(call) => exec::permits(&options.exec_allow, call),
        Call::Argocd(call) if actor.argocd.contains_key(&call.server) => Ok(()),
        Call::Argocd(call) => Err(no_server("argocd", &call.server)),
        Call::Systemd(call) => systemd(options, call),
        Call::Compose(call) => compose(options, call),
        Call::GitRevert(call) => git_revert(options, call),
        Call::Flag(call) if actor.flags.contains_key(&call.server) => Ok(()),
        Call::Flag(call) => Err(no_server("flags", &call.server)),
        Call::Kubernetes(call) => cluster(actor, call.cluster.as_deref(), &call.namespace),
        Call::ArgoRollouts(call) => cluster(actor, call.cluster.as_deref(), &call.namespace),
        Call::Flux(call) => {
            let more = call.workload_namespace.as_deref().unwrap_or(&call.namespace);
            cluster(actor, call.cluster.as_deref(), &call.namespace)?;
            cluster(actor, call.cluster.as_deref(), more)
        }
        Call::Helm(call) => {
            if !options.exec_allow.iter().any(|allowed| allowed == Path::new(&call.program)) {
                return Err(format!("{} is not allowed: add it to actions.exec_allow", call.program));
            }
            cluster(actor, call.cluster.as_deref(), &call.namespace)
        }
        // Who carries it out asks its own list.
        _ => Ok(()),
    }
}

/// Whether the settings leave the kind out. An empty list leaves out nothing here: what a kind touches has to be allowed anyway.
fn kind(options: &ActOptions, call: &Call) -> Result<(), String> {
    let kind = call.kind();
    if options.kinds.is_empty() || options.kinds.iter().any(|known| known == kind) {
        return Ok(());
    }
    Err(format!("kind {kind} is not allowed: add it to actions.kinds"))
}

fn cluster(actor: &Actor, name: Option<&str>, namespace: &str) -> Result<(), String> {
    if namespace.contains(TEMPLATE) {
        return actor.clusters.cluster(name).map(drop);
    }
    actor.clusters.may_act(name, namespace).map(drop)
}

fn systemd(options: &ActOptions, call: &SystemdCall) -> Result<(), String> {
    let unit = &call.unit;
    if !unit.contains(TEMPLATE) && !options.systemd_allow.iter().any(|pattern| is_match(pattern, unit)) {
        return Err(format!("the unit {unit} is not allowed: add it to actions.systemd_allow"));
    }
    match &call.link {
        Some(link) if !options.systemd_links.iter().any(|allowed| allowed == Path::new(link)) => {
            Err(format!("the link {link} is not allowed: add it to actions.systemd_links"))
        }
        _ => Ok(()),
    }
}

fn compose(options: &ActOptions, call: &ComposeCall) -> Result<(), String> {
    let directory = Path::new(&call.directory);
    if options.compose_allow.iter().any(|allowed| allowed == directory) {
        return Ok(());
    }
    Err(format!("the folder {} is not allowed: add it to actions.compose_allow", call.directory))
}

fn git_revert(options: &ActOptions, call: &GitRevertCall) -> Result<(), String> {
    if options.git_allow.contains(&call.repository) {
        return Ok(());
    }
    Err(format!("the repository {} is not allowed: add it to actions.git_allow", call.repository))
}

/// Whether a text is what a pattern says, in which `*` stands for any part.
pub(crate) fn is_match(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let Some((middle, end)) = rest.rsplit_once('*') else { return text.ends_with(rest) };
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};
    use respond::Verb;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::ServerOptions;

    fn actor(kinds: &[&str]) -> Actor {
        let server = |url: &str| ServerOptions { url: url.to_owned(), token: None, header: None, ca_file: None };
        Actor::new(ActOptions {
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            exec_allow: vec!["/usr/bin/rollback".into()],
            http_allow: vec!["https://deploy.example/api/".to_owned()],
            argocd: BTreeMap::from([("main".to_owned(), server("https://argocd.example"))]),
            flags: BTreeMap::from([("ld".to_owned(), server("https://ld.example"))]),
            systemd_allow: vec!["shop*.service".to_owned()],
            systemd_links: vec!["/opt/shop/current".into()],
            compose_allow: vec!["/srv/shop".into()],
            git_allow: vec!["https://git.example/shop.git".to_owned()],
            ..ActOptions::default()
        })
        .expect("actor")
    }

    fn check(kinds: &[&str], kind: &str, target: Json, expect: Expect) {
        let Json::Object(keys) = target else { panic!("a target is an object") };
        let verb = if kind == "systemd" && !keys.contains_key("link") { Verb::Restart } else { Verb::Rollback };
        let call = Call::read(kind, verb, &keys.into_iter().collect()).expect("a target");
        expect.assert_eq(&actor(kinds).permits(&call).err().unwrap_or_default());
    }

    #[test]
    fn a_kind_has_its_own_permission() {
        check(
            &["exec"],
            "http",
            json!({"url": "https://deploy.example/api/x"}),
            expect!["kind http is not allowed: add it to actions.kinds"],
        );
        check(&["http"], "http", json!({"url": "https://deploy.example/api/x"}), expect![[""]]);
        check(&[], "http", json!({"url": "https://deploy.example/api/x"}), expect![[""]]);
    }

    #[test]
    fn what_is_touched_is_allowed_by_name() {
        let link = json!({"unit": "shop.service", "link": "/opt/other/current", "releases": "/opt/shop/releases"});
        check(
            &[],
            "http",
            json!({"url": "https://deploy.example/admin"}),
            expect!["https://deploy.example/admin is not allowed: add its start to actions.http_allow"],
        );
        check(
            &[],
            "exec",
            json!({"argv": ["/bin/sh"]}),
            expect!["/bin/sh is not allowed: add it to actions.exec_allow"],
        );
        check(
            &[],
            "argocd",
            json!({"server": "other", "application": "shop"}),
            expect![[r#"there is no server "other": add it to actions.argocd"#]],
        );
        check(
            &[],
            "flag",
            json!({"server": "other", "provider": "trigger"}),
            expect![[r#"there is no server "other": add it to actions.flags"#]],
        );
        check(
            &[],
            "systemd",
            json!({"unit": "sshd.service"}),
            expect!["the unit sshd.service is not allowed: add it to actions.systemd_allow"],
        );
        check(&[], "systemd", json!({"unit": "{{ service }}.service"}), expect![[""]]);
        check(
            &[],
            "systemd",
            link,
            expect!["the link /opt/other/current is not allowed: add it to actions.systemd_links"],
        );
        check(
            &[],
            "compose",
            json!({"directory": "/srv/shop/x", "services": ["web"], "env_file": ".env", "variable": "TAG"}),
            expect!["the folder /srv/shop/x is not allowed: add it to actions.compose_allow"],
        );
        check(
            &[],
            "git_revert",
            json!({"repository": "https://git.example/shop", "branch": "main", "commit": "abcdef1"}),
            expect!["the repository https://git.example/shop is not allowed: add it to actions.git_allow"],
        );
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, want) in [
            ("shop.service", "shop.service", true),
            ("shop.service", "shop.services", false),
            ("shop@*.service", "shop@1.2.service", true),
            ("shop@*.service", "shop@.service", true),
            ("shop@*.service", "workshop@1.service", false),
            ("*-shop-*.service", "eu-shop-7.service", true),
            ("*-shop-*.service", "eu-shop.service", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(is_match(pattern, text), want, "{pattern} {text}");
        }
    }
}
