//! Ranges: `[a TO b]`, `{a TO b}`, and either bracket on either side.

use std::ops::Range;

use model::{TimeRange, field};

use super::date;
use crate::filter::{bound, checked_word};
use crate::highlight::TokenKind;
use crate::parser::Parser;
use crate::{Comparison, Diagnostic, FieldName, Filter, Test};

const HINT: &str = "a range is written [1 TO 5], {1 TO 5} without its ends, [1 TO *] without one end";

/// Takes a range; its bracket is known to follow.
pub(super) fn range(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    let open = p.at;
    let with_start = p.eat_here("[").is_some();
    if !with_start {
        p.eat_here("{");
    }
    let Some((low, high, with_end)) = ends(p, open) else {
        let rest = p.rest();
        p.at += rest.find([']', '}']).map_or(0, |end| end + 1);
        return None;
    };
    let low_op = if with_start { Comparison::GreaterOrEqual } else { Comparison::Greater };
    let high_op = if with_end { Comparison::LessOrEqual } else { Comparison::Less };
    let low = Some(low).filter(|(text, _)| text != "*").map(|(text, span)| (low_op, text, span));
    let high = Some(high).filter(|(text, _)| text != "*").map(|(text, span)| (high_op, text, span));
    let ends: Vec<_> = low.into_iter().chain(high).collect();
    p.count_term(start..p.at);
    if field == FieldName::Named(field::TIME.to_owned()) {
        return times(p, ends, open);
    }
    if field == FieldName::Any || start == open {
        let message = "a range needs a field";
        p.report(Diagnostic::error(open..p.at, message).hint("for example status:[500 TO 599]"));
        return None;
    }
    let mut tests: Vec<Filter> = Vec::new();
    for (op, text, span) in ends {
        if text.is_empty() {
            p.report(Diagnostic::error(span, "this end of the range is empty").hint(HINT));
            return None;
        }
        let text = checked_word(p, &field, text, &span);
        tests.push(Filter::Field(field.clone(), Test::Compare(op, bound(text))));
    }
    match tests.len() {
        0 => Some(Filter::Field(field, Test::Exists)),
        1 => tests.pop(),
        _ => Some(Filter::And(tests)),
    }
}

type End = (String, Range<usize>);

/// Takes `a TO b]`; whether the end is inside.
fn ends(p: &mut Parser<'_>, open: usize) -> Option<(End, End, bool)> {
    let low = end(p)?;
    p.skip_space();
    if p.rest().get(..2).is_none_or(|word| !word.eq_ignore_ascii_case("to")) {
        p.expected("`TO`", HINT);
        return None;
    }
    p.tokens.push((p.at..p.at + 2, TokenKind::Keyword));
    p.at += 2;
    let high = end(p)?;
    let with_end = p.eat("]").is_some();
    if !with_end && p.eat("}").is_none() {
        let span = open..open + 1;
        p.report(Diagnostic::error(span, "this range has no closing bracket").hint("add ] or }"));
        return None;
    }
    Some((low, high, with_end))
}

fn end(p: &mut Parser<'_>) -> Option<End> {
    p.skip_space();
    let start = p.at;
    match end_text(p) {
        Some(text) => Some((text, start..p.at)),
        None => {
            p.expected("an end of the range", HINT);
            None
        }
    }
}

/// Takes one end: a quoted text, or everything up to space or a bracket.
pub(super) fn end_text(p: &mut Parser<'_>) -> Option<String> {
    if p.peek_here() == Some('"') {
        return p.quoted_here(TokenKind::Number).map(|(text, _)| text);
    }
    let mut text = String::new();
    let mut chars = p.rest().chars();
    let mut end = p.at;
    while let Some(c) = chars.next().filter(|c| !c.is_whitespace() && !"]})^".contains(*c)) {
        text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
        end = p.text.len() - chars.as_str().len();
    }
    if end == p.at {
        return None;
    }
    p.tokens.push((p.at..end, TokenKind::Number));
    p.at = end;
    Some(text)
}

fn times(p: &mut Parser<'_>, ends: Vec<(Comparison, String, Range<usize>)>, open: usize) -> Option<Filter> {
    let mut range = TimeRange::ALL;
    for (op, text, span) in ends {
        let moment = date::moment(p, &text, &span)?;
        range = range.intersect(&time_side(op, &moment));
    }
    if range.end <= range.start {
        let message = "this time range ends before it starts, so it holds nothing";
        p.report(Diagnostic::warning(open..p.at, message).hint("swap the two times"));
        range.end = range.start;
    }
    Some(Filter::Time(range))
}

/// The times on one side of what a time names: all of a day that is named so counts to the side that has its end inside.
pub(super) fn time_side(comparison: Comparison, moment: &TimeRange) -> TimeRange {
    match comparison {
        Comparison::GreaterOrEqual => TimeRange::new(moment.start, TimeRange::ALL.end),
        Comparison::Greater => TimeRange::new(moment.end, TimeRange::ALL.end),
        Comparison::Less => TimeRange::new(TimeRange::ALL.start, moment.start),
        Comparison::LessOrEqual => TimeRange::new(TimeRange::ALL.start, moment.end),
    }
}
