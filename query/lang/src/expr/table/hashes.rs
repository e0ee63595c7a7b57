//! Functions that hash the bytes of a text.

use crate::expr::function::ScalarFunction::*;
use crate::expr::function::{FunctionSpec, Kind, Param, one};

const TEXT: Param = one("text", Kind::Text);

pub(in crate::expr) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec::new(Md5, "md5", Kind::Text, "The MD5 of a text, as hexadecimal digits.")
        .takes(&[TEXT])
        .doc("To join with systems that store it; it protects nothing.")
        .examples(&[(r#"md5("abc")"#, "900150983cd24fb0d6963f7d28e17f72")]),
    FunctionSpec::new(Sha1, "sha1", Kind::Text, "The SHA-1 of a text, as hexadecimal digits.")
        .takes(&[TEXT])
        .doc("To join with systems that store it; it protects nothing.")
        .examples(&[(r#"sha1("abc")"#, "a9993e364706816aba3e25717850c26c9cd0d89d")]),
    FunctionSpec::new(Sha256, "sha256", Kind::Text, "The SHA-256 of a text, as hexadecimal digits.")
        .takes(&[TEXT])
        .examples(&[(r#"sha256("abc")"#, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]),
    FunctionSpec::new(Xxh64, "xxh64", Kind::Text, "The XXH64 of a text with seed 0, as 16 hexadecimal digits.")
        .takes(&[TEXT])
        .examples(&[(r#"xxh64("abc")"#, "44bc2cf5ad770999")]),
    FunctionSpec::new(Crc32, "crc32", Kind::Integer, "The CRC-32 of a text, as zip and Ethernet compute it.")
        .takes(&[TEXT])
        .examples(&[(r#"crc32("abc")"#, "891568578")]),
    FunctionSpec::new(Bucket, "bucket", Kind::Integer, "A number from 0 to below `count` that a value always falls in.")
        .also(&["hash_bucket"])
        .takes(&[one("value", Kind::Any), one("count", Kind::Integer)])
        .doc("For samples that keep all of a user or a trace: `where expr(bucket(trace_id, 100) < 5)`. Stable across versions.")
        .examples(&[(r#"bucket("user-17", 1)"#, "0")]),
];
