//! Deleting series, and remote read.

use decode::ProtoWriter;

use super::*;

#[test]
fn deleted_series_are_gone() {
    let server = Server::filled();
    let check = |request: &str, want: Expect| server.check(request, want);
    check("POST /api/v1/admin/tsdb/delete_series match[]=up{job=\"gone\"}", expect!["204 "]);
    check("GET /api/v1/label/job/values?match[]=up", expect![[r#"200 {"status":"success","data":["shop"]}"#]]);
    check("PUT /api/v1/admin/tsdb/delete_series?match[]=http_requests_total&start=0&end=285", expect!["204 "]);
    check(
        "GET /api/v1/query?query=count_over_time(http_requests_total[1h])&time=300",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"code":"200","job":"shop"},"value":[300,"1"]},{"metric":{"code":"500","job":"shop"},"value":[300,"1"]}]}}"#
        ]],
    );
    check("GET /api/v1/query_exemplars?query=http_requests_total", expect![[r#"200 {"status":"success","data":[]}"#]]);
    check("POST /api/v1/admin/tsdb/clean_tombstones", expect!["204 "]);
    check(
        "GET /api/v1/query?query=count_over_time(http_requests_total[1h])&time=300",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"code":"200","job":"shop"},"value":[300,"1"]},{"metric":{"code":"500","job":"shop"},"value":[300,"1"]}]}}"#
        ]],
    );
    check(
        "POST /api/v1/admin/tsdb/delete_series",
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}"#]],
    );
    check(
        "POST /api/v1/admin/tsdb/delete_series match[]=up[",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": 1:3: parse error: unexpected \"[\""}"#
        ]],
    );
    check(
        "POST /api/v1/admin/tsdb/delete_series match[]={job=~\".*\"}",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"}"#
        ]],
    );
    check(
        "POST /api/v1/admin/tsdb/delete_series match[]=up&start=x",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp"}"#
        ]],
    );
    check("GET /api/v1/admin/tsdb/delete_series?match[]=up", expect!["405 "]);
    check(
        "POST /api/v1/admin/tsdb/snapshot skip_head=maybe",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"skip_head\": unable to parse boolean: strconv.ParseBool: parsing \"maybe\": invalid syntax"}"#
        ]],
    );
}

#[test]
fn a_snapshot_is_a_store_of_its_own() {
    let server = Server::filled();
    let request = Request::post("/api/v1/admin/tsdb/snapshot").body(Body::empty()).expect("request");
    let (status, _, body) = server.send(request);
    assert_eq!(status, StatusCode::OK);
    let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let dir = server.store.dir().join("snapshots").join(answer["data"]["name"].as_str().expect("name")).join("series");
    let copy = series::SeriesDb::open(&dir, series::SeriesOptions::default()).expect("copy");
    assert_eq!(copy.series(&TenantId::default(), &[], i64::MIN, i64::MAX).len(), 7);
}

fn read_request(matchers: &[(u64, &str, &str)], kinds: &[u64]) -> Vec<u8> {
    let mut query = ProtoWriter::default();
    query.int(1, 0);
    query.int(2, 300_000);
    for (op, name, value) in matchers {
        let mut matcher = ProtoWriter::default();
        matcher.varint(1, *op);
        matcher.bytes(2, name.as_bytes());
        matcher.bytes(3, value.as_bytes());
        query.message(3, &matcher);
    }
    let mut request = ProtoWriter::default();
    request.message(1, &query);
    kinds.iter().for_each(|kind| request.varint(2, *kind));
    snap::raw::Encoder::new().compress_vec(&request.finish()).expect("snappy")
}

fn read(server: &Server, body: Vec<u8>) -> (StatusCode, String, Vec<u8>) {
    let request = Request::post("/api/v1/read").header(header::CONTENT_ENCODING, "snappy").body(Body::from(body));
    let (status, headers, body) = server.send(request.expect("request"));
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
    (status, kind, body)
}

#[test]
fn remote_read_answers_in_both_kinds() {
    let server = Server::filled();
    let (status, kind, body) = read(&server, read_request(&[(0, "__name__", "up"), (3, "job", "go.*")], &[]));
    assert_eq!((status, &*kind), (StatusCode::OK, "application/x-protobuf"));
    let plain = snap::raw::Decoder::new().decompress_vec(&body).expect("snappy");
    expect!["0a470a450a0e0a085f5f6e616d655f5f120275700a0b0a036a6f62120473686f700a0c0a077265706c696361120161120909000000000000f03f120d09000000000000f03f10e0a712"].assert_eq(&hex::encode(plain));
    let (status, kind, body) = read(&server, read_request(&[(2, "__name__", "up|latency")], &[9, 1, 0]));
    let want = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    assert_eq!((status, &*kind), (StatusCode::OK, want));
    assert_eq!(body.windows(6).filter(|bytes| bytes == b"latenc").count(), 2, "one frame a series");
}

#[test]
fn remote_read_refuses_what_it_can_not_answer() {
    let server = Server::filled();
    let text = |body: Vec<u8>| {
        let (status, _, body) = read(&server, body);
        format!("{} {}", status.as_u16(), String::from_utf8_lossy(&body))
    };
    expect![[r#"
        400 invalid matcher type 7
    "#]]
    .assert_eq(&text(read_request(&[(7, "a", "b")], &[])));
    expect![[r#"
        400 error parsing regexp: missing closing ): `(`
    "#]]
    .assert_eq(&text(read_request(&[(2, "a", "(")], &[])));
    expect![[r#"
        400 server does not support any of the requested response types: [5]; supported: [0 (SAMPLES), 1 (STREAMED_XOR_CHUNKS)]
    "#]].assert_eq(&text(read_request(&[], &[5])));
    expect![[r#"
        400 the body is larger than 33554432 bytes when decompressed: send smaller batches
    "#]]
    .assert_eq(&text(b"\xff\xff\xff\xff\x0f\x00a".to_vec()));
    expect![[r#"
        400 the body is not valid Snappy: snappy: corrupt input (expected valid offset but got offset 876; dst position: 0)
    "#]].assert_eq(&text(b"hello".to_vec()));
    let request = Request::post("/api/v1/read").header(header::CONTENT_ENCODING, "gzip").body(Body::empty());
    assert_eq!(server.send(request.expect("request")).0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
