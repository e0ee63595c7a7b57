//! Rules of relabelling: their defaults and what makes no sense.

use serde_saphyr::Spanned;

use super::raw::RawRelabel;
use super::reader::Reader;
use crate::pattern::Pattern;
use crate::relabel::{Action, Relabel, is_label_name};

const REGEX_DEFAULT: &str = "(.*)";
const REPLACEMENT_DEFAULT: &str = "$1";
const SEPARATOR_DEFAULT: &str = ";";

impl Reader<'_> {
    pub(super) fn relabel_rules(&mut self, raw: Option<&[Spanned<RawRelabel>]>, legacy: bool) -> Vec<Relabel> {
        raw.unwrap_or_default().iter().filter_map(|rule| self.relabel_rule(rule, legacy)).collect()
    }

    fn relabel_rule(&mut self, at: &Spanned<RawRelabel>, legacy: bool) -> Option<Relabel> {
        let raw = &at.value;
        let action = match &raw.action {
            None => Action::Replace,
            Some(word) => match Action::parse(&word.value) {
                Some(action) => action,
                None => {
                    let hint = "replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase";
                    self.problems.say(word, format!("unknown relabel action {:?}", word.value), hint);
                    return None;
                }
            },
        };
        let source = raw.regex.as_ref().map_or(REGEX_DEFAULT, |regex| &regex.value);
        let regex = match (Pattern::new(source), &raw.regex) {
            (Ok(regex), _) => regex,
            (Err(message), Some(regex)) => {
                self.problems.say(regex, message, "the syntax is RE2's");
                return None;
            }
            (Err(message), None) => {
                self.problems.say(at, message, "give a regex");
                return None;
            }
        };
        let rule = Relabel {
            action,
            source_labels: raw.source_labels.clone().unwrap_or_default(),
            separator: raw.separator.clone().unwrap_or_else(|| SEPARATOR_DEFAULT.to_owned()),
            regex,
            modulus: raw.modulus.unwrap_or(0),
            target_label: raw.target_label.clone().unwrap_or_default(),
            replacement: raw.replacement.clone().unwrap_or_else(|| REPLACEMENT_DEFAULT.to_owned()),
            legacy_names: legacy,
        };
        match check(&rule, raw.source_labels.is_some()) {
            Ok(()) => Some(rule),
            Err((message, hint)) => {
                self.problems.say(at, message, hint);
                None
            }
        }
    }
}

/// What Prometheus refuses, in its words.
fn check(rule: &Relabel, has_sources: bool) -> Result<(), (String, &'static str)> {
    use Action::{DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase, Replace, Uppercase};
    let word = rule.action.as_str();
    let templated = |text: &str| text.contains('$');
    let writes = matches!(rule.action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual);
    if rule.action == HashMod && rule.modulus == 0 {
        return Err(("relabel configuration for hashmod requires non-zero modulus".to_owned(), "give a modulus"));
    }
    if writes && rule.target_label.is_empty() {
        let message = format!("relabel configuration for {word} action requires 'target_label' value");
        return Err((message, "give a target_label"));
    }
    let target_is_name = is_label_name(&rule.target_label, rule.legacy_names)
        || (rule.action == Replace && templated(&rule.target_label) && is_template(&rule.target_label));
    if writes && !target_is_name {
        let message = format!("{:?} is invalid 'target_label' for {word} action", rule.target_label);
        return Err((message, "names are letters, digits and underscores where the validation is legacy"));
    }
    let replacement_is_name =
        if rule.legacy_names { is_template(&rule.replacement) } else { !rule.replacement.is_empty() };
    if rule.action == LabelMap && !replacement_is_name {
        let message = format!("{:?} is invalid 'replacement' for {word} action", rule.replacement);
        return Err((message, "the replacement is the name of the new label"));
    }
    let plain_replacement = rule.replacement == REPLACEMENT_DEFAULT;
    if matches!(rule.action, Lowercase | Uppercase | KeepEqual | DropEqual) && !plain_replacement {
        return Err((format!("'replacement' can not be set for {word} action"), "remove it"));
    }
    let plain = plain_replacement && rule.separator == SEPARATOR_DEFAULT && rule.modulus == 0;
    if matches!(rule.action, KeepEqual | DropEqual) && !(plain && rule.regex.source() == REGEX_DEFAULT) {
        let message = format!("{word} action requires only 'source_labels' and `target_label`, and no other fields");
        return Err((message, "remove the others"));
    }
    if matches!(rule.action, LabelDrop | LabelKeep) && (!plain || has_sources || !rule.target_label.is_empty()) {
        return Err((format!("{word} action requires only 'regex', and no other fields"), "remove the others"));
    }
    Ok(())
}

/// Names with `$1`, `$name` and `${name}` among them, under the old rules for names.
fn is_template(text: &str) -> bool {
    let mut rest = text;
    let mut first = true;
    while let Some(c) = rest.chars().next() {
        if c == '$' {
            let inner = &rest[1..];
            let (inner, braces) = inner.strip_prefix('{').map_or((inner, false), |inner| (inner, true));
            let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
            let after = &inner[end..];
            let Some(after) = (if braces { after.strip_prefix('}') } else { Some(after) }) else { return false };
            if end == 0 {
                return false;
            }
            rest = after;
        } else if c.is_ascii_alphabetic() || c == '_' || (!first && c.is_ascii_digit()) {
            rest = &rest[1..];
        } else {
            return false;
        }
        first = false;
    }
    !text.is_empty()
}
