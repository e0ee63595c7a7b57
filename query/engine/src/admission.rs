//! How many queries run at once, and how many wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{QueryError, QueryLimits};

/// What a refused caller is told to wait, in milliseconds: by then a typical query is over.
const RETRY_AFTER_MS: u64 = 1_000;

/// Hands out permits to run.
#[derive(Debug)]
pub(crate) struct Admission {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    concurrency_max: usize,
    queue_max: usize,
    queue_timeout_ms: u64,
}

impl Admission {
    pub(crate) fn new(limits: &QueryLimits) -> Self {
        let concurrency_max = limits.concurrency_max.max(1);
        Self {
            permits: Arc::new(Semaphore::new(concurrency_max)),
            waiting: AtomicUsize::new(0),
            concurrency_max,
            queue_max: limits.queue_max,
            queue_timeout_ms: limits.queue_timeout_ms,
        }
    }

    /// Waits for a permit, in order of arrival. Fails when the queue is full or the wait is too long.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, QueryError> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = Place::take(&self.waiting);
        if self.waiting.load(SeqCst) > self.queue_max {
            return Err(self.busy("query.queue_max", self.queue_max as u64));
        }
        let wait = Duration::from_millis(self.queue_timeout_ms);
        match tokio::time::timeout(wait, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(QueryError::Canceled),
            Err(_) => Err(self.busy("query.queue_timeout_ms", self.queue_timeout_ms)),
        }
    }

    fn busy(&self, name: &'static str, limit: u64) -> QueryError {
        QueryError::Busy {
            name,
            limit,
            running: self.concurrency_max - self.permits.available_permits(),
            queued: self.waiting.load(SeqCst).saturating_sub(1),
            retry_after_ms: RETRY_AFTER_MS,
        }
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, SeqCst);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
