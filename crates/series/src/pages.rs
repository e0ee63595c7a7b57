//! Decoded pages of blocks: those that a read wants again, and those that many reads want.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use column::metrics::{Part, PartPage};
use foldhash::fast::RandomState;
use parking_lot::Mutex;

use crate::SeriesError;
use crate::block::{BlockFile, BlockId};

/// Pages that a read keeps for each block. Series are mostly read in order, by a few threads, and stand in pages in that order; a
/// series wants two to five lists, and some pages of times are everybody's.
const PAGES_PER_BLOCK: usize = 12;

/// What a page takes besides its numbers.
const PAGE_BYTES: usize = 128;

/// Block, part and number of a page.
type Key = (BlockId, Part, u32);

/// Pages that were wanted lately, for all reads: a dashboard that asks for the same again every few seconds decodes nothing. When there is
/// no room, pages that nobody wanted since they were last considered go first.
#[derive(Debug)]
pub(crate) struct PageCache {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    pages: HashMap<Key, Page, RandomState>,
    /// The pages in the order in which they are considered.
    queue: VecDeque<Key>,
    bytes: usize,
}

#[derive(Debug)]
struct Page {
    page: Arc<PartPage>,
    wanted: bool,
}

impl PageCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// Bytes that it may have.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Bytes that it has.
    pub(crate) fn bytes(&self) -> usize {
        self.kept.lock().bytes
    }

    fn get(&self, key: Key) -> Option<Arc<PartPage>> {
        let mut kept = self.kept.lock();
        let found = kept.pages.get_mut(&key)?;
        found.wanted = true;
        Some(Arc::clone(&found.page))
    }

    fn put(&self, key: Key, page: &Arc<PartPage>) {
        let size = page_bytes(page);
        if size > self.bytes_max {
            return;
        }
        let mut kept = self.kept.lock();
        while kept.bytes + size > self.bytes_max && kept.forget_one() {}
        if kept.pages.insert(key, Page { page: Arc::clone(page), wanted: false }).is_none() {
            kept.bytes += size;
            kept.queue.push_back(key);
        }
    }

    /// Forgets the pages of a block that is gone.
    pub(crate) fn forget(&self, gone: BlockId) {
        let mut kept = self.kept.lock();
        kept.pages.retain(|(block, ..), _| *block != gone);
        kept.queue.retain(|(block, ..)| *block != gone);
        kept.bytes = kept.pages.values().map(|kept| page_bytes(&kept.page)).sum();
    }
}

impl Kept {
    /// Considers pages until one goes; false when there is none.
    fn forget_one(&mut self) -> bool {
        while let Some(key) = self.queue.pop_front() {
            match self.pages.get_mut(&key) {
                Some(page) if page.wanted => {
                    page.wanted = false;
                    self.queue.push_back(key);
                }
                _ => {
                    self.bytes -= self.pages.remove(&key).map_or(0, |gone| page_bytes(&gone.page));
                    return true;
                }
            }
        }
        false
    }
}

fn page_bytes(page: &PartPage) -> usize {
    PAGE_BYTES + page.size_bytes()
}

/// The pages of one read.
#[derive(Debug)]
pub(crate) struct Pages {
    cache: Arc<PageCache>,
    /// Whether what is decoded goes to the cache. A read that wants more than all of it would only empty it.
    fills: bool,
    /// Last used last.
    own: Mutex<Vec<(Key, Arc<PartPage>)>>,
}

impl Default for Pages {
    /// For a read that leaves nothing behind.
    fn default() -> Self {
        Self::new(Arc::new(PageCache::new(0)), 1)
    }
}

impl Pages {
    /// For a read that wants so many samples.
    pub(crate) fn new(cache: Arc<PageCache>, samples: usize) -> Self {
        let fills = samples.saturating_mul(size_of::<f64>()) <= cache.bytes_max();
        Self { cache, fills, own: Mutex::default() }
    }

    /// The page that has a row of a part of a block, which is one of `blocks`.
    pub(crate) fn get(
        &self,
        blocks: usize,
        block: &BlockFile,
        part: Part,
        row: u32,
    ) -> Result<Arc<PartPage>, SeriesError> {
        let number = block.page_of(part, row)?;
        let key = (block.id, part, number);
        {
            let mut own = self.own.lock();
            if let Some(at) = own.iter().rposition(|(known, _)| *known == key) {
                let found = own.remove(at);
                let page = Arc::clone(&found.1);
                own.push(found);
                return Ok(page);
            }
        }
        let page = self.shared(key, block)?;
        let mut own = self.own.lock();
        if own.len() >= blocks * PAGES_PER_BLOCK {
            own.remove(0);
        }
        own.push((key, Arc::clone(&page)));
        Ok(page)
    }

    fn shared(&self, key: Key, block: &BlockFile) -> Result<Arc<PartPage>, SeriesError> {
        if let Some(page) = self.cache.get(key) {
            return Ok(page);
        }
        // Decoded without a lock: two threads may do the same work, and neither waits.
        let page = Arc::new(block.page(key.1, key.2)?);
        if self.fills {
            self.cache.put(key, &page);
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use model::{Labels, Sample, SeriesBatch, SeriesSamples, TenantId};

    use crate::{MatchOp, Matcher, SeriesDb, SeriesOptions};

    /// Values that fill all bits of a double take a page for themselves soon.
    fn filled(bytes_max: usize) -> (tempfile::TempDir, SeriesDb) {
        let dir = tempfile::tempdir().unwrap();
        let options =
            SeriesOptions { page_cache_bytes_max: bytes_max, recent_bytes_max: 0, ..SeriesOptions::default() };
        let db = SeriesDb::open(dir.path(), options).unwrap();
        for series in 0..20 {
            let name = format!("m{series:02}");
            let labels: Labels = [("__name__", name.as_str())].into_iter().collect();
            let value = |at: i64| f64::from_bits((at as u64 * 7919 + series) << 30 | 0x3ff0_0000_0000_0001);
            let samples = (0..4096).map(|at| Sample { time_ms: at, value: value(at) }).collect();
            let series = vec![SeriesSamples { labels, samples, ..SeriesSamples::default() }];
            db.insert(&TenantId::default(), &SeriesBatch { series, metadata: Vec::new() });
        }
        db.flush().unwrap();
        db.insert(&TenantId::default(), &SeriesBatch::default());
        (dir, db)
    }

    fn read(db: &SeriesDb, name: &str) -> usize {
        let matcher = Matcher::new("__name__", MatchOp::Regex, name).unwrap();
        let found = db.select(&TenantId::default(), &[matcher], 0, i64::MAX).unwrap();
        found.iter().map(|series| series.values.len()).sum()
    }

    #[test]
    fn it_keeps_what_is_wanted_within_its_bytes() {
        let (_dir, db) = filled(400_000);
        assert_eq!(read(&db, "m00"), 4096);
        let one = db.pages.bytes();
        assert!(one > 4096 * 8, "{one}");
        assert_eq!(read(&db, "m00"), 4096);
        assert_eq!(db.pages.bytes(), one, "the same pages again");
        for at in 0..20 {
            assert_eq!(read(&db, &format!("m{at:02}")), 4096);
            assert_eq!(read(&db, "m00"), 4096);
            assert!(db.pages.bytes() <= 400_000);
        }
        let kept = db.pages.bytes();
        // More than all of it: nothing comes in, nothing goes.
        assert_eq!(read(&db, ".+"), 20 * 4096);
        assert_eq!(db.pages.bytes(), kept);
        let has = |db: &SeriesDb| {
            let kept = db.pages.kept.lock();
            kept.pages.len() == kept.queue.len()
        };
        assert!(has(&db));
        db.retain(i64::MAX).unwrap();
        assert_eq!(db.pages.bytes(), 0, "blocks that are gone");
        assert!(has(&db));
    }

    #[test]
    fn without_bytes_it_keeps_nothing() {
        let (_dir, db) = filled(0);
        assert_eq!(read(&db, "m0."), 10 * 4096);
        assert_eq!(db.pages.bytes(), 0);
    }
}
