//! `limit n`, also `head n`: the first n rows, ten without a number. `offset n`, also `skip n`: all but the first n.

use std::ops::Range;

use super::PipeSpec;
use crate::complete::Offer;
use crate::highlight::TokenKind;
use crate::limits::ROWS_MAX;
use crate::parser::Parser;
use crate::terminals;
use crate::{Diagnostic, PipeKind};

pub(super) const LIMIT: PipeSpec = PipeSpec {
    names: &["limit", "head"],
    alias_of: None,
    syntax: "limit [n]",
    summary: "keeps the first rows",
    doc: "The first n rows, ten without a number. A search for records comes newest first, so `limit` alone keeps the newest.",
    examples: &["error | limit 20", "* | stats by (service.name) count() as n | sort by (n desc) | limit 5"],
    parse: parse_limit,
    complete: |_| Offer::nothing(),
};

pub(super) const OFFSET: PipeSpec = PipeSpec {
    names: &["offset", "skip"],
    alias_of: None,
    syntax: "offset n",
    summary: "leaves the first rows out",
    doc: "All rows but the first n.",
    examples: &["error | sort by (_time) | offset 100 | limit 20"],
    parse: parse_offset,
    complete: |_| Offer::nothing(),
};

/// What `limit` and `top` take without a number, as in LogsQL.
pub(super) const LIMIT_DEFAULT: u64 = 10;

pub(super) fn parse_limit(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    if p.at_pipe_end() {
        return Some(vec![PipeKind::Limit(LIMIT_DEFAULT)]);
    }
    Some(vec![PipeKind::Limit(rows(p, "limit 10")?)])
}

pub(super) fn parse_offset(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    Some(vec![PipeKind::Offset(rows(p, "offset 10")?)])
}

/// Takes a number of rows that is not zero.
pub(super) fn rows_above_zero(p: &mut Parser<'_>, example: &str) -> Option<u64> {
    p.skip_space();
    let start = p.at;
    let rows = rows(p, example)?;
    if rows == 0 {
        p.report(Diagnostic::error(start..p.at, "zero leaves nothing").hint(format!("for example {example}")));
        return None;
    }
    Some(rows)
}

/// Takes a number of rows.
pub(super) fn rows(p: &mut Parser<'_>, example: &str) -> Option<u64> {
    p.skip_space();
    let Some((word, span)) = p.take_here(TokenKind::Number, terminals::value_word) else {
        p.expected("a number of rows", &format!("for example {example}"));
        return None;
    };
    rows_of(p, word, span, example)
}

fn rows_of(p: &mut Parser<'_>, word: &str, span: Range<usize>, example: &str) -> Option<u64> {
    let plain = word.replace('_', "");
    match plain.parse::<u64>() {
        Ok(n) if n <= ROWS_MAX => Some(n),
        Ok(_) => {
            let message = format!("{word} rows are more than the limit of {ROWS_MAX} (ROWS_MAX)");
            p.report(Diagnostic::error(span, message).hint("ask for fewer"));
            None
        }
        Err(_) => {
            let message = format!("`{}` is not a number of rows", crate::parser::shorten(word));
            p.report(Diagnostic::error(span, message).hint(format!("for example {example}")));
            None
        }
    }
}
