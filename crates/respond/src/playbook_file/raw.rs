//! The shape of a playbook file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use serde_saphyr::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlaybook {
    pub(super) playbook: Spanned<String>,
    pub(super) mode: Option<Spanned<String>>,
    pub(super) mode_max: Option<Spanned<String>>,
    #[serde(default, rename = "match")]
    pub(super) matches: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) requires: RawRequires,
    #[serde(default)]
    pub(super) guards: RawGuards,
    pub(super) steps: Spanned<Vec<Spanned<RawStep>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequires {
    pub(super) verdict: Option<Spanned<String>>,
    pub(super) change_within: Option<Spanned<String>>,
    pub(super) witnesses: Option<Spanned<usize>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGuards {
    pub(super) cooldown: Option<Spanned<String>>,
    pub(super) max_per: Option<Spanned<BTreeMap<String, u32>>>,
    pub(super) group_per: Option<Spanned<BTreeMap<String, u32>>>,
    pub(super) max_targets: Option<Spanned<usize>>,
    /// A number, or an object with the keys of [`RawApprovals`].
    pub(super) approvals: Option<Spanned<Json>>,
    pub(super) freeze: Option<Vec<Spanned<Json>>>,
}

/// Who must say yes.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawApprovals {
    pub(super) need: Option<u32>,
    pub(super) of: Vec<String>,
    pub(super) expires: Option<String>,
    pub(super) not_actor: bool,
    pub(super) notify: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub(super) id: Option<Spanned<String>>,
    pub(super) query: Option<Spanned<RawQuery>>,
    pub(super) probe: Option<Spanned<RawProbe>>,
    pub(super) decide: Option<Spanned<RawDecide>>,
    pub(super) ask: Option<Spanned<RawAsk>>,
    pub(super) act: Option<Spanned<RawAct>>,
    pub(super) rollback: Option<Spanned<RawAct>>,
    pub(super) restart: Option<Spanned<RawAct>>,
    pub(super) scale: Option<Spanned<RawAct>>,
    pub(super) wait: Option<Spanned<RawWait>>,
    pub(super) verify: Option<Spanned<RawVerify>>,
    pub(super) notify: Option<Spanned<RawNotify>>,
    pub(super) timeout: Option<Spanned<String>>,
    pub(super) on_fail: Option<RawGoto>,
    pub(super) next: Option<RawGoto>,
    pub(super) undo: Option<Spanned<RawUndo>>,
    pub(super) risk: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGoto {
    pub(super) goto: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUndo {
    pub(super) act: Option<Spanned<RawAct>>,
    pub(super) rollback: Option<Spanned<RawAct>>,
    pub(super) restart: Option<Spanned<RawAct>>,
    pub(super) scale: Option<Spanned<RawAct>>,
    pub(super) timeout: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuery {
    pub(super) expr: Option<Spanned<String>>,
    pub(super) logs: Option<Spanned<String>>,
    pub(super) window: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProbe {
    pub(super) kind: Spanned<String>,
    pub(super) url: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) expect_status: Vec<u16>,
    pub(super) address: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDecide {
    pub(super) cases: Vec<RawCase>,
    #[serde(rename = "else")]
    pub(super) otherwise: Option<RawGoto>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCase {
    pub(super) when: Spanned<String>,
    pub(super) goto: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAsk {
    pub(super) question: Spanned<String>,
    pub(super) need: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) of: Vec<String>,
    #[serde(default)]
    pub(super) not_actor: bool,
    pub(super) expires: Option<Spanned<String>>,
    /// The words, and where each leads; `{}` for the step below.
    #[serde(default)]
    pub(super) choices: BTreeMap<String, RawChoice>,
    pub(super) on_timeout: Option<RawGoto>,
    #[serde(default)]
    pub(super) notify: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChoice {
    pub(super) goto: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAct {
    pub(super) kind: Spanned<String>,
    /// What is acted on (`service`), and the keys of the kind.
    #[serde(default)]
    pub(super) target: BTreeMap<String, Spanned<Json>>,
    pub(super) to: Option<Spanned<String>>,
    pub(super) replicas: Option<Spanned<Json>>,
}

/// A number of instances that depends on how many there are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReplicas {
    pub(super) of: String,
    #[serde(default)]
    pub(super) add: i64,
    pub(super) min: u32,
    pub(super) max: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWait {
    #[serde(rename = "for")]
    pub(super) hold: Option<Spanned<String>>,
    pub(super) expr: Option<Spanned<String>>,
    pub(super) logs: Option<Spanned<String>>,
    pub(super) window: Option<Spanned<String>>,
    pub(super) when: Option<Spanned<String>>,
    pub(super) within: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVerify {
    pub(super) expr: Option<Spanned<String>>,
    pub(super) logs: Option<Spanned<String>>,
    pub(super) window: Option<Spanned<String>>,
    pub(super) when: Option<Spanned<String>>,
    #[serde(rename = "for")]
    pub(super) hold: Option<Spanned<String>>,
    pub(super) within: Option<Spanned<String>>,
    pub(super) worse: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNotify {
    pub(super) receiver: Spanned<String>,
    pub(super) template: Option<Spanned<String>>,
    pub(super) text: Option<Spanned<String>>,
}
