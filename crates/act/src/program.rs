//! Runs one program by its absolute path: never a shell, no inherited environment, in its own process group, within a time limit,
//! its output capped. Every kind that starts a program does it here.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::OUTPUT_BYTES_MAX;
use crate::deadline::Deadline;

/// Pause between two looks at a running program.
const POLL: Duration = Duration::from_millis(10);
/// How long a program has to end after it was asked to.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// How long its output is awaited after it has ended: a child of its own may hold the pipe.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

/// A program to run.
pub(crate) struct Program<'a> {
    /// Its absolute path and its arguments.
    pub(crate) argv: &'a [String],
    /// Its whole environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Where it runs.
    pub(crate) dir: &'a Path,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) end: End,
    /// What it wrote to its output, capped.
    pub(crate) stdout: Vec<u8>,
    /// What it wrote to its errors, capped.
    pub(crate) stderr: Vec<u8>,
}

/// How a program ended, by what that says of its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It could not be started, so nothing happened.
    NotStarted(String),
    /// It ended by itself with this code.
    Code(i32),
    /// A signal ended it: what it did before is not known.
    Signal(String),
    /// The action ran over its time, this long altogether, and the program was ended.
    Overtime(Duration),
}

impl Ran {
    /// Whether it ended by itself and said that all is well.
    pub(crate) fn ok(&self) -> bool {
        self.end == End::Code(0)
    }

    /// Output and errors together, capped.
    pub(crate) fn output(self) -> Vec<u8> {
        let mut output = self.stdout;
        output.extend(self.stderr);
        output.truncate(OUTPUT_BYTES_MAX);
        output
    }

    /// The output as text, without the line's end.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }

    /// How it ended, for people, with the last line that it wrote to its errors.
    pub(crate) fn said(&self, name: &str) -> String {
        let end = match &self.end {
            End::NotStarted(why) => return format!("{name} could not be started: {why}"),
            End::Code(code) => format!("{name} ended with exit status {code}"),
            End::Signal(status) => format!("{name} ended with {status}"),
            End::Overtime(timeout) => format!("{name} was ended, because the {timeout:?} of the action were over"),
        };
        let errors = String::from_utf8_lossy(&self.stderr);
        match errors.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(line) if self.end != End::Code(0) => format!("{end}: {}", line.trim()),
            _ => end,
        }
    }
}

/// Runs a program to its end or the deadline.
pub(crate) fn run(program: &Program<'_>, deadline: Deadline) -> Ran {
    let not_started = |why: String| Ran { end: End::NotStarted(why), stdout: Vec::new(), stderr: Vec::new() };
    let Some((path, args)) = program.argv.split_first() else {
        return not_started("there is no program".to_owned());
    };
    let timeout = deadline.left();
    if timeout.is_zero() {
        return not_started("no time is left".to_owned());
    }
    let spawned = Command::new(path)
        .args(args)
        .env_clear()
        .envs(&program.env)
        .current_dir(program.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return not_started(error.to_string()),
    };
    let [stdout, stderr] = [reader(child.stdout.take()), reader(child.stderr.take())];
    let end = match wait(&mut child, timeout) {
        Some(status) => status.code().map_or_else(|| End::Signal(status.to_string()), End::Code),
        None => End::Overtime(deadline.whole()),
    };
    let kept = |output: Receiver<Vec<u8>>| output.recv_timeout(OUTPUT_GRACE).unwrap_or_default();
    Ran { end, stdout: kept(stdout), stderr: kept(stderr) }
}

/// Waits for the end; after the time limit the whole process group is asked to end, then made to. `None` when it was.
fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let status = wait_until(child, Instant::now() + timeout);
    if status.is_some() {
        return status;
    }
    let group = Pid::from_child(child);
    for (signal, grace) in [(Signal::TERM, TERM_GRACE), (Signal::KILL, TERM_GRACE)] {
        // An error means that the group has just ended.
        let _ = kill_process_group(group, signal);
        if wait_until(child, Instant::now() + grace).is_some() {
            // What the program itself started may have ignored the request.
            let _ = kill_process_group(group, Signal::KILL);
            break;
        }
    }
    None
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            _ => return None,
        }
    }
}

/// Reads a pipe to its end on a thread of its own, keeping only its beginning, so that a chatty program neither fills memory nor
/// waits for a reader.
fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    let read = move || {
        let Some(mut pipe) = pipe else { return };
        let mut kept = Vec::new();
        let begun = pipe.by_ref().take(OUTPUT_BYTES_MAX as u64).read_to_end(&mut kept);
        let drained = begun.and_then(|_| std::io::copy(&mut pipe, &mut std::io::sink()));
        // What could not be read is missing from the record; a receiver that is gone does not want it.
        drop((drained, sender.send(kept)));
    };
    drop(std::thread::Builder::new().name("action-output".to_owned()).spawn(read));
    receiver
}
