//! RFC 3164, which describes what was seen on the wire rather than a format, and the dialects that were seen since.
//!
//! The grammar is `[cisco prefix] [timestamp] [host] [tag[pid]:] text`, every part optional, tried from the left. A part that
//! is not there is not guessed: the text is what no part claimed.

use jiff::civil::{Date, Time};
use model::{Timestamp, Value};
use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while_m_n, take_while1};
use nom::character::complete::{char, digit1, one_of, space0, space1};
use nom::combinator::{opt, peek, recognize, rest as everything, value, verify};
use nom::sequence::{delimited, preceded, terminated};

use super::{Message, Parsed, SyslogOptions};
use crate::time;

/// Longest tag, in bytes. RFC 3164 says 32; container names are longer.
const TAG_BYTES_MAX: usize = 128;

/// Reads everything behind the priority; cannot fail. A tag without a timestamp counts only behind a priority: `error: x` at
/// the beginning of a line of a file is text.
pub(super) fn message<'a>(
    text: &'a str,
    received: Timestamp,
    options: &SyslogOptions,
    has_priority: bool,
) -> Message<'a> {
    let mut message = Message::default();
    let mut rest = text.trim_start_matches(' ');
    if has_priority {
        // NX-OS: `: 2026 Nov 23 ...`.
        rest = rest.strip_prefix(": ").unwrap_or(rest);
        if let Ok((after, sequence)) = cisco_sequence(rest) {
            message.attributes.push((CISCO_SEQUENCE.to_owned(), Value::Int(sequence)));
            rest = after;
        }
    }
    if has_priority && let Ok((after, host)) = cisco_origin(rest) {
        message.host = Some(host);
        rest = after;
    }
    match timestamp(rest, received, options) {
        Ok((after, at)) => {
            message.time = Some(at);
            rest = after;
            if message.host.is_none() {
                (rest, message.host) = host(rest);
            }
            // ASA with a host: `Oct 10 2018 11:06:22 fw1 : %ASA-...`.
            rest = rest.strip_prefix(": ").unwrap_or(rest);
            rest = relayed_cisco(rest, received, options, &mut message);
        }
        Err(_) if !has_priority => return Message { body: text, ..Message::default() },
        Err(_) => {}
    }
    if let Ok((_, mnemonic)) = cisco_mnemonic(rest) {
        message.msgid = Some(mnemonic);
    } else if let Ok((after, (app, procid))) = tag_and_pid(rest) {
        (message.app, message.procid) = (Some(app), procid);
        rest = after;
    }
    Message { body: rest, ..message }
}

/// IOS behind a relay: the relay's timestamp and host, then the device's own sequence number and, more exact, its timestamp.
fn relayed_cisco<'a>(
    text: &'a str,
    received: Timestamp,
    options: &SyslogOptions,
    message: &mut Message<'a>,
) -> &'a str {
    let Ok((after, sequence)) = cisco_sequence(text) else { return text };
    let Ok((after, at)) = timestamp(after, received, options) else { return text };
    message.attributes.push((CISCO_SEQUENCE.to_owned(), Value::Int(sequence)));
    message.time = Some(at);
    after
}

const CISCO_SEQUENCE: &str = "cisco.sequence";

/// IOS: `29: ` before the timestamp, with `service sequence-numbers`.
fn cisco_sequence(text: &str) -> Parsed<'_, i64> {
    terminated(digit1.map_opt(|digits: &str| digits.parse().ok()), tag(": ")).parse(text)
}

/// IOS: `router1: *Mar  1 ...`, with `logging origin-id`. Believed only when a timestamp follows.
fn cisco_origin(text: &str) -> Parsed<'_, &str> {
    let follows = peek((opt(one_of("*.")), month, char(' ')));
    terminated(verify(is_not(": []"), |name: &str| month(name).is_err()), (tag(": "), follows)).parse(text)
}

/// `%ASA-6-302013:`, `%SYS-5-CONFIG_I:`: facility, severity and mnemonic of Cisco's devices. Stays in the body as well.
fn cisco_mnemonic(text: &str) -> Parsed<'_, &str> {
    let word = || take_while1(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/'));
    let severity = take_while_m_n(1, 1, |c: char| c.is_ascii_digit());
    let parts = recognize((word(), char('-'), opt((word(), char('-'))), severity, char('-'), word()));
    delimited(char('%'), alt((parts, recognize((word(), char('-'), digit1, char('-'), word())))), char(':')).parse(text)
}

/// A timestamp of any dialect and the space, or Cisco's colon, behind it.
fn timestamp<'a>(text: &'a str, received: Timestamp, options: &SyslogOptions) -> Parsed<'a, Timestamp> {
    let offset = options.utc_offset_s;
    let iso = is_not(" ").map_opt(|word: &str| {
        let word = word.strip_suffix(':').unwrap_or(word);
        time::rfc3339(word).or_else(|| time::local_iso(word, offset))
    });
    let spaced_iso = recognize((is_not(" "), char(' '), is_not(" ")))
        .map_opt(|words: &str| time::local_iso(words, offset).or_else(|| time::rfc3339(words)));
    let bsd = preceded(opt(one_of("*.")), |text| bsd(text, received, offset));
    let end = alt((value((), (char(':'), space1)), value((), space1), value((), nom::combinator::eof)));
    terminated(alt((iso, spaced_iso, bsd)), end).parse(text)
}

/// `Oct 11 22:14:15`, with a weekday or a year before it, a year behind the day or the time, a fraction, and a zone as some
/// write them.
fn bsd(text: &str, received: Timestamp, utc_offset_s: i32) -> Parsed<'_, Timestamp> {
    let (rest, first_year) = opt(terminated(year, space1)).parse(text)?;
    let (rest, month) = preceded(opt(terminated(weekday, (opt(char(',')), space1))), month).parse(rest)?;
    let (rest, day) = preceded(space1, day).parse(rest)?;
    let (rest, early_year) = opt(preceded(space1, year)).parse(rest)?;
    let (rest, clock) = preceded(space1, clock).parse(rest)?;
    let (rest, zone) = opt(preceded(char(' '), zone)).parse(rest)?;
    let (rest, late_year) = opt(preceded(char(' '), last_year)).parse(rest)?;
    let offset = zone.flatten().unwrap_or(utc_offset_s);
    let at = match first_year.or(early_year).or(late_year) {
        Some(year) => Date::new(year, month, day).ok().and_then(|date| time::local(date.to_datetime(clock), offset)),
        None => time::without_year(month, day, clock, received, offset),
    };
    match at {
        Some(at) => Ok((rest, at)),
        None => Err(nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::Verify))),
    }
}

/// A year behind the time; `2001:db8::1` is a host.
fn last_year(text: &str) -> Parsed<'_, i16> {
    let end = alt((value((), tag(" ")), value((), tag(": ")), value((), nom::combinator::eof)));
    terminated(year, peek(end)).parse(text)
}

fn end_of_word(text: &str) -> Parsed<'_, ()> {
    alt((value((), one_of(" :")), value((), nom::combinator::eof))).parse(text)
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The number of a three-letter month, in any case.
fn month(text: &str) -> Parsed<'_, i8> {
    take_while_m_n(3, 3, |c: char| c.is_ascii_alphabetic()).map_opt(time::month).parse(text)
}

fn weekday(text: &str) -> Parsed<'_, ()> {
    let known = |word: &&str| WEEKDAYS.iter().any(|name| word.eq_ignore_ascii_case(name));
    value((), verify(take_while_m_n(3, 3, |c: char| c.is_ascii_alphabetic()), move |word: &str| known(&word)))
        .parse(text)
}

fn day(text: &str) -> Parsed<'_, i8> {
    take_while_m_n(1, 2, |c: char| c.is_ascii_digit()).map_opt(|digits: &str| digits.parse().ok()).parse(text)
}

fn year(text: &str) -> Parsed<'_, i16> {
    let in_use = |year: &i16| (1970..2262).contains(year);
    let digits = take_while_m_n(4, 4, |c: char| c.is_ascii_digit());
    verify(digits.map_opt(|digits: &str| digits.parse().ok()), in_use).parse(text)
}

/// `22:14:15`, with a fraction of up to nine digits behind `.` or `,`. A leap second is the second before it.
fn clock(text: &str) -> Parsed<'_, Time> {
    let two =
        |text| take_while_m_n(1, 2, |c: char| c.is_ascii_digit()).map_opt(|d: &str| d.parse::<i8>().ok()).parse(text);
    let fraction = preceded(one_of(".,"), take_while_m_n(1, 9, |c: char| c.is_ascii_digit()));
    (two, char(':'), two, char(':'), two, opt(fraction))
        .map_opt(|(hour, _, minute, _, second, fraction): (i8, _, i8, _, i8, Option<&str>)| {
            let ns = fraction.map_or(Some(0), |digits| format!("{digits:0<9}").parse().ok())?;
            Time::new(hour, minute, second.min(59), ns).ok().filter(|_| second <= 60)
        })
        .parse(text)
}

/// Seconds east of UTC: `UTC`, `Z`, `GMT`, `+0200`, `-07:00`, and the summer and winter names that are not ambiguous. A name
/// that is (`CST` is in America and in China) says nothing, and counts as a zone only where a year follows.
fn zone(text: &str) -> Parsed<'_, Option<i32>> {
    let named = take_while1(|c: char| c.is_ascii_uppercase()).map_opt(|name: &str| {
        Some(
            3600 * match name {
                "UTC" | "GMT" | "Z" | "WET" => 0,
                "CET" | "MEZ" => 1,
                "CEST" | "MESZ" | "EET" => 2,
                "EEST" | "MSK" => 3,
                "JST" => 9,
                "EDT" => -4,
                "EST" | "CDT" => -5,
                "MDT" => -6,
                "MST" | "PDT" => -7,
                "PST" => -8,
                _ => return None,
            },
        )
    });
    let two = || take_while_m_n(2, 2, |c: char| c.is_ascii_digit()).map_opt(|digits: &str| digits.parse::<i32>().ok());
    let numeric = (one_of("+-"), two(), opt(char(':')), two())
        .map(|(sign, hours, _, minutes)| (hours * 3600 + minutes * 60) * if sign == '-' { -1 } else { 1 });
    let ambiguous = terminated(take_while_m_n(3, 5, |c: char| c.is_ascii_uppercase()), peek((char(' '), last_year)));
    let known = terminated(alt((named, numeric)), peek(end_of_word)).map(Some);
    alt((known, value(None, ambiguous))).parse(text)
}

/// The host, when the next word is one: not a tag, and not syslogd's own words, which come without a host.
fn host(text: &str) -> (&str, Option<&str>) {
    if let Ok((after, host)) = forwarded(text) {
        return (after, Some(host));
    }
    let own_words = alt((tag("last message repeated "), tag("message repeated "), tag("-- MARK --")));
    let word: Parsed<'_, &str> = terminated(is_not(" "), char(' ')).parse(text);
    match word {
        _ if peek_ok(own_words, text) => (text, None),
        Ok((after, word)) if is_host(word) => (after.trim_start_matches(' '), Some(word)),
        _ => (text, None),
    }
}

fn peek_ok<'a>(
    mut parser: impl nom::Parser<&'a str, Output = &'a str, Error = nom::error::Error<&'a str>>,
    text: &'a str,
) -> bool {
    parser.parse(text).is_ok()
}

/// AIX's relay: `Message forwarded from web1: `.
fn forwarded(text: &str) -> Parsed<'_, &str> {
    preceded(tag("Message forwarded from "), terminated(is_not(": "), (char(':'), space0))).parse(text)
}

/// Whether a word is a host name or address rather than a tag or a Cisco mnemonic.
fn is_host(word: &str) -> bool {
    let address = word.parse::<std::net::IpAddr>().is_ok();
    let name_like = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | '%' | '@');
    address || (!word.starts_with('%') && word.chars().all(name_like))
}

/// `tag[pid]: `, `tag: `, `tag[pid] `: the program.
fn tag_and_pid(text: &str) -> Parsed<'_, (&str, Option<&str>)> {
    let name = verify(is_not(" :[]\t\""), |name: &str| name.len() <= TAG_BYTES_MAX);
    let pid = delimited(char('['), is_not("[] "), char(']'));
    let end = |text| value((), alt((recognize((char(':'), opt(char(' ')))), tag(" ")))).parse(text);
    let with_pid = (name, pid.map(Some), alt((end, value((), nom::combinator::eof))));
    let name = verify(is_not(" :[]\t\""), |name: &str| name.len() <= TAG_BYTES_MAX);
    let without_pid =
        (name, value(None, tag("")), value((), (char(':'), alt((tag(" "), nom::combinator::eof, peek_not_slash)))));
    alt((with_pid, without_pid)).map(|(name, pid, ())| (name, pid)).parse(text)
}

/// A tag may touch its text (`su:'su root' failed`), but `http://` is no tag.
fn peek_not_slash(text: &str) -> Parsed<'_, &str> {
    peek(verify(everything, |rest: &str| !rest.starts_with('/') && !rest.starts_with(':'))).map(|_| "").parse(text)
}
