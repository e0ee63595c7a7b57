//! A unit of systemd.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CallProblem, check_given, check_path, check_verb, fill_text};
use crate::Verb;
use crate::fill::{FillError, FillUse};

/// A unit of systemd on the machine that Backstop runs on.
///
/// A rollback goes one of two ways. A template unit (`shop@.service`) has an instance per version: the one is stopped, the other
/// started. With `link` and `releases` the unit runs what a symbolic link points at, and the link is re-pointed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemdCall {
    /// The unit, with its suffix.
    pub unit: String,
    /// The symbolic link to the release that runs; no template.
    #[serde(default)]
    pub link: Option<String>,
    /// The folder that holds the releases, one folder a version; no template.
    #[serde(default)]
    pub releases: Option<String>,
    /// Whether the unit is reloaded rather than restarted.
    #[serde(default)]
    pub reload: bool,
}

impl SystemdCall {
    /// Whether the unit is a template, of which instances run.
    pub fn is_template(&self) -> bool {
        self.unit.rsplit_once('.').is_some_and(|(name, _)| name.ends_with('@'))
    }

    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_verb("systemd", verb, &[Verb::Rollback, Verb::Restart], problems);
        check_given("unit", &self.unit, problems);
        let suffixes = [".service", ".socket", ".timer", ".target"];
        if !suffixes.iter().any(|suffix| self.unit.ends_with(suffix)) {
            let message = format!("the unit {:?} has no suffix", self.unit);
            problems.push(CallProblem::new("unit", message, "write it out: shop.service"));
        }
        for (field, path) in [("link", &self.link), ("releases", &self.releases)] {
            path.iter().for_each(|path| check_path(field, path, problems));
        }
        let (field, message, hint) = match (verb, self.is_template(), &self.link, &self.releases) {
            (Verb::Restart, true, ..) => ("unit", "a template unit can not be restarted", "name an instance of it"),
            (Verb::Restart, _, Some(_), _) | (Verb::Restart, _, _, Some(_)) => {
                ("link", "a restart has no use for link and releases", "leave them out")
            }
            (Verb::Rollback, true, Some(_), _) | (Verb::Rollback, true, _, Some(_)) => {
                ("unit", "a template unit and a link are two ways to go back", "use one of them")
            }
            (Verb::Rollback, false, None, None) => {
                let hint = "name a template unit (shop@.service), or give link and releases";
                ("unit", "nothing says how the unit goes back to another version", hint)
            }
            (Verb::Rollback, false, None, Some(_)) => ("releases", "there are releases and no link", "give both"),
            (Verb::Rollback, false, Some(_), None) => ("link", "there is a link and no releases", "give both"),
            (Verb::Rollback, true, ..) if self.reload => {
                ("reload", "an instance of another version is started, not reloaded", "leave reload out")
            }
            _ => return,
        };
        problems.push(CallProblem::new(field, message, hint));
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        Ok(Self { unit: fill_text(&self.unit, values, FillUse::Argument)?, ..self.clone() })
    }
}
