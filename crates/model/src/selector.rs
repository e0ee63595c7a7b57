//! Which streams a setting means.

use std::fmt;

use crate::STREAM_FIELDS;
use crate::value::write_json_string;

/// A stream selector for settings: the query language's, without regular expressions. All its matchers hold for a stream
/// that it matches; a field that a stream lacks has the empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSelector {
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Matcher {
    name: String,
    equal: bool,
    value: String,
}

impl StreamSelector {
    /// Reads `service.name=debug`, `service.name="debug",host.name!="a b"` or the same in braces. `None` for anything else:
    /// a field that is not one of [`STREAM_FIELDS`], or no matcher that asks for a value. So no selector means every stream.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = match text.strip_prefix('{') {
            Some(inner) => inner.strip_suffix('}')?,
            None => text,
        };
        let mut matchers = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (matcher, behind) = read_matcher(rest)?;
            if !STREAM_FIELDS.contains(&matcher.name.as_str()) {
                return None;
            }
            matchers.push(matcher);
            rest = match behind.trim_start().strip_prefix(',') {
                Some(more) if !more.trim().is_empty() => more.trim_start(),
                Some(_) => return None,
                None if behind.trim().is_empty() => "",
                None => return None,
            };
        }
        let narrows = matchers.iter().any(|matcher| matcher.equal && !matcher.value.is_empty());
        narrows.then_some(Self { matchers })
    }

    /// Whether a stream, as [`crate::stream_text`] writes it, is meant. A text that is no stream is not.
    pub fn matches(&self, stream: &str) -> bool {
        let Some(fields) = read_stream(stream) else { return false };
        self.matchers.iter().all(|matcher| {
            let field = fields.iter().find(|field| field.name == matcher.name);
            let value = field.map_or("", |field| field.value.as_str());
            (value == matcher.value) == matcher.equal
        })
    }
}

impl fmt::Display for StreamSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::from("{");
        for matcher in &self.matchers {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&matcher.name);
            out.push_str(if matcher.equal { "=" } else { "!=" });
            write_json_string(&mut out, &matcher.value);
        }
        out.push('}');
        f.write_str(&out)
    }
}

/// A matcher and what is behind it.
fn read_matcher(text: &str) -> Option<(Matcher, &str)> {
    let at = text.find('=')?;
    let (name, value) = (&text[..at], text[at + 1..].trim_start());
    let (name, equal) = match name.strip_suffix('!') {
        Some(name) => (name, false),
        None => (name, true),
    };
    let (value, behind) = read_value(value)?;
    Some((Matcher { name: name.trim().to_owned(), equal, value }, behind))
}

/// A quoted value, or a bare one, which ends before a comma.
fn read_value(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let value = values.next()?.ok()?;
        return Some((value, &text[values.byte_offset()..]));
    }
    let end = text.find(',').unwrap_or(text.len());
    let value = text[..end].trim();
    let bare = !value.contains(['"', '{', '}', '=', '~']);
    bare.then(|| (value.to_owned(), &text[end..]))
}

/// The fields of a stream as matchers, which have the same form.
fn read_stream(stream: &str) -> Option<Vec<Matcher>> {
    let mut rest = stream.strip_prefix('{')?.strip_suffix('}')?;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (field, behind) = read_matcher(rest)?;
        fields.push(field);
        rest = behind.strip_prefix(',').unwrap_or(behind);
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Value, stream_text};

    fn stream(fields: &[(&str, &str)]) -> String {
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).into(), Value::Str((*value).into()))).collect();
        stream_text(&fields)
    }

    #[test]
    fn selectors_mean_the_streams_that_they_say() {
        let odd = "a\"b, {c}=\\";
        let streams = [
            stream(&[("service.name", "debug")]),
            stream(&[("host.name", "h1"), ("service.name", "debug")]),
            stream(&[("host.name", odd)]),
            stream(&[]),
        ];
        let quoted = format!("host.name={}", Value::Str(odd.to_owned()).to_json());
        for (selector, matching) in [
            ("service.name=debug", vec![0, 1]),
            (" { service.name = \"debug\" , host.name != h1 } ", vec![0]),
            ("service.name=debug,host.name=\"\"", vec![0]),
            ("service.name=debug,host.name=h1", vec![1]),
            (&quoted, vec![2]),
            ("service.name=bug", vec![]),
        ] {
            let parsed = StreamSelector::parse(selector).expect(selector);
            let found: Vec<usize> = (0..streams.len()).filter(|at| parsed.matches(&streams[*at])).collect();
            assert_eq!(found, matching, "{selector}");
            assert_eq!(StreamSelector::parse(&parsed.to_string()), Some(parsed), "{selector}");
        }
    }

    #[test]
    fn what_could_mean_everything_is_no_selector() {
        for text in [
            "",
            "{}",
            "service.name",
            "service.name=",
            "service.name!=a",
            "color=red",
            "service.name=~a",
            "service.name=a,",
            "{service.name=a",
            "service.name=\"a",
            "service.name=\"a\"b",
        ] {
            assert_eq!(StreamSelector::parse(text), None, "{text}");
        }
        assert!(!StreamSelector::parse("service.name=a").unwrap().matches("garbage"));
    }
}
