//! The default policies of other tools, written again from their published code and documents.
//!
//! Each is given its best reasonable reading: it sees the new version's own series (not the whole service's), it starts to look
//! the moment the release starts, and its queries never fail by themselves. A reading named `fitted` has thresholds that an operator
//! would set who knows the service (where the tool has absolute ones: from the two hours before); the tools do not do that. A reading named `own rollout` routes the traffic by the
//! tool's documented steps instead of the release's plan, as the tool really would.

mod argo;
mod flagger;
mod kayenta;
mod mann_whitney;

use model::Timestamp;

use crate::counts::Counts;
use crate::policy::Policy;
use crate::telemetry::Version;
use crate::time::{HISTORY_S, START_S, timestamp};
use crate::view::TelemetryView;

pub use argo::Argo;
pub use flagger::Flagger;
pub use kayenta::Kayenta;
pub use mann_whitney::{Shift, shift};

/// Every baseline, fresh.
pub fn all() -> Vec<Box<dyn Policy>> {
    vec![
        Box::new(Flagger::defaults()),
        Box::new(Flagger::documented()),
        Box::new(Flagger::fitted()),
        Box::new(Flagger::fitted_own_rollout()),
        Box::new(Argo::documented()),
        Box::new(Argo::fast()),
        Box::new(Argo::fitted()),
        Box::new(Argo::fitted_own_rollout()),
        Box::new(Kayenta::documented()),
        Box::new(Kayenta::critical()),
        Box::new(Kayenta::fitted()),
        Box::new(Kayenta::fitted_own_rollout()),
    ]
}

/// The time so many seconds before another.
fn before(at: Timestamp, seconds: u32) -> Timestamp {
    at.saturating_add_ns(-i64::from(seconds) * 1_000_000_000)
}

/// What the old version did in the two hours before the release.
fn history(view: &TelemetryView<'_>) -> Counts {
    let (from, to) = (timestamp(START_S - HISTORY_S), timestamp(START_S));
    view.increase(Version::Old, None, from, to).unwrap_or_default()
}

/// The success rate that an operator would ask for after a look at the history: a point less than it was, and never over 99 %.
fn fitted_success(view: &TelemetryView<'_>) -> f64 {
    (1.0 - history(view).error_rate().unwrap_or(0.0) - 0.01).min(0.99)
}
