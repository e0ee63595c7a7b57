//! Templates of the pipe `format`: text with the values of fields in it, `<field>`, as LogsQL has them.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::functions::{Bounded, codes, json, quantity};
use crate::limits::TEMPLATE_PIECES_MAX;
use crate::value::Value;
use crate::{ComputeError, Row};

/// A text with the values of columns in it.
///
/// `<field>` is the value's text, `<uc:field>` changed on the way; [`Template::CHANGES`] lists the changes. A value that a
/// change cannot be made of stays as it is, and one that is missing adds nothing. `<_>`, `<*>` and `<>` add nothing. `&lt;`
/// and `&gt;` are the signs themselves.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Plain(String),
    Field { name: String, column: Option<usize>, change: Option<Change> },
}

/// What becomes of a value's text; `None` when it cannot.
type Change = fn(&Value<'_>) -> Option<String>;

/// A change that a template can ask for.
pub struct TemplateChange {
    /// The word before the colon.
    pub name: &'static str,
    /// What it does.
    pub summary: &'static str,
    change: Change,
}

const fn change(name: &'static str, summary: &'static str, change: Change) -> TemplateChange {
    TemplateChange { name, summary, change }
}

impl Template {
    /// Every change, for documentation and completion.
    pub const CHANGES: [TemplateChange; 15] = [
        change("q", "as a text of JSON, in quotes", |value| Some(json::quoted(&value.to_text()?))),
        change("uc", "in upper case", |value| Some(value.to_text()?.to_uppercase())),
        change("lc", "in lower case", |value| Some(value.to_text()?.to_lowercase())),
        change("urlencode", "with reserved characters as %XX", |value| Some(codes::percent_encode(&value.to_text()?))),
        change("urldecode", "with %XX and + decoded", |value| {
            Some(codes::percent_decode(&value.to_text()?).into_owned())
        }),
        change("hexencode", "its bytes as hexadecimal digits", |value| {
            Some(hex::encode_upper(value.to_text()?.as_bytes()))
        }),
        change("hexdecode", "the text whose bytes the hexadecimal digits are", |value| {
            codes::hex_decode(&value.to_text()?)
        }),
        change("base64encode", "its bytes in base64", |value| Some(codes::base64_encode(&value.to_text()?))),
        change("base64decode", "the text that base64 stands for", |value| codes::base64_decode(&value.to_text()?)),
        change("hexnumencode", "a whole number as 16 hexadecimal digits", |value| {
            Some(format!("{:016X}", value.whole()?))
        }),
        change("hexnumdecode", "the number that hexadecimal digits are", |value| {
            let text = value.to_text()?;
            let digits = text.trim().trim_start_matches("0x");
            u64::from_str_radix(digits, 16).ok().map(|number| number.to_string())
        }),
        change("duration", "nanoseconds as a duration: 1h2m3.5s", |value| {
            Some(quantity::duration_text(value.duration()?))
        }),
        change("duration_seconds", "a duration such as 1h30m in seconds", |value| {
            Value::of(value.duration()? as f64 / 1e9).into_text().map(Cow::into_owned)
        }),
        change("time", "a Unix time in any unit as RFC 3339", |value| {
            Some(model::Timestamp(value.time()?).to_string())
        }),
        change("ipv4", "a number as an IPv4 address", |value| {
            u32::try_from(value.whole()?).ok().map(|bits| Ipv4Addr::from(bits).to_string())
        }),
    ];

    /// Reads a template over columns of these names; a field that no column is called adds nothing. Places in errors are
    /// bytes of the template's text.
    pub fn new(text: &str, names: &[String]) -> Result<Self, ComputeError> {
        let mut pieces = Vec::new();
        for (piece, span) in split(text)? {
            pieces.push(match piece {
                Part::Plain(text) => Piece::Plain(unescaped(text).into_owned()),
                Part::Field(inner) => field(inner, span, names)?,
            });
            if pieces.len() > TEMPLATE_PIECES_MAX {
                let message = format!("the template has more than {TEMPLATE_PIECES_MAX} pieces (TEMPLATE_PIECES_MAX)");
                return Err(error(0..text.len(), message, "make it in several steps"));
            }
        }
        Ok(Self { pieces })
    }

    /// The fields that it reads, in the order of the text.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field { name, .. } if !name.is_empty() => Some(name.as_str()),
            _ => None,
        })
    }

    /// The text for a row; missing when it is longer than [`crate::limits::TEXT_BYTES_MAX`].
    pub fn render<'r>(&self, row: Row<'_, 'r>) -> Value<'static> {
        self.filled(row).map_or(Value::Missing, Bounded::into_value)
    }

    fn filled<'r>(&self, row: Row<'_, 'r>) -> Option<Bounded> {
        let mut out = Bounded::default();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(text) => out.push(text)?,
                Piece::Field { column: None, .. } => {}
                Piece::Field { column: Some(at), change, .. } => {
                    let value = row(*at);
                    match change.and_then(|change| change(&value)) {
                        Some(text) => out.push(&text)?,
                        None => out.push(&value.into_text().unwrap_or_default())?,
                    }
                }
            }
        }
        Some(out)
    }
}

enum Part<'t> {
    Plain(&'t str),
    Field(&'t str),
}

/// The parts of a template and where they stand.
fn split(text: &str) -> Result<Vec<(Part<'_>, Range<usize>)>, ComputeError> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|found| at + found) {
        if open > at {
            parts.push((Part::Plain(&text[at..open]), at..open));
        }
        let Some(close) = text[open..].find('>').map(|found| open + found) else {
            return Err(error(open..text.len(), "this `<` has no closing `>`", "write &lt; for the sign itself"));
        };
        parts.push((Part::Field(&text[open + 1..close]), open..close + 1));
        at = close + 1;
    }
    if at < text.len() {
        parts.push((Part::Plain(&text[at..]), at..text.len()));
    }
    Ok(parts)
}

fn field(inner: &str, span: Range<usize>, names: &[String]) -> Result<Piece, ComputeError> {
    let inner = inner.trim();
    let plain = |name: &str, change| Piece::Field {
        name: name.to_owned(),
        column: names.iter().position(|known| known == name),
        change,
    };
    if matches!(inner, "" | "_" | "*") {
        return Ok(plain("", None));
    }
    let Some((word, name)) = inner.split_once(':') else { return Ok(plain(inner, None)) };
    let name = name.trim();
    if name.is_empty() {
        return Err(error(span, format!("a field is missing after `{word}:`"), "write <uc:field>"));
    }
    let known = const { &Template::CHANGES };
    if let Some(found) = known.iter().find(|change| change.name == word.trim()) {
        return Ok(plain(name, Some(found.change)));
    }
    // A name may hold a colon of its own.
    if names.iter().any(|known| known == inner) {
        return Ok(plain(inner, None));
    }
    let hint = match lang::nearest(word, known.iter().map(|change| change.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", known.iter().map(|change| change.name).collect::<Vec<_>>().join(", ")),
    };
    Err(error(span, format!("`{word}` is nothing that a template can make of a field"), hint))
}

/// The text with `&lt;`, `&gt;` and `&amp;` resolved.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

fn error(span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> ComputeError {
    ComputeError::new(&lang::Span(span), message, hint)
}
