//! Functions of texts. Places are counted in characters from 1; negative ones from the end.

use std::borrow::Cow;

use lang::ScalarFunction;

use super::{Bounded, Run, bounded, json, part, text};
use crate::functions::template;
use crate::limits::{EDIT_DISTANCE_CHARS_MAX, TEXT_BYTES_MAX};
use crate::prepare::Prepared;
use crate::value::Value;

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::Len => |v, _| Some(Value::Int(char_count(&text(v, 0)?) as i64)),
        ScalarFunction::ByteLen => |v, _| Some(Value::Int(text(v, 0)?.len() as i64)),
        ScalarFunction::Lower => |v, _| {
            let text = text(v, 0)?;
            let changes = text.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii());
            Some(if changes { Value::text(text.to_lowercase()) } else { Value::Text(text) })
        },
        ScalarFunction::Upper => |v, _| {
            let text = text(v, 0)?;
            let changes = text.bytes().any(|b| b.is_ascii_lowercase() || !b.is_ascii());
            Some(if changes { Value::text(text.to_uppercase()) } else { Value::Text(text) })
        },
        ScalarFunction::Trim => |v, _| trim(v, true, true),
        ScalarFunction::LeftTrim => |v, _| trim(v, true, false),
        ScalarFunction::RightTrim => |v, _| trim(v, false, true),
        ScalarFunction::Substr => |v, _| substr(v),
        ScalarFunction::Left => |v, _| {
            let count = v[1].whole()?;
            cut(text(v, 0)?, 0, usize::try_from(count).unwrap_or(0))
        },
        ScalarFunction::Right => |v, _| {
            let count = usize::try_from(v[1].whole()?).unwrap_or(0);
            let text = text(v, 0)?;
            let skipped = char_count(&text).saturating_sub(count);
            cut(text, skipped, count)
        },
        ScalarFunction::Concat => |v, _| concat(v),
        ScalarFunction::Replace => |v, _| replace(v),
        ScalarFunction::Split => |v, _| split(v),
        ScalarFunction::SplitPart => |v, _| split_part(v),
        ScalarFunction::Contains => contains,
        ScalarFunction::StartsWith => |v, _| Some(Value::Bool(text(v, 0)?.starts_with(&*text(v, 1)?))),
        ScalarFunction::EndsWith => |v, _| Some(Value::Bool(text(v, 0)?.ends_with(&*text(v, 1)?))),
        ScalarFunction::IndexOf => index_of,
        ScalarFunction::Repeat => |v, _| repeat(v),
        ScalarFunction::PadLeft => |v, _| pad(v, true),
        ScalarFunction::PadRight => |v, _| pad(v, false),
        ScalarFunction::Reverse => |v, _| Some(Value::text(text(v, 0)?.chars().rev().collect::<String>())),
        ScalarFunction::Format => |v, prepared| match prepared {
            Prepared::Template(pieces) => template::fill(pieces, v),
            _ => None,
        },
        ScalarFunction::Levenshtein => |v, _| levenshtein(&text(v, 0)?, &text(v, 1)?).map(Value::Int),
        _ => return None,
    })
}

fn char_count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// Where a character starts, in bytes; the end for one after the last.
fn byte_of(text: &str, character: usize) -> usize {
    if text.is_ascii() {
        return character.min(text.len());
    }
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}

/// So many characters from one on, counted from 0.
fn cut(text: Cow<'_, str>, skipped: usize, count: usize) -> Option<Value<'_>> {
    let start = byte_of(&text, skipped);
    let end = start + byte_of(&text[start..], count);
    Some(part(text, start, end))
}

fn trim<'r>(v: &mut [Value<'r>], start: bool, end: bool) -> Option<Value<'r>> {
    let characters = if v.len() > 1 { Some(text(v, 1)?) } else { None };
    let text = text(v, 0)?;
    let drops = |c: char| characters.as_ref().map_or_else(|| c.is_whitespace(), |set| set.contains(c));
    let from = if start { text.len() - text.trim_start_matches(drops).len() } else { 0 };
    let to = if end { from + text[from..].trim_end_matches(drops).len() } else { text.len() };
    Some(part(text, from, to))
}

fn substr<'r>(v: &mut [Value<'r>]) -> Option<Value<'r>> {
    let start = v[1].whole()?;
    let length = match v.get(2) {
        Some(value) => usize::try_from(value.whole()?).unwrap_or(0),
        None => usize::MAX,
    };
    let text = text(v, 0)?;
    let skipped = match start {
        0 => 0,
        1.. => usize::try_from(start - 1).unwrap_or(usize::MAX),
        _ => char_count(&text).saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    cut(text, skipped, length)
}

fn concat<'r>(v: &mut [Value<'r>]) -> Option<Value<'r>> {
    let mut out = Bounded::of(0);
    for value in v {
        if let Some(text) = std::mem::take(value).into_text() {
            out.push(&text)?;
        }
    }
    Some(out.into_value())
}

fn replace<'r>(v: &mut [Value<'r>]) -> Option<Value<'r>> {
    let (whole, old, new) = (text(v, 0)?, text(v, 1)?, text(v, 2)?);
    if old.is_empty() || !whole.contains(&*old) {
        return Some(Value::Text(whole));
    }
    let mut out = Bounded::of(whole.len());
    let mut rest = 0;
    for (at, _) in whole.match_indices(&*old) {
        out.push(&whole[rest..at])?;
        out.push(&new)?;
        rest = at + old.len();
    }
    out.push(&whole[rest..])?;
    Some(out.into_value())
}

fn split<'r>(v: &mut [Value<'r>]) -> Option<Value<'r>> {
    let (whole, separator) = (text(v, 0)?, text(v, 1)?);
    if separator.is_empty() {
        let mut buffer = [0; 4];
        return json::list(whole.chars(), |c, list| list.text(c.encode_utf8(&mut buffer)));
    }
    json::list(whole.split(&*separator), |part, list| list.text(part))
}

fn split_part<'r>(v: &mut [Value<'r>]) -> Option<Value<'r>> {
    let wanted = v[2].whole()?;
    let (whole, separator) = (text(v, 0)?, text(v, 1)?);
    if separator.is_empty() || wanted == 0 {
        return None;
    }
    let at = usize::try_from(wanted.unsigned_abs() - 1).ok()?;
    let found = if wanted > 0 { whole.split(&*separator).nth(at)? } else { whole.rsplit(&*separator).nth(at)? };
    let start = found.as_ptr() as usize - whole.as_ptr() as usize;
    let end = start + found.len();
    Some(part(whole, start, end))
}

fn contains<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    let whole = v[0].to_text()?;
    Some(Value::Bool(match prepared {
        Prepared::Needle(needle) => needle.find(whole.as_bytes()).is_some(),
        _ => whole.contains(&*v[1].to_text()?),
    }))
}

fn index_of<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    let whole = v[0].to_text()?;
    let found = match prepared {
        Prepared::Needle(needle) => needle.find(whole.as_bytes()),
        _ => whole.find(&*v[1].to_text()?),
    };
    Some(Value::Int(found.map_or(0, |at| char_count(&whole[..at]) as i64 + 1)))
}

fn repeat<'r>(v: &mut [Value<'r>]) -> Option<Value<'r>> {
    let times = usize::try_from(v[1].whole()?).unwrap_or(0);
    let text = text(v, 0)?;
    let bytes = text.len().checked_mul(times)?;
    (bytes <= TEXT_BYTES_MAX).then(|| Value::text(text.repeat(times)))
}

fn pad<'r>(v: &mut [Value<'r>], left: bool) -> Option<Value<'r>> {
    let length = usize::try_from(v[1].whole()?).unwrap_or(0);
    let fill = if v.len() > 2 { text(v, 2)? } else { Cow::Borrowed(" ") };
    let text = text(v, 0)?;
    let missing = length.saturating_sub(char_count(&text));
    if missing == 0 || fill.is_empty() {
        return Some(Value::Text(text));
    }
    // A character has up to four bytes.
    if missing > TEXT_BYTES_MAX / 4 {
        return None;
    }
    let padding: String = fill.chars().cycle().take(missing).collect();
    bounded(if left { padding + &text } else { text.into_owned() + &padding })
}

/// Insertions, deletions and replacements from one text to the other, a row of the table at a time.
fn levenshtein(a: &str, b: &str) -> Option<i64> {
    if a == b {
        return Some(0);
    }
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(EDIT_DISTANCE_CHARS_MAX + 1).collect(), b.chars().take(EDIT_DISTANCE_CHARS_MAX + 1).collect());
    if a.len().max(b.len()) > EDIT_DISTANCE_CHARS_MAX {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().map(|edits| *edits as i64)
}
