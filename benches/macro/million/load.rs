//! Who sends: hosts that are scraped at moments of their own, and connections that carry what they show.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use benches::fleet::{Fleet, Host};

use crate::Options;
use crate::http::{Connection, Request};
use crate::wire::{encoded_labels, push_series};

/// Hosts of one request: about as many samples as Prometheus puts into one by default.
const HOSTS_PER_REQUEST: usize = 3;
/// How long it is waited when the server says that it is busy and not for how long.
const WAIT: Duration = Duration::from_secs(1);

/// What is sent, and when.
pub(crate) struct Load {
    /// Hosts of each connection, each with the labels of its series as they stand in a request.
    parts: Vec<Vec<Scraped>>,
    pub(crate) hosts: usize,
    pub(crate) series: usize,
    interval: Duration,
    rounds: u64,
}

struct Scraped {
    host: Host,
    labels: Vec<Vec<u8>>,
    offset: Duration,
}

/// What was sent, and how it was answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) series: usize,
    pub(crate) samples: u64,
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    pub(crate) waited: u64,
    /// How late after its scrape a sample was acknowledged, at most.
    pub(crate) latest: Duration,
}

impl Load {
    pub(crate) fn new(fleet: Fleet, options: &Options, rounds: u64) -> Self {
        let (series, hosts) = (fleet.series(), fleet.into_hosts());
        let (count, interval) = (hosts.len(), Duration::from_secs(options.interval));
        let mut parts: Vec<Vec<Scraped>> = (0..options.connections).map(|_| Vec::new()).collect();
        for (number, host) in hosts.into_iter().enumerate() {
            let labels = host.labels().map(encoded_labels).collect();
            let offset = interval.mul_f64(number as f64 / count as f64);
            parts[number / HOSTS_PER_REQUEST % options.connections].push(Scraped { host, labels, offset });
        }
        Self { parts, hosts: count, series, interval, rounds }
    }

    /// Sends everything; takes as long as was asked for.
    pub(crate) fn send(self, address: SocketAddr) -> Result<Sent> {
        let (began, now) = (Instant::now(), benches::unix_time());
        let (interval, rounds) = (self.interval, self.rounds);
        let results: Vec<Result<Sent>> = std::thread::scope(|scope| {
            let senders = self.parts.into_iter().map(|part| {
                scope.spawn(move || {
                    Sender { part, began, began_at: now, interval, sent: Sent::default() }.run(address, rounds)
                })
            });
            let senders: Vec<_> = senders.collect();
            let joined = senders.into_iter().map(|sender| sender.join());
            joined.map(|result| result.unwrap_or_else(|_| bail!("a sender broke off"))).collect()
        });
        let mut all = Sent { series: self.series, ..Sent::default() };
        for sent in results {
            let sent = sent?;
            all.samples += sent.samples;
            all.requests += sent.requests;
            all.refused += sent.refused;
            all.waited += sent.waited;
            all.latest = all.latest.max(sent.latest);
        }
        Ok(all)
    }
}

struct Sender {
    part: Vec<Scraped>,
    began: Instant,
    began_at: Duration,
    interval: Duration,
    sent: Sent,
}

impl Sender {
    fn run(mut self, address: SocketAddr, rounds: u64) -> Result<Sent> {
        let mut connection = Connection::open(address)?;
        let mut part = std::mem::take(&mut self.part);
        let mut encoder = snap::raw::Encoder::new();
        let mut body = Vec::new();
        for round in 0..rounds {
            for hosts in part.chunks_mut(HOSTS_PER_REQUEST) {
                body.clear();
                let (mut samples, mut due) = (0, Duration::ZERO);
                for scraped in hosts {
                    due = self.interval * u32::try_from(round)? + scraped.offset;
                    let time_ms = i64::try_from((self.began_at + due).as_millis())?;
                    samples += scraped.scrape(time_ms, round, &mut body);
                }
                std::thread::sleep(due.saturating_sub(self.began.elapsed()));
                let compressed = encoder.compress_vec(&body).context("compressing a request")?;
                self.post(&mut connection, &compressed, samples)?;
                self.sent.latest = self.sent.latest.max(self.began.elapsed().saturating_sub(due));
            }
        }
        Ok(self.sent)
    }

    /// Sends a request until it is answered with more than "wait".
    fn post(&mut self, connection: &mut Connection, body: &[u8], samples: u64) -> Result<()> {
        let request = Request::post("/api/v1/write")
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy");
        loop {
            let answer = connection.send_body(&request, body)?;
            self.sent.requests += 1;
            match answer.status {
                200..300 => {
                    self.sent.samples += samples;
                    return Ok(());
                }
                429 | 503 => {
                    self.sent.waited += 1;
                    std::thread::sleep(WAIT);
                }
                status => {
                    self.sent.refused += 1;
                    let said = String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]).into_owned();
                    eprintln!("refused with {status}: {said}");
                    return Ok(());
                }
            }
        }
    }
}

impl Scraped {
    /// Appends what the host shows at a time; gives how many samples that is.
    fn scrape(&mut self, time_ms: i64, round: u64, body: &mut Vec<u8>) -> u64 {
        let (_, values) = self.host.scrape(0, round.cast_signed());
        let mut samples = 0;
        for (labels, value) in self.labels.iter().zip(values) {
            push_series(body, labels, time_ms, value);
            samples += 1;
        }
        samples
    }
}
