//! OTLP's JSON encoding, by the specification's own rules rather than ProtoJSON's.
//!
//! Keys are lowerCamelCase and unknown ones are ignored; trace and span ids are hexadecimal, other bytes base64; enums are
//! integers (names are accepted too, as the OpenTelemetry Collector does); 64-bit integers are numbers or strings; doubles are
//! numbers or strings, `NaN` and the infinities included; null means the default. An item that breaks a rule is a reject, its
//! neighbours are not touched: that is why this does not go through serde's derive, which would fail the whole request.

use std::rc::Rc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, Sum, Summary, SummaryDataPoint, exemplar, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span};
use serde_json::{Map, Value as Json};

use super::{Group, Groups, OtlpError, any};
use crate::Reject;

/// Padding is optional: JavaScript's encoders leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the three requests call their parts, and how to read an item.
pub(super) struct Signal<T> {
    request: &'static str,
    resources: &'static str,
    scopes: &'static str,
    items: &'static str,
    /// `None` when parts of the item were rejected and nothing is left of it.
    item: fn(&Object<'_>, &mut Vec<Reject>) -> Read<Option<T>>,
}

pub(super) const LOGS: Signal<LogRecord> = Signal {
    request: "ExportLogsServiceRequest",
    resources: "resourceLogs",
    scopes: "scopeLogs",
    items: "logRecords",
    item: |json, _| log_record(json).map(Some),
};

pub(super) const TRACES: Signal<Span> = Signal {
    request: "ExportTraceServiceRequest",
    resources: "resourceSpans",
    scopes: "scopeSpans",
    items: "spans",
    item: |json, _| span(json).map(Some),
};

pub(super) const METRICS: Signal<Metric> = Signal {
    request: "ExportMetricsServiceRequest",
    resources: "resourceMetrics",
    scopes: "scopeMetrics",
    items: "metrics",
    item: metric,
};

/// A value, or which field was wrong and how.
type Read<T> = Result<T, String>;

/// Reads a request's body into groups.
pub(super) fn groups<T>(body: &[u8], signal: &Signal<T>) -> Result<Groups<T>, OtlpError> {
    let malformed = |message: String| OtlpError::Json { request: signal.request, message };
    let json: Json = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let request = object(&json).map_err(malformed)?;
    let mut groups = Groups { groups: Vec::new(), rejects: Vec::new() };
    for part in request.array(signal.resources).map_err(malformed)? {
        let part = object(part).map_err(malformed)?;
        let resource = part
            .message("resource", resource)
            .and_then(|resource| Ok(Rc::new(any::resource(resource, part.text("schemaUrl")?))));
        for scope_part in part.array(signal.scopes).map_err(malformed)? {
            let scope_part = object(scope_part).map_err(malformed)?;
            let scope = scope_part
                .message("scope", scope)
                .and_then(|scope| Ok(any::scope(scope, scope_part.text("schemaUrl")?)));
            let broken = resource.as_ref().err().or(scope.as_ref().err());
            let mut items = Vec::new();
            for json in scope_part.array(signal.items).map_err(malformed)? {
                let read = match broken {
                    Some(reason) => Err(reason.clone()),
                    None => object(json).and_then(|object| (signal.item)(&object, &mut groups.rejects)),
                };
                match read {
                    Ok(item) => items.extend(item),
                    Err(reason) => groups.rejects.push(Reject::new(reason, json.to_string().as_bytes())),
                }
            }
            if let (Ok(resource), Ok(scope)) = (&resource, scope) {
                groups.groups.push(Group { resource: Rc::clone(resource), scope: Rc::new(scope), items });
            }
        }
    }
    Ok(groups)
}

/// An object with typed access to its members. A missing and a null member are the default.
struct Object<'a>(&'a Map<String, Json>);

fn object(json: &Json) -> Read<Object<'_>> {
    json.as_object().map(Object).ok_or_else(|| format!("an object is needed, not {}", kind_of(json)))
}

fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

impl<'a> Object<'a> {
    fn get(&self, key: &str) -> Option<&'a Json> {
        self.0.get(key).filter(|json| !json.is_null())
    }

    /// Reads a member by `read`; what it can not read is an error that names the member.
    fn read<T: Default>(&self, key: &str, wanted: &str, read: impl Fn(&'a Json) -> Option<T>) -> Read<T> {
        match self.get(key) {
            None => Ok(T::default()),
            Some(json) => read(json).ok_or_else(|| format!("`{key}` must be {wanted}, not {}", shown(json))),
        }
    }

    fn text(&self, key: &str) -> Read<String> {
        self.read(key, "a string", |json| json.as_str().map(str::to_owned))
    }

    fn boolean(&self, key: &str) -> Read<bool> {
        self.read(key, "true or false", Json::as_bool)
    }

    fn unsigned(&self, key: &str) -> Read<u64> {
        self.read(key, "an unsigned integer", unsigned)
    }

    fn unsigned32(&self, key: &str) -> Read<u32> {
        self.read(key, "an unsigned 32-bit integer", |json| u32::try_from(unsigned(json)?).ok())
    }

    fn signed32(&self, key: &str) -> Read<i32> {
        self.read(key, "a 32-bit integer", |json| i32::try_from(signed(json)?).ok())
    }

    fn double(&self, key: &str) -> Read<f64> {
        self.read(key, "a number", double)
    }

    fn optional_double(&self, key: &str) -> Read<Option<f64>> {
        self.read(key, "a number", |json| double(json).map(Some))
    }

    fn hex(&self, key: &str) -> Read<Vec<u8>> {
        self.read(key, "hexadecimal digits", |json| hex::decode(json.as_str()?).ok())
    }

    /// An enum: its number, or one of `names`, whose place is its number.
    fn enumeration(&self, key: &str, prefix: &str, names: &[&str]) -> Read<i32> {
        self.read(key, "an integer", |json| match json.as_str().and_then(|text| text.strip_prefix(prefix)) {
            Some(name) => names.iter().position(|known| *known == name).map(|at| at as i32),
            None => i32::try_from(signed(json)?).ok(),
        })
    }

    fn array(&self, key: &str) -> Read<&'a [Json]> {
        self.read(key, "an array", |json| json.as_array().map(Vec::as_slice))
    }

    fn message<T>(&self, key: &str, read: impl FnOnce(&Object<'_>) -> Read<T>) -> Read<Option<T>> {
        self.get(key)
            .map(|json| object(json).and_then(|object| read(&object)).map_err(|error| format!("`{key}`: {error}")))
            .transpose()
    }

    fn messages<T>(&self, key: &str, read: impl Fn(&Object<'_>) -> Read<T>) -> Read<Vec<T>> {
        let one = |json| object(json).and_then(|object| read(&object));
        self.array(key)?.iter().map(|json| one(json).map_err(|error| format!("`{key}`: {error}"))).collect()
    }

    fn list<T>(&self, key: &str, wanted: &str, read: impl Fn(&Json) -> Option<T>) -> Read<Vec<T>> {
        let one = |json| read(json).ok_or_else(|| format!("`{key}` must hold {wanted}, not {}", shown(json)));
        self.array(key)?.iter().map(one).collect()
    }

    fn attributes(&self, key: &str) -> Read<Vec<KeyValue>> {
        self.messages(key, key_value)
    }
}

/// A value in an error message: short ones as they are.
fn shown(json: &Json) -> String {
    const CHARS_MAX: usize = 60;
    let text = json.to_string();
    if text.chars().count() <= CHARS_MAX { text } else { kind_of(json).to_owned() }
}

fn unsigned(json: &Json) -> Option<u64> {
    match json {
        Json::String(text) => text.parse().ok(),
        // ProtoJSON writes integers with an exponent or a zero fraction too.
        _ => json
            .as_u64()
            .or_else(|| json.as_f64().filter(|n| n.fract() == 0.0 && (0.0..1.8e19).contains(n)).map(|n| n as u64)),
    }
}

fn signed(json: &Json) -> Option<i64> {
    match json {
        Json::String(text) => text.parse().ok(),
        _ => json.as_i64().or_else(|| json.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9.2e18).map(|n| n as i64)),
    }
}

fn double(json: &Json) -> Option<f64> {
    match json {
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
        _ => json.as_f64(),
    }
}

fn key_value(json: &Object<'_>) -> Read<KeyValue> {
    let key = json.text("key")?;
    let value = json.message("value", any_value).map_err(|error| format!("{key:?}: {error}"))?;
    Ok(KeyValue { key, value, ..KeyValue::default() })
}

fn any_value(json: &Object<'_>) -> Read<AnyValue> {
    use any_value::Value;
    let value = if json.get("stringValue").is_some() {
        Some(Value::StringValue(json.text("stringValue")?))
    } else if json.get("boolValue").is_some() {
        Some(Value::BoolValue(json.boolean("boolValue")?))
    } else if json.get("intValue").is_some() {
        Some(Value::IntValue(json.read("intValue", "a 64-bit integer", signed)?))
    } else if json.get("doubleValue").is_some() {
        Some(Value::DoubleValue(json.double("doubleValue")?))
    } else if json.get("bytesValue").is_some() {
        Some(Value::BytesValue(json.read("bytesValue", "base64", |json| BASE64.decode(json.as_str()?).ok())?))
    } else if let Some(array) = json.message("arrayValue", |array| array.messages("values", any_value))? {
        Some(Value::ArrayValue(ArrayValue { values: array }))
    } else {
        let list = json.message("kvlistValue", |list| list.attributes("values"))?;
        list.map(|values| Value::KvlistValue(KeyValueList { values }))
    };
    Ok(AnyValue { value })
}

fn resource(json: &Object<'_>) -> Read<Resource> {
    Ok(Resource { attributes: json.attributes("attributes")?, ..Resource::default() })
}

fn scope(json: &Object<'_>) -> Read<InstrumentationScope> {
    Ok(InstrumentationScope {
        name: json.text("name")?,
        version: json.text("version")?,
        attributes: json.attributes("attributes")?,
        dropped_attributes_count: json.unsigned32("droppedAttributesCount")?,
    })
}

const SEVERITIES: [&str; 25] = [
    "UNSPECIFIED",
    "TRACE",
    "TRACE2",
    "TRACE3",
    "TRACE4",
    "DEBUG",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "INFO",
    "INFO2",
    "INFO3",
    "INFO4",
    "WARN",
    "WARN2",
    "WARN3",
    "WARN4",
    "ERROR",
    "ERROR2",
    "ERROR3",
    "ERROR4",
    "FATAL",
    "FATAL2",
    "FATAL3",
    "FATAL4",
];

fn log_record(json: &Object<'_>) -> Read<LogRecord> {
    Ok(LogRecord {
        time_unix_nano: json.unsigned("timeUnixNano")?,
        observed_time_unix_nano: json.unsigned("observedTimeUnixNano")?,
        severity_number: json.enumeration("severityNumber", "SEVERITY_NUMBER_", &SEVERITIES)?,
        severity_text: json.text("severityText")?,
        body: json.message("body", any_value)?,
        attributes: json.attributes("attributes")?,
        dropped_attributes_count: json.unsigned32("droppedAttributesCount")?,
        flags: json.unsigned32("flags")?,
        trace_id: json.hex("traceId")?,
        span_id: json.hex("spanId")?,
        event_name: json.text("eventName")?,
    })
}

const SPAN_KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

fn span(json: &Object<'_>) -> Read<Span> {
    Ok(Span {
        trace_id: json.hex("traceId")?,
        span_id: json.hex("spanId")?,
        trace_state: json.text("traceState")?,
        parent_span_id: json.hex("parentSpanId")?,
        flags: json.unsigned32("flags")?,
        name: json.text("name")?,
        kind: json.enumeration("kind", "SPAN_KIND_", &SPAN_KINDS)?,
        start_time_unix_nano: json.unsigned("startTimeUnixNano")?,
        end_time_unix_nano: json.unsigned("endTimeUnixNano")?,
        attributes: json.attributes("attributes")?,
        dropped_attributes_count: json.unsigned32("droppedAttributesCount")?,
        events: json.messages("events", span_event)?,
        dropped_events_count: json.unsigned32("droppedEventsCount")?,
        links: json.messages("links", span_link)?,
        dropped_links_count: json.unsigned32("droppedLinksCount")?,
        status: json.message("status", span_status)?,
    })
}

fn span_event(json: &Object<'_>) -> Read<span::Event> {
    Ok(span::Event {
        time_unix_nano: json.unsigned("timeUnixNano")?,
        name: json.text("name")?,
        attributes: json.attributes("attributes")?,
        dropped_attributes_count: json.unsigned32("droppedAttributesCount")?,
    })
}

fn span_link(json: &Object<'_>) -> Read<span::Link> {
    Ok(span::Link {
        trace_id: json.hex("traceId")?,
        span_id: json.hex("spanId")?,
        trace_state: json.text("traceState")?,
        attributes: json.attributes("attributes")?,
        dropped_attributes_count: json.unsigned32("droppedAttributesCount")?,
        flags: json.unsigned32("flags")?,
    })
}

fn span_status(json: &Object<'_>) -> Read<Status> {
    let code = json.enumeration("code", "STATUS_CODE_", &["UNSET", "OK", "ERROR"])?;
    Ok(Status { message: json.text("message")?, code })
}

/// Data points on their way: a bad one is a reject of its own, beside the good ones.
struct Points<'a> {
    metric: String,
    rejects: &'a mut Vec<Reject>,
    kept: usize,
    rejected: usize,
}

impl Points<'_> {
    fn read<T>(&mut self, json: &Object<'_>, read: fn(&Object<'_>) -> Read<T>) -> Read<Vec<T>> {
        let mut points = Vec::new();
        for point in json.array("dataPoints")? {
            match object(point).and_then(|object| read(&object)) {
                Ok(point) => points.push(point),
                Err(reason) => {
                    let raw = serde_json::json!({"name": self.metric, "point": point}).to_string();
                    self.rejects.push(Reject::new(reason, raw.as_bytes()));
                    self.rejected += 1;
                }
            }
        }
        self.kept += points.len();
        Ok(points)
    }
}

fn metric(json: &Object<'_>, rejects: &mut Vec<Reject>) -> Read<Option<Metric>> {
    let name = json.text("name")?;
    let (description, unit, metadata) = (json.text("description")?, json.text("unit")?, json.attributes("metadata")?);
    let mut points = Points { metric: name.clone(), rejects, kept: 0, rejected: 0 };
    let data = data(json, &mut points)?;
    let nothing_left = points.rejected > 0 && points.kept == 0;
    Ok((!nothing_left).then_some(Metric { name, description, unit, metadata, data }))
}

fn data(json: &Object<'_>, points: &mut Points<'_>) -> Read<Option<Data>> {
    let mut data =
        json.message("gauge", |json| Ok(Data::Gauge(Gauge { data_points: points.read(json, number_point)? })))?;
    data = json
        .message("sum", |json| {
            let (aggregation_temporality, is_monotonic) = (temporality(json)?, json.boolean("isMonotonic")?);
            let data_points = points.read(json, number_point)?;
            Ok(Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic }))
        })?
        .or(data);
    data = json
        .message("histogram", |json| {
            let aggregation_temporality = temporality(json)?;
            Ok(Data::Histogram(Histogram { data_points: points.read(json, histogram_point)?, aggregation_temporality }))
        })?
        .or(data);
    data = json
        .message("exponentialHistogram", |json| {
            let aggregation_temporality = temporality(json)?;
            let data_points = points.read(json, exponential_point)?;
            Ok(Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality }))
        })?
        .or(data);
    let summary =
        json.message("summary", |json| Ok(Data::Summary(Summary { data_points: points.read(json, summary_point)? })))?;
    Ok(summary.or(data))
}

fn temporality(json: &Object<'_>) -> Read<i32> {
    json.enumeration("aggregationTemporality", "AGGREGATION_TEMPORALITY_", &["UNSPECIFIED", "DELTA", "CUMULATIVE"])
}

fn number_point(json: &Object<'_>) -> Read<NumberDataPoint> {
    use number_data_point::Value;
    Ok(NumberDataPoint {
        attributes: json.attributes("attributes")?,
        start_time_unix_nano: json.unsigned("startTimeUnixNano")?,
        time_unix_nano: json.unsigned("timeUnixNano")?,
        exemplars: json.messages("exemplars", exemplar)?,
        flags: json.unsigned32("flags")?,
        value: match json.optional_double("asDouble")? {
            Some(value) => Some(Value::AsDouble(value)),
            None => json.read("asInt", "a 64-bit integer", |json| signed(json).map(Some))?.map(Value::AsInt),
        },
    })
}

fn histogram_point(json: &Object<'_>) -> Read<HistogramDataPoint> {
    Ok(HistogramDataPoint {
        attributes: json.attributes("attributes")?,
        start_time_unix_nano: json.unsigned("startTimeUnixNano")?,
        time_unix_nano: json.unsigned("timeUnixNano")?,
        count: json.unsigned("count")?,
        sum: json.optional_double("sum")?,
        bucket_counts: json.list("bucketCounts", "unsigned integers", unsigned)?,
        explicit_bounds: json.list("explicitBounds", "numbers", double)?,
        exemplars: json.messages("exemplars", exemplar)?,
        flags: json.unsigned32("flags")?,
        min: json.optional_double("min")?,
        max: json.optional_double("max")?,
    })
}

fn exponential_point(json: &Object<'_>) -> Read<ExponentialHistogramDataPoint> {
    Ok(ExponentialHistogramDataPoint {
        attributes: json.attributes("attributes")?,
        start_time_unix_nano: json.unsigned("startTimeUnixNano")?,
        time_unix_nano: json.unsigned("timeUnixNano")?,
        count: json.unsigned("count")?,
        sum: json.optional_double("sum")?,
        scale: json.signed32("scale")?,
        zero_count: json.unsigned("zeroCount")?,
        positive: json.message("positive", buckets)?,
        negative: json.message("negative", buckets)?,
        flags: json.unsigned32("flags")?,
        exemplars: json.messages("exemplars", exemplar)?,
        min: json.optional_double("min")?,
        max: json.optional_double("max")?,
        zero_threshold: json.double("zeroThreshold")?,
    })
}

fn buckets(json: &Object<'_>) -> Read<Buckets> {
    let bucket_counts = json.list("bucketCounts", "unsigned integers", unsigned)?;
    Ok(Buckets { offset: json.signed32("offset")?, bucket_counts })
}

fn summary_point(json: &Object<'_>) -> Read<SummaryDataPoint> {
    Ok(SummaryDataPoint {
        attributes: json.attributes("attributes")?,
        start_time_unix_nano: json.unsigned("startTimeUnixNano")?,
        time_unix_nano: json.unsigned("timeUnixNano")?,
        count: json.unsigned("count")?,
        sum: json.double("sum")?,
        quantile_values: json.messages("quantileValues", |json| {
            Ok(ValueAtQuantile { quantile: json.double("quantile")?, value: json.double("value")? })
        })?,
        flags: json.unsigned32("flags")?,
    })
}

fn exemplar(json: &Object<'_>) -> Read<Exemplar> {
    use exemplar::Value;
    Ok(Exemplar {
        filtered_attributes: json.attributes("filteredAttributes")?,
        time_unix_nano: json.unsigned("timeUnixNano")?,
        span_id: json.hex("spanId")?,
        trace_id: json.hex("traceId")?,
        value: match json.optional_double("asDouble")? {
            Some(value) => Some(Value::AsDouble(value)),
            None => json.read("asInt", "a 64-bit integer", |json| signed(json).map(Some))?.map(Value::AsInt),
        },
    })
}
