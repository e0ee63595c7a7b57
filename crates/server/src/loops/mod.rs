//! The threads of the loop: rules are evaluated, runs of playbooks go on, notifications are delivered, the dependency graph is
//! learned.

pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod kubernetes;
pub(crate) mod people;
pub(crate) mod probe;
pub(crate) mod query;
pub(crate) mod respond;
pub(crate) mod rules;
pub(crate) mod services;
pub(crate) mod state;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::Duration;

use catalog::ledger::{Ledger, Records};
use parking_lot::{Condvar, Mutex};

/// Tells threads to end, and lets them sleep until then.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Tells them.
    pub(crate) fn stop(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    /// Sleeps; true when it is time to end.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let mut stopped = self.0.0.lock();
        if !*stopped {
            self.0.1.wait_for(&mut stopped, time);
        }
        *stopped
    }
}

/// The ledger as a trait object.
pub(crate) fn records(ledger: &Arc<Ledger>) -> Arc<dyn Records> {
    crate::crash::records(Arc::<Ledger>::clone(ledger))
}

/// Starts a named thread.
pub(crate) fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<std::thread::JoinHandle<()>> {
    Ok(std::thread::Builder::new().name(name.to_owned()).spawn(work)?)
}
