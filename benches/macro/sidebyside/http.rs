//! HTTP/1.1 over one connection that stays open: nothing between the clock and the socket, so that an answer in a fraction
//! of a millisecond can be timed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Longest wait for a byte of an answer: a query over 20 million records by brute force takes its time.
const READ_TIMEOUT: Duration = Duration::from_secs(900);
const READ_BYTES: usize = 256 << 10;
const HEADERS_MAX: usize = 64;

/// What is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), ..Self::default() }
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self { method: "POST", path: path.into(), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn json(self, body: &serde_json::Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..self.header("content-type", "application/json") }
    }

    pub(crate) fn form(self, pairs: &[(&str, &str)]) -> Self {
        Self {
            body: encode_form(pairs).into_bytes(),
            ..self.header("content-type", "application/x-www-form-urlencoded")
        }
    }
}

/// Names and values as in a query string.
pub(crate) fn encode_form(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    out
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body, or what the server says is wrong.
    pub(crate) fn ok(self) -> Result<Vec<u8>> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let said = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]).into_owned();
        bail!("status {}: {said}", self.status)
    }
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    /// Bytes that have come and have not been used.
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

/// How the end of a body is known.
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self { address, stream, buffer: Vec::new(), scratch: vec![0; READ_BYTES] })
    }

    /// Sends a request and reads its whole answer.
    pub(crate) fn send(&mut self, request: &Request) -> Result<Answer> {
        self.send_body(request, &request.body)
    }

    /// As [`Connection::send`], with a body that the caller keeps.
    pub(crate) fn send_body(&mut self, request: &Request, body: &[u8]) -> Result<Answer> {
        self.write(request, body).with_context(|| format!("sending to {}{}", self.address, request.path))?;
        self.read().with_context(|| format!("reading the answer of {}{}", self.address, request.path))
    }

    fn write(&mut self, request: &Request, body: &[u8]) -> Result<()> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", request.method, request.path, self.address);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut whole = head.into_bytes();
        whole.extend_from_slice(body);
        self.stream.write_all(&whole)?;
        Ok(())
    }

    fn read(&mut self) -> Result<Answer> {
        let (status, framing) = loop {
            if let Some(head) = self.parse_head()? {
                break head;
            }
            self.fill()?;
        };
        let body = match framing {
            Framing::Length(len) => self.take(len)?,
            Framing::Chunked => self.chunks()?,
        };
        Ok(Answer { status, body })
    }

    fn parse_head(&mut self) -> Result<Option<(u16, Framing)>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(len) = head.parse(&self.buffer)? else { return Ok(None) };
        let status = head.code.context("an answer without a status")?;
        let value = |name: &str| {
            let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.map(|header| String::from_utf8_lossy(header.value).into_owned())
        };
        let chunked = value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let length = value("content-length").and_then(|length| length.parse().ok());
        let framing = if chunked { Framing::Chunked } else { Framing::Length(length.unwrap_or(0)) };
        self.buffer.drain(..len);
        Ok(Some((status, framing)))
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).with_context(|| format!("chunk size {size:?}"))?;
            if size == 0 {
                break;
            }
            body.append(&mut self.take(size)?);
            ensure!(self.line()?.is_empty(), "a chunk that is longer than its size");
        }
        while !self.line()?.is_empty() {}
        Ok(body)
    }

    fn line(&mut self) -> Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                self.buffer.drain(..at + 2);
                return Ok(line);
            }
            self.fill()?;
        }
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < len {
            self.fill()?;
        }
        let rest = self.buffer.split_off(len);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn fill(&mut self) -> Result<()> {
        let read = self.stream.read(&mut self.scratch)?;
        ensure!(read > 0, "the server closed the connection");
        self.buffer.extend_from_slice(&self.scratch[..read]);
        Ok(())
    }
}
