//! Tables of query strings and what they are in the native language.

use expect_test::{Expect, expect};
use model::Timestamp;

use super::{LuceneOperator, LuceneOptions, parse_lucene, parse_lucene_with};
use crate::{FieldName, format, parse, render_diagnostic};

/// 2026-11-23T09:00:00Z.
const NOW: Timestamp = Timestamp(1_795_424_400_000_000_000);

/// Each line is a query string; below it comes the native query that it is, and what is said about it.
fn check_with(queries: &str, options: &LuceneOptions, expect: Expect) {
    let mut out = String::new();
    for text in queries.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (query, diagnostics) = parse_lucene_with(text, NOW, options);
        let canonical = format(&query);
        out.push_str(&format!("{text}\n    {canonical}\n"));
        for diagnostic in &diagnostics {
            assert!(diagnostic.hint.is_some(), "no hint: {diagnostic:?}");
            out.push_str(&render_diagnostic(text, diagnostic));
        }
        if diagnostics.iter().all(|diagnostic| !diagnostic.is_error()) {
            assert_eq!(format(&parse(&canonical, NOW).0), canonical);
        }
    }
    expect.assert_eq(&out);
}

fn check(queries: &str, expect: Expect) {
    check_with(queries, &LuceneOptions::default(), expect);
}

#[test]
fn booleans_are_the_classic_parsers() {
    check(
        r#"
        a b
        a AND b
        a OR b AND c
        a AND b OR c
        a AND b OR c AND d
        a b AND c
        +a b
        +a -b
        -a
        NOT a AND b
        a AND NOT b
        a OR NOT b
        !a
        a && b || c
        (a OR b) AND c
        a AND (b OR (c AND d))
        +(a b) +(c d)
        -(a b) c
        (-a)
        a AND b AND c
        *:*
        *
        * -a
        "#,
        expect![[r#"
            a b
                a or b
            a AND b
                a b
            a OR b AND c
                b c
            warning: this part is optional beside required ones, and changes nothing
             1 | a OR b AND c
               | ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            a AND b OR c
                a b
            warning: this part is optional beside required ones, and changes nothing
             1 | a AND b OR c
               |            ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            a AND b OR c AND d
                a b c d
            a b AND c
                b c
            warning: this part is optional beside required ones, and changes nothing
             1 | a b AND c
               | ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            +a b
                a
            warning: this part is optional beside required ones, and changes nothing
             1 | +a b
               |    ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            +a -b
                a !b
            -a
                !a
            NOT a AND b
                !a b
            a AND NOT b
                a !b
            a OR NOT b
                a !b
            !a
                !a
            a && b || c
                a b
            warning: this part is optional beside required ones, and changes nothing
             1 | a && b || c
               |           ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            (a OR b) AND c
                (a or b) c
            a AND (b OR (c AND d))
                a (b or (c d))
            +(a b) +(c d)
                (a or b) (c or d)
            -(a b) c
                c !(a or b)
            (-a)
                !a
            a AND b AND c
                a b c
            *:*
                *
            *
                *
            * -a
                !a
        "#]],
    );
    let and = LuceneOptions { default_operator: LuceneOperator::And, default_field: FieldName::Any };
    check_with(
        r#"
        a b
        a OR b
        a OR b c
        a b OR c
        a AND b OR c
        -a b
        "#,
        &and,
        expect![[r#"
            a b
                *:a *:b
            a OR b
                *:a or *:b
            a OR b c
                *:c
            warning: this part is optional beside required ones, and changes nothing
             1 | a OR b c
               | ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            warning: this part is optional beside required ones, and changes nothing
             1 | a OR b c
               |      ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            a b OR c
                *:a
            warning: this part is optional beside required ones, and changes nothing
             1 | a b OR c
               |   ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            warning: this part is optional beside required ones, and changes nothing
             1 | a b OR c
               |        ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            a AND b OR c
                *:a
            warning: this part is optional beside required ones, and changes nothing
             1 | a AND b OR c
               |       ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            warning: this part is optional beside required ones, and changes nothing
             1 | a AND b OR c
               |            ^
               = AND and + require their neighbours only; for alternatives write parentheses: (a OR b) AND c
            -a b
                !*:a *:b
        "#]],
    );
}

#[test]
fn terms() {
    check(
        r#"
        "connection refused"
        "a b"~2
        te?t
        con*
        *fix
        *mid*
        te*t AND qu?ck*
        /joh?n(ath[oa]n)/
        host:/web-[0-9]+/
        path:/var/log/app.log
        conection~
        conection~1
        conection~0.8
        err~
        ab~1
        foo\:bar \(x\) a\*b
        C\+\+
        key:with\ space
        jakarta^4 apache
        (a b)^2 "c d"^0.5
        http\://x
        错误
        "#,
        expect![[r#"
            "connection refused"
                "connection refused"
            "a b"~2
                body:contains_all(a, b)
            warning: nearness of words is not known here: all of them are searched for
             1 | "a b"~2
               |      ^^
               = remove it for the phrase as it stands
            te?t
                body:wild("te?t")
            con*
                con*
            *fix
                *fix
            *mid*
                *mid*
            te*t AND qu?ck*
                body:wild("te*t") body:wild("qu?ck*")
            /joh?n(ath[oa]n)/
                body:~"(?i)\\b(?:joh?n(ath[oa]n))\\b"
            host:/web-[0-9]+/
                host:~"^(?:web-[0-9]+)$"
            path:/var/log/app.log
                path:/var/log/app.log
            conection~
                conection~2
            conection~1
                conection~1
            conection~0.8
                conection~1
            err~
                err~1
            ab~1
                ab
            warning: this is searched for as it stands: a fuzzy word is one word of 3 to 64 letters and digits
             1 | ab~1
               | ^^^^
               = remove the ~ and what is behind it
            foo\:bar \(x\) a\*b
                body:foo:bar or "(x)" or "a*b"
            C\+\+
                C++
            key:with\ space
                key:"with space"
            jakarta^4 apache
                jakarta or apache
            warning: a boost changes nothing: rows come in order of time
             1 | jakarta^4 apache
               |        ^^
               = remove it
            (a b)^2 "c d"^0.5
                a or b or "c d"
            warning: a boost changes nothing: rows come in order of time
             1 | (a b)^2 "c d"^0.5
               |      ^^
               = remove it
            warning: a boost changes nothing: rows come in order of time
             1 | (a b)^2 "c d"^0.5
               |              ^^^^
               = remove it
            http\://x
                body:http://x
            错误
                错误
        "#]],
    );
}

#[test]
fn fields() {
    check(
        r#"
        status:500
        service.name:(checkout OR payment)
        service.name:(checkout AND NOT payment) error
        title:(+return +"pink panther")
        field: spaced
        _exists_:user.id
        NOT _exists_:user.id
        user.id:*
        *:needle
        message:timeout
        log.level:error
        severity:warning
        level:ERROR
        trace.id:4bf92f3577b34da6a3ce929d0e0e4736
        client.ip:"10.0.0.0/8"
        client.ip:10.0.0.0\/8
        client.ip:"2001:db8::/32"
        name:-5
        "quoted field":x
        a:b:c
        "#,
        expect![[r#"
            status:500
                status:500
            service.name:(checkout OR payment)
                service.name:checkout or service.name:payment
            service.name:(checkout AND NOT payment) error
                (service.name:checkout !service.name:payment) or error
            title:(+return +"pink panther")
                title:return title:"pink panther"
            field: spaced
                field:spaced
            _exists_:user.id
                user.id:*
            NOT _exists_:user.id
                !user.id:*
            user.id:*
                user.id:*
            *:needle
                *:needle
            message:timeout
                timeout
            log.level:error
                severity:ERROR
            severity:warning
                severity:WARN
            level:ERROR
                level:ERROR
            trace.id:4bf92f3577b34da6a3ce929d0e0e4736
                trace_id:4bf92f3577b34da6a3ce929d0e0e4736
            client.ip:"10.0.0.0/8"
                client.ip:ipv4_range(10.0.0.0, 10.255.255.255)
            client.ip:10.0.0.0\/8
                client.ip:ipv4_range(10.0.0.0, 10.255.255.255)
            client.ip:"2001:db8::/32"
                client.ip:ipv6_range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
            name:-5
                name:-5
            "quoted field":x
                "quoted field" or x
            error: `:` cannot stand here
             1 | "quoted field":x
               |               ^
               = write \: to search for it, or put it between quotes
            a:b:c
                a:b or c
            error: `:` cannot stand here
             1 | a:b:c
               |    ^
               = write \: to search for it, or put it between quotes
        "#]],
    );
}

#[test]
fn ranges_and_times() {
    check(
        r#"
        status:[400 TO 499]
        status:{400 TO 499}
        status:[400 TO 499}
        status:{400 TO *]
        status:[* TO *]
        status:>=500
        status:>500 AND status:<600
        status:(>=500 AND <600)
        name:[alpha TO "omega b"]
        size:[10MiB TO *]
        @timestamp:[now-1h TO now]
        @timestamp:[now-1h/h TO now/h]
        @timestamp:[now-1d/d TO now/d}
        @timestamp:{2026-11-22 TO 2026-11-23]
        @timestamp:["2026-11-23T08:00:00Z" TO *]
        @timestamp:>=now-15m
        @timestamp:<2026-11-23
        @timestamp:2026-11-23
        @timestamp:"2026-11-23T08:00:00"
        @timestamp:[2026-01-31||+1M TO 2026-01-31||+1M/M]
        @timestamp:[now/w TO now/y]
        @timestamp:[1795420800000 TO 1795424400000]
        "#,
        expect![[r#"
            status:[400 TO 499]
                status:>=400 status:<=499
            status:{400 TO 499}
                status:>400 status:<499
            status:[400 TO 499}
                status:>=400 status:<499
            status:{400 TO *]
                status:>400
            status:[* TO *]
                status:*
            status:>=500
                status:>=500
            status:>500 AND status:<600
                status:>500 status:<600
            status:(>=500 AND <600)
                status:>=500 status:<600
            name:[alpha TO "omega b"]
                name:>=alpha name:<="omega b"
            size:[10MiB TO *]
                size:>=10MiB
            @timestamp:[now-1h TO now]
                _time:["2026-11-23T08:00:00Z", "2026-11-23T09:00:00.000000001Z")
            @timestamp:[now-1h/h TO now/h]
                _time:["2026-11-23T08:00:00Z", "2026-11-23T10:00:00Z")
            @timestamp:[now-1d/d TO now/d}
                _time:["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")
            @timestamp:{2026-11-22 TO 2026-11-23]
                _time:["2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z")
            @timestamp:["2026-11-23T08:00:00Z" TO *]
                _time:>="2026-11-23T08:00:00Z"
            @timestamp:>=now-15m
                _time:>="2026-11-23T08:45:00Z"
            @timestamp:<2026-11-23
                _time:<"2026-11-23T00:00:00Z"
            @timestamp:2026-11-23
                _time:["2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z")
            @timestamp:"2026-11-23T08:00:00"
                _time:["2026-11-23T08:00:00Z", "2026-11-23T08:00:01Z")
            @timestamp:[2026-01-31||+1M TO 2026-01-31||+1M/M]
                _time:["2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z")
            @timestamp:[now/w TO now/y]
                _time:["2026-11-23T00:00:00Z", "2027-01-01T00:00:00Z")
            @timestamp:[1795420800000 TO 1795424400000]
                _time:["2026-11-23T08:00:00Z", "2026-11-23T09:00:00.000000001Z")
        "#]],
    );
}

#[test]
fn mistakes() {
    check(
        r#"
        a AND
        AND a
        a OR OR b
        a AND AND
        +
        a -
        +-a
        (a
        a)
        ()
        f:
        f:()
        f:(a
        status:[1 TO 5
        status:[1 5]
        status:[ TO 5]
        [1 TO 5]
        status:[1, 5]
        *:[1 TO 5]
        "open
        a ] b
        a:{
        :x
        a^
        a^x
        ??
        /a(b/
        /open
        //
        @timestamp:yesterday
        @timestamp:[now-1x TO now]
        @timestamp:2026-11*
        @timestamp:[now TO now-1h]
        @timestamp:"2026-11-23||+1Q"
        a and b
        not a
        severity:eror
        http://example.com
        a~~
        word~9
        ~1
        \
        "#,
        expect![[r#"
            a AND
                a
            error: a clause is missing after `AND`
             1 | a AND
               |   ^^^
               = add one, or quote the word to search for it
            AND a
                a
            error: nothing stands before this `AND`
             1 | AND a
               | ^^^
               = remove it, or quote "AND" to search for the word
            a OR OR b
                a or b
            error: nothing stands before this `OR`
             1 | a OR OR b
               |      ^^
               = remove it, or quote "OR" to search for the word
            a AND AND
                a
            error: nothing stands before this `AND`
             1 | a AND AND
               |       ^^^
               = remove it, or quote "AND" to search for the word
            error: a clause is missing after `AND`
             1 | a AND AND
               |       ^^^
               = add one, or quote the word to search for it
            +
                *
            error: a clause is missing after `+`
             1 | +
               | ^
               = add one, or quote the word to search for it
            a -
                a
            error: a clause is missing after `-`
             1 | a -
               |   ^
               = add one, or quote the word to search for it
            +-a
                a
            error: `-` stands behind another sign
             1 | +-a
               |  ^
               = write one of + - ! NOT before a clause
            (a
                a
            error: this `(` has no closing `)`
             1 | (a
               | ^
               = add `)`
            a)
                a
            error: this `)` closes nothing
             1 | a)
               |  ^
               = remove it, or write \) to search for it
            ()
                *
            error: nothing stands in these parentheses
             1 | ()
               | ^^
               = put a clause in, or remove them
            f:
                *
            error: a value is missing after `f:`
             1 | f:
               | ^^
               = write a word, "a phrase", [1 TO 5] or * (any value)
            f:()
                *
            error: nothing stands in these parentheses
             1 | f:()
               |   ^^
               = put a clause in, or remove them
            f:(a
                f:a
            error: this `(` has no closing `)`
             1 | f:(a
               |   ^
               = add `)`
            status:[1 TO 5
                *
            error: this range has no closing bracket
             1 | status:[1 TO 5
               |        ^
               = add ] or }
            status:[1 5]
                *
            error: expected `TO`, found `5`
             1 | status:[1 5]
               |           ^
               = a range is written [1 TO 5], {1 TO 5} without its ends, [1 TO *] without one end
            status:[ TO 5]
                *
            error: expected `TO`, found `5`
             1 | status:[ TO 5]
               |             ^
               = a range is written [1 TO 5], {1 TO 5} without its ends, [1 TO *] without one end
            [1 TO 5]
                *
            error: a range needs a field
             1 | [1 TO 5]
               | ^^^^^^^^
               = for example status:[500 TO 599]
            status:[1, 5]
                *
            error: expected `TO`, found `5`
             1 | status:[1, 5]
               |            ^
               = a range is written [1 TO 5], {1 TO 5} without its ends, [1 TO *] without one end
            *:[1 TO 5]
                *
            error: a range needs a field
             1 | *:[1 TO 5]
               |   ^^^^^^^^
               = for example status:[500 TO 599]
            "open
                open
            error: this text has no closing "
             1 | "open
               | ^^^^^
               = add " where the text ends
            a ] b
                a or b
            error: `]` cannot stand here
             1 | a ] b
               |   ^
               = write \] to search for it, or put it between quotes
            a:{
                *
            error: an end of the range is missing here
             1 | a:{
               |   ^
               = a range is written [1 TO 5], {1 TO 5} without its ends, [1 TO *] without one end
            :x
                x
            error: `:` cannot stand here
             1 | :x
               | ^
               = write \: to search for it, or put it between quotes
            a^
                a
            error: a number is missing after `^`
             1 | a^
               |  ^
               = remove it, or write \^ to search for it
            a^x
                a or x
            error: a number is missing after `^`
             1 | a^x
               |  ^
               = remove it, or write \^ to search for it
            ??
                *
            error: this pattern has no text in it
             1 | ??
               | ^^
               = any value is f:*, a length is f:len_range(1, 5)
            /a(b/
                body:~"(?i)\\b(?:a(b)\\b"
            error: bad regular expression: unclosed group
             1 | /a(b/
               |   ^
               = escape a special character with a backslash
            /open
                /open
            //
                //
            @timestamp:yesterday
                *
            error: cannot read `yesterday` as a time
             1 | @timestamp:yesterday
               |            ^^^^^^^^^
               = write _time:5m, _time:2026-11-23, _time:[2026-11-23T09:00:00Z, now) or _time:>=-1h
            @timestamp:[now-1x TO now]
                *
            error: cannot read `now-1x` as a time
             1 | @timestamp:[now-1x TO now]
               |             ^^^^^^
               = date math is written now-1h, now/d, now-1d/d or 2026-11-23||+1M; units are y M w d h m s
            @timestamp:2026-11*
                *
            error: a time has no wildcards
             1 | @timestamp:2026-11*
               |            ^^^^^^^^
               = for example @timestamp:[now-1h TO now], @timestamp:2026-11-23
            @timestamp:[now TO now-1h]
                _time:["2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z")
            warning: this time range ends before it starts, so it holds nothing
             1 | @timestamp:[now TO now-1h]
               |            ^^^^^^^^^^^^^^^
               = swap the two times
            @timestamp:"2026-11-23||+1Q"
                *
            error: cannot read `2026-11-23||+1Q` as a time
             1 | @timestamp:"2026-11-23||+1Q"
               |            ^^^^^^^^^^^^^^^^^
               = date math is written now-1h, now/d, now-1d/d or 2026-11-23||+1M; units are y M w d h m s
            a and b
                a or "and" or b
            warning: this searches for the word `and`
             1 | a and b
               |   ^^^
               = operators are in capitals: write AND, or quote "and"
            not a
                "not" or a
            warning: this searches for the word `not`
             1 | not a
               | ^^^
               = operators are in capitals: write NOT, or quote "not"
            severity:eror
                severity:eror
            error: unknown severity `eror`
             1 | severity:eror
               |          ^^^^
               = did you mean ERROR?
            http://example.com
                http://example.com
            a~~
                a
            warning: this is searched for as it stands: a fuzzy word is one word of 3 to 64 letters and digits
             1 | a~~
               | ^^
               = remove the ~ and what is behind it
            error: `~` cannot stand here
             1 | a~~
               |   ^
               = write \~ to search for it, or put it between quotes
            word~9
                word~1
            warning: this word is searched for with 1 edit
             1 | word~9
               | ^^^^^^
               = two edits are the most, and need five characters
            ~1
                1
            error: `~` cannot stand here
             1 | ~1
               | ^
               = write \~ to search for it, or put it between quotes
            \
                \
        "#]],
    );
}

#[test]
fn limits_are_named() {
    let named = |text: &str| {
        let (_, diagnostics) = parse_lucene(text, NOW);
        diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("; ")
    };
    assert!(named(&"(".repeat(100_000)).contains("NESTING_MAX"));
    assert!(named(&"f:(".repeat(50_000)).contains("NESTING_MAX"));
    assert!(named(&"a ".repeat(5_000)).contains("FILTER_TERMS_MAX"));
    assert!(named(&"a".repeat(300_000)).contains("QUERY_BYTES_MAX"));
    assert!(named(&format!("/{}/", "x".repeat(5_000))).contains("REGEX_BYTES_MAX"));
    assert!(named("/(x{500}){500}/").contains("REGEX_EXPANDED_MAX"));
    assert!(named(&"a*".repeat(50)).contains("WILDCARDS_MAX"));
    assert!(!named(&"-".repeat(100_000)).is_empty());
    assert!(!named(&")".repeat(100_000)).is_empty());
    assert!(named(&"AND ".repeat(50_000)).contains("nothing stands before"));
}
