//! Saved views: a search under a name.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use catalog::ledger::{Document, Filter, LedgerError, LedgerTable, Records as _, Write};
use engine::Language;
use model::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::request::{JsonBody, Tenant};
use crate::{Api, ApiError};

/// Longest name of a view, in characters.
pub(crate) const VIEW_NAME_CHARS_MAX: usize = 200;
/// Longest query of a view, in bytes.
pub(crate) const VIEW_QUERY_BYTES_MAX: usize = 64 * 1024;
/// Most columns of a view.
pub(crate) const VIEW_COLUMNS_MAX: usize = 200;
/// Most views of a tenant.
pub(crate) const VIEWS_MAX: usize = 10_000;

/// What is saved.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewBody {
    name: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    language: Language,
    #[serde(default)]
    range: Range,
    #[serde(default)]
    columns: Vec<String>,
}

/// Times as the search page writes them: relative, or RFC 3339.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

impl ViewBody {
    fn check(&self) -> Result<(), ApiError> {
        let refuse = |message: String, hint: String| Err(ApiError::bad_request(message, hint));
        let chars = self.name.trim().chars().count();
        if chars == 0 || chars > VIEW_NAME_CHARS_MAX || self.name.chars().any(char::is_control) {
            return refuse(
                "a view needs a name".to_owned(),
                format!("1 to {VIEW_NAME_CHARS_MAX} characters, on one line"),
            );
        }
        if self.query.len() > VIEW_QUERY_BYTES_MAX {
            return refuse(
                format!("the query has {} bytes", self.query.len()),
                format!("at most {VIEW_QUERY_BYTES_MAX}"),
            );
        }
        if self.columns.len() > VIEW_COLUMNS_MAX {
            return refuse(
                format!("the view has {} columns", self.columns.len()),
                format!("at most {VIEW_COLUMNS_MAX}"),
            );
        }
        Ok(())
    }

    /// Where the UI shows it.
    fn url(&self) -> String {
        let mut url = form_urlencoded::Serializer::new(String::new());
        url.append_pair("q", &self.query);
        if self.language != Language::Native {
            url.append_pair("lang", json!(self.language).as_str().unwrap_or_default());
        }
        for (name, value) in [("from", &self.range.from), ("to", &self.range.to)] {
            if !value.is_empty() {
                url.append_pair(name, value);
            }
        }
        for column in &self.columns {
            url.append_pair("col", column);
        }
        format!("/search?{}", url.finish())
    }
}

/// A view as it is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct View {
    id: String,
    owner: String,
    created_at: String,
    updated_at: String,
    #[serde(flatten)]
    body: ViewBody,
}

impl View {
    fn shown(&self) -> Value {
        let mut json = json!(self);
        json["url"] = self.body.url().into();
        json
    }
}

fn place(tenant: &TenantId, id: &str) -> String {
    format!("{tenant}/{id}")
}

/// The id of a view is its name, so that two of one name can not be.
fn id_of(name: &str) -> String {
    let hash = catalog::ledger::sha256_hex(name.trim().to_lowercase().as_bytes());
    hash[..16].to_owned()
}

async fn on_ledger<T: Send + 'static>(
    api: &Arc<Api>,
    work: impl FnOnce(&Api) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let api = Arc::clone(api);
    let done = tokio::task::spawn_blocking(move || work(&api)).await;
    done.map_err(|error| ApiError::internal(error.to_string()))?
}

fn all(api: &Api, tenant: &TenantId) -> Result<Vec<View>, ApiError> {
    let filter = Filter { id_prefix: Some(place(tenant, "")), limit: VIEWS_MAX, ..Filter::default() };
    let documents = api.ledger.list(LedgerTable::Views, &filter)?;
    let read = |document: Document| {
        serde_json::from_value(document.body)
            .map_err(|error| ApiError::internal(format!("view {}: {error}", document.id)))
    };
    documents.into_iter().map(read).collect()
}

fn one(api: &Api, tenant: &TenantId, id: &str) -> Result<Option<View>, ApiError> {
    let found = api.ledger.get(LedgerTable::Views, &place(tenant, id))?;
    let read = |document: Document| {
        serde_json::from_value(document.body).map_err(|error| ApiError::internal(error.to_string()))
    };
    found.map(read).transpose()
}

fn document(tenant: &TenantId, view: &View) -> Document {
    let time = telemetry::clock::now();
    Document { id: place(tenant, &view.id), time, service: String::new(), state: String::new(), body: json!(view) }
}

/// `GET /views`: every view, by name.
pub(crate) async fn list(State(api): State<Arc<Api>>, Tenant(tenant): Tenant) -> Result<Json<Value>, ApiError> {
    let mut views = on_ledger(&api, move |api| all(api, &tenant)).await?;
    views.sort_by_key(|view| view.body.name.to_lowercase());
    Ok(Json(json!({"views": views.iter().map(View::shown).collect::<Vec<_>>()})))
}

/// `GET /views/{id}`.
pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let wanted = id.clone();
    let view = on_ledger(&api, move |api| one(api, &tenant, &wanted)).await?;
    view.map(|view| Json(view.shown())).ok_or_else(|| ApiError::not_found(format!("no view {id:?}")))
}

/// `POST /views`: a new one; 409 when the name is taken.
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ViewBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    body.check()?;
    let owner = api.approvers.anyone(&headers)?.name;
    let view = on_ledger(&api, move |api| {
        if all(api, &tenant)?.len() >= VIEWS_MAX {
            let hint = format!("delete some: {VIEWS_MAX} are the most (VIEWS_MAX)");
            return Err(ApiError::conflict("there are too many views", hint));
        }
        let now = telemetry::clock::now().to_string();
        let view = View { id: id_of(&body.name), owner, created_at: now.clone(), updated_at: now, body };
        match api.ledger.commit(vec![Write::Insert(LedgerTable::Views, document(&tenant, &view))]) {
            Err(LedgerError::Conflict { .. }) => {
                let message = format!("a view is called {:?} already", view.body.name.trim());
                Err(ApiError::conflict(message, "take another name, or overwrite that one with PUT"))
            }
            other => Ok(other.map(|()| view)?),
        }
    });
    Ok((StatusCode::CREATED, Json(view.await?.shown())))
}

/// `PUT /views/{id}`: other contents, or another name, which gives it another id.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ViewBody>,
) -> Result<Json<Value>, ApiError> {
    body.check()?;
    let view = on_ledger(&api, move |api| {
        let Some(was) = one(api, &tenant, &id)? else {
            return Err(ApiError::not_found(format!("no view {id:?}")));
        };
        let new_id = id_of(&body.name);
        let view = View { id: new_id.clone(), updated_at: telemetry::clock::now().to_string(), body, ..was };
        let write = match new_id == id {
            true => vec![Write::Put(LedgerTable::Views, document(&tenant, &view))],
            false => vec![
                Write::Insert(LedgerTable::Views, document(&tenant, &view)),
                Write::Delete(LedgerTable::Views, place(&tenant, &id)),
            ],
        };
        match api.ledger.commit(write) {
            Err(LedgerError::Conflict { .. }) => {
                let message = format!("a view is called {:?} already", view.body.name.trim());
                Err(ApiError::conflict(message, "take another name"))
            }
            other => Ok(other.map(|()| view)?),
        }
    });
    Ok(Json(view.await?.shown()))
}

/// `DELETE /views/{id}`.
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    on_ledger(&api, move |api| {
        if one(api, &tenant, &id)?.is_none() {
            return Err(ApiError::not_found(format!("no view {id:?}")));
        }
        Ok(api.ledger.commit(vec![Write::Delete(LedgerTable::Views, place(&tenant, &id))])?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
