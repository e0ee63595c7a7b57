//! Golden cases of expressions: canonical texts, mistakes, and where a condition is one.

use expect_test::{Expect, expect};
use model::Timestamp;

use crate::{Filter, PipeKind, format, parse, render_diagnostic};

/// Each line is an expression; its canonical text, which must read back the same, or its diagnostics come out.
fn check(expressions: &str, expect: Expect) {
    lines("* | eval x = ", expressions, expect);
}

fn lines(before: &str, texts: &str, expect: Expect) {
    let mut out = String::new();
    for text in texts.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let whole = format!("{before}{text}");
        let (query, diagnostics) = parse(&whole, Timestamp(0));
        out.push_str(&format!("{text}\n"));
        for diagnostic in &diagnostics {
            assert!(diagnostic.hint.is_some(), "no hint: {diagnostic:?}");
            out.push_str(&render_diagnostic(&whole, diagnostic));
        }
        if diagnostics.is_empty() {
            let canonical = format(&query);
            assert_eq!(parse(&canonical, Timestamp(0)).0, query, "{text} is printed as {canonical}");
            out.push_str(&format!("    {}\n", canonical.strip_prefix(before).unwrap_or(&canonical)));
        }
    }
    expect.assert_eq(&out);
}

#[test]
fn expressions_have_one_spelling() {
    check(
        r#"
        1e3 + 2.50 - 9007199254740993
        0xff * 1h30m + 10MiB - 2.5s
        'it''s' 
        concat('it\'s', "a\"b", name)
        `user-agent` + `a``b`
        a or b and not c = 1
        (a or b) and !(c <> 1)
        a < 1 and b >= 2 or c != "x"
        status in (500, 502) or status NOT IN (1)
        in(x, 1)
        in(x, 1) in (true, null)
        body =~ "(?i)\d+" and body !~ "x"
        UPPER(x), y = IIF(a == b, 1, 2)
        -(-x) - -1
        -3 * -(a + b)
        a - (b - c) / d
        (a == b) == true
        not (not x)
        length( substring(x, 1) )
        if(status >= 500, "bad", case(status >= 400, "poor", "good"))
        age(_time) > 5m
        now() - 1d
        round (x)
        größe * 2
        "#,
        expect![[r#"
            1e3 + 2.50 - 9007199254740993
                (1000 + 2.5) - 9007199254740993
            0xff * 1h30m + 10MiB - 2.5s
                ((255 * 90m) + 10MiB) - 2500ms
            'it''s'
            error: expected `|` or the end of the query, found `'s'`
             1 | * | eval x = 'it''s'
               |                  ^^^
               = separate pipes with `|`
            concat('it\'s', "a\"b", name)
                concat("it's", "a\"b", name)
            `user-agent` + `a``b`
                `user-agent` + `a``b`
            a or b and not c = 1
                a or b and not c == 1
            (a or b) and !(c <> 1)
                (a or b) and not c != 1
            a < 1 and b >= 2 or c != "x"
                a < 1 and b >= 2 or c != "x"
            status in (500, 502) or status NOT IN (1)
                status in (500, 502) or not status in (1)
            in(x, 1)
                x in (1)
            in(x, 1) in (true, null)
                (x in (1)) in (true, null)
            body =~ "(?i)\d+" and body !~ "x"
                matches(body, "(?i)\\d+") and not matches(body, "x")
            UPPER(x), y = IIF(a == b, 1, 2)
                upper(x), y = if(a == b, 1, 2)
            -(-x) - -1
                --x - -1
            -3 * -(a + b)
                -3 * -(a + b)
            a - (b - c) / d
                a - ((b - c) / d)
            (a == b) == true
                (a == b) == true
            not (not x)
                not not x
            length( substring(x, 1) )
                len(substr(x, 1))
            if(status >= 500, "bad", case(status >= 400, "poor", "good"))
                if(status >= 500, "bad", case(status >= 400, "poor", "good"))
            age(_time) > 5m
                age(_time) > 5m
            now() - 1d
                now() - 1d
            round (x)
                round(x)
            größe * 2
                größe * 2
        "#]],
    );
}

#[test]
fn mistakes_in_expressions() {
    check(
        r#"
        len()
        substr("a")
        round(x, 1, 2)
        now(1)
        sum(x)
        lenght(x)
        banana(x)
        a || b && c
        "a-b" / c
        "a" + "b"
        -"x"
        round("x")
        a < b < c
        ip_in(x, 10.0.0.0/8)
        ip_in(x, "10.0.0.0/33")
        matches(x, "(")
        extract(x, "\d{1,")
        time_bin(_time, "five minutes")
        5 parsecs
        5parsecs
        1e999
        `open
        ``
        @timestamp
        a and
        and a
        a and or b
        (a
        f(a, 
        if(a, b
        "open
        x in 5
        x in ()
        a b
        x =
        = x
        a ==
        "#,
        expect![[r#"
            len()
            error: `len` takes one argument, not 0
             1 | * | eval x = len()
               |              ^^^^^
               = write len(text)
            substr("a")
            error: `substr` takes 2 or 3 arguments, not 1
             1 | * | eval x = substr("a")
               |              ^^^^^^^^^^^
               = write substr(text, start[, length])
            round(x, 1, 2)
            error: `round` takes 1 or 2 arguments, not 3
             1 | * | eval x = round(x, 1, 2)
               |              ^^^^^^^^^^^^^^
               = write round(x[, digits])
            now(1)
            error: `now` takes no arguments, not 1
             1 | * | eval x = now(1)
               |              ^^^^^^
               = write now()
            sum(x)
            error: unknown function `sum`
             1 | * | eval x = sum(x)
               |              ^^^
               = `sum` is of many rows: write `stats sum(...) as n` before this pipe
            lenght(x)
            error: unknown function `lenght`
             1 | * | eval x = lenght(x)
               |              ^^^^^^
               = did you mean `length`?
            banana(x)
            error: unknown function `banana`
             1 | * | eval x = banana(x)
               |              ^^^^^^
               = the functions are listed in docs/query-language.md; some are if, round, lower, extract, ip_in
            a || b && c
            error: `||` is no operator
             1 | * | eval x = a || b && c
               |                ^^
               = write `or`; to join texts write concat(a, b)
            error: `&&` is no operator
             1 | * | eval x = a || b && c
               |                     ^^
               = write `and`
            "a-b" / c
            error: "a-b" is a text, and a number is needed here
             1 | * | eval x = "a-b" / c
               |              ^^^^^
               = quotes make a text; a field whose name needs quotes is written in backticks: `user-agent`
            "a" + "b"
            error: "a" is a text, and a number is needed here
             1 | * | eval x = "a" + "b"
               |              ^^^
               = to join texts write concat(a, b); quotes make a text; a field whose name needs quotes is written in backticks: `user-agent`
            error: "b" is a text, and a number is needed here
             1 | * | eval x = "a" + "b"
               |                    ^^^
               = to join texts write concat(a, b); quotes make a text; a field whose name needs quotes is written in backticks: `user-agent`
            -"x"
            error: "x" is a text, and a number is needed here
             1 | * | eval x = -"x"
               |               ^^^
               = quotes make a text; a field whose name needs quotes is written in backticks: `user-agent`
            round("x")
            error: "x" is a text, and a number is needed here
             1 | * | eval x = round("x")
               |                    ^^^
               = quotes make a text; a field whose name needs quotes is written in backticks: `user-agent`
            a < b < c
            error: `<` cannot follow another comparison
             1 | * | eval x = a < b < c
               |                    ^
               = join them: a < b and b < c
            ip_in(x, 10.0.0.0/8)
            error: `10.0.0.0` is no number
             1 | * | eval x = ip_in(x, 10.0.0.0/8)
               |                       ^^^^^^^^
               = an address or a version is a text: put it in quotes
            ip_in(x, "10.0.0.0/33")
            error: "10.0.0.0/33" is no network
             1 | * | eval x = ip_in(x, "10.0.0.0/33")
               |                       ^^^^^^^^^^^^^
               = write a network such as "10.0.0.0/8" or "2001:db8::/32"
            matches(x, "(")
            error: bad regular expression: unclosed group
             1 | * | eval x = matches(x, "(")
               |                          ^
               = escape a special character with a backslash
            extract(x, "\d{1,")
            error: bad regular expression: unclosed counted repetition
             1 | * | eval x = extract(x, "\d{1,")
               |                            ^^^
               = escape a special character with a backslash
            time_bin(_time, "five minutes")
            error: "five minutes" is no duration
             1 | * | eval x = time_bin(_time, "five minutes")
               |                              ^^^^^^^^^^^^^^
               = write a duration such as 5m or "1h30m"
            5 parsecs
            error: expected `|` or the end of the query, found `parsecs`
             1 | * | eval x = 5 parsecs
               |                ^^^^^^^
               = separate pipes with `|`
            5parsecs
            error: `5parsecs` is no number
             1 | * | eval x = 5parsecs
               |              ^^^^^^^^
               = units are ns, us, ms, s, m, h, d, w and B, KB, KiB, MB, MiB, GB, GiB, TB, TiB; a text is put in quotes
            1e999
            error: this number is too large
             1 | * | eval x = 1e999
               |              ^^^^^
               = numbers go up to about 1.8e308
            `open
            error: this name has no closing `
             1 | * | eval x = `open
               |              ^^^^^
               = add ` where the name ends
            ``
            error: this name is empty
             1 | * | eval x = ``
               |              ^^
               = put the name of a field between the backticks
            @timestamp
            error: expected a value, found `@timestamp`
             1 | * | eval x = @timestamp
               |              ^^^^^^^^^^
               = a field of such a name is written in backticks: `@timestamp`
            a and
            error: a value is missing here
             1 | * | eval x = a and
               |                  ^
               = for example errors / total * 100, upper("a") or if(status >= 500, "bad", "good")
            and a
            error: expected a value, found `and`
             1 | * | eval x = and a
               |              ^^^
               = a field that is called as a word of the language is written in backticks
            a and or b
            error: expected a value, found `or`
             1 | * | eval x = a and or b
               |                    ^^
               = a field that is called as a word of the language is written in backticks
            (a
            error: this `(` has no closing `)`
             1 | * | eval x = (a
               |              ^
               = add `)`
            f(a,
            error: unknown function `f`
             1 | * | eval x = f(a,
               |              ^
               = did you mean `if`?
            error: a value is missing here
             1 | * | eval x = f(a,
               |                 ^
               = for example errors / total * 100, upper("a") or if(status >= 500, "bad", "good")
            if(a, b
            error: this `(` has no closing `)`
             1 | * | eval x = if(a, b
               |                ^
               = add `)`
            "open
            error: this text has no closing "
             1 | * | eval x = "open
               |              ^^^^^
               = add " where the text ends
            x in 5
            error: expected `(`, found `5`
             1 | * | eval x = x in 5
               |                   ^
               = for example status in (500, 502, 503)
            x in ()
            error: `in` takes at least 2 arguments, not 1
             1 | * | eval x = x in ()
               |              ^^^^^^^
               = write in(value, item, ...)
            a b
            error: expected `|` or the end of the query, found `b`
             1 | * | eval x = a b
               |                ^
               = separate pipes with `|`
            x =
            error: a value is missing here
             1 | * | eval x = x =
               |                ^
               = for example errors / total * 100, upper("a") or if(status >= 500, "bad", "good")
            = x
            error: expected a value, found `=`
             1 | * | eval x = = x
               |              ^
               = for example errors / total * 100, upper("a") or if(status >= 500, "bad", "good")
            a ==
            error: a value is missing here
             1 | * | eval x = a ==
               |                 ^
               = for example errors / total * 100, upper("a") or if(status >= 500, "bad", "good")
        "#]],
    );
}

#[test]
fn where_takes_expressions_and_filters() {
    lines(
        "* | where ",
        r#"
        len(body) > 100
        len(body) > 100 and n > 20 or !contains(x, "a")
        duration_ms > avg * 2
        errors / total > 0.1 and checkout
        a + b * 2 <= c - 1
        took > round(limit)
        is_private(client.address) service.name:checkout
        expr(a > b)
        not expr(a > b or c =~ "x")
        (len(body) = 3 or f:x) g
        n > 20
        n = 20 m != 3
        in(a, b)
        error - foo
        len (body)
        f:(len(x) y)
        a > b
        a > 5 -c
        expr(len(x)
        len(x, y) > 3
        lenn(x) > 3
        "#,
        expect![[r#"
            len(body) > 100
                expr(len(body) > 100)
            len(body) > 100 and n > 20 or !contains(x, "a")
                (expr(len(body) > 100) n:>20) or !expr(contains(x, "a"))
            duration_ms > avg * 2
                expr(duration_ms > avg * 2)
            errors / total > 0.1 and checkout
                expr(errors / total > 0.1) checkout
            a + b * 2 <= c - 1
                expr(a + (b * 2) <= c - 1)
            took > round(limit)
                expr(took > round(limit))
            is_private(client.address) service.name:checkout
                expr(is_private(client.address)) service.name:checkout
            expr(a > b)
                expr(a > b)
            not expr(a > b or c =~ "x")
                !expr(a > b or matches(c, "x"))
            (len(body) = 3 or f:x) g
                (expr(len(body) == 3) or f:x) g
            n > 20
                n:>20
            n = 20 m != 3
                n:=20 !m:=3
            in(a, b)
                body:in(a, b)
            error - foo
                error !foo
            len (body)
                len body
            f:(len(x) y)
            error: unknown filter function `len`
             1 | * | where f:(len(x) y)
               |              ^^^
               = it is a function of expressions: write expr(len(...) > 5), or a pipe: | where len(...) > 5
            a > b
            warning: this compares `a` with the text "b"
             1 | * | where a > b
               |               ^
               = to compare two fields write expr(a > b), else put the text in quotes
            a > 5 -c
                a:>5 !c
            expr(len(x)
            error: this `(` has no closing `)`
             1 | * | where expr(len(x)
               |               ^
               = add `)`
            len(x, y) > 3
            error: `len` takes one argument, not 2
             1 | * | where len(x, y) > 3
               |           ^^^^^^^^^
               = write len(text)
            lenn(x) > 3
            error: unknown function `lenn`
             1 | * | where lenn(x) > 3
               |           ^^^^
               = did you mean `len`?
        "#]],
    );
    lines(
        "",
        "error expr(len(body) > 100) or x\nlen(body) > 100",
        expect![[r#"
            error expr(len(body) > 100) or x
                (error expr(len(body) > 100)) or x
            len(body) > 100
            error: unknown filter function `len`
             1 | len(body) > 100
               | ^^^
               = it is a function of expressions: write expr(len(...) > 5), or a pipe: | where len(...) > 5
        "#]],
    );
}

#[test]
fn a_condition_knows_its_fields() {
    let (query, _) = parse("* | where expr(len(a) > b and c in (d, `e-f`)) | eval x = 1", Timestamp(0));
    let Some(PipeKind::Where(Filter::Expr(expr))) = query.pipes.first().map(|pipe| &pipe.kind) else {
        panic!("{query:?}");
    };
    assert_eq!(expr.fields().into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d", "e-f"]);
}

#[test]
fn no_text_makes_a_deep_tree() {
    let named = |text: String| {
        let (_, diagnostics) = parse(&format!("* | eval x = {text}"), Timestamp(0));
        diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("; ")
    };
    let sum = format!("1{}", "+1".repeat(60));
    let nested = (0..40).fold(sum, |inner, _| format!("({inner}{})", "+1".repeat(60)));
    for text in [
        nested,
        "not ".repeat(100),
        "-".repeat(100),
        "abs(".repeat(100),
        "(".repeat(100),
        "x in (".repeat(100),
        format!("1{}", "+1".repeat(100)),
    ] {
        let messages = named(text.clone());
        assert!(messages.contains("NESTING_MAX"), "{text:.20}: {messages}");
    }
    assert_eq!(named(format!("a{}", " or a".repeat(5_000))), "");
    assert!(named(format!("a{}", " or a".repeat(9_000))).contains("LIST_ITEMS_MAX"));
}
