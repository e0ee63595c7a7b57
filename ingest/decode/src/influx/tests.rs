//! Lines as clients write them, and lines that are none.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn show(influx: &Influx) -> String {
    let mut out = String::new();
    for series in &influx.decoded.series.series {
        let samples: Vec<_> = series.samples.iter().map(|it| format!("{}@{}", it.value, it.time_ms)).collect();
        let _ = writeln!(out, "{} {}", series.labels, samples.join(" "));
    }
    for reject in &influx.decoded.rejects {
        let _ = writeln!(out, "REJECT {} x{}: {:?}", reject.reason, reject.items, String::from_utf8_lossy(&reject.raw));
    }
    if influx.strings > 0 {
        let _ = writeln!(out, "{} strings", influx.strings);
    }
    out
}

fn check(lines: &str, options: &InfluxOptions, want: Expect) {
    want.assert_eq(&show(&decode_influx(lines.as_bytes(), options, RECEIVED).unwrap()));
}

#[test]
fn lines_become_samples() {
    check(
        "cpu,host=web-1,region=eu usage_user=1.5,usage.idle=98i 1700000000123456789\n\
         # a comment with a \" in it\n\
         \n  \r\n\
         cpu,host=web-1,region=eu usage_user=2.5,up=t,down=FALSE,big=18446744073709551615u 1700000001000000000\r\n\
         weather,city=San\\ José,a\\,b\\=c=x\\=y\\,z temp\\ c=-3.2e-1\n\
         disk\\ one,path=C:\\data free=1\n\
         温度,地点=北京 值=3\n\
         m,host=a v=1 -5",
        &InfluxOptions::default(),
        expect![[r#"
            cpu_usage_user{host="web-1", region="eu"} 1.5@1700000000123 2.5@1700000001000
            cpu_usage_idle{host="web-1", region="eu"} 98@1700000000123
            cpu_up{host="web-1", region="eu"} 1@1700000001000
            cpu_down{host="web-1", region="eu"} 0@1700000001000
            cpu_big{host="web-1", region="eu"} 18446744073709552000@1700000001000
            weather_temp_c{a_b_c="x=y,z", city="San José"} -0.32@1795424400000
            disk_one_free{path="C:\\data"} 1@1795424400000
            温度_值{地点="北京"} 3@1795424400000
            m_v{host="a"} 1@-1
        "#]],
    );
}

#[test]
fn strings_are_counted_and_may_hold_anything() {
    check(
        "log,app=x msg=\"a, b=c \\\"quoted\\\" \n second line\",n=1i 1700000000000000000\nnext v=2 1700000000000000000\nonly s=\"x\"",
        &InfluxOptions::default(),
        expect![[r#"
            log_n{app="x"} 1@1700000000000
            next_v 2@1700000000000
            2 strings
        "#]],
    );
}

#[test]
fn bad_lines_take_no_neighbour_with_them() {
    check(
        "good v=1 1\nnofields\n,host=a v=1\nm,host v=1\nm,=x v=1\nm,host= v=1\nm v\nm =1\nm v=\nm v=1,\nm v=abc\nm v=nan\nm v=1.5i\n\
         m v=9223372036854775808i\nm v=1 soon\nm v=1 99999999999999999999\nm v=\"open\nafter v=3 1\nm v=\"a\"b 1\n... -=1\nlast v=4 1",
        &InfluxOptions::default(),
        expect![[r#"
            good_v 1@0
            after_v 3@0
            last_v 4@0
            REJECT unable to parse 'nofields': missing fields x1: "nofields"
            REJECT unable to parse ',host=a v=1': missing measurement x1: ",host=a v=1"
            REJECT unable to parse 'm,host v=1': missing tag value x1: "m,host v=1"
            REJECT unable to parse 'm,=x v=1': missing tag key x1: "m,=x v=1"
            REJECT unable to parse 'm,host= v=1': missing tag value x1: "m,host= v=1"
            REJECT unable to parse 'm v': invalid field format x1: "m v"
            REJECT unable to parse 'm =1': missing field key x1: "m =1"
            REJECT unable to parse 'm v=': missing field value x1: "m v="
            REJECT unable to parse 'm v=1,': invalid field format x1: "m v=1,"
            REJECT unable to parse 'm v=abc': invalid number "abc" x1: "m v=abc"
            REJECT unable to parse 'm v=nan': invalid number "nan" x1: "m v=nan"
            REJECT unable to parse 'm v=1.5i': invalid number "1.5i" x1: "m v=1.5i"
            REJECT unable to parse 'm v=9223372036854775808i': invalid number "9223372036854775808i" x1: "m v=9223372036854775808i"
            REJECT unable to parse 'm v=1 soon': bad timestamp x1: "m v=1 soon"
            REJECT unable to parse 'm v=1 99999999999999999999': bad timestamp x1: "m v=1 99999999999999999999"
            REJECT unable to parse 'm v="open': invalid field format x1: "m v=\"open"
            REJECT unable to parse 'm v="a"b 1': invalid field format x1: "m v=\"a\"b 1"
            REJECT unable to parse '... -=1': nothing of the name can be kept x1: "... -=1"
        "#]],
    );
    let mut body = b"a v=1 1\nb v=\xff 1\nc,t=\xc3( v=1 1\nd v=2 1".to_vec();
    body.push(b'\n');
    let influx = decode_influx(&body, &InfluxOptions::default(), RECEIVED).unwrap();
    assert_eq!((influx.decoded.series.series.len(), influx.decoded.rejects.len()), (2, 2));
}

#[test]
fn precisions_and_options() {
    for (name, time, want_ms) in [
        ("", "1700000000123456789", 1_700_000_000_123),
        ("n", "1700000000123456789", 1_700_000_000_123),
        ("us", "1700000000123456", 1_700_000_000_123),
        ("u", "1700000000123456", 1_700_000_000_123),
        ("ms", "1700000000123", 1_700_000_000_123),
        ("s", "1700000000", 1_700_000_000_000),
        ("m", "28333333", 1_699_999_980_000),
        ("h", "472222", 1_699_999_200_000),
        ("auto", "1700000000", 1_700_000_000_000),
        ("auto", "1700000000123", 1_700_000_000_123),
        ("auto", "1700000000123456", 1_700_000_000_123),
        ("auto", "1700000000123456789", 1_700_000_000_123),
    ] {
        let options = InfluxOptions { precision: Precision::parse(name).unwrap(), ..InfluxOptions::default() };
        let influx = decode_influx(format!("m v=1 {time}").as_bytes(), &options, RECEIVED).unwrap();
        assert_eq!(influx.decoded.series.series[0].samples[0].time_ms, want_ms, "{name} {time}");
    }
    assert_eq!(Precision::parse("weeks"), None);
    let options =
        InfluxOptions { precision: Precision::Hours, database: "telegraf".to_owned(), skip_single_field: true };
    check(
        "m v=1\nm,db=own v=1,w=2\nm v=1 9223372036854775807",
        &options,
        expect![[r#"
        m{db="telegraf"} 1@1795424400000
        m_v{db="own"} 1@1795424400000
        m_w{db="own"} 2@1795424400000
        REJECT unable to parse 'm v=1 9223372036854775807': time outside range x1: "m v=1 9223372036854775807"
    "#]],
    );
}

#[test]
fn many_bad_lines_are_told_together() {
    let body = "bad\n".repeat(1000);
    let influx = decode_influx(body.as_bytes(), &InfluxOptions::default(), RECEIVED).unwrap();
    assert_eq!((influx.decoded.rejects.len(), influx.decoded.rejected()), (201, 1000));
    assert_eq!(influx.decoded.rejects[200].raw.len(), 800 * 4);
}

fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| if matches!(c, ',' | '=' | ' ') { vec!['\\', c] } else { vec![c] }).collect()
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(
        prop_oneof![2 => any::<u8>(), 5 => prop::sample::select(b"m,=\" \\\n#1i.t".to_vec())], 0..200,
    )) {
        drop(decode_influx(&bytes, &InfluxOptions::default(), RECEIVED)); // any result is fine
    }

    #[test]
    fn every_line_is_kept_or_refused(lines in prop::collection::vec(("[a-z]{1,5}", "[a-z ,=é]{1,6}", any::<i32>(), any::<bool>()), 0..20)) {
        let mut body = String::new();
        for (name, tag, value, good) in &lines {
            let tag = escaped(tag);
            let _ = writeln!(body, "{name},tag={tag} v={value}{} 1700000000000000000", if *good { "" } else { "x" });
        }
        let influx = decode_influx(body.as_bytes(), &InfluxOptions::default(), RECEIVED).unwrap();
        let good = lines.iter().filter(|line| line.3).count();
        prop_assert_eq!(influx.decoded.series.sample_count(), good);
        prop_assert_eq!(influx.decoded.rejected() as usize, lines.len() - good);
        let mut sent: Vec<(String, String)> =
            lines.iter().filter(|line| line.3).map(|line| (format!("{}_v", line.0), line.1.clone())).collect();
        sent.sort();
        sent.dedup();
        let mut kept: Vec<(String, String)> = influx.decoded.series.series.iter()
            .map(|series| (series.labels.metric_name().to_owned(), series.labels.get("tag").unwrap_or("").to_owned()))
            .collect();
        kept.sort();
        prop_assert_eq!(kept, sent);
    }
}
