//! Runs one test file: load, clear, eval.

use std::collections::BTreeMap;

use model::Labels;
use promql::{EvalLimits, EvalRange, SelectRequest, SeriesSource, SourceError, SourceSeries, eval, parse};

use crate::compare::{Expected, Pattern, check};
use crate::series::{Item, duration, items, labels, split};

/// What came of a file.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) total: usize,
    pub(crate) failures: Vec<String>,
}

/// Samples in memory.
#[derive(Default)]
struct Storage(BTreeMap<Labels, BTreeMap<i64, f64>>);

impl SeriesSource for Storage {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let wanted = |labels: &&Labels| {
            request.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
        };
        let mut found = Vec::new();
        for (labels, samples) in self.0.iter().filter(|(labels, _)| wanted(labels)) {
            let inside = samples.iter().filter(|(time, _)| (request.start_ms..=request.end_ms).contains(time));
            let (times, values): (Vec<i64>, Vec<f64>) = inside.map(|(time, value)| (*time, *value)).unzip();
            if !times.is_empty() {
                found.push(SourceSeries { labels: labels.clone(), times, values });
            }
        }
        Ok(found)
    }
}

/// Runs a file; each `eval` counts once.
pub(crate) fn run(text: &str) -> Report {
    let mut report = Report::default();
    let mut storage = Storage::default();
    let lines: Vec<&str> =
        text.lines().map(str::trim).map(|line| if line.starts_with('#') { "" } else { line }).collect();
    let mut at = 0;
    while at < lines.len() {
        let head = lines[at];
        at += 1;
        let start = at;
        if head.starts_with("load") || head.starts_with("eval") {
            while at < lines.len() && !lines[at].is_empty() {
                at += 1;
            }
        }
        let block = &lines[start..at];
        if head == "clear" {
            storage = Storage::default();
        } else if head.starts_with("load") {
            load(head, block, &mut storage);
        } else if head.starts_with("eval") {
            report.total += 1;
            if let Err(why) = case(head, block, &storage) {
                report.failures.push(format!("line {start}: {head}\n  {why}"));
            }
        }
    }
    report
}

fn load(head: &str, block: &[&str], storage: &mut Storage) {
    let interval = head.split_whitespace().nth(1).and_then(duration).unwrap_or(0);
    for line in block {
        let Some((metric, values)) = split(line) else { continue };
        // Lines with start timestamps look like `metric@st`.
        let (Some(labels), Some(items)) = (labels(metric), items(values)) else { continue };
        let samples = storage.0.entry(labels).or_default();
        for (at, item) in items.iter().enumerate() {
            if let Item::Float(value) = item {
                samples.insert(at as i64 * interval, *value);
            }
        }
    }
}

/// The query and when it is evaluated.
fn parse_head(head: &str) -> Option<(EvalRange, &str)> {
    let (_, rest) = head.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix("instant") {
        let rest = rest.trim_start();
        let Some(rest) = rest.strip_prefix("at ") else { return Some((EvalRange::Instant { time_ms: 0 }, rest)) };
        let (time, query) = rest.trim_start().split_once(char::is_whitespace)?;
        return Some((EvalRange::Instant { time_ms: duration(time)? }, query.trim()));
    }
    let rest = rest.strip_prefix("range")?.trim_start().strip_prefix("from ")?;
    let (start, rest) = rest.split_once(" to ")?;
    let (end, rest) = rest.split_once(" step ")?;
    let (step, query) = rest.trim_start().split_once(char::is_whitespace)?;
    let range = EvalRange::Range { start_ms: duration(start)?, end_ms: duration(end)?, step_ms: duration(step)? };
    Some((range, query.trim()))
}

fn case(head: &str, block: &[&str], storage: &Storage) -> Result<(), String> {
    let (range, query) = parse_head(head).ok_or("the eval line makes no sense")?;
    let mut expected = Expected::default();
    let command = head.split_whitespace().next().unwrap_or("");
    match command {
        "eval_fail" => expected.fail = Some(Pattern::Any),
        "eval_warn" => expected.warnings.push(Pattern::Any),
        "eval_info" => expected.infos.push(Pattern::Any),
        "eval_ordered" => expected.ordered = true,
        _ => {}
    }
    for line in block {
        expectation(line, &mut expected)?;
    }
    let grid = match range {
        EvalRange::Range { start_ms, end_ms, step_ms } => Some((start_ms, end_ms, step_ms)),
        EvalRange::Instant { .. } => None,
    };
    let outcome = parse(query)
        .map_err(|error| error.to_string())
        .and_then(|expr| eval(&expr, storage, range, &EvalLimits::default()).map_err(|error| error.to_string()));
    match (outcome, &expected.fail) {
        (Err(error), Some(pattern)) if pattern.matches(&error) => Ok(()),
        (Err(error), pattern) => Err(format!("failed: {error}; expected {pattern:?}")),
        (Ok(outcome), _) => check(&expected, &outcome, query, grid),
    }
}

fn expectation(line: &str, expected: &mut Expected) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("expect ") {
        return expect_line(rest.trim(), expected);
    }
    if let Some(message) = line.strip_prefix("expected_fail_message ") {
        expected.fail = Some(Pattern::Exact(message.trim().to_owned()));
        return Ok(());
    }
    if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
        expected.fail = Some(Pattern::Regex(regex::Regex::new(pattern.trim()).map_err(|e| e.to_string())?));
        return Ok(());
    }
    let alone = split(line).is_some_and(|(_, values)| values.is_empty());
    if let ([Item::Float(value)], true) = (&items(line).unwrap_or_default()[..], alone) {
        expected.scalar = Some(*value);
        return Ok(());
    }
    let (metric, values) = split(line).ok_or("bad line")?;
    let labels = labels(metric).ok_or_else(|| format!("cannot read {metric}"))?;
    let items = items(values).ok_or_else(|| format!("cannot read {values}"))?;
    expected.series.push((labels, items));
    Ok(())
}

fn expect_line(rest: &str, expected: &mut Expected) -> Result<(), String> {
    if let Some(text) = rest.strip_prefix("string ") {
        let promql::Expr::String(value, _) = parse(text.trim()).map_err(|e| e.to_string())? else {
            return Err("bad string".into());
        };
        expected.string = Some(value);
        return Ok(());
    }
    if let Some(rest) = rest.strip_prefix("range vector from ") {
        let (start, rest) = rest.split_once(" to ").ok_or("bad range")?;
        let (end, step) = rest.split_once(" step ").ok_or("bad range")?;
        let read = |text| duration(text).ok_or("bad duration");
        expected.range = Some((read(start)?, read(end)?, read(step)?));
        return Ok(());
    }
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let pattern = match rest.trim().split_once(':') {
        Some(("msg", text)) => Pattern::Exact(text.trim().to_owned()),
        Some(("regex", text)) => Pattern::Regex(regex::Regex::new(text.trim()).map_err(|e| e.to_string())?),
        _ => Pattern::Any,
    };
    match word {
        "fail" => expected.fail = Some(pattern),
        "warn" => expected.warnings.push(pattern),
        "info" => expected.infos.push(pattern),
        "no_warn" => expected.no_warnings = true,
        "no_info" => expected.no_infos = true,
        "ordered" => expected.ordered = true,
        _ => return Err(format!("unknown expectation {word}")),
    }
    Ok(())
}
