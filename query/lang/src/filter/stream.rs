//! Stream selectors: `{service.name="checkout", host.name=~"web-.*"}`.

use crate::highlight::TokenKind;
use crate::parser::Parser;
use crate::{Diagnostic, Filter, MatchOp, StreamMatcher, regex_check};

const HINT: &str = "a selector is written {service.name=\"checkout\", host.name=~\"web-.*\"}";

/// Takes a selector; its `{` is known to follow.
pub(super) fn selector(p: &mut Parser<'_>) -> Option<Filter> {
    let open = p.eat("{")?;
    p.count_term(open.clone());
    if p.eat("}").is_some() {
        return Some(Filter::Stream(Vec::new()));
    }
    let matchers = p.list("a stream field", HINT, matcher);
    match &matchers {
        Some(_) => p.close(open, "}"),
        None => p.skip_past('}'),
    }
    matchers.map(Filter::Stream)
}

fn matcher(p: &mut Parser<'_>) -> Option<StreamMatcher> {
    let (name, _) = p.name()?;
    p.skip_space();
    if let Some(op) = list_operator(p) {
        let start = p.at;
        let values = p.parenthesised("a quoted value", HINT, value)?;
        if values.is_empty() {
            p.report(Diagnostic::error(start..p.at, "this list is empty").hint("for example {app in (\"a\", \"b\")}"));
        }
        let value = values.iter().map(|value| regex_syntax::escape(value)).collect::<Vec<_>>().join("|");
        return Some(StreamMatcher { name, op, value });
    }
    let operators = [MatchOp::Regex, MatchOp::NotRegex, MatchOp::NotEqual, MatchOp::Equal];
    let Some(op) = operators.into_iter().find(|op| p.eat_here(op.as_str()).is_some()) else {
        p.expected("`=`, `!=`, `=~` or `!~`", HINT);
        return None;
    };
    let is_regex = matches!(op, MatchOp::Regex | MatchOp::NotRegex);
    let kind = if is_regex { TokenKind::Regex } else { TokenKind::String };
    p.skip_space();
    let quoted = p.quoted_here(kind);
    let bare = || p.take_here(kind, crate::terminals::word).map(|(word, span)| (word.to_owned(), span));
    let Some((value, span)) = quoted.or_else(bare) else {
        p.expected("a quoted value", HINT);
        return None;
    };
    if is_regex {
        regex_check::check(p, &value, &span);
    }
    Some(StreamMatcher { name, op, value })
}

/// Takes LogsQL's `in` and `not_in`, which are regular expressions of their values.
fn list_operator(p: &mut Parser<'_>) -> Option<MatchOp> {
    if p.eat_keyword("in").is_some() {
        return Some(MatchOp::Regex);
    }
    p.eat_keyword("not_in").map(|_| MatchOp::NotRegex)
}

fn value(p: &mut Parser<'_>) -> Option<String> {
    p.skip_space();
    let quoted = p.quoted_here(TokenKind::String).map(|(text, _)| text);
    quoted.or_else(|| p.take_here(TokenKind::String, crate::terminals::word).map(|(word, _)| word.to_owned()))
}
