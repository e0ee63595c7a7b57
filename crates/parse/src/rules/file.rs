//! Reads files of parse rules, and reports every mistake with its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use config::{Problem, Problems, QueryProblem, yaml_problem};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use model::field;
use regex::Regex;
use serde_saphyr::Spanned;

use super::assign::{From, Set, Source};
use super::matches::{Match, Wants};
use super::raw::{
    RawDetector, RawFile, RawFormat, RawJoin, RawKind, RawMatch, RawParse, RawRedact, RawSet, RawTest, RawWith, Scalar,
};
use super::{ParseRule, RedactRule, Rules};
use crate::join::{
    JOIN_BYTES_MAX, JOIN_BYTES_MAX_DEFAULT, JOIN_LINES_MAX, JOIN_LINES_MAX_DEFAULT, JOIN_TIMEOUT_NS_DEFAULT,
    JOIN_TIMEOUT_NS_MAX, JoinRule, Kind, Language,
};
use crate::redact::{Detector, Replacement, Scanner};
use crate::syslog::SyslogOptions;
use crate::{Extractor, Format, FormatError, Limits, named, time};

/// Largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most rules of all files together: each is asked about every record.
pub const RULES_MAX: usize = 500;

impl Rules {
    /// Reads files, given as name and text. `hash_key` is what `with: hash` is keyed with; it may be empty when no rule says that.
    pub fn load(files: &[(String, String)], hash_key: &[u8]) -> Result<Rules, Vec<Problem>> {
        let mut rules = Rules::default();
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        let mut joins = Vec::new();
        for (file, text) in files {
            match read(file, text) {
                Ok(raw) => {
                    let mut reader = Reader { problems: Problems::new(file, text), names: &mut names, hash_key };
                    joins.extend(raw.join.into_iter().filter_map(|raw| reader.join(raw)));
                    rules.parse.extend(raw.parse.into_iter().filter_map(|raw| reader.parse(raw)));
                    rules.redact.extend(raw.redact.into_iter().filter_map(|raw| reader.redact(raw)));
                    problems.extend(reader.problems.found);
                }
                Err(problem) => problems.push(problem),
            }
            let count = joins.len() + rules.parse.len() + rules.redact.len();
            if count > RULES_MAX {
                problems.push(whole(file, format!("{count} rules up to here, {RULES_MAX} are allowed"), "join some"));
            }
        }
        problems.sort();
        let (matches, joins): (Vec<Match>, Vec<JoinRule>) = joins.into_iter().unzip();
        (rules.join_matches, rules.joins) = (matches, Arc::from(joins));
        if problems.is_empty() { Ok(rules) } else { Err(problems) }
    }
}

fn whole(file: &str, message: String, hint: &str) -> Problem {
    Problem { file: file.to_owned(), line: 1, column: 1, message, hint: Some(hint.to_owned()) }
}

fn read(file: &str, text: &str) -> Result<RawFile, Problem> {
    if text.len() > FILE_BYTES_MAX {
        return Err(whole(
            file,
            format!("the file has {} bytes, {FILE_BYTES_MAX} are allowed", text.len()),
            "split it",
        ));
    }
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(RawFile::default());
    }
    serde_saphyr::from_str(text).map_err(|error| yaml_problem(file, &error))
}

struct Reader<'r> {
    problems: Problems<'r>,
    names: &'r mut BTreeSet<(&'static str, String)>,
    hash_key: &'r [u8],
}

/// Names of fields that a rule can not write: the store gives them.
const NOT_WRITTEN: [&str; 2] = [field::ID, field::STREAM];

impl Reader<'_> {
    fn parse(&mut self, raw: RawParse) -> Option<ParseRule> {
        let before = self.problems.found.len();
        let name = self.name("parse", &raw.name);
        let matches = self.matches(raw.matches);
        let format = self.format(&raw.format);
        let extractor = format.as_ref().and_then(|format| self.extractor(&raw.format, format));
        let quarantine = match raw.on_error.as_ref().map(|word| (word, word.value.as_str())) {
            None | Some((_, "keep")) => false,
            Some((_, "quarantine")) => true,
            Some((at, other)) => {
                self.problems.say(at, format!("{other:?} is no way to go on after an error"), "keep or quarantine");
                false
            }
        };
        let mut sets: Vec<Set> = Vec::new();
        for (target, raw) in raw.set {
            sets.extend(self.set(target, raw));
        }
        sets.extend(defaults(format.as_ref(), &sets));
        let mut rename = Vec::new();
        for (old, new) in raw.rename {
            if field::BUILT_IN.contains(&new.value.as_str()) {
                let hint = format!("write set: {{{}: {{from: {old}}}}}", new.value);
                self.problems.say(&new, format!("{} is built in, and not just a name", new.value), hint);
            }
            rename.push((old, new.value));
        }
        let (format, extractor) = (format?, extractor?);
        let names_are_ours = !extractor.names().is_empty() || matches!(format, Format::Syslog(_));
        let from = raw.from.unwrap_or_else(|| field::BODY.to_owned());
        let (prefix, keep, drop) = (raw.prefix, raw.keep.unwrap_or(true), raw.drop);
        let rule =
            ParseRule { name, matches, from, extractor, names_are_ours, prefix, keep, quarantine, sets, drop, rename };
        (self.problems.found.len() == before).then_some(rule)
    }

    /// A name that no other rule of its kind has: it is what counters are told apart by.
    fn name(&mut self, kind: &'static str, name: &Spanned<String>) -> String {
        if name.value.trim().is_empty() {
            self.problems.say(name, "the rule has no name", "give it one; counters and errors show it");
        } else if !self.names.insert((kind, name.value.clone())) {
            let message = format!("the {kind} rule {:?} is there twice", name.value);
            self.problems.say(name, message, "give every rule a name of its own");
        }
        name.value.clone()
    }

    fn matches(&mut self, raw: RawMatch) -> Match {
        let mut tests = Vec::new();
        for (name, test) in raw {
            match self.test(&test) {
                Some(wants) => tests.push((name, wants)),
                None => self.problems.say(
                    &test,
                    "this matches nothing",
                    "write a text, a list of texts, {regex: ...} or {exists: true}",
                ),
            }
        }
        Match(tests)
    }

    fn test(&mut self, test: &Spanned<Scalar<RawTest>>) -> Option<Wants> {
        match &test.value {
            Scalar::Text(text) => Some(Wants::OneOf(vec![text.clone()])),
            Scalar::List(texts) => (!texts.is_empty()).then(|| Wants::OneOf(texts.clone())),
            Scalar::Keys(RawTest { regex: Some(regex), exists: None }) => {
                // A mistake is told once, where it is.
                Some(self.regex(regex).map_or(Wants::Exists(false), Wants::Regex))
            }
            Scalar::Keys(RawTest { regex: None, exists: Some(exists) }) => Some(Wants::Exists(*exists)),
            Scalar::Keys(_) => None,
        }
    }

    fn regex(&mut self, text: &Spanned<String>) -> Option<Regex> {
        named::compile(&text.value).map_err(|error| self.inside(text, error)).ok()
    }

    fn inside(&mut self, text: &Spanned<String>, error: FormatError) {
        let hint = Some(error.hint);
        self.problems.say_inside(text, QueryProblem { offset: error.at.start, message: error.message, hint });
    }

    fn format(&mut self, raw: &Spanned<Scalar<RawFormat>>) -> Option<Format> {
        const HINT: &str = "json, logfmt, kv, syslog, access_log, user_agent, {regex: ...}, {pattern: ...}, {csv: [names]}, {kv: {...}}";
        let keys = match &raw.value {
            Scalar::Text(name) => {
                let format = Format::from_name(name);
                if format.is_none() {
                    let needs_more = Format::NAMES.contains(&name.as_str());
                    let what = if needs_more { "needs more than its name" } else { "is no format" };
                    self.problems.say(raw, format!("{name:?} {what}"), HINT);
                }
                return format;
            }
            Scalar::List(_) => None,
            Scalar::Keys(keys) => Some(keys),
        };
        let format = keys.and_then(|keys| match keys {
            RawFormat { regex: Some(regex), pattern: None, csv: None, kv: None, syslog: None } => {
                Some(Format::Regex(regex.value.clone()))
            }
            RawFormat { regex: None, pattern: Some(pattern), csv: None, kv: None, syslog: None } => {
                Some(Format::Pattern(pattern.value.clone()))
            }
            RawFormat { regex: None, pattern: None, csv: Some(csv), kv: None, syslog: None } => Some(match csv {
                Scalar::Text(column) => Format::Csv { columns: vec![column.clone()], delimiter: ',' },
                Scalar::List(columns) => Format::Csv { columns: columns.clone(), delimiter: ',' },
                Scalar::Keys(csv) => {
                    Format::Csv { columns: csv.columns.clone(), delimiter: csv.delimiter.unwrap_or(',') }
                }
            }),
            RawFormat { regex: None, pattern: None, csv: None, kv: Some(kv), syslog: None } => {
                let assign = kv.assign.clone().unwrap_or_else(|| "=".to_owned());
                Some(Format::Kv { between: kv.between.clone(), assign })
            }
            RawFormat { regex: None, pattern: None, csv: None, kv: None, syslog: Some(syslog) } => {
                Some(Format::Syslog(SyslogOptions { utc_offset_s: self.utc_offset(syslog.utc_offset.as_ref()) }))
            }
            _ => None,
        });
        if format.is_none() {
            self.problems.say(raw, "the format is not one of the formats", HINT);
        }
        format
    }

    fn extractor(&mut self, raw: &Spanned<Scalar<RawFormat>>, format: &Format) -> Option<Extractor> {
        let error = match Extractor::new(format, &Limits::default()) {
            Ok(extractor) => return Some(extractor),
            Err(error) => error,
        };
        match &raw.value {
            Scalar::Keys(RawFormat { regex: Some(text), .. } | RawFormat { pattern: Some(text), .. }) => {
                self.inside(text, error);
            }
            _ => self.problems.say(raw, error.message, error.hint),
        }
        None
    }

    fn set(&mut self, target: String, raw: Spanned<Scalar<RawSet>>) -> Option<Set> {
        if NOT_WRITTEN.contains(&target.as_str()) || target.is_empty() {
            self.problems.say(&raw, format!("{target:?} can not be set"), "the store gives _id and _stream");
            return None;
        }
        let source = match &raw.value {
            Scalar::Text(_) if target == field::TIME => {
                self.problems.say(&raw, "every record would have the same time", "write _time: {from: field}");
                return None;
            }
            Scalar::Text(text) => Source::Static(crate::typed(text).into()),
            Scalar::List(_) => {
                self.problems.say(&raw, "a list can not be set", "write a text, or {from: field}");
                return None;
            }
            Scalar::Keys(keys) => Source::Field(self.source(&target, &raw, keys)?),
        };
        Some(Set { target, source })
    }

    fn source(&mut self, target: &str, at: &Spanned<Scalar<RawSet>>, raw: &RawSet) -> Option<From> {
        if target != field::TIME && (!raw.formats.is_empty() || raw.utc_offset.is_some()) {
            self.problems.say(at, "formats and utc_offset are for _time only", "leave them out");
            return None;
        }
        let example = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        for format in &raw.formats {
            if let Err(error) = strtime::format(&format.value, &example) {
                let hint = "strftime's letters: %Y-%m-%d %H:%M:%S%.f %z, %d/%b/%Y, %s for Unix seconds";
                self.problems.say(format, format!("{:?} is no format of a time: {error}", format.value), hint);
            }
        }
        let formats = raw.formats.iter().map(|format| format.value.clone()).collect();
        Some(From { name: raw.from.clone(), formats, utc_offset_s: self.utc_offset(raw.utc_offset.as_ref()) })
    }

    fn utc_offset(&mut self, text: Option<&Spanned<String>>) -> i32 {
        let Some(text) = text else { return 0 };
        let parsed = time::utc_offset(&text.value);
        if parsed.is_none() {
            self.problems.say(text, format!("{:?} is no offset from UTC", text.value), "write '+02:00' or '-0700'");
        }
        parsed.unwrap_or(0)
    }

    fn join(&mut self, raw: RawJoin) -> Option<(Match, JoinRule)> {
        let before = self.problems.found.len();
        let name = self.name("join", &raw.name);
        let matches = self.matches(raw.matches);
        let kind = self.kind(&raw.kind);
        let lines_max = self.bounded(raw.max_lines.as_ref(), JOIN_LINES_MAX_DEFAULT, JOIN_LINES_MAX, "lines");
        let bytes_max = self.bounded(raw.max_bytes.as_ref(), JOIN_BYTES_MAX_DEFAULT, JOIN_BYTES_MAX, "bytes");
        let timeout_ns = self.problems.duration(raw.timeout.as_ref()).unwrap_or(JOIN_TIMEOUT_NS_DEFAULT);
        if let Some(timeout) = raw.timeout.as_ref().filter(|_| !(1..=JOIN_TIMEOUT_NS_MAX).contains(&timeout_ns)) {
            let message = format!("a stream can not be silent for {}", timeout.value);
            self.problems.say(timeout, message, "from 1ns to 1m; records are held that long");
        }
        let rule = JoinRule { name, kind: kind?, lines_max, bytes_max, timeout_ns };
        (self.problems.found.len() == before).then_some((matches, rule))
    }

    fn bounded(&mut self, given: Option<&Spanned<usize>>, default: usize, max: usize, what: &str) -> usize {
        let Some(given) = given else { return default };
        if !(1..=max).contains(&given.value) {
            self.problems.say(given, format!("{} {what} are not allowed", given.value), format!("from 1 to {max}"));
        }
        given.value
    }

    fn kind(&mut self, raw: &Spanned<Scalar<RawKind>>) -> Option<Kind> {
        let names = match &raw.value {
            Scalar::Text(name) => vec![name.clone()],
            Scalar::List(names) => names.clone(),
            Scalar::Keys(RawKind { start: Some(start), continues: None }) => return self.regex(start).map(Kind::Start),
            Scalar::Keys(RawKind { start: None, continues: Some(regex) }) => {
                return self.regex(regex).map(Kind::Continue);
            }
            Scalar::Keys(_) => Vec::new(),
        };
        let languages: Option<Vec<Language>> = names.iter().map(|name| Language::from_name(name)).collect();
        let languages = languages.filter(|languages| !languages.is_empty());
        if languages.is_none() {
            let hint =
                format!("one or a list of {}, {{start: regex}} or {{continue: regex}}", Language::NAMES.join(", "));
            self.problems.say(raw, "the kind is not known", hint);
        }
        languages.map(Kind::Traces)
    }

    fn redact(&mut self, raw: RawRedact) -> Option<RedactRule> {
        let before = self.problems.found.len();
        let name = self.name("redact", &raw.name);
        let matches = self.matches(raw.matches);
        let (mut detectors, mut regexes) = (Vec::new(), Vec::new());
        for detector in &raw.detect.value {
            self.detector(detector, &mut detectors, &mut regexes);
        }
        if raw.detect.value.is_empty() {
            self.problems.say(&raw.detect, "the rule detects nothing", "list detectors, or `all`");
        }
        let replacement = self.replacement(raw.replacement.as_ref());
        let fields = raw.fields.filter(|fields| !fields.is_empty()).unwrap_or_else(|| vec!["*".to_owned()]);
        let scanner = Scanner::new(&detectors, regexes);
        let detectors = scanner.names().collect();
        let rule = RedactRule { name, matches, fields, scanner, detectors, replacement: replacement? };
        (self.problems.found.len() == before).then_some(rule)
    }

    fn detector(
        &mut self,
        raw: &Spanned<Scalar<RawDetector>>,
        detectors: &mut Vec<Detector>,
        regexes: &mut Vec<Regex>,
    ) {
        match &raw.value {
            Scalar::Text(name) if name == "all" => detectors.extend(Detector::ALL),
            Scalar::Text(name) if Detector::from_name(name).is_some() => detectors.extend(Detector::from_name(name)),
            Scalar::Keys(RawDetector { regex }) => regexes.extend(self.regex(regex)),
            Scalar::Text(name) => {
                let known: Vec<&str> = Detector::ALL.iter().map(|detector| detector.name()).collect();
                let hint = format!("all, {{regex: ...}} or one of {}", known.join(", "));
                self.problems.say(raw, format!("there is no detector {name:?}"), hint);
            }
            Scalar::List(_) => self.problems.say(raw, "a detector is not a list", "write one an entry"),
        }
    }

    fn replacement(&mut self, raw: Option<&Spanned<Scalar<RawWith>>>) -> Option<Replacement> {
        let Some(raw) = raw else { return Some(Replacement::Text("[redacted:$name]".to_owned())) };
        match &raw.value {
            Scalar::Text(word) if word == "hash" => {
                if self.hash_key.is_empty() {
                    self.problems.say(raw, "there is no key to hash with", "set the key in the server's settings");
                }
                Some(Replacement::Hash(self.hash_key.to_vec()))
            }
            Scalar::Text(word) if word == "mask" => Some(Replacement::Mask { keep_last: 4 }),
            Scalar::Text(text) => Some(Replacement::Text(text.clone())),
            Scalar::Keys(RawWith { mask }) => Some(Replacement::Mask { keep_last: *mask }),
            Scalar::List(_) => {
                self.problems.say(raw, "a list is no replacement", "write a text, hash, mask or {mask: 4}");
                None
            }
        }
    }
}

/// What syslog and access logs say of themselves: their time, and syslog's text.
fn defaults(format: Option<&Format>, sets: &[Set]) -> Vec<Set> {
    let wanted: &[(&str, &str)] = match format {
        Some(Format::Syslog(_)) => &[(field::TIME, "timestamp"), (field::BODY, "message")],
        Some(Format::AccessLog) => &[(field::TIME, "timestamp")],
        _ => &[],
    };
    let missing = wanted.iter().filter(|(target, _)| !sets.iter().any(|set| set.target == *target));
    missing
        .map(|(target, name)| Set {
            target: (*target).to_owned(),
            source: Source::Field(From { name: (*name).to_owned(), ..From::default() }),
        })
        .collect()
}
