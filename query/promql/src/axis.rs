//! Where the windows of all steps begin and end on one time axis. Series of one scrape target have the same times, so what was found for
//! one of them holds for the others.

use model::SharedSlice;

use crate::windows::{Extrapolation, Params, Window};

/// Axes of which it is remembered what was found: one for each target of a fleet, whose series alternate in the order of their labels.
const AXES_MAX: usize = 64;

/// The axes that were looked at lately. One thread's, for one operator.
#[derive(Default)]
pub(crate) struct Axis {
    known: Vec<Known>,
    /// Whose turn it is to go when there is no more room.
    next: usize,
}

/// What was found for one axis.
#[derive(Default)]
struct Known {
    times: SharedSlice<i64>,
    windows: Vec<Window>,
    /// For each step one more than the place of the newest sample at or before it, or zero.
    newest: Vec<u32>,
}

impl Axis {
    /// The windows of all steps over these times, of which `params` gives the bounds, which never go back.
    pub(crate) fn windows(
        &mut self,
        times: &SharedSlice<i64>,
        steps: usize,
        params: impl Fn(usize) -> Params,
    ) -> &[Window] {
        let known = self.of(times);
        if known.windows.len() != steps {
            known.windows.clear();
            known.find_windows(steps, params);
        }
        &known.windows
    }

    /// For each step one more than the place of the sample that is current at the time that it looks at, which never goes back: the newest
    /// one, if it is later than so long before. Zero where there is none.
    pub(crate) fn newest(
        &mut self,
        times: &SharedSlice<i64>,
        steps: usize,
        lookback_ms: i64,
        now: impl Fn(usize) -> i64,
    ) -> &[u32] {
        let known = self.of(times);
        if known.newest.len() != steps {
            known.newest.clear();
            known.find_newest(steps, lookback_ms, now);
        }
        &known.newest
    }

    /// What is known of an axis; nothing of one that is new.
    fn of(&mut self, times: &SharedSlice<i64>) -> &mut Known {
        let ends = |times: &[i64]| (times.len(), times.first().copied(), times.last().copied());
        let equal = |known: &Known| ends(&known.times) == ends(times) && known.times == *times;
        let found = self.known.iter().position(|known| known.times.is_same(times));
        if let Some(at) = found.or_else(|| self.known.iter().position(equal)) {
            return &mut self.known[at];
        }
        if self.known.len() < AXES_MAX {
            self.known.push(Known::default());
        }
        let at = self.next % AXES_MAX;
        self.next = at + 1;
        let known = &mut self.known[at];
        known.times = times.clone();
        known.windows.clear();
        known.newest.clear();
        known
    }
}

impl Known {
    fn find_windows(&mut self, steps: usize, params: impl Fn(usize) -> Params) {
        let times = &self.times;
        let (mut from, mut to) = (0, 0);
        for step in 0..steps {
            let params = params(step);
            while times.get(to).is_some_and(|time| *time <= params.end_ms) {
                to += 1;
            }
            while from < to && times[from] <= params.start_ms {
                from += 1;
            }
            let places = (from, to);
            self.windows.push(if to > from + 1 {
                Extrapolation::of(&times[from..to]).window(places, &params)
            } else {
                Window::at(places)
            });
        }
    }

    fn find_newest(&mut self, steps: usize, lookback_ms: i64, now: impl Fn(usize) -> i64) {
        let mut next = 0;
        for step in 0..steps {
            let now = now(step);
            while self.times.get(next).is_some_and(|time| *time <= now) {
                next += 1;
            }
            let is_current = next > 0 && self.times[next - 1] > now.saturating_sub(lookback_ms);
            self.newest.push(if is_current { next as u32 } else { 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More axes than are remembered, in turns, each found again as it is found anew.
    #[test]
    fn each_axis_has_its_own_windows() {
        let times = |axis: i64| (0..20).map(|at| at * 10 + axis).collect::<SharedSlice<i64>>();
        let mut axis = Axis::default();
        for turn in 0..3 {
            for number in 0..AXES_MAX as i64 + 7 {
                let now = |step: usize| step as i64 * 25;
                let found = axis.newest(&times(number), 8, 7, now).to_vec();
                let wanted = |step: usize| {
                    let count = times(number).iter().filter(|time| **time <= now(step)).count();
                    let age = |place: usize| now(step) - times(number)[place];
                    count.checked_sub(1).filter(|place| age(*place) < 7).map_or(0, |place| place as u32 + 1)
                };
                assert_eq!(found, (0..8).map(wanted).collect::<Vec<u32>>(), "{turn} {number}");
            }
            assert_eq!(axis.known.len(), AXES_MAX);
        }
    }
}
