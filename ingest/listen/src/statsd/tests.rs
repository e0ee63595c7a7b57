//! Packets over sockets, up to what the store gives back.

use model::Table;
use tokio::net::UdpSocket;

use super::*;
use crate::testing::{ANY_PORT, Rig, send, series_now, text};

const LONG: Duration = Duration::from_secs(3600);

fn start(rig: &Rig, interval: Duration) -> (Statsd, CancellationToken) {
    let shutdown = CancellationToken::new();
    (Statsd::start(StatsdOptions::default(), interval, rig.intake(), shutdown.clone()), shutdown)
}

#[tokio::test]
async fn both_sockets_add_to_the_same_series() {
    let rig = Rig::new();
    let (statsd, shutdown) = start(&rig, LONG);
    let udp = serve_statsd_udp(ANY_PORT, &statsd).await.unwrap();
    let tcp = serve_statsd_tcp(ANY_PORT, &statsd).await.unwrap();
    let long = vec![b'x'; STATSD_LINE_BYTES_MAX + 1];
    send(tcp.address(), &[b"hits:1|c\nbad\n", &long, b"\n_e{3,2}:End|of|#service:cart\nload:5|m", b"s"]).await;
    let sender = UdpSocket::bind(ANY_PORT).await.unwrap();
    sender.send_to(b"hits:2|c|@0.5\nusers:ann|s", udp.address()).await.unwrap();
    // Events and rejects do not wait for a flush.
    assert_eq!(rig.bodies(), ["End\nof"]);
    assert_eq!(rig.rows(Table::Quarantine).len(), 2);
    assert_eq!(text(&rig.rows(Table::Logs)[0], "service.name"), "cart");
    assert!(series_now(&rig).is_empty());
    shutdown.cancel();
    udp.stopped().await;
    tcp.stopped().await;
    let stored = series_now(&rig);
    assert_eq!(stored, ["hits 5", "load histogram", "load_count 1", "load_sum 5", "users 1"]);
    assert_eq!(rig.pipeline.in_flight_bytes(), 0);
}

/// Ten hits that were cut are not one hit.
#[tokio::test]
async fn a_line_that_was_cut_is_not_counted() {
    use tokio::io::AsyncWriteExt as _;
    let rig = Rig::new();
    let (statsd, shutdown) = start(&rig, LONG);
    let tcp = serve_statsd_tcp(ANY_PORT, &statsd).await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(tcp.address()).await.unwrap();
    // The reject says when the line behind it has been read.
    stream.write_all(b"hits:2|c\nbad\nhits:10|c").await.unwrap();
    while rig.rows(Table::Quarantine).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    tcp.stopped().await;
    assert_eq!(series_now(&rig), ["hits 2"]);
    assert_eq!(rig.rows(Table::Quarantine).len(), 2);
}

#[tokio::test]
async fn flushes_come_on_time_and_go_on() {
    let rig = Rig::new();
    let (statsd, shutdown) = start(&rig, Duration::from_millis(20));
    let udp = serve_statsd_udp(ANY_PORT, &statsd).await.unwrap();
    let sender = UdpSocket::bind(ANY_PORT).await.unwrap();
    for want in ["hits 1", "hits 2"] {
        sender.send_to(b"hits:1|c", udp.address()).await.unwrap();
        while series_now(&rig) != [want] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    shutdown.cancel();
    udp.stopped().await;
}

#[tokio::test]
async fn a_busy_store_loses_no_count() {
    let rig = Rig::busy().await;
    let (statsd, shutdown) = start(&rig, LONG);
    let source = Source { protocol: Protocol::Statsd, peer: String::new() };
    statsd.take(&source, [(&b"hits:1|c"[..], String::new())].into_iter()).await.unwrap();
    let busy_before = telemetry::metrics::INGEST_BUSY.get("statsd");
    let flushing = telemetry::spawn("test_flush", {
        let statsd = statsd.clone();
        async move { statsd.flush().await }
    });
    while telemetry::metrics::INGEST_BUSY.get("statsd") == busy_before {
        tokio::task::yield_now().await;
    }
    statsd.take(&source, [(&b"hits:1|c"[..], String::new())].into_iter()).await.unwrap();
    rig.store().flush(false).unwrap();
    flushing.await.unwrap();
    assert_eq!(series_now(&rig), ["hits 1"]);
    // What came meanwhile is in the next flush.
    rig.store().flush(false).unwrap();
    statsd.flush().await;
    assert_eq!(series_now(&rig), ["hits 2"]);
    shutdown.cancel();
}
