//! Later words of clients that first made an annotation or a marker and then say when it ended, or what it was about.

use model::Timestamp;
use serde_json::{Value as Json, json};

use super::parts::{Delivered, text_of};
use super::{Delivery, json_body};
use crate::{Change, ChangeError};

/// The report that an update of a known annotation (`PATCH /api/annotations/{id}`) or marker (`PUT /1/markers/{dataset}/{id}`) is:
/// its end, its text, its link. What the update does not name stays as it is.
pub fn amend(known: &Change, delivery: &Delivery<'_>) -> Result<Json, ChangeError> {
    let body = json_body(delivery)?;
    let finished_at = body.first_time(&["timeEnd", "end_time"])?.filter(|time| time.0 != 0);
    let started_at = body.first_time(&["time", "start_time"])?.filter(|time| time.0 != 0);
    if started_at.unwrap_or(known.started_at) > finished_at.unwrap_or(Timestamp(i64::MAX)) {
        return Err(ChangeError::new("end", "it is before the beginning", "a change ends after it begins"));
    }
    let mut report = json!({
        "id": known.id,
        "source": known.source,
        "kind": known.kind,
        "target": {"service": known.target.service},
        "reported_at": delivery.arrived_at.to_string(),
    });
    for (name, time) in [("started_at", started_at), ("finished_at", finished_at)] {
        if let Some(time) = time {
            report[name] = time.to_string().into();
        }
    }
    if let Some(link) = body.text("url") {
        report["link"] = link.into();
    }
    report["labels"] = labels(&body);
    Ok(report)
}

fn labels(body: &Delivered) -> Json {
    let mut labels = json!({});
    if let Some(message) = body.first(&["text", "message"]) {
        labels["message"] = message.into();
    }
    let tags: Vec<String> =
        body.at("tags").and_then(Json::as_array).into_iter().flatten().filter_map(text_of).collect();
    if !tags.is_empty() {
        labels["tags"] = tags.join(",").into();
    }
    labels
}
