//! The steps of a playbook file.

use rules::{ParserOptions, QueryProblem, When, check_logs, check_promql};
use serde_json::Value as Json;
use serde_saphyr::Spanned;

use super::raw::{RawAct, RawAsk, RawDecide, RawNotify, RawProbe, RawQuery, RawReplicas, RawStep, RawUndo};
use super::raw::{RawVerify, RawWait};
use super::{Reader, spanned_text};
use crate::call::check_url;
use crate::fill::Fill;
use crate::playbook::{
    ACTION_TIMEOUT_NS_DEFAULT, APPROVAL_EXPIRES_NS_DEFAULT, Act, Approvals, Ask, Case, Choice, Compare, Decide,
    NotifyStep, Probe, ProbeKind, Query, QueryText, Replicas, Step, StepKind, Verify, VerifyQuery, Wait,
};
use crate::{Call, Verb};

/// How long a verification waits by default, in nanoseconds.
const VERIFY_WITHIN_NS_DEFAULT: i64 = 300_000_000_000;

/// How long a query that fails is tried again by default, in nanoseconds.
const QUERY_TIMEOUT_NS_DEFAULT: i64 = 30_000_000_000;

/// How long a probe may take by default, in nanoseconds.
const PROBE_TIMEOUT_NS_DEFAULT: i64 = 5_000_000_000;

impl Reader<'_> {
    pub(super) fn step(&mut self, spanned: &Spanned<RawStep>) -> Option<Step> {
        let raw = &spanned.value;
        let timeout_ns = self.problems.duration(raw.timeout.as_ref());
        let mut kinds = Vec::new();
        kinds.extend(raw.query.as_ref().map(|query| self.query(query, timeout_ns).map(StepKind::Query)));
        kinds.extend(raw.probe.as_ref().map(|probe| self.probe(probe, timeout_ns).map(StepKind::Probe)));
        kinds.extend(raw.decide.as_ref().map(|decide| self.decide(decide).map(StepKind::Decide)));
        kinds.extend(raw.ask.as_ref().map(|ask| self.ask(ask, timeout_ns).map(StepKind::Ask)));
        let mut acts = |reader: &mut Self, verb, act: &Option<Spanned<RawAct>>, kind: fn(Act) -> StepKind| {
            kinds.extend(act.as_ref().map(|act| reader.act(verb, act, timeout_ns).map(kind)));
        };
        acts(self, Verb::Act, &raw.act, StepKind::Act);
        acts(self, Verb::Rollback, &raw.rollback, StepKind::Rollback);
        acts(self, Verb::Restart, &raw.restart, StepKind::Restart);
        acts(self, Verb::Scale, &raw.scale, StepKind::Scale);
        kinds.extend(raw.wait.as_ref().map(|wait| self.wait(wait, timeout_ns).map(StepKind::Wait)));
        kinds.extend(raw.verify.as_ref().map(|verify| self.verify(verify, timeout_ns).map(StepKind::Verify)));
        kinds.extend(raw.notify.as_ref().map(|notify| self.notify(notify).map(StepKind::Notify)));
        if kinds.len() != 1 {
            let hint = "give it one of query, probe, decide, ask, act, rollback, restart, scale, wait, verify, notify";
            self.problems.say(spanned, "a step does not do exactly one thing", hint);
            return None;
        }
        let kind = kinds.pop().flatten()?;
        if let (Some(timeout), None) = (&raw.timeout, kind.timeout_ns()) {
            self.problems.say(timeout, format!("a {} takes no time", kind.as_str()), "leave the timeout out");
        }
        let undo = match &raw.undo {
            Some(undo) => self.undo(undo, &kind).map(Box::new),
            None => None,
        };
        Some(Step {
            id: raw.id.as_ref().map(|id| id.value.clone()),
            on_fail: raw.on_fail.as_ref().map(|on_fail| on_fail.goto.value.clone()),
            next: raw.next.as_ref().map(|next| next.goto.value.clone()),
            undo,
            risk: self.risk(raw.risk.as_ref(), kind.risk()),
            kind,
        })
    }

    fn undo(&mut self, spanned: &Spanned<RawUndo>, kind: &StepKind) -> Option<Act> {
        if kind.acting().is_none() {
            let hint = "act, rollback, restart and scale can have one";
            self.problems.say(spanned, format!("a {} changes nothing that could be taken back", kind.as_str()), hint);
            return None;
        }
        let raw = &spanned.value;
        let timeout_ns = self.problems.duration(raw.timeout.as_ref());
        let ways = [
            (Verb::Act, &raw.act),
            (Verb::Rollback, &raw.rollback),
            (Verb::Restart, &raw.restart),
            (Verb::Scale, &raw.scale),
        ];
        let mut given = ways.into_iter().filter_map(|(verb, act)| act.as_ref().map(|act| (verb, act)));
        let (Some((verb, act)), None) = (given.next(), given.next()) else {
            self.problems.say(
                spanned,
                "an undo does not do exactly one thing",
                "give it one of act, rollback, restart, scale",
            );
            return None;
        };
        self.act(verb, act, timeout_ns)
    }

    fn query(&mut self, spanned: &Spanned<RawQuery>, timeout_ns: Option<i64>) -> Option<Query> {
        let raw = &spanned.value;
        let text = match (&raw.expr, &raw.logs) {
            (Some(expr), None) => {
                self.promql(expr);
                QueryText::Expr(expr.value.clone())
            }
            (None, Some(logs)) => {
                if let Err(found) = check_logs(&logs.value) {
                    self.problems.say_inside(logs, found);
                }
                let Some(window_ns) = self.problems.duration(raw.window.as_ref()) else {
                    self.problems.say(
                        spanned,
                        "a query over logs lacks `window`",
                        "say how far it looks back: window: 1m",
                    );
                    return None;
                };
                QueryText::Logs { query: logs.value.clone(), window_ns }
            }
            _ => {
                self.problems.say(spanned, "a query does not have exactly one of expr and logs", "give it one");
                return None;
            }
        };
        Some(Query { text, timeout_ns: timeout_ns.unwrap_or(QUERY_TIMEOUT_NS_DEFAULT) })
    }

    fn promql(&mut self, expr: &Spanned<String>) -> Option<Compare> {
        // What is switched off is the engine's to say.
        match check_promql(&expr.value, ParserOptions::ALL) {
            Ok(info) => info.bound.map(|bound| Compare { expr: bound.expr, more_is_worse: bound.wants_less }),
            Err(found) => {
                self.problems.say_inside(expr, found);
                None
            }
        }
    }

    fn probe(&mut self, spanned: &Spanned<RawProbe>, timeout_ns: Option<i64>) -> Option<Probe> {
        let raw = &spanned.value;
        let kind = match (raw.kind.value.as_str(), &raw.url, &raw.address) {
            ("http", Some(url), None) => {
                let mut problems = Vec::new();
                check_url("url", &url.value, &mut problems);
                for found in problems {
                    self.problems.say(url, found.message, &found.hint);
                }
                ProbeKind::Http { url: url.value.clone(), expect_status: raw.expect_status.clone() }
            }
            ("tcp", None, Some(address)) => {
                let port = address
                    .value
                    .rsplit_once(':')
                    .and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok()).flatten());
                if port.is_none() || address.value.contains("{{") {
                    let hint = "write host:port, without a template; it must be on the allow-list too";
                    self.problems.say(address, format!("{:?} is not an address", address.value), hint);
                }
                ProbeKind::Tcp { address: address.value.clone() }
            }
            ("http" | "tcp", ..) => {
                self.problems.say(spanned, "a probe lacks what it tries", "give http a url, and tcp an address");
                return None;
            }
            (kind, ..) => {
                self.problems.say(&raw.kind, format!("there is no kind of probe {kind:?}"), "the kinds are http, tcp");
                return None;
            }
        };
        Some(Probe { kind, timeout_ns: timeout_ns.unwrap_or(PROBE_TIMEOUT_NS_DEFAULT) })
    }

    fn decide(&mut self, spanned: &Spanned<RawDecide>) -> Option<Decide> {
        let raw = &spanned.value;
        if raw.cases.is_empty() {
            self.problems.say(spanned, "there is nothing to decide", "give cases: [{when: ..., goto: ...}]");
        }
        for case in &raw.cases {
            self.condition(&case.when);
        }
        let case = |case: &super::raw::RawCase| Case { when: case.when.value.clone(), goto: case.goto.value.clone() };
        Some(Decide {
            cases: raw.cases.iter().map(case).collect(),
            otherwise: raw.otherwise.as_ref().map(|goto| goto.goto.value.clone()),
        })
    }

    fn condition(&mut self, when: &Spanned<String>) {
        if let Err(error) = When::parse(&when.value) {
            let found = QueryProblem { offset: error.offset, message: error.message, hint: Some(error.hint) };
            self.problems.say_inside(when, found);
        }
    }

    fn ask(&mut self, spanned: &Spanned<RawAsk>, timeout_ns: Option<i64>) -> Option<Ask> {
        let raw = &spanned.value;
        self.fill(&raw.question);
        let expires_ns =
            self.problems.duration(raw.expires.as_ref()).or(timeout_ns).unwrap_or(APPROVAL_EXPIRES_NS_DEFAULT);
        let need = raw.need.as_ref().map_or(1, |need| need.value);
        if let Some(at) = raw.need.as_ref().filter(|need| need.value == 0) {
            self.problems.say(at, "nobody needs to answer", "the least is 1");
        }
        let approvals =
            Approvals { need, of: raw.of.clone(), expires_ns, not_actor: raw.not_actor, notify: raw.notify.clone() };
        self.check_approvals(spanned, &approvals);
        let choices: Vec<Choice> = raw
            .choices
            .iter()
            .map(|(name, choice)| Choice { name: name.clone(), goto: choice.goto.as_ref().map(|to| to.value.clone()) })
            .collect();
        let word = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_ ".contains(c));
        if let Some(choice) = choices.iter().find(|choice| !word(&choice.name)) {
            self.problems.say(
                spanned,
                format!("the choice {:?} is no word", choice.name),
                "use letters, digits, - and _",
            );
        }
        Some(Ask {
            question: raw.question.value.clone(),
            approvals,
            choices,
            on_timeout: raw.on_timeout.as_ref().map(|goto| goto.goto.value.clone()),
        })
    }

    fn act(&mut self, verb: Verb, spanned: &Spanned<RawAct>, timeout_ns: Option<i64>) -> Option<Act> {
        let raw = &spanned.value;
        let service = raw.target.get("service").map(|service| self.target_service(service));
        let call = self.call(verb, &raw.kind, &raw.target);
        let to = raw.to.as_ref().filter(|to| to.value != "previous");
        match (verb, &raw.to) {
            (Verb::Rollback, _) => drop(to.map(|to| self.fill(to))),
            (_, Some(at)) => self.problems.say(at, format!("a {verb} goes to no version"), "leave `to` out"),
            (_, None) => {}
        }
        let replicas = match (verb, &raw.replicas) {
            (Verb::Scale, Some(replicas)) => Some(self.replicas(replicas)?),
            (Verb::Scale, None) => {
                let hint = "give replicas: 5, or replicas: {of: '{{ steps.ID.value }}', add: 2, min: 2, max: 10}";
                self.problems.say(spanned, "the scale step does not say how many", hint);
                return None;
            }
            (_, Some(at)) => {
                self.problems.say(at, format!("a {verb} takes no replicas"), "only scale does");
                None
            }
            (_, None) => None,
        };
        Some(Act {
            verb,
            service: service.flatten(),
            to: to.filter(|_| verb == Verb::Rollback).map(|to| to.value.clone()),
            replicas,
            timeout_ns: timeout_ns.unwrap_or(ACTION_TIMEOUT_NS_DEFAULT),
            call: call?,
        })
    }

    fn replicas(&mut self, spanned: &Spanned<Json>) -> Option<Replicas> {
        if let Some(n) = spanned.value.as_u64().and_then(|n| u32::try_from(n).ok()) {
            return Some(Replicas::Absolute(n));
        }
        let Ok(raw) = serde_json::from_value::<RawReplicas>(spanned.value.clone()) else {
            let hint = "give a number, or {of: '{{ steps.ID.value }}', add: 2, min: 2, max: 10}";
            self.problems.say(spanned, "replicas can not be read", hint);
            return None;
        };
        if let Err(error) = Fill::parse(&raw.of) {
            self.problems.say(spanned, format!("template: {}", error.message), &error.hint);
        }
        if raw.min > raw.max {
            self.problems.say(spanned, format!("min {} is above max {}", raw.min, raw.max), "swap them");
        }
        Some(Replicas::Relative { of: raw.of, add: raw.add, min: raw.min, max: raw.max })
    }

    /// The service that is acted on, where the target names another one than the incident does. Empty it would mean everything.
    fn target_service(&mut self, service: &Spanned<Json>) -> Option<String> {
        let Some(text) = spanned_text(service).filter(|text| !text.value.trim().is_empty()) else {
            let hint = "name one service; an empty selector never means everything";
            self.problems.say(service, "the service is empty or not a text", hint);
            return None;
        };
        self.fill(&text);
        Some(text.value)
    }

    /// The call of a step: the keys of its kind in `target`.
    fn call(
        &mut self,
        verb: Verb,
        kind: &Spanned<String>,
        target: &std::collections::BTreeMap<String, Spanned<Json>>,
    ) -> Option<Call> {
        let keys = target.iter().filter(|(name, _)| *name != "service");
        let keys = keys.map(|(name, value)| (name.clone(), value.value.clone())).collect();
        let problems = match Call::read(&kind.value, verb, &keys) {
            Ok(call) => return Some(call),
            Err(problems) => problems,
        };
        for found in problems {
            let Some(key) = target.get(&found.field) else {
                self.problems.say(kind, found.message, &found.hint);
                continue;
            };
            match (found.offset, spanned_text(key)) {
                (Some(offset), Some(text)) => {
                    let found = QueryProblem { offset, message: found.message, hint: Some(found.hint) };
                    self.problems.say_inside(&text, found);
                }
                _ => self.problems.say(key, found.message, &found.hint),
            }
        }
        None
    }

    fn wait(&mut self, spanned: &Spanned<RawWait>, timeout_ns: Option<i64>) -> Option<Wait> {
        let raw = &spanned.value;
        let within_ns = self.problems.duration(raw.within.as_ref()).or(timeout_ns).unwrap_or(VERIFY_WITHIN_NS_DEFAULT);
        if let Some(hold) = &raw.hold {
            let for_ns = self.problems.duration(Some(hold))?;
            if raw.expr.is_some() || raw.logs.is_some() {
                self.problems.say(spanned, "a wait has both `for` and a condition", "give it one; verify has both");
            }
            return Some(Wait { for_ns: Some(for_ns), until: None, within_ns });
        }
        let until = match (&raw.expr, &raw.logs) {
            (Some(expr), None) => {
                self.promql(expr);
                VerifyQuery::Expr(expr.value.clone())
            }
            (None, Some(logs)) => self.condition_over_logs(spanned, logs, raw.window.as_ref(), raw.when.as_ref())?,
            _ => {
                self.problems.say(spanned, "a wait does not say for what", "give it one of for, expr and logs");
                return None;
            }
        };
        Some(Wait { for_ns: None, until: Some(until), within_ns })
    }

    fn verify(&mut self, spanned: &Spanned<RawVerify>, timeout_ns: Option<i64>) -> Option<Verify> {
        let raw = &spanned.value;
        let mut compare = None;
        let query = match (&raw.expr, &raw.logs) {
            (Some(expr), None) => {
                compare = self.promql(expr);
                Some(VerifyQuery::Expr(expr.value.clone()))
            }
            (None, Some(logs)) => self.condition_over_logs(spanned, logs, raw.window.as_ref(), raw.when.as_ref()),
            _ => {
                self.problems.say(spanned, "a verification does not have exactly one of expr and logs", "give it one");
                None
            }
        };
        if let Some(worse) = &raw.worse {
            self.promql(worse);
        }
        let for_ns = self.problems.duration(raw.hold.as_ref()).unwrap_or(0);
        let within_ns = self.problems.duration(raw.within.as_ref()).or(timeout_ns).unwrap_or(VERIFY_WITHIN_NS_DEFAULT);
        if within_ns < for_ns {
            self.problems.say(spanned, "`within` is shorter than `for`", "it could never pass");
        }
        Some(Verify {
            query: query?,
            for_ns,
            within_ns,
            worse: raw.worse.as_ref().map(|expr| expr.value.clone()),
            compare,
        })
    }

    fn condition_over_logs<T>(
        &mut self,
        spanned: &Spanned<T>,
        logs: &Spanned<String>,
        window: Option<&Spanned<String>>,
        when: Option<&Spanned<String>>,
    ) -> Option<VerifyQuery> {
        if let Err(found) = check_logs(&logs.value) {
            self.problems.say_inside(logs, found);
        }
        let (Some(window_ns), Some(when)) = (self.problems.duration(window), when) else {
            let message = "a condition over logs lacks `window` or `when`";
            self.problems.say(spanned, message, "give both: window: 1m, when: n < 5");
            return None;
        };
        self.condition(when);
        Some(VerifyQuery::Logs { query: logs.value.clone(), window_ns, when: when.value.clone() })
    }

    fn notify(&mut self, spanned: &Spanned<RawNotify>) -> Option<NotifyStep> {
        let raw = &spanned.value;
        if let Some(text) = &raw.text {
            self.fill(text);
        }
        Some(NotifyStep {
            receiver: raw.receiver.value.clone(),
            template: raw.template.as_ref().map(|template| template.value.clone()),
            text: raw.text.as_ref().map(|text| text.value.clone()),
        })
    }
}
