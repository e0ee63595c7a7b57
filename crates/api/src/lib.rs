//! The HTTP faces of Backstop: the native API, the Prometheus API, the UI's files, the server's own state.
//!
//! **Entry points.** [`self_state_router`] answers from the first moment; [`router`] is everything else, once the store is
//! open. [`Api`] is what handlers share; [`RuleBoard`] is where the rule threads publish how alerts stand, [`ServiceBoard`] the
//! catalogue with what is learned about who needs whom.
//!
//! **Read path.** request -> tenant and parameters -> `engine`, the ledger or the board -> JSON of this crate's own shapes.
//! Errors of the native API are one shape ([`ApiError`]), those of the Prometheus API its own.
//!
//! **Guarantees.** An unknown API path is 404, never the UI. Nothing of a request is shown back as HTML. A streamed answer that
//! breaks off says so in its last line.
//!
//! **Not here.** Receiving data (`listen`), running queries (`engine`), deciding and acting (`respond`).

mod board;
mod cors;
mod error;
mod native;
mod people;
mod prometheus;
mod request;
mod self_state;
mod services;
mod ui;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::routing::{delete, get, patch, post, put};
use catalog::ledger::{Ledger, Records};
use change::{ChangeBook, Source};
use engine::Engine;
use model::Timestamp;
use parking_lot::Mutex;
use respond::Responder;
use store::Store;
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;

pub use board::RuleBoard;
pub use cors::ANY_ORIGIN;
pub use error::ApiError;
pub use native::export::{FileFormat, ResultFile};
pub use people::Approvers;
pub use prometheus::selectors::parse as series_matchers;
pub use prometheus::status::Settings;
pub use prometheus::targets::{ScrapeView, TargetLists, WantedTarget};
pub use self_state::{Readiness, self_state_router};
pub use services::{GraphLearning, ServiceBoard};

/// What parse rules did, as JSON; asked for when somebody looks.
pub type Counters = Box<dyn Fn() -> serde_json::Value + Send + Sync>;

/// What handlers share.
pub struct Api {
    /// Runs queries.
    pub engine: Engine,
    /// The store, for flushes and its state.
    pub store: Arc<Store>,
    /// The loop's records.
    pub ledger: Arc<Ledger>,
    /// How rules and alerts stand.
    pub board: Arc<RuleBoard>,
    /// The loop: playbooks, approvals, switches.
    pub responder: Arc<Responder>,
    /// Who may approve.
    pub approvers: Approvers,
    /// The services and who needs whom.
    pub services: Arc<ServiceBoard>,
    /// What the server says of itself.
    pub about: About,
    /// The changes. Whoever else records changes in this process does it through a clone of this book.
    pub changes: ChangeBook,
    intake: native::intake::Intake,
    settings: Settings,
    origins: cors::Origins,
    parse_counters: Option<Counters>,
    scraping: Option<Arc<dyn ScrapeView>>,
    /// Places for remote reads, which hold much memory.
    remote_reads: Arc<Semaphore>,
    /// Ids that clients chose for their running queries.
    chosen_ids: Mutex<HashMap<String, u64>>,
}

/// What the server says of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// When it started.
    pub started_at: Timestamp,
    /// Its listeners.
    pub listeners: Vec<(String, SocketAddr)>,
}

impl Api {
    /// Puts the parts together.
    pub fn new(
        engine: Engine,
        store: Arc<Store>,
        ledger: Arc<Ledger>,
        board: Arc<RuleBoard>,
        responder: Arc<Responder>,
        approvers: Approvers,
        about: About,
    ) -> Self {
        let records: Arc<dyn Records> = Arc::<Ledger>::clone(&ledger);
        let (changes, intake) = (ChangeBook::new(records), native::intake::Intake::default());
        Self {
            engine,
            store,
            ledger,
            board,
            responder,
            approvers,
            services: Arc::default(),
            about,
            changes,
            intake,
            settings: Settings::default(),
            origins: cors::Origins::default(),
            parse_counters: None,
            scraping: None,
            remote_reads: Arc::new(Semaphore::new(prometheus::read::REMOTE_READ_CONCURRENCY_MAX)),
            chosen_ids: Mutex::default(),
        }
    }

    /// With the services and who needs whom.
    #[must_use]
    pub fn with_services(self, services: Arc<ServiceBoard>) -> Self {
        Self { services, ..self }
    }

    /// With the sources that may report changes. An adapter without a source takes deliveries from anybody.
    #[must_use]
    pub fn with_change_sources(mut self, sources: Vec<Source>) -> Self {
        self.intake = native::intake::Intake::new(sources);
        self
    }

    /// With what the server was started with, to show it.
    #[must_use]
    pub fn with_settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// With what parse rules did, as JSON.
    #[must_use]
    pub fn with_parse_counters(self, counters: Counters) -> Self {
        Self { parse_counters: Some(counters), ..self }
    }

    /// With what is scraped.
    #[must_use]
    pub fn with_scraping(self, scraping: Option<Arc<dyn ScrapeView>>) -> Self {
        Self { scraping, ..self }
    }

    /// With the origins whose pages may read answers.
    #[must_use]
    pub fn with_cors_origins(self, origins: Vec<String>) -> Self {
        Self { origins: cors::Origins::new(origins), ..self }
    }

    /// With a book of changes that others hold clones of.
    #[must_use]
    pub fn with_change_book(mut self, changes: ChangeBook) -> Self {
        self.changes = changes;
        self
    }
}

/// Every path but those of [`self_state_router`] and of the receivers.
pub fn router(api: Arc<Api>) -> Router {
    let metrics = Router::new().nest("/api/v1", prometheus_routes());
    let metrics = metrics.route("/federate", get(prometheus::federate::federate)).layer(CompressionLayer::new());
    let routes = Router::new().nest("/backstop/api/v1", native_routes()).merge(metrics).merge(intake_routes());
    let cors = axum::middleware::from_fn_with_state(api.origins.clone(), cors::cors);
    routes.layer(cors).with_state(api).merge(ui_routes()).layer(axum::middleware::from_fn(count_requests))
}

fn native_routes() -> Router<Arc<Api>> {
    use native::{
        admin, approvals, explore, export, incidents, inside, intake, loops, playbooks, query, services, switches,
        tail, views, watches,
    };
    Router::new()
        .route("/query", post(query::run))
        .route("/queries", get(query::list))
        .route("/queries/{id}", delete(query::cancel))
        .route("/queries/{id}/cancel", post(query::cancel))
        .route("/histogram", get(explore::histogram).post(explore::histogram))
        .route("/fields", get(explore::fields).post(explore::fields))
        .route("/values", get(explore::values).post(explore::values))
        .route("/explain", get(explore::explain).post(explore::explain))
        .route("/diagnose", get(explore::diagnose).post(explore::diagnose))
        .route("/language", get(explore::language))
        .route("/parse-rules", get(admin::parse_rules))
        .route("/patterns", get(inside::patterns).post(inside::patterns))
        .route("/facets", get(inside::facets).post(inside::facets))
        .route("/context", get(inside::context).post(inside::context))
        .route("/tail", get(tail::tail))
        .route("/export", get(export::export))
        .route("/views", get(views::list).post(views::create))
        .route("/views/{id}", get(views::get).put(views::put).delete(views::delete))
        .route("/services", get(services::list))
        .route("/services/graph", get(services::graph))
        .route("/services/{name}", get(services::service))
        .route("/dora", get(services::dora_figures))
        .route("/watches", get(watches::list))
        .route("/watches/{source}/{id}", get(watches::one))
        .route("/verdict", get(watches::verdict))
        .route("/verdict/flagger/rollout", post(watches::flagger_rollout))
        .route("/verdict/flagger/confirm", post(watches::flagger_confirm))
        .route("/changes", get(intake::changes).post(intake::record_change))
        .route("/changes/{adapter}", post(intake::by_adapter))
        .route("/changes/{source}/{id}", get(intake::change).post(intake::by_source))
        .route("/changes/{source}/{id}/diff", get(intake::change_diff))
        .route("/alerts", get(loops::alerts))
        .route("/rules", get(loops::rules))
        .route("/incidents", get(incidents::list).post(incidents::open))
        .route("/incidents/{id}", get(incidents::one))
        .route("/incidents/{id}/export", get(incidents::export))
        .route("/incidents/{id}/notes", post(incidents::note))
        .route("/incidents/{id}/ack", post(incidents::acknowledge))
        .route("/incidents/{id}/resolve", post(incidents::resolve))
        .route("/incidents/{id}/reopen", post(incidents::reopen))
        .route("/incidents/{id}/merge", post(incidents::merge))
        .route("/actions", get(loops::actions))
        .route("/actions/{key}/judgement", post(playbooks::judge))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}", get(approvals::one).post(approvals::answer))
        .route("/playbooks", get(playbooks::list))
        .route("/playbooks/{name}", get(playbooks::one))
        .route("/playbooks/{name}/graph", get(playbooks::graph))
        .route("/playbooks/{name}/mode", post(playbooks::mode))
        .route("/switches", get(switches::list))
        .route("/switches/kill", get(switches::kill).post(switches::engage).delete(switches::release))
        .route("/audit", get(loops::audit))
        .route("/status", get(admin::status))
        .route("/segments", get(admin::segments))
        .route("/metrics/usage", get(admin::metric_usage))
        .route("/admin/flush", post(admin::flush))
        .route("/admin/delete", post(admin::delete))
}

/// The paths at which clients of other systems report changes.
fn intake_routes() -> Router<Arc<Api>> {
    use native::intake;
    Router::new()
        .route("/v2/change/enqueue", post(intake::pagerduty))
        .route("/api/annotations", post(intake::grafana))
        .route("/api/annotations/graphite", post(intake::grafana))
        .route("/api/annotations/{id}", patch(intake::grafana_amend).put(intake::grafana_amend))
        .route("/1/markers/{dataset}", post(intake::honeycomb))
        .route("/1/markers/{dataset}/{id}", put(intake::honeycomb_amend))
}

fn prometheus_routes() -> Router<Arc<Api>> {
    use prometheus::{admin, meta, query, read, status, targets};
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(meta::exemplars).post(meta::exemplars))
        .route("/format_query", get(query::format).post(query::format))
        .route("/parse_query", get(query::parse).post(query::parse))
        .route("/explain_query", get(query::explain).post(query::explain))
        .route("/series", get(meta::series).post(meta::series))
        .route("/labels", get(meta::labels).post(meta::labels))
        .route("/label/{name}/values", get(meta::label_values))
        .route("/metadata", get(meta::metadata))
        .route("/rules", get(meta::rules))
        .route("/alerts", get(meta::alerts))
        .route("/status/buildinfo", get(status::buildinfo))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtimeinfo))
        .route("/status/tsdb", get(status::tsdb))
        .route("/status/walreplay", get(status::walreplay))
        .route("/notifications", get(status::notifications))
        .route("/features", get(status::features))
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::metadata))
        .route("/targets/relabel_steps", get(targets::relabel_steps))
        .route("/scrape_pools", get(targets::pools))
        .route("/scrape_pools/config", get(targets::pool_config))
        .route("/alertmanagers", get(targets::alertmanagers))
        .route("/read", post(read::read))
        .route("/admin/tsdb/delete_series", post(admin::delete_series).put(admin::delete_series))
        .route("/admin/tsdb/clean_tombstones", post(admin::clean_tombstones).put(admin::clean_tombstones))
        .route("/admin/tsdb/snapshot", post(admin::snapshot).put(admin::snapshot))
}

/// The paths that the UI's script knows. A path that is not among them is not the UI.
const UI_PATHS: [&str; 9] = [
    "/",
    "/search",
    "/alerts",
    "/incidents",
    "/incidents/{id}",
    "/changes",
    "/changes/{source}/{id}",
    "/playbooks",
    "/services",
];

fn ui_routes() -> Router {
    let routes = UI_PATHS.into_iter().fold(Router::new(), |router, path| router.route(path, get(page)));
    routes.fallback(file)
}

async fn page(headers: HeaderMap) -> Response<Body> {
    if ui::wants_page(&headers) {
        return ui::page();
    }
    let text = "This is Backstop. The UI answers browsers here; programs use /backstop/api/v1/ and /api/v1/.\n";
    (StatusCode::OK, text).into_response()
}

async fn file(request: Request) -> Response<Body> {
    let path = request.uri().path();
    ui::file(path).unwrap_or_else(|| ApiError::not_found(format!("there is nothing at {path}")).into_response())
}

async fn count_requests(request: Request, next: Next) -> Response<Body> {
    let response = next.run(request).await;
    let class = match response.status().as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    telemetry::metrics::HTTP_REQUESTS.add(class, 1);
    response
}
