//! A program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CallProblem, check_text, fill_map, fill_text};
use crate::fill::{FillError, FillUse};

/// A program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecCall {
    /// The absolute path of the program and its arguments.
    pub argv: Vec<String>,
    /// Its whole environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

impl ExecCall {
    pub(super) fn check(&self, problems: &mut Vec<CallProblem>) {
        let Some((program, args)) = self.argv.split_first() else {
            let hint = "give the program's absolute path and its arguments";
            return problems.push(CallProblem::new("argv", "argv is empty", hint));
        };
        check_program("argv", program, problems);
        for text in args {
            check_text("argv", text, problems);
        }
        for text in self.env.values() {
            check_text("env", text, problems);
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        let fill = |text: &String| fill_text(text, values, FillUse::Argument);
        Ok(Self { argv: self.argv.iter().map(fill).collect::<Result<_, _>>()?, env: fill_map(&self.env, values)? })
    }
}

/// A program's path is absolute and has no template.
pub(crate) fn check_program(field: &str, program: &str, problems: &mut Vec<CallProblem>) {
    if !program.starts_with('/') || program.contains("{{") {
        let message = format!("the program {program:?} is not an absolute path");
        let hint = "write it out, without a template; it must be on the allow-list too";
        problems.push(CallProblem::new(field, message, hint));
    }
}
