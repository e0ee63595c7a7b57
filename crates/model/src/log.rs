//! A log record as OpenTelemetry defines it (its log data model, version 1).

use crate::{Attributes, Row, Severity, SpanId, Timestamp, TraceId, Value, field};

/// The instrumentation scope that a record comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Its name; may be empty.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A log record before it is flattened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogRecord {
    /// When it happened; `None` when the source does not know, then `observed_time` counts.
    pub time: Option<Timestamp>,
    /// When a collector saw it.
    pub observed_time: Option<Timestamp>,
    /// 1 to 24; 0 for unspecified.
    pub severity_number: u8,
    /// The severity as the source wrote it; may be empty.
    pub severity_text: String,
    /// The body; a map or an array is kept as its JSON text.
    pub body: Value,
    /// The record's own attributes.
    pub attributes: Attributes,
    /// What the record is about: service, host, ...
    pub resource: Attributes,
    /// The instrumentation scope.
    pub scope: Scope,
    /// The trace it belongs to.
    pub trace_id: Option<TraceId>,
    /// The span it belongs to.
    pub span_id: Option<SpanId>,
    /// W3C trace flags.
    pub flags: u32,
    /// Name of an OpenTelemetry event; may be empty.
    pub event_name: String,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

impl LogRecord {
    /// Flattens the record. `received` is the time used when the source gave none.
    ///
    /// Resource attributes and then the record's own become fields under their own names; where both carry a name, the
    /// record's value is the field and the resource's is kept as `resource.<name>`. An attribute that carries the name of a
    /// built-in field is kept as `attributes.<name>`, so that it can not pass for it.
    pub fn into_row(self, received: Timestamp) -> Row {
        let mut row = Row::new(self.time.or(self.observed_time).unwrap_or(received));
        row.fields.reserve(self.resource.len() + self.attributes.len() + 6);
        if let Some(observed) = self.observed_time {
            row.set(field::OBSERVED_TIME, observed.0);
        }
        set_severity(&mut row, self.severity_number, &self.severity_text);
        match self.body {
            Value::Null => {}
            Value::Str(body) => row.set(field::BODY, body),
            other => row.set(field::BODY, other.text().into_owned()),
        }
        if let Some(id) = self.trace_id {
            row.set(field::TRACE_ID, id.to_string());
        }
        if let Some(id) = self.span_id {
            row.set(field::SPAN_ID, id.to_string());
        }
        if self.flags != 0 {
            row.set(field::FLAGS, i64::from(self.flags));
        }
        if !self.event_name.is_empty() {
            row.set(field::EVENT_NAME, self.event_name);
        }
        if self.dropped_attributes_count != 0 {
            row.set(field::DROPPED_ATTRIBUTES, i64::from(self.dropped_attributes_count));
        }
        set_resource_and_attributes(&mut row, self.resource, self.attributes);
        set_scope(&mut row, self.scope);
        row.finish()
    }
}

fn set_severity(row: &mut Row, number: u8, text: &str) {
    let severity = Severity::from_number(number.into()).or_else(|| Severity::from_text(text));
    if let Some(severity) = severity {
        row.set(field::SEVERITY, severity.as_str());
    }
    if number != 0 {
        row.set(field::SEVERITY_NUMBER, i64::from(number));
    }
    if !text.is_empty() && severity.is_none_or(|severity| severity.as_str() != text) {
        row.set(field::SEVERITY_TEXT, text);
    }
}

/// Adds resource attributes, then the record's own, as [`LogRecord::into_row`] says. Spans use it too.
pub(crate) fn set_resource_and_attributes(row: &mut Row, resource: Attributes, attributes: Attributes) {
    let mut flat = Row::new(row.time);
    for (name, value) in resource {
        flat.set(&name, value);
    }
    for (name, value) in flat.fields {
        let taken = field::BUILT_IN.contains(&&*name) || row.get(&name).is_some();
        row.set(&if taken { format!("resource.{name}") } else { name.to_string() }, value);
    }
    let resource_start = row.fields.len();
    let mut flat = Row::new(row.time);
    for (name, value) in attributes {
        flat.set(&name, value);
    }
    let own = flat.fields;
    for (name, value) in own {
        if field::BUILT_IN.contains(&&*name) {
            row.set(&format!("attributes.{name}"), value);
            continue;
        }
        let clash = row.fields[..resource_start].iter().position(|(known, old)| *known == name && *old != value);
        if let Some(at) = clash {
            let old = std::mem::replace(&mut row.fields[at].1, value);
            row.set(&format!("resource.{name}"), old);
        } else {
            row.set(&name, value);
        }
    }
}

/// Adds the scope's name, version and attributes (as `scope.<name>`).
pub(crate) fn set_scope(row: &mut Row, scope: Scope) {
    if !scope.name.is_empty() {
        row.set(field::SCOPE_NAME, scope.name);
    }
    if !scope.version.is_empty() {
        row.set(field::SCOPE_VERSION, scope.version);
    }
    for (name, value) in scope.attributes {
        row.set(&format!("scope.{name}"), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_flattens_without_losing_anything() {
        let record = LogRecord {
            time: Some(Timestamp(5)),
            severity_number: 17,
            severity_text: "err".into(),
            body: Value::Map(vec![("k".into(), Value::Int(1))]),
            attributes: vec![
                ("host.name".into(), "pod".into()),
                ("body".into(), "x".into()),
                ("n".into(), Value::Int(7)),
            ],
            resource: vec![("host.name".into(), "node".into()), ("service.name".into(), "checkout".into())],
            scope: Scope { name: "lib".into(), ..Scope::default() },
            trace_id: TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736"),
            ..LogRecord::default()
        };
        let row = record.into_row(Timestamp(9));
        let fields: Vec<_> = row.fields.iter().map(|(name, value)| format!("{name}={}", value.text())).collect();
        assert_eq!(
            fields,
            [
                "severity=ERROR",
                "severity_number=17",
                "severity_text=err",
                r#"body={"k":1}"#,
                "trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
                "host.name=pod",
                "service.name=checkout",
                "resource.host.name=node",
                "attributes.body=x",
                "n=7",
                "scope.name=lib",
            ]
        );
        assert_eq!(&*row.stream, r#"{host.name="pod",service.name="checkout"}"#);
        assert_eq!(row.time, Timestamp(5));
    }
}
