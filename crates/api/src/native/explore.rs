//! What the search page asks besides rows: histogram, fields, values, the plan, and what is wrong with a text.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engine::{Engine, Language, QueryRequest};
use model::{TenantId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::diagnostic_json;
use crate::request::{Asked, Tenant, range};
use crate::{Api, ApiError};

/// Buckets of a histogram unless asked otherwise.
const BUCKETS: u64 = 60;
/// Most buckets of a histogram.
const BUCKETS_MAX: u64 = 2_000;
/// Values of a field unless asked otherwise.
const VALUES: u64 = 10;
/// Most values of a field.
const VALUES_MAX: u64 = 10_000;

/// A filter over a range, and how much to say about it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExploreBody {
    #[serde(default)]
    query: String,
    #[serde(default)]
    language: Language,
    #[serde(default)]
    start: Option<Value>,
    #[serde(default)]
    end: Option<Value>,
    #[serde(default)]
    buckets: Option<u64>,
    #[serde(default)]
    field: String,
    #[serde(default)]
    pub(crate) limit: Option<u64>,
    /// For `/explain`: run the query too, and say what each stage did.
    #[serde(default)]
    analyze: bool,
}

impl ExploreBody {
    pub(crate) fn request(&self, tenant: TenantId, now: Timestamp) -> Result<QueryRequest, ApiError> {
        let range = range(self.start.as_ref(), self.end.as_ref(), now)?;
        let mut request = QueryRequest::new(tenant, self.query.clone(), now);
        request.range = range;
        request.language = self.language;
        Ok(request)
    }
}

/// `GET` or `POST /histogram`: rows by time and severity.
pub(crate) async fn histogram(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Asked(body): Asked<ExploreBody>,
) -> Result<Json<Value>, ApiError> {
    let buckets = body.buckets.unwrap_or(BUCKETS);
    if !(1..=BUCKETS_MAX).contains(&buckets) {
        return Err(ApiError::bad_request(format!("buckets is {buckets}"), format!("give 1 to {BUCKETS_MAX}")));
    }
    let request = body.request(tenant, telemetry::clock::now())?;
    let histogram = api.engine.histogram(request, buckets).await?;
    let shown = histogram.buckets.iter().map(|bucket| {
        json!({"time": Timestamp(bucket.start_ns).to_string(), "total": bucket.total, "by_severity": bucket.by_severity})
    });
    Ok(Json(json!({
        "start": Timestamp(histogram.start_ns).to_string(),
        "end": Timestamp(histogram.end_ns).to_string(),
        "step_ms": histogram.step_ns as f64 / 1e6,
        "buckets": shown.collect::<Vec<_>>(),
        "total": histogram.buckets.iter().map(|bucket| bucket.total).sum::<u64>(),
        "complete": histogram.stats.complete,
        "warnings": histogram.stats.warnings,
    })))
}

/// `GET` or `POST /fields`: the fields of matching rows.
pub(crate) async fn fields(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Asked(body): Asked<ExploreBody>,
) -> Result<Json<Value>, ApiError> {
    let fields = api.engine.fields(body.request(tenant, telemetry::clock::now())?).await?;
    let shown: Vec<Value> =
        fields.fields.iter().map(|field| json!({"name": field.name, "type": field.kind, "rows": field.rows})).collect();
    Ok(Json(
        json!({"fields": shown, "rows": fields.rows, "sampled": fields.sampled, "complete": fields.stats.complete}),
    ))
}

/// `GET` or `POST /values`: the commonest values of a field.
pub(crate) async fn values(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Asked(body): Asked<ExploreBody>,
) -> Result<Json<Value>, ApiError> {
    if body.field.is_empty() {
        return Err(ApiError::bad_request("field is missing", "name the field whose values are wanted"));
    }
    let limit = body.limit.unwrap_or(VALUES);
    if !(1..=VALUES_MAX).contains(&limit) {
        return Err(ApiError::bad_request(format!("limit is {limit}"), format!("give 1 to {VALUES_MAX}")));
    }
    let mut request = body.request(tenant, telemetry::clock::now())?;
    request.limit = Some(limit);
    let values = api.engine.values(request, &body.field).await?;
    Ok(Json(json!({
        "field": body.field,
        "values": values.values,
        "more": values.limit_reached,
        "complete": values.stats.complete,
    })))
}

/// `GET` or `POST /explain`: the plan of a query, as text; with `analyze`, after running it, with what each stage did.
pub(crate) async fn explain(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Asked(body): Asked<ExploreBody>,
) -> Result<Json<Value>, ApiError> {
    let request = body.request(tenant, telemetry::clock::now())?;
    let plan = match body.analyze {
        true => api.engine.explain_analyze(request).await?,
        false => Engine::explain(&api.engine, request).await?,
    };
    Ok(Json(json!({"plan": plan})))
}

/// A text under the cursor.
#[derive(Debug, Deserialize)]
pub(crate) struct DiagnoseBody {
    #[serde(default)]
    query: String,
    #[serde(default)]
    language: Language,
    #[serde(default)]
    cursor: Option<usize>,
}

/// `GET` or `POST /diagnose`: what is wrong with a text, how to colour it, and what may come next.
pub(crate) async fn diagnose(Asked(body): Asked<DiagnoseBody>) -> Json<Value> {
    let now = telemetry::clock::now();
    let diagnostics = match body.language {
        Language::Native => lang::parse(&body.query, now).1,
        Language::Lucene => lang::parse_lucene(&body.query, now).1,
        Language::Promql => Vec::new(),
    };
    if body.language != Language::Native {
        let shown: Vec<Value> = diagnostics.iter().map(diagnostic_json).collect();
        return Json(json!({"diagnostics": shown, "tokens": [], "completions": [], "wanted": null}));
    }
    let tokens: Vec<Value> = lang::highlight(&body.query)
        .into_iter()
        .map(|(span, kind)| json!({"span": [span.start, span.end], "kind": kind}))
        .collect();
    let completions = body.cursor.map(|cursor| lang::complete(&body.query, cursor));
    let (items, wanted) = completions.map_or((Vec::new(), Value::Null), |completions| {
        let replace = [completions.replace.start, completions.replace.end];
        let item = |item: lang::Completion| {
            json!({"label": item.text, "kind": item.kind, "insert": item.text, "detail": item.detail, "replace": replace})
        };
        (completions.items.into_iter().map(item).collect(), json!(completions.wanted))
    });
    Json(json!({
        "diagnostics": diagnostics.iter().map(diagnostic_json).collect::<Vec<_>>(),
        "tokens": tokens,
        "completions": items,
        "wanted": wanted,
    }))
}

/// `GET /language`: every source, filter, pipe and function of the native language, for help and completion.
pub(crate) async fn language() -> Json<lang::Reference> {
    Json(lang::reference())
}
