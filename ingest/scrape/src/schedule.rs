//! When a target is scraped: spread over the interval by its hash, at even times.

use std::time::Duration;

use crate::limits::ALIGN_TOLERANCE;

/// The times of one target. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    interval_ns: i64,
    /// The even time that scrapes are measured against.
    even_ns: i64,
}

/// How long to wait before the first scrape: every target has its own place in the interval, which is the same after a restart, and
/// another one on another server (`seed`).
pub(crate) fn first_wait(now_ns: i64, interval: Duration, hash: u64, seed: u64) -> Duration {
    let interval_ns = interval_ns(interval);
    let place = ((hash ^ seed) % interval_ns.unsigned_abs()) as i64;
    let wait = (place - now_ns).rem_euclid(interval_ns);
    Duration::from_nanos(wait.unsigned_abs())
}

fn interval_ns(interval: Duration) -> i64 {
    i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX).max(1)
}

impl Schedule {
    /// Begins with the first scrape.
    pub(crate) fn new(now_ns: i64, interval: Duration) -> Self {
        Self { interval_ns: interval_ns(interval), even_ns: now_ns }
    }

    /// The time that a scrape at `now` is written down with: the even one where it is near enough.
    pub(crate) fn align(&mut self, now_ns: i64) -> i64 {
        let tolerance = (self.interval_ns / 100).min(ALIGN_TOLERANCE.as_nanos() as i64);
        let passed = now_ns.saturating_sub(self.even_ns);
        if passed >= self.interval_ns {
            self.even_ns += passed / self.interval_ns * self.interval_ns;
        }
        let late = now_ns - self.even_ns;
        // A clock that was set back begins a new grid.
        if late < -self.interval_ns {
            self.even_ns = now_ns;
            return now_ns;
        }
        // A timer may come a little early too.
        let next = self.even_ns.saturating_add(self.interval_ns);
        if next - now_ns <= tolerance {
            self.even_ns = next;
            return next;
        }
        if late.abs() <= tolerance { self.even_ns } else { now_ns }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEC: i64 = 1_000_000_000;
    const MS: i64 = 1_000_000;

    #[test]
    fn times_snap_to_the_grid() {
        let mut schedule = Schedule::new(100 * SEC, Duration::from_secs(15));
        assert_eq!(schedule.align(100 * SEC), 100 * SEC);
        assert_eq!(schedule.align(115 * SEC + 2 * MS), 115 * SEC, "2 ms late");
        assert_eq!(schedule.align(130 * SEC - MS), 130 * SEC, "1 ms early");
        assert_eq!(schedule.align(145 * SEC + 3 * MS), 145 * SEC + 3 * MS, "3 ms are too much");
        assert_eq!(schedule.align(190 * SEC + MS), 190 * SEC, "two were missed");
        let mut fast = Schedule::new(0, Duration::from_millis(100));
        assert_eq!(fast.align(101 * MS), 100 * MS, "a hundredth of the interval");
        assert_eq!(fast.align(201 * MS + 1), 201 * MS + 1);
    }

    #[test]
    fn a_clock_set_back_begins_anew() {
        let mut schedule = Schedule::new(1000 * SEC, Duration::from_secs(15));
        assert_eq!(schedule.align(500 * SEC), 500 * SEC);
        assert_eq!(schedule.align(515 * SEC + MS), 515 * SEC);
    }

    proptest! {
        #[test]
        fn every_target_has_its_place(now in 0i64..2_000_000_000 * SEC, interval_ms in 1i64..3_600_000, hash: u64, seed: u64) {
            let interval = Duration::from_millis(interval_ms.unsigned_abs());
            let wait = first_wait(now, interval, hash, seed);
            prop_assert!(wait < interval);
            let place = (now + wait.as_nanos() as i64) % (interval_ms * MS);
            prop_assert_eq!(place.unsigned_abs(), (hash ^ seed) % (interval_ms * MS).unsigned_abs());
        }
    }
}
