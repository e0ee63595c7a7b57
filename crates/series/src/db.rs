//! The database: tenants, blocks on disk, reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use model::{FloatHistogram, Labels, MetricMetadata, SeriesBatch, SeriesSamples, SharedSlice, TenantId};
use parking_lot::{Mutex, RwLock};

use crate::block::{self, About, BlockFile, BlockId, BlockWriter, EXTENSION, Entries};
use crate::decoded::Decodings;
use crate::downsample::Cutoffs;
use crate::exemplars::SeriesExemplars;
use crate::fold::Fold;
use crate::head::{Block, Head, Tenant};
use crate::index::SeriesId;
use crate::layer::Layer;
use crate::recent;
use crate::retention::Floors;
use crate::selection::{Found, Held, SeriesSelection};
use crate::tombstones::{self, Tombstone};
use crate::unflushed::Unflushed;
use crate::{Limit, Matcher, Rejected, SeriesError, SeriesOptions};

/// What an insert did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InsertReport {
    /// Samples taken in.
    pub samples: usize,
    /// Series seen for the first time.
    pub series_new: usize,
    /// Series over a limit, none of whose samples were taken in.
    pub rejected: Vec<Rejected>,
    /// Why metadata of the batch was not taken in, if so.
    pub metadata_rejected: Option<Limit>,
}

/// What a flush wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Block files written.
    pub blocks: usize,
    /// Samples in them.
    pub samples: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Samples of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesData {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch, strictly ascending.
    pub times: SharedSlice<i64>,
    /// The values, bit for bit, staleness markers included; zero where the sample is a histogram.
    pub values: SharedSlice<f64>,
    /// As many slots, filled where a sample is a histogram, with what is known about resets of the counter in the hints; empty for
    /// a series without any.
    pub histograms: Vec<Option<Arc<FloatHistogram>>>,
    /// As many times at which the counter behind each sample started, in milliseconds, zero where that is not known; empty for a
    /// series without any.
    pub starts: Vec<i64>,
    /// As many folds, of samples that were left out before each; empty for a series that is not downsampled, and for a read that
    /// does not ask for them.
    pub folds: Vec<Fold>,
    /// To which resolution the series is downsampled, the coarsest where that differs; 0 is not at all.
    pub resolution_ms: i64,
}

/// A block that could not be opened and was set aside under a name that ends in `.damaged`, or one that stays in use for the series
/// that can still be read and is left out of merges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedBlock {
    /// Where it is now.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// The metric store of one directory. Cheap calls from many threads; writers of one tenant take turns.
#[derive(Debug)]
pub struct SeriesDb {
    pub(crate) dir: PathBuf,
    pub(crate) options: SeriesOptions,
    pub(crate) tenants: RwLock<Tenants>,
    /// Held by flush, merge and retain, which change the set of files.
    pub(crate) files: Mutex<()>,
    pub(crate) sequence: AtomicU64,
    /// What is too old to be seen.
    pub(crate) floors: RwLock<Arc<Floors>>,
    /// What is old enough to be downsampled.
    pub(crate) cutoffs: RwLock<Arc<Cutoffs>>,
    /// When blocks were last looked through for what is too old by a rule.
    pub(crate) rewrites_looked_ms: AtomicI64,
    /// When what is too old was last removed.
    pub(crate) removed_ms: AtomicI64,
    /// What all tenants have that is in no block yet.
    unflushed_bytes: Arc<AtomicUsize>,
    damaged: Mutex<Vec<DamagedBlock>>,
    pub(crate) decoded: Arc<Decodings>,
    /// What was deleted and may still be in blocks. Replaced as a whole, under the lock of the tenant whose reads it changes.
    pub(crate) tombstones: RwLock<Arc<Vec<Tombstone>>>,
}

/// Every tenant.
type Tenants = BTreeMap<TenantId, Arc<RwLock<Tenant>>>;

/// A block that was found on the disk, and what its footer says.
type FoundBlock = (BlockFile, About);

impl SeriesDb {
    /// Opens the database in a directory, which is created if need be, and reads the footers of its blocks. A damaged block
    /// is renamed and reported by [`Self::damaged`].
    pub fn open(dir: &Path, options: SeriesOptions) -> Result<Self, SeriesError> {
        std::fs::create_dir_all(dir).map_err(SeriesError::io("create", dir))?;
        let db = Self {
            dir: dir.to_owned(),
            floors: RwLock::new(Arc::new(Floors::new(&options.retention))),
            decoded: Arc::new(Decodings::new(options.decoded_bytes_max)),
            cutoffs: RwLock::new(Arc::new(Cutoffs::new(&options.downsampling))),
            options,
            tenants: RwLock::default(),
            files: Mutex::new(()),
            sequence: AtomicU64::new(1),
            rewrites_looked_ms: AtomicI64::new(i64::MIN),
            removed_ms: AtomicI64::new(i64::MIN),
            unflushed_bytes: Arc::default(),
            damaged: Mutex::default(),
            tombstones: RwLock::new(Arc::new(tombstones::read(dir)?)),
        };
        // Also of blocks that are gone: what is written next must not look older than a tombstone.
        let newest = db.tombstones.read().iter().map(|tombstone| tombstone.before).max();
        db.sequence.fetch_max(newest.unwrap_or(0), Ordering::Relaxed);
        let blocks = db.open_blocks()?;
        let (blocks, replaced) = db.prove_merged(blocks)?;
        for (file, about) in blocks {
            if replaced.contains(&file.id.file_name()) {
                // A crash came between writing the merged block and removing its inputs.
                std::fs::remove_file(&file.path).map_err(SeriesError::io("remove", &file.path))?;
                continue;
            }
            match db.adopt(file, about) {
                Err(SeriesError::Damaged { path, reason }) => db.set_aside(&path, reason)?,
                adopted => adopted?,
            }
        }
        db.settle_deleted();
        block::sync_dir(dir)?;
        Ok(db)
    }

    /// Opens every block, in the order of writes; removes leftovers of unfinished writes.
    fn open_blocks(&self) -> Result<Vec<(BlockFile, About)>, SeriesError> {
        let mut blocks = Vec::new();
        let entries = std::fs::read_dir(&self.dir).map_err(SeriesError::io("list", &self.dir))?;
        for entry in entries {
            let path = entry.map_err(SeriesError::io("list", &self.dir))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(".tmp") {
                std::fs::remove_file(&path).map_err(SeriesError::io("remove", &path))?;
                continue;
            }
            let Some(id) = BlockId::parse(name) else { continue };
            self.sequence.fetch_max(id.sequence + 1, Ordering::Relaxed);
            match BlockFile::open(&path, id) {
                Ok(opened) => blocks.push(opened),
                Err(SeriesError::Damaged { path, reason }) => self.set_aside(&path, reason)?,
                Err(error) => return Err(error),
            }
        }
        blocks.sort_by_key(|(file, _)| file.id);
        Ok(blocks)
    }

    /// Reads merged blocks whose inputs are still there, which a crash leaves, before the inputs go: a damaged one is set aside and its
    /// inputs stay. Gives the rest, and the names of the inputs that have done their duty.
    fn prove_merged(&self, blocks: Vec<FoundBlock>) -> Result<(Vec<FoundBlock>, BTreeSet<String>), SeriesError> {
        let present: BTreeSet<String> = blocks.iter().map(|(file, _)| file.id.file_name()).collect();
        let (mut good, mut replaced) = (Vec::with_capacity(blocks.len()), BTreeSet::new());
        for (file, about) in blocks {
            if about.replaces.iter().any(|name| present.contains(name)) {
                match file.verify().and_then(|()| file.entries(|_| None)) {
                    Err(SeriesError::Damaged { path, reason }) => {
                        self.set_aside(&path, reason)?;
                        continue;
                    }
                    read => drop(read?),
                }
                replaced.extend(about.replaces.iter().cloned());
            }
            good.push((file, about));
        }
        Ok((good, replaced))
    }

    fn set_aside(&self, path: &Path, reason: String) -> Result<(), SeriesError> {
        let aside = path.with_extension(format!("{EXTENSION}.damaged"));
        std::fs::rename(path, &aside).map_err(SeriesError::io("rename", path))?;
        tracing::error!(block = %aside.display(), reason, "set a damaged metric block aside");
        self.damaged.lock().push(DamagedBlock { path: aside, reason });
        Ok(())
    }

    fn adopt(&self, file: BlockFile, mut about: About) -> Result<(), SeriesError> {
        let tenant = self.enter(&mut self.tenants.write(), &about.tenant);
        let mut tenant = tenant.write();
        // Nothing of a block is taken before all of it can be read.
        let entries =
            file.entries(|pairs| tenant.index.id_of_pairs(pairs).or_else(|| tenant.register(pairs.iter().copied())));
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                tenant.drop_empty_series();
                return Err(error);
            }
        };
        for metadata in std::mem::take(&mut about.metadata) {
            tenant.metadata.insert(metadata.name.clone(), metadata);
        }
        let mut exemplars = std::mem::take(&mut about.exemplars);
        exemplars.retain(|(labels, exemplar)| !self.is_deleted(&tenant.id, file.id.sequence, labels, exemplar.time_ms));
        tenant.exemplars.load(exemplars, self.options.exemplars_per_tenant_max);
        let block = tenant.add_block(file, entries);
        tenant.memory_floor_ms = tenant.memory_floor_ms.max(block.max_ms.saturating_add(1));
        Ok(())
    }

    /// Blocks that were damaged when the database was opened, and those that a merge could not read since.
    pub fn damaged(&self) -> Vec<DamagedBlock> {
        let mut damaged = self.damaged.lock().clone();
        for tenant in self.tenants.read().values() {
            damaged.extend(tenant.read().blocks.iter().filter_map(|block| {
                let reason = block.damage.get()?.clone();
                Some(DamagedBlock { path: block.file.path.clone(), reason })
            }));
        }
        damaged
    }

    /// Reads every page of every block and says which do not hold what their checksums say.
    pub fn verify(&self) -> Vec<DamagedBlock> {
        let tenants: Vec<_> = self.tenants.read().values().cloned().collect();
        let blocks: Vec<Arc<Block>> = tenants.iter().flat_map(|tenant| tenant.read().blocks.clone()).collect();
        let check = |block: &Arc<Block>| {
            let failed = block.file.verify().err()?;
            Some(DamagedBlock { path: block.file.path.clone(), reason: failed.to_string() })
        };
        blocks.iter().filter_map(check).collect()
    }

    pub(crate) fn tenant(&self, id: &TenantId) -> Option<Arc<RwLock<Tenant>>> {
        self.tenants.read().get(id).cloned()
    }

    /// The tenant, which is made if there is room for it.
    fn admit(&self, id: &TenantId) -> Result<Arc<RwLock<Tenant>>, Limit> {
        if let Some(tenant) = self.tenant(id) {
            return Ok(tenant);
        }
        let mut tenants = self.tenants.write();
        let max = self.options.tenants_max;
        if tenants.len() >= max && !tenants.contains_key(id) {
            return Err(Limit::Tenants { max });
        }
        Ok(self.enter(&mut tenants, id))
    }

    fn enter(&self, tenants: &mut Tenants, id: &TenantId) -> Arc<RwLock<Tenant>> {
        let new = || Arc::new(RwLock::new(Tenant::new(id.clone(), Unflushed::new(&self.unflushed_bytes))));
        tenants.entry(id.clone()).or_insert_with(new).clone()
    }

    /// Takes a batch in. Samples may come in any order; at a time that a series has already the new value stays. What is over
    /// a limit is in the report, and only that.
    pub fn insert(&self, tenant: &TenantId, batch: &SeriesBatch) -> InsertReport {
        let mut report = InsertReport::default();
        match self.admit(tenant) {
            Ok(tenant) => tenant.write().insert(batch, &self.options, &mut report),
            Err(reason) => {
                report.rejected = reject_all(batch, reason);
                report.metadata_rejected = (!batch.metadata.is_empty()).then_some(reason);
            }
        }
        report
    }

    /// Why nothing at all of a tenant would be taken in now, if so.
    fn refuses(&self, tenant: &TenantId) -> Option<Limit> {
        let tenants = self.tenants.read();
        let max = self.options.tenants_max;
        (tenants.len() >= max && !tenants.contains_key(tenant)).then_some(Limit::Tenants { max })
    }

    /// Which metadata [`Self::insert`] would refuse now, by their places, and why.
    pub fn refused_metadata(&self, tenant: &TenantId, metadata: &[MetricMetadata]) -> Option<(Limit, Vec<usize>)> {
        if metadata.is_empty() {
            return None;
        }
        if let Some(reason) = self.refuses(tenant) {
            return Some((reason, (0..metadata.len()).collect()));
        }
        let max = self.options.metadata_per_tenant_max;
        let places = match self.tenant(tenant) {
            Some(known) => known.read().refused_metadata(metadata, &self.options),
            None => Tenant::new(tenant.clone(), Unflushed::default()).refused_metadata(metadata, &self.options),
        };
        (!places.is_empty()).then_some((Limit::MetadataPerTenant { max }, places))
    }

    /// What [`Self::insert`] would refuse of a batch now. Asked before a sender is told that its samples are taken.
    pub fn refused(&self, tenant: &TenantId, batch: &SeriesBatch) -> Vec<Rejected> {
        // A question makes no tenant.
        if let Some(reason) = self.refuses(tenant) {
            return reject_all(batch, reason);
        }
        match self.tenant(tenant) {
            Some(known) => known.read().refused(batch, &self.options),
            None => Tenant::new(tenant.clone(), Unflushed::default()).refused(batch, &self.options),
        }
    }

    /// Writes everything inserted before the call to block files, one per tenant, durably. The newest samples stay in memory
    /// within the budget that all tenants share. After an error nothing is lost: what was not written is fresh again. A tenant that cannot be written holds
    /// up no other; the first error comes back, and then the caller must not let go of its log.
    pub fn flush(&self) -> Result<FlushReport, SeriesError> {
        let _files = self.files.lock();
        let mut report = FlushReport::default();
        let tenants: Vec<_> = self.tenants.read().values().cloned().collect();
        let mut flushed = Ok(());
        for tenant in &tenants {
            flushed = flushed.and(self.flush_tenant(tenant, &mut report));
        }
        recent::evict(&tenants, self.options.recent_bytes_max);
        flushed.map(|()| report)
    }

    fn flush_tenant(&self, tenant: &RwLock<Tenant>, report: &mut FlushReport) -> Result<(), SeriesError> {
        let (about, series) = {
            let mut tenant = tenant.write();
            let exemplars = tenant.exemplars.unflushed();
            let series = tenant.freeze();
            if series.is_empty() && exemplars.is_empty() && !tenant.metadata_dirty {
                return Ok(());
            }
            let metadata = tenant.metadata.values().cloned().collect();
            tenant.metadata_dirty = false;
            (About { tenant: tenant.id.clone(), replaces: Vec::new(), metadata, exemplars }, series)
        };
        let written = self.write_frozen(&about, &series);
        let samples = series.iter().map(|(_, _, layer)| layer.len()).sum::<usize>();
        drop(series);
        let mut tenant = tenant.write();
        match written {
            Ok((file, entries)) => {
                report.blocks += 1;
                report.samples += samples;
                report.bytes += file.bytes;
                tenant.add_block(file, entries);
                tenant.exemplars.flushed(about.exemplars.len());
                tenant.thaw(true);
                Ok(())
            }
            Err(error) => {
                tenant.metadata_dirty = true;
                tenant.thaw(false);
                Err(error)
            }
        }
    }

    fn write_frozen(
        &self,
        about: &About,
        series: &[(SeriesId, Labels, Arc<Layer>)],
    ) -> Result<(BlockFile, Entries), SeriesError> {
        let id = BlockId { sequence: self.sequence.fetch_add(1, Ordering::Relaxed), generation: 0 };
        let mut writer = BlockWriter::create(&self.dir, id, false)?;
        for (id, labels, layer) in series {
            writer.push(*id, labels, &layer.samples())?;
        }
        writer.finish(about)
    }

    /// The samples from `start_ms` to `end_ms`, both included, of every series that satisfies all matchers; sorted by labels.
    /// Series without samples there are left out. A damaged block fails the read: nothing partial is returned.
    pub fn select(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<SeriesData>, SeriesError> {
        let selection = self.open_selection(tenant, matchers, start_ms, end_ms);
        let mut found = Vec::with_capacity(selection.len());
        for at in 0..selection.len() {
            let data = selection.read(at)?;
            if !data.times.is_empty() {
                found.push(data);
            }
        }
        Ok(found)
    }

    /// The same series, to be read one by one, by several threads if that helps. Samples that come later are not in it, and what is
    /// deleted or flushed meanwhile stays.
    pub fn open_selection(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> SeriesSelection {
        let Some(tenant) = self.tenant(tenant) else { return SeriesSelection::default() };
        let found = self.find_of(&tenant.read(), matchers, start_ms, end_ms);
        SeriesSelection::new(found, end_ms, &self.decoded)
    }

    /// What a selection needs of a tenant that nobody changes meanwhile.
    pub(crate) fn find_of(&self, tenant: &Tenant, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Found {
        let floors = self.floors();
        let start_ms = start_ms.max(floors.lowest());
        let copy = |(id, head): (SeriesId, &Head)| copy_head(id, head, start_ms.max(floors.of(&head.labels)), end_ms);
        let series = tenant.find_ordered(matchers, start_ms, end_ms).into_iter().map(copy).collect();
        let disk_end_ms = end_ms.min(tenant.memory_floor_ms.saturating_sub(1));
        let needed = |block: &&Arc<Block>| block.min_ms <= disk_end_ms && block.max_ms >= start_ms;
        let blocks = tenant.blocks.iter().filter(needed).cloned().collect();
        Found { series, blocks, deleted: self.tombstones_of(&tenant.id, start_ms, end_ms) }
    }

    /// The series that satisfy all matchers and have samples between the times, sorted.
    pub fn series(&self, tenant: &TenantId, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Labels> {
        let Some(tenant) = self.tenant(tenant) else { return Vec::new() };
        let start_ms = start_ms.max(self.floors().lowest());
        let tenant = tenant.read();
        let found = tenant.find_ordered(matchers, start_ms, end_ms);
        found.into_iter().map(|(_, head)| head.labels.clone()).collect()
    }

    /// The label names of those series, sorted.
    pub fn label_names(&self, tenant: &TenantId, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        let mut names = BTreeSet::new();
        for labels in self.series(tenant, matchers, start_ms, end_ms) {
            for (name, _) in labels.iter() {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
            }
        }
        names.into_iter().collect()
    }

    /// The values that a label has in those series, sorted.
    pub fn label_values(
        &self,
        tenant: &TenantId,
        name: &str,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> Vec<String> {
        let series = self.series(tenant, matchers, start_ms, end_ms);
        let values: BTreeSet<&str> = series.iter().filter_map(|labels| labels.get(name)).collect();
        values.into_iter().map(str::to_owned).collect()
    }

    /// Metadata of all metrics, or of one, sorted by name.
    pub fn metadata(&self, tenant: &TenantId, metric: Option<&str>) -> Vec<MetricMetadata> {
        let Some(tenant) = self.tenant(tenant) else { return Vec::new() };
        let tenant = tenant.read();
        match metric {
            Some(metric) => tenant.metadata.get(metric).cloned().into_iter().collect(),
            None => tenant.metadata.values().cloned().collect(),
        }
    }

    /// Exemplars between the times of the series that satisfy all matchers, sorted by labels.
    pub fn exemplars(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> Vec<SeriesExemplars> {
        let Some(tenant) = self.tenant(tenant) else { return Vec::new() };
        let mut found: BTreeMap<Labels, Vec<model::Exemplar>> = BTreeMap::new();
        for (labels, exemplar) in tenant.read().exemplars.iter() {
            let inside = (start_ms..=end_ms).contains(&exemplar.time_ms);
            if inside && matchers.iter().all(|matcher| matcher.matches_labels(labels)) {
                found.entry(labels.clone()).or_default().push(exemplar.clone());
            }
        }
        let sorted = |(labels, mut exemplars): (Labels, Vec<model::Exemplar>)| {
            exemplars.sort_by_key(|exemplar| exemplar.time_ms);
            SeriesExemplars { labels, exemplars }
        };
        found.into_iter().map(sorted).collect()
    }

    /// The tenants that have series.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.tenants.read().keys().cloned().collect()
    }

    /// Bytes that series, samples in memory, exemplars and decoded columns take, estimated.
    pub fn memory_bytes(&self) -> usize {
        let tenants: usize = self.tenants.read().values().map(|tenant| tenant.read().memory_bytes()).sum();
        tenants + self.decoded.bytes()
    }

    /// Bytes of memory that samples and exemplars take which no block holds yet, those that are just being written included. It is
    /// counted as they come and go: asking costs nothing.
    pub fn unflushed_bytes(&self) -> usize {
        self.unflushed_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of samples that are in blocks and in memory too, of all tenants.
    pub fn recent_bytes(&self) -> usize {
        self.tenants.read().values().map(|tenant| tenant.read().recent_bytes).sum()
    }

    /// The time in milliseconds from which on reads of a tenant open no block; `None` for one without metrics.
    pub fn in_memory_from(&self, tenant: &TenantId) -> Option<i64> {
        Some(self.tenant(tenant)?.read().memory_floor_ms)
    }

    /// Bytes of all block files.
    pub fn disk_bytes(&self) -> u64 {
        let bytes =
            |tenant: &Arc<RwLock<Tenant>>| tenant.read().blocks.iter().map(|block| block.file.bytes).sum::<u64>();
        self.tenants.read().values().map(bytes).sum()
    }

    /// How many series all tenants have.
    pub fn series_count(&self) -> usize {
        self.tenants.read().values().map(|tenant| tenant.read().index.len()).sum()
    }
}

fn reject_all(batch: &SeriesBatch, reason: Limit) -> Vec<Rejected> {
    let reject = |(at, series): (usize, &SeriesSamples)| {
        let (labels, samples) = (series.labels.clone(), series.sample_count());
        Rejected { at, labels, samples, reason }
    };
    batch.series.iter().enumerate().map(reject).collect()
}

fn copy_head(id: SeriesId, head: &Head, start_ms: i64, end_ms: i64) -> Held {
    let layers = [Some(&head.recent), head.flushing.as_deref(), Some(&head.fresh)];
    let copies = layers.into_iter().flatten().map(|layer| layer.around(start_ms, end_ms));
    let copies: Vec<Layer> = copies.filter(|layer| !layer.is_empty()).collect();
    let layers = (!copies.is_empty()).then(|| Box::new(Mutex::new(copies)));
    Held { id, labels: head.labels.clone(), start_ms, layers }
}
