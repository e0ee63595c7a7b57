//! The files that the demo gives to its server: what a user would write.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::{DemoError, Link};

/// Addresses of the shop's other parts.
pub(crate) struct Outside {
    pub(crate) deploys: SocketAddr,
    pub(crate) inbox: SocketAddr,
}

/// Writes configuration, rules and playbooks into a directory; gives the configuration's path.
pub(crate) fn write(
    dir: &Path,
    listen: SocketAddr,
    outside: &Outside,
    broken: Option<Link>,
) -> Result<PathBuf, DemoError> {
    std::fs::write(dir.join("rules.yaml"), rules(broken))?;
    std::fs::write(dir.join("playbooks.yaml"), playbooks(outside, broken))?;
    let path = dir.join("backstop.yaml");
    std::fs::write(&path, configuration(dir, listen, outside))?;
    Ok(path)
}

fn configuration(dir: &Path, listen: SocketAddr, outside: &Outside) -> String {
    let (dir, deploys, inbox) = (dir.display(), outside.deploys, outside.inbox);
    format!(
        r#"data_dir: "{dir}/data"
listen: "{listen}"
listeners:
  {{otlp_grpc: "127.0.0.1:0", otlp_http: "127.0.0.1:0", syslog_udp: "127.0.0.1:0", syslog_tcp: "127.0.0.1:0",
   graphite_udp: off, graphite_tcp: off, statsd_udp: off, statsd_tcp: off}}
rules: ["{dir}/rules.yaml"]
playbooks: ["{dir}/playbooks.yaml"]
actions: {{http_allow: ["http://{deploys}/deploy/"]}}
receivers:
  team: {{webhook: {{url: "http://{inbox}/hook"}}}}
"#
    )
}

fn rules(broken: Option<Link>) -> String {
    let threshold = if broken == Some(Link::Rule) { "1e9" } else { "1" };
    format!(
        r#"groups:
- name: checkout
  interval: 1s
  rules:
  - alert: CheckoutErrors
    expr: sum by (service_name, service_version) (rate(http_requests_total{{service_name="checkout", code=~"5.."}}[10s])) > {threshold}
    for: 2s
    labels: {{severity: page, service: checkout}}
    annotations:
      summary: "checkout {{{{ $labels.service_version }}}} fails {{{{ printf \"%.1f\" $value }}}} requests a second"
    playbook: rollback-checkout
- name: checkout-logs
  interval: 2s
  rules:
  - alert: CheckoutErrorLines
    logs: 'service.name:=checkout severity:ERROR | stats by (service.version) count() as n'
    window: 10s
    when: n > 10
    for: 2s
    labels: {{severity: ticket, service: checkout}}
    annotations:
      summary: "{{{{ $value }}}} error lines of checkout {{{{ index $labels \"service.version\" }}}} in 10 seconds"
"#
    )
}

fn playbooks(outside: &Outside, broken: Option<Link>) -> String {
    let mode = if broken == Some(Link::Mode) { "observe" } else { "auto" };
    let failed = r#"sum(rate(http_requests_total{service_name="checkout", code=~"5.."}[5s]))"#;
    // `or vector(0)` says that no failed request is a good sign; without it no data would be.
    let verify = match broken {
        Some(Link::Verify) => "vector(1) < 0".to_owned(),
        _ => format!("({failed} or vector(0)) < 1"),
    };
    let deploys = outside.deploys;
    format!(
        r#"playbook: rollback-checkout
mode: {mode}
match: {{service: checkout}}
requires: {{verdict: bad, change_within: 10m}}
guards: {{cooldown: 30m, max_per: {{1h: 3}}, max_targets: 1}}
steps:
- rollback:
    kind: http
    target:
      method: POST
      url: "http://{deploys}/deploy/checkout"
      body: {{version: "{{{{ change.from_version }}}}"}}
    to: previous
  timeout: 10s
  on_fail: {{goto: page}}
- verify: {{expr: '{verify}', for: 3s, within: 30s}}
  on_fail: {{goto: page}}
- notify: {{receiver: team, template: rolled_back}}
- id: page
  notify: {{receiver: team, template: page}}
"#
    )
}
