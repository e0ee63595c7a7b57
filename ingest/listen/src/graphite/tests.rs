//! Lines and pickles over sockets, up to what the store gives back.

use decode::graphite::Templates;
use model::Table;
use tokio::net::UdpSocket;

use super::*;
use crate::testing::{ANY_PORT, Rig, send, series, tenant, text};

#[tokio::test]
async fn lines_over_tcp_are_stored_when_the_connection_ends() {
    let rig = Rig::new();
    let shutdown = CancellationToken::new();
    let templates = Templates::parse(&["servers.* .host.measurement*"]).unwrap();
    let options = Arc::new(GraphiteOptions { templates });
    let listener = serve_graphite_tcp(ANY_PORT, rig.intake(), options, shutdown.clone()).await.unwrap();
    let long = vec![b'x'; GRAPHITE_LINE_BYTES_MAX + 1];
    let pieces: [&[u8]; 5] =
        [b"servers.web.cpu.load 1 17000", b"00000\nbad\n", &long, b"\nx;a=b 2 1700000001\n", b"last 3 1700000002"];
    send(listener.address(), &pieces).await;
    assert_eq!(
        series(&rig),
        [
            "cpu_load{host=\"web\"} [1700000000000] [1.0]",
            "last [1700000002000] [3.0]",
            "x{a=\"b\"} [1700000001000] [2.0]",
        ]
    );
    let quarantined = rig.rows(Table::Quarantine);
    assert_eq!(quarantined.len(), 2);
    for row in &quarantined {
        assert_eq!((text(row, "protocol"), text(row, "peer")), ("graphite".into(), "127.0.0.1".into()));
    }
    shutdown.cancel();
    listener.stopped().await;
    assert_eq!(rig.pipeline.in_flight_bytes(), 0);
}

/// `b 2 17000` would be a sample of 1970, `b 2` one of now.
#[tokio::test]
async fn a_line_that_was_cut_is_no_sample() {
    use tokio::io::AsyncWriteExt as _;
    let (rig, shutdown) = (Rig::new(), CancellationToken::new());
    let options = Arc::new(GraphiteOptions::default());
    let listener = serve_graphite_tcp(ANY_PORT, rig.intake(), options, shutdown.clone()).await.unwrap();
    let mut reset = tokio::net::TcpStream::connect(listener.address()).await.unwrap();
    reset.write_all(b"a 1 1700000000\nb 2 17000").await.unwrap();
    let mut open = tokio::net::TcpStream::connect(listener.address()).await.unwrap();
    open.write_all(b"c 1 1700000000\nd 2 17000").await.unwrap();
    while series(&rig).len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    socket2::SockRef::from(&reset).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(reset);
    while rig.rows(Table::Quarantine).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    listener.stopped().await;
    assert_eq!(series(&rig), ["a [1700000000000] [1.0]", "c [1700000000000] [1.0]"]);
    let mut reasons: Vec<String> =
        rig.rows(Table::Quarantine).iter().map(|row| format!("{}: {}", row.body(), text(row, "reason"))).collect();
    reasons.sort();
    assert!(reasons[0].starts_with("b 2 17000: the connection was cut before the end of the line"), "{reasons:?}");
    assert!(reasons[1].starts_with("d 2 17000: the server stopped before the end of the line"), "{reasons:?}");
    drop(open);
}

#[tokio::test]
async fn datagrams_and_pickles_are_stored() {
    let rig = Rig::new();
    let shutdown = CancellationToken::new();
    let options = Arc::new(GraphiteOptions::default());
    let stop = || shutdown.clone();
    let udp = serve_graphite_udp(ANY_PORT, rig.intake(), Arc::clone(&options), stop()).await.unwrap();
    let tcp = serve_graphite_pickle(ANY_PORT, rig.intake(), options, stop()).await.unwrap();
    let sender = UdpSocket::bind(ANY_PORT).await.unwrap();
    sender.send_to(b"a.b 1 1700000000\nbad\nc 2 1700000000", udp.address()).await.unwrap();
    // pickle.dumps([("p.q", (1700000000, 1.5))], protocol=2)
    let pickle =
        b"\x80\x02]q\x00X\x03\x00\x00\x00p.qq\x01J\x00\xf1SeG?\xf8\x00\x00\x00\x00\x00\x00\x86q\x02\x86q\x03a.";
    let mut message = u32::try_from(pickle.len()).unwrap().to_be_bytes().to_vec();
    message.extend_from_slice(pickle);
    send(tcp.address(), &[&message, b"\x00\x00\x00\x09half"]).await;
    send(tcp.address(), &[b"GET / HTTP/1.1\r\n"]).await;
    shutdown.cancel();
    udp.stopped().await;
    tcp.stopped().await;
    assert_eq!(series(&rig), ["a_b [1700000000000] [1.0]", "c [1700000000000] [2.0]", "p_q [1700000000000] [1.5]"]);
    // The bad line, half a pickle, and what is no pickle at all.
    assert_eq!(rig.rows(Table::Quarantine).len(), 3);
}

#[tokio::test]
async fn lines_belong_to_the_receivers_tenant() {
    let (rig, shutdown) =
        (Rig::with(|options| options.series.series_per_metric_max = 1, Default::default()), CancellationToken::new());
    let intake = Intake { tenant: tenant("shop"), ..rig.intake() };
    let listener = serve_graphite_tcp(ANY_PORT, intake, Arc::default(), shutdown.clone()).await.unwrap();
    send(listener.address(), &[b"a;l=1 1 1700000000\na;l=2 1 1700000000\nbad\n"]).await;
    send(listener.address(), &[b"a;l=2 1 1700000001\n"]).await;
    shutdown.cancel();
    listener.stopped().await;
    assert_eq!(rig.store().series().tenants(), [tenant("shop")]);
    let quarantined = rig.rows_of(&tenant("shop"), Table::Quarantine);
    let mut reasons: Vec<String> =
        quarantined.iter().map(|row| format!("{}: {}", row.body(), text(row, "reason"))).collect();
    reasons.sort();
    assert_eq!(reasons.len(), 2, "the same limit is told once: {reasons:?}");
    assert!(reasons[0].starts_with("a{l=\"2\"}: series over a limit: the metric has 1 series"), "{reasons:?}");
    assert_eq!(telemetry::metrics::REFUSED_SAMPLES.get("shop", "series_per_metric_max"), 2);
}
