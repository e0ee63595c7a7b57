//! The intake of changes on the real binary: what other systems send, over HTTP, and what of it is refused.

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use crate::server::Server;
use crate::shared::repository;

/// What the wire cases hold.
fn case(name: &str) -> Value {
    let path = repository().join("tests/cases/changes").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// Posts a delivery with exactly these headers.
fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut request = Client::new().post(format!("{}{path}", server.url)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().unwrap_or_else(|error| panic!("POST {path}: {error}"))
}

/// Posts a delivery of a wire case.
fn post_case(server: &Server, path: &str, delivery: &Value) -> Response {
    let headers = delivery["headers"].as_object().expect("headers");
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect();
    post(server, path, &headers, &delivery["body"].to_string())
}

fn body(answer: Response) -> Value {
    let text = answer.text().expect("text");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The audit trail's entries of one verb.
fn audit(server: &Server, verb: &str) -> Vec<Value> {
    let trail = server.get_json("/backstop/api/v1/audit?limit=10000")["audit"].as_array().expect("audit").clone();
    trail.into_iter().filter(|entry| entry["verb"] == verb).collect()
}

fn changes(server: &Server, filter: &str) -> Vec<Value> {
    server.get_json(&format!("/backstop/api/v1/changes?{filter}"))["changes"].as_array().expect("changes").clone()
}

const SECRETS: &str = "changes:\n  sources:\n    shop:\n      adapter: github\n      secrets: [\"the next one\", \"It's a Secret to Everybody\"]\n    pager: {adapter: pagerduty, secrets: [R1]}\n    eu: {adapter: flux, secrets: [Jefe]}\n";

#[test]
fn a_wrong_signature_changes_nothing_and_is_recorded() {
    let server = Server::start_with(SECRETS);
    let path = "/backstop/api/v1/changes/github";
    // GitHub's published example of a signature, with its secret and its body.
    let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let signed = |signature: &str, text: &str| {
        let headers = [("x-github-event", "ping"), ("x-github-delivery", "d-1"), ("x-hub-signature-256", signature)];
        post(&server, path, &headers, text)
    };
    let answer = signed(right, "Hello, World?");
    assert_eq!(answer.status(), 401);
    assert_eq!(body(answer)["error"]["code"], "unauthorized");
    assert_eq!(post(&server, path, &[("x-github-event", "ping")], "{}").status(), 401, "no signature at all");
    let delivery = case("github/fails.json")["deliveries"][0].clone();
    assert_eq!(post_case(&server, path, &delivery).status(), 401);
    assert_eq!(post_case(&server, &format!("{path}/shop"), &delivery).status(), 401, "by name too");
    let pager = json!({"routing_key": "R2", "payload": {"summary": "x", "source": "y"}});
    assert_eq!(server.post("/v2/change/enqueue", &pager).status(), 401);
    assert_eq!(server.post("/backstop/api/v1/changes/flux", &json!({})).status(), 401);
    // The proof holds, and only then is the body looked at: it is not JSON.
    assert_eq!(signed(right, "Hello, World!").status(), 400);

    assert!(changes(&server, "").is_empty());
    let refused = audit(&server, "change.refused");
    assert_eq!(refused.len(), 7, "{refused:#?}");
    assert_eq!(refused[0]["subject"], "shop");
    assert_eq!(refused[0]["actor"], "intake/shop");
    assert_eq!(refused[0]["detail"]["delivery"], "d-1");
    let reason = refused[0]["detail"]["reason"].as_str().expect("reason");
    assert!(reason.contains("X-Hub-Signature-256 does not match"), "{reason}");
    assert!(!refused.iter().any(|entry| entry.to_string().contains("Everybody")), "secrets stay where they are");
    let rows = server.query("from audit | where verb:=\"change.refused\" | stats count() as n");
    assert_eq!(rows[0]["n"], 7, "{rows:?}");

    let flux = case("flux/kustomization.json")["deliveries"][1]["body"].to_string();
    let trusted = post(&server, "/backstop/api/v1/changes/flux", &[("authorization", "Bearer Jefe")], &flux);
    assert_eq!(trusted.status(), 200);
    assert_eq!(changes(&server, "source=eu").len(), 1);
    let pager = json!({"routing_key": "R1", "payload": {"summary": "Deployed", "source": "cart", "timestamp": "2026-01-01T00:00:00Z"}});
    let answer = server.post("/v2/change/enqueue", &pager);
    assert_eq!(answer.status(), 202);
    assert_eq!(body(answer)["status"], "success");
    let raw = changes(&server, "service=cart")[0]["raw"].to_string();
    assert!(!raw.contains("R1"), "the routing key is not kept: {raw}");
}

#[test]
fn what_can_not_be_is_refused_with_the_reason_and_recorded() {
    let server = Server::start();
    let future = json!({"id": "1", "kind": "deploy", "target": {"service": "a"}, "started_at": "+1h"});
    let answer = server.post("/backstop/api/v1/changes", &future);
    assert_eq!(answer.status(), 400);
    let message = body(answer)["error"]["message"].to_string();
    assert!(message.contains("in the future") && message.contains("300 s"), "{message}");
    let mut event = case("cdevents/binary-0.3.json")["deliveries"][0].clone();
    event["body"]["context"]["timestamp"] = "2199-01-01T00:00:00Z".into();
    assert_eq!(post_case(&server, "/backstop/api/v1/changes/cdevents", &event).status(), 400);
    let large = " ".repeat(1024 * 1024 + 1);
    let answer = post(&server, "/backstop/api/v1/changes/gitlab", &[], &large);
    assert_eq!(answer.status(), 413);
    assert_eq!(body(answer)["error"]["limit"], "changes.delivery_bytes_max");
    assert_eq!(post(&server, "/backstop/api/v1/changes/argocd", &[("content-encoding", "gzip")], "x").status(), 400);
    assert_eq!(post(&server, "/backstop/api/v1/changes/jenkins", &[], "{}").status(), 404);
    assert_eq!(post(&server, "/backstop/api/v1/changes/generic/jenkins", &[], "{}").status(), 404);

    assert!(changes(&server, "").is_empty());
    let refused = audit(&server, "change.refused");
    let shown: Vec<&Value> = refused.iter().map(|entry| &entry["detail"]["source"]).collect();
    assert_eq!(shown, ["api", "cdevents", "gitlab", "argocd"], "{refused:#?}");
    assert!(refused[1]["detail"]["reason"].as_str().expect("reason").contains("in the future"));
    let metrics = server.get("/metrics").text().expect("text");
    assert!(metrics.contains("\nbackstop_changes_refused_total 4\n"), "{metrics}");
}

#[test]
fn cdevents_come_binary_structured_and_in_batches() {
    let server = Server::start();
    let path = "/backstop/api/v1/changes/cdevents";
    for name in ["cdevents/binary-0.3.json", "cdevents/structured-0.4.json"] {
        for delivery in case(name)["deliveries"].as_array().expect("deliveries") {
            let answer = post_case(&server, path, delivery);
            assert_eq!(answer.status(), 200);
            let answer = body(answer);
            assert_eq!(answer["recorded"][0]["created"], true, "{answer}");
        }
    }
    let answer = body(post_case(&server, path, &case("cdevents/batch-0.5.json")["deliveries"][0]));
    let lengths = ["recorded", "ignored", "refused"].map(|name| answer[name].as_array().expect("list").len());
    assert_eq!(lengths, [2, 2, 2], "{answer}");

    let upgraded = server.get_json("/backstop/api/v1/changes/cdevents/e2")["change"].clone();
    assert_eq!((&upgraded["from_version"], &upgraded["to_version"]), (&json!("1.4.0"), &json!("1.5.0")));
    assert_eq!(changes(&server, "kind=route&environment=prod").len(), 1);
    assert_eq!(changes(&server, "service=checkout&kind=deploy&limit=2").len(), 2);
    assert_eq!(server.get("/backstop/api/v1/changes?kind=lunch").status(), 400);
    let rows = server.query("from changes | where labels.chain_id:=\"chain-7\" | stats count() as n");
    assert_eq!(rows[0]["n"], 2, "{rows:?}");
    let rows = server.query("from changes | where status:=succeeded | stats count() as n");
    assert_eq!(rows[0]["n"], 7, "{rows:?}");
}

#[test]
fn a_deployment_and_its_statuses_are_one_record_in_any_order() {
    let deliveries = case("github/succeeds.json")["deliveries"].as_array().expect("deliveries").clone();
    let record = |order: &[usize]| {
        let server = Server::start();
        for at in order {
            let answer = post_case(&server, "/backstop/api/v1/changes/github", &deliveries[*at]);
            assert_eq!(answer.status(), 200);
        }
        let all = changes(&server, "");
        assert_eq!(all.len(), 1, "{all:#?}");
        let written = audit(&server, "change.recorded").len() + audit(&server, "change.updated").len();
        (all[0].clone(), written)
    };
    let (begun_first, written) = record(&[0, 1, 2, 3, 4]);
    assert_eq!(begun_first["status"], "succeeded");
    assert_eq!(begun_first["started_at"], "2026-11-23T10:00:20Z");
    assert_eq!(begun_first["finished_at"], "2026-11-23T10:03:00Z");
    let (ended_first, _) = record(&[3, 0, 4, 2]);
    assert_eq!(ended_first, begun_first);
    let (with_duplicates, written_again) = record(&[0, 1, 2, 3, 4, 0, 2, 3, 3]);
    assert_eq!((with_duplicates, written_again), (begun_first, written), "a duplicate writes nothing");
}

#[test]
fn clients_of_grafana_and_honeycomb_find_their_paths() {
    let server = Server::start();
    let annotation = json!({"time": 1_700_000_000_000u64, "tags": ["deploy", "service:checkout"], "text": "rollout"});
    let answer = body(server.post("/api/annotations", &annotation));
    assert_eq!(answer["message"], "Annotation added");
    let id = answer["id"].as_u64().expect("a number");
    let again = body(server.post("/api/annotations", &annotation));
    assert_eq!(again["id"], id, "the same annotation has the same id");
    let ended = Client::new()
        .patch(format!("{}/api/annotations/{id}", server.url))
        .json(&json!({"timeEnd": 1_700_000_060_000u64}))
        .send()
        .expect("answer");
    assert_eq!(ended.status(), 200);
    let found = server.get_json(&format!("/backstop/api/v1/changes/grafana/{id}"));
    assert_eq!(found["change"]["finished_at"], "2023-11-14T22:14:20Z");
    let refused = server.post("/api/annotations", &json!({"text": "x", "tags": ["deploy"]}));
    assert_eq!(refused.status(), 400);
    assert!(body(refused)["message"].as_str().expect("message").contains("names no service"));

    let marker = json!({"message": "deploy #5", "type": "deploy", "start_time": 1_700_000_000});
    let answer = server.post("/1/markers/cart", &marker);
    assert_eq!(answer.status(), 201);
    let id = body(answer)["id"].as_str().expect("id").to_owned();
    let ended = Client::new()
        .put(format!("{}/1/markers/cart/{id}", server.url))
        .json(&json!({"end_time": 1_700_000_090}))
        .send()
        .expect("answer");
    assert_eq!(body(ended)["end_time"], 1_700_000_090);
    assert_eq!(changes(&server, "service=cart&source=honeycomb").len(), 1);
    assert_eq!(server.get("/api/annotations/nothing/else").status(), 404);
}

#[test]
fn a_mapped_source_is_recorded_and_its_configuration_compared() {
    let config = std::fs::read_to_string(repository().join("examples/changes.yaml")).expect("example");
    let secrets =
        ["{env: SHOP_SECRET}", "{file: /run/secrets/shop-next}", "{env: JENKINS_SECRET}", "{env: APOLLO_SECRET}"];
    let server = Server::start_with(&secrets.iter().fold(config, |text, secret| text.replace(secret, "s3cret")));
    let publish = |id: u64, old: &str, new: &str| {
        let body = json!({"release": {"id": id, "time": 1_700_000_000 + id, "operator": "ada"}, "app": "orders", "env": "PRO",
            "before": {"pool.size": old, "db.password": format!("p{old}")}, "after": {"pool.size": new, "db.password": format!("p{new}")}});
        let answer = post(
            &server,
            "/backstop/api/v1/changes/generic/apollo",
            &[("authorization", "Bearer s3cret")],
            &body.to_string(),
        );
        assert_eq!(answer.status(), 200, "{:?}", answer.text());
    };
    let jenkins = case("generic/jenkins.json");
    for delivery in jenkins["deliveries"].as_array().expect("deliveries") {
        let headers = [("authorization", "Bearer s3cret"), ("x-jenkins-user", "ada")];
        let answer = post(&server, "/backstop/api/v1/changes/generic/jenkins", &headers, &delivery["body"].to_string());
        assert_eq!(answer.status(), 200);
    }
    let built = server.get_json("/backstop/api/v1/changes/jenkins/deploy-checkout%2318")["change"].clone();
    assert_eq!((&built["status"], &built["actor"]), (&json!("failed"), &json!("ada")), "{built}");
    publish(1, "5", "7");
    publish(2, "7", "9");
    let diff = server.get_json("/backstop/api/v1/changes/apollo/2/diff");
    let unified = diff["documents"][0]["unified"].as_str().expect("text");
    assert!(unified.contains("-pool.size: 7\n") && unified.contains("+pool.size: 9\n"), "{unified}");
    assert!(unified.contains("+db.password: *** (changed)"), "{unified}");
    let everything = server.query("from changes").iter().map(Value::to_string).collect::<String>();
    assert!(!everything.contains("p9") && !everything.contains("_said"), "{everything}");
    assert_eq!(server.get("/backstop/api/v1/changes/apollo/3/diff").status(), 404);
}

#[test]
fn a_source_that_makes_no_sense_stops_the_start() {
    let dir = tempfile::tempdir().expect("directory");
    let file = dir.path().join("backstop.yaml");
    let check = |text: &str| {
        std::fs::write(&file, text).expect("write");
        let output = std::process::Command::new(crate::shared::binary())
            .args(["config", "check"])
            .arg(&file)
            .output()
            .expect("output");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) =
        check("changes: {sources: {a: {adapter: generic, service: s, mapping: {kind: {const: deploi}}}}}");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("changes.sources.a.mapping.kind") && text.contains("\"deploi\""), "{text}");
    let (code, text) = check("changes: {sources: {a: {adapter: github, secrets: [{env: NOT_SET_ANYWHERE}]}}}");
    assert_eq!(code, Some(0), "secrets are read where the server runs: {text}");
    let example = std::fs::read_to_string(repository().join("examples/changes.yaml")).expect("example");
    assert_eq!(check(&example).0, Some(0));
}
