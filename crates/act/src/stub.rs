//! A small HTTP server for the tests of kinds that speak HTTP: every request is answered by a function, which keeps what state the
//! real service would keep. It stands in for Argo CD and for services of flags, neither of which can run inside a test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The request line and the headers, names in lower case.
    pub(crate) head: String,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) body: Json,
}

/// What to answer.
pub(crate) enum Reply {
    /// A status and a body.
    Json(u16, Json),
    /// These bytes; none hangs up.
    Raw(&'static str),
}

/// A server; it ends with the test's process.
pub(crate) struct Stub {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    /// Answers everything with the same bytes.
    pub(crate) fn raw(answer: &'static str) -> Self {
        Self::serving(move |_| Reply::Raw(answer))
    }

    /// Answers by a function.
    pub(crate) fn serving(mut answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let kept = Arc::clone(&seen);
        let serve = move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let Some(request) = read(&stream) else { continue };
                kept.lock().expect("lock").push(request.clone());
                let text = match answer(&request) {
                    Reply::Raw(text) => text.to_owned(),
                    Reply::Json(status, body) => {
                        let body = body.to_string();
                        let head =
                            format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close", body.len());
                        format!("{head}\r\n\r\n{body}")
                    }
                };
                // The client may have given up.
                drop(stream.write_all(text.as_bytes()));
            }
        };
        drop(std::thread::Builder::new().name("stub".to_owned()).spawn(serve).expect("thread"));
        Self { url, seen }
    }

    /// What came in so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("lock").clone()
    }

    /// Method and path of what came in, a line each.
    pub(crate) fn lines(&self) -> String {
        self.seen().iter().map(|seen| format!("{} {}\n", seen.method, seen.path)).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let (first, headers) = lines.split_first()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<String> = headers
        .iter()
        .filter_map(|line| {
            line.split_once(':').map(|(name, value)| format!("{}: {}", name.to_lowercase(), value.trim()))
        })
        .collect();
    let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Json::Null);
    Some(Seen { head: format!("{first}\n{}", headers.join("\n")), method, path, body })
}
