//! Against stubs of LaunchDarkly, Unleash and a home-grown service, which keep the state of one flag as those do. The real ones are
//! services on the internet; what the stubs do not know about them these tests do not either.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use respond::{Call, Executor as _, Verb};

use super::*;
use crate::stub::{Reply, Seen, Stub};
use crate::tests::request;
use crate::{ActOptions, Actor, ServerOptions, Token};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// The write happens, its answer gets lost.
    AnswerLost,
    /// The write gets lost.
    RequestLost,
    Refused,
    /// Reads fail.
    Blind,
}

/// A service with one flag, which speaks all dialects.
struct Service {
    on: bool,
    version: u32,
    trouble: Trouble,
}

impl Service {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let token =
            seen.head.contains("authorization: t0ken-flag") || seen.head.contains("authorization: Bearer t0ken-flag");
        if !token && !seen.path.starts_with("/webhook") {
            return Reply::Json(401, json!({"message": "Invalid access token"}));
        }
        if seen.method == "GET" && self.trouble == Trouble::Blind {
            return Reply::Json(503, json!({"message": "busy"}));
        }
        let path = seen.path.split('?').next().unwrap_or_default();
        let on = match (seen.method.as_str(), path) {
            ("GET", "/api/v2/flags/shop/checkout") => {
                let found = json!({"on": self.on, "version": self.version});
                return Reply::Json(200, json!({"archived": false, "environments": {"production": found}}));
            }
            ("GET", "/api/admin/projects/shop/features/checkout") => {
                let found = json!([{"name": "production", "enabled": self.on}]);
                return Reply::Json(200, json!({"archived": false, "environments": found}));
            }
            ("GET", "/flags/checkout") => {
                return Reply::Json(200, json!({"flag": {"state": if self.on { "ENABLED" } else { "DISABLED" }}}));
            }
            ("PATCH", "/api/v2/flags/shop/checkout") => {
                assert!(
                    seen.head.contains("content-type: application/json; domain-model=launchdarkly.semanticpatch"),
                    "{}",
                    seen.head
                );
                assert_eq!(seen.body["environmentKey"], "production");
                seen.body["instructions"][0]["kind"] == "turnFlagOn"
            }
            ("POST", "/api/admin/projects/shop/features/checkout/environments/production/off") => false,
            ("POST", "/webhook/triggers/abc/s3cret-trigger") => false,
            ("PUT", "/flags/checkout") => seen.body["state"] == "ENABLED",
            _ => return Reply::Json(404, json!({"message": "not found"})),
        };
        match self.trouble {
            Trouble::Refused => return Reply::Json(403, json!({"message": "the environment needs an approval"})),
            Trouble::RequestLost => return Reply::Raw(""),
            _ => {}
        }
        self.version += u32::from(self.on != on);
        self.on = on;
        if self.trouble == Trouble::AnswerLost { Reply::Raw("") } else { Reply::Json(200, json!({"ok": true})) }
    }
}

struct World {
    stub: Stub,
    service: Arc<Mutex<Service>>,
    actor: Actor,
}

impl World {
    fn new(on: bool, trouble: Trouble, path: &str) -> Self {
        let service = Arc::new(Mutex::new(Service { on, version: 3, trouble }));
        let answering = Arc::clone(&service);
        let stub = Stub::serving(move |seen| answering.lock().expect("lock").answer(seen));
        let token = path.is_empty().then(|| Token::Text("t0ken-flag".to_owned()));
        let server = ServerOptions { url: format!("{}{path}", stub.url), token, header: None, ca_file: None };
        let flags = BTreeMap::from([("flags".to_owned(), server)]);
        let actor = Actor::new(ActOptions { flags, ..ActOptions::default() }).expect("actor");
        Self { stub, service, actor }
    }

    fn check(&self, request: &ActionRequest, expect: Expect) {
        let result = self.actor.execute(request);
        let service = self.service.lock().expect("lock");
        let (state, on, version) = (result.state.as_str(), service.on, service.version);
        let detail = result.detail.replace(&self.stub.url, "URL");
        expect.assert_eq(&format!("{state}: {detail}; on {on}, version {version}"));
    }

    fn look(&self, request: &ActionRequest, expect: Expect) {
        expect.assert_eq(&format!("{:?}", self.actor.precheck(request)));
    }
}

fn call(provider: &str) -> ActionRequest {
    let target = match provider {
        "trigger" => json!({}),
        "generic" => json!({
            "write": {"path": "/flags/checkout", "body": {"state": "DISABLED"}},
            "read": {"path": "/flags/checkout", "pointer": "/flag/state", "value": "DISABLED"},
        }),
        _ => json!({"project": "shop", "environment": "production", "flag": "checkout"}),
    };
    let mut keys: BTreeMap<String, Json> = serde_json::from_value(target).expect("keys");
    keys.insert("server".to_owned(), json!("flags"));
    keys.insert("provider".to_owned(), json!(provider));
    request(Call::read("flag", Verb::Rollback, &keys).expect("a target"), 2_000)
}

#[test]
fn launchdarkly() {
    let world = World::new(true, Trouble::None, "");
    let mut request = call("launchdarkly");
    world.look(
        &request,
        expect![[
            r#"Ready { detail: "the flag checkout in production is switched off", revision: Some("version 3") }"#
        ]],
    );
    request.revision = Some("version 2".to_owned());
    world.check(&request, expect!["failed: the flag checkout in production was changed since the precheck: version 2 then, version 3 now; on true, version 3"]);
    request.revision = Some("version 3".to_owned());
    world.check(&request, expect!["succeeded: the flag checkout in production is off; on false, version 4"]);
    world.check(
        &request,
        expect!["succeeded: the flag checkout in production is off already; nothing was done; on false, version 4"],
    );
    world.look(
        &request,
        expect![[r#"Ready { detail: "the flag checkout in production is off already", revision: Some("version 4") }"#]],
    );
    let write = world.stub.seen().into_iter().find(|seen| seen.method == "PATCH").expect("a write");
    expect![[r#"{"environmentKey":"production","comment":"Backstop: action key-1, fence 0","instructions":[{"kind":"turnFlagOff"}]}"#]].assert_eq(&write.body.to_string());
}

#[test]
fn unleash_generic_and_triggers() {
    for (provider, path) in [("unleash", ""), ("generic", ""), ("trigger", "/webhook/triggers/abc/s3cret-trigger")] {
        let world = World::new(true, Trouble::None, path);
        let request = call(provider);
        let looked = format!("{:?}", world.actor.precheck(&request));
        let first = world.actor.execute(&request);
        let second = world.actor.execute(&request);
        assert!(!world.service.lock().expect("lock").on, "{provider}");
        let want = match provider {
            "trigger" => expect![[r#"
                NotOffered
                succeeded: the flag of flags was switched off
                the flag of flags was switched off"#]],
            "generic" => expect![[r#"
                Ready { detail: "the flag of flags is switched off", revision: Some("\"ENABLED\"") }
                succeeded: the flag of flags is off
                the flag of flags is off already; nothing was done"#]],
            _ => expect![[r#"
                Ready { detail: "the flag checkout in production is switched off", revision: Some("on") }
                succeeded: the flag checkout in production is off
                the flag checkout in production is off already; nothing was done"#]],
        };
        want.assert_eq(&format!("{looked}\n{}: {}\n{}", first.state.as_str(), first.detail, second.detail));
    }
}

#[test]
fn every_way_to_break_off_has_its_outcome() {
    let outcome = |trouble: Trouble, provider: &str, path: &str, expect: Expect| {
        World::new(true, trouble, path).check(&call(provider), expect);
    };
    let trigger = "/webhook/triggers/abc/s3cret-trigger";
    outcome(
        Trouble::AnswerLost,
        "launchdarkly",
        "",
        expect![
            "succeeded: no answer, or it broke off: connection closed before message completed, but the flag checkout in production is off now; on false, version 4"
        ],
    );
    outcome(
        Trouble::RequestLost,
        "launchdarkly",
        "",
        expect![
            "unknown: whether the flag checkout in production was switched off is not known: no answer, or it broke off: connection closed before message completed; on true, version 3"
        ],
    );
    outcome(
        Trouble::Refused,
        "launchdarkly",
        "",
        expect!["failed: refused: 403 the environment needs an approval; on true, version 3"],
    );
    outcome(
        Trouble::Blind,
        "launchdarkly",
        "",
        expect!["failed: the flag checkout in production could not be read: 503 busy; on true, version 3"],
    );
    outcome(
        Trouble::AnswerLost,
        "trigger",
        trigger,
        expect![
            "unknown: whether the flag of flags was switched off is not known: no answer, or it broke off: connection closed before message completed; on false, version 4"
        ],
    );
    outcome(
        Trouble::None,
        "trigger",
        "/webhook/triggers/abc/wrong-secret",
        expect!["failed: refused: 404 not found; on true, version 3"],
    );
}

#[test]
fn a_flag_that_is_gone_is_refused() {
    let world = World::new(true, Trouble::None, "");
    let mut gone = call("unleash");
    if let Call::Flag(call) = &mut gone.call {
        call.flag = Some("../../admin".to_owned());
    }
    world.look(
        &gone,
        expect![[r#"Refused { detail: "the flag ../../admin in production is not there: 404 not found" }"#]],
    );
    world.check(
        &gone,
        expect!["failed: the flag ../../admin in production is not there: 404 not found; on true, version 3"],
    );
    let mut elsewhere = call("launchdarkly");
    if let Call::Flag(call) = &mut elsewhere.call {
        call.environment = Some("staging".to_owned());
    }
    world
        .look(&elsewhere, expect![[r#"Refused { detail: "the flag checkout in staging is not in the environment" }"#]]);
}
