//! Log records of OTLP to rows of the logs table: the rules.

use model::{Attributes, LogRecord, Row, Scope, SpanId, Timestamp, TraceId};
use opentelemetry_proto::tonic::logs::v1::LogRecord as Record;

use super::{Group, Groups, any, reject};
use crate::{Decoded, Reject};

pub(super) fn decode(groups: Groups<Record>, received: Timestamp) -> Decoded {
    let mut decoded = Decoded { rejects: groups.rejects, ..Decoded::default() };
    for Group { resource, scope, items } in groups.groups {
        decoded.logs.reserve(items.len());
        for item in items {
            match row(item, &resource, &scope, received) {
                Ok(row) => decoded.logs.push(row),
                Err(reject) => decoded.rejects.push(reject),
            }
        }
    }
    decoded
}

/// The row of a record, or its reject.
pub(super) fn row(item: Record, resource: &Attributes, scope: &Scope, received: Timestamp) -> Result<Row, Reject> {
    let (time, observed_time) = match times(&item) {
        Ok(times) => times,
        Err(reason) => return Err(reject(reason, &item)),
    };
    let (resource, scope) = (resource.clone(), scope.clone());
    Ok(LogRecord { time, observed_time, resource, scope, ..record(item) }.into_row(received))
}

fn times(item: &Record) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
    Ok((any::time(item.time_unix_nano)?, any::time(item.observed_time_unix_nano)?))
}

/// The severity number; outside 1 to 24 it counts as unspecified, as the data model asks of receivers.
pub(super) fn severity_number(number: i32) -> u8 {
    u8::try_from(number).ok().filter(|number| *number <= 24).unwrap_or(0)
}

/// Everything but times, resource and scope. Ids that are not valid count as absent, as the data model asks of receivers.
fn record(item: Record) -> LogRecord {
    LogRecord {
        severity_number: severity_number(item.severity_number),
        severity_text: item.severity_text,
        body: any::value(item.body),
        attributes: any::attributes(item.attributes),
        trace_id: TraceId::from_bytes(&item.trace_id),
        span_id: SpanId::from_bytes(&item.span_id),
        flags: item.flags,
        event_name: item.event_name,
        dropped_attributes_count: item.dropped_attributes_count,
        ..LogRecord::default()
    }
}
