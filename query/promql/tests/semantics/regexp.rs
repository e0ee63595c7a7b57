//! Regular expressions are Go's: which are taken, which refused and in what words, and what they match. The table was made by Go.

use promql::{EvalLimits, EvalRange, MatchOp, Matcher, QueryValue, eval, parse};
use serde_json::Value as Json;

use crate::{Source, series};

/// One JSON object a line: `p` is the expression, `v` the texts, `m` which of them match as a whole, `e` the error instead.
const TABLE: &str = include_str!("../cases/regexp.jsonl");

fn row(line: &str) -> Option<String> {
    let row: Json = serde_json::from_str(line).unwrap();
    let pattern = row["p"].as_str().unwrap();
    let matcher = Matcher::new("l", MatchOp::Regex, pattern);
    let matcher = match (matcher, row["e"].as_str()) {
        (Ok(matcher), None) => matcher,
        (Err(error), Some(want)) if error == want => return None,
        (Err(error), want) => return Some(format!("{pattern}: {error} instead of {want:?}")),
        (Ok(matcher), want) => return Some(format!("{pattern}: taken as {} instead of {want:?}", matcher.pattern())),
    };
    let texts = row["v"].as_array().unwrap().iter().zip(row["m"].as_array().unwrap());
    let wrong = texts.map(|(text, want)| (text.as_str().unwrap(), want.as_bool().unwrap()));
    // What a source makes of the pattern is the same.
    let source = regex::Regex::new(&format!("^(?s:{})$", matcher.pattern()));
    let wrong = wrong.filter(|(text, want)| {
        matcher.matches(text) != *want || source.as_ref().is_ok_and(|source| source.is_match(text) != *want)
    });
    let wrong: Vec<String> = wrong.map(|(text, want)| format!("{text:?} should be {want}")).collect();
    (!wrong.is_empty()).then(|| format!("{pattern} as {}: {}", matcher.pattern(), wrong.join(", ")))
}

#[test]
fn expressions_are_those_of_go() {
    let wrong: Vec<String> = TABLE.lines().filter_map(row).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(TABLE.lines().count() > 250);
}

#[test]
fn what_is_large_or_deep_is_taken_up_to_a_limit() {
    let try_it = |pattern: &str| match Matcher::new("l", MatchOp::Regex, pattern) {
        Ok(matcher) => matcher.matches("a").to_string(),
        Err(error) => error.chars().take(60).collect(),
    };
    let nested = |levels: usize| "(".repeat(levels) + "a" + &")".repeat(levels);
    assert_eq!(try_it(&nested(999)), "true");
    assert_eq!(try_it(&nested(1000)), format!("error parsing regexp: expression nests too deeply: `{}", "(".repeat(8)));
    assert_eq!(
        try_it(&nested(1_000_000)),
        format!("error parsing regexp: expression nests too deeply: `{}", "(".repeat(8))
    );
    assert_eq!(try_it(&"(?:".repeat(1_000_000)), "error parsing regexp: missing closing ): `(?:(?:(?:(?:(?:(?:");
    assert_eq!(try_it(&"(?i)a|".repeat(50_000)), "true");
    assert_eq!(try_it(&"[a]".repeat(100_000)), "false");
    assert_eq!(try_it("\\pL{50}"), "false");
    assert_eq!(try_it("(\\pL\\pN){25}"), "false");
    assert_eq!(try_it("\\pL{1000}"), "error parsing regexp: expression too large: `\\pL{1000}`");
    // All expressions of a query together have a limit as well.
    let many = |pattern: &str, count: usize| {
        let matchers: Vec<String> = (0..count).map(|at| format!("l{at}=~'{pattern}'")).collect();
        parse(&format!("x{{{}}}", matchers.join(","))).map(drop).map_err(|error| error.message)
    };
    assert_eq!(many("a.*|b+", 400), Ok(()));
    assert_eq!(many("[^a]{40}", 1000), Err("error parsing regexp: expression too large: `[^a]{40}`".to_owned()));
}

#[test]
fn label_replace_has_go_s_templates() {
    let source = Source(vec![series(7, &[(1000, 1.0)])]);
    let replace = |template: &str, pattern: &str| {
        let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let query = format!("label_replace(x_total, 'l', {}, '__name__', {})", quoted(template), quoted(pattern));
        let outcome =
            eval(&parse(&query).unwrap(), &source, EvalRange::Instant { time_ms: 1000 }, &EvalLimits::default());
        match outcome.map(|outcome| outcome.value) {
            Ok(QueryValue::Vector(vector)) => vector[0].labels.get("l").unwrap_or("-").to_owned(),
            other => other.unwrap_err().to_string(),
        }
    };
    let cases = [
        ("$1", "(.*)_total", "x"),
        ("${1}y", "(.*)_total", "xy"),
        ("$1y", "(.*)_total", "-"),
        ("$name-$2", "(?P<name>x)_(.*)", "x-total"),
        ("$name", "(?<name>x)_(.*)", "x"),
        ("$0", ".*", "x_total"),
        ("$9", ".*", "-"),
        ("$$1 $", ".*", "$1 $"),
        ("${1", "(.*)", "${1"),
        ("${}", "(.*)", "${}"),
        ("$-", "(.*)", "$-"),
        ("$01", "(.*)", "-"),
        ("$1a", "(?P<1a>.).*", "x"),
        ("$n", "(?P<n>y)|(?P<n>x_total)", "x_total"),
        ("$1", "y", "-"),
        ("$1", "x)_(total", "total"),
        ("$1", "[", "invalid regular expression in label_replace(): ["),
        ("$1", "(\\w+?)(_.*)", "x"),
        ("$1", "(?U)(\\w+)(_.*)", "x"),
    ];
    for (template, pattern, want) in cases {
        let got = replace(template, pattern);
        assert_eq!(got, want, "{template} of {pattern}");
    }
}
