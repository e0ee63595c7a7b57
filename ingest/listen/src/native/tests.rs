use ::http::Request;
use http_body_util::BodyExt as _;
use model::Table;
use tower::ServiceExt as _;

use super::*;
use crate::testing::{Rig, text};

async fn post(rig: &Rig, query: &str, body: &'static str) -> (u16, serde_json::Value) {
    let request = Request::post(format!("/backstop/api/v1/ingest{query}")).body(Body::from(body)).unwrap();
    let response = native_router(Arc::clone(&rig.pipeline)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn lines_are_detected_stored_and_counted() {
    let rig = Rig::new();
    let lines = "{\"msg\":\"a\"}\n{\"msg\":\"b\",\"service\":\"own\"}\n";
    let (status, answer) = post(&rig, "?service=cart&path=/var/log/x", lines).await;
    assert_eq!((status, answer), (200, serde_json::json!({"accepted": 2, "quarantined": 0, "format": "json"})));
    let services: Vec<String> = rig.rows(Table::Logs).iter().map(|row| text(row, "service.name")).collect();
    assert_eq!(services, ["cart", "own"]);
    let (_, answer) = post(&rig, "?format=json", "{\"msg\":\"c\"}\nnot json\n").await;
    assert_eq!(answer, serde_json::json!({"accepted": 1, "quarantined": 1, "format": "json"}));
    assert_eq!(rig.rows(Table::Quarantine)[0].body(), "not json");
    let (_, answer) = post(&rig, "?format=raw", "").await;
    assert_eq!(answer["accepted"], 0);
}

#[tokio::test]
async fn mistakes_are_told_in_the_native_shape() {
    let rig = Rig::new();
    for query in ["?format=xml", "?fromat=json"] {
        let (status, answer) = post(&rig, query, "x").await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("bad_request")), "{query} {answer}");
    }
    let (status, answer) = post(&Rig::busy().await, "", "x").await;
    assert_eq!((status, answer["error"]["code"].as_str()), (429, Some("busy")));
}
