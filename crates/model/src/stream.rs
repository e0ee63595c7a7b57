//! Streams: which records belong together.

use std::sync::Arc;

use crate::Value;
use crate::value::write_json_string;

/// The fields that make a stream when a record has them: what identifies the thing that logs, never what it says. Rows of a
/// segment are sorted by stream, then time, so these decide what lies together on disk.
pub const STREAM_FIELDS: [&str; 12] = [
    "container.name",
    "deployment.environment.name",
    "host.name",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "log.file.path",
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
];

/// The stream of a row in the selector form of the query language: the stream fields it has, sorted by name.
pub fn stream_text(fields: &[(Arc<str>, Value)]) -> String {
    let mut out = String::from("{");
    for name in STREAM_FIELDS {
        let Some((_, value)) = fields.iter().find(|(known, _)| &**known == name) else { continue };
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(name);
        out.push('=');
        write_json_string(&mut out, &value.text());
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_sorted_and_quoted() {
        let fields =
            vec![("service.name".into(), "a\"b".into()), ("x".into(), Value::Int(1)), ("host.name".into(), "h".into())];
        assert_eq!(stream_text(&fields), r#"{host.name="h",service.name="a\"b"}"#);
        assert_eq!(stream_text(&[]), "{}");
        assert!(STREAM_FIELDS.is_sorted());
    }
}
