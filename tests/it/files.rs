//! `backstop ingest` on real logs: every line is there, and searches agree with grep.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::server::Server;
use crate::shared::shared;

/// Every log file of the research data: raw text, a web log, syslog, and JSON lines.
fn log_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("directory") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path
                .extension()
                .is_some_and(|ending| ["log", "ndjson", "csv"].iter().any(|known| ending == *known))
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Lines as a reader sees them: a last line without a newline counts.
fn line_count(path: &Path) -> u64 {
    let text = std::fs::read(path).expect("read");
    let newlines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
    newlines + u64::from(text.last().is_some_and(|byte| *byte != b'\n'))
}

fn service(path: &Path) -> String {
    let name = path.file_name().expect("name").to_string_lossy();
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn ingest(server: &Server, path: &Path, format: &str) {
    let (file, service) = (path.display().to_string(), service(path));
    let said = server.cli(&["ingest", &file, "--service", &service, "--format", format, "--url", &server.url]);
    assert!(said.contains(&format!("{} lines sent", line_count(path))), "{said}");
}

#[test]
fn every_line_of_every_log_file_is_stored() {
    let Some(root) = shared("data/logs") else { return };
    let server = Server::start();
    let files = log_files(&root);
    assert!(files.len() > 20, "{files:?}");
    for path in &files {
        ingest(&server, path, "auto");
    }
    let mut all = 0;
    for path in &files {
        let lines = line_count(path);
        let filter = format!("log.file.path:={:?}", path.canonicalize().expect("path").display().to_string());
        assert_eq!(server.count(&filter), lines, "{}", path.display());
        all += lines;
    }
    assert_eq!(server.count("*"), all, "rows in the store, lines in the files");
    assert_eq!(server.count("from quarantine | *"), 0);
}

/// What grep counts, in Rust's own words: lines that hold a match of a regular expression.
fn grep(path: &Path, args: &[&str]) -> u64 {
    let output =
        Command::new("grep").env("LC_ALL", "C.UTF-8").args(["-a", "-c"]).args(args).arg(path).output().expect("grep");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a count")
}

#[test]
fn ten_searches_agree_with_grep() {
    let Some(root) = shared("data/logs") else { return };
    let server = Server::start();
    let searches: [(&str, &str, &[&str]); 12] = [
        ("HDFS/HDFS_2k.log", "terminating", &["-iw", "terminating"]),
        ("HDFS/HDFS_2k.log", "\"PacketResponder 1\"", &["-iw", "PacketResponder 1"]),
        ("HDFS/HDFS_2k.log", "body:~\"blk_-?[0-9]+9\"", &["-E", "blk_-?[0-9]+9"]),
        ("HDFS/HDFS_2k.log", "info !terminating", &["-c", "-P", "^(?=.*(?i:\\binfo\\b))(?!.*(?i:\\bterminating\\b))"]),
        ("BGL/BGL_2k.log", "fatal", &["-iw", "fatal"]),
        ("BGL/BGL_2k.log", "parity or interrupt", &["-iwE", "parity|interrupt"]),
        ("OpenSSH/OpenSSH_2k.log", "\"authentication failure\"", &["-iw", "authentication failure"]),
        ("OpenSSH/OpenSSH_2k.log", "fail*", &["-iP", "\\bfail\\w*"]),
        ("OpenSSH/OpenSSH_2k.log", "~\"rhost=[0-9.]+\"", &["-E", "rhost=[0-9.]+"]),
        ("Apache/Apache_2k.log", "error mod_jk", &["-P", "^(?=.*(?i:\\berror\\b))(?=.*(?i:\\bmod_jk\\b))"]),
        (
            "Spark/Spark_2k.log",
            "\"block broadcast_0\" or ~\"rdd_[0-9]+_1 \"",
            &["-P", "(?i:\\bblock broadcast_0\\b)|rdd_[0-9]+_1 "],
        ),
        ("Linux/Linux_2k.log", "\"check pass\"", &["-iw", "check pass"]),
    ];
    let mut checked = 0;
    let mut loaded = Vec::new();
    for (file, query, args) in searches {
        let path = root.join(file);
        if !path.exists() {
            continue;
        }
        if !loaded.contains(&file) {
            ingest(&server, &path, "raw");
            loaded.push(file);
        }
        let want = grep(&path, args);
        let filter = format!("service.name:={} ({query})", service(&path));
        assert_eq!(server.count(&filter), want, "{filter} against grep {args:?} {file}, from memory");
        checked += 1;
    }
    assert!(checked >= 10, "only {checked} searches had their file");
    let flushed = server.post("/backstop/api/v1/admin/flush?compact=true", &Value::Null);
    assert!(flushed.status().is_success());
    for (file, query, args) in searches {
        let path = root.join(file);
        if path.exists() {
            let filter = format!("service.name:={} ({query})", service(&path));
            assert_eq!(
                server.count(&filter),
                grep(&path, args),
                "{filter} against grep {args:?} {file}, from segments"
            );
        }
    }
}

#[test]
fn formats_are_told_apart_and_fields_become_fields() {
    let server = Server::start();
    let cases = [
        (
            "json",
            "{\"ts\":\"2026-11-23T09:00:00Z\",\"level\":\"error\",\"msg\":\"disk full\",\"disk\":{\"free\":0}}\n",
            "ERROR",
            "disk full",
        ),
        ("logfmt", "ts=2026-11-23T09:00:00Z level=warn msg=\"disk slow\" disk.free=1\n", "WARN", "disk slow"),
        ("syslog", "<131>1 2026-11-23T09:00:00Z db-1 fmt_syslog 7 - - disk gone\n", "ERROR", "disk gone"),
        ("raw", "2026-11-23 09:00:00 disk odd\n", "", "2026-11-23 09:00:00 disk odd"),
    ];
    for (format, line, severity, body) in cases {
        let file = server.path(format);
        std::fs::write(&file, line.repeat(3)).expect("write");
        let service = format!("fmt_{format}");
        let said = server.cli(&["ingest", &file.display().to_string(), "--service", &service, "--url", &server.url]);
        assert!(said.contains("3 lines sent: 3 records stored, 0 quarantined"), "{format}: {said}");
        let rows = server.query(&format!("service.name:={service}"));
        assert_eq!(rows.len(), 3, "{format}");
        assert_eq!(rows[0]["body"], body, "{format}");
        assert_eq!(rows[0]["severity"].as_str().unwrap_or(""), severity, "{format}");
    }
    assert_eq!(server.count("service.name:=fmt_json disk.free:=0"), 3);
    assert_eq!(server.count("service.name:=fmt_logfmt disk.free:<2"), 3);
}
