//! Every format, every detector and every joiner on texts that are nearly right: real lines, cut, mixed and changed at random, the
//! same ones in each run.

use std::sync::Arc;

use model::Timestamp;

use crate::join::{JoinRule, Joiner, Kind, Language};
use crate::redact::{Detector, Scanner};
use crate::{Extractor, Format, Limits};

/// How many texts.
const TEXTS: usize = 20_000;

const SEEDS: [&str; 14] = [
    r#"{"a":{"b":[1,2.5,null,{"c":"é"}]},"d":"\u00e9\n","e":true,"f":-0,"g":1e400}"#,
    r#"ts=2026-11-23T09:00:00Z level=info msg="a \"b\" \u00e9 \ud83d\ude00 \xff" n=5 flag é=ü"#,
    r#"www.example.com:443 10.0.0.9, 10.0.0.8 - bob [23/Nov/2026:09:00:00 +0100] "POST /a?b=c HTTP/2.0" 502 157 "-" "curl \"8\"" "x" y"#,
    "<34>1 2003-10-11T22:14:15.003Z host su - ID47 [a@1 b=\"c\\]\" b=\"d\"][e@1] \u{feff}'su root' failed",
    "<189>29: router1: *Mar  1 18:46:11.123 CET: %SYS-5-CONFIG_I: Configured",
    "Nov 23 08:59:59 web1 sshd[812]: password=hunter2 from 10.0.0.1 and 2001:db8::1",
    "a,\"b \"\"c\"\", d\",5,,\u{4e2d}文",
    "Mozilla/5.0 (Linux; Android 13; SM-S901B Build/X) AppleWebKit/537.36 Chrome/112.0.0.0 Mobile Safari/537.36",
    "card 4111-1111-1111-1111, DE89 3704 0044 0532 0130 00, 11010519491231002X, +86 138 1234 5678, 536-22-1234",
    "mail a.b@example.org at postgres://u:p@ss@h/db Bearer abcdef123456 -----BEGIN PRIVATE KEY-----x",
    "java.lang.IllegalStateException: x\u{2028}\tat a.B.c(B.java:1)",
    "goroutine 1 [running]:\nTraceback (most recent call last):",
    "{\"password\":\"a\\\"b\",'token':'x'} xoxb-1234567890-abc eyJhbGciOiJI.eyJzdWIiOiI.sig",
    "`a` \"b\" <c> = : ; é\u{0}\u{7f}\r\n",
];

/// Marsaglia's xorshift: any sequence will do, as long as it is the same one.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn text(&mut self) -> String {
        let mut chars: Vec<char> = SEEDS[self.below(SEEDS.len())].chars().collect();
        for _ in 0..self.below(6) {
            let other: Vec<char> = SEEDS[self.below(SEEDS.len())].chars().collect();
            let at = self.below(chars.len() + 1);
            let (from, to) = (self.below(other.len()), self.below(other.len()));
            match self.below(4) {
                0 => chars.truncate(at),
                1 => drop(chars.splice(at..at, other[from.min(to)..from.max(to)].iter().copied())),
                2 if at < chars.len() => chars[at] = other[from],
                _ => drop(chars.drain(at.min(chars.len())..(at + self.below(5)).min(chars.len()))),
            }
        }
        chars.into_iter().collect()
    }
}

fn extractors() -> Vec<Extractor> {
    let mut formats: Vec<Format> = Format::NAMES.iter().filter_map(|name| Format::from_name(name)).collect();
    formats.extend([
        Format::Regex(r"(?P<a>\w+)[=:](?P<b>.*)".into()),
        Format::Pattern(r#"<a> <_> "<b> <c>" <plain:d>"#.into()),
        Format::Csv { columns: ["a", "_", "c", "d", "e"].map(str::to_owned).to_vec(), delimiter: ',' },
        Format::Kv { between: ";".into(), assign: ":".into() },
    ]);
    formats.iter().map(|format| Extractor::new(format, &Limits::default()).unwrap()).collect()
}

#[test]
fn nearly_right_texts() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let extractors = extractors();
    let scanner = Scanner::new(&Detector::ALL, Vec::new());
    let languages = Language::NAMES.iter().filter_map(|name| Language::from_name(name)).collect();
    let rule =
        JoinRule { name: "all".into(), kind: Kind::Traces(languages), lines_max: 5, bytes_max: 500, timeout_ns: 10 };
    let (mut joiner, mut joined) = (Joiner::new(Arc::from(vec![rule])), Vec::new());
    let (mut found, mut fields, mut lines) = (Vec::new(), 0u64, 0);
    for at in 0..TEXTS {
        let text = random.text();
        for extractor in &extractors {
            let _ = extractor.extract(&text, Timestamp(at as i64), &mut |name, value| {
                assert!(!name.is_empty());
                fields += value.text().len().min(1) as u64;
            });
        }
        scanner.scan(&text, &mut found);
        for place in &found {
            assert!(text.get(place.start..place.end).is_some_and(|value| !value.is_empty()), "{text:?} {place:?}");
        }
        joiner.push("s", 0, &text, Timestamp(at as i64), (), &mut joined);
        lines += joined.drain(..).map(|joined| joined.lines).sum::<usize>();
    }
    joiner.flush(&mut joined);
    assert_eq!(lines + joined.iter().map(|joined| joined.lines).sum::<usize>(), TEXTS);
    // The texts are near enough to be understood, or all this would show nothing.
    assert!(fields > TEXTS as u64, "{fields}");
}
