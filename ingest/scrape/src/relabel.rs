//! Relabelling: rules that rewrite the labels of targets and series, or drop them. The same rules as Prometheus, in the same order.

use md5::{Digest as _, Md5};
use serde::Serialize;

use crate::labels::LabelSet;
use crate::pattern::Pattern;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

impl Action {
    const ALL: [(&'static str, Action); 11] = [
        ("replace", Action::Replace),
        ("keep", Action::Keep),
        ("drop", Action::Drop),
        ("keepequal", Action::KeepEqual),
        ("dropequal", Action::DropEqual),
        ("hashmod", Action::HashMod),
        ("labelmap", Action::LabelMap),
        ("labeldrop", Action::LabelDrop),
        ("labelkeep", Action::LabelKeep),
        ("lowercase", Action::Lowercase),
        ("uppercase", Action::Uppercase),
    ];

    /// Reads the word of the settings, in any case.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, action)| *action)
    }

    /// The word of the settings.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, action)| *action == self).map_or("", |(word, _)| word)
    }
}

/// One rule, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Relabel {
    pub(crate) action: Action,
    pub(crate) source_labels: Vec<String>,
    pub(crate) separator: String,
    pub(crate) regex: Pattern,
    pub(crate) modulus: u64,
    pub(crate) target_label: String,
    pub(crate) replacement: String,
    /// Whether only names of letters, digits and underscores are names.
    pub(crate) legacy_names: bool,
}

/// The rule as settings write it, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelabelShown {
    /// Labels whose values are joined.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_labels: Vec<String>,
    /// What joins them.
    pub separator: String,
    /// What the joined value must match.
    pub regex: String,
    /// Divisor of the hash.
    #[serde(skip_serializing_if = "is_zero")]
    pub modulus: u64,
    /// The label that is written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_label: String,
    /// What is written.
    pub replacement: String,
    /// What is done.
    pub action: &'static str,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Applies rules in their order. False where one says to drop.
pub fn relabel(rules: &[Relabel], labels: &mut LabelSet) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Relabel {
    /// For people.
    pub fn shown(&self) -> RelabelShown {
        RelabelShown {
            source_labels: self.source_labels.clone(),
            separator: self.separator.clone(),
            regex: self.regex.source().to_owned(),
            modulus: self.modulus,
            target_label: self.target_label.clone(),
            replacement: self.replacement.clone(),
            action: self.action.as_str(),
        }
    }

    /// Applies one rule. False where it says to drop.
    pub(crate) fn apply(&self, labels: &mut LabelSet) -> bool {
        let value = self.value(labels);
        match self.action {
            Action::Keep => return self.regex.is_match(&value),
            Action::Drop => return !self.regex.is_match(&value),
            Action::KeepEqual => return labels.get(&self.target_label) == value,
            Action::DropEqual => return labels.get(&self.target_label) != value,
            Action::Replace => self.replace(&value, labels),
            Action::Lowercase => labels.set(&self.target_label, value.to_lowercase()),
            Action::Uppercase => labels.set(&self.target_label, value.to_uppercase()),
            Action::HashMod => {
                let hash = Md5::digest(value.as_bytes());
                // The last eight bytes, as Prometheus has always taken.
                let tail: [u8; 8] = std::array::from_fn(|at| hash[8 + at]);
                labels.set(&self.target_label, (u64::from_be_bytes(tail) % self.modulus.max(1)).to_string());
            }
            Action::LabelMap => {
                let before: Vec<(String, String)> =
                    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                for (name, value) in before {
                    if let Some(captures) = self.regex.captures(&name) {
                        labels.set(&self.regex.expand(&self.replacement, &captures), value);
                    }
                }
            }
            Action::LabelDrop => labels.retain(|name| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name| self.regex.is_match(name)),
        }
        true
    }

    fn value(&self, labels: &LabelSet) -> String {
        let values: Vec<&str> = self.source_labels.iter().map(|name| labels.get(name)).collect();
        values.join(&self.separator)
    }

    fn replace(&self, value: &str, labels: &mut LabelSet) {
        let Some(captures) = self.regex.captures(value) else { return };
        let target = self.regex.expand(&self.target_label, &captures);
        if !is_label_name(&target, self.legacy_names) {
            return;
        }
        let replacement = self.regex.expand(&self.replacement, &captures).into_owned();
        labels.set(&target, replacement);
    }
}

/// Whether a text may name a label.
pub(crate) fn is_label_name(name: &str, legacy: bool) -> bool {
    if !legacy {
        return !name.is_empty();
    }
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a text may name a metric.
pub(crate) fn is_metric_name(name: &str, legacy: bool) -> bool {
    if !legacy {
        return !name.is_empty();
    }
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

#[cfg(test)]
mod tests;
