//! Requests over HTTP, up to what a query of the store gives back.

use model::TenantId;
use prost::Message as _;
use tower::ServiceExt as _;

use super::*;
use crate::testing::Rig;

#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    time_ms: i64,
    #[prost(int64, tag = "3")]
    start_ms: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Pair>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<Series>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SeriesV2 {
    #[prost(uint32, repeated, tag = "1")]
    refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RequestV2 {
    #[prost(string, repeated, tag = "4")]
    symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    timeseries: Vec<SeriesV2>,
}

const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

fn series(labels: &[(&str, &str)]) -> Series {
    let labels = labels.iter().map(|(name, value)| Pair { name: (*name).into(), value: (*value).into() }).collect();
    Series { labels, samples: vec![Sample { value: 1.5, time_ms: 1000, start_ms: 0 }] }
}

fn snappy(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

/// Status, the three headers and the text of the answer.
async fn send(rig: &Rig, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String, String) {
    let mut request = Request::post("/api/v1/write");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).unwrap();
    let response =
        remote_write_router(Arc::clone(&rig.pipeline), RemoteWriteOptions::default()).oneshot(request).await.unwrap();
    let count = |name: HeaderName| response.headers()[name].to_str().unwrap().to_owned();
    let counts = [SAMPLES_WRITTEN, HISTOGRAMS_WRITTEN, EXEMPLARS_WRITTEN].map(count).join(" ");
    let status = response.status().as_u16();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, counts, String::from_utf8(text.to_vec()).unwrap())
}

fn stored(rig: &Rig) -> Vec<String> {
    let found = rig.store().series().select(&TenantId::default(), &[], i64::MIN, i64::MAX).unwrap();
    found.iter().map(|data| format!("{} {:?} {:?} {:?}", data.labels, data.times, data.values, data.starts)).collect()
}

#[tokio::test]
async fn version_1_is_stored_and_what_is_wrong_is_told() {
    let rig = Rig::new();
    let good = WriteRequest { timeseries: vec![series(&[("__name__", "up"), ("job", "a")])] };
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];
    let (status, counts, text) = send(&rig, &headers, snappy(&good.encode_to_vec())).await;
    assert_eq!((status, &*counts, &*text), (204, "1 0 0", ""));
    let mixed = WriteRequest { timeseries: vec![series(&[("job", "b")]), series(&[("__name__", "down")])] };
    let (status, counts, text) = send(&rig, &headers, snappy(&mixed.encode_to_vec())).await;
    assert_eq!((status, &*counts), (400, "1 0 0"));
    assert!(text.starts_with("the series has no name"), "{text}");
    assert_eq!(stored(&rig), ["down [1000] [1.5] []", "up{job=\"a\"} [1000] [1.5] []"]);
    assert_eq!(rig.rows(model::Table::Quarantine).len(), 1);
}

#[tokio::test]
async fn version_2_brings_start_times() {
    let rig = Rig::new();
    let symbols = ["", "__name__", "up"].map(str::to_owned).to_vec();
    let samples = vec![Sample { value: 2.0, time_ms: 5, start_ms: 3 }];
    let request = RequestV2 { symbols, timeseries: vec![SeriesV2 { refs: vec![1, 2], samples }] };
    let (status, counts, _) = send(&rig, &[("content-type", V2)], snappy(&request.encode_to_vec())).await;
    assert_eq!((status, &*counts), (204, "1 0 0"));
    assert_eq!(stored(&rig), ["up [5] [2.0] [3]"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_status() {
    let rig = Rig::new();
    let body = || snappy(&WriteRequest { timeseries: vec![series(&[("__name__", "up")])] }.encode_to_vec());
    for (headers, body, want) in [
        (&[("content-type", "application/json")][..], body(), 415),
        (&[("content-type", "application/x-protobuf;proto=io.prometheus.write.v9.Request")], body(), 415),
        (&[("content-encoding", "gzip")], body(), 415),
        (&[("content-encoding", "snappy")], b"not snappy".to_vec(), 400),
        (&[], snappy(b"not protobuf"), 400),
        // Four gigabytes, says the head.
        (&[], vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0], 413),
        (&[("x-scope-orgid", "a/b")], body(), 400),
    ] {
        let (status, counts, text) = send(&rig, headers, body).await;
        assert_eq!((status, &*counts), (want, "0 0 0"), "{headers:?} {text}");
    }
    assert_eq!(stored(&rig), Vec::<String>::new());
}

#[tokio::test]
async fn a_busy_store_is_503_because_senders_drop_after_429() {
    let rig = Rig::busy().await;
    let request = WriteRequest { timeseries: vec![series(&[("__name__", "up")])] };
    let (status, counts, _) = send(&rig, &[], snappy(&request.encode_to_vec())).await;
    assert_eq!((status, &*counts), (503, "0 0 0"));
}
