//! Numbers and addresses of people, told from other numbers by their check digits where they have some.

use super::digits::{begins, count, ends, is_word};

/// Digits with single spaces or dashes between groups: the digits, and where they end.
fn grouped(bytes: &[u8], start: usize, most: usize) -> Option<(Vec<u8>, Vec<usize>, usize)> {
    let (mut digits, mut groups, mut at) = (Vec::with_capacity(most), Vec::new(), start);
    let separator = |at: usize| bytes.get(at).copied().filter(|byte| matches!(byte, b' ' | b'-'));
    let mut used = None;
    loop {
        let group = count(bytes, at);
        if digits.len() + group > most {
            // `4111111111111111 1700000000`: what follows is another number.
            return used.filter(|_| !groups.is_empty()).map(|_| (digits, groups, at - 1));
        }
        digits.extend(bytes[at..at + group].iter().map(|byte| byte - b'0'));
        groups.push(group);
        at += group;
        let next = separator(at).filter(|next| used.is_none_or(|used| used == *next) && count(bytes, at + 1) > 0);
        if next.is_none() {
            return Some((digits, groups, at));
        }
        used = next;
        at += 1;
    }
}

/// A card's number: 13 to 19 digits in an issuer's range, in one piece or in the groups that are printed on cards.
pub(super) fn card(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    const DIGITS_MAX: usize = 19;
    if !begins(bytes, start) || !matches!(bytes[start], b'2'..=b'6') {
        return None;
    }
    let single = count(bytes, start);
    if single >= 13 {
        let digits: Vec<u8> = bytes[start..start + single].iter().map(|byte| byte - b'0').collect();
        return (is_card(&digits) && ends(bytes, start + single)).then_some((start, start + single));
    }
    if single != 4 {
        return None;
    }
    let (digits, groups, end) = grouped(bytes, start, DIGITS_MAX)?;
    // The groups may be followed by another number, so the ones of a card are tried.
    let layouts: [&[usize]; 4] = [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4]];
    let layout = layouts.into_iter().filter(|layout| groups.starts_with(layout)).max_by_key(|layout| layout.len())?;
    let wanted: usize = layout.iter().sum();
    let stop = if groups.len() == layout.len() { end } else { start + wanted + layout.len() - 1 };
    (is_card(digits.get(..wanted)?) && (stop < end || ends(bytes, stop))).then_some((start, stop))
}

fn is_card(digits: &[u8]) -> bool {
    let prefix = |length: usize| digits[..length].iter().fold(0u32, |number, digit| number * 10 + u32::from(*digit));
    if !(13..=19).contains(&digits.len()) {
        return false;
    }
    let issued = match (prefix(1), prefix(2), prefix(3), prefix(4)) {
        (4, ..) => matches!(digits.len(), 13 | 16 | 19),
        (_, 51..=55, ..) | (_, _, _, 2221..=2720) => digits.len() == 16,
        (_, 34 | 37, ..) => digits.len() == 15,
        (_, 36 | 38 | 39, ..) | (_, _, 300..=305, _) => digits.len() == 14,
        (_, _, _, 3528..=3589) | (_, 65, ..) | (_, _, 644..=649, _) | (_, _, _, 6011) | (_, 62, ..) => {
            digits.len() >= 16
        }
        _ => false,
    };
    issued && luhn(digits)
}

/// Luhn's check: every second digit from the right is doubled.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(*digit) << (at % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// `ddd-dd-dddd` in the ranges that were given out.
pub(super) fn us_ssn(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let end = start + 11;
    let shaped = begins(bytes, start)
        && (count(bytes, start), count(bytes, start + 4), count(bytes, start + 7)) == (3, 2, 4)
        && bytes[start + 3] == b'-'
        && bytes[start + 6] == b'-'
        && ends(bytes, end);
    if !shaped {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[start + from..start + to].iter().fold(0u32, |sum, byte| sum * 10 + u32::from(byte - b'0'))
    };
    let area = number(0, 3);
    let given = area != 0 && area != 666 && area < 900 && number(4, 6) != 0 && number(7, 11) != 0;
    given.then_some((start, end))
}

/// 17 digits and a check character: region, date of birth, number (GB 11643).
pub(super) fn cn_id_card(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    let digits = count(bytes, start);
    let last = bytes.get(start + 17)?.to_ascii_uppercase();
    let shaped = digits == 18 || digits == 17 && last == b'X';
    if !shaped || !begins(bytes, start) || !ends(bytes, start + 18) || !matches!(bytes[start], b'1'..=b'8') {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[start + from..start + to].iter().fold(0i16, |sum, byte| sum * 10 + i16::from(byte - b'0'))
    };
    let (year, month, day) = (number(6, 10), number(10, 12) as i8, number(12, 14) as i8);
    let born = (1900..2100).contains(&year) && jiff::civil::Date::new(year, month, day).is_ok();
    let sum: u32 = WEIGHTS.iter().zip(&bytes[start..]).map(|(weight, byte)| weight * u32::from(byte - b'0')).sum();
    (born && CHECKS[(sum % 11) as usize] == last).then_some((start, start + 18))
}

/// Eleven digits from 13 to 19, in one piece or as 3-4-4, with or without `+86`.
pub(super) fn cn_mobile(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut from = start;
    let mut whole = start;
    if bytes[start..].starts_with(b"86") {
        let plus = start > 0 && bytes[start - 1] == b'+';
        let gap = usize::from(matches!(bytes.get(start + 2), Some(b' ' | b'-')));
        if plus || gap == 1 || count(bytes, start) == 13 {
            from = start + 2 + gap;
            whole = start - usize::from(plus);
        }
    }
    if bytes.get(from) != Some(&b'1') || !matches!(bytes.get(from + 1), Some(b'3'..=b'9')) || !begins(bytes, start) {
        return None;
    }
    let end = match count(bytes, from) {
        11 => from + 11,
        3 => {
            let gap = *bytes.get(from + 3).filter(|byte| matches!(byte, b' ' | b'-'))?;
            let shaped = (count(bytes, from + 4), count(bytes, from + 9)) == (4, 4) && bytes[from + 8] == gap;
            shaped.then_some(from + 13)?
        }
        _ => return None,
    };
    ends(bytes, end).then_some((whole, end))
}

/// `+49 30 1234567`, `(555) 234-5678`, `555-234-5678`. A date or an offset of a zone has other groups.
pub(super) fn phone(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let before = start.checked_sub(1).map(|at| bytes[at]);
    if before == Some(b'+') {
        return international(bytes, start);
    }
    let in_brackets = before == Some(b'(');
    let area_end = start + 3;
    if count(bytes, start) != 3 || !matches!(bytes[start], b'2'..=b'9') || (!in_brackets && !begins(bytes, start)) {
        return None;
    }
    let rest = if in_brackets {
        let close = area_end + usize::from(bytes.get(area_end) == Some(&b')'));
        (close > area_end).then_some(close + usize::from(matches!(bytes.get(close), Some(b' ' | b'-'))))?
    } else {
        matches!(bytes.get(area_end), Some(b'-' | b'.')).then_some(area_end + 1)?
    };
    let gap = *bytes.get(rest + 3)?;
    let same_gap = in_brackets && matches!(gap, b'-' | b'.' | b' ') || bytes.get(area_end) == Some(&gap);
    let shaped =
        (count(bytes, rest), count(bytes, rest + 4)) == (3, 4) && same_gap && matches!(bytes[rest], b'2'..=b'9');
    let end = rest + 8;
    (shaped && ends(bytes, end)).then_some((start - usize::from(in_brackets), end))
}

/// `+`, a country and 7 to 15 digits in all (E.164), with spaces, dashes, dots or brackets between groups.
fn international(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    const DIGITS_MIN: usize = 8;
    const DIGITS_MAX: usize = 15;
    let joined = start >= 2 && is_word(bytes[start - 2]);
    if joined || bytes[start] == b'0' {
        return None;
    }
    let (mut at, mut digits, mut end) = (start, 0, start);
    while let Some(byte) = bytes.get(at) {
        let gap = at - end;
        match byte {
            b'0'..=b'9' => (digits, end) = (digits + 1, at + 1),
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' if gap < 2 => {}
            _ => break,
        }
        at += 1;
        if digits > DIGITS_MAX {
            return None;
        }
    }
    (digits >= DIGITS_MIN && ends(bytes, end)).then_some((start - 1, end))
}

/// The address around an `@`.
pub(super) fn email(text: &str, at: usize) -> Option<(usize, usize)> {
    /// Ends of file names that stand behind an `@` (`icon@2x.png`, `left-pad@1.tgz`), not of domains.
    const FILES: [&str; 10] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "tgz", "js", "css", "json"];
    let bytes = text.as_bytes();
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-');
    let start = bytes[..at].iter().rposition(|byte| !is_local(*byte)).map_or(0, |before| before + 1);
    let local = text[start..at].trim_start_matches(['.', '-']);
    let domain = &text[at + 1..];
    let domain =
        &domain[..domain.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-')).unwrap_or(domain.len())];
    let domain = domain.trim_end_matches(['.', '-']);
    let (name, top) = domain.rsplit_once('.')?;
    let is_top = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic()) && !FILES.contains(&top);
    let is_name = !name.is_empty() && !name.starts_with(['.', '-']) && !name.contains("..");
    // `git@github.com:owner/name` is an address of a repository.
    let repository = local == "git" && text[at + 1 + domain.len()..].starts_with([':', '/']);
    let found = !local.is_empty() && is_name && is_top && !repository;
    found.then_some((at - local.len(), at + 1 + domain.len()))
}

/// Lengths by country (SWIFT's registry of IBANs).
const IBAN_LENGTHS: &str = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23\
GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NL18NO15PK24PL28PS29\
PT25QA29RO24RS22SA24SC31SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20";

/// Every account number: a country, two check digits, and as many characters as that country has.
pub(super) fn ibans(text: &str, mut found: impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut at = 2;
    while at + 2 <= bytes.len() {
        // Two digits behind two capitals; most texts have no such place.
        let candidate = bytes[at].is_ascii_digit()
            && bytes[at - 1].is_ascii_uppercase()
            && bytes[at - 2].is_ascii_uppercase()
            && bytes[at + 1].is_ascii_digit()
            && (at == 2 || !is_word(bytes[at - 3]));
        match candidate.then(|| iban(bytes, at - 2)).flatten() {
            Some(end) => {
                found(at - 2, end);
                at = end + 2;
            }
            None => at += 1,
        }
    }
}

fn iban(bytes: &[u8], start: usize) -> Option<usize> {
    let entry = IBAN_LENGTHS.as_bytes().chunks(4).find(|entry| entry[..2] == bytes[start..start + 2])?;
    let length = usize::from(entry[2] - b'0') * 10 + usize::from(entry[3] - b'0');
    let mut letters = Vec::with_capacity(length);
    let mut at = start;
    while letters.len() < length {
        match bytes.get(at)? {
            byte if byte.is_ascii_uppercase() || byte.is_ascii_digit() => letters.push(*byte),
            // Printed in groups of four.
            b' ' if letters.len() % 4 == 0 => {}
            _ => return None,
        }
        at += 1;
    }
    let rearranged = letters[4..].iter().chain(&letters[..4]);
    let remainder = rearranged.fold(0u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    (remainder == 1 && !bytes.get(at).copied().is_some_and(is_word)).then_some(at)
}
