use model::Table;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::testing::{Rig, text};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn serve(rig: &Rig) -> (Listener, CancellationToken) {
    let shutdown = CancellationToken::new();
    (serve_syslog_tcp(ANY_PORT, rig.intake(), shutdown.clone()).await.unwrap(), shutdown)
}

/// Sends and closes; resolves when the receiver has closed its side too, after it has stored everything.
async fn send(address: SocketAddr, pieces: &[&[u8]]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn both_framings_are_stored_and_an_unterminated_end_is_kept() {
    let rig = Rig::new();
    let (listener, shutdown) = serve(&rig).await;
    let pieces: [&[u8]; 3] = [
        b"<13>Nov 23 08:59:59 h a[1]: one\n21 <13>1 - h ",
        b"a - - - two<13>1 - h a - - - thr",
        b"ee\n<14>\n<13>b: last",
    ];
    send(listener.address(), &pieces).await;
    assert_eq!(rig.bodies(), ["last", "one", "three", "two"]);
    let quarantined = &rig.rows(Table::Quarantine)[0];
    assert_eq!((quarantined.body(), text(quarantined, "peer")), ("<14>", "127.0.0.1".to_owned()));
    shutdown.cancel();
    listener.stopped().await;
}

#[tokio::test]
async fn a_shutdown_stores_what_was_read() {
    let rig = Rig::new();
    let (listener, shutdown) = serve(&rig).await;
    let mut stream = TcpStream::connect(listener.address()).await.unwrap();
    stream.write_all(b"<13>a: whole\n<13>a: begun").await.unwrap();
    while rig.rows(Table::Logs).is_empty() {
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    listener.stopped().await;
    assert_eq!(rig.bodies(), ["begun", "whole"]);
}

#[tokio::test]
async fn a_busy_store_holds_the_connection_and_loses_nothing() {
    let rig = Rig::busy().await;
    let (listener, shutdown) = serve(&rig).await;
    let address = listener.address();
    let busy_before = telemetry::metrics::INGEST_BUSY.get("syslog_tcp");
    let sender = telemetry::spawn("test_sender", async move { send(address, &[b"<13>a: held\n"]).await });
    while telemetry::metrics::INGEST_BUSY.get("syslog_tcp") == busy_before {
        tokio::task::yield_now().await;
    }
    assert!(!sender.is_finished() && rig.rows(Table::Logs).is_empty());
    rig.store().flush(false).unwrap();
    sender.await.unwrap();
    assert_eq!(rig.bodies(), ["held"]);
    shutdown.cancel();
    listener.stopped().await;
}
