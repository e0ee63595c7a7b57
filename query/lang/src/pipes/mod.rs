//! Pipes: the table of their names and who parses which. One file per pipe.

mod bin;
mod context;
mod dedup;
mod diff;
mod eval;
mod facets;
mod fields;
mod fill;
mod filter;
mod format;
mod join;
mod limit;
mod lookup;
mod parse;
mod patterns;
mod rename;
mod replace;
mod sample;
mod sort;
pub(crate) mod stats;
mod timechart;
mod top;
mod union;
mod uniq;
mod unroll;

use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::terminals;
use crate::{Diagnostic, PipeKind};

/// A pipe that there is.
pub(crate) struct PipeSpec {
    /// Its names; the first one is canonical.
    pub(crate) names: &'static [&'static str],
    /// How it is written.
    pub(crate) syntax: &'static str,
    /// Parses what stands after the name. `None` when it cannot be read, which is reported. Some are short for several.
    parse: fn(&mut Parser<'_>) -> Option<Vec<PipeKind>>,
}

/// Every pipe that there is.
pub(crate) const PIPES: [PipeSpec; 12] = [
    PipeSpec { names: &["stats"], syntax: "stats by (field, _time:5m) count() as n", parse: stats::parse },
    PipeSpec { names: &["where", "filter"], syntax: "where n > 20", parse: filter::parse },
    PipeSpec { names: &["sort", "order"], syntax: "sort by (field desc)", parse: sort::parse },
    PipeSpec { names: &["limit", "head"], syntax: "limit 10", parse: limit::parse_limit },
    PipeSpec { names: &["offset", "skip"], syntax: "offset 10", parse: limit::parse_offset },
    PipeSpec { names: &["fields", "keep"], syntax: "fields a, b", parse: fields::parse_fields },
    PipeSpec { names: &["drop", "delete", "del", "rm"], syntax: "drop a, b", parse: fields::parse_drop },
    PipeSpec { names: &["rename", "mv"], syntax: "rename a as b", parse: rename::parse },
    PipeSpec { names: &["eval", "math"], syntax: "eval n = a / b * 100", parse: eval::parse },
    PipeSpec { names: &["top"], syntax: "top 10 by (field)", parse: top::parse_top },
    PipeSpec { names: &["rare"], syntax: "rare 10 by (field)", parse: top::parse_rare },
    PipeSpec { names: &["uniq"], syntax: "uniq by (field)", parse: uniq::parse },
];

/// Pipes that the language has names for and that are not built yet.
const PIPES_NOT_YET: [&str; 23] = [
    "bin",
    "context",
    "dedup",
    "diff",
    "explain",
    "extract",
    "facets",
    "fill",
    "format",
    "join",
    "lookup",
    "parse",
    "patterns",
    "replace",
    "sample",
    "stream_context",
    "timechart",
    "union",
    "unpack_json",
    "unpack_logfmt",
    "unpack_syslog",
    "unroll",
    "extract_regexp",
];

/// The canonical names of the pipes there are.
pub(crate) fn names() -> Vec<&'static str> {
    PIPES.iter().map(|spec| spec.names[0]).collect()
}

fn find(name: &str) -> Option<&'static PipeSpec> {
    const { &PIPES }.iter().find(|spec| spec.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// Whether what follows can only be a filter: it starts with a sign of filters, or with a field's name and `:`.
pub(crate) fn looks_like_filter(p: &mut Parser<'_>) -> bool {
    match p.peek() {
        Some('"' | '\'' | '`' | '(' | '{' | '!' | '~' | '=' | '*' | '-') => true,
        _ => p.peek_word().is_some_and(|word| p.rest()[word.len()..].starts_with(':')),
    }
}

/// Takes one pipe. `None` when it cannot be read, which is reported.
pub(crate) fn pipe(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    if looks_like_filter(p) {
        return filter::parse(p);
    }
    let Some((name, span)) = p.take(TokenKind::Pipe, terminals::word) else {
        p.expected("a pipe", &available());
        return None;
    };
    if let Some(spec) = find(name) {
        return (spec.parse)(p);
    }
    p.retag(TokenKind::Error);
    let shown = shorten(name);
    let known = PIPES.iter().flat_map(|spec| spec.names.iter().copied());
    let diagnostic = if PIPES_NOT_YET.contains(&name.to_ascii_lowercase().as_str()) {
        Diagnostic::error(span, format!("`{shown}` is not available yet")).hint(available())
    } else if let Some(near) = nearest(name, known.chain(PIPES_NOT_YET)) {
        Diagnostic::error(span, format!("unknown pipe `{shown}`")).hint(format!("did you mean `{near}`?"))
    } else if stats::FUNCTIONS.iter().any(|function| function.eq_ignore_ascii_case(name)) {
        Diagnostic::error(span, format!("`{shown}` is a function, not a pipe"))
            .hint(format!("write `stats {shown}(...)`"))
    } else {
        Diagnostic::error(span, format!("unknown pipe `{shown}`")).hint(available())
    };
    p.report(diagnostic);
    None
}

/// The canonical text of a pipe.
pub(crate) fn print(pipe: &PipeKind) -> String {
    match pipe {
        PipeKind::Stats(pipe) => stats::print(pipe),
        PipeKind::Sort(keys) => sort::print(keys),
        PipeKind::Limit(n) => format!("limit {n}"),
        PipeKind::Offset(n) => format!("offset {n}"),
        PipeKind::Fields(names) => format!("fields {}", text::patterns(names)),
        PipeKind::Drop(names) => format!("drop {}", text::patterns(names)),
        PipeKind::Rename(renames) => rename::print(renames),
        PipeKind::Where(filter) => format!("where {}", text::format_filter(filter)),
        PipeKind::Eval(columns) => eval::print(columns),
        PipeKind::Top(pipe) => top::print(pipe),
        PipeKind::Uniq(pipe) => uniq::print(pipe),
        PipeKind::Dedup(pipe) => dedup::print(pipe),
        PipeKind::Sample(pipe) => sample::print(pipe),
        PipeKind::Bin(pipe) => bin::print(pipe),
        PipeKind::Timechart(pipe) => timechart::print(pipe),
        PipeKind::Fill(pipe) => fill::print(pipe),
        PipeKind::Parse(pipe) => parse::print(pipe),
        PipeKind::Replace(pipe) => replace::print(pipe),
        PipeKind::Format(pipe) => format::print(pipe),
        PipeKind::Unroll(by) => unroll::print(by),
        PipeKind::Join(pipe) => join::print(pipe),
        PipeKind::Union(query) => union::print(query),
        PipeKind::Lookup(pipe) => lookup::print(pipe),
        PipeKind::Context(pipe) => context::print(pipe),
        PipeKind::Patterns(pipe) => patterns::print(pipe),
        PipeKind::Facets(pipe) => facets::print(pipe),
        PipeKind::Diff(pipe) => diff::print(pipe),
        PipeKind::Explain => "explain".to_owned(),
    }
}

fn available() -> String {
    format!("available are {}", names().join(", "))
}

/// Takes `( field, ... )`.
fn names_in_parentheses(p: &mut Parser<'_>, hint: &str) -> Option<Vec<String>> {
    let names = p.parenthesised("a field", hint, |p| p.name().map(|(name, _)| name))?;
    if names.is_empty() {
        let span = p.at.saturating_sub(1)..p.at;
        p.report(Diagnostic::error(span, "at least one field is needed").hint(hint.to_owned()));
        return None;
    }
    Some(names)
}

/// Takes `by (field, ...)`, `(field, ...)` or `field, ...`.
fn by_names(p: &mut Parser<'_>, hint: &str) -> Option<Vec<String>> {
    p.eat_keyword("by");
    if p.peek() == Some('(') {
        return names_in_parentheses(p, hint);
    }
    p.list("a field", hint, |p| p.name().map(|(name, _)| name))
}
