//! Every filter there is: the one table that the grammar's functions, completion, help and the documentation read.

/// A form of filters: what its help says.
pub(crate) struct FilterSpec {
    /// The names of a function; for a form that is no function, what it is called.
    pub(crate) names: &'static [&'static str],
    /// Whether it is written as a function, `field:name(...)`.
    pub(crate) is_function: bool,
    /// How it is written.
    pub(crate) syntax: &'static str,
    /// Which rows it finds.
    pub(crate) doc: &'static str,
    /// Whole queries that can be run.
    pub(crate) examples: &'static [&'static str],
}

/// The names of the functions.
pub(crate) fn function_names() -> Vec<&'static str> {
    FILTERS.iter().filter(|spec| spec.is_function).map(|spec| spec.names[0]).collect()
}

/// Whether there is a function of this name, in any case.
pub(crate) fn is_function(name: &str) -> bool {
    let named = |spec: &FilterSpec| spec.is_function && spec.names.iter().any(|known| known.eq_ignore_ascii_case(name));
    const { &FILTERS }.iter().any(named)
}

const fn form(
    names: &'static [&'static str],
    syntax: &'static str,
    doc: &'static str,
    examples: &'static [&'static str],
) -> FilterSpec {
    FilterSpec { names, is_function: false, syntax, doc, examples }
}

const fn function(
    names: &'static [&'static str],
    syntax: &'static str,
    doc: &'static str,
    examples: &'static [&'static str],
) -> FilterSpec {
    FilterSpec { names, is_function: true, syntax, doc, examples }
}

/// Every filter, in the order of help.
pub(crate) const FILTERS: [FilterSpec; 42] = [
    form(&["everything"], "*", "Every row; `!*` is none.", &["* | stats count() as n"]),
    form(
        &["word"],
        "word",
        "`body` has the word, in any case, where words are runs of letters, digits and `_`. Characters of Chinese, Japanese and \
         Korean are words by themselves, so a text of them is found anywhere.",
        &["error", "error timeout", "支付失败"],
    ),
    form(
        &["phrase"],
        "\"a phrase\"",
        "`body` has the text, in any case, from the start of a word to the end of one. Quotes are `\"`, `'`, and `` ` ``, in \
         which a backslash is one.",
        &["\"connection refused\"", "'user \"admin\"'"],
    ),
    form(
        &["prefix"],
        "pre*, \"a phrase pre\"*",
        "A word begins so; the words before it are whole.",
        &["conn*", "\"failed to conn\"*"],
    ),
    form(&["suffix"], "*fix, *\"fix of a phrase\"", "A word ends so.", &["*Exception"]),
    form(&["substring"], "*mid*, *\"any text\"*", "The text is there, inside of words too.", &["*timeout*"]),
    form(&["wildcard"], "a*b", "`*` stands for any characters but white space; see `wild(...)`.", &["user-*-eu"]),
    form(
        &["fuzzy"],
        "word~1, word~2, word~",
        "A word with at most so many letters put in, taken out, replaced or swapped, `~` alone for what suits its length. It has \
         at least 3 characters, 5 with two edits, and its first one is right.",
        &["conection~1", "service.name:chekcout~2"],
    ),
    form(
        &["regex"],
        "~\"regex\"",
        "The regular expression matches somewhere. Rust's syntax, in linear time; it looks at case unless it says `(?i)`.",
        &["~\"timeout after [0-9]+ms\"", "service.name:~\"^check\""],
    ),
    form(
        &["exact"],
        "=exact, =\"exact\", =\"starts so\"*",
        "The whole value, or its start; looks at case.",
        &["severity:=ERROR", "service.name:=\"check\"*"],
    ),
    form(
        &["field"],
        "field:test, field:(a or b)",
        "A test of another field than `body`; every form above may stand behind it. Quote a name that is not plain.",
        &["service.name:checkout", "service.name:(checkout or payment) error", "\"user.id\":42"],
    ),
    form(&["any field"], "*:test", "Some field of the row passes.", &["*:10.0.0.7"]),
    form(
        &["comparison"],
        "field:>10, field >= 10, field:<1.5s, field:>=10MiB",
        "As numbers, where both are: durations are nanoseconds and sizes bytes. Else by the bytes of the texts.",
        &["http.response.status_code:>=500", "duration_ms > 250", "severity:>=WARN"],
    ),
    form(
        &["interval"],
        "field:[a, b), field:[a, *]",
        "Both comparisons; a square bracket has its end inside, a round one not.",
        &["http.response.status_code:[500, 600)"],
    ),
    form(&["exists"], "field:*", "The row has the field, and it is not empty.", &["trace_id:*"]),
    form(&["missing"], "field:\"\"", "The row does not have the field, or it is empty.", &["user.id:\"\""]),
    form(
        &["stream"],
        "{label=\"value\", other=~\"regex\"}",
        "The stream's fields, with `=`, `!=`, `=~` and `!~` as in Prometheus; `_stream:{...}` is the same.",
        &["{service.name=\"checkout\"} error", "{host.name=~\"web-.*\"}"],
    ),
    form(
        &["time"],
        "_time:5m, _time:2026-11-23, _time:[a, b), _time:>=a, _time:5m offset 1h",
        "The last so long, a day, month, hour or second, a range, or so long up to an earlier time. Times are RFC 3339, Unix \
         times, or relative (`now-1h`, `-15m`).",
        &["error _time:5m", "error _time:1h offset 1d", "_time:[2026-11-22, 2026-11-23)"],
    ),
    form(
        &["time of day"],
        "_time:day_range[08:00, 18:00) [offset 2h]",
        "The time of day, in UTC unless an offset says how far local time is ahead. It may go over midnight.",
        &["error _time:day_range[22:00, 06:00)"],
    ),
    form(
        &["day of week"],
        "_time:week_range[Mon, Fri] [offset 2h]",
        "The day of the week, likewise.",
        &["error _time:week_range[Sat, Sun]"],
    ),
    form(
        &["and, or, not"],
        "a b, a and b, a or b, not a, !a, -a, (a or b) c",
        "`and`, which may be left out, binds closer than `or`; `not` closer than both.",
        &["error !timeout", "(error or warn) service.name:checkout", "error -\"retry later\""],
    ),
    function(
        &["in"],
        "field:in(a, \"b c\"), field:in(query)",
        "The whole value is one of these, or one of those that a query yields, which ends in `fields f` or `uniq by (f)`. Looks \
         at case.",
        &["severity:in(ERROR, FATAL)", "error service.name:in(from changes | fields target.service)"],
    ),
    function(
        &["contains_any"],
        "contains_any(a, \"b c\")",
        "One of the words or phrases is there.",
        &["contains_any(refused, \"timed out\")"],
    ),
    function(
        &["contains_all"],
        "contains_all(a, \"b c\")",
        "All of the words and phrases are there, in any order.",
        &["contains_all(payment, \"timed out\")"],
    ),
    function(
        &["seq"],
        "seq(a, \"b c\")",
        "The words and phrases are there, in this order.",
        &["seq(connect, timeout)"],
    ),
    function(
        &["wild"],
        "wild(\"a*b?\")",
        "A part from the start of a word to the end of one: `*` is any characters, `?` one, but no white space; a backslash \
         before one that is meant.",
        &["host.name:wild(\"web-?-*\")"],
    ),
    function(&["c"], "c(Word), c(*Mid*)", "As without, but looking at case.", &["c(Error)"]),
    function(
        &["i"],
        "i(=\"exact\")",
        "The whole value, or its start, in any case.",
        &["service.name:i(=\"Checkout\")"],
    ),
    function(&["exact"], "exact(\"text\")", "LogsQL's `=\"text\"`.", &["service.name:exact(\"checkout\")"]),
    function(&["re"], "re(\"regex\")", "LogsQL's `~\"regex\"`.", &["re(\"time ?out\")"]),
    function(
        &["range"],
        "range(a, b), range[a, b]",
        "LogsQL's interval; round brackets leave the ends out.",
        &["duration_ms:range(100, 500]"],
    ),
    function(
        &["len_range"],
        "len_range(a, b)",
        "The value has so many characters; `inf` for no end.",
        &["body:len_range(2000, inf)"],
    ),
    function(
        &["string_range"],
        "string_range(a, b)",
        "The text is at or after the first and before the second, by bytes.",
        &["service.version:string_range(\"1.2\", \"1.3\")"],
    ),
    function(
        &["ipv4_range"],
        "ipv4_range(10.0.0.0/8), ipv4_range(a, b)",
        "The whole value is an IPv4 address of the network, or from the first to the last.",
        &["client.address:ipv4_range(10.0.0.0/8)"],
    ),
    function(
        &["ipv6_range"],
        "ipv6_range(2001:db8::/32), ipv6_range(a, b)",
        "The whole value is an IPv6 address of the network, or from the first to the last.",
        &["client.address:ipv6_range(2001:db8::/32)"],
    ),
    function(
        &["eq_field"],
        "field:eq_field(other)",
        "The two fields of the row are equal: as numbers when both are, else as texts.",
        &["host.name:eq_field(service.name)"],
    ),
    function(
        &["lt_field"],
        "field:lt_field(other)",
        "It is below the other field.",
        &["duration_ms:lt_field(timeout_ms)"],
    ),
    function(
        &["le_field"],
        "field:le_field(other)",
        "It is not above the other field.",
        &["duration_ms:le_field(timeout_ms)"],
    ),
    function(
        &["gt_field"],
        "field:gt_field(other)",
        "It is above the other field.",
        &["duration_ms:gt_field(timeout_ms)"],
    ),
    function(
        &["ge_field"],
        "field:ge_field(other)",
        "It is not below the other field.",
        &["duration_ms:ge_field(timeout_ms)"],
    ),
    form(
        &["expression"],
        "expr(expression)",
        "The expression holds. In `where` a call and arithmetic need no `expr(...)`.",
        &["expr(len(body) > 200)", "* | where duration_ms / 1000 > 2"],
    ),
    form(
        &["pattern"],
        "_pattern:=id",
        "The line is of this template; `patterns` and `fields _pattern` show the ids.",
        &["_pattern:* | top by (_pattern)"],
    ),
];
