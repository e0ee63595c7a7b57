//! Playbooks, approvals and the kill switch of the real server: asked over HTTP, answered by command, carried out by a real program.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::Server;
use crate::shared::{binary, repository};

/// How long the loop may take for what is awaited, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const ADA: &str = "a-token-of-ada-0123456789";
const EVE: &str = "a-token-of-eve-0123456789";

const RULES: &str = "groups:
- name: worker
  interval: 1s
  rules:
  - alert: WorkerHangs
    expr: vector(1) > 0
    labels: {service: worker}
    annotations: {summary: the worker hangs}
";

/// A server whose worker always hangs, and a playbook that asks before it restarts it, which is touching a file.
fn server() -> (Server, tempfile::TempDir) {
    let files = tempfile::tempdir().expect("directory");
    let dir = files.path().display();
    let playbook = format!(
        "playbook: restart-worker
mode: approve
match: {{service: worker}}
requires: {{verdict: none}}
guards: {{approvals: {{need: 1, of: [sre]}}}}
steps:
- restart: {{kind: exec, target: {{argv: [/usr/bin/touch, '{dir}/restarted']}}}}
- verify: {{expr: 'vector(1) < 2', for: 1s, within: 20s}}
- notify: {{receiver: log}}
"
    );
    std::fs::write(files.path().join("rules.yaml"), RULES).expect("write");
    std::fs::write(files.path().join("playbook.yaml"), playbook).expect("write");
    let server = Server::start_with(&format!(
        "rules: ['{dir}/rules.yaml']
playbooks: ['{dir}/playbook.yaml']
actions: {{exec_allow: [/usr/bin/touch]}}
approvers: [{{name: ada, roles: [sre], token: {ADA}}}, {{name: eve, token: {EVE}}}]"
    ));
    (server, files)
}

fn backstop(token: &str, args: &[&str]) -> Output {
    let ran = Command::new(binary()).args(args).env("BACKSTOP_TOKEN", token).output();
    ran.expect("the binary runs")
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn pending(server: &Server) -> Option<Value> {
    let found = server.get_json("/backstop/api/v1/approvals?state=pending");
    found["approvals"].as_array().and_then(|approvals| approvals.first().cloned())
}

#[test]
fn what_is_asked_over_http_and_answered_by_command_is_carried_out_once() {
    let (server, files) = server();
    let url = server.url.as_str();
    let restarted = files.path().join("restarted");
    let approval = wait_for("an approval", || pending(&server));
    assert_eq!(approval["question"], "Restart worker? (WorkerHangs fires)");
    assert_eq!((&approval["need"], &approval["roles"]), (&json!(1), &json!(["sre"])));
    let id = approval["id"].as_str().expect("id");
    assert!(!restarted.exists());
    let path = format!("/backstop/api/v1/approvals/{id}");
    let nobody = server.post(&path, &json!({"decision": "approve"}));
    assert_eq!(nobody.status(), 401);
    let eve = backstop(EVE, &["approvals", "answer", id, "approve", "--url", url]);
    assert_eq!(eve.status.code(), Some(1));
    let said = String::from_utf8_lossy(&eve.stderr).into_owned();
    assert!(said.contains("eve has no role; sre may answer"), "{said}");
    let listed = server.cli(&["approvals", "list", "--url", url]);
    assert!(listed.contains(id) && listed.contains("pending"), "{listed}");
    let ada = backstop(ADA, &["approvals", "answer", id, "approve", "--comment", "go on", "--url", url]);
    assert!(ada.status.success(), "{}", String::from_utf8_lossy(&ada.stderr));
    wait_for("the restart", || restarted.exists().then_some(()));
    let ended = wait_for("the end of the run", || {
        let incidents = server.get_json("/backstop/api/v1/incidents");
        incidents["incidents"][0]["outcome"].as_str().map(str::to_owned)
    });
    assert_eq!(ended, "helped");
    let trail = server.get_json("/backstop/api/v1/audit?limit=1000")["audit"].to_string();
    for verb in ["approval.asked", "approval.refused", "approval.answered", "action.started", "action.succeeded"] {
        assert!(trail.contains(verb), "no {verb} in {trail}");
    }
    let actions = server.get_json("/backstop/api/v1/actions");
    let action = &actions["actions"][0];
    assert_eq!((&action["state"], &action["mode"]), (&json!("succeeded"), &json!("approve")));
    assert_eq!(action["request"]["fence"], 1);
}

#[test]
fn the_kill_switch_by_command_stops_what_waits_and_a_mode_is_raised_by_somebody_known() {
    let (server, files) = server();
    let url = server.url.as_str();
    let approval = wait_for("an approval", || pending(&server));
    let data = server.data().display().to_string();
    let engaged = server.cli(&["kill", "on", "--reason", "game day", "--data", &data]);
    assert!(engaged.starts_with("engaged: nothing acts: game day (by api"), "{engaged}");
    assert_eq!(server.get_json("/backstop/api/v1/switches")["kill"]["engaged"], true);
    let id = approval["id"].as_str().expect("id");
    let late = backstop(ADA, &["approvals", "answer", id, "approve", "--url", url]);
    assert!(!late.status.success());
    wait_for("the refusal", || {
        let actions = server.get_json("/backstop/api/v1/actions");
        (actions["actions"][0]["state"] == "refused").then_some(())
    });
    assert!(!files.path().join("restarted").exists());
    let unknown = backstop("", &["kill", "off", "--url", url]);
    assert_eq!(unknown.status.code(), Some(1));
    let known = backstop(ADA, &["kill", "off", "--reason", "over", "--url", url]);
    assert!(known.status.success(), "{}", String::from_utf8_lossy(&known.stderr));
    let status = server.cli(&["kill", "status", "--url", url]);
    assert!(status.starts_with("not engaged (released by ada"), "{status}");
    let raise = |body: Value| server.post("/backstop/api/v1/playbooks/restart-worker/mode", &body).status();
    assert_eq!(raise(json!({"mode": "auto", "reason": "because"})), 401);
    assert_eq!(raise(json!({"mode": "observe"})), 200);
    let playbook = server.get_json("/backstop/api/v1/playbooks")["playbooks"][0].clone();
    assert_eq!((&playbook["mode"], &playbook["file_mode"]), (&json!("observe"), &json!("approve")));
    assert_eq!((&playbook["record"]["mode"], &playbook["offer"]), (&json!("observe"), &Value::Null));
    assert!(playbook["steps"].as_array().is_some_and(|steps| steps.len() == 3), "{playbook}");
    let graph = server.get_json("/backstop/api/v1/playbooks/restart-worker/graph");
    assert!(graph["mermaid"].as_str().is_some_and(|text| text.starts_with("flowchart TD")), "{graph}");
    assert!(graph["svg"].as_str().is_some_and(|text| text.starts_with("<svg")), "{graph}");
}

#[test]
fn the_switch_of_a_directory_without_a_server_is_kept_for_the_next_one() {
    let mut server = Server::start();
    let data = server.data().display().to_string();
    assert!(server.stop().success());
    let engaged = backstop("", &["kill", "on", "--reason", "moving house", "--data", &data]);
    assert!(engaged.status.success(), "{}", String::from_utf8_lossy(&engaged.stderr));
    server.restart();
    let kill = server.get_json("/backstop/api/v1/switches/kill");
    assert_eq!((&kill["engaged"], &kill["reason"]), (&json!(true), &json!("moving house")));
    let nowhere = backstop("", &["kill", "status", "--data", "/nonexistent"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

fn example(name: &str) -> String {
    repository().join("examples/playbooks").join(name).display().to_string()
}

#[test]
fn a_recorded_incident_is_played_and_drawn() {
    let dir = tempfile::tempdir().expect("directory");
    let record = json!({
        "alerts": [{
            "id": "a", "fingerprint": "f", "rule": "CheckoutErrors", "group": "checkout",
            "labels": {"service": "checkout"}, "annotations": {}, "state": "resolved",
            "active_at": "2026-11-23T09:00:05Z", "fired_at": "2026-11-23T09:00:08Z", "resolved_at": "2026-11-23T09:10:00Z",
            "data": "measured", "evaluated_at": "2026-11-23T09:10:00Z", "interval_ns": 1_000_000_000, "query": "q",
        }],
        "change": {
            "id": "d1", "source": "ci", "kind": "deploy", "target": {"service": "checkout"}, "from_version": "1.9",
            "to_version": "2.0", "started_at": "2026-11-23T09:00:02Z", "finished_at": "2026-11-23T09:00:02Z",
        },
        "series": {
            "sum(rate(http_requests_total{service_name=\"checkout\", code=~\"5..\"}[1m])) < 1":
                [["2026-11-23T09:00:00Z", null], ["2026-11-23T09:02:00Z", 0.1]],
        },
    });
    let path = dir.path().join("incident.json");
    std::fs::write(&path, record.to_string()).expect("write");
    let file = example("rollback-checkout.yaml");
    let simulate = |output: &str| {
        let record = path.display().to_string();
        let ran = backstop("", &["playbooks", "simulate", &file, "--record", &record, "--output", output]);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let table = simulate("table");
    assert!(table.contains("roll checkout back from 2.0 to 1.9: verdict bad, all guards passed"), "{table}");
    assert!(table.contains("verified: {} 0.1") && table.contains(": helped: "), "{table}");
    let json: Value = serde_json::from_str(&simulate("json")).expect("JSON");
    assert_eq!(json["actions"][0]["to_version"], "1.9");
    let drawn = backstop("", &["playbooks", "graph", &file]);
    assert!(String::from_utf8_lossy(&drawn.stdout).starts_with("flowchart TD\n"));
    let svg = backstop("", &["playbooks", "graph", &file, "--format", "svg"]);
    assert!(String::from_utf8_lossy(&svg.stdout).starts_with("<svg "));
    assert!(Path::new(&file).exists());
}

/// What a server recorded is played through its API and from its directory, with the same outcome.
#[test]
fn recorded_data_is_played_from_a_server_and_from_its_directory() {
    let (mut server, files) = server();
    wait_for("an approval", || pending(&server));
    let playbook = files.path().join("playbook.yaml").display().to_string();
    let play = |at: &[&str]| {
        let args = ["playbooks", "simulate", &playbook, "--from", "-2m", "--to", "now"];
        let ran = backstop("", &[&args[..], at].concat());
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let over_http = play(&["--url", &server.url.clone()]);
    assert!(over_http.contains("would do: restart by exec"), "{over_http}");
    assert!(over_http.contains("verified: {} 1"), "{over_http}");
    let data = server.data().display().to_string();
    assert!(server.stop().success());
    let from_disk = play(&["--data", &data]);
    assert!(from_disk.contains("would do: restart by exec") && from_disk.contains("verified: {} 1"), "{from_disk}");
    assert!(!files.path().join("restarted").exists(), "nothing was carried out");
}
