//! The acknowledgement of an append.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use wal::Ticket;

use crate::AppendError;

/// Resolves once the rows are durable and visible, or to the reason why not. A future for async callers; [`Ack::wait`] for
/// threads. Dropping it does not take the rows back.
#[derive(Debug)]
#[must_use = "rows are acknowledged only when this resolves to Ok"]
pub struct Ack(pub(crate) Ticket);

impl Ack {
    /// Blocks the thread until it resolves.
    pub fn wait(self) -> Result<(), AppendError> {
        Ok(self.0.wait()?)
    }
}

impl Future for Ack {
    type Output = Result<(), AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(AppendError::from)
    }
}
