//! `bin _time 5m`, `bin bytes 100 as b`: a value becomes the start of its bucket.

use crate::Bin;
use crate::format as text;

/// The canonical text.
pub(super) fn print(bin: &Bin) -> String {
    let to = if bin.to == bin.field { String::new() } else { format!(" as {}", text::list_name(&bin.to)) };
    format!("bin {} {}{to}", text::list_name(&bin.field), text::bucket_text(&bin.bucket))
}
