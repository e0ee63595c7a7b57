//! Requests as collectd sends them, up to what the store gives back.

use model::Table;
use pipeline::PipelineOptions;
use tower::ServiceExt as _;

use super::*;
use crate::testing::{Rig, series, tenant, text};

/// Status and body.
async fn send(rig: &Rig, request: ::http::request::Builder, body: impl Into<Body>) -> (u16, String) {
    let router = collectd_router(Arc::clone(&rig.pipeline), Arc::default());
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

const LOAD: &str = r#"[{"values":[0.5],"dstypes":["gauge"],"dsnames":["value"],"time":1.5,"host":"h","plugin":"cpu","type":"percent"}]"#;

#[tokio::test]
async fn both_forms_and_both_paths_store() {
    let rig = Rig::new();
    let json = Request::post("/collectd").header("content-type", "application/json");
    assert_eq!(send(&rig, json, LOAD).await, (204, String::new()));
    let lines = "PUTVAL h/cpu-0/cpu-idle interval=10.000 2.000:7\r\n";
    let command = Request::post("/collectd-post").header("content-type", "text/plain");
    assert_eq!(send(&rig, command, lines).await, (204, String::new()));
    let stored = [
        "collectd_cpu_percent{instance=\"h\"} [1500] [0.5]",
        "collectd_cpu_total{cpu=\"0\", instance=\"h\", type=\"idle\"} [2000] [7.0]",
    ];
    assert_eq!(series(&rig), stored);
    assert_eq!(rig.store().series().metadata(&TenantId::default(), None).len(), 2);
}

#[tokio::test]
async fn what_is_refused_is_told_and_kept() {
    let rig = Rig::new();
    let (status, said) = send(&rig, Request::post("/collectd"), "PUTVAL h/cpu/cpu 1:1\nPUTVAL h/x/y 1:1\nwhat\n").await;
    assert_eq!(status, 400);
    assert!(
        said.starts_with("the type \"y\" is not known: set Format \"JSON\"") && said.contains("; 1 more were"),
        "{said}"
    );
    assert_eq!(series(&rig).len(), 1);
    let rows = rig.rows(Table::Quarantine);
    assert_eq!((rows.len(), rows[0].body(), &*text(&rows[0], "protocol")), (2, "PUTVAL h/x/y 1:1", "collectd"));
    assert_eq!(send(&rig, Request::post("/collectd").header("x-scope-orgid", "a/b"), LOAD).await.0, 400);
    assert_eq!(send(&rig, Request::post("/collectd").header("content-encoding", "br"), LOAD).await.0, 415);
}

#[tokio::test]
async fn a_series_over_a_limit_is_told_and_its_tenant_is_kept_apart() {
    let rig = Rig::with(|options| options.series.series_per_tenant_max = 1, PipelineOptions::default());
    let lines = "PUTVAL h/cpu-0/cpu 1:1\nPUTVAL h/cpu-1/cpu 1:1\n";
    let (status, said) = send(&rig, Request::post("/collectd").header("x-scope-orgid", "shop"), lines).await;
    assert_eq!(status, 400);
    assert!(said.contains("series_per_tenant_max"), "{said}");
    assert_eq!(rig.rows_of(&tenant("shop"), Table::Quarantine).len(), 1);
    assert_eq!(rig.store().series().tenants(), [tenant("shop")]);
}
