//! Lucene query strings, as Elasticsearch's `query_string` and Graylog read them, to the same tree as the native language.
//!
//! `status:500 AND (checkout OR "payment failed") -debug @timestamp:[now-1h TO now]`. The grammar is that of Lucene's classic
//! query parser; its clauses are in `clause`, ranges in `range`, date math in `date`.
//!
//! **Booleans** are the classic parser's and know no precedence: each clause of a level is required, optional or prohibited.
//! `AND` makes the clauses on both its sides required, `+` the one behind it, `-`, `!` and `NOT` prohibit it, the rest are
//! optional, or required when the default operator is `AND`. A level with a required clause finds what all required ones
//! find; its optional ones would change the order by relevance only, which there is none of here, so each is warned about.
//! Without a required clause one of the optional ones must match; a level of prohibited clauses alone finds everything else.
//! So `a OR b AND c` finds what `b AND c` finds.
//!
//! **What is different.** Words find any case and whole words, as after Elasticsearch's standard analyzer, in every field; a
//! phrase stands as it is written. A pattern in slashes is anchored to words in the body and to the whole value elsewhere.
//! Boosts do nothing, which is a warning; nearness (`"a b"~3`) becomes all of the words, which is one too.
//! `@timestamp`, `message`, `log.level`, `trace.id` and `span.id` of the Elastic Common Schema are the fields that they are here.

mod clause;
mod date;
mod range;
#[cfg(test)]
mod tests;

use std::ops::Range;

use model::Timestamp;

use crate::highlight::TokenKind;
use crate::limits::QUERY_BYTES_MAX;
use crate::parser::{Parser, shorten};
use crate::{Diagnostic, FieldName, Filter, Query, filter, terminals};

/// How a Lucene query string is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LuceneOptions {
    /// What joins clauses that have nothing between them.
    pub default_operator: LuceneOperator,
    /// What a clause without a field searches.
    pub default_field: FieldName,
}

impl Default for LuceneOptions {
    /// `OR`, as in Elasticsearch and Graylog; `body`, as in the native language.
    fn default() -> Self {
        Self { default_operator: LuceneOperator::Or, default_field: FieldName::body() }
    }
}

/// What joins clauses that have nothing between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LuceneOperator {
    /// They are optional.
    Or,
    /// They are required.
    And,
}

/// Reads a Lucene query string over log records. Relative times count back from `now`. An empty text is `*`.
///
/// ```
/// use lang::{format, parse_lucene};
/// use model::Timestamp;
///
/// let (query, diagnostics) = parse_lucene("status:[500 TO 599] AND service:(checkout OR payment)", Timestamp(0));
/// assert!(diagnostics.is_empty());
/// assert_eq!(format(&query), "status:>=500 status:<=599 (service:checkout or service:payment)");
/// ```
pub fn parse_lucene(text: &str, now: Timestamp) -> (Query, Vec<Diagnostic>) {
    parse_lucene_with(text, now, &LuceneOptions::default())
}

/// Reads a Lucene query string with other defaults.
pub fn parse_lucene_with(text: &str, now: Timestamp, options: &LuceneOptions) -> (Query, Vec<Diagnostic>) {
    let mut p = Parser::new(text, now);
    p.default_field = options.default_field.clone();
    let mut query = Query::default();
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("the query has {} bytes, the limit is {QUERY_BYTES_MAX} (QUERY_BYTES_MAX)", text.len());
        let first = text.chars().next().map_or(0, char::len_utf8);
        p.stop(0..first, message);
    } else if !text.trim().is_empty() {
        query.filter = level(&mut p, options.default_operator, false);
    }
    let mut diagnostics = p.diagnostics;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
    (query, diagnostics)
}

/// What stands between two clauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conjunction {
    None,
    And,
    Or,
}

/// Whether a clause must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occur {
    Must,
    Should,
    MustNot,
}

struct Clause {
    occur: Occur,
    filter: Filter,
    span: Range<usize>,
}

/// Takes the clauses of a level: to the end, or in parentheses to the `)`, which is left.
fn level(p: &mut Parser<'_>, operator: LuceneOperator, in_group: bool) -> Filter {
    let mut clauses: Vec<Clause> = Vec::new();
    loop {
        match p.peek() {
            None => break,
            Some(')') if in_group => break,
            Some(')') => {
                let span = p.at..p.at + 1;
                p.at += 1;
                let hint = "remove it, or write \\) to search for it";
                p.report(Diagnostic::error(span, "this `)` closes nothing").hint(hint));
                continue;
            }
            Some(_) => {}
        }
        let conjunction = conjunction(p, clauses.is_empty());
        let modifier = modifier(p);
        let start = p.at;
        let filter = clause::clause(p, operator);
        if p.at == start && p.peek().is_some_and(|c| c != ')') {
            p.at += p.peek().map_or(0, char::len_utf8);
        }
        match filter {
            Some(filter) => {
                let span = start..p.text[..p.at].trim_end().len().max(start);
                add(&mut clauses, conjunction, modifier, operator, Clause { occur: Occur::Should, filter, span });
            }
            None if conjunction != Conjunction::None || modifier.is_some() => missing(p, start),
            None => {}
        }
    }
    join(p, clauses)
}

/// Adds a clause as the classic parser's `addClause` does.
fn add(
    clauses: &mut Vec<Clause>,
    conjunction: Conjunction,
    modifier: Option<Occur>,
    operator: LuceneOperator,
    mut clause: Clause,
) {
    if let Some(last) = clauses.last_mut().filter(|last| last.occur != Occur::MustNot) {
        match (conjunction, operator) {
            (Conjunction::And, _) => last.occur = Occur::Must,
            (Conjunction::Or, LuceneOperator::And) => last.occur = Occur::Should,
            _ => {}
        }
    }
    clause.occur = match (modifier, operator, conjunction) {
        (Some(Occur::MustNot), _, _) => Occur::MustNot,
        (Some(_), LuceneOperator::Or, _) | (None, LuceneOperator::Or, Conjunction::And) => Occur::Must,
        (None, LuceneOperator::Or, _) | (_, LuceneOperator::And, Conjunction::Or) => Occur::Should,
        (_, LuceneOperator::And, _) => Occur::Must,
    };
    clauses.push(clause);
}

/// The filter that a level is.
fn join(p: &mut Parser<'_>, clauses: Vec<Clause>) -> Filter {
    let required = clauses.iter().any(|clause| clause.occur == Occur::Must);
    let (mut all, mut any) = (Vec::new(), Vec::new());
    for clause in clauses {
        match clause.occur {
            Occur::Must => all.push(clause.filter),
            Occur::MustNot => all.push(filter::negated(clause.filter)),
            Occur::Should if required => {
                let hint =
                    "AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c";
                let message = "this part is optional beside required ones, and changes nothing";
                p.report(Diagnostic::warning(clause.span, message).hint(hint));
            }
            Occur::Should => any.push(clause.filter),
        }
    }
    let any = match any.len() {
        0 => None,
        1 => any.pop(),
        _ if any.contains(&Filter::All) => Some(Filter::All),
        _ => {
            let parts = |filter| match filter {
                Filter::Or(parts) => parts,
                other => vec![other],
            };
            Some(Filter::Or(any.into_iter().flat_map(parts).collect()))
        }
    };
    let mut parts: Vec<Filter> =
        any.into_iter().chain(all).filter(|part| *part != Filter::All).flat_map(flat).collect();
    match parts.len() {
        0 => Filter::All,
        1 => parts.swap_remove(0),
        _ => Filter::And(parts),
    }
}

/// The parts of a filter that is an `and` already.
fn flat(filter: Filter) -> Vec<Filter> {
    match filter {
        Filter::And(parts) => parts,
        other => vec![other],
    }
}

/// Takes `AND`, `OR`, `&&` and `||`.
fn conjunction(p: &mut Parser<'_>, first: bool) -> Conjunction {
    let mut found = Conjunction::None;
    let mut words = 0;
    while let Some((word, conjunction)) =
        [("AND", Conjunction::And), ("OR", Conjunction::Or), ("&&", Conjunction::And), ("||", Conjunction::Or)]
            .into_iter()
            .find(|(word, _)| is_operator(p, word))
    {
        words += 1;
        let span = p.at..p.at + word.len();
        p.at = span.end;
        p.tokens.push((span.clone(), TokenKind::Keyword));
        if first || words > 1 {
            let hint = format!("remove it, or quote \"{word}\" to search for the word");
            p.report(Diagnostic::error(span, format!("nothing stands before this `{word}`")).hint(hint));
        }
        found = conjunction;
        p.skip_space();
    }
    found
}

/// Whether an operator stands here: a word of its own, or a sign.
fn is_operator(p: &mut Parser<'_>, word: &str) -> bool {
    p.skip_space();
    let Some(after) = p.rest().strip_prefix(word) else { return false };
    !word.starts_with(char::is_alphabetic) || after.chars().next().is_none_or(|c| !clause::is_term_char(c) && c != ':')
}

/// Takes `+`, `-`, `!` and `NOT`.
fn modifier(p: &mut Parser<'_>) -> Option<Occur> {
    let mut found = None;
    while let Some((word, occur)) =
        [("+", Occur::Must), ("-", Occur::MustNot), ("!", Occur::MustNot), ("NOT", Occur::MustNot)]
            .into_iter()
            .find(|(word, _)| is_operator(p, word))
    {
        let span = p.at..p.at + word.len();
        p.at = span.end;
        p.tokens.push((span.clone(), TokenKind::Operator));
        if found.is_some() {
            let hint = "write one of + - ! NOT before a clause";
            p.report(Diagnostic::error(span, format!("`{word}` stands behind another sign")).hint(hint));
        }
        found = found.or(Some(occur));
        p.skip_space();
    }
    found
}

fn missing(p: &mut Parser<'_>, at: usize) {
    let before = p.text[..at].trim_end();
    let space = before.char_indices().rev().find(|(_, c)| c.is_whitespace());
    let start = space.map_or(0, |(at, c)| at + c.len_utf8());
    let message = format!("a clause is missing after `{}`", shorten(&p.text[start..before.len()]));
    if !p.diagnostics.iter().any(|diagnostic| diagnostic.span.start >= at) {
        p.report(Diagnostic::error(start..before.len(), message).hint("add one, or quote the word to search for it"));
    }
}

/// Takes `( clauses )`, the parenthesis known to follow.
fn group(p: &mut Parser<'_>, operator: LuceneOperator) -> Option<Filter> {
    let open = p.eat("(")?;
    p.nested(open.clone(), |p| {
        if p.eat(")").is_some() {
            let span = open.start..p.at;
            p.report(
                Diagnostic::error(span, "nothing stands in these parentheses").hint("put a clause in, or remove them"),
            );
            return None;
        }
        let inner = level(p, operator, true);
        p.close(open, ")");
        Some(inner)
    })
}

/// A word of Lucene's grammar in the wrong case is searched for: `and`, `or`, `not`, `to`.
fn warn_about_case(p: &mut Parser<'_>, word: &str, span: &Range<usize>) {
    if ["and", "or", "not"].contains(&word) && terminals::is_whole(terminals::word, word) {
        let hint = format!("operators are in capitals: write {}, or quote \"{word}\"", word.to_uppercase());
        p.report(Diagnostic::warning(span.clone(), format!("this searches for the word `{word}`")).hint(hint));
    }
}
