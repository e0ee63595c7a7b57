//! Attribution: who is the first suspect, and why the others are not.

use expect_test::{Expect, expect};
use model::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::{
    AttributionInput, Catalogue, Change, ChangeReport, ServiceEntry, ServiceGraph, SplitCounts, SplitOutcome, Suspect,
    Suspects, Target, VersionSplit, rank_with,
};

const NOW: i64 = 1100;
const ACTIVE: i64 = 1000;

/// `id service kind start[..end] [env=E] [ns=N] [cluster=C] [to=V] [stage=PERCENT@TIME]`.
fn change(text: &str) -> Change {
    let words: Vec<&str> = text.split(' ').collect();
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let (start, end) = words[3].split_once("..").map_or((words[3], None), |(start, end)| (start, Some(end)));
    let seconds = |text: &str| text.parse::<i64>().unwrap();
    let mut json = json!({"id": words[0], "source": "ci", "kind": words[2], "target": {"service": words[1],
        "environment": option("env"), "namespace": option("ns"), "cluster": option("cluster")},
        "to_version": option("to"), "started_at": seconds(start), "finished_at": end.map(seconds)});
    if let Some((percent, at)) = option("stage").and_then(|stage| stage.split_once('@')) {
        let at = Timestamp::from_secs(seconds(at)).to_string();
        json["stages"] = json!([{"percent": percent.parse::<f64>().unwrap(), "at": at}]);
    }
    ChangeReport::from_json(&json).unwrap().merge_over(None, Timestamp(0)).unwrap()
}

/// `id bad/n bad/n`: the new version, the old one.
fn split(text: &str) -> VersionSplit {
    let words: Vec<&str> = text.split(' ').collect();
    let counts = |text: &str| {
        let (bad, n) = text.split_once('/').unwrap();
        SplitCounts { n: n.parse().unwrap(), bad: bad.parse().unwrap() }
    };
    VersionSplit { change: format!("ci/{}", words[0]), new: counts(words[1]), old: counts(words[2]) }
}

/// web -> checkout -> payment -> bank; reports -> checkout.
fn graph() -> ServiceGraph {
    let entry = |(service, needs): (&str, &str)| ServiceEntry {
        service: service.to_owned(),
        depends_on: vec![needs.to_owned()],
        ..ServiceEntry::default()
    };
    let edges = [("web", "checkout"), ("checkout", "payment"), ("payment", "bank"), ("reports", "checkout")];
    ServiceGraph::from_catalogue(&Catalogue::new(edges.map(entry)))
}

fn affected() -> Target {
    let text = |text: &str| Some(text.to_owned());
    Target {
        service: "checkout".to_owned(),
        environment: text("prod"),
        cluster: text("c1"),
        namespace: text("shop"),
        workload: None,
    }
}

fn ranked(changes: &[Change], splits: &[VersionSplit]) -> Suspects {
    rank_with(&AttributionInput {
        changes,
        affected: &affected(),
        active_at: Timestamp::from_secs(ACTIVE),
        within_ns: 600_000_000_000,
        graph: Some(&graph()),
        splits,
        now: Timestamp::from_secs(NOW),
    })
}

fn rank(changes: &[&str], splits: &[&str]) -> Suspects {
    let changes: Vec<Change> = changes.iter().map(|text| change(text)).collect();
    let splits: Vec<VersionSplit> = splits.iter().map(|text| split(text)).collect();
    ranked(&changes, &splits)
}

fn groups(suspects: &Suspects) -> Vec<(&'static str, &Suspect)> {
    let first = suspects.first.iter().map(|suspect| ("first", suspect));
    let concurrent = suspects.concurrent.iter().map(|suspect| ("concurrent", suspect));
    let exonerated = suspects.exonerated.iter().map(|suspect| ("exonerated", suspect));
    first.chain(concurrent).chain(exonerated).collect()
}

fn check(changes: &[&str], splits: &[&str], expect: Expect) {
    let mut out = String::new();
    for (group, suspect) in groups(&rank(changes, splits)) {
        let parts = suspect.parts;
        let parts = format!("{:.2} x {:.2} x {:.2} x {:.2}", parts.time, parts.topology, parts.kind, parts.split);
        out += &format!("{group} {} {:.3} = {parts}: {}\n", suspect.change.id, suspect.score, suspect.reason);
    }
    expect.assert_eq(&out);
}

#[test]
fn the_nearest_change_of_the_service_is_first_and_earlier_ones_are_cleared() {
    check(&[], &[], expect![[""]]);
    check(
        &[
            "1 checkout deploy 100",
            "2 checkout deploy 700..710",
            "3 checkout deploy 940..950",
            "4 checkout deploy 1010",
            "5 checkout deploy 960 env=staging",
        ],
        &[],
        expect![[r#"
            first 3 0.094 = 0.94 x 1.00 x 1.00 x 0.10: same service, began 60s before the alert and was over 50s before it
            exonerated 2 0.000 = 0.72 x 1.00 x 1.00 x 0.10: deploy of checkout came after it, and the alert after that
            exonerated 4 0.000 = 0.00 x 1.00 x 1.00 x 0.10: it began 10s after the alert did
            exonerated 5 0.000 = 0.95 x 0.00 x 1.00 x 0.10: it is in the environment staging, the alert in prod
            exonerated 1 0.000 = 0.00 x 1.00 x 1.00 x 0.10: it was over 15m before the alert, more than 10m
        "#]],
    );
}

#[test]
fn a_change_is_an_interval() {
    check(
        &["1 checkout deploy 200..950", "2 checkout flag 900"],
        &[],
        expect![[r#"
        first 1 0.094 = 0.94 x 1.00 x 1.00 x 0.10: same service, began 13m before the alert and was over 50s before it
        concurrent 2 0.073 = 0.79 x 1.00 x 0.92 x 0.10: it ran at the same time as deploy of checkout
    "#]],
    );
    // Stages that go on: in motion.
    check(
        &["1 checkout deploy 100 stage=50@700"],
        &[],
        expect![[r#"
        first 1 0.100 = 1.00 x 1.00 x 1.00 x 0.10: same service, began 15m before the alert and was still in motion
    "#]],
    );
    check(
        &["1 checkout deploy 100 stage=100@700"],
        &[],
        expect![[r#"
        first 1 0.071 = 0.71 x 1.00 x 1.00 x 0.10: same service, began 15m before the alert and was over 5m before it
    "#]],
    );
}

#[test]
fn dependencies_hurt_their_callers_and_not_the_reverse() {
    check(
        &[
            "1 payment deploy 950",
            "2 bank config 955",
            "3 web deploy 960",
            "4 search deploy 965",
            "5 dns infra 970 ns=shop cluster=c1",
            "6 nodes infra 975 cluster=c1",
            "7 far infra 975 ns=shop cluster=c2",
        ],
        &[],
        expect![[r#"
            first 1 0.047 = 0.94 x 0.50 x 1.00 x 0.10: a dependency (checkout -> payment), began 50s before the alert
            concurrent 2 0.021 = 0.90 x 0.25 x 0.92 x 0.10: it came after deploy of payment and before the alert
            exonerated 5 0.004 = 0.99 x 0.10 x 0.43 x 0.10: far less likely than deploy of payment: 0.04 against 0.47
            exonerated 6 0.002 = 0.99 x 0.05 x 0.43 x 0.10: far less likely than deploy of payment: 0.02 against 0.47
            exonerated 7 0.000 = 0.99 x 0.00 x 0.43 x 0.10: checkout is not known to need far
            exonerated 4 0.000 = 0.96 x 0.00 x 1.00 x 0.10: checkout is not known to need search
            exonerated 3 0.000 = 0.95 x 0.00 x 1.00 x 0.10: web needs checkout, and not the other way round
        "#]],
    );
}

#[test]
fn two_at_once_are_a_conflict_unless_the_split_separates_them() {
    let both = ["1 checkout deploy 900..960 to=2", "2 checkout config 940"];
    check(
        &both,
        &[],
        expect![[r#"
        first 1 0.095 = 0.95 x 1.00 x 1.00 x 0.10: same service, began 100s before the alert and was over 40s before it
        concurrent 2 0.080 = 0.87 x 1.00 x 0.92 x 0.10: it ran at the same time as deploy of checkout to 2
    "#]],
    );
    check(
        &both,
        &["1 60/300 1/300", "2 30/300 31/300"],
        expect![[r#"
            first 1 0.955 = 0.95 x 1.00 x 1.00 x 1.00: its new version is worse: 60 of 300 requests of the new version failed, 1 of 300 of the old one beside it
            exonerated 2 0.000 = 0.87 x 1.00 x 0.92 x 0.10: its new version is far from as bad as that of deploy of checkout to 2: 30 of 300 requests of the new version failed, 31 of 300 of the old one beside it
        "#]],
    );
    // The other one's split says nothing yet.
    check(
        &both,
        &["1 60/300 1/300", "2 1/30 0/30"],
        expect![[r#"
        first 1 0.955 = 0.95 x 1.00 x 1.00 x 1.00: its new version is worse: 60 of 300 requests of the new version failed, 1 of 300 of the old one beside it
        concurrent 2 0.080 = 0.87 x 1.00 x 0.92 x 0.10: it ran at the same time as deploy of checkout to 2
    "#]],
    );
    // The other one has no split: it may have come with the new version.
    check(
        &both,
        &["1 60/300 1/300"],
        expect![[r#"
        first 1 0.955 = 0.95 x 1.00 x 1.00 x 1.00: its new version is worse: 60 of 300 requests of the new version failed, 1 of 300 of the old one beside it
        concurrent 2 0.080 = 0.87 x 1.00 x 0.92 x 0.10: it ran at the same time as deploy of checkout to 2
    "#]],
    );
    // Both are worse.
    check(
        &both,
        &["1 60/300 1/300", "2 60/300 1/300"],
        expect![[r#"
        first 1 0.955 = 0.95 x 1.00 x 1.00 x 1.00: its new version is worse: 60 of 300 requests of the new version failed, 1 of 300 of the old one beside it
        concurrent 2 0.797 = 0.87 x 1.00 x 0.92 x 1.00: like deploy of checkout to 2 it is the likely cause: its new version is worse: 60 of 300 requests of the new version failed, 1 of 300 of the old one beside it
    "#]],
    );
}

#[test]
fn what_both_versions_meet_and_what_is_far_apart_in_time_is_cleared() {
    // A dependency's change meets both versions.
    check(
        &["1 checkout deploy 900..960 to=2", "2 payment deploy 940"],
        &["1 60/300 1/300"],
        expect![[r#"
        first 1 0.955 = 0.95 x 1.00 x 1.00 x 1.00: its new version is worse: 60 of 300 requests of the new version failed, 1 of 300 of the old one beside it
        exonerated 2 0.000 = 0.93 x 0.50 x 1.00 x 0.10: the new version of deploy of checkout to 2 is worse by itself: its old version meets the same dependencies and fails less
    "#]],
    );
    // But what needs the worse one may be bad all the same.
    check(
        &["1 payment deploy 900..960 to=2", "2 checkout deploy 940"],
        &["1 60/300 1/300"],
        expect![[r#"
        first 1 0.477 = 0.95 x 0.50 x 1.00 x 1.00: its new version is worse: 60 of 300 requests of the new version failed, 1 of 300 of the old one beside it
        concurrent 2 0.093 = 0.93 x 1.00 x 1.00 x 0.10: it ran at the same time as deploy of payment to 2
    "#]],
    );
    // Near in time, though they did not overlap; and far enough apart.
    check(
        &["1 checkout deploy 900", "2 checkout deploy 950"],
        &[],
        expect![[r#"
        first 2 0.094 = 0.94 x 1.00 x 1.00 x 0.10: same service, began 50s before the alert
        concurrent 1 0.089 = 0.89 x 1.00 x 1.00 x 0.10: it ran less than 60s before deploy of checkout
    "#]],
    );
    check(
        &["1 checkout deploy 800", "2 checkout deploy 950"],
        &[],
        expect![[r#"
        first 2 0.094 = 0.94 x 1.00 x 1.00 x 0.10: same service, began 50s before the alert
        exonerated 1 0.000 = 0.79 x 1.00 x 1.00 x 0.10: deploy of checkout came after it, and the alert after that
    "#]],
    );
}

#[test]
fn a_change_is_cleared_when_its_old_version_fails_alike() {
    check(
        &["1 checkout deploy 900..960 to=2", "2 payment deploy 890"],
        &["1 300/600 290/600"],
        expect![[r#"
        first 2 0.044 = 0.88 x 0.50 x 1.00 x 0.10: a dependency (checkout -> payment), began 110s before the alert
        exonerated 1 0.000 = 0.95 x 1.00 x 1.00 x 0.00: its old version fails alike: 300 of 600 requests of the new version failed, 290 of 600 of the old one beside it
    "#]],
    );
    check(
        &["1 checkout deploy 900..960 to=2"],
        &["1 3/600 0/600"],
        expect![[r#"
        first 1 0.095 = 0.95 x 1.00 x 1.00 x 0.10: same service, began 100s before the alert and was over 40s before it
    "#]],
    );
    check(
        &["1 checkout deploy 900..960 to=2"],
        &["1 300/600 290/600"],
        expect![[r#"
        exonerated 1 0.000 = 0.95 x 1.00 x 1.00 x 0.00: its old version fails alike: 300 of 600 requests of the new version failed, 290 of 600 of the old one beside it
    "#]],
    );
}

#[test]
fn a_worse_version_outranks_what_is_nearer() {
    let suspects = rank(&["1 checkout deploy 600 to=2", "2 checkout config 990"], &["1 60/300 1/300"]);
    let first = suspects.first.unwrap();
    assert_eq!((first.change.id.as_str(), first.split), ("1", SplitOutcome::Worse));
    assert_eq!(suspects.concurrent.len(), 1, "the later one is still a rival");
}

#[test]
fn a_rollback_is_a_candidate_too() {
    let suspects = rank(&["1 checkout deploy 500 to=2", "2 checkout deploy 900 to=1"], &[]);
    assert_eq!(suspects.first.unwrap().change.id, "2");
}

#[test]
fn without_a_graph_only_the_service_and_its_neighbours_are_suspects() {
    let changes = [change("1 payment deploy 950"), change("2 checkout deploy 950")];
    let affected = Target { service: "checkout".to_owned(), ..Target::default() };
    let suspects = rank_with(&AttributionInput {
        changes: &changes,
        affected: &affected,
        active_at: Timestamp::from_secs(ACTIVE),
        within_ns: 600_000_000_000,
        graph: None,
        splits: &[],
        now: Timestamp::from_secs(NOW),
    });
    assert_eq!((suspects.first.unwrap().change.id.as_str(), suspects.concurrent.len()), ("2", 0));
}

#[test]
fn suspects_of_earlier_versions_are_still_read() {
    let change = change("1 checkout deploy 950");
    let old = json!({"change": change, "score": 0.9, "reason": "same service"});
    let suspect: Suspect = serde_json::from_value(old).unwrap();
    assert_eq!((suspect.split, suspect.reasons.len()), (SplitOutcome::None, 0));
}

fn candidates() -> impl Strategy<Value = Vec<Change>> {
    let kinds = prop::sample::select(vec!["deploy", "config", "flag", "schema", "infra", "scale"]);
    let services = prop::sample::select(vec!["checkout", "payment", "bank", "web", "search"]);
    let one = (services, kinds, 300i64..1100, 0i64..200);
    prop::collection::vec(one, 0..7).prop_map(|changes| {
        let text = |(index, (service, kind, start, length)): (usize, (&str, &str, i64, i64))| {
            change(&format!("{index} {service} {kind} {start}..{}", start + length))
        };
        changes.into_iter().enumerate().map(text).collect()
    })
}

fn splits() -> impl Strategy<Value = Vec<VersionSplit>> {
    let one = (0usize..7, 0u64..100, 0u64..100);
    prop::collection::vec(one, 0..4).prop_map(|splits| {
        let mut splits: Vec<VersionSplit> =
            splits.into_iter().map(|(id, new, old)| split(&format!("{id} {new}/200 {old}/200"))).collect();
        splits.sort_by(|a, b| a.change.cmp(&b.change));
        splits.dedup_by(|a, b| a.change == b.change);
        splits
    })
}

proptest! {
    #[test]
    fn permuting_the_candidates_changes_nothing(changes in candidates(), splits in splits(), turn in 0usize..7) {
        let mut turned = changes.clone();
        turned.reverse();
        turned.rotate_left(turn % changes.len().max(1));
        prop_assert_eq!(ranked(&changes, &splits), ranked(&turned, &splits));
    }

    #[test]
    fn an_innocent_change_changes_no_verdict(changes in candidates(), splits in splits(), after in 1i64..100) {
        let before = ranked(&changes, &splits);
        let innocent = [
            change(&format!("99 checkout deploy {}", ACTIVE + after)),
            change("98 web deploy 990"),
            change("97 checkout deploy 990 env=staging"),
        ];
        for one in innocent {
            let with: Vec<Change> = changes.iter().cloned().chain([one.clone()]).collect();
            let after = ranked(&with, &splits);
            prop_assert_eq!(&before.first, &after.first);
            prop_assert_eq!(&before.concurrent, &after.concurrent);
            prop_assert!(after.exonerated.iter().any(|suspect| suspect.change.key() == one.key()));
        }
    }

    #[test]
    fn everyone_has_one_place_and_scores_are_shares(changes in candidates(), splits in splits()) {
        let suspects = ranked(&changes, &splits);
        let all = groups(&suspects);
        prop_assert_eq!(all.len(), changes.len());
        for (group, suspect) in all {
            prop_assert!((0.0..=1.0).contains(&suspect.score));
            prop_assert!(!suspect.reason.is_empty());
            prop_assert!(group == "exonerated" || suspect.score > 0.0);
            prop_assert!(group == "exonerated" || suspect.split != SplitOutcome::Alike);
            prop_assert!(suspect.change.started_at <= Timestamp::from_secs(ACTIVE) || group == "exonerated");
        }
    }

    /// Evidence that clears a change never helps to blame it.
    #[test]
    fn a_change_whose_old_version_fails_alike_is_never_blamed(changes in candidates(), id in 0usize..7) {
        let suspects = ranked(&changes, &[split(&format!("{id} 100/200 100/200"))]);
        let key = format!("ci/{id}");
        let blamed = suspects.first.iter().chain(&suspects.concurrent).any(|suspect| suspect.change.key() == key);
        prop_assert!(!blamed);
    }
}
