//! The symbolic link to the release that runs.
//!
//! It is exchanged with a new one by one call of the kernel, and what came out is compared with what was expected: the file
//! system's own compare-and-swap. A reader sees the one or the other, never none.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::check_version;

/// A link and the folder of the releases that it points into.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) path: PathBuf,
    pub(super) releases: PathBuf,
}

impl Link {
    /// The folder that the link lies in.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Where the link points; an error when it does not point at the version that should run, or the other is not there.
    pub(super) fn check(&self, from: &str, to: &str) -> Result<String, String> {
        check_version(from)?;
        check_version(to)?;
        let shown = self.path.display();
        let old = std::fs::read_link(&self.path).map_err(|error| format!("{shown} is no link: {error}"))?;
        let old = old.to_str().ok_or_else(|| format!("{shown} points at no readable path"))?.to_owned();
        let resolved = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
        let root = resolved(&self.releases)?;
        let target = self.releases.join(to);
        let new = resolved(&target).map_err(|why| format!("the release {to} is not there: {why}"))?;
        if !new.is_dir() || new.parent() != Some(root.as_path()) {
            return Err(format!("{} is not a folder of {}", target.display(), root.display()));
        }
        // The release that runs may be gone from the disk: its name and its folder are compared, not what it holds.
        let current = self.folder().join(&old);
        let parent = current.parent().ok_or_else(|| format!("{shown} points at {old}"))?;
        let names_version = current.file_name().is_some_and(|name| name == from);
        if resolved(parent)? != root || !names_version {
            return Err(format!("{shown} points at {old}, not at {from} in {}", root.display()));
        }
        Ok(old)
    }

    /// Where the link has to point for a version, written as it was: absolute or not.
    pub(super) fn destination(&self, old: &str, to: &str) -> String {
        Path::new(old).with_file_name(to).to_string_lossy().into_owned()
    }

    /// Points the link at a version, if it still points where it did.
    pub(super) fn swap(&self, old: &str, to: &str) -> Result<String, String> {
        let new = self.destination(old, to);
        self.swap_to(old, &new)?;
        Ok(new)
    }

    /// Points the link from one destination to another, if it still points at the one.
    pub(super) fn swap_to(&self, old: &str, new: &str) -> Result<(), String> {
        let shown = self.path.display();
        let beside = tempfile::Builder::new().prefix(".backstop-link-").tempdir_in(self.folder());
        let beside = beside.map_err(|error| format!("no room beside {shown}: {error}"))?;
        let fresh = beside.path().join("link");
        symlink(new, &fresh).map_err(|error| format!("no link in {}: {error}", beside.path().display()))?;
        exchange(&fresh, &self.path).map_err(|error| format!("{shown} can not be re-pointed: {error}"))?;
        let came_out = std::fs::read_link(&fresh).ok();
        if came_out.as_deref() != Some(Path::new(old)) {
            let back = exchange(&fresh, &self.path);
            let back =
                back.map_or_else(|error| format!("and not put back: {error}"), |()| "and was put back".to_owned());
            return Err(format!("{shown} was re-pointed by somebody else meanwhile, {back}"));
        }
        let synced = File::open(self.folder()).and_then(|folder| folder.sync_all());
        synced.map_err(|error| format!("{shown} is re-pointed, but not safely on disk: {error}"))
    }
}

fn exchange(fresh: &Path, link: &Path) -> Result<(), rustix::io::Errno> {
    renameat_with(CWD, fresh, CWD, link, RenameFlags::EXCHANGE)
}
