//! Operators, and how values become other kinds of values.

use expect_test::expect;

use super::check;

#[test]
fn arithmetic_keeps_digits_and_never_fails() {
    check(
        r#"
        status + 1
        ratio * 4
        big + 1
        int - 1
        int * 2
        9223372036854775807 + 1
        -9223372036854775807 - 2
        big / 1
        7 / 2
        6 / 2
        6.0 / 2
        1 / 3
        1 / 0
        0 / 0
        5 % 3
        -5 % 3
        5 % 0
        5.5 % 2
        1e308 * 10
        nan + 1
        inf + 1
        -inf
        wide + 0
        body + 1
        gone + 1
        empty + 1
        yes + 1
        list + 1
        -status
        -body
        -gone
        -time
        -(-9223372036854775807 - 1)
        0.1 + 0.2
        5m + 30s
        10MiB / 1KiB
        "5" * "6"
        "#,
        expect![[r#"
            status + 1 => 504
            ratio * 4 => 1.0
            big + 1 => 9007199254740994
            int - 1 => 9007199254740992
            int * 2 => 18014398509481986
            9223372036854775807 + 1 => 9.223372036854776e18
            -9223372036854775807 - 2 => -9.223372036854776e18
            big / 1 => 9007199254740993
            7 / 2 => 3.5
            6 / 2 => 3
            6.0 / 2 => 3
            1 / 3 => 0.3333333333333333
            1 / 0 => missing
            0 / 0 => missing
            5 % 3 => 2
            -5 % 3 => -2
            5 % 0 => missing
            5.5 % 2 => 1.5
            1e308 * 10 => missing
            nan + 1 => missing
            inf + 1 => missing
            -inf => missing
            wide + 0 => 1.8446744073709552e19
            body + 1 => missing
            gone + 1 => missing
            empty + 1 => missing
            yes + 1 => missing
            list + 1 => missing
            -status => -503
            -body => missing
            -gone => missing
            -time => missing
            -(-9223372036854775807 - 1) => 9.223372036854776e18
            0.1 + 0.2 => 0.30000000000000004
            5m + 30s => 330000000000
            10MiB / 1KiB => 10240
            "5" * "6" => 30
        "#]],
    );
}

#[test]
fn comparisons_are_those_of_filters() {
    check(
        r#"
        status == 503
        status == "503"
        status == "503.0"
        status == 503.0
        status != 503
        status > 99
        status > "99"
        body > 5
        body < 5
        "b" > "a"
        "B" < "a"
        "10" < "9"
        "10" < "9x"
        word == "größe"
        gone == ""
        gone == null
        gone == empty
        gone == 0
        gone != "a"
        gone < 5
        gone >= 5
        null == null
        yes == true
        yes == "true"
        yes_text == true
        yes == 1
        big == 9007199254740992
        big == 9007199254740993
        int > 9007199254740992.0
        nan == nan
        nan < 1
        inf > 1e308
        list == "[\"a\",\"b\",3]"
        took > 5m
        to_duration(took) > 5m
        "#,
        expect![[r#"
            status == 503 => true
            status == "503" => true
            status == "503.0" => false
            status == 503.0 => true
            status != 503 => false
            status > 99 => true
            status > "99" => true
            body > 5 => false
            body < 5 => false
            "b" > "a" => true
            "B" < "a" => true
            "10" < "9" => false
            "10" < "9x" => true
            word == "größe" => true
            gone == "" => true
            gone == null => true
            gone == empty => true
            gone == 0 => false
            gone != "a" => true
            gone < 5 => false
            gone >= 5 => false
            null == null => true
            yes == true => true
            yes == "true" => true
            yes_text == true => true
            yes == 1 => false
            big == 9007199254740992 => false
            big == 9007199254740993 => true
            int > 9007199254740992.0 => true
            nan == nan => false
            nan < 1 => false
            inf > 1e308 => true
            list == "[\"a\",\"b\",3]" => true
            took > 5m => false
            to_duration(took) > 5m => true
        "#]],
    );
}

#[test]
fn conditions_take_missing_for_false() {
    check(
        r#"
        gone and yes
        gone or yes
        not gone
        not (gone > 5)
        not contains(gone, "a")
        contains(gone, "a")
        status and ratio
        not 0
        not "false"
        not body
        not list
        yes and yes_text and 1
        nan or empty
        "#,
        expect![[r#"
            gone and yes => false
            gone or yes => true
            not gone => true
            not (gone > 5) => true
            not contains(gone, "a") => true
            contains(gone, "a") => missing
            status and ratio => true
            not 0 => true
            not "false" => true
            not body => true
            not list => true
            yes and yes_text and 1 => true
            nan or empty => false
        "#]],
    );
}
