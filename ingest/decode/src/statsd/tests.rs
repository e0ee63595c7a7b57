//! Packets as clients write them, and what a flush makes of them.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::Decoded;

/// 2026-11-23T09:00:00Z.
const START: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn at(ms: i64) -> Timestamp {
    Timestamp(START.0 + ms * 1_000_000)
}

fn show(decoded: &Decoded) -> String {
    let mut lines = Vec::new();
    for series in &decoded.series.series {
        let mut line = series.labels.to_string();
        for sample in &series.samples {
            let value = if model::is_stale_nan(sample.value) { "stale".to_owned() } else { sample.value.to_string() };
            let _ = write!(line, " {value}@{}", sample.time_ms - START.millis());
        }
        for sample in &series.histograms {
            let stale = sample.histogram.is_stale();
            let value = if stale { "stale".to_owned() } else { sample.histogram.test_expression() };
            let _ = write!(line, " {value}@{}", sample.time_ms - START.millis());
        }
        lines.push(line);
    }
    lines.sort();
    let mut metadata: Vec<String> =
        decoded.series.metadata.iter().map(|it| format!("{} {} {:?}", it.name, it.kind.as_str(), it.unit)).collect();
    metadata.sort();
    lines.extend(metadata);
    for row in &decoded.logs {
        let fields: Vec<_> = row.fields.iter().map(|(name, value)| format!("{name}={}", value.to_json())).collect();
        lines.push(format!("{} {} {}", row.time, row.stream, fields.join(" ")));
    }
    for reject in &decoded.rejects {
        lines.push(format!(
            "REJECT {} x{} {}: {:?}",
            reject.reason,
            reject.items,
            reject.peer,
            String::from_utf8_lossy(&reject.raw)
        ));
    }
    lines.join("\n")
}

/// What packets leave at once and at the flush ten seconds later.
fn check(packet: &str, want: Expect) {
    let mut aggregator = Aggregator::new(StatsdOptions::default(), START);
    let mut decoded = Decoded::default();
    aggregator.take(packet.as_bytes(), "10.0.0.1", at(5000), &mut decoded);
    decoded.extend(aggregator.flush(at(10_000)));
    want.assert_eq(&show(&decoded));
}

#[test]
fn counters_gauges_and_sets() {
    check(
        "hits:1|c\nhits:2|c|@0.5\nhits:-1|c\nmeter:3|m\n\
         temp:20|g\ntemp:+5|g\ntemp:-2.5|g\nonly.delta:-3|g\n\
         users:ann|s\nusers:bob|s\nusers:ann|s\nusers:fe80::1|s",
        expect![[r#"
            hits 0@1 4@10000
            meter 0@1 3@10000
            only_delta -3@10000
            temp 22.5@10000
            users 3@10000
            hits counter ""
            meter counter ""
            only_delta gauge ""
            temp gauge ""
            users gauge """#]],
    );
}

#[test]
fn timers_are_native_histograms() {
    check(
        "load:100|ms\nload:100|ms|@0.1\nsize:1:2:4|h|#a:b\nsize:0|d|#a:b",
        expect![[r#"
        load {{schema:3 z_bucket_w:1e-128}}@1 {{schema:3 count:11 sum:1100 z_bucket_w:1e-128 offset:54 buckets:[11]}}@10000
        load_count 0@1 11@10000
        load_sum 0@1 1100@10000
        size_count{a="b"} 0@1 4@10000
        size_sum{a="b"} 0@1 7@10000
        size{a="b"} {{schema:3 z_bucket_w:1e-128}}@1 {{schema:3 count:4 sum:7 z_bucket:1 z_bucket_w:1e-128 buckets:[1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0 1]}}@10000
        load histogram "milliseconds"
        size histogram """#]],
    );
}

#[test]
fn tags_of_every_client() {
    check(
        "dog:1|c|#env:prod,up,url:http://a\n\
         dog:1|c|#up,env:prod,url:http://a|c:in-99\n\
         telegraf,region=eu,host=web 1:1|c\n\
         graphite;dc=x;rack=7:1|c\n\
         many:1:2:3|c|@0.5|#k:v|c:abc|e:x|card:low\n\
         etsy:1|c:5|c|@0.5\n\
         etsy:1|c:5|ms\n\
         later:7|g|#k:v|T1700000000\n\
         later.count:7|c|T1700000000",
        expect![[r#"
            dog{container_id="in-99", env="prod", up="true", url="http://a"} 0@1 1@10000
            dog{env="prod", up="true", url="http://a"} 0@1 1@10000
            etsy 0@1 11@10000
            graphite{dc="x", rack="7"} 0@1 1@10000
            later_count 0@1 7@10000
            later{k="v"} 7@-95424400000
            many{container_id="abc", k="v"} 0@1 12@10000
            telegraf{host="web 1", region="eu"} 0@1 1@10000
            dog counter ""
            etsy counter ""
            graphite counter ""
            later gauge ""
            later_count counter ""
            many counter ""
            telegraf counter ""
            REJECT the line has values of several types under one name: give each type a name of its own x1 10.0.0.1: "etsy:1|c:5|ms""#]],
    );
}

#[test]
fn events_and_service_checks_are_log_records() {
    check(
        "_e{6,19}:Deploy|cart v2\\nwent | out|d:1700000000|h:web-1|k:cart|p:low|s:jenkins|t:error|#service:cart,env:prod,by:ann|c:in-1\n\
         _e{3,0}:End|\n\
         _sc|db.up|2|d:1700000001|h:db-1|#service:orders,shard:3|m:no | answer\\nat all\n\
         _sc|db.up|0",
        expect![[r#"
            2023-11-14T22:13:20Z {deployment.environment.name="prod",host.name="web-1",service.name="cart"} severity="ERROR" body="Deploy\ncart v2\nwent | out" event_name="dogstatsd.event" host.name="web-1" service.name="cart" deployment.environment.name="prod" container.id="in-1" event.title="Deploy" event.aggregation_key="cart" event.priority="low" event.source="jenkins" event.alert_type="error" by="ann"
            2026-11-23T09:00:05Z {} severity="INFO" body="End" event_name="dogstatsd.event" event.title="End"
            2023-11-14T22:13:21Z {host.name="db-1",service.name="orders"} severity="ERROR" body="no | answer\nat all" event_name="dogstatsd.service_check" host.name="db-1" service.name="orders" check.name="db.up" check.status="critical" shard="3"
            2026-11-23T09:00:05Z {} severity="INFO" body="db.up is ok" event_name="dogstatsd.service_check" check.name="db.up" check.status="ok""#]],
    );
}

#[test]
fn bad_lines_take_no_neighbour_with_them() {
    check(
        "a:1|c\nalone\n:1|c\nb:1\nb:|c\nb:one|c\nb:nan|g\nb:1|x\nb:1|c|@0\nb:1|c|@2\nb:1|c|@1e-309\nz:1e308|c|@0.5\nb:1|c|@x\nb:1:x:3|ms\nb:1|g|Tsoon\n...:1|c\n\
         a:1|g\n_e{1}:x\n_e{9,1}:x|y\n_e{x,y}:a|b\n_sc|x\n_sc|x|9\nz:1|c",
        expect![[r#"
            a 0@1 1@10000
            z 0@1 1@10000
            a counter ""
            z counter ""
            REJECT a metric is written name:value|type x1 10.0.0.1: "alone"
            REJECT the metric has no name x1 10.0.0.1: ":1|c"
            REJECT a metric is written name:value|type x1 10.0.0.1: "b:1"
            REJECT a value is empty x1 10.0.0.1: "b:|c"
            REJECT the value "one" is not a number x1 10.0.0.1: "b:one|c"
            REJECT the value "nan" is not a number x1 10.0.0.1: "b:nan|g"
            REJECT the type "x" is not known: c, g, s, ms, h or d is needed x1 10.0.0.1: "b:1|x"
            REJECT the sample rate 0 is not above 0 and at most 1 x1 10.0.0.1: "b:1|c|@0"
            REJECT the sample rate 2 is not above 0 and at most 1 x1 10.0.0.1: "b:1|c|@2"
            REJECT the sample rate 1e-309 is too small x1 10.0.0.1: "b:1|c|@1e-309"
            REJECT the total has no room for the value x1 10.0.0.1: "z:1e308|c|@0.5"
            REJECT the sample rate "x" is not a number x1 10.0.0.1: "b:1|c|@x"
            REJECT the value "x" is not a number x1 10.0.0.1: "b:1:x:3|ms"
            REJECT the time "Tsoon" is not a number of seconds since 1970 x1 10.0.0.1: "b:1|g|Tsoon"
            REJECT nothing of the name "..." can be kept x1 10.0.0.1: "...:1|c"
            REJECT the series is a counter, and this says that it is a gauge: rename one of them x1 10.0.0.1: "a:1|g"
            REJECT an event is written _e{title bytes,text bytes}:title|text x1 10.0.0.1: "_e{1}:x"
            REJECT the event's title and text do not have 9 and 1 bytes x1 10.0.0.1: "_e{9,1}:x|y"
            REJECT an event is written _e{title bytes,text bytes}:title|text x1 10.0.0.1: "_e{x,y}:a|b"
            REJECT a service check is written _sc|name|status x1 10.0.0.1: "_sc|x"
            REJECT the status "9" of the service check is not 0, 1, 2 or 3 x1 10.0.0.1: "_sc|x|9""#]],
    );
}

#[test]
fn counters_go_on_and_idle_series_end() {
    let mut aggregator = Aggregator::new(StatsdOptions { idle_ms: 25_000, ..StatsdOptions::default() }, START);
    let mut out = Decoded::default();
    let mut text = String::new();
    let steps: [&[u8]; 5] = [b"c:1|c\ns:x|s\nt:1|ms", b"c:2|c", b"", b"", b"c:5|c"];
    for (step, packet) in (0..).zip(steps) {
        aggregator.take(packet, "", at(step * 10_000 + 1000), &mut out);
        let _ = writeln!(text, "{}\n", show(&aggregator.flush(at((step + 1) * 10_000))));
    }
    expect![[r#"
        c 0@1 1@10000
        s 1@10000
        t {{schema:3 z_bucket_w:1e-128}}@1 {{schema:3 count:1 sum:1 z_bucket_w:1e-128 buckets:[1]}}@10000
        t_count 0@1 1@10000
        t_sum 0@1 1@10000
        c counter ""
        s gauge ""
        t histogram "milliseconds"

        c 3@20000
        s 0@20000
        t {{schema:3 count:1 sum:1 z_bucket_w:1e-128 buckets:[1]}}@20000
        t_count 1@20000
        t_sum 1@20000

        c 3@30000
        s stale@30000
        t stale@30000
        t_count stale@30000
        t_sum stale@30000

        c stale@40000

        c 0@40001 5@50000
        c counter ""

    "#]]
    .assert_eq(&text);
    assert_eq!(aggregator.series_count(), 1);
    assert!(out.is_empty());
}

#[test]
fn series_are_bounded_and_sets_too() {
    let mut aggregator = Aggregator::new(StatsdOptions { series_max: 2, ..StatsdOptions::default() }, START);
    let mut out = Decoded::default();
    let taken = aggregator.take(b"a:1|c\nb:1|c\nc:1|c\nd:1:2|ms\na:1|c", "", START, &mut out);
    assert_eq!(taken, 3);
    let values: String = (0..SET_VALUES_MAX + 50).map(|value| format!("b2:{value}|s\n")).collect();
    let flushed = aggregator.flush(at(10_000));
    expect![[r#"
        a 0@1 2@10000
        b 0@1 1@10000
        a counter ""
        b counter ""
        REJECT 3 values were refused for lack of room: 2 series may be in memory (ingest.statsd.series_max), and 100000 gauges with times of their own (DIRECT_SAMPLES_MAX); this is the first x3 : "c:1|c""#]].assert_eq(&show(&flushed));
    let mut aggregator = Aggregator::new(StatsdOptions::default(), START);
    aggregator.take(values.as_bytes(), "", START, &mut out);
    let flushed = aggregator.flush(at(10_000));
    assert_eq!(flushed.series.series[0].samples[0].value, SET_VALUES_MAX as f64);
    assert!(out.is_empty());
}

#[test]
fn times_rise_even_when_the_clock_does_not() {
    let mut aggregator = Aggregator::new(StatsdOptions::default(), START);
    let mut out = Decoded::default();
    aggregator.take(b"a:1|c", "", START, &mut out);
    let times: Vec<i64> = (0..3)
        .flat_map(|_| {
            let flushed = aggregator.flush(START);
            flushed.series.series[0].samples.iter().map(|sample| sample.time_ms - START.millis()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(times, [1, 2, 4, 6]);
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(
        prop_oneof![2 => any::<u8>(), 5 => prop::sample::select(b"a:1|cgms#@T_e{},;=\n".to_vec())], 0..200,
    )) {
        let mut aggregator = Aggregator::new(StatsdOptions::default(), START);
        let mut out = Decoded::default();
        aggregator.take(&bytes, "", START, &mut out);
        drop(aggregator.flush(at(10_000))); // any result is fine
    }

    #[test]
    fn totals_are_exact_whatever_the_packets(values in prop::collection::vec((0u8..4, -1000i32..1000, 0usize..3), 1..100)) {
        let mut aggregator = Aggregator::new(StatsdOptions::default(), START);
        let (mut out, mut want) = (Decoded::default(), [0.0f64; 4]);
        let mut last = [None; 4];
        for (step, (series, value, flush)) in (1..).zip(&values) {
            aggregator.take(format!("m{series}:{value}|c").as_bytes(), "", at(step), &mut out);
            want[usize::from(*series)] += f64::from(*value);
            if *flush == 0 || step as usize == values.len() {
                for series in aggregator.flush(at(step * 1000)).series.series {
                    let at = series.labels.metric_name()[1..].parse::<usize>().unwrap();
                    last[at] = series.samples.last().map(|sample| sample.value);
                }
            }
        }
        prop_assert!(out.is_empty());
        for (want, last) in want.into_iter().zip(last) {
            prop_assert_eq!(last.unwrap_or_default(), want);
        }
    }
}
