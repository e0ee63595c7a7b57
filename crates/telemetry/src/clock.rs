//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use model::Timestamp;

/// The time now. Layers below the edges take times as arguments; only edges and the server call this.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
