//! The time that an action has left.

use std::time::{Duration, Instant};

/// A point in time that every part of an action shares: parts do not add up to more than the whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    whole: Duration,
}

impl Deadline {
    /// `timeout` from now.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self { at: Instant::now() + timeout, whole: timeout }
    }

    /// After the time limit of a request, in nanoseconds.
    pub(crate) fn of_ns(timeout_ns: i64) -> Self {
        Self::after(Duration::from_nanos(timeout_ns.max(0).unsigned_abs()))
    }

    /// What is left; zero when it has passed.
    pub(crate) fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How long it was at first.
    pub(crate) fn whole(self) -> Duration {
        self.whole
    }

    /// Whether it has passed.
    pub(crate) fn passed(self) -> bool {
        self.left().is_zero()
    }

    /// Sleeps, but not beyond the deadline.
    pub(crate) fn pause(self, pause: Duration) {
        std::thread::sleep(pause.min(self.left()));
    }
}
