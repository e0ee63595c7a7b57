//! Templates of the pipe `format`.

use expect_test::{Expect, expect};

use super::{row, shown};
use crate::{Template, Value};

fn check(templates: &str, expect: Expect) {
    let row = row();
    let names: Vec<String> = row.iter().map(|(name, _)| name.clone()).collect();
    let mut out = String::new();
    for text in templates.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let result = match Template::new(text, &names) {
            Ok(template) => shown(template.render(&|at| row[at].1.borrowed())),
            Err(error) => format!("error at {:?}: {error}", &text[error.span.clone()]),
        };
        out.push_str(&format!("{text} => {result}\n"));
    }
    expect.assert_eq(&out);
}

#[test]
fn templates_put_fields_into_text() {
    check(
        r#"
        plain
        <status> of <word>
        [<gone>][<nothing>][<_>][<*>][<>]
        &lt;<status>&gt; &amp;lt;
        <q:body> <q:list>
        <uc:word> <lc:url>
        <urlencode:word> <urldecode:url>
        <hexencode:status> <hexdecode:status> <hexdecode:word>
        <base64encode:word> <base64decode:word>
        <hexnumencode:status> <hexnumdecode:status> <hexnumencode:word>
        <duration:int> <duration:took> <duration:word>
        <duration_seconds:took> <duration_seconds:word>
        <time:status> <time:time> <time:word>
        <ipv4:status> <ipv4:int>
        <nan> <inf> <float> <yes> <time>
        <upper:word>
        <ucc:word>
        <uc:>
        <status
        a > b
        "#,
        expect![[r#"
            plain => "plain"
            <status> of <word> => "503 of größe"
            [<gone>][<nothing>][<_>][<*>][<>] => "[][][][][]"
            &lt;<status>&gt; &amp;lt; => "<503> &lt;"
            <q:body> <q:list> => "\"user=ana id=17 took 31 ms from 10.1.2.3\" \"[\\\"a\\\",\\\"b\\\",3]\""
            <uc:word> <lc:url> => "GRÖSSE https://ana:pw@shop.example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%c3%bc&flag#top"
            <urlencode:word> <urldecode:url> => "gr%C3%B6%C3%9Fe https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red shoe&q=2&e=ü&flag#top"
            <hexencode:status> <hexdecode:status> <hexdecode:word> => "353033 503 größe"
            <base64encode:word> <base64decode:word> => "Z3LDtsOfZQ== größe"
            <hexnumencode:status> <hexnumdecode:status> <hexnumencode:word> => "00000000000001F7 1283 größe"
            <duration:int> <duration:took> <duration:word> => "104d5h59m59.254740993s 1h30m größe"
            <duration_seconds:took> <duration_seconds:word> => "5400 größe"
            <time:status> <time:time> <time:word> => "1970-01-01T00:08:23Z 2026-11-23T08:58:30Z größe"
            <ipv4:status> <ipv4:int> => "0.0.1.247 9007199254740993"
            <nan> <inf> <float> <yes> <time> => "NaN +Inf 2.5 true 2026-11-23T08:58:30Z"
            <upper:word> => error at "<upper:word>": `upper` is nothing that a template can make of a field; known are q, uc, lc, urlencode, urldecode, hexencode, hexdecode, base64encode, base64decode, hexnumencode, hexnumdecode, duration, duration_seconds, time, ipv4
            <ucc:word> => error at "<ucc:word>": `ucc` is nothing that a template can make of a field; did you mean `uc`?
            <uc:> => error at "<uc:>": a field is missing after `uc:`; write <uc:field>
            <status => error at "<status": this `<` has no closing `>`; write &lt; for the sign itself
            a > b => "a > b"
        "#]],
    );
}

#[test]
fn templates_know_their_fields_and_their_limit() {
    let names = ["a".to_owned(), "b:c".to_owned()];
    let template = Template::new("<a> <uc:x> <b:c> <_>", &names).expect("a template");
    assert_eq!(template.fields().collect::<Vec<_>>(), ["a", "x", "b:c"]);
    let long = "x".repeat(700_000);
    let template = Template::new("<a><a>", &names).expect("a template");
    assert_eq!(template.render(&|_| Value::text(long.as_str())), Value::Missing);
}
