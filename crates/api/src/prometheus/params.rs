//! Parameters of the Prometheus API: from the query string, and for POST from the form too.

use std::collections::HashMap;

use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use model::Timestamp;

use super::envelope::PromError;

/// Longest form.
const FORM_BYTES_MAX: usize = 10 << 20;

/// Every parameter, in order of appearance; a name may come several times (`match[]`).
#[derive(Debug, Default)]
pub(crate) struct Params(HashMap<String, Vec<String>>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = PromError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, PromError> {
        let mut params = Self::default();
        params.read(request.uri().query().unwrap_or(""));
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if request.method() == Method::POST && is_form {
            let form = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await;
            let form = form.map_err(|error| PromError::bad_data(format!("error reading form: {error}")))?;
            params.read(&String::from_utf8_lossy(&form));
        }
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
            self.0.entry(decode(name)).or_default().push(decode(value));
        }
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    /// Every value of a parameter.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The value of a parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, PromError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| invalid(name, &format!("{name} is missing")))
    }

    /// A time: RFC 3339 or Unix seconds; `default` when absent.
    pub(crate) fn time_ms(&self, name: &str, default: Timestamp) -> Result<i64, PromError> {
        match self.get(name) {
            None | Some("") => Ok(default.millis()),
            Some(text) => {
                parse_time_ms(text).ok_or_else(|| invalid(name, &format!("cannot parse {text:?} to a valid timestamp")))
            }
        }
    }

    /// A duration that must be there: seconds or Prometheus's form.
    pub(crate) fn duration_ms(&self, name: &str) -> Result<i64, PromError> {
        let text = self.get(name).unwrap_or("");
        parse_duration_ms(text).ok_or_else(|| invalid(name, &format!("cannot parse {text:?} to a valid duration")))
    }

    /// A duration that may be absent.
    pub(crate) fn optional_duration_ms(&self, name: &str) -> Result<Option<i64>, PromError> {
        self.get(name).filter(|text| !text.is_empty()).map(|_| self.duration_ms(name)).transpose()
    }

    /// How many entries are wanted; `None` is all.
    pub(crate) fn limit(&self) -> Result<Option<usize>, PromError> {
        match self.get("limit") {
            None | Some("" | "0") => Ok(None),
            Some(text) => match text.parse() {
                Ok(limit) => Ok(Some(limit)),
                Err(_) => Err(invalid("limit", "limit must be non-negative")),
            },
        }
    }
}

fn invalid(name: &str, message: &str) -> PromError {
    PromError::bad_data(format!("invalid parameter {name:?}: {message}"))
}

fn parse_time_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some((seconds * 1000.0).round() as i64);
    }
    // RFC 3339 alone: what the native API accepts beyond it is an error here, as in Prometheus.
    text.contains('T').then(|| Timestamp::parse(text, Timestamp(0)).ok()).flatten().map(Timestamp::millis)
}

fn parse_duration_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some((seconds * 1000.0) as i64);
    }
    promql::parse_duration_ms(text)
}

/// Undoes the percent encoding of forms.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 2;
            }
            None if bytes[at] == b'+' => out.push(b' '),
            None => out.push(bytes[at]),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let mut params = Params::default();
        params.read("query=sum%28x%29+%3E+1&match[]=a&match%5B%5D=b&time=4");
        assert_eq!(params.get("query"), Some("sum(x) > 1"));
        assert_eq!(params.all("match[]"), ["a", "b"]);
        assert_eq!(params.time_ms("time", Timestamp(0)).expect("time"), 4_000);
        assert_eq!(decode("%zz%4"), "%zz%4");
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        assert_eq!(parse_time_ms("1795424400.5"), Some(1_795_424_400_500));
        assert_eq!(parse_time_ms("-3"), Some(-3_000));
        assert_eq!(parse_time_ms("2026-11-23T09:00:00Z"), Some(1_795_424_400_000));
        assert_eq!(parse_time_ms("-15m"), None);
        assert_eq!(parse_time_ms("NaN"), None);
    }
}
