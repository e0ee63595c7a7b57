//! How the shop reports: OTLP over HTTP, syslog over TCP and UDP, once every half second, as agents batch.

use std::net::SocketAddr;
use std::time::Duration;

use model::Timestamp;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use prost::Message;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};

use crate::DemoError;
use crate::otlp::{self, LogLine, Sender};
use crate::shop::{Shop, Trail};

/// How often the shop serves requests.
const TICK: Duration = Duration::from_millis(100);
/// Requests served in a tick.
const REQUESTS_PER_TICK: usize = 4;
/// Ticks between two reports.
const TICKS_PER_REPORT: u32 = 5;

/// Where reports go.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// Base URL of the HTTP port.
    pub(crate) url: String,
    /// Syslog over TCP.
    pub(crate) syslog_tcp: SocketAddr,
    /// Syslog over UDP.
    pub(crate) syslog_udp: SocketAddr,
}

/// Serves requests and reports them, for ever. A report that fails is tried again with the next one, as agents do.
pub(crate) async fn run_load(shop: Shop, targets: Targets) -> Result<(), DemoError> {
    let mut reporter = Reporter::connect(targets).await?;
    let mut ticks = tokio::time::interval(TICK);
    let mut trail = Trail::default();
    for tick in 1u32.. {
        ticks.tick().await;
        for _ in 0..REQUESTS_PER_TICK {
            shop.serve_request(now_ns(), &mut trail);
        }
        if tick % TICKS_PER_REPORT == 0 {
            reporter.report(&shop, std::mem::take(&mut trail)).await?;
        }
    }
    Ok(())
}

fn now_ns() -> u64 {
    telemetry::clock::now().0.unsigned_abs()
}

/// Open connections to the server.
struct Reporter {
    targets: Targets,
    http: reqwest::Client,
    syslog_tcp: TcpStream,
    syslog_udp: UdpSocket,
    start_ns: u64,
}

impl Reporter {
    async fn connect(targets: Targets) -> Result<Self, DemoError> {
        let syslog_tcp = TcpStream::connect(targets.syslog_tcp).await?;
        let syslog_udp = UdpSocket::bind("127.0.0.1:0").await?;
        syslog_udp.connect(targets.syslog_udp).await?;
        Ok(Self { targets, http: reqwest::Client::new(), syslog_tcp, syslog_udp, start_ns: now_ns() })
    }

    async fn report(&mut self, shop: &Shop, trail: Trail) -> Result<(), DemoError> {
        for (sender, lines) in by_sender(trail.logs) {
            match sender.service.as_str() {
                "payment" => self.send_rfc5424(&sender, &lines).await?,
                "catalog" => self.send_rfc3164(&sender, &lines).await?,
                _ => self.post("logs", otlp::logs(&sender, lines).encode_to_vec()).await?,
            }
        }
        for (sender, operations) in by_sender(trail.operations) {
            self.post("traces", otlp::traces(&sender, operations).encode_to_vec()).await?;
        }
        for (sender, counts) in shop.counts() {
            let request = otlp::metrics(&sender, self.start_ns, now_ns(), &counts);
            self.post("metrics", request.encode_to_vec()).await?;
        }
        Ok(())
    }

    async fn post(&self, signal: &str, body: Vec<u8>) -> Result<(), DemoError> {
        let request = self.http.post(format!("{}/v1/{signal}", self.targets.url));
        let response = request.header("content-type", "application/x-protobuf").body(body).send().await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            // Told to wait: the next report carries newer counters, and lost log lines are a smaller evil than a stuck shop.
            reqwest::StatusCode::TOO_MANY_REQUESTS => Ok(()),
            status => Err(DemoError::Refused { what: format!("OTLP {signal}"), status: status.as_u16() }),
        }
    }

    /// RFC 5424 with structured data, octet-counted (RFC 6587).
    async fn send_rfc5424(&mut self, sender: &Sender, lines: &[LogLine]) -> Result<(), DemoError> {
        let mut frames = Vec::new();
        for line in lines {
            let message = format!(
                "<{}>1 {} {} {} 4711 AUTH [shop@32473 version=\"{}\" trace_id=\"{}\"] {}",
                priority(line.severity),
                Timestamp(i64::try_from(line.time_ns).unwrap_or(i64::MAX)),
                sender.host,
                sender.service,
                sender.version,
                hex(&line.trace_id),
                line.body,
            );
            frames.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
        }
        Ok(self.syslog_tcp.write_all(&frames).await?)
    }

    /// RFC 3164 with an RFC 3339 time, as rsyslog's forward template sends it, a datagram a message.
    async fn send_rfc3164(&self, sender: &Sender, lines: &[LogLine]) -> Result<(), DemoError> {
        for line in lines {
            let time = Timestamp(i64::try_from(line.time_ns).unwrap_or(i64::MAX));
            let message =
                format!("<{}>{time} {} {}[815]: {}", priority(line.severity), sender.host, sender.service, line.body);
            self.syslog_udp.send(message.as_bytes()).await?;
        }
        Ok(())
    }
}

fn by_sender<T>(items: Vec<(Sender, T)>) -> std::collections::BTreeMap<Sender, Vec<T>> {
    let mut groups = std::collections::BTreeMap::<Sender, Vec<T>>::new();
    for (sender, item) in items {
        groups.entry(sender).or_default().push(item);
    }
    groups
}

/// Facility local0, and syslog's level of the severity.
fn priority(severity: SeverityNumber) -> u8 {
    16 * 8
        + match severity {
            SeverityNumber::Error => 3,
            SeverityNumber::Warn => 4,
            _ => 6,
        }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
