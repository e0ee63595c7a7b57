//! Templates and what they make of an alert.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use model::{Labels, TimeRange, Timestamp, Value};

use super::*;
use crate::{RuleQuery, RuleQueryError};

/// Answers every query with two instances.
struct Instances;

impl RuleQuery for Instances {
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        let series = |name: &str, value: f64| ([("__name__", "up"), ("instance", name)].into_iter().collect(), value);
        match expr {
            "up" => Ok(vec![series("b.example:9090", 1.0), series("a.example:9090", 0.0)]),
            "time()" => Ok(vec![(Labels::default(), at.secs_f64())]),
            "none" => Ok(Vec::new()),
            _ => Err(RuleQueryError("the store is out of reach".to_owned())),
        }
    }

    fn logs(&self, _query: &str, _range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        Ok(Vec::new())
    }
}

fn check(text: &str, expect: Expect) {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let labels = map(&[("service", "checkout"), ("service.version", "2.0")]);
    let surroundings = Surroundings {
        external_labels: map(&[("cluster", "eu")]),
        external_url: "https://prom.example/base/path".to_owned(),
    };
    let moment = Moment {
        labels: &labels,
        value: 0.1234,
        histogram: None,
        at: Timestamp::from_secs(1_435_065_584),
        query: Some(&Instances),
        surroundings: &surroundings,
    };
    expect.assert_eq(&match Template::parse(text) {
        Ok(template) => template.render_at(&moment),
        Err(error) => format!("{}: {error}", error.offset),
    });
}

#[test]
fn templates_render() {
    check("plain", expect!["plain"]);
    check("{{ $labels.service }} at {{ $value }}", expect!["checkout at 0.1234"]);
    check("{{ .Labels.service_version }}/{{ index $labels \"service.version\" }}", expect!["2.0/2.0"]);
    check("{{ $labels.missing }}.", expect!["."]);
    check("{{ $value | humanize }} {{ $value | humanizePercentage }}", expect!["123.4m 12.34%"]);
    check(r#"{{ printf "%.2f%% of %5s|%-4s|" $value "a" "b" }}"#, expect!["0.12% of     a|b   |"]);
    check(r#"{{ $value | printf "%.1f" }}"#, expect!["0.1"]);
    check(r#"{{ if gt $value 0.1 }}high{{ else if eq $labels.service "x" }}x{{ else }}low{{ end }}"#, expect!["high"]);
    check(r#"{{ if and (eq $labels.service "x") true }}a{{ else }}b{{ end }}"#, expect!["b"]);
    check("a  {{- /* note */ -}}  b {{ $labels.service | toUpper | title }}", expect!["ab CHECKOUT"]);
    check("{{ 3725 | humanizeDuration }} {{ 1048576.0 | humanize1024 }}", expect!["1h 2m 5s 1Mi"]);
}

/// The results are those that Prometheus's documentation of its templates gives for such expressions.
#[test]
fn prometheus_functions() {
    check(
        "{{ $externalLabels.cluster }} {{ .ExternalURL }} {{ externalURL }} {{ pathPrefix }}",
        expect!["eu https://prom.example/base/path https://prom.example/base/path /base/path"],
    );
    check(
        r#"{{ range query "up" }}{{ .Labels.instance }}={{ .Value }} {{ end }}"#,
        expect!["b.example:9090=1 a.example:9090=0 "],
    );
    check(
        r#"{{ range $i, $s := query "up" | sortByLabel "instance" }}{{ $i }}:{{ $s | label "instance" | stripDomain }} {{ end }}"#,
        expect!["0:a:9090 1:b:9090 "],
    );
    check(r#"{{ with query "none" }}some{{ else }}none{{ end }}"#, expect!["none"]);
    check(
        r#"{{ query "up" | first | value }} {{ (query "up" | first).Labels.instance }}"#,
        expect!["1 b.example:9090"],
    );
    check(
        r#"{{ query "none" | first | value }}"#,
        expect!["<error expanding template: error calling first: first() called on vector with no elements>"],
    );
    check(
        r#"{{ query "broken" }}"#,
        expect!["<error expanding template: error calling query: the store is out of reach>"],
    );
    check(
        r#"{{ reReplaceAll "(a)b" "x$1" "abab" }} {{ match "a+" "baa" }} {{ title "aa bb CC" }}"#,
        expect!["xaxa true Aa Bb CC"],
    );
    check(
        r#"{{ "1.2.3.4:80" | stripPort }} {{ "[::1]:6060" | stripDomain }} {{ "a.b.c:8080" | stripDomain }}"#,
        expect!["1.2.3.4 [::1]:6060 a:8080"],
    );
    check(
        r#"{{ graphLink "up{a=\"b c\"}" }} {{ tableLink "up" }}"#,
        expect!["/graph?g0.expr=up%7Ba%3D%22b+c%22%7D&g0.tab=0 /graph?g0.expr=up&g0.tab=1"],
    );
    check(
        r#"{{ parseDuration "1h2m" }} {{ now }} {{ 1435065584.128 | humanizeTimestamp }}"#,
        expect!["3720 1.435065584e+09 2015-06-23 13:19:44.128 +0000 UTC"],
    );
    check(
        r#"{{ 1435065584.128 | toTime }} {{ (90.5 | toDuration).Minutes }} {{ 3661.5 | toDuration }}"#,
        expect!["2015-06-23 13:19:44.128 +0000 UTC 1.5083333333333333 1h1m1.5s"],
    );
    check(
        r#"{{ define "x" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template "x" (args 1 "b") }} {{ tmpl "x" (args "c" 2.5) }}"#,
        expect!["1-b c-2.5"],
    );
    check(r#"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}"#, expect!["32"]);
    check(
        r#"{{ range query "up" }}{{ if eq .Value 1.0 }}{{ continue }}{{ end }}{{ .Labels.instance }}{{ break }}{{ end }}"#,
        expect!["a.example:9090"],
    );
    check(
        r#"{{ printf "%d|%d|%5.1f|%q|%t|%s" 3 $value 2.25 "a" true }}"#,
        expect![[r#"3|%!d(float64=0.1234)|  2.2|"a"|true|%!s(MISSING)"#]],
    );
    check(
        r#"{{ "x" | humanize }}"#,
        expect![[r#"<error expanding template: error calling humanize: "x" is not a number>"#]],
    );
    check(
        r#"{{ humanize "1234567" }} {{ len "abc" }} {{ slice "abcd" 1 3 }} {{ print 1 2 "a" "b" 3 }}"#,
        expect!["1.235M 3 bc 1 2ab3"],
    );
    check(
        r#"{{ "<a&b>" | safeHtml }} {{ "<a&b>" | html }} {{ urlquery "a b/c" }}"#,
        expect!["<a&b> &lt;a&amp;b&gt; a+b%2Fc"],
    );
    check(
        r#"{{ $labels }} {{ $labels.service.version }} {{ 0x10 }} {{ -1.5e3 }}"#,
        expect!["map[service:checkout service.version:2.0] 2.0 16 -1500"],
    );
}

#[test]
fn what_is_not_supported_is_an_error_with_a_place() {
    check(
        "a {{ $value | human }}",
        expect![[
            r#"14: there is no function "human"; the functions are query, first, label, value, strvalue, args, sortByLabel, humanize, humanize1024, humanizeDuration, humanizePercentage, humanizeTimestamp, toTime, toDuration, parseDuration, now, reReplaceAll, match, title, toUpper, toLower, stripPort, stripDomain, graphLink, tableLink, pathPrefix, externalURL, urlQueryEscape, safeHtml, tmpl, printf, print, println, index, slice, len, html, urlquery, js, eq, ne, lt, le, gt, ge, and, or, not, true, false, nil"#
        ]],
    );
    check(
        "{{ $labls.x }}",
        expect![[
            r#"3: there is no variable "$labls"; there are $labels.name, $value, $externalLabels.name, $externalURL and what the text declares"#
        ]],
    );
    check(
        "{{ define \"a\" }}{{ $value }}{{ end }}",
        expect![[
            r#"19: there is no variable "$value"; there are $labels.name, $value, $externalLabels.name, $externalURL and what the text declares"#
        ]],
    );
    check("{{ if $value }}x", expect!["5: `if` has no `end`; add {{ end }}"]);
    check("{{ range $labels }}x{{ else }}", expect!["8: `range` has no `end` after its `else`; add {{ end }}"]);
    check("{{ end }}", expect![[r#"2: "end" without an `if`; remove it"#]]);
    check("{{ $value ", expect!["0: `{{` is not closed; close it with `}}`"]);
    check("{{ humanize 1 2 }}", expect!["3: humanize has 2 arguments; it takes 1 to 1"]);
    check("{{ $value 1 }}", expect!["10: there is more than one expression here; join functions with `|`"]);
    check("{{ $x = 1 }}", expect![[r#"3: there is no variable "$x"; declare it with :="#]]);
    check("{{ break }}", expect!["8: `break` outside of a `range`; remove it"]);
    check(
        "{{ template x }}",
        expect![[r#"12: the name of a template is missing; write it in quotes: {{ template "name" . }}"#]],
    );
    check("{{ $labels. }}", expect!["3: a name is missing after a dot; write {{ $labels.name }}"]);
}

#[test]
fn loops_and_recursion_end() {
    check(
        "{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}",
        expect!["<error expanding template: the loops take more than 100000 turns>"],
    );
    check(
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        expect!["<error expanding template: templates call each other deeper than 32>"],
    );
}
