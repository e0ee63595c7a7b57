//! Arbitrary texts, and texts in order that were damaged: whatever comes, the parser comes back with spans inside the text,
//! hints, and a tree that its canonical text makes again when nothing was wrong.

use std::sync::LazyLock;

use model::Timestamp;
use proptest::prelude::*;

use crate::{FUNCTIONS, complete, format, highlight, parse, parse_lucene, reference, render_diagnostic};

const NOW: Timestamp = Timestamp(1_795_424_400_000_000_000);

/// How many inputs are tried: so many in the tests, as many as `BACKSTOP_FUZZ_CASES` says when somebody wants more.
pub(crate) fn cases(of_tests: u32) -> u32 {
    std::env::var("BACKSTOP_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(of_tests)
}

/// Queries to damage: every example of the reference, and every mistake that is known.
static CORPUS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let reference = reference();
    let entries = [reference.sources, reference.filters, reference.pipes, reference.functions].concat();
    let examples = entries.into_iter().flat_map(|entry| entry.examples).map(str::to_owned);
    let mistakes = include_str!("tests/mistakes.txt").lines().filter_map(|line| line.strip_prefix("query: "));
    let calls =
        FUNCTIONS.iter().flat_map(|spec| spec.examples).map(|(call, _)| format!("* | eval x = {call} | where {call}"));
    examples.chain(mistakes.map(str::to_owned)).chain(calls).collect()
});

const PIECES: [&str; 56] = [
    " and ",
    " or ",
    " not ",
    "stats ",
    "by (",
    "count()",
    " as ",
    " | ",
    "_time:",
    "f:in(",
    "~\"",
    "eval x=",
    "sort by ",
    "limit ",
    "top ",
    "from ",
    "{a=",
    "severity:",
    "quantile(",
    " if (",
    "ü",
    "where ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "`",
    "*",
    "?",
    "~1",
    "~",
    "<",
    ">",
    "<a>",
    "&lt;",
    "\\",
    ":",
    "=",
    "!",
    "-",
    ",",
    "5m",
    "..",
    "join by (a) (",
    "union (",
    "parse regex \"",
    "_time:day_range[",
    "f:[1,",
    "from promql(`",
    "timechart ",
    "日本",
    "\u{0}",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        "[ |():*{}\\[\\]=!<>~,\"'`._-]{1,4}",
        prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A query of the corpus with parts taken out, put in, and doubled.
fn damaged() -> impl Strategy<Value = String> {
    let damage = (any::<prop::sample::Index>(), 0usize..9, prop::sample::select(PIECES.to_vec()), 0u8..3);
    let query = any::<prop::sample::Index>().prop_map(|index| index.get(&CORPUS).clone());
    (query, prop::collection::vec(damage, 1..4)).prop_map(|(mut text, damages)| {
        for (index, length, piece, kind) in damages {
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let place = index.index(bounds.len());
            let (start, end) = (bounds[place], bounds[(place + length).min(bounds.len() - 1)]);
            match kind {
                0 => text.replace_range(start..end, ""),
                1 => text.insert_str(start, piece),
                _ => {
                    let part: String = text[start..end].into();
                    text.insert_str(end, &part);
                }
            }
        }
        text
    })
}

/// What holds for any text.
fn check(text: &str) -> Result<(), TestCaseError> {
    let (query, diagnostics) = parse(text, NOW);
    for diagnostic in &diagnostics {
        prop_assert!(text.get(diagnostic.span.clone()).is_some_and(|part| !part.is_empty()), "{diagnostic:?}");
        prop_assert!(diagnostic.hint.is_some(), "{diagnostic:?}");
        prop_assert!(render_diagnostic(text, diagnostic).contains('^'));
    }
    if diagnostics.is_empty() {
        let canonical = format(&query);
        prop_assert_eq!(parse(&canonical, NOW), (query, Vec::new()), "{} is printed as {}", text, canonical);
    }
    let mut at = 0;
    for (span, _) in highlight(text) {
        prop_assert!(span.start >= at && text.get(span.clone()).is_some_and(|part| !part.is_empty()), "{span:?}");
        at = span.end;
    }
    let step = text.len() / 12 + 1;
    for cursor in (0..=text.len() + 1).step_by(step) {
        let found = complete(text, cursor);
        prop_assert!(text.get(found.replace).is_some());
    }
    Ok(())
}

/// What holds for any text as a Lucene query string.
fn check_lucene(text: &str) -> Result<(), TestCaseError> {
    let (query, diagnostics) = parse_lucene(text, NOW);
    for diagnostic in &diagnostics {
        prop_assert!(text.get(diagnostic.span.clone()).is_some_and(|part| !part.is_empty()), "{diagnostic:?}");
        prop_assert!(diagnostic.hint.is_some(), "{diagnostic:?}");
    }
    if diagnostics.iter().all(|diagnostic| !diagnostic.is_error()) {
        let canonical = format(&query);
        let (again, diagnostics) = parse(&canonical, NOW);
        prop_assert!(diagnostics.iter().all(|diagnostic| !diagnostic.is_error()), "{} {:?}", canonical, diagnostics);
        prop_assert_eq!(format(&again), canonical.clone(), "{}", text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(512)) })]

    #[test]
    fn any_text_is_read_with_spans_inside_it(text in text()) {
        check(&text)?;
    }

    #[test]
    fn a_damaged_query_is_read_with_spans_inside_it(text in damaged()) {
        check(&text)?;
    }

    #[test]
    fn any_text_is_a_lucene_query_or_says_why_not(text in prop_oneof![text(), damaged()]) {
        check_lucene(&text)?;
    }
}
