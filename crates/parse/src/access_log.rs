//! A line of a web server's access log: Common and Combined Log Format, as Apache, nginx, Caddy's and Traefik's `common` and the
//! ingress controllers write them.
//!
//! `[host:port] client ident user [time] "request" status bytes ["referer" "agent" ["forwarded for"]] [more]`. A `-` is no value.
//! Names are OpenTelemetry's where it has one.

use std::borrow::Cow;

use jiff::civil::{Date, Time};
use model::Timestamp;

use crate::sink::Sink;
use crate::{NotMatched, Value, time, typed};

const SERVER: &str = "server.address";
const SERVER_PORT: &str = "server.port";
const CLIENT: &str = "client.address";
const USER: &str = "user.name";
const TIMESTAMP: &str = "timestamp";
const REQUEST: &str = "http.request.line";
const METHOD: &str = "http.request.method";
const PATH: &str = "url.path";
const QUERY: &str = "url.query";
const URL: &str = "url.full";
const VERSION: &str = "network.protocol.version";
const STATUS: &str = "http.response.status_code";
const BYTES: &str = "http.response.body.size";
const REFERER: &str = "http.request.header.referer";
const AGENT: &str = "user_agent.original";
const FORWARDED: &str = "http.request.header.x-forwarded-for";
const MORE: &str = "access_log.more";

/// All names that a line may bring.
pub(crate) const NAMES: [&str; 17] = [
    SERVER,
    SERVER_PORT,
    CLIENT,
    USER,
    TIMESTAMP,
    REQUEST,
    METHOD,
    PATH,
    QUERY,
    URL,
    VERSION,
    STATUS,
    BYTES,
    REFERER,
    AGENT,
    FORWARDED,
    MORE,
];

const NOT: NotMatched = NotMatched::because("not a line of an access log");

pub(crate) fn extract(text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
    let text = text.trim_end_matches(['\n', '\r']);
    let (before, rest) = text.split_once(" [").ok_or(NOT)?;
    let (written_at, rest) = rest.split_once("] \"").ok_or(NOT)?;
    let (request, rest) = until_quote(rest).ok_or(NOT)?;
    let mut words = rest.trim_start().splitn(3, ' ');
    let status = words.next().filter(|word| is_status(word)).ok_or(NOT)?;
    let bytes = words.next().unwrap_or("-");
    let behind = words.next().unwrap_or("");
    peers(before, sink)?;
    match clf_time(written_at).or_else(|| time::rfc3339(written_at)) {
        Some(at) => sink.put(TIMESTAMP, Value::Time(at))?,
        None => sink.put(TIMESTAMP, Value::str(written_at))?,
    }
    put_request(request, sink)?;
    put_word(STATUS, status, sink)?;
    put_word(BYTES, bytes, sink)?;
    put_behind(behind, sink)
}

fn is_status(word: &str) -> bool {
    word == "-" || (word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

fn put_word(name: &str, word: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
    if word == "-" || word.is_empty() { Ok(()) } else { sink.put(name, typed(word)) }
}

fn put_text(name: &str, text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
    if text == "-" || text.is_empty() { Ok(()) } else { sink.put(name, Value::Str(unescaped(text))) }
}

/// `[host:port] client ident user`. The client may be a list of forwarded addresses, and the user may have spaces, so the ident,
/// which is nearly always `-`, tells where things are.
fn peers(text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
    let mut rest = text.trim_start();
    let mut word = |joined: bool| {
        let mut end = rest.find(' ').unwrap_or(rest.len());
        while joined && rest[..end].ends_with(',') && end < rest.len() {
            end = rest[end + 1..].find(' ').map_or(rest.len(), |more| end + 1 + more);
        }
        let (word, after) = rest.split_at(end);
        rest = after.trim_start();
        (word, rest)
    };
    let (first, _) = word(true);
    let (second, behind_second) = word(true);
    if second.is_empty() {
        return Err(NOT);
    }
    let (_, behind_third) = word(false);
    let has_host = second != "-" && !behind_third.is_empty();
    if !has_host {
        sink.put(CLIENT, Value::str(first))?;
        return put_text(USER, behind_second, sink);
    }
    match first.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) => {
            sink.put(SERVER, Value::str(host))?;
            sink.put(SERVER_PORT, Value::Int(port.into()))?;
        }
        _ => put_text(SERVER, first, sink)?,
    }
    sink.put(CLIENT, Value::str(second))?;
    put_text(USER, behind_third, sink)
}

/// `METHOD target HTTP/version`; anything else, such as the beginning of a TLS handshake, stays whole.
fn put_request(request: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
    let parts = request.split_once(' ').map(|(method, rest)| (method, rest.rsplit_once(' ').unwrap_or((rest, ""))));
    let is_method =
        |method: &str| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let Some((method, (target, protocol))) = parts.filter(|(method, _)| is_method(method)) else {
        return put_text(REQUEST, request, sink);
    };
    let (target, version) = match protocol.split_once('/') {
        Some(("HTTP", version)) => (target, version),
        // HTTP/0.9 has no version; what looked like one belongs to the target.
        _ if protocol.is_empty() => (target, ""),
        _ => (request[method.len()..].trim_start(), ""),
    };
    sink.put(METHOD, Value::str(method))?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let name = if path.starts_with('/') || path == "*" || !path.contains("://") { PATH } else { URL };
    if name == URL {
        put_text(URL, target, sink)?;
    } else {
        put_text(PATH, path, sink)?;
        put_text(QUERY, query, sink)?;
    }
    put_text(VERSION, version, sink)
}

/// `"referer" "agent" ["forwarded for"] [more]`.
fn put_behind(behind: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
    let mut rest = behind.trim_start();
    for name in [REFERER, AGENT, FORWARDED] {
        let Some((value, after)) = rest.strip_prefix('"').and_then(until_quote) else { break };
        put_text(name, value, sink)?;
        rest = after.trim_start();
    }
    put_text(MORE, rest, sink)
}

/// What stands before the next quote that no backslash is before, and what is behind it.
fn until_quote(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        at += 2;
    }
}

/// Apache's `\"` and `\\`; other escapes (`\xhh`) stand for bytes that need not be text, and stay.
fn unescaped(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next @ ('"' | '\\'))) => {
                out.push(*next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `10/Oct/2000:13:55:36 -0700`.
pub(crate) fn clf_time(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 26 && bytes[2] == b'/' && bytes[6] == b'/' && bytes[11] == b':' && bytes.is_ascii();
    if !shaped {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<i16>().ok()
    };
    let small = |from: usize, to: usize| number(from, to).and_then(|number| i8::try_from(number).ok());
    let month = time::month(text.get(3..6)?)?;
    let date = Date::new(number(7, 11)?, month, small(0, 2)?).ok()?;
    // A leap second is the second before it.
    let clock = Time::new(small(12, 14)?, small(15, 17)?, small(18, 20)?.min(59), 0).ok()?;
    let civil = date.to_datetime(clock);
    let offset_s = i32::from(number(22, 24)?) * 3600 + i32::from(number(24, 26)?) * 60;
    time::local(civil, if bytes[21] == b'-' { -offset_s } else { offset_s })
}
