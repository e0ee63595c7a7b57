//! Whether Backstop itself can be trusted: what is measured late, or not at all, must not look like somebody else's fault.
//!
//! One thread takes the pulse: does the clock go on evenly, does this process run, does what is sent come in? The rest is asked for when
//! somebody wants to know. Guards and watches ask the same [`OwnHealth`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::RuleBoard;
use model::Timestamp;
use parking_lot::Mutex;
use store::Store;
use telemetry::{clock, metrics};
use watch::SelfHealth;

use super::{Stop, thread};

/// How often the pulse is taken.
const BEAT: Duration = Duration::from_secs(1);
/// The clock may be set by this much between two beats: time servers slew, and only step from more on.
const CLOCK_STEP_MAX: Duration = Duration::from_secs(2);
/// How long a step of the clock makes what is measured suspect: windows of rules and watches reach over it.
const CLOCK_SUSPECT: Duration = Duration::from_secs(60);
/// So much time between two beats means that this process stood still, and what was sent meanwhile waits.
const STALL_MIN: Duration = Duration::from_secs(10);
/// How long that makes what is measured suspect: receivers catch up.
const STALL_SUSPECT: Duration = Duration::from_secs(20);
/// How long it does that senders were told to come again: they do so after some seconds.
const REFUSED_SUSPECT: Duration = Duration::from_secs(20);
/// The protocols whose senders can be told to come again.
const SENDERS: [&str; 11] = [
    "syslog_udp",
    "syslog_tcp",
    "otlp_http",
    "otlp_grpc",
    "remote_write",
    "influx",
    "graphite",
    "statsd",
    "collectd",
    "import",
    "native",
];

/// What speaks against the measuring itself.
pub(crate) struct OwnHealth {
    store: Arc<Store>,
    board: Arc<RuleBoard>,
    began: Instant,
    pulse: Mutex<Pulse>,
}

impl OwnHealth {
    /// Of a store, and of the rules over it.
    pub(crate) fn new(store: &Arc<Store>, board: &Arc<RuleBoard>) -> Arc<Self> {
        let (store, board) = (Arc::clone(store), Arc::clone(board));
        Arc::new(Self { store, board, began: Instant::now(), pulse: Mutex::default() })
    }

    fn beat(&self) {
        let beat = Beat { wall: clock::now(), steady: self.began.elapsed(), refused: refused() };
        self.pulse.lock().take(beat);
        metrics::SELF_SUSPECT.set(if self.suspect(beat.wall).is_some() { 1.0 } else { 0.0 });
    }
}

impl SelfHealth for OwnHealth {
    fn suspect(&self, now: Timestamp) -> Option<String> {
        if let Some(fault) = self.store.fault() {
            return Some(format!("the store is out of use: {fault}"));
        }
        self.pulse.lock().suspect(self.began.elapsed()).or_else(|| self.board.late(now))
    }
}

/// Requests and datagrams that were not taken in because this process was busy, since the start.
fn refused() -> u64 {
    SENDERS.iter().map(|sender| metrics::INGEST_BUSY.get(sender)).sum::<u64>() + metrics::UDP_DROPPED.get()
}

/// Starts the thread that takes the pulse.
pub(crate) fn start(health: &Arc<OwnHealth>, stop: &Stop) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let (health, stop) = (Arc::clone(health), stop.clone());
    thread("health", move || {
        health.beat();
        while !stop.sleep(BEAT) {
            health.beat();
        }
    })
}

/// What is read at a beat.
#[derive(Clone, Copy, Debug)]
struct Beat {
    /// The clock that data is stamped with.
    wall: Timestamp,
    /// A clock that nobody sets.
    steady: Duration,
    /// What was refused so far.
    refused: u64,
}

/// Beats, and what was wrong with them.
#[derive(Debug, Default)]
struct Pulse {
    last: Option<Beat>,
    /// What is suspect, and until when by the steady clock.
    troubles: Vec<(Duration, String)>,
}

impl Pulse {
    fn take(&mut self, beat: Beat) {
        self.troubles.retain(|(until, _)| *until > beat.steady);
        let Some(last) = self.last.replace(beat) else { return };
        let passed = beat.steady.saturating_sub(last.steady);
        let step_ns = i128::from(beat.wall.0) - i128::from(last.wall.0) - passed.as_nanos() as i128;
        if step_ns.unsigned_abs() > CLOCK_STEP_MAX.as_nanos() {
            let way = if step_ns > 0 { "forward" } else { "back" };
            let step = Duration::from_nanos(u64::try_from(step_ns.unsigned_abs()).unwrap_or(u64::MAX));
            self.suspicion(beat, CLOCK_SUSPECT, format!("the clock jumped {}s {way}", step.as_secs()));
        }
        if passed > STALL_MIN {
            self.suspicion(beat, STALL_SUSPECT, format!("this process stood still for {}s", passed.as_secs()));
        }
        let refused = beat.refused.saturating_sub(last.refused);
        if refused > 0 {
            let text =
                format!("data comes late: {refused} times in a second senders were told to come again, or lost data");
            self.suspicion(beat, REFUSED_SUSPECT, text);
        }
    }

    fn suspicion(&mut self, beat: Beat, lasts: Duration, text: String) {
        tracing::warn!(why = text, "what is measured can not be trusted for {}s", lasts.as_secs());
        self.troubles.push((beat.steady.saturating_add(lasts), text));
    }

    fn suspect(&self, steady: Duration) -> Option<String> {
        let standing = self.troubles.iter().filter(|(until, _)| *until > steady);
        standing.max_by_key(|(until, _)| *until).map(|(_, text)| text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beats as wall seconds, steady seconds and refusals; what is suspect after each.
    fn told(beats: &[(i64, u64, u64)]) -> Vec<String> {
        let mut pulse = Pulse::default();
        let told = beats.iter().map(|(wall, steady, refused)| {
            let steady = Duration::from_secs(*steady);
            pulse.take(Beat { wall: Timestamp::from_secs(*wall), steady, refused: *refused });
            pulse.suspect(steady).unwrap_or_default()
        });
        told.collect()
    }

    #[test]
    fn a_steady_pulse_is_not_suspect() {
        assert_eq!(told(&[(1000, 0, 7), (1001, 1, 7), (1003, 2, 7), (1003, 3, 7)]), ["", "", "", ""]);
    }

    #[test]
    fn jumps_of_the_clock_stalls_and_refusals_are_suspect_for_a_while() {
        let back = "the clock jumped 31s back";
        assert_eq!(told(&[(1000, 0, 0), (970, 1, 0), (1028, 59, 0), (1030, 61, 0)])[1], back);
        assert_eq!(told(&[(1000, 0, 0), (970, 1, 0), (1029, 60, 0)])[1], back);
        let beats = [(1000, 0, 0), (1600, 1, 0), (1601, 2, 0), (1660, 61, 0)];
        assert_eq!(told(&beats)[1..3], ["the clock jumped 599s forward"; 2]);
        assert_eq!(told(&beats)[3], "this process stood still for 59s", "the jump is over, the stall is not");
        let late = "data comes late: 3 times in a second senders were told to come again, or lost data";
        assert_eq!(
            told(&[(1000, 0, 0), (1001, 1, 3), (1009, 9, 3), (1018, 18, 3), (1025, 25, 3)]),
            ["", late, late, late, ""]
        );
    }
}
