//! Literal text with places to fill: `<ip> <_> "<method> <path>" <status>`, as in LogsQL's `extract`.
//!
//! Text before the first place is looked for anywhere in the line; a pattern that begins with a place begins where the line does.
//! A place takes what stands before the next literal text, and the last one, with nothing behind it, the rest. What stands there in
//! double quotes or backticks is taken without them, whatever is inside; `<plain:name>` keeps them. `<_>` and `<>` are skipped.
//! A literal `<` is written `&lt;`, `>` is `&gt;` and `&` before such a word `&amp;`.

use crate::logfmt::quoted;
use crate::sink::Sink;
use crate::{FORMAT_BYTES_MAX, FormatError, NAMES_MAX, NotMatched, Value, typed};

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Before the first place.
    prefix: String,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    /// `None` for one that is skipped.
    name: Option<String>,
    /// Quotes are part of the value.
    plain: bool,
    /// The literal text behind; empty for the end of the line.
    until: String,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, FormatError> {
        if text.len() > FORMAT_BYTES_MAX {
            let message = format!("the pattern has {} bytes, the limit is {FORMAT_BYTES_MAX}", text.len());
            return Err(FormatError::new(0..text.len(), message, "write it in several rules"));
        }
        let mut pattern = Pattern { prefix: String::new(), places: Vec::new() };
        let mut at = 0;
        while let Some(open) = text[at..].find('<').map(|open| at + open) {
            let Some(close) = text[open..].find('>').map(|close| open + close) else {
                let hint = "close it with > or write &lt; for a < of the text";
                return Err(FormatError::new(open..text.len(), "a place is opened and not closed", hint));
            };
            let adjacent = open == at && !pattern.places.is_empty();
            if adjacent {
                let hint = "put the text that stands between the values there, at least a space";
                return Err(FormatError::new(open..close + 1, "two places touch", hint));
            }
            pattern.literal(&text[at..open]);
            pattern.places.push(place(text, open, close)?);
            at = close + 1;
        }
        pattern.literal(&text[at..]);
        if pattern.names().next().is_none() {
            let hint = "name what becomes a field: <ip> - <user>";
            return Err(FormatError::new(0..text.len(), "the pattern names no field", hint));
        }
        if pattern.places.len() > NAMES_MAX {
            let message = format!("the pattern has {} places, the limit is {NAMES_MAX}", pattern.places.len());
            return Err(FormatError::new(0..text.len(), message, "parse in several steps"));
        }
        Ok(pattern)
    }

    fn literal(&mut self, text: &str) {
        let text = unescape(text);
        match self.places.last_mut() {
            Some(place) => place.until = text,
            None => self.prefix = text,
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().filter_map(|place| place.name.as_deref())
    }

    pub(crate) fn extract(&self, text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
        const NOT: NotMatched = NotMatched::because("the pattern does not match");
        let start = text.find(&self.prefix).ok_or(NOT)? + self.prefix.len();
        let mut rest = &text[start..];
        for place in &self.places {
            let (value, after) = place.take(rest).ok_or(NOT)?;
            if let Some(name) = &place.name {
                sink.put(name, value)?;
            }
            rest = after;
        }
        Ok(())
    }
}

impl Place {
    /// The value at the beginning of a text, and what is behind it and the literal that ends it.
    fn take<'t>(&self, text: &'t str) -> Option<(Value<'t>, &'t str)> {
        if !self.plain
            && let Some((value, after)) = unquoted(text)
            && let Some(after) = after.strip_prefix(&*self.until)
        {
            return Some((value, after));
        }
        if self.until.is_empty() {
            return Some((typed(text), ""));
        }
        let end = text.find(&self.until)?;
        Some((typed(&text[..end]), &text[end + self.until.len()..]))
    }
}

/// A value in double quotes or backticks, without them.
fn unquoted(text: &str) -> Option<(Value<'_>, &str)> {
    if let Some(inner) = text.strip_prefix('`') {
        return inner.split_once('`').map(|(value, after)| (Value::str(value), after));
    }
    quoted(text).map(|(value, after)| (Value::Str(value), after))
}

fn place(text: &str, open: usize, close: usize) -> Result<Place, FormatError> {
    let inner = text[open + 1..close].trim();
    let (plain, name) = match inner.split_once(':') {
        Some(("plain", name)) => (true, name.trim()),
        _ => (false, inner),
    };
    if name.contains('<') {
        let hint = "close the place before it with > or write &lt; for a < of the text";
        return Err(FormatError::new(open..close + 1, "a place inside a place", hint));
    }
    let name = (!matches!(name, "" | "_" | "*")).then(|| name.to_owned());
    Ok(Place { name, plain, until: String::new() })
}

/// The entities of HTML that stand for the characters of this syntax.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let entities = [("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&amp;", '&')];
        match entities.iter().find(|(entity, _)| rest[at..].starts_with(entity)) {
            Some((entity, stands_for)) => {
                out.push(*stands_for);
                rest = &rest[at + entity.len()..];
            }
            None => {
                out.push('&');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}
