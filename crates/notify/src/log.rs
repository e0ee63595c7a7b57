//! The receiver `log`: a line in our own log.

use respond::Notification;

/// Writes the line. It can not fail, which is why pages that nobody else takes go here.
pub(crate) fn write(notification: &Notification) {
    tracing::warn!(
        notification = notification.id,
        template = notification.template,
        incident = notification.incident.id,
        service = notification.incident.service,
        outcome = notification.outcome,
        "{}",
        notification.text
    );
}
