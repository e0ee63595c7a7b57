//! A running receiver.

use std::net::SocketAddr;

use tokio::task::JoinHandle;

/// A receiver that is running. It stops when the token that it was started with is cancelled.
#[derive(Debug)]
#[must_use = "wait for `stopped`, or what was read last may not be stored"]
pub struct Listener {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listener {
    pub(crate) fn new(address: SocketAddr, task: JoinHandle<()>) -> Self {
        Self { address, task }
    }

    /// The address it is bound to, its real port included.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resolves when it has stopped and everything that it read is stored or refused.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!(address = %self.address, %error, "a receiver ended badly");
        }
    }
}
