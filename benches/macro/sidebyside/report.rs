//! Results as JSON for machines and as Markdown for people, and whether the engines agree.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::measure::{EngineResult, Ingest, QuestionResult};
use crate::workload::{Question, Workload};

const MIB: f64 = 1024.0 * 1024.0;

/// A whole run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report<W> {
    pub(crate) data: W,
    pub(crate) engines: Vec<EngineResult>,
}

/// One line of the table: its title and one cell for each engine.
struct Line {
    title: String,
    cells: Vec<String>,
}

impl<W: Workload> Report<W> {
    pub(crate) fn read(path: &Path) -> Result<Self>
    where
        Self: DeserializeOwned,
    {
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

    /// Where an answer differs from what was generated, or from another engine's.
    pub(crate) fn disagreements(&self) -> Vec<String> {
        let mut found = Vec::new();
        for question in W::Question::ALL {
            let answers = self.engines.iter().filter_map(|engine| Some((engine, engine.answered(*question)?)));
            let answers: Vec<(&str, _)> =
                answers.map(|(engine, result)| (engine.name.as_str(), &result.answer)).collect();
            for (at, (name, answer)) in answers.iter().enumerate() {
                let known = self.data.unlike_known(*question, answer);
                let others = answers[..at].iter().filter_map(|other| W::unlike(*question, *other, (name, answer)));
                found.extend(
                    known.into_iter().chain(others).map(|what| format!("{name}: {}: {what}", question.title())),
                );
            }
        }
        found
    }

    /// The table, with what is wrong below it.
    pub(crate) fn markdown(&self) -> String {
        let mut out = format!("{}; milliseconds are first / median / CPU.\n\n", self.data.told());
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
        let (raw, raw_count) = self.data.raw();
        vec![
            ingest("CPU seconds, merge included", |i| format!("{:.1}", i.cpu_seconds)),
            ingest(&format!("{} per CPU second", W::UNIT), |i| format!("{:.0}", i.units_per_cpu_second)),
            ingest("seconds: sending, settling", |i| format!("{:.1}, {:.1}", i.send_seconds, i.settle_seconds)),
            ingest("peak memory, MiB, sending", |i| format!("{:.0}", i.peak_sending_bytes as f64 / MIB)),
            ingest("peak memory, MiB, merge included", |i| format!("{:.0}", i.peak_bytes as f64 / MIB)),
            ingest("written to disk, MiB", |i| format!("{:.0}", i.written_bytes as f64 / MIB)),
            ingest("requests told to wait", |i| i.told_to_wait.to_string()),
            whole("bytes on disk, MiB", &|engine| mib(engine.disk_bytes)),
            whole(&format!("bytes on disk / {raw}"), &|engine| {
                format!("{:.3}", engine.disk_bytes as f64 / raw_count as f64)
            }),
            whole("restart to first answer, ms", &|engine| milliseconds(engine.restart_ms)),
            whole("peak memory, MiB, answering", &|engine| mib(engine.query_peak_bytes)),
        ]
    }

    fn questions(&self) -> Vec<Line> {
        let asked = |question: &&W::Question| self.engines.iter().any(|engine| engine.question(**question).is_some());
        let lines = W::Question::ALL.iter().filter(asked).map(|question| Line {
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
    fn size(&self, question: W::Question) -> String {
        let answered = self.engines.iter().find_map(|engine| engine.answered(question));
        answered.map_or_else(String::new, |result| W::size(question, &result.answer))
    }
}

impl EngineResult {
    pub(crate) fn question(&self, question: impl Question) -> Option<&QuestionResult> {
        self.questions.iter().find(|result| result.id == question.id())
    }

    pub(crate) fn answered(&self, question: impl Question) -> Option<&QuestionResult> {
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
