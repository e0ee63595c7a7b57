//! Which change an alert is likely about.
//!
//! A candidate's score is the product of four parts, each 0 to 1: **time** (how long before the alert it was last in motion),
//! **topology** (how far what it changed is from what the alert is about), **kind** (how often such changes cause outages) and **split**
//! (whether its new version fails more often than the old one beside it). A part that is 0 clears it. What can not be told apart
//! is called concurrent and left to people: attribution orders suspects, it never acts.

use std::cmp::Reverse;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use verdict::{Message, Span, stored_message, stored_messages};

use crate::rank_split::{SplitOutcome, VersionSplit};
use crate::{Change, ChangeKind, ServiceGraph, Target};

/// Two changes less than this apart can not be told apart by time, in nanoseconds: rules look back over a minute or so, and an alert
/// says when their condition began to hold, not when users were first hurt.
pub const APART_NS: i64 = 60_000_000_000;
/// A change that is at least this share as likely as the first suspect, splits aside, is its rival. Below, it is called far less
/// likely.
pub const RIVAL_SHARE: f64 = 0.2;
/// What the split part is without a split, or with one that is undecided. An innocent change looks worse in a split with a chance of
/// at most [`crate::SPLIT_ALPHA`], so ten times as likely is a modest thing to say of one that does.
pub const SPLIT_UNKNOWN: f64 = 0.1;
/// What the topology part is multiplied by for each step to a dependency.
pub const STEP_FACTOR: f64 = 0.5;
/// The topology part of a change that no path leads to, but that shares the namespace; halved for the cluster only.
pub const NEIGHBOUR: f64 = 0.1;

const MINUTE_NS: i64 = 60_000_000_000;

/// What attribution looks at.
#[derive(Clone, Copy, Debug)]
pub struct AttributionInput<'a> {
    /// The candidates, in any order.
    pub changes: &'a [Change],
    /// What the alert is about: its service, and what is known of where that runs.
    pub affected: &'a Target,
    /// When the alert's condition began to hold.
    pub active_at: Timestamp,
    /// How long before it a change may have ended, in nanoseconds.
    pub within_ns: i64,
    /// Who needs whom; without it only changes to the service itself are suspects, and neighbours.
    pub graph: Option<&'a ServiceGraph>,
    /// Versions that ran side by side, for the candidates that have them.
    pub splits: &'a [VersionSplit],
    /// When this is asked.
    pub now: Timestamp,
}

/// The parts of a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreParts {
    /// 1 while it was in motion when the alert became active, then halved with each half-life of its kind.
    pub time: f64,
    /// 1 for the service itself, less for what it depends on, 0 for what it does not.
    pub topology: f64,
    /// 1 when its new version fails more than the old one, 0 when they fail alike, [`SPLIT_UNKNOWN`] when that is not known.
    pub split: f64,
    /// How often changes of its kind cause outages, beside deploys.
    pub kind: f64,
}

impl ScoreParts {
    fn product(&self) -> f64 {
        self.split * self.without_split()
    }

    fn without_split(&self) -> f64 {
        self.time * self.topology * self.kind
    }
}

/// A change and how likely an alert is about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The change.
    pub change: Change,
    /// 0 (cleared) to 1: the product of its parts. An order, not a probability.
    pub score: f64,
    /// Why, for people: what counted most.
    pub reason: String,
    /// The same for readers of any language; nothing in records of before there was one.
    #[serde(default, deserialize_with = "stored_message", skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The parts of the score.
    #[serde(default)]
    pub parts: ScoreParts,
    /// Everything that was found, for people.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The same for readers of any language.
    #[serde(default, deserialize_with = "stored_messages", skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// What its version split says.
    #[serde(default = "no_split")]
    pub split: SplitOutcome,
    /// The numbers of its version split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<VersionSplit>,
}

fn no_split() -> SplitOutcome {
    SplitOutcome::None
}

/// The outcome of [`rank_with`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspects {
    /// The most likely change, if there is one.
    pub first: Option<Suspect>,
    /// Changes that can not be told apart from the first: a conflict, as long as there are any.
    pub concurrent: Vec<Suspect>,
    /// Changes that were looked at and cleared, or are far less likely; the reason says which.
    pub exonerated: Vec<Suspect>,
}

/// The half-life of the time part, in nanoseconds: how long the harm of such a change usually needs to show. What reaches every
/// request at once shows at once; what waits for a nightly job or an expiring credential shows late. Judged, not measured.
pub fn half_life_ns(kind: ChangeKind) -> i64 {
    match kind {
        ChangeKind::Flag | ChangeKind::Config | ChangeKind::Route => 5 * MINUTE_NS,
        ChangeKind::Deploy | ChangeKind::Scale => 10 * MINUTE_NS,
        ChangeKind::Infra => 30 * MINUTE_NS,
        ChangeKind::Schema | ChangeKind::Data | ChangeKind::Secret => 60 * MINUTE_NS,
    }
}

/// The kind part: the square root of the share of outages that such changes triggered, beside that of deploys.
///
/// The shares are Google's, of thousands of postmortems from 2010 to 2017 (The Site Reliability Workbook, 2018, appendix C, table
/// C-1): binary push 37 %, configuration push 31 %, processing pipeline 6 %, service provider change 5 %, capacity management 5 %,
/// hardware 2 %. Flags and routes count as configuration, data as the pipeline, machines as provider and hardware. The root, because
/// the table counts outages and not outages per change, and nobody publishes how often each kind is changed. The table does not
/// name schemas and credentials: they are put between deploys and data by judgement.
pub fn kind_prior(kind: ChangeKind) -> f64 {
    const DEPLOY: f64 = 37.0;
    let share = match kind {
        ChangeKind::Deploy => DEPLOY,
        ChangeKind::Config | ChangeKind::Flag | ChangeKind::Route => 31.0,
        ChangeKind::Schema => 18.0,
        ChangeKind::Secret => 9.0,
        ChangeKind::Infra => 7.0,
        ChangeKind::Data => 6.0,
        ChangeKind::Scale => 5.0,
    };
    (share / DEPLOY).sqrt()
}

/// Ranks changes as suspects for an alert or another bad signal.
///
/// The first suspect is the one with the highest score. Of the others, one that was over well before the first began is cleared,
/// because the service was healthy in between; one that the first's version split rules out is cleared; one that is nearly as likely
/// is concurrent. A change that rolled something back is a candidate like any other.
pub fn rank_with(input: &AttributionInput<'_>) -> Suspects {
    let mut ordered: Vec<Suspect> = input.changes.iter().map(|change| judge(input, change)).collect();
    ordered.sort_by(|a, b| {
        let ties = |suspect: &Suspect| (Reverse(suspect.change.started_at), suspect.change.key());
        b.score.total_cmp(&a.score).then_with(|| ties(a).cmp(&ties(b)))
    });
    let mut suspects = Suspects::default();
    for mut suspect in ordered {
        let Some(first) = &suspects.first else {
            if suspect.score > 0.0 {
                suspects.first = Some(suspect);
            } else {
                suspects.exonerated.push(suspect);
            }
            continue;
        };
        if suspect.score == 0.0 {
            suspects.exonerated.push(suspect);
            continue;
        }
        match beside(first, &suspect, input) {
            Beside::Rival(reason) => {
                suspect.conclude(reason);
                suspects.concurrent.push(suspect);
            }
            Beside::Unlikely(reason) => {
                suspect.conclude(reason);
                suspects.exonerated.push(suspect);
            }
            Beside::Cleared(reason) => {
                suspect.conclude(reason);
                suspect.score = 0.0;
                suspects.exonerated.push(suspect);
            }
        }
    }
    suspects
}

impl Suspect {
    /// What its place among the others rests on, said first.
    fn conclude(&mut self, reason: Message) {
        self.reason = reason.to_string();
        self.reasons.insert(0, self.reason.clone());
        self.messages.insert(0, reason.clone());
        self.message = Some(reason);
    }

    fn said(&self) -> Message {
        self.message.clone().unwrap_or_else(|| Message::Verbatim { text: self.reason.clone() })
    }
}

/// How a candidate stands beside the first suspect.
enum Beside {
    Rival(Message),
    Unlikely(Message),
    Cleared(Message),
}

fn beside(first: &Suspect, other: &Suspect, input: &AttributionInput<'_>) -> Beside {
    let change = Box::new(first.change.message());
    let (other_until, first_until) = (moved_until(&other.change, input.now), moved_until(&first.change, input.now));
    if other.split == SplitOutcome::Worse {
        return Beside::Rival(Message::LikewiseWorse { change, why: Box::new(other.said()) });
    }
    if other_until.saturating_add_ns(APART_NS) < first.change.started_at {
        return Beside::Cleared(Message::CameBefore { change });
    }
    let (worse, rest) = (&first.change.target.service, &other.change.target.service);
    // What needs the worse one has troubles of its own besides.
    let needs_it = input.graph.is_some_and(|graph| graph.path(rest, worse).is_some());
    if first.split == SplitOutcome::Worse && !needs_it {
        return Beside::Cleared(Message::OtherIsWorse { change });
    }
    if let (SplitOutcome::Worse, Some(worse), Some(versions)) = (first.split, &first.versions, &other.versions)
        && versions.ratio_is_below(worse.ratio_at_least())
    {
        return Beside::Cleared(Message::FarFromAsBad { change, counts: Box::new(versions.message()) });
    }
    let (base, of_first) = (other.parts.without_split(), first.parts.without_split());
    if base < RIVAL_SHARE * of_first {
        return Beside::Unlikely(Message::FarLessLikely { change, score: base, other_score: of_first });
    }
    Beside::Rival(if other.change.started_at > first_until {
        Message::CameBetween { change }
    } else if other_until >= first.change.started_at {
        Message::RanBeside { change }
    } else {
        Message::RanJustBefore { change, apart_ns: Span(APART_NS) }
    })
}

/// A candidate by itself.
fn judge(input: &AttributionInput<'_>, change: &Change) -> Suspect {
    let split = input.splits.iter().find(|split| split.change == change.key());
    let (time, time_reason) = time_part(input, change);
    let (topology, topology_reason) = topology_part(input, change);
    let (outcome, split_part, split_reason) = split_part(split);
    let reason = if time == 0.0 {
        time_reason.clone()
    } else if topology == 0.0 {
        topology_reason.clone()
    } else {
        match (outcome, &split_reason) {
            (SplitOutcome::Worse | SplitOutcome::Alike, Some(reason)) => reason.clone(),
            _ => Message::Both { first: Box::new(topology_reason.clone()), second: Box::new(time_reason.clone()) },
        }
    };
    let parts = ScoreParts { time, topology, split: split_part, kind: kind_prior(change.kind) };
    let messages: Vec<Message> =
        [Some(topology_reason), Some(time_reason), split_reason].into_iter().flatten().collect();
    Suspect {
        change: change.clone(),
        score: parts.product(),
        reason: reason.to_string(),
        message: Some(reason),
        parts,
        reasons: messages.iter().map(Message::to_string).collect(),
        messages,
        split: outcome,
        versions: split.cloned(),
    }
}

fn split_part(split: Option<&VersionSplit>) -> (SplitOutcome, f64, Option<Message>) {
    let Some(split) = split else { return (SplitOutcome::None, SPLIT_UNKNOWN, None) };
    let outcome = split.outcome();
    let counts = Box::new(split.message());
    let (part, reason) = match outcome {
        SplitOutcome::Worse => (1.0, Message::SplitWorse { counts }),
        SplitOutcome::Alike => (0.0, Message::SplitAlike { counts }),
        SplitOutcome::Undecided | SplitOutcome::None => (SPLIT_UNKNOWN, Message::SplitUndecided { counts }),
    };
    (outcome, part, Some(reason))
}

/// A change is an interval: as long as it is in motion its age is 0.
fn time_part(input: &AttributionInput<'_>, change: &Change) -> (f64, Message) {
    let early_ns = input.active_at.0.saturating_sub(change.started_at.0);
    if early_ns < 0 {
        return (0.0, Message::BeganAfterAlert { late_ns: Span(-early_ns) });
    }
    let age_ns = input.active_at.0.saturating_sub(moved_until(change, input.now).0).max(0);
    if age_ns > input.within_ns {
        return (0.0, Message::OverTooLong { age_ns: Span(age_ns), within_ns: Span(input.within_ns) });
    }
    let score = 0.5f64.powf(age_ns as f64 / half_life_ns(change.kind) as f64);
    let (early, age) = (Span(early_ns), Span(age_ns));
    let reason = match age_ns {
        0 => Message::BeganInMotion { early_ns: early },
        age_ns if age_ns == early_ns => Message::BeganBefore { early_ns: early },
        _ => Message::BeganAndOver { early_ns: early, age_ns: age },
    };
    (score, reason)
}

/// Until when a change was in motion. One without an end counts as the moment it began, or its latest stage: a source that
/// never reports ends must not make every later change of the day a conflict. One whose stages are not at 100 % is in motion now.
fn moved_until(change: &Change, now: Timestamp) -> Timestamp {
    let stage = change.stages.iter().max_by_key(|stage| stage.at);
    match (change.finished_at, stage) {
        (Some(finished), _) => finished,
        (None, Some(stage)) if stage.percent.is_none_or(|percent| percent < 100.0) => now.max(stage.at),
        (None, Some(stage)) => stage.at.max(change.started_at),
        (None, None) => change.started_at,
    }
}

fn topology_part(input: &AttributionInput<'_>, change: &Change) -> (f64, Message) {
    let (affected, target) = (input.affected, &change.target);
    if let (Some(here), Some(there)) = (&affected.environment, &target.environment)
        && here != there
    {
        return (0.0, Message::OtherEnvironment { theirs: there.clone(), ours: here.clone() });
    }
    if target.service == affected.service {
        return (1.0, Message::OfSameService {});
    }
    if let Some(path) = input.graph.and_then(|graph| graph.path(&affected.service, &target.service)) {
        let steps = path.len() - 1;
        let part = STEP_FACTOR.powi(i32::try_from(steps).unwrap_or(i32::MAX));
        let path = path.join(" -> ");
        return match steps {
            1 => (part, Message::OfDependency { path }),
            _ => (part, Message::OfFarDependency { steps: steps as u64, path }),
        };
    }
    let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    let same_cluster = same(&affected.cluster, &target.cluster);
    let may_be_same = same_cluster || affected.cluster.is_none() || target.cluster.is_none();
    if may_be_same && same(&affected.namespace, &target.namespace) {
        return (NEIGHBOUR, Message::InNamespace {});
    }
    if same_cluster {
        return (NEIGHBOUR / 2.0, Message::InCluster {});
    }
    let reverse = input.graph.is_some_and(|graph| graph.path(&target.service, &affected.service).is_some());
    let (needy, needed) = (affected.service.clone(), target.service.clone());
    let reason = if reverse { Message::NeedsTheOther { needed, needy } } else { Message::NotNeeded { needy, needed } };
    (0.0, reason)
}
