//! `lookup owners on service.name output team`: fields of a table of names.

use crate::Lookup;
use crate::format as text;

/// The canonical text.
pub(super) fn print(lookup: &Lookup) -> String {
    let key = |(field, column): &(String, String)| match field == column {
        true => text::list_name(field),
        false => format!("{} = {}", text::list_name(field), text::list_name(column)),
    };
    let output = |(column, name): &(String, String)| match column == name {
        true => text::list_name(column),
        false => format!("{} as {}", text::list_name(column), text::list_name(name)),
    };
    let on = lookup.on.iter().map(key).collect::<Vec<_>>().join(", ");
    let mut out = format!("lookup {} on ({on})", text::list_name(&lookup.table));
    if !lookup.output.is_empty() {
        out.push_str(" output ");
        out.push_str(&lookup.output.iter().map(output).collect::<Vec<_>>().join(", "));
    }
    out
}
