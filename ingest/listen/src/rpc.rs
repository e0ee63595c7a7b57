//! `google.rpc.Status`, the body of OTLP's errors, in both encodings, and `google.rpc.RetryInfo` inside it.

use decode::otlp::Wire;
use prost::Message;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    /// A code of gRPC.
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    /// What happened, for people.
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    /// More for programs.
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    /// Which message `value` is.
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    /// The message.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RetryInfo {
    /// How long to wait.
    #[prost(message, optional, tag = "1")]
    pub(crate) retry_delay: Option<Duration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Duration {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl Duration {
    fn from_millis(ms: u64) -> Self {
        Self { seconds: i64::try_from(ms / 1000).unwrap_or(i64::MAX), nanos: (ms % 1000) as i32 * 1_000_000 }
    }
}

impl Status {
    /// A status; with a time to wait it carries a `RetryInfo`, without which OTLP clients do not try again.
    pub(crate) fn new(code: tonic::Code, message: &str, retry_after_ms: Option<u64>) -> Self {
        let retry_info = retry_after_ms.map(|ms| RetryInfo { retry_delay: Some(Duration::from_millis(ms)) });
        let details = retry_info.map(|info| Any { type_url: RETRY_INFO_TYPE.to_owned(), value: info.encode_to_vec() });
        Self { code: code as i32, message: message.to_owned(), details: details.into_iter().collect() }
    }

    /// The bytes in an encoding.
    pub(crate) fn encode_as(&self, wire: Wire) -> Vec<u8> {
        match wire {
            Wire::Protobuf => self.encode_to_vec(),
            Wire::Json => self.to_json().to_string().into_bytes(),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let delay = |any: &Any| RetryInfo::decode(&any.value[..]).ok()?.retry_delay;
        let details: Vec<_> = self
            .details
            .iter()
            .map(|any| {
                let delay = delay(any).unwrap_or_default();
                let seconds = delay.seconds as f64 + f64::from(delay.nanos) / 1e9;
                serde_json::json!({"@type": any.type_url, "retryDelay": format!("{seconds}s")})
            })
            .collect();
        let mut json = serde_json::json!({"code": self.code, "message": self.message});
        if !details.is_empty() {
            json["details"] = details.into();
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_carry_the_time_to_wait() {
        let status = Status::new(tonic::Code::ResourceExhausted, "busy", Some(1500));
        let json = String::from_utf8(status.encode_as(Wire::Json)).unwrap();
        assert_eq!(
            json,
            r#"{"code":8,"message":"busy","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}"#
        );
        let back = Status::decode(&status.encode_as(Wire::Protobuf)[..]).unwrap();
        let info = RetryInfo::decode(&back.details[0].value[..]).unwrap();
        assert_eq!(info.retry_delay, Some(Duration { seconds: 1, nanos: 500_000_000 }));
    }
}
