//! Git in a fresh repository of its own: no hooks, no prompts, no settings of the machine, no commands hidden in addresses.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;

use crate::deadline::Deadline;
use crate::program::{End, Program, Ran, run};

/// Settings of every command, so that neither the machine's nor the repository's decide.
const SETTINGS: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "commit.gpgSign=false",
    "gc.auto=0",
    "advice.detachedHead=false",
    "init.defaultBranch=backstop",
    "submodule.recurse=false",
    "core.quotePath=false",
];

/// Who commits, where `actions.git_env` does not say it.
const IDENTITY: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "Backstop"),
    ("GIT_AUTHOR_EMAIL", "backstop@localhost"),
    ("GIT_COMMITTER_NAME", "Backstop"),
    ("GIT_COMMITTER_EMAIL", "backstop@localhost"),
];

/// How many commits are fetched first, then, then all.
const DEPTHS: [Option<u32>; 3] = [Some(50), Some(1_000), None];

/// Where a commit is in what was fetched.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// With its parents, and reachable from the branch.
    Here(String),
    /// Not yet, or without its parents: more has to be fetched.
    NotYet(String),
}

/// A fresh repository with a branch fetched into `refs/remotes/origin/BRANCH`.
pub(crate) struct Repository<'a> {
    program: &'a [String],
    given: &'a BTreeMap<String, String>,
    folder: TempDir,
    address: &'a str,
    deadline: Deadline,
}

/// Why something could not be learnt from Git.
#[derive(Debug)]
pub(crate) enum GitError {
    /// It is so: the commit is not there, the branch is gone.
    No(String),
    /// Git or the server failed.
    Broken(String),
}

impl GitError {
    pub(crate) fn text(self) -> String {
        match self {
            Self::No(text) | Self::Broken(text) => text,
        }
    }
}

impl<'a> Repository<'a> {
    /// An empty repository that knows the address.
    pub(crate) fn new(
        program: &'a [String],
        given: &'a BTreeMap<String, String>,
        address: &'a str,
        deadline: Deadline,
    ) -> Result<Self, GitError> {
        let folder = tempfile::tempdir().map_err(|error| GitError::Broken(format!("no working directory: {error}")))?;
        let repository = Self { program, given, folder, address, deadline };
        repository.must(&["init", "-q"])?;
        repository.must(&["remote", "add", "--", "origin", address])?;
        Ok(repository)
    }

    /// Fetches the branch as deep as the commit asks for. The full id of the commit, which is on the branch and has its parents
    /// here: without them a revert would undo everything before it too.
    pub(crate) fn fetch(&self, branch: &str, commit: &str) -> Result<String, GitError> {
        self.check_branch(branch)?;
        let mut why = String::new();
        for depth in DEPTHS {
            self.fetch_branch(branch, depth)?;
            match self.find(branch, commit, depth.is_none())? {
                Found::Here(id) => return Ok(id),
                Found::NotYet(reason) => why = reason,
            }
        }
        Err(GitError::No(why))
    }

    fn fetch_branch(&self, branch: &str, depth: Option<u32>) -> Result<(), GitError> {
        let depth = match depth {
            Some(depth) => format!("--depth={depth}"),
            None if self.is_shallow() => "--unshallow".to_owned(),
            None => "--no-tags".to_owned(),
        };
        let spec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
        let ran = self.git(&["fetch", "-q", "--no-tags", "--no-recurse-submodules", &depth, "origin", &spec]);
        match ran.end {
            End::Code(0) => Ok(()),
            _ if String::from_utf8_lossy(&ran.stderr).contains("couldn't find remote ref") => {
                Err(GitError::No(format!("the repository has no branch {branch}")))
            }
            _ => Err(GitError::Broken(ran.said("git fetch"))),
        }
    }

    fn is_shallow(&self) -> bool {
        self.folder.path().join(".git/shallow").exists()
    }

    fn find(&self, branch: &str, commit: &str, whole: bool) -> Result<Found, GitError> {
        let Some(id) = self.resolve(commit)? else {
            return Ok(Found::NotYet(format!("there is no commit {commit} on the branch {branch}")));
        };
        let parents = self.git(&["rev-parse", "-q", "--verify", &format!("{id}^1^{{commit}}")]);
        if !parents.ok() {
            return Ok(Found::NotYet(format!("the commit {id} has no parent, so there is nothing to go back to")));
        }
        let on = self.git(&["merge-base", "--is-ancestor", &id, &format!("refs/remotes/origin/{branch}")]);
        match on.end {
            End::Code(0) => Ok(Found::Here(id)),
            End::Code(1) => Ok(Found::NotYet(format!("the commit {id} is not on the branch {branch}"))),
            _ if !whole => Ok(Found::NotYet(on.said("git merge-base"))),
            _ => Err(GitError::Broken(on.said("git merge-base"))),
        }
    }

    /// The full id of a commit, by its id or by a tag. A tag's commit is fetched by itself.
    fn resolve(&self, commit: &str) -> Result<Option<String>, GitError> {
        if is_commit_id(commit) {
            let ran = self.git(&["rev-parse", "-q", "--verify", &format!("{commit}^{{commit}}")]);
            return Ok(ran.ok().then(|| ran.text()));
        }
        if !is_ref_name(commit) {
            return Err(GitError::No(format!("{commit:?} is neither a commit's id in hex nor the name of a tag")));
        }
        for tag in [commit.to_owned(), format!("v{commit}")] {
            let listed = self.git(&["ls-remote", "--tags", "origin", &format!("refs/tags/{tag}")]);
            if !listed.ok() {
                return Err(GitError::Broken(listed.said("git ls-remote")));
            }
            let text = listed.text();
            if text.is_empty() {
                continue;
            }
            let spec = format!("+refs/tags/{tag}:refs/tags/{tag}");
            let depth = if self.is_shallow() { "--depth=2" } else { "--no-tags" };
            self.must(&["fetch", "-q", "--no-tags", depth, "origin", &spec])?;
            let ran = self.git(&["rev-parse", "-q", "--verify", &format!("refs/tags/{tag}^{{commit}}")]);
            return Ok(ran.ok().then(|| ran.text()));
        }
        Err(GitError::No(format!("the repository has no tag {commit} and no tag v{commit}")))
    }

    /// Where a branch of the server stands; nothing when it is not there.
    pub(crate) fn remote_head(&self, branch: &str, deadline: Deadline) -> Result<Option<String>, GitError> {
        let name = format!("refs/heads/{branch}");
        let ran = self.git_within(&["ls-remote", "--heads", "origin", &name], deadline);
        match ran.end {
            End::Code(0) => Ok(ran.text().split_whitespace().next().map(str::to_owned)),
            _ => Err(GitError::Broken(ran.said("git ls-remote"))),
        }
    }

    /// Refuses names that Git would not take, or would take for something else.
    pub(crate) fn check_branch(&self, branch: &str) -> Result<(), GitError> {
        match is_ref_name(branch) && self.git(&["check-ref-format", &format!("refs/heads/{branch}")]).ok() {
            true => Ok(()),
            false => Err(GitError::No(format!("{branch:?} is not the name of a branch"))),
        }
    }

    /// Runs Git; anything but 0 is an error.
    pub(crate) fn must(&self, args: &[&str]) -> Result<String, GitError> {
        let ran = self.git(args);
        match ran.ok() {
            true => Ok(ran.text()),
            false => Err(GitError::Broken(ran.said(&format!("git {}", args.first().unwrap_or(&""))))),
        }
    }

    /// Runs Git in the repository.
    pub(crate) fn git(&self, args: &[&str]) -> Ran {
        self.git_within(args, self.deadline)
    }

    /// Runs Git in the repository with a deadline of its own.
    pub(crate) fn git_within(&self, args: &[&str], deadline: Deadline) -> Ran {
        let mut argv = self.program.to_vec();
        for setting in SETTINGS {
            argv.extend(["-c".to_owned(), setting.to_owned()]);
        }
        argv.extend(args.iter().map(|arg| (*arg).to_owned()));
        let home = self.folder.path().to_string_lossy().into_owned();
        let fixed = [
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("LC_ALL", "C"),
            ("HOME", home.as_str()),
            ("GCM_INTERACTIVE", "never"),
        ];
        let mut env: BTreeMap<String, String> =
            fixed.into_iter().chain(IDENTITY).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        env.extend(self.given.clone());
        run(&Program { argv: &argv, env, dir: self.folder.path() }, deadline)
    }

    /// Where the repository lies.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The address of the server.
    pub(crate) fn address(&self) -> &str {
        self.address
    }
}

/// Fewest digits of a commit's id.
const COMMIT_DIGITS_MIN: usize = 7;
/// Most digits of a commit's id: SHA-256.
const COMMIT_DIGITS_MAX: usize = 64;
/// Longest name of a branch or a tag.
const REF_BYTES_MAX: usize = 200;

/// Whether a text is a commit's id, perhaps shortened.
pub(crate) fn is_commit_id(text: &str) -> bool {
    (COMMIT_DIGITS_MIN..=COMMIT_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text is the name of a branch or a tag and nothing else: no range, no option, no glob.
fn is_ref_name(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "._/+-#".contains(c);
    !text.is_empty()
        && text.len() <= REF_BYTES_MAX
        && !text.starts_with(['-', '/', '.'])
        && !text.contains("..")
        && text.chars().all(known)
}
