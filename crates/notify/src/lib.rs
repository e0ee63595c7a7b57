//! Delivers notifications: one file per kind of receiver.
//!
//! **Entry point.** [`Notifier::deliver_due`] delivers what is due in the ledger's outbox. `respond` queues a notification in the
//! transaction that causes it, so nothing is ever told that did not happen, nor forgotten.
//!
//! **Write path.** outbox document -> receiver -> `delivered`, or the time of the next try; each try is committed before the next.
//!
//! **Guarantees.** At least once: a notification leaves the outbox only after its receiver took it, and survives a restart until
//! then. A receiver that hangs or refuses holds up no other. After [`TRIES_MAX`] tries it is `failed`, which the incident's
//! timeline and the audit trail say.
//!
//! **Not guaranteed.** Exactly once: after a crash between delivery and its record a receiver is told again, under the same id.
//!
//! **Not here.** Whom to tell what (`respond`).

mod log;
mod outbox;
mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::ledger::{LedgerError, Records};
use model::Timestamp;
use respond::Notification;

pub use outbox::TRIES_MAX;

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A URL that takes Alertmanager's webhook payload.
    Webhook {
        /// The URL.
        url: String,
        /// Headers added to the request.
        headers: BTreeMap<String, String>,
    },
    /// Our own log.
    Log,
}

/// Why a notification could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No HTTP client.
    #[error("cannot make an HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Tells receivers. A delivery blocks, is not retried here, and may be repeated: the receiver tells by the notification's id.
pub trait Deliver: Send + Sync {
    /// Tells the receiver that the notification names; the error is for people.
    fn deliver(&self, notification: &Notification) -> Result<(), String>;
}

/// Delivers what the outbox holds.
pub struct Notifier {
    records: Arc<dyn Records>,
    deliveries: Arc<dyn Deliver>,
}

impl Notifier {
    /// `external_url` is where users reach the UI; without it messages carry no link.
    pub fn new(
        records: Arc<dyn Records>,
        receivers: BTreeMap<String, Receiver>,
        external_url: Option<String>,
    ) -> Result<Self, NotifyError> {
        let deliveries = Arc::new(Receivers { receivers, external_url, client: webhook::client()? });
        Ok(Self { records, deliveries })
    }

    /// Puts something around what delivers, for whoever wants to watch or to disturb it.
    #[must_use]
    pub fn with_deliveries(self, around: impl FnOnce(Arc<dyn Deliver>) -> Arc<dyn Deliver>) -> Self {
        Self { deliveries: around(self.deliveries), ..self }
    }

    /// Delivers to every receiver what is due at `now`; receivers at the same time, each in order. Blocks until all are done.
    pub fn deliver_due(&self, now: Timestamp) -> Result<(), NotifyError> {
        let due = outbox::due(&*self.records, now)?;
        let mut results = Vec::new();
        std::thread::scope(|scope| {
            let threads: Vec<_> = due
                .into_values()
                .map(|queued| scope.spawn(move || queued.into_iter().try_for_each(|queued| self.deliver(queued, now))))
                .collect();
            results.extend(threads.into_iter().map(std::thread::ScopedJoinHandle::join));
        });
        for result in results.into_iter().flatten() {
            result?;
        }
        Ok(())
    }

    fn deliver(&self, queued: outbox::Queued, now: Timestamp) -> Result<(), NotifyError> {
        let told = self.deliveries.deliver(&queued.notification);
        Ok(outbox::record(&*self.records, queued, told, now)?)
    }
}

/// The receivers of the settings.
struct Receivers {
    receivers: BTreeMap<String, Receiver>,
    external_url: Option<String>,
    client: reqwest::blocking::Client,
}

impl Deliver for Receivers {
    fn deliver(&self, notification: &Notification) -> Result<(), String> {
        match self.receivers.get(&notification.receiver) {
            Some(Receiver::Webhook { url, headers }) => {
                webhook::send(&self.client, url, headers, notification, self.external_url.as_deref())
            }
            Some(Receiver::Log) => {
                log::write(notification);
                Ok(())
            }
            None => Err(format!("there is no receiver {:?} in the settings", notification.receiver)),
        }
    }
}
