//! Replaces secrets in what sources send, before it is kept: the ledger is searchable, and a password in a configuration must not
//! be.
//!
//! A value goes when its name says that it is secret, in JSON as in lines `name: value` and `name=value`; so do passwords in URLs and
//! blocks of private keys. Where a document has a state before and one after, a secret that differs is marked as changed, so
//! that the change is seen and the secret is not.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

/// What stands in a secret's place.
pub(crate) const REDACTED: &str = "***";
/// What stands in its place when it differs from the secret before.
pub(crate) const REDACTED_CHANGED: &str = "*** (changed)";

/// Parts of names, without anything but letters and digits, whose values are secret.
const SECRET_WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "routingkey",
    "credential",
    "authorization",
    "connectionstring",
];

/// Names of the two states in documents of sources.
pub(crate) const STATE_PAIRS: [(&str, &str); 4] =
    [("before", "after"), ("old", "new"), ("previous", "current"), ("oldData", "data")];

/// Whether the value under a name is secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| plain.contains(word))
}

/// A document without its secrets.
pub(crate) fn document(raw: Json) -> Json {
    let Json::Object(mut fields) = raw else { return value(raw, None) };
    for (before, after) in STATE_PAIRS {
        if let (Some(was), Some(now)) = (fields.get(before).cloned(), fields.get(after).cloned()) {
            fields[after] = value(now, Some(&was));
        }
    }
    object(fields, None)
}

/// A value without its secrets; `was` is the state before it.
fn value(json: Json, was: Option<&Json>) -> Json {
    match json {
        Json::Object(fields) => object(fields, was.and_then(Json::as_object)),
        Json::Array(items) => {
            let was = was.and_then(Json::as_array);
            let of = |at: usize| was.and_then(|was| was.get(at));
            Json::Array(items.into_iter().enumerate().map(|(at, item)| value(item, of(at))).collect())
        }
        Json::String(text) => Json::String(self::text(&text, was.and_then(Json::as_str))),
        other => other,
    }
}

fn object(fields: Map<String, Json>, was: Option<&Map<String, Json>>) -> Json {
    let redacted = fields.into_iter().map(|(name, field)| {
        let before = was.and_then(|was| was.get(&name));
        let is_leaf = matches!(field, Json::String(_) | Json::Number(_));
        let field = if is_leaf && is_secret_name(&name) { secret(&field, before) } else { value(field, before) };
        (name, field)
    });
    Json::Object(redacted.collect())
}

fn secret(now: &Json, before: Option<&Json>) -> Json {
    let is_marked = now.as_str().is_some_and(|text| text == REDACTED || text == REDACTED_CHANGED);
    if is_marked {
        return now.clone();
    }
    let text = if before.is_some_and(|before| before != now) { REDACTED_CHANGED } else { REDACTED };
    Json::String(text.to_owned())
}

/// A text without its secrets, line by line; `was` is the text before it.
pub(crate) fn text(text: &str, was: Option<&str>) -> String {
    let before: Option<BTreeSet<&str>> = was.map(|was| was.lines().collect());
    let mut in_key = false;
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive('\n') {
        let line = piece.trim_end_matches(['\n', '\r']);
        let ending = &piece[line.len()..];
        if line.contains("-----BEGIN") && line.contains("PRIVATE KEY") {
            in_key = true;
        }
        let changed = before.as_ref().is_some_and(|before| !before.contains(line));
        if in_key {
            out.push_str(if changed { REDACTED_CHANGED } else { REDACTED });
        } else {
            out.push_str(&line_without_secret(line, changed));
        }
        out.push_str(ending);
        in_key = in_key && !line.contains("-----END");
    }
    out
}

fn line_without_secret(line: &str, changed: bool) -> String {
    if let Some((name, rest)) = line.split_once([':', '=']) {
        let (at, value) = (name.len() + 1, rest.trim().trim_end_matches(','));
        let names_a_secret = name.split_whitespace().next_back().is_some_and(is_secret_name);
        // A reference such as `tokenUrl: https://...` is redacted too: better one line too many.
        if names_a_secret && !value.is_empty() && ![REDACTED, REDACTED_CHANGED, "|", ">", "|-", ">-"].contains(&value) {
            let space = if rest.starts_with(' ') { " " } else { "" };
            let mark = if changed { REDACTED_CHANGED } else { REDACTED };
            return format!("{}{space}{mark}", &line[..at]);
        }
    }
    without_url_password(line)
}

/// `https://user:password@host` becomes `https://user:***@host`.
fn without_url_password(line: &str) -> String {
    let Some(scheme) = line.find("://") else { return line.to_owned() };
    let (head, rest) = line.split_at(scheme + 3);
    let authority_len = rest.find(|c: char| c == '/' || c == '"' || c.is_whitespace()).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_len);
    let authority = match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{user}:{REDACTED}@{host}"),
        None => authority.to_owned(),
    };
    format!("{head}{authority}{}", without_url_password(tail))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(raw: Json, want: Expect) {
        let once = document(raw);
        assert_eq!(document(once.clone()), once, "what is redacted stays as it is");
        want.assert_eq(&once.to_string());
    }

    #[test]
    fn secrets_go_and_their_change_stays_visible() {
        check(
            json!({"routing_key": "abc", "note": "plain", "nested": [{"api-key": 7, "keys": 3}]}),
            expect![[r#"{"routing_key":"***","note":"plain","nested":[{"api-key":"***","keys":3}]}"#]],
        );
        check(
            json!({"before": {"DB_PASSWORD": "a", "API_TOKEN": "x", "POOL": "5"},
                   "after": {"DB_PASSWORD": "b", "API_TOKEN": "x", "POOL": "9"}}),
            expect![[
                r#"{"before":{"DB_PASSWORD":"***","API_TOKEN":"***","POOL":"5"},"after":{"DB_PASSWORD":"*** (changed)","API_TOKEN":"***","POOL":"9"}}"#
            ]],
        );
        check(
            json!({"before": {"app.ini": "user=shop\npassword = one\nurl: postgres://u:p@db/x\n"},
                   "after": {"app.ini": "user=shop\npassword = two\nurl: postgres://u:q@db/x\n"}}),
            expect![[
                r#"{"before":{"app.ini":"user=shop\npassword = ***\nurl: postgres://u:***@db/x\n"},"after":{"app.ini":"user=shop\npassword = *** (changed)\nurl: postgres://u:***@db/x\n"}}"#
            ]],
        );
        check(
            json!({"pem": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nkept"}),
            expect![[r#"{"pem":"***\n***\n***\nkept"}"#]],
        );
    }
}
