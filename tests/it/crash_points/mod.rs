//! Crash points on the real binary: killed at every step of the loop, it executes nothing twice and loses no page.
//!
//! The server of a debug build counts what it does that lasts (`crates/server/src/crash.rs`) and kills itself where it is told to.
//! First each scenario is lived through without a crash, which says what happens in it. Then it is lived through again and again,
//! killed each time at another event, before it, after it, or some time later; every third time once more while it recovers.
//!
//! `make test` takes a sample of the points; `make test-crash` takes all of them.

mod check;
mod life;
mod send;
mod variant;
mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Mutex;
use std::time::Instant;

use check::Report;
use life::Life;
use variant::Variant;

/// Points of `make test`.
const SAMPLE: usize = 30;
/// Servers at the same time: they mostly wait.
const PARALLEL: usize = 6;
/// Delays after an event, in microseconds: mostly none; the others end up inside of whatever comes next, transactions included.
const DELAYS_US: [u64; 8] = [0, 0, 300, 0, 0, 2_000, 0, 20_000];
/// In the middle of what takes [`world::SLOW`], in microseconds.
const MIDDLE_US: u64 = 120_000;
/// Labels of events that such a thing follows.
const SLOW: [&str; 3] = ["before action", "before delivery", "before look"];
/// Events of a start that recovers, among which a second crash is placed.
const RECOVERY_EVENTS: usize = 24;

/// Where a process is killed: at which event of a label (of all events when it is empty), and how long after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    label: String,
    nth: usize,
    delay_us: u64,
}

impl At {
    fn text(&self) -> String {
        format!("{}#{}+{}", self.label, self.nth, self.delay_us)
    }
}

/// A scenario, and where each of its processes is killed; the one after them lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    variant: Variant,
    kills: Vec<At>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kills: Vec<String> = self.kills.iter().map(At::text).collect();
        write!(f, "{:?} killed at {kills:?}", self.variant)
    }
}

/// The points of a scenario whose events are known: spread over it, each once.
fn points(variant: Variant, events: &[String], want: usize) -> Vec<Point> {
    let at = |event: usize, delay_us| {
        let label = events[event].clone();
        let nth = events[..event].iter().filter(|known| **known == label).count();
        At { label, nth, delay_us }
    };
    let takes_time = |event: &usize| SLOW.iter().any(|slow| events[*event].starts_with(slow));
    let middle = (0..events.len()).filter(takes_time).map(|event| vec![at(event, MIDDLE_US)]);
    let mut found: BTreeSet<Vec<At>> = middle.collect();
    for turn in 0.. {
        if found.len() >= want {
            break;
        }
        let event = (turn * events.len() / want + turn / want) % events.len();
        let mut kills = vec![at(event, DELAYS_US[turn % DELAYS_US.len()])];
        if turn % 3 == 2 {
            let (nth, delay_us) = (turn * 7 % RECOVERY_EVENTS, DELAYS_US[turn * 3 % DELAYS_US.len()]);
            kills.push(At { label: String::new(), nth, delay_us });
        }
        found.insert(kills);
    }
    found.into_iter().map(|kills| Point { variant, kills }).collect()
}

/// So many of the points: one of every kind of moment, and then from everywhere: steps of the golden ratio come to every part before
/// they come to any twice.
fn choose(all: Vec<(String, Point)>, want: usize) -> Vec<Point> {
    let divides = |step: usize| (2..=step).any(|n| step.is_multiple_of(n) && all.len().is_multiple_of(n));
    let step = (all.len() * 618 / 1000..).find(|step| !divides(*step)).unwrap_or(1);
    let shuffled: Vec<&(String, Point)> = (0..all.len()).map(|turn| &all[turn * step % all.len()]).collect();
    let mut kinds = BTreeSet::new();
    let (first, rest): (Vec<_>, Vec<_>) = shuffled.into_iter().partition(|(kind, _)| kinds.insert(kind));
    first.into_iter().chain(rest).map(|(_, point)| point.clone()).take(want).collect()
}

/// Lives through all of them, several at a time, in their order.
fn live(points: Vec<Point>) -> Vec<(Point, Result<Report, String>)> {
    let (queue, ended) = (Mutex::new(VecDeque::from(points)), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                while let Some(point) = { queue.lock().expect("lock").pop_front() } {
                    let outcome = Life::run(point.clone());
                    let mut ended = ended.lock().expect("lock");
                    ended.push((point, outcome));
                    if ended.len() % 50 == 0 {
                        println!("{} lived through", ended.len());
                    }
                }
            });
        }
    });
    ended.into_inner().expect("lock")
}

/// How many points are asked for.
fn wanted() -> usize {
    std::env::var("BACKSTOP_CRASH_RUNS").map_or(SAMPLE, |text| text.parse().expect("BACKSTOP_CRASH_RUNS is a number"))
}

#[test]
fn killed_at_any_point_it_executes_nothing_twice_and_loses_no_page() {
    let started = Instant::now();
    let want = wanted();
    let quiet = |variant| Point { variant, kills: Vec::new() };
    let mut failures = Vec::new();
    let mut planned = Vec::new();
    let only = std::env::var("BACKSTOP_CRASH_VARIANT").ok();
    let asked = |variant: &Variant| only.as_ref().is_none_or(|only| *only == format!("{variant:?}"));
    let scenarios: Vec<Variant> = Variant::ALL.into_iter().filter(asked).collect();
    assert!(!scenarios.is_empty(), "there is no scenario {only:?}: {:?}", Variant::ALL);
    for (point, lived) in live(scenarios.iter().copied().map(quiet).collect()) {
        match lived {
            Ok(report) => {
                let (variant, outcome, events) = (point.variant, &report.outcome, &report.events);
                assert_eq!(outcome, variant.undisturbed(), "{variant:?} without a crash");
                println!("{variant:?}: {} events, {outcome}", events.len());
                let many = (want + want / 10).div_ceil(scenarios.len()).max(events.len());
                let points = points(variant, events, many);
                planned.extend(points.into_iter().map(|point| (kind(&point.kills[0].label, &point.kills[0]), point)));
            }
            Err(why) => failures.push(why),
        }
    }
    let chosen = choose(planned, want + want / 10);
    let mut lived = Vec::new();
    for (_, outcome) in live(chosen) {
        match outcome {
            Ok(report) => lived.push(report),
            Err(why) => failures.push(why),
        }
    }
    println!("{}", figures(&lived));
    println!("in {:.0?}", started.elapsed());
    assert!(failures.is_empty(), "{} scenarios went wrong:\n\n{}", failures.len(), failures.join("\n\n"));
    let crashed = lived.iter().filter(|report| !report.crashes.is_empty()).count();
    assert!(crashed >= want, "{want} points were wanted, and {crashed} reached");
}

/// The kind of a moment: its event without what the event is about, and whether it is some time after it.
pub(crate) fn kind(label: &str, at: &At) -> String {
    let words: Vec<&str> = label.split(' ').take(2).collect();
    let later = match at.delay_us {
        0 => "",
        MIDDLE_US => ", in the middle",
        _ => ", some time later",
    };
    words.join(" ") + later
}

/// What came out, for people.
fn figures(lived: &[Report]) -> String {
    let mut kinds = BTreeMap::<String, usize>::new();
    for kind in lived.iter().flat_map(|report| &report.crashes) {
        *kinds.entry(kind.clone()).or_default() += 1;
    }
    let mut outcomes = BTreeMap::<&str, usize>::new();
    for report in lived {
        *outcomes.entry(&report.outcome).or_default() += 1;
    }
    let sum = |of: fn(&Report) -> usize| lived.iter().map(of).sum::<usize>();
    let lines = |counts: Vec<(String, usize)>| -> String {
        counts.into_iter().map(|(what, times)| format!("  {times:>5}  {what}\n")).collect()
    };
    format!(
        "{} points, {} crashes:\n{}outcomes:\n{}{} actions started, {} executed, none twice; {} messages, {} of them repeated under the same id; \
         {} records acknowledged, all there once",
        lived.len(),
        sum(|report| report.crashes.len()),
        lines(kinds.into_iter().collect()),
        lines(outcomes.into_iter().map(|(what, times)| (what.to_owned(), times)).collect()),
        sum(|report| report.actions),
        sum(|report| report.executions),
        sum(|report| report.pages),
        sum(|report| report.repeated),
        sum(|report| report.records),
    )
}
