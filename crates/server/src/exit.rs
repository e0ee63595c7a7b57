//! How a command ends: exit codes, and errors as one line that says what and one that says what to do.

use std::process::ExitCode;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hint: String,
}

impl Failure {
    /// 1: the thing asked about failed (a check, a test).
    pub(crate) fn negative(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into(), hint: String::new() }
    }

    /// 1: somebody said no, and says what to do.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: 1, message: message.into(), hint: hint.into() }
    }

    /// What it says, in one line.
    pub(crate) fn text(&self) -> String {
        if self.hint.is_empty() { self.message.clone() } else { format!("{}; {}", self.message, self.hint) }
    }

    /// 2: the command or the configuration makes no sense.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: 2, message: message.into(), hint: hint.into() }
    }

    /// 70: something broke inside, or storage did.
    pub(crate) fn internal(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: 70, message: message.into(), hint: hint.into() }
    }

    /// Prints it and gives the exit code.
    #[allow(clippy::print_stderr, reason = "the one place where commands report failure")]
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("backstop: {}", self.message);
        }
        if !self.hint.is_empty() {
            eprintln!("hint: {}", self.hint);
        }
        ExitCode::from(self.code)
    }
}
