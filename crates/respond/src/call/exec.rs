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
    /// A program that looks before: it ends with 0 when the action may happen, with 3 when it must not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precheck: Vec<String>,
    /// A program that does everything but change something; it must end with 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dry_run: Vec<String>,
}

impl ExecCall {
    pub(super) fn check(&self, problems: &mut Vec<CallProblem>) {
        if self.argv.is_empty() {
            let hint = "give the program's absolute path and its arguments";
            problems.push(CallProblem::new("argv", "argv is empty", hint));
        }
        for (field, argv) in [("argv", &self.argv), ("precheck", &self.precheck), ("dry_run", &self.dry_run)] {
            let Some((program, args)) = argv.split_first() else { continue };
            check_program(field, program, problems);
            for text in args {
                check_text(field, text, problems);
            }
        }
        for text in self.env.values() {
            check_text("env", text, problems);
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        let fill = |argv: &Vec<String>| -> Result<Vec<String>, FillError> {
            argv.iter().map(|text| fill_text(text, values, FillUse::Argument)).collect()
        };
        Ok(Self {
            argv: fill(&self.argv)?,
            env: fill_map(&self.env, values)?,
            precheck: fill(&self.precheck)?,
            dry_run: fill(&self.dry_run)?,
        })
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
