//! Names of other systems as names of metrics and labels.
//!
//! A name is kept as far as a query can write it without quotes: every ASCII character that is no letter, digit or underscore (or colon, in
//! a metric) becomes an underscore, and a digit gets one before it. Letters and digits of other scripts stay.

/// The name of a metric, from parts that `_` joins; empty parts are left out. `None` when nothing is left.
pub(crate) fn metric_name<'a>(parts: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut out = String::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push('_');
        }
        out.extend(part.chars().map(|c| if is_word(c) || c == ':' { c } else { '_' }));
    }
    finish(out)
}

/// The name of a label. `None` when nothing is left.
pub(crate) fn label_name(name: &str) -> Option<String> {
    finish(name.chars().map(|c| if is_word(c) { c } else { '_' }).collect())
}

fn is_word(c: char) -> bool {
    c == '_' || if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() }
}

fn finish(mut name: String) -> Option<String> {
    if name.chars().all(|c| c == '_') {
        return None;
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_written_without_quotes() {
        for (parts, want) in [
            (&["cpu", "usage.user"][..], Some("cpu_usage_user")),
            (&["servers.web-1.cpu:load"], Some("servers_web_1_cpu:load")),
            (&["", "5m"], Some("_5m")),
            (&["温度", "值"], Some("温度_值")),
            (&["...", "-"], None),
            (&[], None),
        ] {
            assert_eq!(metric_name(parts.iter().copied()).as_deref(), want, "{parts:?}");
        }
        assert_eq!(label_name("a:b").as_deref(), Some("a_b"));
        assert_eq!(label_name("9").as_deref(), Some("_9"));
        assert_eq!(label_name(""), None);
    }
}
