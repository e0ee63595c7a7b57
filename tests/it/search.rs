//! Search as operators use it, on the real binary: rows as they come, saved views, patterns, facets, surroundings, exports, parse
//! rules, Lucene, and tables of names.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::server::Server;
use crate::shared::{binary, run};

const API: &str = "/backstop/api/v1";

/// Stores JSON lines, and waits until they are found.
fn store(server: &Server, service: &str, rows: &[Value]) {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let before = server.count("*");
    let url = format!("{}{API}/ingest?format=json&service={service}", server.url);
    let sent = Client::new().post(url).body(lines).send().expect("answer");
    assert!(sent.status().is_success(), "{}", sent.text().unwrap_or_default());
    server.await_rows("* | limit 100000", usize::try_from(before).expect("count") + rows.len());
}

fn logins(n: usize) -> Vec<Value> {
    (0..n).map(|n| json!({"message": format!("user {n} logged in from 10.0.0.{}", n % 250), "n": n})).collect()
}

#[test]
fn rows_are_followed_as_they_come_by_events_and_by_the_command() {
    let server = Server::start();
    store(&server, "old", &[json!({"message": "declined long ago"})]);
    let url = format!("{}{API}/tail?query=declined+%7C+fields+body%2C+n", server.url);
    let events = Client::builder().timeout(None).build().expect("client").get(url).send().expect("answer");
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let shown = server.path("shown");
    let mut command = Command::new(binary())
        .args(["tail", "declined", "--url", &server.url])
        .stdout(std::fs::File::create(&shown).expect("file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("tail");
    // The command says nothing until a row comes, so rows are sent until it has shown one.
    let deadline = Instant::now() + Duration::from_secs(60);
    let first = loop {
        assert!(Instant::now() < deadline, "no row is shown");
        store(&server, "tailed", &[json!({"message": "card declined", "n": 7}), json!({"message": "card accepted"})]);
        std::thread::sleep(Duration::from_millis(100));
        assert!(command.try_wait().expect("tail").is_none(), "the tail ended");
        let text = std::fs::read_to_string(&shown).expect("text");
        if let Some(first) = text.split_inclusive('\n').find(|line| line.ends_with('\n')) {
            break first.to_owned();
        }
    };
    assert!(first.contains("card declined"), "{first}");
    command.kill().expect("kill");
    command.wait().expect("wait");
    let mut lines = BufReader::new(events).lines().map(|line| line.expect("line"));
    assert!(lines.any(|line| line == "event: rows"), "an event of rows");
    let data = lines.next().expect("data");
    let data: Value = serde_json::from_str(data.trim_start_matches("data: ")).expect("JSON");
    assert_eq!(data["rows"][0], json!({"body": "card declined", "n": 7}), "only new rows, and only what was asked");
    let refused = server.get(&format!("{API}/tail?query=*+%7C+stats+count()+as+n"));
    assert_eq!(refused.status(), 400, "what needs all rows can not be followed");
    let refused: Value = refused.json().expect("JSON");
    assert_eq!(refused["error"]["code"], "unsupported");
    assert!(refused["error"]["hint"].as_str().is_some_and(|text| text.contains("stats")), "{refused}");
}

#[test]
fn views_are_saved_changed_and_kept_over_a_restart() {
    let mut server = Server::start();
    let views = format!("{API}/views");
    let body = json!({"name": "Declined cards", "query": "declined & co", "range": {"from": "-1h", "to": "now"}, "columns": ["body", "a b"]});
    let made = server.post(&views, &body);
    assert_eq!(made.status(), 201);
    let made: Value = made.json().expect("JSON");
    assert_eq!(made["url"], "/search?q=declined+%26+co&from=-1h&to=now&col=body&col=a+b");
    let taken = server.post(&views, &body);
    assert_eq!(taken.status(), 409);
    for (bad, why) in [
        (json!({"name": " "}), "name"),
        (json!({"name": "x", "colums": []}), "colums"),
        (json!({"name": "x", "language": "latin"}), "latin"),
    ] {
        let refused = server.post(&views, &bad);
        assert_eq!(refused.status(), 400, "{bad}");
        assert!(refused.text().expect("text").contains(why), "{bad}");
    }
    server.kill();
    server.restart();
    let listed = server.get_json(&views);
    assert_eq!(listed["views"], json!([made]));
    let path = format!("{}{views}/{}", server.url, made["id"].as_str().expect("id"));
    let renamed = json!({"name": "Refused cards", "query": "refused", "language": "lucene"});
    let renamed: Value = Client::new().put(&path).json(&renamed).send().expect("answer").json().expect("JSON");
    assert_eq!((&renamed["name"], &renamed["url"]), (&json!("Refused cards"), &json!("/search?q=refused&lang=lucene")));
    assert_eq!(renamed["created_at"], made["created_at"]);
    assert_eq!(Client::new().get(&path).send().expect("answer").status(), 404, "another name is another id");
    let path = format!("{}{views}/{}", server.url, renamed["id"].as_str().expect("id"));
    assert!(Client::new().delete(&path).send().expect("answer").status().is_success());
    assert_eq!(server.get_json(&views)["views"], json!([]));
}

#[test]
fn patterns_have_ids_that_stay_and_filter() {
    let mut server = Server::start();
    store(&server, "shop", &logins(40));
    store(&server, "shop", &[json!({"message": "payment service is unreachable"})]);
    let ask = |server: &Server| server.get_json(&format!("{API}/patterns?query=*&start=-1h&end=now"));
    let first = ask(&server);
    let patterns = first["patterns"].as_array().expect("patterns");
    assert_eq!((patterns.len(), &first["total"]), (2, &json!(41)), "{first}");
    let login = &patterns[0];
    assert_eq!((&login["count"], &login["new"]), (&json!(40), &json!(true)));
    let template = login["template"].as_str().expect("template");
    assert!(template.contains("logged in from") && template.starts_with("user <"), "{template}");
    assert_eq!(login["trend"].as_array().expect("trend").iter().filter_map(Value::as_u64).sum::<u64>(), 40);
    let id = login["id"].as_str().expect("id").to_owned();
    assert_eq!(server.count(&format!("_pattern:=\"{id}\"")), 40);
    server.stop();
    server.restart();
    store(&server, "shop", &[json!({"message": "user 9999 logged in from 192.168.7.7"})]);
    let again = ask(&server);
    assert_eq!((&again["patterns"][0]["id"], &again["patterns"][0]["count"]), (&json!(id), &json!(41)), "{again}");
    let unknown = server.get(&format!("{API}/patterns?query=*&limit=0"));
    assert_eq!(unknown.status(), 400);
}

#[test]
fn facets_and_what_was_around_a_row() {
    let server = Server::start();
    store(&server, "shop", &logins(30));
    store(&server, "other", &[json!({"message": "not of this stream"})]);
    let facets = server.get_json(&format!("{API}/facets?query=*&start=-1h&end=now"));
    let services = facets["facets"].as_array().expect("facets").iter().find(|facet| facet["field"] == "service.name");
    let values = &services.expect("service.name")["values"];
    assert_eq!(values[0], json!({"value": "shop", "hits": 30}), "{facets}");
    let row = server.query("n:=15").remove(0);
    let text = |name: &str| row[name].as_str().expect("text").to_owned();
    let mut path = form(&[("id", &text("_id")), ("time", &text("_time")), ("before", "2"), ("after", "3")]);
    let around = server.get_json(&format!("{API}/context?{path}"));
    let seen: Vec<(&Value, &Value)> =
        around["rows"].as_array().expect("rows").iter().map(|row| (&row["n"], &row["_context"])).collect();
    let expected = json!([[13, "before"], [14, "before"], [15, "match"], [16, "after"], [17, "after"], [18, "after"]]);
    assert_eq!(json!(seen), expected);
    path = form(&[("id", "nobody"), ("time", &text("_time"))]);
    assert_eq!(server.get(&format!("{API}/context?{path}")).status(), 404);
}

/// Parameters of a URL.
fn form(parameters: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://x", parameters).expect("url");
    url.query().unwrap_or_default().to_owned()
}

#[test]
fn exports_have_every_row_in_each_format_and_go_on_after_a_row() {
    let server = Server::start();
    let rows = 1500;
    store(&server, "shop", &logins(rows));
    let export = |parameters: &[(&str, &str)]| {
        let mut all = vec![("start", "-1h"), ("end", "now")];
        all.extend(parameters);
        let answer = server.get(&format!("{API}/export?{}", form(&all)));
        assert_eq!(answer.status(), 200, "{parameters:?}");
        assert!(answer.headers()["content-disposition"].to_str().expect("text").starts_with("attachment; filename="));
        answer.bytes().expect("bytes")
    };
    let whole = export(&[("query", "*")]);
    let lines: Vec<Value> = whole
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), rows, "no limit of rows");
    let last = &lines[999];
    let (time, id) = (last["_time"].as_str().expect("time"), last["_id"].as_str().expect("id"));
    let rest = export(&[("query", "*"), ("after_time", time), ("after_id", id)]);
    let rest = String::from_utf8(rest.to_vec()).expect("text");
    let expected: Vec<String> = lines[1000..].iter().map(Value::to_string).collect();
    let rest: Vec<String> =
        rest.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON").to_string()).collect();
    assert_eq!(rest, expected, "an export goes on where it stopped");
    let csv = String::from_utf8(export(&[("query", "* | fields n, body"), ("format", "csv")]).to_vec()).expect("text");
    assert_eq!((csv.lines().next(), csv.lines().count()), (Some("n,body"), rows + 1));
    let parquet = export(&[("query", "*"), ("format", "parquet")]);
    let reader = SerializedFileReader::new(parquet).expect("a Parquet file");
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.num_rows(), i64::try_from(rows).expect("rows"));
    assert!(metadata.schema_descr().columns().iter().any(|column| column.name() == "body"));
    let arrow = export(&[("query", "* | stats count() as n"), ("format", "arrow")]);
    assert_eq!(arrow[..4], [0xff; 4], "a stream of Arrow");
    let refused = server.get(&format!("{API}/export?query=body%3A%3D"));
    assert_eq!(refused.status(), 400, "a mistake has its status before the file begins");
}

#[test]
fn lucene_and_promql_are_asked_by_name() {
    let server = Server::start();
    store(
        &server,
        "shop",
        &[json!({"message": "card declined", "n": 5}), json!({"message": "card accepted", "n": 50})],
    );
    let ask = |language: &str, query: &str| {
        let body = json!({"query": query, "language": language});
        let answer = Client::new()
            .post(format!("{}{API}/query", server.url))
            .header("accept", "application/json")
            .json(&body)
            .send();
        answer.expect("answer").json::<Value>().expect("JSON")
    };
    let found = |language: &str, query: &str| ask(language, query)["rows"].as_array().map_or(0, Vec::len);
    assert_eq!(found("lucene", "body:declined OR n:[20 TO 60]"), 2);
    assert_eq!(found("lucene", "card AND NOT declined"), 1);
    assert_eq!(found("native", "card -declined"), 1);
    let mistake = ask("lucene", "body:(a OR");
    assert_eq!(mistake["error"]["code"], "bad_query", "{mistake}");
    let samples = ask("promql", "vector(7)");
    assert_eq!(samples["rows"][0]["value"], 7.0, "{samples}");
    let lucene = ["query", "body:declined OR n:[20 TO 60]", "--language", "lucene", "--output", "ndjson"];
    let printed = server.cli(&[&lucene[..], &["--url", &server.url]].concat());
    assert_eq!(printed.lines().count(), 2, "{printed}");
    let unknown = ask("sequel", "x");
    assert!(unknown["error"]["message"].as_str().is_some_and(|text| text.contains("sequel")), "{unknown}");
}

const RULES: &str = "join:
- name: shop-traces
  match: {service.name: shop}
  kind: java
parse:
- name: shop
  match: {service.name: shop}
  format: logfmt
  set:
    severity: {from: level}
redact:
- name: secrets
  match: {service.name: shop}
  detect: [email]
";

#[test]
fn parse_rules_join_read_and_redact_before_anything_is_stored() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let rules = dir.path().join("shop.yaml");
    std::fs::write(&rules, RULES).expect("rules");
    let rules = rules.display().to_string();
    let checked = run(Command::new(binary()).args(["parse", "check", &rules]));
    assert!(checked.starts_with("1 files: 1 rules join, 1 parse, 1 redact"), "{checked}");
    let sample = dir.path().join("lines");
    std::fs::write(&sample, "level=warn user=ann@example.com\n").expect("lines");
    let sample = sample.display().to_string();
    let tried = run(Command::new(binary()).args([
        "parse",
        "test",
        &rules,
        "--sample",
        &sample,
        "--field",
        "service.name=shop",
        "--json",
    ]));
    let tried: Value = serde_json::from_str(&tried).expect("JSON");
    let after = tried["records"][0]["after"].to_string();
    assert!(after.contains("\"WARN\"") && after.contains("redacted:email") && !after.contains("ann@"), "{tried}");
    let bad = dir.path().join("bad.yaml");
    std::fs::write(&bad, "parse:\n- name: x\n  formt: json\n").expect("rules");
    let refused = Command::new(binary()).args(["parse", "check"]).arg(&bad).output().expect("output");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && said.contains("formt") && said.contains("bad.yaml:"), "{said}");

    let server = Server::start_with(&format!("parse_rules: ['{rules}']"));
    let lines = "level=error user=ann@example.com took=12ms\njava.lang.IllegalStateException: closed\n\tat a.b.C.run(C.java:7)\n";
    let url = format!("{}{API}/ingest?format=raw&service=shop", server.url);
    assert!(Client::new().post(&url).body(lines).send().expect("answer").status().is_success());
    let rows = server.await_rows("service.name:=shop | sort by (_time, _id)", 1);
    let all = json!(rows).to_string();
    assert!(!all.contains("ann@example.com"), "{all}");
    assert_eq!(server.count("severity:=ERROR took:=12ms"), 1, "{all}");
    let counters = server.get_json(&format!("{API}/parse-rules"))["counters"].to_string();
    assert!(counters.contains("secrets") && counters.contains("shop"), "{counters}");
    server.stop_and_search_files_for("ann@example.com");
}

#[test]
fn tables_of_names_are_looked_into() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let table = dir.path().join("codes.csv");
    std::fs::write(&table, "code,meaning\n5,declined\n50,accepted\n").expect("table");
    let server = Server::start_with(&format!("lookups: ['{}']", table.display()));
    store(&server, "shop", &[json!({"message": "a", "code": "5"}), json!({"message": "b", "code": "6"})]);
    let rows = server.query("* | lookup codes on code | filter meaning:* | fields body, meaning");
    assert_eq!(json!(rows), json!([{"body": "a", "meaning": "declined"}]));
}
