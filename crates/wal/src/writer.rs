//! The thread that writes: group commit.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use telemetry::metrics::{WAL_APPENDS, WAL_BYTES, WAL_SYNC_SECONDS, WAL_SYNCS};

use crate::record::{self, FILE_HEADER_BYTES, FileHeader, VERSION};
use crate::{LogFile, Payload, Resolver, WalError, WalOptions};

/// What one write and one sync cover at most, unless a single record is larger. Bounds the delay of the first in the group.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// A record that waits to be written.
pub(crate) struct Queued {
    pub(crate) lsn: u64,
    pub(crate) payload: Payload,
    pub(crate) resolver: Resolver,
}

/// What appenders and the writer share.
pub(crate) struct Shared {
    pub(crate) queue: Mutex<Queue>,
    pub(crate) wake: Condvar,
    pub(crate) files: Mutex<Files>,
}

pub(crate) struct Queue {
    pub(crate) waiting: VecDeque<Queued>,
    pub(crate) bytes: usize,
    pub(crate) next_lsn: u64,
    pub(crate) closing: bool,
    pub(crate) poison: Option<WalError>,
    /// Records below this number are no longer needed: when the file that is being written holds no others, it goes as soon
    /// as nothing waits. A log at rest takes no space.
    pub(crate) unneeded_below: u64,
}

/// The files on disk by sequence number.
pub(crate) struct Files {
    pub(crate) known: BTreeMap<u64, FileInfo>,
    /// The one that is being written.
    pub(crate) active: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct FileInfo {
    pub(crate) path: PathBuf,
    /// LSN of its last durable record.
    pub(crate) last_lsn: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) dir: PathBuf,
    pub(crate) options: WalOptions,
    pub(crate) next_seq: u64,
    pub(crate) committed: u64,
    pub(crate) active: Option<Active>,
}

pub(crate) struct Active {
    file: Box<dyn LogFile>,
    seq: u64,
    epoch: u128,
    offset: u64,
    bytes: u64,
}

/// Name of the file with a sequence number.
pub(crate) fn file_name(seq: u64) -> String {
    format!("wal-{seq:016x}.log")
}

/// The sequence number in a file name.
pub(crate) fn file_seq(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("wal-")?.strip_suffix(".log")?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

impl Writer {
    /// Runs until the log is closed and all that was queued is written, or until a failure poisons it.
    pub(crate) fn run(mut self) {
        while let Some(group) = self.next_group() {
            let started = Instant::now();
            match self.commit(&group) {
                Ok(bytes) => {
                    WAL_SYNCS.add(1);
                    WAL_APPENDS.add(group.len() as u64);
                    WAL_BYTES.add(bytes);
                    WAL_SYNC_SECONDS.record(started.elapsed());
                    group.into_iter().for_each(|queued| queued.resolver.resolve(Ok(())));
                }
                Err(error @ WalError::DiskFull { .. }) => {
                    group.into_iter().for_each(|queued| queued.resolver.resolve(Err(error.clone())));
                }
                Err(error) => {
                    self.poison(error, group);
                    return;
                }
            }
        }
    }

    /// Takes from the queue what one sync will cover: records that fit into one file.
    fn next_group(&mut self) -> Option<Vec<Queued>> {
        let mut queue = self.shared.queue.lock();
        while queue.waiting.is_empty() {
            if self.active.is_some() && self.committed < queue.unneeded_below {
                // Appends may go on meanwhile; they get a file of their own.
                drop(queue);
                self.retire();
                queue = self.shared.queue.lock();
                continue;
            }
            if queue.closing {
                return None;
            }
            self.shared.wake.wait(&mut queue);
        }
        let room = self.active.as_ref().map_or(0, |active| active.bytes - active.offset);
        let first_fits = queue.waiting.front().is_some_and(|first| first.payload.record_bytes() as u64 <= room);
        let fresh = self.options.file_bytes.saturating_sub(FILE_HEADER_BYTES as u64);
        let room = if first_fits { room } else { fresh };
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(next) = queue.waiting.front() {
            let with_next = bytes + next.payload.record_bytes();
            if !group.is_empty() && (with_next > GROUP_BYTES_MAX || with_next as u64 > room) {
                break;
            }
            bytes = with_next;
            group.extend(queue.waiting.pop_front());
        }
        queue.bytes -= bytes;
        Some(group)
    }

    /// Makes a group durable. On [`WalError::DiskFull`] nothing was written; any other error leaves the disk unknown.
    fn commit(&mut self, group: &[Queued]) -> Result<u64, WalError> {
        let bytes: usize = group.iter().map(|queued| queued.payload.record_bytes()).sum();
        if self.active.as_ref().is_none_or(|active| active.bytes - active.offset < bytes as u64) {
            self.rotate(bytes)?;
        }
        let Some(active) = &mut self.active else { return Err(WalError::Closed) };
        let mut buffer = Vec::with_capacity(bytes);
        for queued in group {
            record::encode(&queued.payload, queued.lsn, self.committed, active.epoch, &mut buffer);
        }
        let path = self.dir.join(file_name(active.seq));
        active.file.write_at(active.offset, &buffer).map_err(WalError::io("write", &path))?;
        active.file.sync().map_err(WalError::io("sync", &path))?;
        active.offset += buffer.len() as u64;
        self.committed = group.last().map_or(self.committed, |last| last.lsn);
        if let Some(info) = self.shared.files.lock().known.get_mut(&active.seq) {
            info.last_lsn = self.committed;
        }
        Ok(buffer.len() as u64)
    }

    /// Starts the next file, large enough for a group.
    fn rotate(&mut self, group_bytes: usize) -> Result<(), WalError> {
        let seq = self.next_seq;
        let path = self.dir.join(file_name(seq));
        let bytes = self.options.file_bytes.max((FILE_HEADER_BYTES + group_bytes) as u64);
        let disk = &self.options.disk;
        let mut file = match disk.create(&path, bytes) {
            Ok(file) => file,
            Err(e) if is_full(&e) => return Err(WalError::DiskFull { bytes }),
            Err(e) => return Err(WalError::io("create", &path)(e)),
        };
        self.next_seq += 1; // the name is used, whatever follows
        let header = FileHeader { version: VERSION, log_id: self.options.log_id, epoch: random_epoch(&path) };
        file.write_at(0, &header.encode()).map_err(WalError::io("write", &path))?;
        file.sync().map_err(WalError::io("sync", &path))?;
        disk.sync_dir(&self.dir).map_err(WalError::io("sync", &self.dir))?;
        let mut files = self.shared.files.lock();
        files.known.insert(seq, FileInfo { path, last_lsn: self.committed, bytes });
        files.active = Some(seq);
        self.active = Some(Active { file, seq, epoch: header.epoch, offset: FILE_HEADER_BYTES as u64, bytes });
        Ok(())
    }

    /// Gives up the file that is being written, all of whose records are no longer needed. One that cannot be deleted now is
    /// deleted with the next that are old.
    fn retire(&mut self) {
        let Some(active) = self.active.take() else { return };
        let path = self.dir.join(file_name(active.seq));
        drop(active.file);
        let mut files = self.shared.files.lock();
        files.active = None;
        match self.options.disk.remove(&path).and_then(|()| self.options.disk.sync_dir(&self.dir)) {
            Ok(()) => drop(files.known.remove(&active.seq)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "cannot delete a log file that is no longer needed")
            }
        }
    }

    /// Refuses everything from now on. What waits was never written, but is refused as well: the process is about to end.
    fn poison(&self, error: WalError, group: Vec<Queued>) {
        let poison = WalError::Poisoned { reason: error.to_string() };
        let waiting = {
            let mut queue = self.shared.queue.lock();
            queue.poison = Some(poison.clone());
            queue.bytes = 0;
            std::mem::take(&mut queue.waiting)
        };
        group.into_iter().chain(waiting).for_each(|queued| queued.resolver.resolve(Err(poison.clone())));
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A number that no other file has: the standard library's hash keys are random per process and differ per call.
fn random_epoch(path: &Path) -> u128 {
    let half = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write(path.as_os_str().as_encoded_bytes());
        hasher.finish()
    };
    u128::from(half()) << 64 | u128::from(half())
}
