//! Files of rules, what they do with records, and what is said about mistakes.

use expect_test::{Expect, expect};

use super::*;

/// 2026-11-23T09:00:00Z.
const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn load(text: &str) -> Result<Rules, String> {
    Rules::load(&[("rules.yaml".to_owned(), text.to_owned())], b"key")
        .map_err(|problems| problems.iter().map(|problem| format!("{problem}\n")).collect())
}

/// Runs the rules on lines of the service `shop`.
fn check(rules: &str, lines: &[&str], expect: Expect) {
    let rules = load(rules).unwrap_or_else(|problems| panic!("{problems}"));
    let fields = [("service.name".to_owned(), "shop".to_owned())];
    expect.assert_eq(&format!("{}\n", rules.dry_run(lines, &fields, RECEIVED)));
}

const APP: &str = r#"
parse:
- name: app
  match: {service.name: [shop, cart]}
  format: json
  prefix: app.
  set:
    severity: {from: level}
    _time: {from: ts}
    body: {from: msg}
    trace_id: {from: trace}
    env: prod
    shard: 5
  drop: [debug.*, pid]
  rename: {usr: user.name}
"#;

#[test]
fn json_with_built_in_fields() {
    check(
        APP,
        &[
            r#"{"level":"warn","ts":"2026-11-23T08:00:00.5+01:00","msg":"paid","trace":"4BF92F3577B34DA6A3CE929D0E0E4736","usr":"bob","pid":5,"debug":{"a":1},"n":2,"severity":"x","_id":"7"}"#,
            r#"{"level":40,"ts":1795424400123}"#,
            r#"{"level":"odd","ts":"soon"}"#,
            "not json",
        ],
        expect![[r#"
            < {"level":"warn","ts":"2026-11-23T08:00:00.5+01:00","msg":"paid","trace":"4BF92F3577B34DA6A3CE929D0E0E4736","usr":"bob","pid":5,"debug":{"a":1},"n":2,"severity":"x","_id":"7"}
              _time: 2026-11-23T07:00:00.5Z
              body: "paid"
              service.name: "shop"
              env: "prod"
              severity: "WARN"
              severity_number: 13
              severity_text: "warn"
              shard: 5
              trace_id: "4bf92f3577b34da6a3ce929d0e0e4736"
              user.name: "bob"
              app.n: 2
              attributes.severity: "x"
              attributes._id: "7"
              # parse app: 1 parsed

            < {"level":40,"ts":1795424400123}
              _time: 2026-11-23T09:00:00.123Z
              body: "{\"level\":40,\"ts\":1795424400123}"
              service.name: "shop"
              env: "prod"
              severity: "WARN"
              severity_number: 13
              severity_text: "40"
              shard: 5
              # parse app: 1 parsed

            < {"level":"odd","ts":"soon"}
              body: "{\"level\":\"odd\",\"ts\":\"soon\"}"
              service.name: "shop"
              parse.error: "app: _time: can not read \"soon\" as a time"
              # parse app: 1 failed

            < not json
              body: "not json"
              service.name: "shop"
              parse.error: "app: not a JSON object"
              # parse app: 1 failed

            parse app: 2 parsed
            parse app: 2 failed
            parse app: 0 quarantined
            4 records
        "#]],
    );
}

const KNOWN: &str = r#"
parse:
- name: web
  match: {body: {regex: '" [0-9]{3} '}}
  format: access_log
- name: agent
  from: user_agent.original
  format: user_agent
- name: syslog
  match: {body: {regex: '^<'}}
  format: {syslog: {utc_offset: '+02:00'}}
  keep: false
- name: words
  match: {body: {regex: '^[A-Z]+ '}}
  format: {pattern: '<severity> <_time> <user>: <body>'}
- name: time
  match: {body: {regex: '^at '}}
  format: {regex: 'at (?P<when>.+) by (?<who>\w+)'}
  set: {_time: {from: when, formats: ['%d.%m.%Y %H:%M', '%b %d %H:%M:%S'], utc_offset: '-01:00'}}
  keep: false
"#;

const KNOWN_LINES: [&str; 6] = [
    r#"10.0.0.9 - - [23/Nov/2026:08:59:00 +0000] "GET /x HTTP/1.1" 200 5 "-" "curl/8.5""#,
    "<13>Nov 23 10:59:59 web1 sshd[812]: Accepted password",
    "WARN 2026-11-23T08:00:00Z bob: hello there",
    "at 23.11.2026 07:00 by bob",
    "at Nov 22 07:00:00 by eve",
    "at noon by eve",
];

#[test]
fn formats_that_know_their_fields() {
    check(
        KNOWN,
        &KNOWN_LINES[..3],
        expect![[r#"
        < 10.0.0.9 - - [23/Nov/2026:08:59:00 +0000] "GET /x HTTP/1.1" 200 5 "-" "curl/8.5"
          _time: 2026-11-23T08:59:00Z
          body: "10.0.0.9 - - [23/Nov/2026:08:59:00 +0000] \"GET /x HTTP/1.1\" 200 5 \"-\" \"curl/8.5\""
          service.name: "shop"
          client.address: "10.0.0.9"
          http.request.method: "GET"
          url.path: "/x"
          network.protocol.version: "1.1"
          http.response.status_code: 200
          http.response.body.size: 5
          user_agent.original: "curl/8.5"
          user_agent.name: "curl"
          user_agent.version: "8.5"
          user_agent.device.type: "other"
          # parse web: 1 parsed
          # parse agent: 1 parsed

        < <13>Nov 23 10:59:59 web1 sshd[812]: Accepted password
          _time: 2026-11-23T08:59:59Z
          service.name: "sshd"
          body: "Accepted password"
          severity: "INFO"
          severity_number: 10
          severity_text: "notice"
          syslog.facility: "user"
          syslog.facility_code: 1
          host.name: "web1"
          process.pid: 812
          # parse syslog: 1 parsed

        < WARN 2026-11-23T08:00:00Z bob: hello there
          _time: 2026-11-23T08:00:00Z
          body: "hello there"
          service.name: "shop"
          severity: "WARN"
          severity_number: 13
          user: "bob"
          # parse words: 1 parsed

        parse web: 1 parsed
        parse web: 0 failed
        parse web: 0 quarantined
        parse agent: 1 parsed
        parse agent: 0 failed
        parse agent: 0 quarantined
        parse syslog: 1 parsed
        parse syslog: 0 failed
        parse syslog: 0 quarantined
        parse words: 1 parsed
        parse words: 0 failed
        parse words: 0 quarantined
        parse time: 0 parsed
        parse time: 0 failed
        parse time: 0 quarantined
        3 records
    "#]],
    );
}

#[test]
fn times_by_their_formats() {
    check(
        KNOWN,
        &KNOWN_LINES[3..],
        expect![[r#"
        < at 23.11.2026 07:00 by bob
          _time: 2026-11-23T08:00:00Z
          service.name: "shop"
          who: "bob"
          # parse time: 1 parsed

        < at Nov 22 07:00:00 by eve
          _time: 2026-11-22T08:00:00Z
          service.name: "shop"
          who: "eve"
          # parse time: 1 parsed

        < at noon by eve
          body: "at noon by eve"
          service.name: "shop"
          parse.error: "time: _time: can not read \"noon\" as a time"
          # parse time: 1 failed

        parse web: 0 parsed
        parse web: 0 failed
        parse web: 0 quarantined
        parse agent: 0 parsed
        parse agent: 0 failed
        parse agent: 0 quarantined
        parse syslog: 0 parsed
        parse syslog: 0 failed
        parse syslog: 0 quarantined
        parse words: 0 parsed
        parse words: 0 failed
        parse words: 0 quarantined
        parse time: 2 parsed
        parse time: 1 failed
        parse time: 0 quarantined
        3 records
    "#]],
    );
}

#[test]
fn errors_go_where_the_rule_says() {
    check(
        r#"
parse:
- {name: strict, match: {service.name: {regex: ^sh}, body: {exists: true}}, format: logfmt, on_error: quarantine}
redact:
- {name: all, detect: [all]}
"#,
        &["a=1 b=2", "words of bob@example.org"],
        expect![[r#"
            < a=1 b=2
              body: "a=1 b=2"
              service.name: "shop"
              a: 1
              b: 2
              # parse strict: 1 parsed

            < words of bob@example.org
              body: "words of [redacted:email]"
              service.name: "shop"
              # parse strict: 1 failed
              # parse strict: 1 quarantined
              # redact all: 1 email
              # to quarantine: strict: not logfmt: key=value throughout

            parse strict: 1 parsed
            parse strict: 1 failed
            parse strict: 1 quarantined
            redact all: 0 private_key
            redact all: 0 aws_key
            redact all: 0 gcp_key
            redact all: 0 github_token
            redact all: 0 slack_token
            redact all: 0 jwt
            redact all: 0 bearer
            redact all: 0 basic_auth_url
            redact all: 0 password_kv
            redact all: 0 credit_card
            redact all: 0 iban
            redact all: 0 cn_id_card
            redact all: 0 us_ssn
            redact all: 0 cn_mobile
            redact all: 0 phone
            redact all: 1 email
            redact all: 0 ipv4
            redact all: 0 ipv6
            2 records
        "#]],
    );
}

#[test]
fn redaction_covers_what_was_read_out() {
    check(
        r#"
parse:
- {name: json, format: json}
redact:
- name: secrets
  detect: [email, credit_card, password_kv]
- name: staff
  fields: [who, staff.*]
  detect: [{regex: 'emp-(?P<value>\d+)'}]
  with: {mask: 1}
- name: peers
  fields: [peer]
  detect: [ipv4]
  with: hash
"#,
        &[
            r#"{"card":4111111111111111,"to":["a@b.org",{"x":"c@d.org"}],"who":"emp-123","staff":{"a":"emp-9"},"other":"emp-5","peer":"10.0.0.1","trace_id":"1"}"#,
            "nothing here",
        ],
        expect![[r#"
            < {"card":4111111111111111,"to":["a@b.org",{"x":"c@d.org"}],"who":"emp-123","staff":{"a":"emp-9"},"other":"emp-5","peer":"10.0.0.1","trace_id":"1"}
              body: "{\"card\":[redacted:credit_card],\"to\":[\"[redacted:email]\",{\"x\":\"[redacted:email]\"}],\"who\":\"emp-123\",\"staff\":{\"a\":\"emp-9\"},\"other\":\"emp-5\",\"peer\":\"10.0.0.1\",\"trace_id\":\"1\"}"
              service.name: "shop"
              card: "[redacted:credit_card]"
              to: ["[redacted:email]",{"x":"[redacted:email]"}]
              who: "emp-**3"
              staff.a: "emp-*"
              other: "emp-5"
              peer: "[ipv4:27d9fca0cead535d]"
              attributes.trace_id: "1"
              # parse json: 1 parsed
              # redact secrets: 2 credit_card
              # redact secrets: 4 email
              # redact staff: 2 regex
              # redact peers: 1 ipv4

            < nothing here
              body: "nothing here"
              service.name: "shop"
              parse.error: "json: not a JSON object"
              # parse json: 1 failed

            parse json: 1 parsed
            parse json: 1 failed
            parse json: 0 quarantined
            redact secrets: 0 password_kv
            redact secrets: 2 credit_card
            redact secrets: 4 email
            redact staff: 2 regex
            redact peers: 1 ipv4
            2 records
        "#]],
    );
}

#[test]
fn traces_are_joined_before_rules() {
    check(
        r#"
join:
- {name: java, match: {service.name: shop}, kind: java}
parse:
- {name: head, format: {pattern: '<level> <logger> - <message>'}, set: {severity: {from: level}}}
"#,
        &[
            "ERROR c.e.Shop - failed",
            "java.lang.IllegalStateException: x",
            "\tat a.B.c(B.java:1)",
            "INFO c.e.Shop - next",
        ],
        expect![[r#"
            < ERROR c.e.Shop - failed
            < java.lang.IllegalStateException: x
            < 	at a.B.c(B.java:1)
              body: "ERROR c.e.Shop - failed\njava.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)"
              service.name: "shop"
              severity: "ERROR"
              severity_number: 17
              logger: "c.e.Shop"
              message: "failed\njava.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)"
              # parse head: 1 parsed

            < INFO c.e.Shop - next
              body: "INFO c.e.Shop - next"
              service.name: "shop"
              severity: "INFO"
              severity_number: 9
              logger: "c.e.Shop"
              message: "next"
              # parse head: 1 parsed

            parse head: 2 parsed
            parse head: 0 failed
            parse head: 0 quarantined
            2 records
        "#]],
    );
}

/// What only looks at a record tells the same as what changes it.
#[test]
fn wants_is_true_when_something_would_happen() {
    let rules = load(
        "parse:\n- {name: a, match: {k: v}, format: json}\nredact:\n- {name: r, match: {x: {exists: false}}, fields: [body], detect: [email]}\n",
    )
    .unwrap();
    let row = |fields: &[(&str, &str)]| {
        let mut row = Row::new(RECEIVED);
        fields.iter().for_each(|(name, value)| row.set(name, *value));
        row
    };
    for (fields, wanted) in [
        (vec![("body", "text")], false),
        (vec![("body", "a@b.org")], true),
        (vec![("body", "a@b.org"), ("x", "1")], false),
        (vec![("other", "a@b.org")], false),
        (vec![("k", "v"), ("body", "text")], true),
        (vec![("k", "v")], false),
        (vec![("k", "w"), ("body", "text")], false),
    ] {
        let mut row = row(&fields);
        assert_eq!(rules.wants(&row), wanted, "{fields:?}");
        let before = row.clone();
        assert_eq!(rules.apply(&mut row, RECEIVED, &mut rules.counts()), Outcome::Kept);
        assert_eq!(row != before, wanted, "{fields:?}");
    }
    assert!(Rules::default().is_empty() && !rules.is_empty() && !rules.joins());
}

#[test]
fn counts_add_up() {
    let rules = load("parse:\n- {name: a, format: json}\nredact:\n- {name: r, detect: [email]}\n").unwrap();
    let mut sum = rules.counts();
    for body in ["{}", "x", "a@b.org c@d.org"] {
        let mut counts = rules.counts();
        let mut row = Row::new(RECEIVED);
        row.set("body", body);
        rules.apply(&mut row, RECEIVED, &mut counts);
        sum.add(&counts);
    }
    let shown: Vec<String> =
        rules.counters(&sum).iter().map(|c| format!("{} {} {} {}\n", c.kind, c.rule, c.what, c.count)).collect();
    expect![[r#"
        parse a parsed 1
        parse a failed 2
        parse a quarantined 0
        redact r email 2
    "#]]
    .assert_eq(&shown.concat());
}

/// Each file is shown with what is said about it.
fn check_mistakes(files: &[&str], expect: Expect) {
    let mut shown = String::new();
    for file in files {
        shown += &load(file).map_or_else(|problems| problems, |_| "fine\n".to_owned());
        shown += "--\n";
    }
    expect.assert_eq(&shown);
}

#[test]
fn mistakes_of_parse_have_places() {
    check_mistakes(
        &[
            "parse:\n- name: a\n  format: json\n  form: x\n",
            "parse:\n- name: a\n  format: jason\n- name: a\n  format: regex\n  on_error: drop\n",
            "parse:\n- name: a\n  format: {regex: '(?P<a>x'}\n- name: b\n  format:\n    pattern: 'x <a><b>'\n",
            "parse:\n- name: a\n  format: {json: 1}\n",
            "parse:\n- name: a\n  format: {regex: 'x', pattern: 'y'}\n",
            "parse:\n- name: a\n  format: json\n  match: {x: [], y: {regex: '('}, z: {}}\n",
            "parse:\n- name: a\n  format: json\n  set: {_time: now, _id: 5, x: {from: y, formats: ['%Y']}, s: [1]}\n  rename: {a: severity}\n",
            "parse:\n- name: a\n  format: json\n  set: {_time: {from: t, formats: ['%Y-%*'], utc_offset: 2h}}\n",
        ],
        expect![[r#"
            rules.yaml:4:3: unknown field `form`, expected one of name, match, from, format, prefix, keep, on_error, set, drop, rename
              hint: check the spelling and the indentation of the key
            --
            rules.yaml:3:11: "jason" is no format
              hint: json, logfmt, kv, syslog, access_log, user_agent, {regex: ...}, {pattern: ...}, {csv: [names]}, {kv: {...}}
            rules.yaml:4:9: the parse rule "a" is there twice
              hint: give every rule a name of its own
            rules.yaml:5:11: "regex" needs more than its name
              hint: json, logfmt, kv, syslog, access_log, user_agent, {regex: ...}, {pattern: ...}, {csv: [names]}, {kv: {...}}
            rules.yaml:6:13: "drop" is no way to go on after an error
              hint: keep or quarantine
            --
            rules.yaml:3:20: regular expression: unclosed group
              hint: the syntax is RE2's; a literal character of its syntax needs a backslash before it
            rules.yaml:6:20: two places touch
              hint: put the text that stands between the values there, at least a space
            --
            rules.yaml:3:12: unknown field `json`, expected one of regex, pattern, csv, kv, syslog
              hint: check the spelling and the indentation of the key
            --
            rules.yaml:3:11: the format is not one of the formats
              hint: json, logfmt, kv, syslog, access_log, user_agent, {regex: ...}, {pattern: ...}, {csv: [names]}, {kv: {...}}
            --
            rules.yaml:4:14: this matches nothing
              hint: write a text, a list of texts, {regex: ...} or {exists: true}
            rules.yaml:4:30: regular expression: unclosed group
              hint: the syntax is RE2's; a literal character of its syntax needs a backslash before it
            rules.yaml:4:38: this matches nothing
              hint: write a text, a list of texts, {regex: ...} or {exists: true}
            --
            rules.yaml:4:16: every record would have the same time
              hint: write _time: {from: field}
            rules.yaml:4:26: "_id" can not be set
              hint: the store gives _id and _stream
            rules.yaml:4:32: formats and utc_offset are for _time only
              hint: leave them out
            rules.yaml:4:63: a list can not be set
              hint: write a text, or {from: field}
            rules.yaml:5:15: severity is built in, and not just a name
              hint: write set: {severity: {from: a}}
            --
            rules.yaml:4:36: "%Y-%*" is no format of a time: strftime formatting failed: found unrecognized specifier directive `*`
              hint: strftime's letters: %Y-%m-%d %H:%M:%S%.f %z, %d/%b/%Y, %s for Unix seconds
            rules.yaml:4:58: "2h" is no offset from UTC
              hint: write '+02:00' or '-0700'
            --
        "#]],
    );
}

#[test]
fn mistakes_of_join_and_redact_have_places() {
    check_mistakes(
        &[
            "join:\n- {name: j, kind: cobol, max_lines: 0, timeout: 1h}\n- {name: k, kind: {start: '(', continue: x}}\n",
            "redact:\n- {name: r, detect: [passwort, {regex: '['}], with: [x]}\n- {name: '', detect: []}\n",
            "redact:\n  name: r\n",
            "parse: [\n",
            "# nothing\n\n",
        ],
        expect![[r#"
            rules.yaml:2:19: the kind is not known
              hint: one or a list of java, python, go, nodejs, dotnet, ruby, {start: regex} or {continue: regex}
            rules.yaml:2:37: 0 lines are not allowed
              hint: from 1 to 100000
            rules.yaml:2:49: a stream can not be silent for 1h
              hint: from 1ns to 1m; records are held that long
            rules.yaml:3:19: the kind is not known
              hint: one or a list of java, python, go, nodejs, dotnet, ruby, {start: regex} or {continue: regex}
            --
            rules.yaml:2:22: there is no detector "passwort"
              hint: all, {regex: ...} or one of private_key, aws_key, gcp_key, github_token, slack_token, jwt, bearer, basic_auth_url, password_kv, credit_card, iban, cn_id_card, us_ssn, cn_mobile, phone, email, ipv4, ipv6
            rules.yaml:2:41: regular expression: unclosed character class
              hint: the syntax is RE2's; a literal character of its syntax needs a backslash before it
            rules.yaml:2:53: a list is no replacement
              hint: write a text, hash, mask or {mask: 4}
            rules.yaml:3:10: the rule has no name
              hint: give it one; counters and errors show it
            rules.yaml:3:22: the rule detects nothing
              hint: list detectors, or `all`
            --
            rules.yaml:2:3: expected sequence start
            --
            rules.yaml:1:8: unclosed bracket '['
            --
            fine
            --
        "#]],
    );
    let hash = "redact:\n- {name: r, detect: [email], with: hash}\n".to_owned();
    let problems = Rules::load(&[("h.yaml".to_owned(), hash)], b"").unwrap_err();
    expect![[r#"
        h.yaml:2:36: there is no key to hash with
          hint: set the key in the server's settings"#]]
    .assert_eq(&problems[0].to_string());
}

/// The manual's examples load, and it names every format, language and detector.
#[test]
fn the_manual_is_true() {
    let manual = include_str!("../../../../docs/parse-rules.md");
    let mut examples = 0;
    for example in manual.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        load(example).unwrap_or_else(|problems| panic!("{problems}"));
        examples += 1;
    }
    assert!(examples > 0);
    let detectors = crate::redact::Detector::ALL.map(crate::redact::Detector::name);
    let names = crate::Format::NAMES.iter().chain(&crate::join::Language::NAMES).chain(&detectors);
    for name in names {
        let told = [format!("`{name}`"), format!("`{{{name}: "), format!("**{name}**")];
        assert!(told.iter().any(|told| manual.contains(told)), "docs/parse-rules.md says nothing of {name}");
    }
}

proptest::proptest! {
    /// No text of a file and no line panics.
    #[test]
    fn nothing_panics(file in "[ -~\n]{0,200}", line in "[ -~é\t]{0,200}") {
        drop(load(&file));
        let rules = load("parse:\n- {name: j, format: json}\n- {name: l, format: logfmt}\n- {name: s, format: syslog}\n- {name: a, format: access_log}\n- {name: k, format: kv}\n- {name: u, format: user_agent}\n- {name: p, format: {pattern: '<a>=<b> <c>'}}\n- {name: c, format: {csv: [a, b, c]}}\nredact:\n- {name: r, detect: [all]}\n").unwrap();
        let mut row = Row::new(RECEIVED);
        row.set("body", line.as_str());
        rules.apply(&mut row, RECEIVED, &mut rules.counts());
    }
}
