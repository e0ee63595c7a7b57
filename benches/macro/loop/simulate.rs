//! Runs the policies on the releases of a group, some releases at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use sim::{Outcome, Trace};

use crate::plan::Group;
use crate::policies;

/// Outcomes of one policy, in the order of the releases.
pub(crate) struct Outcomes {
    pub(crate) policy: String,
    pub(crate) outcomes: Vec<Outcome>,
}

/// Runs the policies of some names. The order of the results does not depend on the threads.
pub(crate) fn run(group: &Group, names: &[String], threads: usize) -> Result<Vec<Outcomes>> {
    let next = AtomicU32::new(0);
    let done: Mutex<Vec<(u32, Vec<Outcome>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| -> Result<()> {
        let mut workers = Vec::new();
        for number in 0..threads {
            let work = || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= group.count {
                        return;
                    }
                    let outcomes = one(group, index, names);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, outcomes));
                }
            };
            let builder = std::thread::Builder::new().name(format!("simulate-{number}"));
            workers.push(builder.spawn_scoped(scope, work).context("a thread did not start")?);
        }
        Ok(())
    })?;
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    let of = |number: usize| done.iter().map(|(_, outcomes)| outcomes[number].clone()).collect();
    Ok(names.iter().enumerate().map(|(number, name)| Outcomes { policy: name.clone(), outcomes: of(number) }).collect())
}

fn one(group: &Group, index: u32, names: &[String]) -> Vec<Outcome> {
    let release = group.release(index);
    let planned = Trace::planned(&release);
    let wanted = policies::all().into_iter().filter(|policy| names.contains(&policy.name()));
    wanted.map(|mut policy| sim::run(&release, &planned, policy.as_mut())).collect()
}
