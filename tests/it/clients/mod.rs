//! Agents that nobody here wrote, each against the real server; what they send is found by search and compared field by
//! field.

mod otel;
mod parquet;
mod push;
mod syslog;

use serde_json::Value;

/// Whether a row has all the fields of `want`, equal in value and type; the difference otherwise.
pub(crate) fn assert_fields(row: &Value, want: &Value) {
    for (name, value) in want.as_object().expect("object") {
        assert_eq!(&row[name], value, "field {name} of {row:#}");
    }
}
