//! Log records of OTLP to rows of the logs table.

use model::{LogRecord, SpanId, Timestamp, TraceId};
use opentelemetry_proto::tonic::logs::v1::LogRecord as Record;

use super::{Group, Groups, any, reject};
use crate::Decoded;

pub(super) fn decode(groups: Groups<Record>, received: Timestamp) -> Decoded {
    let mut decoded = Decoded { rejects: groups.rejects, ..Decoded::default() };
    for Group { resource, scope, items } in groups.groups {
        decoded.logs.reserve(items.len());
        for item in items {
            match times(&item) {
                Ok((time, observed_time)) => {
                    let record = LogRecord {
                        time,
                        observed_time,
                        resource: (*resource).clone(),
                        scope: (*scope).clone(),
                        ..record(item)
                    };
                    decoded.logs.push(record.into_row(received));
                }
                Err(reason) => decoded.rejects.push(reject(reason, &item)),
            }
        }
    }
    decoded
}

fn times(item: &Record) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
    Ok((any::time(item.time_unix_nano)?, any::time(item.observed_time_unix_nano)?))
}

/// Everything but times, resource and scope. Ids that are not valid count as absent and a severity number outside 1 to 24 as
/// unspecified, as the data model asks of receivers.
fn record(item: Record) -> LogRecord {
    LogRecord {
        severity_number: u8::try_from(item.severity_number).ok().filter(|number| *number <= 24).unwrap_or(0),
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
