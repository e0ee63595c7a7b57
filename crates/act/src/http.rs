//! Actions of kind `http`: one request, no redirects, the action's key as `Idempotency-Key`.

use std::io::Read as _;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::{Method, Url};
use respond::{ActionRequest, ActionState, HttpCall};

use crate::{ActError, Ended, OUTPUT_BYTES_MAX};

/// Longest wait for a connection: nothing has happened yet, so it can be short.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that follows no redirect: an allowed address must not lead to one that is not.
pub(crate) fn client() -> Result<Client, ActError> {
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy()
        .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// Sends the request if its URL is allowed. A refusal or a failed connection is Failed; once the request may have arrived, no
/// answer is Unknown.
pub(crate) fn execute(client: &Client, allow: &[Url], call: &HttpCall, request: &ActionRequest) -> Ended {
    let Ok(url) = Url::parse(&call.url) else {
        return Ended::without_output(ActionState::Failed, format!("{:?} is not a URL", call.url));
    };
    if !allow.iter().any(|start| is_below(&url, start)) {
        let detail = format!("{url} is not allowed: add its start to actions.http_allow");
        return Ended::without_output(ActionState::Failed, detail);
    }
    let Ok(method) = Method::from_bytes(call.method.as_bytes()) else {
        return Ended::without_output(ActionState::Failed, format!("{:?} is not a method", call.method));
    };
    let timeout = Duration::from_nanos(request.timeout_ns.max(0).unsigned_abs());
    let mut builder = client.request(method, url.clone()).timeout(timeout).header("Idempotency-Key", &request.key);
    for (name, value) in &call.headers {
        builder = builder.header(name, value);
    }
    if let Some(body) = &call.body {
        builder = builder.json(body);
    }
    match builder.send() {
        Ok(response) => ended(call, response),
        Err(error) if error.is_connect() || error.is_builder() => {
            Ended::without_output(ActionState::Failed, format!("{url} could not be reached: {}", root(&error)))
        }
        Err(error) => {
            let detail = format!("no answer from {url} within {timeout:?}, or it broke off: {}", root(&error));
            Ended::without_output(ActionState::Unknown, detail)
        }
    }
}

/// Whether a URL lies below an allowed start: same scheme, host and port, no credentials, and a path that goes on from the
/// start's at a boundary. Dot segments are already resolved in a parsed URL.
fn is_below(url: &Url, start: &Url) -> bool {
    let same_origin = url.scheme() == start.scheme()
        && url.host_str() == start.host_str()
        && url.port_or_known_default() == start.port_or_known_default();
    let clean = url.username().is_empty() && url.password().is_none();
    let encoded_dots = url.path().to_ascii_lowercase().contains("%2e");
    let rest = url.path().strip_prefix(start.path());
    let boundary = rest.is_some_and(|rest| start.path().ends_with('/') || rest.is_empty() || rest.starts_with('/'));
    same_origin && clean && boundary && !encoded_dots
}

fn ended(call: &HttpCall, response: Response) -> Ended {
    let status = response.status();
    let expected =
        if call.expect_status.is_empty() { status.is_success() } else { call.expect_status.contains(&status.as_u16()) };
    let state = match status.as_u16() {
        _ if expected => ActionState::Succeeded,
        // The other side broke, or gave up waiting for a third: the work may be done all the same.
        500 | 502 | 504 => ActionState::Unknown,
        _ => ActionState::Failed,
    };
    let mut output = Vec::new();
    let read = response.take(OUTPUT_BYTES_MAX as u64).read_to_end(&mut output);
    let cut = if read.is_err() { "; its answer broke off" } else { "" };
    Ended { state, detail: format!("{} answered {status}{cut}", call.url), output }
}

/// The innermost reason, which is the one that says something.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener};

    use respond::{Call, Executor as _, HttpCall};

    use super::*;
    use crate::{ActOptions, Actor};

    #[test]
    fn only_what_lies_below_an_allowed_start() {
        let start = Url::parse("http://deploy.example:8080/api").expect("URL");
        let below = |url: &str| is_below(&Url::parse(url).expect("URL"), &start);
        assert!(below("http://deploy.example:8080/api"));
        assert!(below("http://deploy.example:8080/api/checkout?x=1"));
        for url in [
            "http://deploy.example:8080/apis",
            "http://deploy.example:8080/api/../admin",
            "http://deploy.example:8080/api/%2e%2e/admin",
            "http://deploy.example:8081/api",
            "https://deploy.example:8080/api",
            "http://deploy.example.evil:8080/api",
            "http://deploy.example:8080@evil/api",
            "http://user@deploy.example:8080/api",
        ] {
            assert!(!below(url), "{url}");
        }
    }

    /// Answers one request with `answer`, after which the request's head is given; an empty answer hangs up.
    fn serve_once(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let thread = std::thread::Builder::new().spawn(move || {
            let (mut stream, _) = listener.accept().expect("accept");
            let reader = BufReader::new(stream.try_clone().expect("clone"));
            let head: Vec<String> = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).expect("write");
            head
        });
        (address, thread.expect("thread"))
    }

    fn call(url: String, allow: String) -> respond::ActionResult {
        let actor =
            Actor::new(ActOptions { http_allow: vec![allow], redact: vec!["s3cret".into()], ..ActOptions::default() });
        let call = Call::Http(HttpCall {
            method: "POST".into(),
            url,
            headers: BTreeMap::new(),
            body: Some(serde_json::json!({"version": "1"})),
            expect_status: Vec::new(),
        });
        actor.expect("actor").execute(&crate::tests::request(call, 5_000))
    }

    #[test]
    fn an_answer_decides_and_is_redacted() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\ndone, s3cret", ActionState::Succeeded, "done, ***"),
            ("HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", ActionState::Failed, ""),
            (
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                ActionState::Failed,
                "",
            ),
            ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", ActionState::Unknown, ""),
            ("", ActionState::Unknown, ""),
        ];
        for (answer, state, output) in cases {
            let (address, thread) = serve_once(answer);
            let result = call(format!("http://{address}/deploy/checkout"), format!("http://{address}/deploy/"));
            assert_eq!((result.state, result.output.as_str()), (state, output), "{answer:?}: {}", result.detail);
            let head = thread.join().expect("server");
            assert!(head.iter().any(|line| line.eq_ignore_ascii_case("idempotency-key: key-1")), "{head:?}");
        }
    }

    #[test]
    fn what_is_not_allowed_or_not_there_certainly_did_not_happen() {
        let result = call("http://127.0.0.1:1/x".into(), "http://127.0.0.1:2/".into());
        assert_eq!(result.state, ActionState::Failed);
        assert!(result.detail.contains("not allowed"), "{}", result.detail);
        let result = call("http://127.0.0.1:1/x".into(), "http://127.0.0.1:1/".into());
        assert_eq!(result.state, ActionState::Failed);
        assert!(result.detail.contains("could not be reached"), "{}", result.detail);
    }
}
