//! `format "<a> of <uc:b>" as f`: a text made of fields.

use std::ops::Range;

use model::field;

use super::{PipeSpec, condition, required_name, required_text};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::terminals::quote;
use crate::{Diagnostic, FormatPart, FormatPipe, FormatStyle, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["format"],
    alias_of: None,
    syntax: "format \"text <field> <style:field>\" [as name] [if (filter)]",
    summary: "makes a text of fields",
    doc: "`<field>` stands for its value, for nothing when it is missing; `&lt;` is a `<` of the text. Styles: `q` (a JSON \
          string), `uc` and `lc` (case), `urlencode`, `urldecode`, `base64encode`, `base64decode`, `hexencode`, `hexdecode`, `hexnumencode`, \
          `hexnumdecode`, \
          `time` and `duration` (of nanoseconds), `duration_seconds`, `ipv4` (of a number). The text becomes `body` unless \
          `as` says another field.",
    examples: &[
        "error | format \"<uc:service.name>@<host.name>: <body>\" as line | fields _time, line",
        "* | format \"<q:user.id>\" as quoted if (user.id:*) | limit 5",
    ],
    parse,
    complete: |at| match at.last() {
        "" | "as" => Offer::nothing(),
        _ => Offer::keywords(&["as", "if"]),
    },
};

const HINT: &str = "for example format \"<service.name>: <body>\" as line";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let mut filter = None;
    if p.eat_keyword("if").is_some() {
        filter = Some(condition(p, HINT)?);
    }
    let (template, span) = required_text(p, "a quoted text", HINT)?;
    let parts = match parts(&template) {
        Ok(parts) => parts,
        Err((inside, message, hint)) => {
            let place = p.inside_quoted(&span, &inside);
            p.report(Diagnostic::error(place, message).hint(hint));
            return None;
        }
    };
    let mut to = field::BODY.to_owned();
    loop {
        if p.eat_keyword("as").is_some() {
            to = required_name(p, "a name", HINT)?;
        } else if p.eat_keyword("if").is_some() {
            filter = Some(condition(p, HINT)?);
        } else {
            return Some(vec![PipeKind::Format(FormatPipe { parts, to, filter })]);
        }
    }
}

type TemplateError = (Range<usize>, String, String);

/// Cuts a template into its parts.
fn parts(template: &str) -> Result<Vec<FormatPart>, TemplateError> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(open) = template[at..].find('<').map(|open| at + open) {
        let Some(close) = template[open..].find('>').map(|close| open + close) else {
            let hint = "close it, or write &lt; for a < of the text".to_owned();
            return Err((open..open + 1, "this `<` has no closing `>`".to_owned(), hint));
        };
        push_text(&template[at..open], &mut parts);
        parts.push(place(&template[open + 1..close]).map_err(|(message, hint)| (open..close + 1, message, hint))?);
        at = close + 1;
    }
    push_text(&template[at..], &mut parts);
    match parts.is_empty() {
        true => Err((0..1, "this text is empty".to_owned(), HINT.to_owned())),
        false => Ok(parts),
    }
}

fn push_text(text: &str, parts: &mut Vec<FormatPart>) {
    if !text.is_empty() {
        parts.push(FormatPart::Text(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")));
    }
}

/// Reads `style:field`.
fn place(inside: &str) -> Result<FormatPart, (String, String)> {
    let (style, name) = inside.split_once(':').unwrap_or(("", inside));
    let known = FormatStyle::ALL.into_iter().find(|known| known.as_str() == style);
    let Some(style) = known else {
        let styles = FormatStyle::ALL.map(FormatStyle::as_str);
        let hint = match nearest(style, styles) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("styles are {}", styles[1..].join(", ")),
        };
        return Err((format!("there is no style `{}`", shorten(style)), hint));
    };
    if name.is_empty() {
        return Err(("no field is named here".to_owned(), HINT.to_owned()));
    }
    Ok(FormatPart::Field { name: name.to_owned(), style })
}

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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn templates() {
        check(
            r#"
            * | format "<a> of <uc:b>, &lt;5&gt; &amp; more" as f
            * | format "<q:a b>" if (x:y)
            * | format if (x:y) 'plain "text"' as g
            * | format `<time:t> <duration:d> <ipv4:i> <hexdecode:h>`
            "#,
            expect![[r#"
                * | format "<a> of <uc:b>, &lt;5&gt; &amp; more" as f
                    * | format "<a> of <uc:b>, &lt;5> &amp; more" as f
                * | format "<q:a b>" if (x:y)
                    * | format "<q:a b>" if (x:y)
                * | format if (x:y) 'plain "text"' as g
                    * | format "plain \"text\"" as g if (x:y)
                * | format `<time:t> <duration:d> <ipv4:i> <hexdecode:h>`
                    * | format "<time:t> <duration:d> <ipv4:i> <hexdecode:h>"
            "#]],
        );
    }
}
