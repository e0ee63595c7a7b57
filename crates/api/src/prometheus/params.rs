//! Parameters of the Prometheus API: from the query string, and for POST and PUT from the form too.

use std::collections::HashMap;

use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use model::Timestamp;

use super::envelope::PromError;

/// Longest form.
const FORM_BYTES_MAX: usize = 10 << 20;

/// The first and the last time that clients write for "always", which are beyond what RFC 3339 holds; the same as `ALL_MS`.
const ALL_TEXTS: (&str, &str) = ("-292273086-05-16T16:47:06Z", "292277025-08-18T07:12:54.999999999Z");

/// Whole time, in milliseconds: the default range of what asks for none. Far from the ends of the type, so that sums of times
/// and durations do not run over.
pub(crate) const ALL_MS: (i64, i64) = (i64::MIN / 4, i64::MAX / 4);

/// Every parameter, in order of appearance, those of the form first; a name may come several times (`match[]`).
#[derive(Debug, Default)]
pub(crate) struct Params {
    values: HashMap<String, Vec<String>>,
    /// What is wrong with the encoding of a parameter that was left out.
    fault: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = PromError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, PromError> {
        let mut params = Self::default();
        let in_url = request.uri().query().unwrap_or("").to_owned();
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if [Method::POST, Method::PUT].contains(request.method()) && is_form {
            let form = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await;
            let form = form.map_err(|error| PromError::bad_data(format!("error parsing form values: {error}")))?;
            params.read(&String::from_utf8_lossy(&form));
        }
        params.read(&in_url);
        Ok(params)
    }
}

impl Params {
    /// The parameters of a query string.
    #[cfg(test)]
    pub(crate) fn of(encoded: &str) -> Self {
        let mut params = Self::default();
        params.read(encoded);
        params
    }

    fn read(&mut self, encoded: &str) {
        for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match decode(name).and_then(|name| Ok((name, decode(value)?))) {
                Ok((name, value)) => self.values.entry(name).or_default().push(value),
                Err(fault) => drop(self.fault.get_or_insert(fault)),
            }
        }
    }

    /// Fails when a parameter was left out because of its encoding. Only some endpoints of Prometheus say so.
    pub(crate) fn check_form(&self) -> Result<(), PromError> {
        match &self.fault {
            None => Ok(()),
            Some(fault) => Err(PromError::bad_data(format!("error parsing form values: {fault}"))),
        }
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    /// The first value of a parameter, unless it is empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Every value of a parameter.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// A time that may be absent: RFC 3339 or Unix seconds.
    pub(crate) fn time_ms(&self, name: &str, default_ms: i64) -> Result<i64, PromError> {
        let Some(text) = self.given(name) else { return Ok(default_ms) };
        let fault = || format!("invalid time value for '{name}': cannot parse {text:?} to a valid timestamp");
        parse_time_ms(text).ok_or_else(|| PromError::invalid(name, fault()))
    }

    /// A time that must be there.
    pub(crate) fn required_time_ms(&self, name: &str) -> Result<i64, PromError> {
        let text = self.get(name).unwrap_or("");
        let fault = || format!("cannot parse {text:?} to a valid timestamp");
        parse_time_ms(text).ok_or_else(|| PromError::invalid(name, fault()))
    }

    /// A duration that must be there: seconds or Prometheus's form.
    pub(crate) fn duration_ms(&self, name: &str) -> Result<i64, PromError> {
        parse_duration_ms(self.get(name).unwrap_or("")).map_err(|fault| PromError::invalid(name, fault))
    }

    /// How long the query may run, in milliseconds.
    pub(crate) fn timeout_ms(&self) -> Result<Option<u64>, PromError> {
        if self.given("timeout").is_none() {
            return Ok(None);
        }
        let ms = self.duration_ms("timeout")?;
        match u64::try_from(ms) {
            Ok(ms) if ms > 0 => Ok(Some(ms)),
            _ => Err(PromError::invalid("timeout", format!("timeout must be positive, got {}", go_duration(ms)))),
        }
    }

    /// How old a sample may be and still count, in milliseconds; as in Prometheus, zero and less is the server's own figure.
    pub(crate) fn lookback_ms(&self) -> Result<Option<i64>, PromError> {
        let Some(text) = self.given("lookback_delta") else { return Ok(None) };
        let fault = |fault| PromError::bad_data(format!("error parsing lookback delta duration: {fault}"));
        Ok(Some(parse_duration_ms(text).map_err(fault)?).filter(|ms| *ms > 0))
    }

    /// How many entries are wanted; `None` is all.
    pub(crate) fn limit(&self) -> Result<Option<usize>, PromError> {
        match self.whole_number("limit").map_err(|fault| PromError::invalid("limit", fault))? {
            None | Some(0) => Ok(None),
            Some(limit) => match usize::try_from(limit) {
                Ok(limit) => Ok(Some(limit)),
                Err(_) => Err(PromError::invalid("limit", "limit must be non-negative")),
            },
        }
    }

    /// A whole number; the error is that of Go's `strconv.Atoi`.
    pub(crate) fn whole_number(&self, name: &str) -> Result<Option<i64>, String> {
        let Some(text) = self.given(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error: std::num::ParseIntError| {
            use std::num::IntErrorKind::{NegOverflow, PosOverflow};
            let what =
                if matches!(error.kind(), PosOverflow | NegOverflow) { "value out of range" } else { "invalid syntax" };
            format!("strconv.Atoi: parsing {text:?}: {what}")
        })
    }
}

fn parse_time_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = (seconds * 1000.0).round();
        return seconds.is_finite().then_some((ms as i64).clamp(ALL_MS.0, ALL_MS.1));
    }
    if text == ALL_TEXTS.0 {
        return Some(ALL_MS.0);
    }
    if text == ALL_TEXTS.1 {
        return Some(ALL_MS.1);
    }
    // RFC 3339 alone: what the native API accepts beyond it is an error here, as in Prometheus.
    let rfc_3339 = text.contains('T') && has_zone(text);
    rfc_3339.then(|| Timestamp::parse(text, Timestamp(0)).ok()).flatten().map(Timestamp::millis)
}

/// Whether a time ends with `Z` or an offset such as `+02:00`.
fn has_zone(text: &str) -> bool {
    let offset = |tail: &[u8]| matches!(tail, [b'+' | b'-', _, _, b':', _, _]);
    text.ends_with('Z') || text.len() > 6 && offset(&text.as_bytes()[text.len() - 6..])
}

fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let Ok(seconds) = text.parse::<f64>() else {
        return promql::parse_duration_ms(text).ok_or_else(|| format!("cannot parse {text:?} to a valid duration"));
    };
    // Prometheus counts nanoseconds.
    let overflows = seconds.is_nan() || (seconds * 1e9).abs() >= i64::MAX as f64;
    if overflows {
        Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"))
    } else {
        Ok((seconds * 1000.0) as i64)
    }
}

/// A duration as Go prints it: `1h0m5s`, `1.5s`, `0s`.
fn go_duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let size = ms.unsigned_abs();
    if size > 0 && size < 1000 {
        return format!("{sign}{size}ms");
    }
    let (hours, minutes, seconds) = (size / 3_600_000, size / 60_000 % 60, (size % 60_000) as f64 / 1000.0);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// Undoes the percent encoding of forms; the error is that of Go's `net/url`.
fn decode(text: &str) -> Result<String, String> {
    if text.contains(';') {
        return Err("invalid semicolon separator in query".to_owned());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
            continue;
        }
        let digit = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
            let shown = String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 3)]).into_owned();
            return Err(format!("invalid URL escape {shown:?}"));
        };
        out.push((high * 16 + low) as u8);
        at += 3;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let params = Params::of("query=sum%28x%29+%3E+1&match[]=a&match%5B%5D=b&time=4");
        assert_eq!(params.get("query"), Some("sum(x) > 1"));
        assert_eq!(params.all("match[]"), ["a", "b"]);
        assert_eq!(params.time_ms("time", 0).expect("time"), 4_000);
        assert!(params.check_form().is_ok());
        assert_eq!(decode("%zz%4"), Err("invalid URL escape \"%zz\"".to_owned()));
        assert_eq!(decode("%4"), Err("invalid URL escape \"%4\"".to_owned()));
        let spoilt = Params::of("a=%&b=1");
        assert_eq!((spoilt.get("a"), spoilt.get("b")), (None, Some("1")));
        assert!(spoilt.check_form().is_err());
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        assert_eq!(parse_time_ms("1795424400.5"), Some(1_795_424_400_500));
        assert_eq!(parse_time_ms("1795424400.1234"), Some(1_795_424_400_123));
        assert_eq!(parse_time_ms("-3"), Some(-3_000));
        assert_eq!(parse_time_ms("-0.0015"), Some(-2));
        assert_eq!(parse_time_ms("2026-11-23T09:00:00Z"), Some(1_795_424_400_000));
        assert_eq!(parse_time_ms("2026-11-23T11:00:00.25+02:00"), Some(1_795_424_400_250));
        assert_eq!(parse_time_ms("1e300"), Some(ALL_MS.1));
        assert_eq!(parse_time_ms("-292273086-05-16T16:47:06Z"), Some(ALL_MS.0));
        for text in ["-15m", "NaN", "", "now", "2026-11-23T09:00:00", "2026-11-23", "Tuesday"] {
            assert_eq!(parse_time_ms(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_prometheus_s() {
        assert_eq!(parse_duration_ms("15"), Ok(15_000));
        assert_eq!(parse_duration_ms("0.5"), Ok(500));
        assert_eq!(parse_duration_ms("1h30m"), Ok(5_400_000));
        assert_eq!(parse_duration_ms("x"), Err("cannot parse \"x\" to a valid duration".to_owned()));
        let lie = Err("cannot parse \"1e20\" to a valid duration. It overflows int64".to_owned());
        assert_eq!(parse_duration_ms("1e20"), lie);
        let shown = [0, -1_500, 90_000, 3_600_000, 250].map(go_duration);
        assert_eq!(shown, ["0s", "-1.5s", "1m30s", "1h0m0s", "250ms"]);
    }
}
