//! Any JSON, read through a mapping from the configuration.
//!
//! A mapping says for each field of a report where its value comes from. A **term** is a text, which is a path (`build.number`, or a
//! JSON pointer `/build/number`), or an object with one of `path`, `header`, `const` or `join` (a list of terms, with `with` between
//! them), and optionally `map` (value by value, `*` for all others) and `default`. The configuration is checked when it is loaded:
//! an unknown field or key, a kind or status that does not exist, is an error that names its place.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::parts::{Draft, at, hash_id, read_time, text_of};
use super::{BATCH_MAX, Delivery, Item, Items};
use crate::{ChangeError, ChangeKind, ChangeStatus};

/// Fields that hold a text.
const TEXT_FIELDS: [&str; 13] = [
    "id",
    "service",
    "environment",
    "cluster",
    "namespace",
    "workload",
    "kind",
    "from_version",
    "to_version",
    "artifact",
    "actor",
    "link",
    "reversible",
];
/// Fields that hold a time.
const TIME_FIELDS: [&str; 3] = ["started_at", "finished_at", "reported_at"];
/// Fields that hold a document: the state before and after, for the diff.
const STATE_FIELDS: [&str; 2] = ["before", "after"];
/// Keys of a mapping besides the fields.
const OTHER_KEYS: [&str; 4] = ["status", "labels", "items", "only"];

/// How one source's JSON becomes reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    fields: BTreeMap<String, Term>,
    labels: BTreeMap<String, Term>,
    /// Where the list of changes is, when a delivery has several.
    items: Option<String>,
    /// Deliveries of which this term is not one of these values are ignored.
    only: Option<(Term, Vec<String>)>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
struct Term {
    from: From,
    map: BTreeMap<String, String>,
    default: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum From {
    Path(String),
    Header(String),
    Const(String),
    Join(Vec<Term>, String),
}

impl Mapping {
    /// Reads a mapping from the configuration.
    pub fn from_json(json: &Json) -> Result<Mapping, ChangeError> {
        let entries = object("mapping", json)?;
        let mut mapping = Mapping { fields: BTreeMap::new(), labels: BTreeMap::new(), items: None, only: None };
        for (key, value) in entries {
            let place = format!("mapping.{key}");
            match key.as_str() {
                "labels" => {
                    for (name, term) in object(&place, value)? {
                        mapping.labels.insert(name.clone(), Term::from_json(&format!("{place}.{name}"), term)?);
                    }
                }
                "items" => mapping.items = Some(text(&place, value)?),
                "only" => mapping.only = Some(only(&place, value)?),
                key if is_field(key) => {
                    let term = Term::from_json(&place, value)?;
                    term.check_words(key, &place)?;
                    mapping.fields.insert(key.to_owned(), term);
                }
                _ => {
                    let known: Vec<&str> = TEXT_FIELDS
                        .iter()
                        .chain(&TIME_FIELDS)
                        .chain(&STATE_FIELDS)
                        .chain(&OTHER_KEYS)
                        .copied()
                        .collect();
                    let hint = format!("the fields are {}", known.join(", "));
                    return Err(ChangeError::new(&place, "there is no such field", hint));
                }
            }
        }
        Ok(mapping)
    }

    /// Whether the mapping says where a field comes from.
    pub fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }
}

fn is_field(key: &str) -> bool {
    key == "status" || TEXT_FIELDS.contains(&key) || TIME_FIELDS.contains(&key) || STATE_FIELDS.contains(&key)
}

fn object<'a>(place: &str, json: &'a Json) -> Result<&'a Map<String, Json>, ChangeError> {
    json.as_object().ok_or_else(|| ChangeError::new(place, "it is not a table of keys", "write `key: value` below it"))
}

fn text(place: &str, json: &Json) -> Result<String, ChangeError> {
    text_of(json).ok_or_else(|| ChangeError::new(place, "it is not a text", "write a path, such as build.number"))
}

fn only(place: &str, json: &Json) -> Result<(Term, Vec<String>), ChangeError> {
    let mut entries = object(place, json)?.clone();
    let values = entries
        .remove("in")
        .as_ref()
        .and_then(Json::as_array)
        .map(|values| values.iter().filter_map(text_of).collect());
    let values: Vec<String> = values.unwrap_or_default();
    if values.is_empty() {
        return Err(ChangeError::new(&format!("{place}.in"), "it names no values", "write in: [a, b]"));
    }
    Ok((Term::from_json(place, &Json::Object(entries))?, values))
}

impl Term {
    fn from_json(place: &str, json: &Json) -> Result<Term, ChangeError> {
        let plain = |from| Term { from, map: BTreeMap::new(), default: None };
        let Some(entries) = json.as_object() else { return Ok(plain(From::Path(path(place, json)?))) };
        let known = ["path", "header", "const", "join", "with", "map", "default"];
        if let Some(key) = entries.keys().find(|key| !known.contains(&key.as_str())) {
            let hint = format!("a term has {}", known.join(", "));
            return Err(ChangeError::new(&format!("{place}.{key}"), "there is no such key", hint));
        }
        let from = match (entries.get("path"), entries.get("header"), entries.get("const"), entries.get("join")) {
            (Some(json), None, None, None) => From::Path(path(place, json)?),
            (None, Some(json), None, None) => From::Header(text(place, json)?.to_ascii_lowercase()),
            (None, None, Some(json), None) => From::Const(text(place, json)?),
            (None, None, None, Some(json)) => {
                From::Join(join(place, json)?, entries.get("with").and_then(Json::as_str).unwrap_or("-").to_owned())
            }
            _ => {
                let hint = "give exactly one of path, header, const and join";
                return Err(ChangeError::new(place, "it is not clear where the value comes from", hint));
            }
        };
        let mut map = BTreeMap::new();
        if let Some(json) = entries.get("map") {
            for (value, word) in object(&format!("{place}.map"), json)? {
                map.insert(value.clone(), text(&format!("{place}.map.{value}"), word)?);
            }
        }
        let default = entries.get("default").map(|json| text(&format!("{place}.default"), json)).transpose()?;
        Ok(Term { from, map, default })
    }

    /// Checks the words that a field of fixed words can get from the configuration.
    fn check_words(&self, field: &str, place: &str) -> Result<(), ChangeError> {
        let allowed: Vec<&str> = match field {
            "kind" => ChangeKind::ALL.iter().map(|kind| kind.as_str()).collect(),
            "status" => vec!["succeeded", "failed", "running", "unknown"],
            "reversible" => vec!["yes", "no", "unknown"],
            _ => return Ok(()),
        };
        let constant = match &self.from {
            From::Const(word) => Some(word),
            _ => None,
        };
        let mut words = self.map.values().chain(&self.default).chain(constant.filter(|_| self.map.is_empty()));
        match words.find(|word| !allowed.contains(&word.as_str())) {
            Some(word) => {
                let hint = format!("the words are {}", allowed.join(", "));
                Err(ChangeError::new(place, format!("{word:?} is not one of its words"), hint))
            }
            None => Ok(()),
        }
    }

    fn text(&self, item: &Json, delivery: &Delivery<'_>) -> Option<String> {
        let found = match &self.from {
            From::Path(path) => look_up(item, path).and_then(text_of),
            From::Header(name) => delivery.headers.get(name).cloned(),
            From::Const(text) => Some(text.clone()),
            From::Join(terms, with) => {
                let parts: Option<Vec<String>> = terms.iter().map(|term| term.text(item, delivery)).collect();
                parts.map(|parts| parts.join(with))
            }
        };
        let mapped = match found {
            Some(text) if !self.map.is_empty() => self.map.get(&text).or_else(|| self.map.get("*")).cloned(),
            found => found,
        };
        mapped.or_else(|| self.default.clone())
    }
}

fn join(place: &str, json: &Json) -> Result<Vec<Term>, ChangeError> {
    let Some(items) = json.as_array().filter(|items| !items.is_empty()) else {
        return Err(ChangeError::new(&format!("{place}.join"), "it is not a list of terms", "write join: [a, b]"));
    };
    items.iter().enumerate().map(|(at, item)| Term::from_json(&format!("{place}.join.{at}"), item)).collect()
}

fn path(place: &str, json: &Json) -> Result<String, ChangeError> {
    let path = text(place, json)?;
    let names: Vec<&str> = path.trim_start_matches('/').split(if path.starts_with('/') { '/' } else { '.' }).collect();
    if names.iter().any(|name| name.is_empty()) {
        let message = format!("{path:?} has an empty name");
        return Err(ChangeError::new(place, message, "write build.number or /build/number"));
    }
    Ok(path)
}

fn look_up<'a>(json: &'a Json, path: &str) -> Option<&'a Json> {
    if path.starts_with('/') { json.pointer(path) } else { at(json, path) }
}

pub(super) fn items(mapping: &Mapping, delivery: &Delivery<'_>) -> Items {
    let body: Json = serde_json::from_slice(delivery.body)
        .map_err(|error| ChangeError::new("body", format!("it is not JSON: {error}"), "send JSON"))?;
    let list = match &mapping.items {
        Some(path) => match look_up(&body, path) {
            Some(Json::Array(items)) => items.clone(),
            _ => {
                let message = format!("there is no list at {path}");
                return Err(ChangeError::new("body", message, "compare with `items` of the source's mapping"));
            }
        },
        None => vec![body],
    };
    if list.len() > BATCH_MAX {
        let message = format!("it holds {} items, {BATCH_MAX} are allowed", list.len());
        return Err(ChangeError::new("body", message, "send several deliveries"));
    }
    Ok(list.into_iter().map(|json| item(mapping, &json, delivery)).collect())
}

fn item(mapping: &Mapping, json: &Json, delivery: &Delivery<'_>) -> Result<Item, ChangeError> {
    if let Some((term, values)) = &mapping.only {
        let found = term.text(json, delivery);
        if !found.as_ref().is_some_and(|found| values.contains(found)) {
            let found = found.unwrap_or_else(|| "nothing".to_owned());
            return Ok(Item::Ignored(format!("{found}: the mapping takes only {}", values.join(", "))));
        }
    }
    let get = |field: &str| mapping.fields.get(field).and_then(|term| term.text(json, delivery));
    let time = |field: &str| get(field).map(|text| Ok(read_time(field, &text)?.to_string())).transpose();
    let mut draft = Draft::of_any_kind(get("id").unwrap_or_else(|| hash_id(&[&json.to_string()])));
    draft.target.service = get("service");
    draft.target.environment = get("environment");
    draft.target.cluster = get("cluster");
    draft.target.namespace = get("namespace");
    draft.target.workload = get("workload");
    draft.kind = get("kind");
    draft.from_version = get("from_version");
    draft.to_version = get("to_version");
    draft.artifact = get("artifact");
    draft.actor = get("actor");
    draft.link = get("link");
    draft.reversible = get("reversible");
    draft.started_at = time("started_at")?;
    draft.finished_at = time("finished_at")?;
    draft.reported_at = time("reported_at")?;
    draft.status = get("status").map(|word| status(&word)).transpose()?;
    for (name, term) in &mapping.labels {
        draft.label(name, term.text(json, delivery));
    }
    draft.raw = Some(raw(mapping, json));
    Ok(Item::Reports(vec![draft]))
}

fn status(word: &str) -> Result<ChangeStatus, ChangeError> {
    serde_json::from_value(Json::String(word.to_owned())).map_err(|_| {
        let hint = "map it to succeeded, failed, running or unknown";
        ChangeError::new("status", format!("{word:?} is not a status"), hint)
    })
}

/// What is kept of an item: all of it, with the states before and after where the diff looks for them.
fn raw(mapping: &Mapping, json: &Json) -> Json {
    let mut raw = match json {
        Json::Object(fields) => fields.clone(),
        other => Map::from_iter([("item".to_owned(), other.clone())]),
    };
    for field in STATE_FIELDS {
        if let Some(Term { from: From::Path(path), .. }) = mapping.fields.get(field) {
            raw.insert(field.to_owned(), look_up(json, path).cloned().unwrap_or(json!(null)));
        }
    }
    Json::Object(raw)
}
