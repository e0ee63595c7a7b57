//! What a change changed: the record against what was there before it, and the documents before and after.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;
use similar::TextDiff;

use crate::Change;
use crate::record::INFERRED_LABEL;
use crate::redact::{self, STATE_PAIRS};

/// Most lines of one document's diff; the rest is left out and said to be.
pub const DIFF_LINES_MAX: usize = 2_000;

/// Lines of context around a difference.
const CONTEXT_LINES: usize = 3;

/// Names under which sources send the whole state after the change; what it was before is in the change before.
const DOCUMENTS: [&str; 4] = ["data", "config", "spec", "values"];

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldDiff {
    /// Its name, dotted.
    pub field: String,
    /// Its value before; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its value after; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A document that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DocumentDiff {
    /// Its name.
    pub name: String,
    /// The differences as unified diff, secrets replaced.
    pub unified: String,
}

/// What a change changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChangeDiff {
    /// Fields of the record.
    pub fields: Vec<FieldDiff>,
    /// Documents: configuration files, values, specifications.
    pub documents: Vec<DocumentDiff>,
}

/// What `change` changed. `before` is the change of the same target before it, if there is one.
pub fn diff(change: &Change, before: Option<&Change>) -> ChangeDiff {
    ChangeDiff { fields: fields(change, before), documents: documents(change, before) }
}

fn fields(change: &Change, before: Option<&Change>) -> Vec<FieldDiff> {
    let mut pairs: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
    let was = |get: fn(&Change) -> Option<String>| before.and_then(get);
    let from = change.from_version.clone().or_else(|| was(|before| before.to_version.clone()));
    pairs.insert("version".into(), (from, change.to_version.clone()));
    pairs.insert("artifact".into(), (was(|before| before.artifact.clone()), change.artifact.clone()));
    pairs.insert("actor".into(), (was(|before| before.actor.clone()), change.actor.clone()));
    let none = BTreeMap::new();
    let old = before.map_or(&none, |before| &before.labels);
    let names: BTreeSet<&String> = old.keys().chain(change.labels.keys()).collect();
    for name in names.into_iter().filter(|name| *name != INFERRED_LABEL) {
        let pair = (old.get(name).cloned(), change.labels.get(name).cloned());
        pairs.insert(format!("labels.{name}"), pair);
    }
    pairs
        .into_iter()
        .filter(|(_, (before, after))| before != after)
        .map(|(field, (before, after))| {
            let hide = |text: String| if redact::is_secret_name(&field) { redact::REDACTED.to_owned() } else { text };
            FieldDiff { before: before.map(hide), after: after.map(hide), field }
        })
        .collect()
}

/// The documents that differ: those of the states that the change brought itself, else those against the change before.
fn documents(change: &Change, before: Option<&Change>) -> Vec<DocumentDiff> {
    let raw = change.raw.as_ref();
    let state = |name: &str| raw.and_then(|raw| raw.get(name)).filter(|state| !state.is_null());
    let pair = STATE_PAIRS.iter().find_map(|(old, new)| Some((state(old)?, state(new)?)));
    if let Some((old, new)) = pair {
        return diff_texts(&texts("", old), &texts("", new));
    }
    let old = |name: &str| before.and_then(|before| before.raw.as_ref()).and_then(|raw| raw.get(name));
    let both = |name: &&str| Some((texts(name, old(name)?), texts(name, state(name)?)));
    DOCUMENTS.iter().filter_map(both).flat_map(|(old, new)| diff_texts(&old, &new)).collect()
}

fn diff_texts(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<DocumentDiff> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let empty = String::new();
    let pairs = names.into_iter().map(|name| (name, old.get(name).unwrap_or(&empty), new.get(name).unwrap_or(&empty)));
    pairs
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| DocumentDiff { name: name.clone(), unified: unified(name, old, new) })
        .collect()
}

/// The texts of a state by name. A table of texts (the `data` of a ConfigMap) is one document per multi-line text and one for the
/// short values; anything else is one document of indented JSON.
fn texts(name: &str, state: &Json) -> BTreeMap<String, String> {
    let whole = if name.is_empty() { "state" } else { name };
    let state = state.get("data").filter(|data| data.is_object()).unwrap_or(state);
    match state {
        Json::String(text) => BTreeMap::from([(whole.to_owned(), text.clone())]),
        Json::Object(fields) if fields.values().all(|value| !value.is_object() && !value.is_array()) => {
            let mut texts = BTreeMap::new();
            let mut short = BTreeMap::new();
            for (key, value) in fields {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if text.contains('\n') {
                    texts.insert(key.clone(), text);
                } else {
                    short.insert(key, text);
                }
            }
            let lines: String = short.into_iter().map(|(key, text)| format!("{key}: {text}\n")).collect();
            texts.insert(whole.to_owned(), lines);
            texts
        }
        other => {
            let mut sorted = other.clone();
            sorted.sort_all_objects();
            let text = serde_json::to_string_pretty(&sorted).unwrap_or_default();
            BTreeMap::from([(whole.to_owned(), text + "\n")])
        }
    }
}

fn unified(name: &str, old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let shown = diff
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&format!("before/{name}"), &format!("after/{name}"))
        .to_string();
    // Records hold no secrets; records of older versions may.
    let shown = redact::text(&shown, None);
    let lines = shown.lines().count();
    if lines <= DIFF_LINES_MAX {
        return shown;
    }
    let mut cut: String = shown.split_inclusive('\n').take(DIFF_LINES_MAX).collect();
    cut.push_str(&format!("… {} more lines are left out\n", lines - DIFF_LINES_MAX));
    cut
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::ChangeReport;

    fn change(mut json: Json) -> Change {
        json["target"] = json!({"service": "checkout"});
        ChangeReport::from_json(&json).unwrap().merge_over(None, Timestamp(0)).unwrap()
    }

    fn check(change: &Change, before: Option<&Change>, want: Expect) {
        let diff = diff(change, before);
        let mut out = String::new();
        for FieldDiff { field, before, after } in diff.fields {
            out.push_str(&format!("{field}: {} -> {}\n", before.unwrap_or_default(), after.unwrap_or_default()));
        }
        for document in diff.documents {
            out.push_str(&document.unified);
        }
        want.assert_eq(&out);
    }

    #[test]
    fn a_change_is_compared_with_the_one_before() {
        let first =
            change(json!({"id": "1", "kind": "deploy", "to_version": "1.4", "labels": {"commit": "a", "team": "x"}}));
        let second =
            change(json!({"id": "2", "kind": "deploy", "to_version": "1.5", "labels": {"commit": "b", "team": "x"}}));
        check(
            &second,
            Some(&first),
            expect![[r#"
            labels.commit: a -> b
            version: 1.4 -> 1.5
        "#]],
        );
        check(
            &first,
            None,
            expect![[r#"
            labels.commit:  -> a
            labels.team:  -> x
            version:  -> 1.4
        "#]],
        );
    }

    #[test]
    fn documents_are_shown_as_unified_diffs_without_secrets() {
        let raw = json!({
            "before": {"data": {"pool": "5", "db_password": "one", "app.ini": "a=1\nb=2\nc=3\n"}},
            "after": {"data": {"pool": "9", "db_password": "two", "app.ini": "a=1\nb=9\nc=3\n"}},
        });
        let config = change(json!({"id": "1", "kind": "config", "raw": raw}));
        check(
            &config,
            None,
            expect![[r#"
            --- before/app.ini
            +++ after/app.ini
            @@ -1,3 +1,3 @@
             a=1
            -b=2
            +b=9
             c=3
            --- before/state
            +++ after/state
            @@ -1,2 +1,2 @@
            -db_password: ***
            -pool: 5
            +db_password: *** (changed)
            +pool: 9
        "#]],
        );
        let old = change(json!({"id": "1", "kind": "config", "raw": {"config": {"limits": [1, 2], "mode": "slow"}}}));
        let new = change(json!({"id": "2", "kind": "config", "raw": {"config": {"limits": [1, 3], "mode": "slow"}}}));
        check(
            &new,
            Some(&old),
            expect![[r#"
            --- before/config
            +++ after/config
            @@ -1,7 +1,7 @@
             {
               "limits": [
                 1,
            -    2
            +    3
               ],
               "mode": "slow"
             }
        "#]],
        );
    }
}
