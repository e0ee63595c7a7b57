//! The promise that an append makes: a future that can also be waited for without a runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};

use crate::WalError;

/// Resolves when the record is durable, or to the reason why it is not. Dropping it changes nothing about the record.
#[derive(Debug)]
pub struct Ticket {
    lsn: u64,
    shared: Arc<Shared>,
}

/// The other end of a [`Ticket`]. Dropped unresolved, it resolves to [`WalError::Closed`].
#[derive(Debug)]
pub struct Resolver {
    shared: Option<Arc<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    resolved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    result: Option<Result<(), WalError>>,
    waker: Option<Waker>,
}

impl Ticket {
    /// A ticket for a record number and its other end.
    pub fn new(lsn: u64) -> (Resolver, Ticket) {
        let shared = Arc::new(Shared::default());
        (Resolver { shared: Some(Arc::clone(&shared)) }, Ticket { lsn, shared })
    }

    /// The number of the record.
    pub fn lsn(&self) -> u64 {
        self.lsn
    }

    /// Blocks the thread until it resolves.
    pub fn wait(self) -> Result<(), WalError> {
        let mut state = self.shared.state.lock();
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            self.shared.resolved.wait(&mut state);
        }
    }
}

impl Future for Ticket {
    type Output = Result<(), WalError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.state.lock();
        if let Some(result) = &state.result {
            return Poll::Ready(result.clone());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Resolver {
    /// Resolves the ticket.
    pub fn resolve(mut self, result: Result<(), WalError>) {
        if let Some(shared) = self.shared.take() {
            shared.resolve(result);
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.resolve(Err(WalError::Closed));
        }
    }
}

impl Shared {
    fn resolve(&self, result: Result<(), WalError>) {
        let waker = {
            let mut state = self.state.lock();
            state.result = Some(result);
            state.waker.take()
        };
        self.resolved.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
