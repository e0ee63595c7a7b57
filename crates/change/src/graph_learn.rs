//! Learns the dependency graph from spans: a span whose parent is of another service is a call, and so is a client span whose
//! other side sends no spans but has a name.
//!
//! Spans come in any order and in batches that cut traces apart, so the learner remembers the latest ones for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use model::{SpanId, SpanKind, Timestamp, TraceId};

use crate::graph::{EdgeKind, ServiceGraph};
use crate::record::NAME_BYTES_MAX;

/// Spans that are remembered at most, about 150 bytes each. When more come, the oldest are forgotten sooner.
pub const SPANS_REMEMBERED_MAX: usize = 100_000;
/// How long a span waits for its parent and its children, in nanoseconds: exporters send every few seconds, and retry for some minutes.
pub const SPAN_MEMORY_NS: i64 = 5 * 60_000_000_000;
/// How long a client span waits for a span of the other side before the name that it gives the other side is believed, in
/// nanoseconds.
pub const PEER_GRACE_NS: i64 = 60_000_000_000;

/// What the graph wants to know of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanFact<'a> {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The span that caused it.
    pub parent_span_id: Option<SpanId>,
    /// The service that sent it.
    pub service: &'a str,
    /// What its other side is.
    pub kind: SpanKind,
    /// Whether it failed.
    pub failed: bool,
    /// When it began.
    pub at: Timestamp,
    /// How it names its other side: `peer.service`, else `server.address`.
    pub peer: Option<&'a str>,
}

/// What became of a batch of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LearnReport {
    /// Spans that were new.
    pub spans: usize,
    /// Spans that were there already.
    pub duplicates: usize,
    /// Calls between services that were counted.
    pub calls: usize,
    /// Calls that were left out, because there are as many edges as there may be.
    pub refused: usize,
    /// Spans that were forgotten before their time, because there were too many.
    pub crowded_out: usize,
}

type SpanKey = (TraceId, SpanId);

#[derive(Clone, Debug)]
struct Seen {
    service: Arc<str>,
    kind: SpanKind,
    failed: bool,
    at: Timestamp,
    weight: f64,
    peer: Option<Arc<str>>,
    parent: Option<SpanKey>,
    /// Whether a span of the other side was seen.
    answered: bool,
}

/// Turns spans into calls.
#[derive(Debug, Default)]
pub struct TraceLearner {
    seen: HashMap<SpanKey, Seen>,
    /// Children whose parent has not come, by the parent, in the order of arrival.
    orphans: HashMap<SpanKey, VecDeque<SpanKey>>,
    /// Spans by arrival.
    arrivals: VecDeque<(Timestamp, SpanKey)>,
    /// Spans whose peer's name may have to be believed, by arrival.
    peers: VecDeque<(Timestamp, SpanKey)>,
    /// One text for each service, however many spans it sends; emptied with the memory.
    names: HashMap<String, Arc<str>>,
}

impl TraceLearner {
    /// Learns from a batch that is read at `now`; `weight` is how many spans each stands for, when only some were read. A span
    /// that comes twice within its memory counts once.
    pub fn learn<'a>(
        &mut self,
        graph: &mut ServiceGraph,
        spans: impl IntoIterator<Item = SpanFact<'a>>,
        weight: f64,
        now: Timestamp,
    ) -> LearnReport {
        let mut report = LearnReport::default();
        for span in spans {
            if span.service.is_empty() || span.service.len() > NAME_BYTES_MAX {
                continue;
            }
            let key = (span.trace_id, span.span_id);
            if self.seen.contains_key(&key) {
                report.duplicates += 1;
                continue;
            }
            report.spans += 1;
            self.remember(key, &span, weight, now);
            graph.sender(&self.seen[&key].service, span.at);
            if let Some(parent) = span.parent_span_id.map(|id| (span.trace_id, id)) {
                if self.seen.contains_key(&parent) {
                    self.join(graph, parent, key, &mut report);
                } else {
                    self.orphans.entry(parent).or_default().push_back(key);
                }
            }
            for child in self.orphans.remove(&key).unwrap_or_default() {
                self.join(graph, key, child, &mut report);
            }
        }
        self.believe_peers(graph, now, &mut report);
        self.forget(now, &mut report);
        report
    }

    fn remember(&mut self, key: SpanKey, span: &SpanFact<'_>, weight: f64, now: Timestamp) {
        let service = self.name(span.service);
        let peer = span.peer.filter(|peer| believable(peer) && *peer != span.service).map(|peer| self.name(peer));
        if peer.is_some() && matches!(span.kind, SpanKind::Client | SpanKind::Producer | SpanKind::Consumer) {
            self.peers.push_back((now, key));
        }
        let (kind, failed, at) = (span.kind, span.failed, span.at);
        let parent = span.parent_span_id.map(|id| (span.trace_id, id));
        self.arrivals.push_back((now, key));
        self.seen.insert(key, Seen { service, kind, failed, at, weight, peer, parent, answered: false });
    }

    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(name) = self.names.get(text) {
            return Arc::clone(name);
        }
        let name: Arc<str> = text.into();
        self.names.insert(text.to_owned(), Arc::clone(&name));
        name
    }

    /// A parent and its child have met.
    fn join(&mut self, graph: &mut ServiceGraph, parent: SpanKey, child: SpanKey, report: &mut LearnReport) {
        let Some(below) = self.seen.get(&child).cloned() else { return };
        let Some(above) = self.seen.get_mut(&parent) else { return };
        // An internal child is the caller's own work, not an answer.
        above.answered |= matches!(below.kind, SpanKind::Server | SpanKind::Consumer) || above.service != below.service;
        if above.service == below.service {
            return;
        }
        let message = above.kind == SpanKind::Producer || below.kind == SpanKind::Consumer;
        let kind = if message { EdgeKind::Message } else { EdgeKind::Call };
        // A client that gave up counts as failed, also when the other side thinks it did well.
        let failed = below.failed || (above.kind == SpanKind::Client && above.failed);
        let edge = (Arc::clone(&above.service), below.service, kind);
        count(report, graph.observe(&edge, below.at, below.weight, failed));
    }

    /// Client spans whose other side did not send a span in time call whom they name. Those that send or take messages call
    /// their broker in any case.
    fn believe_peers(&mut self, graph: &mut ServiceGraph, now: Timestamp, report: &mut LearnReport) {
        while let Some((arrived, key)) = self.peers.front().copied() {
            let span = self.seen.get(&key);
            // A span that is old when it comes, after a restart, was not waited for in vain: its children came with it.
            let since = span.map_or(arrived, |span| span.at.min(arrived));
            let in_time = now.0.saturating_sub(since.0) < PEER_GRACE_NS;
            if in_time && self.peers.len() <= SPANS_REMEMBERED_MAX {
                return;
            }
            self.peers.pop_front();
            let Some(span) = span else { continue };
            let Some(peer) = &span.peer else { continue };
            if span.kind == SpanKind::Client && span.answered {
                continue;
            }
            let edge = (Arc::clone(&span.service), Arc::clone(peer), EdgeKind::Call);
            count(report, graph.observe(&edge, span.at, span.weight, span.failed));
        }
    }

    fn forget(&mut self, now: Timestamp, report: &mut LearnReport) {
        while let Some((arrived, key)) = self.arrivals.front().copied() {
            let old = now.0.saturating_sub(arrived.0) >= SPAN_MEMORY_NS;
            if !old && self.arrivals.len() <= SPANS_REMEMBERED_MAX {
                break;
            }
            report.crowded_out += usize::from(!old);
            self.arrivals.pop_front();
            if let Some(parent) = self.seen.remove(&key).and_then(|span| span.parent) {
                self.forget_orphan(parent, key);
            }
        }
        if self.names.len() > SPANS_REMEMBERED_MAX || self.seen.is_empty() {
            self.names.clear();
        }
    }

    /// Spans are forgotten in the order in which they came, so the first child of a parent goes first.
    fn forget_orphan(&mut self, parent: SpanKey, child: SpanKey) {
        let Some(children) = self.orphans.get_mut(&parent) else { return };
        if children.front() == Some(&child) {
            children.pop_front();
        }
        if children.is_empty() {
            self.orphans.remove(&parent);
        }
    }
}

fn count(report: &mut LearnReport, counted: bool) {
    if counted {
        report.calls += 1;
    } else {
        report.refused += 1;
    }
}

/// Whether a name of a peer may become a service: an address of one machine may not, because those come and go by the thousand.
fn believable(peer: &str) -> bool {
    let host = peer.trim_start_matches('[').split(']').next().unwrap_or(peer);
    let machine = host.parse::<std::net::IpAddr>().is_ok() || peer.parse::<std::net::SocketAddr>().is_ok();
    !machine && !peer.is_empty() && peer.len() <= NAME_BYTES_MAX && !peer.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    const SEC: i64 = 1_000_000_000;

    /// A span as `service kind id<parent [!] [@peer]`, of trace 1.
    fn span(text: &str) -> SpanFact<'_> {
        let mut words = text.split(' ');
        let service = words.next().unwrap();
        let kind = match words.next().unwrap() {
            "server" => SpanKind::Server,
            "client" => SpanKind::Client,
            "producer" => SpanKind::Producer,
            "consumer" => SpanKind::Consumer,
            _ => SpanKind::Internal,
        };
        let (id, parent) = words.next().unwrap().split_once('<').unwrap();
        let id_of = |text: &str| SpanId(text.parse::<u64>().unwrap().to_be_bytes());
        let rest: Vec<&str> = words.collect();
        SpanFact {
            trace_id: TraceId([1; 16]),
            span_id: id_of(id),
            parent_span_id: (!parent.is_empty()).then(|| id_of(parent)),
            service,
            kind,
            failed: rest.contains(&"!"),
            at: Timestamp(0),
            peer: rest.iter().find_map(|word| word.strip_prefix('@')),
        }
    }

    /// Batches, one a second, then two minutes of silence.
    fn learn(batches: &[&[&str]]) -> (ServiceGraph, LearnReport) {
        let (mut graph, mut learner) = (ServiceGraph::default(), TraceLearner::default());
        let mut sum = LearnReport::default();
        let times = (0..).map(|n| Timestamp(n * SEC));
        let silence: &[&[&str]] = &[&[]];
        let last = Timestamp(120 * SEC);
        let batches = batches.iter().zip(times).chain(silence.iter().map(|batch| (batch, last)));
        for (batch, now) in batches {
            let report = learner.learn(&mut graph, batch.iter().map(|text| span(text)), 1.0, now);
            sum.spans += report.spans;
            sum.duplicates += report.duplicates;
            sum.calls += report.calls;
        }
        (graph, sum)
    }

    fn check(batches: &[&[&str]], expect: Expect) {
        let (graph, report) = learn(batches);
        let mut out = String::new();
        for edge in graph.edges(Timestamp(0)) {
            let traffic = edge.traffic.unwrap();
            let kind = if edge.kind == EdgeKind::Message { "~>" } else { "->" };
            out +=
                &format!("{} {kind} {} calls {} errors {}\n", edge.caller, edge.callee, traffic.calls, traffic.errors);
        }
        out += &format!("{} spans, {} twice, {} calls\n", report.spans, report.duplicates, report.calls);
        expect.assert_eq(&out);
    }

    #[test]
    fn calls_are_found_in_any_order_and_across_batches() {
        let expect = || {
            expect![[r#"
                cart -> redis calls 1 errors 0
                checkout -> payment calls 1 errors 1
                web -> cart calls 1 errors 0
                web -> checkout calls 1 errors 0
                9 spans, 0 twice, 4 calls
            "#]]
        };
        let trace = [
            "web server 1<",
            "web client 2<1 @checkout.svc",
            "checkout server 3<2",
            "checkout internal 4<3",
            "checkout client 5<4 ! @payment.svc",
            "payment server 6<5",
            "web client 7<1 @cart.svc",
            "cart server 8<7",
            "cart client 9<8 @redis",
        ];
        check(&[&trace], expect());
        let backwards: Vec<&str> = trace.iter().rev().copied().collect();
        check(&[&backwards], expect());
        let singly: Vec<&[&str]> = trace.chunks(1).collect();
        check(&singly, expect());
    }

    #[test]
    fn peers_messages_and_duplicates() {
        check(
            &[
                &["shop producer 1< @kafka", "mailer consumer 2<1 @kafka", "mailer client 3<2 @10.0.0.7"],
                &[
                    "shop producer 1< @kafka",
                    "shop client 4< @stripe.com !",
                    "shop client 5< @shop",
                    "shop client 6< @[::1]:80",
                ],
            ],
            expect![[r#"
                mailer -> kafka calls 1 errors 0
                shop -> kafka calls 1 errors 0
                shop ~> mailer calls 1 errors 0
                shop -> stripe.com calls 1 errors 1
                6 spans, 1 twice, 4 calls
            "#]],
        );
    }

    #[test]
    fn memory_is_bounded_and_forgets() {
        let (mut graph, mut learner) = (ServiceGraph::default(), TraceLearner::default());
        let spans = |from: u64, n: u64| {
            (from..from + n).map(|id| SpanFact {
                span_id: SpanId((id + 1).to_be_bytes()),
                parent_span_id: Some(SpanId((id + 1_000_000_000).to_be_bytes())),
                ..span("a client 1<2 @b")
            })
        };
        let report = learner.learn(&mut graph, spans(0, SPANS_REMEMBERED_MAX as u64 + 10), 1.0, Timestamp(0));
        assert_eq!((report.crowded_out, learner.seen.len()), (10, SPANS_REMEMBERED_MAX));
        learner.learn(&mut graph, [], 1.0, Timestamp(SPAN_MEMORY_NS));
        let left = (learner.seen.len(), learner.orphans.len(), learner.peers.len(), learner.names.len());
        assert_eq!(left, (0, 0, 0, 0));
    }

    proptest! {
        /// However the spans of a trace are ordered and cut into batches, the graph is the same.
        #[test]
        fn order_and_batches_do_not_matter(
            parents in prop::collection::vec((0usize..20, 0usize..4, 0usize..4), 1..30),
            seed in prop::collection::vec(any::<u32>(), 30),
            cut in 1usize..10,
        ) {
            const KINDS: [&str; 4] = ["server", "client", "internal", "consumer"];
            let texts: Vec<String> = parents.iter().enumerate().map(|(index, (parent, service, kind))| {
                let parent = if index == 0 { String::new() } else { (parent % index + 1).to_string() };
                format!("s{service} {} {}<{parent} @peer{service}", KINDS[*kind], index + 1)
            }).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (whole, _) = learn(&[&texts]);
            let mut shuffled: Vec<(u32, &str)> = seed.iter().copied().chain(std::iter::repeat(0)).zip(texts).collect();
            shuffled.sort();
            let shuffled: Vec<&str> = shuffled.into_iter().map(|(_, text)| text).collect();
            let batches: Vec<&[&str]> = shuffled.chunks(cut).collect();
            let (cut_up, _) = learn(&batches);
            prop_assert_eq!(whole.edges(Timestamp(0)), cut_up.edges(Timestamp(0)));
        }
    }
}
