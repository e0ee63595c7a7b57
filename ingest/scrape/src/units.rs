//! Durations and sizes as Prometheus's settings write them.

use std::time::Duration;

use model::prometheus;

/// Reads `1h30m`, `15s`, `500ms`, `0`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let whole = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let ns = whole.then(|| model::parse_duration_ns(text)).flatten()?;
    // Prometheus knows nothing below a millisecond.
    let fine = ["ns", "us"].iter().any(|unit| text.ends_with(unit));
    (!fine).then(|| Duration::from_nanos(ns.unsigned_abs()))
}

/// Writes a duration as Prometheus does, which is what targets see in `__scrape_interval__`.
pub(crate) fn show_duration(duration: Duration) -> String {
    prometheus::duration_text(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Reads `10MB`, `512KiB`, `0`: all units are powers of 1024, as in Prometheus.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..at].parse().ok()?;
    let scale = match text[at..].trim() {
        "" => return (number == 0.0).then_some(0),
        "B" => 0,
        "KB" | "KiB" => 1,
        "MB" | "MiB" => 2,
        "GB" | "GiB" => 3,
        "TB" | "TiB" => 4,
        "PB" | "PiB" => 5,
        "EB" | "EiB" => 6,
        _ => return None,
    };
    let bytes = number * 1024f64.powi(scale);
    (bytes.is_finite() && bytes < u64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms, shown) in [
            ("15s", 15_000, "15s"),
            ("90s", 90_000, "1m30s"),
            ("0", 0, "0s"),
            ("1h", 3_600_000, "1h"),
            ("1500ms", 1500, "1s500ms"),
            ("14d", 1_209_600_000, "2w"),
            ("8d", 691_200_000, "8d"),
            ("1y", 31_536_000_000, "1y"),
        ] {
            let duration = parse_duration(text).expect(text);
            assert_eq!(duration.as_millis(), ms, "{text}");
            assert_eq!(show_duration(duration), shown);
        }
        for text in ["", "15", "1.5s", "-1s", "1us", "s", "1 s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_size("10MB"), Some(10 << 20));
        assert_eq!(parse_size("512KiB"), Some(512 << 10));
        assert_eq!(parse_size("1.5GB"), Some(3 << 29));
        assert_eq!(parse_size("0"), Some(0));
        assert_eq!(parse_size("100B"), Some(100));
        for text in ["", "10", "10mb", "MB", "-1MB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
