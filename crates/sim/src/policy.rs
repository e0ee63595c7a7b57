//! What decides about a release, and the run of a release under it.

use std::time::Duration;

use model::Timestamp;
use serde::Serialize;

use crate::confound::Confounder;
use crate::counts::Harm;
use crate::fault::Kind;
use crate::release::Release;
use crate::telemetry::Source;
use crate::time::{END_S, START_S, timestamp};
use crate::trace::Trace;
use crate::view::TelemetryView;

/// A rollback is blind when all sources of the policy were silent about the new version for so long before it.
pub const BLIND_S: u32 = 60;

/// What a policy says at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// Nothing yet.
    Wait,
    /// The release is bad: take it back. Ends the run.
    Rollback,
    /// The release looks good; the watch goes on.
    Good,
    /// The release is good, and nobody watches any longer. Ends the run.
    Promote,
    /// It can not be told, and why. Holds; the watch goes on.
    Unknown(String),
}

/// A way to decide about a release.
pub trait Policy {
    /// The name in reports.
    fn name(&self) -> String;

    /// Looks at what is known at a moment and decides.
    fn tick(&mut self, now: Timestamp, view: &TelemetryView<'_>) -> PolicyAction;

    /// Time from this tick to the next one, asked after each tick. At least a second.
    fn interval(&self) -> Duration;

    /// Where its data comes from.
    fn sources(&self) -> &'static [Source] {
        &[Source::Metrics]
    }

    /// Why it said what it said last, for people who look into an outcome.
    fn why(&self) -> String {
        String::new()
    }

    /// Part of the traffic that it now gives to the new version, when it routes traffic itself. Without one the release goes by
    /// its own plan.
    fn weight(&self) -> Option<f64> {
        None
    }
}

/// How a release went under a policy. Times are seconds after the start of the release.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The release's place in its set.
    pub index: u32,
    /// Requests a second.
    pub rate: f64,
    /// The truth.
    pub kind: Kind,
    /// What happened beside it.
    pub confounder: Confounder,
    /// Whether something that both versions depend on was at fault beside it.
    pub dependency_fault: bool,
    /// Whether what could be seen can convict it (of a bad release).
    pub decidable: bool,
    /// When the fault first touched a request, if it did in the course of the trace. A trace that a policy routes itself ends
    /// with its rollback.
    pub first_bad_s: Option<u32>,
    /// When it was rolled back.
    pub rollback_s: Option<u32>,
    /// When the policy first said Good, Bad or Promote.
    pub verdict_s: Option<u32>,
    /// Whether the last word was that it can not be told.
    pub held: bool,
    /// Whether the rollback was made without any telemetry of the new version.
    pub blind: bool,
    /// What the policy said of its last word.
    pub why: String,
    /// Harm that users saw.
    #[serde(skip)]
    pub harm: Harm,
}

/// Runs a release under a policy in virtual time. `planned` is the release's [`Trace::planned`]; it is shared by policies, because
/// a policy changes nothing before it acts.
pub fn run(release: &Release, planned: &Trace, policy: &mut dyn Policy) -> Outcome {
    let arrived = release.confounding.delivery.arrived();
    let mut routed = policy.weight().map(|_| planned.history());
    let mut now_s = START_S;
    let (mut rollback_s, mut verdict_s, mut held) = (None, None, false);
    while now_s < END_S {
        if let Some(trace) = &mut routed {
            trace.advance(release, now_s, policy.weight().unwrap_or(1.0));
        }
        let trace = routed.as_ref().unwrap_or(planned);
        let action = policy.tick(timestamp(now_s), &TelemetryView::new(release, trace, &arrived, now_s));
        held = matches!(action, PolicyAction::Unknown(_));
        if matches!(action, PolicyAction::Rollback | PolicyAction::Good | PolicyAction::Promote) {
            verdict_s = verdict_s.or(Some(now_s));
        }
        match action {
            PolicyAction::Rollback => rollback_s = Some(now_s),
            PolicyAction::Promote => {}
            PolicyAction::Wait | PolicyAction::Good | PolicyAction::Unknown(_) => {
                now_s += policy.interval().as_secs().max(1) as u32;
                continue;
            }
        }
        break;
    }
    if let (Some(trace), None) = (&mut routed, rollback_s) {
        trace.advance(release, END_S, policy.weight().unwrap_or(1.0));
    }
    let trace = routed.as_ref().unwrap_or(planned);
    let harm = match rollback_s {
        Some(decided_s) => trace.harm_with_rollback(release, decided_s),
        None => trace.harm_before(END_S),
    };
    Outcome {
        index: release.index,
        rate: release.service.rate,
        kind: release.fault.kind,
        confounder: release.confounding.confounder,
        dependency_fault: release.confounding.troubles.iter().any(|trouble| trouble.of_dependency),
        decidable: release.is_decidable(),
        first_bad_s: trace.first_touched_s().map(|second| second - START_S),
        rollback_s: rollback_s.map(|second| second - START_S),
        verdict_s: verdict_s.map(|second| second - START_S),
        held,
        blind: rollback_s.is_some_and(|second| release.was_blind(policy.sources(), second, BLIND_S)),
        why: policy.why(),
        harm,
    }
}

/// The policy of nobody: what happens when a bad release is left alone.
#[derive(Debug, Default)]
pub struct Nobody;

impl Policy for Nobody {
    fn name(&self) -> String {
        "nobody".to_owned()
    }

    fn tick(&mut self, _now: Timestamp, _view: &TelemetryView<'_>) -> PolicyAction {
        PolicyAction::Wait
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(END_S))
    }
}
