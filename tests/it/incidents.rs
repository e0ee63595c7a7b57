//! What people do with incidents, over HTTP against the real binary: every request twice, wrong ids, wrong states, a restart in
//! between, and the report.

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use crate::server::Server;

fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/backstop/api/v1/incidents{path}", server.url);
    let answer = Client::new().post(url).body(body.to_string()).send().expect("answer");
    (answer.status().as_u16(), answer.json().expect("json"))
}

fn get(server: &Server, path: &str) -> Response {
    reqwest::blocking::get(format!("{}/backstop/api/v1/incidents{path}", server.url)).expect("answer")
}

/// Asks twice; the second time nothing may change. Answers the incident's id.
fn twice(server: &Server, path: &str, body: &Value) -> String {
    let (status, first) = post(server, path, body);
    assert!(status == 200 || status == 201, "{path}: {status} {first}");
    assert_eq!(first["changed"], true, "{path}: {first}");
    let (status, second) = post(server, path, body);
    assert_eq!((status, &second["changed"]), (200, &json!(false)), "{path}: {second}");
    assert_eq!(first["incident"]["id"], second["incident"]["id"]);
    first["incident"]["id"].as_str().expect("id").to_owned()
}

fn refused(server: &Server, path: &str, body: &Value, status: u16, says: &str) {
    let (got, answer) = post(server, path, body);
    let text = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(got == status && text.contains(says), "{path}: {got} {answer}");
}

#[test]
fn an_incident_is_opened_noted_merged_and_exported_by_hand() {
    let mut server = Server::start();
    let first = twice(&server, "", &json!({"title": "Phones ring", "service": "checkout", "author": "mei"}));
    let second = twice(&server, "", &json!({"title": "Carts are empty", "service": "cart", "key": "pager-1"}));
    twice(&server, &format!("/{first}/notes"), &json!({"text": "a | b <script>\n# not a heading", "author": "mei"}));
    twice(&server, &format!("/{first}/ack"), &json!({"author": "ada"}));
    twice(&server, &format!("/{second}/merge"), &json!({"into": first, "author": "ada"}));
    refused(&server, &format!("/{second}/ack"), &json!({}), 409, "was merged into");
    refused(&server, &format!("/{first}/merge"), &json!({"into": first}), 400, "into names the incident itself");
    refused(&server, &format!("/{first}/merge"), &json!({}), 400, "into is missing");
    refused(&server, "/inc-nope/resolve", &json!({}), 404, "there is no incident");
    refused(&server, "", &json!({"title": " "}), 400, "title is empty");
    refused(&server, &format!("/{first}/ack"), &json!({"who": "x"}), 400, "unknown field");
    server.kill();
    server.restart();
    twice(&server, &format!("/{first}/resolve"), &json!({"author": "ada", "note": "a wrong number"}));
    refused(&server, &format!("/{first}/ack"), &json!({}), 409, "is resolved");
    twice(&server, &format!("/{first}/reopen"), &json!({"author": "mei"}));
    let found: Value = get(&server, &format!("/{first}")).json().expect("json");
    let said: Vec<&str> =
        found["timeline"].as_array().expect("timeline").iter().filter_map(|entry| entry["title"].as_str()).collect();
    assert_eq!(said.len(), 7, "{said:?}");
    assert_eq!((said[0], said[6]), ("opened by mei", "reopened by mei"), "{said:?}");
    assert_eq!((&found["state"], &found["reopened"]), (&json!("open"), &json!(1)));
    let merged: Value = get(&server, "?state=merged").json().expect("json");
    assert_eq!(merged["incidents"][0]["merged_into"], first.as_str());
    let report = get(&server, &format!("/{first}/export?format=markdown"));
    assert_eq!(report.headers()["content-type"], "text/markdown; charset=utf-8");
    let report = report.text().expect("text");
    assert!(
        report.starts_with("# Phones ring\n") && report.contains("a \\| b \\<script\\> \\# not a heading"),
        "{report}"
    );
    assert_eq!(get(&server, &format!("/{first}/export?format=pdf")).status(), 400);
    assert_eq!(get(&server, "/inc-nope/export").status(), 404);
    assert_eq!(get(&server, "?state=nonsense").status(), 400);
}
