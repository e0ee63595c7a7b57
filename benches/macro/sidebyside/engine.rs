//! What the runner needs to know of an engine: how it is started, settled, sent to and asked.

mod backstop;
mod victoria;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::http::{Connection, Request};
use crate::workload::{Table, Workload};

pub(crate) use backstop::Backstop;
pub(crate) use victoria::settle_victoria;

/// A server's program.
pub(crate) trait Program {
    /// Name in options, results and directories.
    fn name(&self) -> &'static str;

    /// What the program says that it is.
    fn version(&self) -> Result<String>;

    /// The program, keeping its data in `data` and listening on the loopback address at `port`.
    fn command(&self, data: &Path, port: u16) -> Result<Command>;

    /// A request that succeeds once the server takes data.
    fn ready(&self) -> Request;

    /// Has everything that was sent stored and merged, and returns when that is done or under way; the runner then waits
    /// until the process is idle.
    fn settle(&self, connection: &mut Connection) -> Result<()>;
}

/// A program that takes a workload and answers its questions.
pub(crate) trait Engine<W: Workload>: Program {
    /// A request that takes data in, without its body.
    fn ingest(&self) -> Request;

    /// The question in the engine's language.
    fn ask(&self, question: W::Question, data: &W) -> Request;

    /// An answer, in the form that all engines share.
    fn read(&self, question: W::Question, body: &[u8]) -> Result<Table>;

    /// What the engine tells about how it found an answer, in a few words.
    fn explain(&self, request: &Request, connection: &mut Connection) -> Result<Option<String>> {
        let _ = (request, connection);
        Ok(None)
    }
}

/// The first line that `program argument` prints.
pub(crate) fn printed(program: &Path, argument: &str) -> Result<String> {
    let output = Command::new(program).arg(argument).output().with_context(|| program.display().to_string())?;
    let bytes = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Ok(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().trim().to_owned())
}

/// The name of the directory that the installed program is in: rivals are installed as `NAME-VERSION/PROGRAM`.
pub(crate) fn installed_version(program: &Path) -> Option<String> {
    let folder = program.parent()?.file_name()?.to_str()?;
    folder.rsplit_once('-').map(|(_, version)| version.to_owned())
}

/// The newest installed rival of this name, in the folder that `rivals.sh` fills.
pub(crate) fn newest_rival(rivals: &Path, name: &str, program: &str) -> Option<PathBuf> {
    let found = glob::glob(&rivals.join(format!("{name}-*/{program}")).to_string_lossy()).ok()?;
    let numbers = |path: &PathBuf| -> Vec<u64> {
        let version = installed_version(path).unwrap_or_default();
        version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    found.filter_map(Result::ok).max_by_key(numbers)
}
