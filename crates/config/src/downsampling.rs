//! Rules of downsampling: which series, how old, how far.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::raw::Check;

/// Samples that are younger than this are not downsampled. Senders repeat what they are not sure of within hours; what comes for a
/// time that is downsampled already is not taken for new.
const AFTER_MIN: Duration = Duration::from_secs(86_400);
/// Finest resolution.
const RESOLUTION_MIN: Duration = Duration::from_secs(1);
/// Different resolutions of all rules.
const RESOLUTIONS_MAX: usize = 8;

const MATCH: &str = "store.downsampling.match";
const AFTER: &str = "store.downsampling.after";
const RESOLUTION: &str = "store.downsampling.resolution";

/// Series of which few samples are left when they are old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownsamplingConfig {
    /// Which series: a selector of PromQL, read by whoever opens the store; all of them without one.
    pub selector: Option<String>,
    /// How old samples are.
    pub after: Duration,
    /// Length of the buckets of which two samples and what lies between in sum are left.
    pub resolution: Duration,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawDownsampling {
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    pub after: String,
    pub resolution: String,
}

impl Check<'_> {
    /// Every rule, in the order of the file.
    pub(crate) fn downsampling(&self, raw: &[RawDownsampling]) -> Result<Vec<DownsamplingConfig>, ConfigError> {
        let mut rules: Vec<DownsamplingConfig> = Vec::new();
        for raw in raw {
            let rule = self.downsampling_rule(raw)?;
            let before: Vec<_> = rules.iter().filter(|known| known.selector == rule.selector).cloned().collect();
            before.iter().try_for_each(|known| self.goes_together(known, &rule, raw))?;
            if before.is_empty() && rules.iter().any(|known| known.selector.is_none()) {
                let shown = raw.selector.as_deref().unwrap_or_default();
                let hint = "a series follows the rules of the first `match` that fits; put rules without one last";
                return Err(self.error(MATCH, shown, "before the rules for all series", hint));
            }
            rules.push(rule);
        }
        let mut resolutions: Vec<Duration> = rules.iter().map(|rule| rule.resolution).collect();
        resolutions.sort_unstable();
        resolutions.dedup();
        if resolutions.len() > RESOLUTIONS_MAX {
            let (shown, hint) = (resolutions.len().to_string(), format!("use at most {RESOLUTIONS_MAX}"));
            return Err(self.error(
                "store.downsampling",
                &shown,
                "a number of resolutions that blocks can hold",
                &hint,
            ));
        }
        Ok(rules)
    }

    fn downsampling_rule(&self, raw: &RawDownsampling) -> Result<DownsamplingConfig, ConfigError> {
        let selector = raw.selector.as_deref().map(|text| text.trim().to_owned());
        if selector.as_deref() == Some("") {
            let hint = "write a selector such as {job=\"node\"}, or leave `match` out for all series";
            return Err(self.error(MATCH, "", "a selector", hint));
        }
        let (after, resolution) = (self.duration(AFTER, &raw.after)?, self.duration(RESOLUTION, &raw.resolution)?);
        if after < AFTER_MIN {
            let hint = "samples that are sent again within a day must meet those that they repeat";
            return Err(self.error(AFTER, &raw.after, "at least 1d", hint));
        }
        if resolution < RESOLUTION_MIN || resolution.subsec_nanos() % 1_000_000 != 0 {
            return Err(self.error(
                RESOLUTION,
                &raw.resolution,
                "at least 1s, in whole milliseconds",
                "write it as 5m or 1h",
            ));
        }
        if resolution > after {
            let hint = format!("store.downsampling.after is {}; 5m after 30d and 1h after 180d are usual", raw.after);
            return Err(self.error(RESOLUTION, &raw.resolution, "at most as long as samples are old", &hint));
        }
        Ok(DownsamplingConfig { selector, after, resolution })
    }

    /// Of two rules for the same series the one for older samples must make whole buckets of the other's.
    fn goes_together(
        &self,
        known: &DownsamplingConfig,
        rule: &DownsamplingConfig,
        raw: &RawDownsampling,
    ) -> Result<(), ConfigError> {
        if known.after == rule.after {
            let hint = "give each age one resolution, or the rules different `match`";
            return Err(self.error(AFTER, &raw.after, "an age of its own among rules for the same series", hint));
        }
        let (younger, older) = if known.after < rule.after { (known, rule) } else { (rule, known) };
        let (fine, coarse) = (younger.resolution.as_nanos(), older.resolution.as_nanos());
        if coarse > fine && coarse.is_multiple_of(fine) {
            return Ok(());
        }
        let hint =
            "what is downsampled twice must come to the same: 5m after 30d and 1h after 180d do, 5m and 12m do not";
        Err(self.error(RESOLUTION, &raw.resolution, "a multiple of the resolution of younger samples", hint))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::Config;

    fn check_error(rules: &str, want: Expect) {
        let text = format!("store: {{downsampling: [{rules}]}}");
        want.assert_eq(&Config::parse("backstop.yaml", &text).expect_err("must not parse").to_string());
    }

    #[test]
    fn steps_of_several_selectors_are_read() {
        let text = "store:\n  downsampling:\n  - {match: 'up{job=\"a\"}', after: 7d, resolution: 1m}\n  - {after: 180d, resolution: 1h}\n  - {after: 30d, resolution: 5m}\n";
        let rules = Config::parse("f", text).expect("valid").store.downsampling;
        let shown: Vec<_> = rules
            .iter()
            .map(|rule| (rule.selector.as_deref(), rule.after.as_secs() / 86_400, rule.resolution.as_secs()))
            .collect();
        assert_eq!(shown, [(Some("up{job=\"a\"}"), 7, 60), (None, 180, 3600), (None, 30, 300)]);
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        check_error(
            "{after: 1h, resolution: 5m}",
            expect![[r#"
                backstop.yaml: store.downsampling.after is "1h", which is not at least 1d
                hint: samples that are sent again within a day must meet those that they repeat"#]],
        );
        check_error(
            "{after: 30d, resolution: 500ms}",
            expect![[r#"
                backstop.yaml: store.downsampling.resolution is "500ms", which is not at least 1s, in whole milliseconds
                hint: write it as 5m or 1h"#]],
        );
        check_error(
            "{after: 30d, resolution: soon}",
            expect![[r#"
                backstop.yaml: store.downsampling.resolution is "soon", which is not a duration above zero
                hint: write it as 500ms, 30s, 1h30m or 30d"#]],
        );
        check_error(
            "{after: 1d, resolution: 2d}",
            expect![[r#"
                backstop.yaml: store.downsampling.resolution is "2d", which is not at most as long as samples are old
                hint: store.downsampling.after is 1d; 5m after 30d and 1h after 180d are usual"#]],
        );
        check_error(
            "{match: '', after: 30d, resolution: 5m}",
            expect![[r#"
                backstop.yaml: store.downsampling.match is "", which is not a selector
                hint: write a selector such as {job="node"}, or leave `match` out for all series"#]],
        );
        check_error(
            "{after: 30d, resolution: 5m}, {after: 180d, resolution: 12m}",
            expect![[r#"
                backstop.yaml: store.downsampling.resolution is "12m", which is not a multiple of the resolution of younger samples
                hint: what is downsampled twice must come to the same: 5m after 30d and 1h after 180d do, 5m and 12m do not"#]],
        );
        check_error(
            "{after: 180d, resolution: 5m}, {after: 30d, resolution: 1h}",
            expect![[r#"
                backstop.yaml: store.downsampling.resolution is "1h", which is not a multiple of the resolution of younger samples
                hint: what is downsampled twice must come to the same: 5m after 30d and 1h after 180d do, 5m and 12m do not"#]],
        );
        check_error(
            "{after: 30d, resolution: 5m}, {after: 30d, resolution: 1h}",
            expect![[r#"
                backstop.yaml: store.downsampling.after is "30d", which is not an age of its own among rules for the same series
                hint: give each age one resolution, or the rules different `match`"#]],
        );
        check_error(
            "{after: 30d, resolution: 5m}, {match: up, after: 7d, resolution: 1m}",
            expect![[r#"
                backstop.yaml: store.downsampling.match is "up", which is not before the rules for all series
                hint: a series follows the rules of the first `match` that fits; put rules without one last"#]],
        );
        let many: Vec<String> = (1..10).map(|at| format!("{{after: {at}d, resolution: {}s}}", 1 << at)).collect();
        check_error(
            &many.join(", "),
            expect![[r#"
                backstop.yaml: store.downsampling is "9", which is not a number of resolutions that blocks can hold
                hint: use at most 8"#]],
        );
    }
}
