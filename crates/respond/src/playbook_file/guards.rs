//! The guards of a playbook file.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_saphyr::Spanned;

use super::Reader;
use super::raw::{RawApprovals, RawGuards};
use crate::guards::Freeze;
use crate::playbook::{Approvals, Guards};

/// Most approvals that one action may need.
pub(super) const APPROVALS_MAX: u32 = 20;

impl Reader<'_> {
    pub(super) fn guards(&mut self, raw: &RawGuards) -> Guards {
        let mut guards = Guards::default();
        if let Some(cooldown_ns) = self.problems.duration(raw.cooldown.as_ref()) {
            guards.cooldown_ns = cooldown_ns;
        }
        if let Some(max_per) = &raw.max_per {
            guards.max_per = self.per(max_per);
        }
        if let Some(group_per) = &raw.group_per {
            guards.group_per = self.per(group_per);
        }
        match &raw.max_targets {
            Some(max) if max.value == 0 => {
                self.problems.say(max, "max_targets is 0", "the least is 1; use mode observe to act on nothing")
            }
            Some(max) => guards.max_targets = max.value,
            None => {}
        }
        if let Some(approvals) = &raw.approvals {
            guards.approvals = self.approvals(approvals);
        }
        for window in raw.freeze.iter().flatten() {
            match Freeze::read(&window.value) {
                Ok(freeze) => guards.freeze.push(freeze),
                Err(error) => self.problems.say(window, error.message, &error.hint),
            }
        }
        guards
    }

    fn per(&mut self, limits: &Spanned<BTreeMap<String, u32>>) -> Vec<(i64, u32)> {
        let mut read = Vec::new();
        for (window, count) in &limits.value {
            match model::parse_duration_ns(window) {
                Some(window_ns) => read.push((window_ns, *count)),
                None => self.problems.say(limits, format!("{window:?} is not a duration"), "write {1h: 3}"),
            }
        }
        read
    }

    fn approvals(&mut self, spanned: &Spanned<Json>) -> Approvals {
        let raw = match &spanned.value {
            Json::Number(need) => need
                .as_u64()
                .and_then(|need| u32::try_from(need).ok())
                .map(|need| RawApprovals { need: Some(need), ..RawApprovals::default() }),
            other => serde_json::from_value(other.clone()).ok(),
        };
        let Some(raw) = raw else {
            let hint = "write a number, or {need: 2, of: [sre], expires: 30m, not_actor: true, notify: [oncall]}";
            self.problems.say(spanned, "approvals can not be read", hint);
            return Approvals::default();
        };
        let expires = raw.expires.map(|text| Spanned::new(text, spanned.referenced, spanned.defined));
        let mut approvals =
            Approvals { of: raw.of, not_actor: raw.not_actor, notify: raw.notify, ..Approvals::default() };
        approvals.need = raw.need.unwrap_or(1);
        if let Some(expires_ns) = self.problems.duration(expires.as_ref()) {
            approvals.expires_ns = expires_ns;
        }
        self.check_approvals(spanned, &approvals);
        approvals
    }

    pub(super) fn check_approvals<T>(&mut self, at: &Spanned<T>, approvals: &Approvals) {
        if approvals.need > APPROVALS_MAX {
            let hint = "it is 0 to 20; every one of them must be a different person";
            self.problems.say(at, format!("{} approvals are needed", approvals.need), hint);
        }
        if approvals.expires_ns <= 0 {
            self.problems.say(at, "an approval expires at once", "give people time: expires: 30m");
        }
    }
}
