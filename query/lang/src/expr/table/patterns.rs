//! Functions of regular expressions, in Rust's syntax: case-sensitive unless they say `(?i)`, and linear in time.

use crate::expr::function::ScalarFunction::*;
use crate::expr::function::{FunctionSpec, Kind, Param, maybe, one};

const TEXT: Param = one("text", Kind::Text);
const PATTERN: Param = one("pattern", Kind::Pattern);

pub(in crate::expr) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec::new(Matches, "matches", Kind::Bool, "Whether an expression matches somewhere in a text.")
        .also(&["regexp_like", "regex_match", "rlike"])
        .takes(&[TEXT, PATTERN])
        .doc("Also written `text =~ \"pattern\"` and `text !~ \"pattern\"`.")
        .examples(&[(r#"matches("code=503", "code=5\d\d")"#, "true")]),
    FunctionSpec::new(
        Extract,
        "extract",
        Kind::Text,
        "What an expression matches first; missing when it does not match.",
    )
    .also(&["regexp_extract", "regexp_substr"])
    .takes(&[TEXT, PATTERN, maybe("group", Kind::Any)])
    .doc("The group is a number or a name. Without one it is the first group, and the whole match when there are none.")
    .examples(&[
        (r#"extract("took 31 ms", "\d+")"#, "31"),
        (r#"extract("user=ana id=7", "user=(?P<who>\w+)", "who")"#, "ana"),
        (r#"extract("took 31 ms", "(\d+) (ms)", 2)"#, "ms"),
    ]),
    FunctionSpec::new(ExtractAll, "extract_all", Kind::List, "Everything that an expression matches, as a list.")
        .also(&["regexp_extract_all"])
        .takes(&[TEXT, PATTERN, maybe("group", Kind::Any)])
        .doc("The group is as in `extract`.")
        .examples(&[(r#"extract_all("a=1 b=22", "=(\d+)")"#, r#"["1","22"]"#)]),
    FunctionSpec::new(
        ReplaceRegex,
        "replace_regex",
        Kind::Text,
        "The text with everything that an expression matches replaced.",
    )
    .also(&["regexp_replace"])
    .takes(&[TEXT, PATTERN, one("new", Kind::Text)])
    .doc("In the new text `$1` and `${name}` stand for groups, `$$` for a dollar.")
    .examples(&[(r#"replace_regex("id 17 and 4", "\d+", "N")"#, "id N and N")]),
    FunctionSpec::new(CountMatches, "count_matches", Kind::Integer, "How often an expression matches in a text.")
        .also(&["regexp_count"])
        .takes(&[TEXT, PATTERN])
        .examples(&[(r#"count_matches("a1b22c333", "\d+")"#, "3")]),
    FunctionSpec::new(
        Like,
        "like",
        Kind::Bool,
        "Whether the whole text fits a pattern of SQL: `%` is any text, `_` any character.",
    )
    .takes(&[TEXT, one("pattern", Kind::Text)])
    .doc("A backslash makes them plain.")
    .examples(&[(r#"like("/api/v1/cart", "/api/%/cart")"#, "true")]),
];
