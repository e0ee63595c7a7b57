//! `backstop serve`: the composition root. Each part is built from its share of the settings, in the order in which they need
//! each other, and taken down in the opposite order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::{About, Api, Approvers, Readiness, RuleBoard, ServiceBoard};
use axum::Router;
use catalog::ledger::Ledger;
use change::ChangeBook;
use config::{Config, Listeners};
use engine::{Engine, LookupTables, QueryLimits};
use listen::{CancellationToken, Listener};
use pipeline::{ParseRules, Pipeline, PipelineOptions};
use respond::{Freeze, Responder, ResponderOptions};
use rules::GroupEvaluator;
use series::{SeriesDownsampling, SeriesRetention};
use store::{Retention, Store, StoreOptions, StreamRetention};
use telemetry::{clock, metrics};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::ServeArgs;
use crate::crash;
use crate::exit::Failure;
use crate::loops::health::{self, OwnHealth};
use crate::loops::probe::NetworkProber;
use crate::loops::query::EngineQuery;
use crate::loops::respond::ResponseParts;
use crate::loops::rules::RuleParts;
use crate::loops::state::LedgerTables;
use crate::loops::{
    Stop, files, people, records, respond as response_loop, rules as rule_loop, services as service_loop, thread,
    watch as watch_loop,
};
use crate::offline::{LEDGER_FILE, store_failure};
use crate::runtime::{ListenerAddress, RunningServer};

mod http;
pub(crate) mod intake;
mod receivers;
mod scraping;
mod shown;

use http::{Gate, serve_http};
use receivers::Receivers;
use scraping::Scraping;

/// How often the store keeps house: flushes by age, merges, retains.
const MAINTAIN_INTERVAL: Duration = Duration::from_millis(250);
/// How long requests that have begun may take once the server is asked to end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
/// File in the data directory whose presence stops all actions.
pub(crate) const KILL_SWITCH_FILE: &str = "kill-switch";

/// Runs the server until it is told to end, or until storage fails.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = load(args)?;
    crate::commands::promql_features(&config.query.promql_features)?;
    check_exposure(&config)?;
    let settings = shown::settings(args, &config)?;
    telemetry::logging::init(&config.log);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::internal(error.to_string(), ""))?;
    let served = runtime.block_on(serve(config, settings));
    runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
    served
}

/// The configuration file, with what the command line says on top.
fn load(args: &ServeArgs) -> Result<Config, Failure> {
    let mut config = match &args.config {
        Some(path) => {
            let unreadable =
                |error| Failure::usage(format!("cannot read {}: {error}", path.display()), "name a YAML file");
            let text = std::fs::read_to_string(path).map_err(unreadable)?;
            Config::parse(&path.display().to_string(), &text).map_err(|error| Failure::usage(error.to_string(), ""))?
        }
        None => Config::default(),
    };
    if let Some(data) = &args.data {
        config.data_dir.clone_from(data);
    }
    config.listen = args.listen.unwrap_or(config.listen);
    config.insecure |= args.insecure;
    config.query.promql_features.extend(args.enable_feature.iter().cloned());
    config.rules.extend(args.rules.iter().cloned());
    config.playbooks.extend(args.playbooks.iter().cloned());
    config.services.extend(args.services.iter().cloned());
    if args.no_receivers {
        config.listeners = Listeners::OFF;
    }
    Ok(config)
}

/// Without authentication only this machine may connect, unless the operator insists.
fn check_exposure(config: &Config) -> Result<(), Failure> {
    let mut all = std::iter::once(config.listen).chain(config.listeners.addresses());
    match all.find(|address| !address.ip().is_loopback()) {
        Some(address) if !config.insecure => Err(Failure::usage(
            format!("{address} can be reached from other machines, and there is no authentication"),
            "listen on 127.0.0.1 behind a proxy that authenticates, or give --insecure",
        )),
        _ => Ok(()),
    }
}

async fn serve(config: Config, settings: api::Settings) -> Result<(), Failure> {
    let started_at = clock::now();
    metrics::START_TIME.set(started_at.secs_f64());
    let readiness = Readiness::default();
    let gate = Gate::new(readiness.clone());
    let http = TcpListener::bind(config.listen).await.map_err(|error| {
        let hint = "choose another address with --listen";
        Failure::internal(format!("cannot listen on {}: {error}", config.listen), hint)
    })?;
    let http_address = http.local_addr().map_err(|error| Failure::internal(error.to_string(), ""))?;
    let shutdown = CancellationToken::new();
    let serving = telemetry::spawn("http", serve_http(http, gate.clone(), shutdown.clone()));
    let store = open_store(&config).await?;
    let parts = Parts::start(&config, store, &shutdown, http_address, settings).await;
    let parts = parts.map_err(|error| start_failure(&error))?;
    gate.open(parts.router.clone());
    readiness.set(true);
    let running =
        RunningServer { pid: std::process::id(), url: format!("http://{http_address}"), listeners: parts.addresses() };
    let published = running.publish(&config.data_dir).map_err(|error| Failure::internal(error.to_string(), ""))?;
    banner(&running);
    let outcome = wait_for_end(&parts.store).await;
    drop(published);
    readiness.set(false);
    shutdown.cancel();
    parts.stop().await;
    drop(tokio::time::timeout(SHUTDOWN_PATIENCE, serving).await);
    outcome
}

/// A mistake in a rule, playbook or service file is the user's; all else is ours.
fn start_failure(error: &anyhow::Error) -> Failure {
    let text = format!("{error:#}");
    if error.is::<intake::SourceError>() {
        return Failure::usage(text, "docs/changes.md describes changes.sources");
    }
    if text.contains("problems") || text.contains("no file matches") || text.contains("cannot read") {
        return Failure::usage(text, "`backstop rules check`, `playbooks check` and `services check` show the same");
    }
    Failure::internal(text, "")
}

async fn open_store(config: &Config) -> Result<Arc<Store>, Failure> {
    let options = store_options(config)?;
    let opened = tokio::task::spawn_blocking(move || Store::open(options)).await;
    let opened = opened.map_err(|error| Failure::internal(error.to_string(), ""))?;
    opened.map(Arc::new).map_err(|error| store_failure(&error))
}

fn store_options(config: &Config) -> Result<StoreOptions, Failure> {
    let ns = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    let mut options = StoreOptions::new(&config.data_dir);
    options.flush_bytes = usize::try_from(config.store.flush_bytes).unwrap_or(usize::MAX);
    options.memory_bytes_max = usize::try_from(config.store.memtable_bytes_max).unwrap_or(usize::MAX);
    options.flush_age_ns = ns(config.store.flush_interval);
    options.retention = Retention {
        logs_ns: Some(ns(config.store.retention_logs)),
        spans_ns: Some(ns(config.store.retention_spans)),
        quarantine_ns: Some(ns(config.store.retention_quarantine)),
        metrics_ms: Some(ns(config.store.retention_metrics) / 1_000_000),
    };
    options.opened_at = Some(clock::now());
    options.retention_bytes = config.store.retention_bytes;
    let streams = config.store.retention_streams.iter();
    options.retention_streams =
        streams.map(|stream| StreamRetention { selector: stream.selector.clone(), keep_ns: ns(stream.keep) }).collect();
    options.series.recent_bytes_max = usize::try_from(config.store.recent_bytes_max).unwrap_or(usize::MAX);
    options.series.decoded_bytes_max = usize::try_from(config.store.decoded_bytes_max).unwrap_or(usize::MAX);
    options.series.tenants_max = config.store.tenants_max;
    options.series.series_per_tenant_max = config.store.series_per_tenant_max;
    options.series.series_per_metric_max = config.store.series_per_metric_max;
    for series in &config.store.retention_series {
        let matchers = api::series_matchers(&series.selector).map_err(|error| {
            let what = format!("store.retention_series.selector is {:?}: {error}", series.selector);
            Failure::usage(what, "write a selector of PromQL, such as up{job=\"dev\"}")
        })?;
        options.series.retention.push(SeriesRetention { matchers, keep_ms: ns(series.keep) / 1_000_000 });
    }
    options.series.downsampling = downsampling(config)?;
    Ok(options)
}

fn downsampling(config: &Config) -> Result<Vec<SeriesDownsampling>, Failure> {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let rule = |rule: &config::DownsamplingConfig| {
        let matchers = rule.selector.as_deref().map_or(Ok(Vec::new()), api::series_matchers).map_err(|error| {
            let what =
                format!("store.downsampling.match is {:?}: {error}", rule.selector.as_deref().unwrap_or_default());
            Failure::usage(what, "write a selector of PromQL, such as up{job=\"dev\"}, or leave it out for all series")
        })?;
        Ok(SeriesDownsampling { matchers, after_ms: ms(rule.after), resolution_ms: ms(rule.resolution) })
    };
    config.store.downsampling.iter().map(rule).collect()
}

fn query_limits(config: &Config) -> anyhow::Result<QueryLimits> {
    Ok(QueryLimits {
        timeout_ms: u64::try_from(config.query.timeout.as_millis()).unwrap_or(u64::MAX),
        memory_bytes_max: config.query.memory_bytes_max,
        memory_total_bytes_max: config.query.memory_total_bytes_max,
        concurrency_max: config.query.concurrency_max,
        rows_max: config.query.rows_max as u64,
        promql_samples_max: config.query.promql_samples_max,
        promql_features: promql::Features::of_names(&config.query.promql_features)?,
        spill_dir: Some(config.data_dir.join("spill")),
        lookups: LookupTables::of_files(files::found(&config.lookups)?)
            .map_err(|error| anyhow::anyhow!("lookups: {error}"))?,
        ..QueryLimits::default()
    })
}

/// Everything that runs.
struct Parts {
    store: Arc<Store>,
    router: Router,
    listeners: Vec<(&'static str, Listener)>,
    scraping: Scraping,
    stop: Stop,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Parts {
    async fn start(
        config: &Config,
        store: Arc<Store>,
        shutdown: &CancellationToken,
        http_address: SocketAddr,
        settings: api::Settings,
    ) -> anyhow::Result<Self> {
        let change_sources = intake::sources(&config.changes)?;
        intake::warn_of_open_sources(&change_sources);
        let ledger = crash::opening(|| Ledger::open(&config.data_dir.join(LEDGER_FILE)));
        let ledger = Arc::new(ledger.context("the ledger")?);
        let tables = Arc::new(LedgerTables::new(Arc::clone(&ledger)));
        std::fs::create_dir_all(config.data_dir.join("spill")).context("the directory for spilling")?;
        let engine = Engine::new(Arc::clone(&store), tables, query_limits(config)?).context("the query engine")?;
        let in_flight_bytes_max = usize::try_from(config.ingest.in_flight_bytes_max)?;
        let pipeline = Pipeline::new(Arc::clone(&store), &PipelineOptions { in_flight_bytes_max });
        let parse_rules = Arc::new(ParseRules::new(files::parse_rules(&config.parse_rules, &config.data_dir)?));
        let pipeline = Arc::new(pipeline.with_rules(Arc::clone(&parse_rules)));
        let board = Arc::new(RuleBoard::default());
        let (stop, mut threads) = (Stop::default(), Vec::new());
        let groups = files::rule_groups(&config.rules, engine.limits().promql_features.parser)?;
        let approvers = people::approvers(&config.approvers)?;
        let own = OwnHealth::new(&store, &board);
        threads.push(health::start(&own, &stop)?);
        let probe_allow = config.actions.probe_allow.clone();
        // Its client blocks, so it is made where blocking is allowed.
        let prober = tokio::task::spawn_blocking(move || NetworkProber::new(&probe_allow)).await??;
        let services = Arc::new(ServiceBoard::new(files::services(&config.services, &receiver_names(config))?));
        let responder = responder(config, &ledger, &approvers, &own, &services)?.with_prober(Box::new(prober));
        let responder = Arc::new(responder);
        let evaluated: Vec<String> =
            groups.iter().map(|group| group.name.clone()).chain([watch::Watcher::group().to_owned()]).collect();
        responder.retire(&evaluated, clock::now())?;
        let query = EngineQuery::new(engine.clone(), Handle::current());
        threads.push(service_loop::start(&services, &query, &config.data_dir, &stop)?);
        threads.extend(maintenance(&store, &stop)?);
        // Whoever records changes shares this book, so that they write in turn; the loop only reads, in books of its own.
        let changes = ChangeBook::new(records(&ledger));
        threads.extend(start_response(config, &ledger, changes.clone(), &responder, &query, &stop).await?);
        threads.push(watch_loop::start(&ledger, &services, &own, &responder, &query, &stop)?);
        let rule_parts = RuleParts {
            query,
            board: Arc::clone(&board),
            responder: Arc::clone(&responder),
            store: Arc::clone(&store),
            stop: stop.clone(),
        };
        let surroundings = template_surroundings(config, http_address);
        for group in groups {
            let name = format!("rules-{}", group.name);
            let evaluator = GroupEvaluator::new(group, records(&ledger), clock::now())?;
            let (evaluator, parts) = (evaluator.with_surroundings(surroundings.clone()), rule_parts.clone());
            threads.push(thread(&name, move || rule_loop::run_group(evaluator, &parts))?);
        }
        let receivers = Receivers::new(&config.ingest, &pipeline)?;
        let listeners = receivers.start(&config.listeners, shutdown).await?;
        let scraping = scraping::start(&config.scrape, &pipeline, shutdown)?;
        let about = About { started_at: clock::now(), listeners: all_addresses(http_address, &listeners) };
        let api = Api::new(engine, Arc::clone(&store), ledger, board, responder, approvers, about);
        let api = api.with_services(services).with_change_sources(change_sources).with_change_book(changes);
        let counters = Box::new(move || serde_json::to_value(parse_rules.counters()).unwrap_or_default());
        let api = api.with_settings(settings).with_cors_origins(config.cors_origins.clone());
        let api = Arc::new(api.with_scraping(scraping.view()).with_parse_counters(counters));
        let router = api::router(api).merge(receivers.router());
        Ok(Self { store, router, listeners, scraping, stop, threads })
    }

    fn addresses(&self) -> Vec<ListenerAddress> {
        let address = |(name, listener): &(&str, Listener)| ListenerAddress {
            name: (*name).to_owned(),
            address: listener.address().to_string(),
        };
        self.listeners.iter().map(address).collect()
    }

    /// Ends everything; what was acknowledged is in the write-ahead log.
    async fn stop(self) {
        self.stop.stop();
        for (name, listener) in self.listeners {
            if tokio::time::timeout(SHUTDOWN_PATIENCE, listener.stopped()).await.is_err() {
                tracing::warn!(listener = name, "did not end in time");
            }
        }
        if tokio::time::timeout(SHUTDOWN_PATIENCE, self.scraping.stopped()).await.is_err() {
            tracing::warn!("scraping did not end in time");
        }
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        if tokio::time::timeout(SHUTDOWN_PATIENCE, joined).await.is_err() {
            tracing::warn!("an action or a query did not end in time");
        }
    }
}

/// The HTTP port and the other listeners, by name.
fn all_addresses(http: SocketAddr, listeners: &[(&'static str, Listener)]) -> Vec<(String, SocketAddr)> {
    let others = listeners.iter().map(|(name, listener)| ((*name).to_owned(), listener.address()));
    std::iter::once(("http".to_owned(), http)).chain(others).collect()
}

/// What templates of rules may say of this server. Without a setting its address is that of the HTTP port.
fn template_surroundings(config: &Config, http_address: SocketAddr) -> rules::Surroundings {
    rules::Surroundings {
        external_labels: config.external_labels.clone(),
        external_url: config.external_url.clone().unwrap_or_else(|| format!("http://{http_address}")),
    }
}

/// Whom entries of the service catalogue may tell: the receivers of the settings, and `log`.
fn receiver_names(config: &Config) -> Vec<String> {
    config.receivers.keys().cloned().chain(["log".to_owned()]).collect()
}

fn responder(
    config: &Config,
    ledger: &Arc<Ledger>,
    approvers: &Approvers,
    health: &Arc<OwnHealth>,
    services: &Arc<ServiceBoard>,
) -> anyhow::Result<Responder> {
    let playbooks = files::playbooks(&config.playbooks)?;
    let file = config.data_dir.join(KILL_SWITCH_FILE);
    let kill_switch = move || file.exists().then(|| format!("{} exists", file.display()));
    let freeze = config.freeze.iter().map(Freeze::read).collect::<Result<_, _>>().context("cannot read `freeze`")?;
    let asks =
        |playbook: &&respond::Playbook| [respond::Mode::Suggest, respond::Mode::Approve].contains(&playbook.mode);
    if let (Some(playbook), true) = (playbooks.iter().find(asks), config.approvers.is_empty()) {
        let (name, mode) = (&playbook.name, playbook.mode.as_str());
        tracing::warn!("playbook {name} is in mode {mode} and nobody can approve: name people under `approvers`");
    }
    // One process has the directory at a time, so leases of that name are its predecessor's or its own.
    let escalation_receivers = config.escalation_receivers.clone();
    let approvers = approvers.principals();
    let options = ResponderOptions { approvers, freeze, escalation_receivers, ..ResponderOptions::default() };
    let responder = Responder::new(records(ledger), playbooks, options, Box::new(kill_switch), clock::now())?;
    let responder = responder.with_health(Arc::<OwnHealth>::clone(health));
    Ok(responder.with_surroundings(Arc::<ServiceBoard>::clone(services)))
}

/// The responder's threads. Their HTTP clients block, so they are made where blocking is allowed.
async fn start_response(
    config: &Config,
    ledger: &Arc<Ledger>,
    changes: ChangeBook,
    responder: &Arc<Responder>,
    query: &EngineQuery,
    stop: &Stop,
) -> anyhow::Result<Vec<std::thread::JoinHandle<()>>> {
    let (config, ledger, responder) = (config.clone(), Arc::clone(ledger), Arc::clone(responder));
    let (query, stop) = (query.clone(), stop.clone());
    let start = move || response_loop::start(ResponseParts::new(&config, &ledger, changes, responder, query, stop)?);
    tokio::task::spawn_blocking(start).await?
}

/// The threads that keep house: one flushes, one merges and drops what is past its retention, so that a long merge holds up
/// no flush.
fn maintenance(store: &Arc<Store>, stop: &Stop) -> anyhow::Result<[std::thread::JoinHandle<()>; 2]> {
    let (memory, until) = (Arc::clone(store), stop.clone());
    let flushes = thread("flush", move || {
        while !until.sleep(Duration::ZERO) {
            memory.wait_until_full(MAINTAIN_INTERVAL);
            if let Err(error) = memory.maintain_memory(clock::now()) {
                tracing::error!(%error, "flushing failed");
                until.sleep(MAINTAIN_INTERVAL);
            }
        }
    })?;
    let (segments, until) = (Arc::clone(store), stop.clone());
    let merges = thread("merge", move || {
        let mut more = false;
        while !until.sleep(if more { Duration::ZERO } else { MAINTAIN_INTERVAL }) {
            more = segments.maintain_segments(clock::now()).unwrap_or_else(|error| {
                tracing::error!(%error, "merging or dropping old data failed");
                false
            });
            segments.stats();
        }
    })?;
    Ok([flushes, merges])
}

/// What a person who starts the server wants to know first.
#[allow(clippy::print_stdout, reason = "the command's result")]
fn banner(running: &RunningServer) {
    println!("Backstop {} is ready: {}", env!("CARGO_PKG_VERSION"), running.url);
    for listener in &running.listeners {
        println!("  {:<15} {}", listener.name, listener.address);
    }
    println!("Send the first log line:");
    println!("  echo 'hello backstop' | backstop ingest - --service hello --url {}", running.url);
    let syslog = running.listeners.iter().find(|listener| listener.name == "syslog_tcp");
    if let Some(Ok(address)) = syslog.map(|listener| listener.address.parse::<SocketAddr>()) {
        println!("  logger --tcp --server {} --port {} 'hello backstop'", address.ip(), address.port());
    }
}

/// Resolves when the server is asked to end, or when its store is out of use: then the process ends with 70, and the next
/// start replays the log.
async fn wait_for_end(store: &Store) -> Result<(), Failure> {
    let internal = |error: std::io::Error| Failure::internal(error.to_string(), "");
    let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = tokio::time::sleep(MAINTAIN_INTERVAL) => {}
        }
        if let Some(fault) = store.fault() {
            let hint = "mend the disk and start again: everything acknowledged is in the write-ahead log";
            return Err(Failure::internal(format!("storage failed: {fault}"), hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_without_authentication() {
        let mut config = Config { listen: "0.0.0.0:7070".parse().expect("address"), ..Config::default() };
        assert!(check_exposure(&config).is_err());
        config.insecure = true;
        assert!(check_exposure(&config).is_ok());
        assert!(check_exposure(&Config::default()).is_ok());
    }
}
