//! Numbers with units: durations (`1h30m`, in nanoseconds) and sizes (`10MiB`, in bytes).

/// Units of sizes, the largest first.
const SIZES: [(&str, i64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// Units of durations, the largest first.
const DURATIONS: [(&str, i64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a size such as `10MiB`, `1.5 GB` or `512B`, in bytes; units without regard to case, `k` for `KB` likewise.
pub fn parse_size(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
    let number: f64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim();
    let known = |name: &str| {
        let short = if name.len() > 1 { &name[..name.len() - 1] } else { name };
        unit.eq_ignore_ascii_case(name) || (name.len() > 1 && unit.eq_ignore_ascii_case(short))
    };
    let (_, bytes) = SIZES.into_iter().find(|(name, _)| known(name))?;
    let size = (number * bytes as f64).round();
    (size < i64::MAX as f64).then_some(size as i64)
}

/// A size as a literal, in the largest unit that divides it: reads back as the same size.
pub fn format_size(bytes: i64) -> String {
    in_largest_unit(bytes, &SIZES)
}

/// A duration as a literal, in the largest unit that divides it: reads back as the same duration.
pub fn format_duration(ns: i64) -> String {
    in_largest_unit(ns, &DURATIONS)
}

fn in_largest_unit(value: i64, units: &[(&str, i64)]) -> String {
    let (name, unit) = units.iter().find(|(_, unit)| value % unit == 0).copied().unwrap_or(("", 1));
    format!("{}{name}", value / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_with_any_unit_and_print_in_the_largest() {
        let read =
            ["10MiB", "1.5 gb", "512B", "3k", "2KiB", "7m", "", "MB", "1XB", "99999999999TB", "0B"].map(parse_size);
        let want = [
            Some(10 << 20),
            Some(1_500_000_000),
            Some(512),
            Some(3_000),
            Some(2048),
            Some(7_000_000),
            None,
            None,
            None,
            None,
            Some(0),
        ];
        assert_eq!(read, want);
        assert_eq!([10 << 20, 10_000_000, 2560, 0].map(format_size), ["10MiB", "10MB", "2560B", "0TiB"]);
        assert_eq!([90, 5_400_000_000_000].map(format_duration), ["90ns", "90m"]);
    }
}
