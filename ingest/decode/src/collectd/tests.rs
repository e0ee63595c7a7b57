//! Bodies as collectd's manual and wiki show them, and bodies that are none.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::Value;
use proptest::prelude::*;

use super::*;

const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn show(decoded: &Decoded) -> String {
    let mut out = String::new();
    for series in &decoded.series.series {
        let samples: Vec<_> = series.samples.iter().map(|it| format!("{}@{}", it.value, it.time_ms)).collect();
        let _ = writeln!(out, "{} {}", series.labels, samples.join(" "));
    }
    for row in &decoded.logs {
        let fields = ["severity", "body", "host.name", "event_name", "alertname", "cpu", "type", "CurrentValue"];
        let text = |name: &str| row.get(name).map(Value::text).unwrap_or_default().into_owned();
        let _ = writeln!(out, "LOG {} {}", row.time.0, fields.map(text).join(" | "));
    }
    for reject in &decoded.rejects {
        let _ = writeln!(out, "REJECT {} x{}: {}", reject.reason, reject.items, String::from_utf8_lossy(&reject.raw));
    }
    out
}

fn check(body: &str, want: Expect) {
    want.assert_eq(&show(&decode_collectd(body.as_bytes(), &Types::default(), RECEIVED).unwrap()));
}

#[test]
fn value_lists_become_series() {
    check(
        r#"[{"values":[1901474177],"dstypes":["counter"],"dsnames":["value"],"time":1280959128,"interval":10,
             "host":"leeloo.octo.it","plugin":"cpu","plugin_instance":"0","type":"cpu","type_instance":"idle"},
            {"values":[197141504,175136768],"dstypes":["derive","derive"],"dsnames":["read","write"],"time":1251533299.125,
             "interval":10.000,"host":"leeloo","plugin":"disk","plugin_instance":"sda","type":"disk_octets","type_instance":""},
            {"values":[0.5,null,0.25],"dstypes":["gauge","gauge","gauge"],"dsnames":["shortterm","midterm","longterm"],
             "time":1280959128,"interval":10,"host":"leeloo","plugin":"load","plugin_instance":"","type":"load",
             "type_instance":"","meta":{"network:received":true}},
            {"values":[18446744073709551615],"dstypes":["absolute"],"dsnames":["value"],"time":1280959128,"interval":10,
             "host":"leeloo","plugin":"df","plugin_instance":null,"type":"df_complex","type_instance":"used"}]"#,
        expect![[r#"
            collectd_cpu_total{cpu="0", instance="leeloo.octo.it", type="idle"} 1901474177@1280959128000
            collectd_disk_disk_octets_read_total{disk="sda", instance="leeloo"} 197141504@1251533299125
            collectd_disk_disk_octets_write_total{disk="sda", instance="leeloo"} 175136768@1251533299125
            collectd_load_shortterm{instance="leeloo"} 0.5@1280959128000
            collectd_load_longterm{instance="leeloo"} 0.25@1280959128000
            collectd_df_df_complex{df="used", instance="leeloo"} 18446744073709552000@1280959128000
        "#]],
    );
}

#[test]
fn putval_lines_become_series() {
    check(
        "PUTVAL leeloo.lan.home.verplant.org/disk-sda/disk_octets interval=10 1251533299:197141504:175136768\r\n\
         PUTVAL leeloo/load/load interval=10.000 1251533299.250:0.50:nan:U\r\n\
         putval \"a host/cpu-0/cpu-idle\\\"x\" interval=10 1251533299:7 1251533309:9\r\n\
         \r\n\
         PUTVAL leeloo/df/df_complex-used N:12\n\
         PUTVAL leeloo/sensors-coretemp-isa-0000/temperature-temp1/2 1251533299:-3.5e1\n",
        expect![[r#"
            collectd_disk_disk_octets_read_total{disk="sda", instance="leeloo.lan.home.verplant.org"} 197141504@1251533299000
            collectd_disk_disk_octets_write_total{disk="sda", instance="leeloo.lan.home.verplant.org"} 175136768@1251533299000
            collectd_load_shortterm{instance="leeloo"} 0.5@1251533299250
            collectd_cpu_total{cpu="0", instance="a host", type="idle\"x"} 7@1251533299000 9@1251533309000
            collectd_df_df_complex{df="used", instance="leeloo"} 12@1795424400000
            collectd_sensors_temperature{instance="leeloo", sensors="coretemp-isa-0000", type="temp1/2"} -35@1251533299000
        "#]],
    );
}

#[test]
fn notifications_become_log_records() {
    check(
        r#"[{"labels":{"alertname":"collectd_cpu","instance":"host.example.com","severity":"FAILURE","service":"collectd","cpu":"0","type":"wait"},
             "annotations":{"summary":"Host host.example.com, plugin cpu: too much","CurrentValue":"99.5"},
             "startsAt":"2010-08-04T21:58:48.000000000Z"}]"#,
        expect![[r#"
            LOG 1280959128000000000 ERROR | Host host.example.com, plugin cpu: too much | host.example.com | collectd.notification | collectd_cpu | 0 | wait | 99.5
        "#]],
    );
}

#[test]
fn what_can_not_be_read_is_told_and_its_neighbours_are_kept() {
    check(
        r#"[{"values":[1,2],"dstypes":["gauge"],"dsnames":["value"],"time":1,"host":"h","plugin":"p","type":"t"},
            {"values":[1],"dstypes":["rate"],"dsnames":["value"],"time":1,"host":"h","plugin":"p","type":"t"},
            {"values":[1],"dstypes":["gauge"],"dsnames":["value"],"time":-1,"host":"h","plugin":"p","type":"t"},
            {"values":[1],"dstypes":["gauge"],"dsnames":["value"],"time":1,"host":"h","plugin":"","type":"t"},
            {"values":["1"],"dstypes":["gauge"],"dsnames":["value"],"time":1,"host":"h","plugin":"p","type":"t"},
            7,
            {"values":[1],"dstypes":["gauge"],"dsnames":["value"],"time":1,"host":"h","plugin":"p","type":"t"}]"#,
        expect![[r#"
            collectd_p_t{instance="h"} 1@1000
            REJECT the value list has 2 values, 1 dstypes and 1 dsnames x1: {"values":[1,2],"dstypes":["gauge"],"dsnames":["value"],"time":1,"host":"h","plugin":"p","type":"t"}
            REJECT the dstype "rate" is not gauge, derive, counter or absolute x1: {"values":[1],"dstypes":["rate"],"dsnames":["value"],"time":1,"host":"h","plugin":"p","type":"t"}
            REJECT the time -1.0 is out of bounds: send seconds since 1970 x1: {"values":[1],"dstypes":["gauge"],"dsnames":["value"],"time":-1,"host":"h","plugin":"p","type":"t"}
            REJECT the value list names no plugin or no type x1: {"values":[1],"dstypes":["gauge"],"dsnames":["value"],"time":1,"host":"h","plugin":"","type":"t"}
            REJECT this is no value list: invalid type: string "1", expected f64 x1: {"values":["1"],"dstypes":["gauge"],"dsnames":["value"],"time":1,"host":"h","plugin":"p","type":"t"}
            REJECT this is no value list: invalid type: integer `7`, expected struct Written x1: 7
        "#]],
    );
    check(
        "[{\"values\":[1",
        expect![[r#"
            REJECT the body is not JSON that collectd writes: EOF while parsing a list at line 1 column 13 x1: [{"values":[1
        "#]],
    );
    check(
        "{\"values\":[1]}",
        expect![[r#"
            REJECT the body is not JSON that collectd writes: invalid type: map, expected an array of value lists or notifications at line 1 column 0 x1: {"values":[1]}
        "#]],
    );
    check(
        "PUTVAL h/cpu-0/cpu 1:1:2\nPUTVAL h/own/my_type 1:1\nPUTVAL h/load 1:1\nPUTVAL h/cpu/cpu interval=10\nPUTVAL\n\
         PUTVAL h/cpu/cpu x:1\nPUTVAL h/cpu/cpu 1:x\nFLUSH\nPUTVAL \"h/cpu/cpu 1:1\nPUTVAL h/cpu/cpu 1:1\n",
        expect![[r#"
            collectd_cpu_total{instance="h"} 1@1000
            REJECT "1:1:2" has 2 values, the type "cpu" has 1 sources x1: PUTVAL h/cpu-0/cpu 1:1:2
            REJECT the type "my_type" is not known: set Format "JSON", or name its types.db in ingest.collectd.types_db x1: PUTVAL h/own/my_type 1:1
            REJECT "h/load" names no series: send host/plugin-instance/type-instance x1: PUTVAL h/load 1:1
            REJECT the command has no values: send PUTVAL host/plugin/type time:value x1: PUTVAL h/cpu/cpu interval=10
            REJECT the command names no series: send PUTVAL host/plugin/type time:value x1: PUTVAL
            REJECT the time "x" is not a number of seconds x1: PUTVAL h/cpu/cpu x:1
            REJECT the value "x" is not a number x1: PUTVAL h/cpu/cpu 1:x
            REJECT the line is no PUTVAL command, and the body no JSON x1: FLUSH
            REJECT a quotation mark is not closed x1: PUTVAL "h/cpu/cpu 1:1
        "#]],
    );
}

#[test]
fn types_of_ones_own_are_read() {
    let mut types = Types::default();
    types
        .extend("# mine\n\nmy_type  in:DERIVE:0:U, out:DERIVE:0:U temp:gauge:U:U # no comma\ncpu value:GAUGE:0:100\n")
        .unwrap();
    let body = "PUTVAL h/own/my_type 1:1:2:3\nPUTVAL h/cpu/cpu 1:50\n";
    let decoded = decode_collectd(body.as_bytes(), &types, RECEIVED).unwrap();
    expect![[r#"
            collectd_own_my_type_in_total{instance="h"} 1@1000
            collectd_own_my_type_out_total{instance="h"} 2@1000
            collectd_own_my_type_temp{instance="h"} 3@1000
            collectd_cpu{instance="h"} 50@1000
        "#]]
    .assert_eq(&show(&decoded));
    let errors = ["alone", "\ny a:b:0:U", "t :GAUGE:0:U"].map(|text| types.extend(text).unwrap_err().to_string());
    expect![[r#"
            line 1: the type "alone" has no source; a type is written `name source:GAUGE:0:U, source:DERIVE:0:U`
            line 2: "a:b:0:U" is no source; a type is written `name source:GAUGE:0:U, source:DERIVE:0:U`
            line 1: ":GAUGE:0:U" is no source; a type is written `name source:GAUGE:0:U, source:DERIVE:0:U`"#]]
    .assert_eq(&errors.join("\n"));
}

#[test]
fn metadata_comes_once_a_metric() {
    let body = "PUTVAL h/cpu-0/cpu-idle 1:1\nPUTVAL h/cpu-1/cpu-idle 1:1\nPUTVAL h/load/load 1:1:2:3\n";
    let decoded = decode_collectd(body.as_bytes(), &Types::default(), RECEIVED).unwrap();
    let shown: Vec<_> =
        decoded.series.metadata.iter().map(|it| format!("{} {} {}", it.name, it.kind.as_str(), it.help)).collect();
    expect![[r#"
            collectd_cpu_total counter collectd: plugin cpu, type cpu, source value
            collectd_load_shortterm gauge collectd: plugin load, type load, source shortterm
            collectd_load_midterm gauge collectd: plugin load, type load, source midterm
            collectd_load_longterm gauge collectd: plugin load, type load, source longterm"#]]
    .assert_eq(&shown.join("\n"));
}

proptest! {
    #[test]
    fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..200), json in any::<bool>()) {
        let mut text = if json { b"[".to_vec() } else { b"PUTVAL a/b-c/load-d ".to_vec() };
        text.extend(body);
        drop(decode_collectd(&text, &Types::default(), RECEIVED));
    }

    #[test]
    fn words_of_commands_do_not_panic(body in "(PUTVAL )?[a\"\\\\/: =.0-9UN\n-]{0,60}") {
        drop(decode_collectd(body.as_bytes(), &Types::default(), RECEIVED));
    }
}
