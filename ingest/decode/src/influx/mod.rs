//! InfluxDB's line protocol, as its versions 1 and 2 take it: `measurement,tag=value field=1,other=2i 1700000000000000000`.
//!
//! A field becomes a sample of the metric `measurement_field`, tags become labels; names are made so that queries need no quotes
//! (`.` becomes `_`). Whole and unsigned numbers become floating-point ones, truths 1 and 0. **Strings have no place in a metric**: they are
//! left out and counted. A line without a time is from the time of receipt.
//!
//! A line that can not be read is a reject with InfluxDB's own words, and the lines beside it are kept. A string may hold line ends;
//! where it is not closed, the line counts as bad up to its own end.

mod line;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use model::{Labels, LabelsBuilder, METRIC_NAME, Sample, Timestamp};

use crate::Decoded;
use crate::collect::Collector;
use crate::prom_name;
use crate::remote_write::TIME_MS_MAX;

pub use line::Precision;
use line::{FieldValue, Line};

/// Samples of one request: what bounds the memory that it takes, whatever its bytes are.
pub const INFLUX_SAMPLES_MAX: usize = 4_000_000;

/// The label of the database (version 1) or the bucket (version 2) that a request names.
pub const DATABASE_LABEL: &str = "db";

/// Settings, and what a request says beside its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InfluxOptions {
    /// The unit of times.
    pub precision: Precision,
    /// The value of [`DATABASE_LABEL`] where no tag has that name; empty for none.
    pub database: String,
    /// Whether the only field of a line leaves its name out: `measurement` instead of `measurement_value`.
    pub skip_single_field: bool,
}

/// Why nothing of a request can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request has more than {INFLUX_SAMPLES_MAX} values (limit INFLUX_SAMPLES_MAX): send smaller batches")]
pub struct TooManyValues;

/// What lines bring.
#[derive(Debug, Default, PartialEq)]
pub struct Influx {
    /// Samples, and rejected lines.
    pub decoded: Decoded,
    /// Fields that were left out because they are strings.
    pub strings: u64,
}

/// Decodes lines.
pub fn decode_influx(body: &[u8], options: &InfluxOptions, received: Timestamp) -> Result<Influx, TooManyValues> {
    let (collector, known) = (Collector::default(), Known::default());
    let mut reader = Reader { options, received, collector, strings: 0, known };
    let mut rest = body;
    while !rest.is_empty() {
        let end = line::end(rest);
        let taken = reader.line(&rest[..end]).map_err(|reason| {
            // The end of the text line, not that of the string: what follows may be a line of its own.
            let first = memchr::memchr(b'\n', &rest[..end]).unwrap_or(end);
            let bad = rest[..first].trim_ascii_end();
            let shown = String::from_utf8_lossy(bad);
            reader.collector.reject(format!("unable to parse '{shown}': {reason}"), bad, "");
            first
        });
        let used = taken.map_or_else(|used| used, |()| end);
        rest = rest.get(used + 1..).unwrap_or_default();
        if reader.collector.samples() > INFLUX_SAMPLES_MAX {
            return Err(TooManyValues);
        }
    }
    let mut decoded = Decoded::default();
    reader.collector.finish(&mut decoded);
    Ok(Influx { decoded, strings: reader.strings })
}

struct Reader<'a> {
    options: &'a InfluxOptions,
    received: Timestamp,
    collector: Collector,
    strings: u64,
    known: Known,
}

/// Names and values of a request, each made once: the lines of a request have most of them in common.
#[derive(Default)]
struct Known {
    values: HashMap<Box<str>, Arc<str>>,
    /// Names of labels by those of tags.
    labels: Names,
    /// Names of metrics by measurement and field.
    metrics: HashMap<Box<str>, Names>,
}

/// Names by what they are made of; nothing where nothing can be kept.
type Names = HashMap<Box<str>, Option<Arc<str>>>;

impl Known {
    fn value(&mut self, text: &str) -> Arc<str> {
        match self.values.get(text) {
            Some(known) => Arc::clone(known),
            None => self.values.entry(text.into()).or_insert_with(|| text.into()).clone(),
        }
    }

    fn label(&mut self, tag: &str) -> Option<Arc<str>> {
        match self.labels.get(tag) {
            Some(known) => known.clone(),
            None => self.labels.entry(tag.into()).or_insert_with(|| prom_name::label_name(tag).map(Arc::from)).clone(),
        }
    }

    fn metric(&mut self, measurement: &str, field: &str) -> Option<Arc<str>> {
        let fields = match self.metrics.get_mut(measurement) {
            Some(fields) => fields,
            None => self.metrics.entry(measurement.into()).or_default(),
        };
        match fields.get(field) {
            Some(known) => known.clone(),
            None => {
                let name = || prom_name::metric_name([measurement, field]).map(Arc::from);
                fields.entry(field.into()).or_insert_with(name).clone()
            }
        }
    }
}

impl Reader<'_> {
    /// Takes one line; an empty one and a comment say nothing. A line that is refused leaves nothing behind.
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let line = line.trim_ascii();
        if line.is_empty() || line[0] == b'#' {
            return Ok(());
        }
        let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
        let line = Line::parse(text)?;
        let time_ms = self.time_ms(&line)?;
        let tags = self.tags(&line);
        let single = self.options.skip_single_field && line.fields.len() == 1;
        let mut samples: Vec<(Labels, Sample)> = Vec::with_capacity(line.fields.len());
        let mut strings = 0;
        for (field, value) in &line.fields {
            let FieldValue::Number(value) = *value else {
                strings += 1;
                continue;
            };
            let name = self.known.metric(&line.measurement, if single { "" } else { field });
            let name = name.ok_or("nothing of the name can be kept")?;
            let mut labels = tags.clone();
            labels.set(METRIC_NAME, name);
            samples.push((labels.build(), Sample { time_ms, value }));
        }
        self.strings += strings;
        samples.into_iter().for_each(|(labels, sample)| self.collector.add(labels, sample));
        Ok(())
    }

    fn time_ms(&self, line: &Line<'_>) -> Result<i64, String> {
        let Some(time) = line.time else { return Ok(self.received.millis()) };
        let ns = self.options.precision.nanoseconds(time).ok_or("time outside range")?;
        let ms =
            i64::try_from(ns.div_euclid(1_000_000)).ok().filter(|ms| ms.unsigned_abs() <= TIME_MS_MAX.unsigned_abs());
        ms.ok_or_else(|| "time outside range".to_owned())
    }

    fn tags(&mut self, line: &Line<'_>) -> LabelsBuilder {
        let mut labels = LabelsBuilder::default();
        if !self.options.database.is_empty() {
            labels.set(DATABASE_LABEL, self.options.database.as_str());
        }
        for (name, value) in &line.tags {
            if let Some(name) = self.known.label(name) {
                labels.set(name, self.known.value(value));
            }
        }
        labels
    }
}
