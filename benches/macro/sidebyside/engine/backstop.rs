//! Backstop as a program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Program, printed};
use crate::http::{Connection, Request};

const SETTLE: &str = "/backstop/api/v1/admin/flush?compact=true";

/// The program under test.
#[derive(Debug)]
pub(crate) struct Backstop {
    pub(crate) program: PathBuf,
}

impl Program for Backstop {
    fn name(&self) -> &'static str {
        "backstop"
    }

    fn version(&self) -> Result<String> {
        Ok(printed(&self.program, "version")?.trim_start_matches("backstop ").to_owned())
    }

    fn command(&self, data: &Path, port: u16) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--no-receivers").arg("--data").arg(data);
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        Ok(command)
    }

    fn ready(&self) -> Request {
        Request::get("/ready")
    }

    fn settle(&self, connection: &mut Connection) -> Result<()> {
        connection.send(&Request::post(SETTLE))?.ok().map(drop)
    }
}
