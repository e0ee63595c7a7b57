//! A small DNS client: one question, over UDP and over TCP when the answer is too long.
//!
//! Of what DNS is, discovery needs five kinds of records and `/etc/resolv.conf`: this is less code than the glue to a resolver with
//! caches, DNSSEC and a dependency tree of its own, and a cache is what discovery must not have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::config::DnsRecord;

/// Bytes of an answer over UDP that are asked for (EDNS).
const UDP_BYTES: u16 = 4096;
/// Records of one answer.
const RECORDS_MAX: usize = 20_000;
/// Labels of one name, compressed or not: a loop of pointers ends here.
const NAME_LABELS_MAX: usize = 128;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// What is found under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// An address.
    Address(IpAddr),
    /// A server for mail or names.
    Host(String),
    /// A service.
    Service(String, u16),
}

/// How `/etc/resolv.conf` says to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolver {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
    timeout: Duration,
    attempts: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nobody answers, or what is answered is no answer.
    Failed(String),
    /// The server answers with an error.
    Code(u8),
}

/// The name does not exist.
const NXDOMAIN: u8 = 3;

impl Resolver {
    /// As the machine is set up.
    pub(super) fn of_machine() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }

    pub(super) fn parse(text: &str) -> Self {
        let (servers, search, attempts) = (Vec::new(), Vec::new(), 2);
        let mut resolver = Self { servers, search, ndots: 1, timeout: Duration::from_secs(5), attempts };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    // A scope such as fe80::1%eth0 is left out.
                    let address = words.next().and_then(|word| word.split('%').next()?.parse::<IpAddr>().ok());
                    resolver.servers.extend(address.map(|address| SocketAddr::new(address, 53)));
                }
                Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|word| resolver.option(word)),
                _ => {}
            }
        }
        if resolver.servers.is_empty() {
            resolver.servers.push(SocketAddr::from(([127, 0, 0, 1], 53)));
        }
        resolver
    }

    #[cfg(test)]
    pub(super) fn of_server(server: SocketAddr, search: &[&str]) -> Self {
        let search = search.iter().map(|domain| (*domain).to_owned()).collect();
        Self { servers: vec![server], search, ndots: 1, timeout: Duration::from_secs(2), attempts: 1 }
    }

    fn option(&mut self, word: &str) {
        let Some((name, Ok(number))) = word.split_once(':').map(|(name, number)| (name, number.parse::<usize>()))
        else {
            return;
        };
        match name {
            "ndots" => self.ndots = number.min(15),
            "timeout" => self.timeout = Duration::from_secs(number.clamp(1, 30) as u64),
            "attempts" => self.attempts = number.clamp(1, 5),
            _ => {}
        }
    }

    /// Names to ask for, in their order: with each domain of the search list, and as it is.
    fn names(&self, name: &str) -> Vec<String> {
        if let Some(whole) = name.strip_suffix('.') {
            return vec![whole.to_owned()];
        }
        let searched = self.search.iter().map(|domain| format!("{name}.{}", domain.trim_end_matches('.')));
        let mut names: Vec<String> = searched.collect();
        let at = if name.matches('.').count() >= self.ndots { 0 } else { names.len() };
        names.insert(at, name.to_owned());
        names
    }

    /// The records under a name; none where it does not exist. An error where some server could not say.
    pub(super) async fn lookup(&self, name: &str, kind: DnsRecord) -> Result<Vec<Record>, String> {
        let mut trouble = None;
        for name in self.names(name) {
            match self.ask_servers(&name, kind).await {
                Ok(records) => return Ok(records),
                Err(Trouble::Code(NXDOMAIN)) => {}
                Err(Trouble::Code(code)) => trouble = Some(format!("{name}: the server answers with code {code}")),
                Err(Trouble::Failed(text)) => trouble = Some(format!("{name}: {text}")),
            }
        }
        trouble.map_or(Ok(Vec::new()), |text| Err(format!("cannot resolve {text}")))
    }

    async fn ask_servers(&self, name: &str, kind: DnsRecord) -> Result<Vec<Record>, Trouble> {
        let mut trouble = Trouble::Failed("there is no name server".to_owned());
        for _ in 0..self.attempts {
            for server in &self.servers {
                match self.ask(*server, name, kind).await {
                    Err(Trouble::Code(NXDOMAIN)) => return Err(Trouble::Code(NXDOMAIN)),
                    Err(other) => trouble = other,
                    records => return records,
                }
            }
        }
        Err(trouble)
    }

    async fn ask(&self, server: SocketAddr, name: &str, kind: DnsRecord) -> Result<Vec<Record>, Trouble> {
        let mut id = [0; 2];
        getrandom::fill(&mut id).map_err(|error| Trouble::Failed(error.to_string()))?;
        let question = question(u16::from_be_bytes(id), name, kind).map_err(Trouble::Failed)?;
        let late = |_| Trouble::Failed(format!("{server} does not answer"));
        let broken = |error: std::io::Error| Trouble::Failed(format!("{server}: {error}"));
        let answer = tokio::time::timeout(self.timeout, over_udp(server, &question)).await.map_err(late)?;
        let answer = answer.map_err(broken)?;
        if answer.get(2).is_some_and(|flags| flags & 0x02 == 0) {
            return records(&answer, kind);
        }
        // Cut: the whole is to be had over TCP.
        let answer = tokio::time::timeout(self.timeout, over_tcp(server, &question)).await.map_err(late)?;
        records(&answer.map_err(broken)?, kind)
    }
}

async fn over_udp(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; usize::from(UDP_BYTES)];
    loop {
        let length = socket.recv(&mut answer).await?;
        // Another answer than to this question is none.
        if length >= 12 && answer[..2] == question[..2] {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX).to_be_bytes();
    stream.write_all(&[&length[..], question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn type_of(kind: DnsRecord) -> u16 {
    match kind {
        DnsRecord::A => 1,
        DnsRecord::Ns => 2,
        DnsRecord::Mx => 15,
        DnsRecord::Aaaa => 28,
        DnsRecord::Srv => 33,
    }
}

/// A message that asks for one kind of record, recursion wanted.
fn question(id: u16, name: &str, kind: DnsRecord) -> Result<Vec<u8>, String> {
    let mut message = Vec::with_capacity(name.len() + 29);
    for number in [id, 0x0100, 1, 0, 0, 1] {
        message.extend_from_slice(&number.to_be_bytes());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("{name:?} is too long for a name"));
    }
    for label in name.trim_end_matches('.').split('.') {
        match u8::try_from(label.len()) {
            Ok(length @ 1..=63) => message.push(length),
            _ => return Err(format!("{name:?} is not a name")),
        }
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&type_of(kind).to_be_bytes());
    message.extend_from_slice(&CLASS_IN.to_be_bytes());
    // EDNS: longer answers over UDP.
    message.push(0);
    for number in [TYPE_OPT, UDP_BYTES, 0, 0, 0] {
        message.extend_from_slice(&number.to_be_bytes());
    }
    Ok(message)
}

/// The records of a kind in an answer.
fn records(answer: &[u8], kind: DnsRecord) -> Result<Vec<Record>, Trouble> {
    let broken = || Trouble::Failed("the answer makes no sense".to_owned());
    let flags = number(answer, 2).ok_or_else(broken)?;
    match (flags & 0x000f) as u8 {
        0 => {}
        code => return Err(Trouble::Code(code)),
    }
    let questions = number(answer, 4).ok_or_else(broken)?;
    let answers = usize::from(number(answer, 6).ok_or_else(broken)?);
    let mut at = 12;
    for _ in 0..questions {
        at = name_at(answer, at).ok_or_else(broken)?.1 + 4;
    }
    let mut found = Vec::new();
    for _ in 0..answers.min(RECORDS_MAX) {
        at = name_at(answer, at).ok_or_else(broken)?.1;
        let record_type = number(answer, at).ok_or_else(broken)?;
        let length = usize::from(number(answer, at + 8).ok_or_else(broken)?);
        let from = at + 10;
        let data = answer.get(from..from + length).ok_or_else(broken)?;
        // Aliases come with what they lead to.
        if record_type == type_of(kind) {
            found.push(record(answer, from, data, kind).ok_or_else(broken)?);
        }
        at = from + length;
    }
    Ok(found)
}

fn record(answer: &[u8], from: usize, data: &[u8], kind: DnsRecord) -> Option<Record> {
    Some(match kind {
        DnsRecord::A => Record::Address(IpAddr::from(<[u8; 4]>::try_from(data).ok()?)),
        DnsRecord::Aaaa => Record::Address(IpAddr::from(<[u8; 16]>::try_from(data).ok()?)),
        DnsRecord::Ns => Record::Host(name_at(answer, from)?.0),
        DnsRecord::Mx => Record::Host(name_at(answer, from + 2)?.0),
        DnsRecord::Srv => Record::Service(name_at(answer, from + 6)?.0, number(data, 4)?),
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// The name that begins at a place, with a dot at its end, and the place behind it.
fn name_at(message: &[u8], from: usize) -> Option<(String, usize)> {
    let (mut at, mut end, mut name) = (from, None, String::new());
    for _ in 0..NAME_LABELS_MAX {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => return Some((name, end.unwrap_or(at + 1))),
            1..=63 => {
                name.push_str(&String::from_utf8_lossy(message.get(at + 1..at + 1 + length)?));
                name.push('.');
                at += 1 + length;
            }
            0xc0.. => {
                end.get_or_insert(at + 2);
                at = usize::from(number(message, at)? & 0x3fff);
            }
            _ => return None,
        }
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn resolv_conf_says_whom_to_ask_for_what() {
        let text = "# comment\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:3\n";
        let resolver = Resolver::parse(text);
        assert_eq!(resolver.servers.len(), 2);
        assert_eq!(resolver.timeout, Duration::from_secs(3));
        assert_eq!(resolver.names("api"), ["api.ns.svc.cluster.local", "api.svc.cluster.local", "api"]);
        assert_eq!(resolver.names("a.b.c.d.e.f")[0], "a.b.c.d.e.f");
        assert_eq!(resolver.names("api."), ["api"]);
        assert_eq!(Resolver::parse("").servers, [SocketAddr::from(([127, 0, 0, 1], 53))]);
    }

    proptest! {
        #[test]
        fn no_answer_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), valid: bool) {
            if valid && bytes.len() > 12 {
                // No error, one question, one answer: so that the rest is read.
                bytes[2..8].copy_from_slice(&[0x80, 0, 0, 1, 0, 1]);
            }
            for kind in [DnsRecord::A, DnsRecord::Aaaa, DnsRecord::Mx, DnsRecord::Ns, DnsRecord::Srv] {
                let _ = records(&bytes, kind);
            }
        }
    }
}
