//! The kinds of values that expressions make.

use expect_test::expect;
use lang::Kind;

use super::{NOW, row, tree};
use crate::{Program, Value};

#[test]
fn kinds_are_known_before_rows() {
    let row = row();
    let names: Vec<String> = row.iter().map(|(name, _)| name.clone()).collect();
    let kind = |at: usize| match &row[at].1 {
        Value::Missing | Value::Text(_) => Kind::Text,
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) => Kind::Integer,
        Value::Number(_) => Kind::Number,
        Value::Time(_) => Kind::Time,
        Value::Json(_) => Kind::Json,
    };
    let mut out = String::new();
    for text in [
        "1",
        "1.5",
        "null",
        "status",
        "status + 1",
        "int + 1",
        "int / 2",
        "int * 1.5",
        "-int",
        "-status",
        "time - 5m",
        "time + status",
        "time - status",
        "now() - time",
        "status - time",
        "time_text - 1",
        "len(body)",
        "lower(body)",
        "round(int)",
        "round(float)",
        "round(status)",
        "mod(int, 2)",
        "min(int, 2)",
        "min(int, 2.5)",
        "min(status, word)",
        "if(yes, 1)",
        "if(yes, 1, 2.5)",
        "if(yes, 1, word)",
        "case(yes, null, null)",
        "coalesce(status, word)",
        "coalesce(time, 1) + 1",
        "json_get(json, \"n\")",
        "json_get(json, \"n\") * 2",
        "split(body, \" \")",
        "yes and no",
        "status in (1, 2)",
        "to_number(status)",
        "to_number(int)",
        "to_time(status)",
        "to_duration(took)",
        "unix(time)",
        "typeof(time)",
        "contains(body, \"a\")",
    ] {
        let program = Program::new(&tree(text), &names, NOW).unwrap_or_else(|error| panic!("{text}: {error}"));
        out.push_str(&format!("{text} => {:?}\n", program.kind(&kind)));
    }
    expect![[r#"
        1 => Integer
        1.5 => Number
        null => Any
        status => Text
        status + 1 => Number
        int + 1 => Integer
        int / 2 => Number
        int * 1.5 => Number
        -int => Integer
        -status => Number
        time - 5m => Time
        time + status => Time
        time - status => Any
        now() - time => Integer
        status - time => Integer
        time_text - 1 => Number
        len(body) => Integer
        lower(body) => Text
        round(int) => Integer
        round(float) => Number
        round(status) => Number
        mod(int, 2) => Integer
        min(int, 2) => Integer
        min(int, 2.5) => Number
        min(status, word) => Any
        if(yes, 1) => Integer
        if(yes, 1, 2.5) => Number
        if(yes, 1, word) => Any
        case(yes, null, null) => Any
        coalesce(status, word) => Text
        coalesce(time, 1) + 1 => Any
        json_get(json, "n") => Any
        json_get(json, "n") * 2 => Number
        split(body, " ") => Json
        yes and no => Bool
        status in (1, 2) => Bool
        to_number(status) => Number
        to_number(int) => Integer
        to_time(status) => Time
        to_duration(took) => Integer
        unix(time) => Number
        typeof(time) => Text
        contains(body, "a") => Bool
    "#]]
    .assert_eq(&out);
}
