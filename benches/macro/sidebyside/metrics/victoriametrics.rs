//! VictoriaMetrics as one process, merged before it is asked. Its cache of answers is not asked: the same question is put again and again
//! here, which no user does.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use benches::FleetManifest;

use super::questions::Question;
use super::{ask, read, remote_write};
use crate::engine::{Engine, Program, installed_version, printed, settle_victoria};
use crate::http::{Connection, Request};
use crate::workload::Table;

/// Gauges of work that is still to be done, by the start of their names.
const BUSY_GAUGES: [&str; 3] = ["vm_active_merges", "vm_active_force_merges", "vm_pending_rows"];

/// A rival.
#[derive(Debug)]
pub(crate) struct VictoriaMetrics {
    pub(crate) program: PathBuf,
}

impl VictoriaMetrics {
    pub(crate) const NAME: &str = "victoriametrics";
}

impl Program for VictoriaMetrics {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> Result<String> {
        installed_version(&self.program).map_or_else(|| printed(&self.program, "-version"), Ok)
    }

    fn command(&self, data: &Path, port: u16) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command.arg(format!("-storageDataPath={}", data.display()));
        command.arg(format!("-httpListenAddr=127.0.0.1:{port}"));
        command.arg("-retentionPeriod=10y");
        // Its limits, which would refuse questions about everything.
        command.args(["-search.maxUniqueTimeseries=10000000", "-search.maxSamplesPerQuery=10000000000"]);
        Ok(command)
    }

    fn ready(&self) -> Request {
        Request::get("/health")
    }

    fn settle(&self, connection: &mut Connection) -> Result<()> {
        settle_victoria(connection, &BUSY_GAUGES)
    }
}

impl Engine<FleetManifest> for VictoriaMetrics {
    fn ingest(&self) -> Request {
        remote_write()
    }

    fn ask(&self, question: Question, data: &FleetManifest) -> Request {
        ask(question, data, &[("nocache", "1")])
    }

    fn read(&self, question: Question, body: &[u8]) -> Result<Table> {
        // It keeps the name where a function of a range returns values that were there, and PromQL does not.
        let without: &[&str] = if question == Question::TopOfMax { &["__name__"] } else { &[] };
        read(body, without)
    }
}
