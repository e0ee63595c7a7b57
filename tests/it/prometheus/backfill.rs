//! A file of OpenMetrics, by promtool into Prometheus and by `backstop import` into Backstop: the same answers.

use std::process::Command;

use super::daemon::{Api, Prometheus, debian, seconds};
use crate::metrics::backfill::{FILE_SAMPLES, open_metrics};
use crate::server::Server;
use crate::shared::run;

const INSTANCES: u64 = 3;
/// How far behind samples it is asked, so that none is at the edge of a window: releases of Prometheus differ there.
const BESIDE_MS: i64 = 7_000;

#[test]
fn promtools_blocks_and_an_import_say_the_same() {
    let (Some(promtool), Some(program)) = (debian("promtool"), debian("prometheus")) else { return };
    let dir = tempfile::tempdir().expect("temporary directory");
    let begin_s = telemetry::clock::now().millis() / 1000 - 3 * 86_400;
    let file = dir.path().join("filled.om");
    std::fs::write(&file, open_metrics(begin_s, INSTANCES)).expect("written");
    let blocks = dir.path().join("blocks");
    run(Command::new(promtool).args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&file).arg(&blocks));
    let prometheus = Prometheus::over(&program, &blocks);
    let server = Server::start();
    server.cli(&["import", &file.display().to_string(), "--url", &server.url]);
    let (theirs, ours) = (Api::new(&prometheus.url), Api::new(&server.url));
    let (from, to) = (seconds(begin_s * 1000 + BESIDE_MS), seconds((begin_s + FILE_SAMPLES * 60) * 1000 + BESIDE_MS));
    for query in [
        "filled_requests_total",
        "filled_seconds_bucket",
        "rate(filled_requests_total[5m])",
        "sum by (le) (increase(filled_seconds_bucket[10m]))",
        "filled_seconds_sum",
    ] {
        let form = [("query", query), ("start", from.as_str()), ("end", to.as_str()), ("step", "300")];
        let sorted = |api: &Api| {
            let data = api.data("/api/v1/query_range", &form);
            let mut series: Vec<String> =
                data["result"].as_array().expect("series").iter().map(ToString::to_string).collect();
            series.sort();
            series
        };
        let (theirs, ours) = (sorted(&theirs), sorted(&ours));
        assert!(!theirs.is_empty(), "{query}");
        let differing = theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours);
        assert!(theirs.len() == ours.len() && differing.is_none(), "{query}: {differing:?}");
    }
}
