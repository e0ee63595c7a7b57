//! A small HTTP server that answers what a test says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection stays open without an end of the body, as a watch does.
    pub(crate) open: bool,
}

impl Answer {
    pub(crate) fn json(body: &str) -> Self {
        Self::of("application/json", body.as_bytes())
    }

    pub(crate) fn of(content_type: &'static str, body: &[u8]) -> Self {
        Self { status: 200, content_type, headers: Vec::new(), body: body.to_vec(), open: false }
    }

    pub(crate) fn not_found() -> Self {
        Self { status: 404, ..Self::of("text/plain", b"not found") }
    }
}

/// The server. It ends with the test's runtime.
pub(crate) struct Server {
    address: Option<SocketAddr>,
    requests: Arc<Mutex<Vec<String>>>,
}

type Answers = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

impl Server {
    /// Answers requests by their method and path, such as `GET /path?query`.
    pub(crate) async fn start(answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = Some(listener.local_addr().expect("address"));
        let (answers, requests): (Answers, Arc<Mutex<Vec<String>>>) = (Arc::new(answers), Arc::default());
        let seen = Arc::clone(&requests);
        telemetry::spawn("test-server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                telemetry::spawn("test-connection", serve(stream, Arc::clone(&answers), Arc::clone(&seen)));
            }
        });
        Self { address, requests }
    }

    /// The same on a socket of this machine.
    pub(crate) fn start_unix(path: &Path, answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).expect("socket");
        let (answers, requests): (Answers, Arc<Mutex<Vec<String>>>) = (Arc::new(answers), Arc::default());
        let seen = Arc::clone(&requests);
        telemetry::spawn("test-server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                telemetry::spawn("test-connection", serve(stream, Arc::clone(&answers), Arc::clone(&seen)));
            }
        });
        Self { address: None, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("a TCP server")
    }

    /// Heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answers: Answers, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next().unwrap_or_default();
    let asked = line.rsplit_once(' ').map_or(line, |(asked, _)| asked).to_owned();
    seen.lock().push(head);
    let answer = answers(&asked);
    let mut out = format!("HTTP/1.1 {} Said\r\ncontent-type: {}\r\n", answer.status, answer.content_type);
    for (name, value) in &answer.headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    if !answer.open {
        out.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
    out.push_str("connection: close\r\n\r\n");
    let mut bytes = out.into_bytes();
    bytes.extend_from_slice(&answer.body);
    if stream.write_all(&bytes).await.is_ok() && answer.open {
        std::future::pending::<()>().await;
    }
}
