//! The data directory: who has it, which version wrote it, what is where in it.
//!
//! ```text
//! LOCK  FORMAT  catalog.sqlite  wal/  segments/  series/  orphans/
//! ```

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use blob::LocalDir;
use catalog::Catalog;
use rustix::fs::{FlockOperation, flock};

use crate::StoreError;

/// The version of the directory's layout.
const FORMAT_VERSION: u32 = 1;
const FORMAT_FILE: &str = "FORMAT";
const FORMAT_WORD: &str = "backstop-store";
const CATALOG_FILE: &str = "catalog.sqlite";
/// Where segments go that no catalog names and that may be the only copy of their rows.
pub(crate) const ORPHANS_DIR: &str = "orphans";

/// An open data directory, locked until this is dropped.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    pub(crate) segments: LocalDir,
    /// Which store this is: its log files carry it.
    pub(crate) id: u128,
    _lock: File,
}

impl Home {
    /// Locks and checks a directory, creating what is missing in it.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let root = LocalDir::open(dir)?;
        let lock = lock(dir)?;
        let id = check_format(&root)?;
        let segments = root.subdir("segments")?;
        segments.remove_temporary()?;
        if !root.exists(CATALOG_FILE)? && !segments.list("")?.is_empty() {
            // An empty catalog would make orphans of all segments.
            let reason = format!("it has segments, and the file {CATALOG_FILE} is missing: restore it from a backup");
            return Err(StoreError::Format { dir: dir.to_owned(), reason });
        }
        root.subdir("wal")?;
        root.subdir("series")?;
        Ok(Self { dir: dir.to_owned(), segments, id, _lock: lock })
    }

    /// Opens the catalog and makes its name durable.
    pub(crate) fn open_catalog(&self) -> Result<Catalog, StoreError> {
        let catalog = Catalog::open(&self.dir.join(CATALOG_FILE))?;
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|source| StoreError::Io { action: "sync", path: self.dir.clone(), source })?;
        Ok(catalog)
    }
}

/// Takes the lock, or says who has it. The kernel lets go of it when the process ends, however it ends.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("LOCK");
    let io = |action| {
        let path = path.clone();
        move |source| StoreError::Io { action, path, source }
    };
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io("open"))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        file.read_to_string(&mut holder).map_err(io("read"))?;
        let pid = holder.trim().parse().unwrap_or(0);
        return Err(StoreError::Locked { dir: dir.to_owned(), pid });
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(io("write"))?;
    writeln!(file, "{}", std::process::id()).map_err(io("write"))?;
    Ok(file)
}

/// Reads the format file, or writes it into a directory that has none. Gives the store's id.
fn check_format(root: &LocalDir) -> Result<u128, StoreError> {
    let refuse = |reason: String| StoreError::Format { dir: root.root().to_owned(), reason };
    let text = match root.read(FORMAT_FILE) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.is_not_found() => {
            if root.exists(CATALOG_FILE)? || root.exists("wal")? {
                return Err(refuse(format!("the file {FORMAT_FILE} is missing: restore it from a backup")));
            }
            let id = uuid::Uuid::new_v4().as_u128();
            root.write(FORMAT_FILE, format!("{FORMAT_WORD} {FORMAT_VERSION}\n{id:032x}\n").as_bytes())?;
            return Ok(id);
        }
        Err(e) => return Err(e.into()),
    };
    let mut words = text.split_whitespace();
    let version = (words.next() == Some(FORMAT_WORD)).then(|| words.next()?.parse::<u32>().ok()).flatten();
    let id = words.next().and_then(|word| u128::from_str_radix(word, 16).ok());
    match (version, id) {
        (Some(FORMAT_VERSION), Some(id)) => Ok(id),
        (Some(found), _) if found != FORMAT_VERSION => Err(refuse(format!(
            "it has format version {found}, this Backstop knows version {FORMAT_VERSION}: run the version that wrote it"
        ))),
        _ => Err(refuse(format!("its file {FORMAT_FILE} is not one that Backstop wrote"))),
    }
}
