//! Templates of the function `format`: `{}`, `{2}`, `{:.3}`.

use lang::Span;

use super::Bounded;
use crate::ComputeError;
use crate::limits::TEMPLATE_PIECES_MAX;
use crate::value::Value;

/// Most decimals that `{:.n}` writes: a double has no more.
const DECIMALS_MAX: usize = 20;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it is.
    Plain(String),
    /// The value of this place, counted from 0, with so many decimals.
    Value(usize, Option<usize>),
}

/// Reads a template for so many values.
pub(crate) fn read(text: &str, values: usize, place: &Span) -> Result<Vec<Piece>, ComputeError> {
    let hint = "write {} for the next value, {2} for the second, {:.3} for three decimals, {{ and }} for braces";
    let bad = |what: String| ComputeError::new(place, format!("bad template: {what}"), hint);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut plain = String::new();
    let mut next = 0;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            plain.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(bad("a `}` closes nothing".to_owned()));
        }
        let (inner, after) = rest.split_once('}').ok_or_else(|| bad("a `{` is not closed".to_owned()))?;
        rest = after;
        let (value, decimals) = value(inner, &mut next).ok_or_else(|| bad(format!("`{{{inner}}}` is no value")))?;
        if value >= values {
            return Err(bad(format!("`{{{inner}}}` asks for value {} of {values}", value + 1)));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Plain(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Value(value, decimals));
        if pieces.len() > TEMPLATE_PIECES_MAX {
            return Err(bad(format!("it has more than {TEMPLATE_PIECES_MAX} pieces (TEMPLATE_PIECES_MAX)")));
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Plain(plain));
    }
    Ok(pieces)
}

/// What stands in braces: a place, a format, both or nothing.
fn value(inner: &str, next: &mut usize) -> Option<(usize, Option<usize>)> {
    let (place, format) = inner.split_once(':').unwrap_or((inner, ""));
    let decimals = match format.trim() {
        "" => None,
        format => {
            let digits = format.strip_prefix('.')?;
            let digits = digits.strip_suffix('f').unwrap_or(digits);
            Some(digits.parse().ok().filter(|decimals| *decimals <= DECIMALS_MAX)?)
        }
    };
    let place = match place.trim() {
        "" => {
            *next += 1;
            *next - 1
        }
        digits => digits.parse::<usize>().ok()?.checked_sub(1)?,
    };
    Some((place, decimals))
}

/// The template with values put in; the first value is the template itself.
pub(crate) fn fill<'r>(pieces: &[Piece], values: &[Value<'r>]) -> Option<Value<'r>> {
    let mut out = Bounded::of(0);
    for piece in pieces {
        match piece {
            Piece::Plain(text) => out.push(text)?,
            Piece::Value(at, decimals) => {
                let value = values.get(at + 1)?;
                let number = decimals.and_then(|decimals| Some(format!("{:.decimals$}", value.as_f64()?)));
                match number {
                    Some(number) => out.push(&number)?,
                    None => out.push(&value.to_text().unwrap_or_default())?,
                }
            }
        }
    }
    Some(out.into_value())
}
