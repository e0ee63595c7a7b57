//! The outbox: what waits to be delivered, and how each try ended.

use std::collections::BTreeMap;

use catalog::ledger::{AuditEntry, Document, Filter, LedgerError, LedgerTable, Records, Write, sha256_hex};
use model::Timestamp;
use respond::{EntryKind, Notification, TimelineEntry};
use serde::{Deserialize, Serialize};
use serde_json::json;
use telemetry::metrics::NOTIFICATIONS;

/// How often a notification is tried before it is given up: with the waits below, about four hours.
pub const TRIES_MAX: u32 = 60;
/// Wait after the first failed try, in nanoseconds; it doubles.
const WAIT_FIRST_NS: i64 = 1_000_000_000;
/// Longest wait between two tries, in nanoseconds.
const WAIT_MAX_NS: i64 = 300_000_000_000;
/// The state of what waits.
const QUEUED: &str = "queued";

/// A notification that waits, and the document that holds it.
pub(crate) struct Queued {
    pub(crate) notification: Notification,
    attempts: u32,
    document: Document,
}

#[derive(Serialize, Deserialize)]
struct Body {
    notification: Notification,
    attempts: u32,
    /// Nanoseconds since the Unix epoch; at once without it.
    #[serde(default)]
    next_try_ns: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    error: String,
}

/// What is due at `now`, by receiver, in the order queued.
pub(crate) fn due(records: &dyn Records, now: Timestamp) -> Result<BTreeMap<String, Vec<Queued>>, LedgerError> {
    let filter = Filter { states: vec![QUEUED.to_owned()], ..Filter::default() };
    let mut due = BTreeMap::<String, Vec<Queued>>::new();
    for document in records.list(LedgerTable::Outbox, &filter)? {
        let id = document.id.clone();
        let body: Body = serde_json::from_value(document.body.clone()).map_err(|source| LedgerError::Document {
            table: "outbox",
            id,
            source,
        })?;
        if body.next_try_ns <= now.0 {
            let receiver = body.notification.receiver.clone();
            let queued = Queued { notification: body.notification, attempts: body.attempts, document };
            due.entry(receiver).or_default().push(queued);
        }
    }
    Ok(due)
}

/// Commits how a try ended: delivered, failed for good, or to be tried again.
pub(crate) fn record(
    records: &dyn Records,
    queued: Queued,
    told: Result<(), String>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let attempts = queued.attempts + 1;
    let receiver = queued.notification.receiver.clone();
    let (state, error) = match told {
        Ok(()) => ("delivered", String::new()),
        Err(error) if attempts >= TRIES_MAX => ("failed", error),
        Err(error) => (QUEUED, error),
    };
    if !error.is_empty() {
        tracing::warn!(receiver, attempts, error, "a notification was not delivered");
    }
    let notification = queued.notification;
    let mut writes = Vec::new();
    if state != QUEUED {
        NOTIFICATIONS.add(state, 1);
        let text = format!("{receiver}: {state} after {attempts} tries");
        writes.extend(account(&notification, state, &text, &error, now));
    } else if attempts == 1 {
        let text = format!("{receiver} could not be told; trying again");
        writes.push(timeline(&notification, "unknown", &text, &error, now));
    }
    let body = Body { notification, attempts, next_try_ns: now.0.saturating_add(wait_ns(attempts)), error };
    let to = Document { state: state.to_owned(), body: json!(body), ..queued.document };
    writes.push(Write::Transition { table: LedgerTable::Outbox, from: QUEUED, to });
    records.commit(writes)
}

fn wait_ns(attempts: u32) -> i64 {
    WAIT_FIRST_NS.saturating_mul(1 << (attempts - 1).min(16)).min(WAIT_MAX_NS)
}

/// The end of a delivery, in the incident's timeline and in the audit trail.
fn account(notification: &Notification, state: &str, text: &str, error: &str, now: Timestamp) -> [Write; 2] {
    let audit = Write::Audit(AuditEntry {
        time: now,
        actor: "notify".to_owned(),
        verb: format!("notification.{state}"),
        subject: notification.id.clone(),
        detail: json!({"receiver": notification.receiver, "incident": notification.incident.id, "error": error}),
    });
    [timeline(notification, state, text, error, now), audit]
}

fn timeline(notification: &Notification, outcome: &str, text: &str, error: &str, now: Timestamp) -> Write {
    let incident = notification.incident.id.clone();
    let detail = json!({"outcome": outcome, "id": notification.id, "detail": error});
    let entry = TimelineEntry {
        incident: incident.clone(),
        kind: EntryKind::Notify,
        at: now,
        summary: text.to_owned(),
        detail,
    };
    let hash = sha256_hex(format!("{}\0{text}", notification.id).as_bytes());
    Write::InsertOrKeep(
        LedgerTable::Timeline,
        Document {
            id: format!("{incident}/{:020}/{}", now.0, &hash[..12]),
            time: now,
            service: String::new(),
            state: EntryKind::Notify.as_str().to_owned(),
            body: json!(entry),
        },
    )
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;

    use catalog::ledger::Ledger;
    use respond::{Incident, IncidentState};

    use super::*;
    use crate::{Notifier, Receiver};

    fn notification(receiver: &str) -> Notification {
        let incident = Incident {
            id: "inc-1".into(),
            title: "checkout fails".into(),
            service: "checkout".into(),
            group: "checkout".into(),
            severity: Some("page".into()),
            state: IncidentState::Open,
            started_at: Timestamp(1),
            opened_at: Timestamp(2),
            resolved_at: None,
            alerts: Vec::new(),
            firing: Vec::new(),
            runs: Vec::new(),
            active_runs: Vec::new(),
            change: None,
            outcome: None,
            handling: respond::Handling::default(),
        };
        Notification {
            id: format!("ntf-{receiver}"),
            receiver: receiver.into(),
            template: "rolled_back".into(),
            text: "rolled back".into(),
            at: Timestamp(3),
            incident,
            alerts: Vec::new(),
            change: None,
            action: None,
            outcome: "helped".into(),
        }
    }

    fn ledger_with(receivers: &[&str]) -> Arc<Ledger> {
        let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
        for receiver in receivers {
            let notification = notification(receiver);
            let document = Document {
                id: notification.id.clone(),
                time: Timestamp(3),
                service: "checkout".into(),
                state: QUEUED.into(),
                body: json!({"notification": notification, "attempts": 0}),
            };
            ledger.commit(vec![Write::Insert(LedgerTable::Outbox, document)]).expect("commit");
        }
        ledger
    }

    fn states(ledger: &Ledger) -> Vec<String> {
        let documents = ledger.list(LedgerTable::Outbox, &Filter::default()).expect("list");
        documents.into_iter().map(|document| format!("{}:{}", document.id, document.state)).collect()
    }

    /// Answers requests with the statuses given, one after the other; gives the bodies.
    fn serve(statuses: &'static [u16]) -> (SocketAddr, std::thread::JoinHandle<Vec<serde_json::Value>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let serve = move || {
            let answer = |status: &u16| {
                let (mut stream, _) = listener.accept().expect("accept");
                let mut reader = BufReader::new(stream.try_clone().expect("clone"));
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).expect("line");
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().expect("length");
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("body");
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .expect("answer");
                serde_json::from_slice(&body).expect("JSON")
            };
            statuses.iter().map(answer).collect()
        };
        (address, std::thread::Builder::new().spawn(serve).expect("thread"))
    }

    fn notifier(ledger: &Arc<Ledger>, address: SocketAddr) -> Notifier {
        let webhook = Receiver::Webhook { url: format!("http://{address}/hook"), headers: BTreeMap::new() };
        let receivers = BTreeMap::from([("team".to_owned(), webhook), ("here".to_owned(), Receiver::Log)]);
        let records: Arc<dyn Records> = Arc::<Ledger>::clone(ledger);
        Notifier::new(records, receivers, Some("https://ops.example".into())).expect("notifier")
    }

    #[test]
    fn a_refused_message_is_tried_again_later_and_survives_a_restart() {
        let ledger = ledger_with(&["team", "here"]);
        let (address, server) = serve(&[503, 200]);
        notifier(&ledger, address).deliver_due(Timestamp(10)).expect("delivered");
        assert_eq!(states(&ledger), ["ntf-team:queued", "ntf-here:delivered"]);
        // Not due yet, also for a new process.
        notifier(&ledger, address).deliver_due(Timestamp(11)).expect("nothing to do");
        notifier(&ledger, address).deliver_due(Timestamp(2_000_000_000)).expect("delivered");
        assert_eq!(states(&ledger), ["ntf-team:delivered", "ntf-here:delivered"]);
        let bodies = server.join().expect("server");
        assert_eq!(bodies.len(), 2);
        assert_eq!(bodies[1]["version"], "4");
        assert_eq!(bodies[1]["backstop"]["template"], "rolled_back");
        assert_eq!(bodies[1]["backstop"]["link"], "https://ops.example/incidents/inc-1");
        ledger.verify_audit().expect("the trail verifies");
        assert_eq!(ledger.audit(0, 10).expect("audit").len(), 2);
    }

    #[test]
    fn a_message_nobody_takes_is_given_up_and_said_so() {
        let ledger = ledger_with(&["nobody"]);
        let notifier = notifier(&ledger, "127.0.0.1:1".parse().expect("address"));
        let mut now = Timestamp(10);
        for _ in 0..TRIES_MAX {
            notifier.deliver_due(now).expect("recorded");
            now = now.saturating_add_ns(WAIT_MAX_NS);
        }
        assert_eq!(states(&ledger), ["ntf-nobody:failed"]);
        let timeline = ledger.list(LedgerTable::Timeline, &Filter::default()).expect("list");
        assert!(
            timeline.last().expect("entry").body["summary"].as_str().expect("text").contains("failed after 60 tries")
        );
    }
}
