//! Actions of kind `exec`: one program by its absolute path, never a shell.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use respond::{ActionRequest, ActionState};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{ActOptions, Ended, OUTPUT_BYTES_MAX};

/// Pause between two looks at a running program.
const POLL: Duration = Duration::from_millis(10);
/// How long a program has to end after it was asked to.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// How long its output is awaited after it has ended: a child of its own may hold the pipe.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

/// Runs a program if it is on the allow-list. A program that could not be started is Failed; one that ran over its time is
/// Unknown.
pub(crate) fn execute(
    options: &ActOptions,
    argv: &[String],
    env: &BTreeMap<String, String>,
    request: &ActionRequest,
) -> Ended {
    let failed = |detail: String| Ended::without_output(ActionState::Failed, detail);
    let Some((program, args)) = argv.split_first() else { return failed("there is no program".to_owned()) };
    if !options.exec_allow.iter().any(|allowed| allowed == Path::new(program)) {
        return failed(format!("{program} is not allowed: add it to actions.exec_allow"));
    }
    let dir = match tempfile::tempdir() {
        Ok(dir) => dir,
        Err(error) => return failed(format!("no working directory: {error}")),
    };
    let spawned = Command::new(program)
        .args(args)
        .env_clear()
        .envs(&options.exec_env)
        .envs(env)
        .env("BACKSTOP_ACTION_KEY", &request.key)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return failed(format!("{program} could not be started: {error}")),
    };
    let output = [reader(child.stdout.take()), reader(child.stderr.take())];
    let timeout = Duration::from_nanos(request.timeout_ns.max(0).unsigned_abs());
    let (state, detail) = match wait(&mut child, timeout) {
        Some(status) => (state_of(status), format!("{program} ended with {status}")),
        None => (ActionState::Unknown, format!("{program} ran over its {timeout:?} and was ended")),
    };
    let mut kept: Vec<u8> =
        output.into_iter().flat_map(|output| output.recv_timeout(OUTPUT_GRACE).unwrap_or_default()).collect();
    kept.truncate(OUTPUT_BYTES_MAX);
    Ended { state, detail, output: kept }
}

/// A program that was ended by a signal may have done its work before.
fn state_of(status: ExitStatus) -> ActionState {
    match status.code() {
        Some(0) => ActionState::Succeeded,
        Some(_) => ActionState::Failed,
        None => ActionState::Unknown,
    }
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

#[cfg(test)]
mod tests {
    use respond::{Call, ExecCall, Executor as _};

    use super::*;
    use crate::Actor;

    fn run(argv: &[&str], allow: &[&str], timeout_ms: i64) -> respond::ActionResult {
        let options = ActOptions {
            exec_allow: allow.iter().map(Into::into).collect(),
            exec_env: BTreeMap::from([("GIVEN".to_owned(), "by-options".to_owned())]),
            redact: vec!["hunter2".to_owned()],
            ..ActOptions::default()
        };
        let call = Call::Exec(ExecCall {
            argv: argv.iter().map(|arg| (*arg).to_owned()).collect(),
            env: BTreeMap::from([("STEP".to_owned(), "by-step".to_owned())]),
        });
        let request = crate::tests::request(call, timeout_ms);
        Actor::new(options).expect("actor").execute(&request)
    }

    #[test]
    fn the_environment_is_only_what_is_given() {
        let result = run(&["/usr/bin/env"], &["/usr/bin/env"], 10_000);
        assert_eq!(result.state, ActionState::Succeeded, "{}", result.detail);
        let mut lines: Vec<&str> = result.output.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["BACKSTOP_ACTION_KEY=key-1", "GIVEN=by-options", "STEP=by-step"]);
    }

    #[test]
    fn arguments_are_never_a_shells() {
        let result = run(&["/bin/echo", "$(id)", "; rm -rf /", "hunter2"], &["/bin/echo"], 10_000);
        assert_eq!(result.output, "$(id) ; rm -rf / ***\n");
    }

    #[test]
    fn only_listed_programs_run() {
        for program in ["/bin/false", "echo", "/bin/../bin/echo"] {
            let result = run(&[program], &["/bin/echo"], 10_000);
            assert_eq!(result.state, ActionState::Failed);
            assert!(result.detail.contains("not allowed"), "{}", result.detail);
        }
        assert_eq!(run(&["/bin/false"], &["/bin/false"], 10_000).state, ActionState::Failed);
        let result = run(&["/no/such/program"], &["/no/such/program"], 10_000);
        assert!(result.detail.contains("could not be started"), "{}", result.detail);
    }

    #[test]
    fn a_program_over_its_time_is_ended_and_its_outcome_unknown() {
        let result = run(&["/bin/sleep", "60"], &["/bin/sleep"], 50);
        assert_eq!(result.state, ActionState::Unknown, "{}", result.detail);
    }

    #[test]
    fn output_is_capped() {
        let result = run(&["/usr/bin/head", "-c", "1000000", "/dev/zero"], &["/usr/bin/head"], 10_000);
        assert_eq!(result.state, ActionState::Succeeded);
        assert_eq!(result.output.len(), OUTPUT_BYTES_MAX);
    }
}
