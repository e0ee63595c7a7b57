//! Queries with mistakes, and queries that are too large.

use std::collections::BTreeSet;

use expect_test::expect_file;

use super::NOW;
use crate::{Filter, format, parse, render_diagnostic};

/// Fewest different queries in the golden file.
const MISTAKES_MIN: usize = 150;

/// `mistakes.txt` holds queries behind `query: ` and headings behind `## `; what is between is made: the diagnostics as a
/// terminal shows them, and behind `=>` the canonical text of what is left.
#[test]
fn mistakes_are_explained() {
    let file = expect_file!["mistakes.txt"];
    let mut out = String::new();
    let mut queries = BTreeSet::new();
    for line in file.data().lines() {
        if line.starts_with("## ") {
            out.push_str(&format!("{line}\n\n"));
        }
        let Some(text) = line.strip_prefix("query: ") else { continue };
        assert!(queries.insert(text.to_owned()), "{text} stands there twice");
        let (query, diagnostics) = parse(text, NOW);
        out.push_str(&format!("query: {text}\n"));
        if diagnostics.is_empty() {
            out.push_str("NO DIAGNOSTIC\n");
        }
        for diagnostic in &diagnostics {
            assert!(diagnostic.hint.is_some(), "no hint: {diagnostic:?}");
            out.push_str(&render_diagnostic(text, diagnostic));
        }
        out.push_str(&format!("=> {}\n\n", format(&query)));
    }
    assert!(queries.len() >= MISTAKES_MIN, "{} queries", queries.len());
    file.assert_eq(&out);
    assert!(!out.contains("NO DIAGNOSTIC"));
}

#[test]
fn limits_are_named() {
    let named = |text: &str| {
        let (_, diagnostics) = parse(text, NOW);
        diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("; ")
    };
    assert!(named(&"(".repeat(100_000)).contains("NESTING_MAX"));
    assert!(named(&format!("* | eval x = {}", "(".repeat(100_000))).contains("NESTING_MAX"));
    assert!(named(&format!("* | eval x = {}1", "-".repeat(100_000))).contains("NESTING_MAX"));
    assert!(named(&format!("* | eval x = 1{}", "+1".repeat(10_000))).contains("NESTING_MAX"));
    assert!(named(&"f:(".repeat(50_000)).contains("NESTING_MAX"));
    assert!(named(&"a ".repeat(5_000)).contains("FILTER_TERMS_MAX"));
    assert!(named(&"a".repeat(300_000)).contains("QUERY_BYTES_MAX"));
    assert!(named(&"* | limit 1".replace('*', &"| limit 1 ".repeat(100))).contains("PIPES_MAX"));
    assert!(named(&format!("f:in({}1)", "1,".repeat(10_000))).contains("LIST_ITEMS_MAX"));
    assert!(named(&format!("~\"{}\"", "x".repeat(5_000))).contains("REGEX_BYTES_MAX"));
    assert!(named(r#"~"(x{500}){500}""#).contains("REGEX_EXPANDED_MAX"));
    assert!(named("* | limit 1000000001").contains("ROWS_MAX"));
    assert!(named(&"* | union (".repeat(50)).contains("SUBQUERIES_MAX"));
    assert!(named(&format!("*{}", " | union (a)".repeat(40))).contains("SUBQUERIES_MAX"));
    assert!(named(&"f:in(from changes | ".repeat(10_000)).contains("SUBQUERIES_MAX"));
    assert!(named(&"a*".repeat(100)).contains("WILDCARDS_MAX"));
    assert!(named(&format!("f:wild(\"{}\")", "a?".repeat(100))).contains("WILDCARDS_MAX"));
    assert!(named(&format!("{}~1", "a".repeat(100))).contains("FUZZY_CHARS_MAX"));
    assert!(named("ab~1 abc~2 abcdef~3").contains("FUZZY_CHARS_MIN_FOR_TWO"));
    assert!(named("abcdef~3").contains("FUZZY_EDITS_MAX"));
    assert!(named("x | context before 5000").contains("CONTEXT_ROWS_MAX"));
    assert!(named("* | stats histogram(x, 5000)").contains("HISTOGRAM_BUCKETS_MAX"));
    assert!(named(&format!("* | parse regex \"(?P<a>{})\"", "x".repeat(5_000))).contains("REGEX_BYTES_MAX"));
    assert!(named(r#"* | replace_regexp ("(x{500}){500}", "")"#).contains("REGEX_EXPANDED_MAX"));
    assert!(named(&format!("f:contains_any({}1)", "1,".repeat(10_000))).contains("LIST_ITEMS_MAX"));
    assert!(named(&format!("* | stats {}", "count(),".repeat(10_000))).contains("LIST_ITEMS_MAX"));
    assert!(named(&")".repeat(100_000)).split("; ").count() <= crate::limits::DIAGNOSTICS_MAX);
    assert_eq!(named(&format!("{}x", "!".repeat(100_000))), "");
    assert!(named(&format!("f:{}x", "! ".repeat(100_000))).contains("expected a value after `!`"));
    assert!(named(&"a)".repeat(100_000)).contains("closes nothing"));
}

#[test]
fn negations_are_kept_or_reduced_but_never_deep() {
    let (query, _) = parse(&format!("{}x", "!".repeat(100_001)), NOW);
    assert_eq!(format(&query), "!x");
    assert_eq!(parse("!*", NOW).0.filter, Filter::Nothing);
}
