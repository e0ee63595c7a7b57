//! What a check says of the target of each kind, and what filling in makes of it.

use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::*;

fn read(kind: &str, verb: Verb, target: Json) -> Result<Call, Vec<CallProblem>> {
    let Json::Object(keys) = target else { panic!("a target is an object") };
    Call::read(kind, verb, &keys.into_iter().collect())
}

fn check(kind: &str, verb: Verb, target: Json, expect: Expect) {
    let text = match read(kind, verb, target) {
        Ok(call) => format!("{}\n", serde_json::to_string(&call).expect("JSON")),
        Err(problems) => {
            problems.iter().map(|found| format!("{}: {}; {}\n", found.field, found.message, found.hint)).collect()
        }
    };
    expect.assert_eq(&text);
}

fn filled(kind: &str, verb: Verb, target: Json, expect: Expect) {
    let values = [("service", "checkout"), ("change.to_version", "v2/rc"), ("change.artifact", "--all")];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let call = read(kind, verb, target).expect("a target without problems");
    let text = match call.fill(&values) {
        Ok(call) => serde_json::to_string(&call).expect("JSON"),
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&text);
}

#[test]
fn kinds_and_verbs() {
    check(
        "helmsman",
        Verb::Rollback,
        json!({}),
        expect![[r#"
            kind: there is no kind of rollback "helmsman"; the kinds are http, exec, argocd, systemd, compose, git_revert, flag, kubernetes, helm, argo_rollouts, flux
        "#]],
    );
    check(
        "systemd",
        Verb::Scale,
        json!({"unit": "shop.service"}),
        expect![[r#"
        kind: kind systemd can not scale; it can rollback, restart
    "#]],
    );
    check(
        "argocd",
        Verb::Restart,
        json!({"server": "main", "application": "shop"}),
        expect![[r#"
        kind: kind argocd can not restart; it can rollback, act
    "#]],
    );
    check(
        "git_revert",
        Verb::Scale,
        json!({"repository": "/srv/git/shop", "branch": "main", "commit": "abcdef1"}),
        expect![[r#"
            kind: kind git_revert can not scale; it can rollback, act
        "#]],
    );
    check(
        "flag",
        Verb::Restart,
        json!({"server": "flags", "provider": "trigger"}),
        expect![[r#"
        kind: kind flag can not restart; it can rollback, act
    "#]],
    );
    check(
        "compose",
        Verb::Act,
        json!({"directory": "/srv/shop", "services": ["web"]}),
        expect![[r#"
        kind: kind compose can not act; it can rollback, restart, scale
    "#]],
    );
}

#[test]
fn http_targets() {
    check(
        "http",
        Verb::Rollback,
        json!({"url": "ftp://h/", "method": "GET"}),
        expect![[r#"
        url: the url does not begin with http:// or https://; give an absolute URL
        method: the method is "GET"; it is POST, PUT, PATCH or DELETE
    "#]],
    );
    check(
        "http",
        Verb::Rollback,
        json!({"url": "https://{{ service }}.example/x", "precheck": {"url": "https://{{ service }}/v", "pointer": "version"}}),
        expect![[r#"
            url: the url has a template in its host; only the path and what follows may have one
            precheck: the url has a template in its host; only the path and what follows may have one
            precheck: the pointer "version" does not begin with /; write it as in /status/version
        "#]],
    );
    filled(
        "http",
        Verb::Rollback,
        json!({
            "url": "https://deploy.example/{{ service }}",
            "precheck": {"url": "https://deploy.example/{{ change.to_version }}", "pointer": "/version", "if_match": true}
        }),
        expect![[
            r#"{"kind":"http","method":"POST","url":"https://deploy.example/checkout","headers":{},"body":null,"expect_status":[],"precheck":{"url":"https://deploy.example/v2%2Frc","pointer":"/version","equals":null,"if_match":true}}"#
        ]],
    );
}

#[test]
fn exec_targets() {
    check(
        "exec",
        Verb::Act,
        json!({"argv": []}),
        expect![[r#"
        argv: argv is empty; give the program's absolute path and its arguments
    "#]],
    );
    check(
        "exec",
        Verb::Act,
        json!({"argv": ["/bin/x", "{{ nope }}"], "precheck": ["look"], "dry_run": ["{{ service }}"]}),
        expect![[r#"
            argv: template: there is no variable "nope"; the variables are service, incident.id, to_version, change.id, change.source, change.from_version, change.to_version, change.artifact, alert.name, alert.labels.<name>, steps.<id>.value, .n, .result, .choice, .row.<name>
            precheck: the program "look" is not an absolute path; write it out, without a template; it must be on the allow-list too
            dry_run: the program "{{ service }}" is not an absolute path; write it out, without a template; it must be on the allow-list too
        "#]],
    );
    filled(
        "exec",
        Verb::Act,
        json!({"argv": ["/bin/x", "{{ change.artifact }}"]}),
        expect![[
            r#"change.artifact is "--all" and begins an argument; it would be read as an option; put text before it, such as --to={{ ... }}"#
        ]],
    );
    filled(
        "exec",
        Verb::Act,
        json!({"argv": ["/bin/x"], "precheck": ["/bin/look", "--at={{ change.to_version }}"], "dry_run": ["/bin/x", "-n"]}),
        expect![[
            r#"{"kind":"exec","argv":["/bin/x"],"env":{},"precheck":["/bin/look","--at=v2/rc"],"dry_run":["/bin/x","-n"]}"#
        ]],
    );
}

#[test]
fn argocd_targets() {
    check(
        "argocd",
        Verb::Rollback,
        json!({"server": "{{ service }}", "application": ""}),
        expect![[r#"
        server: server has a template; write it out: it decides where the action goes
        application: application is empty; an empty one never means all
    "#]],
    );
    check(
        "argocd",
        Verb::Rollback,
        json!({"server": "main", "application": "shop", "token": "x"}),
        expect![[r#"
        : the target of kind argocd can not be read: unknown field `token`, expected one of `server`, `application`, `namespace`, `project`, `entry`, `prune`, `parent_ignores_sync_policy`, `do`; docs/actions.md shows the target of kind argocd
    "#]],
    );
    check(
        "argocd",
        Verb::Rollback,
        json!({"server": "main", "application": "shop", "entry": "newest"}),
        expect![[r#"
        : the target of kind argocd can not be read: unknown variant `newest`, expected `match` or `previous`; docs/actions.md shows the target of kind argocd
    "#]],
    );
    check(
        "argocd",
        Verb::Act,
        json!({"server": "main", "application": "shop"}),
        expect![[r#"
        do: an act step does not say what it does; write do: suspend_sync or do: resume_sync
    "#]],
    );
    check(
        "argocd",
        Verb::Rollback,
        json!({"server": "main", "application": "shop", "do": "resume_sync"}),
        expect![[r#"
            do: a rollback has a `do`; leave it out, or make the step an act step
        "#]],
    );
    check(
        "argocd",
        Verb::Act,
        json!({"server": "main", "application": "shop", "do": "delete"}),
        expect![[r#"
        : the target of kind argocd can not be read: unknown variant `delete`, expected `suspend_sync` or `resume_sync`; docs/actions.md shows the target of kind argocd
    "#]],
    );
    filled(
        "argocd",
        Verb::Rollback,
        json!({"server": "main", "application": "{{ service }}-prod", "project": "{{ service }}", "prune": true}),
        expect![[
            r#"{"kind":"argocd","server":"main","application":"checkout-prod","namespace":null,"project":"checkout","entry":"match","prune":true,"parent_ignores_sync_policy":false}"#
        ]],
    );
}

#[test]
fn systemd_targets() {
    let bad = |verb, target, expect| check("systemd", verb, target, expect);
    bad(
        Verb::Rollback,
        json!({"unit": "shop"}),
        expect![[r#"
        unit: the unit "shop" has no suffix; write it out: shop.service
        unit: nothing says how the unit goes back to another version; name a template unit (shop@.service), or give link and releases
    "#]],
    );
    bad(
        Verb::Rollback,
        json!({"unit": "shop.service", "link": "/opt/shop/current"}),
        expect![[r#"
        link: there is a link and no releases; give both
    "#]],
    );
    bad(
        Verb::Rollback,
        json!({"unit": "shop.service", "releases": "/opt/shop/releases"}),
        expect![[r#"
        releases: there are releases and no link; give both
    "#]],
    );
    bad(
        Verb::Rollback,
        json!({"unit": "shop@.service", "link": "/a", "releases": "/b"}),
        expect![[r#"
        unit: a template unit and a link are two ways to go back; use one of them
    "#]],
    );
    bad(
        Verb::Rollback,
        json!({"unit": "shop@.service", "reload": true}),
        expect![[r#"
        reload: an instance of another version is started, not reloaded; leave reload out
    "#]],
    );
    bad(
        Verb::Restart,
        json!({"unit": "shop@.service"}),
        expect![[r#"
        unit: a template unit can not be restarted; name an instance of it
    "#]],
    );
    bad(
        Verb::Restart,
        json!({"unit": "shop.service", "link": "/a", "releases": "/b"}),
        expect![[r#"
        link: a restart has no use for link and releases; leave them out
    "#]],
    );
    bad(
        Verb::Rollback,
        json!({"unit": "shop.service", "link": "opt/x", "releases": "/opt/../etc"}),
        expect![[r#"
        link: link "opt/x" is not an absolute path; write it out, without a template and without `..`; it must be allowed in the settings too
        releases: releases "/opt/../etc" is not an absolute path; write it out, without a template and without `..`; it must be allowed in the settings too
    "#]],
    );
    filled(
        "systemd",
        Verb::Restart,
        json!({"unit": "{{ service }}.service"}),
        expect![[r#"{"kind":"systemd","unit":"checkout.service","link":null,"releases":null,"reload":false}"#]],
    );
    filled(
        "systemd",
        Verb::Restart,
        json!({"unit": "{{ change.artifact }}.service"}),
        expect![[
            r#"change.artifact is "--all" and begins an argument; it would be read as an option; put text before it, such as --to={{ ... }}"#
        ]],
    );
}

#[test]
fn compose_targets() {
    let bad = |verb, target, expect| check("compose", verb, target, expect);
    bad(
        Verb::Restart,
        json!({"directory": "srv", "services": []}),
        expect![[r#"
        directory: directory "srv" is not an absolute path; write it out, without a template and without `..`; it must be allowed in the settings too
        services: there is no service; name them; an empty list would mean all
    "#]],
    );
    bad(
        Verb::Rollback,
        json!({"directory": "/srv/shop", "services": ["web"]}),
        expect![[r#"
        : nothing says, or two things say, where the tag is pinned; give env_file and variable, or override and image
    "#]],
    );
    bad(
        Verb::Rollback,
        json!({"directory": "/srv/shop", "services": ["web"], "env_file": ".env", "variable": "TAG", "override": "o.yaml", "image": "x"}),
        expect![[r#"
            : nothing says, or two things say, where the tag is pinned; give env_file and variable, or override and image
        "#]],
    );
    bad(
        Verb::Rollback,
        json!({"directory": "/srv/shop", "services": ["web"], "override": "../o.yaml", "image": "{{ service }}"}),
        expect![[r#"
            override: "../o.yaml" is not the name of a file in the project's folder; write a plain name, without a folder or a template
            image: image has a template; write it out: it decides where the action goes
            override: an override file needs files; name the Compose files that it overrides
        "#]],
    );
    bad(
        Verb::Rollback,
        json!({"directory": "/srv/shop", "services": [""], "env_file": "-env", "variable": "A B"}),
        expect![[r#"
            env_file: "-env" is not the name of a file in the project's folder; write a plain name, without a folder or a template
            services: services is empty; an empty one never means all
            variable: "A B" is not the name of a variable; letters, digits and _, as in WEB_TAG
        "#]],
    );
    bad(
        Verb::Scale,
        json!({"directory": "/srv/shop", "services": ["web", "--all"]}),
        expect![[r#"
        services: "--all" would be read as an option; name a service of the project
        services: 2 services can not be scaled to one number; name one
    "#]],
    );
    filled(
        "compose",
        Verb::Rollback,
        json!({"directory": "/srv/shop", "services": ["{{ service }}"], "env_file": ".env", "variable": "WEB_TAG"}),
        expect![[
            r#"{"kind":"compose","directory":"/srv/shop","files":[],"project":null,"services":["checkout"],"env_file":".env","variable":"WEB_TAG","override":null,"image":null}"#
        ]],
    );
}

#[test]
fn git_revert_targets() {
    let bad = |target, expect| check("git_revert", Verb::Rollback, target, expect);
    bad(
        json!({"repository": "https://{{ service }}/r.git", "branch": "", "commit": ""}),
        expect![[r#"
        repository: repository has a template; write it out: it decides where the action goes
        branch: branch is empty; an empty one never means all
        commit: commit is empty; an empty one never means all
    "#]],
    );
    bad(
        json!({"repository": "ext::sh -c id", "branch": "main", "commit": "{{ change.to_version }}"}),
        expect![[r#"
        repository: "ext::sh -c id" is not the address of a repository; write https://, ssh://, git@host:path or an absolute path
    "#]],
    );
    bad(
        json!({"repository": "/srv/git/shop", "branch": "main", "commit": "abcdef1", "push_to": "main", "mainline": 0}),
        expect![[r#"
            push_to: push_to is the branch itself; leave push_to out to push to the branch itself
            mainline: mainline is 0; the first parent is 1
        "#]],
    );
    bad(
        json!({"repository": "/srv/git/shop", "branch": "main"}),
        expect![[r#"
        : the target of kind git_revert can not be read: missing field `commit`; docs/actions.md shows the target of kind git_revert
    "#]],
    );
    filled(
        "git_revert",
        Verb::Rollback,
        json!({"repository": "/srv/git/shop", "branch": "main", "commit": "{{ change.to_version }}", "push_to": "revert/{{ service }}"}),
        expect![[
            r#"{"kind":"git_revert","repository":"/srv/git/shop","branch":"main","commit":"v2/rc","mainline":null,"push_to":"revert/checkout"}"#
        ]],
    );
    filled(
        "git_revert",
        Verb::Rollback,
        json!({"repository": "/srv/git/shop", "branch": "main", "commit": "{{ change.artifact }}"}),
        expect![[
            r#"change.artifact is "--all" and begins an argument; it would be read as an option; put text before it, such as --to={{ ... }}"#
        ]],
    );
}

#[test]
fn flag_targets() {
    let bad = |target, expect| check("flag", Verb::Rollback, target, expect);
    bad(
        json!({"server": "ld", "provider": "launchdarkly", "flag": ""}),
        expect![[r#"
        project: there is no project; this provider needs it
        environment: there is no environment; this provider needs it
        flag: flag is empty; an empty one never means all
    "#]],
    );
    bad(
        json!({"server": "{{ service }}", "provider": "trigger", "flag": "x", "state": "maybe"}),
        expect![[r#"
        : the target of kind flag can not be read: unknown variant `maybe`, expected `off` or `on`; docs/actions.md shows the target of kind flag
    "#]],
    );
    bad(
        json!({"server": "{{ service }}", "provider": "trigger", "flag": "x"}),
        expect![[r#"
        server: server has a template; write it out: it decides where the action goes
        flag: this provider has no use for flag; leave it out
    "#]],
    );
    bad(
        json!({"server": "g", "provider": "generic"}),
        expect![[r#"
        write: there is no write; give the method, the path and the body that switch the flag
    "#]],
    );
    bad(
        json!({
            "server": "g", "provider": "generic", "write": {"method": "DELETE", "path": "//evil/x"},
            "read": {"path": "/a/../b", "pointer": "enabled"}
        }),
        expect![[r#"
            write: the path "//evil/x" does not begin with one / or goes up; write it as it follows the service's URL
            write: the method is "DELETE"; it is POST, PUT or PATCH
            read: the path "/a/../b" does not begin with one / or goes up; write it as it follows the service's URL
            read: the pointer "enabled" does not begin with /; write it as in /status/version
        "#]],
    );
    filled(
        "flag",
        Verb::Act,
        json!({
            "server": "g", "provider": "generic", "state": "on",
            "write": {"path": "/flags/{{ change.to_version }}", "body": {"why": "{{ service }}"}},
            "read": {"path": "/flags/{{ service }}", "pointer": "/enabled"}
        }),
        expect![[
            r#"{"kind":"flag","server":"g","provider":"generic","state":"on","project":null,"environment":null,"flag":null,"write":{"method":"PUT","path":"/flags/v2%2Frc","body":{"why":"checkout"}},"read":{"path":"/flags/checkout","pointer":"/enabled","value":null}}"#
        ]],
    );
}
