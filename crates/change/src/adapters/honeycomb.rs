//! Honeycomb's markers, as clients send them to `POST /1/markers/{dataset}`.
//!
//! Shape: <https://api-docs.honeycomb.io/api/markers>. Times are Unix seconds. The dataset is the service; a marker of the whole
//! environment (`__all__`) names none, so its source needs a default. A marker has no id when it comes: the same contents at the
//! same time are the same marker.

use super::parts::{Draft, hash_id};
use super::{Delivery, Item, Items, json_body};
use crate::ChangeError;

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let body = json_body(delivery)?;
    let begun = body.time("start_time")?.filter(|time| time.0 != 0);
    let ended = body.time("end_time")?.filter(|time| time.0 != 0);
    let started_at = begun.unwrap_or(delivery.arrived_at);
    if ended.is_some_and(|ended| ended < started_at) {
        return Err(ChangeError::new("end_time", "it is before start_time", "a marker ends after it begins"));
    }
    let dataset = delivery.path.filter(|dataset| *dataset != "__all__");
    let (message, kind, url) = (body.text("message"), body.text("type"), body.text("url"));
    // Without a time the minute of arrival stands for it: a sender that tries again at once is not heard twice.
    let moment = begun.map_or(delivery.arrived_at.0 / 60_000_000_000, |time| time.0).to_string();
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let id = hash_id(&[dataset.unwrap_or_default(), &moment, &text(&message), &text(&kind), &text(&url)]);
    let mut draft = Draft::of_any_kind(body.text("id").unwrap_or(id));
    draft.kind = kind.as_deref().and_then(super::grafana::kind_word).map(|kind| kind.as_str().to_owned());
    draft.target.service = dataset.map(str::to_owned);
    draft.started_at = Some(started_at.to_string());
    draft.finished_at = ended.map(|time| time.to_string());
    draft.link = url;
    draft.label("message", message);
    draft.label("honeycomb.type", kind);
    draft.raw = Some(body.0);
    Ok(vec![Ok(Item::Reports(vec![draft]))])
}
