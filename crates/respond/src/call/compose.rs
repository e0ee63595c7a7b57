//! Services of a Compose project.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CallProblem, check_given, check_path, check_plain, check_verb, fill_text};
use crate::Verb;
use crate::fill::{FillError, FillUse};

/// Services of a Compose project on the machine that Backstop runs on.
///
/// A rollback pins the image's tag, either in a variable of an env file or in an override file, and brings the services up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposeCall {
    /// The project's folder; no template.
    pub directory: String,
    /// The Compose files, names in the folder; those that the program finds by itself when empty.
    #[serde(default)]
    pub files: Vec<String>,
    /// The project's name, where it is not the folder's.
    #[serde(default)]
    pub project: Option<String>,
    /// The services; never empty, an empty list would mean every one.
    pub services: Vec<String>,
    /// The env file that holds the variable, a name in the folder.
    #[serde(default)]
    pub env_file: Option<String>,
    /// The variable that holds the image's tag, or the image with its tag.
    #[serde(default)]
    pub variable: Option<String>,
    /// The override file, a name in the folder. It is Backstop's: what it holds is replaced.
    #[serde(default, rename = "override")]
    pub override_file: Option<String>,
    /// The image without its tag, for the override file.
    #[serde(default)]
    pub image: Option<String>,
}

/// How the image's tag is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComposePin<'a> {
    /// In a variable of an env file.
    Variable {
        /// The file's name.
        file: &'a str,
        /// The variable's.
        variable: &'a str,
    },
    /// In an override file.
    Override {
        /// The file's name.
        file: &'a str,
        /// The image without its tag.
        image: &'a str,
    },
}

impl ComposeCall {
    /// How the image's tag is pinned; nothing when the target does not say it, or says it twice.
    pub fn pin(&self) -> Option<ComposePin<'_>> {
        match (&self.env_file, &self.variable, &self.override_file, &self.image) {
            (Some(file), Some(variable), None, None) => Some(ComposePin::Variable { file, variable }),
            (None, None, Some(file), Some(image)) => Some(ComposePin::Override { file, image }),
            _ => None,
        }
    }

    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_verb("compose", verb, &[Verb::Rollback, Verb::Restart, Verb::Scale], problems);
        check_path("directory", &self.directory, problems);
        let names = [("env_file", &self.env_file), ("override", &self.override_file)];
        let names = names.into_iter().filter_map(|(field, name)| Some((field, name.as_ref()?)));
        for (field, name) in names.chain(self.files.iter().map(|name| ("files", name))) {
            check_file_name(field, name, problems);
        }
        for (field, text) in [("variable", &self.variable), ("image", &self.image), ("project", &self.project)] {
            text.iter().for_each(|text| check_plain(field, text, problems));
        }
        if self.services.is_empty() {
            let hint = "name them; an empty list would mean all";
            problems.push(CallProblem::new("services", "there is no service", hint));
        }
        for service in &self.services {
            check_given("services", service, problems);
            if service.starts_with('-') {
                let message = format!("{service:?} would be read as an option");
                problems.push(CallProblem::new("services", message, "name a service of the project"));
            }
        }
        match verb {
            Verb::Rollback => self.check_pin(problems),
            Verb::Scale if self.services.len() > 1 => {
                let message = format!("{} services can not be scaled to one number", self.services.len());
                problems.push(CallProblem::new("services", message, "name one"));
            }
            _ => {}
        }
    }

    fn check_pin(&self, problems: &mut Vec<CallProblem>) {
        match self.pin() {
            None => {
                let hint = "give env_file and variable, or override and image";
                problems.push(CallProblem::new("", "nothing says, or two things say, where the tag is pinned", hint));
            }
            Some(ComposePin::Override { .. }) if self.files.is_empty() => {
                let hint = "name the Compose files that it overrides";
                problems.push(CallProblem::new("override", "an override file needs files", hint));
            }
            Some(ComposePin::Variable { variable, .. }) if !is_variable(variable) => {
                let message = format!("{variable:?} is not the name of a variable");
                problems.push(CallProblem::new("variable", message, "letters, digits and _, as in WEB_TAG"));
            }
            _ => {}
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        let services = self.services.iter().map(|service| fill_text(service, values, FillUse::Argument));
        Ok(Self { services: services.collect::<Result<_, _>>()?, ..self.clone() })
    }
}

fn is_variable(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A file is named, not reached: it lies in the project's folder.
fn check_file_name(field: &str, name: &str, problems: &mut Vec<CallProblem>) {
    if name.is_empty() || name.contains(['/', '\\']) || name.contains("{{") || name.starts_with('-') || name == ".." {
        let message = format!("{name:?} is not the name of a file in the project's folder");
        problems.push(CallProblem::new(field, message, "write a plain name, without a folder or a template"));
    }
}
