//! The local directory.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

use crate::{BlobError, BlockSums, CheckedMap, CheckedWriter, Mapped};

/// How the name of a file that is still being written ends. [`LocalDir::list`] leaves such files out, and
/// [`LocalDir::remove_temporary`] clears what a crash left.
pub const TEMP_SUFFIX: &str = ".tmp";

/// Bytes gathered before a streaming file writes.
const WRITE_BUFFER_BYTES: usize = 256 * 1024;

/// A directory whose files are reached by key.
#[derive(Clone, Debug)]
pub struct LocalDir {
    root: PathBuf,
}

impl LocalDir {
    /// Opens a directory, creating it and its parents durably when they are missing.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let root = root.into();
        create_dir_durably(&root)?;
        Ok(Self { root })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the file of a key is, for libraries that want a path. Fails on a key that would leave the directory.
    pub fn path(&self, key: &str) -> Result<PathBuf, BlobError> {
        let plain = !key.is_empty() && Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
        if plain { Ok(self.root.join(key)) } else { Err(BlobError::Key { key: key.to_owned() }) }
    }

    /// Creates a directory below this one, durably, and gives it as a `LocalDir` of its own.
    pub fn subdir(&self, key: &str) -> Result<LocalDir, BlobError> {
        LocalDir::open(self.path(key)?)
    }

    /// Writes a whole file: after `Ok` it is durable, after an error or a crash the old file, if any, is untouched.
    pub fn write(&self, key: &str, bytes: &[u8]) -> Result<(), BlobError> {
        let mut file = self.create(key)?;
        file.write_all(bytes).map_err(BlobError::io("write", &file.temp))?;
        file.finish().map(drop)
    }

    /// Starts a file that is written piece by piece. It has its name only after [`BlobWriter::finish`]; dropping the writer
    /// before that removes what was written.
    pub fn create(&self, key: &str) -> Result<BlobWriter, BlobError> {
        let target = self.path(key)?;
        if let Some(parent) = target.parent() {
            create_dir_durably(parent)?;
        }
        let mut temp = target.clone().into_os_string();
        temp.push(TEMP_SUFFIX);
        let temp = PathBuf::from(temp);
        let file = File::create(&temp).map_err(BlobError::io("create", &temp))?;
        let file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
        Ok(BlobWriter { file: Some(file), temp, target, bytes: 0 })
    }

    /// Starts a file like [`create`](Self::create) and computes its checksums on the way.
    pub fn create_checked(&self, key: &str) -> Result<CheckedWriter, BlobError> {
        self.create(key).map(CheckedWriter::new)
    }

    /// Opens a file for reading.
    pub fn open_file(&self, key: &str) -> Result<File, BlobError> {
        let path = self.path(key)?;
        File::open(&path).map_err(BlobError::io("open", &path))
    }

    /// Reads a whole file.
    pub fn read(&self, key: &str) -> Result<Vec<u8>, BlobError> {
        let path = self.path(key)?;
        fs::read(&path).map_err(BlobError::io("read", &path))
    }

    /// Maps a file into memory.
    pub fn map(&self, key: &str) -> Result<Mapped, BlobError> {
        Mapped::open(&self.path(key)?)
    }

    /// Maps a file of which the length and the checksums of the blocks are known; only the length is checked now.
    pub fn map_checked(&self, key: &str, len: u64, sums: BlockSums) -> Result<CheckedMap, BlobError> {
        CheckedMap::open(self.path(key)?, len, sums)
    }

    /// The size of a file in bytes.
    pub fn size(&self, key: &str) -> Result<u64, BlobError> {
        let path = self.path(key)?;
        Ok(fs::metadata(&path).map_err(BlobError::io("stat", &path))?.len())
    }

    /// Whether the key names a file or a directory.
    pub fn exists(&self, key: &str) -> Result<bool, BlobError> {
        let path = self.path(key)?;
        path.try_exists().map_err(BlobError::io("stat", &path))
    }

    /// Deletes a file, or a directory with all that is in it; `false` when there was nothing. The deletion is durable.
    pub fn delete(&self, key: &str) -> Result<bool, BlobError> {
        let path = self.path(key)?;
        let is_dir = match fs::symlink_metadata(&path) {
            Ok(meta) => meta.is_dir(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(BlobError::io("stat", &path)(e)),
        };
        let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(BlobError::io("delete", &path)(e)),
        }
        sync_parent(&path)?;
        Ok(true)
    }

    /// The keys of all complete files below a directory key (the empty key means all), sorted; nothing when the directory
    /// does not exist. Temporary files are left out.
    pub fn list(&self, under: &str) -> Result<Vec<String>, BlobError> {
        let start = if under.is_empty() { self.root.clone() } else { self.path(under)? };
        let mut keys = Vec::new();
        self.walk(&start, &mut |path| {
            let relative = path.strip_prefix(&self.root).unwrap_or(path);
            if let Some(key) = relative.to_str().filter(|key| !key.ends_with(TEMP_SUFFIX)) {
                keys.push(key.to_owned());
            }
            Ok(())
        })?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// The names of the directories directly in this one, sorted.
    pub fn subdirs(&self) -> Result<Vec<String>, BlobError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(BlobError::io("list", &self.root))? {
            let entry = entry.map_err(BlobError::io("list", &self.root))?;
            if entry.file_type().map_err(BlobError::io("stat", &entry.path()))?.is_dir() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Removes the temporary files that a crash left anywhere below; gives their number. Call it before anything is written.
    pub fn remove_temporary(&self) -> Result<u64, BlobError> {
        let mut removed = 0;
        self.walk(&self.root, &mut |path| {
            if path.to_string_lossy().ends_with(TEMP_SUFFIX) {
                fs::remove_file(path).map_err(BlobError::io("delete", path))?;
                removed += 1;
            }
            Ok(())
        })?;
        Ok(removed)
    }

    /// Makes files durable that another library wrote in place below a key: fsyncs each file, each directory, and the
    /// directory above.
    pub fn sync_tree(&self, key: &str) -> Result<(), BlobError> {
        let path = self.path(key)?;
        sync_below(&path)?;
        sync_parent(&path)
    }

    fn walk(&self, dir: &Path, visit: &mut dyn FnMut(&Path) -> Result<(), BlobError>) -> Result<(), BlobError> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(BlobError::io("list", dir)(e)),
        };
        for entry in entries {
            let entry = entry.map_err(BlobError::io("list", dir))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(BlobError::io("stat", &path))?;
            if kind.is_dir() {
                self.walk(&path, visit)?;
            } else if kind.is_file() {
                visit(&path)?;
            }
        }
        Ok(())
    }
}

/// A file on its way to durability; see [`LocalDir::create`].
#[derive(Debug)]
pub struct BlobWriter {
    /// `None` once finished.
    file: Option<BufWriter<File>>,
    temp: PathBuf,
    target: PathBuf,
    bytes: u64,
}

impl BlobWriter {
    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Flushes, fsyncs, gives the file its name and fsyncs the directory. Returns the file's size.
    pub fn finish(mut self) -> Result<u64, BlobError> {
        let Some(mut file) = self.file.take() else { return Ok(self.bytes) };
        let synced = file.flush().and_then(|()| file.get_ref().sync_all());
        let renamed = synced
            .map_err(BlobError::io("sync", &self.temp))
            .and_then(|()| fs::rename(&self.temp, &self.target).map_err(BlobError::io("rename", &self.temp)));
        if renamed.is_err() {
            self.file = Some(file); // so that Drop removes the temporary file
        }
        renamed?;
        sync_parent(&self.target)?;
        Ok(self.bytes)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Err(io::Error::other("the file is finished")) };
        let written = file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            drop(file.into_parts()); // without writing what is buffered
            drop(fs::remove_file(&self.temp));
        }
    }
}

/// Creates a directory and its parents; each new name is fsynced in the directory that holds it.
fn create_dir_durably(dir: &Path) -> Result<(), BlobError> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_dir_durably(parent)?;
    }
    match fs::create_dir(dir) {
        Ok(()) => sync_parent(dir),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(e) => Err(BlobError::io("create", dir)(e)),
    }
}

fn sync_parent(path: &Path) -> Result<(), BlobError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_one(parent)
}

fn sync_one(path: &Path) -> Result<(), BlobError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(BlobError::io("sync", path))
}

fn sync_below(path: &Path) -> Result<(), BlobError> {
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(BlobError::io("list", path))? {
            sync_below(&entry.map_err(BlobError::io("list", path))?.path())?;
        }
    }
    sync_one(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> (tempfile::TempDir, LocalDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = LocalDir::open(temp.path().join("a/b")).unwrap();
        (temp, dir)
    }

    #[test]
    fn a_file_is_whole_or_absent() {
        let (_temp, dir) = dir();
        dir.write("x/one", b"first").unwrap();
        dir.write("x/one", b"second").unwrap();
        let mut unfinished = dir.create("x/two").unwrap();
        unfinished.write_all(b"half").unwrap();
        drop(unfinished);
        assert_eq!(dir.read("x/one").unwrap(), b"second");
        assert_eq!(dir.list("").unwrap(), ["x/one"]);
        assert!(dir.read("x/two").unwrap_err().is_not_found());
        assert_eq!(fs::read_dir(dir.root().join("x")).unwrap().count(), 1, "the half file is gone");
    }

    #[test]
    fn r09_what_a_crash_left_is_removed() {
        let (_temp, dir) = dir();
        dir.write("keep", b"k").unwrap();
        fs::write(dir.root().join("lost.tmp"), b"half").unwrap();
        assert_eq!(dir.remove_temporary().unwrap(), 1);
        assert_eq!(dir.remove_temporary().unwrap(), 0);
        assert_eq!(dir.list("").unwrap(), ["keep"]);
    }

    #[test]
    fn keys_stay_inside() {
        let (_temp, dir) = dir();
        for key in ["", "..", "a/../../b", "/etc/passwd", "./x"] {
            assert!(matches!(dir.read(key), Err(BlobError::Key { .. })), "{key}");
        }
    }

    #[test]
    fn maps_read_and_survive_deletion() {
        let (_temp, dir) = dir();
        dir.write("m", b"mapped").unwrap();
        dir.write("empty", b"").unwrap();
        let map = dir.map("m").unwrap();
        assert!(dir.delete("m").unwrap());
        assert!(!dir.delete("m").unwrap());
        assert_eq!(&map[..], b"mapped");
        assert_eq!(dir.map("empty").unwrap().len(), 0);
    }

    #[test]
    fn trees_are_listed_sized_and_deleted() {
        let (_temp, dir) = dir();
        let sub = dir.subdir("seg/1").unwrap();
        sub.write("b", b"22").unwrap();
        sub.write("a", b"1").unwrap();
        dir.sync_tree("seg").unwrap();
        assert_eq!(dir.list("seg").unwrap(), ["seg/1/a", "seg/1/b"]);
        assert_eq!(dir.list("none").unwrap(), Vec::<String>::new());
        assert_eq!(dir.size("seg/1/b").unwrap(), 2);
        assert_eq!(dir.subdirs().unwrap(), ["seg"]);
        assert!(dir.delete("seg/1").unwrap());
        assert!(!dir.exists("seg/1/a").unwrap());
    }
}
