//! Functions that encode and decode the bytes of a text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use lang::ScalarFunction;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Run, bounded, text};
use crate::limits::TEXT_BYTES_MAX;
use crate::value::Value;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const DECODE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const DECODE_URL: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::UrlEncode => |v, _| {
            let text = text(v, 0)?;
            (text.len() <= TEXT_BYTES_MAX).then(|| percent_encode(&text)).and_then(bounded)
        },
        ScalarFunction::UrlDecode => |v, _| Some(Value::text(percent_decode(&text(v, 0)?).into_owned())),
        ScalarFunction::Base64Encode => |v, _| {
            let text = text(v, 0)?;
            (text.len() <= TEXT_BYTES_MAX).then(|| base64_encode(&text)).and_then(bounded)
        },
        ScalarFunction::Base64Decode => |v, _| base64_decode(&text(v, 0)?).map(Value::text),
        ScalarFunction::Hex => |v, _| hex_encode(&text(v, 0)?).map(Value::text),
        ScalarFunction::Unhex => |v, _| hex_decode(&text(v, 0)?).map(Value::text),
        _ => return None,
    })
}

/// The text with everything but unreserved characters as %XX.
pub(crate) fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The text with %XX and `+` decoded.
pub(crate) fn percent_decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

pub(crate) fn base64_encode(text: &str) -> String {
    STANDARD.encode(text.as_bytes())
}

pub(crate) fn base64_decode(text: &str) -> Option<String> {
    let text = text.trim();
    let engine = if text.contains(['-', '_']) { DECODE_URL } else { DECODE };
    String::from_utf8(engine.decode(text).ok()?).ok()
}

pub(crate) fn hex_encode(text: &str) -> Option<String> {
    (text.len() <= TEXT_BYTES_MAX / 2).then(|| hex::encode(text.as_bytes()))
}

pub(crate) fn hex_decode(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    String::from_utf8(hex::decode(digits).ok()?).ok()
}
