//! Deletions that are remembered until no block holds what they delete.
//!
//! A delete does not rewrite blocks: it appends a *tombstone* (matchers and a span of time) to the file `tombstones` and takes the
//! samples out of memory. A tombstone is about what was written before it: it hides samples of blocks with a lower sequence than
//! its own, so that samples written again afterwards are seen. Merges leave hidden samples out of what they write, and
//! [`SeriesDb::clean_tombstones`](crate::SeriesDb::clean_tombstones) rewrites the blocks that still hold some.
//!
//! ```text
//! "BTOMBS01"  crc32c of the rest u32  count  then each: tenant, sequence, start, end, count of matchers, each: name, operator, value
//! ```
//! The file is written whole, under a temporary name, synced and renamed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use model::{Labels, TenantId};

use crate::block;
use crate::codec::{self, Corrupt, Reader};
use crate::samples::Samples;
use crate::{MatchOp, Matcher, SeriesError};

const MAGIC: &[u8; 8] = b"BTOMBS01";
const FILE_NAME: &str = "tombstones";

/// Tombstones of one database. Every read looks at those of its tenant, so that there must not be many.
pub const TOMBSTONES_MAX: usize = 10_000;

/// One deletion.
#[derive(Clone, Debug)]
pub(crate) struct Tombstone {
    pub(crate) tenant: TenantId,
    /// It hides samples of blocks with a lower sequence.
    pub(crate) before: u64,
    /// First millisecond.
    pub(crate) start_ms: i64,
    /// Last millisecond.
    pub(crate) end_ms: i64,
    pub(crate) matchers: Vec<Matcher>,
}

impl Tombstone {
    /// Whether it hides samples of a series in a block.
    pub(crate) fn hides(&self, sequence: u64, labels: &Labels) -> bool {
        sequence < self.before && self.matchers.iter().all(|matcher| matcher.matches_labels(labels))
    }

    pub(crate) fn overlaps(&self, start_ms: i64, end_ms: i64) -> bool {
        self.start_ms <= end_ms && self.end_ms >= start_ms
    }

    /// Cuts a span at its ends; `None` when nothing is left. A hole in the middle leaves the span as it is.
    pub(crate) fn cut_span(&self, (min_ms, max_ms): (i64, i64)) -> Option<(i64, i64)> {
        match (self.start_ms <= min_ms, self.end_ms >= max_ms) {
            (true, true) => None,
            (true, false) => Some((min_ms.max(self.end_ms.saturating_add(1)), max_ms)),
            (false, true) => Some((min_ms, max_ms.min(self.start_ms.saturating_sub(1)))),
            (false, false) => Some((min_ms, max_ms)),
        }
    }
}

/// Takes hidden samples out of those of one series in one block.
pub(crate) fn apply(tombstones: &[Tombstone], sequence: u64, labels: &Labels, samples: &mut Samples) {
    for tombstone in tombstones {
        let (Some(first), Some(last)) = (samples.times.first(), samples.times.last()) else { return };
        if tombstone.overlaps(*first, *last) && tombstone.hides(sequence, labels) {
            samples.remove_range(tombstone.start_ms, tombstone.end_ms);
        }
    }
}

/// Writes the file durably.
pub(crate) fn write(dir: &Path, tombstones: &[Tombstone]) -> Result<(), SeriesError> {
    let mut body = Vec::new();
    codec::put_varint(&mut body, tombstones.len() as u64);
    for tombstone in tombstones {
        codec::put_text(&mut body, tombstone.tenant.as_str());
        codec::put_varint(&mut body, tombstone.before);
        codec::put_signed(&mut body, tombstone.start_ms);
        codec::put_signed(&mut body, tombstone.end_ms);
        codec::put_varint(&mut body, tombstone.matchers.len() as u64);
        for matcher in &tombstone.matchers {
            for text in [matcher.name(), matcher.op().as_str(), matcher.value()] {
                codec::put_text(&mut body, text);
            }
        }
    }
    let path = path(dir);
    let temporary = path.with_extension("tmp");
    let io = |action| SeriesError::io(action, &temporary);
    let mut file = File::create(&temporary).map_err(io("create"))?;
    file.write_all(MAGIC).map_err(io("write"))?;
    file.write_all(&crc32c::crc32c(&body).to_le_bytes()).map_err(io("write"))?;
    file.write_all(&body).map_err(io("write"))?;
    file.sync_all().map_err(io("sync"))?;
    std::fs::rename(&temporary, &path).map_err(io("rename"))?;
    block::sync_dir(dir)
}

/// Reads the file; none is no tombstones. A damaged one is an error: without it, deleted samples would come back.
pub(crate) fn read(dir: &Path) -> Result<Vec<Tombstone>, SeriesError> {
    let path = path(dir);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SeriesError::io("read", &path)(error)),
    };
    let damaged = |reason: &str| SeriesError::damaged(&path, reason);
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it is not a file of tombstones"))?;
    let (crc, body) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it ends early"))?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return Err(damaged("its checksum does not hold"));
    }
    decode(body).map_err(|Corrupt| damaged("it makes no sense"))
}

/// The file, for a snapshot; it need not be there.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

fn decode(body: &[u8]) -> Result<Vec<Tombstone>, Corrupt> {
    let mut reader = Reader(body);
    let r = &mut reader;
    let mut tombstones = Vec::new();
    for _ in 0..r.count()? {
        let tenant = TenantId::new(r.text()?).ok_or(Corrupt)?;
        let (before, start_ms, end_ms) = (r.varint()?, r.signed()?, r.signed()?);
        let matchers = (0..r.count()?).map(|_| read_matcher(r)).collect::<Result<_, _>>()?;
        tombstones.push(Tombstone { tenant, before, start_ms, end_ms, matchers });
    }
    Ok(tombstones)
}

fn read_matcher(r: &mut Reader<'_>) -> Result<Matcher, Corrupt> {
    let (name, op, value) = (r.text()?, r.text()?, r.text()?);
    let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
    let op = ops.into_iter().find(|known| known.as_str() == op).ok_or(Corrupt)?;
    Matcher::new(name, op, value).map_err(|_| Corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_back_and_damage_is_found() {
        let dir = tempfile::tempdir().expect("directory");
        assert!(read(dir.path()).expect("no file").is_empty());
        let matchers = vec![Matcher::new("a", MatchOp::NotRegex, "x|y.*").expect("matcher")];
        let tombstone = Tombstone { tenant: TenantId::default(), before: 7, start_ms: -5, end_ms: i64::MAX, matchers };
        write(dir.path(), &[tombstone]).expect("write");
        let back = read(dir.path()).expect("read");
        assert_eq!((back[0].before, back[0].start_ms, back[0].end_ms), (7, -5, i64::MAX));
        assert_eq!((back[0].matchers[0].name(), back[0].matchers[0].value()), ("a", "x|y.*"));
        let path = path(dir.path());
        let whole = std::fs::read(&path).expect("bytes");
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("write");
            assert!(read(dir.path()).is_err(), "{cut} bytes");
        }
    }

    #[test]
    fn spans_are_cut_at_their_ends() {
        let cut = |start_ms, end_ms| {
            let (tenant, matchers) = (TenantId::default(), Vec::new());
            Tombstone { tenant, before: 1, start_ms, end_ms, matchers }.cut_span((10, 20))
        };
        assert_eq!(cut(0, 30), None);
        assert_eq!(cut(0, 12), Some((13, 20)));
        assert_eq!(cut(15, i64::MAX), Some((10, 14)));
        assert_eq!(cut(12, 15), Some((10, 20)));
    }
}
