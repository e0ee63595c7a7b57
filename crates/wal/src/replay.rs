//! What a start found in the log.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;

use crate::WalError;
use crate::record::{self, Span};

/// A sound record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub lsn: u64,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// A region of the log that is unreadable and may have been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's name.
    pub file: String,
    /// Where the region starts.
    pub offset: u64,
    /// How long it is; 0 when records are missing without a trace.
    pub bytes: u64,
    /// The last sound record before it.
    pub after_lsn: u64,
    /// The first sound record behind it, if there is one.
    pub before_lsn: Option<u64>,
    /// What is known about it.
    pub reason: &'static str,
    /// Where its bytes were copied to.
    pub quarantine: Option<PathBuf>,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} at byte {} of {} ({} bytes), after record {}",
            self.reason, self.offset, self.file, self.bytes, self.after_lsn
        )?;
        self.before_lsn.map_or(Ok(()), |lsn| write!(f, ", before record {lsn}"))
    }
}

/// What a start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Files read.
    pub files: u64,
    /// Sound records.
    pub records: u64,
    /// Tails cut: written, never acknowledged.
    pub torn_tails: u64,
    /// Regions lost.
    pub damage: Vec<Damage>,
}

/// The sound records in order, read a file at a time.
#[derive(Debug, Default)]
pub struct Replay {
    pub(crate) report: ReplayReport,
    pub(crate) files: VecDeque<(PathBuf, VecDeque<Span>)>,
    pub(crate) loaded: Option<(PathBuf, Vec<u8>)>,
}

impl Replay {
    /// What was found; complete before the first record is read.
    pub fn report(&self) -> &ReplayReport {
        &self.report
    }

    /// The numbers of the first and the last sound record that are still to come. What [`ReplayReport::damage`] does not
    /// name between them is there.
    pub fn lsns(&self) -> Option<(u64, u64)> {
        let mut spans = self.files.iter().flat_map(|(_, spans)| spans);
        let first = spans.next()?.lsn;
        Some((first, spans.next_back().map_or(first, |last| last.lsn)))
    }

    fn read(&mut self, path: PathBuf, span: Span) -> Result<Record, WalError> {
        let stale = self.loaded.as_ref().is_none_or(|(loaded, _)| *loaded != path);
        if stale {
            self.loaded = None; // one file in memory, never two
            let bytes = fs::read(&path).map_err(WalError::io("read", &path))?;
            self.loaded = Some((path, bytes));
        }
        let bytes = self.loaded.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        Ok(Record { lsn: span.lsn, payload: record::unpack(bytes, &span)? })
    }
}

impl Iterator for Replay {
    type Item = Result<Record, WalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (path, spans) = self.files.front_mut()?;
            if let Some(span) = spans.pop_front() {
                let path = path.clone();
                return Some(self.read(path, span));
            }
            self.files.pop_front();
            self.loaded = None;
        }
    }
}
