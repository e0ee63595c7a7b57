//! Functions that hash the bytes of a text.

use lang::ScalarFunction;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh64::xxh64;

use super::{Run, text};
use crate::value::Value;

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::Md5 => |v, _| digest::<Md5>(v),
        ScalarFunction::Sha1 => |v, _| digest::<Sha1>(v),
        ScalarFunction::Sha256 => |v, _| digest::<Sha256>(v),
        ScalarFunction::Xxh64 => |v, _| Some(Value::text(format!("{:016x}", xxh64(text(v, 0)?.as_bytes(), 0)))),
        ScalarFunction::Crc32 => |v, _| Some(Value::Int(i64::from(crc32fast::hash(text(v, 0)?.as_bytes())))),
        // The seed is part of what a bucket means: another one would move every user to another bucket.
        ScalarFunction::Bucket => |v, _| {
            let count = u64::try_from(v[1].whole()?).ok().filter(|count| *count > 0)?;
            Some(Value::Int((xxh64(text(v, 0)?.as_bytes(), 0) % count) as i64))
        },
        _ => return None,
    })
}

fn digest<'r, D: Digest>(v: &mut [Value<'r>]) -> Option<Value<'r>> {
    Some(Value::text(hex::encode(D::digest(text(v, 0)?.as_bytes()))))
}
