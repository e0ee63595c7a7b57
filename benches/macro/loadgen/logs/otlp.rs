//! OTLP log records as protobuf, by hand: opentelemetry-proto's `logs.proto`, `resource.proto` and `common.proto`, of which
//! each field number here is a constant. Lists of records are kept encoded, so that a request is put together by copying.

use super::shape::{Record, Resource};
use crate::wire::{BYTES, VARINT, push_bytes, push_fixed64, push_tag, push_varint, varint_len};

/// Appends one `ExportLogsServiceRequest` field: a `ResourceLogs` whose records are already encoded.
pub(crate) fn push_resource_logs(resource: &Resource, records: &[u8], out: &mut Vec<u8>) {
    let mut attributes = Vec::new();
    for (key, value) in &resource.attributes {
        push_attribute(1, key, &Value::Text(value), &mut attributes);
    }
    let mut scope = Vec::new();
    push_bytes(1, b"loadgen", &mut scope);
    let mut scope_logs = Vec::with_capacity(records.len() + 32);
    push_bytes(1, &scope, &mut scope_logs);
    scope_logs.extend_from_slice(records);
    let mut resource_logs = Vec::with_capacity(scope_logs.len() + attributes.len() + 32);
    push_bytes(1, &attributes, &mut resource_logs);
    push_bytes(2, &scope_logs, &mut resource_logs);
    push_bytes(1, &resource_logs, out);
}

/// Appends one `log_records` field of a `ScopeLogs`. It has no observed time: VictoriaLogs throws that away, and the engines
/// should store the same.
pub(crate) fn push_record(record: &Record<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    scratch.clear();
    push_fixed64(1, record.time_ns as u64, scratch);
    push_tag(2, VARINT, scratch);
    push_varint(record.severity.number, scratch);
    push_bytes(3, record.severity.text.as_bytes(), scratch);
    push_value(5, &Value::Text(record.body), scratch);
    if let Some(served) = &record.served {
        push_attribute(6, "http.response.status_code", &Value::Int(served.status), scratch);
        push_attribute(6, "duration_ms", &Value::Double(served.duration_ms), scratch);
    }
    if let Some(span) = &record.span {
        push_bytes(9, &span.trace_id, scratch);
        push_bytes(10, &span.span_id, scratch);
    }
    push_bytes(2, scratch, out);
}

enum Value<'a> {
    Text(&'a str),
    Int(u64),
    Double(f64),
}

fn push_attribute(field: u64, key: &str, value: &Value<'_>, out: &mut Vec<u8>) {
    let mut pair = Vec::with_capacity(key.len() + 32);
    push_bytes(1, key.as_bytes(), &mut pair);
    push_value(2, value, &mut pair);
    push_bytes(field, &pair, out);
}

/// Appends an `AnyValue`.
fn push_value(field: u64, value: &Value<'_>, out: &mut Vec<u8>) {
    push_tag(field, BYTES, out);
    match value {
        Value::Text(text) => {
            push_varint(1 + varint_len(text.len() as u64) + text.len() as u64, out);
            push_bytes(1, text.as_bytes(), out);
        }
        Value::Int(int) => {
            push_varint(1 + varint_len(*int), out);
            push_tag(3, VARINT, out);
            push_varint(*int, out);
        }
        Value::Double(double) => {
            push_varint(9, out);
            push_fixed64(4, double.to_bits(), out);
        }
    }
}
