//! Durations and sizes as people read them.

use std::fmt::Write as _;

/// A duration in the units that it has: `1d2h3m4.5s`, and below a second in one unit: `1.5ms`, `20us`.
pub(crate) fn duration_text(ns: i64) -> String {
    let mut out = String::new();
    if ns < 0 {
        out.push('-');
    }
    let ns = ns.unsigned_abs();
    if ns == 0 {
        return "0s".to_owned();
    }
    if ns < 1_000_000_000 {
        let (unit, name) = match ns {
            1_000_000.. => (1_000_000, "ms"),
            1_000.. => (1_000, "us"),
            _ => (1, "ns"),
        };
        push_decimal(&mut out, ns, unit);
        out.push_str(name);
        return out;
    }
    let mut rest = ns;
    for (name, unit) in [("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000)] {
        if rest >= unit {
            let _ = write!(out, "{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if rest > 0 {
        push_decimal(&mut out, rest, 1_000_000_000);
        out.push('s');
    }
    out
}

/// A whole number of units with its fraction, exactly.
fn push_decimal(out: &mut String, value: u64, unit: u64) {
    let _ = write!(out, "{}", value / unit);
    let fraction = value % unit;
    if fraction > 0 {
        let digits = unit.ilog10() as usize;
        let text = format!("{fraction:0digits$}");
        let _ = write!(out, ".{}", text.trim_end_matches('0'));
    }
}

/// A size with up to two decimals in the largest binary unit that it fills: `1.5 KiB`.
pub(crate) fn size_text(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes.abs();
    let mut unit = 0;
    // What would be printed as 1024 of a unit is one of the next.
    while size >= 1023.995 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    let number = format!("{size:.2}");
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{}{number} {}", if bytes < 0.0 { "-" } else { "" }, units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_short_and_exact() {
        let durations =
            [0, 1, 1_500, 20_000, 1_500_000, 999_999_999, 1_000_000_000, 3_723_500_000_000, 86_400_000_000_000];
        let texts = ["0s", "1ns", "1.5us", "20us", "1.5ms", "999.999999ms", "1s", "1h2m3.5s", "1d"];
        assert_eq!(durations.map(duration_text), texts);
        for ns in durations {
            assert_eq!(model::parse_duration_ns(&duration_text(ns)), Some(ns));
        }
        assert_eq!(duration_text(-90_000_000_000), "-1m30s");
        assert_eq!(duration_text(i64::MIN), "-106751d23h47m16.854775808s");
        let sizes = [0.0, 1023.0, 1024.0, 1536.0, 1_048_575.0, -2e9, 1e30];
        assert_eq!(
            sizes.map(size_text),
            ["0 B", "1023 B", "1 KiB", "1.5 KiB", "1 MiB", "-1.86 GiB", "867361737988.4 EiB"]
        );
    }
}
