//! The text that the pipe `format` makes of a row.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use lang::{FormatPart, FormatStyle};

use crate::functions::{Bounded, codes, json, quantity};
use crate::limits::TEMPLATE_PIECES_MAX;
use crate::value::Value;
use crate::{ComputeError, Row};

/// A text with the values of columns in it. A value that does not fit its style stays as it is, and one that is missing adds
/// nothing.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Plain(String),
    Value(usize, FormatStyle),
}

impl Template {
    /// The parts of a text over columns of these names; a field that no column is called adds nothing.
    pub fn of_parts(parts: &[FormatPart], names: &[String]) -> Result<Self, ComputeError> {
        if parts.len() > TEMPLATE_PIECES_MAX {
            let message = format!("the template has more than {TEMPLATE_PIECES_MAX} pieces (TEMPLATE_PIECES_MAX)");
            return Err(ComputeError::new(&lang::Span::default(), message, "make the text in several steps"));
        }
        let piece = |part: &FormatPart| match part {
            FormatPart::Text(text) => Some(Piece::Plain(text.clone())),
            FormatPart::Field { name, style } => {
                names.iter().position(|known| known == name).map(|at| Piece::Value(at, *style))
            }
        };
        Ok(Self { pieces: parts.iter().filter_map(piece).collect() })
    }

    /// The text for a row; missing when it is longer than [`crate::limits::TEXT_BYTES_MAX`].
    pub fn render(&self, row: Row<'_, '_>) -> Value<'static> {
        self.filled(row).map_or(Value::Missing, Bounded::into_value)
    }

    fn filled(&self, row: Row<'_, '_>) -> Option<Bounded> {
        let mut out = Bounded::of(0);
        for piece in &self.pieces {
            match piece {
                Piece::Plain(text) => out.push(text)?,
                Piece::Value(at, style) => {
                    let value = row(*at);
                    match styled(&value, *style) {
                        Some(text) => out.push(&text)?,
                        None => out.push(&value.into_text().unwrap_or_default())?,
                    }
                }
            }
        }
        Some(out)
    }
}

/// A value in a style; `None` when it does not fit.
fn styled<'v>(value: &'v Value<'_>, style: FormatStyle) -> Option<Cow<'v, str>> {
    let text = || value.to_text();
    let own = |made: String| Some(Cow::Owned(made));
    match style {
        FormatStyle::Plain => text(),
        FormatStyle::Quoted => own(json::quoted(&text()?)),
        FormatStyle::Upper => own(text()?.to_uppercase()),
        FormatStyle::Lower => own(text()?.to_lowercase()),
        FormatStyle::UrlEncoded => own(codes::percent_encode(&text()?)),
        FormatStyle::UrlDecoded => own(codes::percent_decode(&text()?).into_owned()),
        FormatStyle::Base64Encoded => own(codes::base64_encode(&text()?)),
        FormatStyle::Base64Decoded => own(codes::base64_decode(&text()?)?),
        FormatStyle::HexEncoded => own(hex::encode_upper(text()?.as_bytes())),
        FormatStyle::HexDecoded => own(codes::hex_decode(&text()?)?),
        FormatStyle::HexNumberEncoded => own(format!("{:016X}", value.as_i64()?)),
        FormatStyle::HexNumberDecoded => {
            let text = text()?;
            let digits = text.trim();
            let digits = digits.strip_prefix("0x").unwrap_or(digits);
            own(u64::from_str_radix(digits, 16).ok()?.to_string())
        }
        FormatStyle::Time => own(model::Timestamp(value.time()?).to_string()),
        FormatStyle::Duration => own(quantity::duration_text(value.duration()?)),
        FormatStyle::Seconds => own(Value::of(value.duration()? as f64 / 1e9).into_text()?.into_owned()),
        FormatStyle::Ipv4 => own(Ipv4Addr::from(u32::try_from(value.as_i64()?).ok()?).to_string()),
    }
}
