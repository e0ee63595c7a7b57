//! Pairs anywhere in a text: `user=bob took: 5 ms id="a b"`. Words that are no pairs are skipped, unlike in logfmt.

use crate::logfmt::quoted;
use crate::sink::Sink;
use crate::{FormatError, NotMatched, Value, typed};

/// Separators, checked.
#[derive(Debug)]
pub(crate) struct Kv {
    /// Between pairs; white space when empty.
    between: String,
    assign: String,
}

impl Kv {
    pub(crate) fn new(between: &str, assign: &str) -> Result<Self, FormatError> {
        let error = |message: &str, hint: &str| Err(FormatError::new(0..0, message, hint));
        if assign.is_empty() {
            return error("nothing stands between a key and its value", "write = or :");
        }
        if between == assign {
            return error("pairs and their values are cut by the same text", "they must differ: ; and =, for example");
        }
        if between.contains('"') || assign.contains('"') {
            return error("a quote can not be a separator", "quotes keep separators inside a value");
        }
        // Any white space is meant by one space.
        let between = if between.trim().is_empty() { "" } else { between.trim() };
        Ok(Self { between: between.to_owned(), assign: assign.to_owned() })
    }

    pub(crate) fn extract(&self, text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
        let mut any = false;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (pair, after) = self.pair(rest);
            if let Some((key, value)) = pair.filter(|(key, _)| !key.is_empty()) {
                sink.put(key, value)?;
                any = true;
            }
            rest = after.trim_start();
        }
        if any { Ok(()) } else { Err(NotMatched::because("no pair of a key and a value")) }
    }

    /// The first pair of a text, when it begins with one, and what is behind it.
    fn pair<'t>(&self, text: &'t str) -> (Option<(&'t str, Value<'t>)>, &'t str) {
        let key_end = self.end(text);
        let Some(assign) = text[..key_end].find(&*self.assign) else {
            return (None, self.behind(text, key_end));
        };
        let key = text[..assign].trim();
        let mut value = &text[assign + self.assign.len()..];
        if !self.between.is_empty() {
            value = value.trim_start();
        }
        for quote in ['"', '\''] {
            if let Some((inner, after)) = between_quotes(value, quote) {
                let end = self.end(after);
                return (Some((key, inner)), self.behind(after, end));
            }
        }
        let end = self.end(value);
        (Some((key, typed(value[..end].trim()))), self.behind(value, end))
    }

    fn end(&self, text: &str) -> usize {
        let found = if self.between.is_empty() { text.find(char::is_whitespace) } else { text.find(&*self.between) };
        found.unwrap_or(text.len())
    }

    fn behind<'t>(&self, text: &'t str, end: usize) -> &'t str {
        let rest = &text[end..];
        rest.strip_prefix(&*self.between).unwrap_or(rest)
    }
}

fn between_quotes(text: &str, quote: char) -> Option<(Value<'_>, &str)> {
    if quote == '"' {
        return quoted(text).map(|(value, after)| (Value::Str(value), after));
    }
    let (value, after) = text.strip_prefix(quote)?.split_once(quote)?;
    Some((Value::str(value), after))
}
