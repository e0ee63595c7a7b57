//! The evidence card: what a verdict rests on, for people and programs.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Message, Verdict, stored_message, stored_messages};

/// What kind of thing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalKind {
    /// The share of requests that failed.
    Errors,
    /// How long requests took.
    Latency,
    /// How full something is.
    Saturation,
    /// Error lines of a kind.
    Pattern,
    /// Active checks.
    Probe,
}

/// What was compared with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// The new version with the old one at the same time.
    VersionSplit,
    /// After the change with before it.
    BeforeAfter,
}

/// One side of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// What it is: a version, or a time.
    pub label: String,
    /// How many requests (or lines, or checks).
    pub n: f64,
    /// How many of them went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<f64>,
    /// The value that is compared: a share, seconds, or a share of the limit.
    pub value: f64,
}

/// What one comparison came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// The same for readers of any language; nothing in records of before there was one, as with the other messages here.
    #[serde(default, deserialize_with = "stored_message", skip_serializing_if = "Option::is_none")]
    pub title: Option<Message>,
    /// Its kind.
    pub kind: SignalKind,
    /// What was asked; filled in by whoever asks.
    #[serde(default)]
    pub query: String,
    /// How it was compared.
    pub compare: Compare,
    /// The side before the change.
    pub old: Side,
    /// The side after it.
    pub new: Side,
    /// The difference: new minus old, or new over old.
    pub effect: f64,
    /// `points` (percentage points), `ratio` or `share`.
    pub effect_unit: String,
    /// An interval around the effect that holds at any time of looking, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// The evidence, as the natural logarithm of an e-value.
    pub log_e: f64,
    /// From which evidence on it is called bad.
    pub log_e_needed: f64,
    /// Fewest requests of the new side.
    pub min_n: f64,
    /// What this signal alone says.
    pub verdict: Verdict,
    /// Why, for people.
    pub detail: String,
    /// The same for readers of any language.
    #[serde(default, deserialize_with = "stored_message", skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
}

impl Signal {
    /// Why it says what it says: the message, or the text of a record that has none.
    pub fn said(&self) -> Message {
        self.message.clone().unwrap_or_else(|| Message::Verbatim { text: self.detail.clone() })
    }

    /// Its name, in the same way.
    pub fn named(&self) -> Message {
        self.title.clone().unwrap_or_else(|| Message::Verbatim { text: self.name.clone() })
    }

    /// Says something else.
    pub(crate) fn say(&mut self, message: Message) {
        self.detail = message.to_string();
        self.message = Some(message);
    }
}

/// What was looked at and cleared, or what clears the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exonerated {
    /// What: a version, a dependency, another change.
    pub what: String,
    /// The same for readers of any language.
    #[serde(default, deserialize_with = "stored_message", skip_serializing_if = "Option::is_none")]
    pub title: Option<Message>,
    /// Why.
    pub reason: String,
    /// The same for readers of any language.
    #[serde(default, deserialize_with = "stored_message", skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
}

impl Exonerated {
    /// What was cleared, and why.
    pub fn new(what: Message, why: Message) -> Exonerated {
        let (text, reason) = (what.to_string(), why.to_string());
        Exonerated { what: text, title: Some(what), reason, message: Some(why) }
    }
}

/// The whole card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The verdict.
    pub verdict: Verdict,
    /// In one sentence.
    pub detail: String,
    /// The same for readers of any language.
    #[serde(default, deserialize_with = "stored_message", skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// Up to when data was compared.
    #[serde(with = "time_text")]
    pub until: Timestamp,
    /// Every comparison.
    pub signals: Vec<Signal>,
    /// What was cleared.
    pub exonerated: Vec<Exonerated>,
    /// What would change the verdict.
    pub would_change: Vec<String>,
    /// The same for readers of any language, each in the place of its text; empty where that is not known.
    #[serde(default, deserialize_with = "stored_messages", skip_serializing_if = "Vec::is_empty")]
    pub would_change_messages: Vec<Message>,
    /// Requests that arrived after a gap and were not compared.
    pub left_out: f64,
}

impl Card {
    /// A card without any measurement.
    pub fn new(verdict: Verdict, message: Message, until: Timestamp) -> Card {
        Card {
            verdict,
            detail: message.to_string(),
            message: Some(message),
            until,
            signals: Vec::new(),
            exonerated: Vec::new(),
            would_change: Vec::new(),
            would_change_messages: Vec::new(),
            left_out: 0.0,
        }
    }

    /// The same with what it rests on.
    #[must_use]
    pub fn with(self, signals: Vec<Signal>, exonerated: Vec<Exonerated>, would_change: Vec<Message>) -> Card {
        let texts = would_change.iter().map(Message::to_string).collect();
        Card { signals, exonerated, would_change: texts, would_change_messages: would_change, ..self }
    }
}

/// Writes times as RFC 3339 text.
mod time_text {
    use model::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text, Timestamp(0)).map_err(serde::de::Error::custom)
    }
}
