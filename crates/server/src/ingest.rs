//! `backstop ingest`: sends lines of files or of standard input to a server, in batches, each acknowledged before the next.
//!
//! A file that was interrupted goes on where it stopped: the offset of the last acknowledged byte is kept beside the user's
//! other state until the file is done.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use decode::Format;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::StatusCode;
use reqwest::blocking::Client;
use serde_json::Value;

use crate::cli::{IngestArgs, LineFormat};
use crate::exit::Failure;

/// Bytes of lines in one request.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes from which the format is told.
const SAMPLE_BYTES: usize = 64 << 10;
/// How often a batch is tried while the server says that it is busy or can not be reached.
pub(crate) const TRIES_MAX: u32 = 30;
/// Longest wait between two tries.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for an answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// What the server said about all batches so far.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    lines: u64,
    accepted: u64,
    quarantined: u64,
}

/// Sends every file named.
#[allow(clippy::print_stdout, reason = "the command's result")]
pub(crate) fn run(args: &IngestArgs) -> Result<(), Failure> {
    let client = Client::builder()
        .timeout(ANSWER_TIMEOUT)
        .build()
        .map_err(|error| Failure::internal(format!("cannot make an HTTP client: {error}"), ""))?;
    let mut totals = Totals::default();
    for file in &args.files {
        let sent = if file == Path::new("-") {
            Upload::new(&client, args, Box::new(BufReader::new(std::io::stdin())), None)?.run()
        } else {
            send_file(&client, args, file)
        }?;
        totals.lines += sent.lines;
        totals.accepted += sent.accepted;
        totals.quarantined += sent.quarantined;
    }
    println!("{} lines sent: {} records stored, {} quarantined", totals.lines, totals.accepted, totals.quarantined);
    Ok(())
}

fn send_file(client: &Client, args: &IngestArgs, path: &Path) -> Result<Totals, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("cannot read {}: {error}", path.display()), "name a text file, or - for standard input")
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let resume = ResumePoint::of(path, &args.url);
    let start = resume.load().filter(|offset| *offset <= size).unwrap_or(0);
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let format = detect(args.format, &mut reader).map_err(unreadable)?;
    file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    let mut upload = Upload::new(client, args, Box::new(BufReader::new(file)), Some(resume))?;
    upload.format = format;
    upload.offset = start;
    upload.path = path.canonicalize().ok().map(|path| path.display().to_string());
    upload.bar = progress_bar(size, start, path);
    upload.run()
}

/// A bar on a terminal, nothing in a pipe.
pub(crate) fn progress_bar(size: u64, start: u64, path: &Path) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size).with_position(start);
    let template = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    bar
}

fn detect(wanted: LineFormat, reader: &mut impl BufRead) -> std::io::Result<Format> {
    Ok(match wanted {
        LineFormat::Auto => {
            let mut sample = Vec::new();
            reader.take(SAMPLE_BYTES as u64).read_to_end(&mut sample)?;
            decode::detect(&sample)
        }
        LineFormat::Json => Format::Json,
        LineFormat::Logfmt => Format::Logfmt,
        LineFormat::Syslog => Format::Syslog,
        LineFormat::Raw => Format::Raw,
    })
}

/// One file on its way.
struct Upload<'a> {
    client: &'a Client,
    url: String,
    service: Option<&'a str>,
    /// The file, as `log.file.path`.
    path: Option<String>,
    reader: Box<dyn BufRead>,
    format: Format,
    /// Bytes acknowledged.
    offset: u64,
    resume: Option<ResumePoint>,
    bar: ProgressBar,
}

impl<'a> Upload<'a> {
    fn new(
        client: &'a Client,
        args: &'a IngestArgs,
        mut reader: Box<dyn BufRead>,
        resume: Option<ResumePoint>,
    ) -> Result<Self, Failure> {
        let mut format = Format::Raw;
        if resume.is_none() {
            // Standard input can not be read twice: what is buffered first is the sample.
            let sample =
                reader.fill_buf().map_err(|error| Failure::internal(format!("cannot read input: {error}"), ""))?;
            format = detect(args.format, &mut &*sample.to_vec())
                .map_err(|error| Failure::internal(format!("cannot read input: {error}"), ""))?;
        }
        Ok(Self {
            client,
            url: format!("{}/backstop/api/v1/ingest", args.url.trim_end_matches('/')),
            service: args.service.as_deref(),
            path: None,
            reader,
            format,
            offset: 0,
            resume,
            bar: ProgressBar::hidden(),
        })
    }

    fn run(mut self) -> Result<Totals, Failure> {
        let mut totals = Totals::default();
        loop {
            let (batch, lines) = self.next_batch()?;
            if batch.is_empty() {
                break;
            }
            let size = batch.len() as u64;
            let answer = self.send(batch)?;
            self.offset += size;
            self.bar.inc(size);
            if let Some(resume) = &self.resume {
                resume.save(self.offset);
            }
            totals.lines += lines;
            totals.accepted += answer["accepted"].as_u64().unwrap_or(0);
            totals.quarantined += answer["quarantined"].as_u64().unwrap_or(0);
        }
        self.bar.finish_and_clear();
        if let Some(resume) = &self.resume {
            resume.remove();
        }
        Ok(totals)
    }

    /// Whole lines up to the size of a batch; a longer line travels alone.
    fn next_batch(&mut self) -> Result<(Vec<u8>, u64), Failure> {
        let mut batch = Vec::new();
        let mut lines = 0;
        while batch.len() < BATCH_BYTES {
            let read = self.reader.read_until(b'\n', &mut batch);
            match read.map_err(|error| Failure::internal(format!("cannot read input: {error}"), ""))? {
                0 => break,
                _ => lines += 1,
            }
        }
        Ok((batch, lines))
    }

    /// Sends a batch until it is acknowledged, waiting as long as the server asks.
    fn send(&self, batch: Vec<u8>) -> Result<Value, Failure> {
        let mut wait = Duration::from_millis(200);
        for _ in 0..TRIES_MAX {
            let mut query = vec![("format", self.format.as_str())];
            query.extend(self.service.map(|service| ("service", service)));
            query.extend(self.path.as_deref().map(|path| ("path", path)));
            match self.client.post(&self.url).query(&query).body(batch.clone()).send() {
                Ok(answer) if answer.status().is_success() => {
                    return answer
                        .json()
                        .map_err(|error| Failure::internal(format!("cannot read the answer: {error}"), ""));
                }
                Ok(answer) if retryable(answer.status()) => wait = asked_wait(&answer).unwrap_or(wait * 2),
                Ok(answer) => return Err(self.refused(answer.status(), &answer.text().unwrap_or_default())),
                Err(error) if error.is_connect() && self.offset == 0 => {
                    return Err(unreachable_server(&self.url, &error));
                }
                Err(_) => wait *= 2,
            }
            std::thread::sleep(wait.min(WAIT_MAX));
        }
        let message = format!("the server did not take the batch at byte {} in {TRIES_MAX} tries", self.offset);
        Err(Failure::internal(message, "run the same command again to go on from there"))
    }

    fn refused(&self, status: StatusCode, text: &str) -> Failure {
        let said = serde_json::from_str::<Value>(text).ok();
        let said = said.as_ref().and_then(|json| json["error"]["message"].as_str()).unwrap_or(text);
        Failure::internal(format!("the server answered {status} at byte {}: {said}", self.offset), "")
    }
}

pub(crate) fn retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

pub(crate) fn asked_wait(answer: &reqwest::blocking::Response) -> Option<Duration> {
    answer.headers().get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

pub(crate) fn unreachable_server(url: &str, error: &reqwest::Error) -> Failure {
    let hint = "start one with `backstop serve`, or name another with --url";
    Failure::internal(format!("cannot reach {url}: {error}"), hint)
}

/// Where the offset of an unfinished file is kept.
struct ResumePoint {
    path: PathBuf,
}

impl ResumePoint {
    fn of(file: &Path, url: &str) -> Self {
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state")));
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let key = format!("{}\n{url}", file.display());
        let name = format!("{:08x}{:08x}", crc32c::crc32c(key.as_bytes()), crc32c::crc32c(url.as_bytes()));
        Self { path: state.unwrap_or_else(std::env::temp_dir).join("backstop/ingest").join(name) }
    }

    fn load(&self) -> Option<u64> {
        std::fs::read_to_string(&self.path).ok()?.trim().parse().ok()
    }

    /// Keeping the offset is a convenience: a failure costs a repeated batch after an interruption, nothing else.
    fn save(&self, offset: u64) {
        if let Some(dir) = self.path.parent() {
            let made = std::fs::create_dir_all(dir);
            let written = std::fs::write(&self.path, offset.to_string());
            drop((made, written));
        }
    }

    fn remove(&self) {
        drop(std::fs::remove_file(&self.path));
    }
}
