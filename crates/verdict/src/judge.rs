//! From evidence to a verdict.

use model::Timestamp;

use crate::block::{Role, SILENCE_MAX_NS};
use crate::card::{Card, Compare, Exonerated, Side, Signal, SignalKind};
use crate::comparison::{ALIKE_LOG, Beside, DependencyHealth, RECENT_NS};
use crate::everywhere::Everywhere;
use crate::latency::{SLOWDOWNS, Shape};
use crate::leak::LEAK_FULL_WITHIN_NS;
use crate::message::{BEFORE, Message, USUAL, rounded};
use crate::pattern::PATTERN_RATE_MIN;
use crate::rates::{Counts, difference};
use crate::watch::{FAILURES_MIN, REQUESTS_MIN, Watch};
use crate::{UnknownReason, Verdict};

/// How long the newest counts go back when it is asked whether harm goes on, in nanoseconds.
const GOING_ON_NS: i64 = 10_000_000_000;
/// How full something must be, or how soon, before filling up is harm.
const FILL_MIN: f64 = 0.5;
/// Slowness of a smaller part of the requests is not harm that is worth a rollback.
const STRATUM_SHARE_MIN: f64 = 0.02;
/// Fewest failures of late before rates convict.
const FAILURES_LATELY_MIN: f64 = 2.0;
/// The level of intervals on cards.
const INTERVAL_ALPHA: f64 = 0.05;
/// How large differences usually are, for the width of intervals.
const DIFFERENCE_SPREAD: f64 = 0.02;
/// Fewest requests of the old version from which it is said that it does well under what both versions share.
pub(crate) const OLD_REQUESTS_MIN: f64 = 100.0;
/// How long after the change good may be said first, in nanoseconds.
const GOOD_AFTER_NS: i64 = 120_000_000_000;

/// A change that ran at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Concurrent {
    /// Which.
    pub what: Message,
    /// Why it matters.
    pub reason: Message,
    /// When it began.
    pub at: Timestamp,
    /// The service that was changed, when it is one that this service needs; `None` when it is this service itself.
    pub needed: Option<String>,
}

/// What is known besides the counts when a verdict is asked for.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Changes that ran at the same time.
    pub concurrent: Vec<Concurrent>,
    /// Changes that were looked at and cleared.
    pub cleared: Vec<Exonerated>,
    /// A question could not be answered.
    pub query_error: Option<String>,
    /// The measuring itself is suspect, and why.
    pub self_suspect: Option<String>,
}

impl Watch {
    /// The verdict at `now`, with its card.
    pub fn judge(&self, now: Timestamp, facts: &Facts) -> Card {
        let mut signals = self.signals();
        if let Some(excuse) = &self.excuse {
            let held = |signal: &&mut Signal| signal.compare == Compare::BeforeAfter && excuse.covers(signal.kind);
            for signal in signals.iter_mut().filter(held) {
                signal.say(Message::NotHeld { why: Box::new(excuse.reason.clone()) });
                signal.verdict = Verdict::Unknown(UnknownReason::Conflict);
            }
        }
        let (verdict, message) = self.conclude(&signals, now, facts);
        let mut exonerated = facts.cleared.clone();
        if let Some(excuse) = &self.excuse {
            let what = Message::ThisChange { other: excuse.what.clone() };
            exonerated.push(Exonerated::new(what, excuse.reason.clone()));
        }
        let would_change = self.would_change(&verdict, &signals);
        Card::new(verdict, message, self.until).with(signals, exonerated, would_change)
    }

    fn conclude(&self, signals: &[Signal], now: Timestamp, facts: &Facts) -> (Verdict, Message) {
        let unknown = |reason, message: Message| (Verdict::Unknown(reason), message);
        let version = self.spec.new_label.clone();
        if let Some(error) = &facts.query_error {
            return unknown(UnknownReason::QueryError, Message::Verbatim { text: error.clone() });
        }
        if let Some(why) = &facts.self_suspect {
            return unknown(UnknownReason::SelfSuspect, Message::Verbatim { text: why.clone() });
        }
        let Some(new_last) = self.new_last else {
            return unknown(UnknownReason::NoData, Message::NothingHeard { version });
        };
        let seconds = (now.0 - new_last.0) / 1_000_000_000;
        if now.0 - new_last.0 > 3 * SILENCE_MAX_NS {
            return unknown(UnknownReason::NoData, Message::Silent { version, seconds });
        }
        if now.0 - new_last.0 > SILENCE_MAX_NS {
            return unknown(UnknownReason::StaleData, Message::Stale { version, seconds });
        }
        let bad: Vec<&Signal> = signals.iter().filter(|signal| signal.verdict == Verdict::Bad).collect();
        let split = bad.iter().find(|signal| signal.compare == Compare::VersionSplit);
        if let Some(signal) = split {
            return (Verdict::Bad, signal.said());
        }
        if let Some(signal) = bad.first() {
            return self.conclude_before_after(signal, facts, now);
        }
        if let Some(excuse) = &self.excuse {
            let (other, why) = (excuse.what.clone(), Box::new(excuse.reason.clone()));
            return unknown(UnknownReason::Conflict, Message::NeitherWell { version, other, why });
        }
        let requests = self.new.total.n as u64;
        if self.good(signals, now) {
            return (Verdict::Good, Message::NoHarm { requests, version });
        }
        unknown(UnknownReason::LowSample, Message::SoFar { requests, version })
    }

    /// Worse than before, and nothing at the same time to compare with: only if nothing else can be the cause.
    fn conclude_before_after(&self, signal: &Signal, facts: &Facts, now: Timestamp) -> (Verdict, Message) {
        let conflict = |message: Message| (Verdict::Unknown(UnknownReason::Conflict), message);
        let that = Box::new(signal.said());
        match self.old_has_it(signal) {
            // What both versions share is then not the cause.
            Some(false) => return (Verdict::Bad, *that),
            Some(true) => return conflict(Message::OldHasIt { that, old: self.spec.old_label.clone() }),
            None => {}
        }
        if self.baseline.is_overload(self.load()) && !self.old_bears_the_load() {
            return conflict(Message::Overload { that });
        }
        if let Some(other) = facts.concurrent.iter().find(|other| !self.clears(other, now)) {
            let (change, why) = (Box::new(other.what.clone()), Box::new(other.reason.clone()));
            return conflict(Message::SameTime { that, change, why });
        }
        if let Some((name, _)) = self.dependencies.iter().find(|(_, health)| !health.well(now)) {
            return conflict(Message::DependencyUnknown { that, dependency: name.clone() });
        }
        let since = self.suspected_at.unwrap_or(self.until);
        let began = self.worse_since.unwrap_or(since);
        let excess = self.excess_of(signal);
        let accused = |health: &DependencyHealth| !health.heard_after(since) || !health.is_cleared(began, excess);
        if let Some((name, _)) = self.dependencies.iter().find(|(_, health)| accused(health)) {
            return conflict(Message::DependencyUnheard { that, dependency: name.clone() });
        }
        let untimed = self.dependencies.iter().find(|(_, health)| !health.timed());
        if let (SignalKind::Latency, Some((name, _))) = (signal.kind, untimed) {
            return conflict(Message::DependencyUntimed { that, dependency: name.clone() });
        }
        (Verdict::Bad, *that)
    }

    /// The share of requests that would have failed at a dependency, were it the cause.
    fn excess_of(&self, signal: &Signal) -> Option<f64> {
        match signal.kind {
            SignalKind::Errors => Some((signal.new.value - signal.old.value).max(0.0)),
            SignalKind::Pattern => self.patterns.strongest().map(|(_, watched)| watched.beside.new_rate()),
            SignalKind::Latency | SignalKind::Saturation | SignalKind::Probe => None,
        }
    }

    /// Whether the old version, which runs beside the new one, has what the new one has. Nothing when it is not there to tell.
    fn old_has_it(&self, signal: &Signal) -> Option<bool> {
        let runs = self.old.lately(self.until, GOING_ON_NS).n * 4.0 >= self.old.lately(self.until, RECENT_NS).n;
        let beside = match signal.kind {
            SignalKind::Errors => self.failures_beside(),
            SignalKind::Pattern => self.patterns.strongest()?.1.beside,
            SignalKind::Latency | SignalKind::Saturation | SignalKind::Probe => return None,
        };
        if runs { beside.is_alike() } else { None }
    }

    /// Failures of both versions of late.
    pub(crate) fn failures_beside(&self) -> Beside {
        let mut beside = Beside::default();
        self.old.recent().zip(self.new.recent()).for_each(|(old, new)| beside.add(old, new));
        beside
    }

    /// Whether the old version ran under the load of now and did well: then load is not the cause.
    fn old_bears_the_load(&self) -> bool {
        let old = self.overloaded_old.total;
        old.n >= OLD_REQUESTS_MIN && old.rate() <= self.baseline.total().rate() + self.spec.harm_min
    }

    /// Whether another change is seen not to be the cause: what it changed does well, or the old version, which has it as well, does.
    fn clears(&self, other: &Concurrent, now: Timestamp) -> bool {
        match &other.needed {
            // What shows nothing itself is seen through the others that need it.
            Some(needed) => match self.dependencies.get(needed) {
                Some(health) => health.well(now),
                None => !self.dependencies.is_empty() && self.dependencies.values().all(|health| health.well(now)),
            },
            None => {
                let old = self.old.lately(self.until, RECENT_NS);
                let has_it = self
                    .old_last
                    .is_some_and(|last| last.0 - other.at.0 >= RECENT_NS && now.0 - last.0 <= SILENCE_MAX_NS);
                let well = self.errors.old.log_e().max(self.latency.old.log_e()) < ALIKE_LOG;
                has_it
                    && well
                    && old.n >= OLD_REQUESTS_MIN
                    && old.rate() <= self.baseline.total().rate() + self.spec.harm_min
            }
        }
    }

    fn good(&self, signals: &[Signal], now: Timestamp) -> bool {
        let old_enough = now.0 - self.new_seen.unwrap_or(now).0 >= GOOD_AFTER_NS;
        let enough = self.new.total.n >= REQUESTS_MIN * 5.0;
        let suspicious = signals.iter().any(|signal| signal.log_e >= ALIKE_LOG);
        let bounded = signals.iter().filter(|signal| signal.kind == SignalKind::Errors);
        let bounded =
            bounded.filter_map(|signal| signal.interval).any(|(_, high)| high / 100.0 < self.spec.good_margin);
        old_enough && enough && !suspicious && bounded
    }

    fn signals(&self) -> Vec<Signal> {
        let mut signals = vec![self.errors_split(), self.errors_before()];
        signals.extend(self.latency_signal(Compare::VersionSplit));
        signals.extend(self.latency_signal(Compare::BeforeAfter));
        signals.extend(self.pattern_signal());
        signals.extend(self.fill_signal());
        signals.extend(self.probe_signal());
        signals
    }

    fn errors_split(&self) -> Signal {
        let recent = |tally: &crate::comparison::Tally| tally.lately(self.until, RECENT_NS);
        let (old, new) = (recent(&self.old), recent(&self.new));
        let now_old = if old.n > 0.0 { old } else { self.old.total };
        let detector = &self.errors.split;
        self.errors_signal(
            Message::SignalErrors {},
            Compare::VersionSplit,
            detector,
            self.spec.alphas.errors_split,
            now_old,
            new,
        )
    }

    fn errors_before(&self) -> Signal {
        let new = self.new.lately(self.until, RECENT_NS);
        let old = self.baseline.total();
        let detector = &self.errors.before;
        self.errors_signal(
            Message::SignalErrorsBefore {},
            Compare::BeforeAfter,
            detector,
            self.spec.alphas.errors_before,
            old,
            new,
        )
    }

    fn errors_signal(
        &self,
        title: Message,
        compare: Compare,
        detector: &Everywhere,
        alpha: f64,
        old: Counts,
        new: Counts,
    ) -> Signal {
        let effect = new.rate() - old.rate();
        let needed = (1.0 / alpha).ln();
        let going_on = self.new.lately(self.until, GOING_ON_NS);
        let harm = effect >= self.spec.harm_min
            && (going_on.n < REQUESTS_MIN || going_on.rate() - old.rate() >= self.spec.harm_min / 2.0);
        let enough =
            self.new.total.n >= REQUESTS_MIN && self.new.total.bad >= FAILURES_MIN && new.bad >= FAILURES_LATELY_MIN;
        let verdict = match detector.log_e() >= needed && harm {
            true if enough => Verdict::Bad,
            _ if self.new.total.n < REQUESTS_MIN => Verdict::Unknown(UnknownReason::LowSample),
            _ if detector.log_e() >= ALIKE_LOG => Verdict::Unknown(UnknownReason::LowSample),
            _ => Verdict::Good,
        };
        let beside = if compare == Compare::VersionSplit { &self.spec.old_label } else { BEFORE };
        let (_, low, high) = match compare {
            Compare::VersionSplit => difference(self.old.total, self.new.total, INTERVAL_ALPHA, DIFFERENCE_SPREAD),
            Compare::BeforeAfter => {
                difference(self.baseline.total(), self.new.total, INTERVAL_ALPHA, DIFFERENCE_SPREAD)
            }
        };
        let message = self.failures_told(compare, old, new);
        let side = |label: &str, counts: Counts| Side {
            label: label.to_owned(),
            n: counts.n.round(),
            bad: Some(counts.bad.round()),
            value: counts.rate(),
        };
        Signal {
            name: title.to_string(),
            title: Some(title),
            kind: SignalKind::Errors,
            query: String::new(),
            compare,
            old: side(beside, old),
            new: side(&self.spec.new_label, new),
            effect: 100.0 * effect,
            effect_unit: "points".to_owned(),
            interval: Some((100.0 * low, 100.0 * high)),
            log_e: detector.log_e(),
            log_e_needed: needed,
            min_n: REQUESTS_MIN,
            verdict,
            detail: message.to_string(),
            message: Some(message),
        }
    }

    fn failures_told(&self, compare: Compare, old: Counts, new: Counts) -> Message {
        let (percent, requests, version) = (rounded(100.0 * new.rate(), 2), new.n as u64, self.spec.new_label.clone());
        let (old_percent, old_requests) = (rounded(100.0 * old.rate(), 2), old.n as u64);
        match compare {
            Compare::VersionSplit => {
                let old = self.spec.old_label.clone();
                Message::ErrorsBeside { percent, requests, version, old_percent, old_requests, old }
            }
            Compare::BeforeAfter => Message::ErrorsBefore { percent, requests, version, old_percent, old_requests },
        }
    }

    fn latency_signal(&self, compare: Compare) -> Option<Signal> {
        let bounds = self.baseline.bounds();
        let new_buckets = self.shapes.lately(Role::New);
        let new = Shape::of(bounds, &new_buckets)?;
        let (detector, alpha) = match compare {
            Compare::VersionSplit => (&self.latency.split, self.spec.alphas.latency_split),
            Compare::BeforeAfter => (&self.latency.before, self.spec.alphas.latency_before),
        };
        let old_buckets = self.shapes.lately(Role::Old);
        let (old, old_n, label) = match compare {
            Compare::VersionSplit => {
                (Shape::of(bounds, &old_buckets)?, old_buckets.iter().sum(), self.spec.old_label.as_str())
            }
            Compare::BeforeAfter => (self.baseline.all_shape()?.clone(), self.baseline.total().n, BEFORE),
        };
        let n: f64 = new_buckets.iter().sum();
        let (likeliest, only) = detector.likeliest();
        let factor = likeliest.map_or(1.0, |at| SLOWDOWNS[at]);
        let beside = compare == Compare::VersionSplit;
        let share = only.map_or(1.0, |stratum| self.latency.share(stratum));
        let (shift, error) = self.latency.effect(&self.baseline, beside, only).unwrap_or((0.0, f64::INFINITY));
        let (effect, surely) = (shift.exp(), (shift - error).exp());
        let needed = (1.0 / alpha).ln();
        let edge = self.baseline.slow() * self.baseline.slow_beside();
        let slow_min = if beside { self.spec.slow_min } else { self.spec.slow_min.max(edge) };
        let verdict = match detector.log_e() >= needed && surely >= slow_min && share >= STRATUM_SHARE_MIN {
            true if n >= REQUESTS_MIN => Verdict::Bad,
            _ if n < REQUESTS_MIN || detector.log_e() >= ALIKE_LOG => Verdict::Unknown(UnknownReason::LowSample),
            _ => Verdict::Good,
        };
        let quantiles = |shape: &Shape| (1e3 * shape.quantile(0.5), 1e3 * shape.quantile(0.99));
        let ((new_50, new_99), (old_50, old_99)) = (quantiles(&new), quantiles(&old));
        let side = |label: &str, n: f64, shape: &Shape| Side {
            label: label.to_owned(),
            n: n.round(),
            bad: None,
            value: shape.quantile(0.5),
        };
        let title = if beside { Message::SignalLatency {} } else { Message::SignalLatencyBefore {} };
        let message = Message::Latencies {
            version: self.spec.new_label.clone(),
            median_ms: rounded(new_50, 0),
            p99_ms: rounded(new_99, 0),
            old: label.to_owned(),
            old_median_ms: rounded(old_50, 0),
            old_p99_ms: rounded(old_99, 0),
            factor,
        };
        Some(Signal {
            name: title.to_string(),
            title: Some(title),
            kind: SignalKind::Latency,
            query: String::new(),
            compare,
            old: side(label, old_n, &old),
            new: side(&self.spec.new_label, n, &new),
            effect,
            effect_unit: "ratio".to_owned(),
            interval: error.is_finite().then(|| ((shift - 2.0 * error).exp(), (shift + 2.0 * error).exp())),
            log_e: detector.log_e(),
            log_e_needed: needed,
            min_n: REQUESTS_MIN,
            verdict,
            detail: message.to_string(),
            message: Some(message),
        })
    }

    fn pattern_signal(&self) -> Option<Signal> {
        let (pattern, watched) = self.patterns.strongest()?;
        let needed = (1.0 / self.spec.alphas.patterns).ln() + watched.penalty;
        let rate = self.patterns.rate(watched);
        let alike = self.patterns.alike(watched);
        let enough = watched.new >= FAILURES_MIN && rate >= PATTERN_RATE_MIN;
        let verdict = match watched.detector.log_e() >= needed && enough {
            true if alike => Verdict::Unknown(UnknownReason::Conflict),
            true => Verdict::Bad,
            false => Verdict::Good,
        };
        let side = |label: &str, n: f64, lines: f64| Side {
            label: label.to_owned(),
            n: n.round(),
            bad: Some(lines.round()),
            value: lines / n.max(1.0),
        };
        let title = Message::SignalLines { pattern: pattern.to_owned() };
        let lines = Message::Lines {
            lines: watched.new as u64,
            requests: self.patterns.new_requests() as u64,
            version: self.spec.new_label.clone(),
            usual_percent: rounded(100.0 * watched.usual, 2),
        };
        let message = if alike { Message::LinesOfBoth { that: Box::new(lines) } } else { lines };
        Some(Signal {
            name: title.to_string(),
            title: Some(title),
            kind: SignalKind::Pattern,
            query: String::new(),
            compare: Compare::BeforeAfter,
            old: side(USUAL, self.baseline.total().n, watched.usual * self.baseline.total().n),
            new: side(&self.spec.new_label, self.patterns.new_requests(), watched.new),
            effect: rate / watched.usual,
            effect_unit: "ratio".to_owned(),
            interval: None,
            log_e: watched.detector.log_e(),
            log_e_needed: needed,
            min_n: FAILURES_MIN,
            verdict,
            detail: message.to_string(),
            message: Some(message),
        })
    }

    fn fill_signal(&self) -> Option<Signal> {
        let (fill, full_in_ns) = self.leak.outlook()?;
        let needed = (1.0 / self.spec.alphas.saturation).ln();
        let soon = full_in_ns < LEAK_FULL_WITHIN_NS && (fill >= FILL_MIN || full_in_ns < LEAK_FULL_WITHIN_NS / 2);
        let above_old = fill > self.old_fill + 0.05;
        let verdict = if self.leak.log_e() >= needed && soon && above_old { Verdict::Bad } else { Verdict::Good };
        let side = |label: &str, value: f64| Side { label: label.to_owned(), n: 0.0, bad: None, value };
        let (title, message) = (Message::SignalFilling {}, self.filling_told(fill, full_in_ns));
        Some(Signal {
            name: title.to_string(),
            title: Some(title),
            kind: SignalKind::Saturation,
            query: String::new(),
            compare: Compare::BeforeAfter,
            old: side(&self.spec.old_label, self.old_fill),
            new: side(&self.spec.new_label, fill),
            effect: 100.0 * (fill - self.old_fill),
            effect_unit: "points".to_owned(),
            interval: None,
            log_e: self.leak.log_e(),
            log_e_needed: needed,
            min_n: 0.0,
            verdict,
            detail: message.to_string(),
            message: Some(message),
        })
    }

    fn filling_told(&self, fill: f64, full_in_ns: i64) -> Message {
        Message::Filling {
            version: self.spec.new_label.clone(),
            percent: rounded(100.0 * fill, 0),
            minutes: full_in_ns / 60_000_000_000,
            old_percent: rounded(100.0 * self.old_fill, 0),
        }
    }

    fn probe_signal(&self) -> Option<Signal> {
        let counts = self.probe_tally.total;
        if counts.n == 0.0 {
            return None;
        }
        let needed = (1.0 / self.spec.alphas.probes).ln();
        let lately = self.probe_tally.lately(self.until, RECENT_NS);
        let harm = self.probes.log_e() >= needed && counts.bad >= FAILURES_MIN && lately.rate() > 0.2;
        let side = |label: &str, counts: Counts| Side {
            label: label.to_owned(),
            n: counts.n.round(),
            bad: Some(counts.bad.round()),
            value: counts.rate(),
        };
        let title = Message::SignalProbes {};
        let message = Message::ProbesFailed { failed: counts.bad as u64, probes: counts.n as u64 };
        Some(Signal {
            name: title.to_string(),
            title: Some(title),
            kind: SignalKind::Probe,
            query: String::new(),
            compare: Compare::BeforeAfter,
            old: side(BEFORE, Counts::default()),
            new: side(&self.spec.new_label, counts),
            effect: 100.0 * lately.rate(),
            effect_unit: "points".to_owned(),
            interval: None,
            log_e: self.probes.log_e(),
            log_e_needed: needed,
            min_n: FAILURES_MIN,
            verdict: if harm { Verdict::Bad } else { Verdict::Good },
            detail: message.to_string(),
            message: Some(message),
        })
    }

    fn would_change(&self, verdict: &Verdict, signals: &[Signal]) -> Vec<Message> {
        let mut messages = Vec::new();
        match verdict {
            Verdict::Bad => {
                for signal in signals.iter().filter(|signal| signal.verdict == Verdict::Bad) {
                    let (log_e, needed) = (rounded(signal.log_e, 1), rounded(signal.log_e_needed, 1));
                    messages.push(Message::WithoutSignal { signal: Box::new(signal.named()), log_e, needed });
                }
                messages.push(Message::AlikeClears {});
            }
            Verdict::Good => messages.push(Message::AnySignal {}),
            Verdict::Unknown(_) => {
                if let Some(nearest) =
                    signals.iter().max_by(|a, b| (a.log_e - a.log_e_needed).total_cmp(&(b.log_e - b.log_e_needed)))
                {
                    let (log_e, needed) = (rounded(nearest.log_e, 1), rounded(nearest.log_e_needed, 1));
                    messages.push(Message::BadAt { signal: Box::new(nearest.named()), needed, log_e });
                }
                messages.push(Message::GoodBelow { points: 100.0 * self.spec.good_margin });
            }
        }
        messages
    }
}
