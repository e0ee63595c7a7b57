//! Changes of one target in a row: which one another follows, and so from which version it came.

use crate::{Change, ChangeStatus};

/// Whether two changes are of one lane: the same source says the same kind of thing of the same target.
pub(crate) fn same_lane(a: &Change, b: &Change) -> bool {
    a.source == b.source && a.kind == b.kind && a.target == b.target
}

/// Whether `a` was over when `b` began. Of two changes at one instant the one with the smaller key is first, so that neither
/// follows the other.
fn precedes(a: &Change, b: &Change) -> bool {
    let Some(end) = a.finished_at else { return false };
    end < b.started_at || (end == b.started_at && (a.started_at, a.key()) < (b.started_at, b.key()))
}

/// The last change of the same lane that was over, without failure, when `change` began, and that says a version.
pub(crate) fn before<'a>(change: &Change, others: impl IntoIterator<Item = &'a Change>) -> Option<&'a Change> {
    let left_a_version = |other: &Change| {
        other.to_version.is_some() && !matches!(other.status, ChangeStatus::Failed | ChangeStatus::Running)
    };
    others
        .into_iter()
        .filter(|other| other.id != change.id && same_lane(other, change) && left_a_version(other))
        .filter(|other| precedes(other, change))
        .max_by_key(|other| (other.finished_at, other.started_at, other.key()))
}
