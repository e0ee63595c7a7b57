//! Apache Arrow's own Parquet reader: a segment's file opens anywhere, as docs/segments.md says.

use std::process::Command;

use serde_json::Value;

use crate::server::Server;
use crate::shared::{python, run};

const SCRIPT: &str = r#"
import glob, json, re, sys
import pyarrow.parquet as pq

def whole(body):
    shape, variables = body["shape"], body["variables"]
    if shape is None or variables is None:
        return shape.removeprefix("\x10") if shape else shape
    filled = iter(variables.split(" "))
    return re.sub("[\x11-\x13]", lambda _: next(filled), shape)

rows = []
for path in glob.glob(sys.argv[1] + "/**/*.parquet", recursive=True):
    table = pq.read_table(path)
    assert table.schema.field("_time").type.tz == "UTC", table.schema
    rows += [row for row in table.select([c for c in table.column_names if c in ("body", "n", "_stream")]).to_pylist()]
for row in rows:
    row["body"] = whole(row["body"])
print(json.dumps(rows))
"#;

#[test]
fn pyarrow_reads_a_segment() {
    let Some(python) = python() else { return };
    let server = Server::start();
    let lines: String = (0..100).map(|i| format!("{{\"message\":\"line {i}\",\"n\":{i},\"odd\":[{i}]}}\n")).collect();
    let answer = reqwest::blocking::Client::new()
        .post(format!("{}/backstop/api/v1/ingest?format=json&service=pq", server.url))
        .body(lines)
        .send();
    assert_eq!(answer.expect("answer").status(), 200);
    let flushed = server.post("/backstop/api/v1/admin/flush?compact=true", &Value::Null);
    assert!(flushed.status().is_success(), "{}", flushed.text().unwrap_or_default());
    let printed = run(Command::new(python).args(["-c", SCRIPT, &server.data().display().to_string()]));
    let mut rows: Vec<Value> = serde_json::from_str(&printed).expect("JSON");
    rows.sort_by_key(|row| row["n"].as_i64());
    assert_eq!(rows.len(), 100);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row["body"], format!("line {i}"));
        assert_eq!(row["n"], i);
        assert_eq!(row["_stream"], r#"{service.name="pq"}"#);
    }
}
