//! The log as its users see it.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::scan::{self, Scanned};
use crate::writer::{FileInfo, Files, Queue, Queued, Shared, Writer};
use crate::{Disk, LocalDisk, PAYLOAD_BYTES_MAX, Payload, Replay, Ticket, WalError};

/// Settings of a log.
#[derive(Clone)]
pub struct WalOptions {
    /// Size of a file; each is allocated whole. A record that is larger gets a file of its own size.
    pub file_bytes: u64,
    /// Bytes that may wait to be written before appends are refused.
    pub queue_bytes_max: usize,
    /// Which log this is. Files of another are refused.
    pub log_id: u128,
    /// Records up to this one are no longer needed: their absence is no damage, and no new record gets such a number.
    pub consumed_lsn: u64,
    /// Where files are made.
    pub disk: Arc<dyn Disk>,
}

/// Size of a file when nothing else is said.
const FILE_BYTES: u64 = 64 << 20;
/// Waiting bytes when nothing else is said.
const QUEUE_BYTES_MAX: usize = 64 << 20;

impl Default for WalOptions {
    fn default() -> Self {
        Self {
            file_bytes: FILE_BYTES,
            queue_bytes_max: QUEUE_BYTES_MAX,
            log_id: 0,
            consumed_lsn: 0,
            disk: Arc::new(LocalDisk),
        }
    }
}

impl std::fmt::Debug for WalOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WalOptions")
            .field("file_bytes", &self.file_bytes)
            .field("queue_bytes_max", &self.queue_bytes_max)
            .field("consumed_lsn", &self.consumed_lsn)
            .finish_non_exhaustive()
    }
}

/// An open log.
pub struct Wal {
    shared: Arc<Shared>,
    options: WalOptions,
    dir: PathBuf,
    writer: Option<JoinHandle<()>>,
}

impl Wal {
    /// Opens the log in a directory, creating the directory when it is missing. Reads and checks everything in it, cuts a
    /// torn tail, and copies damaged regions to `quarantine`; the records come out of the [`Replay`]. The caller makes sure
    /// that no other process has the directory.
    pub fn open(dir: &Path, options: WalOptions) -> Result<(Wal, Replay), WalError> {
        if !dir.is_dir() {
            fs::create_dir_all(dir).map_err(WalError::io("create", dir))?;
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            options.disk.sync_dir(parent).map_err(WalError::io("sync", parent))?;
        }
        let scanned: Scanned = scan::scan(dir, &options)?;
        let known: BTreeMap<u64, FileInfo> = scanned.files;
        let queue = Queue {
            waiting: VecDeque::new(),
            bytes: 0,
            next_lsn: scanned.last_lsn.max(options.consumed_lsn) + 1,
            closing: false,
            poison: None,
            unneeded_below: options.consumed_lsn + 1,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            files: Mutex::new(Files { known, active: None }),
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            dir: dir.to_owned(),
            options: options.clone(),
            next_seq: scanned.next_seq,
            committed: scanned.last_lsn.max(options.consumed_lsn),
            active: None,
        };
        let writer = std::thread::Builder::new()
            .name("wal-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(WalError::io("start the writer of", dir))?;
        Ok((Wal { shared, options, dir: dir.to_owned(), writer: Some(writer) }, scanned.replay))
    }

    /// Queues a payload. The ticket's number is higher than that of every append before. Never waits.
    pub fn append(&self, payload: Payload) -> Result<Ticket, WalError> {
        if payload.raw_bytes() > PAYLOAD_BYTES_MAX {
            return Err(WalError::TooLarge { bytes: payload.raw_bytes(), max_bytes: PAYLOAD_BYTES_MAX });
        }
        let bytes = payload.record_bytes();
        let max_bytes = self.options.queue_bytes_max;
        let mut queue = self.shared.queue.lock();
        if let Some(poison) = &queue.poison {
            return Err(poison.clone());
        }
        if queue.closing {
            return Err(WalError::Closed);
        }
        // A lone record passes whatever its size, or it never could.
        if !queue.waiting.is_empty() && queue.bytes + bytes > max_bytes {
            return Err(WalError::Busy { queued_bytes: queue.bytes, max_bytes });
        }
        let lsn = queue.next_lsn;
        queue.next_lsn += 1;
        queue.bytes += bytes;
        let (resolver, ticket) = Ticket::new(lsn);
        queue.waiting.push_back(Queued { lsn, payload, resolver });
        drop(queue);
        self.shared.wake.notify_one();
        Ok(ticket)
    }

    /// Deletes the files that hold only records below `lsn`, oldest first; gives their number. The file that is being
    /// written goes a moment later, unless something is appended first. A file that is already gone counts as deleted.
    pub fn truncate_before(&self, lsn: u64) -> Result<usize, WalError> {
        {
            let mut queue = self.shared.queue.lock();
            queue.unneeded_below = queue.unneeded_below.max(lsn);
        }
        self.shared.wake.notify_one();
        let mut files = self.shared.files.lock();
        let active = files.active;
        let old: Vec<(u64, PathBuf)> = files
            .known
            .iter()
            .take_while(|(seq, info)| info.last_lsn < lsn && Some(**seq) != active)
            .map(|(seq, info)| (*seq, info.path.clone()))
            .collect();
        for (seq, path) in &old {
            self.options.disk.remove(path).map_err(WalError::io("delete", path))?;
            files.known.remove(seq);
        }
        drop(files);
        if !old.is_empty() {
            self.options.disk.sync_dir(&self.dir).map_err(WalError::io("sync", &self.dir))?;
        }
        Ok(old.len())
    }

    /// The number that the next append gets, at least.
    pub fn next_lsn(&self) -> u64 {
        self.shared.queue.lock().next_lsn
    }

    /// Why the log is out of use, if it is.
    pub fn poison(&self) -> Option<WalError> {
        self.shared.queue.lock().poison.clone()
    }

    /// Bytes that the log's files take.
    pub fn disk_bytes(&self) -> u64 {
        self.shared.files.lock().known.values().map(|info| info.bytes).sum()
    }
}

impl Drop for Wal {
    /// Writes what is queued, then ends the writer.
    fn drop(&mut self) {
        self.shared.queue.lock().closing = true;
        self.shared.wake.notify_all();
        if let Some(writer) = self.writer.take() {
            drop(writer.join()); // a panic there has resolved its tickets with an error; there is nothing left to tell
        }
    }
}
