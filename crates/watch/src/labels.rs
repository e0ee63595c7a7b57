//! What the labels of series mean, in the conventions that services follow.

use model::Labels;

/// Labels that name the service, the most telling first.
pub(crate) const SERVICE: [&str; 4] = ["service_name", "service", "app", "job"];
/// Labels that tell versions apart.
pub const VERSION_LABELS: [&str; 4] = ["service_version", "version", "app_version", "app_kubernetes_io_version"];
/// Labels that tell endpoints apart.
const ROUTE: [&str; 7] = ["http_route", "route", "handler", "endpoint", "path", "rpc_method", "grpc_method"];
/// Labels with the outcome of a request.
const CODE: [&str; 8] = [
    "http_response_status_code",
    "code",
    "status_code",
    "http_status_code",
    "status",
    "grpc_code",
    "rpc_grpc_status_code",
    "outcome",
];

fn first<'a>(labels: &'a Labels, names: &[&'static str]) -> Option<(&'static str, &'a str)> {
    names.iter().find_map(|name| labels.get(name).filter(|value| !value.is_empty()).map(|value| (*name, value)))
}

/// The version, if the series says it: by the label that is named, or else by one of the usual ones, because what a watch finds by
/// itself need not have the label that a check has.
pub(crate) fn version<'a>(labels: &'a Labels, named: Option<&str>) -> Option<&'a str> {
    let named = named.and_then(|name| labels.get(name)).filter(|value| !value.is_empty());
    named.or_else(|| first(labels, &VERSION_LABELS).map(|found| found.1))
}

/// The endpoint; the empty text when the series does not say it.
pub(crate) fn route(labels: &Labels) -> &str {
    first(labels, &ROUTE).map_or("", |found| found.1)
}

/// The name of the label of the endpoint, and of the outcome.
pub(crate) fn names(labels: &Labels) -> (Option<&'static str>, Option<&'static str>) {
    (first(labels, &ROUTE).map(|found| found.0), first(labels, &CODE).map(|found| found.0))
}

/// Whether the series counts failures: HTTP 5xx, the gRPC codes that blame the server, or a word that says so. A client's fault (4xx) is
/// none.
pub(crate) fn failed(labels: &Labels) -> bool {
    let Some((name, code)) = first(labels, &CODE) else {
        return labels.get("error_type").is_some_and(|kind| !kind.is_empty());
    };
    if name.contains("grpc") {
        let text = ["Unknown", "DeadlineExceeded", "Internal", "Unavailable", "DataLoss", "Unimplemented"];
        return text.contains(&code) || ["2", "4", "12", "13", "14", "15"].contains(&code);
    }
    if let Ok(code) = code.parse::<u16>() {
        return code >= 500;
    }
    let word = code.to_ascii_lowercase();
    word == "5xx" || ["error", "failed", "failure", "server_error"].contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use model::LabelsBuilder;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(*name, *value);
        }
        builder.build()
    }

    #[test]
    fn failures_are_the_servers_fault_only() {
        for (pairs, want) in [
            (&[("code", "500")][..], true),
            (&[("code", "404")], false),
            (&[("code", "5xx")], true),
            (&[("http_response_status_code", "503"), ("status", "ok")], true),
            (&[("grpc_code", "Unavailable")], true),
            (&[("grpc_code", "NotFound")], false),
            (&[("grpc_code", "14")], true),
            (&[("outcome", "failure")], true),
            (&[("outcome", "success")], false),
            (&[("error_type", "timeout")], true),
            (&[], false),
        ] {
            assert_eq!(failed(&labels(pairs)), want, "{pairs:?}");
        }
    }
}
