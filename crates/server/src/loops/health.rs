//! Whether Backstop itself can be trusted: what is measured late, or not at all, must not look like somebody else's fault.

use std::sync::Arc;

use api::RuleBoard;
use model::Timestamp;
use respond::SelfHealth;
use store::Store;

/// What speaks against the measuring itself.
pub(crate) struct OwnHealth {
    pub(crate) store: Arc<Store>,
    pub(crate) board: Arc<RuleBoard>,
}

impl SelfHealth for OwnHealth {
    fn suspect(&self, now: Timestamp) -> Option<String> {
        if let Some(fault) = self.store.fault() {
            return Some(format!("the store is out of use: {fault}"));
        }
        self.board.late(now)
    }
}
