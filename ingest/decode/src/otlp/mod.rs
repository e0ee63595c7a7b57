//! OTLP, OpenTelemetry's protocol: logs, metrics and traces, as protobuf and as JSON.
//!
//! Every path (a gRPC request, a protobuf body, a JSON body) first becomes [`Group`]s, items under their resource and scope;
//! `logs`, `traces` and `metrics` turn groups into rows and samples. So the encodings can not disagree. Logs as protobuf, which
//! come in masses, have a short cut from bytes to columns (`walk`) that leaves to the others whatever is not plain.
//!
//! A protobuf body in which one item is broken (a string that is not UTF-8, a wrong wire type) is read a second time, item by
//! item: the others are kept, the broken one is a reject with its bytes.

mod any;
mod collision;
mod deltas;
mod given;
mod json;
mod logs;
mod metrics;
mod names;
mod naming;
mod options;
mod points;
mod record;
mod shared;
mod target;
mod traces;
mod walk;

use std::rc::Rc;
use std::sync::Mutex;

use model::{Attributes, Scope, TenantId, Timestamp};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

pub use deltas::IDLE_MS as DELTA_IDLE_MS;
pub use naming::{SuffixKind, Translation, label_name, metric_name, unit_name};
pub use options::{DELTA_SERIES_MAX, DeltaMode, MetricsOptions, Promote};

use crate::{Decoded, Reject};

/// The encoding of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`: OTLP's own mapping, not ProtoJSON (ids in hexadecimal, enums as integers).
    Json,
}

/// A body that is no OTLP request at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// Not protobuf, or cut off.
    #[error("the body is not a protobuf {request}: {message}")]
    Protobuf {
        /// Name of the message.
        request: &'static str,
        /// What the decoder says.
        message: String,
    },
    /// Not JSON, or not of the request's shape.
    #[error("the body is not a JSON {request}: {message}")]
    Json {
        /// Name of the message.
        request: &'static str,
        /// What the decoder says.
        message: String,
    },
}

/// Items that share a resource and a scope.
struct Group<T> {
    resource: Rc<Attributes>,
    scope: Rc<Scope>,
    items: Vec<T>,
}

/// Groups, and the items that could not be read.
struct Groups<T> {
    groups: Vec<Group<T>>,
    rejects: Vec<Reject>,
}

/// Decodes the body of a logs request. An empty body of protobuf is an empty request.
pub fn decode_logs(wire: Wire, body: &[u8], received: Timestamp) -> Result<Decoded, OtlpError> {
    match wire {
        Wire::Json => Ok(logs::decode(json::groups(body, &json::LOGS)?, received)),
        Wire::Protobuf => walk::decode(body, received).or_else(|_| careful_logs(body, received)),
    }
}

/// Decodes a logs request without the short cut: one that is broken, or written in a way that nobody writes.
fn careful_logs(body: &[u8], received: Timestamp) -> Result<Decoded, OtlpError> {
    let groups = match ExportLogsServiceRequest::decode(body) {
        Ok(request) => return Ok(logs(request, received)),
        Err(error) => salvage(body, "ExportLogsServiceRequest", &error)?,
    };
    Ok(logs::decode(groups, received))
}

/// Decodes the body of a traces request.
pub fn decode_traces(wire: Wire, body: &[u8], received: Timestamp) -> Result<Decoded, OtlpError> {
    let groups = match wire {
        Wire::Json => json::groups(body, &json::TRACES)?,
        Wire::Protobuf => match ExportTraceServiceRequest::decode(body) {
            Ok(request) => return Ok(traces(request, received)),
            Err(error) => salvage(body, "ExportTraceServiceRequest", &error)?,
        },
    };
    Ok(traces::decode(groups, received))
}

/// Decodes requests of metrics, by its settings. It remembers the totals of deltas from one request to the next: a receiver has one
/// for all its senders.
#[derive(Debug, Default)]
pub struct MetricsDecoder {
    options: MetricsOptions,
    deltas: Mutex<deltas::Deltas>,
}

impl MetricsDecoder {
    /// One that knows of no deltas yet.
    pub fn new(options: MetricsOptions) -> Self {
        Self { options, deltas: Mutex::default() }
    }

    /// Decodes the body of a request of a tenant.
    pub fn decode(
        &self,
        wire: Wire,
        body: &[u8],
        tenant: &TenantId,
        received: Timestamp,
    ) -> Result<Decoded, OtlpError> {
        let groups = match wire {
            Wire::Json => json::groups(body, &json::METRICS)?,
            Wire::Protobuf => match ExportMetricsServiceRequest::decode(body) {
                Ok(request) => return Ok(self.decode_request(request, tenant, received)),
                Err(error) => salvage(body, "ExportMetricsServiceRequest", &error)?,
            },
        };
        Ok(metrics::decode(groups, self.around(tenant, received)))
    }

    /// Decodes a request that gRPC has already read.
    pub fn decode_request(
        &self,
        request: ExportMetricsServiceRequest,
        tenant: &TenantId,
        received: Timestamp,
    ) -> Decoded {
        let mut groups = Groups { groups: Vec::new(), rejects: Vec::new() };
        for part in request.resource_metrics {
            let resource = Rc::new(any::resource(part.resource, part.schema_url));
            for scope in part.scope_metrics {
                groups.add(&resource, any::scope(scope.scope, scope.schema_url), scope.metrics);
            }
        }
        metrics::decode(groups, self.around(tenant, received))
    }

    fn around<'a>(&'a self, tenant: &'a TenantId, received: Timestamp) -> metrics::Surroundings<'a> {
        metrics::Surroundings { options: &self.options, deltas: &self.deltas, tenant, received }
    }
}

/// Decodes a logs request that prost has already read.
fn logs(request: ExportLogsServiceRequest, received: Timestamp) -> Decoded {
    let mut groups = Groups { groups: Vec::new(), rejects: Vec::new() };
    for part in request.resource_logs {
        let resource = Rc::new(any::resource(part.resource, part.schema_url));
        for scope in part.scope_logs {
            groups.add(&resource, any::scope(scope.scope, scope.schema_url), scope.log_records);
        }
    }
    logs::decode(groups, received)
}

/// Decodes a traces request that gRPC has already read.
pub fn traces(request: ExportTraceServiceRequest, received: Timestamp) -> Decoded {
    let mut groups = Groups { groups: Vec::new(), rejects: Vec::new() };
    for part in request.resource_spans {
        let resource = Rc::new(any::resource(part.resource, part.schema_url));
        for scope in part.scope_spans {
            groups.add(&resource, any::scope(scope.scope, scope.schema_url), scope.spans);
        }
    }
    traces::decode(groups, received)
}

impl<T> Groups<T> {
    fn add(&mut self, resource: &Rc<Attributes>, scope: Scope, items: Vec<T>) {
        self.groups.push(Group { resource: Rc::clone(resource), scope: Rc::new(scope), items });
    }
}

/// A request of any signal with its items left as bytes: the three have the same tags down to the item.
#[derive(Clone, PartialEq, Message)]
struct Shell {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ShellResource>,
}

#[derive(Clone, PartialEq, Message)]
struct ShellResource {
    #[prost(bytes = "vec", tag = "1")]
    resource: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ShellScope>,
}

#[derive(Clone, PartialEq, Message)]
struct ShellScope {
    #[prost(bytes = "vec", tag = "1")]
    scope: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    items: Vec<Vec<u8>>,
}

/// Reads item by item what does not decode as a whole. A broken resource or scope takes its own items with it: without it they
/// would pass for another service's.
fn salvage<T: Message + Default>(
    body: &[u8],
    request: &'static str,
    first_error: &prost::DecodeError,
) -> Result<Groups<T>, OtlpError> {
    let damaged = |_| OtlpError::Protobuf { request, message: first_error.to_string() };
    let shell = Shell::decode(body).map_err(damaged)?;
    let mut groups = Groups { groups: Vec::new(), rejects: Vec::new() };
    for part in shell.resources {
        let resource =
            Resource::decode(&part.resource[..]).map(|resource| Rc::new(any::resource(Some(resource), String::new())));
        for shell_scope in part.scopes {
            let scope = InstrumentationScope::decode(&shell_scope.scope[..]);
            let mut items = Vec::new();
            for raw in &shell_scope.items {
                let broken = resource
                    .as_ref()
                    .err()
                    .map(|error| ("resource", error))
                    .or(scope.as_ref().err().map(|error| ("scope", error)));
                let item = match broken {
                    Some((part, error)) => Err(format!("its {part} does not decode: {error}")),
                    None => T::decode(&raw[..]).map_err(|error| format!("it does not decode: {error}")),
                };
                match item {
                    Ok(item) => items.push(item),
                    Err(reason) => groups.rejects.push(Reject::new(reason, raw)),
                }
            }
            if let (Ok(resource), Ok(scope)) = (&resource, scope) {
                groups.add(resource, any::scope(Some(scope), String::new()), items);
            }
        }
    }
    Ok(groups)
}

/// The reject of an item that decoded but makes no sense; it is kept as OTLP's JSON, so that it can be read and sent again.
fn reject(reason: impl Into<String>, item: &(impl serde::Serialize + std::fmt::Debug)) -> Reject {
    let text = serde_json::to_string(item).unwrap_or_else(|_| format!("{item:?}"));
    Reject::new(reason, text.as_bytes())
}

#[cfg(test)]
mod tests;
