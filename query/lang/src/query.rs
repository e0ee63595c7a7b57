//! The frame of a query: what it reads, a filter, pipes; and queries in parentheses inside of others.

use model::{Timestamp, parse_duration_ns};

use crate::highlight::TokenKind;
use crate::limits::{PIPES_MAX, QUERY_BYTES_MAX, SUBQUERIES_MAX};
use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::terminals;
use crate::{Diagnostic, FieldName, Filter, Input, Pipe, PipeKind, Promql, Query, Source, Span, filter, pipes};

/// Parses a whole text; the parser comes back with its diagnostics and tokens.
pub(crate) fn run(text: &str, now: Timestamp) -> (Query, Parser<'_>) {
    let mut parser = Parser::new(text, now);
    if !fits(&mut parser) {
        return (Query::default(), parser);
    }
    warn_about_sql(&mut parser);
    let query = query(&mut parser);
    (query, parser)
}

/// Parses a filter over columns, to the end of the text.
pub(crate) fn run_condition(text: &str, now: Timestamp) -> (Filter, Parser<'_>) {
    let mut parser = Parser::new(text, now);
    parser.over_columns = true;
    if !fits(&mut parser) {
        return (Filter::All, parser);
    }
    let filter = filter::filter(&mut parser);
    if parser.at_end() && text.trim().is_empty() {
        parser.report(Diagnostic::error(0..0, "the condition is empty").hint("for example n > 20"));
    }
    if let Some(bar) = parser.eat("|") {
        parser.report(Diagnostic::error(bar, "a condition has no pipes").hint("put pipes into the query before it"));
    }
    (filter, parser)
}

/// Whether the text is short enough; reports when not.
fn fits(parser: &mut Parser<'_>) -> bool {
    let bytes = parser.text.len();
    if bytes > QUERY_BYTES_MAX {
        let message = format!("the query has {bytes} bytes, the limit is {QUERY_BYTES_MAX} (QUERY_BYTES_MAX)");
        let first = parser.text.chars().next().map_or(0, char::len_utf8);
        parser.stop(0..first, message);
    }
    bytes <= QUERY_BYTES_MAX
}

/// `SELECT ... FROM ...` reads as words that are searched for, which is never what was meant.
fn warn_about_sql(p: &mut Parser<'_>) {
    let Some(word) = p.peek_word().filter(|word| word.eq_ignore_ascii_case("select")) else { return };
    let mut words = p.rest().split_whitespace();
    if words.any(|word| word.eq_ignore_ascii_case("from")) {
        let span = p.at..p.at + word.len();
        p.report(
            Diagnostic::warning(span, "this looks like SQL, and is searched for as words")
                .hint("send it with language=sql, or quote \"select\" to search for the word"),
        );
    }
}

fn query(p: &mut Parser<'_>) -> Query {
    let input = input(p);
    let filter = filter::filter(p);
    let has_input = input.is_some();
    let mut query = Query { input: input.unwrap_or_default(), filter, pipes: Vec::new() };
    while p.peek() == Some('|') {
        let bar = p.eat("|").unwrap_or_default();
        if query.pipes.len() == PIPES_MAX {
            p.stop(bar, format!("the query has more than {PIPES_MAX} pipes (PIPES_MAX)"));
            break;
        }
        if foreign_bar(p, &bar) {
            continue;
        }
        if p.at_pipe_end() && p.peek() != Some('|') {
            let hint = "add a pipe, such as stats, sort or limit, or remove the `|`";
            p.report(Diagnostic::error(bar, "nothing stands after this `|`").hint(hint));
            break;
        }
        if has_input && query.filter == Filter::All && query.pipes.is_empty() && pipes::looks_like_filter(p) {
            query.filter = filter::filter(p);
            continue;
        }
        pipe(p, &mut query);
    }
    query
}

/// Takes one pipe, and passes over what cannot be read up to the next one.
fn pipe(p: &mut Parser<'_>, query: &mut Query) {
    let start = p.at;
    p.skip_space();
    let start = p.at.max(start);
    let kinds = pipes::pipe(p);
    if !p.at_pipe_end() {
        if kinds.is_some() {
            p.expected_pipe_end();
        }
        p.skip_to_pipe();
    }
    let end = p.text[..p.at].trim_end().len().max(start);
    if p.inside > 0 && kinds.as_deref() == Some(&[PipeKind::Explain]) {
        let message = "`explain` is for a whole query";
        p.report(Diagnostic::error(start..end, message).hint("put it at the end, outside of the parentheses"));
        return;
    }
    let explained = query.pipes.last().is_some_and(|pipe| pipe.kind == PipeKind::Explain);
    if explained && kinds.is_some() {
        let message = "nothing can stand after `explain`";
        p.report(Diagnostic::error(start..end, message).hint("put `explain` at the end of the query"));
        return;
    }
    let span = Span(start..end);
    query.pipes.extend(kinds.unwrap_or_default().into_iter().map(|kind| Pipe { kind, span: span.clone() }));
}

/// `||` of other languages and the line filters of LogQL, which would otherwise read as something else.
fn foreign_bar(p: &mut Parser<'_>, bar: &std::ops::Range<usize>) -> bool {
    let (sign, means, hint) = match p.peek_here() {
        Some('|') => ("||", "", "write `or`"),
        Some('=') => ("|=", "LogQL's line filter ", "write the text after the selector: {...} \"text\""),
        Some('~') => ("|~", "LogQL's line filter ", "write the expression after the selector: {...} ~\"regex\""),
        Some('>') => {
            ("|>", "LogQL's line filter ", "write the filter _pattern:..., or a regular expression: ~\"regex\"")
        }
        _ => return false,
    };
    p.at += 1;
    let message = format!("{means}`{sign}` is not known here");
    p.report(Diagnostic::error(bar.start..p.at, message).hint(hint));
    p.skip_to_pipe();
    true
}

/// Takes `( query )`; reports when there is none.
pub(crate) fn subquery(p: &mut Parser<'_>, hint: &str) -> Option<Box<Query>> {
    let Some(open) = p.eat("(") else {
        p.expected("`(` and a query", hint);
        return None;
    };
    p.subqueries += 1;
    if p.subqueries > SUBQUERIES_MAX {
        p.stop(open, format!("more than {SUBQUERIES_MAX} queries stand inside of this one (SUBQUERIES_MAX)"));
        return None;
    }
    if p.peek() == Some(')') {
        p.eat(")");
        let message = "a query is missing in these parentheses";
        p.report(Diagnostic::error(open.start..p.at, message).hint(hint.to_owned()));
        return None;
    }
    let over_columns = std::mem::replace(&mut p.over_columns, false);
    let default_field = std::mem::replace(&mut p.default_field, FieldName::body());
    let inner = p.nested(open.clone(), |p| {
        p.inside += 1;
        let inner = query(p);
        p.inside -= 1;
        p.close(open, ")");
        Some(Box::new(inner))
    });
    p.over_columns = over_columns;
    p.default_field = default_field;
    inner
}

/// Takes `from name` and `from promql(...)`.
fn input(p: &mut Parser<'_>) -> Option<Input> {
    p.peek_word().filter(|word| word.eq_ignore_ascii_case("from"))?;
    let after = &p.rest()["from".len()..];
    let next = after.trim_start();
    if next.len() == after.len() && !next.is_empty() || next.starts_with(|c| !terminals::is_word_start(c)) {
        return None;
    }
    p.eat_keyword("from");
    let Some((word, span)) = p.take(TokenKind::Keyword, terminals::word) else {
        p.expected("the name of a table", &tables_hint());
        return None;
    };
    if let Some(source) = Source::parse(&word.to_ascii_lowercase()) {
        check_after_table(p);
        return Some(Input::Table(source));
    }
    if word.eq_ignore_ascii_case("promql") {
        return promql(p).map(Input::Promql);
    }
    p.retag(TokenKind::Error);
    let name = shorten(word);
    let names = Source::ALL.map(Source::as_str).into_iter().chain(["promql"]);
    let (message, hint) = match word.to_ascii_lowercase().as_str() {
        "metrics" => {
            ("metrics are read with PromQL".to_owned(), "write from promql(`rate(http_requests_total[5m])`)".to_owned())
        }
        _ => {
            let hint = nearest(word, names).map_or_else(tables_hint, |near| format!("did you mean `{near}`?"));
            (format!("unknown table `{name}`"), hint)
        }
    };
    p.report(Diagnostic::error(span, message).hint(hint));
    None
}

/// What SQL has behind a table would read as words here.
fn check_after_table(p: &mut Parser<'_>) {
    if let Some(comma) = p.eat(",") {
        p.report(Diagnostic::error(comma, "one table is read").hint("add another with a pipe: | union (from spans)"));
        p.take(TokenKind::Error, terminals::word);
    } else if let Some(keyword) = p.eat_keyword("where") {
        let hint = "leave it out: the filter stands right behind the table; to search for the word, quote it";
        p.report(Diagnostic::error(keyword, "`where` is a pipe").hint(hint));
    }
}

fn tables_hint() -> String {
    let tables = Source::ALL.map(Source::as_str).join(", ");
    format!("tables are {tables}, promql(...); to search for the word, quote it: \"from\"")
}

/// Takes ``(`text`, step 1m)``.
fn promql(p: &mut Parser<'_>) -> Option<Promql> {
    const HINT: &str = "write from promql(`rate(x[5m])`), perhaps with a step: promql(`up`, step 1m)";
    let Some(open) = p.eat("(") else {
        p.expected("`(` and a PromQL query", HINT);
        return None;
    };
    p.skip_space();
    let Some((text, span)) = p.quoted_here(TokenKind::String) else {
        p.expected("a quoted PromQL query", "quote it with backticks, in which nothing needs escapes: promql(`up`)");
        p.skip_past(')');
        return None;
    };
    if text.trim().is_empty() {
        p.report(Diagnostic::error(span.clone(), "the PromQL query is empty").hint(HINT));
    }
    let mut step_ns = None;
    if p.eat(",").is_some() {
        p.eat_keyword("step");
        let word = p.take(TokenKind::Number, terminals::time_word);
        step_ns = word.as_ref().and_then(|(word, _)| parse_duration_ns(word)).filter(|ns| *ns > 0);
        match (&step_ns, word) {
            (Some(_), _) => {}
            (None, Some((word, span))) => {
                let message = format!("cannot read `{}` as a step", shorten(word));
                p.report(Diagnostic::error(span, message).hint("for example step 1m"));
            }
            (None, None) => p.expected("a step", "for example promql(`up`, step 1m)"),
        }
    }
    p.close(open, ")");
    Some(Promql { text, span: Span(span), step_ns })
}
