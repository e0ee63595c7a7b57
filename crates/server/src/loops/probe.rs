//! How playbooks probe: an HTTP GET or a TCP connection, only to what the settings allow.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::blocking::Client;
use respond::{ProbeAnswer, ProbeKind, ProbeRequest, Prober, ResultState};

/// Probes within an allow-list.
pub(crate) struct NetworkProber {
    http: Vec<Url>,
    tcp: Vec<String>,
    client: Client,
}

impl NetworkProber {
    /// Checks the allow-list: starts of URLs, and `tcp://host:port`.
    pub(crate) fn new(allow: &[String]) -> anyhow::Result<Self> {
        let (mut http, mut tcp) = (Vec::new(), Vec::new());
        for start in allow {
            match start.strip_prefix("tcp://") {
                Some(address) => tcp.push(address.trim_end_matches('/').to_owned()),
                None => http.push(Url::parse(start)?),
            }
        }
        // A redirect must not lead to what is not allowed.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { http, tcp, client })
    }

    fn http(&self, url: &str, expect_status: &[u16], timeout: Duration) -> ProbeAnswer {
        let Ok(url) = Url::parse(url) else { return ProbeAnswer::unknown(format!("{url:?} is not a URL")) };
        if !self.http.iter().any(|start| is_below(&url, start)) {
            return ProbeAnswer::unknown(format!("{url} is not allowed: add its start to actions.probe_allow"));
        }
        let start = Instant::now();
        let sent = self.client.get(url.clone()).timeout(timeout).send();
        let latency_ms = start.elapsed().as_secs_f64() * 1e3;
        match sent {
            Ok(answer) => {
                let status = answer.status();
                let well = if expect_status.is_empty() {
                    status.is_success()
                } else {
                    expect_status.contains(&status.as_u16())
                };
                ProbeAnswer {
                    state: if well { ResultState::Ok } else { ResultState::Failed },
                    latency_ms: Some(latency_ms),
                    status: Some(status.as_u16()),
                    detail: format!("{url} answered {status} in {latency_ms:.0}ms"),
                }
            }
            Err(error) if error.is_builder() => ProbeAnswer::unknown(format!("{url}: {error}")),
            Err(error) => failed(format!("{url}: {error}"), latency_ms),
        }
    }

    fn tcp(&self, address: &str, timeout: Duration) -> ProbeAnswer {
        if !self.tcp.iter().any(|allowed| allowed == address) {
            return ProbeAnswer::unknown(format!(
                "{address} is not allowed: add tcp://{address} to actions.probe_allow"
            ));
        }
        // A name that can not be resolved says nothing about the service behind it.
        let found = match address.to_socket_addrs() {
            Ok(mut found) => found.next(),
            Err(error) => return ProbeAnswer::unknown(format!("{address}: {error}")),
        };
        let Some(found) = found else { return ProbeAnswer::unknown(format!("{address} has no address")) };
        let start = Instant::now();
        let connected = TcpStream::connect_timeout(&found, timeout);
        let latency_ms = start.elapsed().as_secs_f64() * 1e3;
        match connected {
            Ok(_) => ProbeAnswer {
                state: ResultState::Ok,
                latency_ms: Some(latency_ms),
                status: None,
                detail: format!("{address} connected in {latency_ms:.0}ms"),
            },
            Err(error) => failed(format!("{address}: {error}"), latency_ms),
        }
    }
}

fn failed(detail: String, latency_ms: f64) -> ProbeAnswer {
    ProbeAnswer { state: ResultState::Failed, latency_ms: Some(latency_ms), status: None, detail }
}

impl Prober for NetworkProber {
    fn probe(&self, request: &ProbeRequest) -> ProbeAnswer {
        let timeout = Duration::from_nanos(request.timeout_ns.max(1).unsigned_abs());
        match &request.kind {
            ProbeKind::Http { url, expect_status } => self.http(url, expect_status, timeout),
            ProbeKind::Tcp { address } => self.tcp(address, timeout),
        }
    }
}

/// Whether a URL lies below an allowed start: same scheme, host and port, no credentials, and a path that goes on from the start's
/// at a boundary. Dot segments are already resolved in a parsed URL.
fn is_below(url: &Url, start: &Url) -> bool {
    let same_origin = url.origin() == start.origin();
    let clean = url.username().is_empty() && url.password().is_none();
    let rest = url.path().strip_prefix(start.path());
    let boundary = rest.is_some_and(|rest| start.path().ends_with('/') || rest.is_empty() || rest.starts_with('/'));
    same_origin && clean && boundary && !url.path().to_ascii_lowercase().contains("%2e")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn request(kind: ProbeKind) -> ProbeRequest {
        ProbeRequest { kind, timeout_ns: 2_000_000_000 }
    }

    #[test]
    fn what_answers_is_ok_what_does_not_has_failed_and_what_is_not_allowed_is_unknown() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address").to_string();
        let serve = std::thread::Builder::new().spawn(move || {
            for status in ["200 OK", "503 Service Unavailable"] {
                let (mut stream, _) = listener.accept().expect("accept");
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).expect("read");
                assert!(read > 0);
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("answer");
            }
        });
        let dead = TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address").to_string();
        let allow = [format!("http://{address}/health"), format!("tcp://{dead}")];
        let prober = NetworkProber::new(&allow).expect("prober");
        let http = |path: &str| {
            let url = format!("http://{address}{path}");
            prober.probe(&request(ProbeKind::Http { url, expect_status: Vec::new() }))
        };
        let answer = http("/health/live");
        assert_eq!((answer.state, answer.status), (ResultState::Ok, Some(200)), "{}", answer.detail);
        assert!(answer.latency_ms.expect("latency") > 0.0);
        assert_eq!(http("/health").state, ResultState::Failed);
        assert_eq!(http("/healthy").state, ResultState::Unknown, "another path");
        assert_eq!(http("/admin").state, ResultState::Unknown);
        let tcp = |address: &str| prober.probe(&request(ProbeKind::Tcp { address: address.to_owned() })).state;
        assert_eq!(tcp(&dead), ResultState::Failed);
        assert_eq!(tcp(&address), ResultState::Unknown, "not allowed");
        serve.expect("thread").join().expect("served");
    }
}
