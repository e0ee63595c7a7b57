//! Retention: whole segments go once their newest row is too old.

use std::sync::Arc;

use catalog::Edit;
use model::Timestamp;
use segment::Segment;
use telemetry::metrics::RETAINED;

use crate::store::Inner;
use crate::{Step, StoreError};

impl Inner {
    /// Drops what is past its retention at `now`. Damaged segments go the same way, files included.
    pub(crate) fn retain(&self, now: Timestamp) -> Result<(), StoreError> {
        if let Some(keep_ms) = self.options.retention.metrics_ms {
            self.series.retain(now.millis().saturating_sub(keep_ms))?;
        }
        let _one_at_a_time = self.merging.lock();
        let retention = self.options.retention;
        let is_old = |table, max_time: Timestamp| {
            retention.of(table).is_some_and(|keep_ns| max_time.0 < now.0.saturating_sub(keep_ns))
        };
        let (old, old_damaged): (Vec<Arc<Segment>>, Vec<String>) = {
            let state = self.state.lock();
            let old = state.live.values().filter(|segment| is_old(segment.meta().table, segment.meta().max_time));
            let damaged = state.damaged.values().filter(|segment| is_old(segment.table, segment.max_time));
            (old.cloned().collect(), damaged.map(|segment| segment.id.clone()).collect())
        };
        if old.is_empty() && old_damaged.is_empty() {
            return Ok(());
        }
        let ids = old.iter().map(|segment| segment.meta().id.clone());
        let remove: Vec<String> = ids.chain(old_damaged).collect();
        self.catalog.commit(&Edit { remove: remove.clone(), ..Edit::default() })?;
        {
            let mut state = self.state.lock();
            for id in &remove {
                state.live.remove(id);
                state.damaged.remove(id);
            }
        }
        RETAINED.add(remove.len() as u64);
        self.step(Step::RetainCommitted)?;
        // Files of damaged segments are orphans now; the next start removes them.
        self.graveyard.lock().extend(old);
        Ok(())
    }
}
