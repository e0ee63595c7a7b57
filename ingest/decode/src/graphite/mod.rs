//! Graphite's plaintext protocol, `path value [time]` a line, with tags (`path;tag=value`), and its pickle protocol.
//!
//! The path becomes the metric's name with underscores for dots, tags become labels. [`Templates`] take the parts of a path apart
//! instead. A time is in seconds, whole or not; without one, with `-1` and with `N` the time of receipt counts. A value that is not a
//! number (`nan`, as collectd writes what it does not know) is left out, as Graphite does.

mod pickle;
mod template;
#[cfg(test)]
mod tests;

use model::{Labels, LabelsBuilder, METRIC_NAME, Sample, Timestamp};

use crate::collect::Collector;
use crate::prom_name;
use crate::remote_write::TIME_MS_MAX;
use crate::{Decoded, Reject};

pub use pickle::{PICKLE_BYTES_MAX, PickleFrames};
pub use template::{TemplateError, Templates};

/// Longest line, in bytes; a longer one is refused, cut.
pub const GRAPHITE_LINE_BYTES_MAX: usize = 64 * 1024;

/// Settings of the receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphiteOptions {
    /// How paths are taken apart.
    pub templates: Templates,
}

/// Decodes lines of one sender after another into samples and rejects.
#[derive(Debug)]
pub struct GraphiteDecoder<'a> {
    options: &'a GraphiteOptions,
    received: Timestamp,
    collector: Collector,
    rejects: Vec<Reject>,
}

impl<'a> GraphiteDecoder<'a> {
    /// Begins a batch of what came at one time.
    pub fn new(options: &'a GraphiteOptions, received: Timestamp) -> Self {
        Self { options, received, collector: Collector::default(), rejects: Vec::new() }
    }

    /// Takes the lines of a datagram.
    pub fn lines(&mut self, text: &[u8], peer: &str) {
        text.split(|byte| *byte == b'\n').for_each(|line| self.line(line, peer));
    }

    /// Takes one line; `peer` goes to its reject.
    pub fn line(&mut self, line: &[u8], peer: &str) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        if let Err(reason) = self.try_line(line) {
            self.collector.reject(reason, line, peer);
        }
    }

    /// Takes what was refused before it came here.
    pub fn rejects(&mut self, rejects: impl IntoIterator<Item = Reject>) {
        self.rejects.extend(rejects);
    }

    /// Takes a message of the pickle protocol, without its length.
    pub fn pickle(&mut self, message: &[u8], peer: &str) {
        let points = match pickle::read(message) {
            Ok(points) => points,
            Err(reason) => return self.collector.reject(reason, message, peer),
        };
        for point in points {
            let taken = point.and_then(|point| self.point(&point.path, point.value, Some(point.time_s)));
            if let Err(reason) = taken {
                self.collector.reject(reason, message, peer);
            }
        }
    }

    /// What the lines brought.
    pub fn finish(self) -> Decoded {
        let mut decoded = Decoded { rejects: self.rejects, ..Decoded::default() };
        self.collector.finish(&mut decoded);
        decoded
    }

    fn try_line(&mut self, line: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
        let mut words = text.split_ascii_whitespace();
        let (Some(path), Some(value)) = (words.next(), words.next()) else {
            return Err("the line has no value: send `path value time`".to_owned());
        };
        let time_s = match words.next() {
            None | Some("N" | "n" | "-1") => None,
            Some(word) => {
                let time: f64 = word.parse().map_err(|_| format!("the time {word:?} is not a number of seconds"))?;
                (time != -1.0).then_some(time)
            }
        };
        if let Some(word) = words.next() {
            return Err(format!("there is {word:?} behind the time: send `path value time`"));
        }
        let value: f64 = value.parse().map_err(|_| format!("the value {value:?} is not a number"))?;
        self.point(path, value, time_s)
    }

    fn point(&mut self, path: &str, value: f64, time_s: Option<f64>) -> Result<(), String> {
        let time_ms = match time_s {
            None => self.received.millis(),
            Some(seconds) => {
                let ms = (seconds * 1000.0).round();
                if !(0.0..=TIME_MS_MAX as f64).contains(&ms) {
                    return Err(format!("the time {seconds:?} is out of bounds: send seconds since 1970"));
                }
                ms as i64
            }
        };
        let labels = self.labels(path)?;
        if !value.is_nan() {
            self.collector.add(labels, Sample { time_ms, value });
        }
        Ok(())
    }

    fn labels(&self, path: &str) -> Result<Labels, String> {
        let mut parts = path.split(';');
        let path = parts.next().unwrap_or_default();
        let mut labels = LabelsBuilder::default();
        let mut tagged = false;
        for part in parts {
            tagged = true;
            let (name, value) = part.split_once('=').ok_or_else(|| format!("the tag {part:?} has no value"))?;
            let name = prom_name::label_name(name).ok_or_else(|| format!("the tag {part:?} has no name"))?;
            labels.set(name, value);
        }
        let name = match self.options.templates.apply(path).filter(|_| !tagged) {
            Some((name, found)) => {
                found.into_iter().for_each(|(name, value)| labels.set(name, value));
                name
            }
            None => prom_name::metric_name([path]),
        };
        labels.set(METRIC_NAME, name.ok_or_else(|| format!("nothing of the path {path:?} can be kept as a name"))?);
        Ok(labels.build())
    }
}
