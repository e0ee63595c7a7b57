//! SQL as people ask it, on the real binary: rows in every format, joins with changes and with metrics, plans, mistakes.

use std::process::Command;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::server::Server;
use crate::shared::binary;

const API: &str = "/backstop/api/v1";

fn shop() -> Server {
    let server = Server::start();
    let lines: String = (0..50)
        .map(|n| {
            let severity = if n % 10 == 0 { "ERROR" } else { "INFO" };
            format!("{}\n", json!({"message": format!("=request {n}"), "severity": severity, "http.status": 200 + n, "path": format!("/p{}", n % 3)}))
        })
        .collect();
    let url = format!("{}{API}/ingest?format=json&service=checkout", server.url);
    assert!(Client::new().post(url).body(lines).send().expect("answer").status().is_success());
    server.await_rows("*", 50);
    server
}

fn ask(server: &Server, sql: &str) -> Value {
    let body = json!({"query": sql, "language": "sql", "start": "-1h", "end": "now"});
    let url = format!("{}{API}/query", server.url);
    let answer = Client::new().post(url).header("accept", "application/json").json(&body).send().expect("answer");
    answer.json().expect("JSON")
}

#[test]
fn rows_groups_and_mistakes() {
    let server = shop();
    let groups =
        ask(&server, "select path, count(*) as n, max(http.status) as worst from logs group by path order by path");
    let want = json!([
        {"path": "/p0", "n": 17, "worst": 248}, {"path": "/p1", "n": 17, "worst": 249}, {"path": "/p2", "n": 16, "worst": 247},
    ]);
    assert_eq!(groups["rows"], want);
    let names: Vec<&Value> =
        groups["columns"].as_array().expect("columns").iter().map(|column| &column["name"]).collect();
    assert_eq!(names, ["path", "n", "worst"]);
    let newest = ask(&server, "select body from logs where search('severity:ERROR') order by _time desc limit 2");
    assert_eq!(newest["rows"].as_array().map(Vec::len), Some(2), "{newest}");
    let unknown = ask(&server, "select count(htp.status) as n from logs");
    assert_eq!(unknown["rows"], json!([{"n": 0}]));
    assert!(
        unknown["warnings"][0].as_str().is_some_and(|line| line.contains("did you mean http.status?")),
        "{unknown}"
    );
    let wrong = ask(&server, "select * from logz");
    assert_eq!(wrong["error"]["code"], "bad_query");
    assert_eq!(wrong["error"]["diagnostics"][0]["span"], json!([14, 18]));
    let refused = ask(&server, "drop table logs");
    assert_eq!(refused["error"]["code"], "bad_query");
    assert_eq!(server.count("*"), 50, "nothing was dropped");
    let marked = server.post(&format!("{API}/diagnose"), &json!({"query": "select 1 from", "language": "sql"}));
    assert_eq!(marked.json::<Value>().expect("JSON")["diagnostics"].as_array().map(Vec::len), Some(1));
    let plan = server.post(&format!("{API}/explain"), &json!({"query": "select body from logs", "language": "sql"}));
    let plan: Value = plan.json().expect("JSON");
    assert!(plan["plan"].as_str().is_some_and(|plan| plan.contains("SnapshotScan")), "{plan}");
    let histogram = server.post(&format!("{API}/histogram"), &json!({"query": "select 1", "language": "sql"}));
    assert_eq!(histogram.status(), 400, "a histogram is not asked in SQL");
}

#[test]
fn errors_beside_the_deploys_that_preceded_them() {
    let server = shop();
    let now = telemetry::clock::now();
    let started = model::Timestamp(now.0 - 60_000_000_000).to_string();
    let change = json!({"id": "d1", "source": "test", "kind": "deploy", "target": {"service": "checkout"}, "to_version": "2.0", "started_at": started});
    let sent = server.post(&format!("{API}/changes"), &change);
    assert!(sent.status().is_success(), "{}", sent.text().unwrap_or_default());
    let joined = ask(
        &server,
        "select c.to_version as version, count(*) as errors from logs l join changes c on l.service.name = c.target.service \
         where search(l, 'severity:ERROR') and l._time > c._time group by 1",
    );
    assert_eq!(joined["rows"], json!([{"version": "2.0", "errors": 5}]), "{joined}");
    let samples = ask(&server, "select count(*) > 0 as any, max(value) as most from promql('vector(7)', '1m')");
    assert_eq!(samples["rows"], json!([{"any": true, "most": 7}]), "{samples}");
}

#[test]
fn every_format_with_and_without_a_server() {
    let mut server = shop();
    let sql = "select path, body from logs where http.status < 203 order by http.status";
    let data = server.data().display().to_string();
    let run = |sql: &str, format: &str| {
        let args = ["query", sql, "--language", "sql", "--output", format, "--data", &data];
        Command::new(binary()).args(args).output().expect("the binary runs")
    };
    let check = || {
        let text = |format: &str| String::from_utf8_lossy(&run(sql, format).stdout).into_owned();
        assert_eq!(text("csv"), "path,body\r\n/p0,'=request 0\r\n/p1,'=request 1\r\n/p2,'=request 2\r\n");
        assert!(text("ndjson").starts_with("{\"path\":\"/p0\",\"body\":\"=request 0\"}\n"), "{}", text("ndjson"));
        let file = SerializedFileReader::new(bytes::Bytes::from(run(sql, "parquet").stdout)).expect("a Parquet file");
        assert_eq!(file.metadata().file_metadata().num_rows(), 3);
        let arrow = run(sql, "arrow").stdout;
        let batches = arrow_ipc::reader::StreamReader::try_new(&arrow[..], None).expect("a stream of Arrow");
        assert_eq!(batches.map(|batch| batch.expect("a batch").num_rows()).sum::<usize>(), 3);
        let bad = run("select nope(1)", "table");
        assert_eq!(bad.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&bad.stderr).contains("Invalid function 'nope'"));
    };
    check();
    let export = server
        .get(&format!("{API}/export?language=sql&format=csv&query=select+path+from+logs+where+http.status+=+200"));
    assert_eq!(export.text().expect("text"), "path\r\n/p0\r\n");
    assert!(server.stop().success());
    check();
}

#[test]
fn completions_come_with_names_and_values_of_the_data() {
    let server = shop();
    let complete = |query: &str| {
        let body = json!({"query": query, "cursor": query.len(), "start": "-1h", "end": "now"});
        let answer: Value = server.post(&format!("{API}/diagnose"), &body).json().expect("JSON");
        answer["completions"].as_array().expect("completions").clone()
    };
    let named = |items: &[Value], label: &str| items.iter().find(|item| item["label"] == label).cloned();
    let fields = complete("pa");
    let field = named(&fields, "path").expect("the field");
    assert_eq!((&field["insert"], &field["rows"], &field["replace"]), (&json!("path:"), &json!(50), &json!([0, 2])));
    let values = complete("path:");
    assert_eq!(named(&values, "/p0").map(|value| value["rows"].clone()), Some(json!(17)), "{values:?}");
    let in_pipe = complete("* | stats by (pa");
    assert_eq!(named(&in_pipe, "path").map(|field| field["insert"].clone()), Some(json!("path")), "{in_pipe:?}");
}
