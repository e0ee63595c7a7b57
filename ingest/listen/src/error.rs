//! Why a receiver did not start.

use std::net::SocketAddr;

/// Why a receiver did not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is not to be had.
    #[error("cannot listen on {address} for {receiver}: {source}; give another address, or turn the receiver off")]
    Bind {
        /// Which receiver.
        receiver: &'static str,
        /// Where.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
}

impl ListenError {
    /// Maps the error of binding a receiver's address.
    pub(crate) fn bind(receiver: &'static str, address: SocketAddr) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Bind { receiver, address, source }
    }
}
