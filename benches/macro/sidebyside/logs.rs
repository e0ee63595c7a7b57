//! Log records, beside VictoriaLogs and Loki.

mod answer;
mod backstop;
mod loki;
mod questions;
mod victorialogs;

use anyhow::{Result, bail};
use benches::Manifest;

use crate::RunOptions;
use crate::engine::{Backstop, Engine};
use crate::workload::{Table, Workload, difference, single};
use loki::Loki;
use questions::{Question, Shape};
use victorialogs::VictoriaLogs;

impl Workload for Manifest {
    type Question = Question;

    const UNIT: &'static str = "lines";
    const WHOLE: Question = Question::CountAll;

    fn units(&self) -> u64 {
        self.lines
    }

    fn told(&self) -> String {
        format!(
            "{} lines ({}), {:.0} MB of text, {:.0} MB of OTLP, {:.0} h",
            self.lines,
            self.corpus,
            self.text_bytes as f64 / 1e6,
            self.otlp_bytes as f64 / 1e6,
            (self.end_ns - self.start_ns) as f64 / 3.6e12,
        )
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.lines, self.seed, self.end_ns) == (other.lines, other.seed, other.end_ns)
    }

    fn raw(&self) -> (&'static str, u64) {
        ("raw text", self.text_bytes)
    }

    fn size(question: Question, answer: &Table) -> String {
        match (question.shape(), single(answer)) {
            (Shape::Lines, _) => format!(" ({} lines)", answer.len()),
            (Shape::Table(_), Some(count)) => format!(" ({count})"),
            (Shape::Table(_), None) => format!(" ({} rows)", answer.len()),
        }
    }

    fn unlike_known(&self, question: Question, answer: &Table) -> Option<String> {
        let expected = match question {
            Question::CountAll => self.lines,
            Question::RareCount | Question::RareLines => self.rare.lines,
            Question::TraceLines => self.trace.lines,
            Question::PhraseCount => self.phrase.lines,
            Question::CommonCount => self.common.lines,
            _ => return None,
        };
        let found = match question.shape() {
            Shape::Lines => answer.len().to_string(),
            Shape::Table(_) => single(answer).unwrap_or("no number").to_owned(),
        };
        (found != expected.to_string()).then(|| format!("{found} instead of the {expected} that were generated"))
    }

    fn unlike(_: Question, (name, first): (&str, &Table), (_, second): (&str, &Table)) -> Option<String> {
        difference(name, first, second)
    }

    fn engine(name: &str, options: &RunOptions) -> Result<Box<dyn Engine<Self>>> {
        match name {
            "backstop" => Ok(Box::new(Backstop { program: options.backstop.clone() })),
            "victorialogs" => Ok(Box::new(VictoriaLogs { program: options.rival(name, "victoria-logs")? })),
            "loki" => Ok(Box::new(Loki { program: options.rival(name, "loki")? })),
            _ => bail!("no engine {name:?}: there are backstop, victorialogs and loki"),
        }
    }
}
