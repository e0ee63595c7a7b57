//! A feature flag that is switched by HTTP.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{CallProblem, check_given, check_json, check_plain, check_text, check_verb};
use super::{fill_json, fill_option, fill_text};
use crate::Verb;
use crate::fill::{FillError, FillUse};

/// A feature flag of a service of flags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagCall {
    /// The name of the service of flags in `actions.flags`, which knows its URL and its token; no template.
    pub server: String,
    /// What the service speaks.
    pub provider: FlagProvider,
    /// The state to bring the flag to.
    #[serde(default, deserialize_with = "on_or_off")]
    pub state: FlagState,
    /// The project, for LaunchDarkly and Unleash.
    #[serde(default)]
    pub project: Option<String>,
    /// The environment, for LaunchDarkly and Unleash.
    #[serde(default)]
    pub environment: Option<String>,
    /// The flag's key, for LaunchDarkly and Unleash.
    #[serde(default)]
    pub flag: Option<String>,
    /// What to send, for `generic`.
    #[serde(default)]
    pub write: Option<FlagWrite>,
    /// How to read the state, for `generic`; without it nothing is looked at before.
    #[serde(default)]
    pub read: Option<FlagRead>,
}

/// What a service of flags speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagProvider {
    /// LaunchDarkly's REST API, semantic patch.
    Launchdarkly,
    /// A URL that switches one flag, as LaunchDarkly's flag triggers are. The URL is the secret, so the settings hold it.
    Trigger,
    /// Unleash's admin API.
    Unleash,
    /// Any other: the step says what to send.
    Generic,
}

/// YAML reads `off` and `on` as false and true, unless they are quoted.
fn on_or_off<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<FlagState, D::Error> {
    match Json::deserialize(deserializer)? {
        Json::Bool(true) => Ok(FlagState::On),
        Json::Bool(false) => Ok(FlagState::Off),
        word => FlagState::deserialize(word).map_err(serde::de::Error::custom),
    }
}

/// The state of a flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagState {
    /// Off.
    #[default]
    Off,
    /// On.
    On,
}

impl FlagState {
    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

/// The request that switches a flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagWrite {
    /// POST, PUT or PATCH.
    #[serde(default = "put")]
    pub method: String,
    /// The path below the service's URL.
    pub path: String,
    /// The body, sent as JSON.
    #[serde(default)]
    pub body: Option<Json>,
}

fn put() -> String {
    "PUT".to_owned()
}

/// The request that reads a flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagRead {
    /// The path below the service's URL.
    pub path: String,
    /// Where the state is in the answer, a JSON pointer.
    pub pointer: String,
    /// What stands there when the flag is in the state to bring it to; `true` or `false` without it.
    #[serde(default)]
    pub value: Option<Json>,
}

impl FlagCall {
    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_verb("flag", verb, &[Verb::Rollback, Verb::Act], problems);
        check_plain("server", &self.server, problems);
        let named = [("project", &self.project), ("environment", &self.environment), ("flag", &self.flag)];
        let wants_names = matches!(self.provider, FlagProvider::Launchdarkly | FlagProvider::Unleash);
        for (field, text) in named {
            match text {
                Some(text) if wants_names => check_given(field, text, problems),
                None if wants_names => {
                    let message = format!("there is no {field}");
                    problems.push(CallProblem::new(field, message, "this provider needs it"));
                }
                Some(_) => {
                    let message = format!("this provider has no use for {field}");
                    problems.push(CallProblem::new(field, message, "leave it out"));
                }
                None => {}
            }
        }
        match (self.provider, &self.write) {
            (FlagProvider::Generic, None) => {
                let hint = "give the method, the path and the body that switch the flag";
                problems.push(CallProblem::new("write", "there is no write", hint));
            }
            (FlagProvider::Generic, Some(write)) => write.check(problems),
            (_, Some(_)) => {
                problems.push(CallProblem::new("write", "only provider generic has a write", "leave it out"));
            }
            (_, None) => {}
        }
        match &self.read {
            Some(read) if self.provider == FlagProvider::Generic => read.check(problems),
            Some(_) => problems.push(CallProblem::new("read", "only provider generic has a read", "leave it out")),
            None => {}
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        let fill = |text: &Option<String>| fill_option(text.as_ref(), values, FillUse::Text);
        let json = |json: &Option<Json>| json.as_ref().map(|json| fill_json(json, values)).transpose();
        let write = self.write.as_ref().map(|write| {
            let path = fill_text(&write.path, values, FillUse::Url)?;
            Ok(FlagWrite { path, body: json(&write.body)?, method: write.method.clone() })
        });
        let read = self.read.as_ref().map(|read| {
            let path = fill_text(&read.path, values, FillUse::Url)?;
            Ok(FlagRead { path, value: json(&read.value)?, pointer: read.pointer.clone() })
        });
        Ok(Self {
            project: fill(&self.project)?,
            environment: fill(&self.environment)?,
            flag: fill(&self.flag)?,
            write: write.transpose()?,
            read: read.transpose()?,
            ..self.clone()
        })
    }
}

impl FlagWrite {
    fn check(&self, problems: &mut Vec<CallProblem>) {
        check_below("write", &self.path, problems);
        if !["POST", "PUT", "PATCH"].contains(&self.method.as_str()) {
            let message = format!("the method is {:?}", self.method);
            problems.push(CallProblem::new("write", message, "it is POST, PUT or PATCH"));
        }
        self.body.iter().for_each(|body| check_json("write", body, problems));
    }
}

impl FlagRead {
    fn check(&self, problems: &mut Vec<CallProblem>) {
        check_below("read", &self.path, problems);
        super::check_pointer("read", &self.pointer, problems);
        self.value.iter().for_each(|value| check_json("read", value, problems));
    }
}

/// A path below the URL of a server: it can not lead elsewhere.
fn check_below(field: &str, path: &str, problems: &mut Vec<CallProblem>) {
    check_text(field, path, problems);
    if !path.starts_with('/') || path.starts_with("//") || path.split(['/', '?']).any(|part| part == "..") {
        let message = format!("the path {path:?} does not begin with one / or goes up");
        problems.push(CallProblem::new(field, message, "write it as it follows the service's URL"));
    }
}
