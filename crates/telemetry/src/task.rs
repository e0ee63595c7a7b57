//! Named tasks.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::metrics::TASK_PANICS;

/// Starts a task under a name that its log lines carry. A panic inside is logged and counted before the handle reports it.
#[allow(clippy::disallowed_methods, reason = "the one place that spawns tasks")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let guard = PanicGuard { name };
    let guarded = async move {
        let output = future.await;
        drop(guard);
        output
    };
    tokio::spawn(guarded.instrument(tracing::info_span!("task", name)))
}

/// Notices that its task unwinds.
struct PanicGuard {
    name: &'static str,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            TASK_PANICS.add(1);
            tracing::error!(task = self.name, "task panicked");
        }
    }
}
