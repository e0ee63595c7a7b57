//! The queries that run now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use exec::Control;
use model::TenantId;
use parking_lot::Mutex;
use telemetry::metrics;
use tokio_util::sync::CancellationToken;

use crate::RunningQuery;

/// The queries that run now, by id.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    next_id: AtomicU64,
    running: Mutex<BTreeMap<u64, Arc<Entry>>>,
}

/// One running query.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) control: Arc<Control>,
    pub(crate) cancel: CancellationToken,
    pub(crate) started: Instant,
    tenant: TenantId,
    text: String,
}

impl Entry {
    /// Stops the query: its operators at their next check, its driver at once.
    pub(crate) fn stop(&self) {
        self.control.cancel();
        self.cancel.cancel();
    }
}

/// Keeps a query in the registry until dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Arc<Registry>,
    pub(crate) entry: Arc<Entry>,
}

impl Registry {
    pub(crate) fn add(self: &Arc<Self>, tenant: &TenantId, text: &str, control: Arc<Control>) -> Registered {
        let entry = Arc::new(Entry {
            id: self.next_id.fetch_add(1, Relaxed) + 1,
            control,
            cancel: CancellationToken::new(),
            started: Instant::now(),
            tenant: tenant.clone(),
            text: text.to_owned(),
        });
        let mut running = self.running.lock();
        running.insert(entry.id, entry.clone());
        metrics::QUERIES_ACTIVE.set(running.len() as f64);
        Registered { registry: self.clone(), entry }
    }

    pub(crate) fn cancel(&self, id: u64) -> bool {
        let entry = self.running.lock().get(&id).cloned();
        entry.map(|entry| entry.stop()).is_some()
    }

    /// Stops the query that holds most memory, when that is enough to matter and it was not stopped before; its id.
    pub(crate) fn stop_largest(&self, bytes_min: u64, reason: &dyn Fn(u64) -> String) -> Option<u64> {
        let running = self.running.lock();
        let candidates = running.values().filter(|entry| !entry.control.is_canceled());
        let largest = candidates.max_by_key(|entry| entry.control.memory_bytes())?;
        let held = largest.control.memory_bytes();
        if held < bytes_min {
            return None;
        }
        largest.control.cancel_for_memory(&reason(held));
        largest.cancel.cancel();
        Some(largest.id)
    }

    pub(crate) fn list(&self) -> Vec<RunningQuery> {
        let running = self.running.lock();
        running
            .values()
            .map(|entry| RunningQuery {
                id: entry.id,
                tenant: entry.tenant.to_string(),
                text: entry.text.clone(),
                elapsed_ms: u64::try_from(entry.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                rows_scanned: entry.control.rows_scanned(),
            })
            .collect()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut running = self.registry.running.lock();
        running.remove(&self.entry.id);
        metrics::QUERIES_ACTIVE.set(running.len() as f64);
    }
}
