//! Storing for senders that can only be told to wait by not being read.

use std::time::Duration;

use decode::Decoded;
use model::Timestamp;
use pipeline::{Pipeline, PushError, Reservation, Source};
use tokio_util::sync::CancellationToken;

use crate::Intake;

/// How long a stopping receiver tries to store what it has read while the store is busy.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Pushes what `decode` makes, again and again while the store is busy: the caller does not read on meanwhile, which is
/// the only way to push back. Gives up only when the receiver stops or the store has failed.
pub(crate) async fn push_until_stored(
    intake: &Intake,
    source: &Source,
    received: Timestamp,
    shutdown: &CancellationToken,
    decode: impl Fn() -> Decoded,
) -> Result<(), PushError> {
    let Intake { pipeline, tenant } = intake;
    let mut stopping_for = Duration::ZERO;
    loop {
        let mut decoded = decode();
        pipeline.admit(tenant, &mut decoded);
        let pushed = pipeline.push(tenant, source, received, decoded).await;
        let Err(error) = pushed else { return Ok(()) };
        let PushError::Busy { retry_after_ms, .. } = error else { return Err(error) };
        if shutdown.is_cancelled() && stopping_for >= SHUTDOWN_PATIENCE {
            return Err(error);
        }
        let pause = Duration::from_millis(retry_after_ms.max(1));
        tokio::time::sleep(pause).await;
        if shutdown.is_cancelled() {
            stopping_for += pause;
        }
    }
}

/// Waits for room in the budget; the sender is not read meanwhile.
pub(crate) async fn reserve(
    pipeline: &Pipeline,
    source: &Source,
    bytes: usize,
    shutdown: &CancellationToken,
) -> Result<Reservation, PushError> {
    loop {
        match pipeline.reserve(source, bytes) {
            Err(PushError::Busy { retry_after_ms, .. }) if !shutdown.is_cancelled() => {
                tokio::time::sleep(Duration::from_millis(retry_after_ms)).await;
            }
            result => return result,
        }
    }
}
