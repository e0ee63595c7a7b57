//! Watches over changes and their verdicts, for people, and for the tools that ask before they promote.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use catalog::ledger::{Document, Filter, LedgerTable, Records as _};
use model::TimeRange;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::{JsonBody, range};
use crate::{Api, ApiError};

/// Watches of a listing unless asked otherwise.
const LIST: usize = 200;
/// Most watches of a listing.
const LIST_MAX: usize = 10_000;
/// The parts of a card that are shown as the watch's own.
const CARD_PARTS: [&str; 9] = [
    "verdict",
    "detail",
    "message",
    "signals",
    "exonerated",
    "would_change",
    "would_change_messages",
    "left_out",
    "until",
];

/// What a listing is about.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatchParams {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    verdict: Option<String>,
    #[serde(default)]
    change: Option<String>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// `GET /watches?service=&state=watching|ended&verdict=good|bad|unknown&change=`: the latest first.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(params): Query<WatchParams>,
) -> Result<Json<Value>, ApiError> {
    let limit = params.limit.unwrap_or(LIST);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(ApiError::bad_request(format!("limit is {limit}"), format!("give 1 to {LIST_MAX}")));
    }
    one_of("state", params.state.as_deref(), &["watching", "ended"])?;
    one_of("verdict", params.verdict.as_deref(), &["good", "bad", "unknown"])?;
    let time = |text: &Option<String>| text.clone().map(Value::String);
    let range: TimeRange = range(time(&params.start).as_ref(), time(&params.end).as_ref(), telemetry::clock::now())?;
    let filter = Filter {
        service: params.service.clone(),
        states: params.state.clone().into_iter().collect(),
        id_prefix: params.change.clone(),
        range,
        latest_first: true,
        limit,
    };
    let watches: Vec<Value> = api.ledger.list(LedgerTable::Watches, &filter)?.into_iter().map(shown).collect();
    let wanted = |watch: &Value| params.verdict.as_deref().is_none_or(|verdict| watch["verdict"]["verdict"] == verdict);
    Ok(Json(json!({"watches": watches.into_iter().filter(wanted).collect::<Vec<_>>()})))
}

fn one_of(name: &str, word: Option<&str>, words: &[&str]) -> Result<(), ApiError> {
    match word {
        Some(word) if !words.contains(&word) => {
            Err(ApiError::bad_request(format!("{name} is {word:?}"), format!("use {}", words.join(", "))))
        }
        _ => Ok(()),
    }
}

/// `GET /watches/{source}/{id}`: the watch over one change.
pub(crate) async fn one(
    State(api): State<Arc<Api>>,
    Path((source, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let key = format!("{source}/{id}");
    let found = api.ledger.get(LedgerTable::Watches, &key)?;
    let found = found.ok_or_else(|| ApiError::not_found(format!("there is no watch over the change {key:?}")))?;
    Ok(Json(shown(found)))
}

/// A watch as users see it: the card's parts beside the watch's own. Of a version that was called bad and is silent since, which
/// is what a rollback makes of it, the card is shown that called it so.
fn shown(document: Document) -> Value {
    let mut watch = document.body;
    let decided = watch["decided"].take();
    let gone = ["no_data", "stale_data"].iter().any(|reason| watch["card"]["verdict"]["reason"] == *reason);
    let mut card = if gone && decided.is_object() { decided } else { watch["card"].take() };
    for part in CARD_PARTS {
        watch[part] = card[part].take();
    }
    if let Some(fields) = watch.as_object_mut() {
        fields.remove("card");
        fields.remove("decided");
    }
    watch
}

/// Whose verdict is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct VerdictParams {
    #[serde(default)]
    service: String,
    #[serde(default)]
    version: Option<String>,
}

/// The newest watch over a change to a service, or to one version of it.
fn newest(api: &Api, service: &str, version: Option<&str>) -> Result<Option<Value>, ApiError> {
    if service.is_empty() {
        return Err(ApiError::bad_request("service is empty", "say whose verdict: ?service=checkout&version=1.5.0"));
    }
    let filter = Filter { service: Some(service.to_owned()), latest_first: true, limit: LIST, ..Filter::default() };
    let watches = api.ledger.list(LedgerTable::Watches, &filter)?.into_iter().map(shown);
    let mut watches = watches.filter(|watch| version.is_none_or(|version| watch["change"]["to_version"] == version));
    Ok(watches.next())
}

/// `GET /verdict?service=&version=`: the verdict in one word, for the web metric of Argo Rollouts and for scripts. `unknown` when there
/// is no watch: what was never measured is neither good nor bad.
pub(crate) async fn verdict(
    State(api): State<Arc<Api>>,
    Query(params): Query<VerdictParams>,
) -> Result<Json<Value>, ApiError> {
    let found = newest(&api, &params.service, params.version.as_deref())?;
    Ok(Json(match found {
        Some(watch) => json!({
            "verdict": watch["verdict"]["verdict"], "reason": watch["verdict"]["reason"], "detail": watch["detail"],
            "change": watch["id"], "evaluated_at": watch["evaluated_at"], "state": watch["state"],
        }),
        None => {
            json!({"verdict": "unknown", "reason": "no_data", "detail": "no change to it is watched", "change": null})
        }
    }))
}

/// What Flagger sends to a webhook.
#[derive(Debug, Deserialize)]
pub(crate) struct FlaggerHook {
    name: String,
    #[serde(default)]
    metadata: std::collections::BTreeMap<String, String>,
}

impl FlaggerHook {
    fn service(&self) -> &str {
        self.metadata.get("service").map_or(&self.name, String::as_str)
    }
}

/// `POST /verdict/flagger/rollout`: for Flagger's `rollout` hook, where any answer but 2xx counts towards a rollback. So only Bad is
/// 409: what is not known must not roll back.
pub(crate) async fn flagger_rollout(
    State(api): State<Arc<Api>>,
    JsonBody(hook): JsonBody<FlaggerHook>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    answer(&api, &hook, |verdict| verdict != "bad")
}

/// `POST /verdict/flagger/confirm`: for `confirm-traffic-increase` and `confirm-promotion`, which wait until the answer is 2xx. Only Good
/// is: what is not known must not promote.
pub(crate) async fn flagger_confirm(
    State(api): State<Arc<Api>>,
    JsonBody(hook): JsonBody<FlaggerHook>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    answer(&api, &hook, |verdict| verdict == "good")
}

fn answer(api: &Api, hook: &FlaggerHook, passes: impl Fn(&str) -> bool) -> Result<(StatusCode, Json<Value>), ApiError> {
    let found = newest(api, hook.service(), hook.metadata.get("version").map(String::as_str))?;
    let verdict = found.as_ref().and_then(|watch| watch["verdict"]["verdict"].as_str()).unwrap_or("unknown").to_owned();
    let status = if passes(&verdict) { StatusCode::OK } else { StatusCode::CONFLICT };
    let detail = found.map_or(Value::Null, |watch| watch["detail"].clone());
    Ok((status, Json(json!({"verdict": verdict, "detail": detail}))))
}
