//! What is outside the server and survives it: the shop, whoever deploys it, and the inbox of the people on call. It keeps its own
//! account of what was done to it and of whom it was told, and the server is held against that.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::variant::Variant;

/// How long what is slow takes.
pub(crate) const SLOW: Duration = Duration::from_millis(300);
/// The version that is bad, and the one before.
pub(crate) const BAD: &str = "2.0";
/// The one before.
pub(crate) const GOOD: &str = "1.9";

/// An action as its target saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// By which way: `http` or `exec`.
    pub(crate) by: &'static str,
    /// The action's key.
    pub(crate) key: String,
    /// The fencing token.
    pub(crate) fence: u64,
}

/// A notification as the inbox took it.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Its id, by which a repetition is known.
    pub(crate) id: String,
    /// Its template.
    pub(crate) template: String,
    /// Everything that it said.
    pub(crate) body: Value,
}

#[derive(Default)]
struct Account {
    deployed: Vec<Done>,
    pages: Vec<Page>,
    refused: Vec<String>,
}

struct Shared {
    variant: Variant,
    account: Mutex<Account>,
    healed: AtomicBool,
    stop: AtomicBool,
    file: PathBuf,
}

/// The world of one scenario.
pub(crate) struct World {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl World {
    /// Begins it; programs write what they did to `file`.
    pub(crate) fn start(variant: Variant, file: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let shared = Arc::new(Shared {
            variant,
            account: Mutex::default(),
            healed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            file: file.to_owned(),
        });
        let serving = Arc::clone(&shared);
        let serve = move || {
            for stream in listener.incoming() {
                if serving.stop.load(SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&serving)) else { continue };
                let answer = move || shared.answer(stream);
                drop(std::thread::Builder::new().name("world".to_owned()).spawn(answer));
            }
        };
        let thread = std::thread::Builder::new().name("world".to_owned()).spawn(serve).expect("thread");
        Self { address, shared, thread: Some(thread) }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The shop is well from now on, whatever anybody does.
    pub(crate) fn heal(&self) {
        self.shared.healed.store(true, SeqCst);
    }

    /// Whether the shop serves its customers.
    pub(crate) fn well(&self) -> bool {
        self.shared.healed.load(SeqCst) || !self.done().is_empty()
    }

    /// What was done to the shop, by each way in the order of arrival.
    pub(crate) fn done(&self) -> Vec<Done> {
        let mut done = self.shared.account.lock().expect("lock").deployed.clone();
        let written = std::fs::read_to_string(&self.shared.file).unwrap_or_default();
        done.extend(written.lines().map(|line| {
            let (key, fence) = line.split_once(' ').expect("a key and a fence");
            Done { by: "exec", key: key.to_owned(), fence: fence.parse().expect("fence") }
        }));
        done
    }

    /// What the inbox took, in order.
    pub(crate) fn pages(&self) -> Vec<Page> {
        self.shared.account.lock().expect("lock").pages.clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn answer(&self, stream: TcpStream) {
        // Whoever breaks off before the whole request is here has asked for nothing.
        let Some(request) = Request::read(&stream) else { return };
        let (status, body) = match request.path.as_str() {
            "/version" => (200, json!({"version": if self.deployed() && self.variant.honest() { GOOD } else { BAD }})),
            "/deploy" => self.deploy(&request),
            "/inbox" => self.take(&request),
            _ => (404, Value::Null),
        };
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        // The server may be dead by now; what was done stays done.
        drop((&stream).write_all((head + &body).as_bytes()));
    }

    fn deployed(&self) -> bool {
        !self.account.lock().expect("lock").deployed.is_empty()
    }

    fn deploy(&self, request: &Request) -> (u16, Value) {
        if self.variant == Variant::TargetRefuses {
            return (503, Value::Null);
        }
        let fence = request.header("x-backstop-fence").parse().expect("fence");
        let done = Done { by: "http", key: request.header("idempotency-key").to_owned(), fence };
        assert_eq!(request.body["version"], GOOD);
        self.account.lock().expect("lock").deployed.push(done);
        if self.variant.slow_target() {
            std::thread::sleep(SLOW);
        }
        (if self.variant == Variant::TargetBreaks { 500 } else { 200 }, json!({"deployed": true}))
    }

    fn take(&self, request: &Request) -> (u16, Value) {
        let text = |name: &str| request.body["backstop"][name].as_str().expect("text").to_owned();
        let page = Page { id: text("id"), template: text("template"), body: request.body.clone() };
        let mut account = self.account.lock().expect("lock");
        if self.variant == Variant::InboxRefuses && !account.refused.contains(&page.id) {
            account.refused.push(page.id);
            return (503, Value::Null);
        }
        account.pages.push(page);
        drop(account);
        if self.variant == Variant::InboxSlow {
            std::thread::sleep(SLOW);
        }
        (200, Value::Null)
    }
}

struct Request {
    path: String,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { path, headers, body: Value::Null };
        let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        if !body.is_empty() {
            request.body = serde_json::from_slice(&body).ok()?;
        }
        Some(request)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}
