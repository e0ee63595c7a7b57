//! Names in DNS: what they resolve to is scraped.

use std::time::Duration;

use super::resolver::{Record, Resolver};
use super::{DiscoveryError, host_port};
use crate::config::{DnsConfig, TargetGroup};
use crate::labels::LabelSet;
use crate::target::ADDRESS;

const NAME_LABEL: &str = "__meta_dns_name";
const SRV_TARGET: &str = "__meta_dns_srv_record_target";
const SRV_PORT: &str = "__meta_dns_srv_record_port";
const MX_TARGET: &str = "__meta_dns_mx_record_target";
const NS_TARGET: &str = "__meta_dns_ns_record_target";

/// The names of one part of the settings.
pub(super) struct Names {
    config: DnsConfig,
    resolver: Option<Resolver>,
    /// What each name resolved to last: a name that can not be resolved now keeps its targets.
    known: parking_lot::Mutex<Vec<Option<TargetGroup>>>,
}

impl Names {
    pub(super) fn new(config: DnsConfig) -> Self {
        let known = parking_lot::Mutex::new(vec![None; config.names.len()]);
        Self { config, resolver: None, known }
    }

    pub(super) fn refresh(&self) -> Duration {
        self.config.refresh
    }

    pub(super) async fn groups(&self) -> Result<Vec<TargetGroup>, DiscoveryError> {
        // Read each time: it changes under us, in containers most of all.
        let resolver = self.resolver.clone().unwrap_or_else(Resolver::of_machine);
        for (number, name) in self.config.names.iter().enumerate() {
            match resolver.lookup(name, self.config.record).await {
                Ok(records) => self.known.lock()[number] = Some(self.group(name, records)),
                Err(error) => super::failed("dns", &DiscoveryError::Answer(error)),
            }
        }
        Ok(self.known.lock().iter().flatten().cloned().collect())
    }

    fn group(&self, name: &str, records: Vec<Record>) -> TargetGroup {
        let targets = records.into_iter().map(|record| {
            let mut labels = LabelSet::default();
            labels.set(NAME_LABEL, name);
            let address = match record {
                Record::Address(address) => host_port(&address.to_string(), self.config.port),
                Record::Service(host, port) => {
                    labels.set(SRV_TARGET, &host);
                    labels.set(SRV_PORT, port.to_string());
                    host_port(host.trim_end_matches('.'), port)
                }
                Record::Host(host) => {
                    let mail = self.config.record == crate::config::DnsRecord::Mx;
                    labels.set(if mail { MX_TARGET } else { NS_TARGET }, &host);
                    host_port(host.trim_end_matches('.'), self.config.port)
                }
            };
            labels.set(ADDRESS, address);
            labels
        });
        TargetGroup { source: name.to_owned(), labels: LabelSet::default(), targets: targets.collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::config::DnsRecord;

    /// Records as a server writes them: type, and the data with names in full.
    type Records = fn(&str) -> Option<(u16, Vec<Vec<u8>>)>;

    fn wire_name(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in name.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.push(0);
        bytes
    }

    fn answer(question: &[u8], records: Records, cut: bool) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|byte| *byte == 0).expect("a name") + 5;
        let mut name = String::new();
        let mut at = 12;
        while question[at] != 0 {
            let length = question[at] as usize;
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(std::str::from_utf8(&question[at + 1..at + 1 + length]).expect("text"));
            at += 1 + length;
        }
        let found = records(&name);
        let mut out = question[..2].to_vec();
        let flags: u16 = 0x8180 | if cut { 0x0200 } else { 0 } | if found.is_none() { 3 } else { 0 };
        let (kind, data) = found.unwrap_or_default();
        let count = if cut { 0 } else { data.len() as u16 };
        for number in [flags, 1, count, 0, 0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&question[12..end]);
        for data in data.into_iter().take(usize::from(count)) {
            // The name as a pointer to the question.
            out.extend_from_slice(&[0xc0, 12]);
            out.extend_from_slice(&kind.to_be_bytes());
            out.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
            out.extend_from_slice(&(data.len() as u16).to_be_bytes());
            out.extend_from_slice(&data);
        }
        out
    }

    /// A server on one port of UDP and TCP; over UDP it cuts when it is told to.
    async fn server(records: Records, cut: bool) -> SocketAddr {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("port");
        let address = udp.local_addr().expect("address");
        let tcp = TcpListener::bind(address).await.expect("the same port");
        telemetry::spawn("test-udp", async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut question).await {
                let _ = udp.send_to(&answer(&question[..length], records, cut), from).await;
            }
        });
        telemetry::spawn("test-tcp", async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let length = stream.read_u16().await.unwrap_or(0);
                let mut question = vec![0; length as usize];
                if stream.read_exact(&mut question).await.is_ok() {
                    let answer = answer(&question, records, false);
                    let _ = stream.write_all(&[&(answer.len() as u16).to_be_bytes()[..], &answer].concat()).await;
                }
            }
        });
        address
    }

    async fn found(records: Records, cut: bool, record: DnsRecord, name: &str, search: &[&str]) -> Vec<String> {
        let server = server(records, cut).await;
        let config = DnsConfig { names: vec![name.to_owned()], record, port: 9100, refresh: Duration::from_secs(30) };
        let names = Names { resolver: Some(Resolver::of_server(server, search)), ..Names::new(config) };
        let groups = names.groups().await.expect("groups");
        groups.iter().flat_map(|group| group.targets.iter().map(ToString::to_string)).collect()
    }

    #[tokio::test]
    async fn every_kind_of_record() {
        let addresses: Records =
            |name| (name == "web.example").then(|| (1, vec![vec![10, 0, 0, 1], vec![10, 0, 0, 2]]));
        assert_eq!(
            found(addresses, false, DnsRecord::A, "web.example", &[]).await,
            [
                r#"{__address__="10.0.0.1:9100", __meta_dns_name="web.example"}"#,
                r#"{__address__="10.0.0.2:9100", __meta_dns_name="web.example"}"#
            ]
        );
        let six: Records = |_| Some((28, vec![[&[0xfd][..], &[0; 14], &[7]].concat()]));
        let shown = found(six, false, DnsRecord::Aaaa, "web.example", &[]).await;
        assert!(shown[0].contains(r#"__address__="[fd00::7]:9100""#), "{shown:?}");
        let service: Records = |_| Some((33, vec![[&[0, 1, 0, 1, 0x1f, 0x90][..], &wire_name("a.b")].concat()]));
        assert_eq!(
            found(service, false, DnsRecord::Srv, "_x._tcp.example", &[]).await,
            [
                r#"{__address__="a.b:8080", __meta_dns_name="_x._tcp.example", __meta_dns_srv_record_port="8080", __meta_dns_srv_record_target="a.b."}"#
            ]
        );
        let mail: Records = |_| Some((15, vec![[&[0, 10][..], &wire_name("mx.b")].concat()]));
        let shown = found(mail, false, DnsRecord::Mx, "example", &[]).await;
        assert!(shown[0].contains(r#"__meta_dns_mx_record_target="mx.b.""#), "{shown:?}");
    }

    #[tokio::test]
    async fn a_cut_answer_is_asked_for_over_tcp_and_the_search_list_is_used() {
        let many: Records =
            |name| (name == "web.svc.local").then(|| (1, (0..200).map(|n| vec![10, 0, 1, n]).collect()));
        assert_eq!(found(many, true, DnsRecord::A, "web", &["ns.local", "svc.local"]).await.len(), 200);
        assert!(found(many, false, DnsRecord::A, "web", &[]).await.is_empty(), "no such name is no target");
    }
}
