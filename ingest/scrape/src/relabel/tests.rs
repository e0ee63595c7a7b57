//! Rules as settings write them, labels in, labels out. The cases are Prometheus's documented behaviour.

use expect_test::{Expect, expect};

use super::relabel;
use crate::config::ScrapeConfig;
use crate::labels::LabelSet;

/// `rules` is the YAML of `relabel_configs`, one rule a line in braces.
fn check(labels: &[(&str, &str)], rules: &[&str], expect: Expect) {
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    let text = format!("scrape_configs:\n- job_name: a\n  relabel_configs:\n{rules}");
    let config = match ScrapeConfig::parse(&[("f.yml".to_owned(), text)]) {
        Ok(config) => config,
        Err(problems) => {
            return expect.assert_eq(&problems.iter().map(|problem| format!("{problem}\n")).collect::<String>());
        }
    };
    let mut labels: LabelSet = labels.iter().copied().collect();
    let kept = relabel(&config.jobs[0].relabel, &mut labels);
    expect.assert_eq(&if kept { labels.to_string() } else { "dropped".to_owned() });
}

const ABC: &[(&str, &str)] = &[("a", "foo"), ("b", "bar"), ("c", "baz")];

#[test]
fn replace() {
    check(
        ABC,
        &["{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'}"],
        expect![[r#"{a="foo", b="bar", c="baz", d="choo-choo"}"#]],
    );
    check(
        ABC,
        &["{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}"],
        expect![[r#"{a="boobam", b="bar", c="baz"}"#]],
    );
    check(
        ABC,
        &["{source_labels: [a], regex: no, target_label: d, replacement: x}"],
        expect![[r#"{a="foo", b="bar", c="baz"}"#]],
    );
    check(
        ABC,
        &["{target_label: d, replacement: constant}"],
        expect![[r#"{a="foo", b="bar", c="baz", d="constant"}"#]],
    );
    check(ABC, &["{source_labels: [a], target_label: b, replacement: ''}"], expect![[r#"{a="foo", c="baz"}"#]]);
    check(ABC, &["{source_labels: [missing], target_label: a}"], expect![[r#"{b="bar", c="baz"}"#]]);
    check(
        &[("a", "some-name-value")],
        &["{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: '${2}'}"],
        expect![[r#"{a="some-name-value", name="value"}"#]],
    );
    check(
        &[("a", "some-name-value")],
        &["{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${3}', replacement: '${2}'}"],
        expect![[r#"{a="some-name-value"}"#]],
    );
    check(
        &[("a", "foo\nbar")],
        &["{source_labels: [a], target_label: d}"],
        expect![[r#"{a="foo\nbar", d="foo\nbar"}"#]],
    );
    check(
        ABC,
        &["{source_labels: [a, b], separator: '', target_label: d}"],
        expect![[r#"{a="foo", b="bar", c="baz", d="foobar"}"#]],
    );
    check(ABC, &["{source_labels: [a], target_label: 'x.y'}"], expect![[r#"{a="foo", b="bar", c="baz", x.y="foo"}"#]]);
    check(
        ABC,
        &["{source_labels: [__address__], regex: 9100, target_label: d, replacement: 1}"],
        expect![[r#"{a="foo", b="bar", c="baz"}"#]],
    );
}

#[test]
fn keep_and_drop() {
    check(ABC, &["{source_labels: [a], regex: 'fo+', action: keep}"], expect![[r#"{a="foo", b="bar", c="baz"}"#]]);
    check(ABC, &["{source_labels: [a], regex: 'o', action: keep}"], expect!["dropped"]);
    check(
        ABC,
        &["{source_labels: [a], regex: '.*o.*', action: Drop}", "{target_label: d, replacement: x}"],
        expect!["dropped"],
    );
    check(ABC, &["{source_labels: [a], regex: 'o', action: drop}"], expect![[r#"{a="foo", b="bar", c="baz"}"#]]);
    check(
        &[("port", "80"), ("want", "80")],
        &["{source_labels: [port], target_label: want, action: keepequal}"],
        expect![[r#"{port="80", want="80"}"#]],
    );
    check(
        &[("port", "80"), ("want", "81")],
        &["{source_labels: [port], target_label: want, action: keepequal}"],
        expect!["dropped"],
    );
    check(
        &[("port", "80"), ("want", "80")],
        &["{source_labels: [port], target_label: want, action: dropequal}"],
        expect!["dropped"],
    );
    check(
        &[("port", "80")],
        &["{source_labels: [port], target_label: want, action: dropequal}"],
        expect![[r#"{port="80"}"#]],
    );
}

#[test]
fn hashes() {
    check(
        ABC,
        &["{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}"],
        expect![[r#"{a="foo", b="bar", c="baz", d="976"}"#]],
    );
    check(
        &[("a", "foo\nbar")],
        &["{source_labels: [a], target_label: b, action: hashmod, modulus: 1000}"],
        expect![[r#"{a="foo\nbar", b="734"}"#]],
    );
    check(
        ABC,
        &["{source_labels: [a, b, c], target_label: d, action: hashmod, modulus: 18446744073709551615}"],
        expect![[r#"{a="foo", b="bar", c="baz", d="2482616695470448719"}"#]],
    );
}

#[test]
fn names() {
    let meta = &[("__meta_my_bar", "aaa"), ("__meta_my_baz", "bbb"), ("__meta_other", "ccc"), ("a", "foo")];
    check(
        meta,
        &["{regex: '__meta_(my.*)', action: labelmap}"],
        expect![[
            r#"{__meta_my_bar="aaa", __meta_my_baz="bbb", __meta_other="ccc", a="foo", my_bar="aaa", my_baz="bbb"}"#
        ]],
    );
    check(
        meta,
        &["{regex: '__meta_(my)_(ba.)', replacement: '${2}_${1}', action: labelmap}"],
        expect![[
            r#"{__meta_my_bar="aaa", __meta_my_baz="bbb", __meta_other="ccc", a="foo", bar_my="aaa", baz_my="bbb"}"#
        ]],
    );
    check(meta, &["{regex: '__meta_.*', action: labeldrop}"], expect![[r#"{a="foo"}"#]]);
    check(
        meta,
        &["{regex: '__meta_my.*', action: labelkeep}"],
        expect![[r#"{__meta_my_bar="aaa", __meta_my_baz="bbb"}"#]],
    );
    check(
        &[("a", "FooBar")],
        &[
            "{source_labels: [a], target_label: l, action: lowercase}",
            "{source_labels: [a], target_label: u, action: uppercase}",
        ],
        expect![[r#"{a="FooBar", l="foobar", u="FOOBAR"}"#]],
    );
}

#[test]
fn what_makes_no_sense() {
    for (rule, what) in [
        (
            "{source_labels: [a], action: hashmod, target_label: b}",
            expect![[r#"
            f.yml:4:5: relabel configuration for hashmod requires non-zero modulus
              hint: give a modulus
        "#]],
        ),
        (
            "{source_labels: [a]}",
            expect![[r#"
            f.yml:4:5: relabel configuration for replace action requires 'target_label' value
              hint: give a target_label
        "#]],
        ),
        (
            "{source_labels: [a], action: unknown}",
            expect![[r#"
            f.yml:4:34: unknown relabel action "unknown"
              hint: replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase
        "#]],
        ),
        (
            "{source_labels: [a], regex: '(', target_label: b}",
            expect![[r#"
            f.yml:4:33: "(" is not a regular expression: unclosed group
              hint: the syntax is RE2's
        "#]],
        ),
        (
            "{source_labels: [a], target_label: b, replacement: x, action: lowercase}",
            expect![[r#"
            f.yml:4:5: 'replacement' can not be set for lowercase action
              hint: remove it
        "#]],
        ),
        (
            "{source_labels: [a], target_label: b, regex: x, action: keepequal}",
            expect![[r#"
            f.yml:4:5: keepequal action requires only 'source_labels' and `target_label`, and no other fields
              hint: remove the others
        "#]],
        ),
        (
            "{source_labels: [a], regex: x, action: labeldrop}",
            expect![[r#"
            f.yml:4:5: labeldrop action requires only 'regex', and no other fields
              hint: remove the others
        "#]],
        ),
        (
            "{source_labels: [a], targetlabel: b}",
            expect![[r#"
            f.yml:4:26: unknown field `targetlabel`, expected one of source_labels, separator, regex, modulus, target_label, replacement, action
              hint: check the spelling and the indentation of the key
        "#]],
        ),
    ] {
        check(ABC, &[rule], what);
    }
}
