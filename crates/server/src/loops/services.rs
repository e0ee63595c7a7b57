//! One thread learns from spans who needs whom, and keeps it in a file of the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::{GraphLearning, ServiceBoard};
use catalog::ledger::time_text;
use change::{GraphSnapshot, LearnReport, ServiceGraph, SpanFact, TraceLearner};
use model::{SpanId, SpanKind, TimeRange, Timestamp, TraceId};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use telemetry::{clock, metrics};

use super::query::EngineQuery;
use super::{Stop, thread};

/// How often spans are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Spans that began less than this ago are left for a later look, in nanoseconds: they end, wait in exporters and collectors, and
/// then come. Those that come later still are missed; others of the same edge are not.
const LATE_NS: i64 = 60_000_000_000;
/// How far back the first look goes, in nanoseconds.
const FIRST_LOOK_NS: i64 = 600_000_000_000;
/// Most spans of one look. When there are more, the earliest are read and stand for the rest.
const SPANS_PER_LOOK_MAX: usize = 20_000;
/// How often what was learned is written to its file.
const SAVE_EVERY_NS: i64 = 60_000_000_000;
/// The file, in the data directory.
const FILE: &str = "service-graph.json";
/// Version of the file; one of another version is not read.
const FILE_VERSION: u32 = 1;

/// The query of a look: what names the other side stands in different fields of OpenTelemetry's older and newer conventions.
const QUERY: &str = "from spans * | fields _time, trace_id, span_id, parent_span_id, service.name, kind, status, \
                     peer.service, server.address, net.peer.name | sort by (_time)";

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    #[serde(with = "time_text")]
    until: Timestamp,
    graph: GraphSnapshot,
}

/// Starts the thread.
pub(crate) fn start(
    board: &Arc<ServiceBoard>,
    query: &EngineQuery,
    data_dir: &Path,
    stop: &Stop,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let (file, now) = (data_dir.join(FILE), clock::now());
    let oldest = now.saturating_add_ns(-FIRST_LOOK_NS);
    let until = restore(board, &file).map_or(oldest, |until| until.clamp(oldest, now));
    let mut watcher = Watcher {
        board: Arc::clone(board),
        query: query.clone(),
        learner: TraceLearner::default(),
        file,
        until,
        saved_at: now,
        refused: 0,
    };
    let stop = stop.clone();
    thread("services", move || {
        loop {
            watcher.look(clock::now());
            if stop.sleep(LOOK_EVERY) {
                return watcher.save();
            }
        }
    })
}

/// The graph that a server learned in a data directory, for commands that work without it. What files state is not in it.
pub(crate) fn learned(data_dir: &Path) -> ServiceGraph {
    let board = ServiceBoard::default();
    restore(&board, &data_dir.join(FILE));
    board.graph(ServiceGraph::clone)
}

/// Reads what an earlier process learned, and up to when. A file that can not be read costs nothing but what it held.
fn restore(board: &ServiceBoard, file: &Path) -> Option<Timestamp> {
    let text = std::fs::read_to_string(file).ok()?;
    match serde_json::from_str::<Kept>(&text) {
        Ok(kept) if kept.version == FILE_VERSION => {
            board.learn(|graph| graph.restore(kept.graph));
            Some(kept.until)
        }
        Ok(kept) => {
            tracing::warn!(version = kept.version, "the dependency graph is of another version and is learned again");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "the dependency graph could not be read and is learned again");
            None
        }
    }
}

struct Watcher {
    board: Arc<ServiceBoard>,
    query: EngineQuery,
    learner: TraceLearner,
    file: PathBuf,
    /// Spans that began before are learned from.
    until: Timestamp,
    saved_at: Timestamp,
    refused: u64,
}

impl Watcher {
    fn look(&mut self, now: Timestamp) {
        let range = TimeRange::new(self.until, now.saturating_add_ns(-LATE_NS));
        if range.start >= range.end {
            return;
        }
        let query = format!("{QUERY} | limit {SPANS_PER_LOOK_MAX}");
        // One more than there can be: reaching the limit of the text is no mistake here.
        let rows = match self.query.rows(&query, range, SPANS_PER_LOOK_MAX as u64 + 1) {
            Ok(rows) => rows,
            Err(error) => {
                // The same spans are asked for again next time, as far back as a first look would go.
                self.until = self.until.max(now.saturating_add_ns(-FIRST_LOOK_NS));
                tracing::warn!(error = error.0, "spans could not be read for the dependency graph");
                let learning = GraphLearning { error: Some(error.0), ..self.board.learning() };
                return self.board.set_learning(learning);
            }
        };
        let share = share_read(&rows, range);
        let spans = rows.iter().filter_map(fact);
        let report = self.board.learn(|graph| {
            let report = self.learner.learn(graph, spans, 1.0 / share, now);
            graph.expire(now);
            metrics::GRAPH_EDGES.set(graph.edge_count() as f64);
            report
        });
        count(&report);
        self.until = range.end;
        self.refused += report.refused as u64;
        self.board.set_learning(GraphLearning { until: Some(self.until), share, refused: self.refused, error: None });
        if now.0 - self.saved_at.0 >= SAVE_EVERY_NS {
            self.saved_at = now;
            self.save();
        }
    }

    /// Writes beside the file and renames, so that a crash leaves one or the other. Not synced: spans can be read again.
    fn save(&self) {
        let graph = self.board.graph(ServiceGraph::snapshot);
        let kept = Kept { version: FILE_VERSION, until: self.until, graph };
        let beside = self.file.with_extension("json.new");
        let written = serde_json::to_vec(&kept).map_err(std::io::Error::from);
        let written = written.and_then(|bytes| std::fs::write(&beside, bytes));
        if let Err(error) = written.and_then(|()| std::fs::rename(&beside, &self.file)) {
            tracing::warn!(%error, "the dependency graph could not be kept");
        }
    }
}

/// The share of a range's time that the rows of a look cover: all of it, unless there were as many as there may be.
fn share_read(rows: &[Json], range: TimeRange) -> f64 {
    let last = rows.last().filter(|_| rows.len() >= SPANS_PER_LOOK_MAX);
    let Some(last) = last.and_then(time) else { return 1.0 };
    let (read, all) = (last.0.saturating_sub(range.start.0), range.end.0.saturating_sub(range.start.0));
    (read as f64 / all as f64).clamp(0.01, 1.0)
}

fn count(report: &LearnReport) {
    let counts = [
        ("new", report.spans),
        ("duplicate", report.duplicates),
        ("call", report.calls),
        ("refused", report.refused),
        ("crowded_out", report.crowded_out),
    ];
    counts.into_iter().for_each(|(outcome, n)| metrics::GRAPH_SPANS.add(outcome, n as u64));
}

fn time(row: &Json) -> Option<Timestamp> {
    Timestamp::parse(row["_time"].as_str()?, Timestamp::default()).ok()
}

/// A row of the table of spans as the graph sees it; `None` without ids.
fn fact(row: &Json) -> Option<SpanFact<'_>> {
    let text = |name: &str| row[name].as_str().filter(|text| !text.is_empty());
    let kind = match text("kind") {
        Some("server") => SpanKind::Server,
        Some("client") => SpanKind::Client,
        Some("producer") => SpanKind::Producer,
        Some("consumer") => SpanKind::Consumer,
        Some("internal") => SpanKind::Internal,
        _ => SpanKind::Unspecified,
    };
    Some(SpanFact {
        trace_id: TraceId::from_hex(text("trace_id")?)?,
        span_id: SpanId::from_hex(text("span_id")?)?,
        parent_span_id: text("parent_span_id").and_then(SpanId::from_hex),
        service: text("service.name")?,
        kind,
        failed: text("status") == Some("error"),
        at: time(row)?,
        peer: text("peer.service").or_else(|| text("server.address")).or_else(|| text("net.peer.name")),
    })
}
