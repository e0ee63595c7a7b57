//! Names of the built-in fields. Everything else a record carries is a field under its own dotted name.

/// When it happened, nanoseconds since the Unix epoch.
pub const TIME: &str = "_time";
/// The row's id: unique in a store, increasing in the order of arrival.
pub const ID: &str = "_id";
/// The record's stream in selector form: `{host.name="a",service.name="checkout"}`.
pub const STREAM: &str = "_stream";
/// When a collector saw it, nanoseconds since the Unix epoch; absent when the sender did not say.
pub const OBSERVED_TIME: &str = "observed_time";
/// One of TRACE, DEBUG, INFO, WARN, ERROR, FATAL.
pub const SEVERITY: &str = "severity";
/// OpenTelemetry's severity number, 1 to 24.
pub const SEVERITY_NUMBER: &str = "severity_number";
/// The severity as the source wrote it, kept when it differs from `severity`.
pub const SEVERITY_TEXT: &str = "severity_text";
/// The text of the record.
pub const BODY: &str = "body";
/// 32 lower-case hexadecimal digits.
pub const TRACE_ID: &str = "trace_id";
/// 16 lower-case hexadecimal digits.
pub const SPAN_ID: &str = "span_id";
/// W3C trace flags.
pub const FLAGS: &str = "flags";
/// Name of an OpenTelemetry event.
pub const EVENT_NAME: &str = "event_name";
/// Name of the instrumentation scope.
pub const SCOPE_NAME: &str = "scope.name";
/// Version of the instrumentation scope.
pub const SCOPE_VERSION: &str = "scope.version";
/// How many attributes the sender dropped before sending.
pub const DROPPED_ATTRIBUTES: &str = "dropped_attributes_count";
/// The service a record belongs to.
pub const SERVICE_NAME: &str = "service.name";
/// The version of that service: what a rollback is about.
pub const SERVICE_VERSION: &str = "service.version";
/// The host a record comes from.
pub const HOST_NAME: &str = "host.name";

/// The fields that a record has by itself. An attribute of such a name is kept as `attributes.<name>`, so that it can not pass
/// for it.
pub const BUILT_IN: [&str; 13] = [
    TIME,
    ID,
    STREAM,
    OBSERVED_TIME,
    SEVERITY,
    SEVERITY_NUMBER,
    SEVERITY_TEXT,
    BODY,
    TRACE_ID,
    SPAN_ID,
    FLAGS,
    EVENT_NAME,
    DROPPED_ATTRIBUTES,
];
