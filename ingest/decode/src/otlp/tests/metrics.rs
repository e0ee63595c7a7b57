//! What settings do to metrics, deltas that are added up, and samples that fall together.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{NS, RECEIVED, show};
use crate::otlp::*;

const RESOURCE: &str = r#"{"attributes":[
    {"key":"service.name","value":{"stringValue":"shop"}},{"key":"service.namespace","value":{"stringValue":"eu"}},
    {"key":"service.instance.id","value":{"stringValue":"pod-1"}},{"key":"host.name","value":{"stringValue":"h"}},
    {"key":"os.type","value":{"stringValue":"linux"}}]}"#;

const SCOPE: &str = r#"{"name":"lib","version":"1.2","attributes":[{"key":"a.b","value":{"stringValue":"c"}}]}"#;

/// A request of one metric or more; `@N` is the time of receipt and N seconds.
fn request(scopes: &[&str]) -> String {
    let scopes: Vec<String> = scopes
        .iter()
        .map(|metrics| format!(r#"{{"scope":{SCOPE},"schemaUrl":"https://s","metrics":[{metrics}]}}"#))
        .collect();
    let mut body =
        format!(r#"{{"resourceMetrics":[{{"resource":{RESOURCE},"scopeMetrics":[{}]}}]}}"#, scopes.join(","));
    for seconds in (0..500).rev() {
        body = body.replace(&format!("\"@{seconds}\""), &format!("\"{}\"", NS + seconds * 1_000_000_000));
    }
    body
}

fn decode(decoder: &MetricsDecoder, scopes: &[&str]) -> Decoded {
    decoder.decode(Wire::Json, request(scopes).as_bytes(), &TenantId::default(), RECEIVED).unwrap()
}

const METRIC: &str = r#"{"name":"http.requests","unit":"By","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
    {"asInt":"5","timeUnixNano":"@0","attributes":[{"key":"status.code","value":{"stringValue":"500"}}]}]}}"#;

fn check(options: MetricsOptions, want: Expect) {
    want.assert_eq(&show(&decode(&MetricsDecoder::new(options), &[METRIC])));
}

#[test]
fn strategies_of_names() {
    for (translation, want) in [
        (
            Translation::UnderscoreEscapingWithoutSuffixes,
            expect![[r#"
            http_requests{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu", status_code="500"} 5@0
            target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@0
            http_requests counter unit="bytes" help=""
            target_info gauge unit="" help="Target metadata"
        "#]],
        ),
        (
            Translation::NoUtf8EscapingWithSuffixes,
            expect![[r#"
            http.requests_bytes_total{host.name="h", instance="pod-1", job="eu/shop", service.instance.id="pod-1", service.name="shop", service.namespace="eu", status.code="500"} 5@0
            target_info{host.name="h", instance="pod-1", job="eu/shop", os.type="linux"} 1@0
            http.requests_bytes_total counter unit="bytes" help=""
            target_info gauge unit="" help="Target metadata"
        "#]],
        ),
        (
            Translation::NoTranslation,
            expect![[r#"
            http.requests{host.name="h", instance="pod-1", job="eu/shop", service.instance.id="pod-1", service.name="shop", service.namespace="eu", status.code="500"} 5@0
            target_info{host.name="h", instance="pod-1", job="eu/shop", os.type="linux"} 1@0
            http.requests counter unit="bytes" help=""
            target_info gauge unit="" help="Target metadata"
        "#]],
        ),
    ] {
        check(MetricsOptions { translation, ..MetricsOptions::default() }, want);
    }
}

#[test]
fn resources_and_scopes_become_labels() {
    let but = vec!["os.type".to_owned(), "service.name".to_owned()];
    check(
        MetricsOptions {
            promote: Promote::AllBut(but),
            keep_identifying_resource_attributes: true,
            promote_scope_metadata: true,
            type_and_unit_labels: true,
            ..MetricsOptions::default()
        },
        expect![[r#"
            http_requests_bytes_total{__type__="counter", __unit__="bytes", host_name="h", instance="pod-1", job="eu/shop", otel_scope_a_b="c", otel_scope_name="lib", otel_scope_schema_url="https://s", otel_scope_version="1.2", service_instance_id="pod-1", service_namespace="eu", status_code="500"} 5@0
            target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 1@0
            http_requests_bytes_total counter unit="bytes" help=""
            target_info gauge unit="" help="Target metadata"
        "#]],
    );
    check(
        MetricsOptions { promote: Promote::Listed(vec!["os.type".to_owned()]), ..MetricsOptions::default() },
        expect![[r#"
            http_requests_bytes_total{instance="pod-1", job="eu/shop", os_type="linux", status_code="500"} 5@0
            target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@0
            http_requests_bytes_total counter unit="bytes" help=""
            target_info gauge unit="" help="Target metadata"
        "#]],
    );
}

#[test]
fn explicit_histograms_may_be_native() {
    let options = MetricsOptions { convert_histograms_to_nhcb: true, ..MetricsOptions::default() };
    let metric = r#"{"name":"lat","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[
        {"count":"6","sum":4.5,"bucketCounts":["1","0","5","0"],"explicitBounds":[0.1,1,"Infinity"],"timeUnixNano":"@3","startTimeUnixNano":"@1","exemplars":[{"asDouble":0.5}]},
        {"count":"6","bucketCounts":["0","2","4"],"explicitBounds":["-Infinity",2],"timeUnixNano":"@4"},
        {"count":"3","timeUnixNano":"@5"},
        {"flags":1,"timeUnixNano":"@6"}]}}"#;
    expect![[r#"
        lat_seconds{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} {{schema:-53 count:6 sum:4.5 custom_values:[0.1 1] buckets:[1 0 5]}}@3000 since 1000{{schema:-53 count:6 custom_values:[2] buckets:[2 4]}}@4000{{schema:-53 count:3 custom_values:[] buckets:[3]}}@5000stale@6000 # {} 0.5@3000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@3000 1@6000
        lat_seconds histogram unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"
    "#]].assert_eq(&show(&decode(&MetricsDecoder::new(options), &[metric])));
}

#[test]
fn start_times_are_kept_of_what_counts() {
    let points = r#""dataPoints":[{"asInt":"5","startTimeUnixNano":"@1","timeUnixNano":"@3"},{"asInt":"6","timeUnixNano":"@4"}]"#;
    let sum = |monotonic| {
        format!(r#"{{"name":"s","sum":{{"aggregationTemporality":2,"isMonotonic":{monotonic},{points}}}}}"#)
    };
    let histogram = r#"{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[
        {"count":"1","sum":1,"bucketCounts":["1","0"],"explicitBounds":[2],"startTimeUnixNano":"@1","timeUnixNano":"@3"}]}}"#;
    let summary = r#"{"name":"q","summary":{"dataPoints":[
        {"count":"1","sum":1,"quantileValues":[{"quantile":0.5,"value":1}],"startTimeUnixNano":"@1","timeUnixNano":"@3"}]}}"#;
    let decoder = MetricsDecoder::default();
    let mut shown = String::new();
    for metric in [&sum(true), &sum(false), &format!(r#"{{"name":"g","gauge":{{{points}}}}}"#), histogram, summary] {
        for series in decode(&decoder, &[metric]).series.series {
            let starts: Vec<i64> =
                series.starts.iter().map(|it| if *it == 0 { 0 } else { it - RECEIVED.millis() }).collect();
            assert!(starts.is_empty() || starts.len() == series.samples.len());
            shown += &format!("{} {starts:?}\n", series.labels.metric_name());
        }
    }
    expect![[r#"
        s_total [1000, 0]
        target_info []
        s []
        target_info []
        g []
        target_info []
        h_sum [1000]
        h_count [1000]
        h_bucket [1000]
        h_bucket [1000]
        target_info []
        q_sum [1000]
        q_count [1000]
        q []
        target_info []
    "#]]
    .assert_eq(&shown);
}

/// A metric of delta temporality with one point over the ten seconds before `at`.
fn delta(at: u64, kind: &str, point: &str) -> String {
    let start = at.saturating_sub(10);
    let monotonic = if kind == "sum" { r#""isMonotonic":true,"# } else { "" };
    format!(
        r#"{{"name":"d","unit":"s","{kind}":{{{monotonic}"aggregationTemporality":1,"dataPoints":[{{"startTimeUnixNano":"@{start}","timeUnixNano":"@{at}",{point}}}]}}}}"#
    )
}

#[test]
fn deltas_become_counters() {
    let decoder = MetricsDecoder::default();
    let mut shown = String::new();
    for (at, kind, point) in [
        (10, "sum", r#""asInt":"5""#),
        (20, "sum", r#""asDouble":2.5"#),
        (20, "sum", r#""asDouble":2.5"#),
        (15, "sum", r#""asInt":"1""#),
        (30, "sum", r#""flags":1"#),
        (40, "sum", r#""asInt":"1""#),
        (10, "histogram", r#""count":"3","sum":2,"bucketCounts":["1","2"],"explicitBounds":[1]"#),
        (20, "histogram", r#""count":"1","sum":2,"bucketCounts":["1","0"],"explicitBounds":[1]"#),
        (30, "histogram", r#""count":"1","bucketCounts":["1","0"],"explicitBounds":[7]"#),
    ] {
        shown += &format!("{at} {kind}\n{}\n", show(&decode(&decoder, &[&delta(at, kind, point)])));
    }
    let native = |at, scale: i32, count: &str| {
        let point = format!(
            r#""count":"{count}","sum":1,"scale":{scale},"positive":{{"offset":1,"bucketCounts":["{count}"]}}"#
        );
        delta(at, "exponentialHistogram", &point).replace("\"d\"", "\"e\"")
    };
    for (at, scale, count) in [(10, 1, "3"), (20, 0, "2")] {
        shown += &show(&decode(&decoder, &[&native(at, scale, count)]));
    }
    expect![[r#"
        10 sum
        d_seconds_total{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@1 5@10000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@10000
        d_seconds_total counter unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"

        20 sum
        d_seconds_total{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 7.5@20000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@20000
        d_seconds_total counter unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"

        20 sum
        d_seconds_total{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 7.5@20000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@20000
        d_seconds_total counter unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"

        15 sum
        REJECT the delta came after a later one of its series, and can not be added any more x1: {"name":"d","point":{"attributes":[],"startTimeUnixNano":"1795424405000000000","timeUnixNano":"1795424415000000000","exemplars":[],"flags":0,"asInt":"1"}}

        30 sum
        d_seconds_total{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} stale@30000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@30000
        d_seconds_total counter unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"

        40 sum
        d_seconds_total{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@30001 1@40000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@40000
        d_seconds_total counter unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"

        10 histogram
        d_seconds_sum{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@1 2@10000
        d_seconds_count{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@1 3@10000
        d_seconds_bucket{host_name="h", instance="pod-1", job="eu/shop", le="1", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@1 1@10000
        d_seconds_bucket{host_name="h", instance="pod-1", job="eu/shop", le="+Inf", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@1 3@10000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@10000
        d_seconds histogram unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"

        20 histogram
        d_seconds_sum{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 4@20000
        d_seconds_count{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 4@20000
        d_seconds_bucket{host_name="h", instance="pod-1", job="eu/shop", le="1", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 2@20000
        d_seconds_bucket{host_name="h", instance="pod-1", job="eu/shop", le="+Inf", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 4@20000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@20000
        d_seconds histogram unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"

        30 histogram
        d_seconds_count{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@20001 1@30000
        d_seconds_bucket{host_name="h", instance="pod-1", job="eu/shop", le="7", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@20001 1@30000
        d_seconds_bucket{host_name="h", instance="pod-1", job="eu/shop", le="+Inf", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 0@20001 1@30000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@30000
        d_seconds histogram unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"

        e_seconds{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} {{schema:1 z_bucket_w:1e-128}}@1 since 0{{schema:1 count:3 sum:1 z_bucket_w:1e-128 offset:2 buckets:[3]}}@10000 since 0
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@10000
        e_seconds histogram unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"
        e_seconds{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} {{count:5 sum:2 z_bucket_w:1e-128 offset:1 buckets:[3 2]}}@20000 since 0
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@20000
        e_seconds histogram unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"
    "#]].assert_eq(&shown);
}

#[test]
fn deltas_stay_as_they_are_when_wanted() {
    let options = MetricsOptions { delta: DeltaMode::Raw, type_and_unit_labels: true, ..MetricsOptions::default() };
    let decoder = MetricsDecoder::new(options);
    let mut shown = String::new();
    for at in [10, 20] {
        shown += &show(&decode(&decoder, &[&delta(at, "sum", r#""asInt":"5""#)]));
    }
    expect![[r#"
        d_seconds_total{__unit__="seconds", host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 5@10000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@10000
        d_seconds_total unknown unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"
        d_seconds_total{__unit__="seconds", host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 5@20000
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@20000
        d_seconds_total unknown unit="seconds" help=""
        target_info gauge unit="" help="Target metadata"
    "#]].assert_eq(&shown);
}

#[test]
fn tenants_have_totals_of_their_own_and_series_are_bounded() {
    let options = MetricsOptions { delta_series_max: 1, ..MetricsOptions::default() };
    let decoder = MetricsDecoder::new(options);
    let body = request(&[&delta(10, "sum", r#""asInt":"5""#)]);
    let other = body.replace(r#""name":"d""#, r#""name":"e""#);
    let taken = |tenant: &str, body: &str| {
        let decoded = decoder.decode(Wire::Json, body.as_bytes(), &TenantId::new(tenant).unwrap(), RECEIVED).unwrap();
        decoded.series.sample_count() * 10 + decoded.rejects.len()
    };
    // A zero, the sample and `target_info`; a tenant's second series is one too many, and takes no room from another tenant.
    assert_eq!([taken("a", &body), taken("b", &body)], [30, 30]);
    assert_eq!(taken("a", &other), 1);
    assert_eq!(taken("c", &other), 30);
}

#[test]
fn samples_that_fall_together_are_told() {
    let gauge = |name: &str, value: i32| {
        format!(r#"{{"name":"{name}","gauge":{{"dataPoints":[{{"asInt":"{value}","timeUnixNano":"@0"}}]}}}}"#)
    };
    let scopes = [gauge("a.b", 1), gauge("a/b", 2), gauge("same", 3), gauge("same", 3)];
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let default = MetricsDecoder::default();
    let apart =
        MetricsDecoder::new(MetricsOptions { translation: Translation::NoTranslation, ..MetricsOptions::default() });
    let shown = format!("{}\n{}", show(&decode(&default, &scopes)), show(&decode(&apart, &scopes)));
    expect![[r#"
        a_b{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 1@0
        same{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"} 3@0
        target_info{host_name="h", instance="pod-1", job="eu/shop", os_type="linux"} 1@0
        a_b gauge unit="" help=""
        same gauge unit="" help=""
        target_info gauge unit="" help="Target metadata"
        REJECT 1 samples have the series and the time of others in the request, and other values: metrics whose names fall together, or one metric of several scopes; rename one, or set ingest.otlp.promote_scope_metadata or ingest.otlp.translation_strategy x1: a_b{host_name="h", instance="pod-1", job="eu/shop", service_instance_id="pod-1", service_name="shop", service_namespace="eu"}

        a.b{host.name="h", instance="pod-1", job="eu/shop", service.instance.id="pod-1", service.name="shop", service.namespace="eu"} 1@0
        a/b{host.name="h", instance="pod-1", job="eu/shop", service.instance.id="pod-1", service.name="shop", service.namespace="eu"} 2@0
        same{host.name="h", instance="pod-1", job="eu/shop", service.instance.id="pod-1", service.name="shop", service.namespace="eu"} 3@0
        target_info{host.name="h", instance="pod-1", job="eu/shop", os.type="linux"} 1@0
        a.b gauge unit="" help=""
        a/b gauge unit="" help=""
        same gauge unit="" help=""
        target_info gauge unit="" help="Target metadata"
    "#]].assert_eq(&shown);
}

#[test]
fn target_info_covers_all_samples() {
    let points: Vec<String> = [400, 0, 17].map(|at| format!(r#"{{"asInt":"1","timeUnixNano":"@{at}"}}"#)).to_vec();
    let metric = format!(r#"{{"name":"g","gauge":{{"dataPoints":[{}]}}}}"#, points.join(","));
    let decoded = decode(&MetricsDecoder::default(), &[&metric]);
    let info = decoded.series.series.iter().find(|series| series.labels.metric_name() == "target_info").unwrap();
    let times: Vec<i64> = info.samples.iter().map(|sample| (sample.time_ms - RECEIVED.millis()) / 1000).collect();
    assert_eq!(times, [0, 100, 250, 400]);
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(
        prop_oneof![3 => any::<u8>(), 4 => prop::sample::select(vec![0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x3a, 0x4a, 0x52, 0x5a, 0x11, 0x19, 2, 8, 9])], 0..300,
    )) {
        let decoder = MetricsDecoder::default();
        for wire in [Wire::Protobuf, Wire::Json] {
            drop(decoder.decode(wire, &bytes, &TenantId::default(), RECEIVED)); // any result is fine
        }
    }

    #[test]
    fn a_flipped_byte_is_safe(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let point = r#""count":"3","sum":1,"scale":2,"positive":{"offset":1,"bucketCounts":["3"]}"#;
        let body = request(&[METRIC, &delta(10, "exponentialHistogram", point)]);
        let request: ExportMetricsServiceRequest = serde_json::from_str(&body).unwrap();
        let mut body = request.encode_to_vec();
        let at = at.index(body.len());
        body[at] ^= flip;
        drop(MetricsDecoder::default().decode(Wire::Protobuf, &body, &TenantId::default(), RECEIVED)); // any result is fine
    }

    /// Whatever comes twice, the last total is the sum of all deltas.
    #[test]
    fn totals_are_exact_whatever_is_repeated(values in prop::collection::vec((0u32..1000, 0usize..3), 1..20)) {
        let decoder = MetricsDecoder::default();
        let (mut total, mut last) = (0.0, None);
        for (step, (value, repetitions)) in (1u64..).zip(&values) {
            total += f64::from(*value);
            for _ in 0..=*repetitions {
                let decoded = decode(&decoder, &[&delta(step * 10, "sum", &format!(r#""asInt":"{value}""#))]);
                prop_assert!(decoded.rejects.is_empty());
                last = decoded.series.series[0].samples.last().map(|sample| sample.value);
            }
            prop_assert_eq!(last, Some(total));
        }
    }
}
