//! Watches over simulated releases: what convicts, what clears, what is left open, and how often good releases are accused.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use model::Timestamp;

use crate::{Baseline, Block, Cell, Counts, Facts, Role, UnknownReason, Verdict, Watch, WatchSpec, Window};

const SECOND_NS: i64 = 1_000_000_000;
const START: Timestamp = Timestamp(1_795_424_400_000_000_000);
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A small generator, so that tests do not depend on a crate's stream of numbers.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.next().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
    }

    /// Requests of one second: latency is log-normal around 60 ms.
    fn cell(&mut self, mean: f64, error_rate: f64, slow: f64) -> Cell {
        let (mut n, mut left) = (0, (-mean).exp());
        let mut product = self.next();
        while product > left {
            n += 1;
            product *= self.next();
        }
        left = 0.0;
        let mut buckets = vec![left; BOUNDS.len() + 1];
        let mut bad = 0.0;
        for _ in 0..n {
            let latency = 0.06 * slow * (0.7 * self.normal()).exp();
            buckets[BOUNDS.partition_point(|bound| *bound < latency)] += 1.0;
            bad += f64::from(u8::from(self.next() < error_rate));
        }
        Cell { requests: Counts { n: f64::from(n), bad }, buckets }
    }
}

/// A release: how it goes second by second.
#[derive(Clone, Copy)]
struct Release {
    rate: f64,
    base: f64,
    harm: f64,
    slow: f64,
    harm_from_s: i64,
    rollout_s: i64,
    outage: Option<(i64, i64)>,
    dependency_known: bool,
    seconds: i64,
}

const GOOD: Release = Release {
    rate: 20.0,
    base: 0.005,
    harm: 0.0,
    slow: 1.0,
    harm_from_s: 0,
    rollout_s: 60,
    outage: None,
    dependency_known: true,
    seconds: 600,
};

fn cells(pairs: Vec<(Role, Cell)>) -> BTreeMap<(Role, String), Cell> {
    pairs
        .into_iter()
        .filter(|(_, cell)| cell.requests.n > 0.0)
        .map(|(role, cell)| ((role, "/pay".to_owned()), cell))
        .collect()
}

/// A minute of requests, second by second: the generator does not reach larger means.
fn minute(chance: &mut Chance, rate: f64, base: f64) -> Cell {
    let mut sum = Cell { buckets: vec![0.0; BOUNDS.len() + 1], ..Cell::default() };
    for _ in 0..60 {
        let second = chance.cell(rate, base, 1.0);
        sum.requests.n += second.requests.n;
        sum.requests.bad += second.requests.bad;
        sum.buckets.iter_mut().zip(&second.buckets).for_each(|(sum, count)| *sum += count);
    }
    sum
}

fn baseline(chance: &mut Chance, rate: f64, base: f64, stratum: &str) -> Baseline {
    let windows: Vec<Window> = (0..45).map(|_| Window::of(60.0, stratum, minute(chance, rate, base))).collect();
    Baseline::learn(&windows, &BOUNDS)
}

/// The first verdict that decides, and after how many seconds; the last one otherwise.
fn run(release: Release, seed: u64) -> (Verdict, i64, String) {
    let mut chance = Chance(seed);
    let at = |second: i64| START.saturating_add_ns(second * SECOND_NS);
    let mut spec = WatchSpec::new("1.0", "1.1", START, release.seconds * SECOND_NS);
    spec.rolled_out_at = Some(at(release.rollout_s));
    let usual = baseline(&mut chance, release.rate, release.base, "/pay");
    let dependencies = match release.dependency_known {
        true => BTreeMap::from([("bank".to_owned(), baseline(&mut chance, release.rate, 0.002, ""))]),
        false => BTreeMap::new(),
    };
    let mut watch = Watch::new(spec, usual, BTreeMap::new(), dependencies);
    let mut last = (Verdict::Unknown(UnknownReason::NoData), 0, String::new());
    for second in 1..=release.seconds {
        let share = (second as f64 / release.rollout_s.max(1) as f64).min(1.0);
        let out = release.outage.is_some_and(|(from, until)| (from..until).contains(&second));
        let common = if out { 0.3 } else { 0.0 };
        let harm = if second >= release.harm_from_s { release.harm } else { 0.0 };
        let slow = if second >= release.harm_from_s { release.slow } else { 1.0 };
        let old = chance.cell(release.rate * (1.0 - share), release.base + common, 1.0);
        let new = chance.cell(release.rate * share, release.base + common + harm, slow);
        let mut block =
            Block { until: at(second), cells: cells(vec![(Role::Old, old), (Role::New, new)]), ..Block::default() };
        if release.dependency_known {
            block.dependencies.insert("bank".to_owned(), chance.cell(release.rate, if out { 0.3 } else { 0.002 }, 1.0));
        }
        watch.push(&block);
        let card = watch.judge(at(second), &Facts::default());
        last = (card.verdict.clone(), second, card.detail);
        if card.verdict == Verdict::Bad {
            break;
        }
    }
    last
}

/// How many of `runs` releases were called bad, and the median second of it.
fn accused(release: Release, runs: u64) -> (usize, i64) {
    let mut seconds: Vec<i64> = (0..runs)
        .filter_map(|seed| {
            Some(run(release, 1_000_003 * seed + 17)).filter(|run| run.0 == Verdict::Bad).map(|run| run.1)
        })
        .collect();
    seconds.sort_unstable();
    (seconds.len(), seconds.get(seconds.len() / 2).copied().unwrap_or(0))
}

fn check(release: Release, runs: u64, want: Expect) {
    let (bad, median_s) = accused(release, runs);
    want.assert_eq(&format!("{bad} of {runs} bad, median after {median_s}s"));
}

#[test]
fn good_releases_are_not_accused() {
    check(GOOD, 400, expect!["0 of 400 bad, median after 0s"]);
    check(Release { rollout_s: 1, ..GOOD }, 200, expect!["0 of 200 bad, median after 0s"]);
    check(Release { base: 0.01, rate: 100.0, seconds: 200, ..GOOD }, 100, expect!["0 of 100 bad, median after 0s"]);
}

#[test]
fn an_outage_of_a_dependency_accuses_nobody() {
    check(Release { outage: Some((20, 200)), ..GOOD }, 100, expect!["0 of 100 bad, median after 0s"]);
    check(Release { outage: Some((100, 300)), ..GOOD }, 100, expect!["0 of 100 bad, median after 0s"]);
    check(Release { outage: Some((1, 200)), rollout_s: 1, ..GOOD }, 100, expect!["0 of 100 bad, median after 0s"]);
    check(
        Release { outage: Some((20, 200)), dependency_known: false, ..GOOD },
        100,
        expect!["0 of 100 bad, median after 0s"],
    );
}

#[test]
fn harm_is_found_and_soon() {
    check(Release { harm: 0.02, ..GOOD }, 200, expect!["200 of 200 bad, median after 58s"]);
    check(Release { harm: 0.1, ..GOOD }, 200, expect!["200 of 200 bad, median after 17s"]);
    check(Release { harm: 0.02, rollout_s: 1, ..GOOD }, 200, expect!["200 of 200 bad, median after 28s"]);
    check(Release { harm: 0.1, rollout_s: 1, ..GOOD }, 200, expect!["200 of 200 bad, median after 7s"]);
    check(Release { harm: 0.02, harm_from_s: 240, ..GOOD }, 100, expect!["100 of 100 bad, median after 289s"]);
    check(Release { harm: 0.005, seconds: 1800, ..GOOD }, 50, expect!["49 of 50 bad, median after 607s"]);
}

#[test]
fn slowness_is_found() {
    check(Release { slow: 1.5, ..GOOD }, 50, expect!["50 of 50 bad, median after 188s"]);
    check(Release { slow: 3.0, ..GOOD }, 50, expect!["50 of 50 bad, median after 182s"]);
}

/// Below what versions, load and the time of day make by themselves nothing is told once the old version is gone: the price of not
/// accusing good releases.
#[test]
fn slowness_of_a_tenth_is_not_told_from_the_time_before() {
    check(Release { slow: 1.1, seconds: 1200, ..GOOD }, 50, expect!["0 of 50 bad, median after 0s"]);
}
