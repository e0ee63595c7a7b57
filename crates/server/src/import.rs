//! `backstop import`: sends samples of metrics with their times, from files of OpenMetrics or of Prometheus's text, in parts that are each
//! acknowledged before the next.
//!
//! A part is taken whole or not at all by the server. An import that broke off is simply run again: a sample that is sent twice is one.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;
use reqwest::blocking::{Client, Response};

use crate::cli::{ImportArgs, TextFormat};
use crate::exit::Failure;
use crate::ingest::{ANSWER_TIMEOUT, TRIES_MAX, WAIT_MAX, asked_wait, progress_bar, retryable, unreachable_server};

/// Bytes of a part at which it ends before the next metric family.
const PART_BYTES: usize = 4 << 20;

/// Bytes at which a part ends within a metric family: what is said of the family is said again in the next part, and only start times
/// (`_created` lines) that stand in the next part are missed. Far below what a request may have.
const PART_BYTES_MAX: usize = 32 << 20;

/// How OpenMetrics ends.
const END: &str = "# EOF";

/// Sends every file named.
#[allow(clippy::print_stdout, reason = "the command's result")]
pub(crate) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let client = Client::builder()
        .timeout(ANSWER_TIMEOUT)
        .build()
        .map_err(|error| Failure::internal(format!("cannot make an HTTP client: {error}"), ""))?;
    let sender = Sender { client, args, url: format!("{}/api/v1/import/prometheus", args.url.trim_end_matches('/')) };
    let mut samples = 0;
    for file in &args.files {
        samples += if file == Path::new("-") {
            let stdin = Box::new(BufReader::new(std::io::stdin()));
            Import::new(&sender, "standard input".to_owned(), stdin, ProgressBar::hidden()).run()?
        } else {
            let unreadable = |error: std::io::Error| {
                let message = format!("cannot read {}: {error}", file.display());
                Failure::usage(message, "name a text file, or - for standard input")
            };
            let opened = File::open(file).map_err(unreadable)?;
            let size = opened.metadata().map_err(unreadable)?.len();
            let bar = progress_bar(size, 0, file);
            Import::new(&sender, file.display().to_string(), Box::new(BufReader::new(opened)), bar).run()?
        };
    }
    println!("{samples} samples stored");
    Ok(())
}

/// How lines begin that say something of a metric family.
const ABOUT: [&str; 3] = ["# HELP ", "# TYPE ", "# UNIT "];

/// Why a part is not stored.
enum Failed {
    /// What the server said of it.
    Said(String),
    /// It did not come to that.
    Failure(Failure),
}

/// Where parts go.
struct Sender<'a> {
    client: Client,
    args: &'a ImportArgs,
    url: String,
}

impl Sender<'_> {
    /// Sends a part until it is acknowledged, waiting as long as the server asks; gives how many samples are stored.
    fn send(&self, part: &[u8], first: bool) -> Result<u64, Failed> {
        let format = match self.args.format {
            TextFormat::Openmetrics => "openmetrics",
            TextFormat::Prometheus => "prometheus",
        };
        let mut query = vec![("format", format)];
        query.extend(self.args.label.iter().map(|label| ("extra_label", label.as_str())));
        let mut wait = Duration::from_millis(200);
        for _ in 0..TRIES_MAX {
            let mut request = self.client.post(&self.url).query(&query);
            if let Some(tenant) = &self.args.tenant {
                request = request.header("x-scope-orgid", tenant);
            }
            match request.body(part.to_vec()).send() {
                Ok(answer) if answer.status().is_success() => return Ok(written(&answer)),
                Ok(answer) if retryable(answer.status()) => wait = asked_wait(&answer).unwrap_or(wait * 2),
                Ok(answer) => return Err(Failed::Said(answer.text().unwrap_or_default().trim_end().to_owned())),
                Err(error) if error.is_connect() && first => {
                    return Err(Failed::Failure(unreachable_server(&self.url, &error)));
                }
                Err(_) => wait *= 2,
            }
            std::thread::sleep(wait.min(WAIT_MAX));
        }
        Err(Failed::Failure(Failure::internal(
            format!("the server did not take a part in {TRIES_MAX} tries"),
            "run the same command again: what is sent twice is stored once",
        )))
    }
}

fn written(answer: &Response) -> u64 {
    let header = answer.headers().get("x-samples-written");
    header.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// One file on its way.
struct Import<'a> {
    sender: &'a Sender<'a>,
    name: String,
    reader: Box<dyn BufRead>,
    bar: ProgressBar,
    part: Vec<u8>,
    /// What is said of the family whose samples come now, and whether its samples have not begun.
    about: Vec<String>,
    about_goes_on: bool,
    /// Lines before the part, and lines at its beginning that were sent before.
    lines_before: u64,
    repeated: u64,
    lines: u64,
    /// Samples of the parts before.
    stored: u64,
    parts: u64,
}

impl<'a> Import<'a> {
    fn new(sender: &'a Sender<'a>, name: String, reader: Box<dyn BufRead>, bar: ProgressBar) -> Self {
        Self {
            sender,
            name,
            reader,
            bar,
            part: Vec::new(),
            about: Vec::new(),
            about_goes_on: false,
            lines_before: 0,
            repeated: 0,
            lines: 0,
            stored: 0,
            parts: 0,
        }
    }

    /// Gives how many samples were stored.
    fn run(mut self) -> Result<u64, Failure> {
        let open_metrics = self.sender.args.format == TextFormat::Openmetrics;
        let mut ended = false;
        while let Some(line) = self.next_line()? {
            if ended {
                return Err(self.refused(format!("line {} stands behind {END}", self.lines + 1)));
            }
            ended = open_metrics && line.trim_end() == END;
            if !ended {
                self.take(&line)?;
            }
            self.lines += 1;
        }
        if open_metrics && !ended {
            let hint = "it was cut, or is Prometheus's text (--format prometheus)";
            return Err(self.refused(format!("it does not end with {END}: {hint}")));
        }
        self.send()?;
        self.bar.finish_and_clear();
        Ok(self.stored)
    }

    fn next_line(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line);
        let read = read.map_err(|error| self.refused(format!("line {} can not be read: {error}", self.lines + 1)))?;
        self.bar.inc(read as u64);
        Ok((read > 0).then_some(line))
    }

    /// Adds a line to the part; sends the part before it when there is enough.
    fn take(&mut self, line: &str) -> Result<(), Failure> {
        let is_about = ABOUT.iter().any(|word| line.starts_with(word));
        let begins = is_about && !self.about_goes_on;
        if begins {
            if self.part.len() >= PART_BYTES {
                self.send()?;
            }
            self.about.clear();
        } else if self.part.len() >= if self.about.is_empty() { PART_BYTES } else { PART_BYTES_MAX } {
            self.send()?;
            self.repeated = self.about.len() as u64;
            self.part.extend(self.about.iter().flat_map(|line| line.bytes()));
        }
        self.about_goes_on = is_about;
        if is_about {
            self.about.push(line.to_owned());
        }
        self.part.extend_from_slice(line.as_bytes());
        if !line.ends_with('\n') {
            self.part.push(b'\n');
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Failure> {
        let mut part = std::mem::take(&mut self.part);
        if part.is_empty() {
            return Ok(());
        }
        if self.sender.args.format == TextFormat::Openmetrics {
            part.extend_from_slice(END.as_bytes());
            part.push(b'\n');
        }
        let stored = self.sender.send(&part, self.parts == 0).map_err(|failed| match failed {
            Failed::Said(text) => self.refused(located(&text, self.lines_before, self.repeated)),
            Failed::Failure(failure) => failure,
        })?;
        (self.lines_before, self.repeated) = (self.lines, 0);
        (self.stored, self.parts) = (self.stored + stored, self.parts + 1);
        Ok(())
    }

    fn refused(&self, what: String) -> Failure {
        let hint = format!("{} samples before it are stored; sending them again changes nothing", self.stored);
        Failure::refused(format!("{}: {what}", self.name), hint)
    }
}

/// What a server said of a part, with the number of the line in the file.
fn located(text: &str, lines_before: u64, repeated: u64) -> String {
    let rest = text.strip_prefix("nothing was stored: ").unwrap_or(text);
    let number = rest.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
    match number.and_then(|(number, what)| Some((number.parse::<u64>().ok()?, what))) {
        Some((number, what)) => format!("line {}: {what}", (lines_before + number).saturating_sub(repeated)),
        None => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_in_the_file() {
        for (text, lines_before, repeated, want) in [
            ("nothing was stored: line 3: bad", 0, 0, "line 3: bad"),
            ("nothing was stored: line 3: bad", 1000, 2, "line 1001: bad"),
            ("nothing was stored: no end", 10, 0, "no end"),
            ("the metric has 3 series already", 10, 0, "the metric has 3 series already"),
        ] {
            assert_eq!(located(text, lines_before, repeated), want);
        }
    }
}
