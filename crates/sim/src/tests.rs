//! The simulation held against what it promises: seeds, truth, delay, holes, figures.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::{Expect, expect};
use model::Timestamp;

use crate::baseline::{self, Argo, Flagger, Kayenta, shift};
use crate::*;

const QUIET: Option<Confounder> = Some(Confounder::None);

fn release(index: u32, rate: f64, kind: Kind, confounder: Confounder) -> Release {
    Release::with_confounder(7, index, rate, kind, Some(confounder))
}

fn view<'a>(release: &'a Release, trace: &'a Trace, arrived: &'a [u32], now_s: u32) -> TelemetryView<'a> {
    TelemetryView::new(release, trace, arrived, now_s)
}

/// A fingerprint of everything a trace has.
fn fingerprint(trace: &Trace) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for sums in &trace.sums {
        format!("{sums:?}").hash(&mut hasher);
    }
    hasher.finish()
}

#[test]
fn a_seed_is_a_trace() {
    let draw = |set, index| Release::new(set, index, 20.0, Kind::Errors(20));
    let trace = |set, index| fingerprint(&Trace::planned(&draw(set, index)));
    assert_eq!(format!("{:?}", draw(1, 3)), format!("{:?}", draw(1, 3)));
    assert_eq!(trace(1, 3), trace(1, 3));
    assert_ne!(trace(1, 3), trace(1, 4));
    assert_ne!(trace(1, 3), trace(2, 3));
}

#[test]
fn the_same_release_at_another_rate_differs_only_in_its_rate() {
    let [mut slow, fast] = [20.0, 200.0].map(|rate| Release::new(1, 5, rate, Kind::Leak));
    slow.service.rate = fast.service.rate;
    assert_eq!(format!("{slow:?}"), format!("{fast:?}"));
}

/// A seed keeps its meaning: these are the first requests of a release of the first set.
#[test]
fn the_numbers_of_a_seed_are_pinned() {
    let release = Release::new(1, 0, 20.0, Kind::Good);
    let trace = Trace::planned(&release);
    let seen = |at: u32| {
        let counts = trace.sums[at as usize].counts;
        let sum =
            |version: usize| counts[version].iter().map(|counts| (counts.requests, counts.errors)).collect::<Vec<_>>();
        format!("{at}: old {:?}, new {:?}\n", sum(0), sum(1))
    };
    expect![[r#"
        none, Rolling, 3 instances
        60: old [(288, 0), (142, 1), (376, 4), (116, 4)], new [(0, 0), (0, 0), (0, 0), (0, 0)]
        7800: old [(42630, 85), (18203, 151), (48159, 408), (15748, 284)], new [(4069, 4), (1757, 17), (4661, 30), (1552, 30)]
    "#]]
    .assert_eq(&format!(
        "{}, {:?}, {} instances\n{}",
        release.confounding.confounder,
        release.rollout.style,
        release.service.instances,
        seen(60) + &seen(START_S + 600)
    ));
}

#[test]
fn a_trace_continued_by_its_own_plan_is_the_planned_one() {
    let release = release(4, 20.0, Kind::Errors(50), Confounder::Dependency);
    let planned = Trace::planned(&release);
    let mut again = planned.history();
    for second in START_S..END_S {
        again.advance(&release, second + 1, release.rollout.share(second));
    }
    assert_eq!(fingerprint(&planned), fingerprint(&again));
}

/// Requests and harm of the new version after the onset of its fault, over some quiet releases of a kind.
fn harm(kind: Kind, releases: u32) -> (f64, f64, f64) {
    let mut sum = (0.0, 0.0, 0.0);
    for index in 0..releases {
        let release = Release::with_confounder(9, index, 200.0, kind, QUIET);
        let trace = Trace::planned(&release);
        let from = release.fault.onset_s.max(release.rollout.finished_s());
        let requests: u32 = trace.sums[END_S as usize].counts[1].iter().map(|counts| counts.requests).sum::<u32>()
            - trace.sums[from as usize].counts[1].iter().map(|counts| counts.requests).sum::<u32>();
        let harm = trace.harm_before(END_S) - trace.harm_before(from);
        sum = (sum.0 + f64::from(requests), sum.1 + f64::from(harm.failed), sum.2 + f64::from(harm.touched));
    }
    sum
}

/// The standard error of a share of `n` with truth `p`, with room for what fails of its own accord (at most 1 %, in bursts).
fn close(found: f64, truth: f64, n: f64) -> bool {
    (found - truth).abs() < 4.0 * (truth / n).sqrt() + 0.02 * truth
}

#[test]
fn the_share_of_failing_requests_is_the_truth() {
    for kind in [Kind::Errors(5), Kind::Errors(20), Kind::Errors(200)] {
        let Kind::Errors(tenths) = kind else { unreachable!() };
        let (requests, failed, touched) = harm(kind, 2);
        let truth = f64::from(tenths) / 1_000.0;
        assert!(close(failed / requests, truth, requests), "{kind}: {} of {requests}", failed / requests);
        assert_eq!(failed, touched, "{kind}: an error touches what it fails");
    }
    let (requests, failed, touched) = harm(Kind::Pattern(20), 1);
    let one = Release::with_confounder(9, 0, 200.0, Kind::Pattern(20), QUIET);
    let part = one.fault.endpoint.map_or(1.0, |only| one.service.endpoints[only].weight);
    assert!(close(touched / requests, 0.02 * part, requests), "pattern: {}", touched / requests);
    assert!(failed < touched && failed > 0.0);
    assert_eq!(harm(Kind::Good, 3).2, 0.0, "a good release does no harm");
}

#[test]
fn quiet_errors_are_the_service_s_own() {
    let (mut requests, mut errors, mut truth) = (0.0, 0.0, 0.0);
    for index in 0..16 {
        let release = Release::with_confounder(3, index, 20.0, Kind::Good, QUIET);
        let trace = Trace::planned(&release);
        for counts in trace.sums[START_S as usize].counts[0] {
            requests += f64::from(counts.requests);
            errors += f64::from(counts.errors);
        }
        let served: u32 = trace.sums[START_S as usize].counts[0].iter().map(|counts| counts.requests).sum();
        truth += release.service.error() * f64::from(served);
        assert!((0.000_5..=0.010_001).contains(&release.service.error()));
    }
    // Two hours of bursts in 16 releases: a standard error of about 2 %.
    assert!((errors / truth - 1.0).abs() < 0.08, "{errors} errors, {truth} expected of {requests}");
}

#[test]
fn latency_is_slower_by_its_factor() {
    for hundredths in [110, 200] {
        let found = (0..40).map(|index| release(index, 200.0, Kind::Latency(hundredths), Confounder::None));
        let fitting = |release: &Release| {
            release.fault.endpoint.is_none()
                && release.rollout.style == Style::Canary
                && release.fault.onset_s == START_S
        };
        let release = found.into_iter().find(fitting).expect("one of 40 is a canary with the fault from the start");
        let trace = Trace::planned(&release);
        let arrived = release.confounding.delivery.arrived();
        let now = view(&release, &trace, &arrived, END_S - 1);
        let (from, to) = (timestamp(START_S + 60), timestamp(release.rollout.finished_s()));
        for endpoint in 0..ENDPOINTS {
            let mean = |version| now.records(version, Some(endpoint), from, to).mean_s().expect("requests");
            let ratio = mean(Version::New) / mean(Version::Old) / release.fault.drift_latency;
            let truth = f64::from(hundredths) / 100.0;
            assert!((ratio / truth - 1.0).abs() < 0.08, "x{truth}: {ratio}");
        }
    }
}

#[test]
fn the_view_never_shows_the_future() {
    let confounders = [Confounder::None, Confounder::Late, Confounder::MissingAll, Confounder::MissingNew];
    for (index, confounder) in confounders.into_iter().enumerate() {
        let release = release(index as u32, 20.0, Kind::Errors(100), confounder);
        let trace = Trace::planned(&release);
        let arrived = release.confounding.delivery.arrived();
        let mut past = trace.history();
        for now_s in (START_S..START_S + 1_200).step_by(60) {
            for second in past.share.len() as u32..now_s {
                past.advance(&release, second + 1, release.rollout.share(second));
            }
            // The same past with another future must look the same.
            let mut other = past.clone();
            other.advance(&release, now_s + 200, 0.5);
            let looks = |trace: &Trace| {
                let now = view(&release, trace, &arrived, now_s);
                let (from, to) = (timestamp(0), timestamp(END_S));
                let mut seen = format!("{:?}", now.changes());
                for version in [Version::Old, Version::New] {
                    assert!(now.newest_record(version).is_none_or(|at| at <= timestamp(now_s - LAG_S)));
                    assert!(!now.recorded(version, timestamp(now_s + 1 - LAG_S)), "the newest second has not arrived");
                    assert!(now.newest_scrape(version).is_none_or(|at| at <= timestamp(now_s)));
                    let _ = write!(
                        seen,
                        "{:?} {:?} {:?} {:?} {:?}",
                        now.records(version, None, from, to),
                        now.increase(version, None, from, to),
                        now.patterns(version, from, to),
                        now.memory(version, from, to).len(),
                        now.newest_record(version),
                    );
                }
                let _ =
                    write!(seen, "{:?} {:?}", now.probes(from, to), now.neighbour_samples(Neighbour::Peer, from, to));
                seen
            };
            assert_eq!(looks(&trace), looks(&other), "{confounder} at {now_s}");
        }
    }
}

#[test]
fn what_is_late_comes_late_and_complete() {
    let release = release(2, 20.0, Kind::Good, Confounder::Late);
    let late = release.confounding.delivery.late.expect("late");
    let trace = Trace::planned(&release);
    let arrived = release.confounding.delivery.arrived();
    let all = |now_s, to_s| {
        let now = view(&release, &trace, &arrived, now_s);
        [Version::Old, Version::New].map(|version| now.records(version, None, timestamp(0), timestamp(to_s)).requests)
    };
    let newest = |now_s| {
        let now = view(&release, &trace, &arrived, now_s);
        second(now.newest_record(Version::Old).max(now.newest_record(Version::New)).expect("some"))
    };
    assert!(newest(late.from_s - 1) >= late.from_s - 4, "on time before");
    assert_eq!(newest(late.from_s + late.by_s), late.from_s, "nothing while the first late second is on its way");
    assert_eq!(all(late.until_s + late.by_s + 2, late.until_s), all(END_S - 1, late.until_s), "complete at last");
}

#[test]
fn holes_hide_what_they_should() {
    let requests = |confounder, version, source| {
        let release = release(1, 20.0, Kind::Good, confounder);
        let gap = release.confounding.delivery.gap.expect("a hole");
        let trace = Trace::planned(&release);
        let arrived = release.confounding.delivery.arrived();
        let now = view(&release, &trace, &arrived, END_S - 1);
        let (from, to) = (timestamp(gap.from_s.max(START_S) + 150), timestamp(gap.until_s.min(END_S) - 1));
        match source {
            Source::Metrics => now.increase(version, None, from, to).map_or(0, |counts| counts.requests),
            Source::Records => now.records(version, None, from, to).requests,
        }
    };
    let (new, metrics, records) = (Version::New, Source::Metrics, Source::Records);
    assert_eq!(requests(Confounder::MissingAll, new, metrics), 0);
    assert_eq!(requests(Confounder::MissingAll, new, records), 0);
    assert_eq!(requests(Confounder::MissingNew, new, records), 0);
    assert_eq!(requests(Confounder::MissingMetrics, new, metrics), 0);
    assert!(requests(Confounder::MissingMetrics, new, records) > 0, "records go on without metrics");
    let release = release(1, 20.0, Kind::Good, Confounder::MissingNew);
    let trace = Trace::planned(&release);
    let arrived = release.confounding.delivery.arrived();
    let now = view(&release, &trace, &arrived, release.rollout.finished_s() + 3);
    let (from, to) = (timestamp(START_S - 60), timestamp(START_S + 20));
    assert!(now.records(Version::Old, None, from, to).requests > 0, "the old version is still seen");
    assert_eq!(now.newest_record(new), None);
}

/// A dependency outage hits both versions alike, and its other callers.
#[test]
fn a_dependency_s_outage_is_shared() {
    let found = (0..50).map(|index| release(index, 200.0, Kind::Good, Confounder::Dependency));
    let trouble = |release: &Release| release.confounding.troubles[0];
    let overlap = |release: &Release| {
        let from = trouble(release).from_s.max(START_S + 30);
        (from, release.rollout.finished_s().min(trouble(release).until_s))
    };
    let release = found.into_iter().find(|release| overlap(release).1 > overlap(release).0 + 90).expect("one of 50");
    let trace = Trace::planned(&release);
    let arrived = release.confounding.delivery.arrived();
    let now = view(&release, &trace, &arrived, END_S - 1);
    let (from, to) = (timestamp(overlap(&release).0), timestamp(overlap(&release).1));
    let rate = |version| now.records(version, Some(0), from, to).error_rate().expect("requests");
    let (old, new, added) = (rate(Version::Old), rate(Version::New), trouble(&release).errors);
    assert!((old / new - 1.0).abs() < 0.3 && new > added * 0.7, "old {old}, new {new}, added {added}");
    let peer = now.neighbour_samples(Neighbour::Peer, from, to);
    let peer = peer[peer.len() - 1].1 - peer[0].1;
    assert!(f64::from(peer.errors) / f64::from(peer.requests) > added * 0.7);
    assert_eq!(trace.harm_before(END_S), Harm::default(), "none of it is the release's");
}

#[test]
fn a_set_is_half_good_and_has_every_kind_and_confounder() {
    let releases: Vec<Release> = (0..300).map(|index| Release::of_set(1, index, 20.0)).collect();
    assert_eq!(releases.iter().filter(|release| release.is_good()).count(), 150);
    for kind in BAD_KINDS {
        assert_eq!(releases.iter().filter(|release| release.fault.kind == kind).count(), 10, "{kind}");
    }
    for (confounder, _) in CONFOUNDERS {
        let with = releases.iter().filter(|release| release.confounding.confounder == confounder).count();
        assert!(with >= 6, "{confounder}: {with}");
    }
}

#[test]
fn a_rollback_ends_the_harm_within_its_seconds() {
    let release = release(0, 20.0, Kind::Errors(200), Confounder::None);
    let trace = Trace::planned(&release);
    let from = release.fault.onset_s.max(release.rollout.finished_s());
    let early = trace.harm_with_rollback(&release, from + 30);
    let late = trace.harm_with_rollback(&release, from + 300);
    let before = trace.harm_before(from + 30);
    assert!(before.failed <= early.failed && early.failed < late.failed);
    assert!(late.failed < trace.harm_before(END_S).failed);
    assert!(early.failed - before.failed < 20 * 15, "no more than the traffic of the seconds that it takes");
}

#[test]
fn quantiles_are_prometheus_s() {
    let mut counts = Counts { requests: 100, ..Counts::default() };
    (counts.buckets[3], counts.buckets[5], counts.buckets[11]) = (50, 49, 1);
    let quantile = |q| format!("{:.4}", counts.quantile_s(q).expect("requests"));
    assert_eq!(
        [quantile(0.25), quantile(0.5), quantile(0.99), quantile(1.0)],
        ["0.0375", "0.0500", "0.2500", "10.0000"]
    );
    assert_eq!(Counts::default().quantile_s(0.5), None);
}

#[test]
fn a_shift_is_found_with_its_interval() {
    let control: Vec<f64> = (0..60).map(|index| f64::from(index * 37 % 61)).collect();
    let moved: Vec<f64> = control.iter().map(|value| value + 25.0).collect();
    let found = shift(&moved, &control).expect("not all tied");
    assert!((found.estimate - 25.0).abs() < 1.0 && found.low > 10.0 && found.high < 40.0, "{found:?}");
    let same = shift(&control, &control).expect("not all tied");
    assert!(same.low < 0.0 && same.high > 0.0 && same.estimate.abs() < 1.0, "{same:?}");
    assert_eq!(shift(&[1.0, 1.0], &[1.0]), None);
    assert_eq!(shift(&[], &[1.0]), None);
}

/// A policy that rolls back at a second, and says Good every second before.
struct At(u32);

impl Policy for At {
    fn name(&self) -> String {
        "at".to_owned()
    }

    fn tick(&mut self, now: Timestamp, _view: &TelemetryView<'_>) -> PolicyAction {
        if second(now) >= self.0 { PolicyAction::Rollback } else { PolicyAction::Good }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn sources(&self) -> &'static [Source] {
        &[Source::Metrics, Source::Records]
    }
}

#[test]
fn a_blind_rollback_is_told_from_one_with_sight() {
    let gap_of = |confounder| {
        let release = release(1, 20.0, Kind::Good, confounder);
        let gap = release.confounding.delivery.gap.expect("a hole");
        (release, gap)
    };
    let blind = |confounder, after: u32| {
        let (release, gap) = gap_of(confounder);
        run(&release, &Trace::planned(&release), &mut At(gap.from_s.max(START_S) + after)).blind
    };
    assert!(blind(Confounder::MissingAll, 130));
    assert!(!blind(Confounder::MissingMetrics, 130), "records go on");
    let (release, gap) = gap_of(Confounder::MissingAll);
    assert!(!run(&release, &Trace::planned(&release), &mut At(gap.until_s + 30)).blind);
}

fn outcome(kind: Kind, first_bad_s: Option<u32>, rollback_s: Option<u32>) -> Outcome {
    Outcome {
        index: 0,
        rate: 20.0,
        kind,
        confounder: Confounder::None,
        dependency_fault: false,
        decidable: true,
        first_bad_s,
        rollback_s,
        verdict_s: rollback_s,
        held: false,
        blind: false,
        why: String::new(),
        harm: Harm { failed: 3, touched: 5 },
    }
}

fn check(outcomes: &[Outcome], expect: Expect) {
    let score = Score::of(outcomes);
    let shown = format!(
        "good {} bad {} undecidable {} caught {} false {} unfounded {} blind {} shared {} blinded {}\n\
         precision {:?} recall {:?} false rate {:?}\nverdict {:?}\nrollback {:?}\nfailed {} touched {}\n",
        score.good,
        score.bad,
        score.undecidable,
        score.caught,
        score.false_rollbacks,
        score.unfounded,
        score.blind,
        score.false_when_shared,
        score.false_when_blinded,
        score.precision(),
        score.recall(),
        score.false_rollback_rate(),
        score.verdict_s,
        score.rollback_s,
        score.failed,
        score.touched,
    );
    expect.assert_eq(&shown);
}

#[test]
fn scores_of_hand_made_cases() {
    let errors = Kind::Errors(20);
    check(
        &[],
        expect![[r#"
        good 0 bad 0 undecidable 0 caught 0 false 0 unfounded 0 blind 0 shared 0 blinded 0
        precision None recall None false rate None
        verdict Spread { median: None, p95: None }
        rollback Spread { median: None, p95: None }
        failed 0 touched 0
    "#]],
    );
    // Two caught after 10 and 30 s, one missed, one rolled back before its fault began; of four good ones one rolled back.
    check(
        &[
            outcome(errors, Some(5), Some(15)),
            outcome(errors, Some(0), Some(30)),
            outcome(errors, Some(4), None),
            outcome(errors, Some(200), Some(60)),
            outcome(Kind::Good, None, Some(60)),
            outcome(Kind::Good, None, None),
            outcome(Kind::Good, None, None),
            outcome(Kind::Good, None, None),
        ],
        expect![[r#"
            good 4 bad 4 undecidable 0 caught 2 false 1 unfounded 1 blind 0 shared 0 blinded 0
            precision Some(0.5) recall Some(0.5) false rate Some(0.25)
            verdict Spread { median: Some(60), p95: None }
            rollback Spread { median: Some(30), p95: None }
            failed 12 touched 20
        "#]],
    );
    // A leak may be stopped before it hurts. Undecidable ones count in neither recall nor precision.
    let undecidable = |rollback_s| Outcome { decidable: false, ..outcome(errors, Some(1), rollback_s) };
    check(
        &[outcome(Kind::Leak, Some(900), Some(600)), undecidable(None), undecidable(Some(50))],
        expect![[r#"
            good 0 bad 1 undecidable 2 caught 1 false 0 unfounded 0 blind 0 shared 0 blinded 0
            precision Some(1.0) recall Some(1.0) false rate None
            verdict Spread { median: Some(600), p95: None }
            rollback Spread { median: Some(0), p95: Some(0) }
            failed 9 touched 15
        "#]],
    );
    // What went wrong under which confounder.
    let under = |confounder, blind| Outcome {
        confounder,
        blind,
        dependency_fault: matches!(confounder, Confounder::Dependency | Confounder::RetryStorm),
        ..outcome(Kind::Good, None, Some(9))
    };
    check(
        &[
            under(Confounder::MissingAll, true),
            under(Confounder::Late, false),
            under(Confounder::RetryStorm, false),
            under(Confounder::Dependency, false),
            under(Confounder::TwoChanges, false),
        ],
        expect![[r#"
            good 5 bad 0 undecidable 0 caught 0 false 5 unfounded 0 blind 1 shared 2 blinded 2
            precision Some(0.0) recall None false rate Some(1.0)
            verdict Spread { median: Some(9), p95: Some(9) }
            rollback Spread { median: None, p95: None }
            failed 0 touched 0
        "#]],
    );
}

/// How a policy ends a release: what, and after how many seconds.
fn ends(policy: &mut dyn Policy, release: &Release) -> String {
    let outcome = run(release, &Trace::planned(release), policy);
    let verdict = outcome.verdict_s.map_or("-".to_owned(), |second| second.to_string());
    let what = if outcome.rollback_s.is_some() { "rollback" } else { "kept" };
    format!("{:<34} {what} at {verdict}{}\n", policy.name(), if outcome.blind { ", blind" } else { "" })
}

fn story(kind: Kind, confounder: Confounder, expect: Expect) {
    let release = release(1, 200.0, kind, confounder);
    let told: String = baseline::all().iter_mut().map(|policy| ends(policy.as_mut(), &release)).collect();
    expect.assert_eq(&told);
}

#[test]
fn baselines_on_a_good_release() {
    story(
        Kind::Good,
        Confounder::None,
        expect![[r#"
            Flagger (defaults)                 rollback at 120
            Flagger (documented)               rollback at 360
            Flagger (fitted)                   kept at 600
            Flagger (fitted, own rollout)      kept at 600
            Argo Rollouts (documented)         kept at 2460
            Argo Rollouts (fast)               kept at 2400
            Argo Rollouts (fitted)             kept at 2400
            Argo Rollouts (fitted, own rollout) kept at 2400
            Kayenta (documented)               kept at 1800
            Kayenta (errors critical)          kept at 1800
            Kayenta (fitted)                   kept at 1800
            Kayenta (fitted, own rollout)      kept at 1800
        "#]],
    );
}

#[test]
fn baselines_on_a_very_bad_release() {
    story(
        Kind::Errors(200),
        Confounder::None,
        expect![[r#"
            Flagger (defaults)                 rollback at 120
            Flagger (documented)               rollback at 360
            Flagger (fitted)                   rollback at 360
            Flagger (fitted, own rollout)      rollback at 360
            Argo Rollouts (documented)         rollback at 960
            Argo Rollouts (fast)               rollback at 60
            Argo Rollouts (fitted)             rollback at 180
            Argo Rollouts (fitted, own rollout) rollback at 180
            Kayenta (documented)               rollback at 1800
            Kayenta (errors critical)          rollback at 300
            Kayenta (fitted)                   rollback at 300
            Kayenta (fitted, own rollout)      rollback at 300
        "#]],
    );
}

/// The defect that the others have: what could not be measured is taken for bad.
#[test]
fn baselines_without_telemetry() {
    story(
        Kind::Good,
        Confounder::MissingAll,
        expect![[r#"
            Flagger (defaults)                 rollback at 120
            Flagger (documented)               rollback at 360, blind
            Flagger (fitted)                   rollback at 480, blind
            Flagger (fitted, own rollout)      rollback at 480, blind
            Argo Rollouts (documented)         kept at 2500
            Argo Rollouts (fast)               rollback at 460, blind
            Argo Rollouts (fitted)             rollback at 220, blind
            Argo Rollouts (fitted, own rollout) rollback at 220, blind
            Kayenta (documented)               kept at 1800
            Kayenta (errors critical)          kept at 1800
            Kayenta (fitted)                   kept at 1800
            Kayenta (fitted, own rollout)      kept at 1800
        "#]],
    );
}

/// Flagger's order of a tick: the failed check of one tick rolls back on the next one.
#[test]
fn flagger_counts_failed_checks() {
    let release = release(1, 200.0, Kind::Errors(200), Confounder::None);
    let at = |mut policy: Flagger| run(&release, &Trace::planned(&release), &mut policy).rollback_s;
    let (first, fifth) = (at(Flagger::defaults()).expect("bad"), at(Flagger::documented()).expect("bad"));
    assert_eq!((first % 60, fifth - first), (0, 4 * 60));
}

#[test]
fn argo_counts_failures_beyond_its_limit_and_errors_in_a_row() {
    let bad = release(1, 200.0, Kind::Errors(200), Confounder::None);
    let at = |release: &Release, mut policy: Argo| run(release, &Trace::planned(release), &mut policy).rollback_s;
    let (fast, documented) = (at(&bad, Argo::fast()).expect("bad"), at(&bad, Argo::documented()).expect("bad"));
    assert!(fast % 60 == 0 && documented >= 60 + 3 * 300, "{fast} {documented}");
    // Without a series of the new version: an error at 60 s, then four more, 10 s apart.
    let unseen = release(1, 200.0, Kind::Good, Confounder::MissingNew);
    assert_eq!(at(&unseen, Argo::documented()), Some(100));
}

#[test]
fn kayenta_fails_what_half_of_its_metrics_do_not_show() {
    let unseen = release(1, 200.0, Kind::Good, Confounder::MissingNew);
    assert!(
        unseen.confounding.delivery.gap.expect("a hole").until_s >= START_S + 310,
        "still unseen when it is judged"
    );
    assert_eq!(run(&unseen, &Trace::planned(&unseen), &mut Kayenta::critical()).rollback_s, Some(300));
}
