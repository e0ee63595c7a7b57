//! util-linux `logger`, rsyslog and syslog-ng, as Debian ships them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::assert_fields;
use crate::server::Server;
use crate::shared::{program, run};

/// A daemon that ends with its test.
pub(super) struct Daemon(Child);

impl Daemon {
    pub(super) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn logger(server: &Server, listener: &str, args: &[&str]) -> Option<()> {
    let logger = program("logger")?;
    let address = server.listener(listener);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    run(Command::new(logger).args(["--server", &host, "--port", &port]).args(args));
    Some(())
}

#[test]
fn logger_over_tcp_in_rfc_5424_with_structured_data() {
    let server = Server::start();
    let args = [
        "--tcp",
        "--octet-count",
        "--rfc5424",
        "-p",
        "local3.err",
        "-t",
        "orders",
        "--id=4711",
        "--msgid",
        "PAY",
        "--sd-id",
        "shop@32473",
        "--sd-param",
        "order=\"991\"",
        "--sd-param",
        "quote=\"a\\\"b\"",
        "card declined: Zoë 客户",
    ];
    let Some(()) = logger(&server, "syslog_tcp", &args) else { return };
    let rows = server.await_rows("card declined", 1);
    assert_eq!(rows.len(), 1);
    let want = json!({
        "body": "card declined: Zoë 客户",
        "severity": "ERROR",
        "service.name": "orders",
        "process.pid": 4711,
        "syslog.msgid": "PAY",
        "shop@32473.order": "991",
        "shop@32473.quote": "a\"b",
    });
    assert_fields(&rows[0], &want);
    assert!(rows[0]["host.name"].as_str().is_some_and(|host| !host.is_empty()), "{:#}", rows[0]);
    assert_eq!(server.count("severity:ERROR service.name:=orders"), 1);
}

#[test]
fn logger_in_rfc_3164_over_udp_and_newline_framed_tcp() {
    let server = Server::start();
    for (listener, transport) in [("syslog_udp", "--udp"), ("syslog_tcp", "--tcp")] {
        let body = format!("session opened via {transport}");
        let args = [transport, "--rfc3164", "-p", "auth.notice", "-t", "sshd", "--id=99", &body];
        let Some(()) = logger(&server, listener, &args) else { return };
        let rows = server.await_rows(&format!("\"opened via\" body:~\"{transport}$\""), 1);
        let want = json!({"body": body, "severity": "INFO", "service.name": "sshd", "process.pid": 99});
        assert_fields(&rows[0], &want);
        assert!(rows[0]["_time"].as_str().is_some_and(|time| time.starts_with("20")), "{:#}", rows[0]);
    }
}

/// Lines as programs write them, one with bytes that are not UTF-8.
fn sample_lines() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> =
        (0..200).map(|i| format!("request {i} served path=/orders/{i} in {} ms", i * 7 % 97).into_bytes()).collect();
    lines.push("ünïcödé 日志 ✓".into());
    lines
}

fn check_sample_lines(server: &Server, service: &str) {
    let lines = sample_lines();
    let filter = format!("service.name:={service}");
    let rows = server.await_rows(&filter, lines.len());
    assert_eq!(rows.len(), lines.len());
    for line in &lines {
        let body = String::from_utf8_lossy(line);
        let found: Vec<_> = rows.iter().filter(|row| row["body"] == *body).collect();
        assert_eq!(found.len(), 1, "{body:?} is there {} times", found.len());
        assert_fields(found[0], &json!({"severity": "INFO", "service.name": service}));
        assert!(found[0]["host.name"].is_string(), "{:#}", found[0]);
    }
}

fn write_lines(path: &Path) {
    let mut text = sample_lines().join(&b'\n');
    text.push(b'\n');
    std::fs::write(path, text).expect("write");
}

#[test]
fn rsyslog_over_tcp_in_rfc_5424_octet_counted() {
    let Some(rsyslogd) = program("rsyslogd") else { return };
    let server = Server::start();
    let input = server.path("rsyslog.in");
    write_lines(&input);
    let address = server.listener("syslog_tcp");
    let config = format!(
        "global(workDirectory=\"{work}\")\nmodule(load=\"imfile\" mode=\"inotify\")\n\
         input(type=\"imfile\" File=\"{input}\" Tag=\"rsys-app\" Severity=\"info\" Facility=\"local2\")\n\
         action(type=\"omfwd\" target=\"{ip}\" port=\"{port}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" template=\"RSYSLOG_SyslogProtocol23Format\")\n",
        work = server.path("").display(),
        input = input.display(),
        ip = address.ip(),
        port = address.port(),
    );
    let file = server.path("rsyslog.conf");
    std::fs::write(&file, config).expect("write");
    let daemon = Command::new(rsyslogd)
        .arg("-n")
        .arg("-f")
        .arg(&file)
        .arg("-i")
        .arg(server.path("rsyslog.pid"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let daemon = Daemon(daemon.expect("rsyslogd starts"));
    check_sample_lines(&server, "rsys-app");
    drop(daemon);
}

/// syslog-ng's files, unpacked by `.ci/tools test`; installing the package would remove rsyslog.
fn syslog_ng() -> Option<(PathBuf, String)> {
    let cache = PathBuf::from(std::env::var_os("HOME")?).join(".cache/backstop/syslog-ng");
    let program = cache.join("usr/sbin/syslog-ng");
    if !program.exists() {
        println!("skipped: {} is not there (.ci/tools test unpacks it)", program.display());
        return None;
    }
    Some((program, cache.join("usr/lib/syslog-ng").display().to_string()))
}

#[test]
fn syslog_ng_over_tcp_in_rfc_5424() {
    let Some((program, lib)) = syslog_ng() else { return };
    let server = Server::start();
    let input = server.path("sng.in");
    write_lines(&input);
    let address = server.listener("syslog_tcp");
    let modules = format!("{lib}/3.38");
    let config = format!(
        "@version: 3.38\n@module afsocket\n@module affile\n@module syslogformat\noptions {{ stats-freq(0); keep-hostname(no); }};\n\
         source s {{ file(\"{input}\" follow-freq(0.1) flags(no-parse) program-override(\"sng-app\") default-priority(info)); }};\n\
         destination d {{ syslog(\"{ip}\" port({port}) transport(\"tcp\")); }};\nlog {{ source(s); destination(d); }};\n",
        input = input.display(),
        ip = address.ip(),
        port = address.port(),
    );
    let file = server.path("sng.conf");
    std::fs::write(&file, config).expect("write");
    let daemon = Command::new(program)
        .args(["-F", "--no-caps", "-f"])
        .arg(&file)
        .arg("-R")
        .arg(server.path("sng.persist"))
        .arg("-c")
        .arg(server.path("sng.ctl"))
        .arg("-p")
        .arg(server.path("sng.pid"))
        .arg(format!("--module-path={modules}"))
        .env("LD_LIBRARY_PATH", format!("{lib}:{modules}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let daemon = Daemon(daemon.expect("syslog-ng starts"));
    check_sample_lines(&server, "sng-app");
    drop(daemon);
}

#[test]
fn bytes_that_are_not_utf_8_stay_readable() {
    use std::io::Write as _;
    let server = Server::start();
    let mut stream = std::net::TcpStream::connect(server.listener("syslog_tcp")).expect("connect");
    stream.write_all(b"<134>1 2026-11-23T09:00:00.123456Z web-1 latin 12 - - caf\xe9 ol\xe9\n").expect("write");
    let rows = server.await_rows("service.name:=latin", 1);
    let body = rows[0]["body"].as_str().expect("body");
    assert!(body.starts_with("caf") && body.contains(" ol"), "{body}");
    assert_fields(&rows[0], &json!({"host.name": "web-1", "process.pid": 12, "_time": "2026-11-23T09:00:00.123456Z"}));
    assert!(rows[0]["raw_base64"].is_string(), "the bytes as sent are kept: {:#}", rows[0]);
}
