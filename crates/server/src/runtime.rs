//! What a running server leaves in its data directory so that others find it: `runtime.json`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Name of the file.
const FILE: &str = "runtime.json";

/// A server that runs on a data directory.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct RunningServer {
    /// Its process.
    pub(crate) pid: u32,
    /// URL of its HTTP port.
    pub(crate) url: String,
    /// Its other listeners, by name.
    pub(crate) listeners: Vec<ListenerAddress>,
}

/// One listener.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct ListenerAddress {
    /// `otlp_grpc`, `syslog_tcp`, ...
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: String,
}

impl RunningServer {
    /// The server that runs on `dir`, if its process is still there.
    pub(crate) fn find(dir: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(dir.join(FILE)).ok()?;
        let server: Self = serde_json::from_str(&text).ok()?;
        Path::new("/proc").join(server.pid.to_string()).exists().then_some(server)
    }

    /// Writes the file whole, by renaming, so that a reader never sees half of it.
    pub(crate) fn publish(&self, dir: &Path) -> std::io::Result<Published> {
        let path = dir.join(FILE);
        let new = dir.join("runtime.json.new");
        std::fs::write(&new, serde_json::to_string_pretty(self)?)?;
        std::fs::rename(&new, &path)?;
        Ok(Published { path })
    }
}

/// Takes the file away when the server ends.
pub(crate) struct Published {
    path: PathBuf,
}

impl Drop for Published {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}
