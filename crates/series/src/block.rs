//! One block file: samples of many series of one tenant, written once.
//!
//! A block is a Parquet file with a row for each series, sorted by labels; `column::metrics` has its columns and its checksums,
//! `docs/storage-metrics.md` the SQL that reads it. Here is what a row means: values become decimals where they are
//! ([`codec::Form`]), and series that were sampled at the same times share the row that has them, their *axis*. The footer carries,
//! under [`ABOUT_KEY`] in base64, what is about the whole block, compressed with zstd:
//!
//! ```text
//! tenant  names of blocks it replaces  exemplars: labels, own labels, time, value  metadata: name, kind, help, unit
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use column::metrics::{Aggregate, Part, PartPage, SeriesFile, SeriesHead, SeriesRow, SeriesWriter};
use column::metrics::{PART_DECIMAL, PART_DOUBLES, PART_HISTOGRAMS, PART_STARTS};
use column::{ColumnError, Source};
use model::{Exemplar, Labels, MetricKind, MetricMetadata, SharedSlice, TenantId};

use crate::SeriesError;
use crate::codec::{self, Corrupt, Form, Reader};
use crate::decoded::BlockPages;
use crate::folds::{self, Wanted};
use crate::histograms;
use crate::index::SeriesId;
use crate::samples::Samples;

/// How the names of blocks end.
pub(crate) const EXTENSION: &str = "parquet";
/// Key of what is about the whole block.
const ABOUT_KEY: &str = "backstop.block";
/// What is about the whole block is damaged if it claims to be larger than this.
const ABOUT_BYTES_MAX: usize = 1 << 30;
/// zstd's level for it.
const ZSTD_LEVEL: i32 = 3;
/// Bytes of time axes among which a writer looks for one to share. More targets than fit find theirs as long as their series are
/// neighbours.
const AXES_BYTES_MAX: usize = 16 << 20;

/// A block's place in the order of writes: later blocks win over earlier ones, and a merged block takes the place of the last
/// block it replaces with a higher generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlockId {
    pub(crate) sequence: u64,
    pub(crate) generation: u32,
}

impl BlockId {
    pub(crate) fn file_name(self) -> String {
        format!("{:016x}-{:04x}.{EXTENSION}", self.sequence, self.generation)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (sequence, generation) = name.strip_suffix(EXTENSION)?.strip_suffix('.')?.split_once('-')?;
        let sequence = u64::from_str_radix(sequence, 16).ok()?;
        Some(Self { sequence, generation: u32::from_str_radix(generation, 16).ok()? })
    }
}

/// What is about the whole block.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) tenant: TenantId,
    pub(crate) replaces: Vec<String>,
    pub(crate) metadata: Vec<MetricMetadata>,
    pub(crate) exemplars: Vec<(Labels, Exemplar)>,
}

/// Where one series' samples are. There is one in memory for each series of each block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) id: SeriesId,
    pub(crate) row: u32,
    axis: u32,
    /// Samples, and in the upper bits which parts there are.
    counted: u32,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
}

/// Where the bits of the parts begin in an entry's count, then those of aggregates, and the place of the resolution.
const PARTS_SHIFT: u32 = 20;
const AGGREGATES_SHIFT: u32 = 24;
const RESOLUTION_SHIFT: u32 = 28;
/// More samples than this are counted as so many.
const SAMPLES_COUNTED_MAX: u32 = (1 << PARTS_SHIFT) - 1;
/// Resolutions of one block. Series with further ones are taken for finer ones, and folded anew.
const RESOLUTIONS_MAX: usize = 15;

impl Entry {
    fn new(id: SeriesId, row: u32, head: &SeriesHead<'_>, resolutions: &mut Vec<i64>) -> Self {
        let counted = head.samples.min(SAMPLES_COUNTED_MAX) | (head.parts & 15) << PARTS_SHIFT;
        let resolution = resolution_place(head.resolution_ms, resolutions) << RESOLUTION_SHIFT;
        let counted = counted | resolution;
        Self { id, row, axis: head.axis, counted, min_ms: head.first_ms, max_ms: head.last_ms }
    }

    /// How many samples there are.
    pub(crate) fn samples(&self) -> usize {
        (self.counted & SAMPLES_COUNTED_MAX) as usize
    }

    fn has(&self, part: u32) -> bool {
        self.counted >> PARTS_SHIFT & part != 0
    }

    /// Whether the series has nothing but numbers, none of them downsampled.
    pub(crate) fn is_plain(&self) -> bool {
        self.counted >> PARTS_SHIFT & !(PART_DECIMAL | PART_DOUBLES) == 0
    }

    /// To which resolution the series is downsampled, out of those of the block; 0 is not at all.
    pub(crate) fn resolution_ms(&self, resolutions: &[i64]) -> i64 {
        let place = (self.counted >> RESOLUTION_SHIFT) as usize;
        place.checked_sub(1).and_then(|at| resolutions.get(at)).copied().unwrap_or(0)
    }

    /// Notes a row of an aggregate behind its own row. The counts and the sums are there if any is.
    fn add_aggregate(&mut self, aggregate: Aggregate) {
        self.counted |= folds::bit(aggregate) << AGGREGATES_SHIFT;
    }

    /// Whether there is a row of an aggregate.
    pub(crate) fn has_aggregate(&self, aggregate: Aggregate) -> bool {
        self.counted >> AGGREGATES_SHIFT & folds::bit(aggregate) != 0
    }
}

/// The place of a resolution in a block's list, from 1; 0 is not downsampled.
fn resolution_place(resolution_ms: i64, resolutions: &mut Vec<i64>) -> u32 {
    if resolution_ms <= 0 {
        return 0;
    }
    if let Some(at) = resolutions.iter().position(|known| *known == resolution_ms) {
        return at as u32 + 1;
    }
    if resolutions.len() < RESOLUTIONS_MAX {
        resolutions.push(resolution_ms);
        return resolutions.len() as u32;
    }
    let finer = (1u32..).zip(resolutions.iter()).filter(|(_, known)| **known < resolution_ms);
    finer.max_by_key(|(_, known)| **known).map_or(0, |(place, _)| place)
}

/// Where the series of a block are, and to which resolutions they are downsampled.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) list: Vec<Entry>,
    pub(crate) resolutions: Vec<i64>,
}

/// An open block: its pages can be read by entries.
#[derive(Debug)]
pub(crate) struct BlockFile {
    pub(crate) id: BlockId,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    file: SeriesFile,
}

/// A file under a temporary name, which goes when nobody gives it another: a full disk must not fill with what could not be written.
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            drop(std::fs::remove_file(&self.path)); // the next start removes what is left
        }
    }
}

/// A block that is being written, series by series in the order of their labels.
pub(crate) struct BlockWriter {
    id: BlockId,
    path: PathBuf,
    temporary: Temporary,
    writer: SeriesWriter<BufWriter<File>>,
    axes: HashMap<Vec<i64>, u32>,
    axes_bytes: usize,
    rows: u32,
    entries: Entries,
    form: Form,
}

impl BlockWriter {
    /// Starts a temporary file, which becomes the block when it is complete. Only one that says so has room for downsampled series.
    pub(crate) fn create(dir: &Path, id: BlockId, downsampled: bool) -> Result<Self, SeriesError> {
        let path = dir.join(id.file_name());
        let temporary = Temporary { path: path.with_extension("tmp"), renamed: false };
        let file = File::create(&temporary.path).map_err(SeriesError::io("create", &temporary.path))?;
        let writer = SeriesWriter::new(BufWriter::new(file), downsampled).map_err(writing(&temporary.path))?;
        let (axes, entries, form) = (HashMap::new(), Entries::default(), Form::default());
        Ok(Self { id, path, temporary, writer, axes, axes_bytes: 0, rows: 0, entries, form })
    }

    /// Appends a series, which must have samples.
    pub(crate) fn push(&mut self, id: SeriesId, labels: &Labels, samples: &Samples) -> Result<(), SeriesError> {
        if samples.is_empty() {
            return Ok(());
        }
        let mut blob = Vec::new();
        if !samples.histograms.is_empty() {
            histograms::put(&mut blob, &samples.histograms);
        }
        let row = SeriesRow {
            labels: labels.pairs(),
            starts: &samples.starts,
            histograms: &blob,
            resolution_ms: samples.resolution_ms,
            ..SeriesRow::default()
        };
        let (place, head) = self.push_row(row, &samples.times, &samples.values)?;
        let mut entry = Entry::new(id, place, &head, &mut self.entries.resolutions);
        for (aggregate, times, values) in folds::columns(samples) {
            let row = SeriesRow { aggregate, starts: &[], histograms: &[], ..row };
            self.push_row(row, &times, &values)?;
            entry.add_aggregate(aggregate);
        }
        self.entries.list.push(entry);
        Ok(())
    }

    /// Appends a row; gives its number and what it says of itself.
    fn push_row(
        &mut self,
        row: SeriesRow<'_>,
        times: &[i64],
        values: &[f64],
    ) -> Result<(u32, SeriesHead<'static>), SeriesError> {
        let place = self.rows;
        let axis = self.axis(times, place);
        self.form.set(values);
        let (first_ms, last_ms) = (times.first().copied().unwrap_or(0), times.last().copied().unwrap_or(0));
        let written = SeriesRow {
            first_ms,
            last_ms,
            samples: times.len() as u32,
            axis,
            times: if axis == place { times } else { &[] },
            decimal: &self.form.decimal,
            deltas: &self.form.deltas,
            exceptions: &self.form.exceptions,
            doubles: &self.form.doubles,
            ..row
        };
        self.writer.push(&written).map_err(writing(&self.temporary.path))?;
        self.rows += 1;
        let (samples, parts, resolution_ms) = (written.samples, written.parts(), row.resolution_ms);
        let aggregate = row.aggregate;
        let head = SeriesHead { labels: Vec::new(), first_ms, last_ms, samples, axis, parts, resolution_ms, aggregate };
        Ok((place, head))
    }

    /// The row that has these times: an earlier one, or the one that is written now.
    fn axis(&mut self, times: &[i64], row: u32) -> u32 {
        if let Some(axis) = self.axes.get(times) {
            return *axis;
        }
        if self.axes_bytes > AXES_BYTES_MAX {
            self.axes.clear();
            self.axes_bytes = 0;
        }
        self.axes_bytes += size_of_val(times);
        self.axes.insert(times.to_vec(), row);
        row
    }

    /// Makes the block durable: footer, fsync, rename, fsync of the directory. Gives where each series is, in the order of rows.
    pub(crate) fn finish(self, about: &About) -> Result<(BlockFile, Entries), SeriesError> {
        let Self { id, path, mut temporary, writer, entries, .. } = self;
        let io = |action| SeriesError::io(action, &temporary.path);
        let raw = encode_about(about);
        let packed = zstd::bulk::compress(&raw, ZSTD_LEVEL).map_err(io("compress"))?;
        let pair = format!("{}.{}", raw.len(), STANDARD.encode(packed));
        let mut sink = writer.finish(&[(ABOUT_KEY, pair)]).map_err(writing(&temporary.path))?;
        sink.flush().map_err(io("write"))?;
        sink.get_ref().sync_all().map_err(io("sync"))?;
        std::fs::rename(&temporary.path, &path).map_err(io("rename"))?;
        temporary.renamed = true;
        if let Some(dir) = path.parent() {
            sync_dir(dir)?;
        }
        Ok((BlockFile::open(&path, id)?.0, entries))
    }
}

/// Makes renames and removals in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), SeriesError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(SeriesError::io("sync", dir))
}

fn writing(path: &Path) -> impl Fn(ColumnError) -> SeriesError {
    |error| match error {
        ColumnError::Io(source) => SeriesError::io("write", path)(source),
        other => SeriesError::io("encode", path)(std::io::Error::other(other.to_string())),
    }
}

#[derive(Default)]
struct Symbols<'a> {
    known: HashMap<&'a str, u64>,
    texts: Vec<&'a str>,
}

impl<'a> Symbols<'a> {
    fn id(&mut self, text: &'a str) -> u64 {
        let next = self.texts.len() as u64;
        *self.known.entry(text).or_insert_with(|| {
            self.texts.push(text);
            next
        })
    }

    fn put_labels(&mut self, out: &mut Vec<u8>, labels: &'a Labels) {
        codec::put_varint(out, labels.len() as u64);
        for (name, value) in labels.iter() {
            let (name, value) = (self.id(name), self.id(value));
            codec::put_varint(out, name);
            codec::put_varint(out, value);
        }
    }
}

fn encode_about(about: &About) -> Vec<u8> {
    let mut symbols = Symbols::default();
    let mut body = Vec::new();
    codec::put_varint(&mut body, about.exemplars.len() as u64);
    for (labels, exemplar) in &about.exemplars {
        symbols.put_labels(&mut body, labels);
        symbols.put_labels(&mut body, &exemplar.labels);
        codec::put_signed(&mut body, exemplar.time_ms);
        body.extend_from_slice(&exemplar.value.to_le_bytes());
    }
    codec::put_varint(&mut body, about.metadata.len() as u64);
    for metadata in &about.metadata {
        for text in [&*metadata.name, metadata.kind.as_str(), &*metadata.help, &*metadata.unit] {
            codec::put_text(&mut body, text);
        }
    }
    let mut out = Vec::with_capacity(body.len() + 4096);
    codec::put_text(&mut out, about.tenant.as_str());
    codec::put_varint(&mut out, about.replaces.len() as u64);
    about.replaces.iter().for_each(|name| codec::put_text(&mut out, name));
    codec::put_varint(&mut out, symbols.texts.len() as u64);
    symbols.texts.iter().for_each(|text| codec::put_text(&mut out, text));
    out.extend_from_slice(&body);
    out
}

fn decode_about(text: &str) -> Result<About, Corrupt> {
    let (len, packed) = text.split_once('.').ok_or(Corrupt)?;
    let len: usize = len.parse().ok().filter(|len| *len <= ABOUT_BYTES_MAX).ok_or(Corrupt)?;
    let packed = STANDARD.decode(packed).map_err(|_| Corrupt)?;
    let raw = zstd::bulk::decompress(&packed, len).map_err(|_| Corrupt)?;
    let mut reader = Reader(&raw);
    let r = &mut reader;
    let tenant = TenantId::new(r.text()?).ok_or(Corrupt)?;
    let replaces = (0..r.count()?).map(|_| r.text().map(str::to_owned)).collect::<Result<_, _>>()?;
    let symbols = (0..r.count()?).map(|_| r.text().map(Arc::from)).collect::<Result<Vec<Arc<str>>, _>>()?;
    let mut exemplars = Vec::new();
    for _ in 0..r.count()? {
        let labels = read_labels(r, &symbols)?;
        let own = read_labels(r, &symbols)?;
        exemplars.push((labels, Exemplar { labels: own, time_ms: r.signed()?, value: r.f64()? }));
    }
    let mut metadata = Vec::new();
    for _ in 0..r.count()? {
        let (name, kind, help, unit) = (r.text()?, MetricKind::parse(r.text()?), r.text()?, r.text()?);
        metadata.push(MetricMetadata { name: name.into(), kind, help: help.into(), unit: unit.into() });
    }
    Ok(About { tenant, replaces, metadata, exemplars })
}

fn read_labels(r: &mut Reader<'_>, symbols: &[Arc<str>]) -> Result<Labels, Corrupt> {
    let mut pairs = Vec::new();
    let symbol = |r: &mut Reader<'_>| symbols.get(r.varint()? as usize).cloned().ok_or(Corrupt);
    for _ in 0..r.count()? {
        pairs.push((symbol(r)?, symbol(r)?));
    }
    Ok(pairs.into_iter().collect())
}

impl BlockFile {
    /// Opens a block and checks its footer.
    pub(crate) fn open(path: &Path, id: BlockId) -> Result<(Self, About), SeriesError> {
        let file = File::open(path).map_err(SeriesError::io("open", path))?;
        let source = Source::file(file).map_err(SeriesError::io("inspect", path))?;
        let Source::File(_, bytes) = source else {
            return Err(SeriesError::damaged(path, "it is no file"));
        };
        let (file, pairs) = SeriesFile::open(source).map_err(reading(path))?;
        let about = pairs.iter().find(|(key, _)| key == ABOUT_KEY).ok_or(Corrupt);
        let about = about.and_then(|(_, text)| decode_about(text));
        let about = about.map_err(|Corrupt| SeriesError::damaged(path, "its footer does not say whose it is"))?;
        Ok((Self { id, path: path.to_owned(), bytes, file }, about))
    }

    /// Reads whose rows they are; `id` finds or makes the id of a series, or passes it over.
    pub(crate) fn entries(
        &self,
        mut id: impl FnMut(&[(&str, &str)]) -> Option<SeriesId>,
    ) -> Result<Entries, SeriesError> {
        let (mut row, mut entries, mut is_known) = (0, Entries::default(), false);
        let take = |head: SeriesHead<'_>| {
            if head.aggregate == Aggregate::Sample {
                let found = id(&head.labels);
                is_known = found.is_some();
                entries.list.extend(found.map(|id| Entry::new(id, row, &head, &mut entries.resolutions)));
            } else if let Some(entry) = entries.list.last_mut().filter(|_| is_known) {
                entry.add_aggregate(head.aggregate);
            }
            row += 1;
        };
        self.file.heads(take).map_err(reading(&self.path))?;
        Ok(entries)
    }

    /// Looks at every page.
    pub(crate) fn verify(&self) -> Result<(), SeriesError> {
        self.file.verify().map_err(reading(&self.path))
    }

    pub(crate) fn page_of(&self, part: Part, row: u32) -> Result<u32, SeriesError> {
        self.file.page_of(part, row).map_err(reading(&self.path))
    }

    pub(crate) fn page(&self, part: Part, number: u32) -> Result<PartPage, SeriesError> {
        self.file.page(part, number).map_err(reading(&self.path))
    }

    /// The samples of one series, with what is wanted of what downsampling left out.
    pub(crate) fn samples(&self, entry: &Entry, wanted: Wanted, pages: BlockPages<'_>) -> Result<Samples, SeriesError> {
        let row = entry.row;
        let (times, values) = self.columns(entry, pages)?;
        let count = times.len();
        let mut samples = Samples { values: values.into_vec(), times: times.into_vec(), ..Samples::default() };
        if entry.has(PART_STARTS) {
            samples.starts = pages.page(Part::Starts, row)?.numbers(row).to_vec();
        }
        if entry.has(PART_HISTOGRAMS) {
            let page = pages.page(Part::Histograms, row)?;
            let read = histograms::read(&mut Reader(page.bytes(row)), count);
            samples.histograms = read.map_err(|_| self.senseless(row))?;
        }
        if ![0, count].contains(&samples.starts.len()) {
            return Err(self.senseless(row));
        }
        if entry.has_aggregate(Aggregate::Count) {
            // Which parts a row of an aggregate has is not kept in memory; it has one of these two.
            let column = |behind: u32, count: usize| pages.values(row + behind, count, (true, true));
            samples.folds = folds::read(entry, &samples.values, wanted, column)?.ok_or_else(|| self.senseless(row))?;
        }
        Ok(samples)
    }

    /// Times and values of one series: all that there is of one that [`Entry::is_plain`].
    pub(crate) fn columns(
        &self,
        entry: &Entry,
        pages: BlockPages<'_>,
    ) -> Result<(SharedSlice<i64>, SharedSlice<f64>), SeriesError> {
        let times = pages.times(entry.axis)?;
        let of = (entry.has(PART_DECIMAL), entry.has(PART_DOUBLES));
        let values = pages.values(entry.row, times.len(), of)?;
        Ok((SharedSlice::new(times), SharedSlice::new(values)))
    }

    /// Whether these two are decoded.
    pub(crate) fn has_columns(&self, entry: &Entry, pages: BlockPages<'_>) -> bool {
        pages.has(entry.axis, entry.row)
    }

    /// The times of an axis, which ascend.
    pub(crate) fn times(&self, axis: u32, page: &PartPage) -> Result<Vec<i64>, SeriesError> {
        let times = page.numbers(axis);
        let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || times.is_empty() {
            return Err(self.senseless(axis));
        }
        Ok(times.to_vec())
    }

    /// The values of a row, which may be decimals or doubles.
    pub(crate) fn row_values(
        &self,
        row: u32,
        count: usize,
        (decimals, doubles): (bool, bool),
        page: impl Fn(Part) -> Result<Arc<PartPage>, SeriesError>,
    ) -> Result<Vec<f64>, SeriesError> {
        let numbers = |part: Part, has: bool| if has { page(part).map(Some) } else { Ok(None) };
        let decimal = numbers(Part::Decimal, decimals)?;
        let decimal = decimal.as_ref().map_or(&[][..], |page| page.numbers(row));
        let is_decimal = decimals && !decimal.is_empty();
        let deltas = numbers(Part::Deltas, is_decimal)?;
        let deltas = deltas.as_ref().map_or(&[][..], |page| page.numbers(row));
        let doubles = numbers(Part::Doubles, doubles)?;
        let doubles = doubles.as_ref().map_or(&[][..], |page| page.numbers(row));
        let exceptions = numbers(Part::Exceptions, is_decimal && !doubles.is_empty())?;
        let exceptions = exceptions.as_ref().map_or(&[][..], |page| page.numbers(row));
        codec::values_of(decimal, deltas, exceptions, doubles, count).map_err(|_| self.senseless(row))
    }

    fn senseless(&self, row: u32) -> SeriesError {
        SeriesError::damaged(&self.path, format!("row {row} makes no sense"))
    }
}

fn reading(path: &Path) -> impl Fn(ColumnError) -> SeriesError {
    |error| match error {
        ColumnError::Io(source) => SeriesError::io("read", path)(source),
        ColumnError::Corrupt(reason) => SeriesError::damaged(path, reason),
        other => SeriesError::damaged(path, other.to_string()),
    }
}
