//! `parse json from f prefix p`: fields out of a text. LogsQL's spellings are in `aliases`.

use std::fmt::Write as _;
use std::ops::Range;

use model::field;

use super::{PipeSpec, condition, required_name, required_text};
use crate::complete::Offer;
use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::terminals::{self, quote};
use crate::{Diagnostic, ParseFormat, ParsePipe, PipeKind, regex_check};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["parse"],
    alias_of: None,
    syntax: "parse format [from field] [prefix p] [keep] [if (filter)]",
    summary: "makes fields out of a text",
    doc: "Formats: `json` (inner objects become dotted names), `logfmt`, `regex \"(?P<name>...)\"` (the first match), `pattern \
          \"<ip> - <user> \\\"<request>\\\"\"` (`<name>` where values stand, `<_>` passes over one, `&lt;` is a `<` of the \
          text), `csv(a, b, _)`, `kv` (pairs anywhere, between white space and with `=`; `kv \";\" \":\"` says others), \
          `syslog`, `access_log`, `user_agent`. It reads `body` unless `from` says another field. Fields that are there \
          already are replaced, with `keep` only where they are empty. A row whose text cannot be read stays as it is.",
    examples: &[
        "* | parse json | stats by (user.id) count() as n",
        "* | parse pattern \"<method> <path> took <ms>ms\" | stats by (path) avg(ms) as mean",
        "* | parse regex \"user=(?P<user>\\w+)\" prefix login. | top by (login.user)",
        "* | parse logfmt keep if (body:\"level=\") | fields _time, level, body",
        "* | parse kv \";\" \":\" from body | limit 5",
        "* | parse csv(name, _, price) | limit 5",
        "* | parse access_log | parse user_agent from user_agent prefix ua. | limit 5",
    ],
    parse,
    complete: |at| match at.last() {
        "" => Offer::keywords(&FORMATS),
        "from" => Offer::fields(),
        "prefix" => Offer::nothing(),
        _ if at.inside() => Offer::nothing(),
        _ => Offer::keywords(&["from", "prefix", "keep", "if"]),
    },
};

const FORMATS: [&str; 9] = ["json", "logfmt", "regex", "pattern", "csv", "kv", "syslog", "user_agent", "access_log"];

const HINT: &str = "for example parse json from body prefix app.";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let format = format(p)?;
    options(p, format, None)
}

fn format(p: &mut Parser<'_>) -> Option<ParseFormat> {
    let Some((word, span)) = p.take(TokenKind::Keyword, terminals::word) else {
        let text = terminals::quoted(p.rest()).ok().map(|(_, quoted)| quoted.text).filter(|text| text.contains('<'));
        let hint = match text {
            Some(text) => format!("write parse pattern {}", quote(&text)),
            None => format!("formats are {}", FORMATS.join(", ")),
        };
        p.expected("a format", &hint);
        return None;
    };
    Some(match word.to_ascii_lowercase().as_str() {
        "json" => ParseFormat::Json,
        "logfmt" => ParseFormat::Logfmt,
        "regex" | "regexp" => ParseFormat::Regex(regex(p)?),
        "pattern" => ParseFormat::Pattern(pattern(p)?),
        "csv" => ParseFormat::Csv(csv(p)?),
        "kv" => kv(p)?,
        "syslog" => ParseFormat::Syslog,
        "user_agent" => ParseFormat::UserAgent,
        "access_log" => ParseFormat::AccessLog,
        _ => {
            unknown_format(p, word, span);
            return None;
        }
    })
}

fn unknown_format(p: &mut Parser<'_>, word: &str, span: Range<usize>) {
    p.retag(TokenKind::Error);
    let hint = match word.to_ascii_lowercase().as_str() {
        "clf" | "combined" | "common" | "nginx" | "apache" => "write parse access_log".to_owned(),
        "ua" | "useragent" => "write parse user_agent".to_owned(),
        "grok" | "dissect" => "write parse pattern \"<ip> <_> <user>\" or parse regex \"(?P<name>...)\"".to_owned(),
        lower => match nearest(lower, FORMATS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("formats are {}", FORMATS.join(", ")),
        },
    };
    p.report(Diagnostic::error(span, format!("there is no format `{}`", shorten(word))).hint(hint));
}

/// Takes the options after a format, in any order, each once. LogsQL's names for them are read too.
pub(super) fn options(p: &mut Parser<'_>, format: ParseFormat, filter: Option<crate::Filter>) -> Option<Vec<PipeKind>> {
    let mut pipe = ParsePipe { format, from: field::BODY.to_owned(), prefix: String::new(), keep: false, filter };
    loop {
        if p.eat_keyword("from").is_some() {
            pipe.from = required_name(p, "a field", HINT)?;
        } else if p.eat_keyword("prefix").or_else(|| p.eat_keyword("result_prefix")).is_some() {
            pipe.prefix = required_name(p, "a prefix", HINT)?;
        } else if p.eat_keyword("keep").or_else(|| p.eat_keyword("keep_original_fields")).is_some() {
            pipe.keep = true;
        } else if p.eat_keyword("if").is_some() {
            pipe.filter = Some(condition(p, "for example parse json if (body:user)")?);
        } else if let Some(span) = p.eat_keyword("skip_empty_results") {
            let hint = "leave it out; `keep` lets fields stay that are not empty";
            p.report(Diagnostic::warning(span, "an empty value replaces the field all the same").hint(hint));
        } else if let Some(span) = p.eat_keyword("fields") {
            let hint = "write a pipe behind it: | fields a, b, or | drop c";
            p.report(Diagnostic::error(span, "`parse` cannot choose among the fields of a text").hint(hint));
            return None;
        } else {
            return Some(vec![PipeKind::Parse(pipe)]);
        }
    }
}

/// Takes a regular expression with a named group.
pub(super) fn regex(p: &mut Parser<'_>) -> Option<String> {
    let hint = "for example parse regex \"user=(?P<user>\\w+)\"";
    let (text, span) = required_text(p, "a quoted regular expression", hint)?;
    p.retag(TokenKind::Regex);
    let names = regex_check::check_and_name(p, &text, &span)?;
    if names.iter().all(Option::is_none) {
        p.report(Diagnostic::error(span, "this expression names no group, so it makes no field").hint(hint));
        return None;
    }
    Some(text)
}

/// Takes a pattern and checks its places.
pub(super) fn pattern(p: &mut Parser<'_>) -> Option<String> {
    const HINT: &str = "for example parse pattern \"<ip> - <user> <_>\"";
    let (text, span) = required_text(p, "a quoted pattern", HINT)?;
    match check_pattern(&text) {
        Ok(()) => Some(text),
        Err((inside, message, hint)) => {
            let place = p.inside_quoted(&span, &inside);
            p.report(Diagnostic::error(place, message).hint(hint));
            None
        }
    }
}

type PatternError = (Range<usize>, &'static str, &'static str);

/// Whether there is a name, every place is closed, and text stands between any two.
fn check_pattern(text: &str) -> Result<(), PatternError> {
    let mut named = false;
    let mut last_end = None;
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|open| at + open) {
        let Some(close) = text[open..].find('>').map(|close| open + close) else {
            return Err((open..open + 1, "this `<` has no closing `>`", "close it, or write &lt; for a < of the text"));
        };
        if let Some(inner) = text[open + 1..close].find('<') {
            let hint = "close the value before it with >, or write &lt; for a < of the text";
            return Err((open + 1 + inner..close + 1, "a value starts inside of another", hint));
        }
        if last_end == Some(open) {
            let hint = "put the text that stands between the two values there, at least a space";
            return Err((open..close + 1, "nothing stands between this value and the one before", hint));
        }
        let name = text[open + 1..close].trim();
        let name = name.strip_prefix("plain:").map_or(name, str::trim);
        named |= !matches!(name, "" | "_" | "*");
        last_end = Some(close + 1);
        at = close + 1;
    }
    let hint = "name the values that become fields: \"<ip> - <user> <_>\"";
    if named { Ok(()) } else { Err((0..text.len(), "this pattern names no field", hint)) }
}

/// Takes `(a, b, _)`.
fn csv(p: &mut Parser<'_>) -> Option<Vec<String>> {
    const HINT: &str = "for example parse csv(name, _, price)";
    let start = p.at;
    let names = p.parenthesised("a name", HINT, |p| p.name().map(|(name, _)| name))?;
    if names.iter().all(|name| name.is_empty() || name == "_") {
        p.report(Diagnostic::error(start..p.at, "no column has a name").hint(HINT));
        return None;
    }
    Some(names)
}

/// Takes what stands between pairs, and within them.
fn kv(p: &mut Parser<'_>) -> Option<ParseFormat> {
    p.skip_space();
    let between = p.quoted_here(TokenKind::String).map(|(text, _)| text.trim().to_owned()).unwrap_or_default();
    p.skip_space();
    let assign = p.quoted_here(TokenKind::String);
    let span = assign.as_ref().map_or(p.at..p.at, |(_, span)| span.clone());
    let assign = assign.map_or("=".to_owned(), |(text, _)| text);
    if assign.is_empty() || assign == between || assign.contains('"') || between.contains('"') {
        let message = "pairs, and a name and its value, are cut by two different texts without quotes";
        p.report(Diagnostic::error(span, message).hint("for example parse kv \";\" \":\""));
        return None;
    }
    Some(ParseFormat::Kv { between, assign })
}

/// The canonical text.
pub(super) fn print(parse: &ParsePipe) -> String {
    let mut out = match &parse.format {
        ParseFormat::Regex(regex) => format!("parse regex {}", quote(regex)),
        ParseFormat::Pattern(pattern) => format!("parse pattern {}", quote(pattern)),
        ParseFormat::Csv(names) => format!("parse csv({})", text::list(names)),
        ParseFormat::Kv { between, assign } => match (between.as_str(), assign.as_str()) {
            ("", "=") => "parse kv".to_owned(),
            (between, "=") => format!("parse kv {}", quote(between)),
            (between, assign) => format!("parse kv {} {}", quote(between), quote(assign)),
        },
        plain => format!("parse {}", plain.as_str()),
    };
    if parse.from != field::BODY {
        let _ = write!(out, " from {}", text::list_name(&parse.from));
    }
    if !parse.prefix.is_empty() {
        let _ = write!(out, " prefix {}", text::list_name(&parse.prefix));
    }
    if parse.keep {
        out.push_str(" keep");
    }
    out + &text::condition(parse.filter.as_ref())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn formats() {
        check(
            r#"
            * | parse json
            * | parse json from payload prefix app. keep
            * | parse logfmt if (body:x) prefix "a b"
            * | parse regex "(?P<a>\\d+) (?P<b>.*)" from f
            * | parse regexp `(?<a>x)`
            * | parse pattern "<ip> <_> \"<req>\" &lt;<n>&gt;"
            * | parse csv(a, "b c", _)
            * | parse kv
            * | parse kv ";" from f
            * | parse kv ", " ":" keep
            * | parse syslog | parse user_agent from ua | parse access_log
            * | unpack_json
            * | unpack_json from f result_prefix p_ keep_original_fields
            * | unpack_logfmt if (x:y) from f
            * | unpack_syslog from f
            * | extract "ip=<ip> " from f
            * | extract if (a:b) "ip=<ip> "
            * | extract_regexp "(?P<ip>[0-9.]+)" from f keep_original_fields
            "#,
            expect![[r#"
                * | parse json
                    * | parse json
                * | parse json from payload prefix app. keep
                    * | parse json from payload prefix app. keep
                * | parse logfmt if (body:x) prefix "a b"
                    * | parse logfmt prefix "a b" if (x)
                * | parse regex "(?P<a>\\d+) (?P<b>.*)" from f
                    * | parse regex "(?P<a>\\d+) (?P<b>.*)" from f
                * | parse regexp `(?<a>x)`
                    * | parse regex "(?<a>x)"
                * | parse pattern "<ip> <_> \"<req>\" &lt;<n>&gt;"
                    * | parse pattern "<ip> <_> \"<req>\" &lt;<n>&gt;"
                * | parse csv(a, "b c", _)
                    * | parse csv(a, "b c", _)
                * | parse kv
                    * | parse kv
                * | parse kv ";" from f
                    * | parse kv ";" from f
                * | parse kv ", " ":" keep
                    * | parse kv "," ":" keep
                * | parse syslog | parse user_agent from ua | parse access_log
                    * | parse syslog | parse user_agent from ua | parse access_log
                * | unpack_json
                    * | parse json
                * | unpack_json from f result_prefix p_ keep_original_fields
                    * | parse json from f prefix p_ keep
                * | unpack_logfmt if (x:y) from f
                    * | parse logfmt from f if (x:y)
                * | unpack_syslog from f
                    * | parse syslog from f
                * | extract "ip=<ip> " from f
                    * | parse pattern "ip=<ip> " from f
                * | extract if (a:b) "ip=<ip> "
                    * | parse pattern "ip=<ip> " if (a:b)
                * | extract_regexp "(?P<ip>[0-9.]+)" from f keep_original_fields
                    * | parse regex "(?P<ip>[0-9.]+)" from f keep
            "#]],
        );
    }
}
