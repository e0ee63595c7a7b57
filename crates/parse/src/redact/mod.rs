//! Secrets and personal data in a text: where they are, and what stands there instead.
//!
//! A [`Scanner`] looks for all its detectors in one go: words that only secrets begin with are found by one automaton, and numbers
//! by one walk over the runs that begin with a digit. Only what is found there is looked at closely, by code whose time is linear,
//! so a text without either costs little more than reading it.

mod digits;
mod number;
mod personal;
mod replace;
mod secret;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use regex::Regex;

pub use replace::Replacement;

/// Something that a text should not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Detector {
    /// Ids of access keys of AWS.
    AwsKey,
    /// Keys and tokens of Google Cloud.
    GcpKey,
    /// Tokens of GitHub.
    GithubToken,
    /// Tokens and webhooks of Slack.
    SlackToken,
    /// JSON web tokens.
    Jwt,
    /// What follows `Bearer`.
    Bearer,
    /// The password of `scheme://user:password@host`.
    BasicAuthUrl,
    /// Private keys in PEM.
    PrivateKey,
    /// What follows `password=`, `"api_key":` and the like.
    PasswordKv,
    /// Card numbers, by Luhn's check digit and the issuers' ranges.
    CreditCard,
    /// Account numbers, by country, length and check digits (mod 97).
    Iban,
    /// Addresses of electronic mail.
    Email,
    /// Addresses of version 4.
    Ipv4,
    /// Addresses of version 6.
    Ipv6,
    /// Social security numbers of the United States, as `ddd-dd-dddd`.
    UsSsn,
    /// Chinese identity cards, by date and check digit.
    CnIdCard,
    /// Chinese mobile numbers.
    CnMobile,
    /// Telephone numbers: `+` and the country, or North America's groups.
    Phone,
}

impl Detector {
    /// All of them. Where two find the same place, the earlier gives the name.
    pub const ALL: [Detector; 18] = [
        Detector::PrivateKey,
        Detector::AwsKey,
        Detector::GcpKey,
        Detector::GithubToken,
        Detector::SlackToken,
        Detector::Jwt,
        Detector::Bearer,
        Detector::BasicAuthUrl,
        Detector::PasswordKv,
        Detector::CreditCard,
        Detector::Iban,
        Detector::CnIdCard,
        Detector::UsSsn,
        Detector::CnMobile,
        Detector::Phone,
        Detector::Email,
        Detector::Ipv4,
        Detector::Ipv6,
    ];

    /// The name in files of rules.
    pub fn name(self) -> &'static str {
        match self {
            Detector::AwsKey => "aws_key",
            Detector::GcpKey => "gcp_key",
            Detector::GithubToken => "github_token",
            Detector::SlackToken => "slack_token",
            Detector::Jwt => "jwt",
            Detector::Bearer => "bearer",
            Detector::BasicAuthUrl => "basic_auth_url",
            Detector::PrivateKey => "private_key",
            Detector::PasswordKv => "password_kv",
            Detector::CreditCard => "credit_card",
            Detector::Iban => "iban",
            Detector::Email => "email",
            Detector::Ipv4 => "ipv4",
            Detector::Ipv6 => "ipv6",
            Detector::UsSsn => "us_ssn",
            Detector::CnIdCard => "cn_id_card",
            Detector::CnMobile => "cn_mobile",
            Detector::Phone => "phone",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detector| detector.name() == name)
    }
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// Which detector found it: the number in the scanner's list, built-in ones first.
    pub by: usize,
}

/// Detectors, compiled together.
#[derive(Debug)]
pub struct Scanner {
    detectors: Vec<Detector>,
    regexes: Vec<Regex>,
    /// Words that secrets have, and for each the detector's number.
    words: Option<AhoCorasick>,
    word_detectors: Vec<usize>,
    /// The detectors that look at runs that begin with a digit, with their numbers.
    numbers: Vec<(usize, Detector)>,
    iban: Option<usize>,
    ipv6: Option<usize>,
}

impl Scanner {
    /// Compiles built-in detectors and regular expressions. What a group named `value` matches is found, or the whole match when there
    /// is no such group.
    pub fn new(detectors: &[Detector], regexes: Vec<Regex>) -> Self {
        let mut detectors = detectors.to_vec();
        detectors.sort_by_key(|wanted| Detector::ALL.iter().position(|known| known == wanted));
        detectors.dedup();
        let mut literals = Vec::new();
        let mut word_detectors = Vec::new();
        for (at, detector) in detectors.iter().enumerate() {
            for word in words(*detector) {
                literals.push(*word);
                word_detectors.push(at);
            }
        }
        let words = if literals.is_empty() { None } else { automaton(&literals) };
        let position = |wanted| detectors.iter().position(|detector| *detector == wanted);
        let numbers = detectors.iter().enumerate().filter(|(_, detector)| digits::is_number(**detector));
        Self {
            words,
            word_detectors,
            numbers: numbers.map(|(at, detector)| (at, *detector)).collect(),
            iban: position(Detector::Iban),
            ipv6: position(Detector::Ipv6),
            detectors,
            regexes,
        }
    }

    /// The names of the detectors, in the order of [`Found::by`]; regular expressions are all `regex`.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.detectors.iter().map(|detector| detector.name()).chain(self.regexes.iter().map(|_| "regex"))
    }

    /// The places in a text, in order and apart: what overlaps is one place, under the name of the one that begins first. `out` is
    /// cleared before.
    pub fn scan(&self, text: &str, out: &mut Vec<Found>) {
        out.clear();
        if let Some(words) = &self.words {
            // Where the last place of each detector ends: inside it no detector looks again, so that a text is not read over
            // and over, however often it begins the same thing.
            let mut done = [0; Detector::ALL.len()];
            for hit in words.find_iter(text) {
                let by = self.word_detectors[hit.pattern().as_usize()];
                if hit.start() < done[by] {
                    continue;
                }
                if let Some((start, end)) = secret::at(self.detectors[by], text, hit.start(), hit.end()) {
                    out.push(Found { start, end, by });
                    done[by] = end;
                }
            }
        }
        if !self.numbers.is_empty() {
            digits::walk(text, |start| {
                let found = digits::first(&self.numbers, text, start);
                let found = found.map(|(by, (start, end))| Found { start, end, by });
                out.extend(found);
                found.map(|found| found.end)
            });
        }
        if let Some(by) = self.iban {
            personal::ibans(text, |start, end| out.push(Found { start, end, by }));
        }
        if let Some(by) = self.ipv6 {
            number::ipv6s(text, |start, end| out.push(Found { start, end, by }));
        }
        for (at, regex) in self.regexes.iter().enumerate() {
            for groups in regex.captures_iter(text) {
                let place = groups.name("value").or_else(|| groups.get(0)).filter(|place| !place.is_empty());
                out.extend(place.map(|place| Found {
                    start: place.start(),
                    end: place.end(),
                    by: self.detectors.len() + at,
                }));
            }
        }
        if out.len() > 1 {
            merge(out);
        }
    }
}

/// Sorts places and joins those that overlap, so that nothing of either stays behind.
fn merge(found: &mut Vec<Found>) {
    found.sort_unstable_by_key(|found| (found.start, found.by));
    let mut kept = 0;
    for at in 1..found.len() {
        if found[at].start < found[kept].end {
            found[kept].end = found[kept].end.max(found[at].end);
        } else {
            kept += 1;
            found[kept] = found[at];
        }
    }
    found.truncate(kept + 1);
}

/// Where words overlap the longest counts: `secret_key`, not `secret`, whose value would be `_key`.
fn automaton(literals: &[&str]) -> Option<AhoCorasick> {
    AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(literals)
        .ok()
}

/// The words, one of which every text with such a thing has. Case is told apart later, where it matters.
fn words(detector: Detector) -> &'static [&'static str] {
    match detector {
        Detector::AwsKey => &["AKIA", "ASIA", "ABIA", "ACCA", "AIDA", "AROA"],
        Detector::GcpKey => &["AIza", "GOCSPX-", "ya29."],
        Detector::GithubToken => &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        Detector::SlackToken => &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-", "hooks.slack.com/"],
        Detector::Jwt => &["eyJ"],
        Detector::Bearer => &["bearer "],
        Detector::BasicAuthUrl => &["://"],
        Detector::PrivateKey => &["-----BEGIN "],
        Detector::PasswordKv => secret::KEYS,
        Detector::Email => &["@"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
