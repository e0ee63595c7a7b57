//! Results as JSON for machines and as Markdown for people, and whether the engines agree.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use benches::Manifest;
use serde::{Deserialize, Serialize};

use crate::answer::single;
use crate::measure::{EngineResult, Ingest, QuestionResult};
use crate::questions::{Question, Shape};

const MIB: f64 = 1024.0 * 1024.0;

/// A whole run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) data: Manifest,
    pub(crate) engines: Vec<EngineResult>,
}

/// One line of the table: its title and one cell for each engine.
struct Line {
    title: String,
    cells: Vec<String>,
}

impl Report {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }

    /// Writes `NAME.json` and `NAME.md` into `dir`.
    pub(crate) fn write(&self, dir: &Path, name: &str, markdown: &str) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join(format!("{name}.json")), serde_json::to_vec_pretty(self)?)?;
        std::fs::write(dir.join(format!("{name}.md")), markdown)?;
        Ok(())
    }

    pub(crate) fn engine(&self, name: &str) -> Option<&EngineResult> {
        self.engines.iter().find(|engine| engine.name == name)
    }

    /// Where an answer differs from what the manifest says or from the first engine's.
    pub(crate) fn disagreements(&self) -> Vec<String> {
        let mut found = Vec::new();
        for question in Question::ALL {
            let answers = self.engines.iter().filter_map(|engine| Some((engine, engine.answered(*question)?)));
            let mut first: Option<(&EngineResult, &QuestionResult)> = None;
            for (engine, result) in answers {
                let of = format!("{}: {}", engine.name, question.title());
                if let Some(difference) = differs_from_known(*question, result, &self.data) {
                    found.push(format!("{of}: {difference}"));
                }
                match first {
                    None => first = Some((engine, result)),
                    Some((other, expected)) if expected.answer != result.answer => {
                        found.push(format!("{of}: {}", difference(&other.name, expected, result)));
                    }
                    Some(_) => {}
                }
            }
        }
        found
    }

    /// The table, with what is wrong below it.
    pub(crate) fn markdown(&self) -> String {
        let data = &self.data;
        let mut out = format!(
            "{} lines ({}), {:.0} MB of text, {:.0} MB of OTLP, {:.0} h; milliseconds are first / median / CPU.\n\n",
            data.lines,
            data.corpus,
            data.text_bytes as f64 / 1e6,
            data.otlp_bytes as f64 / 1e6,
            (data.end_ns - data.start_ns) as f64 / 3.6e12,
        );
        let names = self.engines.iter().map(|engine| format!("{} {}", engine.name, engine.version)).collect();
        let lines = self.resources().into_iter().chain(self.questions());
        push_line(&mut out, &Line { title: String::new(), cells: names });
        out.push_str(&format!("|---|{}\n", "---|".repeat(self.engines.len())));
        lines.for_each(|line| push_line(&mut out, &line));
        for disagreement in self.disagreements() {
            let _ = write!(out, "\nDIFFERS: {disagreement}");
        }
        for (engine, question) in
            self.engines.iter().flat_map(|engine| engine.questions.iter().map(move |q| (engine, q)))
        {
            if let Some(problem) = &question.problem {
                let _ = write!(out, "\nFAILED: {}: {}: {problem}", engine.name, question.id);
            }
            if let Some(explained) = &question.explained {
                let _ = write!(out, "\n{}: {}: {explained}", engine.name, question.id);
            }
        }
        out.push('\n');
        out
    }

    fn resources(&self) -> Vec<Line> {
        let ingest = |title: &str, show: fn(&Ingest) -> String| Line {
            title: title.to_owned(),
            cells: self.engines.iter().map(|engine| engine.ingest.as_ref().map_or_else(String::new, show)).collect(),
        };
        let whole = |title: &str, show: &dyn Fn(&EngineResult) -> String| Line {
            title: title.to_owned(),
            cells: self.engines.iter().map(show).collect(),
        };
        let mib = |bytes: u64| format!("{:.1}", bytes as f64 / MIB);
        vec![
            ingest("CPU seconds, merge included", |i| format!("{:.1}", i.cpu_seconds)),
            ingest("lines per CPU second", |i| format!("{:.0}", i.lines_per_cpu_second)),
            ingest("seconds: sending, settling", |i| format!("{:.1}, {:.1}", i.send_seconds, i.settle_seconds)),
            ingest("peak memory, MiB, sending", |i| format!("{:.0}", i.peak_sending_bytes as f64 / MIB)),
            ingest("peak memory, MiB, merge included", |i| format!("{:.0}", i.peak_bytes as f64 / MIB)),
            ingest("written to disk, MiB", |i| format!("{:.0}", i.written_bytes as f64 / MIB)),
            ingest("requests told to wait", |i| i.told_to_wait.to_string()),
            whole("bytes on disk, MiB", &|engine| mib(engine.disk_bytes)),
            whole("bytes on disk / raw text", &|engine| {
                format!("{:.3}", engine.disk_bytes as f64 / self.data.text_bytes as f64)
            }),
            whole("restart to first answer, ms", &|engine| milliseconds(engine.restart_ms)),
            whole("peak memory, MiB, answering", &|engine| mib(engine.query_peak_bytes)),
        ]
    }

    fn questions(&self) -> Vec<Line> {
        let asked = |question: &&Question| self.engines.iter().any(|engine| engine.question(**question).is_some());
        let lines = Question::ALL.iter().filter(asked).map(|question| Line {
            title: format!("{}{}", question.title(), self.size(*question)),
            cells: self
                .engines
                .iter()
                .map(|engine| engine.question(*question).map_or_else(String::new, shown))
                .collect(),
        });
        lines.collect()
    }

    /// How much a question finds, for its title.
    fn size(&self, question: Question) -> String {
        let Some(result) = self.engines.iter().find_map(|engine| engine.answered(question)) else {
            return String::new();
        };
        match (question.shape(), single(&result.answer)) {
            (Shape::Lines, _) => format!(" ({} lines)", result.answer.len()),
            (Shape::Table(_), Some(count)) => format!(" ({count})"),
            (Shape::Table(_), None) => format!(" ({} rows)", result.answer.len()),
        }
    }
}

impl EngineResult {
    pub(crate) fn question(&self, question: Question) -> Option<&QuestionResult> {
        self.questions.iter().find(|result| result.id == question.id())
    }

    pub(crate) fn answered(&self, question: Question) -> Option<&QuestionResult> {
        self.question(question).filter(|result| result.problem.is_none())
    }
}

fn push_line(out: &mut String, line: &Line) {
    let _ = writeln!(out, "| {} | {} |", line.title, line.cells.join(" | "));
}

fn shown(result: &QuestionResult) -> String {
    match &result.problem {
        Some(_) => "failed".to_owned(),
        None => {
            let [first, median, cpu] = [result.first_ms, result.median_ms, result.cpu_ms].map(milliseconds);
            format!("{first} / {median} / {cpu}")
        }
    }
}

/// Milliseconds with the digits that mean something.
pub(crate) fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

fn differs_from_known(question: Question, result: &QuestionResult, data: &Manifest) -> Option<String> {
    let expected = match question {
        Question::CountAll => data.lines,
        Question::RareCount | Question::RareLines => data.rare.lines,
        Question::TraceLines => data.trace.lines,
        Question::PhraseCount => data.phrase.lines,
        Question::CommonCount => data.common.lines,
        _ => return None,
    };
    let found = match question.shape() {
        Shape::Lines => result.answer.len().to_string(),
        Shape::Table(_) => single(&result.answer).unwrap_or("no number").to_owned(),
    };
    (found != expected.to_string()).then(|| format!("{found} instead of the {expected} that were generated"))
}

fn difference(other: &str, expected: &QuestionResult, result: &QuestionResult) -> String {
    let (theirs, ours) = (&expected.answer, &result.answer);
    let row = ours.iter().find(|row| !theirs.contains(row)).map_or_else(String::new, |row| row.join(" "));
    let missing = theirs.iter().find(|row| !ours.contains(row)).map_or_else(String::new, |row| row.join(" "));
    let (rows, other_rows) = (ours.len(), theirs.len());
    format!("{rows} rows, {other} has {other_rows}; only here: {row:?}; only there: {missing:?}")
}
