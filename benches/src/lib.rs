//! What the macro benches share: the data that one writes and the other sends.
//!
//! The benches themselves are in `micro/` (criterion, one hot path each) and `macro/` (the whole server: `loadgen` writes
//! data, `sidebyside` sends it to Backstop and to rivals and asks all of them the same questions). A data directory holds
//! `bodies.bin`, requests each behind its length (OTLP exports of logs, or remote writes of metrics), and `manifest.json`, which
//! says what is in them.
//!
//! Nothing here knows Backstop's crates: these macro benches see the server only by its ports, as a user does. `loopbench` (the loop
//! in virtual time, on simulated releases) is the exception: it runs the code that decides, and needs no server.

mod bodies;
pub mod fleet;
mod manifest;

pub use bodies::{BodyReader, BodyWriter};
pub use manifest::{Described, FleetManifest, Manifest, Needle};

/// The time of the day, since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "tools of their own, most of which know none of our crates")]
pub fn unix_time() -> std::time::Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
