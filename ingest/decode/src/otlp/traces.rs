//! Spans of OTLP to rows of the spans table.

use model::{Span, SpanId, SpanKind, SpanStatus, Timestamp, TraceId, Value};
use opentelemetry_proto::tonic::trace::v1::{Span as Item, span};

use super::{Group, Groups, any, reject};
use crate::Decoded;

pub(super) fn decode(groups: Groups<Item>, received: Timestamp) -> Decoded {
    let mut decoded = Decoded { rejects: groups.rejects, ..Decoded::default() };
    for Group { resource, scope, items } in groups.groups {
        for item in items {
            match identity(&item) {
                Ok(identity) => {
                    let mut span = span(item, identity, received);
                    span.resource = (*resource).clone();
                    span.scope = (*scope).clone();
                    decoded.spans.push(span.into_row());
                }
                Err(reason) => decoded.rejects.push(reject(reason, &item)),
            }
        }
    }
    decoded
}

/// What a span can not be without.
struct Identity {
    trace_id: TraceId,
    span_id: SpanId,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

fn identity(item: &Item) -> Result<Identity, String> {
    let bad_id = |name: &str, bytes: &[u8], want: usize| {
        format!("the span's {name} is {:?}: {want} bytes that are not all zero are needed", hex::encode(bytes))
    };
    Ok(Identity {
        trace_id: TraceId::from_bytes(&item.trace_id).ok_or_else(|| bad_id("trace id", &item.trace_id, 16))?,
        span_id: SpanId::from_bytes(&item.span_id).ok_or_else(|| bad_id("span id", &item.span_id, 8))?,
        start: any::time(item.start_time_unix_nano)?,
        end: any::time(item.end_time_unix_nano)?,
    })
}

fn span(item: Item, identity: Identity, received: Timestamp) -> Span {
    let start = identity.start.or(identity.end).unwrap_or(received);
    let status = item.status.unwrap_or_default();
    let mut attributes = any::attributes(item.attributes);
    for (name, count) in [
        ("dropped_attributes_count", item.dropped_attributes_count),
        ("dropped_events_count", item.dropped_events_count),
        ("dropped_links_count", item.dropped_links_count),
    ] {
        if count != 0 {
            attributes.push((name.to_owned(), Value::Int(count.into())));
        }
    }
    Span {
        trace_id: identity.trace_id,
        span_id: identity.span_id,
        parent_span_id: SpanId::from_bytes(&item.parent_span_id),
        name: item.name,
        kind: kind(item.kind),
        start,
        end: identity.end.unwrap_or(start),
        status: match status.code {
            1 => SpanStatus::Ok,
            2 => SpanStatus::Error,
            _ => SpanStatus::Unset,
        },
        status_message: status.message,
        trace_state: item.trace_state,
        attributes,
        resource: Vec::new(),
        scope: model::Scope::default(),
        events: item.events.into_iter().map(event).collect(),
        links: item.links.into_iter().map(link).collect(),
        flags: item.flags,
    }
}

fn kind(number: i32) -> SpanKind {
    match number {
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}

fn event(event: span::Event) -> Value {
    let time = i64::try_from(event.time_unix_nano).unwrap_or(i64::MAX);
    let mut map = vec![("time_unix_nano".to_owned(), Value::Int(time)), ("name".to_owned(), Value::Str(event.name))];
    add_attributes(&mut map, event.attributes);
    Value::Map(map)
}

fn link(link: span::Link) -> Value {
    let mut map = vec![
        ("trace_id".to_owned(), Value::Str(hex::encode(link.trace_id))),
        ("span_id".to_owned(), Value::Str(hex::encode(link.span_id))),
    ];
    if !link.trace_state.is_empty() {
        map.push(("trace_state".to_owned(), Value::Str(link.trace_state)));
    }
    add_attributes(&mut map, link.attributes);
    Value::Map(map)
}

fn add_attributes(map: &mut Vec<(String, Value)>, list: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>) {
    if !list.is_empty() {
        map.push(("attributes".to_owned(), Value::Map(any::attributes(list))));
    }
}
