//! The fence of targets that are files on this machine: a file beside them that holds the highest fencing token seen.
//!
//! Whoever comes with a lower token lost the lease to somebody else and is refused. The file is locked while an action works on the
//! target, so that the check and the work are one.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// The name of the file.
pub(crate) const FENCE_FILE: &str = ".backstop-fence";

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

/// Takes the lock in a folder, checks the token against the highest seen and writes it down. The error is for people; nothing has
/// happened then.
pub(crate) fn hold(folder: &Path, fence: u64) -> Result<Held, String> {
    let path = folder.join(FENCE_FILE);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(|error| format!("{} can not be opened: {error}", path.display()))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| format!("another action works in {}", folder.display()))?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| format!("{} can not be read: {error}", path.display()))?;
    let seen = match text.trim() {
        "" => 0,
        text => text.parse::<u64>().map_err(|_| format!("{} does not hold a number", path.display()))?,
    };
    if fence < seen && fence != 0 {
        return Err(format!("the fencing token {fence} is old: {seen} was here already, another holder took over"));
    }
    if fence > seen {
        let written = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.set_len(0))
            .and_then(|()| writeln!(file, "{fence}"))
            .and_then(|()| file.sync_all());
        written.map_err(|error| format!("{} can not be written: {error}", path.display()))?;
    }
    Ok(Held { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_token_is_refused_and_a_lock_excludes() {
        let folder = tempfile::tempdir().expect("folder");
        let held = hold(folder.path(), 5).expect("the first");
        let busy = hold(folder.path(), 6).expect_err("it is locked");
        assert!(busy.starts_with("another action works in"), "{busy}");
        drop(held);
        let late = hold(folder.path(), 4).expect_err("a lower token");
        assert_eq!(late, "the fencing token 4 is old: 5 was here already, another holder took over");
        drop(hold(folder.path(), 5).expect("the same holder"));
        drop(hold(folder.path(), 0).expect("without a lease there is no token to compare"));
        std::fs::write(folder.path().join(FENCE_FILE), "x").expect("write");
        let damaged = hold(folder.path(), 9).expect_err("damage is never silent");
        assert!(damaged.ends_with("does not hold a number"), "{damaged}");
    }
}
