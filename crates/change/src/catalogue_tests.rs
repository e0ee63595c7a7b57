//! Service files: what is read, and every kind of mistake with its place.

use expect_test::{Expect, expect};

use crate::{BakeTimes, ChangeKind, check_services, load_services};

fn files(texts: &[&str]) -> Vec<(String, String)> {
    texts.iter().enumerate().map(|(index, text)| (format!("{index}.yaml"), (*text).to_owned())).collect()
}

fn check(text: &str, expect: Expect) {
    expect.assert_eq(&check_services(&files(&[text])).to_string());
}

const WHOLE: &str = "
services:
- service: checkout
  owners: [a, b]
  description: |
    Takes orders.
  tier: 1
  depends_on: [payment]
  environments: [production]
  runbook: https://wiki.example.com/checkout
  links: {dashboard: 'https://grafana.example.com/d/1'}
  receivers: [team]
  slos:
  - {name: requests, objective: 99.9, window: 28d, error_ratio: 'sum(rate(bad[$window])) / sum(rate(all[$window]))'}
  checks:
  - name: failed
    kind: errors
    bad: sum by (service_version) (increase(bad[$window]))
    total: sum by (service_version) (increase(all[$window]))
  - {name: slow, kind: latency, version_label: v, buckets: 'sum by (v, le) (increase(d_bucket[$window]))'}
  - {name: full, kind: saturation, version_label: 'off', expr: max(pool)}
  bake: {flag: 5m, schema: 2d}
- service: payment
";

#[test]
fn a_whole_entry() {
    let (catalogue, report) = load_services(&files(&[WHOLE]), Some(&["team".to_owned()]));
    assert_eq!(report.to_string(), "1 files, 2 services, 3 checks, 1 slos, 0 problems");
    let json = serde_json::to_string_pretty(catalogue.get("checkout").unwrap()).unwrap();
    expect![[r#"
        {
          "service": "checkout",
          "file": "0.yaml",
          "owners": [
            "a",
            "b"
          ],
          "description": "Takes orders.",
          "tier": 1,
          "depends_on": [
            "payment"
          ],
          "environments": [
            "production"
          ],
          "runbook": "https://wiki.example.com/checkout",
          "links": {
            "dashboard": "https://grafana.example.com/d/1"
          },
          "receivers": [
            "team"
          ],
          "slos": [
            {
              "name": "requests",
              "objective": 99.9,
              "window_ns": 2419200000000000,
              "error_ratio": "sum(rate(bad[$window])) / sum(rate(all[$window]))"
            }
          ],
          "checks": [
            {
              "name": "failed",
              "kind": "errors",
              "version_label": "service_version",
              "bad": "sum by (service_version) (increase(bad[$window]))",
              "total": "sum by (service_version) (increase(all[$window]))"
            },
            {
              "name": "slow",
              "kind": "latency",
              "version_label": "v",
              "buckets": "sum by (v, le) (increase(d_bucket[$window]))"
            },
            {
              "name": "full",
              "kind": "saturation",
              "version_label": null,
              "expr": "max(pool)"
            }
          ],
          "bake": {
            "flag": 300000000000,
            "schema": 172800000000000
          }
        }"#]]
    .assert_eq(&json);
    let bake: &BakeTimes = &catalogue.get("checkout").unwrap().bake;
    assert_eq!(bake.for_kind(ChangeKind::Flag), 300_000_000_000);
}

#[test]
fn mistakes_have_places() {
    check(
        "servces: []\n",
        expect![[r#"
        0.yaml:1:1: unknown field `servces`, expected one of services
          hint: check the spelling and the indentation of the key
        1 files, 0 services, 0 checks, 0 slos, 1 problems"#]],
    );
    check(
        "services: []\n",
        expect![[r#"
        0.yaml:1:11: the file names no service
          hint: add one, or take the file away
        1 files, 0 services, 0 checks, 0 slos, 1 problems"#]],
    );
    check(
        "services:\n- service: a\n  owner: [b]\n",
        expect![[r#"
        0.yaml:3:3: unknown field `owner`, expected one of service, owners, description, tier, depends_on, environments, runbook, links, receivers, slos, checks, bake
          hint: check the spelling and the indentation of the key
        1 files, 0 services, 0 checks, 0 slos, 1 problems"#]],
    );
    check(
        "services:\n- owners: [b]\n",
        expect![[r#"
        0.yaml:2:3: missing field `service`
        1 files, 0 services, 0 checks, 0 slos, 1 problems"#]],
    );
    check(
        "services:
- service: ''
  owners: [b, b]
  tier: 0
- service: a
  depends_on: [a]
  runbook: javascript:alert(1)
  bake: {deplyo: 1h, flag: soon, config: 1s}
- service: a
- service: c
- service: c
",
        expect![[r#"
            0.yaml:2:12: the service is empty
              hint: give it a short name of printable text
            0.yaml:3:15: the owner "b" is there twice
              hint: leave one out
            0.yaml:4:9: tier is 0
              hint: it is 1, the most critical, to 5
            0.yaml:6:16: "a" depends on itself
              hint: leave it out
            0.yaml:7:12: "javascript:alert(1)" is not a link
              hint: write it as https://...
            0.yaml:8:18: bake: "deplyo" is not a kind of change
              hint: the kinds are deploy, config, flag, schema, infra, scale, secret, route, data
            0.yaml:8:28: "soon" is not a duration
              hint: write 30s, 5m, 1h30m or 1d
            0.yaml:8:42: 1s is out of range
              hint: give 1m to 30d
            0.yaml:11:12: the service "c" is in 0.yaml:10 too
              hint: give each service one entry
            1 files, 2 services, 0 checks, 0 slos, 9 problems"#]],
    );
}

#[test]
fn mistakes_of_checks_and_promises() {
    check(
        "services:
- service: a
  slos:
  - {name: x, objective: 100, window: 1m, good: 'a[$window]', total: 'sum('}
  - {name: x, objective: 99, window: 1d}
  checks:
  - {name: c, kind: speed, expr: a}
  - {name: d, kind: errors, expr: a}
  - {name: d, kind: latency, buckets: 'sum by (service_version) (increase(x_bucket[$window]))'}
  - name: e
    kind: errors
    bad: >
      sum by (pod)
      (increase(x[$window]))
    total: sum by (service_version) (increase(x[5m]))
  - {name: f, kind: count, logs: 'error | stats by (service.version) count() as m'}
  - {name: g, kind: count, logs: 'error | stat count()'}
",
        expect![[r#"
            0.yaml:4:26: objective is 100
              hint: it is a percentage above 0 and below 100
            0.yaml:4:39: 1m is out of range
              hint: give 1h to 90d
            0.yaml:4:50: promql: the expression yields a range vector
              hint: a rule needs a number or an instant vector; wrap a range in a function such as rate()
            0.yaml:4:75: promql: unclosed left parenthesis
            0.yaml:5:5: an slo needs `good` and `total`, or `error_ratio`
              hint: give exactly one of the two
            0.yaml:5:12: the slo "x" is there twice
              hint: rename one
            0.yaml:7:21: there is no kind of check "speed"
              hint: it is errors, latency, saturation or count
            0.yaml:8:5: a check of kind errors has other queries than it takes
              hint: give `bad` and `total`, or `logs`
            0.yaml:9:12: the check "d" is there twice
              hint: rename one
            0.yaml:9:40: the result has no label le
              hint: the buckets of a histogram are told apart by it: aggregate `by (le, ...)`
            0.yaml:13:7: the result has no label service_version
              hint: aggregate `by (service_version, ...)`, or say `version_label: off` if they know no version
            0.yaml:15:12: the query has no $window
              hint: write the range as [$window]: the watch decides how long it looks back
            0.yaml:16:82: the rows have no column n
              hint: name one of the numbers so: `stats by (service.version) count() as n`
            0.yaml:17:43: unknown pipe `stat`
              hint: did you mean `stats`?
            1 files, 0 services, 0 checks, 0 slos, 14 problems"#]],
    );
}

#[test]
fn names_are_unique_over_files_and_receivers_are_known() {
    let files = files(&[
        "services:\n- service: a\n  receivers: [team, nobody]\n",
        "services:\n- service: b\n  depends_on: [x]\n- service: b\n",
    ]);
    let (catalogue, report) = load_services(&files, Some(&["team".to_owned()]));
    expect![[r#"
        0.yaml:3:21: there is no receiver "nobody"
          hint: name one of `receivers` in the settings, or `log`
        1.yaml:4:12: the service "b" is in 1.yaml:2 too
          hint: give each service one entry
        2 files, 1 services, 0 checks, 0 slos, 2 problems"#]]
    .assert_eq(&report.to_string());
    assert_eq!(catalogue.len(), 1);
    expect!["1 files, 1 services, 0 checks, 0 slos, 0 problems"].assert_eq(&check_services(&files[..1]).to_string());
    expect![[r#"
        note: b depends on "x", which no file describes
        1 files, 1 services, 0 checks, 0 slos, 0 problems"#]]
    .assert_eq(
        &check_services(&[("n.yaml".to_owned(), "services:\n- {service: b, depends_on: [x]}\n".to_owned())])
            .to_string(),
    );
}
