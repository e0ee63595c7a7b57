//! The receiver `webhook`: Alertmanager's webhook payload, version 4, with what only Backstop knows under `backstop`.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::blocking::Client;
use respond::Notification;
use rules::{Alert, AlertState};
use serde_json::{Value, json};

use crate::NotifyError;

/// Longest wait for a receiver.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The time that Alertmanager writes for "not ended".
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// A client that follows no redirect: a message goes where the settings say, or nowhere.
pub(crate) fn client() -> Result<Client, NotifyError> {
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .no_proxy()
        .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// Sends the message; anything but a 2xx is a failure, in words.
pub(crate) fn send(
    client: &Client,
    url: &str,
    headers: &BTreeMap<String, String>,
    notification: &Notification,
    external_url: Option<&str>,
) -> Result<(), String> {
    let mut request = client.post(url).json(&payload(notification, external_url));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match request.send() {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("the webhook answered {}", answer.status())),
        // The error's own text has the URL, which may hold a secret.
        Err(error) => Err(error.without_url().to_string()),
    }
}

fn payload(notification: &Notification, external_url: Option<&str>) -> Value {
    let incident = &notification.incident;
    let external_url = external_url.unwrap_or("");
    let firing = notification.alerts.iter().any(|alert| alert.state != AlertState::Resolved);
    let link =
        if external_url.is_empty() { String::new() } else { format!("{external_url}/incidents/{}", incident.id) };
    json!({
        "version": "4",
        "groupKey": incident.id,
        "truncatedAlerts": 0,
        "status": if firing { "firing" } else { "resolved" },
        "receiver": notification.receiver,
        "groupLabels": {"service": incident.service},
        "commonLabels": common(&notification.alerts, |alert| &alert.labels),
        "commonAnnotations": common(&notification.alerts, |alert| &alert.annotations),
        "externalURL": external_url,
        "alerts": notification.alerts.iter().map(alert_json).collect::<Vec<_>>(),
        "backstop": {
            "id": notification.id,
            "template": notification.template,
            "text": notification.text,
            "outcome": notification.outcome,
            "link": link,
            "incident": incident,
            "change": notification.change,
            "action": notification.action,
        },
    })
}

/// The pairs that all alerts share.
fn common<'a>(
    alerts: &'a [Alert],
    of: impl Fn(&'a Alert) -> &'a BTreeMap<String, String>,
) -> BTreeMap<&'a str, &'a str> {
    let Some((first, rest)) = alerts.split_first() else { return BTreeMap::new() };
    let shared = of(first).iter().filter(|(name, value)| rest.iter().all(|alert| of(alert).get(*name) == Some(*value)));
    shared.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn alert_json(alert: &Alert) -> Value {
    json!({
        "status": if alert.state == AlertState::Resolved { "resolved" } else { "firing" },
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.active_at.to_string(),
        "endsAt": alert.resolved_at.map_or_else(|| NO_TIME.to_owned(), |time| time.to_string()),
        "generatorURL": "",
        "fingerprint": alert.fingerprint,
    })
}
