//! One block file: samples of many series of one tenant, written once.
//!
//! ```text
//! "BSERIES1"  page page ...  footer  trailer
//! page     zstd of: time axes and values of consecutive series; series of one scrape target share an axis; behind the values
//!          of a series its start times and its histograms, where it has any (version 2; its entry says which)
//! footer   zstd of: tenant, span, names of blocks it replaces, symbols, pages, series, metadata, exemplars
//! trailer  footer offset u64, bytes u64, raw bytes u64, crc32c of the footer u32, version u32   (little endian, 32 bytes)
//! ```
//! Pages carry a crc32c of their own in the footer; it is checked whenever a page is read.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Exemplar, Labels, MetricKind, MetricMetadata, TenantId};

use crate::SeriesError;
use crate::codec::{self, Corrupt, Reader};
use crate::histograms;
use crate::samples::Samples;

const MAGIC: &[u8; 8] = b"BSERIES1";
const VERSION: u32 = 2;
/// The version before, which had neither start times nor histograms.
const VERSION_FLOATS: u32 = 1;
/// Bits of an entry: what is behind its values.
const HAS_STARTS: u8 = 1;
const HAS_HISTOGRAMS: u8 = 2;
const TRAILER_BYTES: usize = 32;
/// A page is closed when its raw bytes reach this: large enough to compress, small enough to read for one series.
const PAGE_BYTES: usize = 64 * 1024;
/// A page or footer that claims to be larger than this is damaged.
const RAW_BYTES_MAX: u64 = 1 << 30;
/// zstd's level; 3 is the figure that the format was measured with.
const ZSTD_LEVEL: i32 = 3;

/// A block's place in the order of writes: later blocks win over earlier ones, and a merged block takes the place of the last
/// block it replaces with a higher generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlockId {
    pub(crate) sequence: u64,
    pub(crate) generation: u32,
}

impl BlockId {
    pub(crate) fn file_name(self) -> String {
        format!("{:016x}-{:04x}.series", self.sequence, self.generation)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (sequence, generation) = name.strip_suffix(".series")?.split_once('-')?;
        let sequence = u64::from_str_radix(sequence, 16).ok()?;
        Some(Self { sequence, generation: u32::from_str_radix(generation, 16).ok()? })
    }
}

/// What goes into a block.
pub(crate) struct Content {
    pub(crate) tenant: TenantId,
    pub(crate) replaces: Vec<String>,
    /// Sorted by labels, so that the series of one metric share pages.
    pub(crate) series: Vec<(Labels, Arc<Samples>)>,
    pub(crate) metadata: Vec<MetricMetadata>,
    pub(crate) exemplars: Vec<(Labels, Exemplar)>,
}

/// Where one series' samples are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) page: u32,
    axis_at: u32,
    values_at: u32,
    pub(crate) samples: u32,
    /// What is behind the values: [`HAS_STARTS`], [`HAS_HISTOGRAMS`].
    extras: u8,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
}

#[derive(Clone, Copy, Debug)]
struct Page {
    offset: u64,
    bytes: u32,
    raw_bytes: u32,
    crc: u32,
}

/// What the footer of an opened block says.
pub(crate) struct Footer {
    pub(crate) tenant: TenantId,
    pub(crate) replaces: Vec<String>,
    pub(crate) series: Vec<(Labels, Entry)>,
    pub(crate) metadata: Vec<MetricMetadata>,
    pub(crate) exemplars: Vec<(Labels, Exemplar)>,
    pages: Vec<Page>,
}

/// An open block: its pages can be read by entries of its footer.
#[derive(Debug)]
pub(crate) struct BlockFile {
    pub(crate) id: BlockId,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    file: File,
    pages: Vec<Page>,
}

/// Writes a block durably: temporary file, fsync, rename, fsync of the directory.
pub(crate) fn write(dir: &Path, id: BlockId, content: &Content) -> Result<(BlockFile, Footer), SeriesError> {
    let path = dir.join(id.file_name());
    let temporary = path.with_extension("tmp");
    let bytes = encode(content, &temporary, VERSION)?;
    let io = |action| SeriesError::io(action, &temporary);
    let mut file = File::create(&temporary).map_err(io("create"))?;
    file.write_all(&bytes).map_err(io("write"))?;
    file.sync_all().map_err(io("sync"))?;
    std::fs::rename(&temporary, &path).map_err(io("rename"))?;
    sync_dir(dir)?;
    open(&path, id)
}

/// Makes renames and removals in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), SeriesError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(SeriesError::io("sync", dir))
}

/// The bytes of a block in the layout of a version; an earlier one has no place for what came later.
fn encode(content: &Content, path: &Path, version: u32) -> Result<Vec<u8>, SeriesError> {
    let mut pages = PageWriter { out: MAGIC.to_vec(), ..PageWriter::default() };
    let mut entries = Vec::with_capacity(content.series.len());
    for (_, samples) in &content.series {
        entries.push(pages.add(samples).map_err(SeriesError::io("compress", path))?);
    }
    pages.close().map_err(SeriesError::io("compress", path))?;
    let raw = encode_footer(content, &pages.pages, &entries, version);
    let footer = zstd::bulk::compress(&raw, ZSTD_LEVEL).map_err(SeriesError::io("compress", path))?;
    let mut out = pages.out;
    let offset = out.len() as u64;
    out.extend_from_slice(&footer);
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&(footer.len() as u64).to_le_bytes());
    out.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&footer).to_le_bytes());
    out.extend_from_slice(&version.to_le_bytes());
    Ok(out)
}

#[derive(Default)]
struct PageWriter {
    out: Vec<u8>,
    raw: Vec<u8>,
    /// Axes of the open page, by their bytes.
    axes: HashMap<Vec<u8>, u32>,
    pages: Vec<Page>,
}

impl PageWriter {
    fn add(&mut self, samples: &Samples) -> std::io::Result<Entry> {
        if self.raw.len() >= PAGE_BYTES {
            self.close()?;
        }
        let mut axis = Vec::new();
        codec::put_times(&mut axis, &samples.times);
        let raw = &mut self.raw;
        let axis_at = *self.axes.entry(axis).or_insert_with_key(|axis| {
            let at = raw.len() as u32;
            raw.extend_from_slice(axis);
            at
        });
        let values_at = self.raw.len() as u32;
        codec::put_values(&mut self.raw, &samples.values);
        let mut extras = 0;
        if !samples.starts.is_empty() {
            extras |= HAS_STARTS;
            codec::put_times(&mut self.raw, &samples.starts);
        }
        if !samples.histograms.is_empty() {
            extras |= HAS_HISTOGRAMS;
            histograms::put(&mut self.raw, &samples.histograms);
        }
        Ok(Entry {
            extras,
            page: self.pages.len() as u32,
            axis_at,
            values_at,
            samples: samples.len() as u32,
            min_ms: samples.times.first().copied().unwrap_or(0),
            max_ms: samples.times.last().copied().unwrap_or(0),
        })
    }

    fn close(&mut self) -> std::io::Result<()> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let page = zstd::bulk::compress(&self.raw, ZSTD_LEVEL)?;
        self.pages.push(Page {
            offset: self.out.len() as u64,
            bytes: page.len() as u32,
            raw_bytes: self.raw.len() as u32,
            crc: crc32c::crc32c(&page),
        });
        self.out.extend_from_slice(&page);
        self.raw.clear();
        self.axes.clear();
        Ok(())
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

fn encode_footer(content: &Content, pages: &[Page], entries: &[Entry], version: u32) -> Vec<u8> {
    let mut symbols = Symbols::default();
    let mut body = Vec::new();
    codec::put_varint(&mut body, content.series.len() as u64);
    for ((labels, _), entry) in content.series.iter().zip(entries) {
        symbols.put_labels(&mut body, labels);
        for n in [entry.page, entry.axis_at, entry.values_at, entry.samples] {
            codec::put_varint(&mut body, n.into());
        }
        if version != VERSION_FLOATS {
            body.push(entry.extras);
        }
        codec::put_signed(&mut body, entry.min_ms);
        codec::put_signed(&mut body, entry.max_ms);
    }
    codec::put_varint(&mut body, content.exemplars.len() as u64);
    for (labels, exemplar) in &content.exemplars {
        symbols.put_labels(&mut body, labels);
        symbols.put_labels(&mut body, &exemplar.labels);
        codec::put_signed(&mut body, exemplar.time_ms);
        body.extend_from_slice(&exemplar.value.to_le_bytes());
    }
    codec::put_varint(&mut body, content.metadata.len() as u64);
    for metadata in &content.metadata {
        for text in [&*metadata.name, metadata.kind.as_str(), &*metadata.help, &*metadata.unit] {
            codec::put_text(&mut body, text);
        }
    }
    let mut out = Vec::with_capacity(body.len() + 4096);
    codec::put_text(&mut out, content.tenant.as_str());
    codec::put_varint(&mut out, content.replaces.len() as u64);
    content.replaces.iter().for_each(|name| codec::put_text(&mut out, name));
    codec::put_varint(&mut out, pages.len() as u64);
    for page in pages {
        for n in [page.offset, page.bytes.into(), page.raw_bytes.into(), page.crc.into()] {
            codec::put_varint(&mut out, n);
        }
    }
    codec::put_varint(&mut out, symbols.texts.len() as u64);
    symbols.texts.iter().for_each(|text| codec::put_text(&mut out, text));
    out.extend_from_slice(&body);
    out
}

/// Opens a block and reads its footer; the footer's checksum must hold.
pub(crate) fn open(path: &Path, id: BlockId) -> Result<(BlockFile, Footer), SeriesError> {
    let file = File::open(path).map_err(SeriesError::io("open", path))?;
    let bytes = file.metadata().map_err(SeriesError::io("inspect", path))?.len();
    let (raw, version) = read_footer(&file, bytes, path)?;
    let footer =
        decode_footer(&raw, version).map_err(|Corrupt| SeriesError::damaged(path, "its footer makes no sense"))?;
    let pages = footer.pages.clone();
    Ok((BlockFile { id, path: path.to_owned(), bytes, file, pages }, footer))
}

/// The footer's bytes and the version of the layout.
fn read_footer(file: &File, file_bytes: u64, path: &Path) -> Result<(Vec<u8>, u32), SeriesError> {
    let damaged = |reason: String| SeriesError::damaged(path, reason);
    if file_bytes < (MAGIC.len() + TRAILER_BYTES) as u64 {
        return Err(damaged(format!("it has only {file_bytes} bytes")));
    }
    let mut magic = [0u8; MAGIC.len()];
    file.read_exact_at(&mut magic, 0).map_err(SeriesError::io("read", path))?;
    let mut trailer = [0u8; TRAILER_BYTES];
    let trailer_at = file_bytes - TRAILER_BYTES as u64;
    file.read_exact_at(&mut trailer, trailer_at).map_err(SeriesError::io("read", path))?;
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| trailer[at + i]));
    let half = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| trailer[at + i]));
    let (offset, bytes, raw_bytes, crc, version) = (word(0), word(8), word(16), half(24), half(28));
    if magic != *MAGIC || !(VERSION_FLOATS..=VERSION).contains(&version) {
        return Err(damaged(format!("it is not a series block of version {VERSION_FLOATS} to {VERSION}")));
    }
    if offset.checked_add(bytes) != Some(trailer_at) || raw_bytes > RAW_BYTES_MAX {
        return Err(damaged(format!("its trailer points at bytes {offset}+{bytes} of {file_bytes}")));
    }
    let mut footer = vec![0u8; bytes as usize];
    file.read_exact_at(&mut footer, offset).map_err(SeriesError::io("read", path))?;
    if crc32c::crc32c(&footer) != crc {
        return Err(damaged("the checksum of its footer does not hold".to_owned()));
    }
    let raw = zstd::bulk::decompress(&footer, raw_bytes as usize);
    Ok((raw.map_err(|error| damaged(format!("its footer: {error}")))?, version))
}

fn decode_footer(raw: &[u8], version: u32) -> Result<Footer, Corrupt> {
    let mut reader = Reader(raw);
    let r = &mut reader;
    let tenant = TenantId::new(r.text()?).ok_or(Corrupt)?;
    let replaces = (0..r.count()?).map(|_| r.text().map(str::to_owned)).collect::<Result<_, _>>()?;
    let pages = (0..r.count()?).map(|_| read_page_ref(r)).collect::<Result<Vec<_>, _>>()?;
    let symbols = (0..r.count()?).map(|_| r.text().map(Arc::from)).collect::<Result<Vec<Arc<str>>, _>>()?;
    let mut series = Vec::new();
    for _ in 0..r.count()? {
        let labels = read_labels(r, &symbols)?;
        let entry = read_entry(r, version)?;
        if entry.page as usize >= pages.len() {
            return Err(Corrupt);
        }
        series.push((labels, entry));
    }
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
    Ok(Footer { tenant, replaces, series, metadata, exemplars, pages })
}

fn read_u32(r: &mut Reader<'_>) -> Result<u32, Corrupt> {
    u32::try_from(r.varint()?).map_err(|_| Corrupt)
}

fn read_page_ref(r: &mut Reader<'_>) -> Result<Page, Corrupt> {
    Ok(Page { offset: r.varint()?, bytes: read_u32(r)?, raw_bytes: read_u32(r)?, crc: read_u32(r)? })
}

fn read_entry(r: &mut Reader<'_>, version: u32) -> Result<Entry, Corrupt> {
    Ok(Entry {
        page: read_u32(r)?,
        axis_at: read_u32(r)?,
        values_at: read_u32(r)?,
        samples: read_u32(r)?,
        extras: if version == VERSION_FLOATS { 0 } else { r.byte()? },
        min_ms: r.signed()?,
        max_ms: r.signed()?,
    })
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
    /// Reads and checks one page.
    pub(crate) fn page(&self, page: u32) -> Result<Vec<u8>, SeriesError> {
        let page_ref = self.pages[page as usize];
        let damaged = |reason: &str| SeriesError::damaged(&self.path, format!("page {page}: {reason}"));
        let mut bytes = vec![0u8; page_ref.bytes as usize];
        self.file.read_exact_at(&mut bytes, page_ref.offset).map_err(SeriesError::io("read", &self.path))?;
        if crc32c::crc32c(&bytes) != page_ref.crc {
            return Err(damaged("its checksum does not hold"));
        }
        if u64::from(page_ref.raw_bytes) > RAW_BYTES_MAX {
            return Err(damaged("it claims an impossible size"));
        }
        zstd::bulk::decompress(&bytes, page_ref.raw_bytes as usize).map_err(|error| damaged(&error.to_string()))
    }

    /// How many pages there are.
    pub(crate) fn page_count(&self) -> u32 {
        self.pages.len() as u32
    }

    /// The samples of one entry, from the raw bytes of its page.
    pub(crate) fn samples(&self, page: &[u8], entry: &Entry) -> Result<Samples, SeriesError> {
        decode_samples(page, entry)
            .map_err(|Corrupt| SeriesError::damaged(&self.path, format!("page {} makes no sense", entry.page)))
    }
}

fn decode_samples(page: &[u8], entry: &Entry) -> Result<Samples, Corrupt> {
    let at = |offset: u32| page.get(offset as usize..).map(Reader).ok_or(Corrupt);
    let times = codec::read_times(&mut at(entry.axis_at)?)?;
    if times.len() != entry.samples as usize {
        return Err(Corrupt);
    }
    let reader = &mut at(entry.values_at)?;
    let values = codec::read_values(reader, times.len())?;
    let mut samples = Samples { times, values, ..Samples::default() };
    if entry.extras & HAS_STARTS != 0 {
        samples.starts = codec::read_times(reader)?;
    }
    if entry.extras & HAS_HISTOGRAMS != 0 {
        samples.histograms = histograms::read(reader, samples.len())?;
    }
    let whole = |len: usize| len == 0 || len == samples.len();
    if whole(samples.starts.len()) && whole(samples.histograms.len()) { Ok(samples) } else { Err(Corrupt) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_the_version_before_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let labels: Labels = [("__name__", "up")].into_iter().collect();
        let samples = Samples { times: vec![1, 2, 5], values: vec![0.5, -0.0, 7.0], ..Samples::default() };
        let content = Content {
            tenant: TenantId::default(),
            replaces: Vec::new(),
            series: vec![(labels.clone(), Arc::new(samples.clone()))],
            metadata: Vec::new(),
            exemplars: Vec::new(),
        };
        let id = BlockId { sequence: 1, generation: 0 };
        for version in VERSION_FLOATS..=VERSION {
            let path = dir.path().join(id.file_name());
            std::fs::write(&path, encode(&content, &path, version).unwrap()).unwrap();
            let (file, footer) = open(&path, id).unwrap();
            let (found, entry) = &footer.series[0];
            let back = file.samples(&file.page(entry.page).unwrap(), entry).unwrap();
            assert_eq!((found, &back), (&labels, &samples), "version {version}");
        }
    }
}
