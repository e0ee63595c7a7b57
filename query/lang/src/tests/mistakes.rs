//! Queries with mistakes, and queries that are too large.

use expect_test::expect;

use super::{NOW, check_diagnostics};
use crate::{Filter, format, parse};

#[test]
fn mistakes_in_filters() {
    check_diagnostics(
        r#"
        level:eror AND (
        severity:eror
        severity:=warn
        severity:in(ERROR, WRAN)
        (a or b
        a or b) c
        a and
        or a
        a or or b
        not
        ()
        "open phrase
        f:"open | stats count()
        f:
        f: | limit 5
        f:>=
        ~"a(b"
        body:~"\\d+[z-a]"
        body:~ "ü(?P<x"
        ~"(a{1000}){1000}"
        *suffix
        in*fix
        f:contains_any(a, b)
        f:inn(a)
        f:in()
        f:in(a b)
        f:[1,2]
        a , b
        http://example.com
        {service.name}
        {service.name="a"
        {a=~"["}
        _time:yesterday
        _time:[2026-11-23, 2026-11-22)
        _time:[2026-11-23
        f:ipv4_range(10.0.0.0/33)
        f:i("")
        f:!!x
        ]
        "#,
        expect![[r#"
            warning: unknown severity `eror`
             1 | level:eror AND (
               |       ^^^^
               = did you mean ERROR?
            error: this `(` has no closing `)`
             1 | level:eror AND (
               |                ^
               = add `)`
             => level:eror *

            error: unknown severity `eror`
             1 | severity:eror
               |          ^^^^
               = did you mean ERROR?
             => severity:eror

            error: `severity` is never exactly `warn`
             1 | severity:=warn
               |           ^^^^
               = write WARN
             => severity:=warn

            error: unknown severity `WRAN`
             1 | severity:in(ERROR, WRAN)
               |                    ^^^^
               = did you mean WARN?
             => severity:in(ERROR, WRAN)

            error: this `(` has no closing `)`
             1 | (a or b
               | ^
               = add `)`
             => a or b

            error: this `)` closes nothing
             1 | a or b) c
               |       ^
               = remove it, or quote it to search for it
             => (a or b) c

            error: a filter is missing after `and`
             1 | a and
               |   ^^^
               = add one, or quote "and" to search for the word
             => a

            error: a filter is missing before `or`
             1 | or a
               | ^^
               = add one, or quote "or" to search for the word
             => a

            error: a filter is missing after `or`
             1 | a or or b
               |   ^^
               = add one, or quote "or" to search for the word
             => a or b

            error: a filter is missing after `not`
             1 | not
               | ^^^
               = add one, or quote "not" to search for the word
             => *

            error: nothing stands in these parentheses
             1 | ()
               | ^^
               = put a filter in, such as `*`
             => *

            error: this text has no closing "
             1 | "open phrase
               | ^^^^^^^^^^^^
               = add " where the text ends
             => "open phrase"

            error: this text has no closing "
             1 | f:"open | stats count()
               |   ^^^^^^^^^^^^^^^^^^^^^
               = add " where the text ends
             => f:"open | stats count()"

            error: a value is missing after `f:`
             1 | f:
               | ^^
               = write a word, "a phrase", ~"regex" or * (any value)
             => *

            error: a value is missing after `f:`
             1 | f: | limit 5
               | ^^
               = write a word, "a phrase", ~"regex" or * (any value)
             => * | limit 5

            error: a value is missing after `f:>=`
             1 | f:>=
               | ^^^^
               = write a word, "a phrase", ~"regex" or * (any value)
             => *

            error: bad regular expression: unclosed group
             1 | ~"a(b"
               |    ^
               = escape a special character with a backslash, or search for the "text" without ~
             => body:~"a(b"

            error: bad regular expression: invalid character class range, the start must be <= the end
             1 | body:~"\\d+[z-a]"
               |             ^^^
               = escape a special character with a backslash, or search for the "text" without ~
             => body:~"\\d+[z-a]"

            error: bad regular expression: unclosed capture group name
             1 | body:~ "ü(?P<x"
               |               ^
               = escape a special character with a backslash, or search for the "text" without ~
             => body:~"ü(?P<x"

            error: the regular expression grows to 1000000 pieces when its repetitions are written out, the limit is 20000 (REGEX_EXPANDED_MAX)
             1 | ~"(a{1000}){1000}"
               |  ^^^^^^^^^^^^^^^^^
               = use smaller counts in {...}
             => body:~"(a{1000}){1000}"

            error: a word cannot start with `*`
             1 | *suffix
               | ^^^^^^^
               = search for a part of a word with a regular expression: ~"suffix"
             => *

            error: `*` can only stand at the end of a word
             1 | in*fix
               | ^^^
               = write a regular expression: ~"in.*..."
             => in*

            error: the filter function `contains_any` is not available yet
             1 | f:contains_any(a, b)
               |   ^^^^^^^^^^^^
               = available are in(), seq(), ipv4_range(), i(), c()
             => *

            error: unknown filter function `inn`
             1 | f:inn(a)
               |   ^^^
               = did you mean `in`?
             => *

            error: this list is empty
             1 | f:in()
               |   ^^^^
               = for example in(a, "b c")
             => *

            error: expected `,` or `)`, found `b`
             1 | f:in(a b)
               |        ^
               = close the list with `)`
             => f:in(a)

            error: expected a value, found `[`
             1 | f:[1,2]
               |   ^
               = a range of numbers is written f:>=1 f:<10
             => *

            error: a filter cannot go on with `,`
             1 | a , b
               |   ^
               = quote it to search for it
             => a b

            warning: this searches the field `http` for a text that starts with //
             1 | http://example.com
               | ^^^^
               = quote the address to search for it
             => http://example.com

            error: expected `=`, `!=`, `=~` or `!~`, found `}`
             1 | {service.name}
               |              ^
               = a selector is written {service.name="checkout", host.name=~"web-.*"}
             => *

            error: this `{` has no closing `}`
             1 | {service.name="a"
               | ^
               = add `}`
             => {service.name="a"}

            error: bad regular expression: unclosed character class
             1 | {a=~"["}
               |      ^
               = escape a special character with a backslash, or search for the "text" without ~
             => {a=~"["}

            error: cannot read `yesterday` as a time
             1 | _time:yesterday
               |       ^^^^^^^^^
               = write _time:5m, _time:2026-11-23, _time:[2026-11-23T09:00:00Z, now) or _time:>=-1h
             => *

            warning: this time range ends before it starts, so it holds nothing
             1 | _time:[2026-11-23, 2026-11-22)
               |       ^^^^^^^^^^^^^^^^^^^^^^^^
               = swap the two times
             => _time:["2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z")

            error: `,` is missing here
             1 | _time:[2026-11-23
               |                 ^
               = write _time:5m, _time:2026-11-23, _time:[2026-11-23T09:00:00Z, now) or _time:>=-1h
             => *

            error: this is no range of IPv4 addresses
             1 | f:ipv4_range(10.0.0.0/33)
               |   ^^^^^^^^^^^^^^^^^^^^^^^
               = write a network, ipv4_range(10.0.0.0/8), or the first and the last address
             => *

            error: this text is empty
             1 | f:i("")
               |     ^^
               = f:* finds rows with the field, f:"" rows without
             => *

            error: expected a value after `!`, found `!`
             1 | f:!!x
               |    ^
               = write one `!` to negate
             => !x

            error: a filter cannot go on with `]`
             1 | ]
               | ^
               = quote it to search for it
             => *

        "#]],
    );
}

#[test]
fn mistakes_in_pipes() {
    check_diagnostics(
        r#"
        * |
        * | | limit 5
        * | statz count()
        * | facets
        * | parse json | limit 5
        * | banana
        * | count()
        * | stats
        * | stats count() as
        * | stats by (f count()
        * | stats histogram(x)
        * | stats cuont() as n | limit 5
        * | stats quantile(x)
        * | stats quantile(2, x)
        * | stats sum()
        * | stats sum(a, b)
        * | stats rate(x)
        * | stats count() as n, sum(x) as n
        * | stats by (_time:0s) count()
        * | stats by (size:10) count()
        * | stats count() if severity:ERROR
        * | sort by ()
        * | limit ten
        * | limit 99999999999
        * | limit 5 6 | offset 2
        * | fields
        * | rename a
        * | rename a as
        * | where
        * | eval x
        * | eval x = 1 +
        * | eval x = rund(y)
        * | eval x = abs(1, 2)
        * | uniq by (a) with
        from logz error
        from promql(`rate(x[5m])`) | limit 5
        "#,
        expect![[r#"
            error: nothing stands after this `|`
             1 | * |
               |   ^
               = add a pipe (stats, where, sort, limit, offset, fields, drop, rename, eval, top, rare, uniq) or remove the `|`
             => *

            error: expected a pipe, found `|`
             1 | * | | limit 5
               |     ^
               = available are stats, where, sort, limit, offset, fields, drop, rename, eval, top, rare, uniq
             => * | limit 5

            error: unknown pipe `statz`
             1 | * | statz count()
               |     ^^^^^
               = did you mean `stats`?
             => *

            error: `facets` is not available yet
             1 | * | facets
               |     ^^^^^^
               = available are stats, where, sort, limit, offset, fields, drop, rename, eval, top, rare, uniq
             => *

            error: `parse` is not available yet
             1 | * | parse json | limit 5
               |     ^^^^^
               = available are stats, where, sort, limit, offset, fields, drop, rename, eval, top, rare, uniq
             => * | limit 5

            error: unknown pipe `banana`
             1 | * | banana
               |     ^^^^^^
               = available are stats, where, sort, limit, offset, fields, drop, rename, eval, top, rare, uniq
             => *

            error: `count` is a function, not a pipe
             1 | * | count()
               |     ^^^^^
               = write `stats count(...)`
             => *

            error: a function is missing here
             1 | * | stats
               |         ^
               = for example stats by (service.name) count() as n
             => *

            error: a name is missing here
             1 | * | stats count() as
               |                    ^
               = for example stats by (service.name) count() as n
             => *

            error: expected `,` or `)`, found `count`
             1 | * | stats by (f count()
               |                 ^^^^^
               = close the list with `)`
             => * | stats by (f) count(*) as "count(*)"

            error: `histogram()` is not available yet
             1 | * | stats histogram(x)
               |           ^^^^^^^^^
               = available are count, count_distinct, sum, avg, min, max, quantile, median, stddev, rate, first, last, values, any
             => *

            error: unknown function `cuont`
             1 | * | stats cuont() as n | limit 5
               |           ^^^^^
               = did you mean `count`?
             => * | limit 5

            error: `quantile` needs a number from 0 to 1 first
             1 | * | stats quantile(x)
               |                    ^
               = for example quantile(0.99, duration_ms)
             => *

            error: `quantile` needs a number from 0 to 1 first
             1 | * | stats quantile(2, x)
               |                    ^
               = for example quantile(0.99, duration_ms)
             => *

            error: `sum` needs a field
             1 | * | stats sum()
               |           ^^^^^
               = for example sum(duration_ms)
             => *

            error: `sum` takes one field, not 2
             1 | * | stats sum(a, b)
               |           ^^^^^^^^^
               = for example sum(duration_ms)
             => *

            error: `rate` counts rows and takes no field
             1 | * | stats rate(x)
               |           ^^^^^^^
               = write rate(), with `if (filter)` to count some rows only
             => *

            error: two columns of this `stats` are called `n`
             1 | * | stats count() as n, sum(x) as n
               |                         ^^^^^^
               = give one another name with `as`
             => * | stats count(*) as n, sum(x) as n

            error: cannot read `0s` as the width of a bucket
             1 | * | stats by (_time:0s) count()
               |                     ^^
               = for example _time:5m or _time:1h
             => * | stats by (_time) count(*) as "count(*)"

            error: buckets of `size` are not available yet
             1 | * | stats by (size:10) count()
               |               ^^^^^^^
               = only _time can be put in buckets: _time:5m
             => * | stats by (size) count(*) as "count(*)"

            error: expected `(` and a filter, found `severity`
             1 | * | stats count() if severity:ERROR
               |                      ^^^^^^^^
               = for example count() if (severity:ERROR) as errors
             => *

            error: at least one field is needed
             1 | * | sort by ()
               |              ^
               = for example sort by (n desc, service.name)
             => *

            error: `ten` is not a number of rows
             1 | * | limit ten
               |           ^^^
               = for example limit 10
             => *

            error: 99999999999 rows are more than the limit of 1000000000 (ROWS_MAX)
             1 | * | limit 99999999999
               |           ^^^^^^^^^^^
               = ask for fewer
             => *

            error: expected `|` or the end of the query, found `6`
             1 | * | limit 5 6 | offset 2
               |             ^
               = separate pipes with `|`
             => * | limit 5 | offset 2

            error: a field is missing here
             1 | * | fields
               |          ^
               = for example fields _time, body
             => *

            error: `as` and the new name is missing here
             1 | * | rename a
               |            ^
               = for example rename service.name as service
             => *

            error: the new name is missing here
             1 | * | rename a as
               |               ^
               = for example rename service.name as service
             => *

            error: a filter is missing after `where`
             1 | * | where
               |         ^
               = for example where n > 20
             => *

            error: `as` and a name is missing here
             1 | * | eval x
               |          ^
               = for example eval percent = errors / total * 100
             => *

            error: a value is missing here
             1 | * | eval x = 1 +
               |                ^
               = for example errors / total * 100, upper("a") or if(status >= 500, "bad", "good")
             => *

            error: unknown function `rund`
             1 | * | eval x = rund(y)
               |              ^^^^
               = did you mean `round`?
             => *

            error: `abs` takes one argument, not 2
             1 | * | eval x = abs(1, 2)
               |              ^^^^^^^^^
               = write abs(x)
             => *

            error: `hits` is missing here
             1 | * | uniq by (a) with
               |                    ^
               = for example uniq by (service.name) with hits
             => *

            error: unknown table `logz`
             1 | from logz error
               |      ^^^^
               = did you mean `logs`?
             => error

            error: `from promql` is not available yet
             1 | from promql(`rate(x[5m])`) | limit 5
               |      ^^^^^^
               = available are logs, spans, quarantine, changes, alerts, incidents, actions, probes, findings, audit
             => * | limit 5

        "#]],
    );
}

#[test]
fn limits_are_named() {
    let named = |text: &str| {
        let (_, diagnostics) = parse(text, NOW);
        diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("; ")
    };
    assert!(named(&"(".repeat(100_000)).contains("NESTING_MAX"));
    assert!(named(&format!("* | eval x = {}", "(".repeat(100_000))).contains("NESTING_MAX"));
    assert!(named(&format!("* | eval x = {}1", "-".repeat(100_000))).contains("NESTING_MAX"));
    assert!(named(&format!("* | eval x = 1{}", "+1".repeat(10_000))).contains("NESTING_MAX"));
    assert!(named(&"f:(".repeat(50_000)).contains("NESTING_MAX"));
    assert!(named(&"a ".repeat(5_000)).contains("FILTER_TERMS_MAX"));
    assert!(named(&"a".repeat(300_000)).contains("QUERY_BYTES_MAX"));
    assert!(named(&"* | limit 1".replace('*', &"| limit 1 ".repeat(100))).contains("PIPES_MAX"));
    assert!(named(&format!("f:in({}1)", "1,".repeat(10_000))).contains("LIST_ITEMS_MAX"));
    assert!(named(&format!("~\"{}\"", "x".repeat(5_000))).contains("REGEX_BYTES_MAX"));
    assert!(named(r#"~"(x{500}){500}""#).contains("REGEX_EXPANDED_MAX"));
    assert!(named("* | limit 1000000001").contains("ROWS_MAX"));
    assert!(named(&")".repeat(100_000)).split("; ").count() <= crate::limits::DIAGNOSTICS_MAX);
    assert_eq!(named(&format!("{}x", "!".repeat(100_000))), "");
    assert!(named(&format!("f:{}x", "! ".repeat(100_000))).contains("expected a value after `!`"));
    assert!(named(&"a)".repeat(100_000)).contains("closes nothing"));
}

#[test]
fn negations_are_kept_or_reduced_but_never_deep() {
    let (query, _) = parse(&format!("{}x", "!".repeat(100_001)), NOW);
    assert_eq!(format(&query), "!x");
    assert_eq!(parse("!*", NOW).0.filter, Filter::Nothing);
}
