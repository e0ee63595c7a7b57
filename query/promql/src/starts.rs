//! Start times: since when the counter behind a sample counts. A counter that started anew was reset, even if its value did not
//! fall.

pub(crate) use model::counter_restarted as reset_between;

/// Whether the counter was reset between a sample and the one before. The columns may be empty, which says nothing.
pub(crate) fn is_reset(starts: &[i64], times: &[i64], at: usize) -> bool {
    if starts.is_empty() || at == 0 {
        return false;
    }
    reset_between((starts[at - 1], times[at - 1]), (starts[at], times[at]))
}

/// Whether a sample claims to count from before the sample before it, though with another start: the two count things twice.
pub(crate) fn overlaps(starts: &[i64], times: &[i64], at: usize) -> bool {
    if starts.is_empty() || at == 0 {
        return false;
    }
    overlap_between((starts[at - 1], times[at - 1]), starts[at])
}

/// As [`overlaps`], for a sample given as start time and time, and the start of the next.
pub(crate) fn overlap_between(before: (i64, i64), start: i64) -> bool {
    start != 0 && start < before.1 && start != before.0
}
