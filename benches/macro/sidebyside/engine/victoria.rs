//! What the servers of VictoriaMetrics have in common.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::http::{Connection, Request};

const BUSY_POLL: Duration = Duration::from_millis(200);
/// Polls without work before it counts as merged: between two merges there is none either.
const IDLE_POLLS: u32 = 10;
/// Polls before the runner gives up: half an hour.
const POLLS_MAX: u32 = 9_000;

/// Flushes, merges, and waits until the gauges whose names begin like these say that nothing is left to do.
pub(crate) fn settle_victoria(connection: &mut Connection, gauges: &[&str]) -> Result<()> {
    connection.send(&Request::get("/internal/force_flush"))?.ok()?;
    connection.send(&Request::get("/internal/force_merge"))?.ok()?;
    let mut idle = 0;
    for _ in 0..POLLS_MAX {
        std::thread::sleep(BUSY_POLL);
        let metrics = connection.send(&Request::get("/metrics"))?.ok()?;
        idle = if busy(&String::from_utf8_lossy(&metrics), gauges) { 0 } else { idle + 1 };
        if idle == IDLE_POLLS {
            return Ok(());
        }
    }
    bail!("still merging")
}

fn busy(metrics: &str, gauges: &[&str]) -> bool {
    let gauges = metrics.lines().filter(|line| gauges.iter().any(|gauge| line.starts_with(gauge)));
    gauges
        .filter_map(|line| line.rsplit_once(' '))
        .any(|(_, value)| value.parse::<f64>().is_ok_and(|value| value > 0.0))
}
