//! Templates in the steps of playbooks: `--to={{ change.from_version }}`.
//!
//! Much less than the templates of annotations, on purpose: a value is put in and nothing else happens. What reaches a command or a
//! URL was written by people and machines outside, so every value is checked where it is used.

use std::collections::BTreeMap;

/// The variables, for hints. `alert.labels.` is followed by a label's name, `steps.` by the id of a step above.
pub const FILL_VARIABLES: &str = "service, incident.id, to_version, change.id, change.source, change.from_version, \
     change.to_version, change.artifact, alert.name, alert.labels.<name>, steps.<id>.value, .n, .result, .choice, .row.<name>";

/// Longest text after filling in, in bytes.
pub const FILLED_BYTES_MAX: usize = 64 * 1024;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// What the filled text is used for: which values are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillUse {
    /// One element of a command line. A value must not make the element look like an option.
    Argument,
    /// A URL; values are percent-encoded.
    Url,
    /// A header's value, an environment variable, a text inside a JSON body.
    Text,
}

/// A template that can not be read or filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct FillError {
    /// Where in the template, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl FillError {
    fn new(offset: usize, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { offset, message: message.into(), hint: hint.into() }
    }
}

impl Fill {
    /// Reads a template; a variable that does not exist is an error.
    pub fn parse(text: &str) -> Result<Fill, FillError> {
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("{{") {
            let open = at + found;
            if open > at {
                parts.push(Part::Text(text[at..open].to_owned()));
            }
            let close = text[open..].find("}}").map(|found| open + found);
            let close = close.ok_or_else(|| FillError::new(open, "`{{` is not closed", "close it with `}}`"))?;
            let name = text[open + 2..close].trim();
            if !is_variable(name) {
                let hint = format!("the variables are {FILL_VARIABLES}");
                return Err(FillError::new(open + 2, format!("there is no variable {name:?}"), hint));
            }
            parts.push(Part::Variable(name.to_owned()));
            at = close + 2;
        }
        if at < text.len() {
            parts.push(Part::Text(text[at..].to_owned()));
        }
        Ok(Fill(parts))
    }

    /// The variables in it.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Whether there is a variable before the byte `offset` of the text.
    pub fn has_variable_before(&self, offset: usize) -> bool {
        let mut at = 0;
        self.0.iter().any(|part| match part {
            Part::Text(text) => {
                at += text.len();
                false
            }
            Part::Variable(_) => at < offset,
        })
    }

    /// Puts the values in. A variable without a value, a value with a control character, and an argument that a value makes
    /// begin with `-` are refused: then the action must not happen.
    pub fn render(&self, values: &BTreeMap<String, String>, usage: FillUse) -> Result<String, FillError> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Variable(name) => {
                    let value = values.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                        FillError::new(
                            0,
                            format!("{name} has no value here"),
                            "the alert or the change does not say it",
                        )
                    })?;
                    check_value(name, value, usage, out.is_empty())?;
                    match usage {
                        FillUse::Url => percent_encode(value, &mut out),
                        FillUse::Argument | FillUse::Text => out.push_str(value),
                    }
                }
            }
        }
        if out.len() > FILLED_BYTES_MAX {
            let message = format!("the filled text has {} bytes, {FILLED_BYTES_MAX} are allowed", out.len());
            return Err(FillError::new(0, message, "a value is far too long"));
        }
        Ok(out)
    }
}

fn is_variable(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "service",
        "incident.id",
        "to_version",
        "change.id",
        "change.source",
        "change.from_version",
        "change.to_version",
        "change.artifact",
        "alert.name",
    ];
    NAMES.contains(&name)
        || name.strip_prefix("alert.labels.").is_some_and(|label| !label.is_empty())
        || step_of(name).is_some()
}

/// The step whose result a variable is, when it is one.
pub(crate) fn step_of(name: &str) -> Option<&str> {
    let (id, what) = name.strip_prefix("steps.")?.split_once('.')?;
    let known = ["value", "n", "result", "choice"].contains(&what);
    let row = what.strip_prefix("row.").is_some_and(|column| !column.is_empty());
    (!id.is_empty() && (known || row)).then_some(id)
}

fn check_value(name: &str, value: &str, usage: FillUse, first: bool) -> Result<(), FillError> {
    if value.chars().any(char::is_control) {
        let hint = "values go into commands and requests only without them";
        return Err(FillError::new(0, format!("{name} holds a control character"), hint));
    }
    if usage == FillUse::Argument && first && value.starts_with('-') {
        let hint = "it would be read as an option; put text before it, such as --to={{ ... }}";
        return Err(FillError::new(0, format!("{name} is {value:?} and begins an argument"), hint));
    }
    Ok(())
}

/// Encodes everything but RFC 3986's unreserved characters.
fn percent_encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, usage: FillUse, expect: Expect) {
        let values: BTreeMap<String, String> = [
            ("service", "checkout"),
            ("change.from_version", "1.0 rc/2"),
            ("change.to_version", "--force"),
            ("alert.labels.note", "a\nb"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let rendered = Fill::parse(text).and_then(|fill| fill.render(&values, usage));
        expect.assert_eq(&rendered.unwrap_or_else(|error| format!("{}: {error}", error.offset)));
    }

    #[test]
    fn values_are_put_in_and_dangerous_ones_refused() {
        check("--to={{ change.from_version }}", FillUse::Argument, expect!["--to=1.0 rc/2"]);
        check("--to={{ change.to_version }}", FillUse::Argument, expect!["--to=--force"]);
        check(
            "{{change.to_version}}",
            FillUse::Argument,
            expect![
                "0: change.to_version is \"--force\" and begins an argument; it would be read as an option; put text before it, such as --to={{ ... }}"
            ],
        );
        check("http://h/{{service}}/{{change.from_version}}", FillUse::Url, expect!["http://h/checkout/1.0%20rc%2F2"]);
        check(
            "{{ alert.labels.note }}",
            FillUse::Text,
            expect![
                "0: alert.labels.note holds a control character; values go into commands and requests only without them"
            ],
        );
        check(
            "{{ alert.labels.gone }}",
            FillUse::Text,
            expect!["0: alert.labels.gone has no value here; the alert or the change does not say it"],
        );
        check(
            "x {{ chnge.id }}",
            FillUse::Text,
            expect![[
                r#"4: there is no variable "chnge.id"; the variables are service, incident.id, to_version, change.id, change.source, change.from_version, change.to_version, change.artifact, alert.name, alert.labels.<name>, steps.<id>.value, .n, .result, .choice, .row.<name>"#
            ]],
        );
        check("x {{ service", FillUse::Text, expect!["2: `{{` is not closed; close it with `}}`"]);
    }
}
