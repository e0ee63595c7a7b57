//! Every function, by family.

use expect_test::expect;
use lang::{FUNCTIONS, ScalarFunction};

use super::{check, eval};
use crate::Value;
use crate::functions::pick;
use crate::prepare::Prepared;

#[test]
fn every_example_of_the_table_is_true() {
    for spec in FUNCTIONS {
        for (example, want) in spec.examples {
            let value = eval(example).unwrap_or_else(|error| panic!("{example}: {error}"));
            let text = value.into_text().unwrap_or("null".into());
            assert_eq!(text, *want, "{example}");
            assert!(example.contains(spec.name), "{example} does not show {}", spec.name);
        }
    }
}

#[test]
fn every_function_is_somewhere() {
    let nowhere = pick(ScalarFunction::If);
    let own =
        [ScalarFunction::If, ScalarFunction::Case, ScalarFunction::Coalesce, ScalarFunction::In, ScalarFunction::Now];
    for spec in FUNCTIONS {
        let same = std::ptr::fn_addr_eq(pick(spec.function), nowhere);
        assert_eq!(same, own.contains(&spec.function), "{}", spec.name);
    }
    assert_eq!(nowhere(&mut [Value::Int(1)], &Prepared::None), None);
}

#[test]
fn functions_of_patterns() {
    check(
        r#"
        matches(body, "took \d+ ms")
        matches(word, "^gr.ße$")
        matches(gone, "a")
        body =~ "(?i)USER" and body !~ "zzz"
        matches(status, "^5\d\d$")
        extract(body, "user=(\w+)")
        extract(body, "user=(\w+)", 0)
        extract(body, "user=(\w+) id=(?P<id>\d+)", "id")
        extract(body, "user=(\w+) id=(\d+)", 2)
        extract(body, "nobody")
        extract(body, "(x)?took", 1)
        extract(body, concat("id=", "(\d+)"))
        extract_all(body, "\d+")
        extract_all(body, "(\w+)=(\w+)", 2)
        extract_all(body, "zzz")
        replace_regex(body, "\d+", "N")
        replace_regex(body, "(\w+)=(\w+)", "$2=$1")
        replace_regex(body, "(?P<k>\w+)=", "${k}:$$")
        replace_regex(body, "zzz", "N")
        replace_regex("abc", "", "-")
        replace_regex("", "^", "x")
        replace_regex(repeat("a", 2000), ".*", repeat("$0", 1000))
        replace_regex(body, "a", word)
        count_matches(body, "\d+")
        count_matches(body, "")
        like(body, "user=%ms%")
        like(body, "user")
        like("a.c", "a.c")
        like("abc", "a.c")
        like("abc", "a_c")
        like("10%", "10\%")
        like("100", "10\%")
        "#,
        expect![[r#"
            matches(body, "took \d+ ms") => true
            matches(word, "^gr.ße$") => true
            matches(gone, "a") => missing
            body =~ "(?i)USER" and body !~ "zzz" => true
            matches(status, "^5\d\d$") => true
            extract(body, "user=(\w+)") => "ana"
            extract(body, "user=(\w+)", 0) => "user=ana"
            extract(body, "user=(\w+) id=(?P<id>\d+)", "id") => "17"
            extract(body, "user=(\w+) id=(\d+)", 2) => "17"
            extract(body, "nobody") => missing
            extract(body, "(x)?took", 1) => missing
            extract(body, concat("id=", "(\d+)")) => "17"
            extract_all(body, "\d+") => json ["17","31","10","1","2","3"]
            extract_all(body, "(\w+)=(\w+)", 2) => json ["ana","17"]
            extract_all(body, "zzz") => json []
            replace_regex(body, "\d+", "N") => "user=ana id=N took N ms from N.N.N.N"
            replace_regex(body, "(\w+)=(\w+)", "$2=$1") => "ana=user 17=id took 31 ms from 10.1.2.3"
            replace_regex(body, "(?P<k>\w+)=", "${k}:$$") => "user:$ana id:$17 took 31 ms from 10.1.2.3"
            replace_regex(body, "zzz", "N") => "user=ana id=17 took 31 ms from 10.1.2.3"
            replace_regex("abc", "", "-") => "-a-b-c-"
            replace_regex("", "^", "x") => "x"
            replace_regex(repeat("a", 2000), ".*", repeat("$0", 1000)) => missing
            replace_regex(body, "a", word) => "user=größengröße id=17 took 31 ms from 10.1.2.3"
            count_matches(body, "\d+") => 6
            count_matches(body, "") => 40
            like(body, "user=%ms%") => true
            like(body, "user") => false
            like("a.c", "a.c") => true
            like("abc", "a.c") => false
            like("abc", "a_c") => true
            like("10%", "10\%") => true
            like("100", "10\%") => false
        "#]],
    );
}

#[test]
fn functions_of_json() {
    check(
        r#"
        json_get(json, "a.b[1]")
        json_get(json, "$.a.b[-1]")
        json_get(json, "a.b[9]")
        json_get(json, "a.b[-9]")
        json_get(json, "a.b.c")
        json_get(json, "a[0]")
        json_get(json, "k.d")
        json_get(json, "[\"k.d\"]")
        json_get(json, "['a b']")
        json_get(json, "n") + 1
        json_get(json, "a")
        json_get(list, "[2]")
        json_get("[18446744073709551615,1.5,-3,\"3\"]", "[0]")
        json_get("{\"a\":1} x", "a")
        json_get("{\"a\":1", "a")
        json_get(body, "a")
        json_get("5", "a")
        json_get("{\"far\":1e400,\"a\":1}", "a")
        json_get("{\"far\":1e400,\"a\":1}", "far")
        json_get("{\"e\":\"\\u00fc\\n\"}", "e")
        json_get("{\"\\u0061\":1}", "a")
        json_get(json, concat("a", ".b"))
        json_get("{\"1h30m\":5}", took)
        json_keys(json)
        json_keys(list)
        json_len(list)
        json_len(json)
        json_len("5")
        json_len("[1,2")
        json_array_contains(list, "a")
        json_array_contains(list, 3)
        json_array_contains(list, "z")
        json_array_contains(json, "a")
        json_array_contains("[1.0]", 1)
        list_join(list)
        list_join(list, " | ")
        list_join("[null,true,[1]]")
        list_join(body)
        to_json(word)
        to_json(list)
        to_json(float)
        to_json(nan)
        to_json(time)
        to_json(yes)
        to_json(gone)
        is_json(json)
        is_json(list)
        is_json(body)
        is_json("")
        is_json(repeat("[", 100000))
        json_get(repeat("[", 100000), "[0]")
        json_get(concat(repeat("{\"a\":", 100), "1", repeat("}", 100)), "a.a.a")
        json_len(split(body, " "))
        "#,
        expect![[r#"
            json_get(json, "a.b[1]") => 8
            json_get(json, "$.a.b[-1]") => 8
            json_get(json, "a.b[9]") => missing
            json_get(json, "a.b[-9]") => missing
            json_get(json, "a.b.c") => missing
            json_get(json, "a[0]") => missing
            json_get(json, "k.d") => missing
            json_get(json, "[\"k.d\"]") => true
            json_get(json, "['a b']") => "y"
            json_get(json, "n") + 1 => 9007199254740994
            json_get(json, "a") => json {"b":[7,8]}
            json_get(list, "[2]") => 3
            json_get("[18446744073709551615,1.5,-3,\"3\"]", "[0]") => "18446744073709551615"
            json_get("{\"a\":1} x", "a") => missing
            json_get("{\"a\":1", "a") => missing
            json_get(body, "a") => missing
            json_get("5", "a") => missing
            json_get("{\"far\":1e400,\"a\":1}", "a") => 1
            json_get("{\"far\":1e400,\"a\":1}", "far") => missing
            json_get("{\"e\":\"\\u00fc\\n\"}", "e") => "ü\n"
            json_get("{\"\\u0061\":1}", "a") => 1
            json_get(json, concat("a", ".b")) => json [7,8]
            json_get("{\"1h30m\":5}", took) => 5
            json_keys(json) => json ["a","k.d","a b","n"]
            json_keys(list) => missing
            json_len(list) => 3
            json_len(json) => 5
            json_len("5") => missing
            json_len("[1,2") => missing
            json_array_contains(list, "a") => true
            json_array_contains(list, 3) => true
            json_array_contains(list, "z") => false
            json_array_contains(json, "a") => missing
            json_array_contains("[1.0]", 1) => true
            list_join(list) => "a,b,3"
            list_join(list, " | ") => "a | b | 3"
            list_join("[null,true,[1]]") => ",true,[1]"
            list_join(body) => missing
            to_json(word) => json "größe"
            to_json(list) => json ["a","b",3]
            to_json(float) => json 2.5
            to_json(nan) => json "NaN"
            to_json(time) => json "2026-11-23T08:58:30Z"
            to_json(yes) => json true
            to_json(gone) => missing
            is_json(json) => true
            is_json(list) => true
            is_json(body) => false
            is_json("") => false
            is_json(repeat("[", 100000)) => false
            json_get(repeat("[", 100000), "[0]") => missing
            json_get(concat(repeat("{\"a\":", 100), "1", repeat("}", 100)), "a.a.a") => json {"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}
            json_len(split(body, " ")) => 7
        "#]],
    );
}

#[test]
fn functions_of_addresses_and_urls() {
    check(
        r#"
        ip_in(ip, "10.0.0.0/8")
        ip_in(ip, "10.1.2.3")
        ip_in(ip, "192.168.0.0/16", "10.1.0.0/16")
        ip_in(ip, "2001:db8::/32")
        ip_in("::ffff:10.1.2.3", "10.0.0.0/8")
        ip_in("2001:db8::5", "2001:db8::/32")
        ip_in(ip, "0.0.0.0/0")
        ip_in("fe80::1", "::/0")
        ip_in(body, "10.0.0.0/8")
        ip_in(ip, concat(ip, "/32"))
        ip_in(ip, word)
        is_ip(ip)
        is_ip("10.1.2.3.4")
        is_ip("1.2.3.4:80")
        is_ip(5)
        is_private(ip)
        is_private("100.64.0.1")
        is_private("172.32.0.1")
        is_private("fd00::1")
        is_private("2606:4700::1")
        is_private(word)
        ip_prefix(ip, 24)
        ip_prefix(ip, 0)
        ip_prefix(ip, 32)
        ip_prefix(ip, 33)
        ip_prefix(ip, -1)
        ip_prefix("2001:db8:ffff::1", 36)
        ip_version(ip)
        ip_version("::ffff:1.2.3.4")
        url_scheme(url)
        url_host(url)
        url_port(url)
        url_path(url)
        url_query(url)
        url_query(url, "q")
        url_query(url, "e")
        url_query(url, "flag")
        url_query(url, "none")
        domain(url)
        domain("shop.example.com:80/x")
        domain("http://10.0.0.1/")
        domain("localhost")
        domain("a.b.c.com.")
        domain("co.uk")
        domain(body)
        url_host("http://[2001:db8::1]:80/x")
        url_port("http://[2001:db8::1]:8080/x")
        url_port("http://a/")
        url_port("a/b")
        url_port("http://a:99999/")
        url_host("/just/a/path?u=http://x")
        url_path("/just/a/path?u=http://x")
        url_path("http://a?x=1")
        url_scheme("/path?u=http://x")
        url_host("mailto:ana@example.com")
        "#,
        expect![[r#"
            ip_in(ip, "10.0.0.0/8") => true
            ip_in(ip, "10.1.2.3") => true
            ip_in(ip, "192.168.0.0/16", "10.1.0.0/16") => true
            ip_in(ip, "2001:db8::/32") => false
            ip_in("::ffff:10.1.2.3", "10.0.0.0/8") => true
            ip_in("2001:db8::5", "2001:db8::/32") => true
            ip_in(ip, "0.0.0.0/0") => true
            ip_in("fe80::1", "::/0") => true
            ip_in(body, "10.0.0.0/8") => missing
            ip_in(ip, concat(ip, "/32")) => true
            ip_in(ip, word) => missing
            is_ip(ip) => true
            is_ip("10.1.2.3.4") => false
            is_ip("1.2.3.4:80") => false
            is_ip(5) => false
            is_private(ip) => true
            is_private("100.64.0.1") => true
            is_private("172.32.0.1") => false
            is_private("fd00::1") => true
            is_private("2606:4700::1") => false
            is_private(word) => missing
            ip_prefix(ip, 24) => "10.1.2.0/24"
            ip_prefix(ip, 0) => "0.0.0.0/0"
            ip_prefix(ip, 32) => "10.1.2.3/32"
            ip_prefix(ip, 33) => missing
            ip_prefix(ip, -1) => missing
            ip_prefix("2001:db8:ffff::1", 36) => "2001:db8:f000::/36"
            ip_version(ip) => 4
            ip_version("::ffff:1.2.3.4") => 4
            url_scheme(url) => "https"
            url_host(url) => "shop.example.co.uk"
            url_port(url) => 8443
            url_path(url) => "/cart/7"
            url_query(url) => "q=red+shoe&q=2&e=%C3%BC&flag"
            url_query(url, "q") => "red shoe"
            url_query(url, "e") => "ü"
            url_query(url, "flag") => ""
            url_query(url, "none") => missing
            domain(url) => "example.co.uk"
            domain("shop.example.com:80/x") => "example.com"
            domain("http://10.0.0.1/") => missing
            domain("localhost") => "localhost"
            domain("a.b.c.com.") => "c.com"
            domain("co.uk") => "co.uk"
            domain(body) => missing
            url_host("http://[2001:db8::1]:80/x") => "2001:db8::1"
            url_port("http://[2001:db8::1]:8080/x") => 8080
            url_port("http://a/") => 80
            url_port("a/b") => missing
            url_port("http://a:99999/") => missing
            url_host("/just/a/path?u=http://x") => missing
            url_path("/just/a/path?u=http://x") => "/just/a/path"
            url_path("http://a?x=1") => "/"
            url_scheme("/path?u=http://x") => missing
            url_host("mailto:ana@example.com") => missing
        "#]],
    );
}

#[test]
fn functions_of_hashes_and_conditions() {
    check(
        r#"
        md5("")
        sha1(word)
        sha256(gone)
        xxh64("")
        crc32("")
        crc32("123456789")
        bucket("user-17", 100)
        bucket(17, 100)
        bucket("17", 100)
        bucket("a", 0)
        bucket(gone, 10)
        if(status >= 500, "bad", "good")
        if(gone, 1)
        if(gone > 5, 1, 2)
        if(yes_text, 1, 2)
        if(0, 1, 2)
        case(status >= 600, "a", status >= 500, "b", "c")
        case(false, "a", "c")
        case(false, "a", false, "b")
        coalesce(gone, empty, word)
        coalesce(gone)
        coalesce(0, 1)
        status in (500, 503)
        status in ("503")
        status not in ("a", 504)
        gone in ("a")
        gone in ("")
        gone in (null)
        status in (1, 2, 3, 4, 5, 6, 7, 8, 503)
        status in ("1", "2", "3", "4", "5", "6", "7", "8", "503.0")
        503 in ("1", "2", "3", "4", "5", "6", "7", "8", "503.0")
        2.5 in (1, 2, 3, 4, 5, 6, 7, 8, 2.5)
        yes in (1, 2, 3, 4, 5, 6, 7, 8, "true")
        gone in (1, 2, 3, 4, 5, 6, 7, 8, null)
        time in (1, 2, 3, 4, 5, 6, 7, 8, "2026-11-23T08:58:30Z")
        big in (1, 2, 3, 4, 5, 6, 7, 8, 9007199254740992)
        word in (1, 2, 3, 4, 5, 6, 7, 8, word)
        is_missing(gone)
        is_missing(empty)
        is_missing(0)
        exists(nothing_of_that_name)
        exists(word)
        typeof(time)
        typeof(list)
        typeof(json_get(json, "a"))
        typeof(json)
        typeof(yes)
        typeof(float)
        severity_number(level)
        severity_number("17")
        severity_number("99")
        severity_number("loud")
        severity_number("ERROR") > severity_number(level)
        "#,
        expect![[r#"
            md5("") => "d41d8cd98f00b204e9800998ecf8427e"
            sha1(word) => "93c6a3acf1b4a1beba25d8a45a3ccd719721538b"
            sha256(gone) => missing
            xxh64("") => "ef46db3751d8e999"
            crc32("") => 0
            crc32("123456789") => 3421780262
            bucket("user-17", 100) => 3
            bucket(17, 100) => 56
            bucket("17", 100) => 56
            bucket("a", 0) => missing
            bucket(gone, 10) => missing
            if(status >= 500, "bad", "good") => "bad"
            if(gone, 1) => missing
            if(gone > 5, 1, 2) => 2
            if(yes_text, 1, 2) => 1
            if(0, 1, 2) => 2
            case(status >= 600, "a", status >= 500, "b", "c") => "b"
            case(false, "a", "c") => "c"
            case(false, "a", false, "b") => missing
            coalesce(gone, empty, word) => "größe"
            coalesce(gone) => missing
            coalesce(0, 1) => 0
            status in (500, 503) => true
            status in ("503") => true
            status not in ("a", 504) => true
            gone in ("a") => false
            gone in ("") => true
            gone in (null) => true
            status in (1, 2, 3, 4, 5, 6, 7, 8, 503) => true
            status in ("1", "2", "3", "4", "5", "6", "7", "8", "503.0") => false
            503 in ("1", "2", "3", "4", "5", "6", "7", "8", "503.0") => true
            2.5 in (1, 2, 3, 4, 5, 6, 7, 8, 2.5) => true
            yes in (1, 2, 3, 4, 5, 6, 7, 8, "true") => true
            gone in (1, 2, 3, 4, 5, 6, 7, 8, null) => true
            time in (1, 2, 3, 4, 5, 6, 7, 8, "2026-11-23T08:58:30Z") => true
            big in (1, 2, 3, 4, 5, 6, 7, 8, 9007199254740992) => false
            word in (1, 2, 3, 4, 5, 6, 7, 8, word) => true
            is_missing(gone) => true
            is_missing(empty) => true
            is_missing(0) => false
            exists(nothing_of_that_name) => false
            exists(word) => true
            typeof(time) => "time"
            typeof(list) => "list"
            typeof(json_get(json, "a")) => "object"
            typeof(json) => "text"
            typeof(yes) => "bool"
            typeof(float) => "number"
            severity_number(level) => 13
            severity_number("17") => 17
            severity_number("99") => missing
            severity_number("loud") => missing
            severity_number("ERROR") > severity_number(level) => true
        "#]],
    );
}

#[test]
fn what_is_missing_stays_missing() {
    let plain = [
        ScalarFunction::Concat,
        ScalarFunction::Format,
        ScalarFunction::IsMissing,
        ScalarFunction::Exists,
        ScalarFunction::TypeOf,
        ScalarFunction::If,
        ScalarFunction::Case,
        ScalarFunction::Coalesce,
        ScalarFunction::In,
        ScalarFunction::Now,
    ];
    for spec in FUNCTIONS.iter().filter(|spec| !plain.contains(&spec.function)) {
        let constants = ["\"(a)\"", "\"UTC\"", "\"10.0.0.0/8\"", "\"a\"", "\"%Y\"", "1"];
        let constant = |kind: lang::Kind| match kind {
            lang::Kind::Pattern => constants[0],
            lang::Kind::Zone => constants[1],
            lang::Kind::Network => constants[2],
            lang::Kind::TimeFormat => constants[4],
            lang::Kind::Integer | lang::Kind::Number | lang::Kind::Duration => constants[5],
            _ => constants[3],
        };
        let arguments: Vec<&str> = spec.params.iter().skip(1).map(|param| constant(param.kind)).collect();
        let arguments: Vec<&str> = std::iter::once("gone").chain(arguments).take(spec.arguments_min()).collect();
        let call = format!("{}({})", spec.name, arguments.join(", "));
        assert_eq!(eval(&call), Ok(Value::Missing), "{call}");
    }
}
