//! A commit that is reverted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CallProblem, check_given, check_plain, check_verb, fill_option, fill_text};
use crate::Verb;
use crate::fill::{FillError, FillUse};

/// A commit of a Git repository that is reverted by a new commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitRevertCall {
    /// The repository, as `actions.git_allow` has it; no template.
    pub repository: String,
    /// The branch that holds the commit.
    pub branch: String,
    /// The commit: its id in hex, at least 7 digits, or a tag.
    pub commit: String,
    /// Which parent of a merge commit stays, counted from 1.
    #[serde(default)]
    pub mainline: Option<u8>,
    /// A new branch to push to, for a merge request; the branch itself without it.
    #[serde(default)]
    pub push_to: Option<String>,
}

impl GitRevertCall {
    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_verb("git_revert", verb, &[Verb::Rollback, Verb::Act], problems);
        check_plain("repository", &self.repository, problems);
        if self.repository.starts_with('-') || self.repository.contains("::") {
            let message = format!("{:?} is not the address of a repository", self.repository);
            let hint = "write https://, ssh://, git@host:path or an absolute path";
            problems.push(CallProblem::new("repository", message, hint));
        }
        check_given("branch", &self.branch, problems);
        check_given("commit", &self.commit, problems);
        if let Some(branch) = &self.push_to {
            check_given("push_to", branch, problems);
            if *branch == self.branch {
                let hint = "leave push_to out to push to the branch itself";
                problems.push(CallProblem::new("push_to", "push_to is the branch itself", hint));
            }
        }
        if self.mainline == Some(0) {
            problems.push(CallProblem::new("mainline", "mainline is 0", "the first parent is 1"));
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        Ok(Self {
            branch: fill_text(&self.branch, values, FillUse::Argument)?,
            commit: fill_text(&self.commit, values, FillUse::Argument)?,
            push_to: fill_option(self.push_to.as_ref(), values, FillUse::Argument)?,
            ..self.clone()
        })
    }
}
