//! Work on several cores: tasks from one list, taken by threads that end with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::ExecError;

/// How long one thread works alone when nobody knows what a task costs. Most queries are over by then; starting a thread
/// costs a tenth of it.
const ALONE: Duration = Duration::from_micros(500);

/// What is known of the cost of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Nothing: most take microseconds.
    Unknown,
    /// More than starting a thread.
    Heavy,
}

/// Does all tasks, on up to `threads` threads; each folds its tasks into a state of its own. The first error ends it.
pub(crate) fn each<T: Send, S: Send>(
    threads: usize,
    cost: Cost,
    tasks: Vec<T>,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> Result<(), ExecError> + Sync,
) -> Result<Vec<S>, ExecError> {
    let mut tasks = tasks.into_iter();
    let mut first = state();
    let start = Instant::now();
    let alone = |left: usize| threads <= 1 || left <= 1 || (cost == Cost::Unknown && start.elapsed() < ALONE);
    while alone(tasks.len()) {
        match tasks.next() {
            Some(task) => work(&mut first, task)?,
            None => return Ok(vec![first]),
        }
    }
    let helpers = (threads - 1).min(tasks.len());
    let tasks = Mutex::new(tasks);
    let run = |mut mine: S| -> Result<S, ExecError> {
        loop {
            let Some(task) = tasks.lock().next() else { return Ok(mine) };
            let done = catch_unwind(AssertUnwindSafe(|| work(&mut mine, task))).unwrap_or_else(|_| Err(panicked()));
            if let Err(error) = done {
                // Nobody starts another task.
                tasks.lock().by_ref().for_each(drop);
                return Err(error);
            }
        }
    };
    std::thread::scope(|scope| {
        let mut others = Vec::with_capacity(helpers);
        for _ in 0..helpers {
            let thread = std::thread::Builder::new().name("query-scan".to_owned());
            // Without another thread the work is only slower.
            others.extend(thread.spawn_scoped(scope, || run(state())).ok());
        }
        let mut states = vec![run(first)];
        states.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|_| Err(panicked()))));
        states.into_iter().collect()
    })
}

fn panicked() -> ExecError {
    ExecError::Internal { message: "a worker of the scan panicked".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once() {
        for threads in [1, 2, 5] {
            let slow = |sum: &mut u64, n: u64| {
                if n == 0 {
                    let start = Instant::now();
                    while start.elapsed() < ALONE {
                        std::hint::spin_loop();
                    }
                }
                *sum += n;
                Ok(())
            };
            let sums = each(threads, Cost::Unknown, (0..100).collect(), || 0u64, slow).unwrap();
            assert_eq!(sums.iter().sum::<u64>(), 4_950);
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let fails = |_: &mut (), n: u64| if n == 7 { Err(ExecError::Canceled) } else { Ok(()) };
        assert!(matches!(each(4, Cost::Heavy, (0..1_000).collect(), || (), fails), Err(ExecError::Canceled)));
    }
}
