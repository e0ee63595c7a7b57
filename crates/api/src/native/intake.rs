//! The intake of changes: what other systems send, at our paths and at those that their clients know; and the changes as they are
//! listed, shown and compared.
//!
//! A delivery is read up to a limit, must prove a secret when its source has one, is translated by its adapter, and each change is
//! committed before the sender is answered. What is refused is in the audit trail as `change.refused` with the source and the
//! reason, so that nothing vanishes silently; a flood of refusals is counted and its rest summed up in the next entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use change::{
    Adapter, Change, ChangeBook, ChangeError, ChangeFilter, ChangeKind, DELIVERY_BYTES_MAX, Delivery, RecordError,
    Recorded, Refusal, Source, amend, annotation_id, diff, translate,
};
use http_body_util::LengthLimitError;
use model::Timestamp;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use telemetry::metrics::{CHANGES, CHANGES_REFUSED};

use super::loops::{LIST, LIST_MAX};
use crate::request::{JsonBody, range};
use crate::{Api, ApiError};

/// Refusals a minute that get an audit entry each; the others are counted.
const REFUSALS_AUDITED_PER_MINUTE: u64 = 60;

/// Longest reason in an audit entry, in characters: it may quote the delivery.
const REASON_CHARS_MAX: usize = 500;

/// The limit's name in errors.
const DELIVERY_LIMIT: &str = "changes.delivery_bytes_max";

/// Who may report changes, and how many deliveries were refused lately.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    sources: Vec<Source>,
    refusals: Mutex<RefusalCount>,
}

#[derive(Debug, Default)]
struct RefusalCount {
    minute: i64,
    audited: u64,
    unaudited: u64,
}

impl RefusalCount {
    /// Whether a refusal at `now` gets an audit entry; then also how many before it got none.
    fn take(&mut self, now: Timestamp) -> Option<u64> {
        let minute = now.0 / 60_000_000_000;
        if minute != self.minute {
            (self.minute, self.audited) = (minute, 0);
        }
        if self.audited >= REFUSALS_AUDITED_PER_MINUTE {
            self.unaudited += 1;
            return None;
        }
        self.audited += 1;
        Some(std::mem::take(&mut self.unaudited))
    }
}

impl Intake {
    pub(crate) fn new(sources: Vec<Source>) -> Self {
        Self { sources, refusals: Mutex::default() }
    }

    /// The sources that a delivery to an adapter may come from: the one that is named, else all of the adapter's, else, when none is
    /// configured, an open one.
    fn candidates(&self, adapter: Adapter, name: Option<&str>) -> Result<Vec<Source>, ApiError> {
        let of_adapter = self.sources.iter().filter(|source| source.adapter == adapter);
        match name {
            Some(name) => {
                let found: Vec<Source> = of_adapter.filter(|source| source.name == name).cloned().collect();
                if found.is_empty() {
                    let message = format!("there is no source {name:?} with the adapter {}", adapter.as_str());
                    return Err(ApiError::not_found(message));
                }
                Ok(found)
            }
            None if adapter == Adapter::Generic => {
                Err(ApiError::not_found("the generic adapter needs a source: POST /changes/generic/{source}"))
            }
            None => {
                let found: Vec<Source> = of_adapter.cloned().collect();
                Ok(if found.is_empty() { vec![Source::open(adapter)] } else { found })
            }
        }
    }
}

/// A delivery that is on its way in.
struct Incoming {
    adapter: Adapter,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    path: Option<String>,
    arrived_at: Timestamp,
}

impl Incoming {
    fn delivery(&self) -> Delivery<'_> {
        Delivery { headers: &self.headers, body: &self.body, arrived_at: self.arrived_at, path: self.path.as_deref() }
    }

    /// What an audit entry says of it besides the reason.
    fn detail(&self) -> Value {
        let mut detail = json!({"adapter": self.adapter.as_str(), "bytes": self.body.len()});
        if !self.body.is_empty() {
            detail["sha256"] = hex::encode(Sha256::digest(&self.body)).into();
        }
        let ids = ["x-github-delivery", "x-gitlab-event-uuid", "webhook-id", "ce-id"];
        if let Some(id) = ids.iter().find_map(|name| self.headers.get(*name)) {
            detail["delivery"] = id.clone().into();
        }
        detail
    }
}

/// What became of a delivery.
struct Taken {
    source: String,
    recorded: Vec<Recorded>,
    ignored: Vec<String>,
    refused: Vec<String>,
}

/// Writes a refusal to the audit trail, counts it, and gives the error for the sender.
fn refuse(api: &Api, source: &str, detail: Value, now: Timestamp, error: ApiError) -> ApiError {
    CHANGES_REFUSED.add(1);
    tracing::warn!(source, reason = error.message(), "a delivery of changes was refused");
    let Some(unaudited) = api.intake.refusals.lock().take(now) else { return error };
    let reason = error.message().chars().take(REASON_CHARS_MAX).collect();
    let mut refusal = Refusal { source: source.to_owned(), reason, detail };
    if unaudited > 0 {
        refusal.detail["refused_without_entry"] = unaudited.into();
    }
    match api.changes.refuse(&refusal, &format!("intake/{source}"), now) {
        Ok(()) => error,
        Err(ledger) => ApiError::from(ledger),
    }
}

fn invalid(error: &ChangeError) -> ApiError {
    ApiError::bad_request(error.to_string(), "docs/changes.md shows the shapes")
}

/// The part that writes: proof, translation, records. Blocking.
fn take(api: &Api, incoming: &Incoming, name: Option<&str>) -> Result<Taken, ApiError> {
    let (delivery, now) = (incoming.delivery(), incoming.arrived_at);
    let candidates = api.intake.candidates(incoming.adapter, name)?;
    let claimed = if candidates.len() == 1 { candidates[0].name.as_str() } else { incoming.adapter.as_str() };
    let mut reason = String::new();
    let proven = candidates.iter().find(|source| source.check_proof(&delivery).map_err(|text| reason = text).is_ok());
    let Some(source) = proven else {
        let error = ApiError::unauthorized(reason, "docs/changes.md says what a source's deliveries must prove");
        return Err(refuse(api, claimed, incoming.detail(), now, error));
    };
    let refused = |error: &ChangeError| refuse(api, &source.name, incoming.detail(), now, invalid(error));
    let translated = translate(source, &delivery).map_err(|error| refused(&error))?;
    let mut taken =
        Taken { source: source.name.clone(), recorded: Vec::new(), ignored: translated.ignored, refused: Vec::new() };
    let mut last_error = None;
    for error in &translated.refused {
        taken.refused.push(error.to_string());
        last_error = Some(refused(error));
    }
    for report in &translated.reports {
        match record(api, report, &format!("intake/{}", source.name), now) {
            Ok(recorded) => taken.recorded.push(recorded),
            Err(RecordError::Refused(error)) => {
                taken.refused.push(error.to_string());
                last_error = Some(refused(&error));
            }
            Err(RecordError::Ledger(error)) => return Err(error.into()),
        }
    }
    match last_error {
        Some(error) if taken.recorded.is_empty() && taken.ignored.is_empty() => Err(error),
        _ => Ok(taken),
    }
}

fn record(api: &Api, report: &Value, actor: &str, now: Timestamp) -> Result<Recorded, RecordError> {
    let recorded = api.changes.record(report, actor, now)?;
    if recorded.altered {
        CHANGES.add(1);
    }
    Ok(recorded)
}

/// Reads a request up to the limit; what is larger is refused and recorded.
async fn read(api: &Api, adapter: Adapter, path: Option<String>, request: Request) -> Result<Incoming, ApiError> {
    let (parts, body) = request.into_parts();
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers: BTreeMap<String, String> =
        parts.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect();
    let mut incoming = Incoming { adapter, headers, body: Vec::new(), path, arrived_at: telemetry::clock::now() };
    let failed = match incoming.headers.get("content-encoding").map(String::as_str) {
        None | Some("identity") => match axum::body::to_bytes(body, DELIVERY_BYTES_MAX).await {
            Ok(bytes) => {
                incoming.body = bytes.into();
                return Ok(incoming);
            }
            Err(error) if is_too_large(&error) => ApiError::too_large(
                DELIVERY_LIMIT,
                format!("the delivery is larger than {DELIVERY_BYTES_MAX} bytes"),
                "send the change without what it is made of",
            ),
            Err(error) => ApiError::bad_request(format!("cannot read the body: {error}"), "send it again"),
        },
        Some(other) => ApiError::bad_request(format!("the body is {other}"), "send it without compression"),
    };
    Err(refuse(api, adapter.as_str(), incoming.detail(), incoming.arrived_at, failed))
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<LengthLimitError>() {
            return true;
        }
        source = inner.source();
    }
    false
}

async fn receive(
    api: Arc<Api>,
    adapter: Adapter,
    name: Option<String>,
    path: Option<String>,
    request: Request,
) -> Response {
    let outcome = match read(&api, adapter, path, request).await {
        Ok(incoming) => {
            let taken = tokio::task::spawn_blocking(move || take(&api, &incoming, name.as_deref())).await;
            taken.unwrap_or_else(|error| Err(ApiError::internal(error.to_string())))
        }
        Err(error) => Err(error),
    };
    answer(adapter, outcome)
}

/// The answer in the shape that the system's clients expect.
fn answer(adapter: Adapter, outcome: Result<Taken, ApiError>) -> Response {
    match (adapter, outcome) {
        (Adapter::PagerDuty, Ok(_)) => {
            let body = json!({"status": "success", "message": "Change event processed"});
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
        (Adapter::PagerDuty, Err(error)) => {
            let body = json!({"status": "invalid event", "message": error.message(), "errors": [error.message()]});
            (error.status(), Json(body)).into_response()
        }
        (Adapter::Grafana, Ok(taken)) => {
            let id = taken.recorded.first().and_then(|recorded| annotation_id(&recorded.change.id));
            Json(json!({"id": id, "message": "Annotation added"})).into_response()
        }
        (Adapter::Grafana, Err(error)) => (error.status(), Json(json!({"message": error.message()}))).into_response(),
        (Adapter::Honeycomb, Ok(taken)) => {
            let marker = taken.recorded.first().map(|recorded| marker_json(&recorded.change));
            (StatusCode::CREATED, Json(marker.unwrap_or_default())).into_response()
        }
        (Adapter::Honeycomb, Err(error)) => (error.status(), Json(json!({"error": error.message()}))).into_response(),
        (_, Ok(taken)) => Json(taken_json(&taken)).into_response(),
        (_, Err(error)) => error.into_response(),
    }
}

fn taken_json(taken: &Taken) -> Value {
    let mut recorded: Vec<Value> = Vec::new();
    for one in &taken.recorded {
        // Two reports of one delivery about one change are one change to the sender.
        let shown =
            json!({"source": one.change.source, "id": one.change.id, "created": one.created, "altered": one.altered});
        match recorded.iter_mut().find(|known| known["id"] == shown["id"]) {
            Some(known) => known["altered"] = (one.altered || known["altered"] == true).into(),
            None => recorded.push(shown),
        }
    }
    json!({"source": taken.source, "recorded": recorded, "ignored": taken.ignored, "refused": taken.refused})
}

fn marker_json(change: &Change) -> Value {
    let secs = |time: Timestamp| time.0 / 1_000_000_000;
    json!({
        "id": change.id,
        "created_at": change.started_at.to_string(),
        "updated_at": change.finished_at.unwrap_or(change.started_at).to_string(),
        "start_time": secs(change.started_at),
        "end_time": change.finished_at.map(secs),
        "message": change.labels.get("message"),
        "type": change.labels.get("honeycomb.type"),
        "url": change.link,
    })
}

fn adapter_of(name: &str) -> Result<Adapter, ApiError> {
    Adapter::parse(name).ok_or_else(|| {
        let names = Adapter::ALL.map(Adapter::as_str).join(", ");
        ApiError::not_found(format!("there is no adapter {name:?}: there are {names}"))
    })
}

/// `POST /changes/{adapter}`.
pub(crate) async fn by_adapter(State(api): State<Arc<Api>>, Path(adapter): Path<String>, request: Request) -> Response {
    match adapter_of(&adapter) {
        Ok(adapter) => receive(api, adapter, None, None, request).await,
        Err(error) => error.into_response(),
    }
}

/// `POST /changes/{adapter}/{source}`: from one configured source.
pub(crate) async fn by_source(
    State(api): State<Arc<Api>>,
    Path((adapter, source)): Path<(String, String)>,
    request: Request,
) -> Response {
    match adapter_of(&adapter) {
        Ok(adapter) => receive(api, adapter, Some(source), None, request).await,
        Err(error) => error.into_response(),
    }
}

/// `POST /v2/change/enqueue`, where PagerDuty's clients post.
pub(crate) async fn pagerduty(State(api): State<Arc<Api>>, request: Request) -> Response {
    receive(api, Adapter::PagerDuty, None, None, request).await
}

/// `POST /api/annotations` and `/api/annotations/graphite`, where Grafana's clients post.
pub(crate) async fn grafana(State(api): State<Arc<Api>>, request: Request) -> Response {
    receive(api, Adapter::Grafana, None, None, request).await
}

/// `POST /1/markers/{dataset}`, where Honeycomb's clients post.
pub(crate) async fn honeycomb(State(api): State<Arc<Api>>, Path(dataset): Path<String>, request: Request) -> Response {
    receive(api, Adapter::Honeycomb, None, Some(dataset), request).await
}

/// `PATCH`, `PUT /api/annotations/{id}`: a client says when its annotation ended.
pub(crate) async fn grafana_amend(State(api): State<Arc<Api>>, Path(id): Path<String>, request: Request) -> Response {
    match amended(api, Adapter::Grafana, id, request).await {
        Ok(_) => Json(json!({"message": "Annotation patched"})).into_response(),
        Err(error) => answer(Adapter::Grafana, Err(error)),
    }
}

/// `PUT /1/markers/{dataset}/{id}`: a client says when its marker ended.
pub(crate) async fn honeycomb_amend(
    State(api): State<Arc<Api>>,
    Path((_, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    match amended(api, Adapter::Honeycomb, id, request).await {
        Ok(recorded) => Json(marker_json(&recorded.change)).into_response(),
        Err(error) => answer(Adapter::Honeycomb, Err(error)),
    }
}

async fn amended(api: Arc<Api>, adapter: Adapter, id: String, request: Request) -> Result<Recorded, ApiError> {
    let incoming = read(&api, adapter, None, request).await?;
    let done = tokio::task::spawn_blocking(move || amend_known(&api, &incoming, &id)).await;
    done.unwrap_or_else(|error| Err(ApiError::internal(error.to_string())))
}

fn amend_known(api: &Api, incoming: &Incoming, id: &str) -> Result<Recorded, ApiError> {
    let (delivery, now) = (incoming.delivery(), incoming.arrived_at);
    let mut reason = None;
    for source in api.intake.candidates(incoming.adapter, None)? {
        if let Err(text) = source.check_proof(&delivery) {
            reason = Some(text);
            continue;
        }
        let Some(known) = api.changes.get(&source.name, id)? else { continue };
        let refused = |error: &ChangeError| refuse(api, &source.name, incoming.detail(), now, invalid(error));
        let report = amend(&known, &delivery).map_err(|error| refused(&error))?;
        return record(api, &report, &format!("intake/{}", source.name), now).map_err(|error| match error {
            RecordError::Refused(error) => refused(&error),
            RecordError::Ledger(error) => error.into(),
        });
    }
    match reason {
        Some(reason) => {
            let error = ApiError::unauthorized(reason, "docs/changes.md says what a source's deliveries must prove");
            Err(refuse(api, incoming.adapter.as_str(), incoming.detail(), now, error))
        }
        None => Err(ApiError::not_found(format!("there is no change {id:?}"))),
    }
}

/// `POST /changes`: records a change in the native shape; the same `(source, id)` again updates it.
pub(crate) async fn record_change(
    State(api): State<Arc<Api>>,
    JsonBody(delivery): JsonBody<Value>,
) -> Result<Response, ApiError> {
    let done = tokio::task::spawn_blocking(move || record_native(&api, &delivery)).await;
    let recorded = done.unwrap_or_else(|error| Err(ApiError::internal(error.to_string())))?;
    let status = if recorded.created { StatusCode::CREATED } else { StatusCode::OK };
    let body = json!({"change": recorded.change, "created": recorded.created, "altered": recorded.altered});
    Ok((status, Json(body)).into_response())
}

fn record_native(api: &Api, delivery: &Value) -> Result<Recorded, ApiError> {
    let now = telemetry::clock::now();
    record(api, delivery, "api", now).map_err(|error| match error {
        RecordError::Refused(error) => {
            let source = delivery["source"].as_str().unwrap_or("api");
            let source: String = source.chars().take(change::NAME_BYTES_MAX).collect();
            refuse(api, &source, json!({"adapter": "native"}), now, invalid(&error))
        }
        RecordError::Ledger(error) => error.into(),
    })
}

/// What a listing of changes is about.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ChangeParams {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// `GET /changes?service=&environment=&kind=&source=&status=&start=&end=&limit=`: the latest first. `complete` is false when there may
/// be more that the filter wants.
pub(crate) async fn changes(
    State(api): State<Arc<Api>>,
    Query(params): Query<ChangeParams>,
) -> Result<Json<Value>, ApiError> {
    let limit = params.limit.unwrap_or(LIST);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(ApiError::bad_request(format!("limit is {limit}"), format!("give 1 to {LIST_MAX}")));
    }
    let kind = match params.kind.as_deref().filter(|kind| !kind.is_empty()) {
        Some(word) => Some(ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
            let kinds = ChangeKind::ALL.map(ChangeKind::as_str).join(", ");
            ApiError::bad_request(format!("kind is {word:?}"), format!("the kinds are {kinds}"))
        })?),
        None => None,
    };
    if let Some(status) = params.status.as_deref()
        && !["succeeded", "failed", "running", "unknown"].contains(&status)
    {
        return Err(ApiError::bad_request(
            format!("status is {status:?}"),
            "use succeeded, failed, running or unknown",
        ));
    }
    let time = |text: &Option<String>| text.clone().map(Value::String);
    let range = range(time(&params.start).as_ref(), time(&params.end).as_ref(), telemetry::clock::now())?;
    let ChangeParams { service, environment, source, status, .. } = params;
    let filter = ChangeFilter { service, environment, kind, source, status };
    let found = tokio::task::spawn_blocking(move || api.changes.find(&filter, range, limit)).await;
    let (found, complete) = found.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(Json(json!({"changes": found.iter().map(change_json).collect::<Vec<_>>(), "complete": complete})))
}

/// A change with its summary.
pub(crate) fn change_json(change: &Change) -> Value {
    let mut shown = json!(change);
    shown["summary"] = change.summary().into();
    shown
}

fn known(book: &ChangeBook, source: &str, id: &str) -> Result<Change, ApiError> {
    book.get(source, id)?.ok_or_else(|| ApiError::not_found(format!("there is no change {source}/{id}")))
}

/// `GET /changes/{source}/{id}`.
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Path((source, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"change": change_json(&known(&api.changes, &source, &id)?)})))
}

/// `GET /changes/{source}/{id}/diff`: what the change changed, against the change of the same target before it.
pub(crate) async fn change_diff(
    State(api): State<Arc<Api>>,
    Path((source, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let change = known(&api.changes, &source, &id)?;
    let before = api.changes.before(&change)?;
    let diff = diff(&change, before.as_ref());
    Ok(Json(json!({
        "change": change.key(),
        "before": before.as_ref().map(change_json),
        "after": change_json(&change),
        "fields": diff.fields,
        "documents": diff.documents,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_does_not_flood_the_audit_trail() {
        let mut count = RefusalCount::default();
        let at = |secs: i64| Timestamp::from_secs(secs);
        let audited = (0..1000).filter(|_| count.take(at(60)).is_some()).count() as u64;
        assert_eq!(audited, REFUSALS_AUDITED_PER_MINUTE);
        assert_eq!(count.take(at(120)), Some(1000 - REFUSALS_AUDITED_PER_MINUTE), "the next minute says how many");
        assert_eq!(count.take(at(121)), Some(0));
    }

    #[test]
    fn sources_are_found_by_adapter_and_name() {
        let mut shop = Source::open(Adapter::GitHub);
        shop.name = "shop".into();
        let intake = Intake::new(vec![shop]);
        let names = |adapter: Adapter, name: Option<&str>| {
            intake
                .candidates(adapter, name)
                .ok()
                .map(|found| found.into_iter().map(|source| source.name).collect::<Vec<_>>())
        };
        assert_eq!(names(Adapter::GitHub, None), Some(vec!["shop".to_owned()]));
        assert_eq!(names(Adapter::GitHub, Some("shop")), Some(vec!["shop".to_owned()]));
        assert_eq!(names(Adapter::GitHub, Some("else")), None);
        assert_eq!(names(Adapter::GitLab, None), Some(vec!["gitlab".to_owned()]));
        assert_eq!(names(Adapter::Generic, None), None);
    }
}
