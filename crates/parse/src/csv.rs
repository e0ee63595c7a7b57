//! Columns of one line, quoted as in RFC 4180.

use std::borrow::Cow;

use crate::sink::Sink;
use crate::{FormatError, NAMES_MAX, NotMatched, Value, typed};

/// Names of columns, checked.
#[derive(Debug)]
pub(crate) struct Csv {
    /// `None` for one that is skipped.
    columns: Vec<Option<String>>,
    delimiter: char,
}

impl Csv {
    pub(crate) fn new(columns: &[String], delimiter: char) -> Result<Self, FormatError> {
        let error = |message: &str, hint: &str| Err(FormatError::new(0..0, message, hint));
        if matches!(delimiter, '"' | '\n' | '\r') {
            return error("a quote or the end of a line can not stand between columns", "use , or ; or a tab");
        }
        if columns.len() > NAMES_MAX {
            let message = format!("{} columns, the limit is {NAMES_MAX}", columns.len());
            return error(&message, "read fewer, or the text as a pattern");
        }
        let named = |name: &String| Some(name.trim().to_owned()).filter(|name| !matches!(name.as_str(), "" | "_"));
        let columns: Vec<Option<String>> = columns.iter().map(named).collect();
        if columns.iter().all(Option::is_none) {
            return error("no column has a name", "list the names of the columns in their order; _ skips one");
        }
        Ok(Self { columns, delimiter })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().flatten().map(String::as_str)
    }

    /// A line may have fewer columns than names (writers leave out trailing ones), but not more: then it is something else.
    pub(crate) fn extract(&self, text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(NotMatched::because("the line is empty"));
        }
        let mut rest = Some(text);
        let mut columns = self.columns.iter();
        while let Some(text) = rest {
            let (value, after) = self.column(text)?;
            let Some(name) = columns.next() else {
                return Err(NotMatched::because("more columns than names"));
            };
            if let Some(name) = name {
                sink.put(name, value)?;
            }
            rest = after;
        }
        Ok(())
    }

    /// The first column of a text, and what is behind its delimiter; `None` at the last.
    fn column<'t>(&self, text: &'t str) -> Result<(Value<'t>, Option<&'t str>), NotMatched> {
        let Some(inner) = text.strip_prefix('"') else {
            return Ok(match text.split_once(self.delimiter) {
                Some((value, after)) => (typed(value), Some(after)),
                None => (typed(text), None),
            });
        };
        let (value, after) = quoted(inner).ok_or(NotMatched::because("a quoted column does not end"))?;
        match after.strip_prefix(self.delimiter) {
            Some(after) => Ok((Value::Str(value), Some(after))),
            None if after.is_empty() => Ok((Value::Str(value), None)),
            None => Err(NotMatched::because("text behind a quoted column")),
        }
    }
}

/// What stands before the quote that ends it, `""` standing for one, and what is behind.
fn quoted(inner: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut out = Cow::Borrowed("");
    let mut rest = inner;
    loop {
        let (piece, after) = rest.split_once('"')?;
        let doubled = after.strip_prefix('"');
        match (&mut out, doubled) {
            (Cow::Borrowed(""), None) => return Some((Cow::Borrowed(piece), after)),
            (out, None) => {
                out.to_mut().push_str(piece);
                return Some((std::mem::take(out), after));
            }
            (out, Some(after)) => {
                let out = out.to_mut();
                out.push_str(piece);
                out.push('"');
                rest = after;
            }
        }
    }
}
