//! Evaluates one group of rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::ledger::{Document, LedgerError, LedgerTable, Records, Write, sha256_hex, time_text};
use model::{
    Labels, LabelsBuilder, METRIC_NAME, Sample as SeriesSample, SeriesBatch, SeriesSamples, TimeRange, Timestamp,
    Value, stale_nan,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::state::{Origin, Recovery, RuleState, Sample};
use crate::{Alert, DataState, Group, NoData, Rule, RuleExpr, RuleKind, When};

/// Why a query of a rule failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleQueryError(pub String);

/// How rules ask questions. The server implements it over the engine; calls may block.
pub trait RuleQuery {
    /// Evaluates PromQL at a time.
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError>;
    /// Runs a query of the native language over a range of time; the rows' columns by name. It must be the whole answer: one that was
    /// cut short is an error.
    fn logs(&self, query: &str, range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError>;
}

/// How the last evaluation of a rule went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "health", content = "error")]
pub enum Health {
    /// Not evaluated yet.
    Unknown,
    /// Well.
    Ok,
    /// The query found no data.
    NoData,
    /// The query failed, or its result can not be used.
    Err(String),
}

/// A rule and how it is doing.
#[derive(Clone, Debug)]
pub struct RuleStatus<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// How its last evaluation went.
    pub health: &'a Health,
    /// When that was.
    pub evaluated_at: Option<Timestamp>,
    /// Its alerts, resolved ones of the last 15 minutes included.
    pub alerts: Vec<&'a Alert>,
}

/// What one evaluation of a group brought.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// The time it was for.
    pub at: Timestamp,
    /// Slots of the interval that passed without an evaluation since the last one.
    pub missed: i64,
    /// Samples of recording rules, staleness markers included.
    pub samples: SeriesBatch,
    /// Rules that failed, by name, and why.
    pub errors: Vec<(String, String)>,
}

struct RuleSlot {
    key: String,
    rule: Rule,
    state: RuleState,
    saved: Json,
    health: Health,
    evaluated_at: Option<Timestamp>,
    recorded: BTreeSet<Labels>,
}

impl RuleSlot {
    fn status(&self) -> RuleStatus<'_> {
        let alerts = self.state.alerts.values().collect();
        RuleStatus { rule: &self.rule, health: &self.health, evaluated_at: self.evaluated_at, alerts }
    }
}

/// One group of rules and its state.
pub struct GroupEvaluator {
    group: Group,
    slots: Vec<RuleSlot>,
    records: Arc<dyn Records>,
    last_slot: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct SavedState {
    rule: String,
    #[serde(with = "time_text")]
    saved_at: Timestamp,
    state: RuleState,
}

impl GroupEvaluator {
    /// Prepares a group at time `now`, with the state that an earlier process left in the ledger.
    pub fn new(group: Group, records: Arc<dyn Records>, now: Timestamp) -> Result<GroupEvaluator, LedgerError> {
        let mut slots = Vec::with_capacity(group.rules.len());
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for rule in &group.rules {
            let nth = seen.entry(rule.name.clone()).or_default();
            let key = sha256_hex(format!("{}\0{}\0{nth}", group.name, rule.name).as_bytes())[..32].to_owned();
            *nth += 1;
            let state = match records.get(LedgerTable::RuleState, &key)? {
                Some(document) => restore(document, rule, now)?,
                None => RuleState::default(),
            };
            let saved = state.durable();
            let (health, recorded) = (Health::Unknown, BTreeSet::new());
            slots.push(RuleSlot { key, rule: rule.clone(), state, saved, health, evaluated_at: None, recorded });
        }
        Ok(GroupEvaluator { group, slots, records, last_slot: None })
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// When the group is due next: the next multiple of its interval after the last evaluation, or at once.
    pub fn next_due(&self, now: Timestamp) -> Timestamp {
        match self.last_slot {
            Some(slot) => Timestamp((slot + 1).saturating_mul(self.group.interval_ns)),
            None => now,
        }
    }

    /// Evaluates the group if it is due at `now`, for the latest multiple of its interval that has passed. Fails when the state
    /// can not be saved; it is kept in memory then, and the next evaluation saves it.
    pub fn evaluate(&mut self, now: Timestamp, query: &dyn RuleQuery) -> Result<Option<Evaluation>, LedgerError> {
        let slot = now.0.div_euclid(self.group.interval_ns);
        let missed = match self.last_slot {
            Some(last) if slot <= last => return Ok(None),
            Some(last) => slot - last - 1,
            None => 0,
        };
        self.last_slot = Some(slot);
        let at = Timestamp(slot * self.group.interval_ns);
        let mut evaluation = Evaluation { at, missed, ..Evaluation::default() };
        for slot in &mut self.slots {
            let run = SlotRun { group: &self.group, at, query };
            match slot.rule.kind {
                RuleKind::Alert => run.alert(slot),
                RuleKind::Record => run.record(slot, &mut evaluation.samples),
            }
            slot.evaluated_at = Some(at);
            if let Health::Err(error) = &slot.health {
                evaluation.errors.push((slot.rule.name.clone(), error.clone()));
            }
        }
        self.save(at)?;
        Ok(Some(evaluation))
    }

    /// Every alert of the group: pending, firing, and resolved in the last 15 minutes.
    pub fn alerts(&self) -> Vec<Alert> {
        self.slots.iter().flat_map(|slot| slot.state.alerts.values().cloned()).collect()
    }

    /// How each rule is doing, in the order of the file.
    pub fn status(&self) -> Vec<RuleStatus<'_>> {
        self.slots.iter().map(RuleSlot::status).collect()
    }

    fn save(&mut self, at: Timestamp) -> Result<(), LedgerError> {
        let mut batch = Vec::new();
        for slot in &self.slots {
            let durable = slot.state.durable();
            if durable == slot.saved {
                continue;
            }
            let saved = SavedState { rule: slot.rule.name.clone(), saved_at: at, state: slot.state.clone() };
            let document = Document {
                id: slot.key.clone(),
                time: at,
                service: String::new(),
                state: String::new(),
                body: json!(saved),
            };
            batch.push(Write::Put(LedgerTable::RuleState, document));
        }
        if !batch.is_empty() {
            self.records.commit(batch)?;
            for slot in &mut self.slots {
                slot.saved = slot.state.durable();
            }
        }
        Ok(())
    }
}

fn restore(document: Document, rule: &Rule, now: Timestamp) -> Result<RuleState, LedgerError> {
    let id = document.id;
    let saved: SavedState = serde_json::from_value(document.body).map_err(|source| LedgerError::Document {
        table: "rule_state",
        id,
        source,
    })?;
    Ok(saved.state.restore(rule, saved.saved_at, now))
}

/// The evaluation of one rule.
struct SlotRun<'a> {
    group: &'a Group,
    at: Timestamp,
    query: &'a dyn RuleQuery,
}

/// What a query said.
struct Answer {
    samples: Vec<Sample>,
    recovery: Recovery,
    /// Whether there was anything to measure.
    data: bool,
}

impl SlotRun<'_> {
    fn alert(&self, slot: &mut RuleSlot) {
        let mut answer = match self.ask(&slot.rule, &slot.state) {
            Ok(answer) => answer,
            Err(error) => {
                slot.state.unmeasured(self.at);
                slot.health = Health::Err(error.0);
                return;
            }
        };
        slot.health = if answer.data { Health::Ok } else { Health::NoData };
        if !answer.data {
            match slot.rule.no_data {
                NoData::Ok => {}
                NoData::Keep | NoData::Unknown => return slot.state.unmeasured(self.at),
                NoData::Alerting => answer.samples.push(no_data_sample()),
            }
        }
        let Answer { samples, recovery, .. } = answer;
        let origin = Origin { key: &slot.key, group: self.group, rule: &slot.rule };
        if let Err(error) = slot.state.step(origin, samples, &recovery, self.at) {
            slot.state.unmeasured(self.at);
            slot.health = Health::Err(error);
        }
    }

    fn ask(&self, rule: &Rule, state: &RuleState) -> Result<Answer, RuleQueryError> {
        let at = self.at.saturating_add_ns(-self.group.query_offset_ns);
        match &rule.expr {
            RuleExpr::Promql { expr, presence, recover } => {
                let samples: Vec<Sample> =
                    self.query.instant(expr, at)?.into_iter().map(|(labels, value)| sample(&labels, value)).collect();
                let asks_presence = samples.is_empty() && presence != expr && rule.no_data != NoData::Ok;
                let data = !samples.is_empty() || (asks_presence && !self.query.instant(presence, at)?.is_empty());
                // With the policy `ok` nobody needs to know whether an empty answer was health or no data.
                let data = data || (rule.no_data == NoData::Ok);
                let recovery = match recover {
                    Some(recover) if !state.alerts.is_empty() => {
                        let found = self.query.instant(recover, at)?;
                        Recovery::Matching(found.iter().map(|(labels, _)| label_map(labels)).collect())
                    }
                    _ => Recovery::All,
                };
                Ok(Answer { samples, recovery, data })
            }
            RuleExpr::Logs { query, window_ns, by, when, recover } => {
                let rows = self.query.logs(query, TimeRange::new(at.saturating_add_ns(-window_ns), at))?;
                let data = !rows.is_empty();
                let recovery = match recover {
                    Some(recover) => {
                        let held = rows.iter().filter(|row| !recover.holds(row));
                        Recovery::AllBut(held.map(|row| row_labels(row, by)).collect())
                    }
                    None => Recovery::All,
                };
                let met = rows.iter().filter(|row| when.as_ref().is_none_or(|when| when.holds(row)));
                let samples = met.map(|row| row_sample(row, by, when.as_ref())).collect();
                Ok(Answer { samples, recovery, data })
            }
        }
    }

    fn record(&self, slot: &mut RuleSlot, out: &mut SeriesBatch) {
        let RuleSlot { rule, state, .. } = &*slot;
        let answer = match self.ask(rule, state) {
            Ok(answer) => answer,
            Err(error) => {
                slot.health = Health::Err(error.0);
                return;
            }
        };
        let mut now = BTreeSet::new();
        let mut series = Vec::new();
        for sample in &answer.samples {
            let labels = recorded_labels(rule, sample);
            series.push(one_sample(labels.clone(), self.at, sample.value));
            if !now.insert(labels.clone()) {
                slot.health =
                    Health::Err(format!("the result has the series {labels} twice; group by what tells them apart"));
                return;
            }
        }
        if self.group.limit > 0 && now.len() > self.group.limit {
            let (found, limit) = (now.len(), self.group.limit);
            slot.health = Health::Err(format!("the rule yields {found} series, the group's limit is {limit}"));
            return;
        }
        let gone = slot.recorded.difference(&now);
        series.extend(gone.map(|labels| one_sample(labels.clone(), self.at, stale_nan())));
        out.series.append(&mut series);
        slot.recorded = now;
        slot.health = Health::Ok;
    }
}

fn no_data_sample() -> Sample {
    Sample { labels: BTreeMap::new(), value: f64::NAN, columns: BTreeMap::new(), data: DataState::NoData }
}

fn label_map(labels: &Labels) -> BTreeMap<String, String> {
    let named = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn sample(labels: &Labels, value: f64) -> Sample {
    Sample { labels: label_map(labels), value, columns: BTreeMap::new(), data: DataState::Measured }
}

fn row_labels(row: &BTreeMap<String, Value>, by: &[String]) -> BTreeMap<String, String> {
    let pairs = by.iter().filter_map(|name| Some((name.clone(), row.get(name)?.text().into_owned())));
    pairs.filter(|(_, value)| !value.is_empty()).collect()
}

fn row_sample(row: &BTreeMap<String, Value>, by: &[String], when: Option<&When>) -> Sample {
    let first_number = || row.iter().filter(|(name, _)| !by.contains(*name)).find_map(|(_, value)| value.number());
    let value = when.and_then(|when| when.value(row)).or_else(first_number).unwrap_or(f64::NAN);
    let json = |value: &Value| serde_json::from_str(&value.to_json()).unwrap_or(Json::Null);
    let columns = row.iter().map(|(name, value)| (name.clone(), json(value))).collect();
    Sample { labels: row_labels(row, by), value, columns, data: DataState::Measured }
}

fn recorded_labels(rule: &Rule, sample: &Sample) -> Labels {
    let mut labels = LabelsBuilder::default();
    for (name, value) in &sample.labels {
        labels.set(name.as_str(), value.as_str());
    }
    for (name, template) in &rule.labels {
        labels.set(name.as_str(), template.render(&sample.labels, sample.value));
    }
    labels.set(METRIC_NAME, rule.name.as_str());
    labels.build()
}

fn one_sample(labels: Labels, at: Timestamp, value: f64) -> SeriesSamples {
    SeriesSamples { labels, samples: vec![SeriesSample { time_ms: at.millis(), value }], exemplars: Vec::new() }
}
