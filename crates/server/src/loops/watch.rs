//! One thread goes on with the watches over changes, and tells the responder of verdicts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::ServiceBoard;
use catalog::ledger::Ledger;
use change::ChangeKind;
use change::{Check, CheckKind, Measure};
use respond::Responder;
use telemetry::{clock, metrics};
use watch::{Measured, MeasuredKind, Topology, Watcher, WatcherOptions};

use super::query::EngineQuery;
use super::{Stop, records, thread};

/// How often watches are gone on with; each decides by itself when it looks.
const TICK: Duration = Duration::from_millis(500);

/// The catalogue and the graph as a watch sees them.
struct Board(Arc<ServiceBoard>);

impl Topology for Board {
    /// What the service needs; and for what shows nothing itself, as a third party's, the others that need it. Who needs the service
    /// itself is left out: their failures may be its own.
    fn dependencies(&self, service: &str) -> Vec<String> {
        self.0.graph(|graph| {
            let callers: BTreeSet<&str> = graph.needed_by(service).collect();
            let needs: Vec<&str> = graph.needs(service).collect();
            let peers = needs.iter().flat_map(|needed| graph.needed_by(needed));
            let peers = peers.filter(|peer| *peer != service && !callers.contains(peer) && !needs.contains(peer));
            let mut seen = BTreeSet::new();
            needs.iter().copied().chain(peers).filter(|name| seen.insert(*name)).map(str::to_owned).collect()
        })
    }

    fn bake_ns(&self, service: &str, kind: ChangeKind) -> i64 {
        self.0.catalogue().bake_ns(service, kind)
    }

    fn measures(&self, service: &str) -> Vec<Measured> {
        let entry = self.0.catalogue().get(service);
        entry.into_iter().flat_map(|entry| &entry.checks).filter_map(measured).collect()
    }
}

/// A check of the catalogue as a watch asks it. What it can not compare is left out here and said by the manual.
fn measured(check: &Check) -> Option<Measured> {
    let (kind, total, bad) = match (&check.kind, &check.measure) {
        (CheckKind::Errors, Measure::Counts { bad, total }) => (MeasuredKind::Errors, total.clone(), Some(bad.clone())),
        (CheckKind::Saturation, Measure::Value { expr }) => (MeasuredKind::Saturation, expr.clone(), None),
        (CheckKind::Latency, Measure::Buckets { buckets }) => (MeasuredKind::Latency, buckets.clone(), None),
        _ => return None,
    };
    Some(Measured { name: check.name.clone(), kind, total, bad, version_label: check.version_label.clone() })
}

/// Starts the thread.
pub(crate) fn start(
    ledger: &Arc<Ledger>,
    board: &Arc<ServiceBoard>,
    responder: &Arc<Responder>,
    query: &EngineQuery,
    stop: &Stop,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let topology = Arc::new(Board(Arc::clone(board)));
    let mut watcher = Watcher::new(records(ledger), topology, WatcherOptions::default())?;
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
