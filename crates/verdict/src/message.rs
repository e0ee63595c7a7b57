//! Sentences as values: a code and what fills it in, from which the English text is made here and any other language elsewhere.
//!
//! Whatever is told beside a verdict is stored twice: as English text, which people and programs read, and as a [`Message`], from which
//! the UI tells it in the reader's language. A sentence that is not in the table of this module can not be told in another language.
//!
//! Names of values say how they are shown: `*_ns` is a span of time, `*percent` and other numbers are plain, `kind` is a kind of change,
//! and `version`, `old` and `other` are names or one of [`WORDS`].
//!
//! A new row needs a text in `web/src/i18n/en-card.ts` and `zh-CN-card.ts`: `UPDATE_EXPECT=1 cargo test -p verdict` writes the list that
//! their tests walk.

use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

/// The side before a change, where no version names it.
pub const BEFORE: &str = "before";
/// The side after a change, where no version names it.
pub const AFTER: &str = "after";
/// What a pattern of lines is compared with.
pub const USUAL: &str = "usual";
/// What is to blame when things were bad before the change already.
pub const TIME_BEFORE: &str = "the time before the change";
/// Words that stand where a name could, each with its code.
pub const WORDS: [(&str, &str); 4] =
    [(BEFORE, "before"), (AFTER, "after"), (USUAL, "usual"), (TIME_BEFORE, "time_before")];

/// Makes the type, its English and the list of its codes from one table.
macro_rules! messages {
    ($($variant:ident $code:literal { $($field:ident: $kind:ty),* } $text:literal;)*) => {
        /// What is told beside a verdict, or of why a change is suspected. Written as `{"code", "values"}`; a value is text, a number or
        /// a message again. `Display` is the English text.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "code", content = "values")]
        #[allow(missing_docs, reason = "the text says what each value is")]
        pub enum Message {
            $(#[doc = $text] #[serde(rename = $code)] $variant { $($field: $kind),* },)*
        }

        impl fmt::Display for Message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant { $($field),* } => write!(f, $text, $($field = $field),*),)*
                }
            }
        }

        /// Every code, and the names of its values.
        pub const MESSAGE_CODES: &[(&str, &[&str])] = &[$(($code, &[$(stringify!($field)),*])),*];
    };
}

messages! {
    // Somebody else's words, such as the error of a query: in no language but their own.
    Verbatim "verbatim" { text: String } "{text}";

    // Why a verdict is what it is.
    NothingHeard "nothing_heard" { version: String } "nothing was heard of {version} since the change began";
    Silent "silent" { version: String, seconds: i64 } "{version} has been silent for {seconds}s";
    Stale "stale" { version: String, seconds: i64 } "the newest data of {version} is {seconds}s old";
    NeitherWell "neither_well" { version: String, other: String, why: Box<Message> }
        "{version} does not do well, and neither does {other}: {why}";
    NoHarm "no_harm" { requests: u64, version: String } "{requests} requests of {version} show no harm";
    SoFar "so_far" { requests: u64, version: String } "{requests} requests of {version} so far";
    OldHasIt "old_has_it" { that: Box<Message>, old: String } "{that}; {old} has it as well";
    Overload "overload" { that: Box<Message> } "{that}; there is more traffic than before, and overload is as likely";
    SameTime "same_time" { that: Box<Message>, change: Box<Message>, why: Box<Message> }
        "{that}; {change} at the same time: {why}";
    DependencyUnknown "dependency_unknown" { that: Box<Message>, dependency: String }
        "{that}; whether {dependency}, which it depends on, is well is not known";
    DependencyUnheard "dependency_unheard" { that: Box<Message>, dependency: String }
        "{that}; {dependency}, which it depends on, is not cleared yet by what was heard of it";
    DependencyUntimed "dependency_untimed" { that: Box<Message>, dependency: String }
        "{that}; whether {dependency}, which it depends on, is slow is not known";
    SameService "same_service_changed" {} "the same service";
    NeededService "needed_service_changed" {} "a service that this one needs";

    // What was cleared, and what clears.
    NotHeld "not_held" { why: Box<Message> } "not held against the change: {why}";
    ThisChange "this_change_by" { other: String } "this change, by {other}";
    ClearedByWatch "cleared_by_watch" {} "its own watch called it good before this change began";
    FailingAlready "failing_already" { percent: f64, usual_percent: f64 }
        "{percent:.1} % of requests failed in the minutes before it already, {usual_percent:.1} % is usual";
    OldWorse "old_worse" { old: String, percent: f64, usual_percent: f64 }
        "{old} changed for the worse at the same time: {percent:.1} % of its requests fail lately, {usual_percent:.1} % is usual";
    OldSlower "old_slower" { old: String } "{old} became slower at the same time";
    DependencyFails "dependency_fails" { dependency: String, percent: f64, usual_percent: f64 }
        "{dependency} does not do well either: {percent:.1} % of its requests fail lately, {usual_percent:.1} % is usual";
    DependencySlower "dependency_slower" { that: Box<Message> } "{that}, and it is slower than usual";

    // What each signal came to.
    ErrorsBeside "errors_beside"
        { percent: f64, requests: u64, version: String, old_percent: f64, old_requests: u64, old: String }
        "{percent:.2} % of {requests} requests of {version} fail, {old_percent:.2} % of {old_requests} of {old}";
    ErrorsBefore "errors_before" { percent: f64, requests: u64, version: String, old_percent: f64, old_requests: u64 }
        "{percent:.2} % of {requests} requests of {version} fail, {old_percent:.2} % of {old_requests} before";
    Latencies "latencies"
        { version: String, median_ms: f64, p99_ms: f64, old: String, old_median_ms: f64, old_p99_ms: f64, factor: f64 }
        "{version} takes {median_ms:.0} ms in the median and {p99_ms:.0} ms at the 99th percentile, {old} {old_median_ms:.0} and {old_p99_ms:.0} ms; likeliest {factor} times as long";
    Lines "lines" { lines: u64, requests: u64, version: String, usual_percent: f64 }
        "{lines} of {requests} requests of {version} log it, at most {usual_percent:.2} % is usual";
    LinesOfBoth "lines_of_both" { that: Box<Message> } "{that}, but the old version logs it as well";
    Filling "filling" { version: String, percent: f64, minutes: i64, old_percent: f64 }
        "{version} is {percent:.0} % full and grows; full in {minutes} minutes at this pace; the old version was {old_percent:.0} % full at most";
    ProbesFailed "probes_failed" { failed: u64, probes: u64 } "{failed} of {probes} probes failed since the change";

    // The names of signals.
    SignalErrors "signal_errors" {} "errors";
    SignalErrorsBefore "signal_errors_before" {} "errors against before";
    SignalLatency "signal_latency" {} "latency";
    SignalLatencyBefore "signal_latency_before" {} "latency against before";
    SignalLines "signal_lines" { pattern: String } "error lines: {pattern}";
    SignalFilling "signal_filling" {} "filling up";
    SignalProbes "signal_probes" {} "probes";

    // What would change a verdict.
    WithoutSignal "without_signal" { signal: Box<Message>, log_e: f64, needed: f64 }
        "without {signal} the evidence would not do: it has e^{log_e:.1}, e^{needed:.1} is needed";
    AlikeClears "alike_clears" {} "the old version or a dependency failing alike would clear the change";
    AnySignal "any_signal" {} "any signal reaching its evidence while the watch goes on";
    BadAt "bad_at" { signal: Box<Message>, needed: f64, log_e: f64 } "bad: {signal} at e^{needed:.1}; it has e^{log_e:.1}";
    GoodBelow "good_below" { points: f64 }
        "good: failures surely less than {points} points above the old version's, and nothing suspicious";
    AnswerNeeded "answer_needed" {} "an answer to the questions";
    BackstopWell "backstop_well" {} "Backstop being well";

    // A change in one line.
    Change "change" { kind: String, service: String } "{kind} of {service}";
    ChangeFromTo "change_from_to" { that: Box<Message>, from: String, to: String } "{that} {from} -> {to}";
    ChangeTo "change_to" { that: Box<Message>, to: String } "{that} to {to}";
    ChangeFrom "change_from" { that: Box<Message>, from: String } "{that} from {from}";
    ChangeBy "change_by" { that: Box<Message>, actor: String } "{that} by {actor}";

    // Why a change is suspected or not.
    AccusedByWatch "accused_by_watch" {} "the verdict of the watch over it";
    Both "both" { first: Box<Message>, second: Box<Message> } "{first}, {second}";
    LikewiseWorse "likewise_worse" { change: Box<Message>, why: Box<Message> } "like {change} it is the likely cause: {why}";
    CameBefore "came_before" { change: Box<Message> } "{change} came after it, and the alert after that";
    OtherIsWorse "other_is_worse" { change: Box<Message> }
        "the new version of {change} is worse by itself: its old version meets the same dependencies and fails less";
    FarFromAsBad "far_from_as_bad" { change: Box<Message>, counts: Box<Message> }
        "its new version is far from as bad as that of {change}: {counts}";
    FarLessLikely "far_less_likely" { change: Box<Message>, score: f64, other_score: f64 }
        "far less likely than {change}: {score:.2} against {other_score:.2}";
    CameBetween "came_between" { change: Box<Message> } "it came after {change} and before the alert";
    RanBeside "ran_beside" { change: Box<Message> } "it ran at the same time as {change}";
    RanJustBefore "ran_just_before" { change: Box<Message>, apart_ns: Span } "it ran less than {apart_ns} before {change}";
    SplitWorse "split_worse" { counts: Box<Message> } "its new version is worse: {counts}";
    SplitAlike "split_alike" { counts: Box<Message> } "its old version fails alike: {counts}";
    SplitUndecided "split_undecided" { counts: Box<Message> } "its versions can not be told apart yet: {counts}";
    SplitCounts "split_counts" { bad: u64, n: u64, old_bad: u64, old_n: u64 }
        "{bad} of {n} requests of the new version failed, {old_bad} of {old_n} of the old one beside it";
    BeganAfterAlert "began_after_alert" { late_ns: Span } "it began {late_ns} after the alert did";
    OverTooLong "over_too_long" { age_ns: Span, within_ns: Span }
        "it was over {age_ns} before the alert, more than {within_ns}";
    BeganBefore "began_before" { early_ns: Span } "began {early_ns} before the alert";
    BeganInMotion "began_in_motion" { early_ns: Span } "began {early_ns} before the alert and was still in motion";
    BeganAndOver "began_and_over" { early_ns: Span, age_ns: Span }
        "began {early_ns} before the alert and was over {age_ns} before it";
    OtherEnvironment "other_environment" { theirs: String, ours: String }
        "it is in the environment {theirs}, the alert in {ours}";
    OfSameService "of_same_service" {} "same service";
    OfDependency "of_dependency" { path: String } "a dependency ({path})";
    OfFarDependency "of_far_dependency" { steps: u64, path: String } "a dependency {steps} steps away ({path})";
    InNamespace "in_namespace" {} "in the same namespace";
    InCluster "in_cluster" {} "in the same cluster";
    NeedsTheOther "needs_the_other" { needed: String, needy: String } "{needed} needs {needy}, and not the other way round";
    NotNeeded "not_needed" { needy: String, needed: String } "{needy} is not known to need {needed}";
}

/// A span of time in nanoseconds, told in the one unit that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span(pub i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 / 1_000_000_000 {
            secs @ 0..=119 => write!(f, "{secs}s"),
            secs @ 120..=7199 => write!(f, "{}m", secs / 60),
            secs => write!(f, "{}h", secs / 3600),
        }
    }
}

/// A number as the English text shows it, so that what is stored is not longer than what is told.
pub(crate) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$}").parse().unwrap_or(value)
}

/// A stored message; nothing when there is none, or one of a newer release that this one does not know: the text beside it is kept.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Known(Message),
    Unknown(IgnoredAny),
}

impl Stored {
    fn known(self) -> Option<Message> {
        match self {
            Self::Known(message) => Some(message),
            Self::Unknown(_) => None,
        }
    }
}

/// Reads a stored message, for `#[serde(default, deserialize_with = "...")]` beside the English text.
pub fn stored_message<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Message>, D::Error> {
    Ok(Option::<Stored>::deserialize(deserializer)?.and_then(Stored::known))
}

/// Reads a list of stored messages: all of them, each in the place of its text, or none.
pub fn stored_messages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Message>, D::Error> {
    let stored = Option::<Vec<Stored>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(stored.into_iter().map(Stored::known).collect::<Option<Vec<Message>>>().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use expect_test::{expect, expect_file};

    use super::*;
    use crate::{Card, Exonerated, UnknownReason, Verdict};

    /// What the UI must have a text for. Its own tests walk this file.
    #[test]
    fn the_ui_knows_every_code() {
        let mut file = "{\n  \"codes\": {\n".to_owned();
        let quoted = |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let codes: Vec<String> =
            MESSAGE_CODES.iter().map(|(code, names)| format!("    \"{code}\": [{}]", quoted(names))).collect();
        let words: Vec<String> = WORDS.iter().map(|(word, code)| format!("    \"{word}\": \"{code}\"")).collect();
        file += &format!("{}\n  }},\n  \"words\": {{\n{}\n  }}\n}}\n", codes.join(",\n"), words.join(",\n"));
        expect_file!["../../../web/src/i18n/card-codes.json"].assert_eq(&file);
    }

    #[test]
    fn no_code_is_there_twice() {
        let mut codes: Vec<&str> = MESSAGE_CODES.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), MESSAGE_CODES.len());
    }

    fn failing() -> Message {
        let (version, old) = ("2".to_owned(), "1".to_owned());
        Message::ErrorsBeside { percent: 9.4, requests: 74, version, old_percent: 0.0, old_requests: 90, old }
    }

    #[test]
    fn sentences_nest_and_come_back() {
        let message = Message::OldHasIt { that: Box::new(failing()), old: "1".to_owned() };
        expect!["9.40 % of 74 requests of 2 fail, 0.00 % of 90 of 1; 1 has it as well"].assert_eq(&message.to_string());
        let text = serde_json::to_string(&message).expect("json");
        expect![[r#"{"code":"old_has_it","values":{"that":{"code":"errors_beside","values":{"percent":9.4,"requests":74,"version":"2","old_percent":0.0,"old_requests":90,"old":"1"}},"old":"1"}}"#]].assert_eq(&text);
        assert_eq!(serde_json::from_str::<Message>(&text).expect("read"), message);
    }

    /// A card as it was stored, with its messages altered, and what is read of it.
    fn read(alter: impl FnOnce(&mut serde_json::Value)) -> Card {
        let cleared = Exonerated::new(Message::ThisChange { other: TIME_BEFORE.to_owned() }, failing());
        let card = Card::new(Verdict::Unknown(UnknownReason::Conflict), failing(), model::Timestamp(0));
        let would_change = vec![Message::AlikeClears {}, Message::AnySignal {}];
        let mut stored = serde_json::to_value(card.with(Vec::new(), vec![cleared], would_change)).expect("json");
        alter(&mut stored);
        serde_json::from_value(stored).expect("read")
    }

    #[test]
    fn records_without_messages_and_of_newer_releases_are_read() {
        let whole = read(|_| ());
        assert_eq!((&whole.message, whole.would_change_messages.len()), (&Some(failing()), 2));
        assert_eq!(whole.exonerated[0].what, "this change, by the time before the change");
        let old = read(|card| {
            let fields = card.as_object_mut().expect("an object");
            fields.remove("message");
            fields.remove("would_change_messages");
            fields["exonerated"][0]
                .as_object_mut()
                .expect("an object")
                .retain(|name, _| name == "what" || name == "reason");
        });
        assert_eq!((&old.message, old.would_change_messages.len()), (&None, 0));
        assert_eq!((old.detail, old.would_change), (whole.detail.clone(), whole.would_change.clone()));
        assert_eq!((&old.exonerated[0].title, &old.exonerated[0].message), (&None, &None));
        let newer = read(|card| {
            card["message"] = serde_json::json!({"code": "of_tomorrow", "values": {"n": 1}});
            card["would_change_messages"][1] = serde_json::json!({"code": "of_tomorrow"});
            card["exonerated"][0]["message"]["values"] = serde_json::json!({});
        });
        assert_eq!((&newer.message, newer.would_change_messages.len()), (&None, 0));
        assert_eq!(newer.detail, whole.detail);
        assert_eq!(newer.exonerated[0].message, None);
    }

    #[test]
    fn what_is_stored_reads_as_what_was_measured() {
        for (value, digits, want) in
            [(0.125, 2, "0.12"), (9.459_459, 2, "9.46"), (99.95, 1, "100.0"), (-0.001, 2, "-0.00")]
        {
            assert_eq!(format!("{:.digits$}", rounded(value, digits)), want);
            assert_eq!(format!("{value:.digits$}"), want);
        }
    }

    #[test]
    fn spans_are_told_in_the_unit_that_matters() {
        let told = [0, 119, 120, 7199, 7200].map(|secs: i64| Span(secs * 1_000_000_000).to_string());
        assert_eq!(told, ["0s", "119s", "2m", "119m", "2h"]);
    }
}
