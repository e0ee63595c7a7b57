//! A lock whose guard may be sent to another thread and outlive the borrow of the store (an engine holds it over awaits), and
//! a signal that a thread waits for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Lets one in at a time.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    taken: Mutex<bool>,
    freed: Condvar,
}

/// Frees the gate when dropped.
#[derive(Debug)]
pub(crate) struct Passage(Arc<Gate>);

impl Gate {
    /// Waits until the gate is free and takes it.
    pub(crate) fn enter(self: &Arc<Self>) -> Passage {
        let mut taken = self.taken.lock();
        while *taken {
            self.freed.wait(&mut taken);
        }
        *taken = true;
        Passage(Arc::clone(self))
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        *self.0.taken.lock() = false;
        self.0.freed.notify_one();
    }
}

/// Something that one thread waits for and others say.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Says it.
    pub(crate) fn raise(&self) {
        let mut raised = self.raised.lock();
        if !*raised {
            *raised = true;
            self.changed.notify_all();
        }
    }

    /// Waits until it is said, and takes it back; false when it was not in this time.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let mut raised = self.raised.lock();
        while !*raised {
            if self.changed.wait_until(&mut raised, until).timed_out() {
                break;
            }
        }
        std::mem::take(&mut *raised)
    }
}
