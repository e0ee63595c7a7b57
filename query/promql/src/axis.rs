//! Where the windows of all steps begin and end on one time axis. Series of one scrape target have the same times, so what was found for
//! one of them holds for the next.

use crate::windows::{Extrapolation, Params, Reach};

/// The window of one step, as places on the axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// First sample inside.
    pub(crate) from: usize,
    /// First sample behind.
    pub(crate) to: usize,
    /// How far the samples reach; nothing without two samples.
    pub(crate) reach: Option<Reach>,
}

/// The windows of the axis that was looked at last. One thread's, for one operator.
#[derive(Default)]
pub(crate) struct Axis {
    times: Vec<i64>,
    windows: Vec<Window>,
    /// For each step one more than the place of the newest sample at or before it.
    newest: Vec<usize>,
}

impl Axis {
    /// The windows of all steps over these times, of which `params` gives the bounds, which never go back.
    pub(crate) fn windows(&mut self, times: &[i64], steps: usize, params: impl Fn(usize) -> Params) -> &[Window] {
        if self.windows.len() == steps && self.times == times {
            return &self.windows;
        }
        self.times.clear();
        self.times.extend_from_slice(times);
        self.windows.clear();
        let (mut from, mut to) = (0, 0);
        for step in 0..steps {
            let params = params(step);
            while times.get(to).is_some_and(|time| *time <= params.end_ms) {
                to += 1;
            }
            while from < to && times[from] <= params.start_ms {
                from += 1;
            }
            let reach = (to > from + 1).then(|| Extrapolation::of(&times[from..to]).reach(&params));
            self.windows.push(Window { from, to, reach });
        }
        &self.windows
    }

    /// For each step how many samples are at or before the time that it looks at, which never goes back.
    pub(crate) fn newest(&mut self, times: &[i64], steps: usize, now: impl Fn(usize) -> i64) -> &[usize] {
        if self.newest.len() == steps && self.times == times {
            return &self.newest;
        }
        self.times.clear();
        self.times.extend_from_slice(times);
        self.newest.clear();
        let mut next = 0;
        for step in 0..steps {
            let now = now(step);
            while times.get(next).is_some_and(|time| *time <= now) {
                next += 1;
            }
            self.newest.push(next);
        }
        &self.newest
    }
}
