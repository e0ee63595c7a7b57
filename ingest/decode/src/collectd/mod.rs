//! What collectd's `write_http` posts: value lists as JSON or as `PUTVAL` lines, and notifications as JSON.
//!
//! Names are those of Prometheus's collectd exporter, so that its dashboards and rules go on: `collectd_cpu_total{cpu="0", type="idle",
//! instance="web-1"}`. A name is `collectd`, the plugin, the type where it is another word, the source where it is not `value`, and
//! `total` for what counts. The plugin's instance is the label called as the plugin is; the type's instance is `type`, or has the
//! plugin's name as well where the plugin has no instance. A value that collectd does not know (`null`, `nan`, `U`) is left out.
//!
//! `PUTVAL` lines name no sources and no kinds: [`Types`] does. A notification becomes a log record. A value list that can not be read is
//! a reject, and its neighbours are kept.

mod command;
mod json;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashSet;

use model::{LabelsBuilder, METRIC_NAME, MetricKind, MetricMetadata, Row, Sample, Timestamp};

use crate::Decoded;
use crate::collect::Collector;
use crate::prom_name;
use crate::remote_write::TIME_MS_MAX;

use types::Kind;
pub use types::{Types, TypesError};

/// Values of one request: what bounds the memory that it takes, whatever its bytes are. collectd sends some thousand.
pub const COLLECTD_VALUES_MAX: usize = 1_000_000;

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectdFormat {
    /// An array of value lists or notifications: `Format "JSON"`.
    Json,
    /// `PUTVAL` lines: `Format "Command"`, collectd's default.
    Command,
}

impl CollectdFormat {
    /// How a body looks, whatever its content type says.
    pub fn detect(body: &[u8]) -> Self {
        if matches!(body.trim_ascii_start().first(), Some(b'[' | b'{')) { Self::Json } else { Self::Command }
    }
}

/// Why nothing of a request can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request has more than {COLLECTD_VALUES_MAX} values (limit COLLECTD_VALUES_MAX): set a smaller BufferSize")]
pub struct TooManyValues;

/// Decodes a body of `write_http`.
pub fn decode_collectd(body: &[u8], types: &Types, received: Timestamp) -> Result<Decoded, TooManyValues> {
    let mut reader = Reader {
        received,
        collector: Collector::default(),
        metadata: Vec::new(),
        named: HashSet::new(),
        logs: Vec::new(),
    };
    match CollectdFormat::detect(body) {
        CollectdFormat::Json => json::read(body, &mut reader)?,
        CollectdFormat::Command => command::read(body, types, &mut reader)?,
    }
    let mut decoded = Decoded { logs: reader.logs, ..Decoded::default() };
    decoded.series.metadata = reader.metadata;
    reader.collector.finish(&mut decoded);
    Ok(decoded)
}

/// What one reading of a plugin brought.
#[derive(Debug, Default)]
struct ValueList<'a> {
    host: &'a str,
    plugin: &'a str,
    plugin_instance: &'a str,
    kind: &'a str,
    type_instance: &'a str,
    time_ms: i64,
    /// Names and kinds of the sources, with their values; nothing where collectd knows none.
    values: Vec<(&'a str, Kind, Option<f64>)>,
}

struct Reader {
    received: Timestamp,
    collector: Collector,
    metadata: Vec<MetricMetadata>,
    /// Metrics whose metadata is in.
    named: HashSet<String>,
    logs: Vec<Row>,
}

impl Reader {
    fn check_room(&self) -> Result<(), TooManyValues> {
        if self.collector.samples() > COLLECTD_VALUES_MAX { Err(TooManyValues) } else { Ok(()) }
    }

    /// Takes a value list; one that is refused leaves nothing behind.
    fn value_list(&mut self, list: &ValueList<'_>) -> Result<(), String> {
        let labels = labels(list)?;
        for (source, kind, value) in &list.values {
            let name = metric_name(list, source, *kind).ok_or("nothing of the names can be kept")?;
            self.name(&name, list, source, *kind);
            let Some(value) = *value else { continue };
            let mut labels = labels.clone();
            labels.set(METRIC_NAME, name);
            self.collector.add(labels.build(), Sample { time_ms: list.time_ms, value });
        }
        Ok(())
    }

    fn name(&mut self, name: &str, list: &ValueList<'_>, source: &str, kind: Kind) {
        if self.named.contains(name) {
            return;
        }
        self.named.insert(name.to_owned());
        let help = format!("collectd: plugin {}, type {}, source {source}", list.plugin, list.kind);
        let kind = if kind == Kind::Counter { MetricKind::Counter } else { MetricKind::Gauge };
        self.metadata.push(MetricMetadata { name: name.to_owned(), kind, help, unit: String::new() });
    }
}

fn metric_name(list: &ValueList<'_>, source: &str, kind: Kind) -> Option<String> {
    let own_type = if list.kind == list.plugin { "" } else { list.kind };
    let source = if source == "value" { "" } else { source };
    let total = if kind == Kind::Counter { "total" } else { "" };
    prom_name::metric_name(["collectd", list.plugin, own_type, source, total])
}

fn labels(list: &ValueList<'_>) -> Result<LabelsBuilder, String> {
    if list.plugin.is_empty() || list.kind.is_empty() {
        return Err("the value list names no plugin or no type".to_owned());
    }
    let plugin =
        || prom_name::label_name(list.plugin).ok_or_else(|| format!("the plugin {:?} is no name", list.plugin));
    let mut labels = LabelsBuilder::default();
    match (list.plugin_instance, list.type_instance) {
        ("", "") => {}
        ("", instance) | (instance, "") => labels.set(plugin()?, instance),
        (of_plugin, of_type) => {
            labels.set(plugin()?, of_plugin);
            labels.set("type", of_type);
        }
    }
    labels.set("instance", list.host);
    Ok(labels)
}

/// Seconds since 1970, whole or not.
fn time_ms(seconds: f64) -> Result<i64, String> {
    let ms = (seconds * 1000.0).round();
    if (0.0..=TIME_MS_MAX as f64).contains(&ms) {
        return Ok(ms as i64);
    }
    Err(format!("the time {seconds:?} is out of bounds: send seconds since 1970"))
}
