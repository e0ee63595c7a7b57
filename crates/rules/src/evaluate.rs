//! Evaluates one group of rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::ledger::{Document, LedgerError, LedgerTable, Records, Write, sha256_hex, time_text};
use model::{FloatHistogram, Labels, LabelsBuilder, METRIC_NAME, TimeRange, Timestamp, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::output::{RuleSamples, SampleSink, alert_series};
use crate::state::{Origin, Recovery, RuleState, Sample, Scene};
use crate::template::Surroundings;
use crate::{Alert, DataState, Group, NoData, Rule, RuleExpr, RuleKind, When};

/// Why a query of a rule failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleQueryError(pub String);

/// One sample of the vector that a rule's expression yields.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSample {
    /// Its labels.
    pub labels: Labels,
    /// Its value; not a number if it is a histogram.
    pub value: f64,
    /// Its value if it is a histogram.
    pub histogram: Option<Arc<FloatHistogram>>,
}

/// How rules ask questions. The server implements it over the engine; calls may block.
pub trait RuleQuery {
    /// Evaluates PromQL at a time.
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError>;
    /// As [`RuleQuery::instant`], with native histograms as they are. A source without any need not have it.
    fn vector(&self, expr: &str, at: Timestamp) -> Result<Vec<RuleSample>, RuleQueryError> {
        let float = |(labels, value)| RuleSample { labels, value, histogram: None };
        Ok(self.instant(expr, at)?.into_iter().map(float).collect())
    }
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
    /// Samples of recording rules and the series of alerts, staleness markers included; empty when a sink took them.
    pub samples: RuleSamples,
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
    /// The series that it wrote last: what is gone from them ends at once, with a staleness marker.
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
    surroundings: Surroundings,
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
            let before = alert_series(&rule.name, state.alerts.values());
            let (health, recorded) = (Health::Unknown, before.into_iter().map(|(labels, _)| labels).collect());
            slots.push(RuleSlot { key, rule: rule.clone(), state, saved, health, evaluated_at: None, recorded });
        }
        Ok(GroupEvaluator { group, slots, records, surroundings: Surroundings::default(), last_slot: None })
    }

    /// With what templates may say of the server: its external labels and its address.
    pub fn with_surroundings(mut self, surroundings: Surroundings) -> GroupEvaluator {
        self.surroundings = surroundings;
        self
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
        let mut samples = RuleSamples::default();
        let evaluation = self.evaluate_into(now, query, &mut samples)?;
        Ok(evaluation.map(|evaluation| Evaluation { samples, ..evaluation }))
    }

    /// As [`GroupEvaluator::evaluate`]; the sink has a rule's samples before the next rule is evaluated, which thus sees them.
    pub fn evaluate_into(
        &mut self,
        now: Timestamp,
        query: &dyn RuleQuery,
        sink: &mut dyn SampleSink,
    ) -> Result<Option<Evaluation>, LedgerError> {
        let slot = now.0.div_euclid(self.group.interval_ns);
        let missed = match self.last_slot {
            Some(last) if slot <= last => return Ok(None),
            Some(last) => slot - last - 1,
            None => 0,
        };
        self.last_slot = Some(slot);
        let evaluation = self.evaluate_at(Timestamp(slot * self.group.interval_ns), query, sink)?;
        Ok(Some(Evaluation { missed, ..evaluation }))
    }

    /// Evaluates the group for a time, whenever it is due: for tests of rules.
    pub(crate) fn evaluate_at(
        &mut self,
        at: Timestamp,
        query: &dyn RuleQuery,
        sink: &mut dyn SampleSink,
    ) -> Result<Evaluation, LedgerError> {
        let mut evaluation = Evaluation { at, ..Evaluation::default() };
        for slot in &mut self.slots {
            let run = SlotRun { group: &self.group, at, query, surroundings: &self.surroundings };
            let written = match slot.rule.kind {
                RuleKind::Alert => run.alert(slot),
                RuleKind::Record => run.record(slot),
            };
            if let Some(samples) = written.filter(|samples| !samples.is_empty())
                && let Err(error) = sink.store(samples)
            {
                slot.health = Health::Err(format!("its samples were not stored: {error}"));
            }
            slot.evaluated_at = Some(at);
            if let Health::Err(error) = &slot.health {
                evaluation.errors.push((slot.rule.name.clone(), error.clone()));
            }
        }
        self.save(at)?;
        Ok(evaluation)
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
    surroundings: &'a Surroundings,
}

/// What a query said.
struct Answer {
    samples: Vec<Sample>,
    recovery: Recovery,
    /// Whether there was anything to measure.
    data: bool,
}

impl SlotRun<'_> {
    /// Evaluates an alert rule; what is written, `None` after an evaluation that failed: what was written goes on then.
    fn alert(&self, slot: &mut RuleSlot) -> Option<RuleSamples> {
        let mut answer = match self.ask(&slot.rule, &slot.state) {
            Ok(answer) => answer,
            Err(error) => {
                slot.state.unmeasured(self.at);
                slot.health = Health::Err(error.0);
                return None;
            }
        };
        slot.health = if answer.data { Health::Ok } else { Health::NoData };
        if !answer.data {
            match slot.rule.no_data {
                NoData::Ok => {}
                NoData::Keep | NoData::Unknown => {
                    slot.state.unmeasured(self.at);
                    return Some(self.alert_samples(slot));
                }
                NoData::Alerting => answer.samples.push(no_data_sample()),
            }
        }
        let Answer { samples, recovery, .. } = answer;
        let origin = Origin { key: &slot.key, group: self.group, rule: &slot.rule };
        let scene = self.scene();
        if let Err(error) = slot.state.step(origin, samples, &recovery, &scene) {
            slot.state.unmeasured(self.at);
            slot.health = Health::Err(error);
            return None;
        }
        Some(self.alert_samples(slot))
    }

    fn scene(&self) -> Scene<'_> {
        Scene { at: self.at, asked_at: self.asked_at(), query: self.query, surroundings: self.surroundings }
    }

    /// The time that queries are for and samples are written at.
    fn asked_at(&self) -> Timestamp {
        self.at.saturating_add_ns(-self.group.query_offset_ns)
    }

    fn alert_samples(&self, slot: &mut RuleSlot) -> RuleSamples {
        let series = alert_series(&slot.rule.name, slot.state.alerts.values());
        let mut out = RuleSamples::default();
        let now = series.iter().map(|(labels, _)| labels.clone()).collect();
        for (labels, value) in series {
            out.push(labels, self.asked_at(), value);
        }
        out.end_gone(&mut slot.recorded, now, self.asked_at());
        out
    }

    fn ask(&self, rule: &Rule, state: &RuleState) -> Result<Answer, RuleQueryError> {
        let at = self.asked_at();
        match &rule.expr {
            RuleExpr::Promql { expr, presence, recover } => {
                let samples: Vec<Sample> = self.query.vector(expr, at)?.into_iter().map(sample).collect();
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

    fn record(&self, slot: &mut RuleSlot) -> Option<RuleSamples> {
        match self.recorded(&slot.rule, &slot.state) {
            Ok((mut out, now)) => {
                out.end_gone(&mut slot.recorded, now, self.asked_at());
                slot.health = Health::Ok;
                Some(out)
            }
            Err(error) => {
                slot.health = Health::Err(error.0);
                None
            }
        }
    }

    fn recorded(&self, rule: &Rule, state: &RuleState) -> Result<(RuleSamples, BTreeSet<Labels>), RuleQueryError> {
        let answer = self.ask(rule, state)?;
        let (mut out, mut now) = (RuleSamples::default(), BTreeSet::new());
        for sample in &answer.samples {
            let labels = recorded_labels(rule, sample);
            if !now.insert(labels.clone()) {
                let text = "vector contains metrics with the same labelset after applying rule labels";
                return Err(RuleQueryError(format!("{text}: {labels}; group by what tells them apart")));
            }
            match &sample.histogram {
                Some(histogram) => out.push_histogram(labels, self.asked_at(), Arc::clone(histogram)),
                None => out.push(labels, self.asked_at(), sample.value),
            }
        }
        let (found, limit) = (now.len(), self.group.limit);
        if limit > 0 && found > limit {
            let advice = "raise it or narrow the query";
            return Err(RuleQueryError(format!("exceeded limit of {limit} with {found} series; {advice}")));
        }
        Ok((out, now))
    }
}

fn no_data_sample() -> Sample {
    Sample { data: DataState::NoData, ..Sample::measured(BTreeMap::new(), f64::NAN) }
}

fn label_map(labels: &Labels) -> BTreeMap<String, String> {
    let named = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn sample(found: RuleSample) -> Sample {
    let labels = found.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Sample { histogram: found.histogram, ..Sample::measured(labels, found.value) }
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
    Sample { columns, ..Sample::measured(row_labels(row, by), value) }
}

/// The series that a sample is recorded as. Labels of recording rules are no templates, as in Prometheus.
fn recorded_labels(rule: &Rule, sample: &Sample) -> Labels {
    let mut labels = LabelsBuilder::default();
    for (name, value) in &sample.labels {
        labels.set(name.as_str(), value.as_str());
    }
    for (name, template) in &rule.labels {
        labels.set(name.as_str(), template.text());
    }
    labels.set(METRIC_NAME, rule.name.as_str());
    labels.build()
}
