//! What the three signals share: attribute values, resources, scopes, times.

use model::{Attributes, Scope, Timestamp, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;

pub(super) fn value(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        // Indexes into a string table exist only in profiles, where there is such a table.
        None | Some(any_value::Value::StringValueStrindex(_)) => Value::Null,
        Some(any_value::Value::StringValue(text)) => Value::Str(text),
        Some(any_value::Value::BoolValue(b)) => Value::Bool(b),
        Some(any_value::Value::IntValue(n)) => Value::Int(n),
        Some(any_value::Value::DoubleValue(n)) => Value::Double(n),
        Some(any_value::Value::BytesValue(bytes)) => Value::Bytes(bytes),
        Some(any_value::Value::ArrayValue(array)) => {
            Value::Array(array.values.into_iter().map(|item| self::value(Some(item))).collect())
        }
        Some(any_value::Value::KvlistValue(list)) => Value::Map(attributes(list.values)),
    }
}

pub(super) fn attributes(list: Vec<KeyValue>) -> Attributes {
    list.into_iter().map(|pair| (pair.key, value(pair.value))).collect()
}

/// The field of a resource's schema.
pub(super) const RESOURCE_SCHEMA_URL: &str = "resource.schema_url";

pub(super) fn resource(resource: Option<Resource>, schema_url: String) -> Attributes {
    let mut attributes = attributes(resource.unwrap_or_default().attributes);
    if !schema_url.is_empty() {
        attributes.push((RESOURCE_SCHEMA_URL.to_owned(), schema_url.into()));
    }
    attributes
}

pub(super) fn scope(scope: Option<InstrumentationScope>, schema_url: String) -> Scope {
    let scope = scope.unwrap_or_default();
    let mut attributes = attributes(scope.attributes);
    if !schema_url.is_empty() {
        attributes.push(("schema_url".to_owned(), schema_url.into()));
    }
    Scope { name: scope.name, version: scope.version, attributes }
}

/// A time; zero means that the sender does not know it.
pub(super) fn time(unix_nano: u64) -> Result<Option<Timestamp>, String> {
    match i64::try_from(unix_nano) {
        Ok(0) => Ok(None),
        Ok(ns) => Ok(Some(Timestamp(ns))),
        Err(_) => Err(format!("the time {unix_nano} ns is past the year 2262")),
    }
}
