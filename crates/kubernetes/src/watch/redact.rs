//! Keeps secrets out of what a delivery shows of an object before and after.

use serde_json::{Map, Value as Json};

/// What stands for a secret.
const HIDDEN: &str = "***";
/// What stands for one that is not the same as before.
const HIDDEN_CHANGED: &str = "*** (changed)";
/// A name with one of these in it is that of a secret.
const SECRET_WORDS: [&str; 10] =
    ["password", "passwd", "secret", "token", "apikey", "api_key", "api-key", "private", "credential", "auth"];

/// Whether a name is that of a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Two pod templates without secrets.
pub(crate) fn templates(before: &Json, after: &Json) -> (Json, Json) {
    let known = environment(before);
    let (mut before, mut after) = (before.clone(), after.clone());
    hide(&mut before, &known);
    hide(&mut after, &known);
    (before, after)
}

/// Values of environment variables by name, of all containers.
fn environment(template: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    each_variable(&mut template.clone(), &mut |name, value| found.push((name.to_owned(), value.clone())));
    found
}

fn hide(template: &mut Json, known: &[(String, String)]) {
    each_variable(template, &mut |name, value| {
        if is_secret(name) {
            let same = known.iter().any(|(known, before)| known == name && before == value);
            *value = if same { HIDDEN } else { HIDDEN_CHANGED }.to_owned();
        } else {
            *value = without_user(value);
        }
    });
}

fn each_variable(template: &mut Json, visit: &mut impl FnMut(&str, &mut String)) {
    for list in ["containers", "initContainers"] {
        let containers = template.pointer_mut(&format!("/spec/{list}")).and_then(Json::as_array_mut);
        for container in containers.into_iter().flatten() {
            for variable in container.get_mut("env").and_then(Json::as_array_mut).into_iter().flatten() {
                let name = variable.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
                if let Some(Json::String(value)) = variable.get_mut("value") {
                    visit(&name, value);
                }
            }
        }
    }
}

/// Values of a ConfigMap without secrets: those under a name of one, and lines such as `password: x` of the others.
pub(crate) fn values(before: &Map<String, Json>, after: &Map<String, Json>) -> (Json, Json) {
    let one = |values: &Map<String, Json>, other: Option<&Map<String, Json>>| {
        let shown = values.iter().map(|(name, value)| {
            let changed = other.is_some_and(|other| other.get(name) != Some(value));
            let shown = match value {
                _ if is_secret(name) => Json::from(if changed { HIDDEN_CHANGED } else { HIDDEN }),
                Json::String(text) => Json::String(lines(text)),
                other => other.clone(),
            };
            (name.clone(), shown)
        });
        Json::Object(shown.collect())
    };
    (one(before, None), one(after, Some(before)))
}

fn lines(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

/// `name = value` and `name: value`, where the name is that of a secret, keep the name.
fn line(text: &str) -> String {
    let Some(at) = text.find(['=', ':']) else { return text.to_owned() };
    let (name, rest) = text.split_at(at + 1);
    let end = if rest.ends_with('\n') { "\n" } else { "" };
    if is_secret(name) && !rest.trim().is_empty() { format!("{name} {HIDDEN}{end}") } else { without_user(text) }
}

/// URLs without their user and password.
fn without_user(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(['/', '?', '#', ' ', '"', '\'', '\n']).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(user) => {
                out.push_str(HIDDEN);
                &after[user..]
            }
            None => after,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check_values(before: Json, after: Json, expect: Expect) {
        let (before, after) = values(before.as_object().unwrap(), after.as_object().unwrap());
        expect.assert_eq(&format!("{before}\n{after}"));
    }

    #[test]
    fn secrets_are_hidden_and_the_rest_can_be_compared() {
        check_values(
            json!({"LEVEL": "info", "DB_PASSWORD": "a", "api_key": "k", "app.ini": "user = me\npassword = hunter2\n"}),
            json!({"LEVEL": "debug", "DB_PASSWORD": "b", "api_key": "k", "url": "postgres://me:pw@db:5432/x?a=b"}),
            expect![[r#"
                {"LEVEL":"info","DB_PASSWORD":"***","api_key":"***","app.ini":"user = me\npassword = ***\n"}
                {"LEVEL":"debug","DB_PASSWORD":"*** (changed)","api_key":"***","url":"postgres://***@db:5432/x?a=b"}"#]],
        );
    }

    #[test]
    fn templates_keep_what_is_no_secret() {
        let template = |level: &str, token: &str| {
            json!({"spec": {"containers": [{"env": [
                {"name": "LEVEL", "value": level}, {"name": "TOKEN", "value": token},
                {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}})
        };
        let (before, after) = templates(&template("info", "a"), &template("debug", "b"));
        expect![[r#"
            {"spec":{"containers":[{"env":[{"name":"LEVEL","value":"info"},{"name":"TOKEN","value":"***"},{"name":"FROM","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]}]}}
            {"spec":{"containers":[{"env":[{"name":"LEVEL","value":"debug"},{"name":"TOKEN","value":"*** (changed)"},{"name":"FROM","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]}]}}"#]]
        .assert_eq(&format!("{before}\n{after}"));
    }
}
