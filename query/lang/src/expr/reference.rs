//! The functions as a part of docs/query-language.md.

use std::fmt::Write as _;

use super::{FAMILIES, FunctionSpec};

/// Every function with its meaning and examples, a table for each family, in Markdown.
pub fn functions_markdown() -> String {
    let mut out = String::new();
    for (family, functions) in FAMILIES {
        let _ = write!(out, "### {family}\n\n| function | makes | what it does |\n|---|---|---|\n");
        for spec in functions {
            let _ = writeln!(out, "| `{}` | {} | {} |", cell(&spec.signature()), spec.returns.as_str(), what(spec));
        }
        out.push('\n');
    }
    out
}

/// What a function does, its other names and its examples.
fn what(spec: &FunctionSpec) -> String {
    let mut out = spec.summary.to_owned();
    if !spec.doc.is_empty() {
        let _ = write!(out, " {}", spec.doc);
    }
    if !spec.aliases.is_empty() {
        let names: Vec<String> = spec.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let _ = write!(out, " Also {}.", names.join(", "));
    }
    for (example, result) in spec.examples {
        let _ = write!(out, " `{example}` is `{result}`.");
    }
    cell(&out)
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_line_of_three_cells() {
        let page = functions_markdown();
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(lines.len(), super::super::FUNCTIONS.len());
        for line in lines {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 4, "{line}");
        }
        let round = page.lines().find(|line| line.contains("`substr(")).unwrap_or_default();
        assert_eq!(
            round,
            "| `substr(text, start[, length])` | text | A part of a text: from a place on, so many characters or up to the \
             end. The first character is 1; a negative start counts from the end. Also `substring`, `mid`. \
             `substr(\"checkout\", 1, 5)` is `check`. `substr(\"checkout\", -3)` is `out`. |"
        );
    }
}
