//! Pipes: the table of all, and who parses which. One file per pipe, with its grammar, its canonical text, its help, its
//! examples, its completion and its tests.

mod aliases;
mod bin;
mod context;
mod dedup;
mod diff;
mod eval;
mod explain;
mod facets;
mod fields;
mod fill;
mod filter;
mod foreign;
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

use std::ops::Range;

use model::parse_duration_ns;

use crate::complete::{At, Offer};
use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::terminals;
use crate::{Diagnostic, Filter, PipeKind};

/// A pipe: what its help says, how it is read, and what completes it.
pub(crate) struct PipeSpec {
    /// Its names; the first one is canonical.
    pub(crate) names: &'static [&'static str],
    /// For LogsQL's spelling of a pipe: the name of the pipe that it is.
    pub(crate) alias_of: Option<&'static str>,
    /// How it is written; `[...]` may be left out, `a|b` is a choice.
    pub(crate) syntax: &'static str,
    /// What it does, in a few words.
    pub(crate) summary: &'static str,
    /// What it does in every corner, in sentences.
    pub(crate) doc: &'static str,
    /// Whole queries that can be run.
    pub(crate) examples: &'static [&'static str],
    /// Parses what stands after the name. `None` when it cannot be read, which is reported. Some are short for several.
    pub(crate) parse: fn(&mut Parser<'_>) -> Option<Vec<PipeKind>>,
    /// What may stand at the cursor after the name.
    pub(crate) complete: fn(&At<'_>) -> Offer,
}

/// Every pipe, in the order of help.
pub(crate) const PIPES: [&PipeSpec; 36] = [
    &filter::SPEC,
    &stats::SPEC,
    &timechart::SPEC,
    &top::TOP,
    &top::RARE,
    &uniq::SPEC,
    &sort::SPEC,
    &limit::LIMIT,
    &limit::OFFSET,
    &dedup::SPEC,
    &sample::SPEC,
    &fields::FIELDS,
    &fields::DROP,
    &rename::SPEC,
    &eval::SPEC,
    &bin::SPEC,
    &fill::SPEC,
    &parse::SPEC,
    &replace::REPLACE,
    &replace::REPLACE_REGEXP,
    &format::SPEC,
    &unroll::SPEC,
    &join::SPEC,
    &union::SPEC,
    &lookup::SPEC,
    &context::SPEC,
    &patterns::SPEC,
    &facets::SPEC,
    &diff::SPEC,
    &explain::SPEC,
    &aliases::UNPACK_JSON,
    &aliases::UNPACK_LOGFMT,
    &aliases::UNPACK_SYSLOG,
    &aliases::EXTRACT,
    &aliases::EXTRACT_REGEXP,
    &aliases::STREAM_CONTEXT,
];

/// The canonical names of the pipes there are.
pub(crate) fn names() -> Vec<&'static str> {
    PIPES.iter().filter(|spec| spec.alias_of.is_none()).map(|spec| spec.names[0]).collect()
}

/// The pipe of a name, in any case.
pub(crate) fn find(name: &str) -> Option<&'static PipeSpec> {
    PIPES.into_iter().find(|spec| spec.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
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
        p.expected("a pipe", "such as stats, where, sort, limit, parse or fields");
        return None;
    };
    match find(name) {
        Some(spec) => (spec.parse)(p),
        None => {
            unknown(p, name, span);
            None
        }
    }
}

/// Reports a pipe that there is not: a slip, a name of another language, or a function.
fn unknown(p: &mut Parser<'_>, name: &str, span: Range<usize>) {
    p.retag(TokenKind::Error);
    let shown = shorten(name);
    let known = PIPES.iter().flat_map(|spec| spec.names.iter().copied());
    let compares =
        p.peek().is_some_and(|c| "=<>".contains(c)) || p.rest().starts_with("!=") || p.rest().starts_with("!~");
    let diagnostic = if compares {
        Diagnostic::error(span, format!("`{shown}` is not a pipe"))
            .hint(format!("to filter by this field, write `where {shown} ...`"))
    } else if ["first", "last"].contains(&name) && p.peek() != Some('(') {
        let order = if name == "first" { "field" } else { "field desc" };
        Diagnostic::error(span, format!("there is no pipe `{name}`"))
            .hint(format!("write `sort by ({order}) | limit 5`"))
    } else if let Some(hint) = foreign::hint(name) {
        Diagnostic::error(span, format!("there is no pipe `{shown}`")).hint(hint)
    } else if stats::find(name).is_some() {
        Diagnostic::error(span, format!("`{shown}` is a function, not a pipe"))
            .hint(format!("write `stats {shown}(...)`"))
    } else if let Some(near) = nearest(name, known) {
        Diagnostic::error(span, format!("unknown pipe `{shown}`")).hint(format!("did you mean `{near}`?"))
    } else {
        Diagnostic::error(span, format!("unknown pipe `{shown}`"))
            .hint(format!("pipes are {}; to filter for a word, write `where {shown}`", names().join(", ")))
    };
    p.report(diagnostic);
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

/// Takes `by (field, ...)` when it is there; an empty list when not.
fn optional_by(p: &mut Parser<'_>, hint: &str) -> Option<Vec<String>> {
    match p.peek_word().is_some_and(|word| word.eq_ignore_ascii_case("by")) || p.peek() == Some('(') {
        true => by_names(p, hint),
        false => Some(Vec::new()),
    }
}

/// Takes a number of rows that may stand before `by`, such as the 5 of `top 5 by (f)`.
fn optional_rows(p: &mut Parser<'_>, default: u64, example: &str) -> Option<u64> {
    let word = p.peek_word().unwrap_or_default();
    let before_by = {
        let mut rest = p.rest()[word.len()..].split_whitespace();
        !word.eq_ignore_ascii_case("by") && rest.next().is_some_and(|next| next.eq_ignore_ascii_case("by"))
    };
    match before_by && !word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
        true => limit::rows_above_zero(p, example),
        false => Some(default),
    }
}

/// Takes a name that must stand here.
fn required_name(p: &mut Parser<'_>, what: &str, hint: &str) -> Option<String> {
    let name = p.name();
    if name.is_none() {
        p.expected(what, hint);
    }
    name.map(|(name, _)| name)
}

/// Takes a quoted text that must stand here.
fn required_text(p: &mut Parser<'_>, what: &str, hint: &str) -> Option<(String, Range<usize>)> {
    p.skip_space();
    let text = p.quoted_here(TokenKind::String);
    if text.is_none() {
        p.expected(what, hint);
    }
    text
}

/// Takes a duration above zero that must stand here.
fn required_duration(p: &mut Parser<'_>, hint: &str) -> Option<i64> {
    let Some((word, span)) = p.take(TokenKind::Number, terminals::time_word) else {
        p.expected("a duration", hint);
        return None;
    };
    let ns = parse_duration_ns(word).filter(|ns| *ns > 0);
    if ns.is_none() {
        let message = format!("`{}` is not a duration", shorten(word));
        p.report(Diagnostic::error(span, message).hint(hint.to_owned()));
    }
    ns
}

/// Takes `(filter)`, after `if`.
fn condition(p: &mut Parser<'_>, hint: &str) -> Option<Filter> {
    if p.peek() != Some('(') {
        p.expected("`(` and a filter", hint);
        return None;
    }
    let outer = std::mem::replace(&mut p.over_columns, true);
    let filter = crate::filter::group(p);
    p.over_columns = outer;
    filter
}
