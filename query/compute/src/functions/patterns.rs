//! Functions of regular expressions.

use lang::limits::NESTING_MAX;
use lang::{ScalarFunction, Span};
use regex::{Regex, RegexBuilder};

use super::{Bounded, Run, json, part, text};
use crate::ComputeError;
use crate::limits::{REGEX_COMPILED_BYTES_MAX, TEXT_BYTES_MAX};
use crate::prepare::Prepared;
use crate::value::Value;

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::Matches | ScalarFunction::Like => {
            |v, prepared| Some(Value::Bool(pattern(prepared)?.0.is_match(&v[0].to_text()?)))
        }
        ScalarFunction::Extract => extract,
        ScalarFunction::ExtractAll => extract_all,
        ScalarFunction::ReplaceRegex => replace,
        ScalarFunction::CountMatches => {
            |v, prepared| Some(Value::Int(pattern(prepared)?.0.find_iter(&v[0].to_text()?).count() as i64))
        }
        _ => return None,
    })
}

/// Reads a regular expression.
pub(crate) fn compile(pattern: &str, place: &Span) -> Result<Regex, ComputeError> {
    RegexBuilder::new(pattern).size_limit(REGEX_COMPILED_BYTES_MAX).nest_limit(NESTING_MAX as u32).build().map_err(
        |error| match error {
            regex::Error::CompiledTooBig(_) => ComputeError::new(
                place,
                format!(
                    "the regular expression grows over {REGEX_COMPILED_BYTES_MAX} bytes (REGEX_COMPILED_BYTES_MAX)"
                ),
                "use smaller counts in {...}",
            ),
            other => {
                // The last line says what is wrong, those before it show the pattern.
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default();
                let message = last.strip_prefix("error: ").unwrap_or(last);
                ComputeError::new(
                    place,
                    format!("bad regular expression: {message}"),
                    "escape a special character with a backslash",
                )
            }
        },
    )
}

/// A pattern of SQL's `LIKE` as a regular expression over the whole text.
pub(crate) fn like(pattern: &str) -> String {
    let mut out = String::from("(?s)^");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '\\' => out.push_str(&regex::escape(&chars.next().unwrap_or('\\').to_string())),
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out.push('$');
    out
}

/// The group that an argument names or counts.
pub(crate) fn group(regex: &Regex, given: Option<&Value<'_>>, place: &Span) -> Result<usize, ComputeError> {
    let Some(value) = given else {
        let hint = "write its number, or its name as a text";
        return Err(ComputeError::new(place, "the group is not the same for every row", hint));
    };
    let text = value.to_text().unwrap_or_default();
    let named = regex.capture_names().position(|name| name == Some(&*text));
    let counted = value.whole().and_then(|at| usize::try_from(at).ok()).filter(|at| *at < regex.captures_len());
    named.or(counted).ok_or_else(|| {
        let last = regex.captures_len() - 1;
        let names: Vec<&str> = regex.capture_names().flatten().collect();
        let named = if names.is_empty() { String::new() } else { format!(", named {}", names.join(", ")) };
        ComputeError::new(
            place,
            format!("the regular expression has no group \"{text}\""),
            format!("it has the groups 0 (all of it) to {last}{named}"),
        )
    })
}

fn pattern(prepared: &Prepared) -> Option<(&Regex, usize)> {
    match prepared {
        Prepared::Pattern { regex, group } => Some((regex, *group)),
        _ => None,
    }
}

fn extract<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    let (regex, group) = pattern(prepared)?;
    let text = text(v, 0)?;
    let found = match group {
        0 => regex.find(&text)?.range(),
        group => regex.captures(&text)?.get(group)?.range(),
    };
    Some(part(text, found.start, found.end))
}

fn extract_all<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    let (regex, group) = pattern(prepared)?;
    let text = text(v, 0)?;
    if group == 0 {
        return json::list(regex.find_iter(&text), |found, list| list.text(found.as_str()));
    }
    json::list(regex.captures_iter(&text), |found, list| match found.get(group) {
        Some(part) => list.text(part.as_str()),
        None => Some(()),
    })
}

fn replace<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    let (regex, _) = pattern(prepared)?;
    let (whole, new) = (text(v, 0)?, text(v, 2)?);
    let mut out = Bounded::of(whole.len());
    let mut rest = 0;
    if !new.contains('$') {
        for found in regex.find_iter(&whole) {
            out.push(&whole[rest..found.start()])?;
            out.push(&new)?;
            rest = found.end();
        }
    } else {
        let mut expanded = String::new();
        for captures in regex.captures_iter(&whole) {
            let found = captures.get(0)?;
            out.push(&whole[rest..found.start()])?;
            // What it may grow to, before it does: each reference brings at most the whole match.
            let grown = new.len() + new.matches('$').count().saturating_mul(found.len());
            if grown > TEXT_BYTES_MAX {
                return None;
            }
            expanded.clear();
            captures.expand(&new, &mut expanded);
            out.push(&expanded)?;
            rest = found.end();
        }
    }
    if rest == 0 && out.is_empty() {
        return Some(Value::Text(whole));
    }
    out.push(&whole[rest..])?;
    Some(out.into_value())
}
