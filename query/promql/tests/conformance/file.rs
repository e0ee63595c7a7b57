//! Runs one test file: load, clear, eval.

use model::Labels;
use promql::{EvalLimits, EvalRange, Outcome, QueryValue, VectorSample, eval, parse, parse_duration_ms, parse_series};

use crate::compare::{Expected, Pattern, check, check_annotations};
use crate::pin;
use crate::storage::Storage;

/// What came of a file.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) total: usize,
    /// Line of the command, and what went wrong.
    pub(crate) failures: Vec<(usize, String)>,
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
        if head.is_empty() {
            continue;
        }
        let start = at;
        let word = head.split_whitespace().next().unwrap_or("").to_lowercase();
        if word.starts_with("load") || word.starts_with("eval") {
            while at < lines.len() && !lines[at].is_empty() {
                at += 1;
            }
        }
        let block = &lines[start..at];
        let outcome = if word == "clear" {
            storage = Storage::default();
            Ok(())
        } else if word.starts_with("load") {
            load(head, block, &mut storage)
        } else if word.starts_with("eval") {
            report.total += 1;
            case(head, block, &storage)
        } else {
            Err("unknown command".into())
        };
        if let Err(why) = outcome {
            report.failures.push((start, format!("line {start}: {head}\n  {why}")));
        }
    }
    report
}

/// A duration of the test language.
fn duration(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let parsed = match text.strip_prefix('-') {
        Some(rest) => parse_duration_ms(rest).map(|ms| -ms),
        None => parse_duration_ms(text),
    };
    parsed.ok_or_else(|| format!("{text:?} is not a duration"))
}

fn load(head: &str, block: &[&str], storage: &mut Storage) -> Result<(), String> {
    let (word, interval) = head.split_once(char::is_whitespace).ok_or("load needs an interval")?;
    let with_nhcb = match word {
        "load" => false,
        "load_with_nhcb" => true,
        _ => return Err("unknown kind of load".into()),
    };
    let interval = duration(interval)?;
    let mut loaded: Vec<Labels> = Vec::new();
    let mut pending: Option<(Labels, Vec<Option<i64>>)> = None;
    for line in block {
        if let Some((metric, starts)) = line
            .split_once(char::is_whitespace)
            .and_then(|(metric, rest)| metric.strip_suffix("@st").map(|metric| (metric, rest)))
        {
            pending = Some((promql::parse_metric(metric)?, start_times(starts)?));
            continue;
        }
        let (labels, values) = parse_series(line)?;
        let starts = pending.take();
        if starts.as_ref().is_some_and(|(of, starts)| *of != labels || starts.len() != values.len()) {
            return Err(format!("the start times before {line} do not fit"));
        }
        storage.add(&labels, &values, starts.as_ref().map(|(_, starts)| &starts[..]), interval);
        loaded.push(labels);
    }
    if pending.is_some() {
        return Err("start times without a series".into());
    }
    if with_nhcb { storage.add_custom_histograms(&loaded) } else { Ok(()) }
}

/// Start times relative to the samples: `-1m`, `_`, `_x3`, `0sx2`, `-1m-1mx3`.
fn start_times(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut out = Vec::new();
    for item in text.split_whitespace() {
        let (body, times) = match item.split_once('x') {
            Some((body, n)) => (body, Some(n.parse::<usize>().map_err(|error| error.to_string())?)),
            None => (item, None),
        };
        if body == "_" {
            out.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
            continue;
        }
        let sign = body.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-')).map(|(at, _)| at);
        let (base, step) = body.split_at(sign.unwrap_or(body.len()));
        let signed = |text: &str| duration(text.strip_prefix('+').unwrap_or(text));
        let (mut start, step) = (signed(base)?, if step.is_empty() { 0 } else { signed(step)? });
        for _ in 0..=times.unwrap_or(0) {
            out.push(Some(start));
            start += step;
        }
    }
    Ok(out)
}

/// The query and when it is evaluated.
fn parse_head(head: &str) -> Option<(EvalRange, &str)> {
    let (_, rest) = head.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix("instant") {
        let rest = rest.trim_start();
        let Some(rest) = rest.strip_prefix("at ") else { return Some((EvalRange::Instant { time_ms: 0 }, rest)) };
        let (time, query) = rest.trim_start().split_once(char::is_whitespace)?;
        return Some((EvalRange::Instant { time_ms: duration(time).ok()? }, query.trim()));
    }
    let rest = rest.strip_prefix("range")?.trim_start().strip_prefix("from ")?;
    let (start, rest) = rest.split_once(" to ")?;
    let (end, rest) = rest.split_once(" step ")?;
    let (step, query) = rest.trim_start().split_once(char::is_whitespace)?;
    let read = |text| duration(text).ok();
    let range = EvalRange::Range { start_ms: read(start)?, end_ms: read(end)?, step_ms: read(step)? };
    Some((range, query.trim()))
}

fn evaluate(query: &str, storage: &Storage, range: EvalRange) -> Result<Outcome, String> {
    // Where the limit of two threads is below what a file holds, threads are tried too.
    let limits = EvalLimits { threads: 2, ..EvalLimits::default() };
    let expr = parse(query).map_err(|error| error.to_string())?;
    eval(&expr, storage, range, &limits).map_err(|error| error.to_string())
}

fn case(head: &str, block: &[&str], storage: &Storage) -> Result<(), String> {
    let (range, query) = parse_head(head).ok_or("the eval line makes no sense")?;
    let mut expected = Expected::default();
    match head.split_whitespace().next().unwrap_or("") {
        "eval" => {}
        "eval_fail" => expected.fail.push(Pattern::Any),
        "eval_warn" => expected.some_warnings = true,
        "eval_info" => expected.some_infos = true,
        "eval_ordered" => expected.ordered = true,
        _ => return Err("unknown kind of eval".into()),
    }
    for line in block {
        expectation(line, &mut expected)?;
    }
    let mut range = range;
    if let (Some((_, end, _)), EvalRange::Instant { time_ms }) = (expected.range, &mut range) {
        *time_ms = end;
    }
    let grid = match range {
        EvalRange::Range { start_ms, end_ms, step_ms } => Some((start_ms, end_ms, step_ms)),
        EvalRange::Instant { .. } => None,
    };
    one(query, storage, range, &expected, grid)?;
    let EvalRange::Instant { time_ms } = range else { return Ok(()) };
    if expected.fail.is_empty() {
        in_range_mode(query, storage, time_ms, &expected)?;
        for (pinned, time_ms) in pin::variants(query, time_ms) {
            let place = |why: String| format!("{pinned} at {time_ms} ms: {why}");
            one(&pinned, storage, EvalRange::Instant { time_ms }, &expected, None).map_err(place)?;
            in_range_mode(&pinned, storage, time_ms, &expected).map_err(place)?;
        }
    }
    Ok(())
}

fn one(
    query: &str,
    storage: &Storage,
    range: EvalRange,
    expected: &Expected,
    grid: Option<(i64, i64, i64)>,
) -> Result<(), String> {
    match evaluate(query, storage, range) {
        Err(error) if expected.fail.is_empty() => Err(format!("failed: {error}")),
        Err(error) if expected.fail.iter().all(|pattern| pattern.matches(&error)) => Ok(()),
        Err(error) => Err(format!("failed: {error}; expected {:?}", expected.fail)),
        Ok(outcome) if !expected.fail.is_empty() => Err(format!("expected a failure, got {:?}", outcome.value)),
        Ok(outcome) => {
            check_annotations(expected, &outcome.annotations, query)?;
            check(expected, &outcome.value, grid)
        }
    }
}

/// The same at the middle step of a range.
fn in_range_mode(query: &str, storage: &Storage, time_ms: i64, expected: &Expected) -> Result<(), String> {
    let contextual = ["start()", "end()", "range()", "step()"].iter().any(|word| query.contains(word));
    if contextual || expected.range.is_some() || expected.string.is_some() || expected.ordered {
        return Ok(());
    }
    let range = EvalRange::Range { start_ms: time_ms - 60_000, end_ms: time_ms + 60_000, step_ms: 60_000 };
    let outcome = evaluate(query, storage, range).map_err(|error| format!("in range mode: {error}"))?;
    let QueryValue::Matrix(matrix) = outcome.value else { return Err("in range mode: not a matrix".into()) };
    if !matrix.is_sorted_by(|a, b| a.labels <= b.labels) {
        return Err("in range mode: not sorted".into());
    }
    if expected.scalar.is_some() {
        let sample = matrix.iter().flat_map(|series| &series.samples).find(|sample| sample.time_ms == time_ms);
        let sample = *sample.ok_or("in range mode: no scalar")?;
        return check(expected, &QueryValue::Scalar(sample), None).map_err(|why| format!("in range mode: {why}"));
    }
    let mut vector = Vec::new();
    for series in matrix {
        let labels = series.labels;
        let of = |value, histogram| VectorSample { labels: labels.clone(), time_ms, value, histogram };
        let float = series.samples.iter().find(|sample| sample.time_ms == time_ms);
        vector.extend(float.map(|sample| of(sample.value, None)));
        let histogram = series.histograms.iter().find(|sample| sample.time_ms == time_ms);
        vector.extend(histogram.map(|sample| of(f64::NAN, Some(sample.histogram.clone()))));
    }
    check(expected, &QueryValue::Vector(vector), None).map_err(|why| format!("in range mode: {why}"))
}

fn regex(text: &str) -> Result<Pattern, String> {
    regex::Regex::new(text.trim()).map(Pattern::Regex).map_err(|error| error.to_string())
}

fn expectation(line: &str, expected: &mut Expected) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("expect ") {
        return expect_line(rest.trim(), expected);
    }
    if let Some(message) = line.strip_prefix("expected_fail_message") {
        expected.fail.push(Pattern::Exact(message.trim().to_owned()));
        return Ok(());
    }
    if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        expected.fail.push(regex(pattern)?);
        return Ok(());
    }
    if !line.contains(char::is_whitespace)
        && let Ok(values) = promql::parse_values(line)
        && let [promql::SequenceValue::Float(value)] = values[..]
        && line != "stale"
    {
        expected.scalar = Some(value);
        return Ok(());
    }
    expected.series.push(parse_series(line)?);
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
        expected.range = Some((duration(start)?, duration(end)?, duration(step)?));
        return Ok(());
    }
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let pattern = match rest.trim().split_once(':') {
        Some(("msg", text)) => Pattern::Exact(text.trim().to_owned()),
        Some(("regex", text)) => regex(text)?,
        Some(_) => return Err(format!("unknown match {rest}")),
        None if rest.trim().is_empty() => Pattern::Any,
        None => return Err(format!("unknown match {rest}")),
    };
    match word {
        "fail" => expected.fail.push(pattern),
        "warn" => expected.warnings.push(pattern),
        "info" => expected.infos.push(pattern),
        "no_warn" => expected.no_warnings = true,
        "no_info" => expected.no_infos = true,
        "ordered" => expected.ordered = true,
        _ => return Err(format!("unknown expectation {word}")),
    }
    let contradiction =
        (expected.no_warnings && !expected.warnings.is_empty()) || (expected.no_infos && !expected.infos.is_empty());
    if contradiction { Err("expects an annotation and none".into()) } else { Ok(()) }
}
