//! Numbers and texts as Go prints them, because clients compare what they get.

/// Go's `%g`: the shortest text that reads back, with an exponent for tiny and for large numbers.
pub fn short_number(value: f64) -> String {
    if !value.is_finite() {
        return crate::value::format_number(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Go's `%.2g`.
pub(crate) fn two_digits(value: f64) -> String {
    let rounded: f64 = format!("{value:.1e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if size != 0.0 && !(1e-4..100.0).contains(&size) {
        let text = format!("{rounded:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{rounded}")
}

/// A number without an exponent, however long: Go's `FormatFloat(value, 'f', -1, 64)`.
pub(crate) fn plain_number(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { crate::value::format_number(value) }
}

/// Go's `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c == '\x7f' => drop(write!(out, "\\x{:02x}", c as u32)),
            // Debug knows which characters cannot be printed.
            c if c != '\'' && c.escape_debug().len() > 1 => match c as u32 {
                code if code < 0x10000 => drop(write!(out, "\\u{code:04x}")),
                code => drop(write!(out, "\\U{code:08x}")),
            },
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_go_s() {
        let numbers = [(0.0, "0"), (-0.5, "-0.5"), (1e6, "1e+06"), (123456.0, "123456"), (1.5e-5, "1.5e-05")];
        for (value, want) in numbers {
            assert_eq!(short_number(value), want);
        }
        assert_eq!(short_number(f64::NEG_INFINITY), "-Inf");
        assert_eq!(plain_number(1e21), "1000000000000000000000");
        assert_eq!(quote("a\"b\\\n'é\u{1}\u{200b}"), r#""a\"b\\\n'é\x01\u200b""#);
    }
}
