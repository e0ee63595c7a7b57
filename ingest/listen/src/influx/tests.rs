//! Requests as InfluxDB's clients send them, up to what the store gives back.

use model::Table;
use tower::ServiceExt as _;

use super::*;
use crate::testing::{Rig, series};

/// Status, version, body.
async fn send(rig: &Rig, request: ::http::request::Builder, body: impl Into<Body>) -> (u16, String, String) {
    let router = influx_router(Arc::clone(&rig.pipeline), false);
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let version = response.headers()[VERSION_HEADER].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, version, String::from_utf8(text.to_vec()).unwrap())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_path_stores_and_says_204() {
    let rig = Rig::new();
    for (at, path) in ["/write?db=a", "/influx/write", "/api/v2/write?org=o&bucket=b", "/influx/api/v2/write?bucket=b"]
        .iter()
        .enumerate()
    {
        let separator = if path.contains('?') { '&' } else { '?' };
        let request = Request::post(format!("{path}{separator}precision=s"));
        let (status, version, text) = send(&rig, request, format!("m{at},host=h v=1 1700000000")).await;
        assert_eq!((status, &*version, &*text), (204, VERSION, ""), "{path}");
    }
    let request = Request::post("/write").header("content-encoding", "gzip");
    assert_eq!(send(&rig, request, gzip(b"zipped s=\"text\",v=2i 1700000000000000000")).await.0, 204);
    assert_eq!(
        series(&rig),
        [
            "m0_v{db=\"a\", host=\"h\"} [1700000000000] [1.0]",
            "m1_v{host=\"h\"} [1700000000000] [1.0]",
            "m2_v{db=\"b\", host=\"h\"} [1700000000000] [1.0]",
            "m3_v{db=\"b\", host=\"h\"} [1700000000000] [1.0]",
            "zipped_v [1700000000000] [2.0]",
        ]
    );
}

#[tokio::test]
async fn a_bad_line_is_told_and_its_neighbours_are_stored() {
    let rig = Rig::new();
    let lines = "good v=1 1\nbad\ngood v=2 2000000";
    let (status, _, text) = send(&rig, Request::post("/write"), lines).await;
    assert_eq!(status, 400);
    assert!(text.starts_with(r#"{"error":"partial write: unable to parse 'bad': missing fields dropped=1"#), "{text}");
    let (status, _, text) = send(&rig, Request::post("/api/v2/write"), "bad").await;
    assert_eq!(status, 400);
    assert!(text.starts_with(r#"{"code":"invalid","message":"partial write: unable to parse 'bad'"#), "{text}");
    assert_eq!(series(&rig), ["good_v [0, 2] [1.0, 2.0]"]);
    assert_eq!(rig.rows(Table::Quarantine).len(), 2);
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_its_status() {
    let rig = Rig::new();
    let bomb = gzip(&vec![b'a'; 80 << 20]);
    for (request, body, want) in [
        (Request::post("/write?precision=weeks"), b"m v=1".to_vec(), 400),
        (Request::post("/write").header("content-encoding", "br"), b"m v=1".to_vec(), 415),
        (Request::post("/write").header("content-encoding", "gzip"), b"m v=1".to_vec(), 400),
        (Request::post("/write").header("content-encoding", "gzip"), bomb, 413),
        (Request::post("/write").header("x-scope-orgid", "a/b"), b"m v=1".to_vec(), 400),
    ] {
        let (status, _, text) = send(&rig, request, body).await;
        assert_eq!(status, want, "{text}");
        assert!(text.starts_with(r#"{"error":""#), "{text}");
    }
    assert!(series(&rig).is_empty());
    let busy = Rig::busy().await;
    assert_eq!(send(&busy, Request::post("/write"), "m v=1").await.0, 503);
    let (status, _, text) = send(&busy, Request::post("/api/v2/write"), "m v=1").await;
    assert_eq!(status, 429);
    assert!(text.contains(r#""code":"too many requests""#), "{text}");
}

#[tokio::test]
async fn clients_may_ask_before_they_write() {
    let rig = Rig::new();
    for request in [Request::get("/ping"), Request::head("/influx/ping")] {
        assert_eq!(send(&rig, request, "").await, (204, VERSION.to_owned(), String::new()));
    }
    let form = "q=CREATE+DATABASE+%22telegraf%22";
    let (status, _, text) = send(&rig, Request::post("/query"), form).await;
    assert_eq!((status, &*text), (200, r#"{"results":[{"statement_id":0}]}"#));
    let (_, _, text) = send(&rig, Request::get("/influx/query?q=SHOW%20DATABASES;SELECT%20*%20FROM%20m"), "").await;
    assert!(text.contains(r#""columns":["name"]"#) && text.contains("PromQL"), "{text}");
    assert_eq!(send(&rig, Request::get("/query"), "").await.0, 400);
    let (status, _, text) = send(&rig, Request::get("/influx/health"), "").await;
    assert!(status == 200 && text.contains(r#""status":"pass""#), "{text}");
}
