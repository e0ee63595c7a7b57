//! Numbers and times as Go prints them, because Prometheus's templates do (`text/template`, `fmt`, Prometheus's `template` package).

use model::Timestamp;

/// Go's `strconv.ParseFloat`, decimal.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Go's text of a time of day in UTC, from seconds since the Unix epoch.
pub(super) fn go_time(seconds: f64) -> String {
    let text = Timestamp((seconds * 1e3).round() as i64 * 1_000_000).to_string();
    let plain = text.replace('T', " ");
    let plain = plain.trim_end_matches('Z');
    let shown = if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.') } else { plain };
    format!("{shown} +0000 UTC")
}

/// Go's text of a duration: `1h2m3.5s`.
pub(crate) fn go_duration(seconds: f64) -> String {
    let ns = seconds * 1e9;
    if ns == 0.0 {
        return "0s".to_owned();
    }
    let size = seconds.abs();
    let sign = if seconds < 0.0 { "-" } else { "" };
    if size < 1.0 {
        let (unit, factor) =
            [("ns", 1e9), ("\u{b5}s", 1e6)].into_iter().find(|(_, f)| size * f < 1e3).unwrap_or(("ms", 1e3));
        return format!("{sign}{}{unit}", go_value(round_to(size * factor, 1e9 / factor)));
    }
    let whole = size.trunc() as u64;
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    let rest = go_value(round_to(size - (whole - whole % 60) as f64, 1e9));
    match (hours, minutes) {
        (0, 0) => format!("{sign}{rest}s"),
        (0, _) => format!("{sign}{minutes}m{rest}s"),
        _ => format!("{sign}{hours}h{minutes}m{rest}s"),
    }
}

fn round_to(n: f64, parts: f64) -> f64 {
    (n * parts).round() / parts
}

/// Go's `%v` of a float64: the shortest digits, an exponent below 1e-4 and from a million on.
pub(super) fn go_value(n: f64) -> String {
    if !n.is_finite() {
        return not_finite(n);
    }
    if n != 0.0 && !(1e-4..1e6).contains(&n.abs()) { go_exponent(&format!("{n:e}")) } else { n.to_string() }
}

/// Go's `%.<digits>g`.
pub(super) fn go_general(n: f64, digits: usize) -> String {
    if !n.is_finite() {
        return not_finite(n);
    }
    if n == 0.0 {
        return "0".to_owned();
    }
    let digits = digits.max(1);
    let scientific = format!("{n:.*e}", digits - 1);
    let exponent: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    if exponent < -4 || exponent >= i32::try_from(digits).unwrap_or(i32::MAX) {
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        return go_exponent(&format!("{}e{exponent}", trim_zeros(mantissa)));
    }
    let decimals = usize::try_from(i32::try_from(digits).unwrap_or(0) - 1 - exponent).unwrap_or(0);
    trim_zeros(&format!("{n:.decimals$}")).to_owned()
}

/// Go's `%.<decimals>e`.
pub(super) fn go_scientific(n: f64, decimals: usize) -> String {
    if n.is_finite() { go_exponent(&format!("{n:.decimals$e}")) } else { not_finite(n) }
}

/// Go's `%.<decimals>f`.
pub(super) fn go_fixed(n: f64, decimals: usize) -> String {
    if n.is_finite() { format!("{n:.decimals$}") } else { not_finite(n) }
}

/// `humanize`: SI prefixes, four digits.
pub(super) fn humanize(n: f64) -> String {
    scaled(n, 1000.0, &["k", "M", "G", "T", "P", "E", "Z", "Y"], &["m", "u", "n", "p", "f", "a", "z", "y"])
}

/// `humanize1024`: binary prefixes, four digits.
pub(super) fn humanize1024(n: f64) -> String {
    scaled(n, 1024.0, &["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"], &[])
}

/// `humanizePercentage`: a ratio as per cent.
pub(super) fn humanize_percentage(n: f64) -> String {
    format!("{}%", go_general(n * 100.0, 4))
}

/// `humanizeDuration`: seconds as days, hours, minutes, seconds.
pub(super) fn humanize_duration(n: f64) -> String {
    if !n.is_finite() {
        return not_finite(n);
    }
    if n.abs() < 1.0 {
        return format!("{}s", scaled(n, 1000.0, &[], &["m", "u", "n", "p", "f", "a", "z", "y"]));
    }
    let sign = if n < 0.0 { "-" } else { "" };
    let total = n.abs() as u64;
    let (days, hours, minutes, seconds) = (total / 86_400, total / 3600 % 24, total / 60 % 60, total % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{}s", go_general(n, 4)),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

fn scaled(n: f64, base: f64, up: &[&str], down: &[&str]) -> String {
    let mut value = n;
    let mut prefix = "";
    if n == 0.0 || !n.is_finite() {
        return go_general(n, 4);
    }
    if n.abs() >= 1.0 {
        for next in up {
            if value.abs() < base {
                break;
            }
            value /= base;
            prefix = next;
        }
    } else {
        for next in down {
            if value.abs() >= 1.0 {
                break;
            }
            value *= base;
            prefix = next;
        }
    }
    format!("{}{prefix}", go_general(value, 4))
}

fn not_finite(n: f64) -> String {
    if n.is_nan() {
        "NaN"
    } else if n > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
    .to_owned()
}

/// Rust prints `1e21`, Go `1e+21`, with at least two digits of exponent.
fn go_exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_go() {
        // Expected values are those of Prometheus's own template tests and of Go's fmt.
        let values = [
            (0.05, "0.05"),
            (21.0, "21"),
            (1e21, "1e+21"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (0.00001, "1e-05"),
            (f64::INFINITY, "+Inf"),
        ];
        for (n, want) in values {
            assert_eq!(go_value(n), want);
        }
        let humanized = [
            (0.0, "0"),
            (1.0, "1"),
            (1_234_567.0, "1.235M"),
            (0.12, "120m"),
            (999.9, "999.9"),
            (-1500.0, "-1.5k"),
            (f64::NAN, "NaN"),
        ];
        for (n, want) in humanized {
            assert_eq!(humanize(n), want);
        }
        assert_eq!(humanize1024(1_048_576.0), "1Mi");
        assert_eq!(humanize_percentage(0.1234567), "12.35%");
        let durations = [
            (0.0, "0s"),
            (1.0, "1s"),
            (60.0, "1m 0s"),
            (3600.0, "1h 0m 0s"),
            (86_400.0, "1d 0h 0m 0s"),
            (-86_399.0, "-23h 59m 59s"),
            (0.1, "100ms"),
            (12.3456, "12.35s"),
        ];
        for (n, want) in durations {
            assert_eq!(humanize_duration(n), want);
        }
        assert_eq!(go_general(12_345.0, 3), "1.23e+04");
    }
}
