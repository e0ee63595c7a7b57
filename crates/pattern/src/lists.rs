//! Lists in a line: however many items one has, it is one value of the pattern.

use shape::is_hole;

use crate::scan::{Class, Kind, Token};

/// Fewest items of a list with a space behind each separator: two values with a comma may be of different things.
const SPACED_ITEMS_MIN: usize = 3;
/// Most tokens of a group that repeats.
const GROUP_TOKENS_MAX: usize = 6;
/// How often a group of several tokens repeats to be a list.
const GROUPS_MIN: usize = 3;

/// Makes one item of lists: values with the same separators between, and groups of tokens that repeat.
pub(crate) fn lists(shape: &[u8], tokens: &mut Vec<Token>) {
    let mut kept = 0;
    let mut at = 0;
    while at < tokens.len() {
        let (len, end) = list(shape, tokens, at);
        let same = tokens[at..end].iter().filter(|token| is_value(token)).all(|token| token.kind == tokens[at].kind);
        for nth in 0..len {
            let mut token = tokens[at + nth].clone();
            if end > at + len {
                if len == 1 && is_value(&token) && !same {
                    token.kind = Kind::Value(Class::Any);
                }
                if nth + 1 == len && len == 1 && is_value(&token) {
                    token.at.end = tokens[end - 1].at.end;
                }
            }
            tokens[kept] = token;
            kept += 1;
        }
        at = end;
    }
    tokens.truncate(kept);
}

fn is_value(token: &Token) -> bool {
    matches!(token.kind, Kind::Value(_))
}

/// Whether two values can be items of one list.
fn alike(a: &Token, b: &Token) -> bool {
    let mixed = |kind| matches!(kind, Kind::Value(Class::Number | Class::Id));
    is_value(a) && (a.kind == b.kind || mixed(a.kind) && mixed(b.kind))
}

/// How many tokens from `at` on stand for a list, and where it ends.
fn list(shape: &[u8], tokens: &[Token], at: usize) -> (usize, usize) {
    if is_value(&tokens[at]) {
        for step in 2..=3 {
            let items = items(shape, tokens, at, step);
            let spaced = tokens.get(at + step).is_some_and(|next| next.space);
            if items >= if spaced { SPACED_ITEMS_MIN } else { 2 } {
                return (1, at + (items - 1) * step + 1);
            }
        }
    }
    for len in 1..=GROUP_TOKENS_MAX {
        let min = if len == 1 { 2 } else { GROUPS_MIN };
        let groups = groups(shape, tokens, at, len);
        if groups >= min {
            return (len, at + groups * len);
        }
    }
    (1, at + 1)
}

/// How often the `len` tokens from `at` on stand there one behind the other; once when no value is among them.
fn groups(shape: &[u8], tokens: &[Token], at: usize, len: usize) -> usize {
    let Some(first) = tokens.get(at..at + len) else { return 1 };
    if !first.iter().any(|token| is_value(token) || shape[token.at.clone()].iter().any(|byte| is_hole(*byte))) {
        return 1;
    }
    let mut count = 1;
    while let Some(next) = tokens.get(at + count * len..at + (count + 1) * len) {
        let equal = first.iter().zip(next).enumerate().all(|(nth, (a, b))| {
            (a.space == b.space || nth == 0) && (alike(a, b) || a.kind == b.kind && same(shape, a, b))
        });
        if !equal {
            break;
        }
        count += 1;
    }
    count
}

/// Whether two tokens are the same text but for the sign of a number.
fn same(shape: &[u8], a: &Token, b: &Token) -> bool {
    let unsigned = |token: &Token| shape[token.at.clone()].iter().filter(|byte| **byte != b'-');
    unsigned(a).eq(unsigned(b))
}

/// How many values from `at` on stand `step` tokens apart with the same separators between.
fn items(shape: &[u8], tokens: &[Token], at: usize, step: usize) -> usize {
    let separates =
        |mark: &Token| mark.kind == Kind::Mark && shape[mark.at.clone()].iter().all(|byte| b",;:|/\\&".contains(byte));
    let gap = |from: usize| tokens.get(from + 1..from + step).unwrap_or_default();
    let first = gap(at);
    let mut items = 1;
    loop {
        let last = at + (items - 1) * step;
        let Some(next) = tokens.get(last + step).filter(|next| is_value(next)) else { break };
        let alike = gap(last).iter().zip(first).all(|(a, b)| separates(a) && same(shape, a, b) && a.space == b.space);
        if !alike || next.space != tokens[at + step].space {
            break;
        }
        items += 1;
    }
    items
}
