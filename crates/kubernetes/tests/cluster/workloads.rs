//! Rollback, restart and scale of workloads.

use std::sync::Arc;

use expect_test::expect;
use respond::{ActionState, Verb};
use serde_json::{Value as Json, json};

use crate::harness::{Cluster, apps, eventually, image, start, workload};
use crate::{clusters, ready, refused, request, said};

/// A namespace with `deployment/checkout`: 1.3, then 1.4, then 1.5, each rolled out as far as revisions go.
fn shop(name: &str) -> Option<(Arc<Cluster>, String)> {
    let cluster = start()?;
    cluster.namespace(name);
    let path = apps(name, "deployments", "checkout");
    cluster.create(&apps(name, "deployments", ""), &workload("checkout", "shop/checkout:1.3"));
    revision(&cluster, &path, "1");
    for (number, version) in [("2", "1.4"), ("3", "1.5")] {
        cluster.merge(&path, &image(&format!("shop/checkout:{version}")));
        revision(&cluster, &path, number);
    }
    Some((cluster, path))
}

fn revision(cluster: &Cluster, path: &str, number: &str) {
    eventually("the controller", || {
        let object = cluster.get(path);
        let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        (seen && object["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == number).then_some(())
    });
}

fn runs(object: &Json) -> &str {
    object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("image")
}

/// What clients write of an object: not the status, which its controllers write whenever a pod ends.
fn written(mut object: Json) -> Json {
    object["status"].take();
    object["metadata"]["resourceVersion"].take();
    let fields = object["metadata"]["managedFields"].as_array_mut().expect("managedFields");
    fields.retain(|field| field["subresource"] != "status");
    object
}

fn target(namespace: &str, more: Json) -> Json {
    let mut target = json!({"namespace": namespace, "workload": "deployment/checkout"});
    for (name, value) in more.as_object().into_iter().flatten() {
        target[name] = value.clone();
    }
    target
}

#[test]
fn a_rollback_goes_back_once_and_says_what_it_did() {
    let Some((cluster, path)) = shop("undo") else { return };
    let _kubelet = cluster.kubelet("undo");
    let clusters = clusters(&cluster);
    let wanted = request("kubernetes", Verb::Rollback, "1.5", "1.4", target("undo", json!({})));
    let before = eventually("both instances of 1.5", || {
        let object = cluster.get(&path);
        ["replicas", "updatedReplicas", "availableReplicas"]
            .iter()
            .all(|name| object["status"][name] == 2)
            .then_some(object)
    });
    let (wanted, detail) = ready(&clusters, wanted);
    expect!["ready: checkout runs 1.5 and would be given revision 2 (1.4)"].assert_eq(&detail);
    assert_eq!(written(cluster.get(&path)), written(before), "a dry run leaves no trace");

    let (state, detail) = clusters.execute(&wanted);
    assert_eq!(state, ActionState::Succeeded, "{detail}");
    expect!["checkout was given revision 2 (1.4); 2 of 2 instances are new and available"].assert_eq(&detail);
    let after = cluster.get(&path);
    assert_eq!(runs(&after), "shop/checkout:1.4");
    assert_eq!(after["metadata"]["annotations"]["backstop.dev/action-key"], "key-1");
    assert_eq!(after["metadata"]["annotations"]["backstop.dev/fence"], "7");

    let generation = after["metadata"]["generation"].clone();
    let (state, detail) = clusters.execute(&wanted);
    assert_eq!(state, ActionState::Succeeded, "{detail}");
    expect!["already done; 2 of 2 instances are new and available"].assert_eq(&detail);
    assert_eq!(cluster.get(&path)["metadata"]["generation"], generation, "the second time changes nothing");

    let mut late = wanted.clone();
    (late.key, late.fence, late.revision) = ("key-0".to_owned(), 6, None);
    (late.from_version, late.to_version) = ("1.4".to_owned(), "1.3".to_owned());
    let (state, detail) = clusters.execute(&late);
    assert_eq!(state, ActionState::Refused, "{detail}");
    expect!["checkout was acted on with fence 7, this action has 6: a later holder acted"].assert_eq(&detail);

    cluster.merge(&path, &image("shop/checkout:1.6"));
    let (state, detail) = clusters.execute(&wanted);
    assert_eq!(state, ActionState::Failed, "{detail}");
    expect!["this action was done before, and someone changed checkout since: it is not repeated"].assert_eq(&detail);
}

#[test]
fn a_change_between_precheck_and_action_is_never_replaced() {
    let Some((cluster, path)) = shop("race") else { return };
    let clusters = clusters(&cluster);
    let wanted = request("kubernetes", Verb::Rollback, "1.5", "1.4", target("race", json!({"wait": false})));
    let (wanted, _) = ready(&clusters, wanted);
    // Another resourceVersion with the same template is no matter.
    cluster.merge(&path, &json!({"metadata": {"labels": {"touched": "yes"}}}));
    cluster.merge(&path, &image("shop/checkout:1.5-hotfix"));
    let (state, detail) = clusters.execute(&wanted);
    assert_eq!(state, ActionState::Failed, "{detail}");
    assert!(detail.starts_with("someone changed checkout: revision "), "{detail}");
    assert_eq!(runs(&cluster.get(&path)), "shop/checkout:1.5-hotfix");
    expect!["checkout runs 1.5-hotfix, not 1.5: someone changed it"].assert_eq(&refused(&clusters, &wanted));

    // The name again, but another object.
    cluster.merge(&path, &image("shop/checkout:1.5"));
    let (wanted, _) = ready(&clusters, wanted);
    cluster.delete(&path);
    let detail = refused(&clusters, &wanted);
    assert!(detail.starts_with("Deployment race/checkout is not there"), "{detail}");
    let (state, detail) = clusters.execute(&wanted);
    assert_eq!(state, ActionState::Failed, "{detail}");
    cluster.create(&apps("race", "deployments", ""), &workload("checkout", "shop/checkout:1.5"));
    let (state, detail) = clusters.execute(&wanted);
    assert_eq!(state, ActionState::Failed, "{detail}");
    assert!(detail.starts_with("someone changed checkout"), "{detail}");
}

/// Somebody writes the object all the time, its template never: every write is a conflict for somebody, and each action ends
/// certain: done, or not done. Beside it two rollbacks of different keys race, and one of them must lose.
#[test]
fn writes_that_leave_the_template_alone_are_survived_and_one_of_two_rollbacks_wins() {
    let Some((cluster, path)) = shop("busy") else { return };
    let clusters = clusters(&cluster);
    let wanted = request("kubernetes", Verb::Rollback, "1.5", "", target("busy", json!({"wait": false})));
    let (wanted, _) = ready(&clusters, wanted);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut count = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                count += 1;
                cluster.merge(&path, &json!({"metadata": {"labels": {"count": format!("{count}")}}}));
            }
        });
        let runs: Vec<_> = [("key-a", "1.4"), ("key-b", "1.3")]
            .map(|(key, to)| {
                let mut one = wanted.clone();
                (one.key, one.to_version) = (key.to_owned(), to.to_owned());
                let clusters = &clusters;
                scope.spawn(move || clusters.execute(&one))
            })
            .into_iter()
            .collect();
        let ended: Vec<_> = runs.into_iter().map(|run| run.join().expect("an end")).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        ended
    });
    let won = ended.iter().filter(|(state, _)| *state == ActionState::Succeeded).count();
    let lost = ended.iter().filter(|(state, _)| *state == ActionState::Failed).count();
    assert!(won <= 1 && won + lost == 2, "{ended:?}");
    let object = cluster.get(&path);
    match won {
        1 => {
            let winner = if ended[0].0 == ActionState::Succeeded { "shop/checkout:1.4" } else { "shop/checkout:1.3" };
            assert_eq!(runs(&object), winner, "{ended:?}");
        }
        _ => assert_eq!(runs(&object), "shop/checkout:1.5", "{ended:?}"),
    }
}

#[test]
fn what_must_not_be_is_refused() {
    let Some((cluster, path)) = shop("refuse") else { return };
    let clusters = clusters(&cluster);
    let rollback = |from: &str, to: &str| request("kubernetes", Verb::Rollback, from, to, target("refuse", json!({})));
    expect!["checkout runs 1.5, not 1.4: someone changed it"].assert_eq(&refused(&clusters, &rollback("1.4", "1.3")));
    expect!["no revision of version 0.9 is kept; kept are revision 2 (1.4), revision 1 (1.3)"]
        .assert_eq(&refused(&clusters, &rollback("1.5", "0.9")));
    expect!["it runs 1.5 already"].assert_eq(&refused(&clusters, &rollback("1.5", "1.5")));
    cluster.merge(&path, &json!({"spec": {"paused": true}}));
    expect![
        "checkout is paused, so a new template would reach nothing; resume it, then nothing of it is rolled out by surprise"
    ]
    .assert_eq(&refused(&clusters, &rollback("1.5", "1.4")));
    let elsewhere = request("kubernetes", Verb::Restart, "", "", target("kube-system", json!({})));
    let (text, _) = said(clusters.precheck(&elsewhere));
    assert!(text.starts_with("unknown: ") && text.contains("403 Forbidden") && text.contains("rbac.yaml"), "{text}");
}

#[test]
fn restart_and_scale_are_done_once() {
    let Some((cluster, path)) = shop("scale") else { return };
    let _kubelet = cluster.kubelet("scale");
    let clusters = clusters(&cluster);
    let restart = request("kubernetes", Verb::Restart, "1.5", "", target("scale", json!({})));
    let (restart, detail) = ready(&clusters, restart);
    expect!["ready: checkout runs 1.5 and would be given a restart"].assert_eq(&detail);
    for expected in ["checkout was given a restart; 2 of 2", "already done; 2 of 2"] {
        let (state, detail) = clusters.execute(&restart);
        assert_eq!(state, ActionState::Succeeded, "{detail}");
        assert!(detail.starts_with(expected), "{detail}");
    }
    let restarted = cluster.get(&path);
    let annotations = &restarted["spec"]["template"]["metadata"]["annotations"];
    assert!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), "{restarted}");

    let mut scale = request("kubernetes", Verb::Scale, "1.5", "", target("scale", json!({})));
    (scale.key, scale.replicas) = ("key-2".to_owned(), Some(0));
    expect!["scaling to 0 instances is not allowed: say allow_zero: true"].assert_eq(&refused(&clusters, &scale));
    scale.replicas = Some(5);
    let (scale, detail) = ready(&clusters, scale);
    expect!["ready: checkout goes from 2 to 5 instances"].assert_eq(&detail);
    assert_eq!(cluster.get(&path)["spec"]["replicas"], 2, "a dry run leaves no trace");
    let (state, detail) = clusters.execute(&scale);
    assert_eq!(state, ActionState::Succeeded, "{detail}");
    expect!["checkout was scaled from 2 to 5 instances; 5 of 5 instances are new and available"].assert_eq(&detail);
    let mut stale = scale.clone();
    (stale.key, stale.replicas) = ("key-3".to_owned(), Some(3));
    let (state, detail) = clusters.execute(&stale);
    assert_eq!(state, ActionState::Failed, "{detail}");
    assert_eq!(cluster.get(&path)["spec"]["replicas"], 5);
    cluster.create(
        "/apis/autoscaling/v2/namespaces/scale/horizontalpodautoscalers",
        &json!({"metadata": {"name": "busy"}, "spec": {"maxReplicas": 9,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}}}),
    );
    stale.revision = None;
    expect!["HorizontalPodAutoscaler busy scales it and would undo it; change its minReplicas and maxReplicas instead"]
        .assert_eq(&refused(&clusters, &stale));
}

#[test]
fn stateful_sets_and_daemon_sets_go_back_too() {
    let Some(cluster) = start() else { return };
    cluster.namespace("others");
    let clusters = clusters(&cluster);
    for (plural, kind) in [("statefulsets", "statefulset"), ("daemonsets", "daemonset")] {
        let mut object = workload("db", "shop/db:1");
        if kind == "daemonset" {
            object["spec"].as_object_mut().expect("spec").remove("replicas");
            object["spec"]["selector"] = json!({"matchLabels": {"app": "agent"}});
            object["spec"]["template"]["metadata"]["labels"] = json!({"app": "agent"});
        } else {
            object["spec"]["serviceName"] = json!("db");
        }
        let path = apps("others", plural, "db");
        cluster.create(&apps("others", plural, ""), &object);
        let seen = || {
            eventually("the controller", || {
                let object = cluster.get(&path);
                (object["status"]["observedGeneration"] == object["metadata"]["generation"]).then_some(())
            });
        };
        seen();
        cluster.merge(&path, &image("shop/db:2"));
        seen();
        let wanted = json!({"namespace": "others", "workload": format!("{kind}/db"), "wait": false});
        let (wanted, detail) = ready(&clusters, request("kubernetes", Verb::Rollback, "2", "1", wanted));
        assert_eq!(detail, "ready: db runs 2 and would be given revision 1 (1)");
        let (state, detail) = clusters.execute(&wanted);
        assert_eq!(state, ActionState::Succeeded, "{detail}");
        assert_eq!(runs(&cluster.get(&path)), "shop/db:1");
    }
}
