//! How many queries run at once, and how many wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::governor::Pressure;
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
    memory_soft_percent: u64,
    pressure: watch::Receiver<Pressure>,
}

/// Whether a query may hold much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It counts, or wants few rows.
    Light,
    Heavy,
}

impl Admission {
    pub(crate) fn new(limits: &QueryLimits, pressure: watch::Receiver<Pressure>) -> Self {
        let concurrency_max = limits.concurrency_max.max(1);
        Self {
            permits: Arc::new(Semaphore::new(concurrency_max)),
            waiting: AtomicUsize::new(0),
            concurrency_max,
            queue_max: limits.queue_max,
            queue_timeout_ms: limits.queue_timeout_ms,
            memory_soft_percent: limits.memory_soft_percent,
            pressure,
        }
    }

    /// Waits for a permit, in order of arrival, and a heavy query for memory before that. Fails when the queue is full or
    /// the wait is too long.
    pub(crate) async fn enter(&self, weight: Weight) -> Result<OwnedSemaphorePermit, QueryError> {
        let room = weight == Weight::Light || *self.pressure.borrow() == Pressure::None;
        if room && let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = Place::take(&self.waiting);
        if self.waiting.load(SeqCst) > self.queue_max {
            return Err(self.busy("query.queue_max", self.queue_max as u64));
        }
        let until = tokio::time::Instant::now() + Duration::from_millis(self.queue_timeout_ms);
        if weight == Weight::Heavy {
            let mut pressure = self.pressure.clone();
            let room = pressure.wait_for(|pressure| *pressure == Pressure::None);
            // Without a governor, which ends with the engine, nothing is held back.
            if tokio::time::timeout_at(until, room).await.is_err() {
                return Err(self.busy("query.memory_soft_percent", self.memory_soft_percent));
            }
        }
        match tokio::time::timeout_at(until, self.permits.clone().acquire_owned()).await {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(pressure: Pressure) -> (Admission, watch::Sender<Pressure>) {
        let limits = QueryLimits { queue_timeout_ms: 20, ..QueryLimits::default() };
        let (sender, receiver) = watch::channel(pressure);
        (Admission::new(&limits, receiver), sender)
    }

    #[tokio::test]
    async fn heavy_queries_wait_for_memory_and_light_ones_do_not() {
        let (admission, pressure) = admission(Pressure::Soft);
        drop(admission.enter(Weight::Light).await.unwrap());
        let refused = admission.enter(Weight::Heavy).await.unwrap_err();
        assert!(
            matches!(refused, QueryError::Busy { name: "query.memory_soft_percent", limit: 85, .. }),
            "{refused:?}"
        );
        let (entered, _) = tokio::join!(admission.enter(Weight::Heavy), async { pressure.send(Pressure::None) });
        drop(entered.unwrap());
        assert_eq!(admission.waiting.load(SeqCst), 0);
    }
}
