//! Decoded pages of blocks, kept for as long as a read may want them again.

use std::sync::Arc;

use column::metrics::{Part, PartPage};
use parking_lot::Mutex;

use crate::SeriesError;
use crate::block::BlockFile;

/// Pages that are kept for each block. Series are mostly read in order, by a few threads, and stand in pages in that order; a series
/// wants two to five lists, and some pages of times are everybody's.
const PAGES_PER_BLOCK: usize = 12;

/// Block, part and number of a page.
type Key = (usize, Part, u32);

/// Pages, last used last.
#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<Vec<(Key, Arc<PartPage>)>>);

impl Pages {
    /// The page that has a row of a part of a block, which is the `nth` of `blocks`.
    pub(crate) fn get(
        &self,
        (nth, blocks): (usize, usize),
        block: &BlockFile,
        part: Part,
        row: u32,
    ) -> Result<Arc<PartPage>, SeriesError> {
        let number = block.page_of(part, row)?;
        let key = (nth, part, number);
        {
            let mut kept = self.0.lock();
            if let Some(at) = kept.iter().rposition(|(known, _)| *known == key) {
                let found = kept.remove(at);
                let page = Arc::clone(&found.1);
                kept.push(found);
                return Ok(page);
            }
        }
        // Decoded without the lock: two threads may do the same work, and neither waits.
        let page = Arc::new(block.page(part, number)?);
        let mut kept = self.0.lock();
        if kept.len() >= blocks * PAGES_PER_BLOCK {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&page)));
        Ok(page)
    }
}
