//! Memory of queries: a pool for each, all under one budget.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

use crate::ExecError;
use crate::control::Control;

/// Marks the error of the shared budget.
pub(crate) const SHARED_MARK: &str = "of all queries";

/// What all running queries together may hold.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    held: AtomicU64,
}

impl Budget {
    /// A budget in bytes.
    pub fn new(limit_bytes: u64) -> Arc<Budget> {
        Arc::new(Budget { limit: limit_bytes, held: AtomicU64::new(0) })
    }

    /// Bytes held now.
    pub fn held_bytes(&self) -> u64 {
        self.held.load(Relaxed)
    }

    fn take(&self, bytes: u64) {
        self.held.fetch_add(bytes, Relaxed);
    }

    /// Gives back what was taken.
    pub fn give_back(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Relaxed);
    }

    fn try_take(&self, bytes: u64) -> DfResult<()> {
        self.hold(bytes).map_err(DataFusionError::ResourcesExhausted)
    }

    /// Takes bytes for a query that runs outside of this crate; says why there are none left. Whoever took them gives them back.
    pub fn hold(&self, bytes: u64) -> Result<(), String> {
        let taken = self
            .held
            .fetch_update(Relaxed, Relaxed, |held| held.checked_add(bytes).filter(|after| *after <= self.limit));
        taken.map(|_| ()).map_err(|held| {
            format!("{bytes} more bytes were wanted, and {held} {SHARED_MARK}' {} are held", self.limit)
        })
    }
}

/// The pool of one query. Operators that spill share it fairly; what it holds counts in the budget too, and is shown by the
/// query's control.
#[derive(Debug)]
pub(crate) struct QueryPool {
    own: FairSpillPool,
    limit: u64,
    budget: Arc<Budget>,
    control: Arc<Control>,
}

impl QueryPool {
    pub(crate) fn new(limit_bytes: u64, budget: Arc<Budget>, control: Arc<Control>) -> Self {
        let own = FairSpillPool::new(usize::try_from(limit_bytes).unwrap_or(usize::MAX));
        Self { own, limit: limit_bytes, budget, control }
    }

    fn count(&self, bytes: usize) {
        self.control.hold(bytes as u64);
    }
}

/// Memory of an operator of ours, counted in the query's pool.
#[derive(Debug)]
pub(crate) struct Held {
    reservation: MemoryReservation,
}

impl Held {
    /// Nothing yet.
    pub(crate) fn new(pool: &Arc<dyn MemoryPool>, name: &str) -> Self {
        Self { reservation: MemoryConsumer::new(name).register(pool) }
    }

    /// Another one of the same operator, for another thread.
    pub(crate) fn share(&self) -> Self {
        Self { reservation: self.reservation.new_empty() }
    }

    /// Says how much it is now. Fails when that is more than the query, or all queries, may hold.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), ExecError> {
        Ok(self.reservation.try_resize(bytes)?)
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} of {} bytes)", self.own.reserved(), self.limit)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.budget.take(additional as u64);
        self.own.grow(reservation, additional);
        self.count(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.budget.give_back(shrink as u64);
        self.control.sub_memory(shrink as u64);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DfResult<()> {
        self.budget.try_take(additional as u64)?;
        self.own.try_grow(reservation, additional).inspect_err(|_| self.budget.give_back(additional as u64))?;
        self.count(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(usize::try_from(self.limit).unwrap_or(usize::MAX))
    }
}
