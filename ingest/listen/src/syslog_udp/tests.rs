use std::net::IpAddr;

use model::Table;
use telemetry::metrics::UDP_DROPPED;
use tokio::net::UdpSocket;

use super::*;
use crate::testing::{Rig, text};

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[tokio::test]
async fn datagrams_are_stored_with_their_fields_and_a_bad_one_alone_is_not() {
    let rig = Rig::new();
    let shutdown = CancellationToken::new();
    let listener = serve_syslog_udp(ANY_PORT, rig.intake(), shutdown.clone()).await.unwrap();
    let sender = UdpSocket::bind(ANY_PORT).await.unwrap();
    for message in [
        &b"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [ex@1 k=\"v\"] one\n"[..],
        b"<14>",
        b"<13>Nov 23 08:59:59 h a: caf\xe9\0",
    ] {
        sender.send_to(message, listener.address()).await.unwrap();
    }
    // What the socket holds when the shutdown begins is stored.
    shutdown.cancel();
    listener.stopped().await;
    let rows = rig.rows(Table::Logs);
    assert_eq!(rig.bodies(), ["caf\u{fffd}", "one"]);
    assert_eq!((text(&rows[0], "ex@1.k").as_str(), text(&rows[0], "severity").as_str()), ("v", "INFO"));
    assert!(!text(&rows[1], "raw_base64").is_empty());
    let quarantined = &rig.rows(Table::Quarantine)[0];
    assert_eq!((text(quarantined, "peer"), text(quarantined, "protocol")), ("127.0.0.1".into(), "syslog_udp".into()));
    assert_eq!(rig.pipeline.in_flight_bytes(), 0);
}

#[tokio::test]
async fn what_does_not_fit_in_the_queue_is_counted() {
    let rig = Rig::with(|_| {}, pipeline::PipelineOptions { in_flight_bytes_max: 10 });
    let shutdown = CancellationToken::new();
    let listener = serve_syslog_udp(ANY_PORT, rig.intake(), shutdown.clone()).await.unwrap();
    let sender = UdpSocket::bind(ANY_PORT).await.unwrap();
    let dropped_before = UDP_DROPPED.get();
    sender.send_to(b"<13>too long for the budget", listener.address()).await.unwrap();
    shutdown.cancel();
    listener.stopped().await;
    assert_eq!(UDP_DROPPED.get() - dropped_before, 1);
    assert!(rig.bodies().is_empty());
}
