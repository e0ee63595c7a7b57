//! A target for scrapes: every look at it is a step of its counters.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The step at which a counter begins again from zero.
const RESET_AT: u64 = 30;
/// Bounds of the classic histogram, in seconds.
const BOUNDS: [f64; 6] = [0.005, 0.05, 0.25, 1.0, 2.5, 10.0];

/// The target. It ends when it is dropped.
pub(super) struct Exporter {
    pub(super) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, step) = (Arc::clone(&stop), Arc::new(AtomicU64::new(0)));
        let serve = move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), step) = (stream, Arc::clone(&step)) else { continue };
                // Prometheus keeps the connection, so each has a thread; it ends with the connection.
                named(move || answer(stream, &step));
            }
        };
        let thread = named(serve);
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn named(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name("exporter".to_owned()).spawn(work).expect("a thread")
}

fn answer(mut stream: TcpStream, step: &AtomicU64) {
    drop(stream.set_read_timeout(Some(Duration::from_secs(30))));
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..read]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let asked = String::from_utf8_lossy(&request).into_owned();
        request.clear();
        let step = step.fetch_add(1, Ordering::SeqCst);
        let (kind, body) = if asked.starts_with("GET /exemplars ") {
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", exemplars(step))
        } else {
            ("text/plain; version=0.0.4; charset=utf-8", metrics(step))
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).is_err() {
            return;
        }
    }
}

/// What the target says at a step.
fn metrics(step: u64) -> String {
    let mut text = String::from("# HELP shop_requests_total Requests taken.\n# TYPE shop_requests_total counter\n");
    let services = ["cart", "checkout", "search engine", "Zoë \\\"客户\\\"", "back\\\\slash"];
    for (at, service) in (1..).zip(services) {
        for (code, factor) in [("200", 7), ("404", 2), ("500", 1)] {
            let count = if step >= RESET_AT && at % 2 == 0 { step - RESET_AT } else { step };
            let value = count * factor * at;
            text += &format!("shop_requests_total{{service=\"{service}\",code=\"{code}\"}} {value}\n");
        }
    }
    let angle = step as f64 / 5.0;
    text += "# HELP shop_temperature_celsius Temperature.\n# TYPE shop_temperature_celsius gauge\n";
    for (room, shift) in [("hall", 0.0), ("cellar", 1.0), ("roof", 2.5)] {
        text += &format!("shop_temperature_celsius{{room=\"{room}\"}} {}\n", 20.0 + 5.0 * (angle + shift).sin());
    }
    text += "# TYPE shop_queue_depth gauge\n";
    for (queue, every) in [("mail", 3), ("orders", 5), ("always", 1)] {
        // A series that comes and goes: Prometheus ends it with a staleness marker.
        if (step / every).is_multiple_of(2) || every == 1 {
            text += &format!("shop_queue_depth{{queue=\"{queue}\"}} {}\n", (step * every) % 11);
        }
    }
    text += "# TYPE shop_odd gauge\n";
    for (kind, value) in [("nan", "NaN"), ("up", "+Inf"), ("down", "-Inf"), ("tiny", "5e-324"), ("huge", "1.7e308")] {
        text += &format!("shop_odd{{kind=\"{kind}\"}} {value}\n");
    }
    text += &format!("shop_untyped {}\nshop_build_info{{version=\"1.2\",revision=\"abc\"}} 1\n", step as f64 / 3.0);
    text += &histogram(step);
    text += "# TYPE shop_rpc_seconds summary\n";
    for quantile in ["0.5", "0.9", "0.99"] {
        text += &format!("shop_rpc_seconds{{quantile=\"{quantile}\"}} {}\n", 0.1 + angle.cos().abs());
    }
    text + &format!("shop_rpc_seconds_sum {}\nshop_rpc_seconds_count {}\n", step as f64 * 0.3, step * 2)
}

/// A counter and a histogram that name traces, as OpenMetrics has it; every few steps a trace is a new one.
fn exemplars(step: u64) -> String {
    let mut text = String::from("# TYPE shop_orders counter\n");
    for service in ["cart", "checkout"] {
        let (trace, value) = (step / 5, step * 2);
        text += &format!(
            "shop_orders_total{{service=\"{service}\"}} {value} # {{trace_id=\"{service}-{trace}\",span_id=\"é\"}} {trace}.5\n"
        );
    }
    text += "# TYPE shop_order_seconds histogram\n";
    for (at, bound) in [(1, "0.1"), (2, "1.0"), (3, "+Inf")] {
        let trace = step / 7;
        text += &format!(
            "shop_order_seconds_bucket{{le=\"{bound}\"}} {} # {{trace_id=\"{bound}-{trace}\"}} 0.0{at}\n",
            step * at
        );
    }
    text + &format!("shop_order_seconds_sum {}\nshop_order_seconds_count {}\n# EOF\n", step, step * 3)
}

fn histogram(step: u64) -> String {
    let mut text = String::from("# HELP shop_latency_seconds Time to answer.\n# TYPE shop_latency_seconds histogram\n");
    for (service, weight) in [("cart", 1), ("checkout", 3)] {
        let mut total = 0;
        for (at, bound) in (1..).zip(BOUNDS) {
            total += step * at * weight;
            text += &format!("shop_latency_seconds_bucket{{service=\"{service}\",le=\"{bound}\"}} {total}\n");
        }
        total += step / 4;
        text += &format!("shop_latency_seconds_bucket{{service=\"{service}\",le=\"+Inf\"}} {total}\n");
        text += &format!("shop_latency_seconds_sum{{service=\"{service}\"}} {}\n", total as f64 * 0.7);
        text += &format!("shop_latency_seconds_count{{service=\"{service}\"}} {total}\n");
    }
    text
}
