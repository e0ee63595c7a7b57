//! Which format an answer has, from its `Content-Type`.

/// A format of exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpositionFormat {
    /// `text/plain`, versions 0.0.4 and 1.0.0, which differ only in what names may be.
    Text,
    /// `application/openmetrics-text`, versions 0.0.1 and 1.0.0.
    OpenMetrics,
    /// `application/vnd.google.protobuf`, messages `io.prometheus.client.MetricFamily` with their lengths before them.
    Protobuf,
}

/// Why the format of an answer is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentTypeError {
    /// There is none.
    #[error(
        "the target sends no Content-Type: make it send `text/plain; version=0.0.4`, or set `fallback_scrape_protocol`"
    )]
    Blank,
    /// It is none of those that are read.
    #[error(
        "the target sends Content-Type {given:?}, which is no exposition format: is the path right? If it is, set \
         `fallback_scrape_protocol`"
    )]
    Unknown {
        /// What was given.
        given: String,
    },
}

impl ExpositionFormat {
    /// The format of an answer. What is missing or not known is the fallback's, where there is one.
    pub fn of_content_type(given: &str, fallback: Option<Self>) -> Result<Self, ContentTypeError> {
        let mut parts = given.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let version = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("version").then(|| value.trim().trim_matches('"'))
        });
        match media_type.as_str() {
            "text/plain" => Ok(Self::Text),
            // Version 2 says other things with the same words.
            "application/openmetrics-text" if !version.is_some_and(|version| version.starts_with("2.")) => {
                Ok(Self::OpenMetrics)
            }
            "application/vnd.google.protobuf" => Ok(Self::Protobuf),
            "" => fallback.ok_or(ContentTypeError::Blank),
            _ => fallback.ok_or_else(|| ContentTypeError::Unknown { given: given.to_owned() }),
        }
    }
}
