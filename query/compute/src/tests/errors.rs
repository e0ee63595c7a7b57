//! What is wrong before a row is read, and where.

use expect_test::{Expect, expect};
use lang::{Expr, PipeKind, ScalarFunction, render_diagnostic};
use model::Timestamp;

use super::tree;
use crate::Program;
use crate::limits::{DEPTH_MAX, PATTERNS_MAX};

/// Each line is an expression that reads well; its rendered error comes out.
fn check(expressions: &str, expect: Expect) {
    let mut out = String::new();
    for text in expressions.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let whole = format!("* | eval x = {text}");
        let (query, diagnostics) = lang::parse(&whole, Timestamp(0));
        assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
        let Some(PipeKind::Eval(columns)) = query.pipes.first().map(|pipe| &pipe.kind) else { panic!("{text}") };
        let error = Program::new(&columns[0].1, &["x".to_owned()], Timestamp(0)).expect_err(text);
        out.push_str(&render_diagnostic(&whole, &error.diagnostic()));
    }
    expect.assert_eq(&out);
}

#[test]
fn wrong_constants_have_a_place() {
    check(
        r#"
        matches(x, y)
        matches(x, concat("(", ""))
        matches(x, "(\w{100}){100}")
        extract(x, "(a)", 2)
        extract(x, "(?P<name>a)", "nme")
        extract(x, "a", y)
        like(x, y)
        ip_in(x, concat("10.0.0", "/8"))
        json_get(x, "a..b")
        format("{} {}", 1)
        format("{", 1)
        format("}", 1)
        format("{x}", 1)
        format("{:.99}", 1)
        format(x)
        format_time(x, "yyyy-MM-dd")
        format_time(x, "%Q%!")
        format_time(x, "%Y", "Mars/Olympus")
        hour(x, x)
        hour(x, "+99:99")
        to_time(x, "HH:mm")
        "#,
        expect![[r#"
            error: the pattern of `matches` is not the same for every row
             1 | * | eval x = matches(x, y)
               |              ^^^^^^^^^^^^^
               = write it as a text: it is read once, before the rows
            error: bad regular expression: unclosed group
             1 | * | eval x = matches(x, concat("(", ""))
               |                         ^^^^^^^^^^^^^^^
               = escape a special character with a backslash
            error: the regular expression grows over 2097152 bytes (REGEX_COMPILED_BYTES_MAX)
             1 | * | eval x = matches(x, "(\w{100}){100}")
               |                         ^^^^^^^^^^^^^^^^
               = use smaller counts in {...}
            error: the regular expression has no group "2"
             1 | * | eval x = extract(x, "(a)", 2)
               |              ^^^^^^^^^^^^^^^^^^^^
               = it has the groups 0 (all of it) to 1
            error: the regular expression has no group "nme"
             1 | * | eval x = extract(x, "(?P<name>a)", "nme")
               |                                        ^^^^^
               = it has the groups 0 (all of it) to 1, named name
            error: the regular expression has no group ""
             1 | * | eval x = extract(x, "a", y)
               |              ^^^^^^^^^^^^^^^^^^
               = it has the groups 0 (all of it) to 0
            error: the pattern of `like` is not the same for every row
             1 | * | eval x = like(x, y)
               |              ^^^^^^^^^^
               = write it as a text: it is read once, before the rows
            error: "10.0.0/8" is no network
             1 | * | eval x = ip_in(x, concat("10.0.0", "/8"))
               |                       ^^^^^^^^^^^^^^^^^^^^^^
               = write a network such as "10.0.0.0/8" or "2001:db8::/32"
            error: bad path "a..b": a name is missing after `.`
             1 | * | eval x = json_get(x, "a..b")
               |                          ^^^^^^
               = a path is written a.b[0]["c d"]
            error: bad template: `{}` asks for value 2 of 1
             1 | * | eval x = format("{} {}", 1)
               |                     ^^^^^^^
               = write {} for the next value, {2} for the second, {:.3} for three decimals, {{ and }} for braces
            error: bad template: a `{` is not closed
             1 | * | eval x = format("{", 1)
               |                     ^^^
               = write {} for the next value, {2} for the second, {:.3} for three decimals, {{ and }} for braces
            error: bad template: a `}` closes nothing
             1 | * | eval x = format("}", 1)
               |                     ^^^
               = write {} for the next value, {2} for the second, {:.3} for three decimals, {{ and }} for braces
            error: bad template: `{x}` is no value
             1 | * | eval x = format("{x}", 1)
               |                     ^^^^^
               = write {} for the next value, {2} for the second, {:.3} for three decimals, {{ and }} for braces
            error: bad template: `{:.99}` is no value
             1 | * | eval x = format("{:.99}", 1)
               |                     ^^^^^^^^
               = write {} for the next value, {2} for the second, {:.3} for three decimals, {{ and }} for braces
            error: the template of `format` is not the same for every row
             1 | * | eval x = format(x)
               |              ^^^^^^^^^
               = write it as a text: it is read once, before the rows
            error: the time format "yyyy-MM-dd" has no directive
             1 | * | eval x = format_time(x, "yyyy-MM-dd")
               |                             ^^^^^^^^^^^^
               = formats are those of strftime: %Y-%m-%d %H:%M:%S, %b, %z, %Z, %f
            error: bad time format "%Q%!": strftime formatting failed: found unrecognized specifier directive `!`
             1 | * | eval x = format_time(x, "%Q%!")
               |                             ^^^^^^
               = formats are those of strftime: %Y-%m-%d %H:%M:%S, %b, %z, %Z, %f
            error: there is no time zone "Mars/Olympus"
             1 | * | eval x = format_time(x, "%Y", "Mars/Olympus")
               |                                   ^^^^^^^^^^^^^^
               = write a name such as "Europe/Berlin", "UTC" or an offset such as "+02:00"
            error: the zone of `hour` is not the same for every row
             1 | * | eval x = hour(x, x)
               |              ^^^^^^^^^^
               = write it as a text: it is read once, before the rows
            error: there is no time zone "+99:99"
             1 | * | eval x = hour(x, "+99:99")
               |                      ^^^^^^^^
               = write a name such as "Europe/Berlin", "UTC" or an offset such as "+02:00"
            error: the time format "HH:mm" has no directive
             1 | * | eval x = to_time(x, "HH:mm")
               |                         ^^^^^^^
               = formats are those of strftime: %Y-%m-%d %H:%M:%S, %b, %z, %Z, %f
        "#]],
    );
}

#[test]
fn limits_have_names() {
    let names = ["x".to_owned()];
    let error = |expr: &Expr| Program::new(expr, &names, Timestamp(0)).expect_err("over a limit").to_string();
    let deep = (0..DEPTH_MAX + 1).fold(Expr::Field("x".to_owned()), |inner, _| Expr::Not(Box::new(inner)));
    assert!(error(&deep).contains("DEPTH_MAX"));
    let one = tree(r#"matches(x, "a")"#);
    let many = Expr::Or(vec![one; PATTERNS_MAX + 1]);
    assert!(error(&many).contains("PATTERNS_MAX"));
    let large = Expr::call(ScalarFunction::Matches, vec![Expr::Field("x".to_owned()), Expr::text(r"(\w{200}){200}")]);
    assert!(error(&large).contains("REGEX_COMPILED_BYTES_MAX"));
    let wrong = Expr::call(ScalarFunction::Len, Vec::new());
    assert_eq!(error(&wrong), "`len` does not take 0 arguments; write len(text)");
}
