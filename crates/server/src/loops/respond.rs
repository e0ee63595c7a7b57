//! The responder's threads: one looks for runs of playbooks that have something to do and starts a thread for each; one
//! delivers notifications.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use act::{ActOptions, Actor, ServerOptions, Token};
use catalog::ledger::{Filter, Ledger, LedgerTable, Records as _};
use change::ChangeBook;
use config::{Config, ReceiverConfig, ServerConfig, TokenConfig};
use kubernetes::Watching;
use notify::{Notifier, Receiver};
use respond::{Effects, Executor, Mode, Playbook, Responder};
use telemetry::{clock, metrics};

use super::query::EngineQuery;
use super::{Stop, records, thread};
use crate::crash;

/// How often it is looked for runs that are due.
const POLL: Duration = Duration::from_millis(200);
/// How often leases of running actions are looked at; far less than a lease lasts.
const RENEW_POLL: Duration = Duration::from_secs(2);
/// How often the outbox is looked at.
const OUTBOX_POLL: Duration = Duration::from_millis(500);

/// What the threads need.
#[derive(Clone)]
pub(crate) struct ResponseParts {
    responder: Arc<Responder>,
    query: EngineQuery,
    executor: Arc<dyn Executor>,
    notifier: Arc<Notifier>,
    ledger: Arc<Ledger>,
    stop: Stop,
    /// Watches of clusters end with the threads.
    _clusters: Option<Arc<Watching>>,
}

impl ResponseParts {
    /// Puts them together from the settings.
    pub(crate) fn new(
        config: &Config,
        ledger: &Arc<Ledger>,
        changes: ChangeBook,
        responder: Arc<Responder>,
        query: EngineQuery,
        stop: Stop,
    ) -> anyhow::Result<Self> {
        let notifier = Notifier::new(records(ledger), receivers(config), config.external_url.clone())?
            .with_deliveries(crash::deliveries);
        let actor = Actor::new(act_options(config))?;
        check_permissions(&actor, responder.playbooks())?;
        let clusters = super::kubernetes::start(config, actor.clusters(), changes)?;
        let executor = crash::executor(Arc::new(actor));
        Ok(Self {
            _clusters: clusters.map(Arc::new),
            responder,
            query,
            executor,
            notifier: Arc::new(notifier),
            ledger: Arc::clone(ledger),
            stop,
        })
    }
}

/// Every call of every playbook must be allowed before anything fires: a rollback that turns out to be forbidden when it is needed
/// is worse than a start that fails. A playbook that only observes is told of, since it will not call anything.
fn check_permissions(actor: &Actor, playbooks: &[Playbook]) -> anyhow::Result<()> {
    for playbook in playbooks {
        for (place, step) in playbook.steps.iter().enumerate() {
            let acts = step.kind.acting().into_iter().chain(step.undo.as_deref());
            for why in acts.filter_map(|act| actor.permits(&act.call).err()) {
                let (name, file, place) = (&playbook.name, &playbook.file, place + 1);
                if playbook.mode != Mode::Observe {
                    anyhow::bail!("{file}: playbook {name}, step {place}: {why}");
                }
                tracing::warn!("{file}: playbook {name}, step {place} could not act: {why}");
            }
        }
    }
    Ok(())
}

fn act_options(config: &Config) -> ActOptions {
    let actions = config.actions.clone();
    ActOptions {
        kinds: actions.kinds,
        exec_allow: actions.exec_allow,
        exec_env: actions.exec_env,
        http_allow: actions.http_allow,
        redact: actions.redact,
        argocd: servers(actions.argocd),
        flags: servers(actions.flags),
        systemctl: actions.systemctl,
        systemd_allow: actions.systemd_allow,
        systemd_links: actions.systemd_links,
        compose: actions.compose,
        compose_allow: actions.compose_allow,
        compose_env: actions.compose_env,
        git: actions.git,
        git_allow: actions.git_allow,
        git_env: actions.git_env,
        clusters: super::kubernetes::clusters(config),
    }
}

fn servers(servers: BTreeMap<String, ServerConfig>) -> BTreeMap<String, ServerOptions> {
    let token = |token| match token {
        TokenConfig::Text(text) => Token::Text(text),
        TokenConfig::File(path) => Token::File(path),
    };
    let server = |server: ServerConfig| ServerOptions {
        url: server.url,
        token: server.token.map(token),
        header: server.header,
        ca_file: server.ca_file,
    };
    servers.into_iter().map(|(name, config)| (name, server(config))).collect()
}

/// The receivers of the settings, and one named `log` that is always there: pages that no playbook asked for go to it.
fn receivers(config: &Config) -> BTreeMap<String, Receiver> {
    let receiver = |config: &ReceiverConfig| match config {
        ReceiverConfig::Webhook { url, headers } => Receiver::Webhook { url: url.clone(), headers: headers.clone() },
        ReceiverConfig::Log => Receiver::Log,
    };
    let named = config.receivers.iter().map(|(name, config)| (name.clone(), receiver(config)));
    std::iter::once(("log".to_owned(), Receiver::Log)).chain(named).collect()
}

/// Starts the threads.
pub(crate) fn start(parts: ResponseParts) -> anyhow::Result<Vec<std::thread::JoinHandle<()>>> {
    let (delivering, renewing) = (parts.clone(), parts.clone());
    Ok(vec![
        thread("respond", move || run(&parts))?,
        thread("notify", move || deliver(&delivering))?,
        thread("leases", move || renew(&renewing))?,
    ])
}

/// Advances runs until told to stop, each on a thread of its own: a run may block on its action, and must not hold up another.
fn run(parts: &ResponseParts) {
    let mut running = Vec::new();
    while !parts.stop.sleep(POLL) {
        running.retain(|thread: &std::thread::JoinHandle<()>| !thread.is_finished());
        count_open(parts);
        let due = match parts.responder.due(clock::now()) {
            Ok((due, _)) => due,
            Err(error) => {
                tracing::error!(%error, "runs of playbooks could not be read");
                continue;
            }
        };
        for id in due {
            let advancing = parts.clone();
            match thread("playbook", move || advance(&id, &advancing)) {
                Ok(thread) => running.push(thread),
                Err(error) => tracing::error!(%error, "no thread for a run of a playbook"),
            }
        }
    }
    running.into_iter().for_each(|thread| drop(thread.join()));
}

fn advance(id: &str, parts: &ResponseParts) {
    let effects = Effects { query: &parts.query, executor: &*parts.executor };
    if let Err(error) = parts.responder.advance(id, clock::now(), &effects) {
        tracing::error!(run = id, %error, "a run of a playbook could not go on");
    }
}

fn count_open(parts: &ResponseParts) {
    let open = Filter { states: vec!["open".to_owned()], ..Filter::default() };
    if let Ok(open) = parts.ledger.list(LedgerTable::Incidents, &open) {
        metrics::INCIDENTS_OPEN.set(open.len() as f64);
    }
}

/// Keeps the leases of actions that take long.
fn renew(parts: &ResponseParts) {
    while !parts.stop.sleep(RENEW_POLL) {
        if let Err(error) = parts.responder.renew_leases(clock::now()) {
            tracing::error!(%error, "leases on targets could not be renewed");
        }
    }
}

fn deliver(parts: &ResponseParts) {
    while !parts.stop.sleep(OUTBOX_POLL) {
        if let Err(error) = parts.notifier.deliver_due(clock::now()) {
            tracing::error!(%error, "the outbox could not be read");
        }
    }
}
