//! A trace span as OpenTelemetry defines it.

use crate::log::{set_resource_and_attributes, set_scope};
use crate::{Attributes, Row, Scope, SpanId, Timestamp, TraceId, Value, field};

/// What a span's other side is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanKind {
    /// Not said.
    #[default]
    Unspecified,
    /// Inside one process.
    Internal,
    /// Serves a request.
    Server,
    /// Makes a request.
    Client,
    /// Sends a message.
    Producer,
    /// Takes a message.
    Consumer,
}

impl SpanKind {
    /// The name in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// How a span ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanStatus {
    /// Not said.
    #[default]
    Unset,
    /// Said to be good.
    Ok,
    /// Failed.
    Error,
}

impl SpanStatus {
    /// The name in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// A span before it is flattened. Its row's `_time` is the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The span that caused it.
    pub parent_span_id: Option<SpanId>,
    /// The operation.
    pub name: String,
    /// What its other side is.
    pub kind: SpanKind,
    /// Start.
    pub start: Timestamp,
    /// End; before `start` only when the sender's clock jumped.
    pub end: Timestamp,
    /// How it ended.
    pub status: SpanStatus,
    /// Why, when it failed; may be empty.
    pub status_message: String,
    /// W3C trace state; may be empty.
    pub trace_state: String,
    /// Its own attributes.
    pub attributes: Attributes,
    /// The resource.
    pub resource: Attributes,
    /// The instrumentation scope.
    pub scope: Scope,
    /// Events: each a map of `time_unix_nano`, `name`, `attributes`.
    pub events: Vec<Value>,
    /// Links: each a map of `trace_id`, `span_id`, `attributes`.
    pub links: Vec<Value>,
    /// W3C trace flags.
    pub flags: u32,
}

impl Span {
    /// Flattens the span: `name`, `kind`, `duration_ns`, `status`, `status_message`, `trace_id`, `span_id`,
    /// `parent_span_id`, `trace_state`, `events`, `links`, and the attributes as for a log record.
    pub fn into_row(self) -> Row {
        let mut row = Row::new(self.start);
        row.set(field::TRACE_ID, self.trace_id.to_string());
        row.set(field::SPAN_ID, self.span_id.to_string());
        if let Some(parent) = self.parent_span_id {
            row.set("parent_span_id", parent.to_string());
        }
        row.set("name", self.name);
        row.set("kind", self.kind.as_str());
        row.set("duration_ns", self.end.0.saturating_sub(self.start.0));
        row.set("status", self.status.as_str());
        for (name, text) in [("status_message", self.status_message), ("trace_state", self.trace_state)] {
            if !text.is_empty() {
                row.set(name, text);
            }
        }
        for (name, list) in [("events", self.events), ("links", self.links)] {
            if !list.is_empty() {
                row.set(name, Value::Array(list));
            }
        }
        if self.flags != 0 {
            row.set(field::FLAGS, i64::from(self.flags));
        }
        set_resource_and_attributes(&mut row, self.resource, self.attributes);
        set_scope(&mut row, self.scope);
        row.finish()
    }
}
