//! What was usual before the change.

use std::collections::BTreeMap;

use crate::block::Cell;
use crate::latency::{Buckets, Shape};
use crate::rates::{Counts, inside};

/// Fewest requests of a group of windows: the usual ups and downs are those between such groups.
const GROUP_MIN: f64 = 1_000.0;
/// A share of failures is never called unusual when it is above the usual by less than this: 0.15 points.
pub const RATE_SLACK: f64 = 0.001_5;
/// A slowdown below this factor is never called unusual: versions differ a little.
pub const SLOW_SLACK: f64 = 1.04;
/// How much slower than that a version may be before it is compared with the time before: neighbours and the hour make as much.
const SLOW_BESIDE: f64 = 1.08;
/// The same when the past had [`GROUPS_MANY`] groups, whose ups and downs are in what is usual already.
const SLOW_BESIDE_KNOWN: f64 = 1.02;
/// So many groups of windows show how latencies come and go.
const GROUPS_MANY: usize = 12;
/// How many requests a stratum borrows from all strata together.
const BORROWED: f64 = 50.0;
/// Fewest requests before anything is called usual.
pub const HISTORY_MIN: f64 = 200.0;

/// One window of the past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// How long it was, in seconds.
    pub seconds: f64,
    /// Counts by stratum.
    pub cells: BTreeMap<String, Cell>,
}

impl Window {
    /// A window of one stratum.
    pub fn of(seconds: f64, stratum: &str, cell: Cell) -> Self {
        Self { seconds, cells: BTreeMap::from([(stratum.to_owned(), cell)]) }
    }
}

/// Fewest windows with requests before anything is said of load: the first ones of a young service are not full.
const LOADS_MIN: usize = 5;
/// From so many times the most that the past had on, overload is as likely a cause as the change: storms of retries are such.
const OVERLOAD: f64 = 1.35;
/// How long before the change counts as just before it, in seconds.
const LATELY_S: f64 = 180.0;
/// Above what most of the past had, so much more is still comparable: latency follows load.
const LOAD_SLACK: f64 = 1.1;

/// What was usual, by stratum.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    bounds: Vec<f64>,
    total: Counts,
    ceiling: f64,
    strata: BTreeMap<String, Counts>,
    shape: Option<Shape>,
    shapes: BTreeMap<String, Shape>,
    slow: f64,
    groups: usize,
    load_max: f64,
    loads: usize,
    /// The median.
    load_usual: f64,
    /// What nine of ten windows had at most.
    load_high: f64,
    failing_already: Option<Counts>,
}

impl Baseline {
    /// Learns from windows of the past, the newest first, and the upper bounds of latency buckets in seconds. When the newest were
    /// bad already, what is usual is what was before them.
    pub fn learn(windows: &[Window], bounds: &[f64]) -> Baseline {
        let mut passed_s = 0.0;
        let late = windows.iter().take_while(|window| {
            passed_s += window.seconds;
            passed_s - window.seconds < LATELY_S
        });
        let (late, earlier) = windows.split_at(late.count());
        let mut lately = Counts::default();
        late.iter().flat_map(|window| window.cells.values()).for_each(|cell| lately.add(cell.requests));
        let before = Baseline::of(earlier, bounds);
        let settled = before.is_enough() && before.loads >= LOADS_MIN;
        let expected = lately.n * before.ceiling;
        let failing = settled && lately.bad > expected + 3.0 * expected.sqrt() + 1.0;
        let learned = if failing { before } else { Baseline::of(windows, bounds) };
        Baseline { failing_already: failing.then_some(lately), ..learned }
    }

    fn of(windows: &[Window], bounds: &[f64]) -> Baseline {
        let mut baseline = Baseline { bounds: bounds.to_vec(), slow: SLOW_SLACK, ..Baseline::default() };
        let mut buckets: BTreeMap<String, Buckets> = BTreeMap::new();
        let mut loads = Vec::new();
        for window in windows {
            let requests: f64 = window.cells.values().map(|cell| cell.requests.n).sum();
            if window.seconds > 0.0 && requests > 0.0 {
                loads.push(requests / window.seconds);
            }
            for (stratum, cell) in &window.cells {
                baseline.total.add(cell.requests);
                baseline.strata.entry(stratum.clone()).or_default().add(cell.requests);
                add_buckets(buckets.entry(stratum.clone()).or_default(), &cell.buckets);
            }
        }
        loads.sort_by(f64::total_cmp);
        baseline.loads = loads.len();
        baseline.load_max = loads.last().copied().unwrap_or_default();
        baseline.load_usual = loads.get(loads.len() / 2).copied().unwrap_or_default();
        baseline.load_high = loads.get(loads.len() * 9 / 10).copied().unwrap_or_default();
        let mut all = Buckets::new();
        for (stratum, counts) in &buckets {
            add_buckets(&mut all, counts);
            if counts.iter().sum::<f64>() >= HISTORY_MIN
                && let Some(shape) = Shape::of(bounds, counts)
            {
                baseline.shapes.insert(stratum.clone(), shape);
            }
        }
        baseline.shape = Shape::of(bounds, &all);
        baseline.edges(windows);
        baseline
    }

    /// How far groups of windows go above the mean more than chance explains: rates, and latencies against each stratum's own shape.
    fn edges(&mut self, windows: &[Window]) {
        let rate = inside(self.total.rate());
        let (mut rates, mut shifts) = (Spread::default(), Spread::default());
        let (mut group, mut shift, mut timed) = (Counts::default(), 0.0, 0.0);
        for window in windows {
            for (stratum, cell) in &window.cells {
                group.add(cell.requests);
                let (Some(usual), false) = (self.shapes.get(stratum), cell.buckets.is_empty()) else { continue };
                let n: f64 = cell.buckets.iter().sum();
                shift += usual.log_mean_of(&cell.buckets) * n - usual.log_mean() * n;
                timed += n;
            }
            if group.n >= GROUP_MIN {
                rates.push(group.rate() - rate, rate * (1.0 - rate) / group.n);
                if timed > 0.0 {
                    let variance = self.shape.as_ref().map_or(1.0, Shape::log_variance);
                    shifts.push(shift / timed, variance / timed);
                }
                (group, shift, timed) = (Counts::default(), 0.0, 0.0);
            }
        }
        let uncertain = 2.0 * (rate / self.total.n.max(1.0)).sqrt();
        self.ceiling = rate + RATE_SLACK.max(uncertain + 2.0 * rates.beyond_chance());
        self.groups = shifts.groups as usize;
        self.slow = SLOW_SLACK.max((2.0 * shifts.beyond_chance()).exp());
    }

    /// Whether there is enough of the past to compare with.
    pub fn is_enough(&self) -> bool {
        self.total.n >= HISTORY_MIN
    }

    /// Requests and failures of the past.
    pub fn total(&self) -> Counts {
        self.total
    }

    /// How many strata there were.
    pub fn strata(&self) -> usize {
        self.strata.len()
    }

    /// The usual rate of a stratum.
    pub fn rate(&self, stratum: &str) -> f64 {
        let all = self.total.rate();
        let own = self.strata.get(stratum).copied().unwrap_or_default();
        inside((own.bad + BORROWED * all) / (own.n + BORROWED))
    }

    /// The highest rate of a stratum that is still usual.
    pub fn ceiling(&self, stratum: &str) -> f64 {
        let rate = self.rate(stratum);
        let factor = self.ceiling / inside(self.total.rate());
        inside((rate * factor).min(rate + 0.5).max(rate + RATE_SLACK))
    }

    /// The usual shape of a stratum's latencies.
    pub fn shape(&self, stratum: &str) -> Option<&Shape> {
        self.shapes.get(stratum).or(self.shape.as_ref())
    }

    /// The strata that have shapes of their own.
    pub(crate) fn shaped(&self) -> impl Iterator<Item = (&String, &Shape)> {
        self.shapes.iter()
    }

    /// The usual shape of all latencies together.
    pub fn all_shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
    }

    /// The slowdown up to which latencies are still usual.
    pub fn slow(&self) -> f64 {
        self.slow
    }

    /// How much slower than usual a version may be besides: little when the past was long enough to show how latencies come and go.
    pub fn slow_beside(&self) -> f64 {
        if self.groups >= GROUPS_MANY { SLOW_BESIDE_KNOWN } else { SLOW_BESIDE }
    }

    /// The failures just before the change, when there were clearly more than usual already.
    pub fn failing_already(&self) -> Option<Counts> {
        self.failing_already
    }

    /// Whether so many requests a second are no more than there were for a good part of the time before.
    pub fn is_usual_load(&self, per_second: f64) -> bool {
        self.loads < LOADS_MIN || per_second <= self.load_high * LOAD_SLACK
    }

    /// Whether so many requests a second are about what there usually is.
    pub fn is_common_load(&self, per_second: f64) -> bool {
        self.loads < LOADS_MIN || per_second <= self.load_usual * OVERLOAD
    }

    /// Whether so many requests a second are so much more than before that they may be the cause of anything.
    pub fn is_overload(&self, per_second: f64) -> bool {
        self.loads >= LOADS_MIN && per_second > self.load_max * OVERLOAD
    }

    /// The upper bounds of latency buckets, in seconds.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }
}

/// Deviations of groups from the mean, and what chance alone would give.
#[derive(Default)]
struct Spread {
    squares: f64,
    chance: f64,
    groups: f64,
}

impl Spread {
    fn push(&mut self, deviation: f64, variance: f64) {
        self.squares += deviation * deviation;
        self.chance += variance;
        self.groups += 1.0;
    }

    /// The standard deviation that chance does not explain. Half more than chance is given to the noise of the estimate itself.
    fn beyond_chance(&self) -> f64 {
        ((self.squares - 1.5 * self.chance) / self.groups.max(1.0)).max(0.0).sqrt()
    }
}

/// Adds counts of buckets.
pub(crate) fn add_buckets(sum: &mut Buckets, counts: &[f64]) {
    if sum.len() < counts.len() {
        sum.resize(counts.len(), 0.0);
    }
    for (sum, count) in sum.iter_mut().zip(counts) {
        *sum += count;
    }
}
