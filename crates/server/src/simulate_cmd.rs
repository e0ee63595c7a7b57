//! `backstop playbooks simulate`: a playbook on recorded data, and `backstop playbooks graph`.
#![allow(clippy::print_stdout, reason = "printing is what commands do")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use catalog::ledger::{Document, Filter, Ledger, LedgerTable, Records as _};
use change::{Catalogue, Change, ServiceEntry, ServiceGraph};
use engine::{Engine, QueryLimits};
use model::{Labels, LabelsBuilder, TimeRange, Timestamp, Value};
use reqwest::Method;
use respond::{Graph, Mode, Playbook, SimulateError, SimulateInput, Simulation, simulate};
use rules::{Alert, RuleQuery, RuleQueryError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use telemetry::clock;

use crate::cli::{GraphFormat, SimulateArgs, SimulateOutput};
use crate::exit::Failure;
use crate::loops::query::EngineQuery;
use crate::loops::state::LedgerTables;
use crate::offline::{LEDGER_FILE, open_store};
use crate::remote::{Place, Remote, Where};

/// Most incidents and changes that a simulation looks at.
const RECORDS_MAX: usize = 10_000;

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::internal(error.to_string(), "")
}

/// The playbooks of files; a mistake in one ends the command.
pub(crate) fn playbooks(files: &[std::path::PathBuf]) -> Result<Vec<Playbook>, Failure> {
    let (playbooks, report) = respond::load_playbooks(&crate::commands::read_all(files)?);
    if report.is_ok() { Ok(playbooks) } else { Err(Failure::negative(report.to_string())) }
}

/// `backstop playbooks graph`.
pub(crate) fn graph(files: &[std::path::PathBuf], format: GraphFormat) -> Result<(), Failure> {
    for playbook in playbooks(files)? {
        let graph = Graph::of(&playbook);
        match format {
            GraphFormat::Mermaid => print!("{}", graph.mermaid()),
            GraphFormat::Svg => print!("{}", graph.svg()),
        }
    }
    Ok(())
}

/// `backstop playbooks simulate`.
pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let Some(playbook) = playbooks(std::slice::from_ref(&args.file))?.pop() else {
        return Err(Failure::usage("the file holds no playbook", ""));
    };
    let mode = match &args.mode {
        None => Mode::Auto,
        Some(word) => Mode::parse(word)
            .ok_or_else(|| Failure::usage(format!("there is no mode {word:?}"), "observe, suggest, approve or auto"))?,
    };
    let approve_after_ns = match args.approve_after.as_str() {
        "never" => None,
        text => Some(
            model::parse_duration_ns(text)
                .or((text == "0").then_some(0))
                .ok_or_else(|| Failure::usage(format!("{text:?} is not a duration"), "write 2m, 0 or never"))?,
        ),
    };
    let now = clock::now();
    let time = |text: &Option<String>, default: Timestamp| match text {
        Some(text) => Timestamp::parse(text, now).map_err(|error| Failure::usage(error.to_string(), "")),
        None => Ok(default),
    };
    let (from, to) = (time(&args.from, Timestamp(i64::MIN))?, time(&args.to, Timestamp(i64::MAX))?);
    let (alerts, changes, graph) = (Vec::new(), Vec::new(), ServiceGraph::default());
    let input = SimulateInput { playbook, mode, approve_after_ns, alerts, changes, graph, from, to };
    let simulation = match &args.record {
        Some(path) => on_record(input, path)?,
        None => on_data(input, &args.at)?,
    };
    match args.output {
        SimulateOutput::Json => {
            println!("{}", serde_json::to_string_pretty(&simulation).map_err(|error| broken(&error))?);
        }
        SimulateOutput::Table => print_table(&simulation),
    }
    Ok(())
}

fn print_table(simulation: &Simulation) {
    println!("{} in mode {}", simulation.playbook, simulation.mode.as_str());
    for step in &simulation.steps {
        println!("{}  {:<8}  {}", step.at, step.kind, step.what);
    }
    for action in &simulation.actions {
        println!("would do: {} by {}: {}", action.verb, action.call.kind(), json!(action.call));
    }
    for run in &simulation.runs {
        let text = |key: &str| run[key].as_str().unwrap_or("not ended").to_owned();
        println!("run {}: {}: {}", text("id"), text("outcome"), text("summary"));
    }
    for note in &simulation.notes {
        println!("note: {note}");
    }
}

fn simulated(input: &SimulateInput, query: &dyn RuleQuery) -> Result<Simulation, Failure> {
    simulate(input, query).map_err(|error| match error {
        SimulateError::Range(_) => Failure::usage(error.to_string(), ""),
        SimulateError::Respond(_) => broken(&error),
    })
}

/// On the data of a server or of a directory.
fn on_data(mut input: SimulateInput, at: &Where) -> Result<Simulation, Failure> {
    if input.from.0 == i64::MIN || input.to.0 == i64::MAX {
        return Err(Failure::usage(
            "--from or --to is missing",
            "say which time is played, such as --from -1h --to now",
        ));
    }
    // Changes before the first alert are suspects, too.
    let since = input.from.saturating_add_ns(-input.playbook.requires.change_within_ns);
    match at.place()? {
        Place::Server(server) => {
            let query = RemoteQuery(&server);
            input.graph = remote_graph(&server)?;
            (input.alerts, input.changes) = remote_records(&server, &input, since)?;
            simulated(&input, &query)
        }
        Place::Directory(dir) => {
            input.graph = crate::loops::services::learned(dir);
            let store = Arc::new(open_store(dir)?);
            let ledger = Arc::new(Ledger::open(&dir.join(LEDGER_FILE)).map_err(|error| broken(&error))?);
            let all = Filter { limit: RECORDS_MAX, latest_first: true, ..Filter::default() };
            let changes = Filter { range: TimeRange::new(since, input.to.saturating_add_ns(1)), ..all.clone() };
            input.alerts = documents(&ledger, LedgerTable::Alerts, &all)?;
            input.changes = documents(&ledger, LedgerTable::Changes, &changes)?;
            let runtime = tokio::runtime::Runtime::new().map_err(|error| broken(&error))?;
            let engine = {
                let _inside = runtime.enter();
                Engine::new(store, Arc::new(LedgerTables::new(ledger)), QueryLimits::default())
            };
            let query = EngineQuery::new(engine.map_err(|error| broken(&error))?, runtime.handle().clone());
            simulated(&input, &query)
        }
    }
}

/// Who needs whom, as a server knows it by now.
fn remote_graph(server: &Remote) -> Result<ServiceGraph, Failure> {
    let graph = server.ask(Method::GET, "/backstop/api/v1/services/graph", None)?;
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for edge in graph["edges"].as_array().into_iter().flatten() {
        let name = |end: &str| edge[end].as_str().unwrap_or("").to_owned();
        let (needy, needed) = if edge["kind"] == "message" { ("callee", "caller") } else { ("caller", "callee") };
        needs.entry(name(needy)).or_default().push(name(needed));
    }
    let entry = |(service, depends_on)| ServiceEntry { service, depends_on, ..ServiceEntry::default() };
    Ok(ServiceGraph::from_catalogue(&Catalogue::new(needs.into_iter().map(entry))))
}

fn documents<T: DeserializeOwned>(ledger: &Ledger, table: LedgerTable, filter: &Filter) -> Result<Vec<T>, Failure> {
    let found = ledger.list(table, filter).map_err(|error| broken(&error))?;
    let read = |document: Document| serde_json::from_value(document.body);
    found.into_iter().map(read).collect::<Result<_, _>>().map_err(|error| broken(&error))
}

/// The alerts and changes that a server has recorded; alerts are found by their incidents.
fn remote_records(
    server: &Remote,
    input: &SimulateInput,
    since: Timestamp,
) -> Result<(Vec<Alert>, Vec<Change>), Failure> {
    let (end, limit) = (input.to, RECORDS_MAX);
    let path = format!("/backstop/api/v1/changes?start={since}&end={end}&limit={limit}");
    let changes = read_list(&server.ask(Method::GET, &path, None)?["changes"])?;
    let incidents = server.ask(Method::GET, &format!("/backstop/api/v1/incidents?end={end}&limit={limit}"), None)?;
    let mut alerts: Vec<Alert> = Vec::new();
    for incident in incidents["incidents"].as_array().into_iter().flatten() {
        let id = incident["id"].as_str().unwrap_or("");
        let resolved = incident["resolved_at"].as_str().and_then(|text| Timestamp::parse(text, end).ok());
        if resolved.is_some_and(|resolved| resolved < input.from) {
            continue;
        }
        let incident = server.ask(Method::GET, &format!("/backstop/api/v1/incidents/{id}"), None)?;
        alerts.extend(read_list::<Alert>(&incident["alerts"])?);
    }
    Ok((alerts, changes))
}

fn read_list<T: DeserializeOwned>(json: &Json) -> Result<Vec<T>, Failure> {
    let items = json.as_array().into_iter().flatten();
    items.map(|item| serde_json::from_value(item.clone()).map_err(|error| broken(&error))).collect()
}

/// A recorded incident as `GET /incidents/{id}` gives it, with measurements added by hand where a step needs them.
#[derive(Deserialize)]
struct Recording {
    alerts: Vec<Alert>,
    #[serde(default)]
    change: Option<Json>,
    #[serde(default)]
    changes: Vec<Change>,
    /// What queries yielded, by their text: `[[time, number], ...]`. A number holds until the next time; null is no sample.
    #[serde(default)]
    series: BTreeMap<String, Vec<(String, Option<f64>)>>,
}

/// On a recorded incident in a file.
fn on_record(mut input: SimulateInput, path: &Path) -> Result<Simulation, Failure> {
    let text = crate::commands::read_all(&[path.to_owned()])?.pop().map(|(_, text)| text).unwrap_or_default();
    let unreadable = |error: &dyn std::fmt::Display| {
        let hint = "save what GET /backstop/api/v1/incidents/ID answers";
        Failure::usage(format!("{} is not a recorded incident: {error}", path.display()), hint)
    };
    let recording: Recording = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    input.changes = recording.changes;
    if let Some(change) = recording.change.filter(Json::is_object) {
        input.changes.push(serde_json::from_value(change).map_err(|error| unreadable(&error))?);
    }
    input.alerts = recording.alerts;
    let fired = input.alerts.iter().filter_map(|alert| alert.fired_at).min();
    let ended = input.alerts.iter().filter_map(|alert| alert.resolved_at).max();
    let Some(fired) = fired else { return Err(unreadable(&"no alert of it fired")) };
    if input.from.0 == i64::MIN {
        input.from = fired;
    }
    if input.to.0 == i64::MAX {
        input.to = ended.unwrap_or(fired.saturating_add_ns(3_600_000_000_000)).max(input.from);
        input.to = input.to.saturating_add_ns(1_000_000_000);
    }
    let mut series = BTreeMap::new();
    for (query, points) in recording.series {
        let mut read = Vec::new();
        for (time, value) in points {
            read.push((Timestamp::parse(&time, fired).map_err(|error| unreadable(&error))?, value));
        }
        read.sort_by_key(|(time, _)| *time);
        series.insert(query, read);
    }
    simulated(&input, &RecordedQuery(series))
}

/// Answers with what is in a recording.
struct RecordedQuery(BTreeMap<String, Vec<(Timestamp, Option<f64>)>>);

impl RecordedQuery {
    fn at(&self, query: &str, time: Timestamp) -> Result<Option<f64>, RuleQueryError> {
        let points = self.0.get(query).ok_or_else(|| {
            RuleQueryError(format!("the recording has no `series` for {query:?}; add it, or use --data or --url"))
        })?;
        Ok(points.iter().rev().find(|(at, _)| *at <= time).and_then(|(_, value)| *value))
    }
}

impl RuleQuery for RecordedQuery {
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        Ok(self.at(expr, at)?.map(|value| (Labels::default(), value)).into_iter().collect())
    }

    fn logs(&self, query: &str, range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        let value = self.at(query, range.end)?;
        Ok(value.map(|value| BTreeMap::from([("n".to_owned(), Value::Double(value))])).into_iter().collect())
    }
}

/// Asks a server.
struct RemoteQuery<'a>(&'a Remote);

impl RuleQuery for RemoteQuery<'_> {
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        let failed = |text: &str| RuleQueryError(text.to_owned());
        let path = format!("/api/v1/query?query={}&time={}", url_encoded(expr), at.secs_f64());
        let said = self.0.ask(Method::GET, &path, None).map_err(|error| RuleQueryError(error.text()))?;
        let result = &said["data"]["result"];
        let number = |sample: &Json| sample[1].as_str().and_then(|text| text.parse::<f64>().ok());
        if said["data"]["resultType"] == "scalar" {
            return Ok(vec![(Labels::default(), number(result).ok_or_else(|| failed("no number"))?)]);
        }
        let mut samples = Vec::new();
        for sample in result.as_array().into_iter().flatten() {
            let mut labels = LabelsBuilder::default();
            for (name, value) in sample["metric"].as_object().into_iter().flatten() {
                labels.set(name.as_str(), value.as_str().unwrap_or(""));
            }
            samples.push((labels.build(), number(&sample["value"]).ok_or_else(|| failed("no number"))?));
        }
        Ok(samples)
    }

    fn logs(&self, query: &str, range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        let body = json!({"query": query, "start": range.start.to_string(), "end": range.end.to_string()});
        let said = self.0.ask(Method::POST, "/backstop/api/v1/query", Some(&body));
        let said = said.map_err(|error| RuleQueryError(error.text()))?;
        let row = |row: &Json| -> BTreeMap<String, Value> {
            let fields = row.as_object().into_iter().flatten();
            fields.map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect()
        };
        Ok(said["rows"].as_array().into_iter().flatten().map(row).collect())
    }
}

fn url_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
