//! RFC 5424: `VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]`, behind the priority.
//!
//! Stricter than needed nowhere: fields may be longer than the RFC allows, seconds may have nine digits, and structured data
//! that does not parse is left in the body.

use model::{Attributes, Value};
use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while_m_n, take_while1};
use nom::character::complete::{char, none_of, space0, space1};
use nom::combinator::{opt, recognize, value};
use nom::multi::{fold_many0, many0, many1};
use nom::sequence::{delimited, preceded, separated_pair, terminated};

use super::{Message, Parsed};
use crate::time;

/// The byte order mark that says a message is UTF-8.
const BOM: char = '\u{feff}';

/// Reads everything behind the priority.
pub(super) fn message(text: &str) -> Parsed<'_, Message<'_>> {
    let (rest, version) = terminated(version, char(' ')).parse(text)?;
    let (rest, time) =
        terminated(alt((value(None, tag("-")), is_not(" ").map_opt(time::rfc3339).map(Some))), char(' '))
            .parse(rest)?;
    let (rest, (host, app, procid)) =
        (terminated(header, char(' ')), terminated(header, char(' ')), terminated(header, char(' '))).parse(rest)?;
    let (rest, msgid) = header(rest)?;
    let (rest, attributes) = opt(preceded(char(' '), structured_data)).parse(rest)?;
    let body = rest.strip_prefix(' ').unwrap_or(rest);
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let attributes = attributes.unwrap_or_default();
    Ok(("", Message { priority: None, version: Some(version), time, host, app, procid, msgid, attributes, body }))
}

/// A number of one to three digits without a leading zero.
fn version(text: &str) -> Parsed<'_, i64> {
    take_while_m_n(1, 3, |c: char| c.is_ascii_digit())
        .map_opt(|digits: &str| (!digits.starts_with('0')).then(|| digits.parse().ok()).flatten())
        .parse(text)
}

/// A header field; `-` stands for none.
fn header(text: &str) -> Parsed<'_, Option<&str>> {
    is_not(" ").map(|word: &str| (word != "-").then_some(word)).parse(text)
}

/// `-` or elements, up to a space or the end.
fn structured_data(text: &str) -> Parsed<'_, Attributes> {
    let none = value(Vec::new(), char('-'));
    let (rest, elements) = alt((none, many1(element))).parse(text)?;
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(nom::Err::Error(nom::error::Error::new(rest, nom::error::ErrorKind::Verify)));
    }
    Ok((rest, attributes(elements)))
}

/// An element's id and its parameters.
type Element<'a> = (&'a str, Vec<(&'a str, String)>);

/// `[id name="value" ...]`.
fn element(text: &str) -> Parsed<'_, Element<'_>> {
    let params = many0(preceded(space1, param));
    delimited(char('['), (sd_name, params), (space0, char(']'))).parse(text)
}

fn param(text: &str) -> Parsed<'_, (&str, String)> {
    separated_pair(sd_name, char('='), delimited(char('"'), param_value, char('"'))).parse(text)
}

/// SD-NAME: anything printable but `=`, space, `]` and `"`.
fn sd_name(text: &str) -> Parsed<'_, &str> {
    take_while1(|c: char| !c.is_control() && !matches!(c, '=' | ' ' | ']' | '"')).parse(text)
}

/// PARAM-VALUE: `\"`, `\\` and `\]` are escapes; any other backslash stands for itself (6.3.3). A bare `]` is invalid but common
/// and not ambiguous between quotes.
fn param_value(text: &str) -> Parsed<'_, String> {
    let escaped = preceded(char('\\'), alt((char('"'), char('\\'), char(']')))).map(Piece::Char);
    let plain = is_not("\\\"").map(Piece::Text);
    let backslash = recognize((char('\\'), none_of("\"\\]"))).map(Piece::Text);
    fold_many0(alt((plain, escaped, backslash)), String::new, |mut out, piece| {
        match piece {
            Piece::Char(c) => out.push(c),
            Piece::Text(text) => out.push_str(text),
        }
        out
    })
    .parse(text)
}

enum Piece<'a> {
    Char(char),
    Text(&'a str),
}

/// Elements as fields: `<id>.<name>`; a parameter given several times, which the RFC allows, becomes a list, and an element
/// without parameters is there as `<id>` = true.
fn attributes(elements: Vec<Element<'_>>) -> Attributes {
    let mut attributes: Attributes = Vec::new();
    for (id, params) in elements {
        if params.is_empty() {
            attributes.push((id.to_owned(), Value::Bool(true)));
        }
        for (name, value) in params {
            let name = format!("{id}.{name}");
            match attributes.iter_mut().find(|(known, _)| *known == name) {
                Some((_, Value::Array(values))) => values.push(value.into()),
                Some((_, first)) => *first = Value::Array(vec![std::mem::take(first), value.into()]),
                None => attributes.push((name, value.into())),
            }
        }
    }
    attributes
}
