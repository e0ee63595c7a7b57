//! Golden files of wire bodies, in every order; signatures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::ledger::{Filter, Ledger, LedgerTable, Records as _};
use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::{ChangeBook, ChangeKind};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/changes"));
    let systems = std::fs::read_dir(root).expect("the folder of cases").map(|entry| entry.expect("entry").path());
    let mut files: Vec<PathBuf> = systems
        .flat_map(|system| std::fs::read_dir(system).expect("folder").map(|entry| entry.expect("entry").path()))
        .collect();
    files.sort();
    files
}

/// The source of a case: its folder's adapter, with the defaults and the mapping that the case gives.
fn source_of(file: &Path, case: &Json) -> Source {
    let system = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).expect("folder");
    let mut source = Source::open(Adapter::parse(system).unwrap_or_else(|| panic!("{system} is no adapter")));
    let given = &case["source"];
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    source.name = text("name").unwrap_or(source.name);
    source.defaults.service = text("service");
    source.defaults.environment = text("environment");
    source.defaults.kind = text("kind");
    source.mapping = given.get("mapping").map(|mapping| Mapping::from_json(mapping).expect("mapping"));
    source
}

fn arrived_at() -> Timestamp {
    Timestamp::parse("2026-11-23T12:00:00Z", Timestamp(0)).expect("time")
}

fn translated(source: &Source, delivery: &Json) -> Result<Translated, ChangeError> {
    let headers: BTreeMap<String, String> = delivery["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let body = match &delivery["text"] {
        Json::String(text) => text.clone(),
        _ => delivery["body"].to_string(),
    };
    let path = delivery["path"].as_str();
    translate(source, &Delivery { headers: &headers, body: body.as_bytes(), arrived_at: arrived_at(), path })
}

/// What the deliveries of a case leave in an empty ledger: records, and what was said of all else.
fn outcome(source: &Source, deliveries: &[&Json]) -> Json {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let book = ChangeBook::new(ledger.clone());
    let (mut ignored, mut refused) = (Vec::new(), Vec::new());
    for delivery in deliveries {
        match translated(source, delivery) {
            Ok(translated) => {
                ignored.extend(translated.ignored);
                refused.extend(translated.refused.iter().map(ToString::to_string));
                for report in &translated.reports {
                    if let Err(error) = book.record(report, "test", arrived_at()) {
                        refused.push(error.to_string());
                    }
                }
            }
            Err(error) => refused.push(error.to_string()),
        }
    }
    for texts in [&mut ignored, &mut refused] {
        texts.sort();
        texts.dedup();
    }
    let documents = ledger.list(LedgerTable::Changes, &Filter::default()).expect("list");
    let mut records: Vec<Json> = documents
        .into_iter()
        .map(|document| {
            let mut body = document.body;
            let object = body.as_object_mut().expect("object");
            object.retain(|name, _| !["_said", "raw"].contains(&name.as_str()));
            body
        })
        .collect();
    records.sort_by_key(|record| record["id"].to_string());
    let mut outcome = json!({"records": records, "ignored": ignored, "refused": refused});
    outcome.sort_all_objects();
    outcome
}

/// Every order of the numbers below `n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for next in 0..n {
        let insert = |order: &Vec<usize>| -> Vec<Vec<usize>> {
            (0..=order.len())
                .map(|at| {
                    let mut longer = order.clone();
                    longer.insert(at, next);
                    longer
                })
                .collect()
        };
        orders = orders.iter().flat_map(insert).collect();
    }
    orders
}

/// `UPDATE_EXPECT=1` writes what came out into the files: read it before you believe it.
#[test]
fn wire_bodies_become_the_same_records_in_every_order() {
    let files = cases();
    assert!(files.len() > 20, "only {} cases", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("case");
        let mut case: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let source = source_of(&file, &case);
        let deliveries = case["deliveries"].as_array().expect("deliveries").clone();
        let in_order: Vec<&Json> = deliveries.iter().collect();
        let first = outcome(&source, &in_order);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            case["want"] = first.clone();
            let shown = serde_json::to_string_pretty(&case).expect("JSON") + "\n";
            std::fs::write(&file, shown).expect("write");
        } else {
            let shown = |json: &Json| serde_json::to_string_pretty(json).expect("JSON");
            assert_eq!(shown(&first), shown(&case["want"]), "{}", file.display());
        }
        assert!(deliveries.len() <= 5, "{}: too many orders", file.display());
        for order in orders(deliveries.len()) {
            let again = order.iter().chain(order.first()).map(|at| &deliveries[*at]).collect::<Vec<_>>();
            assert_eq!(outcome(&source, &again), first, "{} in the order {order:?}", file.display());
        }
    }
}

#[test]
fn every_adapter_has_cases() {
    let files = cases();
    for adapter in Adapter::ALL {
        let folder = format!("/{}/", adapter.as_str());
        assert!(files.iter().any(|file| file.to_string_lossy().contains(&folder)), "no case for {}", adapter.as_str());
    }
}

#[test]
fn no_adapter_panics_on_what_is_not_its_own() {
    let bodies = ["", "null", "[]", "[1]", "{}", "{\"payload\": 3}", "\u{0}", "{\"time\": \"soon\", \"text\": \"x\"}"];
    for adapter in Adapter::ALL {
        let source = Source::open(adapter);
        for body in bodies {
            let headers = BTreeMap::new();
            let delivery = Delivery { headers: &headers, body: body.as_bytes(), arrived_at: arrived_at(), path: None };
            let outcome = translate(&source, &delivery);
            let nothing_silent =
                outcome.is_err() || outcome.is_ok_and(|got| got != Translated::default() || body == "[]");
            assert!(nothing_silent, "{} says nothing about {body:?}", adapter.as_str());
        }
        let large = vec![b' '; DELIVERY_BYTES_MAX + 1];
        let delivery = Delivery { headers: &BTreeMap::new(), body: &large, arrived_at: arrived_at(), path: None };
        let error = translate(&source, &delivery).expect_err("too large").to_string();
        assert!(error.contains("1048577 bytes, 1048576 are allowed"), "{error}");
    }
}

fn check_mapping(mapping: Json, want: Expect) {
    let outcome = Mapping::from_json(&mapping);
    want.assert_eq(&outcome.err().map_or("valid".to_owned(), |error| error.to_string()));
}

#[test]
fn mappings_are_checked_when_they_are_loaded() {
    check_mapping(json!({"service": "job.name", "kind": {"const": "deploy"}}), expect!["valid"]);
    check_mapping(
        json!({"servce": "job.name"}),
        expect![
            "change refused: mapping.servce: there is no such field; the fields are id, service, environment, cluster, namespace, workload, kind, from_version, to_version, artifact, actor, link, reversible, started_at, finished_at, reported_at, before, after, status, labels, items, only"
        ],
    );
    check_mapping(
        json!({"kind": {"path": "type", "map": {"release": "deploi"}}}),
        expect![[
            r#"change refused: mapping.kind: "deploi" is not one of its words; the words are deploy, config, flag, schema, infra, scale, secret, route, data"#
        ]],
    );
    check_mapping(
        json!({"status": {"path": "type", "default": "ok"}}),
        expect![[
            r#"change refused: mapping.status: "ok" is not one of its words; the words are succeeded, failed, running, unknown"#
        ]],
    );
    check_mapping(
        json!({"id": {"path": "a", "const": "b"}}),
        expect![
            "change refused: mapping.id: it is not clear where the value comes from; give exactly one of path, header, const and join"
        ],
    );
    check_mapping(
        json!({"id": {"join": []}}),
        expect!["change refused: mapping.id.join: it is not a list of terms; write join: [a, b]"],
    );
    check_mapping(
        json!({"id": "a..b"}),
        expect![[r#"change refused: mapping.id: "a..b" has an empty name; write build.number or /build/number"#]],
    );
    check_mapping(
        json!({"id": {"path": "a", "regex": "b"}}),
        expect![
            "change refused: mapping.id.regex: there is no such key; a term has path, header, const, join, with, map, default"
        ],
    );
    check_mapping(
        json!({"only": {"path": "type"}}),
        expect!["change refused: mapping.only.in: it names no values; write in: [a, b]"],
    );
    check_mapping(
        json!("job"),
        expect!["change refused: mapping: it is not a table of keys; write `key: value` below it"],
    );
}

/// Whether a delivery with these headers proves that it knows `secret`, or one of two.
fn proof(adapter: Adapter, secrets: &[&str], headers: &[(&str, &str)], body: &str) -> Result<(), String> {
    let mut source = Source::open(adapter);
    source.secrets = secrets.iter().filter_map(|secret| Secret::new(secret)).collect();
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    source.check_proof(&Delivery { headers: &headers, body: body.as_bytes(), arrived_at: arrived_at(), path: None })
}

#[test]
fn github_signs_bodies() {
    // The example of docs.github.com, "Validating webhook deliveries".
    let (secret, body) = ("It's a Secret to Everybody", "Hello, World!");
    let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let check = |secrets: &[&str], header: &str, body: &str| {
        proof(Adapter::GitHub, secrets, &[("x-hub-signature-256", header)], body)
    };
    assert_eq!(check(&[secret], header, body), Ok(()));
    assert_eq!(check(&["the next one", secret], header, body), Ok(()), "rotation");
    assert!(check(&[secret], header, "Hello, World?").is_err());
    assert!(check(&["another"], header, body).is_err());
    assert!(check(&[secret], "sha256=zz", body).is_err());
    assert!(check(&[secret], "", body).is_err());
    let token = proof(Adapter::GitHub, &[secret], &[("authorization", "Bearer It's a Secret to Everybody")], body);
    assert_eq!(token, Err("the delivery has no X-Hub-Signature-256".to_owned()), "GitHub signs, it sends no token");
    assert_eq!(proof(Adapter::GitHub, &[], &[], body), Ok(()), "no secret asks for no proof");
}

#[test]
fn gitlab_sends_a_token_or_signs() {
    let check = |secrets: &[&str], headers: &[(&str, &str)]| proof(Adapter::GitLab, secrets, headers, "{}");
    assert_eq!(check(&["s1"], &[("x-gitlab-token", "s1")]), Ok(()));
    assert!(check(&["s1"], &[("x-gitlab-token", "s2")]).is_err());
    assert!(check(&["s1"], &[]).is_err());
    // Standard Webhooks: HMAC-SHA256 of "id.time.body" with the decoded key.
    let time = arrived_at().0 / 1_000_000_000;
    let sign = |time: i64| {
        use base64::Engine as _;
        use hmac::Mac as _;
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"0123456789").expect("key");
        mac.update(format!("msg_1.{time}.{{}}").as_bytes());
        let tag = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        vec![format!("v1,AAAA v1,{tag}"), time.to_string()]
    };
    let headers = |signed: &[String]| -> Result<(), String> {
        let headers =
            [("webhook-id", "msg_1"), ("webhook-timestamp", &signed[1]), ("webhook-signature", signed[0].as_str())];
        check(&["whsec_MDEyMzQ1Njc4OQ=="], &headers)
    };
    assert_eq!(headers(&sign(time)), Ok(()));
    let old = headers(&sign(time - SIGNATURE_AGE_MAX_S - 1));
    assert_eq!(old, Err("webhook-timestamp is 301 s old, 300 s are allowed".to_owned()));
    let mut wrong = sign(time);
    wrong[1] = (time - 1).to_string();
    assert!(headers(&wrong).is_err(), "the time is signed too");
}

#[test]
fn others_send_a_token_or_sign() {
    // RFC 4231, test case 2: the key "Jefe" and its text.
    let body = "what do ya want for nothing?";
    let sha256 = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let sha512 = "sha512=164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
    let check = |headers: &[(&str, &str)]| proof(Adapter::Flux, &["Jefe"], headers, body);
    assert_eq!(check(&[("x-signature", sha256)]), Ok(()));
    assert_eq!(check(&[("x-signature", sha512)]), Ok(()));
    assert_eq!(check(&[("x-hub-signature-256", sha256)]), Ok(()));
    assert_eq!(check(&[("authorization", "Bearer Jefe")]), Ok(()));
    assert_eq!(check(&[("authorization", "Basic YXBpX2tleTpKZWZl")]), Ok(()), "api_key:Jefe");
    assert!(check(&[("authorization", "Bearer jefe")]).is_err());
    assert!(check(&[("x-signature", "sha1=00")]).is_err_and(|reason| reason.contains("sha1")));
    assert!(check(&[]).is_err());
    let pagerduty = |key: &str| {
        let body = json!({"routing_key": key, "payload": {}}).to_string();
        proof(Adapter::PagerDuty, &["R1"], &[], &body)
    };
    assert_eq!((pagerduty("R1"), pagerduty("R2").is_err()), (Ok(()), true));
    assert_eq!(proof(Adapter::Honeycomb, &["k"], &[("x-honeycomb-team", "k")], "{}"), Ok(()));
}

#[test]
fn secrets_are_never_shown_and_never_empty() {
    assert_eq!(format!("{:?}", Secret::new("abc").expect("secret")), "Secret(***)");
    assert_eq!(Secret::new(" \n"), None);
}

#[test]
fn words_for_kinds() {
    assert_eq!(grafana::kind_word("Deployment"), Some(ChangeKind::Deploy));
    assert_eq!(grafana::kind_word("lunch"), None);
}
