//! The frame of a query: source, filter, pipes.

use model::Timestamp;

use crate::highlight::TokenKind;
use crate::limits::{PIPES_MAX, QUERY_BYTES_MAX};
use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::terminals;
use crate::{Diagnostic, Filter, Input, Pipe, Query, Source, Span, filter, pipes};

/// Tables that the language knows and that cannot be read yet.
const SOURCES_NOT_YET: [&str; 2] = ["metrics", "promql"];

/// Parses a whole text; the parser comes back with its diagnostics and tokens.
pub(crate) fn run(text: &str, now: Timestamp) -> (Query, Parser<'_>) {
    let mut parser = Parser::new(text, now);
    let query = if fits(&mut parser) { query(&mut parser) } else { Query::default() };
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

fn query(p: &mut Parser<'_>) -> Query {
    let source = source(p);
    let filter = filter::filter(p);
    let mut query = Query { input: Input::Table(source.unwrap_or(Source::Logs)), filter, pipes: Vec::new() };
    while p.peek() == Some('|') {
        let bar = p.eat("|").unwrap_or_default();
        if query.pipes.len() == PIPES_MAX {
            p.stop(bar, format!("the query has more than {PIPES_MAX} pipes (PIPES_MAX)"));
            break;
        }
        if p.at_end() {
            let hint = format!("add a pipe ({}) or remove the `|`", pipes::names().join(", "));
            p.report(Diagnostic::error(bar, "nothing stands after this `|`").hint(hint));
            break;
        }
        if source.is_some() && query.filter == Filter::All && query.pipes.is_empty() && pipes::looks_like_filter(p) {
            query.filter = filter::filter(p);
            continue;
        }
        let start = p.at;
        let kinds = pipes::pipe(p);
        if p.peek().is_some_and(|c| c != '|') {
            if kinds.is_some() {
                p.expected("`|` or the end of the query", "separate pipes with `|`");
            }
            p.skip_to_pipe();
        }
        let span = Span(start..p.text[..p.at].trim_end().len().max(start));
        query.pipes.extend(kinds.unwrap_or_default().into_iter().map(|kind| Pipe { kind, span: span.clone() }));
    }
    query
}

/// Takes `from name`.
fn source(p: &mut Parser<'_>) -> Option<Source> {
    p.peek_word().filter(|word| word.eq_ignore_ascii_case("from"))?;
    let after = &p.rest()["from".len()..];
    let next = after.trim_start();
    if next.len() == after.len() && !next.is_empty() || next.starts_with(|c| !terminals::is_word_start(c)) {
        return None;
    }
    p.eat_keyword("from");
    let known = || Source::ALL.map(Source::as_str).join(", ");
    let Some((word, span)) = p.take(TokenKind::Keyword, terminals::word) else {
        p.expected(
            "the name of a table",
            &format!("tables are {}; to search for the word, quote it: \"from\"", known()),
        );
        return None;
    };
    if let Some(source) = Source::parse(&word.to_ascii_lowercase()) {
        return Some(source);
    }
    p.retag(TokenKind::Error);
    let name = shorten(word);
    let diagnostic = if SOURCES_NOT_YET.contains(&word) {
        p.skip_to_pipe();
        Diagnostic::error(span, format!("`from {name}` is not available yet"))
            .hint(format!("available are {}", known()))
    } else {
        let hint = match nearest(word, Source::ALL.map(Source::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("tables are {}; to search for the word, quote it: \"from\"", known()),
        };
        Diagnostic::error(span, format!("unknown table `{name}`")).hint(hint)
    };
    p.report(diagnostic);
    None
}
