//! Things that a fixed word announces.

use super::Detector;
use super::personal::email;

/// Keys whose value is a secret, in lower case.
pub(super) const KEYS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "accesskey",
    "private_key",
    "secret_key",
    "credentials",
];

/// Looks closely at a word that was found: the place of the secret.
pub(super) fn at(detector: Detector, text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let word = &text[start..end];
    match detector {
        Detector::AwsKey => {
            let is_key = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
            run(text, start, end, is_key).filter(|(_, stop)| stop - end == 16 && word.bytes().all(is_key))
        }
        Detector::GcpKey => gcp(text, word, start, end),
        Detector::GithubToken => {
            let least = if word.len() > 4 { 22 } else { 36 };
            run(text, start, end, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
                .filter(|(_, stop)| stop - end >= least && is_lower(word))
        }
        Detector::SlackToken => slack(text, word, start, end),
        Detector::Jwt => jwt(text, start).filter(|_| word == "eyJ"),
        Detector::Bearer => bearer(text, start, end),
        Detector::BasicAuthUrl => basic_auth_url(text, end),
        Detector::PrivateKey => private_key(text, start, end),
        Detector::PasswordKv => password(text, word, end),
        Detector::Email => email(text, start),
        _ => None,
    }
}

fn is_lower(word: &str) -> bool {
    !word.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Longest token that is looked at, in bytes: far more than any has, and what keeps a text of nothing but beginnings cheap.
const TOKEN_BYTES_MAX: usize = 512;

/// What belongs to a token: from `start`, where no word may end, over all bytes behind `end` that `belongs` takes. Where a letter or
/// digit follows it is a part of something longer.
fn run(text: &str, start: usize, end: usize, belongs: impl Fn(u8) -> bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let inside = start > 0 && (bytes[start - 1].is_ascii_alphanumeric() || bytes[start - 1] == b'_');
    if inside {
        return None;
    }
    let stop = end + bytes[end..].iter().take(TOKEN_BYTES_MAX).take_while(|byte| belongs(**byte)).count();
    let goes_on = stop - end < TOKEN_BYTES_MAX && bytes.get(stop).is_some_and(u8::is_ascii_alphanumeric);
    (!goes_on).then_some((start, stop))
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn gcp(text: &str, word: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    match word {
        "AIza" => run(text, start, end, is_base64url).filter(|(_, stop)| stop - end == 35),
        "GOCSPX-" => run(text, start, end, is_base64url).filter(|(_, stop)| stop - end >= 20),
        "ya29." => {
            run(text, start, end, |byte| is_base64url(byte) || byte == b'.').filter(|(_, stop)| stop - end >= 20)
        }
        _ => None,
    }
}

fn slack(text: &str, word: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    if !is_lower(word) {
        return None;
    }
    if word.starts_with("hooks") {
        let rest = &text[end..];
        let path = rest.strip_prefix("services/").or_else(|| rest.strip_prefix("workflows/"))?;
        let path_start = text.len() - path.len();
        let belongs = |c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_';
        let stop = path_start + path.find(|c: char| !belongs(c)).unwrap_or(path.len());
        return (stop - path_start >= 20).then_some((path_start, stop));
    }
    let found = run(text, start, end, |byte| byte.is_ascii_alphanumeric() || byte == b'-')?;
    let token = &text[end..found.1];
    (token.len() >= 10 && token.bytes().any(|byte| byte.is_ascii_digit())).then_some(found)
}

/// `header.payload.signature`; header and payload are JSON objects, which begin with `{"`, that is `eyJ`.
fn jwt(text: &str, start: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    // Part by part: what is no token is left after its header, however long the text goes on.
    let part = |from: usize| from + bytes[from..].iter().take_while(|byte| is_base64url(**byte)).count();
    if start > 0 && is_base64url(bytes[start - 1]) {
        return None;
    }
    let header_end = part(start);
    if header_end - start < 10 || !bytes[header_end..].starts_with(b".ey") {
        return None;
    }
    let payload_end = part(header_end + 1);
    if payload_end - header_end < 5 {
        return None;
    }
    let end = if bytes.get(payload_end) == Some(&b'.') { part(payload_end + 1) } else { payload_end };
    // A token without a signature ends in a dot; so does a sentence.
    Some((start, if end == payload_end + 1 { payload_end } else { end }))
}

/// The token behind `Bearer `. A word of English has no digit and is short.
fn bearer(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    const LETTERS_MAX: usize = 20;
    if start > 0 && text.as_bytes()[start - 1].is_ascii_alphanumeric() {
        return None;
    }
    let rest = text[end..].trim_start_matches(' ');
    let from = text.len() - rest.len();
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=');
    let stop = from + rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
    let token = text[from..stop].trim_end_matches('.');
    let is_token = token.len() >= 8 && (token.bytes().any(|byte| byte.is_ascii_digit()) || token.len() > LETTERS_MAX);
    is_token.then_some((from, from + token.len()))
}

/// The password between `://user:` and `@`.
fn basic_auth_url(text: &str, end: usize) -> Option<(usize, usize)> {
    let rest = &text[end..];
    let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '\\' | '`');
    let authority = &rest[..rest.find(is_end).unwrap_or(rest.len())];
    let (user_info, _) = authority.rsplit_once('@')?;
    let (user, password) = user_info.split_once(':')?;
    let from = end + user.len() + 1;
    (!password.is_empty() && !is_already_hidden(password)).then_some((from, from + password.len()))
}

/// From `-----BEGIN ... PRIVATE KEY-----` to its end, or to the end of a text that was cut.
fn private_key(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    const TITLE_BYTES_MAX: usize = 40;
    let rest = &text[end..];
    let title = &rest[..rest.find("-----").filter(|dashes| *dashes <= TITLE_BYTES_MAX)?];
    if !title.ends_with("PRIVATE KEY") && !title.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let close = format!("-----END {title}-----");
    let stop = rest.find(&close).map_or(text.len(), |at| end + at + close.len());
    Some((start, stop))
}

/// The value behind a key, `=` or `:`, with or without quotes.
fn password(text: &str, key: &str, end: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = end;
    let key_quote = quote_at(bytes, at);
    at += key_quote;
    let spaced = at;
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    let assign = *bytes.get(at).filter(|byte| matches!(byte, b'=' | b':'))?;
    let key_is_tight = at == spaced;
    // `Token : x` is a sentence, `password = x` a file of settings.
    if at > spaced && assign == b':' {
        return None;
    }
    at += 1;
    if assign == b':' && bytes.get(at) == Some(&b':') {
        return None;
    }
    let tight = at;
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    let value_quote = quote_at(bytes, at);
    // `password= next=1` has no value; `password = x` has.
    if assign == b'=' && key_is_tight && at > tight && value_quote == 0 {
        return None;
    }
    // `invalid token: expected a comma`: prose, unless something is quoted.
    let prose = assign == b':' && at > tight && key_quote == 0 && value_quote == 0;
    if prose && matches!(key.to_ascii_lowercase().as_str(), "token" | "secret" | "credentials") {
        return None;
    }
    let from = at + value_quote;
    let stop = if value_quote > 0 { end_of_quoted(text, at, value_quote) } else { end_of_bare(text, from) };
    let value = &text[from..stop];
    // sudo's `PWD=/home/bob` is a directory, and `token=Token{5f3a}` an object that prints itself.
    let directory = key.eq_ignore_ascii_case("pwd") && value.starts_with(['/', '~']);
    let object = key.eq_ignore_ascii_case("token") && value.starts_with("Token{");
    let secret = !value.is_empty() && !directory && !object && !is_no_secret(value);
    secret.then_some((from, stop))
}

/// How many bytes a quote takes: one, or two where it is escaped because the text is inside another one.
fn quote_at(bytes: &[u8], at: usize) -> usize {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'"' | b'\''), _) => 1,
        (Some(b'\\'), Some(b'"' | b'\'')) => 2,
        _ => 0,
    }
}

/// The next quote of the same kind that is not escaped, or the end of the text.
fn end_of_quoted(text: &str, at: usize, quote: usize) -> usize {
    let mark = &text[at..at + quote];
    let from = at + quote;
    if quote == 2 {
        return text[from..].find(mark).map_or(text.len(), |end| from + end);
    }
    let bytes = text.as_bytes();
    let mut end = from;
    while end < bytes.len() && bytes[end] != mark.as_bytes()[0] {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    // An escape may have jumped over the end of the text, or into a character.
    text.ceil_char_boundary(end.min(text.len()))
}

fn end_of_bare(text: &str, from: usize) -> usize {
    let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | ')' | '}' | ']' | '"' | '\'' | '<' | '>');
    text[from..].find(is_end).map_or(text.len(), |end| from + end)
}

fn is_already_hidden(value: &str) -> bool {
    value.starts_with("[redacted") || value.bytes().all(|byte| byte == b'*' || byte == b'x' || byte == b'X')
}

fn is_no_secret(value: &str) -> bool {
    const NOTHING: [&str; 8] = ["null", "nil", "none", "true", "false", "undefined", "yes", "no"];
    is_already_hidden(value) || NOTHING.iter().any(|word| value.eq_ignore_ascii_case(word))
}
