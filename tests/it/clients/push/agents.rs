//! Programs that push metrics: Debian's collectd, and Telegraf and k6 where they were built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{ask, value};
use crate::clients::syslog::Daemon;
use crate::server::Server;
use crate::shared::run;

/// Where `.ci/tools` and `benches/rivals.sh` put programs.
fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/backstop");
    std::env::var_os("CACHE").map_or_else(home, PathBuf::from)
}

/// collectd's files, unpacked by `.ci/tools test`.
fn collectd() -> Option<PathBuf> {
    let root = cache().join("collectd/usr");
    if !root.join("sbin/collectd").exists() {
        println!("skipped: {} is not there (.ci/tools test unpacks it)", root.display());
        return None;
    }
    Some(root)
}

/// collectd with a plugin that measures and one that writes; ends with its test.
fn start_collectd(server: &Server, root: &Path, plugins: &str) -> Daemon {
    let config = format!(
        "Hostname \"box\"\nFQDNLookup false\nInterval 1\nBaseDir \"{work}\"\nPIDFile \"{work}/collectd.pid\"\n\
         PluginDir \"{root}/lib/collectd\"\nTypesDB \"{root}/share/collectd/types.db\"\nLoadPlugin load\n{plugins}",
        work = server.path("").display(),
        root = root.display(),
    );
    let file = server.path("collectd.conf");
    std::fs::write(&file, config).expect("write");
    let mut command = Command::new(root.join("sbin/collectd"));
    command.arg("-f").arg("-C").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    Daemon::start(&mut command)
}

/// Waits until a query finds so many series.
fn await_series(server: &Server, expr: &str, wanted: usize) -> Vec<(Value, f64)> {
    for _ in 0..400 {
        let found = ask(server, expr, None);
        if found.len() >= wanted {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{expr} finds {:?}", ask(server, expr, None));
}

#[test]
fn collectd_writes_to_graphite_what_it_measures() {
    let Some(root) = collectd() else { return };
    let server = Server::start_with("ingest: {graphite: {templates: ['collectd.* .host.measurement*']}}");
    let address = server.listener("graphite_tcp");
    let plugins = format!(
        "LoadPlugin write_graphite\n<Plugin write_graphite>\n<Node \"backstop\">\nHost \"{}\"\nPort \"{}\"\n\
         Protocol \"tcp\"\nPrefix \"collectd.\"\n</Node>\n</Plugin>\n",
        address.ip(),
        address.port(),
    );
    let daemon = start_collectd(&server, &root, &plugins);
    await_series(&server, "load_load_shortterm{host=\"box\"}", 1);
    assert_eq!(ask(&server, "{__name__=~\"load_load_.*\"}", None).len(), 3);
    drop(daemon);
    assert_eq!(server.count("from quarantine *"), 0);
}

#[test]
fn collectd_posts_what_it_measures_in_both_formats() {
    let Some(root) = collectd() else { return };
    for format in ["JSON", "Command"] {
        let server = Server::start();
        let plugins = format!(
            "LoadPlugin cpu\nLoadPlugin memory\n<Plugin cpu>\nReportByCpu true\nReportByState true\nValuesPercentage false\n</Plugin>\n\
             LoadPlugin write_http\n<Plugin write_http>\n<Node \"backstop\">\nURL \"{}/collectd\"\nFormat \"{format}\"\n\
             BufferSize 4096\nLogHttpError true\n</Node>\n</Plugin>\n",
            server.url
        );
        let daemon = start_collectd(&server, &root, &plugins);
        await_series(&server, "collectd_load_shortterm{instance=\"box\"}", 1);
        let cpu = await_series(&server, "collectd_cpu_total{cpu=\"0\", type=\"idle\", instance=\"box\"}", 1);
        assert!(cpu[0].1 > 0.0, "{format}: {cpu:?}");
        await_series(&server, "collectd_memory{memory=\"used\", instance=\"box\"}", 1);
        // A counter that grows: its kind is known, and two readings are a second apart.
        await_series(&server, "rate(collectd_cpu_total{cpu=\"0\", type=\"idle\"}[30s]) > 0", 1);
        let kinds = server.get_json("/api/v1/metadata?metric=collectd_cpu_total");
        assert_eq!(kinds["data"]["collectd_cpu_total"][0]["type"], "counter", "{format}: {kinds}");
        drop(daemon);
        assert_eq!(server.count("from quarantine *"), 0, "{format}");
    }
}

/// The newest program of a name that was built, or a printed reason to skip.
fn built(name: &str) -> Option<PathBuf> {
    let rivals = cache().join("rivals");
    let found = std::fs::read_dir(&rivals).into_iter().flatten().flatten();
    let built = found.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{name}-v")));
    let found = built.map(|entry| entry.path().join(name)).filter(|path| path.exists()).max();
    if found.is_none() {
        println!("skipped: no {name} in {} (benches/rivals.sh {name} builds it)", rivals.display());
    }
    found
}

#[test]
fn telegraf_writes_both_versions_of_influxdb_and_graphite() {
    let Some(program) = built("telegraf") else { return };
    let server = Server::start();
    let config = format!(
        "[agent]\n interval = \"1s\"\n flush_interval = \"1s\"\n hostname = \"box\"\n[[inputs.mem]]\n[[inputs.system]]\n\
         [[outputs.influxdb]]\n urls = [\"{url}\"]\n database = \"one\"\n\
         [[outputs.influxdb_v2]]\n urls = [\"{url}\"]\n token = \"t\"\n organization = \"o\"\n bucket = \"two\"\n\
         [[outputs.graphite]]\n servers = [\"{graphite}\"]\n prefix = \"tg\"\n graphite_tag_support = true\n",
        url = server.url,
        graphite = server.listener("graphite_tcp"),
    );
    let file = server.path("telegraf.conf");
    std::fs::write(&file, config).expect("write");
    let mut command = Command::new(program);
    command.arg("--config").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    let daemon = Daemon::start(&mut command);
    let wanted = ["mem_free{db=\"one\"}", "mem_free{db=\"two\"}", "system_uptime{db=\"two\"}", "tg_mem_free"];
    for expr in wanted {
        let found = || ask(&server, expr, None);
        for _ in 0..400 {
            if !found().is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(found().len(), 1, "{expr}");
        assert_eq!(found()[0].0["host"], "box");
    }
    drop(daemon);
    assert_eq!(server.count("from quarantine *"), 0);
}

/// A load test with numbers of its own: what its metrics are in the end is known.
const LOAD_TEST: &str = r#"
import http from 'k6/http';
import { check } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
export const options = { scenarios: { orders: { executor: 'per-vu-iterations', vus: 1, iterations: 50 } } };
const sizes = new Trend('sizes'), waits = new Trend('waits', true), made = new Counter('made');
const left = new Gauge('left'), good = new Rate('good');
export default function () {
  const answer = http.get(__ENV.TARGET, { tags: { name: 'health' } });
  check(answer, { 'answered 200': (answer) => answer.status === 200 });
  sizes.add(__ITER + 1, { kind: 'web' });
  waits.add(250);
  made.add(2);
  left.add(50 - __ITER - 1);
  good.add(__ITER % 5 !== 0);
}
"#;

/// Runs it, and gives the server that took what it wrote.
fn load_tested(program: &Path, variables: &[(&str, &str)]) -> Server {
    let server = Server::start();
    let file = server.path("load.js");
    std::fs::write(&file, LOAD_TEST).expect("write");
    let mut command = Command::new(program);
    command.args(["run", "--quiet", "--no-usage-report", "-o", "experimental-prometheus-rw"]).arg(&file);
    command.env("TARGET", format!("{}/health", server.url));
    command.env("K6_PROMETHEUS_RW_SERVER_URL", format!("{}/api/v1/write", server.url));
    command.env("K6_PROMETHEUS_RW_PUSH_INTERVAL", "1s");
    run(command.env("HOME", server.path("")).current_dir(server.path("")).envs(variables.iter().copied()));
    assert_eq!(server.count("from quarantine *"), 0);
    server
}

#[test]
fn k6_writes_trends_as_gauges() {
    let Some(program) = built("k6") else { return };
    let stats = ("K6_PROMETHEUS_RW_TREND_STATS", "p(90),p(99.9),min,max,avg,med,count,sum");
    let server = load_tested(&program, &[stats]);
    let last = |metric: &str| value(&server, &format!("last_over_time({metric}[5m])"), None);
    let sizes = ["min", "max", "avg", "med", "count", "sum", "p90"];
    let found = sizes.map(|stat| last(&format!("k6_sizes_{stat}{{kind=\"web\", scenario=\"orders\"}}")));
    assert_eq!(found, [1.0, 50.0, 25.5, 25.5, 50.0, 1275.0, 45.1]);
    assert!((last("k6_sizes_p999") - 49.951).abs() < 1e-9, "{}", last("k6_sizes_p999"));
    // Times are seconds.
    assert_eq!(last("k6_waits_max"), 0.25);
    assert_eq!((last("k6_made_total"), last("k6_left"), last("k6_good_rate")), (100.0, 0.0, 0.8));
    assert_eq!((last("k6_iterations_total"), last("k6_checks_rate{check=\"answered 200\"}")), (50.0, 1.0));
    assert_eq!(last("k6_http_reqs_total{name=\"health\", status=\"200\", method=\"GET\"}"), 50.0);
    // Of times k6 divides the count by a thousand too.
    assert_eq!(last("k6_http_req_duration_count{name=\"health\"}"), 0.05);
}

#[test]
fn k6_writes_trends_as_native_histograms_and_ends_its_series() {
    let Some(program) = built("k6") else { return };
    let native = ("K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM", "true");
    let server = load_tested(&program, &[native, ("K6_PROMETHEUS_RW_STALE_MARKERS", "true")]);
    assert_eq!(ask(&server, "{__name__=~\"k6_.*\"}", None), [], "markers end every series");
    let last = |of: &str, metric: &str| value(&server, &format!("{of}(last_over_time({metric}[5m]))"), None);
    assert_eq!(last("histogram_count", "k6_sizes{kind=\"web\"}"), 50.0);
    assert_eq!(last("histogram_sum", "k6_sizes"), 1275.0);
    let median = value(&server, "histogram_quantile(0.5, last_over_time(k6_sizes[5m]))", None);
    assert!((23.0..=28.0).contains(&median), "{median}");
    assert_eq!(last("histogram_count", "k6_waits_seconds"), 50.0);
    assert_eq!(last("histogram_avg", "k6_waits_seconds"), 0.25);
    assert_eq!(last("histogram_count", "k6_http_req_duration_seconds{name=\"health\"}"), 50.0);
    assert_eq!(value(&server, "last_over_time(k6_made_total[5m])", None), 100.0);
}
