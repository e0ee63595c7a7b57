//! All watches: which changes need one, when to look, what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::ledger::{Filter, LedgerError, LedgerTable, Records, sha256_hex};
use change::{Change, ChangeBook};
use model::{TimeRange, Timestamp};
use rules::{Alert, AlertState, DataState, RuleQuery};
use verdict::{Card, Concurrent, Exonerated, Facts, Message, UnknownReason, Verdict};

use crate::ask::{SelfHealth, Topology};
use crate::record::{WatchRecord, WatchState, read, record_of};
use crate::session::Session;

/// The rule name of alerts that a Bad verdict raises.
pub const CHANGE_VERDICT: &str = "ChangeVerdict";
/// The group of those alerts.
const GROUP: &str = "watches";
/// Most watches that go on at once; the latest changes win, and the rest say so.
pub const WATCHES_MAX: usize = 64;
/// How long before a change another one counts as concurrent with it, in nanoseconds: its harm may not have shown yet.
const CONCURRENT_NS: i64 = 600_000_000_000;
/// How long the new version must have been silent to count as gone, in nanoseconds.
const GONE_NS: i64 = 12_000_000_000;
/// How long it must have been gone, or well, until its alert is resolved, in nanoseconds.
const RESOLVE_NS: i64 = 10_000_000_000;
/// How often the ledger gets the card of a watch whose verdict stays what it is, in nanoseconds: each write waits for the disk.
const WRITE_NS: i64 = 5_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Why watches could not go on. What was concluded before stays; the next tick tries again.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What the watcher is configured with.
#[derive(Clone, Debug)]
pub struct WatcherOptions {
    /// Whether changes are watched at all.
    pub enabled: bool,
    /// The longest watch, in nanoseconds.
    pub horizon_max_ns: i64,
}

impl Default for WatcherOptions {
    fn default() -> Self {
        Self { enabled: true, horizon_max_ns: 24 * 60 * MINUTE_NS }
    }
}

/// Watches over changes.
pub struct Watcher {
    records: Arc<dyn Records>,
    changes: ChangeBook,
    topology: Arc<dyn Topology>,
    health: Arc<dyn SelfHealth>,
    /// Why what is measured now is suspect, if it is: asked once a tick.
    suspect: Option<String>,
    options: WatcherOptions,
    sessions: BTreeMap<String, Session>,
    next: BTreeMap<String, Timestamp>,
    /// The records of watches that go on, and when the ledger got them.
    kept: BTreeMap<String, (WatchRecord, Timestamp)>,
    /// Changes whose watch has ended.
    ended: BTreeSet<String>,
    /// Alerts that were raised and are not resolved for good, by change.
    alerts: BTreeMap<String, Alert>,
    /// Since when a raised alert has had no ground.
    calm: BTreeMap<String, Timestamp>,
}

impl Watcher {
    /// Over a ledger. Alerts that an earlier process raised go on.
    pub fn new(
        records: Arc<dyn Records>,
        topology: Arc<dyn Topology>,
        options: WatcherOptions,
    ) -> Result<Watcher, WatchError> {
        let changes = ChangeBook::new(records.clone());
        let mut alerts = BTreeMap::new();
        let filter = Filter { states: vec!["firing".to_owned()], ..Filter::default() };
        for document in records.list(LedgerTable::Alerts, &filter)? {
            let id = document.id;
            let alert: Alert = serde_json::from_value(document.body).map_err(|source| LedgerError::Document {
                table: "alerts",
                id,
                source,
            })?;
            if alert.rule == CHANGE_VERDICT
                && let Some(change) = alert.labels.get("change").cloned()
            {
                alerts.insert(change, alert);
            }
        }
        let (sessions, next, calm) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (kept, ended) = (BTreeMap::new(), BTreeSet::new());
        let (health, suspect) = (Arc::new(|_: Timestamp| None), None);
        Ok(Watcher { records, changes, topology, health, suspect, options, sessions, next, kept, ended, alerts, calm })
    }

    /// Asks before each look whether what is measured can be trusted; without it, it always can.
    #[must_use]
    pub fn with_health(mut self, health: Arc<dyn SelfHealth>) -> Self {
        self.health = health;
        self
    }

    /// The rule group of the alerts: what `Responder::retire` must not retire.
    pub fn group() -> &'static str {
        GROUP
    }

    /// Goes on with all watches at `now`: asks, judges, keeps what was concluded, and gives the alerts as they stand. Blocks while
    /// questions are answered.
    pub fn tick(&mut self, now: Timestamp, query: &dyn RuleQuery) -> Result<Vec<Alert>, WatchError> {
        if !self.options.enabled {
            return Ok(Vec::new());
        }
        self.suspect = self.health.suspect(now);
        let range = TimeRange::new(now.saturating_add_ns(-self.options.horizon_max_ns), now.saturating_add_ns(1));
        let changes = self.changes.list(None, range, WATCHES_MAX * 4)?;
        let mut watched = BTreeSet::new();
        for change in &changes {
            if watched.len() >= WATCHES_MAX {
                break;
            }
            if self.go_on(change, &changes, now, query)? {
                watched.insert(change.key());
            }
        }
        self.sessions.retain(|key, _| watched.contains(key));
        self.next.retain(|key, _| watched.contains(key));
        self.kept.retain(|key, _| watched.contains(key));
        let listed: BTreeSet<String> = changes.iter().map(Change::key).collect();
        self.ended.retain(|key| listed.contains(key));
        Ok(self.settle(now))
    }

    /// Goes on with one watch; false when it has ended.
    fn go_on(
        &mut self,
        change: &Change,
        all: &[Change],
        now: Timestamp,
        query: &dyn RuleQuery,
    ) -> Result<bool, WatchError> {
        let key = change.key();
        if self.next.get(&key).is_some_and(|next| now < *next) {
            return Ok(true);
        }
        if self.ended.contains(&key) {
            return Ok(false);
        }
        let (known, written_at) = match self.kept.remove(&key) {
            Some((record, written_at)) => (Some(record), written_at),
            None => (record_of(&*self.records, &key)?, Timestamp::default()),
        };
        if known.as_ref().is_some_and(|known| known.state == WatchState::Ended) {
            self.ended.insert(key);
            return Ok(false);
        }
        if !self.next.contains_key(&key) {
            self.catch_up(known.as_ref(), now)?;
        }
        let bake_ns = self.topology.bake_ns(&change.target.service, change.kind).min(self.options.horizon_max_ns);
        let ends_at = change.settled_at().saturating_add_ns(bake_ns);
        let interval_ns = interval(now.0 - change.started_at.0);
        let (card, comparable, sources) = self.card(change, all, bake_ns, now, query)?;
        let is_new = known.is_none();
        let mut record = known.unwrap_or_else(|| WatchRecord::begin(change, &card, now));
        let about = (change.clone(), ends_at, interval_ns);
        let mut altered = about != (record.change, record.ends_at, record.interval_ns);
        (record.change, record.ends_at, record.interval_ns) = about;
        let session = self.sessions.get(&key);
        if session.is_some() || self.suspect.is_none() {
            altered |= (record.comparable, &record.sources) != (comparable, &sources);
            (record.comparable, record.sources) = (comparable, sources);
        }
        record.beside = session.and_then(Session::beside).or(record.beside);
        let changed = record.judge(card, now) || is_new;
        let ended = now >= ends_at && !self.alerts.contains_key(&key);
        record.state = if ended { WatchState::Ended } else { WatchState::Watching };
        let due = changed || ended || altered || now.0 - written_at.0 >= WRITE_NS;
        if due {
            record.commit(changed || ended, &*self.records)?;
        }
        self.raise(&record, now);
        self.next.insert(key.clone(), now.saturating_add_ns(interval_ns));
        if ended {
            self.ended.insert(key);
        } else {
            self.kept.insert(key, (record, if due { now } else { written_at }));
        }
        Ok(!ended)
    }

    /// Asks and judges. A question that fails makes the verdict Unknown, and is asked again at the next look.
    fn card(
        &mut self,
        change: &Change,
        all: &[Change],
        bake_ns: i64,
        now: Timestamp,
        query: &dyn RuleQuery,
    ) -> Result<(Card, bool, Vec<String>), WatchError> {
        let key = change.key();
        if let Some(why) = &self.suspect {
            // Nobody looks now: what there is to see is asked for once it can be trusted.
            let Some(session) = self.sessions.get(&key) else { return Ok((suspected(why, now), false, Vec::new())) };
            let facts = Facts { self_suspect: Some(why.clone()), ..self.facts(change, all)? };
            return Ok((session.judge(&facts, now), session.comparable(), session.sources()));
        }
        if self.sessions.get(&key).is_some_and(|session| session.stale(now)) {
            self.sessions.remove(&key);
        }
        if !self.sessions.contains_key(&key) {
            match Session::begin(change, bake_ns, &*self.topology, query, now) {
                Ok(session) => self.sessions.insert(key.clone(), session),
                Err(error) => return Ok((failed(&error.to_string(), now), false, Vec::new())),
            };
        }
        let mut facts = self.facts(change, all)?;
        let Some(session) = self.sessions.get_mut(&key) else {
            return Ok((failed("no session", now), false, Vec::new()));
        };
        if let Err(error) = session.look(change, query, now) {
            facts.query_error = Some(error.to_string());
        }
        Ok((session.judge(&facts, now), session.comparable(), session.sources()))
    }

    /// Other changes that may be to blame: of the same service or of one that it needs, at about the same time.
    fn facts(&self, change: &Change, all: &[Change]) -> Result<Facts, WatchError> {
        let needed = self.topology.dependencies(&change.target.service);
        let mut facts = Facts::default();
        for other in all.iter().filter(|other| other.key() != change.key()) {
            let same = other.target.service == change.target.service;
            if !same && !needed.contains(&other.target.service) {
                continue;
            }
            let before_ns = change.started_at.0 - other.settled_at().0;
            let what = other.message();
            if before_ns > CONCURRENT_NS {
                continue;
            }
            let good = record_of(&*self.records, &other.key())?
                .is_some_and(|record| before_ns > 0 && record.card.verdict == Verdict::Good);
            if good {
                facts.cleared.push(Exonerated::new(what, Message::ClearedByWatch {}));
            } else {
                let reason = if same { Message::SameService {} } else { Message::NeededService {} };
                let needed = (!same).then(|| other.target.service.clone());
                facts.concurrent.push(Concurrent { what, reason, at: other.started_at, needed });
            }
        }
        Ok(facts)
    }

    /// Raises the alert of a Bad verdict that an earlier process kept and did not live to tell, whatever the version does by now: a
    /// verdict is committed before its alert is.
    fn catch_up(&mut self, known: Option<&WatchRecord>, now: Timestamp) -> Result<(), LedgerError> {
        let Some(known) = known.filter(|known| !self.alerts.contains_key(&known.id)) else { return Ok(()) };
        let Some(decided) = known.decided.clone() else { return Ok(()) };
        let filter = Filter { service: Some(known.service.clone()), ..Filter::default() };
        let told = self.records.list(LedgerTable::Alerts, &filter)?;
        if !told.iter().any(|alert| alert.body["rule"] == CHANGE_VERDICT && alert.body["labels"]["change"] == known.id)
        {
            let decided = WatchRecord { card: decided, ..known.clone() };
            self.alerts.insert(known.id.clone(), alert(&decided, now));
        }
        Ok(())
    }

    /// Raises the alert of a Bad verdict, or keeps it up to date.
    fn raise(&mut self, record: &WatchRecord, now: Timestamp) {
        let bad = record.card.verdict == Verdict::Bad;
        let served = self.sessions.get(&record.id).and_then(Session::new_last);
        let silent = served.is_none_or(|last| now.0 - last.0 > GONE_NS);
        match self.alerts.get_mut(&record.id) {
            None if bad => {
                self.alerts.insert(record.id.clone(), alert(record, now));
            }
            None => {}
            Some(raised) => {
                let measured = !matches!(
                    record.card.verdict,
                    Verdict::Unknown(UnknownReason::QueryError | UnknownReason::SelfSuspect)
                );
                raised.data = if measured && !silent { DataState::Measured } else { DataState::Unknown };
                raised.evaluated_at = now;
                raised.interval_ns = record.interval_ns;
                if bad && !silent {
                    self.calm.remove(&record.id);
                    raised.annotations = annotations(record);
                } else if measured {
                    self.calm.entry(record.id.clone()).or_insert(now);
                } else {
                    // Nobody sees now whether it is calm.
                    self.calm.remove(&record.id);
                }
            }
        }
    }

    /// The alerts as they stand; those without ground for long enough are resolved, and forgotten after that.
    fn settle(&mut self, now: Timestamp) -> Vec<Alert> {
        for (key, since) in &self.calm {
            if let Some(alert) = self.alerts.get_mut(key)
                && alert.state == AlertState::Firing
                && now.0 - since.0 >= RESOLVE_NS
            {
                (alert.state, alert.resolved_at, alert.data) = (AlertState::Resolved, Some(now), DataState::Measured);
            }
        }
        let standing: Vec<Alert> = self.alerts.values().cloned().collect();
        let old = |alert: &Alert| alert.resolved_at.is_some_and(|at| now.0 - at.0 > MINUTE_NS);
        self.alerts.retain(|_, alert| !old(alert));
        let alerts = &self.alerts;
        self.calm.retain(|key, _| alerts.contains_key(key));
        standing
    }

    /// How many watches go on.
    pub fn going_on(&self) -> usize {
        self.sessions.len()
    }

    /// The watches that the ledger has, of a range of time.
    pub fn list(records: &dyn Records, filter: &Filter) -> Result<Vec<WatchRecord>, LedgerError> {
        records.list(LedgerTable::Watches, filter)?.into_iter().map(read).collect()
    }
}

/// How far apart two looks are at an age: often while it matters most.
fn interval(age_ns: i64) -> i64 {
    match age_ns / MINUTE_NS {
        ..10 => SECOND_NS,
        10..60 => 5 * SECOND_NS,
        _ => 30 * SECOND_NS,
    }
}

fn failed(error: &str, now: Timestamp) -> Card {
    unmeasured(UnknownReason::QueryError, error, Message::AnswerNeeded {}, now)
}

fn suspected(why: &str, now: Timestamp) -> Card {
    unmeasured(UnknownReason::SelfSuspect, why, Message::BackstopWell {}, now)
}

/// A card without any measurement.
fn unmeasured(reason: UnknownReason, text: &str, would_change: Message, now: Timestamp) -> Card {
    let card = Card::new(Verdict::Unknown(reason), Message::Verbatim { text: text.to_owned() }, now);
    card.with(Vec::new(), Vec::new(), vec![would_change])
}

fn annotations(record: &WatchRecord) -> BTreeMap<String, String> {
    let summary = format!("{} is bad: {}", record.change.summary(), record.card.detail);
    [("summary".to_owned(), summary)].into()
}

fn alert(record: &WatchRecord, now: Timestamp) -> Alert {
    let mut labels: BTreeMap<String, String> = [
        ("alertname", CHANGE_VERDICT.to_owned()),
        ("service", record.service.clone()),
        ("change", record.id.clone()),
        ("severity", "page".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(version) = &record.change.to_version {
        labels.insert("version".to_owned(), version.clone());
    }
    let bad = record.card.signals.iter().find(|signal| signal.verdict == Verdict::Bad);
    let fingerprint = sha256_hex(format!("{CHANGE_VERDICT}\0{}", record.id).as_bytes());
    let id = sha256_hex(format!("{fingerprint}\0{}", now.0).as_bytes());
    Alert {
        id: format!("alert-{}", &id[..16]),
        fingerprint: fingerprint[..16].to_owned(),
        rule: CHANGE_VERDICT.to_owned(),
        group: GROUP.to_owned(),
        labels,
        annotations: annotations(record),
        state: AlertState::Firing,
        active_at: record.decided_at.unwrap_or(now),
        fired_at: Some(now),
        keep_firing_since: None,
        resolved_at: None,
        value: bad.map(|signal| signal.effect),
        columns: BTreeMap::new(),
        data: DataState::Measured,
        evaluated_at: now,
        interval_ns: record.interval_ns,
        query: bad.map(|signal| signal.query.clone()).unwrap_or_default(),
        window_ns: None,
        playbook: None,
    }
}
