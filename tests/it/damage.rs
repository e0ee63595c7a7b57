//! Damaged bytes in the files of one segment: an error that names it, while everything else goes on.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::server::Server;

/// Places of a file that are damaged, one after the other: its head, its tail, and this many between them.
const PLACES: usize = 12;
/// Records of each day.
const RECORDS: usize = 3_000;

/// The day whose segment is damaged, and the one beside it.
const DAYS: [(&str, &str); 2] = [("2026-11-20", "damaged"), ("2026-11-21", "sound")];

fn ingest(server: &Server) {
    for (day, service) in DAYS {
        let lines: String = (0..RECORDS)
            .map(|n| {
                let time = format!("{day}T{:02}:{:02}:{:02}Z", n / 3600, n / 60 % 60, n % 60);
                json!({"time": time, "message": format!("record {n} of request {:08x}", n * 7919), "n": n}).to_string()
                    + "\n"
            })
            .collect();
        let url = format!("{}/backstop/api/v1/ingest?format=json&service={service}", server.url);
        let answer = reqwest::blocking::Client::new().post(url).body(lines).send().expect("answer");
        assert_eq!(answer.status(), 200);
    }
    let flushed = server.post("/backstop/api/v1/admin/flush?compact=true", &Value::Null);
    assert!(flushed.status().is_success(), "{}", flushed.text().unwrap_or_default());
}

/// The file of the damaged day's segment with this ending, and the segment's id.
fn file(server: &Server, ending: &str) -> (PathBuf, String) {
    let listed = server.get_json("/backstop/api/v1/segments");
    let segments = listed["segments"].as_array().expect("segments");
    let segment =
        segments.iter().find(|segment| segment["from"].as_str().is_some_and(|from| from.starts_with(DAYS[0].0)));
    let id = segment.expect("a segment of the damaged day")["id"].as_str().expect("id").to_owned();
    (server.data().join("segments").join(format!("{id}.{ending}")), id)
}

fn ask(server: &Server, query: &str, allow_partial: bool) -> (u16, Value) {
    let body = json!({"query": query, "limit": 10, "allow_partial": allow_partial});
    let answer = reqwest::blocking::Client::new()
        .post(format!("{}/backstop/api/v1/query", server.url))
        .header("accept", "application/json")
        .json(&body)
        .send()
        .expect("answer");
    let status = answer.status().as_u16();
    (status, answer.json().expect("JSON"))
}

/// A question that reads every column of the segment, and how many rows both days have.
const EVERYTHING: &str = "record | stats count() as n, sum(n) as total, count_distinct(body) as bodies";

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("file");
    bytes[at] ^= 0x20;
    std::fs::write(path, bytes).expect("write");
}

fn places(len: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..PLACES).map(|n| 4 + n * (len - 8) / PLACES).collect();
    places.extend([0, len - 1, len - 6]);
    places
}

#[test]
fn damaged_columns_are_named_and_leave_the_rest_working() {
    let mut server = Server::start();
    ingest(&server);
    let (path, id) = file(&server, "parquet");
    let (_, whole) = ask(&server, EVERYTHING, false);
    assert_eq!(whole["rows"][0]["n"], 2 * RECORDS);
    server.stop();
    let (good, catalog) = (std::fs::read(&path).expect("file"), server.path("catalog-copy"));
    copy_catalog(&server.data(), &catalog);
    for at in places(good.len()) {
        flip(&path, at);
        server.restart();
        let (status, answer) = ask(&server, EVERYTHING, false);
        let text = answer.to_string();
        assert!(status >= 500 || answer["complete"] == false, "byte {at}: {status} {text}");
        assert!(text.contains(&id), "byte {at}: the segment is not named: {text}");
        let (status, answer) = ask(&server, &format!("service.name:=sound {EVERYTHING}"), true);
        assert_eq!((status, &answer["rows"][0]["n"]), (200, &json!(RECORDS)), "byte {at}: {answer}");
        assert_eq!(server.get("/ready").status(), 200, "byte {at}");
        server.stop();
        std::fs::write(&path, &good).expect("write");
        copy_catalog(&catalog, &server.data());
    }
    server.restart();
    assert_eq!(ask(&server, EVERYTHING, false).1["rows"], whole["rows"]);
}

#[test]
fn a_damaged_index_is_scanned_around_and_repaired() {
    let mut server = Server::start();
    ingest(&server);
    let (path, id) = file(&server, "idx");
    let good = std::fs::read(&path).expect("file");
    for at in places(good.len()) {
        server.stop();
        flip(&path, at);
        server.restart();
        for (query, n) in [("record | stats count() as n", 2 * RECORDS), ("00001eef | stats count() as n", 2)] {
            let (status, answer) = ask(&server, query, false);
            assert_eq!((status, &answer["rows"][0]["n"]), (200, &json!(n)), "byte {at}: {query}: {answer}");
        }
        std::fs::write(&path, &good).expect("write");
    }
    server.stop();
    flip(&path, good.len() / 2);
    let backstop = || std::process::Command::new(crate::shared::binary());
    let data = server.data().display().to_string();
    let verify = |what: &str| backstop().args(["segments", what, "--data", &data]).output().expect("backstop");
    let found = String::from_utf8(verify("verify").stdout).expect("text");
    assert!(found.contains(&id) && found.contains("1 damaged"), "{found}");
    let repaired = crate::shared::run(backstop().args(["segments", "repair", "--data", &data]));
    assert!(repaired.contains(&id), "{repaired}");
    let after = verify("verify");
    assert!(after.status.success(), "{}", String::from_utf8_lossy(&after.stdout));
}

/// The catalog's files, so that a segment that was taken out of use comes back with its bytes.
fn copy_catalog(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("catalog") {
            std::fs::copy(&path, to.join(name)).expect("copy");
        }
    }
}
