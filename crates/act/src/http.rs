//! Actions of kind `http`: one request, no redirects, the action's key as `Idempotency-Key`, the fencing token as
//! `X-Backstop-Fence`, and on demand the `ETag` that the precheck saw as `If-Match`.

use std::io::Read as _;

use reqwest::blocking::{Client, Response};
use reqwest::header::ETAG;
use reqwest::{Method, Url};
use respond::{ActionRequest, ActionState, HttpCall, HttpPrecheck, Precheck};
use serde_json::Value as Json;

use crate::deadline::Deadline;
use crate::web::{Sent, is_below, not_answered};
use crate::{Ended, OUTPUT_BYTES_MAX};

/// Whether the URLs of a call may be called. A template in a path is encoded by the parser and so is never a boundary.
pub(crate) fn permits(allow: &[Url], call: &HttpCall) -> Result<(), String> {
    for text in std::iter::once(&call.url).chain(call.precheck.iter().map(|precheck| &precheck.url)) {
        let url = Url::parse(text).map_err(|_| format!("{text:?} is not a URL"))?;
        if !allow.iter().any(|start| is_below(&url, start)) {
            return Err(format!("{url} is not allowed: add its start to actions.http_allow"));
        }
    }
    Ok(())
}

/// Sends the request. A refusal or a failed connection is Failed; once the request may have arrived, no answer is Unknown.
pub(crate) fn execute(client: &Client, call: &HttpCall, request: &ActionRequest) -> Ended {
    let Ok(method) = Method::from_bytes(call.method.as_bytes()) else {
        return Ended::failed(format!("{:?} is not a method", call.method));
    };
    let deadline = Deadline::of_ns(request.timeout_ns);
    let mut builder = client.request(method, &call.url).timeout(deadline.left());
    builder = builder.header("Idempotency-Key", &request.key).header("X-Backstop-Fence", request.fence.to_string());
    if let (Some(true), Some(etag)) = (call.precheck.as_ref().map(|look| look.if_match), &request.revision) {
        builder = builder.header("If-Match", etag);
    }
    for (name, value) in &call.headers {
        builder = builder.header(name, value);
    }
    if let Some(body) = &call.body {
        builder = builder.json(body);
    }
    match builder.send() {
        Ok(response) => ended(call, response),
        Err(error) => match not_answered(&error, deadline) {
            Sent::Broken(why) => Ended::without_output(ActionState::Unknown, format!("{}: {why}", call.url)),
            Sent::Never(why) => Ended::failed(format!("{}: {why}", call.url)),
            Sent::Answered(_) => Ended::failed(format!("{} answered nothing", call.url)),
        },
    }
}

/// Asks what runs.
pub(crate) fn precheck(client: &Client, look: &HttpPrecheck, call: &HttpCall, request: &ActionRequest) -> Precheck {
    let unknown = |detail: String| Precheck::Unknown { detail };
    let deadline = Deadline::of_ns(request.timeout_ns);
    let mut builder = client.get(&look.url).timeout(deadline.left());
    for (name, value) in &call.headers {
        builder = builder.header(name, value);
    }
    let response = match builder.send() {
        Ok(response) => response,
        Err(error) => return unknown(format!("{} could not be asked: {error}", look.url)),
    };
    let status = response.status();
    if status.as_u16() == 404 {
        return Precheck::Refused { detail: format!("{} is gone: it answered {status}", look.url) };
    }
    if !status.is_success() {
        return unknown(format!("{} answered {status}", look.url));
    }
    let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    let mut text = String::new();
    if let Err(error) = response.take(OUTPUT_BYTES_MAX as u64).read_to_string(&mut text) {
        return unknown(format!("the answer of {} broke off: {error}", look.url));
    }
    let Ok(json) = serde_json::from_str::<Json>(&text) else {
        return unknown(format!("{} did not answer with JSON of at most {OUTPUT_BYTES_MAX} bytes", look.url));
    };
    let found = match json.pointer(&look.pointer) {
        Some(Json::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => return unknown(format!("the answer of {} has nothing at {:?}", look.url, look.pointer)),
    };
    let want = look.equals.as_ref().unwrap_or(&request.from_version);
    if found != *want {
        return Precheck::Refused { detail: format!("{} says {found:?}, not {want:?}", look.url) };
    }
    match (look.if_match, etag) {
        (true, None) => unknown(format!("{} gives no ETag, and if_match asks for one", look.url)),
        (true, etag) => Precheck::Ready { detail: format!("{} says {found:?}", look.url), revision: etag },
        (false, _) => Precheck::Ready { detail: format!("{} says {found:?}", look.url), revision: Some(found) },
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};
    use respond::{Call, Executor as _};

    use super::*;
    use crate::tests::{Stub, request};
    use crate::{ActOptions, Actor};

    fn actor(allow: String) -> Actor {
        Actor::new(ActOptions { http_allow: vec![allow], redact: vec!["s3cret".into()], ..ActOptions::default() })
            .expect("actor")
    }

    fn call(url: String) -> HttpCall {
        HttpCall {
            method: "POST".into(),
            url,
            headers: BTreeMap::new(),
            body: Some(serde_json::json!({"version": "1"})),
            expect_status: Vec::new(),
            precheck: None,
        }
    }

    fn post(url: String, allow: String) -> respond::ActionResult {
        actor(allow).execute(&request(Call::Http(call(url)), 5_000))
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
            let stub = Stub::raw(answer);
            let result = post(format!("{}/deploy/checkout", stub.url), format!("{}/deploy/", stub.url));
            assert_eq!((result.state, result.output.as_str()), (state, output), "{answer:?}: {}", result.detail);
            let seen = stub.seen();
            assert!(seen[0].head.contains("idempotency-key: key-1"), "{}", seen[0].head);
            assert!(seen[0].head.contains("x-backstop-fence: 0"), "{}", seen[0].head);
        }
    }

    #[test]
    fn what_is_not_allowed_or_not_there_certainly_did_not_happen() {
        let result = post("http://127.0.0.1:1/x".into(), "http://127.0.0.1:2/".into());
        assert_eq!(result.state, ActionState::Failed);
        assert!(result.detail.contains("not allowed"), "{}", result.detail);
        let result = post("http://127.0.0.1:1/x".into(), "http://127.0.0.1:1/".into());
        assert_eq!(result.state, ActionState::Failed);
        assert!(result.detail.contains("could not be reached"), "{}", result.detail);
    }

    #[test]
    fn templates_can_not_leave_an_allowed_start() {
        let permits = |url: &str, allow: &str| actor(allow.to_owned()).permits(&Call::Http(call(url.to_owned())));
        assert_eq!(permits("https://h/deploy/{{ service }}", "https://h/deploy/"), Ok(()));
        assert!(permits("https://h/{{ service }}", "https://h/deploy/").is_err());
    }

    fn look(answer: &'static str, pointer: &str, if_match: bool, expect: Expect) {
        let stub = Stub::raw(answer);
        let mut call = call(format!("{}/x", stub.url));
        let url = format!("{}/version", stub.url);
        call.precheck = Some(Box::new(HttpPrecheck { url, pointer: pointer.to_owned(), equals: None, if_match }));
        let looked = actor(stub.url.clone()).precheck(&request(Call::Http(call), 5_000));
        expect.assert_eq(&format!("{looked:?}").replace(&stub.url, "URL"));
    }

    #[test]
    fn a_precheck_compares_the_version_that_runs() {
        let ok = "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 15\r\n\r\n{\"version\":\"2\"}";
        look(ok, "/version", false, expect![[r#"Ready { detail: "URL/version says \"2\"", revision: Some("2") }"#]]);
        look(
            ok,
            "/version",
            true,
            expect![[r#"Ready { detail: "URL/version says \"2\"", revision: Some("\"e1\"") }"#]],
        );
        look(
            ok,
            "/gone",
            false,
            expect![[r#"Unknown { detail: "the answer of URL/version has nothing at \"/gone\"" }"#]],
        );
        look(
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"version\":3}",
            "/version",
            false,
            expect![[r#"Refused { detail: "URL/version says \"3\", not \"2\"" }"#]],
        );
        look(
            "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"version\":\"2\"}",
            "/version",
            true,
            expect![[r#"Unknown { detail: "URL/version gives no ETag, and if_match asks for one" }"#]],
        );
        look(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "/version",
            false,
            expect![[r#"Refused { detail: "URL/version is gone: it answered 404 Not Found" }"#]],
        );
        look(
            "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
            "/version",
            false,
            expect![[r#"Unknown { detail: "URL/version answered 503 Service Unavailable" }"#]],
        );
    }

    #[test]
    fn the_etag_goes_along_as_a_condition() {
        let stub = Stub::raw("HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n");
        let mut call = call(format!("{}/x", stub.url));
        let url = format!("{}/version", stub.url);
        call.precheck =
            Some(Box::new(HttpPrecheck { url, pointer: "/version".to_owned(), equals: None, if_match: true }));
        let mut request = request(Call::Http(call), 5_000);
        request.revision = Some("\"e1\"".to_owned());
        let result = actor(stub.url.clone()).execute(&request);
        assert_eq!(result.state, ActionState::Failed, "{}", result.detail);
        assert!(stub.seen()[0].head.contains("if-match: \"e1\""));
    }
}
