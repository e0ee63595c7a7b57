use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

/// 2026-11-23T09:00:00Z.
const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn check(format: Format, text: &str, options: &LineOptions, expect: Expect) {
    let decoded = decode_lines(format, text.as_bytes(), RECEIVED, options);
    let mut out = String::new();
    for row in &decoded.logs {
        let _ = write!(out, "{}", row.time);
        for (name, value) in &row.fields {
            let _ = write!(out, " {name}={}", value.to_json());
        }
        out.push('\n');
    }
    for reject in &decoded.rejects {
        let _ = writeln!(out, "REJECT {}: {}", reject.reason, reject.raw.escape_ascii());
    }
    expect.assert_eq(&out);
}

#[test]
fn json_lines() {
    check(
        Format::Json,
        concat!(
            r#"{"time":"2026-11-23T08:00:00.5Z","level":"warn","msg":"m","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","a":{"b":1,"c":[1,{"d":2}]}}"#,
            "\n",
            r#"{"ts":1795424400.25,"lvl":"E","message":"x","service":"cart","hostname":"h1"}"#,
            "\n\n",
            r#"{"@timestamp":"2026-11-23 08:00:00,123","log.level":"notice","body":"b","message":"kept","service":{"name":"ecs"}}"#,
            "\r\n",
            r#"{"level":50,"time":1795424400123,"pid":7,"msg":"pino","trace_id":"not hex"}"#,
            "\n",
            r#"{"time":12,"took":1e3,"ok":true,"none":null,"severity":"weird"}"#,
            "\n",
            "[1]\n{\"a\":\n",
        ),
        &LineOptions { service: Some("fallback".into()), ..LineOptions::default() },
        expect![[r#"
            2026-11-23T08:00:00.5Z severity="WARN" severity_number=13 severity_text="warn" body="m" trace_id="4bf92f3577b34da6a3ce929d0e0e4736" service.name="fallback" a.b=1 a.c=[1,{"d":2}]
            2026-11-23T09:00:00.25Z severity="ERROR" severity_number=17 severity_text="E" body="x" service.name="cart" host.name="h1"
            2026-11-23T08:00:00.123Z severity="INFO" severity_number=9 severity_text="notice" body="b" message="kept" service.name="ecs"
            2026-11-23T09:00:00.123Z severity="ERROR" severity_number=17 severity_text="50" body="pino" service.name="fallback" pid=7 attributes.trace_id="not hex"
            2026-11-23T09:00:00Z severity_text="weird" service.name="fallback" time=12 took=1000 ok=true
            REJECT the line is JSON, but not an object: [1]
            REJECT the line is not JSON: EOF while parsing a value at line 1 column 5: {\"a\":
        "#]],
    );
}

#[test]
fn logfmt_and_raw_lines() {
    let options = LineOptions { file_path: Some("/var/log/x".into()), ..LineOptions::default() };
    check(
        Format::Logfmt,
        "ts=2026-11-23T08:00:00Z level=info msg=\"a b\" n=5\npanic: not logfmt, = or so",
        &options,
        expect![[r#"
            2026-11-23T08:00:00Z severity="INFO" severity_number=9 severity_text="info" body="a b" log.file.path="/var/log/x" n=5
            2026-11-23T09:00:00Z body="panic: not logfmt, = or so" log.file.path="/var/log/x"
        "#]],
    );
    check(
        Format::Raw,
        "  one\r\n\n{\"two\":2}",
        &options,
        expect![[r#"
        2026-11-23T09:00:00Z body="  one" log.file.path="/var/log/x"
        2026-11-23T09:00:00Z body="{\"two\":2}" log.file.path="/var/log/x"
    "#]],
    );
}

#[test]
fn formats_are_detected() {
    for (sample, want) in [
        ("{\"a\":1}\n{\"b\":2}\n{\"cut", Format::Json),
        ("level=info msg=x\nlevel=warn msg=\"y z\"\n", Format::Logfmt),
        ("<34>1 - - - - - - x\n<34>y\n", Format::Syslog),
        ("Jun 14 15:16:01 combo sshd[1]: x\nJun 14 15:16:02 combo su: y\n", Format::Syslog),
        ("[Sun Dec 04 04:47:44 2005] [error] mod_jk child\n", Format::Raw),
        ("took a=1 long time\nand then b=2 more words here\n", Format::Raw),
        ("", Format::Raw),
        ("{not json}\n{nor this}\n", Format::Raw),
    ] {
        assert_eq!(detect(sample.as_bytes()), want, "{sample:?}");
    }
}

/// Files of real systems, when they are beside the repository.
#[test]
fn real_files_are_detected_and_keep_every_line() {
    let root = std::env::var("BACKSTOP_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into());
    let logs = std::path::Path::new(&root).join("data/logs");
    for (path, want) in [
        ("Linux/Linux_2k.log", Format::Syslog),
        ("OpenSSH/OpenSSH_2k.log", Format::Syslog),
        ("auth/auth.log", Format::Syslog),
        ("Mac/Mac_2k.log", Format::Syslog),
        ("web/nginx_plus.ndjson", Format::Json),
        ("web/apache_access.log", Format::Raw),
        ("HDFS/HDFS_2k.log", Format::Raw),
        ("Windows/Windows_2k.log", Format::Raw),
        ("Android/Android_2k.log", Format::Raw),
        ("Spark/Spark_2k.log", Format::Raw),
    ] {
        let Ok(text) = std::fs::read(logs.join(path)) else {
            println!("skipped: {path} is not there");
            continue;
        };
        assert_eq!(detect(&text), want, "{path}");
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        let decoded = decode_lines(want, &text, RECEIVED, &LineOptions::default());
        assert_eq!((decoded.logs.len(), decoded.rejects.len()), (lines, 0), "{path}");
    }
}
