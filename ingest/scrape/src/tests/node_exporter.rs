//! A real target: Debian's node_exporter, scraped and asked directly.

use std::process::{Child, Command, Stdio};

use super::*;

/// Ends the program with the test.
struct Exporter(Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Names and labels of series, and values of those that stay.
fn direct(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, value)| (series.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs prometheus-node-exporter"]
async fn node_exporter_is_scraped() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
    let child = Command::new("prometheus-node-exporter")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus-node-exporter");
    let mut exporter = Exporter(child);
    let text =
        format!("- job_name: node\n  scrape_timeout: 200ms\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n");
    let scraping = Scraping::start(config(&text));
    let up = |batch: &&SeriesBatch| values(batch)["up{}"] == "1";
    let batch = scraping.book.until(|all| all.iter().find(up).cloned()).await;
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.expect("an answer");
    let direct = direct(&answer.text().await.expect("text"));
    let scraped = values(&batch);
    println!("{} series, {} lines asked directly", scraped.len(), direct.len());
    let same = ["node_memory_MemTotal_bytes", "node_boot_time_seconds", "node_time_zone_offset_seconds"];
    let known: Vec<&str> =
        same.into_iter().filter(|name| direct.keys().any(|series| series.starts_with(*name))).collect();
    assert!(!known.is_empty(), "nothing to compare in {direct:?}");
    for name in known {
        let (series, value) = direct.iter().find(|(series, _)| series.starts_with(name)).expect("there");
        let ours = scraped.iter().find(|(series, _)| series.starts_with(name)).expect("scraped").1;
        let numbers: (f64, f64) = (value.parse().expect("number"), ours.parse().expect("number"));
        assert_eq!(numbers.0.to_bits(), numbers.1.to_bits(), "{series}");
    }
    let names = |series: BTreeMap<String, String>| -> std::collections::BTreeSet<String> {
        series.into_keys().map(|series| series.split('{').next().unwrap_or_default().to_owned()).collect()
    };
    let (ours, theirs) = (names(scraped), names(direct));
    let missing: Vec<&String> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:?} was not scraped");
    let count = scraping.book.count();
    exporter.0.kill().expect("killed");
    let stale =
        scraping.book.until(|all| all[count..].iter().find(|batch| values(batch)["up{}"] == "0").cloned()).await;
    let marked = values(&stale).values().filter(|value| *value == "stale").count();
    assert!(marked > 100, "{marked} series were marked as stale");
    scraping.end().await;
}

/// A key and a certificate for a name that is no address of this machine, signed by themselves.
fn certificate(dir: &Path, name: &str) {
    let made = Command::new("openssl")
        .current_dir(dir)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem"), "-subj", &format!("/CN={name}")])
        .args(["-addext", &format!("subjectAltName=DNS:{name}.example"), "-addext", "basicConstraints=CA:FALSE"])
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl").success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs prometheus-node-exporter and openssl"]
async fn a_target_behind_tls_is_scraped_by_those_who_may() {
    let dir = tempfile::tempdir().expect("directory");
    for name in ["inner", "client", "stranger"] {
        certificate(dir.path(), name);
    }
    let web = "tls_server_config: {cert_file: inner.pem, key_file: inner.key, client_auth_type: RequireAndVerifyClientCert, client_ca_file: client.pem}\n";
    std::fs::write(dir.path().join("web.yml"), web).expect("written");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
    let child = Command::new("prometheus-node-exporter")
        .current_dir(dir.path())
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--web.config.file=web.yml")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus-node-exporter");
    let _exporter = Exporter(child);
    let tls = [
        ("good", "ca_file: inner.pem, server_name: inner.example, cert_file: client.pem, key_file: client.key"),
        ("careless", "insecure_skip_verify: true, cert_file: client.pem, key_file: client.key"),
        ("wrong_name", "ca_file: inner.pem, cert_file: client.pem, key_file: client.key"),
        ("wrong_ca", "ca_file: stranger.pem, server_name: inner.example, cert_file: client.pem, key_file: client.key"),
        ("nobody", "ca_file: inner.pem, server_name: inner.example"),
    ];
    let jobs: String = tls
        .iter()
        .map(|(name, tls)| {
            format!("- {{job_name: {name}, scheme: https, tls_config: {{{tls}}}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n")
        })
        .collect();
    let text = format!("global: {{scrape_interval: 500ms}}\nscrape_configs:\n{jobs}");
    let file = dir.path().join("scrape.yml").display().to_string();
    let scraping = Scraping::start(ScrapeConfig::parse(&[(file, text)]).expect("settings"));
    let of = |job: &str| scraping.manager.snapshot(Some(job)).active_targets.first().cloned();
    for (job, wanted) in [("good", Health::Up), ("careless", Health::Up)] {
        scraping.book.until(|_| of(job).filter(|target| target.health == wanted).map(drop)).await;
    }
    for (job, wanted) in [("wrong_name", "certificate"), ("wrong_ca", "certificate"), ("nobody", "ertificate")] {
        scraping.book.until(|_| of(job).filter(|target| target.health == Health::Down).map(drop)).await;
        let error = of(job).expect("a target").last_error;
        println!("{job}: {error}");
        assert!(error.contains(wanted), "{job}: {error}");
    }
    scraping.end().await;
}
