//! Grafana's Prometheus data source: the requests as it sends them, asked of Prometheus and of Backstop.

use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::compare::{Tally, Texts, Times, queries};
use super::daemon::{Api, Prometheus, debian, newest, seconds};
use super::{assert_written, await_metadata, read, settled};
use crate::server::Server;

/// A line of `grafana.txt`.
struct Request<'a> {
    method: &'a str,
    target: String,
    form: Option<String>,
}

impl<'a> Request<'a> {
    fn parse(line: &'a str, times: Times) -> Self {
        let mut words = line.split(' ');
        let method = words.next().unwrap_or_default();
        let mut next = || words.next().map(|word| filled(word, times));
        let target = next().unwrap_or_else(|| panic!("no target: {line}"));
        let form = next();
        assert!(words.next().is_none() && (form.is_none() || method == "POST"), "{line}");
        Self { method, target, form }
    }

    fn send(&self, api: &Api) -> (u16, Value) {
        // A data source that is set to POST sends its form even where it is empty.
        let form = self.form.as_deref().or((self.method == "POST").then_some(""));
        api.send(self.method, &self.target, form)
    }
}

/// A text with its times put in.
fn filled(text: &str, times: Times) -> String {
    let mut text = text.to_owned();
    for (name, ms) in [("start", times.start_ms), ("end", times.end_ms)] {
        text = text.replace(&format!("{{{name}}}"), &seconds(ms)).replace(&format!("{{{name}_ms}}"), &ms.to_string());
    }
    text
}

/// Sends every request of the file to both.
fn compare_requests(prometheus: &Api, backstop: &Api, times: Times, texts: Texts) -> Tally {
    let text = read("grafana.txt");
    let mut tally = Tally::comparing(texts);
    for line in queries(&text) {
        let request = Request::parse(line, times);
        tally.hold(line, false, request.send(prometheus), request.send(backstop));
    }
    tally
}

/// Everything that Prometheus says of the shop's metrics, Backstop says too.
fn assert_metadata(prometheus: &Api, backstop: &Api) {
    let of = |api: &Api| api.data("/api/v1/metadata", &[("limit", "40000")]);
    let (want, got) = (of(prometheus), of(backstop));
    let shop: Vec<_> = want.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("shop_")).collect();
    assert!(shop.len() > 4, "{want}");
    for (name, entries) in shop {
        assert_eq!(&got[name], entries, "{name}");
    }
}

#[test]
fn the_data_source_has_the_answers_of_debians_prometheus() {
    let Some(program) = debian("prometheus") else { return };
    assert_same(&program, Texts::Ignored, "Grafana, Prometheus of Debian");
}

#[test]
fn the_data_source_has_the_answers_of_the_newest_prometheus() {
    let Some(program) = newest() else { return };
    assert_same(&program, Texts::Same, "Grafana, newest Prometheus");
}

fn assert_same(program: &Path, texts: Texts, what: &str) {
    let write = "  metadata_config: {send_interval: 1s}\n";
    let server = Server::start();
    // Without the flag the question for exemplars is an error.
    let flags = ["--enable-feature=exemplar-storage"];
    let prometheus = Prometheus::start(program, &format!("{}/api/v1/write", server.url), &flags, "", write);
    let (theirs, ours) = (Api::new(&prometheus.url), Api::new(&server.url));
    let times = settled(&theirs, &ours);
    let tally = compare_requests(&theirs, &ours, times, texts);
    tally.assert_same(what);
    assert!(tally.filled > 70, "{what}: only {} answers have something in them", tally.filled);
    await_metadata(&ours);
    assert_metadata(&theirs, &ours);
    assert_written(&prometheus, &server);
}

/// What an empty server says to requests of the data source, a line each.
fn check(server: &Server, requests: &[(&str, &str, Option<&str>)], expected: Expect) {
    let api = Api::new(&server.url);
    let lines = requests.iter().map(|(method, target, form)| {
        let (status, answer) = api.send(method, target, *form);
        format!("{method} {target}\n  {status} {answer}\n")
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn saving_the_data_source_works_on_an_empty_server() {
    let server = Server::start();
    check(
        &server,
        &[
            ("POST", "/api/v1/query", Some("query=1%2B1&time=4")),
            ("GET", "/api/v1/query?query=1%2B1&time=4", None),
            ("POST", "/api/v1/query_exemplars", Some("query=test&start=1795767569093&end=1795769369093")),
            ("GET", "/api/v1/label/__name__/values?limit=40000&start=1795769340&end=1795769400", None),
            ("POST", "/api/v1/labels", Some("limit=40000&start=1795769340&end=1795769400")),
            ("GET", "/api/v1/rules", None),
            ("GET", "/api/v1/alerts", None),
            ("GET", "/api/v1/metadata?limit=40000", None),
        ],
        expect![[r#"
            POST /api/v1/query
              200 {"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}
            GET /api/v1/query?query=1%2B1&time=4
              200 {"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}
            POST /api/v1/query_exemplars
              200 {"status":"success","data":[]}
            GET /api/v1/label/__name__/values?limit=40000&start=1795769340&end=1795769400
              200 {"status":"success","data":[]}
            POST /api/v1/labels
              200 {"status":"success","data":[]}
            GET /api/v1/rules
              200 {"status":"success","data":{"groups":[]}}
            GET /api/v1/alerts
              200 {"status":"success","data":{"alerts":[]}}
            GET /api/v1/metadata?limit=40000
              200 {"status":"success","data":{}}
        "#]],
    );
}

#[test]
fn the_data_source_takes_the_server_for_prometheus() {
    let server = Server::start();
    let (status, answer) = Api::new(&server.url).send("GET", "/api/v1/status/buildinfo", None);
    assert_eq!((status, &answer["status"]), (200, &Value::from("success")), "{answer}");
    // With `features` it would look for the ruler of Mimir.
    assert_eq!(answer["data"].get("features"), None, "{answer}");
    assert!(answer["data"]["version"].as_str().is_some_and(|version| !version.is_empty()), "{answer}");
}
