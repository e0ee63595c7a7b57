//! What a record has besides its line: resource, severity, attributes, trace. Shares are those that real fleets show.

use rand::Rng;
use rand::rngs::SmallRng;

use super::corpus::Corpus;

/// Hosts of one service.
const HOSTS: usize = 8;
/// Share of records with attributes.
const SERVED_SHARE: f64 = 0.3;
/// Share of records with a trace.
const SPAN_SHARE: f64 = 0.2;
/// Share of those whose trace has been seen shortly before.
const TRACE_AGAIN_SHARE: f64 = 0.5;
/// Traces that may get another record.
const TRACES_OPEN: usize = 64;
/// Share of records with severity ERROR, and the share of them whose line speaks of something else.
const ERROR_SHARE: f64 = 0.06;
const ERROR_ANYWHERE_SHARE: f64 = 0.01;
/// Status codes with their weights.
const STATUSES: &[(u64, u32)] =
    &[(200, 760), (201, 60), (204, 40), (301, 20), (304, 40), (400, 15), (404, 25), (500, 20), (502, 10), (503, 10)];

/// Who sends: one host of one service.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) attributes: Vec<(&'static str, String)>,
}

/// One log record.
pub(crate) struct Record<'a> {
    pub(crate) time_ns: i64,
    pub(crate) severity: &'static Severity,
    pub(crate) body: &'a str,
    pub(crate) served: Option<Served>,
    pub(crate) span: Option<Span>,
}

/// A severity as OTLP numbers it.
#[derive(Debug)]
pub(crate) struct Severity {
    pub(crate) number: u64,
    pub(crate) text: &'static str,
}

const DEBUG: Severity = Severity { number: 5, text: "DEBUG" };
const INFO: Severity = Severity { number: 9, text: "INFO" };
const WARN: Severity = Severity { number: 13, text: "WARN" };
const ERROR: Severity = Severity { number: 17, text: "ERROR" };
const FATAL: Severity = Severity { number: 21, text: "FATAL" };

/// Attributes of a record about a request.
pub(crate) struct Served {
    pub(crate) status: u64,
    pub(crate) duration_ms: f64,
}

/// Where a record stands in a trace.
#[derive(Clone)]
pub(crate) struct Span {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
}

/// Hosts of every service, those of one service side by side.
pub(crate) fn resources(corpus: &Corpus) -> Vec<Resource> {
    let hosts = corpus.services.iter().flat_map(|service| (0..HOSTS).map(move |host| (service, host)));
    hosts.map(|(service, host)| Resource::new(&service.name, host)).collect()
}

/// A host of a service: low numbers have more to say.
pub(crate) fn pick_resource(service: usize, rng: &mut SmallRng) -> usize {
    service * HOSTS + rng.random_range(0..HOSTS).min(rng.random_range(0..HOSTS))
}

impl Resource {
    fn new(service: &str, host: usize) -> Self {
        let environment = if host < HOSTS - 2 { "production" } else { "staging" };
        let attributes = vec![
            ("service.name", service.to_owned()),
            ("host.name", format!("{service}-{host:02}")),
            ("deployment.environment", environment.to_owned()),
            ("k8s.namespace.name", format!("{service}-{environment}")),
            ("k8s.pod.name", format!("{service}-6c9d8f7b5-x{host}q2z")),
            ("cloud.region", "eu-central-1".to_owned()),
        ];
        Self { attributes }
    }
}

/// Draws severities so that the errors are mostly lines that speak of errors.
#[derive(Debug)]
pub(crate) struct Severities {
    error_if_bad: f64,
}

impl Severities {
    /// `bad_share` is the share of lines that speak of something that went wrong.
    pub(crate) fn new(bad_share: f64) -> Self {
        Self { error_if_bad: (ERROR_SHARE - ERROR_ANYWHERE_SHARE) / bad_share.max(ERROR_SHARE) }
    }

    pub(crate) fn pick(&self, bad: bool, rng: &mut SmallRng) -> &'static Severity {
        let error = ERROR_ANYWHERE_SHARE + if bad { self.error_if_bad } else { 0.0 };
        if rng.random_bool(error) {
            return &ERROR;
        }
        match rng.random_range(0..1000) {
            0..3 => &FATAL,
            3..90 => &WARN,
            90..230 => &DEBUG,
            _ => &INFO,
        }
    }
}

/// Attributes, for the share of records that has them; services differ in how long they take.
pub(crate) fn pick_served(service: usize, rng: &mut SmallRng) -> Option<Served> {
    rng.random_bool(SERVED_SHARE).then(|| {
        let mean_ms = 20.0 + 15.0 * service as f64;
        let duration_ms = -mean_ms * (1.0 - rng.random::<f64>()).ln();
        Served { status: pick_status(rng), duration_ms: (duration_ms * 1000.0).round() / 1000.0 }
    })
}

fn pick_status(rng: &mut SmallRng) -> u64 {
    let mut at = rng.random_range(0..STATUSES.iter().map(|(_, weight)| weight).sum());
    for (status, weight) in STATUSES {
        if at < *weight {
            return *status;
        }
        at -= weight;
    }
    200
}

/// Traces that are under way.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    open: Vec<[u8; 16]>,
}

impl Traces {
    /// A span, for the share of records that has one: of an open trace or of a new one.
    pub(crate) fn pick(&mut self, rng: &mut SmallRng) -> Option<Span> {
        rng.random_bool(SPAN_SHARE).then(|| {
            let full = self.open.len() == TRACES_OPEN;
            let slot = if full { rng.random_range(0..TRACES_OPEN) } else { self.open.len() };
            if !full {
                self.open.push(rng.random());
            } else if !rng.random_bool(TRACE_AGAIN_SHARE) {
                self.open[slot] = rng.random();
            }
            Span { trace_id: self.open[slot], span_id: rng.random() }
        })
    }
}
