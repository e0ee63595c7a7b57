//! What was decoded of blocks: pages that a read wants again, and columns that many reads want.

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

/// What a column or a page takes besides its numbers.
const KEPT_BYTES: usize = 128;

/// Block, part and number of a page.
type PageKey = (BlockId, Part, u32);

/// Block, what of it, and the number of the row or of the page.
type Key = (BlockId, What, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    /// Times of an axis.
    Times,
    /// Values of a row.
    Values,
    /// A page of a part that columns are not made of.
    Page(Part),
}

/// Columns that were wanted lately, for all reads: a dashboard that asks for the same again every few seconds decodes nothing, and copies
/// nothing. When there is no room, those that nobody wanted since they were last considered go first.
#[derive(Debug)]
pub(crate) struct Decodings {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    items: HashMap<Key, Item, RandomState>,
    /// The items in the order in which they are considered.
    queue: VecDeque<Key>,
    bytes: usize,
}

#[derive(Debug)]
struct Item {
    decoded: Decoded,
    wanted: bool,
}

#[derive(Clone, Debug)]
enum Decoded {
    Times(Arc<Vec<i64>>),
    Values(Arc<Vec<f64>>),
    Page(Arc<PartPage>),
}

impl Decoded {
    fn bytes(&self) -> usize {
        KEPT_BYTES
            + match self {
                Self::Times(times) => times.capacity() * size_of::<i64>(),
                Self::Values(values) => values.capacity() * size_of::<f64>(),
                Self::Page(page) => page.size_bytes(),
            }
    }
}

impl Decodings {
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

    fn get(&self, key: Key) -> Option<Decoded> {
        let mut kept = self.kept.lock();
        let found = kept.items.get_mut(&key)?;
        found.wanted = true;
        Some(found.decoded.clone())
    }

    fn put(&self, key: Key, decoded: Decoded) {
        let size = decoded.bytes();
        if size > self.bytes_max {
            return;
        }
        let mut kept = self.kept.lock();
        while kept.bytes + size > self.bytes_max && kept.forget_one() {}
        // Another thread may have decoded the same.
        if let Some(before) = kept.items.insert(key, Item { decoded, wanted: false }) {
            kept.bytes -= before.decoded.bytes();
        } else {
            kept.queue.push_back(key);
        }
        kept.bytes += size;
    }

    /// Forgets what is of a block that is gone.
    pub(crate) fn forget(&self, gone: BlockId) {
        let mut kept = self.kept.lock();
        kept.items.retain(|(block, ..), _| *block != gone);
        kept.queue.retain(|(block, ..)| *block != gone);
        kept.bytes = kept.items.values().map(|item| item.decoded.bytes()).sum();
    }
}

impl Kept {
    /// Considers items until one goes; false when there is none.
    fn forget_one(&mut self) -> bool {
        while let Some(key) = self.queue.pop_front() {
            match self.items.get_mut(&key) {
                Some(item) if item.wanted => {
                    item.wanted = false;
                    self.queue.push_back(key);
                }
                _ => {
                    self.bytes -= self.items.remove(&key).map_or(0, |gone| gone.decoded.bytes());
                    return true;
                }
            }
        }
        false
    }
}

/// The pages of one read.
#[derive(Debug)]
pub(crate) struct Pages {
    cache: Arc<Decodings>,
    /// Whether what is decoded goes to the cache. A read that wants more than all of it would only empty it.
    fills: bool,
    /// Last used last.
    own: Mutex<Vec<(PageKey, Arc<PartPage>)>>,
}

impl Default for Pages {
    /// For a read that leaves nothing behind.
    fn default() -> Self {
        Self::new(Arc::new(Decodings::new(0)), 1)
    }
}

impl Pages {
    /// For a read that wants so many samples.
    pub(crate) fn new(cache: Arc<Decodings>, samples: usize) -> Self {
        let fills = samples.saturating_mul(size_of::<f64>()) <= cache.bytes_max();
        Self { cache, fills, own: Mutex::default() }
    }

    /// What is in a block, which is one of `blocks`.
    pub(crate) fn of<'a>(&'a self, block: &'a BlockFile, blocks: usize) -> BlockPages<'a> {
        BlockPages { pages: self, block, own_max: blocks * PAGES_PER_BLOCK }
    }
}

/// The pages of one block, for one read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockPages<'a> {
    pages: &'a Pages,
    block: &'a BlockFile,
    own_max: usize,
}

impl BlockPages<'_> {
    /// The times of an axis.
    pub(crate) fn times(&self, axis: u32) -> Result<Arc<Vec<i64>>, SeriesError> {
        let key = (self.block.id, What::Times, axis);
        if let Some(Decoded::Times(times)) = self.pages.cache.get(key) {
            return Ok(times);
        }
        let page = self.own(Part::Times, axis)?;
        let times = Arc::new(self.block.times(axis, &page)?);
        // All series of a target share them, so that they are wanted again in any case.
        self.pages.cache.put(key, Decoded::Times(Arc::clone(&times)));
        Ok(times)
    }

    /// Whether the times of an axis and the values of a row are decoded.
    pub(crate) fn has(&self, axis: u32, row: u32) -> bool {
        let kept = self.pages.cache.kept.lock();
        let has = |what, number| kept.items.contains_key(&(self.block.id, what, number));
        has(What::Times, axis) && has(What::Values, row)
    }

    /// The values of a row, of which there are so many. It is decimals, or doubles, or may be one of the two.
    pub(crate) fn values(&self, row: u32, count: usize, of: (bool, bool)) -> Result<Arc<Vec<f64>>, SeriesError> {
        let key = (self.block.id, What::Values, row);
        if let Some(Decoded::Values(values)) = self.pages.cache.get(key)
            && values.len() == count
        {
            return Ok(values);
        }
        let values = Arc::new(self.block.row_values(row, count, of, |part| self.own(part, row))?);
        if self.pages.fills {
            self.pages.cache.put(key, Decoded::Values(Arc::clone(&values)));
        }
        Ok(values)
    }

    /// The page that has a row of another part.
    pub(crate) fn page(&self, part: Part, row: u32) -> Result<Arc<PartPage>, SeriesError> {
        let key = (self.block.id, What::Page(part), self.block.page_of(part, row)?);
        if let Some(Decoded::Page(page)) = self.pages.cache.get(key) {
            return Ok(page);
        }
        let page = self.own(part, row)?;
        if self.pages.fills {
            self.pages.cache.put(key, Decoded::Page(Arc::clone(&page)));
        }
        Ok(page)
    }

    /// The page that has a row, which the read keeps for the rows that come next.
    fn own(&self, part: Part, row: u32) -> Result<Arc<PartPage>, SeriesError> {
        let number = self.block.page_of(part, row)?;
        let key = (self.block.id, part, number);
        {
            let mut own = self.pages.own.lock();
            if let Some(at) = own.iter().rposition(|(known, _)| *known == key) {
                let found = own.remove(at);
                let page = Arc::clone(&found.1);
                own.push(found);
                return Ok(page);
            }
        }
        // Decoded without a lock: two threads may do the same work, and neither waits.
        let page = Arc::new(self.block.page(part, number)?);
        let mut own = self.pages.own.lock();
        if own.len() >= self.own_max {
            own.remove(0);
        }
        own.push((key, Arc::clone(&page)));
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
        let options = SeriesOptions { decoded_bytes_max: bytes_max, recent_bytes_max: 0, ..SeriesOptions::default() };
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
        let one = db.decoded.bytes();
        assert!(one > 4096 * 8, "{one}");
        assert_eq!(read(&db, "m00"), 4096);
        assert_eq!(db.decoded.bytes(), one, "the same pages again");
        for at in 0..20 {
            assert_eq!(read(&db, &format!("m{at:02}")), 4096);
            assert_eq!(read(&db, "m00"), 4096);
            assert!(db.decoded.bytes() <= 400_000);
        }
        let kept = db.decoded.bytes();
        // More than all of it: nothing comes in, nothing goes.
        assert_eq!(read(&db, ".+"), 20 * 4096);
        assert_eq!(db.decoded.bytes(), kept);
        let has = |db: &SeriesDb| {
            let kept = db.decoded.kept.lock();
            kept.items.len() == kept.queue.len()
        };
        assert!(has(&db));
        db.retain(i64::MAX).unwrap();
        assert_eq!(db.decoded.bytes(), 0, "blocks that are gone");
        assert!(has(&db));
    }

    #[test]
    fn without_bytes_it_keeps_nothing() {
        let (_dir, db) = filled(0);
        assert_eq!(read(&db, "m0."), 10 * 4096);
        assert_eq!(db.decoded.bytes(), 0);
    }
}
