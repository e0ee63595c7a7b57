//! Functions of texts, numbers and times.

use expect_test::expect;

use super::check;

#[test]
fn functions_of_texts() {
    check(
        r#"
        len(word)
        len("e\u0301")
        len("👩‍👩‍👧")
        len(503)
        byte_len(word)
        upper("straße")
        lower("ÅÉ")
        upper(status)
        trim("\t a ")
        trim("xxaxx", "x")
        trim("abc", "")
        ltrim("  a ")
        rtrim(" a  ")
        substr(word, 3)
        substr(word, 3, 1)
        substr(word, 0, 2)
        substr(word, -2)
        substr(word, -99, 2)
        substr(word, 99)
        substr(word, 2, -1)
        substr(word, 1, 9223372036854775807)
        substr(word, 9223372036854775807)
        substr(word, -9223372036854775807)
        substr(word, "2")
        substr(body, 2.9, 3)
        left(word, 2)
        left(word, -1)
        left(word, 99)
        right(word, 2)
        right(word, 0)
        concat(status, "-", gone, ratio, yes, float, time)
        replace(body, "a", "AA")
        replace(body, "", "x")
        replace("aaa", "aa", "b")
        split("a,,b", ",")
        split("größe", "")
        split("a\"b", ",")
        split(gone, ",")
        split_part("a,b", ",", 3)
        split_part("a,b", ",", 0)
        split_part("a,b", ",", -2)
        split_part("a,b", "", 1)
        contains(body, "took")
        contains(body, "Took")
        contains(body, word)
        contains(body, "")
        contains(gone, "a")
        starts_with(word, "grö")
        ends_with(word, "ße")
        index_of(word, "ß")
        index_of(word, "zz")
        index_of(body, word)
        repeat("ab", 0)
        repeat("ab", -1)
        len(repeat("ab", 131072))
        repeat("ab", 131073)
        repeat("ab", 9223372036854775807)
        len(concat(repeat("a", 262144), ""))
        len(concat("x", repeat("a", 262144), "y"))
        concat(repeat("a", 262144), repeat("a", 65537))
        hex(hex(repeat("a", 70000)))
        replace(repeat("a", 1000), "a", repeat("b", 2000))
        pad_left(word, 7, "*")
        pad_left(word, 2)
        pad_left(word, 9, "ab")
        pad_right(7, 3, "0")
        pad_right("a", 3, "")
        pad_left("a", 9223372036854775807)
        reverse(word)
        url_encode("/a b?ü&~")
        url_decode("%zz%C3+%41")
        base64_encode(word)
        base64_decode("Z3LDtsOfZQ==")
        base64_decode("Z3LDtsOfZQ")
        base64_decode("_w==")
        base64_decode("a_-b")
        hex(word)
        unhex("0x6869")
        unhex("6")
        unhex("ff")
        format("{}-{}-{1}", "a", gone)
        format("{{{:.2}}} {2}", 1.005, word)
        format("{:.1f}|{:.3}|{:.0}", status, word, 2.5)
        format("plain")
        levenshtein(word, "grosse")
        levenshtein("", "abc")
        levenshtein("ab", "ab")
        levenshtein(repeat("a", 512), repeat("b", 512))
        levenshtein(repeat("a", 513), "b")
        "#,
        expect![[r#"
            len(word) => 5
            len("e\u0301") => 7
            len("👩‍👩‍👧") => 5
            len(503) => 3
            byte_len(word) => 7
            upper("straße") => "STRASSE"
            lower("ÅÉ") => "åé"
            upper(status) => "503"
            trim("\t a ") => "a"
            trim("xxaxx", "x") => "a"
            trim("abc", "") => "abc"
            ltrim("  a ") => "a "
            rtrim(" a  ") => " a"
            substr(word, 3) => "öße"
            substr(word, 3, 1) => "ö"
            substr(word, 0, 2) => "gr"
            substr(word, -2) => "ße"
            substr(word, -99, 2) => "gr"
            substr(word, 99) => ""
            substr(word, 2, -1) => ""
            substr(word, 1, 9223372036854775807) => "größe"
            substr(word, 9223372036854775807) => ""
            substr(word, -9223372036854775807) => "größe"
            substr(word, "2") => "röße"
            substr(body, 2.9, 3) => "ser"
            left(word, 2) => "gr"
            left(word, -1) => ""
            left(word, 99) => "größe"
            right(word, 2) => "ße"
            right(word, 0) => ""
            concat(status, "-", gone, ratio, yes, float, time) => "503- 0.25 true2.52026-11-23T08:58:30Z"
            replace(body, "a", "AA") => "user=AAnAA id=17 took 31 ms from 10.1.2.3"
            replace(body, "", "x") => "user=ana id=17 took 31 ms from 10.1.2.3"
            replace("aaa", "aa", "b") => "ba"
            split("a,,b", ",") => json ["a","","b"]
            split("größe", "") => json ["g","r","ö","ß","e"]
            split("a\"b", ",") => json ["a\"b"]
            split(gone, ",") => missing
            split_part("a,b", ",", 3) => missing
            split_part("a,b", ",", 0) => missing
            split_part("a,b", ",", -2) => "a"
            split_part("a,b", "", 1) => missing
            contains(body, "took") => true
            contains(body, "Took") => false
            contains(body, word) => false
            contains(body, "") => true
            contains(gone, "a") => missing
            starts_with(word, "grö") => true
            ends_with(word, "ße") => true
            index_of(word, "ß") => 4
            index_of(word, "zz") => 0
            index_of(body, word) => 0
            repeat("ab", 0) => ""
            repeat("ab", -1) => ""
            len(repeat("ab", 131072)) => 262144
            repeat("ab", 131073) => missing
            repeat("ab", 9223372036854775807) => missing
            len(concat(repeat("a", 262144), "")) => 262144
            len(concat("x", repeat("a", 262144), "y")) => 262146
            concat(repeat("a", 262144), repeat("a", 65537)) => missing
            hex(hex(repeat("a", 70000))) => missing
            replace(repeat("a", 1000), "a", repeat("b", 2000)) => missing
            pad_left(word, 7, "*") => "**größe"
            pad_left(word, 2) => "größe"
            pad_left(word, 9, "ab") => "ababgröße"
            pad_right(7, 3, "0") => "700"
            pad_right("a", 3, "") => "a"
            pad_left("a", 9223372036854775807) => missing
            reverse(word) => "eßörg"
            url_encode("/a b?ü&~") => "%2Fa%20b%3F%C3%BC%26~"
            url_decode("%zz%C3+%41") => "%zz� A"
            base64_encode(word) => "Z3LDtsOfZQ=="
            base64_decode("Z3LDtsOfZQ==") => "größe"
            base64_decode("Z3LDtsOfZQ") => "größe"
            base64_decode("_w==") => missing
            base64_decode("a_-b") => missing
            hex(word) => "6772c3b6c39f65"
            unhex("0x6869") => "hi"
            unhex("6") => missing
            unhex("ff") => missing
            format("{}-{}-{1}", "a", gone) => "a--a"
            format("{{{:.2}}} {2}", 1.005, word) => "{1.00} größe"
            format("{:.1f}|{:.3}|{:.0}", status, word, 2.5) => "503.0|größe|2"
            format("plain") => "plain"
            levenshtein(word, "grosse") => 3
            levenshtein("", "abc") => 3
            levenshtein("ab", "ab") => 0
            levenshtein(repeat("a", 512), repeat("b", 512)) => 512
            levenshtein(repeat("a", 513), "b") => missing
        "#]],
    );
}

#[test]
fn functions_of_numbers() {
    check(
        r#"
        abs(-2.5)
        abs("-3")
        abs(-9223372036854775807 - 1)
        ceil(2.1)
        ceil(big)
        floor(-2.1)
        floor(1e300)
        trunc(-2.9)
        round(-2.5)
        round(2.675, 2)
        round(1e308, 5)
        round(12345.678, -2)
        round(-155, -1)
        round(9223372036854775807, -1)
        round(big, 3)
        round(5, -400)
        round(1.5, 400)
        min(3, "2", 10)
        max("10", "9")
        max("a", 5)
        min("a", 5)
        max("b", "a")
        max(1, gone)
        max(big, 9007199254740992)
        sqrt(2)
        sqrt(-1)
        pow(2, 62)
        pow(2, 64)
        pow(2, -1)
        pow(10, 400)
        pow(-8, 1 / 3)
        exp(1)
        exp(1000)
        ln(0)
        ln(-1)
        log10(0.001)
        log2(8)
        sign(float)
        sign(-0.0)
        sign(nan)
        mod(-7, 3)
        mod(7.5, 2)
        mod(7, 0)
        to_number(status)
        to_number(ratio)
        to_number(big)
        to_number(wide)
        to_number(yes)
        to_number(time)
        to_number("1e3")
        to_number("0x10")
        to_number("inf")
        to_number("nan")
        to_number("1e999")
        to_number("")
        to_number("١٢")
        to_integer("12.9")
        to_integer(-12.9)
        to_integer(1e300)
        to_string(big)
        to_string(1e300)
        to_string(0.1 + 0.2)
        to_string(nan)
        to_string(inf)
        to_string(time)
        is_number(big)
        is_number(body)
        is_number(time)
        is_number(nan)
        is_number(inf)
        is_number(gone)
        parse_hex("FF")
        parse_hex("0xffffffffffffffff")
        parse_hex("-1")
        parse_hex("")
        to_duration(took)
        to_duration("-5m")
        to_duration(concat("5 minutes"))
        to_duration(1.6)
        format_duration(to_duration(took))
        format_duration(-1500)
        format_duration(took)
        to_bytes("1.5 KiB")
        to_bytes("12")
        to_bytes("x")
        format_bytes(1500000)
        format_bytes(status)
        "#,
        expect![[r#"
            abs(-2.5) => 2.5
            abs("-3") => 3
            abs(-9223372036854775807 - 1) => 9.223372036854776e18
            ceil(2.1) => 3
            ceil(big) => 9007199254740993
            floor(-2.1) => -3
            floor(1e300) => 1e300
            trunc(-2.9) => -2
            round(-2.5) => -3
            round(2.675, 2) => 2.68
            round(1e308, 5) => 1e308
            round(12345.678, -2) => 12300
            round(-155, -1) => -160
            round(9223372036854775807, -1) => 9.223372036854776e18
            round(big, 3) => 9007199254740993
            round(5, -400) => 0
            round(1.5, 400) => 1.5
            min(3, "2", 10) => 2
            max("10", "9") => 10
            max("a", 5) => "a"
            min("a", 5) => 5
            max("b", "a") => "b"
            max(1, gone) => missing
            max(big, 9007199254740992) => 9007199254740993
            sqrt(2) => 1.4142135623730951
            sqrt(-1) => missing
            pow(2, 62) => 4611686018427387904
            pow(2, 64) => 1.8446744073709552e19
            pow(2, -1) => 0.5
            pow(10, 400) => missing
            pow(-8, 1 / 3) => missing
            exp(1) => 2.718281828459045
            exp(1000) => missing
            ln(0) => missing
            ln(-1) => missing
            log10(0.001) => -3
            log2(8) => 3
            sign(float) => 1
            sign(-0.0) => 0
            sign(nan) => missing
            mod(-7, 3) => -1
            mod(7.5, 2) => 1.5
            mod(7, 0) => missing
            to_number(status) => 503
            to_number(ratio) => 0.25
            to_number(big) => 9007199254740993
            to_number(wide) => 1.8446744073709552e19
            to_number(yes) => 1
            to_number(time) => 1795424310000000000
            to_number("1e3") => 1000.0
            to_number("0x10") => missing
            to_number("inf") => missing
            to_number("nan") => missing
            to_number("1e999") => missing
            to_number("") => missing
            to_number("١٢") => missing
            to_integer("12.9") => 12
            to_integer(-12.9) => -12
            to_integer(1e300) => missing
            to_string(big) => "9007199254740993"
            to_string(1e300) => "1e300"
            to_string(0.1 + 0.2) => "0.30000000000000004"
            to_string(nan) => "NaN"
            to_string(inf) => "+Inf"
            to_string(time) => "2026-11-23T08:58:30Z"
            is_number(big) => true
            is_number(body) => false
            is_number(time) => false
            is_number(nan) => false
            is_number(inf) => true
            is_number(gone) => missing
            parse_hex("FF") => 255
            parse_hex("0xffffffffffffffff") => missing
            parse_hex("-1") => missing
            parse_hex("") => missing
            to_duration(took) => 5400000000000
            to_duration("-5m") => -300000000000
            to_duration(concat("5 minutes")) => missing
            to_duration(1.6) => 2
            format_duration(to_duration(took)) => "1h30m"
            format_duration(-1500) => "-1.5us"
            format_duration(took) => "1h30m"
            to_bytes("1.5 KiB") => 1536
            to_bytes("12") => 12
            to_bytes("x") => missing
            format_bytes(1500000) => "1.43 MiB"
            format_bytes(status) => "503 B"
        "#]],
    );
}

#[test]
fn functions_of_times() {
    check(
        r#"
        now()
        now() - 1h30m
        time - time_text
        now() - time
        time + 30s
        30s + time
        5 - time
        time * 2
        time_text - 1d
        to_time(time_text) - 1d
        time_text - time
        time - "30"
        time - took
        time + time
        time_text + time
        age(time)
        age(time_text)
        age("soon")
        age(1795424400)
        to_time("2026-11-23")
        to_time("2026-11-23 09:00:00")
        to_time("2026-11-23T10:00:00.123456789+01:00")
        to_time("2026-13-01")
        to_time("now")
        to_time("-5m")
        to_time(1795424400)
        to_time(1795424400123)
        to_time("1795424400.5")
        to_time(1795424400.5)
        to_time(1e300)
        to_time(gone)
        to_time("23/Nov/2026:10:00:00 +0100", "%d/%b/%Y:%H:%M:%S %z")
        to_time("Nov 23 08:59:59", "%b %d %H:%M:%S")
        to_time("Dec 31 08:59:59", "%b %d %H:%M:%S")
        to_time("2026-11-23", "%Y-%m-%d", "Europe/Berlin")
        to_time("2026-11-23", "%Y-%m-%d", "-05:30")
        to_time("1795424400", "%s")
        to_time("nonsense", "%Y-%m-%d")
        to_time("2026-03-29 02:30", "%Y-%m-%d %H:%M", "Europe/Berlin")
        format_time(time, "%d/%b/%Y:%H:%M:%S %z", "+05:45")
        format_time(time, "%A %j %s %f")
        format_time(word, "%Y")
        time_bin(time, 1h)
        time_bin(time, "5m")
        time_bin(time, 0)
        time_bin(time, -5m)
        time_bin(to_time("1969-12-31T23:59:59Z"), 1m)
        year(time)
        year("1969-12-31")
        month(time)
        day(time, "Pacific/Auckland")
        hour(time, "Asia/Kolkata")
        minute(time, "Asia/Kolkata")
        second(time)
        day_of_week("2026-11-29")
        day_of_year("2028-12-31")
        hour(word)
        unix(time)
        unix("2026-11-23T09:00:00.25Z")
        unix_ms(time)
        unix_ms("1969-12-31T23:59:59.9999Z")
        time > time_text
        time == time_text
        time < now() and time > "2026-11-23"
        time > 1795424300
        time > "soon"
        "#,
        expect![[r#"
            now() => @2026-11-23T09:00:00Z
            now() - 1h30m => @2026-11-23T07:30:00Z
            time - time_text => 0
            now() - time => 90000000000
            time + 30s => @2026-11-23T08:59:00Z
            30s + time => @2026-11-23T08:59:00Z
            5 - time => missing
            time * 2 => missing
            time_text - 1d => missing
            to_time(time_text) - 1d => @2026-11-22T08:58:30Z
            time_text - time => 0
            time - "30" => @2026-11-23T08:58:29.99999997Z
            time - took => @2026-11-23T07:28:30Z
            time + time => missing
            time_text + time => missing
            age(time) => 90000000000
            age(time_text) => 90000000000
            age("soon") => missing
            age(1795424400) => 0
            to_time("2026-11-23") => @2026-11-23T00:00:00Z
            to_time("2026-11-23 09:00:00") => @2026-11-23T09:00:00Z
            to_time("2026-11-23T10:00:00.123456789+01:00") => @2026-11-23T09:00:00.123456789Z
            to_time("2026-13-01") => missing
            to_time("now") => missing
            to_time("-5m") => missing
            to_time(1795424400) => @2026-11-23T09:00:00Z
            to_time(1795424400123) => @2026-11-23T09:00:00.123Z
            to_time("1795424400.5") => @2026-11-23T09:00:00.5Z
            to_time(1795424400.5) => @2026-11-23T09:00:00.5Z
            to_time(1e300) => missing
            to_time(gone) => missing
            to_time("23/Nov/2026:10:00:00 +0100", "%d/%b/%Y:%H:%M:%S %z") => @2026-11-23T09:00:00Z
            to_time("Nov 23 08:59:59", "%b %d %H:%M:%S") => @2026-11-23T08:59:59Z
            to_time("Dec 31 08:59:59", "%b %d %H:%M:%S") => @2025-12-31T08:59:59Z
            to_time("2026-11-23", "%Y-%m-%d", "Europe/Berlin") => @2026-11-22T23:00:00Z
            to_time("2026-11-23", "%Y-%m-%d", "-05:30") => @2026-11-23T05:30:00Z
            to_time("1795424400", "%s") => @2026-11-23T09:00:00Z
            to_time("nonsense", "%Y-%m-%d") => missing
            to_time("2026-03-29 02:30", "%Y-%m-%d %H:%M", "Europe/Berlin") => @2026-03-29T01:30:00Z
            format_time(time, "%d/%b/%Y:%H:%M:%S %z", "+05:45") => "23/Nov/2026:14:43:30 +0545"
            format_time(time, "%A %j %s %f") => "Monday 327 1795424310 0"
            format_time(word, "%Y") => missing
            time_bin(time, 1h) => @2026-11-23T08:00:00Z
            time_bin(time, "5m") => @2026-11-23T08:55:00Z
            time_bin(time, 0) => missing
            time_bin(time, -5m) => missing
            time_bin(to_time("1969-12-31T23:59:59Z"), 1m) => @1969-12-31T23:59:00Z
            year(time) => 2026
            year("1969-12-31") => 1969
            month(time) => 11
            day(time, "Pacific/Auckland") => 23
            hour(time, "Asia/Kolkata") => 14
            minute(time, "Asia/Kolkata") => 28
            second(time) => 30
            day_of_week("2026-11-29") => 7
            day_of_year("2028-12-31") => 366
            hour(word) => missing
            unix(time) => 1795424310
            unix("2026-11-23T09:00:00.25Z") => 1795424400.25
            unix_ms(time) => 1795424310000
            unix_ms("1969-12-31T23:59:59.9999Z") => -1
            time > time_text => false
            time == time_text => true
            time < now() and time > "2026-11-23" => true
            time > 1795424300 => true
            time > "soon" => false
        "#]],
    );
}
