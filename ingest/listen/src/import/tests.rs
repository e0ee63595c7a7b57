//! Texts that are imported, up to what the store gives back.

use model::Table;
use tower::ServiceExt as _;

use super::*;
use crate::testing::{Rig, series};

async fn send(rig: &Rig, request: ::http::request::Builder, body: impl Into<Body>) -> (u16, String) {
    let router = import_router(Arc::clone(&rig.pipeline));
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

fn to(parameters: &str) -> ::http::request::Builder {
    Request::post(format!("/api/v1/import/prometheus{parameters}"))
}

#[tokio::test]
async fn a_text_says_its_format_or_shows_it() {
    let rig = Rig::new();
    let text = "# TYPE by counter\nby{way=\"text\"} 1 1500\nby{way=\"text\"} 2 2500\n";
    assert_eq!(send(&rig, to(""), text).await, (204, String::new()));
    let open = "# TYPE by_end counter\nby_end_total 1 1.5\nby_end_total 2 2.5\n# EOF\n";
    assert_eq!(send(&rig, to(""), open).await, (204, String::new()));
    let kind = to("").header("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(send(&rig, kind, open.replace("end", "kind")).await, (204, String::new()));
    let form = to("?format=openmetrics&extra_label=from%3Dfile&extra_label=x=").header("content-type", "text/plain");
    assert_eq!(send(&rig, form, "by_word{x=\"y\"} 1 1.5\n# EOF\n").await, (204, String::new()));
    assert_eq!(send(&rig, to("?timestamp=7"), "timeless 1\n").await, (204, String::new()));
    let want = [
        "by{way=\"text\"} [1500, 2500] [1.0, 2.0]",
        "by_end_total [1500, 2500] [1.0, 2.0]",
        "by_kind_total [1500, 2500] [1.0, 2.0]",
        "by_word{from=\"file\"} [1500] [1.0]",
        "timeless [7] [1.0]",
    ];
    assert_eq!(series(&rig), want);
}

#[tokio::test]
async fn a_bad_line_stores_nothing_and_says_which() {
    let rig = Rig::new();
    for (parameters, body, want) in [
        ("", "a 1 1\nb{x=\"1\" 2 1\n", "nothing was stored: line 2: "),
        ("", "a 1\n# EOF trailing\nb x\n", "nothing was stored: line 3: "),
        ("?format=openmetrics", "a 1 1\n", "nothing was stored: data does not end with # EOF"),
        ("?format=json", "a 1 1\n", "format \"json\" is not known: use prometheus or openmetrics\n"),
        ("?timestamp=soon", "a 1\n", "timestamp \"soon\" is no number of milliseconds\n"),
        ("?extra_label=nothing", "a 1\n", "extra_label \"nothing\" is not name=value\n"),
        ("?extra_labels=a=b", "a 1\n", "parameter \"extra_labels\" is not known: use format, "),
    ] {
        let (status, text) = send(&rig, to(parameters), body).await;
        assert!(status == 400 && text.starts_with(want), "{parameters} {body}: {status} {text}");
    }
    let version = to("").header("content-type", "application/openmetrics-text; version=2.0.0");
    assert_eq!(send(&rig, version, "a 1\n# EOF\n").await.0, 415);
    assert_eq!(series(&rig), Vec::<String>::new());
    assert_eq!(rig.rows(Table::Quarantine).len(), 0);
}

#[tokio::test]
async fn a_limit_refuses_series_and_takes_the_others() {
    let rig = Rig::with(|options| options.series.series_per_metric_max = 1, pipeline::PipelineOptions::default());
    let (status, text) = send(&rig, to(""), "a{x=\"1\"} 1 1\na{x=\"2\"} 1 1\nb 1 1\n").await;
    assert_eq!(status, 400);
    assert!(text.contains("series_per_metric_max"), "{text}");
    assert_eq!(series(&rig).len(), 2);
    let busy = Rig::busy().await;
    assert_eq!(send(&busy, to(""), "a 1 1\n").await.0, 429);
}
