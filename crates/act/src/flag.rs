//! Actions of kind `flag`: a feature flag is switched by HTTP.
//!
//! Every provider is told the state to be in, never to toggle, so a repetition changes nothing. What the precheck read is read again
//! right before the write; after a write that broke off, or that the server was not sure of, a read decides where one is possible.

use reqwest::Method;
use respond::{ActionRequest, ActionState, FlagCall, FlagProvider, FlagState, Precheck};
use serde_json::{Value as Json, json};

use crate::Ended;
use crate::deadline::Deadline;
use crate::web::{Ask, Sent, Server, record, segment};

/// LaunchDarkly's media type of a semantic patch.
const SEMANTIC_PATCH: &str = "application/json; domain-model=launchdarkly.semanticpatch";

/// What a provider says of a flag.
#[derive(Debug, PartialEq)]
struct Reading {
    on: bool,
    /// What changes with every change of the flag in the environment, as far as the provider has such a thing.
    revision: String,
}

/// Why there is no reading.
enum NoReading {
    /// The provider, or the step, offers none.
    NotOffered,
    /// The flag is gone, archived or not in the environment.
    Gone(String),
    /// The look failed.
    Failed(String),
}

/// One action on one flag.
struct Flag<'a> {
    server: &'a Server,
    call: &'a FlagCall,
    request: &'a ActionRequest,
    deadline: Deadline,
}

/// Switches the flag.
pub(crate) fn execute(server: &Server, call: &FlagCall, request: &ActionRequest) -> Ended {
    let flag = Flag { server, call, request, deadline: Deadline::of_ns(request.timeout_ns) };
    flag.switch().unwrap_or_else(Ended::failed)
}

/// Reads the flag.
pub(crate) fn precheck(server: &Server, call: &FlagCall, request: &ActionRequest) -> Precheck {
    let flag = Flag { server, call, request, deadline: Deadline::of_ns(request.timeout_ns) };
    match flag.read() {
        Ok(reading) if flag.is_wanted(&reading) => {
            let detail = format!("{} is {} already", flag.name(), call.state.as_str());
            Precheck::Ready { detail, revision: Some(reading.revision) }
        }
        Ok(reading) => {
            let detail = format!("{} is switched {}", flag.name(), call.state.as_str());
            Precheck::Ready { detail, revision: Some(reading.revision) }
        }
        Err(NoReading::NotOffered) => Precheck::NotOffered,
        Err(NoReading::Gone(detail)) => Precheck::Refused { detail },
        Err(NoReading::Failed(detail)) => Precheck::Unknown { detail },
    }
}

/// The URL of a trigger is its own secret: whoever knows it can switch the flag.
pub(crate) fn secret_url(server: &Server) -> Option<String> {
    let path = server.url.path().trim_matches('/');
    (server.options.token.is_none() && path.contains('/')).then(|| path.to_owned())
}

impl Flag<'_> {
    fn switch(&self) -> Result<Ended, String> {
        let (name, state) = (self.name(), self.call.state.as_str());
        let before = match self.read() {
            Ok(reading) => Some(reading),
            Err(NoReading::NotOffered) => None,
            Err(NoReading::Gone(why) | NoReading::Failed(why)) => return Err(why),
        };
        if before.as_ref().is_some_and(|reading| self.is_wanted(reading)) {
            let detail = format!("{name} is {state} already; nothing was done");
            return Ok(Ended::without_output(ActionState::Succeeded, detail));
        }
        if let (Some(seen), Some(now)) = (&self.request.revision, &before)
            && *seen != now.revision
        {
            return Err(format!("{name} was changed since the precheck: {seen} then, {} now", now.revision));
        }
        let why = match self.write() {
            Sent::Answered(answer) if answer.ok() => {
                let output = record(&answer.json());
                return Ok(self.confirmed(before.is_some(), output));
            }
            Sent::Answered(answer) if !answer.unsure() => return Err(format!("refused: {}", answer.said())),
            Sent::Never(why) => return Err(why),
            Sent::Answered(answer) => answer.said(),
            Sent::Broken(why) => why,
        };
        match self.read() {
            Ok(reading) if self.is_wanted(&reading) => {
                let detail = format!("{why}, but {name} is {state} now");
                Ok(Ended::without_output(ActionState::Succeeded, detail))
            }
            _ => {
                let detail = format!("whether {name} was switched {state} is not known: {why}");
                Ok(Ended::without_output(ActionState::Unknown, detail))
            }
        }
    }

    /// The provider said that it went well; where it can be read, it has to be so.
    fn confirmed(&self, can_read: bool, output: Vec<u8>) -> Ended {
        let (name, state) = (self.name(), self.call.state.as_str());
        let (outcome, detail) = match self.read() {
            Ok(reading) if self.is_wanted(&reading) => (ActionState::Succeeded, format!("{name} is {state}")),
            Ok(_) => {
                (ActionState::Failed, format!("{name} was switched {state}, but is not: somebody switched it back"))
            }
            Err(_) if can_read => {
                (ActionState::Succeeded, format!("{name} was switched {state}; it could not be read again"))
            }
            Err(_) => (ActionState::Succeeded, format!("{name} was switched {state}")),
        };
        Ended { state: outcome, detail, output }
    }

    fn is_wanted(&self, reading: &Reading) -> bool {
        reading.on == (self.call.state == FlagState::On)
    }

    fn name(&self) -> String {
        match (&self.call.flag, &self.call.environment) {
            (Some(flag), Some(environment)) => format!("the flag {flag} in {environment}"),
            _ => format!("the flag of {}", self.call.server),
        }
    }

    fn scheme(&self) -> &'static str {
        // LaunchDarkly and Unleash take the token as it is.
        if self.call.provider == FlagProvider::Generic && self.server.options.header.is_none() { "Bearer " } else { "" }
    }

    fn part(&self, text: Option<&String>) -> String {
        segment(text.map_or("", String::as_str))
    }

    fn read(&self) -> Result<Reading, NoReading> {
        let call = self.call;
        let (project, flag) = (self.part(call.project.as_ref()), self.part(call.flag.as_ref()));
        let environment = call.environment.as_deref().unwrap_or_default();
        let path = match (call.provider, &call.read) {
            (FlagProvider::Launchdarkly, _) => format!("/api/v2/flags/{project}/{flag}?env={}", segment(environment)),
            (FlagProvider::Unleash, _) => format!("/api/admin/projects/{project}/features/{flag}"),
            (FlagProvider::Generic, Some(read)) => read.path.clone(),
            (FlagProvider::Generic, None) | (FlagProvider::Trigger, _) => return Err(NoReading::NotOffered),
        };
        let answer = match self.server.send(self.scheme(), Ask::get(path), self.deadline) {
            Sent::Answered(answer) => answer,
            Sent::Never(why) | Sent::Broken(why) => {
                return Err(NoReading::Failed(format!("{} could not be read: {why}", self.name())));
            }
        };
        if answer.status == 404 {
            return Err(NoReading::Gone(format!("{} is not there: {}", self.name(), answer.said())));
        }
        if !answer.ok() {
            return Err(NoReading::Failed(format!("{} could not be read: {}", self.name(), answer.said())));
        }
        self.reading(&answer.json(), environment)
    }

    fn reading(&self, json: &Json, environment: &str) -> Result<Reading, NoReading> {
        let gone = |why: &str| NoReading::Gone(format!("{} {why}", self.name()));
        if json["archived"] == Json::Bool(true) {
            return Err(gone("is archived"));
        }
        match self.call.provider {
            FlagProvider::Launchdarkly => {
                let found = &json["environments"][environment];
                let on = found["on"].as_bool().ok_or_else(|| gone("is not in the environment"))?;
                Ok(Reading { on, revision: format!("version {}", found["version"]) })
            }
            FlagProvider::Unleash => {
                let environments = json["environments"].as_array().map_or(&[][..], Vec::as_slice);
                let found = environments.iter().find(|found| found["name"] == environment);
                let on = found.and_then(|found| found["enabled"].as_bool());
                let on = on.ok_or_else(|| gone("is not in the environment"))?;
                Ok(Reading { on, revision: if on { "on" } else { "off" }.to_owned() })
            }
            FlagProvider::Generic => {
                let Some(read) = &self.call.read else { return Err(NoReading::NotOffered) };
                let Some(found) = json.pointer(&read.pointer) else {
                    return Err(NoReading::Failed(format!("the answer has nothing at {:?}", read.pointer)));
                };
                let wants_on = self.call.state == FlagState::On;
                let wanted = read.value.clone().unwrap_or(Json::Bool(wants_on));
                Ok(Reading { on: (*found == wanted) == wants_on, revision: found.to_string() })
            }
            FlagProvider::Trigger => Err(NoReading::NotOffered),
        }
    }

    fn write(&self) -> Sent {
        let call = self.call;
        let (project, flag) = (self.part(call.project.as_ref()), self.part(call.flag.as_ref()));
        let state = call.state;
        let fence = |ask: Ask<'_>| self.server.send(self.scheme(), self.identified(ask), self.deadline);
        match call.provider {
            FlagProvider::Launchdarkly => {
                let kind = if state == FlagState::On { "turnFlagOn" } else { "turnFlagOff" };
                let body = json!({
                    "environmentKey": call.environment,
                    "comment": format!("Backstop: action {}, fence {}", self.request.key, self.request.fence),
                    "instructions": [{"kind": kind}],
                });
                let ask = Ask::with(Method::PATCH, format!("/api/v2/flags/{project}/{flag}"), Some(&body));
                fence(ask.header("Content-Type", SEMANTIC_PATCH))
            }
            FlagProvider::Unleash => {
                let environment = self.part(call.environment.as_ref());
                let path = format!("/api/admin/projects/{project}/features/{flag}/environments/{environment}");
                fence(Ask::with(Method::POST, format!("{path}/{}", state.as_str()), None))
            }
            FlagProvider::Trigger => fence(Ask::with(Method::POST, "", None)),
            FlagProvider::Generic => {
                let Some(write) = &call.write else { return Sent::Never("the step has no write".to_owned()) };
                let Ok(method) = Method::from_bytes(write.method.as_bytes()) else {
                    return Sent::Never(format!("{:?} is not a method", write.method));
                };
                fence(Ask::with(method, write.path.clone(), write.body.as_ref()))
            }
        }
    }

    fn identified<'b>(&self, ask: Ask<'b>) -> Ask<'b> {
        ask.header("Idempotency-Key", self.request.key.clone())
            .header("X-Backstop-Fence", self.request.fence.to_string())
    }
}

#[cfg(test)]
mod tests;
