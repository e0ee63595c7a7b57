//! Against a stub of Argo CD's API that keeps an application: it refuses a rollback while automated sync is on, applies merge
//! patches, runs operations over two reads and keeps a history, as the real one does. A real one needs a cluster, so what the stub
//! does not know about Argo CD these tests do not either.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use respond::{ArgocdEntry, Call, Executor as _};

use super::*;
use crate::stub::{Reply, Seen, Stub};
use crate::tests::request;
use crate::{ActOptions, Actor, ServerOptions, Token};

/// How the stub misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// The answer to a rollback gets lost, the rollback happens.
    AnswerLost,
    /// The request gets lost too.
    RequestLost,
    /// The rollback is refused.
    Refused,
    /// The operation ends badly.
    OperationFails,
    /// The operation never ends.
    Hangs,
    /// A patch is answered with 500 and happens all the same.
    PatchUnsure,
    /// A parent turns automated sync on again.
    ParentHeals,
}

struct Argo {
    app: Json,
    trouble: Trouble,
    /// Reads until the operation that runs has ended.
    left: Option<u32>,
    operations: u32,
}

impl Argo {
    fn answer(&mut self, seen: &Seen) -> Reply {
        if !seen.head.contains("authorization: Bearer t0ken-argo") {
            return Reply::Json(401, json!({"message": "no session information"}));
        }
        let path = seen.path.split('?').next().unwrap_or_default();
        match (seen.method.as_str(), path) {
            ("GET", "/api/v1/applications/shop") => {
                self.go_on();
                Reply::Json(200, self.app.clone())
            }
            ("PATCH", "/api/v1/applications/shop") => self.patch(&seen.body),
            ("POST", "/api/v1/applications/shop/rollback") => self.rollback(&seen.body),
            _ => Reply::Json(404, json!({"message": "applications.argoproj.io \"shop\" not found"})),
        }
    }

    fn patch(&mut self, body: &Json) -> Reply {
        let patch: Json = serde_json::from_str(body["patch"].as_str().expect("a patch is a text")).expect("JSON");
        assert_eq!(body["patchType"], "merge");
        merge(&mut self.app, &patch);
        match self.trouble {
            Trouble::PatchUnsure => Reply::Json(500, json!({"message": "etcd is slow"})),
            _ => Reply::Json(200, self.app.clone()),
        }
    }

    fn rollback(&mut self, body: &Json) -> Reply {
        if self.app.pointer("/spec/syncPolicy/automated").is_some_and(Json::is_object) {
            return Reply::Json(400, json!({"message": "rollback cannot be initiated when auto-sync is enabled"}));
        }
        let history = self.app["status"]["history"].as_array().cloned().unwrap_or_default();
        let Some(entry) = history.iter().find(|entry| entry["id"] == body["id"]) else {
            return Reply::Json(400, json!({"message": "application shop does not have deployment id"}));
        };
        match self.trouble {
            Trouble::Refused => return Reply::Json(403, json!({"message": "permission denied: applications, sync"})),
            Trouble::RequestLost => return Reply::Raw(""),
            _ => {}
        }
        self.operations += 1;
        self.left = (self.trouble != Trouble::Hangs).then_some(2);
        self.app["status"]["operationState"] = json!({
            "phase": "Running", "startedAt": format!("2024-01-01T00:00:{:02}Z", self.operations),
            "operation": {"sync": {"revision": entry["revision"], "dryRun": body["dryRun"], "source": entry["source"]}},
        });
        if self.trouble == Trouble::AnswerLost { Reply::Raw("") } else { Reply::Json(200, self.app.clone()) }
    }

    /// An operation ends on its second read.
    fn go_on(&mut self) {
        let Some(left) = self.left.as_mut() else { return };
        *left -= 1;
        if *left > 0 {
            return;
        }
        self.left = None;
        let fails = self.trouble == Trouble::OperationFails;
        let state = &mut self.app["status"]["operationState"];
        state["phase"] = json!(if fails { "Failed" } else { "Succeeded" });
        state["message"] = json!(if fails { "one or more objects failed to apply" } else { "successfully synced" });
        let sync = state["operation"]["sync"].clone();
        if !fails && sync["dryRun"] == json!(false) {
            let history = self.app["status"]["history"].as_array_mut().expect("history");
            let id = history.len() as i64 + 1;
            history.push(json!({"id": id, "revision": sync["revision"], "source": sync["source"]}));
        }
        if self.trouble == Trouble::ParentHeals {
            self.app["spec"]["syncPolicy"]["automated"] = json!({"selfHeal": true});
        }
    }
}

/// RFC 7386.
fn merge(target: &mut Json, patch: &Json) {
    let Json::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        match value {
            Json::Null => drop(target.as_object_mut().expect("object").remove(name)),
            value => merge(&mut target[name.as_str()], value),
        }
    }
}

const BAD: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const GOOD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// An application at version 2, which was at 1 before.
fn app(automated: Json) -> Json {
    json!({
        "metadata": {"name": "shop"},
        "spec": {"syncPolicy": {"automated": automated, "syncOptions": ["CreateNamespace=true"]}},
        "status": {
            "sync": {"revision": BAD}, "summary": {"images": ["registry/shop:2"]},
            "operationState": {"phase": "Succeeded", "startedAt": "2023-01-01T00:00:00Z", "operation": {"sync": {"revision": BAD}}},
            "history": [
                {"id": 1, "revision": GOOD, "source": {"kustomize": {"images": ["registry/shop:1"]}}},
                {"id": 2, "revision": BAD, "source": {"kustomize": {"images": ["registry/shop:2"]}}},
            ],
        },
    })
}

fn call() -> ArgocdCall {
    ArgocdCall {
        server: "main".to_owned(),
        application: "shop".to_owned(),
        namespace: None,
        project: Some("shops".to_owned()),
        entry: ArgocdEntry::Match,
        prune: false,
        parent_ignores_sync_policy: false,
        operation: None,
    }
}

struct World {
    stub: Stub,
    argo: Arc<Mutex<Argo>>,
    actor: Actor,
    timeout_ms: i64,
}

impl World {
    fn new(app: Json, trouble: Trouble) -> Self {
        let argo = Arc::new(Mutex::new(Argo { app, trouble, left: None, operations: 0 }));
        let answering = Arc::clone(&argo);
        let stub = Stub::serving(move |seen| answering.lock().expect("lock").answer(seen));
        let server = ServerOptions {
            url: stub.url.clone(),
            token: Some(Token::Text("t0ken-argo".to_owned())),
            header: None,
            ca_file: None,
        };
        let argocd = BTreeMap::from([("main".to_owned(), server)]);
        let actor = Actor::new(ActOptions { argocd, ..ActOptions::default() }).expect("actor");
        Self { stub, argo, actor, timeout_ms: 5_000 }
    }

    fn request(&self, call: ArgocdCall) -> ActionRequest {
        let mut request = request(Call::Argocd(call.clone()), self.timeout_ms);
        request.fence = 7;
        if call.operation.is_some() {
            request.verb = Verb::Act;
        }
        request
    }

    fn check(&self, request: &ActionRequest, expect: Expect) {
        let result = self.actor.execute(request);
        expect.assert_eq(&format!("{}: {}\n{}", result.state.as_str(), result.detail, result.output));
    }

    fn look(&self, request: &ActionRequest, expect: Expect) {
        expect.assert_eq(&format!("{:?}", self.actor.precheck(request)));
    }

    fn app(&self) -> Json {
        self.argo.lock().expect("lock").app.clone()
    }

    fn automated(&self) -> Json {
        self.app()["spec"]["syncPolicy"]["automated"].clone()
    }
}

#[test]
fn automated_sync_is_suspended_before_and_resumed_when_git_is_good() {
    let world = World::new(app(json!({"prune": true, "selfHeal": true})), Trouble::None);
    let mut rollback = world.request(call());
    world.look(&rollback, expect![[r#"Ready { detail: "entry 2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb -> 1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; no dry run: automated sync is on, and is suspended before the rollback", revision: Some("2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb") }"#]]);
    rollback.revision = Some(format!("2:{BAD}"));
    world.check(&rollback, expect![[r#"
        succeeded: shop went back to entry 1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; automated sync stays suspended, because Git still holds bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: revert it there, then run an act step with do: resume_sync
        {"application":"shop","replaced":"2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","to":"1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","suspended_sync":{"prune":true,"selfHeal":true}}"#]]);
    expect![[r#"
        GET /api/v1/applications/shop?project=shops
        GET /api/v1/applications/shop?project=shops
        PATCH /api/v1/applications/shop
        POST /api/v1/applications/shop/rollback
        GET /api/v1/applications/shop?project=shops
        GET /api/v1/applications/shop?project=shops
    "#]]
    .assert_eq(&world.stub.lines());
    assert_eq!(world.automated(), Json::Null);
    expect![[r#"{"backstop/fence":"7","backstop/action-key":"key-1","backstop/suspended-sync":"{\"prune\":true,\"selfHeal\":true}","backstop/replaced-revision":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}"#]].assert_eq(&world.app()["metadata"]["annotations"].to_string());
    world.check(
        &rollback,
        expect![[r#"
        succeeded: shop runs 3:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa already; nothing was done
    "#]],
    );

    let resume = world.request(ArgocdCall { operation: Some(ArgocdOperation::ResumeSync), ..call() });
    world.look(&resume, expect![[r#"Refused { detail: "Git still holds bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, which was rolled back from: sync would deploy it again; revert it in Git first" }"#]]);
    world.check(&resume, expect![[r#"
        failed: Git still holds bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, which was rolled back from: sync would deploy it again; revert it in Git first
    "#]]);
    world.argo.lock().expect("lock").app["status"]["sync"]["revision"] = json!("cccc");
    world.check(
        &resume,
        expect![[r#"
        succeeded: automated sync of shop is on again
        {"application":"shop","resumed_sync":{"prune":true,"selfHeal":true}}"#]],
    );
    assert_eq!(world.automated(), json!({"prune": true, "selfHeal": true}));
    world.check(
        &resume,
        expect![[r#"
        succeeded: automated sync of shop is on already
    "#]],
    );
}

#[test]
fn a_dry_run_goes_before_where_sync_is_manual() {
    let world = World::new(app(Json::Null), Trouble::None);
    let mut rollback = world.request(call());
    world.look(&rollback, expect![[r#"Ready { detail: "entry 2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb -> 1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; dry run: successfully synced", revision: Some("2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb") }"#]]);
    assert_eq!(world.app()["status"]["history"].as_array().map(Vec::len), Some(2), "nothing changed");
    rollback.revision = Some(format!("2:{BAD}"));
    world.check(&rollback, expect![[r#"
        succeeded: shop went back to entry 1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; Git still holds bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: whoever syncs the application deploys it again
        {"application":"shop","replaced":"2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","to":"1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","suspended_sync":null}"#]]);
    let failing = World::new(app(Json::Null), Trouble::OperationFails);
    failing.look(
        &failing.request(call()),
        expect![[r#"Refused { detail: "the dry run ended as Failed: one or more objects failed to apply" }"#]],
    );
}

#[test]
fn what_must_not_be_rolled_back_is_refused_untouched() {
    let refused = |change: &dyn Fn(&mut Json), call: ArgocdCall, expect: Expect| {
        let mut app = app(json!({}));
        change(&mut app);
        let world = World::new(app.clone(), Trouble::None);
        let request = world.request(call);
        let result = world.actor.execute(&request);
        assert_eq!(result.state, ActionState::Failed, "{}", result.detail);
        assert_eq!(world.app(), app, "nothing was changed");
        let looked = world.actor.precheck(&request);
        assert_eq!(looked, Precheck::Refused { detail: result.detail.clone() });
        expect.assert_eq(&result.detail);
    };
    refused(
        &|app| app["operation"] = json!({"sync": {}}),
        call(),
        expect!["an operation on shop is asked for; try again when it has ended"],
    );
    refused(
        &|app| app["status"]["operationState"]["phase"] = json!("Running"),
        call(),
        expect!["an operation on shop is Running; try again when it has ended"],
    );
    refused(
        &|app| app["metadata"]["deletionTimestamp"] = json!("2024-01-01T00:00:00Z"),
        call(),
        expect!["shop is being deleted"],
    );
    refused(&|app| app["status"]["history"] = json!([]), call(), expect!["shop has no history, so no way back"]);
    refused(
        &|app| app["status"]["history"][0]["source"] = json!({}),
        call(),
        expect![
            "no entry of the history of shop is 1; it has 1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, 2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
        ],
    );
    refused(
        &|app| {
            app["status"]["history"][1]["source"] = json!({});
            app["status"]["summary"]["images"] = json!(["registry/shop:3"]);
        },
        call(),
        expect![
            "shop does not run 2: it is at entry 2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb with the images [registry/shop:3]"
        ],
    );
    refused(
        &|app| app["metadata"]["annotations"] = json!({FENCE: "8"}),
        call(),
        expect!["the fencing token 7 is old: 8 was here already, another holder took over"],
    );
    let owners = json!([{"kind": "ApplicationSet", "name": "shops"}]);
    refused(
        &|app| app["metadata"]["ownerReferences"] = owners.clone(),
        call(),
        expect![
            "ApplicationSet shops generates shop and would turn automated sync on again, which would undo the rollback: roll back in Git, or let it ignore the sync policy and set parent_ignores_sync_policy"
        ],
    );
    refused(
        &|_| {},
        ArgocdCall { application: "gone".to_owned(), ..call() },
        expect![[r#"the application gone is gone: 404 applications.argoproj.io "shop" not found"#]],
    );
}

#[test]
fn a_moved_application_is_not_rolled_back() {
    let world = World::new(app(Json::Null), Trouble::None);
    let mut rollback = world.request(call());
    rollback.revision = Some("1:other".to_owned());
    world.check(
        &rollback,
        expect![[r#"
        failed: shop is at entry 2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb now, the precheck saw 1:other
    "#]],
    );
    let vouched = ArgocdCall { parent_ignores_sync_policy: true, entry: ArgocdEntry::Previous, ..call() };
    let mut generated = app(json!({}));
    generated["metadata"]["ownerReferences"] = json!([{"kind": "ApplicationSet", "name": "shops"}]);
    let world = World::new(generated, Trouble::None);
    world.look(&world.request(vouched), expect![[r#"Ready { detail: "entry 2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb -> 1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; no dry run: automated sync is on, and is suspended before the rollback", revision: Some("2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb") }"#]]);
}

#[test]
fn every_way_to_break_off_has_its_outcome() {
    let outcome = |trouble: Trouble, timeout_ms: i64, expect: Expect| {
        let mut world = World::new(app(json!({"prune": true})), trouble);
        world.timeout_ms = timeout_ms;
        let result = world.actor.execute(&world.request(call()));
        let operations = world.argo.lock().expect("lock").operations;
        let sync = world.automated();
        expect.assert_eq(&format!(
            "{}: {}\noperations {operations}, sync {sync}",
            result.state.as_str(),
            result.detail
        ));
    };
    outcome(
        Trouble::AnswerLost,
        5_000,
        expect![[r#"
        succeeded: shop went back to entry 1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; automated sync stays suspended, because Git still holds bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: revert it there, then run an act step with do: resume_sync
        operations 1, sync null"#]],
    );
    outcome(
        Trouble::RequestLost,
        2_000,
        expect![[r#"
        unknown: whether the rollback of shop began is not known; automated sync is suspended
        operations 0, sync null"#]],
    );
    outcome(
        Trouble::Refused,
        5_000,
        expect![[r#"
        failed: the rollback of shop was refused: 403 permission denied: applications, sync; automated sync is on again
        operations 0, sync {"prune":true}"#]],
    );
    outcome(
        Trouble::OperationFails,
        5_000,
        expect![[r#"
        failed: the rollback of shop ended as Failed: one or more objects failed to apply; automated sync stays suspended, because Git still holds bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: revert it there, then run an act step with do: resume_sync
        operations 1, sync null"#]],
    );
    outcome(
        Trouble::Hangs,
        2_000,
        expect![[r#"
        unknown: the rollback of shop began and had not ended in time; automated sync is suspended
        operations 1, sync null"#]],
    );
    outcome(
        Trouble::PatchUnsure,
        5_000,
        expect![[r#"
        succeeded: shop went back to entry 1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; automated sync stays suspended, because Git still holds bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: revert it there, then run an act step with do: resume_sync
        operations 1, sync null"#]],
    );
    outcome(
        Trouble::ParentHeals,
        5_000,
        expect![[r#"
        failed: shop: rolled back, but automated sync is on again and will undo it: somebody turns it on
        operations 1, sync {"selfHeal":true}"#]],
    );
}

#[test]
fn without_a_server_or_a_token_nothing_happens() {
    let server = |url: &str, token: Token| ServerOptions {
        url: url.to_owned(),
        token: Some(token),
        header: None,
        ca_file: None,
    };
    let stub = World::new(app(Json::Null), Trouble::None);
    let check = |options: ServerOptions, expect: Expect| {
        let argocd = BTreeMap::from([("main".to_owned(), options)]);
        let actor = Actor::new(ActOptions { argocd, ..ActOptions::default() }).expect("actor");
        let result = actor.execute(&request(Call::Argocd(call()), 2_000));
        assert_eq!(result.state, ActionState::Failed);
        expect.assert_eq(&result.detail);
    };
    check(
        server("http://127.0.0.1:1", Token::Text("x".to_owned())),
        expect!["Argo CD could not be asked: the server could not be reached: Connection refused (os error 111)"],
    );
    check(
        server(&stub.stub.url, Token::Text("wrong-token".to_owned())),
        expect!["Argo CD answered 401 no session information"],
    );
    check(
        server(&stub.stub.url, Token::File("/no/such/token".into())),
        expect![
            "Argo CD could not be asked: the token in /no/such/token can not be read: No such file or directory (os error 2)"
        ],
    );
}
