//! Queries and what is there to ask about.

use super::*;

#[test]
fn instant_queries() {
    let server = Server::filled();
    let check = |request: &str, want: Expect| server.check(request, want);
    check(
        "GET /api/v1/query?query=1%2B1&time=4",
        expect![[r#"200 {"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}"#]],
    );
    check(
        "POST /api/v1/query query=up&time=300.1234",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"shop"},"value":[300.123,"1"]}]}}"#
        ]],
    );
    check(
        "POST /api/v1/query?query=down query=up&time=300",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"shop"},"value":[300,"1"]}]}}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=vector(1)&time=-3.5",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[-3.5,"1"]}]}}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=%22text%22&time=1970-01-01T00:00:01.5Z",
        expect![[r#"200 {"status":"success","data":{"resultType":"string","result":[1.5,"text"]}}"#]],
    );
    check(
        "GET /api/v1/query?query=up[5m:1m]&time=60",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"gone"},"values":[[0,"1"]]},{"metric":{"__name__":"up","job":"shop"},"values":[[0,"1"],[60,"1"]]}]}}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=latency&time=300",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"latency","kind":"custom"},"histogram":[300,{"count":"6","sum":"7.5","buckets":[[3,"-Inf","0.5","1"],[0,"0.5","1","2"],[0,"1","+Inf","3"]]}]},{"metric":{"__name__":"latency","kind":"native"},"histogram":[300,{"count":"6","sum":"-2.5","buckets":[[1,"-2","-1","3"],[3,"-0.5","0.5","1"],[0,"1","2","2"]]}]}]}}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=http_requests_total&time=300&limit=1",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"http_requests_total","code":"200","job":"shop"},"value":[300,"200"]}]},"warnings":["results truncated due to limit"]}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up&time=300&lookback_delta=1s",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"shop"},"value":[300,"1"]}]}}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up&time=320&lookback_delta=15s",
        expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[]}}"#]],
    );
    check(
        "GET /api/v1/query?query=rate(up[5m])&time=300",
        expect![[r#"200 {"status":"success","data":{"resultType":"vector","result":[]}}"#]],
    );
    check(
        "GET /api/v1/query?query=quantile(2,up)&time=300",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[300,"+Inf"]}]},"warnings":["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]}"#
        ]],
    );
}

#[test]
fn range_queries() {
    let server = Server::filled();
    let check = |request: &str, want: Expect| server.check(request, want);
    check(
        "POST /api/v1/query_range query=rate(http_requests_total[1m])&start=240&end=300&step=30s",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"code":"200","job":"shop"},"values":[[240,"0.6666666666666666"],[270,"0.6666666666666666"],[300,"0.6666666666666666"]]},{"metric":{"code":"500","job":"shop"},"values":[[240,"0.033333333333333326"],[270,"0.033333333333333326"],[300,"0.033333333333333326"]]}]}}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=latency&start=280&end=300&step=10",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"latency","kind":"custom"},"histograms":[[290,{"count":"6","sum":"7.5","buckets":[[3,"-Inf","0.5","1"],[0,"0.5","1","2"],[0,"1","+Inf","3"]]}],[300,{"count":"6","sum":"7.5","buckets":[[3,"-Inf","0.5","1"],[0,"0.5","1","2"],[0,"1","+Inf","3"]]}]]},{"metric":{"__name__":"latency","kind":"native"},"histograms":[[290,{"count":"6","sum":"-2.5","buckets":[[1,"-2","-1","3"],[3,"-0.5","0.5","1"],[0,"1","2","2"]]}],[300,{"count":"6","sum":"-2.5","buckets":[[1,"-2","-1","3"],[3,"-0.5","0.5","1"],[0,"1","2","2"]]}]]}]}}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=sort_desc(http_requests_total)&start=0&end=0&step=1",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"http_requests_total","code":"200","job":"shop"},"values":[[0,"0"]]},{"metric":{"__name__":"http_requests_total","code":"500","job":"shop"},"values":[[0,"0"]]}]},"warnings":["PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:1)"]}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=2&start=1&end=2&step=1&limit=1",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"],[2,"2"]]}]}}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=http_requests_total&start=300&end=300&step=1&limit=1",
        expect![[
            r#"200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"http_requests_total","code":"200","job":"shop"},"values":[[300,"200"]]}]},"warnings":["results truncated due to limit"]}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=nothing&start=1&end=2&step=1",
        expect![[r#"200 {"status":"success","data":{"resultType":"matrix","result":[]}}"#]],
    );
}

#[test]
fn errors_of_queries() {
    let server = Server::filled();
    let check = |request: &str, want: Expect| server.check(request, want);
    check(
        "GET /api/v1/query?query=",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: no expression found in input"}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up%7B",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up&time=yesterday",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": invalid time value for 'time': cannot parse \"yesterday\" to a valid timestamp"}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up&limit=-1",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": limit must be non-negative"}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up&limit=x",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax"}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up&timeout=x",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"timeout\": cannot parse \"x\" to a valid duration"}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up&timeout=0",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"timeout\": timeout must be positive, got 0s"}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up&lookback_delta=x",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"error parsing lookback delta duration: cannot parse \"x\" to a valid duration"}"#
        ]],
    );
    check(
        "GET /api/v1/query?query=up%2Bon(job)latency&time=300",
        expect![[
            r#"422 {"status":"error","errorType":"execution","error":"found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"latency\", kind=\"custom\"}, {__name__=\"latency\", kind=\"native\"}];many-to-many matching not allowed: matching labels must be unique on one side"}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=up&start=x&end=2&step=1",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": cannot parse \"x\" to a valid timestamp"}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=up&start=1&step=1",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": cannot parse \"\" to a valid timestamp"}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=up&start=2&end=1&step=1",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": end timestamp must not be before start time"}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=up&start=1&end=2&step=0",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=up&start=1&end=2&step=x",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": cannot parse \"x\" to a valid duration"}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=up&start=1&end=2&step=1e30",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": cannot parse \"1e30\" to a valid duration. It overflows int64"}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=up&start=0&end=11001&step=1",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"}"#
        ]],
    );
    check(
        "GET /api/v1/query_range?query=up[5m]&start=0&end=1&step=1",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"}"#
        ]],
    );
    check("DELETE /api/v1/query", expect!["405 "]);
    check(
        "GET /api/v1/nothing",
        expect![[r#"404 {"error":{"code":"not_found","message":"there is nothing at /api/v1/nothing"}}"#]],
    );
}

#[test]
fn limits_of_queries_name_themselves() {
    let limits = QueryLimits { promql_samples_max: 5, ..QueryLimits::default() };
    let server = Server::with_limits(limits);
    server.insert(some_series());
    server.check("GET /api/v1/query?query=http_requests_total[5m]&time=300", expect![[r#"422 {"status":"error","errorType":"execution","error":"the query was stopped by query.promql_samples_max = 5: query processing would load too many samples into memory in query execution (limit samples_max = 5); narrow the selector or the time range"}"#]]);
    let limits = QueryLimits { memory_bytes_max: 100, ..QueryLimits::default() };
    let server = Server::with_limits(limits);
    server.insert(some_series());
    server.check("GET /api/v1/query?query=http_requests_total[5m]&time=300", expect![[r#"422 {"status":"error","errorType":"execution","error":"the query was stopped by query.memory_bytes_max = 100: query processing would hold too many bytes in memory (limit memory_max_bytes = 100); narrow the selector or the time range, or take a longer step"}"#]]);
    let limits = QueryLimits { text_bytes_max: 3, ..QueryLimits::default() };
    Server::with_limits(limits).check("GET /api/v1/query?query=up%2Bup", expect![[r#"400 {"status":"error","errorType":"bad_data","error":"the query was stopped by query.text_bytes_max = 3: 5 bytes of text"}"#]]);
}

#[test]
fn statistics_count_samples_by_step() {
    let server = Server::filled();
    let stats = |path: &str| {
        let (_, _, body) = server.send(Request::get(path).body(Body::empty()).expect("request"));
        let mut answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let timings = answer["data"]["stats"]["timings"].as_object().expect("timings").clone();
        assert!(timings.values().all(|seconds| seconds.as_f64().is_some_and(|seconds| (0.0..60.0).contains(&seconds))));
        let names: Vec<&String> = timings.keys().collect();
        format!("{names:?}\n{}\n{}", answer["data"]["stats"]["samples"].take(), answer["warnings"])
    };
    let range = "/api/v1/query_range?query=rate(http_requests_total[1m])&start=240&end=300&step=30";
    expect![[r#"
        ["evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"]
        {"totalQueryableSamples":24,"samplesRead":16,"seriesTouched":2,"peakSamples":22,"totalQueryableSamplesPerStep":[[240.0,8],[270.0,8],[300.0,8]],"samplesReadPerStep":[[240.0,8],[270.0,4],[300.0,4]]}
        null"#]].assert_eq(&stats(&format!("{range}&stats=all")));
    expect![[r#"
        ["evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"]
        {"totalQueryableSamples":24,"samplesRead":16,"seriesTouched":2,"peakSamples":22}
        ["value \"yes\" for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\""]"#]].assert_eq(&stats(&format!("{range}&stats=yes")));
    let subquery = "/api/v1/query?query=max_over_time(sum(up)[2m:1m])&time=300&stats=all";
    expect![[r#"
        ["evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"]
        {"totalQueryableSamples":2,"samplesRead":2,"seriesTouched":2,"peakSamples":12,"totalQueryableSamplesPerStep":[[300.0,2]],"samplesReadPerStep":[[300.0,2]]}
        null"#]].assert_eq(&stats(subquery));
}

#[test]
fn queries_are_formatted_parsed_and_explained() {
    let server = Server::new();
    let check = |request: &str, want: Expect| server.check(request, want);
    check(
        "GET /api/v1/format_query?query=sum+by+(job)+(rate(x{a='b'}[5m]))",
        expect![[r#"200 {"status":"success","data":"sum by (job) (rate(x{a=\"b\"}[5m]))"}"#]],
    );
    check("POST /api/v1/format_query query=foo/bar", expect![[r#"200 {"status":"success","data":"foo / bar"}"#]]);
    check(
        "GET /api/v1/format_query?query=sum(",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}"#
        ]],
    );
    check(
        "GET /api/v1/parse_query?query=-up{job=\"a\"}%20offset%205m",
        expect![[
            r#"200 {"status":"success","data":{"type":"unaryExpr","op":"-","expr":{"type":"vectorSelector","name":"up","offset":300000,"offsetExpr":null,"matchers":[{"name":"job","value":"a","type":"="},{"name":"__name__","value":"up","type":"="}],"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false}}}"#
        ]],
    );
    check(
        "POST /api/v1/parse_query",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: no expression found in input"}"#
        ]],
    );
    check(
        "GET /api/v1/explain_query?query=sum+by+(job)(rate(x[5m]))>1",
        expect![[
            r#"200 {"status":"success","data":"stream: operator with a scalar >\n  group: sum by (job)\n    stream: rate, windows slide once over each series\n      select x[5m]: samples of all windows\n  scalar 1"}"#
        ]],
    );
    check(
        "GET /api/v1/explain_query?query=1%2B",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:3: parse error: unexpected end of input"}"#
        ]],
    );
}

#[test]
fn labels_values_and_series() {
    let server = Server::filled();
    let check = |request: &str, want: Expect| server.check(request, want);
    check(
        "GET /api/v1/labels",
        expect![[r#"200 {"status":"success","data":["__name__","code","http.status","job","kind"]}"#]],
    );
    check(
        "POST /api/v1/labels match[]=up&match[]=latency",
        expect![[r#"200 {"status":"success","data":["__name__","job","kind"]}"#]],
    );
    check(
        "GET /api/v1/labels?limit=2&match[]={__name__=~\".%2B\"}",
        expect![[
            r#"200 {"status":"success","data":["__name__","code"],"warnings":["results truncated due to limit"]}"#
        ]],
    );
    check(
        "GET /api/v1/labels?match[]={job=\"\"}",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"match[] must contain at least one non-empty matcher"}"#
        ]],
    );
    check(
        "GET /api/v1/labels?match[]={",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"1:2: parse error: unexpected end of input inside braces"}"#
        ]],
    );
    check(
        "GET /api/v1/labels?start=x",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp"}"#
        ]],
    );
    check("GET /api/v1/label/job/values", expect![[r#"200 {"status":"success","data":["gone","shop"]}"#]]);
    check(
        "GET /api/v1/label/job/values?match[]=http_requests_total&start=0&end=1",
        expect![[r#"200 {"status":"success","data":["shop"]}"#]],
    );
    check("GET /api/v1/label/job/values?start=301", expect![[r#"200 {"status":"success","data":[]}"#]]);
    check("GET /api/v1/label/U__http_2e_status/values", expect![[r#"200 {"status":"success","data":["200"]}"#]]);
    check("GET /api/v1/label/http.status/values", expect![[r#"200 {"status":"success","data":["200"]}"#]]);
    check(
        "GET /api/v1/label/__name__/values?limit=1",
        expect![[r#"200 {"status":"success","data":["größe.bytes"],"warnings":["results truncated due to limit"]}"#]],
    );
    check("GET /api/v1/label/nothing/values", expect![[r#"200 {"status":"success","data":[]}"#]]);
    check("POST /api/v1/label/job/values", expect!["405 "]);
    check(
        "POST /api/v1/series match[]=up&match[]=up{job=\"shop\"}",
        expect![[r#"200 {"status":"success","data":[{"__name__":"up","job":"gone"},{"__name__":"up","job":"shop"}]}"#]],
    );
    check(
        "GET /api/v1/series?match[]=up&limit=1",
        expect![[
            r#"200 {"status":"success","data":[{"__name__":"up","job":"gone"}],"warnings":["results truncated due to limit"]}"#
        ]],
    );
    check("GET /api/v1/series?match[]=up&start=400", expect![[r#"200 {"status":"success","data":[]}"#]]);
    check(
        "GET /api/v1/series",
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}"#]],
    );
    check(
        "GET /api/v1/series?match[]={a=~\".*\"}",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"}"#
        ]],
    );
    check(
        "GET /api/v1/series?match[]=sum(up)",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": 1:4: parse error: unexpected \"(\""}"#
        ]],
    );
    check(
        "GET /api/v1/series?match[]=up&x=%zz",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"error parsing form values: invalid URL escape \"%zz\""}"#
        ]],
    );
}

#[test]
fn metadata_and_exemplars() {
    let server = Server::filled();
    let check = |request: &str, want: Expect| server.check(request, want);
    check(
        "GET /api/v1/metadata",
        expect![[
            r#"200 {"status":"success","data":{"http_requests_total":[{"type":"counter","help":"Requests.","unit":""}],"up":[{"type":"gauge","help":"","unit":""}]}}"#
        ]],
    );
    check(
        "GET /api/v1/metadata?metric=up",
        expect![[r#"200 {"status":"success","data":{"up":[{"type":"gauge","help":"","unit":""}]}}"#]],
    );
    check(
        "GET /api/v1/metadata?limit=1&limit_per_metric=1",
        expect![[
            r#"200 {"status":"success","data":{"http_requests_total":[{"type":"counter","help":"Requests.","unit":""}]}}"#
        ]],
    );
    check(
        "GET /api/v1/metadata?limit=x",
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"limit must be a number"}"#]],
    );
    check(
        "GET /api/v1/metadata?limit_per_metric=x",
        expect![[r#"400 {"status":"error","errorType":"bad_data","error":"limit_per_metric must be a number"}"#]],
    );
    check(
        "GET /api/v1/query_exemplars?query=rate(http_requests_total[5m])/on()up&start=0&end=100",
        expect![[
            r#"200 {"status":"success","data":[{"seriesLabels":{"__name__":"http_requests_total","code":"500","job":"shop"},"exemplars":[{"labels":{"trace_id":"4bf92f"},"value":"0.25","timestamp":60.25}]}]}"#
        ]],
    );
    check("POST /api/v1/query_exemplars query=up", expect![[r#"200 {"status":"success","data":[]}"#]]);
    check("GET /api/v1/query_exemplars?query=1", expect!["204 "]);
    check(
        "GET /api/v1/query_exemplars?query=up&start=2&end=1",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"end timestamp must not be before start timestamp"}"#
        ]],
    );
    check(
        "GET /api/v1/query_exemplars?query=up(",
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"1:4: parse error: unclosed left parenthesis"}"#
        ]],
    );
}

#[test]
fn answers_are_compressed_for_who_asks() {
    let server = Server::filled();
    let ask = |encoding: &str| {
        let request =
            Request::builder().uri("/api/v1/series?match[]={job!=%22%22}").header("accept-encoding", encoding);
        server.send(request.body(Body::empty()).expect("request"))
    };
    let (_, plain, text) = ask("identity");
    assert_eq!(plain.get("content-encoding"), None);
    let (_, headers, body) = ask("gzip, deflate");
    assert_eq!(headers["content-encoding"], "gzip");
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&body[..]), &mut unpacked).expect("gzip");
    assert_eq!(unpacked, text);
    assert!(body.len() < text.len());
}

#[test]
fn pages_of_named_origins_may_read_and_others_may_not() {
    let server = Server::filled();
    let ask = |method: &str, origin: &str| {
        let request = Request::builder().method(method).uri("/api/v1/query?query=1").header("origin", origin);
        let (status, headers, _) = server.send(request.body(Body::empty()).expect("request"));
        let shown = |name: &str| headers.get(name).map_or("-", |value| value.to_str().expect("text")).to_owned();
        format!(
            "{} {} {}",
            status.as_u16(),
            shown("access-control-allow-origin"),
            shown("access-control-allow-methods")
        )
    };
    assert_eq!(ask("GET", "https://grafana.example"), "200 https://grafana.example GET, POST, OPTIONS");
    assert_eq!(ask("OPTIONS", "https://grafana.example"), "204 https://grafana.example GET, POST, OPTIONS");
    assert_eq!(ask("GET", "https://other.example"), "200 - -");
    assert_eq!(ask("OPTIONS", "https://other.example"), "405 - -");
}
