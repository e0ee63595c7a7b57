//! Where fields go, within the limits, and why a text has none.

use std::borrow::Cow;

use crate::{Limits, Value};

/// Why a text is not in a format. Fields that were handed out before count for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotMatched(pub Cow<'static, str>);

impl NotMatched {
    /// A reason that has no numbers in it, so that it costs nothing.
    pub const fn because(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }
}

/// Passes fields on, and counts them.
pub(crate) struct Sink<'s> {
    out: &'s mut dyn FnMut(&str, Value<'_>),
    limits: &'s Limits,
    fields: usize,
}

impl<'s> Sink<'s> {
    pub(crate) fn new(limits: &'s Limits, out: &'s mut dyn FnMut(&str, Value<'_>)) -> Self {
        Self { out, limits, fields: 0 }
    }

    pub(crate) fn limits(&self) -> &'s Limits {
        self.limits
    }

    /// Hands out one field; one without a name has nowhere to go.
    pub(crate) fn put(&mut self, name: &str, value: Value<'_>) -> Result<(), NotMatched> {
        if name.is_empty() {
            return Ok(());
        }
        self.fields += 1;
        if self.fields > self.limits.fields_max {
            return Err(NotMatched(format!("more than {} fields", self.limits.fields_max).into()));
        }
        if name.len() > self.limits.name_bytes_max {
            let (bytes, max) = (name.len(), self.limits.name_bytes_max);
            return Err(NotMatched(format!("a name of {bytes} bytes, the limit is {max}").into()));
        }
        (self.out)(name, value);
        Ok(())
    }
}
