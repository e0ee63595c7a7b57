//! The scenarios: what a crash may find in its way.

use std::path::Path;
use std::time::Duration;

use super::world::{BAD, GOOD};

/// The token of the person who approves.
pub(crate) const TOKEN: &str = "a-token-of-ada-0123456789";

/// How the action, its target and the people behave. All else is the same: a shop fails after a deploy, a rule notices, the playbook
/// tells people, rolls back, verifies and tells again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variant {
    /// The target answers at once.
    Http,
    /// The target does it at once and takes its time to say so.
    TargetSlow,
    /// The target does it and answers 500.
    TargetBreaks,
    /// The target does nothing and answers 503.
    TargetRefuses,
    /// A program does it, after one that looks and one that runs dry.
    Exec,
    /// The program takes its time, and outlives the server.
    ExecSlow,
    /// A person must approve.
    Approval,
    /// A rollback by HTTP, then a restart by a program.
    TwoSteps,
    /// The inbox takes its time.
    InboxSlow,
    /// The inbox refuses every message once.
    InboxRefuses,
    /// The server is down for a while.
    LateRestart,
    /// The shop recovers by itself while the server is down.
    HealsMeanwhile,
}

impl Variant {
    /// Every one.
    pub(crate) const ALL: [Self; 12] = [
        Self::Http,
        Self::TargetSlow,
        Self::TargetBreaks,
        Self::TargetRefuses,
        Self::Exec,
        Self::ExecSlow,
        Self::Approval,
        Self::TwoSteps,
        Self::InboxSlow,
        Self::InboxRefuses,
        Self::LateRestart,
        Self::HealsMeanwhile,
    ];

    /// Whether the target answers late.
    pub(crate) fn slow_target(self) -> bool {
        matches!(self, Self::TargetSlow | Self::LateRestart)
    }

    /// Whether a look at the target shows what was done to it. Elsewhere it does not, as behind a cache: then nothing but the server's own
    /// memory keeps it from acting twice.
    pub(crate) fn honest(self) -> bool {
        matches!(self, Self::Http | Self::Exec)
    }

    /// How long the server is down after a crash.
    pub(crate) fn down(self) -> Duration {
        match self {
            Self::LateRestart | Self::HealsMeanwhile => Duration::from_millis(2500),
            _ => Duration::ZERO,
        }
    }

    /// How its run ends when nothing crashes.
    pub(crate) fn undisturbed(self) -> &'static str {
        match self {
            Self::TargetBreaks => "unknown",
            Self::TargetRefuses => "failed",
            _ => "helped",
        }
    }

    /// Whether a run may end so after a crash: as without one, or with an action of which nobody knows whether it happened. One that
    /// finds the shop well when it is back does nothing.
    pub(crate) fn may_end(self, outcome: &str) -> bool {
        let over = matches!(self, Self::HealsMeanwhile | Self::TwoSteps) && outcome == "held";
        outcome == self.undisturbed() || outcome == "unknown" || over
    }

    /// Writes the files of the server into a directory, and gives the configuration's text.
    pub(crate) fn write(self, dir: &Path, world: &str, done: &Path) -> String {
        std::fs::write(dir.join("rules.yaml"), self.rules()).expect("write");
        std::fs::write(dir.join("playbook.yaml"), self.playbook(dir, world)).expect("write");
        let pause = if self == Self::ExecSlow { "/bin/sleep 0.3\n" } else { "" };
        let done = done.display();
        // One write of one line: a program that is ended half-way leaves no half of it.
        let does = format!("{pause}echo \"$BACKSTOP_ACTION_KEY $BACKSTOP_FENCE\" >> '{done}'\n");
        let refuses = if self.honest() { format!("test -s '{done}' && exit 3\n") } else { String::new() };
        let looks = format!("{refuses}echo revision: {BAD}\n");
        for (name, script) in [("do", does.as_str()), ("look", looks.as_str()), ("dry", "")] {
            program(&dir.join(name), script);
        }
        let shown = dir.display();
        format!(
            "listen: 127.0.0.1:0
listeners: {{otlp_grpc: off, otlp_http: off, syslog_udp: off, syslog_tcp: off, graphite_udp: off, graphite_tcp: off, statsd_udp: off, statsd_tcp: off}}
store: {{flush_interval: 700ms, flush_bytes: 256KiB, memtable_bytes_max: 16MiB}}
query: {{memory_bytes_max: 64MiB, memory_total_bytes_max: 128MiB}}
rules: ['{shown}/rules.yaml']
playbooks: ['{shown}/playbook.yaml']
actions: {{http_allow: ['{world}/'], exec_allow: ['{shown}/do', '{shown}/look', '{shown}/dry']}}
receivers: {{inbox: {{webhook: {{url: '{world}/inbox'}}}}}}
approvers: [{{name: ada, roles: [sre], token: {TOKEN}}}]
"
        )
    }

    /// A shop that recovers while nobody measures is only seen well by a rule that looks at the last moments.
    fn rules(self) -> String {
        let errors = if self == Self::HealsMeanwhile { "max_over_time(shop_errors[2s])" } else { "shop_errors" };
        format!(
            "groups:
- name: shop
  interval: 1s
  rules:
  - alert: ShopFails
    expr: {errors} > 5
    labels: {{service: shop, severity: page}}
    annotations: {{summary: the shop fails}}
"
        )
    }

    fn playbook(self, dir: &Path, world: &str) -> String {
        let (mode, guards) = match self {
            Self::Approval => ("approve", "approvals: {need: 1, of: [sre], notify: [inbox]}"),
            _ => ("auto", "cooldown: 30m"),
        };
        let dir = dir.display();
        let http = format!(
            "{{kind: http, target: {{method: POST, url: '{world}/deploy', body: {{version: '{{{{ change.from_version }}}}'}},
      precheck: {{url: '{world}/version', pointer: /version}}}}}}"
        );
        let exec = format!(
            "{{kind: exec, target: {{argv: ['{dir}/do', '--to={{{{ change.from_version }}}}'], precheck: ['{dir}/look'], dry_run: ['{dir}/dry']}}}}"
        );
        let step = |verb: &str, call: &str| format!("- {verb}: {call}\n  timeout: 5s\n  on_fail: {{goto: page}}\n");
        let acts = match self {
            Self::Exec | Self::ExecSlow => step("rollback", &exec),
            Self::TwoSteps => step("rollback", &http) + &step("restart", &exec),
            _ => step("rollback", &http),
        };
        format!(
            "playbook: undo
mode: {mode}
match: {{service: shop}}
requires: {{verdict: bad, change_within: 10m}}
guards: {{{guards}}}
steps:
- notify: {{receiver: inbox, template: alert}}
{acts}- verify: {{expr: 'shop_errors < 5', for: 1s, within: 20s}}
  on_fail: {{goto: page}}
- notify: {{receiver: inbox, template: done}}
- id: page
  notify: {{receiver: inbox, template: page}}
"
        )
    }
}

/// The change that is to blame, as a release tool reports it.
pub(crate) fn change(at: &str) -> serde_json::Value {
    serde_json::json!({
        "id": "d-2", "source": "ci", "kind": "deploy", "target": {"service": "shop"}, "from_version": GOOD, "to_version": BAD,
        "started_at": at, "finished_at": at, "status": "succeeded",
    })
}

fn program(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, format!("#!/bin/sh\n{script}")).expect("write");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("mode");
}
