//! Valid queries, damaged: the parser never panics, says where the fault is, and what it takes it can write down and read again.

use std::sync::LazyLock;

use promql::{Expr, parse};
use proptest::prelude::*;
use serde_json::Value as Json;

/// Queries of the test files, and some that have what those lack.
static CORPUS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let files = [include_str!("../cases/language.test"), include_str!("../cases/native_histograms.test")];
    let mut found: Vec<String> = files.iter().flat_map(|file| file.lines().filter_map(query_of)).collect();
    found.extend(OWN.map(str::to_owned));
    // Prometheus's own files are not part of the repository; where they are, they take part.
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/promqltest");
    for file in std::fs::read_dir(beside).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        found.extend(text.lines().filter_map(query_of));
    }
    found
});

/// What follows the times of `eval instant at 5m QUERY`.
fn query_of(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("eval")?;
    let times = if rest.contains("range from") { 7 } else { 3 };
    let query: Vec<&str> = rest.split_whitespace().skip(times).collect();
    (!query.is_empty()).then(|| query.join(" "))
}

const OWN: [&str; 16] = [
    "histogram_quantile(0.99, sum by (le, \"service.name\") (rate({\"http.requests\", job!~\"a|b\"}[5m:30s] @ end() offset -1h30m)))",
    "a + on (x, y) group_left (z) fill (1) b / ignoring () group_right fill_left (-2) fill_right (Inf) c",
    "x[5m * 2 + step()] offset (range() / 3)",
    "max_over_time(x[max_of(1m, 2 * step())] smoothed) or rate(y[5m] anchored)",
    "-+-1 ^ -2 ^ 3 % 4 atan2 0x1F == bool 017 > 1_000",
    "topk(scalar(a), b) unless on () limit_ratio(-0.5, c) and quantile without (d) (0.1, e)",
    "label_replace(up, 'a', `$1`, \"b\\n\\x41\\u00e9\", '(.*)')",
    "info(x, {__name__=~\".+_info\", \"k8s.pod\"=\"p\"}) # a comment\n + 1",
    "count_values by (\"l-1\") ('v', x{}) </ 3 >/ 4",
    "{__name__=\"a:b\", le=\"+Inf\"} @ 1.5e3 offset 1y2w3d4h5m6s7ms",
    "sum(x) by (a) + sum without (b) (y)",
    "vector(NaN) * inf + 1e-9 - .5 + 5. + 1h",
    "start * end + bool_metric{by=\"x\"} - on{on=\"on\"}",
    "((((x))))[1h:][2m:1m]",
    "time() - timestamp(up{job=~\"(?i)a.*\"} offset 5m)",
    "\"text\"",
];

const PIECES: [&str; 48] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "=",
    "=~",
    "!~",
    "!=",
    "==",
    "+",
    "-",
    "*",
    "/",
    "^",
    "%",
    "</",
    "@",
    ":",
    "\"",
    "'",
    "`",
    "\\",
    "#",
    "\n",
    "5m",
    "1e400",
    "0x",
    "NaN",
    "offset",
    " on (",
    " by (",
    "bool ",
    " and ",
    "group_left",
    "step()",
    "sum(",
    "x",
    "é",
    "\u{0}",
    "\u{10FFFF}",
    "[5m:",
    "anchored",
    " fill(",
    "((((((((",
    "- - - ",
];

/// One piece of damage: what, where, how long, and with what.
type Damage = (u8, prop::sample::Index, usize, prop::sample::Index);

fn damaged(text: &str, damage: &[Damage]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (kind, at, length, with) in damage {
        let at = at.index(chars.len() + 1);
        let end = (at + length).min(chars.len());
        match kind {
            0 => drop(chars.drain(at..end)),
            1 => {
                let copy = chars[at..end].to_vec();
                chars.splice(at..at, copy);
            }
            2 => drop(chars.splice(at..at, with.get(&PIECES).chars())),
            3 => drop(chars.splice(at..end, with.get(&PIECES).chars())),
            4 => chars.truncate(at),
            _ => {
                let other: Vec<char> = with.get(&CORPUS[..]).chars().collect();
                let from = at.min(other.len());
                let to = (from + length * 4).min(other.len());
                chars.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
    chars.into_iter().collect()
}

/// A tree whose matchers are in order, because they are written so.
fn normal(mut tree: Json) -> Json {
    match &mut tree {
        Json::Object(fields) => {
            for (name, field) in fields {
                *field = normal(field.take());
                if let (true, Json::Array(matchers)) = (name == "matchers", field) {
                    matchers.sort_by_key(Json::to_string);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| *item = normal(item.take())),
        _ => {}
    }
    tree
}

/// What the parser promises of any text.
fn holds(text: &str) -> Result<bool, TestCaseError> {
    let expr = match parse(text) {
        Ok(expr) => expr,
        Err(error) => {
            let within = error.span.start <= text.len() && text.is_char_boundary(error.span.start);
            prop_assert!(within && error.span.end <= text.len(), "{text:?}: {error} at {:?}", error.span);
            let lines: Vec<&str> = text.split('\n').collect();
            let line = lines.get(error.line.wrapping_sub(1));
            prop_assert!(
                line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&error.column)),
                "{text:?}: {error}"
            );
            prop_assert!(!error.message.is_empty());
            return Ok(false);
        }
    };
    let mut outside = Vec::new();
    expr.walk(&mut |inner: &Expr| {
        let span = inner.span();
        if span.start > span.end || text.get(span.start..span.end).is_none() {
            outside.push(span);
        }
    });
    prop_assert!(outside.is_empty(), "{text:?} has parts at {outside:?}");
    let tree = normal(expr.to_json());
    for written in [expr.to_string(), expr.pretty(), expr.pretty_within(20)] {
        let again = parse(&written).map(|expr| normal(expr.to_json()));
        prop_assert_eq!(again.as_ref(), Ok(&tree), "{:?} written as {:?}", text, written);
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn damaged_queries_are_safe(
        query in any::<prop::sample::Index>(),
        damage in prop::collection::vec((0u8..6, any::<prop::sample::Index>(), 1usize..12, any::<prop::sample::Index>()), 0..4),
    ) {
        let query: &String = query.get(&CORPUS[..]);
        holds(&damaged(query, &damage))?;
    }

    #[test]
    fn damaged_series_are_safe(
        damage in prop::collection::vec((0u8..5, any::<prop::sample::Index>(), 1usize..12, any::<prop::sample::Index>()), 0..4),
    ) {
        let series = "http_requests{job=\"a\", \"x.y\"='b'} 1+2x3 _x4 stale -Inf {{schema:1 sum:2 count:3 buckets:[1 2 3] offset:-1}}x2 5@1";
        let text = damaged(series, &damage);
        // Any result is fine.
        let _ = (promql::parse_series(&text), promql::parse_metric(&text), promql::parse_values(&text));
    }
}

#[test]
fn the_corpus_itself_is_valid() {
    let taken = CORPUS.iter().filter(|query| holds(query).unwrap_or_else(|error| panic!("{query}: {error}"))).count();
    assert!(taken * 10 > CORPUS.len() * 8, "{taken} of {}", CORPUS.len());
}
