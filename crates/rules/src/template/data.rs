//! Values in templates, and how they print, compare and count as true.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::go_format as go;

/// A sample of a query.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: Arc<BTreeMap<String, String>>,
    pub(super) value: f64,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    Nil,
    Bool(bool),
    Int(i64),
    Number(f64),
    Text(String),
    /// A map from name to text: labels.
    Labels(Arc<BTreeMap<String, String>>),
    /// A map from name to anything: what `args` makes, and what an alert's template is given.
    Fields(Arc<BTreeMap<String, Datum>>),
    Sample(Arc<Sample>),
    Vector(Vec<Arc<Sample>>),
    /// A time, in seconds since the Unix epoch.
    Time(f64),
    /// A duration, in seconds.
    Duration(f64),
}

impl Datum {
    /// What Go calls the type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Number(_) => "float64",
            Self::Text(_) => "string",
            Self::Labels(_) => "map[string]string",
            Self::Fields(_) => "map[string]interface {}",
            Self::Sample(_) => "*template.sample",
            Self::Vector(_) => "template.queryResult",
            Self::Time(_) => "*time.Time",
            Self::Duration(_) => "*time.Duration",
        }
    }

    /// As a number, where Prometheus's functions take one: numbers, durations, texts of numbers.
    pub(super) fn number(&self) -> Result<f64, String> {
        match self {
            Self::Number(n) | Self::Duration(n) => Ok(*n),
            Self::Int(n) => Ok(*n as f64),
            Self::Text(text) => go::parse_float(text).ok_or_else(|| format!("{text:?} is not a number")),
            other => Err(format!("can't convert {} to float", other.kind())),
        }
    }

    /// As text, where a function takes text and nothing else.
    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(format!("wrong type for value; expected string; got {}", other.kind())),
        }
    }

    pub(super) fn sample(&self) -> Result<&Arc<Sample>, String> {
        match self {
            Self::Sample(sample) => Ok(sample),
            other => Err(format!("wrong type for value; expected *template.sample; got {}", other.kind())),
        }
    }

    pub(super) fn vector(&self) -> Result<&[Arc<Sample>], String> {
        match self {
            Self::Vector(samples) => Ok(samples),
            other => Err(format!("wrong type for value; expected template.queryResult; got {}", other.kind())),
        }
    }

    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(bool) => *bool,
            Self::Int(n) => *n != 0,
            Self::Number(n) | Self::Duration(n) => *n != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(map) => !map.is_empty(),
            Self::Fields(map) => !map.is_empty(),
            Self::Vector(samples) => !samples.is_empty(),
            Self::Sample(_) | Self::Time(_) => true,
        }
    }

    /// A field or a key; one that a map does not have is the empty text. `names` is the rest of the path: a label may have dots.
    /// Gives how many names were used.
    pub(super) fn field(&self, names: &[String]) -> Result<(Datum, usize), String> {
        let name = names.first().map_or("", String::as_str);
        let unknown = || Err(format!("can't evaluate field {name} in type {}", self.kind()));
        let found = match self {
            Self::Labels(labels) => {
                let dotted = names.join(".");
                return Ok(match label(labels, &dotted) {
                    Some(value) => (Self::Text(value.to_owned()), names.len()),
                    None => (Self::Text(label(labels, name).unwrap_or_default().to_owned()), names.len()),
                });
            }
            Self::Fields(map) => map.get(name).cloned().unwrap_or(Self::Nil),
            Self::Sample(sample) => match name {
                "Labels" => Self::Labels(Arc::clone(&sample.labels)),
                "Value" => Self::Number(sample.value),
                _ => return unknown(),
            },
            Self::Time(seconds) => match name {
                "Unix" => Self::Int(seconds.floor() as i64),
                "UnixMilli" => Self::Int((seconds * 1e3).floor() as i64),
                "UTC" => self.clone(),
                "String" => Self::Text(self.show()),
                _ => return unknown(),
            },
            Self::Duration(seconds) => match name {
                "Seconds" => Self::Number(*seconds),
                "Minutes" => Self::Number(seconds / 60.0),
                "Hours" => Self::Number(seconds / 3600.0),
                "Milliseconds" => Self::Int((seconds * 1e3) as i64),
                "String" => Self::Text(self.show()),
                _ => return unknown(),
            },
            _ => return unknown(),
        };
        Ok((found, 1))
    }

    /// As `%v` prints it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Nil => "<no value>".to_owned(),
            Self::Bool(bool) => bool.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Number(n) => go::go_value(*n),
            Self::Text(text) => text.clone(),
            Self::Labels(labels) => map_text(labels.iter().map(|(name, value)| (name, value.clone()))),
            Self::Fields(map) => map_text(map.iter().map(|(name, value)| (name, value.show()))),
            Self::Sample(sample) => {
                format!("{{{} {}}}", Self::Labels(Arc::clone(&sample.labels)).show(), go::go_value(sample.value))
            }
            Self::Vector(samples) => {
                let shown: Vec<String> = samples.iter().map(|sample| Self::Sample(Arc::clone(sample)).show()).collect();
                format!("[{}]", shown.join(" "))
            }
            Self::Time(seconds) => go::go_time(*seconds),
            Self::Duration(seconds) => go::go_duration(*seconds),
        }
    }

    /// The order of two values: numbers by size, whatever their type, and everything else by its text. Go refuses to compare a
    /// whole number with another, which catches people who write `gt $value 5`; there is only one thing that can be meant.
    pub(super) fn order(&self, other: &Datum) -> Option<std::cmp::Ordering> {
        match (self.number(), other.number()) {
            (Ok(a), Ok(b)) => a.partial_cmp(&b),
            _ => Some(self.show().cmp(&other.show())),
        }
    }
}

fn map_text<'a>(pairs: impl Iterator<Item = (&'a String, String)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}

/// A label by its name; `service_version` also finds `service.version`, because dotted names can not be written in all places.
pub(super) fn label<'a>(labels: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let flat = |name: &str| name.replace('.', "_");
    let exact = labels.get(name);
    let found = exact.or_else(|| labels.iter().find(|(known, _)| flat(known) == flat(name)).map(|(_, value)| value));
    found.map(String::as_str)
}
