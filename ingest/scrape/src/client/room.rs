//! Room for bodies: what bounds the memory of all of them together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room is given out in pieces of this many bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Room for many bodies.
#[derive(Clone, Debug)]
pub(crate) struct Rooms(Arc<Semaphore>);

/// The room that one body takes. It is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Option<Rooms>,
    held: Option<OwnedSemaphorePermit>,
}

impl Rooms {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(bytes_max).unwrap_or(usize::MAX) / PIECE_BYTES)))
    }

    /// For one body.
    pub(crate) fn room(&self) -> Room {
        Room { rooms: Some(self.clone()), held: None }
    }
}

impl Room {
    /// For a body that is not counted.
    pub(crate) fn uncounted() -> Self {
        Self { rooms: None, held: None }
    }

    /// Waits until the body may have this many bytes.
    pub(crate) async fn grow_to(&mut self, bytes: usize) {
        let Some(Rooms(rooms)) = &self.rooms else { return };
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(PIECE_BYTES).saturating_sub(held);
        if missing == 0 {
            return;
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        // Nobody closes it.
        let Ok(more) = Arc::clone(rooms).acquire_many_owned(missing).await else { return };
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_body_waits_for_room_and_gives_it_back() {
        let rooms = Rooms::new(4 * PIECE_BYTES as u64);
        let mut first = rooms.room();
        first.grow_to(1).await;
        first.grow_to(3 * PIECE_BYTES).await;
        let mut second = rooms.room();
        let waited = tokio::time::timeout(Duration::from_millis(20), second.grow_to(2 * PIECE_BYTES)).await;
        assert!(waited.is_err(), "there is room for one piece");
        drop(first);
        second.grow_to(4 * PIECE_BYTES).await;
        Room::uncounted().grow_to(usize::MAX).await;
    }
}
