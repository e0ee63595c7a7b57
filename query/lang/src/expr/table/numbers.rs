//! Functions of numbers. A text that is a number counts as that number; whole numbers keep all their digits.

use crate::expr::function::ScalarFunction::*;
use crate::expr::function::{FunctionSpec, Kind, Param, many, maybe, one};

const X: Param = one("x", Kind::Number);

pub(in crate::expr) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec::new(Abs, "abs", Kind::Number, "The number without its sign.")
        .takes(&[X])
        .examples(&[("abs(-3)", "3")]),
    FunctionSpec::new(Ceil, "ceil", Kind::Number, "Up to a whole number.")
        .also(&["ceiling"])
        .takes(&[X])
        .examples(&[("ceil(1.2)", "2")]),
    FunctionSpec::new(Floor, "floor", Kind::Number, "Down to a whole number.")
        .takes(&[X])
        .examples(&[("floor(-1.2)", "-2")]),
    FunctionSpec::new(
        Round,
        "round",
        Kind::Number,
        "To the nearest whole number, or to so many decimals; halves away from zero.",
    )
    .takes(&[X, maybe("digits", Kind::Integer)])
    .doc("Negative digits round to tens, hundreds and so on.")
    .examples(&[("round(2.5)", "3"), ("round(3.14159, 2)", "3.14"), ("round(1234, -2)", "1200")]),
    FunctionSpec::new(Truncate, "trunc", Kind::Number, "The number without its fraction.")
        .also(&["truncate"])
        .takes(&[X])
        .examples(&[("trunc(-1.9)", "-1")]),
    FunctionSpec::new(Min, "min", Kind::Any, "The smallest of the values.")
        .also(&["least"])
        .takes(&[many("value", Kind::Any)])
        .doc("Numbers compare as numbers and come before texts. Missing when one of them is.")
        .examples(&[("min(3, 1, 2)", "1")]),
    FunctionSpec::new(Max, "max", Kind::Any, "The largest of the values.")
        .also(&["greatest"])
        .takes(&[many("value", Kind::Any)])
        .doc("As `min`.")
        .examples(&[("max(3, 10, 2)", "10")]),
    FunctionSpec::new(Sqrt, "sqrt", Kind::Number, "The square root.").takes(&[X]).examples(&[("sqrt(16)", "4")]),
    FunctionSpec::new(Pow, "pow", Kind::Number, "The first number to the power of the second.")
        .also(&["power"])
        .takes(&[X, one("y", Kind::Number)])
        .examples(&[("pow(2, 10)", "1024")]),
    FunctionSpec::new(Exp, "exp", Kind::Number, "Euler's number to this power.")
        .takes(&[X])
        .examples(&[("exp(0)", "1")]),
    FunctionSpec::new(Ln, "ln", Kind::Number, "The natural logarithm; missing for zero and below.")
        .takes(&[X])
        .examples(&[("ln(1)", "0"), ("ln(0)", "null")]),
    FunctionSpec::new(Log10, "log10", Kind::Number, "The logarithm to base 10; missing for zero and below.")
        .takes(&[X])
        .examples(&[("log10(1000)", "3")]),
    FunctionSpec::new(Log2, "log2", Kind::Number, "The logarithm to base 2; missing for zero and below.")
        .takes(&[X])
        .examples(&[("log2(1024)", "10")]),
    FunctionSpec::new(Sign, "sign", Kind::Integer, "-1, 0 or 1.").takes(&[X]).examples(&[("sign(-0.5)", "-1")]),
    FunctionSpec::new(
        Mod,
        "mod",
        Kind::Number,
        "What is left after a division, with the sign of the first number: `x % y`.",
    )
    .takes(&[X, one("y", Kind::Number)])
    .examples(&[("mod(7, 3)", "1")]),
    FunctionSpec::new(ToNumber, "to_number", Kind::Number, "The value as a number; missing when it is none.")
        .also(&["tonumber", "to_double", "todouble", "to_float"])
        .takes(&[one("value", Kind::Any)])
        .doc("True is 1, false 0. A time is its nanoseconds since 1970.")
        .examples(&[(r#"to_number(" 2.50 ")"#, "2.5"), (r#"to_number("n/a")"#, "null")]),
    FunctionSpec::new(
        ToInteger,
        "to_integer",
        Kind::Integer,
        "The value as a whole number, its fraction cut off; missing when it is none.",
    )
    .also(&["to_int", "toint", "to_long", "tolong"])
    .takes(&[one("value", Kind::Any)])
    .examples(&[(r#"to_integer("12.7")"#, "12")]),
    FunctionSpec::new(ToText, "to_string", Kind::Text, "The value as text.")
        .also(&["tostring", "to_text"])
        .takes(&[one("value", Kind::Any)])
        .examples(&[("to_string(2.50)", "2.5")]),
    FunctionSpec::new(IsNumber, "is_number", Kind::Bool, "Whether the value is a number, or a text that is one.")
        .also(&["isnum"])
        .takes(&[one("value", Kind::Any)])
        .examples(&[(r#"is_number("12")"#, "true"), (r#"is_number("12 ms")"#, "false")]),
    FunctionSpec::new(ParseHex, "parse_hex", Kind::Integer, "The whole number that is written in hexadecimal.")
        .also(&["hex_to_number"])
        .takes(&[one("text", Kind::Text)])
        .doc("With or without `0x`, up to 7fffffffffffffff.")
        .examples(&[(r#"parse_hex("0xff")"#, "255")]),
    FunctionSpec::new(ToDuration, "to_duration", Kind::Duration, "The nanoseconds of a duration written as text.")
        .takes(&[one("text", Kind::Duration)])
        .doc("`1h30m`, `1.5s`, `250ms`; a number is nanoseconds already.")
        .examples(&[(r#"to_duration("1.5s")"#, "1500000000")]),
    FunctionSpec::new(FormatDuration, "format_duration", Kind::Text, "A number of nanoseconds as a duration to read.")
        .takes(&[one("duration", Kind::Duration)])
        .examples(&[("format_duration(5400000000000)", "1h30m"), ("format_duration(1500us)", "1.5ms")]),
    FunctionSpec::new(ToBytes, "to_bytes", Kind::Integer, "The bytes of a size written as text.")
        .takes(&[one("text", Kind::Any)])
        .doc("`10MiB`, `1.5 GB`, `3k`; a number is bytes already.")
        .examples(&[(r#"to_bytes("10MiB")"#, "10485760")]),
    FunctionSpec::new(FormatBytes, "format_bytes", Kind::Text, "A number of bytes as a size to read.")
        .takes(&[X])
        .examples(&[("format_bytes(10485760)", "10 MiB"), ("format_bytes(1536)", "1.5 KiB")]),
];
