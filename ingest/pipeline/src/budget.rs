//! The budget of bytes in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{PushError, RETRY_IN_FLIGHT_MS};

/// A fixed number of bytes that reservations share. Never waits: who gets no room tells its sender to come back.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), max })
    }

    fn take(&self, bytes: usize) -> bool {
        let room = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok()
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }
}

/// Bytes that are given back when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    pub(crate) fn new(budget: &Arc<Budget>, bytes: usize) -> Result<Self, PushError> {
        let mut reservation = Self { budget: Arc::clone(budget), bytes: 0 };
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// Takes more; what was held stays held when there is no room.
    pub fn grow(&mut self, bytes: usize) -> Result<(), PushError> {
        if !self.budget.take(bytes) {
            return Err(PushError::Busy {
                retry_after_ms: RETRY_IN_FLIGHT_MS,
                reason: format!("{} bytes are in flight, the limit is {}", self.budget.used(), self.budget.max),
            });
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_never_exceed_the_budget_and_come_back() {
        let budget = Budget::new(100);
        let mut first = Reservation::new(&budget, 60).unwrap();
        assert!(matches!(Reservation::new(&budget, 41), Err(PushError::Busy { .. })));
        first.grow(40).unwrap();
        assert!(first.grow(1).is_err());
        assert!(first.grow(usize::MAX).is_err());
        assert_eq!((first.bytes(), budget.used()), (100, 100));
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(Reservation::new(&budget, 100).is_ok());
    }
}
