//! Pipes that take texts apart and put them together.

use super::Filter;

/// The pipe `parse`: fields out of a text. A row whose text cannot be read in this format stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsePipe {
    /// How the text is read.
    pub format: ParseFormat,
    /// The field that is read; `body` by default.
    pub from: String,
    /// What the names of the new fields start with; may be empty.
    pub prefix: String,
    /// `keep`: a field that the row has already, and is not empty, stays as it is. Without, it is replaced, also by an
    /// empty value; fields that the text does not name stay in either case.
    pub keep: bool,
    /// `if (filter)`: only in rows that match; the others stay as they are.
    pub filter: Option<Filter>,
}

/// How a text is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseFormat {
    /// A JSON object; inner objects become dotted names, arrays stay JSON.
    Json,
    /// `a=b c="d e"`.
    Logfmt,
    /// A regular expression with named groups, at least one, that is searched for: the first match counts. In the syntax
    /// of the `regex` crate, known to be valid and within [`crate::limits`]. A group that took no part is not set.
    Regex(String),
    /// Text with `<name>` where values stand and `<_>` where something is passed over, as in Loki and VictoriaLogs; known to
    /// be valid: at least one name, and text between any two `<...>`. The first text may stand anywhere. A value in quotes is
    /// taken without them, unless it is written `<plain:name>`.
    Pattern(String),
    /// Values between commas, with quotes as in RFC 4180, under these names; `_` passes over one. Not empty.
    Csv(Vec<String>),
    /// `a=b c="d e"` anywhere in a text: pairs of a name and a value, which may be quoted. Other words are passed over.
    Kv {
        /// What stands between pairs; empty for white space, which is the default. Not equal to `assign`.
        between: String,
        /// What stands between a name and its value; `=` by default. Not empty.
        assign: String,
    },
    /// RFC 3164 and RFC 5424.
    Syslog,
    /// The `User-Agent` of a browser or program.
    UserAgent,
    /// Access logs of web servers: common, combined and their relatives.
    AccessLog,
}

impl ParseFormat {
    /// The name after `parse`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Regex(_) => "regex",
            Self::Pattern(_) => "pattern",
            Self::Csv(_) => "csv",
            Self::Kv { .. } => "kv",
            Self::Syslog => "syslog",
            Self::UserAgent => "user_agent",
            Self::AccessLog => "access_log",
        }
    }
}

/// The pipes `replace` and `replace_regexp`. A row without the field stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Replace {
    /// Whether `from` is a regular expression; known to be valid and within [`crate::limits`].
    pub regex: bool,
    /// What is replaced; not empty. Sensitive to case.
    pub from: String,
    /// By what. For a regular expression `$1`, `$name` and `${name}` stand for groups and `$$` for `$`.
    pub to: String,
    /// In which field; `body` by default.
    pub field: String,
    /// `limit n`: only the first n places of each text, above zero; all when `None`.
    pub limit: Option<u64>,
    /// `if (filter)`: only in rows that match.
    pub filter: Option<Filter>,
}

/// The pipe `format`: a text made of texts and fields.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatPipe {
    /// The parts, in order; not empty, and no two texts in a row.
    pub parts: Vec<FormatPart>,
    /// The field that holds the text; `body` by default. One of that name is replaced.
    pub to: String,
    /// `if (filter)`: only in rows that match.
    pub filter: Option<Filter>,
}

/// A part of a text that `format` makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatPart {
    /// This text; not empty.
    Text(String),
    /// `<field>`, `<uc:field>`: the field's value; nothing when it is missing.
    Field {
        /// The field's name.
        name: String,
        /// How the value is written.
        style: FormatStyle,
    },
}

/// How `format` writes a value. A value that does not fit the style is written as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatStyle {
    /// As it is.
    Plain,
    /// `q:`: as a JSON string, with its quotes.
    Quoted,
    /// `uc:`: in upper case.
    Upper,
    /// `lc:`: in lower case.
    Lower,
    /// `urlencode:`: with `%20` for what a part of a URL cannot hold.
    UrlEncoded,
    /// `urldecode:`: the other way.
    UrlDecoded,
    /// `base64encode:`.
    Base64Encoded,
    /// `base64decode:`.
    Base64Decoded,
    /// `hexencode:`: two upper-case hexadecimal digits for each byte.
    HexEncoded,
    /// `hexdecode:`.
    HexDecoded,
    /// `hexnumencode:`: a whole number as 16 upper-case hexadecimal digits.
    HexNumberEncoded,
    /// `hexnumdecode:`: the number that hexadecimal digits are.
    HexNumberDecoded,
    /// `time:`: a Unix time, its unit told by its size, as an RFC 3339 time.
    Time,
    /// `duration:`: nanoseconds as `1m5s`.
    Duration,
    /// `duration_seconds:`: a duration such as `1m5s` as seconds.
    Seconds,
    /// `ipv4:`: a number as an IPv4 address.
    Ipv4,
}

impl FormatStyle {
    /// Every style.
    pub const ALL: [FormatStyle; 16] = [
        Self::Plain,
        Self::Quoted,
        Self::Upper,
        Self::Lower,
        Self::UrlEncoded,
        Self::UrlDecoded,
        Self::Base64Encoded,
        Self::Base64Decoded,
        Self::HexEncoded,
        Self::HexDecoded,
        Self::HexNumberEncoded,
        Self::HexNumberDecoded,
        Self::Time,
        Self::Duration,
        Self::Seconds,
        Self::Ipv4,
    ];

    /// The name before the `:`; empty for [`FormatStyle::Plain`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Quoted => "q",
            Self::Upper => "uc",
            Self::Lower => "lc",
            Self::UrlEncoded => "urlencode",
            Self::UrlDecoded => "urldecode",
            Self::Base64Encoded => "base64encode",
            Self::Base64Decoded => "base64decode",
            Self::HexEncoded => "hexencode",
            Self::HexDecoded => "hexdecode",
            Self::HexNumberEncoded => "hexnumencode",
            Self::HexNumberDecoded => "hexnumdecode",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Seconds => "duration_seconds",
            Self::Ipv4 => "ipv4",
        }
    }
}
