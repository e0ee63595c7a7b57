//! The functions of expressions: one table, from which the parser, help, completion and the documentation read. An entry
//! that is not in the order of [`ScalarFunction`] does not compile.

use serde::Serialize;

use super::table;

/// A function of the values of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is documented by its entry in the table, which `spec` finds")]
pub enum ScalarFunction {
    Len,
    ByteLen,
    Lower,
    Upper,
    Trim,
    LeftTrim,
    RightTrim,
    Substr,
    Left,
    Right,
    Concat,
    Replace,
    Split,
    SplitPart,
    Contains,
    StartsWith,
    EndsWith,
    IndexOf,
    Repeat,
    PadLeft,
    PadRight,
    Reverse,
    UrlEncode,
    UrlDecode,
    Base64Encode,
    Base64Decode,
    Hex,
    Unhex,
    Format,
    Levenshtein,

    Abs,
    Ceil,
    Floor,
    Round,
    Truncate,
    Min,
    Max,
    Sqrt,
    Pow,
    Exp,
    Ln,
    Log10,
    Log2,
    Sign,
    Mod,
    ToNumber,
    ToInteger,
    ToText,
    IsNumber,
    ParseHex,
    ToDuration,
    FormatDuration,
    ToBytes,
    FormatBytes,

    Now,
    ToTime,
    FormatTime,
    TimeBin,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    DayOfWeek,
    DayOfYear,
    Unix,
    UnixMillis,
    Age,

    Matches,
    Extract,
    ExtractAll,
    ReplaceRegex,
    CountMatches,
    Like,

    JsonGet,
    JsonKeys,
    JsonLen,
    JsonArrayContains,
    ListJoin,
    ToJson,
    IsJson,

    IpIn,
    IsIp,
    IsPrivate,
    IpPrefix,
    IpVersion,
    Domain,
    UrlScheme,
    UrlHost,
    UrlPort,
    UrlPath,
    UrlQuery,

    Md5,
    Sha1,
    Sha256,
    Xxh64,
    Crc32,
    Bucket,

    If,
    Case,
    Coalesce,
    In,
    IsMissing,
    Exists,
    TypeOf,
    SeverityNumber,
}

/// What a value is, or what an argument should be. Any value may stand anywhere: it is converted, and missing when it
/// cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any value.
    Any,
    /// A text.
    Text,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Bool,
    /// A time.
    Time,
    /// A duration: nanoseconds as a number, or a text such as `1h30m`.
    Duration,
    /// A list, which is text in JSON.
    List,
    /// A text in JSON.
    Json,
    /// A regular expression, checked when it is constant.
    Pattern,
    /// A network such as `10.0.0.0/8`, checked when it is constant.
    Network,
    /// A path into JSON: `a.b[0]["c d"]`.
    Path,
    /// A format of times as of `strftime`.
    TimeFormat,
    /// A time zone: an IANA name, `UTC` or an offset such as `+02:00`.
    Zone,
    /// A text with `{}` in place of values.
    Template,
}

impl Kind {
    /// The word for it in documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text => "text",
            Self::Number => "number",
            Self::Integer => "whole number",
            Self::Bool => "true or false",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::List => "list",
            Self::Json => "JSON",
            Self::Pattern => "regular expression",
            Self::Network => "network",
            Self::Path => "path",
            Self::TimeFormat => "time format",
            Self::Zone => "time zone",
            Self::Template => "template",
        }
    }
}

/// An argument that a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Param {
    /// Its name in the signature.
    pub name: &'static str,
    /// What it should be.
    pub kind: Kind,
    /// Whether it can be left out.
    pub optional: bool,
    /// Whether it can be given again and again; only the last parameter.
    pub repeated: bool,
}

/// A parameter that must be given.
pub(super) const fn one(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: false, repeated: false }
}

/// A parameter that can be left out.
pub(super) const fn maybe(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: true, repeated: false }
}

/// A parameter that is given once or more.
pub(super) const fn many(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: false, repeated: true }
}

/// A function as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionSpec {
    /// Which function it is.
    #[serde(skip)]
    pub function: ScalarFunction,
    /// Its canonical name.
    pub name: &'static str,
    /// Names under which other languages know it.
    pub aliases: &'static [&'static str],
    /// What it takes.
    pub params: &'static [Param],
    /// What it makes.
    pub returns: Kind,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What else is to be known; may be empty.
    pub doc: &'static str,
    /// Expressions over no fields, and the text of what each is worth at 2026-11-23T09:00:00Z; `null` for missing.
    pub examples: &'static [(&'static str, &'static str)],
}

impl FunctionSpec {
    /// An entry without aliases, parameters, details and examples.
    pub(super) const fn new(
        function: ScalarFunction,
        name: &'static str,
        returns: Kind,
        summary: &'static str,
    ) -> Self {
        Self { function, name, aliases: &[], params: &[], returns, summary, doc: "", examples: &[] }
    }

    pub(super) const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn takes(mut self, params: &'static [Param]) -> Self {
        self.params = params;
        self
    }

    pub(super) const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    pub(super) const fn examples(mut self, examples: &'static [(&'static str, &'static str)]) -> Self {
        self.examples = examples;
        self
    }

    /// How it is called: `substr(text, start[, length])`.
    pub fn signature(&self) -> String {
        let mut out = format!("{}(", self.name);
        let mut open = 0;
        for (at, param) in self.params.iter().enumerate() {
            if param.optional {
                out.push('[');
                open += 1;
            }
            if at > 0 {
                out.push_str(", ");
            }
            out.push_str(param.name);
            if param.repeated {
                out.push_str(", ...");
            }
        }
        out.push_str(&"]".repeat(open));
        out.push(')');
        out
    }

    /// How few arguments it takes.
    pub fn arguments_min(&self) -> usize {
        self.params.iter().filter(|param| !param.optional).count()
    }

    /// How many arguments it takes; `None` without an end.
    pub fn arguments_max(&self) -> Option<usize> {
        let endless = self.params.last().is_some_and(|param| param.repeated);
        (!endless).then_some(self.params.len())
    }

    /// The parameter that an argument is for.
    pub fn param(&self, at: usize) -> Option<&Param> {
        self.params.get(at).or_else(|| self.params.last().filter(|param| param.repeated))
    }
}

/// The functions by family, as documentation shows them.
pub const FAMILIES: [(&str, &[FunctionSpec]); 8] = [
    ("Text", table::texts::FUNCTIONS),
    ("Numbers", table::numbers::FUNCTIONS),
    ("Time", table::times::FUNCTIONS),
    ("Regular expressions", table::patterns::FUNCTIONS),
    ("JSON and lists", table::json::FUNCTIONS),
    ("Addresses and URLs", table::addresses::FUNCTIONS),
    ("Hashes", table::hashes::FUNCTIONS),
    ("Conditions and types", table::conditions::FUNCTIONS),
];

const COUNT: usize = ScalarFunction::SeverityNumber as usize + 1;

/// Every function, in the order of [`ScalarFunction`].
pub const FUNCTIONS: [FunctionSpec; COUNT] = {
    let mut out = [table::texts::FUNCTIONS[0]; COUNT];
    let mut at = 0;
    let mut family = 0;
    while family < FAMILIES.len() {
        let specs = FAMILIES[family].1;
        let mut entry = 0;
        while entry < specs.len() {
            assert!(specs[entry].function as usize == at, "the table is not in the order of the enum");
            out[at] = specs[entry];
            at += 1;
            entry += 1;
        }
        family += 1;
    }
    assert!(at == COUNT, "a function has no entry in the table");
    out
};

static TABLE: [FunctionSpec; COUNT] = FUNCTIONS;

impl ScalarFunction {
    /// Its entry in the table.
    pub fn spec(self) -> &'static FunctionSpec {
        &TABLE[self as usize]
    }

    /// Its canonical name.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The function of this name or alias, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        let named = |spec: &&FunctionSpec| {
            spec.name.eq_ignore_ascii_case(name) || spec.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
        };
        TABLE.iter().find(named).map(|spec| spec.function)
    }

    /// Every name and alias.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_entry_can_be_shown() {
        let mut names = BTreeSet::new();
        for spec in FUNCTIONS {
            assert!(spec.summary.ends_with('.'), "{}", spec.name);
            assert!(!spec.examples.is_empty(), "{} has no example", spec.name);
            for name in std::iter::once(&spec.name).chain(spec.aliases) {
                assert!(names.insert(*name), "{name} is given twice");
                assert_eq!(ScalarFunction::parse(&name.to_uppercase()), Some(spec.function));
            }
            let optional: Vec<bool> = spec.params.iter().map(|param| param.optional).collect();
            assert!(optional.is_sorted(), "{}: nothing that must be given comes after what may", spec.name);
            let endless = spec.params.iter().rposition(|param| param.repeated);
            assert!(endless.is_none_or(|at| at + 1 == spec.params.len()), "{}", spec.name);
        }
        assert_eq!(ScalarFunction::Substr.spec().signature(), "substr(text, start[, length])");
        assert_eq!(ScalarFunction::Now.spec().signature(), "now()");
        assert_eq!(ScalarFunction::Max.spec().signature(), "max(value, ...)");
    }
}
