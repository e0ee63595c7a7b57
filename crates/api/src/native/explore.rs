//! What the search page asks besides rows: histogram, fields, values, the plan, and what is wrong with a text.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engine::{Engine, Language, QueryRequest};
use lang::Wanted;
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
    /// With a time, names of fields and values come from the data of the range.
    #[serde(default)]
    start: Option<Value>,
    #[serde(default)]
    end: Option<Value>,
}

/// Most names and values that completions take from the data.
const COMPLETIONS_FROM_DATA_MAX: usize = 50;

impl DiagnoseBody {
    /// What the data adds to the completions at the cursor: names of fields with their types, values with their rows.
    async fn data_completions(
        &self,
        api: &Api,
        tenant: TenantId,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Vec<Value>, ApiError> {
        if self.start.is_none() && self.end.is_none() {
            return Ok(Vec::new());
        }
        let mut request = QueryRequest::new(tenant, "*", now);
        request.range = range(self.start.as_ref(), self.end.as_ref(), now)?;
        Ok(match wanted {
            Wanted::Nothing => Vec::new(),
            Wanted::Fields => {
                let colon = if self.query.get(..self.cursor.unwrap_or(0)).is_some_and(has_pipes) { "" } else { ":" };
                let fields = api.engine.fields(request).await?.fields.into_iter().take(COMPLETIONS_FROM_DATA_MAX);
                fields
                    .map(|field| {
                        let insert = format!("{}{colon}", lang::name_text(&field.name));
                        json!({"label": field.name, "kind": field.kind, "insert": insert, "detail": "", "rows": field.rows})
                    })
                    .collect()
            }
            Wanted::Values(field) => {
                request.limit = Some(COMPLETIONS_FROM_DATA_MAX as u64);
                let values = api.engine.values(request, field).await?.values;
                values
                    .into_iter()
                    .map(|value| {
                        let insert = Value::from(value.value.as_str()).to_string();
                        json!({"label": value.value, "kind": "value", "insert": insert, "detail": "", "rows": value.rows})
                    })
                    .collect()
            }
        })
    }
}

/// Whether a text is past its filter.
fn has_pipes(text: &str) -> bool {
    lang::highlight(text).into_iter().any(|(span, _)| text.get(span) == Some("|"))
}

/// `GET` or `POST /diagnose`: what is wrong with a text, how to colour it, and what may come next.
pub(crate) async fn diagnose(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Asked(body): Asked<DiagnoseBody>,
) -> Result<Json<Value>, ApiError> {
    let now = telemetry::clock::now();
    let diagnostics = match body.language {
        Language::Native => lang::parse(&body.query, now).1,
        Language::Lucene => lang::parse_lucene(&body.query, now).1,
        Language::Promql => Vec::new(),
        Language::Sql => engine::diagnose_sql(&body.query),
    };
    if body.language != Language::Native {
        let shown: Vec<Value> = diagnostics.iter().map(diagnostic_json).collect();
        return Ok(Json(json!({"diagnostics": shown, "tokens": [], "completions": [], "wanted": null})));
    }
    let tokens: Vec<Value> = lang::highlight(&body.query)
        .into_iter()
        .map(|(span, kind)| json!({"span": [span.start, span.end], "kind": kind}))
        .collect();
    let completions = body.cursor.map(|cursor| lang::complete(&body.query, cursor));
    let (mut items, mut wanted) = (Vec::new(), Value::Null);
    if let Some(completions) = completions {
        items = body.data_completions(&api, tenant, &completions.wanted, now).await?;
        let of_language = completions.items.into_iter();
        items
            .extend(of_language.map(
                |item| json!({"label": item.text, "kind": item.kind, "insert": item.text, "detail": item.detail}),
            ));
        items.iter_mut().for_each(|item| item["replace"] = json!([completions.replace.start, completions.replace.end]));
        wanted = json!(completions.wanted);
    }
    Ok(Json(json!({
        "diagnostics": diagnostics.iter().map(diagnostic_json).collect::<Vec<_>>(),
        "tokens": tokens,
        "completions": items,
        "wanted": wanted,
    })))
}

/// `GET /language`: every source, filter, pipe and function of the native language, for help and completion.
pub(crate) async fn language() -> Json<lang::Reference> {
    Json(lang::reference())
}
