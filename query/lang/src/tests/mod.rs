//! Golden cases: a query in, its canonical text or its diagnostics out.

mod editor;
mod mistakes;
mod queries;

use expect_test::Expect;
use model::Timestamp;

use crate::{format, parse, render_diagnostic};

/// 2026-11-23T09:00:00Z.
const NOW: Timestamp = Timestamp(1_795_424_400_000_000_000);

/// Each line is a query; below it comes its canonical text, which must parse to the same tree, or its diagnostics.
pub(crate) fn check(queries: &str, expect: Expect) {
    let mut out = String::new();
    for text in queries.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (query, diagnostics) = parse(text, NOW);
        out.push_str(&format!("{text}\n"));
        if diagnostics.iter().any(|d| d.is_error()) {
            panic!("{}", diagnostics.iter().map(|d| render_diagnostic(text, d)).collect::<String>());
        }
        let canonical = format(&query);
        let again = parse(&canonical, NOW);
        assert_eq!(again.0, query, "{text} is printed as {canonical}");
        out.push_str(&format!("    {canonical}\n"));
    }
    expect.assert_eq(&out);
}

/// Each line is a query; its rendered diagnostics come out, and the canonical text of what is left.
pub(crate) fn check_diagnostics(queries: &str, expect: Expect) {
    let mut out = String::new();
    for text in queries.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (query, diagnostics) = parse(text, NOW);
        assert!(!diagnostics.is_empty(), "{text} is in order: {}", format(&query));
        for diagnostic in &diagnostics {
            assert!(diagnostic.hint.is_some(), "no hint: {diagnostic:?}");
            out.push_str(&render_diagnostic(text, diagnostic));
        }
        out.push_str(&format!(" => {}\n\n", format(&query)));
    }
    expect.assert_eq(&out);
}
