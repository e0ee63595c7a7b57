//! One thread goes on with the watches over changes, and tells the responder of verdicts.

use std::sync::Arc;
use std::time::Duration;

use api::ServiceBoard;
use catalog::ledger::Ledger;
use respond::Responder;
use telemetry::{clock, metrics};
use watch::{Watcher, WatcherOptions};

use super::health::OwnHealth;
use super::query::EngineQuery;
use super::{Stop, records, thread};

/// How often watches are gone on with; each decides by itself when it looks.
const TICK: Duration = Duration::from_millis(500);

/// Starts the thread.
pub(crate) fn start(
    ledger: &Arc<Ledger>,
    board: &Arc<ServiceBoard>,
    health: &Arc<OwnHealth>,
    responder: &Arc<Responder>,
    query: &EngineQuery,
    stop: &Stop,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let watcher = Watcher::new(records(ledger), Arc::<ServiceBoard>::clone(board), WatcherOptions::default())?;
    let mut watcher = watcher.with_health(Arc::<OwnHealth>::clone(health));
    let (responder, query, stop) = (Arc::clone(responder), query.clone(), stop.clone());
    thread("watch", move || {
        while !stop.sleep(TICK) {
            let now = clock::now();
            match watcher.tick(now, &query) {
                Ok(alerts) => {
                    if let Err(error) = responder.observe(&alerts, now) {
                        tracing::error!(%error, "verdicts were not taken in; the next look tries again");
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "watches over changes could not go on; the next look tries again")
                }
            }
            metrics::WATCHES.set(watcher.going_on() as f64);
        }
    })
}
