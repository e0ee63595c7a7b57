//! Actions of kind `exec`: one program by its absolute path, never a shell.
//!
//! The fencing token is in `BACKSTOP_FENCE`, the revision that the precheck saw in `BACKSTOP_REVISION`: a program that keeps the
//! highest token, or compares the revision, fences and swaps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use respond::{ActionRequest, ActionState, ExecCall, Precheck};

use crate::deadline::Deadline;
use crate::program::{End, Program, Ran, run};
use crate::{ActOptions, Ended};

/// The exit status with which a precheck says that the action must not happen.
const REFUSED_CODE: i32 = 3;
/// What a line of a precheck begins with that names the revision.
const REVISION_LINE: &str = "revision:";

/// Whether the programs of a call may run.
pub(crate) fn permits(allow: &[PathBuf], call: &ExecCall) -> Result<(), String> {
    let programs = [&call.argv, &call.precheck, &call.dry_run];
    for program in programs.into_iter().filter_map(|argv| argv.first()) {
        if !allow.iter().any(|allowed| allowed == Path::new(program)) {
            return Err(format!("{program} is not allowed: add it to actions.exec_allow"));
        }
    }
    Ok(())
}

/// Runs the program. One that could not be started is Failed; one that ran over its time, or that a signal ended, is Unknown.
pub(crate) fn execute(options: &ActOptions, call: &ExecCall, request: &ActionRequest) -> Ended {
    let ran = match start(options, call, &call.argv, request, Deadline::of_ns(request.timeout_ns)) {
        Ok(ran) => ran,
        Err(why) => return Ended::failed(why),
    };
    let state = state_of(&ran.end);
    let detail = ran.said(&call.argv[0]);
    Ended { state, detail, output: ran.output() }
}

/// Runs the program that looks, then the one that runs dry.
pub(crate) fn precheck(options: &ActOptions, call: &ExecCall, request: &ActionRequest) -> Precheck {
    if call.precheck.is_empty() && call.dry_run.is_empty() {
        return Precheck::NotOffered;
    }
    let deadline = Deadline::of_ns(request.timeout_ns);
    let mut revision = None;
    let mut details = Vec::new();
    for (argv, looks) in [(&call.precheck, true), (&call.dry_run, false)] {
        let Some(name) = argv.first() else { continue };
        let ran = match start(options, call, argv, request, deadline) {
            Ok(ran) => ran,
            Err(detail) => return Precheck::Unknown { detail },
        };
        let detail = format!("{}\n{}", ran.said(name), ran.text()).trim_end().to_owned();
        match ran.end {
            End::Code(0) => {}
            End::Code(REFUSED_CODE) if looks => return Precheck::Refused { detail },
            End::Code(_) if !looks => return Precheck::Refused { detail: format!("the dry run failed: {detail}") },
            _ => return Precheck::Unknown { detail },
        }
        if looks {
            let text = ran.text();
            revision = text.lines().find_map(|line| Some(line.strip_prefix(REVISION_LINE)?.trim().to_owned()));
        }
        details.push(detail);
    }
    Precheck::Ready { detail: details.join("\n"), revision }
}

/// A program that was ended by a signal may have done its work before.
pub(crate) fn state_of(end: &End) -> ActionState {
    match end {
        End::Code(0) => ActionState::Succeeded,
        End::NotStarted(_) | End::Code(_) => ActionState::Failed,
        End::Signal(_) | End::Overtime(_) => ActionState::Unknown,
    }
}

fn start(
    options: &ActOptions,
    call: &ExecCall,
    argv: &[String],
    request: &ActionRequest,
    deadline: Deadline,
) -> Result<Ran, String> {
    let dir = tempfile::tempdir().map_err(|error| format!("no working directory: {error}"))?;
    let mut env = options.exec_env.clone();
    env.extend(call.env.clone());
    env.extend(identity(request));
    Ok(run(&Program { argv, env, dir: dir.path() }, deadline))
}

/// The variables by which a program knows who asks.
pub(crate) fn identity(request: &ActionRequest) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("BACKSTOP_ACTION_KEY".to_owned(), request.key.clone()),
        ("BACKSTOP_FENCE".to_owned(), request.fence.to_string()),
    ]);
    if let Some(revision) = &request.revision {
        env.insert("BACKSTOP_REVISION".to_owned(), revision.clone());
    }
    env
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use respond::{Call, Executor as _};

    use super::*;
    use crate::{Actor, OUTPUT_BYTES_MAX};

    fn texts(argv: &[&str]) -> Vec<String> {
        argv.iter().map(|arg| (*arg).to_owned()).collect()
    }

    fn actor(allow: &[&str]) -> Actor {
        Actor::new(ActOptions {
            exec_allow: allow.iter().map(Into::into).collect(),
            exec_env: BTreeMap::from([("GIVEN".to_owned(), "by-options".to_owned())]),
            redact: vec!["hunter2".to_owned()],
            ..ActOptions::default()
        })
        .expect("actor")
    }

    fn call(argv: &[&str]) -> ExecCall {
        let env = BTreeMap::from([("STEP".to_owned(), "by-step".to_owned())]);
        ExecCall { argv: texts(argv), env, precheck: Vec::new(), dry_run: Vec::new() }
    }

    fn ran(argv: &[&str], allow: &[&str], timeout_ms: i64) -> respond::ActionResult {
        actor(allow).execute(&crate::tests::request(Call::Exec(call(argv)), timeout_ms))
    }

    #[test]
    fn the_environment_is_only_what_is_given() {
        let mut request = crate::tests::request(Call::Exec(call(&["/usr/bin/env"])), 10_000);
        request.fence = 7;
        request.revision = Some("r1".to_owned());
        let result = actor(&["/usr/bin/env"]).execute(&request);
        assert_eq!(result.state, ActionState::Succeeded, "{}", result.detail);
        let mut lines: Vec<&str> = result.output.lines().collect();
        lines.sort_unstable();
        expect![[r#"
            BACKSTOP_ACTION_KEY=key-1
            BACKSTOP_FENCE=7
            BACKSTOP_REVISION=r1
            GIVEN=by-options
            STEP=by-step"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn arguments_are_never_a_shells() {
        let result = ran(&["/bin/echo", "$(id)", "; rm -rf /", "hunter2"], &["/bin/echo"], 10_000);
        assert_eq!(result.output, "$(id) ; rm -rf / ***\n");
    }

    #[test]
    fn only_listed_programs_run() {
        for program in ["/bin/false", "echo", "/bin/../bin/echo"] {
            let result = ran(&[program], &["/bin/echo"], 10_000);
            assert_eq!(result.state, ActionState::Failed);
            assert!(result.detail.contains("not allowed"), "{}", result.detail);
        }
        assert_eq!(ran(&["/bin/false"], &["/bin/false"], 10_000).state, ActionState::Failed);
        let result = ran(&["/no/such/program"], &["/no/such/program"], 10_000);
        assert!(result.detail.contains("could not be started"), "{}", result.detail);
        let look = Call::Exec(ExecCall { precheck: texts(&["/bin/true"]), ..call(&["/bin/echo"]) });
        let refused = actor(&["/bin/echo"]).permits(&look).expect_err("the precheck is a program too");
        assert_eq!(refused, "/bin/true is not allowed: add it to actions.exec_allow");
    }

    #[test]
    fn a_program_over_its_time_is_ended_and_its_outcome_unknown() {
        let result = ran(&["/bin/sleep", "60"], &["/bin/sleep"], 50);
        assert_eq!(result.state, ActionState::Unknown, "{}", result.detail);
        let result = ran(&["/bin/sh", "-c", "kill -9 $$"], &["/bin/sh"], 10_000);
        assert_eq!(result.state, ActionState::Unknown, "{}", result.detail);
    }

    #[test]
    fn output_is_capped() {
        let result = ran(&["/usr/bin/head", "-c", "1000000", "/dev/zero"], &["/usr/bin/head"], 10_000);
        assert_eq!(result.state, ActionState::Succeeded);
        assert_eq!(result.output.len(), OUTPUT_BYTES_MAX);
    }

    fn look(precheck: &str, dry_run: &str, timeout_ms: i64, expect: Expect) {
        let argv = |script: &str| if script.is_empty() { Vec::new() } else { texts(&["/bin/sh", "-c", script]) };
        let call = ExecCall { precheck: argv(precheck), dry_run: argv(dry_run), ..call(&["/bin/false"]) };
        let looked = actor(&["/bin/false", "/bin/sh"]).precheck(&crate::tests::request(Call::Exec(call), timeout_ms));
        expect.assert_eq(&format!("{looked:?}"));
    }

    #[test]
    fn a_precheck_is_ready_refused_or_unknown() {
        look("", "", 10_000, expect!["NotOffered"]);
        look(
            "echo revision: r7; echo hunter2",
            "echo would do it",
            10_000,
            expect![[
                r#"Ready { detail: "/bin/sh ended with exit status 0\nrevision: r7\n***\n/bin/sh ended with exit status 0\nwould do it", revision: Some("r7") }"#
            ]],
        );
        look(
            "echo version 3 runs; exit 3",
            "",
            10_000,
            expect![[r#"Refused { detail: "/bin/sh ended with exit status 3\nversion 3 runs" }"#]],
        );
        look(
            "echo oops >&2; exit 1",
            "",
            10_000,
            expect![[r#"Unknown { detail: "/bin/sh ended with exit status 1: oops" }"#]],
        );
        look(
            "exit 0",
            "echo no such host >&2; exit 9",
            10_000,
            expect![[r#"Refused { detail: "the dry run failed: /bin/sh ended with exit status 9: no such host" }"#]],
        );
        look(
            "sleep 60",
            "",
            50,
            expect![[r#"Unknown { detail: "/bin/sh was ended, because the 50ms of the action were over" }"#]],
        );
    }
}
