//! Reads the files of a log at start and tells torn tails from damage.
//!
//! A *gap* is a run of bytes that is no sound record. Whether a gap is a loss is told by the sound records behind it: each
//! says up to which LSN everything was durable when it was written. If the records before the gap reach that far, nothing
//! acknowledged is missing, and the gap is a torn tail.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use memchr::memmem;
use telemetry::metrics::{WAL_DAMAGED, WAL_TORN_TAILS};

use crate::record::{self, FILE_HEADER_BYTES, FileHeader, RECORD_MAGIC, Span, VERSION};
use crate::writer::{FileInfo, file_seq};
use crate::{Damage, Replay, WalError, WalOptions};

/// The folder for copies of damaged regions.
const QUARANTINE_DIR: &str = "quarantine";

/// What a scan found.
pub(crate) struct Scanned {
    pub(crate) files: BTreeMap<u64, FileInfo>,
    pub(crate) replay: Replay,
    pub(crate) last_lsn: u64,
    pub(crate) next_seq: u64,
}

/// One file after reading.
struct FileScan {
    path: PathBuf,
    bytes: u64,
    /// The file header could not be read.
    headless: bool,
    pieces: Vec<Piece>,
}

/// A run of a file.
enum Piece {
    Record(Span),
    Gap { start: usize, end: usize },
}

/// Reads the directory, repairs what may be repaired, reports the rest.
pub(crate) fn scan(dir: &Path, options: &WalOptions) -> Result<Scanned, WalError> {
    let paths = list(dir)?;
    let next_seq = paths.keys().next_back().map_or(1, |last| last + 1);
    let mut files = Vec::new();
    let mut last_lsn = 0;
    for (seq, path) in paths {
        files.push((seq, scan_file(path, options, &mut last_lsn)?));
    }
    let mut judge = Judge { dir, options, replay: Replay::default(), last_lsn: options.consumed_lsn };
    judge.cut_torn_tail(&mut files)?;
    let mut known = BTreeMap::new();
    for (seq, file) in files {
        if let Some(info) = judge.take(file)? {
            known.insert(seq, info);
        }
    }
    WAL_TORN_TAILS.add(judge.replay.report.torn_tails);
    WAL_DAMAGED.add(judge.replay.report.damage.len() as u64);
    Ok(Scanned { files: known, replay: judge.replay, last_lsn: judge.last_lsn, next_seq })
}

fn list(dir: &Path) -> Result<BTreeMap<u64, PathBuf>, WalError> {
    let mut paths = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(WalError::io("list", dir))? {
        let path = entry.map_err(WalError::io("list", dir))?.path();
        let seq = path.file_name().and_then(|name| name.to_str()).and_then(file_seq);
        if let Some(seq) = seq {
            paths.insert(seq, path);
        }
    }
    Ok(paths)
}

fn scan_file(path: PathBuf, options: &WalOptions, last_lsn: &mut u64) -> Result<FileScan, WalError> {
    let bytes = fs::read(&path).map_err(WalError::io("read", &path))?;
    let header = FileHeader::decode(&bytes);
    if let Some(header) = header {
        if header.version != VERSION {
            return Err(WalError::Version { path, found: header.version, known: VERSION });
        }
        if header.log_id != options.log_id {
            return Err(WalError::Foreign { path });
        }
    }
    let used = used_bytes(&bytes);
    let mut epoch = header.map(|header| header.epoch);
    let mut at = if header.is_some() { FILE_HEADER_BYTES } else { 0 };
    let mut pieces = Vec::new();
    while at < used {
        match next_record(&bytes[..], at, used, epoch, *last_lsn) {
            Some(span) => {
                if span.start > at {
                    pieces.push(Piece::Gap { start: at, end: span.start });
                }
                epoch = Some(span.epoch);
                *last_lsn = span.lsn;
                at = span.end;
                pieces.push(Piece::Record(span));
            }
            None => {
                pieces.push(Piece::Gap { start: at, end: used });
                at = used;
            }
        }
    }
    Ok(FileScan { path, bytes: bytes.len() as u64, headless: header.is_none(), pieces })
}

/// The first sound record at or behind `at`. Without a known epoch (the file header is unreadable) the first record with a
/// sound checksum tells it.
fn next_record(bytes: &[u8], at: usize, used: usize, epoch: Option<u128>, last_lsn: u64) -> Option<Span> {
    let sound =
        |start| record::decode(bytes, start).filter(|s| s.lsn > last_lsn && epoch.is_none_or(|epoch| epoch == s.epoch));
    sound(at).or_else(|| memmem::find_iter(&bytes[at..used], &RECORD_MAGIC).find_map(|offset| sound(at + offset)))
}

/// Bytes up to the last that is not zero: what follows is preallocated and untouched. (A payload that ends in zeros ends
/// later; its record is read by its length.)
fn used_bytes(bytes: &[u8]) -> usize {
    const BLOCK: usize = 4096;
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    let mut end = bytes.len();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        if bytes[start..end] != ZEROS[..end - start] {
            return start + bytes[start..end].iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        }
        end = start;
    }
    0
}

/// Walks the pieces in order and decides about each gap.
struct Judge<'a> {
    dir: &'a Path,
    options: &'a WalOptions,
    replay: Replay,
    last_lsn: u64,
}

impl Judge<'_> {
    /// Finds the first gap behind which nothing was ever acknowledged, and cuts its file there.
    fn cut_torn_tail(&mut self, files: &mut [(u64, FileScan)]) -> Result<(), WalError> {
        let acknowledged = files
            .iter()
            .flat_map(|(_, file)| &file.pieces)
            .filter_map(|piece| if let Piece::Record(span) = piece { Some(span.committed) } else { None })
            .max()
            .unwrap_or(0);
        // Only the last file with records can have a tail: a later file is made after the groups before it were synced.
        let has_record = |file: &FileScan| file.pieces.iter().any(|piece| matches!(piece, Piece::Record(_)));
        let Some(at) = files.iter().rposition(|(_, file)| has_record(file) || !file.headless) else {
            return Ok(());
        };
        let before = files[..at].iter().flat_map(|(_, file)| &file.pieces);
        let lsn_of = |piece: &Piece| if let Piece::Record(span) = piece { Some(span.lsn) } else { None };
        let mut last_lsn = before.filter_map(lsn_of).next_back().unwrap_or(0).max(self.options.consumed_lsn);
        let file = &mut files[at].1;
        let mut cut = None;
        for (i, piece) in file.pieces.iter().enumerate() {
            match piece {
                Piece::Record(span) => last_lsn = last_lsn.max(span.lsn),
                Piece::Gap { start, .. } => {
                    let nothing_behind = !file.pieces[i..].iter().any(|piece| matches!(piece, Piece::Record(_)));
                    if nothing_behind || acknowledged <= last_lsn {
                        cut = Some((i, *start));
                        break;
                    }
                }
            }
        }
        let Some((i, start)) = cut else { return Ok(()) };
        file.pieces.truncate(i);
        file.bytes = start as u64;
        self.options.disk.truncate(&file.path, start as u64).map_err(WalError::io("truncate", &file.path))?;
        self.replay.report.torn_tails += 1;
        Ok(())
    }

    /// Reports the damage in a file and queues its records for replay; `None` for a file that holds nothing and was removed.
    fn take(&mut self, file: FileScan) -> Result<Option<FileInfo>, WalError> {
        let report = &mut self.replay.report;
        report.files += 1;
        let holds_records = file.pieces.iter().any(|piece| matches!(piece, Piece::Record(_)));
        if file.headless && !file.pieces.is_empty() && !matches!(file.pieces[0], Piece::Gap { .. }) {
            let after = self.last_lsn;
            self.report_damage(&file, 0, 0, after, None, "a file header is missing, its records are sound")?;
        }
        let mut spans = VecDeque::new();
        let mut gap: Option<(usize, usize)> = None;
        for piece in &file.pieces {
            match piece {
                Piece::Gap { start, end } => gap = Some((*start, *end)),
                Piece::Record(span) => {
                    self.judge_step(&file, gap.take(), span)?;
                    self.last_lsn = self.last_lsn.max(span.lsn);
                    spans.push_back(*span);
                }
            }
        }
        if let Some((start, end)) = gap {
            let after = self.last_lsn;
            self.report_damage(&file, start, end, after, None, "unreadable bytes")?;
        }
        if !holds_records {
            self.options.disk.remove(&file.path).map_err(WalError::io("delete", &file.path))?;
            return Ok(None);
        }
        self.replay.report.records += spans.len() as u64;
        let last_lsn = spans.back().map_or(0, |span| span.lsn);
        self.replay.files.push_back((file.path.clone(), spans));
        Ok(Some(FileInfo { path: file.path, last_lsn, bytes: file.bytes }))
    }

    /// Decides about what lies between the last sound record and this one.
    fn judge_step(&mut self, file: &FileScan, gap: Option<(usize, usize)>, next: &Span) -> Result<(), WalError> {
        let after = self.last_lsn;
        let before = Some(next.lsn);
        match gap {
            Some((start, end)) => self.report_damage(file, start, end, after, before, "unreadable bytes"),
            None if next.committed > after => {
                self.report_damage(file, next.start, next.start, after, before, "records are missing")
            }
            None => Ok(()),
        }
    }

    fn report_damage(
        &mut self,
        file: &FileScan,
        start: usize,
        end: usize,
        after_lsn: u64,
        before_lsn: Option<u64>,
        reason: &'static str,
    ) -> Result<(), WalError> {
        let name = file.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let quarantine = if end > start { Some(self.quarantine(&file.path, &name, start, end)?) } else { None };
        let (offset, bytes) = (start as u64, (end - start) as u64);
        let damage = Damage { file: name, offset, bytes, after_lsn, before_lsn, reason, quarantine };
        self.replay.report.damage.push(damage);
        Ok(())
    }

    /// Copies a region aside; the name is the same at every start, so that a start twice makes one copy.
    fn quarantine(&self, path: &Path, name: &str, start: usize, end: usize) -> Result<PathBuf, WalError> {
        let dir = self.dir.join(QUARANTINE_DIR);
        fs::create_dir_all(&dir).map_err(WalError::io("create", &dir))?;
        let target = dir.join(format!("{name}.{start}-{end}"));
        if target.exists() {
            return Ok(target);
        }
        let bytes = fs::read(path).map_err(WalError::io("read", path))?;
        let region = bytes.get(start..end.min(bytes.len())).unwrap_or_default();
        fs::write(&target, region).map_err(WalError::io("write", &target))?;
        for synced in [&target, &dir, &self.dir.to_owned()] {
            fs::File::open(synced).and_then(|file| file.sync_all()).map_err(WalError::io("sync", synced))?;
        }
        Ok(target)
    }
}
