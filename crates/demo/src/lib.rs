//! `backstop demo`: a simulated shop, a bad deploy, and the loop that closes on it, told as it happens.
//!
//! **Entry point.** [`run`]. It starts a real server as a child process, plays the shop against its ports with real OTLP and
//! syslog, deploys a bad release of `checkout` through the shop's own deploy endpoint, and then only watches: the rule fires, the
//! playbook rolls back, verification passes, the receiver is told.
//!
//! **Guarantees.** The outcome is checked, not assumed: [`run`] succeeds only when every link was seen from outside, in the
//! server's API, in the shop and in the receiver's inbox. [`Link`] breaks one of them, to show that this is so.
//!
//! **Not here.** Anything of the server: the demo knows it by its command line and its ports alone.

mod files;
mod otlp;
mod receiver;
mod report;
mod shop;
mod story;
mod watch;

use std::io::Write;
use std::path::PathBuf;

pub use story::run;

/// Names of the scenarios.
pub const SCENARIOS: [&str; 1] = ["bad-deploy"];

/// How the demo is told.
pub struct DemoOptions {
    /// The `backstop` program.
    pub binary: PathBuf,
    /// Whether to end with the story instead of leaving the UI up.
    pub exit: bool,
    /// How many times as fast as usual.
    pub speed: f64,
    /// The link to break, if any.
    pub broken: Option<Link>,
    /// Where the story goes.
    pub out: Box<dyn Write + Send>,
}

/// A link of the loop that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The shop reports nothing.
    Reports,
    /// The release is not bad after all.
    Release,
    /// Nobody records the change.
    Change,
    /// The rule never fires.
    Rule,
    /// The playbook only observes.
    Mode,
    /// The deploy endpoint fails.
    Rollback,
    /// Verification can not pass.
    Verify,
    /// The receiver takes no message.
    Notify,
}

impl Link {
    /// Every link and its name.
    pub const ALL: [(&'static str, Link); 8] = [
        ("reports", Self::Reports),
        ("release", Self::Release),
        ("change", Self::Change),
        ("rule", Self::Rule),
        ("mode", Self::Mode),
        ("rollback", Self::Rollback),
        ("verify", Self::Verify),
        ("notify", Self::Notify),
    ];

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, link)| *link)
    }
}

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A link of the loop did not hold.
    #[error("the loop did not close: {what} (waited {waited_s:.0} s)")]
    NotClosed {
        /// What did not happen.
        what: String,
        /// How long it was awaited, in seconds.
        waited_s: f64,
    },
    /// The server ended.
    #[error("the server ended early ({status}):\n{log}")]
    ServerEnded {
        /// Its exit status.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// The server refused something that it should take.
    #[error("the server answered {status} to {what}")]
    Refused {
        /// What was sent.
        what: String,
        /// The status.
        status: u16,
    },
    /// The operating system refused.
    #[error("the demo could not go on: {0}")]
    Io(#[from] std::io::Error),
    /// HTTP failed.
    #[error("the demo could not reach the server: {0}")]
    Http(#[from] reqwest::Error),
}
