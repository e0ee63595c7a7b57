//! Functions of JSON, and of lists, which are JSON texts too.

use crate::expr::function::ScalarFunction::*;
use crate::expr::function::{FunctionSpec, Kind, Param, maybe, one};

const JSON: Param = one("json", Kind::Json);

pub(in crate::expr) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec::new(JsonGet, "json_get", Kind::Any, "The value at a path in JSON; missing when there is none.")
        .also(&["json_extract", "json_value", "get_json_object"])
        .takes(&[JSON, one("path", Kind::Path)])
        .doc("A path is `a.b[0][\"c d\"]`, with or without `$.` before it; `[-1]` is the last item. Lists and objects come as \
              JSON, all else as the value it is.")
        .examples(&[
            (r#"json_get("{\"a\":{\"b\":[1,2]}}", "a.b[1]")"#, "2"),
            (r#"json_get("{\"a b\":\"x\"}", "[\"a b\"]")"#, "x"),
            (r#"json_get("{}", "a")"#, "null"),
        ]),
    FunctionSpec::new(JsonKeys, "json_keys", Kind::List, "The names in a JSON object, in its order, as a list.")
        .takes(&[JSON])
        .examples(&[(r#"json_keys("{\"b\":1,\"a\":2}")"#, r#"["b","a"]"#)]),
    FunctionSpec::new(JsonLen, "json_len", Kind::Integer, "How many items a JSON list or object has.")
        .also(&["json_array_length", "list_len", "array_length"])
        .takes(&[JSON])
        .examples(&[("json_len(\"[1,2,3]\")", "3")]),
    FunctionSpec::new(JsonArrayContains, "json_array_contains", Kind::Bool, "Whether a JSON list has an item that is this value.")
        .also(&["list_contains", "array_contains"])
        .takes(&[JSON, one("value", Kind::Any)])
        .doc("Numbers compare as numbers: `1.0` is `1`.")
        .examples(&[(r#"json_array_contains("[\"a\",\"b\"]", "b")"#, "true")]),
    FunctionSpec::new(ListJoin, "list_join", Kind::Text, "The items of a list as one text.")
        .also(&["array_join", "mvjoin"])
        .takes(&[one("list", Kind::List), maybe("separator", Kind::Text)])
        .doc("The separator is `,` unless given.")
        .examples(&[(r#"list_join(split("a b c", " "), "-")"#, "a-b-c")]),
    FunctionSpec::new(ToJson, "to_json", Kind::Json, "The value as JSON: a text in quotes, a list as it is.")
        .also(&["tojson"])
        .takes(&[one("value", Kind::Any)])
        .examples(&[(r#"to_json("a\"b")"#, r#""a\"b""#), ("to_json(1.5)", "1.5")]),
    FunctionSpec::new(IsJson, "is_json", Kind::Bool, "Whether a text is JSON.")
        .also(&["json_valid", "isjson"])
        .takes(&[one("text", Kind::Text)])
        .examples(&[(r#"is_json("{\"a\":1}")"#, "true"), (r#"is_json("{a}")"#, "false")]),
];
