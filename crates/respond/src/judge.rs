//! The verdict that a decision rests on: that of the watch over the change, or the alert itself where no watch can compare.

use change::Change;
use model::Timestamp;
use rules::{Alert, DataState};
use watch::{CHANGE_VERDICT, WatchRecord, record_of};

use crate::{RespondError, Responder, UnknownReason, Verdict};

/// An alert or a watch may be this much older than twice its interval before it counts as stale, in nanoseconds: evaluations take
/// time.
const STALE_SLACK_NS: i64 = 5_000_000_000;

/// What an alert and the changes around it say before any watch is asked.
pub(crate) struct Around<'a> {
    /// The service; empty when the alert names none.
    pub(crate) service: &'a str,
    /// The alert.
    pub(crate) alert: &'a Alert,
    /// The first suspect.
    pub(crate) suspect: Option<&'a Change>,
    /// A change of the service that was cleared because its old version fails alike.
    pub(crate) cleared: Option<&'a Change>,
    /// Whether other changes ran at the same time.
    pub(crate) conflict: bool,
}

impl Responder {
    /// The change that an alert of a watch is about.
    pub(crate) fn accused(&self, alert: &Alert) -> Result<Option<WatchRecord>, RespondError> {
        match alert.labels.get("change") {
            Some(change) if alert.rule == CHANGE_VERDICT => Ok(record_of(&*self.records, change)?),
            _ => Ok(None),
        }
    }

    /// The verdict on the first suspect, and the watch that gave it.
    ///
    /// A watch that has something to compare with is believed, whatever it says: an alert knows no other version and no dependency.
    /// Without one, Bad needs a firing alert that was measured just now, and one change to the same service that began within the
    /// window before the alert did and is still the latest one. A change of another service is never called bad here, however likely it
    /// is the cause: its own watch does that, and then its own alert acts on it.
    pub(crate) fn verdict(
        &self,
        around: &Around<'_>,
        now: Timestamp,
    ) -> Result<(Verdict, Option<WatchRecord>), RespondError> {
        let unmeasured = around.unmeasured(now);
        if let Some(reason) = unmeasured {
            return Ok((Verdict::Unknown(reason), None));
        }
        let watch = match around.suspect.or(around.cleared) {
            Some(change) => record_of(&*self.records, &change.key())?.filter(|watch| watch.comparable),
            None => None,
        };
        let verdict = match (&watch, around.suspect) {
            (_, None) if around.cleared.is_some() => Verdict::Unknown(UnknownReason::Conflict),
            (_, None) => Verdict::Unknown(UnknownReason::NoChange),
            (_, Some(suspect)) if suspect.target.service != around.service => Verdict::Unknown(UnknownReason::Conflict),
            (Some(watch), _) => believed(watch, now),
            (None, _) if around.conflict => Verdict::Unknown(UnknownReason::Conflict),
            (None, _) => Verdict::Bad,
        };
        Ok((verdict, watch))
    }
}

impl Around<'_> {
    fn unmeasured(&self, now: Timestamp) -> Option<UnknownReason> {
        if self.service.is_empty() {
            Some(UnknownReason::NoService)
        } else if self.alert.data == DataState::NoData {
            Some(UnknownReason::NoData)
        } else if self.alert.data == DataState::Unknown {
            Some(UnknownReason::QueryError)
        } else {
            is_stale(self.alert.evaluated_at, self.alert.interval_ns, now).then_some(UnknownReason::StaleData)
        }
    }
}

/// What a watch says now. That it calls the change good while an alert fires means that something else is the cause.
fn believed(watch: &WatchRecord, now: Timestamp) -> Verdict {
    match &watch.card.verdict {
        _ if is_stale(watch.evaluated_at, watch.interval_ns, now) => Verdict::Unknown(UnknownReason::StaleData),
        Verdict::Good => Verdict::Unknown(UnknownReason::Conflict),
        verdict => verdict.clone(),
    }
}

fn is_stale(evaluated_at: Timestamp, interval_ns: i64, now: Timestamp) -> bool {
    now.0 - evaluated_at.0 > interval_ns.saturating_mul(2).saturating_add(STALE_SLACK_NS)
}
