//! Things that begin with a digit, or with one behind `+` or a bracket.

use super::Detector;
use super::number::ipv4;
use super::personal::{card, cn_id_card, cn_mobile, phone, us_ssn};

/// Whether a detector looks at runs of digits.
pub(super) fn is_number(detector: Detector) -> bool {
    matches!(
        detector,
        Detector::CreditCard
            | Detector::UsSsn
            | Detector::CnIdCard
            | Detector::CnMobile
            | Detector::Phone
            | Detector::Ipv4
    )
}

/// Calls `look` at each digit that no letter, digit or `_` stands before. It says where to go on, when it found something.
pub(super) fn walk(text: &str, mut look: impl FnMut(usize) -> Option<usize>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let starts = at == 0 || !is_word(bytes[at - 1]);
        match if starts { look(at) } else { None } {
            Some(end) => at = end.max(at + 1),
            None => at += bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        }
    }
}

/// Whether so many digits, between these bytes, may be what a detector looks for. Nearly all numbers of logs are of no such length.
fn may(detector: Detector, digits: usize, before: u8, after: u8) -> bool {
    match detector {
        Detector::CreditCard => digits == 4 || (13..=19).contains(&digits),
        Detector::UsSsn => digits == 3 && after == b'-',
        Detector::CnIdCard => matches!(digits, 17 | 18),
        Detector::CnMobile => matches!(digits, 2 | 3 | 11 | 13),
        Detector::Phone => before == b'+' || digits == 3,
        Detector::Ipv4 => digits <= 3 && after == b'.',
        _ => false,
    }
}

/// What the first of some detectors finds at a digit, and which it was.
pub(super) fn first(detectors: &[(usize, Detector)], text: &str, start: usize) -> Option<(usize, (usize, usize))> {
    let bytes = text.as_bytes();
    let digits = count(bytes, start);
    let before = start.checked_sub(1).map_or(b' ', |before| bytes[before]);
    let after = bytes.get(start + digits).copied().unwrap_or(b' ');
    let likely = detectors.iter().filter(|(_, detector)| may(*detector, digits, before, after));
    likely.into_iter().find_map(|(by, detector)| Some((*by, at(*detector, text, start)?)))
}

fn at(detector: Detector, text: &str, start: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    match detector {
        Detector::CreditCard => card(bytes, start),
        Detector::UsSsn => us_ssn(bytes, start),
        Detector::CnIdCard => cn_id_card(bytes, start),
        Detector::CnMobile => cn_mobile(bytes, start),
        Detector::Phone => phone(bytes, start),
        Detector::Ipv4 => ipv4(text, start),
        _ => None,
    }
}

/// Whether a byte belongs to a word: bytes of characters beyond ASCII do not, since Chinese text has no spaces.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// How many digits stand at a place.
pub(super) fn count(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// Whether a number that stands before `end` ends there: no word goes on, and no `.5` or `-5`.
pub(super) fn ends(bytes: &[u8], end: usize) -> bool {
    match bytes.get(end) {
        Some(byte) if is_word(*byte) => false,
        Some(b'.' | b'-') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        _ => true,
    }
}

/// Whether a number that begins at `start` is no part of a longer one, as it is in `1.5` and `1-5`.
pub(super) fn begins(bytes: &[u8], start: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).map(|at| bytes[at]);
    match before(1) {
        Some(byte) if is_word(byte) => false,
        Some(b'.' | b'-') => !before(2).is_some_and(is_word),
        _ => true,
    }
}
