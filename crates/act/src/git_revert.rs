//! Actions of kind `git_revert`: one commit is reverted by a new one, which is pushed if the branch still stands where it was seen.
//!
//! **Idempotent.** The new commit says which commit it reverts, by which action: a branch that says so already is left alone.
//! **Compare and swap.** The push carries the head that was fetched as its lease; the new commit is its child, so nothing is ever
//! overwritten. **Fence.** Git can not check one; the commit carries it, and the lease refuses whoever comes late.

use std::time::Duration;

use respond::{ActionRequest, ActionState, GitRevertCall, Precheck};

use crate::deadline::Deadline;
use crate::git::{GitError, Repository};
use crate::program::{End, Ran};
use crate::{ActOptions, Ended};

/// How long it may take to see what became of a push that broke off.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// Most reverts of reverts that are followed.
const REVERTS_MAX: usize = 50;
/// What the commit says of the action.
const KEY_TRAILER: &str = "Backstop-Action";
const FENCE_TRAILER: &str = "Backstop-Fence";

/// What Git says when a push certainly changed nothing: it was refused, or never reached the server.
const CERTAIN: [&str; 11] = [
    "[rejected]",
    "[remote rejected]",
    "stale info",
    "Authentication failed",
    "could not read Username",
    "Permission denied",
    "Could not resolve host",
    "Connection refused",
    "returned error: 403",
    "returned error: 401",
    "does not appear to be a git repository",
];

/// A revert that is ready to be pushed, or is not needed.
enum Plan {
    /// The branch says so already.
    Already(String),
    /// The new commit, a child of the head.
    Push { head: String, commit: String, about: String },
}

/// Reverts and pushes.
pub(crate) fn execute(options: &ActOptions, call: &GitRevertCall, request: &ActionRequest) -> Ended {
    let reverted = prepare(options, call, request).and_then(|(repository, plan)| match plan {
        Plan::Already(detail) => Ok(Ended::without_output(ActionState::Succeeded, detail)),
        Plan::Push { head, commit, about } => push(&repository, call, &head, &commit, &about),
    });
    // Before the push nothing has left this machine.
    reverted.unwrap_or_else(|error| Ended::failed(error.text()))
}

/// Reverts, and pushes dry.
pub(crate) fn precheck(options: &ActOptions, call: &GitRevertCall, request: &ActionRequest) -> Precheck {
    match prepare(options, call, request) {
        Ok((_, Plan::Already(detail))) => Precheck::Ready { detail, revision: None },
        Ok((repository, Plan::Push { head, about, .. })) => {
            let dry = push_args(call, &head, true);
            let ran = repository.git(&texts(&dry));
            match ran.end {
                End::Code(0) => Precheck::Ready { detail: about, revision: Some(head) },
                End::Code(_) => Precheck::Refused { detail: ran.said("git push --dry-run") },
                _ => Precheck::Unknown { detail: ran.said("git push --dry-run") },
            }
        }
        Err(GitError::No(detail)) => Precheck::Refused { detail },
        Err(GitError::Broken(detail)) => Precheck::Unknown { detail },
    }
}

/// Makes the commit in a repository of its own.
fn prepare<'a>(
    options: &'a ActOptions,
    call: &'a GitRevertCall,
    request: &ActionRequest,
) -> Result<(Repository<'a>, Plan), GitError> {
    let deadline = Deadline::of_ns(request.timeout_ns);
    let repository = Repository::new(&options.git, &options.git_env, &call.repository, deadline)?;
    let commit = repository.fetch(&call.branch, &call.commit)?;
    let head = repository.must(&["rev-parse", "--verify", &format!("refs/remotes/origin/{}", call.branch)])?;
    if let Some(detail) = reverted_already(&repository, call, &commit, &head, request)? {
        return Ok((repository, Plan::Already(detail)));
    }
    if let Some(seen) = request.revision.as_ref().filter(|seen| **seen != head) {
        let branch = &call.branch;
        return Err(GitError::No(format!("the branch {branch} moved from {seen} to {head} since the precheck")));
    }
    let plan = revert(&repository, call, &commit, &head, request)?;
    Ok((repository, plan))
}

/// Whether the branch, or the branch to push to, holds the revert already.
fn reverted_already(
    repository: &Repository<'_>,
    call: &GitRevertCall,
    commit: &str,
    head: &str,
    request: &ActionRequest,
) -> Result<Option<String>, GitError> {
    let trailer = format!("{KEY_TRAILER}: {}", request.key);
    if let Some(branch) = &call.push_to {
        repository.check_branch(branch)?;
        let deadline = Deadline::of_ns(request.timeout_ns);
        if repository.remote_head(branch, deadline)?.is_some() {
            repository.must(&["fetch", "-q", "--no-tags", "--depth=2", "origin", &format!("refs/heads/{branch}")])?;
            let message = repository.must(&["log", "-1", "--format=%B", "FETCH_HEAD"])?;
            return match message.contains(&trailer) {
                true => Ok(Some(format!("the branch {branch} holds the revert of this action already"))),
                false => Err(GitError::No(format!("the branch {branch} is there already, and is not of this action"))),
            };
        }
    }
    let range = format!("{commit}..{head}");
    let own = repository.must(&["log", "-1", "--format=%H", "-F", &format!("--grep={trailer}"), &range])?;
    if !own.is_empty() {
        return Ok(Some(format!("{own} on {} is the revert of this action already", call.branch)));
    }
    Ok(reverter(repository, commit, head, REVERTS_MAX)?
        .map(|by| format!("{commit} is reverted by {by} on {} already", call.branch)))
}

/// The commit that reverts another and is itself in force.
fn reverter(repository: &Repository<'_>, commit: &str, head: &str, left: usize) -> Result<Option<String>, GitError> {
    if left == 0 {
        return Err(GitError::No(format!("more than {REVERTS_MAX} reverts of reverts: look at the branch yourself")));
    }
    let grep = format!("--grep=This reverts commit {commit}");
    let found = repository.must(&["log", "--format=%H", "-F", &grep, &format!("{commit}..{head}")])?;
    for by in found.lines() {
        if reverter(repository, by, head, left - 1)?.is_none() {
            return Ok(Some(by.to_owned()));
        }
    }
    Ok(None)
}

fn revert(
    repository: &Repository<'_>,
    call: &GitRevertCall,
    commit: &str,
    head: &str,
    request: &ActionRequest,
) -> Result<Plan, GitError> {
    repository.must(&["checkout", "-q", "--detach", head])?;
    let parents = repository.must(&["rev-list", "--parents", "-n", "1", commit])?.split_whitespace().count() - 1;
    let mainline = call.mainline.map(|parent| parent.to_string());
    let mut args = vec!["revert", "--no-commit"];
    match (&mainline, parents) {
        (Some(parent), 2..) => args.extend(["-m", parent]),
        (None, 2..) => {
            let why = format!("{commit} is a merge of {parents} parents: say with mainline which one stays, usually 1");
            return Err(GitError::No(why));
        }
        (Some(_), _) => return Err(GitError::No(format!("{commit} is no merge: leave mainline out"))),
        (None, _) => {}
    }
    args.push(commit);
    let ran = repository.git(&args);
    if !ran.ok() {
        return Err(conflict(repository, commit, &ran));
    }
    let files = repository.must(&["diff", "--cached", "--name-only"])?;
    if files.is_empty() {
        let detail = format!("reverting {commit} changes nothing on {}: what it did is gone already", call.branch);
        return Ok(Plan::Already(detail));
    }
    let subject = repository.must(&["log", "-1", "--format=%s", commit])?;
    let message = message(&subject, commit, mainline.as_deref(), request);
    let path = repository.path().join(".git/backstop-message");
    std::fs::write(&path, message).map_err(|error| GitError::Broken(format!("no message: {error}")))?;
    repository.must(&["commit", "-q", "--no-verify", "--cleanup=verbatim", "-F", ".git/backstop-message"])?;
    let new = repository.must(&["rev-parse", "--verify", "HEAD"])?;
    let count = files.lines().count();
    let about = format!("reverts {commit} ({subject}) on {} at {head}; files changed: {count}", call.branch);
    Ok(Plan::Push { head: head.to_owned(), commit: new, about })
}

fn message(subject: &str, commit: &str, mainline: Option<&str>, request: &ActionRequest) -> String {
    let merge = mainline.map(|parent| format!(", keeping its parent {parent}")).unwrap_or_default();
    format!(
        "Revert \"{subject}\"\n\nThis reverts commit {commit}{merge}.\n\n{KEY_TRAILER}: {}\n{FENCE_TRAILER}: {}\n",
        request.key, request.fence
    )
}

fn conflict(repository: &Repository<'_>, commit: &str, ran: &Ran) -> GitError {
    let files = repository.must(&["diff", "--name-only", "--diff-filter=U"]).unwrap_or_default();
    if files.is_empty() {
        return GitError::Broken(ran.said("git revert"));
    }
    let files = files.lines().collect::<Vec<_>>().join(", ");
    GitError::No(format!("reverting {commit} conflicts in {files}; nothing was pushed, revert it by hand"))
}

/// The arguments of the push: never a force, and only while the branch stands where it was fetched.
fn push_args(call: &GitRevertCall, head: &str, dry: bool) -> Vec<String> {
    let (branch, expected) = match &call.push_to {
        // A lease on nothing: the branch must not be there.
        Some(branch) => (branch, ""),
        None => (&call.branch, head),
    };
    let mut args = vec!["push".to_owned(), "--porcelain".to_owned(), "--no-verify".to_owned()];
    args.push(format!("--force-with-lease=refs/heads/{branch}:{expected}"));
    if dry {
        args.push("--dry-run".to_owned());
    }
    args.extend(["origin".to_owned(), format!("HEAD:refs/heads/{branch}")]);
    args
}

fn push(
    repository: &Repository<'_>,
    call: &GitRevertCall,
    head: &str,
    commit: &str,
    about: &str,
) -> Result<Ended, GitError> {
    let branch = call.push_to.as_ref().unwrap_or(&call.branch);
    let ran = repository.git(&texts(&push_args(call, head, false)));
    let said = ran.said("git push");
    let answer = format!("{}\n{}", ran.text(), String::from_utf8_lossy(&ran.stderr));
    let certain = match &ran.end {
        End::Code(0) | End::NotStarted(_) => true,
        End::Code(_) => CERTAIN.iter().any(|word| answer.contains(word)),
        End::Signal(_) | End::Overtime(_) => false,
    };
    let ok = ran.ok();
    let output = ran.output();
    if ok {
        let detail = format!("{about}: {commit} was pushed to {branch} of {}", repository.address());
        return Ok(Ended { state: ActionState::Succeeded, detail, output });
    }
    if certain {
        let reason = answer.lines().find(|line| line.contains("rejected]")).map(str::trim).unwrap_or_default();
        let detail = format!("{said}; {reason}; nothing was pushed");
        return Ok(Ended { state: ActionState::Failed, detail, output });
    }
    // The server may have taken it although nobody heard: it says so itself.
    let (state, seen) = match repository.remote_head(branch, Deadline::after(CHECK_TIMEOUT)) {
        Ok(Some(found)) if found == commit => (ActionState::Succeeded, format!("but {branch} is at {commit} now")),
        Ok(found) => {
            let found = found.unwrap_or_else(|| "not there".to_owned());
            (ActionState::Unknown, format!("{branch} is at {found}, which may still change"))
        }
        Err(error) => (ActionState::Unknown, error.text()),
    };
    Ok(Ended { state, detail: format!("{said}; {seen}"), output })
}

fn texts(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests;
