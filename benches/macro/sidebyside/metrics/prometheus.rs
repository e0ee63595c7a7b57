//! Prometheus, as a receiver of remote write. What it has taken stays in its log and in memory until two hours are over; nothing makes
//! it write a block earlier, so its bytes on disk are mostly those of the log.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use benches::FleetManifest;

use super::questions::Question;
use super::{ask, read, remote_write};
use crate::engine::{Engine, Program, installed_version, printed};
use crate::http::{Connection, Request};
use crate::workload::Table;

/// Scrapes nothing; requests that overtake each other are taken in.
const CONFIGURATION: &str = "storage: {tsdb: {out_of_order_time_window: 30m}}\n";

/// A rival.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) program: PathBuf,
}

impl Program for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn version(&self) -> Result<String> {
        installed_version(&self.program).map_or_else(|| printed(&self.program, "--version"), Ok)
    }

    fn command(&self, data: &Path, port: u16) -> Result<Command> {
        let file = data.join("prometheus.yml");
        std::fs::write(&file, CONFIGURATION)?;
        let mut command = Command::new(&self.program);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", data.join("tsdb").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.args(["--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=10y", "--log.level=warn"]);
        Ok(command)
    }

    fn ready(&self) -> Request {
        Request::get("/-/ready")
    }

    fn settle(&self, _: &mut Connection) -> Result<()> {
        Ok(())
    }
}

impl Engine<FleetManifest> for Prometheus {
    fn ingest(&self) -> Request {
        remote_write()
    }

    fn ask(&self, question: Question, data: &FleetManifest) -> Request {
        ask(question, data, &[])
    }

    fn read(&self, _: Question, body: &[u8]) -> Result<Table> {
        read(body, &[])
    }
}
