//! `limit n`, also `head n`: the first n rows, ten without a number. `offset n`, also `skip n`: all but the first n.

use std::ops::Range;

use crate::highlight::TokenKind;
use crate::limits::ROWS_MAX;
use crate::parser::Parser;
use crate::terminals;
use crate::{Diagnostic, PipeKind};

/// What `limit` and `top` take without a number, as in LogsQL.
pub(super) const LIMIT_DEFAULT: u64 = 10;

pub(super) fn parse_limit(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    if p.at_end() || p.peek() == Some('|') {
        return Some(vec![PipeKind::Limit(LIMIT_DEFAULT)]);
    }
    Some(vec![PipeKind::Limit(rows(p, "limit 10")?)])
}

pub(super) fn parse_offset(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    Some(vec![PipeKind::Offset(rows(p, "offset 10")?)])
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
