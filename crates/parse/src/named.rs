//! A regular expression whose named groups are the fields.

use regex::{Regex, RegexBuilder};

use crate::sink::Sink;
use crate::{FORMAT_BYTES_MAX, FormatError, NAMES_MAX, NotMatched, REGEX_COMPILED_BYTES_MAX, typed};

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Named {
    regex: Regex,
    /// Group and name.
    names: Vec<(usize, String)>,
}

impl Named {
    pub(crate) fn new(text: &str) -> Result<Self, FormatError> {
        let regex = compile(text)?;
        let names: Vec<(usize, String)> =
            regex.capture_names().enumerate().filter_map(|(at, name)| Some((at, name?.to_owned()))).collect();
        if names.is_empty() {
            let hint = "name what becomes a field: (?P<status>[0-9]+)";
            return Err(FormatError::new(0..text.len(), "the regular expression has no named group", hint));
        }
        if names.len() > NAMES_MAX {
            let message = format!("the regular expression has {} named groups, the limit is {NAMES_MAX}", names.len());
            return Err(FormatError::new(0..text.len(), message, "parse in several steps"));
        }
        Ok(Self { regex, names })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(_, name)| name.as_str())
    }

    pub(crate) fn extract(&self, text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
        let mut groups = self.regex.capture_locations();
        if self.regex.captures_read(&mut groups, text).is_none() {
            return Err(NotMatched::because("the regular expression does not match"));
        }
        for (group, name) in &self.names {
            if let Some((start, end)) = groups.get(*group) {
                sink.put(name, typed(&text[start..end]))?;
            }
        }
        Ok(())
    }
}

/// Compiles an expression within [`FORMAT_BYTES_MAX`] and [`REGEX_COMPILED_BYTES_MAX`]; a mistake is told with its place.
pub(crate) fn compile(text: &str) -> Result<Regex, FormatError> {
    if text.len() > FORMAT_BYTES_MAX {
        let message = format!("the regular expression has {} bytes, the limit is {FORMAT_BYTES_MAX}", text.len());
        return Err(FormatError::new(0..text.len(), message, "write it in several rules"));
    }
    if let Err(error) = regex_syntax::Parser::new().parse(text) {
        return Err(syntax_error(text, &error));
    }
    RegexBuilder::new(text).size_limit(REGEX_COMPILED_BYTES_MAX).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(max) => FormatError::new(
            0..text.len(),
            format!("the regular expression needs more than {max} bytes of memory"),
            "make counted repetitions such as {1000} smaller, or write [0-9] for \\d",
        ),
        other => FormatError::new(0..text.len(), other.to_string(), "see docs.rs/regex for the syntax"),
    })
}

fn syntax_error(text: &str, error: &regex_syntax::Error) -> FormatError {
    let (span, message) = match error {
        regex_syntax::Error::Parse(error) => (error.span(), error.kind().to_string()),
        regex_syntax::Error::Translate(error) => (error.span(), error.kind().to_string()),
        other => return FormatError::new(0..text.len(), other.to_string(), "see docs.rs/regex for the syntax"),
    };
    let hint = if message.contains("look-around") || message.contains("backreferences") {
        "look-around and backreferences would take time without bound; match the surroundings outside the group"
    } else {
        "the syntax is RE2's; a literal character of its syntax needs a backslash before it"
    };
    FormatError::new(span.start.offset..span.end.offset, format!("regular expression: {message}"), hint)
}
