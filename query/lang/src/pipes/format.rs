//! `format "<a> of <uc:b>" as f`: a text made of fields.

use model::field;

use crate::format as text;
use crate::terminals::quote;
use crate::{FormatPart, FormatPipe, FormatStyle};

/// The canonical text.
pub(super) fn print(pipe: &FormatPipe) -> String {
    let template: String = pipe.parts.iter().map(print_part).collect();
    let to = if pipe.to == field::BODY { String::new() } else { format!(" as {}", text::list_name(&pipe.to)) };
    format!("format {}{to}{}", quote(&template), text::condition(pipe.filter.as_ref()))
}

fn print_part(part: &FormatPart) -> String {
    match part {
        FormatPart::Text(text) => text.replace('&', "&amp;").replace('<', "&lt;"),
        FormatPart::Field { name, style: FormatStyle::Plain } => format!("<{name}>"),
        FormatPart::Field { name, style } => format!("<{}:{name}>", style.as_str()),
    }
}
