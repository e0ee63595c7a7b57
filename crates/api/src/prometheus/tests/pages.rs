//! What the server says of itself, and pages for other Prometheus servers.

use super::*;
use crate::prometheus::exposition::{Format, encode};
use crate::prometheus::federate::families;

#[test]
fn the_server_says_what_it_is() {
    let server = Server::filled();
    let check = |request: &str, want: Expect| server.check(request, want);
    check(
        "GET /api/v1/status/config",
        expect![[r#"200 {"status":"success","data":{"yaml":"query:\n  timeout: 60s\n"}}"#]],
    );
    check("GET /api/v1/status/flags", expect![[r#"200 {"status":"success","data":{"listen":"127.0.0.1:7070"}}"#]]);
    check(
        "GET /api/v1/status/tsdb?limit=2",
        expect![[
            r#"200 {"status":"success","data":{"headStats":{"numSeries":7,"numLabelPairs":11,"chunkCount":7,"minTime":0,"maxTime":300000},"seriesCountByMetricName":[{"name":"http_requests_total","value":2},{"name":"latency","value":2}],"labelValueCountByLabelName":[{"name":"__name__","value":4},{"name":"code","value":2}],"memoryInBytesByLabelName":[{"name":"__name__","value":69},{"name":"job","value":16}],"seriesCountByLabelValuePair":[{"name":"job=shop","value":3},{"name":"__name__=http_requests_total","value":2}]}}"#
        ]],
    );
    check(
        "GET /api/v1/status/tsdb?limit=0",
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"limit must be a positive number"}"#]],
    );
    check(
        "GET /api/v1/status/tsdb?limit=10001",
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"limit must not exceed 10000"}"#]],
    );
    check(
        "GET /api/v1/status/walreplay",
        expect![[r#"200 {"status":"success","data":{"min":0,"max":0,"current":0}}"#]],
    );
    check("GET /api/v1/notifications", expect![[r#"200 {"status":"success","data":[]}"#]]);
    Server::new().check("GET /api/v1/status/tsdb", expect![[r#"200 {"status":"success","data":{"headStats":{"numSeries":0,"numLabelPairs":0,"chunkCount":0,"minTime":9223372036854775807,"maxTime":-9223372036854775808},"seriesCountByMetricName":[],"labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[]}}"#]]);
    let (status, _, body) =
        server.send(Request::get("/api/v1/status/runtimeinfo").body(Body::empty()).expect("request"));
    let info: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(status, StatusCode::OK);
    assert_eq!(info["data"]["startTime"], "1970-01-01T00:16:40Z");
    assert_eq!(info["data"]["storageRetention"], "90d");
    assert!(info["data"]["goroutineCount"].as_u64().is_some_and(|threads| threads > 1));
    let (_, _, body) = server.send(Request::get("/api/v1/features").body(Body::empty()).expect("request"));
    let features: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(features["data"]["promql_functions"]["histogram_quantile"], true);
    assert_eq!(features["data"]["promql_operators"]["topk"], true);
    assert_eq!(features["data"]["api"]["search"], false);
}

#[test]
fn features_are_off_as_in_prometheus_until_they_are_switched_on() {
    let shown = |server: &Server| {
        let (_, _, body) = server.send(Request::get("/api/v1/features").body(Body::empty()).expect("request"));
        let features: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let pointers = [
            "/promql/fill",
            "/promql/anchored",
            "/promql/duration_expr",
            "/promql/delayed_name_removal",
            "/promql/type_and_unit_labels",
            "/promql_functions/mad_over_time",
            "/promql_functions/rate",
            "/promql_operators/limitk",
        ];
        let flag = |pointer: &str| features["data"].pointer(pointer).and_then(serde_json::Value::as_bool);
        pointers.map(|pointer| flag(pointer).unwrap_or_else(|| panic!("{pointer}: {features}")))
    };
    let server = Server::new();
    assert_eq!(shown(&server), [false, true, true, false, false, false, true, false]);
    for (request, want) in [
        (
            "GET /api/v1/query?query=mad_over_time(up[5m])",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: function \"mad_over_time\" is not enabled"}"#
            ]],
        ),
        (
            "GET /api/v1/query?query=limitk(1,up)",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"}"#
            ]],
        ),
        (
            "GET /api/v1/query_range?query=up+%2B+fill(0)+up&start=0&end=1&step=1",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: binop fill modifiers are experimental and not enabled"}"#
            ]],
        ),
        (
            "GET /api/v1/format_query?query=limitk(1,up)",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"}"#
            ]],
        ),
        (
            "GET /api/v1/parse_query?query=limitk(1,up)",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"}"#
            ]],
        ),
        (
            "GET /api/v1/query_exemplars?query=limitk(1,up)",
            expect![[
                r#"400 {"status":"error","errorType":"bad_data","error":"1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"}"#
            ]],
        ),
        (
            "GET /api/v1/format_query?query=rate(up[5m*2]+anchored)",
            expect![[r#"200 {"status":"success","data":"rate(up[5m * 2] anchored)"}"#]],
        ),
    ] {
        server.check(request, want);
    }
    let promql_features = promql::Features::of_names(promql::Features::NAMES).expect("known names");
    let server = Server::with_limits(QueryLimits { promql_features, ..QueryLimits::default() });
    assert_eq!(shown(&server), [true; 8]);
    server.check(
        "GET /api/v1/query?query=limitk(1,up)&time=1",
        expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[]}}"#]],
    );
}

#[test]
fn nothing_is_scraped() {
    let server = Server::new();
    let check = |request: &str, want: Expect| server.check(request, want);
    check(
        "GET /api/v1/targets",
        expect![[
            r#"200 {"status":"success","data":{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}}"#
        ]],
    );
    check(
        "GET /api/v1/targets?state=active",
        expect![[
            r#"200 {"status":"success","data":{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":null}}"#
        ]],
    );
    check("GET /api/v1/targets/metadata?metric=up", expect![[r#"200 {"status":"success","data":[]}"#]]);
    check(
        "GET /api/v1/targets/metadata?match_target={",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match_target\": 1:2: parse error: unexpected end of input inside braces"}"#
        ]],
    );
    check(
        "GET /api/v1/targets/metadata?limit=x",
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"limit must be a number"}"#]],
    );
    check("GET /api/v1/scrape_pools", expect![[r#"200 {"status":"success","data":{"scrapePools":[]}}"#]]);
    check(
        "GET /api/v1/scrape_pools/config",
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"no scrapePool parameter provided"}"#]],
    );
    check(
        "GET /api/v1/scrape_pools/config?scrapePool=a",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"error retrieving scrape config: unknown scrape pool \"a\": nothing is scraped"}"#
        ]],
    );
    check(
        "GET /api/v1/alertmanagers",
        expect![[r#"200 {"status":"success","data":{"activeAlertmanagers":[],"droppedAlertmanagers":[]}}"#]],
    );
}

fn federation() -> Server {
    let server = Server::new();
    let now_ms = telemetry::clock::now().millis();
    server.insert(SeriesBatch {
        series: vec![
            numbers(labels("up", &[("job", "b\"\n")]), &[(now_ms - 10_000, 1.0), (now_ms - 5_000, 1_234_567.0)]),
            numbers(labels("up", &[("instance", "i:1"), ("job", "a")]), &[(now_ms - 5_000, f64::NEG_INFINITY)]),
            numbers(labels("up", &[("job", "stale")]), &[(now_ms - 9_000, 1.0), (now_ms - 5_000, stale_nan())]),
            numbers(labels("up", &[("job", "old")]), &[(now_ms - 400_000, 1.0)]),
            numbers(labels("größe.bytes", &[("http.status", "200")]), &[(now_ms - 5_000, 0.00001)]),
            histograms(labels("latency", &[("kind", "native")]), now_ms - 5_000, &[exponential()]),
            histograms(labels("latency", &[("kind", "custom")]), now_ms - 5_000, &[custom()]),
            histograms(labels("size", &[]), now_ms - 5_000, &[gauge(exponential())]),
        ],
        metadata: Vec::new(),
    });
    server
}

#[test]
fn federation_shows_the_newest_samples() {
    let server = federation();
    let page = |query: &str, accept: &str| {
        let request = Request::get(address(&format!("/federate?{query}"))).header(header::ACCEPT, accept);
        let (status, headers, body) = server.send(request.body(Body::empty()).expect("request"));
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
        let text = String::from_utf8_lossy(&body).into_owned();
        // Times are of now; that they are there is what matters.
        let shown = text.lines().map(|line| match line.rsplit_once(' ') {
            Some((rest, time)) if time.parse::<i64>().is_ok() && !line.starts_with('#') => rest,
            _ => line,
        });
        format!("{status} {kind}\n{}", shown.collect::<Vec<_>>().join("\n"))
    };
    expect![[r#"
        200 OK text/plain; version=0.0.4; charset=utf-8; escaping=underscores
        # TYPE gr__e_bytes untyped
        gr__e_bytes{http_status="200",instance="",replica="a"} 1e-05
        # TYPE latency histogram
        latency_bucket{kind="custom",instance="",replica="a",le="0.5"} 1
        latency_bucket{kind="custom",instance="",replica="a",le="1"} 3
        latency_bucket{kind="custom",instance="",replica="a",le="+Inf"} 6
        latency_sum{kind="custom",instance="",replica="a"} 7.5
        latency_count{kind="custom",instance="",replica="a"} 6
        # TYPE up untyped
        up{instance="i:1",job="a",replica="a"} -Inf
        up{job="b\"\n",instance="",replica="a"} 1.234567e+06"#]]
    .assert_eq(&page("match[]={__name__=~\".%2B\"}&match[]=up", ""));
    expect![[r#"
        200 OK text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8
        # TYPE "größe.bytes" untyped
        {"größe.bytes","http.status"="200",instance="",replica="a"} 1e-05"#]]
    .assert_eq(&page("match[]={__name__=~\"gr.*\"}", "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.9,*/*;q=0.1"));
    expect![[r#"
        200 OK text/plain; version=0.0.4; charset=utf-8; escaping=underscores
    "#]]
    .assert_eq(&page("", ""));
    expect![[r#"
        400 Bad Request text/plain; charset=utf-8
        1:3: parse error: unexpected "(""#]]
    .assert_eq(&page("match[]=up(", ""));
}

#[test]
fn native_histograms_are_federated_as_protobuf() {
    let server = federation();
    let found = server.store.series().select(&TenantId::default(), &[], i64::MIN, i64::MAX).expect("series");
    let external = [("replica".to_owned(), "a".to_owned())].into_iter().collect();
    let page = encode(&families(&found, &external), Format::Protobuf);
    let kinds: Vec<String> = families(&found, &external)
        .iter()
        .map(|family| format!("{} {:?} {}", family.name, family.kind, family.metrics.len()))
        .collect();
    expect![[r#"
        größe.bytes Untyped 1
        latency Histogram 2
        size GaugeHistogram 1
        up Untyped 3"#]]
    .assert_eq(&kinds.join("\n"));
    let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;q=0.4";
    let request = Request::get(address("/federate?match[]={__name__=~\".%2B\"}")).header(header::ACCEPT, accept);
    let (_, headers, body) = server.send(request.body(Body::empty()).expect("request"));
    assert!(
        headers[header::CONTENT_TYPE].to_str().is_ok_and(|kind| kind.starts_with("application/vnd.google.protobuf"))
    );
    assert!(page.len() > body.len(), "the old and the stale series are in the page of all time alone");
    assert!(body.windows(4).any(|bytes| bytes == b"size"));
}

#[test]
fn formats_are_negotiated_by_weight() {
    let proto = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let cases = [
        ("", Format::Text),
        ("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3", Format::Text),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", Format::TextUtf8),
        (&format!("{proto};q=0.5,text/plain;q=0.6"), Format::Text),
        (&format!("{proto};q=0.7,text/plain;q=0.6"), Format::Protobuf),
        ("application/vnd.google.protobuf;proto=other", Format::Text),
    ];
    for (accept, want) in cases {
        assert_eq!(Format::negotiate(accept), want, "{accept}");
    }
}
