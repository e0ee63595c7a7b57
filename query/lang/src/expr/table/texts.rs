//! Functions of texts. Places in a text are counted in characters from 1, as in SQL; a negative place counts from the end.

use crate::expr::function::ScalarFunction::*;
use crate::expr::function::{FunctionSpec, Kind, Param, many, maybe, one};

const TEXT: Param = one("text", Kind::Text);

pub(in crate::expr) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec::new(Len, "len", Kind::Integer, "How many characters a text has.")
        .also(&["length", "char_length", "strlen"])
        .takes(&[TEXT])
        .examples(&[(r#"len("größe")"#, "5")]),
    FunctionSpec::new(ByteLen, "byte_len", Kind::Integer, "How many bytes a text has in UTF-8.")
        .also(&["octet_length"])
        .takes(&[TEXT])
        .examples(&[(r#"byte_len("größe")"#, "7")]),
    FunctionSpec::new(Lower, "lower", Kind::Text, "The text in lower case.")
        .also(&["lcase", "to_lower", "tolower"])
        .takes(&[TEXT])
        .examples(&[(r#"lower("GET /Cart")"#, "get /cart")]),
    FunctionSpec::new(Upper, "upper", Kind::Text, "The text in upper case.")
        .also(&["ucase", "to_upper", "toupper"])
        .takes(&[TEXT])
        .examples(&[(r#"upper("warn")"#, "WARN")]),
    FunctionSpec::new(Trim, "trim", Kind::Text, "The text without space at its ends.")
        .takes(&[TEXT, maybe("characters", Kind::Text)])
        .doc("With `characters`, without any of these at its ends.")
        .examples(&[(r#"trim("  a b ")"#, "a b"), (r#"trim("[a]", "[]")"#, "a")]),
    FunctionSpec::new(LeftTrim, "ltrim", Kind::Text, "The text without space, or these characters, at its start.")
        .also(&["trim_start"])
        .takes(&[TEXT, maybe("characters", Kind::Text)])
        .examples(&[(r#"ltrim("007", "0")"#, "7")]),
    FunctionSpec::new(RightTrim, "rtrim", Kind::Text, "The text without space, or these characters, at its end.")
        .also(&["trim_end"])
        .takes(&[TEXT, maybe("characters", Kind::Text)])
        .examples(&[(r#"rtrim("done...", ".")"#, "done")]),
    FunctionSpec::new(Substr, "substr", Kind::Text, "A part of a text: from a place on, so many characters or up to the end.")
        .also(&["substring", "mid"])
        .takes(&[TEXT, one("start", Kind::Integer), maybe("length", Kind::Integer)])
        .doc("The first character is 1; a negative start counts from the end.")
        .examples(&[(r#"substr("checkout", 1, 5)"#, "check"), (r#"substr("checkout", -3)"#, "out")]),
    FunctionSpec::new(Left, "left", Kind::Text, "The first characters of a text.")
        .takes(&[TEXT, one("count", Kind::Integer)])
        .examples(&[(r#"left("checkout", 5)"#, "check")]),
    FunctionSpec::new(Right, "right", Kind::Text, "The last characters of a text.")
        .takes(&[TEXT, one("count", Kind::Integer)])
        .examples(&[(r#"right("checkout", 3)"#, "out")]),
    FunctionSpec::new(Concat, "concat", Kind::Text, "The texts one after the other; what is missing adds nothing.")
        .also(&["strcat"])
        .takes(&[many("value", Kind::Any)])
        .examples(&[(r#"concat("a", "-", 1)"#, "a-1")]),
    FunctionSpec::new(Replace, "replace", Kind::Text, "The text with every occurrence of one text replaced by another.")
        .takes(&[TEXT, one("old", Kind::Text), one("new", Kind::Text)])
        .doc("For patterns see `replace_regex`.")
        .examples(&[(r#"replace("a.b.c", ".", "/")"#, "a/b/c")]),
    FunctionSpec::new(Split, "split", Kind::List, "The parts of a text between separators, as a list.")
        .takes(&[TEXT, one("separator", Kind::Text)])
        .doc("An empty separator splits into characters.")
        .examples(&[(r#"split("a,b,c", ",")"#, r#"["a","b","c"]"#)]),
    FunctionSpec::new(SplitPart, "split_part", Kind::Text, "One part of a text between separators.")
        .takes(&[TEXT, one("separator", Kind::Text), one("part", Kind::Integer)])
        .doc("The first part is 1; a negative part counts from the end; missing when there is no such part.")
        .examples(&[(r#"split_part("a/b/c", "/", 2)"#, "b"), (r#"split_part("a/b/c", "/", -1)"#, "c")]),
    FunctionSpec::new(Contains, "contains", Kind::Bool, "Whether a text has another text in it, in the same case.")
        .takes(&[TEXT, one("part", Kind::Text)])
        .doc("For any case: `contains(lower(text), \"part\")`.")
        .examples(&[(r#"contains("connection reset", "reset")"#, "true")]),
    FunctionSpec::new(StartsWith, "starts_with", Kind::Bool, "Whether a text starts with another.")
        .also(&["startswith"])
        .takes(&[TEXT, one("start", Kind::Text)])
        .examples(&[(r#"starts_with("/api/v1", "/api")"#, "true")]),
    FunctionSpec::new(EndsWith, "ends_with", Kind::Bool, "Whether a text ends with another.")
        .also(&["endswith"])
        .takes(&[TEXT, one("end", Kind::Text)])
        .examples(&[(r#"ends_with("a.png", ".png")"#, "true")]),
    FunctionSpec::new(IndexOf, "index_of", Kind::Integer, "Where a text first has another in it; 0 when it has not.")
        .also(&["strpos", "position", "locate"])
        .takes(&[TEXT, one("part", Kind::Text)])
        .doc("The first character is 1, as for `substr`.")
        .examples(&[(r#"index_of("checkout", "out")"#, "6"), (r#"index_of("checkout", "x")"#, "0")]),
    FunctionSpec::new(Repeat, "repeat", Kind::Text, "The text so many times.")
        .takes(&[TEXT, one("times", Kind::Integer)])
        .doc("Missing when the result would be longer than TEXT_BYTES_MAX.")
        .examples(&[(r#"repeat("ab", 3)"#, "ababab")]),
    FunctionSpec::new(PadLeft, "pad_left", Kind::Text, "The text with fill before it, up to so many characters.")
        .also(&["lpad"])
        .takes(&[TEXT, one("length", Kind::Integer), maybe("fill", Kind::Text)])
        .doc("The fill is a space unless given. A text that is long enough stays as it is.")
        .examples(&[(r#"pad_left(7, 3, "0")"#, "007")]),
    FunctionSpec::new(PadRight, "pad_right", Kind::Text, "The text with fill after it, up to so many characters.")
        .also(&["rpad"])
        .takes(&[TEXT, one("length", Kind::Integer), maybe("fill", Kind::Text)])
        .doc("As `pad_left`.")
        .examples(&[(r#"pad_right("a", 3, ".")"#, "a..")]),
    FunctionSpec::new(Reverse, "reverse", Kind::Text, "The characters of a text from the last to the first.")
        .takes(&[TEXT])
        .examples(&[(r#"reverse("abc")"#, "cba")]),
    FunctionSpec::new(UrlEncode, "url_encode", Kind::Text, "The text with everything but letters, digits and `-._~` as %XX.")
        .also(&["urlencode"])
        .takes(&[TEXT])
        .examples(&[(r#"url_encode("a b&ü")"#, "a%20b%26%C3%BC")]),
    FunctionSpec::new(UrlDecode, "url_decode", Kind::Text, "The text with %XX and `+` decoded.")
        .also(&["urldecode"])
        .takes(&[TEXT])
        .doc("What is no UTF-8 after that becomes the replacement character.")
        .examples(&[(r#"url_decode("a%20b+%C3%BC")"#, "a b ü")]),
    FunctionSpec::new(Base64Encode, "base64_encode", Kind::Text, "The text's bytes in base64.")
        .also(&["to_base64"])
        .takes(&[TEXT])
        .examples(&[(r#"base64_encode("hello")"#, "aGVsbG8=")]),
    FunctionSpec::new(Base64Decode, "base64_decode", Kind::Text, "The text that base64 stands for; missing when it is none.")
        .also(&["from_base64"])
        .takes(&[TEXT])
        .doc("Both alphabets, with or without padding.")
        .examples(&[(r#"base64_decode("aGVsbG8=")"#, "hello"), (r#"base64_decode("?")"#, "null")]),
    FunctionSpec::new(Hex, "hex", Kind::Text, "The text's bytes as hexadecimal digits.")
        .also(&["to_hex", "hex_encode"])
        .takes(&[TEXT])
        .examples(&[(r#"hex("AZ")"#, "415a")]),
    FunctionSpec::new(Unhex, "unhex", Kind::Text, "The text whose bytes are given as hexadecimal digits; missing when it is none.")
        .also(&["from_hex", "hex_decode"])
        .takes(&[TEXT])
        .doc("To read a number written in hexadecimal see `parse_hex`.")
        .examples(&[(r#"unhex("415a")"#, "AZ")]),
    FunctionSpec::new(Format, "format", Kind::Text, "A template with values put in for its `{}`.")
        .takes(&[one("template", Kind::Template), Param { optional: true, ..many("value", Kind::Any) }])
        .doc("`{}` is the next value, `{2}` the second one, `{:.3}` the next one as a number with three decimals, `{{` a brace. \
              What is missing adds nothing. The template is a constant.")
        .examples(&[(r#"format("{} of {} ({:.1} %)", 3, 40, 7.5)"#, "3 of 40 (7.5 %)")]),
    FunctionSpec::new(Levenshtein, "levenshtein", Kind::Integer, "How many characters must change to make one text another.")
        .also(&["edit_distance"])
        .takes(&[one("a", Kind::Text), one("b", Kind::Text)])
        .doc("Missing for texts longer than EDIT_DISTANCE_CHARS_MAX.")
        .examples(&[(r#"levenshtein("kitten", "sitting")"#, "3")]),
];
