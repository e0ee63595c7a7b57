//! What several crates must write as Prometheus does: durations, the templates of its regular expressions, and what it promotes of OTLP.

/// Resource attributes that become labels by default, as Prometheus's guide to OpenTelemetry recommends, and `host.name`.
pub const PROMOTED_RESOURCE_ATTRIBUTES: [&str; 20] = [
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
    "cloud.availability_zone",
    "cloud.region",
    "container.name",
    "deployment.environment",
    "deployment.environment.name",
    "host.name",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.cronjob.name",
    "k8s.daemonset.name",
    "k8s.deployment.name",
    "k8s.job.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.replicaset.name",
    "k8s.statefulset.name",
];

/// A duration as Prometheus prints it, `1h30m`: weeks and years only where it is whole ones, nothing below a millisecond.
pub fn duration_text(ms: u64) -> String {
    /// Unit, milliseconds, and whether it is only used when nothing is left.
    const UNITS: [(&str, u64, bool); 7] = [
        ("y", 31_536_000_000, true),
        ("w", 604_800_000, true),
        ("d", 86_400_000, false),
        ("h", 3_600_000, false),
        ("m", 60_000, false),
        ("s", 1000, false),
        ("ms", 1, false),
    ];
    if ms == 0 {
        return "0s".to_owned();
    }
    let (mut out, mut rest) = (String::new(), ms);
    for (unit, size, exact) in UNITS {
        if (exact && !rest.is_multiple_of(size)) || rest < size {
            continue;
        }
        out.push_str(&format!("{}{unit}", rest / size));
        rest %= size;
    }
    out
}

/// A group of a regular expression, as a template names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group<'a> {
    /// By its place; the whole match is 0.
    Number(usize),
    /// By its name.
    Name(&'a str),
}

impl<'a> Group<'a> {
    fn of(name: &'a str) -> Self {
        // `$01` is a name to Go, and so is a number that is too large for a place.
        let digits = name.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = name.len() > 1 && name.starts_with('0');
        match name.parse() {
            Ok(number) if digits && !leading_zero => Self::Number(number),
            _ => Self::Name(name),
        }
    }
}

/// A template of Go's, `$1`, `$name`, `${name}`, `$$`, with what groups matched; nothing stands for a group that is not there. What is no
/// reference stays as it is.
pub fn expand_template<'t>(template: &str, group: impl Fn(Group<'_>) -> Option<&'t str>) -> String {
    let (mut out, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(rest) {
            out.push_str(group(Group::of(name)).unwrap_or_default());
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

/// The name after a dollar sign, as long as it can be, with or without braces, and what follows.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (inner, braces) = text.strip_prefix('{').map_or((text, false), |inner| (inner, true));
    let end = inner.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    Some((name, if braces { rest.strip_prefix('}')? } else { rest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus_s() {
        for (ms, want) in [
            (0, "0s"),
            (1, "1ms"),
            (1500, "1s500ms"),
            (90_000, "1m30s"),
            (3_600_000, "1h"),
            (691_200_000, "8d"),
            (1_209_600_000, "2w"),
            (31_536_000_000, "1y"),
            (31_536_000_000 + 1000, "365d1s"),
        ] {
            assert_eq!(duration_text(ms), want, "{ms}");
        }
    }

    #[test]
    fn templates_are_go_s() {
        let group = |group: Group<'_>| match group {
            Group::Number(0) => Some("a-b"),
            Group::Number(1) => Some("a"),
            Group::Number(2) | Group::Name("name") => Some("b"),
            Group::Name("1x" | "01" | "99999999999999999999999") => Some("by name"),
            _ => None,
        };
        for (template, want) in [
            ("$1", "a"),
            ("${1}x", "ax"),
            ("$1x", "by name"),
            ("$01", "by name"),
            ("$99999999999999999999999", "by name"),
            ("$1_$2", "b"),
            ("${1}_${2}", "a_b"),
            ("$name", "b"),
            ("$$1", "$1"),
            ("$0", "a-b"),
            ("$3", ""),
            ("$", "$"),
            ("${", "${"),
            ("${1", "${1"),
            ("$-", "$-"),
            ("é$1é", "é"),
            ("plain", "plain"),
        ] {
            assert_eq!(expand_template(template, group), want, "{template}");
        }
    }
}
